"""The target column: what task it makes, and its values as the loss takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fallline.data.kinds import number, reads_as_numbers, sort_of, text
from fallline.errors import FalllineError, nearest

if TYPE_CHECKING:
    import polars as pl
    from jaxtyping import Float, Int

Task = Literal["regression", "classification"]
Label = str | int | bool | float

LARGEST = 1e150
"""The largest number that is taken as one; the square of a larger one overflows."""

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

        _require_complete(column, source)
        if self.classes is None:
            return ((_numbers(column, source) - self.mean) / self.scale).astype(np.float32)
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
    import polars as pl

    name, dtype = series.name, series.dtype
    if sort_of(dtype) in ("dates", "times of day") or dtype == pl.Duration:
        raise FalllineError(
            f"Column {name!r} holds {'durations' if dtype == pl.Duration else sort_of(dtype)}, "
            "which Fallline cannot predict: make it a number first, such as days from a fixed date."
        )
    values = series.drop_nulls()
    distinct = values.n_unique()
    if dtype == pl.Boolean:
        return "classification", f"{name} holds truth values."
    if sort_of(dtype) == "texts":
        return "classification", f"{name} holds {distinct:,} distinct texts."
    if dtype.is_float() or dtype == pl.Decimal:
        if distinct == 2 and bool(((values == 0) | (values == 1)).all()):
            return "classification", f"{name} holds the numbers 0 and 1 only."
        return "regression", f"{name} holds {distinct:,} distinct numbers."
    if distinct <= MOST_WHOLE_CLASSES and len(series) >= _ROWS_A_CLASS * distinct:
        return "classification", f"{name} holds {distinct:,} distinct whole numbers."
    rows = f" in {len(series):,} rows" if distinct <= MOST_WHOLE_CLASSES else ""
    return "regression", f"{name} holds {distinct:,} distinct whole numbers{rows}."


def learn_target(
    column: pl.Series,
    rows: np.ndarray[Any, np.dtype[Any]] | None,
    source: str,
    *,
    task: str = "auto",
    standardize: bool = True,
) -> Target:
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
    name = column.name
    _require_complete(column, source)
    if sort_of(column.dtype) == "texts" and task != "classification":
        reads_as_numbers(
            column, source, "Correct those cells, or ask for the task 'classification'."
        )
    inferred, why = infer_task(column)
    chosen: Task = inferred if task == "auto" else task
    why = why if task == "auto" else f"You asked for {task}."
    train = column if rows is None else column[rows]
    distinct = column.n_unique()
    for part, where in ((column, source), (train, f"the {len(train):,} training rows of {source}")):
        if part.n_unique() == 1:
            what = "one class" if chosen == "classification" else "one number"
            raise FalllineError(
                f"The target column {name!r} holds only {what} in {where}, {part[0]!r}: there is "
                "nothing to tell apart. Choose another target, or other rows."
            )
    if chosen == "classification":
        if distinct == len(column):
            raise FalllineError(
                f"The target column {name!r} of {source} has a class of its own for each of its "
                f"{len(column):,} rows, so no class can be learned: choose another target"
                f"{'.' if sort_of(column.dtype) == 'texts' else ', or the task regression.'}"
            )
        labels = column.to_frame().select(_label(column)).to_series().unique().to_list()
        return Target(name, chosen, why, tuple(sorted(labels)))
    values = _numbers(train, source)
    if not standardize:
        return Target(name, chosen, why, None)
    return Target(name, chosen, why, None, float(values.mean()), float(values.std()) or 1.0)


def _label(column: pl.Series) -> pl.Expr:
    """A label as JSON can hold it: whole numbers as integers, whatever they are stored as."""
    import polars as pl

    if sort_of(column.dtype) == "texts":
        return pl.col(column.name).cast(pl.String)
    if column.dtype.is_float() or column.dtype == pl.Decimal:
        values = column.cast(pl.Float64)
        whole = bool((values == values.round()).all()) and bool((values.abs() < 2**53).all())
        return pl.col(column.name).cast(pl.Int64 if whole else pl.Float64)
    return pl.col(column.name)


def _numbers(column: pl.Series, source: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    values = column.to_frame().select(number(column.name, "", column.dtype)).to_series()
    if values.null_count():
        row = values.is_null().arg_true()[0]
        raise FalllineError(
            f"The target column {column.name!r} of {source} cannot be learned as a number: row "
            f"{row + 1} holds {column[row]!r}. Correct it, or ask for the task 'classification'."
        )
    return values.to_numpy().astype(np.float64)


def _require_complete(column: pl.Series, source: str) -> None:
    """A row without a target teaches nothing, and must not vanish without a word."""
    import polars as pl

    name = column.name
    gaps = column.is_null()
    if column.dtype.is_float():
        gaps = gaps | column.is_nan().fill_null(value=False)
    if gaps.all():
        raise FalllineError(f"The target column {name!r} of {source} is empty in every row.")
    if gaps.any():
        count, row = int(gaps.sum()), gaps.arg_true()[0]
        where = (
            f"row {row + 1}" if count == 1 else f"{count:,} rows, the first of them row {row + 1}"
        )
        raise FalllineError(
            f"The target column {name!r} of {source} is missing in {where}: remove such rows, for "
            "there is nothing to learn from them."
        )
    if column.dtype.is_float() or column.dtype == pl.Decimal:
        wild = ~(column.cast(pl.Float64).abs() <= LARGEST)
        if wild.any():
            row = wild.arg_true()[0]
            raise FalllineError(
                f"The target column {name!r} of {source} is infinite or too large in "
                f"{int(wild.sum()):,} of {len(column):,} rows, first in row {row + 1} "
                f"({column[row]}): correct or remove such rows."
            )
