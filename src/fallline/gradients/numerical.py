r"""Derivatives by finite differences, each with an estimate of its own error.

They need nothing but values of the function, so they work for any function and are the independent
truth that a gradient is checked against. Two errors pull in opposite directions: the *truncation* of
Taylor's series grows with the step $h$, the *round-off* of the two values subtracted grows with $1/h$.
Each method has a rule for the step where both are about equal; $\epsilon$ is the spacing of the numbers
that the function returns, 2.2e-16 in double precision.

The function is called with concrete float64 numbers, under ``jax.enable_x64``, and is never traced.

Reference: Nocedal & Wright, "Numerical Optimization", 2nd ed., section 8.1.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline.errors import FalllineError, lookup
from fallline.gradients.differences import (
    METHODS,
    VALUES,
    beside,
    coordinate,
    measure,
    second_difference,
    step_size,
)
from fallline.gradients.point import Function, Point, bare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import PyTree

    Values = np.ndarray


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A derivative measured by differences.

    Attributes:
        value: the derivative: a number, an array, or a tree like x.
        error: how far it may be from the truth, of the same shape: the change from another step, plus
            the round-off. An estimate, not a bound.
        h: the step used, for each coordinate of x; of Richardson's table the smallest one that the
            value rests on.
        evaluations: how often the function was called.
    """

    value: Any
    error: Any
    h: Any
    evaluations: int

    def __float__(self) -> float:
        return float(self.value)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.value, dtype=dtype)


def derivative(
    f: Callable[..., Any], x: Any, *, method: str = "central", h: float | None = None
) -> Estimate:
    r"""The derivative of a function of one number, or of each number of an array by itself.

    Forward $(f(x+h) - f(x)) / h$, central $(f(x+h) - f(x-h)) / 2h$, or Richardson's extrapolation of
    central differences to $h = 0$.

    Args:
        f: takes a number and gives one; or works on each number of an array by itself.
        x: where: a number, or an array of any shape.
        method: "forward" ($h = \epsilon^{1/2} \max(1, |x|)$), "central" ($\epsilon^{1/3}$), or
            "richardson", which starts at 0.1 and needs some 20 calls for nearly every digit.
        h: the step instead of the rule's; Richardson's first.

    Returns:
        The derivative, of x's shape.

    Raises:
        FalllineError: if x, h or f's values do not fit.

    Reference: Nocedal & Wright, section 8.1; Ridders, "Accurate computation of F'(x) and F'(x)
    F''(x)", Advances in Engineering Software 4(2), 1982.
    """
    point = Point(x)
    where = point.single
    function = Function(f, point)
    if function.here.shape != where.shape:
        raise FalllineError(
            f"derivative needs a function that gives the shape of x, {where.shape}; it gave "
            f"{function.here.shape}: use gradient for one number, jacobian for several."
        )
    value, error, step = measure(
        lambda position: function([np.asarray(position)]),
        where,
        function,
        method=method,
        h=h,
        name="x",
    )
    return Estimate(bare(value), bare(error), bare(step), function.evaluations)


def partial_derivative(
    f: Callable[..., Any],
    x: PyTree,
    index: Any,
    *,
    method: str = "central",
    h: float | None = None,
) -> Estimate:
    r"""The derivative along one coordinate, $\partial f / \partial x_i$, the others held still.

    Args:
        f: takes x and gives one number.
        x: an array, a list of numbers, or a tree of arrays.
        index: of the number in the array: ``2`` or ``(0, 1)``; in a tree ``("weights", (0, 1))``.
        method: as for `derivative`.
        h: the step instead of the rule's.

    Returns:
        The derivative, a number.

    Raises:
        FalllineError: if there is no such coordinate, or as for `derivative`.
    """
    point = Point(x)
    place, within = point.coordinate(index)
    function = Function(f, point, scalar=True)
    found = coordinate(function, place, within, method, h)
    value, error, step = map(bare, found)
    return Estimate(value, error, step, function.evaluations)


