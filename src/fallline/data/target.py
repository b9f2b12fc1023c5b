"""The target column: what task it makes, and its values as the loss takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fallline.data.facts import MOST_DISTINCT, ColumnFacts, Facts, Spot, numbers_of
from fallline.data.kinds import reads_as_numbers, sort_of, text
from fallline.errors import FalllineError, nearest

if TYPE_CHECKING:
    import polars as pl
    from jaxtyping import Float, Int

Task = Literal["regression", "classification"]
Label = str | int | bool | float

MOST_WHOLE_CLASSES = 20
"""Distinct whole numbers that still are classes rather than amounts."""

_ROWS_A_CLASS = 5


@dataclass(frozen=True)
class Target:
    """What was learned of the target column.

    Attributes:
        name: The column.
        task: ``"regression"`` or ``"classification"``.
        why: A sentence that says why it is this task.
        classes: The labels in sorted order; None for regression.
        mean: What is taken from a number.
        scale: What it is then divided by.
    """

    name: str
    task: Task
    why: str
    classes: tuple[Label, ...] | None
    mean: float = 0.0
    scale: float = 1.0

    def encode(self, column: pl.Series, source: str) -> np.ndarray[Any, np.dtype[Any]]:
        """Class indices (int32) or standardised numbers (float32) of the rows of ``column``."""
        import polars as pl

        facts = ColumnFacts(column, None, source)
        _require_complete(facts)
        if self.classes is None:
            _require_read(facts.unread(), column.name, source)
            values = numbers_of(column).to_numpy().astype(np.float64)
            return ((values - self.mean) / self.scale).astype(np.float32)
        labels = pl.Series("label", self.classes)
        keys = labels.to_frame().select(text("label", labels.dtype)).to_series()
        texts = column.to_frame().select(text(column.name, column.dtype)).to_series()
        codes = texts.cast(pl.Enum(keys), strict=False).to_physical().cast(pl.Int32)
        if codes.null_count():
            row = codes.is_null().arg_true()[0]
            offer = nearest(texts[row], keys.to_list())
            raise FalllineError(
                f"Row {row + 1} of {source} has the label {texts[row]!r} in column "
                f"{self.name!r}, which is none of the {len(keys):,} classes of the model: {offer}"
            )
        return codes.to_numpy().astype(np.int32)

    def decode(
        self, prediction: Float[np.ndarray, " n"] | Int[np.ndarray, " n"]
    ) -> np.ndarray[Any, np.dtype[Any]]:
        """The labels of class indices, or numbers (float64) in the user's units."""
        if self.classes is None:
            return np.asarray(prediction, np.float64) * self.scale + self.mean
        return np.asarray(self.classes)[np.asarray(prediction, np.int64)]


def infer_task(series: pl.Series) -> tuple[Task, str]:
    """Tell regression from classification by the target column.

    Texts and truth values are classes; so are two floats 0 and 1, and at most 20 distinct whole
    numbers that come in five rows each on average.

    Returns:
        The task, and a sentence that says why.

    Raises:
        FalllineError: if a column of its kind cannot be predicted.
    """
    return _task(ColumnFacts(series, None, "the table"))


def _task(facts: Facts) -> tuple[Task, str]:
    import polars as pl

    name, dtype = facts.name, facts.dtype
    if sort_of(dtype) in ("dates", "times of day") or dtype == pl.Duration:
        raise FalllineError(
            f"Column {name!r} holds {'durations' if dtype == pl.Duration else sort_of(dtype)}, "
            "which Fallline cannot predict: make it a number first, such as days from a fixed date."
        )
    if dtype == pl.Boolean:
        return "classification", f"{name} holds truth values."
    values = facts.distinct()
    many = f"more than {MOST_DISTINCT:,}" if values is None else f"{len(values):,}"
    if sort_of(dtype) == "texts":
        return "classification", f"{name} holds {many} distinct texts."
    if dtype.is_float() or dtype == pl.Decimal:
        if values is not None and len(values) == 2 and bool(((values == 0) | (values == 1)).all()):
            return "classification", f"{name} holds the numbers 0 and 1 only."
        return "regression", f"{name} holds {many} distinct numbers."
    rows = ""
    if values is not None and len(values) <= MOST_WHOLE_CLASSES:
        if facts.rows >= _ROWS_A_CLASS * len(values):
            return "classification", f"{name} holds {many} distinct whole numbers."
        rows = f" in {facts.rows:,} rows"
    return "regression", f"{name} holds {many} distinct whole numbers{rows}."


