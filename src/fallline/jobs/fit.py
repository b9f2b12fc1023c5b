"""Fit: read a table, encode it, train, measure on held-out rows, keep everything."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline import losses, models
from fallline.data.encode import learn
from fallline.data.readers import read_table
from fallline.data.split import split
from fallline.descent import batches, stopping
from fallline.descent.signals import ASKED_TO_STOP
from fallline.descent.train import train
from fallline.errors import FalllineError
from fallline.jobs import measure
from fallline.jobs.config import FitConfig, path_of
from fallline.jobs.result import TableRun
from fallline.store.files import UnwritableError
from fallline.store.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fallline.data.encode import Encoder
    from fallline.data.table import Table
    from fallline.descent.batches import BatchPlan
    from fallline.descent.crew import Crew
    from fallline.descent.run import Progress, Run, Snapshot
    from fallline.descent.sharded import Costs

CHECKPOINT_SECONDS = 5.0


class Reporter:
    """What a fit tells while it works; each method may be overridden, none needs to be."""

    def reading(self, source: str) -> None:
        """The table is about to be read."""

    def scanning(self, done: int, rows: int) -> None:
        """A table that is streamed is passed over for the first time; so many of its rows are done."""

    def encoding(self) -> None:
        """The table has been read; its columns become numbers."""

    def encoded(self, encoder: Encoder, rows: dict[str, int]) -> None:
        """The table has become numbers; ``rows`` counts training, validation and test rows."""

    def training(self, name: str, plan: BatchPlan, epochs: int) -> None:
        """A model is about to be trained."""

    def measured(self, costs: Costs, plan: BatchPlan, crew: Crew) -> None:
        """It is known what a step of several processes costs; training begins."""

    def progress(self, progress: Progress) -> bool | None:
        """Training goes on; True stops it."""

    def trained(self, name: str, run: Run) -> None:
        """A model has been trained."""

    def measuring(self) -> None:
        """Training is over; the predictions are measured."""

    def writing(self) -> None:
        """The run is about to be written."""

    def remark(self, sentence: str) -> None:
        """Something went otherwise than planned, and the run goes on."""


@dataclasses.dataclass(frozen=True)
class Rows:
    """A table cut into rows to train on, to stop by and to measure on, all encoded."""

    encoder: Encoder
    training: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray] | None
    test: tuple[np.ndarray, np.ndarray] | None

    @property
    def counts(self) -> dict[str, int]:
        """How many rows each part has."""
        parts = {"training": self.training, "validation": self.validation, "test": self.test}
        return {name: len(part[0]) if part else 0 for name, part in parts.items()}


def fit(
    data: Any,
    target: str | None = None,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    checkpoint_every: float = CHECKPOINT_SECONDS,
    **options: Any,
) -> TableRun:
    """Train a model on a table: what ``fallline fit`` does, from Python.

    Examples:
        >>> run = fit("digits", model="linear", epochs=20)  # doctest: +SKIP
        >>> run.result["metric"]  # doctest: +SKIP
        'accuracy'

    Args:
        data: a path, the name of a bundled set, a polars or pandas frame, or a dict of columns.
        target: the column to predict; may be left out where the source names it.
        out: the folder to keep the run in; None keeps nothing on disk.
        resume: go on with the unfinished run in ``out``.
        checkpoint_every: seconds between two checkpoints in ``out``.
        options: the fields of `fallline.jobs.config.FitConfig`.

    Returns:
        The run, with the model, its result, and everything that happened.

    Raises:
        FalllineError: in a sentence, for anything that cannot be done.
    """
    named = str(data) if isinstance(data, (str, Path)) else None
    config = FitConfig.from_json({"data": named, "target": target, **options})
    table = None if named is not None else data
    fitted = run_fit(config, table=table, out=out, resume=resume, checkpoint_every=checkpoint_every)
    if fitted.result["stop_reason"] == "terminated":
        # All is kept; the signal was meant for the process, which ends as if this had never listened.
        signal.raise_signal(signal.SIGTERM)
    return fitted


def run_fit(
    config: FitConfig,
    *,
    table: Any = None,
    out: str | Path | None = None,
    resume: bool = False,
    checkpoint_every: float = CHECKPOINT_SECONDS,
    reporter: Reporter | None = None,
    crew: Crew | None = None,
) -> TableRun:
    """Do what a config asks for; see `fit`.

    With a crew, all its processes call this alike; see `fallline.jobs.streamed`.
    """
    began = time.perf_counter()
    stopping.positive("The time between checkpoints", checkpoint_every, zero=True)
    reporter = reporter or Reporter()
    folder = RunFolder(out) if out is not None else None
    if resume and crew is None and folder is not None and (said := folder.mend()):
        reporter.remark(said)
    if crew is not None or streams(config, table, folder if resume else None):
        from fallline.jobs.streamed import run_streamed

        return run_streamed(
            config,
            out=out,
            resume=resume,
            checkpoint_every=checkpoint_every,
            reporter=reporter,
            crew=crew,
        )
    if resume and (folder is None or not folder.exists):
        raise FalllineError(f"There is no run to resume in {out}.")
    source = table if table is not None else config.data
    reporter.reading(str(config.data or "the data frame"))
    read = read_table(source)
    reporter.encoding()
    target = target_of(read, config)
    fingerprint = fingerprint_of(config, read)
    if folder is not None:
        facts = {"config": config.to_json(), "fingerprint": fingerprint}
        if resume:
            require_same(folder, facts)
            folder.sweep()
            folder.mark("running")
        else:
            folder.create(facts)
    names = ["linear", "mlp"] if config.model == "auto" else [config.model]
    runs: dict[str, Run] = {}
    try:
        rows = cut(read, target, config)
        reporter.encoded(rows.encoder, rows.counts)
        prepared = time.perf_counter()
        for name in names:
            runs[name] = train_one(name, rows, config, folder, resume, checkpoint_every, reporter)
            reporter.trained(name, runs[name])
            if runs[name].stop.reason in ASKED_TO_STOP:
                break
    except FalllineError:
        if folder is not None and not resume:
            folder.discard()
        raise
    spent = time.perf_counter() - prepared
    reporter.measuring()
    best = min(runs, key=lambda name: validation_loss(runs[name]))
    interrupted = next((r for r in runs.values() if r.stop.reason in ASKED_TO_STOP), None)
    train_seconds = sum(run.seconds for run in runs.values())
    result = summarise(config, rows, runs, best, train_seconds)
    fitted = TableRun(runs[best], rows.encoder, config, result, folder.path if folder else None)
    # What was trained before an interruption counts too.
    result["total_seconds"] = time.perf_counter() - began + max(train_seconds - spent, 0.0)
    result["run"] = str(folder.path) if folder else None
    if interrupted is not None:
        # The better model so far may be another than the one that was interrupted.
        result["stop_reason"] = interrupted.stop.reason
        result["sentence"] = interrupted.stop.sentence
    if folder is not None:
        reporter.writing()
        if interrupted is not None:
            folder.mark("interrupted")
        else:
            fitted.save(folder)
    return fitted


def streams(config: FitConfig, table: Any = None, folder: RunFolder | None = None) -> bool:
    """Is a table to be read in pieces: because it is asked for, or would not fit into memory?

    The run in ``folder`` goes on as it began: how much memory is free by now must not decide anew.
    """
    if table is not None or config.stream is False or config.data is None:
        if config.stream is True:
            raise FalllineError("Only a table in files can be streamed; name it by its path.")
        if (config.devices or 1) > 1:
            raise FalllineError(
                "Several devices share tables that are streamed: leave out --devices, or stream a table in "
                "files."
            )
        return False
    if folder is not None and folder.exists:
        return bool(folder.facts().get("streamed"))
    if config.stream is True or config.memory is not None or (config.devices or 1) > 1:
        return True
    from fallline.data.weight import weight
    from fallline.memory import free_memory

    size = weight(config.data)
    return size is not None and size > free_memory() / 2


def target_of(table: Table, config: FitConfig) -> str:
    """The target column.

    Raises:
        FalllineError: if neither the user nor the source names one.
    """
    target = config.target or table.target
    if target is None:
        raise FalllineError(unnamed(table.frame.columns, table.source))
    return target


def unnamed(columns: Sequence[str], source: str) -> str:
    """The sentence where nobody names the column to predict."""
    return f"Name the column to predict with --target; {source} has {few(columns)}."


def few(columns: Sequence[str]) -> str:
    """The first dozen columns."""
    return ", ".join(columns[:12]) + (", ..." if len(columns) > 12 else "")


def fingerprint_of(config: FitConfig, table: Table) -> str:
    """What tells the same data from other data: a digest of the files, or of the frame's rows."""
    digest = hashlib.sha256()
    path = path_of(config.data)
    if path is None:
        digest.update(repr(table.frame.schema).encode())
        digest.update(table.frame.hash_rows(seed=0).to_numpy().tobytes())
    for file in (path, path_of(config.test) if isinstance(config.test, str) else None):
        if file is not None:
            with file.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


