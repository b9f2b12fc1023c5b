"""What the estimators promise beyond scikit-learn's checks."""

import pickle
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
import scipy.sparse
import sklearn
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fallline import losses, optimizers, schedules
from fallline.descent import loop
from fallline.estimators import LinearClassifier, LinearRegressor, MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ALL = [LinearRegressor, LinearClassifier, MLPRegressor, MLPClassifier]
SMALL = {"random_state": 0, "max_iter": 20}

# Few shapes, since each is another program: 120 rows of 4 columns, three classes or one number.
X, LABELS = make_classification(
    120, 4, n_informative=3, n_redundant=0, n_classes=3, n_clusters_per_class=1, random_state=0
)
WORDS = np.array(["ash", "beech", "oak"])[LABELS]
_, Y = make_regression(120, 4, random_state=0)
Y = X @ np.array([1.0, -2.0, 3.0, 0.5]) + 0.1 * Y / Y.std() + 7


def target_for(kind):
    return WORDS if "Classifier" in kind.__name__ else Y


def small(kind, **options):
    more = {"hidden_layer_sizes": (8,)} if "MLP" in kind.__name__ else {}
    return kind(**{**SMALL, **more, **options})


@pytest.mark.parametrize("kind", ALL)
def test_a_whole_weight_is_that_many_rows(kind):
    y = target_for(kind)
    few, weights = X[:30], np.random.default_rng(0).integers(0, 4, 30)
    y = y[:30]
    # Not Adam: where a gradient is 0 but for rounding, it makes whole steps of the rounding.
    options = {"precision": "float64", "tol": None, "batch_size": "full", "optimizer": "sgd"}
    weighted = small(kind, **options).fit(few, y, sample_weight=weights)
    repeated = small(kind, **options).fit(np.repeat(few, weights, axis=0), np.repeat(y, weights))
    for method in ("predict_proba", "decision_function") if y.dtype.kind == "U" else ("predict",):
        a, b = getattr(weighted, method)(X), getattr(repeated, method)(X)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)
    plain = small(kind, **options).fit(few, y)
    assert abs(plain.loss_ - weighted.loss_) > 1e-4


@pytest.mark.parametrize("kind", [LinearClassifier, MLPClassifier])
def test_class_weights_are_weights_of_rows(kind):
    factors = {"ash": 1.0, "beech": 5.0, "oak": 0.5}
    by_class = small(kind, class_weight=factors).fit(X, WORDS)
    by_row = small(kind).fit(X, WORDS, sample_weight=[factors[w] for w in WORDS])
    np.testing.assert_array_equal(by_class.predict_proba(X), by_row.predict_proba(X))
    few = np.flatnonzero((WORDS != "oak") | (np.arange(len(X)) % 6 == 0))
    longer = {"max_iter": 60, "learning_rate_init": 0.05}
    plain = small(kind, **longer).fit(X[few], WORDS[few]).predict(X)
    balanced = small(kind, **longer, class_weight="balanced").fit(X[few], WORDS[few]).predict(X)
    assert (balanced == "oak").sum() > (plain == "oak").sum()


def test_a_linear_regressor_reaches_ridge():
    alpha = 5.0
    ours = LinearRegressor(
        alpha=2 * alpha / len(X),
        standardize=False,
        precision="float64",
        learning_rate_init=0.1,
        schedule="cosine",
        tol=None,
        max_iter=1000,
        random_state=0,
    ).fit(X, Y)
    ridge = Ridge(alpha).fit(X, Y)
    np.testing.assert_allclose(ours.coef_, ridge.coef_, rtol=1e-4)
    np.testing.assert_allclose(ours.intercept_, ridge.intercept_, rtol=1e-5)
    assert ours.coef_.shape == ridge.coef_.shape
    assert np.shape(ours.intercept_) == np.shape(ridge.intercept_)


