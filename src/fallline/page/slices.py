"""Slices of the loss surface around the end of a run, over the planes of `fallline.page.planes`.

On each the loss is evaluated over a grid, with the run's way projected onto it, and the share of the way's
variance that the plane explains: that of a random one is next to nothing, and saying so is the point.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from fallline.diagnosis.case import value_at
from fallline.errors import FalllineError
from fallline.page.curves import finite, finites
from fallline.page.planes import Plane, hessian_plane, pca_plane, projected, random_plane
from fallline.page.trajectory import Trajectory, flat, repeated

if TYPE_CHECKING:
    from jaxtyping import Array, Float, PyTree

    from fallline.diagnosis.case import RunCase

    Vector = Float[np.ndarray, " d"]

SECONDS, SHARE = 10.0, 0.3
"""A run is repeated for its way if that takes so long at most, or this share of the run's time."""

EASY, WORK = 1.2e10, 1e11
"""Operations that all slices together may take: about a second; some seconds, on the coarsest grid."""

LEAST_ROWS = 128


def way_of(case: RunCase) -> tuple[Trajectory | None, list[str]]:
    """The way of a run, repeated from its seed, or a sentence about why there is none."""
    if case.problem is None:
        return None, []
    limit = max(SECONDS, SHARE * case.run.seconds)
    way = repeated(case, seconds=limit)
    if way is None:
        return None, [
            "The way of the run across the loss surface is missing: repeating the run for it would take "
            f"longer than {limit:.0f} s."
        ]
    if way.same is False:
        return way, [
            "Repeated here, the run ended at other numbers than it did when it was kept: another machine, or "
            "other versions. The way shown is that of the repetition."
        ]
    return way, []


def surfaces(
    case: RunCase, way: Trajectory | None, *, n: int = 41, rows: int = 1024
) -> tuple[list[dict[str, Any]], list[str]]:
    """Three slices through the end of a run, and what has to be said about them.

    To be called in the run's precision, `Case.in_precision`.

    Args:
        case: the run.
        way: its way, from `way_of`, or None.
        n: points an axis, at most.
        rows: training rows at most on which the loss is measured: as in training, penalties included; of a
            model with dropout as in prediction, without them.

    Returns:
        The card's ``surfaces``, and sentences about what is missing.
    """
    problem = case.problem
    if problem is None:
        return [], ["The loss surface cannot be sliced: what was minimised is not at hand."]
    end = (way.end, way.state) if way is not None else case.at("end")
    if end is None:
        return [], ["The loss surface cannot be sliced: the end of the run is not at hand."]
    params, state = end
    size = flat(params).size
    if size < 2:
        return [], ["A single number spans no surface to slice."]
    n, count = _affordable(size, n, min(rows, problem.plan.rows), known=problem.model is not None)
    if not n:
        return [], [f"With {size:,} parameters, slices of the loss surface take too long."]
    batch = case.some_rows(count)
    begun = case.at("start")
    start = math.nan if begun is None else _value(problem.objective, *begun, batch)
    last = _value(problem.objective, params, state, batch)
    if not math.isfinite(last):
        return [], ["The loss at the end is not a finite number, so there is no surface around it."]
    planes, remarks = [random_plane(params)], list[str]()
    if way is not None and len(way.steps) > 1:
        planes.append(pca_plane(way.places, planes[0]))
    try:
        fall = max(start - last, 0.0) if math.isfinite(start) else 0.0
        planes.append(hessian_plane(problem.objective, params, state, batch, last, fall))
    except FalllineError as error:
        remarks.append(f"There is no slice along the largest curvatures. {error}")
    ends = {"start": finite(start), "end": finite(last), "rows": count}
    drawn = [
        {**_drawn(plane, problem.objective, params, state, batch, n, way), **ends}
        for plane in planes
    ]
    return drawn, remarks


