"""Every sentence is there in every language, with the same numbers in it."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import string
from pathlib import Path

import pytest

import fallline.diagnosis
from fallline.diagnosis import words
from fallline.diagnosis.finding import BENIGN, Evidence, Finding, Fix
from fallline.diagnosis.rules import NAMES
from fallline.errors import FalllineError

HOUSE = Path(fallline.diagnosis.__file__).parent
TREES = [
    ast.parse(path.read_text())
    for path in sorted(HOUSE.rglob("*.py"))
    if path.parent.name != "words"
]
NODES = [node for tree in TREES for node in ast.walk(tree)]
SPOKEN = [lang for lang in words.LANGUAGES if lang != "en"]


def tables(lang: str) -> dict[str, dict[str, str]]:
    module = importlib.import_module(f"fallline.diagnosis.words.{lang}")
    return {name: getattr(module, name.upper()) for name in words.TABLES}


def holes(sentence: str) -> set[tuple[str, str]]:
    return {(name, spec or "") for _, name, spec, _ in string.Formatter().parse(sentence) if name}


def strings(node: ast.AST) -> set[str]:
    """What a piece of code may say: its texts, and f-strings with * for what they fill in."""
    found = set()
    inside = {id(part) for n in ast.walk(node) if isinstance(n, ast.JoinedStr) for part in n.values}
    for part in ast.walk(node):
        if isinstance(part, ast.JoinedStr):
            pieces = [
                re.escape(v.value) if isinstance(v, ast.Constant) else ".+" for v in part.values
            ]
            found.add("".join(pieces))
        elif (
            isinstance(part, ast.Constant)
            and isinstance(part.value, str)
            and id(part) not in inside
        ):
            found.add(re.escape(part.value))
    return found


def calls(name: str) -> list[ast.Call]:
    return [
        n
        for n in NODES
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == name
    ]


def known(pattern: str, table: str) -> bool:
    return any(re.fullmatch(pattern, key) for key in tables("en")[table])


@pytest.mark.parametrize("lang", SPOKEN)
def test_every_language_says_the_same_with_the_same_numbers(lang):
    english, other = tables("en"), tables(lang)
    for name in words.TABLES:
        assert list(other[name]) == list(english[name]), name
        for key, sentence in english[name].items():
            assert holes(other[name][key]) == holes(sentence), (name, key)
            assert other[name][key] != sentence or not re.search("[a-z]", sentence), (name, key)


def test_every_name_has_its_sentences():
    for table in ("titles", "rules"):
        assert set(tables("en")[table]) == set(NAMES)
    for name in NAMES:
        assert any(key.partition(".")[0] == name for key in tables("en")["verdicts"]), name
    assert {key.partition(".")[0] for key in tables("en")["verdicts"]} == set(NAMES)


def test_every_key_that_the_rules_use_is_there():
    fixes = [call.args[0] for call in calls("Fix")]
    keys = [kw.value for call in calls("found") for kw in call.keywords if kw.arg == "key"]
    assert len(fixes) > 20
    for table, places in (("fixes", fixes), ("verdicts", keys)):
        for place in places:
            if isinstance(place, (ast.Constant, ast.JoinedStr, ast.IfExp)):
                chosen = [place.body, place.orelse] if isinstance(place, ast.IfExp) else [place]
                for pattern in {p for node in chosen for p in strings(node)}:
                    assert known(pattern, table), (table, pattern)
    for call in calls("found"):
        for part in ast.walk(call.args[2]):
            # A piece of evidence is a tuple that begins with its quantity.
            if isinstance(part, ast.Tuple) and isinstance(part.elts[0], ast.Constant):
                assert known(re.escape(part.elts[0].value), "evidence"), part.elts[0].value


def test_no_sentence_is_left_over():
    said = set().union(*(strings(tree) for tree in TREES))
    patterns = [pattern for pattern in said if ".+" in pattern and pattern != ".+"]
    for table in ("verdicts", "fixes", "evidence"):
        for key in tables("en")[table]:
            plain = re.escape(key) in said
            assert plain or any(re.fullmatch(p, key) for p in patterns), (table, key)


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_a_finding_in_words(lang):
    finding = Finding(
        "learning-rate-too-low",
        "learning-rate-too-low",
        [Evidence("cosine", 0.98765, step=1200)],
        "Smith",
        {"rate": 1e-5, "factor": 30.0},
        [Fix("learning-rate", {"learning_rate": 3e-4}, {"rate": 3e-4})],
        lang=lang,
    )
    said = [
        finding.title,
        finding.verdict,
        finding.rule,
        finding.advice,
        finding.evidence[0].sentence(lang),
    ]
    assert all(said)
    assert not any("{" in sentence for sentence in said)
    assert re.search(r"1(\.00)?e-5", finding.verdict)
    assert re.search(r"3(\.00)?e-4", finding.advice)
    assert "0.988" in said[-1]
    assert "1,200" in said[-1]
    assert finding.complaint
    assert finding.name not in BENIGN


def test_the_documentation_lists_every_finding():
    place = HOUSE.parents[2] / "docs" / "hooks.py"
    spec = importlib.util.spec_from_file_location("hooks", place)
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    page = hooks.on_page_markdown(hooks.FINDINGS)
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == set(NAMES)
    assert hooks.FINDINGS in (place.parent / "reference" / "diagnosis.md").read_text()


def test_numbers_in_sentences():
    say = words._FORMATTER.format
    assert (
        say("{0:n} {1:n} {2:n} {3:n}", 0.012345, 1234.5, 2.51e-7, 42.0) == "0.0123 1,230 2.51e-7 42"
    )
    assert say("{0:p} {1:p} {2:i}", 0.256, 0.00123, 12345.6) == "26 % 0.12 % 12,346"
    assert say("{0:n} {1:n} {2:n}", float("inf"), float("nan"), None) == "∞ ? ?"


def test_the_language(monkeypatch):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert words.language() == "en"
    for name, value, code in (
        ("LANG", "zh_CN.UTF-8", "zh"),
        ("LC_MESSAGES", "de_DE.UTF-8", "en"),
        ("LC_ALL", "zh_TW", "zh"),
    ):
        monkeypatch.setenv(name, value)
        assert words.language() == code
    assert words.language("zh-Hans") == "zh"
    assert words.language("en") == "en"
    with pytest.raises(FalllineError, match="does not speak 'fr'"):
        words.language("fr")