def gradient(
    f: Callable[..., Any], x: PyTree, *, method: str = "central", h: float | None = None
) -> Estimate:
    r"""The gradient $\nabla f$, one coordinate after the other.

    It costs 4 calls a coordinate (central; two of them for the error), which is why one trains with
    `jax.grad` and uses this to check it.

    Args:
        f: takes x and gives one number.
        x: a number, an array of any shape, or a tree of them.
        method: as for `derivative`.
        h: the step instead of the rule's, for every coordinate.

    Returns:
        The gradient, a tree like x of float64.

    Raises:
        FalllineError: as for `derivative`.
    """
    point = Point(x)
    function = Function(f, point, scalar=True)
    parts = [[np.zeros_like(leaf) for leaf in point.leaves] for _ in range(3)]
    for place, leaf in enumerate(point.leaves):
        for index in np.ndindex(leaf.shape):
            found = coordinate(function, place, index, method, h)
            for part, number in zip(parts, found, strict=True):
                part[place][index] = number
    value, error, step = map(point.build, parts)
    return Estimate(value, error, step, function.evaluations)


def jacobian(
    f: Callable[..., Any], x: Any, *, method: str = "central", h: float | None = None
) -> Estimate:
    r"""All first derivatives $\partial f_i / \partial x_j$ of a function from array to array.

    Args:
        f: takes x and gives an array of any shape.
        x: a number or an array of any shape.
        method: as for `derivative`.
        h: the step instead of the rule's, for every coordinate.

    Returns:
        The Jacobian, of shape (*f_shape, *x_shape); its h has x's shape.

    Raises:
        FalllineError: as for `derivative`.
    """
    point = Point(x)
    leaf = point.single
    function = Function(f, point)
    values = np.zeros((*function.here.shape, *leaf.shape))
    errors, steps = np.zeros_like(values), np.zeros_like(leaf)
    for index in np.ndindex(leaf.shape):
        column = (..., *index)
        values[column], errors[column], step = coordinate(function, 0, index, method, h)
        steps[index] = np.min(step, initial=np.inf)
    return Estimate(bare(values), bare(errors), bare(steps), function.evaluations)


def hessian(f: Callable[..., Any], x: Any, *, h: float | None = None) -> Estimate:
    r"""All second derivatives of a function that gives one number, by central differences.

    $$\frac{\partial^2 f}{\partial x_i \partial x_j} \approx
    \frac{f_{++} - f_{+-} - f_{-+} + f_{--}}{4 h_i h_j}, \qquad
    \frac{\partial^2 f}{\partial x_i^2} \approx \frac{f_+ - 2 f + f_-}{h_i^2}$$

    Args:
        f: takes x and gives one number.
        x: a number or an array of any shape.
        h: the step instead of $\epsilon^{1/4} \max(1, |x_i|)$.

    Returns:
        The Hessian, symmetric, of shape (*x_shape, *x_shape); about 8 digits on smooth functions.

    Raises:
        FalllineError: as for `derivative`.

    Reference: Nocedal & Wright, section 8.1, "Approximating the Hessian".
    """
    point = Point(x)
    leaf = point.single
    function = Function(f, point, scalar=True)
    steps: Any = np.broadcast_to(step_size(leaf, function.spacing, 1 / 4, h), leaf.shape)
    indices = list(np.ndindex(leaf.shape))
    n = len(indices)
    values, errors = np.zeros((n, n)), np.zeros((n, n))
    for i, a in enumerate(indices):
        for j, b in enumerate(indices[: i + 1]):
            fine, size = second_difference(function, a, b, steps[a], steps[b])
            coarse, _ = second_difference(function, a, b, 2 * steps[a], 2 * steps[b])
            if not (math.isfinite(fine) and math.isfinite(coarse)):
                raise FalllineError(beside(point.name(0, a), float(leaf[a]), 2 * float(steps[a])))
            rounding = 4 * function.spacing * size / (steps[a] * steps[b])
            values[i, j] = values[j, i] = fine
            errors[i, j] = errors[j, i] = abs(fine - coarse) / 3 + rounding
    shape = 2 * leaf.shape
    return Estimate(
        bare(values.reshape(shape)),
        bare(errors.reshape(shape)),
        bare(steps.copy()),
        function.evaluations,
    )


@dataclasses.dataclass(frozen=True)
class ErrorCurve:
    """How the error of a difference depends on its step.

    Attributes:
        x: where.
        exact: the derivative that the errors are measured against.
        source: where that came from: "given", "jax.grad" or "richardson".
        h: the steps, falling, shape (n,).
        errors: by method, the absolute errors, shape (n,); NaN where the function has no value.
        best: by method, the step of the least error.
        rule: by method, the step that its rule takes.
    """

    x: float
    exact: float
    source: str
    h: np.ndarray
    errors: dict[str, np.ndarray]
    best: dict[str, float]
    rule: dict[str, float]


