from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.image
import numpy as np
import polars as pl
import pytest

from fallline.cli import compare as command
from fallline.cli import screen

COMMAND = str(Path(sys.executable).with_name("fallline"))
RACE = ["--optimizers", "sgd,adam", "--learning-rates", "0.001:1:4", "--seeds", "2"]
TABLE = ["compare", "t.csv", "--target", "y", "--model", "linear", "--epochs", "20", *RACE]
TERRAIN = ["compare", "sphere", "--steps", "50", "--starts", "5", *RACE]


@pytest.fixture(autouse=True)
def utf8(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


def rows_of(out: str) -> dict[str, list[str]]:
    """The table's rows by optimizer, cells split at two blanks or more."""
    lines = [line for line in out.splitlines() if line.startswith("●")]
    cells = [re.split(r"\s{2,}", line.removeprefix("● ").strip()) for line in lines]
    return {row[0]: row[1:] for row in cells}


def heads_of(out: str) -> list[str]:
    """The table's heads, each two lines that end at the same place."""
    lines = out.splitlines()
    last = next(i for i, line in enumerate(lines) if line.startswith("optimizer"))
    upper, lower = lines[last - 1], lines[last]
    found = []
    for match in re.finditer(r"\S+( \S+)*", lower):
        above = upper[max(match.start() - 12, 0) : match.end()].split("  ")[-1].strip()
        found.append(f"{above} {match[0]}".strip())
    return found


# --- what is printed -----------------------------------------------------------------------------


def test_a_row_for_each_optimizer_and_a_sentence(run, table):
    done = run(*TABLE)
    assert done.code == 0
    assert done.err.splitlines()[0] == "fallline compares optimizers on y: regression"
    assert "  the same budget for every run: 20 epochs, 20 steps" in done.err.splitlines()
    told = json.loads(run(*TABLE, "--json").out)
    rows = rows_of(done.out)
    assert list(rows) == [o["optimizer"] for o in told["optimizers"]]
    for optimizer in told["optimizers"]:
        rate, median, spread, score, *_ = rows[optimizer["optimizer"]]
        assert rate.removeprefix("! ") == f"{optimizer['setting']['learning_rate']:.3g}"
        assert rate.startswith("!") == bool(optimizer["at_edge"])
        assert median == f"{optimizer['median']:.4g}"
        assert spread == f"{optimizer['low']:.3g} - {optimizer['high']:.3g}"
        assert score == f"{optimizer['score']:.4f}"
    assert done.out.splitlines()[-1] == told["sentence"]
    heads = heads_of(done.out)
    assert heads[:5] == ["optimizer", "learning rate", "validation loss", "middle half", "test R2"]


def test_the_drawing_has_the_rates_below_it(run, table):
    out = run(*TABLE).out
    assert "validation loss against learning rate" in out
    below = next(
        line for line in out.splitlines() if "● sgd  ● adam" in line or "● adam  ● sgd" in line
    )
    assert below.split()[0] == "0.001"
    assert below.split()[-1] == "1"
    assert any(0x2801 <= ord(c) <= 0x28FF for c in out)


@pytest.mark.parametrize("how", ["quiet", "dumb", "one rate"])
def test_no_drawing_where_there_is_none_to_see(run, table, monkeypatch, how):
    one = ["--optimizers", "sgd", "--learning-rates", "0.1"]
    more = {"quiet": ["--quiet"], "dumb": [], "one rate": one}[how]
    if how == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    done = run(*TABLE, *more)
    assert not any(0x2801 <= ord(c) <= 0x28FF for c in done.out)
    assert rows_of(done.out)
    assert (done.err == "") == (how == "quiet")


def test_a_terrain_tells_how_soon(run):
    done = run(*TERRAIN)
    assert done.code == 0
    assert "  5 starts a run, the median ball counts" in done.err.splitlines()
    assert "there after" in heads_of(done.out)
    told = json.loads(run(*TERRAIN, "--json").out)
    for optimizer in told["optimizers"]:
        cells = rows_of(done.out)[optimizer["optimizer"]]
        if optimizer["reached"] is None:
            assert not any(cell.endswith(" steps") for cell in cells)
        else:
            assert f"{optimizer['reached']} steps" in cells
    assert told["optimizers"][0]["reached"] is not None
    assert not any(head.startswith("test") for head in heads_of(done.out))


def test_a_formula(run):
    done = run("compare", "x^2 + 3*y^2", "--steps", "30", "--learning-rates", "0.1,0.2", *RACE[:2])
    assert done.code == 0
    assert "compares optimizers on x^2 + 3*y^2" in done.err


def test_what_diverges_and_what_is_at_the_edge(run, table):
    # Four rates each, as in the other tests: the same programs.
    done = run(*TABLE, "--learning-rates", "0.0001,0.0005,0.001,1000")
    rows = rows_of(done.out)
    assert rows["sgd"][0] == "0.001"
    assert rows["sgd"][-1] == "1e+03"
    assert heads_of(done.out)[-1] == "diverges from"
    done = run(*TABLE, "--learning-rates", "0.0001,0.00015,0.0002,0.0003")
    assert rows_of(done.out)["sgd"][0] == "! 0.0003"
    assert "! at the edge of what was tried" in done.out
    assert "widen" in done.out.splitlines()[-1]
    done = run(*TABLE, "--optimizers", "sgd", "--learning-rates", "1e3,3e3,1e4,1e5")
    assert rows_of(done.out)["sgd"][:2] == ["-", "diverged"]
    assert done.out.splitlines()[-1] == "Every setting diverged: try lower learning rates."


def test_other_hyper_parameters_have_columns(run, table):
    options = ["--optimizers", "momentum,sgd", "--momentum", "0.5,0.9", "--l2", "0,0.1"]
    done = run(*TABLE, *options, "--batch-sizes", "32,64")
    assert heads_of(done.out)[:5] == [
        "optimizer",
        "batch size",
        "learning rate",
        "momentum",
        "l2",
    ]
    assert rows_of(done.out)["sgd"][2] == "-"


def test_eighty_places_are_enough(run, table, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = run(*TABLE, "--optimizers", "momentum,rmsprop", "--momentum", "0.5,0.9")
    assert "…" not in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines()[:-1])


def test_help_has_examples(run):
    done = run("compare", "--help")
    assert done.code == 0
    for part in ("--learning-rates", "--seeds", "fallline compare himmelblau", "1e-4:1:13"):
        assert part in done.out


# --- what is written -----------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_table_of_all_runs(run, table, tmp_path, ending):
    done = run(*TABLE, "--out", f"runs.{ending}")
    assert done.code == 0
    assert f"Written to runs.{ending}." in done.err
    read = {"csv": pl.read_csv, "parquet": pl.read_parquet, "jsonl": pl.read_ndjson}[ending]
    frame = read(tmp_path / f"runs.{ending}")
    assert frame.height == 2 * 4 * 2
    for column in ("optimizer", "learning_rate", "seed", "validation_loss", "steps", "diverged"):
        assert column in frame.columns
    assert set(frame["seed"]) == {0, 1}


def test_a_picture_of_the_race_and_a_table(run, tmp_path):
    done = run(*TERRAIN, "--out", "race.png", "--out", "race.svg", "--out", "runs.csv")
    assert done.code == 0
    pixels = matplotlib.image.imread(tmp_path / "race.png")
    assert pixels.shape[0] > 500
    assert np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0).shape[0] > 10
    assert (tmp_path / "race.svg").read_text().lstrip().startswith("<?xml")
    assert pl.read_csv(tmp_path / "runs.csv").height == 16


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--out", "race.gif"], "'race.gif' is neither"),
        (["--out", "no/race.png"], "There is no folder no"),
        (["--learning-rates", "a:b:c"], "low:high:count"),
        (["--optimizers", "adm"], "did you mean 'adam'?"),
        (["--momentum", "0.9", "--optimizers", "sgd"], "hyper-parameter 'momentum'"),
        (["--seeds", "0"], "The number of seeds"),
        (["--batch-sizes", "0"], "The batch size must be"),
        (["--hidden", "a"], "Hidden layers"),
        (["--starts", "5"], "has no --starts"),
    ],
)
def test_mistakes_are_sentences(run, table, words, part):
    done = run(*TABLE, *words)
    assert done.code == 2
    assert done.out == ""
    (complaint,) = [line for line in done.err.splitlines() if line.startswith("fallline: ")]
    assert part in complaint


