"""The graph view without a browser: what it answers is what the engine computes."""

import contextlib
import csv
import io
import json
import math
import time

import jax
import numpy as np
import pytest
from tests.studio.fakes import Collected, ask

import fallline
from fallline import expressions
from fallline.errors import FalllineError
from fallline.gradients.graph import words
from fallline.studio.graph import GraphView, answer, formula, presets, tex
from fallline.studio.message import Message
from fallline.studio.view import Given


@pytest.fixture(scope="module")
def view():
    return GraphView(Collected(), Given())


def node(graph, label):
    return next(n for n in graph["nodes"] if n["label"] == label)


def build(view, text, **values):
    return ask(view, "build", formula=text, values=values)


def test_presets_are_built_with_their_own_values(view):
    offered = ask(view, "presets")
    assert {"apples", "squared_error", "cross_entropy", "two_paths", "rosenbrock"} <= {
        preset["name"] for preset in offered["expressions"]
    }
    for preset in offered["expressions"]:
        graph = ask(view, "build", formula=preset["formula"], values=preset["values"])
        assert {v["name"]: v["value"] for v in graph["variables"]} == preset["values"]
        assert all(v["low"] <= v["value"] <= v["high"] for v in graph["variables"])
        assert graph["deviation"] < 1e-12
        assert graph["precision"] == "float64"
        assert graph["groups"] == []
    assert set(offered["networks"]) == set(presets.NETWORKS)


def test_the_apples_of_the_book(view):
    graph = build(view, "price = apple * count * tax", apple=100, count=2, tax=1.1)
    assert graph["value"]["elements"] == [pytest.approx(220)]
    found = {
        name: node(graph, name)["derivative"]["elements"][0] for name in ("apple", "count", "tax")
    }
    assert found == pytest.approx({"apple": 2.2, "count": 110.0, "tax": 200.0})
    assert graph["name"] == "price"
    assert [step["back"] for step in graph["steps"]] == [False] * 2 + [True] * 5
    assert graph["steps"][0]["sentence"] == "v1 = apple × count = 100 × 2 = 200"
    # The ranges are the preset's.
    assert graph["variables"][2] == {"name": "tax", "value": 1.1, "low": 1.0, "high": 1.5}


@pytest.mark.parametrize(
    "text", ["x^2*y + sin(x*y)", "x*x*x", "max(x, y) - min(x, 0.1)", "x/(y + 2)"]
)
def test_what_the_steps_bring_back_adds_up_to_the_derivative(view, text):
    graph = build(view, text, x=0.7, y=-0.4)
    names = [v["name"] for v in graph["variables"]]
    values = [v["value"] for v in graph["variables"]]
    with jax.enable_x64(True):
        f = expressions.parse(text, names)
        wanted = jax.grad(f, argnums=range(len(names)))(*values)
    used = set()
    for name, slope in zip(names, wanted, strict=True):
        place = node(graph, name)
        steps = [s for s in graph["steps"] if s["back"] and s["input"] == place["id"]]
        edges = [graph["edges"][s["edge"]] for s in steps]
        assert sum(e["derivative"]["elements"][0] for e in edges) == pytest.approx(
            float(slope), 1e-5
        )
        assert steps[-1]["total"]["elements"][0] == pytest.approx(float(slope), 1e-5)
        assert all(
            (e["source"], e["target"]) == (place["id"], s["node"])
            for e, s in zip(edges, steps, strict=True)
        )
        assert used.isdisjoint(s["edge"] for s in steps)
        used |= {s["edge"] for s in steps}


def test_a_named_part_is_one_value_used_twice(view):
    graph = build(view, "p = sigmoid(w*x + b); loss = -(y*log(p) + (1 - y)*log(1 - p))", y=1.0)
    assert graph["name"] == "loss"
    p = node(graph, "p")
    assert len(p["users"]) == 2
    assert [v["name"] for v in graph["variables"]] == ["w", "x", "b", "y"]
    z = sum(v["value"] for v in graph["variables"][2:3]) + math.prod(
        v["value"] for v in graph["variables"][:2]
    )
    sigmoid = 1 / (1 + math.exp(-z))
    assert graph["value"]["elements"][0] == pytest.approx(-math.log(sigmoid))
    assert node(graph, "b")["derivative"]["elements"][0] == pytest.approx(sigmoid - 1, 1e-5)