def test_a_linear_classifier_reaches_logistic_regression():
    ours = LinearClassifier(
        alpha=1 / len(X),
        standardize=False,
        precision="float64",
        learning_rate_init=0.1,
        schedule="cosine",
        tol=None,
        max_iter=1000,
        random_state=0,
    ).fit(X, WORDS)
    theirs = LogisticRegression(C=1.0, tol=1e-8, max_iter=1000).fit(X, WORDS)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-3)
    assert ours.coef_.shape == theirs.coef_.shape


def test_standardising_changes_neither_units_nor_the_least_squares_plane():
    stretched = X * [1e-3, 1.0, 1e4, 1.0] + [0, 0, 1e5, -3]
    ours = small(LinearRegressor, alpha=0.0, tol=None, max_iter=2000).fit(stretched, 1e6 * Y)
    exact = Ridge(0.0).fit(stretched, 1e6 * Y)
    np.testing.assert_allclose(ours.coef_, exact.coef_, rtol=1e-3)
    assert ours.score(stretched, 1e6 * Y) > 0.99
    # The curve is in the target's own units.
    residual = np.mean((ours.predict(stretched) - 1e6 * Y) ** 2)
    np.testing.assert_allclose(ours.loss_curve_[-1], residual, rtol=1e-3)


def test_the_layers_of_a_network_take_the_data_s_own_units():
    stretched = X * [1e-2, 1.0, 1e2, 1.0] + [0, 0, 50, -3]
    net = small(MLPRegressor, precision="float64").fit(stretched, 100 * Y)
    hidden = np.maximum(stretched @ net.coefs_[0] + net.intercepts_[0], 0)
    by_hand = hidden @ net.coefs_[1] + net.intercepts_[1]
    np.testing.assert_allclose(net.predict(stretched), by_hand[:, 0], rtol=1e-7)


@pytest.mark.parametrize("kind", ALL)
def test_single_precision_in_and_out(kind):
    y = target_for(kind)
    narrow, wide = X.astype(np.float32), X
    model = small(kind).fit(narrow, y)
    method = "predict_proba" if y is WORDS else "predict"
    assert getattr(model, method)(narrow).dtype == np.float32
    assert getattr(small(kind).fit(wide, y), method)(wide).dtype == np.float64
    if hasattr(model, "coefs_"):
        assert model.coefs_[0].dtype == np.float32


@pytest.mark.filterwarnings("ignore:This processor has no instructions")
def test_products_in_bfloat16():
    y = target_for(MLPClassifier)
    plain, model = small(MLPClassifier).fit(X, y), small(MLPClassifier, precision="bfloat16")
    assert model.fit(X, y).run_.precision == "bfloat16"
    assert model.loss_ != plain.loss_
    assert model.loss_ == pytest.approx(plain.loss_, rel=0.05)
    # Predictions are in single precision, with the weights as they are.
    hidden = np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0)
    scores = hidden @ model.coefs_[1] + model.intercepts_[1]
    np.testing.assert_allclose(model.decision_function(X), np.squeeze(scores), rtol=1e-3, atol=1e-4)


def test_many_labels_a_row():
    y = np.stack([X[:, 0] > 0, X[:, 1] > 0], axis=1).astype(int)
    for kind in (LinearClassifier, MLPClassifier):
        model = small(kind, max_iter=100, learning_rate_init=0.05).fit(X, y)
        assert model.predict(X).shape == model.predict_proba(X).shape == (120, 2)
        assert (model.predict(X) == y).mean() > 0.9
    with pytest.raises(ValueError, match="Several labels a row need the loss 'log_loss'"):
        small(LinearClassifier, loss="hinge").fit(X, y)


def test_many_numbers_a_row():
    y = np.stack([Y, 10 * X[:, 0], -X[:, 1]], axis=1)
    for kind in (LinearRegressor, MLPRegressor):
        model = small(kind, max_iter=300, learning_rate_init=0.03).fit(X, y)
        assert model.predict(X).shape == (120, 3)
        assert model.score(X, y) > 0.7


