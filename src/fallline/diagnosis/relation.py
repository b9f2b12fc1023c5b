"""Do the inputs say anything of the target? Asked of nearest neighbours, and of a linear model.

References: Mantel, "The detection of disease clustering", Cancer Research 27 (1967); Pillai, "Some new test
criteria in multivariate analysis", Annals of Mathematical Statistics 26 (1955).
"""

from __future__ import annotations

import math

import numpy as np

NEIGHBOURED = 1500
"""Rows among which nearest neighbours are looked for, at most."""

TESTED = ("neighbour_score", "neighbour_p", "chance", "linear_score", "linear_p")
"""What is measured."""

_NEIGHBOURS, _PERMUTATIONS, _OUTPUTS = 5, 200, 8


def _ranks(y: np.ndarray) -> np.ndarray:
    """Standardised ranks by column, ties in the middle of their places."""
    ranks = np.empty(y.shape)
    for i, column in enumerate(y.T):
        _, each, sizes = np.unique(column, return_inverse=True, return_counts=True)
        ranks[:, i] = (np.cumsum(sizes) - (sizes - 1) / 2)[each]
    ranks -= np.mean(ranks, axis=0)
    return ranks / np.maximum(np.sqrt(np.mean(ranks**2, axis=0)), 1e-300)


def neighbours(
    z: np.ndarray, goals: np.ndarray, generator: np.random.Generator, *, classes: bool
) -> dict[str, float]:
    """Do the nearest rows tell a row's target? Against permutations of the targets.

    The p-value is that of a normal law with the permutations' mean and spread, so that it can be far below
    one over their number.

    Args:
        z: standardised columns, (n, d).
        goals: labels, (n,), or numbers, (n, outputs).
        generator: of the permutations.
        classes: are the goals labels?
    """
    from scipy import special

    n = len(z)
    size = np.sum(z**2, axis=1)
    apart = size[:, None] + size - 2 * (z @ z.T)
    np.fill_diagonal(apart, np.inf)
    near = np.argpartition(apart, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
    shuffled = generator.permuted(np.tile(np.arange(n), (_PERMUTATIONS, 1)), axis=1)
    orders = np.concatenate([np.arange(n)[None], shuffled])
    if classes:
        scores = np.array([np.mean(goals[o][near] == goals[o][:, None]) for o in orders])
        counts = np.bincount(goals)
        chance = float(np.sum(counts * (counts - 1.0)) / (n * (n - 1.0)))
    else:
        ranks = _ranks(goals[:, :_OUTPUTS])
        scores = np.array([_alike(ranks[o], near) for o in orders])
        chance = 0.0
    null = scores[1:]
    room = float(np.std(null, ddof=1))
    away = (scores[0] - float(np.mean(null))) / room if room > 0 else 0.0
    p = float(special.stdtr(_PERMUTATIONS - 1, -away / math.sqrt(1 + 1 / _PERMUTATIONS)))
    return {"neighbour_score": float(scores[0]), "neighbour_p": p, "chance": chance}


def _alike(ranks: np.ndarray, near: np.ndarray) -> float:
    """Mean correlation over outputs of a row's ranks with the mean of its neighbours'."""
    means = np.mean(ranks[near], axis=1)
    scale = np.maximum(np.std(means, axis=0), 1e-300)
    return float(np.mean(np.mean(ranks * means, axis=0) / scale))


def linear(left: np.ndarray, outputs: np.ndarray, *, ranked: bool) -> dict[str, float]:
    """Pillai's trace of inputs and outputs; for one output the F test of linear regression.

    Args:
        left: left singular vectors of the columns; at most a fifth as many as rows are used.
        outputs: centred, (n, k).
        ranked: is the p-value that of the outputs' ranks?
    """
    n = len(left)
    inputs = left[:, : max(1, n // 5)]
    score, p = _pillai(inputs, outputs)
    if ranked:
        p = _pillai(inputs, _ranks(outputs))[1]
    return {"linear_score": score, "linear_p": p}


def _pillai(inputs: np.ndarray, outputs: np.ndarray) -> tuple[float, float]:
    """Mean squared canonical correlation, adjusted, and the p-value of Pillai's trace."""
    from scipy import special

    basis, size, _ = np.linalg.svd(outputs, full_matrices=False)
    basis = basis[:, size > 1e-9 * size[0]]
    n, q, k = len(inputs), inputs.shape[1], basis.shape[1]
    s, left = min(q, k), n - 1 - q
    trace = float(np.sum((inputs.T @ basis) ** 2))
    score = 1 - (1 - trace / k) * (n - 1) / left
    upper, lower = s * max(q, k), s * (left - k + s)
    if lower <= 0:
        return score, math.nan
    # F = (V / upper) / ((s - V) / lower), by the beta function that gives its tail.
    return score, float(special.betainc(lower / 2, upper / 2, max(1 - trace / s, 0.0)))
