from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fallline import FalllineError, minimize, terrains
from fallline.descent import minimize_loop as loop
from fallline.descent.line_search import LINE_SEARCHES, Armijo, LineSearch, Polyak, by_name
from fallline.optimizers import SGD, Adam, Momentum, from_optax


def bowl(x):
    return x[0] ** 2 + 25 * (x[1] - 1) ** 2


@pytest.mark.parametrize("name", ["himmelblau", "rosenbrock", "beale", "styblinski_tang"])
@pytest.mark.parametrize(
    "optimizer", [None, Momentum(1.0), Adam(1.0)], ids=["sgd", "momentum", "adam"]
)
def test_armijo_s_condition_holds_at_every_step(name, optimizer):
    terrain = terrains.by_name(name)
    search = Armijo(decrease=0.1)
    result = minimize(
        terrain, None, optimizer, line_search=search, path=True, steps=200, precision="float64"
    )
    with jax.enable_x64(True):
        values = np.asarray(terrain(jnp.asarray(result.path)))
        slopes = np.asarray(jax.vmap(jax.grad(terrain))(jnp.asarray(result.path)))
    moves = np.diff(result.path, axis=0)[: result.nit]
    promised = np.sum(slopes[: result.nit] * moves, axis=1)
    assert len(moves) > 10
    assert (promised < 0).all()
    fallen = np.diff(values)[: result.nit]
    # The loop's program and this one may round the last digit differently.
    rounding = 1e-14 * np.abs(values[: result.nit])
    assert (fallen < rounding).all()
    assert (fallen <= 0.1 * promised + rounding).all()


def test_armijo_takes_the_first_of_its_row_that_will_do():
    """By hand, on 25 y^2 from y = 1: the slope is -50, t has to fall below 2 (1 - c) / 50."""
    result = minimize(
        lambda y: 25 * y**2, 1.0, line_search=Armijo(decrease=0.5, shrink=0.5, grow=2.0), steps=2
    )
    # From 2: 2, 1, 1/2, ... 1/64 is the first not above 1/50; the next try begins at 1/32.
    np.testing.assert_allclose(result.history.learning_rate, [1 / 64, 1 / 64])
    assert result.nfev == (1 + 8) + (1 + 2)


def test_armijo_needs_no_rate_and_stops_where_rounding_hides_the_fall():
    result = minimize(bowl, [3.0, -1.0], line_search="armijo")
    assert result.kind == "minimum"
    assert result.success
    assert result.nit < 500
    np.testing.assert_allclose(result.x, [0, 1], atol=1e-3)


def test_a_direction_that_leads_up_is_replaced_by_straight_down():
    upwards = from_optax(optax.sgd(-1.0))
    result = minimize(bowl, [3.0, -1.0], upwards, line_search="armijo", steps=100, path=True)
    assert (np.diff(result.history.loss) < 0).all()
    assert result.fun < 1e-3


def test_a_wrong_gradient_is_suspected():
    result = minimize(bowl, [3.0, -1.0], gradient=lambda x: -x, line_search="armijo")
    assert result.status == 4
    assert not result.success
    assert result.nit == 0
    assert "fallline.check_gradient" in result.message


def test_noise_is_named_where_it_hides_the_way():
    result = minimize(terrains.by_name("noisy_bowl"), line_search="armijo")
    assert result.status == 4
    assert "a line search needs noise=0" in result.message


@pytest.mark.parametrize("search", ["armijo", "polyak"])
def test_at_a_kink(search):
    result = minimize(jnp.abs, 1.05, line_search=search)
    assert result.kind == "minimum"
    assert "as at a kink" in result.message
    assert abs(result.x) < 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_polyak_s_step_never_leads_away_from_the_minimum(seed):
    """For convex functions the distance to every minimum falls: Polyak, section 5.3."""
    rng = np.random.default_rng(seed)
    A, b = rng.normal(size=(12, 4)), rng.normal(size=12)
    best = np.linalg.lstsq(A, b, rcond=None)[0]
    least = float(np.mean((A @ best - b) ** 2))

    def f(x):
        return jnp.mean((A @ x - b) ** 2)

    result = minimize(
        f,
        np.ones(4),
        line_search=Polyak(least),
        steps=3000,
        path=True,
        precision="float64",
        tolerance=1e-6,
    )
    away = np.linalg.norm(result.path - best, axis=1)
    assert (np.diff(away) <= 1e-9).all()
    np.testing.assert_allclose(result.x, best, atol=1e-4)


def test_polyak_s_step_by_hand():
    result = minimize(lambda x: x**2, 1.0, line_search="polyak", steps=3, path=True, tolerance=0)
    np.testing.assert_allclose(result.path, [[1], [0.5], [0.25], [0.125]])
    stops = minimize(lambda x: x**2, 1.0, line_search=Polyak(0.25))
    assert stops.x == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("search", [Armijo(), Polyak()])
def test_the_same_alone_among_many_and_from_python(search):
    starts = np.array([[3.0, -1.0], [-1.0, 2.0]])
    options = {"line_search": search, "steps": 12, "tolerance": 0, "precision": "float64"}
    many = minimize(bowl, starts=starts, **options)
    for i in range(2):
        one = minimize(bowl, starts[i], **options)
        assert one.nit == many.nit[i]
        assert one.nfev == many.nfev[i]
        np.testing.assert_allclose(one.x, many.x[i], rtol=1e-6)
        plain = minimize(bowl, starts[i], gradient="numerical", **options)
        np.testing.assert_allclose(
            plain.history.learning_rate, one.history.learning_rate, rtol=1e-3
        )
        np.testing.assert_allclose(plain.x, one.x, atol=1e-4)


def test_other_numbers_of_a_search_need_no_second_compilation():
    minimize(bowl, [3.0, -1.0], line_search=Armijo(0.1), steps=30)
    before = dict(loop.traces)
    minimize(bowl, [3.0, -1.0], line_search=Armijo(0.3, shrink=0.7), steps=30)
    assert loop.traces == before


def test_names():
    assert by_name(None) is None
    assert by_name("Armijo") == Armijo()
    assert by_name(Polyak(2.0)) == Polyak(2.0)
    assert all(issubclass(cls, LineSearch) for cls in LINE_SEARCHES.values())
    with pytest.raises(FalllineError, match="no line search called 'armjo': did you mean 'armijo'"):
        by_name("armjo")
    with pytest.raises(FalllineError, match="line_search must be"):
        by_name(SGD())


@pytest.mark.parametrize("given", [{"decrease": 1.5}, {"shrink": 1.0}, {"grow": 0.5}])
def test_numbers_out_of_range(given):
    with pytest.raises(FalllineError, match=f"Armijo needs {next(iter(given))}"):
        Armijo(**given)