def test_constants_stand_in_the_title(view):
    graph = build(view, "(1 - x)^2 + 100*(y - x^2)^2 + max(x, 0) + x/3")
    titles = [n["title"] for n in graph["nodes"] if n["kind"] == "operation"]
    assert {"1 −", "100 ×", "÷ 3", "max(·, 0)", "a²"} <= set(titles)
    written = {i for n in graph["nodes"] for i in n["written"]}
    assert written == {n["id"] for n in graph["nodes"] if n["kind"] == "constant"}


def test_values_change_and_the_form_does_not(view):
    before = build(view, "x^2*y + sin(x*y)", x=1.5, y=0.5)
    after = ask(view, "values", values={"x": -0.25})
    shape = [(n["label"], n["inputs"], n["title"]) for n in before["nodes"]]
    assert shape == [(n["label"], n["inputs"], n["title"]) for n in after["nodes"]]
    x, y = -0.25, 0.5
    assert after["value"]["elements"][0] == pytest.approx(x * x * y + math.sin(x * y))
    assert node(after, "x")["derivative"]["elements"][0] == pytest.approx(
        2 * x * y + y * math.cos(x * y), 1e-5
    )


def test_a_new_value_is_answered_at_once(view):
    build(view, "(w*x + b - y)^2")
    times = []
    for i in range(6):
        start = time.perf_counter()
        ask(view, "values", values={"w": 0.1 * i})
        times.append(time.perf_counter() - start)
    # 12 ms on a core of its own.
    assert min(times) < 0.15


def test_a_step_backward_shows_the_rule_and_its_numbers(view):
    graph = build(view, "x^2*y + sin(x*y)", x=1.5, y=0.5)
    steps = [ask(view, "step", index=i) for i in range(len(graph["steps"]))]
    assert [s["sentence"] for s in steps] == [s["sentence"] for s in graph["steps"]]
    for step in steps:
        numbers = step["numbers"]
        if step["back"] and numbers["upstream"] is not None:
            product = numbers["upstream"]["elements"][0] * numbers["local"]["elements"][0]
            assert product == pytest.approx(numbers["result"]["elements"][0])
            paths = sum(path["value"]["elements"][0] for path in numbers["paths"])
            assert paths == pytest.approx(numbers["total"]["elements"][0])
            assert step["formulas"]["chain"].startswith("<math")
            assert len(numbers["paths"]) <= numbers["count"]
    last = steps[-1]
    assert "cos" not in last["formulas"]["rule"]
    assert last["numbers"]["count"] == 2
    assert last["formulas"]["sum"] is not None
    sine = next(s for s in steps if s["back"] and s["operation"] == "sin")
    assert "cos" in sine["formulas"]["rule"]
    assert "0.7317" in sine["formulas"]["here"]


def test_a_step_forward_shows_the_operation(view):
    build(view, "x*y", x=2, y=-3)
    step = ask(view, "step", index=0)
    assert not step["back"]
    assert step["numbers"]["result"]["elements"] == [-6]
    assert [i["label"] for i in step["numbers"]["inputs"]] == ["x", "y"]


def test_a_node_has_its_users(view):
    graph = build(view, "x^2*y + sin(x*y)", x=1.5, y=0.5)
    x = node(graph, "x")
    found = ask(view, "node", node=x["id"])
    assert found["label"] == "x"
    assert sum(u["derivative"]["elements"][0] for u in found["users"]) == pytest.approx(
        found["derivative"]["elements"][0]
    )
    sine = next(n for n in graph["nodes"] if n["operation"] == "sin")
    assert "sin" in ask(view, "node", node=sine["id"])["formula"]


