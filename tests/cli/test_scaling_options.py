from __future__ import annotations

import signal
import threading

import pytest

from fallline.cli.ending import EARLY, terminable
from fallline.cli.fit_show import straggler
from fallline.cli.scaling import Asked, parse_size, parse_workers
from fallline.cli.supervise import verdict
from fallline.descent.run import Worker
from fallline.errors import FalllineError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (None, None),
        ("1000", 1000),
        ("500MB", 500 * 10**6),
        ("500 mb", 500 * 10**6),
        ("1.5GiB", 3 * 2**29),
        ("2g", 2 * 10**9),
        ("1k", 1000),
        (".5T", 5 * 10**11),
    ],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "1x", "MB", "-1GB", "1ib", "0", "1 2"])
def test_what_is_no_size(text):
    with pytest.raises(FalllineError, match="--memory"):
        parse_size(text)


def test_numbers_of_workers():
    assert [parse_workers(text) for text in (None, "4", "4:8")] == [2, 4, (4, 8)]
    for text in ("0", "8:4", "a", "4:"):
        with pytest.raises(FalllineError, match="a number or a range, 4 or 4:8"):
            parse_workers(text)


def test_the_straggler_is_named():
    workers = [Worker(i, speed, 0.0) for i, speed in enumerate((98e3, 103e3, 41e3, 100e3))]
    assert straggler(workers) == "worker 2 is the slowest: 41k rows/s"
    workers[2] = Worker(2, 1.2e6, 0.0)
    assert straggler(workers) == ""
    assert straggler([Worker(0, 100, 0.0), Worker(1, 9, 0.9)]) == (
        "worker 1 is the slowest: 9 rows/s, mostly reading"
    )
    assert straggler([Worker(0, 5.0, 0.0)]) == ""
    assert straggler([]) == ""


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"distributed": "yes"}, "auto or none"),
        ({"distributed": "auto"}, "found no variables"),
        ({"process_id": 0}, "--coordinator and --num-processes is missing"),
        ({"workers": "2"}, "add --engine ray"),
        ({"engine": "dask"}, "the one other engine is ray".capitalize()),
        ({"engine": "ray", "distributed": "auto"}, "Ray numbers its workers by itself"),
    ],
)
def test_options_that_contradict_each_other(asked, said, monkeypatch):
    monkeypatch.setattr("os.environ", {})
    with pytest.raises(FalllineError) as caught:
        Asked(**asked).place()
    assert said in str(caught.value)


def test_alone_is_no_place():
    assert Asked().place() is None
    assert Asked(engine="ray", workers="4").place() is None


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(),
    reason="signals are the main thread's",
)
def test_the_training_s_guard_takes_over_from_the_waiting_s():
    before = signal.getsignal(signal.SIGTERM)
    with terminable(str):
        with terminable(str):
            assert signal.getsignal(signal.SIGTERM) is not before
        # What follows the training ends as any other command does.
        assert signal.getsignal(signal.SIGTERM) is before
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_worker_that_is_ended_before_it_listens_is_started_again():
    assert verdict(-signal.SIGTERM, "", 1) == (EARLY, 75, [])
