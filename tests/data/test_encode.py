from __future__ import annotations

import datetime
import json
import time

import numpy as np
import polars as pl
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fallline.data import encode
from fallline.data.encode import Encoder, infer_task, learn
from fallline.data.readers import Table, read_table
from fallline.errors import FalllineError

Y = [0.5, 1.5, 2.5, 3.5]


def table(**columns) -> Table:
    return Table(pl.DataFrame(columns, strict=False), "small.csv")


def learned(target: str = "y", **columns) -> Encoder:
    return learn(table(**columns), None, target)


def test_numbers_equal_scikit_learn(passengers):
    train, test = np.arange(300), np.arange(300, 400)
    encoder = learn(Table(passengers, "passengers"), train, "survived")
    names = ["age", "fare", "sibsp", "alone"]
    raw = passengers.select(pl.col(names).cast(pl.Float64)).to_numpy()
    imputer = SimpleImputer(strategy="median").fit(raw[train])
    scaler = StandardScaler().fit(imputer.transform(raw[train]))
    for rows in (train, test):
        expected = scaler.transform(imputer.transform(raw[rows]))
        got = encoder.features(passengers[rows])
        assert encoder.feature_names[:4] == names
        np.testing.assert_allclose(got[:, :4], expected, rtol=1e-6, atol=1e-6)
        assert np.array_equal(got[:, 4], np.isnan(raw[rows, 0]))


def test_texts_equal_scikit_learn(passengers):
    encoder = learn(Table(passengers, "passengers"), None, "survived")
    texts = passengers.select(pl.col("sex", "deck").fill_null("~missing")).to_numpy()
    expected = OneHotEncoder(sparse_output=False).fit_transform(texts)
    got = encoder.features(passengers)[:, 5:]
    assert np.array_equal(got, expected)
    assert encoder.feature_names[5:] == [
        "sex=female", "sex=male", "deck=A", "deck=B", "deck=C", "deck=<missing>"
    ]  # fmt: skip


def test_shape_type_and_order(passengers):
    X = learn(Table(passengers, "p"), None, "survived").features(passengers)
    assert X.dtype == np.float32
    assert X.flags.c_contiguous
    assert np.isfinite(X).all()


def test_pieces_give_the_same(passengers, monkeypatch):
    encoder = learn(Table(passengers, "p"), None, "survived")
    whole = encoder.features(passengers)
    pieces = [encoder.features(passengers.slice(at, 37)) for at in range(0, 400, 37)]
    assert np.array_equal(np.vstack(pieces), whole)
    monkeypatch.setattr("fallline.data.numbers._PIECE", 1)
    assert np.array_equal(encoder.features(passengers), whole)


def test_only_training_rows_are_learned_from():
    t = table(x=[1.0, 3.0, 100.0, None], c=["a", "a", "b", "c"], y=Y)
    encoder = learn(t, np.array([0, 1]), "y")
    assert encoder.numbers.mean == (2.0,)
    assert encoder.target_mean == 1.0
    assert encoder.feature_names == ["x"]


def test_json_gives_back_an_equal_encoder(passengers):
    encoder = learn(
        Table(passengers.with_columns(d=pl.lit(datetime.date(2020, 1, 1))), "p"), None, "survived"
    )
    again = Encoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert again == encoder
    assert np.array_equal(again.features(passengers), encoder.features(passengers))


@pytest.mark.parametrize("content", [None, [], {}, {"format": "other", "version": 1}, "x"])
def test_foreign_json(content):
    with pytest.raises(FalllineError, match="damaged, or another version"):
        Encoder.from_json(content)


def spoil(content, path, value):
    *keys, last = path
    for key in keys:
        content = content[key]
    if value is KeyError:
        del content[last]
    else:
        content[last] = value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 99),
        (("goal",), KeyError),
        (("goal", "task"), "guess"),
        (("goal", "classes"), None),
        (("goal", "scale"), 0.0),
        (("numbers", "mean"), [1.0]),
        (("numbers", "scale", 0), 0.0),
        (("numbers", "fill", 0), float("nan")),
        (("numbers", "fill", 0), "x"),
        (("numbers", "parts", 0), "century"),
        (("numbers", "columns", 0), 3),
        (("categories", 0, "levels"), KeyError),
        (("categories", 0, "levels", 0), 3),
        (("notes",), None),
    ],
)
def test_damaged_json(passengers, path, value):
    content = learn(Table(passengers, "p"), None, "survived").to_json()
    spoil(content, path, value)
    with pytest.raises(FalllineError, match="damaged, or another version"):
        Encoder.from_json(content)


