"""Diagnose whatever was trained: a run in memory, a run's folder, an estimator, a watched loop."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fallline.data.readers import read_table
from fallline.descent.minimize_result import MinimizeResult
from fallline.descent.run import Run
from fallline.descent.stopping import Stop
from fallline.diagnosis import doctor, words
from fallline.diagnosis.case import Case
from fallline.errors import FalllineError
from fallline.jobs.config import FitConfig
from fallline.jobs.fit import Rows, cut, fingerprint_of, model_for, target_of, train_arguments
from fallline.jobs.fit import plan_for as plan_of
from fallline.jobs.result import TableRun, load
from fallline.jobs.table_case import TableCase
from fallline.store.folder import RunFolder

if TYPE_CHECKING:
    from fallline.diagnosis.finding import Diagnosis, Finding


def diagnose(
    subject: Any,
    *,
    data: Any = None,
    prove: bool = False,
    lang: str | None = None,
    measure: bool = True,
) -> Diagnosis:
    """Say why a run converged, stalled or blew up: with evidence, and with a fix.

    Examples:
        >>> run = fallline.train(Linear(5), "squared_error", (X, y), learning_rate=3.0)  # doctest: +SKIP
        >>> print(fallline.diagnose(run))  # doctest: +SKIP
        The learning rate is too high: ...

    Args:
        subject: what `fallline.train`, `fallline.fit`, `fallline.load` or `fallline.minimize` returned, the
            folder of a run, a fitted estimator of `fallline.estimators`, or a recorder of `fallline.watch`.
        data: the table of a run of `fallline.fit`, if it is no longer where it was, or was given in memory.
        prove: run it again with each fix, from the same seed, and withdraw what does not help.
        lang: "en" or "zh"; by the environment if None.
        measure: False for what the recorded history alone tells, which is free. Otherwise the diagnosis takes
            at most five seconds, or a tenth of the run's own time if that is longer, and a proof besides.

    Returns:
        The diagnosis; its findings are complaints, the gravest first, or say that all is well.

    Raises:
        FalllineError: if this is nothing that can be diagnosed, in a sentence.
    """
    spoken = words.language(lang)
    case, remark = case_of(subject, data=data, measure=measure)
    if remark:
        warnings.warn(words.say(spoken, "labels", remark), stacklevel=2)
    return doctor.examine(
        case, measure=measure and not remark, prove=prove and not remark, lang=lang
    )


def case_of(subject: Any, *, data: Any = None, measure: bool = True) -> tuple[Case, str]:
    """The case of anything that can be diagnosed.

    Args:
        subject: as for `diagnose`.
        data: the table of a run of a table, to be used instead of the one it names.
        measure: False if the history alone is to be looked at; the table is not read then.

    Returns:
        The case, and why its history is all there is: the key of a sentence among the words, or "".
    """
    subject = getattr(subject, "run_", subject)
    if isinstance(subject, Case):
        return subject, ""
    if callable(getattr(subject, "case", None)):
        return subject.case(), ""
    if isinstance(subject, (str, Path)):
        folder = RunFolder(subject)
        if folder.facts().get("status") != "finished":
            return _unfinished(folder, data, measure=measure)
        subject = load(subject)
    if isinstance(subject, TableRun):
        return _of_table(subject, data, measure=measure)
    if isinstance(subject, (Run, MinimizeResult)):
        return doctor.case_of(subject), ""
    raise FalllineError(
        f"There is nothing to diagnose in {type(subject).__name__}: give what fallline.train, fit, load or "
        "minimize returned, a run's folder, a fitted estimator, or a recorder of fallline.watch."
    )


def steps_apart(finding: Finding) -> tuple[str, int, int]:
    """How a run and the same with its fix lie on one axis: the unit, and how many steps of each make one.

    The unit is the step, or the epoch where another size of the batches makes epochs of other lengths.
    """
    case, proof = finding.case, finding.proven
    plan = getattr(getattr(proof, "run", None), "plan", None)
    if case is None or plan is None or case.steps_per_epoch in (None, plan.steps):
        return "step", 1, 1
    return "epoch", case.steps_per_epoch or 1, plan.steps


def _of_table(fitted: TableRun, data: Any, *, measure: bool) -> tuple[Case, str]:
    if not measure or fitted.run.asked is not None:
        return TableCase(fitted, measure=measure), ""
    if "streamed" in fitted.result:
        # Another order of rows and other batches than training in memory: it cannot be repeated there.
        return TableCase(fitted, measure=False), "data_streamed"
    fingerprint = RunFolder(fitted.folder).facts()["fingerprint"] if fitted.folder else None
    rows, remark = rows_of(fitted.config, fingerprint, data)
    if rows is None:
        return TableCase(fitted, measure=False), remark
    run, found = fitted.run, None
    if fitted.folder is not None:
        found = RunFolder(fitted.folder).load_checkpoint(fitted.result["model"])
    if found is not None and int(found[0].arrays["step"]) == run.steps:
        fitted = dataclasses.replace(fitted, run=dataclasses.replace(run, final=found[0]))
    return TableCase(fitted, rows), ""


def rows_of(
    config: FitConfig, fingerprint: str | None, data: Any = None
) -> tuple[Rows | None, str]:
    """The rows that a run was trained on, read and cut anew, or why they are not to be had."""
    source = config.data if data is None else data
    if source is None:
        return None, "data_in_memory"
    try:
        table = read_table(source)
        moved = isinstance(source, (str, Path)) and data is not None
        where = dataclasses.replace(config, data=str(source)) if moved else config
        if fingerprint is not None and fingerprint_of(where, table) != fingerprint:
            return None, "data_changed"
        return cut(table, target_of(table, config), config), ""
    except FalllineError:
        if data is not None:
            raise
        return None, "data_gone"


def _unfinished(folder: RunFolder, data: Any, *, measure: bool) -> tuple[Case, str]:
    """What the newest checkpoint of a run knows that was not, or not yet, trained to its end."""
    facts = folder.facts()
    config = FitConfig.from_json(facts["config"])
    names = ["mlp", "linear"] if config.model == "auto" else [config.model]
    found = {name: kept for name in names if (kept := folder.load_checkpoint(name)) is not None}
    if not found:
        raise FalllineError(
            f"The run in {folder.path} has kept nothing yet to diagnose; it does so every few seconds."
        )
    # The network is trained after the linear model.
    name, (snapshot, about) = next(iter(found.items()))
    rows, remark = None, "data_streamed"
    if "block" not in facts:
        rows, remark = rows_of(config, facts.get("fingerprint"), data)
    if rows is None:
        case = Case()
        case.history, case.ended, case.seconds = snapshot.history, "interrupted", snapshot.seconds
        return case, remark if measure else ""
    model, loss = model_for(name, rows, config)
    arguments = train_arguments(name, rows, config)
    run = Run(
        params={},
        state={},
        history=snapshot.history,
        stop=Stop("interrupted", "The run is not finished."),
        plan=plan_of(rows, config),
        optimizer=arguments["optimizer"],
        learning_rate=about["learning_rate"],
        final=snapshot,
        best_epoch=0,
        seconds=snapshot.seconds,
        model=model,
        loss=loss,
        asked=arguments,
    )
    fitted = TableRun(run, rows.encoder, config, {"model": name}, folder.path)
    return TableCase(fitted, rows, measure=measure), ""
