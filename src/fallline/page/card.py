"""A run as plain fields: what every view, report and notebook draws. JSON, every number finite or None."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fallline.errors import FalllineError
from fallline.page.parts import of_minimum, of_run, of_table


def card(subject: Any, *, points: int = 400) -> dict[str, Any]:
    """What a run knows by itself: no data are read and nothing is measured.

    Args:
        subject: what `fallline.train`, `fallline.fit`, `fallline.load` or `fallline.minimize` returned, a
            fitted estimator, or the folder of a run, whether finished, interrupted or still being written:
            then by its newest whole checkpoint.
        points: half as many steps as the curves have at most.

    Returns:
        The card. A folder that is damaged has the status "damaged", what is still known of it, and a sentence
        that says what is wrong among ``remarks``.

    Raises:
        FalllineError: if the subject is no run, or the folder holds none.
    """
    from fallline.descent.minimize_result import MinimizeResult
    from fallline.descent.run import Run
    from fallline.jobs.result import TableRun

    subject = getattr(subject, "run_", subject)
    if isinstance(subject, (str, Path)):
        from fallline.page.folders import of_folder

        return of_folder(Path(subject), points)
    if isinstance(subject, TableRun):
        return of_table(subject, points)
    if isinstance(subject, Run):
        return of_run(subject, points)
    if isinstance(subject, MinimizeResult):
        return of_minimum(subject, points)
    raise FalllineError(
        f"There is no run in {type(subject).__name__}: give what fallline.train, fit, load or minimize "
        "returned, a fitted estimator, or a run's folder."
    )


def examined(
    subject: Any,
    *,
    data: Any = None,
    prove: bool = False,
    surface: bool = True,
    lang: str | None = None,
    points: int = 400,
) -> dict[str, Any]:
    """The card with everything measured: instruments, baselines, surfaces and the diagnosis.

    Args:
        subject: as for `card`.
        data: the table of a run of a table, if it is no longer where it was or was given in memory.
        prove: let the doctor try each fix.
        surface: slice the loss surface, for which the run is repeated if that takes but some seconds.
        lang: "en" or "zh", for the sentences of the diagnosis; by the environment if None.
        points: as for `card`.

    Returns:
        The card; what could not be done is said in its ``remarks``.

    Raises:
        FalllineError: as for `card`.
    """
    from fallline.page.examine import examine

    made = card(subject, points=points)
    return examine(made, subject, data=data, prove=prove, surface=surface, lang=lang)
