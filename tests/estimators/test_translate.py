import inspect
import math
import pickle
import re
from pathlib import Path

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import polars
import pytest
from sklearn import linear_model, neural_network
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.utils.validation import check_is_fitted

from fallline import estimators, optimizers, schedules
from fallline.estimators import from_sklearn
from fallline.estimators.counterparts import Adaptive, InverseScaling, one_vs_rest
from fallline.estimators.export_torch import torch_layout
from fallline.estimators.targets import Classifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "from-scikit-learn.md"
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(30, 4))
Y = X @ [1.0, -2.0, 0.0, 0.5] + 1.0 + 0.1 * RANDOM.normal(size=30)
TWO = np.where(Y > 0, "yes", "no")
THREE = np.digitize(Y, [0.0, 2.0])
LABELS = np.c_[Y > 0, Y > 1].astype(int)
STEADY = {"shuffle": False, "tol": None, "max_iter": 3}


def MLPRegressor(**options):  # noqa: N802 - one name is taken
    given = {"hidden_layer_sizes": (4,), "max_iter": 3, "shuffle": False, "random_state": 0}
    return neural_network.MLPRegressor(**given | options)


def MLPClassifier(**options):  # noqa: N802
    given = {"hidden_layer_sizes": (4,), "max_iter": 3, "shuffle": False, "random_state": 0}
    return neural_network.MLPClassifier(**given | options)


def quietly(estimator, **options):
    return from_sklearn(estimator, return_notes=True, **options)[0]


def notes_of(estimator, **options):
    """The first word of each note."""
    found = from_sklearn(estimator, return_notes=True, **options)[1]
    assert all(note[-1] == "." or note[-2:] == ")." for note in found)
    return [re.match(r"\w+", note)[0] for note in found]


def check(estimator, **expected):
    found = quietly(estimator)
    own = found.get_params()
    assert {name: own[name] for name in expected} == expected
    found._validate_params()
    return found


# Parameters


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({}, "half_squared_error"),
        ({"loss": "huber", "epsilon": 1.35}, "huber:1.35"),
        ({"loss": "epsilon_insensitive"}, "epsilon_insensitive:0.1"),
        ({"loss": "squared_epsilon_insensitive", "epsilon": 0}, "squared_epsilon_insensitive:0.0"),
    ],
)
def test_losses_of_numbers(theirs, ours):
    check(SGDRegressor(**theirs), loss=ours, batch_size=1, optimizer="sgd", standardize=False)


@pytest.mark.parametrize("loss", sorted(SGDClassifier.loss_functions))
def test_losses_of_classes(loss):
    plain = loss in ("hinge", "log_loss", "squared_hinge", "perceptron")
    eps = ":0.3" if loss in ("huber", "epsilon_insensitive", "squared_epsilon_insensitive") else ""
    name = "half_squared_error" if loss == "squared_error" else loss + eps
    theirs = SGDClassifier(loss, epsilon=0.3, random_state=0)
    check(theirs, loss=loss if plain else one_vs_rest(name))
    assert notes_of(theirs) == (["loss"] if plain else [])
    # Fitted, it is known how many classes there are.
    assert notes_of(theirs.fit(X, TWO)) == []
    check(theirs, loss=loss if plain else one_vs_rest(name))
    check(theirs.fit(X, THREE), loss=one_vs_rest(name))


@pytest.mark.parametrize(
    ("penalty", "alpha", "l1"),
    [("l2", 0.5, 0.0), ("l1", 0.0, 0.5), ("elasticnet", 0.375, 0.125), (None, 0.0, 0.0)],
)
def test_penalties(penalty, alpha, l1):
    theirs = SGDRegressor(penalty=penalty, alpha=0.5, l1_ratio=0.25)
    check(theirs, alpha=alpha, l1=l1)
    assert notes_of(theirs) == (["penalty"] if l1 else [])


