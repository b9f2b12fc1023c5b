"""A comparison as plain fields for the page: entries, the race, heat maps, curves, single settings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.errors import FalllineError, lookup
from fallline.jobs.comparison import EQUAL

if TYPE_CHECKING:
    from pathlib import Path

    from fallline.descent.sweep_result import SweepResult
    from fallline.jobs.comparison import Comparison, Entry

POINTS = 100
"""Points of a curve, at most."""

SOLVED = 1e-6
"""Of the first loss: what is below is drawn as if it were that, for it is solved, and 0 has no logarithm."""

KINDS = {
    "Every setting": "diverged",
    "did not diverge": "sole",
    " ran, so": "single",
    "end as low as": "equal",
    "a single seed": "luck",
    "overlap": "overlap",
    "is best": "best",
}
"""What a verdict's sentence says somewhere -> its kind, by which the page says it in its own language."""


def summary(made: Comparison) -> dict[str, Any]:
    """What is to be said of a comparison as a whole."""
    result, facts = made.sweep, made.facts
    return {
        "data": made.config.data,
        "target": facts["target"],
        "task": facts["task"],
        "model": facts["model"],
        "measure": result.measure,
        "metric": facts["metric"],
        "baseline": facts["baseline"],
        "rows": facts["rows"],
        "features": facts["features"],
        "seeds": list(result.seeds),
        "settings": result.settings.height,
        "runs": result.runs.height,
        "epochs": facts["epochs"],
        "steps": max(part.steps for part in result.parts),
        "stopped": result.stopped,
        "seconds": made.seconds,
        "sentence": made.sentence,
        "verdict": verdict(made),
        "winner": made.winner,
        "entries": [
            entry_fields(made, entry, row)
            for entry, row in zip(made.entries, made.rows, strict=True)
        ],
        "race": race(made),
    }


def verdict(made: Comparison) -> dict[str, Any]:
    """What kind of sentence the comparison came to, and what it names."""
    kinds = (kind for words, kind in KINDS.items() if words in made.sentence)
    kind = next(kinds)
    first, *others = made.entries
    second = others[:1]
    meant: list[Entry] = {
        "diverged": [],
        "sole": [first],
        "single": [first],
        "equal": [e for e in made.entries if e.median <= first.median + EQUAL * abs(first.median)],
        "luck": [first, *second],
        "overlap": [first, *(e for e in others if e.low <= first.high)],
        "best": [first, *second],
    }[kind]
    edges = sorted({(e.optimizer, name) for e in meant for name in e.at_edge})
    return {
        "kind": kind,
        "names": [e.optimizer for e in meant],
        "edges": [{"optimizer": optimizer, "name": name} for optimizer, name in edges],
    }


def entry_fields(made: Comparison, entry: Entry, row: dict[str, Any]) -> dict[str, Any]:
    """One optimizer at its best, with what each seed came to."""
    return {
        "optimizer": entry.optimizer,
        "setting": entry.setting,
        "median": entry.median,
        "low": entry.low,
        "high": entry.high,
        "values": [one["value"] for one in seeds_of(made.sweep, row)],
        "at_edge": entry.at_edge,
        "diverged_from": entry.diverged_from,
        "score": entry.score,
    }


def race(made: Comparison) -> dict[str, Any]:
    """Each optimizer at its best: the median of the seeds and the middle half, along the budget."""
    curves, unit, stride = made.curves()
    offset = 1.0 if unit == "epoch" else (stride - 1) / 2
    lines: list[dict[str, Any]] = []
    for entry, found in zip(made.entries, curves.values(), strict=True):
        kept = thinned(found.shape[1])
        floor = SOLVED * np.nanmax(np.where(np.isfinite(found[:, :1]), found[:, :1], np.nan))
        low, median, high = np.maximum(quartiles(found[:, kept]), floor)
        x = kept * (1.0 if unit == "epoch" else stride) + offset
        fields = {"optimizer": entry.optimizer, "x": x, "median": median, "low": low, "high": high}
        lines.append(fields)
    return {"unit": unit, "lines": lines}


def quartiles(values: np.ndarray) -> np.ndarray:
    """Lower quartile, median and upper quartile over the first axis; a seed that diverged is infinite."""
    with np.errstate(invalid="ignore"):
        found = np.quantile(np.where(np.isnan(values), np.inf, values), (0.25, 0.5, 0.75), axis=0)
    # Between a number and infinity quantile makes no number.
    return np.where(np.isnan(found), np.inf, found)


def thinned(points: int) -> np.ndarray:
    """Places of at most `POINTS` of so many points, evenly, the first and the last among them."""
    return np.unique(np.linspace(0, points - 1, min(points, POINTS)).round().astype(int))


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
        ys: list[float] = list(map(float, result.seeds))
    else:
        ys = sorted({float(row[second]) for row in rows if row[second] is not None})
    values = np.full((len(ys), len(xs)), np.nan)
    diverged = np.zeros(values.shape, bool)
    curves: list[dict[str, Any]] = []
    for row in rows:
        i, j = xs.index(float(row["learning_rate"])), None
        if second == "seed":
            for one in seeds_of(result, row):
                place = result.seeds.index(one["seed"]), i
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
        ys: list[Any] = list(result.seeds)
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
        "at_edge": result.at_edge(row),
        "seeds": seeds,
        "curves": [
            {"seed": one["seed"], "x": steps, "y": curve}
            for one, curve in zip(seeds, found[:, kept], strict=True)
        ],
    }


def seeds_of(result: SweepResult, row: dict[str, Any]) -> list[dict[str, Any]]:
    """What each seed of a setting came to."""
    import polars as pl

    keys = [n for n in ("optimizer", "batch_size", *result.varied) if n in result.runs.columns]
    same = [pl.col(key).eq_missing(pl.lit(row[key])) for key in keys]
    kept = ("seed", "training_loss", "validation_loss", "validation_score", "diverged")
    return [
        {"value": run[result.measure], **{name: run[name] for name in kept if name in run}}
        for run in result.runs.filter(pl.all_horizontal(same)).to_dicts()
    ]


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
