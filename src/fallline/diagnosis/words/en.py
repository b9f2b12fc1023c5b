"""What the doctor says in English."""

TITLES = {
    "learning-rate-too-high": "Learning rate too high",
    "learning-rate-too-low": "Learning rate too low",
    "edge-of-stability": "Edge of stability",
    "batch-too-small": "Batch too small",
    "batch-wasteful": "Batch larger than it pays",
    "noise-floor": "Noise floor",
    "plateau": "Plateau",
    "saddle-point": "Saddle point",
    "local-minimum": "Local minimum",
    "ravine": "Ravine",
    "vanishing-gradients": "Vanishing gradients",
    "exploding-gradients": "Exploding gradients",
    "dead-units": "Dead units",
    "bad-initialisation": "Bad initialisation",
    "unscaled-inputs": "Unscaled inputs",
    "unscaled-target": "Unscaled target",
    "wrong-gradient": "Wrong gradient",
    "overfitting": "Overfitting",
    "underfitting": "Underfitting",
    "constant-target": "Constant target",
    "target-leak": "The target leaks into the inputs",
    "shuffled-labels": "Labels without relation to the inputs",
    "stalled-below-epsilon": "Stalled below epsilon",
    "clipping-always-active": "Clipping always active",
    "stopped-too-early": "Stopped too early",
    "decay-too-fast": "Learning rate decayed too fast",
    "converged": "Converged",
    "healthy": "Healthy",
    "unknown": "Unknown",
}

VERDICTS = {
    "learning-rate-too-high.diverged": "The run diverged: the learning rate of {rate:n} is too high.",
    "learning-rate-too-high.oscillating": "The learning rate of {rate:n} is too high: the steps leap over the "
    "valley instead of descending into it.",
    "learning-rate-too-low": "The learning rate of {rate:n} is too low: the run was still on its way when it "
    "ended.",
    "edge-of-stability": "The run rides the edge of stability: the curvature hovers where the rate is just "
    "stable, and the loss falls all the same. That is healthy.",
    "batch-too-small": "Batches of {size:i} are too small: their noise, not the slope, decides where the steps "
    "lead.",
    "batch-wasteful": "Batches of {size:i} are larger than it pays: the run made only {steps:i} steps, each "
    "hardly better than one on {scale:i} rows.",
    "noise-floor": "The loss has reached its noise floor: at this learning rate the noise of the batches keeps "
    "it at {level:n}.",
    "plateau": "The run rests on a plateau at {level:n}: the ground is level around it, but lower places are "
    "not far.",
    "saddle-point": "The run rests at a saddle point: the gradient is gone, but the loss still curves down in "
    "some direction.",
    "local-minimum": "The run rests in a local minimum at {level:n}; another start leads down to {lower:n}.",
    "ravine": "The run crawls along a ravine {kappa:n} times longer than it is wide: the steep walls set the "
    "rate, the flat floor needs many steps.",
    "vanishing-gradients": "The gradients vanish on their way back through {layers:i} hidden layers, so that "
    "the first layers hardly learn.",
    "exploding-gradients": "The gradients explode on their way back through the network.",
    "dead-units": "{share:p} of the units of {layer} are dead: they give 0 for every row and can no longer "
    "learn.",
    "bad-initialisation.symmetric": "{share:p} of the units of a hidden layer start as copies of each other, "
    "and stay copies: the layer is no wider than one unit.",
    "bad-initialisation.large": "The first weights are {ratio:n} times too large for their layers.",
    "bad-initialisation.small": "The first weights are too small, {ratio:n} of what their layers need: signals "
    "fade before they come through.",
    "unscaled-inputs": "The columns of the inputs differ in size by a factor of {ratio:n}; the largest, "
    "{column}, spreads by {std:n}.",
    "unscaled-inputs.offset": "The inputs lie far from 0: {column} has a mean of {offset:n} standard "
    "deviations.",
    "unscaled-target": "The target is far from the outputs' size: its mean is {mean:n}, its standard deviation "
    "{std:n}.",
    "wrong-gradient": "The gradient is wrong: at {place} it is not what the function's own values say.",
    "overfitting": "The run overfits: the validation loss was lowest at epoch {epoch:i} and has risen by "
    "{rise:p} since, while the training loss went on falling.",
    "underfitting": "The model is too small for this relation: a larger one predicts unseen rows far better "
    "than this one fits its own.",
    "underfitting.penalty": "The penalty {penalty} = {value:n} is too strong: it keeps the model from fitting.",
    "constant-target": "The target is the same in all {rows:i} rows: there is nothing to learn.",
    "target-leak": "{column} alone gives the target away.",
    "shuffled-labels": "The inputs say nothing about the target: the labels might as well be shuffled.",
    "stalled-below-epsilon": "The optimizer stalls: its epsilon of {epsilon:n} drowns gradients of {size:n}.",
    "clipping-always-active": "The gradients are clipped to {limit:n} on {share:p} of the steps, which holds "
    "the run back.",
    "stopped-too-early": "The run was stopped too early, after {epochs:n} epochs: it would have gone on "
    "improving.",
    "decay-too-fast": "The learning rate was as good as gone from step {step:i} on, {share:p} into the run.",
    "converged": "The run has converged: the gradient is gone and the loss rests in a minimum.",
    "healthy": "The run looks healthy: the loss fell from {first:n} to {last:n}.",
    "unknown": "The run did not learn, and none of the rules says why.",
    "unknown.empty": "The run has not made a step yet, so that there is nothing to tell.",
}

