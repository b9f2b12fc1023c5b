"""Several runs beside each other: what was asked for, where they differ, what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fallline.studio.runs.shelf import Entry

RESULTS = (
    "value",
    "baseline",
    "train_seconds",
    "epochs",
    "steps",
    "best_epoch",
    "learning_rate",
    "stop_reason",
)
"""What of a run's result is worth a line, in this order."""


def beside(entries: Sequence[Entry]) -> dict[str, Any]:
    """The settings and the results of some runs, a row each thing, a value each run.

    Returns:
        ``names``; ``settings``: rows of ``name``, ``values`` as short texts, ``differ``, those that differ
        first; ``results``: rows of ``name``, ``values``; ``metrics``, a run each.
    """
    configs = [_fields(entry, "config") for entry in entries]
    results = [_fields(entry, "result") for entry in entries]
    names = list(dict.fromkeys(name for config in configs for name in config))
    settings: list[dict[str, Any]] = []
    for name in names:
        values = [word(config.get(name)) for config in configs]
        settings.append({"name": name, "values": values, "differ": len(set(values)) > 1})
    settings.sort(key=lambda row: not row["differ"])
    rows = [
        {"name": name, "values": [result.get(name) for result in results]}
        for name in RESULTS
        if any(result.get(name) is not None for result in results)
    ]
    return {
        "names": [entry.path.name for entry in entries],
        "settings": settings,
        "results": rows,
        "metrics": [result.get("metric") for result in results],
    }


def word(value: Any) -> str:
    """A setting's value in few characters."""
    if value is None or value in ([], {}):
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        listed: list[Any] = value
        return ", ".join(word(part) for part in listed)
    if isinstance(value, dict):
        fields: dict[str, Any] = value
        return ", ".join(f"{name} {word(part)}" for name, part in fields.items())
    return str(value)[:200]


def _fields(entry: Entry, name: str) -> dict[str, Any]:
    value = entry.facts.get(name)
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]
