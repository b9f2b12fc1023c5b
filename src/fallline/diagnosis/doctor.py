"""The doctor: from a case to a diagnosis."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fallline.descent.minimize_result import MinimizeResult
from fallline.diagnosis import words
from fallline.diagnosis.case import Case, RunCase
from fallline.diagnosis.facts import Facts
from fallline.diagnosis.finding import Diagnosis
from fallline.diagnosis.minimized import MinimizeCase
from fallline.diagnosis.rules import judge
from fallline.diagnosis.trials import Clock

if TYPE_CHECKING:
    from fallline.descent.run import Run

SECONDS, SHARE = 5.0, 0.1
"""A diagnosis may take so many seconds, or this share of the run's time if that is more."""


def examine(
    case: Case,
    *,
    measure: bool = True,
    prove: bool = False,
    lang: str | None = None,
    seconds: float | None = None,
) -> Diagnosis:
    """Say what is so with a case.

    Args:
        case: the case.
        measure: False for what the history alone tells, which is free.
        prove: run it again with and without each fix, and withdraw what does not help.
        lang: "en" or "zh"; by the environment if None.
        seconds: how long the measurements may take.
    """
    began = time.perf_counter()
    spoken = words.language(lang)
    limit = max(SECONDS, SHARE * case.seconds) if seconds is None else seconds
    facts = Facts(case, measure=measure, clock=Clock(limit))
    withdrawn: list[Any] = []
    with case.in_precision():
        findings = judge(facts)
        if prove:
            from fallline.diagnosis.proof import prove_all

            findings, withdrawn = prove_all(facts, findings)
    for finding in (*findings, *withdrawn):
        finding.lang = spoken
    return Diagnosis(findings, time.perf_counter() - began, measure, spoken, withdrawn)


def diagnose(run: Run | MinimizeResult | Case, **options: Any) -> Diagnosis:
    """`examine` for a run of `fallline.train`, a result of `fallline.minimize`, or a case."""
    return examine(case_of(run), **options)


def case_of(run: Run | MinimizeResult | Case) -> Case:
    """The case that a run makes."""
    if isinstance(run, Case):
        return run
    if isinstance(run, MinimizeResult):
        return MinimizeCase(run)
    return RunCase(run)
