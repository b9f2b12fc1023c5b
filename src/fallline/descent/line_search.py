"""Step lengths found anew at every step: Armijo's backtracking and Polyak's step.

Both stretch or shrink the optimizer's own update. To add one, write one class here and name it in
``LINE_SEARCHES``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
from jax import lax

from fallline.errors import FalllineError, lookup
from fallline.tree import as_floats, hyperparameters, require, static

if TYPE_CHECKING:
    from collections.abc import Callable


class LineSearch:
    """What the loop asks of a line search."""

    def __post_init__(self) -> None:
        as_floats(self)

    def factor(
        self,
        along: Callable[[Any], Any],
        value: Any,
        slope: Any,
        last: Any,
    ) -> tuple[Any, Any]:
        """How much of the update to go.

        Args:
            along: t -> the function's value after t times the update.
            value: at the point.
            slope: the inner product of gradient and update, negative.
            last: the factor of the last step, 1 before the first.

        Returns:
            The factor, 0 if none would do; the evaluations it cost.
        """
        raise NotImplementedError


@hyperparameters
class Armijo(LineSearch):
    r"""Backtracking: the update is shortened until the function falls by a share of what its slope promises.

    With update $d$, $t$ is the first of $t_0, t_0 r, t_0 r^2, \dots$ for which

    $$f(x + t d) \le f(x) + c\, t\, g^\top d$$

    and $f(x + t d) < f(x)$, which asks for more where rounding hides the slope: there the search ends.
    It starts from $t_0$ = the last step's $t$ times ``grow``, so that the step can lengthen again. Needs
    no learning rate to be known; around it, the optimizer is plain descent of rate 1 unless given.

    Attributes:
        decrease: $c$, in (0, 1).
        shrink: $r$, in (0, 1).
        grow: what the last step's factor is multiplied by for the first try, 1 or more.
        attempts: tries before the search gives up, which it says.

    Reference: Armijo, Pacific J. Math. 16 (1966); Nocedal & Wright, "Numerical Optimization", 2nd ed.,
    algorithm 3.1.
    """

    decrease: Any = 1e-4
    shrink: Any = 0.5
    grow: Any = 2.0
    attempts: int = static(default=60)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "decrease", 0.0, 1.0)
        require(self, "shrink", 0.01, 0.99)
        require(self, "grow", 1.0)

    def factor(
        self,
        along: Callable[[Any], Any],
        value: Any,
        slope: Any,
        last: Any,
    ) -> tuple[Any, Any]:
        """See `LineSearch.factor`."""

        def short(t: Any, reached: Any) -> Any:
            return ~((reached <= value + self.decrease * t * slope) & (reached < value))

        def going(loop: tuple[Any, Any, Any]) -> Any:
            tries, t, reached = loop
            return short(t, reached) & (tries < self.attempts)

        def again(loop: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
            tries, t, _ = loop
            t = t * self.shrink
            return tries + 1, t, along(t)

        first = last * self.grow
        tries, t, reached = lax.while_loop(
            going, again, (jnp.ones((), jnp.int32), first, along(first))
        )
        return jnp.where(short(t, reached), 0.0, t), tries


@hyperparameters
class Polyak(LineSearch):
    r"""Polyak's step: as far as a straight slope would need to reach the known least value.

    $$x_{t+1} = x_t - \frac{f(x_t) - f^*}{\|g_t\|^2}\, g_t$$

    Attributes:
        minimum: $f^*$, the least value of the function; below the true one it steps too far, above it,
            it stops where $f = f^*$.

    Reference: Polyak, "Introduction to Optimization", 1987, section 5.3.
    """

    minimum: Any = 0.0

    def factor(
        self,
        along: Callable[[Any], Any],
        value: Any,
        slope: Any,
        last: Any,
    ) -> tuple[Any, Any]:
        """See `LineSearch.factor`: exact for any update, by the slope along it."""
        rest = jnp.maximum(value - self.minimum, 0.0)
        return jnp.where(slope < 0, rest / jnp.where(slope < 0, -slope, 1.0), 0.0), 0


LINE_SEARCHES: dict[str, type[LineSearch]] = {"armijo": Armijo, "polyak": Polyak}


def by_name(search: Any) -> LineSearch | None:
    """A line search from its name; instances and None pass.

    Raises:
        FalllineError: if there is none of that name.
    """
    if search is None or isinstance(search, LineSearch):
        return search
    if not isinstance(search, str):
        raise FalllineError(
            f"line_search must be 'armijo', 'polyak' or one of their classes; it was given {search!r}."
        )
    return lookup("line search", LINE_SEARCHES, search.lower())()
