r"""Plain descent of a linear model on one row of a sparse table a step, at the cost of that row.

The gradient of one row, $\ell'(z)\,x$, is zero wherever the row is. So a step touches the numbers stored of
the row and no others: with 72 of 47,000 columns stored it takes a microsecond or two, where the general
step walks through all 47,000 several times. Loss, steps and records are the same, up to rounding:

$$\|g\| = |\ell'|\,\sqrt{\|x\|^2 + 1}, \qquad
  \|w + s x\|^2 = \|w\|^2 + 2 s\, w^\top x + s^2 \|x\|^2$$

for an update $s = -\eta\,\ell'$, with the 1 for the bias.

What keeps XLA from copying a whole vector: no loop both reads one and writes it at another place, and a
loop that writes follows by its numbers, not only by its order, from those that read before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import lax

from fallline import sparse, tuning
from fallline.descent.objective import ModelObjective
from fallline.descent.stopping import BLEW_UP, RUNNING
from fallline.models import Linear
from fallline.models.products import BFLOAT16
from fallline.optimizers import SGD

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array

    from fallline.descent.objective import Batch

    Carry = dict[str, Any]

_LAYER = "affine1"


def suits(objective: Any, optimizer: Any, data: Batch, size: int) -> bool:
    """Is this descent such a one?"""
    return (
        tuning.on
        and size == 1
        and sparse.is_rows(data.x)
        and type(optimizer) is SGD
        and isinstance(objective, ModelObjective)
        and isinstance(objective.model, Linear)
        and objective.model.outputs == 1
        and objective.l1 is None
        and objective.l2 is None
        and objective.precision != BFLOAT16
    )


def begin(carry: Carry) -> Carry:
    """A run's carry with what `one_step` keeps from step to step of a call; `end` takes it away."""
    weights = carry["params"][_LAYER]["weights"].ravel()
    # No row yet: the last call's gradient may be anywhere.
    return {**carry, "row": jnp.int32(-1), "square": jnp.vdot(weights, weights)}


def end(carry: Carry) -> Carry:
    """The run's own part of a carry."""
    return {name: value for name, value in carry.items() if name not in ("row", "square")}


def one_step(objective: Any, carry: Carry, data: Batch, row: Array) -> tuple[Carry, Array]:
    """The step of `fallline.descent.loop.one_step` on one row, and the record of it."""
    x, kind = data.x, carry["epoch_loss"].dtype
    layer, (*_, previous) = carry["params"][_LAYER], carry["previous"]
    weights = layer["weights"].ravel()
    bias = layer["bias"][0] if "bias" in layer else None

    def at(array: Array, place: Array) -> Array:
        return lax.dynamic_index_in_dim(array, place, keepdims=False)

    def put(array: Array, place: Array, value: Any) -> Array:
        return lax.dynamic_update_index_in_dim(array, jnp.asarray(value, array.dtype), place, 0)

    def over(
        row: Array, count: Array, change: Callable[[Array, Array, Any], Any], begin: Any
    ) -> Any:
        start = at(x.starts, row)
        return lax.fori_loop(
            0,
            count,
            lambda k, c: change(at(x.indices, start + k), at(x.values, start + k), c),
            begin,
        )

    def look(column: Array, value: Array, sums: Any) -> Any:
        product, overlap, square = sums
        product += value * at(weights, column)
        return product, overlap + value * at(previous, column), square + value * value

    stored = at(x.lengths, row)
    product, overlap, square = over(row, stored, look, (jnp.zeros((), weights.dtype),) * 3)

    def loss(z: Array) -> Array:
        weight = None if data.weights is None else at(data.weights, row)[None]
        return objective.of_prediction(z.reshape(1, 1), at(data.y, row)[None], weight)

    value, slope = jax.value_and_grad(loss)(product if bias is None else product + bias)
    optimizer, state = carry["optimizer"], carry["optimizer_state"]
    rate = optimizer.rate(state)
    along, state = optimizer.update(slope, state)
    # Squares first: they overflow where those of the general step do.
    length = square if bias is None else square + 1
    gradient_norm, update_norm = (jnp.sqrt(factor * factor * length) for factor in (slope, along))
    # As there, no update is made where the loss is not finite.
    update_norm = jnp.where(jnp.isfinite(value), update_norm, jnp.nan)
    parameter_square = carry["square"] if bias is None else carry["square"] + bias * bias
    fine = jnp.isfinite(update_norm) & jnp.isfinite(parameter_square)
    along = jnp.where(fine, along, 0)

    # The last gradient leaves its places; before a call's first step these are not known. `square` is
    # asked so that these loops come after the one that reads the last gradient.
    seen, first, last = square >= 0, carry["row"] < 0, jnp.maximum(carry["row"], 0)
    everywhere = jnp.where(seen & first, previous.size, 0)
    kept = lax.fori_loop(0, everywhere, lambda k, g: put(g, k, 0), previous)
    gone = jnp.where(seen & ~first, at(x.lengths, last), 0)
    kept = over(last, gone, lambda column, _, g: put(g, column, 0), kept)
    kept = over(row, stored, lambda column, value, g: put(g, column, slope * value), kept)
    weights = over(
        row, stored, lambda column, value, w: put(w, column, at(w, column) + along * value), weights
    )
    new_layer = {"weights": weights.reshape(layer["weights"].shape)}
    gradient, cosine = [kept], slope * overlap
    if bias is not None:
        new_layer["bias"] = layer["bias"] + along
        gradient = [slope[None], kept]
        cosine += slope * carry["previous"][0][0]
    counted = fine.astype(kind)
    if data.weights is not None:
        counted *= at(data.weights, row) > 0
    record = [
        value,
        rate,
        gradient_norm,
        update_norm,
        jnp.sqrt(jnp.maximum(parameter_square, 0)),
        cosine / (gradient_norm * carry["previous_norm"]),
    ]
    new = {
        **carry,
        "params": {_LAYER: new_layer},
        "optimizer_state": state,
        "previous": gradient,
        "previous_norm": gradient_norm.astype(kind),
        "row": row,
        "square": carry["square"] + 2 * along * product + along * along * square,
        "step": carry["step"] + fine,
        "epoch_loss": carry["epoch_loss"] + counted * value.astype(kind),
        "epoch_gradient_norm": carry["epoch_gradient_norm"] + counted * gradient_norm.astype(kind),
        "epoch_rows": carry["epoch_rows"] + counted,
        "stop": jnp.where(fine, RUNNING, BLEW_UP).astype(jnp.int32),
    }
    return new, jnp.stack([jnp.asarray(r, kind) for r in record])