def test_a_nudge_is_the_derivative_for_small_steps(view):
    graph = build(view, "x^2*y", x=3, y=2)
    moved = ask(view, "nudge", node=node(graph, "x")["id"], h=0.5)
    assert moved["change"] == pytest.approx(2 * (3.5**2 - 9))
    assert moved["predicted"] == pytest.approx(6)
    small = ask(view, "nudge", node=node(graph, "x")["id"], h=1e-6)
    assert small["change"] == pytest.approx(small["predicted"], 1e-5)
    # Inside the graph as well: v1 is x².
    inner = ask(view, "nudge", node=node(graph, "v1")["id"], h=1.0)
    assert inner["change"] == pytest.approx(2)


def test_the_check_measures_and_asks_jax(view):
    build(view, "x^2*y + sin(x*y)", x=1.5, y=0.5)
    check = ask(view, "check")
    assert [row["label"] for row in check["rows"]] == ["x", "y"]
    for row in check["rows"]:
        assert row["apart"] < 1e-8
        assert row["grad"] < 1e-12
        assert row["measured"] == row["size"] == 1
    ask(view, "values", values={"x": 2.0})
    again = ask(view, "check")["rows"][0]
    assert again["numeric"]["elements"][0] == pytest.approx(2 * 2 * 0.5 + 0.5 * math.cos(1.0))


def test_infinite_derivatives_are_shown_and_told(view):
    graph = build(view, "sqrt(x)*y", x=0.0, y=1.0)
    assert "x is infinite" in graph["note"]
    assert node(graph, "x")["derivative"]["elements"] == ["Infinity"]
    rows = ask(view, "check")["rows"]
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("text", "values", "sentence"),
    [
        ("", {}, "empty"),
        ("2 + 3", {}, "no variables"),
        ("sni(x)", {}, "column 1: did you mean 'sin'"),
        ("x; y = 2*sni(x)", {}, "has no name"),
        ("a = 1; x*sni(a)", {}, "column 10"),
        ("x +", {}, "cannot be read at its end"),
        ("p*x; ", {"x": math.nan}, "finite"),
        ("p = x; p = y; p", {}, "made twice, again at column 8"),
        ("q = r*2; r = x; q + r", {}, "'r' is used at column 5 before it is made"),
        ("e = x; e", {}, "means something already"),
        ("lambda*x", {}, "cannot be called 'lambda'"),
        ("_x + 1", {}, "cannot be called '_x'"),
        ("averyveryverylongname + 1", {}, "longer than 16"),
        ("x" * 401, {}, "401 characters"),
        ("+".join(f"x{i}" for i in range(13)), {}, "13 variables"),
        ("+".join(["x"] * 150), {}, "levels"),
        ("(" * 41 + "x" + ")" * 41, {}, "brackets"),
        ("1/(x - 1)", {"x": 1.0}, "a division by zero"),
        ("log(x)*y", {"x": -1.0}, "v1 = log(x) = log(−1) = NaN. Change"),
        ("exp(x)", {"x": 1e4}, "= ∞. Change"),
        ("x", {"x": 1e10}, "between"),
        ("__import__('os')", {}, "cannot hold"),
        ("x.real", {}, "cannot hold"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence_and_the_graph_stays(view, text, values, sentence):
    before = build(view, "x*y", x=2, y=3)
    with pytest.raises(FalllineError) as caught:
        view.handle("build", Message({"formula": text, "values": values}))
    assert sentence in str(caught.value)
    assert ask(view, "node", node=0)["value"]["elements"] == [2]
    assert ask(view, "csv")["text"].count("\n") == len(before["nodes"]) + 1


def test_where_nobody_has_set_a_value_one_is_found_that_works(view):
    graph = build(view, "log(-q) + 1/(r - 0.5)")
    assert math.isfinite(graph["value"]["elements"][0])
    assert graph["variables"][0]["value"] < 0


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("nothing", {}),
        ("step", {"index": 999}),
        ("step", {"index": True}),
        ("node", {"node": -1}),
        ("nudge", {"node": 0, "h": "much"}),
        ("nudge", {"node": 0, "element": 7, "h": 0.1}),
        ("values", {"values": {"z": 1}}),
        ("values", {"values": {"x": "1"}}),
        ("values", {"values": [1]}),
        ("build", {"source": "film"}),
        ("build", {"formula": 3}),
        ("build", {"source": "network", "network": {"hidden": [3] * 13}}),
        ("build", {"source": "network", "network": {"hidden": [17]}}),
        ("build", {"source": "network", "network": {"hidden": [2.5]}}),
        ("build", {"source": "network", "network": {"hidden": [0]}}),
        ("build", {"source": "network", "network": {"inputs": 99}}),
        ("build", {"source": "network", "network": {"activation": "swish"}}),
        ("build", {"source": "network", "network": {"batch_norm": True, "examples": 1}}),
        ("dot", {"theme": "blue"}),
    ],
)
def test_bad_messages_are_sentences(view, kind, fields):
    build(view, "x*y", x=2, y=3)
    with pytest.raises(FalllineError):
        view.handle(kind, Message(fields))
    assert ask(view, "node", node=0)["label"] == "x"


