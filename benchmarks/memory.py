"""Memory: the peak of a process over what it had after its imports, against the size of the data.

python -m benchmarks.memory [NAME ...] [--quick] [--draw] [--out FOLDER]

Every point is a fresh process. "Times the data" is the peak by the size of the data that the process made
or read (which are in it); "bytes a row" and "bytes a parameter" are the slope of a straight line through the
larger points, so that what does not grow, such as the compiler's own memory, does not count in them.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import keep, memory_picture
from benchmarks.facts import facts
from benchmarks.memory_point import KINDS

AT_ONCE = 2
"""Processes at a time: memory does not depend on the time they take."""


def point(kind: str, name: str, size: int, folder: str) -> dict[str, Any]:
    """One process: what it needed, or why it did not come to its end."""
    command = [sys.executable, "-m", "benchmarks.memory_point", kind, name, str(size), folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
        found: dict[str, Any] = {"why": last}
    else:
        found = json.loads(done.stdout.splitlines()[-1])
    told = found.get("why") or f"{found['peak'] / 2**20:,.0f} MB over its imports"
    print(f"{kind}, {name}, {size:,}: {told}", file=sys.stderr)
    return {"x": size, **found}


def each(points: list[dict[str, Any]]) -> float | None:
    """Bytes for one more row or parameter: a straight line through the larger half of the points."""
    large = points[-max(2, (len(points) + 1) // 2) :]
    if len(large) < 2:
        return None
    x, y = (np.array([p[key] for p in large], float) for key in ("count", "peak"))
    return float(np.polyfit(x, y, 1)[0])


def measured(name: str, quick: bool) -> dict[str, Any]:
    """Every contender of a kind of growth at every size."""
    kind = KINDS[name]
    sizes = kind.sizes[:1] if quick else kind.sizes
    with (
        tempfile.TemporaryDirectory() as folder,
        concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        waiting = {
            who: [pool.submit(point, name, who, size, folder) for size in sizes]
            for who in kind.contenders
        }
        found = {who: [job.result() for job in jobs] for who, jobs in waiting.items()}
    curves: list[dict[str, Any]] = []
    for who, points in found.items():
        good = [p for p in points if "why" not in p]
        why = next((p["why"] for p in points if "why" in p), "")
        curves.append({"name": who, "points": good, "bytes_each": each(good), "why": why})
    said = {"title": kind.title, "label": kind.label, "each": kind.each, "note": kind.note}
    return {**facts(), "name": name, **said, "curves": curves}


def show(kinds: list[dict[str, Any]]) -> None:
    """The table."""
    table = Table(
        "what grows",
        "who",
        "largest",
        "its data, MB",
        "peak, MB",
        "times the data",
        "bytes for one more",
    )
    for kind in kinds:
        for curve in kind["curves"]:
            if not curve["points"]:
                table.add_row(kind["name"], curve["name"], "", "", "", "", curve["why"])
                continue
            last = curve["points"][-1]
            table.add_row(
                kind["name"],
                curve["name"],
                f"{last['x']:,}",
                f"{last['data'] / 2**20:,.1f}",
                f"{last['peak'] / 2**20:,.0f}",
                f"{last['peak'] / last['data']:.2f}",
                ""
                if curve["bytes_each"] is None
                else f"{curve['bytes_each']:,.1f} a {kind['each']}",
            )
    Console(width=None if sys.stdout.isatty() else 150).print(table)


def main() -> None:
    """Measure, print, keep, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    found = keep.asked(
        parser, "memory", KINDS, "the smallest size, to see it run", memory_picture.draw
    )
    if found is None:
        return
    asked, place = found
    kinds = [measured(name, asked.quick) for name in asked.names or KINDS]
    show(kinds)
    if asked.out:
        memory_picture.draw(keep.merged(place, "kinds", kinds, KINDS), asked.out)


if __name__ == "__main__":
    main()
