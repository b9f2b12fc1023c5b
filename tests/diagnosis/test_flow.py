"""Signals and gradients through networks, against networks whose numbers are known."""

import jax
import numpy as np
import pytest
from scipy import sparse

import fallline
from fallline import losses
from fallline.descent.history import History
from fallline.descent.objective import Batch, ModelObjective
from fallline.diagnosis import flow
from fallline.models import MLP, Linear

X = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)


def _started(model, seed=0):
    # With NumPy's numbers: nothing to compile.
    draws = np.random.default_rng(seed).normal(size=model.layers.draws).astype(np.float32)
    return model.layers.place(draws), model.init_state()


def _by_name(model, params, state=None, x=X):
    state = model.init_state() if state is None else state
    found = flow.activity(model, params, state, x)
    assert found is not None
    return {layer.name: layer for layer in found}


def _columns(*columns):
    """A hidden layer of given columns of weights and bias."""
    table = np.array(columns, np.float32).T
    return {"weights": table[:-1], "bias": table[-1]}


def test_what_layers_give():
    model = MLP(4, (3, 5), 2, "sigmoid", batch_norm=True, dropout=0.5)
    params, state = _started(model)
    found = flow.activity(model, params, state, X)
    names = ["affine1", "norm1", "sigmoid1", "dropout1", "affine2", "norm2", "sigmoid2", "dropout2"]
    assert [layer.name for layer in found] == [*names, "affine3"]
    kinds = ["affine", "batchnorm", "sigmoid", "dropout"]
    assert [layer.kind for layer in found] == [*kinds, *kinds, "affine"]
    assert [layer.units for layer in found] == [3, 3, 3, 3, 5, 5, 5, 5, 2]
    outputs = np.asarray(model(params, X, state))
    last = found[-1]
    assert last.mean == pytest.approx(outputs.mean(), abs=1e-6)
    assert last.std == pytest.approx(outputs.std(), rel=1e-5)
    assert last.signal == pytest.approx(np.sqrt(outputs.var(axis=0).mean()), rel=1e-5)


def test_dead_and_identical_units():
    model = MLP(4, (6,), 1, "relu")
    own, other = [1.0, -2.0, 0.5, 0.3, 0.1], [0.2, 1.0, -0.7, 0.4, 0.0]
    drowned = [0.1, 0.1, 0.1, 0.1, -50.0]
    params, _ = _started(model)
    params["affine1"] = _columns(own, drowned, other, own, drowned, own)
    found = _by_name(model, params)["relu1"]
    assert found.dead == pytest.approx(2 / 6)
    assert found.identical == pytest.approx(2 / 6)
    assert flow.identical_columns(params) == pytest.approx(5 / 6)
    nearly = [own[0] * (1 + 1e-3), *own[1:]]
    params["affine1"] = _columns(
        own, nearly, other, [2 * w for w in own], drowned, [*own[:-1], 2.0]
    )
    assert _by_name(model, params)["relu1"].identical == 0
    assert flow.identical_columns(params) == 0


def test_a_healthy_network_has_none_of_it():
    model = MLP(4, (64, 64), 3, "relu")
    params, _ = _started(model)
    found = _by_name(model, params)
    assert found["relu1"].dead < 0.05
    assert all(layer.identical == 0 for layer in found.values())
    assert flow.identical_columns(params) == 0
    assert np.isnan(found["affine1"].dead)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_start_of_zeros_makes_one_unit_of_all(activation):
    model = MLP(4, (8, 8), 1, activation, init="zeros")
    assert flow.identical_columns(_started(model)[0]) == 1


def test_twins_stay_twins_in_training():
    model = MLP(4, (16,), 1, "tanh")
    params = jax.tree.map(lambda leaf: np.full(leaf.shape, 0.3, np.float32), _started(model)[0])
    data = (X, X @ np.ones(4, np.float32))
    run = fallline.train(
        model, "squared_error", data, params=params, steps=20, optimizer="sgd", record="layers"
    )
    assert flow.identical_columns(run.params) == 1
    assert _by_name(model, run.params)["tanh1"].identical == pytest.approx(15 / 16)
    ratios = flow.update_ratios(run.history)
    assert set(ratios) == set(fallline.tree.names(run.params))
    assert all(0 < ratio < 0.5 for ratio in ratios.values())


