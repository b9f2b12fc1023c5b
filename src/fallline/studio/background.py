"""Work that takes seconds, beside the one thread of a connection, so that its page is answered meanwhile."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Work:
    """A function at work in a thread of its own.

    The view that began it looks at ``done`` when it ticks, then asks for the ``result``. The function gets
    an event that is set when nobody waits any longer; it should look at it now and then, and return.

    Args:
        function: called with the event.
    """

    def __init__(self, function: Callable[[threading.Event], Any]) -> None:
        self._function = function
        self._found: Any = None
        self._error: BaseException | None = None
        self.given_up = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._found = self._function(self.given_up)
        except BaseException as error:
            # Raised again where the result is asked for.
            self._error = error

    @property
    def done(self) -> bool:
        """Has it ended, well or not?"""
        return not self._thread.is_alive()

    @property
    def result(self) -> Any:
        """What it returned; waits for it.

        Raises:
            BaseException: what the function raised.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._found

    def give_up(self) -> None:
        """Nobody waits for it any longer."""
        self.given_up.set()
