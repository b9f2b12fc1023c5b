"""Peers on tables larger than memory: scikit-learn, torch and Dask-ML, each in its best reasonable use.

A peer is a function of a folder and of what is asked for; it imports its library and returns the work. The
work says when it is ready to train and when an epoch is over, and returns R2 on the held-out rows.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Mark = Callable[[float], None]
    Work = Callable[[Mark], float]
    Arrays = tuple[np.ndarray, np.ndarray]

ADAM_RATE = 0.001
HIDDEN = (64, 64)
SINGLE_RATE = 1e-4
"""Of plain descent with one row a step."""

SGD_RATE = {512: 0.05, 4096: 0.1}


def held(folder: Path) -> Arrays:
    """The held-out rows."""
    return np.load(folder / "held" / "X.npy"), np.load(folder / "held" / "y.npy")


def r2(truth: np.ndarray, prediction: np.ndarray) -> float:
    """The share of the variance that is explained."""
    off = truth.astype(np.float64) - np.asarray(prediction, np.float64).ravel()
    return float(1 - (off @ off) / (len(truth) * truth.var(dtype=np.float64)))


def read_group(file: Any, group: int) -> Arrays:
    """A row group as arrays; the target is the last column."""
    columns = file.read_row_group(group).columns
    X = np.empty((len(columns[0]), len(columns) - 1), np.float32)
    for k, column in enumerate(columns[:-1]):
        X[:, k] = column.to_numpy()
    return X, columns[-1].to_numpy()


def groups(place: str, seed: int) -> Iterator[Arrays]:
    """The row groups in a random order, each with its rows in a random order."""
    from pyarrow import parquet

    random = np.random.default_rng(seed)
    with parquet.ParquetFile(place) as file:
        for group in random.permutation(file.num_row_groups):
            X, y = read_group(file, int(group))
            order = random.permutation(len(y))
            yield X[order], y[order]


def _sklearn(folder: Path, epochs: int, model: Any) -> Work:
    def work(mark: Mark) -> float:
        mark(0)
        for epoch in range(epochs):
            for X, y in groups(str(folder / "table.parquet"), epoch):
                model.partial_fit(X, y)
            mark(epoch + 1)
        X, y = held(folder)
        return r2(y, model.predict(X))

    return work


def sklearn_linear(folder: Path, asked: dict[str, Any]) -> Work:
    """`SGDRegressor.partial_fit`: a step a row, with a rate that suits that."""
    from pyarrow import parquet
    from sklearn.linear_model import SGDRegressor

    del parquet
    rule = {"learning_rate": "constant", "eta0": SINGLE_RATE, "alpha": 0.0}
    return _sklearn(folder, asked["epochs"], SGDRegressor(**rule))


def sklearn_mlp(folder: Path, asked: dict[str, Any]) -> Work:
    """`MLPRegressor.partial_fit`, which takes the batches from the row group by itself."""
    from pyarrow import parquet
    from sklearn.neural_network import MLPRegressor

    del parquet
    rule: dict[str, Any] = {"hidden_layer_sizes": HIDDEN, "batch_size": asked["batch"]}
    rule |= {"learning_rate_init": ADAM_RATE, "alpha": 0.0, "random_state": 0}
    return _sklearn(folder, asked["epochs"], MLPRegressor(**rule))


def torch_streamed(folder: Path, asked: dict[str, Any]) -> Work:
    """A DataLoader over row groups that come as whole batches, read in its own process or in this one."""
    import torch
    from pyarrow import parquet

    del parquet
    batch, place = asked["batch"], str(folder / "table.parquet")

    class Rows(torch.utils.data.IterableDataset[Any]):
        epoch = 0

        def __iter__(self) -> Iterator[Any]:
            left: Arrays | None = None
            for X, y in groups(place, self.epoch):
                if left is not None:
                    X, y = np.concatenate([left[0], X]), np.concatenate([left[1], y])
                whole = len(y) // batch * batch
                for start in range(0, whole, batch):
                    stop = start + batch
                    yield torch.from_numpy(X[start:stop]), torch.from_numpy(y[start:stop])
                left = X[whole:], y[whole:]
            if left is not None and len(left[1]):
                yield torch.from_numpy(left[0]), torch.from_numpy(left[1])

    rows = Rows()
    loader = torch.utils.data.DataLoader(rows, batch_size=None, num_workers=asked["workers"])

    def begin(epoch: int) -> Any:
        rows.epoch = epoch
        return loader

    return _torch(folder, asked, begin)


def torch_memory(folder: Path, asked: dict[str, Any]) -> Work:
    """The whole table as tensors, whose rows a BatchSampler picks: the loader that most write first."""
    import torch
    from pyarrow import parquet

    place = str(folder / "table.parquet")

    def open_table() -> Any:
        with parquet.ParquetFile(place) as file:
            parts = [read_group(file, k) for k in range(file.num_row_groups)]
        X, y = (torch.from_numpy(np.concatenate(arrays)) for arrays in zip(*parts, strict=True))
        del parts

        class Rows(torch.utils.data.Dataset[Any]):
            def __len__(self) -> int:
                return len(y)

            def __getitem__(self, chosen: Any) -> Any:
                chosen = torch.as_tensor(chosen)
                return X[chosen], y[chosen]

        rows: Any = Rows()
        order = torch.utils.data.RandomSampler(rows)
        batches: Any = torch.utils.data.BatchSampler(order, asked["batch"], drop_last=False)
        return torch.utils.data.DataLoader(rows, batch_size=None, sampler=batches)

    opened: list[Any] = []

    def begin(epoch: int) -> Any:
        if not opened:
            opened.append(open_table())
        return opened[0]

    return _torch(folder, asked, begin, ahead=True)


def _torch(
    folder: Path, asked: dict[str, Any], begin: Callable[[int], Any], *, ahead: bool = False
) -> Work:
    """Train over loaders; ``ahead`` makes the first one before the epochs begin."""
    import torch

    torch.set_num_threads(asked["threads"])
    torch.manual_seed(0)
    linear = asked["model"] == "linear"
    sizes = [asked["columns"], *(() if linear else HIDDEN), 1]
    layers: list[Any] = []
    for a, b in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    for layer in layers[::2]:
        # As scikit-learn draws them, and Fallline where it is told to.
        torch.nn.init.xavier_uniform_(layer.weight)
    rule: Any = torch.optim.SGD if linear else torch.optim.Adam
    rate = SGD_RATE[asked["batch"]] if linear else ADAM_RATE
    optimizer = rule(net.parameters(), lr=rate, fused=True)

    def work(mark: Mark) -> float:
        if ahead:
            begin(0)
        mark(0)
        for epoch in range(asked["epochs"]):
            for x, y in begin(epoch):
                optimizer.zero_grad(set_to_none=True)
                torch.nn.functional.mse_loss(net(x)[:, 0], y).backward()
                optimizer.step()
            mark(epoch + 1)
        X, truth = held(folder)
        with torch.no_grad():
            return r2(truth, net(torch.from_numpy(X)).numpy())

    return work


def dask_linear(folder: Path, asked: dict[str, Any]) -> Work:
    """Dask-ML's `Incremental` around `SGDRegressor`, a block for each row group, read while others train."""
    import dask
    import dask.array as da
    from dask_ml.wrappers import Incremental
    from pyarrow import parquet
    from sklearn.linear_model import SGDRegressor

    place = str(folder / "table.parquet")
    dask.config.set(scheduler=asked["scheduler"])

    def piece(group: int) -> Arrays:
        with parquet.ParquetFile(place) as file:
            X, y = read_group(file, group)
        order = np.random.default_rng(group).permutation(len(y))
        return X[order], y[order]

    def work(mark: Mark) -> float:
        facts = parquet.ParquetFile(place).metadata
        lengths = [facts.row_group(k).num_rows for k in range(facts.num_row_groups)]
        pieces = [dask.delayed(piece)(k) for k in range(len(lengths))]
        columns = facts.num_columns - 1
        X = da.concatenate(
            [
                da.from_delayed(some[0], (n, columns), np.float32)
                for some, n in zip(pieces, lengths, strict=True)
            ]
        )
        y = da.concatenate(
            [
                da.from_delayed(some[1], (n,), np.float32)
                for some, n in zip(pieces, lengths, strict=True)
            ]
        )
        rule = {"learning_rate": "constant", "eta0": SINGLE_RATE, "alpha": 0.0}
        model = Incremental(SGDRegressor(**rule), shuffle_blocks=True, random_state=0)
        mark(0)
        for epoch in range(asked["epochs"]):
            model.partial_fit(X, y)
            mark(epoch + 1)
        rows, truth = held(folder)
        return r2(truth, model.estimator_.predict(rows))

    return work
