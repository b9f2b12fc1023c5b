"""A run: what was asked, what came out, and everything that happened in between."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from fallline import sparse
from fallline.errors import FalllineError
from fallline.faces import face
from fallline.models.products import BFLOAT16

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jaxtyping import PyTree

    from fallline.descent.batches import BatchPlan
    from fallline.descent.history import History
    from fallline.descent.stopping import Stop
    from fallline.losses import Loss
    from fallline.models import Model

_BLOCK = 8192

_WIDTH = 32
"""Numbers of a sparse row that are multiplied at a time; see `sparse.in_blocks`."""


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A run in the middle, from which it goes on bit by bit as if it had never stopped.

    Attributes:
        arrays: everything that changes from step to step, by name.
        history: what was recorded so far.
        seconds: training time spent so far.
    """

    arrays: dict[str, np.ndarray]
    history: History
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class Worker:
    """One of several processes that train together.

    Attributes:
        rank: which, from 0.
        rows_per_second: what it computes alone, without waiting for the others; measured now and then.
        reading_share: the share of its time in which it waited for rows to be read.
    """

    rank: int
    rows_per_second: float
    reading_share: float


@dataclasses.dataclass(frozen=True)
class Progress:
    """What is told between two calls of the loop.

    Attributes:
        step: steps done.
        steps: steps at most.
        epoch: epochs done, counted in rows: 1.5 is in the middle of the second.
        epochs: epochs at most.
        loss: the newest epoch's mean training loss, or the newest steps' in the first epoch.
        validation_loss: the newest, or NaN.
        rows_per_second: measured over the last call.
        seconds: since the start of training.
        seconds_left: by the pace so far, if the run goes on to its last step.
        predictor: gives parameters and untrained state as they are now; good only during the call.
        history: gives what was recorded so far.
        workers: the processes that train together; empty for a single one.
    """

    step: int
    steps: int
    epoch: float
    epochs: float
    loss: float
    validation_loss: float
    rows_per_second: float
    seconds: float
    seconds_left: float
    predictor: Callable[[], tuple[PyTree, PyTree]] | None = None
    history: Callable[[], History] | None = None
    workers: list[Worker] = dataclasses.field(default_factory=list[Worker])


@functools.partial(jax.jit, static_argnames=("model",))
def _apply(model: Model, params: PyTree, state: PyTree, x: Any) -> Any:
    return model.apply(params, state, x)[0]


def apply_in_blocks(
    model: Model, params: PyTree, state: PyTree, x: Any, block: int | None = None
) -> np.ndarray:
    """The raw outputs of a model for any number of rows, some thousands at a time.

    Args:
        model: the model.
        params: its parameters.
        state: its untrained state.
        x: features, (n, ...); also a sparse table, which is never made dense as a whole.
        block: rows at a time. If given, fewer rows are filled up to as many, so that one program serves
            any number of rows (a few, for sparse tables of any number stored) and a row's outputs never
            depend on how many others there are.

    Returns:
        Array of shape (n, outputs).
    """
    count = x.shape[0] if hasattr(x, "shape") else len(x)
    size = block or max(1, min(count, _BLOCK))
    if sparse.is_rows(x):
        blocks = sparse.in_blocks(sparse.canonical(x.to_csr()), size, _WIDTH)
    elif sparse.is_sparse(x) and size * x.shape[1] > sparse.SMALL:
        blocks = sparse.in_blocks(sparse.canonical(x), size, _WIDTH)
    else:
        blocks = _in_blocks(sparse.canonical(x) if sparse.is_sparse(x) else np.asarray(x), size)
    parts = [np.asarray(_apply(model, params, state, part)) for part in blocks]
    return np.concatenate(parts)[:count]


def _in_blocks(x: Any, size: int) -> Iterator[np.ndarray]:
    """Rows some at a time, each block in full; the last one is filled up with zeros."""
    for begin in range(0, max(x.shape[0], 1), size):
        part = x[begin : begin + size]
        part = part.toarray() if sparse.is_sparse(part) else part
        missing = size - len(part)
        yield np.pad(part, [(0, missing)] + [(0, 0)] * (part.ndim - 1)) if missing else part


