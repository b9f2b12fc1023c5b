"""Batch, stochastic and mini-batch descent: one plan with one number."""

from __future__ import annotations

import dataclasses
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal

import numpy as np

from fallline.errors import FalllineError

BatchSize = int | Literal["auto", "full"]


@dataclasses.dataclass(frozen=True)
class BatchPlan:
    """Which rows each step sees.

    An epoch is one pass over the rows in a new order. Where the size does not divide the rows, the
    last batch of an epoch is smaller: 2000 rows in batches of 64 make 32 steps, the last of 16 rows.

    Attributes:
        rows: rows in the training set.
        size: rows a step: all of them (batch descent), one (stochastic) or some (mini-batch).
        seed: decides the orders, together with the epoch's number.
        shuffle: a new order each epoch; otherwise the rows as they come.
        replacement: draw every row of every batch independently instead.
    """

    rows: int
    size: int
    seed: int = 0
    shuffle: bool = True
    replacement: bool = False

    @property
    def full(self) -> bool:
        """Does one step see all rows, so that there is nothing to draw?"""
        return self.size >= self.rows and not self.replacement

    @property
    def steps(self) -> int:
        """Steps an epoch."""
        return -(-self.rows // self.size)

    @property
    def last(self) -> int:
        """Rows of the last batch of an epoch."""
        return self.rows - (self.steps - 1) * self.size

    def order(self, epoch: int) -> np.ndarray:
        """The rows of an epoch in the order they are seen, shape (steps * size,), int32.

        The places that fill up the last batch hold row 0; their weight is 0.
        """
        padded = np.zeros(self.steps * self.size, np.int32)
        # A counter-based generator: the order of any epoch is found without drawing those before it.
        draw = generator(self.seed, epoch)
        if self.replacement:
            padded[: self.rows] = draw.integers(0, self.rows, self.rows, dtype=np.int32)
        elif self.shuffle:
            padded[: self.rows] = draw.permutation(np.arange(self.rows, dtype=np.int32))
        else:
            padded[: self.rows] = np.arange(self.rows, dtype=np.int32)
        return padded

    def rows_seen(self, steps: int) -> int:
        """Rows seen after so many steps, exactly."""
        epochs, rest = divmod(steps, self.steps)
        return epochs * self.rows + min(rest * self.size, self.rows)

    def __str__(self) -> str:
        if self.full:
            return "one row a step" if self.rows == 1 else f"all {self.rows:,} rows a step"
        if self.last == self.size:
            return f"{self.steps:,} steps an epoch, each of {_rows(self.size)}"
        return (
            f"{self.steps:,} steps an epoch of {_rows(self.size)}, the last of {_rows(self.last)}"
        )


class Orders:
    """The orders of epochs, those to come drawn by a thread while the compiled loop runs."""

    def __init__(self, plan: BatchPlan) -> None:
        self._plan = plan
        self._drawn: dict[int, np.ndarray] = {}
        self._coming: Future[None] | None = None

    def __enter__(self) -> Orders:
        self._thread = ThreadPoolExecutor(1)
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def foresee(self, epoch: int, count: int) -> None:
        """Begin to draw some epochs' orders."""

        def draw() -> None:
            for e in range(epoch, epoch + count):
                if e not in self._drawn:
                    self._drawn[e] = self._plan.order(e)

        if not self._plan.full:
            self._coming = self._thread.submit(draw)

    def take(self, epoch: int) -> np.ndarray:
        """`BatchPlan.order`, each at most once."""
        if self._coming:
            self._coming.result()
            self._coming = None
        found = self._drawn.pop(epoch, None)
        return self._plan.order(epoch) if found is None else found


def generator(seed: int, stream: int) -> np.random.Generator:
    """A counter-based generator: one of 2**64 independent streams of each seed."""
    return np.random.Generator(np.random.Philox(key=np.array([seed % 2**64, stream], np.uint64)))


def _rows(count: int) -> str:
    return f"{count:,} row" + ("" if count == 1 else "s")


def auto_size(rows: int, columns: int = 1) -> int:
    """The batch size chosen for the user.

    Below 2000 rows the whole set: its gradient is exact and cheap. Above, the power of two in
    64..512 nearest below rows / 128, so that an epoch has a hundred steps or more; wide rows get
    smaller batches, to keep one within 64 MB.
    """
    if rows < 2000:
        return rows
    size = 2 ** int(np.log2(rows / 128))
    fits = 2 ** int(np.log2(max(64 * 2**20 / (4 * max(columns, 1)), 1)))
    return int(np.clip(min(size, fits), 64, 512))


def default_epochs(plan: BatchPlan) -> int:
    """How long a run may go on if the user does not say: 100 epochs, or enough for 2000 steps."""
    return max(100, -(-2000 // plan.steps))


def default_patience(plan: BatchPlan) -> int:
    """Epochs without a better validation loss if the user does not say: 10, or enough for 200 steps."""
    return max(10, -(-200 // plan.steps))


def plan(
    rows: int,
    batch_size: BatchSize | str = "auto",
    *,
    columns: int = 1,
    seed: int = 0,
    shuffle: bool = True,
    replacement: bool = False,
) -> BatchPlan:
    """Make a plan from a user's words.

    Args:
        rows: rows in the training set.
        batch_size: "auto", "full", or rows a step; more than there are means all.
        columns: numbers a row, for "auto".
        seed: decides the orders.
        shuffle: a new order each epoch.
        replacement: draw rows with replacement.

    Raises:
        FalllineError: if the batch size is no such thing, or there are no rows.
    """
    if rows < 1:
        raise FalllineError("There are no rows to train on.")
    if batch_size == "auto":
        size = auto_size(rows, columns)
    elif batch_size == "full":
        size = rows
    else:
        try:
            size = int(batch_size)
        except (TypeError, ValueError, OverflowError):
            size = 0
        if size < 1 or size != float(batch_size):
            raise FalllineError(
                f"The batch size must be 'auto', 'full' or a whole number from 1 up; it was given "
                f"{batch_size!r}."
            )
    return BatchPlan(rows, min(size, rows), seed, shuffle, replacement)
