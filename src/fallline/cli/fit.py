"""``fallline fit``: train a model on a table."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from fallline.cli import diagnose as diagnosing
from fallline.cli import screen
from fallline.cli.ending import AT_ONCE, GRACE, TRY_AGAIN, Terminated, terminable

if TYPE_CHECKING:
    from rich.console import Console

    from fallline.cli.timings import Timings
    from fallline.data.encode import Encoder
    from fallline.descent.batches import BatchPlan
    from fallline.descent.run import Progress, Run
    from fallline.diagnosis.finding import Diagnosis
    from fallline.jobs.fit import Reporter
    from fallline.jobs.result import TableRun

EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "fallline fit digits\n\n"
    "fallline fit sales.csv --target revenue\n\n"
    "fallline fit sales.parquet --target churned --model mlp --hidden 256,128 --batch-norm\n\n"
    "fallline fit train.csv --target y --test held_out.csv --json\n\n"
    "fallline fit sales.csv --target revenue --out runs/sales --resume"
)
WORDS = {"linear": "linear model", "mlp": "network"}
DATA, MODEL, DESCENT, REST = "Data", "Model", "Descent", "Run"


def fit(
    data: Annotated[
        str | None,
        typer.Argument(
            help="A table (CSV, TSV, Parquet, JSON lines, .npz, LIBSVM) or a bundled set: "
            "diabetes, digits, wine, iris, breast_cancer. With --resume it may be left out.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", "-t", help="The column to predict.", rich_help_panel=DATA),
    ] = None,
    task: Annotated[
        str,
        typer.Option(help="auto, regression or classification.", rich_help_panel=DATA),
    ] = "auto",
    drop: Annotated[
        list[str] | None,
        typer.Option(help="A column to leave out; may be repeated.", rich_help_panel=DATA),
    ] = None,
    test: Annotated[
        str,
        typer.Option(
            help="Share of the rows held out for the final measure, or another table's path.",
            rich_help_panel=DATA,
        ),
    ] = "0.2",
    validation: Annotated[
        float,
        typer.Option(
            help="Share of the remaining rows that decides when to stop.", rich_help_panel=DATA
        ),
    ] = 0.1,
    model: Annotated[
        str,
        typer.Option(
            help="auto trains both and keeps the better on validation; linear; mlp.",
            rich_help_panel=MODEL,
        ),
    ] = "auto",
    hidden: Annotated[
        str, typer.Option(help="Units of the hidden layers.", rich_help_panel=MODEL)
    ] = "128,64",
    activation: Annotated[
        str, typer.Option(help="Of the hidden layers.", rich_help_panel=MODEL)
    ] = "relu",
    batch_norm: Annotated[
        bool,
        typer.Option("--batch-norm", help="Normalise the hidden layers.", rich_help_panel=MODEL),
    ] = False,
    dropout: Annotated[
        float, typer.Option(help="Share of hidden units dropped.", rich_help_panel=MODEL)
    ] = 0.0,
    init: Annotated[
        str,
        typer.Option(
            help="How the first weights are drawn: auto (by the activation), he, glorot, lecun, normal, "
            "normal:0.01, zeros.",
            rich_help_panel=MODEL,
        ),
    ] = "auto",
    loss: Annotated[
        str | None,
        typer.Option(
            help="A loss by name, such as huber or quantile:0.9.",
            rich_help_panel=MODEL,
            show_default="by the task",
        ),
    ] = None,
    optimizer: Annotated[
        str,
        typer.Option(
            help="sgd, momentum, nesterov, adagrad, adadelta, rmsprop, adam, amsgrad, adamw, nadam, "
            "lion.",
            rich_help_panel=DESCENT,
        ),
    ] = "adam",
    lr: Annotated[
        str,
        typer.Option(
            "--lr",
            "--learning-rate",
            help="The learning rate; auto tries rates first.",
            rich_help_panel=DESCENT,
        ),
    ] = "auto",
    schedule: Annotated[
        str,
        typer.Option(
            help="How the rate changes: constant, exponential:0.95, step:0.5:10, cosine, inverse, "
            "polynomial, plateau:0.3:3, warmup:2+cosine. auto cuts it on plateaus.",
            rich_help_panel=DESCENT,
        ),
    ] = "auto",
    batch_size: Annotated[
        str, typer.Option(help="Rows a step: auto, full, 1, 64, ...", rich_help_panel=DESCENT)
    ] = "auto",
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Passes over the rows at most.",
            rich_help_panel=DESCENT,
            show_default="100, or enough for 2000 steps",
        ),
    ] = None,
    patience: Annotated[
        str,
        typer.Option(
            help="Epochs without a better validation loss before training stops; never; auto is 10, or "
            "enough for 200 steps.",
            rich_help_panel=DESCENT,
        ),
    ] = "auto",
    l1: Annotated[
        float, typer.Option("--l1", help="Penalty on absolute weights.", rich_help_panel=DESCENT)
    ] = 0.0,
    l2: Annotated[
        float, typer.Option("--l2", help="Penalty on squared weights.", rich_help_panel=DESCENT)
    ] = 0.0,
    weight_decay: Annotated[
        float | None,
        typer.Option(
            help="Decoupled weight decay.",
            rich_help_panel=DESCENT,
            show_default="0.1 in a network, 0 in a linear model",
        ),
    ] = None,
    clip_norm: Annotated[
        float | None,
        typer.Option(
            help="Shorten gradients longer than this.", rich_help_panel=DESCENT, show_default=False
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="field=value, for any other number: --set beta1=0.8; may be repeated.",
            rich_help_panel=DESCENT,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(help="Decides split, weights and order of rows.", rich_help_panel=REST),
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The run's folder.",
            rich_help_panel=REST,
            show_default="runs/NAME-1, -2, ...",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with an unfinished run.", rich_help_panel=REST),
    ] = False,
    checkpoint_every: Annotated[
        float,
        typer.Option(
            help="Seconds between two checkpoints, from which --resume goes on.",
            rich_help_panel=REST,
        ),
    ] = 5.0,
    precision: Annotated[
        str | None,
        typer.Option(
            help="bfloat16 rounds what the layers multiply, which is faster for wide layers where the "
            "processor or GPU has instructions for it.",
            rich_help_panel=DESCENT,
            show_default="float32",
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress, no curve.", rich_help_panel=REST)
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout.", rich_help_panel=REST)
    ] = False,
    timings: Annotated[
        bool,
        typer.Option("--timings", help="Say where the seconds went.", rich_help_panel=REST),
    ] = False,
    diagnose: Annotated[
        bool,
        typer.Option(
            "--diagnose",
            help="Measure why the run ended as it did, as 'fallline diagnose' would.",
            rich_help_panel=REST,
        ),
    ] = False,
) -> None:
    """Train a model on a table: read, encode, train, measure on held-out rows, keep the run."""
    from fallline.cli import places
    from fallline.cli.timings import Timings
    from fallline.descent.cache import use_compilation_cache
    from fallline.errors import FalllineError
    from fallline.jobs.config import FitConfig, parse_hidden, parse_number_or_word, parse_patience

    if data is None and resume:
        out, config = places.stored(out)
    elif data is None:
        raise FalllineError("Name a table, or a bundled set:  fallline fit digits")
    else:
        config = FitConfig(
            data=data,
            target=target,
            task=task,
            model=model,
            hidden=parse_hidden(hidden),
            activation=activation,
            batch_norm=batch_norm,
            dropout=dropout,
            init=init,
            loss=loss,
            optimizer=optimizer,
            learning_rate=parse_number_or_word(lr),
            schedule=schedule,
            batch_size=parse_number_or_word(batch_size),
            epochs=epochs,
            validation=validation,
            test=places.share_or_path(test),
            patience=parse_patience(patience),
            l1=l1,
            l2=l2,
            weight_decay=weight_decay,
            clip_norm=clip_norm,
            drop=tuple(drop or ()),
            seed=seed,
            precision=precision,
        ).with_set(set_ or [])
        out = places.folder_for(data, out, resume=resume)
    clock = Timings("start and imports") if timings else None
    show = _Show(quiet=quiet or json, timings=clock, tries=config.learning_rate == "auto")
    reporter = cast("Reporter", show)
    show.guard = terminable(lambda: _go_on("Asked to end (SIGTERM).", out))
    try:
        with show.guard:
            use_compilation_cache()
            from fallline.jobs.fit import run_fit

            fitted = run_fit(
                config, out=out, resume=resume, checkpoint_every=checkpoint_every, reporter=reporter
            )
    except Terminated:
        show.close()
        screen.remark(_go_on("Asked to end (SIGTERM).", out))
        raise typer.Exit(TRY_AGAIN) from None
    except KeyboardInterrupt:
        # Before or between the trainings, which end in good order by themselves.
        try:  # noqa: SIM105 - suppress() would be a call too, outside
            # Polars hands on a Ctrl-C by itself, and Python does once more at the next call: this one.
            time.sleep(0)
        except KeyboardInterrupt:
            pass
        show.close()
        if (out / "run.json").is_file():
            screen.remark(_go_on("Interrupted.", out))
        raise typer.Exit(130) from None
    finally:
        show.close()
    code = {"interrupted": 130, "terminated": TRY_AGAIN}.get(fitted.result["stop_reason"], 0)
    examine = diagnose and code != TRY_AGAIN
    examined = _examined(fitted, quiet=quiet or json) if examine else None
    if json:
        from fallline.store.files import to_json

        spent = {"timings": show.timings.seconds()} if show.timings else {}
        said = {"diagnosis": examined.to_json()} if examined else {}
        typer.echo(to_json({**fitted.result, **spent, **said}).decode(), nl=False)
    else:
        console = screen.console()
        _report(fitted, console, quiet=quiet)
        if examined is None:
            diagnosing.closing(fitted, console)
        else:
            diagnosing.report(examined, console, fitted.result["run"] or "")
        if show.timings:
            show.err.print(show.timings.table())
    if code:
        screen.remark(_go_on("", out))
        raise typer.Exit(code)


def _go_on(said: str, out: Path) -> str:
    """How an unfinished run goes on, in a sentence."""
    if not (out / "run.json").is_file():
        return f"{said} Nothing was kept yet; start the same command again."
    return f"{said} Go on with:  fallline fit --resume --out {out}".strip()


def _examined(fitted: TableRun, *, quiet: bool) -> Diagnosis:
    """The full diagnosis of a fit, with a sign of life on stderr."""
    from fallline.diagnosis import words
    from fallline.jobs.diagnose import diagnose

    if quiet:
        return diagnose(fitted)
    with diagnosing.working(words.say(words.language(), "labels", "measuring")):
        return diagnose(fitted)


def _report(fitted: TableRun, out: Console, *, quiet: bool) -> None:
    """The closing words: a curve, a short table, a sentence."""
    from rich.table import Table
    from rich.text import Text

    r, run = fitted.result, fitted.run
    history = run.history
    if not quiet and not screen.plain() and len(history.training_loss) > 1:
        lines = [("training", screen.TRAINING, history.training_loss.tolist())]
        if r["rows"]["validation"]:
            lines.append(("validation", screen.VALIDATION, history.validation_loss.tolist()))
        out.print()
        out.print(screen.curve(lines, width=max(min(out.width - 14, 72), 20)))
        out.print()
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column(style="dim")
    table.add_column()
    regression = r["task"] == "regression"
    rows = r["rows"][r["measured_on"]]
    named = {"test": "held-out", "validation": "validation", "training": "training"}
    baseline = "the mean" if regression else "the majority class"
    score = "R2" if regression else "accuracy"
    table.add_row(
        score,
        Text.assemble(
            (f"{r['value']:.4f}", "bold green" if r["value"] > r["baseline"] else "bold yellow"),
            f" on {rows:,} {named[r['measured_on']]} rows",
            (f"   {baseline}: {r['baseline']:.4f}", "dim"),
        ),
    )
    if regression:
        table.add_row(
            "error",
            Text.assemble(
                f"{screen.number(r['rmse'])} RMSE, {screen.number(r['mae'])} mean absolute",
                (f"   the mean: {screen.number(r['baseline_rmse'])}", "dim"),
            ),
        )
    table.add_row("model", _model_words(r, run.model))
    for name, loss in r["candidates"].items():
        if name != r["model"]:
            best = r["candidates"][r["model"]]
            against = f"validation loss {best:.4g} against {loss:.4g}"
            table.add_row("", Text(f"better than the {WORDS[name]}: {against}", style="dim"))
    found = " (found)" if fitted.config.learning_rate == "auto" else ""
    rate = screen.number(r["learning_rate"])
    table.add_row("optimizer", f"{fitted.config.optimizer}, learning rate {rate}{found}")
    table.add_row("batches", str(run.plan))
    work = f"{r['steps']:,} steps, {screen.number(r['epochs'])} epochs, {r['rows_seen']:,} rows"
    table.add_row("work", work)
    spent = f"{screen.duration(r['total_seconds'])}, training {screen.duration(r['train_seconds'])}"
    table.add_row("time", f"{spent}, {screen.number(r['rows_per_second'], 3)} rows/s")
    if r["run"]:
        table.add_row("kept in", r["run"])
    out.print(table)
    out.print()
    out.print(Text(r["sentence"]), soft_wrap=True)


def _model_words(result: dict[str, Any], model: Any) -> str:
    layers = (result["features"], *getattr(model, "hidden", ()), model.outputs)
    products = ", products in bfloat16" if result["precision"] == "bfloat16" else ""
    return f"{WORDS[result['model']]}, {' - '.join(str(n) for n in layers)}{products}"


class _Show:
    """Progress on stderr: a bar for each model in training."""

    def __init__(self, *, quiet: bool, timings: Timings | None, tries: bool) -> None:
        self.quiet = quiet
        self.timings = timings
        self.tries = tries
        self.trying = False
        self.guard: terminable | None = None
        self.err = screen.console(stderr=True)
        self.bar: Any = None
        self.task: Any = None

    def remark(self, sentence: str) -> None:
        """Say it at once, however quiet the rest."""
        from rich.text import Text

        self.err.print(Text(sentence, style="yellow"), soft_wrap=True)

    def close(self) -> None:
        """Take the bar down."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def phase(self, name: str) -> None:
        """Note for the timings that something else begins."""
        if self.timings is not None:
            self.timings.begin(name)

    def reading(self, source: str) -> None:
        """Nothing to say yet."""
        self.phase("read")

    def encoding(self) -> None:
        """Nothing to say yet."""
        self.phase("encode")

    def measuring(self) -> None:
        """Nothing more to say."""
        self.phase("measure")

    def writing(self) -> None:
        """Nothing more to say."""
        self.phase("write")

    def encoded(self, encoder: Encoder, rows: dict[str, int]) -> None:
        """Say what the table is and how it was cut."""
        if self.quiet:
            return
        from rich.text import Text

        kind = encoder.task
        if encoder.classes is not None:
            kind += f" into {len(encoder.classes)} classes"
        held = ", ".join(f"{count:,} for {part}" for part, count in rows.items() if count)
        self.err.print(
            Text.assemble(("fallline ", "bold"), f"predicts {encoder.target}: {kind}"),
            soft_wrap=True,
        )
        features = f"{len(encoder.feature_names):,} features"
        self.err.print(Text(f"  {features}; rows: {held}", style="dim"), soft_wrap=True)
        for note in encoder.notes[:8]:
            self.err.print(Text(f"  {note}", style="dim"), soft_wrap=True)
        if len(encoder.notes) > 8:
            more = len(encoder.notes) - 8
            self.err.print(Text(f"  and {more} more notes, in the run's run.json", style="dim"))

    def training(self, name: str, plan: BatchPlan, epochs: int) -> None:
        """Put up a bar."""
        if self.guard is not None:
            # What was trained before is kept, and nothing has been learned since.
            self.guard.grace = AT_ONCE
        self.trying = self.tries
        self.phase("try learning rates" if self.trying else "train")
        if self.quiet:
            return
        from rich.progress import BarColumn, Progress, TextColumn

        self.close()
        self.bar = Progress(
            TextColumn("  {task.description:<8}"),
            BarColumn(bar_width=24, complete_style=screen.TRAINING, finished_style="green"),
            TextColumn("{task.fields[words]}"),
            console=self.err,
            transient=not self.err.is_terminal,
            refresh_per_second=10,
            disable=not self.err.is_terminal,
        )
        self.task = self.bar.add_task(
            name.replace("mlp", "network"), total=epochs, words="compiling ..."
        )
        self.bar.start()

    def progress(self, progress: Progress) -> bool:
        """Move the bar."""
        if self.guard is not None:
            self.guard.grace = GRACE
        if self.trying:
            self.trying = False
            self.phase("train")
        if self.bar is None:
            return False
        p = progress
        validation = f"  validation {screen.number(p.validation_loss)}"
        words = (
            f"epoch {p.epoch:.0f}/{p.epochs:.0f}  loss {screen.number(p.loss)}"
            f"{validation if p.validation_loss == p.validation_loss else ''}"
            f"  {screen.number(p.rows_per_second, 3)} rows/s  at most {p.seconds_left:.0f} s left"
        )
        self.bar.update(self.task, completed=p.epoch, words=words)
        return False

    def trained(self, name: str, run: Run) -> None:
        """Leave the bar as it ended."""
        if self.bar is None:
            return
        epochs = screen.number(run.epochs)
        self.bar.update(
            self.task,
            completed=run.epochs,
            total=run.epochs,
            words=f"{epochs} epochs in {screen.duration(run.seconds)}: {run.stop.reason}",
        )
        self.close()
