"""The chain rule line by line: values forward, then upstream times local backward."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fallline.errors import FalllineError
from fallline.gradients.graph import words
from fallline.gradients.graph.parts import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fallline.gradients.graph.parts import Edge, Local, Node
    from fallline.gradients.graph.whole import Graph


def follow(graph: Graph) -> Iterator[Step]:
    """Forward over the operations in order, then backward over their inputs in reverse."""
    if any(node.kind == "layer" for node in graph.nodes):
        raise FalllineError("A grouped graph has no steps: follow the graph it was made of.")
    return _steps(graph)


def _steps(graph: Graph) -> Iterator[Step]:
    for node in graph.nodes:
        if node.kind == "operation":
            sentence = forward_sentence(node, [graph.nodes[i] for i in node.inputs])
            yield Step("forward", node.id, None, sentence, None, None, node.value, None)
    into: dict[int, list[Edge]] = {}
    for edge in graph.edges:
        into.setdefault(edge.target, []).append(edge)
    totals: dict[int, np.ndarray] = {}
    for node in reversed(graph.nodes):
        if node.id not in graph.active:
            continue
        for edge, local in zip(into.get(node.id, []), node.local, strict=True):
            kind = graph.nodes[edge.source].kind
            if edge.derivative is None or node.derivative is None or kind == "constant":
                continue
            before = totals.get(edge.source)
            with np.errstate(all="ignore"):
                total = edge.derivative if before is None else before + edge.derivative
            totals[edge.source] = total
            source = graph.nodes[edge.source]
            sentence = backward_sentence(graph.output.label, node, source, local, edge.derivative)
            if before is not None:
                sentence += (
                    f"; with the paths before, {words.summary(before)} + "
                    f"{_bracketed(edge.derivative)} = {words.summary(total)}"
                )
            yield Step(
                "backward",
                node.id,
                edge.source,
                sentence,
                node.derivative,
                local,
                edge.derivative,
                total,
            )


def forward_sentence(node: Node, inputs: list[Node]) -> str:
    """``v1 = price × count = 100 × 2 = 200``."""
    symbols = words.phrase(node.called, node.facts, [_symbol(i) for i in inputs])
    result = words.summary(node.value)
    if any(i.value.size > 3 for i in [node, *inputs]):
        return f"{node.label} = {symbols}: {result}"
    numbers = words.phrase(node.called, node.facts, [words.summary(i.value) for i in inputs])
    return " = ".join(dict.fromkeys([node.label, symbols, numbers, result]))


def backward_sentence(
    output: str, node: Node, source: Node, local: Local, contribution: np.ndarray
) -> str:
    """``∂price/∂count = ∂price/∂v1 × ∂v1/∂count = 1.1 × 100 = 110``."""
    upstream = node.derivative
    assert upstream is not None
    wanted = f"∂{output}/∂{_symbol(source)}"
    result = words.summary(contribution)
    if node.kind == "output":
        return f"{wanted} = {result}"
    through = f"∂{output}/∂{node.label}"
    if local.form == "number" and local.value is not None:
        with np.errstate(all="ignore"):
            product = np.asarray(upstream * local.value, contribution.dtype)
        if not np.array_equal(product, contribution, equal_nan=True):
            return (
                f"{wanted} = {result}: the own rule of {node.operation} makes it of {through} = "
                f"{words.summary(upstream)}"
            )
        return (
            f"{wanted} = {through} × ∂{node.label}/∂{_symbol(source)} = "
            f"{words.summary(upstream)} × {_bracketed(local.value)} = {result}"
        )
    if local.form == "elementwise" and local.value is not None:
        same = contribution.shape == upstream.shape
        how = "" if same else ", summed over copies"
        return (
            f"{wanted} = {through} ⊙ ∂{node.label}/∂{_symbol(source)} = "
            f"{words.summary(upstream)} ⊙ {_bracketed(local.value)}{how} = {result}"
        )
    return (
        f"{wanted} = {through} · ∂{node.label}/∂{_symbol(source)} = {result}, from "
        f"{words.summary(upstream)} by {local.formula}"
    )


def _symbol(node: Node) -> str:
    """A constant by its number, anything else by its label."""
    return words.summary(node.value) if node.kind == "constant" else node.label


def _bracketed(value: np.ndarray) -> str:
    text = words.summary(value)
    return f"({text})" if text.startswith("−") else text
