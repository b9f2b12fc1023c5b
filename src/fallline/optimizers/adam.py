"""Adam and its heirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from fallline.averages import average, unbiased
from fallline.errors import FalllineError
from fallline.optimizers.base import Optimizer, keep_type, register
from fallline.tree import hyperparameters, zeros_like

if TYPE_CHECKING:
    from jaxtyping import PyTree

    from fallline.optimizers.base import State


@register
@hyperparameters
class Adam(Optimizer):
    r"""Momentum and RMSprop together, both averages corrected for their start at zero.

    $$m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
      s_t = \beta_2 s_{t-1} + (1 - \beta_2) g_t^2$$
    $$\hat m_t = \frac{m_t}{1 - \beta_1^t}, \qquad \hat s_t = \frac{s_t}{1 - \beta_2^t}, \qquad
      \theta_{t+1} = \theta_t - \eta_t\, \frac{\hat m_t}{\sqrt{\hat s_t} + \epsilon}$$

    Attributes:
        learning_rate: $\eta$, a number or a schedule.
        beta1: $\beta_1$, the share of the mean that is kept.
        beta2: $\beta_2$, the share of the mean square that is kept.
        epsilon: $\epsilon$, outside the root, after the correction.

    Reference: Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    """

    learning_rate: Any = 0.001
    beta1: Any = 0.9
    beta2: Any = 0.999
    epsilon: Any = 1e-8

    def init(self, params: PyTree) -> State:
        """The state before the first step: both averages are 0."""
        state = super().init(params)
        return {**state, "mean": zeros_like(params), "square": zeros_like(params)}

    def _averages(self, grads: PyTree, state: State) -> State:
        return {
            "step": state["step"] + 1,
            "mean": average(state["mean"], grads, self.beta1),
            "square": average(state["square"], jax.tree.map(jnp.square, grads), self.beta2),
        }

    def _direction(self, grads: PyTree, new: State) -> PyTree:
        mean = unbiased(new["mean"], self.beta1, new["step"])
        square = unbiased(new["square"], self.beta2, new["step"])
        return jax.tree.map(lambda m, s: m / (jnp.sqrt(s) + self.epsilon), mean, square)

    def update(
        self, grads: PyTree, state: State, params: PyTree | None = None, **unused: Any
    ) -> tuple[PyTree, State]:
        """One step; see `Optimizer.update`."""
        rate = self.rate(state)
        new = self._averages(grads, state)
        updates = keep_type(lambda g, d: -rate * d, grads, self._direction(grads, new))
        return updates, new


@register
@hyperparameters
class AMSGrad(Adam):
    r"""Adam whose divisor never falls: the largest mean square so far takes its place.

    $$\bar s_t = \max(\bar s_{t-1}, s_t), \qquad \theta_{t+1} = \theta_t - \eta_t\,
      \frac{\hat m_t}{\sqrt{\bar s_t / (1 - \beta_2^t)} + \epsilon}$$

    The maximum is taken before the correction, as in the paper and in PyTorch (optax takes it after).

    Attributes:
        learning_rate: $\eta$, a number or a schedule.
        beta1: $\beta_1$.
        beta2: $\beta_2$.
        epsilon: $\epsilon$, outside the root.

    Reference: Reddi, Kale & Kumar, "On the convergence of Adam and beyond", ICLR 2018.
    """

    def init(self, params: PyTree) -> State:
        """The state before the first step: averages and maximum are 0."""
        return {**super().init(params), "largest": zeros_like(params)}

    def update(
        self, grads: PyTree, state: State, params: PyTree | None = None, **unused: Any
    ) -> tuple[PyTree, State]:
        """One step; see `Optimizer.update`."""
        rate = self.rate(state)
        new = self._averages(grads, state)
        largest = jax.tree.map(jnp.maximum, state["largest"], new["square"])
        direction = self._direction(grads, {**new, "square": largest})
        updates = keep_type(lambda g, d: -rate * d, grads, direction)
        return updates, {**new, "largest": largest}


@register
@hyperparameters
class AdamW(Adam):
    r"""Adam with weight decay beside the gradient instead of inside it.

    $$\theta_{t+1} = \theta_t - \eta_t \left(
      \frac{\hat m_t}{\sqrt{\hat s_t} + \epsilon} + \lambda\, \theta_t \right)$$

    Attributes:
        learning_rate: $\eta$, a number or a schedule.
        beta1: $\beta_1$.
        beta2: $\beta_2$.
        epsilon: $\epsilon$, outside the root.
        weight_decay: $\lambda$, on every parameter.

    Reference: Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    weight_decay: Any = 0.01

    def update(
        self, grads: PyTree, state: State, params: PyTree | None = None, **unused: Any
    ) -> tuple[PyTree, State]:
        """One step; see `Optimizer.update`; the parameters are needed."""
        rate = self.rate(state)
        new = self._averages(grads, state)
        updates = keep_type(
            lambda g, d, p: -rate * (d + self.weight_decay * p),
            grads,
            self._direction(grads, new),
            needed(self, params),
        )
        return updates, new


