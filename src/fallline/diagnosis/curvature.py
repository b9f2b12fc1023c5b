r"""Curvature as an optimizer feels it: sharpness, trace, spectral density and conditioning.

All go by Hessian-vector products, each of which costs two to three gradients. Functions are compiled once for
each function object ``f``, so pass one that stays, and what changes in ``args``. Everywhere ``f(params,
*args)`` gives one number.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree

from fallline.errors import FalllineError
from fallline.gradients.curvature import eigenvalues, hessian_vector_product
from fallline.optimizers import stability
from fallline.tree import dot

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array, PyTree

_GRID = 1000
_SMOOTHING = 0.01
"""The width of the density's Gaussians, as a share of the spectrum's."""


@dataclasses.dataclass(frozen=True)
class Sharpness:
    r"""The outermost curvatures that an optimizer feels, those of $P^{-1/2} H P^{-1/2}$.

    Attributes:
        largest: the largest eigenvalue.
        smallest: the smallest.
        error: how far ``largest`` may be from an eigenvalue.
        smallest_error: how far ``smallest`` may be from one.
        limit: the largest stable learning rate; infinite if every rate is stable, NaN for an optimizer whose
            rule is not known.
        direction: of the parameters, of length 1, along which ``smallest`` is felt; None if not asked for.
        products: Hessian-vector products spent.
        preconditioned: does the optimizer have a $P$? Otherwise these are eigenvalues of $H$ itself.
    """

    largest: float
    smallest: float
    error: float
    smallest_error: float
    limit: float
    direction: PyTree | None
    products: int
    preconditioned: bool


def sharpness(
    optimizer: Any,
    optimizer_state: Any,
    f: Callable[..., Any],
    params: PyTree,
    args: Any = (),
    *,
    products: int = 20,
    seed: int = 0,
) -> Sharpness | None:
    r"""The largest and smallest curvature an optimizer feels, and the learning rate they allow.

    An optimizer that divides each gradient by a number of its own, the diagonal of $P$, descends like plain
    descent on a function with the Hessian $P^{-1/2} H P^{-1/2}$. Its stable rates end at a multiple of one
    over that matrix's largest eigenvalue: 2 for plain descent, $2 (1 + \beta)$ for momentum,
    $2 (1 + \beta) / (1 + 2 \beta)$ for Nesterov's, $(2 + 2 \beta_1) / (1 - \beta_1)$ for Adam after many
    steps; see `fallline.optimizers.stability` for all. Cost: up to ``products`` Hessian-vector products;
    below 65 parameters the whole Hessian.

    Args:
        optimizer: its learning rate does not matter.
        optimizer_state: what it remembers, after one step at least.
        f: what is differentiated.
        params: where.
        args: further arguments of f.
        products: Lanczos steps.
        seed: of the starting vector.

    Returns:
        None where the Hessian is not finite.

    References: Cohen et al., "Gradient descent on neural networks typically occurs at the edge of stability",
    ICLR 2021; Cohen et al., "Adaptive gradient methods at the edge of stability", arXiv:2207.14484 (2022).
    """
    try:
        step = _rule(optimizer, optimizer_state)
    except FalllineError:
        step = None
    try:
        divisor = None if step is None else step.divisor
        at = jax.tree.map(_precise, params)
        found = eigenvalues(f, at, products=products, args=args, seed=seed, divisor=divisor)
    except FalllineError:
        return None
    return Sharpness(
        largest=found.largest,
        smallest=found.smallest,
        error=float(found.error[1]),
        smallest_error=float(found.error[0]),
        limit=math.nan if step is None else float(stability.limit_at(step, found.largest)),
        direction=found.direction,
        products=found.products,
        preconditioned=divisor is not None,
    )


_rule = jax.jit(stability.linear)


def _precise(leaf: Any) -> Any:
    """In single precision at least, since there are no eigenvalues in half of it."""
    kind = jax.numpy.result_type(leaf)
    return leaf if kind.itemsize > 2 else jax.numpy.asarray(leaf, jax.numpy.float32)


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number found by drawing.

    Attributes:
        value: the mean of what was drawn.
        error: its standard error.
    """

    value: float
    error: float


def trace(
    f: Callable[..., Any], params: PyTree, args: Any = (), *, probes: int = 16, seed: int = 0
) -> Estimate:
    r"""The trace of the Hessian of f, the sum of all curvatures.

    The mean of $v^\top H v$ over vectors $v$ of random signs; exact where the Hessian is diagonal. Cost: one
    Hessian-vector product each probe.

    Args:
        f: what is differentiated.
        params: where.
        args: further arguments of f.
        probes: vectors drawn, two or more.
        seed: of the vectors.

    Raises:
        FalllineError: if the Hessian is not finite.

    Reference: Hutchinson, "A stochastic estimator of the trace of the influence matrix for Laplacian
    smoothing splines", Communications in Statistics 19 (1990).
    """
    keys = jax.random.split(jax.random.PRNGKey(seed), probes)
    drawn = np.asarray(_quadratic_forms(f, params, args, keys), float)
    if not np.isfinite(drawn).all():
        raise FalllineError("The Hessian is not finite at this point, so it has no trace.")
    return Estimate(float(drawn.mean()), float(drawn.std(ddof=1) / math.sqrt(probes)))


