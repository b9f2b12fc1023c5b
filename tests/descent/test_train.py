import functools
import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fallline import losses, train
from fallline.descent import loop
from fallline.descent.batches import plan
from fallline.descent.loop import LAYER_FIELDS, STEP_FIELDS
from fallline.descent.objective import Batch, ModelObjective
from fallline.descent.problem import pose
from fallline.descent.range_test import TRIAL_STEPS
from fallline.errors import FalllineError
from fallline.models import MLP, Linear
from fallline.optimizers import EMA, SGD, Adam, Momentum, PolyakAverage
from fallline.schedules import CosineDecay, ExponentialDecay, ReduceOnPlateau

N, D, SIZE = 40, 3, 16  # three steps an epoch, the last of 8 rows
DRAW = np.random.default_rng(7)
X = DRAW.normal(size=(N, D))
Y = X @ [1.0, -2.0, 0.5] + 0.3 + 0.1 * DRAW.normal(size=N)
CLASSES = np.argmax(X, axis=1)
HALF_WAY = (X, Y / 2)  # validation rows whose loss falls, then rises, on the way to Y
START = {"affine1": {"bias": np.array([0.2]), "weights": np.array([[0.5], [-0.4], [0.1]])}}

# Most tests share these two programs, so that little is compiled.
fit = functools.partial(
    train,
    Linear(D),
    loss="squared_error",
    data=(X, Y),
    optimizer="sgd",
    batch_size="full",
)
fit_in_batches = functools.partial(fit, batch_size=SIZE)

# Everything at once: random numbers inside the model, state, validation, norms of leaves.
fit_with_everything = functools.partial(
    train,
    MLP(D, (4,), 3, batch_norm=True, dropout=0.25),
    "softmax_cross_entropy",
    (X, CLASSES),
    optimizer=Adam(0.05),
    batch_size=8,  # four steps an epoch, the last of 6 rows
    validation=0.25,
    epochs=6,
    record="layers",
)


def same(one, other):
    """Two trees of the same bits."""
    jax.tree.map(np.testing.assert_array_equal, one, other)


def identical(one, other):
    """Two runs of the same bits from beginning to end."""
    same(one.params, other.params)
    same(one.state, other.state)
    assert list(one.final.arrays) == list(other.final.arrays)
    for name in one.final.arrays:
        assert one.final.arrays[name].tobytes() == other.final.arrays[name].tobytes(), name
    for part in ("steps", "epochs", "layers"):
        same(getattr(one.history, part), getattr(other.history, part))
    assert one.history.leaf_names == other.history.leaf_names
    assert (one.stop.reason, one.best_epoch) == (other.stop.reason, other.best_epoch)
    assert (one.steps, one.learning_rate) == (other.steps, other.learning_rate)


def weights(run):
    return np.append(run.params["affine1"]["weights"], run.params["affine1"]["bias"])


def plain_descent(batches, rate, l1=0.0, l2=0.0):
    """The textbook loop: linear regression from START; its parameters and its record by step."""
    theta = np.array([0.5, -0.4, 0.1, 0.2])
    penalised = np.array([1.0, 1.0, 1.0, 0.0])
    before, records = None, []
    for rows in batches:
        a = np.column_stack([X[rows], np.ones(len(rows))])
        residual = a @ theta - Y[rows]
        loss = np.mean(residual**2)
        loss += np.sum(penalised * (l1 * np.abs(theta) + 0.5 * l2 * theta**2))
        gradient = 2 * a.T @ residual / len(rows)
        gradient += penalised * (l1 * np.sign(theta) + l2 * theta)
        size = np.linalg.norm(gradient)
        cosine = np.nan
        if before is not None:
            cosine = gradient @ before / size / np.linalg.norm(before)
        norm = np.linalg.norm(theta)
        records.append([loss, rate, size, rate * size, norm, cosine])
        theta, before = theta - rate * gradient, gradient
    return theta, dict(zip(STEP_FIELDS, np.transpose(records), strict=True))


def agrees(run, theta, records):
    np.testing.assert_allclose(weights(run), theta, rtol=1e-10)
    assert list(run.history.steps) == list(records)
    for field, values in records.items():
        np.testing.assert_allclose(run.history.steps[field], values, rtol=1e-9, err_msg=field)


# Against a loop in plain NumPy


def test_full_batch_descent_is_the_textbook_loop_step_by_step(x64):
    run = fit(params=START, learning_rate=0.1, epochs=12)
    agrees(run, *plain_descent([np.arange(N)] * 12, 0.1))
    np.testing.assert_allclose(run.history.training_loss, run.history.loss, rtol=1e-14)


@pytest.mark.parametrize("plan_of_rows", [{}, {"shuffle": False}, {"replacement": True}])
def test_mini_batch_descent_is_the_textbook_loop_over_the_plans_order(x64, plan_of_rows):
    run = fit_in_batches(params=START, learning_rate=0.05, epochs=4, seed=3, **plan_of_rows)
    batches = plan(N, SIZE, seed=3, **plan_of_rows)
    orders = [batches.order(epoch)[:N] for epoch in range(4)]
    rows = [order[i : i + SIZE] for order in orders for i in range(0, N, SIZE)]
    assert len(rows[-1]) == 8
    theta, records = plain_descent(rows, 0.05)
    agrees(run, theta, records)
    # The mean over the epoch's rows: the last, smaller batch counts for less.
    by_epoch = records["loss"].reshape(4, 3) @ [SIZE, SIZE, 8] / N
    np.testing.assert_allclose(run.history.training_loss, by_epoch, rtol=1e-10)


