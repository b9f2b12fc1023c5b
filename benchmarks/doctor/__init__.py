"""The corpus: runs that are healthy, and runs with one planted fault, to hold the doctor against.

python -m benchmarks.doctor [--split dev|test|all] [--only FAULT|healthy] [--prove] [--fresh NUMBER]
python -m benchmarks.doctor.report FOLDER

How the cases were chosen. `work` holds bases: a table, a model, a batch size and a number of epochs. For
each base and five optimizers, `tune` found the learning rates that suit (eleven rates a half decade apart,
two seeds; of those that end within a twentieth of the best fall of the loss, the middle one within a factor
of 3.2 of the best). Healthy patients (`cases_healthy`) are the bases at these rates, and with changes that
do no harm: validation rows and patience, the rate by the range test, schedules, dropout, batch
normalisation, clipping that catches outliers only, penalties. The sick (`cases_rates`, `cases_data`,
`cases_network`, `cases_own`) have one fault each, from just noticeable to gross. Where a fault makes
another finding true (a start from zero is a saddle point, too), that is named in ``also`` and is no false
alarm.

How they were checked. `verify` ran each sick patient beside its twin, the same without the fault, and kept
those that end clearly worse: by a tenth of the whole fall of the loss, or by 30 % of the loss and a
fiftieth of its fall; those that overfit by a validation loss 15 % above its best. Faults that are there by
construction (a constant target, a leak, shuffled labels, a wrong gradient, a ravine of known condition)
need no twin. Healthy ones were kept if neither a rate 4 or 16 times lower or higher, nor a decay of it to
0, nor three times as many epochs bring the loss down by another tenth of its fall, and the validation loss
does not end 15 % above its best. ``checked.json`` keeps what was found, who was left out among it. If a
changed rate closes half of the gap between a sick run and its twin, "learning-rate-too-high" or "-low" is
true of it as well.

The halves. Rules are tuned on "dev": the tables digits, diabetes, moons, friedman, california, blobs and a
linear one, with seeds below 100. Everything else, with seeds from 100, is "test"; iris is in both, with other
seeds. Whoever has looked at what the test half says and mended a rule has used it up: ``--fresh 1000`` adds
1000 to every seed, and so draws other rows, other weights and other orders of them for the next report.
"""
