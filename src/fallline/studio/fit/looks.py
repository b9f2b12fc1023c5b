"""What is looked at while a run goes on: the curve, the gradients, the next step, the surface, a derivative.

All of it is computed by the engine's objective, optimizer and differences, in compiled calls whose shapes do
not depend on how many points there are.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree

from fallline import gradients
from fallline.descent.objective import Batch
from fallline.errors import FalllineError
from fallline.gradients.curvature import eigenvalues
from fallline.tree import add

if TYPE_CHECKING:
    from jaxtyping import Array, Float, PyTree

    from fallline.studio.fit.descent import Descent

CURVE = 201
"""Points of a drawn curve."""

CLOUD = 160
"""Single-sample gradients at most; of more points, so many spread over them."""

ALONG = np.linspace(-1.0, 3.0, 49)
"""Where the loss along the next step is looked at, in steps: 0 is here, 1 where the step leads."""

GRID = 129
"""Points of the loss surface on each axis."""

PROFILE = 81
STEPS = tuple(10.0 ** (-k / 4) for k in range(2, 53))
"""The steps h of the numerical derivative: from 0.3 to 1e-13, four a decade."""


def flat_order(params: PyTree) -> list[tuple[str, int, tuple[int, ...]]]:
    """The parameters in the order of the page: layer by layer, the weights before the bias.

    Returns:
        For each the name of its layer with ``weights`` or ``bias``, its place in JAX's flat vector, and its
        index in its leaf.
    """
    found: list[tuple[str, int, tuple[int, ...]]] = []
    begin = 0
    for layer in sorted(params):
        parts: dict[str, list[tuple[str, int, tuple[int, ...]]]] = {}
        for part in sorted(params[layer]):
            shape = np.shape(params[layer][part])
            parts[part] = [
                (f"{layer}/{part}", begin + i, index) for i, index in enumerate(np.ndindex(shape))
            ]
            begin += len(parts[part])
        found += [*parts["weights"], *parts["bias"]]
    return found


def flat(tree: PyTree, order: list[tuple[str, int, tuple[int, ...]]]) -> np.ndarray:
    """A tree like the parameters as a vector in the page's order, float32."""
    vector = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])
    return vector[[place for _, place, _ in order]]


@dataclasses.dataclass(frozen=True)
class Look:
    """A look at a run between two steps.

    Attributes:
        curve: predictions over the window in the units of y, shape (`CURVE`,).
        loss: the objective on all points.
        gradient: its gradient, a vector in the page's order.
        batch_gradient: the gradient on the rows that the next step will see.
        update: what the next step will add to the parameters.
        cloud: for a model of two parameters, the gradients on single points, (k, 2).
        along: otherwise, the objective at parts of the next step, on all points and on its batch,
            shape (2, `ALONG`).
    """

    curve: np.ndarray
    loss: float
    gradient: np.ndarray
    batch_gradient: np.ndarray
    update: np.ndarray
    cloud: np.ndarray
    along: np.ndarray


def look(run: Descent) -> Look:
    """Look at a run."""
    points, count = run.points, len(run.points)
    low, high = points.window[:2]
    grid = run.features.columns(np.linspace(low, high, CURVE)).astype(np.float32)
    capacity = len(run.rows.y)
    batch = np.zeros(capacity, np.float32)
    np.add.at(batch, run.next_rows(), 1.0)
    chosen = cloud_rows(count)
    singles = np.resize(chosen, CLOUD).astype(np.int32) if run.settings.two else None
    found = _look(run.problem.objective, run.carry, run.rows, batch, grid, singles)
    order = flat_order(run.carry["params"])
    cloud = np.zeros((0, 2), np.float32)
    if singles is not None:
        layer = found["cloud"]["affine1"]
        pairs = np.stack([np.ravel(layer["weights"]), np.ravel(layer["bias"])], axis=1)
        cloud = pairs[: len(chosen)]
    return Look(
        curve=run.features.back(np.asarray(found["curve"], np.float64)),
        loss=float(found["loss"]),
        gradient=flat(found["gradient"], order),
        batch_gradient=flat(found["batch_gradient"], order),
        update=flat(found["update"], order),
        cloud=cloud,
        along=np.asarray(found["along"]),
    )


def cloud_rows(count: int) -> np.ndarray:
    """The points whose own gradients are shown."""
    if count <= CLOUD:
        return np.arange(count)
    return np.linspace(0, count - 1, CLOUD).round().astype(int)


