"""What was trained, on what, and how, as a list of names and values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fallline.page.markup import Markup, count, number, said, seconds, tag

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN = 12
"""Classes that are listed by name."""


def facts(card: dict[str, Any], lang: str) -> Markup:
    """The list in one language."""
    rows = [
        tag("div", said(lang, "dt", f"report.fact.{name}"), tag("dd", value))
        for name, value in _facts(card, lang)
        if value not in (None, "", "–")
    ]
    return tag("dl", *rows)


def _facts(card: dict[str, Any], lang: str) -> Iterator[tuple[str, Any]]:
    trained = card.get("trained") or {}
    rows = trained.get("rows") or {}
    yield "data", trained.get("data")
    yield "target", trained.get("target")
    if trained.get("task") in ("regression", "classification"):
        yield "task", said(lang, "span", f"report.task.{trained['task']}")
    classes = trained.get("classes") or []
    more = f" … ({count(len(classes))})" if len(classes) > SHOWN else ""
    yield "classes", ", ".join(map(str, classes[:SHOWN])) + more
    for part in ("training", "validation", "test"):
        yield part, count(rows[part]) if rows.get(part) else None
    yield "features", count(trained.get("features"))
    columns = trained.get("columns") or []
    yield "columns", ", ".join(f"{c['name']} ({c['kind']})" for c in columns)
    yield "model", trained.get("model")
    yield "parameters", count(trained.get("parameters"))
    yield "loss", trained.get("loss")
    yield "optimizer", _optimizer(trained.get("optimizer"))
    yield "learningRate", number(trained.get("learning_rate"))
    yield "schedule", trained.get("schedule")
    yield "batch", count(trained.get("batch_size"))
    yield "steps", count(trained.get("steps"))
    yield "epochs", number(trained.get("epochs"))
    yield "rowsSeen", count(trained.get("rows_seen"))
    yield "bestEpoch", count(card["best_epoch"]) if card.get("best_epoch") else None
    yield "seed", None if trained.get("seed") is None else str(trained["seed"])
    yield "precision", trained.get("precision")
    yield "seconds", seconds(trained.get("seconds"))


def _optimizer(found: dict[str, Any] | None) -> str | None:
    if not found:
        return None
    settings = [
        f"{key} {number(value) if isinstance(value, float) else value}"
        for key, value in (found.get("settings") or {}).items()
        if value not in (None, {}, [])
    ]
    return " · ".join([str(found["name"]), *settings])
