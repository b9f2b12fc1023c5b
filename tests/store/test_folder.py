from __future__ import annotations

import errno
import json
import os
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import fallline
from fallline import FalllineError
from fallline.descent.run import Snapshot
from fallline.jobs import fit as fit_job
from fallline.store import files
from fallline.store.folder import RunFolder, runs_in

OPTIONS = {"model": "linear", "learning_rate": 0.1, "epochs": 8, "target": "y"}
FILES = [
    "encoder.json",
    "epochs.parquet",
    "history.parquet",
    "model.json",
    "model.safetensors",
    "run.json",
]


@pytest.fixture(scope="module")
def kept(colours, tmp_path_factory):
    """A finished run and its folder; not to be changed."""
    folder = tmp_path_factory.mktemp("kept") / "run"
    return fallline.fit(colours, out=folder, **OPTIONS), folder


@pytest.fixture
def folder(kept, tmp_path):
    """A copy of that folder, to be damaged."""
    return Path(shutil.copytree(kept[1], tmp_path / "run"))


@pytest.fixture
def snapshot(kept):
    """Where that run stood at its end; with another step it serves as many snapshots."""
    final = kept[0].run.final

    def at(step: int) -> Snapshot:
        return Snapshot({**final.arrays, "step": np.int32(step)}, final.history, float(step))

    return at


def sentence_of(call, *args) -> str:
    """The error of a call: one sentence or two, on one line, that ends like one."""
    with pytest.raises(FalllineError) as caught:
        call(*args)
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith((".", ")")) or "fallline " in text
    return text


def test_a_folder_holds_what_it_should(kept):
    _, folder = kept
    assert sorted(p.name for p in folder.iterdir() if p.is_file()) == FILES
    assert [p.name for p in folder.iterdir() if p.is_dir()] == ["checkpoints"]
    facts = json.loads((folder / "run.json").read_text())
    assert facts["format"] == "fallline-run"
    assert facts["version"] == 1
    assert facts["fallline"] == fallline.__version__
    assert facts["status"] == "finished"
    assert facts["result"]["run"] == str(folder)


def test_round_trip(kept, colours):
    fitted, folder = kept
    loaded = fallline.load(folder)
    assert loaded.config == fitted.config
    assert loaded.encoder == fitted.encoder
    assert loaded.folder == folder
    assert loaded.result == json.loads(files.to_json(fitted.result))
    assert np.array_equal(loaded.predict(colours), fitted.predict(colours))
    for name in ("steps", "epochs", "rows_seen", "batch_size", "seconds", "learning_rate"):
        assert getattr(loaded.run, name) == getattr(fitted.run, name)
    assert loaded.run.stop == fitted.run.stop
    assert_frame_equal(loaded.run.history.frame(), fitted.run.history.frame(), check_exact=True)
    assert_frame_equal(
        loaded.run.history.epoch_frame(), fitted.run.history.epoch_frame(), check_exact=True
    )
    assert repr(loaded) == repr(fitted)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("iris", {"loss": "hinge"}),
        ("iris", {"batch_norm": True, "dropout": 0.2}),
        ("diabetes", {"loss": "quantile:0.9", "activation": "gelu"}),
    ],
)
def test_round_trip_of_every_kind_of_part(tmp_path, name, more):
    """A loss with a number, a loss without a link, the statistics of batch normalisation."""
    more = {"model": "mlp", "hidden": (4, 3), "learning_rate": 0.05, "epochs": 2} | more
    fitted = fallline.fit(name, out=tmp_path / "run", **more)
    loaded = fallline.load(tmp_path / "run")
    assert np.array_equal(loaded.predict(name), fitted.predict(name))
    x = fitted.encoder.features(fitted.read(name))
    assert np.array_equal(loaded.run.outputs(x), fitted.run.outputs(x))
    assert loaded.run.loss.name == fitted.run.loss.name


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied", "deleted"])
def test_every_damaged_file(folder, name, damage):
    path = folder / name
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "emptied":
        path.write_bytes(b"")
    elif damage == "deleted":
        path.unlink()
    else:
        middle = len(content) // 2
        while content[middle : middle + 1].isspace():
            middle += 1
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    text = sentence_of(fallline.load, folder)
    expected = "holds no run" if (name, damage) == ("run.json", "deleted") else name
    assert expected in text
    if damage != "deleted":
        assert "damaged" in text


