import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fallline.averages import average, smooth, unbiased

BETAS = (0.0, 0.5, 0.9, 0.999)


def averaged_by_a_plain_loop(values, beta):
    """v = beta v + (1 - beta) x, divided by 1 - beta^t: written once more, on purpose."""
    smoothed, v, t = [], 0.0, 0
    for x in values:
        if not np.isnan(x):
            t += 1
            v = beta * v + (1 - beta) * x
        smoothed.append(v / (1 - beta**t) if t else np.nan)
    return np.array(smoothed)


def weighted_means(values, beta):
    """pandas' ``ewm(alpha=1 - beta, adjust=True).mean()``: weights beta^(t - i)."""
    ages = np.subtract.outer(np.arange(len(values)), np.arange(len(values)))
    weights = np.where(ages >= 0, beta ** np.maximum(ages, 0.0), 0.0)
    return weights @ values / weights.sum(axis=1)


def test_one_step_keeps_beta_of_the_old_and_takes_the_rest_of_the_new():
    tree = average({"a": jnp.array([1.0, 2.0]), "b": jnp.array(4.0)}, {"a": 3.0, "b": 0.0}, 0.75)
    np.testing.assert_allclose(tree["a"], [1.5, 2.25])
    np.testing.assert_allclose(tree["b"], 3.0)


def test_the_correction_gives_a_constant_back_from_the_first_step_on(x64):
    v = jnp.zeros(())
    for t in range(1, 6):
        v = average(v, jnp.array(7.0), 0.9)
        np.testing.assert_allclose(unbiased(v, 0.9, t), 7.0, rtol=1e-14)
        assert float(v) < 7.0


@pytest.mark.parametrize("beta", BETAS)
def test_the_corrected_average_is_the_mean_with_weights_that_fade_with_age(beta, rng, x64):
    values = rng.normal(size=30)
    v, corrected = jnp.zeros(()), []
    for t, x in enumerate(values, start=1):
        v = average(v, x, beta)
        corrected.append(float(unbiased(v, beta, t)))
    # At beta 0.999 the correction starts from 1 - 0.999, which has lost three digits.
    np.testing.assert_allclose(corrected, weighted_means(values, beta), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_the_type_of_the_average_is_kept_whatever_beta_and_count_are(dtype):
    old, new = jnp.ones(3, dtype), jnp.ones(3, jnp.float32)
    assert average(old, new, jnp.float32(0.9)).dtype == dtype
    assert unbiased(old, jnp.float32(0.9), jnp.int32(3)).dtype == dtype
    assert unbiased(old, 0.9, jnp.float32(3)).dtype == dtype


def test_averages_run_under_jit_and_vmap_over_beta():
    betas = jnp.array([0.0, 0.5, 0.9])
    step = jax.jit(jax.vmap(lambda b: unbiased(average(jnp.zeros(2), jnp.ones(2), b), b, 1)))
    np.testing.assert_allclose(step(betas), np.ones((3, 2)), rtol=1e-6)


@pytest.mark.parametrize("beta", BETAS)
def test_smoothing_is_the_plain_loop(beta, rng):
    values = rng.normal(size=50)
    values[[0, 1, 7, 8, 49]] = np.nan
    smoothed = smooth(values, beta)
    np.testing.assert_allclose(smoothed, averaged_by_a_plain_loop(values, beta), rtol=1e-12)
    assert smoothed.dtype == np.float64
    assert smoothed.shape == values.shape


def test_smoothing_a_curve_with_gaps_keeps_the_average_over_the_gap():
    smoothed = smooth([np.nan, 4.0, np.nan, np.nan, 4.0], 0.9)
    assert np.isnan(smoothed[0])
    np.testing.assert_allclose(smoothed[1:], 4.0)


def test_smoothing_steps_over_a_loss_that_overflowed():
    np.testing.assert_allclose(smooth([1.0, np.inf, 1.0], 0.5), 1.0)


def test_smoothing_nothing_or_nothing_but_gaps_is_no_error():
    assert smooth([], 0.9).shape == (0,)
    assert np.all(np.isnan(smooth([np.nan, np.nan], 0.9)))


def test_smoothing_takes_lists_and_whole_numbers_and_leaves_its_input_alone():
    values = np.array([1, 2, 3])
    np.testing.assert_allclose(smooth(values, 0.0), [1, 2, 3])
    np.testing.assert_allclose(smooth([1, 2, 3], 0.5), averaged_by_a_plain_loop(values, 0.5))
    assert values.tolist() == [1, 2, 3]


@given(
    arrays(np.float64, st.integers(1, 20), elements=st.floats(-1e6, 1e6)),
    st.floats(0.0, 0.99),
)
def test_a_smoothed_curve_stays_between_the_extremes_of_the_curve(values, beta):
    smoothed = smooth(values, beta)
    room = 1e-9 * max(1.0, np.abs(values).max())
    assert np.all(smoothed >= np.minimum.accumulate(values) - room)
    assert np.all(smoothed <= np.maximum.accumulate(values) + room)


@given(
    arrays(np.float64, 8, elements=st.floats(-100, 100)),
    st.floats(-10, 10),
    st.floats(-10, 10),
    st.floats(0.0, 0.99),
)
def test_smoothing_is_linear(values, scale, shift, beta):
    np.testing.assert_allclose(
        smooth(scale * values + shift, beta), scale * smooth(values, beta) + shift, atol=1e-8
    )
