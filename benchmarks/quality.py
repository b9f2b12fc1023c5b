"""Time to quality: held-out scores against seconds of training, ours and peers', on real tables.

python -m benchmarks.quality [NAME ...] [--quick] [--draw] [--out FOLDER]

The same arrays, layers, batches and Adam's rate for everyone. For each peer: the score it has at the end, the
seconds it took to reach it first, and the same of ours; once with everything compiled before, once with
compiling counted. Looking at the held-out rows is not counted. The median of three seeds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import warnings
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

# Nothing compiled by an earlier process may help.
os.environ["FALLLINE_CACHE"] = "off"

import fallline  # noqa: F401 - tunes the engine before anything computes
from benchmarks import keep, quality_picture
from benchmarks.facts import facts
from benchmarks.quality_runs import TASKS, Rows, Task, ours, peers

if TYPE_CHECKING:
    from collections.abc import Sequence

WARM, COLD = "Fallline", "Fallline, compiling"


def reached(trace: list[dict[str, float]], score: float) -> float | None:
    """Seconds until a trace first has a score."""
    return next((p["seconds"] for p in trace if p["score"] >= score), None)


def compared(traces: dict[str, list[list[dict[str, float]]]], peer: str) -> dict[str, Any]:
    """How much longer a peer took to its own final score than ours: medians over seeds."""
    found: dict[str, Any] = {"peer": peer}
    finals = [trace[-1]["score"] for trace in traces[peer]]
    theirs = [reached(t, f) for t, f in zip(traces[peer], finals, strict=True)]
    found["score"] = statistics.median(finals)
    found["seconds"] = statistics.median([t for t in theirs if t is not None])
    for name, key in ((WARM, "warm"), (COLD, "cold")):
        mine = [reached(t, f) for t, f in zip(traces[name], finals, strict=True)]
        ratios = [t / m for t, m in zip(theirs, mine, strict=True) if m is not None and t]
        found[f"{key}_reached"] = f"{len(ratios)} of {len(finals)}"
        # A seed that never got there counts as infinitely long.
        ratios += [0.0] * (len(finals) - len(ratios))
        found[f"{key}_ratio"] = statistics.median(ratios) or None
        times = [m for m in mine if m is not None]
        found[f"{key}_seconds"] = statistics.median(times) if times else None
    return found


def measured(task: Task, seeds: Sequence[int]) -> dict[str, Any]:
    """Every contender from every seed."""
    import jax

    rows = Rows.of(task.table)
    traces: dict[str, list[list[dict[str, float]]]] = {}

    def own(rows: Rows, seed: int) -> list[dict[str, float]]:
        return ours(task, rows, seed)

    everyone = [(COLD, own), (WARM, own), *peers(task)]
    for seed in seeds:
        jax.clear_caches()
        for name, trace in everyone:
            found = trace(rows, seed)
            traces.setdefault(name, []).append(found)
            told = f"{found[-1]['score']:.4f} after {found[-1]['seconds']:.2f} s"
            print(f"{task.name}, seed {seed}, {name}: {told}", file=sys.stderr)
    model = f"{rows.X.shape[1]}-" + "".join(f"{h}-" for h in task.hidden) + f"{rows.classes or 1}"
    return {
        **facts(),
        "name": task.name,
        "measure": "accuracy" if rows.classes else "R²",
        "rows": len(rows.X),
        "model": model,
        "batch": task.batch,
        "rate": task.rate,
        "seeds": list(seeds),
        "traces": traces,
        "compared": [compared(traces, name) for name in traces if name not in (WARM, COLD)],
    }


def show(tasks: list[dict[str, Any]]) -> None:
    """The table."""
    table = Table(
        "set",
        "peer",
        "its final score",
        "its seconds to it",
        "ours",
        "ratio",
        "compiling counted",
        "ratio",
    )
    for task in tasks:
        for row in task["compared"]:
            cells = [f"{row['score']:.4f} {task['measure']}", f"{row['seconds']:.2f}"]
            for key in ("warm", "cold"):
                seconds, ratio = row[f"{key}_seconds"], row[f"{key}_ratio"]
                cells.append("" if seconds is None else f"{seconds:.2f}")
                cells.append(
                    f"reached by {row[f'{key}_reached']}" if ratio is None else f"{ratio:.2g}x"
                )
            table.add_row(task["name"], row["peer"], *cells)
    Console(width=None if sys.stdout.isatty() else 150).print(table)


def main() -> None:
    """Measure, print, keep, draw."""
    names = {task.name: task for task in TASKS}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    found = keep.asked(
        parser, "quality", names, "one seed, one set, to see it run", quality_picture.draw
    )
    if found is None:
        return
    asked, place = found
    if "FALLLINE_DATA" not in os.environ:
        print("FALLLINE_DATA names no folder with the real tables: all of it is skipped.")
        return
    warnings.simplefilter("ignore")
    chosen = asked.names or (list(names)[1:2] if asked.quick else list(names))
    tasks: list[dict[str, Any]] = []
    for name in chosen:
        tasks.append(measured(names[name], range(1 if asked.quick else 3)))
        if asked.out:
            result = keep.merged(place, "tasks", tasks[-1:], names)
    show(tasks)
    if asked.out:
        quality_picture.draw(result, asked.out)


if __name__ == "__main__":
    main()
