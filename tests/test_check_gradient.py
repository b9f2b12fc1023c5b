from __future__ import annotations

import json
import math
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from typer.testing import CliRunner

from fallline import FalllineError, losses
from fallline.cli.check_gradient import check_gradient as command
from fallline.gradients import check_gradient
from fallline.models import MLP

random = np.random.default_rng(0)
ROWS = random.normal(size=(30, 4))
CLASSES = np.arange(30) % 3


def parameters(seed=0):
    generator = np.random.default_rng(seed)
    return {
        "bias": generator.normal(size=5),
        "hidden": generator.normal(size=(4, 5)),
        "output": generator.normal(size=(5, 3)),
    }


def cross_entropy(p):
    hidden = jnp.tanh(ROWS @ p["hidden"] + p["bias"])
    return jnp.mean(losses.softmax_cross_entropy(hidden @ p["output"], CLASSES))


def tampered(f, change):
    """The gradient of f with an error planted by `change(dict of arrays)`."""

    def gradient(p):
        g = {name: np.array(leaf) for name, leaf in jax.grad(f)(p).items()}
        change(g)
        return g

    return gradient


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (cross_entropy, parameters()),
        (lambda x: jnp.sum(jnp.sin(x) * x**2), ROWS),
        (lambda x: jnp.exp(x) + x**3, 0.7),
        (lambda x: jnp.prod(x), (1.0, -2.0, 0.5)),
        (lambda p: jax.nn.logsumexp(p[0] @ p[1]), [ROWS[:3], ROWS.T[:, :2]]),
        (lambda x: 3e4 * jnp.sum(jax.nn.sigmoid(1e-3 * x)), 1e3 * ROWS[0]),
        (lambda x: 1e-12 * jnp.sum(jnp.cos(x)), ROWS[0]),
        (lambda x: jnp.sum(jnp.cosh(20 * x)), ROWS[0] / 10),
    ],
)
def test_correct_gradients(f, x):
    found = check_gradient(f, x)
    assert found.verdict == "correct", str(found)
    assert found.ok
    assert found.kinks == ()
    assert found.worst.error < 1e-7
    assert found.taylor_slope == pytest.approx(2, abs=0.2)
    assert found.checked == len(found.coordinates) <= found.size
    assert {c.verdict for c in found.coordinates} == {"correct"}
    assert found.precision == "float64"
    assert "agrees with differences at" in found.sentence
    assert not jax.config.jax_enable_x64


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from(["hidden", "bias", "output"]), st.booleans())
def test_a_planted_error_is_named(seed, leaf, plant):
    """Whichever number of whichever leaf it is; and without it nothing is found."""
    p = parameters(seed)
    flat = seed % p[leaf].size

    def change(g):
        if plant:
            g[leaf].flat[flat] = 2 * g[leaf].flat[flat]

    found = check_gradient(cross_entropy, p, tampered(cross_entropy, change), seed=seed)
    if not plant:
        assert found.verdict == "correct"
        return
    assert found.verdict == "wrong"
    assert (found.worst.leaf, found.worst.index) == (
        leaf,
        np.unravel_index(flat, p[leaf].shape),
    )
    assert found.worst.error == pytest.approx(0.5, rel=1e-3)
    assert found.worst.analytic == pytest.approx(2 * found.worst.numerical, rel=1e-3)
    assert sum(c.verdict == "wrong" for c in found.coordinates) == 1
    assert found.taylor_slope < 1.5


def scale(factor):
    def change(g):
        for leaf in g.values():
            leaf *= factor

    return change


def transpose(g):
    g["square"] = g["square"].T


@pytest.mark.parametrize(
    ("factor", "verdict", "error", "words"),
    [
        (2, "wrong", 0.5, "It is 2 times the slope each."),
        (-1, "wrong", 2, "The sign is wrong."),
        (1 / 30, "wrong", 29 / 30, "It is 0.03333 times the slope each."),
        (0, "wrong", 1, "40 of 40 coordinates are wrong"),
        (1.02, "wrong", 0.02 / 1.02, "It is 1.02 times"),
        (1.01, "suspect", 0.01 / 1.01, "It is 1.01 times"),
        (1.001, "suspect", 0.001, "differ more than differences explain"),
        (1 + 1e-5, "suspect", 1e-5, "differ more than differences explain"),
        (1 + 1e-11, "correct", 0, "agrees with differences at all 40"),
    ],
)
def test_planted_factors(factor, verdict, error, words):
    found = check_gradient(cross_entropy, parameters(), tampered(cross_entropy, scale(factor)))
    assert found.verdict == verdict, str(found)
    assert words in found.sentence
    assert found.worst.error == pytest.approx(error, rel=1e-2, abs=1e-7)
    if verdict == "wrong":
        assert found.taylor_slope == pytest.approx(1, abs=0.1)
    assert found.ok == (verdict == "correct")