@pytest.mark.parametrize("penalties", [{"l1": 0.3}, {"l2": 0.7}, {"l1": 0.2, "l2": 0.4}])
def test_penalties_have_their_values_and_leave_the_bias_alone(x64, penalties):
    run = fit(params=START, learning_rate=0.1, epochs=3, **penalties)
    agrees(run, *plain_descent([np.arange(N)] * 3, 0.1, **penalties))


def test_a_penalty_of_0_is_none():
    identical(fit(epochs=3), fit(epochs=3, l1=0.0, l2=0))


def test_penalties_stay_out_of_the_validation_loss(x64):
    run = fit(params=START, learning_rate=0.0, epochs=1, l2=5.0, validation=(X, Y))
    _, records = plain_descent([np.arange(N)], 0.0)
    assert run.history.validation_loss[0] == pytest.approx(records["loss"][0], rel=1e-12)
    assert run.history.training_loss[0] > run.history.validation_loss[0] + 0.5


# Weights of examples


def test_whole_weights_are_repeated_rows(x64):
    counts = np.arange(N) % 4
    repeated = np.repeat(np.arange(N), counts)
    options = {"params": START, "learning_rate": 0.1, "epochs": 5}
    weighted = fit(data=(X, Y, counts), **options)
    agrees(weighted, *plain_descent([repeated] * 5, 0.1))


def test_rows_of_weight_0_change_nothing_even_under_batch_norm(x64):
    kept = np.arange(N) % 5 != 0
    garbage = np.where(kept[:, None], X, 1e3)
    run = functools.partial(
        train,
        MLP(D, (4,), batch_norm=True),
        "squared_error",
        optimizer="sgd",
        batch_size="full",
        epochs=4,
    )
    one = run(data=(garbage, np.where(kept, Y, -1e3), kept.astype(float)))
    other = run(data=(X[kept], Y[kept]))
    for a, b in ((one.params, other.params), (one.state, other.state)):
        jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-14), a, b)


def test_equal_weights_are_no_weights(x64):
    options = {"params": START, "learning_rate": 0.1, "epochs": 3}
    weighted = fit_in_batches(data=(X, Y, np.full(N, 2.5)), **options)
    np.testing.assert_allclose(weights(weighted), weights(fit_in_batches(**options)), rtol=1e-12)


def test_the_validation_loss_is_weighted(x64):
    counts = np.arange(N) % 4
    run = fit(params=START, learning_rate=0.0, epochs=1, validation=(X, Y, counts))
    _, records = plain_descent([np.repeat(np.arange(N), counts)], 0.0)
    assert run.history.validation_loss[0] == pytest.approx(records["loss"][0], rel=1e-12)


# Learning rates


