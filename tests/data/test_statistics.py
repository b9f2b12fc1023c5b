"""The streamed encoder against the one that is learned from the whole table in memory."""

from __future__ import annotations

import datetime
import json

import numpy as np
import polars as pl
import pytest

from fallline.data import sketches, statistics
from fallline.data.encode import learn
from fallline.data.readers import read_table
from fallline.data.sketches import RowSample, TextTally, row_keys
from fallline.data.statistics import Statistics, learn_from, training_summary
from fallline.data.stream import Chunk, Source
from fallline.data.table import Table
from fallline.errors import FalllineError


def streamed(table: Table, files: int, of: int) -> Source:
    """A source that has the rows of a table, cut into files of chunks of ``of`` rows."""
    n = table.frame.height
    sizes = [min(of, n - at) for at in range(0, n, of)]
    chunks = tuple(Chunk(i * files // len(sizes), rows, 0) for i, rows in enumerate(sizes))
    names = [table.source] if files == 1 else [f"part-{i}.parquet" for i in range(files)]
    schema = dict(table.frame.schema)
    return Source(table.source, "parquet", tuple(names), chunks, schema, blocks=dict(table.blocks))


def looked(source: Source, table: Table, mask, target: str, chunks, **options) -> Statistics:
    """Statistics of some chunks."""
    found = Statistics(source, target, **options)
    for chunk in chunks:
        at, rows = source.first_row(chunk), source.chunks[chunk].rows
        part = Table(table.frame[at : at + rows], "part", blocks=table.blocks)
        found.add(part, None if mask is None else mask[at : at + rows], chunk)
    return found


def sharded(source: Source, table: Table, mask, target: str, shards: int = 8, **options):
    """Statistics of shards, after a way over JSON."""
    parts = np.array_split(np.arange(len(source.chunks)), shards)
    each = [looked(source, table, mask, target, part.tolist(), **options) for part in parts]
    return [Statistics.from_json(json.loads(json.dumps(s.to_json())), source) for s in each]


def together(parts: list[Statistics], by: int = 1) -> Statistics:
    """Merge in their order, every ``by`` of them first among themselves."""
    groups = [copies(parts[at : at + by]) for at in range(0, len(parts), by)]
    for first, *others in groups:
        for other in others:
            first.merge(other)
    whole, *rest = [group[0] for group in groups]
    for other in rest:
        whole.merge(other)
    return whole


def copies(parts: list[Statistics]) -> list[Statistics]:
    return [Statistics.from_json(part.to_json(), part.source) for part in parts]


def assert_equal(got, expected) -> None:
    assert got.notes == expected.notes
    assert got.categories == expected.categories
    assert got.feature_names == expected.feature_names
    assert (got.task, got.why, got.classes) == (expected.task, expected.why, expected.classes)
    assert [type(c) for c in got.classes or ()] == [type(c) for c in expected.classes or ()]
    assert got.numbers.fill == pytest.approx(expected.numbers.fill, rel=1e-9, abs=1e-12)
    assert got.numbers.mean == pytest.approx(expected.numbers.mean, rel=1e-9, abs=1e-12)
    assert got.numbers.scale == pytest.approx(expected.numbers.scale, rel=1e-9)
    assert (got.target_mean, got.target_scale) == pytest.approx(
        (expected.target_mean, expected.target_scale), rel=1e-9
    )


def check(table: Table, target: str, *, of: int, shards: int = 8, **options) -> None:
    """Streamed and in memory, from all rows and from some."""
    n = table.frame.height
    for mask in (None, np.random.default_rng(0).random(n) < 0.8):
        rows = None if mask is None else np.flatnonzero(mask)
        expected = learn(table, rows, target, **options)
        source = streamed(table, 1, of)
        whole = together(sharded(source, table, mask, target, shards))
        got = learn_from(whole, **options)
        assert_equal(got, expected)
        summary = training_summary(whole, got)
        values = table.frame[target] if rows is None else table.frame[target][rows]
        if expected.classes is None:
            assert summary["mean"] == pytest.approx(values.cast(pl.Float64).mean(), rel=1e-9)
        else:
            assert list(summary["counts"]) == list(expected.classes)
            assert list(summary["counts"].values()) == [
                (values == label).sum() for label in expected.classes
            ]
            assert expected.task == "classification"


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("adult.csv", "income"),
        ("california_housing.csv", "median_house_value"),
        ("diamonds.csv", "price"),
        ("titanic.csv", "survived"),
    ],
)
def test_real_sets(real, name, target):
    check(read_table(real(name)), target, of=9001, shards=3)


