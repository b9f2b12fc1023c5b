from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest


@pytest.fixture
def real() -> Callable[[str], Path]:
    """The path of a real data set; the test is skipped where there is none."""

    def path(name: str) -> Path:
        folder = os.environ.get("FALLLINE_DATA")
        if not folder:
            pytest.skip("FALLLINE_DATA names no folder of real data sets")
        found = Path(folder) / name
        if not found.exists():
            pytest.skip(f"FALLLINE_DATA has no {name}")
        return found

    return path


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Write a file, and return its path."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def passengers() -> pl.DataFrame:
    """A small table like the Titanic's: gaps, texts, truth values, a target."""
    random = np.random.default_rng(0)
    n = 400
    age = pl.Series(random.normal(30, 12, n).round(1))
    deck = pl.Series(random.choice(["A", "B", "C"], n))
    return pl.DataFrame(
        {
            "age": age.set(pl.Series(random.random(n) < 0.2), None),
            "fare": random.gamma(2.0, 16.0, n),
            "sibsp": random.integers(0, 5, n),
            "alone": random.random(n) < 0.5,
            "sex": random.choice(["male", "female"], n),
            "deck": deck.set(pl.Series(random.random(n) < 0.5), None),
            "survived": random.integers(0, 2, n),
        }
    )
