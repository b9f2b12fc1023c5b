r"""Losses: one number an example, neither summed nor averaged nor weighted.

Every loss is ``loss(prediction, target) -> (n,)``; the objective weighs and averages. ``LOSSES``
holds them by name, with the task each is for and the link from the model's raw output to a
prediction in the target's own units.

To add a loss, write one function here under ``@_loss(...)``; the tests and the command line find it.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from fallline.errors import FalllineError, lookup

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array, Float, Int

    LossFunction = Callable[..., Array]


@dataclasses.dataclass(frozen=True)
class Loss:
    """What the rest of the house needs to know of a loss.

    Attributes:
        name: its name in ``LOSSES``.
        function: ``(prediction, target) -> (n,)``.
        task: "regression" or "classification".
        binary: for two classes by one output (the target is 0 or 1).
        link: raw model output -> mean (regression) or probabilities (classification);
            None where the output has no such reading (the losses of a margin, such as hinge).
        scale_free: the target may be standardised before training.
    """

    name: str
    function: LossFunction
    task: str
    binary: bool = False
    link: Callable[[Array], Array] | None = None
    scale_free: bool = True

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by its name: the functions of JAX behind it do not pickle."""
        try:
            known = by_name(self.name)
        except FalllineError:
            known = None
        if known == self:
            return by_name, (self.name,)
        return Loss, tuple(getattr(self, field.name) for field in dataclasses.fields(self))


LOSSES: dict[str, Loss] = {}


def _loss(task: str, **facts: Any) -> Callable[[LossFunction], LossFunction]:
    def register(function: LossFunction) -> LossFunction:
        name = getattr(function, "__name__", "loss")
        LOSSES[name] = Loss(name, function, task, **facts)
        return function

    return register


def _same(x: Array) -> Array:
    return x


def _real(prediction: Array) -> Array:
    """Whole numbers as floats: as integers they would cut the targets' fractions off."""
    prediction = jnp.asarray(prediction)
    whole = not jnp.issubdtype(prediction.dtype, jnp.floating)
    return prediction.astype(jnp.result_type(float)) if whole else prediction


def _pair(prediction: Array, target: Array) -> tuple[Array, Array]:
    """Bring a column (n, 1) and a vector (n,) together; anything else must agree.

    Plain broadcasting would silently turn them into an (n, n) table of differences.
    """
    prediction, target = _real(prediction), jnp.asarray(target)
    if prediction.shape != target.shape:
        if prediction.ndim == target.ndim + 1 and prediction.shape[-1] == 1:
            prediction = prediction[..., 0]
        elif target.ndim == prediction.ndim + 1 and target.shape[-1] == 1:
            target = target[..., 0]
    if prediction.shape != target.shape:
        raise FalllineError(
            f"The predictions have shape {prediction.shape} and the targets {target.shape}; "
            "a loss needs one target for each prediction."
        )
    return prediction, target.astype(prediction.dtype)


def _per_example(values: Array) -> Array:
    """Average over the outputs of an example, if it has several."""
    return values if values.ndim < 2 else jnp.mean(values, axis=tuple(range(1, values.ndim)))


@_loss("regression", link=_same)
def squared_error(
    prediction: Float[Array, "n *k"], target: Float[Array, "n *k"]
) -> Float[Array, " n"]:
    r"""The squared error $(z - y)^2$, with no factor 1/2; the mean over several outputs.

    Args:
        prediction: $z$, shape (n,), (n, 1) or (n, k).
        target: $y$, shape (n,) or (n, k).
    """
    z, y = _pair(prediction, target)
    return _per_example(jnp.square(z - y))


@_loss("regression", link=_same)
def half_squared_error(
    prediction: Float[Array, "n *k"], target: Float[Array, "n *k"]
) -> Float[Array, " n"]:
    r"""Half the squared error, $\tfrac12 (z - y)^2$, whose derivative is the plain difference."""
    return 0.5 * squared_error(prediction, target)


@_loss("regression", link=_same)
def absolute_error(
    prediction: Float[Array, "n *k"], target: Float[Array, "n *k"]
) -> Float[Array, " n"]:
    r"""The absolute error $|z - y|$; its best constant is the median."""
    z, y = _pair(prediction, target)
    return _per_example(jnp.abs(z - y))


@_loss("regression", link=_same)
def huber(
    prediction: Float[Array, "n *k"], target: Float[Array, "n *k"], delta: float = 1.0
) -> Float[Array, " n"]:
    r"""Huber's loss: a parabola near zero, straight lines beyond.

    $$\tfrac12 r^2 \text{ if } |r| \le \delta, \text{ else } \delta (|r| - \tfrac12 \delta),
    \quad r = z - y$$

    Args:
        prediction: $z$.
        target: $y$.
        delta: $\delta > 0$, where the parabola ends, in the target's units.

    Reference: Huber, "Robust estimation of a location parameter", Ann. Math. Stat. 35 (1964).
    """
    z, y = _pair(prediction, target)
    size = jnp.abs(z - y)
    inner = jnp.minimum(size, delta)
    return _per_example(inner * (size - 0.5 * inner))


