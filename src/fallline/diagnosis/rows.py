r"""What the rows alone tell: scales, conditioning, leaks, and whether the inputs say anything of the target.

NumPy only, nothing is compiled. What costs more than a pass is done on a sample. Rows of weight 0 and rows
with a number that is not finite are left out; all others count once.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from fallline.diagnosis import leaks, relation

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

SAMPLE = 5000
"""Rows for what costs more than a pass, at most."""

FEWEST = 20
"""Rows below which nothing is tested."""

_NUMBERS, _SAMPLED, _FEWEST_SAMPLED, _HASHED = 2**24, 2**21, 300, 20_000
_BY_SVD = 256


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
    tested: dict[str, Any] = dict.fromkeys(relation.TESTED, math.nan)
    if len(some) >= FEWEST and z.shape[1] and not goal["target_constant"]:
        # The sample may have but one class where the table has more.
        outputs = _outputs(goals, classes=classification)
        if outputs.shape[1]:
            if np.sum(varying) > 1:
                inputs = sample[:, varying]
                leak = (
                    leaks.of_classes(inputs, goals)
                    if classification
                    else leaks.on_a_line(inputs, goals, left)
                )
            near = slice(0, relation.NEIGHBOURED)
            tested = relation.neighbours(z[near], goals[near], generator, classes=classification)
            tested |= relation.linear(left, outputs, ranked=not classification)
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
