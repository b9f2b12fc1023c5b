r"""Operations and their derivatives in TeX, and TeX as MathML.

Each operation that `fallline.gradients.graph.words` knows has one line here: how it is written, and
its derivative by each input. ``#a`` stands for the first input as it is, ``@a`` for the same in brackets
if it is a negative number, ``#b`` and ``#c`` for the others; ``#y`` is a whole power and ``#z`` the one
below it, as an exponent; ``#v`` is the operation's own value, ``#u`` the derivative that arrives at it.
"""

from __future__ import annotations

import functools
import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from latex2mathml import converter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Form(NamedTuple):
    """How an operation is written in TeX.

    Attributes:
        value: the operation itself.
        slopes: its derivative by each input.
        product: is a derivative put to use by multiplying with it, element by element? Otherwise
            ``slopes`` say what comes back, with ``#u`` for what arrives from above.
    """

    value: str
    slopes: tuple[str, ...]
    product: bool = True


def _function(name: str, *slopes: str) -> Form:
    inputs = ", ".join(["#a", "#b"][: len(slopes)])
    return Form(rf"{name}\left({inputs}\right)", slopes)


def _roman(name: str, *slopes: str) -> Form:
    return _function(rf"\mathrm{{{name}}}", *slopes)


def _cases(first: str, when: str, otherwise: str = "0") -> str:
    return rf"\begin{{cases}} {first} & {when} \\ {otherwise} & \text{{else}} \end{{cases}}"


def _back(value: str, *slopes: str) -> Form:
    return Form(value, slopes, product=False)


def _compared(sign: str) -> Form:
    return Form(f"#a {sign} #b", ("", ""))


_LOGISTIC = r"\sigma\left(#a\right) \cdot \left(1 - \sigma\left(#a\right)\right)"
_TAKEN = r"\mathrm{place}\left(#u\right)"