def test_a_word_that_is_nothing(run):
    done = run("compare", "himelblau")
    assert done.code == 2
    assert done.err.strip().endswith("called 'himelblau': did you mean 'himmelblau'?")


# --- terminals, pipes, Ctrl-C --------------------------------------------------------------------


def test_json_alone_on_stdout(run, table):
    done = run(*TABLE, "--json")
    assert done.err == ""
    assert json.loads(done.out)["kind"] == "table"


def terminal(words, cwd, press_at=None, **variables):
    """Run a command in a terminal of its own; press Ctrl-C once some text has been seen."""
    leader, follower = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")}
    process = subprocess.Popen(
        [COMMAND, *words],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        cwd=cwd,
        env={**env, "TERM": "xterm-256color", **variables},
        start_new_session=True,
    )
    os.close(follower)
    seen, pressed, until = b"", False, time.monotonic() + 100
    while time.monotonic() < until:
        try:
            part = os.read(leader, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
        if press_at and not pressed and re.search(press_at, seen):
            pressed = True
            os.kill(process.pid, signal.SIGINT)
    os.close(leader)
    return process.wait(timeout=30), seen.decode(errors="replace")


def test_ctrl_c_keeps_what_is_finished(table, tmp_path):
    words = [*TABLE[:5], "linear", "--steps", "20000", "--batch-sizes", "8", *RACE]
    words[words.index("sgd,adam")] = "sgd,momentum,adam,rmsprop,nadam"
    code, seen = terminal(words, tmp_path, press_at=rb"(1?[89]|1\d)/40 runs")
    assert code == 130, seen[-2000:]
    found = re.search(r"Interrupted: (\d+) of 40 runs were finished\.", seen)
    assert found, seen[-2000:]
    assert 8 <= int(found[1]) < 40
    assert "sgd" in rows_of(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen).replace("\r", ""))
    assert "Traceback" not in seen


