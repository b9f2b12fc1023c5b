"""The compiled loop of `fallline.minimize`: one start, or thousands of balls side by side.

A step here is the step of training without data: value and gradient, optimizer, parameters, the same
record. Balls share one program; the parameters of each are arrays over balls, coordinate by coordinate, so
that the arithmetic runs over contiguous memory. Every ``every``-th step is recorded, between them the loop
does the arithmetic alone.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from fallline import tuning
from fallline.descent.stopping import BLEW_UP, GRADIENT, RUNNING
from fallline.errors import FalllineError
from fallline.optimizers.transforms import averages
from fallline.terrains import Terrain
from fallline.tree import add, dot, names, norm, zeros_like

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array, Key, PyTree

    Ball = dict[str, Any]

NO_STEP = 10
"""The line search found no step that leads down."""

SPLIT_BELOW = 33
"""Coordinates of a ball up to which each is an array of its own."""

traces = {"advance": 0}
"""How often the loop has been traced, that is, compiled anew; read by the tests."""


@dataclasses.dataclass(frozen=True)
class Function:
    r"""A user's function with what does not change of its arguments: what the loop is compiled for.

    Attributes:
        call: $f(x, \dots)$.
        structure: of all further arguments.
        fixed: those that are no arrays, by their places among the leaves.
        gradient: x -> tree like x, or None for JAX's own.
    """

    call: Callable[..., Any]
    structure: Any
    fixed: tuple[tuple[int, Any], ...]
    gradient: Callable[..., Any] | None = None

    @staticmethod
    def of(
        call: Callable[..., Any], args: tuple[Any, ...], gradient: Callable[..., Any] | None = None
    ) -> tuple[Function, list[Any]]:
        """The function, and the arrays among its further arguments."""
        leaves, structure = jax.tree.flatten(args)
        moving = [isinstance(leaf, (np.ndarray, jax.Array)) for leaf in leaves]
        fixed = tuple((i, v) for i, v in enumerate(leaves) if not moving[i])
        arrays = [jnp.asarray(v) for i, v in enumerate(leaves) if moving[i]]
        return Function(call, structure, fixed, gradient), arrays

    def _args(self, arrays: list[Any]) -> Any:
        rest = iter(arrays)
        fixed = dict(self.fixed)
        count = len(fixed) + len(arrays)
        return jax.tree.unflatten(
            self.structure, [fixed[i] if i in fixed else next(rest) for i in range(count)]
        )

    def __call__(self, x: PyTree, *arrays: Any) -> Any:
        """The value, a number; an array that holds just one is that number."""
        value = jnp.asarray(self.call(x, *self._args(list(arrays))))
        return value.reshape(()) if value.size == 1 else value

    def value_and_grad(self, x: PyTree, *arrays: Any) -> tuple[Any, PyTree]:
        """The value and the gradient, the user's own where one was given."""
        if self.gradient is None:
            return jax.value_and_grad(self)(x, *arrays)
        found = self.gradient(x, *self._args(list(arrays)))
        return self(x, *arrays), gradient_like(x, found, jnp)


def gradient_like(x: PyTree, found: Any, numbers: Any) -> PyTree:
    """A user's gradient as a tree like x, of the array kind ``numbers`` (NumPy's or JAX's).

    Raises:
        FalllineError: if it does not have the shape of x.
    """
    leaves, structure = jax.tree.flatten(x)
    parts = [found] if jax.tree_util.treedef_is_leaf(structure) else jax.tree.leaves(found)
    same = len(parts) == len(leaves) and (len(parts) == 1 or jax.tree.structure(found) == structure)
    try:
        arrays = [
            numbers.asarray(part, leaf.dtype) for part, leaf in zip(parts, leaves, strict=same)
        ]
    except (TypeError, ValueError):
        same, arrays = False, []
    if not same or any(
        a.shape != leaf.shape and not a.size == leaf.size == 1
        for a, leaf in zip(arrays, leaves, strict=True)
    ):
        wanted, given = (
            dict(zip(names(t), map(np.shape, jax.tree.leaves(t)), strict=True)) for t in (x, found)
        )
        raise FalllineError(
            f"The gradient must be like x, a number for each of x's: x is {wanted}, the gradient {given}."
        )
    shaped = [a.reshape(leaf.shape) for a, leaf in zip(arrays, leaves, strict=True)]
    return jax.tree.unflatten(structure, shaped)


