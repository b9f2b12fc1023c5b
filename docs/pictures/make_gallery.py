"""Make the pictures of the gallery: run the page's own blocks in each theme and keep what they draw.

A block is followed by the picture it draws, so that no picture can show anything but its code::

    python docs/pictures/make_gallery.py
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from scipy.spatial import KDTree

from fallline.show import film, style

HERE = Path(__file__).parent
PAGE = HERE.parent / "explanation" / "gallery.md"
OUT = HERE / "gallery"
BLOCK = re.compile(r"^```python\n(.*?)^```\n(.*?)(?=^```|\Z)", re.MULTILINE | re.DOTALL)
DPI = 144


def save(figure, path: Path) -> None:
    """A figure as a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI)
    write(Image.open(buffer), path)


def write(picture: Image.Image, path: Path) -> None:
    """A PNG of 255 colours, which is a third of the size and looks the same."""
    theme = style.theme_of(None)
    kept = {*theme.optimizers.values(), *style.THEMES["dark"].optimizers.values(), *theme.series}
    kept |= {*theme.depth, theme.background, theme.panel, theme.grid, theme.text, theme.muted}
    kept |= {theme.accent, theme.danger, "#ffffff", "#0b0e14"}
    picture = picture.convert("RGB")
    colours = film.palette(picture, sorted(kept))
    # Pillow finds near colours by a coarse table, which would tint the background.
    every, places = np.unique(np.asarray(picture).reshape(-1, 3), axis=0, return_inverse=True)
    rows = np.array(colours.getpalette()).reshape(-1, 3)
    nearest = KDTree(rows).query(every)[1].astype(np.uint8)
    flat = Image.fromarray(nearest[places].reshape(picture.height, picture.width))
    flat.putpalette(colours.getpalette())
    flat.save(path, optimize=True)


def front_page() -> None:
    """The race of README.md, by its own command."""
    with tempfile.TemporaryDirectory() as folder, style.use("dark"):
        race = Path(folder) / "race.png"
        subprocess.run(["fallline", "terrain", "himmelblau", "--out", str(race)], check=True)
        write(Image.open(race), HERE / race.name)


def main() -> None:
    """Run the page twice."""
    front_page()
    OUT.mkdir(exist_ok=True)
    text = PAGE.read_text(encoding="utf-8")
    for theme in style.THEMES:
        namespace: dict = {"__name__": "__main__"}
        with tempfile.TemporaryDirectory() as folder, style.use(theme):
            os.chdir(folder)
            for code, after in BLOCK.findall(text):
                exec(compile(code, str(PAGE), "exec"), namespace)
                for name in re.findall(rf"gallery/([\w-]+)-{theme}\.png", after):
                    save(namespace["ax"].figure, OUT / f"{name}-{theme}.png")
                    print(f"{name}-{theme}.png")
                for made in Path(folder).glob("*.gif"):
                    shutil.move(made, OUT / made.name)
                    print(made.name)
            os.chdir(HERE)
        plt.close("all")
    size = sum(file.stat().st_size for file in OUT.iterdir())
    print(f"{size / 1e6:.2f} MB in {OUT}")


if __name__ == "__main__":
    main()