@jax.jit
def _look(
    objective: Any,
    carry: Any,
    rows: Batch,
    batch: Float[Array, " capacity"],
    grid: Float[Array, "curve d"],
    singles: Any,
) -> dict[str, Any]:
    params = carry["params"]

    def value(p: PyTree, data: Batch) -> Any:
        return objective(p, {}, data)[0]

    drawn = rows._replace(weights=batch)
    loss, gradient = jax.value_and_grad(value)(params, rows)
    batch_gradient = jax.grad(value)(params, drawn)
    update, _ = carry["optimizer"].update(batch_gradient, carry["optimizer_state"], params)
    found = {
        "curve": objective.model.apply(params, {}, grid)[0][:, 0],
        "loss": loss,
        "gradient": gradient,
        "batch_gradient": batch_gradient,
        "update": update,
        "along": jnp.zeros((0,)),
    }
    if singles is None:

        def at(share: Any) -> Any:
            moved = add(params, jax.tree.map(lambda u: share * u, update))
            return jnp.stack([value(moved, rows), value(moved, drawn)])

        found["along"] = lax.map(at, jnp.asarray(ALONG, batch.dtype)).T
        return found

    def single(row: Any) -> PyTree:
        one = Batch(rows.x[row][None], rows.y[row][None], jnp.ones(1, batch.dtype))
        return jax.grad(value)(params, one)

    return {**found, "cloud": jax.vmap(single)(singles)}


def heights(run: Descent, bounds: tuple[float, float, float, float]) -> np.ndarray:
    """The objective of a line over (w, b), float32, shape (g, g): a row of the grid is one b."""
    w = np.linspace(*bounds[:2], GRID).astype(np.float32)
    b = np.linspace(*bounds[2:], GRID).astype(np.float32)
    return np.asarray(_heights(run.problem.objective, run.rows, w, b))


@jax.jit
def _heights(objective: Any, rows: Batch, w: Any, b: Any) -> Any:
    def at(slope: Any, bias: Any) -> Any:
        params = {"affine1": {"weights": slope[None, None], "bias": bias[None]}}
        return objective(params, {}, rows)[0]

    return lax.map(lambda bias: jax.vmap(lambda slope: at(slope, bias))(w), b)


def curvature(run: Descent) -> float:
    """The largest eigenvalue of the objective's Hessian on all points."""
    found = eigenvalues(_value, run.carry["params"], args=(run.problem.objective, run.rows))
    return found.largest


def _value(params: PyTree, objective: Any, rows: Batch) -> Any:
    return objective(params, {}, rows)[0]


@dataclasses.dataclass(frozen=True)
class Derivative:
    """One partial derivative, exact and by differences, in double precision.

    Attributes:
        at: the parameter's value.
        loss: the objective there.
        slope: the exact derivative.
        reach: how far `values` go to either side.
        values: the objective along the parameter, shape (`PROFILE`,).
        steps: the steps h.
        forward: the errors of the forward difference, relative to the slope; NaN where h is lost.
        central: likewise.
    """

    at: float
    loss: float
    slope: float
    reach: float
    values: np.ndarray
    steps: np.ndarray
    forward: np.ndarray
    central: np.ndarray


def derivative(run: Descent, place: int) -> Derivative:
    """Look at the derivative by one parameter.

    Args:
        run: the run.
        place: of the parameter in the page's order.

    Raises:
        FalllineError: if there is no such parameter, or the loss is not finite here.
    """
    params = run.carry["params"]
    order = flat_order(params)
    if not 0 <= place < len(order):
        raise FalllineError(f"There are {len(order)} parameters; there is no number {place}.")
    index = order[place][1]
    with jax.enable_x64(True):
        tree = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
        vector = np.asarray(ravel_pytree(tree)[0])
        rows = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), run.rows)
        ask = functools.partial(_along, run.problem.objective, tree, rows, index)
        loss, slope = (float(v) for v in ask(vector[index], order=1))
        reach = max(1.0, 1.2 * abs(float(vector[index])))
        places = vector[index] + np.linspace(-reach, reach, PROFILE)
        values = np.asarray(ask(places))

        def at(number: Any) -> Any:
            return ask(number)

        scale = max(abs(slope), 1e-12)
        errors = np.full((2, len(STEPS)), np.nan)
        for row, method in enumerate(("forward", "central")):
            for column, h in enumerate(STEPS):
                try:
                    found = gradients.derivative(at, float(vector[index]), method=method, h=h)
                except FalllineError:
                    continue
                errors[row, column] = abs(float(found) - slope) / scale
    return Derivative(
        float(vector[index]), loss, slope, reach, values, np.array(STEPS), errors[0], errors[1]
    )


@functools.partial(jax.jit, static_argnames=("order",))
def _along(
    objective: Any, params: PyTree, rows: Batch, index: Any, place: Any, *, order: int = 0
) -> Any:
    """The objective with one parameter put elsewhere, for each place; its derivative too for order 1."""
    vector, restore = ravel_pytree(params)

    def value(number: Any) -> Any:
        return objective(restore(vector.at[index].set(number)), {}, rows)[0]

    if order:
        return jax.value_and_grad(value)(place)
    return jax.vmap(value)(place) if jnp.ndim(place) else value(place)
