"""What a graph is of: a function, its arguments, and how to write it as a program."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

import fallline
from fallline.errors import FalllineError
from fallline.gradients.graph.steps import forward_sentence
from fallline.studio.graph import formula, presets
from fallline.studio.graph.network import Network

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.gradients.graph import Graph
    from fallline.studio.graph.formula import Formula
    from fallline.studio.graph.presets import Variable
    from fallline.studio.message import Message

# What a program uses itself cannot be the name of a variable in it.
_TAKEN = frozenset(
    {"jax", "fallline", "parse", "checkpoint_name", "values", "graph", "step", "name"}
    | {"derivative", "zip", "float", "print", "np", "map"}
)

_FACTORS = (1.0, -1.0, 0.3, -0.3, 2.0)

MOST_NODES = 600
"""Larger graphs are read by nobody, and slow to draw."""


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A function at a point.

    Attributes:
        function: gives one number.
        args: where it is looked at.
        names: what to call parameters, by path; None for their own names.
        typed: the formula, if it is one.
        variables: its variables.
        network: the network, if it is one.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    names: dict[str, str] | None = None
    typed: Formula | None = None
    variables: tuple[Variable, ...] = ()
    network: Network | None = None

    def graph(self) -> Graph:
        """Its graph, in double precision.

        Raises:
            FalllineError: if it is too large, or its value at this point is no finite number.
        """
        with jax.enable_x64(True):
            made = fallline.graph(self.function, *self.args, names=self.names)
        if len(made.nodes) > MOST_NODES:
            raise FalllineError(
                f"The graph has {len(made.nodes)} nodes, more than {MOST_NODES}: take fewer layers or a "
                "shorter formula."
            )
        if not np.isfinite(made.value):
            raise FalllineError(_no_number(made))
        return made

    def tex(self) -> str:
        """What it computes, in TeX."""
        if self.typed is not None:
            return self.typed.tex()
        assert self.network is not None
        return self.network.tex()

    def moved(self, values: dict[str, float]) -> Subject:
        """The same formula at another point.

        Raises:
            FalllineError: if it has no such variable, or is none.
        """
        if self.typed is None:
            raise FalllineError("The numbers of a network cannot be set: nudge them one by one.")
        for name in values:
            if name not in self.typed.names:
                raise FalllineError(f"The formula has no variable {name!r}.")
        variables = tuple(
            dataclasses.replace(v, value=values.get(v.name, v.value)) for v in self.variables
        )
        return dataclasses.replace(self, variables=variables, args=_point(variables))

    def terrain(self) -> dict[str, Any] | None:
        """A formula of two variables as one of x and y, over the ranges of its sliders."""
        if self.typed is None or len(self.variables) != 2:
            return None
        first, second = self.variables
        text = self.typed.in_one({first.name: "x", second.name: "y"})
        bounds = [first.low, first.high, second.low, second.high]
        return {"formula": text, "bounds": bounds} if len(text) <= 400 else None

    def script(self) -> str:
        """A Python program with fallline that makes the same graph."""
        if self.network is not None:
            return self.network.script()
        assert self.typed is not None
        lines: list[str] = []
        for i, (name, part) in enumerate(self.typed.parts):
            given = ", ".join(_identifier(used) for used in part.names)
            call = f"parse({json.dumps(part.text.strip())}, {json.dumps(part.names)})({given})"
            last = i == len(self.typed.parts) - 1
            made = f'{_identifier(name)} = checkpoint_name({call}, "{name}")'
            lines.append(f"    return {call}" if last else f"    {made}")
        output = self.typed.output
        named = "from jax.ad_checkpoint import checkpoint_name\n" if len(lines) > 1 else ""
        return f'''"""The computational graph of a formula, as Fallline's studio showed it."""

import jax
import numpy as np
{named}
import fallline
from fallline.expressions import parse

jax.config.update("jax_enable_x64", True)


def {_identifier(output)}({", ".join(map(_identifier, self.typed.names))}):
{chr(10).join(lines)}


values = { ({v.name: v.value for v in self.variables})!r}
graph = fallline.graph({_identifier(output)}, *map(np.float64, values.values()))
graph.check()
for step in graph.step():
    print(step.sentence)
print("{output}", graph.value)
for name, derivative in zip(values, graph.gradients):
    print(f"d{output}/d{{name}}", float(derivative))
'''


def asked(message: Message) -> Subject:
    """The subject that a message describes.

    Raises:
        FalllineError: if it does not fit.
    """
    if message.choice("source", ("expression", "network"), "expression") == "network":
        network = Network.asked(message.message("network"))
        with jax.enable_x64(True):
            return Subject(
                network.function(), network.arguments(), network.names(), network=network
            )
    typed = formula.read(message.text("formula", 2000))
    values = numbers(message.message("values", None))
    own = {v.name: v for p in presets.EXPRESSIONS if p.formula == typed.text for v in p.variables}
    # A formula may use less than its preset, and in another order.
    variables = tuple(
        dataclasses.replace(own[v.name], value=values.get(v.name, own[v.name].value))
        if v.name in own
        else v
        for v in presets.variables(typed.names, values)
    )
    function = typed.function()
    variables = _started(function, variables, values)
    return Subject(function, _point(variables), None, typed, variables)


def _started(
    function: Callable[..., Any], variables: tuple[Variable, ...], values: dict[str, float]
) -> tuple[Variable, ...]:
    """The variables where the function is a number: those that nobody has set are moved until it is one."""
    for factor in _FACTORS:
        tried = tuple(
            v if v.name in values else dataclasses.replace(v, value=round(factor * v.value, 3))
            for v in variables
        )
        with jax.enable_x64(True):
            if np.isfinite(float(function(*_point(tried)))):
                return tried
    return variables


def _point(variables: tuple[Variable, ...]) -> tuple[np.float64, ...]:
    """Where the formula is looked at; numbers of Python's own would be of a type that is converted."""
    return tuple(np.float64(v.value) for v in variables)


def _identifier(name: str) -> str:
    """A variable's name in a program."""
    return f"{name}_" if name in _TAKEN else name


def numbers(message: Message | None) -> dict[str, float]:
    """The numbers by name that an object of the page holds.

    Raises:
        FalllineError: if one is no finite number up to 10^9.
    """
    if message is None:
        return {}
    if len(message.fields) > 4 * formula.MOST_VARIABLES:
        raise FalllineError("There are too many values.")
    return {str(name): message.number(name, -1e9, 1e9) for name in list(message.fields)}


def _no_number(graph: Graph) -> str:
    """Where a value first is no finite number."""
    for node in graph.nodes:
        if node.kind == "operation" and not np.all(np.isfinite(node.value)):
            inputs = [graph.nodes[i] for i in node.inputs]
            why = ", a division by zero" if node.called == "div" and inputs[1].value == 0 else ""
            return (
                "At these values the result is no finite number: "
                f"{forward_sentence(node, inputs)}{why}. Change the values or the formula."
            )
    return "At these values the result is no finite number: change the values or the formula."
