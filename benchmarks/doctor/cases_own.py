"""Objectives of one's own: ravines, wrong gradients, losses too small for Adam, and healthy ones."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.doctor import functions as f
from benchmarks.doctor.own import at, leaves, own, rows
from benchmarks.doctor.patient import Patient, sick

if TYPE_CHECKING:
    from collections.abc import Callable


def _twins(spread: float, difference: float) -> Callable[..., Any]:
    """Columns doubled with a little noise, the target in their differences."""

    def change(x: Any, y: Any, dataset: str, draw: Any) -> tuple[Any, Any]:
        other = x + spread * draw.normal(size=x.shape)
        other = (other - other.mean(axis=0)) / other.std(axis=0)
        part = (other - x) @ draw.normal(size=x.shape[1])
        y = y + difference * part / part.std()
        both = np.concatenate([x, other], axis=1).astype(np.float32)
        return both, ((y - y.mean()) / y.std()).astype(np.float32)

    return change


def ravines() -> list[Patient]:
    """Narrow valleys."""
    made: list[Patient] = []
    valleys = (
        ("dev", "sgd", 1.5, 1e4),
        ("dev", "momentum", 0.2, 1e5),
        ("dev", "sgd", 1.0, 1e3),
        ("test", "sgd", 1.8, 1e5),
        ("test", "nesterov", 0.2, 1e5),
        ("test", "sgd", 1.2, 3e3),
        ("test", "sgd", 0.8, 3e4),
    )
    for i, (split, optimizer, rate, condition) in enumerate(valleys):

        def start(draw: np.random.Generator, size: float = condition) -> Any:
            # Far out along the flat axes, so that most of the loss lies there.
            axes = np.linalg.qr(np.random.default_rng(12).normal(size=(10, 10)))[0]
            return {"x": axes @ np.geomspace(1.0, size**0.5, 10) * (1 + 0.1 * draw.normal())}

        case = own(
            "ravine",
            f"valley{condition:g}",
            split,
            i,
            condition,
            functools.partial(f.valley, condition),
            start,
            optimizer,
            rate,
            steps=300,
            judge="true",
            minimize=i in (1, 4),
        )
        made.append(case)
    bends = (("dev", "sgd", 0.001), ("test", "momentum", 0.0001), ("test", "sgd", 0.0005))
    for i, (split, optimizer, rate) in enumerate(bends):
        case = own(
            "ravine",
            "rosenbrock",
            split,
            10 + i,
            rate,
            f.rosenbrock,
            at([-1.2, 1.0], 0.02),
            optimizer,
            rate,
            steps=500,
            judge="true",
            # In a bend the way is long; the rate could be a little higher on its straight part.
            also=("learning-rate-too-low",) if optimizer == "momentum" else (),
        )
        made.append(case)
    doubled = (
        ("linear-a/linear/50", "sgd", 0.03, 1.0),
        ("diabetes/linear/20", "sgd", 0.02, 1.0),
        ("linear-b/linear/50", "sgd", 0.03, 1.0),
        ("linear-b/linear/full", "sgd", 0.05, 1.0),
    )
    for i, (base, optimizer, spread, part) in enumerate(doubled):
        made.append(
            sick(
                "ravine",
                base,
                optimizer,
                i,
                spread,
                tag="doubled",
                spoil=_twins(spread, part),
                rate=0.03,
            )
        )
    return made


# (split, table, function, how, leaf, optimizer, rate).
WRONG = (
    ("dev", "linear-a", "least_squares", "double", "w", "sgd", 0.02),
    ("dev", "diabetes", "least_squares", "reversed", "w", "adam", 0.02),
    ("dev", "moons", "logistic", "sign", "w", "sgd", 0.1),
    ("dev", "friedman", "two_layers", "missing", "first", "momentum", 0.01),
    ("dev", "friedman", "two_layers", "bit", "second", "adam", 0.01),
    ("test", "linear-b", "least_squares", "sign", "w", "adam", 0.02),
    ("test", "linear-b", "least_squares", "bit", "w", "sgd", 0.05),
    ("test", "breast_cancer", "logistic", "double", "w", "momentum", 0.02),
    ("test", "titanic", "logistic", "reversed", "w", "sgd", 0.1),
    ("test", "diamonds", "two_layers", "missing", "second", "adam", 0.01),
    ("test", "diamonds", "two_layers", "double", "first", "sgd", 0.02),
    ("test", "adult", "logistic", "missing", "w", "adam", 0.02),
)


def _start_of(function: str, size: int) -> Callable[[np.random.Generator], Any]:
    if function == "two_layers":
        return leaves(0.3, first=(size, 16), c=(16,), second=(16,), b=())
    return leaves(0.1, w=(size,), b=())


def _sizes(name: str) -> int:
    known = {"moons": 2, "breast_cancer": 30, "adult": 18, "titanic": 9, "diamonds": 9}
    return {"california": 8, **known}.get(name, 10)


def gradients() -> list[Patient]:
    """Objectives whose gradient is not theirs, and the same with the right one."""
    made: list[Patient] = []
    for i, (split, name, label, how, leaf, optimizer, rate) in enumerate(WRONG):
        right = getattr(f, label)
        parts = (_start_of(label, _sizes(name)), optimizer, rate)
        table = functools.partial(rows, name)
        broken = f.wrong(right, how, leaf)
        case = own(
            "wrong-gradient",
            f"{label}-{name}-{how}",
            split,
            i,
            0.0,
            broken,
            *parts,
            judge="true",
            data=table,
        )
        made.append(case)
        # A plane does not part the moons, though nobody can tell from the objective alone.
        also = ("underfitting",) if name == "moons" else ()
        right_one = (f"{label}-{name}", split, 50 + i, 0.0, right)
        made.append(own(None, *right_one, *parts, data=table, also=also))
    return made


def bowls() -> list[Patient]:
    """Healthy descents of plain functions."""
    listed: tuple[tuple[Any, ...], ...] = (
        ("dev", "bowl", f.bowl, np.ones(10), "sgd", 0.3),
        ("dev", "bowl", f.bowl, np.ones(10), "adam", 0.03),
        ("dev", "bowl", f.bowl, np.ones(10), "momentum", 0.05),
        ("test", "bowl", f.bowl, np.ones(10), "nesterov", 0.05),
        ("test", "bowl", f.bowl, np.ones(10), "sgd", 0.5),
        ("test", "bowl", f.bowl, np.ones(10), "rmsprop", 0.01),
        ("dev", "wells", f.wells, [1.3, 0.8], "sgd", 0.02),
        ("test", "styblinski", f.styblinski, [-2.4, -2.6], "sgd", 0.01),
    )
    return [
        own(
            None,
            label,
            split,
            60 + i,
            0.0,
            function,
            at(start, 0.05),
            optimizer,
            rate,
            steps=400,
            minimize=i % 2 == 1,
        )
        for i, (split, label, function, start, optimizer, rate) in enumerate(listed)
    ]


def shrunken() -> list[Patient]:
    """A loss so small that Adam's epsilon is above its gradients."""
    also = ("learning-rate-too-low",)
    return [
        own(
            "stalled-below-epsilon",
            f"shrunk-{name}",
            split,
            i,
            1e-9,
            f.shrunk,
            _start_of("least_squares", 10),
            optimizer,
            0.02,
            also=also,
            judge="true",
            data=functools.partial(rows, name),
        )
        for i, (split, name, optimizer) in enumerate(
            (
                ("dev", "linear-a", "adam"),
                ("test", "linear-b", "adam"),
                ("test", "linear-b", "nadam"),
            )
        )
    ]


def patients() -> list[Patient]:
    """All of them."""
    return [*ravines(), *gradients(), *bowls(), *shrunken()]
