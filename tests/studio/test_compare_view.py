"""The compare view without a browser: its maps and its words are those of `fallline.jobs.compare`."""

import csv
import io
import json
import math
import time
from types import SimpleNamespace

import numpy as np
import pytest
from tests.studio.fakes import Collected, ask

from fallline.errors import FalllineError
from fallline.jobs.comparison import Entry, verdict
from fallline.page.modules import texts
from fallline.studio.compare import CompareView, told
from fallline.studio.compare.script import script
from fallline.studio.compare.seeds import beyond
from fallline.studio.view import Given

ASKED = {
    "data": "diabetes", "model": "linear", "optimizers": ["sgd", "momentum"], "low": 0.01, "high": 100,
    "count": 3, "second": "momentum", "values": "0, 0.9", "seeds": 2, "unit": "epochs", "budget": 5,
}  # fmt: skip


def ran(view, seconds=120):
    end = time.monotonic() + seconds
    while view.interval is not None:
        assert time.monotonic() < end
        view.tick()
        time.sleep(0.01)


@pytest.fixture(scope="module")
def view():
    view = CompareView(Collected(), Given())
    ask(view, "start", **ASKED)
    ran(view)
    return view


@pytest.fixture(scope="module")
def result(view):
    return view.out.last("result")


def test_the_result_is_the_comparison_s(view, result):
    made = view.made
    assert result["sentence"] == made.sentence
    assert result["runs"] == made.runs.height == 2 * (3 + 3 * 2)
    assert [e["optimizer"] for e in result["entries"]] == [e.optimizer for e in made.entries]
    for fields, entry in zip(result["entries"], made.entries, strict=True):
        assert fields["median"] == entry.median
        assert np.median(fields["values"]) == pytest.approx(entry.median)
    lines = result["race"]["lines"]
    assert [line["x"] for line in lines] == [[1, 2, 3, 4, 5]] * 2
    assert lines[0]["median"][-1] == pytest.approx(made.entries[0].median)


def test_the_map_is_the_sweep_s(view):
    made = view.made
    mapped = ask(view, "map", optimizer="momentum")
    wanted = made.sweep.heat_map("learning_rate", "momentum", "momentum")
    heat = mapped["heat"]
    assert heat["names"] == ["learning_rate", "momentum", "validation_loss"]
    np.testing.assert_array_equal(heat["values"], wanted.values)
    np.testing.assert_array_equal(heat["diverged"], wanted.diverged)
    assert heat["diverged"][0][2]
    i, j = heat["best"]
    assert heat["values"][j][i] == next(e for e in made.entries if e.optimizer == "momentum").median
    assert len(mapped["curves"]) == 6
    assert [c["value"] for c in mapped["curves"]] == sorted(c["value"] for c in mapped["curves"])


def test_what_lacks_the_second_number_has_a_row_for_each_seed(view):
    mapped = ask(view, "map", optimizer="sgd")
    assert mapped["second"] == "seed"
    assert mapped["heat"]["y"] == [0, 1]
    assert np.shape(mapped["heat"]["values"]) == (2, 3)
    assert ask(view, "cell", optimizer="sgd", i=0, j=1)["seed"] == 1


def test_a_cell_has_its_setting_and_its_seeds(view):
    cell = ask(view, "cell", optimizer="momentum", i=1, j=1)
    assert cell["setting"]["momentum"] == 0.9
    assert cell["setting"]["learning_rate"] == pytest.approx(1.0)
    runs = view.made.runs.filter(
        (view.made.runs["optimizer"] == "momentum")
        & (view.made.runs["momentum"] == 0.9)
        & ((view.made.runs["learning_rate"] - 1).abs() < 1e-9)
    )
    assert [one["value"] for one in cell["seeds"]] == runs["validation_loss"].to_list()
    assert len(cell["curves"]) == 2
    with pytest.raises(FalllineError, match="no such cell"):
        ask(view, "cell", optimizer="momentum", i=1, j=2)
    with pytest.raises(FalllineError, match="did you mean|choose one of"):
        ask(view, "map", optimizer="adam")


def test_the_run_of_a_cell_is_that_of_fit(view):
    """What the network view is told to train is, by `fallline.fit`, the run of the sweep from seed 0."""
    import fallline

    state = ask(view, "network", optimizer="momentum", i=0, j=1)["state"]
    run = fallline.fit(**state)
    cell = ask(view, "cell", optimizer="momentum", i=0, j=1)
    assert run.run.history.epochs["training_loss"][-1] == pytest.approx(
        cell["seeds"][0]["training_loss"], rel=1e-5
    )


def test_exports(view):
    rows = list(csv.DictReader(io.StringIO(ask(view, "csv")["text"])))
    assert len(rows) == view.made.runs.height
    made = {}
    text = ask(view, "script", **ASKED)["text"]
    assert text == script(view.made.config)
    exec(text.split("made = ")[0], made)
    assert made["config"] == view.made.config


