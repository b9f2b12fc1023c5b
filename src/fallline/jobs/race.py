"""A race on a terrain: optimizers side by side from the same places, each at a rate of its own."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline import terrains
from fallline.descent.minimize import minimize
from fallline.descent.settings import labelled
from fallline.descent.sweep import sweep
from fallline.errors import FalllineError, nearest
from fallline.jobs.comparison import soonest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fallline.descent.minimize_result import MinimizeResult
    from fallline.terrains import Terrain

RATES = "1e-4:1:13"
"""Learning rates that are tried for an optimizer whose rate is not given."""


@dataclasses.dataclass(frozen=True)
class Racer:
    """One optimizer of a race.

    Attributes:
        label: its name.
        learning_rate: given, or the best of those tried.
        given: was it given?
        result: of `fallline.minimize`, with the path.
    """

    label: str
    learning_rate: float
    given: bool
    result: MinimizeResult

    @property
    def median(self) -> float:
        """The median ball's value at the end."""
        return float(np.median(self.result.fun))

    @property
    def at_rest(self) -> float:
        """The share of balls in a minimum."""
        return float(np.mean(self.result.kind == "minimum"))


def terrain_named(text: str, bounds: Any = None) -> Terrain:
    """A terrain by its name, or from an expression in x and y.

    Raises:
        FalllineError: if it is neither; the sentence is the one that helps more.
    """
    simple = text.replace("-", "_").replace(" ", "_")
    if simple.isidentifier() and simple.lower() not in ("x", "y"):
        return _within(terrains.by_name(text), bounds)
    if bounds is None:
        return terrains.from_expression(text)
    return terrains.from_expression(text, bounds=bounds)


def _within(terrain: Terrain, bounds: Any) -> Terrain:
    return terrain if bounds is None else dataclasses.replace(terrain, bounds=bounds)


def race(
    terrain: Terrain,
    optimizers: Any = ("sgd", "momentum", "adam"),
    *,
    balls: int = 300,
    steps: int = 300,
    learning_rates: Mapping[str, float] | None = None,
    seed: int = 0,
    records: int = 150,
) -> list[Racer]:
    """Let optimizers race from the same places, each at its own best rate.

    An optimizer whose rate is not given gets the best of thirteen rates from 1e-4 to 1, tried from the
    same places with as many steps: the one whose median is soonest as low as the lowest median of all.

    Args:
        terrain: where.
        optimizers: as for `fallline.sweep`.
        balls: of each optimizer.
        steps: of each ball.
        learning_rates: label -> rate, for those whose rate is given.
        seed: of the starts and of the noise.
        records: positions kept of each ball.

    Returns:
        The optimizers in the order given.

    Raises:
        FalllineError: if there is no such optimizer, or a rate is given for one that does not race.
    """
    chosen = labelled(optimizers)
    given = dict(learning_rates or {})
    for label in given:
        if label not in chosen:
            raise FalllineError(
                f"A rate is given for {label!r}, which does not race: {nearest(label, list(chosen))}"
            )
    found: list[Racer] = []
    for label, optimizer in chosen.items():
        rate = (
            given[label] if label in given else _best(terrain, label, optimizer, balls, steps, seed)
        )
        result = minimize(
            terrain,
            None,
            optimizer,
            learning_rate=rate,
            starts=balls,
            steps=steps,
            tolerance=0,
            seed=seed,
            path=True,
            records=records,
        )
        found.append(Racer(label, rate, label in given, result))
    return found


def _best(terrain: Terrain, label: str, optimizer: Any, balls: int, steps: int, seed: int) -> float:
    tried = sweep(
        terrain,
        optimizers={label: optimizer},
        learning_rate=RATES,
        seeds=[seed],
        starts=balls,
        steps=steps,
    )
    if not np.isfinite(tried.best["median"]):
        raise FalllineError(
            f"Every rate from 1e-4 to 1 makes {label} diverge on {terrain.name}; give it a rate of its own."
        )
    return float(soonest(tried)[0][0]["learning_rate"])


def moment(racers: list[Racer], at: int | None = None) -> tuple[int, int]:
    """The step at which a race is worth a picture, and how many positions of the paths lead up to it.

    Unless a step is given it is when half of the optimizers' median balls have made nine tenths of their
    fall: at the end all balls lie in the valleys, and nothing tells how they came there.
    """
    recorded = racers[0].result.recorded
    # The last position is that of the end.
    steps = np.append(recorded, int(np.max(racers[0].result.nit)))
    if at is not None:
        count = int(np.searchsorted(steps, at, side="right"))
        return int(steps[max(count, 1) - 1]), max(count, 1)
    made: list[int] = []
    for racer in racers:
        medians = np.nanmedian(racer.result.history.loss, axis=1)
        fall = medians[0] - racer.median
        low = np.flatnonzero(medians <= racer.median + 0.1 * fall) if fall > 0 else np.array([])
        made.append(int(low[0]) if len(low) else len(medians) - 1)
    count = max(int(np.median(made)) + 1, min(6, len(steps)))
    return int(steps[count - 1]), count
