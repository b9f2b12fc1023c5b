"""HTML made of escaped text, in which words can be said anew in another language by the page's scripts."""

from __future__ import annotations

import html
import json
import math
import re
from typing import Any

from fallline.page import modules

THIN = "\u202f"
MINUS = "−"


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(lang: str, key: str, **values: Any) -> str:
    """A text of the page with its placeholders filled in; the key itself where there is none."""
    found = str(modules.texts(lang).get(key, key))
    return re.sub(r"\{(\w+)\}", lambda m: str(values.get(m[1], m[0])), found)


def tag(name: str, *children: Any, **attributes: Any) -> Markup:
    """An element; what is not `Markup` is escaped, None and False are left out.

    Args:
        name: of the element.
        children: elements, texts or numbers.
        attributes: ``class_`` is ``class``, ``data_t`` is ``data-t``; None and False for none.
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}"
        + ("" if value is True else f'="{html.escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Markup(f"<{name}{written}>{joined(*children)}</{name}>")


def joined(*children: Any) -> Markup:
    """Elements and texts one after the other."""
    return Markup("".join(_escaped(c) for c in children if c is not None and c is not False))


def _escaped(child: Any) -> str:
    return child if isinstance(child, Markup) else html.escape(str(child))


def said(
    lang: str, name: str, key: str, values: dict[str, Any] | None = None, **attributes: Any
) -> Markup:
    """An element with a text of the page, which ``retranslate`` of the page's scripts finds again."""
    shown = {"data_t": key, **attributes}
    if values:
        shown["data_values"] = json.dumps(values, ensure_ascii=False)
    return tag(name, text(lang, key, **(values or {})), **shown)


def number(value: Any, digits: int = 4) -> str:
    """A number for a reader: some significant digits, thousands apart, a real minus sign."""
    if value is None or not math.isfinite(value):
        return "–"
    value = float(value)
    size = abs(value)
    if value == 0:
        return "0"
    if size < 1e-3 or size >= 1e9:
        mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
        return f"{float(mantissa):g}e{int(power)}".replace("-", MINUS)
    if size >= 10 ** (digits - 1):
        return f"{value:,.0f}".replace("-", MINUS)
    return f"{float(f'{value:.{digits}g}'):g}".replace("-", MINUS)


def count(value: Any) -> str:
    """A whole number with thousands apart."""
    return "–" if value is None else f"{round(value):,}"


def percent(share: Any) -> str:
    """A share, from 0 to 1."""
    if share is None or not math.isfinite(share):
        return "–"
    value = 100 * share
    if 0 < value < 1 or 99 < value < 100:
        # Neither nobody nor everybody unless it is so.
        return f"{float(f'{value:.1f}') or 0.1:g}{THIN}%" if value < 99.95 else f"> 99.9{THIN}%"
    return f"{value:.0f}{THIN}%"


def seconds(value: Any) -> str:
    """A time for a reader."""
    if value is None or not math.isfinite(value):
        return "–"
    if value < 60:
        return f"{number(value, 2)}{THIN}s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d} min"
