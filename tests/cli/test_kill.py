"""Runs killed for real, at many a moment, end with the very bits of a run that was never killed."""

from __future__ import annotations

import collections
import ctypes
import functools
import json
import operator
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import fallline
from fallline.jobs import compare as compare_job
from fallline.jobs import fit as fit_job
from fallline.store.folder import RunFolder

# SIGINT as a shell gives it to a command in the foreground, wherever the tests run.
COMMAND = [
    sys.executable,
    "-c",
    "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from fallline.cli.main import main\nmain()",
]
# 24 rows a step make training long enough to be hit; the learning rate found, dropout, the cuts on
# plateaus and the averaged weights make the numbers depend on all that a checkpoint keeps.
FIT = [
    "fit",
    "t.csv",
    "--target",
    "y",
    "--hidden",
    "24,12",
    "--dropout",
    "0.1",
    "--batch-size",
    "24",
    "--epochs",
    "110",
    "--patience",
    "never",
    "--json",
]
OFTEN = ["--checkpoint-every", "0"]
CODES = {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 75}
TIMES = ("train_seconds", "total_seconds", "rows_per_second", "run")


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(folder: Path, *words: str) -> dict:
    process = start(folder, *words)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    return json.loads(out)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a table, and in ``whole`` the run that was never killed."""
    folder = tmp_path_factory.mktemp("kill")
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 3000))
    y = np.sin(2 * a) + a * b + random.normal(0, 0.1, 3000)
    pl.DataFrame({"a": a, "b": b, "y": y}).write_csv(folder / "t.csv")
    finish(folder, *FIT, "--out", "whole")
    return folder


def steps(run: Path, name: str) -> int:
    """The newest checkpoint's step, -1 where there is none."""
    found = RunFolder(run).checkpoints(name)
    return int(found[-1].name.rpartition("-")[2]) if found else -1


def wait_for(process: subprocess.Popen[str], moment) -> None:
    """Wait until a moment has come, which must be before the process ends."""
    end = time.monotonic() + 60
    while not moment():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.002)


def killed(folder: Path, words: list[str], moment, number: int = signal.SIGKILL) -> str:
    """Start a command and send it a signal at a moment; what it had to say."""
    process = start(folder, *words)
    wait_for(process, moment)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert out == "" or number != signal.SIGKILL
    assert process.returncode == CODES[number], err
    return err


