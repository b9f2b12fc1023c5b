"""Tables larger than memory: rows a second and peak memory, beside scikit-learn, torch and Dask-ML.

python -m benchmarks.streaming [NAME ...] [--rows 4e6] [--rounds 3] [--quick] [--dask PYTHON] [--out FOLDER]
python -m benchmarks.streaming --markdown [--out FOLDER]

Every contender is a fresh process on the same made table (`benchmarks.streaming_data`): a linear model by
plain descent and a network of 32-64-64-1 by Adam, batches of 512 and 4096. Rounds are interleaved, another
contender first in each; medians count. Rows a second are those of the epochs after the first; the first pass
(reading, or learning the encoding), compiling and the first epoch are told apart. A ratio is the peer's
seconds an epoch by those of Fallline on Parquet in the same round, given where R2 on the held-out rows is
as good. Peers run at the settings (threads, a reading process) that were fastest on an eighth of the rows.

Dask-ML wants libraries of its own versions: ``--dask`` names the Python of an environment that has it, with
pyarrow and scikit-learn. What is not installed is left out, and the output says so.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import keep, panels
from benchmarks.facts import facts
from benchmarks.streaming_data import COLUMNS
from fallline.store import files

OURS = "Fallline, Parquet"
CLOSE = 0.01
"""By how much R2 may be apart for times to be compared."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Setting:
    """How a peer may be run: what its process is asked for, and its environment."""

    label: str = ""
    asked: dict[str, Any] = field(default_factory=dict[str, Any])
    environment: dict[str, str] = field(default_factory=dict[str, str])


def _torch(*pairs: tuple[int, int]) -> tuple[Setting, ...]:
    return tuple(
        Setting(
            f"{threads} thread{'s' * (threads > 1)}, "
            + ("reads apart" if workers else "one process"),
            {"threads": threads, "workers": workers},
        )
        for threads, workers in pairs
    )


_ONE, _ALL = Setting("1 thread", {}, ONE_THREAD), Setting("all threads")
SETTINGS: dict[str, tuple[Setting, ...]] = {
    "scikit-learn, SGDRegressor.partial_fit": (_ONE,),
    "scikit-learn, MLPRegressor.partial_fit": (_ONE, _ALL),
    "torch, DataLoader of row groups": _torch((1, 0), (2, 0), (1, 1), (2, 1)),
    "torch, DataLoader in memory": tuple(
        Setting(f"{n} thread{'s' * (n > 1)}", {"threads": n, "workers": 0}) for n in (1, 2)
    ),
    "Dask-ML, Incremental(SGDRegressor)": (
        Setting("reads ahead", {"scheduler": "threads"}, ONE_THREAD),
        Setting("one thread", {"scheduler": "synchronous"}, ONE_THREAD),
    ),
}
_FALLLINE = ["Fallline, in memory", OURS, "Fallline, .npy", "Fallline, CSV"]
_LINEAR, _MLP, _TORCH, _LOADED, _DASK = SETTINGS
WORKLOADS: dict[str, tuple[str, int, list[str]]] = {
    "linear, 512": ("linear", 512, [*_FALLLINE, _LINEAR, _TORCH, _LOADED, _DASK]),
    "linear, 4096": ("linear", 4096, [*_FALLLINE, _LINEAR, _TORCH, _LOADED, _DASK]),
    "network, 512": ("mlp", 512, [*_FALLLINE, _MLP, _TORCH, _LOADED]),
    "network, 4096": ("mlp", 4096, [*_FALLLINE, _MLP, _TORCH, _LOADED]),
}