def test_before_the_first_graph_there_is_a_sentence():
    with pytest.raises(FalllineError, match="build one first"):
        GraphView(Collected(), Given()).handle("script", Message({}))


@pytest.fixture(scope="module")
def network(view):
    wanted = {"hidden": [3], "batch_norm": True, "activation": "sigmoid"}
    return wanted, ask(view, "build", source="network", network=wanted)


def test_a_network_has_badges_and_layers(view, network):
    _, graph = network
    w1 = node(graph, "W1")
    assert w1["kind"] == "parameter"
    assert w1["on"] == w1["users"][0]
    assert graph["nodes"][w1["on"]]["operation"] == "dot_general"
    assert {"W1", "b1", "γ1", "β1", "W2", "b2"} <= {n["label"] for n in graph["nodes"]}
    groups = {g["name"]: g for g in graph["groups"]}
    assert list(groups) == ["affine1", "norm1", "affine2", "softmax cross-entropy"]
    norm = groups["norm1"]
    assert norm["result"] in norm["members"]
    # What comes back to the value that enters is the sum over the ways in.
    (entering,) = norm["entering"]
    value = graph["nodes"][entering["source"]]
    assert entering["derivative"]["elements"] == pytest.approx(
        value["derivative"]["elements"], abs=1e-6
    )
    assert len(json.dumps(graph)) < 100_000


def test_a_network_is_the_loss_of_the_house(view, network):
    wanted, graph = network
    script = ask(view, "build", source="network", network=wanted) and ask(view, "script")["text"]
    found = executed(script)
    assert found["graph"].value == pytest.approx(graph["value"]["elements"][0], 1e-12)
    assert [n.label for n in found["graph"].nodes] == [n["label"] for n in graph["nodes"]]


def test_all_steps_and_nodes_of_a_network_can_be_asked_for(view, network):
    wanted, _ = network
    graph = ask(view, "build", source="network", network=wanted)
    for index in range(len(graph["steps"])):
        step = ask(view, "step", index=index)
        assert step["formulas"].get("chain") or step["formulas"].get("here")
    for one in graph["nodes"]:
        assert ask(view, "node", node=one["id"])["label"] == one["label"]
    check = ask(view, "check")
    assert all(row["apart"] < 1e-7 and row["grad"] < 1e-9 for row in check["rows"])


def executed(text):
    """The names that a program made; what it prints goes nowhere."""
    names = {}
    before = jax.config.jax_enable_x64
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(text, "script", "exec"), names)
    finally:
        jax.config.update("jax_enable_x64", before)
    return names


@pytest.mark.parametrize(
    "text",
    [
        "x^2*y + sin(x*y)",
        "p = sigmoid(w*x); loss = -log(p)*p",
        "parse = graph*step; values = parse^2",
    ],
)
def test_the_script_makes_the_same_graph(view, text):
    graph = build(view, text)
    script = ask(view, "script")["text"]
    found = executed(script)["graph"]
    assert found.value == pytest.approx(graph["value"]["elements"][0], 1e-12)
    gradients = [n["derivative"]["elements"][0] for n in graph["nodes"] if n["kind"] == "input"]
    assert [float(g) for g in found.gradients] == pytest.approx(gradients, 1e-5)
    assert len(found.nodes) == len(graph["nodes"])


