"""What recording costs: a run with its full history against the same run in a bare loop that keeps nothing.

The engine records always, so the bare loop is written here as somebody would who wants the weights alone: the
same model, loss, optimizer, batches and order of rows, a compiled scan over the batches of some epochs, its
rate a constant, nothing checked, and the next epochs' orders drawn while it runs.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax import lax

import fallline
from benchmarks.harness import Contender, Workload
from benchmarks.peers.networks import products
from benchmarks.workloads.network import QUICK_ROWS
from fallline import losses, models, optimizers, tree
from fallline.descent.batches import BatchPlan
from fallline.descent.objective import Batch, ModelObjective

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LEAST = 0.91
"""Ratio of the bare loop's time to ours: at most 10 % for the history."""

ROWS = 6_400
"""A multiple of every batch, so that all batches are full."""


AT_ONCE = 20
"""Epochs that the bare loop does in a call, which returns before it has ended; as many as the engine does."""


def workloads(quick: bool) -> Iterator[tuple[str, Callable[[], Workload]]]:
    """A linear model, a small network, and a larger one, which is left out if quick."""
    cases: dict[str, tuple[Any, str, Any, int, int]] = {
        "linear, 20 features": (
            models.Linear(20),
            "half_squared_error",
            optimizers.SGD(0.01),
            32,
            200,
        ),
        "MLP 20-64-64-3": (
            models.MLP(20, (64, 64), 3),
            "softmax_cross_entropy",
            optimizers.Adam(2e-4),
            32,
            40,
        ),
        "MLP 784-128-10": (
            models.MLP(784, (128,), 10),
            "softmax_cross_entropy",
            optimizers.Adam(1e-4),
            64,
            8,
        ),
    }
    for case, (model, loss, optimizer, size, epochs) in list(cases.items())[: 2 if quick else 3]:
        name = f"recording, {case}, batch {size}"
        rows, epochs = (QUICK_ROWS, epochs // 20) if quick else (ROWS, epochs)
        yield name, functools.partial(_workload, name, model, loss, optimizer, size, rows, epochs)


def _table(model: Any, rows: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, model.inputs)).astype(np.float32)
    z = x[:, 0] * x[:, 1] + x[:, 2] + 0.3 * random.normal(size=rows)
    if model.outputs == 1:
        return x, z.astype(np.float32)
    return x, np.digitize(z, np.quantile(z, np.linspace(0, 1, model.outputs + 1)[1:-1])).astype(
        np.int32
    )


def _bare(
    model: Any, loss: str, optimizer: Any, data: Any, start: Any, size: int, epochs: int
) -> Any:
    """A function that trains and returns the parameters."""
    objective = ModelObjective(model, losses.by_name(loss).function)
    plan = BatchPlan(len(data[0]), size)
    rows, state = jax.device_put(Batch(*data)), model.init_state()

    @functools.partial(jax.jit, donate_argnums=0)
    def train(carry: Any, orders: Any, rows: Batch) -> Any:
        def step(carry: Any, chosen: Any) -> tuple[Any, None]:
            params, memory = carry
            grads, _ = jax.grad(objective, has_aux=True)(params, state, rows.take(chosen, None))
            updates, memory = optimizer.update(grads, memory, params)
            return (tree.add(params, updates), memory), None

        return lax.scan(step, carry, orders.reshape(-1, size))[0]

    def run() -> Any:
        params = jax.tree.map(np.array, start)
        carry = jax.device_put((params, optimizer.init(params)))
        for begin in range(0, epochs, AT_ONCE):
            some = range(begin, min(begin + AT_ONCE, epochs))
            carry = train(carry, np.stack([plan.order(epoch) for epoch in some]), rows)
        return jax.block_until_ready(carry)[0]

    return run


def _workload(
    name: str, model: Any, loss: str, optimizer: Any, size: int, rows: int, epochs: int
) -> Workload:
    x, y = _table(model, rows)
    start = jax.tree.map(np.asarray, model.init(jax.random.PRNGKey(0)))
    evaluate = jax.jit(lambda params: losses.by_name(loss).function(model(params, x), y).mean())
    bare = _bare(model, loss, optimizer, (x, y), start, size, epochs)

    def ours() -> Any:
        run = fallline.train(
            model,
            loss,
            (x, y),
            params=start,
            optimizer=optimizer,
            batch_size=size,
            epochs=epochs,
        )
        return functools.partial(evaluate, run.params)

    sizes = (model.inputs, *getattr(model, "hidden", ()), model.outputs)
    return Workload(
        name,
        [
            Contender("Fallline", ours),
            Contender("bare loop", lambda: functools.partial(evaluate, bare()), label="no records"),
        ],
        {"bare loop": LEAST},
        updates=rows // size * epochs,
        flops=products(sizes) * rows * epochs,
        note="the same functions, start and order of rows; ours also checks what it is given, and every step "
        "for numbers that are not finite",
    )
