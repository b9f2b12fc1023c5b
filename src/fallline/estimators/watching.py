"""What a user sees of a fit while it runs: functions of their own, progress, scikit-learn's callbacks."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import importlib
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import check_is_fitted

from fallline.errors import FalllineError
from fallline.estimators.showing import Display

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from matplotlib.axes import Axes

    from fallline.descent.run import Progress, Run
    from fallline.show.style import Theme

_theirs: Any = None
with contextlib.suppress(ImportError):
    # New in 1.9. Before, there are no `set_callbacks` and nothing to tidy up after a fit.
    _theirs = importlib.import_module("sklearn.callback")


def _deeper(method: Callable[..., Any]) -> Callable[..., Any]:
    """One call more, as by scikit-learn's ``with_callbacks``, so that warnings point where they should."""

    @functools.wraps(method)
    def called(*args: Any, **options: Any) -> Any:
        return method(*args, **options)

    return called


_Support: Any = object if _theirs is None else _theirs.CallbackSupportMixin
with_callbacks: Any = _deeper if _theirs is None else _theirs.with_callbacks


Given = tuple[Any, Any, Any]
"""X, y and sample weights as the user gave them to ``fit``."""


class Watched(_Support):
    """An estimator whose fits can be watched, and looked at afterwards."""

    callback: Any
    verbose: Any
    _stopped_by_callback = False
    _curves: dict[str, list[float]]

    def _validate_params(self) -> None:
        functions_of(self)
        super()._validate_params()  # pyright: ignore

    def plot_history(self, ax: Axes | None = None, *, theme: str | Theme | None = None) -> Axes:
        """Draw the loss of every epoch, of the training and the validation rows, and why the fit ended.

        Losses are on the units of the data. After `partial_fit`, each call is an epoch.

        Args:
            ax: where to draw; a new figure if None.
            theme: "light", "dark", or None for the one in use.

        Returns:
            The axes.

        Raises:
            NotFittedError: if there was no fit yet.
            ValueError: if no losses are known: the weights were learned elsewhere.
        """
        from fallline.estimators.drawing import draw_history

        check_is_fitted(self, "_params")
        return draw_history(self, ax, theme)

    def _remember(self, run: Run, factor: float, *, first: bool) -> None:
        """Add a run to the curves that `plot_history` draws; ``factor`` brings losses to the data's units."""
        old: Any = {} if first else self._curves
        history, done = run.history, old.get("training", [])
        blew_up = run.stop.reason == "non-finite"
        self._curves = {
            "training": done + [float(v) * factor for v in history.training_loss],
            "validation": old.get("validation", [])
            + [float(v) * factor for v in history.validation_loss],
            "blown": old.get("blown", [])
            + [len(done) + (run.steps + 1) / run.plan.steps] * blew_up,
        }


def functions_of(estimator: Any) -> list[Callable[[Progress], Any]]:
    """The functions that ``callback`` names.

    Raises:
        ValueError: if it is anything else.
    """
    given = estimator.callback
    found = [] if given is None else list(given) if isinstance(given, list | tuple) else [given]
    for function in found:
        if callable(function):
            continue
        hint = ""
        if hasattr(function, "on_fit_task_end"):
            hint = " scikit-learn's callbacks are given to set_callbacks."
        raise InvalidParameterError(
            f"The 'callback' parameter of {type(estimator).__name__} must be a callable, a list of "
            f"callables or None. Got {given!r} instead.{hint}"
        )
    return found


def from_callback(error: BaseException) -> bool:
    """Was it a user's function that raised this?"""
    return getattr(error, "_from_callback", False)


@contextlib.contextmanager
def _users_code() -> Generator[None]:
    """Around a user's code, whose errors are to reach the user as they are."""
    try:
        yield
    except FalllineError as error:
        error._from_callback = True  # pyright: ignore
        raise


class Told:
    """What is between the engine and whoever watches.

    Attributes:
        callback: see `fallline.train`; None where nobody watches.
        every_epoch: see `fallline.train`.
    """

    def __init__(self, estimator: Any, epochs: int, given: Given | None) -> None:
        verbose = int(estimator.verbose)
        theirs = getattr(estimator, "_skl_callbacks", ())
        self.display = Display(type(estimator).__name__, epochs, verbose, part=given is None)
        # Two bars do not share a terminal.
        self._bar = not any(isinstance(c, _theirs.ProgressBar) for c in theirs)
        self._tasks: _Tasks | None = None
        if given is not None and hasattr(estimator, "set_callbacks"):
            self._tasks = _Tasks(estimator, given, epochs)
        tasks = self._tasks is not None and self._tasks.wanted
        self.every_epoch = tasks or self.display.every_epoch
        self._functions = functions_of(estimator)
        watched = tasks or self.display.running or bool(self._functions)
        self.callback = self._called if watched else None
        self._estimator, self._factor, self._closed = estimator, estimator._loss_factor(), 0

    def begin(self) -> None:
        """Say that the fit begins."""
        if self._tasks is not None:
            with _users_code():
                self._tasks.begin()
        if self._bar:
            self.display.raise_bar()

    def _called(self, progress: Progress) -> bool:
        """Hand on what the engine says, with losses on the units of the data; True stops the fit."""
        progress = dataclasses.replace(
            progress,
            loss=progress.loss * self._factor,
            validation_loss=progress.validation_loss * self._factor,
        )
        closed = int(progress.epoch) > self._closed
        self._closed = int(progress.epoch)
        self.display.show(progress, closed=closed)
        stop = False
        with _users_code():
            # All are called, also after one has said stop.
            for function in self._functions:
                stop |= bool(function(progress))
            if self._tasks is not None and closed:
                stop |= self._tasks.epoch_ended(progress)
        self._estimator._stopped_by_callback |= stop
        return stop

    def ended(self, run: Run) -> Run:
        """The run, its sentence saying who stopped it; leaves the display's last line."""
        if run.stop.reason == "interrupted" and self._estimator._stopped_by_callback:
            rest = run.stop.sentence.removeprefix("Interrupted")
            run.stop = dataclasses.replace(run.stop, sentence=f"Stopped by the callback{rest}")
        with _users_code():
            if self._tasks is not None:
                self._tasks.close()
        self.display.ended(run, self._factor, calls=getattr(self._estimator, "n_iter_", 0))
        return run