@dataclasses.dataclass(frozen=True)
class Axes:
    """What belongs to a single ball and what to all.

    Attributes:
        own: has each ball an optimizer of its own?
        state: of each leaf of the optimizer's state, 0 (a ball's own) or None (shared).
    """

    own: bool
    state: tuple[int | None, ...]

    @staticmethod
    def of(ball: Ball, *, own: bool) -> Axes:
        """The axes for what `start` makes of one ball (or its shapes).

        A counter of steps is the same for all balls: kept once, what follows from it (a schedule's
        rate, a bias correction) is computed once, too.
        """

        def counts(leaf: Any) -> bool:
            return leaf.shape == () and bool(jnp.issubdtype(leaf.dtype, jnp.integer))

        leaves = jax.tree.leaves(ball["optimizer_state"])
        found = Axes(own, tuple(None if counts(leaf) else 0 for leaf in leaves))

        def update(ball: Ball) -> Any:
            optimizer, state = ball["optimizer"], ball["optimizer_state"]
            return optimizer.update(ball["previous"], state, ball["params"])[1]

        def stacked(tree: PyTree) -> PyTree:
            return jax.tree.map(lambda s: jax.ShapeDtypeStruct((2, *s.shape), s.dtype), tree)

        along = found.tree(ball)
        states, structure = jax.tree.flatten(ball["optimizer_state"])
        many = {**stacked(ball), "step": ball["step"]}
        many["optimizer"] = stacked(ball["optimizer"]) if own else ball["optimizer"]
        pairs = zip(states, found.state, strict=True)
        many["optimizer_state"] = jax.tree.unflatten(
            structure, [leaf if axis is None else stacked(leaf) for leaf, axis in pairs]
        )
        try:
            jax.eval_shape(jax.vmap(update, (along,), along["optimizer_state"]), many)
        except (TypeError, ValueError):
            # A counter that depends on the ball: of its finite gradients, say; or an optimizer of optax's
            # that needs the function itself.
            return Axes(own, (0,) * len(leaves))
        return found

    def tree(self, ball: Ball) -> Ball:
        """For ``vmap``'s in_axes and out_axes."""
        structure = jax.tree.structure(ball["optimizer_state"])
        each: dict[str, Any] = dict.fromkeys(ball, 0)
        return {
            **each,
            "step": None,
            "optimizer": 0 if self.own else None,
            "optimizer_state": jax.tree.unflatten(structure, self.state),
        }


@dataclasses.dataclass(frozen=True)
class Shape:
    """What the loop is compiled for, beside the function.

    Attributes:
        capacity: records that one call can make at most.
        axes: see `Axes`; None for a single ball without an axis.
        split: are the coordinates of a ball arrays of their own?
        thin: are there steps that are not recorded?
        noisy: is noise added to the gradients?
        path: are the positions recorded?
    """

    capacity: int
    axes: Axes | None = None
    split: bool = False
    thin: bool = False
    noisy: bool = False
    path: bool = False


def split(x: PyTree) -> PyTree:
    """Each leaf of a ball as a list of its numbers."""
    return jax.tree.map(lambda leaf: [leaf[i] for i in np.ndindex(leaf.shape)], x)


def joined(template: PyTree, parts: PyTree) -> PyTree:
    """What `split` took apart, put together by a tree of the right shapes."""
    numbers = iter(jax.tree.leaves(parts))

    def join(leaf: Any) -> Any:
        count = int(np.prod(leaf.shape))
        return jnp.stack(list(itertools.islice(numbers, count))).reshape(leaf.shape)

    return jax.tree.map(join, template)


