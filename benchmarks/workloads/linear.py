"""Linear models by plain descent: constant rate, no penalty, weights from zero, rows shuffled every epoch."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

import fallline
from benchmarks.harness import Contender, Workload, fastest, peer
from benchmarks.limits import level
from fallline import models, optimizers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Quality = Callable[[np.ndarray], float]

SQUARED, LOGISTIC = "half_squared_error", "binary_cross_entropy"
ROWS = {10: 51_200, 100: 20_480, 112: 20_480, 784: 10_240}
EPOCHS = {1: {10: 60, 100: 60, 784: 20}, 32: {10: 100, 112: 60, 784: 20}}
EPOCHS[256] = {columns: 2 * epochs for columns, epochs in EPOCHS[32].items()}
TARGETS = {10: (3.0, 0.85), 100: (6.0, 1.3), 784: (4.0, 1.1)}
"""Against scikit-learn and numba, at one row a step."""

QUICK = ((32, 10), (32, 784), (256, 112))
"""Rows and features of the batches that quick mode keeps."""


def workloads(quick: bool) -> Iterator[tuple[str, Callable[[], Workload]]]:
    """One row a step, then batches; if quick, fewer shapes."""
    for columns in (10,) if quick else (10, 100, 784):
        name = f"linear, batch 1, {columns} features"
        yield name, functools.partial(_single, name, columns, SQUARED, quick)
    name = "logistic, batch 1, 100 features"
    yield name, functools.partial(_single, name, 100, LOGISTIC, quick)
    for size in (32, 256):
        for columns in (10, 112, 784):
            if quick and (size, columns) not in QUICK:
                continue
            name = f"linear, batch {size}, {columns} features"
            yield name, functools.partial(_batches, name, columns, size, quick)


def table(rows: int, columns: int, loss: str) -> tuple[np.ndarray, np.ndarray, Quality]:
    """Features, targets, and the mean loss over all rows of weights whose last one is the bias."""
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, columns)).astype(np.float32)
    y = x @ (random.normal(size=columns) / np.sqrt(columns)) + 0.5 * random.normal(size=rows)
    y = (y > 0 if loss == LOGISTIC else y).astype(np.float32)

    def quality(weights: np.ndarray) -> float:
        z = x @ weights[:-1] + weights[-1]
        return mean_loss(z, y, loss)

    return x, y, quality


def mean_loss(z: np.ndarray, y: np.ndarray, loss: str) -> float:
    """The mean loss of outputs, in double precision."""
    z, y = z.astype(np.float64), y.astype(np.float64)
    values = 0.5 * (z - y) ** 2 if loss == SQUARED else np.logaddexp(0.0, z) - y * z
    return float(values.mean())


def ours(
    x: Any,
    y: np.ndarray,
    loss: str,
    rate: float,
    size: int,
    epochs: int,
    quality: Quality,
    bias: bool = True,
) -> Contender:
    """The whole of `fallline.train`, its history recorded."""
    model = models.Linear(x.shape[1], bias=bias)
    layer = {"weights": np.zeros((x.shape[1], 1), np.float32)}
    start = {"affine1": layer | ({"bias": np.zeros(1, np.float32)} if bias else {})}

    def run() -> Any:
        found = fallline.train(
            model,
            loss,
            (x, y),
            params=start,
            optimizer=optimizers.SGD(rate),
            batch_size=size,
            epochs=epochs,
        )
        layer = found.params["affine1"]
        weights = np.append(layer["weights"], layer["bias"] if bias else 0)
        return lambda: quality(weights)

    return Contender("Fallline", run)


def sklearn(
    x: Any,
    y: np.ndarray,
    loss: str,
    rate: float,
    epochs: int,
    quality: Quality,
    dtype: Any,
    bias: bool = True,
) -> Contender:
    """SGDRegressor or SGDClassifier at a constant rate, rows shuffled, in single or double precision."""
    from sklearn.linear_model import SGDClassifier, SGDRegressor

    kind = SGDClassifier if loss == LOGISTIC else SGDRegressor
    x, y = x.astype(dtype), y.astype(np.int32 if loss == LOGISTIC else dtype)

    def run() -> Any:
        estimator = kind(
            loss="log_loss" if loss == LOGISTIC else "squared_error",
            penalty=None,
            learning_rate="constant",
            eta0=rate,
            max_iter=epochs,
            tol=None,
            random_state=0,
            fit_intercept=bias,
        ).fit(x, y)
        weights = np.append(estimator.coef_, estimator.intercept_)
        return lambda: quality(weights)

    return Contender(f"scikit-learn {kind.__name__}", run, label=np.dtype(dtype).name)


def _vowpal(x: np.ndarray, y: np.ndarray, rate: float, epochs: int, quality: Quality) -> Contender:
    import tempfile
    from pathlib import Path

    import polars as pl
    from vowpalwabbit import Workspace

    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "rows.txt"
    features = [pl.lit(f" {j}:") + pl.col(f"column_{j}").cast(pl.String) for j in range(x.shape[1])]
    frame = pl.DataFrame(x, schema=[f"column_{j}" for j in range(x.shape[1])])
    lines = frame.with_columns(y=pl.Series(y)).select(
        pl.concat_str(
            pl.col("y").cast(pl.String),
            pl.lit(" |"),
            *features,
            pl.lit(" "),
            pl.lit(f"{x.shape[1]}:1"),
        )
    )
    path.write_text("\n".join(lines.to_series()) + "\n")
    # Its squared error has no half, so that its slope is twice ours; the bias is a column of ones.
    options = (
        f"--data {path} --cache_file {path}.cache --holdout_off --quiet --sgd --power_t 0 --noconstant "
        f"-l {rate / 2!r} -b {x.shape[1].bit_length()} --passes "
    )
    Workspace(f"{options} 1").finish()  # writes the cache, from which all passes of a run are read

    def run() -> Any:
        assert folder  # the files live as long as this function
        learner = Workspace(f"{options} {epochs}")
        weights = np.array([learner.get_weight(j) for j in range(x.shape[1] + 1)])
        learner.finish()
        return lambda: quality(weights)

    return Contender("Vowpal Wabbit", run, label="cached passes")


def _numba(
    x: np.ndarray, y: np.ndarray, loss: str, rate: float, size: int, epochs: int, quality: Quality
) -> Contender:
    from benchmarks.peers import loops

    columns = x.shape[1]
    loop = loops.single_rows(columns, loss) if size == 1 else loops.batches(columns, size)

    def run() -> Any:
        weights = loop(x, y, np.float32(rate), epochs)
        return lambda: quality(weights)

    return Contender("numba", run, label="fastmath loop")


def _torch(
    x: np.ndarray,
    y: np.ndarray,
    rate: float,
    size: int,
    epochs: int,
    quality: Quality,
    *,
    graph: bool,
) -> Contender:
    import torch

    features, targets = torch.tensor(x), torch.tensor(y)[:, None]

    def by_autograd() -> Any:
        layer = torch.nn.Linear(x.shape[1], 1)
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
        optimizer = torch.optim.SGD(layer.parameters(), lr=rate, fused=True)
        for _ in range(epochs):
            for rows in torch.randperm(len(x)).split(size):
                optimizer.zero_grad()
                loss = torch.nn.functional.mse_loss(layer(features[rows]), targets[rows])
                (0.5 * loss).backward()
                optimizer.step()
        parts = (layer.weight.detach().numpy()[0], layer.bias.detach().numpy())
        return lambda: quality(np.concatenate(parts))

    def by_hand() -> Any:
        weights, bias, scale = torch.zeros(x.shape[1], 1), torch.zeros(1), -rate / size
        for _ in range(epochs):
            for rows in torch.randperm(len(x)).split(size):
                some = features[rows]
                left = torch.addmm(bias, some, weights).sub_(targets[rows])
                weights.addmm_(some.T, left, alpha=scale)
                bias.add_(left.sum(), alpha=scale)
        return lambda: quality(np.concatenate([weights.numpy()[:, 0], bias.numpy()]))

    run, label = (by_autograd, "autograd") if graph else (by_hand, "gradient by hand")
    # Smaller products are done before a second thread has woken up.
    threads = (1, 2) if size * x.shape[1] > 2**14 else (1,)
    return Contender("torch eager", run, threads, label)


def _single(name: str, columns: int, loss: str, quick: bool) -> Workload:
    rows, epochs = ROWS[columns], EPOCHS[1][columns]
    rows, epochs = (rows // 8, epochs // 10) if quick else (rows, epochs)
    x, y, quality = table(rows, columns, loss)
    rate = 0.02 / (columns + 10) * (8 if loss == LOGISTIC else 1)
    work = (rate, epochs, quality)
    kind = "SGDClassifier" if loss == LOGISTIC else "SGDRegressor"
    contenders = [
        ours(x, y, loss, rate, 1, epochs, quality),
        fastest(*(sklearn(x, y, loss, *work, dtype=t) for t in (np.float32, np.float64))),
        peer("numba", lambda: _numba(x, y, loss, rate, 1, epochs, quality)),
    ]
    against_sklearn, against_numba = TARGETS[columns]
    targets = {f"scikit-learn {kind}": against_sklearn, "numba": against_numba}
    note = "scikit-learn in the precision that is faster for it"
    if loss == SQUARED:
        contenders.insert(2, peer("Vowpal Wabbit", lambda: _vowpal(x, y, *work)))
        targets["Vowpal Wabbit"] = 8.0
        note += (
            "; Vowpal Wabbit makes plain steps and reads its cache (already written) in the same order every "
            "pass, with a thread of its own for reading"
        )
    return Workload(
        name,
        contenders,
        targets,
        updates=rows * epochs,
        flops=4.0 * columns * rows * epochs,
        bytes=float(x.nbytes * epochs),
        note=note,
        memory=level(x.nbytes),
    )


def _batches(name: str, columns: int, size: int, quick: bool) -> Workload:
    rows, epochs = ROWS[columns], EPOCHS[size][columns]
    rows, epochs = (rows // 4, epochs // 20) if quick else (rows, epochs)
    x, y, quality = table(rows, columns, SQUARED)
    rate = 0.1 * size / (columns + size)
    work = (rate, size, epochs, quality)

    def torch_eager() -> Contender:
        tried = [_torch(x, y, rate, size, 1, quality, graph=graph) for graph in (True, False)]
        return _torch(x, y, *work, graph=fastest(*tried) is tried[0])

    return Workload(
        name,
        [
            ours(x, y, SQUARED, *work),
            peer("numba", lambda: _numba(x, y, SQUARED, *work)),
            peer("torch eager", torch_eager),
        ],
        {"numba": 1.5 if columns <= 112 else 1.05},
        updates=rows * epochs // size,
        flops=4.0 * columns * rows * epochs,
        bytes=float(x.nbytes * epochs),
        note="torch in the way that is faster: autograd with its fused SGD, or the gradient by hand",
        memory=level(x.nbytes),
    )
