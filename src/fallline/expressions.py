"""Typed formulas, such as ``x^2 + 3*sin(y)``, made into functions without running anybody's code.

The text goes through Python's parser for its grammar alone; what comes out is walked node by node, and
only numbers, names, arithmetic and calls of the functions listed here are known. Nothing of it is ever
compiled or executed as Python.
"""

from __future__ import annotations

import ast
import functools
import keyword
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from fallline.errors import FalllineError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jaxtyping import Array, Float

LONGEST = 400
MOST_NODES = 200
DEEPEST = 40


class Function(NamedTuple):
    """A function that a formula may call.

    Attributes:
        compute: elementwise over arrays.
        least: how many arguments it takes.
        most: the same number, or None for any number more.
        tex: its name in TeX.
    """

    compute: Callable[..., Any]
    least: int
    most: int | None
    tex: str


def _one(compute: Callable[..., Any], tex: str) -> Function:
    return Function(compute, 1, 1, tex)


def _several(compute: Callable[..., Any], tex: str) -> Function:
    return Function(lambda *values: functools.reduce(compute, values), 2, None, tex)


FUNCTIONS: dict[str, Function] = {
    "abs": _one(jnp.abs, ""),
    "acos": _one(jnp.arccos, r"\arccos"),
    "asin": _one(jnp.arcsin, r"\arcsin"),
    "atan": _one(jnp.arctan, r"\arctan"),
    "atan2": Function(jnp.arctan2, 2, 2, r"\mathrm{atan2}"),
    "ceil": _one(jnp.ceil, r"\mathrm{ceil}"),
    "cos": _one(jnp.cos, r"\cos"),
    "cosh": _one(jnp.cosh, r"\cosh"),
    "exp": _one(jnp.exp, r"\exp"),
    "floor": _one(jnp.floor, r"\mathrm{floor}"),
    "hypot": Function(jnp.hypot, 2, 2, r"\mathrm{hypot}"),
    "ln": _one(jnp.log, r"\ln"),
    "log": _one(jnp.log, r"\log"),
    "log10": _one(jnp.log10, r"\log_{10}"),
    "log2": _one(jnp.log2, r"\log_{2}"),
    "max": _several(jnp.maximum, r"\max"),
    "min": _several(jnp.minimum, r"\min"),
    "pow": Function(jnp.power, 2, 2, ""),
    "relu": _one(jax.nn.relu, r"\mathrm{relu}"),
    "sigmoid": _one(jax.nn.sigmoid, r"\sigma"),
    "sign": _one(jnp.sign, r"\mathrm{sign}"),
    "sin": _one(jnp.sin, r"\sin"),
    "sinh": _one(jnp.sinh, r"\sinh"),
    "softplus": _one(jax.nn.softplus, r"\mathrm{softplus}"),
    "sqrt": _one(jnp.sqrt, ""),
    "tan": _one(jnp.tan, r"\tan"),
    "tanh": _one(jnp.tanh, r"\tanh"),
}
CONSTANTS = {"e": math.e, "pi": math.pi, "tau": math.tau}

_ARITHMETIC: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: jnp.add,
    ast.Sub: jnp.subtract,
    ast.Mult: jnp.multiply,
    ast.Div: jnp.divide,
}
_FOREIGN = re.compile(r"[^A-Za-z0-9_.+\-*/^(), ]")
_INSTEAD = {
    "=": "give only what stands right of it",
    "[": "use round brackets",
    "{": "use round brackets",
    "|": "write abs(...)",
    "²": "write ^2",
    "³": "write ^3",
    "×": "write *",
    "·": "write *",
    "÷": "write /",
    "−": "write the - of the keyboard",
    "–": "write the - of the keyboard",
    "π": "write pi",
    "√": "write sqrt(...)",
    "\n": "write it on one line",
}
_NUMBER = r"(?>\d+\.?\d*|\.\d+)(?>(?:[eE][+-]?\d+)?)"
# Two factors side by side; a name right before a bracket is a call, though.
_NO_SIGN = re.compile(
    rf"(?:(?<![\w.])(?P<number>{_NUMBER})|(?P<bracket>\)))[ ]*(?P<right>[A-Za-z_]\w*|{_NUMBER}|\()"
    rf"|\b(?P<name>[A-Za-z_]\w*)[ ]+(?P<other>[A-Za-z_]\w*|{_NUMBER})"
)
# Whole powers up to here are products, which are exact where a general power is rounded.
_LARGEST_PRODUCT = 100
# Beyond, single precision has only infinity.
_LARGEST_NUMBER = 1e38
# How tightly parts of a formula hold together, for the brackets in TeX.
_SUM, _MINUS, _PRODUCT, _POWER, _ATOM = range(5)


