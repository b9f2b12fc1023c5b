"""Disks that are full, and disks that cannot be read: small ones made for the purpose, as root."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

from benchmarks.faulting.place import OFTEN, Job, Outcome
from benchmarks.real import Skipped

if TYPE_CHECKING:
    import random
    from collections.abc import Generator
    from pathlib import Path

    from benchmarks.faulting.place import Place

_NEEDS_ROOT = "a disk of its own needs root on Linux"


def _mount(*words: str) -> None:
    try:
        subprocess.run(["mount", *words], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        raise Skipped(_NEEDS_ROOT) from None


@contextlib.contextmanager
def small_disk(path: Path) -> Generator[Path]:
    """A disk of 4 MB in memory, mounted at a path."""
    path.mkdir()
    _mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path))
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=False, capture_output=True)
        shutil.rmtree(path, ignore_errors=True)


def _fill(disk: Path) -> Path:
    """Take up all room that is left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 1024)
    return ballast


def full_disk(place: Place, chance: random.Random, part: float) -> Outcome:
    """The disk fills up during training; in half of the cases there is room again before the end."""
    name = place.next()
    with small_disk(place.folder / name) as disk:
        out = f"{name}/run"
        mended = part < 0.5
        job = Job(place, out, *OFTEN)
        place.until(job, lambda: place.step(out) > 500)
        ballast = _fill(disk)
        struck = time.monotonic()
        if mended:
            place.until(job, lambda: job.said("Training goes on"))
            ballast.unlink()
        codes, _, trouble = job.wait()
        seconds = time.monotonic() - struck
        sentence = job.said("Training goes on") if mended else job.words()
        spent = 0.0
        if not trouble and codes != ([0] if mended else [2]):
            trouble = f"ended with {codes}"
        trouble = trouble or job.troubled or ("" if sentence else "it says nothing of it")
        if not mended:
            ballast.unlink()
            again, spent = place.resumed(out)
            trouble = trouble or again.troubled
        trouble = trouble or place.differs(out)
    moment = "full for a while" if mended else "full to the end"
    return Outcome(moment, codes, seconds, not trouble, sentence, spent, trouble)


def unreadable_disk(place: Place, chance: random.Random, part: float) -> Outcome:
    """The disk that the table is on gives a read error in the middle of the file."""
    name = place.next()
    image, disk = place.folder / f"{name}.img", place.folder / f"{name}-disk"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    try:
        subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        raise Skipped("a disk of its own needs mkfs.ext4") from None
    original, table = place.table, disk / place.table
    try:
        _mount("-o", "loop", str(image), str(disk))
        shutil.copy(place.folder / original, table)
        os.sync()
        content = image.read_bytes()
        middle = table.read_bytes()[table.stat().st_size // 2 :][:64]
        # The image ends where the middle of the table lies: what is behind cannot be read any more.
        os.truncate(image, content.index(middle) // 4096 * 4096)
        with table.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        place.table = str(table)
        began = time.monotonic()
        job = Job(place, name, *OFTEN)
        codes, _, trouble = job.wait()
        seconds, sentence = time.monotonic() - began, job.words()
        trouble = trouble or job.troubled or ("" if codes == [2] else f"ended with {codes}")
        image.write_bytes(content)
    finally:
        subprocess.run(["umount", str(disk)], check=False, capture_output=True)
        place.table = original
    job, spent = place.resumed(name)
    trouble = trouble or place.differs(name) or job.troubled
    place.clear(name)
    image.unlink()
    return Outcome("reading", codes, seconds, not trouble, sentence, spent, trouble)
