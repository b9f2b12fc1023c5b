"""Descending: the compiled loop, call by call, with all that happens between two calls."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from fallline import tree
from fallline.descent import stopping
from fallline.descent.history import Recorder
from fallline.descent.loop import averaged
from fallline.descent.problem import Problem, initial_rate
from fallline.descent.run import Progress, Run, Snapshot
from fallline.descent.signals import interruptible
from fallline.descent.stopping import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import PyTree

CALL_SECONDS = 0.1
"""How much work one call of the compiled loop is given before Python looks in."""


def descend(
    problem: Problem,
    callback: Callable[[Progress], Any] | None = None,
    keep: Callable[[Snapshot, float], None] | None = None,
    keep_every: float = 10.0,
    resume: Snapshot | None = None,
    time_budget: float | None = None,
    spent: float = 0.0,
    *,
    every_epoch: bool = False,
) -> Run:
    """Run a problem to its end; see `train`; ``spent`` counts seconds that came before."""
    began = time.perf_counter()
    rate = float(initial_rate(problem.optimizer))
    carry = problem.begin(problem.optimizer)
    names = tree.names(carry["params"])
    recorder = Recorder(names)
    if resume is not None:
        carry = problem.placed(tree.from_arrays(carry, resume.arrays))
        recorder, spent = Recorder.resumed(resume.history), resume.seconds
    plan = problem.plan
    step, code = int(carry["step"]), int(carry["stop"])
    reason, kept_at, pace = "", began, 0.0
    call_seconds = problem.call_seconds or CALL_SECONDS
    terminable = keep is not None or problem.shared
    with interruptible(terminable=terminable) as asked, problem.feed() as feed:
        while code == stopping.RUNNING and step < problem.steps and not reason:
            # Until a call has been timed, one epoch or a few steps; then about CALL_SECONDS of work.
            wish = max(1, int(call_seconds / pace)) if pace else 8
            if every_epoch:
                wish = min(wish, plan.steps - step % plan.steps)
            called = time.perf_counter()
            carry, rows, closings, layers = feed.call(carry, step, wish)
            new_step, code = int(carry["step"]), int(carry["stop"])
            now = time.perf_counter()
            blew_up = code == stopping.BLEW_UP
            closed = int(carry["epoch"]) - _epochs_of(recorder)
            recorder.add(rows, closings, layers, taken=new_step - step + blew_up, closed=closed)
            if new_step > step:
                # The first call compiles; its pace says nothing.
                measured = (now - called) / (new_step - step)
                pace = measured if pace or resume else min(measured, call_seconds / 8)
            seen = plan.rows_seen(new_step) - plan.rows_seen(step)
            step = new_step
            spent_now = spent + now - began
            if callback and callback(
                _progress(problem, recorder, carry, seen / max(now - called, 1e-9), spent_now)
            ):
                reason = "interrupted"
            if said := asked():
                reason = said
            elif time_budget is not None and spent_now >= time_budget:
                reason = "time"
            reason, pace = problem.agreed(reason, pace)
            if keep and now - kept_at >= keep_every and code == stopping.RUNNING:
                keep(Snapshot(tree.to_arrays(carry), recorder.history(), spent_now), rate)
                kept_at = time.perf_counter()
    if code == stopping.BLEW_UP:
        carry["optimizer_state"] = _forgetting(carry["optimizer_state"])
    seconds = spent + time.perf_counter() - began
    history = recorder.history()
    final = Snapshot(tree.to_arrays(carry), history, seconds)
    if keep:
        keep(final, rate)
    carry = problem.finished(carry)
    predictor = {"params": averaged(carry), "state": carry["state"]}
    best_epoch = int(carry["best_epoch"]) if "best" in carry else 0
    if best_epoch:
        predictor = carry["best"]
    reason = (
        stopping.REASONS.get(code) or reason or ("epochs" if step % plan.steps == 0 else "steps")
    )
    return Run(
        params=predictor["params"],
        state=predictor["state"],
        history=history,
        stop=Stop(reason, _sentence(problem, reason, step, best_epoch, seconds)),
        plan=plan,
        optimizer=problem.optimizer,
        learning_rate=rate,
        final=final,
        best_epoch=best_epoch,
        seconds=seconds,
        last={name: carry[name] for name in ("params", "state", "optimizer_state", "optimizer")},
    )


@jax.jit
def _forgetting(state: PyTree) -> PyTree:
    """What an optimizer remembers after a blow-up: what is not finite is forgotten."""

    def finite(leaf: Any) -> Any:
        real = jnp.issubdtype(leaf.dtype, jnp.inexact)
        return jnp.where(jnp.isfinite(leaf), leaf, 0) if real else leaf

    return jax.tree.map(finite, state)


def _epochs_of(recorder: Recorder) -> int:
    """Epochs recorded so far."""
    return sum(len(part) for part in recorder.epochs)


def _progress(
    problem: Problem, recorder: Recorder, carry: Any, pace: float, seconds: float
) -> Progress:
    step = int(carry["step"])
    newest = next((part[-1] for part in reversed(recorder.epochs) if len(part)), None)
    loss, validation = (newest[0], newest[1]) if newest is not None else (math.nan, math.nan)
    if newest is None and recorder.steps and len(recorder.steps[-1]):
        loss = recorder.steps[-1][:, 0].mean()
    seen = problem.plan.rows_seen(step)
    return Progress(
        step=step,
        steps=problem.steps,
        epoch=seen / problem.plan.rows,
        epochs=problem.epochs,
        loss=float(loss),
        validation_loss=float(validation),
        rows_per_second=pace,
        seconds=seconds,
        seconds_left=(problem.plan.rows_seen(problem.steps) - seen) / max(pace, 1e-9),
        predictor=lambda: (averaged(carry), carry["state"]),
        history=recorder.history,
        workers=problem.workers(),
    )


def _sentence(problem: Problem, reason: str, step: int, best: int, seconds: float) -> str:
    """How the run ended, for a reader."""
    epoch = problem.plan.rows_seen(step) / problem.plan.rows
    where = f"after {_plain(epoch)} of {_epochs(problem.epochs)}"
    validated = problem.validated and not problem.shape.watched
    monitored = "validation" if validated else "training"
    patience = float(problem.rules.patience)
    text = {
        "epochs": f"Ended as planned after {_epochs(epoch)}.",
        "steps": f"Ended as planned after {step:,} steps.",
        "patience": f"Stopped {where}: the {monitored} loss had not improved for "
        f"{_epochs(patience)}.",
        "gradient": f"Stopped {where}: the gradient norm fell below "
        f"{float(problem.rules.gradient_tolerance):g}.",
        "slope": f"Stopped {where}: the training loss no longer falls.",
        "time": f"Stopped {where}: the time budget was spent ({seconds:.1f} s).",
        "interrupted": f"Interrupted {where}.",
        "terminated": f"Asked to end (SIGTERM) {where}.",
        "non-finite": f"The run blew up at step {step + 1:,} ({where}): the loss or the parameters were "
        "no longer finite numbers. The last finite parameters are kept; try a smaller learning rate.",
    }[reason]
    if best:
        text += f" The parameters of epoch {best}, the best on the validation rows, were kept."
    return text


def _plain(count: float) -> str:
    """A whole number as such; four digits of another."""
    return f"{count:.0f}" if count % 1 == 0 and count < 1e9 else f"{count:.4g}"


def _epochs(count: float) -> str:
    return f"{_plain(count)} epoch" + ("" if count == 1 else "s")
