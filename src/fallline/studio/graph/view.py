"""The graph view's side of the conversation."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from fallline import expressions
from fallline.errors import FalllineError
from fallline.gradients.graph.export import COLOURS, plain
from fallline.studio.graph import answer, checks, detail, network, presets, subject
from fallline.studio.view import View

if TYPE_CHECKING:
    from fallline.gradients.graph import Graph, Node, Step
    from fallline.studio.graph.subject import Subject
    from fallline.studio.message import Message
    from fallline.studio.view import Given, Out


class GraphView(View):
    """Builds graphs and answers questions about the one it built last.

    A message that cannot be answered leaves the graph as it was.
    """

    name: ClassVar[str] = "graph"

    def __init__(self, out: Out, given: Given) -> None:
        super().__init__(out, given)
        self._subject: Subject | None = None
        self._graph: Graph | None = None
        self._steps: list[Step] = []
        self._reference: checks.Reference | None = None

    def handle(self, kind: str, message: Message) -> dict[str, Any] | None:
        """Answer ``presets``, ``build``, ``values``, ``step``, ``node``, ``nudge``, ``check`` and exports."""
        match kind:
            case "presets":
                return _presets()
            case "build":
                return self._show(subject.asked(message), None)
            case "values":
                values = subject.numbers(message.message("values"))
                return self._show(self._now.moved(values), self._reference)
            case "step":
                index = message.whole("index", 0, max(len(self._steps) - 1, 0))
                return detail.of_step(self._drawn, self._steps, index)
            case "node":
                return detail.of_node(self._drawn, self._asked_node(message))
            case "nudge":
                h = message.number("h", -1e9, 1e9)
                element = message.whole("element", 0, 1_000_000, 0)
                return checks.nudged(self._drawn, self._asked_node(message), element, h)
            case "check":
                if self._reference is None:
                    self._reference = checks.Reference(self._now.function)
                return checks.against(self._now, self._drawn, self._reference)
            case "script":
                return {"name": "graph.py", "text": self._now.script()}
            case "csv":
                return {"name": "graph.csv", "text": _table(self._drawn)}
            case "dot":
                theme = message.choice("theme", list(COLOURS), "light")
                return {"name": "graph.dot", "text": self._drawn.to_dot(theme)}
            case _:
                raise FalllineError(f"The graph view knows no message {kind[:40]!r}.")

    def _show(self, asked: Subject, reference: checks.Reference | None) -> dict[str, Any]:
        """Make a graph; only when all of it is there does it take the place of the one before."""
        graph = asked.graph()
        steps = list(graph.step())
        found = answer.of_graph(asked, graph, steps)
        self._subject, self._graph, self._steps = asked, graph, steps
        self._reference = reference
        return found

    @property
    def _now(self) -> Subject:
        if self._subject is None:
            raise FalllineError("There is no graph yet: build one first.")
        return self._subject

    @property
    def _drawn(self) -> Graph:
        if self._graph is None:
            raise FalllineError("There is no graph yet: build one first.")
        return self._graph

    def _asked_node(self, message: Message) -> Node:
        return self._drawn.nodes[message.whole("node", 0, len(self._drawn.nodes) - 1)]


def _presets() -> dict[str, Any]:
    """What the page offers, and the limits of what it may ask for."""
    return {
        "expressions": [
            {
                "name": preset.name,
                "formula": preset.formula,
                "values": {v.name: v.value for v in preset.variables},
            }
            for preset in presets.EXPRESSIONS
        ],
        "networks": presets.NETWORKS,
        "activations": list(network.ACTIVATIONS),
        "functions": sorted(expressions.FUNCTIONS),
        "constants": sorted(expressions.CONSTANTS),
        "most": {
            "inputs": network.MOST_INPUTS,
            "layers": network.MOST_LAYERS,
            "units": network.MOST_UNITS,
            "classes": network.MOST_CLASSES,
            "examples": network.MOST_EXAMPLES,
            "characters": expressions.LONGEST,
        },
    }


def _table(graph: Graph) -> str:
    """The nodes as comma-separated values; arrays as lists in JSON."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "label", "operation", "layer", "inputs", "value", "derivative"])
    for node in graph.nodes:
        writer.writerow(
            [
                node.id,
                node.label,
                answer.name_of(node) if node.kind == "operation" else node.kind,
                node.layer or "",
                " ".join(map(str, node.inputs)),
                _cell(node.value),
                _cell(node.derivative),
            ]
        )
    return text.getvalue()


def _cell(value: np.ndarray | None) -> str:
    if value is None:
        return ""
    return str(plain(value[()].item())) if value.ndim == 0 else json.dumps(plain(value))