@dataclass(frozen=True)
class Expression:
    """A formula as a function of its names; `parse` makes one.

    It is called with one array a name, in their order or by keyword, broadcasts them against each
    other, and works elementwise, under ``jit``, ``grad`` and ``vmap``. The result has their common
    shape even where the formula does not use them all.

    Attributes:
        text: as typed.
        names: of its arguments.
    """

    text: str
    names: tuple[str, ...]
    _tree: ast.AST = field(repr=False, compare=False)

    def __call__(self, *values: Any, **named: Any) -> Float[Array, "..."]:
        """The formula's values.

        Raises:
            FalllineError: if there is not exactly one value for each name.
        """
        if sorted([*self.names[: len(values)], *named]) != sorted(self.names) or (
            len(values) > len(self.names)
        ):
            raise FalllineError(
                f"The formula {self.text!r} takes one value for each of {', '.join(self.names)}; it was "
                f"given {len(values)} without a name and {', '.join(named) or 'none'} by name."
            )
        given = dict(zip(self.names, values, strict=False)) | named
        arrays = {name: jnp.asarray(value) for name, value in given.items()}
        for name, array in arrays.items():
            if not jnp.issubdtype(array.dtype, jnp.inexact):
                arrays[name] = array * 1.0
        result = _value(self._tree, arrays)
        shape = jnp.broadcast_shapes(*(jnp.shape(array) for array in arrays.values()))
        return jnp.broadcast_to(result, shape).astype(jnp.result_type(float, *arrays.values()))

    def tex(self) -> str:
        """The formula in TeX."""
        return _tex(self._tree)[0]


def parse(text: str, names: Iterable[str] = ("x", "y")) -> Expression:
    """Make a function of a typed formula.

    A formula holds numbers, the given names, ``pi``, ``e`` and ``tau``, ``+ - * / ^`` (or ``**`` for
    ``^``), round brackets and calls of the functions in ``FUNCTIONS``; at most 400 characters, 200
    parts and 40 levels. Its numbers are floats, so that a power too large is infinite, at once.

    Args:
        text: the formula.
        names: of its arguments.

    Raises:
        FalllineError: if the text is anything else; the sentence says what stands at which column.

    Examples:
        >>> f = parse("x^2 + 3*y")
        >>> float(f(2.0, y=1.0))
        7.0
    """
    names = tuple(names)
    _check_text(text)
    # Python reads ^ as another operator, of another rank: each character's column in what was typed.
    columns = [i for i, c in enumerate(text) for _ in range(2 if c == "^" else 1)]
    blanks = len(text) - len(text.lstrip(" "))
    columns = [*columns[blanks:], len(text)]
    try:
        tree = ast.parse(text.strip(" ").replace("^", "**"), mode="eval").body
    except SyntaxError as error:
        # Python's columns count from 1, and 0 is the end.
        column = columns[min((error.offset or 0) - 1, len(columns) - 1)]
        rest = text[column:].strip(" ")
        place = f"at {rest[:20]!r}, column {column + 1}" if rest else "at its end"
        raise FalllineError(
            f"The formula cannot be read {place}: something is missing, or too much, near there."
        ) from None
    except (MemoryError, RecursionError, ValueError):
        raise FalllineError("The formula is nested too deeply: make it simpler.") from None
    _check_tree(tree, text, names, columns)
    return Expression(text, names, tree)


