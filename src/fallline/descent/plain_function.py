"""Descending functions that JAX cannot trace: plain Python and NumPy, step by step.

The gradient is the user's own or comes from differences. The optimizers are the same; what is lost is the
compiled loop: every step costs a few dozen microseconds on top of the function's own evaluations.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from fallline.descent import minimize_loop as loop
from fallline.descent import stopping
from fallline.descent.line_search import Armijo, Polyak
from fallline.errors import FalllineError
from fallline.optimizers.transforms import averages

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import PyTree

    from fallline.descent.line_search import LineSearch


class PlainFunction:
    """A function called from Python, its gradient by differences or the user's, evaluations counted.

    What the function raises is the user's to see, unchanged.

    Attributes:
        evaluations: calls of the function so far, those for differences included.
        spacing: epsilon of the numbers that it gives, on which the differences' step depends.
    """

    def __init__(
        self,
        call: Callable[..., Any],
        args: tuple[Any, ...],
        gradient: Callable[..., Any] | None,
    ) -> None:
        self._call, self._args, self._gradient = call, args, gradient
        self.evaluations = 0
        self.spacing = float(np.finfo(np.float64).eps)

    def __call__(self, x: PyTree) -> float:
        """The value, a float.

        Raises:
            FalllineError: if the function gives no single real number.
        """
        self.evaluations += 1
        value = self._call(jax.tree.map(np.array, x), *self._args)
        if isinstance(value, (np.floating, np.ndarray, jax.Array)) and value.dtype.kind == "f":
            self.spacing = max(self.spacing, float(np.finfo(value.dtype).eps))
        return real_number(value)

    def gradient(self, x: PyTree) -> PyTree:
        r"""The gradient, a tree like x.

        By central differences with $h = \epsilon^{1/3} \max(1, |x_i|)$, two evaluations for each number; NaN
        where one of them is not finite.
        """
        x = jax.tree.map(lambda leaf: np.array(leaf, np.float64), x)
        if self._gradient is not None:
            return loop.gradient_like(x, self._gradient(x, *self._args), np)
        found = jax.tree.map(np.zeros_like, x)
        for leaf, slopes in zip(jax.tree.leaves(x), jax.tree.leaves(found), strict=True):
            for place in np.ndindex(leaf.shape):
                here = float(leaf[place])
                h = self.spacing ** (1 / 3) * max(1.0, abs(here))
                leaf[place] = up = here + h
                high = self(x)
                leaf[place] = down = here - h
                low = self(x)
                leaf[place] = here
                slopes[place] = (high - low) / (up - down) if up > down else math.nan
        return found


def real_number(value: Any) -> float:
    """A function's result as a float; a sentence if it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        # Python's own whole numbers have no bound, which NumPy's have.
        return float(value) if abs(value) < 2**1023 else math.copysign(math.inf, value)
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if array.size != 1:
        raise FalllineError(
            f"The function must give one number; it gave an array of shape {array.shape}. A sum or a "
            "mean makes one number of many."
        )
    if array.dtype.kind == "c":
        raise FalllineError("The function must give a real number; it gave a complex one.")
    if array.dtype.kind not in "fiu":
        raise FalllineError(f"The function must give a number; it gave {value!r}.")
    return float(array.reshape(()))


@jax.jit
def _step(optimizer: Any, state: Any, params: Any, grads: Any) -> tuple[Any, Any, Any, Any]:
    updates, new = optimizer.update(grads, state, params)
    behind = loop.lag(optimizer, params, state) if averages(optimizer) else 0.0
    return updates, new, jnp.asarray(optimizer.rate(state), jnp.result_type(float)), behind


def descend_one(
    f: PlainFunction,
    x: PyTree,
    optimizer: Any,
    search: LineSearch | None,
    *,
    noise: float,
    tolerance: float,
    steps: int,
    seed: int,
    want_path: bool,
    going: Callable[[int, float], bool],
) -> tuple[PyTree, Any, int, int, list[list[float]], list[np.ndarray]]:
    """Descend from one start; the rules are those of `fallline.descent.minimize_loop.one_step`.

    Returns:
        x, the optimizer's state, steps taken, the stop's code, a record a step, positions if wanted.
    """
    optimizer_state = optimizer.init(jax.tree.map(jnp.asarray, x))
    flat, restore = ravel_pytree(jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), x))
    before = flat = np.asarray(flat)
    random = np.random.default_rng(seed)
    records: list[list[float]] = []
    path: list[np.ndarray] = []
    previous, factor, code, taken = np.full(flat.size, math.nan), 1.0, stopping.RUNNING, 0

    def tree(vector: np.ndarray) -> PyTree:
        return jax.tree.map(np.asarray, restore(jnp.asarray(vector)))

    def vector(tree: PyTree) -> np.ndarray:
        return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)] or [np.zeros(0)])

    while taken < steps:
        params = tree(flat)
        value = f(params)
        grads = vector(f.gradient(params)) if math.isfinite(value) else np.full(flat.size, math.nan)
        if noise:
            grads = grads + noise * random.normal(size=grads.shape)
        updates, new_state, rate, behind = _step(optimizer, optimizer_state, params, tree(grads))
        update, rate, found = vector(updates), float(rate), True
        if search is not None and np.isfinite(grads).all():
            slope = float(grads @ update)
            if not slope < 0:
                rate = rate if math.isfinite(rate) else 1.0
                update, slope = -rate * grads, -rate * float(grads @ grads)
            t = _factor(search, lambda t: f(tree(flat + t * update)), value, slope, factor)  # noqa: B023
            found, factor = t > 0, t or factor
            update, rate = t * update, rate * t
        size, length = float(np.linalg.norm(grads)), float(np.linalg.norm(update))
        last = float(np.linalg.norm(previous))
        cosine = float(grads @ previous) / (size * last) if size * last else math.nan
        where = float(np.linalg.norm(flat))
        records.append([value, rate, size, length, where, cosine])
        if want_path:
            path.append(flat.copy())
        previous = grads
        if not (math.isfinite(value) and math.isfinite(length)):
            code = stopping.BLEW_UP
            if not math.isfinite(value):
                flat, taken = before, taken - 1
            break
        if size <= tolerance and max(length, float(behind)) <= tolerance * math.hypot(1, where):
            code = stopping.GRADIENT
            break
        if not found:
            code = loop.NO_STEP
            break
        before, flat, optimizer_state, taken = flat, flat + update, new_state, taken + 1
        if not going(taken, value):
            break
    return tree(flat), optimizer_state, taken, code, records, path


def _factor(
    search: LineSearch, along: Callable[[float], float], value: float, slope: float, last: float
) -> float:
    """`LineSearch.factor` for a function that cannot be traced."""
    if isinstance(search, Polyak):
        return float(search.factor(along, value, slope, last)[0])
    assert isinstance(search, Armijo)
    t = last * search.grow
    for _ in range(search.attempts):
        reached = along(t)
        if reached < value and reached <= value + search.decrease * t * slope:
            return t
        t *= search.shrink
    return 0.0
