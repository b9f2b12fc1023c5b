"""The network view without a page: what it answers, sends and keeps, driven in lock-step."""

from __future__ import annotations

import csv
import io
import time

import numpy as np
import pytest
from fakes import Collected, ask

import fallline
from fallline.errors import FalllineError
from fallline.studio.network import looking
from fallline.studio.network.view import NetworkView
from fallline.studio.view import Given

SMALL = {"data": "spirals", "hidden": "8", "learning_rate": 0.02, "epochs": 30}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module", autouse=True)
def _brief():
    """The doctor's trials take seconds, and are tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looking, "SECONDS", 0.0)
        yield


@pytest.fixture
def view(tmp_path):
    found = NetworkView(Collected(), Given(None, tmp_path / "runs"))
    yield found
    found.close()


def until(view, condition, seconds=60):
    """Tick until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, view.out.sent[-1:]
        view.tick()
        time.sleep(0.01)


def advance(view, count, /, **settings):
    """So many epochs, then look at what was sent."""
    done = sum(m["type"] == "advanced" for m in view.out.sent)
    answer = ask(view, "advance", epochs_on=count, **settings)
    until(view, lambda: sum(m["type"] == "advanced" for m in view.out.sent) > done)
    return answer["run"]


def runs(view):
    return view.out.last("runs")["runs"]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A run of thirty epochs, paused on its way, then gone to its end."""
    folder = tmp_path_factory.mktemp("network") / "runs"
    view = NetworkView(Collected(), Given(None, folder))
    advance(view, 5, **SMALL)
    paused = (runs(view)[0], view.out.last("curves"))
    advance(view, 1000, **SMALL)
    yield view, paused, folder
    view.close()


def test_it_pauses_where_it_is_told_and_goes_on_to_its_end(ended):
    view, (paused, curves), _ = ended
    assert (paused["phase"], curves["epoch"]) == ("paused", 5)
    assert len(curves["curves"]["loss"]) == 5
    (run,) = runs(view)
    assert run["phase"] == "ended"
    assert run["sentence"].startswith("Ended as planned after 30 epochs.")
    assert run["trained"]["model"] == "2 → relu 8 → 1"
    assert run["result"]["measured_on"] == "test"


def test_its_numbers_are_those_of_fit(ended):
    view, _, _ = ended
    table = view.tables.read("spirals")
    options = {k: v for k, v in SMALL.items() if k != "data"}
    fitted = fallline.fit(table.frame, "arm", model="mlp", **options)
    np.testing.assert_allclose(
        view.out.last("curves")["curves"]["loss"], fitted.run.history.loss, rtol=1e-4
    )
    assert runs(view)[0]["result"]["value"] == pytest.approx(fitted.result["value"], abs=0.02)


def test_its_instruments_and_findings_come_with_it(ended):
    view, _, _ = ended
    seen = view.out.last("instruments")["instruments"]
    assert [layer["name"] for layer in seen["layers"]] == ["affine 1", "affine 2"]
    assert seen["boundary"]["x"]["name"] == "x"
    assert np.sum(seen["confusion"]["counts"]) == 48
    finding = view.out.last("diagnosis")["diagnosis"]["findings"][0]
    assert {"name", "title", "verdict", "evidence"} <= finding.keys()


def test_it_is_saved_as_a_run_that_predicts(ended):
    view, _, folder = ended
    name = ask(view, "save", run=1)["name"]
    assert name == "spirals-1"
    assert ask(view, "save", run=1)["name"] == name
    loaded = fallline.load(folder / name)
    frame = view.tables.read("spirals").frame
    assert (loaded.predict(frame) == frame["arm"].to_numpy()).mean() > 0.5


def test_its_history_and_its_script_can_be_taken_along(ended):
    view, _, _ = ended
    rows = list(csv.DictReader(io.StringIO(ask(view, "csv", run=1)["text"])))
    assert len(rows) == 30
    assert float(rows[-1]["validation_loss"]) > 0
    text = ask(view, "script", run=1)["text"]
    compile(text, "script", "exec")
    assert "def spirals" in text
    assert "epochs=30" in text


def test_a_fix_is_a_fork_from_the_same_seed_beside_the_old_run(view):
    advance(view, 1000, **{**SMALL, "optimizer": "sgd", "learning_rate": 100.0})
    (run,) = runs(view)
    assert run["reason"] == "non-finite"
    finding = view.out.last("diagnosis")["diagnosis"]["findings"][0]
    assert finding["name"] == "learning-rate-too-high"
    fork = ask(view, "apply", run=1, finding=finding["name"])["run"]
    until(view, lambda: runs(view)[-1]["phase"] == "ended")
    old, new = runs(view)
    assert (new["run"], new["parent"], old["phase"]) == (fork, 1, "ended")
    assert [change["name"] for change in new["changes"]] == ["learning_rate"]
    assert new["settings"]["learning_rate"] < 100
    first = {m["run"]: m["curves"]["loss"][0] for m in view.out.sent if m["type"] == "curves"}
    assert first[1] == first[fork]
    with pytest.raises(FalllineError, match="no longer says"):
        ask(view, "apply", run=1, finding="plateau")


def test_other_settings_make_a_run_beside_and_another_table_begins_anew(view):
    advance(view, 1, **SMALL)
    advance(view, 1, **{**SMALL, "learning_rate": 0.05})
    assert [run["changes"] for run in runs(view)] == [
        [],
        [{"name": "learning_rate", "value": 0.05}],
    ]
    advance(view, 1, **{**SMALL, "data": "moons"})
    assert len(runs(view)) == 1
    ask(view, "reset")
    assert runs(view) == []


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"data": "/etc/passwd"}, "There is no table '/etc/passwd' here"),
        ({"hidden": "0"}, "Hidden layers are given as units"),
        ({"hidden": "9999"}, "up to 2,048 units"),
        ({"learning_rate": True}, "must be a number"),
        ({"batch_size": "some"}, "cannot be 'some'"),
        ({"features": ["x", "x"]}, "two different columns"),
        ({"optimizer": "sgd", "hyperparameters": {"beta1": 0.5}}, "has no 'beta1'"),
        ({"test": "/etc/passwd"}, "must be a number"),
        ({"drop": "x"}, "must be a list"),
    ],
)
def test_what_does_not_fit_is_a_sentence(view, fields, sentence):
    with pytest.raises(FalllineError, match=sentence):
        ask(view, "run", **fields)
    assert view.lineup.entries == []


def test_a_run_that_cannot_begin_says_why(view):
    ask(view, "run", data="spirals", target="nothing")
    until(view, lambda: view.interval is None)
    (run,) = runs(view)
    assert run["phase"] == "failed"
    assert "nothing" in run["sentence"]


def test_columns_and_labels_are_taken_as_they_are(tmp_path):
    path = tmp_path / "table.csv"
    rows = [
        [HOSTILE, "b", "c", "label"],
        *([i % 7, i % 5, i % 3, HOSTILE if i % 2 else "no"] for i in range(80)),
    ]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    view = NetworkView(Collected(), Given(path, tmp_path / "runs"))
    ask(view, "table", data="given")
    until(view, lambda: view.interval is None)
    told = view.out.last("table")
    assert (told["target"], told["columns"][0]["name"]) == ("label", HOSTILE)
    ask(view, "run", data="given", model="linear", epochs=1, features=["b", "c"])
    until(view, lambda: view.lineup.entries[0].training.cut is not None)
    text = ask(view, "script", run=1)["text"]
    assert f"drop={[HOSTILE]!r}" in text
    compile(text, "script", "exec")
    view.close()