def test_a_flipped_byte_anywhere_in_run_json_is_noticed_or_harmless(folder, colours):
    """Harmless: white space, or one spelling of a number for another."""
    path = folder / "run.json"
    content = path.read_bytes()
    whole = json.loads(content)
    for place in range(0, len(content), 37):
        for bit in (1, 128):
            changed = bytes([content[place] ^ bit])
            path.write_bytes(content[:place] + changed + content[place + 1 :])
            try:
                facts = RunFolder(folder).facts()
            except FalllineError:
                continue
            assert facts == whole


def test_every_file_in_turn_from_another_run(kept, folder, colours, tmp_path):
    """Files that are whole, but not of this run."""
    other = tmp_path / "other"
    fallline.fit(colours, out=other, **OPTIONS | {"seed": 1})
    for name in FILES:
        if name == "run.json":
            continue
        shutil.copy(other / name, folder / name)
        assert f"{name} is damaged" in sentence_of(fallline.load, folder)
        shutil.copy(kept[1] / name, folder / name)
    fallline.load(folder)


def test_foreign_folders(tmp_path):
    assert "is no folder" in sentence_of(fallline.load, tmp_path / "nowhere")
    assert "holds no run" in sentence_of(fallline.load, tmp_path)
    (tmp_path / "file").write_text("x")
    assert "is no folder" in sentence_of(fallline.load, tmp_path / "file")
    (tmp_path / "run.json").mkdir()
    assert "holds no run" in sentence_of(fallline.load, tmp_path)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("{}", "was not written by Fallline"),
        ('{"format": "other", "version": 1}', "was not written by Fallline"),
        ("[1, 2]", "no JSON object"),
        ("null", "no JSON object"),
        ("run: yes", "damaged"),
        ("[" * 100_000, "damaged"),
        ("\udcff", "damaged"),
        ('{"format": "fallline-run", "version": 99, "fallline": "9.0"}', "later Fallline (9.0)"),
        ('{"format": "fallline-run", "version": "1"}', "later Fallline"),
        ('{"format": "fallline-run", "version": 1}', "damaged"),
        ('{"format": "fallline-run", "version": 1, "config": 3, "status": "finished"}', "damaged"),
    ],
    ids=range(11),
)
def test_a_foreign_run_json(tmp_path, content, part):
    (tmp_path / "run.json").write_text(content, errors="surrogateescape")
    assert part in sentence_of(fallline.load, tmp_path)
    assert part in sentence_of(RunFolder(tmp_path).mark, "running")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "one").mkdir()
    shutil.move(tmp_path / "run.json", tmp_path / "runs" / "one")
    assert runs_in(tmp_path / "runs") == [(tmp_path / "runs" / "one", None)]


def test_a_later_version_of_a_real_run(folder):
    facts = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**facts, "version": 2}))
    assert "upgrade to read it" in sentence_of(fallline.load, folder)


@pytest.mark.parametrize("status", ["running", "interrupted"])
def test_an_unfinished_run(folder, status):
    RunFolder(folder).mark(status)
    assert f"fallline fit --resume --out {folder}" in sentence_of(fallline.load, folder)
    assert RunFolder(folder).facts()["status"] == status


def _pickled(content: bytes) -> bool:
    """Whether content starts as pickles do: PROTO 2..5, or the opcodes of protocols 0 and 1."""
    try:
        pickle.loads(content)
    except Exception:
        return content[:1] == b"\x80" and content[1:2] in b"\x02\x03\x04\x05"
    return True


def test_no_pickle_in_any_file(kept):
    assert _pickled(pickle.dumps([1], 0))
    assert _pickled(pickle.dumps(np.ones(3))[:20])
    seen = [path for path in kept[1].rglob("*") if path.is_file()]
    assert len(seen) == len(FILES) + 4
    assert {path.suffix for path in seen} == {".json", ".safetensors", ".parquet"}
    for path in seen:
        assert not _pickled(path.read_bytes()), path


