r"""How large a learning rate may be before the local quadratic model of a function becomes unstable.

Around a point a function is nearly a quadratic, $f \approx \frac12 \theta^\top H \theta$, and an optimizer's
step there is nearly a linear map of parameters and velocity. It shrinks distances only up to a certain
learning rate. For plain descent that is $2/\lambda$, with the largest curvature $\lambda$; for every other
optimizer it is something else. With a velocity that keeps the share $\mu$, with $g$ entering the steps $k$
times, and with a decay $\gamma$ beside the gradient, the characteristic polynomial gives

$$\eta < \frac{2 (1 + \mu)}{k \lambda + (1 + \mu) \gamma}.$$

| optimizer | $\mu$ | $k$ |
|---|---|---|
| SGD | 0 | 1 |
| Momentum | $\mu$ | 1 |
| Nesterov | $\mu$ | $1 + 2 \mu$ |
| either with ``average=True`` | $\mu$ | $1 - \mu$ times that |
| AdaGrad, RMSprop, AdaDelta | 0 | 1 |
| RMSprop with momentum | $\mu$ | 1 |
| Adam, AMSGrad, AdamW | $\beta_1$ | $(1 - \beta_1) / (1 - \beta_1^t)$ |
| NAdam | $\beta_1$ | $(1 - \beta_1) (\beta_1 / (1 - \beta_1^{t+1}) + (1 + \beta_1) / (1 - \beta_1^t))$ |
| Lion | 0 | 0 |

Optimizers that divide each gradient by a number $p$ of its own have the curvature $\lambda$ of
$P^{-1/2} H P^{-1/2}$ in place of $H$'s, with $P$ as it stands: it changes slowly beside the steps.

References: Goh, "Why momentum really works", Distill, 2017; Cohen et al., "Gradient descent on neural
networks typically occurs at the edge of stability", ICLR 2021, appendix B; Cohen et al., "Adaptive gradient
methods at the edge of stability", arXiv:2207.14484 (2022), whose preconditioner holds Adam's corrections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from fallline.averages import unbiased
from fallline.errors import FalllineError
from fallline.optimizers.adam import Adam, AdamW, AMSGrad, Lion, NAdam
from fallline.optimizers.adaptive import AdaDelta, AdaGrad, RMSprop
from fallline.optimizers.descent import SGD, Momentum, Nesterov
from fallline.optimizers.transforms import FromOptax, Transform, WeightDecay

if TYPE_CHECKING:
    from jaxtyping import Array, Float, PyTree

    from fallline.optimizers.base import Optimizer, State

SAFE = 0.9
"""Share of the limit up to which a rate is safe; from there to the limit it is at the edge."""


class Linear(NamedTuple):
    r"""The step of an optimizer on a quadratic, as far as stability goes.

    Attributes:
        kept: $\mu$, the share of the velocity that is kept.
        gain: $k$.
        divisor: $P$'s diagonal, a tree like the parameters; None for 1.
        decay: $\gamma$.
    """

    kept: Any = 0.0
    gain: Any = 1.0
    divisor: PyTree = None
    decay: Any = 0.0


def stability_limit(
    optimizer: Optimizer, state: State, hessian: Float[Array, "d d"]
) -> Float[Array, ""]:
    r"""The learning rate at which the local quadratic model becomes unstable.

    It answers for the directions that curve upward: along one that falls away every rate leads away, and
    should. Where none curves upward, and for Lion without decay, the limit is infinite: steps of one size
    in the direction of a sign never grow, whatever the curvature. Clipping is left out of account, as it
    does nothing to small gradients.

    Args:
        optimizer: its learning rate does not matter.
        state: whose averages are in force: that *after* the update in question, as an average that has
            seen no gradient says nothing of it.
        hessian: symmetric, in the order of the parameters' numbers.

    Returns:
        The limit, infinite where there is none; NaN where the Hessian is not finite.

    Raises:
        FalllineError: for an optimizer of optax, whose rule is not known here.

    Examples:
        >>> optimizer = SGD(0.1)
        >>> float(stability_limit(optimizer, optimizer.init(jnp.zeros(2)), jnp.diag(jnp.array([1.0, 4.0]))))
        0.5
    """
    step = linear(optimizer, state)
    matrix = jnp.asarray(hessian)
    if step.divisor is not None:
        root = jnp.sqrt(ravel_pytree(step.divisor)[0])
        # The root of P must not overflow where it has seen no gradient at all.
        matrix = matrix / jnp.maximum(root[:, None] * root[None, :], jnp.finfo(root.dtype).tiny)
    return limit_at(step, _largest(matrix))


def limit_at(step: Linear, largest: Any) -> Float[Array, ""]:
    r"""The learning rate at which a step becomes unstable, see `stability_limit`, by one number.

    Args:
        step: how the optimizer steps, by `linear`.
        largest: the largest eigenvalue of $P^{-1/2} H P^{-1/2}$.
    """
    curvature = step.gain * largest + (1 + step.kept) * step.decay
    limit = 2 * (1 + step.kept) / jnp.where(curvature > 0, curvature, 1.0)
    return jnp.where(jnp.isnan(curvature), jnp.nan, jnp.where(curvature > 0, limit, jnp.inf))


def verdict(rate: float, limit: float) -> str:
    """What a learning rate means at a limit: "safe" below nine tenths of it, "edge" up to it, else "explode".

    "none" where there is no limit.
    """
    if not 0 < limit < float("inf"):
        return "none"
    if rate < SAFE * limit:
        return "safe"
    return "edge" if rate <= limit else "explode"


def _largest(matrix: Float[Array, "d d"]) -> Float[Array, ""]:
    """The largest eigenvalue of a symmetric matrix."""
    if matrix.shape == (2, 2):
        # In closed form: for thousands of small matrices at once LAPACK is slow.
        (a, b), (_, d) = matrix
        return (a + d) / 2 + jnp.hypot((a - d) / 2, b)
    return jnp.linalg.eigvalsh(matrix)[-1]


def linear(optimizer: Any, state: Any) -> Linear:
    """How an optimizer steps on a quadratic, with its averages as they are in a state.

    Raises:
        FalllineError: for an optimizer of optax, whose rule is not known here.
    """
    match optimizer:
        case WeightDecay():
            inner = linear(optimizer.optimizer, state["inner"])
            return inner._replace(decay=inner.decay + optimizer.weight_decay)
        case Transform():
            return linear(optimizer.optimizer, state["inner"])
        case SGD():
            return Linear()
        case Momentum():
            gain = 1 + 2 * optimizer.momentum if isinstance(optimizer, Nesterov) else 1.0
            gain = gain * (1 - optimizer.momentum if optimizer.average else 1.0)
            return Linear(optimizer.momentum, gain)
        case AdaGrad():
            return Linear(divisor=_root(state["sum"], optimizer.epsilon))
        case RMSprop():
            spread = state["square"]
            if optimizer.centered:
                spread = jax.tree.map(lambda s, m: jnp.maximum(s - m * m, 0), spread, state["mean"])
            kept = 0.0 if optimizer.momentum is None else optimizer.momentum
            return Linear(kept, divisor=_root(spread, optimizer.epsilon))
        case AdaDelta():
            e = optimizer.epsilon
            ratio = jax.tree.map(
                lambda s, u: jnp.sqrt(s + e) / jnp.sqrt(u + e), state["square"], state["moved"]
            )
            return Linear(divisor=ratio)
        case Adam():
            return _adam(optimizer, state)
        case Lion():
            decay = 0.0 if optimizer.weight_decay is None else optimizer.weight_decay
            return Linear(gain=0.0, decay=decay)
        case FromOptax():
            raise FalllineError(
                "How an optimizer of optax's steps on a quadratic is not known here."
            )
        case _:
            raise FalllineError(
                f"The stability limit of {type(optimizer).__name__} is not known: give it an entry in "
                "fallline.optimizers.stability."
            )


def _adam(optimizer: Adam, state: State) -> Linear:
    kept, steps = optimizer.beta1, jnp.maximum(state["step"], 1)
    square = state["largest" if isinstance(optimizer, AMSGrad) else "square"]
    divisor = _root(unbiased(square, optimizer.beta2, steps), optimizer.epsilon)
    gain = (1 - kept) / (1 - kept**steps)
    if isinstance(optimizer, NAdam):
        gain = (1 - kept) * (kept / (1 - kept ** (steps + 1)) + (1 + kept) / (1 - kept**steps))
    decay = optimizer.weight_decay if isinstance(optimizer, AdamW) else 0.0
    return Linear(kept, gain, divisor, decay)


def _root(squares: PyTree, epsilon: Any) -> PyTree:
    return jax.tree.map(lambda s: jnp.sqrt(s) + epsilon, squares)
