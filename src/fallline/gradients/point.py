"""What the differences are taken of: a function and a point, in double precision, checked."""

from __future__ import annotations

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

DOUBLE = float(np.finfo(np.float64).eps)


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
        return jax.tree.unflatten(self.structure, [bare(leaf) for leaf in leaves])

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


def bare(array: Any) -> Any:
    """An array without a shape as a number; others as they are."""
    return array[()] if isinstance(array, np.ndarray) and array.ndim == 0 else array
