"""Take the studio's pictures for the documentation, with a real browser.

python docs/pictures/make_studio.py [FOLDER]

Needs chromium and the extra "test". Views are opened by links, in lock-step: the same pictures every time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, sync_playwright

FLAGS = "--no-sandbox --use-angle=swiftshader --enable-unsafe-swiftshader --hide-scrollbars"
VIEWS = {
    "terrain": (
        {"surface": "himmelblau", "balls": 800, "seed": 3, "advance": 16},
        "test.step === 16",
    ),
    "fit": ({"advance": 60, "batch": 1}, "test.step === 60"),
    "graph": (
        {"source": "expression", "formula": "x^2*y + sin(x*y)", "values": {"x": 1.5, "y": 0.5}},
        "test.checked && !test.busy",
    ),
    "network": (
        {
            "data": "spirals",
            "hidden": "32, 16",
            "epochs": 200,
            "advance": 200,
            "learning_rate": 0.02,
            "batch_size": 64,
        },
        "test.phase === 'ended' && test.seen > 0 && !test.examining",
    ),
    "compare": (
        {
            "optimizers": ["sgd", "momentum", "nesterov", "adam"],
            "low": 0.001,
            "high": 1,
            "count": 9,
            "budget": 30,
            "seeds": 5,
            "data": "diabetes",
            "go": True,
            "map": "momentum",
        },
        "test.cell && !test.running",
    ),
    "runs": ({"run": "digits-momentum"}, "test.cards.length === 1 && test.steps > 0"),
    "gallery": ({"case": "plunge", "answer": "unscaled-inputs", "seed": 3}, "test.verdict"),
}
FITS = (
    "iris --model linear --out runs/iris-linear",
    "diabetes --model linear --out runs/diabetes-linear",
    "digits --model mlp --hidden 64 --optimizer sgd --lr 30 --schedule constant --batch-size 32 --epochs 10 "
    "--out runs/digits-sgd-30",
    "digits --model mlp --hidden 64 --lr 0.003 --batch-size 64 --epochs 25 --out runs/digits-adam",
    "digits --model mlp --hidden 64 --optimizer momentum --lr 0.05 --batch-size 32 --epochs 25 "
    "--out runs/digits-momentum",
)
"""What the runs view is to show."""


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    fallline = [sys.executable, "-m", "fallline"]
    command = [*fallline, "studio", "--no-browser", "--port", "0"]
    with (
        tempfile.TemporaryDirectory() as place,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=place) as studio,
    ):
        for words in FITS:
            subprocess.run([*fallline, "fit", *words.split()], cwd=place, check=True)
        assert studio.stdout
        address = studio.stdout.readline().strip()
        try:
            with sync_playwright() as playwright:
                chromium = os.environ.get("FALLLINE_CHROMIUM") or shutil.which("chromium")
                browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
                page = browser.new_page(viewport={"width": 1480, "height": 900})
                page.goto(address)
                for theme in ("dark", "light"):
                    for view, (state, condition) in VIEWS.items():
                        parts = {"view": view, "theme": theme, "lang": "en", **state}
                        written = "&".join(
                            f"{k}={quote(v if isinstance(v, str) else json.dumps(v))}"
                            for k, v in parts.items()
                        )
                        page.goto("about:blank")
                        page.goto(f"{address.split('?')[0]}#{written}")
                        ready(page, view, condition)
                        # Smaller files, nothing lost that an eye would miss.
                        path = folder / f"studio_{view}_{theme}.webp"
                        path.write_bytes(webp(page.screenshot()))
                        print(path)
                browser.close()
        finally:
            studio.terminate()


def ready(page: Page, view: str, condition: str) -> None:
    """Wait until the view stands still."""
    script = f"(() => {{ const test = window.fallline?.views?.{view}?.test; return test && {condition}; }})()"
    end = time.monotonic() + 120
    while not page.evaluate(script) and time.monotonic() < end:
        time.sleep(0.25)
    time.sleep(2)


def webp(png: bytes) -> bytes:
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(out, "WEBP", quality=88, method=6)
    return out.getvalue()


if __name__ == "__main__":
    main()
