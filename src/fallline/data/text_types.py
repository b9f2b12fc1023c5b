"""What the columns of a text table may be, told from pieces of it one by one.

A column is whatever all its values read as: this keeps, for each column, the readings that no
value has ruled out yet. The order in which they are preferred, and what each is, are those of
`fallline.data.delimited`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fallline.data.delimited import MISSING, with_dates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

_WHOLE, _NUMBER, _TRUTH, _COMMA, _TIME = "whole", "number", "truth", "comma", "time"


class Kinds:
    """The readings that are left for each column."""

    def __init__(self) -> None:
        self.first: dict[str, str] = {}
        self._left: dict[str, list[str]] = {}
        self._times: dict[str, pl.DataType] = {}

    def begin(self, names: Sequence[str], *, commas: bool) -> None:
        """Begin a file: its columns, and whether a comma may mark decimals in it."""
        for name in names:
            readings = [_WHOLE, _NUMBER, _TRUTH, _COMMA, _TIME]
            left = self._left.setdefault(name, readings)
            if not commas and _COMMA in left:
                left.remove(_COMMA)

    def numbers(self) -> dict[str, pl.DataType]:
        """The columns that have been numbers so far."""
        found = {name: self.dtype(name) for name in self._left}
        return {n: d for n, d in found.items() if d.is_numeric() and self._left[n][0] != _COMMA}

    def dtype(self, name: str) -> pl.DataType:
        """What a column is by the rows noted so far."""
        import polars as pl

        left = self._left[name]
        if name not in self.first or not left:
            return pl.String()
        kinds = {
            _WHOLE: pl.Int64(),
            _NUMBER: pl.Float64(),
            _TRUTH: pl.Boolean(),
            _COMMA: pl.Float64(),
        }
        return self._times[name] if left[0] == _TIME else kinds[left[0]]

    def note(self, frame: pl.DataFrame) -> None:
        """Rule out what some rows do not read as; columns that came as numbers rule out nothing."""
        open_ = [n for n in frame.columns if self._left[n] and not frame.schema[n].is_numeric()]
        if not open_:
            return
        frame = stripped(frame.select(open_))
        for name in open_:
            column = frame[name].drop_nulls()
            if not len(column):
                continue
            if name not in self.first:
                self.first[name] = str(column[0])
            self._left[name] = [r for r in self._left[name] if self._reads(column, r)]

    def _reads(self, column: pl.Series, reading: str) -> bool:
        import polars as pl

        if reading == _TIME:
            found = _as_time(column, self.first[column.name])
            if found is None:
                return False
            return self._times.setdefault(column.name, found.dtype) == found.dtype
        dtype = {_WHOLE: pl.Int64(), _TRUTH: pl.Boolean()}.get(reading, pl.Float64())
        return read_as(column, dtype, None, commas=reading == _COMMA) is not None


def plain_numbers(
    parse: Callable[..., pl.DataFrame],
    layout: dict[str, Any],
    content: bytes,
    dtypes: dict[str, Any],
) -> pl.DataFrame | None:
    """Parse with some columns as numbers at once, which is fastest; None where that tells less.

    That is so where a value needs a closer look: spaces around it, a NaN that may stand for a
    missing value.
    """
    import polars as pl

    try:
        frame = parse(layout, content, dtypes)
    except pl.exceptions.PolarsError:
        return None
    floats = [name for name, dtype in dtypes.items() if dtype.is_float()]
    nans = frame.select(pl.col(floats).is_nan().any()).row(0) if floats else ()
    return None if any(nans) else frame


def stripped(frame: pl.DataFrame) -> pl.DataFrame:
    """Texts without the spaces around them; missing where they stand for a missing value."""
    import polars as pl

    frame = frame.with_columns(pl.all().str.strip_chars())
    return frame.with_columns(pl.when(~pl.all().is_in(MISSING)).then(pl.all()))


def read_as(
    column: pl.Series, dtype: pl.DataType, first: str | None, *, commas: bool
) -> pl.Series | None:
    """A column of texts as another type; None if a value does not read so.

    Args:
        column: Texts.
        dtype: The type.
        first: The first value of the whole table's column, which tells how dates are written.
        commas: Whether a comma may mark decimals.
    """
    import polars as pl

    name = column.name
    column = stripped(column.to_frame())[name]
    if dtype == pl.String:
        return column
    if dtype.is_temporal():
        if not column.count():
            return column.cast(dtype)
        found = _as_time(column, first or "")
        return found if found is not None and found.dtype == dtype else None
    if dtype == pl.Boolean:
        truth = pl.col(name).str.to_lowercase()
        read = column.to_frame().select(
            pl.when(truth == "true").then(True).when(truth == "false").then(False).alias(name)
        )[name]
    else:
        read = column.cast(dtype, strict=False)
        if commas and read.null_count() != column.null_count():
            read = column.str.replace(",", ".", literal=True).cast(dtype, strict=False)
    return read if read.null_count() == column.null_count() else None


def _as_time(column: pl.Series, first: str) -> pl.Series | None:
    """Dates or times, written the way the column's very first value is."""
    import polars as pl

    named = column.name
    frame = with_dates(pl.concat([pl.Series(named, [first]), column]).to_frame(), [named])
    return frame[named][1:] if frame.schema[named] != pl.String else None
