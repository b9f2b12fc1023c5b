r"""Curvature: Hessian-vector products, and the eigenvalues of the Hessian, all or the outermost.

A Hessian-vector product costs two to three gradients whatever the dimension, so the outermost eigenvalues
of a Hessian that could never be written down are found by multiplying with it a few dozen times.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree

from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array, Float, PyTree

EXACT_BELOW = 65
"""Below this dimension the whole Hessian is written down."""


def hessian_vector_product(f: Callable[[PyTree], Any], x: PyTree, v: PyTree) -> PyTree:
    r"""$\nabla^2 f(x)\, v$ without the Hessian: the derivative of the gradient along v.

    Args:
        f: a JAX function of a tree, giving one number.
        x: where, any tree of arrays.
        v: a tree like x.

    Returns:
        A tree like x.

    Reference: Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6 (1994).
    """
    return jax.jvp(jax.grad(f), (x,), (v,))[1]


@dataclasses.dataclass(frozen=True)
class Eigenvalues:
    """Eigenvalues of a Hessian.

    Attributes:
        values: ascending; all of them, (d,), where ``exact``, else Lanczos' Ritz values, (products,), of
            which the outermost are near eigenvalues.
        error: how far the smallest and the largest may each be from an eigenvalue; (2,).
        direction: the unit vector along which the curvature is smallest, a tree like the point.
        exact: is this the whole spectrum, or Lanczos' view of it?
        products: Hessian-vector products spent.
    """

    values: np.ndarray
    error: np.ndarray
    direction: PyTree
    exact: bool
    products: int

    @property
    def smallest(self) -> float:
        """The smallest eigenvalue."""
        return float(self.values[0])

    @property
    def largest(self) -> float:
        """The largest eigenvalue."""
        return float(self.values[-1])


def eigenvalues(
    f: Callable[..., Any], x: PyTree, *, products: int = 40, args: Any = (), seed: int = 0
) -> Eigenvalues:
    r"""The eigenvalues of the Hessian of f at x: all below 65 dimensions, else the outermost ones.

    Large Hessians are met by the Lanczos iteration from a random vector, every new vector made orthogonal
    twice to all before it. The error of a Ritz value $\theta$ with vector $y$ is at most
    $\|H y - \theta y\|$; the outermost converge first. A starting vector exactly orthogonal to the wanted
    one would miss it, which has probability 0.

    Args:
        f: a JAX function of a tree, and of ``args``, giving one number.
        x: where, any tree of arrays.
        products: Lanczos steps, each one Hessian-vector product.
        args: further arguments of f.
        seed: of the starting vector.

    Raises:
        FalllineError: if the Hessian at x is not finite.

    Reference: Golub & Van Loan, "Matrix Computations", 4th ed., sections 10.1 and 10.3.
    """
    flat, restore = ravel_pytree(x)
    exact = flat.size < EXACT_BELOW
    if exact:
        values, vectors = map(np.asarray, _spectrum(f, x, args))
        products = flat.size
        bound = np.finfo(values.dtype).eps * products * np.abs(values).max(initial=0.0)
        errors = np.array([bound, bound])
    else:
        start = jax.random.normal(jax.random.PRNGKey(seed), flat.shape, flat.dtype)
        products = min(products, flat.size)
        alphas, betas, basis = map(np.asarray, _lanczos(f, x, args, start, products=products))
        # A space exhausted early leaves a coupling of 0: what comes after it tells nothing new.
        scale = np.abs(alphas).max() + np.abs(betas).max()
        spent = np.flatnonzero(betas <= 1e-6 * scale)
        products = int(spent[0]) + 1 if len(spent) else products
        alphas, betas, basis = alphas[:products], betas[:products], basis[:products]
        matrix = np.diag(alphas) + np.diag(betas[:-1], 1) + np.diag(betas[:-1], -1)
        finite = np.isfinite(matrix).all()
        values, small = np.linalg.eigh(matrix if finite else np.zeros_like(matrix))
        values = values if finite else np.full_like(values, np.nan)
        errors = np.abs(betas[-1] * small[-1, [0, -1]])
        vectors = basis.T @ small
    if not np.isfinite(values).all():
        raise FalllineError("The Hessian is not finite at this point, so it has no eigenvalues.")
    direction = vectors[:, 0] / np.linalg.norm(vectors[:, 0])
    return Eigenvalues(values, errors, restore(jnp.asarray(direction, flat.dtype)), exact, products)


@functools.partial(jax.jit, static_argnames=("f",))
def _spectrum(f: Any, x: PyTree, args: Any) -> tuple[Array, Array]:
    flat, restore = ravel_pytree(x)
    return jnp.linalg.eigh(jax.hessian(lambda p: f(restore(p), *args))(flat))


@functools.partial(jax.jit, static_argnames=("f", "products"))
def _lanczos(
    f: Any, x: PyTree, args: Any, start: Float[Array, " d"], *, products: int
) -> tuple[Array, Array, Array]:
    """The diagonal, the couplings (the last one leads out) and the basis, (products, d)."""
    flat, restore = ravel_pytree(x)
    slope = jax.grad(lambda p: f(restore(p), *args))

    def step(
        carry: tuple[Array, Array], k: Array
    ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        basis, v = carry
        basis = basis.at[k].set(v)
        w = jax.jvp(slope, (flat,), (v,))[1]
        alpha = jnp.vdot(w, v)
        for _ in range(2):
            w = w - basis.T @ (basis @ w)
        beta = jnp.linalg.norm(w)
        return (basis, w / jnp.where(beta > 0, beta, 1.0)), (alpha, beta)

    empty = jnp.zeros((products, flat.size), flat.dtype)
    first = start / jnp.linalg.norm(start)
    (basis, _), (alphas, betas) = lax.scan(step, (empty, first), jnp.arange(products))
    return alphas, betas, basis
