"""Targets of the two tasks: classes and how they are told apart, numbers and how many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import jax.numpy as jnp
import numpy as np
from scipy import sparse
from scipy.special import log_expit, log_softmax
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import compute_class_weight, compute_sample_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import column_or_1d

from fallline import losses
from fallline.errors import FalllineError
from fallline.estimators import settings
from fallline.estimators.base import Descender
from fallline.estimators.measuring import linked

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.descent.run import Run
    from fallline.losses import Loss


def _gives_probabilities(estimator: Any) -> bool:
    fitted = hasattr(estimator, "_params")
    loss = estimator._used_loss() if fitted else estimator._loss()
    if loss.link is None:
        raise AttributeError(f"probability estimates are not available for loss={loss.name!r}")
    return True


class Classifier(ClassifierMixin, Descender):
    """What the two classifiers share."""

    _task: ClassVar[str] = "classification"

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Descender._parameter_constraints,
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }

    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        sample_weight: Any = None,
        validation_data: Any = None,
    ) -> Any:
        """One pass of descent over these rows, on from where the last call ended.

        Features are not standardised here: the statistics of one part are not those of the whole.
        After ``fit``, those of its rows go on being used.

        Args:
            X: features, (n, columns), dense or sparse.
            y: labels, (n,), or (n, labels) of 0 and 1.
            classes: all classes there will be; needed at the first call, and only then.
            sample_weight: (n,) weights, or None.
            validation_data: (X, y) or (X, y, sample_weight) to measure the loss on after the call; early
                stopping goes by them instead of a share of every call's rows.

        Raises:
            ValueError: if the classes are missing at the first call, or differ from it.
        """
        if getattr(self, "classes_", None) is None and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if classes is not None:
            named = unique_labels(classes)
            known = getattr(self, "classes_", None)
            several = getattr(self, "_multilabel", False)
            if known is not None and not several and not np.array_equal(known, named):
                raise ValueError(
                    f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {known!r}"
                )
            if known is None:
                self._declared = named
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight {self.class_weight!r} is not supported for partial_fit: the weights of "
                "one part are not those of the whole. Compute them on a large enough sample with "
                "sklearn.utils.class_weight.compute_class_weight and give them as a dict."
            )
        try:
            return self._fit_part(X, y, sample_weight, validation_data)
        finally:
            self.__dict__.pop("_declared", None)

    # ---- classes ---------------------------------------------------------------------------------

    def _encode(self, y: Any, *, first: bool) -> np.ndarray:
        check_classification_targets(y)
        declared = self.__dict__.pop("_declared", None)
        # A call of partial_fit may hold fewer classes than there are.
        kind = type_of_target(y, input_name="y")
        if first:
            self._multilabel = kind == "multilabel-indicator"
        if self._multilabel:
            rows = y.toarray() if sparse.issparse(y) else np.asarray(y)
            if first:
                self.classes_ = np.arange(rows.shape[1])
            if rows.ndim != 2 or rows.shape[1] != len(self.classes_):
                raise ValueError(
                    f"y must have {len(self.classes_)} columns of 0 and 1, one for each label."
                )
            if not np.isin(rows, (0, 1)).all():
                raise ValueError("y must hold 0 and 1 only where it has a column for each label.")
            return rows.astype(np.float32)
        labels = column_or_1d(y, warn=True)
        if first:
            self.classes_ = np.unique(labels) if declared is None else declared
            if len(self.classes_) < 2:
                raise ValueError(
                    "The number of classes has to be greater than one; got "
                    f"{len(self.classes_)} class."
                )
        unknown = np.setdiff1d(labels, self.classes_)
        if unknown.size:
            raise ValueError(
                f"y contains labels that were not there at the start: {unknown[:5].tolist()}; the "
                f"classes are {self.classes_[:20].tolist()}."
            )
        index = np.searchsorted(self.classes_, labels)
        return index.astype(np.float32 if self._columns() == 1 else np.int32)

    def _columns(self) -> int:
        """Outputs of the model: one for two classes where the loss is for two."""
        if self._multilabel:
            return len(self.classes_)
        return 1 if len(self.classes_) == 2 and self._loss().binary else len(self.classes_)

    def _engine_loss(self) -> Loss:
        """The loss on so many outputs: several classes make a cross-entropy that of the softmax."""
        loss = self._loss()
        if loss.function is losses.binary_cross_entropy:
            several = not self._multilabel and len(self.classes_) > 2
            return losses.LOSSES["softmax_cross_entropy"] if several else loss
        if self._multilabel:
            raise FalllineError(
                f"Several labels a row need the loss 'log_loss'; it was given {loss.name!r}."
            )
        return loss

    def _class_weights(self, y: Any) -> np.ndarray | None:
        factors = self._class_factors(y)
        if factors is not None and not (np.isfinite(factors).all() and (factors >= 0).all()):
            raise ValueError(
                "class_weight must hold finite numbers of 0 or more; it was given "
                f"{self.class_weight!r}."
            )
        if factors is not None and not factors.any():
            raise ValueError("class_weight must not be 0 for all classes: no row would count.")
        return factors

    def _class_factors(self, y: Any) -> np.ndarray | None:
        if self.class_weight is None:
            return None
        if self._multilabel:
            rows = y.toarray() if sparse.issparse(y) else np.asarray(y)
            return compute_sample_weight(self.class_weight, rows)
        labels = column_or_1d(y)
        if isinstance(self.class_weight, str):
            return compute_sample_weight(self.class_weight, labels)
        if not isinstance(self.class_weight, dict):
            raise ValueError(
                "class_weight must be a dict, 'balanced' or None, for one label a row."
            )
        factors = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_)
        return factors[np.searchsorted(self.classes_, labels)]

    def _score_function(self) -> Callable[..., Any] | None:
        return _all_labels if self._multilabel else None

    # ---- predictions -----------------------------------------------------------------------------

    def decision_function(self, X: Any) -> np.ndarray:
        """The raw outputs: for two classes (n,), above 0 for the second; else (n, classes) or (n, labels).

        Args:
            X: features, (n, columns), dense or sparse.
        """
        raw = self._raw(X).astype(self._kind(X))
        if self._multilabel or len(self.classes_) > 2:
            return raw
        return raw[:, 0] if raw.shape[1] == 1 else raw[:, 1] - raw[:, 0]

    def predict(self, X: Any) -> np.ndarray:
        """The most likely class of each row, (n,), or 0 and 1 for each label, (n, labels).

        Args:
            X: features, (n, columns), dense or sparse.
        """
        scores = self.decision_function(X)
        if self._multilabel:
            return (scores > 0).astype(int)
        index = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[index]

    @available_if(_gives_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities, (n, classes); of several labels a row, one for each label, (n, labels).

        Args:
            X: features, (n, columns), dense or sparse.
        """
        raw = self._raw(X)
        p = linked(self._used_loss().link, raw)
        if p.shape[1] == 1 and not self._multilabel:
            p = np.concatenate([1 - p, p], axis=1)
        return p.astype(self._kind(X))

    @available_if(_gives_probabilities)
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithms of `predict_proba`, exact also where a probability is all but 0."""
        raw = self._raw(X)
        link = self._used_loss().link
        if link is losses.LOSSES["softmax_cross_entropy"].link:
            found = log_softmax(raw, axis=1)
        elif link is losses.LOSSES["binary_cross_entropy"].link:
            found = log_expit(raw)
            if not self._multilabel:
                found = np.concatenate([log_expit(-raw), found], axis=1)
        else:
            found = np.log(self.predict_proba(X))
        return found.astype(self._kind(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _all_labels(prediction: Any, target: Any) -> Any:
    """1 where every label of a row is right, else 0: what ``score`` means by accuracy."""
    return jnp.all((prediction > 0) == (target > 0.5), axis=1).astype(prediction.dtype)


class Regressor(RegressorMixin, Descender):
    """What the two regressors share."""

    _task: ClassVar[str] = "regression"

    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None
    ) -> Any:
        """One pass of descent over these rows, on from where the last call ended.

        Neither features nor target are standardised here: the statistics of one part are not those of
        the whole. After ``fit``, those of its rows go on being used.

        Args:
            X: features, (n, columns), dense or sparse.
            y: targets, (n,) or (n, outputs).
            sample_weight: (n,) weights, or None.
            validation_data: (X, y) or (X, y, sample_weight) to measure the loss on after the call; early
                stopping goes by them instead of a share of every call's rows.
        """
        return self._fit_part(X, y, sample_weight, validation_data)

    def _encode(self, y: Any, *, first: bool) -> np.ndarray:
        if sparse.issparse(y):
            raise TypeError(
                "Sparse data was passed for y, but dense data is required. Use '.toarray()' to convert to a "
                "dense numpy array."
            )
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        outputs = 1 if y.ndim == 1 else y.shape[1]
        if first:
            self._outputs_wanted = outputs
        elif outputs != self._outputs_wanted:
            raise ValueError(
                f"y has {outputs} outputs, and this {type(self).__name__} was fitted to "
                f"{self._outputs_wanted}."
            )
        if self._loss().name == "poisson" and (y < 0).any():
            raise ValueError("Some value(s) of y are out of the valid range of the loss 'poisson'.")
        return y.astype(np.float64)

    def _columns(self) -> int:
        return self._outputs_wanted

    def _score_function(self) -> Callable[..., Any] | None:
        # With the target's spread this becomes R^2; see `_scores`.
        return losses.squared_error if settings.scaling_of(self._loss()) else None

    def _scores(self, run: Run) -> list[float]:
        return [1.0 - v / self._spread for v in super()._scores(run)]

    def predict(self, X: Any) -> np.ndarray:
        """Predictions, (n,), or (n, outputs) where several were learned.

        Args:
            X: features, (n, columns), dense or sparse.
        """
        raw = self._raw(X)
        found = linked(self._used_loss().link, raw).astype(self._kind(X))
        return found[:, 0] if found.shape[1] == 1 else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
