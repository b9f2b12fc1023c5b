from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import jax
import numpy as np
import polars as pl
import pytest
from sklearn.metrics import accuracy_score, mean_absolute_error, r2_score, root_mean_squared_error

import fallline
from fallline import FalllineError, optimizers, schedules
from fallline.data.split import split
from fallline.jobs import measure
from fallline.jobs.config import FitConfig, parse_hidden, parse_patience, parse_schedule
from fallline.store import files

QUICK = {"model": "linear", "learning_rate": 0.1, "epochs": 8, "target": "y"}
TIMES = ("train_seconds", "total_seconds", "rows_per_second", "run")


def lasting(result) -> dict:
    """A result without what no two runs share."""
    return {name: value for name, value in result.items() if name not in TIMES}


def parameters(fitted) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(fitted.run.params)]


def same(a, b) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(parameters(a), parameters(b), strict=True))


# --- sources -------------------------------------------------------------------------------------


def test_one_table_from_every_source(colours, tmp_path):
    frame = pl.DataFrame(colours)
    frame.write_csv(tmp_path / "t.csv")
    frame.write_parquet(tmp_path / "t.parquet")
    sources = [colours, frame, frame.lazy(), tmp_path / "t.csv", str(tmp_path / "t.parquet")]
    fits = [fallline.fit(source, **QUICK) for source in sources]
    for fitted in fits[1:]:
        assert same(fitted, fits[0])
        assert lasting(fitted.result) == lasting(fits[0].result)
    assert fits[0].config.data is None
    assert fits[3].config.data == str(tmp_path / "t.csv")
    assert fits[0].folder is None
    assert fits[0].result["run"] is None


def test_a_pandas_frame(colours):
    pandas = pytest.importorskip("pandas")
    fitted = fallline.fit(pandas.DataFrame(colours), **QUICK)
    assert same(fitted, fallline.fit(colours, **QUICK))


