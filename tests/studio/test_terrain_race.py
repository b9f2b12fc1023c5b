import io

import numpy as np
import pytest

from fallline import FalllineError, minimize, terrains
from fallline.descent import minimize_loop
from fallline.studio.terrain import Race, Racer
from fallline.studio.terrain import balls as balls_module
from fallline.studio.terrain.picture import in_minimum, limits, row
from fallline.studio.terrain.rates import best_rate
from fallline.studio.terrain.timeline import Metrics, Timeline

HIMMELBLAU = terrains.by_name("himmelblau")


def racers():
    # The whole module compiles these two optimizers, on this terrain, for one number of balls.
    return [Racer.of("sgd", 0.01), Racer.of("adam", 0.1)]


def new_race(**options):
    return Race(HIMMELBLAU, racers(), 20, seed=3, **options)


def same(a, b):
    assert a.shape == b.shape
    return np.array_equal(a, b, equal_nan=True)


def lively(race, log):
    """A run in which everything is changed; the places after every call go into the log."""

    def go(steps):
        race.advance(steps)
        log[race.step] = race.places()

    go(10)
    race.set(0, rate=0.02)
    go(25)
    race.shake(0.3)
    go(40)
    race.drop(1.0, -2.0, 7, 0.5)
    race.set(1, settings={"beta1": 0.5}, decay=0.01)
    go(60)
    race.shake(0.0)
    race.set(decay=0.001)
    go(80)


def test_it_is_the_descent_of_minimize():
    race = new_race()
    race.advance(100)
    for racer, places in zip(racers(), race.places(), strict=True):
        result = minimize(
            HIMMELBLAU, starts=20, seed=3, optimizer=racer.made(), steps=100, tolerance=0
        )
        np.testing.assert_array_equal(places, result.x)


def test_steps_may_be_taken_in_any_groups():
    whole, parts = new_race(noise=0.1), new_race(noise=0.1)
    whole.advance(100)
    for steps in (1, 2, 3, 30, 64):
        parts.advance(steps)
    assert same(whole.places(), parts.places())


def test_every_earlier_step_is_shown_again_bit_by_bit():
    race, log = new_race(budget=10_000), {}
    lively(race, log)
    last = race.places()
    for step in sorted(log, reverse=True):
        race.show(step)
        assert race.step == step
        places = log[step]
        assert same(race.places()[:, : places.shape[1]], places)
    race.show(race.last)
    assert same(race.places(), last)
    assert race.forks == 0
    assert [racer.decay for racer in race.racers] == [0.001, 0.001]
    with pytest.raises(FalllineError, match="steps 0 to 215"):
        race.show(216)


def test_a_fork_is_the_race_that_did_it_at_once():
    forked, log = new_race(), {}
    lively(forked, log)
    forked.show(90)
    forked.set(0, rate=0.005)
    forked.advance(33)
    straight = new_race()
    straight.advance(10)
    straight.set(0, rate=0.02)
    straight.advance(25)
    straight.shake(0.3)
    straight.advance(40)
    straight.drop(1.0, -2.0, 7, 0.5)
    straight.set(1, settings={"beta1": 0.5}, decay=0.01)
    straight.advance(15)
    straight.set(0, rate=0.005)
    straight.advance(33)
    assert (forked.step, forked.last, forked.forks) == (123, 123, 1)
    assert forked.racers == straight.racers
    assert same(forked.places(), straight.places())
    forked.show(90)
    straight.show(90)
    assert same(forked.places(), straight.places())


def test_going_on_from_the_past_without_a_change_forks_and_comes_to_the_same():
    race = new_race(noise=0.2)
    race.advance(70)
    places = race.places()
    race.show(20)
    race.advance(50)
    assert race.forks == 1
    assert same(race.places(), places)


def test_planned_drops_come_when_their_step_comes_and_outlive_a_fork_before():
    race = new_race(drops=[(0.0, 0.0, 3, 0.5, 50), (1.0, 1.0, 1, 0.5, 0)])
    assert race.each == 21
    np.testing.assert_array_equal(race.places()[:, 20], [[1.0, 1.0], [1.0, 1.0]])
    race.advance(30)
    race.show(10)
    race.set(0, rate=0.001)
    race.advance(45)
    assert race.each == 24
    race.show(49)
    assert race.each == 21
    race.set(0, rate=0.002)
    race.advance(10)
    # What was seen to happen after the fork is forgotten with it.
    assert race.each == 21