FORMS: dict[str, Form] = {
    "add": Form("#a + @b", ("1", "1")),
    "add_any": Form("#a + @b", ("1", "1")),
    "sub": Form("#a - @b", ("1", "-1")),
    "mul": Form(r"#a \times @b", ("#b", "#a")),
    "div": Form(r"\frac{#a}{#b}", (r"\frac{1}{#b}", r"-\frac{#a}{@b^{2}}")),
    "rem": Form(r"#a \bmod @b", ("1", r"-\mathrm{trunc}\left(\frac{#a}{#b}\right)")),
    "neg": Form("-@a", ("-1",)),
    "pow": Form("@a^{#b}", (r"@b \cdot @a^{#b - 1}", r"@a^{#b} \cdot \log\left(#a\right)")),
    "integer_pow": Form("@a^{#y}", (r"#y \cdot @a#z",)),
    "square": Form("@a^{2}", (r"2 \cdot @a",)),
    "sqrt": Form(r"\sqrt{#a}", (r"\frac{1}{2 \sqrt{#a}}",)),
    "rsqrt": Form(r"\frac{1}{\sqrt{#a}}", (r"-\frac{1}{2 #a \sqrt{#a}}",)),
    "cbrt": Form(r"\sqrt[3]{#a}", (r"\frac{1}{3 \sqrt[3]{@a^{2}}}",)),
    "exp": Form("e^{#a}", ("e^{#a}",)),
    "exp2": Form("2^{#a}", (r"2^{#a} \cdot \log 2",)),
    "expm1": Form("e^{#a} - 1", ("e^{#a}",)),
    "log": _function(r"\log", r"\frac{1}{#a}"),
    "log1p": Form(r"\log\left(1 + @a\right)", (r"\frac{1}{1 + @a}",)),
    "logistic": _function(r"\sigma", _LOGISTIC),
    "tanh": _function(r"\tanh", r"1 - \tanh^{2}\left(#a\right)"),
    "sin": _function(r"\sin", r"\cos\left(#a\right)"),
    "cos": _function(r"\cos", r"-\sin\left(#a\right)"),
    "tan": _function(r"\tan", r"1 + \tan^{2}\left(#a\right)"),
    "asin": _function(r"\arcsin", r"\frac{1}{\sqrt{1 - @a^{2}}}"),
    "acos": _function(r"\arccos", r"-\frac{1}{\sqrt{1 - @a^{2}}}"),
    "atan": _function(r"\arctan", r"\frac{1}{1 + @a^{2}}"),
    "atan2": _roman("atan2", r"\frac{#b}{@a^{2} + @b^{2}}", r"-\frac{#a}{@a^{2} + @b^{2}}"),
    "sinh": _function(r"\sinh", r"\cosh\left(#a\right)"),
    "cosh": _function(r"\cosh", r"\sinh\left(#a\right)"),
    "erf": _roman("erf", r"\frac{2}{\sqrt{\pi}} \cdot e^{-@a^{2}}"),
    "erfc": _roman("erfc", r"-\frac{2}{\sqrt{\pi}} \cdot e^{-@a^{2}}"),
    "lgamma": Form(r"\log\Gamma\left(#a\right)", (r"\psi\left(#a\right)",)),
    "abs": Form(
        r"\left|#a\right|",
        (r"\begin{cases} 1 & #a > 0 \\ -1 & #a < 0 \\ 0 & \text{else} \end{cases}",),
    ),
    "sign": _roman("sign", "0"),
    "floor": _roman("floor", "0"),
    "ceil": _roman("ceil", "0"),
    "round": _roman("round", "0"),
    "max": _function(r"\max", _cases("1", "#a > #b"), _cases("1", "#b > #a")),
    "min": _function(r"\min", _cases("1", "#a < #b"), _cases("1", "#b < #a")),
    "clamp": Form(
        r"\mathrm{clamp}\left(#b\right)",
        (_cases("1", "#b < #a"), _cases("1", "#a < #b < #c"), _cases("1", "#b > #c")),
    ),
    "stop_gradient": Form(r"\mathrm{stop}\left(#a\right)", ("0",)),
    "dot_general": _back(r"#a \cdot #b", r"#u \cdot #b^{\top}", r"#a^{\top} \cdot #u"),
    "reduce_sum": Form(r"\sum_{i} \left(#a\right)_{i}", ("1",)),
    "cumsum": _back(r"\mathrm{cumsum}\left(#a\right)", r"\sum_{i \geq j} \left(#u\right)_{i}"),
    "reduce_prod": Form(
        r"\prod_{i} \left(#a\right)_{i}", (r"\prod_{i \neq j} \left(#a\right)_{i}",)
    ),
    "reduce_max": Form(r"\max_{i} \left(#a\right)_{i}", (_cases("1", r"\text{at the greatest}"),)),
    "reduce_min": Form(r"\min_{i} \left(#a\right)_{i}", (_cases("1", r"\text{at the least}"),)),
    "argmax": Form(r"\arg\max_{i} \left(#a\right)_{i}", ("",)),
    "argmin": Form(r"\arg\min_{i} \left(#a\right)_{i}", ("",)),
    "transpose": _back(r"#a^{\top}", r"\left(#u\right)^{\top}"),
    "reshape": _back(r"\mathrm{reshape}\left(#a\right)", r"\mathrm{reshape}\left(#u\right)"),
    "squeeze": _back(r"\mathrm{squeeze}\left(#a\right)", r"\mathrm{reshape}\left(#u\right)"),
    "copy": Form("#a", ("1",)),
    "broadcast_in_dim": _back(r"\mathrm{repeat}\left(#a\right)", r"\sum_{\text{copies}} #u"),
    "convert_element_type": Form(r"\mathrm{convert}\left(#a\right)", ("1",)),
    "slice": _back(r"\mathrm{part}\left(#a\right)", _TAKEN),
    "dynamic_slice": _back(r"\mathrm{part}\left(#a\right)", _TAKEN),
    "gather": _back(r"\mathrm{take}\left(#a\right)", _TAKEN),
    "concatenate": _back(r"\mathrm{join}\left(#a, #b\right)"),
    "pad": _back(r"\mathrm{pad}\left(#a\right)", r"\mathrm{part}\left(#u\right)"),
    "rev": _back(r"\mathrm{reverse}\left(#a\right)", r"\mathrm{reverse}\left(#u\right)"),
    "sort": _back(r"\mathrm{sort}\left(#a\right)", r"\mathrm{unsort}\left(#u\right)"),
    "select_n": Form(
        r"\mathrm{where}\left(#a, #c, #b\right)",
        ("", _cases("0", "#a", "1"), _cases("1", "#a")),
    ),
    "gt": _compared(">"),
    "lt": _compared("<"),
    "ge": _compared(r"\geq"),
    "le": _compared(r"\leq"),
    "eq": _compared("="),
    "ne": _compared(r"\neq"),
    "and": _compared(r"\land"),
    "or": _compared(r"\lor"),
    "not": Form(r"\lnot #a", ("",)),
    "is_finite": Form(r"\mathrm{finite}\left(#a\right)", ("",)),
    "relu": _roman("relu", _cases("1", "#a > 0")),
    "relu6": _roman("relu6", _cases("1", "0 < #a < 6")),
    "sigmoid": _function(r"\sigma", _LOGISTIC),
    "log_sigmoid": Form(r"\log\sigma\left(#a\right)", (r"1 - \sigma\left(#a\right)",)),
    "softplus": Form(r"\log\left(1 + e^{#a}\right)", (r"\sigma\left(#a\right)",)),
    "silu": Form(
        r"#a \cdot \sigma\left(#a\right)",
        (
            r"\sigma\left(#a\right) \left(1 + @a \cdot \left(1 - \sigma\left(#a\right)\right)\right)",
        ),
    ),
    "elu": _roman("elu", _cases("1", "#a > 0", "e^{#a}")),
    "leaky_relu": _roman(
        "leaky",
        _cases("1", r"#a \geq 0", r"\text{slope}"),
        r"\min\left(#a, 0\right)",
    ),
    "gelu": Form(
        r"#a \cdot \Phi\left(#a\right)",
        (r"\Phi\left(#a\right) + @a \cdot \varphi\left(#a\right)",),
    ),
    "clip": Form(
        r"\mathrm{clip}\left(#a\right)",
        (_cases("1", "#b < #a < #c"), _cases("1", "#a < #b"), _cases("1", "#a > #c")),
    ),
    "logaddexp": Form(
        r"\log\left(e^{#a} + e^{#b}\right)",
        (r"\sigma\left(#a - @b\right)", r"\sigma\left(#b - @a\right)"),
    ),
    "log_softmax": _back(
        r"\log\mathrm{softmax}\left(#a\right)",
        r"#u - e^{#v} \sum_{i} \left(#u\right)_{i}",
    ),
    "softmax": _back(
        r"\mathrm{softmax}\left(#a\right)",
        r"#v \odot \left(#u - \sum_{i} \left(#u\right)_{i} \left(#v\right)_{i}\right)",
    ),
    "logsumexp": Form(
        r"\log\sum_{i} e^{\left(#a\right)_{i}}", (r"\mathrm{softmax}\left(#a\right)",)
    ),
}

