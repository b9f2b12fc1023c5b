"""Places where descent stays: plateaus, saddles and local minima of objectives of one's own."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.doctor import functions as f
from benchmarks.doctor.own import at, leaves, own, rows, weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.doctor.patient import Patient


def _sine() -> Any:
    x = np.linspace(-3, 3, 400, dtype=np.float32)[:, None]
    return x, np.sin(3.0 * x[:, 0] + 0.5)


def plateaus() -> list[Patient]:
    """Flat shelves and saturated neurons."""
    made: list[Patient] = []
    # Flat because nothing flows back; that the start lies there is true, and that larger steps would help.
    also = ("vanishing-gradients", "bad-initialisation", "learning-rate-too-low")
    shelves = (
        ("dev", "sgd", 0.3, 6.0),
        ("dev", "momentum", 0.05, 5.5),
        ("dev", "sgd", 0.5, 8.0),
        ("test", "sgd", 0.3, 7.0),
        ("test", "nesterov", 0.05, 6.5),
        ("test", "momentum", 0.05, 9.0),
    )
    for i, (split, optimizer, rate, far) in enumerate(shelves):
        case = own(
            "plateau",
            "shelf",
            split,
            i,
            far,
            f.shelf,
            at([far, 0.0], 0.1),
            optimizer,
            rate,
            well=at([2.0, 0.0], 0.1),
            also=also,
            steps=400,
            minimize=i in (1, 4),
        )
        made.append(case)
    neurons = (
        ("dev", "moons", "sgd", 0.5, 12.0),
        ("dev", "moons", "momentum", 0.05, 15.0),
        ("test", "breast_cancer", "sgd", 0.5, 15.0),
        ("test", "adult", "momentum", 0.05, 14.0),
        ("test", "titanic", "sgd", 0.5, 18.0),
    )
    for i, (split, name, optimizer, rate, b) in enumerate(neurons):
        size = {"moons": 2, "breast_cancer": 30, "adult": 18, "titanic": 9}[name]
        case = own(
            "plateau",
            f"neuron-{name}",
            split,
            i,
            b,
            f.neuron,
            weights(size, 0.3, b),
            optimizer,
            rate,
            well=weights(size, 0.3, 0.0),
            also=also,
            data=functools.partial(rows, name),
        )
        made.append(case)
    return made


def saddles() -> list[Patient]:
    """Starts at or next to a saddle."""
    made: list[Patient] = []
    # At a saddle the loss is flat for a while.
    also = ("plateau", "bad-initialisation", "vanishing-gradients")
    passes = (
        ("dev", "sgd", 0.1, 0.0, 200),
        ("dev", "momentum", 0.01, 0.0, 400),
        ("dev", "sgd", 0.02, 1e-8, 300),
        ("test", "sgd", 0.05, 0.0, 300),
        ("test", "nesterov", 0.01, 0.0, 400),
        ("test", "sgd", 0.01, 1e-6, 400),
    )
    for i, (split, optimizer, rate, aside, steps) in enumerate(passes):
        case = own(
            "saddle-point",
            "wide_saddle",
            split,
            i,
            aside,
            f.wide_saddle,
            at([aside, 1.0, -0.5, 0.3, 0.8]),
            optimizer,
            rate,
            well=at([0.5, 1.0, -0.5, 0.3, 0.8]),
            also=also,
            steps=steps,
            minimize=i in (1, 4),
        )
        made.append(case)
    products = (
        ("dev", "sgd", 0.1, 1e-6),
        ("dev", "momentum", 0.02, 1e-9),
        ("test", "sgd", 0.1, 1e-7),
        ("test", "sgd", 0.2, 1e-9),
    )
    for i, (split, optimizer, rate, spread) in enumerate(products):
        case = own(
            "saddle-point",
            "factors",
            split,
            i,
            spread,
            f.factors,
            leaves(spread, u=(8, 3), v=(3, 6)),
            optimizer,
            rate,
            well=leaves(0.5, u=(8, 3), v=(3, 6)),
            also=also,
            steps=120,
        )
        made.append(case)
    chains = (
        ("dev", "linear-a", 10, "sgd", 1e-10),
        ("dev", "diabetes", 10, "sgd", 1e-7),
        ("test", "linear-b", 10, "sgd", 1e-10),
        ("test", "diamonds", 9, "momentum", 1e-20),
    )
    for i, (split, name, size, optimizer, spread) in enumerate(chains):
        case = own(
            "saddle-point",
            f"chain-{name}",
            split,
            i,
            spread,
            f.chain,
            leaves(spread, first=(size, 4), second=(4,)),
            optimizer,
            0.05 if optimizer == "sgd" else 0.01,
            well=leaves(0.4, first=(size, 4), second=(4,)),
            also=also,
            data=functools.partial(rows, name, 400),
            epochs=10,
        )
        made.append(case)
    return made


def minima() -> list[Patient]:
    """Hollows that are not the lowest."""
    made: list[Patient] = []
    listed: tuple[tuple[Any, ...], ...] = (
        ("dev", "wells", f.wells, [-1.2, -0.8], [1.2, 0.8], "sgd", 0.02),
        ("dev", "wells", f.wells, [-1.2, 0.8, -1.0], [1.2, 0.8, 1.0], "adam", 0.02),
        ("dev", "ripples", f.ripples, [2.2, -3.1], [0.2, -0.1], "sgd", 0.001),
        ("dev", "styblinski", f.styblinski, [2.0, 2.5], [-2.0, -2.5], "momentum", 0.003),
        ("test", "styblinski", f.styblinski, [2.5, -2.5, 2.0], [-2.5, -2.5, -2.0], "adam", 0.03),
        ("test", "ripples", f.ripples, [3.8, 1.1], [0.1, 0.1], "adam", 0.01),
        ("test", "ripples", f.ripples, [-1.9, 2.2, 0.9], [0.1, 0.2, -0.1], "momentum", 0.0005),
        ("test", "wells", f.wells, [-0.7, -1.4, -1.0, 0.9], [0.7, 1.4, 1.0, 0.9], "sgd", 0.01),
        ("test", "wells", f.wells, [-0.9, -1.1], [0.9, 1.1], "rmsprop", 0.005),
    )
    for i, (split, label, function, low, high, optimizer, rate) in enumerate(listed):
        case = own(
            "local-minimum",
            label,
            split,
            i,
            len(low),
            function,
            at(low, 0.05),
            optimizer,
            rate,
            well=at(high, 0.05),
            steps=600,
            minimize=i in (2, 5, 7),
        )
        made.append(case)
    sines = (("dev", "adam", 7.0), ("test", "adam", 9.0), ("test", "momentum", 8.0))
    for i, (split, optimizer, frequency) in enumerate(sines):

        def begin(w: float) -> Callable[[np.random.Generator], Any]:
            return lambda draw: {"w": np.asarray(w + 0.1 * draw.normal()), "b": np.asarray(0.0)}

        case = own(
            "local-minimum",
            "sine",
            split,
            20 + i,
            frequency,
            f.sine_fit,
            begin(frequency),
            optimizer,
            0.01,
            well=begin(2.8),
            # Far from the true frequency a sine fits nothing: a hollow, and flat around.
            also=("plateau",),
            data=_sine,
        )
        made.append(case)
    return made


def patients() -> list[Patient]:
    """All of them."""
    return [*plateaus(), *saddles(), *minima()]
