from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

import fallline
from fallline import FalllineError, minimize, terrains
from fallline.descent import minimize_loop as loop
from fallline.optimizers import (
    EMA,
    OPTIMIZERS,
    SGD,
    Adam,
    ClipByGlobalNorm,
    Momentum,
    PolyakAverage,
    WeightDecay,
    from_optax,
)
from fallline.schedules import SCHEDULES, CosineDecay, ReduceOnPlateau

HIMMELBLAU = terrains.by_name("himmelblau")


def square(x):
    return jnp.sum(x**2)


def valley(x):
    return (x[0] - 1) ** 2 + 10 * (x[1] + 0.5) ** 2


RATES = {"adagrad": 0.5, "adadelta": 1.0, "lion": 0.01}
VARIANTS = {
    **{name: cls(RATES.get(name, 0.02)) for name, cls in OPTIMIZERS.items()},
    "ema": EMA(Adam(0.02), 0.9),
    "polyak average": PolyakAverage(SGD(0.02)),
    "clip": ClipByGlobalNorm(Momentum(0.01), limit=1.0),
    "decay": WeightDecay(SGD(0.02), 0.001),
    "schedule": SGD(CosineDecay(0.02, steps=200)),
    "optax": from_optax(optax.adam(0.02)),
    "optax counting finite ones": from_optax(optax.apply_if_finite(optax.sgd(0.02), 3)),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_ball_among_many_goes_the_way_it_goes_alone(name):
    starts = np.array([[3.0, 1.0], [-2.0, 0.7], [0.3, -2.0]], np.float32)
    options = {"optimizer": VARIANTS[name], "steps": 150, "tolerance": 1e-2}
    many = minimize(valley, starts=starts, records=150, path=True, **options)
    alone = minimize(valley, starts[1], path=True, **options)
    assert many.nit[1] == alone.nit
    assert many.nfev[1] == alone.nfev
    assert many.kind[1] == alone.kind
    np.testing.assert_allclose(many.x[1], alone.x, atol=2e-5)
    length = len(alone.recorded)
    np.testing.assert_allclose(many.history.loss[:length, 1], alone.history.loss, atol=1e-4)
    np.testing.assert_allclose(many.path[:length, 1], alone.path[:length], atol=2e-5)
    assert np.isnan(many.history.loss[length:, 1]).all()


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "rmsprop"])
def test_it_is_the_descent_that_training_does(name):
    optimizer = VARIANTS[name]
    start = np.array([3.0, 1.0], np.float32)
    run = fallline.train(valley, params=start, data=None, optimizer=optimizer, steps=120)
    result = minimize(valley, start, optimizer, steps=120, tolerance=0)
    assert len(run.history) == len(result.history) == 120
    for field in ("loss", "learning_rate", "gradient_norm", "update_norm", "parameter_norm"):
        theirs, ours = (getattr(h, field) for h in (run.history, result.history))
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6, err_msg=field)
    np.testing.assert_allclose(result.x, run.params, rtol=1e-5, atol=1e-6)


def test_plain_descent_by_hand():
    result = minimize(square, [1.0, -2.0], "sgd", learning_rate=0.25, steps=4, path=True)
    np.testing.assert_allclose(result.path, np.outer(0.5 ** np.arange(5), [1, -2]))
    np.testing.assert_allclose(result.history.loss, 5 * 0.25 ** np.arange(4), rtol=1e-6)
    np.testing.assert_allclose(result.history.gradient_norm, 2 * np.sqrt(result.history.loss))
    np.testing.assert_allclose(result.history.gradient_cosine[1:], 1, rtol=1e-6)
    assert np.isnan(result.history.gradient_cosine[0])
    assert result.nit == result.nfev == 4
    assert (result.status, result.success, result.kind) == (1, False, "moving")
    assert result.fun == pytest.approx(5 * 0.25**4)
    np.testing.assert_allclose(result.jac, 2 * result.x)


@settings(max_examples=20)
@given(
    spectrum=st.lists(st.floats(0.1, 5), min_size=4, max_size=4),
    centre=st.lists(st.floats(-3, 3), min_size=4, max_size=4),
    seed=st.integers(0, 2**31),
)
def test_random_quadratics_end_where_the_normal_equation_says(spectrum, centre, seed):
    """The matrix and the centre are arguments, so that all of them run in one compiled program."""
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(4, 4)))
    matrix = rotation @ np.diag(spectrum) @ rotation.T
    vector = matrix @ np.array(centre)
    result = minimize(
        quadratic,
        np.zeros(4),
        "nesterov",
        learning_rate=0.1,
        steps=20_000,
        precision="float64",
        records=50,
        args=(matrix, vector),
    )
    np.testing.assert_allclose(result.x, np.linalg.solve(matrix, vector), atol=2e-7)
    assert result.success
    assert result.status == 0
    np.testing.assert_allclose(result.eigenvalues, sorted(spectrum), rtol=1e-6)


