"""The parts of a card: what is known of a run of each kind, as plain fields."""

from __future__ import annotations

import contextlib
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.descent.loop import EPOCH_FIELDS, STEP_FIELDS
from fallline.descent.signals import ASKED_TO_STOP
from fallline.errors import FalllineError
from fallline.page import reproduce, trained
from fallline.page.curves import curves, epochs, finite, finites
from fallline.store.folder import RunFolder

if TYPE_CHECKING:
    from fallline.descent.minimize_result import MinimizeResult
    from fallline.descent.run import Run
    from fallline.jobs.result import TableRun

_OTHERS = ("baseline_rmse", "rmse", "mae")

EMPTY: dict[str, Any] = {
    "title": "",
    "status": "finished",
    "created": None,
    "trained": trained.NOTHING,
    "stop": None,
    "best_epoch": 0,
    "result": None,
    "baselines": [],
    "curves": {name: [] for name in ("step", *STEP_FIELDS, "smooth")},
    "epochs": {name: [] for name in ("step", *EPOCH_FIELDS)},
    "range_test": None,
    "instruments": None,
    "surfaces": [],
    "diagnosis": None,
    "remarks": [],
    "reproduce": {"command": None, "python": None, "seed": None, "versions": {}},
}
"""A card of which nothing is known."""


def of_run(run: Run, points: int) -> dict[str, Any]:
    """The card of a run of `fallline.train`."""
    facts = trained.of_run(run)
    # A score of the user's own is no accuracy.
    task = None if (run.asked or {}).get("score") else facts["task"]
    return {
        **deepcopy(EMPTY),
        "title": f"{facts['model']}, {facts['optimizer']['name']}",
        "status": "interrupted" if run.stop.reason in ASKED_TO_STOP else "finished",
        "trained": facts,
        "stop": {"reason": run.stop.reason, "sentence": run.stop.sentence},
        "best_epoch": run.best_epoch,
        "result": of_history(run.history, run.best_epoch, run.plan.steps, task),
        "curves": curves(run.history, points),
        "epochs": epochs(run.history, run.plan, points),
        "range_test": range_test(run.range_test),
        "remarks": [],
        "reproduce": reproduce.reproduce(None, reproduce.of_run(run), facts["seed"]),
    }


def of_table(fitted: TableRun, points: int, facts: dict[str, Any] | None = None) -> dict[str, Any]:
    """The card of a run of `fallline.fit`.

    Args:
        fitted: the run.
        points: as for `card`.
        facts: what ``run.json`` says, if it was read from a folder.
    """
    told = trained.of_table(fitted)
    command, python = reproduce.of_config(fitted.config)
    place = fitted.folder
    if facts is None and place is not None:
        # The folder may have gone since, or hold another run.
        with contextlib.suppress(FalllineError):
            facts = RunFolder(place).facts()
    named = place.resolve().name if place is not None else None
    source = Path(fitted.config.data).name if fitted.config.data else "table"
    wrote = None if facts is None else str(facts.get("fallline"))
    result = result_of(fitted.result)
    return {
        **of_run(fitted.run, points),
        "title": named or f"{source}: {told['target']}",
        "created": None if facts is None else facts.get("created"),
        "trained": told,
        "result": result,
        "baselines": baselines_of(result, told["task"]),
        "reproduce": reproduce.reproduce(command, python, fitted.config.seed, wrote),
    }


def result_of(result: dict[str, Any]) -> dict[str, Any] | None:
    """The result of a fit as the card's."""
    if "metric" not in result:
        return None
    others = [
        {"name": name, "value": finite(result[name])}
        for name in _OTHERS
        if result.get(name) is not None
    ]
    return {
        "metric": result["metric"],
        "value": finite(result["value"]),
        "baseline": finite(result.get("baseline")),
        "measured_on": result.get("measured_on"),
        "others": others,
    }


