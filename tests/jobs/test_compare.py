from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import polars as pl
import pytest

from fallline import FalllineError, models, terrains, train
from fallline.data.readers import read_table
from fallline.jobs.compare import CompareConfig, Reporter, compare, kind_of
from fallline.jobs.comparison import Entry, verdict
from fallline.jobs.config import FitConfig
from fallline.jobs.fit import cut
from fallline.store import files

# Four rates always: one program.
RATES = {"learning_rate": "0.001:1:4"}
FAR = {"learning_rate": "0.0001,0.01,100,1000"}


@pytest.fixture
def table(tmp_path, colours):
    pl.DataFrame(colours).write_csv(tmp_path / "t.csv")
    return str(tmp_path / "t.csv")


def quick(data, **options) -> CompareConfig:
    options = {"target": "y", "model": "linear", "optimizers": "sgd,adam", **options}
    return CompareConfig(data, **{"varied": RATES, "epochs": 20, "seeds": 2, **options})


@dataclasses.dataclass
class Heard(Reporter):
    """Keeps what it is told."""

    said: list = dataclasses.field(default_factory=list)
    ends_at: float = math.inf

    def table(self, encoder, rows):
        self.said.append(("table", encoder.target, rows))

    def function(self, terrain, starts):
        self.said.append(("function", terrain.name, starts))

    def note(self, sentence):
        self.said.append(("note", sentence))

    def starting(self, budget):
        self.said.append(("budget", budget))

    def progress(self, done, total):
        return done >= self.ends_at


# --- tables --------------------------------------------------------------------------------------


def test_the_race_is_on_the_rows_that_fit_would_train_on(table):
    heard = Heard()
    made = compare(quick(table, batch_sizes=(32,)), heard)
    fit = FitConfig(data=table, target="y", model="linear")
    rows = cut(read_table(table), "y", fit)
    assert heard.said == [("table", "y", rows.counts), ("budget", "20 epochs, 80 steps")]
    assert made.facts["rows"] == rows.counts == {"training": 108, "validation": 12, "test": 30}
    for row in made.rows:
        for seed in (0, 1):
            run = train(
                models.Linear(rows.training[0].shape[1], 1),
                "squared_error",
                rows.training,
                optimizer=made.sweep.optimizer(row),
                validation=rows.validation,
                batch_size=32,
                epochs=20,
                patience=math.inf,
                seed=seed,
            )
            mine = made.runs.filter(
                (pl.col("optimizer") == row["optimizer"])
                & (pl.col("learning_rate") == row["learning_rate"])
                & (pl.col("seed") == seed)
            )
            ended = run.history.validation_loss[-1]
            assert mine["validation_loss"].item() == pytest.approx(ended, rel=1e-3)


def test_the_score_is_on_the_test_rows_which_decide_nothing(table):
    made = compare(quick(table))
    fit = FitConfig(data=table, target="y", model="linear")
    rows = cut(read_table(table), "y", fit)
    x, y = rows.test
    truth = rows.encoder.decode(y)
    for entry, row in zip(made.entries, made.rows, strict=True):
        scores = []
        for seed in (0, 1):
            params = made.sweep.params(row, seed)["affine1"]
            predicted = rows.encoder.decode((x @ params["weights"] + params["bias"])[:, 0])
            scores.append(
                1 - np.sum((truth - predicted) ** 2) / np.sum((truth - truth.mean()) ** 2)
            )
        assert entry.score == pytest.approx(np.median(scores), abs=1e-4)
    assert made.facts["metric"] == "r2"
    # Other test rows, with other targets: the race is the same, the score is not.
    other = pl.read_csv(table).with_columns(y=pl.col("y") * 2)
    other.write_csv(table.replace("t.csv", "u.csv"))
    held = [compare(quick(table, test=table.replace("t.csv", f"{n}.csv"))) for n in "tu"]
    assert held[0].runs.equals(held[1].runs)
    assert held[0].entries[0].score != held[1].entries[0].score