def test_a_transposed_gradient():
    x = {"other": ROWS[0], "square": ROWS[:4]}

    def f(p):
        return jnp.sum(jnp.sin(p["square"] @ jnp.arange(4.0))) + jnp.sum(p["other"])

    found = check_gradient(f, x, tampered(f, transpose))
    assert found.verdict == "wrong"
    assert {c.leaf for c in found.coordinates if c.verdict == "wrong"} == {"square"}
    with pytest.raises(FalllineError, match=r"shape, \(30, 4\); it has \(4, 30\) \(transposed\?\)"):
        check_gradient(lambda x: np.sum(x**2), ROWS, lambda x: (2 * x).T)


def test_a_wrong_backward_pass_is_caught():
    @jax.custom_vjp
    def log_cosh(x):
        return jnp.log(jnp.cosh(x))

    def backward(x, g):
        return (g * jnp.tanh(x) ** 2,)

    log_cosh.defvjp(lambda x: (log_cosh(x), x), backward)
    found = check_gradient(lambda x: jnp.sum(log_cosh(x)), [1.0, -0.5, 2.0])
    assert found.verdict == "wrong"
    assert len([c for c in found.coordinates if c.verdict == "wrong"]) == 3
    # The largest relative error: tanh(x)^2 against tanh(x) at -0.5 differ in sign.
    assert found.worst.name == "x[1]"
    assert found.worst.numerical == pytest.approx(math.tanh(-0.5), rel=1e-9)
    assert found.worst.analytic == pytest.approx(math.tanh(-0.5) ** 2, rel=1e-9)


def test_numpy_functions_with_their_gradients():
    found = check_gradient(optimize.rosen, ROWS[0], optimize.rosen_der)
    assert found.verdict == "correct"
    broken = check_gradient(optimize.rosen, ROWS[0], lambda x: optimize.rosen_der(x) + 1)
    assert broken.verdict == "wrong"
    # A gradient with conditions and loops on plain numbers is called with numbers.
    assert check_gradient(math.exp, 1, lambda x: math.exp(x)).ok
    assert check_gradient(lambda v: v[0] * v[1], [2, 3], lambda v: [v[1], v[0]]).ok
    with pytest.raises(
        FalllineError, match="JAX cannot differentiate this function .Tracer.* give"
    ):
        check_gradient(optimize.rosen, ROWS[0])


def relu(x):
    return jnp.sum(jax.nn.relu(x) * jnp.arange(1.0, 4.0))


def test_kinks_are_told_and_not_counted():
    found = check_gradient(relu, [0.0, 1.0, -1.0])
    assert found.verdict == "correct"
    assert [kink.name for kink in found.kinks] == ["x[0]"]
    assert [c.verdict for c in found.coordinates] == ["kink", "correct", "correct"]
    assert "1 is a kink (x[0]) and not counted: move the point" in found.sentence
    assert found.worst.name != "x[0]"
    # One that agrees by luck is a kink nevertheless.
    both = check_gradient(lambda x: jnp.sum(jnp.abs(x)), [0.0, 0.0, 1.0])
    assert len(both.kinks) == 2
    assert "2 are kinks (x[0], x[1])" in both.sentence
    # A kink is no excuse for an error elsewhere, nor for a value outside its two slopes.
    wrong = check_gradient(relu, [0.0, 1.0, -1.0], lambda x: np.array([0.0, 3.0, 0.0]))
    assert wrong.verdict == "wrong"
    assert wrong.worst.name == "x[1]"
    outside = check_gradient(relu, [0.0, 1.0, -1.0], lambda x: np.array([1.5, 2.0, 0.0]))
    assert outside.verdict == "wrong"
    assert outside.worst.name == "x[0]"
    within = check_gradient(relu, [0.0, 1.0, -1.0], lambda x: np.array([0.7, 2.0, 0.0]))
    assert within.verdict == "correct"