def test_no_source_file_imports_a_pickler():
    sources = list(Path(fallline.__file__).parent.rglob("*.py"))
    assert len(sources) > 40
    picklers = re.compile(r"^\s*(import|from)\s+(\w*pickle|dill|joblib|shelve|marshal)\b", re.M)
    assert picklers.search("import cloudpickle")
    for path in sources:
        assert not picklers.search(path.read_text()), path
        assert "allow_pickle=True" not in path.read_text(), path


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch, call):
    path = tmp_path / "file"
    files.write(path, b"old")

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        if call == "fsync":
            patch.setattr(os, "fsync", full)
        else:
            patch.setattr(Path, call, full)
        text = sentence_of(files.write, path, b"new")
    assert f"{path} cannot be written: No space left on device" in text
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    files.write(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("call", ["fsync", "rename", "mkdir"])
def test_a_folder_that_fails_to_be_written_is_not_there(tmp_path, monkeypatch, call):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os if call == "fsync" else Path, call, full)
        text = sentence_of(files.write_folder, tmp_path / "new", {"a": b"1", "b": b"2"})
    assert "No space left on device" in text
    assert list(tmp_path.iterdir()) == []


def test_unwritable_places(tmp_path):
    """The tests may run as root, to whom every folder is writable; but a file is no folder."""
    (tmp_path / "file").write_text("x")
    below = tmp_path / "file" / "run"
    for call, *args in (
        (RunFolder(below).create, {}),
        (RunFolder(tmp_path / "file").create, {}),
        (files.write, below, b""),
        (files.write_folder, below, {"a": b""}),
    ):
        assert "cannot be written" in sentence_of(call, *args)
    assert (tmp_path / "file").read_text() == "x"


def test_a_fit_on_a_disk_that_fills_up_can_go_on(tmp_path, monkeypatch, colours, kept):
    """No room for any checkpoint, nor for the result; with room again, the run ends as it should."""
    save, told = files.write_folder, []

    def no_room(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    def full(path, contents):
        monkeypatch.setattr(os, "fsync", no_room)
        save(path, contents)

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(files, "write_folder", full)
        patch.setattr(fit_job.Reporter, "remark", lambda self, sentence: told.append(sentence))
        text = sentence_of(lambda: fallline.fit(colours, out=out, **OPTIONS))
    monkeypatch.undo()
    assert "cannot be written: No space left on device. Make room" in text
    assert text.endswith(f"fallline fit --resume --out {out}")
    assert len(told) == 1
    fitted = fallline.fit(colours, out=out, resume=True, **OPTIONS)
    assert np.array_equal(fitted.predict(colours), kept[0].predict(colours))
    assert not list(out.rglob(".*"))


def test_a_run_that_comes_to_nothing_leaves_nothing(tmp_path, colours):
    """A slip in the request must not take the name of the folder."""
    for slip in ({"target": "z"}, {"batch_size": -3}, {"drop": "z"}, {"loss": "hinge"}):
        with pytest.raises(FalllineError):
            fallline.fit(colours, out=tmp_path / "run", **OPTIONS | slip)
        assert not (tmp_path / "run").exists(), slip
    (tmp_path / "mine").mkdir()
    with pytest.raises(FalllineError):
        fallline.fit(colours, out=tmp_path / "mine", **OPTIONS | {"target": "z"})
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_folder_in_use_is_refused(kept, colours, tmp_path):
    before = {p: p.stat().st_mtime_ns for p in kept[1].rglob("*")}
    with pytest.raises(FalllineError, match="is not empty; give another --out"):
        fallline.fit(colours, out=kept[1], **OPTIONS)
    assert {p: p.stat().st_mtime_ns for p in kept[1].rglob("*")} == before
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FalllineError, match="is not empty"):
        fallline.fit(colours, out=tmp_path, **OPTIONS)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_newest_whole_checkpoint_is_used(tmp_path, snapshot):
    run = RunFolder(tmp_path)
    assert run.load_checkpoint("mlp") is None
    for step in (5, 20, 100, 2000, 1000):
        run.save_checkpoint("mlp", snapshot(step), {"learning_rate": 0.25})
    run.save_checkpoint("linear", snapshot(7), {"learning_rate": 0.5})
    names = [p.name for p in run.checkpoints("mlp")]
    # Training went back before step 2000, so that one was of no use.
    assert names == ["mlp-000000000020", "mlp-000000000100", "mlp-000000001000"]
    found = run.load_checkpoint("mlp")
    assert found is not None
    got, facts = found
    assert int(got.arrays["step"]) == 1000
    assert got.seconds == 1000.0
    assert facts["learning_rate"] == 0.25
    original = snapshot(1000)
    assert got.arrays.keys() == original.arrays.keys()
    for name, array in original.arrays.items():
        assert got.arrays[name].dtype == np.asarray(array).dtype
        assert np.array_equal(got.arrays[name], array, equal_nan=array.dtype.kind == "f")
    assert_frame_equal(got.history.frame(), original.history.frame(), check_exact=True)
    assert int(run.load_checkpoint("linear")[0].arrays["step"]) == 7


