"""Places of data: paths, patterns, folders and URLs, all opened by one function."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from fallline.errors import FalllineError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

TABLES = (".parquet", ".csv", ".tsv", ".npy")
"""The endings that a folder is searched for."""

_URL = re.compile(r"^([A-Za-z][A-Za-z0-9+.\-]+)://")
_PATTERN = re.compile(r"[*?\[]")
_HINTS = {
    "s3": "pip install 'fallline[s3]'",
    "s3a": "pip install 'fallline[s3]'",
    "gs": "pip install 'fallline[gs]'",
    "gcs": "pip install 'fallline[gs]'",
    "http": "pip install aiohttp",
    "https": "pip install aiohttp",
}


class Remote:
    """As much of a path as the readers of this package use, for a URL."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = name_of(url)
        self.suffix = Path(self.name).suffix

    def open(self, mode: str = "rb") -> BinaryIO:
        """Open it for reading."""
        return open_input(self.url)

    def with_suffix(self, suffix: str) -> Path:
        """Its name with another ending."""
        return Path(self.name).with_suffix(suffix)

    def __str__(self) -> str:
        return self.url


class Piece(Remote):
    """As much of a path as the readers use, for bytes that are part of a file."""

    def __init__(self, content: bytes, named: str) -> None:
        super().__init__(named)
        self._content = content

    def open(self, mode: str = "rb") -> BinaryIO:
        """Open it for reading."""
        return io.BytesIO(self._content)


def is_url(place: object) -> bool:
    """Whether a place is a URL such as ``s3://bucket/sales.parquet``."""
    return isinstance(place, str) and _URL.match(place) is not None


def is_pattern(place: object) -> bool:
    """Whether a place stands for many files: ``data/*.parquet``, and no file has that very name."""
    if not isinstance(place, (str, Path)) or not _PATTERN.search(str(place)):
        return False
    if is_url(place):
        # A question mark begins the query of a web address.
        return "*" in str(place)
    with contextlib.suppress(OSError, ValueError):
        return not Path(place).expanduser().exists()
    return False


def name_of(place: str) -> str:
    """What sentences call a place: its last part."""
    if is_url(place):
        place = place.split("?")[0] if place.startswith("http") else place
        return place.rstrip("/").rpartition("/")[2] or place
    return Path(place).name or place


def readable(place: str) -> Path:
    """A place as something that the readers of tables can open: a path, or what stands for one."""
    # Remote has what they use of a path, no more.
    return cast("Path", Remote(place)) if is_url(place) else Path(place)


def on_disk(path: object) -> bool:
    """Whether a path is one, and not what `readable` gives for a URL or a piece."""
    return isinstance(path, Path)


def open_input(place: str | Path) -> BinaryIO:
    """Open a path or a URL for reading; every file of data is opened here.

    Args:
        place: A path, or a URL that fsspec knows.

    Returns:
        A binary file that can seek.

    Raises:
        FalllineError: if it is not there, or may not be read, or its network does not answer.
    """
    text = str(place)
    try:
        if not is_url(text):
            return Path(text).open("rb")
        system, inside = _filesystem(text)
        # Chunks are read front to back, and footers from the end; nothing is worth keeping.
        return cast("BinaryIO", system.open(inside, "rb"))
    except Exception as error:
        raise trouble(text, error) from error


def size(place: str | Path) -> int:
    """The size of a file in bytes.

    Raises:
        FalllineError: if it is not there, or its store does not tell.
    """
    text = str(place)
    try:
        if not is_url(text):
            return os.stat(text).st_size  # noqa: PTH116 - Path.stat is three times as slow
        system, inside = _filesystem(text)
        found = system.size(inside)
    except Exception as error:
        raise trouble(text, error) from error
    if found is None:
        raise FalllineError(
            f"The size of {text} is not told by its server, so it cannot be read piece by piece: "
            "copy it to a disk first."
        )
    return int(found)


def written(place: str | Path) -> int:
    """When a file was last written to, in nanoseconds; 0 for a URL, whose store may not tell.

    Raises:
        FalllineError: if it is not there.
    """
    text = str(place)
    if is_url(text):
        return 0
    try:
        return os.stat(text).st_mtime_ns  # noqa: PTH116 - Path.stat is three times as slow
    except OSError as error:
        raise trouble(text, error) from error


def expand(data: str | Path | Sequence[str | Path]) -> list[str]:
    """Every file that the user's words stand for.

    Args:
        data: A path, a pattern such as ``data/*.parquet``, a folder of Parquet, CSV or .npy files,
            a URL of any of these, or a list of them.

    Returns:
        Paths and URLs. Those of a pattern or a folder are in natural order: part-2 comes before
        part-10.

    Raises:
        FalllineError: if there is no such file.
    """
    if not isinstance(data, (str, Path)):
        found = [place for one in data for place in expand(one)]
        if not found:
            raise FalllineError("The list of files is empty: name at least one.")
        if len(set(found)) < len(found):
            twice = next(place for place in found if found.count(place) > 1)
            raise FalllineError(f"{twice} is named twice: name every file once.")
        return found
    text = str(data)
    return _expand_url(text) if is_url(text) else _expand_path(text)


