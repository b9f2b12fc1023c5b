"""What all four estimators share: from arrays to a run of the one engine, and back to attributes."""

from __future__ import annotations

import inspect
import math
import numbers
import warnings
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax
import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from fallline.descent.precision import WORDS
from fallline.descent.run import Run, apply_in_blocks
from fallline.descent.train import train
from fallline.errors import FalllineError
from fallline.estimators import export, export_torch, settings, watching
from fallline.estimators.choosing import Choosing
from fallline.estimators.measuring import BLOCK, by_row
from fallline.estimators.rows import KINDS, Rows, Supplied
from fallline.estimators.scaling import Affine, Scaling, scaled, unscaled
from fallline.estimators.settings import InvalidInput
from fallline.models.products import BFLOAT16

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import onnx

    from fallline.losses import Loss
    from fallline.models import Model

_NUMBER = numbers.Real
_RATE = [Interval(_NUMBER, 0, None, closed="neither"), StrOptions({"auto"}), None]


_NAMES_THERE = {
    "solver": "optimizer",
    "learning_rate": "schedule (and a number is learning_rate_init)",
    "eta0": "learning_rate_init",
    "momentum": "optimizer=Momentum(momentum=...)",
    "nesterovs_momentum": "optimizer='nesterov'",
    "beta_1": "optimizer=Adam(beta1=...)",
    "beta_2": "optimizer=Adam(beta2=...)",
    "epsilon": "optimizer=Adam(epsilon=...), or part of the loss: 'huber:1.35'",
    "penalty": "alpha (L2) and l1",
    "l1_ratio": "alpha (L2) and l1",
    "C": "alpha, which is 1 / (C n)",
    "power_t": "schedule",
    "max_fun": "max_iter",
    "n_jobs": "nothing: the engine uses the cores that there are",
}
"""Parameters of scikit-learn's that have another name here."""


