r"""The learning-rate range test: a number, found by trying.

First the rate rises exponentially on throw-away parameters, a few steps at each value, until the loss
blows up (Smith, "Cyclical learning rates for training neural networks", WACV 2017). Where the curve has
made 95 % of its fall is within a factor of about ten of a good rate, whatever the optimizer, but a single
rising curve cannot tell more: its early rates have had fewer steps, its late ones start from where the
others led. So five rates around that point are each given the same short run from the same start. The one
that ends with the lowest loss on the validation rows (without such rows, on the batches) is taken, times
0.6: a short run flatters high rates, since neither noise nor overfitting has caught up with them.

Every try goes through the compiled loop of the run itself: nothing is compiled again, unless the run has a
schedule that changes from step to step, which the tries do without.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline.averages import smooth
from fallline.descent.stopping import RUNNING
from fallline.errors import FalllineError

if TYPE_CHECKING:
    from fallline.descent.problem import Problem

LOWEST, HIGHEST = 1e-6, 100.0
RISE = 10**0.25
STEPS_EACH = 5
AROUND = (0.08, 0.25, 0.8, 2.5, 8.0)
TRIAL_STEPS = 150
SHADE = 0.6


@dataclasses.dataclass(frozen=True)
class RangeTest:
    """What was tried, and the rate that was chosen.

    Attributes:
        learning_rate: the choice.
        rates: the rising rates, (n,).
        losses: the mean loss of the steps at each, (n,).
        trials: rate -> mean loss at the end of its own short run; infinite where it blew up.
    """

    learning_rate: float
    rates: np.ndarray
    losses: np.ndarray
    trials: dict[float, float]


def find_learning_rate(problem: Problem) -> RangeTest:
    """Find a learning rate for a problem and its optimizer.

    Costs about 900 steps, fewer where high rates blow up.

    Raises:
        FalllineError: if no rate makes the loss a finite number.
    """
    problem = problem.without_rules()
    order = problem.order(0, 1)
    schedule = problem.optimizer.learning_rate

    def at(rate: float) -> Any:
        kept = getattr(schedule, "steady", False)
        return problem.optimizer.with_rate(schedule.with_initial(rate) if kept else rate)

    carry = problem.begin(at(LOWEST))
    rates: list[float] = []
    losses: list[float] = []
    rate = LOWEST
    while rate <= HIGHEST:
        carry, recorded, _ = _burst(problem, carry, at(rate), order, STEPS_EACH)
        if len(recorded) < STEPS_EACH:
            break
        rates.append(rate)
        losses.append(float(np.mean(recorded)))
        if losses[-1] > losses[0] + 2 * abs(losses[0]) + 1:
            break
        rate *= RISE
    if not rates:
        raise FalllineError(
            "The loss is not a finite number at the start, whatever the learning rate; look at the data, "
            "the loss or the starting parameters."
        )
    anchor = _where_most_has_fallen(np.array(rates), np.array(losses))
    trials = {anchor * a: _trial(problem, at(anchor * a), order) for a in AROUND}
    best = min(trials, key=lambda r: trials[r])
    # Two digits say all there is to say, and read better.
    return RangeTest(float(f"{SHADE * best:.2g}"), np.array(rates), np.array(losses), trials)


def _where_most_has_fallen(rates: np.ndarray, losses: np.ndarray) -> float:
    """The lowest rate at which the smoothed loss has made 95 % of its whole fall."""
    curve = smooth(losses, 0.5)
    high, low = curve[0], curve.min()
    return float(rates[np.argmax(curve <= high - 0.95 * (high - low))])


def _trial(problem: Problem, optimizer: Any, order: Any) -> float:
    """The loss over the last third of a short run: on the validation rows, where there are any."""
    carry, scores = problem.begin(optimizer), []
    for steps in (TRIAL_STEPS - 50, 10, 10, 10, 10, 10):
        carry, recorded, closings = _burst(problem, carry, optimizer, order, steps, closes=True)
        if len(recorded) < steps:
            return np.inf
        # Several looks, since one is at the mercy of its last batch.
        scores.append(np.mean(recorded) if problem.validation is None else closings[-1, 1])
    mean = float(np.mean(scores[1:]))
    return mean if np.isfinite(mean) else np.inf


def _burst(
    problem: Problem, carry: Any, optimizer: Any, order: Any, steps: int, *, closes: bool = False
) -> tuple[Any, np.ndarray, np.ndarray]:
    """Some steps at one rate over and over the first epoch's rows; their losses, and the epochs'."""
    kind = jnp.result_type(float)
    carry = {**carry, "optimizer": jax.tree.map(lambda v: np.asarray(v, kind), optimizer)}
    recorded: list[np.ndarray] = []
    closings: list[np.ndarray] = []
    done, length = 0, problem.plan.steps
    while done < steps and int(carry["stop"]) == RUNNING:
        step = int(carry["step"])
        first = step % length
        if length == 1:
            end, epochs = 1, min(steps - done, problem.shape.capacity)
        else:
            end, epochs = min(first + steps - done, length), 1
        done += (end - first) * epochs
        carry, rows, epoch_rows, _ = problem.advance(
            carry, order, first, end, epochs, closes and done >= steps
        )
        recorded.append(np.asarray(rows)[: int(carry["step"]) - step, 0])
        closings.append(np.asarray(epoch_rows)[:epochs])
    return carry, np.concatenate(recorded), np.concatenate(closings)
