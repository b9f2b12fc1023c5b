"""A real browser on a real studio: Debian's chromium, driven by Playwright in lock-step."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

FLAGS = (
    "--no-sandbox --use-angle=swiftshader --enable-unsafe-swiftshader --disable-accelerated-2d-canvas "
    "--disable-gpu-rasterization --disable-background-networking --disable-component-update "
    "--no-first-run --disable-sync --hide-scrollbars --force-color-profile=srgb"
).split()


def chromium() -> str | None:
    """Where the browser is; ``FALLLINE_CHROMIUM`` names another."""
    named = os.environ.get("FALLLINE_CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser")


class Served:
    """``fallline studio`` as a process of its own, as a user starts it."""

    def __init__(self, *arguments: str, cache: str | None = None) -> None:
        command = [sys.executable, "-m", "fallline", "studio", "--no-browser", "--port", "0"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        if cache:
            environment["FALLLINE_CACHE"] = cache
        self.process = subprocess.Popen(
            [*command, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self.process.stdout
        self.address = self.process.stdout.readline().strip()
        assert "token=" in self.address, self.process.stderr.read() if self.process.stderr else ""
        self.origin = self.address.split("/?")[0]

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=20)


class Seen:
    """A page with all it said, asked for and complained about."""

    def __init__(self, page: Any, origin: str) -> None:
        self.page, self.origin = page, origin
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", self._asked)
        page.on(
            "response",
            lambda r: self.complaints.append(f"{r.status} {r.url}") if r.status >= 400 else None,
        )

    def _said(self, message: Any) -> None:
        # SwiftShader's own remarks on speed are not of the page.
        if message.type in ("error", "warning") and "GPU stall" not in message.text:
            self.complaints.append(f"{message.type}: {message.text}")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self.foreign.append(request.url)

    def open(self, **state: Any) -> None:
        """Open the state as a link would; small and plain unless the state says otherwise."""
        state = {"quality": "low", "dpr": 0.5, "lang": "en", **state}
        parts = [
            f"{name}={quote(value if isinstance(value, str) else json.dumps(value), safe='')}"
            for name, value in state.items()
        ]
        self.page.goto("about:blank")
        self.page.goto(f"{self.origin}/#{'&'.join(parts)}")
        self.until("Boolean(window.fallline && window.fallline.online)")
        self.until(f"Boolean(window.fallline.views.{state.get('view', 'terrain')})")

    def until(self, script: str, seconds: float = 40) -> Any:
        """Ask again and again: the page's policy lets no other code in."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(Exception):
                if found := self.page.evaluate(script):
                    return found
            assert time.monotonic() < end, f"never came true: {script}; {self.complaints}"
            time.sleep(0.1)

    def test(self, script: str, view: str = "terrain") -> Any:
        """Something of a view's accessor for tests."""
        return self.page.evaluate(
            f"(() => {{ const view = window.fallline.views.{view}; return {script}; }})()"
        )


@contextlib.contextmanager
def browsing() -> Iterator[Any]:
    """A browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def paged(browser: Any, served: Served, **options: Any) -> Iterator[Seen]:
    """A page that has been let in."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, **options)
    try:
        page = context.new_page()
        seen = Seen(page, served.origin)
        cookie = _cookie(served)
        context.add_cookies([{"name": cookie[0], "value": cookie[1], "url": served.origin}])
        yield seen
    finally:
        context.close()


def _cookie(served: Served) -> tuple[str, str]:
    """The token is spent once; the cookie it bought lets every page of the tests in."""
    if not hasattr(served, "cookie"):
        from http.cookiejar import CookieJar
        from urllib.request import HTTPCookieProcessor, build_opener

        jar = CookieJar()
        build_opener(HTTPCookieProcessor(jar)).open(served.address).close()
        found = next(iter(jar))
        served.cookie = (found.name, found.value)  # type: ignore[attr-defined]
    return served.cookie  # type: ignore[attr-defined]
