"""The graph as text for others: JSON, and Graphviz's DOT."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.errors import lookup
from fallline.gradients.graph import words
from fallline.gradients.graph.parts import summarise

if TYPE_CHECKING:
    from fallline.gradients.graph.parts import Edge, Local, Node
    from fallline.gradients.graph.whole import Graph

MOST_ELEMENTS = 64
"""Larger arrays are given by their summary alone."""

COLOURS = {
    "light": {
        "paper": "#f4f3ef",
        "panel": "#fdfcfa",
        "text": "#1a2230",
        "line": "#8f959f",
        "muted": "#5f6875",
        "forward": "#00609c",
        "backward": "#b04400",
    },
    "dark": {
        "paper": "#0b0e14",
        "panel": "#1a212c",
        "text": "#e8ecf2",
        "line": "#5d6878",
        "muted": "#8a95a6",
        "forward": "#6cc0f2",
        "backward": "#ffb454",
    },
}
"""Of pictures of graphs: forward a blue, backward an orange that colour-blind eyes tell apart."""


def to_json(graph: Graph) -> dict[str, Any]:
    """Plain dicts, lists, texts and numbers."""
    return {
        "name": graph.name,
        "value": plain(graph.value),
        "deviation": plain(graph.deviation),
        "precision": graph.precision,
        "nodes": [_node(node) for node in graph.nodes],
        "edges": [_edge(edge) for edge in graph.edges],
    }


def _node(node: Node) -> dict[str, Any]:
    return {
        "id": node.id,
        "kind": node.kind,
        "operation": node.operation,
        "primitive": node.primitive,
        "label": node.label,
        "layer": node.layer,
        "type": node.value.dtype.name,
        "value": _array(node.value),
        "derivative": _array(node.derivative),
        "inputs": list(node.inputs),
        "local": [_local(local) for local in node.local],
        "members": list(node.members),
        "parameters": [_node(parameter) for parameter in node.parameters],
    }


def _edge(edge: Edge) -> dict[str, Any]:
    return {
        "source": edge.source,
        "target": edge.target,
        "position": edge.position,
        "value": _array(edge.value),
        "derivative": _array(edge.derivative),
    }


def _local(local: Local) -> dict[str, Any]:
    return {
        "input": local.input,
        "formula": local.formula,
        "form": local.form,
        "value": None if local.value is None else plain(local.value),
        "summary": None if local.summary is None else plain(dataclasses.asdict(local.summary)),
    }


def _array(value: np.ndarray | None) -> dict[str, Any] | None:
    if value is None:
        return None
    facts = plain(dataclasses.asdict(summarise(value)))
    return {
        **facts,
        "text": words.summary(value),
        "elements": plain(value) if value.size <= MOST_ELEMENTS else None,
    }


def plain(value: Any) -> Any:
    """A value as JSON has it; numbers that are none by their names, complex ones as pairs."""
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}  # pyright: ignore
    if isinstance(value, np.ndarray):
        # Not tolist alone: half precision comes from another library, whose numbers are its own.
        kind = value.dtype.kind
        return plain((value if kind in "biufc" else value.astype(np.float64)).tolist())
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]  # pyright: ignore
    if isinstance(value, complex):
        return [plain(value.real), plain(value.imag)]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def to_dot(graph: Graph, theme: str) -> str:
    """A digraph from left to right; on each edge the value above the derivative."""
    colours = lookup("theme", COLOURS, theme)
    lines = [
        f"digraph {_quoted(graph.name)} {{",
        f'  graph [rankdir=LR, bgcolor="{colours["paper"]}", nodesep=0.3, ranksep=0.5];',
        f'  node [fontname="Helvetica", fontsize=12, style="filled,rounded", shape=box, '
        f'fillcolor="{colours["panel"]}", color="{colours["line"]}", fontcolor="{colours["text"]}"];',
        f'  edge [fontname="Helvetica", fontsize=11, color="{colours["line"]}", arrowsize=0.7];',
    ]
    for node in graph.nodes:
        text = node.operation if node.kind in ("operation", "layer") else node.label
        text = "\n".join(
            [
                text,
                *(
                    f"{parameter.label.rpartition('/')[2]} {words.summary(parameter.value)}"
                    for parameter in node.parameters
                ),
            ]
        )
        more = {"constant": ', style="filled,rounded,dashed"', "output": ", penwidth=2"}
        if node.kind in ("input", "parameter"):
            more[node.kind] = ", shape=ellipse, style=filled"
        lines.append(f"  n{node.id} [label={_quoted(text)}{more.get(node.kind, '')}];")
    for edge in graph.edges:
        # Only numbers stand in these labels, nothing that a user wrote.
        label = f'<font color="{colours["forward"]}">{words.summary(edge.value)}</font>'
        if edge.derivative is not None:
            derivative = words.summary(edge.derivative)
            label += f'<br/><font color="{colours["backward"]}">{derivative}</font>'
        lines.append(f"  n{edge.source} -> n{edge.target} [label=<{label}>];")
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    """A text between quotes that no character of it can end; lines are kept, control codes not."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{"".join(letter if letter.isprintable() else " " for letter in escaped)}"'
