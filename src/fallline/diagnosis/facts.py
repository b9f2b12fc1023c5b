"""Every number that a rule may ask for, each measured when it is first asked for, and once.

What costs nothing comes from the history. The rest is measured on the data, on the network, on the curvature
and noise of the loss, or by trials; all of it shares one time limit.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline import sparse
from fallline.diagnosis import changes as changing
from fallline.diagnosis import flow, noise, slope, trials
from fallline.diagnosis import rows as checks
from fallline.diagnosis.case import Case, RunCase, problem_of
from fallline.errors import FalllineError
from fallline.optimizers import SGD, ClipByGlobalNorm, Momentum

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fallline.descent.problem import Problem
    from fallline.diagnosis.curvature import Sharpness
    from fallline.diagnosis.flow import LayerActivity
    from fallline.diagnosis.noise import Noise
    from fallline.diagnosis.rows import RowFacts
    from fallline.diagnosis.slope import Slope
    from fallline.diagnosis.trials import Outcome

FURTHEST = 1e8
"""How far a search for a better rate goes on while it finds one."""

ENOUGH = 60
"""Steps of continued descent from which something can be told."""


class Facts:
    """The numbers of a case.

    Args:
        case: the case.
        measure: False for what the history alone can tell.
        clock: the time limit of all measurements.
    """

    def __init__(
        self, case: Case, *, measure: bool = True, clock: trials.Clock | None = None
    ) -> None:
        self.case = case
        self.measure = measure
        self.clock = clock or trials.Clock(5.0)

    # ------------------------------------------------------------------ from the history

    @functools.cached_property
    def losses(self) -> np.ndarray:
        """The loss of every step, (steps,)."""
        return np.asarray(self.case.history.steps["loss"], np.float64)

    def column(self, name: str) -> np.ndarray:
        """Another column of the steps' history."""
        return np.asarray(self.case.history.steps[name], np.float64)

    @property
    def steps(self) -> int:
        """Steps recorded."""
        return len(self.losses)

    @property
    def blew_up(self) -> bool:
        """Did the run leave the finite numbers?"""
        return self.case.ended == "non-finite" or not np.isfinite(self.losses[-1:]).all()

    @functools.cached_property
    def first(self) -> float:
        """The loss of the first step's batch, before it."""
        return float(self.losses[0]) if self.steps else math.nan

    @functools.cached_property
    def outcome(self) -> Outcome:
        """How low the run came."""
        return trials.outcome_of(
            self.case.history, "non-finite" if self.blew_up else self.case.ended
        )

    @property
    def last(self) -> float:
        """The loss at the end; infinite if the run blew up."""
        return self.outcome.loss

    @functools.cached_property
    def lowest(self) -> float:
        """The lowest mean loss of a twentieth of the run."""
        finite = self.losses[np.isfinite(self.losses)]
        if not len(finite):
            return math.inf
        width = max(1, min(len(finite) // 20, 200))
        return float(np.convolve(finite, np.full(width, 1 / width), mode="valid").min())

    @functools.cached_property
    def trend(self) -> Slope:
        """The slope of the loss over the last three tenths."""
        return slope.trend(self.losses[np.isfinite(self.losses)])

    @functools.cached_property
    def rises(self) -> float:
        """On which share of the later half's steps the loss rose."""
        return slope.rises(self.losses[self.steps // 2 :])

    @functools.cached_property
    def cosine(self) -> float:
        """The mean cosine between successive gradients over the last three tenths."""
        values = self.column("gradient_cosine")[-max(20, int(0.3 * self.steps)) :]
        values = values[np.isfinite(values)]
        return float(values.mean()) if len(values) else math.nan

    @functools.cached_property
    def rates(self) -> np.ndarray:
        """The learning rate of every step."""
        return self.column("learning_rate")

    @property
    def rate(self) -> float:
        """The highest learning rate of the run."""
        finite = self.rates[np.isfinite(self.rates)]
        return float(finite.max()) if len(finite) else math.nan

    @property
    def last_rate(self) -> float:
        """The learning rate of the last step."""
        return float(self.rates[-1]) if self.steps else math.nan

    @functools.cached_property
    def gradient_norms(self) -> np.ndarray:
        """The gradient's norm at every step."""
        return self.column("gradient_norm")

    @functools.cached_property
    def last_gradient(self) -> float:
        """The median norm of the gradient over the last tenth."""
        return _median(self.gradient_norms[-max(5, self.steps // 10) :])

    @functools.cached_property
    def slope_left(self) -> float:
        """The gradient's norm at the end, over many rows where the batches only sample it."""
        case = self.run
        at = None if case is None or self.case.steps_per_epoch == 1 else case.at("end")
        return self.last_gradient if case is None or at is None else case.gradient_norm_at(*at)

    @functools.cached_property
    def clip(self) -> float | None:
        """The limit on the gradient's norm, or None."""
        clip = changing.clip_of(self.case.optimizer)
        # The others limit something else than the norm that the history has.
        return float(clip.limit) if isinstance(clip, ClipByGlobalNorm) else None

    @functools.cached_property
    def clipped(self) -> float:
        """On which share of the steps the gradient was longer than its limit."""
        if self.clip is None:
            return math.nan
        known = self.gradient_norms[np.isfinite(self.gradient_norms)]
        return float(np.mean(known > self.clip)) if len(known) else math.nan

    @functools.cached_property
    def validation(self) -> np.ndarray:
        """The validation loss of every epoch, what is not finite left out."""
        values = np.asarray(self.case.history.epochs.get("validation_loss", []), np.float64)
        return values[np.isfinite(values)]

    @functools.cached_property
    def training(self) -> np.ndarray:
        """The training loss of every epoch."""
        return np.asarray(self.case.history.epochs.get("training_loss", []), np.float64)

    # ------------------------------------------------------------------ the setting

    @functools.cached_property
    def own_objective(self) -> bool:
        """Is a function of the user's minimised, not a model with a loss?"""
        return self.case.model is None

    @functools.cached_property
    def optimizer(self) -> Any:
        """The optimizer inside all its wrappers, or None."""
        return None if self.case.optimizer is None else changing.core(self.case.optimizer)

    @functools.cached_property
    def parameters(self) -> int:
        """How many numbers are trained; 0 if it is not known."""
        case = self.run
        if case is None or case.start is None:
            return self.case.parameters or 0
        return sum(int(np.size(leaf)) for leaf in jax.tree.leaves(case.start["params"]))

    @functools.cached_property
    def by_heart(self) -> bool:
        """Has a network more parameters than training rows, and no validation rows to tell by?"""
        unwatched = self.hidden > 0 and not len(self.validation)
        return unwatched and self.parameters > (self.case.rows or 0)

    @property
    def penalised(self) -> bool:
        """Are there penalties on the weights?"""
        asked = getattr(self.case, "asked", {})
        return bool(asked.get("l1") or asked.get("l2"))

    @property
    def plain_descent(self) -> bool:
        """Is it plain gradient descent, with or without momentum?"""
        return isinstance(self.optimizer, (SGD, Momentum))

    @property
    def run(self) -> RunCase | None:
        """The case, if it can be run again."""
        case = self.case
        if not self.measure or not isinstance(case, RunCase) or case.problem is None:
            return None
        return case

    # ------------------------------------------------------------------ the data

    @functools.cached_property
    def rows(self) -> RowFacts | None:
        """What the rows say by themselves."""
        case = self.case
        if (
            not self.measure
            or not isinstance(case, RunCase)
            or not case.asked
            or self.own_objective
        ):
            return None
        data = case.problem.data if case.problem else None
        if data is None or sparse.is_rows(data.x):
            return None
        count = case.problem.plan.rows if case.problem else len(data.y)
        x, y = np.asarray(data.x)[:count], np.asarray(data.y)[:count]
        return checks.check_rows(
            x.reshape(count, -1), y, classification=case.task == "classification"
        )

    @functools.cached_property
    def scales(self) -> tuple[float, float, float, float] | None:
        """Ratio of the spreads, the widest, the typical one, and the largest mean over spread.

        Columns that hardly ever differ from one value are left out: their spread says nothing of their scale.
        """
        case = self.run
        if self.rows is None or case is None or case.problem is None:
            return None
        x = np.asarray(case.problem.data.x)[: case.problem.plan.rows]
        x = x[:: -(-len(x) // 20_000)]
        x = x.reshape(len(x), -1)
        mean, spread = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
        kept = spread > 0.05 * np.quantile(spread, 0.1, method="higher")
        kept &= spread > 1e-9 * np.abs(mean)
        if not kept.any():
            return None
        mean, spread = mean[kept], spread[kept]
        low = float(np.quantile(spread, 0.1, method="lower"))
        offset = float((np.abs(mean) / spread).max())
        return float(spread.max()) / low, float(spread.max()), float(np.median(spread)), offset

    @functools.cached_property
    def chance(self) -> float:
        """The loss of the best constant prediction; NaN where it is not known."""
        case = self.case
        if not self.measure or not isinstance(case, RunCase):
            return math.nan
        if case.problem is None or case.model is None:
            return math.nan
        y = case.problem.data.y
        outputs = case.model.outputs
        return constant_loss(case.problem.objective, np.asarray(y), outputs, case.task)

    @functools.cached_property
    def reference(self) -> float:
        """The loss from which a fall counts: the first one, or the constant's if that is lower."""
        if math.isfinite(self.chance) and (self.case.batch_size or 0) < 64:
            # One batch's loss says little.
            return self.chance
        known = [v for v in (self.first, self.chance) if math.isfinite(v)]
        return min(known) if known else math.nan

    def gain(self, trial: Outcome | None, base: Outcome | None = None) -> float:
        """What a trial gained over the run, as a share of the whole fall; NaN without a trial.

        Both after equally many steps. 0.1 means that the run made a tenth less of the way down.
        """
        if trial is None:
            return math.nan
        if base is None:
            base = self.outcome
            if not trial.complete and trial.steps < base.steps:
                base = trials.outcome_of(self.case.history, self.case.ended, trial.steps)
        return self.share(base.loss, trial.loss)

    def share(self, before: float, after: float) -> float:
        """How much further down ``after`` is than ``before``, as a share of its fall from the reference.

        A fall from above the reference does not count, nor one of less than a hundredth of it.
        """
        if not math.isfinite(after):
            return -1.0
        start, fall = self.reference, self.reference - after
        if not math.isfinite(start):
            return math.nan
        least = 1e-2 if self.case.model is not None else 1e-4
        if not fall > least * abs(start):
            return 0.0
        return (min(before, start) - after) / fall

    def validation_gain(self, trial: Outcome | None) -> float:
        """The same for the best validation loss; NaN without validation rows."""
        if trial is None or not len(self.validation) or not math.isfinite(trial.validation):
            return math.nan
        start = self.chance if math.isfinite(self.chance) else float(self.validation[0])
        fall = start - trial.validation
        if not fall > 0:
            return 0.0
        return min((self.outcome.validation - trial.validation) / fall, 10.0)

    # ------------------------------------------------------------------ the network

    @functools.cached_property
    def activity(self) -> list[LayerActivity]:
        """What the layers give at the end; empty where it is not known."""
        return (self.case.activity("end") if self.measure else None) or []

    @functools.cached_property
    def early_activity(self) -> list[LayerActivity]:
        """The same before the first step."""
        return (self.case.activity("start") if self.measure else None) or []

    @functools.cached_property
    def hidden(self) -> int:
        """Hidden layers."""
        return len(getattr(self.case.model, "hidden", ()))

    @functools.cached_property
    def early_gradients(self) -> dict[str, float]:
        """The gradient's norm by leaf before the first step; empty where it is not known."""
        return self._gradients("start")

    @functools.cached_property
    def late_gradients(self) -> dict[str, float]:
        """The same at the end."""
        return self._gradients("end")

    def _gradients(self, when: str) -> dict[str, float]:
        case = self.run
        found = None if case is None or case.model is None else case.at(when)
        if case is None or found is None or case.problem is None:
            return self._recorded_gradients(when)
        return flow.gradient_norms(case.problem.objective, *found, case.sample)

    def _recorded_gradients(self, when: str) -> dict[str, float]:
        """The gradient's norm by leaf where every step recorded it."""
        layers = self.case.history.layers.get("layer_gradient_norm")
        if layers is None or not len(layers):
            return {}
        layers = np.asarray(layers, np.float64)
        part = layers[:1] if when == "start" else layers[-max(1, len(layers) // 10) :]
        names = self.case.history.leaf_names
        return dict(zip(names, np.nanmedian(part, axis=0).tolist(), strict=True))

    @functools.cached_property
    def start_loss(self) -> float:
        """The objective on many rows before the first step; the first step's loss if it cannot be had."""
        case = self.run
        found = None if case is None else case.at("start")
        return self.first if case is None or found is None else case.loss_at(*found)

    @functools.cached_property
    def early_weights(self) -> dict[str, float]:
        """The standard deviation of each layer's weights before the first step, as a multiple of He's."""
        return self._weights("start")

    def _weights(self, when: str) -> dict[str, float]:
        case = self.run
        found = None if case is None or case.model is None else case.at(when)
        if found is None:
            return {}
        sizes: dict[str, float] = {}
        for layer, leaves in found[0].items():
            weights = leaves.get("weights")
            if weights is not None:
                he = math.sqrt(2.0 / weights.shape[0])
                sizes[layer] = float(np.sqrt(np.mean(np.square(np.asarray(weights))))) / he
        return sizes

    @functools.cached_property
    def identical(self) -> float:
        """The largest share of units of a hidden layer that start as copies of another."""
        case = self.run
        found = None if case is None or not self.hidden else case.at("start")
        return math.nan if found is None else flow.identical_columns(found[0])

    # ------------------------------------------------------------------ curvature and noise

    @functools.cached_property
    def sharpness(self) -> Sharpness | None:
        """The curvature at the end, as the optimizer meets it."""
        if not self.measure or self.clock.left < 0:
            return None
        try:
            return self.case.sharpness()
        except FalllineError:
            return None

    @functools.cached_property
    def curvature(self) -> Sharpness | None:
        """The curvature at the end by the Hessian alone, whatever the optimizer divides by."""
        s = self.sharpness
        if s is None or not s.preconditioned or self.run is None:
            return s
        try:
            return self.run.sharpness(plain=True)
        except (FalllineError, TypeError):
            return None

    @property
    def pace(self) -> float:
        """By which share of itself the loss would change over another such run, at its last pace."""
        trend = self.trend
        slope = trend.per_step * self.steps
        if trend.logarithmic:
            return math.expm1(min(slope, 700.0))
        return slope / max(abs(trend.level), 1e-30)

    @functools.cached_property
    def displaced(self) -> float:
        """How far all steps together could have led, over the length of the parameters at the start."""
        steps, sizes = self.column("update_norm"), self.column("parameter_norm")
        known = steps[np.isfinite(steps)]
        if not len(known) or not len(sizes) or not sizes[0] > 0:
            return math.nan
        # Where only some steps were measured, they stand for all.
        return float(known.mean() * len(steps) / sizes[0])

    @property
    def margin(self) -> float:
        """The learning rate over the largest stable one at the end; NaN where it is not known.

        The highest rate of the run: a schedule's last one says nothing of it.
        """
        s = self.sharpness
        if s is None or not s.limit > 0:
            return math.nan
        return self.rate / s.limit

    @functools.cached_property
    def noise(self) -> Noise | None:
        """The gradient's noise at the end."""
        return self._noise("end")

    @functools.cached_property
    def early_noise(self) -> Noise | None:
        """The gradient's noise before the first step."""
        return self._noise("start")

    def _noise(self, when: str) -> Noise | None:
        case = self.run
        found = None if case is None else case.at(when)
        if case is None or found is None or case.problem is None or (case.rows or 0) < 64:
            return None
        batch = max(4, min(64, (case.rows or 0) // 16))
        try:
            return noise.gradient_noise(
                case.problem.objective, *found, case.problem.rows, batch=batch, batches=16
            )
        except FalllineError:
            return None

    # ------------------------------------------------------------------ trials

    @functools.cached_property
    def plan_rate(self) -> float:
        """The initial rate, which the trials multiply."""
        from fallline.descent.problem import initial_rate

        return float(initial_rate(self.case.optimizer))

    def at_rate(self, rate: float) -> Any:
        """The run's optimizer, started at another rate."""
        from fallline.descent.problem import with_rate

        return with_rate(self.case.optimizer, rate)

    def trial(self, optimizer: Any = None, *, params: Any = None) -> Outcome | None:
        """The run again with another optimizer or start; None where it cannot be run, or the time is up."""
        case = self.run
        return None if case is None else self._repeat(case.problem, optimizer, params)

    def trial_with(self, changes: Mapping[str, Any]) -> Outcome | None:
        """The run again with any changes; some have to be compiled."""
        problem = self.changed_problem(changes)
        return None if problem is None else self._repeat(problem)

    def changed_problem(self, changes: Mapping[str, Any]) -> Problem | None:
        """The run's problem with changes made in it; None if it cannot be posed."""
        case = self.run
        if case is None or self.clock.left <= 0.1:
            return None
        try:
            asked = changing.changed(case.asked, changes, case.run.learning_rate)
            return problem_of(asked, case.run.learning_rate)
        except FalllineError:
            return None

    def _repeat(self, problem: Any, optimizer: Any = None, params: Any = None) -> Outcome | None:
        if problem is None or self.clock.left <= 0.1:
            return None
        run = trials.from_start(
            problem,
            problem.optimizer if optimizer is None else optimizer,
            params=params,
            seconds=max(self.clock.left / 3, 0.2),
        )
        found = trials.outcome_of(run.history, run.stop.reason)
        return dataclasses.replace(found, complete=run.stop.reason != "time")

    @functools.cached_property
    def lower_rates(self) -> dict[float, Outcome]:
        """The run again at lower learning rates: factor -> what came of it.

        Down to the first that does not end lower; on the way the run may blow up for long before it is well.
        """
        return self._search((0.1, 0.3), 0.1)

    @functools.cached_property
    def higher_rates(self) -> dict[float, Outcome]:
        """The same at higher ones; nothing if the run blew up."""
        return {} if self.blew_up else self._search((10.0, 3.0), 10.0)

    @property
    def rate_trials(self) -> dict[float, Outcome]:
        """Both together."""
        return self.lower_rates | self.higher_rates

    def _search(self, first: tuple[float, ...], step: float) -> dict[float, Outcome]:
        """Try the first factors, and go on by a step from the outermost while that does best."""
        found: dict[float, Outcome] = {}
        if self.run is None or self.case.optimizer is None or not math.isfinite(self.plan_rate):
            return found

        def look(factor: float) -> bool:
            """Try a factor; is it worth going on beyond it?"""
            outcome = self.trial(self.at_rate(factor * self.plan_rate))
            if outcome is None:
                return False
            before = min([o.loss for o in found.values()] + [self.last])
            found[factor] = outcome
            if not math.isfinite(outcome.loss):
                return factor < 1
            return outcome.loss < before * (1 - 1e-3 * np.sign(before))

        factor = first[0]
        while look(factor) and 1 / FURTHEST < factor * step < FURTHEST and self.clock.left > 0.3:
            factor *= step
        for nearer in first[1:]:
            look(nearer)
        return found

    def best_rate(self, *, lower: bool) -> tuple[float, Outcome] | None:
        """The factor below (or above) 1 that ended lowest, and what came of it."""
        tried = self.lower_rates if lower else self.higher_rates
        tried = {f: o for f, o in tried.items() if math.isfinite(o.loss)}
        if not tried:
            return None
        factor = min(tried, key=lambda f: tried[f].loss)
        return factor, tried[factor]

    def onward(
        self, *, factor: float = 1.0, params: Any = None, optimizer: Any = None
    ) -> Outcome | None:
        """Some steps more from the end: at the last rate times a factor, perhaps from beside the end."""
        case = self.run
        if case is None or case.end is None or case.problem is None or self.clock.left <= 0.1:
            return None
        each = case.problem.plan.steps
        steps = int(max(ENOUGH, min(2 * each, 400), min(self.steps // 4, 1000)))
        changes: dict[str, Any] = {}
        if params is not None:
            changes["params"] = params
        if optimizer is not None:
            changes["optimizer"] = optimizer
        elif factor != 1.0:
            changes["optimizer"] = scaled_rate(case.end["optimizer"], factor)
        run = trials.from_end(
            case.problem,
            case.run.final.arrays,
            steps,
            seconds=max(self.clock.left / 4, 0.2),
            **changes,
        )
        return outcome_of_half(run)

    @functools.cached_property
    def onward_same(self) -> Outcome | None:
        """Some steps more at the last rate."""
        return self.onward()

    @functools.cached_property
    def onward_low(self) -> Outcome | None:
        """Some steps more at a tenth of the last rate."""
        return self.onward(factor=0.1)

    @functools.cached_property
    def floor_gain(self) -> float:
        """What a tenth of the rate gains within some steps over the same rate, as a share of the fall."""
        same, low = self.onward_same, self.onward_low
        if same is None or low is None:
            return math.nan
        return self.share(same.loss, low.loss)


def outcome_of_half(run: Any) -> Outcome:
    """How low continued steps came: the mean of their later half, since they begin where others ended."""
    losses = np.asarray(run.history.steps["loss"], np.float64)
    later = losses[len(losses) // 2 :]
    blew_up = run.stop.reason == "non-finite" or not np.isfinite(later).all()
    return trials.Outcome(
        math.inf if blew_up else float(later.mean()), math.nan, math.nan, len(losses)
    )


def scaled_rate(optimizer: Any, factor: float) -> Any:
    """The optimizer as it stands, its rate or the initial rate of its schedule multiplied."""
    from fallline.descent.problem import initial_rate, with_rate

    return with_rate(optimizer, initial_rate(optimizer) * factor)


def constant_loss(objective: Any, y: np.ndarray, outputs: int, task: str | None) -> float:
    """The loss of the best constant prediction, up to what some candidates can tell."""
    # Evenly over the table, which may be sorted.
    y = y[:: -(-len(y) // 20_000)]
    if task == "classification" and outputs > 1 and y.size == len(y):
        counts = np.bincount(y.reshape(-1).astype(int), minlength=outputs) + 1e-9
        candidates = np.log(counts / counts.sum())[None]
    elif task == "classification":
        p = np.clip(np.mean(y, axis=0), 1e-6, 1 - 1e-6).reshape(-1)
        # Logits of one sigmoid an output, or of a softmax over all of them.
        candidates = np.stack([np.log(p / (1 - p)), np.log(p)])
    else:
        shaped = y.reshape(len(y), -1).astype(np.float64)
        grid = [shaped.mean(axis=0), *np.quantile(shaped, np.linspace(0.02, 0.98, 25), axis=0)]
        candidates = np.stack(grid)
    if candidates.shape[1] != outputs:
        return math.nan
    target = jax.device_put(y)

    def loss(candidate: Any) -> Any:
        prediction = jnp.broadcast_to(candidate, (len(y), outputs))
        return objective.of_prediction(prediction, target, None)

    values = np.asarray(jax.vmap(loss)(jnp.asarray(candidates, jnp.result_type(float))))
    return float(np.nanmin(values)) if np.isfinite(values).any() else math.nan


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else math.nan
