"""What other programs are given: ONNX models, PyTorch's weights, and optax's optimizers the other way."""

import copy
import importlib.util
import json

import cloudpickle
import jax
import numpy as np
import onnx
import onnxruntime
import optax
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import fallline
from fallline.estimators import LinearClassifier, LinearRegressor, MLPClassifier, MLPRegressor
from fallline.estimators.counterparts import one_vs_rest
from fallline.estimators.export import _ACTIVATIONS
from fallline.estimators.export_torch import torch_layout
from fallline.models import MLP
from fallline.models.layers import ACTIVATIONS

# One shape for all, since each is another program. Columns far from 0, as in single precision.
RNG = np.random.default_rng(5)
X = (RNG.normal(size=(64, 4)) * [1, 3, 50, 0.2] + [9000, -2000, 0, 3]).astype(np.float32)
WIDE = X.astype(np.float64)
Z = (X - X.mean(0, dtype=float)) / X.std(0, dtype=float)
Y = np.column_stack([5000 + 300 * Z[:, 0], 200 - 90 * Z[:, 1] * Z[:, 2]])
TWO = np.where(Z[:, 0] + Z[:, 1] ** 2 > 0.7, "yes", "no")
THREE = np.digitize(Z[:, 0] - Z[:, 3], [-0.7, 0.7]) * 10 - 10
LABELS = (Z[:, :3] > [0, 0.3, -0.2]).astype(int)
FEW = {"max_iter": 15, "tol": None, "random_state": 0}


def near(found, wanted, bound=1e-5):
    """Equal but for this share of the spread."""
    off = np.abs(found - wanted).max(axis=0) / np.std(wanted, axis=0)
    assert np.all(off <= bound), off


def in_runtime(model, x):
    """The outputs of ONNX's own runtime by name."""
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"X": x}), strict=True))


@pytest.fixture(scope="module")
def network():
    """One with everything that a layer may have."""
    options = {"hidden_layer_sizes": (6, 5), "activation": "gelu", "batch_norm": True}
    return MLPRegressor(dropout=0.1, **options, **FEW).fit(frame(X), Y)


def frame(x):
    return pl.DataFrame({name: x[:, i] for i, name in enumerate(["a", "b", "c", "déjà"])})


def test_a_network_for_several_numbers(network, tmp_path):
    model = network.to_onnx()
    wanted = network.predict(frame(X))
    assert np.ptp(wanted, axis=0).min() > 0.1
    onnx.save(model, tmp_path / "network.onnx")
    found = in_runtime(onnx.load(tmp_path / "network.onnx"), X)["variable"]
    assert found.dtype == np.float32
    near(found, wanted)
    # Any number of rows, and every version of the operators that is allowed.
    newest = network.to_onnx(opset=onnx.defs.onnx_opset_version())
    onnx.checker.check_model(newest, full_check=True)
    for other in (network.to_onnx(opset=13), network.to_onnx(opset=21)):
        np.testing.assert_allclose(in_runtime(other, X[:3])["variable"], found[:3], rtol=1e-6)
    assert (model.producer_name, model.producer_version) == ("fallline", fallline.__version__)
    assert "MLPRegressor" in model.doc_string
    assert "4 columns" in model.doc_string
    kept = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert kept == {"features": ["a", "b", "c", "déjà"]}
    named = network.to_onnx(features=["p", "q", "r", "s"]).metadata_props
    assert json.loads(named[0].value) == ["p", "q", "r", "s"]


def test_features_whose_digits_single_precision_cannot_hold(network):
    moved = copy.deepcopy(network)
    shift = np.array([2.0**40, 0, 0, 0])
    moved._features.mean[:] += shift
    far = WIDE + shift
    found = in_runtime(moved.to_onnx(dtype="float64"), far)["variable"]
    assert found.dtype == np.float64
    near(found, network.predict(frame(X)), 1e-4)
    near(found, moved.predict(frame(far)))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_every_activation(network, kind):
    assert set(_ACTIVATIONS) == set(ACTIVATIONS)
    for name, function in ACTIVATIONS.items():
        other = copy.deepcopy(network).set_params(precision=np.dtype(kind).name)
        other._network = MLP(4, (6, 5), 2, name, batch_norm=True)
        found = in_runtime(other.to_onnx(), X.astype(kind))["variable"]
        assert found.dtype == kind
        with jax.enable_x64(True):
            wanted = forward(torch_layout(other, dtype="float64"), X, function, batch_norm=True)
        # The runtime has erf in single precision only.
        bound = 1e-12 if kind is np.float64 and name != "gelu" else 1e-6
        assert np.abs(found - wanted).max() <= bound * np.abs(wanted).max(), name


