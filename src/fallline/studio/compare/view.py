"""The compare view: a sweep in a thread beside the connection's, and what came of it.

Messages of the page: ``columns`` (data), ``start`` (see `fallline.studio.compare.asked`), ``stop``; asked
for: ``map`` (optimizer), ``cell`` and ``network`` (optimizer, i, j), ``csv``, ``script``. To the page:
``columns``, ``began``, ``progress`` while it goes on, then ``result``, or ``failed`` with a sentence.
"""

from __future__ import annotations

import dataclasses
import time
import traceback
from typing import TYPE_CHECKING, Any, ClassVar

from fallline.errors import FalllineError
from fallline.jobs.compare import Reporter, compare
from fallline.studio.background import Work
from fallline.studio.compare import maps, told
from fallline.studio.compare.asked import Asked, read, table_of
from fallline.studio.compare.script import script
from fallline.studio.view import View

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from fallline.data.encode import Encoder
    from fallline.jobs.comparison import Comparison
    from fallline.studio.message import Message
    from fallline.studio.view import Given, Out

PERIOD = 0.1
"""Seconds between two looks at a sweep that goes on."""


@dataclasses.dataclass
class Progress(Reporter):
    """How far a comparison is; written by its thread, read by the view's.

    Attributes:
        given_up: ends it, in good order.
        phase: "reading", "compiling" or "training".
        done: runs' worth of work.
        total: runs.
        began: when the first work was done.
        notes: what the user should know.
    """

    given_up: threading.Event
    phase: str = "reading"
    done: float = 0.0
    total: int = 0
    began: float = 0.0
    first: float = 0.0
    notes: list[str] = dataclasses.field(default_factory=list[str])

    def table(self, encoder: Encoder, rows: dict[str, int]) -> None:
        """See `Reporter.table`."""
        self.notes = list(encoder.notes[:8])

    def note(self, sentence: str) -> None:
        """See `Reporter.note`."""
        self.notes.append(sentence)

    def starting(self, budget: str) -> None:
        """See `Reporter.starting`."""
        self.phase = "compiling"

    def progress(self, done: float, total: int) -> bool:
        """See `Reporter.progress`."""
        if not self.began:
            self.began, self.first = time.perf_counter(), done
        self.phase, self.done, self.total = "training", done, total
        return self.given_up.is_set()

    def left(self) -> float | None:
        """Seconds that the rest will take, at the pace so far; None while that is not known."""
        spent, done = time.perf_counter() - self.began, self.done - self.first
        if not self.began or done <= 0 or spent < 0.5:
            return None
        return spent * (self.total - self.done) / done