def quadratic(x, matrix, vector):
    return 0.5 * x @ matrix @ x - vector @ x


def test_other_numbers_need_no_second_compilation():
    starts = np.random.default_rng(0).normal(size=(5, 4))
    matrix, vector = np.diag([1.0, 2.0, 3.0, 4.0]), np.ones(4)

    def run(rate, scale, seed):
        return minimize(
            quadratic,
            starts=starts + seed,
            optimizer=Adam(rate),
            args=(scale * matrix, scale * vector),
            steps=90,
            noise=0.1 + scale,
            tolerance=1e-3 * scale,
            seed=seed,
        )

    run(0.1, 1.0, 0)
    before = dict(loop.traces)
    for rate, scale, seed in ((0.2, 1.0, 0), (0.1, 3.0, 0), (0.1, 1.0, 5)):
        run(rate, scale, seed)
    assert loop.traces == before
    minimize(quadratic, starts=starts, optimizer=Momentum(0.1), args=(matrix, vector), steps=90)
    assert loop.traces != before


def test_fixed_arguments_are_part_of_the_program():
    def power(x, exponent, scale):
        return scale * jnp.sum(x**exponent)

    for exponent in (2, 4):
        result = minimize(
            power, [1.0], "sgd", learning_rate=0.1, steps=1, args=(exponent, np.array(2.0))
        )
        assert result.x[0] == pytest.approx(1 - 0.2 * exponent)
    alone = minimize(lambda x, a: (x - a) ** 2, 0.0, "sgd", learning_rate=0.5, args=np.array(3.0))
    assert alone.x == 3


def tree_of_shapes(p):
    w, (b, c) = p["w"], p["rest"]
    return jnp.sum((w - 1) ** 2) + (b - 2) ** 2 + jnp.sum((c + 1) ** 2)


def test_any_tree():
    x0 = {"w": np.ones((2, 3), int), "rest": (5, np.zeros(2))}
    result = minimize(tree_of_shapes, x0, "sgd", learning_rate=0.1)
    assert result.kind == "minimum"
    assert jax.tree.structure(result.x) == jax.tree.structure(x0)
    np.testing.assert_allclose(result.x["w"], np.ones((2, 3)), atol=1e-4)
    np.testing.assert_allclose(result.x["rest"][0], 2, atol=1e-4)
    assert result.jac["rest"][1].shape == (2,)
    starts = jax.tree.map(lambda leaf: np.stack([leaf] * 3), x0)
    many = minimize(tree_of_shapes, starts=starts, optimizer="sgd", learning_rate=0.1)
    assert many.x["w"].shape == (3, 2, 3)
    assert many.x["rest"][0].shape == (3,)
    np.testing.assert_allclose(many.x["rest"][0], result.x["rest"][0], rtol=1e-6)
    assert many.basins[0].x["w"].shape == (2, 3)


@pytest.mark.parametrize("x0", [[3, 4], (3, 4), np.array([3, 4]), jnp.array([3.0, 4.0])])
def test_lists_and_whole_numbers_are_vectors(x0):
    result = minimize(square, x0, "sgd", learning_rate=0.1)
    assert result.x.shape == (2,)
    assert result.success


def test_a_pair_of_arrays_stays_a_pair():
    result = minimize(
        lambda p: square(p[0]) + square(p[1] - 1),
        (np.ones(2), np.zeros(2)),
        "sgd",
        learning_rate=0.1,
    )
    assert isinstance(result.x, tuple)
    np.testing.assert_allclose(result.x[1], 1, atol=1e-4)


def test_more_coordinates_than_are_split():
    rng = np.random.default_rng(0)
    curvature = np.linspace(1, 5, 40)
    starts = {"a": rng.normal(size=(6, 4, 9)), "b": rng.normal(size=(6, 4))}
    assert sum(v[0].size for v in starts.values()) >= loop.SPLIT_BELOW

    def f(p):
        return 0.5 * jnp.sum(curvature * jnp.concatenate([jnp.ravel(p["a"]), p["b"]]) ** 2)

    many = minimize(f, starts=starts, optimizer="adam", learning_rate=0.1, steps=60)
    one = minimize(
        f, jax.tree.map(lambda leaf: leaf[4], starts), "adam", learning_rate=0.1, steps=60
    )
    np.testing.assert_allclose(many.x["a"][4], one.x["a"], atol=1e-5)
    assert many.nit[4] == one.nit


