"""Real tables, from the folder that ``FALLLINE_DATA`` names."""

from __future__ import annotations

import os
from pathlib import Path


class Skipped(Exception):  # noqa: N818 - nothing is wrong
    """Raised by a workload's maker where something that it needs is not here, such as real tables."""


def real_table(name: str) -> Path:
    """A file in the folder that ``FALLLINE_DATA`` names.

    Raises:
        Skipped: if it is not there.
    """
    folder = os.environ.get("FALLLINE_DATA", "")
    if not folder or not (Path(folder) / name).exists():
        raise Skipped(f"{name} is not in the folder that FALLLINE_DATA names ({folder or 'unset'})")
    return Path(folder) / name
