r"""Products of layers in bfloat16, with sums and gradients in float32.

bfloat16 has float32's range and 8 of its 24 binary digits. Only the factors are rounded to it: what a layer
adds up, its bias, its activation and its gradients stay in float32, and so do the weights themselves.

Reference: Micikevicius et al., "Mixed precision training", ICLR 2018.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import lax

if TYPE_CHECKING:
    from jaxtyping import Array, Float

BFLOAT16 = "bfloat16"


def _forward(x: Array, weights: Array) -> tuple[Array, Any]:
    kept = x.astype(jnp.bfloat16), weights.astype(jnp.bfloat16)
    return lax.dot(*kept, preferred_element_type=jnp.float32), kept


def _backward(kept: Any, slopes: Array) -> tuple[Array, Array]:
    r"""$dX = dY\,W^\top$, $dW = X^\top dY$."""
    x, weights = kept
    slopes = slopes.astype(jnp.bfloat16)
    over_outputs = (((1,), (1,)), ((), ()))
    return (
        lax.dot_general(slopes, weights, over_outputs, preferred_element_type=jnp.float32),
        lax.dot(_transposed(x), slopes, preferred_element_type=jnp.float32),
    )


def _transposed(x: Array) -> Array:
    """The transpose, on a processor written out by rows.

    XLA has fast products in bfloat16 for processors, but only of factors stored by rows: any other one is
    widened to float32 first, which makes the product half as fast. The barrier keeps the copy from
    being undone.
    """
    if jax.default_backend() != "cpu":
        return x.T
    return lax.optimization_barrier(x.T.reshape(-1)).reshape(x.shape[::-1])


@jax.custom_vjp
def product(x: Float[Array, "n inputs"], weights: Float[Array, "inputs k"]) -> Float[Array, "n k"]:
    """The product of two tables in float32, their numbers rounded to bfloat16, the sums not."""
    return _forward(x, weights)[0]


product.defvjp(_forward, _backward)
