"""Meeting the other workers, and parting from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fallline.descent.crew import Crew
    from fallline.scale.launch import Place


def join(
    place: Place, *, bind: str | None = None, heartbeat: float = 10, timeout: float = 300
) -> Crew:
    """Meet the other workers; before anything touches a device."""
    raise NotImplementedError


def leave() -> None:
    """Part from the other workers."""
    raise NotImplementedError