_BY_DEFAULT = FitConfig().to_json()
_ANYWHERE = ("stream", "memory", "devices")
"""What may differ when a run goes on: it says how the work is done, and not what comes of it."""


def require_same(folder: RunFolder, facts: dict[str, Any]) -> None:
    """Check that a run can go on: the same request on the same data.

    Raises:
        FalllineError: naming the first difference.
    """
    stored = folder.facts()
    if stored.get("status") == "finished":
        raise FalllineError(f"The run in {folder.path} is finished; there is nothing to resume.")
    # An older run does not know of what was added since.
    before, now = ({**_BY_DEFAULT, **f["config"]} for f in (stored, facts))
    differing = [n for n in now if before.get(n) != now[n] and n not in _ANYWHERE]
    if differing:
        name = differing[0]
        raise FalllineError(
            f"The run in {folder.path} was started with {name} = {before.get(name)}, not "
            f"{now[name]}; resume it as it was started, or start another with --out."
        )
    if stored.get("fingerprint") != facts["fingerprint"]:
        raise FalllineError(
            f"The data have changed since the run in {folder.path} was started; start another run "
            "with --out."
        )


def cut(table: Table, target: str, config: FitConfig) -> Rows:
    """Hold out rows, learn the encoding on the training rows, encode all parts."""
    from fallline.data.target import infer_task

    loss = losses.by_name(config.loss) if config.loss else None
    task = config.task
    if task == "auto" and loss is not None:
        task = loss.task
    stratify = None
    if target in table.frame.columns:
        labels = table.frame[target]
        if (task if task != "auto" else infer_task(labels)[0]) == "classification":
            stratify = labels.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    everything = np.arange(table.frame.height)
    training, test = everything, None
    if isinstance(config.test, float) and config.test:
        labels = stratify if stratify is not None else table.frame.height
        training, test = split(labels, config.test, config.seed, purpose="test")
    validation = None
    if config.validation:
        labels = stratify[training] if stratify is not None else len(training)
        kept, held = split(labels, config.validation, config.seed, purpose="validation")
        training, validation = training[kept], training[held]
    encoder = learn(
        table,
        training,
        target,
        task=task,
        standardize_target=loss is None or loss.scale_free,
        drop=config.drop,
    )
    require_task(config, encoder)
    x, y = encoder.features(table), encoder.targets(table)
    if loss is not None and loss.function is losses.poisson and (y < 0).any():
        raise FalllineError(below_zero(target))

    def part(chosen: np.ndarray | None) -> tuple[np.ndarray, np.ndarray] | None:
        return None if chosen is None else (x[chosen], y[chosen])

    held_out = part(test)
    if isinstance(config.test, str):
        other = read_table(config.test, like=table.frame.columns, text=encoder.text_columns)
        held_out = (encoder.features(other), encoder.targets(other))
    return Rows(encoder, (x[training], y[training]), part(validation), held_out)


