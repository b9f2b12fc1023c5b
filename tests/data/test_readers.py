from __future__ import annotations

import datetime
import gzip
import io
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from fallline.data import arrays, delimited
from fallline.data.readers import Table, read_table
from fallline.errors import FalllineError


def npz(**named) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **named)
    return file.getvalue()


def parquet(**columns) -> bytes:
    file = io.BytesIO()
    pl.DataFrame(columns).write_parquet(file)
    return file.getvalue()


def test_importing_loads_no_library():
    code = (
        "import sys, fallline.data.readers, fallline.data.encode, fallline.data.split\n"
        "print([m for m in ('polars', 'sklearn', 'pandas') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_scikit_learn_is_not_loaded_for_files(written):
    paths = [
        written("a.csv", "a,b\n1,2\n"),
        written("a.jsonl", '{"a": 1}\n'),
        written("a.parquet", parquet(a=[1])),
        written("a.npz", npz(a=np.arange(2))),
    ]
    code = (
        "import sys\nfrom fallline.data.readers import read_table\n"
        "for path in sys.argv[1:]: read_table(path)\n"
        "print('sklearn' in sys.modules)"
    )
    command = [sys.executable, "-c", code, *map(str, paths)]
    out = subprocess.run(command, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("content", "schema", "rows"),
    [
        ("a,b\n1,x\n2.5,y\n", {"a": pl.Float64, "b": pl.String}, [(1.0, "x"), (2.5, "y")]),
        ("a;b\n1;2,5\n3;4\n", {"a": pl.Int64, "b": pl.Float64}, [(1, 2.5), (3, 4.0)]),
        ("a\tb\n1\t2\n", {"a": pl.Int64, "b": pl.Int64}, [(1, 2)]),
        ("\ufeffa,b\r\n1,x\r\n", {"a": pl.Int64, "b": pl.String}, [(1, "x")]),
        ("a,b\r1,2\r", {"a": pl.Int64, "b": pl.Int64}, [(1, 2)]),
        (" a , b\n 39, x \n 40, ?\n", {"a": pl.Int64, "b": pl.String}, [(39, "x"), (40, None)]),
        ('a,b\n"1, 2","say ""hi"""\n', {"a": pl.String, "b": pl.String}, [("1, 2", 'say "hi"')]),
        ('a,b\n1,"x\ny"\n\n2,z\n\n', {"a": pl.Int64, "b": pl.String}, [(1, "x\ny"), (2, "z")]),
        ("\n\na,b\n1,2\n   \n", {"a": pl.Int64, "b": pl.Int64}, [(1, 2)]),
        ("a,b,\n1,2,\n", {"a": pl.Int64, "b": pl.Int64, "column_3": pl.String}, [(1, 2, None)]),
        (
            "a,b\nTrue,FALSE\n,true\n",
            {"a": pl.Boolean, "b": pl.Boolean},
            [(True, False), (None, True)],
        ),
        ("a\n99999999999999999999\ninf\n", {"a": pl.Float64}, [(1e20,), (float("inf"),)]),
        ("a,b\n1,\n,\n", {"a": pl.Int64, "b": pl.String}, [(1, None), (None, None)]),
    ],
)
def test_text_tables(written, content, schema, rows):
    table = read_table(written("a.csv", content))
    assert dict(table.frame.schema) == schema
    assert table.frame.rows() == rows
    assert (table.source, table.target, table.blocks) == ("a.csv", None, {})


def test_every_sign_of_a_missing_value(written):
    signs = ["NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?", ""]
    table = read_table(written("a.csv", "a,b\n1,1\n" + "".join(f"{s}, {s}\n" for s in signs)))
    assert table.frame.dtypes == [pl.Int64, pl.Int64]
    assert table.frame.null_count().row(0) == (len(signs), len(signs))


def test_dates_and_times(written):
    content = (
        "day,stamp,zone,clock,mixed,european\n"
        "2020-01-31,2020-01-31 10:00:00,2020-01-31T10:00:00Z,10:00,10:00,31/01/2020\n"
        "2021-02-03,2021-02-03 11:30:00,2021-02-03T11:30:00Z,11:20,11:20:00,03/02/2021\n"
    )
    frame = read_table(written("a.csv", content)).frame
    assert frame.dtypes == [
        pl.Date, pl.Datetime("us"), pl.Datetime("us", "UTC"), pl.Time, pl.String, pl.Date,
    ]  # fmt: skip
    assert frame["european"].to_list() == frame["day"].to_list()


def test_a_number_column_that_turns_to_text_late(written):
    table = read_table(written("a.csv", "a\n" + "1\n" * 10_000 + "oops\n"))
    assert table.frame["a"].dtype == pl.String
    assert table.frame["a"][-1] == "oops"


def test_columns_kept_as_text(written):
    path = written("a.csv", "code, n\n007, 1\n ?, 2\n")
    assert read_table(path, text=["code", "n"]).frame.rows() == [("007", "1"), (None, "2")]
    assert read_table(path, text=["elsewhere"]).frame.rows() == [(7, 1), (None, 2)]


def test_ten_thousand_columns(written):
    names = ",".join(f"x{i}" for i in range(10_000))
    line = ",".join("1.5" if i % 2 else "7" for i in range(10_000))
    path = written("wide.csv", f"{names}\n{line}\n{line}\n")
    start = time.perf_counter()
    table = read_table(path)
    assert time.perf_counter() - start < 10
    assert table.frame.shape == (2, 10_000)


def test_columns_read_apart_are_as_columns_read_together(written, monkeypatch):
    names = [f"x{i}" for i in range(300)]
    rows = [[("1", " 2.5", "oak", "true", "")[i % 5] for i in range(300)] for j in (0, 1)]
    path = written("a.csv", "\n".join(",".join(row) for row in [names, *rows]))
    together = read_table(path).frame
    monkeypatch.setattr(delimited, "_TOGETHER", 1)
    apart = read_table(path).frame
    assert apart.columns == names
    assert apart.equals(together)
    assert apart.schema == together.schema


def test_tab_and_gzip(written):
    assert read_table(written("a.tsv", "a,b\tc\n1\t2\n")).frame.columns == ["a,b", "c"]
    assert read_table(written("a.csv.gz", gzip.compress(b"a,b\n1,2\n"))).frame.rows() == [(1, 2)]
    assert read_table(written("a.jsonl.gz", gzip.compress(b'{"a": 1}\n'))).frame.rows() == [(1,)]


def test_json(written):
    lines = '{"a": 1, "d": "2020-01-31"}\n\n{"a": 2.5, "d": null, "late": "x"}\n'
    frame = read_table(written("a.jsonl", lines)).frame
    assert frame.rows() == [(1.0, datetime.date(2020, 1, 31), None), (2.5, None, "x")]
    for name in ("a.ndjson", "a.json"):
        assert read_table(written(name, lines)).frame.equals(frame)
    assert read_table(written("b.json", '[{"a": 1},\n {"a": 2}]')).frame.rows() == [(1,), (2,)]


def test_parquet(written):
    table = read_table(written("a.parquet", parquet(a=[1, 2], b=["x", None])))
    assert table.frame.rows() == [(1, "x"), (2, None)]


def test_npz_columns_blocks_and_target(written):
    content = npz(
        age=np.arange(3), images=np.zeros((3, 2, 2), np.uint8), y=np.array(["a", "b", "a"])
    )
    table = read_table(written("a.npz", content))
    pixels = ("images_0", "images_1", "images_2", "images_3")
    assert table.frame.columns == ["age", *pixels, "y"]
    assert table.target == "y"
    assert table.blocks == {"images": pixels}


def test_npz_flat_arrays_share_a_unit_only_if_they_look_so(written):
    content = npz(
        table=np.array([[1.0, 2000.0], [2.0, 3000.0]]),
        soft=np.array([[0.0, 1.0], [0.5, 0.25]]),
        bytes=np.array([[0, 255], [3, 4]], np.uint8),
        target=np.array([[1.0], [2.0]]),
    )
    table = read_table(written("a.npz", content))
    assert list(table.blocks) == ["soft", "bytes"]
    assert table.target == "target"


def test_libsvm_keeps_the_numbers_of_the_file(written):
    table = read_table(written("a9a", "-1 1:2 3:0.5\n+1 2:1\n"))
    assert table.frame.columns == ["f1", "f2", "f3", "label"]
    assert table.frame.rows() == [(2.0, 0.0, 0.5, -1), (0.0, 1.0, 0.0, 1)]
    assert table.target == "label"
    from_zero = read_table(written("a.svm", "1.5 0:2\n2 2:1 # a remark\n"))
    assert from_zero.frame.columns == ["f0", "f1", "f2", "label"]
    assert from_zero.frame["label"].to_list() == [1.5, 2.0]


def test_libsvm_is_padded_to_what_a_model_expects(written):
    path = written("a9a.t", "0 2:1\n1 1:1\n")
    table = read_table(path, like=["f1", "f2", "f3", "other"])
    assert table.frame.columns == ["f1", "f2", "f3", "label"]
    assert table.frame["f3"].to_list() == [0.0, 0.0]
    bare = read_table(written("b.svm", "1\n0\n"), like=["f1"])
    assert bare.frame.rows() == [(0.0, 1), (0.0, 0)]


def test_libsvm_too_wide_to_write_out(written, monkeypatch):
    path = written("a.svm", "0 1:2 999999999:3\n1 2:1\n")
    with pytest.raises(FalllineError, match=r"2 rows of 999,999,999 columns need 16\.0 GB"):
        read_table(path)
    monkeypatch.setattr(arrays, "DENSE_LIMIT", 10)
    with pytest.raises(FalllineError, match="is sparse"):
        read_table(written("b.svm", "0 1:2\n1 2:1\n"))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", "", r"a\.csv is empty"),
        ("a.csv", "\n \n", r"a\.csv is empty"),
        ("a.csv", "a,b\n", r"no rows in a\.csv, only column names"),
        ("a.csv", "a,b\n1,2\n1,2,3\n", r"Line 3 of a\.csv has 3 fields where .* has 2"),
        ("a.csv", 'a,b\n"1\n2",2\n1\n2,3\n', r"Line 4 of a\.csv has 1 field where .* has 2"),
        ("a.csv", "a,b\n1,2\n3\n", r"Line 3 of a\.csv has 1 field"),
        ("a.csv", b"a,b\n1,caf\xe9\n", r"line 2 holds the byte 0xE9 \(byte 10 of the file\)"),
        ("a.csv", b"caf\xe9,b\n1,2\n", r"line 1 holds the byte 0xE9"),
        ("a.csv", "a,b\n1,2\n".encode("utf-16"), r"the mark of UTF-16\. Save it again as UTF-8"),
        ("a.csv", "a,b,a\n1,2,3\n", r"more than one column called 'a', at places 1, 3"),
        ("a.csv", "a,b, a\n1,2,3\n", r"more than one column called 'a'"),
        ("a.csv", "1,1,2\n1,2,3\n", r"first line holds numbers only"),
        ("a.csv", 'a,b\n1,"x\n2,3\n', r"unclosed double quote \(line 2: "),
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n" * 5000, mtime=0)[:-12], r"a\.csv\.gz is cut short"),
        ("a.csv.gz", b"a,b\n1,2\n", r"does not unpack as gzip"),
        ("a.csv.gz", gzip.compress(b"a,b\n1,2,3\n", mtime=0), r"Line 2 of a\.csv\.gz has 3 fields"),
        ("a.jsonl.gz", gzip.compress(b'{"a":1}\n' * 5000, mtime=0)[:-12], r"a\.jsonl\.gz is cut short"),
        ("a.jsonl", '{"a": 1}\n\n{"a": }\n', r"Line 3 of a\.jsonl is not one object of JSON"),
        ("a.jsonl", '{"a": 1}\n{"a": "x', r"Line 2 of a\.jsonl"),
        ("a.jsonl", '{"a": 1}\n[1]\n', r"Line 2 of a\.jsonl is not a JSON object such as"),
        ("a.jsonl", b'{"a": "\xe9"}\n', r"line 1 holds the byte 0xE9"),
        ("a.jsonl", '{"a": [1]}\n', r"Column 'a' of a\.jsonl holds lists"),
        ("a.jsonl", '{"a": {"b": 1}}\n', r"Column 'a' of a\.jsonl holds structs"),
        ("a.json", '[{"a": 1},\n{"a": }]', r"Line 2 of a\.json is not JSON"),
        ("a.json", "[1, 2]", r"a\.json does not make a table"),
        ("a.json", " \n", r"a\.json is empty"),
        ("a.parquet", parquet(a=[1])[:-9], r"a\.parquet is cut short or damaged"),
        ("a.parquet", b"x", r"does not open as Parquet"),
        ("a.parquet", parquet(a=[[1]]), r"Column 'a' of a\.parquet holds lists"),
        ("a.parquet", parquet(a=[{"b": 1}]), r"Column 'a' of a\.parquet holds structs"),
        ("a.parquet", parquet(a=[b"x"]), r"holds raw bytes"),
        ("a.npz", npz(a=np.arange(1000.0))[:-30], r"a\.npz is cut short or damaged"),
        ("a.npz", b"garbage", r"does not open as a NumPy archive"),
        ("a.npz", npz(a=np.array([None, 1])), r"Array 'a' of a\.npz holds Python objects"),
        ("a.npz", npz(a=np.arange(3), b=np.arange(2)), r"Array 'b' .* has 2 rows where 'a' has 3"),
        ("a.npz", npz(a=np.float64(1)), r"a single value, not one value a row"),
        ("a.npz", npz(a=np.arange(2) * 1j), r"values of type complex128"),
        ("a.npz", npz(a_0=np.zeros(2), a=np.zeros((2, 2))), r"columns of the same name"),
        ("a.npz", npz(), r"There are no columns in a\.npz"),
        ("a.npz", npz(a=np.zeros((0, 2))), r"no rows in a\.npz"),
        ("a.svm", "hello world\n", r"a\.svm cannot be read as LIBSVM text"),
        ("notes", "label: value 1:2\n", r"in no format that Fallline knows by its ending"),
        ("a.xlsx", b"PK", r"it reads \.csv, \.tsv, \.parquet"),
    ],
)  # fmt: skip
def test_damaged_files(written, name, content, sentence):
    with pytest.raises(FalllineError, match=sentence):
        read_table(written(name, content))