@pytest.mark.parametrize(("activation", "edge"), [("sigmoid", 5.0), ("tanh", 2.5)])
def test_saturated_inputs(activation, edge):
    model = MLP(1, (2,), 1, activation)
    params, _ = _started(model)
    params["affine1"] = _columns([1.0, 0.0], [0.0, 9.0])
    rows = np.array([[-edge - 0.1], [-edge + 0.1], [edge - 0.1], [edge + 0.1]], np.float32)
    assert _by_name(model, params, x=rows)[f"{activation}1"].saturated == (0.5 + 1) / 2


def test_signals_through_linear_layers_grow_by_the_weights():
    model = MLP(4, (4, 4, 4), 1, "identity")
    params, _ = _started(model)
    for name in ("affine1", "affine2", "affine3"):
        params[name] = {"weights": 3 * np.eye(4, dtype=np.float32), "bias": np.zeros(4, np.float32)}
    found = flow.activity(model, params, {}, X)
    assert flow.spread(found) == pytest.approx(9, rel=1e-5)
    assert flow.signal_spread(found) == pytest.approx(9, rel=1e-5)
    # A bias of the last layer alone makes units differ, and tells no row from another.
    params["affine3"]["bias"] = np.array([1e4, 0, 0, -1e4], np.float32)
    found = flow.activity(model, params, {}, X)
    assert flow.spread(found) > 100
    assert flow.signal_spread(found) == pytest.approx(9, rel=1e-3)
    assert np.isnan(flow.spread(flow.activity(Linear(4, 1), _started(Linear(4, 1))[0], {}, X)))


def test_gradients_vanish_through_sigmoids_and_not_through_relus():
    batch = Batch(X, X[:, :1])
    ratios = {}
    for activation in ("sigmoid", "relu"):
        model = MLP(4, (16,) * 6, 1, activation)
        params, state = _started(model)
        objective = ModelObjective(model, losses.by_name("squared_error").function)
        norms = flow.gradient_norms(objective, params, state, batch)
        assert list(norms) == fallline.tree.names(params)
        ratios[activation] = flow.first_to_last(norms)
    assert ratios["sigmoid"] < 1e-3
    assert 0.1 < ratios["relu"] < 10


def test_gradient_norms_of_least_squares():
    model = Linear(4, 1)
    y = X @ np.ones((4, 1), np.float32) + 1
    objective = ModelObjective(model, losses.by_name("squared_error").function)
    params, state = _started(model)
    norms = flow.gradient_norms(objective, params, state, Batch(X, y))
    weights = np.linalg.norm(2 * X.T @ y / len(X))
    assert norms["affine1/weights"] == pytest.approx(weights, rel=1e-4)
    assert norms["affine1/bias"] == pytest.approx(2 * abs(y.mean()), rel=1e-4)


def test_the_first_layer_s_norm_over_the_last_one_s():
    assert (
        flow.first_to_last({"affine1/weights": 12.0, "affine1/bias": 9.0, "affine2/weights": 3.0})
        == 4
    )
    assert np.isnan(flow.first_to_last({"affine1/weights": 1.0}))
    assert np.isnan(flow.first_to_last({"affine1/weights": 0.0, "affine2/weights": 0.0}))
    assert flow.layer_weights(["10.weight", "10.bias", "2.weight"]) == ["2.weight", "10.weight"]


def test_update_ratios_are_medians_of_the_last_half():
    update = np.array([[9.0, 1], [9, 1], [1, 1], [2, 1], [np.nan, 1]])
    size = np.array([[1.0, 0], [1, 0], [10, 0], [10, 0], [10, 0]])
    layers = {"layer_update_norm": update, "layer_parameter_norm": size}
    ratios = flow.update_ratios(History({}, {}, layers, ["a", "b"]))
    assert ratios["a"] == pytest.approx(0.15)
    assert np.isnan(ratios["b"])
    assert flow.update_ratios(History({}, {})) == {}


def test_sparse_tables_are_refused():
    model = Linear(4, 1)
    assert flow.activity(model, _started(model)[0], {}, sparse.csr_array(X)) is None