_MARK = re.compile(r"[#@][abcuvyz]")
_LETTERS = "abc"
_NAME = re.compile(r"([A-Za-zβγ]+?)_?(\d*)")
_GREEK = frozenset(
    {"alpha", "beta", "gamma", "delta", "epsilon", "eta", "theta", "lambda", "mu", "nu", "rho"}
    | {"sigma", "phi", "psi", "omega"}
)

_LETTER = {"β": "beta", "γ": "gamma"}


def value_of(operation: str, inputs: Sequence[str], facts: Mapping[str, Any]) -> str:
    """An operation of some inputs in TeX: their symbols, or their numbers."""
    form = FORMS.get(operation)
    if form is None or _marks(form.value) > len(inputs):
        name = operation.strip("_").replace("_", r"\_")
        return rf"\mathrm{{{name}}}\left({', '.join(inputs)}\right)"
    return _filled(form.value, inputs, facts)


def slope_of(
    operation: str,
    position: int,
    inputs: Sequence[str],
    facts: Mapping[str, Any],
    upstream: str = "",
    value: str = "",
) -> str | None:
    """The derivative by the input at a position in TeX; None where there is no short way to write it."""
    form = FORMS.get(operation)
    if form is None or position >= len(form.slopes) or not form.slopes[position]:
        return None
    if _marks(form.slopes[position]) > len(inputs):
        return None
    return _filled(form.slopes[position], inputs, facts, upstream, value)


