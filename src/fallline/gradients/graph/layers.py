"""Which layer an operation belongs to, and layers as single nodes."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING

import numpy as np

from fallline.errors import FalllineError
from fallline.gradients.graph import words
from fallline.gradients.graph.parts import Edge, Node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fallline.gradients.graph.whole import Graph


def of_path(path: Sequence[str]) -> str | None:
    """The layer of an argument by its path: ``affine1`` for ``params/affine1/weights``."""
    return "/".join(path[1:-1]) if len(path) > 2 else None


def of_operation(operation: str, scope: str, inputs: Sequence[Node]) -> str | None:
    """The layer of an operation.

    The `jax.named_scope` it was written in; else that of the parameters it takes; else, while it goes
    element by element, that of its inputs, if all but constant numbers have one. A sum over a layer's
    outputs, or their comparison with targets, is no longer the layer's.
    """
    if scope:
        return scope
    own = [node.layer for node in inputs if node.kind == "parameter"]
    if own:
        return own[-1]
    made = [node for node in inputs if node.kind != "constant" or node.value.ndim]
    if operation in words.ELEMENTWISE and made and all(node.layer for node in made):
        return max(made, key=lambda node: node.id).layer
    return None


def collapse(graph: Graph) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    """The nodes and edges of a graph with each layer as one node."""
    if any(node.kind == "layer" for node in graph.nodes):
        return graph.nodes, graph.edges
    if not any(node.layer and node.kind == "operation" for node in graph.nodes):
        raise FalllineError(
            "This graph has no layers to group: write them under jax.named_scope, or name them by "
            "group=."
        )
    piece = _pieces(graph)
    members: dict[int, list[Node]] = {}
    for node in graph.nodes:
        members.setdefault(piece[node.id], []).append(node)
    order = _topological(graph, piece, members)
    place = {old: new for new, old in enumerate(order)}
    edges = _edges(graph, piece, place)
    inputs: dict[int, list[int]] = {}
    for edge in edges:
        inputs.setdefault(edge.target, []).append(edge.source)
    leaving = {e.source for e in graph.edges if piece[e.source] != piece[e.target]}
    counts: dict[str, int] = {}
    nodes: list[Node] = []
    for new, old in enumerate(order):
        group = members[old]
        made = [node for node in group if node.kind == "operation"]
        first = group[0]
        if not made or made[0].layer is None:
            nodes.append(dataclasses.replace(first, id=new, inputs=tuple(inputs.get(new, ()))))
            continue
        layer = str(made[0].layer)
        counts[layer] = counts.get(layer, 0) + 1
        label = layer if counts[layer] == 1 else f"{layer} ({counts[layer]})"
        result = [node for node in made if node.id in leaving][-1]
        nodes.append(
            Node(
                id=new,
                kind="layer",
                operation=label,
                primitive="layer",
                label=label,
                layer=layer,
                value=result.value,
                derivative=result.derivative,
                inputs=tuple(inputs.get(new, ())),
                members=tuple(node.id for node in group),
                parameters=tuple(node for node in group if node.kind == "parameter"),
            )
        )
    return tuple(nodes), tuple(edges)


def _pieces(graph: Graph) -> dict[int, int]:
    """The piece of each node, named by the first operation in it; no two pieces wait for each other."""
    piece: dict[int, int] = {}
    after: dict[int, set[int]] = {}
    latest: dict[str, int] = {}
    users: dict[int, set[int]] = {}
    for node in graph.nodes:
        joined = latest.get(node.layer) if node.kind == "operation" and node.layer else None
        befores = {piece[i] for i in node.inputs}
        if joined is not None and not _reaches(after, joined, befores - {joined}):
            piece[node.id] = joined
        else:
            piece[node.id] = node.id
            if node.kind == "operation" and node.layer:
                latest[node.layer] = node.id
        for before in befores - {piece[node.id]}:
            after.setdefault(before, set()).add(piece[node.id])
        for i in node.inputs:
            users.setdefault(i, set()).add(piece[node.id])
    for node in graph.nodes:
        # What only one layer uses is a part of it; arguments that are not parameters stay outside.
        if node.kind in ("parameter", "constant") and len(users.get(node.id, ())) == 1:
            (user,) = users[node.id]
            if graph.nodes[user].layer and graph.nodes[user].kind == "operation":
                piece[node.id] = user
    return piece


def _reaches(after: dict[int, set[int]], start: int, goals: set[int]) -> bool:
    seen, waiting = {start}, [start]
    while waiting:
        for following in after.get(waiting.pop(), set()) - seen:
            if following in goals:
                return True
            seen.add(following)
            waiting.append(following)
    return False


def _topological(graph: Graph, piece: dict[int, int], members: dict[int, list[Node]]) -> list[int]:
    """The pieces, each after all it is made of, otherwise in the order of the graph."""
    needs: dict[int, set[int]] = {name: set() for name in members}
    for edge in graph.edges:
        if piece[edge.source] != piece[edge.target]:
            needs[piece[edge.target]].add(piece[edge.source])
    order: list[int] = []
    placed: set[int] = set()
    waiting = sorted(members)
    while waiting:
        ready = next(name for name in waiting if needs[name] <= placed)
        waiting.remove(ready)
        placed.add(ready)
        order.append(ready)
    return order


def _edges(graph: Graph, piece: dict[int, int], place: dict[int, int]) -> list[Edge]:
    """One edge for each value that enters a piece, its contributions summed."""
    merged: dict[tuple[int, int], list[Edge]] = {}
    for edge in graph.edges:
        if piece[edge.source] != piece[edge.target]:
            merged.setdefault((piece[edge.target], edge.source), []).append(edge)
    counts: dict[int, itertools.count[int]] = {}
    edges: list[Edge] = []
    for (target, source), several in merged.items():
        derivatives = [edge.derivative for edge in several if edge.derivative is not None]
        position = next(counts.setdefault(target, itertools.count()))
        edges.append(
            Edge(
                source=place[piece[source]],
                target=place[target],
                position=position,
                value=several[0].value,
                derivative=np.asarray(sum(derivatives[1:], derivatives[0]))
                if derivatives
                else None,
            )
        )
    return sorted(edges, key=lambda edge: (edge.target, edge.position))
