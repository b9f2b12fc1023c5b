"""Several processes and machines: one training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fallline.jobs.result import TableRun


def fit(
    data: Any,
    target: str | None = None,
    *,
    out: str | None = None,
    resume: bool = False,
    distributed: str | None = "auto",
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    **options: Any,
) -> TableRun:
    """Train on several processes, each of which calls this."""
    raise NotImplementedError
