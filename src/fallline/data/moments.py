"""What is known of columns of numbers without keeping them: counts, means, spreads, medians."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.data.facts import LARGEST
from fallline.data.numbers import matrix
from fallline.data.sketches import RowSample, packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from fallline.data.numbers import Matrix

    Array = np.ndarray[Any, np.dtype[Any]]

COUNT, MISSING, INFINITE, MEAN, SPREAD, LOW, HIGH = range(7)
"""What each row of the arrays here holds; the spread is the sum of squared deviations."""

_PIECE = 1 << 18


class Moments:
    """Counts, means, spreads and extremes of columns.

    Merging puts the other's parts behind one's own, and only :meth:`total` makes one of them, from
    the first to the last. So the result depends on the parts and their order, to the last bit, but
    not on who merged which of them first.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._parts: list[Array] = []

    def add(self, values: Matrix) -> Array | None:
        """Take in rows into the last part.

        Returns:
            Where there is no usable number; None where there is one everywhere.
        """
        part, holes = _described(values)
        if self._parts:
            self._parts[-1] = _together(self._parts[-1], part)
        else:
            self._parts = [part]
        return holes

    def merge(self, other: Moments) -> None:
        """Put the parts of another one behind one's own."""
        self._parts = [*self._parts, *other._parts]

    def total(self) -> Array:
        """All parts as one, an array of a row for each of the seven and a column for each."""
        total = _nothing(self.width)
        for part in self._parts:
            total = _together(total, part)
        return total

    def to_json(self) -> dict[str, Any]:
        """All parts, exactly."""
        return packed(np.array(self._parts).reshape(-1, 7, self.width))

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Moments:
        """Rebuild what :meth:`to_json` gave."""
        parts = unpacked(content)
        moments = cls(parts.shape[2])
        moments._parts = list(parts)
        return moments


class Medians:
    """Samples of columns: one sample of rows, and one of its own for each column with gaps.

    Attributes:
        most: The numbers of a column that are kept.
    """

    def __init__(self, width: int, most: int) -> None:
        self.most = most
        self._rows = RowSample(width, most)
        self._gappy: dict[int, RowSample] = {}

    def add(self, keys: Array, values: Matrix, holes: Array | None) -> None:
        """Take in rows; ``holes`` tells where there is no usable number."""
        for place in np.flatnonzero(holes.any(axis=0)) if holes is not None else ():
            self._own(int(place))
        for place, sample in self._gappy.items():
            there = None if holes is None else ~holes[:, place]
            sample.offer(keys, values[:, place : place + 1], there)
        self._rows.offer(keys, values)

    def merge(self, other: Medians) -> None:
        """Take in the samples of another one."""
        for place in sorted({*self._gappy, *other._gappy}):
            self._own(place).merge(other._own(place))
        self._rows.merge(other._rows)

    def medians(self) -> Array:
        """The median of each column; 0 where there is no number."""
        found = self._rows.medians()
        for place, sample in self._gappy.items():
            found[place] = sample.medians()[0]
        return found

    def to_json(self) -> dict[str, Any]:
        """All samples, exactly."""
        own = {str(place): self._gappy[place].to_json() for place in sorted(self._gappy)}
        return {"rows": self._rows.to_json(), "gappy": own}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Medians:
        """Rebuild what :meth:`to_json` gave."""
        medians = cls(0, content["rows"]["most"])
        medians._rows = RowSample.from_json(content["rows"])
        own = content["gappy"].items()
        medians._gappy = {int(place): RowSample.from_json(sample) for place, sample in own}
        return medians

    def _own(self, place: int) -> RowSample:
        # Until its first gap, the sample of a column is that of the rows.
        if place not in self._gappy:
            self._gappy[place] = self._rows.column(place)
        return self._gappy[place]