def test_a_bundled_set_names_its_target():
    fitted = fallline.fit("iris", model="linear", learning_rate=0.1, epochs=100)
    assert fitted.result["target"] == "target"
    assert fitted.result["classes"] == ["setosa", "versicolor", "virginica"]
    assert fitted.result["value"] > 0.9
    assert set(fitted.predict("iris")) == {"setosa", "versicolor", "virginica"}
    p = fitted.probabilities("iris")
    assert p.shape == (150, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    assert np.array_equal(np.asarray(fitted.encoder.classes)[p.argmax(1)], fitted.predict("iris"))


def test_no_target_lists_the_columns(colours):
    with pytest.raises(FalllineError, match="--target; the dict has a, b, colour, y"):
        fallline.fit(colours)
    wide = {f"c{i}": [1.0, 2.0] for i in range(40)}
    with pytest.raises(FalllineError, match=r"c10, c11, \.\.\.\.$"):
        fallline.fit(wide)


# --- the result ----------------------------------------------------------------------------------

ISSUE_KEYS = [
    *("task", "metric", "value", "baseline", "train_seconds", "total_seconds", "steps", "epochs"),
    *("rows_seen", "learning_rate", "batch_size", "stop_reason", "run"),
]


def test_the_result(colours, tmp_path):
    fitted = fallline.fit(colours, out=tmp_path / "run", **QUICK)
    r = fitted.result
    assert set(ISSUE_KEYS) <= set(r)
    assert json.loads(files.to_json(r)) == r
    assert (r["task"], r["metric"], r["model"]) == ("regression", "r2", "linear")
    assert r["rows"] == {"training": 108, "validation": 12, "test": 30}
    assert r["measured_on"] == "test"
    assert (r["steps"], r["epochs"], r["rows_seen"]) == (8, 8.0, 8 * 108)
    assert (r["batch_size"], r["learning_rate"], r["stop_reason"]) == (108, 0.1, "epochs")
    assert 0 < r["train_seconds"] <= r["total_seconds"]
    assert r["run"] == str(tmp_path / "run")
    assert r["features"] == 5
    assert repr(fitted) == f"<TableRun: linear, r2 {r['value']:.4f} (test rows)>"


def test_regression_metrics_equal_scikit_learn(colours):
    fitted = fallline.fit(colours, **QUICK)
    training, test = split(150, 0.2, 0, purpose="test")
    kept, _ = split(len(training), 0.1, 0, purpose="validation")
    held = {name: np.asarray(column)[test] for name, column in colours.items()}
    predicted, r = fitted.predict(held), fitted.result
    mean = np.full(len(test), colours["y"][training[kept]].mean())
    # The target passes through single precision on its way.
    close = {"rel": 1e-5, "abs": 1e-6}
    assert r["value"] == pytest.approx(r2_score(held["y"], predicted), **close)
    assert r["baseline"] == pytest.approx(r2_score(held["y"], mean), **close)
    assert r["rmse"] == pytest.approx(root_mean_squared_error(held["y"], predicted), **close)
    assert r["baseline_rmse"] == pytest.approx(root_mean_squared_error(held["y"], mean), **close)
    assert r["mae"] == pytest.approx(mean_absolute_error(held["y"], predicted), **close)


def test_classification_metrics_equal_scikit_learn():
    fitted = fallline.fit("wine", model="linear", learning_rate=0.01, epochs=3)
    table = fitted.read("wine").frame
    codes = table["target"].rank("dense").to_numpy()
    training, test = split(codes, 0.2, 0, purpose="test")
    kept, _ = split(codes[training], 0.1, 0, purpose="validation")
    truth = table["target"].to_numpy()
    names, counts = np.unique(truth[training[kept]], return_counts=True)
    r = fitted.result
    predicted = fitted.predict(table[test])
    assert r["value"] == pytest.approx(accuracy_score(truth[test], predicted))
    majority = np.full(len(test), names[counts.argmax()])
    assert r["baseline"] == pytest.approx(accuracy_score(truth[test], majority))
    assert r["baseline"] < r["value"] < 1


def test_measures_by_themselves(rng):
    truth, guess = rng.normal(size=(2, 50))
    found = measure.regression(truth, guess, 0.5)
    assert found["value"] == pytest.approx(r2_score(truth, guess))
    assert np.isnan(measure.regression(np.ones(4), np.ones(4), 1.0)["value"])
    labels = np.array([0, 1, 1, 2])
    assert measure.classification(labels, np.array([0, 1, 2, 2]), 1) == {
        "value": 0.75,
        "baseline": 0.5,
    }


def test_r2_of_equal_targets_is_no_number_and_harms_nothing(tmp_path):
    """Two held-out rows of the same target have no variance to explain."""
    y = np.repeat(5.5, 40)
    y[split(40, 0.05, 0)[0][::2]] += np.arange(19)
    data = {"x": np.arange(40.0), "y": y}
    fitted = fallline.fit(data, out=tmp_path / "run", test=0.05, **QUICK)
    assert np.isnan(fitted.result["value"])
    assert fallline.load(tmp_path / "run").result["value"] is None
    assert "r2" in repr(fallline.load(tmp_path / "run"))


# --- model, task ---------------------------------------------------------------------------------


def test_auto_keeps_the_better_model(rng):
    """A plane is the linear model's; a bowl only the network can learn."""
    a, b = rng.uniform(-2, 2, (2, 300))
    options = {"target": "y", "learning_rate": 0.02, "epochs": 60, "hidden": (16,)}
    bowl = fallline.fit({"a": a, "b": b, "y": a * a + b * b}, **options)
    assert bowl.result["model"] == "mlp"
    plane = fallline.fit({"a": a, "b": b, "y": a + 2 * b}, **options | {"learning_rate": 0.3})
    for r in (bowl.result, plane.result):
        losses = r["candidates"]
        assert set(losses) == {"linear", "mlp"}
        assert r["model"] == min(losses, key=losses.get)
    assert plane.result["model"] == "linear"
    assert bowl.result["train_seconds"] > bowl.run.seconds
    alone = fallline.fit({"a": a, "b": b, "y": a * a + b * b}, model="mlp", **options)
    assert same(alone, bowl)
    assert alone.result["value"] == bowl.result["value"]
    assert list(alone.result["candidates"]) == ["mlp"]


@pytest.mark.parametrize(
    ("y", "task", "classes"),
    [
        (np.linspace(0, 1, 60), "regression", None),
        (np.arange(60) % 3, "classification", [0, 1, 2]),
        (np.arange(60), "regression", None),
        (np.arange(60) % 2 == 0, "classification", [False, True]),
        (np.array(["b", "a"] * 30), "classification", ["a", "b"]),
        ((np.arange(60) % 2).astype(float), "classification", [0, 1]),
        (np.arange(60) % 2 + 0.5, "regression", None),
    ],
)
def test_the_task_is_inferred(y, task, classes):
    data = {"x": np.arange(60.0), "y": y}
    r = fallline.fit(data, **QUICK).result
    assert (r["task"], r["classes"]) == (task, classes)


def test_the_task_asked_for_wins():
    data = {"x": np.arange(60.0), "y": np.arange(60) % 3}
    assert fallline.fit(data, task="regression", **QUICK).result["metric"] == "r2"
    assert fallline.fit(data, loss="huber", **QUICK).result["task"] == "regression"
    data["y"] = np.arange(60) // 10 + 0.5
    fitted = fallline.fit(data, task="classification", **QUICK)
    assert fitted.result["classes"] == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    with pytest.raises(FalllineError, match="'hinge' is for classification, and the task is reg"):
        fallline.fit(data, task="regression", loss="hinge", **QUICK)
    with pytest.raises(FalllineError, match="choose auto, regression or classification"):
        fallline.fit(data, task="clustering", **QUICK)


def test_losses_that_do_not_fit():
    three = {"x": np.arange(60.0), "y": np.arange(60) % 3}
    with pytest.raises(FalllineError, match="two classes, and 'y' has 3; use softmax"):
        fallline.fit(three, loss="binary_cross_entropy", **QUICK)
    with pytest.raises(FalllineError, match="use softmax_cross_entropy, which is the same"):
        fallline.fit(three, loss="cross_entropy", **QUICK)
    below = {"x": np.arange(60.0), "y": np.arange(60.0) - 5}
    with pytest.raises(FalllineError, match="'poisson' is for counts, and 'y' has values below 0"):
        fallline.fit(below, loss="poisson", **QUICK)
    with pytest.raises(FalllineError, match="did you mean 'huber'"):
        fallline.fit(below, loss="hubr", **QUICK)


# --- losses end to end ---------------------------------------------------------------------------


def test_predictions_are_in_the_users_units(colours):
    """A target in millions, standardised inside: R2 and the errors scale as they should."""
    scaled = {**colours, "y": 5e6 + 1e5 * colours["y"]}
    small, large = (
        fallline.fit(data, **QUICK | {"epochs": 200, "learning_rate": 0.05})
        for data in (colours, scaled)
    )
    assert small.result["value"] > 0.999
    assert large.result["value"] == pytest.approx(small.result["value"], abs=1e-5)
    assert large.result["rmse"] == pytest.approx(1e5 * small.result["rmse"], rel=1e-3)
    np.testing.assert_allclose(large.predict(scaled), 5e6 + 1e5 * small.predict(colours), rtol=1e-4)


def test_poisson_end_to_end(rng):
    x = rng.normal(size=600)
    y = rng.poisson(np.exp(1.0 + 0.7 * x))
    fitted = fallline.fit(
        {"x": x, "y": y},
        target="y",
        model="linear",
        loss="poisson",
        epochs=300,
        learning_rate=0.05,
        patience=float("inf"),
    )
    rate = fitted.predict({"x": np.array([-1.0, 0.0, 1.0])})
    np.testing.assert_allclose(rate, np.exp([0.3, 1.0, 1.7]), rtol=0.15)
    assert fitted.result["task"] == "regression"


def test_quantiles_end_to_end(rng):
    """The 0.9 quantile of noise uniform in 0..1 above a line is the line + 0.9."""
    x = rng.uniform(0, 1, 800)
    y = 3 * x + rng.uniform(0, 1, 800)
    for q in (0.1, 0.9):
        fitted = fallline.fit(
            {"x": x, "y": y},
            target="y",
            model="linear",
            loss=f"quantile:{q}",
            epochs=400,
            learning_rate=0.02,
        )
        at = fitted.predict({"x": np.array([0.2, 0.8])})
        np.testing.assert_allclose(at, [0.6 + q, 2.4 + q], atol=0.12)
        assert np.mean(y < fitted.predict({"x": x})) == pytest.approx(q, abs=0.04)


def test_huber_shrugs_off_outliers(rng):
    x = rng.normal(size=400)
    y = 2 * x + rng.normal(0, 0.1, 400)
    y[::20] += 100
    options = {"target": "y", "model": "linear", "epochs": 400, "learning_rate": 0.02}
    at = {"x": np.array([0.0])}
    square = fallline.fit({"x": x, "y": y}, **options).predict(at)[0]
    huber = fallline.fit({"x": x, "y": y}, loss="huber:0.1", **options).predict(at)[0]
    assert abs(huber) < 1.0 < 3.0 < square


@pytest.mark.parametrize("loss", ["hinge", "softmax_cross_entropy", "binary_cross_entropy"])
def test_losses_of_two_classes(loss):
    fitted = fallline.fit("breast_cancer", model="linear", loss=loss, epochs=60, learning_rate=0.05)
    assert fitted.result["value"] > 0.93
    if loss == "hinge":
        with pytest.raises(FalllineError, match="'hinge' gives no class probabilities"):
            fitted.probabilities("breast_cancer")
    else:
        p = fitted.probabilities("breast_cancer")
        named = np.asarray(fitted.encoder.classes)[p.argmax(axis=1)]
        assert np.array_equal(named, fitted.predict("breast_cancer"))


def test_probabilities_of_a_regression_are_refused(colours):
    with pytest.raises(FalllineError, match="'squared_error' gives no class probabilities"):
        fallline.fit(colours, **QUICK).probabilities(colours)


# --- odd tables ----------------------------------------------------------------------------------


def test_constant_and_nearly_constant_features(colours):
    """They must not blow up when standardised."""
    nearly = np.full(150, 1e6)
    nearly[3] += 1e-3
    data = {**colours, "one": np.ones(150), "nearly": nearly, "rare": (np.arange(150) == 7) * 1.0}
    fitted = fallline.fit(data, **QUICK | {"epochs": 200, "learning_rate": 0.05})
    assert fitted.result["value"] > 0.99
    assert "'one'" in fitted.result["notes"][0]
    assert "constant, left out" in fitted.result["notes"][0]
    assert "nearly" in fitted.encoder.feature_names
    assert np.isfinite(fitted.predict(data)).all()


def test_predictions_beside_the_rows_take_free_names(colours):
    data = {**colours, "prediction": colours["a"], "prediction_1": colours["b"]}
    fitted = fallline.fit(data, **QUICK)
    frame = fitted.predictions(data)
    assert frame.columns == [*data, "prediction_2"]
    assert frame.drop("prediction_2").equals(pl.DataFrame(data))
    iris = fallline.fit("iris", model="linear", learning_rate=0.1, epochs=5)
    frame = iris.predictions("iris", probabilities=True)
    assert frame.columns[-4:] == [
        "prediction",
        "probability_setosa",
        "probability_versicolor",
        "probability_virginica",
    ]


def test_a_row_alone_is_predicted_as_among_others(colours):
    fitted = fallline.fit(colours, **QUICK)
    alone = fitted.predict({name: column[:1] for name, column in colours.items()})
    np.testing.assert_allclose(alone, fitted.predict(colours)[:1], rtol=1e-6)
    without = {name: column for name, column in colours.items() if name != "y"}
    assert np.array_equal(fitted.predict(without), fitted.predict(colours))


# --- held-out rows -------------------------------------------------------------------------------


def test_test_rows_change_nothing_but_the_measure(colours):
    _, test = split(150, 0.2, 0, purpose="test")
    changed = {name: np.array(column) for name, column in colours.items()}
    changed["a"][test] = 1e3
    changed["y"][test] = -7.0
    changed["colour"] = changed["colour"].astype("<U9")
    changed["colour"][test] = "violet"
    first, second = fallline.fit(colours, **QUICK), fallline.fit(changed, **QUICK)
    assert same(first, second)
    # All that was learned is the same; why it is a regression may count all rows.
    learned = [dataclasses.replace(f.encoder.goal, why="") for f in (first, second)]
    assert learned[0] == learned[1]
    assert first.encoder.numbers == second.encoder.numbers
    assert first.encoder.categories == second.encoder.categories
    assert first.result["value"] != second.result["value"]


def test_validation_rows_do_not_reach_the_encoder(colours):
    training, _ = split(150, 0.2, 0, purpose="test")
    _, held = split(len(training), 0.1, 0, purpose="validation")
    changed = {name: np.array(column) for name, column in colours.items()}
    changed["a"][training[held]] = 1e3
    options = QUICK | {"patience": float("inf")}
    first, second = fallline.fit(colours, **options), fallline.fit(changed, **options)
    assert first.encoder == second.encoder
    assert np.array_equal(first.run.history.loss, second.run.history.loss)
    assert not np.array_equal(first.run.history.validation_loss, second.run.history.validation_loss)


def test_another_table_as_the_test(colours, tmp_path):
    frame = pl.DataFrame(colours)
    frame[:100].write_csv(tmp_path / "train.csv")
    frame[100:].write_csv(tmp_path / "test.csv")
    fitted = fallline.fit(
        tmp_path / "train.csv", test=str(tmp_path / "test.csv"), **QUICK | {"epochs": 100}
    )
    r = fitted.result
    assert r["rows"] == {"training": 90, "validation": 10, "test": 50}
    predicted = fitted.predict(frame[100:])
    assert r["value"] == pytest.approx(r2_score(frame["y"][100:], predicted), rel=1e-5)
    frame[100:].drop("b").write_csv(tmp_path / "lacks.csv")
    with pytest.raises(FalllineError, match=r"Column 'b' is missing from lacks\.csv"):
        fallline.fit(tmp_path / "train.csv", test=str(tmp_path / "lacks.csv"), **QUICK)
    with pytest.raises(FalllineError, match="no file"):
        fallline.fit(tmp_path / "train.csv", test=str(tmp_path / "nowhere.csv"), **QUICK)


def test_nothing_held_out(colours):
    r = fallline.fit(colours, test=0.0, validation=0.0, **QUICK).result
    assert r["rows"] == {"training": 150, "validation": 0, "test": 0}
    assert r["measured_on"] == "training"
    assert r["candidates"]["linear"] == float("inf")
    r = fallline.fit(colours, test=0, **QUICK).result
    assert r["measured_on"] == "validation"
    with pytest.raises(FalllineError, match="--model auto compares two models on validation"):
        fallline.fit(colours, validation=0.0, target="y")


# --- seeds ---------------------------------------------------------------------------------------


def test_the_seed_decides_everything(colours):
    options = QUICK | {"model": "mlp", "hidden": (4,), "dropout": 0.2, "batch_size": 16}
    first, again = fallline.fit(colours, **options), fallline.fit(colours, **options)
    other = fallline.fit(colours, seed=1, **options)
    assert lasting(first.result) == lasting(again.result)
    assert same(first, again)
    assert lasting(first.result) != lasting(other.result)
    assert not same(first, other)
    assert (first.result["steps"], first.result["rows_seen"]) == (7 * 8, 108 * 8)


def test_the_rate_found_is_the_same_each_time(colours):
    options = {"model": "linear", "target": "y", "epochs": 5}
    first, again = fallline.fit(colours, **options), fallline.fit(colours, **options)
    assert lasting(first.result) == lasting(again.result)
    assert 1e-3 < first.result["learning_rate"] < 10


# --- what is asked for reaches the engine --------------------------------------------------------


def unwrapped(optimizer) -> list[str]:
    names = [type(optimizer).__name__]
    while hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
        names.append(type(optimizer).__name__)
    return names


def test_decay_and_clipping_reach_the_optimizer():
    def made(model="mlp", **fields):
        config = FitConfig(learning_rate=0.1, schedule="constant", **{"average": 0.0} | fields)
        return config.make_optimizer(model, 100, 10)

    assert unwrapped(made("linear", optimizer="sgd")) == ["SGD"]
    assert unwrapped(made(optimizer="sgd")) == ["WeightDecay", "SGD"]
    assert unwrapped(made(optimizer="sgd", weight_decay=0.0)) == ["SGD"]
    assert unwrapped(made(optimizer="sgd", clip_norm=1.5)) == [
        "ClipByGlobalNorm",
        "WeightDecay",
        "SGD",
    ]
    averaged = made(optimizer="sgd", weight_decay=0.0, average=None)
    assert unwrapped(averaged) == ["EMA", "SGD"]
    assert unwrapped(made("linear", optimizer="sgd", average=None)) == ["SGD"]
    adamw = made(optimizer="adamw", weight_decay=0.3)
    assert unwrapped(adamw) == ["AdamW"]
    assert adamw.weight_decay == 0.3
    assert made("linear", optimizer="adamw").weight_decay == 0.0
    assert made(optimizer="adamw").weight_decay == 0.1
    adam = made("linear", hyperparameters={"beta1": 0.5})
    assert adam == optimizers.Adam(0.1, beta1=0.5)
    assert made("linear", optimizer="Momentum").learning_rate == 0.1


def _weights(colours, **more) -> np.ndarray:
    fitted = fallline.fit(colours, **QUICK | {"epochs": 150, "learning_rate": 0.05} | more)
    return np.abs(np.concatenate([p.ravel() for p in parameters(fitted) if p.ndim == 2]))


def test_penalties_and_decay_shorten_the_weights(colours):
    free = _weights(colours)
    for more in ({"l1": 0.3}, {"l2": 1.0}, {"weight_decay": 2.0}):
        assert _weights(colours, **more).sum() < 0.9 * free.sum(), more
    # Ridge in closed form: with the encoder's standardised columns, the same minimum.
    fitted = fallline.fit(
        colours, l2=1.0, test=0.0, validation=0.0, **QUICK | {"epochs": 600, "learning_rate": 0.02}
    )
    table = fitted.read(colours)
    x, y = fitted.encoder.features(table), fitted.encoder.targets(table)
    w, _ = fallline.baselines.normal_equation(x, y, ridge=0.5)
    found = next(p for p in parameters(fitted) if p.ndim == 2)
    np.testing.assert_allclose(found[:, 0], w, atol=2e-3)


def test_clipping_bounds_the_steps(colours):
    options = QUICK | {"optimizer": "sgd", "learning_rate": 1.0}
    clipped = fallline.fit(colours, clip_norm=0.01, **options).run.history
    assert (clipped.update_norm <= 0.01 * (1 + 1e-5)).all()
    assert (fallline.fit(colours, **options).run.history.update_norm[0]) > 0.1


def test_hyperparameters_reach_the_engine(colours):
    plain = fallline.fit(colours, optimizer="momentum", **QUICK)
    zero = fallline.fit(colours, optimizer="momentum", hyperparameters={"momentum": 0}, **QUICK)
    sgd = fallline.fit(colours, optimizer="sgd", **QUICK)
    assert not same(plain, zero)
    np.testing.assert_allclose(parameters(zero)[-1], parameters(sgd)[-1], rtol=1e-5)


def test_patience_and_the_end_of_a_run(colours):
    stopped = fallline.fit(colours, **QUICK | {"epochs": 2000, "learning_rate": 0.3, "patience": 3})
    assert stopped.result["stop_reason"] == "patience"
    assert stopped.result["epochs"] == stopped.result["best_epoch"] + 3
    blown = fallline.fit(
        colours, optimizer="sgd", **QUICK | {"epochs": 400, "learning_rate": 1e6}
    ).result
    assert blown["stop_reason"] == "non-finite"
    assert "blew up at step" in blown["sentence"]
    assert np.isfinite(blown["value"])


def test_a_batch_larger_than_the_rows_is_the_full_batch(colours):
    full = fallline.fit(colours, batch_size="full", **QUICK)
    large = fallline.fit(colours, batch_size=100_000, **QUICK)
    assert large.result["batch_size"] == 108
    assert same(full, large)


# --- schedules -----------------------------------------------------------------------------------


def rates(words: str, at, steps=200, epoch=10) -> list[float]:
    schedule = parse_schedule(words, steps=steps, epoch=epoch).with_initial(2.0)
    return [float(schedule(step)) for step in at]


@pytest.mark.parametrize(
    ("words", "at", "expected"),
    [
        ("constant", [0, 199], [2, 2]),
        ("exponential:0.5", [0, 10, 25], [2, 1, 2 * 0.5**2.5]),
        ("exponential:0.5:2", [0, 20], [2, 1]),
        ("inverse", [0, 10, 30], [2, 1, 0.5]),
        ("inverse:3", [0, 10], [2, 0.5]),
        ("inverse:3:2", [0, 20], [2, 0.5]),
        ("step:0.1:3", [0, 29, 30, 60], [2, 2, 0.2, 0.02]),
        ("piecewise:2=0.5,3.5=0.1", [0, 19, 20, 34, 35], [2, 2, 1, 1, 0.2]),
        ("polynomial", [0, 100, 200], [2, 1, 0]),
        ("polynomial:2", [0, 100, 200], [2, 0.5, 0]),
        ("cosine", [0, 100, 200], [2, 1, 0]),
        ("cosine:0.1", [200], [0.2]),
        ("plateau", [0, 199], [2, 2]),
        ("warmup:2", [20, 199], [2, 2]),
        ("warmup:2+step:0.1:3", [20, 49, 50], [2, 2, 0.2]),
        ("warmup:2+cosine", [20, 110, 200], [2, 1, 0]),
        ("warmup:2+warmup:1+constant", [30], [2]),
    ],
)
def test_every_form_of_schedule(words, at, expected):
    np.testing.assert_allclose(rates(words, at), expected, rtol=1e-5, atol=1e-6)


def test_schedules_in_detail():
    rise = rates("warmup:2", range(21))
    assert rise == sorted(rise)
    assert rise[0] < 0.2
    assert rise[10] == pytest.approx(1.0, abs=0.11)
    plateau = parse_schedule("plateau:0.2:4", steps=1, epoch=1)
    assert isinstance(plateau, schedules.ReduceOnPlateau)
    assert (plateau.factor, plateau.patience) == (0.2, 4.0)


@pytest.mark.parametrize(
    "words",
    [
        "exponential",
        "exponential:",
        "exponential:x",
        "exponential:-1",
        "exponential:1:2:3",
        "exponential:nan",
        "exponential:inf",
        "inverse:1:2:3",
        "step",
        "step:0.5",
        "step:0.5:x",
        "piecewise",
        "piecewise:1",
        "piecewise:1=2=3",
        "piecewise:a=b",
        "polynomial:1:0:0",
        "cosine:1:2",
        "cosine+step:0.5:1",
        "plateau:0.5:1:1",
        "warmup",
        "warmup:x",
        "constant:3",
    ],
)
def test_bad_schedules_say_their_form(words):
    with pytest.raises(FalllineError, match=r"The schedule '.*' is not understood; its form is  "):
        FitConfig(schedule=words)


@pytest.mark.parametrize("words", ["step:0.5:0", "exponential:0.5:0", "inverse:1:0", "plateau:2"])
def test_numbers_that_no_schedule_takes(words):
    with pytest.raises(FalllineError, match="needs"):
        FitConfig(schedule=words)


def test_unknown_schedules():
    with pytest.raises(FalllineError, match="no schedule called 'cosin': did you mean 'cosine'"):
        FitConfig(schedule="cosin")
    with pytest.raises(FalllineError, match="did you mean 'cosine'"):
        FitConfig(schedule="warmup:1+cosin")


def test_a_schedule_reaches_the_run_in_epochs(colours):
    options = QUICK | {"batch_size": 27, "validation": 0.1}
    history = fallline.fit(colours, schedule="step:0.1:2", **options).run.history
    expected = 0.1 * 0.1 ** (np.arange(32) // 8)
    np.testing.assert_allclose(history.learning_rate, expected, rtol=1e-4)
    history = fallline.fit(colours, schedule="polynomial", **options).run.history
    np.testing.assert_allclose(history.learning_rate, 0.1 * (1 - np.arange(32) / 32), rtol=1e-4)


# --- the config ----------------------------------------------------------------------------------


def test_a_config_round_trips_through_json():
    config = FitConfig(
        data="x.csv",
        target="y",
        hidden=(7, 5),
        drop=("a", "b"),
        patience=float("inf"),
        learning_rate=0.1,
        clip_norm=2.0,
        test="other.csv",
        hyperparameters={"beta1": 0.5},
    )
    through = json.loads(files.to_json(config.to_json()))
    # As it is stored, so it is compared when a run goes on.
    assert through == config.to_json()
    assert FitConfig.from_json(through) == config
    assert FitConfig.from_json(json.loads(json.dumps(FitConfig().to_json()))) == FitConfig()


def test_from_python_the_forms_are_lenient():
    made = FitConfig.from_json
    assert made({"hidden": 64}).hidden == (64,)
    assert made({"hidden": [64, 32]}).hidden == (64, 32)
    assert made({"hidden": "64,32"}).hidden == (64, 32)
    assert made({"hidden": (), "model": "linear"}).hidden == ()
    assert made({"drop": "abc"}).drop == ("abc",)


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"hiden": 3}, "did you mean 'hidden'"),
        ({"hidden": (64, "x")}, "as in 128,64"),
        ({"hidden": (0,)}, "as in 128,64"),
        ({"hidden": (1.5,)}, "as in 128,64"),
        ({"hidden": ()}, "at least one hidden layer"),
        ({"learning_rate": -1}, "learning rate must be a finite number of 0 or more"),
        ({"learning_rate": float("nan")}, "learning rate must be"),
        ({"learning_rate": "fast"}, "learning rate must be a number"),
        ({"epochs": 0}, "number of epochs must be a whole number above 0"),
        ({"epochs": 1.5}, "number of epochs"),
        ({"epochs": "10"}, "number of epochs"),
        ({"patience": 0}, "patience must be"),
        ({"validation": 1}, "validation share must be"),
        ({"validation": "x"}, "validation share must be"),
        ({"validation": float("nan")}, "validation share must be"),
        ({"test": 1.0}, "test share must be"),
        ({"test": -0.1}, "test share must be"),
        ({"test": None}, "test share must be"),
        ({"l1": -1}, "--l1 must be a number of 0 or more"),
        ({"l2": float("nan")}, "--l2 must be"),
        ({"weight_decay": -1}, "--weight-decay must be"),
        ({"clip_norm": 0}, "--clip-norm must be a number above 0"),
        ({"dropout": 1.0}, "Dropout needs a rate of at least 0"),
        ({"dropout": -0.5}, "Dropout needs a rate of at least 0"),
        ({"activation": "rely"}, "did you mean 'relu'"),
        ({"optimizer": "adm"}, "did you mean 'adam'"),
        ({"model": "mpl"}, "did you mean 'mlp'"),
        ({"loss": "hubber"}, "did you mean 'huber'"),
        ({"init": "xx"}, "init"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"seed": "x"}, "seed must be a whole number"),
        ({"hyperparameters": {"beta3": 1}}, "beta3"),
    ],
)
def test_what_a_config_refuses(fields, part):
    with pytest.raises(FalllineError, match=part) as caught:
        FitConfig.from_json(fields)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("epochs=7", "epochs", 7),
        ("seed=3", "seed", 3),
        ("learning_rate=0.5", "learning_rate", 0.5),
        ("learning_rate=auto", "learning_rate", "auto"),
        ("batch-size=64", "batch_size", 64),
        ("batch_size=full", "batch_size", "full"),
        ("hidden=9,8", "hidden", (9, 8)),
        ("drop=a, b", "drop", ("a", "b")),
        ("batch_norm=true", "batch_norm", True),
        ("batch_norm=no", "batch_norm", False),
        ("patience=never", "patience", float("inf")),
        ("patience=auto", "patience", None),
        ("patience=4", "patience", 4),
        ("weight_decay=0.5", "weight_decay", 0.5),
        ("clip_norm=2", "clip_norm", 2),
        ("dropout=0.5", "dropout", 0.5),
        ("init=zeros", "init", "zeros"),
        ("test=0.1", "test", 0.1),
        ("test=other.csv", "test", "other.csv"),
        ("loss=huber", "loss", "huber"),
        ("beta1=0.8", "hyperparameters", {"beta1": 0.8}),
    ],
)
def test_set(text, field, value):
    config = FitConfig().with_set([text])
    assert getattr(config, field) == value
    assert type(getattr(config, field)) is type(value) or isinstance(value, (int, float))
    assert dataclasses.replace(config, **{field: getattr(FitConfig(), field)}) == FitConfig()


