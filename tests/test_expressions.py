from __future__ import annotations

import ast
import inspect
import math
import pickle
import re
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fallline import FalllineError, expressions
from fallline.expressions import CONSTANTS, FUNCTIONS, parse

X = np.array([-1.7, -0.4, 0.3, 0.9, 2.2])
Y = np.array([0.5, 1.1, -0.8, 2.5, 0.2])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x + y", X + Y),
        ("x - y - 1", X - Y - 1),
        ("x*y/2", X * Y / 2),
        ("x/y/2", X / Y / 2),
        ("-x^2", -(X**2)),
        ("(-x)^2", X**2),
        ("x**3 - 3*x*y^2", X**3 - 3 * X * Y**2),
        ("2^-x", 2**-X),
        ("2^3^2", np.full(5, 512.0)),
        ("x^-2", X**-2.0),
        ("x^0", np.ones(5)),
        ("abs(x)^y", np.abs(X) ** Y),
        ("(1-x)^2 + 100*(y-x^2)^2", (1 - X) ** 2 + 100 * (Y - X**2) ** 2),
        ("+x--y", X + Y),
        ("1e-3*x + .5 + 2.", 1e-3 * X + 2.5),
        ("pi*x + e + tau", math.pi * X + math.e + 2 * math.pi),
        ("  x ", X),
        ("sin( x )*cos (y)", np.sin(X) * np.cos(Y)),
        ("min(x, y, 0.1) + max(x, y)", np.minimum(np.minimum(X, Y), 0.1) + np.maximum(X, Y)),
        ("pow(x, 2) + hypot(x, y) + atan2(y, x)", X**2 + np.hypot(X, Y) + np.arctan2(Y, X)),
        ("sigmoid(x) + relu(y)", 1 / (1 + np.exp(-X)) + np.maximum(Y, 0)),
        ("softplus(x) + sign(y) + floor(x) + ceil(y)",
         np.log1p(np.exp(X)) + np.sign(Y) + np.floor(X) + np.ceil(Y)),
        ("log(1+x^2) + ln(1+y^2)", np.log1p(X**2) + np.log1p(Y**2)),
        ("log10(abs(x)) + log2(abs(y)) + sqrt(abs(y))",
         np.log10(np.abs(X)) + np.log2(np.abs(Y)) + np.sqrt(np.abs(Y))),
        ("asin(y/3) + acos(y/3) + atan(x) + tan(y/3)",
         np.arcsin(Y / 3) + np.arccos(Y / 3) + np.arctan(X) + np.tan(Y / 3)),
        ("sinh(x) + cosh(y) + tanh(x) + exp(y)", np.sinh(X) + np.cosh(Y) + np.tanh(X) + np.exp(Y)),
    ],
)  # fmt: skip
def test_values_equal_numpy(text, expected):
    f = parse(text)
    np.testing.assert_allclose(f(X, Y), expected, rtol=2e-6, atol=1e-6)
    with jax.enable_x64(True):
        np.testing.assert_allclose(f(X, Y), expected, rtol=1e-13, atol=1e-13)


def test_every_function_was_compared():
    (table,) = test_values_equal_numpy.pytestmark
    texts = " ".join(text for text, _ in table.args[1])
    for name in [*FUNCTIONS, *CONSTANTS]:
        assert re.search(rf"\b{name}\b", texts), name


def test_called_like_a_function():
    f = parse("x - 2*y")
    assert float(f(5, y=1)) == float(f(y=1, x=5)) == float(f(5, 1)) == 3.0
    assert f(np.zeros(3), np.ones((2, 1))).shape == (2, 3)
    weights = parse("w*b", names=("w", "b"))
    assert float(weights(b=2.0, w=3.0)) == 6.0
    assert float(parse("e + 1", names=["e"])(2.0)) == 3.0
    for wrong in ([1.0], [1.0, 2.0, 3.0], []):
        with pytest.raises(FalllineError, match="takes one value for each of x, y; it was given"):
            f(*wrong)
    for named in ({"x": 1.0}, {"y": 1.0, "z": 2.0}):
        with pytest.raises(FalllineError, match="'x - 2.y' takes one value for each of x, y"):
            f(1.0, **named)


def test_traced_differentiated_and_batched():
    f = parse("x^2*y + sin(x)")
    slope = jax.grad(f, argnums=(0, 1))(1.5, 2.0)
    np.testing.assert_allclose(slope, [2 * 1.5 * 2 + math.cos(1.5), 1.5**2], rtol=1e-6)
    np.testing.assert_allclose(jax.jit(f)(X, Y), f(X, Y), rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(f)(jnp.array(X), jnp.array(Y)), f(X, Y), rtol=1e-6)
    # At 0 the power's logarithm would make NaN of a slope that is 0.
    assert float(jax.grad(parse("x^2 + y"))(0.0, 0.0)) == 0.0
    assert float(jax.grad(jax.grad(parse("x^3 + x^0")))(0.0, 0.0)) == 0.0