@pytest.mark.parametrize(
    ("options", "rate", "schedule", "patience"),
    [
        ({"learning_rate": "constant"}, 0.05, None, 5),
        ({"learning_rate": "invscaling"}, 0.05, InverseScaling(0.05, 0.25), 5),
        ({"learning_rate": "invscaling", "power_t": 0.0}, 0.05, None, 5),
        ({"learning_rate": "adaptive", "tol": None}, 0.05, None, 5),
        (
            {"learning_rate": "optimal", "alpha": 0.0016},
            5.0,
            schedules.InverseTimeDecay(5.0, 0.008, 1.0),
            5,
        ),
        (
            {"learning_rate": "adaptive", "tol": 0.01, "n_iter_no_change": 3},
            0.05,
            # 0.05 / 5**7 is the first rate below 1e-6.
            Adaptive(0.05, 0.2, 2, minimum=pytest.approx(0.05 / 5**7), tol=0.01),
            3 * 8,
        ),
        ({"learning_rate": "pa1", "loss": "epsilon_insensitive"}, 0.05, None, 5),
    ],
    ids=lambda value: value.get("learning_rate") if isinstance(value, dict) else "",
)
def test_rates_of_sgd(options, rate, schedule, patience):
    theirs = SGDRegressor(eta0=0.05, **options)
    found = check(theirs, schedule=schedule, n_iter_no_change=patience)
    assert found.learning_rate_init == pytest.approx(rate)
    expected = ["learning_rate"] * (options["learning_rate"] in ("adaptive", "pa1"))
    assert notes_of(theirs) == expected * (options.get("tol", 1) is not None)


@pytest.mark.parametrize(
    ("theirs", "ours"), [(False, False), (True, True), (1, True), (2, 1), (10, 9)]
)
def test_averaging_begins_with_the_same_row(theirs, ours):
    found = check(SGDRegressor(average=theirs), average=ours)
    assert type(found.average) is type(ours)


def test_what_is_taken_over_as_it_is():
    given = {
        "fit_intercept": False,
        "max_iter": 7,
        "tol": 0.5,
        "shuffle": False,
        "random_state": 3,
        "early_stopping": True,
        "validation_fraction": 0.25,
        "n_iter_no_change": 2,
        "warm_start": True,
    }
    check(SGDRegressor(verbose=1, **given), verbose=2, precision="float64", **given)
    weights = {"no": 1.0, "yes": 3.0}
    theirs = SGDClassifier("modified_huber", class_weight=weights, **given)
    check(theirs, class_weight=weights, verbose=0, batch_size=1, **given)
    assert notes_of(theirs) == ["early_stopping", "class_weight"]


@pytest.mark.parametrize(
    ("options", "optimizer"),
    [
        ({}, "adam"),
        ({"beta_1": 0.8, "epsilon": 0.1}, optimizers.Adam(0.5, 0.8, 0.999, 0.1)),
        ({"solver": "sgd"}, optimizers.Nesterov(0.5, 0.9)),
        (
            {"solver": "sgd", "momentum": 0.5, "nesterovs_momentum": False},
            optimizers.Momentum(0.5, 0.5),
        ),
        ({"solver": "sgd", "momentum": 0}, "sgd"),
        ({"solver": "lbfgs"}, "adam"),
    ],
)
def test_solvers(options, optimizer):
    theirs = MLPRegressor(learning_rate_init=0.5, batch_size=16, **options)
    found = check(
        theirs,
        optimizer=optimizer,
        learning_rate_init=0.5,
        batch_size=16,
        activation="relu",
        hidden_layer_sizes=(4,),
        loss="half_squared_error",
        n_iter_no_change=11,
    )
    assert found.alpha == pytest.approx(0.0001 / 16)
    assert notes_of(theirs) == ["solver", "alpha"] * (options.get("solver") == "lbfgs")


