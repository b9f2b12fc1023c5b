"""From scikit-learn's estimators to those here, parameters and weights: ``from_sklearn``."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import linear_model, neural_network
from sklearn.base import BaseEstimator

from fallline import optimizers
from fallline.estimators.carrying import Source, averaged_outputs, carry_weights, training_rows
from fallline.estimators.counterparts import Adaptive, InverseScaling, one_vs_rest
from fallline.estimators.linear import LinearClassifier, LinearRegressor
from fallline.estimators.network import MLPClassifier, MLPRegressor
from fallline.estimators.settings import InvalidInput
from fallline.schedules import InverseTimeDecay

if TYPE_CHECKING:
    from collections.abc import Callable

_LOWEST_RATE = 1e-6
"""At or below this rate scikit-learn's 'adaptive' no longer cuts it, but stops."""

_MLP_BATCH = 200
"""Rows a step of scikit-learn's batch_size='auto', or all rows where there are fewer."""

_DEFAULT_ALPHA = 0.0001


def from_sklearn(estimator: Any, *, rows: int | None = None, return_notes: bool = False) -> Any:
    r"""The counterpart of a configured, and perhaps fitted, estimator of scikit-learn's.

    Every parameter keeps its meaning as far as it has one here: ``standardize`` is off and
    ``precision`` is "float64", as in scikit-learn. The weights of a fitted estimator come along: the
    counterpart predicts the same at once, and goes on from them by ``partial_fit``, or by ``fit``
    with ``warm_start=True``; it has no ``run_`` before that. Which parameter went where is in the
    documentation, page "From scikit-learn".

    Examples:
        >>> from sklearn.linear_model import SGDRegressor
        >>> model = from_sklearn(SGDRegressor(learning_rate="constant", eta0=0.1))
        >>> model.loss, model.optimizer, model.learning_rate_init, model.batch_size
        ('half_squared_error', 'sgd', 0.1, 1)

    Args:
        estimator: an ``SGDClassifier``, ``SGDRegressor``, ``MLPClassifier``, ``MLPRegressor``,
            ``LogisticRegression``, ``Ridge`` or ``LinearRegression`` of scikit-learn's.
        rows: how many rows it will be fitted to (with sample weights, their sum). Some penalties and
            schedules depend on it; without it, what could be said of them is in the notes.
        return_notes: give the notes back instead of warning of them.

    Returns:
        The estimator; with ``return_notes``, a pair of it and a list of sentences, one for each thing
        that is not the same here.

    Raises:
        ValueError: in a sentence, if there is no counterpart, or a parameter has no sense.
    """
    made = _TRANSLATIONS.get(type(estimator))
    if made is None:
        raise InvalidInput(_unknown(estimator))
    if rows is not None and not rows >= 1:
        raise InvalidInput(f"rows must be a whole number from 1 up; it was given {rows!r}.")
    estimator._validate_params()
    source = Source(estimator, None if rows is None else int(rows))
    found = made(source)
    if source.fitted:
        carry_weights(source, found)
    if return_notes:
        return found, source.notes
    if source.notes:
        warnings.warn(
            f"Not everything of this {source.name} is the same here. " + " ".join(source.notes),
            UserWarning,
            stacklevel=2,
        )
    return found


def _unknown(estimator: Any) -> str:
    names = [cls.__name__ for cls in _TRANSLATIONS]
    known = f"{', '.join(names[:-1])} and {names[-1]}"
    kind = type(estimator)
    if isinstance(estimator, type):
        return f"from_sklearn takes an estimator, not the class {estimator.__name__}: add ()."
    for cls in kind.__mro__[1:]:
        if cls in _TRANSLATIONS:
            return (
                f"{kind.__name__} is a subclass of scikit-learn's {cls.__name__}, and what it changes "
                f"cannot be known; give from_sklearn a {cls.__name__}."
            )
    what = kind.__name__ if isinstance(estimator, BaseEstimator) else repr(kind.__name__)
    return f"from_sklearn has no counterpart of {what}; it knows scikit-learn's {known}."


# ---- SGDClassifier, SGDRegressor -------------------------------------------------------------------