def require_task(config: FitConfig, encoder: Encoder) -> None:
    """Check that a loss that was asked for is one for the task.

    Raises:
        FalllineError: if it is not.
    """
    if config.loss and losses.by_name(config.loss).task != encoder.task:
        task = losses.by_name(config.loss).task
        raise FalllineError(
            f"The loss {config.loss!r} is for {task}, and the task is {encoder.task}."
        )


def below_zero(target: str) -> str:
    """The sentence for a loss that takes counts."""
    return (
        f"The loss 'poisson' is for counts, and {target!r} has values below 0; choose squared_error or "
        "huber."
    )


def loss_for(config: FitConfig, encoder: Encoder) -> tuple[losses.Loss, int]:
    """The loss and how many outputs a model needs for it.

    Raises:
        FalllineError: if the loss does not fit the number of classes.
    """
    if encoder.task == "regression":
        return losses.by_name(config.loss or "squared_error"), 1
    classes = len(encoder.classes or ())
    name = config.loss or ("binary_cross_entropy" if classes == 2 else "softmax_cross_entropy")
    loss = losses.by_name(name)
    if loss.function is losses.binary_cross_entropy and classes > 2:
        raise FalllineError(
            f"binary_cross_entropy is for two classes, and {encoder.target!r} has {classes}; use "
            "softmax_cross_entropy."
        )
    return loss, 1 if loss.binary and classes == 2 else classes