def _check_text(text: Any) -> None:
    """What can be said before Python's parser sees the text, which deep nesting could bring down."""
    if not isinstance(text, str):
        raise FalllineError(f"A formula is a text; it was given {type(text).__name__}.")
    if len(text) > LONGEST:
        raise FalllineError(
            f"The formula has {len(text):,} characters, more than {LONGEST}: make it shorter."
        )
    if not text.strip(" "):
        raise FalllineError("The formula is empty: write one, such as x^2 + y^2.")
    if found := _FOREIGN.search(text):
        instead = _INSTEAD.get(found[0], "use letters, digits and + - * / ^ ( ) , . only")
        raise FalllineError(
            f"A formula cannot hold {found[0]!r}, at column {found.start() + 1}: {instead}."
        )
    opened: list[int] = []
    for column, character in enumerate(text, start=1):
        if character == "(":
            opened.append(column)
        elif character == ")" and opened:
            opened.pop()
        elif character == ")":
            raise FalllineError(f"The bracket at column {column} closes none: remove it.")
        if len(opened) > DEEPEST:
            raise FalllineError(
                f"At column {column} more than {DEEPEST} brackets are open: make the formula simpler."
            )
    if opened:
        raise FalllineError(f"The bracket at column {opened[-1]} is never closed: add a ')'.")
    if found := _NO_SIGN.search(text):
        left = found["number"] or found["bracket"] or found["name"]
        right = found["right"] or found["other"]
        for group in ("name", "right", "other"):
            if keyword.iskeyword(found[group] or ""):
                raise FalllineError(
                    f"A formula cannot hold {found[group]!r}, at column {found.start(group) + 1}: use "
                    "numbers, names, arithmetic and functions."
                )
        after = "(...)" if right == "(" else right
        remedy = f"{left}(...)" if left in FUNCTIONS else f"{left}*{after} for their product"
        raise FalllineError(
            f"Between {left!r} and {right!r}, at column {found.start() + 1}, something is missing: "
            f"write {remedy}."
        )


def _check_tree(tree: ast.AST, text: str, names: tuple[str, ...], columns: list[int]) -> None:
    """Nothing but numbers, known names, arithmetic and calls, and not too much of them."""
    known = [*names, *CONSTANTS]
    waiting, count = [(tree, 1)], 0
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if count > MOST_NODES:
            raise FalllineError(f"The formula has more than {MOST_NODES} parts: make it simpler.")
        if depth > DEEPEST:
            raise FalllineError(f"The formula has more than {DEEPEST} levels: make it simpler.")
        start: int = columns[node.col_offset]  # pyright: ignore[reportAttributeAccessIssue]
        end: int = columns[node.end_col_offset - 1]  # pyright: ignore[reportAttributeAccessIssue]
        word, place = text[start : end + 1], f"at column {start + 1}"
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                if value > _LARGEST_NUMBER:
                    raise FalllineError(f"The number {word[:20]!r} {place} is too large.")
            case ast.Name(id=name) if name in known:
                pass
            case ast.Name(id=name) if name in FUNCTIONS:
                raise FalllineError(
                    f"The function {name!r} {place} has no arguments: write {name}(...)."
                )
            case ast.Name(id=name):
                raise FalllineError(
                    f"There is nothing called {name!r}, {place}: {nearest(name, [*known, *FUNCTIONS])}"
                )
            case ast.Call(func=ast.Name(id=name), keywords=[]) if name not in FUNCTIONS:
                if name in known:
                    raise FalllineError(
                        f"{name!r} {place} is not a function: for a product write {name}*(...)."
                    )
                raise FalllineError(
                    f"There is no function called {name!r}, {place}: {nearest(name, FUNCTIONS)}"
                )
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                function = FUNCTIONS[name]
                if len(arguments) < function.least or len(arguments) > (
                    function.most or MOST_NODES
                ):
                    wanted = f"{function.least} argument{'s' if function.least > 1 else ''}"
                    wanted += "" if function.most else " or more"
                    raise FalllineError(
                        f"The function {name!r} {place} takes {wanted}; it was given "
                        f"{len(arguments)}."
                    )
                waiting += [(argument, depth + 1) for argument in reversed(arguments)]
            case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
                waiting.append((operand, depth + 1))
            case ast.BinOp(op=ast.Pow() | ast.Add() | ast.Sub() | ast.Mult() | ast.Div()):
                waiting += [(node.right, depth + 1), (node.left, depth + 1)]
            case _:
                raise FalllineError(
                    f"A formula cannot hold {word[:40]!r}, {place}: use numbers, {', '.join(known)}, "
                    "+ - * / ^, brackets and functions."
                )