def require_same(run: Path, whole: Path) -> None:
    """Check that two finished runs agree in every bit but the times."""
    assert (run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    for name in ("history.parquet", "epochs.parquet"):
        got, expected = pl.read_parquet(run / name), pl.read_parquet(whole / name)
        assert_frame_equal(got, expected, check_exact=True)
    results = []
    for path in (run, whole):
        facts = RunFolder(path).facts()
        assert facts["status"] == "finished"
        results.append({k: v for k, v in facts["result"].items() if k not in TIMES})
    assert results[0] == results[1]
    data = run.parent / "t.csv"
    assert np.array_equal(fallline.load(run).predict(data), fallline.load(whole).predict(data))
    assert not list(run.rglob(".*")), "half-written files of the killed process"


def test_the_run_is_worth_killing(place):
    """Long enough in each model, and the network is the better one."""
    result = RunFolder(place / "whole").facts()["result"]
    assert result["model"] == "mlp"
    assert result["steps"] == 110 * 90
    assert result["value"] > 0.9
    assert (place / "whole" / "epochs.parquet").is_file()


LAST = 110 * 90
MOMENTS = {
    "before-the-first-checkpoint": lambda run: (run / "run.json").is_file(),
    "right-after-the-first-checkpoint": lambda run: steps(run, "linear") > 0,
    "in-the-second-model": lambda run: steps(run, "mlp") > 0,
    "in-the-middle-of-the-second": lambda run: steps(run, "mlp") > LAST // 2,
    "near-the-end": lambda run: steps(run, "mlp") > 0.9 * LAST,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_kill_and_resume(place, moment):
    run = place / moment
    killed(place, [*FIT, *OFTEN, "--out", moment], lambda: MOMENTS[moment](run))
    facts = RunFolder(run).facts()
    assert facts["status"] == "running"
    # Half the times by what the folder says, half by the same words as before.
    words = ["fit", "--json"] if moment.startswith("in") else FIT
    finish(place, *words, "--resume", "--out", moment)
    require_same(run, place / "whole")


def test_killed_again_and_again(place):
    """Each time after some more work, with another time between checkpoints; then a torn one."""
    run = place / "again"
    killed(place, [*FIT, *OFTEN, "--out", "again"], lambda: steps(run, "linear") > 0)
    for part in (0.2, 0.6):
        words = ["fit", "--json", "--resume", "--out", "again", "--checkpoint-every", "0.05"]
        killed(place, words, lambda part=part: steps(run, "mlp") > part * LAST)
    newest = RunFolder(run).checkpoints("mlp")[-1] / "carry.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    (run / "checkpoints" / ".mlp-000000009999.ab.tmp").mkdir()
    (run / ".run.json.ab.tmp").write_text("{")
    finish(place, *FIT, "--resume", "--out", "again")
    require_same(run, place / "whole")


@pytest.mark.parametrize("moment", ["in-the-second-model", "before-the-first-checkpoint"])
def test_interrupted_as_by_control_c(place, moment):
    name = f"interrupted-{moment}"
    run = place / name
    words = [*FIT, *OFTEN, "--out", name]
    err = killed(place, words, lambda: MOMENTS[moment](run), signal.SIGINT)
    assert f"fallline fit --resume --out {name}" in err
    assert "Traceback" not in err
    facts = RunFolder(run).facts()
    assert facts["status"] == ("interrupted" if moment.startswith("in") else "running")
    finish(place, "fit", "--json", "--resume", "--out", name)
    require_same(run, place / "whole")


def test_a_machine_that_wants_its_place_back(place):
    """SIGTERM ends with a checkpoint, and with the code at which launchers start the command again."""
    run = place / "terminated"
    words = [*FIT, "--checkpoint-every", "0.3", "--out", "terminated"]
    err = killed(place, words, lambda: steps(run, "mlp") > 0, signal.SIGTERM)
    # Where training has just ended, the command itself is told.
    assert err.splitlines()[-1].endswith("Go on with:  fallline fit --resume --out terminated")
    assert RunFolder(run).facts()["status"] in ("interrupted", "running")
    finish(place, "fit", "--json", "--resume", "--out", "terminated")
    require_same(run, place / "whole")


def test_a_process_deep_in_compiled_code_ends_in_time():
    """No Python of the main thread runs before the next minutes are over."""
    code = (
        "import hashlib\nfrom fallline.cli.ending import terminable\n"
        "with terminable(lambda: 'Go on with a word.'):\n    print('deep', flush=True)\n"
        "    hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)"
    )
    words = [sys.executable, "-c", code]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "deep\n"
    # It has said so a moment before.
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 75
    assert err == "Go on with a word.\n"


def test_one_ctrl_c_that_arrives_twice(run, monkeypatch):
    """Polars raises at a Ctrl-C, and Python raises for the same one at the next call in our own code."""
    python = ctypes.pythonapi
    raised = functools.partial(python.PyErr_SetNone, ctypes.py_object(KeyboardInterrupt))

    def twice(config, out=None, **options):
        RunFolder(out).create({})
        # Both inside one call from Python, so that the first leaves with the second still to come.
        collections.deque(map(operator.call, (python.PyErr_SetInterrupt, raised)))

    monkeypatch.setattr(fit_job, "run_fit", twice)
    done = run("fit", "iris", "--out", "run")
    assert done.code == 130
    assert done.err.splitlines() == ["Interrupted. Go on with:  fallline fit --resume --out run"]
    monkeypatch.setattr(compare_job, "compare", lambda *given: twice(None, "other"))
    done = run("compare", "iris")
    assert done.code == 130
    assert done.err.splitlines() == ["Interrupted before a single run was finished."]
