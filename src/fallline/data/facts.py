"""What the rules ask of a target column, be it in memory or counted while it streamed by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fallline.data.kinds import Slips, find_slips, number

if TYPE_CHECKING:
    import polars as pl

LARGEST = 1e150
"""The largest number that is taken as one; the square of a larger one overflows."""

MOST_DISTINCT = 100_000
"""Distinct values of a target that are counted while a table streams by."""


@dataclass(frozen=True)
class Spot:
    """Rows of a target column that cannot be learned.

    Attributes:
        count: How many there are.
        where: The first of them, for sentences: ``"row 12"``.
        value: What it holds.
    """

    count: int = 0
    where: str = ""
    value: object = None


class Facts(Protocol):
    """What the rules ask of a target column, be it in memory or counted while it streamed by."""

    @property
    def name(self) -> str:
        """The column."""
        ...

    @property
    def source(self) -> str:
        """What the user named, for sentences."""
        ...

    @property
    def dtype(self) -> pl.DataType:
        """The type of the column."""
        ...

    @property
    def rows(self) -> int:
        """All rows."""
        ...

    @property
    def trained(self) -> int:
        """The training rows."""
        ...

    def gaps(self) -> Spot:
        """Rows without a value."""
        ...

    def wild(self) -> Spot:
        """Rows with an infinite or too large number; only asked of floats and decimals."""
        ...

    def slips(self) -> Slips:
        """How far texts read as numbers; only asked of texts."""
        ...

    def distinct(self) -> pl.Series | None:
        """The distinct values of all rows; None where they are more than are counted."""
        ...

    def only(self, *, training: bool) -> tuple[object] | None:
        """The one value of all rows, or of the training rows; None where there are several."""
        ...

    def unread(self) -> Spot:
        """Training rows with a value that is no number."""
        ...

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation of the training rows, as numbers."""
        ...


class ColumnFacts:
    """A target column in memory."""

    def __init__(
        self, column: pl.Series, rows: np.ndarray[Any, np.dtype[Any]] | None, source: str
    ) -> None:
        self.column = column
        self.chosen = rows
        self.source = source
        self.name = column.name
        self.dtype = column.dtype
        self.rows = len(column)

    @cached_property
    def training(self) -> pl.Series:
        """The training rows."""
        return self.column if self.chosen is None else self.column[self.chosen]

    @property
    def trained(self) -> int:
        """How many rows are training rows."""
        return len(self.training)

    def gaps(self) -> Spot:
        """Rows without a value."""
        return _spot(self.column, missing(self.column))

    def wild(self) -> Spot:
        """Rows with an infinite or too large number."""
        return _spot(self.column, wild(self.column))

    def slips(self) -> Slips:
        """How far texts read as numbers."""
        return find_slips(self.column)

    @cached_property
    def _distinct(self) -> pl.Series:
        return self.column.drop_nulls().unique()

    def distinct(self) -> pl.Series:
        """The distinct values of all rows."""
        return self._distinct

    def only(self, *, training: bool) -> tuple[object] | None:
        """The one value of all rows, or of the training rows."""
        part = self.training if training else self.column
        return (part[0],) if part.n_unique() == 1 else None

    @cached_property
    def _values(self) -> pl.Series:
        return numbers_of(self.training)

    def unread(self) -> Spot:
        """Training rows with a value that is no number."""
        rows = self._values.is_null().arg_true()
        if not len(rows):
            return Spot()
        row = rows[0] if self.chosen is None else int(self.chosen[rows[0]])
        return Spot(len(rows), f"row {row + 1}", self.column[row])

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation of the training rows."""
        values = self._values.to_numpy().astype(np.float64)
        return float(values.mean()), float(values.std())


def numbers_of(column: pl.Series) -> pl.Series:
    """A target column as numbers; missing where a value is none."""
    return column.to_frame().select(number(column.name, "", column.dtype)).to_series()


def missing(column: pl.Series) -> pl.Series:
    """Where a target column has no value."""
    gaps = column.is_null()
    return gaps | column.is_nan().fill_null(value=False) if column.dtype.is_float() else gaps


def wild(column: pl.Series) -> pl.Series:
    """Where a target column of floats or decimals is infinite or too large."""
    import polars as pl

    return ~(column.cast(pl.Float64).abs() <= LARGEST)


def _spot(column: pl.Series, where: pl.Series) -> Spot:
    rows = where.arg_true()
    return Spot(len(rows), f"row {rows[0] + 1}", column[rows[0]]) if len(rows) else Spot()