@register
@hyperparameters
class NAdam(Adam):
    r"""Adam with Nesterov's look ahead.

    $$\theta_{t+1} = \theta_t - \frac{\eta_t}{\sqrt{\hat s_t} + \epsilon} \left(
      \frac{\beta_1 m_t}{1 - \beta_1^{t+1}} + \frac{(1 - \beta_1) g_t}{1 - \beta_1^t} \right)$$

    With a constant $\beta_1$, as in optax; PyTorch and Keras let it grow along a schedule.

    Attributes:
        learning_rate: $\eta$, a number or a schedule.
        beta1: $\beta_1$.
        beta2: $\beta_2$.
        epsilon: $\epsilon$, outside the root.

    Reference: Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.
    """

    def _direction(self, grads: PyTree, new: State) -> PyTree:
        t = new["step"]
        ahead = average(
            unbiased(new["mean"], self.beta1, t + 1), unbiased(grads, self.beta1, t), self.beta1
        )
        square = unbiased(new["square"], self.beta2, t)
        return jax.tree.map(lambda a, s: a / (jnp.sqrt(s) + self.epsilon), ahead, square)


@register
@hyperparameters
class Lion(Optimizer):
    r"""Steps of one size, in the direction of a sign.

    $$c_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
      \theta_{t+1} = \theta_t - \eta_t (\operatorname{sign}(c_t) + \lambda \theta_t), \qquad
      m_t = \beta_2 m_{t-1} + (1 - \beta_2) g_t$$

    Wants a rate three to ten times smaller than Adam's.

    Attributes:
        learning_rate: $\eta$, a number or a schedule.
        beta1: $\beta_1$, for the direction.
        beta2: $\beta_2$, for the memory.
        weight_decay: $\lambda$, decoupled; None for none.

    Reference: Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023.
    """

    learning_rate: Any = 0.0001
    beta1: Any = 0.9
    beta2: Any = 0.99
    weight_decay: Any = None

    def init(self, params: PyTree) -> State:
        """The state before the first step: the average is 0."""
        return {**super().init(params), "mean": zeros_like(params)}

    def update(
        self, grads: PyTree, state: State, params: PyTree | None = None, **unused: Any
    ) -> tuple[PyTree, State]:
        """One step; see `Optimizer.update`."""
        rate = self.rate(state)
        direction = jax.tree.map(jnp.sign, average(state["mean"], grads, self.beta1))
        if self.weight_decay is not None:
            direction = keep_type(
                lambda d, p: d + self.weight_decay * p, direction, needed(self, params)
            )
        mean = average(state["mean"], grads, self.beta2)
        return keep_type(lambda d: -rate * d, direction), {"step": state["step"] + 1, "mean": mean}


def needed(optimizer: Optimizer, params: PyTree | None) -> PyTree:
    """The parameters, or a sentence that they are missing from the call of ``update``."""
    if params is None:
        raise FalllineError(
            f"{type(optimizer).__name__} decays the parameters and needs them: call "
            "update(grads, state, params)."
        )
    return params
