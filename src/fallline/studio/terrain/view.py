"""The terrain view: what the page asks, and what it is sent."""

from __future__ import annotations

import dataclasses
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.errors import FalllineError, nearest
from fallline.studio import wire
from fallline.studio.terrain import inspect, picture, script
from fallline.studio.terrain.asked import (
    NOISE,
    Entry,
    read_drop,
    read_racer,
    read_settings,
    read_start,
)
from fallline.studio.terrain.balls import MOST, bound_memory, function_of, prepared_capacity
from fallline.studio.terrain.basins import Basins
from fallline.studio.terrain.race import LONGEST, MOST_RACERS, Race
from fallline.studio.terrain.racer import DECAY, RATE
from fallline.studio.terrain.rates import best_rate
from fallline.studio.terrain.surface import heights, normalised, surface
from fallline.studio.terrain.timeline import Metrics
from fallline.studio.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fallline.studio.message import Message
    from fallline.studio.terrain.asked import Asked
    from fallline.studio.view import Given, Out
    from fallline.terrains import Terrain

SAMPLES = 72
"""Places of a trail."""

WORKERS = min(4, os.cpu_count() or 1)
"""Threads that compile side by side."""

TRAIL_WORK = 3_000_000
"""Steps times balls that may be repeated for a trail: less than a tenth of a second's work."""


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
        self._maps: dict[Terrain, Basins] = {}
        self._showing_basins = False
        self._running = False
        self._owed = 0
        self._steps, self._frames = 2, 30
        self._inspected: tuple[int, int] | None = None
        self._honest: list[bool] = []
        self._told: Any = None
        self._when: dict[str, float] = {}
        self._workers = ThreadPoolExecutor(WORKERS, "fallline-terrain")
        # What is prepared for later takes one core at most from the run.
        self._later = ThreadPoolExecutor(1, "fallline-terrain-later")
        self._warming: list[Future[None]] = []
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
            "script": lambda _: script.script(self._asking_now(), self._race),
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
        for workers in (self._workers, self._later):
            workers.shutdown(wait=False, cancel_futures=True)
        self._race_now = None

    @property
    def _race(self) -> Race:
        if self._race_now is None:
            raise FalllineError("No race has been started yet.")
        return self._race_now

    def _asking_now(self) -> Asked:
        if self._asked is None:
            raise FalllineError("No race has been started yet.")
        return self._asked

    # Starting

    def _start(self, message: Message) -> dict[str, Any]:
        asked = read_start(message)
        z = heights(asked.terrain)
        about = surface(asked, z)
        self._pause()
        self.run += 1
        self._basins = None
        self.out.forget(wire.TERRAIN_BALLS)
        self.out.send("surface", run=self.run, **about)
        self.out.block(wire.TERRAIN_HEIGHTS, run=self.run, step=0, n=z.size, data=z)
        self._begin(asked)
        if self._showing_basins:
            self._send_basins()
        return {"run": self.run}

    def _begin(self, asked: Asked) -> None:
        """Start the race asked for on the surface that the page has."""
        bound_memory(function_of(asked.terrain))
        capacity = prepared_capacity(asked.each, len(asked.racers))
        self._asked, self._inspected, self._told = asked, None, None
        self._metrics, self._when = Metrics(), {}
        self._honest = [False] * len(asked.racers)
        self._race_now = race = asked.race([entry.racer for entry in asked.racers])
        # The balls are seen before anything is compiled.
        self._tell_racers()
        self._send_places([balls.places() for balls in race.balls])
        if any(entry.honest for entry in asked.racers):
            self.out.send("busy", what="rates")
        try:
            # Side by side: what takes time is compiling.
            rates = list(
                self._workers.map(
                    lambda e: (
                        best_rate(asked.terrain, e.racer, capacity) if e.honest else e.racer.rate
                    ),
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
        if tuple(racers) != race.racers:
            self._race_now = race = asked.race(racers)
        self._tell_racers()
        list(self._workers.map(lambda balls: balls.prepare(noisy=race.noise > 0), race.balls))
        self._show()
        for waiting in self._warming:
            waiting.cancel()
        if self.warms:
            self._warming = [
                self._later.submit(balls.prepare, noisy=not race.noise > 0) for balls in race.balls
            ]

    def _tell_racers(self) -> None:
        """The racers with the numbers they have now, where the page does not know them."""
        race = self._race
        told = (self.run, race.each, race.racers, race.noise, self._honest)
        if told == self._told:
            return
        self._told = told
        entered = picture.entered(race.racers, self._honest)
        self.out.send("racers", run=self.run, each=race.each, noise=race.noise, racers=entered)

    # Going on

    def _pause(self) -> None:
        self._running, self._owed = False, 0

    def _forward(self, steps: int) -> None:
        self._changing(lambda: self._race.advance(steps))
        self._show()

    def _changing(self, change: Callable[[], None]) -> None:
        """Do something to the race that may fork it, and tell the page of that."""
        race = self._race
        step, forks = race.step, race.forks
        change()
        if race.forks != forks:
            self._metrics.forget_after(step)
            self.out.send("forked", run=self.run, step=step)
        self._tell_racers()

    def _pace(self, message: Message) -> None:
        self._steps = message.whole("steps", 1, 200, self._steps)
        self._frames = message.number("frames", 1, 60, self._frames)

    def _run(self, message: Message) -> None:
        on = message.flag("on")
        _ = self._race
        self._pause()
        self._running = on

    def _step(self, message: Message) -> None:
        steps = message.whole("steps", 1, 10_000, 1)
        _ = self._race
        self._pause()
        self._forward(steps)

    def _advance(self, message: Message) -> None:
        frames = message.whole("frames", 1, 100_000)
        _ = self._race
        self._pause()
        self._owed = frames

    # Changing

    def _set(self, message: Message) -> None:
        race = self._race
        racer = message.whole("racer", 0, MOST_RACERS - 1, None)
        rate = message.number("rate", *RATE, None)
        decay = message.number("decay", *DECAY, None)
        settings = read_settings(message)
        noise = message.number("noise", *NOISE, None)
        if rate is not None or decay is not None or settings:
            self._changing(
                lambda: race.set(racer, rate=rate, settings=settings or None, decay=decay)
            )
        if noise is not None and noise != race.noise:
            self._changing(lambda: race.shake(noise))
        self._look()

    def _drop(self, message: Message) -> None:
        x, y, count, radius = read_drop(message)
        race = self._race
        self._changing(lambda: race.drop(x, y, count, radius))
        self._show()

    def _racer(self, message: Message) -> None:
        """Another racer, or one less: the race starts again from the same seed."""
        asked, race = self._asking_now(), self._race
        # What was changed by hand stays; a rate that was searched is not searched again.
        entries = [
            entry if racer == begun else Entry(racer, honest=False)
            for entry, racer, begun in zip(asked.racers, race.racers, race.entered, strict=True)
        ]
        added = message.message("add", None)
        if added is not None:
            if len(entries) == MOST_RACERS:
                raise FalllineError(f"A race has at most {MOST_RACERS} racers.")
            entries.append(read_racer(added))
        else:
            if len(entries) == 1:
                raise FalllineError("A race needs at least one optimizer.")
            del entries[message.whole("remove", 0, len(entries) - 1)]
        again = dataclasses.replace(asked, racers=tuple(entries), noise=race.noise)
        self._pause()
        self.run += 1
        self.out.forget(wire.TERRAIN_BALLS)
        self._begin(again)

    def _scrub(self, message: Message) -> None:
        race = self._race
        step = message.whole("step", 0, LONGEST)
        self._pause()
        race.show(min(step, race.last))
        self._show()
        balls = race.each * len(race.balls)
        samples = 1 + min(SAMPLES - 1, TRAIL_WORK // (balls * self._steps))
        trail = normalised(race.terrain, race.trail(samples, self._steps))
        self.out.block(
            wire.TERRAIN_TRAILS, run=self.run, step=race.step, n=balls, data=trail.ravel()
        )

    # Showing

    def _show(self) -> None:
        """A frame of the race as it stands, and what goes with it."""
        race = self._race
        seen = race.seen()
        row = picture.row(race.terrain, race.step, seen)
        new = self._metrics.add(row)
        self._send_places([part.places for part in seen], [row] if new else ())
        moving = self._running or self._owed > 0
        self._tell_racers()
        if self._is_time("limits", 0.1) or not moving:
            self.out.send("limits", racers=picture.limits(race.racers, seen))
        if self._is_time("timeline", 0.2) or not moving:
            self.out.send("timeline", first=0, last=race.last, forks=race.forks)
        if self._basins is not None and (self._is_time("basins", 0.3) or not moving):
            self.out.send("basins", run=self.run, minima=self._basins.table(seen))
        self._send_ball()

    def _send_places(self, places: Sequence[np.ndarray], rows: Any = ()) -> None:
        data = normalised(self._race.terrain, np.concatenate(places))
        self.out.frame(
            wire.TERRAIN_BALLS,
            run=self.run,
            step=self._race.step,
            n=len(data),
            data=data.ravel(),
            rows=rows,
        )

    def _look(self) -> None:
        """The verdicts on numbers that were changed."""
        self.out.send("limits", racers=picture.limits(self._race.racers, self._race.seen()))
        self._send_ball()

    def _is_time(self, what: str, seconds: float) -> bool:
        now = time.perf_counter()
        if now - self._when.get(what, -1e9) < seconds:
            return False
        self._when[what] = now
        return True

    def _inspect(self, message: Message) -> None:
        if message.flag("off", False):
            self._inspected = None
            return
        chosen = message.whole("racer", 0, MOST_RACERS - 1), message.whole("ball", 0, MOST)
        inspect.inspected(self._race, *chosen)
        self._inspected = chosen
        self._send_ball()

    def _send_ball(self) -> None:
        if self._inspected is not None and self._inspected[1] < self._race.each:
            self.out.send("ball", run=self.run, **inspect.inspected(self._race, *self._inspected))

    def _show_basins(self, message: Message) -> None:
        self._showing_basins = message.flag("on")
        if not self._showing_basins:
            self._basins = None
        elif self._race_now is not None:
            self._send_basins()

    def _send_basins(self) -> None:
        """The map, once for a surface, and the first table."""
        terrain = self._race.terrain
        if terrain not in self._maps:
            self.out.send("busy", what="basins")
            try:
                self._maps = {terrain: Basins(terrain)}
            finally:
                self.out.send("busy", what=None)
        self._basins = self._maps[terrain]
        labels = self._basins.labels
        self.out.block(
            wire.TERRAIN_BASINS, run=self.run, step=0, n=labels.size, data=labels.ravel()
        )
        self.out.send("basins", run=self.run, minima=self._basins.table(self._race.seen()))

    def _csv(self, message: Message) -> dict[str, Any]:
        return {"name": "race.csv", "text": self._metrics.csv(picture.labels(self._race.racers))}