@pytest.mark.parametrize(
    "name", ["carry.safetensors", "history.parquet", "epochs.parquet", "checkpoint.json"]
)
@pytest.mark.parametrize("damage", ["truncated", "flipped", "deleted"])
def test_a_damaged_checkpoint_falls_back(tmp_path, snapshot, name, damage):
    run = RunFolder(tmp_path)
    for step in (5, 9):
        run.save_checkpoint("mlp", snapshot(step), {"learning_rate": 0.25})
    for place, left in ((run.checkpoints("mlp")[1], 5), (run.checkpoints("mlp")[0], None)):
        path = place / name
        content = path.read_bytes()
        if damage == "truncated":
            path.write_bytes(content[:-30])
        elif damage == "deleted":
            path.unlink()
        else:
            # In checkpoint.json this is a digit of the learning rate.
            at = content.index(b"0.25") + 2 if name == "checkpoint.json" else len(content) // 2
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        told: list[str] = []
        found = run.load_checkpoint("mlp", told.append)
        assert (int(found[0].arrays["step"]) if found else None) == left
        assert len(told) == 1
        assert f"{place.name}/{name}" in told[0]
        instead = "from step 5 instead." if left else "starts anew."
        assert told[0].endswith(instead)
    told.clear()
    assert run.load_checkpoint("linear", told.append) is None
    assert not told


def test_a_checkpoint_of_the_same_step_leaves_no_moment_without_one(
    tmp_path, snapshot, monkeypatch
):
    run, moments = RunFolder(tmp_path), []

    def watched(call):
        def calling(*args, **kwargs):
            done = call(*args, **kwargs)
            moments.append(int(run.load_checkpoint("mlp")[0].arrays["step"]))
            return done

        return calling

    def names():
        return [p.name for p in run.checkpoints("mlp")]

    run.save_checkpoint("mlp", snapshot(5), {"learning_rate": 0.25})
    for owner, name in ((Path, "replace"), (Path, "rename"), (shutil, "rmtree")):
        monkeypatch.setattr(owner, name, watched(getattr(owner, name)))
    # At a run's end only the facts differ; where it blew up, the arrays do too; and one may be damaged.
    run.save_checkpoint("mlp", snapshot(5), {"learning_rate": 0.5})
    assert names() == ["mlp-000000000005"]
    assert run.load_checkpoint("mlp")[1]["learning_rate"] == 0.5
    stopped = Snapshot({**snapshot(5).arrays, "stop": np.int32(2)}, snapshot(5).history, 6.0)
    run.save_checkpoint("mlp", stopped, {})
    assert names() == ["mlp-000000000005.1"]
    assert len(moments) >= 4
    (run.checkpoints("mlp")[0] / "carry.safetensors").write_bytes(b"")
    run.save_checkpoint("mlp", stopped, {})
    assert names() == ["mlp-000000000005.2"]
    assert int(run.load_checkpoint("mlp")[0].arrays["stop"]) == 2
    assert set(moments) == {5}
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.parametrize("damage", ["truncated", "deleted"])
def test_a_damaged_run_json_is_written_anew_to_go_on(kept, folder, colours, damage):
    path = folder / "run.json"
    facts = RunFolder(folder).facts()
    asked = {name: facts[name] for name in ("config", "fingerprint", "created")}
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:40])
    else:
        path.unlink()
    run = RunFolder(folder)
    assert "was written anew from what linear-0" in run.mend()
    assert run.mend() == ""
    assert asked.items() <= run.facts().items()
    again = fallline.fit(colours, out=folder, resume=True, **OPTIONS)
    assert np.array_equal(again.predict(colours), kept[0].predict(colours))
    path.write_bytes(b"{")
    shutil.rmtree(folder / "checkpoints")
    assert "run.json is damaged" in sentence_of(RunFolder(folder).mend)


