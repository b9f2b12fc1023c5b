"""``fallline report``: a run as one HTML file to keep or to send."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from fallline.cli import screen

EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "fallline report\n\n"
    "fallline report runs/sales-1 --open\n\n"
    "fallline report runs/sales-1 --prove --out sales.html\n\n"
    "fallline report runs/sales-1 --lang zh"
)


def report(
    run: Annotated[
        Path | None,
        typer.Argument(help="The run's folder.", show_default="the newest in runs/"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The file to write.", show_default="report.html in the run's folder"),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    prove: Annotated[
        bool,
        typer.Option(
            "--prove/--no-prove",
            help="Train again with each fix, and withdraw what does not help.",
        ),
    ] = False,
    surface: Annotated[
        bool,
        typer.Option("--surface/--no-surface", help="Slice the loss surface around the run."),
    ] = True,
    data: Annotated[
        Path | None,
        typer.Option(help="The run's table, if it has moved.", show_default=False),
    ] = None,
    lang: Annotated[
        str | None, typer.Option(help="en or zh, to begin with.", show_default="by the environment")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Write a run as one HTML file: it opens from disk, offline, in both languages."""
    from fallline.cli.diagnose import found_run, working
    from fallline.diagnosis import words
    from fallline.page import keep

    began = time.perf_counter()
    spoken = words.language(lang)
    _require_runs(run)
    folder = found_run(run)
    where = keep.place_for(folder, out)
    if data is not None and not data.is_file():
        from fallline.data.readers import read_table

        # What was asked for by name is missed at once, not remarked in the end.
        read_table(data)
    with working(words.say(words.language(), "labels", "proving" if prove else "measuring")):
        card = keep.carded(folder, data=data, prove=prove, surface=surface, lang=spoken)
        keep.write(where, card, spoken)
    for remark in card["remarks"]:
        screen.remark(remark)
    if json:
        from fallline.store.files import to_json

        size, seconds = where.stat().st_size, time.perf_counter() - began
        facts = {"run": folder, "report": where, "bytes": size, "seconds": seconds}
        typer.echo(
            to_json({k: str(v) if isinstance(v, Path) else v for k, v in facts.items()}).decode(),
            nl=False,
        )
    else:
        typer.echo(str(where))
    if open_:
        _open(where)


def _require_runs(run: Path | None) -> None:
    from fallline.cli.places import RUNS
    from fallline.errors import FalllineError

    if run is None and not any(RUNS.glob("*/run.json")):
        raise FalllineError(
            f"There is no run in {RUNS}/ to report; name one, or make one with  fallline fit digits"
        )


def _open(path: Path) -> None:
    import webbrowser

    if not webbrowser.open(path.resolve().as_uri()):
        screen.remark("No browser could be opened: open the file yourself.")
