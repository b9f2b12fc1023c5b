from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge

from fallline import FalllineError
from fallline.baselines import (
    MOST_POINTS,
    coarse_to_fine_search,
    grid_search,
    normal_equation,
)


@pytest.fixture
def table(rng):
    X = rng.normal(size=(80, 5)) * [1, 10, 0.1, 1e3, 1] + [0, 5, -3, 1e4, 1]
    y = X @ [1, -0.2, 30, 1e-3, 0] + 7 + rng.normal(size=80)
    return X, y


def test_equal_to_numpy_and_scikit_learn(table):
    X, y = table
    w, b = normal_equation(X, y)
    full = np.linalg.lstsq(np.column_stack([X, np.ones(80)]), y, rcond=None)[0]
    np.testing.assert_allclose([*w, b], full, rtol=1e-6)
    theirs = LinearRegression().fit(X, y)
    np.testing.assert_allclose(w, theirs.coef_, rtol=1e-8)
    np.testing.assert_allclose(b, theirs.intercept_, rtol=1e-8)
    assert w.shape == (5,)
    assert w.dtype == np.float64
    assert b.shape == ()


@pytest.mark.parametrize("ridge", [1e-3, 1.0, 100.0])
def test_ridge_equals_scikit_learn(table, ridge):
    """scikit-learn sums the squares where this takes their mean, so that its alpha is n times it."""
    X, y = table
    w, b = normal_equation(X, y, ridge=ridge)
    theirs = Ridge(alpha=80 * ridge, solver="svd").fit(X, y)
    np.testing.assert_allclose(w, theirs.coef_, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(b, theirs.intercept_, rtol=1e-8)


def test_ridge_minimises_what_it_says(table, rng):
    X, y = table

    def value(w, b):
        return np.mean((X @ w + b - y) ** 2) + 0.3 * np.sum(w**2)

    w, b = normal_equation(X, y, ridge=0.3)
    for _ in range(20):
        assert value(w, b) < value(w + 1e-3 * rng.normal(size=5), b + 1e-3 * rng.normal())


def test_several_targets_at_once(table, rng):
    X, y = table
    Y = np.column_stack([y, rng.normal(size=80)])
    w, b = normal_equation(X, Y, ridge=0.1)
    assert w.shape == (5, 2)
    assert b.shape == (2,)
    for k in range(2):
        wk, bk = normal_equation(X, Y[:, k], ridge=0.1)
        np.testing.assert_allclose(w[:, k], wk, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(b[k], bk, rtol=1e-8)


def test_weights_are_repetitions(table, rng):
    X, y = table
    times = rng.integers(0, 4, 80)
    w, b = normal_equation(X, y, weights=times, ridge=0.2)
    again, level = normal_equation(np.repeat(X, times, axis=0), np.repeat(y, times), ridge=0.2)
    np.testing.assert_allclose(w, again, rtol=1e-8)
    np.testing.assert_allclose(b, level, rtol=1e-8)
    one = normal_equation(X, y)
    for same in (normal_equation(X, y, weights=np.full(80, 3.5)),):
        np.testing.assert_allclose(same[0], one[0], rtol=1e-9)


def test_without_full_rank_the_shortest_solution(rng):
    """A column twice, and a constant one: the weight is shared, the constant gets none."""
    x = rng.normal(size=40)
    X = np.column_stack([x, x, np.ones(40)])
    w, b = normal_equation(X, 4 * x + 1)
    np.testing.assert_allclose(w, [2, 2, 0], atol=1e-9)
    np.testing.assert_allclose(b, 1, atol=1e-9)
    wide = rng.normal(size=(5, 20))
    y = rng.normal(size=5)
    w, b = normal_equation(wide, y)
    np.testing.assert_allclose(wide @ w + b, y, atol=1e-9)
    centred = np.linalg.lstsq(wide - wide.mean(0), y - y.mean(), rcond=None)[0]
    np.testing.assert_allclose(w, centred, atol=1e-9)


def test_one_row_and_no_columns():
    w, b = normal_equation(np.array([[1.0, 2.0]]), np.array([5.0]))
    assert np.array_equal(w, [0, 0])
    assert b == 5
    w, b = normal_equation(np.zeros((3, 0)), np.array([1.0, 2.0, 6.0]))
    assert w.shape == (0,)
    assert b == pytest.approx(3)


def test_more_exact_than_the_product(rng):
    """Columns nearly alike, whose product X'X is singular in double precision."""
    x = rng.normal(size=200)
    z = rng.normal(size=200)
    X = np.column_stack([x, x + 1e-7 * z])
    w, _ = normal_equation(X, X @ [1.0, 2.0])
    np.testing.assert_allclose(w, [1, 2], atol=1e-5)


@pytest.mark.parametrize(
    ("X", "y", "more", "part"),
    [
        (np.ones(3), np.ones(3), {}, r"it was given \(3,\) and \(3,\)"),
        (np.ones((3, 2)), np.ones(4), {}, "needs X of shape"),
        (np.ones((0, 2)), np.ones(0), {}, "needs X of shape"),
        (np.ones((3, 2)), np.ones((3, 1, 1)), {}, "needs X of shape"),
        (np.array([[1.0], [np.nan]]), np.ones(2), {}, "finite numbers"),
        (np.ones((2, 1)), np.array([1.0, np.inf]), {}, "finite numbers"),
        (np.ones((2, 1)), np.ones(2), {"ridge": -1.0}, "ridge must be"),
        (np.ones((2, 1)), np.ones(2), {"ridge": np.nan}, "ridge must be"),
        (np.ones((2, 1)), np.ones(2), {"ridge": np.inf}, "ridge must be"),
        (np.ones((2, 1)), np.ones(2), {"weights": [1, -1]}, "weights must be"),
        (np.ones((2, 1)), np.ones(2), {"weights": [0, 0]}, "weights must be"),
        (np.ones((2, 1)), np.ones(2), {"weights": [1, np.nan]}, "weights must be"),
        (np.ones((2, 1)), np.ones(2), {"weights": [1, np.inf]}, "weights must be"),
        (np.ones((2, 1)), np.ones(2), {"weights": [1]}, "weights must be"),
    ],
)
def test_bad_input(X, y, more, part):
    with pytest.raises(FalllineError, match=part):
        normal_equation(X, y, **more)


def bowl(x):
    return jnp.sum((x - jnp.array([0.5, -1.0])) ** 2)


def test_a_grid_finds_its_best_point():
    found = grid_search(bowl, [(-2, 2), (-2, 2)], points=9)
    np.testing.assert_array_equal(found.x, [0.5, -1.0])
    assert found.fun == 0
    assert found.evaluations == 81
    np.testing.assert_array_equal(found.boxes, [[[-2, 2], [-2, 2]]])
    # The best of all, as counting them one by one finds it.
    coarse = grid_search(bowl, [(-2, 2), (-2, 2)], points=4)
    axis = np.linspace(-2, 2, 4)
    every = {(a, b): float(bowl(jnp.array([a, b]))) for a in axis for b in axis}
    assert tuple(coarse.x) == min(every, key=every.get)
    assert coarse.fun == pytest.approx(min(every.values()))


def test_a_grid_of_more_than_one_block():
    """300 x 300 points make two blocks; the best is in the last, shorter one."""
    found = grid_search(lambda x: -x[0] - 2 * x[1], [(0, 1), (0, 3)], points=300)
    np.testing.assert_array_equal(found.x, [1, 3])
    assert found.evaluations == 90_000
    assert grid_search(lambda x: x[0], [(3, 4)], points=2).x == [3.0]


def test_not_a_number_never_wins():
    found = grid_search(lambda x: jnp.where(x[0] < 1, jnp.nan, x[0]), [(0, 2)], points=5)
    assert found.x == [1.0]
    assert found.fun == 1.0
    nowhere = grid_search(lambda x: x[0] * jnp.nan, [(0, 2)], points=5)
    assert nowhere.fun == np.inf
    low = grid_search(lambda x: jnp.where(x[0] < 1, -jnp.inf, x[0]), [(0, 2)], points=5)
    assert low.fun == -np.inf


def test_coarse_to_fine_closes_in():
    def rosenbrock(x):
        return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2

    coarse = grid_search(rosenbrock, [(-2.05, 2), (-1, 3)], points=9)
    found = coarse_to_fine_search(rosenbrock, [(-2.05, 2), (-1, 3)], points=15, rounds=10)
    assert found.fun < coarse.fun / 50
    np.testing.assert_allclose(found.x, [1, 1], atol=0.08)
    assert found.evaluations == 10 * 225
    assert len(found.boxes) == 10
    sizes = [np.ptp(box, axis=1).max() for box in found.boxes]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 100


def test_no_finer_box_leaves_the_first():
    found = coarse_to_fine_search(lambda x: x[0] + x[1], [(0, 1), (5, 6)], points=5, rounds=4)
    np.testing.assert_array_equal(found.x, [0, 5])
    for box in found.boxes:
        assert (box[:, 0] >= [0, 5]).all()
        assert (box[:, 1] <= [1, 6]).all()


def test_a_search_ends_where_numbers_are_no_finer():
    found = coarse_to_fine_search(lambda x: (x[0] - 1) ** 2, [(0, 3)], points=5, rounds=500)
    assert found.x == pytest.approx(1, abs=1e-3)
    assert len(found.boxes) < 500


def test_one_round_is_a_grid():
    one = coarse_to_fine_search(bowl, [(-2, 2), (-2, 1)], points=7, rounds=1)
    grid = grid_search(bowl, [(-2, 2), (-2, 1)], points=7)
    assert np.array_equal(one.x, grid.x)
    assert one.fun == grid.fun


@pytest.mark.parametrize(
    ("box", "more", "part"),
    [
        ([(1, 1)], {}, "low below high"),
        ([(2, 1)], {}, "low below high"),
        ([(np.nan, 1)], {}, "low below high"),
        ([1, 2], {}, "pair"),
        ([], {}, "pair"),
        ([(0, 1), (2,)], {}, "pair"),
        ([("a", "b")], {}, "pair"),
        ([(0, 1)], {"points": 1}, "at least 2 points"),
        ([(0, 1)] * 10, {"points": 10}, "more than 50,000,000"),
    ],
)
def test_bad_boxes(box, more, part):
    for search in (grid_search, coarse_to_fine_search):
        with pytest.raises(FalllineError, match=part):
            search(jnp.sum, box, **more)


def test_bad_functions_and_rounds():
    assert MOST_POINTS == 50_000_000
    with pytest.raises(FalllineError, match="gives one number; it gave shape"):
        grid_search(lambda x: x, [(0, 1), (0, 1)], points=3)
    with pytest.raises(FalllineError, match="at least one round"):
        coarse_to_fine_search(bowl, [(0, 1), (0, 1)], rounds=0)
