"""What came of a comparison of optimizers, and what may honestly be said of it."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import polars as pl
    from jaxtyping import Float

    from fallline.descent.sweep_result import SweepResult
    from fallline.jobs.compare import CompareConfig

EQUAL = 1e-3
"""Two results are as good as each other within this share of the loss, or of how far a function fell."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One optimizer at its own best setting.

    Attributes:
        optimizer: its name.
        setting: the varied numbers, name -> value.
        median: of the measure over the seeds; inf if every setting diverged.
        low: the lower quartile.
        high: the upper quartile.
        seeds: finished runs of that setting.
        at_edge: the numbers whose best value is the lowest or highest tried.
        diverged_from: the lowest learning rate from which on all diverged, or None.
        score: the median of R2 or accuracy on the test rows over the seeds, or None.
        by_rate: (learning rate, the best median at it) for every rate tried, rising.
        reached: of a function, the steps after which the median ball was as low as the lowest of all, for
            good; None if it never was.
    """

    optimizer: str
    setting: dict[str, float]
    median: float
    low: float
    high: float
    seeds: int
    at_edge: list[str]
    diverged_from: float | None
    score: float | None
    by_rate: list[tuple[float, float]]
    reached: int | None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What came of a comparison.

    Attributes:
        config: what was asked for.
        sweep: every run.
        rows: the best setting of each optimizer, a row of the sweep's ``settings`` each, best first.
        entries: the same with what is to be said of them.
        winner: the best one, if it is clearly better than the second; else None.
        sentence: what is to be learned, for a reader.
        budget: of each run, in words.
        facts: about the table or the function, as ``--json`` prints them.
        notes: what the user should know.
        seconds: all time spent.
    """

    config: CompareConfig
    sweep: SweepResult
    rows: list[dict[str, Any]]
    entries: list[Entry]
    winner: str | None
    sentence: str
    budget: str
    facts: dict[str, Any]
    notes: list[str]
    seconds: float

    @property
    def runs(self) -> pl.DataFrame:
        """A row a run."""
        return self.sweep.runs

    def curves(self) -> tuple[dict[str, np.ndarray], str, float]:
        """The race: each optimizer at its best, what the points count, and how many of it one is.

        Returns:
            Optimizer with its learning rate -> (seeds, points); "epoch" or "step"; the stride.
        """
        result = self.sweep
        epochs = result.validation_curves
        found: dict[str, np.ndarray] = {}
        by_epoch = epochs is not None and epochs.shape[1] > 2
        for row in self.rows:
            label = row["optimizer"]
            rate = row.get("learning_rate")
            label += "" if rate is None else f" {rate:.2g}"
            found[label] = result.validation_curves_of(row) if by_epoch else result.curves_of(row)
        if by_epoch:
            return found, "epoch", 1.0
        steps = max(part.steps for part in result.parts)
        return found, "step", steps / result.curves.shape[1]

    def to_json(self) -> dict[str, Any]:
        """The comparison as ``--json`` prints it."""
        config = self.config
        return {
            "data": config.data,
            **self.facts,
            "measure": self.sweep.measure,
            "budget": self.budget,
            "seeds": list(self.sweep.seeds),
            "settings": self.sweep.settings.height,
            "runs": self.sweep.runs.height,
            "optimizers": [dataclasses.asdict(entry) for entry in self.entries],
            "winner": self.winner,
            "sentence": self.sentence,
            "stopped": self.sweep.stopped,
            "seconds": self.seconds,
            "notes": self.notes,
        }


def soonest(result: SweepResult) -> tuple[list[dict[str, Any]], float]:
    """Of each optimizer the setting that is soonest as low as its lowest, for a function is often solved.

    Returns:
        The rows, best first, and the level up to which all count as low as the lowest.
    """
    begun = float(np.median(result.curves[:, 0]))

    def level(low: float) -> float:
        return low + EQUAL * max(begun - low, 0.0)

    lowest = level(result.best["median"])

    def place(row: dict[str, Any]) -> tuple[float, float]:
        reached = _reached(result, row, lowest)
        return (math.inf if reached is None else reached), row["median"]

    rows: list[dict[str, Any]] = []
    for best in result.best_per().to_dicts():
        mine = [r for r in result.settings.to_dicts() if r["optimizer"] == best["optimizer"]]
        within = [r for r in mine if r["median"] <= level(best["median"])]
        rows.append(min(within or [best], key=place))
    return sorted(rows, key=place), lowest


