"""What worker 0 tells of a training arrives at the caller's reporter, without Ray."""

from __future__ import annotations

import json
import math
import types

import pytest

from fallline.descent.batches import BatchPlan
from fallline.descent.crew import Crew
from fallline.descent.run import Progress, Worker
from fallline.descent.sharded import Costs
from fallline.descent.stopping import Stop
from fallline.jobs.fit import Reporter
from fallline.scale import ray_tell
from fallline.scale.ray_tell import Listener, Teller

PLAN = BatchPlan(100, 20)
STOP = Stop("epochs", "It is over.")


class Heard(Reporter):
    def __init__(self):
        self.calls = []


def _noting(name):
    return lambda self, *told: self.calls.append((name, *told))


for _name in (n for n in vars(Reporter) if not n.startswith("_")):
    setattr(Heard, _name, _noting(_name))


@pytest.fixture
def heard():
    return Heard()


def named(heard):
    names = [call[0] for call in heard.calls]
    heard.calls.clear()
    return names


def at(epoch, loss=math.nan):
    workers = [Worker(0, 5.0, 0.1), Worker(1, 4.0, 0.9)]
    return Progress(5, 10, epoch, 2.0, 0.5, loss, 100.0, 1.0, 1.0, workers=workers)


def test_what_is_told_is_heard(tmp_path, heard, monkeypatch):
    teller, listener = Teller(tmp_path), Listener(tmp_path, heard, 4)
    listener.look()
    assert heard.calls == []
    teller.reading("t.csv")
    teller.remark("Mind the gap.")
    teller.training("mlp", PLAN, 2)
    teller.measured(Costs(0.1, 0.2, 8), PLAN, Crew(size=2))
    teller.progress(at(0.5))
    teller.progress(at(0.6))
    listener.look()
    reading, remark, training, measured = heard.calls
    assert reading == ("reading", "t.csv")
    assert remark == ("remark", "Mind the gap.")
    assert training == ("training", "mlp", PLAN, 2)
    assert measured[1:3] == (Costs(0.1, 0.2, 8), PLAN)
    assert measured[3].size == 2
    heard.calls.clear()
    # Numbers alone are written when the last file is old enough.
    monkeypatch.setattr(ray_tell, "EVERY", 0.0)
    teller.progress(at(1.0))
    listener.look()
    listener.look()
    ((_, progress),) = heard.calls
    assert progress.epoch == 1.0
    assert math.isnan(progress.validation_loss)
    assert progress.workers == at(1.0).workers
    heard.calls.clear()
    teller.trained("mlp", types.SimpleNamespace(epochs=2.0, seconds=3.0, stop=STOP))
    listener.look()
    ((_, name, run),) = heard.calls
    assert (name, run.epochs, run.seconds, run.stop) == ("mlp", 2.0, 3.0, STOP)
    assert json.loads((tmp_path / "progress.json").read_text())["now"] is None


def test_a_lost_worker_is_told_and_little_is_said_twice(tmp_path, heard):
    listener = Listener(tmp_path, heard, 2)
    first = Teller(tmp_path)
    first.reading("t.csv")
    first.remark("Mind the gap.")
    listener.look()
    heard.calls.clear()
    (tmp_path / "lost-1").touch()
    listener.look()
    assert heard.calls[1] == ("remark", "A worker was lost; starting again, attempt 2 of 2.")
    heard.calls.clear()
    again = Teller(tmp_path)
    again.reading("t.csv")
    again.remark("Mind the gap.")
    again.training("mlp", PLAN, 2)
    listener.look()
    assert named(heard) == ["reading", "training"]
    # It is not started a third time.
    (tmp_path / "lost-2").touch()
    listener.look()
    assert named(heard) == []


def test_a_reporter_that_fails_is_no_secret(tmp_path, heard, monkeypatch):
    monkeypatch.setattr(ray_tell, "EVERY", 0.01)
    monkeypatch.setattr(Heard, "reading", lambda self, source: 1 / 0)
    Teller(tmp_path).reading("t.csv")
    with pytest.raises(ZeroDivisionError), Listener(tmp_path, heard, 4) as listener:
        listener._thread.join(10)


def test_a_folder_that_is_gone_stops_nobody(tmp_path, heard):
    Teller(tmp_path / "gone").reading("t.csv")
    Listener(tmp_path / "gone", heard, 4).look()
    assert heard.calls == []
