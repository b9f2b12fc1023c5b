"""The terrain view: what the page asks, and what it is sent."""

from __future__ import annotations

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.errors import FalllineError, nearest
from fallline.optimizers.stability import SAFE
from fallline.studio import wire
from fallline.studio.terrain import inspect, script
from fallline.studio.terrain.asked import (
    NOISE,
    Asked,
    Entry,
    read_drop,
    read_racer,
    read_settings,
    read_start,
)
from fallline.studio.terrain.balls import MOST, ROOM, capacity_for
from fallline.studio.terrain.basins import Basins
from fallline.studio.terrain.race import LONGEST, MOST_RACERS, Race
from fallline.studio.terrain.racer import DECAY, RATE
from fallline.studio.terrain.rates import best_rate
from fallline.studio.terrain.surface import heights, normalised, surface
from fallline.studio.terrain.timeline import Metrics
from fallline.studio.view import View

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.studio.message import Message
    from fallline.studio.terrain.balls import Seen
    from fallline.studio.view import Given, Out

SAMPLES = 72
"""Places of a trail."""

TRAIL_WORK = 3_000_000
"""Steps times balls that may be repeated for a trail: less than a tenth of a second's work."""

NEAR = 0.005
"""How near its local quadratic's lowest point a ball in a minimum is, in diagonals of the window."""


class TerrainView(View):
    """Racers' balls on a surface.

    Attributes:
        warms: is the program with noise compiled beside the run, before the user asks for noise?
    """

    name = "terrain"
    warms = True

    def __init__(self, out: Out, given: Given) -> None:
        super().__init__(out, given)
        self.run = 0
        self._asked: Asked | None = None
        self._race_now: Race | None = None
        self._metrics = Metrics()
        self._basins: Basins | None = None
        self._showing_basins = False
        self._running = False
        self._owed = 0
        self._steps, self._frames = 2, 30
        self._inspected: tuple[int, int] | None = None
        self._honest: list[bool] = []
        self._told: Any = None
        self._when: dict[str, float] = {}
        self._workers = ThreadPoolExecutor(2, "fallline-terrain")
        self._handlers: dict[str, Callable[[Message], dict[str, Any] | None]] = {
            "start": self._start,
            "set": self._set,
            "pace": self._pace,
            "run": self._run,
            "step": self._step,
            "advance": self._advance,
            "racer": self._racer,
            "drop": self._drop,
            "scrub": self._scrub,
            "inspect": self._inspect,
            "basins": self._show_basins,
            "script": lambda _: script.script(self._asking, self._race),
            "csv": self._csv,
        }

    def handle(self, kind: str, message: Message) -> dict[str, Any] | None:
        """See `View.handle`; the messages are the keys of the table above."""
        if kind not in self._handlers:
            raise FalllineError(
                f"The terrain view knows no message {kind[:40]!r}: {nearest(kind[:40], self._handlers)}"
            )
        return self._handlers[kind](message)

    @property
    def interval(self) -> float | None:
        """Seconds to the next frame while the race runs, or owes frames to a test."""
        if self._owed:
            return 0.001
        return 1.0 / self._frames if self._running else None

    def tick(self) -> None:
        """Take the steps of a frame and send it."""
        if self._owed:
            if not self.out.ready():
                return
            self._owed -= 1
            self._forward(self._steps)
            if not self._owed:
                self.out.send("advanced", step=self._race.step)
        elif self._running:
            self._forward(self._steps)

    def close(self) -> None:
        """The page has gone: what is still being compiled for it is given up."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        self._race_now = None

    @property
    def _race(self) -> Race:
        if self._race_now is None:
            raise FalllineError("No race has been started yet.")
        return self._race_now

    @property
    def _asking(self) -> Asked:
        assert self._asked is not None
        return self._asked

    # Starting

    def _start(self, message: Message) -> dict[str, Any]:
        asked = read_start(message)
        about, z = surface(asked), heights(asked.terrain)
        self._pause()
        self.run += 1
        self._basins = None
        self.out.forget(wire.TERRAIN_BALLS)
        self.out.send("surface", run=self.run, **about)
        self.out.block(wire.TERRAIN_HEIGHTS, run=self.run, step=0, n=z.size, data=z)
        self._begin(asked)
        if self._showing_basins:
            self._send_basins(first=True)
        return {"run": self.run}

    def _begin(self, asked: Asked) -> None:
        """Start the race asked for on the surface that the page has."""
        capacity = capacity_for(min(asked.each + ROOM, MOST // len(asked.racers)))
        if any(entry.honest for entry in asked.racers):
            self.out.send("busy", what="rates")
        try:
            # Side by side: what takes time is compiling.
            rates = list(
                self._workers.map(
                    lambda e: best_rate(asked.terrain, e.racer, capacity) if e.honest else e.racer.rate,
                    asked.racers,
                )
            )
        finally:
            if any(entry.honest for entry in asked.racers):
                self.out.send("busy", what=None)
        racers = [
            entry.racer if rate is None else entry.racer.changed(rate=rate)
            for entry, rate in zip(asked.racers, rates, strict=True)
        ]
        # Where every rate diverges the default stands, and is not called honest.
        self._honest = [
            entry.honest and rate is not None
            for entry, rate in zip(asked.racers, rates, strict=True)
        ]
        self._race_now = race = Race(
            asked.terrain,
            racers,
            asked.starts(),
            seed=asked.seed,
            noise=asked.noise,
            drops=asked.drops,
        )
        self._asked, self._metrics, self._inspected = asked, Metrics(), None
        self._when = {}
        self._tell_racers()
        list(self._workers.map(lambda balls: balls.prepare(noisy=race.noise > 0), race.balls))
        self._show()
        if self.warms:
            for balls in race.balls:
                self._workers.submit(balls.prepare, noisy=not race.noise > 0)

    def _tell_racers(self) -> None:
        """The racers with the numbers they have now, where the page does not know them."""
        race = self._race
        told = (self.run, race.each, race.racers, race.noise)
        if told == self._told:
            return
        self._told = told
        entered = [
            {
                "optimizer": racer.optimizer,
                "title": racer.title,
                "rate": racer.rate,
                "honest": honest,
                "decay": racer.decay,
                "settings": racer.about(),
                "mathml": inspect.equation(racer.optimizer),
            }
            for racer, honest in zip(race.racers, self._honest, strict=True)
        ]
        self.out.send("racers", run=self.run, each=race.each, noise=race.noise, racers=entered)

    # Going on

    def _pause(self) -> None:
        self._running, self._owed = False, 0

    def _forward(self, steps: int) -> None:
        race = self._race
        forks = race.forks
        each = race.each
        race.advance(steps)
        self._told_of_fork(forks)
        if race.each != each:
            self._tell_racers()
        self._show()

    def _told_of_fork(self, forks: int) -> None:
        """Where the past was changed: the page is to forget what came after."""
        race = self._race
        if race.forks != forks:
            forked = self._metrics.rows[-1][0] if self._metrics.rows else 0
            at = next((e.step for e in race.events if e.step > race.step), race.step)
            del forked, at

    def _show(self) -> None: ...
