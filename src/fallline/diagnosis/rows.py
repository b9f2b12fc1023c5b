r"""What the rows alone tell: scales, conditioning, leaks, and whether the inputs say anything of the target.

NumPy only, nothing is compiled. What costs more than a pass is done on a sample. Rows of weight 0 and rows
with a number that is not finite are left out; all others count once.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

SAMPLE = 5000
"""Rows for what costs more than a pass, at most."""

NEIGHBOURED = 1500
"""Rows among which nearest neighbours are looked for, at most."""

FEWEST = 20
"""Rows below which nothing is tested."""

LEAK = 0.999
"""Mean recall of the classes by one column alone from which on it is a leak, if no other comes near."""

OTHERS = 0.99
"""Mean recall by another column alone that speaks for an easy set and against a leak."""

APART = 20.0
"""How many standard deviations (of the tighter class) lie between classes in a column that copies them."""

SAME_LINE = 0.9999
"""Correlation with the target from which on a column is a leak."""

_NEIGHBOURS, _PERMUTATIONS, _OUTPUTS = 5, 200, 8
_NUMBERS, _SAMPLED, _FEWEST_SAMPLED, _HASHED = 2**24, 2**21, 300, 20_000
_FEW_VALUES, _SCREENED, _BY_SVD = 50, 500, 256


@dataclasses.dataclass(frozen=True)
class RowFacts:
    """What the rows alone tell.

    Attributes:
        rows: rows that were looked at.
        columns: numbers a row.
        left_out: rows with numbers that are not finite.
        scale_ratio: the largest standard deviation of a column over the smallest, constant ones left out.
        largest_std: of all columns.
        smallest_std: of the columns that are not constant.
        largest_mean_to_std: largest absolute mean of a column over its standard deviation.
        widest_column: the one with the largest standard deviation; None if all are constant.
        farthest_column: the one with the largest mean over standard deviation; None likewise.
        constant: the constant columns.
        condition: of X'X/n with a column of ones, the largest over the smallest eigenvalue that is not 0:
            what plain gradient descent on a linear model has to do with.
        condition_standardized: the same with columns of mean 0 and standard deviation 1.
        target_constant: is the target the same in every row?
        target_mean: NaN for classes; the mean over outputs where there are several.
        target_std: NaN for classes; the root mean square over outputs.
        classes: how many; 0 in regression.
        majority: share of the largest class; NaN in regression.
        leak_column: a column that by itself gives the target away, or None.
        leak_strength: of that column its correlation, or the mean recall of the classes; NaN without.
        neighbour_score: how often the five nearest rows are of a row's class; in regression the rank
            correlation of targets with those of the nearest rows.
        neighbour_p: how likely so much is if the targets were shuffled.
        linear_score: mean squared canonical correlation of inputs and target, adjusted for the number of
            inputs; in regression of one target the adjusted R².
        linear_p: how likely so much is if the targets were shuffled; in regression for the target's ranks.
        chance: the neighbours' score to be expected of shuffled targets.
        duplicates: share of rows whose inputs equal those of an earlier one.
        contradictions: share of rows that have a twin with equal inputs and another target.
    """

    rows: int
    columns: int
    left_out: int
    scale_ratio: float
    largest_std: float
    smallest_std: float
    largest_mean_to_std: float
    widest_column: int | None
    farthest_column: int | None
    constant: tuple[int, ...]
    condition: float
    condition_standardized: float
    target_constant: bool
    target_mean: float
    target_std: float
    classes: int
    majority: float
    leak_column: int | None
    leak_strength: float
    neighbour_score: float
    neighbour_p: float
    linear_score: float
    linear_p: float
    chance: float
    duplicates: float
    contradictions: float


def check_rows(
    x: Any, y: Any, *, classification: bool, weights: Any = None, seed: int = 0
) -> RowFacts:
    r"""Check the rows of a table before, or instead of, blaming the descent.

    Whether the inputs say anything of the target is asked twice: of the nearest neighbours (against
    permutations) and of a linear model (the F test on principal components; for classes Pillai's trace).
    With shuffled targets both p-values are spread evenly over 0 to 1.

    A leak is a column that alone gives the target: correlated above 0.9999 with it and more than the other
    columns explain; or, for classes, one that tells them apart almost without fault, by few distinct values
    or with gaps of 20 standard deviations between, while no other column comes near.

    Costs some passes over the table and the eigenvalues of X'X: about half a second for 20,000 x 800.

    Args:
        x: inputs, (n, ...), dense.
        y: targets: numbers or labels, (n,), or numbers or one-hot rows, (n, outputs).
        classification: are the targets classes?
        weights: of the rows; only those of weight 0 matter.
        seed: of the sample and the permutations.

    References: Mantel, "The detection of disease clustering", Cancer Research 27 (1967); Pillai, "Some new
    test criteria in multivariate analysis", Annals of Mathematical Statistics 26 (1955).
    """
    # Eigenvalues of small matrices wait for threads longer than they take: 20 times on a busy machine.
    with threadpool_limits(1, user_api="blas"):
        return _checked(x, y, weights, seed, classification=classification)


def _checked(x: Any, y: Any, weights: Any, seed: int, *, classification: bool) -> RowFacts:
    flat = np.asarray(x).reshape(len(x), math.prod(np.shape(x)[1:]))
    target = np.asarray(y).reshape(len(flat), math.prod(np.shape(y)[1:]))
    finite = np.all(np.isfinite(flat), axis=1)
    if np.issubdtype(target.dtype, np.number):
        finite &= np.all(np.isfinite(target), axis=1)
    wanted = np.ones(len(flat), bool) if weights is None else np.asarray(weights).ravel() > 0
    left_out = int(np.sum(wanted & ~finite))
    if not np.all(wanted & finite):
        flat, target = flat[wanted & finite], target[wanted & finite]
    if classification:
        raw = np.argmax(target, axis=1) if target.shape[1] > 1 else target[:, 0]
        _, labels = np.unique(raw, return_inverse=True)
        counts = np.bincount(labels) if labels.size else np.zeros(1, int)
        goal: dict[str, Any] = {
            "target_constant": bool(np.max(counts) == labels.size),
            "target_mean": math.nan,
            "target_std": math.nan,
            "classes": int(np.sum(counts > 0)),
            "majority": float(np.max(counts) / max(labels.size, 1)),
        }
    else:
        target = target.astype(np.float64)
        labels = None
        goal = {
            "target_constant": bool(np.all(target == target[:1])),
            "target_mean": float(np.mean(target)) if target.size else math.nan,
            "target_std": float(np.sqrt(np.mean(np.var(target, axis=0)))) if target.size else 0.0,
            "classes": 0,
            "majority": math.nan,
        }
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(flat))
    some = order[: min(SAMPLE, max(_FEWEST_SAMPLED, _SAMPLED // max(flat.shape[1], 1)))]
    sample = flat[some].astype(np.float64)
    goals = target[some] if labels is None else labels[some]
    columns, varying = _scales(flat, order)
    z, left, values = _standardised(sample, varying, flat.dtype)
    leak = (None, math.nan)
    tested: dict[str, Any] = dict.fromkeys(_TESTED, math.nan)
    if len(some) >= FEWEST and z.shape[1] and not goal["target_constant"]:
        # The sample may have but one class where the table has more.
        outputs = _outputs(goals, classes=classification)
        if outputs.shape[1]:
            if np.sum(varying) > 1:
                inputs = sample[:, varying]
                leak = (
                    _class_leak(inputs, goals)
                    if classification
                    else _line_leak(inputs, goals, left)
                )
            near = slice(0, NEIGHBOURED)
            tested = _neighbours(z[near], goals[near], generator, classes=classification)
            tested |= _linear(left, outputs, ranked=not classification)
    column, strength = leak
    return RowFacts(
        rows=len(flat),
        columns=flat.shape[1],
        left_out=left_out,
        **columns,
        condition=_condition(sample, len(values)),
        condition_standardized=float(max(1.0, *values, 1.0) / min(1.0, *values, 1.0)),
        **goal,
        leak_column=None if column is None else int(np.flatnonzero(varying)[column]),
        leak_strength=strength,
        **tested,
        **_twins(flat, target if labels is None else labels, order[:_HASHED]),
    )


_TESTED = ("neighbour_score", "neighbour_p", "chance", "linear_score", "linear_p")


def _scales(flat: np.ndarray, order: np.ndarray) -> tuple[dict[str, Any], Bool[np.ndarray, " d"]]:
    """Means and standard deviations of the columns; which of them vary."""
    count, d = flat.shape
    constant = np.all(flat == flat[:1], axis=0)
    rows = (
        flat
        if flat.size <= _NUMBERS
        else flat[np.sort(order[: max(_FEWEST_SAMPLED, _NUMBERS // d)])]
    )
    shift = rows[:1].astype(np.float64) if count else np.zeros((1, d))
    total, squares = np.zeros(d), np.zeros(d)
    for first in range(0, len(rows), 2048):
        part = rows[first : first + 2048] - shift
        total += np.sum(part, axis=0)
        squares += np.einsum("ij,ij->j", part, part)
    mean = total / max(len(rows), 1)
    std = np.sqrt(np.maximum(squares / max(len(rows), 1) - mean**2, 0.0))
    mean = mean + shift[0]
    # A column that differs by the roundings of its numbers only is constant, too.
    constant |= std <= 4 * _rounding(flat.dtype) * np.abs(mean)
    varying = ~constant & (std > 0)
    wide = np.where(varying, std, -np.inf)
    far = np.where(varying, np.abs(mean) / np.where(varying, std, 1.0), -np.inf)
    known = bool(np.any(varying))
    largest = float(np.max(wide)) if known else 0.0
    smallest = float(np.min(std[varying])) if known else 0.0
    facts = {
        "scale_ratio": largest / smallest if known else 1.0,
        "largest_std": largest,
        "smallest_std": smallest,
        "largest_mean_to_std": float(np.max(far)) if known else 0.0,
        "widest_column": int(np.argmax(wide)) if known else None,
        "farthest_column": int(np.argmax(far)) if known else None,
        "constant": tuple(int(i) for i in np.flatnonzero(constant)),
    }
    return facts, varying


def _rounding(kind: np.dtype[Any]) -> float:
    return float(np.finfo(kind if np.issubdtype(kind, np.floating) else np.float64).eps)


def _standardised(
    sample: np.ndarray, varying: np.ndarray, kind: np.dtype[Any]
) -> tuple[np.ndarray, np.ndarray, Float[np.ndarray, " r"]]:
    """The sample standardised, its left singular vectors (n, r), and the eigenvalues of Z'Z/n, falling."""
    n = len(sample)
    z = sample[:, varying] - np.mean(sample[:, varying], axis=0) if n else sample[:, varying]
    std = np.sqrt(np.mean(z**2, axis=0)) if n else np.zeros(z.shape[1])
    z = z / np.where(std > 0, std, 1.0)
    if not (n and np.any(std > 0)):
        return z[:, :0], np.zeros((n, 0)), np.zeros(0)
    tall = n >= z.shape[1]
    values, vectors = np.linalg.eigh((z.T @ z if tall else z @ z.T) / n)
    values, vectors = values[::-1], vectors[:, ::-1]
    # Directions within the roundings of the numbers, or of this product, are none.
    least = max(n * _rounding(kind) ** 2, 1e-13 * len(values)) * values[0]
    rank = int(np.sum(values > least))
    values, vectors = values[:rank], vectors[:, :rank]
    return z, z @ vectors / np.sqrt(n * values) if tall else vectors, values


def _condition(sample: np.ndarray, rank: int) -> float:
    """The condition of X'X/n with a column of ones, X as it is."""
    if not (len(sample) and rank):
        return 1.0
    design = np.concatenate([np.ones((len(sample), 1)), sample], axis=1)
    rank = min(rank + 1, *design.shape)
    if design.shape[1] <= _BY_SVD:
        values = np.linalg.svd(np.linalg.qr(design, "r"), compute_uv=False) ** 2
    else:
        tall = design.shape[0] >= design.shape[1]
        values = np.linalg.eigvalsh(design.T @ design if tall else design @ design.T)[::-1]
        values = np.maximum(values, 1e-16 * values[0])
    return float(values[0] / values[rank - 1]) if values[rank - 1] > 0 else math.inf


def _outputs(goals: np.ndarray, *, classes: bool) -> Float[np.ndarray, "n outputs"]:
    """Centred outputs that vary: numbers, or classes as one-hot rows."""
    y = (goals[:, None] == np.unique(goals)).astype(np.float64) if classes else goals
    y = y - np.mean(y, axis=0)
    return y[:, np.any(np.abs(y) > 1e-12 * np.max(np.abs(y), initial=0.0), axis=0)]


def _ranks(y: np.ndarray) -> np.ndarray:
    """Standardised ranks by column, ties in the middle of their places."""
    ranks = np.empty(y.shape)
    for i, column in enumerate(y.T):
        _, each, sizes = np.unique(column, return_inverse=True, return_counts=True)
        ranks[:, i] = (np.cumsum(sizes) - (sizes - 1) / 2)[each]
    ranks -= np.mean(ranks, axis=0)
    return ranks / np.maximum(np.sqrt(np.mean(ranks**2, axis=0)), 1e-300)


def _neighbours(
    z: np.ndarray, goals: np.ndarray, generator: np.random.Generator, *, classes: bool
) -> dict[str, float]:
    """Do the nearest rows tell a row's target? Against permutations of the targets."""
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


def _linear(left: np.ndarray, outputs: np.ndarray, *, ranked: bool) -> dict[str, float]:
    """Pillai's trace of inputs and outputs; for one output the F test of linear regression."""
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


def _line_leak(x: np.ndarray, y: np.ndarray, left: np.ndarray) -> tuple[int | None, float]:
    """A column on one line with an output, but for what the other columns do not explain either."""
    z = x - np.mean(x, axis=0)
    z = z / np.maximum(np.sqrt(np.mean(z**2, axis=0)), 1e-300)
    best, strength = None, math.nan
    for output in y.T - np.mean(y.T, axis=1, keepdims=True):
        if not np.any(output):
            continue
        unit = output / np.sqrt(np.mean(output**2))
        r = z.T @ unit / len(z)
        column = int(np.argmax(np.abs(r)))
        rest = unit - r[column] * z[:, column]
        free = len(z) - 1 - left.shape[1]
        explained = math.inf
        if free > left.shape[1]:
            part = float(np.sum((left.T @ rest) ** 2) / max(rest @ rest, 1e-300))
            explained = 1 - (1 - part) * (len(z) - 1) / free
        # A sum of columns of which one is far wider than the others is no leak.
        leaks = 1 - r[column] ** 2 < 1e-9 or explained < 0.5
        if abs(r[column]) > SAME_LINE and leaks:
            best, strength = column, float(abs(r[column]))
    return best, strength


def _class_leak(x: np.ndarray, labels: np.ndarray) -> tuple[int | None, float]:
    """A column that tells the classes apart alone, while no other comes near."""
    present, labels = np.unique(labels, return_inverse=True)
    k = len(present)
    some = slice(0, _SCREENED)
    values = 1 + np.sum(np.diff(np.sort(x[some], axis=0), axis=0) != 0, axis=0)
    few = values <= min(_FEW_VALUES, len(x[some]) // 10)
    by_value = [j for j in np.flatnonzero(few) if _by_value(x[some, j], labels[some], k) > 0.98]
    member = (labels[:, None] == np.arange(k)).astype(np.float64)
    counts = np.sum(member, axis=0)[:, None]
    means = member.T @ x / counts
    centred = x - means[labels]
    stds = np.sqrt(member.T @ centred**2 / counts)
    order = np.argsort(means, axis=0)
    means, stds = (np.take_along_axis(a, order, axis=0) for a in (means, stds))
    gaps = np.diff(means, axis=0) / np.maximum(np.minimum(stds[1:], stds[:-1]), 1e-300)
    apart = np.flatnonzero(np.min(gaps, axis=0) > APART)
    strengths = {int(j): _by_value(x[:, j], labels, k) for j in by_value}
    for j in apart:
        strengths[int(j)] = max(strengths.get(int(j), 0.0), _by_cuts(x[:, j], labels, order[:, j]))
    found = {j: strength for j, strength in strengths.items() if strength >= LEAK}
    if not found or len(found) > x.shape[1] / 2:
        return None, math.nan
    for j in set(range(x.shape[1])) - set(found):
        alone = _by_value(x[:, j], labels, k) if few[j] else 0.0
        if max(alone, _by_cuts(x[:, j], labels, order[:, j])) > OTHERS:
            return None, math.nan
    best = max(found, key=lambda j: found[j])
    return best, found[best]


def _by_value(column: np.ndarray, labels: Int[np.ndarray, " n"], k: int) -> float:
    """Mean recall of the classes if each value of a column is given its likeliest class."""
    _, each = np.unique(column, return_inverse=True)
    table = np.bincount(each * k + labels, minlength=k * (int(np.max(each)) + 1)).reshape(-1, k)
    share = table / np.maximum(np.sum(table, axis=0), 1)
    return float(np.sum(np.max(share, axis=1)) / np.sum(np.any(table, axis=0)))


def _by_cuts(column: np.ndarray, labels: np.ndarray, order: np.ndarray) -> float:
    """Mean recall of neighbouring classes by the best cut between them, the worst pair's."""
    worst = 1.0
    for low, high in itertools.pairwise(order):
        below, above = np.sort(column[labels == low]), np.sort(column[labels == high])
        up = np.searchsorted(below, below, side="right") / below.size
        gap = np.max(up - np.searchsorted(above, below, side="right") / above.size)
        worst = min(worst, (1 + float(gap)) / 2)
    return worst


def _twins(flat: np.ndarray, target: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
    """Shares of repeated rows, and of rows with equal inputs and unequal targets."""
    if not rows.size:
        return {"duplicates": 0.0, "contradictions": 0.0}
    hashes = np.array([hash(row.tobytes()) for row in np.ascontiguousarray(flat[rows])])
    _, group, sizes = np.unique(hashes, return_inverse=True, return_counts=True)
    goals = target[rows].reshape(len(rows), -1)
    order = np.argsort(group, kind="stable")
    first = goals[order][np.cumsum(sizes) - sizes]
    differs = np.bincount(group, weights=np.any(goals != first[group], axis=1)) > 0
    return {
        "duplicates": float(1 - sizes.size / len(rows)),
        "contradictions": float(np.mean(differs[group])),
    }
