"""What an estimator's parameters mean: the loss, the optimizer with its schedule and wrappers."""

from __future__ import annotations

import dataclasses
import numbers
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline import losses, optimizers
from fallline.descent.inputs import find_loss
from fallline.descent.problem import with_rate
from fallline.errors import FalllineError
from fallline.jobs.config import parse_schedule
from fallline.schedules import CosineDecay, PolynomialDecay, Schedule, WarmUp

if TYPE_CHECKING:
    from collections.abc import Callable

ALIASES = {"log_loss": "binary_cross_entropy", "squared_loss": "squared_error"}
"""scikit-learn's names of losses that have another name here."""

ACTIVATION_ALIASES = {"logistic": "sigmoid"}
"""scikit-learn's names of activations that have another name here."""

SCHEDULE_ALIASES = {"adaptive": "plateau:0.2:5"}
"""scikit-learn's names of schedules that have another name here."""

_POWERS = {"squared_error": 2, "half_squared_error": 2, "absolute_error": 1, "quantile": 1}
_SIZED = {"huber", "log_cosh", "epsilon_insensitive", "squared_epsilon_insensitive"}


class InvalidInput(FalllineError, ValueError):  # noqa: N818 - read in tracebacks, a sentence follows
    """Something the user can mend, as a ``ValueError``, which scikit-learn's callers expect."""


def loss_of(loss: str | losses.Loss | Callable[..., Any], task: str) -> losses.Loss:
    """The loss of a name (scikit-learn's names too), of an entry of ``LOSSES``, or of a function.

    Raises:
        FalllineError: if there is no such loss, or it is for the other task.
    """
    if isinstance(loss, str):
        bare, _, value = loss.partition(":")
        loss = ALIASES.get(bare, bare) + (f":{value}" if value else "")
    found = find_loss(loss)
    own = isinstance(loss, str | losses.Loss) or known(found)
    if own and found.task != task:
        fitting = ", ".join(name for name, other in losses.LOSSES.items() if other.task == task)
        raise FalllineError(
            f"The loss {found.name!r} is for {found.task}, and this estimator for {task}; choose one "
            f"of {fitting}."
        )
    if own and found.name.partition(":")[0] == "cross_entropy":
        raise FalllineError(
            "cross_entropy takes probabilities, and an estimator's model gives logits; use 'log_loss', "
            "which is the same loss of the same model."
        )
    return found if own else dataclasses.replace(found, task=task, link=None)


def known(loss: losses.Loss) -> bool:
    """Is it one of this house's, and not a function of the user's that has such a name?"""
    try:
        return losses.by_name(loss.name) == loss
    except FalllineError:
        return False


def sized(loss: losses.Loss) -> bool:
    """Has the loss a size of its own, on the target's units, as Huber's delta is?"""
    return known(loss) and loss.name.partition(":")[0] in _SIZED


def scaling_of(loss: losses.Loss) -> int:
    r"""What standardising the target does to a loss.

    Returns:
        The power p for which $\ell(sz, sy) = s^p\,\ell(z, y)$; 1 for a loss that is `sized`, which the
        engine divides by $s$; 0 where the target is left as it is.
    """
    if sized(loss):
        return 1
    return _POWERS.get(loss.name.partition(":")[0], 0) if known(loss) else 0


def schedule_of(schedule: Any, *, steps: int, epoch: int) -> Schedule | None:
    """The schedule of a user's words, whose unit is the epoch; an instance as it is.

    Args:
        schedule: None, words as in ``fallline fit --schedule``, or a `fallline.schedules.Schedule`.
        steps: updates of the whole fit.
        epoch: updates an epoch.
    """
    if schedule is None or isinstance(schedule, Schedule):
        return schedule
    if not isinstance(schedule, str):
        raise FalllineError(
            "schedule must be None, words like 'cosine' or 'exponential:0.95', or one of "
            f"fallline.schedules; it was given {schedule!r}."
        )
    return parse_schedule(SCHEDULE_ALIASES.get(schedule, schedule), steps=steps, epoch=epoch)


def ends_with_the_run(schedule: Any) -> bool:
    """Does the schedule bring the rate down by the last epoch, so that running out of epochs is the plan?"""
    if isinstance(schedule, WarmUp):
        return ends_with_the_run(schedule.then)
    if isinstance(schedule, str):
        then = schedule.partition(":")[2].partition(":")[2]
        if schedule.startswith("warmup"):
            return ends_with_the_run(then)
        return schedule.startswith(("cosine", "polynomial"))
    return isinstance(schedule, CosineDecay | PolynomialDecay)


def optimizer_of(
    optimizer: Any,
    learning_rate: Any,
    schedule: Schedule | None,
    *,
    clip_norm: float | None,
    average: Any,
    batch_size: int,
) -> Any:
    """The optimizer with its rate, its schedule, and what wraps it.

    Args:
        optimizer: a name, an instance, or an optax transformation.
        learning_rate: a number, "auto" (set later), or None for the optimizer's own.
        schedule: how the rate changes from there; None for the one that the optimizer may have.
        clip_norm: the longest gradient, or None.
        average: predict with averaged weights: True (since the start), a whole number (of rows seen
            before averaging begins), a share below 1 (an exponentially weighted average's beta).
        batch_size: rows a step, to turn rows into steps.
    """
    found: Any = optimizers.by_name(optimizer) if isinstance(optimizer, str) else optimizer
    if isinstance(found, type):
        raise FalllineError(
            f"optimizer must be a name or an instance; it was given the class: write {found.__name__}()."
        )
    if not isinstance(found, optimizers.Optimizer):
        if not (hasattr(found, "init") and hasattr(found, "update")):
            raise FalllineError(
                "optimizer must be a name, one of fallline.optimizers, or a transformation of optax's; "
                f"it was given {optimizer!r}."
            )
        if learning_rate is not None or schedule is not None:
            raise FalllineError(
                "A transformation of optax's has its learning rate inside: leave learning_rate_init and "
                "schedule out."
            )
        found = optimizers.from_optax(found)
    if learning_rate is not None and learning_rate != "auto":
        found = with_rate(found, learning_rate)
    if schedule is not None:
        rate = found.learning_rate
        found = found.with_rate(schedule.with_initial(rate.initial if callable(rate) else rate))  # pyright: ignore
    if clip_norm is not None:
        found = optimizers.ClipByGlobalNorm(found, float(clip_norm))
    always = isinstance(average, bool | np.bool_)
    if average and (always or isinstance(average, numbers.Integral)):
        start = 0 if always else -(-int(average) // batch_size)
        return optimizers.PolyakAverage(found, float(start))
    if average:
        return optimizers.EMA(found, float(average))
    return found


def activation_of(activation: Any) -> Any:
    """The activation of a name, scikit-learn's names too; a function as it is."""
    if not isinstance(activation, str):
        return activation
    return ACTIVATION_ALIASES.get(activation, activation)


def hidden_of(sizes: Any) -> tuple[int, ...]:
    """The sizes of hidden layers as a tuple.

    Raises:
        ValueError: if one is not a whole number above 0.
    """
    found = [sizes] if not np.iterable(sizes) else list(sizes)
    whole = all(isinstance(n, numbers.Integral) for n in found)
    if not whole or any(n <= 0 for n in found):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {found}.")
    return tuple(int(n) for n in found)
