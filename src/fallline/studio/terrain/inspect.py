"""One ball under the glass: where it is, what it feels, and the step that it is about to take."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline.errors import FalllineError
from fallline.optimizers.stability import stability_limit, verdict
from fallline.studio.terrain.balls import derivatives
from fallline.studio.terrain.lines import Moment, lines

if TYPE_CHECKING:
    from fallline.descent.minimize_loop import Function
    from fallline.studio.terrain.race import Race


@functools.partial(jax.jit, static_argnames=("function",))
def _look(function: Function, optimizer: Any, params: Any, state: Any) -> dict[str, Any]:
    value, slopes, hessian = derivatives(function, *params)
    updates, after = optimizer.update([slopes[0], slopes[1]], state, params)
    values, vectors = jnp.linalg.eigh(hessian)
    return {
        "value": value,
        "gradient": slopes,
        "values": values,
        "vectors": vectors.T,
        "update": jnp.stack(updates),
        "after": after,
        "limit": stability_limit(optimizer, after, hessian),
    }


def inspected(race: Race, racer: int, ball: int) -> dict[str, Any]:
    """What there is to know of a ball; its next step is the one without noise.

    Args:
        race: as it stands.
        racer: which racer's.
        ball: which of its balls.

    Raises:
        FalllineError: if there is no such ball.
    """
    if not 0 <= racer < len(race.balls) or not 0 <= ball < race.each:
        raise FalllineError(
            f"There are {len(race.balls)} racers of {race.each:,} balls; racer {racer} has no ball {ball}."
        )
    balls = race.balls[racer]
    params, state = balls.ball(ball)
    optimizer = jax.tree.map(np.float32, balls.racer.made())
    found = jax.tree.map(np.asarray, _look(balls.function, optimizer, params, state))
    place = np.array(params)
    before, after = _by_name(state), _by_name(found["after"])
    with np.errstate(all="ignore"):
        following = place + found["update"]
    moment = Moment(
        place=place,
        gradient=found["gradient"],
        before=before,
        after=after,
        update=found["update"],
        following=following,
        count=int(_inner(found["after"])["step"]),
    )
    limit = float(found["limit"])
    return {
        "racer": racer,
        "ball": ball,
        "step": race.step,
        "place": place,
        "value": float(found["value"]),
        "gradient": found["gradient"],
        "hessian": {"values": found["values"], "vectors": found["vectors"]},
        "state": before,
        "next": following,
        "rate": balls.racer.rate,
        "limit": limit if np.isfinite(limit) else None,
        "verdict": verdict(balls.racer.rate, limit),
        "lines": lines(balls.racer, moment),
    }


def _inner(state: Any) -> Any:
    """The optimizer's own state, out of the decay's wrapper."""
    return state.get("inner", state)


def _by_name(state: Any) -> dict[str, np.ndarray]:
    """What the state holds of each coordinate."""
    inner = _inner(state)
    return {name: np.array(part) for name, part in inner.items() if isinstance(part, list)}
