"""Ending in time when the machine asks for its place back: SIGTERM, and exit code 75."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Any, ClassVar

from fallline.scale.lost import TRY_AGAIN

if TYPE_CHECKING:
    from collections.abc import Callable

GRACE = 20.0
"""Seconds for what only the main thread can do, such as a last checkpoint. Launchers wait for 10 to 30."""

AT_ONCE = 1.0
"""Seconds where there is nothing to lose yet."""

EARLY = "Asked to end (SIGTERM) before training began; start the same command again."
"""Where several processes are to train, and have not met yet."""


class Terminated(BaseException):
    """SIGTERM came where no loop was listening for it."""


class terminable:  # noqa: N801 - a context manager, named like one
    """A command that SIGTERM ends in good order, and within a bounded time.

    In Python code it raises `Terminated`, unless the training loop listens for itself; where the main thread
    is inside compiled code for long, a thread of its own ends the process. Files are whole at any moment.

    One inside of another takes over from it, for good: when it ends, SIGTERM is what it was before.
    """

    _standing: ClassVar[terminable | None] = None

    def __init__(self, sentence: Callable[[], str]) -> None:
        """Name what is said where the main thread cannot say it any more."""
        self._sentence = sentence
        self._over = threading.Event()
        self.grace = AT_ONCE
        # Where other processes have been started, ending them takes its time as well.
        self.least = 0.0

    def __enter__(self) -> terminable:
        self._listening = threading.current_thread() is threading.main_thread()
        if self._listening:
            self._heard, self._told = os.pipe()
            os.set_blocking(self._told, False)
            self._before: Any = signal.signal(signal.SIGTERM, _raise)
            # Written to at once, even while the main thread is busy outside of Python.
            signal.set_wakeup_fd(self._told, warn_on_full_buffer=False)
            outer, terminable._standing = terminable._standing, self
            if outer is not None:
                self._before = outer._before
                outer._hang_up()
            threading.Thread(target=self._listen, name="terminable", daemon=True).start()
        return self

    def _listen(self) -> None:
        while number := os.read(self._heard, 1):
            if number[0] == signal.SIGTERM and not self._over.wait(max(self.grace, self.least)):
                # As a whole and past Python's buffers, which the main thread may hold a lock on.
                os.write(2, f"{self._sentence()}\n".encode())
                os._exit(TRY_AGAIN)

    def __exit__(self, *error: object) -> None:
        if terminable._standing is self:
            terminable._standing = None
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, self._before or signal.SIG_DFL)
            self._hang_up()

    def _hang_up(self) -> None:
        self._over.set()
        os.close(self._told)


def _raise(number: int, frame: Any) -> None:
    # A second one ends the process as it would any other.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated
