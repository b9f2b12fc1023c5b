"""The tutorial that is a script: it runs, its page holds it word for word, and shows what it prints."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fallline.descent.cache import LIMIT

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "tutorials"
SCRIPT = FOLDER / "from_a_scan_to_mnist.py"
NUMBER = re.compile(r"[-+−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def made_by(name: str):
    """A module of the tutorial's folder, which is no package."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


maker = made_by("make_tutorial")


@pytest.fixture(scope="module")
def cells():
    return maker.cells_of(SCRIPT.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page() -> str:
    return maker.PAGE.read_text(encoding="utf-8")


def printed_by(folder: Path, **variables: str) -> str:
    """What the script prints as a process of its own."""
    kept = {k: v for k, v in os.environ.items() if k != "FALLLINE_DATA"}
    kept |= {"MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8"}
    # Two thirds of a run is compiling, and most programs are the same whatever the digits.
    kept |= {
        "JAX_COMPILATION_CACHE_DIR": str(Path(os.environ["FALLLINE_CACHE"], "tutorial")),
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(LIMIT),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.02",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        cwd=folder,
        env=kept | variables,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert not list(folder.iterdir())
    return done.stdout


def close(shown: str, printed: str) -> bool:
    """Are two numbers the same but for another machine's rounding?"""
    a, b = (float(text.replace(",", "").replace("−", "-")) for text in (shown, printed))
    whole = "." not in shown and "e" not in shown
    return abs(a - b) <= 0.05 * max(abs(a), abs(b)) + (5 if whole else 0.02)


def test_cells_are_read():
    script = '"""Not on the page."""\n\n# %% [markdown]\n# # Title\n#\n# $x$\n\n# %% a: b\nx = 1\n\ny = 2\n'
    first, second = maker.cells_of(script)
    assert (first.markdown, first.body) == (True, "# Title\n\n$x$")
    assert (second.markdown, second.body, second.line) == (False, "x = 1\n\ny = 2", 9)
    assert (second.name, second.description) == ("a", "B")


def test_the_page_holds_the_script_word_for_word(cells, page):
    bare = re.sub(r"```text\n.*?\n```\n\n", "", page, flags=re.DOTALL)
    bare = re.sub(r"(?:!\[[^\n]*\n)+\n", "", bare)
    pieces = [c.body if c.markdown else f"```python\n{c.body}\n```" for c in cells]
    assert bare == "\n\n".join(pieces) + "\n"


def test_every_picture_is_there_and_no_other(cells, page):
    drawn = [cell for cell in cells if cell.title]
    assert len({cell.name for cell in drawn}) == len(drawn) > 20
    shown = re.findall(r"^!\[(.+)\]\(pictures/([\w-]+\.png)#only-(\w+)\)$", page, re.MULTILINE)
    assert shown == [
        (cell.description, f"{cell.name}-{theme}.png", theme)
        for cell in drawn
        for theme in ("light", "dark")
    ]
    sizes = {file.name: file.stat().st_size for file in maker.PICTURES.glob("*")}
    assert sizes.keys() == {name for _, name, _ in shown}
    assert sum(sizes.values()) < 1.3e6


def test_cells_are_short_enough_to_read(cells):
    for cell in cells:
        if not cell.markdown:
            lines = [line for line in cell.body.splitlines() if line.strip()]
            assert len(lines) <= 20, f"{SCRIPT.name}:{cell.line}"


def test_the_script_runs_and_prints_what_the_page_shows(page, tmp_path):
    shown = " ".join(re.findall(r"```text\n(.*?)\n```", page, re.DOTALL)).split()
    printed = printed_by(tmp_path).split()
    assert [NUMBER.sub("#", word) for word in printed] == [NUMBER.sub("#", word) for word in shown]
    pairs = zip(NUMBER.findall(" ".join(shown)), NUMBER.findall(" ".join(printed)), strict=True)
    assert [pair for pair in pairs if not close(*pair)] == []


def test_it_learns_mnist(tmp_path):
    folder = os.environ.get("FALLLINE_DATA")
    if folder is None or not Path(folder, "mnist10k.npz").is_file():
        pytest.skip("FALLLINE_DATA names no folder with mnist10k.npz")
    printed = printed_by(tmp_path, FALLLINE_DATA=str(Path(folder).resolve()))
    assert "8,000 images to learn from, 2,000 held out; 784 pixels each" in printed
    network, linear = map(
        float, re.findall(r"network ([\d.]+)%, linear model ([\d.]+)%", printed)[0]
    )
    # The page says what to expect.
    assert 89 < linear < 93 < 94.5 < network < 97.5
