"""Every text of the page exists in both languages, and is used."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from fallline.page.modules import LANGUAGES, texts

STATIC = Path(str(files("fallline.page"))) / "static"
TEXTS = {code: texts(code) for code in LANGUAGES}
SCRIPTS = {
    p.relative_to(STATIC).as_posix(): p.read_text("utf-8") for p in STATIC.glob("js/**/*.js")
}
ROOMS = "app|control|terrain|fit|graph|network|compare|runs|gallery|panels|maps|report|notebook"
KEY = re.compile(rf"""['"`]((?:{ROOMS})\.[A-Za-z0-9_.-]+)['"`]""")
MADE = re.compile(rf"`((?:{ROOMS})\.[A-Za-z0-9_.-]*)\$\{{")

# A report is readable before its scripts run: its words stand in Python, too.
PYTHON = [p.read_text("utf-8") for p in STATIC.parent.glob("*.py")]
MADE_THERE = re.compile(rf'f"((?:{ROOMS})\.[A-Za-z0-9_.-]*)\{{')


def test_there_are_two_languages():
    assert list(TEXTS) == ["en", "zh"]


@pytest.mark.parametrize("code", TEXTS)
def test_a_room_s_file_holds_its_own_words(code):
    for path in (STATIC / "lang" / code).glob("*.json"):
        rooms = {key.partition(".")[0] for key in json.loads(path.read_text("utf-8"))}
        assert rooms <= {path.stem, *(["control"] if path.stem == "app" else [])}, path


def test_no_key_is_missing_in_either():
    assert TEXTS["en"].keys() == TEXTS["zh"].keys()


@pytest.mark.parametrize("code", TEXTS)
def test_no_text_is_empty(code):
    assert not [key for key, text in TEXTS[code].items() if not text.strip()]


def test_placeholders_are_the_same():
    def places(text):
        return sorted(set(re.findall(r"\{(\w+)\}", text)))

    pairs = {key: (places(TEXTS["en"][key]), places(TEXTS["zh"][key])) for key in TEXTS["en"]}
    assert not {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def test_chinese_is_chinese():
    left = [
        key
        for key, text in TEXTS["zh"].items()
        if not re.search(r"[\u4e00-\u9fff]", text) and re.search(r"[A-Za-z]{6,} [A-Za-z]{3,}", text)
    ]
    assert not left


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_key_that_a_script_names_exists(script):
    named = {key for key in KEY.findall(SCRIPTS[script]) if not key.endswith(".")}
    assert not {key for key in named if key not in TEXTS["en"]}


def test_every_text_is_used():
    named = {key for source in (*SCRIPTS.values(), *PYTHON) for key in KEY.findall(source)}
    made = {prefix for source in SCRIPTS.values() for prefix in MADE.findall(source)}
    made |= {prefix for source in PYTHON for prefix in MADE_THERE.findall(source)}
    left = [key for key in TEXTS["en"] if key not in named and not key.startswith(tuple(made))]
    assert not left


@pytest.mark.parametrize("script", SCRIPTS)
def test_modules_are_imported_by_bare_names(script):
    found = re.findall(r"""(?:from|import)\s*\(?['"]([^'"]+)['"]""", SCRIPTS[script])
    assert not [name for name in found if not re.match(r"fallline/|three$|uplot$|dagre$", name)]
    for name in found:
        if name.startswith("fallline/"):
            assert (STATIC / "js" / f"{name.removeprefix('fallline/')}.js").is_file(), name
