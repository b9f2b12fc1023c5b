"""Two processes of the command line, one of which is lost: both end with a sentence and code 75."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

GONE = "Another worker is gone"
FROZEN = "Another worker gave no sign of life any more"
LEADER = "Worker 0, whom all others report to, is gone"


@pytest.fixture
def table(tmp_path):
    random = np.random.default_rng(0)
    x = random.normal(size=(4000, 3))
    np.savetxt(
        tmp_path / "t.csv",
        np.column_stack([x, x.sum(axis=1)]),
        delimiter=",",
        header="a,b,c,y",
        comments="",
        fmt="%.4f",
    )
    return tmp_path / "t.csv"


@pytest.fixture
def pair(table):
    """Starts two workers that would train for hours, and waits until there is a checkpoint."""
    workers: list[subprocess.Popen] = []

    def start(**extra: str) -> list[subprocess.Popen]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        asked = "--target y --model linear --lr 1e-6 --batch-size 64 --patience never --quiet"
        asked += " --epochs 1000000 --checkpoint-every 0.5 --heartbeat 3 --out out"
        asked += f" --coordinator 127.0.0.1:{port} --num-processes 2 --process-id"
        for i in range(2):
            command = [sys.executable, "-m", "fallline", "fit", str(table), *asked.split(), str(i)]
            workers.append(
                subprocess.Popen(
                    command,
                    cwd=table.parent,
                    env={**os.environ, **extra},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
        for _ in range(600):
            if list((table.parent / "out").glob("checkpoints/*")):
                break
            assert all(w.poll() is None for w in workers), [w.communicate() for w in workers]
            time.sleep(0.1)
        return workers

    yield start
    for worker in workers:
        for pid in [*children(worker), worker.pid]:
            if worker.poll() is None:
                os.kill(pid, signal.SIGKILL)
        worker.communicate()


def children(worker: subprocess.Popen) -> list[int]:
    path = Path(f"/proc/{worker.pid}/task/{worker.pid}/children")
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found by /proc")
@pytest.mark.parametrize(
    ("lost", "number", "said", "seconds"),
    [
        (1, signal.SIGKILL, (GONE, LEADER), 10),
        (0, signal.SIGKILL, (GONE, LEADER), 10),
        (1, signal.SIGSTOP, (FROZEN,), 20),
        (0, signal.SIGSTOP, (LEADER, FROZEN), 20),
    ],
)
def test_the_other_one_ends_with_a_sentence(pair, lost, number, said, seconds):
    workers = pair()
    (child,) = children(workers[lost])
    os.kill(child, number)
    other = workers[1 - lost]
    _, told = other.communicate(timeout=seconds)
    assert other.returncode == 75
    assert any(sentence in told for sentence in said), told
    assert told.count("\n") == 1, told
    assert told.startswith("fallline: " if lost else "fallline: worker 1: ")
    if number == signal.SIGKILL:
        _, told = workers[lost].communicate(timeout=seconds)
        assert workers[lost].returncode == 75
        assert "This worker was killed" in told


def test_a_signal_to_one_ends_both_in_good_order(pair):
    workers = pair()
    # As some launchers do it: to the parent and to its child.
    for pid in [workers[1].pid, *children(workers[1])]:
        os.kill(pid, signal.SIGTERM)
    told = [worker.communicate(timeout=20)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [75, 75], told
    assert told[0].startswith("Go on with:  fallline fit --resume --out out")
    assert told[1] == ""