def test_each_optimizer_is_at_its_own_best(table):
    made = compare(quick(table))
    assert {entry.optimizer for entry in made.entries} == {"sgd", "adam"}
    for entry in made.entries:
        mine = made.sweep.settings.filter(pl.col("optimizer") == entry.optimizer)
        best = mine.row(mine["median"].arg_min(), named=True)
        assert entry.setting == {"learning_rate": best["learning_rate"]}
        assert (entry.median, entry.low, entry.high) == (best["median"], best["low"], best["high"])
        by_rate = dict(zip(mine["learning_rate"], mine["median"], strict=True))
        assert entry.by_rate == sorted(by_rate.items())
        assert entry.reached is None
    medians = [entry.median for entry in made.entries]
    assert medians == sorted(medians)


def test_classes_are_scored_by_accuracy_and_networks_are_the_default():
    config = CompareConfig(
        "iris", hidden=(4,), optimizers="adam", varied={"learning_rate": "0.01"}, seeds=1, epochs=30
    )
    made = compare(config)
    assert made.facts["model"] == "mlp"
    assert made.facts["metric"] == "accuracy"
    assert made.entries[0].score > made.facts["baseline"]
    assert made.entries[0].score * 30 == pytest.approx(round(made.entries[0].score * 30))


@pytest.mark.parametrize(
    ("options", "budget"),
    [
        ({"epochs": None}, "200 epochs, 200 steps"),
        ({"epochs": None, "batch_sizes": (2,)}, "10 epochs, 540 steps"),
        ({"epochs": None, "steps": 7}, "7 epochs, 7 steps"),
        ({"epochs": 1}, "1 epoch, 1 step"),
        ({"batch_sizes": (32, 64)}, "20 epochs"),
    ],
)
def test_the_budget(table, options, budget):
    heard = Heard()
    varied = {"learning_rate": "0.01"}
    made = compare(quick(table, varied=varied, optimizers="sgd", seeds=1, **options), heard)
    assert made.budget == heard.said[-1][1] == budget
    steps = made.runs["steps"].to_list()
    if "," in budget:
        assert steps == [int(budget.split(", ")[1].split()[0])]


def test_several_batch_sizes_are_part_of_the_setting(table):
    made = compare(quick(table, batch_sizes=(32, 64)))
    assert set(made.entries[0].setting) == {"batch_size", "learning_rate"}
    assert made.entries[0].score is not None


def test_where_an_optimizer_diverges_is_told(table):
    made = compare(quick(table, varied=FAR))
    by_name = {entry.optimizer: entry for entry in made.entries}
    assert by_name["sgd"].diverged_from == 100
    assert by_name["sgd"].at_edge == []
    assert [math.isfinite(v) for _, v in by_name["sgd"].by_rate] == [True, True, False, False]


def test_when_everything_diverges(table):
    varied = {"learning_rate": "1e3,3e3,1e4,1e5"}
    made = compare(quick(table, optimizers="sgd,momentum", varied=varied))
    assert made.winner is None
    assert made.sentence == "Every setting diverged: try lower learning rates."
    assert made.entries[0].score is None
    assert made.entries[0].at_edge == []


def test_without_validation_the_training_loss_decides_and_without_test_there_is_no_score(table):
    made = compare(quick(table, validation=0.0, test=0.0))
    assert made.sweep.measure == "training_loss"
    assert made.entries[0].score is None
    assert made.facts["baseline"] is None


def test_the_summary_is_json(table):
    made = compare(quick(table, varied=FAR))
    told = json.loads(files.to_json(made.to_json()))
    assert told["data"] == table
    assert told["seeds"] == [0, 1]
    assert told["settings"] == 8
    assert told["runs"] == 16
    assert [o["optimizer"] for o in told["optimizers"]] == [e.optimizer for e in made.entries]
    assert told["optimizers"][-1]["by_rate"][-1] == [1000.0, None]
    assert told["sentence"] == made.sentence


