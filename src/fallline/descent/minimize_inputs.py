"""What a user gives to `fallline.minimize`, checked: starts, function, gradient, optimizer."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fallline import tree
from fallline.descent import minimize_loop as loop
from fallline.descent.minimize_jobs import shape_of, slope_of
from fallline.descent.plain_function import real_number
from fallline.descent.problem import with_rate
from fallline.errors import FalllineError
from fallline.optimizers import SGD, Adam, Optimizer
from fallline.optimizers import by_name as optimizer_by_name
from fallline.optimizers.transforms import FromOptax

if TYPE_CHECKING:
    from jaxtyping import PyTree

    from fallline.descent.line_search import LineSearch


def places(x0: PyTree | None, starts: PyTree | None) -> tuple[PyTree, PyTree | None]:
    """One start's shape as a tree of arrays, and all starts or None; checked."""

    def real(leaf: Any, name: str) -> np.ndarray:
        array = np.asarray(leaf)
        if array.dtype.kind == "c":
            raise FalllineError(f"{name} must hold real numbers; it holds complex ones.")
        if array.dtype.kind not in "fiu":
            raise FalllineError(f"{name} must hold numbers; it holds {leaf!r}.")
        if not np.isfinite(array).all():
            place = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
            at = f" at {place if len(place) > 1 else place[0]}" if place else ""
            raise FalllineError(
                f"{name} must hold finite numbers; it holds {array[tuple(place)]}{at}."
            )
        return array.astype(jnp.result_type(float))

    # A list of numbers is a vector, as in NumPy, not a tree with a leaf for each.
    x0, starts = (_vector(given) for given in (x0, starts))
    if x0 is None and starts is None:
        raise FalllineError("minimize needs a place to start: give x0=, or starts= for many.")
    if starts is None:
        template = jax.tree.map(lambda leaf: real(leaf, "x0"), x0)
        if not sum(leaf.size for leaf in jax.tree.leaves(template)):
            raise FalllineError("x0 holds no numbers, so there is nothing to minimise over.")
        return template, None
    if isinstance(starts, int):
        raise FalllineError(
            "A number of starts needs a terrain, which knows its bounds; for a function give the starts "
            "themselves, an array with a row for each."
        )
    balls = jax.tree.map(lambda leaf: real(leaf, "starts"), starts)
    counts = {leaf.shape[0] if leaf.ndim else None for leaf in jax.tree.leaves(balls)}
    if len(counts) != 1 or None in counts or 0 in counts:
        raise FalllineError(
            "starts needs a leading axis with a place for each start, the same in all its arrays; "
            f"its shapes are {[np.shape(leaf) for leaf in jax.tree.leaves(balls)]}."
        )
    template = jax.tree.map(lambda leaf: leaf[0], balls)
    if x0 is not None:
        wanted = jax.tree.map(lambda leaf: real(leaf, "x0"), x0)
        needed, given = (
            dict(zip(tree.names(t), map(np.shape, jax.tree.leaves(t)), strict=True))
            for t in (wanted, template)
        )
        if needed != given:
            raise FalllineError(
                f"Each start must have the shape of x0, {needed}; with the leading axis taken off, "
                f"starts has {given}."
            )
    return template, balls


def _vector(given: Any) -> Any:
    """A list of plain numbers, or of rows of them, as an array; anything else as it is."""
    if isinstance(given, (list, tuple)):
        leaves = jax.tree.leaves(given)
        plain = all(isinstance(leaf, (int, float, complex, np.number)) for leaf in leaves)
        with contextlib.suppress(ValueError):
            return np.asarray(given) if plain else given
    return given


class Traced(NamedTuple):
    """What JAX can trace of a function: its value, and its gradient."""

    value: bool
    gradient: bool


def traced(f: Any, template: PyTree, args: tuple[Any, ...], gradient: Any) -> Traced:
    """What JAX can trace of the function, with the user's gradient if there is one; checks what it gives."""
    function, arrays = loop.Function.of(f, args, gradient)
    try:
        made = shape_of(function, template, arrays)
    except Exception:
        # Whether the function is at fault or only cannot be traced, calling it will tell; if it fails,
        # its own error is the one to show.
        real_number(f(jax.tree.map(np.array, template), *args))
        return Traced(False, False)
    if made.size != 1:
        raise FalllineError(
            f"The function must give one number; it gave an array of shape {made.shape}. A sum or a mean "
            "makes one number of many."
        )
    if jnp.issubdtype(made.dtype, jnp.complexfloating):
        raise FalllineError("The function must give a real number; it gave a complex one.")
    if not jnp.issubdtype(made.dtype, jnp.floating):
        raise FalllineError(
            f"The function must give a real number that changes smoothly; it gave {made.dtype}, which has "
            "no gradient."
        )
    try:
        slope_of(function, template, arrays)
    except FalllineError:
        raise
    except Exception:
        # A loop without a fixed end, say, or a gradient of the user's own that is plain NumPy.
        return Traced(True, False)
    return Traced(True, True)


def optimizer(
    given: Any, learning_rate: Any, search: LineSearch | None, balls: int | None
) -> tuple[Optimizer, bool]:
    """The optimizer, and is its rate still to be found?"""
    named = isinstance(given, str)
    if given is None:
        chosen: Any = SGD(1.0) if search is not None else Adam()
    else:
        chosen = optimizer_by_name(given) if named else given
    if not isinstance(chosen, Optimizer):
        raise FalllineError(
            "The optimizer must be one of fallline.optimizers, or its name; from_optax wraps one of "
            f"optax's. It was given {chosen!r}."
        )
    if isinstance(learning_rate, str) and learning_rate != "auto":
        raise FalllineError(
            f"The learning rate must be a number, a schedule or 'auto'; it was given {learning_rate!r}."
        )
    auto = learning_rate == "auto" if isinstance(learning_rate, str) else False
    if learning_rate is None:
        auto = search is None and (named or given is None)
        chosen = chosen.with_rate(1.0) if search is not None and named else chosen
    elif not auto:
        listed = isinstance(learning_rate, (list, tuple))
        chosen = with_rate(chosen, np.asarray(learning_rate) if listed else learning_rate)
    if learning_rate is not None and isinstance(chosen, FromOptax):
        raise FalllineError(
            "The rate of one of optax's optimizers is set where it is made; learning_rate= cannot change it."
        )
    watched = jax.tree.leaves(chosen.observe(1.0))
    if any(
        not np.array_equal(a, b, equal_nan=True)
        for a, b in zip(watched, jax.tree.leaves(chosen), strict=True)
    ):
        raise FalllineError(
            "ReduceOnPlateau looks at the loss at the end of each epoch, and minimize has no epochs; take "
            "a schedule of steps, such as CosineDecay, or a line search."
        )
    return _each_its_own(chosen, balls), auto


def _each_its_own(optimizer: Any, balls: int | None) -> Any:
    """An optimizer whose numbers are one each, or if any is an array over the starts, all are."""
    shapes = {np.shape(leaf) for leaf in jax.tree.leaves(optimizer)} - {()}
    if not shapes:
        return optimizer
    if balls is None or shapes != {(balls,)}:
        wanted = "one number" if balls is None else f"one number, or {balls:,}, one for each start"
        raise FalllineError(
            f"Each number of the optimizer must be {wanted}; one of them has the shape "
            f"{sorted(shapes - {(balls,)})[0]}."
        )
    return jax.tree.map(lambda leaf: np.broadcast_to(leaf, (balls,)), optimizer)
