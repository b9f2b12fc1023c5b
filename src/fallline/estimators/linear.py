"""Linear models: the counterparts of SGDRegressor, Ridge, SGDClassifier and LogisticRegression."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.utils._param_validation import Interval
from sklearn.utils.extmath import safe_sparse_dot

from fallline.estimators.base import Descender
from fallline.estimators.scaling import Affine
from fallline.estimators.targets import Classifier, Regressor
from fallline.models import Linear
from fallline.schedules import ReduceOnPlateau

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.descent.batches import BatchPlan
    from fallline.losses import Loss
    from fallline.schedules import Schedule


class _LinearPart(Descender):
    """The model, its penalties and its attributes."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "l1": [Interval(numbers.Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
    }

    # Chosen, like the schedule, by held-out scores on the tables of benchmarks/estimators.py.
    _rate = 0.05
    _part_rate = 0.01

    def _auto_schedule(self, plan: BatchPlan, epochs: int) -> Schedule:
        # In steps: with full batches an epoch is one step, and three steps without progress mean nothing.
        return ReduceOnPlateau(1.0, 0.25, max(3, -(-50 // plan.steps)), 1e-3)

    def _model(self, columns: int) -> Linear:
        return Linear(columns, self._columns(), bias=bool(self.fit_intercept))

    def _penalties(self) -> dict[str, Any]:
        # On the weights of the standardised target, too: then no unit of the data changes the model.
        return {"l1": float(self.l1) or None, "l2": float(self.alpha) or None}

    def _publish(self) -> None:
        weights, bias = self._affines_now()[0]
        self._set_weights(weights, bias)

    def _set_weights(self, weights: np.ndarray, bias: np.ndarray) -> None:
        """Set ``coef_`` and ``intercept_`` in scikit-learn's shapes."""
        raise NotImplementedError

    def _weights(self) -> Affine:
        """What predictions are made of, on the units of the data: (columns, outputs), (outputs,)."""
        return np.atleast_2d(self.coef_).T, np.atleast_1d(self.intercept_)

    def _outputs(self, X: Any) -> np.ndarray:
        weights, bias = self._weights()
        # In double precision: single would lose the digits of columns far from 0.
        return np.asarray(safe_sparse_dot(X.astype(np.float64, copy=False), weights)) + bias


class LinearRegressor(Regressor, _LinearPart):
    r"""Linear regression with any loss, by gradient descent.

    The counterpart of scikit-learn's ``SGDRegressor`` and ``Ridge``.

    Examples:
        >>> import numpy as np
        >>> X = np.arange(6.0).reshape(-1, 1)
        >>> LinearRegressor(random_state=0).fit(X, 3 * X[:, 0] + 1).predict([[10.0]]).round(1)
        array([31.])

    Args:
        loss: a name in `fallline.losses.LOSSES` for regression ("squared_error", "absolute_error",
            "huber:1.35", "quantile:0.9", "poisson", ...), or ``(prediction, target) -> (n,)``.
        alpha: L2 penalty: the objective has $\tfrac12\alpha\|W\|^2$ besides the mean loss.
        l1: L1 penalty: the objective has this times $\|W\|_1$.
        fit_intercept: learn an intercept.
        optimizer: a name in `fallline.optimizers` ("adam", "sgd", "momentum", ...), an instance of one with
            its other hyper-parameters, or a transformation of optax's.
        learning_rate_init: the learning rate at the start; "auto" finds one by a range test; None is
            0.05 for "adam", else the optimizer's own.
        schedule: how the rate changes. "auto" cuts it to a quarter on a plateau;
            None keeps it, and so does "auto" with an optimizer that is not given by its name; or words
            as in ``fallline fit --schedule``, in epochs ("cosine", "exponential:0.95", ...), or one of
            `fallline.schedules`, in steps.
        batch_size: rows a step; "full" for all, "auto" for all below 2000 rows and 64 to 512 above.
        max_iter: epochs at most.
        tol: by how much the monitored loss, of the standardised target, must fall to count as progress; None
            never stops early. A schedule that ends with the run is gone through unless ``early_stopping``.
        n_iter_no_change: epochs without progress before the fit stops; "auto" is 10, or enough for 200
            steps.
        early_stopping: stop by the loss on validation rows, and keep the parameters of the best epoch.
        validation_fraction: the share of rows held out for it, unless ``validation_data`` is given.
        shuffle: a new order of rows each epoch.
        standardize: bring dense features, and the target of any loss but Poisson's and your own, to mean 0
            and spread 1 inside the fit; weights are given back in the data's own units. ``alpha`` then
            acts on the standardised weights.
        clip_norm: scale gradients longer than this down to it.
        average: predict with averaged weights: True, a number of rows after which averaging begins, or the
            beta (below 1) of an exponentially weighted average.
        random_state: decides initial weights, row orders, held-out rows and dropout.
        warm_start: ``fit`` goes on from the last fit's weights.
        precision: "float32", "float64", "bfloat16" (single, but what the layers multiply in training is
            rounded to it), or "auto": single, unless JAX is in 64-bit mode and the data are float64.
        callback: a function, or several, called about ten times a second with a
            `fallline.descent.run.Progress`; the fit stops when one returns True.
        verbose: 1 shows a progress bar on stderr, 2 a line an epoch.

    Attributes:
        run_: the `fallline.Run` behind the newest fit, with its history of every step.
        history_: that history.
        stop_reason_: why the fit ended, in a sentence.
        n_iter_: epochs done.
        t_: rows seen.
        loss_: the last epoch's mean training loss with its penalties, in the data's own units (of several
            outputs, in those of the standardised ones).
        loss_curve_: the same of each epoch.
        validation_loss_curve_: the validation loss of each epoch, without penalties, or None.
        validation_scores_: $R^2$ on the validation rows of each epoch, or None where a loss is of a kind of
            its own (Poisson, a function of yours).
        best_loss_: the lowest loss, on validation rows with early stopping.
        learning_rate_: the rate at the start, found or given.
        stopped_: after ``partial_fit`` with early stopping: has it stopped learning?
        n_features_in_: columns seen.
        feature_names_in_: their names, where they had any.
        coef_: (columns,), or (outputs, columns), in the data's own units.
        intercept_: a number, or (outputs,).
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Regressor._parameter_constraints,
        **_LinearPart._parameter_constraints,
    }

    def __init__(
        self,
        loss: str | Loss | Callable[..., Any] = "squared_error",
        *,
        alpha: float = 0.0001,
        l1: float = 0.0,
        fit_intercept: bool = True,
        optimizer: Any = "adam",
        learning_rate_init: float | str | None = None,
        schedule: Any = "auto",
        batch_size: int | str = "auto",
        max_iter: int = 1000,
        tol: float | None = 1e-5,
        n_iter_no_change: int | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        shuffle: bool = True,
        standardize: bool = True,
        clip_norm: float | None = None,
        average: bool | float = False,
        random_state: Any = None,
        warm_start: bool = False,
        precision: str = "auto",
        callback: Callable[..., Any] | None = None,
        verbose: int = 0,
    ) -> None:
        self.loss = loss
        self.alpha = alpha
        self.l1 = l1
        self.fit_intercept = fit_intercept
        self.optimizer = optimizer
        self.learning_rate_init = learning_rate_init
        self.schedule = schedule
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.shuffle = shuffle
        self.standardize = standardize
        self.clip_norm = clip_norm
        self.average = average
        self.random_state = random_state
        self.warm_start = warm_start
        self.precision = precision
        self.callback = callback
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None) -> Self:
        """Train on all rows, from the beginning unless ``warm_start``.

        Args:
            X: features, (n, columns): an array, a frame of pandas or polars, or a sparse matrix.
            y: targets, (n,) or (n, outputs).
            sample_weight: (n,) weights; 2 counts a row twice, 0 leaves it out.
            validation_data: (X, y) or (X, y, sample_weight) to watch at every epoch; early stopping
                goes by them instead of rows held out.

        Returns:
            The estimator.

        Raises:
            ValueError: in a sentence, for anything that does not fit.
        """
        return self._fit(X, y, sample_weight, validation_data)

    def _set_weights(self, weights: np.ndarray, bias: np.ndarray) -> None:
        single = weights.shape[1] == 1
        self.coef_ = weights[:, 0] if single else weights.T
        self.intercept_ = bias[0] if single else bias


class LinearClassifier(Classifier, _LinearPart):
    r"""Logistic regression, a linear support-vector machine and their kin, by gradient descent.

    The counterpart of scikit-learn's ``SGDClassifier`` and ``LogisticRegression``.

    Examples:
        >>> X = [[-2.0], [-1.0], [1.0], [2.0]]
        >>> LinearClassifier(random_state=0).fit(X, ["no", "no", "yes", "yes"]).predict([[-3.0], [3.0]])
        array(['no', 'yes'], dtype='<U3')

    Args:
        loss: "log_loss" (logistic regression; softmax for several classes), a margin loss ("hinge",
            "squared_hinge", "modified_huber", "perceptron"), or ``(prediction, target) -> (n,)``.
        alpha: L2 penalty: the objective has $\tfrac12\alpha\|W\|^2$ besides the mean loss.
        l1: L1 penalty: the objective has this times $\|W\|_1$.
        fit_intercept: learn an intercept.
        optimizer: a name in `fallline.optimizers` ("adam", "sgd", "momentum", ...), an instance of one with
            its other hyper-parameters, or a transformation of optax's.
        learning_rate_init: the learning rate at the start; "auto" finds one by a range test; None is
            0.05 for "adam", else the optimizer's own.
        schedule: how the rate changes. "auto" cuts it to a quarter on a plateau;
            None keeps it, and so does "auto" with an optimizer that is not given by its name; or words
            as in ``fallline fit --schedule``, in epochs ("cosine", "exponential:0.95", ...), or one of
            `fallline.schedules`, in steps.
        batch_size: rows a step; "full" for all, "auto" for all below 2000 rows and 64 to 512 above.
        max_iter: epochs at most.
        tol: by how much the monitored loss, of the standardised target, must fall to count as progress; None
            never stops early. A schedule that ends with the run is gone through unless ``early_stopping``.
        n_iter_no_change: epochs without progress before the fit stops; "auto" is 10, or enough for 200
            steps.
        early_stopping: stop by the loss on validation rows, and keep the parameters of the best epoch.
        validation_fraction: the share of rows held out for it, unless ``validation_data`` is given.
        shuffle: a new order of rows each epoch.
        standardize: bring dense features to mean 0 and spread 1 inside the fit; weights are given back in
            the data's own units. ``alpha`` then acts on the standardised weights.
        clip_norm: scale gradients longer than this down to it.
        average: predict with averaged weights: True, a number of rows after which averaging begins, or the
            beta (below 1) of an exponentially weighted average.
        class_weight: a weight for each class, "balanced" for weights that make classes count alike, or None.
        random_state: decides initial weights, row orders, held-out rows and dropout.
        warm_start: ``fit`` goes on from the last fit's weights.
        precision: "float32", "float64", "bfloat16" (single, but what the layers multiply in training is
            rounded to it), or "auto": single, unless JAX is in 64-bit mode and the data are float64.
        callback: a function, or several, called about ten times a second with a
            `fallline.descent.run.Progress`; the fit stops when one returns True.
        verbose: 1 shows a progress bar on stderr, 2 a line an epoch.

    Attributes:
        run_: the `fallline.Run` behind the newest fit, with its history of every step.
        history_: that history.
        stop_reason_: why the fit ended, in a sentence.
        n_iter_: epochs done.
        t_: rows seen.
        loss_: the last epoch's mean training loss with its penalties, in the data's own units (of several
            outputs, in those of the standardised ones).
        loss_curve_: the same of each epoch.
        validation_loss_curve_: the validation loss of each epoch, without penalties, or None.
        validation_scores_: the accuracy on the validation rows of each epoch, or None.
        best_loss_: the lowest loss, on validation rows with early stopping.
        learning_rate_: the rate at the start, found or given.
        stopped_: after ``partial_fit`` with early stopping: has it stopped learning?
        n_features_in_: columns seen.
        feature_names_in_: their names, where they had any.
        coef_: (1, columns) for two classes, else (classes, columns), in the data's own units.
        intercept_: (1,) or (classes,).
        classes_: the labels, sorted.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Classifier._parameter_constraints,
        **_LinearPart._parameter_constraints,
    }

    def __init__(
        self,
        loss: str | Loss | Callable[..., Any] = "log_loss",
        *,
        alpha: float = 0.001,
        l1: float = 0.0,
        fit_intercept: bool = True,
        optimizer: Any = "adam",
        learning_rate_init: float | str | None = None,
        schedule: Any = "auto",
        batch_size: int | str = "auto",
        max_iter: int = 1000,
        tol: float | None = 1e-5,
        n_iter_no_change: int | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        shuffle: bool = True,
        standardize: bool = True,
        clip_norm: float | None = None,
        average: bool | float = False,
        class_weight: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        precision: str = "auto",
        callback: Callable[..., Any] | None = None,
        verbose: int = 0,
    ) -> None:
        self.loss = loss
        self.alpha = alpha
        self.l1 = l1
        self.fit_intercept = fit_intercept
        self.optimizer = optimizer
        self.learning_rate_init = learning_rate_init
        self.schedule = schedule
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.shuffle = shuffle
        self.standardize = standardize
        self.clip_norm = clip_norm
        self.average = average
        self.class_weight = class_weight
        self.random_state = random_state
        self.warm_start = warm_start
        self.precision = precision
        self.callback = callback
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None) -> Self:
        """Train on all rows, from the beginning unless ``warm_start``.

        Args:
            X: features, (n, columns): an array, a frame of pandas or polars, or a sparse matrix.
            y: labels, (n,), or (n, labels) of 0 and 1 for several labels a row.
            sample_weight: (n,) weights; 2 counts a row twice, 0 leaves it out.
            validation_data: (X, y) or (X, y, sample_weight) to watch at every epoch; early stopping
                goes by them instead of rows held out.

        Returns:
            The estimator.

        Raises:
            ValueError: in a sentence, for anything that does not fit.
        """
        return self._fit(X, y, sample_weight, validation_data)

    def _set_weights(self, weights: np.ndarray, bias: np.ndarray) -> None:
        self.coef_, self.intercept_ = weights.T, bias
