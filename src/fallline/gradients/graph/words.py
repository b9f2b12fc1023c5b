"""How operations are written: a symbol to draw, a phrase to read, a formula for each derivative.

To teach the graph another primitive of JAX, add one line to ``WORDS``; one that is not there is shown
by its own name, and its derivative is computed all the same.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Word:
    """How one primitive is written.

    Attributes:
        symbol: in a picture.
        phrase: in a sentence, with {0}, {1} for its inputs.
        formulas: the derivative with respect to each input; ``{y}`` is a parameter of the primitive.
    """

    symbol: str
    phrase: str
    formulas: tuple[str, ...]


def _function(name: str, *formulas: str) -> Word:
    return Word(name, "", formulas)


def _compared(symbol: str) -> Word:
    return Word(symbol, f"{{0}} {symbol} {{1}}", ("no derivative", "no derivative"))


WORDS: dict[str, Word] = {
    "add": Word("+", "{0} + {1}", ("∂(a + b)/∂a = 1", "∂(a + b)/∂b = 1")),
    "add_any": Word("+", "{0} + {1}", ("∂(a + b)/∂a = 1", "∂(a + b)/∂b = 1")),
    "sub": Word("−", "{0} − {1}", ("∂(a − b)/∂a = 1", "∂(a − b)/∂b = −1")),
    "mul": Word("×", "{0} × {1}", ("∂(a·b)/∂a = b", "∂(a·b)/∂b = a")),
    "div": Word("÷", "{0} ÷ {1}", ("∂(a/b)/∂a = 1/b", "∂(a/b)/∂b = −a/b²")),
    "rem": Word("mod", "{0} mod {1}", ("∂(a mod b)/∂a = 1", "∂(a mod b)/∂b = −trunc(a/b)")),
    "neg": Word("neg", "−{0}", ("∂(−a)/∂a = −1",)),
    "pow": Word("^", "{0} ^ {1}", ("∂(a^b)/∂a = b·a^(b−1)", "∂(a^b)/∂b = a^b·log a")),
    "integer_pow": Word("^{y}", "{0}^{y}", ("∂(a^{y})/∂a = {y}·a^({y}−1)",)),
    "square": Word("a²", "{0}²", ("∂(a²)/∂a = 2a",)),
    "sqrt": Word("√", "√{0}", ("∂√a/∂a = 1/(2√a)",)),
    "rsqrt": Word("1/√", "1/√{0}", ("∂(1/√a)/∂a = −1/(2a√a)",)),
    "cbrt": _function("∛", "∂∛a/∂a = 1/(3∛a²)"),
    "exp": _function("exp", "∂exp(a)/∂a = exp(a)"),
    "exp2": _function("exp2", "∂(2^a)/∂a = 2^a·log 2"),
    "expm1": _function("expm1", "∂(exp(a) − 1)/∂a = exp(a)"),
    "log": _function("log", "∂log(a)/∂a = 1/a"),
    "log1p": _function("log1p", "∂log(1 + a)/∂a = 1/(1 + a)"),
    "logistic": _function("sigmoid", "∂σ(a)/∂a = σ(a)·(1 − σ(a))"),
    "tanh": _function("tanh", "∂tanh(a)/∂a = 1 − tanh²(a)"),
    "sin": _function("sin", "∂sin(a)/∂a = cos(a)"),
    "cos": _function("cos", "∂cos(a)/∂a = −sin(a)"),
    "tan": _function("tan", "∂tan(a)/∂a = 1 + tan²(a)"),
    "asin": _function("asin", "∂asin(a)/∂a = 1/√(1 − a²)"),
    "acos": _function("acos", "∂acos(a)/∂a = −1/√(1 − a²)"),
    "atan": _function("atan", "∂atan(a)/∂a = 1/(1 + a²)"),
    "atan2": _function("atan2", "∂atan2(a, b)/∂a = b/(a² + b²)", "∂atan2(a, b)/∂b = −a/(a² + b²)"),
    "sinh": _function("sinh", "∂sinh(a)/∂a = cosh(a)"),
    "cosh": _function("cosh", "∂cosh(a)/∂a = sinh(a)"),
    "erf": _function("erf", "∂erf(a)/∂a = 2/√π·exp(−a²)"),
    "erfc": _function("erfc", "∂erfc(a)/∂a = −2/√π·exp(−a²)"),
    "lgamma": _function("lgamma", "∂lgamma(a)/∂a = digamma(a)"),
    "abs": Word("|a|", "|{0}|", ("∂|a|/∂a = 1 if a > 0, −1 if a < 0, else 0",)),
    "sign": _function("sign", "∂sign(a)/∂a = 0"),
    "floor": _function("floor", "∂floor(a)/∂a = 0"),
    "ceil": _function("ceil", "∂ceil(a)/∂a = 0"),
    "round": _function("round", "∂round(a)/∂a = 0"),
    "max": _function(
        "max",
        "∂max(a, b)/∂a = 1 if a > b, 0 if a < b, ½ if equal",
        "∂max(a, b)/∂b = 1 if b > a, 0 if b < a, ½ if equal",
    ),
    "min": _function(
        "min",
        "∂min(a, b)/∂a = 1 if a < b, 0 if a > b, ½ if equal",
        "∂min(a, b)/∂b = 1 if b < a, 0 if b > a, ½ if equal",
    ),
    "clamp": Word(
        "clamp",
        "clamp({1} to {0}, {2})",
        (
            "∂clamp/∂low = 1 if a < low, else 0",
            "∂clamp/∂a = 1 if low < a < high, else 0",
            "∂clamp/∂high = 1 if a > high, else 0",
        ),
    ),
    "stop_gradient": Word("stop", "{0} held constant", ("derivative held at 0",)),
    "dot_general": Word(
        "dot",
        "{0} · {1}",
        (
            "∂(a·b)/∂a = b (upstream times b transposed)",
            "∂(a·b)/∂b = a (a transposed times upstream)",
        ),
    ),
    "reduce_sum": Word("Σ", "sum of {0}", ("∂(Σ aᵢ)/∂aᵢ = 1",)),
    "cumsum": Word("cumsum", "", ("∂cᵢ/∂aⱼ = 1 if j ≤ i, else 0",)),
    "reduce_prod": Word("Π", "product of {0}", ("∂(Π aᵢ)/∂aⱼ = product of the others",)),
    "reduce_max": Word(
        "max", "max of {0}", ("∂(max aᵢ)/∂aⱼ = 1 at the greatest (shared by ties), else 0",)
    ),
    "reduce_min": Word(
        "min", "min of {0}", ("∂(min aᵢ)/∂aⱼ = 1 at the least (shared by ties), else 0",)
    ),
    "argmax": Word("argmax", "argmax of {0}", ("no derivative",)),
    "argmin": Word("argmin", "argmin of {0}", ("no derivative",)),
    "transpose": Word("ᵀ", "{0} transposed", ("the derivative is transposed back",)),
    "reshape": Word("reshape", "", ("the derivative takes the input's shape",)),
    "squeeze": Word("squeeze", "", ("the derivative takes the input's shape",)),
    "copy": Word("copy", "", ("∂a/∂a = 1",)),
    "broadcast_in_dim": Word("repeat", "{0} repeated", ("the derivative is summed over copies",)),
    "convert_element_type": Word("convert", "", ("∂a/∂a = 1",)),
    "slice": Word("[ ]", "part of {0}", ("1 for the elements taken, else 0",)),
    "dynamic_slice": Word("[ ]", "part of {0}", ("1 for the elements taken, else 0",)),
    "gather": Word("take", "elements of {0} at {1}", ("1 for the elements taken, else 0",)),
    "concatenate": Word("join", "", ()),
    "pad": Word("pad", "", ("1 for the elements kept, else 0",)),
    "rev": Word("reverse", "{0} reversed", ("the derivative is reversed back",)),
    "sort": Word("sort", "", ("the derivative goes back to the unsorted place",)),
    "select_n": Word(
        "where",
        "where({0}, {2}, {1})",
        (
            "no derivative",
            "1 where the condition fails, else 0",
            "1 where the condition holds, else 0",
        ),
    ),
    "gt": _compared(">"),
    "lt": _compared("<"),
    "ge": _compared("≥"),
    "le": _compared("≤"),
    "eq": _compared("="),
    "ne": _compared("≠"),
    "and": _compared("and"),
    "or": _compared("or"),
    "not": Word("not", "not {0}", ("no derivative",)),
    "is_finite": Word("finite?", "finite({0})", ("no derivative",)),
    # Functions of jax.nn and jax.numpy that are kept whole, by their own names.
    "relu": _function("relu", "∂max(a, 0)/∂a = 1 if a > 0, else 0"),
    "relu6": _function("relu6", "∂min(max(a, 0), 6)/∂a = 1 if 0 < a < 6, else 0"),
    "sigmoid": _function("sigmoid", "∂σ(a)/∂a = σ(a)·(1 − σ(a))"),
    "log_sigmoid": _function("log_sigmoid", "∂log σ(a)/∂a = 1 − σ(a)"),
    "softplus": _function("softplus", "∂log(1 + exp(a))/∂a = σ(a)"),
    "silu": _function("silu", "∂(a·σ(a))/∂a = σ(a)·(1 + a·(1 − σ(a)))"),
    "elu": _function("elu", "∂elu(a)/∂a = 1 if a > 0, else exp(a)"),
    "leaky_relu": _function(
        "leaky_relu", "∂/∂a = 1 if a ≥ 0, else the slope", "∂/∂slope = min(a, 0)"
    ),
    "gelu": _function("gelu", "∂(a·Φ(a))/∂a = Φ(a) + a·φ(a)"),
    "clip": Word(
        "clip",
        "clip({0} to {1}, {2})",
        (
            "∂clip/∂a = 1 if low < a < high, else 0",
            "∂clip/∂low = 1 if a < low, else 0",
            "∂clip/∂high = 1 if a > high, else 0",
        ),
    ),
    "logaddexp": _function(
        "logaddexp",
        "∂log(exp(a) + exp(b))/∂a = σ(a − b)",
        "∂log(exp(a) + exp(b))/∂b = σ(b − a)",
    ),
    "log_softmax": _function("log_softmax", "∂(log p)ᵢ/∂aⱼ = (1 if i = j, else 0) − pⱼ"),
    "softmax": _function("softmax", "∂pᵢ/∂aⱼ = pᵢ·((1 if i = j, else 0) − pⱼ)"),
    "logsumexp": _function("logsumexp", "∂log Σ exp(a)/∂aᵢ = softmax(a)ᵢ"),
}

# fmt: off
ELEMENTWISE = frozenset(
    {
        "add", "add_any", "sub", "mul", "div", "rem", "neg", "pow", "integer_pow", "square",
        "sqrt", "rsqrt", "cbrt", "exp", "exp2", "expm1", "log", "log1p", "logistic", "tanh",
        "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "asinh", "acosh",
        "atanh", "erf", "erfc", "erf_inv", "lgamma", "digamma", "abs", "sign", "floor", "ceil",
        "round", "max", "min", "clamp", "select_n", "nextafter", "stop_gradient", "copy",
        "convert_element_type", "gt", "lt", "ge", "le", "eq", "ne", "and", "or", "not", "xor",
        "is_finite", "relu", "relu6", "sigmoid", "log_sigmoid", "softplus", "silu", "elu",
        "leaky_relu", "gelu", "clip", "logaddexp",
    }
)
"""Operations whose every element depends on one element of each input."""

KEPT = frozenset(
    {
        "relu", "relu6", "sigmoid", "log_sigmoid", "softplus", "silu", "elu", "leaky_relu",
        "gelu", "clip", "log_softmax", "softmax", "logsumexp", "one_hot", "_one_hot",
    }
)
"""Compiled functions of JAX's own that are shown as one operation rather than opened."""

