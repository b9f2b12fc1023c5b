"""Hyper-parameters as data: frozen dataclasses whose fields are pytree leaves."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

import jax
import jax.numpy as jnp
import numpy as np

from fallline import tuning
from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Array, Float, PyTree

Class = TypeVar("Class", bound=type)


def static(default: Any = dataclasses.MISSING) -> Any:
    """A field that shapes the compiled program (a choice, not a number): changing it recompiles."""
    return dataclasses.field(default=default, metadata={"static": True})


@dataclass_transform(frozen_default=True, field_specifiers=(static, dataclasses.field))
def hyperparameters(cls: Class) -> Class:
    """Make a frozen dataclass whose numbers are pytree leaves, so that new values never recompile.

    Whole numbers given by the user become floats: otherwise ``learning_rate=1`` and
    ``learning_rate=1.0`` would be two programs.
    """
    frozen: Any = dataclasses.dataclass(frozen=True)(cls)
    fields = dataclasses.fields(frozen)
    fixed = [field.name for field in fields if field.metadata.get("static")]
    leaves = [field.name for field in fields if field.name not in fixed]

    # Not jax's register_dataclass: it takes two classes with equally many leaves for one structure,
    # and jit may then run the one's program for the other (seen: Momentum's for Nesterov's).
    def flatten_with_keys(instance: Any) -> tuple[Any, Any]:
        children, facts = flatten(instance)
        return zip(map(jax.tree_util.GetAttrKey, leaves), children, strict=True), facts

    def flatten(instance: Any) -> tuple[Any, Any]:
        facts = tuple(getattr(instance, name) for name in fixed)
        return tuple(getattr(instance, name) for name in leaves), facts

    def unflatten(facts: Any, children: Any) -> Any:
        values = (*zip(leaves, children, strict=True), *zip(fixed, facts, strict=True))
        return frozen(**dict(values))

    jax.tree_util.register_pytree_with_keys(frozen, flatten_with_keys, unflatten, flatten)
    return frozen


def as_floats(instance: Any) -> None:
    """Turn whole numbers and NumPy's scalars in the leaf fields into floats, in place."""
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        number = type(value) is int or isinstance(value, (np.integer, np.floating))
        if number and not field.metadata.get("static"):
            object.__setattr__(instance, field.name, float(value))


def require(instance: Any, field: str, low: float, high: float = float("inf")) -> None:
    """Check that a field given as a plain number lies in ``[low, high]``; traced values pass.

    Raises:
        FalllineError: with a sentence that names class, field, value and range.
    """
    value = getattr(instance, field)
    if isinstance(value, str):
        name = type(instance).__name__
        raise FalllineError(f"{name} needs a number as {field}; it was given {value!r}.")
    if type(value) is float and not low <= value <= high:
        bounds = f"at least {low:g}" if high == float("inf") else f"between {low:g} and {high:g}"
        name = type(instance).__name__
        raise FalllineError(f"{name} needs {field} {bounds}; it was given {value:g}.")


def add(params: PyTree, updates: PyTree) -> PyTree:
    """Leaf by leaf ``params + updates``, in the type of the parameters."""
    return jax.tree.map(lambda p, u: (p + u).astype(p.dtype), params, updates)


def zeros_like(params: PyTree) -> PyTree:
    """A tree of zeros, each leaf a buffer of its own (shared buffers could not be donated)."""
    return jax.tree.map(lambda leaf: jnp.zeros(jnp.shape(leaf), jnp.result_type(leaf)), params)


def packed(tree: PyTree) -> list[Array]:
    """The leaves as vectors, many small ones joined to one: fewer operations for what takes all alike.

    The numbers keep no places that mean anything; `dot` and `norm` do not ask for any.
    """
    leaves = [jnp.ravel(leaf) for leaf in jax.tree.leaves(tree)]
    small = [leaf for leaf in leaves if leaf.size <= tuning.TOGETHER]
    if len(small) < 3:
        return leaves
    return [jnp.concatenate(small), *(leaf for leaf in leaves if leaf.size > tuning.TOGETHER)]


def dot(a: PyTree, b: PyTree) -> Float[Array, ""]:
    """The inner product of two trees of one structure."""
    products = jax.tree.map(lambda x, y: inner(jnp.ravel(x), jnp.ravel(y)), a, b)
    return jax.tree.reduce(jnp.add, products, jnp.zeros(()))


def inner(x: Float[Array, " n"], y: Float[Array, " n"]) -> Float[Array, ""]:
    """The inner product of two vectors, added up by lanes where they are short; see `fallline.tuning`."""
    kind = jnp.result_type(x, y, 1.0)
    return _inner(x.astype(kind), y.astype(kind))


@jax.custom_jvp
def _inner(x: Array, y: Array) -> Array:
    whole = x.size // tuning.LANES * tuning.LANES
    if not (tuning.on and 0 < whole <= tuning.FOLDED):
        # As a product of vectors, not a sum of products: it runs as fast and compiles in half the time.
        return jnp.vdot(x, y)
    products = x * y
    lanes = sum(products[i : i + tuning.LANES] for i in range(0, whole, tuning.LANES))
    return jnp.sum(lanes) + jnp.sum(products[whole:])


@_inner.defjvp
def _inner_jvp(at: tuple[Array, Array], along: tuple[Array, Array]) -> tuple[Array, Array]:
    # By hand: the derivative of the lanes would be put together from as many pieces.
    (x, y), (dx, dy) = at, along
    return _inner(x, y), jnp.vdot(dx, y) + jnp.vdot(x, dy)


def norm(a: PyTree) -> Float[Array, ""]:
    """The Euclidean norm over all leaves together."""
    return jnp.sqrt(dot(a, a))


def to_arrays(tree: PyTree) -> dict[str, np.ndarray]:
    """The leaves of a tree by their names, copied to NumPy; `from_arrays` puts them back."""
    leaves = jax.tree.leaves(tree)
    return {n: np.array(leaf) for n, leaf in zip(names(tree), leaves, strict=True)}


def from_arrays(template: PyTree, arrays: Mapping[str, np.ndarray]) -> PyTree:
    """A tree like the template with the numbers of arrays that `to_arrays` made.

    Raises:
        FalllineError: if names, shapes or types differ from the template's.
    """
    leaves, structure = jax.tree.flatten(template)
    labels = names(template)
    wrong = set(labels) ^ set(arrays)
    for label, leaf in zip(labels, leaves, strict=True):
        array = arrays.get(label)
        if array is not None and (array.shape, array.dtype) != (jnp.shape(leaf), leaf.dtype):
            wrong.add(label)
    if wrong:
        raise FalllineError(
            f"These saved numbers belong to another run: {sorted(wrong)[0]!r} does not fit."
        )
    return jax.tree.unflatten(structure, [jnp.array(arrays[label]) for label in labels])


def names(params: PyTree) -> list[str]:
    """One name a leaf, in leaf order: ``affine1/weights``; the whole tree being one leaf is ``x``."""
    paths = jax.tree_util.tree_flatten_with_path(params)[0]
    return [jax.tree_util.keystr(path, simple=True, separator="/") or "x" for path, _ in paths]
