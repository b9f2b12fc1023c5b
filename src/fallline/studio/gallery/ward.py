"""The ward: patients are trained and examined when somebody asks, once in the life of the process."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from fallline.diagnosis.case import RunCase

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.descent.run import Run
    from fallline.diagnosis.finding import Diagnosis, Finding
    from fallline.studio.gallery.patients import Patient
    from fallline.studio.gallery.tables import Rows

SECONDS = 60.0
"""What an examination may take at most; it takes less than one, unless there is much to compile."""

Value = TypeVar("Value")


class Once(Generic[Value]):
    """What is made of a patient when it is first asked for, by whichever thread, and then kept."""

    def __init__(self, make: Callable[[Patient], Value]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._found: dict[str, Value] = {}

    def __call__(self, patient: Patient) -> Value:
        """What there is of a patient; who asks while it is being made waits for it."""
        with self._lock:
            own = self._locks.setdefault(patient.name, threading.Lock())
        with own:
            if patient.name not in self._found:
                self._found[patient.name] = self._make(patient)
            return self._found[patient.name]

    def known(self, patient: Patient) -> bool:
        """Is it there, so that nobody has to wait?"""
        return patient.name in self._found


class OnRows(RunCase):
    """A run whose columns have names."""

    def __init__(self, run: Run, columns: tuple[str, ...]) -> None:
        super().__init__(run)
        self._columns = columns

    def column_name(self, column: int | None) -> str:
        """See `Case.column_name`."""
        known = column is not None and column < len(self._columns)
        return (
            self._columns[column] if known and column is not None else super().column_name(column)
        )


@dataclasses.dataclass(frozen=True)
class Admitted:
    """A patient that has been trained.

    Attributes:
        patient: its set-up.
        rows: what it was trained on; None for a function.
        run: the run.
        case: the run as the doctor meets it.
    """

    patient: Patient
    rows: Rows | None
    run: Run
    case: RunCase


@dataclasses.dataclass(frozen=True)
class Examined:
    """What the doctor said, and what came of the fix.

    Attributes:
        diagnosis: with each fix tried.
        finding: the first complaint.
        treated: the run with its fix, from the same seed; None where there is no fix to apply.
    """

    diagnosis: Diagnosis
    finding: Finding
    treated: Run | None


def _admit(patient: Patient) -> Admitted:
    from fallline.descent.train import train

    rows = None if patient.rows is None else patient.rows()
    # With the norms of every layer, so that the flow has the steps' lengths, too.
    run = train(**patient.make(rows), record="layers")
    return Admitted(patient, rows, run, OnRows(run, () if rows is None else rows.columns))


def _examine(patient: Patient) -> Examined:
    from fallline.descent.train import train
    from fallline.diagnosis.doctor import examine

    case = admitted(patient).case
    diagnosis = examine(case, prove=True, lang="en", seconds=SECONDS)
    finding = diagnosis.findings[0]
    treated = None if finding.proven is None else finding.proven.run
    if treated is None and finding.fix is not None and finding.fix.changes:
        # Where a fix makes the loss worse, as it should, the doctor tries none.
        treated = train(**finding.apply())
    return Examined(diagnosis, finding, treated)


admitted: Once[Admitted] = Once(_admit)
"""The run of a patient."""

examined: Once[Examined] = Once(_examine)
"""What the doctor says of it."""
