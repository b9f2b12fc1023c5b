"""The result of `fallline.sweep`: tidy tables, the best setting, curves, a heat map."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.errors import FalllineError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from jaxtyping import PyTree

    from fallline.descent.settings import Group


class NothingFinishedError(FalllineError):
    """A sweep was ended before a single run was finished."""


@dataclasses.dataclass
class Part:
    """What came of one group: one kind of optimizer at one batch size; arrays over (seeds, settings).

    Attributes:
        group: the settings.
        batch_size: rows a step; None for a function alone.
        steps: the budget of each run.
        steps_each: steps an epoch; 1 for a function alone.
        values: final numbers by name: training_loss, validation_loss, validation_score; or value.
        diverged: see `SweepResult`.
        finished: did the run reach the end of its budget?
        curves: losses over the budget, (seeds, settings, points).
        validation: validation losses at the ends of epochs, (seeds, settings, epochs), or None.
        ends: where each run ended, (parameters, model's state), or None.
    """

    group: Group
    batch_size: int | None
    steps: int
    steps_each: int
    values: dict[str, np.ndarray]
    diverged: np.ndarray
    finished: np.ndarray
    curves: np.ndarray
    validation: np.ndarray | None = None
    ends: tuple[PyTree, PyTree] | None = None


@dataclasses.dataclass(frozen=True)
class HeatMap:
    """Two hyper-parameters against each other.

    Attributes:
        x: values of the one, (p,).
        y: values of the other, (q,).
        values: the measure's median over seeds, the best over everything else, (q, p); NaN where all
            diverged, or nothing was tried.
        diverged: did most seeds diverge, whatever else was chosen? (q, p)
        names: of x, y and the measure.
    """

    x: np.ndarray
    y: np.ndarray
    values: np.ndarray
    diverged: np.ndarray
    names: tuple[str, str, str]


@dataclasses.dataclass(frozen=True)
class SweepResult:
    """Runs of many settings, all with one budget.

    A run counts as diverged if it left the finite numbers, or ended at more than twice the loss it began
    with (a function alone: at a higher value than it began with).

    Attributes:
        runs: a row a run: ``optimizer``, ``batch_size``, the varied hyper-parameters, ``seed``, the final
            losses (or ``value``), ``steps``, ``diverged``. In the order of ``curves``.
        settings: a row a setting: ``median``, ``low`` and ``high`` (quartiles) of the measure over seeds,
            ``diverged`` (how many seeds did), ``seeds``. Best first; of equals, the soonest.
        measure: what decides: "validation_loss", "training_loss" or "value".
        best: the first row of ``settings``, as a dict.
        curves: the loss of every run over its budget in equal parts, (runs, points).
        validation_curves: validation losses at the ends of epochs, (runs, epochs), or None.
        varied: the names that were varied.
        seeds: the seeds.
        parts: the arrays behind, a part for each optimizer and batch size.
        stopped: "", or why the sweep ended early: "interrupted", "time".
        seconds: all time spent, compilation included.
    """

    runs: pl.DataFrame
    settings: pl.DataFrame
    measure: str
    best: dict[str, Any]
    curves: np.ndarray
    validation_curves: np.ndarray | None
    varied: tuple[str, ...]
    seeds: tuple[int, ...]
    parts: tuple[Part, ...]
    stopped: str = ""
    seconds: float = 0.0

    def best_per(self, name: str = "optimizer") -> pl.DataFrame:
        """The best setting for each value of a column, best first: each optimizer at its own best rate."""
        self._require(name)
        return self.settings.unique(name, keep="first", maintain_order=True)

    def at_edge(self, row: dict[str, Any]) -> list[str]:
        """Which of a setting's values are the lowest or highest tried: better ones may lie outside."""
        import polars as pl

        found: list[str] = []
        mine = self.settings.filter(pl.col("optimizer") == row["optimizer"])
        for name in self.varied:
            tried = mine[name].drop_nulls().unique()
            if len(tried) > 2 and row[name] is not None and row[name] in (tried.min(), tried.max()):
                found.append(name)
        return found

    def curves_of(self, row: dict[str, Any]) -> np.ndarray:
        """The curves of a setting, one a seed, (seeds, points)."""
        return self.curves[self._places(row)]

    def curve_steps(self, row: dict[str, Any] | None = None) -> np.ndarray:
        """The step that each point of a setting's curves stands for (the best's unless given), (points,).

        On data a point is the mean over a part of the steps, and its step the middle of them; of a function
        alone it is the value before that step.
        """
        part, _ = self._find(self.best if row is None else row)
        points = part.curves.shape[-1]
        if self.measure == "value":
            return np.arange(points) * float(-(-part.steps // points))
        edges = np.linspace(0, part.steps, points + 1).astype(int)
        return (edges[:-1] + edges[1:] - 1) / 2

    def validation_curves_of(self, row: dict[str, Any]) -> np.ndarray:
        """The validation curves of a setting, (seeds, epochs)."""
        if self.validation_curves is None:
            raise FalllineError("This sweep had no validation rows, so there are no such curves.")
        return self.validation_curves[self._places(row)]

    def optimizer(self, row: dict[str, Any] | None = None) -> Any:
        """The optimizer of a setting (the best unless given), ready for `fallline.train`."""
        part, index = self._find(self.best if row is None else row)
        return part.group.optimizers[index]

    def params(self, row: dict[str, Any] | None = None, seed: int | None = None) -> PyTree:
        """The parameters that a setting's run ended with.

        Args:
            row: of ``settings``; the best unless given.
            seed: one of ``seeds``; the first unless given.
        """
        return self._end(row, seed)[0]

    def state(self, row: dict[str, Any] | None = None, seed: int | None = None) -> PyTree:
        """What the model carries along untrained (batch-norm statistics), to go with `params`."""
        return self._end(row, seed)[1]

    def _end(self, row: dict[str, Any] | None, seed: int | None) -> tuple[PyTree, PyTree]:
        import jax

        row = self.best if row is None else row
        part, index = self._find(row)
        if part.ends is None:
            raise FalllineError(
                "A sweep of a function alone keeps no parameters; minimize finds them."
            )
        ran = self.seeds_of(row)
        seed = ran[0] if seed is None and ran else seed
        if seed not in ran:
            known = ", ".join(map(str, ran))
            raise FalllineError(
                f"This setting has no finished run from seed {seed}, only from {known}."
            )
        place = self.seeds.index(seed)
        return jax.tree.map(lambda leaf: leaf[place, index], part.ends)

    def seeds_of(self, row: dict[str, Any]) -> list[int]:
        """The seeds from which a setting's runs were finished."""
        part, index = self._find(row)
        return [s for s, made in zip(self.seeds, part.finished[:, index], strict=True) if made]

    def heat_map(
        self, x: str = "learning_rate", y: str = "momentum", optimizer: str | None = None
    ) -> HeatMap:
        """Two hyper-parameters against each other, everything else at its best.

        Args:
            x: a varied name (or ``optimizer``'s like: ``batch_size``).
            y: another.
            optimizer: one label only.

        Raises:
            FalllineError: if a name was not varied.
        """
        import polars as pl

        for name in (x, y):
            self._require(name)
        frame = self.settings.drop_nulls([x, y])
        if optimizer is not None:
            frame = frame.filter(pl.col("optimizer") == optimizer)
        if frame.is_empty():
            raise FalllineError(f"No optimizer of this sweep was tried with both {x} and {y}.")
        xs, ys = (np.array(sorted(frame[name].unique().to_list())) for name in (x, y))
        values = np.full((len(ys), len(xs)), np.nan)
        diverged = np.zeros(values.shape, bool)
        # Best first: what is written last is best.
        for row in reversed(frame.to_dicts()):
            place = int(np.searchsorted(ys, row[y])), int(np.searchsorted(xs, row[x]))
            bad = not np.isfinite(row["median"])
            diverged[place] = bad
            values[place] = np.nan if bad else row["median"]
        return HeatMap(xs, ys, values, diverged, (x, y, self.measure))

    def _require(self, name: str) -> None:
        known = [c for c in ("optimizer", "batch_size", *self.varied) if c in self.settings.columns]
        if name not in known:
            raise FalllineError(f"The sweep did not vary {name!r}: {nearest(name, known)}")

    def _keys(self) -> list[str]:
        return ["optimizer", "batch_size", *self.varied]

    def _places(self, row: dict[str, Any]) -> np.ndarray:
        import polars as pl

        same = [
            pl.col(k).eq_missing(pl.lit(row[k])) for k in self._keys() if k in self.runs.columns
        ]
        found = self.runs.select(pl.all_horizontal(same)).to_series().to_numpy()
        if not found.any():
            raise FalllineError("There is no such setting in this sweep; take a row of settings.")
        return found

    def _find(self, row: dict[str, Any]) -> tuple[Part, int]:
        for part in self.parts:
            if part.group.label != row["optimizer"] or part.batch_size != row.get("batch_size"):
                continue
            for i, setting in enumerate(part.group.settings):
                if all(row[name] == value for name, value in setting.items()):
                    return part, i
        raise FalllineError("There is no such setting in this sweep; take a row of settings.")

    def __str__(self) -> str:
        if not np.isfinite(self.best["median"]):
            return f"{self.settings.height:,} settings, and every one diverged: try lower learning rates."
        text = (
            f"{self.settings.height:,} settings from {len(self.seeds)} "
            f"seed{'s' if len(self.seeds) > 1 else ''} in {self.seconds:.1f} s; best by {self.measure}: "
        )
        told = {k: self.best[k] for k in self._keys() if self.best.get(k) is not None}
        text += ", ".join(
            f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in told.items()
        )
        text += (
            f" with {self.best['median']:.6g} ({self.best['low']:.6g} to {self.best['high']:.6g})."
        )
        edges = self.at_edge(self.best)
        if edges:
            text += f" That is at the edge of what was tried of {', '.join(edges)}: widen it."
        return text

    def __repr__(self) -> str:
        return f"<SweepResult: {self}>"


def tabulate(
    parts: Sequence[Part], seeds: Sequence[int], measure: str, varied: Sequence[str]
) -> SweepResult:
    """Put the parts of a sweep into tables.

    Raises:
        NothingFinishedError: if not one run was finished.
    """
    import polars as pl

    rows: list[dict[str, Any]] = []
    curves: list[np.ndarray] = []
    validation: list[np.ndarray] = []
    for part in parts:
        for i, setting in enumerate(part.group.settings):
            for s, seed in enumerate(seeds):
                if not part.finished[s, i]:
                    continue
                row: dict[str, Any] = {"optimizer": part.group.label, "batch_size": part.batch_size}
                row |= {name: setting.get(name) for name in varied}
                row |= {"seed": seed}
                row |= {name: float(v[s, i]) for name, v in part.values.items()}
                row |= {"steps": part.steps, "diverged": bool(part.diverged[s, i])}
                rows.append(row)
                curves.append(part.curves[s, i])
                if part.validation is not None:
                    validation.append(part.validation[s, i])
    if not rows:
        raise NothingFinishedError("The sweep was ended before a single run was finished.")
    runs = pl.DataFrame(rows, schema_overrides=dict.fromkeys(varied, pl.Float64))
    empty = [c for c in ("batch_size", "validation_loss", "validation_score") if c in runs.columns]
    for name in empty:
        if runs[name].is_null().all() or (
            runs[name].dtype.is_float() and runs[name].is_nan().all()
        ):
            runs = runs.drop(name)
    keys = [k for k in ("optimizer", "batch_size", *varied) if k in runs.columns]
    # Of settings that end equally low, the sooner one is the better: its curve has the lower mean.
    # A function without a lower bound may pass through minus infinity: as bad as any other end.
    finite = [np.where(np.isneginf(curve), np.inf, curve) for curve in curves]
    means = np.array([np.mean(curve, dtype=np.float64) for curve in finite])
    value = (
        pl.when(pl.col("diverged") | pl.col(measure).is_nan())
        .then(float("inf"))
        .otherwise(pl.col(measure))
    )
    settings = (
        runs.with_columns(_value=value, _mean=np.where(np.isnan(means), np.inf, means))
        .group_by(keys, maintain_order=True)
        .agg(
            pl.col("_value").median().alias("median"),
            pl.col("_value").quantile(0.25, "linear").alias("low"),
            pl.col("_value").quantile(0.75, "linear").alias("high"),
            pl.col("diverged").sum().cast(pl.Int64).alias("diverged"),
            pl.len().cast(pl.Int64).alias("seeds"),
            pl.col("_mean").median(),
        )
        .sort(["median", "high", "_mean"], maintain_order=True)
        .drop("_mean")
    )
    return SweepResult(
        runs=runs,
        settings=settings,
        measure=measure,
        best=settings.row(0, named=True),
        curves=_stacked(curves),
        validation_curves=_stacked(validation) if "validation_loss" in runs.columns else None,
        varied=tuple(name for name in varied if name in runs.columns),
        seeds=tuple(seeds),
        parts=tuple(parts),
    )


def _stacked(curves: list[np.ndarray]) -> np.ndarray:
    longest = max(map(len, curves))
    return np.stack([_filled(c, longest) for c in curves])


def _filled(curve: np.ndarray, length: int) -> np.ndarray:
    return np.concatenate([curve, np.full(length - len(curve), np.nan)])
