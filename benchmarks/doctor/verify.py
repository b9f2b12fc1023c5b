"""Check that the sick are sick and the healthy healthy, once; the results are kept in ``checked.json``.

python -m benchmarks.doctor.verify [--only NAME] [--again]

Sick: the run ends clearly worse than its twin, the same run without the fault, in the sense of the
fault. Healthy: no rate 4 or 16 times lower or higher, no decay of the rate and no training three times
as long brings the loss down by another tenth of its whole fall. Who fails is left out of the corpus.

A change of the rate that closes half of the gap between a sick run and its twin makes another finding
true of it, which is noted with the patient.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
import time
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

import fallline
from benchmarks.doctor import cases
from fallline.descent.cache import use_compilation_cache
from fallline.descent.problem import initial_rate, with_rate
from fallline.errors import FalllineError
from fallline.optimizers import by_name
from fallline.schedules import CosineDecay

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.doctor.patient import Patient

FACTORS = (1 / 16, 1 / 4, 4.0, 16.0)

SHARE = 0.1
"""Of the loss' fall: what counts as a clear difference."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a run, in a few numbers; infinite where it blew up."""

    first: float
    last: float
    best_validation: float = math.nan
    last_validation: float = math.nan
    best_epoch: int = 0
    epochs: int = 0
    reason: str = ""
    rate: float = math.nan


