from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

from fallline import FalllineError
from fallline.descent.objective import Batch, ModelObjective, UserObjective
from fallline.diagnosis.gauge import cosine_summary, step_gauge
from fallline.diagnosis.noise import (
    autocorrelation,
    gradient_noise,
    noise_floor,
    noise_scale_of,
)
from fallline.losses import by_name
from fallline.models import MLP, Linear
from fallline.sparse import SparseRows

ROWS, COLUMNS = 2000, 5
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(ROWS, COLUMNS)) * [1, 2, 0.5, 1, 3]
Y = X @ [1, -1, 2, 0, 0.5] + DRAW.normal(0, 2, ROWS)
W = np.array([0.8, -0.9, 1.5, 0.2, 0.4])


def half_square(w, rows):
    x, y = rows
    return 0.5 * jnp.mean((x @ w - y) ** 2)


LEAST_SQUARES = UserObjective(half_square)


def table(x, y):
    return Batch((jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)))


def exactly(x, y):
    """Trace of the covariance of the rows' gradients, and the square of their mean."""
    grads = (x @ W - y)[:, None] * x
    return grads.var(axis=0, ddof=1).sum(), (grads.mean(axis=0) ** 2).sum()


def measure(x=X, y=Y, **asked):
    return gradient_noise(LEAST_SQUARES, jnp.asarray(W, jnp.float32), {}, table(x, y), **asked)


def test_it_is_unbiased_and_within_its_error_bars():
    trace, square = exactly(X, Y)
    found = [measure(batch=50, seed=seed) for seed in range(60)]
    for name, exact in (("trace", trace), ("gradient_square", square)):
        numbers = np.array([getattr(noise, name) for noise in found])
        assert abs(numbers.mean() - exact) < 3 * numbers.std() / math.sqrt(60), name
    off = [(noise.scale - trace / square) / (noise.error * noise.scale) for noise in found]
    assert np.mean(np.abs(off) < 2) > 0.85
    # And the bars are not so wide that this says nothing.
    assert np.std(off) > 0.3
    assert np.mean([noise.low < trace / square < noise.high for noise in found]) > 0.9
    assert np.mean([noise.low > trace / square / 4 for noise in found]) > 0.8
    assert all(noise.batch == 50 and noise.norms.shape == (16,) for noise in found)


def test_batches_of_one_row_each_know_everything():
    x, y = X[:40], Y[:40]
    trace, square = exactly(x, y)
    found = measure(x, y, batch=512, batches=40)
    assert found.batch == 1
    assert found.trace == pytest.approx(trace, rel=1e-4)
    assert found.gradient_square == pytest.approx(square, rel=1e-4)
    assert found.gradient_norm == pytest.approx(math.sqrt(square), rel=1e-4)
    grads = (x @ W - y)[:, None] * x
    np.testing.assert_allclose(
        np.sort(found.norms), np.sort(np.linalg.norm(grads, axis=1)), rtol=1e-4
    )


def test_noise_without_a_gradient_has_no_finite_scale():
    best = np.linalg.lstsq(X, Y, rcond=None)[0]
    params = jnp.asarray(best, jnp.float32)
    found = [
        gradient_noise(LEAST_SQUARES, params, {}, table(X, Y), batch=50, seed=seed)
        for seed in range(8)
    ]
    assert any(noise.scale == noise.error == noise.high == math.inf for noise in found)
    # What is finite is no proof of a gradient.
    assert all(noise.high == math.inf or noise.high > 2000 for noise in found)
    assert all(noise.low > 50 for noise in found)


def test_what_has_no_noise_to_measure():
    with pytest.raises(FalllineError, match="two rows"):
        measure(X[:1], Y[:1], batch=1)
    with pytest.raises(FalllineError, match="not finite"):
        measure(X * np.nan, batch=50)
    equal = measure(np.ones((ROWS, COLUMNS)), np.zeros(ROWS), batch=50)
    assert equal.scale == pytest.approx(0, abs=1e-6)
    assert equal.error < 1e-3


def test_sparse_rows_are_those_of_the_dense_table():
    dense = X * (np.abs(X) > 0.8)
    objective = ModelObjective(Linear(COLUMNS), by_name("squared_error").function)
    params = {"affine1": {"weights": jnp.asarray(W[:, None], jnp.float32), "bias": jnp.zeros(1)}}
    y = jnp.asarray(Y[:, None], jnp.float32)
    rows = SparseRows.from_csr(scipy.sparse.csr_array(dense.astype(np.float32)))
    seen = [
        gradient_noise(objective, params, {}, Batch(x, y), batch=32, seed=3)
        for x in (jnp.asarray(dense, jnp.float32), jax.device_put(rows))
    ]
    assert seen[0].trace > 0
    assert seen[1].scale == pytest.approx(seen[0].scale, rel=1e-4)
    assert seen[1].error == pytest.approx(seen[0].error, rel=1e-3)