def _sgd(source: Source) -> dict[str, Any]:
    """The parameters that scikit-learn's two SGD estimators share."""
    s = source.estimator
    alpha, l1 = _shares(float(s.alpha), s.penalty, s.l1_ratio)
    if l1:
        source.notes.append(
            "penalty: the L1 part is descended by its slope and brings weights near 0, not onto it."
        )
    rate, schedule, patience = _sgd_rate(source)
    if s.early_stopping:
        source.notes.append(
            "early_stopping: it goes by the validation loss instead of the score, tol is in the units of "
            "that loss, and the weights of the best epoch are kept instead of the last one's."
        )
    # Averaging begins with step N there, counted from 1, and after N steps here.
    after = int(s.average) - 1
    return {
        "alpha": alpha,
        "l1": l1,
        "fit_intercept": s.fit_intercept,
        "optimizer": "sgd",
        "learning_rate_init": rate,
        "schedule": schedule,
        "batch_size": 1,
        "max_iter": s.max_iter,
        "tol": s.tol,
        "n_iter_no_change": patience,
        "early_stopping": s.early_stopping,
        "validation_fraction": s.validation_fraction,
        "shuffle": s.shuffle,
        "average": False if after < 0 else after or True,
        **_common(source),
    }


def _common(source: Source) -> dict[str, Any]:
    """What every estimator is given."""
    s = source.estimator
    return {
        "standardize": False,
        "precision": "float64",
        "random_state": s.random_state,
        "warm_start": s.warm_start,
        # A line an epoch is what scikit-learn prints.
        "verbose": 2 if s.verbose else 0,
    }


def _shares(alpha: float, penalty: str | None, l1_ratio: float | None) -> tuple[float, float]:
    """How much of a penalty is L2 and how much L1."""
    share = {None: 0.0, "l2": 0.0, "l1": 1.0}.get(penalty, l1_ratio or 0.0)
    alpha = alpha if penalty is not None else 0.0
    return alpha * (1.0 - share), alpha * share


def _sgd_rate(source: Source) -> tuple[float, Any, int]:
    """Initial rate, schedule and patience."""
    s = source.estimator
    eta0, patience = float(s.eta0), int(s.n_iter_no_change)
    match s.learning_rate:
        case "optimal":
            if s.alpha == 0:
                raise InvalidInput(
                    "learning_rate='optimal' makes the rate of alpha, which must be above 0."
                )
            # 1 / (alpha (t0 + t)), with t0 such that the first rate is alpha^(-1/4).
            first = float(s.alpha) ** -0.25
            return first, InverseTimeDecay(first, float(s.alpha) * first, 1.0), patience
        case "invscaling" if s.power_t:
            return eta0, InverseScaling(eta0, float(s.power_t)), patience
        case "adaptive" if s.tol is not None:
            schedule, cuts = _adaptive(eta0, patience - 1, float(s.tol))
            source.notes.append(_ADAPTIVE)
            return eta0, schedule, patience * (cuts + 1)
        case "pa1" | "pa2":
            source.notes.append(
                f"learning_rate={s.learning_rate!r}: a step made to measure for each row has no "
                f"counterpart; the rate is eta0={eta0:g} at every step."
            )
        case _:
            pass
    return eta0, None, patience


_ADAPTIVE = (
    "learning_rate='adaptive': the rate is cut at the same epochs, but the fit ends only after as many "
    "epochs without progress as all cuts together take."
)


def _adaptive(rate: float, patience: int, tol: float) -> tuple[Adaptive, int]:
    """The schedule of cuts by 5, and how many there can be."""
    cuts, lowest = 0, rate
    while lowest > _LOWEST_RATE:
        cuts, lowest = cuts + 1, lowest / 5.0
    return Adaptive(rate, 0.2, patience, minimum=lowest, tol=tol), cuts


_OF_NUMBERS: dict[str, str] = {"squared_error": "half_squared_error"}
_WITH_EPSILON = ("huber", "epsilon_insensitive", "squared_epsilon_insensitive")


def _loss_with_epsilon(s: Any) -> str:
    loss: str = s.loss
    return f"{loss}:{float(s.epsilon)!r}" if loss in _WITH_EPSILON else _OF_NUMBERS.get(loss, loss)


def _sgd_regressor(source: Source) -> LinearRegressor:
    return LinearRegressor(_loss_with_epsilon(source.estimator), **_sgd(source))