@_loss("regression", link=_same)
def log_cosh(prediction: Float[Array, "n *k"], target: Float[Array, "n *k"]) -> Float[Array, " n"]:
    r"""The logarithm of the hyperbolic cosine, $\log\cosh(z - y)$: a smooth Huber.

    Computed as $|r| + \log(1 + e^{-2|r|}) - \log 2$, which does not overflow.
    """
    z, y = _pair(prediction, target)
    r = z - y
    return _per_example(jax.nn.softplus(-2.0 * r) + r - jnp.log(jnp.asarray(2.0, r.dtype)))


@_loss("regression", link=_same)
def quantile(
    prediction: Float[Array, "n *k"], target: Float[Array, "n *k"], q: float = 0.5
) -> Float[Array, " n"]:
    r"""The quantile (pinball) loss $\max(q\,(y - z),\ (q - 1)(y - z))$.

    Its best constant is the q-th quantile of the target.

    Args:
        prediction: $z$.
        target: $y$.
        q: the quantile sought, in (0, 1).

    Reference: Koenker & Bassett, "Regression quantiles", Econometrica 46 (1978).
    """
    z, y = _pair(prediction, target)
    r = y - z
    return _per_example(jnp.maximum(q * r, (q - 1.0) * r))


@_loss("regression", link=_same)
def epsilon_insensitive(
    prediction: Float[Array, "n *k"], target: Float[Array, "n *k"], epsilon: float = 0.1
) -> Float[Array, " n"]:
    r"""The loss of support-vector regression, $\max(0, |z - y| - \varepsilon)$.

    Args:
        prediction: $z$.
        target: $y$.
        epsilon: $\varepsilon \ge 0$, the error that costs nothing, in the units of $y$ as the loss
            is given it (standardised in ``fallline.fit``). With 0 it is the absolute error.

    Reference: Smola & Schölkopf, "A tutorial on support vector regression", Stat. Comput. 14 (2004).
    """
    z, y = _pair(prediction, target)
    return _per_example(jax.nn.relu(jnp.abs(z - y) - epsilon))


@_loss("regression", link=_same)
def squared_epsilon_insensitive(
    prediction: Float[Array, "n *k"], target: Float[Array, "n *k"], epsilon: float = 0.1
) -> Float[Array, " n"]:
    r"""The error beyond $\varepsilon$, squared: $\max(0, |z - y| - \varepsilon)^2$, with no factor 1/2.

    Args:
        prediction: $z$.
        target: $y$.
        epsilon: $\varepsilon \ge 0$, as in ``epsilon_insensitive``. With 0 it is the squared error.

    Reference: Ho & Lin, "Large-scale linear support vector regression", JMLR 13 (2012).
    """
    z, y = _pair(prediction, target)
    return _per_example(jnp.square(jax.nn.relu(jnp.abs(z - y) - epsilon)))


@_loss("regression", link=jnp.exp, scale_free=False)
def poisson(prediction: Float[Array, "n *k"], target: Float[Array, "n *k"]) -> Float[Array, " n"]:
    r"""Poisson's negative log-likelihood of counts, $e^z - y z$, less the constant $\log y!$.

    Args:
        prediction: $z$, the logarithm of the expected count.
        target: $y \ge 0$.
    """
    z, y = _pair(prediction, target)
    return _per_example(jnp.exp(z) - y * z)


@_loss("classification", binary=True, link=jax.nn.sigmoid)
def binary_cross_entropy(
    prediction: Float[Array, "n *k"], target: Float[Array, "n *k"]
) -> Float[Array, " n"]:
    r"""The cross-entropy of two classes, from logits.

    $$-y \log\sigma(z) - (1 - y)\log(1 - \sigma(z)) = y \log(1 + e^{-z}) + (1 - y) \log(1 + e^{z})$$

    Args:
        prediction: $z$, a logit (any real number), shape (n,), (n, 1) or (n, k).
        target: $y$, 0, 1 or a probability between.
    """
    z, y = _pair(prediction, target)
    # softplus(z) - y z is the same, but loses small losses to rounding when z is large.
    return _per_example(y * jax.nn.softplus(-z) + (1.0 - y) * jax.nn.softplus(z))


