"""What one pass over the rows of a source learns: enough to encode it, and mergeable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.data.encode import Encoder, feature_columns, learn_features
from fallline.data.kinds import PARTS, Slips, Texts, sort_of
from fallline.data.learning import Columns, Learner
from fallline.data.moments import COUNT, HIGH, INFINITE, LOW, MEAN, MISSING, SPREAD, NumberColumns
from fallline.data.sketches import row_keys
from fallline.data.tally import Rows, TargetTally, TextColumn
from fallline.data.target import label_of, learn_target
from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fallline.data.learning import Entry
    from fallline.data.stream import Source
    from fallline.data.table import Table

    Array = np.ndarray[Any, np.dtype[Any]]

SAMPLED = 1 << 19
"""Numbers that are kept for the medians, of all columns together."""

MOST_SAMPLED, LEAST_SAMPLED = 1 << 16, 1 << 10
"""Rows of the sample: not more of few columns, not fewer of many."""

_FORMAT = "fallline statistics"
_VERSION = 1


class Statistics:
    """What one pass over some rows learned, in a bounded size.

    Counts, means and scales are exact. So are medians of at most :attr:`sampled` rows; those of more
    are the medians of a random sample of so many (see :class:`fallline.data.sketches.RowSample`).
    Texts are counted exactly up to 100,000 distinct ones in a column (see
    :class:`fallline.data.sketches.TextTally`).

    The same rows in the same order give the same, bit for bit. Merging shards in their order gives
    the same whoever merged some of them before, unless a column has too many texts to count: then
    all have to be merged one by one.

    Attributes:
        source: Where the rows are.
        target: The target column.
        drop: The columns that are left out.
        sampled: Rows that are kept for the medians.
        goal: What is known of the target.
    """

    def __init__(self, source: Source, target: str, drop: Sequence[str] = ()) -> None:
        self.source = source
        self.target = target
        self.drop = tuple(drop)
        names = feature_columns(list(source.schema), target, drop, source.name)
        self.schema = {name: source.schema[name] for name in names}
        self.goal = TargetTally(target, source.schema[target], source.name)
        inside = {name for columns in source.blocks.values() for name in columns}
        groups: dict[str, list[Entry]] = {"blocks": [], "plain": [], "other": []}
        texts: list[str] = []
        for name, dtype in self.schema.items():
            sort = sort_of(dtype)
            if sort == "texts":
                texts.append(name)
                continue
            # Plain numbers by themselves go over to NumPy far faster.
            plain = dtype.is_integer() or dtype.is_float()
            block = name in inside and sort == "numbers"
            group = "blocks" if block else "plain" if plain else "other"
            groups[group] += [(name, part) for part in PARTS[sort]]
        width = len(groups["plain"]) + len(groups["other"])
        self.sampled = _sampled(width)
        self._numbers = [
            NumberColumns(entries, None if group == "blocks" else self.sampled)
            for group, entries in groups.items()
            if entries
        ]
        self._texts = {name: TextColumn(name, _sampled(width + len(texts))) for name in texts}

    @property
    def rows(self) -> int:
        """All rows so far."""
        return self.goal.rows

    @property
    def trained(self) -> int:
        """The training rows so far."""
        return self.goal.trained

    def add(
        self,
        table: Table,
        training: np.ndarray[Any, np.dtype[np.bool_]] | None,
        chunk: int,
        start: int = 0,
    ) -> None:
        """Take in rows of one chunk.

        Args:
            table: The rows; columns that are not learned from need not be there.
            training: Which of them are training rows; None where all are.
            chunk: The number of the chunk in the source.
            start: The row of the chunk that is the table's first.
        """
        first = self.source.first_row(chunk) + start

        def name(row: int) -> str:
            alone = len(self.source.files) == 1
            return f"row {first + row + 1}" if alone else self.source.row_name(chunk, start + row)

        frame = table.frame
        rows = Rows(first, training, name)
        train = frame.select(list(self.schema))
        train = train if training is None else train.filter(training)
        keys = row_keys(np.arange(first, first + frame.height, dtype=np.uint64))
        keys = keys if training is None else keys[training]
        self.goal.add(frame[self.target], rows)
        for columns in self._numbers:
            columns.add(train, keys)
        for text in self._texts.values():
            text.add(frame, rows, train, keys)

    def merge(self, other: Statistics) -> None:
        """Take in what another pass learned of rows that come behind one's own."""
        self.goal.merge(other.goal)
        for one, more in zip(self._numbers, other._numbers, strict=True):
            one.merge(more)
        for name, text in self._texts.items():
            text.merge(other._texts[name])

    def described(self) -> dict[Entry, tuple[Array, float, bool]]:
        """The figures of each column of numbers, its median, and whether that is of a sample."""
        found: dict[Entry, tuple[Array, float, bool]] = {}
        texts = (text.numbers() for text in self._texts.values())
        for columns in (*self._numbers, *(one for one in texts if one is not None)):
            total, medians, sampled = columns.total()
            for place, entry in enumerate(columns.entries):
                found[entry] = total[:, place], float(medians[place]), bool(sampled[place])
        return found

    def text(self, name: str) -> TextColumn:
        """What is known of a column of texts."""
        return self._texts[name]

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain JSON, exactly."""
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "target": self.target,
            "drop": list(self.drop),
            "goal": self.goal.to_json(),
            "numbers": [columns.to_json() for columns in self._numbers],
            "texts": [text.to_json() for text in self._texts.values()],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], source: Source) -> Statistics:
        """Rebuild what :meth:`to_json` gave, for the same source.

        Raises:
            FalllineError: if ``content`` is something else, or of another source.
        """
        try:
            if content["format"] != _FORMAT or content["version"] != _VERSION:
                raise ValueError(f"format {content['format']!r} {content['version']!r}")
            statistics = cls(source, content["target"], content["drop"])
            numbers = [NumberColumns.from_json(one) for one in content["numbers"]]
            texts = [TextColumn.from_json(one) for one in content["texts"]]
            if [one.entries for one in numbers] != [one.entries for one in statistics._numbers] or [
                one.name for one in texts
            ] != list(statistics._texts):
                raise ValueError("other columns")
            statistics._numbers = numbers
            statistics._texts = {text.name: text for text in texts}
            statistics.goal.fill(content["goal"])
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise FalllineError(
                f"What was learned of {source.name} is damaged, or of another table "
                f"({type(error).__name__}: {error}): read the table again."
            ) from error
        return statistics


def _sampled(width: int) -> int:
    return min(max(SAMPLED // max(width, 1), LEAST_SAMPLED), MOST_SAMPLED)


class StreamLearner(Learner):
    """Learns from statistics."""

    def __init__(self, statistics: Statistics) -> None:
        super().__init__(statistics.schema, statistics.source.name, statistics.source.blocks)
        self._statistics = statistics
        self._described = statistics.described()

    def slips(self, name: str) -> Slips:
        """How far the texts of a column read as numbers, in all rows."""
        return self._statistics.text(name).slips()

    def singles(self, entries: list[Entry]) -> Iterator[tuple[list[Entry], Columns]]:
        """What is known of columns, all at once."""
        if not entries:
            return
        every, medians, sampled = zip(*(self._described[entry] for entry in entries), strict=True)
        figures, fill = np.array(every).T, np.array(medians)
        n = self._statistics.trained
        count, missing = figures[COUNT], figures[MISSING]
        # The missing values are a part of the rows like any other: all of them are the median.
        mean = (count * figures[MEAN] + missing * fill) / n
        spread = figures[SPREAD] + count * missing / n * (figures[MEAN] - fill) ** 2
        scale = np.sqrt(spread / n)
        varied = (figures[LOW] < figures[HIGH]) & (scale > 0)
        whole = missing.astype(int), figures[INFINITE].astype(int)
        yield entries, Columns(n, *whole, fill, mean, scale, varied, np.array(sampled))

    def block(self, columns: list[str]) -> tuple[int, float, float]:
        """Count, mean and sum of squared deviations of all values of some columns."""
        if not columns:
            return 0, 0.0, 0.0
        figures = np.array([self._described[name, ""][0] for name in columns]).T
        count, means = figures[COUNT], figures[MEAN]
        total = count.sum()
        if not total:
            return 0, 0.0, 0.0
        mean = (count * means).sum() / total
        there = count > 0
        if figures[LOW, there].min() == figures[HIGH, there].max():
            return int(total), float(figures[LOW, there].min()), 0.0
        spread = figures[SPREAD].sum() + (count * (means - mean) ** 2).sum()
        return int(total), float(mean), float(spread)

    def texts(self, name: str) -> Texts:
        """The texts of a column in the training rows."""
        return self._statistics.text(name).texts()


def learn_from(
    statistics: Statistics, *, task: str = "auto", standardize_target: bool = True
) -> Encoder:
    """Learn how to encode a source, by the rules of :func:`fallline.data.encode.learn`.

    Args:
        statistics: What a pass over all rows learned.
        task: ``"regression"``, ``"classification"`` or ``"auto"``, which infers it.
        standardize_target: Whether the targets of a regression are standardised, too.

    Returns:
        The encoder; its ``notes`` say what was left out, filled in or estimated.

    Raises:
        FalllineError: if the target or the columns cannot be learned; the sentence says why.
    """
    source = statistics.source.name
    if not statistics.rows or not statistics.trained:
        raise FalllineError(f"There are no rows of {source} to learn from.")
    goal = learn_target(statistics.goal, task=task, standardize=standardize_target)
    return learn_features(goal, StreamLearner(statistics) if statistics.schema else None, source)


def training_summary(statistics: Statistics, encoder: Encoder) -> dict[str, Any]:
    """What the simplest predictions need to know of the training rows.

    Returns:
        ``{"mean": number}`` of a regression, in the user's units; ``{"counts": {label: rows}}`` of
        a classification, in the order of the encoder's classes.
    """
    if encoder.classes is None:
        return {"mean": statistics.goal.moments()[0]}
    values, rows = statistics.goal.training_counts()
    labels = values.to_frame().select(label_of(values)).to_series().to_list()
    return {"counts": dict(zip(labels, rows, strict=True))}