def test_infinite_values_are_missing():
    encoder = learned(x=[1.0, 2.0, float("inf"), float("nan")], y=Y)
    assert encoder.feature_names == ["x", "x missing"]
    assert "x: 1 of 4 infinite, taken as missing." in encoder.notes
    assert "x: 2 of 4 missing, filled with the median, 1.5." in encoder.notes
    X = encoder.features(pl.DataFrame({"x": [1.5, -float("inf"), 1e300, None]}))
    assert X.tolist() == [[0, 0], [0, 1], [0, 1], [0, 1]]


def test_standardised_values_stay_finite():
    encoder = learned(x=[0.0, 1e-30, 2e-30, 3e-30], big=[1e140, -1e140, 1.0, 2.0], y=Y)
    X = encoder.features(pl.DataFrame({"x": [1e149, -1e149], "big": [1e150, 1e-300]}))
    assert np.isfinite(X).all()


def test_constant_and_empty_columns_are_left_out():
    encoder = learned(
        x=[1, 2, 3, 4], same=[7] * 4, word=["a"] * 4, none=[None] * 4,
        day=[datetime.date(2020, 1, 1)] * 4, y=Y,
    )  # fmt: skip
    assert encoder.feature_names == ["x"]
    assert encoder.columns == ["x"]
    assert "Columns 'same', 'day', 'word' are constant, left out." in encoder.notes
    assert "Column 'none' is empty, left out." in encoder.notes


def test_a_constant_with_gaps_tells_by_its_gaps():
    assert learned(x=[1, None, 1, 1], y=Y).feature_names == ["x missing"]


def test_rare_missing_and_unseen_levels():
    levels = ["a"] * 50 + ["b"] * 40 + ["c", "d"] + [None] * 8
    encoder = learned(c=levels, y=np.arange(100.0))
    assert encoder.feature_names == ["c=a", "c=b", "c=<rare>", "c=<missing>"]
    frame = pl.DataFrame({"c": ["a", "b", "d", "new", None, "newer"]})
    X = encoder.features(frame)
    assert X.argmax(axis=1).tolist() == [0, 1, 2, 2, 3, 2]
    assert X.sum(axis=1).tolist() == [1] * 6
    assert encoder.unseen(frame) == {"c": (2, "new")}


def test_unseen_and_missing_without_a_column_are_zeros():
    encoder = learned(c=["a", "a", "b", "b"], y=Y)
    frame = pl.DataFrame({"c": ["b", "new", None]})
    assert encoder.features(frame).tolist() == [[0, 1], [0, 0], [0, 0]]
    assert encoder.unseen(frame) == {"c": (1, "new")}
    assert encoder.unseen(pl.DataFrame({"c": ["a"]})) == {}


def test_at_most_a_hundred_levels():
    levels = [f"{i:03}-x" for i in range(120) for _ in range(10 if i < 60 else 8)]
    encoder = learned(c=levels, y=np.arange(len(levels)) / 2)
    assert len(encoder.feature_names) == 101
    assert encoder.feature_names[-1] == "c=<rare>"


def test_names_and_free_text_are_left_out():
    names = [f"Mr {i}" for i in range(100)]
    encoder = learned(name=names, x=np.arange(100.0), y=np.arange(100.0))
    assert encoder.feature_names == ["x"]
    assert encoder.notes == [
        "name: 100 distinct texts in 100 rows look like names or free text, left out."
    ]


def test_the_parts_of_a_date():
    days = [datetime.date(2020, 1, 31) + datetime.timedelta(days=40 * i) for i in range(12)]
    encoder = learned(d=days, y=np.arange(12.0))
    assert encoder.feature_names == [
        "d days", "d year", "d month", "d day", "d weekday", "d day of year"
    ]  # fmt: skip
    raw = np.array(
        [
            [d.toordinal(), d.year, d.month, d.day, d.isoweekday(), d.timetuple().tm_yday]
            for d in days
        ]
    )
    expected = StandardScaler().fit_transform(raw)
    got = encoder.features(pl.DataFrame({"d": days}))
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)
    stamps = pl.DataFrame({"d": [datetime.datetime(d.year, d.month, d.day) for d in days]})
    assert np.array_equal(encoder.features(stamps), got)


