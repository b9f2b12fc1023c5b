"""`fallline fit` against scikit-learn on real tables: whole processes, interleaved.

python -m benchmarks.tables [--rounds 3] [--sets diamonds,adult] [--out benchmarks/results/tables.json]

Each round runs, for each set, Fallline with its programs already compiled (warm), Fallline with an empty
program cache (cold), and every scikit-learn pipeline; medians are compared. A ratio counts only against a
pipeline that reaches the score; the others are listed with what they reached.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

SETS = {
    "california_housing": (
        "california_housing.csv",
        ["--target", "median_house_value"],
        "mlp",
        0.79,
    ),
    "diamonds": ("diamonds.csv", ["--target", "price"], "mlp", 0.98),
    "adult": ("adult.csv", ["--target", "income"], "mlp", 0.853),
    "mnist10k": ("mnist10k.npz", [], "mlp", 0.953),
    "a9a": ("a9a", ["--test", "a9a.t"], "linear", 0.849),
    "digits": ("digits", [], "mlp", 0.97),
    "diabetes": ("diabetes", [], "linear", None),
}


def timed(command: list[str], environment: dict[str, str], folder: Path) -> tuple[float, float]:
    """Wall seconds of a whole process, and the score it printed."""
    began = time.perf_counter()
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return seconds, json.loads(done.stdout)["value"]


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    folder = os.environ.get("FALLLINE_DATA")
    names = arguments.sets.split(",")
    if folder is None:
        names = [n for n in names if n in ("digits", "diabetes")]
        print("FALLLINE_DATA names no folder: only the bundled sets are measured.", file=sys.stderr)
    root = Path(__file__).parents[1]
    results: dict[str, dict[str, list[tuple[float, float]]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for round_ in range(arguments.rounds + 1):
            for name in names:
                file, options, kind, _ = SETS[name]
                path = str(Path(folder or ".") / file) if "." in file or file == "a9a" else file
                options = [str(Path(folder or ".") / o) if o == "a9a.t" else o for o in options]
                fit = [str(Path(sys.executable).with_name("fallline")), "fit", path, *options]
                fit += ["--model", kind, "--json"]
                kinds = ["linear"] if kind == "linear" else ["mlp", "mlp-early"]
                peers = {
                    f"scikit-learn {k}": [
                        sys.executable,
                        "-m",
                        "benchmarks.peers.sklearn_table",
                        name,
                        k,
                    ]
                    for k in kinds
                }
                runs = results.setdefault(name, {})
                # The first round only fills the program cache and warms the disk; it is not counted.
                commands = {"warm": fit, "cold": fit, **peers} if round_ else {"warm": fit}
                for label, command in commands.items():
                    cache = Path(scratch) / ("warm" if label == "warm" else f"cold-{name}-{round_}")
                    environment = {**os.environ, "FALLLINE_CACHE": str(cache)}
                    if command is fit:
                        out = Path(scratch) / f"{name}-{label}-{round_}"
                        command = [*fit, "--out", str(out)]
                    measured = timed(command, environment, root)
                    if round_:
                        runs.setdefault(label, []).append(measured)
                print(f"round {round_}: {name}", file=sys.stderr)
    show(results)
    if arguments.out:
        versions = {n: importlib.metadata.version(n) for n in ("jax", "scikit-learn", "polars")}
        facts = {
            "date": datetime.date.today().isoformat(),
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "versions": versions,
            "rounds": arguments.rounds,
            "seconds_and_scores": results,
        }
        arguments.out.write_text(json.dumps(facts, indent=1) + "\n")


def show(results: dict[str, dict[str, list[tuple[float, float]]]]) -> None:
    """The table of medians."""
    table = Table(box=None)
    for column in ("set", "what", "score", "target", "seconds (min-max)", "Fallline warm is"):
        table.add_column(column)
    for name, runs in results.items():
        goal = SETS[name][3]
        warm = statistics.median(seconds for seconds, _ in runs["warm"])
        for label, measured in runs.items():
            seconds = [s for s, _ in measured]
            median = statistics.median(seconds)
            reached = goal is None or measured[0][1] >= goal
            ratio = f"{median / warm:.2f}x faster" if label != "warm" else ""
            if not label.startswith(("warm", "cold")) and not reached:
                ratio += " (score not reached)"
            table.add_row(
                name if label == "warm" else "",
                f"fallline, {label}" if label in ("warm", "cold") else label,
                f"{measured[0][1]:.4f}",
                "" if goal is None else f"{goal}",
                f"{median:.2f} ({min(seconds):.2f}-{max(seconds):.2f})",
                ratio,
            )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
