"""What was trained on what, in plain fields."""

from __future__ import annotations

import dataclasses
import math
import numbers
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from fallline.page.curves import finite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fallline.data.encode import Encoder
    from fallline.descent.minimize_result import MinimizeResult
    from fallline.descent.run import Run
    from fallline.jobs.result import TableRun

MOST_NAMES = 200
"""Columns and classes that are named at most."""

_WRAPPERS = {
    "ClipByValue": ("limit", "clip_value"),
    "ClipByNorm": ("limit", "clip_each_norm"),
    "ClipByGlobalNorm": ("limit", "clip_norm"),
    "WeightDecay": ("weight_decay", "weight_decay"),
    "EMA": ("beta", "average"),
    "PolyakAverage": ("start", "average_from"),
}
_MEMORY = ("initial", "scale", "best", "waited")

NOTHING: dict[str, Any] = {
    "data": None,
    "rows": {"training": None, "validation": None, "test": None},
    "columns": [],
    "features": None,
    "target": None,
    "task": None,
    "classes": None,
    "model": "",
    "parameters": None,
    "loss": None,
    "optimizer": {"name": "", "settings": {}},
    "learning_rate": None,
    "schedule": None,
    "batch_size": None,
    "steps": None,
    "steps_per_epoch": None,
    "epochs": None,
    "rows_seen": None,
    "seed": None,
    "precision": "float32",
    "seconds": None,
}
"""The fields where nothing is known."""


def of_run(run: Run) -> dict[str, Any]:
    """What a run of `fallline.train` trained on what."""
    asked = run.asked or {}
    rows = {"training": run.plan.rows, "validation": _held_out(run), "test": 0}
    classes = None
    if run.model is not None and run.loss is not None and run.loss.task == "classification":
        classes = [str(i) for i in range(max(run.model.outputs, 2))][:MOST_NAMES]
    return {
        **NOTHING,
        "rows": rows,
        "features": None if run.model is None else run.model.inputs,
        "task": None if run.loss is None else run.loss.task,
        "classes": classes,
        "model": model_words(run.model.describe()) if run.model else function_words(run),
        "parameters": _count(run.params),
        "loss": None if run.loss is None else run.loss.name,
        **optimizer_words(run.optimizer),
        "learning_rate": finite(run.learning_rate),
        "batch_size": run.batch_size,
        "steps": run.steps,
        "steps_per_epoch": run.plan.steps,
        "epochs": finite(run.epochs),
        "rows_seen": run.rows_seen,
        "seed": asked.get("seed", run.plan.seed),
        "precision": run.precision,
        "seconds": finite(run.seconds),
    }


def of_table(fitted: TableRun) -> dict[str, Any]:
    """What a run of `fallline.fit` trained on what."""
    return {
        **of_run(fitted.run),
        **of_encoder(fitted.encoder),
        "data": fitted.config.data,
        "rows": fitted.result.get("rows") or NOTHING["rows"],
        "seed": fitted.config.seed,
    }


def of_encoder(encoder: Encoder) -> dict[str, Any]:
    """The columns of a table, and what is predicted."""
    from fallline.data.kinds import part_of

    learned = encoder.numbers
    kinds: dict[str, str] = {}
    for name, part in (*zip(learned.columns, learned.parts, strict=True), *learned.missing):
        kinds.setdefault(name, part_of(part))
    for category in encoder.categories:
        kinds.setdefault(category.column, "texts")
    classes = None
    if encoder.classes is not None:
        classes = [str(label) for label in encoder.classes[:MOST_NAMES]]
    return {
        "columns": [{"name": n, "kind": kinds[n]} for n in encoder.columns[:MOST_NAMES]],
        "features": len(encoder.feature_names),
        "target": encoder.target,
        "task": encoder.task,
        "classes": classes,
    }


def of_minimum(result: MinimizeResult) -> dict[str, Any]:
    """What a descent of `fallline.minimize` minimised, and how."""
    rates = result.history.steps["learning_rate"]
    steps = int(np.max(result.nit, initial=0))
    double = np.asarray(result.fun).dtype == np.float64 and np.asarray(result.fun).ndim > 0
    asked = result.asked or {}
    balls = 1 if result.labels is None else len(result.labels)
    return {
        **NOTHING,
        "rows": {"training": 0, "validation": 0, "test": 0},
        "model": _minimised(result),
        "parameters": _count(result.x) // balls,
        **optimizer_words(result.optimizer),
        "learning_rate": finite(rates.flat[0]) if rates.size else None,
        "batch_size": None,
        "steps": steps,
        "steps_per_epoch": 1,
        "epochs": steps,
        "rows_seen": 0,
        "seed": asked.get("seed"),
        "precision": asked.get("precision") or ("float64" if double else "float32"),
        "seconds": finite(result.seconds),
    }