def test_times():
    stamps = [datetime.datetime(2020, 1, 1, 6, 30), datetime.datetime(2020, 1, 1, 18, 0), None]
    encoder = learned(
        d=stamps, t=[datetime.time(6), datetime.time(12), datetime.time(18)],
        gap=[datetime.timedelta(hours=h) for h in (1, 2, 3)], y=Y[:3],
    )  # fmt: skip
    assert encoder.feature_names == ["gap", "d days", "d hour", "t time", "d missing"]
    assert "d: 1 of 3 missing, filled with the medians." in encoder.notes
    zoned = pl.DataFrame(
        {"d": pl.Series(stamps).dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo"),
         "t": [None, None, None], "gap": [None, None, None]},
    )  # fmt: skip
    X = encoder.features(zoned)
    assert np.array_equal(X[:, 1], encoder.features(zoned.with_columns(d=pl.Series(stamps)))[:, 1])


def test_a_block_shares_one_mean_and_scale():
    images = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    images[:, 0, 0] = 0
    t = read_table({"image": images, "y": np.array(Y[:3])})
    X = learn(t, None, "y").features(t)
    flat = images.reshape(3, 4).astype(float)
    np.testing.assert_allclose(X, (flat - flat.mean()) / flat.std(), rtol=1e-6)
    assert X.shape == (3, 4)


def test_a_block_with_gaps_and_a_constant_block(monkeypatch):
    monkeypatch.setattr("fallline.data.learning._CHUNK", 1)
    image = np.array([[[0.0], [np.nan]], [[1.0], [2.0]]])
    t = read_table({"image": image, "flat": np.ones((2, 1, 1)), "y": [0.5, 1.5]})
    encoder = learn(t, None, "y")
    assert encoder.numbers.mean == (1.0, 1.0)
    assert encoder.numbers.scale == pytest.approx([np.sqrt(2 / 3)] * 2)
    assert encoder.features(t)[0, 1] == 0
    assert encoder.notes == ["Column 'flat' is constant, left out."]


def test_texts_that_are_numbers():
    encoder = learned(x=["1", "2", "3.5", None], y=Y)
    assert encoder.feature_names == ["x", "x missing"]
    frame = pl.DataFrame({"x": [1.0, 2.0, 3.5, None]})
    assert np.array_equal(encoder.features(frame), encoder.features(frame.cast(pl.String)))


def test_numbers_with_slips():
    cells = [str(i) for i in range(99)] + ["12 or so"]
    with pytest.raises(
        FalllineError, match=r"99 of 100 values .* row 100 holds '12 or so'\. .*--drop x"
    ):
        learned(x=cells, y=np.arange(100.0))
    t = table(x=cells, z=np.arange(100), y=np.arange(100.0))
    assert learn(t, None, "y", drop=["x"]).feature_names == ["z"]


def test_categories_given_as_numbers_at_prediction():
    encoder = learned(c=["7", "7", "x", "x"], y=Y)
    for values in ([7, None], [7.0, float("nan")]):
        assert encoder.features(pl.DataFrame({"c": values})).tolist() == [[1, 0], [0, 0]]
    enum = pl.DataFrame({"c": pl.Series(["x", "7"], dtype=pl.Categorical)})
    assert encoder.features(enum).tolist() == [[0, 1], [1, 0]]
    assert encoder.text_columns == ["c"]


def test_prediction_ignores_further_columns_and_needs_no_target():
    encoder = learned(x=[1.0, 2.0, 3.0, 4.0], y=Y)
    assert encoder.features(pl.DataFrame({"more": ["?"], "x": [2.5]})).tolist() == [[0.0]]
    assert encoder.features(pl.DataFrame({"x": [True]})).shape == (1, 1)
    assert encoder.features(pl.DataFrame({"x": []})).shape == (0, 1)


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        ({"Age": [1], "day": [None]}, r"Column 'age' is missing from .* did you mean 'Age'\?"),
        ({"z": [1]}, r"Columns 'age', 'day' are missing from new\.csv"),
        ({"age": ["3", "old"], "day": [None, None]}, r"'age' held numbers .* row 2 .* holds 'old'"),
        ({"age": [datetime.date(2020, 1, 1)], "day": [None]}, r"row 1 of new\.csv holds '2020-"),
        ({"age": [1], "day": ["soon"]}, r"Column 'day' held dates .* row 1 .* holds 'soon'"),
        ({"age": [1], "day": [3]}, r"Column 'day' held dates .* holds '3'"),
    ],
)  # fmt: skip
def test_prediction_on_another_table(frame, sentence):
    days = [datetime.date(2020, month, 1) for month in (1, 2, 3, 4)]
    encoder = learned(age=[1, 2, 3, 4], day=days, y=Y)
    with pytest.raises(FalllineError, match=sentence):
        encoder.features(Table(pl.DataFrame(frame), "new.csv"))