def test_nothing_but_kinks_is_undecided():
    found = check_gradient(relu, np.zeros(3))
    assert found.verdict == "suspect"
    assert found.worst is None
    assert len(found.kinks) == 3
    assert "every coordinate checked lies on a kink (x[0], x[1], x[2])" in found.sentence
    assert "worst" not in str(found)


def test_kinks_beside_the_point_are_stepped_around():
    """Closer than the rule's step of 6e-6, where a plain difference would be wrong by half."""
    for x in ([1e-6, -1e-6, 3.0], [1e-7, 8e-6, -3e-7]):
        found = check_gradient(relu, x)
        assert found.verdict == "correct", str(found)
        assert found.kinks == ()
        broken = check_gradient(relu, x, lambda x: jax.grad(relu)(x) * jnp.array([1, 1.5, 1]) + 0.5)
        assert broken.verdict == "wrong"


def test_smooth_functions_have_no_kinks():
    """Minima, steep walls, a smoothed kink, a cancelled one."""
    for f, x in (
        (lambda x: jnp.sum(x**2), [0.0, 0.0]),
        (lambda x: jnp.sum(x**4), [0.0, 1.0]),
        (lambda x: jnp.sum(jnp.exp(30 * x)), [0.0, 0.5]),
        (lambda x: jnp.sum(jnp.abs(x) ** 1.5), [0.5, 1.0]),
        (lambda x: jnp.sum(jax.nn.softplus(1e4 * x)) / 1e4, [0.0, 1e-5]),
        (lambda x: jnp.sum(jnp.sqrt(x**2 + 1e-6)), [0.0, 1e-4]),
    ):
        found = check_gradient(f, x)
        assert found.kinks == ()
        assert found.verdict == "correct", str(found)
    # relu(x) - relu(-x) is x, but the gradient by the chain rule is 0 there.
    found = check_gradient(lambda x: jax.nn.relu(x) - jax.nn.relu(-x), 0.0)
    assert found.verdict == "wrong"
    assert (found.worst.analytic, found.kinks) == (0, ())


def test_networks_with_relu():
    model = MLP(4, (16, 8), outputs=3)
    for seed in range(2):
        params = model.init(jax.random.PRNGKey(seed))

        def f(p):
            return jnp.mean(losses.softmax_cross_entropy(model(p, jnp.asarray(ROWS)), CLASSES))

        found = check_gradient(f, params, seed=seed, sample=10)
        assert found.verdict == "correct", str(found)
        assert found.size == 4 * 16 + 16 + 16 * 8 + 8 + 8 * 3 + 3
        assert found.checked < found.size
        assert {c.leaf for c in found.coordinates} == {
            f"affine{i}/{part}" for i in (1, 2, 3) for part in ("weights", "bias")
        }


def test_single_precision_is_said_and_not_held_against_the_gradient():
    def single(p):
        return cross_entropy(jax.tree.map(lambda v: v.astype(jnp.float32), p)).astype(jnp.float32)

    found = check_gradient(single, parameters())
    assert found.verdict == "correct", str(found)
    assert found.precision == "float32"
    assert "returns float32, so that an error below 1e-03 cannot be seen" in found.sentence
    twice = check_gradient(single, parameters(), tampered(single, scale(2)))
    assert twice.verdict == "wrong"
    assert twice.worst.error == pytest.approx(0.5, abs=0.1)


def test_single_precision_inside_is_noticed():
    """The values come in float64, but carry the noise of float32."""

    def hidden(p):
        return cross_entropy(jax.tree.map(lambda v: v.astype(jnp.float32), p)).astype(float)

    found = check_gradient(hidden, parameters())
    assert found.verdict == "correct", str(found)
    assert found.kinks == ()
    assert found.precision == "float64"
    assert "carry noise of" in found.sentence
    assert "as from float32 inside" in found.sentence
    assert check_gradient(hidden, parameters(), tampered(hidden, scale(-1))).verdict == "wrong"


def test_what_cannot_be_measured_is_suspect():
    """A constant of 1e14 leaves 2 digits of the slope; a rough function none."""

    def offset(x):
        return jnp.sum(jnp.sin(x)) + 1e14

    found = check_gradient(offset, [0.5, 1.0])
    assert found.verdict == "suspect"
    assert "cannot be decided" in found.sentence
    assert {c.verdict for c in found.coordinates} == {"undecided"}


