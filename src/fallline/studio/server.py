"""The studio's server: one page, its files, and a WebSocket for each open tab.

Whoever can reach the port is not thereby let in. The address printed by the command line holds a token that
works once and buys a cookie; a WebSocket wants that cookie, and a page of this very origin behind it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import html
import json
import secrets
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from fallline.page import modules
from fallline.studio.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from fallline.studio.view import Given, View

LONGEST_MESSAGE = 64 * 1024
MOST_CONNECTIONS = 4

TOO_BIG, UNFIT, BAD_JSON, BUSY = 1009, 1008, 1003, 1013

_HEADERS = {
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Keys:
    """Who is let in: tokens that work once, and the cookie that they buy."""

    def __init__(self) -> None:
        self._tokens: set[str] = set()
        self._cookie = secrets.token_urlsafe(32)
        self._lock = threading.Lock()

    def new_token(self) -> str:
        """A token for one visit to the front page."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._tokens.add(token)
        return token

    def redeem(self, token: str) -> bool:
        """Does this token work? It does no more."""
        with self._lock:
            known = next((t for t in self._tokens if _same(t, token)), None)
            if known:
                self._tokens.remove(known)
        return known is not None

    @property
    def cookie(self) -> str:
        """The value of the cookie that lets in."""
        return self._cookie

    def admits(self, cookie: str | None) -> bool:
        """Is this the cookie?"""
        return cookie is not None and _same(self._cookie, cookie)


def _same(known: str, given: str) -> bool:
    return secrets.compare_digest(known.encode(), given.encode())


class Studio:
    """The application with its connections.

    Args:
        views: name -> what imports and gives the class, in the order of the tabs.
        given: what the studio was started with.
        hello: makes the fields of the first message to a page.
        hosts: names under which it may be asked for.
        port: where it listens; part of the cookie's name, as cookies know no ports.
    """

    def __init__(
        self,
        views: Mapping[str, Callable[[], type[View]]],
        given: Given,
        hello: Callable[[], Mapping[str, Any]],
        hosts: list[str],
        port: int,
    ) -> None:
        self.keys = Keys()
        self.sessions: set[Session] = set()
        self._views, self._given, self._hello = views, given, hello
        self._port = port
        self._cookie_name = f"fallline-{port}"
        self.app = Starlette(
            routes=[
                Route("/", self._front),
                WebSocketRoute("/socket", self._socket),
                Mount("/static", _Files(directory=str(modules.STATIC))),
            ],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)],
        )

    def _admitted(self, cookies: Mapping[str, str]) -> bool:
        return self.keys.admits(cookies.get(self._cookie_name))

    async def _front(self, request: Request) -> Response:
        token = request.query_params.get("token")
        if token is not None and (self.keys.redeem(token) or self._admitted(request.cookies)):
            # The token leaves the address bar, and with it the history and every copied link.
            response: Response = RedirectResponse("/", 303, headers=_HEADERS)
            response.set_cookie(
                self._cookie_name, self.keys.cookie, httponly=True, samesite="strict"
            )
            return response
        if not self._admitted(request.cookies):
            return PlainTextResponse(_NOT_ADMITTED, 403, headers=_HEADERS)
        page, policy = front_page(request.headers.get("host", ""))
        return HTMLResponse(page, headers={**_HEADERS, "Content-Security-Policy": policy})

    async def _socket(self, socket: WebSocket) -> None:
        host, origin = socket.headers.get("host", ""), socket.headers.get("origin")
        if origin != f"http://{host}" or not self._admitted(socket.cookies):
            # Closed before it is accepted: the client gets 403.
            await socket.close()
            return
        await socket.accept()
        if len(self.sessions) >= MOST_CONNECTIONS:
            await socket.close(BUSY, f"At most {MOST_CONNECTIONS} tabs can be open at once.")
            return
        loop, wake = asyncio.get_running_loop(), asyncio.Event()

        def notify() -> None:
            # The loop may have ended while the thread was still computing.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(wake.set)

        session = Session(self._views, self._given, self._hello, notify)
        self.sessions.add(session)
        tasks = [
            asyncio.create_task(_receive(socket, session)),
            asyncio.create_task(_send(socket, session, wake)),
            asyncio.create_task(_overflow(session)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            session.close()
            for task in tasks:
                task.cancel()
            self.sessions.discard(session)


_NOT_ADMITTED = (
    "This address needs the token that the command line printed, and each token works once. Press Enter in "
    "the terminal where fallline studio runs: it prints a new address.\n"
)


class _Files(StaticFiles):
    """The page's own files, asked for anew after an update."""

    def file_response(self, *arguments: Any, **named: Any) -> Response:
        response = super().file_response(*arguments, **named)
        response.headers.update(_HEADERS)
        return response


async def _send(socket: WebSocket, session: Session, wake: asyncio.Event) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await wake.wait()
            wake.clear()
            while (item := session.outbox.take()) is not None:
                if isinstance(item, str):
                    await socket.send_text(item)
                else:
                    await socket.send_bytes(item)


async def _overflow(session: Session) -> None:
    """Return when too much waits for a page that does not read, which could not even be told why.

    Also when the session's thread has ended: the page then connects again.
    """
    while not (session.outbox.overflowed or session.ended):
        await asyncio.sleep(1)


async def _receive(socket: WebSocket, session: Session) -> None:
    """Hand over messages until the page goes."""
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            message = await socket.receive()
            if message["type"] != "websocket.receive":
                return
            text = message.get("text")
            try:
                # Python's parser takes NaN and Infinity, which are not JSON.
                fields = json.loads(text or "", parse_constant=_refuse)
            except (ValueError, RecursionError):
                await socket.close(BAD_JSON, "Not JSON.")
                return
            if not isinstance(fields, dict):
                await socket.close(UNFIT, "Not an object.")
                return
            if not session.post(fields):
                await socket.close(UNFIT, "Too many messages at once.")
                return


def _refuse(name: str) -> Any:
    raise ValueError(name)


def front_page(host: str) -> tuple[str, str]:
    """The page's HTML and the Content-Security-Policy that fits it."""
    imports = {name: f"/static/{path}" for name, path in modules.modules().items()}
    mapping = json.dumps({"imports": imports}, separators=(",", ":"))
    digest = base64.b64encode(hashlib.sha256(mapping.encode()).digest()).decode()
    preloads = "\n".join(
        f'<link rel="modulepreload" href="{html.escape(path)}">'
        for name, path in imports.items()
        if name.startswith("fallline/") and name.count("/") == 1  # the shell, not the views
    )
    sheets = "\n".join(
        f'<link rel="stylesheet" href="/static/{html.escape(path)}">' for path in modules.sheets()
    )
    page = (modules.STATIC / "index.html").read_text("utf-8")
    page = page.replace("<!-- sheets -->", sheets).replace("<!-- preloads -->", preloads)
    page = page.replace("<!-- imports -->", f'<script type="importmap">{mapping}</script>')
    socket = f"ws://{urlsplit('//' + host).netloc}"
    policy = (
        f"default-src 'none'; script-src 'self' 'sha256-{digest}'; style-src 'self'; font-src 'self'; "
        f"img-src 'self' blob: data:; connect-src 'self' {socket}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return page, policy
