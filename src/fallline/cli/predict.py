"""``fallline predict``: predictions of a kept run beside the rows of a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fallline.cli import screen

EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "fallline predict runs/sales-1 new.csv\n\n"
    "fallline predict runs/sales-1 new.csv --out predicted.parquet\n\n"
    "fallline predict runs/digits-1 digits --probabilities | head"
)


def predict(
    run: Annotated[Path, typer.Argument(help="The run's folder.", show_default=False)],
    data: Annotated[
        str,
        typer.Argument(help="A table with the columns of the training table.", show_default=False),
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
    from fallline.jobs.result import load, write_table, writer_for

    if out is not None:
        writer_for(out)
    use_compilation_cache()
    fitted = load(run)
    table = fitted.read(data)
    frame = fitted.predictions(table, probabilities=probabilities)
    for column, (count, example) in fitted.encoder.unseen(table).items():
        rows = "1 row holds" if count == 1 else f"{count:,} rows hold"
        screen.remark(
            f"Column {column!r}: {rows} a value that training never saw, such as {example!r}; the "
            "model treats it as a rare one."
        )
    if out is None:
        typer.echo(frame.write_csv(), nl=False)
        return
    write_table(frame, out)
    screen.remark(f"{frame.height:,} rows with predictions written to {out}.")