PLUMBING = frozenset(
    {
        "broadcast_in_dim", "reshape", "squeeze", "expand_dims", "copy", "copy_p", "device_put",
        "sharding_constraint", "optimization_barrier", "pvary", "name",
    }
)
"""Primitives that change only the form of their input; conversions are looked at one by one."""

# fmt: on
FLAT = frozenset({"sign", "floor", "ceil", "round", "stop_gradient"})
"""Primitives with floats in and out that pass no derivative on: JAX drops the path altogether."""

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def symbol(operation: str, facts: Mapping[str, Any]) -> str:
    """What is drawn in the operation's box."""
    word = WORDS.get(operation)
    if operation == "integer_pow":
        return f"a{str(facts['y']).translate(_SUPERSCRIPT)}"
    return word.symbol if word else operation.strip("_") or operation


def formula(operation: str, facts: Mapping[str, Any], position: int) -> str:
    """The derivative with respect to the input at a position, as a rule of calculus."""
    word = WORDS.get(operation)
    if word is None or position >= len(word.formulas):
        return f"∂{symbol(operation, facts)}/∂(input {position + 1})"
    text = word.formulas[position]
    return text.replace("{y}", str(facts["y"])) if "{y}" in text else text


def phrase(operation: str, facts: Mapping[str, Any], inputs: Sequence[str]) -> str:
    """The operation of some inputs, as it is read: ``price × count``, ``exp(v4)``."""
    word = WORDS.get(operation)
    if operation == "integer_pow":
        return f"{_bracketed(inputs[0])}{str(facts['y']).translate(_SUPERSCRIPT)}"
    pattern = word.phrase if word else ""
    if not pattern or f"{{{len(inputs)}}}" in pattern or f"{{{len(inputs) - 1}}}" not in pattern:
        return f"{symbol(operation, facts)}({', '.join(inputs)})"
    if "(" in pattern or pattern.startswith("|"):
        return pattern.format(*inputs)
    leads = pattern.startswith("{0} ") and operation != "pow"
    first, *rest = inputs
    return pattern.format(first if leads else _bracketed(first), *map(_bracketed, rest))


