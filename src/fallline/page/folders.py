"""A run's folder as a card, in whatever state it is."""

from __future__ import annotations

import datetime
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from fallline.descent.batches import BatchPlan
from fallline.errors import FalllineError
from fallline.page import reproduce, trained
from fallline.page.curves import curves, epochs, finite
from fallline.store.folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from fallline.descent.run import Snapshot


_KEPT = ("rows", "features", "target", "task", "loss")
"""What a checkpoint says of what is trained on what."""


def of_folder(path: Path, points: int) -> dict[str, Any]:
    """The card of a run's folder; the data are not read.

    Raises:
        FalllineError: if there is no run in it.
    """
    from fallline.jobs.result import load
    from fallline.page.card import EMPTY, of_table

    folder = RunFolder(path)
    title = folder.path.resolve().name
    if not folder.exists:
        folder.facts()
    try:
        facts = folder.facts()
    except FalllineError as error:
        made = {**deepcopy(EMPTY), "created": _changed(folder.path / "run.json")}
        return {**made, "title": title, "status": "damaged", "remarks": [str(error)]}
    if facts.get("status") != "finished":
        return _unfinished(folder, facts, title, points)
    try:
        return of_table(load(folder.path), points, facts)
    except FalllineError as error:
        return _told(facts, title) | {"status": "damaged", "remarks": [str(error)]}


def _told(facts: dict[str, Any], title: str) -> dict[str, Any]:
    """What ``run.json`` alone says of a run."""
    from fallline.jobs.config import FitConfig
    from fallline.page.card import EMPTY, result_of

    told = facts.get("result") or {}
    made = {
        **deepcopy(EMPTY),
        "title": title,
        "created": facts.get("created"),
        "remarks": [],
        "best_epoch": told.get("best_epoch") or 0,
        "result": result_of(told),
    }
    config: dict[str, Any] = facts.get("config") or {}
    made["trained"] = {
        **trained.NOTHING,
        **{name: told[name] for name in trained.NOTHING if told.get(name) is not None},
        "classes": _labels(told.get("classes")),
        "data": config.get("data"),
        "target": told.get("target") or config.get("target"),
        "model": told.get("model") or config.get("model") or "",
        "loss": told.get("loss") or config.get("loss"),
        "optimizer": {
            "name": str(config.get("optimizer", "")).capitalize(),
            "settings": dict(config.get("hyperparameters") or {}),
        },
        "schedule": config.get("schedule"),
        "seed": config.get("seed"),
        "precision": told.get("precision") or config.get("precision") or "float32",
        "seconds": told.get("train_seconds"),
    }
    if told.get("stop_reason"):
        made["stop"] = {"reason": told["stop_reason"], "sentence": told.get("sentence", "")}
    wrote = str(facts.get("fallline"))
    try:
        words = reproduce.of_config(FitConfig.from_json(config))
    except (FalllineError, TypeError):
        words = (None, None)
    made["reproduce"] = reproduce.reproduce(*words, config.get("seed"), wrote)
    return made


def _unfinished(
    folder: RunFolder, facts: dict[str, Any], title: str, points: int
) -> dict[str, Any]:
    """A run that is being trained, or was interrupted: by its newest whole checkpoint."""
    from fallline.page.card import of_history

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
    return [str(label) for label in classes[: trained.MOST_NAMES]] if classes else None


def _changed(path: Path) -> str | None:
    try:
        moment = path.stat().st_mtime
    except OSError:
        return None
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat(timespec="seconds")
