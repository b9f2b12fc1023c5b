"""What is measured of a run for its page, against the same computed by hand."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fallline
import fallline.tree
from fallline.data.encode import learn
from fallline.data.readers import read_table
from fallline.diagnosis.case import RunCase
from fallline.gradients.curvature import eigenvalues
from fallline.models import MLP
from fallline.page import examine, planes, slices
from fallline.page.boundary import N
from fallline.page.card import examined
from fallline.page.confusion import confusion
from fallline.page.instruments import instruments
from fallline.page.residuals import residuals
from fallline.page.trajectory import flat
from fallline.page.units import Units

ROWS = 90


@pytest.fixture(scope="module")
def run():
    """Three classes on a plane, by a small network in small batches."""
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 2)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] > 0).astype(np.int32) + (x[:, 0] > 1)
    options = {"learning_rate": 0.05, "batch_size": 16, "epochs": 12, "seed": 3}
    return fallline.train(
        MLP(2, (4,), 3, "tanh"),
        "softmax_cross_entropy",
        (x, y),
        validation=(x[:40], y[:40]),
        **options,
    )


@pytest.fixture(scope="module")
def case(run):
    return RunCase(run)


@pytest.fixture(scope="module")
def measured(case, run):
    classes = ["a", "<b>", "c"]
    found = instruments(
        run.model,
        run.params,
        run.state,
        case.problem.objective,
        case.problem.data,
        held_out=case.problem.validation,
        loss=run.loss,
        classes=classes,
        names=["width", "<i>"],
        ratios={"affine1/weights": 0.25},
    )
    assert json.dumps(found, allow_nan=False)
    return found


def forward(params, x):
    """The network by hand: hidden activations and logits."""
    first, second = params["affine1"], params["affine2"]
    hidden = np.tanh(x @ np.asarray(first["weights"]) + np.asarray(first["bias"]))
    return hidden, hidden @ np.asarray(second["weights"]) + np.asarray(second["bias"])


def loss(params, x, y):
    _, logits = forward(params, x.astype(np.float64))
    scale = np.log(np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1))
    return np.mean(scale + logits.max(axis=1) - logits[np.arange(len(y)), y])


def test_confusion_activations_and_layers(run, measured):
    x, y = run.asked["data"]
    hidden, logits = forward(run.params, x)
    chosen = logits[:40].argmax(axis=1)
    counts = np.zeros((3, 3), int)
    np.add.at(counts, (y[:40], chosen), 1)
    assert measured["confusion"] == {"classes": ["a", "<b>", "c"], "counts": counts.tolist()}
    (layer,) = measured["activations"]
    assert (layer["name"], layer["kind"], layer["units"]) == ("tanh 1", "tanh", 4)
    assert sum(layer["counts"]) == hidden.size
    assert layer["low"] == pytest.approx(hidden.min(), abs=1e-5)
    assert layer["std"] == pytest.approx(hidden.std(), rel=1e-4)
    before = np.arctanh(np.clip(hidden, -1 + 1e-7, 1 - 1e-7))
    assert layer["saturated"] == pytest.approx(np.mean(np.abs(before) > 2.5), abs=0.01)
    first, second = measured["layers"]
    assert (first["name"], first["shape"], first["ratio"]) == ("affine 1", [2, 4], 0.25)
    assert second["ratio"] is None
    weights = np.asarray(run.params["affine1"]["weights"])
    assert first["weight"] == pytest.approx(np.sqrt(np.mean(weights**2)), rel=1e-5)
    # The gradient by central differences of the loss by hand.
    slopes = np.zeros_like(weights, np.float64)
    for place in np.ndindex(weights.shape):
        ends = []
        for step in (1e-5, -1e-5):
            moved = weights.astype(np.float64)
            moved[place] += step
            ends.append(
                loss({**run.params, "affine1": {**run.params["affine1"], "weights": moved}}, x, y)
            )
        slopes[place] = (ends[0] - ends[1]) / 2e-5
    assert first["gradient"] == pytest.approx(np.sqrt(np.mean(slopes**2)), rel=1e-3)


def test_the_boundary_is_what_the_run_predicts(run, measured):
    made = measured["boundary"]
    assert (made["kind"], made["n"], made["classes"]) == ("classes", N, ["a", "<b>", "c"])
    assert made["y"]["name"] == "<i>"
    across = np.linspace(made["x"]["low"], made["x"]["high"], N)
    up = np.linspace(made["y"]["low"], made["y"]["high"], N)
    for row, column in ((0, 0), (10, 50), (60, 3)):
        shares = run.probabilities(np.array([[across[column], up[row]]], np.float32))[0]
        assert made["values"][row * N + column] == shares.argmax()
        assert made["certainty"][row * N + column] == pytest.approx(shares.max(), rel=1e-3)
    assert len(made["points"]["x"]) == ROWS


def test_many_classes_keep_the_frequent_ones():
    truth = np.repeat(np.arange(40), np.arange(40) + 1)
    made = confusion(truth, np.roll(truth, 1), [f"c{i}" for i in range(40)])
    assert made["classes"] == [*(f"c{i}" for i in range(11, 40)), "…"]
    counts = np.array(made["counts"])
    assert counts.sum() == len(truth)
    assert counts[-1].sum() == np.sum(truth < 11)
    assert counts[0, 0] == np.sum((truth == 11) & (np.roll(truth, 1) == 11))


def test_residuals_and_axes_are_in_the_user_s_unit():
    random = np.random.default_rng(0)
    frame = {"<b>": 100 + 20 * random.normal(size=50), "t": 1000 + 50 * random.normal(size=50)}
    units = Units(learn(read_table(frame), None, "t"))
    actual = units.decoded(units.encoder.targets(read_table(frame)))
    made = residuals(actual, actual - 10.0, units.target)
    np.testing.assert_allclose(made["actual"], frame["t"], rtol=1e-5)
    assert sum(made["counts"]) == 50
    assert made["low"] < 10 < made["high"]
    assert made["name"] == "t"
    name, mean, scale = units.feature(0)
    assert name == "<b>"
    assert (mean, scale) == pytest.approx((frame["<b>"].mean(), frame["<b>"].std()))
    assert residuals(np.array([1.0]), np.array([np.nan]), "t") is None


@pytest.fixture(scope="module")
def way(case):
    found, remarks = slices.way_of(case)
    assert not remarks
    return found


def test_the_way_is_the_run_s(run, case, way):
    assert way.same
    assert way.steps[0] == 0
    assert way.steps[-1] == run.steps
    np.testing.assert_array_equal(way.places[0], flat(case.at("start")[0]))
    # The norm of the last update, leaf by leaf, is what the history has of all together.
    sizes = {n: np.linalg.norm(v) for n, v in leaves_before(way).items()}
    moved = np.sqrt(sum((way.ratios[n] * sizes[n]) ** 2 for n in way.ratios))
    assert moved == pytest.approx(run.history.update_norm[-1], rel=1e-3)


def leaves_before(way):
    """The parameters before the last step, by leaf."""
    named = fallline.tree.names(way.end)
    ends = np.cumsum([leaf.size for leaf in jax.tree.leaves(way.end)])
    return dict(zip(named, np.split(way.places[-2], ends[:-1]), strict=True))


def test_the_slices(run, case, way):
    x, y = run.asked["data"]
    made, remarks = slices.surfaces(case, way, n=11)
    assert not remarks
    assert [one["kind"] for one in made] == ["random", "pca", "hessian"]
    assert json.dumps(made, allow_nan=False)
    last = loss(way.end, x, y)
    for one in made:
        values = np.array(one["values"])
        i, j = one["x"].index(0), one["y"].index(0)
        assert values[j, i] == pytest.approx(last, rel=1e-4)
        assert one["end"] == pytest.approx(last, rel=1e-4)
        assert (one["path"]["x"][-1], one["path"]["y"][-1]) == (0, 0)
        assert one["path"]["step"][-1] == run.steps
        assert 0 <= sum(one["explained"]) <= 1 + 1e-6
    random, pca, hessian = made
    assert sum(pca["explained"]) >= max(sum(random["explained"]), sum(hessian["explained"]))
    for axis in "xy":
        assert pca[axis][0] <= min(pca["path"][axis])
        assert pca[axis][-1] >= max(pca["path"][axis])
    # A corner, by hand.
    plane = planes.random_plane(way.end)
    moved = way.places[-1] + random["x"][2] * plane.first + random["y"][9] * plane.second
    corner = slices.like(way.end, moved)
    assert random["values"][9][2] == pytest.approx(loss(corner, x, y), rel=1e-4)
    first = slices.like(way.end, plane.first)
    lengths = [np.linalg.norm(t["affine1"]["weights"], axis=0) for t in (first, way.end)]
    np.testing.assert_allclose(*lengths, rtol=1e-5)
    assert not np.any(first["affine1"]["bias"])
    # The curvatures are the Hessian's largest; the loss rises along them.
    at = case.some_rows(ROWS)

    def at_end(vector):
        return case.problem.objective(slices.like(way.end, vector), {}, at)[0]

    curvatures = np.linalg.eigvalsh(jax.jit(jax.hessian(at_end))(way.places[-1]))
    np.testing.assert_allclose(hessian["eigenvalues"], curvatures[[-1, -2]], rtol=1e-2)


def test_directions_of_the_largest_curvatures_of_a_large_bowl():
    curvatures = np.concatenate([np.linspace(0, 1, 98), [5.0, 7.0]]).astype(np.float32)
    found = eigenvalues(lambda p: 0.5 * jnp.sum(curvatures * p * p), jnp.zeros(100), top=2)
    assert not found.exact
    for vector, place in zip(found.top, (99, 98), strict=True):
        assert abs(vector[place]) == pytest.approx(1, abs=1e-3)


def test_a_way_along_a_line_has_a_plane_too():
    places = np.outer(np.linspace(0, 1, 5), np.ones(6))
    spare = planes.random_plane({"w": np.ones((2, 3))})
    plane = planes.pca_plane(places, spare)
    assert abs(plane.first @ plane.second) < 1e-9
    spread, shares = planes.projected(places, plane.first, plane.second)
    assert shares == pytest.approx((1, 0), abs=1e-9)
    assert spread[0, 0] < 0
    assert plane.x[0] < spread[0, 0]
    assert plane.y[0] < 0 < plane.y[1]


def test_everything_of_a_run(run, monkeypatch):
    doctor = examine.doctor.examine
    # By the history alone: what else the doctor measures has tests of its own.
    monkeypatch.setattr(
        examine.doctor, "examine", lambda case, **asked: doctor(case, **{**asked, "measure": False})
    )
    made = examined(run, lang="zh")
    assert json.dumps(made, allow_nan=False)
    assert made["remarks"] == []
    y = run.asked["data"][1]
    majority = np.mean(y[:40] == np.bincount(y).argmax())
    assert made["baselines"] == [{"name": "majority", "value": pytest.approx(majority)}]
    assert made["result"]["baseline"] == made["baselines"][0]["value"]
    counts = np.array(made["instruments"]["confusion"]["counts"])
    assert counts.trace() / counts.sum() == pytest.approx(made["result"]["value"])
    assert made["instruments"]["layers"][0]["ratio"] > 0
    assert len(made["surfaces"]) == 3
    assert all(finding["title"] for finding in made["diagnosis"]["findings"])
