"""A case: a run as the doctor meets it, whoever made it.

Every question may be answered with None, for "not known": a loop that was only watched has no objective to
run again. The rules then make do with the rest, or stay silent.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from fallline import sparse, tree
from fallline.descent.minimize_jobs import in_precision
from fallline.descent.problem import Problem, pose, with_rate
from fallline.diagnosis import changes as changing
from fallline.errors import FalllineError
from fallline.models import Model
from fallline.optimizers import SGD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import PyTree

    from fallline.descent.history import History
    from fallline.descent.run import Run
    from fallline.diagnosis.curvature import Sharpness
    from fallline.diagnosis.flow import LayerActivity

SAMPLE = 4096
"""Rows at most that are looked at for activations and losses."""


class Case:
    """What may be looked at.

    Attributes:
        history: always; NaN where a loop did not tell.
        ended: why the run ended: "epochs", "steps", "patience", "gradient", "slope", "time", "interrupted" or
            "non-finite".
        optimizer: one of `fallline.optimizers` with the run's numbers, or None.
        task: "regression" or "classification", or None.
        batch_size: rows a step, or None.
        rows: training rows, or None.
        steps_per_epoch: or None.
        seconds: what the run took.
        problem: what the engine can run again, or None.
        model: of `fallline.models`, or None.
        parameters: how many numbers are trained, or None.
        standardized: were the inputs brought to one scale already?
    """

    history: History
    ended: str = "steps"
    optimizer: Any = None
    task: str | None = None
    batch_size: int | None = None
    rows: int | None = None
    steps_per_epoch: int | None = None
    seconds: float = 0.0
    problem: Problem | None = None
    model: Model | None = None
    parameters: int | None = None
    standardized: bool = False

    def column_name(self, column: int | None) -> str:
        """What a column of the inputs is called."""
        return f"column {column}"

    def activity(self, at: str = "end") -> list[LayerActivity] | None:
        """What the layers give, at the "start" or the "end"."""
        return None

    def sharpness(self) -> Sharpness | None:
        """The curvature at the end, as the optimizer meets it."""
        return None

    def changed(self, changes: Mapping[str, Any], config: Any = None) -> Any:
        """The run's configuration, or another one, with changes made in it."""
        raise FalllineError("This loop is not Fallline's own: make the change in your code.")

    def command(self, changes: Mapping[str, Any]) -> str:
        """The command line that runs it with the changes; empty where there is none."""
        return ""

    def again(self, changes: Mapping[str, Any]) -> Run | None:
        """The run repeated with changes made, same seed and budget; None where that cannot be done."""
        return None

    def in_precision(self) -> Any:
        """The context in which the run computed."""
        return contextlib.nullcontext()