def test_whole_powers_are_exact():
    thirds = np.float32(X / 3)
    np.testing.assert_array_equal(parse("x^2")(thirds, 0.0), thirds * thirds)
    np.testing.assert_array_equal(parse("x^3")(thirds, 0.0), thirds * thirds * thirds)
    np.testing.assert_array_equal(parse("pow(x, 2)")(thirds, 0.0), thirds * thirds)


def test_shape_and_precision_are_the_arguments():
    for text in ("3", "pi*2^0.5", "2*x + 1.5"):
        f = parse(text)
        assert f(np.zeros((4, 3)), 1.0).shape == (4, 3)
        assert f(1, 2).dtype == jnp.float32
        assert f(jnp.zeros(3, jnp.bfloat16), jnp.zeros(3, jnp.bfloat16)).dtype == jnp.bfloat16
        assert f(jnp.arange(3), True).dtype == jnp.float32
        with jax.enable_x64(True):
            assert f(np.zeros(2), np.zeros(2)).dtype == np.float64
    assert np.array_equal(parse("3")(np.zeros(2), 0.0), [3.0, 3.0])


def test_an_expression_is_data():
    f, g = parse("x*y"), parse("x*y")
    assert f == g
    assert hash(f) == hash(g)
    assert f != parse("y*x")
    assert f != parse("x*y", names=("y", "x"))
    assert repr(f) == "Expression(text='x*y', names=('x', 'y'))"
    assert float(pickle.loads(pickle.dumps(f))(2.0, 3.0)) == 6.0


@pytest.mark.parametrize(
    ("text", "tex"),
    [
        ("x^2+y", r"x^{2} + y"),
        ("x-(y-1)", r"x - \left(y - 1\right)"),
        ("x-y-1", "x - y - 1"),
        ("-(x+y)*2*3", r"-\left(x + y\right) \cdot 2 \cdot 3"),
        ("x+-y", r"x + \left(-y\right)"),
        ("--x", r"-\left(-x\right)"),
        ("2*x/(1+y)", r"\frac{2 \, x}{1 + y}"),
        ("(x/y)^2", r"\left(\frac{x}{y}\right)^{2}"),
        ("(x^2)^y", r"\left(x^{2}\right)^{y}"),
        ("x^2^y", "x^{2^{y}}"),
        ("pow(x, -2)", "x^{-2}"),
        ("sqrt(abs(x))^2", r"\sqrt{\left|x\right|}^{2}"),
        ("sin(x)^2", r"\left(\sin\left(x\right)\right)^{2}"),
        ("max(x, 2, y)", r"\max\left(x, 2, y\right)"),
        ("1e-7*pi*tau", r"1 \cdot 10^{-7} \, \pi \, \tau"),
        ("+x", "+x"),
    ],
)
def test_in_tex(text, tex):
    assert parse(text).tex() == tex


def test_names_in_tex():
    assert parse("rate*w_1", names=("rate", "w_1")).tex() == r"\mathrm{rate} \, \mathrm{w\_1}"


def test_every_function_can_be_drawn():
    from matplotlib.mathtext import MathTextParser

    drawn = MathTextParser("path")
    for name, function in FUNCTIONS.items():
        tex = parse(f"2 - {name}({', '.join(['x'] * function.least)})^2").tex()
        assert drawn.parse(f"${tex}$").width > 0