def test_what_was_finished_when_it_was_ended_counts(table):
    made = compare(quick(table, optimizers="sgd,momentum,adam"), Heard(ends_at=8))
    assert made.sweep.stopped == "interrupted"
    assert [entry.optimizer for entry in made.entries] == ["sgd"]
    assert made.entries[0].score is not None


# --- functions -----------------------------------------------------------------------------------


def test_a_terrain_races_many_balls():
    heard = Heard()
    made = compare(CompareConfig("Himmelblau", seeds=2, steps=150, starts=20), heard)
    assert heard.said == [("function", "himmelblau", 20), ("budget", "150 steps")]
    assert made.facts == {"kind": "function", "starts": 20, "steps": 150}
    assert made.winner is None
    reached = [entry.reached for entry in made.entries]
    assert reached == sorted(reached)
    first = made.entries[0]
    assert made.sentence.startswith("No clear winner: ")
    assert f"{first.optimizer} after {first.reached} steps" in made.sentence
    # The soonest setting: no other of this optimizer is below a thousandth of the fall sooner.
    begun = np.median(made.sweep.curves[:, 0])
    for row in made.sweep.settings.filter(pl.col("optimizer") == first.optimizer).to_dicts():
        curve = np.median(made.sweep.curves_of(row), axis=0)
        if first.reached:
            assert curve[first.reached - 1] > 1e-3 * begun


def test_a_formula_is_a_function():
    config = CompareConfig(
        "x^2 + 3*y^2", varied={"learning_rate": "0.01,0.1,0.3"}, steps=40, starts=5
    )
    made = compare(config)
    # Plain descent at rate r multiplies x by 1 - 2r and y by 1 - 6r each step: 0.3 is best for neither.
    sgd = next(e for e in made.entries if e.optimizer == "sgd")
    assert sgd.setting["learning_rate"] in (0.1, 0.3)
    assert sgd.median < 1e-6


def test_the_curves_are_those_of_the_best(table):
    made = compare(CompareConfig("sphere", seeds=2, steps=50, starts=3, optimizers="sgd,adam"))
    curves, unit, stride = made.curves()
    assert (unit, stride) == ("step", 1.0)
    assert [label.split()[0] for label in curves] == [e.optimizer for e in made.entries]
    assert all(curve.shape == (2, 50) for curve in curves.values())
    made = compare(quick(table))
    curves, unit, stride = made.curves()
    assert (unit, stride) == ("epoch", 1.0)
    assert all(curve.shape == (2, 20) for curve in curves.values())


def test_a_file_wins_over_a_terrain_and_that_is_said(tmp_path, monkeypatch, colours):
    monkeypatch.chdir(tmp_path)
    pl.DataFrame(colours).write_csv("himmelblau")
    terrain, notes = kind_of(CompareConfig("himmelblau"))
    assert terrain is None
    assert "'himmelblau' is a file here, so it is read as a table" in notes[0]
    (tmp_path / "himmelblau").unlink()
    terrain, notes = kind_of(CompareConfig("himmelblau"))
    assert terrain is terrains.by_name("himmelblau")
    assert notes == []
    assert kind_of(CompareConfig("digits")) == (None, [])


# --- what may be said ----------------------------------------------------------------------------


def entry(name, median, low=None, high=None, *, seeds=3, edge=(), reached=None) -> Entry:
    low, high = (median if v is None else v for v in (low, high))
    setting = {"learning_rate": 0.1}
    return Entry(name, setting, median, low, high, seeds, list(edge), None, None, [], reached)


