"""What a run leaves behind: states to go back to, and the numbers of its curves."""

from __future__ import annotations

import bisect
import csv
import io
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

BUDGET = 96 * 2**20
"""Bytes of states that are kept."""

MOST_STATES = 512
"""How many of them at most, however small they are."""

MOST_ROWS = 50_000
"""Rows of metrics that are kept; of more, every other one of the older half is given up."""


class Timeline:
    """States by step within a budget of memory, the further back the fewer.

    Attributes:
        steps: of which a state is kept, rising; the first one always stays.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self.steps: list[int] = []
        self._states: list[Any] = []
        self._sizes: list[int] = []

    @property
    def size(self) -> int:
        """Bytes taken."""
        return sum(self._sizes)

    def add(self, step: int, state: Any) -> None:
        """Keep a state, in the place of another of this step."""
        place = bisect.bisect_left(self.steps, step)
        self._delete(place, place + (self.steps[place : place + 1] == [step]))
        self.steps.insert(place, step)
        self._states.insert(place, state)
        arrays = [leaf for leaf in jax.tree.leaves(state) if isinstance(leaf, np.ndarray)]
        self._sizes.insert(place, sum(array.nbytes for array in arrays))
        while (self.size > self._budget or len(self.steps) > MOST_STATES) and len(self.steps) > 2:
            self._thin()

    def _thin(self) -> None:
        """Give up the state whose loss leaves the smallest gap for its age."""
        newest = self.steps[-1]

        def gap(i: int) -> float:
            return (self.steps[i + 1] - self.steps[i - 1]) / (newest - self.steps[i])

        place = min(range(1, len(self.steps) - 1), key=gap)
        self._delete(place, place + 1)

    def nearest(self, step: int) -> tuple[int, Any]:
        """The last state not after a step."""
        place = bisect.bisect_right(self.steps, step) - 1
        return self.steps[place], self._states[place]

    def forget_after(self, step: int) -> None:
        """Forget the states after a step."""
        self._delete(bisect.bisect_right(self.steps, step), len(self.steps))

    def _delete(self, first: int, end: int) -> None:
        for kept in (self.steps, self._states, self._sizes):
            del kept[first:end]


class Metrics:
    """The rows behind the curves: the step, then for each racer what `fields` names.

    Attributes:
        rows: in the order of their steps.
    """

    fields = ("q25", "median", "q75", "in_minimum", "lost")

    def __init__(self) -> None:
        self.rows: list[np.ndarray] = []

    def add(self, row: np.ndarray) -> bool:
        """Keep a row if it is about a later step than the last."""
        if self.rows and row[0] <= self.rows[-1][0]:
            return False
        self.rows.append(row)
        if len(self.rows) > MOST_ROWS:
            half = len(self.rows) // 2
            self.rows[:half] = self.rows[:half:2]
        return True

    def forget_after(self, step: int) -> None:
        """Forget the rows after a step."""
        while self.rows and self.rows[-1][0] > step:
            self.rows.pop()

    def csv(self, labels: Sequence[str]) -> str:
        """As a table: a line for each step and racer; an empty field where there is no number."""
        out = io.StringIO()
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["step", "racer", *self.fields])
        for row in self.rows:
            parts = row[1:].reshape(len(labels), len(self.fields))
            for label, part in zip(labels, parts, strict=True):
                # Seven digits tell single-precision numbers apart, as they were computed.
                shown = [f"{v:.9g}" if np.isfinite(v) else "" for v in part.tolist()]
                table.writerow([int(row[0]), label, *shown])
        return out.getvalue()
