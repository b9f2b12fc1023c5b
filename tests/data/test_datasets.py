from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import sklearn.datasets

from fallline.data.datasets import BUNDLED, from_file, from_loader, load
from fallline.data.readers import read_table
from fallline.errors import FalllineError

SHAPES = {
    "breast_cancer": (569, 31),
    "diabetes": (442, 11),
    "digits": (1797, 65),
    "iris": (150, 5),
    "wine": (178, 14),
}


@pytest.mark.parametrize("name", BUNDLED)
def test_each_set_loads(name):
    table = load(name)
    assert table.frame.shape == SHAPES[name]
    assert table.source == name
    assert table.target == "target"
    assert table.frame.columns[-1] == "target"
    assert not sum(table.frame.null_count().row(0))
    assert read_table(name).frame.equals(table.frame)


@pytest.mark.parametrize("name", BUNDLED)
def test_the_files_hold_what_the_loaders_give(name):
    bundled = BUNDLED[name]
    (data, target), (expected, labels) = from_file(bundled), from_loader(name, bundled)
    assert np.allclose(data, expected, rtol=1e-12, atol=1e-15)
    assert target.dtype == labels.dtype
    assert (target == labels).all()
    names = getattr(sklearn.datasets, f"load_{name}")().feature_names
    assert list(bundled.columns) == list(names)


def test_labels_are_names_or_numbers():
    assert set(load("iris").frame["target"]) == {"setosa", "versicolor", "virginica"}
    assert set(load("breast_cancer").frame["target"]) == {"malignant", "benign"}
    assert set(load("digits").frame["target"]) == set(range(10))
    assert load("diabetes").frame["target"].dtype == pl.Float64


def test_names_and_values_are_the_real_ones():
    frame = load("iris").frame
    assert frame.columns[0] == "sepal length (cm)"
    assert np.allclose(frame.row(0)[:4], [5.1, 3.5, 1.4, 0.2])


def test_the_pixels_of_a_digit_are_one_block():
    blocks = load("digits").blocks
    assert list(blocks) == ["pixel"]
    assert len(blocks["pixel"]) == 64
    assert not load("wine").blocks


def test_an_unknown_set():
    with pytest.raises(FalllineError, match="did you mean 'wine'"):
        load("wines")
