"""What `fallline.minimize` drives where the function is called from Python."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline.descent.loop import STEP_FIELDS
from fallline.descent.minimize_jobs import Ended, Job
from fallline.descent.plain_function import PlainFunction, descend_one
from fallline.gradients import numerical

if TYPE_CHECKING:
    from jaxtyping import Float

    from fallline.descent.minimize_jobs import Clock

MOST_CURVED = 12
"""Dimension up to which the Hessian of a plain function is taken by differences."""


@dataclasses.dataclass
class PlainJob(Job):
    """A function called from Python, because JAX cannot trace it or differences were asked for.

    Attributes:
        asked: were differences asked for?
    """

    asked: bool = False

    @functools.cached_property
    def function(self) -> PlainFunction:
        """The function, counting its calls."""
        return PlainFunction(self.f, self.args, self.gradient)

    def values(self, places: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """See `Job.values`."""
        return np.array([self.function(self.restore(place)) for place in places])

    def slopes(self, places: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """See `Job.slopes`."""
        found = [self.function.gradient(self.restore(place)) for place in places]
        return np.stack([np.concatenate([np.ravel(g) for g in jax.tree.leaves(t)]) for t in found])

    def spectra(self, places: Float[np.ndarray, "n d"]) -> tuple[Any, Any]:
        """See `Job.spectra`: by differences, for a single start in few dimensions."""
        n, d = places.shape
        if n > 1 or d > MOST_CURVED or not np.isfinite(places).all():
            return None, None
        try:
            hessian = numerical.hessian(lambda p: self.function(self.restore(p)), places[0]).value
        except Exception:
            # The run is done: whatever the function says beside its domain, the curvature is not known.
            return None, None
        values, vectors = np.linalg.eigh(hessian)
        return values[None], vectors[None]

    def descend(self, optimizer: Any, steps: int, every: int, path: bool, clock: Clock) -> Ended:
        """See `Job.descend`: one start after the other."""
        f, ends, rows, ways = self.function, [], [], []
        taken, codes, spent = [], [], []
        optimizer = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(float)), optimizer)
        for i, place in enumerate(self.places):
            before = f.evaluations
            x, state, steps_taken, code, record, way = descend_one(
                f,
                self.restore(place),
                jax.tree.map(lambda leaf: leaf[i] if leaf.ndim else leaf, optimizer),  # noqa: B023
                self.search,
                noise=self.noise,
                tolerance=self.tolerance,
                steps=steps,
                seed=self.seed + i,
                want_path=path,
                going=clock.going,
            )
            x = optimizer.averaged(jax.tree.map(jnp.asarray, x), state)
            ends.append(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(x)]))
            rows.append(np.array(record[::every]).reshape(-1, len(STEP_FIELDS)))
            ways.append(np.array(way[::every]).reshape(-1, len(place)))
            taken.append(steps_taken)
            codes.append(code)
            spent.append(f.evaluations - before)
        longest = max(map(len, rows))
        records = np.full((longest, len(rows), len(STEP_FIELDS)), np.nan)
        positions = np.repeat(np.stack(ends)[None], longest + 1, axis=0)
        for i, (row, way) in enumerate(zip(rows, ways, strict=True)):
            records[: len(row), i] = row
            positions[: len(way), i] = way
        return Ended(
            x=np.stack(ends),
            taken=np.array(taken),
            evaluations=np.array(spent),
            codes=np.array(codes),
            records=records,
            recorded=np.arange(longest) * every,
            path=positions if path else None,
        )

    def note(self) -> str:
        """What the user should know of the cost."""
        each = 2 * self.places.shape[1]
        by = f"central differences, {each} evaluations of the function each"
        if self.asked:
            return f"Gradients come from {by}, as asked for."
        how = "the gradient given" if self.gradient is not None else f"gradients from {by}"
        return (
            f"JAX cannot trace and differentiate this function, so it is called from Python, with {how}. "
            "Written with jax.numpy it would run compiled."
        )
