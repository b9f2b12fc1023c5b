"""Stand-ins for the connection, so that a view can be driven without a server."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from fallline.studio import wire
from fallline.studio.message import Message
from fallline.studio.session import plain


class Collected:
    """An `Out` that keeps all it is given; what it keeps has been through JSON or the wire."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.frames: list[wire.Frame] = []
        self.blocks: list[wire.Frame] = []

    def send(self, kind: str, **fields: Any) -> None:
        text = json.dumps({"type": kind, **plain(fields)}, allow_nan=False)
        self.sent.append(json.loads(text))

    def frame(self, kind: int, *, run: int, step: int, n: int, data: Any, rows: Any = ()) -> None:
        rows = np.asarray(rows, np.float32)
        packed = wire.pack(kind, flags=run, step=step, n=n, scalars=rows, data=data)
        self.frames.append(wire.unpack(packed))

    def block(self, kind: int, *, run: int, step: int, n: int, data: Any) -> None:
        self.blocks.append(wire.unpack(wire.pack(kind, flags=run, step=step, n=n, data=data)))

    def ready(self) -> bool:
        return True

    def forget(self, kind: int) -> None:
        pass

    def last(self, kind: str) -> dict[str, Any]:
        """The newest message of a type."""
        return next(m for m in reversed(self.sent) if m["type"] == kind)


def ask(view: Any, kind: str, **fields: Any) -> Any:
    """Send a view a message, as the page would: through JSON."""
    return view.handle(kind, Message(json.loads(json.dumps(fields))))


def run_ticks(view: Any, most: int = 1000) -> int:
    """Tick a view until it wants no more; how many ticks that were."""
    for ticks in range(most):
        if view.interval is None:
            return ticks
        view.tick()
    return most