def _reached(result: SweepResult, row: dict[str, Any], level: float) -> int | None:
    """Steps after which a setting's median curve is at a level for good; None if it ends above it."""
    if not (math.isfinite(row["median"]) and row["median"] <= level):
        return None
    curve = np.median(result.curves_of(row), axis=0)
    stride = max(part.steps for part in result.parts) / len(curve)
    # A point of the curve is the value before a step.
    return round(stride * points_above(curve, level))


def points_above(curve: Float[np.ndarray, " k"], level: float) -> int:
    """How many points of a curve pass before it is at a level for good: all of them if it ends above it."""
    above = np.flatnonzero(~(curve <= level))
    return int(above[-1]) + 1 if len(above) else 0


def entry_of(
    result: SweepResult, row: dict[str, Any], score: float | None, level: float | None
) -> Entry:
    """What is to be said of an optimizer at a setting.

    Args:
        result: the sweep.
        row: of its ``settings``.
        score: on the test rows.
        level: of a function, the value up to which all count as equally low.
    """
    import polars as pl

    shown = [n for n in ("batch_size", *result.varied) if result.settings.columns.count(n)]
    if "batch_size" in shown and result.settings["batch_size"].n_unique() == 1:
        shown.remove("batch_size")
    by_rate: list[tuple[float, float]] = []
    if "learning_rate" in result.varied:
        mine = result.settings.filter(pl.col("optimizer") == row["optimizer"])
        best = mine.group_by("learning_rate").agg(pl.col("median").min()).sort("learning_rate")
        by_rate = [(float(rate), float(value)) for rate, value in best.iter_rows()]
    diverged = None
    for rate, value in reversed(by_rate):
        if math.isfinite(value):
            break
        diverged = rate
    fine = math.isfinite(row["median"])
    return Entry(
        optimizer=row["optimizer"],
        setting={name: row[name] for name in shown if row[name] is not None},
        median=row["median"],
        low=row["low"],
        high=row["high"],
        seeds=row["seeds"],
        at_edge=result.at_edge(row) if fine else [],
        diverged_from=diverged,
        score=score,
        by_rate=by_rate,
        reached=None if level is None else _reached(result, row, level),
    )


def verdict(entries: list[Entry], level: float | None = None) -> tuple[str | None, str]:
    """Which optimizer is clearly the best, if one is, and that in a sentence.

    One is if the quartiles of its seeds lie wholly below those of the others, and the medians are not
    as good as equal.

    Args:
        entries: best first.
        level: of a function, the value up to which all count as equally low.
    """
    first, *others = entries
    if not math.isfinite(first.median):
        return None, "Every setting diverged: try lower learning rates."
    if not others:
        sentence = f"Only {first.optimizer} ran, so there is nothing to compare it with."
        return None, sentence + _widen([first])
    second = others[0]
    if not math.isfinite(second.median):
        return first.optimizer, f"Only {first.optimizer} did not diverge." + _widen([first])
    if level is None:
        level = first.median + EQUAL * abs(first.median)
    equal = [e for e in entries if e.median <= level]
    overlapping = [e for e in entries if e is not first and e.low <= first.high]
    if len(equal) > 1:
        names = _listed([e.optimizer for e in equal])
        sentence = f"No clear winner: {names} end as low as each other"
        there = [f"{e.optimizer} after {e.reached:,} steps" for e in equal if e.reached is not None]
        sentence += f", {_listed(there)}." if there else ", to a thousandth."
        return None, sentence + _widen(equal)
    if min(first.seeds, second.seeds) < 2:
        return None, (
            f"{first.optimizer} ended lowest, but a single seed does not tell luck from merit: take more "
            "--seeds." + _widen([first, second])
        )
    if overlapping:
        names = _listed([e.optimizer for e in (first, *overlapping)])
        sentence = f"No clear winner: the seeds of {names} overlap."
        return None, sentence + _widen([first, *overlapping])
    return first.optimizer, (
        f"{first.optimizer} is best: the middle half of its seeds lies below that of {second.optimizer}."
        + _widen([first, second])
    )


def _widen(entries: list[Entry]) -> str:
    """A sentence for those whose best value is at the edge of what was tried."""
    words = {f"{name.replace('_', ' ')} of {e.optimizer}" for e in entries for name in e.at_edge}
    if not words:
        return ""
    several = len(words) > 1
    return (
        f" The best {_listed(sorted(words))} {'are' if several else 'is'} at the edge of what was tried: "
        f"widen {'them' if several else 'it'}."
    )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
