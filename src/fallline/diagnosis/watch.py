"""Watching a training loop written by hand in JAX: the same history, and so the same doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fallline.diagnosis.recorder import LoopRecorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import PyTree


def watch(
    objective: Callable[..., Any] | None = None,
    data: PyTree = None,
    optimizer: Any = None,
    *,
    batch_size: int | None = None,
    rows: int | None = None,
    learning_rate: Any = None,
    layers: bool = True,
    every: int = 1,
) -> LoopRecorder:
    """Watch a training loop of your own in JAX: tell each step what happened, then ask for a diagnosis.

    ::

        recorder = fallline.watch(loss, (x, y), optimizer, batch_size=64)
        for batch in batches:
            value, grads = jax.value_and_grad(loss)(params, batch)
            updates, state = optimizer.update(grads, state, params)
            recorder.log(params, grads, updates, value, optimizer_state=state)
            params = optax.apply_updates(params, updates)
        print(recorder.diagnose())

    Everything is optional; the more is known, the more can be told. A step costs one small compiled program
    that reads the gradient, the one before, the update and the parameters once, and nothing waits for it.

    Args:
        objective: ``f(params, batch)``, or ``f(params)`` where there are no data; for the curvature.
        data: the training rows, a tree of arrays whose first axes count the rows.
        optimizer: one of `fallline.optimizers`, or of optax, of which the common ones are understood.
        batch_size: rows a step.
        rows: training rows, if ``data`` is not given.
        learning_rate: a number or a schedule of the step; by default what the optimizer says.
        layers: record the norms of every leaf, too.
        every: measure every so many steps only; the loss is recorded at each.
    """
    return LoopRecorder(
        objective,
        data,
        optimizer,
        batch_size=batch_size,
        rows=rows,
        learning_rate=learning_rate,
        layers=layers,
        every=every,
    )
