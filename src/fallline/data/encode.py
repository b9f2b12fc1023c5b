"""From a table to arrays: what is learned from the training rows, and applied to any rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fallline.data.kinds import (
    PARTS,
    Category,
    learn_category,
    number,
    part_of,
    reads_as_numbers,
    require,
    sort_of,
)
from fallline.data.table import Table, listed
from fallline.data.target import LARGEST, Label, Target, Task, infer_task, learn_target
from fallline.errors import FalllineError, nearest

if TYPE_CHECKING:
    import polars as pl
    from jaxtyping import Float

    Matrix = np.ndarray[Any, np.dtype[np.float64]]

__all__ = ["Encoder", "infer_task", "learn"]

ENCODED_LIMIT = 8e9
"""Bytes that the encoded rows may take."""

_FORMAT = "fallline encoder"
_VERSION = 1
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


@dataclass(frozen=True)
class Encoder:
    """Turns the rows of a table into arrays, by what it learned from the training rows.

    Attributes:
        goal: The target column: its task, its classes or its mean and scale.
        numbers: The columns that become standardised numbers.
        categories: The columns that become zeros and ones.
        notes: What the user should know of: columns left out, values filled in.
    """

    goal: Target
    numbers: Numbers
    categories: tuple[Category, ...]
    notes: list[str]

    @property
    def target(self) -> str:
        """The target column."""
        return self.goal.name

    @property
    def task(self) -> Task:
        """``"regression"`` or ``"classification"``."""
        return self.goal.task

    @property
    def why(self) -> str:
        """A sentence that says why it is this task."""
        return self.goal.why

    @property
    def classes(self) -> tuple[Label, ...] | None:
        """The labels in sorted order; None for regression."""
        return self.goal.classes

    @property
    def target_mean(self) -> float:
        """The mean of the target, in the user's units; 0 where it is not standardised."""
        return self.goal.mean

    @property
    def target_scale(self) -> float:
        """The standard deviation of the target; 1 where it is not standardised."""
        return self.goal.scale

    @cached_property
    def feature_names(self) -> list[str]:
        """The encoded columns, in their order."""
        names = (category.names for category in self.categories)
        return [*self.numbers.names, *(name for several in names for name in several)]

    @cached_property
    def columns(self) -> list[str]:
        """The columns of a table that are read; all of them must be there at prediction."""
        names = [
            *self.numbers.columns,
            *(column for column, _ in self.numbers.missing),
            *(category.column for category in self.categories),
        ]
        return list(dict.fromkeys(names))

    @property
    def text_columns(self) -> list[str]:
        """The columns of texts, for :func:`fallline.data.readers.read_table` to keep as such."""
        labels = self.classes is not None and isinstance(self.classes[0], str)
        return [category.column for category in self.categories] + [self.target] * labels

    def features(self, table: Table | pl.DataFrame) -> Float[np.ndarray, "n d"]:
        """Encode the features of every row.

        The rows may come all at once or in pieces: each is encoded by itself. Columns that were
        not learned are ignored; the target need not be there.

        Args:
            table: The rows.

        Returns:
            The encoded rows, float32 and contiguous row by row. Every number is finite.

        Raises:
            FalllineError: if a column is missing, or holds something else than it did.
        """
        frame, source = _opened(table)
        self._require_columns(frame, source)
        width = len(self.feature_names)
        _require_room(frame.height, width, source)
        out = np.zeros((frame.height, width), np.float32)
        values = list(zip(self.numbers.columns, self.numbers.parts, strict=True))
        fill, mean, scale = (
            np.asarray(x) for x in (self.numbers.fill, self.numbers.mean, self.numbers.scale)
        )
        piece = max(256, _PIECE // max(len(values), 1))
        for start in range(0, frame.height, piece):
            rows = frame.slice(start, piece)
            to = out[start : start + piece]
            if values:
                matrix = _matrix(rows, values)
                gaps = _gaps(matrix)
                if gaps is not None:
                    np.copyto(matrix, fill, where=gaps)
                matrix -= mean
                with np.errstate(over="ignore"):
                    matrix /= scale
                np.clip(matrix, -_FLOAT32, _FLOAT32, out=matrix)
                to[:, : len(values)] = matrix
            if self.numbers.missing:
                gaps = _gaps(_matrix(rows, self.numbers.missing))
                if gaps is not None:
                    to[:, len(values) : len(values) + len(self.numbers.missing)] = gaps
        self._mark_categories(frame, out)
        return out

    def targets(self, table: Table | pl.DataFrame) -> np.ndarray[Any, np.dtype[Any]]:
        """Encode the target of every row.

        Returns:
            Standardised numbers (float32) or class indices (int32), shape (n,).

        Raises:
            FalllineError: if the column is not there, or a value is missing or unknown.
        """
        frame, source = _opened(table)
        return self.goal.encode(_column(frame, self.target, source), source)

    def decode(self, prediction: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
        """Turn predictions back: numbers into the user's units, class indices into labels."""
        return self.goal.decode(prediction)

    def unseen(self, table: Table | pl.DataFrame) -> dict[str, tuple[int, str]]:
        """Find texts that no training row held.

        Returns:
            For each column with such texts, how many rows hold one and the first of them. A column
            with more than 1,000 rare texts is left out, for not all of those are remembered.
        """
        frame, source = _opened(table)
        self._require_columns(frame, source)
        found: dict[str, tuple[int, str]] = {}
        for category in self.categories:
            dtype = frame.schema[category.column]
            texts = frame.select(category.unseen(dtype)).to_series().drop_nulls()
            if len(texts):
                found[category.column] = (len(texts), str(texts[0]))
        return found

    def to_json(self) -> dict[str, Any]:
        """All that was learned, as plain JSON; :meth:`from_json` gives back an equal encoder."""
        return {
            "format": _FORMAT,
            "version": _VERSION,
            **cast("dict[str, Any]", _plain(asdict(self))),
        }

    @classmethod
    def from_json(cls, content: Any) -> Encoder:
        """Rebuild an encoder from what :meth:`to_json` gave.

        Raises:
            FalllineError: if ``content`` is something else, or damaged.
        """
        try:
            if content["format"] != _FORMAT or content["version"] != _VERSION:
                raise ValueError(f"format {content['format']!r} {content['version']!r}")
            encoder = cls(
                _rebuilt(Target, content["goal"]),
                _rebuilt(Numbers, content["numbers"]),
                tuple(_rebuilt(Category, one) for one in content["categories"]),
                [str(note) for note in content["notes"]],
            )
            _require_sound(encoder)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise FalllineError(
                "What was learned of the table is damaged, or another version of Fallline wrote "
                f"it ({type(error).__name__}: {error}): train the model again."
            ) from error
        return encoder

    def _require_columns(self, frame: pl.DataFrame, source: str) -> None:
        missing = [name for name in self.columns if name not in frame.schema]
        if missing:
            offers = ((name, nearest(name, frame.columns)) for name in missing)
            close = [(name, offer) for name, offer in offers if offer.startswith("did you mean")]
            hint = f" For {close[0][0]!r}, {close[0][1]}" if close else ""
            several = len(missing) > 1
            raise FalllineError(
                f"Column{'s' * several} {listed(missing, 20)} {'are' if several else 'is'} missing "
                f"from {source}, and the model was trained with {'them' if several else 'it'}."
                f"{hint}"
            )
        sorts = dict(zip(self.numbers.columns, self.numbers.parts, strict=True))
        for name, part in (*sorts.items(), *self.numbers.missing):
            # A column of plain numbers is the rule: it needs no closer look.
            if part or not frame.schema[name].is_numeric():
                require(frame[name], part_of(part), source)

    def _mark_categories(self, frame: pl.DataFrame, out: np.ndarray[Any, Any]) -> None:
        if not self.categories:
            return
        codes = frame.select(
            category.codes(frame.schema[category.column]).alias(str(place))
            for place, category in enumerate(self.categories)
        )
        start = len(self.numbers.names)
        for category, column in zip(self.categories, codes.iter_columns(), strict=True):
            code = column.to_numpy()
            rows = np.flatnonzero(code >= 0)
            out[rows, start + code[rows]] = 1.0
            start += len(category.names)


def learn(
    table: Table,
    rows: np.ndarray[Any, np.dtype[Any]] | None,
    target: str,
    *,
    task: str = "auto",
    standardize_target: bool = True,
    drop: Sequence[str] = (),
) -> Encoder:
    """Learn how to encode a table.

    Numbers are filled with the median and standardised; columns of one block share one mean and
    one scale. Texts become zeros and ones, a column a level. Dates become their parts.

    Args:
        table: The table.
        rows: The training rows, from which everything but the set of classes is learned; None
            takes all.
        target: The target column.
        task: ``"regression"``, ``"classification"`` or ``"auto"``, which infers it.
        standardize_target: Whether the targets of a regression are standardised, too.
        drop: Columns to leave out.

    Returns:
        The encoder; its ``notes`` say what was left out or filled in.

    Raises:
        FalllineError: if the target or the columns cannot be learned; the sentence says why.
    """
    frame, source = table.frame, table.source
    if not frame.height or (rows is not None and not len(rows)):
        raise FalllineError(f"There are no rows of {source} to learn from.")
    goal_column = _column(frame, target, source)
    for name in drop:
        _column(frame, name, source)
    if target in drop:
        raise FalllineError(f"Column {target!r} is the target; it cannot be left out as well.")
    goal = learn_target(goal_column, rows, source, task=task, standardize=standardize_target)
    names = [name for name in frame.columns if name != target and name not in drop]
    return _Learner(table, rows, names).learn(goal)


class _Learner:
    """Collects what is learned, column by column."""

    def __init__(self, table: Table, rows: np.ndarray[Any, np.dtype[Any]] | None, names: list[str]):
        frame = table.frame.select(names)
        self.table = table
        self.whole = frame
        self.train = frame if rows is None else frame[rows]
        self.notes: list[str] = []
        self.left_out: dict[str, list[str]] = {"constant": [], "empty": []}

    def learn(self, goal: Target) -> Encoder:
        plain, dated, texts = self._sorted_out()
        numbers = self._numbers(plain, dated)
        categories = tuple(self._categories(texts))
        for why, names in self.left_out.items():
            if names:
                columns = (
                    f"Column {listed(names)} is"
                    if len(names) == 1
                    else (f"Columns {listed(names, 8)} are")
                )
                self.notes.append(f"{columns} {why} in the training rows, left out.")
        encoder = Encoder(goal, numbers, categories, self.notes)
        if not encoder.feature_names:
            raise FalllineError(
                f"No column of {self.table.source} is left to learn {goal.name!r} from. "
                + (" ".join(self.notes) or "It has no other column.")
            )
        _require_room(self.table.frame.height, len(encoder.feature_names), self.table.source)
        return encoder

    def _sorted_out(self) -> tuple[list[str], list[tuple[str, str]], list[str]]:
        plain: list[str] = []
        dated: list[tuple[str, str]] = []
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

    def _numbers(self, plain: list[str], dated: list[tuple[str, str]]) -> Numbers:
        learned: list[tuple[str, str, float, float, float]] = []
        missing: list[tuple[str, str]] = []
        inside = {name for columns in self.table.blocks.values() for name in columns}
        single = [(name, "") for name in plain if name not in inside]
        for matrix, entries in self._chunks([*single, *dated]):
            learned += self._singles(matrix, entries, missing)
        known = set(plain)
        for block, columns in self.table.blocks.items():
            learned += self._block(block, [name for name in columns if name in known])
        varied = {column for column, *_ in learned} | {column for column, _ in missing}
        gone = dict.fromkeys(column for column, _ in dated if column not in varied)
        self.left_out["constant"] += [name for name in gone if name not in self.left_out["empty"]]
        columns = cast("list[tuple[Any, ...]]", list(zip(*learned, strict=True)) or [()] * 5)
        return Numbers(*columns, tuple(missing))

    def _singles(
        self, matrix: Matrix, entries: list[tuple[str, str]], missing: list[tuple[str, str]]
    ) -> Iterable[tuple[str, str, float, float, float]]:
        """Learn columns one by one: median, then mean and scale."""
        n = len(matrix)
        gaps = _gaps(matrix)
        count = np.zeros(matrix.shape[1], int)
        if gaps is not None:
            count = gaps.sum(axis=0)
            infinite = count - np.isnan(matrix).sum(axis=0)
            matrix[gaps] = np.nan
        fill = np.zeros(matrix.shape[1])
        full, some = count == 0, (count > 0) & (count < n)
        fill[full] = np.median(matrix[:, full], axis=0)
        if some.any():
            fill[some] = np.nanmedian(matrix[:, some], axis=0)
        if gaps is not None:
            np.copyto(matrix, fill, where=gaps)
            for place in np.flatnonzero(infinite):
                self.notes.append(
                    f"{entries[place][0]}: {infinite[place]:,} infinite values, taken as missing."
                )
        mean = matrix.mean(axis=0)
        scale = matrix.std(axis=0)
        varied = (matrix.min(axis=0) < matrix.max(axis=0)) & (scale > 0)
        for place, (column, part) in enumerate(entries):
            main = not part or part == PARTS[part_of(part)][0]
            if count[place] == n:
                if main:
                    self.left_out["empty"].append(column)
                continue
            if count[place] and main:
                missing.append((column, part))
                filled = f"filled with the median, {fill[place]:.6g}" if not part else "filled"
                self.notes.append(f"{column}: {count[place]:,} of {n:,} missing, {filled}.")
            if varied[place]:
                stats = (float(fill[place]), float(mean[place]), float(scale[place]))
                yield (column, part, *stats)
            elif not part and not count[place]:
                self.left_out["constant"].append(column)

    def _block(
        self, block: str, columns: list[str]
    ) -> Iterable[tuple[str, str, float, float, float]]:
        """Learn columns with one unit: one mean and one scale, which also fills what is missing."""
        total, mean, spread = 0, 0.0, 0.0
        entries = [(name, "") for name in columns]
        for matrix, _ in self._chunks(entries):
            gaps = _gaps(matrix)
            values = matrix.ravel(order="K") if gaps is None else matrix[~gaps]
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

    def _categories(self, texts: list[str]) -> Iterable[Category]:
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

    def _chunks(
        self, entries: list[tuple[str, str]]
    ) -> Iterable[tuple[Matrix, list[tuple[str, str]]]]:
        """The training rows of some columns at a time, so that a wide table needs no second copy."""
        step = max(1, 4 * _PIECE // self.train.height)
        for start in range(0, len(entries), step):
            some = entries[start : start + step]
            yield _matrix(self.train, some), some


def _matrix(frame: pl.DataFrame, entries: Sequence[tuple[str, str]]) -> Matrix:
    """Parts of columns as float64, column by column in memory; NaN where missing."""
    native = all(
        not part and (frame.schema[name].is_integer() or frame.schema[name].is_float())
        for name, part in entries
    )
    if native:
        chosen = frame.select(name for name, _ in entries)
    else:
        chosen = frame.select(
            number(name, part, frame.schema[name]).alias(str(place))
            for place, (name, part) in enumerate(entries)
        )
    return np.array(chosen.to_numpy(), np.float64, order="F")


def _gaps(matrix: Matrix) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
    """Where there is no usable number; None where there is one everywhere."""
    # A comparison with NaN is false, so that this finds the missing with the infinite.
    usable = np.abs(matrix) <= LARGEST
    return None if usable.all() else ~usable


def _opened(table: Table | pl.DataFrame) -> tuple[pl.DataFrame, str]:
    return (table.frame, table.source) if isinstance(table, Table) else (table, "the table")


def _column(frame: pl.DataFrame, name: str, source: str) -> pl.Series:
    if name not in frame.schema:
        raise FalllineError(
            f"There is no column {name!r} in {source}: {nearest(name, frame.columns)}"
        )
    return frame[name]


def _require_room(rows: int, width: int, source: str) -> None:
    size = 4.0 * rows * width
    if size > ENCODED_LIMIT:
        raise FalllineError(
            f"The {rows:,} rows of {source} make {width:,} encoded columns each, {size / 1e9:,.1f} "
            f"GB, and Fallline stops at {ENCODED_LIMIT / 1e9:.0f} GB: leave out columns or use "
            "fewer rows."
        )


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in cast("Sequence[Any]", value)]
    return value


def _rebuilt(kind: type[Any], content: Mapping[str, Any]) -> Any:
    """A dataclass from plain JSON, lists as tuples."""

    def frozen(value: Any) -> Any:
        if isinstance(value, list):
            return tuple(frozen(one) for one in cast("list[Any]", value))
        return value

    return kind(**{one.name: frozen(content[one.name]) for one in fields(kind)})


def _require_sound(encoder: Encoder) -> None:
    """Refuse content that would encode nonsense.

    Raises:
        ValueError: if lengths, types or numbers do not fit together.
    """
    goal, numbers = encoder.goal, encoder.numbers
    stats = (numbers.fill, numbers.mean, numbers.scale)
    scales = [*numbers.scale, goal.scale]
    sound = (
        isinstance(goal.name, str)  # pyright: ignore[reportUnnecessaryIsInstance]
        and goal.task in ("regression", "classification")
        and (goal.task == "regression") == (goal.classes is None)
        and (goal.classes is None or len(goal.classes) > 1)
        and len({len(numbers.columns), len(numbers.parts), *map(len, stats)}) == 1
        and all(math.isfinite(x) for several in stats for x in several)
        and math.isfinite(goal.mean)
        and all(math.isfinite(x) and x > 0 for x in scales)
        and all(isinstance(name, str) for name in encoder.columns)  # pyright: ignore[reportUnnecessaryIsInstance]
        and all(part_of(part) for part in (*numbers.parts, *(p for _, p in numbers.missing)))
        and all(isinstance(level, str) for c in encoder.categories for level in c.levels)  # pyright: ignore[reportUnnecessaryIsInstance]
    )
    if not sound:
        raise ValueError("its parts do not fit together")
