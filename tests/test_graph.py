from __future__ import annotations

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.ad_checkpoint import checkpoint_name

from fallline import FalllineError
from fallline.gradients import examples
from fallline.gradients.graph import MOST_NODES, Local, Summary, graph, words
from fallline.losses import LOSSES
from fallline.models import MLP


def of(example):
    f, args, names = example()
    return graph(f, *args, names=names)


def made(g):
    return [node.operation for node in g.nodes if node.kind == "operation"]


def derivatives(g):
    return {node.label: node.derivative for node in g.nodes if node.kind in ("input", "parameter")}


# --- the numbers of the books ---------------------------------------------------------------------


def test_the_price_of_two_apples():
    g = of(examples.price)
    assert g.value == pytest.approx(220)
    np.testing.assert_allclose(g.gradients, (2.2, 110, 200), rtol=1e-6)
    assert [(n.kind, n.label, n.operation) for n in g.nodes] == [
        ("input", "apple", ""),
        ("input", "count", ""),
        ("input", "tax", ""),
        ("operation", "v1", "×"),
        ("operation", "v2", "×"),
        ("output", "price", ""),
    ]
    assert [(e.source, e.target) for e in g.edges] == [(0, 3), (1, 3), (3, 4), (2, 4), (4, 5)]
    np.testing.assert_allclose([e.derivative for e in g.edges], [2.2, 110, 1.1, 200, 1], rtol=1e-6)
    np.testing.assert_allclose([e.value for e in g.edges], [100, 2, 200, 1.1, 220], rtol=1e-6)
    first, second = g.node("v1").local
    assert (first.formula, second.formula) == ("∂(a·b)/∂a = b", "∂(a·b)/∂b = a")
    assert (first.value, second.value) == (2, 100)
    assert first.summary == Summary((), 2.0, 2.0, 2.0)
    assert g.check() == g.deviation < 1e-6


def test_two_fruits():
    g = of(examples.two_fruits)
    assert g.value == pytest.approx(715)
    np.testing.assert_allclose(g.gradients, (2.2, 110, 3.3, 165, 650), rtol=1e-6)


def test_a_neuron():
    """The numbers that the notes of CS231n write on their drawing, to two digits."""
    g = of(examples.neuron)
    assert g.value == pytest.approx(0.73, abs=0.005)
    np.testing.assert_allclose(g.gradients, (-0.20, 0.39, -0.39, -0.59, 0.20), atol=0.01)
    by_operation = [(n.operation, float(n.derivative)) for n in g.nodes if n.operation]
    assert [name for name, _ in by_operation] == ["×", "×", "+", "+", "neg", "exp", "+", "÷"]
    np.testing.assert_allclose(
        [d for _, d in by_operation], [0.2, 0.2, 0.2, 0.2, -0.2, -0.53, -0.53, 1], atol=0.01
    )


def test_softmax_and_cross_entropy():
    g = of(examples.softmax_cross_entropy)
    z, t = examples.softmax_cross_entropy().args
    p = np.exp(z) / np.exp(z).sum()
    assert g.value == pytest.approx(-np.log(p[2]), rel=1e-6)
    np.testing.assert_allclose(g.gradients[0], p - t, rtol=2e-6)
    # The exponentials are used twice: their derivative is the sum of both paths.
    raised = next(node for node in g.nodes if node.operation == "exp")
    paths = [edge.derivative for edge in g.edges if edge.source == raised.id]
    assert len(paths) == 2
    np.testing.assert_array_equal(raised.derivative, paths[0] + paths[1])


def test_two_layers_by_numpy():
    """The gradients of a network, written out by hand."""
    g = of(examples.two_layers)
    params, x, t = examples.two_layers().args
    first, second = params["affine1"], params["affine2"]
    before = x @ first["weights"] + first["bias"]
    hidden = np.maximum(before, 0)
    raised = np.exp(hidden @ second["weights"] + second["bias"])
    p = raised / raised.sum(1, keepdims=True)
    assert g.value == pytest.approx(-np.mean(np.log(p[t == 1])), rel=1e-5)
    d_logits = (p - t) / 2
    d_before = (d_logits @ second["weights"].T) * (before > 0)
    wanted = {
        "affine1/weights": x.T @ d_before,
        "affine1/bias": d_before.sum(0),
        "affine2/weights": hidden.T @ d_logits,
        "affine2/bias": d_logits.sum(0),
        "x": d_before @ first["weights"].T,
    }
    found = derivatives(g)
    assert set(found) == {*wanted, "t"}
    for name, derivative in wanted.items():
        np.testing.assert_allclose(found[name], derivative, rtol=1e-4, atol=1e-6)
    assert jax.tree.structure(g.gradients) == jax.tree.structure((params, x, t))
    np.testing.assert_array_equal(g.gradients[0]["affine1"]["bias"], found["affine1/bias"])


