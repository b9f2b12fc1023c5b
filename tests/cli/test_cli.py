from __future__ import annotations

import contextlib
import gzip
import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import fallline
from fallline.cli import places, screen
from fallline.store.folder import RunFolder

COMMAND = str(Path(sys.executable).with_name("fallline"))
QUICK = ["--model", "linear", "--lr", "0.1", "--epochs", "8"]
FIT = ["fit", "t.csv", "--target", "y", *QUICK]
ISSUE_KEYS = [
    *("task", "metric", "value", "baseline", "train_seconds", "total_seconds", "steps", "epochs"),
    *("rows_seen", "learning_rate", "batch_size", "stop_reason", "run"),
]
ESCAPE = "\x1b"


def refused(done, *parts: str) -> str:
    """Check that a command ended with one sentence on stderr and nothing else."""
    assert done.code == 2, done
    assert done.out == ""
    lines = done.err.splitlines()
    assert lines, done
    # What was said before the mistake was found is no part of the complaint.
    said = [line for line in lines if not line.startswith(("fallline predicts ", "  "))]
    assert len(said) == 1, done.err
    assert said[0].startswith("fallline: ")
    assert "Traceback" not in done.err
    for part in parts:
        assert part in said[0], said[0]
    return said[0]


# --- the whole command, as a process -------------------------------------------------------------