@pytest.mark.parametrize("kind", ALL)
def test_parts_go_on_where_the_last_one_ended(kind):
    y = target_for(kind)
    first = {"classes": np.unique(WORDS)} if y is WORDS else {}
    parts = small(kind, standardize=False, learning_rate_init=0.01)
    losses_seen = []
    for i in range(12):
        parts.partial_fit(X, y, **(first if i == 0 else {}))
        losses_seen.append(parts.loss_)
    assert losses_seen[-1] < losses_seen[0]
    assert parts.n_iter_ == len(parts.loss_curve_) == 12
    assert parts.t_ == 12 * len(X)
    # The optimizer remembers: with full batches, parts are the same run as a whole fit.
    whole = small(kind, standardize=False, learning_rate_init=0.01, max_iter=12, schedule=None)
    whole.set_params(tol=None).fit(X, y)
    method = "decision_function" if y is WORDS else "predict"
    parts = small(kind, standardize=False, learning_rate_init=0.01, schedule=None)
    for i in range(12):
        parts.partial_fit(X, y, **(first if i == 0 else {}))
    np.testing.assert_allclose(getattr(parts, method)(X), getattr(whole, method)(X), rtol=1e-4)


def test_early_stopping_by_parts():
    model = small(LinearClassifier, early_stopping=True, n_iter_no_change=3, tol=1e-3)
    rng = np.random.default_rng(0)
    for i in range(200):
        rows = rng.permutation(len(X))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.partial_fit(X[rows], WORDS[rows], classes=np.unique(WORDS) if i == 0 else None)
        if model.stopped_:
            break
    assert model.stopped_
    assert 3 < i < 199
    assert "validation loss had not improved" in model.stop_reason_
    before = model.coef_.copy()
    with pytest.warns(UserWarning, match="has stopped and does not learn from further rows"):
        model.partial_fit(X, WORDS)
    np.testing.assert_array_equal(model.coef_, before)


def test_classes_are_named_at_the_first_part_and_kept():
    model = small(MLPClassifier)
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        model.partial_fit(X, WORDS)
    model.partial_fit(X[WORDS == "oak"], WORDS[WORDS == "oak"], classes=["oak", "ash", "beech"])
    assert model.classes_.tolist() == ["ash", "beech", "oak"]
    with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
        model.partial_fit(X, WORDS, classes=["oak", "elm"])
    with pytest.raises(ValueError, match="labels that were not there at the start: \\['elm'\\]"):
        model.partial_fit(X[:2], ["elm", "oak"])
    with pytest.raises(ValueError, match="'balanced' is not supported for partial_fit"):
        small(MLPClassifier, class_weight="balanced").partial_fit(X, WORDS, classes=["oak", "ash"])


@pytest.mark.parametrize("kind", [LinearRegressor, MLPClassifier])
def test_a_warm_start_goes_on(kind):
    y = target_for(kind)
    model = small(kind, warm_start=True, max_iter=30, tol=None, learning_rate_init=0.01).fit(X, y)
    first = model.loss_curve_
    again = model.fit(X[:100], y[:100]).loss_curve_
    assert again[0] < 0.8 * first[0]
    cold = clone(model).set_params(warm_start=False).fit(X, y)
    np.testing.assert_allclose(cold.loss_curve_, first)


