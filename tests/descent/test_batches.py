import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallline import train
from fallline.descent.batches import BatchPlan, auto_size, default_epochs, plan
from fallline.errors import FalllineError
from fallline.models import Linear

sizes = given(rows=st.integers(1, 300), size=st.integers(1, 320), epoch=st.integers(0, 5))


def real(batches, epoch=0):
    """An epoch's order without what only fills up its last batch."""
    return batches.order(epoch)[: batches.rows]


# The accounting


def test_2000_rows_in_batches_of_64_are_32_steps_the_last_of_16():
    batches = plan(2000, 64)
    assert (batches.steps, batches.last) == (32, 16)
    assert str(batches) == "32 steps an epoch of 64 rows, the last of 16 rows"
    assert batches.rows_seen(10 * batches.steps) == 20_000


def test_ten_epochs_of_2000_rows_are_320_steps_and_20000_rows_in_a_run_too():
    x = np.arange(2000.0, dtype=np.float32)[:, None] / 2000
    run = train(Linear(1), "squared_error", (x, x[:, 0]), batch_size=64, epochs=10, optimizer="sgd")
    assert (run.steps, run.epochs, run.rows_seen) == (320, 10, 20_000)
    assert len(run.history) == 320
    assert len(run.history.training_loss) == 10
    assert run.batch_size == 64
    assert "320 steps in 10 epochs (32 steps an epoch of 64 rows, the last of 16" in str(run)


def test_the_run_meets_every_row_once_an_epoch_in_batches_of_the_plan():
    rows = np.arange(1.0, 22.0, dtype=np.float32)
    seen = train(
        # The gradient of the sum is a fingerprint of the rows that were met.
        lambda p, batch: p * jnp.sum(2.0**batch),
        data=rows,
        params=np.float32(0.0),
        batch_size=8,
        epochs=2,
        optimizer="sgd",
    )
    order = [plan(21, 8).order(epoch)[:21] for epoch in range(2)]
    expected = [np.sum(2.0 ** rows[o[i : i + 8]]) for o in order for i in (0, 8, 16)]
    np.testing.assert_allclose(seen.history.gradient_norm, expected, rtol=1e-6)


@sizes
def test_every_row_is_met_exactly_once_an_epoch(rows, size, epoch):
    batches = plan(rows, size)
    order = batches.order(epoch)
    assert order.dtype == np.int32
    assert order.shape == (batches.steps * batches.size,)
    np.testing.assert_array_equal(np.sort(order[:rows]), np.arange(rows))
    assert not order[rows:].any()


@sizes
def test_steps_last_and_rows_seen_agree(rows, size, epoch):
    batches = plan(rows, size)
    assert (batches.steps - 1) * batches.size + batches.last == rows
    assert 1 <= batches.last <= batches.size
    counts = [batches.size] * (batches.steps - 1) + [batches.last]
    seen = np.concatenate([[0], np.cumsum(counts * (epoch + 1))])
    assert [batches.rows_seen(step) for step in range(len(seen))] == seen.tolist()


# Orders


def test_the_order_is_new_each_epoch_and_the_same_for_the_same_seed():
    one, same, other = plan(50, 8, seed=1), plan(50, 8, seed=1), plan(50, 8, seed=2)
    for epoch in range(3):
        np.testing.assert_array_equal(one.order(epoch), same.order(epoch))
        assert (one.order(epoch) != other.order(epoch)).any()
    orders = {tuple(one.order(epoch)) for epoch in range(20)}
    assert len(orders) == 20


@pytest.mark.parametrize("seed", [-1, 2**53, 2**63, 2**64 - 2, 10**30])
def test_any_whole_number_is_a_seed_of_its_own(seed):
    orders = {tuple(plan(50, 8, seed=s).order(e)) for s in (seed, seed + 1) for e in (0, 1)}
    assert len(orders) == 4


def test_without_shuffling_the_rows_come_as_they_are():
    batches = plan(10, 4, shuffle=False)
    for epoch in (0, 3):
        np.testing.assert_array_equal(batches.order(epoch), [*range(10), 0, 0])


def test_with_replacement_rows_are_drawn_independently():
    batches = plan(5000, 64, replacement=True)
    drawn = real(batches)
    # A share 1/e of the rows is never drawn.
    assert len(np.unique(drawn)) / 5000 == pytest.approx(1 - np.exp(-1), abs=0.03)
    assert drawn.min() >= 0
    assert drawn.max() < 5000
    assert (real(batches, 1) != drawn).any()


def test_drawing_as_many_rows_as_there_are_with_replacement_is_not_the_full_batch():
    assert not plan(10, "full", replacement=True).full
    assert plan(10, "full").full


# Sizes


@pytest.mark.parametrize(
    ("rows", "columns", "size"),
    [
        (1, 1, 1),
        (1999, 1, 1999),
        (2000, 1, 64),
        (16_383, 1, 64),
        (16_384, 1, 128),
        (60_000, 784, 256),
        (10**7, 10, 512),
        (10**7, 2**16, 256),
        (10**7, 2**24, 64),
    ],
)
def test_the_automatic_size_follows_its_rule(rows, columns, size):
    assert auto_size(rows, columns) == size
    assert plan(rows, "auto", columns=columns).size == size


@pytest.mark.parametrize("size", ["full", 10, 11, 10**9])
def test_a_batch_as_large_as_the_rows_is_the_full_batch(size):
    batches = plan(10, size)
    assert batches.full
    assert (batches.size, batches.steps, batches.last) == (10, 1, 10)
    assert str(batches) == "all 10 rows a step"


@pytest.mark.parametrize("size", ["64", np.int64(64), 64.0])
def test_a_size_may_be_any_spelling_of_a_whole_number(size):
    batches = plan(2000, size)
    assert batches == BatchPlan(2000, 64)
    assert type(batches.size) is int


@pytest.mark.parametrize(
    "size", [0, -1, 2.5, "many", "", None, float("nan"), float("inf"), (3,), "2.5"]
)
def test_a_bad_size_is_told_in_a_sentence(size):
    sentence = "batch size must be 'auto', 'full' or a whole number from 1 up; it was given"
    with pytest.raises(FalllineError, match=sentence):
        plan(10, size)


def test_no_rows_are_told_in_a_sentence():
    with pytest.raises(FalllineError, match="no rows to train on"):
        plan(0, 3)


def test_batches_of_one_row_are_spelt_right():
    assert str(plan(1500, 1)) == "1,500 steps an epoch, each of 1 row"


@pytest.mark.parametrize(
    ("rows", "size", "epochs"), [(10, 10, 2000), (2000, 64, 100), (90, 3, 100)]
)
def test_a_run_goes_on_for_100_epochs_or_2000_steps_by_default(rows, size, epochs):
    assert default_epochs(plan(rows, size)) == epochs