def test_help_and_runs_load_nothing_heavy_and_are_quick(shell, table):
    facts = {"config": {"data": "t.csv", "model": "linear", "target": "y"}}
    RunFolder(table.parent / "runs" / "t-1").create(facts)
    code = (
        "import sys\n"
        "from fallline.cli.main import main\n"
        "for word in ('--help', 'runs'):\n"
        "    sys.argv = ['fallline', word]\n"
        "    try:\n        main()\n    except SystemExit:\n        pass\n"
        "heavy = ['jax', 'numpy', 'sklearn', 'polars', 'matplotlib']\n"
        "print([n for n in heavy if n in sys.modules], file=sys.stderr)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=table.parent, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr.strip() == "[]"
    assert "predict" in done.stdout
    assert "runs/t-1  linear  y" in done.stdout
    took = []
    for _ in range(3):
        began = time.perf_counter()
        assert shell("--help").code == 0
        took.append(time.perf_counter() - began)
    # 0.3 s is the aim on a free machine; tests share theirs.
    assert min(took) < 1.0


def test_help_of_every_command(run):
    for words, part in (
        (["--help"], "Start with"),
        (["fit", "-h"], "--checkpoint-every"),
        (["predict", "--help"], "--probabilities"),
        (["runs", "--help"], "--json"),
    ):
        done = run(*words)
        assert done.code == 0
        assert part in done.out
        assert done.err == ""


def test_version(run):
    assert run("--version").out == f"fallline {fallline.__version__}\n"


def test_json_is_one_object_and_all_else_on_stderr(shell, table):
    done = shell(*FIT, "--json", "--out", "run")
    assert done.code == 0
    result = json.loads(done.out)
    assert set(ISSUE_KEYS) <= set(result)
    assert result["run"] == "run"
    assert done.err == ""
    kept = json.loads((table.parent / "run" / "run.json").read_text())["result"]
    assert kept == result


def test_a_fit_without_a_terminal(shell, table):
    done = shell(*FIT)
    assert done.code == 0
    assert ESCAPE not in done.out + done.err
    assert re.search(r"^R2 +0\.\d{4} on 30 held-out rows +the mean: -?0\.", done.out, re.M)
    assert "kept in     runs/t-1" in done.out
    assert "Ended as planned after 8 epochs." in done.out
    assert "predicts y: regression\n  5 features; rows: 108 for training" in done.err
    assert "Traceback" not in done.err
    assert (table.parent / "runs" / "t-1" / "run.json").is_file()


def test_where_the_seconds_went(run, table):
    spent = json.loads(run(*FIT, "--lr", "auto", "--json", "--timings").out)["timings"]
    assert set(spent) == {
        *("compile", "start and imports", "read", "encode", "try learning rates", "train"),
        *("measure", "write"),
    }
    assert min(spent.values()) >= 0
    said = run(*FIT, "--timings")
    assert re.search(r"^compile +[\d.]+ s +\d+%$", said.err, re.M)
    assert re.search(r"^in all +.* +100%$", said.err, re.M)


def test_the_same_result_in_python_and_on_the_command_line(run, table):
    result = json.loads(run(*FIT, "--json").out)
    fitted = fallline.fit(table, target="y", model="linear", learning_rate=0.1, epochs=8)
    for key in set(ISSUE_KEYS) - {"train_seconds", "total_seconds", "run"}:
        assert result[key] == fitted.result[key]


def test_a_mistake_has_exit_code_2(run, shell, table):
    refused(shell("fit", "t.csv", "--target", "z"), "no column 'z' in t.csv")
    refused(run("predict", "nowhere", "t.csv"), "nowhere is no folder; 'fallline runs' lists")


def test_a_bug_shows_its_traceback(run, table, monkeypatch):
    from fallline.jobs import fit as job

    def broken(*args):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(job, "cut", broken)
    monkeypatch.setattr(sys, "argv", ["fallline", *FIT])
    from fallline.cli.main import main

    with pytest.raises(ZeroDivisionError, match="a bug"):
        main()


def test_a_pipe_closed_early(run, table):
    assert run(*FIT, "--out", "run", "--quiet").code == 0
    pl.concat([pl.read_csv(table)] * 2000).write_csv(table.with_name("long.csv"))
    words = [COMMAND, "predict", "run", "long.csv"]
    with subprocess.Popen(
        words, cwd=table.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "a,b,colour,y,prediction\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode in (0, 1)


def in_terminal(words: list[str], cwd: Path, **variables: str) -> str:
    """What a command writes to a terminal of 100 columns."""
    leader, follower = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **variables}
    env = {name: value for name, value in env.items() if value}
    with subprocess.Popen(
        [COMMAND, *words], cwd=cwd, env=env, stdin=follower, stdout=follower, stderr=follower
    ) as process:
        os.close(follower)
        parts = []
        with contextlib.suppress(OSError):
            while part := os.read(leader, 65536):
                parts.append(part)
    os.close(leader)
    assert process.returncode == 0
    return b"".join(parts).decode()


COLOUR = re.compile(r"\x1b\[[\d;]*(3[0-7]|38|9[0-7])[\d;]*m")


def test_a_terminal_gets_a_bar_and_a_curve_in_colour(table):
    shown = in_terminal(FIT, table.parent, NO_COLOR="")
    assert COLOUR.search(shown)
    assert "epochs in" in shown
    assert "● training" in re.sub(r"\x1b\[[\d;]*m", "", shown)


def test_no_color_means_none(table):
    shown = in_terminal(FIT, table.parent, NO_COLOR="1")
    assert not COLOUR.search(shown)
    assert "epochs in" in shown


def test_a_dumb_terminal_gets_plain_lines(table):
    shown = in_terminal(FIT, table.parent, TERM="dumb", NO_COLOR="")
    assert ESCAPE not in shown
    assert "┤" not in shown
    assert "Ended as planned" in shown


def test_quiet(run, table):
    done = run(*FIT, "--quiet")
    assert done.code == 0
    assert done.err == ""
    assert "┤" not in done.out
    assert done.out.startswith("R2 ")


def test_an_ascii_terminal_gets_no_drawing(shell, table):
    done = shell(*FIT, PYTHONIOENCODING="ascii:strict", PYTHONUTF8="0")
    assert done.code == 0, done.err
    assert done.out.isascii()


# --- bad input, each a sentence -----------------------------------------------------------------


@pytest.fixture
def written(tmp_path):
    def write(name: str, content: str | bytes) -> str:
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        return name

    return write


def rows(count: int, line) -> str:
    return "".join(line(i) + "\n" for i in range(count))


BAD = {
    "empty file": ("t.csv", "", "t.csv is empty"),
    "only blank lines": ("t.csv", "\n\n", "t.csv is empty"),
    "unknown format": ("t.doc", "x", "t.doc is in no format that Fallline knows"),
    "no rows": ("t.csv", "a,y\n", "There are no rows in t.csv"),
    "constant target": (
        "t.csv",
        "a,y\n" + rows(30, lambda i: f"{i},7.5"),
        "'y' holds only one number in t.csv, 7.5",
    ),
    "all targets missing": (
        "t.csv",
        "a,y\n" + rows(30, lambda i: f"{i},"),
        "'y' of t.csv is empty in every row",
    ),
    "a target missing": (
        "t.csv",
        "a,y\n" + rows(30, lambda i: f"{i},{i / 7 if i != 4 else ''}"),
        "'y' of t.csv is missing in row 5",
    ),
    "single class": (
        "t.csv",
        "a,y\n" + rows(30, lambda i: f"{i},yes"),
        "'y' holds only one class in t.csv, 'yes'",
    ),
    "NaN in the target": (
        "t.jsonl",
        rows(30, lambda i: json.dumps({"a": i, "y": i / 7 if i != 3 else None})),
        "'y' of t.jsonl is missing in row 4",
    ),
    "infinite target": (
        "t.csv",
        "a,y\n" + rows(30, lambda i: f"{i},{i / 7 if i != 9 else 'inf'}"),
        "'y' of t.csv is infinite or too large in 1 of 30 rows, first in row 10",
    ),
    "mixed column": (
        "t.csv",
        "a,y\n" + rows(60, lambda i: f"{i if i != 20 else 'oops'},{i / 7}"),
        "Column 'a' of t.csv holds numbers and texts: 59 of 60 values read as numbers, but row 21",
    ),
    "mixed target": (
        "t.csv",
        "a,y\n" + rows(60, lambda i: f"{i},{i / 7 if i != 20 else 'oops'}"),
        "Column 'y' of t.csv holds numbers and texts",
    ),
    "rows of unequal length": (
        "t.csv",
        "a,y\n1,2\n1,2,3\n4,5\n",
        "Line 3 of t.csv has 3 fields where the line of column names has 2",
    ),
    "not UTF-8": (
        "t.csv",
        b"a,y\n1,caf\xe9\n2,b\n",
        "t.csv is not UTF-8 text: line 2 holds the byte 0xE9",
    ),
    "duplicate columns": ("t.csv", "a,a,y\n1,2,3\n4,5,6\n", "more than one column called 'a'"),
    "damaged gzip": ("t.csv.gz", gzip.compress(b"a,y\n" * 99)[:-9], "does not unpack as gzip"),
    "damaged parquet": ("t.parquet", b"PAR1", "does not open as Parquet"),
    "bad JSON": ("t.jsonl", '{"a": 1}\n{"a" 2}\n', "Line 2 of t.jsonl is not one object of JSON"),
    "no features": ("t.csv", "y\n" + rows(30, lambda i: f"{i / 7}"), "No column of t.csv is left"),
    "one row": ("t.csv", "a,y\n1,2\n", ""),
}


@pytest.mark.parametrize(
    "case",
    list(BAD),
    ids=lambda case: case.replace(" ", "-"),
)
def test_bad_tables(run, written, tmp_path, case):
    name, content, part = BAD[case]
    refused(run("fit", written(name, content), "--target", "y", *QUICK), part)
    assert not list(tmp_path.glob("runs/*")), "a run that never began takes no name"


def test_missing_files(run, table):
    refused(run("fit", "tt.csv", "--target", "y"), "no file tt.csv: did you mean 't.csv'?")
    refused(run("fit", "digit"), "did you mean 'digits'?")
    refused(run("fit", "away/t.csv"), "the folder away does not exist")
    (table.parent / "empty").mkdir()
    refused(run("fit", "empty"), "is a folder")
    refused(run("fit"), "Name a table, or a bundled set:  fallline fit digits")


def test_missing_columns(run, table):
    refused(
        run("fit", "t.csv"), "Name the column to predict with --target; t.csv has a, b, colour, y"
    )
    refused(
        run("fit", "t.csv", "--target", "colr"), "no column 'colr' in t.csv: did you mean 'colo"
    )
    refused(run(*FIT, "--drop", "bb"), "no column 'bb' in t.csv: did you mean 'b'?")
    refused(run(*FIT, "--drop", "y"), "Column 'y' is the target")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--lr", "-0.1"], "The learning rate must be a finite number of 0 or more"),
        (["--lr", "nan"], "The learning rate must be"),
        (["--lr", "fast"], "The learning rate must be a number; it was given 'fast'"),
        (["--optimizer", "adm"], "There is no optimizer called 'adm': did you mean 'adam'?"),
        (["--model", "mpl"], "did you mean 'mlp'?"),
        (["--loss", "square_error"], "did you mean 'squared_error'?"),
        (["--activation", "rel"], "did you mean 'relu'?"),
        (["--schedule", "cosin"], "did you mean 'cosine'?"),
        (["--schedule", "step:1"], "its form is  step:FACTOR:EPOCHS"),
        (["--hidden", "12;3"], "as in 128,64"),
        (
            ["--batch-size", "0"],
            "The batch size must be 'auto', 'full' or a whole number from 1 up",
        ),
        (["--batch-size", "many"], "The batch size must be"),
        (["--batch-size", "2.5"], "The batch size must be"),
        (["--epochs", "0"], "The number of epochs must be a whole number above 0"),
        (["--patience", "x"], "The patience must be a number"),
        (["--validation", "1.5"], "The validation share must be"),
        (["--test", "-0.2"], "The test share must be"),
        (["--test", "nowhere.csv"], "There is no file nowhere.csv"),
        (["--l1", "-1"], "--l1 must be"),
        (["--weight-decay", "-1"], "--weight-decay must be"),
        (["--clip-norm", "0"], "--clip-norm must be"),
        (["--dropout", "1"], "Dropout needs a rate"),
        (["--task", "ranking"], "choose auto, regression or classification"),
        (["--set", "bta1=1"], "--set knows no 'bta1': did you mean 'beta1'?"),
        (["--set", "beta1"], "--set needs field=value"),
        (["--checkpoint-every", "-1"], "The time between checkpoints must be"),
        (["--loss", "hinge", "--task", "regression"], "'hinge' is for classification"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, list) else "",
)
def test_bad_options(run, table, tmp_path, words, part):
    refused(run(*FIT, *words), part)
    assert not list(tmp_path.glob("runs/*"))


