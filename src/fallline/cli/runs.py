"""``fallline runs``: what was trained here, a line each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fallline.cli import screen

EXAMPLES = "[bold]Examples[/bold]\n\nfallline runs\n\nfallline runs elsewhere --json"


def runs(
    folder: Annotated[Path, typer.Argument(help="The folder of runs.")] = Path("runs"),
    json: Annotated[bool, typer.Option("--json", help="A JSON object a line on stdout.")] = False,
) -> None:
    """List the runs of a folder, oldest first: what was trained, how well, when."""
    from fallline.errors import FalllineError
    from fallline.store.folder import runs_in

    if not folder.is_dir():
        if folder != Path("runs"):
            raise FalllineError(f"There is no folder {folder}.")
        screen.remark("There are no runs here yet; start with:  fallline fit digits")
        return
    found = [_row(path, facts) for path, facts in runs_in(folder)]
    found.sort(key=lambda row: row["created"] or "")
    if json:
        import json as encoder

        for row in found:
            typer.echo(encoder.dumps(row))
        return
    if not found:
        screen.remark(f"There are no runs in {folder} yet; start with:  fallline fit digits")
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("run", "model", "target", "score", "time", "when", "state"):
        right = name in ("score", "time")
        justify = "right" if right else "left"
        table.add_column(name, justify=justify, no_wrap=name != "run", overflow="fold")
    for row in found:
        style = {"finished": "green", "damaged": "red"}.get(row["state"], "yellow")
        cells = [
            row["run"],
            f"{row['model']}, bfloat16" if row["precision"] == "bfloat16" else row["model"],
            row["target"],
            row["value"] is not None and f"{row['metric'].replace('r2', 'R2')} {row['value']:.4f}",
            row["seconds"] is not None and screen.duration(row["seconds"]),
            (row["created"] or "").replace("T", " ")[2:16],
        ]
        texts = [Text(str(cell)) if cell else Text("-", style="dim") for cell in cells]
        table.add_row(*texts, Text(row["state"], style=style))
    screen.console().print(table)


def _row(path: Path, facts: dict[str, Any] | None) -> dict[str, Any]:
    facts = facts or {"status": "damaged", "config": {}}
    result, config = facts.get("result") or {}, facts["config"]
    return {
        "run": str(path),
        "data": config.get("data"),
        "target": result.get("target") or config.get("target"),
        "model": result.get("model") or config.get("model"),
        "precision": result.get("precision") or config.get("precision"),
        "metric": result.get("metric"),
        "value": result.get("value"),
        "baseline": result.get("baseline"),
        "steps": result.get("steps"),
        "seconds": result.get("total_seconds"),
        "created": facts.get("created"),
        "state": facts.get("status", "damaged"),
    }
