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
import numbers
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline import tree
from fallline.errors import FalllineError, lookup

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import PyTree

    Values = np.ndarray

METHODS = {"forward": 1 / 2, "central": 1 / 3, "richardson": None}
"""The power of epsilon that each method's step is; Richardson's starts large and shrinks."""
_FIRST, _RATIO, _ROWS = 0.1, 1.8, 14
DOUBLE = float(np.finfo(np.float64).eps)


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


class Point:
    """Where to differentiate: the leaves of x as float64, their names, and the way back to a tree.

    A list or tuple of plain numbers is a vector; every other container is a tree of leaves.
    """

    def __init__(self, x: PyTree) -> None:
        x = _vector(x)
        leaves, self.structure = jax.tree.flatten(x)
        self.names = tree.names(x)
        self.from_jax = any(isinstance(leaf, jax.Array) for leaf in leaves)
        self.leaves = [_float64(leaf, n) for leaf, n in zip(leaves, self.names, strict=True)]
        if not sum(leaf.size for leaf in self.leaves):
            raise FalllineError("There is nothing to differentiate: x holds no numbers.")

    @property
    def single(self) -> Values:
        """The one array that x is.

        Raises:
            FalllineError: if it is a tree.
        """
        if not jax.tree_util.treedef_is_leaf(self.structure):
            raise FalllineError(
                f"This derivative needs x as a number or an array, not a tree of {len(self.leaves)} "
                "leaves: take gradient, or partial_derivative of one leaf."
            )
        return self.leaves[0]

    def build(self, leaves: Sequence[Any]) -> PyTree:
        """A tree like x of these leaves; arrays without a shape become numbers."""
        return jax.tree.unflatten(self.structure, [_bare(leaf) for leaf in leaves])

    def coordinate(self, index: Any) -> tuple[int, tuple[int, ...]]:
        """Which leaf and which of its numbers an index means.

        Raises:
            FalllineError: if there is no such leaf or number.
        """
        place = 0
        if not jax.tree_util.treedef_is_leaf(self.structure):
            parts: Any = (index, ()) if isinstance(index, str) else index
            if not (isinstance(parts, tuple) and len(parts) == 2 and isinstance(parts[0], str)):
                raise FalllineError(
                    "x is a tree, so that a coordinate is (leaf name, index), such as "
                    f"({self.names[0]!r}, 0); it was given {index!r}."
                )
            leaves = {name: i for i, name in enumerate(self.names)}
            place, index = lookup("leaf", leaves, parts[0]), parts[1]
        shape = self.leaves[place].shape
        within: Any = index if isinstance(index, tuple) else (index,)
        whole = all(isinstance(i, (int, np.integer)) for i in within)
        if (
            not whole
            or len(within) != len(shape)
            or not all(-n <= i < n for i, n in zip(within, shape, strict=True))
        ):
            raise FalllineError(
                f"{self.names[place]} has the shape {shape}; {index!r} is no index of one of its "
                "numbers."
            )
        return place, tuple(int(i) % n for i, n in zip(within, shape, strict=True))

    def name(self, place: int, index: Sequence[Any]) -> str:
        """``weights[0, 1]``."""
        inner = ", ".join(str(int(i)) for i in index)
        return f"{self.names[place]}[{inner}]" if inner else self.names[place]


