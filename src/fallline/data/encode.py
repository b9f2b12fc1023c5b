"""From a table to arrays: what is learned from the training rows, and applied to any rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fallline.data.facts import ColumnFacts
from fallline.data.kinds import Category, part_of, require
from fallline.data.learning import Learner, TableLearner
from fallline.data.numbers import Numbers
from fallline.data.table import Table, listed
from fallline.data.target import Label, Target, Task, infer_task, learn_target
from fallline.errors import FalllineError, nearest

if TYPE_CHECKING:
    import polars as pl
    from jaxtyping import Float

__all__ = ["Encoder", "infer_task", "learn"]

ENCODED_LIMIT = 8e9
"""Bytes that the encoded rows may take."""

_FORMAT = "fallline encoder"
_VERSION = 1


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
        self.numbers.encode(frame, out)
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
        _require_column(frame.columns, self.target, source)
        return self.goal.encode(frame[self.target], source)

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
        schema = frame.schema
        found: dict[str, tuple[int, str]] = {}
        for category in self.categories:
            unseen = category.unseen(schema[category.column])
            texts = frame.select(unseen).to_series().drop_nulls()
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
        schema = frame.schema
        missing = [name for name in self.columns if name not in schema]
        if missing:
            # A column that is there under its own name cannot be the missing one, misspelt.
            free = [name for name in frame.columns if name not in self.columns]
            offers = ((name, nearest(name, free)) for name in missing)
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
            if part or not schema[name].is_numeric():
                require(frame[name], part_of(part), source)

    def _mark_categories(self, frame: pl.DataFrame, out: np.ndarray[Any, Any]) -> None:
        if not self.categories:
            return
        schema = frame.schema
        codes = frame.select(
            category.codes(schema[category.column]).alias(str(place))
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
    names = feature_columns(frame.columns, target, drop, source)
    facts = ColumnFacts(frame[target], rows, source)
    goal = learn_target(facts, task=task, standardize=standardize_target)
    encoder = learn_features(goal, TableLearner(table, rows, names) if names else None, source)
    _require_room(frame.height, len(encoder.feature_names), source)
    return encoder


def feature_columns(
    columns: Sequence[str], target: str, drop: Sequence[str], source: str
) -> list[str]:
    """The columns that are left to learn from.

    Raises:
        FalllineError: if the target or a column to leave out is not there.
    """
    for name in (target, *drop):
        _require_column(columns, name, source)
    if target in drop:
        raise FalllineError(f"Column {target!r} is the target; it cannot be left out as well.")
    return [name for name in columns if name != target and name not in drop]


def learn_features(goal: Target, learner: Learner | None, source: str) -> Encoder:
    """Learn the columns for a target; ``learner`` is None where there are none.

    Raises:
        FalllineError: if no column is left to learn from.
    """
    encoder = Encoder(goal, *learner.learn()) if learner else None
    if encoder is None or not encoder.feature_names:
        raise FalllineError(
            f"No column of {source} is left to learn {goal.name!r} from. "
            + (" ".join(encoder.notes if encoder else []) or "It has no other column.")
        )
    return encoder


def _opened(table: Table | pl.DataFrame) -> tuple[pl.DataFrame, str]:
    return (table.frame, table.source) if isinstance(table, Table) else (table, "the table")


def _require_column(columns: Sequence[str], name: str, source: str) -> None:
    if name not in columns:
        raise FalllineError(f"There is no column {name!r} in {source}: {nearest(name, columns)}")


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
