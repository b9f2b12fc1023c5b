"""Looking at a run while it trains: at its layers, its errors, and with the doctor's eyes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.descent.batches import BatchPlan
from fallline.descent.objective import Batch, ModelObjective
from fallline.descent.run import Run, Snapshot
from fallline.descent.stopping import Stop
from fallline.diagnosis.case import RunCase
from fallline.diagnosis.doctor import examine
from fallline.jobs.fit import plan_for
from fallline.jobs.result import TableRun
from fallline.jobs.table_case import TableCase
from fallline.page.instruments import instruments
from fallline.studio.background import Work

if TYPE_CHECKING:
    import threading

    from fallline.diagnosis.case import Case
    from fallline.diagnosis.finding import Diagnosis
    from fallline.studio.network.training import Moment, Training

SAMPLE = 256
"""Training rows, at most, on which layers are measured."""

HELD_OUT = 2_000
"""Rows, at most, of which predictions are compared with the truth."""

SHARE = 0.025
"""Of the time that all looks together may take; recording the layers' norms and drawing cost besides."""

LEAST = 0.5
"""Seconds between two looks, at least."""

SECONDS = 15.0
"""That the doctor's measurements of a run that stands still may take."""

FIRST = 0.3
"""Seconds of training before the first look."""


class Looker:
    """Looks at one run now and then, beside the connection's thread.

    Args:
        training: the run, whose rows are known.
        lang: of the doctor's sentences.

    Attributes:
        step: of the newest look.
    """

    def __init__(self, training: Training, lang: str) -> None:
        assert training.cut is not None
        assert training.arguments is not None
        self.training, self.lang = training, lang
        arguments = training.arguments
        self._objective = ModelObjective(
            arguments["model"],
            arguments["loss"].function,
            l1=arguments["l1"] or None,
            l2=arguments["l2"] or None,
        )
        self._batch = _some(arguments["data"], SAMPLE)
        held_out = arguments["validation"]
        self._held_out = None if held_out is None else _some(held_out, HELD_OUT)
        self._work: Work | None = None
        self._due, self._looks = 0.0, 0
        self.step, self._still = -1, False

    @property
    def busy(self) -> bool:
        """Is a look on its way, or waiting to be taken?"""
        return self._work is not None

    def begin(self, moment: Moment, *, at_once: bool = False) -> None:
        """Look, if it is time for it, and there is anything new."""
        step = moment.progress.step
        if self._work is not None or (step, at_once) == (self.step, self._still):
            return
        if not at_once and (time.perf_counter() < self._due or moment.seconds < FIRST):
            return
        self.step, self._still = step, at_once
        self._work = Work(lambda given_up: self._look(moment))

    def take(self) -> tuple[dict[str, Any], Diagnosis] | None:
        """What the look has seen, once."""
        work = self._work
        if work is None or not work.done:
            return None
        self._work = None
        seen, diagnosis, seconds = work.result
        self._looks += 1
        # The first look compiles, which says nothing of the next.
        wait = LEAST if self._looks == 1 else max(LEAST, seconds / SHARE)
        self._due = time.perf_counter() + wait
        return seen, diagnosis

    def _look(self, moment: Moment) -> tuple[dict[str, Any], Diagnosis, float]:
        began = time.perf_counter()
        seen = self.seen(moment)
        case = case_of(self.training, moment)
        # What was recorded is free; anything else would be taken from the run.
        case.asked = {}
        diagnosis = examine(case, measure=False, lang=self.lang)
        return seen, diagnosis, time.perf_counter() - began

    def seen(self, moment: Moment) -> dict[str, Any]:
        """The instruments."""
        training = self.training
        assert training.cut is not None
        assert training.arguments is not None
        plain = training.plain
        return instruments(
            training.arguments["model"],
            moment.params,
            moment.state,
            self._objective,
            self._batch,
            held_out=self._held_out,
            loss=training.arguments["loss"],
            encoder=training.cut.rows.encoder if plain else None,
            history=moment.history,
            step=moment.progress.step,
        )


class Examination:
    """The doctor's measured look at a run that stands still.

    Args:
        case: of the run.
        step: where it stands.
        lang: of the sentences.
    """

    def __init__(self, case: Case, step: int, lang: str) -> None:
        self.step = step
        self._work = Work(lambda given_up: _examined(case, lang, given_up))

    @property
    def done(self) -> bool:
        """Is it over?"""
        return self._work.done

    @property
    def diagnosis(self) -> Diagnosis:
        """What came of it."""
        return self._work.result

    def give_up(self) -> None:
        """Nobody waits for it."""
        self._work.give_up()


def _examined(case: Case, lang: str, given_up: threading.Event) -> Diagnosis | None:
    return None if given_up.is_set() else examine(case, lang=lang, seconds=SECONDS)


def _some(rows: tuple[np.ndarray, np.ndarray], most: int) -> Batch:
    """Some rows, always the same ones, in their order."""
    x, y = rows[0], rows[1]
    if len(y) > most:
        chosen = np.sort(np.random.default_rng(0).permutation(len(y))[:most])
        x, y = x[chosen], y[chosen]
    return Batch(x, y)


def so_far(training: Training, moment: Moment) -> Run:
    """A run in its middle as the run it would be if it ended there."""
    cut, arguments = training.cut, training.arguments
    assert cut is not None
    assert arguments is not None
    progress, history = moment.progress, moment.history
    rates = history.learning_rate
    rate = float(rates[0]) if len(rates) else float("nan")
    if arguments["learning_rate"] == "auto":
        # The range test answers in two digits; single precision has more.
        rate = float(f"{rate:.2g}")
    sentence = f"It was looked at after {progress.epoch:.4g} of {progress.epochs:.4g} epochs."
    return Run(
        params=moment.params,
        state=moment.state,
        history=history,
        stop=Stop("interrupted", sentence),
        plan=plan_of(training),
        optimizer=arguments["optimizer"],
        learning_rate=rate,
        final=Snapshot({"step": np.asarray(progress.step)}, history, moment.seconds),
        best_epoch=0,
        seconds=moment.seconds,
        model=arguments["model"],
        loss=arguments["loss"],
        asked=arguments,
    )


def plan_of(training: Training) -> BatchPlan:
    """Which rows each step sees."""
    assert training.cut is not None
    assert training.arguments is not None
    arguments, cut = training.arguments, training.cut
    if arguments["batch_size"] == cut.config.batch_size:
        return plan_for(cut.rows, cut.config)
    from fallline.descent import batches

    x = arguments["data"][0]
    return batches.plan(len(x), arguments["batch_size"], columns=x.shape[1], seed=arguments["seed"])


def case_of(training: Training, moment: Moment | None = None) -> RunCase:
    """The case that a run makes: at a moment of it, or at its end if none is given."""
    assert training.cut is not None
    run = training.run if moment is None else so_far(training, moment)
    if not training.plain:
        return RunCase(run)
    cut = training.cut
    fitted = TableRun(run, cut.rows.encoder, cut.config, {"model": cut.config.model})
    return TableCase(fitted, cut.rows)
