"""Streaming under a real limit: a group of processes that the kernel allows so much memory and no more."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

ROWS, COLUMNS = 3_000_000, 40
LIMIT = 900 * 2**20
GROUPS = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def limited():
    """A control group (version 1 or 2) with `LIMIT` bytes and no swap, or a skipped test."""
    old = GROUPS / "memory"
    place = (old if old.is_dir() else GROUPS) / f"fallline-{os.getpid()}"
    names = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
    try:
        place.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        for name in names if old.is_dir() else ("memory.max", "memory.swap.max"):
            # Kernels without accounts of swap have no second file.
            with contextlib.suppress(OSError):
                (place / name).write_text("0" if "swap.max" in name else str(LIMIT))
        yield place / "cgroup.procs"
    finally:
        place.rmdir()


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "large.parquet"
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    frame = pl.from_numpy(x, schema=[f"x{i}" for i in range(COLUMNS)])
    frame = frame.with_columns(y=pl.Series(x[:, 0] - 2 * x[:, 1]))
    frame.write_parquet(path, row_group_size=65_536)
    return path


@pytest.mark.parametrize(("way", "code"), [("--no-stream", -9), ("--memory=800MB", 0)])
def test_what_is_killed_in_memory_streams(large, tmp_path, way, code):
    asked = [
        "--model",
        "linear",
        "--epochs",
        "1",
        "--lr",
        "0.01",
        "--batch-size",
        "4096",
        "--quiet",
    ]
    command = [sys.executable, "-m", "fallline", "fit", str(large), "-t", "y", way, *asked]
    with limited() as processes:
        join = f"import os; open({str(processes)!r}, 'w').write(str(os.getpid())); "
        run = f"os.execv({sys.executable!r}, {[*command, '--out', str(tmp_path / 'run')]!r})"
        done = subprocess.run(
            [sys.executable, "-c", join + run], capture_output=True, text=True, check=False
        )
    assert done.returncode == code, done.stderr
    if code == 0:
        assert "blocks an epoch" in done.stdout
