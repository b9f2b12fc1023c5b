from __future__ import annotations

import dataclasses
import functools
import math
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallline import FalllineError, optimizers
from fallline.terrains import TERRAINS, Point, Terrain, by_name, from_expression, line_fit

EVERY = pytest.mark.parametrize("terrain", TERRAINS.values(), ids=list(TERRAINS))
OPTIMIZERS = ("sgd", "momentum", "rmsprop", "adam")
# Their minima alone are listed.
LATTICES = ("rastrigin", "ackley")


def places(points):
    return np.array([(p.x, p.y) for p in points]).reshape(-1, 2)


def within(terrain, points):
    (a, b), (c, d) = terrain.bounds
    return ((points >= [a, c]) & (points <= [b, d])).all(axis=-1)


def nearest_minimum(terrain, points):
    """The distance of each point to the nearest listed minimum."""
    gaps = np.asarray(points)[..., None, :] - places(terrain.minima)
    return np.linalg.norm(gaps, axis=-1).min(axis=-1)


@functools.cache
def derivatives(terrain):
    """Height, gradient and Hessian of many points at once."""
    return jax.jit(jax.vmap(lambda p: (terrain(p), jax.grad(terrain)(p), jax.hessian(terrain)(p))))


@functools.cache
def ends(terrain):
    """Where the listed settings lead within 2000 steps: (optimizers, starts and 64 more, 2)."""
    starts = np.concatenate([np.array(terrain.starts, np.float32), terrain.scatter(64)])
    slope = jax.grad(lambda p: terrain(p).sum())

    def run(optimizer):
        def step(_, carry):
            p, state = carry
            updates, state = optimizer.update(slope(p), state, p)
            return p + updates, state

        return jax.lax.fori_loop(0, 2000, step, (starts, optimizer.init(starts)))[0]

    chosen = [optimizers.by_name(n, learning_rate=terrain.learning_rates[n]) for n in OPTIMIZERS]
    return np.array(jax.jit(lambda: [run(optimizer) for optimizer in chosen])())


