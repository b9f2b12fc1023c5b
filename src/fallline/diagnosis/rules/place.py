"""Rules about the place where a run came to rest: a minimum, a saddle, a plateau, a ravine."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.diagnosis.finding import Fix
from fallline.diagnosis.rules.base import WORTH, better, falling, found, rounded, stuck

if TYPE_CHECKING:
    from fallline.diagnosis.facts import Facts
    from fallline.diagnosis.finding import Finding

SMALL = 0.05
"""A gradient below this share of the longest one met is small."""

RADII = (0.03, 0.3, 1.0)
"""How far to step aside, in units of 1 + the parameters' length."""

STEEP, CORRELATED = 30.0, 1e3
"""Condition numbers from which plain descent crawls: of a Hessian, and of standardised columns."""


def resting(facts: Facts) -> bool:
    """Does the loss no longer fall, with a gradient that is small for this run, or for this function?"""
    if facts.case.ended == "gradient" and not facts.blew_up:
        return True
    if facts.blew_up or facts.steps < 10 or falling(facts, look=False):
        return False
    norms = facts.gradient_norms[np.isfinite(facts.gradient_norms)]
    if not len(norms):
        return False
    return facts.slope_left < SMALL * norms.max() or response(facts) < 0.1


def response(facts: Facts) -> float:
    """How much of itself the loss would change if every parameter doubled, to first order."""
    sizes = facts.column("parameter_norm")
    size = 1.0 + float(sizes[-1]) if len(sizes) and math.isfinite(sizes[-1]) else 1.0
    level = max(abs(facts.last), 1e-3 * abs(facts.reference), 1e-12)
    return facts.slope_left * size / level


def bends(facts: Facts, curvature: float) -> bool:
    """Would this curvature, over a distance as long as the parameters, change the loss noticeably?"""
    scale = max(abs(facts.last), abs(facts.reference), 1e-12)
    return curvature * _size(facts) ** 2 > 0.05 * scale


def around(facts: Facts) -> tuple[float, float]:
    """How far the loss rises and falls, at most, some way off in random directions; shares of its scale."""
    if "around" not in facts.__dict__:
        case = facts.run
        higher = lower = 0.0
        if case is not None and case.end is not None:
            here = case.loss_at(*_end(case))
            scale = max(abs(here), abs(facts.reference), 1e-12)
            for way in _directions(case.end["params"], 12):
                for radius in RADII[:2]:
                    params = _moved(case.end["params"], way, radius * _size(facts))
                    change = (case.loss_at(params, case.end["state"]) - here) / scale
                    if math.isfinite(change):
                        higher, lower = max(higher, change), max(lower, -change)
        facts.__dict__["around"] = (higher, lower)
    return facts.__dict__["around"]


def _end(case: Any) -> tuple[Any, Any]:
    return case.end["params"], case.end["state"]


def saddle_point(facts: Facts) -> Finding | None:
    """At rest where the loss still falls away in some direction, and a step that way leads far down."""
    case, kind = facts.run, getattr(facts.case, "kind", "")
    if not (resting(facts) or kind == "saddle"):
        return None
    # Networks that learned have such directions, too, and are none the worse for them.
    sharp = facts.curvature if facts.own_objective or stuck(facts) else None
    if sharp is None:
        return None
    signs: list[tuple[Any, ...]] = [("smallest_curvature", sharp.smallest, sharp.largest)]
    norms = facts.gradient_norms[np.isfinite(facts.gradient_norms)]
    if len(norms):
        signs.append(("gradient_left", facts.slope_left, float(norms.max())))
    if case is None or case.end is None:
        if kind != "saddle" or not sharp.smallest < 0:
            return None
        return found(
            facts, "saddle-point", signs, Fix("beside"), gain=0.0, curvature=sharp.smallest
        )
    down = -sharp.smallest
    curved = down > max(0.01 * abs(sharp.largest), 3 * sharp.smallest_error) and bends(facts, down)
    ways = [sharp.direction] if curved and sharp.direction is not None else []
    if not curved:
        # Where even the curvature is gone (the middle of a monkey saddle), the function itself is asked.
        flat = not bends(facts, max(abs(sharp.largest), abs(sharp.smallest)))
        higher, lower = around(facts) if flat else (0.0, 0.0)
        if not (higher > 0.05 and lower > 0.05):
            return None
        signs.append(("falls_around", lower, higher))
        ways = _directions(case.end["params"], 6)
    best = _aside(facts, ways)
    if best is None or not best[0] > WORTH / 2:
        return None
    gain, params, after = best
    return found(
        facts,
        "saddle-point",
        [*signs, ("loss_aside", after, facts.last)],
        Fix("step-aside", {"params": params}),
        gain=gain,
        curvature=sharp.smallest,
    )


