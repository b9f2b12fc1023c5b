"""One core and two: rows a second, what a checkpoint costs, and how long a lost worker holds up a run.

python -m benchmarks.scaling [speed|checkpoint|recovery ...] [--rounds 3] [--quick] [--out FOLDER]
python -m benchmarks.scaling --markdown [--out FOLDER]

- ``speed``: a linear model, a small network and one of a million parameters, trained by a process on one
  core, a process on all cores with one device and with two, and two processes with a core each; exchanging
  at every step and at every 8th. Rounds are interleaved; medians of the epochs after the first count.
- ``checkpoint``: seconds to write a million parameters with Adam's averages, and their bytes.
- ``recovery``: two processes train, one of them is killed (SIGKILL); how long until the other has ended,
  and, started again with ``resume``, until training goes on.

The table lies in memory as a single block, so that reading does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import panels
from benchmarks.facts import facts
from fallline.store import files

MODES = ("speed", "checkpoint", "recovery")
LARGE = (1024, 256)
WORKLOADS: dict[str, tuple[int, int, tuple[int, ...], int]] = {
    "linear": (400_000, 32, (), 512),
    "network 32-64-64-1": (200_000, 32, (64, 64), 512),
    "network 784-1024-256-1, 512": (16_384, 784, LARGE, 512),
    "network 784-1024-256-1, 2048": (16_384, 784, LARGE, 2048),
}
"""Rows, columns, hidden layers and rows a step."""

ONE, WIDE, TWO, APART = (
    "one process, one core",
    "one process, two cores, one device",
    "one process, two devices",
    "two processes, a core each",
)
CASES = ((ONE, 1), (WIDE, 1), (TWO, 1), (TWO, 8), (APART, 1), (APART, 8))
"""Who trains, and the steps between two exchanges."""


def write(place: Path, rows: int, columns: int) -> None:
    """A made table whose target a network can learn."""
    import polars as pl

    random = np.random.default_rng(0)
    X = random.standard_normal((rows, columns), dtype=np.float32)
    y = X[:, :8].sum(axis=1) / 3 + np.sin(2 * X[:, 0])
    frame = pl.DataFrame({f"x{k}": X[:, k] for k in range(columns)}).with_columns(y=y)
    frame.write_parquet(place, row_group_size=-(-rows // 8), compression="uncompressed")


def config(data: Path, name: str, epochs: int, **more: Any) -> dict[str, Any]:
    """What is trained."""
    _, _, hidden, batch = WORKLOADS[name]
    asked = {"data": str(data), "target": "y", "stream": True, "test": 0.0, "validation": 0.0}
    asked |= {"batch_size": batch, "epochs": epochs, "schedule": "constant"}
    asked |= {"weight_decay": 0.0, "average": 0.0}
    kind = {"model": "mlp", "hidden": hidden} if hidden else {"model": "linear"}
    rule = {"optimizer": "adam", "learning_rate": 0.001} if hidden else {"optimizer": "sgd"}
    return {**asked, **kind, **rule, **({} if hidden else {"learning_rate": 0.05}), **more}


def start(asked: dict[str, Any], devices: int = 1, log: Path | None = None) -> Any:
    """A process of `benchmarks.scaling_point`."""
    command = [sys.executable, "-m", "benchmarks.scaling_point", json.dumps(asked)]
    told = subprocess.PIPE if log is None else log.open("w")
    return subprocess.Popen(
        command,
        env={**os.environ, "JAX_NUM_CPU_DEVICES": str(devices)},
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=told,
        text=True,
    )


def port() -> int:
    """One that is free."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def cores() -> list[int]:
    """Those that this process may use, two at least."""
    found = sorted(os.sched_getaffinity(0))
    if len(found) < 2:
        raise SystemExit("Two cores are needed; there is one.")
    return found


