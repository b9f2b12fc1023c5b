"""Predictions in pieces: the same as those in memory, in constant memory, whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import fallline
from fallline.data import stream_csv
from fallline.errors import FalllineError
from fallline.jobs import predict
from fallline.jobs.predict import predict_into

ROWS = 40_000
READ = {
    ".csv": pl.read_csv,
    ".tsv": lambda path: pl.read_csv(path, separator="\t"),
    ".parquet": pl.read_parquet,
    ".jsonl": pl.read_ndjson,
}


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    random = np.random.default_rng(0)
    a, colour = random.normal(size=ROWS), random.choice(["red", "blue"], ROWS)
    columns = {"a": a, "colour": colour, "code": ["007"] * ROWS, "y": 2 * a + (colour == "red")}
    return pl.DataFrame(columns)


@pytest.fixture(scope="module")
def fitted(table):
    return fallline.fit(table.head(300), "y", model="linear", epochs=2)


@pytest.fixture
def pieces(monkeypatch):
    """Small pieces and small chunks, so that a small table has many."""
    monkeypatch.setattr(predict, "_ENCODED", 0)
    monkeypatch.setattr(stream_csv, "CHUNK", 1 << 17)


@pytest.mark.parametrize("ending", READ)
def test_the_same_as_in_memory(pieces, fitted, table, tmp_path, ending):
    new = table.with_columns(
        pl.when(pl.int_range(pl.len()) % 7 == 0)
        .then(pl.lit("violet"))
        .otherwise("colour")
        .alias("colour")
    )
    if ending == ".parquet":
        new.head(30_000).write_parquet(tmp_path / "new-2.parquet", row_group_size=3_000)
        new.tail(10_000).write_parquet(tmp_path / "new-10.parquet")
        data = str(tmp_path / "new-*.parquet")
    else:
        data = tmp_path / "new.csv"
        new.write_csv(data)
    told: list[tuple[str, float]] = []
    out = tmp_path / f"out{ending}"
    done = predict_into(
        fitted, data, out, streamed=0, progress=lambda what, share: told.append((what, share))
    )
    assert_frame_equal(READ[ending](out), _in_memory(fitted, data, tmp_path / f"whole{ending}"))
    assert done.rows == ROWS
    assert done.unseen == {"colour": (len(range(0, ROWS, 7)), "violet")}
    assert told[-1] == ("predicting", 1.0)
    assert not list(tmp_path.glob(".*"))


def _in_memory(fitted, data, path: Path) -> pl.DataFrame:
    predict_into(fitted, data, path, streamed=1 << 40)
    return READ[path.suffix](path)


def test_csv_without_a_file(pieces, fitted, table, tmp_path):
    path = tmp_path / "new.csv"
    table.write_csv(path)
    pieced: list[str] = []
    predict_into(fitted, path, None, echo=pieced.append, streamed=0)
    whole: list[str] = []
    predict_into(fitted, path, None, echo=whole.append)
    assert len(pieced) > 1
    assert "".join(pieced) == whole[0]


class FullDisk:
    """A file on a disk with room for some bytes."""

    def __init__(self, file, room: int) -> None:
        self._file, self._room = file, room

    def write(self, content) -> int:
        self._room -= len(content)
        if self._room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._file.write(content)

    def __getattr__(self, name: str):
        return getattr(self._file, name)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_full_disk_leaves_no_half_file(pieces, fitted, table, tmp_path, monkeypatch, ending):
    table.write_csv(tmp_path / "new.csv")
    opened = Path.open

    def limited(path, mode="r", *more, **options):
        file = opened(path, mode, *more, **options)
        return FullDisk(file, 200_000) if path.name.endswith(".tmp") else file

    monkeypatch.setattr(Path, "open", limited)
    with pytest.raises(FalllineError, match=r"cannot be written: No space left on device"):
        predict_into(fitted, tmp_path / "new.csv", tmp_path / f"out{ending}", streamed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]


def test_a_damaged_row_group_in_the_middle(pieces, fitted, table, tmp_path):
    path = tmp_path / "new.parquet"
    table.write_parquet(path, row_group_size=5_000)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 100_000] = bytes(100_000)
    path.write_bytes(content)
    with pytest.raises(FalllineError, match=r"new\.parquet is damaged.*: row group \d of 8"):
        predict_into(fitted, path, tmp_path / "out.csv", streamed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["new.parquet"]


def test_a_value_of_another_kind_is_found(pieces, fitted, table, tmp_path):
    head, tail = table.head(20_000), table.slice(20_000, 15_000)
    path = tmp_path / "new.csv"
    path.write_text(head.write_csv() + "x,red,007,1\n" + tail.write_csv(include_header=False))
    with pytest.raises(FalllineError, match=r"row 3617 of new\.csv after its row 16,384 holds 'x'"):
        predict_into(fitted, path, tmp_path / "out.csv", streamed=0)