def test_a_batch_larger_than_the_rows(run, table):
    result = json.loads(run(*FIT, "--batch-size", "5000", "--json").out)
    assert result["batch_size"] == result["rows"]["training"] == 108


def test_ten_thousand_columns(run, written):
    random = np.random.default_rng(0)
    x = random.integers(0, 99, (40, 9_999))
    y = x[:, 0] + 0.5 * x[:, 1]
    lines = [",".join(f"c{i}" for i in range(9_999)) + ",y"]
    lines += [",".join(map(str, [*row, value])) for row, value in zip(x, y, strict=True)]
    done = run("fit", written("wide.csv", "\n".join(lines)), "--target", "y", *QUICK, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["features"] == 9_999


def test_places_that_cannot_be_written(run, table, tmp_path):
    (tmp_path / "file").write_text("x")
    for out in ("file", "file/run"):
        refused(run(*FIT, "--out", out), f"{out} cannot be written:", "--out")
    refused(run(*FIT, "--out", "/proc/fallline"), "/proc/fallline cannot be written:")


# --- runs kept -----------------------------------------------------------------------------------


@pytest.fixture
def kept(run, table):
    """A finished run in ``run``."""
    assert run(*FIT, "--out", "run", "--quiet").code == 0
    return table.parent / "run"


def test_a_folder_in_use(run, kept):
    refused(
        run(*FIT, "--out", "run"), "run is not empty; give another --out, or go on with --resume"
    )


def test_numbered_runs(run, table):
    for number in (1, 2):
        assert f"runs/t-{number}" in run(*FIT, "--quiet").out


def test_names_of_runs():
    names = {
        "data/Sales 2024.csv.gz": "Sales-2024",
        "digits": "digits",
        "a.b.parquet": "a.b",
        "--.csv": "run",
        "größe.tsv": "größe",
    }
    assert {data: places.name_of(data) for data in names} == names


def test_what_cannot_be_resumed(run, kept, table):
    refused(run(*FIT, "--out", "run", "--resume"), "run is finished; there is nothing to resume")
    refused(run("fit", "--resume", "--out", "run"), "run is finished; there is nothing to resume")
    refused(run("fit", "--resume", "--out", "gone"), "gone is no folder")
    refused(run(*FIT, "--resume", "--out", "gone"), "There is no run to resume in gone")
    refused(run("fit", "--resume"), "There is no unfinished run in runs/ to resume")
    refused(run(*FIT, "--resume"), "There is no unfinished run of t in runs/ to resume")
    RunFolder(kept).mark("interrupted")
    refused(
        run(*FIT, "--out", "run", "--resume", "--seed", "1"),
        "run was started with seed = 0, not 1; resume it as it was started",
    )
    refused(run(*FIT, "--out", "run", "--resume", "--hidden", "7"), "hidden = [128, 64], not [7]")
    refused(run(*FIT, "--out", "run", "--resume", "--patience", "never"), "patience")
    with table.open("a") as file:
        file.write("1.0,2.0,red,3.0\n")
    refused(run("fit", "--resume", "--out", "run"), "The data have changed since the run in run")


@pytest.mark.parametrize("words", [["fit"], FIT], ids=["bare", "with-the-options"])
def test_resume_finds_the_newest_unfinished_run(run, table, words):
    for _ in range(3):
        assert run(*FIT, "--quiet").code == 0
    folder = table.parent / "runs"
    for name in ("t-1", "t-2"):
        RunFolder(folder / name).mark("running")
    os.utime(folder / "t-1" / "run.json", (1, 1))
    done = run(*words, "--resume", "--quiet")
    assert "kept in     runs/t-2" in done.out, done.err
    assert RunFolder(folder / "t-1").facts()["status"] == "running"
    assert RunFolder(folder / "t-2").facts()["status"] == "finished"


def test_runs(run, table, tmp_path):
    done = run("runs")
    assert done.code == 0
    assert done.out == ""
    assert "There are no runs here yet" in done.err
    name = "runs/a-long-name-so-that-it-will-not-fit-into-eighty-columns-with-the-rest"
    for out in ("runs/one", "runs/two", "runs/three", name):
        assert run(*FIT, "--out", out, "--quiet").code == 0
    RunFolder("runs/two").mark("running")
    (tmp_path / "runs/three/run.json").write_text("{")
    (tmp_path / "runs/no-run").mkdir()
    done = run("runs")
    lines = {line.split()[0]: line for line in done.out.splitlines()}
    assert lines["run"].split() == ["run", "model", "target", "score", "time", "when", "state"]
    assert set(lines) == {"run", "runs/one", "runs/two", "runs/three", name}
    assert lines["runs/one"].split()[-1] == "finished"
    assert re.search(r"linear +y +R2 0\.\d{4} +[\d.]+ s ", lines["runs/one"])
    assert lines["runs/two"].split()[-1] == "running"
    assert lines["runs/three"].split()[-1] == "damaged"
    parsed = [json.loads(line) for line in run("runs", "--json").out.splitlines()]
    assert {row["run"]: row["state"] for row in parsed} == {
        "runs/one": "finished",
        "runs/two": "running",
        "runs/three": "damaged",
        name: "finished",
    }
    assert run("runs", "elsewhere").code == 2
    refused(run("runs", "elsewhere"), "There is no folder elsewhere")


def test_runs_shows_a_run_without_a_score(run, tmp_path):
    """Two held-out rows of one target have no R2; the list must not stumble over it."""
    y = [5.5 if i < 20 else i / 3 for i in range(40)]
    for seed in range(40):
        _, held = fallline.data.split.split(40, 0.05, seed)
        if all(i < 20 for i in held):
            break
    pl.DataFrame({"x": range(40), "y": y}).write_csv(tmp_path / "t.csv")
    words = [*FIT, "--test", "0.05", "--seed", str(seed)]
    assert json.loads(run(*words, "--json").out)["value"] is None
    assert run(*words, "--quiet").code == 0
    done = run("runs")
    assert done.code == 0
    assert done.out.count("finished") == 2


# --- predict -------------------------------------------------------------------------------------

READ = {
    ".csv": pl.read_csv,
    ".tsv": lambda path: pl.read_csv(path, separator="\t"),
    ".parquet": pl.read_parquet,
    ".jsonl": pl.read_ndjson,
}


@pytest.mark.parametrize("ending", READ)
def test_predict_into_a_file(run, kept, table, ending):
    done = run("predict", "run", "t.csv", "--out", f"p{ending}")
    assert (done.code, done.out) == (0, "")
    assert f"150 rows with predictions written to p{ending}." in done.err
    frame = READ[ending](table.parent / f"p{ending}")
    assert frame.columns == ["a", "b", "colour", "y", "prediction"]
    expected = fallline.load(kept).predict(table)
    np.testing.assert_allclose(frame["prediction"].to_numpy(), expected, rtol=1e-12)
    assert not [p for p in table.parent.iterdir() if p.name.startswith(".")]


def test_predict_to_stdout(run, kept, table):
    done = run("predict", "run", "t.csv")
    assert done.code == 0
    assert done.err == ""
    frame = pl.read_csv(done.out.encode())
    expected = fallline.load(kept).predictions(table)
    assert frame.equals(expected)


def test_predict_probabilities(run, tmp_path):
    assert run("fit", "iris", *QUICK, "--out", "run", "--quiet").code == 0
    done = run("predict", "run", "iris", "--probabilities")
    frame = pl.read_csv(done.out.encode())
    classes = ["setosa", "versicolor", "virginica"]
    p = frame.select([f"probability_{name}" for name in classes]).to_numpy()
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-4)
    assert [classes[i] for i in p.argmax(axis=1)] == frame["prediction"].to_list()


