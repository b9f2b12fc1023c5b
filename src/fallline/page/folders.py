"""A run's folder as a card, in whatever state it is."""

from __future__ import annotations

import datetime
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from fallline.descent.batches import BatchPlan
from fallline.errors import FalllineError
from fallline.page import reproduce, trained
from fallline.page.curves import curves, epochs, finite
from fallline.store import files
from fallline.store.folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from fallline.descent.run import Snapshot


_KEPT = ("rows", "features", "target", "task", "loss")
"""What a checkpoint says of what is trained on what."""

_TEXTS = {
    "": ("status", "created", "fallline", "fingerprint"),
    "config": ("data", "target", "task", "model", "loss", "optimizer", "schedule", "precision"),
    "result": ("metric", "measured_on", "target", "model", "stop_reason", "sentence", "loss"),
}
_COUNTED = (
    *("features", "parameters", "learning_rate", "batch_size", "steps", "steps_per_epoch"),
    *("epochs", "rows_seen"),
)
_NUMBERS = ("value", "baseline", "best_epoch", "train_seconds", "total_seconds", "steps", "epochs")


def facts_of(folder: RunFolder) -> dict[str, Any]:
    """What ``run.json`` says, whose fields hold what they are read as, whoever wrote it.

    Raises:
        FalllineError: if there is no run, or one that cannot be read.
    """
    facts = folder.facts()
    config: Any = facts.get("config")
    result: Any = facts.get("result")
    if result is None and facts.get("status") != "finished":
        # It has come to nothing yet.
        result = {}
    parts: dict[str, Any] = {"": facts, "config": config, "result": result}
    fits = all(isinstance(part, dict) for part in parts.values()) and all(
        isinstance(parts[part].get(name), str | None)
        for part, names in _TEXTS.items()
        for name in names
    )
    numbers = [parts["result"].get(name) for name in _NUMBERS] if fits else []
    if not fits or not all(isinstance(value, int | float | None) for value in numbers):
        raise files.damaged(folder.path / "run.json", "its fields are not what a run has")
    return facts


def require_plain(path: Path) -> None:
    """Check that a run's folder holds files and folders: anything else might be read for ever.

    Raises:
        FalllineError: naming what is neither.
    """
    for inner in path.rglob("*"):
        if inner.exists() and not inner.is_file() and not inner.is_dir():
            raise files.damaged(inner, "it is no file")


def of_folder(path: Path, points: int) -> dict[str, Any]:
    """The card of a run's folder; the data are not read.

    Raises:
        FalllineError: if there is no run in it.
    """
    from fallline.jobs.result import load
    from fallline.page.parts import EMPTY, of_table

    folder = RunFolder(path)
    title = folder.path.resolve().name
    if not folder.exists:
        folder.facts()
    try:
        facts = facts_of(folder)
        require_plain(folder.path)
    except FalllineError as error:
        made = {**deepcopy(EMPTY), "created": _changed(folder.path / "run.json")}
        return {**made, "title": title, "status": "damaged", "remarks": [str(error)]}
    try:
        if facts.get("status") != "finished":
            return _unfinished(folder, facts, title, points)
        return of_table(load(folder.path), points, facts)
    except FalllineError as error:
        why = str(error)
    except Exception as error:
        # Each file is whole, but what is in them does not belong together: somebody changed it.
        name = type(error).__name__
        why = f"The files of the run {title} do not fit together ({name}): train it again."
    return _told(facts, title) | {"status": "damaged", "remarks": [why]}


def _told(facts: dict[str, Any], title: str) -> dict[str, Any]:
    """What ``run.json`` alone says of a run."""
    from fallline.jobs.config import FitConfig
    from fallline.page.parts import EMPTY, baselines_of, result_of

    told = facts.get("result") or {}
    made: dict[str, Any] = {
        **deepcopy(EMPTY),
        "title": title,
        "created": facts.get("created"),
        "remarks": [],
        "best_epoch": told.get("best_epoch") or 0,
        "result": result_of(told),
    }
    made["baselines"] = baselines_of(made["result"], told.get("task"))
    config: dict[str, Any] = facts.get("config") or {}
    seed = config["seed"] if isinstance(config.get("seed"), int) else None
    made["trained"] = {
        **trained.NOTHING,
        **{name: told[name] for name in _COUNTED if isinstance(told.get(name), int | float)},
        "rows": _counts(told.get("rows")),
        "classes": _labels(told.get("classes")),
        "data": config.get("data"),
        "target": told.get("target") or config.get("target"),
        "model": told.get("model") or config.get("model") or "",
        "loss": told.get("loss") or config.get("loss"),
        "optimizer": {
            "name": str(config.get("optimizer", "")).capitalize(),
            "settings": _numbers(config.get("hyperparameters")),
        },
        "schedule": config.get("schedule"),
        "task": told["task"] if isinstance(told.get("task"), str) else None,
        "seed": seed,
        "precision": told.get("precision") or config.get("precision") or "float32",
        "seconds": told.get("train_seconds"),
    }
    if told.get("stop_reason"):
        made["stop"] = {"reason": told["stop_reason"], "sentence": told.get("sentence", "")}
    wrote = str(facts.get("fallline"))
    try:
        words = reproduce.of_config(FitConfig.from_json(config))
    except (FalllineError, TypeError, ValueError, AttributeError):
        words = (None, None)
    made["reproduce"] = reproduce.reproduce(*words, seed, wrote)
    return made


