from __future__ import annotations

import functools
import json
import math
import os
import signal
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest

import fallline
from fallline import minimize, sweep, terrains, train, tuning
from fallline.descent import loop, minimize_jobs, sweep_jobs
from fallline.errors import FalllineError
from fallline.models import MLP, Linear
from fallline.optimizers import (
    EMA,
    OPTIMIZERS,
    SGD,
    Adam,
    ClipByGlobalNorm,
    Momentum,
    PolyakAverage,
)
from fallline.schedules import CosineDecay, ReduceOnPlateau, WarmUp

N, D = 26, 3
DRAW = np.random.default_rng(5)
X = DRAW.normal(size=(N, D)).astype(np.float32)
Y = (X @ [1.0, -2.0, 0.5] + 0.3).astype(np.float32)
CLASSES = np.argmax(X, axis=1)
WEIGHTS = DRAW.uniform(0.1, 2.0, N).astype(np.float32)
HELD = (DRAW.normal(size=(9, D)).astype(np.float32), DRAW.normal(size=9).astype(np.float32))


def line(model=Linear(D), loss="squared_error", data=(X, Y), **options):  # noqa: B008
    """A linear model in four steps an epoch, the last of two rows."""
    options = {"optimizers": "sgd", "batch_sizes": 8, "epochs": 4, "seeds": 1, **options}
    return sweep(model, loss, data, **options)


def same_as_one_by_one(result, model, loss, data, **options) -> int:
    """Check every run of a sweep against `fallline.train`; how many there were."""
    rows = result.runs.to_dicts()
    for place, row in enumerate(rows):
        penalties = {name: row[name] for name in ("l1", "l2") if row.get(name) is not None}
        run = train(
            model,
            loss,
            data,
            optimizer=result.optimizer(row),
            seed=row["seed"],
            batch_size=row["batch_size"],
            patience=math.inf,
            **penalties,
            **options,
        )
        losses = run.history.loss
        curve = result.curves[place][: len(losses)]
        np.testing.assert_allclose(curve, losses, rtol=2e-4, atol=1e-6)
        assert row["steps"] == run.steps
        assert row["training_loss"] == pytest.approx(
            run.history.training_loss[-1], rel=2e-4, abs=1e-6
        )
        if result.measure == "validation_loss":
            ends = run.history.validation_loss
            np.testing.assert_allclose(result.validation_curves[place], ends, rtol=2e-4)
            assert row["validation_loss"] == pytest.approx(ends[-1], rel=2e-4)
        else:
            # Without validation rows a run's parameters are those it ended with.
            for made, ended in (
                (result.params(row, row["seed"]), run.params),
                (result.state(row, row["seed"]), run.state),
            ):
                jax.tree.map(
                    functools.partial(np.testing.assert_allclose, rtol=2e-3, atol=2e-5), made, ended
                )
    return len(rows)


# --- equal to the same runs one by one -----------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_equals_train(name):
    result = line(optimizers=name, learning_rate=0.02, epochs=3)
    assert same_as_one_by_one(result, Linear(D), "squared_error", (X, Y), epochs=3) == 1


@pytest.mark.parametrize(
    ("optimizer", "varied"),
    [
        (
            Adam(0.05),
            {
                "beta1": [0.5, 0.9],
                "beta2": [0.9],
                "l1": [0.0, 0.1],
                "l2": [0.3],
                "decay": [0.5, 1.0],
            },
        ),
        (
            EMA(ClipByGlobalNorm(Momentum(WarmUp(CosineDecay(0.1, 12), 4)), 1.0), 0.9),
            {"learning_rate": [0.1], "momentum": [0.0, 0.9], "final": [0.5], "limit": [0.1, 10.0]},
        ),
        (PolyakAverage(SGD(ReduceOnPlateau(0.5, patience=1))), {"learning_rate": [0.01, 0.5]}),
    ],
    ids=["betas, penalties, decay", "wrapped, with a schedule", "averaged, with plateaus"],
)
def test_side_by_side_equals_one_by_one(optimizer, varied):
    result = line(optimizers=optimizer, seeds=2, **varied)
    expected = 2 * math.prod(map(len, varied.values()))
    assert same_as_one_by_one(result, Linear(D), "squared_error", (X, Y), epochs=4) == expected
    # The settings are not all one: each made a run of its own.
    assert result.runs["training_loss"].n_unique() == expected


