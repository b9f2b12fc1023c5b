from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from fallline import FalllineError
from fallline.gradients import (
    derivative,
    error_against_h,
    gradient,
    hessian,
    jacobian,
    partial_derivative,
    tangent_line,
)

METHODS = ("forward", "central", "richardson")
# Functions with their derivatives, and points where both are tame.
SMOOTH = {
    "sin": (np.sin, np.cos),
    "exp": (np.exp, np.exp),
    "cubic": (lambda x: x**3 - 2 * x, lambda x: 3 * x**2 - 2),
    "logistic": (lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
    "root": (lambda x: np.sqrt(x**2 + 1), lambda x: x / np.sqrt(x**2 + 1)),
    "wave": (lambda x: np.sin(3 * x) * np.exp(-x / 4), None),
    "arctan": (np.arctan, lambda x: 1 / (1 + x**2)),
    "softplus": (lambda x: np.logaddexp(0, x), lambda x: 1 / (1 + np.exp(-x))),
}
SMOOTH["wave"] = (
    SMOOTH["wave"][0],
    lambda x: np.exp(-x / 4) * (3 * np.cos(3 * x) - np.sin(3 * x) / 4),
)
WORST = {"forward": 3e-6, "central": 1e-8, "richardson": 1e-9}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives_of_smooth_functions(name, method):
    f, exact = SMOOTH[name]
    x = np.linspace(-3, 3, 41)
    found = derivative(f, x, method=method)
    scale = np.maximum(np.abs(exact(x)), 1e-2 * np.abs(exact(x)).max())
    assert (np.abs(found.value - exact(x)) <= WORST[method] * scale * 10).all()
    assert np.median(np.abs(found.value - exact(x)) / scale) < WORST[method]
    assert found.value.shape == found.error.shape == found.h.shape == x.shape


@pytest.mark.parametrize("method", METHODS)
def test_the_error_estimate_is_honest(method):
    """The truth lies within 10 estimates in 95 % of the cases; and no estimate is empty caution."""
    x = np.concatenate([np.linspace(-4, 4, 161), [0.0, 1e-3, 7.5, -20.0]])
    inside, size = [], []
    for f, exact in SMOOTH.values():
        found = derivative(f, x, method=method)
        inside.append(np.abs(found.value - exact(x)) <= 10 * found.error)
        size.append(found.error / np.maximum(np.abs(exact(x)), 1e-2))
    assert np.mean(inside) >= 0.95
    assert np.median(size) < 100 * WORST[method]


@given(
    st.floats(-5, 5),
    st.lists(st.floats(-3, 3), min_size=1, max_size=5),
    st.sampled_from(METHODS),
)
def test_polynomials(x, coefficients, method):
    polynomial = np.polynomial.Polynomial(coefficients)
    found = derivative(polynomial, x, method=method)
    size = sum(abs(c) * max(1, abs(x)) ** k for k, c in enumerate(coefficients))
    assert abs(found.value - polynomial.deriv()(x)) <= 10 * found.error + 1e-15 * size


def test_plain_numpy_and_jax_functions_alike():
    for f in (math.sin, np.sin, jnp.sin, jax.jit(jnp.sin)):
        assert float(derivative(f, 1, method="richardson")) == pytest.approx(math.cos(1), rel=1e-12)
    found = derivative(jnp.sin, jnp.float32(1.0))
    assert found.value == pytest.approx(math.cos(1), rel=1e-9)
    assert isinstance(float(found), float)
    np.testing.assert_array_equal(np.asarray(found), found.value)
    assert not jax.config.jax_enable_x64


def test_what_the_function_is_called_with():
    """Numbers in double precision, never traced; a copy each time, so that writing into it is safe."""
    seen = []

    def f(x):
        seen.append((type(x), x.dtype))
        x[0] *= 2
        return x[0] ** 2 + x[1]

    found = gradient(f, [3, 4])
    np.testing.assert_allclose(found.value, [24, 1], rtol=1e-9)
    assert set(seen) == {(np.ndarray, np.dtype("float64"))}
    assert found.evaluations == len(seen) == 9

    def g(x):
        assert not isinstance(x, jax.core.Tracer)
        return jnp.sum(x.at[0].set(0.0) ** 2)

    for x in (np.ones(2), jnp.ones(2)):
        np.testing.assert_allclose(gradient(g, x).value, [0, 2], atol=1e-9)
    np.testing.assert_allclose(gradient(f, jnp.array([3.0, 4.0])).value, [24, 1], rtol=1e-9)


def test_steps_are_the_rules():
    eps = np.finfo(float).eps
    for method, power in (("forward", 1 / 2), ("central", 1 / 3)):
        found = derivative(np.sin, np.array([0.0, 0.5, 1000.0]), method=method)
        np.testing.assert_allclose(found.h, eps**power * np.array([1, 1, 1000]), rtol=1e-3)
    x = 0.3
    h = derivative(np.sin, x).h
    assert (x + h) - x == h
    assert derivative(np.sin, x, h=1e-3).h == pytest.approx(1e-3)
    assert derivative(np.sin, x, h=1e-3).value != derivative(np.sin, x).value
    single = derivative(lambda x: np.float32(np.sin(x)), x)
    assert single.h == pytest.approx(np.finfo(np.float32).eps ** (1 / 3), rel=1e-3)
    assert abs(single.value - np.cos(x)) <= 10 * single.error < 1e-2


def test_partial_derivatives():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])

    def f(x):
        return x[0, 1] ** 2 * x[1, 0]

    assert float(partial_derivative(f, x, (0, 1))) == pytest.approx(12)
    assert float(partial_derivative(f, x, (-1, 0), method="richardson")) == pytest.approx(4)
    assert float(partial_derivative(lambda x: x[0] * x[1], (2.0, 5.0), 1)) == pytest.approx(2)
    params = {"bias": 3.0, "weights": np.array([1.0, 2.0])}

    def g(p):
        return p["bias"] * np.sum(p["weights"] ** 2)

    assert float(partial_derivative(g, params, ("weights", 1))) == pytest.approx(12)
    assert float(partial_derivative(g, params, "bias")) == pytest.approx(5)
    assert float(partial_derivative(math.exp, 0.0, ())) == pytest.approx(1)


