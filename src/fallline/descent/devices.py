"""What several devices say to each other inside the compiled loop, each with its share of every batch.

Each step they add up their gradients, in one vector together with the loss, which costs one exchange.
Or each descends alone for some steps and then they take the mean of everything that can be averaged
(local SGD: Stich, "Local SGD converges fast and communicates little", ICLR 2019).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import lax

if TYPE_CHECKING:
    from jaxtyping import Array, PyTree

    Carry = dict[str, Any]

_SUMS = ("epoch_loss", "epoch_gradient_norm", "epoch_rows")
"""What a run adds up over an epoch."""


def shared(axis: str, mine: PyTree, count: Array) -> tuple[PyTree, Array]:
    """The mean over all rows of a step, from every device's mean over its own.

    Args:
        axis: the devices' axis.
        mine: this device's loss, untrained state and gradients, means over its rows.
        count: how many rows it had; 0 where a batch ran out of rows.

    Returns:
        The same over all devices' rows, and how many those are.
    """
    leaves, structure = jax.tree.flatten(mine)
    vector = jnp.concatenate([jnp.ravel(leaf) * count for leaf in leaves] + [count[None]])
    total = lax.psum(vector, axis)
    rows = total[-1]
    means = total[:-1] / jnp.maximum(rows, 1)
    found: list[Array] = []
    place = 0
    for leaf in leaves:
        found.append(means[place : place + leaf.size].reshape(leaf.shape).astype(leaf.dtype))
        place += leaf.size
    return jax.tree.unflatten(structure, found), rows


def apart(carry: Carry) -> Carry:
    """A carry whose devices may differ until they meet; what they agree on is kept beside."""
    agreed = {name: carry[name] for name in ("stop", *_SUMS)}
    return {**carry, "agreed": agreed}


def meet(axis: str | None, carry: Carry, now: Array) -> Carry:
    """If it is time, take the means over the devices and see whether one of them has stopped."""
    assert axis is not None
    return lax.cond(now, lambda c: _mean(axis, c), lambda c: c, carry)


def together(axis: str | None, carry: Carry, history: PyTree) -> tuple[Carry, PyTree]:
    """The carry as one again at the end of a call, and the mean of what the devices recorded."""
    assert axis is not None
    carry = _mean(axis, carry)
    agreed = carry["agreed"]
    devices = lax.psum(1, axis)
    for name in _SUMS:
        # Each device has added its own rows to what all had before.
        carry[name] = lax.psum(carry[name], axis) - (devices - 1) * agreed[name]
    carry.pop("agreed")
    return carry, lax.pmean(history, axis)


def _mean(axis: str, carry: Carry) -> Carry:
    """Means of what can be averaged; a run in which one device stopped is stopped."""
    kept = {name: carry[name] for name in ("agreed", "key", *_SUMS)}
    rest = {name: value for name, value in carry.items() if name not in kept}

    def mean(leaf: Array) -> Array:
        return lax.pmean(leaf, axis) if jnp.issubdtype(leaf.dtype, jnp.inexact) else leaf

    rest = jax.tree.map(mean, rest)
    stop, step = lax.pmax(carry["stop"], axis), lax.pmin(carry["step"], axis)
    agreed = {**carry["agreed"], "stop": stop}
    return {**rest, **kept, "stop": stop, "step": step, "agreed": agreed}
