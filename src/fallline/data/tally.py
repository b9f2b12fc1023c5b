"""What is counted, while a table streams by, of its target and of its columns of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.data.facts import MOST_DISTINCT, Spot, missing, numbers_of, wild
from fallline.data.kinds import Slips, Texts, sort_of
from fallline.data.moments import COUNT, HIGH, LOW, MEAN, SPREAD, Moments, NumberColumns
from fallline.data.sketches import TextTally

if TYPE_CHECKING:
    import polars as pl

    Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Rows:
    """Rows of a chunk.

    Attributes:
        first: The number of the first one in the whole table.
        training: Which of them are training rows; None where all are.
        name: A row as sentences call it: ``"row 12"``.
    """

    first: int
    training: Array | None
    name: Callable[[int], str]


@dataclass(frozen=True)
class Bad:
    """Rows that cannot be learned: how many, and the first of them."""

    count: int = 0
    row: int = -1
    where: str = ""
    value: str | None = None

    @staticmethod
    def among(rows: Rows, found: pl.Series, column: pl.Series) -> Bad:
        """The rows of a chunk where ``found`` is true."""
        places = found.arg_true()
        if not len(places):
            return Bad()
        place = int(places[0])
        value = column[place]
        text = None if value is None else str(value)
        return Bad(len(places), rows.first + place, rows.name(place), text)

    def with_(self, other: Bad) -> Bad:
        """Those of two parts of a table."""
        first = min(
            (one for one in (self, other) if one.count), key=lambda one: one.row, default=self
        )
        return replace(first, count=self.count + other.count)

    def spot(self) -> Spot:
        """For the rules."""
        return Spot(self.count, self.where, self.value)


class TextColumn:
    """A column of texts: their counts and, as long as all read as numbers, these."""

    def __init__(self, name: str, most: int) -> None:
        self.name = name
        self._most = most
        self._total = 0
        self._slips = Bad()
        self._texts = TextTally()
        self._numbers: NumberColumns | None = NumberColumns([(name, "")], most)

    def add(self, frame: pl.DataFrame, rows: Rows, training: pl.DataFrame, keys: Array) -> None:
        """Take in all rows of a chunk, and again its training rows."""
        import polars as pl

        texts = frame[self.name].cast(pl.String).alias("text")
        if rows.training is None:
            counted = texts.value_counts(name="all").with_columns(rows="all")
        else:
            both = pl.DataFrame({"text": texts, "training": rows.training})
            counted = both.group_by("text").agg(all=pl.len(), rows=pl.col("training").sum())
        there = counted.filter(pl.col("text").is_not_null())
        self._total += int(there["all"].sum())
        slips = there.filter(pl.col("text").cast(pl.Float64, strict=False).is_null())
        if slips.height:
            if not self._slips.count:
                self._slips = Bad.among(rows, texts.is_in(slips["text"].implode()), texts)
                self._slips = replace(self._slips, count=0)
            self._slips = replace(self._slips, count=self._slips.count + int(slips["all"].sum()))
            self._numbers = None
        self._texts.add(counted.select("text", "rows"))
        if self._numbers is not None:
            self._numbers.add(training, keys)

    def merge(self, other: TextColumn) -> None:
        """Take in what another one knows of the same column."""
        self._total += other._total
        self._slips = self._slips.with_(other._slips)
        self._texts.merge(other._texts)
        if self._numbers is not None and other._numbers is not None:
            self._numbers.merge(other._numbers)
        else:
            self._numbers = None

    def slips(self) -> Slips:
        """How far the texts read as numbers, in all rows."""
        return Slips(self._total, self._slips.count, self._slips.where, self._slips.value or "")

    def texts(self) -> Texts:
        """The texts of the training rows."""
        return self._texts.texts()

    def numbers(self) -> NumberColumns | None:
        """The numbers of the training rows; None where not all texts are numbers."""
        return self._numbers

    def to_json(self) -> dict[str, Any]:
        """All of it, exactly."""
        return {
            "name": self.name,
            "most": self._most,
            "total": self._total,
            "slips": asdict(self._slips),
            "texts": self._texts.to_json(),
            "numbers": None if self._numbers is None else self._numbers.to_json(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TextColumn:
        """Rebuild what :meth:`to_json` gave."""
        column = cls(content["name"], content["most"])
        column._total = content["total"]
        column._slips = Bad(**content["slips"])
        column._texts = TextTally.from_json(content["texts"])
        numbers = content["numbers"]
        column._numbers = None if numbers is None else NumberColumns.from_json(numbers)
        return column


class TargetTally:
    """What the rules ask of a target column: :class:`fallline.data.facts.Facts`, counted."""

    def __init__(self, name: str, dtype: pl.DataType, source: str) -> None:
        import polars as pl

        self.name = name
        self.dtype = dtype
        self.source = source
        self.rows = 0
        self.trained = 0
        self._total = 0
        self._gaps, self._wild, self._slips, self._unread = Bad(), Bad(), Bad(), Bad()
        self._moments = Moments(1)
        texts = sort_of(dtype) == "texts"
        schema = {"value": pl.String() if texts else dtype, "all": pl.Int64, "rows": pl.Int64}
        # Dates and durations cannot be predicted, and JSON has none.
        empty = pl.DataFrame(schema=schema)
        self._counted: pl.DataFrame | None = None if dtype.is_temporal() else empty

    def add(self, column: pl.Series, rows: Rows) -> None:
        """Take in the rows of a chunk."""
        import polars as pl

        sort = sort_of(self.dtype)
        if sort == "texts":
            column = column.cast(pl.String)
        everywhere = pl.repeat(value=True, n=len(column), eager=True)
        training = everywhere if rows.training is None else pl.Series(rows.training)
        self.rows += len(column)
        self.trained += int(training.sum())
        self._total += column.count()
        self._gaps = self._gaps.with_(Bad.among(rows, missing(column), column))
        if self.dtype.is_float() or self.dtype == pl.Decimal:
            self._wild = self._wild.with_(Bad.among(rows, wild(column), column))
        if sort in ("texts", "numbers"):
            values = numbers_of(column)
            slips = values.is_null() & column.is_not_null()
            if slips.any():
                self._slips = self._slips.with_(Bad.among(rows, slips, column))
                self._unread = self._unread.with_(Bad.among(rows, slips & training, column))
            trained = values.filter(training).to_numpy().astype(np.float64)
            self._moments.add(trained[:, np.newaxis])
        if self._counted is not None:
            # There are two zeros, which are one value: take always the same.
            values = column + 0.0 if self.dtype.is_float() else column
            counted = pl.DataFrame({"value": values, "training": training})
            counted = counted.filter(pl.col("value").is_not_null())
            self._count(
                counted.group_by("value").agg(
                    all=pl.len().cast(pl.Int64), rows=pl.col("training").sum().cast(pl.Int64)
                )
            )

    def merge(self, other: TargetTally) -> None:
        """Take in what another one counted."""
        self.rows += other.rows
        self.trained += other.trained
        self._total += other._total
        for kind in ("_gaps", "_wild", "_slips", "_unread"):
            setattr(self, kind, getattr(self, kind).with_(getattr(other, kind)))
        self._moments.merge(other._moments)
        if other._counted is None:
            self._counted = None
        elif self._counted is not None:
            self._count(other._counted)

    def gaps(self) -> Spot:
        """Rows without a value."""
        return self._gaps.spot()

    def wild(self) -> Spot:
        """Rows with an infinite or too large number."""
        return self._wild.spot()

    def slips(self) -> Slips:
        """How far texts read as numbers."""
        return Slips(self._total, self._slips.count, self._slips.where, self._slips.value or "")

    def distinct(self) -> pl.Series | None:
        """The distinct values of all rows; None where they are too many to be counted."""
        return None if self._counted is None else self._counted["value"].sort()

    def only(self, *, training: bool) -> tuple[object] | None:
        """The one value of all rows, or of the training rows."""
        import polars as pl

        if self._counted is not None:
            which = "rows" if training else "all"
            values = self._counted.filter(pl.col(which) > 0)["value"]
            return (values[0],) if len(values) == 1 else None
        total = self._moments.total()[:, 0]
        same = training and total[COUNT] > 0 and total[LOW] == total[HIGH]
        return (float(total[LOW]),) if same else None

    def unread(self) -> Spot:
        """Training rows with a value that is no number."""
        return self._unread.spot()

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation of the training rows."""
        total = self._moments.total()[:, 0]
        return float(total[MEAN]), float(np.sqrt(total[SPREAD] / max(total[COUNT], 1)))

    def training_counts(self) -> tuple[pl.Series, list[int]]:
        """The distinct values of all rows, and how many training rows hold each."""
        assert self._counted is not None
        ranked = self._counted.sort("value")
        return ranked["value"], ranked["rows"].to_list()

    def to_json(self) -> dict[str, Any]:
        """All of it, exactly."""
        import polars as pl

        counted = None
        if self._counted is not None:
            ranked = self._counted.sort("value")
            values = ranked["value"]
            plain = values.cast(pl.String) if values.dtype == pl.Decimal else values
            counted = [plain.to_list(), ranked["all"].to_list(), ranked["rows"].to_list()]
        return {
            "rows": self.rows,
            "trained": self.trained,
            "total": self._total,
            "bad": [asdict(one) for one in (self._gaps, self._wild, self._slips, self._unread)],
            "moments": self._moments.to_json(),
            "counted": counted,
        }

    def fill(self, content: Mapping[str, Any]) -> None:
        """Take over what :meth:`to_json` gave."""
        import polars as pl

        self.rows, self.trained = content["rows"], content["trained"]
        self._total = content["total"]
        bad = (Bad(**one) for one in content["bad"])
        self._gaps, self._wild, self._slips, self._unread = bad
        self._moments = Moments.from_json(content["moments"])
        if content["counted"] is None:
            self._counted = None
        elif self._counted is not None:
            dtype = self._counted.schema["value"]
            values, every, rows = content["counted"]
            given = pl.Series(values, dtype=pl.String if dtype == pl.Decimal else dtype)
            columns = {"value": given.cast(dtype), "all": every, "rows": rows}
            self._counted = pl.DataFrame(columns, schema=self._counted.schema)

    def _count(self, counted: pl.DataFrame) -> None:
        import polars as pl

        assert self._counted is not None
        both = pl.concat([self._counted, counted])
        merged = both.group_by("value").agg(pl.col("all", "rows").sum())
        self._counted = merged if merged.height <= MOST_DISTINCT else None
