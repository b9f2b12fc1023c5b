"""What the graph view offers to begin with; its titles are the page's."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclasses.dataclass(frozen=True)
class Variable:
    """A variable of a formula: where it stands, and between which ends its slider goes.

    Attributes:
        name: in the formula.
        value: at the start.
        low: the slider's left end.
        high: its right end.
    """

    name: str
    value: float
    low: float = -5.0
    high: float = 5.0


@dataclasses.dataclass(frozen=True)
class Preset:
    """A formula that every course on the subject shows.

    Attributes:
        name: for the page.
        formula: as typed.
        variables: in the order of the sliders.
    """

    name: str
    formula: str
    variables: tuple[Variable, ...]


EXPRESSIONS: tuple[Preset, ...] = (
    # Saitoh, "Deep Learning from Scratch" (2016), chapter 5: two apples at 100, 10 % tax.
    Preset(
        "apples",
        "price = apple * count * tax",
        (
            Variable("apple", 100.0, 0.0, 200.0),
            Variable("count", 2.0, 0.0, 10.0),
            Variable("tax", 1.1, 1.0, 1.5),
        ),
    ),
    Preset(
        "squared_error",
        "loss = (w*x + b - y)^2",
        (Variable("w", 0.5), Variable("x", 2.0), Variable("b", -0.5), Variable("y", 2.0)),
    ),
    Preset(
        "cross_entropy",
        "p = sigmoid(w*x + b)\nloss = -(y*log(p) + (1 - y)*log(1 - p))",
        (
            Variable("w", 0.8),
            Variable("x", 1.5),
            Variable("b", -0.4),
            Variable("y", 1.0, 0.0, 1.0),
        ),
    ),
    Preset(
        "two_paths",
        "x^2*y + sin(x*y)",
        (Variable("x", 1.5, -3.0, 3.0), Variable("y", 0.5, -3.0, 3.0)),
    ),
    # Karpathy, notes to Stanford's CS231n, "Backpropagation, intuitions".
    Preset(
        "neuron",
        "1/(1 + exp(-(w0*x0 + w1*x1 + w2)))",
        (
            Variable("w0", 2.0),
            Variable("x0", -1.0),
            Variable("w1", -3.0),
            Variable("x1", -2.0),
            Variable("w2", -3.0),
        ),
    ),
    Preset(
        "rosenbrock",
        "(1 - x)^2 + 100*(y - x^2)^2",
        (Variable("x", -1.2, -2.0, 2.0), Variable("y", 1.0, -1.0, 3.0)),
    ),
)

NETWORKS: dict[str, dict[str, Any]] = {
    "relu": {"hidden": [3], "activation": "relu", "batch_norm": False},
    "sigmoid": {"hidden": [3], "activation": "sigmoid", "batch_norm": False},
    "batch_norm": {"hidden": [3], "activation": "relu", "batch_norm": True},
    "deep": {"hidden": [4, 4, 4, 4], "activation": "relu", "batch_norm": True},
}
"""Each is a network of 2 inputs and 2 classes on 3 examples, unless it says otherwise."""

# Such that logarithms, roots and quotients of any of them are fine.
_STARTS = (1.5, 0.5, 2.0, 0.8, 1.2, 0.3, 2.5, 0.6, 1.8, 0.4, 1.1, 0.7)


def variables(names: Iterable[str], values: dict[str, float]) -> tuple[Variable, ...]:
    """The variables of a typed formula: with the values given, else with some that suit most formulas."""
    found: list[Variable] = []
    for name, start in zip(names, _STARTS, strict=False):
        value = values.get(name, start)
        reach = 5.0
        while abs(value) > reach:
            reach *= 2 if reach < 1e3 else 10
        found.append(Variable(name, value, -reach, reach))
    return tuple(found)
