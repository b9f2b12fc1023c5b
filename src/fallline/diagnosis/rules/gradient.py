"""The rule about wrong gradients, of functions that a user wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fallline.diagnosis.finding import Fix
from fallline.diagnosis.rules.base import found
from fallline.errors import FalllineError

if TYPE_CHECKING:
    from fallline.diagnosis.facts import Facts
    from fallline.diagnosis.finding import Finding


def wrong_gradient(facts: Facts) -> Finding | None:
    """The function's derivative is not what differences of its values say, at the start or at the end."""
    case = facts.run
    if case is None or not case.own_function or case.problem is None:
        return None
    from fallline.diagnosis.case import value_at
    from fallline.gradients.check import check_gradient

    for when in ("start", "end"):
        at = case.at(when)
        if at is None:
            continue
        params, state = at

        def f(p: Any, state: Any = state) -> Any:
            return value_at(p, case.problem.objective, state, case.sample)  # pyright: ignore

        try:
            result = check_gradient(f, params)
        except FalllineError:
            continue
        worst = result.worst
        if result.verdict == "wrong" and worst is not None:
            return found(
                facts,
                "wrong-gradient",
                [
                    ("gradient_error", worst.error, 1e-2),
                    ("derivative", worst.analytic, worst.numerical),
                    ("taylor_slope", result.taylor_slope, 2.0),
                ],
                Fix("wrong-gradient"),
                place=worst.name,
            )
    return None
