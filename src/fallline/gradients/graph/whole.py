"""The graph itself: nodes and edges with what can be asked of them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline.errors import FalllineError, lookup
from fallline.gradients.graph import differentiate, export, layers, steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jaxtyping import Array, Float, PyTree

    from fallline.gradients.graph.parts import Edge, Node, Step


@dataclasses.dataclass(frozen=True, eq=False)
class Graph:
    """A function's computation at one point; `fallline.gradients.graph.graph` makes it.

    Attributes:
        name: the function's.
        nodes: every value, each after all that it is made of; ``nodes[i].id == i``.
        edges: one for each input of each node, in the order of the nodes.
        value: the function's value.
        gradients: its derivatives, in the form of the arguments; None for whole numbers.
        deviation: the greatest difference from `jax.grad`, relative to the largest derivative of the
            same argument where that is above 1; infinite where one is a number and the other not.
        precision: the name of the output's type, ``float32``.
        active: the ids of the nodes that the output's derivative reaches.
        rules: the function of each node, by id.
    """

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    value: float
    gradients: PyTree
    deviation: float
    precision: str
    active: frozenset[int]
    rules: Mapping[int, Callable[..., Any]] = dataclasses.field(repr=False)
    double: bool = dataclasses.field(default=False, repr=False)

    @property
    def output(self) -> Node:
        """The last node: the function's value, whose derivative is 1."""
        return self.nodes[-1]

    def node(self, label: str) -> Node:
        """The node of a label: an argument's path, ``v3``, or the function's name.

        Raises:
            FalllineError: if there is none; the sentence names the nearest.
        """
        # The last of equal labels would win; the first is what a reader finds first.
        return lookup("node", {node.label: node for node in reversed(self.nodes)}, label)

    def check(self, tolerance: float | None = None) -> float:
        """Require that the chain rule gives what `jax.grad` gives.

        Args:
            tolerance: the greatest ``deviation`` allowed; by default 1e-9 in double precision,
                1e-4 in single, 0.05 in half.

        Returns:
            The deviation.

        Raises:
            FalllineError: if it is greater.
        """
        if tolerance is None:
            tolerance = {"float64": 1e-9, "float32": 1e-4}.get(self.precision, 0.05)
        if not self.deviation <= tolerance:
            raise FalllineError(
                f"Followed by hand, the derivatives of {self.name} are {self.deviation:.2g} away from "
                f"jax.grad's, more than {tolerance:g}: rounding is amplified here; look again in double "
                "precision."
            )
        return self.deviation

    def evaluate(self, changed: Mapping[int, Any]) -> Float[Array, ""]:
        """The output if some nodes had other values, whatever they are made of.

        Written in JAX: it can be differentiated, compiled and mapped.

        Args:
            changed: new values by node id, each of its node's shape.

        Raises:
            FalllineError: if there is no such node, or a value does not fit it.
        """
        if any(node.kind == "layer" for node in self.nodes):
            raise FalllineError(
                "A grouped graph cannot be evaluated: ask the graph it was made of."
            )
        for identity, value in changed.items():
            if not 0 <= identity < len(self.nodes):
                raise FalllineError(
                    f"There is no node {identity}: the ids are 0 to {len(self.nodes) - 1}."
                )
            if jnp.shape(value) != self.nodes[identity].value.shape:
                raise FalllineError(
                    f"Node {identity} has shape {self.nodes[identity].value.shape}; it was given "
                    f"{jnp.shape(value)}."
                )
        values: list[Any] = []
        with jax.enable_x64(self.double), differentiate.silent():
            for node in self.nodes:
                if node.id in changed:
                    value = jnp.asarray(changed[node.id], node.value.dtype)
                else:
                    value = self.rules[node.id](*(values[i] for i in node.inputs))
                values.append(value)
        return values[-1]

    def step(self) -> Iterator[Step]:
        """Follow the computation by hand: every operation forward, then every path backward.

        Raises:
            FalllineError: if the graph is a grouped one.
        """
        return steps.follow(self)

    def grouped(self) -> Graph:
        """The same with the operations of each layer as one node, its parameters in it.

        A layer that is left and entered again becomes two nodes, the second ``name (2)``.

        Raises:
            FalllineError: if no node belongs to a layer.
        """
        nodes, edges = layers.collapse(self)
        return dataclasses.replace(self, nodes=nodes, edges=edges, active=frozenset(), rules={})

    def to_json(self) -> dict[str, Any]:
        """The graph as JSON can hold it; numbers that are none as "NaN", "Infinity", "-Infinity"."""
        return export.to_json(self)

    def to_dot(self, theme: str = "light") -> str:
        """The graph in Graphviz's language, values and derivatives on the edges.

        Args:
            theme: "light" or "dark".
        """
        return export.to_dot(self, theme)


def deviation(found: np.ndarray, wanted: np.ndarray) -> float:
    """The greatest difference of two arrays, relative to the second's largest element above 1."""
    if found.size == 0:
        return 0.0
    a, b = (x.astype(np.complex128 if x.dtype.kind == "c" else np.float64) for x in (found, wanted))
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(all="ignore"):
        finite = np.abs(b[np.isfinite(b)])
        apart = np.abs(a - b) / max(1.0, float(finite.max(initial=0.0)))
    return float(np.max(np.where(same, 0.0, np.where(np.isfinite(apart), apart, np.inf))))