NESTED = "(" * 300 + "x" + ")" * 99
POWERS = "9" + "^9" * 39


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (None, "A formula is a text; it was given NoneType"),
        (3, "A formula is a text; it was given int"),
        ("x" * 10_000, "has 10,000 characters, more than 400: make it shorter"),
        ("", "The formula is empty: write one, such as"),
        ("   ", "The formula is empty"),
        ("2x", r"Between '2' and 'x', at column 1, .* write 2\*x for their product"),
        ("1 + 2(x+1)", r"Between '2' and '\(', at column 5, .* write 2\*\(\.\.\.\) for"),
        ("(x)(y)", r"Between '\)' and '\(', at column 3"),
        ("(x)y", r"Between '\)' and 'y', at column 3"),
        ("x y", r"Between 'x' and 'y', at column 1, .* write x\*y"),
        ("1.2.3", r"Between '1\.2' and '\.3'"),
        ("1_000", "Between '1' and '_000'"),
        ("0x10", "Between '0' and 'x10'"),
        ("x + 1j", "Between '1' and 'j', at column 5"),
        ("sin x", r"Between 'sin' and 'x', .* write sin\(\.\.\.\)"),
        ("x(y+1)", r"'x' at column 1 is not a function: for a product write x\*\(\.\.\.\)"),
        ("1 + sin", r"'sin' at column 5 has no arguments: write sin\(\.\.\.\)"),
        ("x + zzz", r"There is nothing called 'zzz', at column 5: choose one of x, y, e, pi, tau"),
        ("x^2 + ypsilon + sinn", "nothing called 'ypsilon', at column 7"),
        ("x + sigmod(y)", "no function called 'sigmod', at column 5: did you mean 'sigmoid'?"),
        ("eval(x)", "There is no function called 'eval', at column 1"),
        ("X + y", "nothing called 'X', at column 1: did you mean 'x'?"),
        ("sin()", "'sin' at column 1 takes 1 argument; it was given 0"),
        ("sin(x, y)", "'sin' at column 1 takes 1 argument; it was given 2"),
        ("hypot(x)", "'hypot' at column 1 takes 2 arguments; it was given 1"),
        ("min(x)", "'min' at column 1 takes 2 arguments or more; it was given 1"),
        ("max(*x, y)", r"cannot hold '\*x', at column 5"),
        ("x = y^2", "cannot hold '=', at column 3: give only what stands right of it"),
        ("sin(x=1)", "cannot hold '=', at column 6"),
        ("x²", "cannot hold '²', at column 2: write \\^2"),
        ("2×x", "cannot hold '×', at column 2: write \\*"),
        ("x − y", "cannot hold '−', at column 3: write the - of the keyboard"),
        ("π", "cannot hold 'π', at column 1: write pi"),
        ("|x|", r"cannot hold '\|', at column 1: write abs"),
        ("[x]", r"cannot hold '\[', at column 1: use round brackets"),
        ("x\ny", "at column 2: write it on one line"),
        ("x\0", r"cannot hold '\\x00', at column 2"),
        ("ｅval(x)", "cannot hold 'ｅ', at column 1"),
        ("x٣", "cannot hold '٣', at column 2"),
        ("__import__('os')", 'cannot hold "\'", at column 12'),
        ("__import__(x)", "no function called '__import__', at column 1"),
        ("().__class__", r"cannot hold '\(\)\.__class__', at column 1"),
        ("x.real", r"cannot hold 'x\.real', at column 1: use numbers, x, y"),
        ("y + x.real(1)", r"cannot hold 'x\.real\(1\)', at column 5"),
        ("(x:=3)", "cannot hold ':', at column 3"),
        ("f'{x}'", 'cannot hold "\'", at column 2'),
        ("x # y", "cannot hold '#', at column 3"),
        ("x < y", "cannot hold '<', at column 3"),
        ("x // y", "cannot hold 'x // y', at column 1"),
        ("y + x, y", r"cannot hold 'y \+ x, y', at column 1"),
        ("()", r"cannot hold '\(\)', at column 1"),
        ("...", r"cannot hold '\.\.\.', at column 1"),
        ("True", "cannot hold 'True', at column 1"),
        ("1 + None", "cannot hold 'None', at column 5"),
        ("lambda x", "cannot hold 'lambda', at column 1"),
        ("x if y else x", "cannot hold 'if', at column 3"),
        ("2or x", "cannot hold 'or', at column 2"),
        ("(yield)", "cannot hold 'yield', at column 2"),
        ("not(x)", r"cannot hold 'not\(x\)', at column 1"),
        ("x^^2", r"cannot be read at '\^2', column 3"),
        ("x^2 + y^2 +* x", r"cannot be read at '\* x', column 12"),
        ("x +", "cannot be read at its end"),
        ("x^2 + y^", "cannot be read at its end"),
        ("  *x", r"cannot be read at '\*x', column 3"),
        ("x)+(y", "The bracket at column 2 closes none: remove it"),
        ("(x + (y)", "The bracket at column 1 is never closed: add a '\\)'"),
        ("1e39*x", "The number '1e39' at column 1 is too large"),
        ("x + 1e400", "The number '1e400' at column 5 is too large"),
        ("9" * 390, "The number '9{20}' at column 1 is too large"),
        (NESTED, "At column 41 more than 40 brackets are open: make the formula simpler"),
        ("-" * 399 + "x", "more than 40 levels: make it simpler"),
        ("x" + "^x" * 199, "more than 40 levels: make it simpler"),
    ],
)
def test_what_is_no_formula(text, part):
    with pytest.raises(FalllineError, match=part):
        parse(text)


