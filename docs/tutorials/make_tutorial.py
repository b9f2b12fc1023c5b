"""Make the page of the tutorial: run the script cell by cell, and keep what it prints and draws.

The title of a cell, ``name: description``, is what its picture is called and what it shows, in words.
The script runs once in each theme, and must print the same both times. Run again, with the same libraries
on the same kind of machine, this writes the same bytes::

    python docs/tutorials/make_tutorial.py
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SCRIPT = HERE / "from_a_scan_to_mnist.py"
PAGE = HERE / "from-a-scan-to-mnist.md"
PICTURES = HERE / "pictures"
CELL = re.compile(r"^# %%[ ]*(?P<markdown>\[markdown\])?(?P<title>.*)\n", re.MULTILINE)
DPI = 104
THEMES = ("light", "dark")


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell: text, or code whose title describes the picture that it draws."""

    markdown: bool
    title: str
    body: str
    line: int

    @property
    def name(self) -> str:
        """What its picture is called."""
        return self.title.partition(": ")[0]

    @property
    def description(self) -> str:
        """What its picture shows."""
        shown = self.title.partition(": ")[2]
        return shown[:1].upper() + shown[1:]


def cells_of(script: str) -> list[Cell]:
    """The cells of a script in percent format; what stands before the first is no part of the page."""
    marks = list(CELL.finditer(script))
    cells = []
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        body = script[mark.end() : after.start() if after else len(script)].strip("\n")
        if mark["markdown"]:
            body = re.sub(r"^# ?", "", body, flags=re.MULTILINE)
        line = script.count("\n", 0, mark.end()) + 1
        cells.append(Cell(bool(mark["markdown"]), mark["title"].strip(), body, line))
    return cells


def run(cell: Cell, namespace: dict) -> tuple[str, list]:
    """What a cell of code prints, and the figures that it leaves open."""
    import matplotlib.pyplot as plt

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        source = "\n" * (cell.line - 1) + cell.body
        exec(compile(source, str(SCRIPT), "exec"), namespace)
    return printed.getvalue(), [plt.figure(number) for number in plt.get_fignums()]


def keep(figure, path: Path) -> None:
    """A PNG of 255 colours, which is a third of the size and looks the same."""
    import matplotlib.pyplot as plt
    from PIL import Image

    from fallline.show import film, style

    theme = style.theme_of(None)
    kept = {*theme.optimizers.values(), *style.THEMES["dark"].optimizers.values(), *theme.series}
    kept |= {*theme.depth, theme.background, theme.panel, theme.grid, theme.text, theme.muted}
    kept |= {theme.accent, theme.danger, "#ffffff", "#0b0e14"}
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI)
    picture = Image.open(buffer).convert("RGB")
    colours = film.palette(picture, sorted(kept))
    picture.quantize(palette=colours, dither=Image.Dither.NONE).save(path, optimize=True)
    plt.close(figure)


def page(cells: list[Cell], theme: str) -> str:
    """Run the cells in one theme and keep the pictures: the page, with both themes' pictures in it."""
    namespace: dict = {"__name__": "__main__"}
    parts = []
    for cell in cells:
        if cell.markdown:
            parts.append(cell.body)
            continue
        printed, figures = run(cell, namespace)
        parts.append(f"```python\n{cell.body}\n```")
        if printed.strip():
            parts.append(f"```text\n{printed.rstrip()}\n```")
        if len(figures) != bool(cell.title):
            raise SystemExit(f"line {cell.line}: a cell with a title, and no other, draws a figure")
        for figure in figures:
            keep(figure, PICTURES / f"{cell.name}-{theme}.png")
            both = [f"pictures/{cell.name}-{each}.png#only-{each}" for each in THEMES]
            parts.append("\n".join(f"![{cell.description}]({place})" for place in both))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Run the script and write the page and its pictures."""
    import matplotlib as mpl

    mpl.use("Agg")
    from fallline.show import style

    # The page shows what anyone gets, without data of their own.
    os.environ.pop("FALLLINE_DATA", None)
    PICTURES.mkdir(exist_ok=True)
    for old in PICTURES.glob("*.png"):
        old.unlink()
    cells = cells_of(SCRIPT.read_text(encoding="utf-8"))
    pages = []
    for theme in THEMES:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), style.use(theme):
            pages.append(page(cells, theme))
    if pages[0] != pages[1]:
        raise SystemExit("the script does not print the same when it is run again")
    PAGE.write_text(pages[0], encoding="utf-8")
    sizes = [picture.stat().st_size for picture in PICTURES.glob("*.png")]
    print(f"{len(sizes)} pictures, {sum(sizes) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
