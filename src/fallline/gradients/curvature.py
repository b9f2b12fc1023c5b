r"""Curvature: Hessian-vector products, and the eigenvalues of the Hessian, all or the outermost.

A Hessian-vector product costs two to three gradients whatever the dimension, so the outermost eigenvalues
of a Hessian that could never be written down are found by multiplying with it a few dozen times.
"""

from __future__ import annotations

import contextlib
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
    from collections.abc import Callable, Generator

    from jaxtyping import Array, PyTree

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
    """Eigenvalues of a Hessian, or of a Hessian between two roots of a preconditioner.

    Attributes:
        values: ascending; all of them, (d,), where ``exact``, else Lanczos' Ritz values, (products,), of
            which the outermost are near eigenvalues.
        errors: how far each of them may be from an eigenvalue.
        weights: of each value in the spectrum, as the starting vector sees it; they add up to 1.
        direction: the unit vector along which the curvature is smallest, a tree like the point.
        exact: is this the whole spectrum, or Lanczos' view of it?
        products: Hessian-vector products spent.
        top: unit vectors of the largest eigenvalues, the largest first, as many as were asked for; trees like
            the point.
    """

    values: np.ndarray
    errors: np.ndarray
    weights: np.ndarray
    direction: PyTree
    exact: bool
    products: int
    top: tuple[PyTree, ...] = ()

    @property
    def error(self) -> np.ndarray:
        """How far the smallest and the largest may each be from an eigenvalue; (2,)."""
        return self.errors[[0, -1]]

    @property
    def smallest(self) -> float:
        """The smallest eigenvalue."""
        return float(self.values[0])

    @property
    def largest(self) -> float:
        """The largest eigenvalue."""
        return float(self.values[-1])


def eigenvalues(
    f: Callable[..., Any],
    x: PyTree,
    *,
    products: int = 40,
    args: Any = (),
    seed: int = 0,
    divisor: PyTree = None,
    top: int = 0,
) -> Eigenvalues:
    r"""The eigenvalues of the Hessian of f at x: all below 65 dimensions, else the outermost ones.

    Large Hessians are met by the Lanczos iteration from a random vector, every new vector made orthogonal
    twice to all before it. The error of a Ritz value $\theta$ with vector $y$ is at most
    $\|H y - \theta y\|$, and rounding; the outermost converge first. A starting vector exactly orthogonal to
    the wanted one would miss it, which has probability 0.

    Args:
        f: a JAX function of a tree, and of ``args``, giving one number.
        x: where, any tree of arrays.
        products: Lanczos steps, each one Hessian-vector product.
        args: further arguments of f.
        seed: of the starting vector.
        divisor: the diagonal of $P$, a tree like x, if the eigenvalues of $P^{-1/2} H P^{-1/2}$ are wanted;
            the direction is then that of x which belongs to the smallest, $P^{-1/2}$ times its eigenvector.
        top: of how many of the largest eigenvalues the vectors are wanted, too.

    Raises:
        FalllineError: if the Hessian at x is not finite, or JAX cannot differentiate f twice.

    Reference: Golub & Van Loan, "Matrix Computations", 4th ed., sections 10.1 and 10.3.
    """
    # By NumPy, not `ravel_pytree`, which compiles a program for every shape of a leaf.
    leaves, structure = jax.tree.flatten(x)
    kind = jnp.result_type(*leaves)
    size = sum(int(np.size(leaf)) for leaf in leaves)
    exact = size < EXACT_BELOW
    if exact:
        with twice_differentiable():
            values, vectors = map(np.asarray, _spectrum(f, x, args, divisor))
        products = size
        vectors = vectors[:, _ends(products, top)]
        bound = np.finfo(values.dtype).eps * products * np.abs(values).max(initial=0.0)
        errors, weights = np.full_like(values, bound), np.full_like(values, 1 / max(products, 1))
    else:
        products = min(products, size)
        with twice_differentiable():
            found = _lanczos(f, x, args, np.uint32(seed % 2**32), divisor, products=products)
        alphas, betas, basis = map(np.asarray, found)
        # A space exhausted early leaves a coupling of 0: what comes after it tells nothing new.
        scale = np.abs(alphas).max() + np.abs(betas).max()
        spent = np.flatnonzero(betas <= 1e-6 * scale)
        products = int(spent[0]) + 1 if len(spent) else products
        alphas, betas, basis = alphas[:products], betas[:products], basis[:products]
        matrix = np.diag(alphas) + np.diag(betas[:-1], 1) + np.diag(betas[:-1], -1)
        finite = np.isfinite(matrix).all()
        values, small = np.linalg.eigh(matrix if finite else np.zeros_like(matrix))
        values = values if finite else np.full_like(values, np.nan)
        rounding = np.finfo(values.dtype).eps * np.abs(values).max()
        errors, weights = np.abs(betas[-1] * small[-1]) + rounding, small[0] ** 2
        vectors = basis.T @ small[:, _ends(products, top)]
    if not np.isfinite(values).all():
        raise FalllineError("The Hessian is not finite at this point, so it has no eigenvalues.")
    directions: list[PyTree] = []
    for vector in vectors.T.astype(float):
        along = vector if divisor is None else vector * np.asarray(_inverse_root(divisor), float)
        along = (along / np.linalg.norm(along)).astype(kind)
        parts = np.split(along, np.cumsum([np.size(leaf) for leaf in leaves])[:-1])
        shaped = [
            part.reshape(np.shape(leaf)).astype(jnp.result_type(leaf))
            for part, leaf in zip(parts, leaves, strict=True)
        ]
        directions.append(jax.tree.unflatten(structure, shaped))
    return Eigenvalues(
        values, errors, weights, directions[0], exact, products, tuple(directions[1:])
    )


