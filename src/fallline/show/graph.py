"""The computational graph as a picture: values forward above the lines, derivatives back below them."""

from __future__ import annotations

import dataclasses
import io
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fallline.errors import FalllineError
from fallline.gradients.graph import layout, words
from fallline.gradients.graph.export import COLOURS
from fallline.show.style import theme_of
from fallline.store import files

if TYPE_CHECKING:
    import os

    from matplotlib.axes import Axes

    from fallline.gradients.graph import Edge, Graph, Node

MOST_NODES = 400
"""A larger picture could not be read."""

_FONT = "DejaVu Sans"
_BOX, _NUMBER, _BADGE = 12.5, 9.5, 8.5
_LINE = 11.5
_MARGIN = 16.0
_LEGEND = 26.0
_LONGEST = 32


@dataclasses.dataclass(frozen=True)
class _Box:
    """What is drawn for one node, in points.

    Attributes:
        title: its first line.
        lines: smaller lines below, each with the name of its colour.
        width: of the box.
        height: of the box.
    """

    title: str
    lines: list[tuple[str, str]]
    width: float
    height: float


def draw(
    graph: Graph, ax: Axes | None = None, theme: str | None = None, grouped: bool = False
) -> Axes:
    """Draw a graph from left to right.

    Above each line stands the value that goes forward along it, below it what comes back: the
    derivative of the output through this line. Where a value is used several times, the sum of what
    comes back stands in its own box, after Σ.

    Args:
        graph: from `fallline.graph`.
        ax: where to draw; by default a new figure as large as the graph needs.
        theme: "light", "dark", or None for the one in use.
        grouped: draw each layer as one box.

    Returns:
        The axes.

    Raises:
        FalllineError: if there is no such theme, the graph has no layers to group, or more than 400
            nodes are to be drawn.
    """
    colours = COLOURS[theme_of(theme).name]
    graph = graph.grouped() if grouped else graph
    if len(graph.nodes) > MOST_NODES:
        raise FalllineError(
            f"A picture of {len(graph.nodes):,} nodes could not be read, the most is {MOST_NODES}: draw "
            "it with grouped=True, or a smaller part of it."
        )
    boxes = {node.id: _box(graph, node) for node in graph.nodes}
    links = [
        layout.Link(edge.source, edge.target, _label_size(*_label(graph, edge)))
        for edge in graph.edges
    ]
    placed = layout.arrange({i: (box.width, box.height) for i, box in boxes.items()}, links)
    width = max(placed.width, _text_width(_legend(graph)[0] + _legend(graph)[1], _BADGE) + 60)
    size = (width + 2 * _MARGIN, placed.height + 2 * _MARGIN + _LEGEND)
    ax = _paper(ax, size, colours)
    pen = _Pen(ax, colours, _scale(ax, size))
    shift = ((size[0] - placed.width) / 2, _MARGIN + _LEGEND)
    for edge, route in zip(graph.edges, placed.routes, strict=True):
        above, below = _label(graph, edge)
        back = below is not None
        pen.line(
            [(a + shift[0], b + shift[0], y + shift[1]) for a, b, y in route.stretches], back=back
        )
        x, y = route.label[0] + shift[0], route.label[1] + shift[1]
        for i, text in enumerate(reversed(above)):
            pen.text(x, y + 5.5 + _LINE * i, text, _NUMBER, "forward", "baseline")
        if below is not None:
            pen.text(x, y - 5.0 - 0.73 * _NUMBER, below, _NUMBER, "backward", "baseline")
    for node in graph.nodes:
        x, y = placed.centres[node.id]
        pen.box(node, boxes[node.id], x + shift[0], y + shift[1])
    forward, backward = _legend(graph)
    start = (size[0] - _text_width(forward + backward, _BADGE) - 40) / 2
    pen.key(start, 13.0, forward, "forward", 1)
    pen.key(start + _text_width(forward, _BADGE) + 36, 13.0, backward, "backward", -1)
    return ax


def save(
    graph: Graph, path: str | os.PathLike[str], theme: str | None = None, grouped: bool = False
) -> Path:
    """Write a graph to a file, whole or not at all.

    Args:
        graph: from `fallline.graph`.
        path: its ending says the form: ``.svg`` or ``.png`` for a picture, ``.dot`` for Graphviz,
            ``.json`` for programs.
        theme: "light", "dark", or None for the one in use.
        grouped: each layer as one node.

    Returns:
        The path.

    Raises:
        FalllineError: if the ending is another, the place cannot be written to, or as for `draw`.
    """
    place = Path(path)
    ending = place.suffix.lower()
    shown = graph.grouped() if grouped else graph
    if ending in (".svg", ".png"):
        content = _picture(shown, theme, ending[1:])
    elif ending == ".dot":
        content = shown.to_dot(theme_of(theme).name).encode()
    elif ending == ".json":
        content = files.to_json(shown.to_json())
    else:
        raise FalllineError(
            f"A graph is saved as .svg, .png, .dot or .json; {place.name!r} ends otherwise."
        )
    files.write(place, content)
    return place


