"""What a frame says of a race besides the places: quartiles, shares, verdicts."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.optimizers.stability import SAFE
from fallline.studio.terrain.lines import equation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jaxtyping import Bool, Float

    from fallline.studio.terrain.balls import Seen
    from fallline.studio.terrain.racer import Racer
    from fallline.terrains import Terrain

NEAR = 0.005
"""How near its local quadratic's lowest point a ball in a minimum is at most, in diagonals of the window."""


def in_minimum(terrain: Terrain, seen: Seen) -> Bool[np.ndarray, " n"]:
    """Which balls are in a minimum.

    The surface curves upward in all directions, by the exact Hessian, and the gradient is small beside the
    curvature: over the smallest eigenvalue it is a distance, which the bottom is not farther away than. A
    kink, where there is no curvature to speak of, counts as none.
    """
    low, high = np.array(terrain.bounds).T
    near = NEAR * float(np.linalg.norm(high - low))
    with np.errstate(invalid="ignore", over="ignore"):
        return (seen.least > 0) & (seen.slope <= near * seen.least) & ~seen.lost


def row(terrain: Terrain, step: int, seen: Sequence[Seen]) -> Float[np.ndarray, " k"]:
    """The step, then for each racer three quartiles of its balls' values, shares in a minimum and lost."""
    numbers: list[float] = [step]
    for part in seen:
        # In double precision the difference of two numbers does not overflow.
        values = part.value[~part.lost].astype(np.float64)
        quartiles = np.quantile(values, (0.25, 0.5, 0.75)) if len(values) else [np.nan] * 3
        shares = in_minimum(terrain, part).mean(), part.lost.mean()
        numbers += [*map(float, quartiles), *map(float, shares)]
    # A step is exact in double precision; the page gets all in single.
    return np.array(numbers, np.float64)


def limits(racers: Iterable[Racer], seen: Iterable[Seen]) -> list[dict[str, Any]]:
    """For each racer the median stability limit of its balls, and the shares of verdicts at its rate.

    A ball without a limit, where nothing curves upward, is in none of the shares; a median that is infinite
    is None.
    """
    found: list[dict[str, Any]] = []
    for racer, part in zip(racers, seen, strict=True):
        limit = part.limit[~part.lost & ~np.isnan(part.limit)]
        median = float(np.median(limit)) if len(limit) else np.inf
        known = np.isfinite(limit)
        safe, over = racer.rate < SAFE * limit, racer.rate > limit
        shares = {
            "safe": safe & known,
            "edge": ~safe & ~over & known,
            "explode": over & known,
        }
        count = max(len(limit), 1)
        found.append(
            {
                "limit": median if np.isfinite(median) else None,
                **{name: float(share.sum() / count) for name, share in shares.items()},
            }
        )
    return found


def entered(racers: Iterable[Racer], honest: Iterable[bool]) -> list[dict[str, Any]]:
    """Each racer with its numbers and its rule; ``honest`` where its rate was searched."""
    return [
        {
            "optimizer": racer.optimizer,
            "title": racer.title,
            "rate": racer.rate,
            "honest": searched,
            "decay": racer.decay,
            "settings": racer.about(),
            "mathml": equation(racer),
        }
        for racer, searched in zip(racers, honest, strict=True)
    ]


def labels(racers: Sequence[Racer]) -> list[str]:
    """A name for each racer; those of one optimizer are told apart by their place."""
    count = collections.Counter(racer.optimizer for racer in racers)
    return [
        racer.optimizer if count[racer.optimizer] == 1 else f"{racer.optimizer} {i + 1}"
        for i, racer in enumerate(racers)
    ]