class Descender(Supplied, Choosing, watching.Watched, BaseEstimator):
    """Fits by gradient descent; the four estimators say which model, which loss, which targets.

    A subclass gives ``_task``, ``_encode``, ``_model`` and its constructor.
    """

    _task: ClassVar[str]

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "loss": "no_validation",
        "alpha": [Interval(_NUMBER, 0, None, closed="left")],
        "optimizer": "no_validation",
        "learning_rate_init": _RATE,
        "schedule": "no_validation",
        "batch_size": [
            StrOptions({"auto", "full"}),
            Interval(numbers.Integral, 1, None, closed="left"),
        ],
        "max_iter": [StrOptions({"auto"}), Interval(numbers.Integral, 1, None, closed="left")],
        "tol": [Interval(_NUMBER, 0, None, closed="left"), None],
        "n_iter_no_change": [
            StrOptions({"auto"}),
            Interval(numbers.Integral, 1, None, closed="left"),
        ],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(_NUMBER, 0, 1, closed="neither")],
        "shuffle": ["boolean"],
        "standardize": ["boolean"],
        "clip_norm": [Interval(_NUMBER, 0, None, closed="neither"), None],
        "average": [
            "boolean",
            Interval(numbers.Integral, 0, None, closed="left"),
            Interval(_NUMBER, 0, 1, closed="left"),
        ],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "precision": [StrOptions({"auto", *WORDS})],
        "callback": [callable, list, tuple, None],
        "verbose": ["verbose"],
    }

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """As for any class, but for a hint where a parameter has scikit-learn's name."""
        for name in kwargs.keys() & _NAMES_THERE.keys():
            if name not in inspect.signature(cls.__init__).parameters:
                raise TypeError(
                    f"{cls.__name__}() has no parameter {name!r}: it is {_NAMES_THERE[name]} here. "
                    "fallline.estimators.from_sklearn translates a configured estimator."
                )
        return super().__new__(cls)

    # ---- what a subclass says ------------------------------------------------------------------

    def _loss(self) -> Loss:
        """The loss that is meant, before the number of outputs is known."""
        return settings.loss_of(self.loss, self._task)

    def _model(self, columns: int) -> Model:
        """The model for so many columns."""
        raise NotImplementedError

    def _columns(self) -> int:
        """Outputs of the model."""
        raise NotImplementedError

    def _penalties(self) -> dict[str, Any]:
        """l1 and l2 of the objective, in the units of the standardised target."""
        return {"l2": float(self.alpha) or None}

    def _publish(self) -> None:
        """Set the attributes that hold the weights, after every fit."""
        raise NotImplementedError

    # ---- fitting ---------------------------------------------------------------------------------

    @watching.with_callbacks
    def _fit(self, X: Any, y: Any, sample_weight: Any, validation_data: Any) -> Self:
        """A whole fit; starts from the last one's weights with ``warm_start``."""
        self._validate_params()
        again = self.warm_start and hasattr(self, "_params")
        before = dict(self.__dict__)
        try:
            rows = self._rows(X, y, sample_weight, first=not again)
            watched = self._validation_rows(validation_data)
            start = self._affines_now() if again else None
            training, held_out = self._held_out(rows, watched)
            training = training.with_mean_weight_1()
            self._forget_parts()
            self._learn_scaling(training)
            self._started = {} if start is None else self._placed(start)
            if again:
                self._started["state"] = self._state
            given = (X, y, sample_weight)
            run = self._train(training, held_out, given=given)
        except BaseException as error:
            raise self._undone(error, before) from None
        self._keep(run, first=True)
        watching.finished(self, given)
        self._warn(run)
        return self

    def _fit_part(self, X: Any, y: Any, sample_weight: Any, validation_data: Any = None) -> Self:
        """One more pass, over these rows, from where the last call left off."""
        self._validate_params()
        first = not hasattr(self, "_params")
        before = dict(self.__dict__)
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
                self._started = self._last
            training, held_out = self._kept_out(rows, watched)
            run = self._train(training, None)
        except BaseException as error:
            raise self._undone(error, before) from None
        self._keep(run, first=first)
        self._calls = getattr(self, "_calls", 0) + 1
        if run.stop.reason == "epochs":
            calls = "1 call" if self._calls == 1 else f"each of {self._calls} calls"
            self.stop_reason_ = f"One pass over the rows of {calls} of partial_fit."
        if held_out is not None:
            self._validate_part(held_out)
        self._warn(run, part=True)
        return self

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
        if self._task == "regression" and settings.scaling_of(self._loss()):
            found = Scaling.learn(rows.y.reshape(len(rows), -1), rows.weights)
            mean, scale = found.mean if centred else np.zeros_like(found.mean), found.scale
            if not self._apart():
                scale = np.full_like(mean, np.sqrt(np.mean(np.square(scale))))
            self._target = Scaling(mean, scale)

    def _apart(self) -> bool:
        """Has each output a scale of its own? Only with squares and an L2 penalty they keep their minimum."""
        return settings.scaling_of(self._loss()) == 2 and not getattr(self, "l1", 0.0)

    def _loss_scale(self) -> float | None:
        """What the engine multiplies outputs and targets with for a loss that has a size of its own."""
        return float(self._target.scale[0]) if settings.sized(self._loss()) else None

    def _loss_factor(self) -> float:
        """What a loss on the standardised target is multiplied with to be one on the data.

        Of several outputs with scales of their own there is no such number: their loss stays that of the
        standardised ones.
        """
        power = settings.scaling_of(self._loss()) if self._task == "regression" else 0
        scale = self._target.scale
        return 1.0 if len(scale) > 1 and self._apart() else float(scale[0]) ** power

    def _train(
        self,
        rows: Rows,
        held_out: Rows | None,
        *,
        given: watching.Given | None = None,
    ) -> Run:
        """Let the engine run; ``given`` is what ``fit`` was given, None in a call of ``partial_fit``."""
        part = given is None
        double = self._double()
        columns = rows.x.shape[1]
        model = self._model(columns)
        stored = rows.x.nnz // len(rows) if sparse.issparse(rows.x) else columns
        plan = self._plan(len(rows), columns, max(int(stored), 1))
        epochs = 1 if part else self._epochs(plan)
        optimizer, automatic = self._optimizer(plan, epochs, part=part)
        started = _fitting(dict(self._started), optimizer)
        # A schedule that looks at the loss goes on with what it has seen, unless another is asked for.
        remembered = started.pop("optimizer", None)
        if part and remembered is not None and optimizer == self._built:
            optimizer, automatic = remembered, False
        else:
            self._built = optimizer
        monitors = self.early_stopping and held_out is not None
        patient = self.tol is None or part or (self._planned() and not monitors)
        patience = math.inf if patient else float(self._patience(plan))
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        # Other batches and other units dropped at each call that goes on.
        self._seeds = getattr(self, "_seeds", 0) + 1 if self._started else 0
        seed = (seed + self._seeds) % 2**31
        if held_out is not None and self._task == "regression":
            y = self._target.apply(held_out.y.reshape(len(held_out), -1))
            spread = np.square(Scaling.learn(y, held_out.weights).scale)
            self._spread = float(spread.mean())
        with jax.enable_x64(double), watching.shown(self, epochs, given) as told:
            for name in started.keys() & {"params", "state"}:
                started[name] = _typed(started[name], double)
            run = train(
                model,
                self._engine_loss(),
                self._batch(rows, double),
                optimizer=optimizer,
                learning_rate="auto" if automatic else None,
                batch_size=plan.size,
                epochs=epochs,
                validation=None if held_out is None else self._batch(held_out, double),
                monitor="validation" if monitors else "training",
                patience=patience,
                min_improvement=self.tol or 0.0,
                seed=seed,
                shuffle=bool(self.shuffle),
                score=self._score_function(),
                callback=told.callback,
                every_epoch=told.every_epoch,
                pad_rows=True,
                scale_weights=not part,
                target_scale=self._loss_scale(),
                precision=BFLOAT16 if self.precision == BFLOAT16 else None,
                **started,
                **self._penalties(),
            )
            return told.ended(run)

    def _batch(self, rows: Rows, double: bool) -> tuple[Any, ...]:
        """The rows as the engine takes them, standardised."""
        kind = np.float64 if double else np.float32
        x = self._features.apply(rows.x, kind).astype(kind, copy=False)
        y = self._targets(rows, double)
        return (x, y) if rows.weights is None else (x, y, rows.weights.astype(kind))

    def _targets(self, rows: Rows, double: bool) -> np.ndarray:
        """The targets of the rows as the engine takes them."""
        y = rows.y
        if not self._target.idle:
            y = self._target.apply(y.reshape(len(rows), -1)).reshape(y.shape)
        return y.astype(np.float64 if double else np.float32) if y.dtype.kind == "f" else y

    def _double(self) -> bool:
        """Compute in double precision?"""
        if self.precision == "auto":
            return bool(jax.config.values["jax_enable_x64"]) and self._dtype == np.float64
        return self.precision == "float64"

    def _engine_loss(self) -> Loss:
        return self._loss()

    def _used_loss(self) -> Loss:
        """The loss that was fitted with, whatever the parameter says by now."""
        return getattr(self, "_fitted_loss", None) or self._engine_loss()

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
        self._params, self._state, self._last = run.params, run.state, run.last
        self._network: Any = run.model
        self._fitted_loss = self._engine_loss()
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
        self._remember(run, factor, first=first)
        self.n_outputs_ = int(run.model.outputs) if run.model else 1
        self._publish()

    def _adopt(
        self, affines: list[Affine], *, kind: Any, last: dict[str, Any] | None = None, **facts: Any
    ) -> Self:
        """Take over weights that were learned elsewhere, as if a fit had just left them.

        Predictions, ``partial_fit`` and ``warm_start`` work from then on; ``run_`` and ``history_`` are
        absent until the next fit.

        Args:
            affines: the layers on the units of the data, first to last.
            kind: the type of the features they were learned from, float32 or float64.
            last: what ``partial_fit`` goes on from besides, by the names that `fallline.train` takes:
                ``optimizer_state``; ``params`` where predictions are made of an average.
            facts: attributes: ``n_features_in_``, ``n_iter_``, ``t_``, ``learning_rate_``,
                ``stop_reason_``, curves, and what `_encode` learns of a target: ``classes_`` and
                ``_multilabel``, or ``_outputs_wanted``.
        """
        curves = {"loss_curve_": [], "validation_loss_curve_": None, "validation_scores_": None}
        numbers = {"loss_": math.nan, "best_loss_": math.nan, "n_outputs_": len(affines[-1][1])}
        for name, value in (curves | numbers | facts).items():
            setattr(self, name, value)
        missing = [math.nan] * len(self.loss_curve_)
        self._curves = {"training": self.loss_curve_, "validation": missing, "blown": []}
        columns = len(affines[0][0])
        self._dtype = np.dtype(kind)
        self._features, self._target = Scaling.none(columns), Scaling.none(1)
        self._network = self._model(columns)
        self._fitted_loss = self._engine_loss()
        biased = getattr(self, "fit_intercept", True)
        self._params = {
            f"affine{i}": {"weights": np.array(w), **({"bias": np.array(b)} if biased else {})}
            for i, (w, b) in enumerate(affines, 1)
        }
        self._state: Any = {}
        self._last = {"params": self._params, "state": self._state, **(last or {})}
        self._publish()
        return self

    def _scores(self, run: Run) -> list[float]:
        return [float(v) for v in run.history.validation_score if not math.isnan(v)]

    def _undone(self, error: BaseException, before: dict[str, Any]) -> BaseException:
        """Undo what a fit that failed has changed: the estimator is as fitted, or unfitted, as before it.

        Returns:
            The error to raise, a sentence as a ``ValueError``.
        """
        for name in self.__dict__.keys() - before.keys():
            # What scikit-learn keeps there while a fit is watched, it takes away itself.
            if not name.startswith(("_skl_", "_callback_")):
                del self.__dict__[name]
        self.__dict__.update(before)
        if watching.from_callback(error):
            return error
        if isinstance(
            error, jax.errors.TracerArrayConversionError | jax.errors.ConcretizationTypeError
        ):
            return InvalidInput(
                "The loss or the activation cannot be compiled: it must use jax.numpy instead of NumPy, and "
                "jnp.where instead of if."
            )
        return InvalidInput(str(error)) if isinstance(error, FalllineError) else error

    def _forget_parts(self) -> None:
        """A whole fit ends what calls of ``partial_fit`` had begun."""
        for name in ("stopped_", "_calls", "_waited", "_kept", "_best_part", "_best_weights"):
            self.__dict__.pop(name, None)

    def _validate_part(self, rows: Rows) -> None:
        """The loss on validation rows after ``partial_fit``, and what early stopping makes of it."""
        y, s = self._targets(rows, self._double()), self._loss_scale()
        raw = self._forward(rows.x)
        function = self._engine_loss().function
        values = by_row(function, raw, y) if s is None else by_row(function, s * raw, s * y) / s
        newest = float(np.average(values, weights=rows.weights))
        told = newest * self._loss_factor()
        self.validation_loss_curve_ = [*(self.validation_loss_curve_ or []), told]
        if self._curves["validation"]:
            # Not there if the call was interrupted, or blew up, before it had seen all rows.
            self._curves["validation"][-1] = told
        if not self.early_stopping:
            return
        best, tol = getattr(self, "_best_part", math.inf), self.tol or 0.0
        self._waited = 0 if newest < best - tol else getattr(self, "_waited", 0) + 1
        if newest < best:
            self._best_part, self.best_loss_ = newest, told
            self._best_weights = (self._params, self._state)
        self.stopped_ = self.tol is not None and self._waited >= self._patience(self.run_.plan)
        if self.stopped_:
            self._params, self._state = self._best_weights
            self.run_.params, self.run_.state = self._best_weights
            self.stop_reason_ = (
                f"Stopped after {self._calls} calls of partial_fit: the validation loss had not "
                f"improved for {self._waited} of them. The best parameters were kept."
            )
            self._publish()

    def _warn(self, run: Run, *, part: bool = False) -> None:
        """What a user should not overlook, as scikit-learn says it: by a warning."""
        reason = run.stop.reason
        # To the line that called `fit`, around which scikit-learn puts one call, or `partial_fit`.
        level = 4 if part else 5
        if reason == "interrupted" and not self._stopped_by_callback:
            warnings.warn("Training interrupted by user.", UserWarning, stacklevel=level)
        if reason == "non-finite":
            warnings.warn(run.stop.sentence, ConvergenceWarning, stacklevel=level)
        if reason != "epochs" or self.tol is None or part:
            return
        if not self._planned():
            warnings.warn(
                f"Maximum iterations ({self.n_iter_}) reached and the optimization hasn't converged "
                "yet: raise max_iter, or look at plot_history().",
                ConvergenceWarning,
                stacklevel=level,
            )
        elif run.steps < 400:
            warnings.warn(
                f"The schedule ended after {run.steps} steps, which may be too few (max_iter="
                f"{self.max_iter}): raise max_iter, or look at plot_history().",
                ConvergenceWarning,
                stacklevel=level,
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
        check_is_fitted(self, "_params")
        return self._outputs(validate_data(self, X, reset=False, **KINDS))

    def _kind(self, X: Any) -> Any:
        """The type of predictions for these features: as narrow as they are."""
        return np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64

    def _outputs(self, X: Any) -> np.ndarray:
        """`_raw` of checked features."""
        return self._target.undo(self._forward(X).astype(np.float64))

    def _forward(self, X: Any) -> np.ndarray:
        """The model's outputs on the standardised target's units, as the engine computes them."""
        double = self._double()
        kind = np.float64 if double else np.float32
        with jax.enable_x64(double):
            x = self._features.apply(X, kind).astype(kind, copy=False)
            params, state = _typed((self._params, self._state), double)
            return apply_in_blocks(self._network, params, state, x, block=BLOCK)

    # ---- for other programs ------------------------------------------------------------------------

    def to_onnx(
        self,
        *,
        features: Sequence[str] | None = None,
        opset: int = export.OPSET,
        probabilities: bool = True,
        dtype: Any = None,
    ) -> onnx.ModelProto:
        """The fitted estimator as an ONNX model; see `fallline.estimators.export.to_onnx`.

        Args:
            features: the columns' names for the model's metadata; by default those of the frame that
                was fitted on.
            opset: the version of ONNX's operators, 13 or newer.
            probabilities: give probabilities where the loss has them, else the decision function.
            dtype: the type of the input, "float32" or "float64"; None for that computed in.

        Raises:
            FalllineError: if onnx is not installed (``pip install 'fallline[onnx]'``).
            ValueError: in a sentence, for what ONNX cannot say.
        """
        return export.to_onnx(
            self, features=features, opset=opset, probabilities=probabilities, dtype=dtype
        )

    def to_torch(self, *, dtype: Any = None) -> Any:
        """The state of a ``torch.nn.Sequential``; see `fallline.estimators.export_torch.to_torch`.

        Args:
            dtype: "float32" or "float64"; None for that computed in.

        Raises:
            FalllineError: if PyTorch is not installed.
        """
        return export_torch.to_torch(self, dtype=dtype)

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


def _fitting(started: dict[str, Any], optimizer: Any) -> dict[str, Any]:
    """What to start from, without the memory of an optimizer that was another one."""
    if "optimizer_state" in started:
        wanted = jax.eval_shape(optimizer.init, started["params"])
        if jax.tree.structure(wanted) != jax.tree.structure(started["optimizer_state"]):
            del started["optimizer_state"]
    return started


def _typed(tree: Any, double: bool) -> Any:
    kind = np.float64 if double else np.float32
    return jax.tree.map(lambda leaf: np.asarray(leaf, kind), tree)
