"""Optimizers that give every parameter a step size of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from fallline.averages import average
from fallline.optimizers.base import Optimizer, keep_type, register
from fallline.tree import hyperparameters, static, zeros_like

if TYPE_CHECKING:
    from jaxtyping import PyTree

    from fallline.optimizers.base import State


@register
@hyperparameters
class AdaGrad(Optimizer):
    r"""Each parameter's rate shrinks with the gradients it has seen.

    $$s_t = s_{t-1} + g_t^2, \qquad
      \theta_{t+1} = \theta_t - \eta_t\, \frac{g_t}{\sqrt{s_t} + \epsilon}$$

    Attributes:
        learning_rate: $\eta$, a number or a schedule.
        epsilon: $\epsilon$, outside the root. The sum starts at 0.

    Reference: Duchi, Hazan & Singer, "Adaptive subgradient methods", JMLR 12 (2011).
    """

    learning_rate: Any = 0.01
    epsilon: Any = 1e-10

    def init(self, params: PyTree) -> State:
        """The state before the first step: no gradient seen."""
        return {**super().init(params), "sum": zeros_like(params)}

    def update(
        self, grads: PyTree, state: State, params: PyTree | None = None, **unused: Any
    ) -> tuple[PyTree, State]:
        """One step; see `Optimizer.update`."""
        rate = self.rate(state)
        total = keep_type(lambda g, s: s + g * g, grads, state["sum"])
        updates = keep_type(lambda g, s: -rate * g / (jnp.sqrt(s) + self.epsilon), grads, total)
        return updates, {"step": state["step"] + 1, "sum": total}


@register
@hyperparameters
class RMSprop(Optimizer):
    r"""Gradients divided by the root of their recent mean square.

    $$s_t = \beta\, s_{t-1} + (1 - \beta)\, g_t^2, \qquad
      \theta_{t+1} = \theta_t - \eta_t\, \frac{g_t}{\sqrt{s_t} + \epsilon}$$

    With ``momentum`` the divided gradient enters a velocity, $v_t = \mu v_{t-1} + g_t / (\cdot)$, and
    the step is $-\eta_t v_t$. With ``centered=True`` the mean square is replaced by the variance,
    $s_t - m_t^2$, where $m_t$ is the average of the gradients.

    Attributes:
        learning_rate: $\eta$, a number or a schedule.
        beta: $\beta$, the share of the mean square that is kept.
        epsilon: $\epsilon$, outside the root.
        momentum: $\mu$, or None for no velocity.
        centered: divide by the standard deviation instead.

    Reference: Tieleman & Hinton, "Lecture 6.5", Coursera (2012); centred: Graves, arXiv:1308.0850.
    """

    learning_rate: Any = 0.001
    beta: Any = 0.9
    epsilon: Any = 1e-8
    momentum: Any = None
    centered: bool = static(default=False)

    def init(self, params: PyTree) -> State:
        """The state before the first step: all averages are 0."""
        state = {**super().init(params), "square": zeros_like(params)}
        if self.centered:
            state["mean"] = zeros_like(params)
        if self.momentum is not None:
            state["velocity"] = zeros_like(params)
        return state

    def update(
        self, grads: PyTree, state: State, params: PyTree | None = None, **unused: Any
    ) -> tuple[PyTree, State]:
        """One step; see `Optimizer.update`."""
        rate = self.rate(state)
        square = average(state["square"], jax.tree.map(jnp.square, grads), self.beta)
        new = {"step": state["step"] + 1, "square": square}
        spread = square
        if self.centered:
            new["mean"] = average(state["mean"], grads, self.beta)
            # Rounding can push a variance of zero just below it.
            spread = jax.tree.map(lambda s, m: jax.nn.relu(s - m * m), square, new["mean"])
        direction = keep_type(lambda g, s: g / (jnp.sqrt(s) + self.epsilon), grads, spread)
        if self.momentum is not None:
            direction = keep_type(lambda d, v: self.momentum * v + d, direction, state["velocity"])
            new["velocity"] = direction
        return keep_type(lambda d: -rate * d, direction), new


@register
@hyperparameters
class AdaDelta(Optimizer):
    r"""RMSprop in which the rate itself is measured, from the size of past updates.

    $$s_t = \beta s_{t-1} + (1 - \beta) g_t^2, \qquad
      d_t = \frac{\sqrt{u_{t-1} + \epsilon}}{\sqrt{s_t + \epsilon}}\, g_t, \qquad
      u_t = \beta u_{t-1} + (1 - \beta) d_t^2, \qquad
      \theta_{t+1} = \theta_t - \eta_t\, d_t$$

    Attributes:
        learning_rate: $\eta$, 1 in the paper.
        beta: $\beta$, the share of both averages that is kept.
        epsilon: $\epsilon$, here inside both roots: it is what starts the first step.

    Reference: Zeiler, "ADADELTA", arXiv:1212.5701 (2012).
    """

    learning_rate: Any = 1.0
    beta: Any = 0.95
    epsilon: Any = 1e-6

    def init(self, params: PyTree) -> State:
        """The state before the first step: both averages are 0."""
        state = super().init(params)
        return {**state, "square": zeros_like(params), "moved": zeros_like(params)}

    def update(
        self, grads: PyTree, state: State, params: PyTree | None = None, **unused: Any
    ) -> tuple[PyTree, State]:
        """One step; see `Optimizer.update`."""
        rate = self.rate(state)
        square = average(state["square"], jax.tree.map(jnp.square, grads), self.beta)
        direction = keep_type(
            lambda g, s, u: jnp.sqrt(u + self.epsilon) / jnp.sqrt(s + self.epsilon) * g,
            grads,
            square,
            state["moved"],
        )
        moved = average(state["moved"], jax.tree.map(jnp.square, direction), self.beta)
        updates = keep_type(lambda d: -rate * d, direction)
        return updates, {"step": state["step"] + 1, "square": square, "moved": moved}