# --- every node against other truths --------------------------------------------------------------

UNARY = {
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tanh": jnp.tanh,
    "exp": lambda a: jnp.exp(0.3 * a),
    "log": lambda a: jnp.log(a * a + 1.5),
    "sqrt": lambda a: jnp.sqrt(a * a + 0.5),
    "rsqrt": lambda a: jax.lax.rsqrt(a * a + 0.5),
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "relu": jax.nn.relu,
    "abs": jnp.abs,
    "cube": lambda a: a**3,
    "log1p": lambda a: jnp.log1p(a * a),
    "where": lambda a: jnp.where(a > 0.3, a * 2, jnp.sin(a)),
    "stop": lambda a: a + jax.lax.stop_gradient(a),
}
BINARY = {
    "add": jnp.add,
    "sub": jnp.subtract,
    "mul": jnp.multiply,
    "div": lambda a, b: a / (b * b + 1),
    "max": jnp.maximum,
    "min": jnp.minimum,
    "pow": lambda a, b: (a * a + 1) ** jnp.tanh(b),
    "atan2": lambda a, b: jnp.arctan2(a, b * b + 1),
}
STEPS = st.lists(
    st.tuples(st.sampled_from([*UNARY, *BINARY]), st.integers(0, 99), st.integers(0, 99)),
    min_size=1,
    max_size=9,
)
NUMBERS = st.lists(st.floats(-2, 2, width=32), min_size=3, max_size=3)


def program(steps):
    """A function of three numbers: each step takes one or two of all values so far."""

    def f(*xs):
        values = list(xs)
        for name, i, j in steps:
            a, b = values[i % len(values)], values[j % len(values)]
            values.append(UNARY[name](a) if name in UNARY else BINARY[name](a, b))
        return values[-1] + 0.5 * values[-2]

    return f


@settings(max_examples=15)
@given(STEPS, NUMBERS)
def test_the_derivative_of_every_node(steps, xs):
    """Against jax.grad of everything after the node, and of the whole at the inputs."""
    with jax.enable_x64(True):
        g = graph(program(steps), *xs)
        assert g.deviation < 1e-9
        for node in g.nodes:
            if node.kind == "constant" or node.derivative is None:
                continue
            after = jax.grad(lambda value, node=node: g.evaluate({node.id: value}))(
                jnp.asarray(node.value)
            )
            np.testing.assert_allclose(node.derivative, after, rtol=1e-9, atol=1e-12)


@settings(max_examples=10)
@given(STEPS, NUMBERS)
def test_the_steps_are_the_graph(steps, xs):
    g = graph(program(steps), *xs)
    told = list(g.step())
    directions = [step.direction for step in told]
    assert directions == sorted(directions, reverse=True)
    forward = [step.node for step in told if step.direction == "forward"]
    assert forward == [node.id for node in g.nodes if node.kind == "operation"]
    visited = [step.node for step in told if step.direction == "backward"]
    assert visited == sorted(visited, reverse=True)
    totals = {}
    for step in told:
        if step.direction == "backward":
            assert step.upstream is g.nodes[step.node].derivative
            if step.local.form == "number" and np.isfinite(step.upstream * step.local.value):
                # Exactly: what is shown is what was used.
                assert step.result == np.float32(step.upstream * step.local.value)
            totals[step.input] = step.total
    for identity, total in totals.items():
        np.testing.assert_array_equal(total, g.nodes[identity].derivative)