def test_validation_rows_that_are_given():
    model = small(MLPClassifier, tol=None)
    model.fit(X[:90], WORDS[:90], validation_data=(X[90:], WORDS[90:]))
    assert len(model.loss_curve_) == len(model.validation_loss_curve_) == 20
    assert model.validation_scores_[-1] == pytest.approx(model.score(X[90:], WORDS[90:]))
    # They are only watched: the fit is the same without them.
    alone = small(MLPClassifier, tol=None).fit(X[:90], WORDS[:90])
    np.testing.assert_allclose(alone.loss_curve_, model.loss_curve_, rtol=1e-5)
    stopped = small(LinearRegressor, early_stopping=True, max_iter=400, learning_rate_init=0.1)
    stopped.fit(X[:90], Y[:90], validation_data=(X[90:], Y[90:], np.ones(30)))
    assert stopped.n_iter_ < 400
    assert stopped.stop_reason_.startswith(f"Stopped after {stopped.n_iter_} of 400 epochs")
    assert stopped.best_loss_ == min(stopped.validation_loss_curve_)
    best = max(stopped.validation_scores_)
    assert stopped.score(X[90:], Y[90:]) == pytest.approx(best, abs=1e-5)


def test_losses_activations_schedules_and_optimizers_of_ones_own():
    def cubed(prediction, target):
        return jnp.abs(prediction[:, 0] - target) ** 3

    def bent(x):
        return jnp.where(x > 0, x, 0.1 * jnp.tanh(x))

    model = small(
        MLPRegressor,
        loss=cubed,
        activation=bent,
        optimizer=optimizers.RMSprop(0.01),
        learning_rate_init=None,
        schedule=schedules.ExponentialDecay(1.0, 0.5, 10),
        clip_norm=1.0,
        batch_norm=True,
        dropout=0.1,
        average=0.9,
    ).fit(X, Y)
    assert model.loss_ < model.loss_curve_[0]
    assert model.learning_rate_ == 0.01
    rates = model.history_.learning_rate
    assert rates[10] == pytest.approx(0.5 * rates[0])
    custom = small(LinearClassifier, loss=losses.softmax_cross_entropy).fit(X, WORDS)
    assert custom.score(X, WORDS) > 0.8


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "modified_huber", "perceptron"])
def test_margin_losses_have_scores_and_no_probabilities(loss):
    model = small(LinearClassifier, loss=loss, max_iter=100).fit(X, WORDS)
    assert model.score(X, WORDS) > 0.8
    assert model.decision_function(X).shape == (120, 3)
    assert not hasattr(model, "predict_proba")


def test_a_rate_that_is_found():
    model = small(LinearRegressor, learning_rate_init="auto", max_iter=200).fit(X, Y)
    assert model.run_.range_test is not None
    assert 0 < model.learning_rate_ < 100
    assert model.score(X, Y) > 0.95


def test_frames_names_and_pipelines():
    frame = pl.DataFrame(X, schema=["a", "b", "c", "d"])
    model = small(LinearClassifier).fit(frame, WORDS)
    assert model.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename({"a": "z"}))
    scaler = StandardScaler().set_output(transform="polars")
    pipeline = make_pipeline(scaler, small(MLPRegressor)).fit(frame, Y)
    assert pipeline.predict(frame).shape == (120,)


def test_weights_are_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        model = small(LinearClassifier, batch_size="full").set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"alpha": [1e-4, 1e-2]}, cv=2)
        search.fit(X, WORDS, sample_weight=np.arange(len(X)))
        assert search.best_score_ > 0.7


@pytest.mark.parametrize("kind", ALL)
def test_a_second_fit_of_one_size_compiles_nothing(kind):
    y = target_for(kind)
    small(kind).fit(X, y)
    before = loop.traces["advance"]
    for rows, alpha, rate in ((118, 0.1, 0.1), (112, 0.0001, 0.5)):
        small(kind, alpha=alpha, learning_rate_init=rate).fit(X[:rows], y[:rows])
    cross_val_score(small(kind, tol=0.5), X[:119], y[:119], cv=20)
    assert loop.traces["advance"] == before


def test_a_grid_search_in_two_processes():
    grid = {"alpha": [1e-4, 1e-3, 1e-2, 1e-1], "learning_rate_init": [0.01, 0.02, 0.05, 0.1, 0.2]}
    search = GridSearchCV(small(LinearClassifier), grid, n_jobs=2, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X, WORDS)
    assert len(search.cv_results_["mean_test_score"]) == 20
    assert search.best_score_ > 0.8
    alone = GridSearchCV(small(LinearClassifier), grid, cv=2).fit(X, WORDS)
    np.testing.assert_array_equal(
        alone.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
    )


