from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from fallline.cli.main import main

COMMAND = str(Path(sys.executable).with_name("fallline"))


@dataclasses.dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)

    def call(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["fallline", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return Done(end.value.code or 0, out, err)

    return call


@pytest.fixture
def shell(tmp_path):
    """Run a command as a process of its own, in the same folder."""

    def call(*words: object, **variables: str) -> Done:
        done = subprocess.run(
            [COMMAND, *map(str, words)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**{n: v for n, v in os.environ.items() if n != "COLUMNS"}, **variables},
            timeout=120,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def table(tmp_path, colours):
    """The small regression as t.csv in the command's folder."""
    pl.DataFrame(colours).write_csv(tmp_path / "t.csv")
    return tmp_path / "t.csv"
