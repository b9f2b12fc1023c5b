"""Learning how to encode each column, from the training rows."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.data.kinds import (
    PARTS,
    Category,
    Slips,
    Texts,
    count_texts,
    find_slips,
    learn_category,
    part_of,
    reads_as_numbers,
    sort_of,
)
from fallline.data.numbers import Numbers, gaps, matrix
from fallline.data.table import Table, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl

    from fallline.data.numbers import Matrix

    Entry = tuple[str, str]
    Learned = tuple[str, str, float, float, float]
    Array = np.ndarray[Any, np.dtype[Any]]

_CHUNK = 1 << 22


@dataclass(frozen=True)
class Columns:
    """What is known of columns of numbers in the training rows, an entry of each array a column.

    Attributes:
        rows: The training rows.
        missing: How many of them hold no usable number.
        infinite: How many of those hold one that is infinite or too large.
        fill: The median, which fills what is missing.
        mean: The mean of what is there and filled.
        scale: Its standard deviation.
        varied: Whether there are two different numbers.
        estimated: Whether the median is that of a sample.
    """

    rows: int
    missing: Array
    infinite: Array
    fill: Array
    mean: Array
    scale: Array
    varied: Array
    estimated: Array


class Learner(ABC):
    """The rules by which columns are learned, wherever what is known of them comes from.

    Attributes:
        schema: The columns to learn, with their types.
        source: What the user named, for sentences.
        blocks: The columns that share one unit.
        notes: What the user should know of.
    """

    def __init__(
        self,
        schema: Mapping[str, pl.DataType],
        source: str,
        blocks: Mapping[str, tuple[str, ...]],
    ) -> None:
        self.schema = schema
        self.source = source
        self.blocks = blocks
        self.notes: list[str] = []
        self.left_out: dict[str, list[str]] = {"constant": [], "empty": []}

    @abstractmethod
    def slips(self, name: str) -> Slips:
        """How far the texts of a column read as numbers, in all rows."""

    @abstractmethod
    def singles(self, entries: list[Entry]) -> Iterator[tuple[list[Entry], Columns]]:
        """What is known of columns, some at a time, in their order."""

    @abstractmethod
    def block(self, columns: list[str]) -> tuple[int, float, float]:
        """Count, mean and sum of squared deviations of all values of some columns."""

    @abstractmethod
    def texts(self, name: str) -> Texts:
        """The texts of a column in the training rows."""

    def learn(self) -> tuple[Numbers, tuple[Category, ...], list[str]]:
        """Learn all columns; the last of the three are the notes."""
        plain, dated, texts = self._sorted_out()
        numbers = self._numbers(plain, dated)
        categories = tuple(self._categories(texts))
        for why, names in self.left_out.items():
            if names:
                are = "Columns {} are" if len(names) > 1 else "Column {} is"
                self.notes.append(f"{are.format(listed(names, 8))} {why}, left out.")
        return numbers, categories, self.notes

    def _sorted_out(self) -> tuple[list[str], list[Entry], list[str]]:
        plain: list[str] = []
        dated: list[Entry] = []
        texts: list[str] = []
        for name, dtype in self.schema.items():
            sort = sort_of(dtype)
            if sort == "texts" and reads_as_numbers(
                self.slips(name),
                name,
                self.source,
                f"Correct those cells, or leave the column out with --drop {name}.",
            ):
                plain.append(name)
            elif sort == "texts":
                texts.append(name)
            elif sort == "numbers":
                plain.append(name)
            else:
                dated += [(name, part) for part in PARTS[sort]]
        return plain, dated, texts

    def _numbers(self, plain: list[str], dated: list[Entry]) -> Numbers:
        learned: list[Learned] = []
        missing: list[Entry] = []
        inside = {name for columns in self.blocks.values() for name in columns}
        single = [(name, "") for name in plain if name not in inside]
        for entries, found in self.singles([*single, *dated]):
            learned += self._singles(found, entries, missing)
        used = {column for column, *_ in [*learned, *missing]}
        for name in dict.fromkeys(column for column, _ in dated):
            if name not in used and name not in self.left_out["empty"]:
                self.left_out["constant"].append(name)
        known = set(plain)
        for block, columns in self.blocks.items():
            learned += self._block(block, [name for name in columns if name in known])
        if not learned:
            return Numbers(missing=tuple(missing))
        columns, parts, fill, mean, scale = zip(*learned, strict=True)
        return Numbers(columns, parts, fill, mean, scale, tuple(missing))

    def _singles(
        self, found: Columns, entries: list[Entry], missing: list[Entry]
    ) -> Iterator[Learned]:
        """Learn columns one by one."""
        n = found.rows
        for place, (column, part) in enumerate(entries):
            count, infinite = found.missing[place], found.infinite[place]
            fill = float(found.fill[place])
            if infinite:
                self.notes.append(f"{column}: {infinite:,} of {n:,} infinite, taken as missing.")
            main = part == PARTS[part_of(part)][0]
            if count == n:
                if main:
                    self.left_out["empty"].append(column)
                continue
            if count and main:
                missing.append((column, part))
                median = "the medians" if part else f"the median, {fill:.6g}"
                about = "about " * bool(found.estimated[place])
                self.notes.append(
                    f"{column}: {count:,} of {n:,} missing, filled with {about}{median}."
                )
            if found.varied[place]:
                yield column, part, fill, float(found.mean[place]), float(found.scale[place])
            elif not part and not count:
                self.left_out["constant"].append(column)

    def _block(self, block: str, columns: list[str]) -> list[Learned]:
        """Learn columns with one unit: one mean and one scale, which also fills what is missing."""
        total, mean, spread = self.block(columns)
        scale = math.sqrt(spread / total) if total else 0.0
        if not scale:
            if columns:
                self.left_out["constant" if total else "empty"].append(block)
            return []
        return [(name, "", mean, mean, scale) for name in columns]

    def _categories(self, names: list[str]) -> Iterator[Category]:
        for name in names:
            texts = self.texts(name)
            found = learn_category(name, texts)
            if isinstance(found, Category):
                if found.missing:
                    self.notes.append(
                        f"{name}: {texts.gaps:,} of {texts.rows:,} missing, kept as a level of its "
                        "own."
                    )
                if texts.short:
                    self.notes.append(
                        f"{name}: too many distinct texts to count each, so the count of a level "
                        f"may be up to {texts.short:,} of {texts.rows:,} rows too low."
                    )
                yield found
            elif found in self.left_out:
                self.left_out[found].append(name)
            else:
                self.notes.append(found)


class TableLearner(Learner):
    """Learns from a table in memory."""

    def __init__(self, table: Table, rows: Array | None, names: list[str]):
        frame = table.frame.select(names)
        super().__init__(frame.schema, table.source, table.blocks)
        self.whole = frame
        self.train = frame if rows is None else frame[rows]

    def slips(self, name: str) -> Slips:
        """How far the texts of a column read as numbers, in all rows."""
        return find_slips(self.whole[name])

    def singles(self, entries: list[Entry]) -> Iterator[tuple[list[Entry], Columns]]:
        """What is known of columns, some at a time."""
        for values, some in self._chunks(entries):
            yield some, _described(values)

    def block(self, columns: list[str]) -> tuple[int, float, float]:
        """Count, mean and sum of squared deviations of all values of some columns."""
        total, mean, spread = 0, 0.0, 0.0
        for matrix_, _ in self._chunks([(name, "") for name in columns]):
            holes = gaps(matrix_)
            values = matrix_.ravel(order="K") if holes is None else matrix_[~holes]
            if not values.size:
                continue
            # Chan's rule: the mean and the spread of two parts give those of the whole.
            apart = float(values.mean()) - mean
            count = total + values.size
            spread += float(values.var()) * values.size + apart**2 * total * values.size / count
            mean += apart * values.size / count
            total = count
        return total, mean, spread

    def texts(self, name: str) -> Texts:
        """The texts of a column in the training rows."""
        return count_texts(self.train[name])

    def _chunks(self, entries: list[Entry]) -> Iterator[tuple[Matrix, list[Entry]]]:
        """The training rows, some columns at a time: a wide table needs no second copy."""
        step = max(1, _CHUNK // max(self.train.height, 1))
        for start in range(0, len(entries), step):
            some = entries[start : start + step]
            yield matrix(self.train, some), some


def _described(values: Matrix) -> Columns:
    """Median, then mean and scale of what it fills; ``values`` is written to."""
    n, width = values.shape
    count = infinite = np.zeros(width, int)
    holes = gaps(values)
    if holes is not None:
        count = holes.sum(axis=0)
        infinite = count - np.isnan(values).sum(axis=0)
        values[holes] = np.nan
    fill = np.zeros(width)
    full, some = count == 0, (count > 0) & (count < n)
    fill[full] = np.median(values[:, full], axis=0)
    if some.any():
        fill[some] = np.nanmedian(values[:, some], axis=0)
    if holes is not None:
        np.copyto(values, fill, where=holes)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    varied = (values.min(axis=0) < values.max(axis=0)) & (scale > 0)
    return Columns(n, count, infinite, fill, mean, scale, varied, np.zeros(width, bool))