def test_a_network_s_numbers_that_depend_on_the_rows():
    theirs = MLPClassifier(solver="sgd", learning_rate="invscaling", alpha=0.6, momentum=0)
    assert notes_of(theirs) == ["learning_rate", "alpha"]
    check(theirs, batch_size=200, alpha=0.6 / 200)
    assert notes_of(theirs, rows=60) == []
    assert quietly(theirs, rows=60).alpha == pytest.approx(0.01)
    # Three steps an epoch of 450 rows; held-out rows are not trained on.
    theirs.set_params(early_stopping=True, validation_fraction=0.1)
    rate = quietly(theirs, rows=500).schedule
    for step in (0, 2, 3, 5, 6):
        assert float(rate(step)) == pytest.approx(0.001 / (1 + 450 * (step // 3)) ** 0.5)
    # A fitted one knows how many rows it saw.
    fitted = MLPRegressor(alpha=0.6).fit(X, Y)
    assert quietly(fitted).alpha == pytest.approx(0.6 / 30)
    assert notes_of(fitted) == []


def test_a_network_that_never_stops_early():
    theirs = MLPRegressor(
        n_iter_no_change=math.inf, validation_fraction=0, batch_size=8, loss="poisson"
    )
    check(theirs, tol=None, validation_fraction=0.1, loss="poisson")
    assert notes_of(theirs) == []


def test_penalties_of_what_is_solved():
    assert notes_of(Ridge()) == ["Descent", "standardize", "The"]
    assert notes_of(Ridge(), rows=30) == ["Descent", "standardize"]
    assert quietly(Ridge(3.0), rows=30).alpha == pytest.approx(0.1)
    assert notes_of(Ridge([1.0, 2.0], positive=True), rows=30)[2:] == ["alpha", "positive"]
    assert quietly(Ridge(3.0), rows=30).standardize is False
    check(LinearRegression(), alpha=0.0, standardize=True, loss="half_squared_error")
    found = quietly(LogisticRegression(C=0.5, l1_ratio=0.25), rows=40)
    assert (found.alpha, found.l1) == pytest.approx((0.75 / 20, 0.25 / 20))
    check(LogisticRegression(C=np.inf, class_weight="balanced"), alpha=0.0, class_weight="balanced")
    check(LogisticRegression(penalty=None), alpha=0.0, l1=0.0, loss="log_loss")
    assert notes_of(LogisticRegression(solver="liblinear"), rows=9)[-1] == "solver"


def test_the_notes_are_a_warning_and_go_no_further():
    theirs = SGDRegressor("epsilon_insensitive", learning_rate="pa2", penalty="l1")
    with pytest.warns(UserWarning, match="of this SGDRegressor.*penalty: .*'pa2': "):
        found = from_sklearn(theirs)
    again = clone(found)
    assert again.get_params() == found.get_params()
    with pytest.raises(AttributeError):
        check_is_fitted(again)
        _ = again.coef_
    # A copy of a loss must be equal to it, or it would be compiled anew.
    classifier = quietly(SGDClassifier("modified_huber"))
    assert clone(classifier).loss == classifier.loss


class Own(SGDRegressor):
    pass


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (CalibratedClassifierCV(), "no counterpart of CalibratedClassifierCV; it knows .* and Lin"),
        (Own(), "Own is a subclass of scikit-learn's SGDRegressor"),
        (SGDRegressor, r"not the class SGDRegressor: add \(\)"),
        (3, "no counterpart of 'int'"),
        (SGDRegressor(loss="hnige"), "'loss' parameter of SGDRegressor"),
        (SGDClassifier(alpha=0), "alpha, which must be above 0"),
    ],
)
def test_what_has_no_counterpart_is_said(estimator, words):
    with pytest.raises(ValueError, match=words):
        quietly(estimator)
    with pytest.raises(ValueError, match="rows must be"):
        from_sklearn(Ridge(), rows=0)


def test_one_class_is_too_few():
    with pytest.raises(ValueError, match="fitted to one class"):
        from_sklearn(MLPClassifier().fit(X, np.zeros(30)))


# Weights


FITTED = [
    (SGDRegressor(average=5), Y),
    (SGDRegressor(fit_intercept=False), Y),
    (SGDClassifier("log_loss"), TWO),
    (SGDClassifier("log_loss", average=True), THREE),
    (SGDClassifier("modified_huber"), TWO),
    (SGDClassifier("modified_huber"), THREE),
    (SGDClassifier("squared_error", learning_rate="constant"), THREE),
    (SGDClassifier("hinge"), TWO),
    (LinearRegression(), np.c_[Y, Y**2]),
    (Ridge(fit_intercept=False), Y),
    (Ridge([1.0, 2.0]), np.c_[Y, Y**2]),
    (LogisticRegression(), TWO),
    (LogisticRegression(), THREE),
    (MLPRegressor(activation="tanh"), np.c_[Y, Y**2]),
    (MLPRegressor(loss="poisson", solver="lbfgs"), np.abs(Y)),
    (MLPClassifier(activation="logistic", early_stopping=True, batch_size=9), TWO),
    (MLPClassifier(), THREE),
    (MLPClassifier(), LABELS),
]


@pytest.mark.parametrize(("theirs", "y"), FITTED, ids=lambda v: type(v).__name__)
def test_a_fitted_one_predicts_the_same_at_once(theirs, y):
    theirs = clone(theirs).fit(X, y)
    ours = pickle.loads(pickle.dumps(quietly(theirs)))
    check_is_fitted(ours)
    assert not hasattr(ours, "run_")
    assert ours.n_features_in_ == 4
    predicted = theirs.predict(X)
    if isinstance(ours, Classifier):
        assert ours.predict(X).tolist() == predicted.tolist()
        assert ours.classes_.tolist() == theirs.classes_.tolist()
    else:
        np.testing.assert_allclose(ours.predict(X), predicted, atol=1e-12)
    # A network of scikit-learn's has no decision_function.
    for method in ("predict_proba", "predict_log_proba", "decision_function"):
        if hasattr(theirs, method):
            assert hasattr(ours, method), method
            with np.errstate(divide="ignore"):
                given, expected = getattr(ours, method)(X), getattr(theirs, method)(X)
            if method == "predict_log_proba":
                # There that of a tiny probability is the logarithm of what rounding has left of it.
                given, expected = np.exp(given), np.exp(expected)
            np.testing.assert_allclose(given, expected, atol=1e-12)
    for name in ("loss_curve_", "loss_", "validation_scores_", "out_activation_", "n_layers_"):
        if hasattr(theirs, name):
            assert getattr(ours, name) == getattr(theirs, name), name


def test_what_was_taken_over_is_exported_and_drawn():
    theirs = MLPClassifier().fit(X, THREE)
    ours = quietly(theirs)
    layout = torch_layout(ours)
    np.testing.assert_array_equal(layout["0.weight"], theirs.coefs_[0].T)
    np.testing.assert_array_equal(layout["2.bias"], theirs.intercepts_[1])
    line = ours.plot_history().lines[0]
    np.testing.assert_array_equal(line.get_ydata(), theirs.loss_curve_)
    plt.close("all")
    pytest.importorskip("onnx")
    assert [output.name for output in ours.to_onnx().graph.output] == ["label", "probabilities"]
    linear = quietly(SGDClassifier("modified_huber").fit(X, THREE))
    assert linear.to_onnx(probabilities=False).graph.output[1].name == "decision"


def test_names_of_columns_come_along():
    frame = polars.DataFrame(X, schema=list("abcd"))
    theirs = SGDRegressor(random_state=0).fit(frame, Y)
    ours = from_sklearn(theirs)
    assert ours.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(ValueError, match="feature names should match"):
        ours.predict(frame[list("abdc")])


# Steps


def near(ours, theirs, tolerance=1e-9):
    for name in ("coef_", "intercept_") if hasattr(theirs, "coef_") else ("coefs_", "intercepts_"):
        given, expected = getattr(ours, name), getattr(theirs, name)
        if name in ("coef_", "intercept_"):
            given, expected = [given], [expected]
        for a, b in zip(given, expected, strict=True):
            np.testing.assert_allclose(np.squeeze(a), np.squeeze(b), atol=tolerance, rtol=tolerance)


def test_sgd_takes_the_same_steps_averages_and_goes_on():
    theirs = SGDRegressor("huber", epsilon=0.5, alpha=0.1, average=10, **STEADY)
    ours = from_sklearn(theirs)
    near(ours.fit(X, Y), theirs.fit(X, Y))
    taken = from_sklearn(theirs)
    assert (taken.t_, taken.n_iter_) == (90, 3)
    # Its rate goes on falling, and its average goes on.
    theirs.partial_fit(X, Y)
    near(taken.partial_fit(X, Y), theirs)
    assert (taken.t_, taken.n_iter_, len(taken.loss_curve_)) == (120, 4, 1)


def test_the_adaptive_rate_is_cut_at_the_same_epochs():
    options = {"learning_rate": "adaptive", "eta0": 0.05, "n_iter_no_change": 2, "tol": 0.05}
    theirs = SGDRegressor(**STEADY | options | {"max_iter": 12})
    ours = quietly(theirs)
    near(ours.fit(X, Y), theirs.fit(X, Y))
    rates = np.unique(ours.history_.learning_rate)
    np.testing.assert_allclose(rates[::-1], 0.05 / 5.0 ** np.arange(len(rates)))
    assert len(rates) > 2


@pytest.mark.parametrize("loss", ["half_squared_error", "hinge"])
def test_the_loss_of_each_class_against_the_rest(loss):
    scores = RANDOM.normal(size=(30, 3))

    def single(z, own):
        return 0.5 * (z - own) ** 2 if loss != "hinge" else np.maximum(0.0, 1.0 - own * z)

    own = np.where(THREE[:, None] == np.arange(3), 1.0, -1.0)
    several = one_vs_rest(loss).function(jnp.asarray(scores), THREE)
    np.testing.assert_allclose(several, single(scores, own).sum(axis=1), rtol=1e-5)
    two = one_vs_rest(loss).function(jnp.asarray(scores[:, :1]), (THREE == 0).astype(float))
    np.testing.assert_allclose(two, single(scores[:, 0], own[:, 0]), rtol=1e-5)


def test_each_class_against_the_rest_takes_the_same_steps():
    theirs = SGDClassifier("modified_huber", alpha=0.1, **STEADY).fit(X, THREE)
    ours = from_sklearn(theirs)
    near(clone(ours).fit(X, THREE), theirs)
    near(ours.partial_fit(X, THREE), theirs.partial_fit(X, THREE))
    # With a warm start the weights are kept, and the rate starts anew.
    theirs.set_params(warm_start=True)
    warm = from_sklearn(theirs)
    near(warm.fit(X, THREE), theirs.fit(X, THREE))
    assert warm.run_.epochs == 3


def test_a_network_goes_on_with_its_velocity():
    # Two outputs: the loss here is their mean, and the gradient there that of their sum.
    theirs = MLPRegressor(solver="sgd", alpha=0.5, activation="tanh", batch_size=10)
    outputs = np.c_[Y, Y**2]
    theirs.fit(X, outputs)
    ours = from_sklearn(theirs)
    theirs.partial_fit(X, outputs)
    near(ours.partial_fit(X, outputs), theirs)


def test_a_network_goes_on_with_adam_s_averages():
    theirs = MLPClassifier(alpha=0.5, epsilon=1e-14).fit(X, THREE)
    ours = from_sklearn(theirs)
    assert ours.loss_curve_ == theirs.loss_curve_
    theirs.partial_fit(X, THREE)
    near(ours.partial_fit(X, THREE), theirs)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_)