RULES = {
    "learning-rate-too-high": "Lower rates from the same start end clearly lower, and the run itself is unstable: "
    "it blew up, climbed, turns back at every step, or its rate is beyond what its optimizer can take at this "
    "curvature.",
    "learning-rate-too-low": "Higher rates from the same start end clearly lower, and the run itself was still "
    "falling, went straight on, or is far below the rate its curvature would take.",
    "edge-of-stability": "At full batch the rate is between 0.8 and 1.3 of the largest stable one, the loss "
    "rises now and then, and falls on the whole.",
    "batch-too-small": "The loss rests, a tenth of the rate takes it down at once, and the batch is far below "
    "the gradient noise scale; a larger batch ends clearly lower.",
    "batch-wasteful": "The batch is more than 4 times the gradient noise scale, the loss was still falling when "
    "the epochs were used up, and smaller batches end clearly lower after as many epochs.",
    "noise-floor": "The loss rests, and a tenth of the rate takes it down within a few steps.",
    "plateau": "The loss rests, it would hardly answer if every parameter doubled, the curvature is as good as 0, "
    "and places some way off lead clearly lower.",
    "saddle-point": "The loss rests, the smallest curvature is surely negative, and a step that way leads clearly "
    "lower.",
    "local-minimum": "The loss rests, no curvature is negative, and other starts end clearly lower.",
    "ravine": "Plain descent near its largest stable rate, a condition number above 30, and the same run with "
    "momentum ends clearly lower.",
    "vanishing-gradients": "Before the first step the first layer's gradient is below a thousandth of the last "
    "layer's, and the run has hardly learned or is still so.",
    "exploding-gradients": "Before the first step the first layer's gradient is over 70 times the last layer's, "
    "or the whole is huge, and the run blew up or does clearly better from smaller weights.",
    "dead-units": "Over half of a ReLU layer's units are 0 on every row, and a start or a rate that keeps them "
    "alive ends clearly lower, or the run learned nothing.",
    "bad-initialisation": "The first weights are copies, or over 3 times or below 0.15 of He's spread, and the "
    "suitable ones end clearly lower.",
    "unscaled-inputs": "Spreads differ by more than 100, exceed 10, or means exceed 10 spreads, and the same run "
    "on standardised columns ends clearly lower.",
    "unscaled-target": "The target's mean exceeds 5 spreads, or its spread is above 20 or below 0.05, and the "
    "same run on a standardised target fits clearly more of it.",
    "wrong-gradient": "A derivative differs from central differences in double precision by more than 1 %, and "
    "Taylor's remainder agrees.",
    "overfitting": "The smoothed validation loss rose from its lowest by over a fifth of its fall, beyond its own "
    "noise, while the training loss fell, and the gap between them is as large.",
    "underfitting": "The loss rests, and a larger network's validation loss is below half of this one's training "
    "loss; or the same run without its penalty fits clearly better.",
    "constant-target": "The target has one value.",
    "target-leak": "One column alone determines the target, which the others together cannot.",
    "shuffled-labels": "Neither nearest neighbours nor a linear model do better than with shuffled labels, and "
    "neither does the run on its validation rows.",
    "stalled-below-epsilon": "The gradients' root mean square is at or below epsilon, and the same run with a "
    "small epsilon ends clearly lower.",
    "clipping-always-active": "Over half of the gradients are clipped, and the same run with a higher limit ends "
    "clearly lower.",
    "stopped-too-early": "A stopping rule ended the run, and the same run with more patience ends clearly lower "
    "on the validation rows.",
    "decay-too-fast": "The rate fell below a twentieth in the first half of the run, and the same run at a "
    "constant rate ends clearly lower.",
    "converged": "The gradient is below a thousandth of its largest norm, the loss rests, and no curvature is "
    "clearly negative.",
    "healthy": "No rule found anything.",
    "unknown": "No rule found anything, and yet the run did not learn.",
}

