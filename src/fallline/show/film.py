"""Frames become a film: an animated GIF or an MP4, whole or not there."""

from __future__ import annotations

import contextlib
import io
import subprocess
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from fallline.errors import FalllineError
from fallline.store import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def gif(frames: Iterator[np.ndarray], fps: int, kept: Sequence[str] = ()) -> bytes:
    """An endless GIF whose frames share one palette, so that still parts stay still.

    Args:
        frames: (height, width, 3) bytes each.
        fps: frames a second.
        kept: colours that must stay as they are.
    """
    images = [Image.fromarray(frame) for frame in frames]
    shown = [images[i] for i in np.unique(np.linspace(0, len(images) - 1, 6).astype(int))]
    sheet = Image.new("RGB", (shown[0].width, shown[0].height * len(shown)))
    for place, image in enumerate(shown):
        sheet.paste(image, (0, place * image.height))
    colours = palette(sheet, kept)
    flat = [image.quantize(palette=colours, dither=Image.Dither.NONE) for image in images]
    buffer = io.BytesIO()
    flat[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=flat[1:],
        duration=round(100 / fps) * 10,
        loop=0,
        optimize=True,
        # The one entry that is no colour of the film stands for "as before".
        transparency=255,
    )
    return buffer.getvalue()


def palette(picture: Image.Image, kept: Sequence[str] = ()) -> Image.Image:
    """The 255 colours that serve a picture best, for ``quantize``.

    Colours of small things, such as balls and words, would be lost among those of the terrain: they are
    kept by name.
    """
    wanted = [round(255 * part) for name in kept for part in to_rgb(name)]
    found = picture.quantize(255 - len(kept), method=Image.Quantize.MEDIANCUT).getpalette() or []
    colours = Image.new("P", (1, 1))
    found = (found + [0] * 765)[: 3 * (255 - len(kept))]
    # The last entry is nobody's nearest colour.
    colours.putpalette([*found, *wanted, 255, 0, 255])
    return colours


def mp4(frames: Iterator[np.ndarray], fps: int, out: Path) -> None:
    """An MP4, written by ffmpeg beside its place and moved there once it is whole."""
    first = next(frames)
    height, width = first.shape[0] // 2 * 2, first.shape[1] // 2 * 2
    temporary = out.with_name(f".{out.stem}.tmp{out.suffix}")
    command = ["ffmpeg", "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-s", f"{width}x{height}", "-r", str(fps), "-i", "-", "-an", "-c:v", "libx264"]
    command += ["-pix_fmt", "yuv420p", "-crf", "18", "-movflags", "+faststart", str(temporary)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    try:
        try:
            process.stdin.write(first[:height, :width].tobytes())
            for frame in frames:
                process.stdin.write(frame[:height, :width].tobytes())
        except BrokenPipeError:
            # ffmpeg has given up; what it says comes next.
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            process.stdin = None
        said = process.communicate()[1].decode(errors="replace").strip()
        if process.returncode:
            why = said.splitlines()[-1] if said else f"exit code {process.returncode}"
            raise FalllineError(f"ffmpeg could not write {out} ({why}); write a .gif instead.")
        temporary.replace(out)
        files.sync_folder(out.parent)
    except OSError as error:
        raise files.unwritable(out, error) from None
    finally:
        process.kill()
        temporary.unlink(missing_ok=True)
