"""The studio: frames a second, the server's share of a core, the slider's delay, memory, the page's weight.

python -m benchmarks.studio [--seconds 10] [--soak 180] [--out FILE.json]

The studio runs as a process of its own. A client on loopback stands for the page: it acknowledges each frame
at once, so that the times are the server's, not a browser's. Balls of four optimizers descend on Himmelblau's
function, two steps a frame, 30 frames asked for a second, with noise so that none comes to rest. "Slider"
is the time from a new learning rate to the first frame computed with it: at rate 0 the balls stand still, and
then they move. "Age" is a frame's way from the engine to the client. With chromium present, a
page without a graphics card (SwiftShader) draws the same, at the quality it would choose for a test.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from http.cookiejar import CookieJar
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import HTTPCookieProcessor, build_opener

import numpy as np
from rich.console import Console
from rich.table import Table
from websockets.sync.client import connect

from fallline.studio.wire import TERRAIN_BALLS, Frame, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

BALLS = (500, 5_000, 20_000)
RACERS = [
    {"optimizer": "sgd", "rate": 0.005},
    {"optimizer": "momentum", "rate": 0.002},
    {"optimizer": "rmsprop", "rate": 0.02},
    {"optimizer": "adam", "rate": 0.02},
]
TICKS = os.sysconf("SC_CLK_TCK")


class Studio:
    """The process, and what the operating system knows of it."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "fallline", "studio", "--no-browser", "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        address = self.process.stdout.readline().strip()
        self.origin = address.split("/?")[0]
        jar = CookieJar()
        build_opener(HTTPCookieProcessor(jar)).open(address).close()
        self.cookie = next(iter(jar))

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self) -> float:
        """Resident megabytes."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    @contextlib.contextmanager
    def page(self) -> Iterator[Page]:
        """A page that is open."""
        with connect(
            self.origin.replace("http", "ws") + "/socket",
            additional_headers={"Cookie": f"{self.cookie.name}={self.cookie.value}"},
            origin=self.origin,  # pyright: ignore
            compression=None,
            max_size=None,
            proxy=None,
        ) as socket:
            yield Page(socket)

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(10)


class Page:
    """A page that draws nothing."""

    def __init__(self, socket: Any) -> None:
        self.socket, self.bytes = socket, 0
        self.send("show", "session", name="terrain")

    def send(self, kind: str, view: str = "terrain", **fields: Any) -> None:
        """A message."""
        self.socket.send(json.dumps({"view": view, "type": kind, **fields}))

    def frame(self) -> Frame:
        """The next frame of positions, acknowledged."""
        while True:
            item = self.socket.recv(60)
            self.bytes += len(item)
            if isinstance(item, str):
                message = json.loads(item)
                if message["type"] == "error":
                    raise SystemExit(message["message"])
                continue
            found = unpack(item)
            if found.sequence:
                self.send("ack", "session")
            if found.kind == TERRAIN_BALLS:
                return found

    def start(self, balls: int) -> None:
        """Let so many balls run, until their programs are compiled."""
        self.send(
            "start",
            surface="himmelblau",
            formula=None,
            bounds=None,
            balls=balls,
            seed=3,
            racers=[{**racer, "settings": {}, "decay": 0} for racer in RACERS],
            noise=8.0,
            spread="scatter",
            at=None,
            drops=[],
        )
        while self.frame().n != balls:
            pass
        self.send("pace", steps=2, frames=30)
        self.send("run", on=True)
        # Programs are compiled by the first frames.
        for _ in range(15):
            self.frame()


def stream(studio: Studio, balls: int, seconds: float) -> dict[str, float]:
    """Frames a second, share of a core and age at one number of balls."""
    with studio.page() as page:
        page.start(balls)
        began, cpu, sent = time.perf_counter(), studio.cpu(), page.bytes
        ages, frames = [], 0
        while time.perf_counter() - began < seconds:
            found = page.frame()
            frames += 1
            ages.append(time.time() - found.time)
        passed = time.perf_counter() - began
        core = (studio.cpu() - cpu) / passed
        delays = [slider(page) for _ in range(5)]
    return {
        "balls": balls,
        "frames_per_second": frames / passed,
        "core": core,
        "age_median_ms": 1e3 * statistics.median(ages),
        "age_p95_ms": 1e3 * float(np.quantile(ages, 0.95)),
        "kilobytes_per_second": (page.bytes - sent) / passed / 1e3,
        "slider_median_ms": 1e3 * statistics.median(delays),
        "slider_worst_ms": 1e3 * max(delays),
        "megabytes": studio.memory(),
    }


def slider(page: Page) -> float:
    """Seconds from a new learning rate to a frame whose balls move accordingly."""
    page.send("set", racer=None, rate=0.0)
    still, before = 0, page.frame().data
    while still < 3:
        after = page.frame().data
        still = still + 1 if np.array_equal(after, before, equal_nan=True) else 0
        before = after
    began = time.perf_counter()
    page.send("set", racer=None, rate=0.005)
    while np.array_equal(page.frame().data, before, equal_nan=True):
        pass
    return time.perf_counter() - began


def soak(studio: Studio, seconds: float) -> list[list[float]]:
    """Memory while 5,000 balls run: [second, megabytes], ten times."""
    found = []
    with studio.page() as page:
        page.start(5_000)
        began = time.perf_counter()
        for i in range(11):
            while time.perf_counter() - began < seconds * i / 10:
                page.frame()
            found.append([time.perf_counter() - began, studio.memory()])
    return found


def weight() -> dict[str, int]:
    """Bytes of the page's files, as they are and compressed."""
    import gzip

    folder = Path(str(files("fallline.page"))) / "static"
    parts: dict[str, int] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".js", ".css", ".html", ".json", ".woff2", ".svg"):
            kind = path.relative_to(folder).parts[0]
            data = path.read_bytes()
            parts[kind] = parts.get(kind, 0) + len(data)
            parts["all"] = parts.get("all", 0) + len(data)
            parts["all, gzip"] = parts.get("all, gzip", 0) + len(gzip.compress(data))
    return parts