def natural(place: str) -> tuple[tuple[int, int, str], ...]:
    """The key that sorts part-2 before part-10."""
    parts = re.split(r"(\d+)", place)
    return tuple((0, int(p), p) if p.isdigit() and p.isascii() else (1, 0, p) for p in parts)


def trouble(place: str, error: BaseException) -> FalllineError:
    """The sentence for a file that cannot be opened, or read on."""
    if isinstance(error, FalllineError):
        return error
    if isinstance(error, FileNotFoundError):
        return FalllineError(f"There is no file {place}: check the path.")
    if isinstance(error, PermissionError):
        return FalllineError(f"You are not allowed to read {place}: ask for permission.")
    if isinstance(error, IsADirectoryError):
        return FalllineError(f"{place} is a folder: name a file in it.")
    if not is_url(place):
        return FalllineError(f"{place} cannot be read: {reason(error)}. Check the disk it lies on.")
    scheme = place.partition("://")[0].lower()
    if isinstance(error, ImportError):
        hint = _HINTS.get(scheme, f"the package that fsspec names for it ({reason(error)})")
        return FalllineError(f"Reading {scheme}:// needs another package: {hint}.")
    if isinstance(error, ValueError) and "rotocol" in str(error):
        return FalllineError(
            f"{scheme}:// is no kind of place that Fallline can read from: give a path, or a URL "
            "such as s3://bucket/file.parquet or https://host/file.csv."
        )
    return FalllineError(
        f"{place} cannot be read: {reason(error)}. Check the address, the network and your "
        "credentials."
    )


def reason(error: BaseException) -> str:
    """The first line of what an error says."""
    told = getattr(error, "strerror", None) or str(error)
    lines = str(told).strip().splitlines()
    return lines[0].rstrip(". ") if lines else type(error).__name__


def _filesystem(url: str) -> tuple[Any, str]:
    import fsspec  # pyright: ignore[reportMissingTypeStubs]

    found: Any = fsspec.core.url_to_fs(url)
    return found[0], str(found[1])


def _expand_path(text: str) -> list[str]:
    import glob

    path = Path(text).expanduser()
    if is_pattern(text):
        # Path.glob takes no absolute pattern.
        matches = glob.glob(str(path), recursive=True)  # noqa: PTH207
        found = [one for one in matches if Path(one).is_file()]
        if not found:
            raise FalllineError(
                f"No file matches {text}: check the folder and the ending, and put the pattern in "
                "quotes so that Fallline sees it, not the shell."
            )
        return sorted(found, key=natural)
    if path.is_dir():
        return _tables_in([str(one) for one in path.iterdir() if one.is_file()], text)
    if not path.is_file():
        folder = path.parent
        names = sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []
        offer = nearest(path.name, names) if names else ""
        hint = offer if offer.startswith("did you mean") else "check the path."
        raise FalllineError(f"There is no file {text}: {hint}")
    return [str(path)]


def _expand_url(url: str) -> list[str]:
    try:
        system, inside = _filesystem(url)
        if is_pattern(url):
            # A folder's own marker may match, too.
            found = [str(one) for one in system.glob(inside) if not system.isdir(one)]
            if not found:
                raise FalllineError(f"No file matches {url}: check the address and the pattern.")
            return [str(system.unstrip_protocol(one)) for one in sorted(found, key=natural)]
        if url.startswith("http") or not system.isdir(inside):
            # Whether it is there, opening tells.
            return [url]
        names = [str(one) for one in system.ls(inside, detail=False)]
        return [str(system.unstrip_protocol(one)) for one in _tables_in(names, url)]
    except Exception as error:
        raise trouble(url, error) from error


def _tables_in(names: Iterable[str], folder: str) -> list[str]:
    """The tables among the files of a folder."""
    shown = [one for one in names if not name_of(one).startswith((".", "_"))]
    found = [one for one in shown if Path(one).suffix.lower() in TABLES]
    if not found:
        raise FalllineError(
            f"{folder} is a folder without tables ({', '.join(TABLES)}): name one file in it, or "
            f"write a pattern such as '{folder.rstrip('/')}/**/*.parquet'."
        )
    kinds = sorted({Path(one).suffix.lower() for one in found})
    if len(kinds) > 1:
        raise FalllineError(
            f"{folder} holds files of more than one kind ({', '.join(kinds)}): choose by a pattern "
            f"such as '{folder.rstrip('/')}/*{kinds[0]}'."
        )
    return sorted(found, key=natural)