def _picture(graph: Graph, theme: str | None, form: str) -> bytes:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    buffer = io.BytesIO()
    # Without a date and with a fixed salt the same graph is the same file.
    with mpl.rc_context({"svg.hashsalt": "fallline"}):
        figure = Figure()
        draw(graph, figure.add_axes((0, 0, 1, 1)), theme)
        metadata = {"Date": None} if form == "svg" else None
        figure.savefig(buffer, format=form, dpi=200, metadata=metadata)
    return buffer.getvalue()


def _paper(ax: Axes | None, size: tuple[float, float], colours: dict[str, str]) -> Axes:
    """Axes in points with nothing on them."""
    inches = (size[0] / 72, size[1] / 72)
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.figure(figsize=inches).add_axes((0, 0, 1, 1))
    figure: Any = ax.figure
    if len(figure.axes) == 1 and tuple(ax.get_position().bounds) == (0, 0, 1, 1):
        # Alone on a figure it is as large as the graph needs.
        figure.set_size_inches(*inches)
        figure.set_facecolor(colours["paper"])
    ax.set_facecolor(colours["paper"])
    ax.set_xlim(0, size[0])
    ax.set_ylim(0, size[1])
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


def _scale(ax: Axes, size: tuple[float, float]) -> float:
    """How large a point of the layout is on the axes."""
    figure: Any = ax.figure
    box = ax.get_position(original=True)
    width, height = figure.get_size_inches()
    return min(box.width * width * 72 / size[0], box.height * height * 72 / size[1])


def _text_width(text: str, size: float, *, bold: bool = False) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    properties = FontProperties(family=_FONT, size=size, weight="bold" if bold else "normal")
    return text_to_path.get_text_width_height_descent(text, properties, ismath=False)[0]


def _short_of(value: Any) -> list[str]:
    """An array in at most two short lines: numbers, or the shape above the norm."""
    if value.ndim == 0 or 0 < value.size <= 3:
        several = [words.number(v, 4 if value.size == 1 else 3) for v in value.reshape(-1)]
        return [several[0] if value.ndim == 0 else f"({', '.join(several)})"]
    return words.summary(value).split(" · ", 1)


def _label(graph: Graph, edge: Edge) -> tuple[list[str], str | None]:
    """The lines above an edge and the one below, whose shape is that of the value above."""
    above = _short_of(edge.value)
    if edge.derivative is None or graph.nodes[edge.source].kind == "constant":
        return above, None
    return above, _short_of(edge.derivative)[-1]


def _label_size(above: list[str], below: str | None) -> tuple[float, float]:
    widest = max(_text_width(text, _NUMBER) for text in [*above, below or ""])
    # As high below the line as above it, so that the line is in the middle.
    return widest + 12, 2 * (_LINE * len(above) + 6)


def _short(text: str) -> str:
    """A name in one line: the end of a long path, no control codes."""
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text if len(text) <= _LONGEST else f"…{text[1 - _LONGEST :]}"


def _box(graph: Graph, node: Node) -> _Box:
    """The words in a node's box and the room they need."""
    lines: list[tuple[str, str]] = []
    title = _short(node.operation if node.kind in ("operation", "layer") else node.label)
    if node.kind == "parameter" and "/" in node.label:
        whose, _, own = node.label.rpartition("/")
        title = _short(own)
        lines.append((_short(whose), "muted"))
    users = [edge for edge in graph.edges if edge.source == node.id]
    derived = [edge for edge in users if edge.derivative is not None]
    if len(derived) > 1 and node.derivative is not None and node.kind != "constant":
        lines.append((f"Σ {' '.join(_short_of(node.derivative)[-1:])}", "backward"))
    if not users and node.kind in ("input", "parameter"):
        lines.append((" · ".join(_short_of(node.value)), "forward"))
        if node.derivative is not None:
            lines.append((_short_of(node.derivative)[-1], "backward"))
    for parameter in node.parameters:
        name = _short(parameter.label.rpartition("/")[2])
        lines.append((f"{name}  {' · '.join(_short_of(parameter.value))}", "forward"))
        if parameter.derivative is not None:
            lines.append((_short_of(parameter.derivative)[-1], "backward"))
    pill = node.kind != "operation"
    padding = 22.0 if pill else 18.0
    size = _BOX if node.kind in ("operation", "layer") else _BOX - 1.5
    width = max(
        _text_width(title, size, bold=node.kind == "layer"),
        *(_text_width(text, _BADGE) for text, _ in lines),
        0.0,
    )
    height = (22.0 if pill or lines else 30.0) + 12.5 * len(lines) + (4.0 if lines else 0.0)
    return _Box(title, lines, max(width + padding, height if not lines else 30.0), height)