def _marks(pattern: str) -> int:
    """How many inputs a pattern speaks of."""
    return max((_LETTERS.find(mark[1]) + 1 for mark in _MARK.findall(pattern)), default=0)


def _filled(
    pattern: str,
    inputs: Sequence[str],
    facts: Mapping[str, Any],
    upstream: str = "",
    value: str = "",
) -> str:
    texts = dict(zip(_LETTERS, inputs, strict=False)) | {"u": upstream, "v": value}
    if isinstance(facts.get("y"), int):
        power = facts["y"] - 1
        texts |= {"y": str(facts["y"]), "z": "" if power == 1 else f"^{{{power}}}"}

    def text(found: re.Match[str]) -> str:
        mark = found[0]
        given = texts.get(mark[1], mark[1])
        # A number with a power of ten falls apart under an exponent as a negative one does.
        loose = given.startswith("-") or r"\cdot" in given
        return rf"\left({given}\right)" if mark[0] == "@" and loose else given

    return _MARK.sub(text, pattern)


def symbol(name: str) -> str:
    r"""The name of a value in TeX: ``v_{3}``, ``W_{1}``, ``\gamma_{1}``, ``\mathit{price}``."""
    found = _NAME.fullmatch(name)
    if not found:
        return rf"\mathit{{{name.replace('_', chr(92) + '_')}}}"
    letters, digits = _LETTER.get(found[1], found[1]), found[2]
    if letters in _GREEK:
        letters = rf"\{letters}"
    elif len(letters) > 1:
        letters = rf"\mathit{{{letters}}}"
    return rf"{letters}_{{{digits}}}" if digits else letters


def partial(output: str, by: str) -> str:
    r"""The derivative of one value by another, ``\frac{\partial f}{\partial x}``."""
    return rf"\frac{{\partial {output}}}{{\partial {by}}}"


def number(value: Any, digits: int = 4) -> str:
    """A number in TeX, to so many significant digits."""
    if isinstance(value, (bool, np.bool_)):
        return r"\text{true}" if value else r"\text{false}"
    value = float(value)
    if math.isnan(value):
        return r"\mathrm{NaN}"
    if math.isinf(value):
        return r"\infty" if value > 0 else r"-\infty"
    text = f"{value:.{digits}g}"
    if 10**digits <= abs(value) < 1e6:
        text = f"{value:.0f}"
    mantissa, _, power = text.partition("e")
    mantissa = "0" if mantissa == "-0" else mantissa
    return rf"{mantissa} \cdot 10^{{{int(power)}}}" if power else mantissa


def bracketed(text: str) -> str:
    """A number in brackets where it is negative, as it is written after a sign."""
    return rf"\left({text}\right)" if text.startswith("-") else text


@functools.lru_cache(4096)
def mathml(tex: str) -> str:
    """TeX as MathML, for display."""
    return converter.convert(tex, display="block")
