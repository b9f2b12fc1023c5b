"""Rows for a fit: checked as scikit-learn checks them, weighted, some of them held out."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, validate_data  # pyright: ignore[reportPrivateUsage]

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

KINDS: dict[str, Any] = {"accept_sparse": "csr", "dtype": [np.float64, np.float32]}
"""The features that estimators take, as scikit-learn's checks want it said."""

_HELD_OUT_MOST = 10_000
"""Rows that ``partial_fit`` keeps at most to stop early by."""


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows ready for the engine.

    Attributes:
        x: features, (n, columns), dense or CSR.
        y: targets as the loss wants them, (n,) or (n, outputs).
        weights: (n,) or None where every row counts once.
        given: the weights that the user gave, without those of classes; held-out rows are measured by them.
    """

    x: Any
    y: np.ndarray
    weights: np.ndarray | None
    given: np.ndarray | None = None

    def __len__(self) -> int:
        return int(self.x.shape[0])

    def take(self, rows: np.ndarray) -> Rows:
        """Some of the rows."""
        weights, given = (None if w is None else w[rows] for w in (self.weights, self.given))
        return Rows(self.x[rows], self.y[rows], weights, given)

    def with_mean_weight_1(self) -> Rows:
        """The same with weights of the mean 1, which single precision can hold."""
        if self.weights is None:
            return self
        return dataclasses.replace(self, weights=self.weights / self.weights.mean())

    def to_measure(self) -> Rows:
        """The same by the user's weights."""
        return dataclasses.replace(self, weights=self.given)

    def counted(self) -> Rows:
        """Without the rows of weight 0, which are not to be there at all."""
        if self.weights is None or (self.weights > 0).all():
            return self
        return self.take(np.flatnonzero(self.weights > 0))


class Supplied:
    """An estimator that takes rows; `fallline.estimators.targets` says what it makes of their targets."""

    _task: ClassVar[str]
    _dtype: DTypeLike
    early_stopping: bool
    validation_fraction: float
    random_state: Any

    def _encode(self, y: Any, *, first: bool) -> np.ndarray:
        """The target as the loss wants it; with ``first``, learns classes or outputs from it."""
        raise NotImplementedError

    def _class_weights(self, y: np.ndarray) -> np.ndarray | None:
        """A factor for each row's weight, or None."""
        return None

    def _checked(self, X: Any, y: Any, *, first: bool) -> tuple[Any, Any]:
        """Features and targets by scikit-learn's checks; with ``first``, remembers the columns."""
        numeric = self._task == "regression"
        found: Any = validate_data(
            self, X, y, multi_output=True, y_numeric=numeric, reset=first, **KINDS
        )
        return found

    def _rows(self, X: Any, y: Any, sample_weight: Any, *, first: bool) -> Rows:
        """Checked rows, those of weight 0 left out."""
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y is None."
            )
        x, y = self._checked(X, y, first=first)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, x, ensure_non_negative=True)
            if not (weights > 0).any():
                raise ValueError("sample_weight must not be all zero: no row would count.")
            kept = np.flatnonzero(weights > 0)
            if len(kept) < len(weights):
                y = y.tocsr() if sparse.issparse(y) else np.asarray(y)
                x, y, weights = x[kept], y[kept], weights[kept]
        given, target = weights, self._encode(y, first=first)
        factors = self._class_weights(y)
        if factors is not None:
            weights = factors if weights is None else weights * factors
        self._dtype = x.dtype
        return Rows(x, target, weights, given).counted()

    def _validation_rows(self, data: Any) -> Rows | None:
        """The rows of ``validation_data``, checked against what was learned from the training rows."""
        if data is None:
            return None
        if not isinstance(data, tuple | list) or len(data) not in (2, 3):
            raise ValueError(
                "validation_data must be (X, y) or (X, y, sample_weight); it was given "
                f"{type(data).__name__}."
            )
        x, y = self._checked(data[0], data[1], first=False)
        weights = None
        if len(data) == 3 and data[2] is not None:
            weights = _check_sample_weight(data[2], x, ensure_non_negative=True)
        return Rows(x, self._encode(y, first=False), weights).counted()

    def _held_out(self, rows: Rows, watched: Rows | None) -> tuple[Rows, Rows | None]:
        """Training rows, and rows to watch: those given, or a share of the rows for early stopping."""
        if watched is not None or not self.early_stopping:
            return rows, watched
        stratify = rows.y if is_classifier(self) and rows.y.ndim == 1 else None
        kept, held = train_test_split(
            np.arange(len(rows)),
            test_size=self.validation_fraction,
            random_state=check_random_state(self.random_state),
            stratify=stratify,
        )
        if len(held) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your "
                "dataset."
            )
        return rows.take(np.sort(kept)), rows.take(np.sort(held)).to_measure()

    def _kept_out(self, rows: Rows, watched: Rows | None) -> tuple[Rows, Rows | None]:
        """The same for ``partial_fit``: a share of every call's rows is kept and never trained on."""
        if watched is not None or not self.early_stopping:
            return rows, watched
        held = min(round(len(rows) * self.validation_fraction), len(rows) - 1)
        kept: Rows | None = getattr(self, "_kept", None)
        if kept is None:
            held = max(held, min(1, len(rows) - 1))
        # Split off also when there are enough: rows that come again must not be trained on now.
        order = check_random_state(self.random_state).permutation(len(rows))
        if held and (kept is None or len(kept) < _HELD_OUT_MOST):
            new = rows.take(np.sort(order[:held])).to_measure()
            kept = new if kept is None else _joined(kept, new)
            self._kept = kept
        rows = rows.take(np.sort(order[held:]))
        if kept is None:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your "
                "dataset."
            )
        return rows, kept


def _joined(a: Rows, b: Rows) -> Rows:
    if sparse.issparse(a.x) != sparse.issparse(b.x):
        x = sparse.csr_array(b.x) if sparse.issparse(a.x) else b.x.toarray()
        b = dataclasses.replace(b, x=x)
    stack = sparse.vstack if sparse.issparse(a.x) else np.concatenate
    weights = None
    if a.weights is not None or b.weights is not None:
        parts = [np.ones(len(r)) if r.weights is None else r.weights for r in (a, b)]
        weights = np.concatenate(parts)
    return Rows(stack([a.x, b.x]), np.concatenate([a.y, b.y]), weights)