@dataclass
class Bench:
    """Runs contenders on a table.

    Attributes:
        folder: with the table, and in ``trial`` a smaller one.
        epochs: passes over the table.
        dask: the Python that has Dask-ML.
    """

    folder: Path
    epochs: int
    dask: str

    def point(self, name: str, setting: Setting, workload: str, *, trial: bool) -> dict[str, Any]:
        """One process: what it took, or why it did not come to its end."""
        model, batch, _ = WORKLOADS[workload]
        asked = {"model": model, "batch": batch, "epochs": 2 if trial else self.epochs}
        asked |= {"columns": COLUMNS, **setting.asked}
        python = self.dask if name == _DASK else sys.executable
        folder = self.folder / "trial" if trial else self.folder
        command = [python, "-m", "benchmarks.streaming_point", name, str(folder)]
        done = subprocess.run(
            [*command, json.dumps(asked)],
            env={**os.environ, **setting.environment},
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
            return {"why": last}
        return json.loads(done.stdout.splitlines()[-1])

    def best(self, name: str, workload: str, *, quick: bool) -> Setting:
        """The setting with the shortest epoch on the smaller table."""
        settings = SETTINGS.get(name, (Setting(),))
        if quick or len(settings) == 1:
            return settings[0]
        found = [self.point(name, setting, workload, trial=True) for setting in settings]
        return settings[min(range(len(found)), key=lambda k: found[k].get("epoch", 1e9))]

    def measure(
        self, workload: str, rows: dict[str, int], rounds: int, *, quick: bool
    ) -> dict[str, Any]:
        """All contenders, round by round."""
        names = WORKLOADS[workload][2]
        if quick and workload != "linear, 512":
            names = [OURS, _MLP, _TORCH]
        chosen = {name: self.best(name, workload, quick=quick) for name in names}
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for number in range(rounds):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                if any("why" in point for point in found[name]):
                    continue
                point = self.point(name, chosen[name], workload, trial=False)
                found[name].append(point)
                told = point.get("why") or f"{point['epoch']:.2f} s an epoch, R2 {point['r2']:.4f}"
                print(f"{workload}, {name}: {told}", file=sys.stderr, flush=True)
        lanes = [
            _lane(name, chosen[name].label, found[name], found[OURS], rows.get(name, rows[""]))
            for name in names
        ]
        about = {"rows": rows[""], "epochs": self.epochs, "rounds": rounds, "quick": quick}
        return {**facts(), "name": workload, **about, "contenders": lanes}


def _lane(
    name: str,
    label: str,
    points: list[dict[str, Any]],
    ours: list[dict[str, Any]],
    rows: int,
) -> dict[str, Any]:
    """The medians of a contender, and its ratio to ours."""
    lane: dict[str, Any] = {"name": name, "label": label, "rows": rows}
    if not points or "why" in points[-1]:
        return {**lane, "why": points[-1]["why"] if points else "was not run"}
    for key in ("first_pass", "compile", "first_epoch", "epoch", "r2", "imports", "peak"):
        lane[key] = statistics.median(point[key] for point in points)
    lane |= {"rate": rows / lane["epoch"], "blocks": points[-1]["blocks"], "ratio": None}
    if "why" in ours[-1] or name == OURS:
        return lane
    apart = lane["r2"] - statistics.median(point["r2"] for point in ours)
    if abs(apart) > CLOSE:
        lane["apart"] = apart
    elif name != "Fallline, CSV":
        lane["ratio"] = statistics.median(
            theirs["epoch"] / own["epoch"] for theirs, own in zip(points, ours, strict=True)
        )
    return lane


HEADS = (
    "model, batch",
    "contender",
    "rows/s",
    "times longer",
    "first pass",
    "compile",
    "first epoch",
    "later epochs",
    "peak",
    "over imports",
    "R2",
)


def cells(entries: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The table's rows."""
    found: list[tuple[str, ...]] = []
    for entry in entries:
        for place, lane in enumerate(entry["contenders"]):
            head = (entry["name"] if place == 0 else "", _title(entry, lane))
            if "why" in lane:
                found.append((*head, lane["why"], *[""] * (len(HEADS) - 3)))
                continue
            ratio = "" if lane["ratio"] is None else f"{lane['ratio']:.2f}x"
            if "apart" in lane:
                ratio = f"R2 {lane['apart']:+.3f}"
            seconds = [
                f"{lane[k]:.2f} s" for k in ("first_pass", "compile", "first_epoch", "epoch")
            ]
            if not lane["compile"]:
                seconds[1] = ""
            over = (lane["peak"] - lane["imports"]) / 1e6
            memory = (f"{lane['peak'] / 1e6:,.0f} MB", f"{over:,.0f} MB")
            found.append(
                (*head, f"{lane['rate']:,.0f}", ratio, *seconds, *memory, f"{lane['r2']:.4f}")
            )
    return found


def _title(entry: dict[str, Any], lane: dict[str, Any]) -> str:
    more = [lane["label"]] if lane["label"] else []
    if lane["rows"] != entry["rows"]:
        more.append(f"{lane['rows']:,} rows")
    if lane.get("blocks") == 1:
        more.append("a single block")
    return lane["name"] + (f" ({', '.join(more)})" if more else "")


def markdown(entries: list[dict[str, Any]]) -> str:
    """The table for a page."""
    lines = [HEADS, ("---",) * len(HEADS), *cells(entries)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    said = f"{entries[0]['rows']:,} rows, {entries[0]['epochs']} epochs, {entries[0]['rounds']} rounds."
    return f"{panels.source(entries)}\n\n{said}\n\n{table}"


def main() -> None:
    """Make the table, measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="; ".join(WORKLOADS))
    parser.add_argument("--rows", type=float, default=4e6, help="of the table")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="tiny, one round: does it run?")
    parser.add_argument("--dask", default=sys.executable, metavar="PYTHON", help="that has Dask-ML")
    parser.add_argument("--markdown", action="store_true", help="only print FOLDER/streaming.json")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for streaming.json")
    asked = parser.parse_args()
    place = (asked.out or Path("benchmarks/results")) / "streaming.json"
    if asked.markdown:
        print(markdown(files.from_json(files.read(place), place)["workloads"]))
        return
    for name in asked.names:
        if name not in WORKLOADS:
            parser.error(f"there is no {name!r}; there are {'; '.join(WORKLOADS)}")
    rows = 40_000 if asked.quick else int(asked.rows)
    names = asked.names or (["linear, 512", "network, 512"] if asked.quick else list(WORKLOADS))
    counts = {"": rows, "Fallline, CSV": rows // 8}
    with tempfile.TemporaryDirectory(prefix="streaming-") as scratch:
        folder = Path(scratch) / "table"
        _make(folder, rows)
        if not asked.quick:
            _make(folder / "trial", rows // 8)
        bench = Bench(folder, 2 if asked.quick else asked.epochs, asked.dask)
        rounds = 1 if asked.quick else asked.rounds
        entries = [bench.measure(name, counts, rounds, quick=asked.quick) for name in names]
    table = Table(*HEADS)
    for row in cells(entries):
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 190).print(table)
    if asked.out:
        keep.merged(place, "workloads", entries, WORKLOADS)


def _make(folder: Path, rows: int) -> None:
    """Write the table in a process of its own: a child's peak begins with what its parent has."""
    script = (
        "import sys, pathlib\nfrom benchmarks import streaming_data\n"
        "streaming_data.write(pathlib.Path(sys.argv[1]), *map(int, sys.argv[2:]))"
    )
    words = [sys.executable, "-c", script, str(folder), str(rows), str(rows // 8)]
    subprocess.run(words, cwd=Path(__file__).parents[1], check=True)


if __name__ == "__main__":
    main()
