"""What a user gives to `fallline.gradients.graph.build.graph`, checked: arguments, names, the function."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from fallline.errors import FalllineError, nearest
from fallline.gradients.graph import differentiate, program
from fallline.gradients.graph.differentiate import differentiable, to_numpy

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import numpy as np

    from fallline.gradients.graph.program import Program


def arguments(
    f: Callable[..., Any], args: tuple[Any, ...]
) -> tuple[list[list[str]], list[Any], Any]:
    """The paths and numbers of all leaves of the arguments, and their structure."""
    try:
        bound = inspect.signature(f).bind(*args).arguments
        first = []
        for name, value in bound.items():
            several = inspect.signature(f).parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
            first += [[name, str(i)] for i in range(len(value))] if several else [[name]]
    except (TypeError, ValueError):
        first = [[f"x{i}" if len(args) > 1 else "x"] for i in range(len(args))]
    found, structure = jax.tree_util.tree_flatten_with_path(args)
    paths = [
        first[path[0].idx]
        + [jax.tree_util.keystr((key,), simple=True, separator="/") for key in path[1:]]
        for path, _ in found
    ]
    return (
        paths,
        [_number(leaf, path) for path, (_, leaf) in zip(paths, found, strict=True)],
        structure,
    )


def _number(leaf: Any, path: list[str]) -> Any:
    leaf = float(leaf) if type(leaf) is int else leaf
    try:
        value = jnp.asarray(leaf)
        fits = any(jnp.issubdtype(value.dtype, kind) for kind in (jnp.floating, jnp.integer, bool))
    except (TypeError, ValueError, OverflowError):
        fits, value = False, None
    if not fits:
        raise FalllineError(
            f"A graph needs real numbers or arrays of them as arguments; {'/'.join(path)} is "
            f"{type(leaf).__name__ if value is None else value.dtype}."
        )
    return value


def labels(paths: list[list[str]], names: Mapping[str, str] | Sequence[str] | None) -> list[str]:
    """The names to show: the path, with its longest renamed beginning replaced."""
    mapping = names
    if isinstance(mapping, str) or (
        mapping is not None and not isinstance(mapping, Mapping) and not all(map(_is_text, mapping))
    ):
        raise FalllineError("names must be a mapping from paths to names, or one name an argument.")
    arguments = list(dict.fromkeys(path[0] for path in paths))
    if mapping is not None and not isinstance(mapping, Mapping):
        if len(mapping) != len(arguments):
            raise FalllineError(
                f"names holds {len(mapping)} names for {len(arguments)} arguments: give one for each, "
                "or a mapping from paths to names."
            )
        mapping = dict(zip(arguments, mapping, strict=True))
    known = {"/".join(path[:end]) for path in paths for end in range(1, len(path) + 1)}
    for name, text in (mapping or {}).items():
        if name not in known and name != "output":
            raise FalllineError(
                f"names holds {name!r}, which is no argument: {nearest(str(name), sorted(known))}"
            )
        if not _is_text(text):
            raise FalllineError(f"names must give a text for {name!r}; it gives {text!r}.")
    found: list[str] = []
    for path in paths:
        label = "/".join(path)
        for end in range(len(path), 0, -1):
            if "/".join(path[:end]) in (mapping or {}):
                label = "/".join([(mapping or {})["/".join(path[:end])], *path[end:]])
                break
        found.append(label)
    return found


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def renamed(names: Mapping[str, str] | Sequence[str] | None, called: str) -> str:
    """The name of the output."""
    return names.get("output", called) if isinstance(names, Mapping) else called


def traced(
    f: Callable[..., Any], called: str, leaves: list[Any], structure: Any, keep: Collection[str]
) -> Program:
    """The operations of the function, once it is known to give one real number."""
    try:
        closed, form = jax.make_jaxpr(
            lambda *given: f(*jax.tree.unflatten(structure, given)), return_shape=True
        )(*leaves)
    except FalllineError:
        raise
    except (
        jax.errors.ConcretizationTypeError,
        jax.errors.TracerArrayConversionError,
        jax.errors.TracerIntegerConversionError,
        jax.errors.NonConcreteBooleanIndexError,
    ) as error:
        raise FalllineError(
            f"{called} cannot be traced: it hands a traced value to NumPy, math or Python's own if; write "
            "it with jax.numpy, and choices with jax.numpy.where."
        ) from error
    except Exception as error:
        raise FalllineError(
            f"{called} failed on these arguments: {type(error).__name__}: {_first_line(error)}"
        ) from error
    parts = jax.tree.leaves(form)
    if len(parts) != 1:
        raise FalllineError(
            f"A graph needs a function that gives one number; {called} gave {len(parts)} arrays."
        )
    if parts[0].shape != ():
        raise FalllineError(
            f"A graph needs a function that gives one number; {called} gave shape {parts[0].shape}: sum "
            "or average it, or take one element."
        )
    if not jnp.issubdtype(parts[0].dtype, jnp.floating):
        raise FalllineError(
            f"A graph needs a function that gives a real number; {called} gave {parts[0].dtype}, which "
            "has no derivative: compute with floats."
        )
    return program.read(closed, frozenset(keep))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0]


def reference(
    f: Callable[..., Any], called: str, leaves: list[Any], structure: Any
) -> list[np.ndarray | None]:
    """What `jax.grad` gives for each leaf; None for whole numbers."""
    chosen = [i for i, leaf in enumerate(leaves) if differentiable(leaf)]

    def of_chosen(floats: list[Any]) -> Any:
        given = list(leaves)
        for i, value in zip(chosen, floats, strict=True):
            given[i] = value
        # A constant of Python's own has no type for jax.grad to look at.
        return jnp.asarray(jax.tree.leaves(f(*jax.tree.unflatten(structure, given)))[0])

    try:
        with differentiate.silent():
            gradients = jax.grad(of_chosen)([leaves[i] for i in chosen]) if chosen else []
    except Exception as error:
        raise FalllineError(f"{called} cannot be differentiated: {_first_line(error)}") from error
    found: list[np.ndarray | None] = [None] * len(leaves)
    for i, gradient in zip(chosen, gradients, strict=True):
        found[i] = to_numpy(gradient)
    return found
