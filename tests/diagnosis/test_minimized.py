"""The doctor on `fallline.minimize`: healthy descents stay without complaint, planted troubles are named."""

import dataclasses
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fallline
from fallline import FalllineError, terrains
from fallline.diagnosis.doctor import examine
from fallline.diagnosis.facts import Facts
from fallline.diagnosis.finding import BENIGN
from fallline.diagnosis.minimized import MinimizeCase


def bowl(x):
    return x[0] ** 2 + 4 * x[1] ** 2 + x[0] * x[1]


def pass_between(x):
    return x[0] ** 2 - x[1] ** 2 + 0.1 * x[1] ** 4


def trough(x):
    return 500 * x[0] ** 2 + 0.5 * x[1] ** 2


def two_wells(x):
    return jnp.sum((x**2 - 1) ** 2 + 0.3 * x)


@jax.custom_vjp
def by_hand(x):
    return bowl(x)


def wrong_slope(x):
    """The gradient of `bowl` with the sign of one term wrong."""
    return jnp.stack([2 * x[0] + x[1], x[0] - 8 * x[1]])


by_hand.defvjp(lambda x: (bowl(x), x), lambda x, g: (g * wrong_slope(x),))


def diagnosed(*args, **options):
    case = MinimizeCase(fallline.minimize(*args, **options))
    with case.in_precision():
        return examine(case, seconds=60.0)


HEALTHY = {
    "bowl": (bowl, [3.0, 2.0], "sgd", {"learning_rate": 0.1, "steps": 200}),
    "bowl in double precision": (
        bowl,
        [3.0, 2.0],
        "sgd",
        {"learning_rate": 0.1, "steps": 200, "precision": "float64"},
    ),
    "Himmelblau": (terrains.by_name("himmelblau"), None, "adam", {"learning_rate": 0.1}),
    "elsewhere": (terrains.by_name("himmelblau"), [4.0, -4.0], "adam", {"learning_rate": 0.1}),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_descents_are_not_complained_of(name):
    f, x0, optimizer, options = HEALTHY[name]
    found = diagnosed(f, x0, optimizer, **options)
    assert found.healthy, found
    assert found.findings[0].name == "converged"


PLANTED = {
    "saddle-point": (pass_between, [1.0, 0.0], {"learning_rate": 0.1, "steps": 60}),
    "learning-rate-too-high": (bowl, [3.0, 2.0], {"learning_rate": 0.3, "steps": 200}),
    "learning-rate-too-low": (bowl, [3.0, 2.0], {"learning_rate": 1e-6, "steps": 200}),
    "ravine": (trough, [1.0, 30.0], {"learning_rate": 0.0018, "steps": 300}),
    "local-minimum": (two_wells, 0.5, {"learning_rate": 0.05, "steps": 300}),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_troubles_are_named_and_their_fixes_help(name):
    f, x0, options = PLANTED[name]
    result = fallline.minimize(f, x0, "sgd", **options)
    finding = examine(MinimizeCase(result), seconds=60.0).findings[0]
    assert finding.name == name
    better = fallline.minimize(**finding.apply())
    assert better.fun < result.fun - 0.01
    assert finding.case.again(finding.fix.changes).history.loss[-1] < result.fun - 0.01


@pytest.mark.parametrize(("f", "gradient"), [(by_hand, "auto"), (bowl, wrong_slope)])
def test_a_wrong_derivative_is_named(f, gradient):
    found = diagnosed(f, [3.0, 2.0], "sgd", learning_rate=0.05, steps=30, gradient=gradient)
    assert [finding.name for finding in found.findings] == ["wrong-gradient"]


def stretched(x, scale):
    return jnp.sum(scale * (x["a"] - 1.0) ** 2) + x["b"] ** 2


def test_the_descent_is_made_once_more_to_where_it_ended():
    """With further arguments, a tree of parameters, and only some of the steps recorded."""
    given = {"args": (np.array([1.0, 3.0]),), "learning_rate": 0.05, "steps": 60, "tolerance": 0}
    start = {"a": np.zeros(2), "b": 2.0}
    result = fallline.minimize(stretched, start, "adam", records=20, **given)
    whole = fallline.minimize(stretched, start, "adam", **given)
    case = MinimizeCase(result)
    assert len(result.history) == 20
    assert len(case.history) == 60
    np.testing.assert_allclose(case.history.loss, whole.history.loss, rtol=1e-4)
    np.testing.assert_allclose(case.run.params["a"], result.x["a"], rtol=1e-4)
    np.testing.assert_array_equal(case.end["params"]["a"], result.x["a"])
    assert int(case.end["step"]) == 60
    # It goes on from there, with what the optimizer remembers.
    longer = fallline.minimize(stretched, start, "adam", **{**given, "steps": 120})
    onward = Facts(case).onward()
    assert onward.steps == 60
    assert onward.loss == pytest.approx(float(longer.history.loss[-30:].mean()), rel=1e-3)


def test_what_training_cannot_do_is_told_by_history_and_curvature():
    def plain(x):
        return float(np.sum(np.asarray(x) ** 2))

    with pytest.warns(UserWarning, match="JAX cannot trace"):
        called = fallline.minimize(plain, [1.0, 2.0], "sgd", learning_rate=0.1, steps=80)
    searched = fallline.minimize(pass_between, [1.0, 0.0], line_search="armijo", steps=20)
    for result, ends in ((called, (2, 2)), (searched, (2, -2))):
        case = MinimizeCase(result)
        assert case.problem is None
        assert case.again({}) is None
        sharp = case.sharpness()
        assert (sharp.largest, sharp.smallest) == pytest.approx(ends, rel=1e-2)
        assert result is searched or examine(case).healthy
    assert MinimizeCase(searched).kind == "saddle"


def test_changes_are_arguments_of_minimize():
    result = fallline.minimize(bowl, [3.0, 2.0], "sgd", steps=40, learning_rate=0.1)
    case = MinimizeCase(result)
    new = case.changed({"learning_rate": 0.05, "params": np.ones(2), "gradient_tolerance": None})
    assert (new["f"], new["tolerance"], new["steps"]) == (bowl, 0.0, 40)
    np.testing.assert_array_equal(new["x0"], [1, 1])
    assert fallline.minimize(**new).optimizer.learning_rate == 0.05
    other = case.changed({"momentum": 0.9}, {"f": trough, "x0": [1.0, 1.0], "optimizer": "sgd"})
    assert (other["f"], other["optimizer"].learning_rate) == (trough, pytest.approx(0.1))
    with pytest.raises(FalllineError, match="no setting called 'batch_size'"):
        case.changed({"batch_size": 3})


def test_a_result_that_was_pickled_keeps_its_history_alone():
    result = fallline.minimize(bowl, [3.0, 2.0], "sgd", steps=40, learning_rate=0.1)
    assert result.asked["f"] is bowl
    case = MinimizeCase(pickle.loads(pickle.dumps(result)))
    assert case.problem is None
    assert all(f.name in BENIGN for f in examine(case).findings)
    with pytest.raises(FalllineError, match="no longer knows"):
        case.changed({"learning_rate": 0.1})


def test_many_starts_are_refused():
    result = fallline.minimize(bowl, [3.0, 2.0], "sgd", steps=40, learning_rate=0.1)
    with pytest.raises(FalllineError, match="one descent at a time"):
        MinimizeCase(dataclasses.replace(result, best=0))