def _sgd_classifier(source: Source) -> LinearClassifier:
    s = source.estimator
    loss: Any = _loss_with_epsilon(s)
    params = _sgd(source)
    if loss not in ("hinge", "log_loss", "perceptron", "squared_hinge") or source.classes > 2:
        # Each class against the rest; modified_huber's probabilities, too, are only there.
        loss = one_vs_rest(loss)
    elif not source.classes:
        source.notes.append(
            "loss: with more than two classes they are learned together here, not each against the rest "
            f"(for that: loss=fallline.estimators.counterparts.one_vs_rest({loss!r}))."
        )
    if isinstance(s.class_weight, dict):
        source.notes.append(
            "class_weight: weights are brought to the mean 1 here, so that only their ratios matter; there "
            "large ones also make longer steps and a weaker penalty."
        )
    return LinearClassifier(loss, class_weight=s.class_weight, **params)


# ---- Ridge, LinearRegression, LogisticRegression ---------------------------------------------------


def _solved(source: Source, strength: float, formula: str) -> dict[str, Any]:
    """Parameters of an estimator that scikit-learn solves.

    Args:
        source: the estimator.
        strength: its penalty times rows, 0 for none.
        formula: what ``alpha`` is here, in words.
    """
    s = source.estimator
    solver = getattr(s, "solver", None)
    source.notes.append(
        "Descent by Adam takes the place of "
        + (f"solver={solver!r}" if solver else "the direct solution")
        + "; how long it goes on (max_iter, tol) is as for any estimator here."
    )
    if strength:
        source.notes.append(
            "standardize is off, so that the penalty means the same: bring columns of different sizes to one "
            "first, or descent is slow."
        )
    alpha = strength
    if strength and source.rows:
        alpha = strength / source.rows
    elif strength:
        alpha = _DEFAULT_ALPHA
        source.notes.append(
            f"The penalty depends on the number of rows n: set alpha = {formula}, or give from_sklearn "
            f"rows=n; it is {alpha:g} now."
        )
    return {
        "alpha": alpha,
        "fit_intercept": s.fit_intercept,
        # Without a penalty the minimum is the same in any units, and nearer in these.
        "standardize": not strength,
        # In the data's own units a good rate may be anything.
        "learning_rate_init": "auto" if strength else None,
        "precision": "float64",
        "random_state": getattr(s, "random_state", None),
    }


def _least_squares(source: Source) -> LinearRegressor:
    s = source.estimator
    outputs = 1 if not source.fitted or np.ndim(s.coef_) == 1 else len(s.coef_)
    given = np.asarray(getattr(s, "alpha", 0.0), float)
    strength = float(given.mean()) / outputs
    per = f" / {outputs}" if outputs > 1 else ""
    params = _solved(source, strength, f"{float(given.mean()):g} / n{per}")
    if given.size > 1 and np.ptp(given):
        source.notes.append("alpha: one penalty for all outputs, the mean of theirs.")
    if getattr(s, "positive", False):
        source.notes.append("positive: weights may be negative here.")
    return LinearRegressor("half_squared_error", **params)


def _logistic(source: Source) -> LinearClassifier:
    s = source.estimator
    penalty = s.penalty if s.penalty != "deprecated" else "elasticnet"
    free = penalty is None or math.isinf(s.C)
    strength = 0.0 if free else 1.0 / float(s.C)
    params = _solved(source, strength, f"{_less_l1(s, penalty)}1 / ({s.C:g} n)")
    params["alpha"], params["l1"] = _shares(params["alpha"], penalty, s.l1_ratio)
    if params["l1"]:
        source.notes.append(
            "l1_ratio: the L1 part is descended by its slope and brings weights near 0, not onto it."
        )
    if s.solver == "liblinear" and s.fit_intercept and strength:
        source.notes.append(
            "solver: liblinear penalises the intercept (intercept_scaling); here it is left alone."
        )
    return LinearClassifier(
        "log_loss",
        class_weight=s.class_weight,
        warm_start=s.warm_start,
        verbose=2 if s.verbose else 0,
        **params,
    )


def _less_l1(s: Any, penalty: str | None) -> str:
    share = _shares(1.0, penalty, s.l1_ratio)[1]
    return f"(and l1) {1.0 - share:g} (l1: {share:g}) times " if share else ""


# ---- MLPClassifier, MLPRegressor -------------------------------------------------------------------


