"""A run of the fit view as a Python script that repeats it with `fallline.train`."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from fallline.studio.fit.points import LARGEST, MOST

if TYPE_CHECKING:
    from fallline.studio.fit.descent import Descent

_DEFAULT_STEPS = 200


def script(run: Descent) -> str:
    """The script; its steps are the run's so far, or 200 before the first.

    A run that was changed on its way is no one call of `train`: the script says so, and runs what was set
    last from the start.
    """
    settings, problem = run.settings, run.problem
    iteration = run.place().iteration
    steps = iteration or _DEFAULT_STEPS
    changed = (
        "# Points or settings were changed while this run went on; what was set last runs from its start.\n"
        if run.edited
        else ""
    )
    model = f"models.Linear({max(len(run.features.means), 1)})"
    if settings.model == "network":
        model = (
            f"models.MLP(1, hidden={settings.hidden!r}, activation={quoted(settings.activation)})"
        )
    place = ""
    if settings.place is not None:
        w, b = settings.place
        place = f'\n    params={{"affine1": {{"weights": np.array([[{w!r}]]), "bias": np.array([{b!r}])}}}},'
    batch = settings.batch or '"full"'
    batch = batch if isinstance(batch, str) else min(batch, len(run.points))
    penalty = f"\n    l2={settings.l2!r}," if settings.l2 else ""
    return f'''"""A fit made in fallline studio, repeated with fallline.train, step by step."""

import numpy as np

import fallline
from fallline import models, optimizers
{_imports(run)}
{changed}{_points(run)}
{_features(run)}
run = fallline.train(
    {model},
    {quoted(settings.loss)},
    (X, target),{place}
    optimizer={_optimizer(problem.optimizer)},
    batch_size={batch},
    steps={steps},{penalty}
    seed={settings.seed},
)
print(run)
print("loss at the last step:", run.history.loss[-1])
print(run.params)
'''


def quoted(text: str) -> str:
    """A text as Python has it, in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def _imports(run: Descent) -> str:
    if run.points.source is None:
        return ""
    return "from fallline.data.kinds import number\nfrom fallline.data.readers import read_table\n"


def _points(run: Descent) -> str:
    points = run.points
    if points.source is None:
        pairs = zip(points.x.tolist(), points.y.tolist(), strict=True)
        parts = [f"({x!r}, {y!r})," for x, y in pairs]
        lines = [" ".join(parts[i : i + 6]) for i in range(0, len(parts), 6)]
        body = "\n    ".join(lines)
        return f"points = np.array([\n    {body}\n])\nx, y = points.T\n"
    first, second = points.names
    drawn = ""
    if points.rows - points.missing > MOST:
        drawn = f"rows = rows[np.sort(np.random.default_rng(0).choice(len(rows), {MOST}, replace=False))]\n"
    return f"""from fallline.data.kinds import number
from fallline.data.readers import read_table

frame = read_table({points.source!r}).frame
rows = frame.select(
    number({first!r}, "", frame.schema[{first!r}]).alias("x"),
    number({second!r}, "", frame.schema[{second!r}]).alias("y"),
).to_numpy().astype(np.float64)
rows = rows[(np.abs(rows) <= {LARGEST!r}).all(axis=1)]
{drawn}x, y = rows.T
"""


def _features(run: Descent) -> str:
    features = run.features
    plain = (features.center, features.scale) == (0.0, 1.0)
    t = "x" if plain else f"(x - {features.center!r}) / {features.scale!r}"
    lines = [f"t = {t}"]
    if features.means:
        lines += [
            f"powers = np.stack([t**k for k in range(1, {len(features.means)} + 1)], axis=1)",
            f"means = np.array({list(features.means)!r})",
            f"deviations = np.array({list(features.deviations)!r})",
            "X = (powers - means) / deviations",
        ]
    else:
        lines.append("X = t[:, None]")
    center, scale = features.target_center, features.target_scale
    lines.append(
        "target = y" if (center, scale) == (0.0, 1.0) else f"target = (y - {center!r}) / {scale!r}"
    )
    return "\n".join(lines) + "\n"


def _optimizer(optimizer: Any) -> str:
    """``optimizers.Momentum(learning_rate=0.1, momentum=0.8)``: the numbers that are not the defaults."""
    parts: list[str] = []
    for field in dataclasses.fields(optimizer):
        value = getattr(optimizer, field.name)
        if field.name == "learning_rate" or value != field.default:
            parts.append(f"{field.name}={value!r}")
    return f"optimizers.{type(optimizer).__name__}({', '.join(parts)})"
