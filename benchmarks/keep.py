"""Results on disk: each entry by its name, with its own date and versions, replaced when measured again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fallline.store import files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def merged(
    place: Path, key: str, entries: Iterable[dict[str, Any]], order: Iterable[str]
) -> dict[str, Any]:
    """Write entries into a file of results, beside those that it has.

    Args:
        place: the file, made with its folder if it is not there.
        key: under which the entries are.
        entries: with a ``name`` each.
        order: of the names; others are dropped.

    Returns:
        The whole content.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    kept = files.from_json(files.read(place), place)[key] if place.exists() else []
    known = {entry["name"]: entry for entry in [*kept, *entries]}
    result = {key: [known[name] for name in order if name in known]}
    files.write(place, files.to_json(result))
    return result
