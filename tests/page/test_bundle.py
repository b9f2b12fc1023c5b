"""Modules in one text: complete, in order, and unpacked in a browser's way."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import subprocess

import pytest

from fallline.errors import FalllineError
from fallline.page import bundle, modules

ENTRY = "fallline/report/main"


def opened(packed):
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def test_all_that_is_imported_comes_first():
    found = bundle.modules(ENTRY)
    seen = set()
    for name, source in found:
        assert set(bundle.imports(source)) <= seen, name
        seen.add(name)
    assert found[-1][0] == ENTRY
    assert {"uplot", "fallline/dom", "fallline/panels/losses", "fallline/maps/surface"} <= seen
    # Neither the shell nor what only a server's page needs.
    assert not seen & {"three", "dagre", "fallline/main", "fallline/wire"}


def test_imports_are_statements_and_not_words():
    source = (
        "import { a } from 'fallline/a';\n"
        'import {\n  b,\n  c as d,\n} from "fallline/b";\n'
        "import 'fallline/c'\n"
        "export { e } from 'fallline/e';\n"
        "/** @typedef {import('fallline/services').Services} Services */\n"
        " * @import {X} from 'fallline/no'\n"
        "const words = `import x from 'fallline/never'`;\n"
        "export const f = 1; // from 'fallline/neither'\n"
    )
    assert bundle.imports(source) == ["fallline/a", "fallline/b", "fallline/c", "fallline/e"]


def test_every_statement_is_found():
    for name, path in modules.modules().items():
        if name.startswith("fallline/"):
            source = (modules.STATIC / path).read_text("utf-8")
            # Another way to find them, which would take comments for statements.
            plain = re.sub(r"/\*.*?\*/|//[^\n]*", "", source, flags=re.DOTALL)
            named = set(re.findall(r"\bfrom '([\w/]+)'", plain))
            assert set(bundle.imports(source)) >= named, name


def test_the_texts_are_those_that_are_named():
    held = opened(bundle.packed(ENTRY))
    assert held["texts"].keys() == {"en", "zh"}
    for texts in held["texts"].values():
        rooms = {key.partition(".")[0] for key in texts}
        assert {"report", "panels", "maps"} <= rooms
        assert not rooms & {"terrain", "fit", "graph", "gallery"}
    assert opened(bundle.packed(ENTRY, languages=("zh",)))["texts"].keys() == {"zh"}
    assert bundle.packed(ENTRY) == bundle.packed.__wrapped__(ENTRY)


def test_what_there_is_not():
    with pytest.raises(FalllineError, match="no module 'fallline/none'"):
        bundle.modules("fallline/none")


def test_a_circle_is_said(monkeypatch):
    sources = {"a": "import { b } from 'b';", "b": "import { a } from 'a';"}
    monkeypatch.setattr(bundle, "_source", sources.__getitem__)
    with pytest.raises(FalllineError, match="a -> b -> a"):
        bundle.modules("a")


def test_fonts_are_in_the_style_or_left_out():
    style = bundle.style("css/tokens.css")
    assert style.count("url(data:font/woff2;base64,") == 2
    assert "/static/" not in style
    assert "@font-face" not in bundle.style("css/tokens.css", fonts=False)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_script_that_unpacks_finds_the_same_statements():
    """The expression stands twice, in Python and in JavaScript."""
    sources = [source for _, source in bundle.modules(ENTRY)]
    expression = re.search(r"const statement = (/.*/gm);", bundle.boot())[1]
    script = (
        f"const found = JSON.parse(require('fs').readFileSync(0, 'utf8'))"
        f".map((s) => [...s.matchAll({expression})].map((m) => m[3]));"
        "process.stdout.write(JSON.stringify(found))"
    )
    done = subprocess.run(
        ["node", "-e", script],
        input=json.dumps(sources),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [bundle.imports(source) for source in sources]
