"""The recorder of a training loop written by hand in JAX; see `fallline.watch`."""

from __future__ import annotations

import math
import time
from numbers import Integral
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from fallline.descent.loop import LAYER_FIELDS, STEP_FIELDS
from fallline.diagnosis import optax_rules
from fallline.diagnosis.one_step import deleted, measured, names_of, numbers_of, recorded
from fallline.diagnosis.tape import Tape
from fallline.diagnosis.watched import Watched, whole
from fallline.errors import FalllineError
from fallline.optimizers import Optimizer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jaxtyping import Array, PyTree

    from fallline.descent.history import History
    from fallline.diagnosis.case import Case
    from fallline.diagnosis.finding import Diagnosis

_CHUNK = 512
"""Steps whose records wait on the device before they are fetched together."""

_RECENT = 8
"""The newest records are left there, as they may not be ready."""


class LoopRecorder:
    """Records a loop that somebody else runs; see `watch`.

    It keeps the first and the newest parameters, the newest gradient and the newest state of the optimizer,
    never a copy: what rests on memory that the loop gives away (``donate_argnums``) is not
    known.
    """

    def __init__(
        self,
        objective: Callable[..., Any] | None,
        data: PyTree,
        optimizer: Any,
        *,
        batch_size: int | None,
        rows: int | None,
        learning_rate: Any,
        layers: bool,
        every: int,
    ) -> None:
        for name, value in (("every", every), ("batch_size", batch_size), ("rows", rows)):
            if value is not None and not (isinstance(value, Integral) and value >= 1):
                raise FalllineError(
                    f"{name} must be a whole number, 1 or more; it was given {value!r}."
                )
        if not (learning_rate is None or callable(learning_rate)):
            _number("The learning rate", learning_rate)
        if not (objective is None or callable(objective)):
            raise FalllineError(
                f"The objective must be a function of the parameters; it is {objective!r}."
            )
        counts = {(*np.shape(leaf), None)[0] for leaf in jax.tree.leaves(data)}
        if len(counts) > 1 or None in counts:
            raise FalllineError(
                "The data must be a tree of arrays whose first axes count the rows, as many in each."
            )
        self.objective, self.data = objective, data
        self.batch_size, self.rows = batch_size, counts.pop() if counts and rows is None else rows
        self._optimizer, self._rate = optimizer, learning_rate
        self._every = every
        self._tape = Tape(layers=layers)
        self._pending: list[tuple[Any, Any, Any]] = []
        self._steps = 0
        self._previous: list[Any] | None = None
        self._last: Any = None
        self._first: PyTree = None
        self._params: PyTree = None
        self._state: Any = None
        self._began = self._latest = math.nan

    def log(
        self,
        params: PyTree,
        grads: PyTree,
        updates: PyTree,
        loss: Any,
        validation_loss: Any = None,
        learning_rate: Any = None,
        optimizer_state: Any = None,
    ) -> None:
        """Record a step.

        Args:
            params: before the update.
            grads: the gradient there.
            updates: what is added to the parameters.
            loss: the value there, an array or a number.
            validation_loss: if there is one; an epoch then ends with this step.
            learning_rate: of this step, if `watch` was not told.
            optimizer_state: after the update, for the curvature as the optimizer meets it.

        Raises:
            FalllineError: inside ``jax.jit``, ``lax.scan`` and the like, where nothing can be recorded; if
                the trees do not fit together, or the objective that `watch` was given cannot be called.
        """
        gradient, places = numbers_of(grads), numbers_of(params)
        if any(isinstance(leaf, Tracer) for leaf in (loss, *gradient, *places)):
            raise FalllineError(
                "recorder.log was called inside a function that JAX compiles, where there are no numbers "
                "yet. Return them and log outside: from jax.jit, return (params, grads, updates, loss); from "
                "lax.scan, return recorder.measure(params, grads, updates, loss, previous) as the step's "
                "output and hand what the scan stacked to recorder.extend(records)."
            )
        if not isinstance(loss, jax.Array):
            loss = _number("The loss", loss)
        self._begin(params)
        if len(gradient) != len(self._tape.leaf_names):
            raise FalllineError(
                f"The parameters have {len(self._tape.leaf_names)} arrays of numbers, but the gradient has "
                f"{len(gradient)}: each step must be told with trees like the first one's."
            )
        rate = self._current_rate(optimizer_state) if learning_rate is None else learning_rate
        if self._steps % self._every:
            self._pending.append((None, loss, rate))
        else:
            before, last = self._previous, self._last if self._every == 1 else None
            if before is None or any(map(deleted, before)):
                before = last = None
            record = recorded(
                places,
                gradient,
                numbers_of(updates),
                loss,
                before,
                last,
                layers=self._tape.layers,
            )
            self._last = record
            self._pending.append((record, None, rate))
        self._steps += 1
        self._previous, self._params = gradient, params
        if optimizer_state is not None:
            self._state = optimizer_state
        if len(self._pending) >= _CHUNK:
            self._fetch(_RECENT)
        if validation_loss is not None:
            self.epoch(validation_loss=validation_loss)

    def measure(
        self,
        params: PyTree,
        grads: PyTree,
        updates: PyTree,
        loss: Any,
        previous: PyTree = None,
        learning_rate: Any = math.nan,
    ) -> dict[str, Array]:
        """What `log` records of a step, as a pure function for use inside ``jit`` and ``scan``.

        Args:
            params: before the update.
            grads: the gradient there.
            updates: what is added to the parameters.
            loss: the value there.
            previous: the gradient of the step before: zeros, or None, at the first.
            learning_rate: of this step, if `watch` was not told.

        Returns:
            A dict of numbers, and of one vector a norm of the leaves, for `extend`.
        """
        if not self._tape.leaf_names:
            self._tape.leaf_names = names_of(params)
        before = None if previous is None else numbers_of(previous)
        return measured(
            numbers_of(params),
            numbers_of(grads),
            numbers_of(updates),
            loss,
            before,
            learning_rate,
            layers=self._tape.layers,
        )

    def extend(
        self, records: Mapping[str, Any], params: PyTree = None, optimizer_state: Any = None
    ) -> None:
        """Record many steps: what ``scan`` stacked of `measure`.

        Args:
            records: each number with the steps as its first axis; a single step's will do.
            params: where the loop stands now, for the curvature.
            optimizer_state: likewise.

        Raises:
            FalllineError: if these are no records, or it is called where JAX compiles.
        """
        wanted = [*STEP_FIELDS, *(LAYER_FIELDS if self._tape.layers else ())]
        if not isinstance(records, dict) or not set(wanted) <= set(records):
            raise FalllineError(
                "recorder.extend takes what recorder.measure returned, or what lax.scan stacked of it: a "
                f"dict with {', '.join(wanted)}."
            )
        if isinstance(records["loss"], Tracer) or np.ndim(records["loss"]) > 1:
            raise FalllineError(
                "recorder.extend takes numbers with the steps as their only axis, outside of what JAX "
                "compiles: call it on what came back, and join nested scans with reshape(-1, ...) first."
            )
        self._clock()
        self._pending.append((records, None, None))
        self._steps += (np.shape(records["loss"]) or (1,))[0]
        self._previous = None
        if len(self._pending) >= _CHUNK:
            self._fetch(_RECENT)
        self._params = self._params if params is None else params
        self._state = self._state if optimizer_state is None else optimizer_state

    def epoch(
        self,
        *,
        validation_loss: Any = None,
        validation_score: Any = None,
        training_loss: Any = None,
    ) -> None:
        """An epoch ends here.

        Args:
            validation_loss: if there is one.
            validation_score: such as the accuracy.
            training_loss: by default the mean over the epoch's steps.
        """
        self._tape.close(self._steps, training_loss, validation_loss, validation_score)

    @property
    def history(self) -> History:
        """What was recorded so far."""
        self._fetch(0)
        return self._tape.history(self._planned_rates, self._steps_per_epoch)

    def case(self) -> Case:
        """The loop as the doctor meets it: one that can be tried again, if enough is known of it.

        Raises:
            FalllineError: if nothing was recorded.
        """
        if not self._steps:
            raise FalllineError(
                "Nothing was recorded: call recorder.log at each step, then diagnose."
            )
        optimizer, state = optax_rules.translated(self._optimizer, self._state)
        return Watched(
            self.history,
            self._steps,
            self.objective,
            self.data,
            optimizer,
            state,
            self._first,
            self._params,
            self.batch_size,
            self.rows,
            self._steps_per_epoch,
            self._latest - self._began,
        ).case()

    def diagnose(self, **options: Any) -> Diagnosis:
        """What is wrong, if anything; options as for `fallline.diagnose`.

        Raises:
            FalllineError: if nothing was recorded.
        """
        from fallline.diagnosis.doctor import diagnose

        return diagnose(self.case(), **options)

    # ------------------------------------------------------------------ inside

    def _begin(self, params: PyTree) -> None:
        self._clock()
        if not self._tape.leaf_names:
            self._tape.leaf_names = names_of(params)
        if self._first is None and self.objective is not None:
            self._try(self.objective, params)
            self._first = params

    def _try(self, objective: Callable[..., Any], params: PyTree) -> None:
        """Trace the objective once: a mistake in it is told at the first step, not after the last."""
        if not whole(params):
            return
        try:
            found = jax.eval_shape(objective, params, *(() if self.data is None else (self.data,)))
        except FalllineError:
            raise
        except Exception as error:
            called = "f(params)" if self.data is None else "f(params, data)"
            raise FalllineError(
                f"The objective that fallline.watch was given cannot be differentiated as {called}, with the "
                f"parameters that were logged: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
            ) from error
        if getattr(found, "shape", None) != ():
            raise FalllineError(
                "The objective that fallline.watch was given must return one number, without anything beside "
                f"it; it returned {found}."
            )

    def _clock(self) -> None:
        self._latest = time.perf_counter()
        if not self._steps:
            self._began = self._latest

    def _fetch(self, leave: int) -> None:
        """Bring what waits on the device, but for the newest, to the tape."""
        count = len(self._pending) - leave
        if count <= 0:
            return
        fetched = jax.device_get(self._pending[:count])
        del self._pending[:count]
        width, layers = len(self._tape.leaf_names), self._tape.layers
        blocks: list[np.ndarray] = []
        norms: list[list[np.ndarray]] = []
        for record, loss, rate in fetched:
            if isinstance(record, dict):
                found = {k: np.asarray(v, np.float64) for k, v in record.items()}
                steps = np.stack([np.atleast_1d(found[f]) for f in STEP_FIELDS], axis=1)
                leaves = [np.atleast_2d(found[f]) for f in LAYER_FIELDS] if layers else []
            elif record is None:
                steps = np.full((1, len(STEP_FIELDS)), np.nan)
                steps[0, 0] = np.reshape(loss, ())
                leaves = [np.full((1, width), np.nan)] * len(LAYER_FIELDS) if layers else []
            else:
                numbers = np.asarray(record, np.float64)
                steps, rest = numbers[None, : len(STEP_FIELDS)], numbers[len(STEP_FIELDS) :]
                leaves = list(rest.reshape(-1, 1, width)) if layers else []
            if rate is not None:
                steps = steps.copy()
                steps[:, 1] = rate
            blocks.append(steps)
            norms.append(leaves)
        self._tape.add(
            np.concatenate(blocks),
            np.concatenate([np.stack(part, axis=1) for part in norms]) if layers else None,
        )

    def _current_rate(self, state: Any) -> Any:
        """The rate that the state of optax's ``inject_hyperparams`` tells, or a number that stays."""
        if self._rate is not None:
            return None if callable(self._rate) else self._rate
        told = getattr(state, "hyperparams", None)
        return told.get("learning_rate") if isinstance(told, dict) else None

    def _planned_rates(self, count: int) -> np.ndarray:
        """Rates by the schedule, asked for when they are wanted: a schedule costs more than a record."""
        rate = self._rate
        if rate is None:
            rate = optax_rules.rate_of(self._optimizer)
        if isinstance(self._optimizer, Optimizer) and self._rate is None:
            rate = getattr(self._optimizer, "learning_rate", None)
        if rate is None:
            return np.full(count, np.nan)
        if not callable(rate):
            return np.full(count, float(rate))
        try:
            found = np.asarray(jax.vmap(rate)(jnp.arange(count)), np.float64)
        except TypeError:
            # A schedule that asks in Python which step it is.
            found = np.asarray([rate(step) for step in range(count)], np.float64)
        return np.broadcast_to(found, (count,))

    @property
    def _steps_per_epoch(self) -> int | None:
        if self._tape.steps_per_epoch is not None:
            return self._tape.steps_per_epoch
        if self.rows is None or self.batch_size is None:
            return None
        return math.ceil(self.rows / self.batch_size)


def _number(what: str, value: Any) -> float:
    try:
        return float(np.asarray(value).item())
    except (TypeError, ValueError):
        raise FalllineError(f"{what} must be a number; it was given {value!r}.") from None