@pytest.mark.parametrize("rate", [0.05, CosineDecay(0.1, steps=9), ExponentialDecay(0.1, 0.9, 2)])
def test_the_history_follows_the_schedule(rate):
    run = fit_in_batches(learning_rate=rate, epochs=4)
    expected = [float(rate(step)) if callable(rate) else rate for step in range(12)]
    np.testing.assert_allclose(run.history.learning_rate, expected, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(
        run.history.update_norm, expected * run.history.gradient_norm, rtol=1e-5, atol=1e-9
    )
    assert run.learning_rate == (rate.initial if callable(rate) else rate)


def test_a_rate_given_beside_a_schedule_is_where_the_schedule_starts():
    run = fit_in_batches(optimizer=SGD(CosineDecay(0.1, steps=9)), learning_rate=0.02, epochs=4)
    same(run.params, fit_in_batches(optimizer=SGD(CosineDecay(0.02, steps=9)), epochs=4).params)
    assert run.learning_rate == 0.02


def test_the_rate_is_cut_on_a_plateau_inside_the_loop():
    schedule = ReduceOnPlateau(0.2, factor=0.5, patience=1, threshold=0.05)
    run = fit(learning_rate=schedule, epochs=40)
    expected, by_hand = [], schedule
    for loss in run.history.training_loss:
        expected.append(float(by_hand(0)))
        by_hand = by_hand.observe(loss)
    np.testing.assert_allclose(run.history.learning_rate, expected, rtol=1e-6)
    assert len(np.unique(expected)) >= 3


# Models, losses, predictions


def test_several_outputs_are_learned_together():
    targets = np.column_stack([Y, X @ [0.0, 1.0, 1.0]])
    run = train(Linear(D, 2), "squared_error", (X, targets), optimizer=SGD(0.3), epochs=300)
    a = np.column_stack([X, np.ones(N)])
    solution = a @ np.linalg.lstsq(a, targets, rcond=None)[0]
    assert run.predict(X).shape == (N, 2)
    np.testing.assert_allclose(run.predict(X), solution, atol=1e-4)


@pytest.mark.parametrize("shape", [(N,), (N, 1)])
def test_classes_are_learned_and_scored(shape):
    y = CLASSES.reshape(shape)
    run = train(
        Linear(D, 3),
        "softmax_cross_entropy",
        (X, y),
        optimizer=Adam(0.1),
        epochs=60,
        batch_size="full",
        validation=(X, y),
    )
    predicted, p = run.predict(X), run.probabilities(X)
    assert predicted.dtype == np.int32
    assert np.mean(predicted == CLASSES) > 0.95
    assert p.shape == (N, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(p.argmax(axis=1), predicted)
    score = run.history.validation_score
    assert score[run.best_epoch - 1] == pytest.approx(np.mean(predicted == CLASSES))
    assert score[0] < 0.9


def test_two_classes_are_learned_by_one_output():
    y = (Y > 0).astype(int)
    run = train(Linear(D), "binary_cross_entropy", (X, y), optimizer=Adam(0.1), epochs=100)
    p = run.probabilities(X)
    assert p.shape == (N, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-6)
    np.testing.assert_array_equal(run.predict(X), p[:, 1] > 0.5)
    assert np.mean(run.predict(X) == y) > 0.95


def test_a_loss_may_be_a_function():
    def mine(prediction, target):
        return (prediction[:, 0] - target) ** 2

    run = fit(loss=mine, epochs=3)
    np.testing.assert_allclose(run.history.loss, fit(epochs=3).history.loss, rtol=1e-6)
    assert run.predict(X).shape == (N,)


def test_a_loss_of_the_house_is_known_by_its_function():
    assert fit(loss=losses.squared_error, epochs=1).loss is losses.LOSSES["squared_error"]


def test_many_rows_are_predicted_in_blocks():
    run = fit(epochs=2)
    many = np.random.default_rng(0).normal(size=(10_000, D)).astype(np.float32)
    expected = many @ np.asarray(run.params["affine1"]["weights"])[:, 0]
    expected += np.asarray(run.params["affine1"]["bias"])
    np.testing.assert_allclose(run.predict(many), expected, rtol=1e-4, atol=1e-6)
    assert run.predict(many[:0]).shape == (0,)


# Objectives of the user's own


def test_the_last_smaller_batch_reaches_an_objective_at_its_own_size():
    def size_of_batch(params, batch):
        assert batch["y"].shape == (len(batch["x"]),)
        return len(batch["x"]) + 0.0 * params["a"][0]

    run = train(
        size_of_batch,
        data={"x": X, "y": Y},
        params={"a": (np.float32(1.0),)},
        batch_size=SIZE,
        epochs=2,
        optimizer="sgd",
    )
    np.testing.assert_array_equal(run.history.loss, [16, 16, 8, 16, 16, 8])
    np.testing.assert_allclose(run.history.training_loss, (16 * 16 * 2 + 8 * 8) / N, rtol=1e-6)


def test_an_objective_over_any_tree_of_parameters_is_the_textbook_loop(x64):
    def objective(params, batch):
        rows, y = batch
        w, (b,) = params["w"], params["rest"]
        return jnp.mean((rows @ w + b - y) ** 2)

    start = {"w": np.array([0.5, -0.4, 0.1]), "rest": (np.array(0.2),)}
    run = train(
        objective,
        data=(X, Y),
        params=start,
        batch_size=SIZE,
        epochs=3,
        optimizer=SGD(0.05),
        seed=3,
    )
    orders = [plan(N, SIZE, seed=3).order(epoch)[:N] for epoch in range(3)]
    rows = [order[i : i + SIZE] for order in orders for i in range(0, N, SIZE)]
    theta, records = plain_descent(rows, 0.05)
    np.testing.assert_allclose([*run.params["w"], run.params["rest"][0]], theta, rtol=1e-10)
    for field in STEP_FIELDS:
        np.testing.assert_allclose(run.history.steps[field], records[field], rtol=1e-9)


def bowl(params, batch):
    assert batch is None
    return 0.5 * jnp.sum(params**2)


def test_an_objective_needs_no_data():
    run = train(bowl, params=np.array([1.0, -2.0]), optimizer=SGD(0.1), steps=5)
    np.testing.assert_allclose(run.params, 0.9**5 * np.array([1.0, -2.0]), rtol=1e-6)
    assert (run.steps, run.model, run.loss) == (5, None, None)


def test_whole_numbers_to_start_from_become_floats():
    run = train(bowl, params=np.array([1, -2]), optimizer=SGD(0.1), steps=5)
    np.testing.assert_allclose(run.params, 0.9**5 * np.array([1.0, -2.0]), rtol=1e-6)


def test_a_run_of_an_objective_has_no_predictions():
    run = train(bowl, params=np.ones(2), optimizer=SGD(0.1), steps=1)
    for ask in (run.outputs, run.predict, run.probabilities):
        with pytest.raises(FalllineError, match="an objective of your own"):
            ask(X)
    with pytest.raises(FalllineError, match="'squared_error' gives no class probabilities"):
        fit(epochs=1).probabilities(X)


# Averaged parameters


@pytest.mark.parametrize(
    ("optimizer", "shares"),
    [
        (EMA(SGD(0.1), beta=0.5), 0.5 ** np.arange(8, 0, -1) / (1 - 0.5**8)),
        (PolyakAverage(SGD(0.1)), np.full(8, 1 / 8)),
        (PolyakAverage(SGD(0.1), start=5), [0, 0, 0, 0, 0, 1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_a_run_predicts_with_the_average_where_the_optimizer_averages(optimizer, shares):
    run = train(bowl, params=np.array([1.0, -2.0]), optimizer=optimizer, steps=8)
    path = 0.9 ** np.arange(1, 9)[:, None] * [1.0, -2.0]
    np.testing.assert_allclose(run.params, shares @ path, rtol=1e-5)
    np.testing.assert_allclose(run.final.arrays["params"], path[-1], rtol=1e-5)


def cliff(params, batch):
    """Falls by 1 a step from 0, and is no number from 4 on."""
    return -params * jnp.where(jax.lax.stop_gradient(params) > 3.5, jnp.nan, 1.0)


@pytest.mark.parametrize(
    ("optimizer", "result"), [(SGD(1.0), 4.0), (PolyakAverage(SGD(1.0)), (1 + 2 + 3 + 4) / 4)]
)
def test_a_run_that_blows_up_says_the_step_and_keeps_finite_parameters(optimizer, result):
    run = train(cliff, params=0.0, optimizer=optimizer, steps=50)
    assert run.stop.reason == "non-finite"
    assert "blew up at step 5 (after 4 of 50 epochs)" in run.stop.sentence
    assert (run.steps, len(run.history)) == (4, 5)
    np.testing.assert_array_equal(run.history.loss, [0, -1, -2, -3, np.nan])
    assert float(run.params) == result


# The same bits


def test_the_same_seed_is_the_same_run_and_another_is_not():
    one = fit_with_everything(seed=5)
    identical(one, fit_with_everything(seed=5))
    other = fit_with_everything(seed=6)
    for name in ("params/affine1/weights", "key", "state/norm1/mean"):
        assert (one.final.arrays[name] != other.final.arrays[name]).any(), name
    assert not np.isin(other.history.loss, one.history.loss).any()


def test_dropout_draws_anew_at_every_step():
    still = fit_with_everything(optimizer=Adam(0.0), shuffle=False, epochs=4)
    assert len(np.unique(still.history.loss)) == 16


@pytest.mark.parametrize("seconds", [1e-9, 1e-3, 1e9])
def test_a_run_does_not_depend_on_how_it_was_cut_into_calls(monkeypatch, seconds):
    whole, calls = fit_with_everything(), []
    monkeypatch.setattr("fallline.descent.descend.CALL_SECONDS", seconds)
    cut = fit_with_everything(callback=lambda progress: calls.append(progress.step))
    identical(cut, whole)
    assert calls[-1] == 24
    if seconds == 1e-9:
        # Single steps, as soon as the pace is known.
        assert calls[-6:] == [19, 20, 21, 22, 23, 24]


@pytest.mark.parametrize("options", [{}, {"steps": 22}, {"optimizer": EMA(Adam(0.05), 0.9)}])
def test_a_run_goes_on_from_any_moment_bit_by_bit(monkeypatch, options):
    whole = fit_with_everything(**options)
    monkeypatch.setattr("fallline.descent.descend.CALL_SECONDS", 1e-9)
    kept = []
    identical(
        whole,
        fit_with_everything(
            **options, keep=lambda snapshot, rate: kept.append(snapshot), keep_every=0
        ),
    )
    moments = [int(snapshot.arrays["step"]) for snapshot in kept]
    assert {moment % 4 for moment in moments} == {0, 1, 2, 3}
    monkeypatch.undo()
    for snapshot in (kept[0], kept[len(kept) // 3], kept[len(kept) // 2], kept[-2], kept[-1]):
        resumed = fit_with_everything(**options, resume=snapshot)
        identical(resumed, whole)
        assert resumed.seconds >= snapshot.seconds


def test_an_interrupted_run_goes_on_as_if_it_had_not_been():
    stopped = fit_with_everything(callback=lambda progress: True)
    assert stopped.stop.reason == "interrupted"
    assert stopped.steps < 24
    identical(fit_with_everything(resume=stopped.final), fit_with_everything())


def test_a_snapshot_of_another_run_is_told_in_a_sentence():
    with pytest.raises(FalllineError, match=r"belong to another run: .* does not fit"):
        fit(resume=fit_with_everything(epochs=1).final)


# How a run ends


def test_a_run_ends_after_its_epochs():
    run = fit_in_batches(epochs=2)
    assert run.stop.reason == "epochs"
    assert run.stop.sentence == "Ended as planned after 2 epochs."


@pytest.mark.parametrize(("asked", "done"), [({"epochs": 9}, 5), ({}, 5), ({"epochs": 1}, 3)])
def test_a_run_ends_with_whichever_comes_first_of_steps_and_epochs(asked, done):
    run = fit_in_batches(steps=5, **asked)
    assert run.steps == len(run.history) == done
    if done == 5:
        assert run.stop.reason == "steps"
        assert run.stop.sentence == "Ended as planned after 5 steps."
        assert run.rows_seen == N + 2 * SIZE
        # The epoch that was not finished is closed too, with the rows that it met.
        assert len(run.history.training_loss) == 2
        assert run.history.training_loss[1] == pytest.approx(run.history.loss[3:].mean())


def test_a_run_ends_when_the_gradient_is_small():
    run = fit(learning_rate=0.3, epochs=500, gradient_tolerance=1e-2)
    norms = run.history.gradient_norm
    assert run.stop.reason == "gradient"
    assert "gradient norm fell below 0.01" in run.stop.sentence
    assert norms[-1] < 1e-2 <= norms[:-1].min()


def test_a_run_ends_when_the_loss_falls_no_more():
    run = fit(learning_rate=0.3, epochs=500, slope_tolerance=1e-3)
    assert run.stop.reason == "slope"
    assert "the training loss no longer falls" in run.stop.sentence
    loss = run.history.training_loss.astype(float)

    def share(end):
        window = loss[end - 10 : end]
        return -np.polyfit(range(10), window, 1)[0] / window.mean()

    assert 10 <= run.steps < 500
    assert share(run.steps) <= 1e-3 < min(share(end) for end in range(10, run.steps))


def test_a_run_ends_when_patience_does():
    run = fit(validation=HALF_WAY, learning_rate=0.03, epochs=500, patience=4)
    loss = run.history.validation_loss
    best = int(np.argmin(loss)) + 1
    assert run.stop.reason == "patience"
    assert "the validation loss had not improved for 4 epochs" in run.stop.sentence
    assert f"The parameters of epoch {best}, the best on the validation rows, were kept." in str(
        run
    )
    assert (run.best_epoch, run.steps) == (best, best + 4)
    assert best > 4


def test_patience_without_validation_rows_looks_at_the_training_loss():
    run = fit(learning_rate=1e-12, epochs=500, patience=3, params=START)
    assert run.stop.reason == "patience"
    assert "the training loss had not improved for 3 epochs" in run.stop.sentence
    assert (run.steps, run.best_epoch) == (4, 0)


def test_a_run_ends_when_its_time_is_spent(monkeypatch):
    monkeypatch.setattr("fallline.descent.descend.CALL_SECONDS", 1e-9)
    run = fit_in_batches(epochs=500, time_budget=1e-6)
    assert run.stop.reason == "time"
    assert "the time budget was spent" in run.stop.sentence
    assert 1 <= run.steps < 20


def test_a_run_ends_when_its_callback_says_so_and_is_told_where_it_stands():
    seen = []

    def third_time(progress):
        seen.append(progress)
        return len(seen) == 3

    run = fit_in_batches(epochs=10**6, callback=third_time)
    assert run.stop.reason == "interrupted"
    assert run.stop.sentence.startswith("Interrupted after ")
    assert [p.step for p in seen] == sorted({p.step for p in seen})
    last = seen[-1]
    assert (last.step, last.steps, last.epochs) == (run.steps, 3 * 10**6, 10**6)
    assert last.epoch == run.epochs
    assert last.loss == run.history.training_loss[-1]
    assert np.isnan(last.validation_loss)
    assert last.seconds_left > 0 < last.rows_per_second


def test_ctrl_c_ends_a_run_and_keeps_what_was_learned():
    before = signal.getsignal(signal.SIGINT)
    run = fit(epochs=10**6, callback=lambda progress: os.kill(os.getpid(), signal.SIGINT))
    assert run.stop.reason == "interrupted"
    assert 1 <= run.steps == len(run.history) < 10**6
    assert signal.getsignal(signal.SIGINT) is before
    same(run.params, fit(epochs=run.steps).params)


def test_a_second_ctrl_c_interrupts_at_once():
    def twice(progress):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(epochs=10**6, callback=twice)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("rate", [2.0, 1e3, 1e30])
def test_a_rate_that_is_too_high_blows_up_and_leaves_the_last_finite_parameters(rate):
    run = fit(learning_rate=rate, epochs=2000)
    assert run.stop.reason == "non-finite"
    assert f"blew up at step {run.steps + 1:,} (" in run.stop.sentence
    assert len(run.history) == run.steps + 1
    assert len(run.history.training_loss) == run.steps
    assert np.isfinite(run.history.loss[:-1]).all()
    bad = [run.history.steps[f][-1] for f in ("loss", "update_norm", "parameter_norm")]
    assert not np.isfinite(bad).all()
    assert np.isfinite(weights(run)).all()
    if run.steps:
        same(run.params, fit(learning_rate=rate, epochs=run.steps).params)


def test_a_run_may_blow_up_in_the_middle_of_an_epoch_and_of_a_call():
    run = fit_in_batches(learning_rate=2.0, epochs=2000)
    assert run.stop.reason == "non-finite"
    assert len(run.history) == run.steps + 1
    assert len(run.history.training_loss) == run.steps // 3
    same(run.params, fit_in_batches(learning_rate=2.0, steps=run.steps).params)


# The best parameters


@pytest.mark.parametrize("optimizer", [SGD(0.03), EMA(SGD(0.03), beta=0.8)])
def test_the_parameters_that_were_best_on_the_validation_rows_are_kept(optimizer):
    run = fit(optimizer=optimizer, validation=HALF_WAY, epochs=40)
    losses_ = run.history.validation_loss
    assert 1 < run.best_epoch == np.argmin(losses_) + 1 < 40
    own = np.mean((run.predict(X) - Y / 2) ** 2)
    assert own == pytest.approx(losses_[run.best_epoch - 1], rel=1e-5)
    assert own < losses_[-1] * 0.99


def test_the_state_of_the_best_epoch_is_kept_with_its_parameters():
    run = fit_with_everything(epochs=20, optimizer=Adam(0.3))
    problem, _ = pose(
        MLP(D, (4,), 3, batch_norm=True), "softmax_cross_entropy", (X, CLASSES), validation=0.25
    )
    z = jnp.asarray(run.outputs(problem.validation.x))
    loss = jnp.mean(losses.softmax_cross_entropy(z, jnp.asarray(problem.validation.y)))
    assert run.best_epoch < 20
    assert float(loss) == pytest.approx(run.history.validation_loss[run.best_epoch - 1], rel=1e-5)
    assert (run.final.arrays["state/norm1/mean"] != run.state["norm1"]["mean"]).any()


# Rows held out


def test_rows_held_out_are_a_share_drawn_by_the_seed():
    rows = np.arange(N, dtype=np.float32)
    problems = [pose(bowl, None, rows, params=1.0, validation=0.3, seed=s)[0] for s in (0, 0, 1)]
    held, again, other = (np.asarray(p.validation.x) for p in problems)
    assert len(held) == 12
    np.testing.assert_array_equal(np.sort([*held, *problems[0].data.x]), rows)
    np.testing.assert_array_equal(held, again)
    assert set(held) != set(other)


@pytest.mark.parametrize("share", [None, 0, 0.0])
def test_no_rows_are_held_out_unless_asked_for(share):
    problem, _ = pose(Linear(D), "squared_error", (X, Y), validation=share)
    assert problem.validation is None
    assert problem.plan.rows == N


@pytest.mark.parametrize(("share", "held"), [(1e-9, 1), (0.999, N - 1), (np.float32(0.25), 10)])
def test_at_least_one_row_is_held_out_and_one_left(share, held):
    problem, _ = pose(Linear(D), "squared_error", (X, Y, np.ones(N)), validation=share)
    assert len(problem.validation.x) == len(problem.validation.weights) == held
    assert problem.plan.rows == N - held


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("count", [16_384, 16_385, 20_000])
def test_many_validation_rows_are_evaluated_in_blocks_with_the_same_result(x64, weighted, count):
    draw = np.random.default_rng(0)
    x, y, theta = draw.normal(size=(count, D)), draw.normal(size=count), draw.normal(size=D)
    w = draw.integers(0, 3, count).astype(float) if weighted else None
    objective = ModelObjective(
        Linear(D), losses.squared_error, lambda z, t: jnp.abs(z[:, 0] - t), l2=1.0
    )
    params = {"affine1": {"weights": jnp.asarray(theta)[:, None], "bias": jnp.ones(1)}}
    rows = jax.tree.map(jnp.asarray, Batch(x, y, w))
    loss, score = jax.jit(loop.evaluate)(objective, params, {}, rows)
    residual = x @ theta + 1 - y
    assert float(loss) == pytest.approx(np.average(residual**2, weights=w), rel=1e-12)
    assert float(score) == pytest.approx(np.average(np.abs(residual), weights=w), rel=1e-12)


# What is recorded, and in which type


def test_the_norms_of_leaves_are_recorded_on_request(x64):
    run = fit(params=START, learning_rate=0.1, epochs=5, record="layers")
    history = run.history
    assert history.leaf_names == ["affine1/bias", "affine1/weights"]
    for field in LAYER_FIELDS:
        assert history.layers[field].shape == (5, 2)
        whole = history.steps[field.removeprefix("layer_")]
        np.testing.assert_allclose(np.linalg.norm(history.layers[field], axis=1), whole)
    residual = X @ [0.5, -0.4, 0.1] + 0.2 - Y
    first = [abs(2 * residual.mean()), np.linalg.norm(2 * X.T @ residual / N)]
    np.testing.assert_allclose(history.layer_gradient_norm[0], first, rtol=1e-10)
    np.testing.assert_allclose(history.layer_update_norm[0], 0.1 * np.array(first), rtol=1e-10)
    start = [0.2, np.linalg.norm([0.5, -0.4, 0.1])]
    np.testing.assert_allclose(history.layer_parameter_norm[0], start, rtol=1e-12)
    assert fit(epochs=1).history.layers == {}


@pytest.mark.parametrize(("wide", "kind"), [(True, np.float64), (False, np.float32)])
def test_everything_has_the_precision_that_jax_is_set_to(wide, kind):
    with jax.enable_x64(wide):
        run = fit(learning_rate=0.1, epochs=2, params=START)
    arrays = [*jax.tree.leaves(run.params), *run.history.steps.values()]
    arrays += [*run.history.epochs.values(), run.final.arrays["params/affine1/weights"]]
    assert {array.dtype for array in arrays} == {np.dtype(kind)}


# How often the loop is compiled


@pytest.mark.parametrize(
    "groups",
    [
        # All of them share one program, and the runs of a group differ in how they end.
        {
            "learning_rate": [{"learning_rate": 0.01 * i} for i in range(1, 11)],
            "patience": [
                *({"patience": 2}, {"patience": 3.5}, {"gradient_tolerance": 0.1}, {"seed": 9}, {})
            ],
            "epochs": [{"epochs": 1}, {"epochs": 7}, {"steps": 4, "epochs": None}],
            "params": [{"params": START}, {"params": jax.tree.map(np.zeros_like, START)}],
        },
        {"schedule": [{"learning_rate": CosineDecay(0.1, s, f)} for s, f in ((5, 0.0), (9, 0.1))]},
        {"l2": [{"l2": 0.1}, {"l2": 3}, {"l2": 1e-4}]},
        {"optimizer": [{"optimizer": Momentum(0.1, momentum=m)} for m in (0.5, 0.9)]},
    ],
    ids=",".join,
)
def test_other_numbers_run_in_the_program_already_compiled(groups):
    # A loss of its own, so that no other test has compiled the program before.
    def loss(prediction, target):
        return jnp.square(prediction[:, 0] - target)

    before = loop.traces["advance"]
    for name, runs in groups.items():
        results = [fit(loss=loss, **{"epochs": 3, **options}) for options in runs]
        ends = {weights(run).tobytes() for run in results}
        if name not in ("params", "patience"):
            assert len(ends) == len(runs)
    assert loop.traces["advance"] - before == 1


# The learning rate chosen by trying


def noisy():
    draw = np.random.default_rng(1)
    x = draw.normal(size=(256, 4))
    return x, x @ [1.0, 2.0, -1.0, 0.5] + 0.5 * draw.normal(size=256)


@pytest.mark.parametrize("optimizer", [SGD(), Momentum(), Adam()], ids=lambda o: type(o).__name__)
def test_the_rate_chosen_is_about_as_good_as_the_best_of_a_grid(optimizer):
    x, y = noisy()
    run = functools.partial(
        train,
        Linear(4),
        "squared_error",
        (x, y),
        batch_size=32,
        epochs=20,
        optimizer=optimizer,
    )

    def loss_after(result):
        return np.mean((result.predict(x) - y) ** 2)

    chosen = run(learning_rate="auto")
    grid = [run(learning_rate=10.0**e) for e in (-4, -3, -2, -1, 0)]
    best = min(loss_after(r) for r in grid if r.stop.reason == "epochs")
    assert loss_after(chosen) < 1.5 * best
    found = chosen.range_test
    assert found.learning_rate == chosen.learning_rate == chosen.optimizer.learning_rate
    assert len(found.rates) == len(found.losses) > 5
    assert len(found.trials) == 5
    again = run(learning_rate="auto")
    identical(again, chosen)
    identical(run(learning_rate=found.learning_rate), chosen)
    assert chosen.steps == 160


def test_the_rate_is_chosen_by_the_validation_loss_where_there_is_one():
    found = fit(validation=HALF_WAY, patience=1, learning_rate="auto", epochs=20).range_test
    after = {}
    for rate in found.trials:
        run = fit(validation=HALF_WAY, patience=1e9, learning_rate=rate, epochs=TRIAL_STEPS)
        # The tries look five times over their last steps; an epoch is a step here.
        looks = run.history.validation_loss[TRIAL_STEPS - 41 :: 10]
        after[rate] = looks.mean() if run.stop.reason == "epochs" else np.inf
    np.testing.assert_allclose(list(found.trials.values()), list(after.values()), rtol=1e-5)
    assert 0.5 < found.learning_rate / min(found.trials, key=found.trials.get) <= 1


def test_a_run_with_a_chosen_rate_goes_on_with_that_rate():
    kept = []
    whole = fit_in_batches(
        learning_rate="auto",
        epochs=30,
        keep=lambda snapshot, rate: kept.append((snapshot, rate)),
        keep_every=0,
    )
    snapshot, rate = kept[0]
    assert rate == whole.learning_rate
    resumed = fit_in_batches(learning_rate="auto", epochs=30, resume=snapshot)
    identical(resumed, whole)
    assert resumed.range_test is None


def test_a_schedule_keeps_its_shape_from_the_rate_chosen():
    run = fit_in_batches(optimizer=SGD(CosineDecay(0.1, steps=9)), learning_rate="auto", epochs=4)
    found = run.range_test.learning_rate
    expected = [float(CosineDecay(found, steps=9)(step)) for step in range(12)]
    np.testing.assert_allclose(run.history.learning_rate, expected, rtol=1e-5, atol=1e-9)


def test_no_rate_is_found_where_the_loss_is_never_finite():
    with pytest.raises(FalllineError, match="not a finite number at the start, whatever the"):
        train(cliff, params=9.0, optimizer="sgd", learning_rate="auto")


# Sentences


def nan_at(array, row):
    array = np.array(array, float)
    array[row] = np.nan
    return array


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"data": None}, r"Training data must be \(X, y\) or \(X, y, weights\)"),
        ({"data": (X,)}, r"must be \(X, y\) or"),
        ({"data": (X, Y[:-1])}, "X has 40 rows and y 39; they must have the same"),
        ({"data": (X, Y, np.ones(3))}, "X has 40 rows and the weights 3"),
        ({"data": (X, Y, np.ones((N, 1)))}, "weights one number for each"),
        ({"data": (1.0, Y)}, "X needs a row for each example"),
        ({"data": (X, 1.0)}, "X has 40 rows and y none"),
        ({"data": (X[:0], Y[:0])}, "no rows to train on"),
        ({"data": ([[1, 2, 3], [4]], [1, 2])}, "arrays of numbers, with rows of one length"),
        ({"data": (np.full((N, D), "a"), Y)}, "arrays of numbers; one of them holds <U1"),
        ({"data": (X.astype(complex), Y)}, "arrays of numbers; one of them holds complex128"),
        ({"data": (nan_at(X, 7), Y)}, "X must hold finite numbers; row 7 does not"),
        ({"data": (X, nan_at(Y, 39))}, "y must hold finite numbers; row 39 does not"),
        ({"data": (X, Y, nan_at(Y, 2))}, "The weights must hold finite numbers; row 2 does not"),
        ({"data": (X * 1e100, Y)}, "X must hold finite numbers; row 0 does not"),
        ({"data": (X, Y, -np.ones(N))}, "Weights must not be negative, and not all of them 0"),
        ({"data": (X, Y, np.zeros(N))}, "Weights must not be negative, and not all of them 0"),
        ({"data": (X[:, :2], Y)}, "takes 3 inputs an example; it was given 2"),
        ({"data": (X, np.ones((N, 2)))}, r"predictions have shape \(40, 1\) and the targets"),
        ({"loss": None}, "A model needs a loss: name one"),
        ({"loss": "square_error"}, "no loss called 'square_error': did you mean 'squared_error'"),
        ({"loss": 3}, "A loss must be a name or a function; it was given 3"),
        ({"loss": lambda z, t: jnp.mean(z[:, 0] - t)}, r"one number an example.* gave shape \(\)"),
        ({"loss": lambda z, t: z - t[:, None]}, r"one number an example.* gave shape \(40, 1\)"),
        ({"loss": lambda z, t: z - t}, r"one number an example.* gave shape \(40, 40\)"),
        ({"validation": 1.0}, "share must be at least 0 and below 1; it was given 1"),
        ({"validation": -0.2}, "share must be at least 0 and below 1; it was given -0.2"),
        ({"validation": float("nan")}, "share must be at least 0 and below 1; it was given nan"),
        ({"validation": "some"}, r"must be \(X, y\) or"),
        ({"validation": (X, Y[:-1])}, "X has 40 rows and y 39"),
        ({"data": (X[:1], Y[:1]), "validation": 0.5}, "1 row is too few to hold out"),
        ({"epochs": 0}, "The number of epochs must be a whole number above 0; it was given 0"),
        ({"epochs": 1.5}, "number of epochs must be a whole number above 0; it was given 1.5"),
        ({"steps": -3}, "The number of steps must be a whole number above 0; it was given -3"),
        ({"patience": 0}, "The patience must be a number above 0; it was given 0"),
        ({"l1": -1}, "The penalty l1 must be a number of 0 or more; it was given -1"),
        ({"l2": "0.1"}, "The penalty l2 must be a number of 0 or more; it was given '0.1'"),
        ({"gradient_tolerance": -1}, "The gradient tolerance must be a number of 0 or more"),
        ({"slope_tolerance": "low"}, "The slope tolerance must be a number of 0 or more"),
        ({"time_budget": 0}, "The time budget must be a number above 0; it was given 0"),
        ({"seed": 1.5}, "The seed must be a whole number; it was given 1.5"),
        ({"seed": None}, "The seed must be a whole number; it was given None"),
        ({"record": "all"}, "record must be 'steps' or 'layers'; it was given 'all'"),
        ({"batch_size": 0}, "batch size must be 'auto', 'full' or a whole number"),
        ({"optimizer": "adm"}, "no optimizer called 'adm': did you mean 'adam'"),
        ({"optimizer": 3}, "must be one of fallline.optimizers, or its name"),
        ({"learning_rate": -1.0}, "SGD needs learning_rate at least 0; it was given -1"),
        ({"learning_rate": "fast"}, "must be a number or a schedule; it was given 'fast'"),
        ({"params": {"w": 1.0}}, r"do not fit the model, which has .*affine1/weights.*\(3, 1\)"),
        ({"model": "linear"}, "needs a model of fallline.models or a function; it was given"),
        ({"model": bowl}, "An objective of your own needs params="),
    ],
)
def test_what_does_not_fit_together_is_told_in_a_sentence(options, sentence):
    asked = {"model": Linear(D), "loss": "squared_error", "data": (X, Y), "batch_size": "full"}
    with pytest.raises(FalllineError, match=sentence):
        train(**{**asked, "optimizer": "sgd", "epochs": 2, **options})


@pytest.mark.parametrize(
    ("function", "data", "sentence"),
    [
        (lambda p, b: p**2, None, r"must give one number; it gave an array of shape \(2,\)"),
        (bowl, {"a": X, "b": Y[:-1]}, "must have the same rows"),
        (bowl, ["x"], "arrays of numbers; one of them holds <U1"),
    ],
)
def test_an_objective_that_does_not_fit_is_told_in_a_sentence(function, data, sentence):
    with pytest.raises(FalllineError, match=sentence):
        train(function, data=data, params=np.ones(2), steps=1)


@pytest.mark.parametrize(("label", "row"), [(3, 5), (-1, 2), (0.5, 39)])
@pytest.mark.parametrize("shape", [(N,), (N, 1)])
def test_a_class_that_the_model_does_not_have_is_told_with_its_row(label, row, shape):
    y = CLASSES.astype(float)
    y[row] = label
    with pytest.raises(FalllineError, match=f"takes the classes 0 to 2; row {row} of y holds"):
        train(Linear(D, 3), "softmax_cross_entropy", (X, y.reshape(shape)))


def test_rows_of_probabilities_are_targets_too():
    one_hot = np.eye(3)[CLASSES]
    options = {"optimizer": "sgd", "epochs": 3, "batch_size": "full"}
    soft = train(Linear(D, 3), "softmax_cross_entropy", (X, one_hot), **options)
    hard = train(Linear(D, 3), "softmax_cross_entropy", (X, CLASSES), **options)
    np.testing.assert_allclose(soft.history.loss, hard.history.loss, rtol=1e-6)