@dataclasses.dataclass
class Run:
    """The result of `fallline.train`.

    Attributes:
        params: the parameters to predict with: the best on the validation rows where there were
            any, averaged where the optimizer averages, else the last ones.
        state: what the model carries along untrained, to go with them.
        history: every step and every epoch.
        stop: how the run ended.
        plan: which rows each step saw.
        optimizer: with the learning rate that was used, and its schedule.
        learning_rate: the initial rate; found by the range test if it was "auto".
        final: where the run stood at its end; training can go on from here.
        best_epoch: the epoch whose parameters were kept, counted from 1; 0 if none was validated.
        seconds: training time, compilation included.
        model: the model, or None for a user's objective.
        loss: the loss, or None for a user's objective.
        range_test: the learning rates tried and what came of them, or None.
        last: parameters, untrained state, the optimizer and what it remembers at the very end, by the names
            that `fallline.train` takes, so that ``train(..., **run.last)`` goes on with other data.
        precision: "float32", "float64", or "bfloat16" for the layers' products.
        asked: the arguments of the call: ``fallline.train(**run.asked)`` repeats it, and `fallline.diagnose`
            tries changes. They hold the data, so they are left behind when a run is pickled. None if unknown.
    """

    params: PyTree
    state: PyTree
    history: History
    stop: Stop
    plan: BatchPlan
    optimizer: Any
    learning_rate: float
    final: Snapshot
    best_epoch: int
    seconds: float
    model: Model | None = None
    loss: Loss | None = None
    range_test: Any = None
    last: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    precision: str = "float32"
    asked: dict[str, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "asked": None}

    @property
    def steps(self) -> int:
        """Updates made."""
        return int(self.final.arrays["step"])

    @property
    def epochs(self) -> float:
        """Passes over the rows, a whole number unless the run ended in the middle of one."""
        return self.rows_seen / self.plan.rows

    @property
    def rows_seen(self) -> int:
        """Rows seen, each as often as it was."""
        return self.plan.rows_seen(self.steps)

    @property
    def batch_size(self) -> int:
        """Rows a step."""
        return self.plan.size

    def outputs(self, x: Any) -> np.ndarray:
        """The model's raw outputs (logits, for a classifier), shape (n, outputs).

        ``x`` may be sparse, as in training; so it may in `predict` and `probabilities`.

        Raises:
            FalllineError: if the run trained a user's objective, which has no outputs.
        """
        if self.model is None:
            raise FalllineError(
                "This run trained an objective of your own, which has no predictions; its result is "
                "in run.params."
            )
        return apply_in_blocks(self.model, self.params, self.state, x)

    def predict(self, x: Any) -> np.ndarray:
        """Predictions: numbers for a regression, (n,) or (n, outputs); class indices, (n,)."""
        raw = self.outputs(x)
        loss = self._loss()
        if loss.task == "regression":
            mean = np.asarray(loss.link(jax.device_put(raw))) if loss.link else raw
            return mean[:, 0] if mean.shape[1] == 1 else mean
        if raw.shape[1] == 1:
            return (raw[:, 0] > 0).astype(np.int32)
        return np.argmax(raw, axis=1).astype(np.int32)

    def probabilities(self, x: Any) -> np.ndarray:
        """Class probabilities, shape (n, classes).

        Raises:
            FalllineError: if the loss gives none (hinge) or is a regression's.
        """
        loss = self._loss()
        if loss.task != "classification" or loss.link is None:
            raise FalllineError(f"The loss {loss.name!r} gives no class probabilities.")
        p = np.asarray(loss.link(jax.device_put(self.outputs(x))))
        return np.concatenate([1 - p, p], axis=1) if p.shape[1] == 1 else p

    def _loss(self) -> Loss:
        if self.loss is None:
            raise FalllineError("This run trained an objective of your own, not a loss.")
        return self.loss

    def plot(self, ax: Any = None, *, theme: Any = None) -> Any:
        """Draw the losses, and below them the learning rate and the norm of the gradients.

        Args:
            ax: axes of matplotlib to draw the losses on; a new figure if None.
            theme: "light", "dark", or None for the one in use.

        Returns:
            The axes of the losses; the figure is ``.figure``.

        Raises:
            FalllineError: if there is nothing to draw.
        """
        return face("overview", "run")(self, ax, theme=theme)

    def show(
        self,
        *,
        height: int = 460,
        theme: str | None = None,
        lang: str | None = None,
        diagnose: bool = False,
    ) -> Any:
        """Show it in a notebook, as the last expression of a cell; see `fallline.show.notebook.show_run`.

        Args:
            height: in pixels.
            theme: "light", "dark", or None to follow the notebook.
            lang: "en" or "zh"; by the environment if None.
            diagnose: ask the doctor as well.

        Returns:
            A widget; a picture where anywidget is not installed.
        """
        return face("notebook", "show_run")(
            self, height=height, theme=theme, lang=lang, diagnose=diagnose
        )

    def __str__(self) -> str:
        products = ", products in bfloat16" if self.precision == BFLOAT16 else ""
        return (
            f"{self.steps:,} steps in {self.epochs:.4g} epochs ({self.plan}), "
            f"{self.rows_seen:,} rows seen in {self.seconds:.2f} s{products}. {self.stop.sentence}"
        )

    def __repr__(self) -> str:
        return f"<Run: {self}>"