def test_a_network_with_dropout_and_batch_norm():
    model = MLP(D, (4,), 3, batch_norm=True, dropout=0.25)
    data = (X, CLASSES)
    result = line(
        model,
        "softmax_cross_entropy",
        data,
        optimizers="adam",
        learning_rate=[0.01, 0.1],
        seeds=[3, 8],
    )
    assert result.seeds == (3, 8)
    assert same_as_one_by_one(result, model, "softmax_cross_entropy", data, epochs=4) == 4


def test_networks_side_by_side_as_on_a_gpu(monkeypatch):
    monkeypatch.setattr(sweep_jobs, "_together", lambda problem, size, on_cpu: size)
    monkeypatch.setattr(sweep_jobs.os, "cpu_count", lambda: 1)
    model, data, loss = MLP(D, (4,), 3, dropout=0.25), (X, CLASSES), "softmax_cross_entropy"
    result = line(model, loss, data, learning_rate=[0.01, 0.1], seeds=[3])
    assert same_as_one_by_one(result, model, loss, data, epochs=4) == 2


def test_sample_weights_and_the_full_batch():
    data = (X, Y, WEIGHTS)
    result = line(data=data, batch_sizes="full", epochs=9, learning_rate=[0.01, 0.1])
    assert result.runs["batch_size"].to_list() == [N, N]
    assert same_as_one_by_one(result, Linear(D), "squared_error", data, epochs=9) == 2
    result = line(data=data, learning_rate=[0.01, 0.1])
    assert same_as_one_by_one(result, Linear(D), "squared_error", data, epochs=4) == 2


def test_batch_sizes_are_an_outer_loop():
    result = line(batch_sizes=[5, 26], learning_rate=[0.01, 0.1], steps=12, epochs=None)
    assert result.runs["batch_size"].to_list() == [5, 5, 26, 26]
    assert result.runs["steps"].to_list() == [12] * 4
    assert same_as_one_by_one(result, Linear(D), "squared_error", (X, Y), steps=12) == 4
    assert result.best_per("batch_size").height == 2


def test_validation_rows_and_no_run_stops_before_another():
    # Five epochs would be out of patience: the held-out targets are noise.
    epochs = 14
    result = line(validation=HELD, epochs=epochs, learning_rate=[0.001, 0.2], seeds=2)
    assert result.measure == "validation_loss"
    assert result.validation_curves.shape == (4, epochs)
    options = {"validation": HELD, "epochs": epochs}
    assert same_as_one_by_one(result, Linear(D), "squared_error", (X, Y), **options) == 4
    best = result.validation_curves_of(result.best)
    assert np.median(best[:, -1]) == pytest.approx(result.best["median"])
    assert result.best["median"] == result.settings["median"].min()


def test_a_share_of_the_rows_is_the_same_for_all_seeds():
    result = line(validation=0.25, learning_rate=[0.01, 0.1], seeds=[4, 5])
    (first,) = {part.batch_size for part in result.parts}
    assert first == 8
    only = line(validation=0.25, learning_rate=[0.01, 0.1], seeds=[4])
    options = {"validation": 0.25, "epochs": 4}
    assert same_as_one_by_one(only, Linear(D), "squared_error", (X, Y), **options) == 2
    both = result.runs.filter(pl.col("seed") == 4)["validation_loss"]
    np.testing.assert_allclose(both, only.runs["validation_loss"], rtol=1e-5)


def quadratic(params, batch):
    x, y = batch
    return jnp.mean((x @ params["w"] - y) ** 2)


@pytest.mark.parametrize("size", ["full", 8])
def test_an_objective_of_the_users_own(size):
    start = {"w": np.zeros(D, np.float32)}
    settings = {"learning_rate": [0.01, 0.1], "l2": [0.0, 0.5]}
    result = line(quadratic, None, (X, Y), params=start, batch_sizes=size, **settings)
    expected = {"params": start, "epochs": 4}
    assert same_as_one_by_one(result, quadratic, None, (X, Y), **expected) == 4


