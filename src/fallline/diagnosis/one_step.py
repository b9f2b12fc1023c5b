"""What is measured of a step of somebody else's loop: a few norms and a cosine."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from fallline.descent.loop import LAYER_FIELDS, STEP_FIELDS
from fallline.errors import FalllineError
from fallline.tree import dot, names, norm

if TYPE_CHECKING:
    from jaxtyping import Array, PyTree


def numbers_of(tree: PyTree) -> list[Any]:
    """The leaves that can be trained: arrays of real or complex numbers."""
    return [leaf for leaf in jax.tree.leaves(tree) if inexact(leaf)]


def names_of(tree: PyTree) -> list[str]:
    """Their names."""
    return names(jax.tree.map(lambda leaf: leaf if inexact(leaf) else None, tree))


def inexact(leaf: Any) -> bool:
    """Is it of real or complex numbers? A module may hold functions among its leaves."""
    try:
        return bool(jnp.issubdtype(jnp.result_type(leaf), jnp.inexact))
    except TypeError:
        return False


def deleted(leaf: Any) -> bool:
    """Was its memory given away, to a compiled function that writes in place?"""
    return isinstance(leaf, jax.Array) and leaf.is_deleted()


def measured(
    params: list[Any],
    grads: list[Any],
    updates: list[Any],
    loss: Any,
    previous: list[Any] | None,
    rate: Any,
    *,
    layers: bool,
    previous_norm: Any = None,
) -> dict[str, Array]:
    """What is recorded of a step, each a number, or a vector with one a leaf; pure.

    Raises:
        FalllineError: if the trees do not fit together.
    """
    shapes = [[jnp.shape(x) for x in leaves] for leaves in (params, grads, updates)]
    if not shapes[0] or not shapes[0] == shapes[1] == shapes[2]:
        raise FalllineError(
            "The parameters, the gradient and the updates must be trees of the same arrays, one at least; "
            f"there are {len(params)}, {len(grads)} and {len(updates)} arrays of numbers, "
            f"{sum(map(math.prod, shapes[0]))}, {sum(map(math.prod, shapes[1]))} and "
            f"{sum(map(math.prod, shapes[2]))} numbers in all."
        )
    if jnp.size(loss) != 1:
        raise FalllineError(
            f"The loss must be one number; it was given an array of shape {jnp.shape(loss)}."
        )
    if previous is not None and [jnp.shape(x) for x in previous] != shapes[1]:
        previous = None
    params, grads, updates = ([_real(x) for x in leaves] for leaves in (params, grads, updates))
    each = [[norm(leaf) for leaf in leaves] for leaves in (grads, updates, params)]
    whole = [jnp.sqrt(sum(x * x for x in norms)) for norms in each]
    cosine: Any = math.nan
    if previous is not None:
        before = [_real(x) for x in previous]
        size = norm(before) if previous_norm is None else previous_norm
        cosine = dot(grads, before) / (whole[0] * size)
    kind = jnp.result_type(float)
    values = (jnp.reshape(loss, ()), rate, *whole, cosine)
    found = {f: jnp.asarray(v, kind) for f, v in zip(STEP_FIELDS, values, strict=True)}
    if layers:
        found |= {f: jnp.stack(norms) for f, norms in zip(LAYER_FIELDS, each, strict=True)}
    return found


@functools.partial(jax.jit, static_argnames=("layers",))
def recorded(
    params: list[Any],
    grads: list[Any],
    updates: list[Any],
    loss: Any,
    previous: list[Any] | None,
    last: Array | None,
    *,
    layers: bool,
) -> Array:
    """The same in one vector, which is fetched at once; ``last`` is that of the step before, or None."""
    size = None if last is None else last[STEP_FIELDS.index("gradient_norm")]
    found = measured(
        params, grads, updates, loss, previous, math.nan, layers=layers, previous_norm=size
    )
    return jnp.concatenate([jnp.ravel(value) for value in found.values()])


def _real(x: Any) -> Array:
    """A leaf in single precision at least; a complex one as its two parts."""
    x = jnp.asarray(x)
    if jnp.iscomplexobj(x):
        x = jnp.stack([x.real, x.imag])
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))
