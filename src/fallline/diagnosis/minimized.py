"""Results of `fallline.minimize` as cases.

A descent of `fallline.minimize` is training without data: value and gradient, optimizer, parameters. So it is
posed as such, made once more up to where it ended, and tried with other settings like any run.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline import tree
from fallline.descent import minimize_inputs as inputs
from fallline.descent.descend import descend
from fallline.descent.line_search import by_name as line_search_by_name
from fallline.descent.minimize import pose_job
from fallline.descent.minimize_jobs import CompiledJob, in_precision
from fallline.descent.minimize_loop import Function
from fallline.descent.minimize_result import AT_REST, BLEW_UP, ENDED_EARLY, NOT_A_MINIMUM
from fallline.descent.problem import initial_rate, with_rate
from fallline.descent.run import Snapshot
from fallline.diagnosis import changes as changing
from fallline.diagnosis.case import RunCase, problem_of
from fallline.diagnosis.curvature import Sharpness
from fallline.errors import FalllineError
from fallline.gradients import curvature
from fallline.optimizers.transforms import averages
from fallline.terrains import Terrain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import PyTree

    from fallline.descent.history import History
    from fallline.descent.minimize_jobs import Job
    from fallline.descent.minimize_result import MinimizeResult
    from fallline.descent.run import Run

SECONDS = 2.0
"""What making the descent once more may take, or as long as it took itself if that is more."""

_SETTINGS = (
    "learning_rate",
    "schedule",
    "optimizer",
    "momentum",
    "epsilon",
    "clip_norm",
    "steps",
    "params",
    "gradient_tolerance",
)
"""The changes that `fallline.minimize` has a place for."""


@dataclasses.dataclass(frozen=True)
class Objective:
    """What was minimised, as a function of its parameters alone; a gradient of the user's own belongs to it.

    Attributes:
        function: with all further arguments that are no arrays.
        arrays: those that are.
        which: the arrays' identities, since arrays cannot be compared.
    """

    function: Function
    arrays: tuple[Any, ...] = dataclasses.field(default=(), compare=False)
    which: tuple[int, ...] = ()

    @staticmethod
    def of(job: Job) -> Objective:
        """The objective of a job."""
        function, arrays = Function.of(job.f, job.args, job.gradient)
        return Objective(function, tuple(arrays), tuple(map(id, arrays)))

    def __call__(self, params: PyTree) -> Any:
        """The value, one number."""
        if self.function.gradient is None:
            return self.function(params, *self.arrays)
        return _with_gradient(self, params)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _with_gradient(objective: Objective, params: PyTree) -> Any:
    return objective.function(params, *objective.arrays)


def _forward(objective: Objective, params: PyTree) -> tuple[Any, PyTree]:
    return objective.function.value_and_grad(params, *objective.arrays)


def _backward(objective: Objective, grads: PyTree, weight: Any) -> tuple[PyTree]:
    return (jax.tree.map(lambda g: (weight * g).astype(g.dtype), grads),)


_with_gradient.defvjp(_forward, _backward)


class MinimizeCase(RunCase):
    """A descent of `fallline.minimize` from one start.

    With a line search, with noise, or with a function that is called from Python, its history, the kind of
    place where it ended and the curvature there are all there is: training has none of these.

    Args:
        result: of `fallline.minimize`.

    Attributes:
        kind: the place where it ended: "minimum", "saddle", "maximum", "plateau", "moving" or "diverged".

    Raises:
        FalllineError: for a result of many starts.
    """

    def __init__(self, result: MinimizeResult) -> None:  # pyright: ignore[reportMissingSuperCall]
        if result.best is not None:
            raise FalllineError(
                "This is the result of many starts. Diagnose one descent at a time: minimize(f, x0) from the "
                "start in question."
            )
        self.result, self.kind = result, str(result.kind)
        self.ended, self.seconds = _ended(result), result.seconds
        self.batch_size = self.rows = self.steps_per_epoch = 1
        self.model = self.task = None
        self.optimizer = result.optimizer
        self.parameters = sum(int(np.size(leaf)) for leaf in jax.tree.leaves(result.x))
        job = None if result.asked is None else _job(result.asked)
        self._traced = job if isinstance(job, CompiledJob) else None
        plain = self._traced is not None and not (self._traced.search or self._traced.noise)
        self.asked = self._training(self._traced) if self._traced and plain else {}

    def _training(self, job: Job) -> dict[str, Any]:
        """The arguments of `fallline.train` for the same descent."""
        asked = self.result.asked
        assert asked is not None
        own = {"model": Objective.of(job), "loss": None, "data": None, "params": job.template}
        return {**own, "optimizer": self.optimizer, "steps": int(asked["steps"])}

    def in_precision(self) -> Any:
        """A context in which JAX computes in the precision of the result."""
        kinds = {np.asarray(leaf).dtype for leaf in jax.tree.leaves(self.result.x)}
        return in_precision("float64" if np.dtype(np.float64) in kinds else "float32")

    @functools.cached_property
    def history(self) -> History:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Every step; where only some were recorded and it can be made once more, of that."""
        thin = len(self.result.recorded) > 1 and self.result.recorded[1] > 1
        return self.run.history if thin and self.asked else self.result.history

    @functools.cached_property
    def problem(self) -> Any:
        """The descent as training without data; None where training cannot do it."""
        if not self.asked:
            return None
        # In the precision that JAX is set to, whatever the descent's was: trials must fit together.
        kind = jnp.result_type(float)
        start = jax.tree.map(lambda leaf: np.asarray(leaf, kind), self.asked["params"])
        return problem_of({**self.asked, "params": start}, self.learning_rate)

    @property
    def learning_rate(self) -> float:
        """The initial rate; NaN for an optimizer that does not tell."""
        rate = getattr(self.optimizer, "learning_rate", None)
        return math.nan if rate is None else float(initial_rate(self.optimizer))

    @functools.cached_property
    def run(self) -> Run:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The descent made once more as training, for what the optimizer remembers at its end."""
        problem, steps = self.problem, int(self.result.nit)
        again = dataclasses.replace(problem.without_rules(), steps=max(steps, 1))
        made = descend(again, time_budget=max(SECONDS, self.seconds))
        arrays = made.final.arrays if steps else tree.to_arrays(self.start)
        if not averages(self.optimizer):
            # Where rounding led the two apart, the place is the result's. An average is not where it stood.
            named = tree.to_arrays({"params": self.result.x})
            arrays |= {name: v.astype(arrays[name].dtype) for name, v in named.items()}
        arrays["step"] = np.asarray(steps, arrays["step"].dtype)
        return dataclasses.replace(made, final=Snapshot(arrays, made.history))

    @property
    def own_function(self) -> bool:
        """Did the user write something whose derivative may be wrong?"""
        return self._traced is not None and not isinstance(self._traced.f, Terrain)

    def sharpness(self, *, plain: bool = False) -> Sharpness | None:
        """See `Case.sharpness`; of the Hessian itself, and without a limit, where training cannot do it."""
        if self.problem is not None:
            try:
                return super().sharpness(plain=plain)
            except TypeError:
                # A derivative of the user's own that JAX cannot differentiate once more.
                return None
        ends, error, direction = self._spectrum()
        if not np.isfinite(ends).all():
            return None
        return Sharpness(*ends, error, error, math.nan, direction, 0, preconditioned=False)

    def _spectrum(self) -> tuple[tuple[float, float], float, PyTree]:
        """The Hessian's largest and smallest eigenvalue, their error, and the smallest's direction."""
        if self._traced is not None:
            try:
                found = curvature.eigenvalues(Objective.of(self._traced), self.result.x)
                return (found.largest, found.smallest), float(found.error[1]), found.direction
            except (FalllineError, TypeError):
                return (math.nan, math.nan), math.nan, None
        values = self.result.eigenvalues
        if values is None:
            return (math.nan, math.nan), math.nan, None
        error = float(np.finfo(np.float32).eps * np.abs(values).max())
        return (float(values[-1]), float(values[0])), error, None

    def changed(self, changes: Mapping[str, Any], config: Any = None) -> dict[str, Any]:
        """The arguments of `fallline.minimize` with changes made; those of `fallline.train` stay such."""
        for name in changes:
            if name not in _SETTINGS:
                raise FalllineError(f"fallline.minimize has no setting called {name!r} to change.")
        if not (config is None or isinstance(config, dict)):
            raise FalllineError(
                f"config must be the arguments of fallline.minimize as a dict; it is {type(config).__name__}."
            )
        if config is not None and "model" in config:
            return changing.changed(config, changes, self.learning_rate)
        asked = self.result.asked if config is None else config
        if asked is None:
            raise FalllineError(
                "This result no longer knows what it was asked for (it was pickled, perhaps); give the "
                "arguments of fallline.minimize as config=."
            )
        optimizer = self.optimizer if config is None else self._optimizer_of(config)
        new = changing.changed({"optimizer": optimizer}, changes)
        # Only if the change says so is the rate to be found anew.
        made = {**asked, **{name: new[name] for name in ("optimizer", "learning_rate")}}
        if "steps" in changes:
            made["steps"] = changes["steps"]
        if "params" in changes:
            made["x0"] = changes["params"]
        if "gradient_tolerance" in changes:
            made["tolerance"] = changes["gradient_tolerance"] or 0.0
        return made

    def _optimizer_of(self, config: Mapping[str, Any]) -> Any:
        """The optimizer that arguments of `fallline.minimize` ask for; a rate to be found is the result's."""
        search = line_search_by_name(config.get("line_search"))
        given = config.get("optimizer"), config.get("learning_rate")
        chosen, auto = inputs.optimizer(*given, search, None)
        return with_rate(chosen, self.learning_rate) if auto else chosen

    def again(self, changes: Mapping[str, Any]) -> Run | None:
        """The descent as training, with changes made; None where training cannot do it."""
        if not self.asked:
            return None
        from fallline.descent.train import train

        return train(**self.changed(changes, self.asked))


def _job(asked: Mapping[str, Any]) -> Job:
    """What was to be descended, from the arguments of the call."""
    names = ("starts", "gradient", "noise", "args", "seed", "tolerance", "precision")
    search = line_search_by_name(asked.get("line_search"))
    given = {name: asked[name] for name in names if name in asked}
    return pose_job(asked["f"], asked.get("x0"), search=search, **given)


def _ended(result: MinimizeResult) -> str:
    """Why it ended, in the words of training."""
    if result.status == BLEW_UP:
        return "non-finite"
    if result.status == ENDED_EARLY:
        return "interrupted" if result.message.startswith("Interrupted") else "time"
    # All steps may have been used up as near the bottom as rounding lets it.
    early = result.status == AT_REST and result.message.startswith("At rest")
    return "gradient" if early or result.status == NOT_A_MINIMUM else "steps"