def test_the_table_has_all_nodes(view):
    graph = build(view, "x^2*y + sin(x*y)", x=1.5, y=0.5)
    rows = list(csv.DictReader(io.StringIO(ask(view, "csv")["text"])))
    assert [row["label"] for row in rows] == [n["label"] for n in graph["nodes"]]
    assert float(rows[-1]["value"]) == pytest.approx(graph["value"]["elements"][0], 1e-15)
    assert float(rows[0]["derivative"]) == pytest.approx(1.5 * 0.5 * 2 + 0.5 * math.cos(0.75))
    assert ask(view, "dot", theme="dark")["text"].startswith("digraph")


def test_two_variables_make_a_terrain(view):
    graph = build(view, "p = a*b; p^2 + sin(a)", a=1.0, b=2.0)
    terrain = graph["terrain"]
    surface = expressions.parse(terrain["formula"])
    with jax.enable_x64(True):
        assert float(surface(1.0, 2.0)) == pytest.approx(graph["value"]["elements"][0])
    assert terrain["bounds"] == [-5, 5, -5, 5]
    assert build(view, "a*b*c")["terrain"] is None


def test_every_operation_is_written_as_its_derivative_is():
    """The TeX of each slope, evaluated by hand for one place, is the engine's local derivative."""
    assert set(tex.FORMS) == set(words.WORDS)
    for name, form in tex.FORMS.items():
        assert len(form.slopes) == len(words.WORDS[name].formulas), name
        inputs = ["v_{1}", "-2", "x"]
        assert tex.mathml(tex.value_of(name, inputs, {"y": 3})).startswith("<math")
        for place in range(len(form.slopes)):
            slope = tex.slope_of(name, place, inputs, {"y": 3}, "u", "v_{2}")
            assert slope is None or "#" not in slope
            assert slope is None or tex.mathml(slope).startswith("<math")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.0, "2"),
        (-0.0, "0"),
        (1.5e-7, r"1.5 \cdot 10^{-7}"),
        (math.inf, r"\infty"),
        (123456.0, "123456"),
    ],
)
def test_numbers_in_tex(value, text):
    assert tex.number(value) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [("x", "x"), ("v3", "v_{3}"), ("W12", "W_{12}"), ("γ1", r"\gamma_{1}"), ("theta", r"\theta"),
     ("apple", r"\mathit{apple}"), ("a_b", r"\mathit{a\_b}")],
)  # fmt: skip
def test_names_in_tex(name, text):
    assert tex.symbol(name) == text


def test_arrays_come_with_their_elements_while_they_are_small():
    small = answer.array(np.arange(6.0).reshape(2, 3))
    assert small["shape"] == [2, 3]
    assert small["elements"] == [0, 1, 2, 3, 4, 5]
    large = answer.array(np.ones((9, 9)))
    assert "elements" not in large
    assert large["norm"] == 9
    assert answer.array(None) is None


def test_a_formula_in_one_keeps_names_apart():
    typed = formula.read("xy = x + y\nxy*x")
    assert typed.names == ("x", "y")
    assert typed.in_one({"x": "u", "y": "v"}) == "(u + v)*u"
    assert typed.output == "f"
    assert formula.read("f*2").output == "result"


def test_the_graph_is_the_engines_own(view):
    graph = build(view, "tanh(x*y) + x", x=0.3, y=-1.2)
    with jax.enable_x64(True):
        own = fallline.graph(lambda x, y: jax.numpy.tanh(x * y) + x, 0.3, -1.2)
    assert graph["value"]["elements"][0] == pytest.approx(own.value, 1e-15)
    assert [s["sentence"].replace("∂f", "∂output") for s in graph["steps"]] == [
        s.sentence for s in own.step()
    ]
