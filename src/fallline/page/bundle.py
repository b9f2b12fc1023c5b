"""Modules of the front end in one text, for pages without a server: a report from disk, a notebook.

`packed` makes the text, and ``static/boot.js`` unpacks it in the browser: what a module imports by its bare
name becomes a ``blob:`` address, dependencies first, so that nothing is ever fetched.
"""

from __future__ import annotations

import base64
import functools
import gzip
import json
import re
from importlib.resources import files

from fallline.errors import FalllineError
from fallline.page import modules as front

# The same expression stands in static/boot.js: an import or export statement begins a line.
_IMPORT = re.compile(
    r"""^[ \t]*(?:(?:import|export)\b[^'"`;]*?\bfrom[ \t]*|import[ \t]*)(['"])([^'"\n]+)\1""",
    re.MULTILINE,
)
_ROOM = re.compile(r"""['"`]([a-z]+)\.[A-Za-z0-9_$]""")
_URL = re.compile(r"""url\(\s*['"]?(?:/static/|\.\./)?fonts/([\w.-]+\.woff2)['"]?\s*\)""")


def imports(source: str) -> list[str]:
    """The bare names that a module imports with statements."""
    return [found[1] for found in _IMPORT.findall(source)]


@functools.cache
def _source(name: str) -> str:
    paths = front.modules()
    if name not in paths:
        raise FalllineError(f"The front end has no module {name!r}.")
    return (front.STATIC / paths[name]).read_text("utf-8")


def modules(*entries: str) -> list[tuple[str, str]]:
    """Modules and all that they import: the bare name and the source of each, dependencies first.

    Args:
        entries: bare names, such as ``"fallline/report/main"``.

    Raises:
        FalllineError: if there is no such module, or modules import each other in a circle, which ``blob:``
            addresses cannot do.
    """
    found: dict[str, str] = {}

    def visit(name: str, way: tuple[str, ...]) -> None:
        if name in found:
            return
        if name in way:
            raise FalllineError(f"Modules import each other: {' -> '.join((*way, name))}.")
        source = _source(name)
        for needed in imports(source):
            visit(needed, (*way, name))
        found[name] = source

    for entry in entries:
        visit(entry, ())
    return list(found.items())


@functools.cache
def packed(*entries: str, languages: tuple[str, ...] = front.LANGUAGES) -> str:
    """Modules, all that they import, and the texts that they name: base64 of gzip of JSON.

    Args:
        entries: bare names.
        languages: whose texts go along.
    """
    sources = modules("fallline/language", *entries)
    rooms = {room for _, source in sources for room in _ROOM.findall(source)}
    texts = {
        code: {k: v for k, v in front.texts(code).items() if k.partition(".")[0] in rooms}
        for code in languages
    }
    content = json.dumps(
        {"modules": sources, "texts": texts}, ensure_ascii=False, separators=(",", ":")
    )
    # No time of day in it: the same modules always give the same text.
    return base64.b64encode(gzip.compress(content.encode(), 9, mtime=0)).decode()


@functools.cache
def boot() -> str:
    """The source of ``unpack(packed)``, to be put before what calls it."""
    return (front.STATIC / "boot.js").read_text("utf-8")


@functools.cache
def style(*sheets: str, fonts: bool = True) -> str:
    """Style sheets in one text, the fonts in it as ``data:`` addresses.

    Args:
        sheets: paths from the folder of the front end on, such as ``"css/panels.css"``.
        fonts: False to leave the fonts' files out; the reader's own are used then.
    """
    text = "\n".join((front.STATIC / sheet).read_text("utf-8") for sheet in sheets)
    if not fonts:
        return re.sub(r"@font-face\s*\{[^}]*\}\s*", "", text)
    return _URL.sub(lambda found: f"url(data:font/woff2;base64,{_font(found[1])})", text)


@functools.cache
def _font(name: str) -> str:
    content = (files("fallline.page") / "static" / "fonts" / name).read_bytes()
    return base64.b64encode(content).decode()