def model_words(described: Mapping[str, Any]) -> str:
    """A model by its widths, such as "64 → relu 32 → 10"."""
    inputs, outputs = described["inputs"], described["outputs"]
    activation = described.get("activation", "")
    if not isinstance(activation, str):
        activation = getattr(activation, "__name__", "activation").strip("<>")
    more = ", batch norm" if described.get("batch_norm") else ""
    if described.get("dropout"):
        more += f", dropout {described['dropout']:g}"
    hidden = [f"{activation} {units}" for units in described.get("hidden", ())]
    return " → ".join([str(inputs), *hidden, str(outputs)]) + more


def function_words(run: Run) -> str:
    """An objective of one's own, such as "loss: ℝ³ → ℝ"."""
    function = (run.asked or {}).get("model")
    return _function(function, _count(run.params))


def _minimised(result: MinimizeResult) -> str:
    balls = 1 if result.labels is None else len(result.labels)
    return _function((result.asked or {}).get("f"), _count(result.x) // balls)


def _function(function: Any, count: int) -> str:
    name = getattr(function, "name", None) or getattr(function, "__name__", "f")
    raised = "" if count == 1 else str(count).translate(_SUPERSCRIPTS)
    return f"{str(name).replace('<lambda>', 'f')}: ℝ{raised} → ℝ"


_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def optimizer_words(optimizer: Any) -> dict[str, Any]:
    """An optimizer as ``optimizer`` (name and settings, those of its wrappers too) and ``schedule``.

    Args:
        optimizer: of `fallline.optimizers`, or what `fallline.optimizers.base.describe` made of it.
    """
    settings: dict[str, float | bool | str | None] = {}
    if dataclasses.is_dataclass(optimizer):
        optimizer = _described(optimizer)
    if not isinstance(optimizer, dict):
        return {"optimizer": {"name": type(optimizer).__name__, "settings": {}}, "schedule": None}
    inner: dict[str, Any] = optimizer
    while inner.get("class") in _WRAPPERS:
        field, called = _WRAPPERS[inner["class"]]
        settings[called] = finite(inner.get(field))
        inner = inner["optimizer"]
    schedule = None
    for field, value in inner.items():
        if field == "learning_rate":
            schedule = schedule_words(value) if isinstance(value, dict) else None
        elif field not in ("class", "transformation"):
            plain = isinstance(value, (bool, str, type(None)))
            settings.setdefault(field, value if plain else _number(value))
    return {
        "optimizer": {"name": str(inner.get("class", "")), "settings": settings},
        "schedule": schedule,
    }


def schedule_words(described: Mapping[str, Any]) -> str | None:
    """A schedule by its name and what is not as by default: "plateau (factor 0.3)"; None for a constant."""
    from fallline.schedules import SCHEDULES

    names = {cls.__name__: name for name, cls in SCHEDULES.items()}
    cls = SCHEDULES.get(names.get(str(described.get("class")), ""))
    if cls is None or names[cls.__name__] == "constant":
        return None
    usual = {f.name: f.default for f in dataclasses.fields(cls)}  # pyright: ignore
    words: list[str] = []
    for field, value in described.items():
        if field in ("class", *_MEMORY) or value == usual.get(field):
            continue
        inside = schedule_words(value) if isinstance(value, dict) else None  # pyright: ignore
        shown = f"{value:g}" if isinstance(value, float) else inside
        if shown is not None or isinstance(value, list):
            words.append(f"{field.replace('_', ' ')} {value if shown is None else shown}")
    name = names[cls.__name__]
    return f"{name} ({', '.join(words)})" if words else name


def _described(optimizer: Any) -> Any:
    from fallline.optimizers.base import describe

    try:
        return dict(describe(optimizer))
    except (TypeError, ValueError):
        # A transformation of optax's says nothing of itself.
        return {"class": type(optimizer).__name__}


def _number(value: Any) -> Any:
    try:
        return finite(value)
    except (TypeError, ValueError):
        return str(value)


def _count(params: Any) -> int:
    return sum(math.prod(np.shape(leaf)) for leaf in jax.tree.leaves(params))


def _held_out(run: Run) -> int | None:
    """How many validation rows a run had; None where it no longer knows."""
    if not run.asked:
        return None if np.isfinite(run.history.epochs["validation_loss"]).any() else 0
    given = run.asked.get("validation")
    if given is None:
        return 0
    if isinstance(given, numbers.Real):
        # What was held out is missing among those trained on.
        return _rows_of(run.asked["data"], run) - run.plan.rows if given else 0
    return _rows_of(given, run)


def _rows_of(data: Any, run: Run) -> int:
    """How many rows there are in (X, y), or in a tree of rows."""
    first = data[0] if run.model is not None else jax.tree.leaves(data)[0]
    return int(np.shape(first)[0])
