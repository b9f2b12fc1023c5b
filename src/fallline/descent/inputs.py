"""What a user gives to training, checked: rows, weights, parameters, losses, penalties."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline import losses, sparse, tree
from fallline.descent import batches, stopping
from fallline.descent.objective import Batch
from fallline.errors import FalllineError
from fallline.models import Model

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import PyTree


def numeric(values: Any) -> Any:
    """An array of numbers; a sentence if it holds anything else. Long floats get the default length.

    Sparse tables are `scipy.sparse`'s CSR until `hold_out` has split them.
    """
    if sparse.is_sparse(values) or sparse.is_rows(values):
        return sparse.canonical(values.to_csr() if sparse.is_rows(values) else values)
    try:
        array = np.asarray(values)
    except ValueError:
        raise FalllineError("Training needs arrays of numbers, with rows of one length.") from None
    kind = jnp.result_type(float)
    if array.dtype == object or array.dtype.kind not in "fiub":
        raise FalllineError(f"Training needs arrays of numbers; one of them holds {array.dtype}.")
    # A number too large for single precision becomes infinite, and is told as such.
    with np.errstate(over="ignore"):
        wide = array.dtype.kind == "f" and array.dtype.itemsize > 4
        return array.astype(kind) if wide else array


def labelled_rows(data: Any) -> Batch:
    """Check (X, y) or (X, y, weights) and make a batch of it."""
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        raise FalllineError("Training data must be (X, y) or (X, y, weights).")
    x, y = numeric(data[0]), numeric(data[1])
    if sparse.is_sparse(data[0]) and sparse.small(x):
        x = x.toarray()
    x = x if x.dtype.kind == "f" else x.astype(jnp.result_type(float))
    weights = None if len(data) == 2 or data[2] is None else numeric(data[2])
    if sparse.is_sparse(y) or sparse.is_sparse(weights):
        raise FalllineError("Only X may be sparse: give y and the weights as arrays, y.toarray().")
    if x.ndim == 0 or (weights is not None and weights.ndim != 1):
        raise FalllineError("X needs a row for each example, and weights one number for each.")
    for name, array in (("y", y), ("the weights", weights)):
        if array is not None and (array.ndim == 0 or len(array) != x.shape[0]):
            found = len(array) if array.ndim else "none"
            raise FalllineError(
                f"X has {x.shape[0]} rows and {name} {found}; they must have the same."
            )
    for name, array in (("X", x), ("y", y), ("The weights", weights)):
        if array is None or array.dtype.kind != "f":
            continue
        stored = array.data if sparse.is_sparse(array) else array
        if not np.isfinite(stored).all():
            row = int(np.argwhere(~np.isfinite(stored))[0][0])
            if sparse.is_sparse(array):
                row = int(np.searchsorted(array.indptr, row, side="right")) - 1
            raise FalllineError(f"{name} must hold finite numbers; row {row} does not.")
    if weights is not None:
        if (weights < 0).any() or not weights.any():
            raise FalllineError("Weights must not be negative, and not all of them 0.")
        weights = weights.astype(x.dtype)
    return Batch(x, y, weights)


def with_mean_weight_1(rows: Batch) -> Batch:
    """The rows with their weights, where they have any, brought to the mean 1 over those that count."""
    if rows.weights is None or not (rows.weights > 0).any():
        return rows
    wide = rows.weights.astype(np.float64)
    scaled = wide / wide[wide > 0].mean()
    return rows._replace(weights=scaled.astype(rows.weights.dtype))


def padded(rows: Batch, count: int) -> Batch:
    """The rows with others of weight 0 after them, ``count`` in all.

    These are copies of the first: a loss of the user's own may be infinite on a row of zeros, and
    infinity times 0 is not 0.
    """
    have = count_rows(rows)

    def fill(leaf: Any) -> Any:
        if sparse.is_rows(leaf):
            return leaf.padded(count)
        return np.concatenate([leaf, np.repeat(leaf[:1], count - have, axis=0)])

    kind = jnp.result_type(float)
    weights = np.ones(have, kind) if rows.weights is None else rows.weights
    filled = jax.tree.map(fill, rows, is_leaf=sparse.is_rows)
    return filled._replace(weights=np.pad(weights, (0, count - have)))


def check_classes(y: Any, classes: int) -> None:
    """Class indices must be among the model's outputs: others would turn up as NaN or wrap around."""
    if y.size != len(y):
        return
    wrong = (y < 0) | (y >= classes) | (y % 1 != 0)
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        raise FalllineError(
            f"A model with {classes} outputs takes the classes 0 to {classes - 1}; row {row} of y holds "
            f"{y.reshape(-1)[row]}."
        )


