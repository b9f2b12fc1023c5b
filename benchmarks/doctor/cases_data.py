"""Faults of the data: scales, targets, labels, too few rows or too little capacity."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from benchmarks.doctor import tables
from benchmarks.doctor.patient import Patient, sick

# (base, optimizer, how, size); see `spoil`.
INPUTS = (
    ("california/net/50", "adam", "raw", 0),
    ("california/net/50", "sgd", "raw", 0),
    ("friedman/two/50", "adam", "column", 1e4),
    ("linear-a/linear/50", "sgd", "column", 1e3),
    ("linear-a/linear/50", "adam", "columns", 1e4),
    ("diabetes/linear/20", "adam", "offset", 1e3),
    ("breast_cancer/linear/25", "sgd", "raw", 0),
    ("breast_cancer/net/25", "adam", "raw", 0),
    ("wine/linear/17", "sgd", "raw", 0),
    ("wine/linear/17", "adam", "raw", 0),
    ("diamonds/net/50", "momentum", "column", 1e5),
    ("linear-b/linear/50", "adam", "offset", 1e4),
    ("linear-b/linear/full", "sgd", "columns", 1e3),
)

TARGETS = (
    ("california/net/50", "adam", 1e5),
    ("diabetes/linear/20", "adam", 1e3),
    ("friedman/two/50", "sgd", 1e3),
    ("friedman/two/50", "adam", 1e4),
    ("linear-a/linear/50", "adam", -1e4),
    ("linear-b/linear/50", "adam", 1e4),
    ("linear-b/linear/50", "nadam", 1e5),
    ("linear-b/linear/full", "adam", -1e3),
    ("diamonds/net/50", "adam", 1e5),
    ("diamonds/net/50", "momentum", 1e3),
)

# (base, optimizer, rows, model).
OVER = (
    ("digits/net/40", "adam", 100, "two"),
    ("diabetes/linear/20", "adam", 80, "two"),
    ("california/net/50", "adam", 40, "two"),
    ("diabetes/linear/20", "momentum", 30, "linear"),
    ("moons/two/50", "adam", 60, "two"),
    ("diamonds/net/50", "adam", 80, "two"),
    ("mnist/net/50", "adam", 150, "two"),
    ("titanic/tanh/40", "adam", 150, "tanh"),
    ("breast_cancer/net/25", "adam", 100, "two"),
    ("adult/linear/50", "adam", 60, "linear"),
)

# (base, optimizer, how, size).
UNDER = (
    ("moons/two/50", "adam", "linear", 0),
    ("moons/two/50", "sgd", "l2", 0.3),
    ("friedman/two/50", "adam", "linear", 0),
    ("friedman/two/50", "momentum", "units", 1),
    ("california/net/50", "sgd", "l2", 1.0),
    ("digits/net/40", "adam", "units", 1),
    ("spirals/two/50", "adam", "linear", 0),
    ("circles/two/50", "adam", "linear", 0),
    ("circles/two/50", "momentum", "units", 1),
    ("xor/two/50", "sgd", "linear", 0),
    ("mnist/net/50", "adam", "units", 1),
    ("mnist/net/50", "sgd", "l2", 0.5),
    ("diamonds/net/50", "adam", "l2", 3.0),
)

# (base, optimizer, value).
CONSTANT = (
    ("linear-a/linear/50", "sgd", 0.0),
    ("friedman/two/50", "adam", 3.0),
    ("moons/two/50", "adam", 1.0),
    ("digits/net/40", "momentum", 4.0),
    ("linear-b/linear/50", "adam", 1.0),
    ("circles/two/50", "sgd", 0.0),
    ("adult/linear/50", "adam", 0.0),
    ("diamonds/net/50", "momentum", -2.0),
    ("wine/linear/17", "sgd", 2.0),
)

LEAKS = (
    ("diabetes/linear/20", "sgd", "copy"),
    ("california/net/50", "adam", "affine"),
    ("digits/linear/40", "adam", "class"),
    ("friedman/two/50", "momentum", "copy"),
    ("moons/two/50", "adam", "affine"),
    ("diamonds/net/50", "adam", "copy"),
    ("titanic/tanh/40", "adam", "class"),
    ("adult/linear/50", "sgd", "class"),
    ("linear-b/linear/50", "momentum", "affine"),
    ("mnist/linear/50", "adam", "class"),
    ("wine/linear/17", "sgd", "affine"),
)

SHUFFLED = (
    ("digits/net/40", "adam", 0.25),
    ("friedman/two/50", "adam", 0.25),
    ("california/net/50", "momentum", 0.25),
    ("moons/two/50", "sgd", 0.0),
    ("linear-a/linear/50", "sgd", 0.0),
    ("mnist/net/50", "adam", 0.25),
    ("diamonds/net/50", "sgd", 0.25),
    ("adult/linear/50", "adam", 0.0),
    ("breast_cancer/linear/25", "sgd", 0.25),
    ("linear-b/linear/50", "adam", 0.0),
    ("circles/two/50", "momentum", 0.25),
)


def spoil(how: str, size: float, x: Any, y: Any, dataset: str, draw: Any) -> tuple[Any, Any]:
    """The columns in other units: "raw" as they come, "column" one of them, "columns" half, "offset" all."""
    if how == "raw":
        return tables.raw(dataset)[0][: len(x)].astype(np.float32), y
    x = x.copy()
    if how == "column":
        x[:, draw.integers(x.shape[1])] *= size
    elif how == "columns":
        x[:, ::2] *= size
    else:
        x += np.float32(size)
    return x, y


def _target(size: float, x: Any, y: Any, dataset: str, draw: Any) -> tuple[Any, Any]:
    # A negative size is an offset.
    return (x, y * np.float32(size)) if size > 0 else (x, y + np.float32(-size))


def _constant(value: float, x: Any, y: Any, dataset: str, draw: Any) -> tuple[Any, Any]:
    return x, np.full_like(y, value)


def _shuffled(x: Any, y: Any, dataset: str, draw: Any) -> tuple[Any, Any]:
    return x, draw.permutation(y)


def _leak(how: str, x: Any, y: Any, dataset: str, draw: Any) -> tuple[Any, Any]:
    column = y.astype(np.float32)
    if how == "affine":
        column = (column - column.mean()) * np.float32(-1.7) + np.float32(0.3)
    place = int(draw.integers(x.shape[1] + 1))
    return np.insert(x, place, column, axis=1), y


def patients() -> list[Patient]:
    """All of them."""
    made: list[Patient] = []
    for i, (base, optimizer, how, size) in enumerate(INPUTS):
        # Unequal columns make a ravine, in which every rate is too high for one and too low for another.
        also = ("ravine", "learning-rate-too-high", "learning-rate-too-low")
        # Large inputs make large outputs and gradients at the start, and the first steps kill units.
        also += ("exploding-gradients", "dead-units", "bad-initialisation")
        change = functools.partial(spoil, how, size)
        made.append(
            sick("unscaled-inputs", base, optimizer, i, size, also=also, tag=how, spoil=change)
        )
    for i, (base, optimizer, size) in enumerate(TARGETS):
        # Adam's step has the size of the rate whatever the target's; that of descent grows with it.
        also = ("learning-rate-too-low", "learning-rate-too-high", "exploding-gradients")
        also += ("dead-units",)
        change = functools.partial(_target, size)
        case = sick(
            "unscaled-target", base, optimizer, i, size, also=also, judge="share", spoil=change
        )
        made.append(case)
    for i, (base, optimizer, rows, kind) in enumerate(OVER):
        common = {
            "rows": 2 * rows,
            "validation": 0.5,
            "patience": float("inf"),
            "batch_size": 20,
            "epochs": 300,
            "kind": kind,
        }
        options = {} if kind == "linear" else {"model_options": {"hidden": (64, 64)}}
        twin = {"patience": 10.0}
        made.append(
            sick(
                "overfitting",
                base,
                optimizer,
                i,
                rows,
                judge="overfit",
                common=common | options,
                twin=twin,
            )
        )
    for i, (base, optimizer, how, size) in enumerate(UNDER):
        changes: dict[str, Any] = {"l2": size}
        if how == "linear":
            changes = {"kind": "linear", "rate": 0.03 if optimizer == "adam" else 0.1}
        elif how == "units":
            changes = {"model_options": {"hidden": (int(size),)}}
        made.append(sick("underfitting", base, optimizer, i, size, tag=how, **changes))
    for i, (base, optimizer, value) in enumerate(CONSTANT):
        change = functools.partial(_constant, value)
        made.append(sick("constant-target", base, optimizer, i, value, judge="true", spoil=change))
    for i, (base, optimizer, how) in enumerate(LEAKS):
        change = functools.partial(_leak, how)
        made.append(sick("target-leak", base, optimizer, i, 0, tag=how, judge="true", spoil=change))
    for i, (base, optimizer, share) in enumerate(SHUFFLED):
        # What a network learns of shuffled labels it learns by heart.
        also = ("overfitting",) if share else ()
        common = {"validation": share, "patience": float("inf")} if share else {}
        made.append(
            sick(
                "shuffled-labels",
                base,
                optimizer,
                i,
                share,
                judge="true",
                also=also,
                common=common,
                spoil=_shuffled,
            )
        )
    return made
