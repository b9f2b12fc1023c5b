"""Optimizers race on a terrain from the same starts: changed while they run, taken back, and forked.

A race is a function of its setting and of its log: what was changed at which step. So any earlier step is
shown again exactly, bit by bit, by going on from the nearest state that was kept, and so the script that the
studio exports is the race itself.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.errors import FalllineError
from fallline.studio.terrain.balls import MOST, Balls, function_of, prepared_capacity
from fallline.studio.terrain.racer import Racer
from fallline.studio.terrain.timeline import BUDGET, Timeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jaxtyping import Float

    from fallline.studio.terrain.balls import Seen
    from fallline.terrains import Terrain

MOST_RACERS = 12

EVERY = 64
"""Steps from one kept state to the next."""

LONGEST = 2**31 - 1
"""Steps of a race: they are counted in 32 bits."""

MOST_EVENTS = 20_000


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that was changed.

    Attributes:
        step: after which.
        what: the method of `Race` that did it: "set", "shake" or "drop".
        given: its arguments.
    """

    step: int
    what: str
    given: Mapping[str, Any]


class Race:
    """Some racers' balls on a terrain, each racer's from the same starts.

    Args:
        terrain: where.
        racers: optimizers with their numbers, see `Racer.of`.
        starts: places, shape (n, 2), the same for every racer; or how many, scattered over the bounds.
        seed: of the noise, of scattered starts and of dropped balls.
        noise: standard deviation of what is added to each number of each gradient.
        drops: ``(x, y, count, radius, step)`` of balls to be dropped later.
        budget: bytes of states kept to go back to.

    Attributes:
        entered: the racers with the numbers they began with.
        step: at which the race stands.
        last: the furthest it has come.
        forks: how often it was changed in the past.
        events: what was changed, in order.

    Raises:
        FalllineError: if there are no racers, or too many balls.

    Examples:
        >>> from fallline import terrains
        >>> race = Race(terrains.by_name("sphere"), [Racer.of("sgd", 0.1)], 4)
        >>> race.advance(100)
        >>> bool(np.abs(race.places()).max() < 1e-6)
        True
    """

    def __init__(
        self,
        terrain: Terrain,
        racers: Iterable[Racer],
        starts: Float[np.ndarray, "n 2"] | int,
        *,
        seed: int = 0,
        noise: float = 0.0,
        drops: Sequence[tuple[float, float, int, float, int]] = (),
        budget: int = BUDGET,
    ) -> None:
        entered = tuple(racers)
        if not 1 <= len(entered) <= MOST_RACERS:
            raise FalllineError(
                f"A race has 1 to {MOST_RACERS} racers; it was given {len(entered)}."
            )
        if isinstance(starts, int):
            starts = terrain.scatter(starts, seed)
        self.terrain, self.seed, self.noise = terrain, seed, float(noise)
        self.starts = np.asarray(starts, np.float32).reshape(-1, 2)
        each = len(self.starts)
        self._require_room(each + sum(drop[2] for drop in drops), len(entered))
        room = prepared_capacity(each, len(entered))
        function = function_of(terrain)
        self.balls = [Balls(function, racer, room, seed, self.starts) for racer in entered]
        self.entered = entered
        self.step = self.last = self.forks = 0
        self.events = [
            Event(int(step), "drop", {"x": x, "y": y, "count": count, "radius": radius})
            for x, y, count, radius, step in sorted(drops, key=lambda drop: drop[4])
        ]
        self._applied = 0
        self._timeline = Timeline(budget)
        self._apply()
        self._keep()

    @staticmethod
    def _require_room(each: int, racers: int) -> None:
        if each * racers > MOST:
            raise FalllineError(
                f"There is room for {MOST:,} balls in all; this would make {each * racers:,}. Take fewer, "
                "or start again."
            )

    @property
    def racers(self) -> tuple[Racer, ...]:
        """With the numbers they have now."""
        return tuple(balls.racer for balls in self.balls)

    @property
    def each(self) -> int:
        """Balls of each racer."""
        return self.balls[0].count

    def advance(self, steps: int) -> None:
        """Go on; from an earlier step than the last, another future begins."""
        if self.step + steps > LONGEST:
            raise FalllineError(
                "The race has come to the last step that can be counted: start again."
            )
        if steps and self.step < self.last:
            self._fork()
        self._go_to(self.step + steps)
        self.last = max(self.last, self.step)

    def show(self, step: int) -> None:
        """Stand at an earlier step again, just as it was; nothing is forgotten yet.

        Raises:
            FalllineError: if the race has not come there.
        """
        if not 0 <= step <= self.last:
            raise FalllineError(f"The race has steps 0 to {self.last:,}; it cannot show {step:,}.")
        kept, state = self._timeline.nearest(step)
        if not kept <= self.step <= step:
            self._restore(kept, state)
        self._go_to(step)

    def set(
        self,
        racer: int | None = None,
        *,
        rate: float | None = None,
        settings: Mapping[str, float | bool] | None = None,
        decay: float | None = None,
    ) -> None:
        """Change numbers of one racer, or of all, from here on.

        Args:
            racer: its place, or None for all; those that lack a setting keep what they have.
            rate: the learning rate.
            settings: other hyper-parameters by name.
            decay: decoupled weight decay.

        Raises:
            FalllineError: if there is no such racer or setting, or a number is out of range.
        """
        given = {"racer": racer, "rate": rate, "settings": settings, "decay": decay}
        self._changed(given)
        self._do("set", {name: value for name, value in given.items() if value is not None})

    def shake(self, noise: float) -> None:
        """Change the noise on the gradients, from here on."""
        self._do("shake", {"noise": float(noise)})

    def drop(self, x: float, y: float, count: int = 1, radius: float = 0.0) -> None:
        """Add balls to every racer: at a place, or spread evenly over the circle around it.

        Raises:
            FalllineError: if there would be too many balls.
        """
        planned = sum(e.given["count"] for e in self.events if e.step > self.last)
        self._require_room(self.each + count + planned, len(self.balls))
        self._do("drop", {"x": x, "y": y, "count": count, "radius": radius})

    def places(self) -> Float[np.ndarray, "racers n 2"]:
        """Where the balls are; a lost one stays at its last place with a finite value."""
        return np.stack([balls.places() for balls in self.balls])

    def seen(self) -> list[Seen]:
        """Each racer's balls, looked at where they are."""
        return [balls.seen() for balls in self.balls]

    def trail(self, samples: int, stride: int) -> Float[np.ndarray, "samples racers n 2"]:
        """The places at earlier steps, a stride apart, up to the present one, where the race stays.

        Fewer samples where the race is younger, or balls were dropped on the way.
        """
        step = self.step
        first = max(step - stride * (samples - 1), step % stride)
        found: list[np.ndarray] = []
        for at in range(first, step + 1, stride):
            self.show(at)
            found.append(self.places())
        return np.stack([part for part in found if part.shape == found[-1].shape])

    def _do(self, what: str, given: Mapping[str, Any]) -> None:
        if len(self.events) >= MOST_EVENTS:
            raise FalllineError("Too much was changed in this race: start it again.")
        if self.step < self.last:
            self._fork()
        self.events.insert(self._applied, Event(self.step, what, given))
        self._apply()

    def _fork(self) -> None:
        """Forget what came after the present step; what was planned for later still will be."""
        kept = [e for e in self.events if not self.step < e.step <= self.last]
        self.events = kept
        self._timeline.forget_after(self.step)
        self.last = self.step
        self.forks += 1

    def _go_to(self, step: int) -> None:
        while self.step < step:
            planned = self.events[self._applied : self._applied + 1]
            stops = [step, (self.step // EVERY + 1) * EVERY, *(event.step for event in planned)]
            count = min(stops) - self.step
            for balls in self.balls:
                balls.advance(self.step, count, self.noise)
            self.step += count
            self._apply()
            if self.step % EVERY == 0:
                self._keep()

    def _apply(self) -> None:
        """Do what is logged for the present step."""
        while self._applied < len(self.events):
            event = self.events[self._applied]
            if event.step > self.step:
                break
            if event.what == "set":
                for i, racer in enumerate(self._changed(event.given)):
                    self.balls[i].set(racer)
            elif event.what == "shake":
                self.noise = event.given["noise"]
            else:
                places = self._dropped(**event.given)
                for balls in self.balls:
                    balls.drop(places)
            self._applied += 1

    def _changed(self, given: Mapping[str, Any]) -> list[Racer]:
        """The racers with other numbers."""
        wanted: dict[str, Any] = {name: part for name, part in given.items() if name != "racer"}
        racers, only = list(self.racers), given.get("racer")
        asked = wanted.get("settings") or {}
        if only is not None:
            if not 0 <= only < len(racers):
                raise FalllineError(
                    f"There are racers 0 to {len(racers) - 1}, and none called {only}."
                )
            racers[only] = racers[only].changed(**wanted)
            return racers
        for name in asked:
            if not any(racer.has(name) for racer in racers):
                raise FalllineError(f"None of the optimizers has {name!r}.")
        for i, racer in enumerate(racers):
            wanted["settings"] = {name: part for name, part in asked.items() if racer.has(name)}
            racers[i] = racer.changed(**wanted)
        return racers

    def _dropped(self, x: float, y: float, count: int, radius: float) -> np.ndarray:
        # Another draw for every drop, the same whenever it is repeated.
        random = np.random.default_rng([self.seed, self.each, self._applied])
        distance, angle = np.sqrt(random.random(count)), 2 * np.pi * random.random(count)
        if count == 1:
            distance[:] = 0.0
        around = radius * distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return (np.array([x, y]) + around).astype(np.float32)

    def _keep(self) -> None:
        state = {
            "rows": [balls.rows() for balls in self.balls],
            "racers": self.racers,
            "capacities": [balls.capacity for balls in self.balls],
            "noise": self.noise,
            "applied": self._applied,
        }
        self._timeline.add(self.step, state)

    def _restore(self, step: int, state: Mapping[str, Any]) -> None:
        self.step, self.noise, self._applied = step, state["noise"], state["applied"]
        parts = zip(self.balls, state["rows"], state["racers"], state["capacities"], strict=True)
        for balls, rows, racer, capacity in parts:
            balls.restore(rows, racer, capacity)
        self._apply()