class CompareView(View):
    """See the module."""

    name: ClassVar[str] = "compare"

    def __init__(self, out: Out, given: Given) -> None:
        super().__init__(out, given)
        self.made: Comparison | None = None
        self._work: Work | None = None
        self._progress: Progress | None = None
        self._columns: dict[str, Work] = {}
        self._began = 0.0
        self._number = 0
        self._said: tuple[Any, ...] = ()

    def handle(self, kind: str, message: Message) -> dict[str, Any] | None:
        """See `View.handle`."""
        handlers: dict[str, Callable[[Message], dict[str, Any] | None]] = {
            "columns": self._ask_columns,
            "start": self._start,
            "stop": lambda m: self._stop(),
            "map": lambda m: maps.heat(self._needed(), m.text("optimizer", 100)),
            "cell": lambda m: maps.cell(self._needed(), *_place(m)),
            "network": lambda m: {
                "state": maps.as_network(self._needed(), self.given.table, *_place(m))
            },
            "csv": lambda m: {
                "name": "fallline-compare.csv",
                "text": self._needed().runs.write_csv(),
            },
            "script": self._script,
        }
        if kind not in handlers:
            raise FalllineError(f"The compare view knows no message {kind[:40]!r}.")
        return handlers[kind](message)

    def _needed(self) -> Comparison:
        if self.made is None:
            raise FalllineError("Nothing has been compared yet: Run first.")
        return self.made

    def _script(self, message: Message) -> dict[str, Any]:
        config = self.made.config if self.made else read(message, self.given.table).config
        return {"name": "fallline-compare.py", "text": script(config)}

    # The table.

    def _ask_columns(self, message: Message) -> dict[str, Any]:
        name = message.text("data")
        source = table_of(name, self.given.table)
        if name in self._columns:
            return {}

        def columns(_: threading.Event) -> dict[str, Any]:
            from fallline.data.readers import read_table

            table = read_table(source)
            return {
                "columns": table.frame.columns,
                "target": table.target,
                "rows": table.frame.height,
            }

        self._columns[name] = Work(columns)
        return {}

    def _take_columns(self) -> None:
        for name, work in list(self._columns.items()):
            if not work.done:
                continue
            del self._columns[name]
            found, trouble = _ended(work)
            if trouble:
                self.out.send("failed", what="columns", sentence=trouble)
            else:
                self.out.send("columns", data=name, **found)

    # The sweep.

    def _start(self, message: Message) -> dict[str, Any]:
        if self._work is not None:
            raise FalllineError("A sweep is running; stop it before another begins.")
        asked = read(message, self.given.table)
        self._began, self._said = time.perf_counter(), ()
        self._number += 1

        def work(given_up: threading.Event) -> Comparison:
            # The first thing that the thread does; until then there is no progress to look at.
            self._progress = Progress(given_up)
            return compare(asked.config, self._progress)

        self._progress = None
        self._work = Work(work)
        self.out.send("began", number=self._number, runs=_runs(asked))
        return {"number": self._number}

    def _stop(self) -> dict[str, Any]:
        if self._work is not None:
            self._work.give_up()
        return {}

    def _take_result(self) -> None:
        work = self._work
        if work is None:
            return
        if not work.done:
            self._tell()
            return
        self._work = None
        found, trouble = _ended(work)
        if trouble:
            self.out.send("failed", what="sweep", number=self._number, sentence=trouble)
            return
        self.made = found
        notes = self._progress.notes if self._progress else []
        self.out.send("result", number=self._number, notes=notes, **told.summary(found))

    def _tell(self) -> None:
        progress = self._progress
        if progress is None:
            return
        seconds = time.perf_counter() - self._began
        stopping = self._work is not None and self._work.given_up.is_set()
        now = (progress.phase, round(progress.done, 1), int(2 * seconds), stopping)
        if now == self._said:
            return
        self._said = now
        self.out.send(
            "progress",
            number=self._number,
            phase="stopping" if stopping else progress.phase,
            done=progress.done,
            total=progress.total,
            seconds=seconds,
            left=progress.left(),
        )

    # The clock.

    @property
    def interval(self) -> float | None:
        """While something is at work."""
        return PERIOD if self._work is not None or self._columns else None

    def tick(self) -> None:
        """See `View.tick`."""
        self._take_columns()
        self._take_result()

    def close(self) -> None:
        """See `View.close`."""
        self._stop()


def _place(message: Message) -> tuple[str, int, int]:
    most = 10_000
    return message.text("optimizer", 100), message.whole("i", 0, most), message.whole("j", 0, most)


def _runs(asked: Asked) -> int:
    """How many runs were asked for, at most."""
    config = asked.config
    from fallline.descent.settings import values

    counts = [len(values(n, text)) for n, text in config.varied.items() if n != "beta1"]
    total = len(config.optimizers.split(",")) * config.seeds * len(config.batch_sizes)
    for count in counts:
        total *= count
    return total


def _ended(work: Work) -> tuple[Any, str]:
    """What a work found, or what went wrong as a sentence."""
    try:
        return work.result, ""
    except FalllineError as error:
        return None, str(error)
    except Exception as error:
        # A bug goes to the terminal, as it does in the session.
        traceback.print_exc()
        return None, f"The studio made a mistake ({type(error).__name__}); the terminal has more."
