"""Everything the doctor says, a module for each language, and how numbers stand in its sentences.

A language is a module with the same tables of sentences under the same keys. Sentences are format strings;
``{rate:n}`` is a number for a reader, ``{share:p}`` a percentage, ``{steps:i}`` a whole number.
"""

from __future__ import annotations

import importlib
import math
import os
import string
import sys
from typing import Any

from fallline.errors import FalllineError, nearest

LANGUAGES = ("en", "zh")
TABLES = ("titles", "verdicts", "rules", "fixes", "evidence", "labels")


class _Formatter(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> Any:
        if format_spec in ("n", "p", "i"):
            return _number(value, format_spec)
        return super().format_field(value, format_spec)


def _number(value: Any, kind: str) -> str:
    value = math.nan if value is None else float(value)
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞" if value < 0 else "?"
    if kind == "p":
        return (
            f"{100 * value:.0f} %" if abs(value) >= 0.01 or value == 0 else f"{100 * value:.2g} %"
        )
    if kind == "i":
        return f"{value:,.0f}"
    value = float(f"{value:.3g}")
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{value:,.0f}" if value == int(value) else f"{value:g}"
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    return f"{float(mantissa):g}e{int(exponent)}"


_FORMATTER = _Formatter()


def say(lang: str, table: str, key: str, **numbers: Any) -> str:
    """A sentence in a language with its numbers filled in."""
    tables = vars(importlib.import_module(f"fallline.diagnosis.words.{lang}"))
    return _FORMATTER.vformat(tables[table.upper()][key], (), numbers)


def language(asked: str | None = None) -> str:
    """The language to speak: the one asked for, else the one of the environment, else English.

    Raises:
        FalllineError: if the language asked for is not spoken here.
    """
    if asked is not None:
        code = str(asked).replace("-", "_").partition("_")[0].partition(".")[0].lower()
        if code not in LANGUAGES:
            raise FalllineError(f"The doctor does not speak {asked!r}: {nearest(code, LANGUAGES)}")
        return code
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            code = os.environ[name].partition("_")[0].partition(".")[0].lower()
            return code if code in LANGUAGES and _shown(code) else "en"
    return "en"


def _shown(lang: str) -> bool:
    """Can what this process prints hold the language's letters?"""
    try:
        say(lang, "verdicts", "unknown").encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