class Function:
    """A user's function at points near one: counted, in float64, its values checked.

    Attributes:
        here: its value at the point.
        spacing: epsilon of the numbers that it returns.
        integer: does it return whole numbers?
        evaluations: how often it was called.
    """

    def __init__(self, f: Callable[..., Any], point: Point, *, scalar: bool = False) -> None:
        if not callable(f):
            raise FalllineError(f"f must be a function; it was given {type(f).__name__}.")
        self.f, self.point = f, point
        self.evaluations = 0
        self.spacing, self.integer = DOUBLE, False
        self.as_jax = point.from_jax
        self.here = self._first()
        if scalar and self.here.ndim:
            raise FalllineError(
                "This derivative needs a function that gives one number; it gave the shape "
                f"{self.here.shape}: take its mean or sum, or use jacobian."
            )
        wrong = np.argwhere(~np.isfinite(self.here))
        if len(wrong):
            where = f"[{', '.join(map(str, wrong[0]))}]" if self.here.ndim else ""
            value = self.here[tuple(wrong[0])]
            raise FalllineError(f"f(x){where} is {value}: there is no derivative at this x.")

    def _first(self) -> Values:
        """The value at the point, called with the kind of array that the function takes."""
        leaves = self.point.leaves
        try:
            return self._call(leaves)
        except FalllineError:
            raise
        except Exception:
            # NumPy's arrays lack what JAX's have (x.at, an index that is traced), and JAX's cannot be
            # written into. What a function wants shows only when it is called.
            self.as_jax = not self.as_jax
            try:
                return self._call(leaves)
            except Exception:
                self.as_jax = not self.as_jax
            raise

    def _call(self, leaves: Sequence[Values]) -> Values:
        self.evaluations += 1
        with jax.enable_x64(True), np.errstate(all="ignore"):
            out = self.f(convert(self.point, leaves, as_jax=self.as_jax))
            try:
                array = np.asarray(out)
            except (TypeError, ValueError):
                array = np.asarray(None)
        dtype = array.dtype
        if jnp.issubdtype(dtype, jnp.complexfloating):
            raise FalllineError("f must give real numbers; it gave complex ones: take a part.")
        self.integer = jnp.issubdtype(dtype, jnp.integer)
        if not (self.integer or jnp.issubdtype(dtype, jnp.floating)):
            kind = type(out).__name__ if dtype.kind == "O" else str(dtype)
            raise FalllineError(f"f must give a number or an array of numbers; it gave {kind}.")
        if not self.integer:
            self.spacing = max(float(jnp.finfo(dtype).eps), self.spacing)
        return array.astype(np.float64)

    def __call__(self, leaves: Sequence[Values]) -> Values:
        """The value elsewhere; NaN where the function says by an exception that there is none."""
        try:
            values = self._call(leaves)
        except (ArithmeticError, ValueError):
            return np.full_like(self.here, np.nan)
        if values.shape != self.here.shape:
            raise FalllineError(
                f"f gave the shape {self.here.shape} at x and {values.shape} beside it; a derivative "
                "needs one shape everywhere."
            )
        return values

    def at(self, changes: dict[tuple[int, tuple[int, ...]], float]) -> Values:
        """The value with some coordinates of x replaced."""
        leaves = list(self.point.leaves)
        for place in {place for place, _ in changes}:
            leaves[place] = leaves[place].copy()
        for (place, index), number in changes.items():
            leaves[place][index] = number
        return self(leaves)

    def along(self, place: int, index: tuple[int, ...]) -> Callable[[Any], Values]:
        """The value as a function of one coordinate alone."""
        return lambda position: self.at({(place, index): position})


