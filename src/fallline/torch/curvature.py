"""Curvature of a PyTorch loss, by differentiating twice."""

from __future__ import annotations

import contextlib
import functools
import math
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from fallline.diagnosis.curvature import Sharpness
from fallline.errors import FalllineError
from fallline.optimizers import stability
from fallline.torch.library import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from fallline.optimizers.stability import Linear


def rule_of(optimizer: Any, state: Any) -> Linear | None:
    """How the optimizer steps on a quadratic; None where its rule, or what it remembers, is not known."""
    if optimizer is None or state is None:
        return None
    try:
        return stability.linear(optimizer, jax.tree.map(np.asarray, state))
    except FalllineError:
        return None


def sharpness(
    loss_function: Callable[[], Any],
    parameters: Sequence[Any],
    rule: Linear | None,
    products: int,
    penalties: Sequence[float],
) -> Sharpness:
    r"""The outermost eigenvalues of $P^{-1/2} (H + \Lambda) P^{-1/2}$, by Lanczos.

    $\Lambda$ is diagonal: weight decay inside the gradient, whose penalty is descended with the loss.

    A Hessian-vector product is the gradient of $g^\top v$; the first gradient's graph is kept, so that each
    costs about two gradients. Every new vector is made orthogonal twice to all before it. The error of a
    Ritz value is at most the last coupling times the last entry of its vector.

    Args:
        loss_function: recomputes the loss of one and the same batch.
        parameters: those that are trained.
        rule: see `rule_of`.
        products: Hessian-vector products at most.
        penalties: $\Lambda$, one number a parameter; see `fallline.torch.rules.penalties`.

    Raises:
        FalllineError: if the loss is not one number that can be differentiated twice, or not finite.

    References: Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6 (1994); Golub &
    Van Loan, "Matrix Computations", 4th ed., sections 10.1 and 10.3.
    """
    t = torch()
    kept = [p for p in parameters if p.requires_grad]
    if any(p.is_complex() for p in kept):
        raise FalllineError("The curvature of a loss of complex parameters is not measured.")
    with t.enable_grad():
        loss = loss_function()
        if not getattr(loss, "requires_grad", False) or loss.numel() != 1:
            raise FalllineError(
                "watch.curvature needs a function that recomputes the loss of one batch, one number that "
                "can be differentiated: watch.curvature(lambda: criterion(model(x), y))."
            )
        with _differentiable():
            slopes = t.autograd.grad(loss.reshape(()), kept, create_graph=True, allow_unused=True)
    used = [(p, g) for p, g in zip(kept, slopes, strict=True) if g is not None and g.requires_grad]
    if not used:
        raise FalllineError("This loss is linear in every parameter, so it has no curvature.")
    weights, slopes = zip(*used, strict=True)
    # Vectors in half precision would not stay orthogonal.
    kind = functools.reduce(t.promote_types, (p.dtype for p in weights), t.float32)
    scale = _scale(rule, parameters, weights, kind)
    decays = dict(zip(map(id, parameters), penalties, strict=True))
    decay = t.cat([t.full_like(p, decays[id(p)], dtype=kind).reshape(-1) for p in weights]).detach()

    def product(v: Any) -> Any:
        scaled = v.mul(scale)
        parts = scaled.split([p.numel() for p in weights])
        along = [part.view_as(p).to(p.dtype) for part, p in zip(parts, weights, strict=True)]
        with _differentiable():
            found = t.autograd.grad(slopes, weights, along, retain_graph=True, allow_unused=True)
        flat = [
            (t.zeros_like(p) if h is None else h.to_dense()).reshape(-1).to(kind)
            for h, p in zip(found, weights, strict=True)
        ]
        return t.cat(flat).addcmul(decay, scaled).mul(scale)

    size = sum(p.numel() for p in weights)
    draw = np.random.default_rng(0).normal(size=size)
    start = t.as_tensor(draw, dtype=kind, device=weights[0].device)
    values, vectors, errors, basis = _lanczos(product, start, min(products, size))
    direction = t.as_tensor(vectors[:, 0], dtype=basis.dtype, device=basis.device) @ basis
    direction = direction.mul(scale)
    limit = math.nan if rule is None else float(stability.limit_at(rule, float(values[-1])))
    return Sharpness(
        largest=float(values[-1]),
        smallest=float(values[0]),
        error=float(errors[1]),
        smallest_error=float(errors[0]),
        limit=limit,
        direction=(direction / direction.norm()).cpu().numpy(),
        products=len(values),
        preconditioned=rule is not None and rule.divisor is not None,
    )


@contextlib.contextmanager
def _differentiable() -> Generator[None]:
    """Say in a sentence that PyTorch cannot differentiate a loss, or not once more."""
    try:
        yield
    except RuntimeError as error:
        raise FalllineError(
            f"PyTorch cannot differentiate this loss twice: {str(error).partition(chr(10))[0]}"
        ) from None


def _scale(
    rule: Linear | None, parameters: Sequence[Any], weights: Sequence[Any], kind: Any
) -> Any:
    r"""The diagonal of $P^{-1/2}$, or 1."""
    if rule is None or rule.divisor is None:
        return 1.0
    divisors = dict(zip(map(id, parameters), rule.divisor, strict=True))
    flat = np.concatenate([np.asarray(divisors[id(p)], np.float64).ravel() for p in weights])
    root = 1 / np.sqrt(np.maximum(flat, np.finfo(np.float32).tiny))
    return torch().as_tensor(root, dtype=kind, device=weights[0].device)


def _lanczos(product: Callable[[Any], Any], start: Any, products: int) -> Any:
    """Ritz values, their vectors in the basis, the errors of the outermost, and the basis, (products, d)."""
    t = torch()
    basis = t.zeros((products, start.numel()), dtype=start.dtype, device=start.device)
    v = start / start.norm()
    alphas: list[float] = []
    betas: list[float] = []
    for k in range(products):
        basis[k] = v
        w = product(v)
        alphas.append(float(t.dot(w, v)))
        for _ in range(2):
            w = w - basis[: k + 1].T @ (basis[: k + 1] @ w)
        betas.append(float(w.norm()))
        if not math.isfinite(alphas[-1] + betas[-1]):
            raise FalllineError(
                "The Hessian is not finite at this point, so it has no eigenvalues."
            )
        # A space exhausted early: what comes after it tells nothing new.
        if betas[-1] <= 1e-6 * (max(map(abs, alphas)) + max(betas)):
            break
        v = w / betas[-1]
    count = len(alphas)
    matrix = np.diag(alphas) + np.diag(betas[: count - 1], 1) + np.diag(betas[: count - 1], -1)
    values, vectors = np.linalg.eigh(matrix)
    errors = np.abs(betas[-1] * vectors[-1, [0, -1]])
    return values, vectors, errors, basis[:count]
