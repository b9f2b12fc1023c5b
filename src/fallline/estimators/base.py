"""What all four estimators share: from arrays to a run of the one engine, and back to attributes."""

from __future__ import annotations

import dataclasses
import math
import numbers
import warnings
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax
import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fallline.descent import batches
from fallline.descent.run import Run, apply_in_blocks
from fallline.descent.train import train
from fallline.errors import FalllineError
from fallline.estimators import settings, watching
from fallline.estimators.scaling import Affine, Scaling, scaled, unscaled
from fallline.estimators.settings import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.losses import Loss
    from fallline.models import Model

_BLOCK = 256
"""Rows that predictions are made for at once: always so many, so that no number depends on its neighbours."""

_HELD_OUT_MOST = 10_000
"""Rows that ``partial_fit`` keeps at most to stop early by."""


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows ready for the engine.

    Attributes:
        x: features, (n, columns), dense or CSR.
        y: targets as the loss wants them, (n,) or (n, outputs).
        weights: (n,) or None where every row counts once.
    """

    x: Any
    y: np.ndarray
    weights: np.ndarray | None

    def __len__(self) -> int:
        return int(self.x.shape[0])

    def take(self, rows: np.ndarray) -> Rows:
        """Some of the rows."""
        weights = None if self.weights is None else self.weights[rows]
        return Rows(self.x[rows], self.y[rows], weights)

    def counted(self) -> Rows:
        """Without the rows of weight 0, which are not to be there at all."""
        if self.weights is None or (self.weights > 0).all():
            return self
        return self.take(np.flatnonzero(self.weights > 0))


_NUMBER = numbers.Real
_RATE = [Interval(_NUMBER, 0, None, closed="neither"), StrOptions({"auto"}), None]


class Descender(watching.Watched, BaseEstimator):
    """Fits by gradient descent; the four estimators say which model, which loss, which targets.

    A subclass gives ``_task``, ``_encode``, ``_model`` and its constructor.
    """

    _task: ClassVar[str]

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "loss": [str, callable, object],
        "alpha": [Interval(_NUMBER, 0, None, closed="left")],
        "optimizer": [str, object],
        "learning_rate_init": _RATE,
        "schedule": [str, object, None],
        "batch_size": [
            StrOptions({"auto", "full"}),
            Interval(numbers.Integral, 1, None, closed="left"),
        ],
        "max_iter": [Interval(numbers.Integral, 1, None, closed="left")],
        "tol": [Interval(_NUMBER, 0, None, closed="left"), None],
        "n_iter_no_change": [
            Interval(numbers.Integral, 1, None, closed="left"),
        ],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(_NUMBER, 0, 1, closed="neither")],
        "shuffle": ["boolean"],
        "standardize": ["boolean"],
        "clip_norm": [Interval(_NUMBER, 0, None, closed="neither"), None],
        "average": ["boolean", Interval(_NUMBER, 0, None, closed="left")],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "precision": [StrOptions({"auto", "float32", "float64"})],
        "callback": [callable, None],
        "verbose": ["verbose"],
    }

    # ---- what a subclass says ------------------------------------------------------------------

    def _loss(self) -> Loss:
        """The loss that is meant, before the number of outputs is known."""
        return settings.loss_of(self.loss, self._task)

    def _encode(self, y: Any, *, first: bool) -> np.ndarray:
        """The target as the loss wants it; with ``first``, learns classes or outputs from it."""
        raise NotImplementedError

    def _model(self, columns: int) -> Model:
        """The model for so many columns."""
        raise NotImplementedError

    def _class_weights(self, y: np.ndarray) -> np.ndarray | None:
        """A factor for each row's weight, or None."""
        return None

    def _penalties(self) -> dict[str, float | None]:
        """l1 and l2 of the objective, in the units of the standardised target."""
        return {"l2": float(self.alpha) or None}

    def _publish(self) -> None:
        """Set the attributes that hold the weights, after every fit."""
        raise NotImplementedError

    # ---- fitting ---------------------------------------------------------------------------------

    def _fit(self, X: Any, y: Any, sample_weight: Any, validation_data: Any) -> Self:
        """A whole fit; starts from the last one's weights with ``warm_start``."""
        self._validate_params()
        again = self.warm_start and hasattr(self, "run_")
        try:
            rows = self._rows(X, y, sample_weight, first=not again)
            watched = self._validation_rows(validation_data)
            start = self._affines_now() if again else None
            training, held_out = self._held_out(rows, watched)
            self._learn_scaling(training)
            self._started = {} if start is None else self._placed(start)
            if again:
                self._started["state"] = self._state
            run = self._train(training, held_out, epochs=int(self.max_iter))
        except FalllineError as error:
            raise InvalidInput(str(error)) from None
        self._keep(run, first=True)
        self._warn(run)
        return self

    def _fit_part(self, X: Any, y: Any, sample_weight: Any, validation_data: Any = None) -> Self:
        """One more pass, over these rows, from where the last call left off."""
        self._validate_params()
        first = not hasattr(self, "run_")
        try:
            if self.early_stopping and getattr(self, "stopped_", False):
                warnings.warn(
                    f"This {type(self).__name__} has stopped and does not learn from further rows: "
                    f"{self.stop_reason_}",
                    UserWarning,
                    stacklevel=3,
                )
                return self
            rows = self._rows(X, y, sample_weight, first=first)
            watched = self._validation_rows(validation_data)
            if first:
                columns = rows.x.shape[1]
                self._features, self._target = Scaling.none(columns), Scaling.none(1)
                self._started: dict[str, Any] = {}
            else:
                self._started = self.run_.last
            training, held_out = self._kept_out(rows, watched)
            run = self._train(training, held_out, epochs=1, part=True)
        except FalllineError as error:
            raise InvalidInput(str(error)) from None
        self._keep(run, first=first)
        if self.early_stopping:
            self._stop_parts(run)
        return self

    def _rows(self, X: Any, y: Any, sample_weight: Any, *, first: bool) -> Rows:
        """Checked rows, those of weight 0 left out."""
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y is None."
            )
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            multi_output=True,
            y_numeric=self._task == "regression",
            reset=first,
        )
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
            if not (weights > 0).any():
                raise ValueError("sample_weight must not be all zero: no row would count.")
            kept = np.flatnonzero(weights > 0)
            if len(kept) < len(weights):
                X, y, weights = X[kept], np.asarray(y)[kept], weights[kept]
        target = self._encode(y, first=first)
        factors = self._class_weights(y)
        if factors is not None:
            weights = factors if weights is None else weights * factors
        self._dtype = X.dtype
        return Rows(X, target, weights).counted()

    def _validation_rows(self, data: Any) -> Rows | None:
        """The rows of ``validation_data``, checked against what was learned from the training rows."""
        if data is None:
            return None
        if not isinstance(data, tuple | list) or len(data) not in (2, 3):
            raise ValueError(
                "validation_data must be (X, y) or (X, y, sample_weight); it was given "
                f"{type(data).__name__}."
            )
        X, y = validate_data(
            self,
            data[0],
            data[1],
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            multi_output=True,
            y_numeric=self._task == "regression",
            reset=False,
        )
        weights = None
        if len(data) == 3 and data[2] is not None:
            weights = _check_sample_weight(data[2], X, ensure_non_negative=True)
        return Rows(X, self._encode(y, first=False), weights).counted()

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
        return rows.take(np.sort(kept)), rows.take(np.sort(held))

    def _kept_out(self, rows: Rows, watched: Rows | None) -> tuple[Rows, Rows | None]:
        """The same for ``partial_fit``: a share of every call's rows is kept and never trained on."""
        if watched is not None or not self.early_stopping:
            return rows, watched
        held = round(len(rows) * self.validation_fraction)
        kept: Rows | None = getattr(self, "_kept", None)
        if held and (kept is None or len(kept) < _HELD_OUT_MOST):
            order = check_random_state(self.random_state).permutation(len(rows))
            new = rows.take(np.sort(order[:held]))
            rows = rows.take(np.sort(order[held:]))
            kept = new if kept is None else _joined(kept, new)
            self._kept = kept
        if kept is None:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your "
                "dataset."
            )
        return rows, kept

    def _learn_scaling(self, rows: Rows) -> None:
        """How features and target are brought to mean 0 and spread 1 for this fit."""
        columns = rows.x.shape[1]
        self._features, self._target = Scaling.none(columns), Scaling.none(1)
        if not self.standardize:
            return
        centred = getattr(self, "fit_intercept", True)
        if not sparse.issparse(rows.x):
            found = Scaling.learn(rows.x, rows.weights)
            self._features = found if centred else Scaling(np.zeros(columns), found.scale)
        centre, power = settings.scaling_of(self._loss())
        if self._task == "regression" and centre:
            found = Scaling.learn(rows.y.reshape(len(rows), -1), rows.weights)
            mean = found.mean if centred else np.zeros_like(found.mean)
            self._target = Scaling(mean, found.scale if power else np.ones_like(found.scale))
            if power:
                # One factor for all outputs keeps the objective the same but for a factor.
                spread = float(np.sqrt(np.mean(np.square(found.scale))))
                self._target = Scaling(mean, np.full_like(mean, spread))

    def _loss_factor(self) -> float:
        """What a loss on the standardised target is multiplied with to be one on the data."""
        power = settings.scaling_of(self._loss())[1] if self._task == "regression" else 0
        return float(self._target.scale[0]) ** power

    def _train(self, rows: Rows, held_out: Rows | None, *, epochs: int, part: bool = False) -> Run:
        """Let the engine run."""
        double = self._double()
        model = self._model(rows.x.shape[1])
        size: Any = self.batch_size
        size = int(size) if isinstance(size, numbers.Integral) else size
        stored = rows.x.nnz // len(rows) if sparse.issparse(rows.x) else rows.x.shape[1]
        plan = batches.plan(len(rows), size, columns=max(int(stored), 1))
        rate = self.learning_rate_init
        if part and self._started and isinstance(rate, str):
            rate = self.learning_rate_
        schedule = settings.schedule_of(
            self.schedule, steps=plan.steps * int(self.max_iter), epoch=plan.steps
        )
        optimizer = settings.optimizer_of(
            self.optimizer,
            rate,
            schedule,
            clip_norm=self.clip_norm,
            average=self.average,
            batch_size=plan.size,
        )
        monitors = self.early_stopping and not part
        patience = math.inf if self.tol is None or part else float(self.n_iter_no_change)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        started = dict(self._started)
        if held_out is not None and self._task == "regression":
            y = self._target.apply(held_out.y.reshape(len(held_out), -1))
            self._spread = float(np.var(y, axis=0).mean()) or 1.0
        with jax.enable_x64(double), watching.shown(self, epochs, part) as told:
            for name in started.keys() & {"params", "state"}:
                started[name] = _typed(started[name], double)
            return train(
                model,
                self._engine_loss(),
                self._batch(rows, double),
                optimizer=optimizer,
                learning_rate="auto" if isinstance(rate, str) else None,
                batch_size=plan.size if size == "auto" else size,
                epochs=epochs,
                validation=None if held_out is None else self._batch(held_out, double),
                monitor="validation" if monitors and held_out is not None else "training",
                patience=patience if math.isfinite(patience) else None,
                min_improvement=(self.tol or 0.0),
                seed=seed,
                shuffle=bool(self.shuffle),
                score=self._score_function(),
                callback=told.callback,
                every_epoch=told.every_epoch,
                pad_rows=True,
                **started,
                **self._penalties(),
            )

    def _batch(self, rows: Rows, double: bool) -> tuple[Any, ...]:
        """The rows as the engine takes them, standardised."""
        kind = np.float64 if double else np.float32
        x = self._features.apply(rows.x).astype(kind)
        y = rows.y
        if not self._target.idle:
            y = self._target.apply(y.reshape(len(rows), -1)).reshape(y.shape)
        if y.dtype.kind == "f":
            y = y.astype(kind)
        return (x, y) if rows.weights is None else (x, y, rows.weights.astype(kind))

    def _double(self) -> bool:
        """Compute in double precision?"""
        if self.precision == "auto":
            return bool(jax.config.jax_enable_x64) and self._dtype == np.float64
        return self.precision == "float64"

    def _engine_loss(self) -> Loss:
        return self._loss()

    def _score_function(self) -> Callable[..., Any] | None:
        return None

    # ---- after fitting ---------------------------------------------------------------------------

    def _keep(self, run: Run, *, first: bool) -> None:
        """Everything a fit leaves behind."""
        factor = self._loss_factor()
        # As NumPy's arrays, which any process can unpickle.
        run.params, run.state, run.last = jax.tree.map(
            np.asarray, (run.params, run.state, run.last)
        )
        self._params, self._state = run.params, run.state
        self.run_ = run
        self.history_ = run.history
        old = (
            ([], [], [])
            if first
            else (
                self.loss_curve_,
                self.validation_loss_curve_ or [],
                self.validation_scores_ or [],
            )
        )
        losses = [float(v) * factor for v in run.history.training_loss]
        watched = [float(v) * factor for v in run.history.validation_loss if not math.isnan(v)]
        scores = self._scores(run) if watched else []
        self.loss_curve_ = old[0] + losses
        self.validation_loss_curve_ = (old[1] + watched) or None
        self.validation_scores_ = (old[2] + scores) or None
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else math.nan
        monitored = self.validation_loss_curve_ if self.early_stopping else None
        self.best_loss_ = min(monitored or self.loss_curve_, default=math.nan)
        before = (0, 0) if first else (self.n_iter_, self.t_)
        self.n_iter_ = before[0] + max(1, math.ceil(run.epochs))
        self.t_ = before[1] + run.rows_seen
        self.learning_rate_ = run.learning_rate
        self.stop_reason_ = run.stop.sentence
        self.n_outputs_ = int(run.model.outputs) if run.model else 1
        self._publish()

    def _scores(self, run: Run) -> list[float]:
        return [float(v) for v in run.history.validation_score]

    def _stop_parts(self, run: Run) -> None:
        """Early stopping over calls of ``partial_fit``."""
        newest = float(run.history.validation_loss[-1]) * self._loss_factor()
        best = getattr(self, "_best_part", math.inf)
        tol = self.tol or 0.0
        self._waited = 0 if newest < best - tol else getattr(self, "_waited", 0) + 1
        if newest < best:
            self._best_part = newest
            self._best_weights = (self._params, self._state)
        self.stopped_ = self.tol is not None and self._waited >= self.n_iter_no_change
        if self.stopped_:
            self._params, self._state = self._best_weights
            self.run_.params, self.run_.state = self._best_weights
            self.stop_reason_ = (
                f"Stopped after {self.n_iter_} calls of partial_fit: the validation loss had not "
                f"improved for {self._waited} of them. The best parameters were kept."
            )
            self._publish()

    def _warn(self, run: Run) -> None:
        """What a user should not overlook, as scikit-learn says it: by a warning."""
        reason = run.stop.reason
        if reason == "interrupted" and not self._stopped_by_callback:
            warnings.warn("Training interrupted by user.", UserWarning, stacklevel=4)
        if reason == "non-finite":
            warnings.warn(run.stop.sentence, ConvergenceWarning, stacklevel=4)
        planned = settings.ends_with_the_run(self.schedule) if self.schedule is not None else False
        if reason == "epochs" and self.tol is not None and not planned:
            warnings.warn(
                f"Maximum iterations ({self.max_iter}) reached and the optimization hasn't converged "
                "yet: raise max_iter, or look at plot_history().",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _affines(self) -> list[Affine]:
        """Weights and biases of the affine layers as they were trained."""
        return affines_of(self._params)

    def _affines_now(self) -> list[Affine]:
        """The same on the units of the data."""
        return unscaled(self._affines(), self._features, self._target)

    def _placed(self, affines: list[Affine]) -> dict[str, Any]:
        """Parameters to start from, of layers on the units of the data."""
        params = {name: dict(leaf) for name, leaf in self._params.items()}
        for i, (w, b) in enumerate(scaled(affines, self._features, self._target), 1):
            params[f"affine{i}"]["weights"] = w
            if "bias" in params[f"affine{i}"]:
                params[f"affine{i}"]["bias"] = b
        return {"params": params}

    def _raw(self, X: Any) -> np.ndarray:
        """The model's outputs on the target's own units, (n, outputs), in double precision."""
        check_is_fitted(self, "run_")
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False)
        return self._outputs(X)

    def _outputs(self, X: Any) -> np.ndarray:
        """`_raw` of checked features."""
        double = self._double()
        kind = np.float64 if double else np.float32
        with jax.enable_x64(double):
            x = self._features.apply(X).astype(kind)
            params, state = _typed((self._params, self._state), double)
            found = apply_in_blocks(self.run_.model, params, state, x, block=_BLOCK)
        return self._target.undo(found.astype(np.float64))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def affines_of(params: Any) -> list[Affine]:
    """Weights and biases of the affine layers, first to last; a missing bias is 0."""
    count = sum(name.startswith("affine") for name in params)
    layers = [params[f"affine{i}"] for i in range(1, count + 1)]
    return [
        (np.asarray(p["weights"]), np.asarray(p.get("bias", np.zeros(p["weights"].shape[1]))))
        for p in layers
    ]


def _typed(tree: Any, double: bool) -> Any:
    kind = np.float64 if double else np.float32
    return jax.tree.map(lambda leaf: np.asarray(leaf, kind), tree)


def _joined(a: Rows, b: Rows) -> Rows:
    stack = sparse.vstack if sparse.issparse(a.x) else np.concatenate
    weights = None
    if a.weights is not None or b.weights is not None:
        parts = [np.ones(len(r)) if r.weights is None else r.weights for r in (a, b)]
        weights = np.concatenate(parts)
    return Rows(stack([a.x, b.x]), np.concatenate([a.y, b.y]), weights)
