"""A graph as the page draws it: nodes, edges, groups, steps, all numbers computed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.errors import FalllineError
from fallline.gradients.graph import words
from fallline.gradients.graph.export import plain
from fallline.studio.graph import tex

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fallline.gradients.graph import Edge, Graph, Node, Step
    from fallline.studio.graph.subject import Subject

SMALL = 64
"""Larger arrays come without their elements."""

LONGEST_SLOPE = 24
"""Letters of a local derivative that has room on a line."""

_POWER = re.compile(r"\^\((-?\d+)−1\)")
_LETTER = re.compile(r"(?<![A-Za-z])[abc](?![A-Za-z])")


def array(value: np.ndarray | None, most: int = SMALL, digits: int = 6) -> dict[str, Any] | None:
    """An array for the page: its shape, itself in a few letters, and its elements row by row.

    Args:
        value: any array, or None for none.
        most: elements that are sent; of larger ones the norm and the range.
        digits: significant ones of each number.
    """
    if value is None:
        return None
    found: dict[str, Any] = {"shape": list(value.shape), "text": words.summary(value)}
    if value.size <= most:
        found["elements"] = [_rounded(x, digits) for x in value.reshape(-1)]
    if value.ndim > 0 and value.size and value.dtype.kind == "f":
        with np.errstate(all="ignore"):
            norm, low, high = words.norm(value), value.min(), value.max()
        found |= {"norm": plain(norm), "low": plain(float(low)), "high": plain(float(high))}
    return found


def _rounded(x: Any, digits: int) -> Any:
    if isinstance(x, (bool, np.bool_)):
        return bool(x)
    return plain(float(f"{float(x):.{digits}g}"))


def of_graph(subject: Subject, graph: Graph, steps: Sequence[Step]) -> dict[str, Any]:
    """All that the page needs to draw a graph and to walk through it."""
    users: dict[int, list[int]] = {}
    for edge in graph.edges:
        users.setdefault(edge.source, []).append(edge.target)
    numbers = {(edge.source, edge.target, edge.position): i for i, edge in enumerate(graph.edges)}
    return {
        "source": "network" if subject.network is not None else "expression",
        "name": graph.name,
        "formula": tex.mathml(subject.tex()),
        "value": array(graph.output.value, digits=15),
        "precision": graph.precision,
        "deviation": plain(graph.deviation),
        "nodes": [_node(graph, node, users.get(node.id, [])) for node in graph.nodes],
        "edges": [
            {
                "source": edge.source,
                "target": edge.target,
                "position": edge.position,
                "derivative": array(edge.derivative),
                "local": _slope(graph, edge),
            }
            for edge in graph.edges
        ],
        "groups": _groups(graph),
        "steps": _steps(graph, steps, numbers),
        "variables": [
            {"name": v.name, "value": v.value, "low": v.low, "high": v.high}
            for v in subject.variables
        ],
        "terrain": subject.terrain(),
        "note": _note(graph),
    }


def _node(graph: Graph, node: Node, users: list[int]) -> dict[str, Any]:
    title, written = _title(graph, node)
    on = None
    if node.kind == "parameter" and len(users) == 1:
        on = users[0]
    return {
        "id": node.id,
        "kind": node.kind,
        "label": node.label,
        "title": title,
        # The constants that stand in the title, which need no badge of their own.
        "written": written,
        "operation": name_of(node),
        "layer": node.layer,
        "inputs": list(node.inputs),
        "users": users,
        "on": on,
        "value": array(node.value),
        "derivative": array(node.derivative),
    }


def _slope(graph: Graph, edge: Edge) -> str:
    """The local derivative in a few letters, of this place's names: ``× cos(v3)``; empty if it is long."""
    node = graph.nodes[edge.target]
    if node.kind != "operation":
        return ""
    if node.called == "dot_general":
        right = "· bᵀ" if edge.position == 0 else "aᵀ ·"
    else:
        _, equals, right = words.formula(node.called, node.facts, edge.position).rpartition(" = ")
        if not equals:
            return ""
        right = "× " + _POWER.sub(lambda found: _raised(int(found[1]) - 1), right)
    names = [
        words.summary(i.value) if i.kind == "constant" and i.value.ndim == 0 else i.label
        for i in (graph.nodes[i] for i in node.inputs)
    ]
    letters = dict(zip("abc", names, strict=False))
    text = _LETTER.sub(lambda found: letters.get(found[0], found[0]), right)
    return text if len(text) <= LONGEST_SLOPE else ""