def start(x: PyTree, optimizer: Any, key: Key[Array, ""]) -> Ball:
    """Everything of one ball that changes from step to step, before the first one."""
    kind = jnp.result_type(float)
    return {
        "params": x,
        "optimizer": optimizer,
        "optimizer_state": optimizer.init(x),
        "before": jax.tree.map(lambda leaf: leaf + 0, x),
        "previous": zeros_like(x),
        "factor": jnp.ones((), kind),
        "key": key,
        "step": jnp.zeros((), jnp.int32),
        "taken": jnp.zeros((), jnp.int32),
        "tries": jnp.zeros((), jnp.int32),
        "stop": jnp.zeros((), jnp.int32),
    }


def lag(optimizer: Any, params: PyTree, state: Any) -> Any:
    """How far an average of the path is from its end."""
    mean = optimizer.averaged(params, state)
    return norm(jax.tree.map(lambda a, p: a - p, mean, params))


def converged(tolerance: Any, grads: PyTree, updates: PyTree, params: PyTree) -> Any:
    r"""$\|g\| \le \tau$ and $\|u\| \le \tau \sqrt{1 + \|x\|^2}$, without a root; never for $\tau < 0$."""
    least = tolerance * jnp.abs(tolerance)
    near = dot(updates, updates) <= least * (1 + dot(params, params))
    return (dot(grads, grads) <= least) & near


def one_step(
    f: Any, search: Any, noise: Any, tolerance: Any, noisy: bool, ball: Ball
) -> tuple[Ball, Callable[[], list[Any]]]:
    """One update of one ball, and a function that gives its record, in the order of ``STEP_FIELDS``.

    A ball that has stopped stays where it is. It stops where gradient and update are both no longer than the
    tolerance (a gradient alone would stop a ball that rolls over a flat place at full speed), an average of
    its path has come as near, and where the update would leave the finite numbers; neither of these updates
    is made. A ball that finds itself where the function is not finite goes back to where it came from.
    """
    params, state, optimizer = ball["params"], ball["optimizer_state"], ball["optimizer"]
    value, grads = f.value_and_grad(params)
    if noisy:
        key = jax.random.fold_in(ball["key"], ball["step"])
        leaves, structure = jax.tree.flatten(grads)
        keys = jax.random.split(key, len(leaves))
        leaves = [
            g + noise * jax.random.normal(k, jnp.shape(g), g.dtype)
            for g, k in zip(leaves, keys, strict=True)
        ]
        grads = jax.tree.unflatten(structure, leaves)
    rate = optimizer.rate(state)
    # The function itself is for those of optax's optimizers that search along a line of their own.
    updates, optimizer_state = optimizer.update(
        grads, state, params, value=value, grad=grads, value_fn=f
    )
    factor, found, tries = ball["factor"], True, 0
    if search is not None:
        slope = dot(grads, updates)
        # Where a velocity leads up, the search would find nothing: straight down instead.
        down = slope < 0
        straight = jnp.where(jnp.isfinite(rate), rate, 1.0)
        updates = jax.tree.map(
            lambda u, g: jnp.where(down, u, (-straight * g).astype(u.dtype)), updates, grads
        )
        slope = jnp.where(down, slope, -straight * dot(grads, grads))

        def along(t: Any) -> Any:
            return f(jax.tree.map(lambda p, u: p + (t * u).astype(p.dtype), params, updates))

        kind = ball["factor"].dtype
        factor, tries = search.factor(along, value, slope, ball["factor"])
        factor = jnp.asarray(factor, kind)
        found = factor > 0
        updates = jax.tree.map(lambda u: (factor * u).astype(u.dtype), updates)
        rate = rate * factor
        factor = jnp.where(found, factor, ball["factor"])
    gradient_norm, update_norm = norm(grads), norm(updates)
    running = ball["stop"] == RUNNING
    back = running & ~jnp.isfinite(value)
    fine = jnp.isfinite(value) & jnp.isfinite(update_norm)
    small = converged(tolerance, grads, updates, params)
    if averages(optimizer):
        small &= lag(optimizer, params, state) <= tolerance * jnp.sqrt(1 + dot(params, params))
    stop = jnp.where(small, GRADIENT, jnp.where(found, RUNNING, NO_STEP))
    stop = jnp.where(running, jnp.where(fine, stop, BLEW_UP), ball["stop"]).astype(jnp.int32)
    # Asked of the new code: from the conditions themselves, each array's loop would compute them anew.
    moves = stop == RUNNING
    record = [
        value,
        rate,
        gradient_norm,
        update_norm,
        lambda: norm(params),
        lambda: dot(grads, ball["previous"]) / (gradient_norm * norm(ball["previous"])),
    ]
    if averages(optimizer):
        # What it predicts with must not go on changing when the ball has stopped. Counters are not of a ball.
        optimizer_state = jax.tree.map(
            lambda n, o: jnp.where(moves, n, o) if jnp.issubdtype(n.dtype, jnp.inexact) else n,
            optimizer_state,
            state,
        )
    moved = add(params, jax.tree.map(lambda u: jnp.where(moves, u, 0), updates))
    new = {
        "params": jax.tree.map(lambda p, b: jnp.where(back, b, p), moved, ball["before"]),
        "before": params,
        "optimizer": optimizer,
        "optimizer_state": optimizer_state,
        "previous": grads,
        "factor": factor,
        "key": ball["key"],
        "step": ball["step"] + 1,
        "taken": ball["taken"] + moves - (back & (ball["taken"] > 0)),
        "tries": ball["tries"],
        "stop": stop,
    }
    if search is not None:
        new["tries"] = ball["tries"] + jnp.where(running, tries, 0)
    return new, lambda: [field() if callable(field) else field for field in record]


