"""Find the learning rates that suit every base and optimizer, and keep them in ``rates.json``.

python -m benchmarks.doctor.tune

Eleven rates a half decade apart, two seeds each. Of those that end within 5 % of the best fall of the
loss, the middle one is kept, within a factor of 3.2 of the best.
"""

from __future__ import annotations

import json
import sys

import numpy as np

import fallline
from benchmarks.doctor.work import BASES, RATES, work
from fallline.descent.cache import use_compilation_cache

HALF = 10**0.5


def ended(run: fallline.Run) -> float:
    """The mean training loss of the last twentieth of the epochs; infinite if the run blew up."""
    losses = run.history.training_loss
    if run.stop.reason == "non-finite" or not len(losses):
        return np.inf
    value = float(np.mean(losses[-max(1, len(losses) // 20) :]))
    return value if np.isfinite(value) else np.inf


def tune(base: str, optimizer: str) -> float | None:
    """The rate that suits, or None if no rate does."""
    top = {"adadelta": 2.0, "sgd": 1.0, "adagrad": 1.0}.get(optimizer, 0.0)
    rates = [float(f"{10 ** (top - k / 2):.2g}") for k in range(-1, 10)]
    finals, first = [], []
    for rate in rates:
        runs = [fallline.train(**work(base, optimizer, seed, rate=rate)) for seed in (90, 91)]
        finals.append(np.mean([ended(run) for run in runs]))
        first.append(np.mean([run.history.loss[0] for run in runs]))
    best = int(np.argmin(finals))
    fall = first[best] - finals[best]
    good = [i for i, v in enumerate(finals) if v <= finals[best] + 0.05 * fall]
    span = [i for i in good if abs(i - best) <= 1]
    middle = min(span, key=lambda i: abs(i - np.median(good)))
    print(base, optimizer, rates[middle], [f"{v:.3g}" for v in finals], file=sys.stderr, flush=True)
    return rates[middle] if fall > 0 else None


def main() -> None:
    """Tune what is not yet known."""
    use_compilation_cache()
    known = json.loads(RATES.read_text()) if RATES.exists() else {}
    for base in BASES.values():
        for optimizer in base.optimizers:
            key = f"{base.name}/{optimizer}"
            if key not in known and (found := tune(base.name, optimizer)):
                known[key] = found
                RATES.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