def test_a_single_array_is_no_archive(written):
    file = io.BytesIO()
    np.save(file, np.arange(3))
    with pytest.raises(FalllineError, match="single array without a name"):
        read_table(written("a.npz", file.getvalue()))


def test_files_that_are_not_there(written, tmp_path, monkeypatch):
    path = written("sales.csv", "a,b\n1,2\n")
    with pytest.raises(FalllineError, match=r"did you mean 'sales\.csv'\?"):
        read_table(path.with_name("slaes.csv"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FalllineError, match="is a folder without tables"):
        read_table(tmp_path / "empty")
    with pytest.raises(FalllineError, match="nowhere does not exist"):
        read_table(tmp_path / "nowhere" / "a.csv")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FalllineError, match="did you mean 'digits'"):
        read_table("digit")
    with pytest.raises(FalllineError, match=r"check the path, or name a bundled set \(breast"):
        read_table("qqqq.zzz")


def test_a_file_wins_over_a_bundled_set(written, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_table("iris").frame.shape == (150, 5)
    written("iris", "0 1:2\n1 1:3\n")
    assert read_table("iris").frame.shape == (2, 2)


def test_the_home_folder(written, tmp_path, monkeypatch):
    written("a.csv", "a,b\n1,2\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert read_table("~/a.csv").frame.rows() == [(1, 2)]


def test_odd_file_names_are_not_patterns(written):
    assert read_table(written("a[1]*.csv", "a,b\n1,2\n")).frame.rows() == [(1, 2)]
    assert read_table(written("a[1]*.parquet", parquet(a=[1]))).frame.rows() == [(1,)]


def test_python_tables():
    frame = pl.DataFrame({"a": [1, 2]})
    for source in (frame, frame.lazy(), {"a": [1, 2]}, {"a": np.array([1, 2])}):
        table = read_table(source)
        assert isinstance(table, Table)
        assert table.frame.equals(frame)
    assert read_table({"a": [1, 2.5, None]}).frame["a"].to_list() == [1.0, 2.5, None]
    blocks = read_table({"a": [1, 2], "image": np.zeros((2, 2, 1))})
    assert blocks.blocks == {"image": ("image_0", "image_1")}
    assert blocks.frame.columns == ["image_0", "image_1", "a"]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (3, r"cannot be read from 'int'"),
        ({"a": [1, 2], "b": [1]}, r"Column 'b' of the dict has 1 rows where 'a' has 2"),
        ({"a": 5}, r"Column 'a' of the dict does not make a column"),
        ({"a": [object()]}, r"holds Python objects"),
        ({"a": [[1], [2]]}, r"Column 'a' of the dict holds lists"),
        ({1: [1], "1": [2]}, r"two columns of the same name in the dict"),
        ({}, r"no columns in the dict"),
    ],
)
def test_python_tables_that_are_none(source, sentence):
    with pytest.raises(FalllineError, match=sentence):
        read_table(source)