FIXES = {
    "learning-rate": "Set the learning rate to {rate:n}.",
    "schedule-constant": "Keep the rate at {rate:n}, or let it decay over the whole run.",
    "schedule-cosine": "Let the learning rate decay: a cosine schedule over the whole run.",
    "batch-size": "Set the batch size to {size:i}.",
    "momentum": "Use momentum {momentum:n}.",
    "adam": "Use Adam, with a learning rate found by the range test.",
    "step-aside": "Start beside the saddle point: finding.apply() holds such parameters.",
    "beside": "Start a little to the side of it, or let the steps be noisy.",
    "other-start": "Start elsewhere: finding.apply() holds the parameters that led lower.",
    "init-auto": "Let the initialiser fit the activation: init='auto'.",
    "activation-relu": "Use ReLU with He's initialisation, or batch normalisation.",
    "activation-leaky": "Use leaky ReLU, whose units never die.",
    "clip-norm": "Clip gradients to the norm {limit:n}.",
    "clip-limit": "Raise the clipping limit to {limit:n}, which only outliers exceed.",
    "clip-none": "Leave the clipping out.",
    "standardize-inputs": "Standardise the inputs: mean 0, standard deviation 1.",
    "standardize-inputs-and-rate": "Standardise the inputs to mean 0, standard deviation 1, with a learning rate "
    "of {rate:n}.",
    "standardize-target": "Standardise the target: mean 0, standard deviation 1.",
    "standardize-target-and-rate": "Standardise the target to mean 0, standard deviation 1, with a learning rate "
    "of {rate:n}.",
    "wrong-gradient": "Look at the derivative there; fallline.check_gradient shows it place by place.",
    "patience": "Set the patience to {patience:i} epochs.",
    "no-tolerance": "Leave the tolerance out that ended the run.",
    "l2": "Add a penalty l2 = {l2:n}.",
    "hidden": "Use a network with hidden layers of {units} units, Adam at a rate of {rate:n}.",
    "no-penalty": "Leave the penalty {penalty} out, or make it a hundred times smaller.",
    "constant-target": "Look at the target column: is it the right one, and was it read as it is?",
    "target-leak": "Leave the column out, unless it will be known when predictions are made.",
    "shuffled-labels": "Check how inputs and target were put together: sorted, joined or shuffled apart?",
    "epsilon": "Set epsilon to {epsilon:n}.",
}