@pytest.mark.parametrize("example", examples.EXAMPLES)
def test_finite_differences_downstream(example, x64):
    g = of(examples.EXAMPLES[example])
    for node in g.nodes:
        if node.kind == "constant":
            continue
        slopes = np.zeros(node.value.size)
        for i in range(node.value.size):
            h = 1e-5 * max(1.0, abs(node.value.reshape(-1)[i]))
            ends = []
            for sign in (1, -1):
                moved = node.value.copy().reshape(-1)
                moved[i] += sign * h
                ends.append(float(g.evaluate({node.id: moved.reshape(node.value.shape)})))
            slopes[i] = (ends[0] - ends[1]) / (2 * h)
        np.testing.assert_allclose(node.derivative.reshape(-1), slopes, rtol=1e-6, atol=1e-8)
    assert g.check(1e-12) < 1e-12


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_every_loss_on_a_small_network(name):
    loss = LOSSES[name]
    outputs = 3 if loss.task == "classification" and not loss.binary else 1
    model = MLP(2, (3,), outputs, activation="tanh")
    params = model.init(jax.random.key(1))
    x = np.array([[0.5, -1.0], [2.0, 0.3]])
    y = np.array([2, 0]) if outputs == 3 else np.array([1.0, 0.0])

    def objective(params):
        out = model(params, x)
        out = jax.nn.softmax(out) if name == "cross_entropy" else out
        return jnp.mean(loss(out, y) if callable(loss) else loss.function(out, y))

    g = graph(objective, params)
    assert g.check() <= 1e-4
    assert {n.layer for n in g.nodes if n.kind == "parameter"} == {"affine1", "affine2"}
    grouped = g.grouped()
    assert {"affine1", "affine2"} <= {n.label for n in grouped.nodes if n.kind == "layer"}


# --- what the graph shows -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x", "local"),
    [
        (lambda a: -a, 3.0, -1),
        (jnp.exp, 1.0, np.e),
        (jnp.log, 4.0, 0.25),
        (jnp.log1p, 4.0, 0.2),
        (jnp.sqrt, 4.0, 0.25),
        (jax.lax.rsqrt, 4.0, -1 / 16),
        (jnp.tanh, 0.0, 1),
        (jax.lax.logistic, 0.0, 0.25),
        (jnp.sin, 0.0, 1),
        (jnp.cos, np.pi / 2, -1),
        (jnp.abs, -2.0, -1),
        (jnp.sign, -2.0, 0),
        (jax.nn.relu, -2.0, 0),
        (jax.nn.relu, 2.0, 1),
        (jax.nn.softplus, 0.0, 0.5),
        (lambda a: a**5, 2.0, 80),
        (jnp.square, 3.0, 6),
        (lambda a: a**2.5, 4.0, 20),
    ],
)
def test_local_derivatives_by_the_rules_of_calculus(f, x, local):
    g = graph(lambda x: f(x) * 2, x)
    operation = next(n for n in g.nodes if n.kind == "operation")
    found = operation.local[0]
    assert found.form == "number"
    assert found.value == pytest.approx(local, abs=1e-6)
    assert found.formula.startswith("∂")
    assert operation.primitive in words.WORDS or operation.called in words.WORDS


def test_the_forms_of_local_derivatives():
    A = np.arange(6.0).reshape(2, 3)
    g = graph(lambda x, b: jnp.sum(jnp.exp(A @ x + b)), np.array([0.1, 0.2, 0.3]), 0.5)
    dot, plus, exp, total = (n for n in g.nodes if n.kind == "operation")
    by_input = {local.input: local for local in dot.local}
    assert by_input[0].form == "jacobian"
    np.testing.assert_allclose(by_input[0].value, A)
    assert by_input[0].summary == Summary((2, 3), pytest.approx(np.linalg.norm(A)), 0.0, 5.0)
    # The number b is added to both elements: its local derivative has one entry for each.
    assert [local.form for local in plus.local] == ["elementwise", "elementwise"]
    np.testing.assert_array_equal(plus.local[1].value, [1, 1])
    np.testing.assert_allclose(exp.local[0].value, np.exp(plus.value), rtol=1e-6)
    assert total.local[0].form == "jacobian"
    large = graph(lambda x: jnp.sum(jnp.cumsum(x)), np.ones(40))
    local = large.nodes[1].local[0]
    assert (local.form, local.value) == ("summary", None)
    assert local.summary == Summary((40, 40), pytest.approx(np.sqrt(820)), 0.0, 1.0)
    huge = graph(lambda x: jnp.sum(jnp.cumsum(x)), np.ones(1500)).nodes[1].local[0]
    assert huge.summary == Summary((1500, 1500), None, None, None)


def test_local_derivatives_keep_the_precision_of_the_graph():
    with jax.enable_x64(True):
        g = graph(lambda x: jnp.sum(jnp.exp(x)), np.array([0.1, 0.2]))
    assert g.precision == "float64"
    assert g.nodes[1].local[0].value.dtype == np.float64
    assert float(g.evaluate({})) == g.value
    np.testing.assert_array_equal(g.nodes[1].local[0].value, np.exp([0.1, 0.2]))


