from __future__ import annotations

import json
import os
import shlex
import shutil
import sys

import numpy as np
import polars as pl
import pytest

import fallline
from fallline.cli import diagnose as command
from fallline.cli.main import main
from fallline.diagnosis.case import Case, RunCase
from fallline.diagnosis.doctor import examine
from fallline.diagnosis.words import zh
from fallline.errors import FalllineError
from fallline.jobs.config import FitConfig
from fallline.jobs.diagnose import case_of, rows_of
from fallline.jobs.table_case import TableCase, column_of, command_of
from fallline.models import Linear
from fallline.store.folder import RunFolder

FIT = [*"fit t.csv --target y --model linear --optimizer sgd --schedule constant".split()]
SICK = [*FIT, "--batch-size", "32", "--epochs", "20", "--lr", "5"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a table and a run that blew up; what the fit said."""
    folder = tmp_path_factory.mktemp("home")
    random = np.random.default_rng(0)
    x = random.normal(size=(400, 3))
    y = x @ np.array([3.0, -2.0, 0.5]) + 0.1 * random.normal(size=400)
    columns = {f"a{i}": x[:, i] for i in range(3)} | {"kind": ["u", "v"] * 200, "y": y}
    pl.DataFrame(columns).write_csv(folder / "t.csv")
    return folder


@pytest.fixture(autouse=True)
def english(monkeypatch):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(home, monkeypatch, capsys):
    """Run a command there; its exit code, what it said and its remarks."""
    monkeypatch.chdir(home)

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fallline", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return (end.value.code or 0, *capsys.readouterr())

    return call


@pytest.fixture
def sick(home, run):
    """A run that blew up, in runs/sick."""
    if not (home / "runs" / "sick").exists():
        code, out, _ = run(*SICK, "--out", "runs/sick", "--quiet")
        assert code == 0
        # The end of a fit names the cause.
        assert (
            out.rstrip()
            .splitlines()[-2]
            .startswith("✗ The run diverged: the learning rate of 5 is too high.")
        )
        assert out.rstrip().endswith("fallline diagnose runs/sick")
    return home / "runs" / "sick"


def test_the_report_names_the_cause_and_a_command_that_mends_it(sick, run):
    code, out, err = run("diagnose", "runs/sick")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[1] == "✗ Learning rate too high   runs/sick"
    assert any(line.startswith("  · ") for line in lines)
    assert sum(line.startswith("  Fix  ") for line in lines) == 1
    tried = next(line.removeprefix("  Try  ") for line in lines if line.startswith("  Try  "))
    words = shlex.split(tried)
    assert words[:2] == ["fallline", "fit"]
    rate = float(words[words.index("--lr") + 1])
    assert rate < 5
    assert words == ["fallline", *SICK[:8], "--lr", f"{rate:g}", *SICK[8:14]]
    code, out, _ = run(*words[1:], "--json", "--out", f"runs/mended-{os.getpid()}")
    assert json.loads(out)["value"] > 0.9


def test_json(sick, run):
    code, out, err = run("diagnose", "sick", "--json", "--prove")
    assert (code, err) == (0, "")
    said = json.loads(out)
    assert said["healthy"] is False
    (finding,) = said["findings"]
    assert {"name", "verdict", "evidence", "rule", "source", "fix", "proven"} <= set(finding)
    assert finding["name"] == "learning-rate-too-high"
    assert len(finding["evidence"]) >= 2
    assert finding["changes"]["learning_rate"] < 5
    assert finding["proven"]["helped"] is True
    assert finding["proven"]["before"] is None
    assert finding["proven"]["after"] < 0.1


def test_from_the_history_alone_in_chinese(sick, run, monkeypatch):
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    _, out, _ = run("diagnose", "--history-only", "sick")
    assert out.splitlines()[1].startswith("✗ 学习率过高")
    assert "仅依据训练记录" in out
    assert "fallline fit t.csv" in out
    monkeypatch.delenv("LANG")
    assert run("diagnose", "--history-only", "sick", "--lang", "zh")[1] == out
    code, out, err = run("diagnose", "sick", "--lang", "fr")
    assert (code, out) == (2, "")
    assert "does not speak 'fr'" in err


def test_the_proof_is_shown_and_drawn(sick, run, home):
    _, out, _ = run("diagnose", "sick", "--prove", "--plot", "why.png")
    assert "Proven: with the fix" in out
    assert "● without the fix" in out
    assert (home / "why.png").read_bytes().startswith(b"\x89PNG")
    code, _, err = run("diagnose", "sick", "--plot", "why.doc")
    assert code == 2
    assert "cannot be written as '.doc'" in err


def test_the_figure(sick, home, monkeypatch):
    import matplotlib.pyplot as plt

    from fallline.show.diagnosis import diagnosis

    monkeypatch.chdir(home)
    found = fallline.diagnose(sick, prove=True)
    ax = diagnosis(found, theme="dark")
    assert ax.get_title(loc="left") == "Learning rate too high"
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "without the fix",
        "with the fix",
    ]
    assert any("Proven" in t.get_text() for t in ax.texts)
    mended = found.findings[0].apply()
    assert isinstance(mended, FitConfig)
    assert mended.learning_rate < 5
    assert ax.get_yscale() == "log"
    plt.close("all")


def test_runs_that_are_not_there(run, home, monkeypatch, tmp_path):
    code, out, err = run("diagnose", "nowhere")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "nowhere is no folder" in err
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FalllineError, match="There is no run in runs/ to diagnose"):
        command.found_run(None)


def test_a_table_that_changed_or_is_gone(sick, run, home):
    table, kept = home / "t.csv", (home / "t.csv").read_bytes()
    try:
        table.write_bytes(kept + b"1,2,3,u,4\n")
        code, out, err = run("diagnose", "sick")
        assert code == 0
        assert "The data have changed" in err
        assert "Learning rate too high" in out
        assert "nothing was measured" in out
        table.rename(home / "moved.csv")
        assert "cannot be read any more" in run("diagnose", "sick", "--json")[2]
        with pytest.warns(UserWarning, match="cannot be read any more"):
            assert not fallline.diagnose(sick).measured
        (home / "moved.csv").write_bytes(kept)
        code, out, err = run("diagnose", "sick", "--data", "moved.csv")
        assert (code, err) == (0, "")
        assert "Measured in" in out
    finally:
        table.write_bytes(kept)


def test_an_unfinished_run_is_diagnosed_by_its_checkpoint(sick, home, monkeypatch):
    monkeypatch.chdir(home)
    again = home / "runs" / "unfinished"
    shutil.copytree(sick, again)
    RunFolder(again).mark("running")
    try:
        case, remark = case_of(again)
        assert (remark, case.ended) == ("", "interrupted")
        whole, _ = case_of(sick)
        assert len(case.history) == len(whole.history)
        assert case.end is not None
        assert examine(case, measure=False).findings[0].name == "learning-rate-too-high"
        shutil.rmtree(again / "checkpoints")
        with pytest.raises(FalllineError, match="has kept nothing yet"):
            case_of(again)
    finally:
        shutil.rmtree(again)


def test_a_run_from_its_folder_is_posed_as_it_was_trained(sick, home, monkeypatch):
    monkeypatch.chdir(home)
    case, _ = case_of(sick)
    again = case.again({})
    np.testing.assert_array_equal(again.history.loss, case.history.loss)
    assert case.column_name(0) == "a0"
    assert case.end is not None
    assert int(case.end["step"]) == case.run.steps


def test_a_table_given_in_memory_is_handed_over_again(home, tmp_path):
    table = pl.read_csv(home / "t.csv")
    options = {"model": "linear", "optimizer": "sgd", "batch_size": 32, "epochs": 8}
    fitted = fallline.fit(table, "y", out=tmp_path / "run", **options)
    assert case_of(fitted)[0].asked
    assert case_of(tmp_path / "run")[1] == "data_in_memory"
    case, remark = case_of(tmp_path / "run", data=table)
    assert remark == ""
    np.testing.assert_array_equal(case.again({}).history.loss, case.history.loss)
    # There is no command for it; the rate that was found stays.
    assert case.command({"batch_size": 8}) == ""
    assert case.changed({"batch_size": 8}).learning_rate == fitted.run.learning_rate
    assert case_of(tmp_path / "run", data=table.head(100))[1] == "data_changed"


def config_asked(run, monkeypatch, line: str) -> FitConfig:
    """What a command line asks for; nothing is trained."""

    def asked(config: FitConfig, **_: object) -> None:
        raise FalllineError(repr(config))

    monkeypatch.setattr("fallline.jobs.fit.run_fit", asked)
    _, _, err = run(*shlex.split(line)[1:])
    return err


ODD = FitConfig(
    data="a b.csv",
    target="it's",
    model="mlp",
    hidden=(32, 16),
    batch_norm=True,
    init="lecun",
    optimizer="momentum",
    learning_rate=1e-5,
    schedule="cosine",
    batch_size=64,
    patience=float("inf"),
    l2=0.5,
    clip_norm=1.0,
    average=0.0,
    drop=("x", "y z"),
    test="t 2.csv",
    seed=3,
    hyperparameters={"momentum": 0.8},
)


@pytest.mark.parametrize("config", [FitConfig(data="t.csv"), ODD])
def test_the_command_asks_for_the_config(config, run, monkeypatch):
    assert repr(config) in config_asked(run, monkeypatch, command_of(config))


def test_changes_are_options(sick, home, monkeypatch):
    monkeypatch.chdir(home)
    case = case_of(sick)[0]
    assert isinstance(case, TableCase)

    def new(**changes):
        return case.changed(changes)

    assert new(learning_rate=0.1).learning_rate == 0.1
    assert new(schedule=("cosine", 300)).schedule == "cosine"
    assert new(batch_size=7, epochs=3, l2=0.1, clip_norm=None).batch_size == 7
    assert (new(hidden=(8,)).model, new(hidden=(8,)).hidden) == ("mlp", (8,))
    moved = new(momentum=0.9)
    assert (moved.optimizer, dict(moved.hyperparameters)) == ("momentum", {"momentum": 0.9})
    assert new(optimizer="adam", epsilon=1e-8).hyperparameters == {"epsilon": 1e-8}
    assert new(patience=None).patience == float("inf")
    assert new(l1=None).l1 == 0
    # An encoded column belongs to a column of the table.
    names = case.fitted.encoder.feature_names
    assert column_of(case.fitted.encoder, names.index("kind=v")) == "kind"
    assert new(drop=names.index("kind=u")).drop == ("kind",)
    assert case.again({"drop": names.index("kind=u"), "epochs": 1}).model.inputs == len(names) - 2
    assert case.changed({"learning_rate": 0.1}, case.asked)["data"][0].shape[1] == len(names)
    for changes in ({"params": {}}, {"standardize": "inputs"}, {"steps": 3}):
        with pytest.raises(FalllineError, match="fallline fit"):
            case.changed(changes)
        assert case.command(changes) == ""


def test_what_can_be_diagnosed():
    x = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    trained = fallline.train(Linear(2), "squared_error", (x, x[:, 0]), learning_rate=0.1, epochs=2)

    class Estimator:
        run_ = trained

    class Recorder:
        def case(self):
            return Case()

    for subject in (trained, Estimator()):
        case, remark = case_of(subject)
        assert isinstance(case, RunCase)
        assert (case.run, remark) == (trained, "")
    assert type(case_of(Recorder())[0]) is Case
    memory, _ = rows_of(FitConfig(), None)
    assert memory is None
    with pytest.raises(FalllineError, match="nothing to diagnose in int"):
        fallline.diagnose(3)


def test_a_fit_that_is_well_says_so_in_a_line_or_in_full(run, home):
    well = [*FIT, "--lr", "0.1", "--batch-size", "32", "--epochs", "30"]
    _, out, _ = run(*well, "--quiet")
    assert out.splitlines()[-1].startswith("✓ ")
    _, out, _ = run(*well, "--json", "--diagnose")
    said = json.loads(out)["diagnosis"]
    assert said["healthy"] is True
    assert said["measured"] is True


def test_lines_break_between_words_and_between_chinese_characters():
    assert command.broken("one two three", 8) == ["one two", "three"]
    text = "学习率 5 过高：每一步都越过谷底，而不是向谷底下降。"
    lines = command.broken(text, 16)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(command._cells(line) <= 18 for line in lines)
    assert not any(line[0] in "，。：" for line in lines)
    for sentence in (*zh.VERDICTS.values(), *zh.LABELS.values()):
        assert "".join(command.pieces(sentence)) == sentence