def model_for(name: str, rows: Rows, config: FitConfig) -> tuple[models.Model, losses.Loss]:
    """The model of a name for some rows, "linear" or a network, and its loss."""
    loss, outputs = loss_for(config, rows.encoder)
    inputs = rows.training[0].shape[1]
    if name == "linear":
        return models.Linear(inputs, outputs), loss
    network = models.MLP(
        inputs,
        config.hidden,
        outputs,
        config.activation,
        config.batch_norm,
        config.dropout,
        config.init,
    )
    return network, loss


def train_one(
    name: str,
    rows: Rows,
    config: FitConfig,
    folder: RunFolder | None,
    resume: bool,
    checkpoint_every: float,
    reporter: Reporter,
) -> Run:
    """Train one model on the encoded rows, from its last checkpoint where there is one."""
    arguments = train_arguments(name, rows, config)
    reporter.training(name, plan_for(rows, config), arguments["epochs"])
    snapshot = None
    if folder is not None and resume:
        found = folder.load_checkpoint(name, reporter.remark)
        if found is not None:
            snapshot, facts = found
            arguments["learning_rate"] = facts.get("learning_rate", arguments["learning_rate"])

    plan = plan_for(rows, config)
    model, loss = arguments["model"], arguments["loss"]
    about = about_training(model, loss, plan, rows.encoder, rows.counts)
    return train(
        **arguments,
        callback=reporter.progress,
        keep=None if folder is None else keeper(folder, name, about, reporter),
        keep_every=checkpoint_every,
        resume=snapshot,
    )


def keeper(
    folder: RunFolder, name: str, about: dict[str, Any], reporter: Reporter
) -> Callable[[Snapshot, float], None]:
    """What writes the checkpoints of a training.

    A full disk does not end it: the older checkpoints are still there, and it is tried again the next time.
    """
    failed = False

    def keep(snapshot: Snapshot, learning_rate: float) -> None:
        nonlocal failed
        try:
            folder.save_checkpoint(name, snapshot, {"learning_rate": learning_rate, **about})
        except UnwritableError as error:
            if not failed:
                kept = folder.checkpoints(name)
                older = f", and {kept[-1].name} is kept" if kept else ""
                reporter.remark(f"{error.fact}. Training goes on{older}; make room.")
            failed = True
        else:
            failed = False

    return keep


