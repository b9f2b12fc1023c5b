"""``fallline predict``: predictions of a kept run beside the rows of a table."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fallline.cli import screen

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "fallline predict runs/sales-1 new.csv\n\n"
    "fallline predict runs/sales-1 new.csv --out predicted.parquet\n\n"
    "fallline predict runs/sales-1 'data/*.parquet' --out predicted.parquet\n\n"
    "fallline predict runs/digits-1 digits --probabilities | head"
)


def predict(
    run: Annotated[Path, typer.Argument(help="The run's folder.", show_default=False)],
    data: Annotated[
        str,
        typer.Argument(
            help="A table with the columns of the training table; a pattern, a folder or a URL, too.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="A .csv, .tsv, .parquet or .jsonl file; CSV on stdout without it.",
            show_default=False,
        ),
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="A column of probabilities for each class.")
    ] = False,
) -> None:
    """Predict with a kept run: the table's rows, with the predictions beside them."""
    from fallline.descent.cache import use_compilation_cache
    from fallline.jobs.predict import predict_into
    from fallline.jobs.result import load, writer_for

    if out is not None:
        writer_for(out)
    use_compilation_cache()
    fitted = load(run)
    with _shares() as progress:
        done = predict_into(
            fitted,
            data,
            out,
            probabilities=probabilities,
            echo=lambda text: typer.echo(text, nl=False),
            progress=progress if out is not None else None,
        )
    for column, (count, example) in done.unseen.items():
        rows = "1 row holds" if count == 1 else f"{count:,} rows hold"
        screen.remark(
            f"Column {column!r}: {rows} a value that training never saw, such as {example!r}; the "
            "model treats it as a rare one."
        )
    if out is not None:
        screen.remark(f"{done.rows:,} rows with predictions written to {out}.")


@contextlib.contextmanager
def _shares() -> Generator[Callable[[str, float], None]]:
    """Bars on stderr, one for each thing that is told of, gone at the end; none without a terminal."""
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    out = screen.console(stderr=True)
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def tell(what: str, share: float) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=1.0)
            bars.update(tasks[what], completed=share)

        yield tell
