"""The figure of a diagnosis: the loss, without and with the fix, and the numbers behind the finding."""

from __future__ import annotations

import copy
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager
from matplotlib.ticker import MaxNLocator

from fallline.averages import smooth
from fallline.diagnosis import words
from fallline.jobs.diagnose import steps_apart
from fallline.show import marks, style
from fallline.store import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

    from fallline.diagnosis.finding import Diagnosis, Finding
    from fallline.show.style import Theme

SIZE = (9.2, 4.4)
TITLE = style.TITLE + 1
WIDTH = 40
"""Columns of the text beside the curves."""

SHOWN = 4
"""Numbers that stand beside the curves; the strongest come first."""

ROOF = 10.0
"""A run that blows up is drawn up to so many times its first loss, and then leaves at the top."""

CHINESE = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "SimHei",
    "Noto Sans CJK JP",
)
"""Families that have the characters, the nicest first."""

FILES = ("notosanscjk", "sourcehansans", "pingfang", "msyh", "wqy", "simhei")


def diagnosis(
    found: Diagnosis, ax: Axes | None = None, *, theme: str | Theme | None = None
) -> Axes:
    """The gravest finding of a diagnosis: the loss of the run, with the fix beside it if it was tried.

    The axis is logarithmic where the losses span decades. The sentences are in the language of the diagnosis
    if a font for it is installed, else in English.

    Args:
        found: the diagnosis.
        ax: where to draw; a new figure if None.
        theme: "light", "dark", or None for the one in use.

    Returns:
        The axes.
    """
    colours = style.theme_of(theme)
    ax = ax or style.new_axes(colours, size=SIZE)
    style.themed(ax, colours, grid="y")
    finding = copy.copy(found.findings[0])
    font = _font(finding.lang)
    if font is None:
        finding.lang = "en"
    _curves(ax, finding, colours)
    ax.set_ylabel(_label(finding, "loss"))
    title = ax.set_title(finding.title, loc="left", color=colours.text, fontsize=TITLE, pad=10)
    style.key(ax, colours, loc="best")
    _beside(ax, finding, colours)
    if font:
        _in_font(ax, title, font)
    return ax


def save(found: Diagnosis, path: Path, *, theme: str | Theme | None = None) -> None:
    """Write the figure, in the format of the path's ending, whole or not at all."""
    buffer = io.BytesIO()
    ax = diagnosis(found, theme=theme)
    figure: Any = ax.figure
    figure.savefig(buffer, format=path.suffix.lower()[1:], dpi=200)
    plt.close(figure)
    files.write(path, buffer.getvalue())


def _label(finding: Finding, key: str) -> str:
    return words.say(finding.lang, "labels", key)


def _curves(ax: Axes, finding: Finding, colours: Theme) -> None:
    proof, case = finding.proven, finding.case
    ill = colours.danger if finding.complaint else colours.series[0]
    curves: list[tuple[str, Any, str]] = []
    if proof is not None:
        curves.append((_label(finding, "without_fix"), proof.without, colours.danger))
        curves.append((_label(finding, "with_fix"), proof.history, colours.series[0]))
    elif case is not None:
        curves.append((_label(finding, "run"), case.history, ill))
    losses = [np.asarray(history.steps["loss"], np.float64) for _, history, _ in curves]
    unit, *each = steps_apart(finding)
    ax.set_xlabel(_label(finding, unit))
    if not losses or not len(losses[0]):
        return
    roof = ROOF * losses[0][0] if losses[0][0] > 0 else np.inf
    shown = [np.where(np.isnan(v), np.nan, np.minimum(v, roof)) for v in losses]
    for (name, _, colour), values, drawn, steps in zip(curves, losses, shown, each, strict=False):
        _curve(ax, drawn, colour, name, steps)
        broken = np.flatnonzero(~np.isfinite(values))
        if len(broken):
            at = (int(broken[0]) + 1) / steps
            ax.axvline(at, color=colour, linewidth=1.4, linestyle=(0, (4, 2)))
    every = np.concatenate(shown)
    every = every[np.isfinite(every)]
    if marks.spans_decades(every):
        marks.log_axis(ax, "y", every)
    else:
        ax.yaxis.set_major_formatter(lambda value, _: marks.number(value))
    if every.size and every.max() >= roof:
        ax.set_ylim(top=0.95 * roof)
    last = max(len(values) / steps for values, steps in zip(losses, each, strict=False))
    ax.set_xlim(-0.01 * last, 1.01 * last)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _curve(ax: Axes, losses: np.ndarray, colour: str, name: str, steps: int) -> None:
    """Every step faint, their average on top, over about a sixtieth of the steps."""
    at = np.arange(1, len(losses) + 1) / steps
    share = min(max(1 - 60 / len(losses), 0.0), 0.98)
    if share:
        ax.plot(at, losses, color=colour, alpha=0.25, linewidth=0.7, zorder=2)
    mean = np.where(np.isnan(losses), np.nan, smooth(losses, share)) if share else losses
    mark = "o" if np.isfinite(losses).sum() < 3 else None
    ax.plot(at, mean, color=colour, linewidth=2, label=name, zorder=3, marker=mark)


