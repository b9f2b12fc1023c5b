from __future__ import annotations

import pytest

from fallline.scale.watchdog import FEW, LEAST, START, WAITING, Watchdog


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def dog(clock):
    ended = []
    dog = Watchdog(clock=clock, end=ended.append)
    dog.ended = ended
    return dog


def beat(dog, clock, seconds, times=FEW):
    for _ in range(times):
        clock.now += seconds
        dog.beat()


def test_a_worker_that_is_stuck_ends_with_a_sentence(dog, clock, capfd):
    beat(dog, clock, 0.1)
    clock.now += LEAST
    assert not dog.look()
    clock.now += 1
    assert dog.look()
    assert dog.ended == [75]
    said = capfd.readouterr().err
    assert said.startswith("fallline: No step for 61 s: this worker")
    assert said.count("\n") == 1


def test_slow_steps_are_granted_more_time(dog, clock):
    assert dog.limit == START
    beat(dog, clock, 10.0)
    assert dog.limit == 200
    # One long one, such as validation, may come again.
    beat(dog, clock, 100.0, times=1)
    assert dog.limit == 500
    clock.now += 499
    assert not dog.look()


def test_nothing_is_judged_before_there_are_some_steps(dog, clock):
    beat(dog, clock, 0.1, times=FEW - 1)
    clock.now += START
    assert not dog.look()
    clock.now += 1
    assert dog.look()


def test_one_that_waits_for_others_is_granted_long_and_not_for_ever(dog, clock):
    beat(dog, clock, 0.1)
    with dog.waiting():
        # Process 0 measures for hours, by its own watchdog's leave.
        clock.now += WAITING
        assert not dog.look()
    # What it was granted is gone with it, and it is no interval to judge by.
    dog.beat()
    assert dog.limit == LEAST
    clock.now += LEAST
    assert not dog.look()
    clock.now += 1
    assert dog.look()
    with dog.waiting():
        clock.now += WAITING + 1
        assert dog.look()
    assert dog.ended == [75, 75]


def test_other_work_is_not_judged_by_the_pace_so_far(dog, clock):
    beat(dog, clock, 0.1)
    dog.beat(True)
    clock.now += START
    assert not dog.look()
    beat(dog, clock, 0.1)
    # The first interval, with its compiling, still counts.
    assert dog.limit == 5 * (START + 0.1)
    clock.now += dog.limit + 1
    assert dog.look()


def test_it_watches_by_itself_until_it_is_stopped():
    ended = []
    dog = Watchdog(least=0.0, start=0.0, sentence=lambda waited: "", end=ended.append)
    dog.start()
    dog._thread.join(10)
    assert ended == [75]
    quiet = Watchdog().start()
    quiet.stop()
    assert not quiet._thread.is_alive()