def test_what_python_cannot_parse_is_said(monkeypatch):
    """A parser out of memory or stack, as other versions of Python may be sooner."""
    for error in (MemoryError, RecursionError, ValueError):

        def fail(*_, kind=error, **__):
            raise kind

        monkeypatch.setattr(expressions.ast, "parse", fail)
        with pytest.raises(FalllineError, match="nested too deeply"):
            parse("x")


def test_within_the_limits():
    assert float(parse("(" * 40 + "x" + ")" * 40)(2.0, 0.0)) == 2.0
    assert float(parse("-" * 38 + "x")(2.0, 0.0)) == 2.0
    assert float(parse("x" + "+x" * 39)(2.0, 0.0)) == 80.0
    with pytest.raises(FalllineError, match="more than 40 levels"):
        parse("x" + "+x" * 40)
    assert float(parse("x" + " " * 399)(2.0, 0.0)) == 2.0
    assert float(parse("max(" + ",".join(["-x"] * 99) + ",x)")(2.0, 0.0)) == 2.0
    with pytest.raises(FalllineError, match="more than 200 parts: make it simpler"):
        parse("max(" + ",".join(["-x"] * 100) + ")")


@pytest.mark.parametrize("text", ["9^9^9", "9**9**9", POWERS, "10^99", "2^1000^1000"])
def test_towers_of_powers_are_infinite_at_once(text):
    start = time.perf_counter()
    assert float(parse(text)(1.0, 1.0)) == math.inf
    assert time.perf_counter() - start < 5


PIECES = [
    *"xyez0129.,()()^*/+- _[]{}'\"\\:=<>!@#%&|~;`$?\n\t\r\0éπ²ｅ",
    *"** e+ 1e9 1j sin max( pow( lambda is __import__ __class__ eval( exec( None True 0x f'".split(),
    *(f" {word} " for word in "if else or and not in yield await import for".split()),
    *("((((((((", "--------", "^9^9^9", "\u202e", "\ud800", "\U0001f600"),
]
HOSTILE = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)


@given(HOSTILE | st.text(max_size=450))
@example("-" * 400)
@example("(" * 400)
@example("((" * 20 + "))" * 20)
@example("2_")
@example("1if 2else 3")
@example("\ufeffx")
def test_hostile_text_is_a_formula_or_a_sentence(text):
    start = time.perf_counter()
    sentence = None
    try:
        tex = parse(text).tex()
    except FalllineError as error:
        sentence = str(error)
    assert time.perf_counter() - start < 1
    if sentence is None:
        assert tex
        assert re.fullmatch(r"[\w.,()^*/+\- ]+", text, re.ASCII)
    else:
        assert sentence.endswith((".", "?"))


SUMS = st.recursive(
    st.sampled_from(["x", "y", "2", "0.5"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map("({0[0]}){0[1]}({0[2]})".format),
        st.tuples(inner, st.sampled_from("+-*"), inner).map("{0[0]}{0[1]}{0[2]}".format),
        inner.map("-({})".format),
        inner.map("({})^2".format),
        inner.map("sin({})".format),
    ),
    max_leaves=8,
)


@given(SUMS)
def test_precedence_is_that_of_python(text):
    def reference(node):
        match node:
            case ast.Constant(value=value):
                return np.float64(value)
            case ast.Name(id=name):
                return np.float64({"x": 0.7, "y": -1.3}[name])
            case ast.UnaryOp(operand=operand):
                return -reference(operand)
            case ast.Call(args=[argument]):
                return np.sin(reference(argument))
        left, right = reference(node.left), reference(node.right)
        return {
            ast.Add: left + right, ast.Sub: left - right, ast.Mult: left * right,
            ast.Div: left / right if right else left * np.inf, ast.Pow: np.power(left, right),
        }[type(node.op)]  # fmt: skip

    if len(text) > 400:
        return
    with jax.enable_x64(True), np.errstate(all="ignore"):
        expected = reference(ast.parse(text.replace("^", "**"), mode="eval").body)
        if np.isfinite(expected) and abs(expected) < 1e6:
            found = float(parse(text)(0.7, -1.3))
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_nothing_is_ever_executed():
    source = inspect.getsource(expressions)
    tree = ast.parse(source)
    called = {
        n.func.id
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
    }
    assert called.isdisjoint({"eval", "exec", "compile", "__import__", "getattr", "globals"})
    assert not re.search(r"\b(eval|exec)\(", source)
    assert re.findall(r"\w+\.compile\(", source) == ["re.compile("] * source.count("compile(")
