import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fallline import schedules
from fallline.errors import FalllineError
from fallline.optimizers import SGD
from fallline.schedules import (
    SCHEDULES,
    Constant,
    CosineDecay,
    ExponentialDecay,
    InverseTimeDecay,
    Piecewise,
    PolynomialDecay,
    ReduceOnPlateau,
    Schedule,
    StepDecay,
    WarmUp,
    rate_at,
)

STEPS = (0, 1, 3, 99, 100, 999, 1000, 1001, 10**6)
every_schedule = pytest.mark.parametrize("cls", SCHEDULES.values(), ids=SCHEDULES)


def leaves(schedule):
    """Its finite leaves with a way to put another value in each place."""
    values, structure = jax.tree.flatten(schedule)
    for i, value in enumerate(values):
        if math.isfinite(value):
            yield value, lambda v, i=i: structure.unflatten([*values[:i], v, *values[i + 1 :]])


def nearby(value):
    """Two other values that stay within any range a hyper-parameter may have."""
    return value * 0.5, value * 0.75


def test_every_schedule_of_the_module_has_a_name():
    classes = {
        cls
        for cls in vars(schedules).values()
        if isinstance(cls, type) and issubclass(cls, Schedule) and cls is not Schedule
    }
    assert classes == set(SCHEDULES.values())


# Closed forms


def test_constant_is_constant():
    assert Constant(0.3)(0) == Constant(0.3)(10**6) == 0.3


@pytest.mark.parametrize("t", [0, 1, 6, 7, 13, 14, 50])
def test_decays_follow_their_closed_forms(t, x64):
    age, stair = t / 7, t // 7
    left = 1 - min(t, 14) / 14
    wave = (1 + math.cos(math.pi * min(t, 14) / 14)) / 2
    pairs = [
        (ExponentialDecay(0.3, 0.5, 7), 0.3 * 0.5**age),
        (ExponentialDecay(0.3, 0.5, 7, staircase=True), 0.3 * 0.5**stair),
        (InverseTimeDecay(0.3, 2.0, 7), 0.3 / (1 + 2.0 * age)),
        (InverseTimeDecay(0.3, 2.0, 7, staircase=True), 0.3 / (1 + 2.0 * stair)),
        (StepDecay(0.3, 0.1, 7), 0.3 * 0.1**stair),
        (PolynomialDecay(0.3, 14, final=0.1, power=2.0), 0.3 * (0.1 + 0.9 * left**2)),
        (PolynomialDecay(0.3, 14), 0.3 * left),
        (CosineDecay(0.3, 14, final=0.1), 0.3 * (0.1 + 0.9 * wave)),
    ]
    for schedule, expected in pairs:
        for step in (t, jnp.int32(t)):
            np.testing.assert_allclose(
                schedule(step), expected, rtol=1e-13, atol=1e-16, err_msg=repr(schedule)
            )


def test_piecewise_changes_at_each_boundary_to_a_share_of_the_first_rate():
    schedule = Piecewise(0.8, boundaries=(3, 6), factors=(0.5, 2))
    rates = [float(schedule(t)) for t in (0, 2, 3, 5, 6, 100)]
    np.testing.assert_allclose(rates, [0.8, 0.8, 0.4, 0.4, 1.6, 1.6], rtol=1e-6)


def test_a_decay_to_a_share_ends_there_and_stays():
    for cls in (PolynomialDecay, CosineDecay):
        schedule = cls(0.5, steps=10, final=0.2)
        np.testing.assert_allclose([schedule(10), schedule(11), schedule(999)], 0.1, rtol=1e-6)
        assert float(cls(0.5, steps=10)(10)) == 0.0


# Warming up


def test_warm_up_rises_in_equal_steps_to_the_first_rate_and_then_follows_from_its_start():
    then = ExponentialDecay(0.4, rate=0.5)
    schedule = WarmUp(then, steps=4)
    rates = [float(schedule(t)) for t in range(7)]
    np.testing.assert_allclose(rates, [0.1, 0.2, 0.3, 0.4, 0.4, 0.2, 0.1], rtol=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 7.5, 100])
def test_warm_up_never_jumps(steps):
    schedule = WarmUp(CosineDecay(0.4, steps=200), steps=steps)
    rates = np.array([float(schedule(t)) for t in range(150)])
    assert 0 < rates[0] <= 0.4001
    assert np.abs(np.diff(rates)).max() <= 0.4 / steps * 1.001 + 0.005
    np.testing.assert_allclose(rates.max(), 0.4, rtol=1e-3)