@EVERY
def test_listed_points_are_stationary(terrain, x64):
    points = [*terrain.minima, *terrain.saddles, *terrain.maxima]
    assert terrain.minima
    # As many points as the next test has: the same program.
    many = np.resize(places(points), (600, 2))
    values, slopes, curves = (np.array(a)[: len(points)] for a in derivatives(terrain)(many))
    np.testing.assert_allclose(values, [p.value for p in points], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(slopes, 0, atol=1e-6)
    signs = np.sign(np.linalg.eigvalsh(curves)).astype(int)
    kinds = [(1, 1)] * len(terrain.minima) + [(-1, 1)] * len(terrain.saddles)
    kinds += [(-1, -1)] * len(terrain.maxima)
    if terrain.name == "monkey_saddle":
        kinds[3] = (0, 0)
    if terrain.name == "ackley":
        # The kink has no curvature; higher on every side is all that can be said.
        ring = 10.0 ** np.linspace(-9, -2, 8)[:, None, None] * np.array(
            [[1, 0], [0, -1], [-0.6, 0.8]]
        )
        assert (np.asarray(terrain(ring)) > 0).all()
        signs, kinds, curves = signs[1:], kinds[1:], curves[1:]
        slopes = slopes[1:]
    assert [tuple(pair) for pair in signs] == kinds
    # The places are right to 1e-6: a Newton step from them is far shorter.
    if terrain.name != "monkey_saddle":
        steps = np.linalg.solve(curves, slopes[..., None])
        assert np.abs(steps).max() < 1e-8
    assert within(terrain, places(points)).all()
    assert len(np.unique(places(points).round(6), axis=0)) == len(points)
    for listed, order in ((terrain.minima, 1), (terrain.saddles, 1), (terrain.maxima, -1)):
        heights = [order * p.value for p in listed]
        assert heights == sorted(heights)
    assert all(type(p) is Point and {type(v) for v in p} == {float} for p in points)


@EVERY
def test_no_stationary_point_is_missing(terrain, x64):
    """Newton's method from everywhere finds no other than the listed ones."""
    bundle = derivatives(terrain)
    points = np.asarray(terrain.scatter(600), np.float64)
    for _ in range(60):
        _, slopes, curves = bundle(points)
        steps = np.linalg.solve(curves + 1e-13 * np.eye(2), slopes[..., None])[..., 0]
        points = np.where(np.isfinite(steps), points - np.clip(steps, -1e3, 1e3), 1e9)
    _, slopes, curves = (np.array(a) for a in bundle(points))
    found = within(terrain, points) & (np.abs(slopes).max(axis=1) < 1e-8)
    # Where a sigmoid is flat its slope is as small as this, far from any stationary point.
    found &= np.abs(np.linalg.det(curves)) > 1e-9
    if terrain.name in LATTICES:
        found &= np.linalg.eigvalsh(curves)[:, 0] > 0
    else:
        assert found.sum() >= 5
    listed = places([*terrain.minima, *terrain.saddles, *terrain.maxima])
    gaps = np.linalg.norm(points[found][:, None] - listed, axis=-1)
    assert gaps.min(axis=1).max() < 1e-3
    if len(listed) < 20 and terrain.name != "monkey_saddle":
        assert (gaps.min(axis=0) < 1e-6).all()


def test_the_lattices_have_a_minimum_in_every_dent():
    for name in LATTICES:
        cells = {(round(p.x), round(p.y)) for p in TERRAINS[name].minima}
        assert cells == {(i, j) for i in range(-5, 6) for j in range(-5, 6)}
        assert len(TERRAINS[name].minima) == 121


def test_as_the_literature_has_them(x64):
    """Jamil & Yang (2013) and Molga & Smutnicki (2005), to the digits they print."""
    printed = {
        "himmelblau": [
            (3, 2),
            (-2.805118, 3.131312),
            (-3.779310, -3.283186),
            (3.584428, -1.848126),
        ],
        "six_hump_camel": [(0.0898, -0.7126), (-0.0898, 0.7126)],
        "styblinski_tang": [(-2.903534, -2.903534)],
        "beale": [(3, 0.5)],
        "rosenbrock": [(1, 1)],
    }
    lowest = {"six_hump_camel": -1.0316, "styblinski_tang": 2 * -39.16616570377}
    for name, expected in printed.items():
        np.testing.assert_allclose(
            places(TERRAINS[name].minima)[: len(expected)], expected, atol=1e-4
        )
        assert TERRAINS[name].minima[0].value == pytest.approx(lowest.get(name, 0), abs=5e-5)
    assert TERRAINS["rosenbrock"].starts[0] == (-1.2, 1.0)
    assert TERRAINS["beale"].starts[0] == (1.0, 1.0)
    assert [len(TERRAINS["himmelblau"].saddles), len(TERRAINS["himmelblau"].maxima)] == [4, 1]
    camel = TERRAINS["six_hump_camel"]
    assert [len(camel.minima), len(camel.saddles), len(camel.maxima)] == [6, 7, 2]


def logistic(t):
    return 1 / (1 + np.exp(-t))


AS_PRINTED = {
    "sphere": lambda x, y: x * x + y * y,
    "noisy_bowl": lambda x, y: (x * x + y * y) / 2,
    "ill_conditioned": lambda x, y: (
        ((math.sqrt(3) * x + y) / 2) ** 2 + 100 * ((math.sqrt(3) * y - x) / 2) ** 2
    ) / 2,
    "ravine": lambda x, y: 10 * (y - np.sin(x)) ** 2 + x**2 / 20,
    "rosenbrock": lambda x, y: (1 - x) ** 2 + 100 * (y - x * x) ** 2,
    "beale": lambda x, y: sum(
        (c - x + x * y**i) ** 2 for i, c in enumerate((1.5, 2.25, 2.625), start=1)
    ),
    "plateau": lambda w, b: (logistic(b + w) - 3 / 4) ** 2 / 2 + (logistic(b - w) - 1 / 4) ** 2 / 2,
    "saddle": lambda x, y: x**2 - y**2 + y**4 / 2,
    "monkey_saddle": lambda x, y: x**3 - 3 * x * y**2 + 3 / 4 * (x**2 + y**2) ** 2,
    "himmelblau": lambda x, y: (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2,
    "six_hump_camel": lambda x, y: (4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (4 * y**2 - 4) * y**2,
    "styblinski_tang": lambda x, y: sum(t**4 - 16 * t**2 + 5 * t for t in (x, y)) / 2,
    "rastrigin": lambda x, y: sum(10 + t**2 - 10 * np.cos(2 * np.pi * t) for t in (x, y)),
    "ackley": lambda x, y: (
        -20 * np.exp(-0.2 * np.sqrt((x**2 + y**2) / 2))
        - np.exp((np.cos(2 * np.pi * x) + np.cos(2 * np.pi * y)) / 2) + 20 + np.e
    ),
}  # fmt: skip


@EVERY
def test_heights_are_those_of_the_printed_formula(terrain, x64):
    points = np.asarray(terrain.scatter(100), np.float64)
    if terrain.name == "line":
        degrees, inches = (np.array([float(v) for v in row.split()]) for row in FORBES)
        unit = (degrees - degrees.mean()) / degrees.std()
        expected = [np.mean((w * unit + b - inches) ** 2) for w, b in points]
    else:
        expected = AS_PRINTED[terrain.name](*points.T)
    np.testing.assert_allclose(terrain(points), expected, rtol=1e-10, atol=1e-10)


@EVERY
def test_single_precision_is_enough(terrain):
    points = terrain.scatter(200)
    if terrain.name == "ackley":
        points = np.concatenate([points, [[1e-6, 1e-6], [1e-3, -2e-4]]]).astype(np.float32)
    slope = jax.vmap(jax.value_and_grad(terrain))
    value, gradient = map(np.asarray, slope(points))
    assert value.dtype == gradient.dtype == np.float32
    with jax.enable_x64(True):
        exact_value, exact_gradient = map(np.asarray, slope(np.asarray(points, np.float64)))
    np.testing.assert_allclose(value, exact_value, rtol=1e-4, atol=1e-4)
    scale = 1 + np.abs(exact_gradient).max(axis=1, keepdims=True)
    assert (np.abs(gradient - exact_gradient) / scale).max() < 1e-4


@EVERY
def test_a_listed_setting_reaches_a_minimum_from_the_first_start(terrain):
    assert tuple(terrain.learning_rates) == OPTIMIZERS
    assert all(rate > 0 for rate in terrain.learning_rates.values())
    gaps = nearest_minimum(terrain, ends(terrain)[:, 0])
    assert gaps.min() < 1e-2
    # None of them fails, though two are still on their way along a narrow valley, or stray in it.
    assert gaps.max() < 0.25
    assert (gaps < 1e-2).sum() >= 2


@EVERY
def test_every_lowest_minimum_is_reached(terrain):
    lowest = [p for p in terrain.minima if p.value < terrain.minima[0].value + 1e-9]
    for point in lowest:
        gaps = np.linalg.norm(ends(terrain) - np.array(point[:2]), axis=-1)
        assert np.nanmin(gaps) < 1e-2, point


@EVERY
def test_terrains_are_complete_and_work_everywhere(terrain):
    assert TERRAINS[terrain.name] is terrain
    assert len(terrain.axes) == 2
    assert terrain.title
    assert terrain.source
    assert terrain.about.endswith(".")
    assert 2 <= len(terrain.starts) <= 6
    assert within(terrain, np.array(terrain.starts)).all()
    assert (terrain.noise > 0) == (terrain.name == "noisy_bowl")
    x, y = np.meshgrid(np.linspace(-1, 1, 3), np.linspace(-2, 0, 4))
    heights = terrain.function(x, y)
    assert heights.shape == (4, 3)
    np.testing.assert_allclose(jax.jit(terrain.function)(x, y), heights, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(terrain(np.stack([x, y], axis=-1)), heights, rtol=1e-4, atol=1e-5)
    assert terrain([1, 2]).shape == ()
    assert terrain([1, 2]) == terrain([1.0, 2.0])
    assert hash(terrain) == hash(dataclasses.replace(terrain))
    assert pickle.loads(pickle.dumps(terrain)) is not terrain
    from matplotlib.mathtext import MathTextParser

    assert MathTextParser("path").parse(f"${terrain.formula}$").width > 0


def test_the_order_is_from_simple_to_hard():
    assert list(TERRAINS) == [
        "sphere", "line", "noisy_bowl", "ill_conditioned", "ravine", "rosenbrock", "beale",
        "plateau", "saddle", "monkey_saddle", "himmelblau", "six_hump_camel", "styblinski_tang",
        "rastrigin", "ackley",
    ]  # fmt: skip


def test_ackley_is_safe_at_its_kink():
    """The root has no slope at 0; it must not turn into NaN there."""
    ackley = TERRAINS["ackley"]
    _, slope, curvature = derivatives(ackley)(jnp.array([[0.0, 0.0], [1e-5, 0.0]]))
    assert np.isfinite(curvature).all()
    np.testing.assert_array_equal(slope[0], [0, 0])
    assert ackley([0.0, 0.0]) == 0
    # Near it the slope is that of the cone, 20 * 0.2 / sqrt(2).
    np.testing.assert_allclose(slope[1, 0], 4 / math.sqrt(2), rtol=1e-3)


def test_a_start_on_the_ridge_never_leaves_it():
    saddle = TERRAINS["saddle"]
    assert saddle.starts[1] == (1.5, 0.0)
    found = ends(saddle)[:, 1]
    np.testing.assert_allclose(found, 0, atol=1e-2)


def test_the_noise_of_the_bowl_does_what_it_says():
    """SGD with rate r strays by noise * sqrt(r / (2 - r)) on a curvature of 1."""
    bowl = TERRAINS["noisy_bowl"]
    rate = bowl.learning_rates["sgd"]
    noise = bowl.noise * jax.random.normal(jax.random.key(0), (500, 2000, 2))

    def step(p, kick):
        return p - rate * (jax.vmap(jax.grad(bowl))(p) + kick), None

    last, _ = jax.lax.scan(step, jnp.zeros((2000, 2)), noise)
    assert float(last.std()) == pytest.approx(bowl.noise * math.sqrt(rate / (2 - rate)), rel=0.05)


@pytest.mark.parametrize(
    "name",
    ["six_hump_camel", "six-hump-camel", "Six-Hump_Camel", "SIX HUMP CAMEL", " six-hump-camel "],
)
def test_found_by_any_spelling(name):
    assert by_name(name) is TERRAINS["six_hump_camel"]


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(
        FalllineError, match="no terrain called 'rosenbrok': did you mean 'rosenbrock'"
    ):
        by_name("Rosenbrok")
    with pytest.raises(FalllineError, match="no terrain called '': choose one of sphere, line"):
        by_name("")


@pytest.mark.parametrize("points", [2, 7, np.int64(30)])
def test_a_grid_is_the_terrain_seen_from_above(points):
    for terrain in (TERRAINS["beale"], TERRAINS["six_hump_camel"], from_expression("3")):
        x, y, z = terrain.grid(points)
        assert [type(a) for a in (x, y, z)] == [np.ndarray] * 3
        assert (x.shape, y.shape, z.shape) == ((points,), (points,), (points, points))
        assert x.dtype == y.dtype == z.dtype == np.float32
        np.testing.assert_allclose([x[0], x[-1]], terrain.bounds[0])
        np.testing.assert_allclose([y[0], y[-1]], terrain.bounds[1])
        np.testing.assert_allclose(np.diff(x), np.diff(x)[0], rtol=1e-4)
        for i, j in ((0, 0), (0, points - 1), (points - 1, 1)):
            np.testing.assert_allclose(z[i, j], terrain((x[j], y[i])), rtol=1e-4, atol=1e-5)
    assert TERRAINS["sphere"].grid()[2].shape == (257, 257)
    with jax.enable_x64(True):
        assert TERRAINS["sphere"].grid(3)[2].dtype == np.float64


@given(seed=st.integers(0, 2**64 - 1), name=st.sampled_from(list(TERRAINS)))
def test_scattered_starts_are_even(seed, name):
    terrain = TERRAINS[name]
    starts = terrain.scatter(64, seed)
    assert starts.shape == (64, 2)
    assert starts.dtype == np.float32
    low, high = np.array(terrain.bounds).T
    # In float32 a number right below the upper bound may become it.
    unit = (starts - low) / (high - low)
    assert -1e-6 < unit.min() <= unit.max() < 1 + 1e-6
    cells = np.minimum((unit * 4).astype(int), 3)
    counts = np.bincount(cells[:, 0] * 4 + cells[:, 1], minlength=16)
    # Chance alone would leave a cell of the sixteen empty or double one in most draws.
    assert counts.min() >= 2
    assert counts.max() <= 7
    np.testing.assert_array_equal(terrain.scatter(64, seed), starts)
    np.testing.assert_array_equal(terrain.scatter(10, seed), starts[:10])


def test_other_seeds_scatter_elsewhere():
    first, second = (TERRAINS["sphere"].scatter(8, seed) for seed in (0, 1))
    assert np.abs(first - second).min() > 0
    np.testing.assert_array_equal(TERRAINS["sphere"].scatter(8), first)


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda t: t(1.0), r"two numbers, shape \(..., 2\); it was given \(\)"),
        (lambda t: t(np.zeros((2, 3))), r"it was given \(2, 3\)"),
        (
            lambda t: t.grid(1),
            "points of a grid on each axis must be a whole number from 2 to 5,000",
        ),
        (lambda t: t.grid(5001), "it was given 5001"),
        (lambda t: t.grid(10.0), "it was given 10.0"),
        (lambda t: t.grid(True), "it was given True"),
        (lambda t: t.scatter(0), "number of starts must be a whole number from 1 to 10,000,000"),
        (lambda t: t.scatter("8"), "it was given '8'"),
        (lambda t: t.scatter(8, -1), "The seed must be a whole number from 0"),
        (lambda t: t.scatter(8, 0.5), "The seed must .* it was given 0.5"),
    ],
)
def test_bad_questions(call, part):
    with pytest.raises(FalllineError, match=part):
        call(TERRAINS["sphere"])


@pytest.mark.parametrize(
    "bounds",
    [((1, 1), (0, 1)), ((0, 1), (2, 1)), ((0, np.inf), (0, 1)), ((0, np.nan), (0, 1)), (0, 1),
     ((0, 1, 2), (0, 1)), ((0, "a"), (0, 1)), None, ((-1e308, 1e308), (0, 1))],
)  # fmt: skip
def test_bad_bounds(bounds):
    for make in (
        lambda: Terrain("flat", "Flat", lambda x, y: 0 * x, bounds),
        lambda: from_expression("x", bounds),
    ):
        with pytest.raises(
            FalllineError, match="bounds of a terrain are .* finite and low before high"
        ):
            make()


FORBES = (
    "194.5 194.3 197.9 198.4 199.4 199.9 200.9 201.1 201.4 201.3 203.6 204.6 209.5 208.6 210.7 211.9 "
    "212.2",
    "20.79 20.79 22.40 22.67 23.15 23.35 23.89 23.99 24.02 24.01 25.14 26.57 28.49 27.76 29.04 29.88 "
    "30.06",
)


def test_forbes_line_is_the_published_one():
    """Weisberg gives pressure = -81.064 + 0.5229 temperature."""
    degrees, inches = ([float(v) for v in row.split()] for row in FORBES)
    minimum = line_fit(degrees, inches, standardise=False).minima[0]
    assert minimum.x == pytest.approx(0.5229, abs=5e-5)
    assert minimum.y == pytest.approx(-81.064, abs=5e-4)
    # As measured the problem is all but hopeless for descent; standardised it is a round bowl.
    measured = np.column_stack([degrees, np.ones(17)])
    assert np.linalg.cond(measured) ** 2 == pytest.approx(54e6, rel=0.01)
    line = TERRAINS["line"].minima[0]
    assert line.x == pytest.approx(0.5229 * np.std(degrees), rel=1e-4)
    assert line.y == pytest.approx(np.mean(inches))
    assert line.value == pytest.approx(minimum.value, rel=1e-9)


@pytest.mark.parametrize("standardise", [True, False])
def test_a_line_through_points(rng, x64, standardise):
    x = rng.normal(3, 2, 40)
    y = 1.5 * x - 4 + rng.normal(size=40)
    terrain = line_fit(x, y, standardise=standardise, name="mine", title="Mine", source="me")
    assert (terrain.name, terrain.title, terrain.source) == ("mine", "Mine", "me")
    assert terrain.axes == ("w", "b")
    xs = (x - x.mean()) / x.std() if standardise else x
    slope, level = np.polyfit(xs, y, 1)
    minimum = terrain.minima[0]
    np.testing.assert_allclose(minimum[:2], [slope, level], rtol=1e-8)
    points = np.asarray(terrain.scatter(30), np.float64)
    expected = [np.mean((w * xs + b - y) ** 2) for w, b in points]
    np.testing.assert_allclose(terrain(points), expected, rtol=1e-9)
    np.testing.assert_allclose(np.mean(terrain.bounds, axis=1), minimum[:2], rtol=1e-9)
    assert terrain.starts[0] == (0.0, 0.0)
    assert within(terrain, np.array(terrain.starts)).all()
    curvature = derivatives(terrain)(np.zeros((1, 2)))[2][0]
    if standardise:
        np.testing.assert_allclose(curvature, 2 * np.eye(2), atol=1e-9)
    # Plain descent at the listed rate is stable.
    assert terrain.learning_rates["sgd"] * np.linalg.eigvalsh(curvature)[-1] < 1
    (a, b), (c, d) = terrain.bounds
    ring = np.linspace(0, 2 * np.pi, 400)
    assert a < 0 < b
    assert c < 0 < d
    edge = np.concatenate(
        [
            np.column_stack([np.interp(np.cos(ring), [-1, 1], [a, b]), np.full(400, k)])
            for k in (c, d)
        ]
    )
    # The level line that the bounds are drawn around touches them and does not cross.
    rise = float(terrain([0.0, 0.0])) - minimum.value
    lowest = float(terrain(edge).min()) - minimum.value
    assert lowest == pytest.approx(1.5 * rise, rel=1e-2)
    assert lowest > 1.5 * rise * (1 - 1e-9)


def test_extreme_lines():
    exact = line_fit([0, 1], [0, 0])
    assert exact.minima[0] == (0.0, 0.0, 0.0)
    assert exact.bounds[0][0] < 0 < exact.bounds[0][1]
    assert line_fit(np.array([1, 2, 3]), (2, 4, 6)).minima[0].value == pytest.approx(0, abs=1e-12)
    shifted = line_fit(np.arange(10) + 1e4, np.arange(10), standardise=False)
    np.testing.assert_allclose(shifted.minima[0][:2], [1, -1e4], rtol=1e-6)


@pytest.mark.parametrize(
    ("x", "y", "part"),
    [
        ([1, 2], [1, 2, 3], "given 2 values of x and 3 of y"),
        ([1], [1], "at least 2 pairs of numbers; it was given 1 values"),
        ([], [], "at least 2 pairs"),
        ([1, 1, 1], [1, 2, 3], "All values of x are the same"),
        ([0.1 + 0.2] * 3, [1, 2, 3], "All values of x are the same"),
        ([1, np.nan], [1, 2], "x must hold finite numbers; its value 2 is not one"),
        ([1, 2], [np.inf, 2], "y must hold finite numbers; its value 1 is not one"),
        ([[1, 2]], [1, 2], "lists of numbers; x is not one"),
        ([1, 2], "ab", "lists of numbers; y is not one"),
        ([1, [2]], [1, 2], "lists of numbers; x is not one"),
        ([1, 2], [1e200, 2], "give them in other units"),
        ([1, 2], [1e-20, 2e-20], "give them in other units"),
        ([1e-20, 2e-20], [1, 2], None),
    ],
)
def test_bad_points(x, y, part):
    if part is None:
        assert line_fit(x, y).minima
        x, part = np.array(x), "give them in other units"
        with pytest.raises(FalllineError, match=part):
            line_fit(x, y, standardise=False)
        return
    with pytest.raises(FalllineError, match=part):
        line_fit(x, y)


def test_a_terrain_of_a_typed_formula():
    terrain = from_expression("x^2 + 3*sin(y)", bounds=((-1, 2), (0, 5)))
    assert terrain.name == terrain.title == "x^2 + 3*sin(y)"
    assert terrain.formula == r"x^{2} + 3 \, \sin\left(y\right)"
    assert terrain.bounds == ((-1.0, 2.0), (0.0, 5.0))
    assert terrain.minima == terrain.saddles == terrain.maxima == ()
    assert terrain.learning_rates == {}
    assert len(terrain.starts) == 4
    assert within(terrain, np.array(terrain.starts)).all()
    np.testing.assert_allclose(terrain([2.0, 1.0]), 4 + 3 * math.sin(1), rtol=1e-6)
    np.testing.assert_allclose(jax.grad(terrain)(jnp.array([2.0, 0.0])), [4, 3], rtol=1e-6)
    assert from_expression("x", name="mine").name == "mine"
    assert from_expression("x", name="mine").title == "mine"
    assert pickle.loads(pickle.dumps(terrain)) == terrain


def test_a_typed_formula_starts_where_it_is_finite():
    half = from_expression("sqrt(x)*y")
    assert all(x > 0 for x, _ in half.starts)
    assert np.isnan(half.grid(9)[2][:, 0]).all()
    with pytest.raises(
        FalllineError, match="'log\\(-1-x.2\\)' has no finite height and slope within"
    ):
        from_expression("log(-1-x^2)")
    with pytest.raises(FalllineError, match="Between '2' and 'x'"):
        from_expression("2x")
