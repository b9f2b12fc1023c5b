"""The document of a report as plain HTML: readable without scripts, which only add the figures.

Words stand in elements that name their text (``data-t``), so that the page can say them anew in its other
language; where a figure goes, an empty box is named (``data-panel``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fallline.page import captions
from fallline.page.facts import facts
from fallline.page.hero import ended, hero, named, shown
from fallline.page.markup import Markup, joined, number, said, tag, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.page.captions import Sentence

_MARK = (
    '<svg width="22" height="22" viewBox="0 0 24 24" fill="none" aria-hidden="true"><path d="M2.5 5.5c3.2 0 '
    '4.2 12.5 9.5 12.5 4 0 4.6-5.6 9.5-5.6" stroke="currentColor" stroke-width="1.8" '
    'stroke-linecap="round"/><circle class="brand-ball" cx="11.8" cy="14.6" r="2.1"/></svg>'
)


def plain(card: dict[str, Any], lang: str) -> Markup:
    """The whole document in one language; every text of the run's is escaped."""
    parts = [(name, make(card, lang)) for name, make in _SECTIONS.items()]
    sections = [(name, content) for name, content in parts if content]
    links = (
        tag("li", said(lang, "a", f"report.section.{name}", href=f"#{name}"))
        for name, _ in sections
    )
    return joined(
        tag(
            "header",
            tag("p", Markup(_MARK), "fallline ", said(lang, "em", "report.word"), class_="brand"),
            tag("div", class_="tools", data_tools=True),
            class_="bar",
        ),
        tag(
            "div",
            tag(
                "nav",
                tag("ol", *links),
                class_="contents",
                aria_label=text(lang, "report.contents"),
            ),
            tag(
                "main",
                hero(card, lang),
                tag("noscript", said(lang, "p", "report.noScript", class_="quiet")),
                *(_section(name, content, lang) for name, content in sections),
                _foot(card, lang),
                id="top",
            ),
            class_="sheet",
        ),
    )


def _section(name: str, content: Markup, lang: str) -> Markup:
    head = said(lang, "h2", f"report.section.{name}", id=f"{name}-title")
    return tag("section", head, content, id=name, aria_labelledby=f"{name}-title")


def _figure(lang: str, name: str, sentences: list[Sentence]) -> Markup:
    """A box for a panel, with its caption."""
    spoken = joined(*(said(lang, "span", key, values) for key, values in sentences))
    return tag(
        "figure",
        said(lang, "h3", f"report.figure.{name}"),
        tag("div", class_=f"canvas canvas-{name}", data_panel=name),
        tag("figcaption", spoken) if sentences else None,
        class_="plate",
    )


def _trained(card: dict[str, Any], lang: str) -> Markup:
    told = joined(_baselines(card, lang), facts(card, lang))
    return tag("div", told, class_="canvas canvas-summary", data_panel="summary")


def _baselines(card: dict[str, Any], lang: str) -> Markup:
    result, baselines = card.get("result"), card.get("baselines") or []
    if not result or not baselines:
        return Markup("")
    metric = str(result["metric"])
    rows = [
        tag("tr", tag("th", said(lang, "span", "report.thisRun"), scope="row"),
            tag("td", shown(metric, result.get("value")))),
        *(tag("tr", tag("th", named(lang, "baseline", str(b["name"])), scope="row"),
              tag("td", shown(metric, b.get("value")))) for b in baselines),
    ]  # fmt: skip
    return tag("table", said(lang, "caption", "report.baselines"), tag("tbody", *rows))


def _findings(card: dict[str, Any], lang: str) -> Markup | None:
    diagnosis = card.get("diagnosis")
    if not diagnosis:
        return None
    every = [*diagnosis["findings"], *diagnosis.get("withdrawn", [])]
    withdrawn = len(diagnosis["findings"])
    found = (_finding(f, lang, withdrawn=i >= withdrawn) for i, f in enumerate(every))
    return tag("div", *found, class_="canvas canvas-findings", data_panel="findings")


def _finding(found: dict[str, Any], lang: str, *, withdrawn: bool) -> Markup:
    return tag(
        "article",
        tag("h3", found.get("title") or found["name"]),
        said(lang, "p", "report.withdrawn", class_="quiet") if withdrawn else None,
        tag("p", found["verdict"]),
        tag("ul", *(tag("li", e["sentence"]) for e in found.get("evidence") or [])),
        tag("p", said(lang, "strong", "report.fix"), " ", found["fix"])
        if found.get("fix")
        else None,
        tag("pre", tag("code", found["command"])) if found.get("command") else None,
        _proof(found["proven"], lang) if found.get("proven") else None,
        tag("p", found.get("rule"), " ", tag("cite", found.get("source") or ""), class_="quiet"),
    )