def about_training(
    model: models.Model,
    loss: losses.Loss,
    plan: BatchPlan,
    encoder: Encoder,
    rows: dict[str, int],
) -> dict[str, Any]:
    """What is kept with each checkpoint, so that a run under way can be looked at without its data."""
    classes = None if encoder.classes is None else [str(label) for label in encoder.classes]
    return {
        "plan": dataclasses.asdict(plan),
        "model": model.describe(),
        "loss": loss.name,
        "rows": rows,
        "features": len(encoder.feature_names),
        "target": encoder.target,
        "task": encoder.task,
        "classes": classes,
    }


def plan_for(rows: Rows, config: FitConfig) -> BatchPlan:
    """Which rows each step sees."""
    x, _ = rows.training
    return batches.plan(len(x), config.batch_size, columns=x.shape[1], seed=config.seed)


def train_arguments(name: str, rows: Rows, config: FitConfig) -> dict[str, Any]:
    """What `fallline.train` is asked for to train one model, "linear" or "mlp", on the encoded rows."""
    model, loss = model_for(name, rows, config)
    plan = plan_for(rows, config)
    epochs = config.epochs or batches.default_epochs(plan)
    return {
        "model": model,
        "loss": loss,
        "data": rows.training,
        "optimizer": config.make_optimizer(name, epochs * plan.steps, plan.steps),
        "learning_rate": "auto" if config.learning_rate == "auto" else None,
        "batch_size": config.batch_size,
        "epochs": epochs,
        "validation": rows.validation,
        "patience": config.patience,
        "l1": config.l1,
        "l2": config.l2,
        "seed": config.seed,
        "precision": config.precision,
    }


def validation_loss(run: Run) -> float:
    """The best validation loss of a run; infinite if it never had one."""
    values = run.history.validation_loss
    return float(np.min(values, initial=math.inf, where=np.isfinite(values)))


def summarise(
    config: FitConfig, rows: Rows, runs: dict[str, Run], best: str, seconds: float
) -> dict[str, Any]:
    """The result of a fit, as ``--json`` prints it."""
    run, encoder = runs[best], rows.encoder
    x, y = rows.test or rows.validation or rows.training
    predicted = run.predict(x)
    if encoder.task == "regression":
        mean = float(encoder.decode(np.mean(rows.training[1], keepdims=True))[0])
        numbers = measure.regression(encoder.decode(y), encoder.decode(predicted), mean)
    else:
        majority = int(np.bincount(rows.training[1]).argmax())
        numbers = measure.classification(y, predicted, majority)
    return {
        **head_of(encoder),
        **numbers,
        "measured_on": "test" if rows.test else "validation" if rows.validation else "training",
        **facts_of(runs, best, seconds),
        "rows": rows.counts,
        "features": x.shape[1],
        "notes": encoder.notes,
        "run": None,
    }


def head_of(encoder: Encoder) -> dict[str, Any]:
    """What was predicted."""
    return {
        "task": encoder.task,
        "target": encoder.target,
        "classes": None if encoder.classes is None else list(encoder.classes),
        "metric": "r2" if encoder.task == "regression" else "accuracy",
    }


def facts_of(runs: dict[str, Run], best: str, seconds: float) -> dict[str, Any]:
    """What there is to tell of the trainings."""
    run = runs[best]
    return {
        "model": best,
        "candidates": {n: validation_loss(r) for n, r in runs.items()},
        "train_seconds": seconds,
        "total_seconds": seconds,
        "steps": run.steps,
        "epochs": run.epochs,
        "rows_seen": run.rows_seen,
        "rows_per_second": run.rows_seen / max(run.seconds, 1e-9),
        "learning_rate": run.learning_rate,
        "batch_size": run.batch_size,
        "best_epoch": run.best_epoch,
        "loss": run.loss.name if run.loss else None,
        "precision": run.precision,
        "stop_reason": run.stop.reason,
        "sentence": run.stop.sentence,
    }