def test_gradients_of_trees_equal_jax(rng):
    params = {
        "a": rng.normal(size=(2, 3)),
        "b": [jnp.asarray(rng.normal(size=3)), 0.7],
        "c": (np.zeros((0, 2)), None),
    }

    def f(p):
        return jnp.sum(jnp.tanh(p["a"] + p["b"][0]) ** 2) * jnp.exp(p["b"][1])

    found = gradient(f, params, method="richardson")
    with jax.enable_x64(True):
        exact = jax.grad(f)(jax.tree.map(lambda v: jnp.asarray(v, "float64"), params))
    assert jax.tree.structure(found.value) == jax.tree.structure(params)
    for ours, theirs in zip(jax.tree.leaves(found.value), jax.tree.leaves(exact), strict=True):
        assert ours.dtype == np.float64
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)
    assert jax.tree.map(np.shape, found.error) == jax.tree.map(np.shape, params)


def test_gradients_equal_scipy(rng):
    x = rng.uniform(0.5, 1.5, 5)
    theirs = optimize.approx_fprime(x, optimize.rosen)
    np.testing.assert_allclose(
        gradient(optimize.rosen, x, method="forward").value, theirs, rtol=1e-4
    )
    np.testing.assert_allclose(gradient(optimize.rosen, x).value, optimize.rosen_der(x), rtol=1e-7)
    found = hessian(optimize.rosen, x)
    exact = optimize.rosen_hess(x)
    np.testing.assert_allclose(found.value, exact, atol=1e-7 * np.abs(exact).max())
    assert (np.abs(found.value - exact) <= 10 * found.error).all()