@functools.partial(jax.jit, static_argnames=("f",))
def _quadratic_forms(f: Any, params: PyTree, args: Any, keys: Array) -> Array:
    flat, restore = ravel_pytree(params)

    def form(key: Array) -> Array:
        v = restore(jax.random.rademacher(key, flat.shape, flat.dtype))
        return dot(v, hessian_vector_product(lambda p: f(p, *args), params, v))

    return lax.map(form, keys)


@dataclasses.dataclass(frozen=True)
class Density:
    """How the eigenvalues of a Hessian are spread.

    Attributes:
        values: places of the quadrature, ascending.
        weights: the share of the spectrum at each; they add up to 1.
        grid: places at which the density is given.
        density: the shares smeared by a Gaussian; its integral over the grid is 1.
    """

    values: np.ndarray
    weights: np.ndarray
    grid: np.ndarray
    density: np.ndarray


def spectral_density(
    f: Callable[..., Any],
    params: PyTree,
    args: Any = (),
    *,
    products: int = 30,
    probes: int = 4,
    seed: int = 0,
) -> Density:
    r"""The density of the Hessian's eigenvalues, by stochastic Lanczos quadrature.

    From a random vector, the Ritz values of Lanczos and the squared first entries of their vectors are a
    Gaussian quadrature of the spectrum as that vector sees it: moments up to $2 m - 1$ of $m$ products are
    right. The mean over vectors is unbiased. Smeared by Gaussians with a hundredth of the spectrum's width.
    Cost: ``products`` times ``probes`` Hessian-vector products; below 65 parameters the whole Hessian.

    Args:
        f: what is differentiated.
        params: where.
        args: further arguments of f.
        products: Lanczos steps of each probe.
        probes: starting vectors.
        seed: of the starting vectors.

    Raises:
        FalllineError: if the Hessian is not finite.

    Reference: Ghorbani, Krishnan & Xiao, "An investigation into neural net optimization via Hessian
    eigenvalue density", ICML 2019.
    """
    views: list[Any] = []
    for s in range(seed, seed + probes):
        views.append(eigenvalues(f, params, products=products, args=args, seed=s))
        if views[-1].exact:
            break
    values = np.concatenate([view.values for view in views]).astype(float)
    weights = np.concatenate([view.weights for view in views]).astype(float)
    order = np.argsort(values)
    values, weights = values[order], weights[order] / weights.sum()
    low, high = values[[0, -1]]
    width = _SMOOTHING * ((high - low) or abs(high) or 1.0)
    grid = np.linspace(low - 5 * width, high + 5 * width, _GRID)
    bells = np.exp(-0.5 * ((grid[:, None] - values) / width) ** 2)
    density = bells @ weights
    return Density(values, weights, grid, density / np.trapezoid(density, grid))


@dataclasses.dataclass(frozen=True)
class Condition:
    r"""How much steeper a bowl is along one direction than along another.

    Attributes:
        largest: the largest eigenvalue.
        smallest: the smallest positive one that can be told from 0; NaN if there is none.
        floor: eigenvalues up to this one cannot be told from 0.
        ratio: $\kappa$, the largest over the smallest.
        descent: $(\kappa - 1) / (\kappa + 1)$, the share of the distance to the minimum that is left after
            the best step of plain descent.
        momentum: $(\sqrt\kappa - 1) / (\sqrt\kappa + 1)$, the same for the best momentum.
        complete: were all eigenvalues found? Otherwise there may be smaller ones, and all three numbers are
            at least so large.
    """

    largest: float
    smallest: float
    floor: float
    ratio: float
    descent: float
    momentum: float
    complete: bool


def condition(
    f: Callable[..., Any],
    params: PyTree,
    args: Any = (),
    *,
    products: int = 40,
    seed: int = 0,
    divisor: PyTree = None,
) -> Condition:
    r"""The condition number of the Hessian among its positive eigenvalues, and the pace it allows.

    An eigenvalue can be told from 0 if it is larger than its own error and the rounding of the largest. Cost:
    up to ``products`` Hessian-vector products; below 65 parameters the whole Hessian.

    Args:
        f: what is differentiated.
        params: where.
        args: further arguments of f.
        products: Lanczos steps.
        seed: of the starting vector.
        divisor: the diagonal of an optimizer's $P$ (`fallline.optimizers.stability.linear`), a tree like the
            parameters, for the condition of $P^{-1/2} H P^{-1/2}$.

    Raises:
        FalllineError: if the Hessian is not finite.

    Reference: Goh, "Why momentum really works", Distill, 2017.
    """
    at = jax.tree.map(_precise, params)
    found = eigenvalues(f, at, products=products, args=args, seed=seed, divisor=divisor)
    values, errors = found.values.astype(float), found.errors.astype(float)
    size = ravel_pytree(params)[0].size
    rounding = float(np.finfo(found.values.dtype).eps) * math.sqrt(size) * 4
    floor = rounding * float(np.abs(values).max(initial=0.0))
    positive = values[values - errors > floor]
    smallest = float(positive[0]) if len(positive) else math.nan
    ratio = found.largest / smallest
    return Condition(
        largest=found.largest,
        smallest=smallest,
        floor=floor,
        ratio=ratio,
        descent=(ratio - 1) / (ratio + 1),
        momentum=(math.sqrt(ratio) - 1) / (math.sqrt(ratio) + 1),
        complete=found.exact or bool((errors <= floor).all()),
    )
