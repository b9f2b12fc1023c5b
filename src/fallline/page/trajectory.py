"""The way of a run through its parameters: the run once more from its seed, with snapshots."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from fallline.descent.stopping import RUNNING
from fallline.tree import names

if TYPE_CHECKING:
    from jaxtyping import Float, PyTree

    from fallline.diagnosis.case import RunCase

SNAPSHOTS = 60
MOST_NUMBERS = 20_000_000
"""Parameters that all snapshots together may hold; fewer snapshots are taken of large models."""


@dataclasses.dataclass(frozen=True)
class Trajectory:
    """Where a run has been.

    Attributes:
        steps: the steps of the snapshots, 0 for the start, (m,).
        places: the parameters there, (m, d); the last is the end.
        end: the parameters at the end as the model takes them.
        state: the untrained state there.
        same: did it end bit by bit where the run did? None if the run no longer knows where it ended.
    """

    steps: list[int]
    places: Float[np.ndarray, "m d"]
    end: PyTree
    state: PyTree
    same: bool | None

    @property
    def ratios(self) -> dict[str, float]:
        """The norm of the last update by that of the parameters before it, by leaf; empty without one."""
        if len(self.steps) < 2 or self.steps[-1] - self.steps[-2] != 1:
            return {}
        before = self.places[-2].astype(np.float64)
        moved = self.places[-1].astype(np.float64) - before
        found: dict[str, float] = {}
        begin = 0
        for name, leaf in zip(names(self.end), jax.tree.leaves(self.end), strict=True):
            part = slice(begin, begin + leaf.size)
            begin += leaf.size
            size = float(np.linalg.norm(before[part]))
            if size > 0:
                found[name] = float(np.linalg.norm(moved[part])) / size
        return found


def goals(steps: int, most: int = SNAPSHOTS) -> list[int]:
    """The steps at which snapshots are taken: all of few, else more early than late, and the last two.

    Examples:
        >>> goals(3)
        [0, 1, 2, 3]
        >>> goals(1000, 6)
        [0, 40, 160, 360, 640, 999, 1000]
    """
    if steps < most:
        return list(range(steps + 1))
    return sorted({steps - 1, *(round(steps * (i / (most - 1)) ** 2) for i in range(most))})


def repeated(case: RunCase, *, seconds: float) -> Trajectory | None:
    """The run once more, for the same seed gives the same bits; nothing is compiled that it had compiled.

    Args:
        case: the run, with the problem that it solved.
        seconds: given up as soon as it would take longer, compiling left aside.

    Returns:
        None if it was given up.
    """
    problem, began = case.problem, math.nan
    assert problem is not None
    carry = problem.begin(problem.optimizer)
    size = sum(leaf.size for leaf in jax.tree.leaves(carry["params"]))
    most = min(SNAPSHOTS, max(8, MOST_NUMBERS // max(size, 1)))
    taken, places, step, since = [0], [flat(carry["params"])], 0, 0
    order: Any = None
    ordered = (-1, 0)
    for goal in goals(case.run.steps, most)[1:]:
        while step < goal and int(carry["stop"]) == RUNNING:
            epoch, first, end, epochs, closes = problem.portion(step, goal - step)
            if ordered[0] != epoch or ordered[1] < epochs:
                order, ordered = problem.order(epoch, epochs), (epoch, epochs)
            carry, *_ = problem.advance(carry, order, first, end, epochs, closes)
            step = int(carry["step"])
            now = time.perf_counter()
            if math.isnan(began):
                # The first call compiles, which says nothing of the pace.
                began, since = now, step
            spent = now - began
            if spent > seconds or (
                spent > 0.5 and spent / (step - since) * case.run.steps > seconds
            ):
                return None
        if step > taken[-1]:
            taken.append(step)
            places.append(flat(carry["params"]))
    return Trajectory(taken, np.stack(places), carry["params"], carry["state"], _same(case, carry))


def flat(params: PyTree) -> Float[np.ndarray, " d"]:
    """All parameters in one vector, leaf after leaf."""
    leaves = [np.asarray(leaf).ravel() for leaf in jax.tree.leaves(params)]
    kind = np.result_type(np.float32, *leaves)
    return np.concatenate([leaf.astype(kind) for leaf in leaves])


def _same(case: RunCase, carry: Any) -> bool | None:
    from fallline import tree

    known = case.run.final.arrays
    found = tree.to_arrays({"params": carry["params"]})
    if not set(found) <= set(known):
        return None
    return all(np.array_equal(array, known[name]) for name, array in found.items())
