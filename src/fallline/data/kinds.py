"""What a column is, and how its values become numbers.

A column is of one of four sorts: numbers (truth values and durations among them), dates, times of
day, and texts. Dates and times give several numbers each, their parts; texts become categories, or
are left out when nearly every row has its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fallline.errors import FalllineError

if TYPE_CHECKING:
    import polars as pl

Sort = Literal["numbers", "dates", "times of day", "texts"]

PARTS: dict[Sort, tuple[str, ...]] = {
    "numbers": ("",),
    "dates": ("days", "year", "month", "day", "weekday", "day of year", "hour"),
    "times of day": ("time",),
}
"""The numbers that a column of each sort gives; the part ``""`` is the value itself."""

_SORTS: dict[str, Sort] = {part: sort for sort, parts in PARTS.items() for part in parts}

MOST_LEVELS = 100
"""Levels of a category that get a column of their own, at most."""

MIXED = 0.95
"""The share of numbers from which a column of texts is taken for numbers with slips in them."""

_FOLDED = 1000


def sort_of(dtype: pl.DataType) -> Sort:
    """The sort of a column, by its type."""
    import polars as pl

    if dtype.base_type() in (pl.String, pl.Categorical, pl.Enum):
        return "texts"
    if dtype.base_type() in (pl.Date, pl.Datetime):
        return "dates"
    return "times of day" if dtype == pl.Time else "numbers"


def part_of(part: str) -> Sort:
    """The sort of column that has such a part."""
    return _SORTS[part]


def number(name: str, part: str, dtype: pl.DataType) -> pl.Expr:
    """One part of a column as float64; missing where the value is missing or is no number."""
    import polars as pl

    column = pl.col(name)
    if part == "time":
        return column.cast(pl.Time, strict=False).cast(pl.Int64) / 3.6e12
    if part:
        stamp = column.cast(pl.Datetime("us"), strict=False)
        if getattr(dtype, "time_zone", None):
            stamp = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        values = {
            "days": stamp.dt.epoch("us") / 86.4e9,
            "year": stamp.dt.year(),
            "month": stamp.dt.month(),
            "day": stamp.dt.day(),
            "weekday": stamp.dt.weekday(),
            "day of year": stamp.dt.ordinal_day(),
            "hour": stamp.dt.hour() + stamp.dt.minute() / 60,
        }[part]
        return values.cast(pl.Float64)
    if dtype == pl.Duration:
        return column.dt.total_microseconds() / 1e6
    if dtype.base_type() in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    return column.cast(pl.Float64, strict=False)


def text(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column as texts; whole numbers read the same whether stored as integers or floats."""
    import polars as pl

    column = pl.col(name)
    if dtype.is_float():
        column = column.fill_nan(None)
        whole = column.cast(pl.Int64, strict=False)
        return (
            pl.when(whole == column).then(whole.cast(pl.String)).otherwise(column.cast(pl.String))
        )
    return column.cast(pl.String)


def require(column: pl.Series, sort: Sort, source: str) -> None:
    """Check that a column is of the sort that a model was trained on.

    Raises:
        FalllineError: if not; the sentence names the row and its value.
    """
    import polars as pl

    if sort == "texts" or not column.count() or sort_of(column.dtype) == sort:
        return
    if sort == "numbers" and sort_of(column.dtype) == "texts":
        texts = column.cast(pl.String)
        slips = (texts.is_not_null() & texts.cast(pl.Float64, strict=False).is_null()).arg_true()
        if not len(slips):
            return
        row, value = slips[0], texts[slips[0]]
    else:
        row = column.is_not_null().arg_true()[0]
        value = str(column[row])
    raise FalllineError(
        f"Column {column.name!r} held {sort} when the model was trained, but row {row + 1} of "
        f"{source} holds {value!r}: correct it, or leave the cell empty."
    )


@dataclass(frozen=True)
class Slips:
    """How far the texts of a column read as numbers.

    Attributes:
        total: The texts.
        count: Those that are no numbers.
        where: The row of the first of these, for sentences: ``"row 12"``.
        text: The first of these.
    """

    total: int
    count: int = 0
    where: str = ""
    text: str = ""


