"""What a view of the studio is, on the server's side: it answers messages, and advances while it runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from fallline.studio.message import Message


GIVEN = "given"
"""The name by which the page asks for the user's own table."""


@dataclasses.dataclass(frozen=True)
class Given:
    """What the studio was started with.

    Attributes:
        table: the user's table, or None.
        runs: the folder of saved runs; nothing outside it is ever read or written for a page.
    """

    table: Path | None = None
    runs: Path = Path("runs")


class Out(Protocol):
    """Where a view writes to; every method may be called from the view's thread."""

    def send(self, kind: str, **fields: Any) -> None:
        """A message to the page, never dropped; numbers that JSON lacks become null.

        Arrays may be among the fields.
        """
        ...

    def frame(self, kind: int, *, run: int, step: int, n: int, data: Any, rows: Any = ()) -> None:
        """A frame of which only the newest counts; its rows of metrics are queued, never dropped.

        Args:
            kind: of `fallline.studio.wire`.
            run: a number that the view counts up at every new start, so that the page knows old frames.
            step: of the run.
            n: how many things the data is about.
            data: float32.
            rows: shape (rows, numbers); those of frames that the page never saw come with the next.
        """
        ...

    def block(self, kind: int, *, run: int, step: int, n: int, data: Any) -> None:
        """A frame that is never dropped, such as a height map."""
        ...

    def ready(self) -> bool:
        """Has the page taken the last frame? In lock-step a view waits for this before the next."""
        ...

    def forget(self, kind: int) -> None:
        """Drop a frame of this kind that waits to be sent, and its rows: they are of a run that is over."""
        ...


class View:
    """One view of one connection. All its methods are called by the one thread of the connection."""

    name: ClassVar[str]

    def __init__(self, out: Out, given: Given) -> None:
        self.out, self.given = out, given

    def handle(self, kind: str, message: Message) -> dict[str, Any] | None:
        """Answer a message of the page.

        Args:
            kind: its type.
            message: its other fields.

        Returns:
            The fields of the answer where the page asked for one; None for none.

        Raises:
            FalllineError: what the page shows to the user as it is.
        """
        raise NotImplementedError

    @property
    def interval(self) -> float | None:
        """Seconds from one `tick` to the next; None while nothing runs."""
        return None

    def tick(self) -> None:
        """Advance a little, and send what is new."""

    def close(self) -> None:
        """The page has gone."""
