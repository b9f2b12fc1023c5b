"""One process of `benchmarks.memory`: makes data of a size, trains on them, and prints its peak as JSON.

python -m benchmarks.memory_point KIND CONTENDER SIZE FOLDER

Libraries are imported inside the functions: a process has only what its contender needs.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COLUMNS = 20


@dataclass
class Kind:
    """One thing that grows.

    Attributes:
        title: over the panel.
        label: of the horizontal axis.
        each: what one more of is counted: "row".
        sizes: from small to large.
        contenders: name -> prepare(size, folder), which imports, makes the data, and returns how many rows or
            parameters there are, how many bytes the data have, and the work.
        note: what is done.
    """

    title: str
    label: str
    each: str
    sizes: Sequence[int]
    contenders: dict[str, Callable[[int, Path], tuple[int, int, Callable[[], Any]]]]
    note: str


def peak() -> int:
    """The most memory this process had so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def table(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Single precision, with hardly anything besides in memory while they are made."""
    random = np.random.default_rng(0)
    X = random.standard_normal((rows, COLUMNS), dtype=np.float32)
    y = X @ np.linspace(-1, 1, COLUMNS, dtype=np.float32)
    return X, y


def train_rows(rows: int, _: Path) -> Any:
    from fallline import models
    from fallline.descent import train

    def work() -> Any:
        data = table(rows)
        model = models.Linear(COLUMNS, 1)
        return train.train(
            model,
            "squared_error",
            data,
            optimizer="sgd",
            learning_rate=0.01,
            batch_size=256,
            epochs=1,
        )

    return rows, rows * (COLUMNS + 1) * 4, work


def estimator_rows(rows: int, _: Path) -> Any:
    from fallline.estimators import LinearRegressor

    def work() -> Any:
        X, y = table(rows)
        return LinearRegressor(learning_rate_init=0.01, batch_size=256, max_iter=1, tol=None).fit(
            X, y
        )

    return rows, rows * (COLUMNS + 1) * 4, work


def sgd_rows(rows: int, _: Path) -> Any:
    from sklearn.linear_model import SGDRegressor

    def work() -> Any:
        X, y = table(rows)
        return SGDRegressor(max_iter=1, tol=None).fit(X, y)

    return rows, rows * (COLUMNS + 1) * 4, work


def _parameters(width: int) -> int:
    return COLUMNS * width + width + width * width + width + width + 1


def train_width(width: int, _: Path) -> Any:
    from fallline import models
    from fallline.descent import train

    def work() -> Any:
        model = models.MLP(COLUMNS, (width, width), 1)
        return train.train(
            model, "squared_error", table(2048), learning_rate=0.001, batch_size=128, steps=8
        )

    return _parameters(width), _parameters(width) * 4, work


def sklearn_width(width: int, _: Path) -> Any:
    from sklearn.neural_network import MLPRegressor

    def work() -> Any:
        X, y = table(1024)
        net = MLPRegressor(
            hidden_layer_sizes=(width, width), batch_size=128, max_iter=1, n_iter_no_change=100
        )
        return net.fit(X, y)

    return _parameters(width), _parameters(width) * 4, work


def torch_width(width: int, _: Path) -> Any:
    from benchmarks.peers.eager import Eager

    def work() -> Any:
        X, y = table(2048)
        net = Eager(X, y, hidden=(width, width), batch=128)
        net.steps(8)
        return net

    return _parameters(width), _parameters(width) * 4, work


def csv(rows: int, folder: Path) -> Path:
    """A table of numbers of some six digits as text, made once a size by another process."""
    import multiprocessing

    place = folder / f"{rows}.csv"
    lock = folder / f"{rows}.lock"
    from filelock import FileLock

    with FileLock(lock):
        if not place.exists():
            maker = multiprocessing.get_context("spawn").Process(target=_write, args=(rows, place))
            maker.start()
            maker.join()
    return place


def _write(rows: int, place: Path) -> None:
    import polars as pl

    X, y = table(rows)
    frame = pl.DataFrame({f"x{k}": X[:, k] for k in range(COLUMNS)}).with_columns(target=y)
    frame.write_csv(place, float_precision=4)


def fit_csv(rows: int, folder: Path) -> Any:
    place = csv(rows, folder)
    import jax
    import polars

    from fallline.cli.main import main

    del jax, polars

    def work() -> None:
        sys.argv = ["fallline", "fit", str(place), "--target", "target", "--model", "linear"]
        sys.argv += ["--lr", "0.01", "--epochs", "1", "--out", str(folder / f"run-{os.getpid()}")]
        with contextlib.suppress(SystemExit), contextlib.redirect_stdout(sys.stderr):
            main()

    return rows, place.stat().st_size, work


def sklearn_csv(rows: int, folder: Path) -> Any:
    place = csv(rows, folder)
    import polars as pl
    from sklearn.linear_model import SGDRegressor
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def work() -> Any:
        frame = pl.read_csv(place)
        X, y = frame.drop("target").to_numpy(), frame["target"].to_numpy()
        a, b, ya, yb = train_test_split(X, y, test_size=0.2, random_state=0)
        model = make_pipeline(StandardScaler(), SGDRegressor(max_iter=1, tol=None)).fit(a, ya)
        return model.score(b, yb)

    return rows, place.stat().st_size, work


KINDS = {
    "rows": Kind(
        "Memory for rows",
        "size of the table",
        "row",
        (10_000, 100_000, 1_000_000, 3_000_000),
        {
            "Fallline, train": train_rows,
            "Fallline, LinearRegressor": estimator_rows,
            "scikit-learn SGDRegressor": sgd_rows,
        },
        f"A linear model, one epoch, {COLUMNS} columns and the target in single precision, "
        f"{COLUMNS * 4 + 4} bytes a row.",
    ),
    "parameters": Kind(
        "Memory for parameters",
        "size of the parameters",
        "parameter",
        (64, 256, 1024, 4096),
        {
            "Fallline, train": train_width,
            "scikit-learn MLPRegressor": sklearn_width,
            "torch eager": torch_width,
        },
        f"A network of {COLUMNS}-w-w-1 with Adam, eight steps of 128 rows, 4 bytes a parameter; Adam's two "
        "averages and a gradient would make 16.",
    ),
    "csv": Kind(
        "Memory for a CSV file",
        "size of the file",
        "row",
        (10_000, 100_000, 1_000_000),
        {"fallline fit": fit_csv, "scikit-learn, polars": sklearn_csv},
        "A linear model, one epoch, from text to a held-out score, scaling included; fallline "
        "fit also writes the run.",
    ),
}


def main() -> None:
    """Do the work and print what it took."""
    kind, name, size, folder = sys.argv[1:]
    warnings.simplefilter("ignore")
    count, data, work = KINDS[kind].contenders[name](int(size), Path(folder))
    before = peak()
    kept = work()
    after = peak()
    del kept
    print(json.dumps({"count": count, "data": data, "imports": before, "peak": after - before}))


if __name__ == "__main__":
    main()
