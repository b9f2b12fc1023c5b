"""Loops compiled by numba: what somebody writes who wants one linear model fast.

One thread, single precision, fastmath, no allocation inside; the number of columns is known to the compiler,
and rows come in a new order every epoch, drawn by a generator of three shifts. A closed-over number is a
constant to numba, so each shape is compiled for itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

_SEED = np.uint64(88172645463325252)


@njit(nogil=True, inline="always")
def _shuffle(order: np.ndarray, state: np.uint64) -> np.uint64:
    """Fisher and Yates's shuffle in place; the generator's next state."""
    for i in range(order.size - 1, 0, -1):
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        j = ((state >> np.uint64(32)) * np.uint64(i + 1)) >> np.uint64(32)
        order[i], order[j] = order[j], order[i]
    return state


@njit(fastmath=True, inline="always")
def _squared(z: Any, target: Any) -> Any:
    return z - target


@njit(fastmath=True, inline="always")
def _logistic(z: Any, target: Any) -> Any:
    return np.float32(1) / (np.float32(1) + np.exp(-z)) - target


_SLOPES = {"half_squared_error": _squared, "binary_cross_entropy": _logistic}


def single_rows(columns: int, loss: str) -> Callable[..., np.ndarray]:
    """Descent on one row a step: ``loop(x, y, rate, epochs) -> weights``, the bias last."""
    slope = _SLOPES[loss]

    @njit(fastmath=True, nogil=True)
    def loop(x: np.ndarray, y: np.ndarray, rate: np.float32, epochs: int) -> np.ndarray:
        order = np.arange(x.shape[0]).astype(np.int32)
        weights = np.zeros(columns + 1, np.float32)
        w, bias, state = weights[:columns], np.float32(0), _SEED
        for _ in range(epochs):
            state = _shuffle(order, state)
            for i in order:
                z = bias
                for j in range(columns):
                    z += x[i, j] * w[j]
                c = rate * slope(z, y[i])
                for j in range(columns):
                    w[j] -= c * x[i, j]
                bias -= c
        weights[columns] = bias
        return weights

    return loop


def batches(columns: int, size: int) -> Callable[..., np.ndarray]:
    """Linear regression on some rows a step; as `single_rows`, for rows that the size divides."""

    @njit(fastmath=True, nogil=True)
    def loop(x: np.ndarray, y: np.ndarray, rate: np.float32, epochs: int) -> np.ndarray:
        order = np.arange(x.shape[0]).astype(np.int32)
        weights, g = np.zeros(columns + 1, np.float32), np.zeros(columns, np.float32)
        w, bias, state = weights[:columns], np.float32(0), _SEED
        c = rate / np.float32(size)
        for _ in range(epochs):
            state = _shuffle(order, state)
            for begin in range(0, x.shape[0], size):
                total = np.float32(0)
                g[:] = 0
                for k in range(begin, begin + size):
                    i = order[k]
                    z = bias - y[i]
                    for j in range(columns):
                        z += x[i, j] * w[j]
                    for j in range(columns):
                        g[j] += z * x[i, j]
                    total += z
                for j in range(columns):
                    w[j] -= c * g[j]
                bias -= c * total
        weights[columns] = bias
        return weights

    return loop


def sparse_rows(loss: str) -> Callable[..., np.ndarray]:
    """As `single_rows`, of a table in CSR form and without a bias."""
    slope = _SLOPES[loss]

    @njit(fastmath=True, nogil=True)
    def loop(
        data: np.ndarray,
        indices: np.ndarray,
        indptr: np.ndarray,
        y: np.ndarray,
        columns: int,
        rate: np.float32,
        epochs: int,
    ) -> np.ndarray:
        order = np.arange(y.size).astype(np.int32)
        w, state = np.zeros(columns + 1, np.float32), _SEED
        for _ in range(epochs):
            state = _shuffle(order, state)
            for i in order:
                begin, end = indptr[i], indptr[i + 1]
                z = np.float32(0)
                for k in range(begin, end):
                    z += data[k] * w[indices[k]]
                c = rate * slope(z, y[i])
                for k in range(begin, end):
                    w[indices[k]] -= c * data[k]
        return w

    return loop
