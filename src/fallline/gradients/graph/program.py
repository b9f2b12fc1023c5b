"""The operations of a function, in order: its jaxpr, with compiled functions opened."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

import jax.extend as jex

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

Slot = int

_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "remat2": "jaxpr",
    "remat": "jaxpr",
    "checkpoint": "jaxpr",
}
# Opened, a rule of the user's own would be lost: these stay whole, whatever is asked for.
_OWN_RULE = ("custom_jvp_call", "custom_vjp_call")


@dataclasses.dataclass(frozen=True)
class Operation:
    """One equation of the program.

    Attributes:
        primitive: JAX's name of it.
        name: the name it goes by: the function's for a call kept whole, else the primitive's.
        run: from the values of ``inputs`` to those of ``outputs``.
        inputs: where its inputs stand.
        outputs: where its outputs go.
        scope: the `jax.named_scope` it was written in, "" for none.
        facts: the primitive's parameters.
    """

    primitive: str
    name: str
    run: Callable[..., Sequence[Any]]
    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]
    scope: str
    facts: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Program:
    """A function of arrays as operations on slots.

    Attributes:
        inputs: the slot of each argument.
        constants: what does not depend on any argument, by slot.
        operations: in the order in which they run.
        output: the slot of the result.
    """

    inputs: tuple[Slot, ...]
    constants: dict[Slot, Any]
    operations: list[Operation]
    output: Slot


def read(closed: Any, keep: Collection[str]) -> Program:
    """Read a closed jaxpr of one output, opening every call but those to keep."""
    slots = itertools.count()
    constants: dict[Slot, Any] = {}
    operations: list[Operation] = []

    def constant(value: Any) -> Slot:
        slot = next(slots)
        constants[slot] = value
        return slot

    def walk(jaxpr: Any, consts: Sequence[Any], inputs: Sequence[Slot], scope: str) -> list[Slot]:
        # A jaxpr may be called twice, so its variables have a new place each time.
        where = dict(zip(jaxpr.invars, inputs, strict=True))
        where |= {var: constant(value) for var, value in zip(jaxpr.constvars, consts, strict=True)}

        def slot_of(atom: Any) -> Slot:
            return constant(atom.val) if isinstance(atom, jex.core.Literal) else where[atom]

        for equation in jaxpr.eqns:
            given = [slot_of(atom) for atom in equation.invars]
            inner = _scope(scope, str(equation.source_info.name_stack))
            opened = _opened(equation, keep)
            if opened is not None:
                outputs = walk(*opened, given, inner)
            else:
                outputs = [next(slots) for _ in equation.outvars]
                operations.append(_operation(equation, given, outputs, inner))
            where |= zip(equation.outvars, outputs, strict=True)
        return [slot_of(atom) for atom in jaxpr.outvars]

    inputs = [next(slots) for _ in closed.jaxpr.invars]
    (output,) = walk(closed.jaxpr, closed.consts, inputs, "")
    return Program(tuple(inputs), constants, operations, output)


def _operation(
    equation: Any, inputs: Sequence[Slot], outputs: Sequence[Slot], scope: str
) -> Operation:
    primitive = equation.primitive

    def run(*values: Any) -> Sequence[Any]:
        with equation.ctx.manager:
            result = primitive.bind(*values, **primitive.get_bind_params(equation.params))
        return result if primitive.multiple_results else (result,)

    name = primitive.name
    if name in _OWN_RULE or name in _CALLS:
        name = _function_name(equation)
    return Operation(
        primitive.name, name, run, tuple(inputs), tuple(outputs), scope, equation.params
    )


def _function_name(equation: Any) -> str:
    if "name" in equation.params:
        return str(equation.params["name"])
    called = equation.params["call_jaxpr"]
    name = called.jaxpr.debug_info.func_name
    return equation.primitive.name if name.startswith("<") else str(name)


def _opened(equation: Any, keep: Collection[str]) -> tuple[Any, Sequence[Any]] | None:
    """The jaxpr inside a call and its constants; None for what stays one operation."""
    name = equation.primitive.name
    if name not in _CALLS or equation.params.get("name") in keep:
        return None
    inner = equation.params[_CALLS[name]]
    return (inner.jaxpr, inner.consts) if hasattr(inner, "consts") else (inner, ())


def _scope(outer: str, stack: str) -> str:
    """A scope inside another, without what JAX's own transformations add: ``jit(relu)``."""
    own = [part for part in stack.split("/") if part and "(" not in part]
    return "/".join([outer, *own] if outer else own)
