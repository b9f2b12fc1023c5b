"""What ends a gang of workers and is nobody's mistake: said in a sentence, and worth another try."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Generator

TRY_AGAIN = 75
"""EX_TEMPFAIL of sysexits.h: nothing is lost, and launchers start the command again."""

KEPT = "All of them end; --resume goes on from the newest checkpoint."


class LostError(FalllineError):
    """A worker is gone or cannot be reached; started again, the run goes on."""


_SIGNS = ("Gloo ", "gloo", "coordination service", "CoordinationService", "heartbeat")


@contextlib.contextmanager
def together(process: int) -> Generator[None, None, None]:
    """Turn what JAX raises where another worker is lost into a sentence.

    Raises:
        LostError: if it was so; any other exception stays as it is.
    """
    try:
        yield
    except (ValueError, RuntimeError) as error:
        # JAX raises a plain ValueError, or its own RuntimeError, with the words of gloo or of its service.
        if not any(sign in str(error) for sign in _SIGNS):
            raise
        raise LostError(told_by(str(error), process)) from None


def told_by(words: str, process: int) -> str:
    """The sentence for what JAX's runtime wrote or raised.

    >>> told_by("Gloo all-reduce failed: Connection reset by peer", 0)
    'Another worker is gone (its connection was closed). All of them end; --resume goes on from the newest checkpoint.'
    """  # noqa: E501
    if "stopped sending heartbeats" in words or "timed out" in words.lower():
        return f"Another worker gave no sign of life any more. {KEPT}"
    if "all-reduce" in words or "Gloo" in words or "gloo" in words:
        return f"Another worker is gone (its connection was closed). {KEPT}"
    if process:
        return f"Worker 0, whom all others report to, is gone or cannot be reached. {KEPT}"
    return f"Another worker is gone, or the network between them. {KEPT}"