def forward(weights, x, activation, *, batch_norm=False, dropout=False):
    """The outputs of a PyTorch ``Sequential`` with these weights, by its definition."""
    h = np.asarray(x, np.float64)
    i, last = 0, max(int(name.split(".")[0]) for name in weights)
    while True:
        h = h @ weights[f"{i}.weight"].T + weights[f"{i}.bias"]
        if i == last:
            return h
        i += 1
        if batch_norm:
            spread = np.sqrt(weights[f"{i}.running_var"] + 1e-5)
            h = (h - weights[f"{i}.running_mean"]) / spread
            h = h * weights[f"{i}.weight"] + weights[f"{i}.bias"]
            i += 1
        h = np.asarray(activation(h))
        i += 2 if dropout else 1


def test_the_layout_of_pytorch(network):
    layout = torch_layout(network)
    shapes = {name: array.shape for name, array in layout.items()}
    norm = {"weight", "bias", "running_mean", "running_var"}
    assert shapes == {
        "0.weight": (6, 4),
        "0.bias": (6,),
        **{f"1.{part}": (6,) for part in norm},
        "1.num_batches_tracked": (),
        "4.weight": (5, 6),
        "4.bias": (5,),
        **{f"5.{part}": (5,) for part in norm},
        "5.num_batches_tracked": (),
        "8.weight": (2, 5),
        "8.bias": (2,),
    }
    assert int(layout["1.num_batches_tracked"]) == network.run_.steps
    kinds = {array.dtype for name, array in layout.items() if "tracked" not in name}
    assert kinds == {np.dtype(np.float32)}
    with jax.enable_x64(True):
        raw = forward(
            torch_layout(network, dtype="float64"),
            X,
            ACTIVATIONS["gelu"],
            batch_norm=True,
            dropout=True,
        )
    near(raw, network.predict(frame(X)))


def test_weights_in_pytorch(network):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    nn = torch.nn
    net = nn.Sequential(
        nn.Linear(4, 6),
        nn.BatchNorm1d(6),
        nn.GELU(),
        nn.Dropout(0.1),
        nn.Linear(6, 5),
        nn.BatchNorm1d(5),
        nn.GELU(),
        nn.Dropout(0.1),
        nn.Linear(5, 2),
    ).double()
    net.load_state_dict(network.to_torch(dtype="float64"))
    found = net.eval()(torch.tensor(X, dtype=torch.float64)).detach().numpy()
    near(found, network.predict(frame(X)))


def test_linear_models_for_numbers():
    model = LinearRegressor(loss="poisson", **FEW).fit(WIDE, np.exp(Z[:, 0]))
    # Whoever changes the coefficients changes what is exported.
    model.coef_[1] += 0.25
    model.intercept_ += 500
    found = in_runtime(model.to_onnx(), X)["variable"]
    assert found.shape == (64, 1)
    near(found[:, 0], model.predict(WIDE))
    wide = in_runtime(model.to_onnx(dtype="float64"), WIDE)["variable"]
    near(wide[:, 0], model.predict(WIDE), 1e-11)
    logarithms = forward(torch_layout(model, dtype="float64"), X, None)[:, 0]
    near(np.exp(logarithms), model.predict(WIDE), 1e-11)
    # The same weights as those of a loss without a link.
    # The outputs of the same weights, read as another loss's.
    plain = model.set_params(loss="squared_error")
    plain._fitted_loss = plain._engine_loss()
    near(plain.predict(WIDE), logarithms, 1e-11)
    near(in_runtime(plain.to_onnx(), X)["variable"][:, 0], logarithms)


def read_as(model, loss):
    """A fitted model whose outputs are those of another loss, which saves a fit of each."""
    model.set_params(loss=loss)
    model._fitted_loss = model._engine_loss()
    return model


def check_classes(estimator):
    """Labels, probabilities and decisions are the estimator's; gives what the runtime said."""
    found = in_runtime(estimator.to_onnx(), X)
    labels = estimator.predict(WIDE)
    assert len(np.unique(labels)) > 1
    np.testing.assert_array_equal(found["label"], labels)
    decided = in_runtime(estimator.to_onnx(probabilities=False), X)
    assert list(decided) == ["label", "decision"]
    decision = estimator.decision_function(WIDE)
    assert decided["decision"].shape == decision.shape
    near(decided["decision"], decision)
    if hasattr(estimator, "predict_proba"):
        assert list(found) == ["label", "probabilities"]
        wanted = estimator.predict_proba(WIDE)
        assert found["probabilities"].shape == wanted.shape
        np.testing.assert_allclose(found["probabilities"], wanted, rtol=1e-5, atol=1e-7)
    else:
        np.testing.assert_array_equal(found["decision"], decided["decision"])
    return found


