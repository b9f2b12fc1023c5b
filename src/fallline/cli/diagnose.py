"""``fallline diagnose``: why a run converged, stalled or blew up, and what to do about it."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fallline.cli import screen

if TYPE_CHECKING:
    from rich.console import Console

    from fallline.diagnosis.finding import Diagnosis, Finding
    from fallline.diagnosis.proof import Proof
    from fallline.jobs.result import TableRun

EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "fallline diagnose\n\n"
    "fallline diagnose runs/sales-1 --prove\n\n"
    "fallline diagnose runs/sales-1 --plot why.png\n\n"
    "fallline diagnose runs/sales-1 --json"
)
SHOWN = 3
"""Findings that a report shows; the gravest come first."""

ROOF = 3.0
"""A run that blows up is drawn up to so many times its first loss."""

HARDLY = 0.1
"""A run that gained less of the way from the baseline to a perfect score has hardly learned."""

NUMBERS = 4
"""Of each finding, the strongest evidence first; --json has all."""

WITHOUT, WITH = "#ff6b6b", "#43c7ff"
ILL, UNSURE, WELL = "bold red", "bold yellow", "bold green"


def diagnose(
    run: Annotated[
        Path | None,
        typer.Argument(help="The run's folder.", show_default="the newest in runs/"),
    ] = None,
    prove: Annotated[
        bool,
        typer.Option("--prove", help="Train again with each fix, and withdraw what does not help."),
    ] = False,
    history_only: Annotated[
        bool,
        typer.Option("--history-only", help="Measure nothing: what the history alone tells."),
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(help="The run's table, if it has moved.", show_default=False),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the finding into this file: .png, .svg, .pdf.", show_default=False),
    ] = None,
    lang: Annotated[
        str | None, typer.Option(help="en or zh.", show_default="by the environment")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Say why a run converged, stalled or blew up: with numbers, and with a fix to try."""
    from fallline.descent.cache import use_compilation_cache
    from fallline.diagnosis import words

    spoken = words.language(lang)
    if not json:
        _require_letters(words.say(spoken, "verdicts", "unknown"))
    folder = found_run(run)
    if plot is not None:
        _require_format(plot)
    use_compilation_cache()
    from fallline.diagnosis.doctor import examine
    from fallline.jobs.diagnose import case_of

    with working(words.say(spoken, "labels", "proving" if prove else "measuring")):
        case, remark = case_of(folder, data=data, measure=not history_only)
        measure = not history_only and not remark
        found = examine(case, measure=measure, prove=prove and measure, lang=spoken)
    if remark:
        screen.remark(words.say(spoken, "labels", remark))
    if plot is not None:
        from fallline.show.diagnosis import save

        save(found, plot)
    if json:
        from fallline.store.files import to_json

        typer.echo(to_json({"run": str(folder), **found.to_json()}).decode(), nl=False)
    else:
        report(found, screen.console(), str(folder))


def found_run(path: Path | None) -> Path:
    """The run that is meant: a folder, a name in ``runs/``, or the newest there.

    Raises:
        FalllineError: if there is none.
    """
    from fallline.cli.places import RUNS
    from fallline.errors import FalllineError

    if path is not None:
        inside = RUNS / path
        return inside if not path.exists() and (inside / "run.json").is_file() else path
    kept = list(RUNS.glob("*/run.json"))
    if not kept:
        raise FalllineError(
            f"There is no run in {RUNS}/ to diagnose; name one, or make one with  fallline fit digits"
        )
    return max(kept, key=lambda file: file.stat().st_mtime).parent


def _require_letters(text: str) -> None:
    import sys

    from fallline.errors import FalllineError

    encoding = sys.stdout.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        raise FalllineError(
            f"This terminal's encoding, {encoding}, has no letters for that language: set PYTHONUTF8=1, or "
            "ask for --json."
        ) from None