def find_slips(column: pl.Series) -> Slips:
    """Look for texts that do not read as numbers."""
    import polars as pl

    texts = column.cast(pl.String)
    slips = texts.is_not_null() & texts.cast(pl.Float64, strict=False).is_null()
    count = int(slips.sum())
    if not count:
        return Slips(texts.count())
    row = slips.arg_true()[0]
    return Slips(texts.count(), count, f"row {row + 1}", texts[row])


def reads_as_numbers(slips: Slips, name: str, source: str, advice: str) -> bool:
    """Whether all texts of a column read as numbers.

    Raises:
        FalllineError: if nearly all do, which makes the others slips; the sentence names the first
            and ends with ``advice``.
    """
    count, total = slips.count, slips.total
    if not count:
        return total > 0
    if total - count < MIXED * total:
        return False
    raise FalllineError(
        f"Column {name!r} of {source} holds numbers and texts: {total - count:,} of "
        f"{total:,} values read as numbers, but {slips.where} holds {slips.text!r}"
        f"{f' (and {count - 1:,} more are like it)' if count > 1 else ''}. {advice}"
    )


@dataclass(frozen=True)
class Category:
    """A column of texts as columns of zeros and ones.

    Attributes:
        column: Its name.
        levels: The texts with a column of their own, sorted.
        rare: Whether a column stands for all other texts.
        missing: Whether a column stands for a missing text.
        folded: The texts of the training rows behind ``rare``; None where they are too many to
            keep.
    """

    column: str
    levels: tuple[str, ...]
    rare: bool
    missing: bool
    folded: tuple[str, ...] | None

    @property
    def names(self) -> list[str]:
        """The names of its encoded columns."""
        levels = [*self.levels, *["<rare>"] * self.rare, *["<missing>"] * self.missing]
        return [f"{self.column}={level}" for level in levels]

    def codes(self, dtype: pl.DataType) -> pl.Expr:
        """The encoded column of each row, counted from 0; -1 for none of them."""
        import polars as pl

        value = text(self.column, dtype)
        known = value.cast(pl.Enum(self.levels), strict=False).to_physical().cast(pl.Int32)
        other = len(self.levels) if self.rare else -1
        gap = len(self.levels) + self.rare if self.missing else -1
        return pl.when(value.is_null()).then(gap).otherwise(known.fill_null(other))

    def unseen(self, dtype: pl.DataType) -> pl.Expr:
        """The texts that no training row held, missing elsewhere."""
        import polars as pl

        value = text(self.column, dtype)
        if self.rare and self.folded is None:
            return pl.lit(None, pl.String)
        return pl.when(~value.is_in([*self.levels, *(self.folded or ())])).then(value)


@dataclass(frozen=True)
class Texts:
    """The texts of a column, counted.

    Attributes:
        counted: Each ``text`` with its ``rows``, in any order.
        rows: The rows of the column.
        gaps: Those without a text.
        distinct: The distinct texts.
        short: By how many rows a count may be too low; where texts were too many to count them
            all, this is above 0, and ``distinct`` is an estimate.
    """

    counted: pl.DataFrame
    rows: int
    gaps: int
    distinct: int
    short: int = 0


def count_texts(column: pl.Series) -> Texts:
    """Count the texts of a column."""
    import polars as pl

    column = column.cast(pl.String).alias("text")
    counted = column.drop_nulls().value_counts(name="rows")
    return Texts(counted, len(column), column.null_count(), counted.height)


def learn_category(name: str, texts: Texts) -> Category | str:
    """Learn the levels of a column of texts, or say why it is left out."""
    import polars as pl

    rows, gaps, distinct = texts.rows, texts.gaps, texts.distinct
    counted = texts.counted.sort(["rows", "text"], descending=[True, False])
    few = max(2, math.ceil(rows / 1000))
    levels = counted.filter(pl.col("rows") >= few)["text"].head(MOST_LEVELS).to_list()
    if not distinct:
        return "empty"
    if distinct == 1 and not gaps:
        return "constant"
    if distinct > max(50, 0.2 * rows) or not levels:
        many = f"{'about ' * bool(texts.short)}{distinct:,} distinct texts"
        return f"{name}: {many} in {rows - gaps:,} rows look like names or free text, left out."
    kept = set(levels)
    folded = [level for level in counted["text"].to_list() if level not in kept]
    return Category(
        name,
        tuple(sorted(levels)),
        rare=bool(folded) or texts.short > 0,
        missing=gaps > 0,
        folded=tuple(folded) if len(folded) <= _FOLDED and not texts.short else None,
    )