def test_ctrl_c_before_anything_is_finished(run, monkeypatch):
    from fallline.jobs import compare as job

    def press(self, done, total):
        return True

    monkeypatch.setattr(command._Show, "progress", press)
    done = run("compare", "wine", "--model", "linear", "--steps", "20000", *RACE)
    assert done.code == 130
    assert done.err.splitlines()[-1] == "Interrupted before a single run was finished."
    assert done.out == ""

    def interrupt(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "sweep", interrupt)
    assert run(*TERRAIN).code == 130


def test_colours_on_a_terminal_unless_unwanted(tmp_path):
    _, seen = terminal(TERRAIN, tmp_path)
    assert re.search(r"\x1b\[[0-9;]*3[0-9]|\x1b\[[0-9;]*9[0-9]m", seen)
    assert "/16 runs" in seen
    _, plain = terminal(TERRAIN, tmp_path, NO_COLOR="1")
    assert not re.search(r"\x1b\[(3[0-7]|9[0-7]|38)", plain)


def test_a_pipe_gets_plain_text(run):
    done = run(*TERRAIN)
    assert done.code == 0
    assert "\x1b" not in done.out + done.err
    assert "runs" not in done.err


def test_the_words_below_a_drawing():
    text = screen.curve([("a", "red", [1.0, 2.0, 3.0])], width=20, height=3, ends=("left", "right"))
    below = text.plain.splitlines()[-1]
    assert below.split()[0] == "left"
    assert below.split()[-1] == "right"
    assert len(below.rstrip()) == len(text.plain.splitlines()[0])
