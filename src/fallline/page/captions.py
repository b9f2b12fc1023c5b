"""What a report says beneath its figures: sentences that follow the numbers."""

from __future__ import annotations

import math
from typing import Any

from fallline.page.markup import count, number, percent

Sentence = tuple[str, dict[str, Any]]
"""The key of a text, and the values of its placeholders."""


def _numbers(values: Any) -> list[float]:
    return [v for v in values or [] if v is not None and math.isfinite(v)]


def losses(card: dict[str, Any]) -> list[Sentence]:
    """From where to where the loss went, and which epoch was best."""
    curves, epochs = card.get("curves") or {}, card.get("epochs") or {}
    steps, found = curves.get("step") or [], curves.get("loss") or []
    known = [(s, v) for s, v in zip(steps, found, strict=False) if v is not None]
    if not known:
        return [("report.caption.noLoss", {})]
    trained = card.get("trained") or {}
    smooth = _numbers(curves.get("smooth")) or [v for _, v in known]
    ended = {"steps": count(trained.get("steps") or steps[-1]), "first": number(known[0][1])}
    said: list[Sentence] = []
    if found[-1] is None:
        after = next(s for s, v in zip(steps, found, strict=False) if v is None and s > known[0][0])
        highest = max(v for _, v in known)
        values = {"step": count(after), "first": ended["first"], "highest": number(highest)}
        said.append(("report.caption.blewUp", values))
    elif not (card.get("diagnosis") or {}).get("healthy"):
        # The doctor has said so of a healthy run.
        way = "fell" if smooth[-1] <= known[0][1] else "rose"
        said.append((f"report.caption.{way}", {**ended, "last": number(smooth[-1])}))
    validation = epochs.get("validation_loss") or []
    best = card.get("best_epoch") or 0
    numbers = _numbers(validation)
    if numbers and best > 0:
        said.append(("report.caption.best", {"epoch": count(best), "value": number(min(numbers))}))
    return said


def learning_rate(card: dict[str, Any]) -> list[Sentence]:
    """Whether it was the same throughout."""
    rates = _numbers((card.get("curves") or {}).get("learning_rate"))
    if not rates:
        return []
    low, high = min(rates), max(rates)
    if math.isclose(low, high, rel_tol=1e-6):
        return [("report.caption.rateSame", {"rate": number(low, 3)})]
    values = {"low": number(low, 3), "high": number(high, 3), "last": number(rates[-1], 3)}
    return [("report.caption.rateChanged", values)]