def test_jacobians():
    A = np.arange(6.0).reshape(2, 3)
    found = jacobian(lambda x: A @ x, np.ones(3))
    np.testing.assert_allclose(found.value, A, atol=1e-9)
    assert found.h.shape == (3,)
    x = np.array([[0.1, 0.2], [0.3, 0.4]])
    found = jacobian(lambda x: np.sin(x).T @ x, x, method="richardson")
    with jax.enable_x64(True):
        exact = jax.jacobian(lambda x: jnp.sin(x).T @ x)(jnp.asarray(x))
    assert found.value.shape == (2, 2, 2, 2)
    np.testing.assert_allclose(found.value, exact, rtol=1e-10, atol=1e-12)
    curve = jacobian(lambda t: np.array([np.cos(t), np.sin(t), t]), 0.0)
    np.testing.assert_allclose(curve.value, [0, 1, 1], atol=1e-9)
    assert jacobian(np.sum, np.ones((2, 2))).value.shape == (2, 2)


def test_hessians():
    x = np.array([[1.0, 2.0], [0.5, -1.0]])
    found = hessian(lambda x: x[0, 0] ** 2 * x[1, 1] + np.exp(x[0, 1] * x[1, 0]), x)
    with jax.enable_x64(True):
        exact = jax.hessian(lambda x: x[0, 0] ** 2 * x[1, 1] + jnp.exp(x[0, 1] * x[1, 0]))(
            jnp.asarray(x)
        )
    assert found.value.shape == (2, 2, 2, 2)
    np.testing.assert_allclose(found.value, exact, atol=2e-7)
    flat = found.value.reshape(4, 4)
    np.testing.assert_array_equal(flat, flat.T)
    assert float(hessian(math.cos, 0.0)) == pytest.approx(-1, rel=1e-6)
    assert hessian(math.cos, 0.0).h == pytest.approx(np.finfo(float).eps ** 0.25, rel=1e-3)
    assert float(hessian(lambda x: x**4, 1.0, h=1e-2)) == pytest.approx(12.0002, abs=1e-7)


def test_richardson_stays_inside_the_domain():
    """Its first step is 0.1, which is beyond the edge of a logarithm at 0.01."""
    for log in (math.log, np.log, jnp.log):
        assert float(derivative(log, 0.01, method="richardson")) == pytest.approx(100, rel=1e-9)
    x = np.array([0.001, 0.01, 5.0])
    found = derivative(np.sqrt, x, method="richardson")
    np.testing.assert_allclose(found.value, 0.5 / np.sqrt(x), rtol=1e-9)
    found = derivative(lambda x: 1 / x, 1e-3, method="richardson")
    assert abs(found.value + 1e6) < 10 * found.error < 1e3


def test_richardson_is_not_fooled_by_a_period():
    """With steps 0.1, 0.05, ... each central difference but the later ones would be exactly 0."""
    found = derivative(lambda x: np.sin(20 * np.pi * x), 0.0, method="richardson")
    assert found.value == pytest.approx(20 * np.pi, rel=1e-9)


def test_whole_numbers_are_numbers():
    assert float(derivative(lambda x: 3, 1.0)) == 0
    assert float(derivative(np.floor, 1.5)) == 0
    assert float(derivative(lambda x: x * x, 3)) == pytest.approx(6)