def test_a_checkpoint_that_cannot_be_written_keeps_the_others(tmp_path, snapshot, monkeypatch):
    run = RunFolder(tmp_path)
    run.save_checkpoint("mlp", snapshot(5), {})

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert "No space left" in sentence_of(run.save_checkpoint, "mlp", snapshot(9), {})
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["mlp-000000000005"]
    assert run.load_checkpoint("mlp") is not None


def test_training_goes_on_where_a_checkpoint_cannot_be_written(tmp_path, snapshot, monkeypatch):
    """It says so once each time that there is no room any more."""
    run, reporter, told = RunFolder(tmp_path), fit_job.Reporter(), []
    reporter.remark = told.append
    keep = fit_job.keeper(run, "mlp", {}, reporter)

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    for step, room in ((5, True), (9, False), (12, False), (15, True), (20, False)):
        with monkeypatch.context() as patch:
            if not room:
                patch.setattr(os, "fsync", full)
            keep(snapshot(step), 0.1)
    assert [p.name[-2:] for p in run.checkpoints("mlp")] == ["05", "15"]
    assert [sentence.partition(": ")[2] for sentence in told] == [
        f"No space left on device. Training goes on, and mlp-0000000000{kept} is kept; make room."
        for kept in ("05", "15")
    ]


def test_what_a_killed_process_left_half_written_is_swept_away(tmp_path, snapshot):
    run = RunFolder(tmp_path)
    run.save_checkpoint("mlp", snapshot(5), {})
    (tmp_path / ".run.json.0a1b.tmp").write_text("{")
    (tmp_path / "checkpoints" / ".mlp-000000000009.0a1b.tmp").mkdir()
    assert len(run.checkpoints("mlp")) == 1
    run.sweep()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoints"]
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["mlp-000000000005"]


def test_resume_after_the_last_checkpoint_gives_the_same_run(kept, folder, colours):
    """The process died between its last checkpoint and the final files."""
    fitted, _ = kept
    for name in FILES[:-1]:
        (folder / name).unlink()
    RunFolder(folder).mark("running")
    again = fallline.fit(colours, out=folder, resume=True, **OPTIONS)
    assert np.array_equal(again.predict(colours), fitted.predict(colours))
    times = ("train_seconds", "total_seconds", "rows_per_second", "run")
    same = [{k: v for k, v in f.result.items() if k not in times} for f in (again, fitted)]
    assert same[0] == same[1]
    assert (folder / "model.safetensors").read_bytes() == (
        kept[1] / "model.safetensors"
    ).read_bytes()


def test_json_keeps_every_float_and_no_nan():
    values = {"x": [0.1 + 0.2, 1e-310, float("nan"), float("inf")], "n": np.float32(0.1)}
    back = files.from_json(files.to_json(values), Path("x"))
    assert back == {"x": [0.1 + 0.2, 1e-310, None, None], "n": float(np.float32(0.1))}


def test_safetensors_and_parquet_round_trips():
    arrays = {"a": np.float32(3.5), "b": np.arange(6).reshape(2, 3).T, "c": np.zeros((0, 2))}
    content = files.to_safetensors({n: np.asarray(a) for n, a in arrays.items()})
    back = files.from_safetensors(content, Path("x"))
    for name, array in arrays.items():
        assert back[name].shape == np.shape(array)
        assert np.array_equal(back[name], array)
    frame = pl.DataFrame({"x": [1.0, float("nan")]})
    assert_frame_equal(files.from_parquet(files.to_parquet(frame), Path("x")), frame)
    assert "x is damaged" in sentence_of(files.from_parquet, b"PAR1 no PAR1", Path("x"))
    assert "x is damaged" in sentence_of(files.from_safetensors, b"12345678{", Path("x"))
