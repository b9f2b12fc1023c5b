"""Logistic regression on tables that store only what is not zero: a9a, and one made like RCV1."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness import Contender, Workload, fastest, peer
from benchmarks.limits import level
from benchmarks.real import real_table
from benchmarks.workloads.linear import LOGISTIC, mean_loss, ours, sklearn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COLUMNS, STORED = 47_000, 72
"""Of the synthetic table; RCV1 itself has 47,236 columns and about 75 numbers a row."""

RATES = {"a9a": 0.002, "RCV1-like": 0.05}
"""At one row a step; 32 times as much in batches of 32, which is the same distance an epoch."""


def workloads(quick: bool) -> Iterator[tuple[str, Callable[[], Workload]]]:
    """Two tables, one row a step and batches of 32; if quick, each in one way."""
    for table in ("a9a", "RCV1-like"):
        for size in (1, 32):
            if quick and (table == "a9a") == (size == 1):
                continue
            name = f"sparse logistic, {table}, batch {size}"
            yield name, functools.partial(_workload, name, table, size, quick)


@functools.cache
def _a9a(rows: int) -> tuple[Any, np.ndarray]:
    from sklearn.datasets import load_svmlight_file

    path = real_table("a9a")
    x, y = load_svmlight_file(str(path), n_features=123, dtype=np.float32)
    return x[:rows], (y[:rows] > 0).astype(np.float32)


@functools.cache
def _like_rcv1(rows: int) -> tuple[Any, np.ndarray]:
    """Column k stands in a row about as often as the k-th word in a text, and rows have the length 1."""
    from scipy.sparse import csr_array

    random = np.random.default_rng(0)
    names = random.permutation(COLUMNS)
    drawn = np.exp(random.random((rows, 3 * STORED)) * np.log(COLUMNS)).astype(np.int64)
    chosen: list[np.ndarray] = []
    for row in drawn:
        found, first = np.unique(row, return_index=True)
        chosen.append(np.sort(names[found[np.argsort(first)[:STORED]]]))
    starts = np.concatenate([[0], np.cumsum([len(row) for row in chosen])])
    indices = np.concatenate(chosen).astype(np.int32)
    values = random.exponential(size=len(indices)) + 0.1
    lengths = np.sqrt(np.add.reduceat(values**2, starts[:-1]))
    values = (values / np.repeat(lengths, np.diff(starts))).astype(np.float32)
    x = csr_array((values, indices, starts.astype(np.int32)), shape=(rows, COLUMNS))
    z = x @ (4.0 * random.normal(size=COLUMNS))
    return x, (random.random(rows) < 1 / (1 + np.exp(np.median(z) - z))).astype(np.float32)


def _numba(x: Any, y: np.ndarray, rate: float, epochs: int, quality: Any) -> Contender:
    from benchmarks.peers.loops import sparse_rows

    loop = sparse_rows(LOGISTIC)

    def run() -> Any:
        weights = loop(x.data, x.indices, x.indptr, y, x.shape[1], np.float32(rate), epochs)
        return lambda: quality(weights)

    return Contender("numba", run, label="fastmath loop")


def _workload(name: str, table: str, size: int, quick: bool) -> Workload:
    if table == "a9a":
        x, y = _a9a(3_200 if quick else 32_544)
        epochs = 1 if quick else 10
    else:
        x, y = _like_rcv1(1_600 if quick else 20_000)
        epochs = 1 if quick else 3
    rate = RATES[table]

    def quality(weights: np.ndarray) -> float:
        return mean_loss(x @ weights[:-1] + weights[-1], y, LOGISTIC)

    contenders = [
        ours(x, y, LOGISTIC, rate * size, size, epochs, quality, bias=False),
        fastest(
            *(
                sklearn(x, y, LOGISTIC, rate, epochs, quality, dtype, bias=False)
                for dtype in (np.float32, np.float64)
            )
        ),
    ]
    targets = {"scikit-learn SGDClassifier": 1.0}
    note = (
        "nobody has a bias, whose steps scikit-learn makes a hundred times smaller on sparse tables; "
        "scikit-learn in the precision that is faster for it"
    )
    if size == 1:
        contenders.append(peer("numba", lambda: _numba(x, y, rate, epochs, quality)))
    else:
        note += (
            f"; it knows no batches: as many passes, one row a step at a rate {size} times smaller"
        )
    return Workload(
        name,
        contenders,
        targets,
        updates=x.shape[0] * epochs // size,
        flops=4.0 * x.nnz * epochs,
        bytes=8.0 * x.nnz * epochs,
        note=note,
        memory=level(8 * x.nnz),
    )
