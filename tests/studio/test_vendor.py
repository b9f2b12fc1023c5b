"""What the studio brings along is what VENDOR.toml says: every file, unchanged, with its licence."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

import fallline
from fallline.show import style

STATIC = Path(fallline.__file__).parent / "page" / "static"
TOOL = Path(__file__).parents[2] / "tools" / "make_vendor.py"
FILES = tomllib.loads((STATIC / "vendor" / "VENDOR.toml").read_text(encoding="utf-8"))["file"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file["path"])
def test_a_file_is_the_one_that_is_listed(file: dict[str, str]) -> None:
    assert hashlib.sha256((STATIC / file["path"]).read_bytes()).hexdigest() == file["sha256"]
    assert file["licence"] in {"MIT", "OFL-1.1"}
    assert file["source"].startswith("https://")
    text = (STATIC / file["licence_file"]).read_text(encoding="utf-8")
    assert "Permission is hereby granted" in text or "SIL Open Font License" in text


def test_every_file_is_listed() -> None:
    found = {
        path.relative_to(STATIC).as_posix()
        for folder in ("vendor", "fonts")
        for path in (STATIC / folder).rglob("*")
        if path.is_file()
    }
    listed = {file["path"] for file in FILES} | {file["licence_file"] for file in FILES}
    assert found == {path for path in listed if not path.startswith("types/")} | {
        "vendor/VENDOR.toml"
    }


def test_versions_are_those_of_the_script() -> None:
    spec = importlib.util.spec_from_file_location("make_vendor", TOOL)
    assert spec
    assert spec.loader
    tool = importlib.util.module_from_spec(spec)
    # dataclasses look their module up by name.
    import sys

    sys.modules["make_vendor"] = tool
    try:
        spec.loader.exec_module(tool)
    finally:
        del sys.modules["make_vendor"]
    assert {(file["package"], file["version"]) for file in FILES} == set(tool.PACKAGES.items())


def test_modules_ask_for_nothing_else() -> None:
    for name in ("three.js", "uplot.js", "dagre.js"):
        text = (STATIC / "vendor" / name).read_text(encoding="utf-8")
        assert not re.search(r"^import\b|\bimport\s*[\"'{*]|sourceMappingURL", text, re.MULTILINE)


def test_the_scene_uses_all_that_was_kept_of_three() -> None:
    used: set[str] = set()
    for path in (STATIC / "js").rglob("*.js"):
        for names in re.findall(
            r"import \{([^}]*)\} from 'three'", path.read_text(encoding="utf-8")
        ):
            used |= {name.split(" as ")[0].strip() for name in names.split(",") if name.strip()}
    kept = next(file["kept"] for file in FILES if file["path"] == "vendor/three.js")
    assert used == set(kept.split(", "))


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_optimizers_have_the_colours_of_the_figures(theme: str) -> None:
    text = (STATIC / "js" / "palette.js").read_text(encoding="utf-8")
    table = text[text.index("OPTIMIZER_COLOURS") :]
    part = table[table.index(f"{theme}: {{") :]
    colours = dict(re.findall(r"(\w+): '(#[0-9a-f]{6})'", part[: part.index("}")]))
    assert colours == style.THEMES[theme].optimizers
