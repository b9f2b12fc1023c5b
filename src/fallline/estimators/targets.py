"""Targets of the two tasks: classes and how they are told apart, numbers and how many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from scipy import sparse
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import compute_class_weight, compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import column_or_1d

from fallline import losses
from fallline.errors import FalllineError
from fallline.estimators import settings
from fallline.estimators.base import Descender

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.descent.run import Run
    from fallline.losses import Loss


def _gives_probabilities(estimator: Any) -> bool:
    loss = estimator._loss()
    if loss.link is None:
        raise AttributeError(f"probability estimates are not available for loss={loss.name!r}")
    return True


class Classifier(ClassifierMixin, Descender):
    """What the two classifiers share."""

    _task: ClassVar[str] = "classification"

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Descender._parameter_constraints,
        "class_weight": [dict, list, str, None],
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
            if known is not None and not np.array_equal(known, named):
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
        return self._fit_part(X, y, sample_weight, validation_data)

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
        link: Any = None
        raw = self._raw(X)
        link = self._engine_loss().link
        with jax.enable_x64(True):
            p = np.asarray(link(jnp.asarray(raw)))
        if p.shape[1] == 1 and not self._multilabel:
            p = np.concatenate([1 - p, p], axis=1)
        return p.astype(self._kind(X))

    @available_if(_gives_probabilities)
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithms of `predict_proba`."""
        return np.log(self.predict_proba(X))

    def _kind(self, X: Any) -> Any:
        return np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _square(prediction: Any, target: Any) -> Any:
    return losses.squared_error(prediction, target)


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
        return (
            _square
            if self._loss().link is not None and settings.scaling_of(self._loss())[0]
            else None
        )

    def _scores(self, run: Run) -> list[float]:
        return [1.0 - float(v) / self._spread for v in run.history.validation_score]

    def predict(self, X: Any) -> np.ndarray:
        """Predictions, (n,), or (n, outputs) where several were learned.

        Args:
            X: features, (n, columns), dense or sparse.
        """
        raw = self._raw(X)
        link = self._loss().link
        if link is not None:
            with jax.enable_x64(True):
                raw = np.asarray(link(jnp.asarray(raw)))
        found = raw.astype(np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64)
        return found[:, 0] if found.shape[1] == 1 else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