def test_an_objective_without_data():
    start = np.array([3.0, -2.0], np.float32)
    result = sweep(
        lambda w: jnp.sum(w**2),
        params=start,
        optimizers="sgd",
        learning_rate=0.1,
        steps=10,
        seeds=1,
    )
    np.testing.assert_allclose(result.params(), start * 0.8**10, rtol=1e-5)


def test_in_double_precision(x64):
    result = line(data=(X.astype(float), Y.astype(float)), learning_rate=[0.01, 0.1])
    run = train(
        Linear(D),
        "squared_error",
        (X.astype(float), Y.astype(float)),
        optimizer=SGD(0.1),
        batch_size=8,
        epochs=4,
    )
    row = result.settings.filter(pl.col("learning_rate") == 0.1).to_dicts()[0]
    weights = result.params(row)["affine1"]["weights"]
    assert weights.dtype == np.float64
    np.testing.assert_allclose(weights, run.params["affine1"]["weights"], rtol=1e-12)


# --- chunks, programs, devices -------------------------------------------------------------------

RATES = [0.01, 0.02, 0.03, 0.05, 0.1]


@pytest.mark.parametrize(
    ("share", "side_by_side", "cores"),
    [(1e-12, 4096, 1), (0.25, 6, 1), (0.25, 4096, 3), (0.25, 1, 2)],
)
def test_chunks_of_any_size_give_the_same(monkeypatch, share, side_by_side, cores):
    expected = line(learning_rate=RATES, seeds=2)
    monkeypatch.setattr(sweep_jobs, "MEMORY_SHARE", share)
    monkeypatch.setattr(tuning, "SIDE_BY_SIDE", side_by_side)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    result = line(learning_rate=RATES, seeds=2)
    np.testing.assert_allclose(result.curves, expected.curves, rtol=1e-5)
    for row in result.settings.to_dicts():
        for seed in result.seeds:
            jax.tree.map(
                functools.partial(np.testing.assert_allclose, rtol=1e-4),
                result.params(row, seed),
                expected.params(row, seed),
            )


@pytest.mark.parametrize(
    ("model", "sizes"), [(Linear(D), [8, 5]), (MLP(D, (2,)), [8])], ids=["linear", "network"]
)
def test_one_program_for_an_optimizer_and_a_batch_size(model, sizes):
    # No other test has 25 rows, so nothing is compiled yet; the programs of other tests stay.
    options = {"data": (X[:25], Y[:25]), "optimizers": "sgd,momentum", "batch_sizes": sizes}
    options["learning_rate"] = RATES
    before, programs = loop.traces["advance"], 2 * len(sizes)
    line(model, **options, momentum=[0.5, 0.7, 0.9], l2=[0.0, 0.1], seeds=3)
    assert loop.traces["advance"] - before == programs
    line(model, **options, momentum=[0.5, 0.6, 0.8], l2=[0.2, 0.3], seeds=3)
    assert loop.traces["advance"] - before == programs


