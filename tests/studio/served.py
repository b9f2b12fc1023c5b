"""A studio that listens, with a view of which everything is known."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.request import HTTPCookieProcessor, build_opener

import numpy as np
import uvicorn
from websockets.sync.client import connect

from fallline.errors import FalllineError
from fallline.studio.server import LONGEST_MESSAGE, Studio
from fallline.studio.view import Given, View
from fallline.studio.wire import TERRAIN_BALLS, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fallline.studio.message import Message


class Counter(View):
    """Counts its ticks, and sends each count."""

    name = "counter"

    def __init__(self, out: Any, given: Given) -> None:
        super().__init__(out, given)
        self.count, self.running, self.n, self.closed = 0, False, 100, False
        made.append(self)

    def handle(self, kind: str, message: Message) -> dict[str, Any] | None:
        if kind == "run":
            self.running = message.flag("on")
        elif kind == "balls":
            self.n = message.whole("n", 1, 20_000)
        elif kind == "double":
            return {"twice": 2 * message.number("value")}
        elif kind == "bug":
            raise RuntimeError("a bug of ours")
        elif kind == "flood":
            for i in range(message.whole("messages", 1, 100_000)):
                self.out.send("drop", number=i, text="x" * 500)
        else:
            raise FalllineError(f"There is no message {kind!r}.")
        return None

    @property
    def interval(self) -> float | None:
        return 0.01 if self.running else None

    def tick(self) -> None:
        self.count += 1
        self.out.frame(
            TERRAIN_BALLS,
            run=1,
            step=self.count,
            n=self.n,
            data=np.full(2 * self.n, self.count, np.float32),
            rows=[[self.count, -self.count]],
        )

    def close(self) -> None:
        self.closed = True


made: list[Counter] = []
"""Every view that was made, the last one last."""


class Running:
    """A studio on a port of its own."""

    def __init__(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        names = ["127.0.0.1", "localhost", "[::1]"]
        views = {"counter": lambda: Counter}
        self.studio = Studio(views, Given(), lambda: {"version": "0"}, names, self.port)
        config = uvicorn.Config(
            self.studio.app,
            log_level="critical",
            ws="websockets-sansio",
            ws_max_size=LONGEST_MESSAGE,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=1,
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([listener],), daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)

    @property
    def cookie(self) -> str:
        return f"fallline-{self.port}={self.studio.keys.cookie}"

    @contextlib.contextmanager
    def connected(self, **headers: str | None) -> Iterator[Page]:
        given: dict[str, str | None] = {"Cookie": self.cookie, "Origin": self.origin, **headers}
        present = {k: v for k, v in given.items() if v is not None}
        with connect(
            f"ws://127.0.0.1:{self.port}/socket",
            additional_headers=present,
            compression=None,
            max_size=None,
            proxy=None,
            close_timeout=1,
        ) as socket_:
            yield Page(socket_)

    def opener(self) -> Any:
        """Like a browser: it keeps cookies and follows redirections."""
        return build_opener(HTTPCookieProcessor())


class Page:
    """What a page does with its socket."""

    def __init__(self, socket_: Any) -> None:
        self.socket = socket_

    def send(self, kind: str, view: str = "counter", **fields: Any) -> None:
        self.socket.send(json.dumps({"view": view, "type": kind, **fields}))

    def text(self, kind: str, timeout: float = 10) -> dict[str, Any]:
        """The next message of a type; frames before it are acknowledged."""
        while True:
            item = self.socket.recv(timeout)
            if isinstance(item, str):
                message = json.loads(item)
                if message["type"] == kind:
                    return message
            else:
                self.send("ack", "session")

    def frame(self, timeout: float = 10) -> Any:
        while True:
            item = self.socket.recv(timeout)
            if isinstance(item, bytes):
                return unpack(item)

    def ack(self) -> None:
        self.send("ack", "session")
