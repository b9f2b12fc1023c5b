"""Learning how to encode each column, from the training rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.data.kinds import (
    PARTS,
    Category,
    learn_category,
    part_of,
    reads_as_numbers,
    sort_of,
)
from fallline.data.numbers import Numbers, gaps, matrix
from fallline.data.table import Table, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fallline.data.numbers import Matrix

    Entry = tuple[str, str]
    Learned = tuple[str, str, float, float, float]

_CHUNK = 1 << 22


class Learner:
    """Collects what is learned, column by column."""

    def __init__(self, table: Table, rows: np.ndarray[Any, np.dtype[Any]] | None, names: list[str]):
        frame = table.frame.select(names)
        self.table = table
        self.whole = frame
        self.train = frame if rows is None else frame[rows]
        self.notes: list[str] = []
        self.left_out: dict[str, list[str]] = {"constant": [], "empty": []}

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
        for name, dtype in self.whole.schema.items():
            sort = sort_of(dtype)
            if sort == "texts" and reads_as_numbers(
                self.whole[name],
                self.table.source,
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
        inside = {name for columns in self.table.blocks.values() for name in columns}
        single = [(name, "") for name in plain if name not in inside]
        for values, entries in self._chunks([*single, *dated]):
            learned += self._singles(values, entries, missing)
        used = {column for column, *_ in [*learned, *missing]}
        for name in dict.fromkeys(column for column, _ in dated):
            if name not in used and name not in self.left_out["empty"]:
                self.left_out["constant"].append(name)
        known = set(plain)
        for block, columns in self.table.blocks.items():
            learned += self._block(block, [name for name in columns if name in known])
        if not learned:
            return Numbers(missing=tuple(missing))
        columns, parts, fill, mean, scale = zip(*learned, strict=True)
        return Numbers(columns, parts, fill, mean, scale, tuple(missing))

    def _singles(
        self, values: Matrix, entries: list[Entry], missing: list[Entry]
    ) -> Iterator[Learned]:
        """Learn columns one by one: median, then mean and scale."""
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
        for place, (column, part) in enumerate(entries):
            if infinite[place]:
                self.notes.append(
                    f"{column}: {infinite[place]:,} of {n:,} infinite, taken as missing."
                )
            main = part == PARTS[part_of(part)][0]
            if count[place] == n:
                if main:
                    self.left_out["empty"].append(column)
                continue
            if count[place] and main:
                missing.append((column, part))
                median = "the medians" if part else f"the median, {fill[place]:.6g}"
                self.notes.append(
                    f"{column}: {count[place]:,} of {n:,} missing, filled with {median}."
                )
            if varied[place]:
                yield column, part, float(fill[place]), float(mean[place]), float(scale[place])
            elif not part and not count[place]:
                self.left_out["constant"].append(column)

    def _block(self, block: str, columns: list[str]) -> list[Learned]:
        """Learn columns with one unit: one mean and one scale, which also fills what is missing."""
        total, mean, spread = 0, 0.0, 0.0
        entries = [(name, "") for name in columns]
        for matrix_, _ in self._chunks(entries):
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
        scale = math.sqrt(spread / total) if total else 0.0
        if not scale:
            if columns:
                self.left_out["constant" if total else "empty"].append(block)
            return []
        return [(name, "", mean, mean, scale) for name in columns]

    def _categories(self, texts: list[str]) -> Iterator[Category]:
        for name in texts:
            found = learn_category(self.train[name])
            if isinstance(found, Category):
                if found.missing:
                    gaps = self.train[name].null_count()
                    rows = self.train.height
                    self.notes.append(
                        f"{name}: {gaps:,} of {rows:,} missing, kept as a level of its own."
                    )
                yield found
            elif found in self.left_out:
                self.left_out[found].append(name)
            else:
                self.notes.append(found)

    def _chunks(self, entries: list[Entry]) -> Iterator[tuple[Matrix, list[Entry]]]:
        """The training rows, some columns at a time: a wide table needs no second copy."""
        step = max(1, _CHUNK // max(self.train.height, 1))
        for start in range(0, len(entries), step):
            some = entries[start : start + step]
            yield matrix(self.train, some), some