def _one_hot_or_rows(prediction: Array, target: Array) -> tuple[bool, Array]:
    """Are targets class indices (n,)? Otherwise they are one row of probabilities an example."""
    target = jnp.asarray(target)
    if prediction.ndim != 2:
        raise FalllineError(
            f"This loss needs one column a class, shape (n, classes); it was given predictions of "
            f"shape {prediction.shape}."
        )
    if target.ndim == 2 and target.shape[-1] == 1 and prediction.shape[-1] != 1:
        target = target[:, 0]
    if target.shape not in ((prediction.shape[0],), prediction.shape):
        raise FalllineError(
            f"The predictions have shape {prediction.shape} and the targets {target.shape}; give "
            "one class index an example, or one row of probabilities."
        )
    return target.ndim == 1, target


def _pick(values: Array, index: Array) -> Array:
    # By comparison: the derivative of indexing scatters, which is slow. NaN for what is no class.
    index, classes = index.astype(jnp.int32), values.shape[-1]
    chosen = jnp.arange(classes) == index[:, None]
    picked = jnp.sum(jnp.where(chosen, values, jnp.zeros((), values.dtype)), axis=-1)
    return jnp.where((index >= 0) & (index < classes), picked, jnp.nan)


@_loss("classification", link=functools.partial(jax.nn.softmax, axis=-1))
def softmax_cross_entropy(
    prediction: Float[Array, "n k"], target: Int[Array, " n"] | Float[Array, "n k"]
) -> Float[Array, " n"]:
    r"""The cross-entropy of the softmax, from logits: $\log\sum_j e^{z_j} - \sum_j t_j z_j$.

    Args:
        prediction: $z$, logits, shape (n, k).
        target: class indices, shape (n,), or $t$, one row of probabilities an example, (n, k).
    """
    prediction = _real(prediction)
    indices, target = _one_hot_or_rows(prediction, target)
    # Shifting by the largest logit first keeps small differences between huge logits exact.
    shifted = prediction - jax.lax.stop_gradient(jnp.max(prediction, axis=-1, keepdims=True))
    log_sum = jnp.log(jnp.sum(jnp.exp(shifted), axis=-1))
    if indices:
        return log_sum - _pick(shifted, target)
    target = target.astype(shifted.dtype)
    return log_sum * jnp.sum(target, axis=-1) - jnp.sum(target * shifted, axis=-1)


@_loss("classification", link=_same)
def cross_entropy(
    prediction: Float[Array, "n k"],
    target: Int[Array, " n"] | Float[Array, "n k"],
    clip: float = 1e-7,
) -> Float[Array, " n"]:
    r"""The cross-entropy of probabilities, $-\sum_j t_j \log p_j$, as textbooks write it.

    For training prefer ``softmax_cross_entropy``: from logits nothing is lost to rounding.

    Args:
        prediction: $p$, probabilities that sum to 1, shape (n, k).
        target: class indices, shape (n,), or one row of probabilities an example, (n, k).
        clip: probabilities below it count as it, which keeps the logarithm away from 0.
    """
    prediction = _real(prediction)
    indices, target = _one_hot_or_rows(prediction, target)
    log_p = jnp.log(jnp.clip(prediction, clip, 1.0))
    if indices:
        return -_pick(log_p, target)
    return -jnp.sum(target.astype(log_p.dtype) * log_p, axis=-1)


def _short_of_margin(wanted: float, prediction: Array, target: Array) -> Array:
    r"""By how much the margin m falls short of the one wanted, wanted - m.

    Two classes: $m = s z$ with $s = \pm 1$. Several (Crammer & Singer, JMLR 2, 2001):
    $m = z_y - \max_{j \ne y} z_j$.
    """
    prediction = _real(prediction)
    if prediction.ndim == 2 and prediction.shape[1] > 1:
        indices, target = _one_hot_or_rows(prediction, target)
        if not indices:
            raise FalllineError(
                "This loss needs class indices as targets, not rows of probabilities."
            )
        own = jax.nn.one_hot(target, prediction.shape[1], dtype=bool)
        rival = jnp.max(jnp.where(own, -jnp.inf, prediction), axis=-1)
        return wanted + rival - _pick(prediction, target)
    z, y = _pair(prediction, target)
    return wanted - jnp.where(y > 0, 1.0, -1.0).astype(z.dtype) * z


@_loss("classification", binary=True)
def hinge(
    prediction: Float[Array, "n *k"], target: Float[Array, " n"] | Int[Array, " n"]
) -> Float[Array, " n"]:
    r"""The hinge loss of support-vector machines, $\max(0, 1 - m)$.

    The margin $m$ of two classes is $s z$ with $s = \pm 1$; of several (Crammer & Singer, JMLR 2,
    2001) it is $z_y - \max_{j \ne y} z_j$, the lead over the best rival.

    Args:
        prediction: scores, shape (n,), (n, 1), or (n, k) with one column a class.
        target: for two classes 0/1 or -1/+1, for several the class index; shape (n,).
    """
    return _per_example(jax.nn.relu(_short_of_margin(1.0, prediction, target)))