def test_on_several_devices():
    script = f"""
import jax, json, numpy as np, fallline
from fallline.models import Linear
x, y = np.array({X.tolist()}, np.float32), np.array({Y.tolist()}, np.float32)
result = fallline.sweep(
    Linear({D}), "squared_error", (x, y), optimizers="sgd", learning_rate={RATES}, batch_sizes=8,
    epochs=4, seeds=2,
)
print(json.dumps([len(jax.devices()), result.runs["training_loss"].to_list()]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={
            **os.environ,
            "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
            "JAX_PLATFORMS": "cpu",
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    devices, losses = json.loads(done.stdout)
    assert (len(jax.devices()), devices) == (1, 2)
    here = line(learning_rate=RATES, seeds=2)
    np.testing.assert_allclose(losses, here.runs["training_loss"], rtol=1e-5)


# --- what is best, and what diverged -------------------------------------------------------------


def test_the_best_is_by_the_median_of_the_seeds():
    result = line(learning_rate="0.001:0.1:3", seeds=5, optimizers="sgd,adam")
    for row in result.settings.to_dicts():
        mine = result.runs.filter(
            (pl.col("optimizer") == row["optimizer"])
            & (pl.col("learning_rate") == row["learning_rate"])
        )["training_loss"].to_numpy()
        assert len(mine) == row["seeds"] == 5
        assert row["median"] == pytest.approx(np.median(mine))
        low, high = np.quantile(mine, [0.25, 0.75])
        assert (row["low"], row["high"]) == pytest.approx((low, high))
        assert result.curves_of(row).shape == (5, result.curves.shape[1])
    assert result.settings["median"].is_sorted()
    assert result.best == result.settings.row(0, named=True)
    per = result.best_per()
    assert per["optimizer"].to_list() == ["sgd", "adam"]
    for row in per.to_dicts():
        mine = result.settings.filter(pl.col("optimizer") == row["optimizer"])
        assert row["median"] == mine["median"].min()
    assert result.optimizer() == SGD(0.1)
    text = str(result)
    assert text.startswith("6 settings from 5 seeds in ")
    assert "best by training_loss: optimizer sgd, batch_size 8, learning_rate 0.1 with " in text
    assert text.endswith("at the edge of what was tried of learning_rate: widen it.")


def test_at_the_edge_only_if_something_lies_on_the_other_side():
    result = line(learning_rate=[0.001, 0.02, 0.1], l2=[0.0, 0.1], optimizers="sgd")
    rows = {row["learning_rate"]: row for row in result.settings.to_dicts()}
    assert result.at_edge(rows[0.001]) == ["learning_rate"]
    assert result.at_edge(rows[0.02]) == []
    assert result.at_edge(rows[0.1]) == ["learning_rate"]


def test_what_blows_up_or_grows_is_marked():
    # A step along the steepest direction multiplies the loss by (1 - rate * curvature)^2.
    rates = [0.05, 1.5, 1e6]
    result = line(learning_rate=rates, batch_sizes="full", epochs=6, seeds=2)
    for row in result.settings.to_dicts():
        bad = row["learning_rate"] > 1
        assert row["diverged"] == (2 if bad else 0)
        assert math.isfinite(row["median"]) != bad
        assert math.isfinite(row["high"]) != bad
    grown = result.runs.filter(pl.col("learning_rate") == 1.5)["training_loss"]
    assert grown.is_finite().all()
    assert result.best["learning_rate"] == 0.05
    none = line(learning_rate=[1e6, 1e7], epochs=20)
    assert none.best["median"] == math.inf
    assert str(none) == "2 settings, and every one diverged: try lower learning rates."


def test_of_equals_the_soonest_is_best():
    bowl = terrains.by_name("sphere")
    result = sweep(bowl, optimizers="sgd", learning_rate=[0.05, 0.45, 0.3], seeds=1, steps=3000)
    assert result.settings["median"].n_unique() == 1
    assert result.settings["learning_rate"].to_list() == [0.45, 0.3, 0.05]


def test_a_heat_map_is_the_best_of_everything_else():
    options = {"learning_rate": [0.05, 0.01, 2.0], "momentum": [0.0, 0.5], "l2": [0.0, 0.2]}
    result = line(optimizers="momentum,sgd", seeds=2, **options)
    found = result.heat_map()
    assert found.names == ("learning_rate", "momentum", "training_loss")
    assert found.x.tolist() == [0.01, 0.05, 2.0]
    assert found.y.tolist() == [0.0, 0.5]
    for i, momentum in enumerate(found.y):
        for j, rate in enumerate(found.x):
            mine = result.settings.filter(
                (pl.col("momentum") == momentum) & (pl.col("learning_rate") == rate)
            )["median"]
            assert found.diverged[i, j] == (rate == 2.0)
            expected = math.nan if rate == 2.0 else mine.min()
            np.testing.assert_equal(found.values[i, j], expected)
    by_kind = result.heat_map(y="optimizer")
    assert by_kind.y.tolist() == ["momentum", "sgd"]
    only = result.heat_map(y="l2", optimizer="sgd")
    assert only.values.shape == (2, 3)
    with pytest.raises(FalllineError, match="did not vary 'momentun': did you mean 'momentum'"):
        result.heat_map(y="momentun")
    with pytest.raises(FalllineError, match="No optimizer .* with both learning_rate and momentum"):
        result.heat_map(optimizer="sgd")


def test_what_a_result_is_asked_for_must_be_in_it():
    result = line(learning_rate=[0.01, 0.1], seeds=[3])
    other = {**result.best, "learning_rate": 0.7}
    for ask in (result.optimizer, result.params, result.curves_of):
        with pytest.raises(FalllineError, match="no such setting"):
            ask(other)
    with pytest.raises(FalllineError, match="no finished run from seed 0, only from 3"):
        result.params(seed=0)
    with pytest.raises(FalllineError, match="no validation rows"):
        result.validation_curves_of(result.best)
    alone = sweep(terrains.by_name("sphere"), optimizers="sgd", steps=5, seeds=1)
    with pytest.raises(FalllineError, match="keeps no parameters"):
        alone.params()


# --- functions alone -----------------------------------------------------------------------------


def balls_one_by_one(result, f, **options):
    """The median value that `fallline.minimize` ends at, for every run of a sweep."""
    found = []
    for row in result.runs.to_dicts():
        run = minimize(
            f,
            optimizer=result.optimizer(row),
            seed=row["seed"],
            tolerance=0.0,
            steps=row["steps"],
            **options,
        )
        found.append(np.median(run.fun))
    return np.array(found)


def test_a_terrain_with_many_starts():
    bowl = terrains.by_name("himmelblau")
    result = sweep(
        bowl, optimizers="sgd,adam", learning_rate=[0.001, 0.01], starts=20, steps=60, seeds=2
    )
    assert result.measure == "value"
    assert result.runs.height == 8
    expected = balls_one_by_one(result, bowl, starts=20)
    np.testing.assert_allclose(result.runs["value"], expected, rtol=1e-4, atol=1e-6)
    assert "batch_size" not in result.runs.columns


def test_a_function_with_x0_and_its_curve_by_hand():
    # On a parabola of curvature 2 a step multiplies x by 1 - 2 * rate, the value by its square.
    rates = np.array([0.1, 0.4])
    result = sweep(
        lambda x: jnp.sum(x**2), x0=np.array([1.0, 2.0]), optimizers="sgd", learning_rate=rates,
        steps=10, seeds=1,
    )  # fmt: skip
    steps = np.arange(10)
    expected = 5.0 * (1 - 2 * rates[:, None]) ** (2 * steps)
    np.testing.assert_allclose(result.curves, expected, rtol=1e-4, atol=1e-12)
    np.testing.assert_allclose(
        result.runs["value"], 5.0 * (1 - 2 * rates) ** 20, rtol=1e-4, atol=1e-12
    )


def test_decay_of_a_function_alone_is_a_factor_a_step():
    result = sweep(lambda x: x**2, x0=1.0, optimizers=SGD(0.25), decay=[0.5], steps=3, seeds=1)
    expected = np.prod([1 - 0.5, 1 - 0.25, 1 - 0.125]) ** 2
    assert result.best["median"] == pytest.approx(expected, rel=1e-5)


def test_a_function_that_jax_cannot_trace():
    def f(x):
        return float(np.sum(np.asarray(x, dtype=np.float64) ** 2)) if x[0] < 9 else 0.0

    rates = [0.1, 0.4]
    result = sweep(f, x0=[1.0, 2.0], optimizers="sgd", learning_rate=rates, steps=5, seeds=1)
    expected = [5.0 * (1 - 2 * rate) ** 10 for rate in rates]
    # In double precision, as minimize does it.
    np.testing.assert_allclose(result.runs["value"], expected, rtol=1e-7)


def test_noise_is_drawn_by_the_seed():
    options = {"optimizers": "sgd", "learning_rate": [0.05, 0.1], "steps": 50, "seeds": 3}
    quiet = sweep(lambda x: x**2, x0=1.0, **options)
    noisy = sweep(lambda x: x**2, x0=1.0, noise=1.0, **options)
    again = sweep(lambda x: x**2, x0=1.0, noise=1.0, **options)
    assert quiet.runs["value"].n_unique() == 2
    assert noisy.runs["value"].n_unique() == 6
    assert noisy.runs["value"].to_list() == again.runs["value"].to_list()
    first = noisy.runs.filter(pl.col("learning_rate") == 0.05).row(0, named=True)
    alone = minimize(
        lambda x: x**2,
        1.0,
        SGD(0.05),
        noise=1.0,
        steps=50,
        tolerance=0.0,
        seed=0,
        starts=np.ones(1),
    )
    assert first["value"] == pytest.approx(float(alone.fun[0]), rel=1e-3)


def test_a_ball_that_is_at_rest_or_has_left_keeps_its_value():
    result = sweep(
        lambda x: x**4, x0=1.0, optimizers="sgd", learning_rate=[0.0, 0.1, 100.0], steps=40, seeds=2
    )
    values = dict(zip(result.runs["learning_rate"], result.curves, strict=False))
    np.testing.assert_array_equal(values[0.0], 1.0)
    assert np.isfinite(values[0.1]).all()
    assert values[100.0][-1] == math.inf
    assert result.settings["diverged"].to_list() == [0, 0, 2]
    # Already at the minimum: nothing moves, and nothing has diverged.
    still = sweep(
        lambda x: x**2, x0=0.0, optimizers="sgd", learning_rate=[0.1, 0.2], steps=9, seeds=1
    )
    np.testing.assert_array_equal(still.curves, 0.0)
    assert still.settings["diverged"].to_list() == [0, 0]


def test_settings_of_a_function_are_cut_to_fit_the_memory(monkeypatch):
    def run(free):
        monkeypatch.setattr(minimize_jobs, "free_memory", lambda: free)
        return sweep(
            terrains.by_name("himmelblau"), optimizers="sgd", learning_rate="1e-4:1e-2:7", starts=10,
            steps=30, seeds=2,
        )  # fmt: skip

    whole, parts = run(1e9), run(40_000)
    np.testing.assert_allclose(parts.curves, whole.curves, rtol=1e-5)
    with pytest.raises(FalllineError, match="10 starts of 2 numbers .* need about .* free"):
        run(1000)


# --- ending early --------------------------------------------------------------------------------


@pytest.mark.parametrize("alone", [False, True], ids=["data", "function"])
def test_a_callback_ends_a_sweep_and_what_is_finished_counts(alone):
    seen = []

    def enough(done, total):
        seen.append((done, total))
        return done >= 2

    options = {"optimizers": "sgd,momentum,adam", "learning_rate": [0.01, 0.02], "callback": enough}
    if alone:
        result = sweep(terrains.by_name("sphere"), seeds=2, steps=20, **options)
    else:
        result = line(seeds=2, **options)
    assert result.stopped == "interrupted"
    assert {total for _, total in seen} == {12}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert 0 < result.runs.height < 12
    assert result.runs["optimizer"].unique().to_list() == ["sgd"]
    whole = []
    line(seeds=2, learning_rate=[0.01, 0.02], callback=lambda *told: whole.append(told))
    assert whole[-1] == pytest.approx((4, 4))


def test_a_time_budget_ends_a_sweep_and_what_is_finished_counts():
    def slow(done, total):
        time.sleep(0.01)

    result = line(
        optimizers={str(i): SGD() for i in range(50)},
        learning_rate=[0.01, 0.02],
        time_budget=1.5,
        callback=slow,
    )
    assert result.stopped == "time"
    assert 0 < result.runs.height < 100


@pytest.mark.parametrize("alone", [False, True], ids=["data", "function"])
def test_ctrl_c_ends_a_sweep_and_what_is_finished_counts(alone):
    sent = []

    def press(done, total):
        if done >= 2 and not sent:
            sent.append(os.kill(os.getpid(), signal.SIGINT))

    options = {"optimizers": "sgd,momentum,adam", "learning_rate": [0.01, 0.02], "callback": press}
    if alone:
        result = sweep(terrains.by_name("sphere"), seeds=1, steps=200, **options)
    else:
        result = line(**options, epochs=4)
    assert result.stopped == "interrupted"
    assert 2 <= result.runs.height < 6


def test_nothing_finished_is_a_sentence():
    with pytest.raises(FalllineError, match="ended before a single run was finished"):
        line(steps=100_000, epochs=None, callback=lambda done, total: True)


# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"learning_rate": []}, "at least one value of learning_rate; it was given none"),
        ({"learning_rate": "1:1e-4:5"}, "as low:high:count"),
        ({"learning_rate": [0.1, -2.0]}, "learning_rate at least 0; it was given -2"),
        ({"learning_rate": [0.1, math.nan]}, "must be finite numbers; one is nan"),
        ({"learning_rat": 0.1}, "hyper-parameter 'learning_rat': did you mean 'learning_rate'?"),
        ({"l2": [-1.0]}, "The penalty l2 must be a number of 0 or more; it was given -1.0"),
        ({"seeds": 0}, "The number of seeds must be a whole number above 0; it was given 0"),
        ({"seeds": 1.5}, "The number of seeds must be a whole number above 0; it was given 1.5"),
        ({"seeds": []}, "at least one seed; it was given none"),
        ({"seeds": ["a"]}, "Seeds must be whole numbers; they were given as ['a']"),
        ({"optimizers": "adm"}, "did you mean 'adam'?"),
        ({"optimizers": []}, "at least one optimizer"),
        ({"batch_sizes": 0}, "batch size must be 'auto', 'full' or a whole number from 1 up"),
        ({"batch_sizes": []}, "at least one batch size; it was given none"),
        ({"epochs": 0}, "The number of epochs must be a whole number above 0"),
        ({"time_budget": -1}, "The time budget must be a number above 0"),
        ({"x0": 1.0}, "x0, starts and noise belong to a function without data"),
        ({"starts": 10}, "x0, starts and noise belong to a function without data"),
        ({"model": 5}, "needs a model or a function; it was given 5"),
        ({"data": (X, Y[:3])}, "26"),
        ({"data": None}, "data"),
        ({"model": quadratic}, "needs params="),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value),
)
def test_mistakes_are_sentences(options, sentence):
    with pytest.raises(FalllineError) as caught:
        line(**options)
    assert sentence in str(caught.value)
    assert str(caught.value).rstrip("?").endswith(".") or str(caught.value).endswith("?")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"l1": 0.1}, "A function alone has no penalty l1; write it into the function"),
        ({"epochs": 3}, "A function alone has no epochs; give data=, or leave it out"),
        ({"validation": 0.2}, "A function alone has no validation"),
        ({"loss": "squared_error"}, "A function alone has no loss"),
        ({"batch_sizes": [4, 8]}, "A function alone has no batch_sizes"),
        ({"score": abs}, "A function alone has no score"),
        ({"steps": 0}, "The number of steps must be a whole number above 0"),
        ({"steps": 2.5}, "The number of steps must be a whole number above 0"),
        ({"starts": 0}, "The number of starts must be a whole number above 0"),
        ({"starts": 10**15}, "starts of 2 numbers"),
        ({"noise": -1.0}, "The noise must be a number of 0 or more"),
        ({"f": lambda x: x**2}, "a place to start"),
        ({"f": lambda x: x**2, "x0": math.inf}, "finite"),
        ({"f": lambda x: jnp.log(x), "x0": -1.0}, "nan at x0"),
        ({"learning_rate": []}, "at least one value"),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value),
)
def test_mistakes_with_a_function_are_sentences(options, sentence):
    options = {"f": terrains.by_name("sphere"), "optimizers": "sgd", "seeds": 1, **options}
    with pytest.raises(FalllineError) as caught:
        sweep(options.pop("f"), **options)
    assert sentence in str(caught.value)


def test_more_than_the_memory_holds_is_refused_before_anything_is_made(monkeypatch):
    with pytest.raises(
        FalllineError, match=r"30,000 runs of 1,000,000,000 steps needs about .* GB"
    ):
        line(learning_rate="1e-4:1:10000", steps=10**9, epochs=None, seeds=3)
    monkeypatch.setattr(sweep_jobs, "free_memory", lambda: 10_000.0)
    with pytest.raises(FalllineError, match="Take fewer settings, seeds or steps"):
        line(learning_rate=[0.1])


def test_the_public_name():
    assert fallline.sweep is sweep


def test_the_steps_of_a_curve_are_those_of_the_runs():
    terrain = fallline.terrains.by_name("sphere")
    result = fallline.sweep(
        terrain, optimizers="sgd", learning_rate=[0.01, 0.1], steps=1000, seeds=1
    )
    single = fallline.minimize(terrain, optimizer=result.optimizer(), steps=1000, tolerance=0)
    steps = result.curve_steps().astype(int)
    curve = result.curves_of(result.best)[0]
    assert steps.shape == curve.shape
    np.testing.assert_allclose(curve[:20], single.history.loss[steps[:20]], rtol=1e-4)