def test_the_error_against_the_step():
    curve = error_against_h(np.sin, 1.0, exact=math.cos)
    assert curve.source == "given"
    assert curve.h[0] == 0.1
    assert curve.h[-1] == pytest.approx(1e-16)

    def slope(method, high, low):
        part = (curve.h < high) & (curve.h > low)
        return np.polyfit(np.log(curve.h[part]), np.log(curve.errors[method][part]), 1)[0]

    # Truncation falls with h and with h^2; round-off rises as 1/h.
    assert slope("forward", 0.2, 1e-6) == pytest.approx(1, abs=0.1)
    assert slope("central", 0.2, 1e-4) == pytest.approx(2, abs=0.1)
    assert slope("forward", 1e-9, 1e-15) == pytest.approx(-1, abs=0.35)
    assert slope("central", 1e-7, 1e-15) == pytest.approx(-1, abs=0.35)
    # At a step that is lost beside x the difference is 0, and the error the whole derivative.
    assert curve.errors["forward"][-1] == pytest.approx(math.cos(1))
    for method, error in curve.errors.items():
        assert curve.best[method] == curve.h[error.argmin()]
        at_rule = np.interp(
            np.log(curve.rule[method]), np.log(curve.h[::-1]), np.log(error[::-1] + 1e-17)
        )
        assert np.exp(at_rule) < 1e3 * max(error.min(), 1e-13)
        assert 1 / 300 < curve.rule[method] / curve.best[method] < 300


def test_where_the_exact_derivative_comes_from():
    traced = error_against_h(jnp.sin, 1.0, h=[1e-3, 1e-5])
    assert traced.source == "jax.grad"
    assert traced.exact == pytest.approx(math.cos(1), rel=1e-15)
    assert traced.errors["forward"].shape == (2,)
    plain = error_against_h(math.sin, 1.0, methods=["richardson"])
    assert plain.source == "richardson"
    assert plain.exact == pytest.approx(math.cos(1), rel=1e-12)
    assert list(plain.errors) == ["richardson"]
    given = error_against_h(math.sin, 1.0, exact=0.5, h=[1e-5])
    assert given.errors["central"][0] == pytest.approx(math.cos(1) - 0.5, rel=1e-6)
    beyond = error_against_h(np.log, 0.05, exact=20.0, h=[0.1, 1e-5])
    assert np.isnan(beyond.errors["central"][0])
    assert beyond.best["central"] == 1e-5
    assert math.isnan(error_against_h(np.log, 0.05, exact=20.0, h=[0.1]).best["central"])


def test_tangents():
    line = tangent_line(lambda x: x**2, 3.0, method="richardson")
    assert str(line) == "y = 6 x - 9"
    assert (line.x, line.y) == (3, 9)
    assert line(3.0) == 9
    np.testing.assert_allclose(line(np.array([0.0, 4.0])), [-9, 15], rtol=1e-9)
    assert str(tangent_line(math.exp, 0.0)) == "y = 1 x + 1"