def test_sentences():
    said = [step.sentence for step in of(examples.price).step()]
    assert said == [
        "v1 = apple × count = 100 × 2 = 200",
        "v2 = v1 × tax = 200 × 1.1 = 220",
        "∂price/∂v2 = 1",
        "∂price/∂v1 = ∂price/∂v2 × ∂v2/∂v1 = 1 × 1.1 = 1.1",
        "∂price/∂tax = ∂price/∂v2 × ∂v2/∂tax = 1 × 200 = 200",
        "∂price/∂apple = ∂price/∂v1 × ∂v1/∂apple = 1.1 × 2 = 2.2",
        "∂price/∂count = ∂price/∂v1 × ∂v1/∂count = 1.1 × 100 = 110",
    ]
    said = [s.sentence for s in graph(lambda x: x * x + jnp.exp(-x) / 4, -3.0).step()]
    assert "v1 = x × x = −3 × (−3) = 9" in said
    before = "∂output/∂x = ∂output/∂v1 × ∂v1/∂x = 1 × (−3) = −3; with the paths before, "
    assert any(s.startswith(before) for s in said)
    said = [s.sentence for s in graph(lambda x: jnp.sum(x**3), np.arange(20.0)).step()]
    assert said[0] == f"v1 = x³: 20 · ‖·‖ {words.number(np.linalg.norm(np.arange(20.0) ** 3))}"
    assert "⊙" in said[-1]


def test_numbers_as_they_are_read():
    shown = [
        220.0,
        0.73114,
        -2.0,
        1.2e-5,
        1e20,
        np.nan,
        np.inf,
        -np.inf,
        123456.0,
        -0.0,
        True,
        1 + 2j,
    ]
    read = ["220", "0.7311", "−2", "1.2·10⁻⁵", "10²⁰", "NaN", "∞", "−∞", "123456", "0", "true"]
    assert [words.number(value) for value in shown] == [*read, "1 + 2i"]
    assert words.number(0.123456, 3) == "0.123"
    assert words.summary(np.array([1.0, -2.0])) == "(1, −2)"
    assert words.summary(np.ones((4, 4))) == "4×4 · ‖·‖ 4"
    assert words.summary(np.array([True, False] * 4)) == "8 · 4 true"
    assert words.summary(np.zeros((0, 2))) == "0×2 · ‖·‖ 0"


def test_names():
    f, args, _ = examples.price()
    assert graph(f, *args, names=["a", "b", "c"]).nodes[1].label == "b"
    g = graph(f, *args, names={"apple": "a price", "output": "total"})
    assert [n.label for n in g.nodes] == ["a price", "count", "tax", "v1", "v2", "total"]
    tree = {"layer": {"w": 1.0}, "list": [2.0, 3.0]}
    g = graph(lambda p, *more: p["layer"]["w"] * p["list"][1] + more[0], tree, 4.0)
    assert [n.label for n in g.nodes[:4]] == ["p/layer/w", "p/list/0", "p/list/1", "more/0"]
    g = graph(lambda p: p["layer"]["w"] * p["list"][1], tree, names={"p/list": "l"})
    assert [n.label for n in g.nodes[:3]] == ["p/layer/w", "l/0", "l/1"]
    assert g.output.label == "output"
    titled = graph(lambda x: checkpoint_name(x * 2, "twice") + 1, 3.0)
    assert titled.node("twice").value == 6
    assert made(titled) == ["×", "+"]
    assert graph(jnp.sin, 1.0).nodes[0].label == "x"


def test_an_input_used_twice_sums():
    g = graph(lambda x: x * x, 3.0)
    assert [e.derivative for e in g.edges] == [3, 3, 1]
    assert g.gradients == (6,)


def test_an_input_not_used_has_derivative_0():
    g = graph(lambda x, y: jnp.sin(x), 1.0, np.ones((2, 2)))
    np.testing.assert_array_equal(g.gradients[1], np.zeros((2, 2)))
    assert len(g.nodes) == 4
    constant = graph(lambda x: 7.0, 1.0)
    assert (constant.value, constant.gradients) == (7, (0,))
    assert [n.kind for n in constant.nodes] == ["input", "constant", "output"]
    nothing = graph(lambda: jnp.float32(2.0) * 3)
    assert (nothing.value, nothing.gradients) == (6, ())


def test_a_function_that_returns_its_input():
    g = graph(lambda x: x, 5.0)
    assert [n.kind for n in g.nodes] == ["input", "output"]
    assert (g.value, g.gradients) == (5, (1,))
    assert [s.sentence for s in g.step()] == ["∂output/∂x = 1"]