def _require_format(path: Path) -> None:
    from fallline.errors import FalllineError

    formats = (".png", ".svg", ".pdf")
    if path.suffix.lower() not in formats:
        raise FalllineError(
            f"A figure cannot be written as {path.suffix or path.name!r}: name a file that ends in "
            f"{', '.join(formats)}."
        )
    if not path.parent.is_dir():
        raise FalllineError(f"There is no folder {path.parent} to write {path.name} into.")


def working(words: str) -> Any:
    """Something that moves on a terminal's stderr while there is work."""
    err = screen.console(stderr=True)
    if not err.is_terminal or screen.plain():
        return contextlib.nullcontext()
    return err.status(words, spinner_style=screen.TRAINING)


def closing(fitted: TableRun, out: Console) -> None:
    """What the history alone tells, in a sentence or two, at the end of a fit."""
    from rich.text import Text

    from fallline.diagnosis import words
    from fallline.diagnosis.doctor import examine
    from fallline.jobs.table_case import TableCase

    found = examine(TableCase(fitted, measure=False), measure=False)
    first, (mark, style) = found.findings[0], mark_of(found)
    score, baseline = fitted.result["value"], fitted.result["baseline"]
    # A fix that was not tried may be wrong by any factor: only a measured one is worth a number.
    sentence = first.verdict
    if found.healthy and score is not None and score <= baseline + HARDLY * (1 - baseline):
        # A level loss alone does not tell a run that is done from one that never began,
        learned = "nothing_learned" if score <= baseline else "hardly_learned"
        sentence, mark, style = words.say(found.lang, "labels", learned), "?", UNSURE
    elif found.healthy and first.name not in ("healthy", "unknown"):
        # nor what kind of place it rests in.
        sentence = words.say(found.lang, "labels", "nothing_wrong")
    out.print(Text.assemble((f"{mark} ", style), sentence), soft_wrap=True)
    if style != WELL and fitted.folder is not None:
        command = f"fallline diagnose {fitted.folder}"
        closer = words.say(found.lang, "labels", "closer", command=command)
        out.print(Text(f"  {closer}", style="dim"), soft_wrap=True)


def mark_of(found: Diagnosis) -> tuple[str, str]:
    """The sign of a diagnosis and its style."""
    if found.complaints:
        return ("x" if screen.plain() else "✗"), ILL
    if found.findings[0].name == "unknown":
        return "?", UNSURE
    return ("ok" if screen.plain() else "✓"), WELL


def report(found: Diagnosis, out: Console, run: str = "") -> None:
    """A diagnosis for a reader: a headline, and at most three findings."""
    from rich.text import Text

    from fallline.diagnosis import words

    def label(key: str, **numbers: Any) -> str:
        return words.say(found.lang, "labels", key, **numbers)

    shown = found.findings[:SHOWN]
    mark, style = mark_of(found)
    several = len(found.complaints) > 1
    title = label("complaints", count=len(found.complaints)) if several else shown[0].title
    out.print()
    out.print(Text.assemble((f"{mark} {title}", style), (f"   {run}", "dim")), soft_wrap=True)
    for finding in shown:
        out.print()
        # The headline has named a single finding already.
        _finding(finding, out, label, titled=several or finding is not shown[0])
    if len(found.findings) > SHOWN:
        out.print(Text("\n  " + label("more", count=len(found.findings) - SHOWN), style="dim"))
    for finding in found.withdrawn:
        out.print()
        out.print(Text("  " + label("withdrawn", title=finding.title), style="yellow"))
        _say(out, finding.advice, style="dim")
        _proof(finding, out, label)
    spent = label("measured", seconds=float(f"{found.seconds:.2g}"))
    out.print()
    out.print(Text("  " + (spent if found.measured else label("history_only")), style="dim"))