@pytest.mark.parametrize(
    ("values", "task", "why"),
    [
        (["a", "b"] * 5, "classification", "t holds 2 distinct texts."),
        ([True, False] * 5, "classification", "t holds truth values."),
        ([0.0, 1.0] * 5, "classification", "t holds the numbers 0 and 1 only."),
        ([1.0, 2.0] * 5, "regression", "t holds 2 distinct numbers."),
        ([1, 2] * 5, "classification", "t holds 2 distinct whole numbers."),
        ([1, 2, 3] * 3, "regression", "t holds 3 distinct whole numbers in 9 rows."),
        (list(range(11_602)), "regression", "t holds 11,602 distinct whole numbers."),
        ([i / 2 for i in range(11_602)], "regression", "t holds 11,602 distinct numbers."),
    ],
)
def test_the_task_is_inferred(values, task, why):
    assert infer_task(pl.Series("t", values)) == (task, why)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", "a", "b", "a"], ("a", "b")),
        ([True, False, True, True], (False, True)),
        ([0.0, 1.0, 1.0, 0.0], (0, 1)),
        ([3, 1, 3, 1] * 3, (1, 3)),
        (pl.Series(["b", "a", "b", "b"], dtype=pl.Categorical), ("a", "b")),
    ],
)
def test_classes(labels, classes):
    frame = pl.DataFrame({"y": labels})
    frame = frame.with_columns(x=pl.int_range(pl.len()))
    encoder = learn(Table(frame, "small.csv"), None, "y")
    assert encoder.task == "classification"
    assert encoder.classes == classes
    assert [type(c) for c in encoder.classes] == [type(c) for c in classes]
    codes = encoder.targets(frame)
    assert codes.dtype == np.int32
    assert encoder.decode(codes).tolist() == list(frame["y"])
    again = Encoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert np.array_equal(again.targets(frame), codes)


def test_a_class_without_training_rows_is_known():
    t = table(x=[1, 2, 3, 4], y=["a", "b", "b", "c"])
    assert learn(t, np.array([0, 1, 2]), "y").classes == ("a", "b", "c")


def test_fractional_labels_if_asked_for():
    encoder = learn(table(x=[1, 2, 3], y=[0.5, 1.5, 0.5]), None, "y", task="classification")
    assert encoder.classes == (0.5, 1.5)
    assert encoder.targets(pl.DataFrame({"y": [1.5, 0.5]})).tolist() == [1, 0]


def test_regression_targets_there_and_back():
    values = np.array([100.0, 250.0, 325.5, 1e6])
    t = table(x=[1, 2, 3, 4], y=values)
    encoder = learn(t, None, "y")
    y = encoder.targets(t)
    assert y.dtype == np.float32
    assert y.mean() == pytest.approx(0, abs=1e-6)
    assert y.std() == pytest.approx(1, rel=1e-6)
    assert (encoder.target_mean, encoder.target_scale) == (values.mean(), values.std())
    back = encoder.decode(y)
    assert back.dtype == np.float64
    np.testing.assert_allclose(back, values, rtol=1e-3)
    raw = learn(t, None, "y", standardize_target=False)
    assert np.array_equal(raw.targets(t), values.astype(np.float32))


@pytest.mark.parametrize(
    ("target", "options", "sentence"),
    [
        ("prise", {}, r"no column 'prise' in small\.csv: did you mean 'price'\?"),
        ("none", {}, r"'none' of small\.csv is empty in every row"),
        ("same", {}, r"holds only one number in small\.csv, 7\.5"),
        ("kind", {}, r"holds only one class in small\.csv, 'a'"),
        ("gaps", {}, r"'gaps' of small\.csv is missing in row 2: remove such rows"),
        ("nans", {}, r"missing in 2 rows, the first of them row 1"),
        ("wild", {}, r"infinite or too large in 1 of 4 rows, first in row 3"),
        ("names", {}, r"a class of its own for each of its 4 rows"),
        ("price", {"task": "classification"}, r"class of its own .* or the task regression"),
        ("words", {"task": "regression"}, r"cannot be learned as a number: row 1 holds 'a'"),
        ("price", {"task": "regresion"}, r"no task called 'regresion': did you mean 'regression'"),
        ("day", {}, r"Column 'day' holds dates, which Fallline cannot predict"),
        ("clock", {}, r"holds times of day, which"),
        ("price", {"drop": ["wrods"]}, r"no column 'wrods' .* did you mean 'words'"),
        ("price", {"drop": ["price"]}, r"'price' is the target"),
        ("price", {"rows": [0]}, r"only one number in the 1 training rows of small\.csv"),
        ("words", {"rows": [0, 2]}, r"only one class in the 2 training rows"),
        ("price", {"rows": []}, r"no rows of small\.csv to learn from"),
    ],
)
def test_targets_that_cannot_be_learned(target, options, sentence):
    t = table(
        price=[1.5, 2.5, 3.5, 4.5], none=[None] * 4, same=[7.5] * 4, kind=["a"] * 4,
        gaps=["a", None, "a", "b"], nans=[float("nan"), None, 1.0, 2.0],
        wild=[1.0, 2.0, float("inf"), 4.0], names=["a", "b", "c", "d"], words=["a", "b", "a", "b"],
        day=[datetime.date(2020, 1, d) for d in (1, 2, 3, 4)],
        clock=[datetime.time(d) for d in (1, 2, 3, 4)],
    )  # fmt: skip
    rows = options.pop("rows", None)
    options = dict(options)
    with pytest.raises(FalllineError, match=sentence):
        learn(t, None if rows is None else np.array(rows, int), target, **options)


