"""Slopes of losses: intervals that hold what they say, and what counts as a spike."""

import numpy as np
import pytest
from scipy import signal

from fallline.diagnosis.slope import loss_slope, rises, spikes, trend


def _autocorrelated(series, steps, phi, seed=0):
    """Noise of standard deviation 0.1 in which each step resembles the last."""
    draws = np.random.default_rng(seed).normal(size=(series, steps + 300))
    noise = signal.lfilter([1], [1, -phi], draws, axis=1)[:, 300:]
    return 0.1 * np.sqrt(1 - phi**2) * noise


@pytest.mark.parametrize(("phi", "steps"), [(0.0, 100), (0.5, 200), (0.9, 300)])
def test_the_interval_holds_the_slope_as_often_as_it_says(phi, steps):
    slope = -1e-3
    losses = np.exp(slope * np.arange(steps) + _autocorrelated(400, steps, phi))
    found = [loss_slope(one) for one in losses]
    covered = np.mean([one.low <= slope <= one.high for one in found])
    assert 0.9 <= covered <= 0.99
    # Not by being wide: twice what a known noise would leave.
    exact = np.std([one.per_step for one in found])
    assert np.median([one.high - one.low for one in found]) < 2 * 2 * 2 * exact


def test_flat_falling_rising():
    noise = _autocorrelated(400, 300, 0.9, seed=1)
    flat = [loss_slope(np.exp(one)).flat for one in noise]
    assert np.mean(flat) > 0.9
    step = np.arange(300)
    assert all(loss_slope(np.exp(one - 0.01 * step)).falling for one in noise[:50])
    assert all(loss_slope(np.exp(one + 0.01 * step)).rising for one in noise[:50])


def test_a_line_without_noise():
    found = loss_slope(2.0 * np.exp(-0.01 * np.arange(200)))
    assert found.per_step == pytest.approx(-0.01)
    assert found.falling
    assert found.noise < 1e-12
    assert found.level == pytest.approx(2 * np.exp(-0.01 * 189.5))
    assert loss_slope(np.ones(50)).flat


def test_a_loss_below_zero_has_a_slope_of_its_own():
    found = loss_slope(5.0 - 0.1 * np.arange(100))
    assert not found.logarithmic
    assert found.per_step == pytest.approx(-0.1)


def test_gaps_and_too_few_steps():
    losses = np.exp(-0.01 * np.arange(100))
    losses[[3, 50, 51, 99]] = np.nan, np.inf, np.nan, np.nan
    found = loss_slope(losses)
    assert found.steps == 96
    assert found.per_step == pytest.approx(-0.01)
    for few in ([], [1.0, np.nan], [np.nan] * 5):
        unknown = loss_slope(few)
        assert unknown.flat
        assert np.isinf(unknown.high)


def test_one_outlier_does_not_make_the_slope():
    losses = np.exp(0.05 * np.random.default_rng(0).normal(size=200) - 1e-3 * np.arange(200))
    clean = loss_slope(losses)
    losses[-2] = 1e6
    assert loss_slope(losses).per_step == pytest.approx(clean.per_step, abs=3e-4)


def test_the_trend_is_that_of_the_last_part():
    losses = np.exp(-np.concatenate([0.1 * np.arange(70), np.full(30, 7.0)]))
    assert trend(losses).steps == 30
    assert trend(losses).flat
    assert trend(losses, share=1.0).falling
    assert trend(losses[:25]).steps == 20
    assert trend(losses[:10]).steps == 10


def test_spikes_are_counted_and_nothing_else_is():
    generator = np.random.default_rng(0)
    losses = np.exp(0.05 * generator.normal(size=1000) - 3e-3 * np.arange(1000))
    assert spikes(losses) == 0
    losses[300] *= 10
    losses[600:604] *= 5
    assert spikes(losses) == 5
    losses[3] *= 10
    assert spikes(losses) == 6
    # A step up from which it never comes back is none, nor is the fall at the start, nor noise.
    losses[800:] *= 100
    assert spikes(losses) == 6
    assert spikes([10.0, 8.0, *np.full(200, 1.0)]) == 0
    assert spikes(np.exp(np.linspace(0, 10, 500))) == 0
    assert spikes(np.exp(0.3 * generator.normal(size=20_000))) == 0
    assert spikes([1.0, 5.0, 1.0]) == 1


def test_rises():
    assert rises([1, 2, 1, 2, 1]) == 0.5
    assert rises([3, 2, np.nan, 1, 2]) == 0.5
    assert np.isnan(rises([1.0]))