def test_whole_numbers():
    """Python's count as real numbers; arrays of whole numbers are indices, without derivative."""
    g = graph(lambda x, i: x[i] * 2, np.array([1.0, 5.0]), np.int32(1))
    assert g.value == 10
    np.testing.assert_array_equal(g.gradients[0], [0, 2])
    assert g.gradients[1] is None
    assert graph(lambda a, n: a * n, 2.0, 3).gradients == (3, 2)
    table = graph(lambda x, i: jnp.sum(x[i] ** 2), np.arange(4.0), np.array([1, 1, 3]))
    np.testing.assert_array_equal(table.gradients[0], [0, 4, 0, 6])
    assert "take" in made(table)
    for node in table.nodes:
        assert (node.derivative is None) == (node.value.dtype.kind in "ib")


def test_constants_are_folded():
    g = graph(lambda x: x * (jnp.sum(jnp.arange(4.0)) + jnp.exp(0.0)), 2.0)
    assert made(g) == ["×"]
    assert [n.label for n in g.nodes if n.kind == "constant"] == ["7"]
    A = np.ones((2, 3))
    g = graph(lambda x: jnp.sum(A @ x), np.ones(3))
    assert [n.label for n in g.nodes if n.kind == "constant"] == ["constant 2×3"]


def test_a_choice():
    f = lambda x, y: jnp.where(x > y, x * 3, y)  # noqa: E731
    g = graph(f, 2.0, 1.0)
    assert g.gradients == (3, 0)
    assert made(g) == [">", "×", "where"]
    chosen = g.nodes[-2]
    assert [local.form for local in chosen.local] == ["none", "number", "number"]
    assert "v3 = where(v1, v2, y) = where(true, 6, 1) = 6" in [s.sentence for s in g.step()]


def test_no_derivative_goes_where_jax_sends_none():
    """0 times infinity would be NaN; jax.grad does not even look down such a path."""
    g = graph(lambda x: x + jnp.sign(jnp.log(x)) + jax.lax.stop_gradient(1 / x), 0.0)
    assert g.gradients == (1,)
    assert g.deviation == 0
    safe = graph(lambda x: jnp.sqrt(jnp.where(x > 5, x, 0.0)), 1.0)
    assert safe.deviation == 0
    assert safe.gradients == (0,)


def test_not_a_number_is_shown_as_such():
    g = graph(lambda x: jnp.log(x) * 2, -1.0)
    assert np.isnan(g.value)
    assert g.deviation == 0
    assert any("NaN" in step.sentence for step in g.step())
    text = json.dumps(g.to_json(), allow_nan=False)
    assert '"NaN"' in text
    assert json.loads(text)["value"] == "NaN"
    assert json.loads(json.dumps(graph(lambda x: 1 / x, 0.0).to_json()))["value"] == "Infinity"
    assert "NaN" in g.to_dot()