def test_a_ball_dropped_late_steps_like_one_that_starts():
    late, early = new_race(), Race(HIMMELBLAU, racers(), np.array([[1.0, 2.0]]), seed=3)
    late.advance(500)
    late.drop(1.0, 2.0)
    late.advance(20)
    early.advance(20)
    np.testing.assert_array_equal(late.places()[:, 20:], early.places())


def test_nothing_that_may_change_is_compiled_again():
    race = new_race()
    for balls in race.balls:
        balls.prepare(noisy=True)
    race.advance(1)
    race.seen()
    before = minimize_loop.traces["advance"], balls_module._observe._cache_size()
    for steps in (1, 7, 64):
        race.advance(steps)
    race.set(rate=0.001)
    race.set(0, decay=0.5)
    race.set(1, settings={"beta1": 0.1, "beta2": 0.5, "epsilon": 1e-3})
    race.advance(5)
    race.shake(0.7)
    race.advance(5)
    race.drop(0.0, 0.0, 500, 1.0)
    race.advance(5)
    race.show(50)
    race.seen()
    assert (minimize_loop.traces["advance"], balls_module._observe._cache_size()) == before
    # Another window is no other program.
    Race(terrains.from_expression("x^2", ((0, 1), (0, 1))), [Racer.of("sgd", 0.1)], 5).advance(1)
    traced = minimize_loop.traces["advance"]
    Race(terrains.from_expression("x^2", ((0, 2), (0, 1))), [Racer.of("sgd", 0.1)], 5).advance(1)
    assert minimize_loop.traces["advance"] == traced


def test_programs_of_many_functions_are_given_up(monkeypatch):
    cleared = []
    monkeypatch.setattr(balls_module.jax, "clear_caches", lambda: cleared.append(True))
    monkeypatch.setattr(balls_module, "_compiled_for", set())
    for number in range(balls_module.MOST_FUNCTIONS):
        made = terrains.from_expression(f"x + {number}")
        balls_module.bound_memory(balls_module.function_of(made))
        balls_module.bound_memory(balls_module.function_of(terrains.from_expression("x + 0")))
    assert not cleared
    balls_module.bound_memory(balls_module.function_of(HIMMELBLAU))
    assert cleared == [True]


def test_more_balls_than_there_was_room_for_move_to_a_larger_program(monkeypatch):
    monkeypatch.setattr(balls_module, "CAPACITIES", (32, 1024, 20480))
    monkeypatch.setattr(balls_module, "ROOM", 0)
    race = Race(HIMMELBLAU, [Racer.of("sgd", 0.01)], 30)
    race.advance(10)
    before = race.places()
    race.drop(0.0, 0.0, 10, 1.0)
    assert same(race.places()[:, :30], before)
    race.advance(10)
    after = race.places()
    assert race.balls[0].capacity == 1024
    race.show(5)
    assert race.balls[0].capacity == 32
    race.show(20)
    assert same(race.places(), after)


def test_there_is_room_for_twenty_thousand_balls():
    with pytest.raises(FalllineError, match="20,000 balls"):
        Race(HIMMELBLAU, racers(), 10_001)
    race = new_race(drops=[(0.0, 0.0, 9_900, 1.0, 1000)])
    with pytest.raises(FalllineError, match="20,000 balls in all; this would make 20,040"):
        race.drop(0.0, 0.0, 100)
    with pytest.raises(FalllineError, match="1 to 12 racers"):
        Race(HIMMELBLAU, [], 5)


def test_changes_that_do_not_fit_change_nothing():
    race = new_race()
    for call, words in (
        (lambda: race.set(0, rate=-1.0), "learning rate must lie between"),
        (lambda: race.set(2, rate=0.1), "none called 2"),
        (lambda: race.set(0, settings={"beta1": 0.5}), "SGD has no 'beta1'"),
        (lambda: race.set(settings={"beta": 0.5}), "None of the optimizers"),
        (lambda: race.set(1, settings={"beta1": 1.5}), "beta1 must lie"),
        (lambda: race.set(1, settings={"beta1": True}), "needs a number"),
        (lambda: Racer.of("adm"), "did you mean 'adam'"),
    ):
        with pytest.raises(FalllineError, match=words):
            call()
    assert race.events == []
    assert race.racers == tuple(racers())