def test_dropout_is_noise_too():
    # Equal rows have no noise of their own.
    data = Batch(jnp.ones((64, 3)), jnp.ones((64, 1)))
    model = MLP(3, 8, 1, dropout=0.5)
    draws = np.random.default_rng(0).normal(size=model.layers.draws).astype(np.float32)
    params, state = model.layers.place(draws), model.init_state()
    objective = ModelObjective(model, by_name("squared_error").function)
    assert gradient_noise(objective, params, state, data, batch=4).scale > 0.1


def test_the_scale_of_two_batch_sizes_is_a_ratio_of_averages():
    square, trace = 2.0, 30.0
    exact = [square + trace / 8, square + trace / 64]
    assert noise_scale_of(*exact, 8, 64) == pytest.approx(15)
    # Single estimates, and so their mean, are far off; one that blew up does not count.
    draw = np.random.default_rng(1)
    mean = np.sqrt([square / 10] * 10)
    small, big = (
        ((mean + draw.normal(0, math.sqrt(trace / 10 / b), (4000, 10))) ** 2).sum(1)
        for b in (8, 64)
    )
    small[7] = np.nan
    assert noise_scale_of(small, big, 8, 64) == pytest.approx(15, rel=0.05)
    assert noise_scale_of(1.0, 0.01, 8, 64) == math.inf
    assert noise_scale_of(1.0, 1.1, 8, 64) == 0
    assert math.isnan(noise_scale_of([], [1.0], 8, 64))


def test_the_floor_of_a_noisy_quadratic():
    rate, spread, curvature = 0.2, np.array([1.0, 0.5, 2.0]), np.array([1.0, 4.0, 9.0])
    draw, x, values = np.random.default_rng(2), np.zeros((4000, 3)), []
    for step in range(200):
        x = x - rate * (curvature * x + draw.normal(0, spread, x.shape))
        if step >= 100:
            values.append((0.5 * curvature * x**2).mean(axis=0))
    np.testing.assert_allclose(
        np.mean(values, 0), noise_floor(rate, spread**2, curvature), rtol=0.02
    )
    assert noise_floor(0.5, 1.0, 4.0) == math.inf


def test_the_autocorrelation_of_known_series():
    draw, x = np.random.default_rng(3), [0.0]
    for noise in draw.normal(size=20_000):
        x.append(0.6 * x[-1] + noise)
    series = np.array(x) + 100
    series[draw.random(len(series)) < 0.1] = np.nan
    assert autocorrelation(series) == pytest.approx(0.6, abs=0.03)
    assert autocorrelation(series, 2) == pytest.approx(0.36, abs=0.04)
    assert autocorrelation([1.0, -1.0] * 20) == pytest.approx(-1, abs=0.01)
    assert math.isnan(autocorrelation([3.0] * 9))
    assert math.isnan(autocorrelation([1.0, np.nan, 2.0, np.nan, 1.0]))


def gauge_of(start, length, curvature=3.0, offset=7.0):
    """Of a parabola with its minimum at 0."""
    value = [offset + 0.5 * curvature * x**2 for x in (start, start + length)]
    slope = [curvature * x for x in (start, start + length)]
    return step_gauge(value[0], slope[0], value[1], slope[1], length)


def test_the_gauge_of_steps_across_a_parabola():
    lengths = np.array([0.02, 1.0, 2.0, 4.0, 6.0])
    np.testing.assert_allclose(gauge_of(-2.0, lengths), [-0.99, -0.5, 0, 1, 2], atol=1e-6)
    assert gauge_of(0.5, 1.0) == pytest.approx(3)
    assert isinstance(gauge_of(-2.0, 1.0), float)
    # A slope that does not change, one that gets steeper, a hilltop crossed, nothing known.
    assert step_gauge(1.0, -1.0, 0.9, -1.0, 0.1) == pytest.approx(-1)
    assert step_gauge(1.0, -1.0, 0.85, -2.0, 0.1) == -1
    assert math.isnan(step_gauge(0.0, 1.0, 0.0, -1.0, 0.1))
    assert math.isnan(step_gauge(np.nan, -1.0, 1.0, 1.0, 0.1))


def test_values_that_disagree_with_the_slopes_move_the_gauge_unless_they_are_rounding():
    # Slopes alone say 0.5; a value that hardly fell says that the other wall is nearer.
    between = step_gauge(1.0, -1.0, 1.0, 0.5, 1.0)
    assert 0.5 < between < 1
    assert step_gauge(1e9, -1.0, 1e9 + 64, 0.5, 1.0) == pytest.approx(0.5, abs=0.02)


def test_a_summary_of_cosines():
    cosines = [np.nan, -1.0, 0.9, *np.linspace(-0.2, 0.8, 11)]
    found = cosine_summary(cosines, 11)
    assert found.mean == pytest.approx(0.3)
    assert (found.low, found.high) == (pytest.approx(-0.1), pytest.approx(0.7))
    assert found.share_negative == pytest.approx(2 / 11)
    assert found.error == pytest.approx(0.1)
    assert cosine_summary(cosines, 99).share_negative == pytest.approx(3 / 13)
    assert math.isnan(cosine_summary([np.nan], 5).mean)
