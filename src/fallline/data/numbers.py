"""Columns of numbers as one array, standardised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.data.facts import LARGEST
from fallline.data.kinds import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    Matrix = np.ndarray[Any, np.dtype[np.float64]]

_PIECE = 1 << 20
_FLOAT32 = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Numbers:
    """Columns that become ``(value - mean) / scale``, one entry each.

    Attributes:
        columns: The columns of the table.
        parts: The part of each that is taken; ``""`` is the value itself.
        fill: What stands in for a missing value.
        mean: The mean of the training rows, filled.
        scale: Their standard deviation.
        missing: The columns with a further column that is 1 where the value is missing, each
            with the part that tells so.
    """

    columns: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    fill: tuple[float, ...] = ()
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> list[str]:
        """The names of the encoded columns."""
        values = zip(self.columns, self.parts, strict=True)
        return [
            *(f"{column} {part}" if part else column for column, part in values),
            *(f"{column} missing" for column, _ in self.missing),
        ]

    def encode(self, frame: pl.DataFrame, out: np.ndarray[Any, np.dtype[np.float32]]) -> None:
        """Write the encoded columns into the first columns of ``out``."""
        values = list(zip(self.columns, self.parts, strict=True))
        width = len(values)
        fill, mean, scale = (np.asarray(x) for x in (self.fill, self.mean, self.scale))
        # A piece of the rows at a time stays in the processor's cache, and needs no second copy.
        piece = max(256, _PIECE // max(width, 1))
        for start in range(0, frame.height, piece):
            rows = frame.slice(start, piece)
            to = out[start : start + piece]
            if values:
                block = matrix(rows, values)
                missing = gaps(block)
                if missing is not None:
                    np.copyto(block, fill, where=missing)
                block -= mean
                with np.errstate(over="ignore"):
                    block /= scale
                if max(-block.min(), block.max()) > _FLOAT32:
                    np.clip(block, -_FLOAT32, _FLOAT32, out=block)
                to[:, :width] = block
            if self.missing:
                missing = gaps(matrix(rows, self.missing))
                if missing is not None:
                    to[:, width : width + len(self.missing)] = missing


def matrix(frame: pl.DataFrame, entries: Sequence[tuple[str, str]]) -> Matrix:
    """Parts of columns as float64, column by column in memory; NaN where missing."""
    import polars as pl

    known = {
        *(pl.Int8, pl.Int16, pl.Int32, pl.Int64),
        *(pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64),
        *(pl.Float32, pl.Float64),
    }
    schema = frame.schema
    # What NumPy knows goes over in one go; that is far faster for a table of many columns.
    native = all(not part and schema[name].base_type() in known for name, part in entries)
    if native:
        chosen = frame.select(name for name, _ in entries)
    else:
        chosen = frame.select(
            number(name, part, schema[name]).alias(str(place))
            for place, (name, part) in enumerate(entries)
        )
    return np.array(chosen.to_numpy(), np.float64, order="F")


def gaps(values: Matrix) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
    """Where there is no usable number; None where there is one everywhere."""
    if not values.size or (values.min() >= -LARGEST and values.max() <= LARGEST):
        return None
    # A comparison with NaN is false, so that this finds the missing with the infinite.
    return ~(np.abs(values) <= LARGEST)
