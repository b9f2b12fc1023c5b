"""What the seeds of a setting came to, and what of their curves is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fallline.descent.sweep_result import SweepResult

POINTS = 100
"""Points of a curve, at most."""


def seeds_run(result: SweepResult) -> list[int]:
    """The seeds that were trained: a sweep that was stopped has not come to all of them."""
    return sorted(result.runs["seed"].unique().to_list())


def beyond(edges: list[str], setting: dict[str, Any]) -> list[str]:
    """Those of a setting's values at an edge that have others further out: below a momentum of 0 is none."""
    return [name for name in edges if setting.get(name) != 0]


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


def quartiles(values: np.ndarray) -> np.ndarray:
    """Lower quartile, median and upper quartile over the first axis; a seed that diverged is infinite."""
    with np.errstate(invalid="ignore"):
        found = np.quantile(np.where(np.isnan(values), np.inf, values), (0.25, 0.5, 0.75), axis=0)
    # Between a number and infinity quantile makes no number.
    return np.where(np.isnan(found), np.inf, found)


def thinned(points: int) -> np.ndarray:
    """Places of at most `POINTS` of so many points, evenly, the first and the last among them."""
    return np.unique(np.linspace(0, points - 1, min(points, POINTS)).round().astype(int))
