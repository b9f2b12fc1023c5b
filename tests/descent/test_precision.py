from __future__ import annotations

import functools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

from fallline import minimize, train
from fallline.descent import loop, precision
from fallline.descent.problem import pose
from fallline.errors import FalllineError
from fallline.models import MLP
from fallline.models.products import product
from fallline.sparse import SMALL

pytestmark = pytest.mark.filterwarnings("ignore:This processor has no instructions")

N, D = 96, 5
DRAW = np.random.default_rng(3)
X = DRAW.normal(size=(N, D)).astype(np.float32)
CLASSES = np.argmax(X[:, :3], axis=1)
ASKED = (MLP(D, (16,), 3, batch_norm=True), "softmax_cross_entropy", (X, CLASSES))
OPTIONS = {"optimizer": "adam", "learning_rate": 0.02, "batch_size": 32}
fit = functools.partial(train, MLP(D, (16,), 3), *ASKED[1:], **OPTIONS)


def equations(jaxpr):
    """Those of a program and of all programs inside it."""
    for equation in jaxpr.eqns:
        yield equation
        for inner in jaxprs_in_params(equation.params):
            yield from equations(inner)


def products(word):
    """The types of what the layers' products in a training step multiply, and of what they give."""
    problem, _ = pose(*ASKED, **OPTIONS, precision=word)
    carry = problem.begin(problem.optimizer)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(carry)} == {"float32", "int32", "uint32"}
    traced = jax.make_jaxpr(functools.partial(loop.go_on, shape=problem.shape))(
        problem.objective,
        problem.rules,
        problem.rows,
        None,
        carry,
        problem.order(0, 1),
        *np.int32([0, 1, 1]),
        np.bool_(False),
    )
    found = [e for e in equations(traced.jaxpr) if e.primitive.name == "dot_general"]
    tables = [e for e in found if all(v.aval.ndim == 2 for v in e.invars)]
    return [tuple(v.aval.dtype.name for v in (*e.invars, *e.outvars)) for e in tables]


def test_the_layers_products_and_nothing_else_are_in_bfloat16():
    asked, usual = products("bfloat16"), products(None)
    # Forward, and the gradients to weights and to the layer below, of two layers.
    assert 5 <= len(asked) <= 6
    assert set(asked) == {("bfloat16", "bfloat16", "float32")}
    assert set(usual) == {("float32", "float32", "float32")}


def test_the_gradient_is_that_of_rounded_factors():
    weights, slopes = (DRAW.normal(size=s).astype(np.float32) for s in ((D, 4), (N, 4)))

    def rounded(x):
        return np.asarray(jnp.asarray(x).astype(jnp.bfloat16)).astype(np.float64)

    value, back = jax.vjp(product, X, weights)
    x, w, g = map(rounded, (X, weights, slopes))
    for found, wanted in zip((value, *back(slopes)), (x @ w, g @ w.T, x.T @ g), strict=True):
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_as_good_a_fit_and_the_same_bits_after_a_resume():
    plain, run = fit(epochs=30), fit(epochs=30, precision="bfloat16")
    assert (plain.precision, run.precision) == ("float32", "bfloat16")
    ends = run.history.training_loss[-1], plain.history.training_loss[-1]
    assert ends[0] == pytest.approx(ends[1], rel=0.05)
    assert ends[0] < plain.history.training_loss[0] / 3
    assert np.any(run.history.loss != plain.history.loss)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(run.last["params"])} == {"float32"}
    kept = []
    fit(epochs=30, precision="bfloat16", keep=lambda s, rate: kept.append(s), keep_every=1e-6)
    again = fit(epochs=30, precision="bfloat16", resume=kept[0])
    assert kept[0].arrays["step"] < run.steps
    jax.tree.map(np.testing.assert_array_equal, again.params, run.params)
    # What is validated is what will predict: the weights as they are.
    held = run.outputs(X)
    assert held.dtype == np.float32
    assert "products in bfloat16" in str(run)
    assert "bfloat16" not in str(plain)


def wide():
    """A sparse table that is not made dense."""
    from scipy import sparse

    return sparse.csr_array((3, SMALL), dtype=np.float32)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"precision": "half"}, "must be 'float32', 'bfloat16' or 'float64'; it was given 'half'"),
        ({"precision": "float64"}, "JAX computes in float32 here; for float64 train inside `with"),
        (
            {"model": MLP(SMALL, (1,), 3), "data": (wide(), [0, 1, 2])},
            "Sparse rows are multiplied in float32 only",
        ),
        (
            {"model": lambda p: p**2, "loss": None, "data": None, "params": 1.0},
            "is for the layers of a model; an objective of your own",
        ),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(changed, sentence):
    model, loss, data = ASKED
    asked = {"model": model, "loss": loss, "data": data, "precision": "bfloat16", **changed}
    with pytest.raises(FalllineError, match=sentence):
        train(**asked)


def test_a_function_alone_has_no_layers():
    with pytest.raises(FalllineError, match="must be 'float32' or 'float64'"):
        minimize(lambda x: x**2, 1.0, precision="bfloat16")


def test_without_instructions_for_it_a_warning_comes_once(monkeypatch):
    monkeypatch.setattr(precision, "native", lambda: False)
    precision._tell_if_slow.cache_clear()
    with pytest.warns(UserWarning, match="no instructions for bfloat16"):
        pose(*ASKED, precision="bfloat16")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pose(*ASKED, precision="bfloat16")