@pytest.mark.parametrize(
    "f",
    [
        lambda x: -jnp.linalg.slogdet(jnp.eye(2) + 0.1 * jnp.outer(x, x))[1] + square(x),
        lambda x: jnp.sum((jnp.array([[2.0, 1.0], [0.0, 1.0]]) @ x) ** 2),
        lambda x: jnp.where(x[0] > 0, x[0] ** 2, 3 * x[0] ** 2) + x[1] ** 2,
        lambda x: square(lax.fori_loop(0, 5, lambda i, v: 0.9 * v, x)),
        lambda x: square(lax.scan(lambda c, _: (0.9 * c, None), x, None, length=3)[0]),
    ],
    ids=["linalg", "matmul", "where", "fori_loop", "scan"],
)
def test_functions_with_more_than_arithmetic(f):
    many = minimize(f, starts=[[1.0, 0.5], [-1.0, 2.0]], optimizer="sgd", learning_rate=0.1)
    assert (many.kind == "minimum").all()
    np.testing.assert_allclose(many.x, 0, atol=1e-4)


def test_the_steps_of_records_and_path():
    result = minimize(
        HIMMELBLAU,
        starts=7,
        optimizer=SGD(1e-3),
        steps=50,
        records=12,
        path=True,
        tolerance=0,
    )
    # 50 steps in at most 12 records: every fifth step.
    np.testing.assert_array_equal(result.recorded, np.arange(0, 50, 5))
    assert result.history.loss.shape == (10, 7)
    assert result.path.shape == (11, 7, 2)
    for i in range(10):
        values = HIMMELBLAU(jnp.asarray(result.path[i]))
        np.testing.assert_allclose(result.history.loss[i], values, rtol=1e-5)
    np.testing.assert_array_equal(result.path[-1], result.x)
    full = minimize(
        HIMMELBLAU, starts=7, optimizer=SGD(1e-3), steps=50, records=50, path=True, tolerance=0
    )
    np.testing.assert_allclose(full.path[:-1:5], result.path[:-1], rtol=1e-5)
    # 53 steps: the last record stands for three steps.
    odd = minimize(HIMMELBLAU, starts=7, optimizer=SGD(1e-3), steps=53, records=12, tolerance=0)
    np.testing.assert_array_equal(odd.recorded, np.arange(0, 53, 5))
    assert (odd.nit == 53).all()


def test_a_stopped_ball_has_no_more_history():
    result = minimize(
        square, starts=[[0.0, 0.0], [1.0, 1.0]], optimizer=SGD(0.1), records=1000, path=True
    )
    assert result.nit[0] == 0
    loss = result.history.loss
    assert np.isfinite(loss[0]).all()
    assert np.isnan(loss[1:, 0]).all()
    assert np.isfinite(loss[: result.nit[1] + 1, 1]).all()
    assert np.isnan(loss[result.nit[1] + 1 :, 1]).all()
    np.testing.assert_array_equal(result.path[:, 0], 0)


def test_tolerance_is_where_gradient_and_update_are_small():
    for tolerance in (1e-2, 1e-4):
        result = minimize(square, 1.0, "sgd", learning_rate=0.1, tolerance=tolerance)
        # |2 x| <= tolerance, x = 0.8^n; the update is a tenth of it.
        assert result.nit == math.ceil(math.log(tolerance / 2) / math.log(0.8))
        assert abs(result.jac) <= tolerance
    never = minimize(lambda x: x**2 + 1e-6 * x, 1.0, "sgd", learning_rate=1e-3, tolerance=0)
    assert never.nit == 2000


AT_REST = {"x0": 1.0, "optimizer": SGD(0.1)}
RAN_OUT = {"x0": 1.0, "optimizer": SGD(0.001), "steps": 5}
BLEW_UP = {"x0": 3.0, "optimizer": SGD(1.0)}
ENDED = {"x0": 1.0, "optimizer": SGD(1e-6), "callback": lambda steps, value: True}
NO_STEP = {"x0": 1.0, "gradient": lambda x: -x, "line_search": "armijo"}
ELSEWHERE = {"x0": 0.0, "optimizer": SGD(0.1)}


