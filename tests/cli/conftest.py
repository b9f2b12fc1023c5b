from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from fallline.cli.main import app
from fallline.cli.screen import complain
from fallline.errors import FalllineError


@dataclasses.dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command in this process, in a folder of its own, as `main` does."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> Done:
        def entry(*args, **kwargs):
            try:
                return plain(*args, **kwargs)
            except FalllineError as error:
                complain(str(error))
                sys.exit(2)

        plain = app
        runner = CliRunner()
        # The runner calls what typer makes of the app; the sentence is main()'s.
        result = runner.invoke(plain, [str(word) for word in words])
        if isinstance(result.exception, FalllineError):
            capsys.readouterr()
            complain(str(result.exception))
            return Done(2, result.stdout, result.stderr + capsys.readouterr().err)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture
def shell(tmp_path):
    """Run a command as a process of its own, in the same folder."""

    def call(*words: object, **variables: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "fallline", *map(str, words)]
            if False
            else [str(Path(sys.executable).with_name("fallline")), *map(str, words)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, **variables},
            timeout=120,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def table(tmp_path, colours):
    """The small regression as t.csv in the command's folder."""
    pl.DataFrame(colours).write_csv(tmp_path / "t.csv")
    return tmp_path / "t.csv"