def _mlp(source: Source) -> dict[str, Any]:
    """The parameters that scikit-learn's two networks share."""
    s = source.estimator
    rows, outputs = training_rows(source), averaged_outputs(source)
    rate, patience = float(s.learning_rate_init), s.n_iter_no_change
    stops = not math.isinf(patience)
    # There the fit stops when more than so many epochs went by, here when so many did.
    patience = int(patience) + 1 if stops else 1
    size = _MLP_BATCH if s.batch_size == "auto" else int(s.batch_size)
    optimizer: Any = "adam"
    schedule = None
    if s.solver == "sgd":
        # The gradient there is that of the sum over outputs, here that of the mean.
        rate *= outputs
        optimizer = "sgd"
        if s.momentum:
            kind = optimizers.Nesterov if s.nesterovs_momentum else optimizers.Momentum
            optimizer = kind(rate, s.momentum)
        if s.learning_rate == "invscaling":
            schedule = _mlp_inverse(source, rate, size, rows)
        elif s.learning_rate == "adaptive" and stops:
            schedule, cuts = _adaptive(rate, patience - 1, float(s.tol))
            source.notes.append(_ADAPTIVE)
            patience *= cuts + 1
        if s.momentum and schedule is not None:
            source.notes.append(
                "momentum: when the rate falls, it falls for the whole velocity, not for new gradients only."
            )
    elif (s.beta_1, s.beta_2, s.epsilon) != (0.9, 0.999, 1e-8) and s.solver == "adam":
        optimizer = optimizers.Adam(rate, s.beta_1, s.beta_2, s.epsilon)
    if s.solver == "lbfgs":
        source.notes.append(
            "solver='lbfgs': Adam takes its place, with steps of a batch, and learning_rate_init, tol and "
            "max_iter mean what they mean for Adam."
        )
    elif s.early_stopping:
        source.notes.append(
            "early_stopping: it goes by the validation loss instead of the score, and tol is in the units "
            "of that loss."
        )
    return {
        "hidden_layer_sizes": s.hidden_layer_sizes,
        "activation": s.activation,
        "alpha": _mlp_alpha(source, size, rows) / outputs,
        "optimizer": optimizer,
        "learning_rate_init": rate,
        "schedule": schedule,
        "batch_size": size,
        "max_iter": s.max_iter,
        "tol": float(s.tol) if stops else None,
        "n_iter_no_change": patience,
        "early_stopping": s.early_stopping and s.solver != "lbfgs",
        "validation_fraction": s.validation_fraction or 0.1,
        "shuffle": s.shuffle,
        **_common(source),
    }


def _mlp_alpha(source: Source, size: int, rows: int | None) -> float:
    """There the penalty is divided by the rows of a batch."""
    s = source.estimator
    alpha = float(s.alpha)
    if s.solver == "lbfgs":
        size = rows or size
    per = min(size, rows) if rows else size
    unsure = s.solver == "lbfgs" or s.batch_size == "auto"
    if alpha and rows is None and unsure:
        source.notes.append(
            f"alpha: it is divided by the rows of a step, taken to be {per}; with "
            + ("" if s.solver == "lbfgs" else "fewer rows, ")
            + f"n in all, set alpha = {alpha:g} / n, or give from_sklearn rows=n."
        )
    return alpha / per


def _mlp_inverse(source: Source, rate: float, size: int, rows: int | None) -> InverseScaling | None:
    """The rate of each epoch by the rows seen before it."""
    power = float(source.estimator.power_t)
    if not power:
        return None
    if rows is None:
        source.notes.append(
            "learning_rate='invscaling': the rate falls at every step instead of every epoch; give "
            "from_sklearn rows=n for the latter."
        )
        return InverseScaling(rate, power, size)
    return InverseScaling(rate, power, rows, -(-rows // min(size, rows)), True)


def _mlp_regressor(source: Source) -> MLPRegressor:
    # Before scikit-learn 1.7 there is only the squared error.
    loss: str = source.estimator.loss
    return MLPRegressor(loss=_OF_NUMBERS.get(loss, loss), **_mlp(source))


def _mlp_classifier(source: Source) -> MLPClassifier:
    return MLPClassifier(loss="log_loss", **_mlp(source))


_TRANSLATIONS: dict[type, Callable[[Source], Any]] = {
    linear_model.SGDClassifier: _sgd_classifier,
    linear_model.SGDRegressor: _sgd_regressor,
    neural_network.MLPClassifier: _mlp_classifier,
    neural_network.MLPRegressor: _mlp_regressor,
    linear_model.LogisticRegression: _logistic,
    linear_model.Ridge: _least_squares,
    linear_model.LinearRegression: _least_squares,
}
