"""What it costs to watch a run in the studio's network view.

python -m benchmarks.watching_network [--quick] [--rounds 5] [--seconds 8] [--out FILE.json]

The same training, with the same number of steps, by `fallline.train` in this process and in the studio with
its page open in chromium (a page without a graphics card, which draws with the processor, so that the cost is
an upper bound). The rounds take turns, everything is compiled before the first that counts, and the medians
are compared. The studio records the layers' norms besides, which belongs to the cost. California housing is
read from the folder that ``FALLLINE_DATA`` names, and is left out without it.
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
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from rich.console import Console
from rich.table import Table

from fallline.data.readers import read_table
from fallline.descent.train import train
from fallline.jobs.config import FitConfig
from fallline.jobs.fit import cut, train_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator

FLAGS = (
    "--no-sandbox --use-angle=swiftshader --enable-unsafe-swiftshader --no-first-run --disable-sync"
)
TARGET = 0.10
"""The share of the training time that watching may cost."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="digits alone, two short rounds")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0, help="that a run takes, about")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    if asked.quick:
        asked.rounds, asked.seconds = 2, 2.0
    with tempfile.TemporaryDirectory() as folder:
        found = [
            measured(name, path, target, asked.rounds, asked.seconds)
            for name, path, target in tables(Path(folder), quick=asked.quick)
        ]
    show(found)
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1))


def tables(folder: Path, *, quick: bool) -> list[tuple[str, str, str]]:
    """Name, what ``fallline studio`` is given, and the target."""
    found = [("digits", "digits", "target")]
    if quick:
        return found
    data = os.environ.get("FALLLINE_DATA")
    path = Path(data or "") / "california_housing.csv"
    if data and path.is_file():
        found.append(("california", str(path), "median_house_value"))
    else:
        print("California housing is left out: FALLLINE_DATA names no folder that holds it.")
    random = np.random.default_rng(0)
    x = random.normal(size=(60_000, 40))
    y = np.tanh(x @ random.normal(size=(40, 3))).sum(axis=1) + random.normal(0, 0.1, len(x))
    names = ",".join([*(f"x{i}" for i in range(40)), "y"])
    place = folder / "synthetic.csv"
    np.savetxt(place, np.column_stack([x, y]), "%.4g", delimiter=",", header=names, comments="")
    return [*found, ("synthetic", str(place), "y")]


def measured(name: str, path: str, target: str, rounds: int, seconds: float) -> dict[str, Any]:
    """Seconds of training alone and watched, round by round."""
    config = FitConfig(data=path, target=target, model="mlp", learning_rate=0.001)
    rows = cut(read_table(path), target, config)
    arguments = {**train_arguments("mlp", rows, config), "patience": float("inf")}
    train(**{**arguments, "epochs": 3})
    few = train(**{**arguments, "epochs": 6})
    epochs = max(6, round(6 * seconds / few.seconds))
    state = {
        "data": path if path == name else "given",
        "target": target,
        "learning_rate": 0.001,
        "epochs": epochs,
        "patience": "never",
    }
    alone, watched = [], []
    messages = 0
    with opened(path) as page:
        page.run({**state, "epochs": max(6, epochs // 4)})
        for number in range(rounds):
            turns = [
                lambda: alone.append(train(**{**arguments, "epochs": epochs}).seconds),
                lambda: watched.append(page.run(state)),
            ]
            # Neither is always the first.
            for turn in turns[:: -1 if number % 2 else 1]:
                turn()
        messages = page.messages
    return {
        "table": name,
        "rows": len(rows.training[0]),
        "columns": rows.training[0].shape[1],
        "epochs": epochs,
        "alone": alone,
        "watched": watched,
        "cost": statistics.median(watched) / statistics.median(alone) - 1,
        "messages": messages,
    }


class Watched:
    """The page of a studio."""

    def __init__(self, page: Any, origin: str) -> None:
        self.page, self.origin, self.messages = page, origin, 0

    def test(self, what: str) -> Any:
        """Something of the view's accessor for tests."""
        with contextlib.suppress(Exception):
            return self.page.evaluate(f"window.fallline.views.network.test.{what}")

    def run(self, state: dict[str, Any]) -> float:
        """Train to the end, and wait until the doctor is done, too; the seconds of training."""
        parts = {"view": "network", "run": True, **state}
        written = "&".join(
            f"{k}={quote(v if isinstance(v, str) else json.dumps(v))}" for k, v in parts.items()
        )
        self.page.goto("about:blank")
        self.page.goto(f"{self.origin}/#{written}")
        while self.test("phase") != "ended" or not self.test("seen") or self.test("examining"):
            if self.test("phase") == "failed":
                raise SystemExit("The run failed.")
            time.sleep(1.0)
        time.sleep(1.0)
        while self.test("examining"):
            time.sleep(1.0)
        self.messages = self.test("messages")
        return self.test("seconds")


@contextlib.contextmanager
def opened(path: str) -> Iterator[Watched]:
    """A page of a studio that was given a table."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("FALLLINE_CHROMIUM") or shutil.which("chromium")
    if not chromium:
        raise SystemExit("Needs chromium: apt install chromium, or FALLLINE_CHROMIUM.")
    command = [sys.executable, "-m", "fallline", "studio", path, "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as studio:
        assert studio.stdout
        address = studio.stdout.readline().strip()
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                page.goto(address)
                yield Watched(page, address.split("/?")[0])
                browser.close()
        finally:
            studio.terminate()


def show(found: list[dict[str, Any]]) -> None:
    """The table."""
    table = Table("table", "rows", "columns", "epochs", "alone (s)", "watched (s)", "cost", "")
    for one in found:
        alone, watched = (statistics.median(one[k]) for k in ("alone", "watched"))
        table.add_row(
            one["table"],
            f"{one['rows']:,}",
            f"{one['columns']}",
            f"{one['epochs']:,}",
            f"{alone:.2f}",
            f"{watched:.2f}",
            f"{one['cost']:+.1%}",
            "" if one["cost"] <= TARGET else f"more than {TARGET:.0%}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
