"""The compiled programs of earlier processes, kept in the user's cache folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

LIMIT = 512 * 2**20
"""Bytes the folder may take; the least recently used programs go first."""


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

    A second fit of the same shapes then starts about two seconds sooner.
    """
    if os.environ.get("FALLLINE_CACHE") == "off":
        return
    folder = cache_folder() / "programs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    import jax

    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_compilation_cache_max_size", LIMIT)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
