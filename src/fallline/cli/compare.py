"""``fallline compare``: optimizers racing on a table or a function, each at its own best setting."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from fallline.cli import places, screen

if TYPE_CHECKING:
    from rich.console import Console

    from fallline.data.encode import Encoder
    from fallline.jobs.compare import Reporter
    from fallline.jobs.comparison import Comparison
    from fallline.terrains import Terrain

EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "fallline compare sales.csv --target revenue\n\n"
    "fallline compare digits --optimizers sgd,momentum,adam --learning-rates 1e-4:1:13 --seeds 3\n\n"
    "fallline compare digits --optimizers momentum --momentum 0.5,0.9,0.99 --batch-sizes 32,128\n\n"
    "fallline compare himmelblau --starts 300 --out race.svg --out runs.csv\n\n"
    'fallline compare "x^2 + 3*y^2" --optimizers sgd,adam --steps 100'
)
DATA, MODEL, RACE, REST = "Data", "Model", "Race", "Output"
PICTURES = (".png", ".svg", ".pdf")
TABLES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")
VALUES = "Values: 0.5,0.9 or low:high:count, evenly in the logarithm."


def _varied(help: str) -> Any:  # noqa: A002 - typer's own word
    return typer.Option(help=help, rich_help_panel=RACE, show_default=False)


def compare(
    data: Annotated[
        str,
        typer.Argument(
            help="A table as for fallline fit, a terrain (himmelblau, rosenbrock, ...), or a formula in x "
            "and y.",
            show_default=False,
        ),
    ],
    target: Annotated[
        str | None,
        typer.Option("--target", "-t", help="The column to predict.", rich_help_panel=DATA),
    ] = None,
    task: Annotated[
        str, typer.Option(help="auto, regression or classification.", rich_help_panel=DATA)
    ] = "auto",
    drop: Annotated[
        list[str] | None,
        typer.Option(help="A column to leave out; may be repeated.", rich_help_panel=DATA),
    ] = None,
    test: Annotated[
        str,
        typer.Option(
            help="Share of the rows that the race never sees, or another table's path.",
            rich_help_panel=DATA,
        ),
    ] = "0.2",
    validation: Annotated[
        float,
        typer.Option(help="Share of the remaining rows that decides.", rich_help_panel=DATA),
    ] = 0.1,
    model: Annotated[
        str, typer.Option(help="network or linear.", rich_help_panel=MODEL)
    ] = "network",
    hidden: Annotated[
        str, typer.Option(help="Units of the hidden layers.", rich_help_panel=MODEL)
    ] = "128,64",
    loss: Annotated[
        str | None,
        typer.Option(
            help="A loss by name.",
            rich_help_panel=MODEL,
            show_default="by the task",
        ),
    ] = None,
    optimizers: Annotated[
        str, typer.Option(help="Names with commas.", rich_help_panel=RACE)
    ] = "sgd,momentum,adam",
    learning_rates: Annotated[
        str, typer.Option("--learning-rates", help=VALUES, rich_help_panel=RACE)
    ] = "1e-4:1:13",
    momentum: Annotated[str | None, _varied("Values of momentum.")] = None,
    beta1: Annotated[str | None, _varied("Values of beta1.")] = None,
    beta2: Annotated[str | None, _varied("Values of beta2.")] = None,
    decay: Annotated[
        str | None, _varied("Values of a factor on the learning rate, each epoch.")
    ] = None,
    l2: Annotated[
        str | None,
        typer.Option(
            "--l2", help="Values of the l2 penalty.", rich_help_panel=RACE, show_default=False
        ),
    ] = None,
    weight_decay: Annotated[str | None, _varied("Values of the weight decay.")] = None,
    batch_sizes: Annotated[
        str, typer.Option(help="Rows a step: auto, full, 32,128, ...", rich_help_panel=RACE)
    ] = "auto",
    seeds: Annotated[int, typer.Option(help="Runs of each setting.", rich_help_panel=RACE)] = 3,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="The budget of every run.",
            rich_help_panel=RACE,
            show_default="10, or enough for 200 steps",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            help="The budget in steps instead.",
            rich_help_panel=RACE,
            show_default="for a function: 300",
        ),
    ] = None,
    starts: Annotated[
        int | None,
        typer.Option(
            help="Balls on a function; a run is the median ball.",
            rich_help_panel=RACE,
            show_default="100",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides the split.", rich_help_panel=DATA)] = 0,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            help="A table of all runs (.csv, .parquet, .jsonl) or a picture of the race (.png, .svg, "
            ".pdf); may be repeated.",
            rich_help_panel=REST,
            show_default=False,
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout.", rich_help_panel=REST)
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="No progress and no curve.", rich_help_panel=REST),
    ] = False,
) -> None:
    """Race optimizers with one budget, each at its own best learning rate, over several seeds."""
    for path in out or ():
        _require_writable(path)
    from fallline.descent.cache import use_compilation_cache
    from fallline.jobs.compare import CompareConfig
    from fallline.jobs.compare import compare as run_compare
    from fallline.jobs.config import parse_hidden, parse_number_or_word

    given = {
        "learning_rate": learning_rates,
        "momentum": momentum,
        "beta1": beta1,
        "beta2": beta2,
        "decay": decay,
        "l2": l2,
        "weight_decay": weight_decay,
    }
    config = CompareConfig(
        data=data,
        target=target,
        task=task,
        model=model,
        hidden=parse_hidden(hidden),
        loss=loss,
        optimizers=optimizers,
        varied={name: words for name, words in given.items() if words is not None},
        batch_sizes=tuple(parse_number_or_word(w.strip()) for w in batch_sizes.split(",")),
        seeds=seeds,
        epochs=epochs,
        steps=steps,
        starts=starts,
        validation=validation,
        test=places.share_or_path(test),
        drop=tuple(drop or ()),
        seed=seed,
    )
    use_compilation_cache()
    from fallline.descent.sweep_result import NothingFinishedError

    show = _Show(quiet=quiet or json)
    try:
        made = run_compare(config, cast("Reporter", show))
    except (KeyboardInterrupt, NothingFinishedError):
        try:  # noqa: SIM105 - suppress() would be a call too, outside
            # Polars hands on a Ctrl-C by itself, and Python does once more at the next call: this one.
            time.sleep(0)
        except KeyboardInterrupt:
            pass
        show.close()
        screen.remark("Interrupted before a single run was finished.")
        raise typer.Exit(130) from None
    finally:
        show.close()
    if json:
        from fallline.store.files import to_json

        typer.echo(to_json(made.to_json()).decode(), nl=False)
    else:
        _report(made, screen.console(), quiet=quiet)
    for path in out or ():
        _write(made, path)
        screen.remark(f"Written to {path}.")
    if made.sweep.stopped == "interrupted":
        total = show.total or made.runs.height
        screen.remark(f"Interrupted: {made.runs.height:,} of {total:,} runs were finished.")
        raise typer.Exit(130)


def _require_writable(path: Path) -> None:
    """What would fail after the race is told before it."""
    from fallline.errors import FalllineError

    if path.suffix.lower() not in (*TABLES, *PICTURES):
        raise FalllineError(
            f"--out writes a table ({', '.join(TABLES)}) or a picture ({', '.join(PICTURES)}); "
            f"{path.name!r} is neither."
        )
    if not path.parent.is_dir():
        raise FalllineError(f"There is no folder {path.parent} to write {path.name} into.")


def _write(made: Comparison, path: Path) -> None:
    if path.suffix.lower() in TABLES:
        from fallline.jobs.result import write_table

        write_table(made.runs, path)
        return
    import io

    import matplotlib.pyplot as plt

    from fallline.show import plots
    from fallline.show.style import theme_of, title
    from fallline.store import files

    curves, unit, stride = made.curves()
    measure = made.sweep.measure.replace("_", " ")
    ylabel = measure if unit == "epoch" or measure == "value" else "training loss"
    longest = max(len(curve) for seeds in curves.values() for curve in seeds)
    offset = 1 if unit == "epoch" else 0
    places = [float(i * stride + offset) for i in range(longest)]
    ax = plots.spread(curves, x=places, log=True, ylabel=ylabel)
    ax.set_xlabel(unit)
    data = made.config.data
    name = Path(data).name if made.facts["kind"] == "table" else data
    title(ax, f"{name:.40}: each at its best learning rate", theme_of(None))
    figure: Any = ax.figure
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix.lower()[1:], dpi=200)
    plt.close(figure)
    files.write(path, buffer.getvalue())


def _report(made: Comparison, out: Console, *, quiet: bool) -> None:
    """A drawing of the losses against the rates, a row for each optimizer, a sentence."""
    from rich.text import Text

    colours = _colours(made)
    if not quiet and not screen.plain():
        drawing = _drawing(made, colours, max(min(out.width - 14, 72), 20))
        if drawing is not None:
            out.print()
            out.print(drawing)
            out.print()
    gap = 3 if out.width >= 100 else 2 if out.width >= 84 else 1
    out.print(_table(made, colours, gap))
    if any(entry.at_edge for entry in made.entries):
        out.print(Text("! at the edge of what was tried", style="yellow"))
    out.print()
    out.print(Text(made.sentence, style="bold" if made.winner else ""), soft_wrap=True)


def _colours(made: Comparison) -> dict[str, str]:
    """Those that the pictures have, too."""
    from fallline.show.style import colours_of

    labels = [entry.optimizer for entry in made.entries]
    return dict(zip(labels, colours_of(labels, "dark"), strict=True))


def _drawing(made: Comparison, colours: dict[str, str], width: int) -> Any:
    """The measure against the learning rate, or None where it has nothing to show."""
    import numpy as np

    curves = {e.optimizer: np.array(e.by_rate).reshape(-1, 2) for e in made.entries}
    rates = np.unique(np.concatenate([table[:, 0] for table in curves.values()]))
    rates = rates[rates > 0]
    if len(rates) < 3:
        return None
    # Far above the loss it began with, an optimizer has lost its way; how far would flatten all else.
    begun = float(np.median(made.sweep.curves[:, 0]))
    ceiling = 1.5 * begun if begun > 0 else math.inf
    for table in curves.values():
        table[~(table[:, 1] <= ceiling), 1] = np.nan
    finite = np.concatenate([table[np.isfinite(table[:, 1]), 1] for table in curves.values()])
    if not len(finite):
        return None
    # A function that is solved is solved: below a millionth of the highest is the bottom.
    floor = finite.max() * 1e-6 if finite.min() >= 0 else -math.inf
    even = np.geomspace(rates[0], rates[-1], 2 * width)
    lines: list[tuple[str, str, list[float]]] = []
    for name, table in curves.items():
        table = table[table[:, 0] > 0]
        values = np.maximum(table[:, 1], floor)
        log = floor > 0
        drawn = np.interp(
            np.log(even), np.log(table[:, 0]), np.log(values) if log else values, np.nan, np.nan
        )
        lines.append((name, colours[name], (np.exp(drawn) if log else drawn).tolist()))
    measure = made.sweep.measure.replace("_", " ")
    ends = (f"{rates[0]:.4g}", f"{rates[-1]:.4g}")
    drawing = screen.curve(lines, width=width, ends=ends)
    drawing.append(f"\n  {measure} against learning rate", style="dim")
    return drawing


def _table(made: Comparison, colours: dict[str, str], gap: int) -> Any:
    from rich.table import Table
    from rich.text import Text

    entries, facts = made.entries, made.facts
    names = list(dict.fromkeys(name for entry in entries for name in entry.setting))
    ended = any(e.seeds < len(made.sweep.seeds) for e in entries)
    scored = any(e.score is not None for e in entries)
    reached = any(e.reached is not None for e in entries)
    diverging = any(e.diverged_from is not None for e in entries)
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")

    def column(name: str, side: Any = "right") -> None:
        # Two words, two lines: a row of seven columns still fits eighty places.
        table.add_column(name.replace(" ", "\n", 1), justify=side, no_wrap=True, vertical="bottom")

    column("optimizer", "left")
    for name in names:
        column(name.replace("_", " "))
    column(made.sweep.measure.replace("_", " "))
    column("middle half")
    if scored:
        column(f"test {'R2' if facts['metric'] == 'r2' else 'accuracy'}")
    if reached:
        column("there after")
    if diverging:
        column("diverges from")
    if ended:
        column("seeds")
    for entry in entries:
        fine = math.isfinite(entry.median)
        best = entry.optimizer == made.winner
        row: list[Any] = [
            Text.assemble(
                ("● ", colours[entry.optimizer]), (entry.optimizer, "bold" if best else "")
            )
        ]
        for name in names:
            value = entry.setting.get(name)
            edge = name in entry.at_edge
            words = "-" if value is None or not fine else f"{'! ' if edge else ''}{value:.3g}"
            row.append(Text(words, style="yellow" if edge else ""))
        row.append(Text(_value(entry.median), style="bold green" if best else ""))
        spread = f"{_value(entry.low, 3)} - {_value(entry.high, 3)}" if fine else ""
        row.append(Text(spread, style="dim"))
        if scored:
            row.append("" if entry.score is None else f"{entry.score:.4f}")
        if reached:
            row.append("" if entry.reached is None else f"{entry.reached:,} steps")
        if diverging:
            rate = entry.diverged_from
            row.append(Text("" if rate is None or not fine else f"{rate:.2g}", style="dim"))
        if ended:
            row.append(f"{entry.seeds}")
        table.add_row(*row)
    return table


def _value(value: float, digits: int = 4) -> str:
    return f"{value:.{digits}g}" if math.isfinite(value) else "diverged"


class _Show:
    """Progress on stderr."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self.err = screen.console(stderr=True)
        self.bar: Any = None
        self.task: Any = None
        self.total = 0

    def close(self) -> None:
        """Take the bar down."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def table(self, encoder: Encoder, rows: dict[str, int]) -> None:
        """Say what the table is and how it was cut."""
        kind = encoder.task
        if encoder.classes is not None:
            kind += f" into {len(encoder.classes)} classes"
        held = ", ".join(f"{count:,} for {part}" for part, count in rows.items() if count)
        self._say(f"compares optimizers on {encoder.target}: {kind}")
        self._detail(f"{len(encoder.feature_names):,} features; rows: {held}")
        for note in encoder.notes[:8]:
            self._detail(note)

    def function(self, terrain: Terrain, starts: int) -> None:
        """Say which function it is."""
        self._say(f"compares optimizers on {terrain.title}")
        self._detail(f"{starts:,} start{'s' if starts > 1 else ''} a run, the median ball counts")

    def note(self, sentence: str) -> None:
        """Say what the user should know."""
        self._detail(sentence)

    def starting(self, budget: str) -> None:
        """Say the budget and put up a bar."""
        self._detail(f"the same budget for every run: {budget}")
        if self.quiet or not self.err.is_terminal:
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.bar = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=24, complete_style=screen.TRAINING, finished_style="green"),
            TextColumn("{task.fields[words]}"),
            TimeRemainingColumn(compact=True),
            console=self.err,
            transient=True,
            refresh_per_second=10,
        )
        self.task = self.bar.add_task("race", total=None, words="compiling ...")
        self.bar.start()

    def progress(self, done: float, total: int) -> bool:
        """Move the bar."""
        self.total = total
        if self.bar is not None:
            self.bar.update(
                self.task, completed=done, total=total, words=f"{int(done + 1e-6):,}/{total:,} runs"
            )
        return False

    def _say(self, words: str) -> None:
        from rich.text import Text

        if not self.quiet:
            self.err.print(Text.assemble(("fallline ", "bold"), words), soft_wrap=True)

    def _detail(self, words: str) -> None:
        from rich.text import Text

        if not self.quiet:
            self.err.print(Text(f"  {words}", style="dim"), soft_wrap=True)
