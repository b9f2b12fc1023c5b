"""What the page is told about a run: once at every change, and with every frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline.studio.fit import looks
from fallline.studio.fit.descent import objective_value
from fallline.studio.fit.points import same_everywhere
from fallline.studio.fit.surface import closed_form

if TYPE_CHECKING:
    from fallline.studio.fit.descent import Descent, Place


def facts(run: Descent) -> dict[str, Any]:
    """Everything about a run that does not change from step to step, as JSON can hold it."""
    settings, points, features, plan = run.settings, run.points, run.features, run.plan
    order = looks.flat_order(run.carry["params"])
    return {
        "n": len(points),
        "window": points.window,
        "names": points.names,
        "source": points.source,
        # The page has painted points itself; those of a table it has not.
        "points": None if points.source is None else np.stack([points.x, points.y], axis=1).ravel(),
        "rows": points.rows,
        "missing": points.missing,
        "flat": same_everywhere(points.x),
        "model": settings.model,
        "two": settings.two,
        "loss": settings.loss,
        "optimizer": type(run.problem.optimizer).__name__,
        "parameters": [[name, list(index)] for name, _, index in order],
        "scaling": {
            "center": features.center,
            "scale": features.scale,
            "target_center": features.target_center,
            "target_scale": features.target_scale,
        },
        "batches": {"size": plan.size, "steps": plan.steps, "last": plan.last, "full": plan.full},
        "cloud": looks.cloud_rows(len(points)) if settings.two else [],
        "edited": run.edited,
        **_least_squares(run),
    }


def _least_squares(run: Descent) -> dict[str, Any]:
    """The closed form: its parameters, its curve, and the loss that no descent can be below."""
    if run.settings.model == "network":
        return {"best": None, "best_curve": None, "floor": None}
    weights, bias = closed_form(run)
    grid = np.linspace(*run.points.window[:2], looks.CURVE)
    curve = run.features.back(run.features.columns(grid) @ weights + bias)
    floor = None
    if run.settings.squared:
        layer = {"weights": jnp.asarray(weights[:, None]), "bias": jnp.asarray([bias])}
        kind = jnp.result_type(float)
        params = jax.tree.map(lambda leaf: leaf.astype(kind), {"affine1": layer})
        floor = float(objective_value(run.problem.objective, params, run.rows))
    return {"best": [*weights.tolist(), bias], "best_curve": curve.tolist(), "floor": floor}


def frame(run: Descent, place: Place) -> np.ndarray:
    """The state of a run as numbers, float32.

    First eight: the loss on all points, the norm of its gradient, epoch, batch, batches of an epoch, learning
    rate, 1 if the run blew up, number of parameters. Then parts, each led by how many numbers it has: the
    curve over the window, the parameters, the next update, the full gradient, the next batch's gradient, the
    rows of the next batch (none where it is all), the single-sample gradients (w, b by turns), and the loss
    along the next step, on all points and then on its batch.
    """
    seen = looks.look(run)
    params = looks.flat(run.carry["params"], looks.flat_order(run.carry["params"]))
    rows = [] if run.plan.full else run.next_rows()
    norm = float(np.linalg.norm(seen.gradient.astype(np.float64)))
    head = [
        seen.loss,
        norm,
        place.epoch,
        place.batch,
        place.batches,
        run.rate,
        float(run.blew_up),
        len(params),
    ]
    parts = [
        seen.curve,
        params,
        seen.update,
        seen.gradient,
        seen.batch_gradient,
        rows,
        seen.cloud.ravel(),
        seen.along.ravel(),
    ]
    out: list[np.ndarray] = [np.array(head, np.float32)]
    with np.errstate(over="ignore"):
        for part in parts:
            out += [np.array([len(part)], np.float32), np.asarray(part, np.float32)]
    return np.concatenate(out)