def parameters(model: Any, params: PyTree) -> PyTree:
    """Parameters to start from as arrays, whole numbers as floats, checked against the model."""

    def parameter(leaf: Any) -> Any:
        array = jnp.asarray(leaf)
        real = jnp.issubdtype(array.dtype, jnp.inexact)
        return array if real else array.astype(jnp.result_type(float))

    params = jax.tree.map(parameter, params)
    if isinstance(model, Model):
        wanted = jax.eval_shape(model.init, jax.random.PRNGKey(0))
        needed, given = (
            dict(zip(tree.names(t), map(jnp.shape, jax.tree.leaves(t)), strict=True))
            for t in (wanted, params)
        )
        if needed != given:
            raise FalllineError(
                f"These parameters do not fit the model, which has {needed}; they have {given}."
            )
    return params


def count_rows(rows: Batch) -> int:
    """How many rows all arrays have; a sentence if they differ. Data without arrays is one row."""
    leaves = jax.tree.leaves(rows.x, is_leaf=sparse.is_rows)
    counts = {leaf.shape[0] if leaf.ndim else 0 for leaf in leaves}
    if len(counts) > 1:
        raise FalllineError(f"All arrays of the data must have the same rows; they have {counts}.")
    return counts.pop() if counts else 1


def numbers_a_row(rows: Batch) -> int:
    """How many numbers are stored of a row on average, over all arrays of the features."""

    def stored(leaf: Any) -> int:
        return int(np.sum(leaf.lengths)) if sparse.is_rows(leaf) else leaf.size

    leaves = jax.tree.leaves(rows.x, is_leaf=sparse.is_rows)
    return sum(map(stored, leaves)) // max(count_rows(rows), 1)


def any_rows(data: Any) -> Batch:
    """The batch of an objective of the user's own: any pytree of arrays and sparse tables."""
    return Batch(jax.tree.map(numeric, data, is_leaf=sparse.is_rows))


def hold_out(
    rows: Batch, validation: Any, seed: int, *, labelled: bool
) -> tuple[Batch, Batch | None]:
    """Split validation rows off, or take those given; sparse tables become `SparseRows`."""
    training, held_out = _split(rows, validation, seed, labelled=labelled)

    def convert(leaf: Any) -> Any:
        return sparse.SparseRows.from_csr(leaf) if sparse.is_sparse(leaf) else leaf

    return jax.tree.map(convert, training), jax.tree.map(convert, held_out)


def _split(rows: Batch, validation: Any, seed: int, *, labelled: bool) -> tuple[Batch, Any]:
    if validation is None:
        return rows, None
    if not isinstance(validation, numbers.Real):
        return rows, labelled_rows(validation) if labelled else any_rows(validation)
    share = float(validation)
    if share == 0:
        return rows, None
    if not 0 < share < 1:
        raise FalllineError(
            f"The validation share must be at least 0 and below 1; it was given {share:g}."
        )
    count = count_rows(rows)
    held = min(max(1, round(count * share)), count - 1)
    if held < 1:
        raise FalllineError(f"{count} row is too few to hold out validation rows.")
    order = batches.generator(seed, 2**63).permutation(count)
    chosen, rest = np.sort(order[:held]), np.sort(order[held:])
    return jax.tree.map(lambda a: a[rest], rows), jax.tree.map(lambda a: a[chosen], rows)


def find_loss(loss: str | Callable[..., Any] | losses.Loss | None) -> losses.Loss:
    """The loss of a name or a function; a function of the user's is taken for a regression's."""
    if loss is None:
        raise FalllineError(
            "A model needs a loss: name one, as in train(model, 'squared_error', data)."
        )
    if isinstance(loss, losses.Loss):
        return loss
    if isinstance(loss, str):
        return losses.by_name(loss)
    for known in losses.LOSSES.values():
        if known.function is loss:
            return known
    if not callable(loss):
        raise FalllineError(f"A loss must be a name or a function; it was given {loss!r}.")
    return losses.Loss(getattr(loss, "__name__", "loss"), loss, "regression", link=lambda x: x)


def accuracy(prediction: Any, target: Any) -> Any:
    """1 where the class is right, else 0, shape (n,)."""
    if prediction.shape[-1] == 1:
        chosen = prediction[..., 0] > 0
        truth = target.reshape(chosen.shape) > 0.5
    else:
        chosen = jnp.argmax(prediction, axis=-1)
        indices = target.size == len(target)
        truth = target.reshape(-1) if indices else jnp.argmax(target, axis=-1)
    return (chosen == truth).astype(prediction.dtype)


def penalty(name: str, value: float | None) -> float | None:
    """A penalty's weight, None for none; a sentence if it is negative."""
    stopping.positive(f"The penalty {name}", value, zero=True)
    return float(value) if value else None
