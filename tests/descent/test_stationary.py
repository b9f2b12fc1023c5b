from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from fallline import minimize, terrains
from fallline.optimizers import SGD


def at(f, x, **options):
    """Where a point stands, without a step."""
    return minimize(f, x, SGD(0.0), steps=1, **options)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(terrains.TERRAINS))
def test_the_known_points_of_every_terrain(name, precision):
    terrain = terrains.by_name(name)
    for kind, points in (
        ("minimum", terrain.minima),
        ("saddle", terrain.saddles),
        ("maximum", terrain.maxima),
    ):
        if not points:
            continue
        starts = np.array([(p.x, p.y) for p in points])
        result = at(terrain, None, starts=starts, noise=0.0, precision=precision)
        assert set(result.kind) == {kind}


# Where the Hessian says all, where it says a part, and where it says nothing.
POINTS = {
    "parabola": (lambda x: x**2, 0.0, "minimum"),
    "parabola upside down": (lambda x: -(x**2), 0.0, "maximum"),
    "x^4": (lambda x: x**4, 0.0, "minimum"),
    "-x^4": (lambda x: -(x**4), 0.0, "maximum"),
    "x^3": (lambda x: x**3, 0.0, "saddle"),
    "beside x^3's": (lambda x: x**3, 0.0015, "saddle"),
    "x^2 - y^2": (lambda p: p[0] ** 2 - p[1] ** 2, [0.0, 0.0], "saddle"),
    "monkey saddle": (lambda p: p[0] ** 3 - 3 * p[0] * p[1] ** 2, [0.0, 0.0], "saddle"),
    "x^2 + y^4": (lambda p: p[0] ** 2 + p[1] ** 4, [0.0, 0.0], "minimum"),
    "x^2 - y^4": (lambda p: p[0] ** 2 - p[1] ** 4, [0.0, 0.0], "saddle"),
    "x^2 + y^3": (lambda p: p[0] ** 2 + p[1] ** 3, [0.0, 0.0], "saddle"),
    "a trough": (lambda p: p[0] ** 2 + 0 * p[1], [0.0, 3.0], "minimum"),
    "a constant": (lambda p: 3.0 + 0 * jnp.sum(p), [0.0, 3.0], "plateau"),
    "tanh^2 far out": (lambda x: jnp.tanh(x) ** 2, 20.0, "plateau"),
    "e^-x far out": (lambda x: jnp.exp(-x), 12.0, "plateau"),
    "1 + e^-x far out": (lambda x: 1 + jnp.exp(-x), 12.0, "plateau"),
    "a slope": (lambda x: x**2, 1.0, "moving"),
    "a slope beside a saddle": (lambda p: p[0] ** 2 - p[1] ** 2, [0.5, 0.5], "moving"),
    "log far out": (lambda x: jnp.log(x), 1e4, "moving"),
}


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_points_of_every_kind(name, precision):
    f, x, kind = POINTS[name]
    result = at(f, x, precision=precision, tolerance=1e-5)
    assert result.kind == kind
    assert result.success == (kind == "minimum")
    many = at(f, None, starts=np.array([x, x]), precision=precision, tolerance=1e-5)
    assert list(many.kind) == [kind, kind]


def test_a_faint_curvature_far_out_is_no_maximum():
    """A sigmoid's tail bends down, but it has no top; the function around it is both higher and lower."""
    result = at(terrains.by_name("plateau"), [81.21462, 66.98103])
    assert np.linalg.norm(result.jac) < 1e-6
    assert (result.eigenvalues < 0).all()
    assert result.kind == "saddle"
    tail = at(lambda x: 1 - jnp.exp(x), -13.0, tolerance=1e-5)
    assert tail.eigenvalues[0] < 0
    assert tail.kind == "plateau"


def test_curvature_measured_by_differences_says_the_same():
    for name in ("x^2 - y^2", "parabola", "x^2 + y^4", "a constant"):
        f, x, kind = POINTS[name]
        assert at(f, x, gradient="numerical").kind == kind


def test_the_distance_is_newton_s_step():
    result = at(lambda p: 3 * (p[0] - 1) ** 2 + (p[1] + 2) ** 2, [1.0003, -2.0004])
    assert result.kind == "minimum"
    assert result.distance == pytest.approx(5e-4, rel=1e-3)
    np.testing.assert_allclose(result.eigenvalues, [2, 6], rtol=1e-5)


def test_rounding_does_not_hide_a_minimum_of_a_large_value():
    result = minimize(lambda x: 1e4 + jnp.sum((x - 1) ** 2), [0.0, 3.0], SGD(0.1))
    assert result.kind == "minimum"


@pytest.mark.parametrize(
    ("lowest", "kind", "words"),
    [
        (1.0, "minimum", "the curvature lies between 1 and 10"),
        (-3.0, "saddle", "the curvature lies between -3 and 10"),
        (0.0, "minimum", "the curvature is at most 10, and none in some directions"),
    ],
)
def test_hessians_too_large_to_write_down(lowest, kind, words):
    curvature = np.linspace(1.0, 10.0, 200)
    curvature[:40] = lowest
    result = at(lambda x: 0.5 * jnp.sum(curvature * x**2), np.zeros(200))
    assert result.kind == kind
    assert words in result.message
    assert result.eigenvalues[0] == pytest.approx(lowest, abs=1e-3)
    assert result.eigenvalues[-1] == pytest.approx(10, rel=1e-4)


@pytest.mark.parametrize("columns", [20, 100])
def test_more_parameters_than_data_make_a_minimum_with_flat_directions(columns):
    rng = np.random.default_rng(0)
    A, b = rng.normal(size=(5, columns)), rng.normal(size=5)
    result = minimize(lambda x: jnp.mean((A @ x - b) ** 2), np.zeros(columns), "adam")
    assert result.kind == "minimum"
    assert result.fun < 1e-8
    how_many = "15 directions" if columns == 20 else "some directions"
    assert f"none in {how_many}" in result.message


def test_a_slow_valley_is_no_plateau():
    """Most of the gradient lies along directions that are curved, if little."""
    curvature = np.concatenate([np.zeros(50), np.geomspace(1e-3, 10, 150)])
    result = minimize(lambda x: 0.5 * jnp.sum(curvature * x**2), np.ones(200), SGD(0.1), steps=500)
    assert result.kind == "moving"


def test_a_saddle_met_on_its_ridge():
    result = minimize(terrains.by_name("saddle"), [1.5, 0.0], SGD(0.1))
    assert (result.kind, result.status) == ("saddle", 5)
    assert "start beside it, or add a little noise" in result.message
    noisy = minimize(terrains.by_name("saddle"), [1.5, 0.0], SGD(0.1), noise=1e-3)
    assert abs(abs(noisy.x[1]) - 1) < 0.01


def test_the_same_curvature_everywhere_is_one_number():
    assert "the curvature is 2 in all directions." in at(lambda x: jnp.sum(x**2), [0.0, 0]).message
    assert "the curvature is 2." in at(lambda x: jnp.sum(x**2), 0.0).message


def test_many_flat_places_are_tried_in_calls_of_one_shape():
    starts = np.linspace(20, 40, 300)[:, None]
    result = at(lambda x: jnp.sum(jnp.tanh(x) ** 2), None, starts=starts)
    assert set(result.kind) == {"plateau"}
    mixed = np.concatenate([starts, np.zeros((5, 1))])
    kinds = at(lambda x: jnp.sum(jnp.tanh(x) ** 4), None, starts=mixed).kind
    assert set(kinds[:300]) == {"plateau"}
    assert set(kinds[300:]) == {"minimum"}
