"""The runs view without a browser: what it lists, reads, follows and refuses."""

import json
import os
import time

import pytest
from tests.studio.fakes import Collected, ask

import fallline
from fallline.errors import FalllineError
from fallline.jobs.config import FitConfig
from fallline.studio.runs import RunsView, shelf
from fallline.studio.runs.view import MOST_OPEN
from fallline.studio.view import Given

HOSTILE = "<script>alert(1)<"


def facts(status="finished", **config):
    asked = FitConfig(**{"data": "digits", "target": "target", **config}).to_json()
    result = {"target": "target", "model": "mlp", "metric": "accuracy", "value": 0.9}
    return {"config": asked, "status": status, "result": result if status == "finished" else None}


def put(folder, name, **fields):
    run = fallline.store.folder.RunFolder(folder / name)
    run.path.mkdir(parents=True)
    run._write_facts({**facts(), "created": "2026-01-01T00:00:00+00:00", **fields})
    return run


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "runs"
    put(folder, "one")
    put(folder, HOSTILE, **facts(seed=7, optimizer="sgd"))
    put(folder, "now", **facts("running"))
    stopped = put(folder, "long-ago", **facts("running"))
    os.utime(stopped.path / "run.json", (1e9, 1e9))
    put(folder, "given-up", **facts("interrupted"))
    broken = put(folder, "broken")
    (broken.path / "run.json").write_text('{"format": "fallline-run"')
    (folder / "no-run").mkdir()
    (folder / "a file").write_text("")
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a run that was really trained."""
    folder = tmp_path_factory.mktemp("trained")
    fallline.fit("diabetes", model="linear", epochs=3, learning_rate=0.1, out=folder / "real")
    return folder


def view_of(folder, table=None):
    view = RunsView(Collected(), Given(table, folder))
    ask(view, "list")
    return view


def until(view, kind, seconds=60):
    """Tick until a message of a type has been sent."""
    end = time.monotonic() + seconds
    while not any(message["type"] == kind for message in view.out.sent):
        assert time.monotonic() < end, view.out.sent
        view.tick()
        time.sleep(0.01)
    return view.out.last(kind)


def test_every_run_is_listed_as_it_stands(runs):
    told = ask(RunsView(Collected(), Given(None, runs)), "list")
    states = {row["name"]: row["status"] for row in told["runs"]}
    assert states == {
        "one": "finished",
        HOSTILE: "finished",
        "now": "running",
        "long-ago": "silent",
        "given-up": "interrupted",
        "broken": "damaged",
    }
    broken = next(row for row in told["runs"] if row["name"] == "broken")
    assert broken["trouble"].startswith("run.json is damaged")
    assert str(runs) not in json.dumps(told)
    assert next(row for row in told["runs"] if row["name"] == "one")["value"] == 0.9


def test_a_folder_that_is_not_there_is_no_mistake(tmp_path):
    told = ask(RunsView(Collected(), Given(None, tmp_path / "none")), "list")
    assert told == {"runs": [], "folder": "none", "exists": False}


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../one", "/etc", "one/", "one/checkpoints", "a\0b", "..\\one", "x" * 399],
)
def test_a_name_never_leads_out_of_the_folder(runs, name):
    view = view_of(runs)
    for kind, fields in [("open", {"names": [name]}), ("diagnose", {"name": name})]:
        with pytest.raises(FalllineError, match="run"):
            ask(view, kind, **fields)
    with pytest.raises(FalllineError):
        ask(view, "beside", names=[name, "one"])


def test_links_that_lead_out_are_not_followed(runs, tmp_path):
    outside = put(tmp_path / "outside", "secret").path
    (runs / "link").symlink_to(outside)
    (runs / "inner").symlink_to(runs / "one")
    (runs / "one" / "model.json").symlink_to(outside / "run.json")
    (runs / "sly").mkdir()
    (runs / "sly" / "run.json").symlink_to(outside / "run.json")
    view = view_of(runs)
    assert "link" not in view.shelf.entries
    assert view.shelf.entries["inner"].status == "finished"
    assert view.shelf.entries["sly"].status == "damaged"
    with pytest.raises(FalllineError, match=r"model\.json .* leads out"):
        ask(view, "open", names=["one"])


def test_only_what_has_changed_is_read_again(runs, monkeypatch):
    view = view_of(runs)
    read = []
    inner = shelf.RunFolder.facts
    monkeypatch.setattr(
        shelf.RunFolder, "facts", lambda self: read.append(self.path.name) or inner(self)
    )
    view.shelf.refresh()
    assert not read
    put(runs, "new")
    (runs / "now" / "checkpoints").mkdir()
    (runs / "one" / "run.json").unlink()
    changed, gone = view.shelf.refresh()
    assert sorted(e.path.name for e in changed) == ["new", "now"]
    assert gone == ["one"]
    assert read == ["new"]


def test_what_changes_in_the_folder_is_told(runs, monkeypatch):
    view = view_of(runs)
    put(runs, "new")
    view._looked = 0.0
    view.tick()
    told = view.out.last("runs")
    assert [row["name"] for row in told["changed"]] == ["new"]
    # A run falls silent although nothing in its folder changes.
    monkeypatch.setattr(shelf, "SILENT", -1.0)
    view._looked = 0.0
    view.tick()
    told = view.out.last("runs")
    assert [(r["name"], r["status"]) for r in told["changed"]] == [("now", "silent")]


def test_an_open_run_is_read_and_followed(trained):
    view = view_of(trained)
    ask(view, "open", names=["real"])
    card = until(view, "card")["card"]
    assert card["trained"]["steps"] == 3
    assert len(card["curves"]["loss"]) == 3
    assert str(trained) not in json.dumps(card["remarks"])
    view.out.sent.clear()
    ask(view, "open", names=["real"])
    assert not view._reading
    run = trained / "real" / "run.json"
    os.utime(run, (time.time() + 5, time.time() + 5))
    view._looked = 0.0
    view.tick()
    assert until(view, "card")["name"] == "real"


def test_a_damaged_run_says_so_when_it_is_opened(trained, tmp_path):
    import shutil

    shutil.copytree(trained / "real", tmp_path / "half")
    (tmp_path / "half" / "history.parquet").write_bytes(b"no parquet")
    view = view_of(tmp_path)
    ask(view, "open", names=["half"])
    card = until(view, "card")["card"]
    assert card["status"] == "damaged"
    assert any(s.startswith("half/history.parquet is damaged") for s in card["remarks"])


def test_runs_beside_each_other(runs):
    told = ask(view_of(runs), "beside", names=["one", HOSTILE])
    differ = {row["name"]: row["values"] for row in told["settings"] if row["differ"]}
    assert differ == {"optimizer": ["adam", "sgd"], "seed": ["0", "7"]}
    assert [row["differ"] for row in told["settings"]][:3] == [True, True, False]
    assert {"name": "value", "values": [0.9, 0.9]} in told["results"]


def test_at_most_eight_are_open(runs):
    with pytest.raises(FalllineError, match=f"At most {MOST_OPEN} runs"):
        ask(view_of(runs), "open", names=[f"r{i}" for i in range(MOST_OPEN + 1)])


@pytest.mark.parametrize("names", [7, "one", [1], [None], {"a": 1}])
def test_names_are_a_list_of_texts(runs, names):
    with pytest.raises(FalllineError, match="list of texts"):
        ask(view_of(runs), "open", names=names)


def test_a_run_goes_to_the_network_view(runs, tmp_path):
    state = ask(view_of(runs), "network", name=HOSTILE)["state"]
    assert state == {
        "data": "digits", "target": "target", "model": "mlp", "optimizer": "sgd", "seed": 7,
    }  # fmt: skip
    table = tmp_path / "mine.csv"
    table.write_text("a,b\n1,2\n")
    put(runs, "mine", **facts(data=str(table), model="linear"))
    assert ask(view_of(runs, table), "network", name="mine")["state"]["data"] == "given"
    with pytest.raises(FalllineError, match="fallline studio"):
        ask(view_of(runs), "network", name="mine")


def test_a_diagnosis_is_made_beside_and_can_be_applied(trained):
    view = view_of(trained)
    ask(view, "diagnose", name="real", lang="zh")
    with pytest.raises(FalllineError, match="still being worked out"):
        ask(view, "diagnose", name="real")
    told = until(view, "diagnosis")
    finding = told["diagnosis"]["findings"][0]
    assert {"title", "verdict", "evidence", "fix"} <= finding.keys()
    assert any("\u4e00" <= c <= "\u9fff" for c in finding["title"])
    if finding["changes"]:
        state = ask(view, "apply", name="real", finding=finding["name"])["state"]
        assert state["data"] == "diabetes"
    with pytest.raises(FalllineError, match="no finding"):
        ask(view, "apply", name="real", finding="nothing")


def test_a_report_is_handed_over(trained, monkeypatch):
    from fallline.page import card
    from fallline.studio.runs import deeds

    monkeypatch.setattr(deeds, "examined", lambda path, lang: card.card(path))
    view = view_of(trained)
    ask(view, "report", name="real")
    told = until(view, "report")
    assert told["file"] == "fallline-real.html"
    assert told["html"].startswith("<!doctype html>")


def test_what_goes_wrong_beside_is_told(runs):
    view = view_of(runs)
    ask(view, "diagnose", name="now")
    told = until(view, "failed")
    assert told["what"] == "diagnose"
    assert "now" in told["sentence"]
    assert str(runs) not in told["sentence"]


@pytest.mark.parametrize("kind", ["", "drop", "__init__"])
def test_an_unknown_message_is_a_sentence(runs, kind):
    with pytest.raises(FalllineError, match="knows no message"):
        ask(view_of(runs), kind)