def test_what_predict_refuses(run, kept, table, tmp_path):
    frame = pl.read_csv(table)
    frame.drop("b").write_csv(tmp_path / "lacks.csv")
    refused(run("predict", "run", "lacks.csv"), "Column 'b' is missing from lacks.csv")
    frame.rename({"colour": "color"}).write_csv(tmp_path / "other.csv")
    refused(run("predict", "run", "other.csv"), "'colour'", "did you mean 'color'?")
    refused(run("predict", "run", "t.csv", "--probabilities"), "gives no class probabilities")
    refused(run("predict", "run", "t.csv", "--out", "p.xls"), "cannot be written as '.xls'")
    refused(run("predict", "run", "t.csv", "--out", "p"), "cannot be written as 'p'")
    refused(run("predict", "run", "t.csv", "--out", "away/p.csv"), "There is no folder away")
    refused(run("predict", ".", "t.csv"), "holds no run")
    refused(run("predict", "run", "nowhere.csv"), "no file nowhere.csv")
    (tmp_path / "p.csv").mkdir()
    refused(run("predict", "run", "t.csv", "--out", "p.csv"), "p.csv cannot be written")
    text = frame.with_columns(pl.lit("x").alias("a"))
    text.write_csv(tmp_path / "text.csv")
    refused(run("predict", "run", "text.csv"), "Column 'a' held numbers", "row 1 of text.csv")
    RunFolder(kept).mark("running")
    refused(run("predict", "run", "t.csv"), "is not finished; go on with  fallline fit --resume")


