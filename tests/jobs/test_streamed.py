"""Fits of tables that are read in pieces."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import jax
import numpy as np
import polars as pl
import pytest

import fallline
from fallline.data import shards as cutting
from fallline.data.encode import learn
from fallline.data.readers import read_table
from fallline.data.stream import open_source
from fallline.descent.crew import Crew, local_crew
from fallline.descent.sharded import BlockFeed
from fallline.errors import FalllineError
from fallline.jobs import fit as fitting
from fallline.jobs import measure, streamed
from fallline.jobs.config import FitConfig
from fallline.jobs.supply import Aside, Pieces, SourceSupply
from fallline.jobs.totals import Totals
from fallline.store.folder import RunFolder

ROWS, GROUP, BLOCK = 3000, 100, 512


def table(rows=ROWS):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(rows, 3))
    kind = rng.choice(["a", "b", "c"], rows)
    y = x @ [1.0, -2.0, 0.5] + (kind == "b") + 0.1 * rng.normal(size=rows)
    return pl.DataFrame({"x": x[:, 0], "z": x[:, 1], "w": x[:, 2], "kind": kind, "y": y})


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    path = tmp_path_factory.mktemp("streamed") / "rows.parquet"
    table().write_parquet(path, row_group_size=GROUP)
    return path


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(streamed, "block_rows", lambda *arguments: BLOCK)


def config(path, **options):
    fields = {
        "model": "linear",
        "epochs": 3,
        "learning_rate": 0.02,
        "batch_size": 64,
        "stream": True,
    }
    return FitConfig.from_json({"data": str(path), "target": "y", **fields, **options})


def parameters(run):
    return {
        name: np.asarray(leaf) for name, leaf in fallline.tree.to_arrays(run.run.params).items()
    }


class TestBlocks:
    def supply(self, path, aside, *, devices=1, batch=8, block=64):
        source = open_source(str(path))
        counts = cutting.counts(source.rows, 0.1, 0.2)
        found = cutting.shards([chunk.rows for chunk in source.chunks], 8, counts)
        encoder = learn(read_table(path), np.arange(ROWS), "y")
        longest = max(shard.counts.training for shard in found)
        pieces = Pieces(source, 0)
        more = {"devices": devices, "batch": batch, "block": block, "longest": longest, "seed": 3}
        return SourceSupply(pieces, encoder, found, aside, **more), counts

    def seen(self, supply, epoch):
        """The targets of an epoch's batches, in the order in which the loop sees them."""
        found = []
        for number in range(supply.blocks):
            block = supply.block(epoch, number)
            y = np.where(block.rows.weights > 0, block.rows.y, np.nan)
            found.append(y[block.order].reshape(supply.steps, -1))
        return np.concatenate(found)

    def test_an_epoch_sees_every_training_row_once(self, parquet):
        aside = Aside(None)
        supply, counts = self.supply(parquet, aside)
        first, second = self.seen(supply, 0), self.seen(supply, 1)
        assert supply.blocks > 1
        for epoch in (first, second):
            values = epoch[np.isfinite(epoch)]
            assert len(values) == counts.training
            assert len(np.unique(values)) == counts.training
            # Full batches first, the rest in the last one.
            rows = np.isfinite(epoch).sum(axis=1)
            assert (rows[: counts.training // 64] == 64).all()
            assert rows.sum() == counts.training
        assert not np.array_equal(first, second, equal_nan=True)
        # Block 2 is the same whether or not those before it were asked for.
        again, _ = self.supply(parquet, aside)
        np.testing.assert_array_equal(again.block(1, 2).rows.y, supply.block(1, 2).rows.y)
        aside.close()

    def test_batches_do_not_depend_on_the_devices(self, parquet):
        aside = Aside(None)
        one, _ = self.supply(parquet, aside)
        two, _ = self.supply(parquet, aside, devices=2)
        block, half = one.block(0, 0), two.block(0, 0)
        # Order numbers count within a device's rows.
        ours = block.rows.y[block.order].reshape(one.steps, 64)
        theirs = [
            half.rows.y[d * two.rows :][half.order.reshape(2, two.steps, 32)[d]] for d in range(2)
        ]
        np.testing.assert_array_equal(ours, np.concatenate(theirs, axis=1))
        aside.close()


@pytest.mark.usefixtures("small_blocks")
class TestRuns:
    def test_it_learns_what_is_there_and_says_so(self, parquet, tmp_path):
        fitted = fitting.run_fit(config(parquet), out=tmp_path / "run")
        r = fitted.result
        assert r["value"] > 0.98
        assert r["rows"] == {"training": 2160, "validation": 240, "test": 600}
        assert r["steps"] == 3 * 34
        assert r["rows_seen"] == 3 * 2160
        assert r["streamed"]["blocks"] == 5
        assert len(fitted.run.history.loss) == 102
        assert np.isfinite(fitted.run.history.validation_loss).all()
        assert not list((tmp_path / "run").glob(".*"))
        loaded = fallline.load(tmp_path / "run")
        rows = table(50)
        np.testing.assert_array_equal(loaded.predict(rows), fitted.predict(rows))

    def test_a_stopped_run_goes_on_to_the_same_bits(self, parquet, tmp_path, monkeypatch):
        monkeypatch.setattr("fallline.descent.descend.CALL_SECONDS", 1e-9)
        whole = fitting.run_fit(config(parquet), out=tmp_path / "whole")

        class Stops(fitting.Reporter):
            def progress(self, progress):
                return progress.step >= 50

        part = fitting.run_fit(config(parquet), out=tmp_path / "part", reporter=Stops())
        assert part.result["stop_reason"] == "interrupted"
        assert 50 <= part.run.steps < 60
        # Another allowance of memory changes nothing: blocks are as they were.
        monkeypatch.setattr(streamed, "block_rows", lambda *arguments: 4 * BLOCK)
        other = config(parquet, memory=10**9)
        # Nor does it matter whether the table would fit into memory by now.
        assert fitting.streams(config(parquet, stream="auto"), None, RunFolder(tmp_path / "part"))
        rest = fitting.run_fit(other, out=tmp_path / "part", resume=True)
        for name, value in parameters(whole).items():
            np.testing.assert_array_equal(parameters(rest)[name], value)
        np.testing.assert_array_equal(rest.run.history.loss, whole.run.history.loss)
        assert rest.result["value"] == whole.result["value"]

    def test_a_full_batch_needs_all_rows(self, parquet):
        with pytest.raises(FalllineError, match="all 2,160 rows need them in memory"):
            fitting.run_fit(config(parquet, batch_size="full"))

    def test_too_many_devices_for_the_batches(self, parquet):
        with pytest.raises(FalllineError, match="2 devices cannot share batches of 25 rows"):
            streamed.shards_for(config(parquet, batch_size=25), Crew(local=2))
        with pytest.raises(FalllineError, match="64 devices here|devices here, not 64"):
            local_crew(64)


def test_full_batches_descend_as_in_memory(parquet):
    """One block with all rows: the same gradient, so the same path as that of `fallline.train`."""
    options = {"batch_size": "full", "epochs": 20, "optimizer": "momentum", "schedule": "constant"}
    fitted = fitting.run_fit(config(parquet, validation=0.0, test=0.0, **options))
    held = fitting.run_fit(config(parquet, validation=0.0, test=0.0, stream=False, **options))
    assert fitted.result["streamed"]["blocks"] == 1
    assert "streamed" not in held.result
    np.testing.assert_allclose(fitted.run.history.loss, held.run.history.loss, rtol=2e-5, atol=1e-6)
    assert fitted.encoder.feature_names == held.encoder.feature_names


def test_calls_end_where_devices_meet():
    """However much work a call is given: the end of a call is a meeting, and time must not decide of it."""
    ends = []

    def advance(objective, rules, rows, carry, order, first, end):
        ends.append(int(end))
        return carry, None, None, None

    problem = SimpleNamespace(
        plan=SimpleNamespace(steps=10),
        steps=20,
        shape=SimpleNamespace(sync_every=4),
        supply=SimpleNamespace(steps=10, blocks=1, order=lambda epoch, number: None),
        crew=Crew(),
        tell=None,
        objective=None,
        rules=None,
        advance_all=advance,
        close=lambda carry: (carry, np.zeros(3)),
    )
    feed = BlockFeed(problem)
    feed._rows = np.zeros(10)
    for step, wish in ((0, 1), (0, 5), (4, 3), (8, 1), (10, 100)):
        feed.call({"stop": 0}, step, wish)
    assert ends == [4, 8, 8, 10, 10]


def test_memory_that_is_too_little(parquet):
    with pytest.raises(FalllineError, match=r"takes at least [\d,]+ MB of memory"):
        fitting.run_fit(config(parquet, memory=50_000_000))


def test_a_table_that_would_not_fit_is_streamed(parquet, monkeypatch):
    plain = config(parquet, stream="auto")
    assert not fitting.streams(plain)
    monkeypatch.setattr("fallline.memory.free_memory", lambda: 1000)
    assert fitting.streams(plain)
    assert not fitting.streams(config(parquet, stream=False))
    with pytest.raises(FalllineError, match="Only a table in files"):
        fallline.fit(table(), "y", stream=True)


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_totals_are_the_measures_in_one_go(task):
    rows = table(200)
    target = "y" if task == "regression" else "kind"
    encoder = learn(read_table(rows), np.arange(200), target)
    y = encoder.targets(rows)
    rng = np.random.default_rng(0)
    if task == "regression":
        guess, summary = (y + 0.1 * rng.normal(size=200)).astype(np.float32), {"mean": 0.3}
        expected = measure.regression(encoder.decode(y), encoder.decode(guess), 0.3)
    else:
        guess, summary = rng.permutation(y), {"counts": {"a": 1, "b": 5, "c": 2}}
        expected = measure.classification(y, guess, 1)
    totals = Totals(encoder, summary)
    for start in range(0, 200, 64):
        totals.add(start // 64, y[start : start + 64], guess[start : start + 64])
    assert totals.told(Crew()) == pytest.approx(expected, rel=1e-9)


SCRIPT = """
import json, sys
import fallline
from fallline.jobs import fit as fitting, streamed
from fallline.jobs.config import FitConfig
from fallline.tree import to_arrays

streamed.block_rows = lambda *arguments: 512
run = fitting.run_fit(FitConfig.from_json(json.loads(sys.argv[1])))
print(json.dumps([run.result["streamed"]["devices"],
                  {n: a.tolist() for n, a in to_arrays(run.run.params).items()}]))
"""


@pytest.mark.usefixtures("small_blocks")
def test_two_devices_end_where_one_does(parquet):
    asked = config(parquet, model="mlp", hidden=(4,), epochs=2)
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "2"}
    command = [sys.executable, "-c", SCRIPT, json.dumps(asked.to_json())]
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    devices, found = json.loads(told.stdout)
    assert devices == 2
    one = fitting.run_fit(asked)
    for name, value in parameters(one).items():
        np.testing.assert_allclose(np.asarray(found[name]), value, rtol=1e-4, atol=1e-6)
    assert len(jax.local_devices()) == 1
