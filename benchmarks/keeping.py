"""The report: its size and of what, the time to write it, the time until it is drawn.

python -m benchmarks.keeping [--rounds 3] [--out FILE.json]

A network on the digits, and a linear model on California housing where FALLLINE_DATA has it, are trained
once; then `fallline report` writes each run's file as a process of its own: cold, with an empty folder of
compiled programs, and warm, with the programs of the round before; seconds, and seconds of processor time.
With chromium present, the file is opened from disk: "drawn" is the time from the start of navigation until
every figure stands.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

COMMAND = [sys.executable, "-m", "fallline"]


def runs() -> dict[str, list[str]]:
    """Name -> what `fallline fit` is asked for."""
    found = {"digits, 64-32-10": ["digits", "--model", "mlp", "--hidden", "32", "--epochs", "20"]}
    table = Path(os.environ.get("FALLLINE_DATA", "")) / "california_housing.csv"
    if os.environ.get("FALLLINE_DATA") and table.exists():
        target = ["--target", "median_house_value"]
        found["housing, linear"] = [str(table), *target, "--model", "linear"]
    else:
        print("California housing is left out: FALLLINE_DATA does not name a folder that has it.")
    return found


def called(*words: str, folder: Path, cache: Path) -> tuple[float, float]:
    """Seconds that a command takes, and seconds of processor time."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "FALLLINE_CACHE": str(cache)}
    subprocess.run([*COMMAND, *words], cwd=folder, env=environment, check=True, capture_output=True)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def parts(page: str) -> dict[str, int]:
    """Bytes of the file, by what they are."""

    def of(pattern: str) -> int:
        return sum(len(m.encode()) for m in re.findall(pattern, page, re.DOTALL))

    found = {
        "all": len(page.encode()),
        "numbers": of(r'<script type="application/json"[^>]*>(.*?)</script>'),
        "modules and words": of(r'<script type="text/plain"[^>]*>(.*?)</script>'),
        "fonts": of(r"url\(data:font/woff2;base64,([^)]*)\)"),
        "style": of(r"<style>(.*?)</style>"),
        "document": of(r'<div id="report">(.*?)<script type="application/json"'),
    }
    found["style"] -= found["fonts"]
    return found


def drawn(paths: dict[str, Path], rounds: int) -> dict[str, float]:
    """Milliseconds until each file is drawn; empty without a browser."""
    chromium = os.environ.get("FALLLINE_CHROMIUM") or shutil.which("chromium")
    if not chromium:
        print("No page is drawn: there is no chromium.")
        return {}
    from playwright.sync_api import sync_playwright

    flags = "--no-sandbox --use-angle=swiftshader --enable-unsafe-swiftshader --no-first-run --disable-sync"
    found: dict[str, list[float]] = {name: [] for name in paths}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags.split())
        for _ in range(rounds + 1):
            for name, path in paths.items():
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                page.goto(path.as_uri())
                while not (ended := page.evaluate("document.documentElement.dataset.drawn")):
                    time.sleep(0.05)
                found[name].append(float(ended))
                page.close()
        browser.close()
    # The first round warms the browser up.
    return {name: statistics.median(times[1:]) for name, times in found.items()}


def measured(name: str, asked: list[str], folder: Path, rounds: int) -> dict[str, Any]:
    """One run, fitted once and reported cold and warm."""
    cache = folder / "cache"
    called("fit", *asked, "--out", "run", "--quiet", folder=folder, cache=cache)
    times: dict[str, list[tuple[float, float]]] = {"cold": [], "warm": [], "no_surface": []}
    for i in range(rounds):
        fresh = folder / f"cache{i}"
        plain = ("report", "run", "--no-surface", "--out", "plain.html")
        times["cold"].append(called("report", "run", folder=folder, cache=fresh))
        times["no_surface"].append(called(*plain, folder=folder, cache=fresh))
        times["warm"].append(called("report", "run", folder=folder, cache=fresh))
    page = (folder / "run" / "report.html").read_text("utf-8")
    medians = {
        kind: [statistics.median(one) for one in zip(*found, strict=True)]
        for kind, found in times.items()
    }
    return {"run": name, "seconds": medians, "bytes": parts(page)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="of each measurement")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        rows, paths = [], {}
        for i, (name, words) in enumerate(runs().items()):
            folder = Path(place) / str(i)
            folder.mkdir()
            rows.append(measured(name, words, folder, asked.rounds))
            paths[name] = folder / "run" / "report.html"
        shown = drawn(paths, asked.rounds)
    heads = (
        "kB",
        "numbers",
        "modules",
        "fonts",
        "cold, s",
        "warm, s",
        "no surface, s",
        "drawn, ms",
    )
    table = Table("run", *heads)
    for row in rows:
        row["drawn_ms"] = shown.get(row["run"])
        sizes, times = row["bytes"], row["seconds"]
        table.add_row(
            row["run"],
            *(f"{sizes[k] / 1e3:.0f}" for k in ("all", "numbers", "modules and words", "fonts")),
            *(f"{s:.1f} (cpu {cpu:.1f})" for s, cpu in times.values()),
            f"{row['drawn_ms']:.0f}" if row["drawn_ms"] else "–",
        )
    Console(width=None if sys.stdout.isatty() else 150).print(table)
    if asked.out:
        facts = {"cores": os.cpu_count(), "rounds": asked.rounds, "reports": rows}
        asked.out.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