def plateau(facts: Facts) -> Finding | None:
    """At rest on level ground, high above what lies some way off."""
    case = facts.run
    if case is None or case.end is None or not resting(facts):
        return None
    answer = response(facts)
    if not answer < 0.05 or not (stuck(facts) or facts.own_objective):
        return None
    sharp = facts.curvature
    if sharp is not None and bends(facts, abs(sharp.smallest)):
        return None
    higher = facts.best_rate(lower=False)
    best = _aside(facts, _directions(case.end["params"], 6), far=True)
    if best is not None and best[0] > WORTH:
        fixes = [Fix("other-start", {"params": best[1]})]
        after = best[2]
    elif higher is not None and better(facts, higher[1]):
        rate = rounded(higher[0] * facts.plan_rate)
        fixes = [Fix("learning-rate", {"learning_rate": rate}, {"rate": rate})]
        after = higher[1].loss
    else:
        return None
    return found(
        facts,
        "plateau",
        [
            ("response", answer, 0.05),
            ("slope_flat", facts.pace, 0.0),
            ("loss_aside", after, facts.last),
        ],
        *fixes,
        level=facts.last,
    )


def _size(facts: Facts) -> float:
    sizes = facts.column("parameter_norm")
    return 1.0 + float(sizes[-1])


def local_minimum(facts: Facts) -> Finding | None:
    """In a minimum of a function of few parameters, and other starts lead into a lower one."""
    case = facts.run
    if case is None or case.end is None or not facts.own_objective or not resting(facts):
        return None
    sharp = facts.curvature
    if sharp is None or sharp.smallest < -0.01 * sharp.largest:
        return None
    if not bends(facts, sharp.smallest):
        return None
    if facts.parameters > 100:
        return None
    best: tuple[float, Any, Any] = (0.0, None, None)
    centre = case.end["params"]
    for radius in (0.3, 1.0, 3.0):
        for way in _directions(centre, 6):
            params = _moved(centre, way, radius * _size(facts))
            trial = facts.trial(params=params)
            gain = facts.gain(trial)
            if trial is not None and gain > best[0]:
                best = (gain, params, trial)
    gain, params, trial = best
    if trial is None or not gain > WORTH:
        return None
    return found(
        facts,
        "local-minimum",
        [
            ("smallest_curvature", sharp.smallest, sharp.largest),
            ("gradient_left", facts.last_gradient, float(np.nanmax(facts.gradient_norms))),
            ("loss_elsewhere", trial.loss, facts.last),
        ],
        Fix("other-start", {"params": params}),
        level=facts.last,
        lower=trial.loss,
    )


def ravine(facts: Facts) -> Finding | None:
    """Descent crawls along a valley whose walls set its rate: momentum, or other axes, get further."""
    if facts.run is None or facts.blew_up or facts.steps < 10:
        return None
    momentum = float(getattr(facts.optimizer, "momentum", None) or 0.0)
    sharp = facts.sharpness if facts.plain_descent and facts.plan_rate > 0 else None
    if sharp is not None and sharp.largest > 0 and facts.margin > 0.1:
        kappa = _condition(facts)
        # Momentum makes up for the root of it; and a network's valleys are never straight.
        steep = STEEP * (10 if facts.hidden else 1)
        for more in (0.9, 0.99):
            if not kappa > (steep if momentum < 0.5 else steep**2) or more <= momentum:
                continue
            trial = facts.trial_with({"momentum": more})
            if better(facts, trial) and (not facts.hidden or facts.gain(trial) > WORTH):
                fix = Fix("momentum", {"momentum": more}, {"momentum": more})
                return _ravine(facts, kappa, trial, fix)
    return None