def _proof(proven: dict[str, Any], lang: str) -> Markup:
    # A loss that is no number any more is null in JSON.
    ends = {
        end: "∞" if proven.get(end) is None else number(proven[end]) for end in ("before", "after")
    }
    return said(lang, "p", f"report.proof.{'helped' if proven.get('helped') else 'failed'}", ends)


def _training(card: dict[str, Any], lang: str) -> Markup | None:
    if not (card.get("curves") or {}).get("step"):
        return None
    return joined(
        _ended(card, lang) if card.get("diagnosis") else None,
        _figure(lang, "losses", captions.losses(card)),
        tag(
            "div",
            _figure(lang, "rate", captions.learning_rate(card)),
            _figure(lang, "norms", captions.norms(card)),
            class_="pair",
        ),
    )


def _ended(card: dict[str, Any], lang: str) -> Markup | None:
    """How the run ended, or that it did not."""
    status = card.get("status") or "finished"
    told = ended(card, lang)
    return told or (None if status == "finished" else said(lang, "p", f"report.stands.{status}"))


def _range(card: dict[str, Any], lang: str) -> Markup | None:
    return _figure(lang, "range", captions.range_test(card)) if card.get("range_test") else None


def _inside(card: dict[str, Any], lang: str) -> Markup | None:
    found = card.get("instruments") or {}
    parts = [
        _figure(lang, "flow", captions.flow(card)) if found.get("layers") else None,
        _figure(lang, "activations", captions.activations(card))
        if found.get("activations")
        else None,
    ]
    return joined(*parts) if any(parts) else None


def _predictions(card: dict[str, Any], lang: str) -> Markup | None:
    found = card.get("instruments") or {}
    parts: list[Markup] = []
    for name, sentences in _PREDICTED.items():
        if found.get(name):
            parts.append(_figure(lang, name, sentences(card)))
    return joined(*parts) if parts else None


def _surfaces(card: dict[str, Any], lang: str) -> Markup | None:
    found = {surface["kind"]: surface for surface in card.get("surfaces") or []}
    plates = [
        _figure(lang, f"surface-{kind}", say(card, found[kind]))
        for kind, say in _SLICES.items()
        if kind in found
    ]
    # The plane of the path over the two others; two stand side by side.
    above = plates[: len(plates) % 2]
    beside = plates[len(plates) % 2 :]
    return joined(*above, tag("div", *beside, class_="pair") if beside else None) or None


def _reproduce(card: dict[str, Any], lang: str) -> Markup | None:
    found = card.get("reproduce")
    if not found:
        return None
    codes = [tag("pre", tag("code", found[k])) for k in ("command", "python") if found.get(k)]
    versions = [
        tag("div", tag("dt", k), tag("dd", v)) for k, v in (found.get("versions") or {}).items()
    ]
    seed = found.get("seed")
    about = (
        [] if seed is None else [tag("div", said(lang, "dt", "report.fact.seed"), tag("dd", seed))]
    )
    told = joined(*codes, tag("dl", *about, *versions))
    return tag("div", told, class_="canvas canvas-reproduce", data_panel="reproduce")


def _remarks(card: dict[str, Any], lang: str) -> Markup | None:
    remarks = card.get("remarks") or []
    return tag("ul", *(tag("li", r) for r in remarks), class_="remarks") if remarks else None


def _foot(card: dict[str, Any], lang: str) -> Markup:
    versions = (card.get("reproduce") or {}).get("versions") or {}
    version = versions.get("fallline") or ""
    return tag("footer", said(lang, "p", "report.foot", {"version": version}), class_="foot")


_PREDICTED: dict[str, Callable[[dict[str, Any]], list[Sentence]]] = {
    "confusion": captions.confusion,
    "residuals": captions.residuals,
    "boundary": captions.boundary,
}
_SLICES: dict[str, Callable[[dict[str, Any], dict[str, Any]], list[Sentence]]] = {
    "pca": captions.path,
    "random": captions.chance,
    "hessian": captions.bends,
}
_SECTIONS: dict[str, Callable[[dict[str, Any], str], Markup | None]] = {
    "trained": _trained,
    "findings": _findings,
    "training": _training,
    "range": _range,
    "inside": _inside,
    "predictions": _predictions,
    "surface": _surfaces,
    "reproduce": _reproduce,
    "remarks": _remarks,
}