def baselines_of(result: dict[str, Any] | None, task: str | None) -> list[dict[str, Any]]:
    """The baselines that a card's result brings along: what has learned nothing, if it was measured."""
    if result is None or result["baseline"] is None:
        return []
    name = "mean" if task == "regression" else "majority"
    return [{"name": name, "value": result["baseline"]}]


def of_history(
    history: Any, best_epoch: int, each: int | None, task: str | None
) -> dict[str, Any] | None:
    """The best numbers of a run that measured nothing at its end: of its validation rows, else its last loss.

    Args:
        history: the run's.
        best_epoch: whose parameters were kept, counted from 1; 0 for the last one's.
        each: steps an epoch.
        task: "classification" if the score of the validation rows is the accuracy.
    """
    watched = np.asarray(history.epochs["validation_loss"], np.float64)
    known = np.flatnonzero(np.isfinite(watched))
    if len(known):
        best = best_epoch - 1 if best_epoch else int(known[-1])
        score = finite(history.epochs["validation_score"][best])
        loss = {"name": "validation_loss", "value": finite(watched[best])}
        if score is not None and task == "classification":
            return _measured("accuracy", score, "validation", [loss])
        return _measured("validation_loss", loss["value"], "validation", [])
    losses = np.asarray(history.steps["loss"], np.float64)
    losses = losses[np.isfinite(losses)]
    if not len(losses):
        return None
    last = float(losses[-max(1, min(each or 1, len(losses))) :].mean())
    return _measured("training_loss", finite(last), "training", [])


def _measured(metric: str, value: Any, rows: str | None, others: list[Any]) -> dict[str, Any]:
    return {
        "metric": metric,
        "value": value,
        "baseline": None,
        "measured_on": rows,
        "others": others,
    }


def of_minimum(result: MinimizeResult, points: int) -> dict[str, Any]:
    """The card of a descent of `fallline.minimize`; of many starts, that of the best one."""
    from fallline.descent.history import History

    history, recorded = result.history, np.asarray(result.recorded) + 1
    many = np.ndim(result.history.steps["loss"]) > 1
    best = result.best or 0
    if many:
        history = History({name: v[:, best] for name, v in history.steps.items()}, {})
    alive = np.isfinite(history.steps["loss"])
    count = int(np.flatnonzero(alive)[-1]) + 1 if alive.any() else 0
    history = History({name: v[:count] for name, v in history.steps.items()}, {})
    facts = trained.of_minimum(result)
    value = finite(np.asarray(result.fun).flat[best])
    reasons = {0: "gradient", 1: "steps", 2: "non-finite", 3: "interrupted", 4: "gradient"}
    status = int(np.asarray(result.status).flat[best])
    return {
        **deepcopy(EMPTY),
        "title": f"{facts['model'].partition(':')[0]}, {facts['optimizer']['name']}",
        "trained": facts,
        "stop": {"reason": reasons.get(status, "gradient"), "sentence": result.message},
        "result": _measured("value", value, None, []),
        "curves": curves(history, points, steps=recorded[:count]),
        "range_test": tried(result.tried, facts["learning_rate"]),
        "remarks": list(result.notes),
        "reproduce": reproduce.reproduce(None, None, facts["seed"]),
    }


def range_test(found: Any) -> dict[str, Any] | None:
    """A range test as the card's; None where there was none."""
    if found is None:
        return None
    from fallline.averages import smooth

    return {
        "learning_rates": finites(found.rates),
        "losses": finites(found.losses),
        "chosen": finite(found.learning_rate),
        "smooth": finites(smooth(found.losses, 0.5)),
    }


def tried(rates: dict[float, float], chosen: float | None) -> dict[str, Any] | None:
    """The rates that `fallline.minimize` tried, as a range test."""
    if not rates:
        return None
    order = sorted(rates)
    return {
        "learning_rates": finites(order),
        "losses": finites(rates[rate] for rate in order),
        "chosen": chosen,
        "smooth": None,
    }
