"""A run as plain fields: what is said of it, and that it is what happened."""

import dataclasses
import json
import shutil

import jax.numpy as jnp
import numpy as np
import pytest

import fallline
from fallline.averages import smooth
from fallline.descent.batches import BatchPlan
from fallline.descent.history import History
from fallline.models import Linear
from fallline.optimizers import EMA, SGD
from fallline.page.card import card, examined
from fallline.page.curves import curves, epochs
from fallline.page.reproduce import of_run
from fallline.schedules import CosineDecay
from fallline.store.folder import RunFolder

SCRIPT = "<script>alert(1)</script>"


def plain(made: dict) -> str:
    """It is JSON, and every number in it is finite."""
    return json.dumps(made, allow_nan=False)


def recorded(losses, *, best: int = 0) -> History:
    count = len(losses)
    steps = {"loss": np.asarray(losses, float), "learning_rate": np.full(count, 0.1)}
    others = ("gradient_norm", "update_norm", "parameter_norm", "gradient_cosine")
    steps |= {name: np.arange(count, dtype=float) for name in others}
    ends = np.arange(count // 10, dtype=float)
    watched = np.abs(ends - best)
    columns = ("training_loss", "validation_loss", "validation_score")
    return History(steps, dict(zip(columns, (ends, watched, watched), strict=True)))


@pytest.fixture(scope="module")
def table():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 120))
    label = np.where(a * b > 0, SCRIPT, "12")
    return {SCRIPT: a, "b": b, "label": label}


@pytest.fixture(scope="module")
def fitted(table, tmp_path_factory):
    """A run of a table with hostile names, kept in a folder."""
    options = {"model": "mlp", "hidden": (4,), "learning_rate": 0.01, "epochs": 30}
    place = tmp_path_factory.mktemp("runs") / "first"
    return fallline.fit(table, "label", **options, out=place, checkpoint_every=0)


def test_a_short_curve_is_whole_and_a_long_one_keeps_its_peaks():
    losses = np.random.default_rng(0).normal(size=5000)
    losses[[1234, 4321]] = 50.0, -50.0
    losses[2000] = np.nan
    long = curves(recorded(losses), 100)
    assert len(long["step"]) <= 200
    assert long["step"][0] == 1
    assert long["step"][-1] == 5000
    assert {1235, 4322} <= set(long["step"])
    for step, loss, norm in zip(long["step"], long["loss"], long["gradient_norm"], strict=True):
        assert loss == pytest.approx(losses[step - 1], rel=1e-6)
        assert norm == step - 1
    short = curves(recorded(losses[:200]), 100)
    assert short["step"] == list(range(1, 201))
    np.testing.assert_allclose(short["smooth"], smooth(losses[:200], 0.8), rtol=1e-6)
    assert plain(curves(recorded(losses[1990:2010]), 100))


def test_epochs_know_their_last_step_and_keep_the_best():
    history = recorded(np.ones(5000), best=237)
    ends = epochs(history, BatchPlan(100, 10), 50)
    assert len(ends["step"]) <= 50
    assert ends["step"][-1] == 5000
    best = int(np.argmin(ends["validation_loss"]))
    assert ends["training_loss"][best] == 237
    assert ends["step"][best] == 2380


def test_a_run_of_a_table(fitted):
    made = card(fitted)
    told = made["trained"]
    assert plain(made)
    assert made["title"] == "first"
    assert made["status"] == "finished"
    assert told["rows"] == fitted.result["rows"]
    assert told["model"] == "2 → relu 4 → 1"
    assert told["parameters"] == 2 * 4 + 4 + 4 + 1
    assert told["classes"] == ["12", SCRIPT]
    assert told["columns"][0] == {"name": SCRIPT, "kind": "numbers"}
    assert told["optimizer"]["name"] == "Adam"
    assert told["optimizer"]["settings"]["average"] == 0.99
    assert told["schedule"].startswith("plateau (factor 0.3")
    assert made["result"]["value"] == pytest.approx(fitted.result["value"])
    learned_nothing = {"name": "majority", "value": pytest.approx(fitted.result["baseline"])}
    assert made["baselines"] == [learned_nothing]
    assert made["curves"]["loss"][-1] == pytest.approx(fitted.run.history.loss[-1], rel=1e-6)
    # The table is not kept, so there is no command; the Python says what to hand over.
    assert made["reproduce"]["command"] is None
    assert "fallline.fit(table, target='label'" in made["reproduce"]["python"]


def test_a_folder_says_what_the_run_says(fitted):
    kept, here = card(fitted.folder), card(fitted)
    assert plain(kept)
    for part in ("trained", "stop", "result", "curves", "epochs", "best_epoch", "created"):
        assert kept[part] == here[part], part


