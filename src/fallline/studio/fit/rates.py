"""The learning rate that suits, and the one beyond which a descent leaps out of its valley."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.descent.problem import with_rate
from fallline.descent.range_test import find_learning_rate
from fallline.optimizers import SGD, Momentum, Nesterov

if TYPE_CHECKING:
    from fallline.studio.fit.descent import Descent
    from fallline.studio.fit.settings import Settings


def has_closed_form(settings: Settings) -> bool:
    """Is a suitable rate known without trying? It is for squared losses, linear models and plain steps."""
    return settings.squared and settings.optimizer in ("sgd", "momentum", "nesterov")


def suitable(run: Descent, largest: float) -> float:
    r"""A rate that suits a run, in two digits.

    In closed form where it is known: $1 / \lambda$ for all rows; for batches of b from n rows
    $1 / (2 \mathcal L)$ with their expected smoothness
    $\mathcal L = \frac{n (b - 1)}{b (n - 1)} \lambda + \frac{n - b}{b (n - 1)} \max_i \lambda_i$. Momentum
    multiplies a step by $1 / (1 - \mu)$, so that its rate on batches is that much smaller. Else by the range
    test.

    Args:
        run: a run that has not begun.
        largest: $\lambda$, the largest eigenvalue of the Hessian on all rows; used by the closed form only.

    Raises:
        FalllineError: if the loss is not finite at the start.

    Reference: Gower et al., "SGD: general analysis and improved rates", ICML 2019, proposition 3.8.
    """
    if not has_closed_form(run.settings):
        return find_learning_rate(run.problem).learning_rate
    n, b = run.plan.rows, run.plan.size
    smooth = largest
    if b < n:
        share = n * (b - 1) / (b * (n - 1))
        smooth = share * largest + (n - b) / (b * (n - 1)) * _largest_single(run)
        smooth *= 2.0 / (1.0 - _momentum(run.problem.optimizer))
    return _two_digits(1.0 / smooth) if smooth > 0 else 0.1


def _largest_single(run: Descent) -> float:
    """The largest curvature of the objective on one row."""
    columns = run.features.columns(run.points.x)
    factor = 2.0 if run.settings.loss == "squared_error" else 1.0
    return factor * float((columns**2).sum(axis=1).max() + 1.0) + run.settings.l2


def _momentum(optimizer: Any) -> float:
    return float(optimizer.momentum) if isinstance(optimizer, Momentum) else 0.0


def _two_digits(rate: float) -> float:
    """Rounded down, so that what was below a limit stays there."""
    unit = 10.0 ** (math.floor(math.log10(rate)) - 1)
    return float(f"{math.floor(rate / unit + 1e-9) * unit:.2g}")


def limit(optimizer: Any, largest: float) -> float | None:
    r"""The rate beyond which steps on all rows leap ever farther along the direction of most curvature.

    $2 / \lambda$ for plain descent, $2 (1 + \mu) / \lambda$ with momentum and
    $2 (1 + \mu) / ((1 + 2 \mu) \lambda)$ in Nesterov's form.

    Args:
        optimizer: the optimizer.
        largest: $\lambda$.

    Returns:
        The rate; None where it is not known, or there is no curvature upwards.

    Reference: Polyak, "Introduction to Optimization", 1987, section 3.2.
    """
    if not (np.isfinite(largest) and largest > 0):
        return None
    if isinstance(optimizer, Momentum) and not optimizer.average:
        mu = float(optimizer.momentum)
        ahead = 1.0 + 2.0 * mu if isinstance(optimizer, Nesterov) else 1.0
        return 2.0 * (1.0 + mu) / (ahead * largest)
    return 2.0 / largest if isinstance(optimizer, SGD) else None


def at_rate(run: Descent, rate: float) -> Any:
    """The optimizer of a run at a rate."""
    return with_rate(run.settings.made_optimizer(), rate)