def entry(name, median, low=None, high=None, seeds=3, at_edge=()):
    low, high = median if low is None else low, median if high is None else high
    return Entry(name, {}, median, low, high, seeds, list(at_edge), None, None, [], None)


@pytest.mark.parametrize(
    ("kind", "entries"),
    [
        ("diverged", [entry("sgd", math.inf), entry("adam", math.inf)]),
        ("single", [entry("sgd", 1.0, at_edge=["learning_rate"])]),
        ("sole", [entry("sgd", 1.0), entry("adam", math.inf)]),
        ("equal", [entry("sgd", 1.0), entry("adam", 1.0), entry("lion", 2.0)]),
        ("luck", [entry("sgd", 1.0, seeds=1), entry("adam", 2.0, seeds=1)]),
        (
            "overlap",
            [entry("sgd", 1.0, 0.9, 1.5), entry("adam", 1.2, 1.1, 1.3), entry("lion", 3.0)],
        ),
        ("best", [entry("sgd", 1.0, at_edge=["momentum"]), entry("adam", 2.0, at_edge=["beta1"])]),
    ],
)
def test_the_page_says_what_the_comparison_says(kind, entries):
    made = SimpleNamespace(sentence=verdict(entries)[1], entries=entries)
    found = told.verdict(made)
    assert found["kind"] == kind
    words = texts("en")
    names = found["names"]

    def listed(parts):
        return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"

    said = words[f"compare.verdict.{kind}"].format(
        first=names[0] if names else "", second=names[1] if len(names) > 1 else "",
        names=listed(names) if names else "",
    )  # fmt: skip
    edges = [
        words["compare.of"].format(
            name=words[f"compare.number.{e['name']}"], optimizer=e["optimizer"]
        )
        for e in found["edges"]
    ]
    if edges:
        key = "compare.edges" if len(edges) > 1 else "compare.edge"
        said += words[key].format(edges=listed(sorted(edges)))
    # On a command line more seeds are an option.
    assert said == made.sentence.replace("--seeds", "seeds")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"optimizers": []}, "at least one optimizer"),
        ({"optimizers": ["adm"]}, "did you mean 'adam'"),
        ({"optimizers": "adam"}, "list of texts"),
        ({"data": "/etc/passwd"}, "no table"),
        ({"data": "../diabetes"}, "no table"),
        ({"low": 1.0, "high": 0.1}, "from the lower to the higher"),
        ({"low": 0.0}, "between"),
        ({"low": True}, "must be a number"),
        ({"count": 61}, "between"),
        ({"seeds": 0}, "between"),
        ({"seeds": 50, "count": 60, "values": "0:1:9"}, "low:high:count|0 < low"),
        ({"seeds": 50, "count": 60, "values": "0, 0.1, 0.2"}, "runs, more than"),
        ({"values": "0, 1"}, "below 1"),
        ({"values": "__import__('os')"}, "written as numbers"),
        ({"second": "batch_size", "values": "0"}, "whole numbers"),
        ({"second": "decay"}, "cannot be"),
        ({"unit": "epochs", "budget": 1.5}, "whole number"),
        ({"model": "network", "hidden": []}, "at least one hidden layer"),
        ({"model": "network", "hidden": [1e9]}, "between"),
    ],
)
def test_what_cannot_be_compared_is_a_sentence(change, sentence):
    with pytest.raises(FalllineError, match=sentence):
        ask(CompareView(Collected(), Given()), "start", **{**ASKED, **change})


def test_nothing_is_there_before_the_first_sweep():
    view = CompareView(Collected(), Given())
    for kind in ("map", "cell", "network", "csv"):
        with pytest.raises(FalllineError, match="Run first"):
            ask(view, kind, optimizer="sgd", i=0, j=0)


def test_a_stopped_sweep_keeps_what_is_finished_or_says_that_nothing_is():
    view = CompareView(Collected(), Given())
    ask(view, "start", **ASKED)
    with pytest.raises(FalllineError, match="stop it"):
        ask(view, "start", **ASKED)
    ask(view, "stop")
    ran(view)
    last = view.out.sent[-1]
    assert last["type"] == "result" or "before a single run" in last["sentence"]
    if last["type"] == "result":
        assert last["stopped"] == "interrupted"


def test_the_user_s_table_and_its_columns(tmp_path):
    table = tmp_path / "<b>mine.csv"
    table.write_text("<script>,b\n" + "\n".join(f"{i},{i}" for i in range(30)) + "\n")
    view = CompareView(Collected(), Given(table))
    ask(view, "columns", data=str(table))
    ran(view)
    found = view.out.last("columns")
    assert found["columns"] == ["<script>", "b"]
    assert found["rows"] == 30
    json.dumps(found)
    ask(view, "start", **{**ASKED, "data": "given", "target": "nothing"})
    ran(view)
    assert "nothing" in view.out.last("failed")["sentence"]


def test_nobody_is_told_to_widen_a_number_below_nothing():
    found = beyond(["learning_rate", "momentum"], {"learning_rate": 1.0, "momentum": 0.0})
    assert found == ["learning_rate"]
