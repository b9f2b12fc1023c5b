"""A run in one HTML file, made of the studio's modules: it opens from disk and asks nobody for anything.

What the page may do is said by a policy in its head: the scripts and styles whose digests it names, and what
they make themselves; no address is ever fetched. What stands in a user's table only reaches the page as JSON
in a block that no markup can end, and as escaped text.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from typing import Any

from fallline.diagnosis import words
from fallline.errors import FalllineError, nearest
from fallline.page import bundle, modules
from fallline.page.plain import plain

ENTRY = "fallline/report/main"
SHEETS = (
    "vendor/uPlot.min.css",
    "css/tokens.css",
    "css/panels.css",
    "css/maps.css",
    "css/report.css",
)
THEMES = ("auto", "dark", "light")

_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}

# Before the first paint, so that a dark room stays dark.
_THEME = (
    "const r=document.documentElement;if(r.dataset.asked==='dark'||(r.dataset.asked==='auto'&&"
    "matchMedia('(prefers-color-scheme: dark)').matches))r.dataset.theme='dark';"
)
_START = """
const read = (id) => document.getElementById(id).textContent;
const load = await unpack(read('modules'));
const { start } = await load('fallline/report/main');
await start(JSON.parse(read('card')));
"""


def report(card: dict[str, Any], *, lang: str | None = None, theme: str = "auto") -> str:
    """The HTML of a report.

    Args:
        card: a run as plain fields, as `fallline.page.card.examined` or `card` makes it; what it lacks is
            left out.
        lang: "en" or "zh", the language to begin with; by the environment if None.
        theme: "auto" (as the reader's system), "dark" or "light", to begin with.

    Raises:
        FalllineError: for a language or a theme that there is not.
    """
    spoken = words.language(lang)
    if theme not in THEMES:
        raise FalllineError(f"There is no theme {theme!r}: {nearest(theme, THEMES)}")
    sheet = bundle.style(*(s for s in SHEETS if (modules.STATIC / s).is_file()))
    script = bundle.boot() + _START
    policy = (
        f"default-src 'none'; script-src {digest(_THEME)} {digest(script)} blob:; "
        f"style-src {digest(sheet)}; font-src data:; img-src data: blob:; base-uri 'none'; "
        "form-action 'none'"
    )
    title = html.escape(str(card.get("title") or ""))
    tongue = "zh-Hans" if spoken == "zh" else "en"
    return f"""<!doctype html>
<html lang="{tongue}" data-theme="{"dark" if theme == "dark" else "light"}" data-asked="{theme}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="Fallline">
<title>{title} · Fallline</title>
<script>{_THEME}</script>
<style>{sheet}</style>
</head>
<body class="fallline report">
<div id="report">{plain(card, spoken)}</div>
<script type="application/json" id="card">{in_a_script(card)}</script>
<script type="text/plain" id="modules">{bundle.packed(ENTRY)}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def digest(source: str) -> str:
    """An inline script or style as a policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def in_a_script(value: Any) -> str:
    """JSON that nothing in it can end the script's block, or be taken for markup.

    Raises:
        ValueError: for a number that is not finite, which JSON does not have.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_ESCAPES)
