from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from fallline import FalllineError, scipy_method
from fallline.optimizers import Adam


def bowl(x, shift=1.0):
    return ((x - shift) ** 2 * [1.0, 5.0]).sum()


def slope(x, shift=1.0):
    return 2 * (x - shift) * [1.0, 5.0]


@pytest.mark.parametrize("jac", [None, slope, "2-point"])
@pytest.mark.parametrize("optimizer", [None, "momentum", Adam(0.1)])
def test_the_place_that_scipy_s_own_method_finds(jac, optimizer, recwarn):
    rate = {"learning_rate": 0.02} if optimizer == "momentum" else {}
    found = scipy.optimize.minimize(
        plain, [3.0, -2.0], method=scipy_method(optimizer, **rate), jac=jac
    )
    theirs = scipy.optimize.minimize(plain, [3.0, -2.0], method="BFGS")
    np.testing.assert_allclose(found.x, theirs.x, atol=1e-5)
    assert isinstance(found, scipy.optimize.OptimizeResult)
    assert found.success
    assert found.status == 0
    assert found.fun == pytest.approx(0, abs=1e-9)
    assert found.x.dtype == found.jac.dtype == np.float64
    assert found.nit > 0
    assert found.nfev > 0
    assert found.njev > 0
    assert "minimum" in found.message
    assert not recwarn.list


def plain(x):
    return float(np.sum((np.asarray(x) - 1.0) ** 2 * [1.0, 5.0]))


def test_functions_of_scipy_s_own():
    found = scipy.optimize.minimize(
        scipy.optimize.rosen,
        [-1.2, 1.0],
        jac=scipy.optimize.rosen_der,
        method=scipy_method("adam", learning_rate=0.05, steps=5000),
    )
    np.testing.assert_allclose(found.x, 1, atol=1e-4)


def test_arguments_options_and_tolerance_come_through():
    method = scipy_method("sgd", learning_rate=0.05)
    found = scipy.optimize.minimize(
        lambda x, a, b: jnp.sum((x - a) ** 2) + b, [0.0], args=(np.array(2.0), 7), method=method
    )
    assert found.x[0] == pytest.approx(2, abs=1e-6)
    assert found.fun == pytest.approx(7)
    rough = scipy.optimize.minimize(bowl, [0.0, 0.0], method=method, tol=1e-2)
    fine = scipy.optimize.minimize(bowl, [0.0, 0.0], method=method, tol=1e-9)
    assert rough.nit < fine.nit
    assert np.linalg.norm(rough.jac) <= 1e-2
    short = scipy.optimize.minimize(bowl, [0.0, 0.0], method=method, options={"maxiter": 3})
    assert short.nit == 3
    assert not short.success
    other = scipy.optimize.minimize(
        bowl, [0.0, 0.0], method=method, options={"learning_rate": 0.01, "maxiter": 1}
    )
    np.testing.assert_allclose(other.x, [0.02, 0.1])


def test_what_scipy_wants_told(capsys):
    places = []
    scipy.optimize.minimize(
        bowl,
        [0.0, 0.0],
        method=scipy_method("sgd", learning_rate=0.05),
        callback=places.append,
        options={"disp": True},
    )
    np.testing.assert_allclose(places[-1], 1, atol=1e-4)
    assert "At rest in a minimum" in capsys.readouterr().out


def test_the_setting_of_jax_is_left_alone():
    before = jax.config.jax_enable_x64
    scipy.optimize.minimize(bowl, [0.0, 0.0], method=scipy_method("sgd", learning_rate=0.05))
    assert jax.config.jax_enable_x64 == before


@pytest.mark.parametrize(
    "given",
    [{"bounds": [(0, 1), (0, 1)]}, {"constraints": {"type": "eq", "fun": lambda x: x[0]}}],
)
def test_bounds_and_constraints_are_refused(given):
    with pytest.raises(FalllineError, match="Descent knows no bounds or constraints"):
        scipy.optimize.minimize(bowl, [0.0, 0.0], method=scipy_method(), **given)


def test_a_function_s_error_is_its_own():
    def broken(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        scipy.optimize.minimize(broken, [0.0], method=scipy_method("sgd"))