@pytest.mark.parametrize(
    ("status", "f", "given", "says"),
    [
        (0, lambda x: x**2, AT_REST, "At rest in a minimum after .*, the curvature is 2"),
        (1, lambda x: x**2, RAN_OUT, "All steps used up after 5 steps, still moving"),
        (2, lambda x: x**4, BLEW_UP, "Left the finite numbers after 2 steps"),
        (3, lambda x: x**2, ENDED, "Interrupted after 64 steps, still moving"),
        (4, lambda x: x**2, NO_STEP, "line search found no step down after 0 steps"),
        (5, lambda x: -(x**2), ELSEWHERE, "At rest at a maximum after 0 steps"),
    ],
)
def test_the_six_statuses(status, f, given, says):
    result = minimize(f, **given)
    assert result.status == status
    assert result.success == (status == 0)
    assert math.isfinite(result.fun)
    assert re.search(says, result.message), result.message
    assert result.message.endswith(".")
    assert "MinimizeResult" in repr(result)


@pytest.mark.parametrize(
    ("f", "start", "optimizer"),
    [
        (lambda x: x**4, 3.0, SGD(1.0)),
        (jnp.log, 3.0, SGD(0.1)),
        (lambda x: jnp.sqrt(x), 1.0, SGD(0.1)),
    ],
)
def test_a_blow_up_keeps_the_last_finite_place(f, start, optimizer):
    result = minimize(f, start, optimizer, path=True)
    assert result.status == 2
    assert result.kind == "diverged"
    assert math.isfinite(f(result.x))
    assert result.fun == pytest.approx(float(f(result.x)))
    # The path has the place that was not finite, too, before the one kept.
    np.testing.assert_array_equal(result.path[result.nit], result.x)
    with np.errstate(all="ignore"):
        assert not np.isfinite(f(result.path[result.nit + 1])).any()
    many = minimize(f, starts=np.full((3,), start), optimizer=optimizer)
    np.testing.assert_allclose(many.x, result.x, rtol=1e-5)
    assert (many.nit == result.nit).all()


def test_a_value_without_a_gradient():
    result = minimize(lambda x: jnp.sqrt(jnp.abs(x)), 1.0, "sgd", learning_rate=2.0)
    assert result.x == 0
    assert "without a finite gradient" in result.message
    with pytest.raises(FalllineError, match="no finite gradient"):
        minimize(lambda x: jnp.sqrt(x), 0.0, "sgd")


def test_a_budget_of_time_ends_a_run():
    began = time.perf_counter()
    result = minimize(
        HIMMELBLAU, None, SGD(1e-9), steps=10**9, records=1000, time_budget=0.5, tolerance=0
    )
    assert time.perf_counter() - began < 20
    assert result.status == 3
    assert 0 < result.nit < 10**9
    assert result.message.startswith("Out of time")


def test_a_budget_of_time_holds_for_the_trial_of_rates_too():
    def slow(x):
        time.sleep(0.01)
        return float(x) ** 2

    began = time.perf_counter()
    with pytest.warns(UserWarning, match="called from Python"):
        result = minimize(slow, 1.0, time_budget=0.3)
    assert time.perf_counter() - began < 5
    assert result.status == 3
    assert len(result.tried) < 15


def test_a_callback_sees_the_run_and_can_end_it():
    seen = []

    def callback(steps, value):
        seen.append((steps, value))
        return steps >= 64

    result = minimize(HIMMELBLAU, starts=9, optimizer=SGD(1e-4), callback=callback)
    steps, lowest = seen[-1]
    assert steps == result.nit.max() >= 64
    # The record before the last steps is the newest value that is known.
    assert lowest == pytest.approx(float(result.history.loss[-1].min()))
    assert (result.status == 3).all()
    assert ", interrupted: " in result.message


SCRIPT = """
import fallline, sys
from fallline.optimizers import SGD
def told(steps, value):
    print("going", flush=True)
terrain = fallline.terrains.by_name("himmelblau")
result = fallline.minimize(
    terrain, None, SGD(1e-9), steps=10**9, records=1000, callback=told, tolerance=0
)
print(result.status, result.nit > 0, result.fun < 170.0001, result.message)
"""


def test_ctrl_c_keeps_what_was_reached():
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert process.stdout.readline() == "going\n"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.splitlines()[-1].startswith("3 True True Interrupted after ")