def convert(point: Point, leaves: Sequence[Values], *, as_jax: bool) -> PyTree:
    """A tree like x that a function may be called with: copies, since it might write into them."""
    kind: Any = jnp.array if as_jax else np.array
    return point.build([kind(leaf) for leaf in leaves])


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
    return Estimate(_bare(value), _bare(error), _bare(step), function.evaluations)


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
    found = _coordinate(function, place, within, method, h)
    value, error, step = map(_bare, found)
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
            found = _coordinate(function, place, index, method, h)
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
        values[column], errors[column], step = _coordinate(function, 0, index, method, h)
        steps[index] = np.min(step, initial=np.inf)
    return Estimate(_bare(values), _bare(errors), _bare(steps), function.evaluations)


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
    steps: Any = np.broadcast_to(_step(leaf, function.spacing, 1 / 4, h), leaf.shape)
    indices = list(np.ndindex(leaf.shape))
    n = len(indices)
    values, errors = np.zeros((n, n)), np.zeros((n, n))
    for i, a in enumerate(indices):
        for j, b in enumerate(indices[: i + 1]):
            fine, size = _second(function, a, b, steps[a], steps[b])
            coarse, _ = _second(function, a, b, 2 * steps[a], 2 * steps[b])
            if not (math.isfinite(fine) and math.isfinite(coarse)):
                raise FalllineError(_beside(point.name(0, a), float(leaf[a]), 2 * float(steps[a])))
            rounding = 4 * function.spacing * size / (steps[a] * steps[b])
            values[i, j] = values[j, i] = fine
            errors[i, j] = errors[j, i] = abs(fine - coarse) / 3 + rounding
    shape = 2 * leaf.shape
    return Estimate(
        _bare(values.reshape(shape)),
        _bare(errors.reshape(shape)),
        _bare(steps.copy()),
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
        found = [_VALUES[method](shifted, where, function, step)[0] for step in steps]
        errors[method] = np.abs(np.array(found, np.float64).reshape(-1) - true)
    best: dict[str, float] = {}
    for method, error in errors.items():
        known = np.isfinite(error).any()
        best[method] = float(steps[np.nanargmin(error)]) if known else math.nan
    rule = {m: float(_step(where, function.spacing, METHODS[m], None)) for m in methods}
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
    slope = _coordinate(function, 0, (), method, h)[0]
    return TangentLine(float(point.single), float(function.here), float(slope))


def measure(
    along: Callable[[Any], Values],
    x: Any,
    function: Function,
    *,
    method: str = "central",
    h: float | None = None,
    name: str = "x",
) -> tuple[Values, Values, Any]:
    """A derivative along one coordinate, or of each of x by itself: (value, error, h).

    Args:
        along: the function's value by the coordinate's position.
        x: the position: a number; or an array, where each value depends on its own number alone.
        function: knows the value at x and the spacing of values.
        method: a name of `METHODS`.
        h: the first step; None is the method's rule.
        name: the coordinate's, for sentences.

    Raises:
        FalllineError: if a step is no step, or leads to where the function is not finite.
    """
    power = lookup("method", METHODS, method)
    step = _step(x, function.spacing, power, h)
    with np.errstate(all="ignore"):
        if method == "richardson" and h is None:
            step = _inside(along, x, step)
        value, error, used = _VALUES[method](along, x, function, step)
    bad = ~(np.isfinite(value) & np.isfinite(error))
    if bad.any():
        first = tuple(np.argwhere(bad)[0])
        spread = np.shape(x) == bad.shape
        position = float(np.asarray(x)[first] if spread else x)
        size = np.broadcast_to(step, bad.shape)[first] if spread else step
        label = f"{name}[{', '.join(map(str, first))}]" if spread and first else name
        raise FalllineError(_beside(label, position, float(size)))
    return value, error, used


def _forward(
    along: Callable[[Any], Values], x: Any, function: Function, h: Any
) -> tuple[Values, Values, Any]:
    near, far = x + h, x + 2 * h
    f_near = along(near)
    value = _slope(f_near - function.here, near - x, h)
    coarse = _slope(along(far) - function.here, far - x, 2 * h)
    size = np.maximum(np.abs(f_near), np.abs(function.here))
    return value, np.abs(value - coarse) + 2 * function.spacing * size / h, h


def _central(
    along: Callable[[Any], Values], x: Any, function: Function, h: Any
) -> tuple[Values, Values, Any]:
    value, size = _symmetric(along, x, h)
    coarse, _ = _symmetric(along, x, 2 * h)
    # The error is c h^2, and 4 c h^2 at twice the step.
    return value, np.abs(value - coarse) / 3 + function.spacing * size / h, h


def _richardson(
    along: Callable[[Any], Values], x: Any, function: Function, h: Any
) -> tuple[Values, Values, Any]:
    """Neville's table of central differences with falling h; the entry of the least estimate wins.

    The steps fall by 1.8, not 2: with halves, a function whose period is h looks flat in every row.
    """
    best: Any = np.full_like(function.here, np.nan)
    error, used = np.full_like(best, np.inf), np.zeros_like(best) + h
    before: list[Any] = []
    for row in range(_ROWS):
        step = h / _RATIO**row
        value, size = _symmetric(along, x, step)
        rounding = function.spacing * size / step
        entries = [value]
        for j, old in enumerate(before, 1):
            entries.append(entries[-1] + (entries[-1] - old) / (_RATIO ** (2 * j) - 1))
            moved = np.maximum(np.abs(entries[j] - entries[j - 1]), np.abs(entries[j] - old))
            better = moved + rounding < error
            best = np.where(better, entries[j], best)
            used = np.where(better, step, used)
            error = np.where(better, moved + rounding, error)
        before = entries
        enough = 32 * function.spacing * (np.abs(best) + size / np.maximum(1, np.abs(x)))
        if row >= 3 and (error <= enough).all():
            break
    return best, error, used


_VALUES = {"forward": _forward, "central": _central, "richardson": _richardson}


def _symmetric(along: Callable[[Any], Values], x: Any, h: Any) -> tuple[Values, Values]:
    """A central difference, and the size of the values it subtracts."""
    up, down = x + h, x - h
    f_up, f_down = along(up), along(down)
    return _slope(f_up - f_down, up - down, 2 * h), np.maximum(np.abs(f_up), np.abs(f_down))


def _slope(rise: Values, run: Any, nominal: Any) -> Values:
    # Division by the distance that the rounded positions really have; if they are one, by h: that is
    # the zero that a difference gives there.
    return rise / np.where(run == 0, nominal, run)


def _second(
    function: Function, a: tuple[int, ...], b: tuple[int, ...], h: float, k: float
) -> tuple[float, float]:
    """A second difference, and the size of the values it subtracts."""
    x = function.point.leaves[0]
    if a == b:
        up, down = (float(function.at({(0, a): x[a] + s * h})) for s in (1, -1))
        here = float(function.here)
        return (up - 2 * here + down) / (h * h), max(abs(up), abs(here), abs(down))
    f = {
        (s, t): float(function.at({(0, a): x[a] + s * h, (0, b): x[b] + t * k}))
        for s in (1, -1)
        for t in (1, -1)
    }
    value = (f[1, 1] - f[1, -1] - f[-1, 1] + f[-1, -1]) / (4 * h * k)
    return value, max(map(abs, f.values()))


def _coordinate(
    function: Function, place: int, index: tuple[int, ...], method: str, h: float | None
) -> tuple[Values, Values, Any]:
    point = function.point
    return measure(
        function.along(place, index),
        point.leaves[place][index],
        function,
        method=method,
        h=h,
        name=point.name(place, index),
    )


def _step(x: Any, spacing: float, power: float | None, given: Any) -> Any:
    """The rule's step, or the one given, such that x and x + h differ by exactly h."""
    if given is None:
        h = (_FIRST if power is None else spacing**power) * np.maximum(1.0, np.abs(x))
    else:
        h = _given(given)
    exact = (x + h) - x
    lost = np.broadcast_to(exact == 0, np.shape(x))
    if lost.any():
        position = np.asarray(x)[tuple(np.argwhere(lost)[0])]
        raise FalllineError(
            f"h = {float(np.max(h)):g} is lost in rounding beside x = {position:g}, whose next "
            f"neighbour is {np.spacing(abs(position)):.2g} away: give a larger h."
        )
    return exact


def _given(h: Any) -> float:
    number = isinstance(h, numbers.Real) and not isinstance(h, (bool, np.bool_))
    if not number or not 0 < float(h) < math.inf:
        raise FalllineError(f"h must be a number above 0; it was given {h!r}.")
    return float(h)


def _inside(along: Callable[[Any], Values], x: Any, h: Any) -> Any:
    """A first step for the table that does not leave the function's domain."""
    for _ in range(12):
        bad = ~(np.isfinite(along(x + h)) & np.isfinite(along(x - h)))
        if not bad.any():
            break
        h = np.where(bad, h / 8, h) if bad.shape == np.shape(h) else h / 8
    return h


def _beside(name: str, x: float, h: float) -> str:
    return (
        f"f is not finite within {h:.2g} of {name} = {x:.6g}: give a smaller h, or move the point away "
        "from the edge of the function's domain."
    )


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


def _vector(x: Any) -> Any:
    """A list of plain numbers, or of rows of them, as an array; anything else as it is."""
    if type(x) not in (list, tuple):
        return x
    plain = all(isinstance(leaf, (int, float, complex, np.number)) for leaf in jax.tree.leaves(x))
    try:
        array = np.asarray(x)
    except ValueError:
        return x
    return array if plain and array.dtype.kind in "biufc" else x


def _float64(leaf: Any, name: str) -> Values:
    try:
        array = np.asarray(leaf)
        dtype = array.dtype
    except (TypeError, ValueError):
        dtype = np.dtype(object)
        array = np.zeros(0)
    if jnp.issubdtype(dtype, jnp.complexfloating):
        raise FalllineError(
            f"{name} holds complex numbers; a derivative is taken by real ones: give real and "
            "imaginary parts as two arrays."
        )
    if not (jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)):
        kind = type(leaf).__name__ if dtype.kind == "O" else str(dtype)
        raise FalllineError(f"x must hold numbers; {name} holds {kind}.")
    array = array.astype(np.float64)
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        where = f"[{', '.join(map(str, wrong[0]))}]" if array.ndim else ""
        raise FalllineError(
            f"x must hold finite numbers; {name}{where} is {array[tuple(wrong[0])]}."
        )
    return array


def _bare(array: Any) -> Any:
    """An array without a shape as a number; others as they are."""
    return array[()] if isinstance(array, np.ndarray) and array.ndim == 0 else array
