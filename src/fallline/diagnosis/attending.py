"""The doctor during training: a look at the history every so many steps, within a share of the time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fallline.diagnosis.case import Case
from fallline.diagnosis.doctor import examine

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.descent.run import Progress
    from fallline.diagnosis.finding import Diagnosis


class Attending:
    """A callback of `fallline.train` that looks after the run while it goes on.

    ``fallline.train(..., callback=Attending(tell))`` calls ``tell`` when a complaint turns up that was not
    there at the last look, and stops the run if it returns True. It reads the history alone, and leaves looks
    out that would take more than its share of the time.

    Args:
        tell: gets the diagnosis; True stops the run.
        every: steps between two looks, at least.
        share: of the training time that all looks together may take.
        lang: "en" or "zh"; by the environment if None.
    """

    def __init__(
        self,
        tell: Callable[[Diagnosis], bool | None],
        *,
        every: int = 500,
        share: float = 0.1,
        lang: str | None = None,
    ) -> None:
        """Attend to a run, with ``tell`` to be called."""
        self.tell, self.every, self.share, self.lang = tell, every, share, lang
        self.spent = 0.0
        self.looks = 0
        self._next = every
        self._known: set[str] = set()

    def __call__(self, progress: Progress) -> bool:
        """Look, if it is time for it."""
        due = progress.step >= self._next and progress.history is not None
        if not due or self.spent > self.share * progress.seconds:
            return False
        began = time.perf_counter()
        self._next = progress.step + self.every
        case = Case()
        assert progress.history is not None
        case.history = progress.history()
        case.seconds = progress.seconds
        diagnosis = examine(case, measure=False, lang=self.lang)
        names = {finding.name for finding in diagnosis.complaints}
        new, self._known = names - self._known, names
        self.looks += 1
        self.spent += time.perf_counter() - began
        return bool(new and self.tell(diagnosis))
