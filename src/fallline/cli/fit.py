"""``fallline fit``: train a model on a table."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from fallline.cli import diagnose as diagnosing
from fallline.cli import fit_show, scaling, screen, supervise
from fallline.cli.ending import GRACE, TRY_AGAIN, Terminated, terminable

if TYPE_CHECKING:
    from fallline.descent.crew import Crew
    from fallline.jobs.config import FitConfig
    from fallline.jobs.fit import Reporter

EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "fallline fit digits\n\n"
    "fallline fit sales.csv --target revenue\n\n"
    "fallline fit sales.parquet --target churned --model mlp --hidden 256,128 --batch-norm\n\n"
    "fallline fit train.csv --target y --test held_out.csv --json\n\n"
    "fallline fit sales.csv --target revenue --out runs/sales --resume\n\n"
    "fallline fit 'sales/*.parquet' --target revenue --memory 1GB\n\n"
    "srun fallline fit 'sales/*.parquet' --target revenue --out runs/sales --distributed auto"
)
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
    stream: scaling.Stream = None,
    memory: scaling.Memory = None,
    devices: scaling.Devices = None,
    shards: scaling.Shards = 8,
    sync_every: scaling.SyncEvery = 1,
    distributed: scaling.Distributed = "none",
    coordinator: scaling.Coordinator = None,
    num_processes: scaling.NumProcesses = None,
    process_id: scaling.ProcessId = None,
    heartbeat: scaling.Heartbeat = 10.0,
    engine: scaling.Engine = None,
    address: scaling.Address = None,
    workers: scaling.Workers = None,
) -> None:
    """Train a model on a table: read, encode, train, measure on held-out rows, keep the run."""
    from fallline.cli import places
    from fallline.errors import FalllineError
    from fallline.jobs.config import FitConfig, parse_hidden, parse_number_or_word, parse_patience

    asked = scaling.Asked(
        distributed, coordinator, num_processes, process_id, heartbeat, engine, address, workers
    )
    place = asked.place()
    if place is not None and not supervise.supervised():
        raise typer.Exit(supervise.supervise(place.process))
    if place is not None:
        supervise.settle()
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
            stream="auto" if stream is None else stream,
            memory=scaling.parse_size(memory),
            shards=shards,
            sync_every=sync_every,
            devices=devices,
        ).with_set(set_ or [])
        out = places.folder_for(data, out, resume=resume)
    with scaling.taking_part(asked, place, config) as crew:
        if crew is not None:
            out, resume = scaling.as_the_first(crew, out, resume)
        _train(
            asked,
            config,
            crew,
            out=out,
            resume=resume,
            checkpoint_every=checkpoint_every,
            quiet=quiet,
            json=json,
            timings=timings,
            diagnose=diagnose,
        )


def _train(
    asked: scaling.Asked,
    config: FitConfig,
    crew: Crew | None,
    *,
    out: Path,
    resume: bool,
    checkpoint_every: float,
    quiet: bool,
    json: bool,
    timings: bool,
    diagnose: bool,
) -> None:
    """Train, and say what came of it; of several processes only the first one speaks."""
    from fallline.cli.timings import Timings
    from fallline.descent.cache import use_compilation_cache

    speaks = crew is None or crew.leads
    clock = Timings("start and imports") if timings else None
    show = fit_show.Show(
        quiet=quiet or json or not speaks,
        timings=clock,
        tries=config.learning_rate == "auto",
        sync_every=config.sync_every,
    )
    reporter = cast("Reporter", show)
    show.guard = terminable(lambda: _go_on("Asked to end (SIGTERM).", out))
    if not speaks:
        # Nothing is told to it of the training, which it ends together with the others.
        show.guard.grace = GRACE
    try:
        with show.guard:
            use_compilation_cache()
            fitted = scaling.trained(
                asked,
                config,
                crew,
                out=out,
                resume=resume,
                checkpoint_every=checkpoint_every,
                reporter=reporter,
            )
    except Terminated:
        show.close()
        if speaks:
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
        if speaks and (out / "run.json").is_file():
            screen.remark(_go_on("Interrupted.", out))
        raise typer.Exit(130) from None
    finally:
        show.close()
    code = {"interrupted": 130, "terminated": TRY_AGAIN}.get(fitted.result["stop_reason"], 0)
    if not speaks:
        raise typer.Exit(code)
    examine = diagnose and code != TRY_AGAIN
    examined = fit_show.examined(fitted, quiet=quiet or json) if examine else None
    if json:
        from fallline.store.files import to_json

        spent = {"timings": show.timings.seconds()} if show.timings else {}
        said = {"diagnosis": examined.to_json()} if examined else {}
        typer.echo(to_json({**fitted.result, **spent, **said}).decode(), nl=False)
    else:
        console = screen.console()
        fit_show.report(fitted, console, quiet=quiet)
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