def test_lost_balls_stay_and_are_counted():
    race = Race(HIMMELBLAU, [Racer.of("sgd", 1.0), Racer.of("adam", 0.1)], 20)
    race.advance(50)
    wild, tame = race.seen()
    assert wild.lost.all()
    assert not tame.lost.any()
    assert np.isnan(wild.places).all()
    assert np.isfinite(race.places()).all()
    numbers = row(HIMMELBLAU, race.step, [wild, tame])
    assert numbers[0] == 50
    assert np.isnan(numbers[1:4]).all()
    assert numbers[5] == 1.0
    assert numbers[10] == 0.0


def test_what_is_seen_is_right():
    race = new_race()
    race.advance(300)
    for seen in race.seen():
        value = HIMMELBLAU(seen.places)
        np.testing.assert_allclose(seen.value, value, atol=1e-5)
        minima = np.array([[p.x, p.y] for p in HIMMELBLAU.minima])
        distance = np.linalg.norm(seen.places[:, None] - minima, axis=2).min(axis=1)
        np.testing.assert_array_equal(in_minimum(HIMMELBLAU, seen), distance < 0.02)
        assert in_minimum(HIMMELBLAU, seen).all()
    sgd = race.seen()[0]
    # At (3, 2) the Hessian is [[74, 20], [20, 34]].
    at = np.linalg.norm(sgd.places - [3.0, 2.0], axis=1) < 0.01
    values = np.linalg.eigvalsh([[74.0, 20.0], [20.0, 34.0]])
    np.testing.assert_allclose(sgd.least[at], values[0], rtol=1e-3)
    np.testing.assert_allclose(sgd.limit[at], 2 / values[1], rtol=1e-3)
    found = limits(race.racers, race.seen())
    assert found[0]["safe"] == 1.0
    assert found[0]["limit"] == pytest.approx(np.median(sgd.limit))
    race.set(0, rate=1.0)
    assert limits(race.racers, race.seen())[0]["explode"] == 1.0


def test_a_trail_ends_where_the_race_stands():
    race = new_race()
    race.advance(30)
    log = {}
    for _ in range(5):
        race.advance(2)
        log[race.step] = race.places()
    trail = race.trail(4, 2)
    assert race.step == 40
    np.testing.assert_array_equal(trail, [log[step] for step in (34, 36, 38, 40)])
    race.show(3)
    assert race.trail(72, 2).shape == (2, 2, 20, 2)


def test_an_honest_rate_is_the_best_of_those_tried():
    rate = best_rate(HIMMELBLAU, Racer.of("sgd"), 1024)
    assert rate == 0.01
    cached = minimize_loop.traces["advance"]
    assert best_rate(HIMMELBLAU, Racer.of("sgd", 5.0), 1024) == rate
    assert minimize_loop.traces["advance"] == cached


def test_the_timeline_keeps_less_the_further_back():
    line = Timeline(budget=100_000)
    for step in range(0, 64 * 500, 64):
        line.add(step, np.zeros(1000, np.float32))
    assert line.size <= 100_000
    assert line.steps[0] == 0
    assert line.steps[-1] == 64 * 499
    gaps = np.diff(line.steps)
    assert gaps[0] > gaps[-1] == 64
    assert line.nearest(64 * 499 + 1)[0] == 64 * 499
    line.forget_after(64 * 400)
    assert line.steps[-1] <= 64 * 400
    count = len(line.steps)
    line.add(line.steps[-1], np.zeros(1000, np.float32))
    assert len(line.steps) == count


def test_metrics_as_a_table():
    import polars as pl

    metrics = Metrics()
    assert metrics.add(np.array([0, 1.5, 2.5, 3.5, 0.25, 0.0]))
    assert metrics.add(np.array([2, np.nan, np.nan, np.nan, 0.0, 1.0]))
    assert not metrics.add(np.array([2, 1.0, 1.0, 1.0, 0.0, 1.0]))
    table = pl.read_csv(io.StringIO(metrics.csv(["sgd"])))
    assert table.columns == ["step", "racer", "q25", "median", "q75", "in_minimum", "lost"]
    assert table.rows() == [
        (0, "sgd", 1.5, 2.5, 3.5, 0.25, 0.0),
        (2, "sgd", None, None, None, 0.0, 1.0),
    ]
    metrics.forget_after(1)
    assert len(metrics.rows) == 1
