"""Tables in chunks are the tables that are read as a whole."""

from __future__ import annotations

import datetime
import gzip
import json
import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from fallline.data import stream_csv, stream_npy
from fallline.data.readers import read_table
from fallline.data.stream import Source, open_source
from fallline.data.weight import weight
from fallline.errors import FalllineError
from fallline.memory import free_memory


def whole(source: Source) -> pl.DataFrame:
    return pl.concat([source.read(i).frame for i in range(len(source.chunks))])


def opened(data) -> Source:
    """A source that went through JSON, as to another worker."""
    source = open_source(data)
    again = Source.from_json(json.loads(json.dumps(source.to_json())))
    assert again == source
    return again


# --- text ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["california_housing", "diamonds", "adult", "titanic"])
def test_real_tables(real, monkeypatch, name):
    path = real(f"{name}.csv")
    monkeypatch.setattr(stream_csv, "CHUNK", 1 + path.stat().st_size // 12)
    source = opened(path)
    frame = read_table(path).frame
    assert len(source.chunks) > 10
    assert source.rows == frame.height
    assert_frame_equal(whole(source), frame)
    last = len(source.chunks) - 1
    names = frame.columns[2:0:-1]
    part = source.read(last, names).frame
    assert_frame_equal(part, frame.select(names).tail(part.height))
    assert weight(path) == pytest.approx(frame.estimated_size(), rel=0.05)


def cell(chance: random.Random, kind: str, separator: str) -> str:
    if chance.random() < 0.1:
        return chance.choice(["", "?", "NA", " nan ", " "])
    match kind:
        case "whole":
            text = str(chance.randint(-9, 9999))
        case "number":
            text = chance.choice([f"{chance.gauss(0, 9):.4g}", "1e5", "inf", "NAN", "9" * 20])
        case "truth":
            text = chance.choice(["True", "false", "TRUE"])
        case "comma":
            text = f"{chance.randint(0, 9)},{chance.randint(0, 99)}" if separator == ";" else "3.5"
        case "day":
            text = (
                f"20{chance.randint(10, 24)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
            )
        case "day first":
            text = f"{chance.randint(1, 28)}/{chance.randint(1, 12)}/20{chance.randint(10, 24)}"
        case "time":
            text = f"{chance.randint(0, 23):02}:15:00"
        case _:
            texts = ["a", "true", '"x\ny"', '"say ""hi"""', f'"1{separator}2"', '"\r\n"']
            return chance.choice(texts)
    return chance.choice([text] * 8 + [f" {text} ", f'"{text}"' if "," not in text else text])


@pytest.mark.parametrize("seed", range(18))
def test_nasty_text(written, monkeypatch, seed):
    """Quoted line ends, blank lines, gaps, spaces, marks, and a column that ends as something else."""
    chance = random.Random(seed)
    separator, line = chance.choice(",,;\t"), chance.choice(["\n", "\n", "\r\n"])
    kinds = ["whole", "number", "truth", "comma", "day", "day first", "time", "text"]
    columns = [chance.choice(kinds) for _ in range(chance.randint(1, 5))]
    lines = [separator.join(chance.choice([f"c{i}", f'"c {i}"']) for i in range(len(columns)))]
    rows = chance.randint(5, 60)
    for row in range(rows):
        if row == rows - 2 and seed % 2:
            columns[-1] = chance.choice(kinds)
        if chance.random() < 0.05:
            lines.append(chance.choice(["", " "]))
        lines.append(separator.join(cell(chance, kind, separator) for kind in columns))
    text = chance.choice(["", "\ufeff"]) + line.join(lines) + chance.choice(["", line, line + line])
    path = written("nasty.csv", text)
    monkeypatch.setattr(stream_csv, "CHUNK", chance.choice([16, 64, 200]))
    assert_frame_equal(whole(opened(path)), read_table(path).frame)


@pytest.mark.parametrize(
    ("last", "dtype"),
    [("7", pl.Int64), ("0.5", pl.Float64), ("x", pl.String), ("", pl.Int64), ("true", pl.String)],
)
def test_a_type_that_changes_in_the_last_chunk(written, monkeypatch, last, dtype):
    monkeypatch.setattr(stream_csv, "CHUNK", 64)
    path = written("a.csv", "a,b\n" + "".join(f"00{i},1\n" for i in range(100)) + f"{last},2")
    source = opened(path)
    assert len(source.chunks) > 5
    assert source.schema["a"] == dtype
    assert {source.read(i).frame.schema["a"] for i in range(len(source.chunks))} == {dtype}
    assert_frame_equal(whole(source), read_table(path).frame)
    texts = source.read(0, ["a"], text=["a"]).frame["a"].to_list()
    assert texts == [f"00{i}" for i in range(len(texts))]


def test_files_below_one_another(written, tmp_path):
    written("part-1.csv", "a,b\n1,x\n")
    written("part-2.csv", 'b;a\n"y";2,5\n')
    source = opened(tmp_path)
    frame = pl.DataFrame({"a": ["1", "2,5"], "b": ["x", "y"]})
    assert_frame_equal(whole(source), frame)
    assert_frame_equal(read_table(tmp_path).frame, frame)
    written("part-3.csv", "a,c\n1,x\n")
    with pytest.raises(FalllineError, match=r"'b' is missing from .*part-3\.csv"):
        open_source(tmp_path)


def test_compressed_text_cannot_be_cut(written, tmp_path):
    written("a.csv.gz", gzip.compress(b"a\n1\n"))
    with pytest.raises(FalllineError, match="write the table as Parquet"):
        open_source(tmp_path / "a.csv.gz")
    written("b.csv.gz", gzip.compress(b"a\n1.5\n"))
    assert read_table(str(tmp_path / "*.gz")).frame["a"].to_list() == [1.0, 1.5]


@pytest.mark.parametrize(
    ("tail", "sentence"),
    [
        ("1,2,3\n", r"Line 202 of a\.csv has 3 fields"),
        ("1\n", r"Line 202 of a\.csv has 1 field"),
        ('"1,2\n', "unclosed double quote"),
        ("\udcff,2\n", "line 202 holds the byte 0xFF"),
    ],
)
def test_the_line_of_a_mistake(written, monkeypatch, tail, sentence):
    monkeypatch.setattr(stream_csv, "CHUNK", 64)
    text = "a,b\n" + "1,2\n" * 200 + tail + "1,2\n"
    with pytest.raises(FalllineError, match=sentence):
        open_source(written("a.csv", text.encode("utf-8", "surrogateescape")))


# --- Parquet -------------------------------------------------------------------------------------


def test_every_type_of_parquet(tmp_path):
    n = 1000
    texts = [str(i % 7) for i in range(n)]
    begin = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    frame = pl.DataFrame(
        {
            "a": np.arange(n),
            "a.b": np.arange(n, dtype=np.float32),
            "byte": pl.Series(np.arange(n) % 200).cast(pl.UInt8),
            "text": texts,
            "category": pl.Series(texts).cast(pl.Categorical),
            "enum": pl.Series(texts).cast(pl.Enum([str(i) for i in range(7)])),
            "time": [begin + datetime.timedelta(hours=i) for i in range(n)],
            "day": [datetime.date(2020, 1, 1)] * n,
            "gap": [None] * n,
            "decimal": pl.Series(range(n)).cast(pl.Decimal(10, 2)),
        }
    )
    path = tmp_path / "x.parquet"
    frame.write_parquet(path, row_group_size=300)
    source = opened(path)
    assert [chunk.rows for chunk in source.chunks] == [300, 300, 300, 100]
    assert_frame_equal(whole(source), read_table(path).frame)
    assert source.read(1, ["text", "a"]).frame.row(0) == ("6", 300)
    assert source.first_row(2) == 600
    assert source.row_name(2, 16) == "row 617 of x.parquet"
    assert source.fingerprint == opened(path).fingerprint
    frame.with_columns(pl.col("a") + 1).write_parquet(path, row_group_size=300)
    assert source.fingerprint != opened(path).fingerprint


def test_numbers_of_several_widths(tmp_path):
    pl.DataFrame({"a": [1, 2], "b": [1.5, 2.0]}).write_parquet(tmp_path / "p-1.parquet")
    narrow = {"b": [3, None], "a": pl.Series([3, 4], dtype=pl.Int32)}
    pl.DataFrame(narrow).write_parquet(tmp_path / "p-2.parquet")
    source = opened(tmp_path)
    frame = pl.DataFrame({"a": [1, 2, 3, 4], "b": [1.5, 2.0, 3.0, None]})
    assert_frame_equal(whole(source), frame)
    assert_frame_equal(read_table(str(tmp_path / "*.parquet")).frame, frame)
    pl.DataFrame({"a": ["x"], "b": [1.0]}).write_parquet(tmp_path / "p-3.parquet")
    with pytest.raises(FalllineError, match=r"'a' is of type String in .*p-3\.parquet"):
        open_source(tmp_path)


def test_files_that_change_or_are_damaged(tmp_path):
    path = tmp_path / "x.parquet"
    pl.DataFrame({"a": np.random.default_rng(0).normal(size=9000)}).write_parquet(
        path, row_group_size=3000
    )
    content = path.read_bytes()
    source = open_source(path)
    path.write_bytes(content[:20_000] + bytes(12_000) + content[32_000:])
    with pytest.raises(FalllineError, match=r"x\.parquet is damaged.*row group 2 of 3"):
        source.read(1)
    path.write_bytes(content[:-9])
    with pytest.raises(FalllineError, match=r"x\.parquet has changed since it was opened"):
        source.read(0)
    with pytest.raises(FalllineError, match="cut short or damaged"):
        open_source(path)
    path.unlink()
    with pytest.raises(FalllineError, match="There is no file"):
        source.read(0)
    with pytest.raises(
        FalllineError, match="There is no column 'A' in x.parquet: did you mean 'a'"
    ):
        source.read(0, ["A"])


# --- arrays --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["numbers", "one scale", "pixels", "columns first", "images"])
def test_arrays_side_by_side(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(stream_npy, "MOST_ROWS", 100)
    draw = np.random.default_rng(0)
    X = {
        "numbers": draw.normal(size=(1000, 3)),
        "one scale": draw.uniform(-1, 1, (1000, 3)),
        "pixels": draw.integers(0, 255, (1000, 3)).astype(np.uint8),
        "columns first": np.asfortranarray(draw.normal(size=(1000, 3)).astype(np.float32)),
        "images": np.asfortranarray(draw.normal(size=(1000, 2, 3))),
    }[kind]
    y = draw.integers(0, 3, (1000, 1))
    (tmp_path / "d").mkdir()
    np.save(tmp_path / "d" / "X.npy", X)
    np.save(tmp_path / "d" / "y.npy", y)
    np.savez(tmp_path / "d.npz", X=X, y=y)
    source, table = opened(tmp_path / "d"), read_table(tmp_path / "d.npz")
    assert len(source.chunks) == 10
    assert_frame_equal(whole(source), table.frame)
    assert (source.blocks, source.target) == (table.blocks, table.target)
    again = read_table(tmp_path / "d")
    assert (again.blocks, again.target) == (table.blocks, "y")
    one = opened(tmp_path / "d" / "X.npy")
    assert list(one.schema)[:2] == ["x_0", "x_1"]
    assert one.target is None


def test_arrays_that_do_not_fit(tmp_path):
    np.save(tmp_path / "X.npy", np.zeros((9, 2)))
    np.save(tmp_path / "y.npy", np.zeros(8))
    with pytest.raises(FalllineError, match="has 8 rows where .* has 9"):
        open_source(tmp_path)
    with pytest.raises(FalllineError, match="one value a row: a table needs"):
        open_source(tmp_path / "y.npy")
    content = (tmp_path / "X.npy").read_bytes()
    (tmp_path / "X.npy").write_bytes(content[:-5])
    with pytest.raises(
        FalllineError, match="cut short: its header promises 272 bytes and it has 267"
    ):
        open_source(tmp_path / "X.npy")


# --- memory --------------------------------------------------------------------------------------


def pretend(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


MEMORY = {"proc/meminfo": "MemTotal: 900 kB\nMemAvailable: 800 kB\n"}


def test_free_memory(tmp_path):
    assert free_memory(pretend(tmp_path / "plain", MEMORY)) == 800 * 1024
    second = {
        "proc/self/cgroup": "0::/user/job\n",
        "sys/fs/cgroup/user/job/memory.max": "max\n",
        "sys/fs/cgroup/user/memory.max": "500000\n",
        "sys/fs/cgroup/user/memory.current": "200000\n",
        "sys/fs/cgroup/user/memory.stat": "anon 100000\ninactive_file 50000\n",
    }
    assert free_memory(pretend(tmp_path / "second", MEMORY | second)) == 350_000
    first = {
        "proc/self/cgroup": "5:cpu:/\n4:memory,hugetlb:/docker/abc\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "400000\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "300000\n",
        "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 100\n",
    }
    assert free_memory(pretend(tmp_path / "first", MEMORY | first)) == 100_100


def test_weight(written, tmp_path):
    frame = pl.DataFrame({"a": np.arange(5000.0), "b": ["some text that is long"] * 5000})
    frame.write_parquet(tmp_path / "a.parquet")
    assert 0.5 < weight(tmp_path / "a.parquet") / frame.estimated_size() < 2
    np.save(tmp_path / "a.npy", np.zeros((100, 10)))
    assert weight([tmp_path / "a.npy"]) == pytest.approx(8000, rel=0.05)
    for unknown in ("iris", frame, tmp_path / "none.csv", written("a.jsonl", '{"a": 1}\n')):
        assert weight(unknown) is None
