"""Being asked to stop: Ctrl-C, and the SIGTERM of a machine that wants its place back."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

ASKED_TO_STOP = ("interrupted", "terminated")
"""Reasons for the end of a run that is not finished, and can be resumed."""

Asked = Literal["", "interrupted", "terminated"]
_REASONS: dict[int, Asked] = {
    int(signal.SIGINT): "interrupted",
    int(signal.SIGTERM): "terminated",
}


class interruptible:  # noqa: N801 - a context manager, named like one
    """Ctrl-C and SIGTERM between calls of the loop, not inside one: what was learned is kept.

    What it gives is a function that tells which of the two came first, or "". A second one acts at once, as
    it would have without this. Outside the main thread nothing changes.
    """

    def __init__(self, *, terminable: bool = False) -> None:
        """Say what is listened for.

        Args:
            terminable: SIGTERM is listened for too. It is meant to end the process, so this is for
                work that is kept in a folder, and for those who then end.
        """
        self._numbers = tuple(_REASONS) if terminable else (int(signal.SIGINT),)

    def __enter__(self) -> Callable[[], Asked]:
        self._asked: Asked = ""
        self._previous: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in self._numbers:
                self._previous[number] = signal.signal(number, self._note)
        return lambda: self._asked

    def _note(self, number: int, frame: Any) -> None:
        self._asked = self._asked or _REASONS[number]
        self._restore()

    def _restore(self) -> None:
        for number, previous in self._previous.items():
            # None stands for a handler that was not set from Python, which Python cannot set again.
            if previous is not None:
                signal.signal(number, previous)

    def __exit__(self, *error: object) -> None:
        self._restore()
