"""Networks: the counterparts of MLPRegressor and MLPClassifier."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sklearn.utils._param_validation import Interval

from fallline.estimators import settings
from fallline.estimators.base import Descender
from fallline.estimators.targets import Classifier, Regressor
from fallline.models import MLP

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.losses import Loss


class _NetworkPart(Descender):
    """The model and its attributes."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "hidden_layer_sizes": ["array-like", Interval(numbers.Integral, 1, None, closed="left")],
        "activation": [str, callable],
        "batch_norm": ["boolean"],
        "dropout": [Interval(numbers.Real, 0, 1, closed="left")],
    }

    def _model(self, columns: int) -> MLP:
        return MLP(
            columns,
            settings.hidden_of(self.hidden_layer_sizes),
            self._columns(),
            settings.activation_of(self.activation),
            bool(self.batch_norm),
            float(self.dropout),
        )

    def _columns(self) -> int:
        raise NotImplementedError

    def _publish(self) -> None:
        layers = self._affines_now()
        self.coefs_ = [w.astype(self._dtype) for w, _ in layers]
        self.intercepts_ = [b.astype(self._dtype) for _, b in layers]
        self.n_layers_ = len(layers) + 1
        self.out_activation_ = _output_name(self)


def _output_name(estimator: Any) -> str:
    """What turns the last layer's outputs into predictions, by scikit-learn's names."""
    loss = estimator._engine_loss()
    names = {
        "binary_cross_entropy": "logistic",
        "softmax_cross_entropy": "softmax",
        "poisson": "exp",
    }
    return names.get(loss.name, "identity")


class MLPRegressor(Regressor, _NetworkPart):
    """Doc."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Regressor._parameter_constraints,
        **_NetworkPart._parameter_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        *,
        activation: str | Callable[..., Any] = "relu",
        loss: str | Loss | Callable[..., Any] = "squared_error",
        alpha: float = 0.0001,
        optimizer: Any = "adam",
        learning_rate_init: float | str | None = 0.001,
        schedule: Any = None,
        batch_size: int | str = "auto",
        max_iter: int = 200,
        tol: float | None = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        shuffle: bool = True,
        standardize: bool = True,
        batch_norm: bool = False,
        dropout: float = 0.0,
        clip_norm: float | None = None,
        average: bool | float = False,
        random_state: Any = None,
        warm_start: bool = False,
        precision: str = "auto",
        callback: Callable[..., Any] | None = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.loss = loss
        self.alpha = alpha
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
        self.batch_norm = batch_norm
        self.dropout = dropout
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


class MLPClassifier(Classifier, _NetworkPart):
    """Doc."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Classifier._parameter_constraints,
        **_NetworkPart._parameter_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        *,
        activation: str | Callable[..., Any] = "relu",
        loss: str | Loss | Callable[..., Any] = "log_loss",
        alpha: float = 0.0001,
        optimizer: Any = "adam",
        learning_rate_init: float | str | None = 0.001,
        schedule: Any = None,
        batch_size: int | str = "auto",
        max_iter: int = 200,
        tol: float | None = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        shuffle: bool = True,
        standardize: bool = True,
        batch_norm: bool = False,
        dropout: float = 0.0,
        clip_norm: float | None = None,
        average: bool | float = False,
        class_weight: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        precision: str = "auto",
        callback: Callable[..., Any] | None = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.loss = loss
        self.alpha = alpha
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
        self.batch_norm = batch_norm
        self.dropout = dropout
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