@pytest.mark.parametrize("kind", [LinearClassifier, MLPRegressor])
def test_the_same_seed_gives_the_same_bits_and_a_pickle_too(kind):
    y = target_for(kind)
    a, b = (small(kind, batch_size=32).fit(X, y) for _ in range(2))
    other = small(kind, batch_size=32, random_state=1).fit(X, y)
    assert a.loss_curve_ == b.loss_curve_ != other.loss_curve_
    c = pickle.loads(pickle.dumps(a))
    np.testing.assert_array_equal(a.predict(X), c.predict(X))
    assert c.run_.history.loss.shape == a.run_.history.loss.shape
    c.partial_fit(X, y)


def test_what_ended_a_fit_is_told():
    with pytest.warns(ConvergenceWarning, match="Maximum iterations \\(20\\) reached"):
        small(LinearRegressor, schedule=None).fit(X, Y)
    with pytest.warns(ConvergenceWarning, match="The schedule ended after 20 steps"):
        small(MLPRegressor).fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(LinearRegressor, schedule="cosine", tol=0.0, max_iter=400).fit(X, Y)
        done = small(LinearRegressor, max_iter=5000, tol=1e-3).fit(X, Y)
    assert "the training loss had not improved" in done.stop_reason_
    with pytest.warns(ConvergenceWarning, match="blew up at step"):
        wild = small(LinearRegressor, optimizer="sgd", learning_rate_init=1e30).fit(X, Y)
    assert np.isfinite(wild.predict(X)).all()


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"alpha": -1.0}, "The 'alpha' parameter of LinearClassifier must be"),
        ({"max_iter": 0}, "The 'max_iter' parameter"),
        ({"batch_size": "half"}, "The 'batch_size' parameter"),
        ({"learning_rate_init": "fast"}, "The 'learning_rate_init' parameter"),
        ({"loss": "squared_error"}, "is for regression, and this estimator for classification"),
        ({"loss": "hnge"}, "did you mean 'hinge'"),
        ({"loss": "cross_entropy"}, "use 'log_loss'"),
        ({"optimizer": "adm"}, "did you mean 'adam'"),
        ({"optimizer": 3}, "optimizer must be a name"),
        ({"optimizer": optimizers.Adam}, "write Adam\\(\\)"),
        ({"average": 1.0}, "The 'average' parameter"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"class_weight": "fair"}, "class_weight"),
    ],
)
def test_wrong_parameters_are_value_errors(options, wrong):
    with pytest.raises(ValueError, match=wrong):
        small(LinearClassifier, **options).fit(X, WORDS)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "quantile:0.5"])
def test_the_target_s_unit_changes_nothing(loss):
    models = [small(LinearRegressor, loss=loss, l1=1e-3).fit(X, unit * Y) for unit in (1, 1e4)]
    np.testing.assert_allclose(models[1].coef_, 1e4 * models[0].coef_, rtol=1e-3)


@pytest.mark.parametrize("loss", ["huber:1.35", "log_cosh", "epsilon_insensitive:0.1"])
def test_a_loss_with_a_size_of_its_own_learns_targets_of_any_size(loss):
    big = small(LinearRegressor, loss=loss, max_iter=500, alpha=0.0).fit(X, 1e5 * Y)
    assert big.score(X, 1e5 * Y) > 0.97
    # Its size is on the data's units: the loss is what it is by hand.
    function = losses.by_name(loss).function
    by_hand = np.mean(function(jnp.asarray(big.predict(X)), jnp.asarray(1e5 * Y)))
    np.testing.assert_allclose(big.loss_, by_hand, rtol=1e-2)