def outcome(patient: Patient, arguments: dict[str, Any]) -> Outcome:
    """Make a run and keep what counts."""
    if patient.kind == "minimize":
        function, x0 = arguments["f"], arguments["x0"]
        result = fallline.minimize(**arguments)
        return Outcome(
            float(function(jax.tree.map(np.asarray, x0))),
            _finite(float(result.fun)),
            rate=float(arguments.get("learning_rate", math.nan)),
        )
    run = fallline.train(**arguments)
    history = run.history
    losses = history.training_loss if len(history.training_loss) > 5 else history.loss
    last = np.mean(losses[-max(1, len(losses) // 20) :]) if len(losses) else np.inf
    if run.stop.reason == "non-finite":
        last = np.inf
    validation = history.validation_loss[np.isfinite(history.validation_loss)]
    found: dict[str, Any] = {}
    if len(validation):
        found["best_validation"] = float(validation.min())
        found["last_validation"] = float(validation[-max(1, len(validation) // 20) :].mean())
        found["best_epoch"] = int(validation.argmin()) + 1
    # One row's loss says little; but the steps after the first may have left the start far behind.
    few = max(1, 20 // run.batch_size)
    return Outcome(
        float(np.median(history.loss[:few])),
        _finite(float(last)),
        epochs=len(history.training_loss),
        reason=run.stop.reason,
        rate=float(run.learning_rate),
        **found,
    )


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.inf


def _at(arguments: dict[str, Any], change: Callable[[float], Any], rate: float) -> dict[str, Any]:
    """The same run at another rate, or with a schedule in its place."""
    optimizer = arguments.get("optimizer", "adam")
    made = by_name(optimizer) if isinstance(optimizer, str) else optimizer
    if arguments.get("learning_rate") == "auto":
        made = with_rate(made, rate)
    elif isinstance(optimizer, str):
        made = with_rate(made, arguments["learning_rate"])
    else:
        rate = float(initial_rate(made))
    rest = {k: v for k, v in arguments.items() if k != "learning_rate"}
    return {**rest, "optimizer": with_rate(made, change(rate))}


def _others(patient: Patient, own: Outcome) -> dict[str, Outcome]:
    """What becomes of the run at other rates."""
    found: dict[str, Outcome] = {}
    for factor in FACTORS:
        arguments = _at(patient.arguments(), lambda r, k=factor: k * r, own.rate)
        found[f"{factor:g}"] = outcome(patient, arguments)
    return found


def check(patient: Patient) -> dict[str, Any]:
    """Make the run, its twin and its variants, and judge.

    Returns:
        ``kept``, the numbers, and under ``also`` other findings that the variants show to be true.
    """
    own = outcome(patient, patient.arguments())
    found: dict[str, Any] = {"run": dataclasses.asdict(own)}
    if patient.judge == "healthy":
        return found | _healthy(patient, own)
    if patient.judge == "overfit":
        gap = own.last_validation / own.best_validation - 1
        return found | {"kept": gap > 0.15 and own.best_epoch < 0.7 * own.epochs, "gap": gap}
    if patient.judge == "true":
        return found | {"kept": True}
    if patient.twin is None:
        raise ValueError(f"{patient.name} has no twin.")
    twin = outcome(patient, patient.twin())
    found["twin"] = dataclasses.asdict(twin)
    if patient.judge == "validation":
        fall = max(own.first - twin.best_validation, 1e-12)
        gap = (own.best_validation - twin.best_validation) / fall
        worse = gap > SHARE or (
            own.best_validation > 1.3 * twin.best_validation and gap > SHARE / 5
        )
        return found | {"kept": bool(worse), "gap": gap}
    unit = own.first / twin.first if patient.judge == "share" else 1.0
    last = own.last / unit
    gap = (last - twin.last) / max(twin.first - twin.last, 1e-12)
    worse = gap > SHARE or (last > 1.3 * twin.last and gap > SHARE / 5)
    others = _others(patient, own)
    also: list[str] = []
    half = 0.5 * (last + twin.last) if math.isfinite(last) else 3 * twin.last
    for key, other in others.items():
        if other.last / unit < half:
            also.append(f"learning-rate-too-{'high' if float(key) < 1 else 'low'}")
    return found | {
        "kept": bool(worse),
        "gap": gap,
        "also": sorted(set(also) - {patient.fault}),
        "others": {k: v.last for k, v in others.items()},
    }


def _healthy(patient: Patient, own: Outcome) -> dict[str, Any]:
    others = _others(patient, own)
    arguments = patient.arguments()
    if patient.kind == "train":
        count = "epochs" if "epochs" in arguments else "steps"
        longer = {**arguments, count: 3 * arguments[count]}
        others["longer"] = outcome(patient, longer)
        steps = max(1, len(fallline.train(**arguments).history))
        decayed = _at(arguments, lambda r: CosineDecay(r, steps), own.rate)
        others["decay"] = outcome(patient, decayed)
    fall = own.first - own.last
    gains = {k: (own.last - v.last) / max(fall, 1e-12) for k, v in others.items()}
    drift = own.last_validation / own.best_validation - 1
    overfits = math.isfinite(drift) and drift > 0.15 and own.reason != "patience"
    kept = fall > 0 and max(gains.values()) < SHARE and not overfits
    return {
        "kept": bool(kept),
        "gains": gains,
        "drift": drift,
        "others": {k: v.last for k, v in others.items()},
    }


def main() -> None:
    """Check everyone who is not yet checked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="those whose names contain it")
    parser.add_argument("--again", action="store_true", help="also those already checked")
    asked = parser.parse_args()
    use_compilation_cache()
    patients = sorted(cases.planned(), key=lambda p: (p.group, p.name))
    known = {p.name: cases.checked()[p.name] for p in patients if p.name in cases.checked()}
    wanted = [p for p in patients if asked.only in p.name and (asked.again or p.name not in known)]
    group = ""
    for i, patient in enumerate(wanted):
        if patient.group.split(":")[0] != group:
            jax.clear_caches()
            group = patient.group.split(":")[0]
        began = time.perf_counter()
        try:
            known[patient.name] = _rounded(check(patient))
        except FalllineError as error:
            known[patient.name] = {"kept": False, "error": str(error)}
        said = json.dumps(
            {k: v for k, v in known[patient.name].items() if k not in ("run", "twin")}
        )
        seconds = time.perf_counter() - began
        print(f"{i + 1}/{len(wanted)} {seconds:.1f} s {patient.name} {said}", file=sys.stderr)
        if i % 10 == 9 or i == len(wanted) - 1:
            _keep(known)


def _keep(known: dict[str, Any]) -> None:
    """A line a patient, so that changes are seen."""
    lines = [f"{json.dumps(name)}: {json.dumps(known[name])}" for name in sorted(known)]
    cases.CHECKED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items() if v == v}
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else str(value)
    return value


if __name__ == "__main__":
    main()