def painted(studio: Studio, seconds: float) -> list[dict[str, float]]:
    """What a browser without a graphics card draws; empty without one."""
    chromium = os.environ.get("FALLLINE_CHROMIUM") or shutil.which("chromium")
    if not chromium:
        return []
    from playwright.sync_api import sync_playwright

    flags = "--no-sandbox --use-angle=swiftshader --enable-unsafe-swiftshader --no-first-run --disable-sync"
    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags.split())
        context = browser.new_context(viewport={"width": 1280, "height": 720})
        cookie = {"name": studio.cookie.name, "value": studio.cookie.value, "url": studio.origin}
        context.add_cookies([cookie])  # pyright: ignore
        for balls in BALLS:
            page = context.new_page()
            page.goto(
                f"{studio.origin}/#view=terrain&quality=low&dpr=0.5&surface=himmelblau&balls={balls}&run=true"
            )
            paint = "(performance.getEntriesByName('first-contentful-paint')[0] ?? {startTime: 0}).startTime"
            frames = "window.fallline?.views?.terrain?.test?.frames ?? 0"
            end = time.perf_counter() + 60
            while page.evaluate(frames) < 10 and time.perf_counter() < end:
                time.sleep(0.2)
            first, began = page.evaluate(frames), time.perf_counter()
            time.sleep(seconds)
            drawn = (page.evaluate(frames) - first) / (time.perf_counter() - began)
            rows.append(
                {"balls": balls, "frames_per_second": drawn, "first_paint_ms": page.evaluate(paint)}
            )
            page.close()
        browser.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seconds", type=float, default=10, help="measured at each number of balls"
    )
    parser.add_argument("--soak", type=float, default=180, help="seconds of the memory's curve")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    studio = Studio()
    try:
        rows = [stream(studio, balls, asked.seconds) for balls in BALLS]
        memory = soak(studio, asked.soak)
        drawn = painted(studio, asked.seconds)
    finally:
        studio.stop()
    table = Table("balls", "frames/s", "core", "age, ms", "kB/s", "slider, ms", "memory, MB")
    for row in rows:
        table.add_row(
            f"{row['balls']:,}",
            f"{row['frames_per_second']:.1f}",
            f"{row['core']:.0%}",
            f"{row['age_median_ms']:.1f} (p95 {row['age_p95_ms']:.1f})",
            f"{row['kilobytes_per_second']:.0f}",
            f"{row['slider_median_ms']:.0f} (worst {row['slider_worst_ms']:.0f})",
            f"{row['megabytes']:.0f}",
        )
    console = Console()
    console.print(table)
    console.print("memory:", ", ".join(f"{mb:.0f} MB after {s:.0f} s" for s, mb in memory))
    console.print(
        "page:", ", ".join(f"{kind} {size / 1e3:.0f} kB" for kind, size in weight().items())
    )
    for row in drawn:
        console.print(
            f"chromium, SwiftShader: {row['balls']:,} balls {row['frames_per_second']:.1f} frames/s, "
            f"first paint {row['first_paint_ms']:.0f} ms"
        )
    if asked.out:
        facts = {
            "cores": os.cpu_count(),
            "stream": rows,
            "soak": memory,
            "page": weight(),
            "browser": drawn,
        }
        asked.out.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
