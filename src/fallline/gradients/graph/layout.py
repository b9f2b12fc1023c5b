"""Where a graph's boxes and lines go on paper: columns from left to right, no label over another.

A small form of the method of Sugiyama, Tagawa & Toda ("Methods for visual understanding of hierarchical
system structures", IEEE Trans. Syst. Man Cybern. 11, 1981): columns by the longest path, each as far
right as its users allow; the order in a column by the means of neighbours, sweeping to and fro; heights as
near the neighbours' as the order and the gaps allow. Every label of an edge has a place in a column of
its own and so is never crossed by a box.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Size = tuple[float, float]
    Point = tuple[float, float]

_SWEEPS = 24
_NODE_GAP = 16.0
_LABEL_GAP = 7.0
_COLUMN_GAP = 17.0
_LANE = 10.0
_APART = 7.5


@dataclasses.dataclass(frozen=True)
class Link:
    """An edge to be laid out.

    Attributes:
        source: the id of the box it leaves.
        target: the id of the box it enters.
        label: width and height of what is written on it.
    """

    source: int
    target: int
    label: Size


@dataclasses.dataclass(frozen=True)
class Route:
    """The way of one edge.

    Attributes:
        stretches: level pieces from left to right, (left, right, height) each, to be joined by
            curves; the first is the point where it leaves, the last where it enters.
        label: the middle of its label.
    """

    stretches: tuple[tuple[float, float, float], ...]
    label: Point


@dataclasses.dataclass(frozen=True)
class Layout:
    """Places in the unit of the sizes given, from (0, 0) at the lower left.

    Attributes:
        width: of everything.
        height: of everything.
        centres: the middle of each box, by id.
        routes: one for each link, in order.
    """

    width: float
    height: float
    centres: dict[int, Point]
    routes: list[Route]


@dataclasses.dataclass(eq=False)
class _Item:
    """What takes room in a column: a box, a label, or an edge passing through."""

    column: int
    width: float
    height: float
    gap: float
    node: int | None = None
    y: float = 0.0
    leaf: bool = False
    lane: bool = False
    rank: int = 0
    before: list[_Item] = dataclasses.field(default_factory=list)
    after: list[_Item] = dataclasses.field(default_factory=list)


def arrange(sizes: Mapping[int, Size], links: Sequence[Link]) -> Layout:
    """Find a place for everything.

    Args:
        sizes: width and height of each box, by id; ids rise from a link's source to its target.
        links: the edges; a target's inputs are stacked in this order where nothing speaks against it.
    """
    ranks = _ranks(sizes, links)
    boxes = {
        node: _Item(2 * ranks[node], width, height, _NODE_GAP, node)
        for node, (width, height) in sizes.items()
    }
    made = {link.target for link in links}
    for link in links:
        boxes[link.source].leaf = link.source not in made
    chains = [_chain(link, boxes, leaf=link.source not in made) for link in links]
    columns = _columns(boxes, chains)
    _order(columns)
    _heights(columns)
    return _places(boxes, chains, columns)


def _ranks(sizes: Mapping[int, Size], links: Sequence[Link]) -> dict[int, int]:
    """The longest path from any start; then everything moves right, next to its first user."""
    ranks = dict.fromkeys(sorted(sizes), 0)
    into: dict[int, list[int]] = {}
    out: dict[int, list[int]] = {}
    for link in links:
        into.setdefault(link.target, []).append(link.source)
        out.setdefault(link.source, []).append(link.target)
    for node in ranks:
        ranks[node] = max((ranks[source] + 1 for source in into.get(node, ())), default=0)
    for node in reversed(list(ranks)):
        if node in out:
            ranks[node] = min(ranks[target] for target in out[node]) - 1
    return ranks


def _chain(link: Link, boxes: Mapping[int, _Item], *, leaf: bool) -> list[_Item]:
    """The items of an edge: its source, lanes through the columns between, its label, its target."""
    source, target = boxes[link.source], boxes[link.target]
    lanes = [
        _Item(column, 0.0, _LANE, _LABEL_GAP, leaf=leaf, lane=not leaf)
        for column in range(source.column + 1, target.column - 1)
    ]
    label = _Item(target.column - 1, *link.label, _LABEL_GAP, leaf=leaf)
    chain = [source, *lanes, label, target]
    for left, right in itertools.pairwise(chain):
        left.after.append(right)
        right.before.append(left)
    return chain


def _columns(boxes: Mapping[int, _Item], chains: Sequence[list[_Item]]) -> list[list[_Item]]:
    """The columns, each in the order in which a walk back from the last box meets its items."""
    count = 1 + max((item.column for item in boxes.values()), default=0)
    columns: list[list[_Item]] = [[] for _ in range(count)]
    seen: set[int] = set()
    for start in reversed(list(boxes.values())):
        waiting = [start]
        while waiting:
            item = waiting.pop()
            if id(item) not in seen:
                seen.add(id(item))
                columns[item.column].append(item)
                waiting.extend(reversed(item.before))
    for column in columns:
        _number(column)
    return columns


def _number(column: list[_Item]) -> None:
    for rank, item in enumerate(column):
        item.rank = rank


def _order(columns: list[list[_Item]]) -> None:
    """Sort each column by the mean place of its neighbours, and keep the order with fewest crossings."""
    best, fewest = [list(column) for column in columns], _crossings(columns)
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        backward = sweep % 2 == 0
        for column in columns[::-1] if backward else columns:
            means = {
                id(item): sum(n.rank for n in near) / len(near)
                for item in column
                if (near := item.after if backward else item.before)
            }
            column.sort(key=lambda item: means.get(id(item), float(item.rank)))
            _number(column)
        found = _crossings(columns)
        if found < fewest:
            best, fewest = [list(column) for column in columns], found
    for column, order in zip(columns, best, strict=True):
        column[:] = order
        _number(column)


def _crossings(columns: Sequence[Sequence[_Item]]) -> int:
    """How often two lines between neighbouring columns cross."""
    total = 0
    for column in columns:
        ends: list[int] = []
        for item in column:
            for end in sorted(n.rank for n in item.after):
                total += sum(other > end for other in ends)
            ends += [n.rank for n in item.after]
    return total


def _heights(columns: Sequence[list[_Item]]) -> None:
    """Move everything towards the height of its neighbours, without changing the order.

    To and fro, so that distant ends hear of each other. The last sweep goes forward and lays every line
    level from where it comes: what is computed runs straight on, and what joins it comes from the side.
    """
    for column in columns:
        _spread(column, [0.0 for _ in column])
    for sweep in range(2 * _SWEEPS):
        forward = sweep % 2 == 1
        for column in columns if forward else columns[::-1]:
            wanted: list[float] = []
            for item in column:
                near = (item.before or item.after) if forward else (item.after or item.before)
                spine = [n for n in near if not n.leaf] if near is item.before else near
                near = spine or near
                wanted.append(sum(n.y for n in near) / len(near) if near else item.y)
            _spread(column, wanted, weighted=sweep == 2 * _SWEEPS - 1)
    # What comes from outside draws near to where it goes, and is moved rather than moving.
    for column in columns[::-1]:
        _spread(column, [i.after[0].y if i.leaf else i.y for i in column], weighted=True)
    for column in columns:
        nears = [i.before if i.leaf else () for i in column]
        wanted = [n[0].y if n else i.y for i, n in zip(column, nears, strict=True)]
        _spread(column, wanted, weighted=True)
    for column in columns[::-1]:
        _spread(column, [i.after[0].y if i.lane else i.y for i in column], weighted=True)


def _weight(item: _Item) -> float:
    return 1e-8 if item.lane else 1e-6 if item.leaf else 1.0


def _spread(column: list[_Item], wanted: Sequence[float], *, weighted: bool = False) -> None:
    """The heights nearest to those wanted, in least squares, that keep order and gaps.

    Measured from where each would touch the one before, order and gaps say that they must not fall:
    an isotonic regression, solved by pooling neighbours that violate it.
    """
    offsets: list[float] = []
    for i, item in enumerate(column):
        if i == 0:
            offsets.append(0.0)
        else:
            above = column[i - 1]
            gap = max(item.gap, above.gap) if item.node == above.node else min(item.gap, above.gap)
            if item.node is not None and above.node is not None:
                gap = _NODE_GAP
            offsets.append(offsets[-1] + (above.height + item.height) / 2 + gap)
    pools: list[tuple[float, float, int]] = []
    for item, want, offset in zip(column, wanted, offsets, strict=True):
        weight = _weight(item) if weighted else 1.0
        total, count = weight * (want - offset), 1
        while pools and pools[-1][0] / pools[-1][1] > total / weight:
            before = pools.pop()
            total, weight, count = total + before[0], weight + before[1], count + before[2]
        pools.append((total, weight, count))
    settled = [total / weight for total, weight, count in pools for _ in range(count)]
    for item, level, offset in zip(column, settled, offsets, strict=True):
        item.y = level + offset


def _places(
    boxes: Mapping[int, _Item], chains: Sequence[list[_Item]], columns: Sequence[list[_Item]]
) -> Layout:
    """From columns and heights, which count downward, to points on paper."""
    lefts: list[float] = []
    widths = [max((item.width for item in column), default=0.0) for column in columns]
    x = 0.0
    for width in widths:
        lefts.append(x)
        x += width + _COLUMN_GAP
    everything = [item for column in columns for item in column]
    top = min(item.y - item.height / 2 for item in everything)
    bottom = max(item.y + item.height / 2 for item in everything)
    middles = [left + width / 2 for left, width in zip(lefts, widths, strict=True)]
    entries = _entries(chains)
    routes: list[Route] = []
    for chain, entry in zip(chains, entries, strict=True):
        source, target, label = chain[0], chain[-1], chain[-2]
        leave = middles[source.column] + source.width / 2
        stretches = [(leave, leave, bottom - source.y)]
        stretches += [
            (lefts[i.column], lefts[i.column] + widths[i.column], bottom - i.y) for i in chain[1:-1]
        ]
        enter = middles[target.column] - target.width / 2
        stretches.append((enter, enter, bottom - target.y + entry))
        routes.append(Route(tuple(stretches), (middles[label.column], bottom - label.y)))
    centres = {node: (middles[item.column], bottom - item.y) for node, item in boxes.items()}
    return Layout(x - _COLUMN_GAP, bottom - top, centres, routes)


def _entries(chains: Sequence[list[_Item]]) -> list[float]:
    """How far above the middle of its target each edge enters, so that they do not run together."""
    into: dict[int, list[int]] = {}
    for place, chain in enumerate(chains):
        into.setdefault(id(chain[-1]), []).append(place)
    entries = [0.0] * len(chains)
    for places in into.values():
        places.sort(key=lambda place: chains[place][-2].rank)
        target = chains[places[0]][-1]
        room = target.height / 2 - 5
        level = [max(-room, min(room, target.y - chains[place][-2].y)) for place in places]
        if all(a - b >= _APART for a, b in itertools.pairwise(level)):
            entries = [level[places.index(p)] if p in places else e for p, e in enumerate(entries)]
            continue
        step = min(_LANE, 2 * room / max(1, len(places) - 1))
        for rank, place in enumerate(places):
            entries[place] = step * ((len(places) - 1) / 2 - rank)
    return entries