def test_zero_gradients_pass():
    for f in (lambda x: jnp.sum(0 * x), lambda x: 5.0 + 0 * x[0], lambda x: jnp.sum((x - 1) ** 2)):
        found = check_gradient(f, np.ones(3))
        assert found.verdict == "correct", str(found)
        assert found.worst.error < 1e-7
    # A number with no influence beside one with much: noise measured for it is no error.
    found = check_gradient(lambda x: 1e6 * jnp.cos(x[0]) + jnp.tanh(x[0]), [1.0, 2.0])
    assert found.verdict == "correct"
    assert found.coordinates[1].analytic == 0
    wrong = check_gradient(lambda x: jnp.sum(x[:1] ** 2), [1.0, 2.0], lambda x: 2 * x)
    assert (wrong.verdict, wrong.worst.name, wrong.worst.error) == ("wrong", "x[1]", 1)


def test_linear_functions_have_no_taylor_slope():
    found = check_gradient(lambda x: x @ jnp.arange(3.0), np.ones(3))
    assert found.verdict == "correct"
    assert found.taylor_slope is None
    assert "linear as far as can be measured" in str(found)
    broken = check_gradient(lambda x: x @ np.arange(3.0), np.ones(3), lambda x: np.ones(3))
    assert broken.taylor_slope == pytest.approx(1, abs=0.01)
    assert check_gradient(lambda x: jnp.sum(x**2), np.ones(3), directions=0).taylor_slope is None


def test_not_a_number_is_wrong():
    """The norm at 0: JAX's gradient of the root is NaN there."""
    found = check_gradient(lambda x: jnp.sqrt(jnp.sum(x**2)), np.zeros(2))
    assert found.verdict == "wrong"
    assert math.isnan(found.worst.analytic)
    assert found.worst.error == math.inf
    assert "the gradient says nan" in found.sentence

    def gradient(x):
        g = 2 * x
        g[777] = np.nan
        return g

    lone = check_gradient(lambda x: np.sum(x**2), np.ones(1000), gradient, sample=5)
    assert (lone.verdict, lone.worst.name) == ("wrong", "x[777]")
    assert lone.checked == 6


def test_a_wrong_number_outside_the_sample_is_found():
    """The Taylor test sees every coordinate; halving finds the one."""
    x = {"large": random.normal(size=(40, 50)), "small": random.normal(size=3)}

    def f(p):
        return np.sum(np.sin(p["large"])) + np.sum(p["small"] ** 2)

    def gradient(p):
        g = {"large": np.cos(p["large"]), "small": 2 * p["small"]}
        g["large"][31, 7] *= 1.5
        return g

    found = check_gradient(f, x, gradient, sample=10)
    assert found.verdict == "wrong"
    assert found.worst.name == "large[31, 7]"
    assert "found by the Taylor test, outside the sample" in found.sentence
    assert found.checked == 14
    assert found.evaluations < 400


def test_the_sample_is_drawn_by_the_seed():
    def places(**more):
        found = check_gradient(
            lambda p: np.sum(p["a"] ** 2) + p["b"],
            {"a": ROWS, "b": 1.0},
            lambda p: {"a": 2 * p["a"], "b": 1.0},
            **more,
        )
        return [c.name for c in found.coordinates]

    assert len(places()) == 51
    assert places()[-1] == "b"
    assert len(set(places(sample=7))) == 8
    assert places(sample=7) == places(sample=7)
    assert places(sample=7) != places(sample=7, seed=1)
    assert len(places(sample=120)) == 121


def test_the_words():
    found = check_gradient(cross_entropy, parameters())
    lines = str(found).splitlines()
    assert lines[0] == "gradient: correct"
    assert "worst: " in lines[2]
    assert "Taylor slope: 2.0" in lines[3]
    assert lines[4] == "  checked: 40 of 40 coordinates"


