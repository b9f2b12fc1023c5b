"""What worker 0 tells of a training under Ray, and how the caller hears of it: by a file that both see.

Nothing of it goes through Ray. Worker 0 keeps a small file of plain numbers and words in a hidden folder
inside the run's folder, replaced at once and at most twice a second while nothing but numbers change; the
caller looks at it as often and calls the methods of its own reporter, as training itself would.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any, cast

from fallline.data.encode import Encoder
from fallline.descent.batches import BatchPlan
from fallline.descent.crew import Crew
from fallline.descent.run import Progress, Worker
from fallline.descent.sharded import Costs
from fallline.descent.stopping import Stop
from fallline.jobs.fit import Reporter
from fallline.store import files

if TYPE_CHECKING:
    from pathlib import Path

    from fallline.descent.run import Run

PROGRESS, ENCODER = "progress.json", "encoder.json"

LOST = "lost-{}"
"""An empty file for each time that Ray has lost a worker."""

EVERY = 0.5
"""Seconds between two looks, and between two files while only numbers change."""

SILENT = 60.0
"""Seconds without a word from worker 0 after which the caller says what it waits for."""

_NUMBERS = ("step", "steps", "epoch", "epochs", "loss", "validation_loss")
_PACE = ("rows_per_second", "seconds", "seconds_left")


class Teller(Reporter):
    """Writes down what worker 0 reports."""

    def __init__(self, folder: Path) -> None:
        """Begin to tell, in a folder that is there."""
        self._folder = folder
        self._events: list[list[Any]] = []
        self._now: list[Any] | None = None
        # Tells a worker that was started again from the one before.
        self._process = secrets.token_hex(4)
        self._written = -math.inf

    def reading(self, source: str) -> None:
        """The table is about to be read."""
        self._tell("reading", source)

    def scanning(self, done: int, rows: int) -> None:
        """So many rows are passed over."""
        self._pass("scanning", done, rows)

    def encoding(self) -> None:
        """The columns become numbers."""
        self._tell("encoding")

    def encoded(self, encoder: Encoder, rows: dict[str, int]) -> None:
        """What the table is; its encoding is a file of its own, which does not change."""
        self._write(ENCODER, encoder.to_json())
        self._tell("encoded", rows)

    def training(self, name: str, plan: BatchPlan, epochs: int) -> None:
        """A model is about to be trained."""
        self._tell("training", name, dataclasses.asdict(plan), epochs)

    def measured(self, costs: Costs, plan: BatchPlan, crew: Crew) -> None:
        """What a step costs."""
        told = dataclasses.asdict(costs), dataclasses.asdict(plan)
        self._tell("measured", *told, crew.size, crew.local)

    def progress(self, progress: Progress) -> None:
        """Training goes on; who hears of it cannot stop it."""
        numbers = {name: getattr(progress, name) for name in (*_NUMBERS, *_PACE)}
        self._pass("progress", numbers, [dataclasses.asdict(w) for w in progress.workers])

    def trained(self, name: str, run: Run) -> None:
        """A model has been trained."""
        self._tell("trained", name, run.epochs, run.seconds, dataclasses.asdict(run.stop))

    def measuring(self) -> None:
        """The predictions are measured."""
        self._tell("measuring")

    def writing(self) -> None:
        """The run is about to be written."""
        self._tell("writing")

    def remark(self, sentence: str) -> None:
        """Something went otherwise than planned."""
        self._tell("remark", sentence)

    def _tell(self, *event: Any) -> None:
        """Add what is said once."""
        self._events.append(list(event))
        self._now = None
        self._save()

    def _pass(self, *event: Any) -> None:
        """Replace what changes all the time."""
        self._now = list(event)
        if time.monotonic() - self._written >= EVERY:
            self._save()

    def _save(self) -> None:
        self._write(PROGRESS, {"process": self._process, "events": self._events, "now": self._now})
        self._written = time.monotonic()

    def _write(self, name: str, content: dict[str, Any]) -> None:
        # Not flushed to disk: nothing is lost with it, and training shall not wait, nor fail.
        with contextlib.suppress(OSError):
            new = self._folder / f"{name}.new"
            new.write_bytes(files.to_json(content))
            new.replace(self._folder / name)


@dataclasses.dataclass(frozen=True)
class Trained:
    """What is told of a run that the workers have made; all of it is in the run's folder at the end."""

    epochs: float
    seconds: float
    stop: Stop