def test_set_of_several():
    config = FitConfig(hyperparameters={"beta1": 0.1}).with_set(
        ["beta2=0.5", "beta1 = 0.2", "l1=1"]
    )
    assert config.hyperparameters == {"beta1": 0.2, "beta2": 0.5}
    assert config.l1 == 1.0


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("beta1", "--set needs field=value; it was given 'beta1'"),
        ("bta1=3", "did you mean 'beta1'"),
        ("momentum=0.9", "--set knows no 'momentum'"),
        ("beta1=x", "--set beta1 must be a number; it was given 'x'"),
        ("beta1=2", "beta1"),
        ("epochs=2.5", "number of epochs"),
        ("epochs=x", "--set epochs must be a number"),
        ("seed=1.5", "seed must be a whole number"),
        ("batch_norm=maybe", "must be true or false"),
        ("weight_decay=x", "weight.decay must be a number"),
        ("hidden=a", "as in 128,64"),
        ("hyperparameters=3", "--set knows no 'hyperparameters'"),
    ],
)
def test_set_refuses(text, part):
    with pytest.raises(FalllineError, match=part):
        FitConfig().with_set([text])


def test_words_for_layers_and_patience():
    assert parse_hidden("128, 64") == (128, 64)
    for words in ("", "a", "1,,2", "-1", "1.5", "0"):
        with pytest.raises(FalllineError, match="as in 128,64"):
            parse_hidden(words)
    assert parse_patience("auto") is None
    with pytest.raises(FalllineError, match="patience must be a number; it was given 'long'"):
        parse_patience("long")