def test_linear_models_for_classes():
    two = LinearClassifier(**FEW).fit(WIDE, TWO)
    assert check_classes(two)["label"].dtype == object
    several = LinearClassifier(**FEW).fit(WIDE, LABELS)
    assert check_classes(several)["label"].shape == LABELS.shape
    three = LinearClassifier(**FEW).fit(WIDE, THREE)
    assert check_classes(three)["label"].dtype == np.int64
    # The same weights, read as those of other losses.
    shares = [one_vs_rest("log_loss"), one_vs_rest("modified_huber")]
    for loss in ("hinge", "softmax_cross_entropy", *shares):
        check_classes(read_as(three, loss))
    for loss in shares:
        check_classes(read_as(two, loss))
    # Where every class is out of reach, all get the same share.
    three.intercept_[:] -= 50
    found = in_runtime(three.to_onnx(), X[:2])["probabilities"]
    np.testing.assert_allclose(found, three.predict_proba(WIDE[:2]), rtol=1e-6)
    np.testing.assert_allclose(found, 1 / 3, rtol=1e-6)


def test_a_network_for_two_classes_from_two_columns():
    options = {"hidden_layer_sizes": (6,), "activation": "logistic", "learning_rate_init": 0.05}
    soft = MLPClassifier(loss="softmax_cross_entropy", **options, **FEW).fit(WIDE, TWO)
    check_classes(soft)
    assert torch_layout(soft)["2.weight"].shape == (2, 6)


def test_what_cannot_be_said(network, monkeypatch):
    with pytest.raises(NotFittedError):
        MLPRegressor().to_onnx()
    with pytest.raises(NotFittedError):
        LinearClassifier().to_torch()
    for wrong, words in (
        ({"opset": 12}, "opset must be between 13 and"),
        (
            {"dtype": "float16"},
            "dtype must be 'float32', 'float64' or None; it was given 'float16'",
        ),
        ({"dtype": "number"}, "it was given 'number'"),
        ({"features": ["a"]}, "must name the 4 columns .* given 1 names"),
    ):
        with pytest.raises(ValueError, match=words):
            network.to_onnx(**wrong)
    own = copy.deepcopy(network)
    own._network = MLP(4, (6, 5), 2, jax.nn.silu, batch_norm=True)
    with pytest.raises(ValueError, match="cannot write the activation 'silu', a function of your"):
        own.to_onnx()
    linear = LinearClassifier(**FEW).fit(WIDE, TWO)
    for classes in (np.array([0.5, 1.5]), np.array([False, True])):
        linear.classes_ = classes
        with pytest.raises(ValueError, match="whole numbers or strings; these classes are"):
            linear.to_onnx()
    with monkeypatch.context() as patched:
        patched.setitem(__import__("sys").modules, "onnx", None)
        with pytest.raises(fallline.FalllineError, match=r"pip install 'fallline\[onnx\]'"):
            network.to_onnx()
    if importlib.util.find_spec("torch") is None:
        with pytest.raises(fallline.FalllineError, match="pip install torch"):
            network.to_torch()


def test_an_optimizer_of_optax():
    schedule = optax.cosine_decay_schedule(0.1, 15)
    chain = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=1e-3))
    options = {"optimizer": chain, **FEW}
    first = LinearClassifier(**options).fit(WIDE, TWO)
    assert first.score(WIDE, TWO) > 0.7
    assert first.loss_curve_[-1] < 0.9 * first.loss_curve_[0]
    again = clone(first).fit(WIDE, TWO)
    np.testing.assert_array_equal(again.coef_, first.coef_)
    # optax's functions are made inside functions, which only cloudpickle takes along.
    carried = cloudpickle.loads(cloudpickle.dumps(first))
    np.testing.assert_array_equal(carried.predict_proba(WIDE), first.predict_proba(WIDE))
    np.testing.assert_array_equal(carried.fit(WIDE, TWO).coef_, first.coef_)
    for rate in ({"learning_rate_init": 0.01}, {"schedule": "cosine"}):
        with pytest.raises(ValueError, match="A transformation of optax's has its learning rate"):
            LinearClassifier(**{**options, **rate}).fit(WIDE, TWO)