def _bracketed(text: str) -> str:
    """A negative number in brackets, as it is written after an operator."""
    return f"({text})" if text.startswith("−") else text


def number(value: Any, digits: int = 4) -> str:
    """A number to so many significant digits: ``0.7311``, ``−2``, ``1.2·10⁻⁵``, ``∞``, ``NaN``."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (complex, np.complexfloating)):
        return f"{number(value.real, digits)} + {number(value.imag, digits)}i"
    value = float(value)
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{digits}g}"
    if 10**digits <= abs(value) < 1e6:
        text = f"{value:.0f}"
    mantissa, _, power = text.partition("e")
    if power:
        raised = str(int(power)).translate(_SUPERSCRIPT)
        mantissa = f"10{raised}" if mantissa == "1" else f"{mantissa}·10{raised}"
    return ("0" if mantissa == "-0" else mantissa).replace("-", "−")


def shape(dimensions: Sequence[int]) -> str:
    """A shape as ``2×3``; empty for a number."""
    return "×".join(map(str, dimensions))


def summary(value: np.ndarray) -> str:
    """An array in a few letters: a number, at most three elements, or shape and norm."""
    if value.ndim == 0:
        return number(value[()])
    if 0 < value.size <= 3:
        return f"({', '.join(number(v) for v in value.reshape(-1))})"
    if value.dtype == bool:
        return f"{shape(value.shape)} · {int(value.sum())} true"
    return f"{shape(value.shape)} · ‖·‖ {number(norm(value))}"


def norm(value: np.ndarray) -> float:
    """The Euclidean norm of all elements, in double precision."""
    magnitude = np.abs(value).astype(np.float64)
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.sum(magnitude * magnitude)))
