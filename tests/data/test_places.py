"""Every path, pattern, folder and URL is opened behind one function."""

from __future__ import annotations

import subprocess
import sys

import fsspec
import polars as pl
import pytest

from fallline.data.places import expand, is_pattern, is_url, name_of, open_input, size
from fallline.data.readers import read_table
from fallline.data.stream import open_source
from fallline.data.weight import weight
from fallline.errors import FalllineError


@pytest.fixture
def store():
    """An object store in memory, with two parts of a table."""
    files = fsspec.filesystem("memory")
    files.pipe("/bucket/part-10.csv", b"a,b\n3,x\n")
    files.pipe("/bucket/part-9.csv", b"a,b\n1.5,x\n2,y\n")
    yield files
    files.rm("/bucket", recursive=True)


def test_patterns_folders_and_lists(written, tmp_path):
    paths = [str(written(f"part-{n}.csv", "a\n1\n")) for n in (1, 2, 10)]
    written("_SUCCESS", "")
    written(".part-3.csv", "")
    assert expand(str(tmp_path / "part-*.csv")) == paths
    assert expand(tmp_path) == paths
    assert expand([paths[2], tmp_path / "part-1.csv"]) == [paths[2], paths[0]]
    assert not is_pattern(str(written("a[1].csv", "a\n1\n")))
    assert expand(tmp_path / "a[1].csv") == [str(tmp_path / "a[1].csv")]


def test_names():
    assert is_url("s3://bucket/a.csv")
    assert not is_url("data/a.csv")
    assert not is_url(r"C:\data\a.csv")
    assert name_of("https://host/x/a.csv?version=3") == "a.csv"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("none-*.csv", r"No file matches none-\*\.csv"),
        ("slaes.csv", r"did you mean 'sales\.csv'"),
        ("empty", "is a folder without tables"),
        (".", r"more than one kind \(\.csv, \.parquet\)"),
        ([], "list of files is empty"),
        (["sales.csv", "sales.csv"], r"sales\.csv is named twice"),
    ],
)
def test_what_is_not_there(written, tmp_path, monkeypatch, data, sentence):
    written("sales.csv", "a\n1\n")
    written("more.parquet", b"PAR1")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FalllineError, match=sentence):
        expand(data)


def test_urls(store):
    url = "memory://bucket/part-9.csv"
    assert size(url) == 14
    with open_input(url) as file:
        file.seek(4)
        assert file.read(3) == b"1.5"
    whole = pl.DataFrame({"a": [1.5, 2.0, 3.0], "b": ["x", "y", "x"]})
    for data in ("memory://bucket/*.csv", "memory://bucket"):
        assert [name_of(one) for one in expand(data)] == ["part-9.csv", "part-10.csv"]
        assert read_table(data).frame.equals(whole)
        assert open_source(data).rows == 3
    assert read_table(url).frame.equals(whole.head(2))
    assert weight(url) == read_table(url).frame.estimated_size()
    for data in ("memory://bucket/none.csv", "memory://none/*.csv"):
        with pytest.raises(FalllineError, match=r"There is no file|No file matches"):
            read_table(data)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ImportError("Install s3fs"), r"pip install 'fallline\[s3\]'"),
        (PermissionError("AccessDenied"), "You are not allowed to read s3://bucket/a.csv"),
        (OSError("no route to host"), "no route to host. Check the address, the network"),
        (ValueError("Protocol not known: s3"), "no kind of place that Fallline can read from"),
    ],
)
def test_stores_that_do_not_answer(monkeypatch, error, sentence):
    def refuse(url):
        raise error

    monkeypatch.setattr(fsspec.core, "url_to_fs", refuse)
    with pytest.raises(FalllineError, match=sentence):
        open_input("s3://bucket/a.csv")


def test_paths_need_no_fsspec(written):
    path = written("a.csv", "a\n1\n")
    code = (
        "import sys\nfrom fallline.data.places import expand, open_input, size\n"
        f"size(expand({str(path)!r})[0]); open_input({str(path)!r}).close()\n"
        "print([m for m in ('fsspec', 'polars', 'pyarrow') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