class RunCase(Case):
    """A run of `fallline.train`.

    Args:
        run: the run.
        asked: the arguments of the call, where the run does not know them itself.
    """

    def __init__(self, run: Run, asked: Mapping[str, Any] | None = None) -> None:
        self.run = run
        self.asked = dict(asked or run.asked or {})
        self.history = run.history
        self.ended = run.stop.reason
        self.batch_size = run.batch_size
        self.rows = run.plan.rows
        self.steps_per_epoch = run.plan.steps
        self.seconds = run.seconds
        self.model = run.model
        self.task = run.loss.task if run.loss else None
        self.optimizer = run.optimizer if not isinstance(run.optimizer, dict) else None
        if self.asked:
            self.optimizer = changing.optimizer_of(self.asked, run.learning_rate)

    @functools.cached_property
    def problem(self) -> Problem | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What the run solved, posed again; None if its data are not known."""
        if not self.asked:
            return None
        return problem_of(self.asked, self.run.learning_rate)

    @property
    def own_function(self) -> bool:
        """Did the user write something whose derivative may be wrong?"""
        from fallline.losses import LOSSES

        if self.model is None:
            return True
        known = {loss.function for loss in LOSSES.values()}
        given = self.run.loss is not None and self.run.loss.name.partition(":")[0] not in LOSSES
        own = given and self.run.loss is not None and self.run.loss.function not in known
        return own or callable(getattr(self.model, "activation", None))

    @functools.cached_property
    def start(self) -> dict[str, Any] | None:
        """Everything that changes from step to step, as it was before the first step."""
        problem = self.problem
        return None if problem is None else problem.begin(problem.optimizer)

    @functools.cached_property
    def end(self) -> dict[str, Any] | None:
        """The same at the end of the run."""
        if self.start is None or "params" not in _tops(self.run.final.arrays):
            return None
        return tree.from_arrays(self.start, self.run.final.arrays)

    def at(self, when: str) -> tuple[PyTree, PyTree] | None:
        """Parameters and untrained state at the "start" or the "end"."""
        carry = self.start if when == "start" else self.end
        return None if carry is None else (carry["params"], carry["state"])

    @functools.cached_property
    def sample(self) -> Any:
        """Some rows of the training data, at most 4096, as a batch."""
        return jax.device_put(self.some_rows(SAMPLE))

    def some_rows(self, most: int) -> Any:
        """So many of the training rows at most, spread over all; without rows the one batch there is."""
        assert self.problem is not None
        rows, count = self.problem.data, self.problem.plan.rows
        if count <= most:
            return rows
        chosen = np.sort(np.random.default_rng(0).permutation(count)[:most])
        # Not by `Batch.take`, which would be compiled for it.
        return jax.tree.map(
            lambda leaf: leaf.take(chosen) if sparse.is_rows(leaf) else np.asarray(leaf)[chosen],
            rows,
            is_leaf=sparse.is_rows,
        )

    def activity(self, at: str = "end") -> list[LayerActivity] | None:
        """See `Case.activity`: by one forward pass over the sample."""
        from fallline.diagnosis import flow

        found = self.at(at) if self.model is not None else None
        if found is None or self.model is None or sparse.is_rows(self.sample.x):
            return None
        return flow.activity(self.model, *found, self.sample.x)

    def loss_at(self, params: PyTree, state: PyTree) -> float:
        """The objective on the sample in training mode, penalties included."""
        assert self.problem is not None
        return float(_value_at(params, self.problem.objective, state, self.sample))

    def gradient_norm_at(self, params: PyTree, state: PyTree) -> float:
        """The norm of the gradient on the sample."""
        assert self.problem is not None
        return float(_norm_at(params, self.problem.objective, state, self.sample))

    def sharpness(self, *, plain: bool = False) -> Sharpness | None:
        """See `Case.sharpness`: by some Hessian-vector products over the sample.

        Args:
            plain: of the Hessian alone, whatever the optimizer divides by.
        """
        from fallline.diagnosis import curvature

        if self.end is None or self.problem is None:
            return None
        rule, state = self.end["optimizer"], self.end["optimizer_state"]
        if plain:
            rule = SGD(1.0)
            state = rule.init({})
        arguments = (self.problem.objective, self.end["state"], self.sample)
        return curvature.sharpness(rule, state, value_at, self.end["params"], arguments)

    def in_precision(self) -> Any:
        """A context in which JAX computes in the precision of the run.

        With parameters in single precision a run in double precision still records in double.
        """
        kinds = {np.asarray(values).dtype for values in self.run.final.arrays.values()}
        return in_precision("float64" if np.dtype(np.float64) in kinds else "float32")

    def changed(self, changes: Mapping[str, Any], config: Any = None) -> dict[str, Any]:
        """The arguments of `fallline.train` with changes made in them."""
        asked = self.asked if config is None else config
        if not isinstance(asked, dict):
            raise FalllineError(
                f"config must be the arguments of fallline.train as a dict; it is {type(asked).__name__}."
            )
        if not asked:
            raise FalllineError(
                "This run no longer knows what it was asked for (it was pickled, perhaps); give the "
                "arguments of fallline.train as config=."
            )
        return changing.changed(asked, changes, self.run.learning_rate)

    def again(self, changes: Mapping[str, Any]) -> Run | None:
        """See `Case.again`."""
        if not self.asked:
            return None
        from fallline.descent.train import train

        return train(**self.changed(changes))


def value_at(params: PyTree, objective: Any, state: PyTree, batch: Any) -> Any:
    """The objective as in training where that draws nothing, else as in prediction."""
    if getattr(objective, "random", False):
        return objective.evaluate(params, state, batch)[0]
    return objective(params, state, batch, None)[0]


_value_at = jax.jit(value_at)


@jax.jit
def _norm_at(params: PyTree, objective: Any, state: PyTree, batch: Any) -> Any:
    return tree.norm(jax.grad(value_at)(params, objective, state, batch))


@jax.jit
def _bare(objective: Any, params: PyTree, state: PyTree, batch: Any) -> Any:
    return objective.evaluate(params, state, batch)[0]


def bare_loss(objective: Any, params: PyTree, state: PyTree, batch: Any) -> float:
    """The mean loss without penalties."""
    return float(_bare(objective, params, state, batch))


def problem_of(asked: Mapping[str, Any], rate: float) -> Problem:
    """The problem that the arguments of `fallline.train` pose, at the rate that "auto" came to."""
    names = set(inspect.signature(pose).parameters)
    arguments = {name: value for name, value in asked.items() if name in names}
    problem, _ = pose(**arguments)
    if asked.get("learning_rate") == "auto":
        problem.optimizer = with_rate(problem.optimizer, rate)
    return problem


def _tops(arrays: Mapping[str, Any]) -> set[str]:
    return {name.partition("/")[0] for name in arrays}