def changing(x, count=[0]):  # noqa: B006
    count[0] += 1
    return float(np.sum(x)) + count[0]


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (
            lambda: check_gradient(lambda x: jnp.sum(jnp.round(x)).astype(int), [1.0]),
            "whole number",
        ),
        (
            lambda: check_gradient(lambda x: 3, 1.0),
            "gives a whole number, whose slope is 0 or none",
        ),
        (lambda: check_gradient(lambda x: x, np.ones(2)), "function that gives one number"),
        (
            lambda: check_gradient(changing, [1.0]),
            r"gave 2 and then 3 at the same x: fix its random",
        ),
        (lambda: check_gradient(np.sum, [1.0, np.nan]), r"finite numbers; x\[1\] is nan"),
        (lambda: check_gradient(np.sum, []), "holds no numbers"),
        (lambda: check_gradient(lambda x: x * np.nan, 1.0), r"f\(x\) is nan"),
        (lambda: check_gradient(np.sum, [1.0], 3), "must be a function of x; it was given int"),
        (
            lambda: check_gradient(np.sum, [1.0], lambda x: {"a": x}),
            "of x must hold real numbers, not object",
        ),
        (
            lambda: check_gradient(lambda p: p["a"], {"a": 1.0}, lambda p: 1.0),
            "must be a tree like x",
        ),
        (
            lambda: check_gradient(np.sum, [1.0], lambda x: x * 1j),
            "must hold real numbers, not comp",
        ),
        (lambda: check_gradient(np.sum, [1.0], lambda x: np.ones(2)), r"\(1,\); it has \(2,\)\."),
        (
            lambda: check_gradient(np.sum, [1.0], sample=0),
            "sample must be 1 or more; it was given 0",
        ),
        (lambda: check_gradient(np.sum, [1.0], directions=-1), "directions must be 0 or more"),
        (
            lambda: check_gradient(lambda x: math.sin(x), 1.0),
            r"JAX cannot differentiate .*give the",
        ),
        (lambda: check_gradient(5, 1.0), "f must be a function; it was given int"),
    ],
)
def test_bad_input(call, part):
    with pytest.raises(FalllineError, match=part):
        call()