def glide(f: Any, tolerance: Any, ball: Ball, doubt: Any) -> tuple[Ball, Any]:
    """`one_step` as long as all numbers are finite; not for noise, searches and averages.

    Args:
        f: as in `one_step`.
        tolerance: as in `one_step`.
        ball: as in `one_step`.
        doubt: 0 so far; NaN once the function or the length of an update was not finite.
    """
    params, state, optimizer = ball["params"], ball["optimizer_state"], ball["optimizer"]
    value, grads = f.value_and_grad(params)
    updates, optimizer_state = optimizer.update(
        grads, state, params, value=value, grad=grads, value_fn=f
    )
    small = converged(tolerance, grads, updates, params)
    stop = jnp.where((ball["stop"] == RUNNING) & small, GRADIENT, ball["stop"]).astype(jnp.int32)
    moves = stop == RUNNING
    new = {
        **ball,
        "params": add(params, jax.tree.map(lambda u: jnp.where(moves, u, 0), updates)),
        "before": params,
        "optimizer_state": optimizer_state,
        "previous": grads,
        "step": ball["step"] + 1,
        "taken": ball["taken"] + moves,
        "stop": stop,
    }
    return new, doubt + 0 * value + 0 * dot(updates, updates)


@functools.partial(jax.jit, static_argnames=("function", "shape"), donate_argnames=("balls",))
def advance(
    function: Function,
    arrays: list[Any],
    template: PyTree,
    search: Any,
    noise: Any,
    tolerance: Any,
    balls: Ball,
    records: Array,
    every: Array,
    *,
    shape: Shape,
) -> tuple[Ball, dict[str, Any]]:
    """Go on for some records, each of ``every`` steps, or until every ball has stopped.

    Args:
        function: what to descend.
        arrays: its further arguments.
        template: one ball's x, for its shapes.
        search: a line search, or None.
        noise: standard deviation of what is added to every number of a gradient.
        tolerance: see `one_step`.
        balls: from `start` (under ``vmap`` where there are many) or the last call; used up.
        records: how many, at most ``shape.capacity``.
        every: steps to a record; the first of them is the one recorded, before its update.
        shape: what to compile for.

    Returns:
        The balls; the records: ``steps``, for each field an array of shape (capacity,) or (capacity, balls),
        NaN once a ball has stopped; ``path`` with the positions, if asked for; and ``made``, how many.
    """
    traces["advance"] += 1
    kind = jnp.result_type(float)

    def together(x: PyTree) -> PyTree:
        return joined(template, x) if shape.split else x

    class f:  # noqa: N801 - a function with its gradient
        def __call__(self, x: PyTree) -> Any:
            if shape.split and isinstance(function.call, Terrain):
                # Put together and taken apart again, x would cost as much as the rest of the step.
                return function.call.function(*jax.tree.leaves(x))
            return function(together(x), *arrays)

        def value_and_grad(self, x: PyTree) -> tuple[Any, PyTree]:
            if function.gradient is None:
                return jax.value_and_grad(self)(x)
            value, grads = function.value_and_grad(together(x), *arrays)
            return value, split(grads) if shape.split else grads

    def step(ball: Ball) -> Ball:
        return one_step(f(), search, noise, tolerance, shape.noisy, ball)[0]

    def recorded(ball: Ball) -> tuple[Ball, dict[str, Any]]:
        before = ball
        ball, record = one_step(f(), search, noise, tolerance, shape.noisy, ball)
        live = before["stop"] == RUNNING
        # An array a field: in one array for all, each field would be written in strides.
        seen: dict[str, Any] = {
            "steps": [jnp.where(live, jnp.asarray(r, kind), jnp.nan) for r in record()]
        }
        if shape.path:
            leaves = jax.tree.leaves(before["params"])
            seen["path"] = jnp.concatenate([jnp.ravel(leaf) for leaf in leaves])
        return ball, seen

    def fast(ball: Ball, doubt: Any) -> tuple[Ball, Any]:
        return glide(f(), tolerance, ball, doubt)

    # Steps that nobody sees are made as if all were finite, and made anew with care if it was not.
    free = tuning.on and search is None and not (shape.noisy or averages(balls["optimizer"]))
    if shape.axes is not None:
        along = shape.axes.tree(balls)
        step = jax.vmap(step, (along,), along)
        recorded = jax.vmap(recorded, (along,), (along, 0))
        fast = jax.vmap(fast, (along, 0), (along, 0))

    def unseen(balls: Ball) -> Ball:
        def careful() -> Ball:
            return lax.fori_loop(0, every - 1, lambda _, b: step(b), balls)

        if not free:
            return careful()
        live, doubt = balls["stop"] == RUNNING, jnp.zeros(jnp.shape(balls["stop"]), kind)
        ahead, doubt = lax.fori_loop(0, every - 1, lambda _, b: fast(*b), (balls, doubt))
        # What is not finite stays so: a place, too.
        for leaf in jax.tree.leaves(ahead["params"]):
            doubt = doubt + jnp.sum(0 * leaf.reshape(*live.shape, -1), axis=-1)
        return lax.cond(jnp.all((doubt == 0) | ~live), lambda: ahead, careful)

    def going(loop: Any) -> Any:
        r, balls, _ = loop
        return (r < records) & jnp.any(balls["stop"] == RUNNING)

    def record(loop: Any) -> Any:
        r, balls, buffers = loop
        balls, seen = recorded(balls)
        if shape.thin:
            balls = unseen(balls)
        return r + 1, balls, jax.tree.map(lambda b, s: b.at[r].set(s), buffers, seen)

    seen = jax.eval_shape(recorded, balls)[1]
    buffers = jax.tree.map(lambda s: jnp.zeros((shape.capacity, *s.shape), s.dtype), seen)
    made, balls, buffers = lax.while_loop(going, record, (jnp.int32(0), balls, buffers))
    return balls, {**buffers, "made": made}