@pytest.mark.parametrize("name", ["iris", "digits", "diabetes"])
def test_bundled_sets(name):
    table = read_table(name)
    check(table, table.target or "target", of=37, shards=3)


def nasty(n: int = 600) -> pl.DataFrame:
    random = np.random.default_rng(1)
    gappy = random.normal(size=n)
    gappy[random.random(n) < 0.3] = np.nan
    wild = random.normal(size=n) * 1e6
    wild[[3, 500]] = np.inf, -1e200
    day = datetime.datetime(2020, 1, 31, 7)
    days = [day + datetime.timedelta(hours=31 * i) for i in range(n)]
    return pl.DataFrame(
        {
            "none": pl.Series([None] * n, dtype=pl.Float64),
            "null": pl.Series([None] * n),
            "words": pl.Series([None] * n, dtype=pl.String),
            "same": [0.1] * n,
            "a": ["a"] * n,
            "gappy": gappy,
            "first": pl.Series([1.5] + [None] * (n - 1)),
            "wild": wild,
            "mixed": [f"{i}" if i % 2 else "word" for i in range(n // 6)] * 6,
            "number": pl.Series([None, *map(str, range(1, n))]),
            "names": [f"Mr {i}" for i in range(n)],
            "level": pl.Series(random.choice(["x", "y", "z"], n), dtype=pl.Categorical),
            "rare": ["u"] * (n - 3) + [None, "v", "w"],
            "day": pl.Series(days).set(pl.Series(range(n)) == 7, None),
            "date": pl.Series(days).dt.date(),
            "clock": pl.Series(days).dt.time(),
            "gap": pl.Series([datetime.timedelta(hours=i % 5) for i in range(n)]),
            "flag": random.random(n) < 0.5,
            "large": random.integers(-(2**62), 2**62, n),
            "huge": pl.Series([2**63 + i for i in range(n)], dtype=pl.UInt64),
            "money": pl.Series([f"{i % 7}.25" for i in range(n)]).cast(pl.Decimal(10, 2)),
            "small": random.normal(size=n).astype(np.float32),
            "y": random.normal(size=n),
            "late": ["p", "q"] * (n // 2 - 1) + ["p", "once"],
            "half": random.choice([0.5, 1.5, 2.5], n),
            "digit": random.integers(0, 4, n),
            "truth": random.random(n) < 0.5,
            "zero": random.choice([0.0, -0.0, 1.0], n),
        }
    )


def test_nasty_columns():
    check(Table(nasty(), "small.csv"), "y", of=67)


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("y", {"standardize_target": False}),
        ("late", {}),
        ("half", {"task": "classification"}),
        ("digit", {}),
        ("truth", {}),
        ("zero", {}),
        ("level", {}),
        ("money", {}),
    ],
)
def test_targets(target, options):
    table = Table(nasty().select({target, "gappy", "mixed"}), "small.csv")
    check(table, target, of=131, shards=4, **options)


def test_blocks_with_gaps():
    images = np.random.default_rng(0).normal(3, 2, (90, 2, 3))
    images[:, 0, 0] = np.nan
    images[4, 1, 1] = np.inf
    table = read_table({"image": images, "flat": np.full((90, 2, 1), 0.5), "y": np.arange(90.0)})
    check(table, "y", of=7)


def test_merging_does_not_depend_on_who_merged_before(monkeypatch):
    monkeypatch.setattr(statistics, "SAMPLED", 0)
    monkeypatch.setattr(statistics, "LEAST_SAMPLED", 50)
    table = Table(nasty(), "small.csv")
    source = streamed(table, 3, 67)
    parts = sharded(source, table, np.arange(600) % 5 > 0, "y")
    texts = {json.dumps(together(parts, by).to_json()) for by in (1, 2, 4, 8)}
    assert len(texts) == 1


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("gaps", {}),
        ("wild", {}),
        ("none", {}),
        ("same", {}),
        ("names", {}),
        ("slip", {}),
        ("words", {"task": "regression"}),
        ("price", {"task": "regresion"}),
        ("price", {"task": "classification"}),
        ("day", {}),
        ("prise", {}),
        ("price", {}),
        ("price", {"drop": ["slip"], "rows": [0]}),
        ("words", {"drop": ["slip"], "rows": [0, 2]}),
        ("price", {"drop": ["slip"], "rows": []}),
        ("price", {"drop": [*"gaps wild none same names words day slip".split(), "flat"]}),
        ("price", {"drop": [*"gaps wild none names words day slip".split(), "flat"]}),
    ],
)
def test_the_same_sentences(target, options):
    n = 60
    frame = pl.DataFrame(
        {
            "price": np.arange(n) / 2,
            "gaps": ["a", None, *["b"] * (n - 3), None],
            "wild": [1.0, 2.0, float("inf"), *np.arange(n - 3.0)],
            "none": pl.Series([None] * n, dtype=pl.Int64),
            "same": [7.5] * n,
            "flat": [1] * n,
            "names": [f"Mr {i}" for i in range(n)],
            "slip": [*map(str, range(n - 1)), "?!"],
            "words": ["a", "b"] * (n // 2),
            "day": [datetime.date(2020, 1, 1)] * n,
        }
    )
    table = Table(frame, "small.csv")
    rows, rest = options.get("rows"), {k: v for k, v in options.items() if k != "rows"}
    with pytest.raises(FalllineError) as expected:
        learn(table, None if rows is None else np.array(rows, int), target, **rest)
    mask = None if rows is None else np.isin(np.arange(n), rows)
    with pytest.raises(FalllineError) as got:
        source, drop = streamed(table, 1, 9), rest.pop("drop", ())
        learn_from(together(sharded(source, table, mask, target, drop=drop)), **rest)
    assert str(got.value) == str(expected.value)


def test_a_bad_row_of_many_files_is_named():
    table = Table(pl.DataFrame({"x": range(40), "y": [*range(33), None, *range(6)]}), "parts")
    source = streamed(table, 2, 10)
    with pytest.raises(FalllineError, match=r"missing in row 14 of part-1\.parquet: remove"):
        learn_from(together(sharded(source, table, None, "y", 4)))


def test_medians_of_a_sample(monkeypatch):
    monkeypatch.setattr(statistics, "SAMPLED", 0)
    n, k = 30_000, statistics.LEAST_SAMPLED
    random = np.random.default_rng(0)
    x = random.lognormal(size=(n, 20))
    frame = pl.DataFrame({f"x{i}": x[:, i] for i in range(20)}).with_columns(
        gappy=pl.when(pl.int_range(pl.len()) % 100 == 0).then("x0"),
        half=pl.when(pl.int_range(pl.len()) % 2 == 0).then("x1"),
        y=pl.int_range(pl.len()),
    )
    source = streamed(Table(frame, "t"), 1, 7000)
    found = looked(source, Table(frame, "t"), None, "y", range(5))
    fill = dict(zip(*(lambda e: (e.columns, e.fill))(learn_from(found).numbers), strict=True))
    shares = [(x[:, i] < fill[f"x{i}"]).mean() for i in range(20)]
    exact, about = learn_from(found).notes
    assert exact.startswith("gappy: 29,700 of 30,000 missing, filled with the median, ")
    assert about.startswith("half: 15,000 of 30,000 missing, filled with about the median, ")
    # The columns share their rows but not their values: 20 draws of the stated error.
    assert np.abs(np.array(shares) - 0.5).max() < 3.5 / (2 * np.sqrt(k))
    assert np.std(shares) > 0.2 / (2 * np.sqrt(k))
    assert fill["gappy"] == np.median(x[::100, 0])  # 300 values are all kept


def test_the_sample_does_not_depend_on_the_order():
    rows = np.arange(5000)
    keys, values = row_keys(rows), rows[:, np.newaxis].astype(float)
    assert len(np.unique(keys)) == 5000
    smallest = np.sort(rows[np.argsort(keys)[:300]])
    for order in (rows, rows[::-1], np.random.default_rng(0).permutation(rows)):
        one, other = RowSample(1, 300), RowSample(1, 300)
        for at in range(0, 5000, 450):
            some = order[at : at + 450]
            (one if at % 900 else other).offer(keys[some], values[some])
        one.merge(other)
        assert np.array_equal(np.sort(one.settled()[1][:, 0]), smallest)


def test_too_many_texts_to_count(monkeypatch):
    monkeypatch.setattr(sketches, "MOST_TEXTS", 300)
    random = np.random.default_rng(0)
    n = 30_000
    often = np.array(["red", "green", "blue"])[random.integers(0, 3, n)]
    seldom = np.array([f"s{i}" for i in random.integers(0, 5000, n)])
    column = pl.Series("text", np.where(random.random(n) < 0.7, often, seldom))
    exact = dict(column.value_counts().iter_rows())
    parts = [TextTally() for _ in range(3)]
    for i, at in enumerate(range(0, n, 1000)):
        parts[i % 3].add(column[at : at + 1000].value_counts(name="rows"))
    for other in parts[1:]:
        parts[0].merge(TextTally.from_json(json.loads(json.dumps(other.to_json()))))
    found = parts[0].texts()
    assert 0 < found.short <= n / 301
    assert found.distinct == pytest.approx(len(exact), rel=4 / np.sqrt(sketches.HASHES))
    for text, rows in found.counted.iter_rows():
        assert exact[text] - found.short <= rows <= exact[text]
    assert {"red", "green", "blue"} <= set(found.counted["text"])

    frame = pl.DataFrame({"c": column, "y": np.arange(n)})
    source = streamed(Table(frame, "t"), 1, 1000)
    encoder = learn_from(together(sharded(source, Table(frame, "t"), None, "y")))
    assert encoder.categories[0].levels == ("blue", "green", "red")
    assert encoder.categories[0].folded is None
    assert encoder.notes[0].startswith("c: too many distinct texts to count each")


def test_free_text_is_left_out_whatever_its_size(monkeypatch):
    monkeypatch.setattr(sketches, "MOST_TEXTS", 200)
    monkeypatch.setattr(sketches, "MOST_BYTES", 2000)
    n = 8000
    frame = pl.DataFrame({"c": [f"{i:050}x" for i in range(n)], "x": range(n), "y": range(n)})
    found = looked(streamed(Table(frame, "t"), 1, 500), Table(frame, "t"), None, "y", range(16))
    assert len(json.dumps(found.text("c").to_json())) < 200_000
    note = learn_from(found).notes[0]
    assert note.startswith("c: about ")
    about = int(note.split()[2].replace(",", ""))
    assert about == pytest.approx(n, rel=4 / np.sqrt(sketches.HASHES))


def test_too_many_classes(monkeypatch):
    monkeypatch.setattr("fallline.data.tally.MOST_DISTINCT", 20)
    frame = pl.DataFrame({"x": range(90), "y": [f"c{i % 30}" for i in range(90)]})
    source = streamed(Table(frame, "t"), 1, 20)
    with pytest.raises(FalllineError, match="more than .* classes, more than are learned from"):
        learn_from(together(sharded(source, Table(frame, "t"), None, "y")))
    numbers = frame.with_columns(y=pl.col("x") / 2)
    found = together(sharded(streamed(Table(numbers, "t"), 1, 20), Table(numbers, "t"), None, "y"))
    assert learn_from(found).why == "y holds more than 100,000 distinct numbers."


def test_damaged_statistics():
    table = Table(nasty(), "small.csv")
    found = looked(streamed(table, 1, 100), table, None, "y", range(6)).to_json()
    other = streamed(Table(table.frame.drop("gappy"), "small.csv"), 1, 100)
    for content, source in (({}, other), (found, other), (None, other)):
        with pytest.raises(FalllineError, match="damaged, or of another table"):
            Statistics.from_json(content, source)