@pytest.mark.parametrize("rate", [0.25, 1, np.float64(0.25), np.float32(0.25), jnp.float32(0.25)])
def test_warm_up_takes_a_plain_rate(rate):
    schedule = WarmUp(rate, steps=2)
    np.testing.assert_allclose([schedule(t) for t in range(4)], [rate / 2, rate, rate, rate])
    np.testing.assert_allclose(schedule.initial, rate)


def test_warm_up_lets_the_schedule_that_follows_see_the_loss():
    schedule = WarmUp(ReduceOnPlateau(0.8, patience=0), steps=2)
    for loss in (1.0, 1.0):
        schedule = schedule.observe(loss)
    np.testing.assert_allclose(schedule(10), 0.4)


# Plateaus


def test_a_plateau_is_judged_as_worked_out_by_hand():
    schedule = ReduceOnPlateau(0.8, factor=0.5, patience=1, threshold=0.1, minimum=0.15)
    story = [  # loss, rate after it, because
        (1.00, 0.8),  # the first is the best
        (0.95, 0.8),  # not below 0.9: one epoch waited, as many as patience allows
        (0.89, 0.8),  # below 0.9: the new best
        (0.85, 0.8),  # not below 0.801: one waited
        (0.85, 0.4),  # two waited: cut, and the count starts again
        (0.85, 0.4),
        (math.nan, 0.2),  # a loss that is no number is no improvement
        (0.10, 0.2),  # the new best
        (0.10, 0.2),
        (0.10, 0.15),  # 0.1 would be below the minimum
    ]
    for i, (loss, rate) in enumerate(story):
        schedule = schedule.observe(loss)
        np.testing.assert_allclose(schedule(i), rate, rtol=1e-6, err_msg=f"epoch {i}")


def test_a_negative_loss_that_falls_is_an_improvement():
    schedule = ReduceOnPlateau(0.8, patience=0, threshold=0.1)
    for loss in (-1.0, -1.2, -1.4):
        schedule = schedule.observe(loss)
    np.testing.assert_allclose(schedule(0), 0.8)
    np.testing.assert_allclose(schedule.observe(-1.41)(0), 0.4)


def test_observing_runs_under_jit_and_scan_and_agrees_with_plain_calls(rng):
    losses = rng.uniform(size=20).astype(np.float32)
    plain = ReduceOnPlateau(0.8, patience=1)
    start = jax.tree.map(jnp.float32, plain)

    def epoch(schedule, loss):
        schedule = schedule.observe(loss)
        return schedule, schedule(0)

    rates = jax.jit(lambda: jax.lax.scan(epoch, start, losses)[1])()
    for loss, rate in zip(losses, rates, strict=True):
        plain = plain.observe(float(loss))
        np.testing.assert_allclose(rate, plain(0), rtol=1e-6)
    assert float(rates[-1]) < 0.8


def test_observing_a_plain_loss_needs_no_second_compilation():
    traces = []

    @jax.jit
    def rate(schedule):
        traces.append(1)
        return schedule(0)

    schedule = ReduceOnPlateau(0.8, patience=0)
    for loss in (1.0, 2.0, 0.5, 3):
        rate(schedule)
        schedule = schedule.observe(loss)
    rate(schedule)
    assert len(traces) == 1


# What holds of all


@every_schedule
def test_rates_are_finite_and_never_negative(cls):
    rates = jax.vmap(cls())(jnp.array(STEPS))
    assert np.all(np.isfinite(rates))
    assert np.all(np.asarray(rates) >= 0)
    assert float(rates[0]) > 0


@every_schedule
def test_another_first_rate_scales_the_whole_schedule(cls):
    schedule = cls()
    twice = schedule.with_initial(2 * schedule.initial)
    assert type(twice) is cls
    assert twice.initial == 2 * schedule.initial
    for t in STEPS:
        np.testing.assert_allclose(float(twice(t)), 2 * float(schedule(t)), rtol=1e-6)


