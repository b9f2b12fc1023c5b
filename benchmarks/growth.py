"""How cost grows with rows, features, width, batch, runs and balls, beside the closed form and peers.

python -m benchmarks.growth [NAME ...] [--quick] [--seconds 5] [--draw] [--out FOLDER]

Each point is warmed up and the median of a few runs; each curve ends where its next point would not fit
into its seconds, and says so. The slope is the exponent: a straight line through the logarithms of the
curve's last decade.
"""

from __future__ import annotations

import argparse
import gc
import math
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import growth_picture, keep
from benchmarks.facts import facts
from benchmarks.harness import threads

if TYPE_CHECKING:
    from benchmarks.growing import Axis, Curve, Work

LONGEST = 10.0
"""Seconds that a run of one point may take."""

STEEPEST = 3.0
"""The exponent that the next point is expected to have at most: the cube, of the closed form."""

NAMES = ("rows", "features", "width", "batch", "target", "sweep", "sweep-network", "balls")


def axis_of(name: str, quick: bool) -> Axis:
    """An axis by its name."""
    from benchmarks.growing import linear, many, network

    makers = (
        linear.rows,
        linear.features,
        network.width,
        network.batch,
        network.target,
        many.sweep,
        many.sweep_network,
        many.balls,
    )
    return dict(zip(NAMES, makers, strict=True))[name](quick)


def slope(points: list[dict[str, Any]]) -> float | None:
    """The exponent over the last decade, of three points or more; None where there are fewer."""
    last = [p for p in points if p["x"] * 10.5 >= points[-1]["x"]]
    if len(last) < 2:
        return None
    x, y = (np.log([p[key] for p in last]) for key in ("x", "seconds"))
    return float(np.polyfit(x, y, 1)[0])


class Lane:
    """A curve being measured."""

    def __init__(self, curve: Curve, seconds: float) -> None:
        self.curve, self.left = curve, seconds
        self.points: list[dict[str, Any]] = []
        self.cut = ""

    def expected(self, x: int) -> float:
        """Seconds of a run at ``x``, by the last points."""
        if not self.points:
            return 0.0
        last = self.points[-1]
        if len(self.points) == 1:
            return last["run"]
        before = self.points[-2]
        steepness = math.log(last["run"] / before["run"]) / abs(math.log(last["x"] / before["x"]))
        ratio = x / last["x"]
        return last["run"] * max(ratio, 1 / ratio) ** min(max(steepness, 0.0), STEEPEST)

    def measure(self, x: int) -> None:
        """Time the curve at ``x``, or end it."""
        expected = self.expected(x)
        often = 2 if self.curve.compiles or expected < 1 else 1
        if expected > LONGEST or often * expected > self.left:
            self.cut = f"{x:,} would take about {expected:.2g} s a run; {max(self.left, 0):.0f} s were left"
            return
        try:
            work = self.curve.make(x)
            # Once a point: with JAX's many objects it takes longer than a short run.
            gc.collect()
            self._time(x, work, once=often == 1)
        except Exception as error:
            text = str(error).strip().splitlines() or [type(error).__name__]
            self.cut = f"{x:,}: {text[0]}"

    def _time(self, x: int, work: Work, once: bool) -> None:
        counts = self.curve.threads if x >= self.curve.threads_from else self.curve.threads[:1]
        best, warm = counts[0], math.inf
        skipped = len(counts) == 1 and (once or work.warm)
        for count in () if skipped else counts:
            with threads(count):
                _, run = _timed(work)
                # The first run wakes caches; where there is a choice, another one decides.
                run = _timed(work)[1] if len(counts) > 1 and run < 1 else run
            # Compiling is not charged: the first run counts as one that is warm.
            self.left -= 0 if self.curve.compiles else run
            if run < warm:
                best, warm = count, run
        found: list[float] = []
        whole: list[float] = []
        with threads(best):
            while _more(whole):
                seconds, run = _timed(work)
                found.append(seconds / work.units)
                whole.append(run)
        self.left -= sum(whole) * (2 if self.curve.compiles else 1)
        point = {"x": x, "seconds": statistics.median(found), "all": found, **work.facts}
        self.points.append({**point, "run": statistics.median(whole), "threads": best})


def _more(whole: list[float]) -> bool:
    """Is another run wanted? Up to seven short ones, three of middling length, one long one."""
    spent, count = sum(whole), len(whole)
    return count == 0 or (count < 7 and spent < 0.3) or (count < 3 and spent < 1.5)


def _timed(work: Work) -> tuple[float, float]:
    """Seconds that count, and seconds of the whole run."""
    began = time.perf_counter()
    own = work.run()
    run = time.perf_counter() - began
    return (own if isinstance(own, float) else run), run


def measured(axis: Axis, seconds: float) -> dict[str, Any]:
    """All curves of an axis, value by value."""
    lanes = [Lane(curve, seconds * axis.share) for curve in axis.curves]
    for x in axis.values:
        for lane in lanes:
            if lane.cut:
                continue
            lane.measure(x)
            told = lane.cut and f"ends: {lane.cut}"
            told = told or f"{lane.points[-1]['seconds']:.3g} s"
            print(f"{axis.name} {x:,}  {lane.curve.name}: {told}", file=sys.stderr)
    for lane in lanes:
        lane.points.sort(key=lambda point: point["x"])
    return {
        **facts(),
        "seconds_a_curve": seconds * axis.share,
        "name": axis.name,
        "title": axis.title,
        "label": axis.label,
        "unit": axis.unit,
        "note": axis.note,
        "crossings": axis.crossings,
        "curves": [
            {
                "name": lane.curve.name,
                "points": lane.points,
                "slope": slope(lane.points) if lane.points else None,
                "cut": lane.cut,
            }
            for lane in lanes
            if lane.points or lane.cut
        ],
    }


def show(axes: list[dict[str, Any]]) -> None:
    """The table: what each curve's last point and slope are, and why it ended."""
    table = Table("axis", "curve", "from", "to", "seconds there", "slope", "ended before its axis")
    for axis in axes:
        for curve in axis["curves"]:
            points = curve["points"]
            ends = [f"{p['x']:,}" for p in (points[0], points[-1])] if points else ["", ""]
            there = f"{points[-1]['seconds']:.3g}" if points else ""
            steepness = "" if curve["slope"] is None else f"{curve['slope']:.2f}"
            table.add_row(axis["name"], curve["name"], *ends, there, steepness, curve["cut"])
    Console(width=None if sys.stdout.isatty() else 170).print(table)


def main() -> None:
    """Measure, print, keep, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--seconds", type=float, help="for a curve, compiling not counted; 5, or 1 with --quick"
    )
    found = keep.asked(
        parser, "growth", NAMES, "a few small points, to see it run", growth_picture.draw
    )
    if found is None:
        return
    asked, place = found
    seconds = asked.seconds or (1.0 if asked.quick else 5.0)
    axes: list[dict[str, Any]] = []
    for name in asked.names or NAMES:
        axes.append(measured(axis_of(name, asked.quick), seconds))
        if asked.out:
            result = keep.merged(place, "axes", axes[-1:], NAMES)
    show(axes)
    if asked.out:
        growth_picture.draw(result, asked.out)


if __name__ == "__main__":
    main()