def learn_target(facts: Facts, *, task: str = "auto", standardize: bool = True) -> Target:
    """Check a target column, and learn its classes, or its mean and scale.

    The classes come from all rows, for a rare one may have no training row; the mean and the scale
    come from the training rows.

    Raises:
        FalllineError: if the column cannot be learned; the sentence says why.
    """
    if task not in ("auto", "regression", "classification"):
        raise FalllineError(
            f"There is no task called {task!r}: {nearest(task, ['regression', 'classification'])}"
        )
    name, source, dtype = facts.name, facts.source, facts.dtype
    _require_complete(facts)
    if sort_of(dtype) == "texts" and task != "classification":
        advice = "Correct those cells, or ask for the task 'classification'."
        reads_as_numbers(facts.slips(), name, source, advice)
    inferred, why = _task(facts)
    chosen: Task = inferred if task == "auto" else task
    why = why if task == "auto" else f"You asked for {task}."
    for training in (False, True):
        only = facts.only(training=training)
        if only is not None:
            where = f"the {facts.trained:,} training rows of {source}" if training else source
            what = "one class" if chosen == "classification" else "one number"
            raise FalllineError(
                f"The target column {name!r} holds only {what} in {where}, {only[0]!r}: there is "
                "nothing to tell apart. Choose another target, or other rows."
            )
    if chosen == "classification":
        values = facts.distinct()
        other = "." if sort_of(dtype) == "texts" else ", or the task regression."
        if values is None:
            raise FalllineError(
                f"The target column {name!r} of {source} has more than {MOST_DISTINCT:,} classes, "
                f"more than are learned from a table that is streamed: choose another target{other}"
            )
        if len(values) == facts.rows:
            raise FalllineError(
                f"The target column {name!r} of {source} has a class of its own for each of its "
                f"{facts.rows:,} rows, so no class can be learned: choose another target{other}"
            )
        labels = values.to_frame().select(label_of(values)).to_series().unique().to_list()
        return Target(name, chosen, why, tuple(sorted(labels)))
    _require_read(facts.unread(), name, source)
    if not standardize:
        return Target(name, chosen, why, None)
    mean, scale = facts.moments()
    return Target(name, chosen, why, None, mean, scale or 1.0)


def label_of(column: pl.Series) -> pl.Expr:
    """A label as JSON can hold it: whole numbers as integers, whatever they are stored as."""
    import polars as pl

    if sort_of(column.dtype) == "texts":
        return pl.col(column.name).cast(pl.String)
    if column.dtype.is_float() or column.dtype == pl.Decimal:
        values = column.cast(pl.Float64)
        whole = bool((values == values.round()).all()) and bool((values.abs() < 2**53).all())
        return pl.col(column.name).cast(pl.Int64 if whole else pl.Float64)
    return pl.col(column.name)


def _require_read(spot: Spot, name: str, source: str) -> None:
    if spot.count:
        raise FalllineError(
            f"The target column {name!r} of {source} cannot be learned as a number: {spot.where} "
            f"holds {spot.value!r}. Correct it, or ask for the task 'classification'."
        )


def _require_complete(facts: Facts) -> None:
    """A row without a target teaches nothing, and must not vanish without a word."""
    import polars as pl

    name, source, gaps = facts.name, facts.source, facts.gaps()
    if gaps.count == facts.rows:
        raise FalllineError(f"The target column {name!r} of {source} is empty in every row.")
    if gaps.count:
        several = gaps.count > 1
        where = f"{gaps.count:,} rows, the first of them {gaps.where}" if several else gaps.where
        raise FalllineError(
            f"The target column {name!r} of {source} is missing in {where}: remove such rows, for "
            "there is nothing to learn from them."
        )
    if facts.dtype.is_float() or facts.dtype == pl.Decimal:
        wild = facts.wild()
        if wild.count:
            raise FalllineError(
                f"The target column {name!r} of {source} is infinite or too large in "
                f"{wild.count:,} of {facts.rows:,} rows, first in {wild.where} "
                f"({wild.value}): correct or remove such rows."
            )
