"""Rules about the data: is there something to learn, and can it be learned as it stands?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fallline.diagnosis.chance import constant_loss
from fallline.diagnosis.finding import Fix
from fallline.diagnosis.leaks import LEAK, SAME_LINE
from fallline.diagnosis.rules.base import WORTH, better, found

if TYPE_CHECKING:
    from fallline.diagnosis.facts import Facts
    from fallline.diagnosis.finding import Finding

UNRELATED, FEW_ROWS = 1e-4, 200
"""p-values above it do not tell the labels from shuffled ones; in tables with few rows those above 0.01."""


def constant_target(facts: Facts) -> Finding | None:
    """The target is the same in every row."""
    rows = facts.rows
    if rows is None or not rows.target_constant:
        return None
    return found(
        facts,
        "constant-target",
        [("rows", rows.rows), ("target_values", 1)],
        Fix("constant-target"),
        rows=rows.rows,
    )


def target_leak(facts: Facts) -> Finding | None:
    """One column alone determines the target."""
    rows = facts.rows
    if rows is None or rows.leak_column is None or rows.target_constant:
        return None
    name = facts.case.column_name(rows.leak_column)
    limit = SAME_LINE if facts.case.task == "regression" else LEAK
    return found(
        facts,
        "target-leak",
        [("leak_strength", rows.leak_strength, limit), ("best_loss", facts.lowest, facts.chance)],
        Fix("target-leak", {"drop": rows.leak_column}),
        column=name,
    )


def shuffled_labels(facts: Facts) -> Finding | None:
    """The inputs say nothing about the target: neither neighbours nor a line do better than chance."""
    rows = facts.rows
    if rows is None or rows.target_constant or rows.rows < 40 or rows.leak_column is not None:
        return None
    limit = UNRELATED if rows.rows >= FEW_ROWS else 0.01
    if not (rows.neighbour_p > limit and rows.linear_p > limit):
        return None
    held = facts.validation
    if len(held) and math.isfinite(facts.chance) and held.min() < 0.9 * facts.chance:
        return None
    evidence: list[tuple[object, ...]] = [
        ("neighbour_p", rows.neighbour_p, limit),
        ("linear_p", rows.linear_p, limit),
    ]
    if len(held):
        evidence.append(("validation_best", float(held.min()), facts.chance))
    return found(facts, "shuffled-labels", evidence, Fix("shuffled-labels"))


def unscaled_inputs(facts: Facts) -> Finding | None:
    """Columns of very different sizes, or far from 0, and standardised ones bring the run further down."""
    rows, scales = facts.rows, facts.scales
    if rows is None or scales is None or rows.target_constant or facts.case.standardized:
        return None
    ratio, widest, narrowest, offset = scales
    far, wide = offset > 10, widest > 10 or narrowest < 1e-2 or ratio > 100
    if not (far or wide):
        return None
    evidence: list[tuple[object, ...]] = [
        ("scale_ratio", ratio, 1e2),
        ("largest_std", widest, 1.0),
        ("mean_to_std", offset, 10.0),
        ("condition", rows.condition, rows.condition_standardized),
    ]
    for rate in (None, 0.01, 0.1, 0.001, 1.0):
        changes: dict[str, object] = {"standardize": "inputs"}
        if rate is not None:
            changes["learning_rate"] = rate
        trial = facts.trial_with(changes)
        if trial is not None and better(facts, trial):
            evidence.append(("loss_with_fix", trial.loss, facts.last))
            key = "standardize-inputs" if rate is None else "standardize-inputs-and-rate"
            return found(
                facts,
                "unscaled-inputs",
                evidence,
                Fix(key, changes, {"rate": rate}),
                column=facts.case.column_name(rows.widest_column if wide else rows.farthest_column),
                ratio=ratio,
                std=widest,
                offset=offset,
                key="unscaled-inputs" if wide else "unscaled-inputs.offset",
            )
    return None


def unscaled_target(facts: Facts) -> Finding | None:
    """A target far from 0 or very wide or narrow, and a standardised one is fitted better by the same run."""
    rows, case = facts.rows, facts.run
    if rows is None or case is None or case.task != "regression" or rows.target_constant:
        return None
    offset = abs(rows.target_mean) / rows.target_std if rows.target_std > 0 else 0.0
    if not (offset > 5 or rows.target_std > 20 or rows.target_std < 0.05):
        return None
    chance = facts.chance
    for rate in (None, 0.01, 0.1, 0.001):
        changes: dict[str, object] = {"standardize": "target"}
        if rate is not None:
            changes["learning_rate"] = rate
        problem = facts.changed_problem(changes)
        trial = facts.trial_of(problem)
        if problem is None or trial is None or case.model is None:
            return None
        unit = constant_loss(problem.objective, problem.data.y, case.model.outputs, case.task)
        # Both as shares of what the best constant costs, since the units differ.
        mine, its = facts.last / chance, trial.loss / unit
        if not (math.isfinite(its) and its < 0.95):
            continue
        halved = its < mine / 2 and mine - its > WORTH / 3
        if halved or not mine - its < WORTH * (1 - its):
            return found(
                facts,
                "unscaled-target",
                [
                    ("target_std", rows.target_std, 1.0),
                    ("target_mean", rows.target_mean, 0.0),
                    ("share_with_fix", its, mine),
                ],
                Fix(
                    "standardize-target" if rate is None else "standardize-target-and-rate",
                    changes,
                    {"rate": rate},
                ),
                mean=rows.target_mean,
                std=rows.target_std,
            )
    return None
