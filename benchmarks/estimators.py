"""Fallline's estimators against scikit-learn's, in one process, interleaved, on the same arrays.

python -m benchmarks.estimators [--rounds 3] [--parts defaults,work,search] [--sets adult,digits]
    [--out benchmarks/results/estimators.json]

``defaults``: every estimator at its defaults, on standardised columns and held-out rows. ``first`` is a fit
in which programs are compiled, ``fit`` the median of later ones. ``work``: the same network or linear model,
batch size and number of epochs on both sides, so that seconds compare. ``search``: a grid of 20 settings.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table
from sklearn import datasets
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier, SGDRegressor
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fallline import estimators as ours

FOLDER = os.environ.get("FALLLINE_DATA")
TARGETS = {"california_housing": "median_house_value", "diamonds": "price", "adult": "income"}
BUNDLED = {
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
    "breast_cancer": datasets.load_breast_cancer,
    "iris": datasets.load_iris,
}
REAL = [*TARGETS, "mnist10k", "a9a"]


def rows_of(name: str) -> tuple[Any, Any, Any, Any]:
    """Features standardised and encoded, targets; training and held-out rows of a set."""
    if name in BUNDLED:
        X, y = BUNDLED[name](return_X_y=True)
        parts = train_test_split(X, y, test_size=0.2, random_state=0)
        scaler = StandardScaler().fit(parts[0])
        return scaler.transform(parts[0]), parts[2], scaler.transform(parts[1]), parts[3]
    folder = Path(FOLDER or ".")
    if name == "a9a":
        a = datasets.load_svmlight_files([str(folder / "a9a"), str(folder / "a9a.t")])
        for table in (a[0], a[2]):
            # LogisticRegression takes no longer indices.
            table.indices, table.indptr = (
                part.astype(np.int32) for part in (table.indices, table.indptr)
            )
        return a[0], a[1], a[2], a[3]
    if name == "mnist10k":
        with np.load(folder / "mnist10k.npz") as archive:
            arrays = {key: archive[key] for key in archive.files}
        images = next(v for v in arrays.values() if v.ndim > 1)
        labels = next(v for v in arrays.values() if v.ndim == 1)
        X = images.reshape(len(images), -1) / 255.0
        parts = train_test_split(X, labels, test_size=0.2, random_state=0)
        return parts[0], parts[2], parts[1], parts[3]
    frame = pl.read_csv(folder / f"{name}.csv", null_values=["", "?", "NA"])
    y = frame[TARGETS[name]].to_numpy()
    frame = frame.drop(TARGETS[name])
    kinds = [frame[c].dtype.is_numeric() for c in frame.columns]
    number = [c for c, k in zip(frame.columns, kinds, strict=True) if k]
    word = [c for c, k in zip(frame.columns, kinds, strict=True) if not k]
    encode = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), number),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), word),
    )
    table = frame.with_columns(pl.col(word).fill_null("missing"))
    a, b, ya, yb = train_test_split(table, y, test_size=0.2, random_state=0)
    return encode.fit_transform(a), ya, encode.transform(b), yb


def contenders(y: Any) -> dict[str, dict[str, Any]]:
    """Label -> constructor, ours beside theirs, for a regression or a classification."""
    if np.asarray(y).dtype.kind == "f" and len(np.unique(y)) > 20:
        return {
            "linear": {
                "Fallline": lambda: ours.LinearRegressor(random_state=0),
                "SGDRegressor": lambda: SGDRegressor(random_state=0),
                "Ridge": lambda: Ridge(),
            },
            "network": {
                "Fallline": lambda: ours.MLPRegressor(random_state=0),
                "MLPRegressor": lambda: MLPRegressor(random_state=0),
            },
        }
    return {
        "linear": {
            "Fallline": lambda: ours.LinearClassifier(random_state=0),
            "SGDClassifier": lambda: SGDClassifier(random_state=0),
            "LogisticRegression": lambda: LogisticRegression(),
        },
        "network": {
            "Fallline": lambda: ours.MLPClassifier(random_state=0),
            "MLPClassifier": lambda: MLPClassifier(random_state=0),
        },
    }


def timed(make: Any, X: Any, y: Any) -> tuple[float, Any]:
    """Seconds of a fit, and the fitted estimator."""
    model = make()
    began = time.perf_counter()
    model.fit(X, y)
    return time.perf_counter() - began, model


def defaults(names: list[str], rounds: int) -> list[dict[str, Any]]:
    """Every set, every kind: score, first fit, later fits."""
    found: list[dict[str, Any]] = []
    for name in names:
        X, y, held, truth = rows_of(name)
        # scikit-learn's network does not standardise its target; on prices it would be lost.
        if np.asarray(y).dtype.kind in "fiu" and len(np.unique(y)) > 20:
            mean, spread = np.mean(y), np.std(y)
            y, truth = (y - mean) / spread, (truth - mean) / spread
        for kind, makers in contenders(y).items():
            rows: dict[str, dict[str, Any]] = {}
            for label, make in makers.items():
                seconds, model = timed(make, X, y)
                rows[label] = {"first": seconds, "score": model.score(held, truth), "fits": []}
                rows[label]["epochs"] = int(np.max(getattr(model, "n_iter_", 0) or 0))
            for _ in range(rounds):
                for label, make in makers.items():
                    rows[label]["fits"].append(timed(make, X, y)[0])
            for label, row in rows.items():
                row["fit"] = statistics.median(row["fits"])
                found.append({"set": name, "kind": kind, "estimator": label, **row})
                print(found[-1], file=sys.stderr)
    return found


def work(rounds: int) -> list[dict[str, Any]]:
    """The same work on both sides: rows, layers, batch size, epochs; seconds of a warm fit."""
    random = np.random.default_rng(0)
    cases: dict[str, tuple[Any, Any, Any, Any]] = {}
    for columns in (10, 100, 784):
        rows = 20_000 if columns < 784 else 5_000
        X = random.normal(size=(rows, columns)).astype(np.float32)
        y = (X @ random.normal(size=columns) > 0).astype(int)
        same = {"alpha": 1e-4, "max_iter": 5, "tol": None, "random_state": 0}
        cases[f"logistic, {columns} columns, batch 1, 5 epochs"] = (
            lambda same=same: ours.LinearClassifier(
                optimizer="sgd",
                learning_rate_init=0.01,
                schedule=None,
                batch_size=1,
                standardize=False,
                **same,
            ),
            lambda same=same: SGDClassifier(
                loss="log_loss", eta0=0.01, learning_rate="constant", **same
            ),
            X,
            y,
        )
    shapes = {
        "network 20-64-64-3, batch 32, 10 epochs": (10_000, 20, (64, 64), 3, 32, 10),
        "network 784-128-10, batch 64, 5 epochs": (8_000, 784, (128,), 10, 64, 5),
        "network 784-1024-1024-10, batch 256, 2 epochs": (8_000, 784, (1024, 1024), 10, 256, 2),
    }
    for label, (rows, columns, hidden, classes, size, epochs) in shapes.items():
        X = random.normal(size=(rows, columns)).astype(np.float32)
        y = random.integers(0, classes, rows)
        same = {
            "hidden_layer_sizes": hidden,
            "batch_size": size,
            "max_iter": epochs,
            "learning_rate_init": 0.001,
            "random_state": 0,
        }
        cases[label] = (
            lambda same=same: ours.MLPClassifier(
                schedule=None, standardize=False, tol=None, **same
            ),
            lambda same=same: MLPClassifier(n_iter_no_change=10_000, **same),
            X,
            y,
        )
    found: list[dict[str, Any]] = []
    for label, (mine, theirs, X, y) in cases.items():
        first, _ = timed(mine, X, y)
        seconds: dict[str, list[float]] = {"mine": [], "theirs": []}
        for _ in range(rounds):
            seconds["mine"].append(timed(mine, X, y)[0])
            seconds["theirs"].append(timed(theirs, X, y)[0])
        medians = {who: statistics.median(values) for who, values in seconds.items()}
        ratio = medians["theirs"] / medians["mine"]
        found.append({"work": label, "first": first, **medians, "ratio": ratio, "all": seconds})
        print(found[-1], file=sys.stderr)
    return found


def search(rounds: int) -> list[dict[str, Any]]:
    """A grid of 20 settings of a network on digits, in one process and in two."""
    X, y = datasets.load_digits(return_X_y=True)
    grid = {"alpha": [1e-5, 1e-4, 1e-3, 1e-2], "learning_rate_init": [5e-4, 1e-3, 2e-3, 5e-3, 1e-2]}
    found: list[dict[str, Any]] = []
    makers = {
        "Fallline": lambda: ours.MLPClassifier((64,), max_iter=50, random_state=0),
        "scikit-learn": lambda: MLPClassifier((64,), max_iter=50, random_state=0),
    }
    for jobs in (1, 2):
        seconds: dict[str, list[float]] = {label: [] for label in makers}
        scores: dict[str, float] = {}
        for _ in range(rounds):
            for label, make in makers.items():
                model = GridSearchCV(make(), grid, cv=3, n_jobs=jobs)
                began = time.perf_counter()
                model.fit(X, y)
                seconds[label].append(time.perf_counter() - began)
                scores[label] = model.best_score_
        for label in makers:
            median = statistics.median(seconds[label])
            row = {"search": label, "jobs": jobs, "seconds": median, "best": scores[label]}
            found.append({**row, "all": seconds[label]})
            print(found[-1], file=sys.stderr)
    return found


def show(parts: dict[str, list[dict[str, Any]]]) -> None:
    """The tables."""
    console = Console(width=120)
    for rows in parts.values():
        columns = [c for c in rows[0] if c not in ("fits", "all")]
        table = Table(box=None)
        for column in columns:
            table.add_column(column)
        for row in rows:
            cells = (row[c] for c in columns)
            table.add_row(*(f"{c:.4g}" if isinstance(c, float) else str(c) for c in cells))
        console.print(table)


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", default="defaults,work,search")
    parser.add_argument("--sets", default=",".join([*BUNDLED, *REAL]))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    names = arguments.sets.split(",")
    if FOLDER is None:
        names = [n for n in names if n in BUNDLED]
        print("FALLLINE_DATA names no folder: only the bundled sets are measured.", file=sys.stderr)
    warnings.simplefilter("ignore")
    chosen = arguments.parts.split(",")
    parts: dict[str, list[dict[str, Any]]] = {}
    if "defaults" in chosen:
        parts["defaults"] = defaults(names, arguments.rounds)
    if "work" in chosen:
        parts["work"] = work(arguments.rounds)
    if "search" in chosen:
        parts["search"] = search(arguments.rounds)
    show(parts)
    if arguments.out:
        versions = {n: importlib.metadata.version(n) for n in ("jax", "scikit-learn", "numpy")}
        facts = {
            "date": datetime.date.today().isoformat(),
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "versions": versions,
            "rounds": arguments.rounds,
            **parts,
        }
        arguments.out.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