def correlated_columns(facts: Facts) -> Finding | None:
    """A linear regression on columns that are nearly combinations of each other."""
    rows = facts.rows
    if facts.run is None or rows is None or facts.hidden or facts.case.task != "regression":
        return None
    if not rows.condition_standardized > CORRELATED:
        return None
    trial = facts.trial_with({"decorrelate": True})
    if not better(facts, trial):
        return None
    fix = Fix("decorrelate", {"decorrelate": True})
    return _ravine(facts, rows.condition_standardized, trial, fix)


def _ravine(facts: Facts, kappa: float, trial: Any, fix: Fix) -> Finding:
    evidence: list[tuple[Any, ...]] = [("condition_number", kappa)]
    if math.isfinite(facts.margin):
        evidence.append(("margin", facts.margin, 1.0))
    return found(
        facts,
        "ravine",
        [*evidence, ("loss_with_fix", trial.loss, facts.last)],
        fix,
        kappa=kappa,
    )


def _condition(facts: Facts) -> float:
    """The condition number of the Hessian at the end, as far as it can be told."""
    from fallline.diagnosis import curvature
    from fallline.diagnosis.case import value_at
    from fallline.errors import FalllineError

    case = facts.run
    if case is None or case.end is None or case.problem is None:
        return math.nan
    sharp = facts.sharpness
    try:
        arguments = (case.problem.objective, case.end["state"], case.sample)
        ratio = curvature.condition(value_at, case.end["params"], arguments).ratio
    except FalllineError:
        return math.nan
    if sharp is not None and -sharp.smallest > sharp.smallest_error and not sharp.preconditioned:
        # Not yet where all curvatures are positive.
        return sharp.largest / abs(sharp.smallest)
    return ratio


def converged(facts: Facts) -> Finding | None:
    """At rest in a minimum, as far as curvature tells."""
    norms = facts.gradient_norms[np.isfinite(facts.gradient_norms)]
    small = len(norms) > 0 and facts.last_gradient < 1e-3 * norms.max()
    if facts.blew_up or not (small or facts.case.ended in ("gradient", "slope")):
        return None
    # From the history alone a plateau looks the same.
    if not facts.measure and facts.case.ended != "gradient":
        return None
    if falling(facts) and facts.case.ended != "gradient":
        return None
    # In a network the curvature costs seconds, and there is always some direction that falls away.
    sharp = None if facts.hidden else facts.curvature
    if sharp is not None and sharp.smallest < -0.05 * max(sharp.largest, 0.0):
        return None
    evidence: list[tuple[Any, ...]] = [("gradient_left", facts.last_gradient, float(norms.max()))]
    if sharp is not None:
        evidence.append(("smallest_curvature", sharp.smallest, sharp.largest))
    evidence.append(("slope_flat", facts.pace, 0.0))
    return found(facts, "converged", evidence, steps=facts.steps, level=facts.last)


def _aside(
    facts: Facts, directions: list[Any], *, far: bool = False
) -> tuple[float, Any, float] | None:
    """The best of some steps aside, each followed by some of the run's own: gain, place, loss."""
    case, same = facts.run, facts.onward_same
    if case is None or case.end is None or same is None:
        return None
    best = None
    for direction in directions:
        for radius in (*RADII, 3.0) if far else RADII:
            for sign in (1.0, -1.0):
                params = _moved(case.end["params"], direction, sign * radius * _size(facts))
                after = facts.onward(params=params)
                if after is None:
                    return best
                if math.isfinite(after.loss) and (best is None or after.loss < best[2]):
                    # Where going on leads down by itself, the place it is at now counts.
                    here = max(same.loss, facts.last)
                    best = (facts.share(here, after.loss), params, after.loss)
    return best


def _moved(params: Any, direction: Any, distance: float) -> Any:
    import jax

    return jax.tree.map(lambda p, d: (p + distance * d).astype(p.dtype), params, direction)


def _directions(params: Any, count: int) -> list[Any]:
    """Random unit directions in the space of the parameters."""
    import jax
    from jax.flatten_util import ravel_pytree

    flat, restore = ravel_pytree(params)
    drawn = np.random.default_rng(0).normal(size=(count, flat.size))
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return [restore(jax.device_put(row.astype(flat.dtype))) for row in drawn]