def test_pandas_frame():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    source = pandas.DataFrame(
        {
            "a": [1, 2],
            "b": ["x", None],
            "c": [0.5, float("nan")],
            "d": pandas.array([1, None], dtype="Int64"),
            "e": pandas.Categorical(["x", None]),
            "f": pandas.to_datetime(["2020-01-01", None], utc=True),
            "g": pandas.to_datetime(["2020-01-01", None]),
            "h": [1, "x"],
            7: [True, False],
        },
        index=[5, 6],
    )
    frame = read_table(source).frame
    assert frame["a"].to_list() == [1, 2]
    for name in "be":
        assert frame[name].to_list() == ["x", None]
    assert frame["c"].fill_nan(None).to_list() == [0.5, None]
    assert frame["d"].to_list() == [1, None]
    for name in "fg":
        assert frame[name].dt.year().to_list() == [2020, None]
    assert frame["h"].to_list() == ["1", "x"]
    assert frame["7"].to_list() == [True, False]
    with pytest.raises(FalllineError, match="more than one column called 'a'"):
        read_table(pandas.DataFrame([[1, 2]], columns=["a", "a"]))


@pytest.mark.parametrize(
    ("name", "shape", "target"),
    [
        ("california_housing.csv", (20_640, 10), None),
        ("diamonds.csv", (53_940, 10), None),
        ("adult.csv", (32_561, 15), None),
        ("titanic.csv", (891, 15), None),
        ("a9a.t", (16_281, 123), "label"),
        ("mnist10k.npz", (10_000, 785), "labels"),
    ],
)
def test_real_tables(real, name, shape, target):
    path: Path = real(name)
    table = read_table(path)
    assert table.frame.shape == shape
    assert table.target == target