def _unfinished(
    folder: RunFolder, facts: dict[str, Any], title: str, points: int
) -> dict[str, Any]:
    """A run that is being trained, or was interrupted: by its newest whole checkpoint."""
    from fallline.page.parts import of_history

    made = _told(facts, title)
    made["status"] = "interrupted" if facts.get("status") == "interrupted" else "running"
    found = newest(folder, facts)
    if found is None:
        made["remarks"] = ["The run has kept nothing yet; it does so every few seconds."]
        return made
    name, snapshot, about = found
    plan = BatchPlan(**about["plan"]) if about.get("plan") else None
    each = None if plan is None else plan.steps
    step = int(snapshot.arrays["step"])
    told = {key: about[key] for key in _KEPT if about.get(key) is not None}
    if isinstance(about.get("model"), dict):
        told["model"] = trained.model_words(about["model"])
    parameters = {
        path.removeprefix("params/"): array
        for path, array in snapshot.arrays.items()
        if path.startswith("params/")
    }
    told_of: dict[str, Any] = {
        **made["trained"],
        **shapes(parameters),
        **told,
        "classes": _labels(about.get("classes")),
        "learning_rate": finite(about.get("learning_rate")),
        "batch_size": None if plan is None else plan.size,
        "steps": step,
        "steps_per_epoch": each,
        "epochs": float(len(snapshot.history.training_loss)),
        "rows_seen": None,
        "seconds": finite(snapshot.seconds),
    }
    if plan is not None:
        seen = plan.rows_seen(step)
        told_of |= {"epochs": finite(seen / plan.rows), "rows_seen": seen}
    made["trained"] = told_of
    made["best_epoch"] = int(snapshot.arrays["best_epoch"])
    made["result"] = of_history(snapshot.history, made["best_epoch"], each, told_of["task"])
    made["curves"] = curves(snapshot.history, points)
    made["epochs"] = epochs(snapshot.history, each, points)
    place = folder.checkpoints(name)
    made["updated"] = _changed(place[-1]) if place else None
    return made


def newest(folder: RunFolder, facts: dict[str, Any]) -> tuple[str, Snapshot, dict[str, Any]] | None:
    """The training under way and its newest whole checkpoint; with "auto", the network comes second."""
    asked = (facts.get("config") or {}).get("model", "auto")
    for name in ["mlp", "linear"] if asked == "auto" else [asked]:
        found = folder.load_checkpoint(name)
        if found is not None:
            return name, *found
    return None


def shapes(arrays: dict[str, Any]) -> dict[str, Any]:
    """What the parameters of a model of layers tell of it."""
    weights = {n: a.shape for n, a in arrays.items() if n.endswith("weights") and a.ndim == 2}
    if not weights:
        return {}
    ordered = sorted(weights, key=lambda n: int("".join(filter(str.isdigit, n)) or 0))
    widths = [weights[ordered[0]][0], *(weights[n][1] for n in ordered)]
    return {
        "features": widths[0],
        "model": " → ".join(map(str, widths)),
        "parameters": sum(int(a.size) for a in arrays.values()),
    }


def _labels(classes: Any) -> list[str] | None:
    if not isinstance(classes, list):
        return None
    labels: list[Any] = classes[: trained.MOST_NAMES]
    return [str(label) for label in labels] or None


def _numbers(fields: Any) -> dict[str, Any]:
    """The numbers among some fields."""
    told: dict[str, Any] = fields if isinstance(fields, dict) else {}
    return {name: value for name, value in told.items() if isinstance(value, int | float)}


def _counts(rows: Any) -> dict[str, Any]:
    """How many rows each part has, of those that are told."""
    told: dict[str, Any] = rows if isinstance(rows, dict) else {}
    return {
        part: _numbers(told).get(part, nothing) for part, nothing in trained.NOTHING["rows"].items()
    }


def _changed(path: Path) -> str | None:
    try:
        moment = path.stat().st_mtime
    except OSError:
        return None
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat(timespec="seconds")
