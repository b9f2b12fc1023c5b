"""Everything that can be measured of a run, for its card."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import jax

from fallline.descent.objective import Batch
from fallline.diagnosis import doctor, words
from fallline.diagnosis.case import RunCase
from fallline.errors import FalllineError
from fallline.jobs.diagnose import case_of, rows_of
from fallline.jobs.table_case import TableCase
from fallline.page import slices
from fallline.page.compared import compared
from fallline.page.instruments import instruments
from fallline.page.reproduce import versions

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.diagnosis.case import Case
    from fallline.diagnosis.finding import Diagnosis
    from fallline.page.trajectory import Trajectory


def examine(
    card: dict[str, Any],
    subject: Any,
    *,
    data: Any = None,
    prove: bool = False,
    surface: bool = True,
    lang: str | None = None,
) -> dict[str, Any]:
    """Add instruments, baselines, surfaces and diagnosis to a card; see `fallline.page.card.examined`."""
    remarks: list[str] = list(card["remarks"])
    if card["status"] == "damaged":
        return card

    def part(make: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return make()
        except FalllineError as error:
            remarks.append(str(error))
            return otherwise

    found: tuple[Case, str] | None = part(lambda: case_of(subject, data=data), None)
    if found is None:
        return {**card, "remarks": remarks}
    case, missing = found
    if missing:
        remarks.append(words.say(words.language(lang), "labels", missing))
    made = dict(card)
    if isinstance(case, RunCase) and case.problem is not None:
        with case.in_precision():
            way: Trajectory | None = None
            if surface:
                way, said = part(lambda: slices.way_of(case), (None, []))
                remarks += said
            wanted = (card["result"] or {}).get("measured_on")
            held, where = part(lambda: held_out(case, data, wanted), (None, "training"))
            if held is not None and wanted not in (None, where):
                remarks.append(
                    f"The {wanted} rows are not at hand: predictions are measured on the {where} rows."
                )
            made["instruments"] = part(lambda: instruments_of(case, held, way), None)
            made["baselines"] = part(lambda: compared(card, case, held, where), card["baselines"])
            if card["result"] is not None and made["baselines"]:
                # One number for what has learned nothing, wherever it is read.
                first = made["baselines"][0]
                made["result"] = {**card["result"], "baseline": first["value"]}
            made["range_test"] = card["range_test"] or part(lambda: _range_test(case), None)
            if surface:
                made["surfaces"], said = part(lambda: slices.surfaces(case, way), ([], []))
                remarks += said
        if way is not None and way.same:
            # What repeats the run to the last bit are the versions to name.
            made["reproduce"] = {**card["reproduce"], "versions": dict(versions())}
    prove = prove and not missing
    diagnosed = part(
        lambda: doctor.examine(case, measure=not missing, prove=prove, lang=lang), None
    )
    made["diagnosis"] = None if diagnosed is None else titled(diagnosed)
    if diagnosed is not None:
        made["diagnoses"] = {code: titled(said_in(diagnosed, code)) for code in words.LANGUAGES}
    # The doctor and the page may have stumbled over the same.
    return {**made, "remarks": list(dict.fromkeys(remarks))}


def said_in(diagnosis: Diagnosis, lang: str) -> Diagnosis:
    """The same diagnosis with its sentences in a language."""
    changed = {
        part: [dataclasses.replace(finding, lang=lang) for finding in getattr(diagnosis, part)]
        for part in ("findings", "withdrawn")
    }
    return dataclasses.replace(diagnosis, lang=lang, **changed)


def titled(diagnosis: Diagnosis) -> dict[str, Any]:
    """A diagnosis as JSON, each finding with its name in words."""
    told = diagnosis.to_json()
    for part in ("findings", "withdrawn"):
        pairs = zip(told[part], getattr(diagnosis, part), strict=True)
        told[part] = [{**json, "title": finding.title} for json, finding in pairs]
    return told


def held_out(case: RunCase, data: Any, wanted: str | None = None) -> tuple[Batch | None, str]:
    """The rows that predictions are measured on, and which they are.

    Args:
        case: the run.
        data: the table, if it is no longer where it was or was given in memory.
        wanted: "test", "validation" or "training"; those that the result was measured on if None.
    """
    problem = case.problem
    assert problem is not None
    if isinstance(case, TableCase) and case.rows_encoded is not None:
        rows = case.rows_encoded
        chosen: str = wanted or case.fitted.result.get("measured_on") or "validation"
        if chosen == "test" and rows.test is None:
            source = case.config.data if data is None else data
            again = None if source is None else rows_of(case.config, None, data)[0]
            rows = dataclasses.replace(rows, test=None if again is None else again.test)
        for name in (chosen, "validation"):
            part = getattr(rows, name)
            if part is not None and len(part[0]):
                return Batch(*part), name
        return Batch(*rows.training), "training"
    if problem.model is None:
        return None, "training"
    if problem.validation is not None:
        return problem.validation, "validation"
    return problem.data, "training"


def instruments_of(
    case: RunCase, held: Batch | None, way: Trajectory | None = None
) -> dict[str, Any] | None:
    """The instruments with the parameters that the run predicts with.

    Args:
        case: the run; to be called in its precision.
        held: rows for confusion and residuals, from `held_out`.
        way: from `fallline.page.slices.way_of`, for the ratio of the last update to the weights.
    """
    problem, run = case.problem, case.run
    assert problem is not None
    if getattr(problem.objective, "alone", False):
        return None
    params, state, best_epoch = predictor(case)
    best = best_epoch * problem.plan.steps
    encoder = case.fitted.encoder if isinstance(case, TableCase) else None
    return instruments(
        case.model,
        params,
        state,
        problem.objective,
        # The doctor's rows, so that both use the same programs.
        case.sample,
        held_out=held,
        loss=run.loss,
        encoder=encoder,
        history=run.history,
        ratios=None if way is None else way.ratios,
        step=min(best, run.steps) if best else run.steps,
    )


def predictor(case: RunCase) -> tuple[Any, Any, int]:
    """What a run predicts with, and the epoch it is of, 0 for the end; of one under way, if it ended now."""
    run, end = case.run, case.end
    if jax.tree.leaves(run.params) or end is None:
        return run.params, run.state, run.best_epoch
    best = int(end["best_epoch"])
    if best and "best" in end:
        return end["best"]["params"], end["best"]["state"], best
    averaged = end["optimizer"].averaged(end["params"], end["optimizer_state"])
    return averaged, end["state"], 0


def _range_test(case: RunCase) -> dict[str, Any] | None:
    """The range test once more, where the rate was found by one and its losses were not kept."""
    from fallline.descent.range_test import find_learning_rate
    from fallline.page.parts import range_test

    if case.asked.get("learning_rate") != "auto" or case.run.seconds > 3 * slices.SECONDS:
        return None
    assert case.problem is not None
    return range_test(find_learning_rate(case.problem))