def test_double_precision_is_double_and_leaves_the_setting_alone():
    before = jax.config.jax_enable_x64
    result = minimize(
        lambda x: jnp.sum((x - jnp.array([1.0, 1 / 3])) ** 2),
        [0.0, 0.0],
        "sgd",
        learning_rate=0.3,
        precision="float64",
        tolerance=1e-12,
    )
    assert result.x.dtype == np.float64
    np.testing.assert_allclose(result.x, [1, 1 / 3], rtol=0, atol=1e-12)
    assert jax.config.jax_enable_x64 == before
    # Two blocks, on threads of their own.
    many = minimize(HIMMELBLAU, starts=9000, optimizer=SGD(0.01), precision="float64", steps=500)
    assert many.x.dtype == np.float64
    assert np.median(many.fun) < 1e-16
    single = minimize(square, [1.0], "sgd", learning_rate=0.1, precision="float32")
    assert single.x.dtype == np.float32


def test_precision_is_a_setting_of_the_thread():
    found = {}

    def run(precision):
        for _ in range(5):
            result = minimize(
                HIMMELBLAU, None, SGD(0.01), precision=precision, steps=300, tolerance=0
            )
            found.setdefault(precision, []).append(result.x)

    threads = [threading.Thread(target=run, args=(p,)) for p in ("float32", "float64")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for precision, places in found.items():
        assert len(places) == 5
        assert all(x.dtype == precision for x in places)
        assert all(np.array_equal(x, places[0]) for x in places)


def test_noise_is_decided_by_the_seed():
    def run(seed):
        return minimize(square, starts=np.ones((3, 2)), optimizer=SGD(0.1), noise=0.5, seed=seed)

    np.testing.assert_array_equal(run(1).x, run(1).x)
    assert not np.allclose(run(1).x, run(2).x)
    # Each ball meets noise of its own.
    assert len(np.unique(run(1).x)) == 6


def test_noise_keeps_a_ball_straying_as_far_as_theory_says():
    """Mandt, Hoffman & Blei: variance s^2 r / (2 - r) at curvature 1."""
    result = minimize(
        lambda x: 0.5 * square(x),
        starts=np.zeros((4000, 1)),
        optimizer=SGD(0.2),
        noise=1.0,
        steps=200,
    )
    assert np.var(result.x) == pytest.approx(0.2 / 1.8, rel=0.1)


def test_rates_may_be_one_for_each_start():
    rates = np.array([0.1, 0.25, 0.4])
    result = minimize(square, starts=np.ones((3, 1)), optimizer="sgd", learning_rate=rates, steps=3)
    np.testing.assert_allclose(result.x[:, 0], (1 - 2 * rates) ** 3, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_schedules_are_followed_or_refused(name):
    if SCHEDULES[name] is ReduceOnPlateau:
        with pytest.raises(FalllineError, match="ReduceOnPlateau looks at the loss"):
            minimize(square, 1.0, "sgd", learning_rate=ReduceOnPlateau(0.1))
        with pytest.raises(FalllineError, match="ReduceOnPlateau looks at the loss"):
            minimize(square, 1.0, EMA(SGD(ReduceOnPlateau(0.1))))
        return
    schedule = SCHEDULES[name]()
    result = minimize(square, 1.0, "sgd", learning_rate=schedule, steps=30, tolerance=0)
    rates = [float(schedule(t)) for t in range(30)]
    np.testing.assert_allclose(result.history.learning_rate, rates, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(terrains.TERRAINS))
def test_the_default_reaches_a_minimum_from_the_classic_start(name):
    terrain = terrains.by_name(name)
    result = minimize(terrain)
    away = [np.hypot(result.x[0] - m.x, result.x[1] - m.y) for m in terrain.minima]
    # Noise and the kink of Ackley's bottom do not let a constant rate settle.
    assert min(away) < {"noisy_bowl": 0.5, "ackley": 1.0}.get(name, 1e-3)
    assert min(result.tried.values()) == pytest.approx(
        result.tried[float(result.optimizer.learning_rate)], abs=1e-3
    )


def test_at_auto_the_rate_is_looked_for():
    result = minimize(square, [1.0, 2.0], "sgd")
    # 1/2 would be one step to the bottom; the nearest of those tried.
    assert float(result.optimizer.learning_rate) == pytest.approx(10**-0.5)
    assert result.nfev > result.nit + 1
    with pytest.raises(FalllineError, match="Every learning rate tried"):
        minimize(lambda x: jnp.where(x == 1.0, 1.0 + 0 * x, jnp.nan) - x, 1.0)


def test_optax_s_own_line_search():
    result = minimize(HIMMELBLAU, None, from_optax(optax.lbfgs()))
    assert result.kind == "minimum"
    assert result.nit < 30


def test_an_average_is_at_rest_only_when_it_has_arrived():
    result = minimize(HIMMELBLAU, None, EMA(Adam(0.1), 0.9))
    assert result.status == 0
    assert np.abs(np.asarray(result.x) - [3, 2]).max() < 1e-4


def test_as_near_as_rounding_lets_it_is_a_success():
    result = minimize(HIMMELBLAU, None, SGD(0.01))
    assert np.linalg.norm(result.jac) > 1e-5
    assert result.status == 0
    assert "as near its bottom as rounding lets it" in result.message


@pytest.mark.parametrize(
    ("f", "says"),
    [
        (lambda x: -x, "run off to .x. = 2e.03; is the function bounded below"),
        (jnp.abs, "turn back and forth; a smaller or falling learning rate settles"),
    ],
)
def test_what_a_moving_ball_is_told(f, says):
    result = minimize(f, 3.05, SGD(1.0) if f is not jnp.abs else SGD(0.1))
    assert result.kind == "moving"
    assert re.search(says, result.message), result.message


def test_noise_is_named_as_what_keeps_a_ball_moving():
    result = minimize(square, [1.0, 1.0], SGD(0.1), noise=1.0)
    assert "The noise keeps it moving" in result.message


# Plain functions


def plain(f, *arguments, **options):
    with pytest.warns(UserWarning, match="called from Python"):
        return minimize(f, *arguments, **options)


def test_a_plain_function_works_with_a_note_on_the_cost():
    calls = []

    def f(x):
        calls.append(1)
        return math.sin(x) + 0.1 * float(x) ** 2

    result = plain(f, 1.0, "sgd", learning_rate=0.3)
    compiled = minimize(
        lambda x: jnp.sin(x) + 0.1 * x**2, 1.0, "sgd", learning_rate=0.3, precision="float64"
    )
    assert result.kind == "minimum"
    assert result.nit == compiled.nit
    np.testing.assert_allclose(result.x, compiled.x, atol=1e-8)
    np.testing.assert_allclose(result.history.loss, compiled.history.loss, rtol=1e-9)
    np.testing.assert_allclose(
        result.history.gradient_norm, compiled.history.gradient_norm, atol=1e-8
    )
    # A value and two more for the slope each step.
    assert result.nfev == 3 * (result.nit + 1)
    assert "2 evaluations of the function each" in result.notes[0]
    # Those that tell where it stands come on top.
    assert (
        result.nfev < int(re.search(r"(\d+) evaluations in all", result.notes[0])[1]) < len(calls)
    )
    assert result.notes[0] in str(result)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: float(np.sum(np.asarray(x) ** 2)),
        lambda x: np.array(float(x[0]) ** 2 + float(x[1]) ** 2),
        lambda x: np.float32(np.sum(np.asarray(x, np.float32) ** 2)),
        lambda x: [float(x[0]) ** 2 + float(x[1]) ** 2],
    ],
    ids=["float", "0-d", "float32", "list of one"],
)
def test_what_a_plain_function_may_give(f):
    result = plain(f, [1.0, -2.0], "sgd", learning_rate=0.2)
    assert result.kind == "minimum"
    np.testing.assert_allclose(result.x, 0, atol=1e-6)