def run(who: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Train as one of the cases, and see what process 0 measured."""
    places = cores()
    if who == APART:
        gang = {"size": 2, "coordinator": f"127.0.0.1:{port()}"}
        workers = [start({**asked, **gang, "rank": k, "core": places[k]}) for k in (0, 1)]
    elif who == TWO:
        workers = [start({**asked, "config": {**asked["config"], "devices": 2}}, 2)]
    else:
        workers = [start({**asked, "core": places[0] if who == ONE else None})]
    told = [worker.communicate(timeout=1800) for worker in workers]
    for worker, (_, errors) in zip(workers, told, strict=True):
        if worker.returncode:
            raise SystemExit(f"{who}: {errors}")
    return json.loads(told[0][0].splitlines()[-1])


def speed(folder: Path, rounds: int, *, quick: bool) -> list[dict[str, Any]]:
    """Rows a second of every workload and case."""
    found: list[dict[str, Any]] = []
    names = ["linear"] if quick else list(WORKLOADS)
    cases = (CASES[0], CASES[2], CASES[4]) if quick else CASES
    for name in names:
        rows, columns, _, batch = WORKLOADS[name]
        rows = 4096 if quick else rows
        data = folder / "table.parquet"
        write(data, rows, columns)
        points: dict[tuple[str, int], list[dict[str, Any]]] = {case: [] for case in cases}
        for number in range(1 if quick else rounds):
            first = number % len(cases)
            for who, every in cases[first:] + cases[:first]:
                point = run(who, {"config": config(data, name, 4, sync_every=every)})
                points[who, every].append(point)
                told = f"{point['rate']:,.0f} rows/s, R2 {point['value']:.4f}"
                print(f"{name}: {who}, exchange {every}: {told}", file=sys.stderr, flush=True)
        alone = points[cases[0]]
        for (who, every), lane in points.items():
            gains = [a["epoch"] / b["epoch"] for a, b in zip(alone, lane, strict=True)]
            row = {"workload": name, "batch": batch, "case": who, "sync_every": every}
            medians = {
                k: statistics.median(p[k] for p in lane) for k in ("rate", "compile", "value")
            }
            found.append({**row, **medians, "gain": statistics.median(gains)})
    return found


def checkpoint(folder: Path, *, quick: bool) -> dict[str, Any]:
    """What writing a million parameters and Adam's averages costs."""
    name = "network 32-64-64-1" if quick else "network 784-1024-256-1, 512"
    data, out = folder / "checkpoint.parquet", folder / "checkpoint"
    write(data, 8192, WORKLOADS[name][1])
    asked = {"config": config(data, name, 3 if quick else 20), "out": str(out)}
    written = run(WIDE, {**asked, "every": 0.0})["written"]
    newest = max((out / "checkpoints").iterdir(), key=lambda place: place.stat().st_mtime)
    size = sum(file.stat().st_size for file in newest.rglob("*") if file.is_file())
    seconds = {"median": statistics.median(written), "most": max(written)}
    return {**seconds, "count": len(written), "bytes": size}


def recovery(folder: Path, times: int, *, quick: bool) -> list[dict[str, Any]]:
    """One of two processes killed, and both started again."""
    name = "network 32-64-64-1" if quick else "network 784-1024-256-1, 512"
    data = folder / "recovery.parquet"
    write(data, 16_384, WORKLOADS[name][1])
    return [_recovered(folder, data, name, number, quick=quick) for number in range(times)]


def _recovered(
    folder: Path, data: Path, name: str, number: int, *, quick: bool
) -> dict[str, float]:
    out = folder / f"recovery-{number}"
    many = {"config": config(data, name, 100_000), "out": str(out), "every": 0.5}
    # As `fallline fit` does: what was compiled once is found again.
    many["cache"] = str(folder / "cache")
    lost, before = _gang(many, folder / f"before-{number}")
    try:
        _wait(lambda: any((out / "checkpoints").glob("*/checkpoint.json")), lost)
        time.sleep(1 if quick else 3)
        killed = time.time()
        lost[number % 2].send_signal(signal.SIGKILL)
        other = lost[1 - number % 2]
        other.wait(timeout=120)
        ended = time.time()
    finally:
        _end(lost)
    again, logs = _gang({**many, "resume": True}, folder / f"after-{number}")
    try:
        _wait(lambda: "first steps" in logs[0].read_text(), again)
    finally:
        _end(again)
    times, compile_seconds = _told(logs[0])
    return {
        "noticed": ended - killed,
        "imports": times["imported"] - ended,
        "join": times["joined"] - times["imported"],
        "first_pass": times["encoded"] - times["joined"],
        "cold": _told(before[0])[1],
        "compile": compile_seconds,
        "rest": times["first"] - times["encoded"] - compile_seconds,
        "all": times["first"] - killed,
    }


def _told(log: Path) -> tuple[dict[str, float], float]:
    """When a worker did what, and how long it compiled."""
    form = r"^([\d.]+) (\w+)(?:.*compile ([\d.]+))?"
    told = re.findall(form, log.read_text(), re.MULTILINE)
    times = {word: float(at) for at, word, _ in told}
    return times, next(float(spent) for _, word, spent in told if word == "first")


def _gang(asked: dict[str, Any], place: Path) -> tuple[list[Any], list[Path]]:
    """Two processes with a core each, and what they tell."""
    places = cores()
    gang = {"size": 2, "coordinator": f"127.0.0.1:{port()}"}
    logs = [place.with_name(f"{place.name}.{k}.log") for k in (0, 1)]
    made = [start({**asked, **gang, "rank": k, "core": places[k]}, log=logs[k]) for k in (0, 1)]
    return made, logs


def _wait(condition: Any, workers: list[Any], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end or any(worker.poll() is not None for worker in workers):
            raise SystemExit(
                "A worker ended, or took too long, before anything could happen to it."
            )
        time.sleep(0.05)


def _end(workers: list[Any]) -> None:
    for worker in workers:
        if worker.poll() is None:
            worker.kill()
        worker.communicate()


def tables(result: dict[str, Any]) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """Heads and rows of what was measured."""
    found: list[tuple[tuple[str, ...], list[tuple[str, ...]]]] = []
    if rows := result.get("speed"):
        heads = (
            "model, batch",
            "who",
            "exchange every",
            "rows/s",
            "times one core",
            "compile",
            "R2",
        )
        lines: list[tuple[str, ...]] = []
        for place, row in enumerate(rows):
            same = place and rows[place - 1]["workload"] == row["workload"]
            every = "" if row["case"] in (ONE, WIDE) else str(row["sync_every"])
            numbers = (f"{row['rate']:,.0f}", f"{row['gain']:.2f}x", f"{row['compile']:.1f} s")
            head = "" if same else row["workload"]
            lines.append((head, row["case"], every, *numbers, f"{row['value']:.4f}"))
        found.append((heads, lines))
    if row := result.get("checkpoint"):
        heads = ("a checkpoint of 1.07 M parameters and Adam", "longest", "bytes", "written")
        if result["quick"]:
            heads = ("a checkpoint of a small network", *heads[1:])
        seconds = (f"{1e3 * row['median']:.0f} ms", f"{1e3 * row['most']:.0f} ms")
        found.append((heads, [(*seconds, f"{row['bytes']:,}", str(row["count"]))]))
    if rows := result.get("recovery"):
        heads = ("one of two killed: noticed", "start, imports", "meeting", "first pass", "compile")
        heads += ("the rest", "in all", "compile in the run before")
        keys = ("noticed", "imports", "join", "first_pass", "compile", "rest", "all", "cold")
        found.append((heads, [tuple(f"{row[k]:.2f} s" for k in keys) for row in rows]))
    return found


def markdown(result: dict[str, Any]) -> str:
    """The tables for a page."""
    parts = [panels.source([result])]
    for heads, rows in tables(result):
        lines = [heads, ("---",) * len(heads), *rows]
        parts.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
    return "\n\n".join(parts)


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modes", nargs="*", metavar="MODE", help=", ".join(MODES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="tiny, one round: does it run?")
    parser.add_argument("--markdown", action="store_true", help="only print FOLDER/scaling.json")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for scaling.json")
    asked = parser.parse_args()
    place = (asked.out or Path("benchmarks/results")) / "scaling.json"
    if asked.markdown:
        print(markdown(files.from_json(files.read(place), place)))
        return
    if unknown := [mode for mode in asked.modes if mode not in MODES]:
        parser.error(f"there is no {unknown[0]!r}; there are {', '.join(MODES)}")
    modes, quick = asked.modes or MODES, asked.quick
    kept = files.from_json(files.read(place), place) if asked.out and place.exists() else {}
    found: dict[str, Any] = {**kept, **facts(), "quick": quick}
    with tempfile.TemporaryDirectory(prefix="scaling-") as scratch:
        folder = Path(scratch)
        if "speed" in modes:
            found["speed"] = speed(folder, asked.rounds, quick=quick)
        if "checkpoint" in modes:
            found["checkpoint"] = checkpoint(folder, quick=quick)
        if "recovery" in modes:
            times = 1 if quick else 2 * asked.rounds
            found["recovery"] = recovery(folder, times, quick=quick)
    for heads, rows in tables(found):
        table = Table(*heads)
        for row in rows:
            table.add_row(*row)
        Console(width=None if sys.stdout.isatty() else 150).print(table)
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        files.write(place, files.to_json(found))


if __name__ == "__main__":
    main()