@every_schedule
def test_other_values_whole_or_not_need_no_second_compilation(cls):
    traces = []

    @jax.jit
    def rate(schedule, step):
        traces.append(1)
        return schedule(step)

    first = rate(cls(), 3)
    for value, put in leaves(cls()):
        for other in (*nearby(value), 1, 1.0):
            np.testing.assert_allclose(rate(put(other), 3), put(other)(3), rtol=1e-5, atol=1e-9)
    assert len(traces) == 1
    np.testing.assert_allclose(first, cls()(3), rtol=1e-5)


@every_schedule
def test_whole_numbers_become_floats(cls):
    for _, put in leaves(cls()):
        assert put(1) == put(1.0)
        assert all(type(leaf) is float for leaf in jax.tree.leaves(put(1)))


@every_schedule
def test_every_number_can_be_a_batch_of_numbers(cls):
    count = 0
    for value, put in leaves(cls()):
        values = np.array([value, *nearby(value)], np.float32)
        rates = jax.vmap(lambda v, put=put: put(v)(150))(values)
        assert rates.shape == (3,)
        expected = [put(float(v))(150) for v in values]
        np.testing.assert_allclose(rates, expected, rtol=1e-5, atol=1e-9)
        count += 1
    assert count > 0


@every_schedule
def test_a_schedule_is_frozen_and_its_repr_makes_it_again(cls):
    schedule = cls()
    assert eval(repr(schedule), {**vars(schedules), "inf": math.inf}) == schedule
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(schedule, dataclasses.fields(cls)[0].name, 1.0)


@every_schedule
def test_a_schedule_stands_wherever_a_learning_rate_does(cls):
    schedule = cls()
    optimizer = SGD(schedule)
    state = {"step": jnp.int32(7)}
    np.testing.assert_allclose(optimizer.rate(state), schedule(7), rtol=1e-6)
    updates, _ = optimizer.update(jnp.ones(2), state)
    np.testing.assert_allclose(updates, -jnp.ones(2) * schedule(7), rtol=1e-6)


@every_schedule
def test_a_docstring_says_what_the_schedule_does(cls):
    assert cls.__doc__
    assert not cls.__doc__.startswith(f"{cls.__name__}(")
    if cls not in (ReduceOnPlateau, Piecewise):  # a memory and a table have no closed form
        assert "$" in cls.__doc__


def test_a_plain_rate_is_itself_at_every_step():
    assert rate_at(0.1, 5) == 0.1
    assert rate_at(Constant(0.1), 5) == 0.1


# Bad values


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Constant(-0.1), "initial at least 0; it was given -0.1"),
        (lambda: Constant(np.float64(-0.1)), "initial at least 0"),
        (lambda: Constant(math.nan), "initial at least 0; it was given nan"),
        (lambda: Constant("fast"), "'fast'"),
        (lambda: ExponentialDecay(rate=-1), "rate at least 0"),
        (lambda: ExponentialDecay(every=0), "every at least"),
        (lambda: InverseTimeDecay(rate=-1), "rate at least 0"),
        (lambda: InverseTimeDecay(every=0), "every at least"),
        (lambda: StepDecay(factor=-0.5), "factor at least 0"),
        (lambda: StepDecay(every=0), "every at least"),
        (lambda: PolynomialDecay(steps=0), "steps at least"),
        (lambda: PolynomialDecay(final=-0.1), "final at least 0"),
        (lambda: PolynomialDecay(power=-1), "power at least 0"),
        (lambda: CosineDecay(steps=0), "steps at least"),
        (lambda: CosineDecay(final=-0.1), "final at least 0"),
        (lambda: Piecewise(boundaries=(1, 2), factors=(0.1,)), "2 boundaries and 1 factors"),
        (lambda: Piecewise(boundaries=(2, 1), factors=(0.1, 0.2)), "must rise"),
        (lambda: Piecewise(boundaries=(1,), factors=(-0.1,)), "factors"),
        (lambda: WarmUp(-0.1), "initial at least 0"),
        (lambda: WarmUp(steps=0), "steps at least"),
        (lambda: ReduceOnPlateau(factor=1.5), "factor between 0 and 1"),
        (lambda: ReduceOnPlateau(patience=-1), "patience at least 0"),
    ],
)
def test_a_bad_value_is_answered_with_a_sentence(make, words):
    with pytest.raises(FalllineError) as caught:
        make()
    sentence = str(caught.value)
    assert words in sentence
    assert sentence.endswith(".")
