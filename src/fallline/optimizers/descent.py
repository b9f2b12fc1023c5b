"""Plain descent and its two accelerations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax

from fallline.averages import average
from fallline.optimizers.base import Optimizer, keep_type, register
from fallline.tree import hyperparameters, static, zeros_like

if TYPE_CHECKING:
    from jaxtyping import PyTree

    from fallline.optimizers.base import State


@register
@hyperparameters
class SGD(Optimizer):
    r"""Gradient descent: a step against the gradient.

    $$\theta_{t+1} = \theta_t - \eta_t\, g_t$$

    Stable on a quadratic of largest curvature $\lambda$ only for $\eta < 2/\lambda$.

    Attributes:
        learning_rate: $\eta$, a number or a schedule.

    Reference: Robbins & Monro, "A stochastic approximation method", Ann. Math. Stat. 22 (1951).
    """

    learning_rate: Any = 0.01

    def update(
        self, grads: PyTree, state: State, params: PyTree | None = None, **unused: Any
    ) -> tuple[PyTree, State]:
        """One step; see `Optimizer.update`."""
        rate = self.rate(state)
        return keep_type(lambda g: -rate * g, grads), {"step": state["step"] + 1}


@register
@hyperparameters
class Momentum(Optimizer):
    r"""Descent with a velocity that remembers past gradients (the heavy ball).

    $$v_t = \mu\, v_{t-1} + g_t, \qquad \theta_{t+1} = \theta_t - \eta_t\, v_t$$

    With ``average=True`` the velocity is an exponentially weighted average of gradients,
    $v_t = \mu\, v_{t-1} + (1 - \mu)\, g_t$: the same path at a rate $1/(1 - \mu)$ times larger, as
    long as rate and momentum stay constant.

    Attributes:
        learning_rate: $\eta$, a number or a schedule.
        momentum: $\mu$, in [0, 1).
        average: use the averaged form.

    Reference: Polyak, "Some methods of speeding up the convergence of iteration methods", USSR
    Comput. Math. Math. Phys. 4 (1964).
    """

    learning_rate: Any = 0.01
    momentum: Any = 0.9
    average: bool = static(default=False)

    def init(self, params: PyTree) -> State:
        """The state before the first step: the velocity is 0."""
        return {**super().init(params), "velocity": zeros_like(params)}

    def _velocity(self, grads: PyTree, state: State) -> PyTree:
        if self.average:
            return average(state["velocity"], grads, self.momentum)
        return keep_type(lambda g, v: self.momentum * v + g, grads, state["velocity"])

    def update(
        self, grads: PyTree, state: State, params: PyTree | None = None, **unused: Any
    ) -> tuple[PyTree, State]:
        """One step; see `Optimizer.update`."""
        rate = self.rate(state)
        velocity = self._velocity(grads, state)
        updates = keep_type(lambda v: -rate * v, velocity)
        return updates, {"step": state["step"] + 1, "velocity": velocity}


@register
@hyperparameters
class Nesterov(Momentum):
    r"""Momentum that looks ahead: the gradient's share is counted where the velocity leads.

    $$v_t = \mu\, v_{t-1} + g_t, \qquad \theta_{t+1} = \theta_t - \eta_t\,(g_t + \mu\, v_t)$$

    With ``average=True``: $v_t = \mu\, v_{t-1} + (1 - \mu)\, g_t$ and the step is
    $-\eta_t\,((1 - \mu)\, g_t + \mu\, v_t)$.

    Attributes:
        learning_rate: $\eta$, a number or a schedule.
        momentum: $\mu$, in [0, 1).
        average: use the averaged form.

    Reference: Nesterov, Soviet Math. Doklady 27 (1983), in the form of Sutskever et al., "On the
    importance of initialization and momentum in deep learning", ICML 2013.
    """

    def update(
        self, grads: PyTree, state: State, params: PyTree | None = None, **unused: Any
    ) -> tuple[PyTree, State]:
        """One step; see `Optimizer.update`."""
        rate = self.rate(state)
        velocity = self._velocity(grads, state)
        ahead = self._velocity(grads, {"velocity": velocity})
        updates = jax.tree.map(lambda a: (-rate * a).astype(a.dtype), ahead)
        return updates, {"step": state["step"] + 1, "velocity": velocity}