def error_against_h(
    f: Callable[..., Any],
    x: float,
    exact: float | Callable[[float], Any] | None = None,
    methods: Sequence[str] = ("forward", "central"),
    h: Sequence[float] | np.ndarray | None = None,
) -> ErrorCurve:
    r"""Measure truncation against round-off: the error of a difference at many steps.

    On logarithmic axes the truncation is a line of slope 1 (forward) or 2 (central) and the round-off
    one of slope -1; the rule's step lies near where they meet.

    Args:
        f: takes a number and gives one.
        x: where, a number.
        exact: the derivative there, or a function that gives it; otherwise that of `jax.grad` in
            float64 if f can be traced, or else Richardson's value.
        methods: of `METHODS`.
        h: the steps; otherwise four a decade from 1e-1 to 1e-16.

    Returns:
        The errors.

    Raises:
        FalllineError: as for `derivative`.
    """
    point = Point(x)
    where = point.single
    if where.ndim:
        raise FalllineError(
            f"error_against_h needs x as one number; it has the shape {where.shape}."
        )
    for method in methods:
        lookup("method", METHODS, method)
    function = Function(f, point, scalar=True)
    steps = np.logspace(-1, -16, 61) if h is None else np.asarray(h, np.float64).ravel()
    if not steps.size or not (np.isfinite(steps) & (steps > 0)).all():
        raise FalllineError("The steps h must be numbers above 0.")
    true, source = _exact(f, x, exact)

    def shifted(position: Any) -> Values:
        return function([np.asarray(position)])

    errors: dict[str, np.ndarray] = {}
    for method in methods:
        found = [VALUES[method](shifted, where, function, step)[0] for step in steps]
        errors[method] = np.abs(np.array(found, np.float64).reshape(-1) - true)
    best: dict[str, float] = {}
    for method, error in errors.items():
        known = np.isfinite(error).any()
        best[method] = float(steps[np.nanargmin(error)]) if known else math.nan
    rule = {m: float(step_size(where, function.spacing, METHODS[m], None)) for m in methods}
    return ErrorCurve(float(where), true, source, steps, errors, best, rule)


@dataclasses.dataclass(frozen=True)
class TangentLine:
    r"""The straight line that touches a curve: $y + m\,(t - x)$.

    Attributes:
        x: where it touches.
        y: the function's value there.
        slope: $m$, the derivative there.
    """

    x: float
    y: float
    slope: float

    def __call__(self, t: Any) -> Any:
        """The height of the line at t, a number or an array."""
        return self.y + self.slope * (t - self.x)

    @property
    def intercept(self) -> float:
        """The height of the line at 0."""
        return self.y - self.slope * self.x

    def __str__(self) -> str:
        sign = "-" if self.intercept < 0 else "+"
        return f"y = {self.slope:.6g} x {sign} {abs(self.intercept):.6g}"


def tangent_line(
    f: Callable[..., Any], x: float, *, method: str = "central", h: float | None = None
) -> TangentLine:
    """The tangent of a function's curve at x.

    >>> print(tangent_line(lambda x: x**2, 3.0))
    y = 6 x - 9

    Args:
        f: takes a number and gives one.
        x: where, a number.
        method: as for `derivative`.
        h: as for `derivative`.

    Raises:
        FalllineError: as for `derivative`.
    """
    point = Point(x)
    if point.single.ndim:
        raise FalllineError(f"A tangent needs x as one number; it has the shape {np.shape(x)}.")
    function = Function(f, point, scalar=True)
    slope = coordinate(function, 0, (), method, h)[0]
    return TangentLine(float(point.single), float(function.here), float(slope))


def _exact(f: Callable[..., Any], x: float, exact: Any) -> tuple[float, str]:
    if exact is not None:
        value: Any = exact(float(x)) if callable(exact) else exact
        return float(value), "given"
    try:
        with jax.enable_x64(True):
            value = float(jax.grad(f)(jnp.asarray(float(x))))
    except Exception:
        # Whatever a plain function says to a tracer: it cannot be traced.
        value = math.nan
    if math.isfinite(value):
        return value, "jax.grad"
    return float(derivative(f, float(x), method="richardson")), "richardson"
