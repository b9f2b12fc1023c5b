"""``fallline report``: where the file goes, what is printed, what cannot be done."""

from __future__ import annotations

import json
import webbrowser

import pytest

import fallline
from fallline.page import keep
from fallline.terrains import by_name


@pytest.fixture
def kept(run, table):
    assert (
        run(
            "fit", "t.csv", "--target", "colour", "--model", "linear", "--epochs", 3, "--quiet"
        ).code
        == 0
    )
    return table.parent / "runs" / "t-1"


def test_a_report_of_the_newest_run(run, kept, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    done = run("report", "--no-surface", "--open")
    assert (done.code, done.out) == (0, "runs/t-1/report.html\n")
    page = (kept / "report.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "t-1" in page
    assert opened == [(kept / "report.html").resolve().as_uri()]
    # Nothing half written is left, and the run is a run as before.
    assert not list(kept.glob(".*"))
    assert fallline.load(kept).result["rows"]
    done = run("report", "t-1", "--no-surface", "--out", "kept.HTML", "--lang", "zh", "--json")
    told = json.loads(done.out)
    assert told["report"] == "kept.HTML"
    assert told["bytes"] == (kept.parents[1] / "kept.HTML").stat().st_size < 2_000_000
    assert 'lang="zh-Hans"' in (kept.parents[1] / "kept.HTML").read_text("utf-8")
    # The table has gone: what can be told without it is told, and what could not be done.
    (kept.parents[1] / "t.csv").unlink()
    done = run("report", "t-1")
    assert (done.code, done.out) == (0, "runs/t-1/report.html\n")
    assert done.err


def test_what_cannot_be_done_is_a_sentence(run, table):
    assert "no run in runs/ to report" in run("report").err
    assert run("report", "nowhere").code == 2
    (table.parent / "runs" / "a").mkdir(parents=True)
    (table.parent / "runs" / "a" / "run.json").write_text("{}")
    assert "ends in .html" in run("report", "a", "--out", "a.pdf").err
    assert "no folder none" in run("report", "a", "--out", "none/a.html").err


def test_from_python(tmp_path):
    result = fallline.minimize(by_name("himmelblau"), [0.0, 0.0], learning_rate=0.01, steps=20)
    with pytest.raises(fallline.FalllineError, match="no folder, so say where"):
        fallline.report(result)
    path = fallline.report(result, tmp_path / "h.html", surface=False, lang="en")
    assert path == tmp_path / "h.html"
    assert "himmelblau" in path.read_text("utf-8").lower()
    assert fallline.report is keep.report
