"""A run that trains in a thread of its own, while a page looks at it; it can be paused, and given up."""

from __future__ import annotations

import dataclasses
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from fallline.descent.train import train
from fallline.errors import FalllineError
from fallline.jobs.fit import train_arguments
from fallline.studio.background import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.descent.history import History
    from fallline.descent.run import Progress, Run
    from fallline.studio.network.tables import Cut

WAITING, READING, RATE, RUNNING, PAUSED, ENDED, FAILED = (
    "waiting",
    "reading",
    "rate",
    "running",
    "paused",
    "ended",
    "failed",
)
"""How a run stands: what the page shows in words."""


@dataclasses.dataclass(frozen=True)
class Moment:
    """A run in its middle, taken out of the loop: nothing in it changes any more.

    Attributes:
        progress: the numbers; its functions are good no longer.
        history: everything up to here.
        params: what would predict now.
        state: what goes with it.
        seconds: of training, without pauses.
    """

    progress: Progress
    history: History
    params: Any
    state: Any
    seconds: float


class Training:
    """One run of a page.

    Args:
        prepare: reads the table and cuts it; called in the run's thread.
        change: gets the arguments of `fallline.train` and gives those to train with; None for no change.
        lock_step: end every call of the loop with its epoch, and begin paused.

    Attributes:
        cut: the rows and the whole config, once they are known.
        arguments: of `fallline.train`, once they are known.
        error: what went wrong.
    """

    def __init__(
        self,
        prepare: Callable[[], Cut],
        change: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        *,
        lock_step: bool = False,
    ) -> None:
        self._prepare, self._change = prepare, change
        self.lock_step = lock_step
        self.cut: Cut | None = None
        self.arguments: dict[str, Any] | None = None
        self.error: BaseException | None = None
        self._phase = WAITING
        self._work: Work | None = None
        self._gate = threading.Condition()
        self._paused, self._wanted, self._until = lock_step, True, 0.0
        self._moment: Moment | None = None
        self._newest: Progress | None = None
        self._idle = 0.0

    def start(self) -> None:
        """Begin, or go on."""
        with self._gate:
            self._go_until(float("inf"))
        self._begin()

    def advance(self, epochs: int) -> None:
        """Go on for some epochs, then pause."""
        with self._gate:
            at = 0.0 if self._newest is None else self._newest.epoch
            self._go_until(round(at + epochs, 6))
        self._begin()

    def _go_until(self, epoch: float) -> None:
        self._paused, self._until = False, epoch
        if self._phase == PAUSED:
            # Its thread has yet to wake up, but it no longer stands still.
            self._phase = RUNNING
        self._gate.notify_all()

    def _begin(self) -> None:
        if self._work is None:
            self._work = Work(self._train)

    def pause(self) -> None:
        """Stand still after the call of the loop that is on its way."""
        with self._gate:
            self._paused = True

    def give_up(self) -> None:
        """End it where it is."""
        if self._work is not None:
            self._work.give_up()
        with self._gate:
            self._gate.notify_all()

    def want(self) -> None:
        """Take the next moment out of the loop."""
        self._wanted = True

    @property
    def plain(self) -> bool:
        """Does it train on the rows as they were cut, and on what a `FitConfig` can say?"""
        return self._change is None

    @property
    def phase(self) -> str:
        """How it stands."""
        if self._work is not None and self._work.done:
            return FAILED if self.error else ENDED
        return self._phase

    @property
    def alive(self) -> bool:
        """Does its thread still run?"""
        return self._work is not None and not self._work.done

    @property
    def busy(self) -> bool:
        """Is it at work?"""
        return self.alive and self._phase != PAUSED

    @property
    def going(self) -> bool:
        """Is it at work, and will it be after what it is at?"""
        return self.busy and not self._paused

    @property
    def run(self) -> Run:
        """What came of it; waits for it.

        Raises:
            BaseException: what went wrong.
        """
        assert self._work is not None
        return self._work.result

    @property
    def moment(self) -> Moment | None:
        """The newest moment that was taken out of the loop."""
        return self._moment

    @property
    def newest(self) -> Progress | None:
        """The newest numbers."""
        return self._newest

    def _train(self, given_up: threading.Event) -> Run:
        try:
            return self._trained(given_up)
        except BaseException as error:
            self.error = error
            if not isinstance(error, (FalllineError, AbandonedError)):
                traceback.print_exc()
            raise

    def _trained(self, given_up: threading.Event) -> Run:
        self._phase = READING
        cut = self._prepare()
        arguments = train_arguments(cut.config.model, cut.rows, cut.config)
        if self._change is not None:
            arguments = self._change(arguments)
        self.cut, self.arguments = cut, arguments
        if given_up.is_set():
            raise AbandonedError
        self._phase = RATE if arguments["learning_rate"] == "auto" else RUNNING

        def look(progress: Progress) -> bool:
            self._look(progress, given_up)
            return given_up.is_set()

        run = train(**arguments, record="layers", callback=look, every_epoch=self.lock_step)
        run.seconds -= self._idle
        return run

    def _look(self, progress: Progress, given_up: threading.Event) -> None:
        self._newest = dataclasses.replace(progress, predictor=None, history=None)
        if self._phase != PAUSED:
            self._phase = RUNNING
        pausing = self._paused or progress.epoch >= self._until - 1e-9
        over = progress.step >= progress.steps
        if self._wanted or pausing:
            self._wanted = False
            self._moment = _taken(progress, progress.seconds - self._idle)
        if not pausing or over:
            return
        began = time.perf_counter()
        with self._gate:
            self._paused, self._phase = True, PAUSED
            while self._paused and not given_up.is_set():
                self._gate.wait(0.5)
            self._phase = RUNNING
        self._idle += time.perf_counter() - began


class AbandonedError(Exception):
    """A run was given up before it began."""


def _taken(progress: Progress, seconds: float) -> Moment:
    """What is to be looked at, copied: the loop uses its memory again."""
    assert progress.predictor is not None
    assert progress.history is not None
    params, state = progress.predictor()
    copied = jax.tree.map(lambda leaf: np.array(leaf, copy=True), (params, state))
    plain = dataclasses.replace(progress, predictor=None, history=None)
    return Moment(plain, progress.history(), copied[0], copied[1], seconds)
