"""The network view: a model that trains on a table, seen while it does.

Messages of the page: ``run`` (settings: go on with the run of these settings, or begin one), ``pause``,
``advance`` (so many epochs, in lock-step), ``reset``, ``select``, ``apply`` (a finding's fix), ``forget``,
``language``, ``table`` (what is in one); asked for: ``tables``, ``save``, ``script``, ``csv``. To the page:
``table``, ``runs`` whenever something about a run changes, ``curves``, ``instruments`` and ``diagnosis`` of a
run, ``advanced``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

from fallline.errors import FalllineError
from fallline.page.curves import curves, epochs
from fallline.studio.background import Work
from fallline.studio.network import asked, saving, tables
from fallline.studio.network import training as phases
from fallline.studio.network.lineup import Entry, Lineup
from fallline.studio.network.looking import Looker, plan_of
from fallline.studio.view import View

if TYPE_CHECKING:
    from fallline.studio.message import Message
    from fallline.studio.network.training import Moment
    from fallline.studio.view import Given, Out

SHARE = 0.02
"""Of the time that thinning and sending curves may take."""

EVERY = 0.25
"""Seconds between two looks at a run that trains."""

POINTS = 200
"""Places of a curve while a run trains; twice as many once it stands still."""


class NetworkView(View):
    """See the module."""

    name: ClassVar[str] = "network"

    def __init__(self, out: Out, given: Given) -> None:
        super().__init__(out, given)
        self.tables = tables.Tables(given.table)
        self.lineup = Lineup(self.tables)
        self._lang = "en"
        self._reading: tuple[str, Work] | None = None
        self._wanted: str | None = None
        self._advancing: Entry | None = None
        self._told: Any = None
        self._next = 0.0

    def handle(self, kind: str, message: Message) -> dict[str, Any] | None:
        """See `View.handle`."""
        handlers = {
            "tables": self._listing,
            "table": self._table,
            "run": self._run,
            "pause": self._pause,
            "advance": self._advance,
            "reset": self._reset,
            "select": self._select,
            "apply": self._apply,
            "forget": self._forget,
            "language": self._language,
            "save": self._save,
            "script": lambda m: {"text": saving.script(self._entry(m))},
            "csv": lambda m: {"text": saving.csv(self._entry(m))},
        }
        if kind not in handlers:
            raise FalllineError(f"The network view knows no message {kind[:40]!r}.")
        return handlers[kind](message)

    # Tables.

    def _listing(self, message: Message) -> dict[str, Any]:
        return {"tables": tables.listing(self.given.table), "first": tables.first(self.given.table)}

    def _table(self, message: Message) -> None:
        """What is in a table; it comes as a message, for reading may take its time."""
        name = message.text("data", asked.LONGEST_NAME)
        tables.source_of(name, self.given.table)
        self._wanted = name
        if self._reading is None:
            self._begin_reading()

    def _begin_reading(self) -> None:
        name, self._wanted = self._wanted, None
        if name is not None:
            self._reading = (name, Work(lambda given_up: tables.facts(self.tables.read(name))))

    def _read(self) -> None:
        if self._reading is None or not self._reading[1].done:
            return
        (name, work), self._reading = self._reading, None
        # One after the other, and of those that wait only the newest.
        self._begin_reading()
        self.out.send("table", data=name, **work.result)

    # Runs.

    def _asked(self, message: Message) -> asked.Asked:
        found = asked.read(message, tables.first(self.given.table))
        tables.source_of(found.data, self.given.table)
        return found

    def _run(self, message: Message) -> dict[str, Any]:
        """Go on with the run that is looked at, if that is what is asked for; else begin another."""
        entry = self._chosen(self._asked(message))
        self.lineup.only(entry)
        entry.training.start()
        self._tell()
        return {"run": entry.number}

    def _chosen(self, wanted: asked.Asked, *, lock_step: bool = False) -> Entry:
        entry = self.lineup.current
        standing = entry is not None and entry.training.phase not in (phases.ENDED, phases.FAILED)
        if entry is not None and standing and (entry.asked == wanted or entry.made):
            return entry
        return self.lineup.new(wanted, lock_step=lock_step)

    def _pause(self, message: Message) -> None:
        for entry in self.lineup.entries:
            entry.training.pause()

    def _advance(self, message: Message) -> dict[str, Any]:
        """Some epochs more of the run of the settings, then stand still."""
        count = message.whole("epochs_on", 1, asked.MOST_EPOCHS)
        entry = self._chosen(self._asked(message), lock_step=True)
        self.lineup.only(entry)
        entry.training.advance(count)
        self._advancing = entry
        self._tell()
        return {"run": entry.number}

    def _reset(self, message: Message) -> None:
        self.lineup.clear()
        self._advancing = None
        self._tell()

    def _entry(self, message: Message) -> Entry:
        return self.lineup[message.whole("run", 1, 10**9)]

    def _select(self, message: Message) -> None:
        entry = self._entry(message)
        self.lineup.selected = entry.number
        self._tell()
        self._show(entry)

    def _show(self, entry: Entry) -> None:
        """All that is known of a run."""
        if entry.instruments is not None:
            self.out.send("instruments", run=entry.number, instruments=entry.instruments)
        self._send_diagnosis(entry)

    def _apply(self, message: Message) -> dict[str, Any]:
        """A fork with a finding's fix in it begins."""
        parent = self._entry(message)
        entry = self.lineup.fork(parent.number, message.text("finding", 100))
        self.lineup.only(entry)
        entry.training.start()
        self._tell()
        return {"run": entry.number}

    def _forget(self, message: Message) -> None:
        self.lineup.forget(self._entry(message).number)
        self._tell()
        if self.lineup.current is not None:
            self._show(self.lineup.current)

    def _language(self, message: Message) -> None:
        self._lang = message.choice("lang", ("en", "zh"))
        for entry in self.lineup.entries:
            if entry.looker is not None:
                entry.looker.lang = self._lang
            for finding in [] if entry.diagnosis is None else entry.diagnosis.findings:
                finding.lang = self._lang
        if self.lineup.current is not None:
            self._send_diagnosis(self.lineup.current)

    def _save(self, message: Message) -> dict[str, Any]:
        entry = self._entry(message)
        entry.saved = entry.saved or saving.save(entry, self.given.runs)
        self._tell()
        return {"name": entry.saved}

    # What goes on.

    @property
    def interval(self) -> float | None:
        """See `View.interval`."""
        if self._advancing is not None:
            return 0.02
        entries = self.lineup.entries
        told = [fields["phase"] for fields in (self._told or {"runs": ()})["runs"]]
        untold = told != [entry.training.phase for entry in entries]
        waits = untold or self._reading is not None or any(map(_waits, entries))
        return EVERY if waits else None

    def tick(self) -> None:
        """See `View.tick`."""
        self._read()
        for entry in list(self.lineup.entries):
            self._look(entry)
        self._tell()
        self._arrive()

    def _look(self, entry: Entry) -> None:
        training = entry.training
        if training.cut is not None and training.arguments is not None and entry.looker is None:
            entry.looker = Looker(training, self._lang)
        moment = entry.end_moment() or training.moment
        if moment is not None and entry.shown != _mark(entry, moment):
            self._send_curves(entry, moment)
        looker = entry.looker
        if looker is None:
            return
        if (seen := looker.take()) is not None:
            entry.instruments, diagnosis = seen
            self.out.send("instruments", run=entry.number, instruments=entry.instruments)
            if entry.examined != looker.step:
                entry.diagnosis = diagnosis
                self._send_diagnosis(entry)
        if moment is not None:
            looker.begin(moment, at_once=not training.going)
        self._examine(entry)
        if training.phase == phases.RUNNING:
            training.want()

    def _examine(self, entry: Entry) -> None:
        """Measure a run that stands still."""
        training = entry.training
        if entry.examination is not None and entry.examination.done:
            found, entry.examination = entry.examination.diagnosis, None
            complained = entry.diagnosis is not None and not entry.diagnosis.healthy
            # Measurements that ran out of time are no reason to drop what the history tells.
            if not (complained and found.findings[0].name == "unknown"):
                entry.diagnosis = found
            self._send_diagnosis(entry)
        quiet = entry.looker is not None and not entry.looker.busy
        ended = training.phase == phases.ENDED
        if ended:
            entry.measure()
        still = ended or (training.phase == phases.PAUSED and not training.lock_step)
        if quiet and still and entry is self.lineup.current and entry.examination is None:
            self.lineup.examine(entry, self._lang)
            if entry.examination is not None:
                self._send_diagnosis(entry)

    def _send_curves(self, entry: Entry, moment: Moment) -> None:
        now = time.perf_counter()
        still = not entry.training.going
        if now < self._next and not still:
            return
        began = time.thread_time()
        entry.shown = _mark(entry, moment)
        points = 2 * POINTS if still else POINTS
        history, progress = moment.history, moment.progress
        per_epoch = plan_of(entry.training).steps
        self.out.send(
            "curves",
            run=entry.number,
            step=progress.step,
            steps=progress.steps,
            epoch=progress.epoch,
            epochs=progress.epochs,
            loss=progress.loss,
            validation_loss=progress.validation_loss,
            validation_score=_last(history.validation_score),
            learning_rate=_last(history.learning_rate),
            seconds=moment.seconds,
            seconds_left=progress.seconds_left,
            rows_per_second=progress.rows_per_second,
            curves=curves(history, points),
            per_epoch=epochs(history, per_epoch, points),
        )
        # Long curves take their time: never more than a small share of the connection's.
        self._next = now + (time.thread_time() - began) / SHARE

    def _send_diagnosis(self, entry: Entry) -> None:
        diagnosis = entry.diagnosis
        if diagnosis is None:
            return
        fields = diagnosis.to_json()
        for finding, found in zip(fields["findings"], diagnosis.findings, strict=True):
            finding["title"] = found.title
        self.out.send(
            "diagnosis",
            run=entry.number,
            diagnosis=fields,
            examining=entry.examination is not None,
        )

    def _tell(self) -> None:
        """All runs in short, if anything about them has changed."""
        facts = [entry.facts() for entry in self.lineup.entries]
        live = self.lineup.live
        told = {
            "runs": facts,
            "selected": self.lineup.selected,
            "live": None if live is None else live.number,
        }
        if told != self._told:
            self._told = told
            self.out.send("runs", **told)

    def _arrive(self) -> None:
        """Has a run come to where it was asked to go?"""
        entry = self._advancing
        if entry is None or entry.training.going or entry.training.busy:
            return
        moment = entry.end_moment() or entry.training.moment
        shown = moment is None or entry.shown == _mark(entry, moment)
        if shown and not (entry.looker and entry.looker.busy):
            self._advancing = None
            self.out.send("advanced", run=entry.number, step=moment.progress.step if moment else 0)

    def close(self) -> None:
        """See `View.close`."""
        self.lineup.clear()


def _waits(entry: Entry) -> bool:
    """Is there something to come from a run?"""
    looks = entry.looker is not None and entry.looker.busy
    return entry.training.busy or looks or entry.examination is not None or not _settled(entry)


def _settled(entry: Entry) -> bool:
    """Has the page seen all of a run that stands still?"""
    if entry.training.phase == phases.WAITING:
        return True
    if entry.training.phase == phases.FAILED:
        return True
    moment = entry.end_moment() or entry.training.moment
    return moment is None or entry.shown == _mark(entry, moment)


def _mark(entry: Entry, moment: Moment) -> int:
    """Tells what has been shown of a run: its step; another one once it stands still."""
    return 2 * moment.progress.step + (not entry.training.going)


def _last(values: Any) -> float | None:
    return float(values[-1]) if len(values) else None
