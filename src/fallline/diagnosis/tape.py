"""A tape: the history of a loop that somebody else wrote, as it comes in."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.descent.history import History
from fallline.descent.loop import EPOCH_FIELDS, LAYER_FIELDS, STEP_FIELDS
from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LOSS, RATE = STEP_FIELDS.index("loss"), STEP_FIELDS.index("learning_rate")


@dataclasses.dataclass
class Tape:
    """Rows of steps and ends of epochs, made into a `History` when asked.

    Attributes:
        leaf_names: one a leaf of the parameters.
        layers: is there a norm of every leaf?
        steps: blocks of rows, each (n, 6).
        leaves: blocks of the same rows, each (n, 3, leaves).
        told: has the loop told its loss?
        ends: of every epoch the steps by then, and its three numbers; training loss None for the mean.
    """

    leaf_names: Sequence[str] = ()
    layers: bool = True
    steps: list[np.ndarray] = dataclasses.field(default_factory=list[np.ndarray])
    leaves: list[np.ndarray] = dataclasses.field(default_factory=list[np.ndarray])
    told: bool = True
    ends: list[tuple[int, Any, Any, Any]] = dataclasses.field(
        default_factory=list[tuple[int, Any, Any, Any]]
    )

    def add(self, steps: np.ndarray, leaves: np.ndarray | None) -> None:
        """Keep some rows."""
        self.steps.append(steps)
        if self.layers and leaves is not None:
            self.leaves.append(leaves)

    def close(self, steps: int, training_loss: Any, validation_loss: Any, score: Any) -> None:
        """An epoch ends after so many steps."""
        if self.ends and steps <= self.ends[-1][0]:
            raise FalllineError(
                "An epoch ended without a step since the last one: close each epoch once, after its steps."
            )
        self.ends.append((steps, training_loss, validation_loss, score))

    @property
    def steps_per_epoch(self) -> int | None:
        """The steps of the first epoch, or None if none has ended."""
        return self.ends[0][0] if self.ends else None

    def history(self, rates: Callable[[int], np.ndarray], steps_per_epoch: int | None) -> History:
        """What was recorded so far; of the steps at the end that are not finite, only the first.

        Args:
            rates: gives learning rates for the first so many steps, for those that were not told.
            steps_per_epoch: cuts the steps into epochs where the loop did not say when one ends.
        """
        rows = np.concatenate(self.steps or [np.zeros((0, len(STEP_FIELDS)))])
        self.steps = [rows]
        leaves = np.concatenate(self.leaves) if self.leaves else None
        self.leaves = [] if leaves is None else [leaves]
        finite = np.flatnonzero(np.isfinite(rows[:, LOSS]))
        fine = int(finite[-1]) + 1 if len(finite) else 0
        count = min(fine + 1, len(rows)) if self.told else len(rows)
        rows = rows[:count].copy()
        untold = np.isnan(rows[:, RATE])
        if untold.any():
            rows[untold, RATE] = rates(count)[untold]
        ends = [end for end in self.ends if end[0] <= count]
        if not self.ends and steps_per_epoch:
            marks = range(steps_per_epoch, fine + 1, steps_per_epoch)
            ends = [(mark, None, None, None) for mark in marks]
        epochs = _epochs(rows[:, LOSS], ends)
        return History(
            {f: rows[:, i] for i, f in enumerate(STEP_FIELDS)},
            {f: epochs[:, i] for i, f in enumerate(EPOCH_FIELDS)},
            *self._of_leaves(leaves, count),
        )

    def _of_leaves(
        self, leaves: np.ndarray | None, count: int
    ) -> tuple[dict[str, np.ndarray], list[str]]:
        """The norms of the leaves that were ever met, and their names."""
        if leaves is None:
            return {}, []
        met: np.ndarray = ~np.all(np.isnan(leaves[:, 2]), axis=0)
        kept = leaves[:count, :, met]
        names = [name for name, known in zip(self.leaf_names, met, strict=True) if known]
        return {f: kept[:, i] for i, f in enumerate(LAYER_FIELDS)}, names


def ending(history: History) -> str:
    """Why the loop ended, as far as its losses tell: "steps" or "non-finite"."""
    return "steps" if len(history) == 0 or np.isfinite(history.loss[-1]) else "non-finite"


def _epochs(losses: np.ndarray, ends: Sequence[tuple[int, Any, Any, Any]]) -> np.ndarray:
    epochs = np.full((len(ends), len(EPOCH_FIELDS)), np.nan)
    begin = 0
    for row, (end, training, validation, score) in zip(epochs, ends, strict=True):
        told = (np.mean(losses[begin:end]) if training is None else training, validation, score)
        row[:] = [np.nan if value is None else float(value) for value in told]
        begin = end
    return epochs
