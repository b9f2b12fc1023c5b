"""The objective: what is minimised, with one signature for models and for functions of the user.

``objective(params, state, batch, key) -> (value, state)``. ``state`` carries what is not trained,
``key`` drives dropout. Padded rows have weight 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from fallline import sparse
from fallline.errors import FalllineError
from fallline.models.products import BFLOAT16
from fallline.tree import hyperparameters, static

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Key, PyTree


class Batch(NamedTuple):
    """Rows of data.

    Attributes:
        x: features, (n, ...), or whatever pytree of rows a user's objective takes.
        y: targets, (n, ...); None inside a user's own batch.
        weights: (n,) or None where every row counts once.
    """

    x: PyTree
    y: Any = None
    weights: Any = None

    def take(self, rows: Array, mask: Array | None) -> Batch:
        """The batch of some rows, those outside the mask at weight 0."""

        def pick(leaf: Any) -> Any:
            if sparse.is_rows(leaf):
                return leaf.take(rows)
            return leaf.at[rows].get(mode="promise_in_bounds")

        batch = jax.tree.map(pick, self, is_leaf=sparse.is_rows)
        if mask is None:
            return batch
        weights = mask if batch.weights is None else batch.weights * mask
        return batch._replace(weights=weights)


_UNPENALISED = ("bias", "scale", "shift")


def penalty(params: PyTree, l1: Any, l2: Any) -> Any:
    r"""$\lambda_1 \|\theta\|_1 + \tfrac12 \lambda_2 \|\theta\|_2^2$, either of them None for absent.

    Biases, and the scale and shift of batch normalisation, are left alone.
    """
    leaves = jax.tree_util.tree_flatten_with_path(params)[0]
    leaves = [
        x for path, x in leaves if not (path and getattr(path[-1], "key", "") in _UNPENALISED)
    ]
    value: Any = 0.0
    if l1 is not None:
        value += l1 * sum(jnp.sum(jnp.abs(x)) for x in leaves)
    if l2 is not None:
        value += 0.5 * l2 * sum(jnp.sum(x * x) for x in leaves)
    return value


def per_example(values: Array, prediction: Array) -> Array:
    """The values of a loss or a score, once it is sure that there is one an example.

    Raises:
        FalllineError: otherwise; broadcast against the weights they would make a wrong number.
    """
    if jnp.shape(values) != prediction.shape[:1]:
        raise FalllineError(
            "A loss must give one number an example, neither summed nor averaged, shape "
            f"({prediction.shape[0]},); this one gave shape {jnp.shape(values)}."
        )
    return values


def weighted_mean(values: Array, weights: Array | None) -> Array:
    """The mean of per-example values; 0 where all weights are 0."""
    if weights is None:
        return jnp.mean(values)
    total = jnp.sum(weights)
    return jnp.sum(values * weights) / jnp.where(total > 0, total, 1.0)


def batch_mean(values: Array, weights: Array | None) -> Array:
    """A batch's share in the weighted mean over all rows, whose weights have the mean 1.

    Divided by the rows that count, not by their weights: otherwise weights would cancel out in small
    batches, and altogether in batches of one row.
    """
    if weights is None:
        return jnp.mean(values)
    count = jnp.sum(weights > 0)
    return jnp.sum(values * weights) / jnp.maximum(count, 1)


@hyperparameters
class ModelObjective:
    r"""The weighted mean loss of a model plus penalties.

    $$\frac1b \sum_{i=1}^b w_i\, \ell(f_\theta(x_i), y_i)
      + \lambda_1 \|\theta\|_1 + \tfrac12 \lambda_2 \|\theta\|_2^2$$

    over the $b$ rows of a batch; the weights have the mean 1 over all rows. The penalties leave biases
    alone. With the half, the gradient of the second is $\lambda_2\theta$.

    Attributes:
        model: a `fallline.models.Model`.
        loss: ``(prediction, target) -> (n,)``.
        score: like the loss, averaged over the validation rows and reported (accuracy, say), or None.
        l1: $\lambda_1$, or None for no such term.
        l2: $\lambda_2$, or None for no such term.
        scale: $s$, if the loss is to see $s f_\theta(x)$ and $s y$, and to be divided by $s$: targets of any
            size for a loss with a size of its own (Huber's). The score sees them as they are.
        precision: of the layers' products in training; "bfloat16" rounds what they multiply.
    """

    model: Any = static()
    loss: Any = static()
    score: Any = static(default=None)
    l1: Any = None
    l2: Any = None
    scale: Any = None
    precision: Any = static(default="float32")

    weighted = True
    """Padded rows can be weighed away."""

    @property
    def random(self) -> bool:
        """Does a step draw random numbers?"""
        return self.model.random

    def __call__(
        self, params: PyTree, state: PyTree, batch: Batch, key: Key[Array, ""] | None = None
    ) -> tuple[Float[Array, ""], PyTree]:
        """The objective's value on a batch, and the model's new state."""
        mask = None if batch.weights is None else batch.weights > 0
        model = self.model
        if self.precision == BFLOAT16:
            model = model.layers.in_precision(self.precision)
        prediction, state = model.apply(params, state, batch.x, key=key, training=True, mask=mask)
        value = self.of_prediction(prediction, batch.y, batch.weights)
        value += penalty(params, self.l1, self.l2)
        return value.astype(prediction.dtype), state

    def of_prediction(self, prediction: Array, y: Array, weights: Array | None) -> Array:
        """The value on a batch by what the model predicts for it, without penalties."""
        return batch_mean(self._losses(prediction, y), weights)

    def evaluate(self, params: PyTree, state: PyTree, batch: Batch) -> tuple[Array, Array]:
        """The mean loss without penalties and the mean score, as in prediction."""
        prediction, _ = self.model.apply(params, state, batch.x)
        score = jnp.full((), jnp.nan, prediction.dtype)
        if self.score is not None:
            scores = per_example(self.score(prediction, batch.y), prediction)
            score = weighted_mean(scores, batch.weights)
        return weighted_mean(self._losses(prediction, batch.y), batch.weights), score

    def _losses(self, prediction: Array, y: Array) -> Array:
        if self.scale is None:
            return per_example(self.loss(prediction, y), prediction)
        return (
            per_example(self.loss(self.scale * prediction, self.scale * y), prediction) / self.scale
        )


@hyperparameters
class UserObjective:
    """A user's ``f(params, batch) -> scalar``, lifted to the engine's signature.

    The function knows nothing of weights, so the last, smaller batch of an epoch reaches it as a
    smaller batch, never padded.

    Attributes:
        function: $f$; ``batch`` is what the user gave as data, with fewer rows.
        alone: call ``f(params)``, for a function that takes no data.
        l1: as in `ModelObjective`.
        l2: as in `ModelObjective`.
    """

    function: Any = static()
    alone: bool = static(default=False)
    l1: Any = None
    l2: Any = None

    weighted = False
    random = False

    def _call(self, params: PyTree, batch: Batch) -> Any:
        return self.function(params) if self.alone else self.function(params, batch.x)

    def __call__(
        self, params: PyTree, state: PyTree, batch: Batch, key: Key[Array, ""] | None = None
    ) -> tuple[Float[Array, ""], PyTree]:
        """The function's value on a batch, plus penalties."""
        value = self._value(params, batch)
        return value + penalty(params, self.l1, self.l2), state

    def _value(self, params: PyTree, batch: Batch) -> Array:
        value = jnp.asarray(self._call(params, batch))
        if value.ndim:
            raise FalllineError(
                f"The objective must give one number; it gave an array of shape {value.shape}."
            )
        return value

    def evaluate(self, params: PyTree, state: PyTree, batch: Batch) -> tuple[Array, Array]:
        """The function's value on the validation rows; there is no score."""
        value = self._value(params, batch)
        return value, jnp.full_like(value, jnp.nan)