def test_the_minimum_is_ridge_s():
    theirs = Ridge(3.0).fit(X, Y)
    ours = quietly(Ridge(3.0), rows=30)
    ours.set_params(schedule=None, learning_rate_init=0.05, tol=None, max_iter=1500)
    near(ours.fit(X, Y), theirs, 1e-6)


# The page


def tables(text):
    """Rows of cells of every table below each heading."""
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        rows = [line for line in body.splitlines() if line.startswith("|")]
        yield title, [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def names_in(cell):
    return re.findall(r"`(\w+)(?:=[^`]*)?`", cell)


PAIRS = {title: rows for title, rows in tables(PAGE.read_text("utf-8")) if " to " in title}


def test_the_page_has_every_pair():
    theirs = {title.split(" to ")[0] for title in PAIRS}
    known = {cls.__name__ for cls in estimators.translate._TRANSLATIONS}
    assert theirs == known - {"LinearRegression"}


@pytest.mark.parametrize("title", PAIRS)
def test_the_page_s_table_has_every_parameter(title):
    left, right = title.split(" to ")
    theirs = getattr(linear_model, left, None) or getattr(neural_network, left)
    ours = getattr(estimators, right)
    found = [row for row in PAIRS[title] if row[0].startswith("`") and '"' not in row[0]]
    listed = [name for row in found for name in names_in(row[0])]
    assert len(listed) == len(set(listed))
    assert set(listed) == set(inspect.signature(theirs).parameters)
    for row in found:
        assert row[1] == "—" or names_in(row[1]), row
        assert set(names_in(row[1])) <= set(inspect.signature(ours).parameters), row
        assert row[1] != "—" or row[2], row


def test_the_page_s_attributes_are_there_and_none_is_missing():
    rows = dict(tables(PAGE.read_text("utf-8")))["Attributes and methods"][2:]
    there, here, lacking = set(), {"run_", "history_"}, set()
    for theirs, y in FITTED:
        theirs = clone(theirs).fit(X, y)
        ours = quietly(theirs)
        public = {name for name in dir(theirs) if not name.startswith("_")}
        own = {name for name in dir(ours) if not name.startswith("_")}
        there |= public
        here |= own
        lacking |= public - own - set(theirs.get_params())
    listed = {name for row in rows for name in names_in(row[0])}
    assert listed <= there
    assert {name for row in rows for name in names_in(row[1])} <= here
    assert lacking <= listed
