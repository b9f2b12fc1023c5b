"""One operation at a time: its contribution to the derivatives, and its local derivatives."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline.gradients.graph import words
from fallline.gradients.graph.parts import Local, Summary, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Rule = Callable[..., Any]

SMALL = 16
"""Up to so many elements on each side, a Jacobian is kept whole."""
LARGE = 1_000_000
"""Above so many elements a Jacobian is not computed at all."""


def differentiable(value: Any) -> bool:
    """Does this array have derivatives? Whole numbers, truth values and random keys do not."""
    return bool(jnp.issubdtype(jnp.result_type(value), jnp.inexact))


def double_precision() -> bool:
    """Does JAX compute in double precision here?"""
    return jnp.result_type(float) == jnp.float64


def to_numpy(value: Any) -> np.ndarray:
    """An array as NumPy's; a random key by its numbers."""
    if hasattr(value, "dtype") and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    return np.asarray(value)


def pullback(rule: Rule, values: Sequence[Any]) -> tuple[list[int], Callable[[Any], list[Any]]]:
    """Which inputs have derivatives, and the map from the output's cotangent to theirs."""
    chosen = [i for i, value in enumerate(values) if differentiable(value)]

    def of_chosen(*floats: Any) -> Any:
        given = list(values)
        for i, value in zip(chosen, floats, strict=True):
            given[i] = value
        return rule(*given)

    back: Any = jax.vjp(of_chosen, *(values[i] for i in chosen))[1]
    return chosen, lambda cotangent: list(back(cotangent))


def contributions(
    rule: Rule, values: Sequence[Any], upstream: np.ndarray, numbers: Sequence[np.ndarray | None]
) -> list[np.ndarray | None]:
    """What an operation adds to the derivative of each of its inputs.

    Args:
        rule: the operation.
        values: its inputs.
        upstream: the derivative of the output with respect to the operation's value.
        numbers: the local derivatives, where input and operation are both single numbers.
    """
    chosen, back = pullback(rule, values)
    found: list[np.ndarray | None] = [None] * len(values)
    for i, pulled in zip(chosen, back(jnp.asarray(upstream)), strict=True):
        contribution = to_numpy(pulled)
        local = numbers[i]
        if local is not None:
            # Between numbers the product itself is used, so that what is shown is what was
            # computed; unless the operation's own rule is no product (a clipped gradient, say) or
            # JAX counts an infinity times 0 as 0.
            with np.errstate(all="ignore"):
                product = np.asarray(upstream * local, contribution.dtype)
            tolerance = 1e-3 if contribution.dtype.itemsize < 4 else 1e-5
            if np.allclose(
                product.astype(complex), contribution.astype(complex), tolerance, 0, equal_nan=True
            ):
                contribution = product
        found[i] = contribution
    return found


def number_derivatives(rule: Rule, values: Sequence[Any], value: Any) -> list[np.ndarray | None]:
    """The local derivative for each input that is a number, of an operation that gives a number."""
    found: list[np.ndarray | None] = [None] * len(values)
    if jnp.ndim(value) == 0 and differentiable(value) and any(map(_is_number, values)):
        chosen, back = pullback(rule, values)
        pulled = back(jnp.ones((), jnp.result_type(value)))
        for i, derivative in zip(chosen, pulled, strict=True):
            if _is_number(values[i]):
                found[i] = to_numpy(derivative)
    return found


def _is_number(value: Any) -> bool:
    return jnp.ndim(value) == 0 and differentiable(value)


def local_derivatives(
    operation: str,
    primitive: str,
    facts: dict[str, Any],
    rule: Rule,
    inputs: Sequence[int],
    values: Sequence[Any],
    value: Any,
    numbers: Sequence[np.ndarray | None],
    *,
    double: bool,
) -> tuple[Local, ...]:
    """The local derivative with respect to each input, in the precision of the graph."""
    with jax.enable_x64(double):
        return tuple(
            _local(operation, primitive, facts, rule, identity, values, i, value, numbers[i])
            for i, identity in enumerate(inputs)
        )


def _local(
    operation: str,
    primitive: str,
    facts: dict[str, Any],
    rule: Rule,
    identity: int,
    values: Sequence[Any],
    position: int,
    value: Any,
    number: np.ndarray | None,
) -> Local:
    formula = words.formula(operation, facts, position)
    if primitive == "custom_vjp_call":
        formula = f"the own rule of {operation}"
    given = values[position]
    if not (differentiable(given) and differentiable(value)):
        return Local(identity, formula, "none", None, None)
    if number is not None:
        return Local(identity, formula, "number", number, summarise(number))

    def alone(x: Any) -> Any:
        return rule(*values[:position], x, *values[position + 1 :])

    if operation in words.ELEMENTWISE and primitive != "custom_vjp_call":
        derivative = to_numpy(jax.jvp(alone, (given,), (jnp.ones_like(given),))[1])
        return Local(identity, formula, "elementwise", derivative, summarise(derivative))
    rows, columns = jnp.size(value), jnp.size(given)
    whole = (*jnp.shape(value), *jnp.shape(given))
    if rows * columns > LARGE or rows * columns == 0:
        return Local(identity, formula, "summary", None, Summary(whole))
    _, back = pullback(alone, (given,))
    basis = jnp.eye(rows, dtype=jnp.result_type(value)).reshape(rows, *jnp.shape(value))
    derivative = to_numpy(jax.vmap(lambda row: back(row)[0])(basis)).reshape(whole)
    small = rows <= SMALL and columns <= SMALL
    return Local(
        identity,
        formula,
        "jacobian" if small else "summary",
        derivative if small else None,
        summarise(derivative),
    )


def silent() -> Any:
    """Room for values like 0/0, which are shown as NaN rather than stopped at."""
    stack = contextlib.ExitStack()
    stack.enter_context(jax.debug_nans(False))
    stack.enter_context(jax.debug_infs(False))
    stack.enter_context(np.errstate(all="ignore"))
    return stack
