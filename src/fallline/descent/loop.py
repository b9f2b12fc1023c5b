"""The compiled loop: every run of this house goes through `go_on`, compiled as `advance`.

One program serves every number: optimizer, schedule, penalties and stopping rules are pytrees whose
leaves are arguments. What shapes the program (rows a step, steps an epoch) is in `Shape`. Inside,
steps follow each other without Python; at the end of each epoch the validation loss, the best
parameters and the stopping rules are looked after, so that a result never depends on how the work
was cut into calls.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import lax

from fallline import sparse
from fallline.descent import devices, single_rows
from fallline.descent.objective import Batch
from fallline.descent.stopping import BLEW_UP, RUNNING, WINDOW
from fallline.optimizers.transforms import averages
from fallline.tree import add, dot, norm, packed, zeros_like

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array, Key, PyTree

    from fallline.descent.batches import BatchPlan

    Carry = dict[str, Any]

STEP_FIELDS = (
    "loss",
    "learning_rate",
    "gradient_norm",
    "update_norm",
    "parameter_norm",
    "gradient_cosine",
)
"""What is recorded at every step."""

LAYER_FIELDS = ("layer_gradient_norm", "layer_update_norm", "layer_parameter_norm")
"""What is recorded of every leaf of the parameters at every step, on request."""

EPOCH_FIELDS = ("training_loss", "validation_loss", "validation_score")
"""What is recorded at the end of every epoch."""

_VALIDATION_BLOCK = 8192

traces = {"advance": 0}
"""How often the loop has been traced, that is, compiled anew; read by the tests."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """What the loop is compiled for.

    Attributes:
        size: rows a step.
        steps: steps an epoch.
        last: rows of an epoch's last step.
        full: every step sees all rows, in their own order.
        capacity: epochs that one call can do at most.
        layers: record the norms of every leaf too.
        endless: nothing ends a run but its last step, so that many runs side by side keep in step; only
            the loss is recorded of each.
        padded: rows, and steps an epoch, are rounded up, so that tables of about one size share a program.
            The rows that fill up have weight 0; see `rounded_rows`.
        watched: the validation rows are only watched; rules and schedules look at the training loss.
        single: a step sees a row of a sparse table and is done by `fallline.descent.single_rows`.
        axis: the name that a mesh gives to the devices that share each batch, or None; see
            `fallline.descent.devices`. What is above then counts for one of them.
        sync_every: steps between two exchanges of the devices.
    """

    size: int
    steps: int
    last: int
    full: bool
    capacity: int
    layers: bool = False
    endless: bool = False
    padded: bool = False
    watched: bool = False
    single: bool = False
    axis: str | None = None
    sync_every: int = 1

    @staticmethod
    def of(plan: BatchPlan, *, padded: bool = False, **facts: Any) -> Shape:
        """The shape for a plan: short epochs are done by many a call, long ones by parts."""
        size, steps, last = plan.size, plan.steps, plan.last
        if padded:
            size, steps = (rounded_rows(size), 1) if plan.full else (size, sparse.rounded(steps))
            last = size
        places = 1 if plan.full else steps * size
        capacity = max(1, min(4096 // steps, 2**18 // places))
        return Shape(size, steps, last, plan.full, capacity, padded=padded, **facts)


def rounded_rows(count: int) -> int:
    """How many rows a table is filled up to: few sizes where tables are small and compiling is what costs.

    Examples:
        >>> [rounded_rows(n) for n in (3, 65, 150, 1025, 1600)]
        [64, 128, 256, 1536, 2048]
    """
    return sparse.rounded(count) if count > 1024 else max(64, 1 << (count - 1).bit_length())


def start(
    params: PyTree,
    state: PyTree,
    optimizer: Any,
    key: Key[Array, ""],
    *,
    keep_best: bool,
    optimizer_state: PyTree | None = None,
) -> Carry:
    """Everything that changes from step to step, before the first one.

    Every leaf is an array of its own, so that the loop can write in place.
    """
    kind = jnp.result_type(float)
    carry = {
        "params": params,
        "state": state,
        "optimizer": jax.tree.map(lambda v: jnp.asarray(v, kind), optimizer),
        "optimizer_state": optimizer.init(params) if optimizer_state is None else optimizer_state,
        "previous": packed(zeros_like(params)),
        "previous_norm": jnp.zeros((), kind),
        "key": key,
        "step": jnp.zeros((), jnp.int32),
        "epoch": jnp.zeros((), jnp.int32),
        "epoch_loss": jnp.zeros((), kind),
        "epoch_gradient_norm": jnp.zeros((), kind),
        "epoch_rows": jnp.zeros((), kind),
        "recent": jnp.full(WINDOW, jnp.nan, kind),
        "best_value": jnp.full((), jnp.inf, kind),
        "best_epoch": jnp.zeros((), jnp.int32),
        "since_best": jnp.zeros((), jnp.int32),
        "stop": jnp.zeros((), jnp.int32),
    }
    if keep_best:
        carry["best"] = {"params": params, "state": state}
    return jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), carry)


def go_on(
    objective: Any,
    rules: Any,
    data: Batch,
    validation: Batch | None,
    carry: Carry,
    order: Array | None,
    first: Array,
    end: Array,
    epochs: Array,
    closes: Array,
    *,
    shape: Shape,
) -> tuple[Carry, Array, Array, Array | None]:
    """Go on for some epochs, or for a part of one.

    Args:
        objective: see `fallline.descent.objective`.
        rules: see `fallline.descent.stopping.Rules`.
        data: the training rows.
        validation: the validation rows, or None.
        carry: from `start` or the last call; its buffers are used up.
        order: rows of each epoch of this call, (capacity, steps * size); None where each step sees all.
        first: the step of the epoch to start at.
        end: the step of the epoch to stop before.
        epochs: how many epochs; more than one only from step 0 to the end.
        closes: does the call reach the end of its epochs (or of the run)?
        shape: what to compile for.

    Returns:
        The new carry; the steps' history, (capacity * steps, 6), of which the first rows are
        filled; the epochs' history, (capacity, 3), likewise; and the leaves' norms or None.
    """
    traces["advance"] += 1
    kind = jnp.result_type(float)
    begun = carry["step"]
    if shape.single:
        carry = single_rows.begin(carry)

    alone = shape.axis is not None and shape.sync_every > 1
    if alone:
        carry = devices.apart(carry)

    def on(carry: Carry) -> Any:
        """Does the run go on? Under vmap, a constant saves a choice between old and new for every array."""
        if alone:
            return carry["agreed"]["stop"] == RUNNING
        return True if shape.endless else carry["stop"] == RUNNING

    leaves = len(jax.tree.leaves(carry["params"]))
    rows = shape.capacity * shape.steps
    history = {
        "steps": jnp.zeros((rows, 1 if shape.endless else len(STEP_FIELDS)), kind),
        "epochs": jnp.zeros((shape.capacity, len(EPOCH_FIELDS)), kind),
    }
    if shape.layers:
        history["layers"] = jnp.zeros((rows, len(LAYER_FIELDS), leaves), kind)

    def draw(e: Array, i: Array, size: int) -> tuple[Batch, Any]:
        """The batch of a step and how many of its rows count."""
        if order is None:
            return data, float(shape.size)
        chosen = lax.dynamic_slice(order, (e, i * shape.size), (1, size))[0]
        if shape.last == shape.size or size != shape.size:
            return data.take(chosen, None), float(size)
        count = jnp.where(i == shape.steps - 1, shape.last, shape.size)
        return data.take(chosen, (jnp.arange(size) < count).astype(kind)), count.astype(kind)

    def step(e: Array, i: Array, carry: Carry, history: Any, size: int) -> tuple[Carry, Any]:
        layers: Any = None
        if shape.single:
            assert order is not None
            carry, record = single_rows.one_step(objective, carry, data, order[e, i])
        else:
            batch, count = draw(e, i, size)
            key = jax.random.fold_in(carry["key"], carry["step"]) if objective.random else None
            if batch.weights is not None:
                count = jnp.sum(batch.weights > 0).astype(kind)
            if key is not None and shape.axis is not None:
                key = jax.random.fold_in(key, lax.axis_index(shape.axis))
            axis = None if alone else shape.axis
            carry, record, layers = one_step(
                objective, carry, batch, key, count, lean=shape.endless, axis=axis
            )
            if alone:
                carry = devices.meet(shape.axis, carry, (i + 1) % shape.sync_every == 0)
        row = carry["step"] - begun - (carry["stop"] == RUNNING)
        if shape.endless:
            row = e * shape.steps + i - first
        history = {**history, "steps": history["steps"].at[row].set(record)}
        if shape.layers:
            history["layers"] = history["layers"].at[row].set(layers())
        return carry, history

    # A function that knows nothing of weights gets the last, smaller batch at its own size.
    ragged = shape.last != shape.size and not objective.weighted
    regular = shape.steps - 1 if ragged else shape.steps

    def epoch(loop: tuple[Array, Carry, Any]) -> tuple[Array, Carry, Any]:
        e, carry, history = loop

        def unfinished(inner: tuple[Array, Carry, Any]) -> Array:
            return (inner[0] < jnp.minimum(end, regular)) & on(inner[1])

        def body(inner: tuple[Array, Carry, Any]) -> tuple[Array, Carry, Any]:
            i, carry, history = inner
            return (i + 1, *step(e, i, carry, history, shape.size))

        i, carry, history = lax.while_loop(unfinished, body, (first, carry, history))
        if ragged:
            carry, history = lax.cond(
                (end > regular) & on(carry),
                lambda c, h: step(e, i, c, h, shape.last),
                lambda c, h: (c, h),
                carry,
                history,
            )
        carry, record = lax.cond(
            closes & on(carry),
            functools.partial(close_epoch, objective, rules, validation, watched=shape.watched),
            lambda c: (c, jnp.full(len(EPOCH_FIELDS), jnp.nan, kind)),
            carry,
        )
        return e + 1, carry, {**history, "epochs": history["epochs"].at[e].set(record)}

    def going(loop: tuple[Array, Carry, Any]) -> Array:
        return (loop[0] < epochs) & on(loop[1])

    _, carry, history = lax.while_loop(going, epoch, (jnp.zeros((), jnp.int32), carry, history))
    if shape.single:
        carry = single_rows.end(carry)
    if alone:
        carry, history = devices.together(shape.axis, carry, history)
    return carry, history["steps"], history["epochs"], history.get("layers")


advance = functools.partial(jax.jit, static_argnames=("shape",), donate_argnames=("carry",))(go_on)
"""The compiled `go_on`, its carry's buffers used up."""


