"""Wrappers around any optimizer: clip its gradients, decay its weights, average its path.

``ClipByGlobalNorm(Adam(0.001), limit=1.0)`` is an optimizer like any other, and can be wrapped again.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Self

import jax
import jax.numpy as jnp

from fallline.averages import average, unbiased
from fallline.optimizers.adam import needed
from fallline.optimizers.base import Optimizer, import_optax, keep_type
from fallline.optimizers.descent import SGD
from fallline.tree import add, as_floats, hyperparameters, norm, require, static, zeros_like

if TYPE_CHECKING:
    from jaxtyping import Array, Float, PyTree

    from fallline.optimizers.base import State


class Transform(Optimizer):
    """What every wrapper has in common; its state holds the inner one under ``"inner"``."""

    optimizer: Any

    def __post_init__(self) -> None:
        as_floats(self)

    @property
    def learning_rate(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The learning rate of the wrapped optimizer."""
        return self.optimizer.learning_rate

    def init(self, params: PyTree) -> State:
        """The state of the wrapped optimizer, wrapped."""
        return {"inner": self.optimizer.init(params)}

    def rate(self, state: State) -> float | Float[Array, ""]:
        """The learning rate that the next update will use."""
        return self.optimizer.rate(state["inner"])

    def with_rate(self, learning_rate: Any) -> Self:
        """The same wrapper around the same optimizer with another rate."""
        return dataclasses.replace(self, optimizer=self.optimizer.with_rate(learning_rate))  # pyright: ignore

    def observe(self, value: Any) -> Self:
        """Let the wrapped optimizer see the loss of an epoch."""
        return dataclasses.replace(self, optimizer=self.optimizer.observe(value))  # pyright: ignore

    def averaged(self, params: PyTree, state: State) -> PyTree:
        """What the wrapped optimizer predicts with."""
        return self.optimizer.averaged(params, state["inner"])

    def _inner(
        self, grads: PyTree, state: State, params: PyTree | None, unused: dict[str, Any]
    ) -> tuple[PyTree, State]:
        updates, inner = self.optimizer.update(grads, state["inner"], params, **unused)
        return updates, {**state, "inner": inner}


class _Clip(Transform):
    limit: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "limit", 0.0)

    def clip(self, grads: PyTree) -> PyTree:
        """The clipped gradient."""
        raise NotImplementedError

    def update(
        self, grads: PyTree, state: State, params: PyTree | None = None, **unused: Any
    ) -> tuple[PyTree, State]:
        """One step of the wrapped optimizer with the clipped gradient."""
        return self._inner(self.clip(grads), state, params, unused)


def _shrink(size: Array, limit: Any) -> Array:
    """The factor that brings a norm down to the limit; 1 where it is below."""
    return jnp.where(size > limit, limit / jnp.maximum(size, 1e-30), 1.0)


@hyperparameters
class ClipByValue(_Clip):
    r"""Each element of the gradient limited to $[-c, c]$; its direction may turn.

    Attributes:
        optimizer: the wrapped optimizer.
        limit: $c$.
    """

    optimizer: Any = SGD()
    limit: Any = 1.0

    def clip(self, grads: PyTree) -> PyTree:
        """The gradient with every element in [-limit, limit]."""
        return keep_type(lambda g: jnp.clip(g, -self.limit, self.limit), grads)


@hyperparameters
class ClipByNorm(_Clip):
    r"""Each parameter's gradient shortened to norm $c$ if it is longer: $g \min(1, c/\|g\|)$.

    Attributes:
        optimizer: the wrapped optimizer.
        limit: $c$, for each leaf on its own.
    """

    optimizer: Any = SGD()
    limit: Any = 1.0

    def clip(self, grads: PyTree) -> PyTree:
        """The gradient with every leaf's norm at most the limit."""
        return keep_type(lambda g: g * _shrink(norm(g), self.limit), grads)


@hyperparameters
class ClipByGlobalNorm(_Clip):
    r"""The whole gradient shortened to norm $c$ if it is longer; its direction stays.

    Attributes:
        optimizer: the wrapped optimizer.
        limit: $c$, for all leaves together.

    Reference: Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks",
    ICML 2013.
    """

    optimizer: Any = SGD()
    limit: Any = 1.0

    def clip(self, grads: PyTree) -> PyTree:
        """The gradient with its global norm at most the limit."""
        factor = _shrink(norm(grads), self.limit)
        return keep_type(lambda g: g * factor, grads)


