"""What a graph is made of: nodes, edges, local derivatives, the steps that follow the chain rule."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fallline.gradients.graph import words

if TYPE_CHECKING:
    from collections.abc import Callable

Kind = Literal["input", "parameter", "constant", "operation", "layer", "output"]


@dataclasses.dataclass(frozen=True)
class Summary:
    """An array in four numbers, None where it was too large to be computed.

    Attributes:
        shape: its shape.
        norm: the root of the sum of squares of all elements.
        min: the least element.
        max: the greatest.
    """

    shape: tuple[int, ...]
    norm: float | None = None
    min: float | None = None
    max: float | None = None


def summarise(value: np.ndarray) -> Summary:
    """Shape, norm and range of an array; of the magnitudes, if it is complex. NaN stays NaN."""
    real = np.abs(value) if value.dtype.kind == "c" else value
    if value.size == 0:
        return Summary(value.shape, 0.0)
    real = real.astype(np.float64)
    return Summary(value.shape, words.norm(value), float(real.min()), float(real.max()))


@dataclasses.dataclass(frozen=True, eq=False)
class Local:
    """The derivative of one operation with respect to one of its inputs, all else fixed.

    Attributes:
        input: the id of the input.
        formula: the rule of calculus behind it.
        form: what ``value`` is: "number"; "elementwise", shape of the operation's value, the derivative
            of each element with respect to the one element of the input it is made of; "jacobian",
            shape of the operation's value then of the input; "summary", where the Jacobian is
            too large to keep; "none" where there is no derivative (whole numbers, comparisons).
        value: the numbers, None for "summary" and "none".
        summary: shape, norm and range of the numbers.
    """

    input: int
    formula: str
    form: Literal["number", "elementwise", "jacobian", "summary", "none"]
    value: np.ndarray | None
    summary: Summary | None


@dataclasses.dataclass(frozen=True, eq=False)
class Node:
    """One value of the computation.

    Attributes:
        id: its place in ``Graph.nodes``.
        kind: "input", "parameter" (an input that belongs to a layer), "constant", "operation",
            "output", or "layer" in a grouped graph.
        operation: the symbol of what made it, ``×``; "" for inputs and constants.
        primitive: the name JAX gives it, ``mul``.
        label: its name: the argument's, ``params/affine1/weights``, or ``v1``, ``v2``, ... in order.
        layer: the layer it belongs to, None for none.
        value: its forward value.
        derivative: of the output with respect to it, of the same shape; None for whole numbers and
            truth values, which have none.
        inputs: the ids of what it was made of, in order.
        called: the name that ``words`` has for it: the function's, for a call kept whole.
        facts: the primitive's parameters.
        members: in a grouped graph, the ids of the nodes in this layer, in the graph before.
        parameters: in a grouped graph, the parameters of this layer.
    """

    id: int
    kind: Kind
    operation: str
    primitive: str
    label: str
    layer: str | None
    value: np.ndarray
    derivative: np.ndarray | None
    inputs: tuple[int, ...] = ()
    called: str = ""
    facts: dict[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    members: tuple[int, ...] = ()
    parameters: tuple[Node, ...] = ()
    locals_of: Callable[[], tuple[Local, ...]] = dataclasses.field(default=tuple, repr=False)

    @functools.cached_property
    def local(self) -> tuple[Local, ...]:
        """The local derivative with respect to each input, computed when first asked for."""
        return self.locals_of()


@dataclasses.dataclass(frozen=True, eq=False)
class Edge:
    """A value going into an operation, and what comes back along it.

    Attributes:
        source: the id of the node whose value it carries.
        target: the id of the node it goes into.
        position: which of the target's inputs it is.
        value: what it carries forward.
        derivative: what it carries back, the contribution of this path to the source's derivative:
            the target's derivative times the local one. None where there is no derivative.
    """

    source: int
    target: int
    position: int
    value: np.ndarray
    derivative: np.ndarray | None


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """One line of following the chain rule by hand.

    Attributes:
        direction: "forward" or "backward".
        node: the id of the operation.
        input: backward, the id of the input whose derivative is found; None forward.
        sentence: the step in symbols and numbers.
        upstream: backward, the derivative of the output with respect to the operation.
        local: backward, the local derivative.
        result: forward, the operation's value; backward, upstream times local.
        total: backward, the input's derivative so far, over all users visited.
    """

    direction: Literal["forward", "backward"]
    node: int
    input: int | None
    sentence: str
    upstream: np.ndarray | None
    local: Local | None
    result: np.ndarray
    total: np.ndarray | None