def vector(x):
    return np.array([1.0, 2.0])


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: gradient(vector, [1.0, 2.0]), r"gives one number; it gave the shape \(2,\)"),
        (
            lambda: derivative(np.sum, np.ones(3)),
            r"gives the shape of x, \(3,\); it gave \(\): use",
        ),
        (lambda: derivative(np.sin, 1 + 2j), "x holds complex numbers"),
        (lambda: gradient(np.sum, {"w": np.ones(2, complex)}), "^w holds complex numbers"),
        (lambda: derivative(lambda x: x * 1j, 1.0), "must give real numbers; it gave complex"),
        (lambda: derivative(lambda x: "no", 1.0), "must give a number or an array .* gave <U2"),
        (lambda: derivative(lambda x: None, 1.0), "it gave NoneType"),
        (lambda: derivative(lambda x: [[1], [1, 2]], 1.0), "it gave list"),
        (lambda: derivative(lambda x: x > 0, 1.0), "it gave bool"),
        (lambda: derivative(np.sin, "a"), "must hold numbers; x holds <U1"),
        (lambda: derivative(np.sin, True), "must hold numbers; x holds bool"),
        (lambda: gradient(np.sum, {"w": object()}), "must hold numbers; w holds object"),
        (lambda: derivative(np.sin, np.nan), "finite numbers; x is nan"),
        (
            lambda: gradient(np.sum, [[1.0, 2.0], [np.inf, 0.0]]),
            r"finite numbers; x\[1, 0\] is inf",
        ),
        (lambda: gradient(np.sum, {"a": {"b": [1.0, np.nan]}}), "finite numbers; a/b/1 is nan"),
        (lambda: gradient(np.sum, []), "x holds no numbers"),
        (lambda: gradient(np.sum, np.zeros((0, 2))), "x holds no numbers"),
        (lambda: gradient(np.sum, {}), "x holds no numbers"),
        (lambda: derivative(np.sin, 1.0, method="centre"), "no method .*: did you mean 'central'"),
        (lambda: derivative(np.sin, 1.0, h=0), "h must be a number above 0; it was given 0"),
        (lambda: derivative(np.sin, 1.0, h=-1e-3), "h must be a number above 0"),
        (lambda: derivative(np.sin, 1.0, h=np.nan), "h must be a number above 0"),
        (lambda: derivative(np.sin, 1.0, h=True), "h must be a number above 0"),
        (
            lambda: derivative(np.sin, 1.0, h="big"),
            "h must be a number above 0; it was given 'big'",
        ),
        (lambda: hessian(np.sin, 1.0, h=0), "h must be a number above 0"),
        (
            lambda: derivative(np.sin, 1.0, h=1e-17),
            "lost in rounding beside x = 1, .* 2.2e-16 away",
        ),
        (lambda: derivative(np.log, np.array([1, -1.0])), r"f\(x\)\[1\] is nan: there is no deriv"),
        (lambda: gradient(lambda x: np.inf, [1.0]), r"f\(x\) is inf"),
        (
            lambda: derivative(np.log, 1e-7),
            "not finite within 6.1e-06 of x = 1e-07: give a smaller h",
        ),
        (lambda: gradient(lambda x: np.sum(np.sqrt(x)), [1.0, 0.0]), r"of x\[1\] = 0: give"),
        (lambda: derivative(np.sqrt, np.array([1.0, 0.0])), r"of x\[1\] = 0: give"),
        (lambda: derivative(math.sqrt, 0.0, method="richardson"), "not finite within"),
        (lambda: hessian(lambda x: math.sqrt(x[0]), [0.0]), r"of x\[0\] = 0: give"),
        (lambda: derivative(np.sin, {"a": 1.0, "b": 2.0}), "not a tree of 2 leaves"),
        (lambda: derivative(3, 1.0), "f must be a function; it was given int"),
        (lambda: partial_derivative(np.sum, np.ones(3), 3), r"shape \(3,\); 3 is no index"),
        (
            lambda: partial_derivative(np.sum, np.ones(3), (0, 0)),
            "is no index of one of its numbers",
        ),
        (lambda: partial_derivative(np.sum, np.ones(3), "a"), "'a' is no index"),
        (lambda: partial_derivative(len, {"weights": [1.0]}, 0), r"\(leaf name, index\), such as"),
        (
            lambda: partial_derivative(len, {"weights": np.ones(2)}, ("weihgts", 0)),
            "no leaf called 'weihgts': did you mean 'weights'",
        ),
        (lambda: error_against_h(np.sin, np.ones(2)), r"one number; it has the shape \(2,\)"),
        (lambda: error_against_h(np.sin, 1.0, methods=["backward"]), "no method called 'backward'"),
        (lambda: error_against_h(np.sin, 1.0, h=[1e-3, 0]), "steps h must be numbers above 0"),
        (lambda: error_against_h(np.sin, 1.0, h=[]), "steps h must be numbers above 0"),
        (lambda: tangent_line(np.sin, np.ones(2)), r"one number; it has the shape \(2,\)"),
    ],
)
def test_bad_input(call, part):
    with pytest.raises(FalllineError, match=part):
        call()


def test_a_function_of_changing_shape():
    with pytest.raises(FalllineError, match=r"gave the shape \(2,\) at x and \(1,\) beside it"):
        jacobian(lambda x: np.ones(2 if x[0] == 1 else 1), [1.0])


def test_the_function_s_own_errors_are_its_own():
    def f(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        derivative(f, 1.0)