@hyperparameters
class WeightDecay(Transform):
    r"""Decoupled weight decay beside any optimizer: $-\eta_t \lambda \theta_t$ is added to its update.

    Attributes:
        optimizer: the wrapped optimizer.
        weight_decay: $\lambda$.

    Reference: Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    optimizer: Any = SGD()
    weight_decay: Any = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "weight_decay", 0.0)

    def update(
        self, grads: PyTree, state: State, params: PyTree | None = None, **unused: Any
    ) -> tuple[PyTree, State]:
        """One step of the wrapped optimizer, and the decay."""
        shrink = self.rate(state) * self.weight_decay
        updates, state = self._inner(grads, state, params, unused)
        return keep_type(lambda u, p: u - shrink * p, updates, needed(self, params)), state


class _Average(Transform):
    def init(self, params: PyTree) -> State:
        """The inner state and an empty average."""
        return {**super().init(params), "average": zeros_like(params), "count": jnp.zeros(())}

    def _record(self, params: PyTree, state: State) -> PyTree:
        raise NotImplementedError

    def update(
        self, grads: PyTree, state: State, params: PyTree | None = None, **unused: Any
    ) -> tuple[PyTree, State]:
        """One step of the wrapped optimizer; the parameters it leads to enter the average."""
        updates, state = self._inner(grads, state, params, unused)
        state = {**state, "count": state["count"] + 1}
        return updates, {
            **state,
            "average": self._record(add(needed(self, params), updates), state),
        }


@hyperparameters
class EMA(_Average):
    r"""Predict with an exponentially weighted average of the parameters, bias-corrected.

    $$a_t = \beta\, a_{t-1} + (1 - \beta)\, \theta_t, \qquad \hat a_t = a_t / (1 - \beta^t)$$

    The descent itself is that of the wrapped optimizer.

    Attributes:
        optimizer: the wrapped optimizer.
        beta: $\beta$; about $1/(1-\beta)$ steps are averaged.
    """

    optimizer: Any = SGD()
    beta: Any = 0.999

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "beta", 0.0, 1.0)

    def _record(self, params: PyTree, state: State) -> PyTree:
        return average(state["average"], params, self.beta)

    def averaged(self, params: PyTree, state: State) -> PyTree:
        """The corrected average of the parameters; the parameters themselves before any step."""
        count = jnp.maximum(state["count"], 1.0)
        mean = unbiased(state["average"], self.beta, count)
        return jax.tree.map(lambda p, a: jnp.where(state["count"] > 0, a, p), params, mean)


@hyperparameters
class PolyakAverage(_Average):
    r"""Predict with the plain mean of the parameters since step ``start``.

    $$\bar\theta_t = \frac{1}{t - t_0} \sum_{i = t_0 + 1}^{t} \theta_i$$

    Attributes:
        optimizer: the wrapped optimizer.
        start: $t_0$, the step from which the mean is taken; until then, the newest parameters.

    Reference: Polyak & Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J.
    Control Optim. 30 (1992).
    """

    optimizer: Any = SGD()
    start: Any = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "start", 0.0)

    def _record(self, params: PyTree, state: State) -> PyTree:
        # Up to the start the newest parameters replace the mean; from there on they join it.
        weight = 1.0 / jnp.maximum(state["count"] - self.start, 1.0)
        return keep_type(lambda a, p: a + weight * (p - a), state["average"], params)

    def averaged(self, params: PyTree, state: State) -> PyTree:
        """The mean of the parameters; the parameters themselves before any step."""
        began = state["count"] > 0
        return jax.tree.map(lambda p, a: jnp.where(began, a, p), params, state["average"])


@hyperparameters
class FromOptax(Optimizer):
    """An optax transformation as an optimizer of this house; see `from_optax`.

    Its hyper-parameters sit inside the transformation, out of sight: another learning rate is
    another program, and the history's learning rate is the one named here, or NaN.
    """

    transformation: Any = static(default=None)
    learning_rate: Any = float("nan")

    def __post_init__(self) -> None:
        as_floats(self)

    def init(self, params: PyTree) -> State:
        """The transformation's state before the first step."""
        return {**super().init(params), "inner": self.transformation.init(params)}

    def update(
        self, grads: PyTree, state: State, params: PyTree | None = None, **unused: Any
    ) -> tuple[PyTree, State]:
        """One step of the transformation."""
        extra = import_optax().with_extra_args_support(self.transformation)
        updates, inner = extra.update(grads, state["inner"], params, **unused)
        return updates, {"step": state["step"] + 1, "inner": inner}


def from_optax(transformation: Any, learning_rate: Any = float("nan")) -> FromOptax:
    """Take an ``optax.GradientTransformation`` (a chain, say) as an optimizer.

    Args:
        transformation: what optax made.
        learning_rate: the rate or schedule to write into the history; it steers nothing.

    Raises:
        FalllineError: if optax is not installed.
    """
    import_optax()
    return FromOptax(transformation, learning_rate)


def averages(optimizer: Any) -> bool:
    """Does the optimizer predict with something else than the newest parameters?"""
    how = type(optimizer).averaged
    if how is Transform.averaged:
        return averages(optimizer.optimizer)
    return how is not Optimizer.averaged
