"""A comparison as plain fields for the page: what may be said of it, its entries, the race."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.jobs.comparison import EQUAL
from fallline.studio.compare.seeds import beyond, quartiles, seeds_of, seeds_run, thinned

if TYPE_CHECKING:
    from fallline.jobs.comparison import Comparison, Entry

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
        "seeds": seeds_run(result),
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
    widen = sorted({(e.optimizer, name) for e in meant for name in beyond(e.at_edge, e.setting)})
    return {
        "kind": kind,
        "names": [e.optimizer for e in meant],
        "edges": [{"optimizer": optimizer, "name": name} for optimizer, name in widen],
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
        "at_edge": beyond(entry.at_edge, entry.setting),
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