def test_an_unseen_category_works_with_a_remark(run, kept, table, tmp_path):
    frame = pl.read_csv(table)
    frame.head(3).with_columns(pl.lit("violet").alias("colour")).write_csv(tmp_path / "new.csv")
    done = run("predict", "run", "new.csv")
    assert done.code == 0
    assert len(done.out.splitlines()) == 4
    assert (
        "Column 'colour': 3 rows hold a value that training never saw, such as 'violet'" in done.err
    )
    assert len(done.err.splitlines()) == 1


# --- the screen ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (float("nan"), "-"),
        (0.0, "0"),
        (12.0, "12"),
        (123456.0, "123,500"),
        (0.123456, "0.1235"),
        (1234.5678, "1,235"),
        (1.5e-7, "1.5e-07"),
        (12345678.9, "12,350,000"),
        (1.5e13, "1.500e+13"),
    ],
)
def test_numbers_for_readers(value, text):
    assert screen.number(value) == text


def test_durations_for_readers():
    assert [screen.duration(s) for s in (0.123, 12.3, 125.0)] == ["0.12 s", "12 s", "2 min 5 s"]


@pytest.mark.parametrize(
    "values", [[1.0], [2.0, 2.0], [3.0, 0.001, 1e-9], [1.0, float("nan"), 0.5], [-1.0, 5.0]]
)
def test_curves_have_their_size(values):
    text = screen.curve([("training", "red", values)], width=30, height=5).plain.splitlines()
    assert len(text) == 7
    assert all("┤" in text[i] for i in (0, 4))
    assert len({len(line) for line in text[:6]}) == 1
    assert text[6].rstrip().endswith(str(len(values)))


def test_no_curve_of_nothing():
    assert screen.curve([("training", "red", [float("nan")])]).plain == ""