def test_a_numeric_target_with_a_slip():
    cells = [str(i / 2) for i in range(99)] + ["?!"]
    with pytest.raises(FalllineError, match=r"Column 'y' .* row 100 holds '\?!'"):
        learned(x=np.arange(100), y=cells)


def test_unknown_labels():
    encoder = learned(x=[1, 2, 3, 4], y=["yes", "no", "yes", "no"])
    with pytest.raises(FalllineError, match=r"Row 2 of the table has the label 'yess'.*'yes'"):
        encoder.targets(pl.DataFrame({"y": ["no", "yess"]}))
    with pytest.raises(FalllineError, match="no column 'y' in the table"):
        encoder.targets(pl.DataFrame({"x": [1]}))


def test_no_feature_is_left():
    with pytest.raises(FalllineError, match=r"No column of small\.csv is left .* no other column"):
        learned(y=Y)
    with pytest.raises(FalllineError, match=r"No column .* Column 'x' is constant"):
        learned(x=[1] * 4, y=Y)


def test_too_large_to_encode(monkeypatch):
    monkeypatch.setattr(encode, "ENCODED_LIMIT", 8)
    with pytest.raises(
        FalllineError, match=r"The 4 rows of small\.csv make 1 encoded columns each"
    ):
        learned(x=[1, 2, 3, 4], y=Y)


def test_unusual_types_of_numbers():
    frame = pl.DataFrame(
        {
            "wide": pl.Series([1, 2, 3, None], dtype=pl.Int128),
            "money": pl.Series(["1.10", "2.20", "3.30", "4.40"]).cast(pl.Decimal(10, 2)),
            "small": pl.Series([1.0, 2.0, 3.0, 4.0], dtype=pl.Float32),
            "y": Y,
        }
    )
    X = learn(Table(frame, "t"), None, "y").features(frame)
    assert np.isfinite(X).all()
    assert X[:, 1] == pytest.approx(X[:, 2], rel=1e-6)


def test_adult(real):
    t = read_table(real("adult.csv"))
    encoder = learn(t, None, "income")
    assert encoder.classes == ("<=50K", ">50K")
    start = time.perf_counter()
    X = encoder.features(t)
    assert time.perf_counter() - start < 1  # far below 0.1 s on a quiet machine
    assert np.isfinite(X).all()
    # One level of each of the eight texts is set, unless it has no column.
    texts = [name for name in encoder.feature_names if "=" in name]
    assert (X[:, -len(texts) :].sum(axis=1) == 8).all()


def test_california(real):
    t = read_table(real("california_housing.csv"))
    encoder = learn(t, None, "median_house_value")
    assert encoder.task == "regression"
    assert "total_bedrooms: 207 of 20,640 missing, filled with the median, 435." in encoder.notes
    np.testing.assert_allclose(
        encoder.decode(encoder.targets(t)), t.frame["median_house_value"].to_numpy(), rtol=1e-5
    )


def test_mnist(real):
    t = read_table(real("mnist10k.npz"))
    encoder = learn(t, None, t.target)
    assert encoder.classes == tuple(range(10))
    X = encoder.features(t)
    assert X.shape == (10_000, 784)
    assert X.mean(dtype=np.float64) == pytest.approx(0, abs=1e-6)
    assert X.std(dtype=np.float64) == pytest.approx(1, rel=1e-6)


def test_a9a_test_file(real):
    train = read_table(real("a9a"))
    encoder = learn(train, None, "label")
    test = read_table(real("a9a.t"), like=encoder.columns)
    assert encoder.features(test).shape == (16_281, len(encoder.feature_names))
