r"""Schedules: how the learning rate changes from step to step.

A schedule is a frozen dataclass, called with the step (from 0) and giving the rate; an optimizer
takes one wherever it takes a learning rate. Its numbers are pytree leaves, so that another rate or
another decay runs in the program already compiled. Steps are updates, not epochs.

To add a schedule, write one class here; ``SCHEDULES`` and the tests find it.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Self

import jax.numpy as jnp

from fallline.errors import FalllineError
from fallline.tree import as_floats, hyperparameters, require, static

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Int

    Number = float | Float[Array, ""]
    Step = int | Int[Array, ""]


class Schedule:
    """What every schedule has in common."""

    initial: Any
    steady = False
    """Is the rate the same at every step of an epoch, and of the first epochs?"""

    def __post_init__(self) -> None:
        as_floats(self)
        require(self, "initial", 0.0)

    def __call__(self, step: Step) -> Number:
        """The learning rate of a step, counted from 0."""
        raise NotImplementedError

    def with_initial(self, rate: Number) -> Self:
        """The same schedule starting from another rate."""
        return dataclasses.replace(self, initial=rate)  # pyright: ignore - subclasses are dataclasses

    def observe(self, value: Number) -> Self:
        """The schedule after an epoch that ended with this loss; most do not look at it."""
        return self


@hyperparameters
class Constant(Schedule):
    r"""The same rate at every step: $\eta_t = \eta_0$."""

    initial: Any = 0.01
    steady = True

    def __call__(self, step: Step) -> Number:
        """The rate, whatever the step."""
        return self.initial


@hyperparameters
class ExponentialDecay(Schedule):
    r"""Multiplied by the same factor over and over: $\eta_t = \eta_0\, r^{t / T}$.

    Attributes:
        initial: $\eta_0$.
        rate: $r$, in (0, 1] to decay.
        every: $T$, the steps after which one factor $r$ has been applied.
        staircase: apply the factor at once every T steps, $r^{\lfloor t / T \rfloor}$.
    """

    initial: Any = 0.01
    rate: Any = 0.95
    every: Any = 1.0
    staircase: bool = static(default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "rate", 0.0)
        require(self, "every", 1e-9)

    def __call__(self, step: Step) -> Number:
        """The rate of a step."""
        age = step / self.every
        return self.initial * self.rate ** (jnp.floor(age) if self.staircase else age)


@hyperparameters
class InverseTimeDecay(Schedule):
    r"""Falling like 1/t: $\eta_t = \eta_0 / (1 + k\, t / T)$.

    With $k > 0$ it meets the conditions of Robbins & Monro (1951) for stochastic descent.

    Attributes:
        initial: $\eta_0$.
        rate: $k$.
        every: $T$, in steps.
        staircase: use $\lfloor t / T \rfloor$.
    """

    initial: Any = 0.01
    rate: Any = 1.0
    every: Any = 1.0
    staircase: bool = static(default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "rate", 0.0)
        require(self, "every", 1e-9)

    def __call__(self, step: Step) -> Number:
        """The rate of a step."""
        age = step / self.every
        return self.initial / (1.0 + self.rate * (jnp.floor(age) if self.staircase else age))


@hyperparameters
class StepDecay(Schedule):
    r"""Cut by a factor every so many steps: $\eta_t = \eta_0\, c^{\lfloor t / T \rfloor}$.

    Attributes:
        initial: $\eta_0$.
        factor: $c$.
        every: $T$, in steps.
    """

    initial: Any = 0.01
    factor: Any = 0.5
    every: Any = 1000.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "factor", 0.0)
        require(self, "every", 1e-9)

    def __call__(self, step: Step) -> Number:
        """The rate of a step."""
        return self.initial * self.factor ** jnp.floor(step / self.every)


@hyperparameters
class Piecewise(Schedule):
    r"""Constant between boundaries: ``initial * factors[i]`` from ``boundaries[i]`` on.

    Attributes:
        initial: the rate before the first boundary.
        boundaries: rising steps at which the rate changes.
        factors: what the initial rate is multiplied with from each boundary on; as many.
    """

    initial: Any = 0.01
    boundaries: tuple[Any, ...] = (1000.0,)
    factors: tuple[Any, ...] = (0.1,)

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("boundaries", "factors"):
            values = getattr(self, field)
            if isinstance(values, (tuple, list)):
                floats = tuple(float(v) if type(v) is int else v for v in values)
                object.__setattr__(self, field, floats)
        if len(self.boundaries) != len(self.factors):
            raise FalllineError(
                f"Piecewise needs one factor for each boundary; it was given "
                f"{len(self.boundaries)} boundaries and {len(self.factors)} factors."
            )
        plain = [b for b in self.boundaries if type(b) is float]
        if plain != sorted(plain):
            raise FalllineError("The boundaries of Piecewise must rise from one to the next.")
        if any(type(f) is float and not f >= 0 for f in self.factors):
            raise FalllineError("The factors of Piecewise must be at least 0.")

    def __call__(self, step: Step) -> Number:
        """The rate of a step."""
        factor = 1.0
        for boundary, value in zip(self.boundaries, self.factors, strict=True):
            factor = jnp.where(step >= boundary, value, factor)
        return self.initial * factor


@hyperparameters
class PolynomialDecay(Schedule):
    r"""From the initial rate to the final one along a power; a straight line for power 1.

    $$\eta_t = \eta_{end} + (\eta_0 - \eta_{end})\,(1 - \min(t, T) / T)^p$$

    Attributes:
        initial: $\eta_0$.
        steps: $T$, after which the rate stays at the final one.
        final: the final rate as a share of the initial one, $\eta_{end} / \eta_0$.
        power: $p$.
    """

    initial: Any = 0.01
    steps: Any = 1000.0
    final: Any = 0.0
    power: Any = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "steps", 1e-9)
        require(self, "final", 0.0)
        require(self, "power", 0.0)

    def __call__(self, step: Step) -> Number:
        """The rate of a step."""
        left = 1.0 - jnp.minimum(step, self.steps) / self.steps
        return self.initial * (self.final + (1.0 - self.final) * left**self.power)


@hyperparameters
class CosineDecay(Schedule):
    r"""Half a cosine from the initial rate to the final one.

    $$\eta_t = \eta_{end} + \tfrac12 (\eta_0 - \eta_{end})(1 + \cos(\pi \min(t, T) / T))$$

    Attributes:
        initial: $\eta_0$.
        steps: $T$.
        final: the final rate as a share of the initial one.

    Reference: Loshchilov & Hutter, "SGDR", ICLR 2017, equation 5, without restarts.
    """

    initial: Any = 0.01
    steps: Any = 1000.0
    final: Any = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "steps", 1e-9)
        require(self, "final", 0.0)

    def __call__(self, step: Step) -> Number:
        """The rate of a step."""
        wave = 0.5 * (1.0 + jnp.cos(jnp.pi * jnp.minimum(step, self.steps) / self.steps))
        return self.initial * (self.final + (1.0 - self.final) * wave)


@hyperparameters
class WarmUp(Schedule):
    r"""Rise in a straight line to the first rate of another schedule, then follow it.

    $$\eta_t = \frac{t + 1}{T}\,\eta'_0 \text{ for } t < T, \text{ then } \eta'_{t - T}$$

    Attributes:
        then: the schedule $\eta'$ to follow, or a plain rate.
        steps: $T$, the steps of the rise.

    Reference: Goyal et al., "Accurate, large minibatch SGD", 2017, section 2.2.
    """

    then: Any = 0.01
    steps: Any = 100.0

    def __post_init__(self) -> None:
        as_floats(self)
        require(self, "steps", 1e-9)
        if type(self.then) is float or hasattr(self.then, "dtype"):
            object.__setattr__(self, "then", Constant(self.then))

    @property
    def initial(self) -> Number:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The rate at the top of the rise."""
        return self.then.initial

    def __call__(self, step: Step) -> Number:
        """The rate of a step."""
        rising = self.then(0) * jnp.minimum((step + 1) / self.steps, 1.0)
        return jnp.where(step < self.steps, rising, self.then(jnp.maximum(step - self.steps, 0.0)))

    def with_initial(self, rate: Number) -> WarmUp:
        """The same rise and the same schedule, to another rate."""
        return dataclasses.replace(self, then=self.then.with_initial(rate))

    def observe(self, value: Number) -> WarmUp:
        """Let the schedule that follows see the loss."""
        return dataclasses.replace(self, then=self.then.observe(value))