def one_step(
    objective: Any,
    carry: Carry,
    batch: Batch,
    key: Any,
    count: Any,
    *,
    lean: bool = False,
    axis: str | None = None,
) -> tuple[Carry, Array, Callable[[], Array]]:
    """Loss, gradient, optimizer, parameters; and the record of it, of the loss alone if ``lean``.

    Over an axis of devices, the loss and the gradient are those of all their rows together.

    A step that would leave the finite numbers is not taken: the parameters stay and the run stops. What the
    optimizer remembers then is of no use any more.
    """
    params, state = carry["params"], carry["optimizer_state"]
    (value, model_state), grads = jax.value_and_grad(objective, has_aux=True)(
        params, carry["state"], batch, key
    )
    kind = carry["epoch_loss"].dtype
    if axis is not None:
        (value, model_state, grads), count = devices.shared(
            axis, (value, model_state, grads), jnp.asarray(count, kind)
        )
    fine = jnp.isfinite(value) & (carry["stop"] == RUNNING)
    optimizer = carry["optimizer"]
    rate = optimizer.rate(state)
    # So that what the optimizer remembers needs no choice between old and new, a walk through all of it.
    seen = jax.tree.map(lambda g: jnp.where(fine, g, jnp.zeros((), g.dtype)), grads)
    updates, optimizer_state = optimizer.update(seen, state, params)
    # Computed once and kept: otherwise each reader below (norm, sum) would compute it again.
    updates = lax.optimization_barrier(updates)
    update_norm, parameter_norm = norm(packed(updates)), norm(packed(params))
    update_norm = jnp.where(fine, update_norm, jnp.nan)
    fine &= jnp.isfinite(update_norm) & jnp.isfinite(parameter_norm)

    def keep(new: PyTree, old: PyTree) -> PyTree:
        return jax.tree.map(lambda n, o: jnp.where(fine, n, o), new, old)

    def layers() -> Array:
        trees = (grads, updates, params)
        return jnp.stack([jnp.stack([norm(leaf) for leaf in jax.tree.leaves(t)]) for t in trees])

    counted = jnp.where(fine, jnp.asarray(count, kind), 0.0)
    new = {
        **carry,
        "params": keep(add(params, updates), params),
        "state": keep(model_state, carry["state"]),
        # An average of the path must not count a step that was not taken.
        "optimizer_state": keep(optimizer_state, state) if averages(optimizer) else optimizer_state,
        "step": carry["step"] + fine,
        "epoch_loss": carry["epoch_loss"] + counted * value.astype(kind),
        "epoch_rows": carry["epoch_rows"] + counted,
        "stop": jnp.where(fine, RUNNING, BLEW_UP).astype(jnp.int32),
    }
    record = [value]
    if not lean:
        gradient = packed(grads)
        gradient_norm = norm(gradient)
        cosine = dot(gradient, carry["previous"]) / (gradient_norm * carry["previous_norm"])
        record += [rate, gradient_norm, update_norm, parameter_norm, cosine]
        gradient_norm = gradient_norm.astype(kind)
        new |= {
            "previous": gradient,
            "previous_norm": gradient_norm,
            "epoch_gradient_norm": carry["epoch_gradient_norm"] + counted * gradient_norm,
        }
    return new, jnp.stack([jnp.asarray(r, kind) for r in record]), layers


