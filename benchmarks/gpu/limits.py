"""What the device can do at most, measured by a large product and a large copy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import lax

if TYPE_CHECKING:
    from collections.abc import Callable


def limits(quick: bool) -> dict[str, Any]:
    """GFLOP/s of products in "float32" (as JAX multiplies by default) and "bfloat16", GB/s of "copy".

    Args:
        quick: smaller tables, for seeing that it runs.
    """
    size, numbers = (256, 2**20) if quick else (8192, 2**28)
    found: dict[str, Any] = {}
    for kind in (jnp.float32, jnp.bfloat16):
        table = jnp.full((size, size), 0.5, kind)
        product = jax.jit(lambda a: lax.dot(a, a, preferred_element_type=jnp.float32))
        found[jnp.dtype(kind).name] = 2e-9 * size**3 / _shortest(product, table)
    # Read once, written once.
    source = jnp.arange(numbers, dtype=jnp.float32)
    found["copy"] = 8e-9 * numbers / _shortest(jax.jit(lambda a: a + 1), source)
    found["how"] = f"products of {size:,} x {size:,}, a copy of {numbers * 4 / 1e6:,.0f} MB"
    return found


def _shortest(work: Callable[[Any], Any], argument: Any) -> float:
    jax.block_until_ready(work(argument))
    took: list[float] = []
    for _ in range(10):
        began = time.perf_counter()
        jax.block_until_ready(work(argument))
        took.append(time.perf_counter() - began)
    return min(took)
