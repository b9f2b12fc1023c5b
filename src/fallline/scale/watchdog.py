"""A worker that does not get on ends, with a sentence, instead of keeping all others waiting for ever.

JAX notices a worker that is gone and one whose machine has frozen, but not one that is alive and stuck: in a
file system that does not answer, say. The others then wait inside of compiled code, where no exception
reaches them, so a thread looks at the clock and ends the process.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from fallline.scale.lost import TRY_AGAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

LEAST = 60.0
"""Seconds without a step that are always granted."""

START = 600.0
"""Seconds granted while there are too few steps to judge by, and programs are being compiled."""

WAITING = 6 * 3600.0
"""Seconds granted while others are waited for.

One that is stuck is ended by its own watchdog, and JAX tells the others within a second; one that is gone or
frozen JAX notices itself. So this is only for what neither sees, and process 0 may measure for hours.
"""

FEW = 8
"""Intervals needed to judge by."""


class Watchdog:
    """Ends the process if nobody has called `beat` for long.

    How long is told by the intervals seen of late: 20 times their median, 5 times the longest, and not less
    than `least` seconds. Where others are waited for, it is `WAITING` seconds: each watches over itself.
    """

    def __init__(
        self,
        *,
        least: float = LEAST,
        start: float = START,
        sentence: Callable[[float], str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        end: Callable[[int], None] = os._exit,
    ) -> None:
        """Set the limits.

        Args:
            least: seconds without a step that are always granted.
            start: seconds granted before `FEW` intervals are known.
            sentence: what is said, from the seconds waited.
            clock: tells the time.
            end: ends the process.
        """
        self._least, self._start = least, max(start, least)
        self._sentence = sentence or _sentence
        self._clock, self._end = clock, end
        self._intervals: deque[float] = deque(maxlen=64)
        self._last = clock()
        self._waits = 0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def limit(self) -> float:
        """Seconds without a step that are granted now."""
        if self._waits:
            return max(WAITING, self._start)
        seen = list(self._intervals)
        if len(seen) < FEW:
            return self._start
        return max(self._least, 20 * statistics.median(seen), 5 * max(seen))

    def beat(self, anew: bool = False) -> None:
        """The process has come a step further.

        Args:
            anew: other work begins, of which the intervals seen so far say nothing, and programs may have
                to be compiled for it: it is granted ``start`` seconds until there are enough others.
        """
        now = self._clock()
        if anew:
            self._intervals.clear()
        elif not self._waits:
            self._intervals.append(now - self._last)
        self._last = now

    @contextlib.contextmanager
    def waiting(self) -> Generator[None, None, None]:
        """Others are waited for, whose work says nothing of this process's own."""
        self._waits += 1
        self._last = self._clock()
        try:
            yield
        finally:
            self._last = self._clock()
            self._waits -= 1

    def look(self) -> bool:
        """End the process if it is time; else False."""
        limit = self.limit
        waited = self._clock() - self._last
        if waited <= limit:
            return False
        with contextlib.suppress(Exception):
            # Past Python's buffers, whose locks the main thread may hold.
            os.write(_stderr(), f"fallline: {self._sentence(waited)}\n".encode())
        self._end(TRY_AGAIN)
        return True

    def start(self) -> Watchdog:
        """Look every second from now on."""
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(1.0):
            if self.look():
                return


def _stderr() -> int:
    # Where C++ writes elsewhere, Python's stream is still the user's.
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):
        return 2


def _sentence(waited: float) -> str:
    return (
        f"No step for {waited:.0f} s: this worker, or one that it waits for, is stuck. All of them end; "
        "--resume goes on from the newest checkpoint."
    )