# --- resuming, from Python -----------------------------------------------------------------------


def test_resume_refuses_what_is_not_the_same_run(colours, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(FalllineError, match="There is no run to resume in"):
        fallline.fit(colours, out=out, resume=True, **QUICK)
    with pytest.raises(FalllineError, match="There is no run to resume in None"):
        fallline.fit(colours, resume=True, **QUICK)
    fallline.fit(colours, out=out, **QUICK)
    with pytest.raises(FalllineError, match="is finished; there is nothing to resume"):
        fallline.fit(colours, out=out, resume=True, **QUICK)
    fallline.store.folder.RunFolder(out).mark("running")
    with pytest.raises(FalllineError, match="started with epochs = 8, not 9"):
        fallline.fit(colours, out=out, resume=True, **QUICK | {"epochs": 9})
    other = {**colours, "a": colours["a"] + 1e-9}
    with pytest.raises(FalllineError, match="The data have changed since the run in"):
        fallline.fit(other, out=out, resume=True, **QUICK)
    fallline.fit(colours, out=out, resume=True, **QUICK)


@pytest.mark.filterwarnings("ignore:This processor has no instructions")
def test_a_run_knows_its_precision_and_is_resumed_in_it(colours, tmp_path):
    options = {"out": tmp_path / "run", "precision": "bfloat16", **QUICK}
    fitted = fallline.fit(colours, **options)
    loaded = fallline.load(tmp_path / "run")
    for each in (fitted, loaded):
        assert each.run.precision == each.result["precision"] == "bfloat16"
    assert not same(fitted, fallline.fit(colours, **QUICK))
    fallline.store.folder.RunFolder(tmp_path / "run").mark("running")
    with pytest.raises(FalllineError, match="started with precision = bfloat16, not None"):
        fallline.fit(colours, resume=True, **options | {"precision": None})
    assert same(fitted, fallline.fit(colours, resume=True, **options))
    with pytest.raises(FalllineError, match="must be 'float32' or 'bfloat16'; it was given 'f16'"):
        FitConfig(precision="f16")


def test_resume_notices_another_test_table(colours, tmp_path):
    frame = pl.DataFrame(colours)
    frame[:50].write_csv(tmp_path / "test.csv")
    options = {"out": tmp_path / "run", "test": str(tmp_path / "test.csv"), **QUICK}
    fallline.fit(colours, **options)
    fallline.store.folder.RunFolder(tmp_path / "run").mark("running")
    frame[:60].write_csv(tmp_path / "test.csv")
    with pytest.raises(FalllineError, match="The data have changed"):
        fallline.fit(colours, resume=True, **options)


# --- real data, the scores that defaults must reach


def real(name: str) -> str:
    folder = os.environ.get("FALLLINE_DATA")
    if not folder or not (Path(folder) / name).exists():
        pytest.skip(f"FALLLINE_DATA names no folder with {name}")
    return str(Path(folder) / name)


@pytest.mark.parametrize(
    ("name", "floor", "options"),
    [
        ("california_housing.csv", 0.79, {"target": "median_house_value", "model": "mlp"}),
        ("diamonds.csv", 0.98, {"target": "price", "model": "mlp"}),
        ("adult.csv", 0.853, {"target": "income", "model": "mlp"}),
        ("mnist10k.npz", 0.953, {"model": "mlp", "target": "labels"}),
    ],
)
def test_real_tables(name, floor, options):
    result = fallline.fit(real(name), **options).result
    assert result["value"] >= floor
    assert result["measured_on"] == "test"
    assert result["baseline"] < 0.77


def test_real_libsvm_with_its_own_test_set():
    result = fallline.fit(real("a9a"), test=real("a9a.t"), model="linear").result
    assert result["rows"]["test"] == 16_281
    assert result["value"] >= 0.849


def test_digits():
    assert fallline.fit("digits", model="mlp").result["value"] >= 0.97


@pytest.mark.parametrize("model", ["linear", "auto"])
def test_diabetes_is_within_reach_of_least_squares(model):
    fitted = fallline.fit("diabetes", model=model)
    table = fitted.read("diabetes").frame
    training, test = split(table.height, 0.2, 0, purpose="test")
    x, y = fitted.encoder.features(table).astype(float), table["target"].to_numpy()
    w, b = fallline.baselines.normal_equation(x[training], y[training])
    least_squares = r2_score(y[test], x[test] @ w + b)
    assert abs(fitted.result["value"] - least_squares) <= 0.02