def _affordable(size: int, n: int, rows: int, *, known: bool) -> tuple[int, int]:
    """How fine a grid over how many rows: a forward pass takes two operations a parameter and row."""
    if not known:
        return n, rows
    for points, work in ((n, EASY), (31, EASY), (21, WORK)):
        each = int(work / (3 * points**2 * 2 * size))
        if each >= min(LEAST_ROWS, rows):
            # What is not easy is done with as little as will do.
            return min(points, n), min(rows, each if work == EASY else LEAST_ROWS)
    return 0, 0


def _drawn(
    plane: Plane,
    objective: Any,
    params: PyTree,
    state: PyTree,
    batch: Any,
    n: int,
    way: Trajectory | None,
) -> dict[str, Any]:
    x, y = (centred(low, high, n) for low, high in (plane.x, plane.y))
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    kind = jnp.result_type(*jax.tree.leaves(params), np.float32)
    along = (like(params, plane.first), like(params, plane.second))
    # In equal parts: for a smaller last one everything would be compiled twice.
    parts = -(-len(points) // _chunk(params, batch))
    chunk = -(-len(points) // parts)
    filled = np.zeros((parts * chunk, 2), kind)
    filled[: len(points)] = points
    values = _losses(objective, params, state, batch, *along, filled, chunk=chunk)
    found = np.asarray(values, np.float64)[: len(points)]
    path: dict[str, list[Any]] = {"x": [], "y": [], "step": []}
    explained = None
    if way is not None:
        spread, explained = projected(way.places, plane.first, plane.second)
        path = {"x": finites(spread[:, 0]), "y": finites(spread[:, 1]), "step": way.steps}
    return {
        "kind": plane.kind,
        "x": finites(x),
        "y": finites(y),
        "values": [finites(row) for row in found.reshape(n, n)],
        "path": path,
        "explained": None if explained is None else finites(explained),
        "eigenvalues": None if plane.eigenvalues is None else finites(plane.eigenvalues),
    }


def centred(low: float, high: float, n: int) -> Float[np.ndarray, " n"]:
    """Even places from low to high, moved by less than half a gap so that one of them is 0."""
    step = (high - low) / (n - 1)
    before = min(max(round(-low / step), 0), n - 1)
    return (np.arange(n) - before) * step


@functools.partial(jax.jit, static_argnames=("chunk",))
def _losses(
    objective: Any,
    params: PyTree,
    state: PyTree,
    batch: Any,
    first: PyTree,
    second: PyTree,
    points: Float[Array, "k 2"],
    *,
    chunk: int,
) -> Float[Array, " k"]:
    """The loss at every point of a plane: one program for all planes, some points at a time."""

    def one(point: Float[Array, "2"]) -> Array:
        def moved(p: Array, u: Array, v: Array) -> Array:
            return (p + point[0] * u + point[1] * v).astype(p.dtype)

        return value_at(jax.tree.map(moved, params, first, second), objective, state, batch)

    return lax.map(one, points, batch_size=chunk)


_loss = jax.jit(value_at)


def _value(objective: Any, params: PyTree, state: PyTree, batch: Any) -> float:
    return float(_loss(params, objective, state, batch))


def _chunk(params: PyTree, batch: Any) -> int:
    """Points at a time, so that what all layers give stays in some ten megabytes."""
    widest = max(
        (np.shape(leaf)[-1] if np.ndim(leaf) else 1 for leaf in jax.tree.leaves(params)), default=1
    )
    rows = max((np.shape(leaf)[0] for leaf in jax.tree.leaves(batch) if np.ndim(leaf)), default=1)
    return int(np.clip(2**22 // max(rows * widest, 1), 1, 41))


def like(params: PyTree, vector: Vector) -> PyTree:
    """A vector as a tree like the parameters."""
    leaves, structure = jax.tree.flatten(params)
    made: list[Any] = []
    begin = 0
    for leaf in leaves:
        end = begin + leaf.size
        made.append(vector[begin:end].reshape(leaf.shape).astype(leaf.dtype))
        begin = end
    return jax.tree.unflatten(structure, made)