class NumberColumns:
    """Some columns of numbers, each a part of a column of the table.

    Attributes:
        entries: The columns and their parts.
    """

    def __init__(self, entries: Sequence[tuple[str, str]], most: int | None) -> None:
        self.entries = list(entries)
        self._moments = Moments(len(self.entries))
        self._medians = None if most is None else Medians(len(self.entries), most)

    def add(self, frame: pl.DataFrame, keys: Array) -> None:
        """Take in rows, each with the key by which it is sampled."""
        if not self.entries or not frame.height:
            return
        # A piece of the rows at a time stays in the processor's cache.
        piece = max(256, _PIECE // len(self.entries))
        for start in range(0, frame.height, piece):
            values = matrix(frame.slice(start, piece), self.entries)
            holes = self._moments.add(values)
            if self._medians is not None:
                self._medians.add(keys[start : start + piece], values, holes)

    def merge(self, other: NumberColumns) -> None:
        """Take in what another one knows of the same columns."""
        self._moments.merge(other._moments)
        if self._medians is not None and other._medians is not None:
            self._medians.merge(other._medians)

    def total(self) -> tuple[Array, Array, Array]:
        """The seven figures of each column, the medians, and whether these are of a sample."""
        total = self._moments.total()
        if self._medians is None:
            return total, total[MEAN], np.zeros(len(self.entries), bool)
        return total, self._medians.medians(), total[COUNT] > self._medians.most

    def to_json(self) -> dict[str, Any]:
        """All of it, exactly."""
        return {
            "entries": [list(entry) for entry in self.entries],
            "moments": self._moments.to_json(),
            "medians": None if self._medians is None else self._medians.to_json(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> NumberColumns:
        """Rebuild what :meth:`to_json` gave."""
        columns = cls([(name, part) for name, part in content["entries"]], None)
        columns._moments = Moments.from_json(content["moments"])
        if content["medians"] is not None:
            columns._medians = Medians.from_json(content["medians"])
        return columns


def _nothing(width: int) -> Array:
    figures = np.zeros((7, width))
    figures[LOW], figures[HIGH] = np.inf, -np.inf
    return figures


def _described(values: Matrix) -> tuple[Array, Array | None]:
    """The seven figures of each column, and where there is no usable number."""
    rows, width = values.shape
    figures = _nothing(width)
    if not values.size:
        return figures, None
    low, high = values.min(axis=0), values.max(axis=0)
    if low.min() >= -LARGEST and high.max() <= LARGEST:
        figures[COUNT], figures[LOW], figures[HIGH] = rows, low, high
        figures[MEAN] = values.mean(axis=0)
        apart = values - figures[MEAN]
        figures[SPREAD] = np.einsum("ij,ij->j", apart, apart)
        holes = None
    else:
        # A comparison with NaN is false, so that this finds the missing with the infinite.
        there = np.abs(values) <= LARGEST
        holes = ~there
        count = there.sum(axis=0)
        figures[COUNT], figures[MISSING] = count, rows - count
        figures[INFINITE] = rows - count - np.isnan(values).sum(axis=0)
        filled = np.array(values, order="K")
        if figures[INFINITE].any():
            np.copyto(filled, np.nan, where=holes)
        # These two take a number rather than NaN.
        low, high = np.fmin.reduce(filled, axis=0), np.fmax.reduce(filled, axis=0)
        figures[LOW] = np.where(count > 0, low, np.inf)
        figures[HIGH] = np.where(count > 0, high, -np.inf)
        np.copyto(filled, 0.0, where=holes)
        figures[MEAN] = filled.sum(axis=0) / np.maximum(count, 1)
        filled -= figures[MEAN]
        filled *= there
        figures[SPREAD] = np.einsum("ij,ij->j", filled, filled)
    # Rounding must not make a constant vary.
    same = figures[LOW] == figures[HIGH]
    figures[MEAN, same], figures[SPREAD, same] = figures[LOW, same], 0.0
    return figures, holes


def _together(one: Array, other: Array) -> Array:
    """Two parts as one. Source: Chan, Golub, LeVeque, "Updating formulae", 1979."""
    both = one + other
    share = other[COUNT] / np.maximum(both[COUNT], 1)
    apart = other[MEAN] - one[MEAN]
    both[MEAN] = one[MEAN] + apart * share
    both[SPREAD] += apart**2 * one[COUNT] * share
    both[LOW] = np.minimum(one[LOW], other[LOW])
    both[HIGH] = np.maximum(one[HIGH], other[HIGH])
    return both