def test_plumbing_is_hidden_and_keeps_the_connections():
    def f(x, b):
        return jnp.sum(x.reshape(2, 2) + b[None, :])

    x, b = np.arange(4.0), np.array([1.0, 2.0])
    plain, detailed = graph(f, x, b), graph(f, x, b, detail=True)
    assert made(plain) == ["+", "Σ"]
    assert {"reshape", "repeat"} <= set(made(detailed))
    for one, other in zip(plain.gradients, detailed.gradients, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(plain.gradients[1], [2, 2])
    assert plain.nodes[2].inputs == (0, 1)
    # A conversion that changes the value, a cut to whole numbers, is not plumbing.
    cut = graph(lambda x: x + x.astype(int).astype(float), 2.7)
    assert made(cut) == ["convert", "+"]
    assert cut.gradients == (1,)
    assert graph(lambda x: jnp.sum(x).reshape(1, 1)[0, 0], np.ones(2)).value == 2


def test_functions_with_a_rule_of_their_own():
    @jax.custom_vjp
    def wrong(x):
        return x * x

    wrong.defvjp(lambda x: (x * x, x), lambda x, upstream: (upstream * 7,))
    g = graph(lambda x: wrong(x) * 3, 2.0)
    assert made(g) == ["wrong", "×"]
    assert g.gradients == (21,)
    assert g.check() == 0
    assert g.nodes[1].local[0].value == 7
    assert g.nodes[1].local[0].formula == "the own rule of wrong"

    @jax.custom_vjp
    def clipped(x):
        return x

    clipped.defvjp(lambda x: (x, None), lambda _, upstream: (jnp.clip(upstream, -1, 1),))
    g = graph(lambda x: clipped(x) * 3, 2.0)
    assert g.gradients == (1,)
    assert any(
        "the own rule of clipped makes it of ∂output/∂v1 = 3" in s.sentence for s in g.step()
    )

    @jax.custom_jvp
    def twice(x):
        return 2 * x

    twice.defjvp(lambda primals, tangents: (twice(*primals), 5 * tangents[0]))
    assert graph(lambda x: twice(x) + 1, 1.0).gradients == (5,)


def test_what_is_opened_and_what_is_kept():
    @jax.jit
    def block(x):
        return jnp.sin(x) * 2

    assert made(graph(lambda x: block(x) + block(x), 1.0)) == ["sin", "×", "sin", "×", "+"]
    g = graph(lambda x: block(x) + 1, 1.0, keep={"block"})
    assert made(g) == ["block", "+"]
    assert g.gradients[0] == pytest.approx(2 * np.cos(1))
    softened = lambda x: jnp.sum(jax.nn.log_softmax(x) ** 2)  # noqa: E731
    assert made(graph(softened, np.arange(3.0)))[0] == "log_softmax"
    opened = graph(softened, np.arange(3.0), keep=())
    assert "exp" in made(opened)
    assert opened.check() <= 1e-4
    assert made(graph(jax.checkpoint(lambda x: jnp.sin(x) ** 2), 1.0)) == ["sin", "a²"]


def test_loops_and_branches_are_one_operation():
    def power(x, n):
        return jax.lax.fori_loop(0, 3, lambda _, c: c * x, jnp.asarray(n))

    g = graph(power, 2.0, 1.0)
    assert [n.primitive for n in g.nodes if n.kind == "operation"] == ["scan"]
    np.testing.assert_allclose(g.gradients, (12, 8))

    def both(x):
        final, each = jax.lax.scan(lambda c, a: (c * a, c + a), 1.0, x)
        return final + jnp.sum(each)

    g = graph(both, np.array([2.0, 3.0]))
    assert [n.operation for n in g.nodes if n.primitive == "scan"] == ["scan [1]", "scan [2]"]
    assert g.check() <= 1e-5
    branch = graph(lambda x: jax.lax.cond(x > 0, jnp.sin, jnp.cos, x), 1.0)
    assert branch.gradients[0] == pytest.approx(np.cos(1))


def test_random_numbers_inside():
    g = graph(lambda x, k: jnp.sum(jax.random.normal(k, (3,)) * x), 2.0, jax.random.PRNGKey(0))
    assert g.check() <= 1e-5
    json.dumps(g.to_json())


def test_half_precision_and_complex_numbers_between():
    g = graph(lambda x: jnp.sum(x * x), jnp.ones(3, jnp.bfloat16))
    assert g.precision == "bfloat16"
    assert g.check() == 0
    json.dumps(g.to_json())
    g = graph(lambda x: jnp.sum(jnp.abs(jnp.fft.fft(x)) ** 2), np.arange(4.0))
    assert g.check() <= 1e-4
    json.dumps(g.to_json(), allow_nan=False)


# --- other values, searching, checking ------------------------------------------------------------


def test_evaluate():
    g = of(examples.price)
    assert g.evaluate({}) == g.value
    assert g.evaluate({g.node("count").id: 3.0}) == pytest.approx(330)
    assert g.evaluate({g.node("v1").id: 0.0}) == 0
    with pytest.raises(FalllineError, match="There is no node 17: the ids are 0 to 5"):
        g.evaluate({17: 1.0})
    with pytest.raises(FalllineError, match=r"Node 0 has shape \(\); it was given \(2,\)"):
        g.evaluate({0: np.ones(2)})
    with pytest.raises(FalllineError, match="no node called 'aple': did you mean 'apple'"):
        g.node("aple")


def test_check_tells_of_a_deviation():
    g = of(examples.neuron)
    with pytest.raises(FalllineError, match="derivatives of neuron are .* away from jax.grad's"):
        g.check(-1.0)
    # Not by jax.grad but by a graph whose derivatives were changed.
    from fallline.gradients.graph.whole import deviation

    a = np.array([1.0, 200.0, np.nan, np.inf])
    assert deviation(a, a) == 0
    assert deviation(a, a + np.array([0, 2, 0, 0])) == pytest.approx(2 / 202)
    assert deviation(a, np.ones(4)) == np.inf
    assert deviation(np.ones(0), np.ones(0)) == 0


# --- layers ---------------------------------------------------------------------------------------


def test_layers_by_scope():
    g = of(examples.two_layers).grouped()
    shown = [(n.kind, n.label) for n in g.nodes]
    assert shown == [
        ("input", "x"),
        ("input", "t"),
        ("layer", "affine1"),
        ("layer", "relu1"),
        ("layer", "affine2"),
        ("layer", "softmax cross-entropy"),
        ("output", "loss"),
    ]
    affine = g.node("affine1")
    assert [p.label for p in affine.parameters] == ["affine1/bias", "affine1/weights"]
    before = of(examples.two_layers)
    assert [before.nodes[i].layer for i in affine.members] == ["affine1"] * 4
    last = before.nodes[max(i for i in affine.members)]
    np.testing.assert_array_equal(affine.value, last.value)
    np.testing.assert_array_equal(affine.derivative, last.derivative)
    assert [(e.source, e.target) for e in g.edges] == [
        (0, 2),
        (2, 3),
        (3, 4),
        (4, 5),
        (1, 5),
        (5, 6),
    ]
    assert g.grouped().nodes == g.nodes
    for call in (g.step, lambda: g.evaluate({})):
        with pytest.raises(FalllineError, match="grouped graph"):
            call()


def test_layers_by_parameters():
    """Without scopes: an activation belongs to the layer before it, the loss to none."""
    model = MLP(2, (3,), 1, activation="relu")
    params = model.init(jax.random.key(0))
    x, y = np.ones((4, 2)), np.arange(4.0)
    g = graph(lambda p: jnp.mean((model(p, x)[:, 0] - y) ** 2), params)
    layers = {(n.operation, n.layer) for n in g.nodes if n.kind == "operation"}
    assert {("dot", "affine1"), ("+", "affine1"), ("dot", "affine2"), ("+", "affine2")} <= layers
    assert {("relu", "affine1"), ("relu", "relu1")} & layers
    assert {("−", None), ("Σ", None)} <= layers
    named = graph(
        lambda p: p["a"] * p["b"],
        {"a": 2.0, "b": 3.0},
        group=lambda path: "both" if path.startswith("p/") else None,
    )
    assert [n.layer for n in named.nodes] == ["both", "both", "both", None]


def test_a_layer_entered_again_becomes_two():
    """One box for a weight used before and after another layer would be its own ancestor."""

    def f(p, x):
        with jax.named_scope("first"):
            x = p["a"]["w"] * x
        with jax.named_scope("second"):
            x = p["b"]["w"] * x
        with jax.named_scope("first"):
            return p["a"]["w"] * x

    g = graph(f, {"a": {"w": 2.0}, "b": {"w": 3.0}}, 5.0).grouped()
    assert [n.label for n in g.nodes if n.kind == "layer"] == ["first", "second", "first (2)"]
    assert all(e.source < e.target for e in g.edges)
    # The weight that both use belongs to neither.
    assert "p/a/w" in [n.label for n in g.nodes]


def test_a_value_used_twice_in_a_layer_enters_once():
    def f(x):
        y = jnp.sin(x)
        with jax.named_scope("square"):
            return y * y

    g = graph(f, 1.0)
    inner = g.grouped()
    into = [e for e in inner.edges if inner.nodes[e.target].kind == "layer"]
    assert len(into) == 1
    assert into[0].derivative == g.nodes[1].derivative


def test_no_layers():
    with pytest.raises(FalllineError, match="no layers to group: write them under jax.named_scope"):
        of(examples.price).grouped()


# --- as text --------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", examples.EXAMPLES)
def test_json(example):
    g = of(examples.EXAMPLES[example])
    read = json.loads(json.dumps(g.to_json(), allow_nan=False))
    assert read["value"] == g.value
    assert [n["id"] for n in read["nodes"]] == list(range(len(g.nodes)))
    for node, told in zip(g.nodes, read["nodes"], strict=True):
        assert told["label"] == node.label
        np.testing.assert_array_equal(np.array(told["value"]["elements"], np.float32), node.value)
        np.testing.assert_array_equal(
            np.array(told["derivative"]["elements"], np.float32), node.derivative
        )
        assert len(told["local"]) == len(node.inputs) == len(node.local)
        assert told["inputs"] == list(node.inputs)
    assert len(read["edges"]) == len(g.edges)
    large = graph(lambda x: jnp.sum(x), np.ones(100)).to_json()["nodes"][0]
    assert large["value"]["elements"] is None
    assert large["value"]["norm"] == 10


def test_dot():
    text = of(examples.price).to_dot()
    assert text.startswith('digraph "price" {')
    assert text.endswith("}\n")
    assert 'n3 [label="×"];' in text
    assert re.search(
        r'n1 -> n3 \[label=<<font color="#\w{6}">2</font><br/><font color="#\w{6}">110', text
    )
    assert of(examples.two_layers).grouped().to_dot("dark").count(" -> ") == 6
    with pytest.raises(FalllineError, match="no theme called 'drak': did you mean 'dark'"):
        of(examples.price).to_dot("drak")


def test_hostile_names_in_dot():
    evil = 'a"];evil [label="\\\n<b>\x00'
    g = graph(lambda x: x * 2, 1.0, names={"x": evil, "output": '"}; digraph "'})
    text = g.to_dot()
    # Without its quoted strings, nothing of the names is left.
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    assert "evil" not in bare
    assert bare.count("digraph") == 1
    assert "\x00" not in text
    assert next(line for line in bare.splitlines() if "n0" in line) == (
        '  n0 [label="", shape=ellipse, style=filled];'
    )


# --- what cannot be shown -------------------------------------------------------------------------


def endless(x):
    return jax.lax.while_loop(lambda c: c < 10, lambda c: c * 2, x)


def careful(x):
    if x > 0:
        return x
    return -x


@pytest.mark.parametrize(
    ("f", "args", "part"),
    [
        (lambda x: x, (np.ones(3),), r"gives one number; output gave shape \(3,\): sum"),
        (lambda x: (x, x), (1.0,), "gives one number; output gave 2 arrays"),
        (lambda x: None, (1.0,), "gave 0 arrays"),
        (lambda x: 3, (1.0,), "gives a real number; output gave int32"),
        (lambda x: x > 0, (1.0,), "gives a real number; output gave bool"),
        (lambda x: x * 1j, (1.0,), "gives a real number; output gave complex64"),
        (lambda x: x, ("text",), "real numbers or arrays of them as arguments; x is str"),
        (lambda x: x["a"], ({"a": 1j},), "arguments; x/a is complex64"),
        (lambda x: x, (np.array(["a"]),), "arguments; x is ndarray"),
        (lambda x: x, (jax.random.key(0),), "arguments; x is key<fry>"),
        (lambda x: jnp.asarray(np.sin(x)), (1.0,), "output cannot be traced: it hands"),
        (careful, (1.0,), "careful cannot be traced: .* jax.numpy.where"),
        (lambda x: 1 / {}["a"], (1.0,), "output failed on these arguments: KeyError: 'a'"),
        (lambda x: x, (1.0, 2.0), "output failed on these arguments: TypeError"),
        (
            lambda x: jnp.ones(2) @ jnp.ones(3),
            (1.0,),
            "output failed on these arguments: TypeError",
        ),
        (endless, (1.0,), "endless cannot be differentiated: Reverse-mode"),
    ],
)
def test_what_cannot_be_shown(f, args, part):
    with pytest.raises(FalllineError, match=part):
        graph(f, *args)


@pytest.mark.parametrize(
    ("names", "part"),
    [
        ({"aple": "a"}, "'aple', which is no argument: did you mean 'apple'"),
        ({"apple": 3}, "must give a text for 'apple'; it gives 3"),
        (["a"], "holds 1 names for 3 arguments"),
        ("abc", "a mapping from paths to names, or one name an argument"),
        ([1, 2, 3], "a mapping from paths to names, or one name an argument"),
    ],
)
def test_bad_names(names, part):
    f, args, _ = examples.price()
    with pytest.raises(FalllineError, match=part):
        graph(f, *args, names=names)


def test_an_error_of_fallline_passes():
    def f(x):
        raise FalllineError("This is the reason.")

    with pytest.raises(FalllineError, match="^This is the reason"):
        graph(f, 1.0)


def test_too_many_operations():
    def f(x):
        for _ in range(MOST_NODES + 1):
            x = x + 1.0
        return x

    with pytest.raises(
        FalllineError, match=r"f has 2,001 nodes, more than 2,000: take fewer steps"
    ):
        graph(f, 1.0)


def test_every_word_has_its_formulas():
    for name, word in words.WORDS.items():
        assert word.symbol, name
        for text in word.formulas:
            assert "{" not in text.replace("{y}", ""), name
        if word.phrase:
            used = {int(i) for i in re.findall(r"{(\d)}", word.phrase)}
            assert used == set(range(len(used))), name
    assert words.formula("nothing known", {}, 1) == "∂nothing known/∂(input 2)"
    assert words.phrase("nothing", {}, ["a", "b"]) == "nothing(a, b)"
    assert words.formula("integer_pow", {"y": 3}, 0) == "∂(a^3)/∂a = 3·a^(3−1)"
    assert isinstance(graph(jnp.sin, 1.0).nodes[1].local[0], Local)