def _legend(graph: Graph) -> tuple[str, str]:
    return "value, forward", f"derivative of {_short(graph.output.label)}, backward"


class _Pen:
    """Draws in points of the layout; text and lines keep their proportion to it."""

    def __init__(self, ax: Axes, colours: dict[str, str], scale: float) -> None:
        self.ax = ax
        self.colours = colours
        self.scale = scale

    def text(
        self, x: float, y: float, text: str, size: float, colour: str, align: str, **more: Any
    ) -> None:
        """A line of text; nothing in it is read as mathematics."""
        self.ax.text(
            x,
            y,
            text,
            fontsize=size * self.scale,
            fontfamily=_FONT,
            color=self.colours[colour],
            ha=more.pop("ha", "center"),
            va=align,
            parse_math=False,
            zorder=4,
            **more,
        )

    def line(self, stretches: list[tuple[float, float, float]], *, back: bool) -> None:
        """A smooth line through level stretches, an arrowhead at each end that something goes to."""
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path as Curve

        points = [(stretches[0][0], stretches[0][2])]
        codes = [Curve.MOVETO]
        for (_, x0, y0), (x1, right, y1) in itertools.pairwise(stretches):
            middle = (x0 + x1) / 2
            points += [(middle, y0), (middle, y1), (x1, y1)]
            codes += [Curve.CURVE4] * 3
            if right > x1:
                points.append((right, y1))
                codes.append(Curve.LINETO)
        self.ax.add_patch(
            PathPatch(
                Curve(points, codes),
                facecolor="none",
                edgecolor=self.colours["line"],
                linewidth=1.1 * self.scale,
                capstyle="round",
                zorder=1,
            )
        )
        self.head(*points[-1], "forward", 1)
        if back:
            self.head(*points[0], "backward", -1)

    def head(self, x: float, y: float, colour: str, direction: int) -> None:
        """A small arrowhead whose tip is at a point."""
        from matplotlib.patches import Polygon

        corners = [(x, y), (x - 6.5 * direction, y + 3), (x - 6.5 * direction, y - 3)]
        self.ax.add_patch(
            Polygon(corners, facecolor=self.colours[colour], edgecolor="none", zorder=2)
        )

    def box(self, node: Node, box: _Box, x: float, y: float) -> None:
        """A rounded box for an operation, a pill for what comes from outside."""
        from matplotlib.patches import FancyBboxPatch

        angular = node.kind in ("operation", "layer")
        colour = {"output": "text", "parameter": "muted", "input": "muted"}.get(node.kind, "line")
        self.ax.add_patch(
            FancyBboxPatch(
                (x - box.width / 2, y - box.height / 2),
                box.width,
                box.height,
                boxstyle=f"round,pad=0,rounding_size={7 if angular else min(11, box.height / 2)}",
                facecolor=self.colours["panel" if node.kind != "constant" else "paper"],
                edgecolor=self.colours[colour],
                linewidth=(1.6 if node.kind == "output" else 1.0) * self.scale,
                linestyle=(0, (2.5, 2)) if node.kind == "constant" else "-",
                zorder=3,
            )
        )
        size = _BOX if angular else _BOX - 1.5
        top = y + box.height / 2
        middle = y if not box.lines else top - 12.5
        weight = "bold" if node.kind == "layer" else "normal"
        shade = "muted" if node.kind == "constant" else "text"
        self.text(x, middle, box.title, size, shade, "center_baseline", fontweight=weight)
        for i, (line, tone) in enumerate(box.lines):
            self.text(x, middle - 14.5 - 12.5 * i, line, _BADGE, tone, "center_baseline")

    def key(self, x: float, y: float, text: str, colour: str, direction: int) -> None:
        """One entry of the legend: an arrow and what it stands for."""
        self.ax.plot(
            [x, x + 16], [y, y], color=self.colours["line"], linewidth=1.1 * self.scale, zorder=1
        )
        self.head(x + 16 if direction > 0 else x, y, colour, direction)
        self.text(x + 22, y, text, _BADGE, colour, "center_baseline", ha="left")