@hyperparameters
class ReduceOnPlateau(Schedule):
    """Cut the rate when the loss has stopped falling.

    After ``patience`` epochs in a row without a loss below ``(1 - threshold) * best``, the rate is
    multiplied by ``factor``; it never falls below ``minimum``. The loss is the validation loss where
    there is one, else the mean training loss of the epoch. The decision falls between epochs; the last
    three fields are its memory and are not meant to be set.

    Attributes:
        initial: the rate at the start.
        factor: what it is multiplied with at each cut.
        patience: epochs without improvement before a cut.
        threshold: the relative improvement that counts.
        minimum: the lowest rate.
        scale: the product of the cuts so far.
        best: the lowest loss so far.
        waited: epochs since then.
    """

    initial: Any = 0.01
    factor: Any = 0.5
    patience: Any = 10.0
    threshold: Any = 1e-4
    minimum: Any = 0.0
    scale: Any = 1.0
    best: Any = float("inf")
    waited: Any = 0.0
    steady = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "factor", 0.0, 1.0)
        require(self, "patience", 0.0)

    def __call__(self, step: Step) -> Number:
        """The rate now."""
        return jnp.maximum(self.initial * self.scale, self.minimum)

    def observe(self, value: Number) -> ReduceOnPlateau:
        """The schedule after an epoch with this loss."""
        # Negative losses exist (a log-density): improvement is measured on the loss's own size.
        margin = self.threshold * jnp.abs(jnp.where(jnp.isfinite(self.best), self.best, 0.0))
        better = value < self.best - margin
        waited = jnp.where(better, 0.0, self.waited + 1.0)
        cut = waited > self.patience
        return dataclasses.replace(
            self,
            scale=jnp.where(cut, self.scale * self.factor, self.scale),
            best=jnp.where(better, value, self.best),
            waited=jnp.where(cut, 0.0, waited),
        )


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "exponential": ExponentialDecay,
    "inverse": InverseTimeDecay,
    "step": StepDecay,
    "piecewise": Piecewise,
    "polynomial": PolynomialDecay,
    "cosine": CosineDecay,
    "warmup": WarmUp,
    "plateau": ReduceOnPlateau,
}


def rate_at(learning_rate: Any, step: Step) -> Number:
    """The rate of a step, from a number or a schedule."""
    if callable(learning_rate):
        rate: Any = learning_rate(step)
        return rate
    return learning_rate
