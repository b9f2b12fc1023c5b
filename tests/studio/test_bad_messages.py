"""What no page of ours would send: every view answers with a sentence or a sane result, and goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from fakes import Collected, ask
from served import Running

from fallline.cli import studio as command
from fallline.errors import FalllineError
from fallline.store import files
from fallline.studio.compare import view as compare_view
from fallline.studio.fit.view import FitView
from fallline.studio.gallery.view import GalleryView
from fallline.studio.graph.view import GraphView
from fallline.studio.network import training
from fallline.studio.network.view import NetworkView
from fallline.studio.runs import deeds
from fallline.studio.runs.view import RunsView
from fallline.studio.session import LONGEST_SENTENCE, Session
from fallline.studio.terrain.view import TerrainView
from fallline.studio.view import Given, View

NESTED: list = []
for _ in range(200):
    NESTED = [NESTED]
NUMBERS = [0, -1, 1.5, 1e-320, 1e30, -1e30, 10**30, -(10**400), 2**31, 2**64]
JUNK = [
    *(None, True, False, "", "NaN", "Infinity", "\ud800", "\x00", "x" * 500),
    *([], [1], [None], [[]], ["a"], [0] * 5000, [{}], NESTED, {}, {"a": 1}, *NUMBERS),
]
RACERS = [{"optimizer": "sgd", "rate": 0.01, "settings": {}, "decay": 0.0}]
RACE = {"surface": "sphere", "balls": 3, "seed": 0, "racers": RACERS, "noise": 0.0}
LINE = [-1, -1, 0, 0.5, 1, 1]


def attempt(view, kind, **fields):
    """The answer, or the sentence; anything else fails the test."""
    try:
        return ask(view, kind, **fields)
    except FalllineError as error:
        return str(error)


def spoil(view, messages, junk=JUNK):
    """Each message with each of its fields replaced by each piece of junk, and without it."""
    for kind, fields in messages:
        for name in fields:
            for value in junk:
                attempt(view, kind, **{**fields, name: value})
            attempt(view, kind, **{k: v for k, v in fields.items() if k != name})


def test_the_terrain_view_takes_any_message():
    view = TerrainView(Collected(), Given())
    view.warms = False
    try:
        for kind in ("set", "step", "scrub", "racer", "script", "csv", "nothing", "x" * 60_000):
            assert len(attempt(view, kind, steps=1, step=0)) < 400
        spoil(view, [("start", {**RACE, "spread": "point", "at": [0, 0], "drops": []})], NUMBERS)
        ask(view, "start", **RACE)
        racer = RACERS[0]
        spoil(view, [("racer", {"add": racer}), ("racer", {"remove": 0})])
        for name in racer:
            for value in JUNK:
                attempt(view, "start", **{**RACE, "racers": [{**racer, name: value}]})
        messages = [
            ("set", {"racer": 0, "rate": 0.1, "settings": {}, "decay": 0.1, "noise": 0.0}),
            ("pace", {"steps": 1, "frames": 30}),
            ("run", {"on": False}),
            ("step", {"steps": 1}),
            ("advance", {"frames": 1}),
            ("drop", {"x": 0, "y": 0, "count": 1, "radius": 0.1}),
            ("scrub", {"step": 0}),
            ("inspect", {"racer": 0, "ball": 0}),
        ]
        spoil(view, messages)
        ask(view, "start", **RACE)
        ask(view, "step", steps=3)
        assert view.out.frames[-1].step == 3
    finally:
        view.close()


def test_the_fit_view_takes_any_message():
    view = FitView(Collected(), Given())
    start = {"points": LINE, "rate": 0.1, "batch": 0, "l2": 0.0, "seed": 0, "place": [0, 0]}
    spoil(view, [("start", start), ("points", {"points": LINE})])
    words = {
        "model": "line",
        "degree": 3,
        "hidden": [3],
        "activation": "tanh",
        "standardise": False,
    }
    words |= {"loss": "squared_error", "optimizer": "sgd", "settings": {}}
    spoil(view, [("set", words)], [v for v in JUNK if not isinstance(v, bool)])
    ask(view, "start", **start)
    messages = [
        ("step", {"steps": 1}),
        ("run", {"on": False}),
        ("pace", {"steps": 1, "frames": 1}),
        ("advance", {"frames": 1}),
        ("graph", {"point": 0}),
        ("preset", {"name": "line", "seed": 0}),
        ("columns", {"name": "iris"}),
        ("start", {"table": {"name": "iris"}}),
    ]
    spoil(view, messages)
    for name in ("given", "/etc/passwd", "../iris"):
        assert "no table" in attempt(view, "columns", name=name)
    assert len(attempt(view, "x" * 60_000)) < 100
    assert "whole number" in attempt(view, "set", hidden=[1.5])
    ask(view, "start", **start)
    ask(view, "step", steps=2)
    assert view.run.place().iteration == 2


@pytest.mark.parametrize("size", [1e-200, 1e-320, 1e30])
def test_numbers_beyond_single_precision_are_refused_unless_standardising_helps(tmp_path, size):
    table = tmp_path / "extreme.csv"
    table.write_text(f"a,b\n{size},1\n{2 * size},3\n{0.5 * size},2\n")
    view = FitView(Collected(), Given(table))
    asked = {"table": {"name": "given", "x": "a", "y": "b"}, "rate": 0.1}
    assert "single precision" in attempt(view, "start", **asked, standardise=False)
    assert "no points" in attempt(view, "step")
    if size > 1:
        ask(view, "start", **asked)
        ask(view, "step")
    ask(view, "start", points=LINE, rate=0.1)


def test_the_graph_view_takes_any_message():
    view = GraphView(Collected(), Given())
    for kind in ("values", "step", "node", "nudge", "check", "script", "csv", "dot", "x" * 60_000):
        assert len(attempt(view, kind, index=0, h=1, values={})) < 100
    network = {"hidden": [3], "inputs": 2, "classes": 2, "examples": 3, "seed": 0}
    for name in network:
        for value in (-1, 0, 1.5, [99], [1.5], "a", 10**400, {}):
            attempt(view, "build", source="network", network={**network, name: value})
    spoil(view, [("build", {"source": "expression", "formula": "x*y", "values": {"x": 1.0}})])
    ask(view, "build", formula="x*y")
    messages = [
        ("values", {"values": {"x": 1.0}}),
        ("step", {"index": 0}),
        ("node", {"node": 0}),
        ("nudge", {"node": 0, "h": 0.1, "element": 0}),
        ("dot", {"theme": "dark"}),
    ]
    spoil(view, messages)
    for formula in (
        "1/0",
        "log(x-x)",
        "a=;b",
        "x=x",
        "f(x)",
        "lambda*2",
        "x" * 400,
        ";",
        "1e400*x",
    ):
        assert isinstance(attempt(view, "build", formula=formula), str)
    # Two infinite slopes of opposite signs are added: no number, but no warning either.
    assert ask(view, "build", formula="sqrt(x-x)")["note"]


OUTSIDE = ["/etc/passwd", "../iris", "given/../iris", "..", "\x00", "iris\x00", "CON", "x" * 10_000]
HEAVY = [10**12, [2048] * 9, "99999,99999,99999", "1:2:1000000000", 1e300, {"beta1": "x"}]


def test_the_network_view_takes_any_message_and_opens_no_other_file(monkeypatch, tmp_path):
    monkeypatch.setattr(training.Training, "_begin", lambda self: None)
    view = NetworkView(Collected(), Given(None, tmp_path / "runs"))
    run = {"data": "moons", "features": ["x", "y"], "target": "moon", "hidden": [4], "epochs": 3}
    run |= {"learning_rate": 0.01, "batch_size": 32, "seed": 0, "hyperparameters": {"beta1": 0.9}}
    for name in run:
        for value in [*JUNK, *HEAVY]:
            attempt(view, "run", **{**run, name: value})
            view.lineup.clear()
    entry = {"run": 1, "finding": "x", "lang": "en"}
    spoil(view, [(k, entry) for k in ("select", "apply", "forget", "language", "save", "csv")])
    for kind, fields in (("run", {**run, "features": None}), ("table", {})):
        for name in OUTSIDE:
            told = attempt(view, kind, **{**fields, "data": name})
            assert "no table" in told or "characters" in told
    assert not (tmp_path / "runs").exists()


def test_the_compare_view_takes_any_message_and_opens_no_other_file(monkeypatch):
    monkeypatch.setattr(compare_view, "compare", lambda config, progress: None)
    view = compare_view.CompareView(Collected(), Given())
    start = {"data": "iris", "optimizers": ["sgd"], "low": 1e-4, "high": 1.0, "count": 3}
    start |= {"second": "momentum", "values": "0,0.9", "seeds": 2, "unit": "epochs", "budget": 2}
    for name in (*start, "hidden", "model", "target"):
        for value in [*JUNK, *HEAVY]:
            attempt(view, "start", **{**start, name: value})
            view._work = None
    spoil(view, [(k, {"optimizer": "sgd", "i": 0, "j": 0}) for k in ("map", "cell", "network")])
    for name in OUTSIDE:
        told = attempt(view, "columns", data=name)
        assert "no table" in told or "characters" in told


def test_the_runs_and_the_gallery_view_take_any_message(tmp_path):
    (tmp_path / "a").mkdir()
    runs, gallery = RunsView(Collected(), Given(None, tmp_path)), GalleryView(Collected(), Given())
    fields = {"name": "a", "names": ["a"], "lang": "en", "prove": False, "theme": "dark"}
    kinds = ("open", "beside", "network", "apply", "diagnose", "measure", "report")
    spoil(runs, [(kind, {**fields, "finding": "x"}) for kind in kinds])
    spoil(gallery, [(kind, {"case": "x", "answer": "y"}) for kind in ("open", "guess", "verdict")])


def test_one_run_that_somebody_spoiled_hides_no_other(tmp_path):
    asked = {"config": {"data": "iris"}, "status": "running"}
    good = {"format": "fallline-run", "version": 1, **asked}
    spoiled = {**good, "config": {"data": ["/etc/passwd"]}}
    contents = {
        "good": files.sealed(good),
        "wrong": files.sealed(spoiled),
        "deep": json.dumps({**good, "x": None}).replace("null", "[" * 900 + "]" * 900).encode(),
        "half": json.dumps({**good, "x": "\ud800"}).encode(),
    }
    for name, content in contents.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_bytes(content)
    view = RunsView(Collected(), Given(None, tmp_path))
    told = {row["name"]: row["trouble"] for row in ask(view, "list")["runs"]}
    assert told.pop("good") == ""
    assert all("damaged" in trouble for trouble in told.values())
    if hasattr(os, "mkfifo"):
        # Somebody would read it for ever.
        os.mkfifo(tmp_path / "good" / "history.parquet")
        assert "it is no file" in attempt(view, "diagnose", name="good")


def test_what_is_cancelled_and_goes_on_is_not_piled_up(monkeypatch, tmp_path):
    monkeypatch.setattr(deeds, "diagnosed", lambda *_, **__: ended.wait(10))
    content = {"format": "fallline-run", "version": 1, "config": {}, "status": "running"}
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "run.json").write_bytes(files.sealed(content))
    ended, view = threading.Event(), RunsView(Collected(), Given(None, tmp_path))
    for _ in range(2):
        ask(view, "diagnose", name="a")
        ask(view, "cancel")
    assert "yet to end" in attempt(view, "diagnose", name="a")
    ended.set()
    while not all(work.done for work in view._leaving):
        time.sleep(0.01)
    ask(view, "diagnose", name="a")


@pytest.fixture(scope="module")
def running():
    served = Running()
    yield served
    served.stop()


@pytest.mark.parametrize("deep", [False, True])
def test_an_id_that_is_none_is_a_sentence_and_ends_nothing(running, deep):
    identity = "[" * 900 + "]" * 900 if deep else json.dumps("x" * 101)
    with running.connected() as page:
        page.socket.send(f'{{"view": "counter", "type": "nothing", "id": {identity}}}')
        error = page.text("error")
        assert "id of a message" in error["message"]
        assert "id" not in error
        page.send("double", value=1, id="a")
        assert page.text("answer")["id"] == "a"


def test_what_a_sentence_repeats_is_cut(running):
    with running.connected() as page:
        page.send("y" * 50_000)
        assert len(page.text("error")["message"]) == LONGEST_SENTENCE + 1


def test_a_page_whose_thread_has_ended_is_let_go(running):
    with running.connected() as page:
        page.text("hello")
        (session,) = running.studio.sessions
        session.ended = True
        with pytest.raises(Exception, match="close|clos"):
            page.text("never")


class Stumbles(View):
    """Fails at its second tick, until it is told to go on."""

    name = "stumbles"
    ticks = 0

    def handle(self, kind, message):
        self.ticks = 2

    @property
    def interval(self):
        return 0.001

    def tick(self):
        self.ticks += 1
        if self.ticks == 2:
            raise FalllineError("It cannot go on.")
        if self.ticks < 10:
            self.out.send("ticked", number=self.ticks)


def test_a_view_that_fails_is_left_alone_until_the_page_says_something():
    session = Session({"stumbles": lambda: Stumbles}, Given(), dict, lambda: None)
    told = []

    def wait(kind):
        end = time.monotonic() + 10
        while kind not in [message["type"] for message in told]:
            assert time.monotonic() < end
            while (item := session.outbox.take()) is not None:
                told.append(json.loads(item))
            time.sleep(0.01)

    session.post({"view": "stumbles", "type": "go"})
    session.post({"view": "session", "type": "show", "name": "stumbles"})
    wait("ticked")
    view = session._views["stumbles"]
    view.ticks = 1
    wait("error")
    time.sleep(0.05)
    assert view.ticks == 2
    told.clear()
    session.post({"view": "stumbles", "type": "go"})
    wait("ticked")
    session.close()
    session._thread.join(5)
    assert session.ended


def test_a_table_that_cannot_be_read_is_said_before_anything_starts(tmp_path):
    (tmp_path / "empty.csv").touch()
    (tmp_path / "folder").mkdir()
    for path, part in (
        (tmp_path / "folder", "folder"),
        (tmp_path / "no.csv", "no file"),
        (tmp_path / "empty.csv", "empty"),
    ):
        with pytest.raises(FalllineError, match=part):
            command.studio(str(path), port=0, browser=False)
    with pytest.raises(FalllineError, match="--host is empty"):
        command.studio(None, port=0, host="", browser=False)


@pytest.mark.skipif(sys.platform == "win32", reason="a signal of POSIX")
def test_ctrl_c_while_compiling_ends_at_once_and_quietly():
    from http.client import HTTPConnection
    from urllib.parse import urlsplit

    from websockets.sync.client import connect

    line = [sys.executable, "-m", "fallline", "studio", "--no-browser", "--port", "0"]
    environment = {**os.environ, "FALLLINE_CACHE": "off"}
    pipe = subprocess.PIPE
    process = subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True, env=environment)
    try:
        address = urlsplit(process.stdout.readline().strip())
        door = HTTPConnection(address.netloc)
        door.request("GET", f"/?{address.query}")
        cookie = door.getresponse().getheader("set-cookie").split(";")[0]
        door.close()
        headers = {"Cookie": cookie, "Origin": f"http://{address.netloc}"}
        with connect(f"ws://{address.netloc}/socket", additional_headers=headers) as page:
            racers = [{"optimizer": name} for name in ("sgd", "adam", "nadam", "adadelta")]
            start = {"surface": None, "formula": "hypot(x, hypot(y, x))", "racers": racers}
            page.send(json.dumps({"view": "terrain", "type": "start", **start}))
            while '"busy"' not in str(page.recv(60)):
                pass
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert out == ""
    assert err.count("\n") == 1