def _beside(ax: Axes, finding: Finding, colours: Theme) -> None:
    """The finding in words, at the right of the curves."""
    paragraphs: list[tuple[str, str]] = [(finding.verdict, colours.text)]
    if finding.evidence:
        said = [e.sentence(finding.lang) for e in finding.evidence[:SHOWN]]
        paragraphs.append(("\n".join(f"· {line}" for line in said), colours.muted))
    if finding.complaint and finding.advice:
        paragraphs.append((f"{_label(finding, 'fix')}: {finding.advice}", colours.accent))
    if finding.proven is not None:
        paragraphs.append((finding.proven.sentence(finding.lang), colours.series[0]))
    top, height = 1.0, _height(ax)
    for text, colour in paragraphs:
        lines = [
            part if not place or line[0] != "·" else f"  {part}"
            for line in text.split("\n")
            for place, part in enumerate(_wrapped(line))
        ]
        ax.text(
            1.04,
            top,
            "\n".join(lines),
            color=colour,
            fontsize=style.TICK,
            linespacing=1.4,
            va="top",
            transform=ax.transAxes,
        )
        top -= (len(lines) * 1.4 + 0.9) * style.TICK / height


def _height(ax: Axes) -> float:
    """About how many points the axes are high."""
    figure: Any = ax.figure
    return 0.8 * ax.get_position().height / 0.77 * figure.get_size_inches()[1] * 72


def _wrapped(text: str) -> list[str]:
    """Lines of at most `WIDTH` columns: between words, and between any two Chinese characters."""
    pieces = re.findall(
        r"[\u3000-\u9fff\uff00-\uffef]\s*|(?:[^\s\u3000-\u9fff\uff00-\uffef]|(?<=\d) (?=%))+\s*|\s+",
        text,
    )
    lines = [""]
    for piece in pieces:
        wide = piece[0] >= "\u3000"
        closing = piece[0] in "，。；：、！？）"
        size = sum(2 if c >= "\u3000" else 1 for c in lines[-1]) + (
            2 if wide else len(piece.rstrip())
        )
        if size > WIDTH and lines[-1] and not closing:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def _font(lang: str) -> str | None:
    """A family for a language: "" for any, None if there is none."""
    if lang != "zh":
        return ""
    known = {font.name for font in font_manager.fontManager.ttflist}
    for family in CHINESE:
        if family in known:
            return family
    # What matplotlib knows may be older than what is installed.
    for path in sorted(font_manager.findSystemFonts()):
        if any(word in Path(path).name.lower() for word in FILES):
            font_manager.fontManager.addfont(path)
            return str(font_manager.get_font(path).family_name)
    return None


def _in_font(ax: Axes, title: Text, family: str) -> None:
    legend = ax.get_legend()
    texts = [*ax.texts, ax.xaxis.label, ax.yaxis.label, *(legend.get_texts() if legend else [])]
    for text in (*texts, title):
        text.set_fontfamily([family, "DejaVu Sans"])