def norms(card: dict[str, Any]) -> list[Sentence]:
    """How the gradient's size changed from the first tenth of the run to the last."""
    found = _numbers((card.get("curves") or {}).get("gradient_norm"))
    if len(found) < 2:
        return []
    tenth = max(len(found) // 10, 1)
    early, late = sorted(found[:tenth])[tenth // 2], sorted(found[-tenth:])[tenth // 2]
    return [("report.caption.norms", {"early": number(early, 3), "late": number(late, 3)})]


def range_test(card: dict[str, Any]) -> list[Sentence]:
    """Which rates were tried, and which was taken."""
    found = card["range_test"]
    rates = _numbers(found.get("learning_rates"))
    values = {
        "low": number(min(rates), 2) if rates else "–",
        "high": number(max(rates), 2) if rates else "–",
        "chosen": number(found.get("chosen"), 3),
        "tries": count(len(rates)),
    }
    return [("report.caption.range", values)]


def flow(card: dict[str, Any]) -> list[Sentence]:
    """The layers with the largest and the smallest gradient."""
    layers = [x for x in card["instruments"]["layers"] if x.get("gradient") is not None]
    said: list[Sentence] = []
    if len(layers) > 1:
        most = max(layers, key=lambda x: x["gradient"])
        least = min(layers, key=lambda x: x["gradient"])
        factor = most["gradient"] / least["gradient"] if least["gradient"] else math.inf
        values = {
            "most": most["name"],
            "least": least["name"],
            "factor": number(factor, 2) if math.isfinite(factor) else "∞",
        }
        said.append(("report.caption.flow", values))
    return said


def activations(card: dict[str, Any]) -> list[Sentence]:
    """The layer with most dead or saturated units."""
    instruments = card["instruments"]
    layers = instruments["activations"]
    about = {"rows": count(instruments.get("sample")), "step": count(instruments.get("step"))}
    said: list[Sentence] = [("report.caption.sample", about)]
    for kind in ("dead", "saturated"):
        known = [x for x in layers if x.get(kind) is not None]
        if known:
            worst = max(known, key=lambda x: x[kind])
            key = f"report.caption.{kind}" if worst[kind] else f"report.caption.{kind}None"
            values = {"name": worst["name"], "share": percent(worst[kind])} if worst[kind] else {}
            said.append((key, values))
    return said


def confusion(card: dict[str, Any]) -> list[Sentence]:
    """How many are right, and what is most often taken for what."""
    found = card["instruments"]["confusion"]
    counts, classes = found["counts"], found["classes"]
    everything = sum(map(sum, counts))
    right = sum(counts[i][i] for i in range(len(counts)))
    values = {
        "right": count(right),
        "all": count(everything),
        "share": percent(right / everything if everything else None),
    }
    said: list[Sentence] = [("report.caption.confusion", values)]
    wrong = [(c, i, j) for i, row in enumerate(counts) for j, c in enumerate(row) if i != j and c]
    if wrong:
        times, i, j = max(wrong)
        if times == 1:
            return [*said, ("report.caption.confusedOnce", {})]
        values = {"true": classes[i], "predicted": classes[j], "times": count(times)}
        said.append(("report.caption.confused", values))
    return said


def residuals(card: dict[str, Any]) -> list[Sentence]:
    """By how much half of the predictions are off."""
    found = card["instruments"]["residuals"]
    pairs = zip(found["actual"], found["predicted"], strict=False)
    apart = sorted(abs(a - p) for a, p in pairs if a is not None and p is not None)
    if not apart:
        return []
    values = {
        "half": number(apart[len(apart) // 2], 3),
        "most": number(apart[int(0.9 * (len(apart) - 1))], 3),
        "target": found.get("name") or "",
        "rows": count(len(apart)),
    }
    return [("report.caption.residuals", values)]


def boundary(card: dict[str, Any]) -> list[Sentence]:
    """What the two axes are, and what the colour means."""
    found = card["instruments"]["boundary"]
    values = {"x": found["x"]["name"], "y": found["y"]["name"]}
    kind = found["kind"]
    if kind == "probability":
        values["class"] = (found.get("classes") or ["", "1"])[1]
    return [(f"report.caption.boundary.{kind}", values)]


def path(card: dict[str, Any], surface: dict[str, Any]) -> list[Sentence]:
    """What is seen of the landscape, in the plane of the path's main directions."""
    size = f"{len(surface['x'])} × {len(surface['y'])}"
    seen = {"points": size, "end": number(surface.get("end"), 3)}
    return [_plane(surface), ("report.caption.surface", seen)]


def bends(card: dict[str, Any], surface: dict[str, Any]) -> list[Sentence]:
    """How strongly the loss bends along the two directions of a slice."""
    found = _numbers(surface.get("eigenvalues"))
    if len(found) < 2:
        return [_plane(surface)]
    values = {"first": number(found[0], 3), "second": number(found[1], 3)}
    return [_plane(surface), ("report.caption.bends", values)]


def chance(card: dict[str, Any], surface: dict[str, Any]) -> list[Sentence]:
    """Which directions were drawn."""
    return [_plane(surface)]


def _plane(surface: dict[str, Any]) -> Sentence:
    """What spans a slice, and how many rows its loss was measured on."""
    return f"maps.surface.about.{surface['kind']}", {"rows": count(surface.get("rows"))}