def test_a_loss_that_is_infinite_at_zero_is_not_asked_about_rows_that_fill_up():
    def of_logarithms(prediction, target):
        return (prediction[:, 0] - jnp.log(target)) ** 2

    for size in ("full", 32):
        model = small(LinearRegressor, loss=of_logarithms, batch_size=size).fit(X, np.exp(Y / 10))
        assert model.n_iter_ == 20
        assert np.isfinite(model.loss_)


def test_validation_scores_are_those_of_score():
    labels = np.stack([X[:, 0] > 0, X[:, 1] > 0], axis=1).astype(int)
    model = small(LinearClassifier).fit(X[:90], labels[:90], validation_data=(X[90:], labels[90:]))
    assert model.validation_scores_[-1] == pytest.approx(model.score(X[90:], labels[90:]))
    weights = np.arange(1.0, 31)
    model = small(LinearRegressor)
    model.fit(X[:90], Y[:90], validation_data=(X[90:], Y[90:], weights))
    score = model.score(X[90:], Y[90:], sample_weight=weights)
    assert model.validation_scores_[-1] == pytest.approx(score, abs=1e-5)
    rare = {"ash": 10.0, "beech": 0.1, "oak": 1.0}
    model = small(LinearClassifier, class_weight=rare, early_stopping=True).fit(X, WORDS)
    counts = 12 * np.array(model.validation_scores_)
    np.testing.assert_allclose(counts, counts.round(), atol=1e-4)
    assert (
        small(LinearRegressor, loss="poisson")
        .fit(X[:90], np.exp(Y[:90] / 5), validation_data=(X[90:], np.exp(Y[90:] / 5)))
        .validation_scores_
        is None
    )


def test_a_fit_that_fails_leaves_everything_as_it_was():
    model = small(MLPRegressor).fit(X, Y)
    before = model.predict(X)
    for wrong in ({"optimizer": "adm"}, {"callback": lambda p: 1 / 0}):
        with pytest.raises((ValueError, ZeroDivisionError)):
            model.set_params(**wrong).fit(100 * X, Y)
        model.set_params(optimizer="adam", callback=None)
        np.testing.assert_array_equal(model.predict(X), before)
    fresh = small(LinearClassifier)
    with pytest.raises(ValueError, match="NaN"):
        fresh.partial_fit(X * np.nan, WORDS, classes=["a", "b"])
    assert fresh.fit(X, WORDS).classes_.tolist() == ["ash", "beech", "oak"]


def test_parts_with_other_settings_than_before():
    model = small(LinearRegressor, standardize=False).partial_fit(X, Y)
    for other in ({"optimizer": "sgd"}, {"average": True}, {"clip_norm": 1.0}, {"average": False}):
        model.set_params(**other).partial_fit(X, Y)
    assert np.isfinite(model.predict(X)).all()
    with pytest.raises(ValueError, match="no last epoch for the schedule 'cosine'"):
        model.set_params(schedule="cosine").partial_fit(X, Y)
    # The cuts of a plateau are remembered from call to call.
    model = small(LinearRegressor, optimizer="sgd", schedule="plateau:0.5:2", standardize=False)
    model.set_params(learning_rate_init=0.1)
    for _ in range(100):
        model.partial_fit(X, Y)
    assert model.history_.learning_rate[-1] < 0.06


def test_parts_draw_anew():
    model = small(MLPRegressor, dropout=0.5, learning_rate_init=1e-9, standardize=False)
    seen = {model.partial_fit(X, Y).loss_ for _ in range(4)}
    assert len(seen) == 4


def test_outputs_of_any_size_count_alike():
    y = np.stack([Y, 1e5 * X[:, 0]], axis=1)
    model = small(MLPRegressor, max_iter=300, learning_rate_init=0.03).fit(X, y)
    assert model.score(X, y) > 0.9
    # The loss is the mean over outputs, hence the second 2.
    ours = small(LinearRegressor, alpha=2 * 3.0 / len(X) / 2, precision="float64", tol=None)
    ours.set_params(max_iter=1000, learning_rate_init=0.1, schedule="cosine")
    scaled = (X - X.mean(0)) / X.std(0)
    theirs = Ridge(3.0).fit(scaled, y)
    np.testing.assert_allclose(ours.fit(scaled, y).coef_, theirs.coef_, rtol=1e-4, atol=1e-4)


