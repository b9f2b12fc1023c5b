"""The runs that stand beside one another on a page: one of them trains, the others wait or are over."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

from fallline.diagnosis import changes as changing
from fallline.diagnosis.finding import plain
from fallline.errors import FalllineError
from fallline.jobs.config import FitConfig
from fallline.jobs.fit import summarise
from fallline.jobs.result import TableRun
from fallline.page.trained import of_encoder, of_run
from fallline.studio.network import training as phases
from fallline.studio.network.asked import Asked, differences, fields_of
from fallline.studio.network.looking import Examination, Looker, case_of, so_far
from fallline.studio.network.training import Moment, Training

if TYPE_CHECKING:
    from fallline.descent.run import Run
    from fallline.diagnosis.finding import Diagnosis, Finding
    from fallline.studio.network.tables import Tables

MOST = 7
"""Runs beside one another: one, and six forks of it."""

MOST_LEAVING = 8
"""Runs that were given up and are still at what they were at; a compilation cannot be broken off."""


@dataclasses.dataclass
class Entry:
    """One run of the page.

    Attributes:
        number: by which the page knows it, counted from 1.
        asked: the request; of a fork that no `FitConfig` can express, its parent's.
        training: the run itself.
        parent: the number of the run that it was forked from, or None.
        finding: the name of the finding whose fix is in it, or None.
        changes: in what it differs from the run beside it: ``name`` and ``value``.
        made: the changes that no `FitConfig` can express, by the names of `fallline.diagnosis.changes`.
        looker: looks at it while it trains.
        examination: the doctor's measured look, while it is on its way.
        diagnosis: the newest.
        instruments: the newest.
        trained: what is trained on what, once that is known.
        result: what the held-out rows say, once it is over.
        saved: the name of the folder that it was written into.
    """

    number: int
    asked: Asked
    training: Training
    parent: int | None = None
    finding: str | None = None
    changes: list[dict[str, Any]] = dataclasses.field(default_factory=list[dict[str, Any]])
    made: dict[str, Any] | None = None
    looker: Looker | None = None
    examination: Examination | None = None
    examined: int = -1
    diagnosis: Diagnosis | None = None
    instruments: dict[str, Any] | None = None
    trained: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    saved: str | None = None
    shown: int = -1

    @property
    def run(self) -> Run | None:
        """The run, ended or as far as it has come; None before its first step."""
        training = self.training
        if training.phase == phases.ENDED:
            return training.run
        return None if training.moment is None else so_far(training, training.moment)

    @property
    def fitted(self) -> TableRun:
        """The run with its table, as `fallline.fit` would give it.

        Raises:
            FalllineError: where there is none yet, or no `FitConfig` says what it is.
        """
        run, cut = self.run, self.training.cut
        if run is None or cut is None:
            raise FalllineError("This run has not made a step yet: let it train first.")
        if not self.training.plain:
            raise FalllineError(
                "This run has a fix in it for which fallline fit has no option, so it cannot be kept in a "
                "folder of runs: take its Python script instead."
            )
        config = cut.config
        result = summarise(config, cut.rows, {config.model: run}, config.model, run.seconds)
        return TableRun(run, cut.rows.encoder, config, result)

    def facts(self) -> dict[str, Any]:
        """What the page shows of it beside its curves."""
        training = self.training
        phase, error = training.phase, training.error
        run = self.run if training.cut is not None else None
        ended = phase == phases.ENDED and run is not None
        if run is not None and self.trained is None:
            self.trained = self._trained(run)
        trained = self.trained
        if ended and run is not None and trained is not None:
            trained = {**trained, "steps": run.steps, "epochs": run.epochs}
        return {
            "run": self.number,
            "parent": self.parent,
            "finding": self.finding,
            "changes": self.changes,
            "phase": phase,
            "plain": training.plain,
            "settings": {"data": self.asked.data, "features": self.asked.features}
            | {"target": self.asked.config.target, **fields_of(self.asked.config)},
            "trained": trained,
            "reason": run.stop.reason if ended and run else None,
            "sentence": run.stop.sentence
            if ended and run
            else (None if error is None else _sentence(error)),
            "best_epoch": run.best_epoch if ended and run else 0,
            "result": self.result,
            "saved": self.saved,
            "notes": [] if training.cut is None else training.cut.rows.encoder.notes,
        }

    def _trained(self, run: Run) -> dict[str, Any]:
        cut, arguments = self.training.cut, self.training.arguments
        assert cut is not None
        assert arguments is not None
        return {
            **of_run(dataclasses.replace(run, asked=None)),
            **of_encoder(cut.rows.encoder),
            "data": cut.table.source,
            "rows": cut.rows.counts,
            "seed": cut.config.seed,
            "epochs": arguments["epochs"],
            **dict.fromkeys(("steps", "rows_seen", "seconds")),
        }

    def end_moment(self) -> Moment | None:
        """The run at its end, as the instruments take it."""
        newest = self.training.newest
        if newest is None or self.training.phase != phases.ENDED:
            return None
        run = self.training.run
        progress = dataclasses.replace(newest, step=max(run.steps, 1))
        return Moment(progress, run.history, run.params, run.state, run.seconds)

    def measure(self) -> None:
        """Compare a run that has ended with the rows that were held out."""
        if self.result is None and self.training.plain and self.training.phase == phases.ENDED:
            result = self.fitted.result
            names = ("metric", "value", "baseline", "measured_on", "rmse", "mae")
            self.result = {name: result[name] for name in names if name in result}
            rows = result["rows"][result["measured_on"]]
            self.result["rows"] = rows


def _sentence(error: BaseException) -> str:
    if isinstance(error, FalllineError):
        return str(error)
    return f"The studio made a mistake ({type(error).__name__}); the terminal has more."


class Lineup:
    """All runs of one page.

    Args:
        tables: where rows come from.
    """

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.entries: list[Entry] = []
        self.selected: int | None = None
        self._leaving: list[Training] = []
        self._made = 0

    def __getitem__(self, number: int) -> Entry:
        for entry in self.entries:
            if entry.number == number:
                return entry
        raise FalllineError(f"There is no run {number} here any more.")

    @property
    def current(self) -> Entry | None:
        """The run that is looked at."""
        return next((e for e in self.entries if e.number == self.selected), None)

    @property
    def live(self) -> Entry | None:
        """The run that trains."""
        return next((e for e in self.entries if e.training.going), None)

    def clear(self) -> None:
        """Give all runs up and forget them."""
        for entry in self.entries:
            self._give_up(entry)
        self.entries, self.selected = [], None

    def forget(self, number: int) -> None:
        """Forget one run."""
        entry = self[number]
        self._give_up(entry)
        self.entries.remove(entry)
        if self.selected == number:
            self.selected = self.entries[-1].number if self.entries else None

    def new(self, asked: Asked, *, lock_step: bool = False) -> Entry:
        """A run beside the others; alone if it is about something else.

        Raises:
            FalllineError: if there are as many as there may be.
        """
        before = self.current or (self.entries[-1] if self.entries else None)
        if before is not None and _subject(before.asked) != _subject(asked):
            self.clear()
            before = None
        changes = [] if before is None else differences(before.asked.config, asked.config)
        cut = self.tables.cut
        training = Training(lambda: cut(asked), lock_step=lock_step)
        return self._add(Entry(0, asked, training, changes=changes))

    def fork(self, number: int, name: str) -> Entry:
        """A run like another, from the same seed, with the fix of one of its findings in it.

        Raises:
            FalllineError: if there is no such finding, or no fix in it.
        """
        parent = self[number]
        finding = _finding(parent, name)
        if finding.fix is None or not finding.fix.changes:
            raise FalllineError(
                f"{finding.verdict} There is no setting to change for it: {finding.advice}"
            )
        asked, change, made = parent.asked, None, None
        cut = parent.training.cut
        assert cut is not None
        try:
            if not parent.training.plain:
                raise FalllineError("It is a fork already for which there is no option.")
            config: FitConfig = finding.apply(cut.config)
            changes = differences(cut.config, config)
            # What the table decides is found out anew: the fix may leave a column out.
            keeps = asked.features is not None and config.drop == cut.config.drop
            drop = asked.config.drop if keeps else config.drop
            features = asked.features if keeps else None
            same = {"data": asked.config.data, "target": asked.config.target}
            asked = Asked(asked.data, features, dataclasses.replace(config, drop=drop, **same))
        except FalllineError:
            # What `fallline fit` has no option for may still be an argument of `fallline.train`.
            run = parent.run
            assert run is not None
            made = {**(parent.made or {}), **finding.fix.changes}
            change = functools.partial(_changed, made, run.learning_rate)
            changes = [
                {"name": key, "value": plain(value)} for key, value in finding.fix.changes.items()
            ]
        tables_cut = self.tables.cut
        training = Training(lambda: tables_cut(asked), change, lock_step=parent.training.lock_step)
        entry = Entry(0, asked, training, number, finding.name, changes, made)
        return self._add(entry)

    def _add(self, entry: Entry) -> Entry:
        if len(self.entries) >= MOST:
            raise FalllineError(
                f"{MOST} runs are the most that are kept beside one another: forget one, or Reset."
            )
        self._leaving = [training for training in self._leaving if training.alive]
        if len(self._leaving) >= MOST_LEAVING:
            raise FalllineError(
                f"{MOST_LEAVING} runs that were given up have yet to end: wait a moment."
            )
        self._made += 1
        entry.number = self._made
        self.entries.append(entry)
        self.selected = entry.number
        return entry

    def _give_up(self, entry: Entry) -> None:
        entry.training.give_up()
        self._leaving.append(entry.training)
        if entry.examination is not None:
            entry.examination.give_up()

    def only(self, entry: Entry) -> None:
        """No other run trains from now on."""
        for other in self.entries:
            if other is not entry and other.training.alive:
                other.training.pause()

    def examine(self, entry: Entry, lang: str) -> None:
        """Let the doctor measure a run that stands still, once for where it stands."""
        training = entry.training
        ended = training.phase == phases.ENDED
        moment = None if ended else training.moment
        if training.cut is None or (not ended and moment is None) or entry.examination:
            return
        step = training.run.steps if ended else (moment.progress.step if moment else 0)
        if entry.examined == step:
            return
        entry.examined = step
        entry.examination = Examination(case_of(training, moment), step, lang)


def _changed(made: dict[str, Any], rate: float, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `fallline.train` with changes in them, at the rate that the parent had."""
    return changing.changed(arguments, made, rate)


def _finding(entry: Entry, name: str) -> Finding:
    found = [] if entry.diagnosis is None else entry.diagnosis.findings
    for finding in found:
        if finding.name == name:
            return finding
    raise FalllineError(f"The doctor no longer says {name!r:.60} of this run.")


def _subject(asked: Asked) -> tuple[Any, ...]:
    """What makes losses comparable: the same rows, told the same way."""
    config = asked.config
    same = (config.target, config.task, config.loss, config.validation, config.test)
    return (asked.data, asked.features, *same)