def _ends(count: int, top: int) -> list[int]:
    """The place of the smallest of some ascending values, then those of the largest, the largest first."""
    return [0, *range(count - 1, count - 1 - min(top, count), -1)]


@contextlib.contextmanager
def twice_differentiable() -> Generator[None]:
    """Say in a sentence that a function's own derivative rule stands in the way of a second derivative.

    Raises:
        FalllineError: in place of the error that JAX raises for a ``custom_vjp``.
    """
    try:
        yield
    except TypeError as error:
        if "custom_vjp" not in str(error):
            raise
        raise FalllineError(
            "The function has no curvature that JAX could compute: a derivative rule of its own (custom_vjp) "
            "cannot be differentiated again."
        ) from None


def _inverse_root(divisor: PyTree) -> Array:
    """The diagonal of $P^{-1/2}$, finite where P has seen no gradient at all."""
    flat = ravel_pytree(divisor)[0]
    return lax.rsqrt(jnp.maximum(flat, jnp.finfo(flat.dtype).tiny))


@functools.partial(jax.jit, static_argnames=("f",))
def _spectrum(f: Any, x: PyTree, args: Any, divisor: PyTree) -> tuple[Array, Array]:
    flat, restore = ravel_pytree(x)
    hessian = jax.hessian(lambda p: f(restore(p), *args))(flat)
    if divisor is not None:
        scale = _inverse_root(divisor)
        hessian = scale[:, None] * hessian * scale
    return jnp.linalg.eigh(hessian)


@functools.partial(jax.jit, static_argnames=("f", "products"))
def _lanczos(
    f: Any, x: PyTree, args: Any, seed: Any, divisor: PyTree, *, products: int
) -> tuple[Array, Array, Array]:
    """The diagonal, the couplings (the last one leads out) and the basis, (products, d)."""
    flat, restore = ravel_pytree(x)
    start = jax.random.normal(jax.random.PRNGKey(seed), flat.shape, flat.dtype)
    slope = jax.grad(lambda p: f(restore(p), *args))
    scale = None if divisor is None else _inverse_root(divisor)

    def product(v: Array) -> Array:
        if scale is None:
            return jax.jvp(slope, (flat,), (v,))[1]
        return scale * jax.jvp(slope, (flat,), (scale * v,))[1]

    def step(
        carry: tuple[Array, Array], k: Array
    ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        basis, v = carry
        basis = basis.at[k].set(v)
        w = product(v)
        alpha = jnp.vdot(w, v)
        for _ in range(2):
            w = w - basis.T @ (basis @ w)
        beta = jnp.linalg.norm(w)
        return (basis, w / jnp.where(beta > 0, beta, 1.0)), (alpha, beta)

    empty = jnp.zeros((products, flat.size), flat.dtype)
    first = start / jnp.linalg.norm(start)
    (basis, _), (alphas, betas) = lax.scan(step, (empty, first), jnp.arange(products))
    return alphas, betas, basis
