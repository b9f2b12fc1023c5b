"""Which folder a run is kept in, and which run to go on with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from fallline.cli import screen
from fallline.errors import FalllineError

if TYPE_CHECKING:
    from fallline.jobs.config import FitConfig

RUNS = Path("runs")


def name_of(data: str) -> str:
    """``"data/Sales 2024.csv.gz"`` -> ``"Sales-2024"``."""
    name = Path(data).name
    for ending in (
        ".gz",
        ".csv",
        ".tsv",
        ".parquet",
        ".jsonl",
        ".ndjson",
        ".json",
        ".npz",
        ".libsvm",
    ):
        name = name.removesuffix(ending)
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"


def folder_for(data: str, out: Path | None, *, resume: bool) -> Path:
    """The folder given, or the next free ``runs/NAME-N``; to resume, the newest unfinished one.

    Raises:
        FalllineError: if there is nothing to resume.
    """
    if out is not None:
        return out
    name = name_of(data)
    if resume:
        return _unfinished(name)
    number = 1
    while (RUNS / f"{name}-{number}").exists():
        number += 1
    return RUNS / f"{name}-{number}"


def _unfinished(name: str | None) -> Path:
    from fallline.store.folder import runs_in

    found = [
        path
        for path, facts in runs_in(RUNS)
        if facts is not None
        and facts.get("status") != "finished"
        and (name is None or path.name.rpartition("-")[0] == name)
    ]
    if not found:
        what = "run" if name is None else f"run of {name}"
        raise FalllineError(f"There is no unfinished {what} in {RUNS}/ to resume.")
    return max(found, key=lambda path: (path / "run.json").stat().st_mtime)


def stored(out: Path | None) -> tuple[Path, FitConfig]:
    """The run to go on with, and what it was asked for."""
    from fallline.jobs.config import FitConfig
    from fallline.store.folder import RunFolder

    path = out or _unfinished(None)
    folder = RunFolder(path)
    said = folder.mend()
    if said:
        screen.remark(said)
    return path, FitConfig.from_json(folder.facts()["config"])


def share_or_path(text: str) -> float | str:
    """``"0.2"`` is a share, anything else a path."""
    try:
        return float(text)
    except ValueError:
        return text