class Listener:
    """Calls a reporter's methods for what worker 0 writes down, from a thread, inside of a ``with``."""

    def __init__(self, folder: Path, reporter: Reporter, attempts: int) -> None:
        """Say where, to whom, and how often training may begin."""
        self._folder, self._reporter, self._attempts = folder, reporter, attempts
        self._process, self._heard, self._now = "", 0, None
        self._source = ""
        self._lost = self._starts = 0
        self._said: set[str] = set()
        self._began = time.monotonic()
        self._over = threading.Event()
        self._failed: BaseException | None = None

    def __enter__(self) -> Listener:
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._over.set()
        # Storage that does not answer shall not keep the caller.
        self._thread.join(10)
        if kind is None and self._failed is None and not self._thread.is_alive():
            self.look()
        if kind is None and self._failed is not None:
            raise self._failed

    def _listen(self) -> None:
        while not self._over.wait(EVERY):
            try:
                self.look()
            except BaseException as error:
                # The caller's own reporter failed; training goes on, and it is raised at the end.
                self._failed = error
                return

    def look(self) -> None:
        """Report what is new."""
        while (self._folder / LOST.format(self._lost + 1)).exists():
            self._lost += 1
            if self._lost < self._attempts:
                # No bar stands where nothing moves.
                self._reporter.reading(self._source)
                self._reporter.remark(
                    f"A worker was lost; starting again, attempt {self._lost + 1} of {self._attempts}."
                )
        told = self._read(PROGRESS)
        if told is None:
            if not self._said and time.monotonic() - self._began > SILENT:
                self._remark(
                    f"Nothing has been heard from worker 0 for {SILENT:.0f} s: Ray is still starting the "
                    "workers, or this machine is late to see what they write into the run's folder."
                )
            return
        if told["process"] != self._process:
            self._process, self._heard, self._now = told["process"], 0, None
            self._starts += 1
        for event in told["events"][self._heard :]:
            self._heard += 1
            self._report(*event)
        if told["now"] and told["now"] != self._now:
            self._now = told["now"]
            self._report(*told["now"])

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            return json.loads((self._folder / name).read_bytes())
        except (OSError, ValueError):
            return None

    def _remark(self, sentence: str) -> None:
        # A worker that was started again says the same again.
        if sentence not in self._said:
            self._said.add(sentence)
            self._reporter.remark(sentence)

    def _report(self, name: str, *told: Any) -> None:
        to = self._reporter
        match name:
            case "reading":
                self._source = told[0]
                to.reading(*told)
            case "encoded":
                encoder = self._read(ENCODER)
                if encoder is not None and self._starts == 1:
                    to.encoded(Encoder.from_json(encoder), *told)
            case "training":
                to.training(told[0], BatchPlan(**told[1]), told[2])
            case "measured":
                crew = Crew(size=told[2], local=told[3])
                to.measured(Costs(**told[0]), BatchPlan(**told[1]), crew)
            case "progress":
                workers = [Worker(**_filled(worker)) for worker in told[1]]
                to.progress(Progress(**_filled(told[0]), workers=workers))
            case "trained":
                to.trained(told[0], cast("Run", Trained(told[1], told[2], Stop(**told[3]))))
            case "remark":
                self._remark(told[0])
            case "scanning" | "encoding" | "measuring" | "writing":
                getattr(to, name)(*told)
            case _:
                pass


def _filled(numbers: dict[str, Any]) -> dict[str, Any]:
    """With NaN again where JSON has none."""
    return {name: math.nan if value is None else value for name, value in numbers.items()}
