"""The fit view: points, a curve that descends on them, and everything that the page shows of it.

Messages of the page: ``start`` (settings, and ``points`` or ``table``), ``points``, ``set``, ``reset``,
``run``, ``step``, ``pace``, ``advance``, ``derivative``; asked for: ``preset``, ``tables``, ``columns``,
``script``, ``csv``, ``terrain``, ``graph``. To the page: ``fit`` at every start and change, ``rate`` when one
was found, ``stopped``, ``derivative``, ``advanced``; the surface as a block, and the state as frames (see
`fallline.studio.fit.facts.frame`).
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from fallline.errors import FalllineError
from fallline.studio.fit import looks, rates
from fallline.studio.fit.descent import Descent
from fallline.studio.fit.facts import facts, frame
from fallline.studio.fit.features import Features
from fallline.studio.fit.history import History
from fallline.studio.fit.links import as_graph, as_terrain
from fallline.studio.fit.points import Points, columns, listing, painted, pair, path_of, preset
from fallline.studio.fit.script import script
from fallline.studio.fit.settings import Settings, read
from fallline.studio.fit.surface import Surface, require_range
from fallline.studio.view import View
from fallline.studio.wire import FIT_STATE, FIT_SURFACE

if TYPE_CHECKING:
    from fallline.data.table import Table
    from fallline.studio.message import Message
    from fallline.studio.view import Given, Out

CALLS, MOST_CALLS = 16, 512
"""Calls of the loop a frame, and for steps that are asked for at once: so many places has the path."""

QUIET = 0.4
"""Seconds without a change after which what the first step needs is compiled."""

_LOOKS = 0.25
"""Seconds between two looks at a derivative while a run goes on."""


class FitView(View):
    """See the module."""

    name: ClassVar[str] = "fit"

    def __init__(self, out: Out, given: Given) -> None:
        super().__init__(out, given)
        self.settings = Settings()
        self.points: Points = painted([])
        self.run: Descent | None = None
        self._number = 0
        self._tables: dict[str, Table] = {}
        self._surface = Surface()
        self._history = History()
        self._running = False
        self._frames_left = 0
        self._steps, self._rate = 1, 30.0
        self._honest: float | None = None
        self._prepared, self._changed = True, 0.0
        self._can_paint = True
        self._limit: float | None = None
        self._parameter: int | None = None
        self._looked = 0.0

    def handle(self, kind: str, message: Message) -> dict[str, Any] | None:
        """See `View.handle`."""
        handlers = {
            "start": self._start,
            "points": self._points,
            "set": self._set,
            "reset": self._reset,
            "run": self._run,
            "step": self._step,
            "pace": self._pace,
            "advance": self._advance,
            "derivative": self._derivative,
            "preset": lambda m: {
                "points": preset(m.text("name", 40), m.whole("seed", 0, 2**31, 0))
            },
            "tables": lambda m: {"tables": listing(self.given.table)},
            "columns": self._columns,
            "script": lambda m: {"name": "fallline-fit.py", "text": script(self._needed())},
            "terrain": lambda m: as_terrain(self._needed(), self._surface.bounds),
            "graph": lambda m: as_graph(self._needed(), m.whole("point", 0, 10_000, 0)),
            "csv": lambda m: {"name": "fallline-fit.csv", "text": self._csv()},
        }
        if kind not in handlers:
            raise FalllineError(f"The fit view knows no message {kind[:40]!r}.")
        return handlers[kind](message)

    # What is fitted.

    def _start(self, message: Message) -> dict[str, Any]:
        """New points, new settings, from the start; what the message does not name is as at first."""
        settings = read(message, Settings())
        self.points = self._asked_points(message)
        self.settings = settings
        self._begin()
        return {"run": self._number}

    def _asked_points(self, message: Message) -> Points:
        if "table" not in message:
            return painted(message.numbers("points", 4_000, -1e6, 1e6, []))
        asked = message.message("table")
        name = asked.text("name")
        path = path_of(name, self.given.table)
        return pair(self._table(name), path, asked.text("x"), asked.text("y"))

    def _table(self, name: str) -> Table:
        if name not in self._tables:
            from fallline.data.readers import read_table

            self._tables[name] = read_table(path_of(name, self.given.table))
        return self._tables[name]

    def _columns(self, message: Message) -> dict[str, Any]:
        table = self._table(message.text("name"))
        names = columns(table)
        if len(names) < 2:
            raise FalllineError(f"{table.source} has fewer than two columns of numbers.")
        return {"columns": names, "target": table.target if table.target in names else names[-1]}

    def _points(self, message: Message) -> dict[str, Any]:
        """The points of now; a run that has begun goes on from its parameters."""
        points = painted(message.numbers("points", 4_000, -1e6, 1e6))
        self.points = points
        if self.run is None or not len(points) or not self.run.place().iteration:
            self._begin()
        else:
            self.run.with_points(points)
            self._changed_live()
        return {"n": len(points)}

    def _set(self, message: Message) -> dict[str, Any]:
        """Other settings; a run goes on from its parameters where they keep their meaning."""
        before, settings = self.settings, read(message, self.settings)
        run = self.run
        same = settings.same_parameters(before)
        if run is not None and same:
            searches = settings.rate is None and not rates.has_closed_form(settings)
            begun = run.place().iteration > 0
            if begun or (settings.same_program(before) and not searches):
                rate = settings.rate
                if rate is None:
                    rate = self._own_rate(run, settings)
                self.settings = settings
                run.with_settings(settings, settings.made_optimizer(rate))
                run.forgive()
                self._changed_live(surface=(settings.loss, settings.l2) != (before.loss, before.l2))
                return {"run": self._number}
        self.settings = settings
        self._begin(keep_running=same)
        return {"run": self._number}

    def _own_rate(self, run: Descent, settings: Settings) -> float:
        """The rate that suits a run in its middle; searched for only where optimizer or loss are others."""
        before = run.settings
        alike = (settings.optimizer, settings.loss) == (before.optimizer, before.loss)
        if alike and before.rate is None and not rates.has_closed_form(settings):
            return run.rate
        trial = Descent(settings, run.features, run.points, settings.made_optimizer())
        largest = looks.curvature(trial) if settings.squared else np.nan
        self._honest = rates.suitable(trial, largest)
        return self._honest

    def _reset(self, message: Message) -> dict[str, Any]:
        self._begin()
        return {"run": self._number}

    def _begin(self, *, keep_running: bool = False) -> None:
        """A new run from the start, as the points and settings are."""
        self.out.forget(FIT_STATE)
        self._number = (self._number + 1) % 2**16
        self._running &= keep_running
        self._frames_left = 0
        self._history, self._honest, self._limit = History(), None, None
        self.run, self._prepared, self._can_paint = None, True, True
        if not len(self.points):
            self._running = False
            window, names = self.points.window, self.points.names
            self.out.send("fit", run=self._number, n=0, running=False, window=window, names=names)
            return
        settings = self.settings
        features = Features.learn(
            self.points.x,
            self.points.y,
            degree=settings.degree if settings.model == "polynomial" else 0,
            standardise=self._standardised(),
        )
        run = Descent(settings, features, self.points, settings.made_optimizer(settings.rate))
        require_range(run)
        self.run = run
        self._prepared, self._changed = False, time.perf_counter()
        self._can_paint = self.points.source is not None
        largest = looks.curvature(run) if settings.squared else np.nan
        if settings.rate is None and rates.has_closed_form(settings):
            self._honest = rates.suitable(run, largest)
            run.tune(rates.at_rate(run, self._honest))
        self._limit = rates.limit(run.problem.optimizer, largest)
        self._surface.begin(run)
        self._tell()

    def _standardised(self) -> bool:
        chosen = self.settings.standardise
        return self.points.source is not None if chosen is None else chosen

    def _prepare(self) -> None:
        """What the first step needs: a rate that suits, and its program."""
        run = self.run
        if run is None or self._prepared:
            return
        self._prepared = True
        if self.settings.rate is None and self._honest is None:
            try:
                self._honest = rates.suitable(run, np.nan)
            except FalllineError as error:
                self._running = False
                self.out.send("stopped", reason="non-finite", sentence=str(error))
                return
            run.tune(rates.at_rate(run, self._honest))
            self.out.send(
                "rate", run=self._number, rate=self._honest, honest=self._honest, limit=self._limit
            )
        run.warm()

    def _warm(self) -> None:
        """Compile while nothing else is asked for, one program at a time: for a step, then for painting."""
        if not self._prepared:
            self._prepare()
        elif self.run is not None:
            self._can_paint = True
            self.run.warm_painted()

    def _changed_live(self, *, surface: bool = True) -> None:
        """Something has changed under a run that goes on; perhaps its loss surface, too."""
        run = self.run
        assert run is not None
        largest = looks.curvature(run) if run.settings.squared else np.nan
        self._limit = rates.limit(run.problem.optimizer, largest)
        if surface:
            self._surface.change(run)
        self._tell(surface=surface)

    def _tell(self, *, surface: bool = True) -> None:
        """Everything about the run but its state; the surface; the state."""
        run = self.run
        assert run is not None
        waits = self.settings.rate is None and self._honest is None
        rate = (
            None
            if waits and not run.place().iteration
            else float(run.problem.optimizer.learning_rate)
        )  # pyright: ignore
        self.out.send(
            "fit",
            run=self._number,
            running=self._running,
            rate=rate,
            honest=self._honest,
            limit=self._limit,
            standardised=self._standardised(),
            **facts(run),
        )
        if surface:
            self._send_surface()
        self._show()

    def _send_surface(self) -> None:
        run, surface = self.run, self._surface
        if run is None or surface.heights is None:
            return
        data = np.concatenate([np.array(surface.bounds), surface.heights.ravel()])
        step, grid = run.place().iteration, len(surface.heights)
        self.out.block(FIT_SURFACE, run=self._number, step=step, n=grid, data=data)

    # Going on.

    def _needed(self) -> Descent:
        if self.run is None:
            raise FalllineError(
                "There are no points yet: click into the plot to add some, or choose a preset."
            )
        return self.run

    def _run(self, message: Message) -> None:
        on = message.flag("on")
        if on:
            self._needed().forgive()
            self._prepare()
        self._running = on and self.run is not None

    def _step(self, message: Message) -> None:
        count = message.whole("steps", 1, 10_000, 1)
        self._needed().forgive()
        self._running = False
        self._prepare()
        self._go(count, MOST_CALLS)

    def _pace(self, message: Message) -> None:
        self._steps = message.whole("steps", 1, 200, self._steps)
        self._rate = message.number("frames", 0.2, 60, self._rate)

    def _advance(self, message: Message) -> None:
        self._needed()
        self._prepare()
        self._frames_left = message.whole("frames", 1, 100_000)

    @property
    def interval(self) -> float | None:
        """See `View.interval`."""
        if self._frames_left:
            return 0.002
        if self._running:
            return 1.0 / self._rate
        return None if self._prepared and self._can_paint else 0.1

    def tick(self) -> None:
        """See `View.tick`."""
        if self._frames_left:
            if self.out.ready():
                self._go(self._steps)
                self._frames_left = max(0, self._frames_left - 1)
                if not self._frames_left:
                    self.out.send("advanced", step=self._needed().place().iteration)
        elif self._running:
            self._go(self._steps)
        elif time.perf_counter() - self._changed > QUIET:
            self._warm()

    def _go(self, count: int, calls: int = CALLS) -> None:
        """Take steps, in some calls of the loop where the way through parameter space is to be seen."""
        run = self._needed()
        each = -(-count // calls) if self.settings.two else count
        parts = [run.go(min(each, count - done)) for done in range(0, count, each)]
        rows = np.concatenate(parts)
        self._history.add(rows)
        if self._surface.widen(run):
            self._send_surface()
        self._show(rows)
        if run.blew_up:
            self._running = False
            step = run.place().iteration + 1
            self.out.send(
                "stopped",
                reason="non-finite",
                sentence=f"The run blew up at step {step:,}: the loss or the parameters were no longer "
                "finite numbers. The last finite ones are kept: try a smaller learning rate, then Reset.",
            )

    def _show(self, rows: np.ndarray | None = None) -> None:
        """The state of now as a frame, with the rows of metrics that led to it."""
        run = self.run
        assert run is not None
        place = run.place()
        self.out.frame(
            FIT_STATE,
            run=self._number,
            step=place.iteration,
            n=len(run.points),
            data=frame(run, place),
            rows=() if rows is None else rows,
        )
        # While a run goes on, now and then; in lock-step always, so that nothing hangs on the clock.
        due = time.perf_counter() - self._looked > _LOOKS
        if self._parameter is not None and (not self._running or self._frames_left or due):
            self._look()

    # What is looked at besides.

    def _derivative(self, message: Message) -> None:
        self._parameter = message.whole("parameter", 0, 100_000) if message.flag("on") else None
        if self._parameter is not None and self.run is not None:
            self._look()

    def _look(self) -> None:
        run, place = self.run, self._parameter
        assert run is not None
        if place is None:
            return
        try:
            found = looks.derivative(run, place)
        except FalllineError as error:
            # Of a run that blew up, or of a model that has not so many parameters.
            self.out.send("derivative", run=self._number, parameter=place, trouble=str(error))
        else:
            step = run.place().iteration
            self.out.send(
                "derivative",
                run=self._number,
                parameter=place,
                step=step,
                **dataclasses.asdict(found),
            )
        self._looked = time.perf_counter()

    def history(self) -> np.ndarray:
        """The steps so far, shape (steps, 8); see `fallline.studio.fit.descent.FIELDS`."""
        return self._history.rows()

    def _csv(self) -> str:
        self._needed()
        return self._history.csv()
