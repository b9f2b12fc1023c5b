"""A file that is written to while it is read in chunks."""

import os

import polars as pl
import pytest

from fallline import FalllineError
from fallline.data.stream import open_source


def test_a_file_of_the_same_size_but_another_content_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    pl.DataFrame({"a": [1, 2, 3], "y": [4, 5, 6]}).write_csv(path)
    source = open_source(path)
    source.read(0)
    path.write_text(path.read_text().replace("6", "7"))
    os.utime(path, ns=(1, 1))
    with pytest.raises(FalllineError, match=r"t\.csv has been written to since it was first read"):
        source.read(0)
