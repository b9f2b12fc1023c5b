"""From a function and a point to its graph: read, evaluate, go back."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline.errors import FalllineError
from fallline.gradients.graph import differentiate, given, layers, words
from fallline.gradients.graph.differentiate import differentiable, to_numpy
from fallline.gradients.graph.parts import Edge, Local, Node
from fallline.gradients.graph.whole import Graph, deviation

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from fallline.gradients.graph.program import Operation, Program, Slot

MOST_NODES = 2000


def graph(
    f: Callable[..., Any],
    *args: Any,
    names: Mapping[str, str] | Sequence[str] | None = None,
    group: Callable[[str], str | None] | None = None,
    keep: Collection[str] = words.KEPT,
    detail: bool = False,
) -> Graph:
    r"""Every operation of a function with its value, its local derivatives and the chain rule's product.

    With $\bar v = \partial f / \partial v$, each value's derivative is the sum over the operations $u$
    that use it, from the output, whose own is 1, back to the arguments:

    $$\bar v = \sum_{u \text{ uses } v} \bar u\, \frac{\partial u}{\partial v}$$

    Each factor is found for one operation alone; the products are then compared with `jax.grad` of the
    whole function, and the greatest difference stands in ``Graph.deviation``.

    Compiled functions are opened, loops and branches (``scan``, ``while``, ``cond``) are one operation
    each, and so is a function with a derivative rule of its own. What depends on no argument is a
    constant.

    Args:
        f: a JAX function that gives one real number.
        args: numbers, arrays, or trees of them. Python's whole numbers count as real ones; arrays of
            whole numbers stay what they are and have no derivative.
        names: other names, by argument or path: ``{"x": "price", "params/w": "w"}``, and ``"output"``
            for the result; or one for each argument.
        group: from a parameter's path to the name of its layer, None for none; by default the path
            without the argument's name and its own: ``affine1`` for ``params/affine1/weights``.
        keep: names of compiled functions (`jax.jit`) to show as one operation.
        detail: show also what only changes the form of a value: reshaping, repeating, converting.

    Returns:
        The graph; operations that the output does not depend on are left out.

    Raises:
        FalllineError: if ``f`` cannot be traced or differentiated or gives no real number, if an argument
            holds none, or if there are more than 2000 operations.

    Reference: Griewank & Walther, "Evaluating Derivatives", 2nd ed. (2008), chapter 3; Baydin, Pearlmutter,
    Radul & Siskind, "Automatic differentiation in machine learning: a survey", JMLR 18 (2018).
    """
    called = getattr(f, "__name__", type(f).__name__)
    called = "output" if called in ("<lambda>", "partial") else called
    paths, leaves, structure = given.arguments(f, args)
    labels = given.labels(paths, names)
    read = given.traced(f, called, leaves, structure, keep)
    wanted = given.reference(f, called, leaves, structure)
    builder = _Builder(read, detail=detail)
    if builder.size > MOST_NODES:
        raise FalllineError(
            f"The graph of {called} has {builder.size:,} nodes, more than {MOST_NODES:,}: take fewer "
            "steps or smaller inputs, or put its parts in compiled functions (jax.jit) and name them in "
            "keep=."
        )
    with differentiate.silent():
        for slot, path, label, leaf in zip(read.inputs, paths, labels, leaves, strict=True):
            layer = layers.of_path(path) if group is None else group("/".join(path))
            builder.argument(slot, leaf, label, layer)
        builder.operations()
        builder.finish(given.renamed(names, called))
        edges, active = builder.backward()
    nodes = builder.finished(edges)
    gradients = [node.derivative for node in nodes[: len(leaves)]]
    pairs = [
        (g, w) for g, w in zip(gradients, wanted, strict=True) if g is not None and w is not None
    ]
    return Graph(
        name=nodes[-1].label,
        nodes=nodes,
        edges=edges,
        value=float(nodes[-1].value),
        gradients=jax.tree.unflatten(structure, gradients),
        deviation=max((deviation(g, w) for g, w in pairs), default=0.0),
        precision=nodes[-1].value.dtype.name,
        active=active,
        rules=builder.rules,
        double=differentiate.double_precision(),
    )


class _Builder:
    """Nodes in the making, by the slots of a program."""

    def __init__(self, read: Program, *, detail: bool) -> None:
        self.program = read
        self.needed, self.size = _needed(read)
        self.detail = detail
        self.nodes: list[Node] = []
        self.values: list[Any] = []
        self.numbers: list[list[np.ndarray | None]] = []
        self.rules: dict[int, Callable[..., Any]] = {}
        self.at: dict[Slot, int] = {}
        # A slot that holds another in a different form: where that is, and how to get from it.
        self.via: dict[Slot, tuple[Slot, Callable[[Any], Any]]] = {}
        self.constants = dict(read.constants)
        self.titles = {
            op.inputs[0]: str(op.facts["name"]) for op in read.operations if op.primitive == "name"
        }

    def argument(self, slot: Slot, value: Any, label: str, layer: str | None) -> None:
        """An input, or a parameter if it belongs to a layer."""
        kind = "input" if layer is None else "parameter"
        self.at[slot] = self._add(value, lambda: value, kind=kind, label=label, layer=layer)

    def operations(self) -> None:
        """All operations that the output needs, in order; what is constant is evaluated at once."""
        for op in self.program.operations:
            if self.needed.isdisjoint(op.outputs):
                continue
            if self._plumbing(op):
                self.via[op.outputs[0]] = (op.inputs[0], lambda x, op=op: op.run(x)[0])
            elif all(self._source(slot)[0] in self.constants for slot in op.inputs):
                held = [self._value(slot) for slot in op.inputs]
                self.constants |= zip(op.outputs, op.run(*held), strict=True)
            else:
                self._operation(op)

    def finish(self, label: str) -> None:
        """The output, a node of its own."""
        source, form = self._source(self.program.output)
        node = self._node_at(source)
        value = form(self.values[node])
        self._add(value, form, kind="output", label=label, inputs=(node,))

    def _plumbing(self, op: Operation) -> bool:
        if len(op.inputs) != 1 or len(op.outputs) != 1:
            return False
        if op.primitive == "name":
            return True
        if self.detail:
            return False
        if op.primitive == "convert_element_type":
            source, _ = self._source(op.inputs[0])
            before = (
                self.constants[source] if source in self.constants else self.values[self.at[source]]
            )
            kept = jnp.issubdtype(op.facts["new_dtype"], jnp.floating)
            return kept and not jnp.issubdtype(jnp.result_type(before), jnp.complexfloating)
        return op.primitive in words.PLUMBING

    def _source(self, slot: Slot) -> tuple[Slot, Callable[[Any], Any]]:
        """The slot that a node stands for, and how to get from its value to this slot's."""
        chain: list[Callable[[Any], Any]] = []
        while slot in self.via:
            slot, form = self.via[slot]
            chain.append(form)
        if not chain:
            return slot, _same

        def through(value: Any) -> Any:
            for form in reversed(chain):
                value = form(value)
            return value

        return slot, through

    def _value(self, slot: Slot) -> Any:
        source, form = self._source(slot)
        held = self.constants[source] if source in self.constants else self.values[self.at[source]]
        return form(held if hasattr(held, "dtype") else jnp.asarray(held))

    def _node_at(self, slot: Slot) -> int:
        if slot not in self.at:
            value = self.constants[slot]
            value = value if hasattr(value, "dtype") else jnp.asarray(value)
            shown = to_numpy(value)
            label = (
                words.summary(shown) if shown.size <= 3 else f"constant {words.shape(shown.shape)}"
            )
            self.at[slot] = self._add(value, lambda: value, kind="constant", label=label)
        return self.at[slot]

    def _operation(self, op: Operation) -> None:
        sources = [self._source(slot) for slot in op.inputs]
        inputs = tuple(self._node_at(slot) for slot, _ in sources)
        forms = [form for _, form in sources]

        def run(*values: Any) -> Sequence[Any]:
            return op.run(*(form(value) for form, value in zip(forms, values, strict=True)))

        layer = layers.of_operation(op.name, op.scope, [self.nodes[i] for i in inputs])
        results = run(*(self.values[i] for i in inputs))
        used = [k for k, slot in enumerate(op.outputs) if slot in self.needed]
        symbol = words.symbol(op.name, op.facts)
        made = sum(node.kind == "operation" for node in self.nodes)
        for k in used:
            made += 1
            slot = op.outputs[k]
            self.at[slot] = self._add(
                results[k],
                lambda *values, k=k: run(*values)[k],
                kind="operation",
                label=self._title(slot) or f"v{made}",
                layer=layer,
                inputs=inputs,
                operation=symbol if len(op.outputs) == 1 else f"{symbol} [{k + 1}]",
                name=op.name,
                primitive=op.primitive,
                facts=op.facts,
            )

    def _title(self, slot: Slot) -> str | None:
        """The name that `jax.ad_checkpoint.checkpoint_name` gave a value."""
        return self.titles.get(slot)

    def _add(
        self,
        value: Any,
        rule: Callable[..., Any],
        *,
        kind: Any,
        label: str,
        layer: str | None = None,
        inputs: tuple[int, ...] = (),
        operation: str = "",
        name: str = "",
        primitive: str = "",
        facts: dict[str, Any] | None = None,
    ) -> int:
        identity = len(self.nodes)
        given = [self.values[i] for i in inputs]
        numbers = differentiate.number_derivatives(rule, given, value)
        double = differentiate.double_precision()

        def locals_of() -> tuple[Local, ...]:
            with differentiate.silent():
                return differentiate.local_derivatives(
                    name, primitive, facts or {}, rule, inputs, given, value, numbers, double=double
                )

        self.values.append(value)
        self.rules[identity] = rule
        self.numbers.append(numbers)
        self.nodes.append(
            Node(
                id=identity,
                kind=kind,
                operation=operation,
                primitive=primitive,
                label=label,
                layer=layer,
                value=to_numpy(value),
                derivative=None,
                inputs=inputs,
                called=name,
                facts=facts or {},
                locals_of=locals_of,
            )
        )
        return identity

    def backward(self) -> tuple[tuple[Edge, ...], frozenset[int]]:
        """Every edge with its contribution, and the nodes that the output's derivative reaches."""
        totals: dict[int, np.ndarray] = {len(self.nodes) - 1: np.ones_like(self.nodes[-1].value)}
        edges: list[list[Edge]] = []
        for node in reversed(self.nodes):
            given = [self.values[i] for i in node.inputs]
            upstream = totals.get(node.id)
            found: list[np.ndarray | None]
            found = [
                np.zeros_like(to_numpy(v))
                if differentiable(v) and differentiable(node.value)
                else None
                for v in given
            ]
            # Like JAX, no zeros are sent along a path that carries no derivative: 0 times infinity
            # would come back as NaN.
            passes = upstream is not None and node.primitive not in words.FLAT
            if passes and any(f is not None for f in found):
                assert upstream is not None
                found = differentiate.contributions(
                    self.rules[node.id], given, upstream, self.numbers[node.id]
                )
                for i, contribution in zip(node.inputs, found, strict=True):
                    if contribution is not None:
                        with np.errstate(all="ignore"):
                            totals[i] = totals[i] + contribution if i in totals else contribution
            edges.append(
                [
                    Edge(i, node.id, k, self.nodes[i].value, contribution)
                    for k, (i, contribution) in enumerate(zip(node.inputs, found, strict=True))
                ]
            )
        self.totals = totals
        return tuple(e for several in reversed(edges) for e in several), frozenset(totals)

    def finished(self, edges: tuple[Edge, ...]) -> tuple[Node, ...]:
        """The nodes with their derivatives."""

        def derivative(node: Node) -> np.ndarray | None:
            if not differentiable(self.values[node.id]):
                return None
            return np.asarray(self.totals.get(node.id, np.zeros_like(node.value)))

        return tuple(dataclasses.replace(node, derivative=derivative(node)) for node in self.nodes)


def _same(value: Any) -> Any:
    return value


def _needed(read: Program) -> tuple[set[Slot], int]:
    """The slots that the output depends on, and how many operations make them."""
    needed, count = {read.output}, 0
    for op in reversed(read.operations):
        if not needed.isdisjoint(op.outputs):
            needed.update(op.inputs)
            count += 1
    return needed, count
