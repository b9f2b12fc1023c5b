import jax.numpy as jnp
import numpy as np
import pytest

from fallline.descent.stopping import (
    BLEW_UP,
    GRADIENT,
    PATIENCE,
    REASONS,
    RUNNING,
    SLOPE,
    WINDOW,
    Rules,
    positive,
)
from fallline.errors import FalllineError

FALLING = np.linspace(2.0, 1.0, WINDOW)  # falls by 1/9 an epoch; its mean is 1.5


def check(rules, since_best=0, gradient_norm=1.0, recent=FALLING):
    return int(rules.check(jnp.int32(since_best), jnp.float32(gradient_norm), jnp.asarray(recent)))


def test_by_default_no_rule_ever_stops():
    assert check(Rules(), since_best=10**9, gradient_norm=0.0, recent=np.ones(WINDOW)) == RUNNING


@pytest.mark.parametrize(
    ("since", "code"), [(0, RUNNING), (2, RUNNING), (3, PATIENCE), (4, PATIENCE)]
)
def test_patience_counts_the_epochs_since_the_best(since, code):
    assert check(Rules(patience=3), since_best=since) == code


@pytest.mark.parametrize(("norm", "code"), [(0.09, GRADIENT), (0.1, RUNNING), (0.11, RUNNING)])
def test_the_gradient_must_be_below_its_tolerance(norm, code):
    assert check(Rules(gradient_tolerance=np.float32(0.1)), gradient_norm=norm) == code


@pytest.mark.parametrize(
    ("tolerance", "code"),
    [(1 / 9 / 1.5 * 0.99, RUNNING), (1 / 9 / 1.5 * 1.01, SLOPE), (-1, RUNNING)],
)
def test_the_slope_is_measured_in_shares_of_the_mean_loss(tolerance, code):
    assert check(Rules(slope_tolerance=tolerance)) == code


@pytest.mark.parametrize("recent", [FALLING[::-1], np.full(WINDOW, 0.0)])
def test_a_loss_that_rises_or_stands_still_stops_even_at_tolerance_0(recent):
    assert check(Rules(slope_tolerance=0.0), recent=recent) == SLOPE


def test_the_slope_of_a_negative_loss_is_a_share_of_its_size():
    assert check(Rules(slope_tolerance=0.01), recent=FALLING - 3) == RUNNING
    assert check(Rules(slope_tolerance=0.2), recent=FALLING - 3) == SLOPE


def test_the_slope_waits_until_its_window_is_full():
    recent = np.ones(WINDOW)
    recent[0] = np.nan
    assert check(Rules(slope_tolerance=0.5), recent=recent) == RUNNING


def test_patience_is_told_first_then_the_gradient_then_the_slope():
    rules = Rules(patience=1, gradient_tolerance=1.0, slope_tolerance=1.0)
    assert check(rules, since_best=1, gradient_norm=0.0) == PATIENCE
    assert check(rules, since_best=0, gradient_norm=0.0) == GRADIENT
    assert check(rules, since_best=0, gradient_norm=2.0) == SLOPE


def test_every_code_that_stops_has_a_reason():
    assert set(REASONS) == {BLEW_UP, PATIENCE, GRADIENT, SLOPE}
    assert RUNNING not in REASONS


@pytest.mark.parametrize("value", [1, 0.5, np.int64(3), np.float32(0.1), float("inf"), None])
def test_numbers_above_0_pass(value):
    positive("It", value)


@pytest.mark.parametrize("value", [1, 2.0, np.int64(3)])
def test_whole_numbers_pass(value):
    positive("It", value, whole=True)


@pytest.mark.parametrize(
    ("value", "rules", "sentence"),
    [
        (0, {}, "It must be a number above 0; it was given 0"),
        (-1.5, {}, "a number above 0; it was given -1.5"),
        (float("nan"), {}, "a number above 0; it was given nan"),
        ("3", {}, "a number above 0; it was given '3'"),
        (True, {}, "a number above 0; it was given True"),
        (-1, {"zero": True}, "a number of 0 or more; it was given -1"),
        (2.5, {"whole": True}, "a whole number above 0; it was given 2.5"),
        (float("inf"), {"whole": True}, "a whole number above 0; it was given inf"),
        (np.float64("inf"), {"whole": True}, "a whole number above 0; it was given np.float64"),
    ],
)
def test_anything_else_is_told_in_a_sentence(value, rules, sentence):
    with pytest.raises(FalllineError, match=sentence):
        positive("It", value, **rules)


def test_0_passes_where_it_may():
    positive("It", 0, zero=True)