@pytest.mark.parametrize(
    ("entries", "winner", "sentence"),
    [
        (
            [entry("a", 1.0, 0.9, 1.1), entry("b", 1.5, 1.2, 1.8)],
            "a",
            "a is best: the middle half of its seeds lies below that of b.",
        ),
        (
            [entry("a", 1.0, 0.9, 1.3), entry("b", 1.5, 1.2, 1.8)],
            None,
            "No clear winner: the seeds of a and b overlap.",
        ),
        (
            [entry("a", 1.0, 0.9, 1.2), entry("b", 1.5, 1.4, 1.8), entry("c", 1.6, 1.1, 1.8)],
            None,
            "No clear winner: the seeds of a and c overlap.",
        ),
        (
            [entry("a", 1.0), entry("b", 1.0005)],
            None,
            "No clear winner: a and b end as low as each other, to a thousandth.",
        ),
        (
            [entry("a", 1.0, seeds=1), entry("b", 1.5, seeds=1)],
            None,
            "a ended lowest, but a single seed does not tell luck from merit: take more --seeds.",
        ),
        ([entry("a", math.inf), entry("b", math.inf)], None, "Every setting diverged: try lower "),
        ([entry("a", 1.0), entry("b", math.inf)], "a", "Only a did not diverge."),
        ([entry("a", 1.0)], None, "Only a ran, so there is nothing to compare it with."),
        (
            [entry("a", 1.0, edge=["learning_rate"]), entry("b", 2.0)],
            "a",
            "of b. The best learning rate of a is at the edge of what was tried: widen it.",
        ),
        (
            [entry("a", 1.0, edge=["learning_rate"]), entry("b", 2.0, edge=["momentum"])],
            "a",
            "The best learning rate of a and momentum of b are at the edge of what was tried: widen them.",
        ),
    ],
)
def test_a_winner_is_named_only_if_it_is_clear(entries, winner, sentence):
    found, words = verdict(entries)
    assert found == winner
    assert sentence in words


def test_of_a_function_the_level_says_what_is_equal():
    both = [entry("a", 1e-12, reached=5), entry("b", 1e-9, reached=50)]
    assert verdict(both)[0] == "a"
    assert verdict(both, level=0.1) == (
        None,
        "No clear winner: a and b end as low as each other, a after 5 steps and b after 50 steps.",
    )


# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "options", "sentence"),
    [
        (
            "himelblau",
            {},
            "no table, bundled set or terrain called 'himelblau': did you mean 'himmelblau'?",
        ),
        ("nowhere.csv", {}, "There is no file nowhere.csv"),
        ("no/where", {}, "There is no file no/where"),
        ("x^2 + sin(y", {}, "is never closed"),
        ("x^2 + z", {}, "z"),
        ("himmelblau", {"target": "y"}, "'himmelblau' is a function, which has no --target"),
        ("himmelblau", {"epochs": 3}, "'himmelblau' is a function, which has no --epochs"),
        (
            "himmelblau",
            {"batch_sizes": (8,)},
            "'himmelblau' is a function, which has no --batch-sizes",
        ),
        ("himmelblau", {"steps": 0}, "The number of steps must be a whole number above 0"),
        ("himmelblau", {"starts": 0}, "The number of starts must be a whole number above 0"),
        ("himmelblau", {"varied": {"l2": "0.1"}}, "no penalty l2"),
        ("wine", {"starts": 5}, "'wine' is a table, which has no --starts"),
        ("wine", {"target": "tarte"}, "tarte"),
        ("wine", {"model": "forest"}, "no model called 'forest'"),
        ("wine", {"epochs": 0}, "The number of epochs must be a whole number above 0"),
        ("wine", {"optimizers": "adm"}, "did you mean 'adam'?"),
        ("wine", {"varied": {"learning_rate": "1:1e-4:5"}}, "low:high:count"),
        ("wine", {"varied": {"learning_rate": ""}}, "at least one value of learning_rate"),
        ("wine", {"varied": {"momentu": "0.9"}}, "did you mean 'momentum'?"),
        ("wine", {"varied": {"momentum": "0.9"}, "optimizers": "sgd"}, "'momentum'"),
        ("wine", {"seeds": 0}, "The number of seeds must be a whole number above 0"),
        ("wine", {"batch_sizes": ("many",)}, "The batch size must be 'auto', 'full'"),
        ("wine", {"validation": 1.5}, "The validation share"),
        ("wine", {"loss": "squared_error"}, "cannot be learned as a number"),
    ],
)
def test_mistakes_are_sentences(data, options, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FalllineError) as caught:
        compare(CompareConfig(data, **options))
    assert sentence in str(caught.value)
