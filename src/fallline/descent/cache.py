"""The compiled programs of earlier processes, kept in the user's cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import sys
from pathlib import Path

LIMIT = 512 * 2**20
"""Bytes the folder may take; the least recently used programs go first."""

_DIGEST = 16


def cache_folder() -> Path:
    """Where programs are kept: ``FALLLINE_CACHE``, else the system's cache folder."""
    if named := os.environ.get("FALLLINE_CACHE"):
        return Path(named)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "fallline"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "fallline" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fallline"


def use_compilation_cache() -> None:
    """Let this process keep and reuse compiled programs; ``FALLLINE_CACHE=off`` turns it off.

    A second fit of the same shapes then starts about two seconds sooner. The commands call it; a script
    that wants it does so before its first training, and changes JAX's own settings by that.
    """
    if os.environ.get("FALLLINE_CACHE") == "off":
        return
    folder = cache_folder() / "programs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    import jax
    from jax._src import compilation_cache

    # A private name of JAX: its own way to keep files can leave them damaged for good, see `Programs`.
    compilation_cache.get_file_cache = lambda path: (Programs(Path(path)), path)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


class Programs:
    """Compiled programs as files, with the two methods that JAX asks of a cache.

    JAX's own class (0.10) writes in place: a process killed, or a disk full, in the middle leaves a file
    that is neither read nor replaced ever after, with a warning in every process, and one file without
    its companion stops all writing. Here a file appears whole, by renaming, so that processes need no
    lock; it begins with the digest of the rest, and one that does not fit is compiled and written anew. A
    folder that cannot be written to is only read.
    """

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self._path = folder
        self.limit = limit
        self._room = 0

    def get(self, key: str) -> bytes | None:
        """A program, or None if there is none that is whole."""
        place = self._path / key
        try:
            content = place.read_bytes()
        except OSError:
            return None
        value = content[_DIGEST:]
        whole = content[:_DIGEST] == _digest(value)
        with contextlib.suppress(OSError):
            if whole:
                os.utime(place)
            else:
                place.unlink()
        return value if whole else None

    def put(self, key: str, value: bytes) -> None:
        """Keep a program."""
        temporary = self._path / f"{key}.{secrets.token_hex(4)}.tmp"
        try:
            temporary.write_bytes(_digest(value) + value)
            temporary.replace(self._path / key)
            self._room -= len(value)
            if self._room < 0:
                self._room = self._make_room()
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()

    def _make_room(self) -> int:
        """Remove what was not used for longest, where there is too much; the bytes then left."""
        # A program may vanish under the walk, which is then given up, but not left open.
        with os.scandir(self._path) as entries:
            found = [(entry.stat(), entry.path) for entry in entries]
        found.sort(key=lambda entry: entry[0].st_mtime_ns, reverse=True)
        total = sum(about.st_size for about, _ in found)
        # A quarter is freed at once, so that it is seldom done.
        room = self.limit if total <= self.limit else self.limit * 3 // 4
        for about, path in found:
            room -= about.st_size
            if room < 0:
                Path(path).unlink(missing_ok=True)
        return max(room, 0)


def _digest(value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=_DIGEST).digest()