def test_whole_numbers_of_python_s_are_steps_without_slope():
    result = plain(lambda x: int(1000 * float(x)), 0.5, "sgd", learning_rate=0.1, steps=5)
    assert result.nit == 5
    assert math.isfinite(result.fun)


def test_a_plain_function_with_a_state_of_its_own():
    class Counted:
        calls = 0

        def __call__(self, x):
            self.calls += 1
            return float(x[0]) ** 2 + float(x[1]) ** 2

    f = Counted()
    result = plain(f, [1.0, 1.0], "sgd", learning_rate=0.2)
    assert result.success
    assert f.calls > result.nfev == 5 * (result.nit + 1)


def test_a_function_may_write_into_what_it_is_given():
    def f(x):
        value = float(np.sum(np.square(x)))
        x[:] = 99.0
        return value

    result = plain(f, np.array([1.0, -1.0]), "sgd", learning_rate=0.2)
    np.testing.assert_allclose(result.x, 0, atol=1e-6)


class OwnError(Exception):
    pass


@pytest.mark.parametrize("error", [OwnError, ValueError, ZeroDivisionError, KeyError])
def test_what_a_function_raises_is_the_user_s_to_see(error):
    def at_once(x):
        raise error("mine")

    def later(x):
        if float(x) < 0.5:
            raise error("mine")
        return float(x)

    with pytest.raises(error, match="mine"):
        minimize(at_once, 1.0)
    with pytest.raises(error, match="mine"), pytest.warns(UserWarning, match="Python"):
        minimize(later, 1.0, "sgd", learning_rate=0.1)


