"""Whole processes: `fallline fit`, cold and warm, against scikit-learn's script; where each second goes.

python -m benchmarks.process [--quick] [--rounds 5] [--out FOLDER]

"Cold" compiles its programs, "warm" finds them kept by an earlier process. Rounds are interleaved; the
medians count. Each script runs at the number of threads, one or all, at which it took less time in a first
round that does not count. ``FALLLINE_DATA`` names the folder with the real tables. ``--out`` writes
``process.json``, ``process.svg`` and its kin.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from rich.console import Console
from rich.table import Table

from benchmarks import panels
from benchmarks.facts import facts
from benchmarks.tables import SETS
from fallline.show import style
from fallline.store import files

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fallline.show.style import Theme

JOBS = {
    "california_housing, linear": ("california_housing", "linear", ["linear"]),
    "california_housing, network": ("california_housing", "mlp", ["mlp", "mlp-early"]),
    "digits, network": ("digits", "mlp", ["mlp", "mlp-early"]),
}
"""What is done: a set of `benchmarks.tables`, Fallline's model, and the scripts' models."""

PEERS = {
    "linear": "scikit-learn, least squares",
    "mlp": "scikit-learn, MLP",
    "mlp-early": "scikit-learn, MLP, early stopping",
}

PHASES = ("start and imports", "read", "encode", "compile", "try learning rates", "train", "rest")
"""Where Fallline's seconds go; "rest" is measuring, writing, the interpreter's own start and its end."""

CLOSE = 0.01
"""By how much a score may be above ours for its time to be compared."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def run(command: list[str], more: dict[str, str], limit: float | None = None) -> dict[str, Any]:
    """A process from its start to its end: ``seconds``, and what it printed as JSON."""
    began = time.perf_counter()
    done = subprocess.run(
        command,
        env={**os.environ, **more},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return {**json.loads(done.stdout), "seconds": seconds}


def measure(name: str, rounds: int, scratch: Path, *, quick: bool) -> dict[str, Any]:
    """Every contender's seconds, score and phases on one job."""
    known, model, peers = JOBS[name]
    file, options, _, _ = SETS[known]
    source = file if file in SETS else str(Path(os.environ["FALLLINE_DATA"]) / file)
    fit = [str(Path(sys.executable).with_name("fallline")), "fit", source, *options]
    fit += ["--model", model, "--json", "--timings", *(["--epochs", "3"] if quick else [])]
    places = iter(range(10**6))

    def ours(cache: Path) -> dict[str, Any]:
        out = scratch / f"run-{known}-{model}-{next(places)}"
        return run([*fit, "--out", str(out)], {"FALLLINE_CACHE": str(cache)})

    def script(peer: str, threads: dict[str, str], limit: float | None = None) -> dict[str, Any]:
        command = [sys.executable, "-m", "benchmarks.peers.sklearn_table", known, peer]
        return run(command, threads, limit)

    def threads_for(peer: str) -> dict[str, str]:
        alone = script(peer, ONE_THREAD)["seconds"]
        try:
            return {} if script(peer, {}, alone)["seconds"] < alone else ONE_THREAD
        except subprocess.TimeoutExpired:
            return ONE_THREAD

    warm = scratch / f"warm-{known}-{model}"
    ours(warm)
    best = {peer: ONE_THREAD if quick else threads_for(peer) for peer in peers}
    found: dict[str, list[dict[str, Any]]] = {}
    for _ in range(rounds):
        found.setdefault("Fallline, warm", []).append(ours(warm))
        cold = scratch / f"cold-{known}-{model}-{next(places)}"
        found.setdefault("Fallline, cold", []).append(ours(cold))
        for peer, threads in best.items():
            found.setdefault(PEERS[peer], []).append(script(peer, threads))
    threads = {PEERS[peer]: "1 thread" if t else "all threads" for peer, t in best.items()}
    return {label: summary(runs, threads.get(label)) for label, runs in found.items()}


def summary(runs: list[dict[str, Any]], threads: str | None) -> dict[str, Any]:
    """Median and range of the seconds, the score, and the median of each phase."""
    seconds = [one["seconds"] for one in runs]
    entry: dict[str, Any] = {
        "median": statistics.median(seconds),
        "low": min(seconds),
        "high": max(seconds),
        "score": runs[0]["value"],
    }
    if threads is not None:
        return {**entry, "threads": threads}
    phases = {
        phase: statistics.median(one["timings"].get(phase, 0.0) for one in runs)
        for phase in PHASES[:-1]
    }
    phases["rest"] = max(entry["median"] - sum(phases.values()), 0.0)
    return {**entry, "phases": phases}


def tables(results: dict[str, Any]) -> list[Table]:
    """The seconds against the scripts', and where ours go."""
    against = Table(box=None, title="Whole processes")
    for column in ("job", "who", "score", "seconds (min-max)", "against warm"):
        against.add_column(column)
    spent = Table(box=None, title="Where Fallline's seconds go")
    for column in ("job", "", *PHASES):
        spent.add_column(column, justify="left" if column in ("job", "") else "right")
    for name, entries in results.items():
        warm = entries["Fallline, warm"]
        for label, entry in entries.items():
            ratio = f"{entry['median'] / warm['median']:.2f}x as long"
            if entry["score"] > warm["score"] + CLOSE:
                ratio += ", a higher score"
            elif entry["score"] < warm["score"] - CLOSE:
                ratio += ", a lower score"
            against.add_row(
                name if entry is warm else "",
                label + (f" ({entry['threads']})" if "threads" in entry else ""),
                f"{entry['score']:.4f}",
                f"{entry['median']:.2f} ({entry['low']:.2f}-{entry['high']:.2f})",
                "" if entry is warm else ratio,
            )
            if "phases" in entry:
                numbers = (f"{entry['phases'][phase]:.2f}" for phase in PHASES)
                spent.add_row(name if entry is warm else "", label, *numbers)
    return [against, spent]


def draw(results: dict[str, Any], colours: Theme) -> Figure:
    """A bar for each process, Fallline's cut into its phases."""
    shades = dict(zip(PHASES, (*colours.series, colours.muted), strict=True))
    rows = sum(len(entries) + 1 for entries in results.values())
    height = 0.3 * rows + 1.25
    figure = plt.figure(figsize=(10, height), facecolor=colours.background)
    ax = figure.add_axes((0.3, 0.55 / height, 0.64, 0.3 * rows / height))
    style.themed(ax, colours, grid="x")
    longest = max(e["median"] for entries in results.values() for e in entries.values())
    place = 0.0
    for name, entries in results.items():
        ax.text(
            -0.455, place, name, transform=ax.get_yaxis_transform(), color=colours.text,
            fontsize=style.LABEL, weight="bold", va="center",
        )  # fmt: skip
        for label, entry in entries.items():
            place += 1
            begin = 0.0
            for phase, seconds in entry.get("phases", {"": entry["median"]}).items():
                ax.barh(
                    place, seconds, 0.66, begin, color=shades.get(phase, colours.raised),
                    edgecolor=colours.panel if phase else colours.muted, linewidth=0.8,
                )  # fmt: skip
                begin += seconds
            ax.text(
                -0.015, place, label, transform=ax.get_yaxis_transform(), color=colours.muted,
                fontsize=style.TICK, ha="right", va="center",
            )  # fmt: skip
            ax.text(
                begin + 0.008 * longest, place, f"{entry['median']:.2f} s · {entry['score']:.3f}",
                color=colours.text, fontsize=style.TICK, va="center",
            )  # fmt: skip
        place += 1
    ax.set_ylim(rows - 0.5, -0.5)
    ax.set_xlim(0, longest * 1.22)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("seconds of the whole process · score on held-out rows")
    figure.legend(
        [mpl.patches.Patch(color=shades[phase]) for phase in PHASES], PHASES, ncols=len(PHASES),
        loc="upper left", bbox_to_anchor=(0.02, 1 - 0.1 / height), frameon=False,
        labelcolor=colours.muted, fontsize=style.TICK, handlelength=1, columnspacing=1.4,
    )  # fmt: skip
    return figure


def save(results: dict[str, Any], about: dict[str, Any], folder: Path) -> None:
    """Write the numbers and the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    files.write(folder / "process.json", files.to_json({**about, "jobs": results}))
    panels.save("process", folder, lambda theme: draw(results, theme))


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="three epochs, one round, no long job")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    rounds = 1 if asked.quick else asked.rounds
    # The scripts know no shorter work, and this one takes them longest.
    names = [name for name in JOBS if not (asked.quick and name == "california_housing, network")]
    if "FALLLINE_DATA" not in os.environ:
        names = [name for name in names if SETS[JOBS[name][0]][0] in SETS]
        print("FALLLINE_DATA names no folder: only digits is measured.", file=sys.stderr)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            results[name] = measure(name, rounds, Path(scratch), quick=asked.quick)
            print(f"measured: {name}", file=sys.stderr)
    for table in tables(results):
        Console(width=130).print(table)
    if asked.out:
        save(results, {**facts(), "rounds": rounds}, asked.out)


if __name__ == "__main__":
    main()
