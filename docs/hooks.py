"""What the documentation's build does beside MkDocs: formulas, the page of commands, the doctor's findings.

Formulas become MathML while the site is built, so that a page needs no script to show them and
nothing from elsewhere. The page of commands is written from the commands themselves, the table of findings
from the rules' own words.
"""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

_FORMULA = re.compile(r'<(span|div) class="arithmatex">(.*?)</\1>', re.DOTALL)
_COMMAND = re.compile(r"^<!-- command: ([\w-]+) -->$", re.MULTILINE)
FINDINGS = "<!-- findings -->"
_STYLE = re.compile(r"\[/?[a-z ]+\]")
_UNTYPED = re.compile(r" *\(<code>(<[^>]*>)*Any(</[^>]*>)*</code>\)")
# What latex2mathml would set otherwise: sizes of fractions, bars, the space after a name.
_SPELLING = {
    re.compile(r"\\tfrac"): r"\\frac",
    re.compile(r"\\\|"): r"\\Vert ",
    re.compile(r"\\(log|cosh|tanh)(?=\s*\\?[a-z0-9])"): r"\\\1\\,",
}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the description of a command in the place of its mark."""
    if FINDINGS in markdown:
        markdown = markdown.replace(FINDINGS, findings())
    return _COMMAND.sub(lambda match: command(match[1]), markdown)


def on_page_content(content: str, **_: Any) -> str:
    """Turn TeX into MathML; leave out types that say nothing."""
    return _UNTYPED.sub("", _FORMULA.sub(lambda match: formula(match[2]), content))


def formula(marked: str) -> str:
    r"""MathML for ``\(...\)`` or ``\[...\]``."""
    tex = html.unescape(marked.strip())
    block = tex.startswith(r"\[")
    tex = tex[2:-2].strip()
    for ours, theirs in _SPELLING.items():
        tex = ours.sub(theirs, tex)
    mathml = convert(tex, display="block" if block else "inline")
    return f'<div class="formula">{mathml}</div>' if block else mathml


def command(name: str) -> str:
    """The description of a command in Markdown, from its own help."""
    import typer

    from fallline.cli.main import app

    described: Any = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    arguments = [p for p in described.params if p.param_type_name == "argument"]
    options = [p for p in described.params if p.param_type_name == "option"]
    words = [p.name.upper() if p.required else f"[{p.name.upper()}]" for p in arguments]
    lines = [f"## `fallline {name}`", "", described.help, ""]
    lines += ["```text", " ".join(["fallline", name, *words, "[options]"]), "```", ""]
    if arguments:
        lines += ["| argument | meaning |", "|---|---|"]
        lines += [f"| `{p.name.upper()}` | {cell(p.help)} |" for p in arguments]
        lines += [""]
    panels: dict[str, list[Any]] = {}
    for option in options:
        panels.setdefault(getattr(option, "rich_help_panel", None) or "Options", []).append(option)
    for panel, members in panels.items():
        lines += [f"### {panel}" if len(panels) > 1 else "", ""]
        lines += ["| option | meaning | default |", "|---|---|---|"]
        for option in members:
            names = ", ".join(f"`{n}`" for n in option.opts)
            lines.append(f"| {names} | {cell(option.help)} | {default(option)} |")
        lines += [""]
    return "\n".join(lines).replace("\n\n\n", "\n\n")


def findings() -> str:
    """All that the doctor may find, in Markdown: the name, when it is said, and where the rule comes from."""
    from fallline.diagnosis.finding import BENIGN
    from fallline.diagnosis.rules.base import SOURCES
    from fallline.diagnosis.words import en

    lines: list[str] = []
    for heading, benign in (("Complaints", False), ("Without complaint", True)):
        lines += [f"### {heading}", "", "| name | is said when | source |", "|---|---|---|"]
        for name, source in SOURCES.items():
            if (name in BENIGN) == benign:
                lines.append(f"| `{name}` | {cell(en.RULES[name])} | {cell(source)} |")
        lines.append("")
    return "\n".join(lines)


def default(option: Any) -> str:
    """What an option is when it is not given."""
    if isinstance(option.show_default, str):
        return cell(option.show_default)
    value = option.default
    if value is None or value is False or value == [] or callable(value):
        return ""
    return f"`{value}`"


def cell(text: str | None) -> str:
    """Text for a cell of a table, without rich's marks."""
    return _STYLE.sub("", text or "").replace("|", "\\|").strip()
