"""The map of an optimizer as plain fields: its cells, their curves, and the way to their runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.errors import FalllineError, lookup
from fallline.studio.compare.seeds import beyond, quartiles, seeds_of, seeds_run, thinned

if TYPE_CHECKING:
    from pathlib import Path

    from fallline.descent.sweep_result import SweepResult
    from fallline.jobs.comparison import Comparison


def axis_of(made: Comparison, optimizer: str) -> str:
    """What is on the second axis of an optimizer's map: what was varied in it, else the seed."""
    result = made.sweep
    mine = [row for row in result.settings.to_dicts() if row["optimizer"] == optimizer]
    if not mine:
        raise FalllineError(f"No run of {optimizer} was finished.")
    for name in ("batch_size", *result.varied):
        if name == "learning_rate" or name not in mine[0]:
            continue
        if len({row[name] for row in mine}) > 1:
            return name
    return "seed"


def heat(made: Comparison, optimizer: str) -> dict[str, Any]:
    """The heat map of one optimizer, and a curve for each of its cells.

    Returns:
        ``heat``: x, y, values, diverged, names and the best cell; ``curves``: value (the learning rate),
        other, the cell, x, y, diverged.
    """
    result = made.sweep
    lookup("optimizer", {e.optimizer: 0 for e in made.entries}, optimizer)
    second = axis_of(made, optimizer)
    rows = [row for row in result.settings.to_dicts() if row["optimizer"] == optimizer]
    xs = sorted({float(row["learning_rate"]) for row in rows})
    if second == "seed":
        ys: list[float] = list(map(float, seeds_run(result)))
    else:
        ys = sorted({float(row[second]) for row in rows if row[second] is not None})
    values = np.full((len(ys), len(xs)), np.nan)
    diverged = np.zeros(values.shape, bool)
    curves: list[dict[str, Any]] = []
    for row in rows:
        i, j = xs.index(float(row["learning_rate"])), None
        if second == "seed":
            for one in seeds_of(result, row):
                place = ys.index(one["seed"]), i
                diverged[place] = one["diverged"]
                values[place] = math.nan if one["diverged"] else one["value"]
        else:
            j = ys.index(float(row[second]))
            diverged[j, i] = not math.isfinite(row["median"])
            values[j, i] = row["median"] if math.isfinite(row["median"]) else math.nan
        curves.append(_curve(result, row, second, i, j))
    # Rows come best first.
    best = None
    if math.isfinite(rows[0]["median"]):
        i = xs.index(float(rows[0]["learning_rate"]))
        column = np.where(np.isnan(values[:, i]), np.inf, values[:, i])
        best = [i, int(column.argmin()) if second == "seed" else ys.index(float(rows[0][second]))]
    names = ["learning_rate", second, result.measure]
    fields = {
        "x": xs,
        "y": ys,
        "values": values,
        "diverged": diverged,
        "names": names,
        "best": best,
    }
    curves.sort(key=lambda curve: (curve["value"], curve["cell"][1] or 0))
    return {"heat": fields, "curves": curves, "second": second}


def _curve(
    result: SweepResult, row: dict[str, Any], second: str, i: int, j: int | None
) -> dict[str, Any]:
    """The median of a setting's curves over its seeds."""
    found = result.curves_of(row)
    kept = thinned(found.shape[1])
    return {
        "value": float(row["learning_rate"]),
        "other": None if second == "seed" else float(row[second]),
        "cell": [i, j],
        "x": result.curve_steps(row)[kept],
        "y": quartiles(found[:, kept])[1],
        "diverged": not math.isfinite(row["median"]),
    }


def row_of(made: Comparison, optimizer: str, i: int, j: int) -> tuple[dict[str, Any], str, Any]:
    """The setting of a cell of an optimizer's map, what its second axis is, and the value there.

    Raises:
        FalllineError: if there is no such cell.
    """
    result = made.sweep
    second = axis_of(made, optimizer)
    rows = [row for row in result.settings.to_dicts() if row["optimizer"] == optimizer]
    xs = sorted({float(row["learning_rate"]) for row in rows})
    if second == "seed":
        ys: list[Any] = seeds_run(result)
    else:
        ys = sorted({float(row[second]) for row in rows if row[second] is not None})
    if i >= len(xs) or j >= len(ys):
        raise FalllineError("There is no such cell in this map.")
    for row in rows:
        same = second == "seed" or float(row[second]) == ys[j]
        if float(row["learning_rate"]) == xs[i] and same:
            return row, second, ys[j]
    raise FalllineError("This setting was not finished before the sweep was stopped.")


def cell(made: Comparison, optimizer: str, i: int, j: int) -> dict[str, Any]:
    """A cell of a map: its setting, what each seed came to, and their curves."""
    result = made.sweep
    row, second, at = row_of(made, optimizer, i, j)
    found = result.curves_of(row)
    kept = thinned(found.shape[1])
    steps = result.curve_steps(row)[kept]
    seeds = seeds_of(result, row)
    setting = {n: row[n] for n in ("batch_size", *result.varied) if row.get(n) is not None}
    return {
        "optimizer": optimizer,
        "setting": setting,
        "second": second,
        "seed": at if second == "seed" else None,
        "median": row["median"],
        "low": row["low"],
        "high": row["high"],
        "diverged": row["diverged"],
        "at_edge": beyond(result.at_edge(row), row) if math.isfinite(row["median"]) else [],
        "seeds": seeds,
        "curves": [
            {"seed": one["seed"], "x": steps, "y": curve}
            for one, curve in zip(seeds, found[:, kept], strict=True)
        ],
    }


def as_network(
    made: Comparison, given: Path | None, optimizer: str, i: int, j: int
) -> dict[str, Any]:
    """The state of the network view that trains the first seed's run of a cell.

    A sweep trains at constant rates, without the weight decay, the average of weights and the early stop that
    `fallline.fit` adds of itself; so does this.
    """
    row, _, _ = row_of(made, optimizer, i, j)
    config, result = made.config, made.sweep
    part = next(
        p for p in result.parts if p.group.label == optimizer and p.batch_size == row["batch_size"]
    )
    own = {n: row[n] for n in result.varied if row.get(n) is not None}
    fields = {n: own.pop(n) for n in ("learning_rate", "weight_decay", "l2") if n in own}
    return {
        "data": "given" if given is not None and config.data == str(given) else config.data,
        "target": made.facts["target"],
        "model": made.facts["model"],
        "hidden": list(config.hidden),
        "optimizer": optimizer,
        "batch_size": int(row["batch_size"]),
        "epochs": -(-part.steps // part.steps_each),
        "seed": config.seed,
        "schedule": "constant",
        "patience": "never",
        "average": 0.0,
        "weight_decay": 0.0,
        **fields,
        "hyperparameters": own,
    }
