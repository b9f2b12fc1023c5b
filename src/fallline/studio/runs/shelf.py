"""The folder of saved runs, read again only where something has changed."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

from fallline.errors import FalllineError, nearest
from fallline.page.folders import facts_of, require_plain
from fallline.store.folder import RunFolder

LONGEST_NAME = 255
"""Bytes of a folder's name, on every file system in use."""

SILENT = 90.0
"""Seconds without a sign after which a run that says it is running is taken for one that was stopped."""

Signature = tuple[int, ...]


@dataclasses.dataclass
class Entry:
    """A run of the folder.

    Attributes:
        path: its folder.
        signature: what changes when the run does.
        touched: when it last did, in seconds since 1970.
        facts: what ``run.json`` says; empty where it is damaged.
        trouble: why it cannot be read, in a sentence; empty where it can.
    """

    path: Path
    signature: Signature
    touched: float
    facts: dict[str, Any]
    trouble: str = ""

    @property
    def status(self) -> str:
        """How it stands: "finished", "running", "silent", "interrupted" or "damaged".

        A process that was killed leaves a run that says it is running; after a while without a checkpoint
        it is "silent".
        """
        if self.trouble:
            return "damaged"
        said = str(self.facts.get("status"))
        if said == "running" and time.time() - self.touched > SILENT:
            return "silent"
        return said if said in ("finished", "running") else "interrupted"

    def row(self) -> dict[str, Any]:
        """The line of the list."""
        config = _object(self.facts.get("config"))
        result = _object(self.facts.get("result"))
        return {
            "name": self.path.name,
            "status": self.status,
            "trouble": self.trouble,
            "created": self.facts.get("created"),
            "touched": self.touched,
            "data": config.get("data"),
            "target": result.get("target") or config.get("target"),
            "model": result.get("model") or config.get("model"),
            "hidden": config.get("hidden"),
            "optimizer": config.get("optimizer"),
            "metric": result.get("metric"),
            "value": result.get("value"),
            "baseline": result.get("baseline"),
            "seconds": result.get("total_seconds"),
            "stop": result.get("stop_reason"),
        }


class Shelf:
    """The runs of a folder, by the names of their folders.

    Args:
        folder: nothing outside it is read.

    Attributes:
        entries: name -> run.
        cost: seconds that the last `refresh` took.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, Entry] = {}
        self.cost = 0.0

    def refresh(self) -> tuple[list[Entry], list[str]]:
        """Look at the folder again.

        Returns:
            The runs that are new or have changed, and the names of those that are gone.
        """
        began = time.perf_counter()
        seen: dict[str, Signature] = {}
        changed: list[Entry] = []
        for path in self._folders():
            signature = signature_of(path)
            if signature is None:
                continue
            seen[path.name] = signature
            known = self.entries.get(path.name)
            if known is None or known.signature != signature:
                kept = known if known and known.signature[:2] == signature[:2] else None
                entry = _read(path, signature, kept)
                self.entries[path.name] = entry
                changed.append(entry)
        gone = [name for name in self.entries if name not in seen]
        for name in gone:
            del self.entries[name]
        self.cost = time.perf_counter() - began
        return changed, gone

    def _folders(self) -> list[Path]:
        """The folders in this one that do not lead out of it."""
        found: list[Path] = []
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    path = Path(entry.path)
                    if entry.is_symlink() and not _within(path, self.folder):
                        continue
                    if entry.is_dir():
                        found.append(path)
        except OSError:
            return []
        return found

    def find(self, name: str) -> Entry:
        """The run of a name that the page sent: the name of a folder, and nothing else.

        Raises:
            FalllineError: if there is no such run, or it is damaged or leads out of the folder.
        """
        entry = self.entries.get(name)
        if entry is None:
            # It may have been made since the folder was last looked at.
            self.refresh()
            entry = self.entries.get(name)
        if entry is None:
            if len(name.encode(errors="replace")) > LONGEST_NAME or any(c in name for c in "/\\\0"):
                raise FalllineError("A run is named by its folder's name, without a path.")
            hint = nearest(name, self.entries) if self.entries else "there are none yet."
            raise FalllineError(f"There is no run {name!r} in {self.folder.name}: {hint}")
        if entry.trouble:
            raise FalllineError(entry.trouble)
        require_inside(entry.path, self.folder)
        return entry


def require_inside(path: Path, folder: Path) -> None:
    """Check that no link in a run's folder leads out of the folder of runs.

    Raises:
        FalllineError: naming the one that does, or what is neither a file nor a folder.
    """
    for place, folders, names in os.walk(path):
        for name in (*folders, *names):
            inner = Path(place) / name
            if inner.is_symlink() and not _within(inner, folder):
                raise FalllineError(
                    f"{inner.name} in the run {path.name} is a link that leads out of the folder of runs; "
                    "it is not followed."
                )
    require_plain(path)


def signature_of(path: Path) -> Signature | None:
    """What changes when a run does: its ``run.json``, and its newest checkpoints; None if it is no run."""
    try:
        about = (path / "run.json").stat()
    except (OSError, ValueError):
        return None
    signature = (about.st_mtime_ns, about.st_size)
    try:
        return (*signature, (path / "checkpoints").stat().st_mtime_ns)
    except OSError:
        return signature


def _read(path: Path, signature: Signature, known: Entry | None) -> Entry:
    """Read a run's ``run.json``, unless it is as it was."""
    touched = max(signature[0], *signature[2:], 0) / 1e9
    if known is not None:
        return dataclasses.replace(known, signature=signature, touched=touched)
    try:
        if (path / "run.json").is_symlink() and not _within(path / "run.json", path.parent):
            raise FalllineError("run.json is a link that leads out of the folder of runs.")
        return Entry(path, signature, touched, facts_of(RunFolder(path)))
    except FalllineError as error:
        # Where the folder lies is no matter of the page's, and long.
        sentence = str(error).replace(f"{path}{os.sep}", "").replace(str(path), path.name)
        return Entry(path, signature, touched, {}, sentence)


def _within(path: Path, folder: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):
        return False


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]