@_loss("classification", binary=True)
def squared_hinge(
    prediction: Float[Array, "n *k"], target: Float[Array, " n"] | Int[Array, " n"]
) -> Float[Array, " n"]:
    r"""The hinge loss squared, $\max(0, 1 - m)^2$, with no factor 1/2: no kink, and dearer outliers.

    Args:
        prediction: scores, as for ``hinge``, which says what $m$ is.
        target: as for ``hinge``.

    Reference: Chang, Hsieh & Lin, "Coordinate descent method for large-scale L2-loss linear
    support vector machines", JMLR 9 (2008).
    """
    return _per_example(jnp.square(jax.nn.relu(_short_of_margin(1.0, prediction, target))))


@_loss("classification", binary=True)
def modified_huber(
    prediction: Float[Array, "n *k"], target: Float[Array, " n"] | Int[Array, " n"]
) -> Float[Array, " n"]:
    r"""The squared hinge with a straight line for what is far on the wrong side.

    $$\max(0, 1 - m)^2 \text{ if } m \ge -1, \text{ else } -4m$$

    For one output the expected loss is lowest at $z = 2p - 1$, so $(\mathrm{clip}(z, -1, 1) + 1)/2$
    estimates $p$. Several columns tell no probabilities (where none is above 1/2, equal scores are
    best), so there is no link.

    Args:
        prediction: scores, as for ``hinge``, which says what $m$ is.
        target: as for ``hinge``.

    Reference: Zhang, "Solving large scale linear prediction problems using stochastic gradient
    descent algorithms", ICML 2004.
    """
    short = jax.nn.relu(_short_of_margin(1.0, prediction, target))
    # One expression for both parts, as in `huber`: no part overflows where the other is meant.
    inner = jnp.minimum(short, 2.0)
    return _per_example(inner * (2.0 * short - inner))


@_loss("classification", binary=True)
def perceptron(
    prediction: Float[Array, "n *k"], target: Float[Array, " n"] | Int[Array, " n"]
) -> Float[Array, " n"]:
    r"""The perceptron's loss, $\max(0, -m)$: only mistakes cost, and a right answer needs no lead.

    Its derivative at $m = 0$ is that of a mistake, -1, as in the perceptron's rule.

    Args:
        prediction: scores, as for ``hinge``, which says what $m$ is.
        target: as for ``hinge``.

    References: Rosenblatt, "The perceptron", Psychol. Rev. 65 (1958); several classes: Crammer &
    Singer, "Ultraconservative online algorithms for multiclass problems", JMLR 3 (2003).
    """
    short = _short_of_margin(0.0, prediction, target)
    # relu has no slope at 0, and weights that start at 0 would never leave it.
    return _per_example(jnp.where(short < 0, 0.0, short))


_ALLOWED: dict[str, Callable[[float], bool]] = {
    "above 0": lambda v: v > 0,
    "finite and at least 0": lambda v: 0 <= v < math.inf,
    "between 0 and 1": lambda v: 0 < v < 1,
}
# What may follow a loss's name and a colon: a parameter and its values, in words of _ALLOWED.
_PARAMETERS = {
    "huber": ("delta", "above 0"),
    "quantile": ("q", "between 0 and 1"),
    "epsilon_insensitive": ("epsilon", "finite and at least 0"),
    "squared_epsilon_insensitive": ("epsilon", "finite and at least 0"),
    "cross_entropy": ("clip", "between 0 and 1"),
}


@functools.lru_cache
def _with_parameter(loss: Loss, name: str, parameter: str, value: float) -> Loss:
    """The loss with its parameter bound; kept, for jit compiles again for another function."""
    function = functools.partial(loss.function, **{parameter: value})
    return dataclasses.replace(loss, name=name, function=function)


def by_name(name: str) -> Loss:
    """Find a loss by its name, optionally with its parameter: ``"huber"``, ``"quantile:0.9"``.

    The same name gives the same object, so what was compiled for it is found again.

    Raises:
        FalllineError: if there is no such loss, or it takes no parameter, or not that value.
    """
    bare, _, value = name.partition(":")
    loss = lookup("loss", LOSSES, bare)
    if not value:
        return loss
    if bare not in _PARAMETERS:
        raise FalllineError(f"The loss {bare!r} takes no parameter; it was given {value!r}.")
    parameter, words = _PARAMETERS[bare]
    try:
        number = float(value)
    except ValueError:
        raise FalllineError(f"In {name!r}, {parameter} must be a number.") from None
    if not _ALLOWED[words](number):
        raise FalllineError(f"In {name!r}, {parameter} must be {words}.")
    return _with_parameter(loss, name, parameter, number)
