"""Linear models: the counterparts of SGDRegressor, Ridge, SGDClassifier and LogisticRegression."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.utils._param_validation import Interval
from sklearn.utils.extmath import safe_sparse_dot

from fallline.estimators import settings
from fallline.estimators.base import Descender
from fallline.estimators.scaling import Affine
from fallline.estimators.targets import Classifier, Regressor
from fallline.models import Linear

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.losses import Loss


class _LinearPart(Descender):
    """The model, its penalties and its attributes."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "l1": [Interval(numbers.Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
    }

    def _model(self, columns: int) -> Linear:
        return Linear(columns, self._columns(), bias=bool(self.fit_intercept))

    def _columns(self) -> int:
        raise NotImplementedError

    def _penalties(self) -> dict[str, float | None]:
        l1, l2 = float(self.l1), float(self.alpha)
        power = settings.scaling_of(self._loss())[1] if self._task == "regression" else 0
        scale = float(self._target.scale[0])
        # The weights are 1/s of those on the target's units, and the loss 1/s^p.
        return {"l1": l1 * scale ** (1 - power) or None, "l2": l2 * scale ** (2 - power) or None}

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
        return np.asarray(safe_sparse_dot(X, weights.astype(X.dtype))) + bias.astype(X.dtype)


class LinearRegressor(Regressor, _LinearPart):
    """Doc."""

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
        learning_rate_init: float | str | None = 0.01,
        schedule: Any = "adaptive",
        batch_size: int | str = "auto",
        max_iter: int = 1000,
        tol: float | None = 1e-5,
        n_iter_no_change: int = 10,
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
        self.coef_ = (weights[:, 0] if single else weights.T).astype(self._dtype)
        self.intercept_ = self._dtype.type(bias[0]) if single else bias.astype(self._dtype)


class LinearClassifier(Classifier, _LinearPart):
    """Doc."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Classifier._parameter_constraints,
        **_LinearPart._parameter_constraints,
    }

    def __init__(
        self,
        loss: str | Loss | Callable[..., Any] = "log_loss",
        *,
        alpha: float = 0.0001,
        l1: float = 0.0,
        fit_intercept: bool = True,
        optimizer: Any = "adam",
        learning_rate_init: float | str | None = 0.01,
        schedule: Any = "adaptive",
        batch_size: int | str = "auto",
        max_iter: int = 1000,
        tol: float | None = 1e-5,
        n_iter_no_change: int = 10,
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
        self.coef_ = weights.T.astype(self._dtype)
        self.intercept_ = bias.astype(self._dtype)