def _raised(power: int) -> str:
    return "" if power == 1 else f"^{power}" if power >= 0 else f"^({power})"


def name_of(node: Node) -> str:
    """The name of an operation, as a key of the page's texts."""
    return node.called.strip("_") or node.primitive


def _title(graph: Graph, node: Node) -> tuple[str, list[int]]:
    """What stands in a node, and which constants stand there: ``× 2``, ``1 −``, ``max(·, 0)``."""
    if node.kind != "operation":
        return node.label, []
    inputs = [graph.nodes[i] for i in node.inputs]
    constants = [i for i in inputs if i.kind == "constant" and i.value.ndim == 0]
    if len(inputs) < 2 or len(constants) != len(inputs) - 1:
        return node.operation, []
    shown = [words.summary(i.value) if i in constants else "·" for i in inputs]
    text = words.phrase(node.called, node.facts, shown)
    if len(text) > 14:
        return node.operation, []
    if "(" not in text.replace("(−", ""):
        text = (
            text.replace("·", "", 1).strip() if text[:1] == "·" else text.removesuffix("·").strip()
        )
    return text, [i.id for i in constants]


def _groups(graph: Graph) -> list[dict[str, Any]]:
    """The layers: their members, whose value leaves, and what comes back to each value that enters."""
    try:
        grouped = graph.grouped()
    except FalllineError:
        return []
    found: list[dict[str, Any]] = []
    # The output of each node of the grouped graph, in the graph before.
    leaves = [
        max(
            (i for i in node.members if graph.nodes[i].kind == "operation"),
            key=lambda i: graph.nodes[i].value is node.value,
        )
        if node.kind == "layer"
        else next(n.id for n in graph.nodes if n.value is node.value and n.label == node.label)
        for node in grouped.nodes
    ]
    for node in grouped.nodes:
        if (
            node.kind != "layer"
            or sum(graph.nodes[i].kind == "operation" for i in node.members) < 2
        ):
            continue
        entering = [edge for edge in grouped.edges if edge.target == node.id]
        found.append(
            {
                "name": node.label,
                "members": list(node.members),
                "result": leaves[node.id],
                "entering": [
                    {"source": leaves[edge.source], "derivative": array(edge.derivative)}
                    for edge in entering
                ],
            }
        )
    return found


def _steps(
    graph: Graph, steps: Sequence[Step], numbers: Mapping[tuple[int, int, int], int]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    seen: dict[tuple[int, int], int] = {}
    for step in steps:
        edge = None
        if step.input is not None:
            # An operation may take the same value twice, x * x: its edges in their order.
            places = [k for k, i in enumerate(graph.nodes[step.node].inputs) if i == step.input]
            count = seen.get((step.node, step.input), 0)
            seen[step.node, step.input] = count + 1
            edge = numbers[step.input, step.node, places[count]]
        found.append(
            {
                "back": step.direction == "backward",
                "node": step.node,
                "input": step.input,
                "edge": edge,
                "sentence": step.sentence,
                "total": None if step.total is None else array(step.total),
            }
        )
    return found


def _note(graph: Graph) -> str | None:
    """What should be known of derivatives that are no finite numbers."""
    for node in graph.nodes:
        if node.kind in ("input", "parameter") and node.derivative is not None:
            if np.all(np.isfinite(node.derivative)):
                continue
            what = "not a number" if np.any(np.isnan(node.derivative)) else "infinite"
            return (
                f"The derivative by {node.label} is {what} at these values, though the result is a "
                "number."
            )
    return None