def _finding(finding: Finding, out: Console, label: Any, *, titled: bool) -> None:
    from rich.text import Text

    if titled:
        out.print(Text(f"  {finding.title}", style="bold"))
    _say(out, finding.verdict)
    for evidence in finding.evidence[:NUMBERS]:
        _say(
            out,
            evidence.sentence(finding.lang),
            style="dim",
            first="- " if screen.plain() else "· ",
        )
    if finding.advice and finding.complaint:
        out.print()
        width = max(_cells(label("fix")), _cells(label("try"))) + 2
        _say(out, finding.advice, first=_padded(label("fix"), width), style="bold")
        if finding.command:
            # A command is copied as a whole: it is never broken.
            line = Text.assemble(
                "  ", (_padded(label("try"), width), "dim"), (finding.command, "cyan")
            )
            out.print(line, soft_wrap=True)
    if finding.proven is not None:
        _proof(finding, out, label)


def _proof(finding: Finding, out: Console, label: Any) -> None:
    """Both loss curves, and what came of it."""
    proof = finding.proven
    if proof is None:
        return
    if not screen.plain():
        from fallline.jobs.diagnose import steps_apart

        width = max(min(out.width - 14, 72), 20)
        before, after, last = both(finding, proof, 2 * width)
        lines = [
            (label("without_fix"), WITHOUT, before),
            (label("with_fix"), WITH, after),
        ]
        ends = (label(steps_apart(finding)[0]), last)
        drawing = screen.curve(lines, width=width, height=7, ends=ends)
        if drawing:
            out.print()
            out.print(drawing)
    out.print()
    _say(out, proof.sentence(finding.lang), style="green" if proof.helped else "yellow")


def both(finding: Finding, proof: Proof, points: int) -> tuple[list[float], list[float], str]:
    """The losses of a run without and with its fix on one axis, at as many places as are to be drawn.

    What lies far above the first loss is drawn there: a run that blows up would press all else flat.

    Returns:
        The losses without, those with the fix, and the last step or epoch.
    """
    import numpy as np

    from fallline.jobs.diagnose import steps_apart

    losses = [np.asarray(h.steps["loss"], float) for h in (proof.without, proof.history)]
    _, *each = steps_apart(finding)
    last = max(len(v) / n for v, n in zip(losses, each, strict=True))
    start = losses[0][0] if len(losses[0]) else math.nan
    roof = ROOF * start if start > 0 else math.inf
    shown: list[list[float]] = []
    for values, steps in zip(losses, each, strict=True):
        finite = np.isfinite(values)
        kept = np.minimum(values[: len(values) if finite.all() else int(np.argmin(finite))], roof)
        parts = np.array_split(kept, max(min(points, int(points * len(kept) / steps / last)), 1))
        means = [part.mean() for part in parts if len(part)]
        ends = np.linspace(1, max(len(kept), 1), max(len(means), 1)) / steps
        places = np.linspace(min(1 / n for n in each), last, points)
        shown.append(list(np.interp(places, ends, means or [math.nan], right=math.nan)))
    return shown[0], shown[1], screen.number(last, 3)


def _say(out: Console, text: str, *, style: str = "", first: str = "") -> None:
    """A sentence, indented, broken where a line ends; what begins it hangs out."""
    from rich.text import Text

    indent = _cells(first)
    for place, line in enumerate(broken(text, max(out.width - indent - 3, 20))):
        begin = (first, "dim") if not place else " " * indent
        out.print(Text.assemble("  ", begin, (line, style)), soft_wrap=True)


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _cells(text))


def broken(text: str, width: int) -> list[str]:
    """Lines of at most so many columns: between words, and between any two Chinese characters."""
    from rich.cells import cell_len

    lines, line, room = [], "", width
    for piece in pieces(text):
        size = cell_len(piece.rstrip())
        if line and size > room:
            lines.append(line.rstrip())
            line, room = "", width
        line += piece
        room -= cell_len(piece)
    return [*lines, line.rstrip()]


def pieces(text: str) -> list[str]:
    """What a line may not break: words and percentages, and a wide character with its punctuation."""
    import re

    wide = r"[\u3400-\u9fff]"
    closing = r"[，。；：、！？）」』”’％%]"
    opening = r"[（「『“‘]"
    word = rf"(?:(?!{wide}|{opening}|\s).|(?<=\d) (?=%))+\s*"
    return re.findall(rf"{opening}*(?:{wide}{closing}*\s*|{word})|{opening}+|\s+", text)