EVIDENCE = {
    "rows": "{value:i} rows",
    "target_values": "{value:i} value in the target",
    "leak_strength": "strength of that column alone {value:n} (limit {against:n})",
    "best_loss": "lowest loss {value:n}, a constant prediction {against:n}",
    "neighbour_p": "nearest neighbours: p = {value:n} for no relation",
    "linear_p": "linear model: p = {value:n} for no relation",
    "validation_best": "best validation loss {value:n}, a constant prediction {against:n}",
    "scale_ratio": "largest over smallest spread {value:n} (limit {against:n})",
    "largest_std": "largest spread {value:n}",
    "mean_to_std": "largest mean over spread {value:n} (limit {against:n})",
    "condition": "condition number {value:n}, standardised {against:n}",
    "loss_with_fix": "loss with the fix {value:n}, without {against:n}",
    "share_with_fix": "share of the variance left with the fix {value:n}, without {against:n}",
    "target_std": "standard deviation of the target {value:n}",
    "target_mean": "mean of the target {value:n}",
    "identical_start": "copies among a layer's units at the start {value:p}",
    "identical_end": "copies at the end {value:p}",
    "weights_start": "spread of the first weights over He's {value:n} (limit {against:n})",
    "loss_start": "loss at the start {value:n}, a constant prediction {against:n}",
    "spread_start": "signal of the last over the first hidden layer {value:n}",
    "gradient_ratio_start": "gradient of the first over the last layer {value:n} (limit {against:n})",
    "gradient_ratio_end": "the same at the end {value:n}",
    "loss_against_chance": "loss at the end {value:n}, where nothing is learned {against:n}",
    "gradient_start": "gradient norm {value:n}",
    "gradient_burst": "largest gradient over the median {value:n}",
    "dead_end": "dead units at the end {value:p} (limit {against:p})",
    "dead_start": "dead units at the start {value:p}",
    "loss_at_lower_rate": "loss at a lower rate {value:n}, here {against:n}",
    "loss_at_higher_rate": "loss at a higher rate {value:n}, here {against:n}",
    "blew_up": "the numbers were no longer finite",
    "ended_above_start": "loss at the end {value:n}, at the start {against:n}",
    "ended_above_lowest": "loss at the end {value:n}, at its lowest {against:n}",
    "margin": "learning rate over the largest stable one {value:n}",
    "rises": "the loss rose on {value:p} of the later steps",
    "cosine": "mean cosine between successive gradients {value:n}",
    "gradient_grew": "the gradient grew {value:n} times",
    "still_falling": "slope of the log loss over the run {value:n}, surely below 0",
    "update_ratio": "step length over parameter length {value:n} (limit {against:n})",
    "rate_left": "learning rate left at the end {value:p}",
    "rate_gone_at": "the rate had fallen to a twentieth",
    "onward_low": "going on at a tenth of the rate {value:n}, at the same rate {against:n}",
    "slope_flat": "slope of the log loss over the run {value:n}",
    "noise_scale": "gradient noise scale {value:n} rows, batch {against:n}",
    "smallest_curvature": "smallest curvature {value:n}, largest {against:n}",
    "gradient_left": "gradient norm {value:n}, at its largest {against:n}",
    "loss_aside": "loss after a step aside {value:n}, here {against:n}",
    "falls_around": "some way off the loss falls by up to {value:p} and rises by up to {against:p}",
    "loss_elsewhere": "loss from another start {value:n}, here {against:n}",
    "response": "change of the loss if every parameter doubled {value:p}",
    "condition_number": "condition number of the Hessian {value:n} (limit {against:n})",
    "gradient_rms": "root mean square of the gradient {value:n}, epsilon {against:n}",
    "clipped": "steps clipped {value:p} (limit {against:p})",
    "gradient_p90": "nine tenths of the gradients below {value:n}, limit {against:n}",
    "ended_after": "ended after {value:n} of {against:n} epochs",
    "loss_going_on": "loss when going on {value:n}, here {against:n}",
    "validation_end": "validation loss at the end {value:n}, at its best {against:n}",
    "validation_best_at": "best at epoch {value:i} of {against:i}",
    "training_end": "training loss at the end {value:n}, then {against:n}",
    "penalty": "weight of the penalty {value:n}",
    "larger_network": "validation loss of a larger network {value:n}, training loss here {against:n}",
    "gradient_error": "relative error of the worst derivative {value:n} (limit {against:n})",
    "derivative": "derivative {value:n}, by differences {against:n}",
    "taylor_slope": "Taylor slope {value:n} ({against:n} is right)",
    "steps": "{value:i} steps",
    "loss_end": "loss at the end {value:n}, at the start {against:n}",
}

LABELS = {
    "at_step": "{text} (step {step:i})",
    "proof_helped": "Proven: with the fix the run ended at a {quantity} of {after:n} instead of {before:n}.",
    "proof_failed": "Tried and withdrawn: with the fix the run ended at a {quantity} of {after:n}, without it at "
    "{before:n}.",
    "training_loss": "training loss",
    "validation_loss": "best validation loss",
    "last_validation_loss": "validation loss",
    "mean_training_loss": "mean training loss",
    "share_left": "share of the variance left",
    "complaints": "{count:i} complaints",
    "fix": "Fix",
    "try": "Try",
    "measuring": "measuring ...",
    "proving": "measuring, and training again with each fix ...",
    "measured": "Measured in {seconds:n} s.",
    "history_only": "From the history alone; nothing was measured.",
    "more": "And {count:i} more; --json shows them all.",
    "withdrawn": "Withdrawn: {title}",
    "not_tried": "Not tried: no run can be repeated with this fix.",
    "nothing_learned": "The run predicts no better than the baseline; its history alone does not say why.",
    "closer": "Look closer:  {command}",
    "without_fix": "without the fix",
    "with_fix": "with the fix",
    "run": "the run",
    "loss": "loss",
    "step": "step",
    "epoch": "epoch",
    "data_gone": "The table of this run cannot be read any more, so the doctor has its history alone; name "
    "the table with --data.",
    "data_changed": "The data have changed since this run was trained, so the doctor has its history alone.",
    "data_in_memory": "The table of this run was given in memory, so the doctor has its history alone; hand "
    "it over as data=.",
}