@jax.jit
def averaged(carry: Carry) -> PyTree:
    """The parameters to predict with: averaged over the steps where the optimizer averages."""
    return carry["optimizer"].averaged(carry["params"], carry["optimizer_state"])


def close_epoch(
    objective: Any,
    rules: Any,
    validation: Batch | None,
    carry: Carry,
    *,
    watched: bool = False,
    validated: tuple[Array, Array] | None = None,
) -> tuple[Carry, Array]:
    """Validate, keep the best parameters, let schedules see the loss, check the stopping rules.

    ``validated`` holds the loss and the score on validation rows where they were measured elsewhere.
    """
    kind = carry["epoch_loss"].dtype
    mean_loss = carry["epoch_loss"] / carry["epoch_rows"]
    predictor = {
        "params": carry["optimizer"].averaged(carry["params"], carry["optimizer_state"]),
        "state": carry["state"],
    }
    if validation is not None:
        validated = evaluate(objective, predictor["params"], predictor["state"], validation)
    nothing = jnp.full((), jnp.nan, kind)
    loss, score = validated or (nothing, nothing)
    monitored = loss if validated and not watched else mean_loss
    better = monitored < carry["best_value"]
    progress = monitored < carry["best_value"] - rules.min_improvement
    since_best = jnp.where(progress, 0, carry["since_best"] + 1)
    recent = jnp.roll(carry["recent"], -1).at[-1].set(mean_loss)
    gradient_norm = carry["epoch_gradient_norm"] / carry["epoch_rows"]
    optimizer = jax.tree.map(
        lambda new, old: jnp.asarray(new, old.dtype),
        carry["optimizer"].observe(monitored),
        carry["optimizer"],
    )
    new = {
        **carry,
        "optimizer": optimizer,
        "epoch": carry["epoch"] + 1,
        "epoch_loss": jnp.zeros((), kind),
        "epoch_gradient_norm": jnp.zeros((), kind),
        "epoch_rows": jnp.zeros((), kind),
        "recent": recent,
        "best_value": jnp.where(better, monitored, carry["best_value"]).astype(kind),
        "best_epoch": jnp.where(better, carry["epoch"] + 1, carry["best_epoch"]),
        "since_best": since_best,
        "stop": jnp.where(
            carry["stop"] == RUNNING, rules.check(since_best, gradient_norm, recent), carry["stop"]
        ),
    }
    if "best" in carry:
        new["best"] = lax.cond(better, lambda: predictor, lambda: carry["best"])
    return new, jnp.stack([jnp.asarray(r, kind) for r in (mean_loss, loss, score)])


def evaluate(objective: Any, params: PyTree, state: PyTree, rows: Batch) -> tuple[Array, Array]:
    """Loss and score on rows, in blocks where there are many, so that memory stays small."""
    count = jax.tree.leaves(rows.x, is_leaf=sparse.is_rows)[0].shape[0]
    if count <= 2 * _VALIDATION_BLOCK or not objective.weighted:
        return objective.evaluate(params, state, rows)
    blocks = -(-count // _VALIDATION_BLOCK)

    def block(b: Array) -> tuple[Array, Array, Array]:
        chosen = b * _VALIDATION_BLOCK + jnp.arange(_VALIDATION_BLOCK)
        inside = (chosen < count).astype(jnp.result_type(float))
        part = rows.take(jnp.minimum(chosen, count - 1), inside)
        return *objective.evaluate(params, state, part), jnp.sum(part.weights)

    losses, scores, totals = lax.map(block, jnp.arange(blocks))
    return jnp.sum(losses * totals) / jnp.sum(totals), jnp.sum(scores * totals) / jnp.sum(totals)
