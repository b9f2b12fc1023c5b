"""Networks: the counterparts of MLPRegressor and MLPClassifier."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sklearn.utils._param_validation import Interval

from fallline.descent import batches
from fallline.estimators import settings
from fallline.estimators.base import Descender
from fallline.estimators.targets import Classifier, Regressor
from fallline.models import MLP
from fallline.schedules import CosineDecay

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.descent.batches import BatchPlan
    from fallline.losses import Loss
    from fallline.schedules import Schedule


class _NetworkPart(Descender):
    """The model and its attributes."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "hidden_layer_sizes": ["array-like", Interval(numbers.Integral, 1, None, closed="left")],
        "activation": [str, callable],
        "batch_norm": ["boolean"],
        "dropout": [Interval(numbers.Real, 0, 1, closed="left")],
        "init": [str],
    }

    # Chosen, like the schedule, by held-out scores on the tables of benchmarks/estimators.py.
    _rate = 0.002
    _part_rate = 0.001

    def _auto_schedule(self, plan: BatchPlan, epochs: int) -> Schedule:
        return CosineDecay(1.0, steps=plan.steps * epochs)

    def _plan(self, rows: int, columns: int, stored: int) -> BatchPlan:
        size = min(200, rows) if self.batch_size == "auto" else self.batch_size
        return batches.plan(rows, size)

    def _model(self, columns: int) -> MLP:
        return MLP(
            columns,
            settings.hidden_of(self.hidden_layer_sizes),
            self._columns(),
            settings.activation_of(self.activation),
            bool(self.batch_norm),
            float(self.dropout),
            self.init,
        )

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
    r"""A multi-layer perceptron for numbers, trained by gradient descent.

    The counterpart of scikit-learn's ``MLPRegressor``.

    Examples:
        >>> from sklearn.datasets import load_diabetes
        >>> X, y = load_diabetes(return_X_y=True)
        >>> model = MLPRegressor((32,), early_stopping=True, random_state=0).fit(X, y)
        >>> bool(model.score(X, y) > 0.4)
        True

    Args:
        hidden_layer_sizes: units of each hidden layer.
        activation: a name in `fallline.models.layers.ACTIVATIONS`, "logistic", or a function of your own that
            works on every element.
        loss: a name in `fallline.losses.LOSSES` for regression ("squared_error", "absolute_error",
            "huber:1.35", "quantile:0.9", "poisson", ...), or ``(prediction, target) -> (n,)``.
        alpha: L2 penalty: the objective has $\tfrac12\alpha\|W\|^2$ besides the mean loss.
        optimizer: a name in `fallline.optimizers` ("adam", "sgd", "momentum", ...), an instance of one with
            its other hyper-parameters, or a transformation of optax's.
        learning_rate_init: the learning rate at the start; "auto" finds one by a range test; None is
            0.002 for "adam", else the optimizer's own.
        schedule: how the rate changes. "auto" lets it fall to 0 along a cosine by the last epoch;
            None keeps it, and so does "auto" with an optimizer that is not given by its name; or words
            as in ``fallline fit --schedule``, in epochs ("cosine", "exponential:0.95", ...), or one of
            `fallline.schedules`, in steps.
        batch_size: rows a step; "full" for all, "auto" for 200.
        max_iter: epochs at most; "auto" is 100, or enough for 400 steps.
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
        init: how wide the weights are scattered at the start, a name in `fallline.models.INITIALISERS`;
            "auto" is "he" for ReLU and its kin.
        batch_norm: normalise each hidden layer's input to its activation.
        dropout: the share of hidden units dropped in training, in [0, 1).
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
        coefs_: the weights of each layer, (inputs, outputs), in the data's own units.
        intercepts_: the biases of each layer.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Regressor._parameter_constraints,
        **_NetworkPart._parameter_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str | Callable[..., Any] = "relu",
        *,
        loss: str | Loss | Callable[..., Any] = "squared_error",
        alpha: float = 0.0001,
        optimizer: Any = "adam",
        learning_rate_init: float | str | None = None,
        schedule: Any = "auto",
        batch_size: int | str = "auto",
        max_iter: int | str = "auto",
        tol: float | None = 1e-4,
        n_iter_no_change: int | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        shuffle: bool = True,
        standardize: bool = True,
        init: str = "glorot",
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
        self.init = init
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
    r"""A multi-layer perceptron for classes, trained by gradient descent.

    The counterpart of scikit-learn's ``MLPClassifier``.

    Examples:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> model = MLPClassifier((16,), random_state=0).fit(X, y)
        >>> bool(model.score(X, y) > 0.9)
        True

    Args:
        hidden_layer_sizes: units of each hidden layer.
        activation: a name in `fallline.models.layers.ACTIVATIONS`, "logistic", or a function of your own that
            works on every element.
        loss: "log_loss" (logistic regression; softmax for several classes), a margin loss ("hinge",
            "squared_hinge", "modified_huber", "perceptron"), or ``(prediction, target) -> (n,)``.
        alpha: L2 penalty: the objective has $\tfrac12\alpha\|W\|^2$ besides the mean loss.
        optimizer: a name in `fallline.optimizers` ("adam", "sgd", "momentum", ...), an instance of one with
            its other hyper-parameters, or a transformation of optax's.
        learning_rate_init: the learning rate at the start; "auto" finds one by a range test; None is
            0.002 for "adam", else the optimizer's own.
        schedule: how the rate changes. "auto" lets it fall to 0 along a cosine by the last epoch;
            None keeps it, and so does "auto" with an optimizer that is not given by its name; or words
            as in ``fallline fit --schedule``, in epochs ("cosine", "exponential:0.95", ...), or one of
            `fallline.schedules`, in steps.
        batch_size: rows a step; "full" for all, "auto" for 200.
        max_iter: epochs at most; "auto" is 100, or enough for 400 steps.
        tol: by how much the monitored loss, of the standardised target, must fall to count as progress; None
            never stops early. A schedule that ends with the run is gone through unless ``early_stopping``.
        n_iter_no_change: epochs without progress before the fit stops; "auto" is 10, or enough for 200
            steps.
        early_stopping: stop by the loss on validation rows, and keep the parameters of the best epoch.
        validation_fraction: the share of rows held out for it, unless ``validation_data`` is given.
        shuffle: a new order of rows each epoch.
        standardize: bring dense features to mean 0 and spread 1 inside the fit; weights are given back in
            the data's own units. ``alpha`` then acts on the standardised weights.
        init: how wide the weights are scattered at the start, a name in `fallline.models.INITIALISERS`;
            "auto" is "he" for ReLU and its kin.
        batch_norm: normalise each hidden layer's input to its activation.
        dropout: the share of hidden units dropped in training, in [0, 1).
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
        coefs_: the weights of each layer, (inputs, outputs), in the data's own units.
        intercepts_: the biases of each layer.
        classes_: the labels, sorted.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Classifier._parameter_constraints,
        **_NetworkPart._parameter_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str | Callable[..., Any] = "relu",
        *,
        loss: str | Loss | Callable[..., Any] = "log_loss",
        alpha: float = 0.0001,
        optimizer: Any = "adam",
        learning_rate_init: float | str | None = None,
        schedule: Any = "auto",
        batch_size: int | str = "auto",
        max_iter: int | str = "auto",
        tol: float | None = 1e-4,
        n_iter_no_change: int | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        shuffle: bool = True,
        standardize: bool = True,
        init: str = "glorot",
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
        self.init = init
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