def test_a_plain_function_that_is_not_finite_beside_its_path():
    result = plain(
        lambda x: float(x) if x > 0 else math.nan, 1.0, "sgd", learning_rate=0.3, steps=50
    )
    assert result.status == 2
    assert result.x > 0
    assert math.isfinite(result.fun)


def test_plain_functions_from_many_starts():
    result = plain(
        lambda x: math.cos(float(x[0])) + 0.01 * float(x[0]) ** 2,
        starts=[[1.0], [-1.0], [0.5]],
        optimizer="momentum",
        learning_rate=0.05,
        path=True,
    )
    assert result.x.shape == (3, 1)
    assert [round(float(b.x[0]), 2) for b in sorted(result.basins, key=lambda b: b.x[0])] == [
        -3.08,
        3.08,
    ]
    assert result.path.shape == (len(result.recorded) + 1, 3, 1)


def test_a_value_that_traces_and_a_gradient_that_does_not():
    def f(x):
        return lax.while_loop(lambda v: jnp.abs(v) > 10, lambda v: v / 2, x) ** 2

    result = plain(f, 4.0, "sgd", learning_rate=0.2)
    assert result.kind == "minimum"
    assert result.x == pytest.approx(0, abs=1e-6)


def test_differences_on_demand(recwarn):
    result = minimize(square, [1.0, 2.0], "sgd", learning_rate=0.1, gradient="numerical")
    exact = minimize(square, [1.0, 2.0], "sgd", learning_rate=0.1, precision="float64")
    np.testing.assert_allclose(result.x, exact.x, atol=1e-7)
    assert "as asked for" in result.notes[0]
    assert not recwarn.list


@pytest.mark.parametrize(
    "gradient",
    [
        lambda x: 2 * x,
        lambda x: [2 * x[0], 2 * x[1]],
        lambda x: 2 * np.asarray(x),
    ],
    ids=["jax", "list", "numpy"],
)
def test_a_gradient_of_the_user_s(gradient):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = minimize(square, [1.0, 2.0], "sgd", learning_rate=0.1, gradient=gradient)
    own = minimize(square, [1.0, 2.0], "sgd", learning_rate=0.1)
    np.testing.assert_allclose(result.x, own.x, atol=1e-5)
    assert result.kind == "minimum"


def test_the_gradient_given_is_the_one_descended():
    result = minimize(
        square, [1.0], "sgd", learning_rate=0.1, gradient=lambda x: jnp.ones(1), steps=5
    )
    np.testing.assert_allclose(result.x, 0.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("gradient", "part"),
    [
        (lambda x: jnp.ones(2), r"x is \{'x': \(3,\)\}, the gradient \{'x': \(2,\)\}"),
        (lambda x: 1.0, "must be like x"),
        (lambda x: {"a": x}, r"the gradient \{'a': \(3,\)\}"),
        (lambda x: np.ones(2) * float(x[0]), "must be like x"),
        (3, "gradient must be 'auto', 'numerical' or a function"),
        ("forward", "gradient must be 'auto', 'numerical' or a function"),
        (None, "gradient must be 'auto', 'numerical' or a function"),
    ],
)
def test_a_gradient_that_does_not_fit(gradient, part):
    with pytest.raises(FalllineError, match=part):
        minimize(square, np.ones(3), "sgd", gradient=gradient)


# Bad input


