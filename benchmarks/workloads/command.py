"""`fallline fit` on a table of 20,000 rows as a whole process, beside a script of scikit-learn's.

Each process reads the file, encodes, trains and scores the same held-out fifth. Fallline runs at its
defaults, looks for its learning rate itself, writes the run to disk, and finds its programs compiled by an
earlier process.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from benchmarks.harness import Contender, Workload, fastest, peer
from benchmarks.real import Skipped, real_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SET, TARGET = "california_housing", "median_house_value"
RATES = ("0.001", "0.006")
"""Of scikit-learn's network: its default, and of those tried up to here the one done soonest."""


def workloads(quick: bool) -> Iterator[tuple[str, Callable[[], Workload]]]:
    """A linear model and a network; if quick, the network alone."""
    for model in ("mlp",) if quick else ("linear", "mlp"):
        name = f"fallline fit, whole process, {model}"
        yield name, functools.partial(_workload, name, model, quick)


def table(folder: Path, rows: int | None) -> str:
    """Write the table into a folder, and tell which it is.

    Args:
        folder: gets ``california_housing.csv``.
        rows: the first so many, or all.
    """
    try:
        frame, said = pl.read_csv(real_table(f"{SET}.csv"), n_rows=rows), SET
    except Skipped as reason:
        frame, said = _made(rows or 20_640), f"a made table, since {reason}"
    frame.write_csv(folder / f"{SET}.csv")
    return said


def _made(rows: int) -> pl.DataFrame:
    """Eight numbers, a category, and a target that is not linear in them."""
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, 8)).round(3)
    kind = random.integers(0, 4, rows)
    y = x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + 2 * x[:, 3] + kind + random.normal(size=rows)
    return pl.DataFrame(
        {
            **{f"x{i}": x[:, i] for i in range(8)},
            "kind": np.array(["north", "east", "south", "west"])[kind],
            TARGET: y.round(3),
        }
    )


def _process(
    name: str, command: list[str], folder: Path, label: str = "", **environment: str
) -> Contender:
    """A whole process in a folder, which prints its score as JSON."""
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment}

    def run() -> float:
        done = subprocess.run(
            command,
            env=variables,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr.strip()[-300:] or f"{command[0]} failed")
        return float(json.loads(done.stdout)["value"])

    return Contender(name, run, label=label)


def _workload(name: str, model: str, quick: bool) -> Workload:
    scratch = tempfile.TemporaryDirectory()
    folder = Path(scratch.name)
    data = table(folder, 300 if quick else None)
    command = str(Path(sys.executable).with_name("fallline"))
    fit = [command, "fit", str(folder / f"{SET}.csv")]
    fit += ["--target", TARGET, "--model", model, "--json"]
    fit += ["--epochs", "3", "--lr", "0.01"] if quick else []
    ours = _process("Fallline", fit, folder, "warm cache", FALLLINE_CACHE=str(folder / "cache"))

    def sklearn() -> Contender:
        import sklearn  # noqa: F401

        script = [sys.executable, "-m", "benchmarks.peers.sklearn_table", SET]
        read = {"FALLLINE_DATA": str(folder)}
        if model == "linear":
            return _process("scikit-learn", [*script, "linear"], folder, "least squares", **read)
        limits = {"": {}, ", 1 thread": {"OMP_NUM_THREADS": "1"}}
        variants = [
            _process(
                "scikit-learn",
                [*script, "mlp-early", rate],
                folder,
                f"rate {rate}{label}",
                **read,
                **limit,
            )
            for rate in RATES
            for label, limit in limits.items()
        ]
        return variants[0] if quick else fastest(*variants)

    def keeping(contender: Contender) -> Contender:
        run: Any = contender.run

        def kept() -> float:
            assert scratch  # the files live as long as this function
            return run()

        return Contender(contender.name, kept, label=contender.label)

    note = f"{data}; scikit-learn reads by polars"
    if model == "linear":
        note += " and solves instead of descending"
    else:
        note += (
            ", its network stops early: the faster of two learning rates, and of one thread or all"
        )
    return Workload(
        name,
        [keeping(ours), keeping(peer("scikit-learn", sklearn))],
        {"scikit-learn": 3.0},
        updates=1,
        tolerance=0.03,
        higher_is_better=True,
        note=note,
    )