def test_predictions_compile_once(caplog):
    model = small(MLPClassifier).fit(X, WORDS)
    model.predict_proba(X[:3])
    with jax.log_compiles(True):
        for rows in (1, 7, 100, 120):
            model.predict_proba(X[:rows])
    assert "Compiling" not in caplog.text


def test_functions_that_cannot_be_compiled_are_told():
    with pytest.raises(ValueError, match="must use jax.numpy instead of NumPy"):
        small(LinearRegressor, loss=lambda z, y: np.square(np.asarray(z)[:, 0] - y)).fit(X, Y)


@pytest.mark.parametrize(
    ("weights", "wrong"),
    [
        ({"ash": -1}, "finite numbers of 0 or more"),
        ({"ash": np.inf}, "finite numbers of 0 or more"),
        ({"ash": 0, "beech": 0, "oak": 0}, "must not be 0 for all"),
    ],
)
def test_wrong_class_weights(weights, wrong):
    with pytest.raises(ValueError, match=wrong):
        small(LinearClassifier, class_weight=weights).fit(X, WORDS)


def test_huge_and_tiny_numbers():
    odd = X.copy()
    odd[:, 0] *= 1e200
    odd[:, 1] = 1e300
    y = 1e-200 * (X[:, 0] + X[:, 2])
    assert small(LinearRegressor, max_iter=200).fit(odd, y).run_.history.loss[-1] < 0.1
    heavy = small(LinearRegressor).fit(X, Y, sample_weight=np.full(len(X), 1e-300))
    np.testing.assert_allclose(heavy.coef_, small(LinearRegressor).fit(X, Y).coef_, rtol=1e-4)


def test_scikit_learn_s_names_are_told_ours():
    with pytest.raises(TypeError, match="no parameter 'solver': it is optimizer here"):
        MLPClassifier(solver="adam")
    with pytest.raises(TypeError, match="it is alpha, which is 1 / \\(C n\\) here"):
        LinearClassifier(C=1.0)
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
        LinearClassifier(nonsense=1.0)


def test_wrong_data_are_value_errors():
    with pytest.raises(NotFittedError):
        small(LinearClassifier).predict(X)
    with pytest.raises(ValueError, match="greater than one; got 1 class"):
        small(LinearClassifier).fit(X, ["a"] * len(X))
    with pytest.raises(ValueError, match="hidden_layer_sizes must be > 0"):
        small(MLPClassifier, hidden_layer_sizes=(3, 0)).fit(X, WORDS)
    with pytest.raises(ValueError, match="out of the valid range of the loss 'poisson'"):
        small(LinearRegressor, loss="poisson").fit(X, Y - 100)
    with pytest.raises(ValueError, match="validation_data must be"):
        small(LinearRegressor).fit(X, Y, validation_data=X)
    with pytest.raises(ValueError, match="were not there at the start"):
        small(LinearClassifier).fit(X, WORDS, validation_data=(X[:2], ["elm", "oak"]))
    with pytest.raises(ValueError, match="y must hold 0 and 1 only"):
        small(LinearClassifier).fit(X, 2 * np.stack([X[:, 0] > 0, X[:, 1] > 0], axis=1) - 1)
    with pytest.raises(TypeError, match="Sparse data was passed"):
        small(LinearRegressor).fit(X, scipy.sparse.csr_array(Y[:, None]))
    with pytest.raises(
        ValueError, match="must contain at least one non-zero number|not be all zero"
    ):
        small(LinearClassifier).fit(X, WORDS, sample_weight=np.zeros(len(X)))