def _value(node: Any, given: Mapping[str, Any]) -> Any:
    """The value of a checked node; plain numbers take the precision of what they meet."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return jnp.asarray(float(value))
        case ast.Name(id=name):
            return given[name] if name in given else jnp.asarray(CONSTANTS[name])
        case ast.UnaryOp(op=op, operand=operand):
            value = _value(operand, given)
            return -value if isinstance(op, ast.USub) else value
        case (
            ast.BinOp(op=ast.Pow(), left=base, right=power)
            | ast.Call(func=ast.Name(id="pow"), args=[base, power])
        ):
            whole = _whole(power)
            if whole is not None:
                return jax.lax.integer_pow(_value(base, given), whole)
            return jnp.power(_value(base, given), _value(power, given))
        case ast.BinOp(op=op, left=left, right=right):
            return _ARITHMETIC[type(op)](_value(left, given), _value(right, given))
        case _:
            return FUNCTIONS[node.func.id].compute(*(_value(part, given) for part in node.args))


def _whole(node: Any) -> int | None:
    """The exponent of a power that is a product: a plain whole number, with or without a sign."""
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as operand):
            size = _whole(operand)
            return None if size is None else -size
        case ast.Constant(value=int() | float() as value) if value in range(_LARGEST_PRODUCT + 1):
            return int(value)
        case _:
            return None


def _tex(node: Any) -> tuple[str, int]:
    """A checked node in TeX, and how tightly it holds together."""
    match node:
        case ast.Constant(value=int() | float() as value):
            digits, _, power = f"{float(value):.12g}".partition("e")
            return (rf"{digits} \cdot 10^{{{int(power)}}}", _PRODUCT) if power else (digits, _ATOM)
        case ast.Name(id=name):
            if name in ("pi", "tau"):
                return rf"\{name}", _ATOM
            return (
                name if len(name) == 1 else rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}"
            ), _ATOM
        case ast.UnaryOp(op=op, operand=operand):
            sign = "-" if isinstance(op, ast.USub) else "+"
            return sign + _bracketed(operand, _PRODUCT), _MINUS
        case (
            ast.BinOp(op=ast.Pow(), left=base, right=power)
            | ast.Call(func=ast.Name(id="pow"), args=[base, power])
        ):
            return f"{_bracketed(base, _ATOM)}^{{{_tex(power)[0]}}}", _POWER
        case ast.BinOp(op=ast.Div(), left=left, right=right):
            return rf"\frac{{{_tex(left)[0]}}}{{{_tex(right)[0]}}}", _POWER
        case ast.BinOp(op=ast.Mult(), left=left, right=right):
            first, second = _bracketed(left, _MINUS), _bracketed(right, _POWER)
            dot = r" \cdot " if second[0].isdigit() else r" \, "
            return first + dot + second, _PRODUCT
        case ast.BinOp(op=op, left=left, right=right):
            sign = " + " if isinstance(op, ast.Add) else " - "
            return _tex(left)[0] + sign + _bracketed(right, _PRODUCT), _SUM
        case _:
            name, parts = node.func.id, ", ".join(_tex(part)[0] for part in node.args)
            if name == "sqrt":
                return rf"\sqrt{{{parts}}}", _ATOM
            if name == "abs":
                return rf"\left|{parts}\right|", _ATOM
            return rf"{FUNCTIONS[name].tex}\left({parts}\right)", _POWER


def _bracketed(node: Any, least: int) -> str:
    """A node in TeX, in brackets if it holds together less than this."""
    tex, hold = _tex(node)
    return tex if hold >= least else rf"\left({tex}\right)"