@pytest.mark.parametrize(
    ("f", "part"),
    [
        (lambda x: x**2, r"must give one number; it gave an array of shape \(2,\)"),
        (lambda x: np.asarray(x) ** 2 if isinstance(x, np.ndarray) else float(x), "must give one"),
        (lambda x: jnp.sum(x) * 1j, "gave a complex one"),
        (lambda x: complex(float(x[0])), "gave a complex one"),
        (lambda x: jnp.sum(x).astype(int), "gave int32, which has no gradient"),
        (lambda x: jnp.sum(x) > 0, "gave bool, which has no gradient"),
        (lambda x: float(x[0]) > 0, "must give a number; it gave True"),
        (lambda x: None, "must give a number; it gave None"),
        (lambda x: "a", "must give a number; it gave 'a'"),
        (lambda x: jnp.log(-jnp.sum(x)), "The function is nan at x0"),
        (lambda x: 1 / jnp.sum(0 * x), "The function is inf at x0"),
        (3, "needs a function; it was given 3"),
    ],
)
def test_a_function_that_is_none_to_minimise(f, part):
    with pytest.raises(FalllineError, match=part):
        minimize(f, [1.0, 2.0])


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"x0": [np.nan, 1.0]}, "x0 must hold finite numbers; it holds nan at 0"),
        ({"x0": np.ones((2, 2)) * np.inf}, r"holds inf at \[0, 0\]"),
        ({"x0": []}, "x0 holds no numbers"),
        ({"x0": "abc"}, "x0 must hold numbers; it holds 'abc'"),
        ({"x0": True}, "x0 must hold numbers; it holds True"),
        ({"x0": [1j]}, "x0 must hold real numbers"),
        ({}, "needs a place to start"),
        ({"starts": np.array(1.0)}, "leading axis"),
        ({"starts": np.zeros((0, 2))}, "leading axis"),
        ({"starts": {"a": np.ones(3), "b": np.ones(4)}}, r"its shapes are \[\(3,\), \(4,\)\]"),
        ({"x0": np.ones(3), "starts": np.ones((4, 2))}, r"shape of x0, \{'x': \(3,\)\}"),
        ({"starts": 5}, "A number of starts needs a terrain"),
        ({"starts": np.int64(5)}, "A number of starts needs a terrain"),
        ({"starts": [[1.0, np.nan]]}, r"starts must hold finite numbers; it holds nan at \[0, 1\]"),
        ({"x0": 1.0, "optimizer": "adm"}, "did you mean 'adam'"),
        ({"x0": 1.0, "optimizer": Adam}, "must be one of fallline.optimizers"),
        ({"x0": 1.0, "learning_rate": -1.0}, "learning_rate at least 0"),
        ({"x0": 1.0, "learning_rate": "fast"}, "a number, a schedule or 'auto'"),
        ({"x0": 1.0, "learning_rate": [0.1, 0.2]}, r"must be one number; .* shape \(2,\)"),
        ({"starts": np.ones(3), "learning_rate": [0.1, 0.2]}, "one number, or 3, one for each"),
        (
            {"x0": 1.0, "optimizer": from_optax(optax.sgd(0.1)), "learning_rate": 0.1},
            "is set where it is made",
        ),
        ({"x0": 1.0, "steps": 0}, "number of steps must be a whole number above 0"),
        ({"x0": 1.0, "steps": 1.5}, "number of steps must be a whole number above 0"),
        ({"x0": 1.0, "records": 0}, "number of records must be"),
        ({"x0": 1.0, "tolerance": -1}, "tolerance must be a number of 0 or more"),
        ({"x0": 1.0, "tolerance": math.nan}, "tolerance must be a number of 0 or more"),
        ({"x0": 1.0, "noise": -1}, "noise must be a number of 0 or more"),
        ({"x0": 1.0, "time_budget": 0}, "time budget must be a number above 0"),
        ({"x0": 1.0, "seed": "a"}, "seed must be a whole number"),
        ({"x0": 1.0, "precision": "half"}, "precision must be 'float32' or 'float64'"),
        ({"x0": 1.0, "line_search": "wolfe"}, "no line search called 'wolfe'"),
        ({"x0": 1.0, "line_search": 3}, "line_search must be"),
    ],
)
def test_options_that_do_not_fit(given, part):
    with pytest.raises(FalllineError, match=part):
        minimize(square, **given)


def test_terrains_refuse_what_is_no_point_of_theirs():
    for places in ({"x0": [1.0, 2.0, 3.0]}, {"starts": np.ones((4, 3))}):
        with pytest.raises(FalllineError, match="A point of a terrain is two numbers"):
            minimize(HIMMELBLAU, **places)
    for starts in (True, -1, 0):
        with pytest.raises(FalllineError, match="number of starts must be a whole number"):
            minimize(HIMMELBLAU, starts=starts)


def test_one_start_of_many_that_is_not_finite_is_named():
    with pytest.raises(FalllineError, match="The function is nan at start 1"):
        minimize(jnp.log, starts=np.array([1.0, -1.0]))


def test_more_than_memory_is_refused_before_it_is_taken():
    tracemalloc.start()
    with pytest.raises(FalllineError, match="1,000,000,000,000 starts of 2 numbers would need"):
        minimize(HIMMELBLAU, starts=10**12)
    with pytest.raises(FalllineError, match=r"One start of 100 numbers and .* Take fewer records="):
        minimize(square, np.zeros(100), "sgd", learning_rate=0.1, steps=10**9, path=True)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