def test_a_folder_under_way_is_read_from_its_newest_checkpoint(fitted, tmp_path):
    place = tmp_path / "going"
    shutil.copytree(fitted.folder, place)
    folder = RunFolder(place)
    facts = {
        name: value for name, value in folder.facts().items() if name not in ("result", "files")
    }
    folder._write_facts({**facts, "status": "running"})
    for name in ("history.parquet", "epochs.parquet", "model.json", "encoder.json"):
        (place / name).unlink()
    made, whole = card(place), card(fitted)
    assert plain(made)
    assert made["status"] == "running"
    assert made["curves"] == whole["curves"]
    assert made["epochs"] == whole["epochs"]
    for name in (
        "rows",
        "model",
        "parameters",
        "classes",
        "target",
        "steps",
        "epochs",
        "rows_seen",
    ):
        assert made["trained"][name] == whole["trained"][name], name
    assert made["result"]["metric"] == "accuracy"
    assert made["result"]["measured_on"] == "validation"
    # A checkpoint half lost is passed over for the one before; with none, there is nothing yet.
    newest = folder.checkpoints("mlp")[-1]
    (newest / "carry.safetensors").write_bytes(b"half")
    older = card(place)
    assert older["trained"]["steps"] <= made["trained"]["steps"]
    shutil.rmtree(place / "checkpoints")
    empty = card(place)
    assert empty["curves"]["step"] == []
    assert empty["remarks"]
    assert plain(empty)


@pytest.mark.parametrize("name", ["history.parquet", "run.json"])
def test_a_damaged_folder_says_so_and_what_it_can(fitted, tmp_path, name):
    place = tmp_path / "damaged"
    shutil.copytree(fitted.folder, place)
    path = place / name
    path.write_bytes(path.read_bytes()[:-20])
    made = card(place)
    assert made["status"] == "damaged"
    assert name in made["remarks"][0]
    assert made["title"] == "damaged"
    assert plain(made)
    if name != "run.json":
        assert made["result"]["value"] == pytest.approx(fitted.result["value"])
        assert made["trained"]["rows"] == fitted.result["rows"]


def test_no_folder_at_all(tmp_path):
    with pytest.raises(fallline.FalllineError, match="is no folder"):
        card(tmp_path / "nowhere")
    with pytest.raises(fallline.FalllineError, match="There is no run in int"):
        card(3)


def test_runs_of_train_and_the_python_that_does_them_again():
    x = np.random.default_rng(0).normal(size=(23, 2)).astype(np.float32)
    options = {"optimizer": SGD(0.1), "validation": 0.5, "epochs": 8, "l2": np.float64(0.01)}
    run = fallline.train(Linear(2), "squared_error", (x, x[:, 0]), **options)
    code = of_run(run)
    assert code is not None
    names = {"X": x, "y": x[:, 0]}
    exec(code, names)
    np.testing.assert_array_equal(names["run"].history.loss, run.history.loss)
    assert of_run(dataclasses.replace(run, asked=None)) is None
    assert of_run(dataclasses.replace(run, asked={**run.asked, "score": abs})) is None
    weighted = {**run.asked, "data": (x, x[:, 0], x[:, 0])}
    assert "(X, y, weights)," in of_run(dataclasses.replace(run, asked=weighted))
    scheduled = {**run.asked, "optimizer": EMA(SGD(CosineDecay(0.1, 10)))}
    code = of_run(dataclasses.replace(run, asked=scheduled))
    assert "EMA(optimizer=SGD(learning_rate=CosineDecay(initial=0.1, steps=10" in code
    blown = fallline.train(**{**run.asked, "learning_rate": 1e20})
    made = card(blown)
    assert plain(made)
    assert made["stop"]["reason"] == "non-finite"
    # Of 21 rows as many would be left to train on as of these 23.
    assert made["trained"]["rows"] == {"training": 11, "validation": 12, "test": 0}
    assert made["curves"]["update_norm"][-1] is None


def test_a_descent_of_many_starts_is_that_of_the_best():
    starts = np.array([[4.0, 1.0], [0.5, 0.0], [-3.0, 2.0]])
    found = fallline.minimize(lambda p: jnp.sum(p**2), starts=starts, learning_rate=0.1, steps=5)
    made = examined(found)
    assert plain(made)
    assert made["trained"]["model"] == "f: ℝ² → ℝ"
    assert made["result"]["value"] == pytest.approx(found.fun[found.best], rel=1e-6)
    assert made["curves"]["loss"][0] == 0.25
    assert made["curves"]["step"] == [1, 2, 3, 4, 5]
    # What cannot be measured is a remark.
    assert "many starts" in made["remarks"][0]
    assert made["diagnosis"] is None