@contextlib.contextmanager
def shown(estimator: Any, epochs: int, given: Given | None) -> Generator[Told]:
    """Show a fit while it runs.

    Args:
        estimator: the estimator that is being fitted.
        epochs: epochs at most.
        given: what ``fit`` was given; None in a call of ``partial_fit``.
    """
    estimator._stopped_by_callback = False
    told = Told(estimator, epochs, given)
    try:
        told.begin()
        yield told
    finally:
        told.display.close()


def finished(estimator: Any, given: Given) -> None:
    """Tell scikit-learn's callbacks that the estimator is fitted."""
    context = getattr(estimator, "_callback_fit_ctx", None)
    if context is not None:
        with _users_code():
            context.call_on_fit_task_end(**_told_of(estimator, given), reconstruction_attributes={})


def _told_of(estimator: Any, given: Given) -> dict[str, Any]:
    X, y, weights = given
    metadata = {} if weights is None else {"sample_weight": weights}
    return {"estimator": estimator, "X": X, "y": y, "metadata": metadata}


class _Tasks:
    """The tasks that scikit-learn's callbacks are told of: the fit, and in it every epoch.

    An epoch's task begins when the one before has ended. What stops a fit early is known only after
    that, so the last task may be one in which nothing happened; it ends without an estimator to look at,
    as the tasks of scikit-learn's own L-BFGS do.

    Attributes:
        wanted: has any callback been set? Else there is a task of the fit only, and none of epochs.
    """

    def __init__(self, estimator: Any, given: Given, epochs: int) -> None:
        self._estimator, self._epochs = estimator, epochs
        self._told = _told_of(estimator, given)
        self._training: list[float] = []
        self._validation: list[float] = []
        self._root: Any = None
        self._open: Any = None
        self.wanted = bool(getattr(estimator, "_skl_callbacks", ()))

    def begin(self) -> None:
        """Begin the fit's task, and in it the first epoch's."""
        self._root = self._estimator._init_callback_context(max_subtasks=self._epochs)
        self._root.call_on_fit_task_begin(**self._told)
        if self.wanted:
            self._begin_epoch()

    def _begin_epoch(self) -> None:
        self._open = self._root.subcontext(task_name="epoch")
        self._open.call_on_fit_task_begin(**self._told)

    def epoch_ended(self, progress: Progress) -> bool:
        """End an epoch's task and begin the next; True if a callback wants the fit to stop."""
        if self._open is None:
            return False
        self._training.append(progress.loss)
        self._validation.append(progress.validation_loss)
        stop = self._open.call_on_fit_task_end(
            **self._told, reconstruction_attributes=lambda: self._as_of(progress)
        )
        self._open = None
        if not stop and progress.step < progress.steps:
            self._begin_epoch()
        return bool(stop)

    def close(self) -> None:
        """End the task that is open."""
        if self._open is not None:
            self._open.call_on_fit_task_end(estimator=self._estimator)

    def _as_of(self, progress: Progress) -> dict[str, Any]:
        """Attributes of the estimator as if the fit had ended here, with the parameters as they are."""
        now = copy.copy(self._estimator)
        for name in ("run_", "history_", "best_loss_", "validation_scores_"):
            now.__dict__.pop(name, None)
        assert progress.predictor is not None
        # Copies, for the engine goes on to use the memory.
        params, state = jax.tree.map(lambda leaf: np.array(leaf), progress.predictor())
        now._network = now._model(now.n_features_in_)
        now._params, now._state = params, state
        now._last = {"params": params, "state": state}
        now.loss_curve_, now.loss_ = list(self._training), progress.loss
        now.validation_loss_curve_ = [v for v in self._validation if v == v] or None
        now._curves = {
            "training": list(self._training),
            "validation": list(self._validation),
            "blown": [],
        }
        now.n_iter_ = len(self._training)
        now.n_outputs_ = int(now._network.outputs)
        now.stop_reason_ = f"In the middle of a fit, after {now.n_iter_} of {self._epochs} epochs."
        now._publish()
        return dict(vars(now))
