"""Which valley did each ball reach?"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float, Int, PyTree

SAME = 0.02
"""Balls nearer to each other than this share of the starts' spread are in one place."""

MOST = 1000
"""Basins told apart; balls in further ones count as unsettled."""


@dataclasses.dataclass(frozen=True)
class Basin:
    """A place where balls came to rest.

    Attributes:
        x: the place, a tree like x0.
        fun: the function's value there.
        kind: "minimum", "saddle", "maximum" or "plateau".
        count: balls that ended here.
        share: of all balls.
        level: 0 for the deepest and those as deep, 1 for the next, and so on.
    """

    x: PyTree
    fun: float
    kind: str
    count: int
    share: float
    level: int = 0

    def __str__(self) -> str:
        leaves = self.x.values() if isinstance(self.x, dict) else [self.x]
        numbers = np.concatenate([np.ravel(leaf) for leaf in leaves])
        place = ", ".join(f"{v + 0.0:.4g}" for v in numbers[:6]) + (
            ", ..." if len(numbers) > 6 else ""
        )
        return f"{self.share:6.1%}  {self.kind} of {self.fun:.6g} at ({place})"


def group(
    places: Float[np.ndarray, "n d"],
    values: Float[np.ndarray, " n"],
    kinds: np.ndarray,
    spread: float,
    height: float,
    restore: Callable[[np.ndarray], Any],
) -> tuple[list[Basin], Int[np.ndarray, " n"]]:
    """Group balls by where they came to rest.

    The lowest ball not yet grouped founds a basin and takes in all within a small distance, so that the
    result does not depend on the balls' order.

    Args:
        places: where each ball stands, or the stationary point beside it.
        values: of the function there.
        kinds: from `fallline.descent.stationary`; only balls at rest are grouped.
        spread: of the starts, in the parameters' units.
        height: from the highest start to the lowest end; depths that differ by a millionth of it are equal.
        restore: a place, (d,), as a tree.

    Returns:
        The basins, lowest first, and the basin of each ball: its index, or -1 for a ball that still
        moves or left the finite numbers.
    """
    resting = np.isin(kinds, ("minimum", "saddle", "maximum", "plateau")) & np.isfinite(values)
    labels = np.full(len(places), -1)
    basins: list[Basin] = []
    if not resting.any():
        return basins, labels
    rows = np.flatnonzero(resting)
    # In the order of one coordinate, whatever is near to a place lies in one slice.
    axis = int(np.argmax(np.ptp(places[rows], axis=0)))
    rows = rows[np.argsort(places[rows, axis], kind="stable")]
    places, values, kinds = places[rows], values[rows], kinds[rows]
    line, level = places[:, axis].copy(), kinds == "plateau"
    radius, free = SAME * spread, np.ones(len(rows), bool)
    # The norm rounds.
    reach = 1.001 * radius
    for lowest in np.lexsort((rows, values)).tolist():
        if not free[lowest]:
            continue
        if len(basins) == MOST:
            break
        first = int(np.searchsorted(line, line[lowest] - reach))
        beside = slice(first, int(np.searchsorted(line, line[lowest] + reach, "right")))
        near = np.linalg.norm(places[beside] - places[lowest], axis=1) <= radius
        here = first + np.flatnonzero(near & free[beside] & (kinds[beside] == kinds[lowest]))
        if level[lowest]:
            # On a plateau every ball rests at a place of its own: one plateau of one height is one basin.
            same = np.abs(values - values[lowest]) <= 1e-3 * (1 + abs(values[lowest]))
            here = np.union1d(here, np.flatnonzero(same & free & level))
        free[here] = False
        labels[rows[here]] = len(basins)
        place, value, kind = restore(places[lowest]), float(values[lowest]), str(kinds[lowest])
        basins.append(Basin(place, value, kind, len(here), len(here) / len(labels)))
    return _ranked(basins, labels, height)


def _ranked(
    found: list[Basin], labels: np.ndarray, height: float
) -> tuple[list[Basin], np.ndarray]:
    """Basins lowest first; of those that differ by rounding alone, the one most balls reached first."""
    least = 1e-6 * max([height, *(abs(basin.fun) for basin in found)])
    levels: list[int] = []
    for i, basin in enumerate(found):
        levels.append(levels[-1] + (basin.fun - found[i - 1].fun > least) if i else 0)
    order = sorted(range(len(found)), key=lambda i: (levels[i], -found[i].count))
    place = np.full(len(found) + 1, -1)
    place[order] = np.arange(len(found))
    ranked = [dataclasses.replace(found[i], level=levels[i]) for i in order]
    return ranked, place[labels]
