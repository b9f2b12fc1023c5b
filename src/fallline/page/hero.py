"""What a report begins with: the title, the verdict in a sentence, the result, and the run in six numbers."""

from __future__ import annotations

import math
from pathlib import PurePath
from typing import Any

from fallline.page.markup import MINUS, THIN, Markup, count, number, said, seconds, tag, text

SIGNS = {"well": "✓", "ill": "✗", "unsure": "?"}

NAMED = {
    "metric": (
        "r2",
        "accuracy",
        "rmse",
        "mae",
        "training_loss",
        "validation_loss",
        "value",
    ),
    "baseline": ("constant", "mean", "majority", "linear", "closed_form"),
}
"""Measures and baselines that have a name among the texts; any other is shown by its own."""

REASONS = ("epochs", "steps", "patience", "gradient", "slope", "time", "interrupted", "non-finite")
"""Ways for training to end that have a sentence among the texts; any other is said in its own."""
_OF_FUNCTION = ("steps", "gradient", "interrupted", "non-finite")


def mood(card: dict[str, Any]) -> str:
    """How a run did, in one word: "well", "ill" or "unsure"."""
    diagnosis = card.get("diagnosis")
    if diagnosis:
        if not diagnosis.get("healthy"):
            return "ill"
        first = (diagnosis["findings"] or [{}])[0]
        return "unsure" if first.get("name") == "unknown" else "well"
    reason = (card.get("stop") or {}).get("reason")
    if card.get("status") == "damaged" or reason == "non-finite":
        return "ill"
    return "well" if card.get("status") == "finished" else "unsure"


def hero(card: dict[str, Any], lang: str) -> Markup:
    """The top of the document."""
    status = card.get("status") or "finished"
    blown = status == "finished" and (card.get("stop") or {}).get("reason") == "non-finite"
    status = "diverged" if blown else status
    created = (card.get("created") or "")[:16].replace("T", " ")
    diagnosis = card.get("diagnosis")
    how = mood(card)
    if diagnosis:
        verdict: Any = tag("span", diagnosis["headline"], data_doctor="headline")
    else:
        verdict = ended(card, lang) or said(lang, "span", f"report.stands.{status}")
    return tag(
        "header",
        tag(
            "div",
            tag(
                "p",
                said(lang, "span", f"report.status.{status}", class_=f"pill {status}"),
                tag("time", f"{created} UTC", datetime=card.get("created")) if created else None,
                class_="eyebrow",
            ),
            tag("h1", card.get("title") or ""),
            _about(card, lang),
            tag("div", tag("span", SIGNS[how], class_="sign", aria_hidden="true"), tag("div", verdict),
                class_=f"headline {how}"),
            class_="words",
        ),
        _score(card, lang),
        _tiles(card, lang),
        class_="hero",
    )  # fmt: skip


def ended(card: dict[str, Any], lang: str) -> Markup | None:
    """How the run ended, in a sentence."""
    stop, trained = card.get("stop"), card.get("trained") or {}
    if not stop:
        return None
    values = {"epochs": number(trained.get("epochs")), "steps": count(trained.get("steps"))}
    reason, sentence = stop["reason"], stop["sentence"]
    if trained.get("batch_size"):
        if reason not in REASONS:
            return tag("p", sentence)
        return tag("p", text(lang, f"panels.stop.{reason}", **values), data_ended=True)
    if reason not in _OF_FUNCTION or (lang == "en" and sentence):
        return tag("p", sentence, data_ended=True)
    return tag("p", text(lang, f"panels.stop.function.{reason}", **values), data_ended=True)


def _about(card: dict[str, Any], lang: str) -> Markup | None:
    """What is predicted from what, in a sentence."""
    trained = card.get("trained") or {}
    if not (trained.get("target") and trained.get("data")):
        return None
    columns = len(trained.get("columns") or [])
    values = {
        "target": trained["target"],
        "data": PurePath(trained["data"]).name,
        "columns" if columns else "features": count(columns or trained.get("features")),
    }
    key = "report.about.columns" if columns else "report.about"
    return said(lang, "p", key, values, class_="about")


def shown(metric: str, value: Any) -> str:
    """A result as it is read: an accuracy in per cent, a share of the variance with four decimals."""
    if value is None or not math.isfinite(value):
        return number(value)
    if metric == "accuracy":
        places = 0 if value in (0, 1) else 2 if value > 0.995 else 1
        return f"{100 * value:.{places}f}{THIN}%"
    if metric == "r2" and abs(value) < 10:
        return f"{value:.4f}".replace("-", MINUS)
    return number(value)


def _score(card: dict[str, Any], lang: str) -> Markup | None:
    result = card.get("result")
    if not result:
        losses = (card.get("curves") or {}).get("smooth") or []
        last = next((v for v in reversed(losses) if v is not None), None)
        if last is None:
            return None
        big = tag("p", number(last), class_="big")
        return tag("div", big, said(lang, "p", "report.lastLoss", class_="metric"), class_="score")
    metric = str(result["metric"])
    rows = (card.get("trained") or {}).get("rows") or {}
    where = result.get("measured_on")
    others = [
        tag(
            "div",
            tag("dt", named(lang, "metric", o["name"])),
            tag("dd", shown(o["name"], o["value"])),
        )
        for o in result.get("others") or []
        if o["name"] != "baseline_rmse"
    ]
    baseline = result.get("baseline")
    return tag(
        "div",
        tag("p", shown(metric, result.get("value")), class_="big"),
        tag(
            "p",
            named(lang, "metric", metric),
            " ",
            said(lang, "span", f"report.on.{where}", {"rows": count(rows[where])})
            if rows.get(where)
            else None,
            class_="metric",
        ),
        said(lang, "p", "report.against", {"baseline": shown(metric, baseline)}, class_="quiet")
        if baseline is not None and not card.get("baselines")
        else None,
        tag("dl", *others, class_="besides") if others else None,
        class_="score",
    )


def named(lang: str, kind: str, name: str) -> Markup:
    """A measure or a baseline by its name in words, or its own."""
    if name not in NAMED[kind]:
        return tag("span", name)
    key = f"report.metric.{name}" if kind == "metric" else f"panels.baseline.{name}"
    return said(lang, "span", key)


def _tiles(card: dict[str, Any], lang: str) -> Markup | None:
    trained = card.get("trained") or {}
    epochs = trained.get("epochs")
    values = {
        "rows": count((trained.get("rows") or {}).get("training")),
        "features": count(trained.get("features")),
        "parameters": count(trained.get("parameters")),
        "steps": count(trained.get("steps")),
        "epochs": number(epochs, 3) if epochs is None or epochs < 1000 else count(epochs),
        "seconds": seconds(trained.get("seconds")),
    }
    tiles = [
        tag("div", said(lang, "dt", f"report.tile.{name}"), tag("dd", value))
        for name, value in values.items()
        if value != "–" and not (name == "epochs" and value == number(trained.get("steps")))
    ]
    return tag("dl", *tiles, class_="tiles") if tiles else None