MODULE = """
import jax
import jax.numpy as jnp
import numpy as np

print("a module may print")
x0 = [1.0, -2.0]
start = {"a": np.ones(2), "b": 3.0}
text = "no point"

def loss(x):
    return jnp.sum(x**4) + jnp.prod(x)

def tree_loss(p):
    return jnp.sum(p["a"] ** 2) * p["b"]

def made():
    return np.full(3, 2.0)

def broken_start():
    return 1 / 0

def needs_key(key):
    return key

def by_hand(x):
    return 4 * x**3

def relu(x):
    return jnp.sum(jnp.maximum(x, 0.0))

def raising(x):
    values = [1, 2]
    return values[7]
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)
    (tmp_path / "my_module.py").write_text(MODULE)
    yield tmp_path
    for name in set(sys.modules) - known:
        if name.startswith("checked_") or name in ("neighbour", "package", "package.inner"):
            del sys.modules[name]


def run(*words):
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_command_exits_by_its_verdict(here):
    good = run("my_module.py:loss")
    assert good.exit_code == 0
    assert "correct" in good.stdout
    assert "a module may print" not in good.stdout
    assert "a module may print" in good.stderr
    wrong = run("my_module.py:loss", "--gradient", "by_hand")
    assert wrong.exit_code == 1
    for part in ("wrong", "x[0], relative error", "Taylor slope", "2 of 2 coordinates", "kinks"):
        assert part in wrong.stdout
    on_kinks = run("my_module.py:relu", "--at", "0,0")
    assert on_kinks.exit_code == 1
    assert "every coordinate checked lies on a kink" in on_kinks.stdout


def test_one_object_in_json(here):
    found = json.loads(run("my_module.py:loss", "--gradient", "by_hand", "--json").stdout)
    assert found["verdict"] == "wrong"
    assert found["worst"]["leaf"] == "x"
    assert found["worst"]["index"] in ([0], [1])
    assert found["taylor_slope"] == pytest.approx(1, abs=0.1)
    assert (found["kinks"], found["checked"], found["size"]) == ([], 2, 2)
    kinks = json.loads(run("my_module.py:relu", "--at", "0,1", "--json").stdout)
    assert (kinks["verdict"], kinks["kinks"]) == ("correct", ["x[0]"])


def checked(*words):
    found = json.loads(run(*words, "--json").stdout)
    assert found["verdict"] == "correct", found
    return found


def test_where_it_checks(here):
    assert checked("my_module.py:loss")["worst"]["analytic"] in (2.0, -31.0)
    assert checked("my_module.py:loss", "--at", "-1,2,3")["size"] == 3
    assert checked("my_module.py:loss", "--at", "5")["worst"]["index"] == []
    assert checked("my_module.py:loss", "--at", "5,")["worst"]["index"] == [0]
    assert checked("my_module.py:tree_loss", "--at", "start")["size"] == 3
    assert checked("my_module.py:loss", "--at", "made")["size"] == 3
    np.save("x.npy", np.ones(4))
    np.savez("one.npz", x=np.ones((5, 6)))
    np.savez("two.npz", a=np.ones(2), b=np.array(3.0))
    assert checked("my_module.py:loss", "--at", "x.npy")["size"] == 4
    assert checked("my_module.py:loss", "--at", "one.npz", "--sample", "7")["checked"] == 7
    assert checked("my_module.py:tree_loss", "--at", "two.npz")["size"] == 3


def test_modules_by_file_and_by_name(here):
    (here / "neighbour.py").write_text("import jax.numpy as jnp\nhalf = 0.5\n")
    (here / "package").mkdir()
    (here / "package" / "__init__.py").touch()
    source = "from neighbour import half, jnp\ndef f(x):\n    return jnp.sum(half * x**2)\n"
    (here / "package" / "inner.py").write_text(source + "def init():\n    return [1.0, 2.0]\n")
    (here / "numpy.py").write_text(source + "params = [1.0]\n")
    assert checked("package.inner:f")["size"] == 2
    assert checked(str(here / "numpy.py") + ":f")["size"] == 1


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["my_module.py"], "as in my_module.py:loss; it was given 'my_module.py'"),
        ([":loss"], "as in my_module.py:loss; it was given ':loss'"),
        (["my_module.py:"], "as in my_module.py:loss"),
        (["C:/my_module.py"], "as in my_module.py:loss"),
        (["your_module.py:loss"], "There is no file your_module.py"),
        (["nowhere.at_all:loss"], "There is no module 'nowhere', neither here nor installed"),
        (["my_module.py:los"], "no function called 'los' in my_module.py: did you mean 'loss'"),
        (["empty.py:loss"], "no function called 'loss' in empty.py: it has none"),
        (["my_module.py:x0"], "x0 in my_module.py is no function but list"),
        (["my_module.py:loss", "--gradient", "by_hnd"], "'by_hnd' in .*: did you mean 'by_hand'"),
        (
            ["broken.py:f"],
            "broken.py cannot be loaded, line 2: ModuleNotFoundError: No module named",
        ),
        (["syntax.py:f"], "syntax.py cannot be loaded, line 3: SyntaxError"),
        (["leaves.py:f"], "leaves.py cannot be loaded, line 1: SystemExit: 3"),
        (["text.txt:f"], "text.txt is no Python file"),
        (
            ["pointless.py:f"],
            "no point to check at: give --at .* or define x0 or params in pointle",
        ),
        (["my_module.py:loss", "--at", "strat"], "none of them: did you mean 'start'"),
        (["pointless.py:f", "--at", "a"], "'a' is none of them\\."),
        (["my_module.py:loss", "--at", "x.npz"], "There is no file x.npz"),
        (["my_module.py:loss", "--at", "bad.npz"], "bad.npz holds no NumPy arrays of numbers"),
        (["my_module.py:loss", "--at", "objects.npy"], "objects.npy holds no NumPy arrays"),
        (["my_module.py:loss", "--at", "text"], "must hold numbers; x holds <U8"),
        (["my_module.py:loss", "--at", "broken_start"], "it failed, line 21: ZeroDivisionError"),
        (
            ["my_module.py:loss", "--at", "needs_key"],
            "without arguments; it failed: TypeError: need",
        ),
        (
            ["my_module.py:raising"],
            "raising in my_module.py failed, line 34: IndexError: list index",
        ),
        (["my_module.py:loss", "--at", "1,nan"], r"finite numbers; x\[1\] is nan"),
        (["my_module.py:loss", "--sample", "0"], "sample must be 1 or more"),
    ],
)
def test_bad_commands(here, words, part):
    (here / "empty.py").touch()
    (here / "text.txt").write_text("f")
    (here / "broken.py").write_text("\nimport no_such_thing\n")
    (here / "syntax.py").write_text("a = 1\n\ndef f(:\n")
    (here / "leaves.py").write_text("raise SystemExit(3)\n")
    (here / "pointless.py").write_text("def f(x):\n    return x\n")
    (here / "bad.npz").write_text("no zip")
    np.save("objects.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(FalllineError, match=part):
        run(*words)


def test_errors_that_are_not_the_user_s_show_themselves(here, monkeypatch):
    monkeypatch.setattr("fallline.gradients.check_gradient", lambda *a, **k: {}["bug"])
    with pytest.raises(KeyError, match="bug"):
        run("my_module.py:loss")
