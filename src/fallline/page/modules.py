"""The front end's files: modules by the bare names that they import, style sheets, texts."""

from __future__ import annotations

import functools
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

STATIC: Traversable = files("fallline.page") / "static"
"""The folder that holds them all."""

LANGUAGES = ("en", "zh")


def _sorted(folder: Traversable) -> list[Traversable]:
    return sorted(folder.iterdir(), key=lambda entry: entry.name)


@functools.cache
def modules() -> dict[str, str]:
    """Bare name of each module -> its path from the folder `STATIC` on."""
    found: dict[str, str] = {}

    def walk(folder: Traversable, prefix: str) -> None:
        for entry in _sorted(folder):
            if entry.is_dir():
                walk(entry, f"{prefix}{entry.name}/")
            elif entry.name.endswith(".js"):
                found[f"fallline/{prefix}{entry.name[:-3]}"] = f"js/{prefix}{entry.name}"

    walk(STATIC / "js", "")
    for entry in _sorted(STATIC / "vendor"):
        if entry.name.endswith(".js"):
            found[entry.name.removesuffix(".js")] = f"vendor/{entry.name}"
    return found


def sheets() -> list[str]:
    """The style sheets' paths from the folder `STATIC` on."""
    return [f"css/{entry.name}" for entry in _sorted(STATIC / "css") if entry.name.endswith(".css")]


@functools.cache
def texts(language: str) -> dict[str, Any]:
    """Every text of a language, by its key."""
    found: dict[str, Any] = {}
    for entry in _sorted(STATIC / "lang" / language):
        found |= json.loads(entry.read_text("utf-8"))
    return found
