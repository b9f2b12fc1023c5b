"""What the page asks for when a race is to start, read and checked."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline import terrains
from fallline.errors import FalllineError
from fallline.optimizers import OPTIMIZERS
from fallline.studio.terrain.balls import MOST
from fallline.studio.terrain.race import MOST_RACERS, Race
from fallline.studio.terrain.racer import DECAY, RATE, Racer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fallline.studio.message import Message
    from fallline.terrains import Terrain

LARGEST = 1e15
"""Of coordinates and noise: their squares are still numbers in single precision."""

NOISE = (0.0, 1e6)

MOST_DROPPED = 500

MOST_DROPS = 1000


@dataclasses.dataclass(frozen=True)
class Entry:
    """A racer as asked for.

    Attributes:
        racer: with the default rate where its best is to be searched.
        honest: is it to be searched?
    """

    racer: Racer
    honest: bool


@dataclasses.dataclass(frozen=True)
class Asked:
    """Everything that a race is made of.

    Attributes:
        terrain: within the bounds asked for.
        formula: as typed, or None for a terrain of the catalogue.
        racers: in the order given.
        balls: of all racers together.
        seed: of starts and noise.
        noise: on the gradients.
        at: the one place to start from, or None for scattered starts.
        drops: ``(x, y, count, radius, step)`` each.
    """

    terrain: Terrain
    formula: str | None
    racers: tuple[Entry, ...]
    balls: int
    seed: int
    noise: float
    at: tuple[float, float] | None
    drops: tuple[tuple[float, float, int, float, int], ...]

    def __post_init__(self) -> None:
        balls = (self.each + sum(drop[2] for drop in self.drops)) * len(self.racers)
        if balls > MOST:
            raise FalllineError(
                f"There is room for {MOST:,} balls in all; with those to be dropped these are {balls:,}."
            )

    @property
    def each(self) -> int:
        """Balls of each racer."""
        return max(1, self.balls // len(self.racers))

    def starts(self) -> np.ndarray:
        """The places that every racer starts from, shape (each, 2)."""
        if self.at is None:
            return self.terrain.scatter(self.each, self.seed)
        return np.tile(np.array(self.at, np.float32), (self.each, 1))

    def race(self, racers: Sequence[Racer]) -> Race:
        """The race, with the rates that were found."""
        return Race(
            self.terrain,
            racers,
            self.starts(),
            seed=self.seed,
            noise=self.noise,
            drops=self.drops,
        )


def read_start(message: Message) -> Asked:
    """What a message of the type ``start`` asks for.

    Raises:
        FalllineError: if anything does not fit.
    """
    terrain, formula = _terrain(message)
    given = message.messages("racers", MOST_RACERS)
    if not given:
        raise FalllineError("A race needs at least one optimizer.")
    at = None
    if message.choice("spread", ("scatter", "point"), "scatter") == "point":
        at = _pair(message, "at") or terrain.starts[0]
    return Asked(
        terrain=terrain,
        formula=formula,
        racers=tuple(read_racer(entry) for entry in given),
        balls=message.whole("balls", 1, MOST, 600),
        seed=message.whole("seed", 0, 2**32 - 1, 0),
        noise=message.number("noise", *NOISE, terrain.noise),
        at=at,
        drops=_drops(message),
    )


def _terrain(message: Message) -> tuple[Terrain, str | None]:
    name, formula = message.text("surface", 100, None), message.text("formula", 10_000, None)
    bounds = message.numbers("bounds", 4, -LARGEST, LARGEST, None)
    if bounds is not None:
        if len(bounds) != 4:
            raise FalllineError("'bounds' must be four numbers: x from and to, then y from and to.")
        bounds = (bounds[0], bounds[1]), (bounds[2], bounds[3])
    if formula is not None:
        made = (
            terrains.from_expression(formula)
            if bounds is None
            else terrains.from_expression(formula, bounds)
        )
        return made, formula
    if name is None:
        raise FalllineError("A race needs a surface: name one, or give a formula of x and y.")
    found = terrains.by_name(name)
    if bounds is None or bounds == found.bounds:
        return found, None
    return _within(dataclasses.replace(found, bounds=bounds)), None


def _within(terrain: Terrain) -> Terrain:
    """The terrain with those of its known points that lie in the window."""
    (left, right), (low, high) = terrain.bounds
    known = {
        what: tuple(
            p for p in getattr(terrain, what) if left <= p.x <= right and low <= p.y <= high
        )
        for what in ("minima", "saddles", "maxima")
    }
    return dataclasses.replace(terrain, **known)


def read_racer(message: Message) -> Entry:
    """One racer.

    Raises:
        FalllineError: if there is no such optimizer or setting, or a number is out of range.
    """
    name = message.choice("optimizer", OPTIMIZERS)
    rate = message.number("rate", *RATE, None)
    decay = message.number("decay", *DECAY, None)
    return Entry(Racer.of(name, rate, read_settings(message), decay), rate is None)


def read_settings(message: Message) -> dict[str, float | bool]:
    """The settings of a racer by name: numbers, or true and false."""
    settings: Any = message.message("settings", None)
    if settings is None:
        return {}
    if len(settings.fields) > 20:
        raise FalllineError("'settings' has more entries than any optimizer has settings.")
    found: dict[str, float | bool] = {}
    for name, value in settings.fields.items():
        if value is not None:
            read = settings.flag if isinstance(value, bool) else settings.number
            found[name] = read(name)
    return found


def _pair(message: Message, name: str) -> tuple[float, float] | None:
    numbers = message.numbers(name, 2, -LARGEST, LARGEST, None)
    if numbers is None:
        return None
    if len(numbers) != 2:
        raise FalllineError(f"{name!r} must be two numbers, x and y.")
    return numbers[0], numbers[1]


def _drops(message: Message) -> tuple[tuple[float, float, int, float, int], ...]:
    """Lists of numbers in a list, as the address of the page holds them."""
    listed: Any = message.fields.get("drops") or []
    if not isinstance(listed, list) or len(listed) > MOST_DROPS:
        raise FalllineError(f"'drops' must be a list of at most {MOST_DROPS:,} drops.")
    found: list[tuple[float, float, int, float, int]] = []
    for part in listed:
        names = ("x", "y", "count", "radius", "step")
        if not isinstance(part, list) or len(part) != len(names):
            raise FalllineError(f"A drop is the five numbers {', '.join(names)}.")
        one = type(message)(dict(zip(names, part, strict=True)))
        found.append((*read_drop(one), one.whole("step", 0, 2**31 - 1)))
    return tuple(found)


def read_drop(message: Message) -> tuple[float, float, int, float]:
    """Place, number and radius of a drop."""
    return (
        message.number("x", -LARGEST, LARGEST),
        message.number("y", -LARGEST, LARGEST),
        message.whole("count", 1, MOST_DROPPED, 1),
        message.number("radius", 0.0, LARGEST, 0.0),
    )
