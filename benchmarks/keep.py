"""Results on disk: each entry by its name, with its own date and versions, replaced when measured again.

And the command line of those who keep them so.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fallline.store import files

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Collection, Iterable


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


def asked(
    parser: argparse.ArgumentParser,
    kind: str,
    names: Collection[str],
    quick: str,
    draw: Callable[[dict[str, Any], Path], None],
) -> tuple[argparse.Namespace, Path] | None:
    """Read the command line.

    Args:
        parser: with what this command alone takes.
        kind: of the results, such as "growth" for ``growth.json``.
        names: what can be measured.
        quick: what ``--quick`` does.
        draw: from the whole content and a folder, the pictures.

    Returns:
        What was asked for and the file of results, or None if it was only to draw, which is done.
    """
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument(
        "--draw", action="store_true", help=f"only draw what FOLDER/{kind}.json holds"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help=f"for {kind}.json and the pictures"
    )
    found = parser.parse_args()
    for name in found.names:
        if name not in names:
            parser.error(f"there is no {name!r}; there are {', '.join(names)}")
    folder = found.out or Path("benchmarks/results")
    place = folder / f"{kind}.json"
    if found.draw:
        draw(files.from_json(files.read(place), place), folder)
        return None
    return found, place
