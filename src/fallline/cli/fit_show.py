"""What ``fallline fit`` shows: a bar while it trains, and closing words."""

from __future__ import annotations

import itertools
import statistics
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from fallline.cli import diagnose as diagnosing
from fallline.cli import screen
from fallline.cli.ending import AT_ONCE, GRACE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from fallline.cli.ending import terminable
    from fallline.cli.timings import Timings
    from fallline.data.encode import Encoder
    from fallline.descent.batches import BatchPlan
    from fallline.descent.crew import Crew
    from fallline.descent.run import Progress, Run, Worker
    from fallline.descent.sharded import Costs
    from fallline.diagnosis.finding import Diagnosis
    from fallline.jobs.result import TableRun

WORDS = {"linear": "linear model", "mlp": "network"}

NARROW = 8
"""Columns that a bar keeps at least."""

SLOW = 1.5
"""A worker is named that is so many times slower than the median."""


def examined(fitted: TableRun, *, quiet: bool) -> Diagnosis:
    """The full diagnosis of a fit, with a sign of life on stderr."""
    from fallline.diagnosis import words
    from fallline.jobs.diagnose import diagnose

    if quiet:
        return diagnose(fitted)
    with diagnosing.working(words.say(words.language(), "labels", "measuring")):
        return diagnose(fitted)


def report(fitted: TableRun, out: Console, *, quiet: bool) -> None:
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
            (f"   {baseline}: {r['baseline']:z.4f}", "dim"),
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
    if r.get("streamed"):
        table.add_row("streamed", _streamed(r["streamed"]))
    work = f"{r['steps']:,} steps, {screen.number(r['epochs'])} epochs, {r['rows_seen']:,} rows"
    table.add_row("work", work)
    spent = f"{screen.duration(r['total_seconds'])}, training {screen.duration(r['train_seconds'])}"
    table.add_row("time", f"{spent}, {screen.number(r['rows_per_second'], 3)} rows/s")
    if r["run"]:
        table.add_row("kept in", r["run"])
    out.print(table)
    out.print()
    out.print(Text(r["sentence"]), soft_wrap=True)


def _streamed(told: dict[str, Any]) -> str:
    """How a table was read that did not come into memory as a whole."""
    if told["blocks"] == 1:
        words = "all rows kept in memory"
    else:
        words = f"{told['blocks']:,} blocks an epoch of {told['rows_a_block']:,} rows"
    devices, processes = told["devices"], told["processes"]
    if processes > 1:
        words += f", {processes:,} workers"
    if devices > processes:
        words += f", {devices:,} devices"
    if told["sync_every"] > 1:
        words += f", averaged every {told['sync_every']:,} steps"
    return words


def _model_words(result: dict[str, Any], model: Any) -> str:
    layers = (result["features"], *getattr(model, "hidden", ()), model.outputs)
    products = ", products in bfloat16" if result["precision"] == "bfloat16" else ""
    return f"{WORDS[result['model']]}, {' - '.join(str(n) for n in layers)}{products}"


def straggler(workers: Sequence[Worker]) -> str:
    """Names the slowest of several workers if it holds up the others, else nothing.

    All wait for the slowest at every step, so it alone decides how fast they are.
    """
    if len(workers) < 2:
        return ""
    slowest = min(workers, key=lambda worker: worker.rows_per_second)
    usual = statistics.median(worker.rows_per_second for worker in workers)
    if not slowest.rows_per_second > 0 or usual <= SLOW * slowest.rows_per_second:
        return ""
    why = ", mostly reading" if slowest.reading_share > 0.5 else ""
    return (
        f"worker {slowest.rank} is the slowest: {_thousands(slowest.rows_per_second)} rows/s{why}"
    )


def _thousands(number: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{screen.number(number / size, 2)}{letter}"
    return screen.number(number, 2)


LOGGED = 60.0
"""Seconds between two lines of progress where there is no terminal for a bar."""


class Show:
    """Progress on stderr: a bar for each model in training."""

    def __init__(
        self, *, quiet: bool, timings: Timings | None, tries: bool, sync_every: int = 1
    ) -> None:
        self.quiet = quiet
        self.sync_every = sync_every
        self.timings = timings
        self.tries = tries
        self.trying = False
        self.guard: terminable | None = None
        self.err = screen.console(stderr=True)
        self.bar: Any = None
        self.task: Any = None
        self.read = ""
        self.rows = 0
        self.told = time.monotonic()
        self.passed: deque[tuple[float, float]] = deque()

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
        """No bar yet; workers that are started again leave one behind."""
        self.close()
        self.phase("read")

    def scanning(self, done: int, rows: int) -> None:
        """A bar for the first pass over a table that is streamed."""
        if self.quiet:
            return
        bar = self.bar or self._put_up("reading", None)
        if rows:
            self.read = f"{done:,} of {rows:,} rows"
            bar.update(self.task, completed=done, total=rows, words=self.read)
        else:
            bar.update(self.task, words="looking at the files ...")

    def encoding(self) -> None:
        """The first pass over a table that is streamed is over; what it held out is encoded."""
        if self.bar is not None:
            self.bar.update(self.task, words="encoding the rows held out ...")
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

        if self.bar is not None:
            self.bar.update(self.task, words=self.read)
            self.close()
        kind = encoder.task
        if encoder.classes is not None:
            kind += f" into {len(encoder.classes)} classes"
        held = ", ".join(f"{count:,} for {part}" for part, count in rows.items() if count)
        self.err.print(
            Text.assemble(
                ("fallline ", "bold"), screen.harmless(f"predicts {encoder.target}: {kind}")
            ),
            soft_wrap=True,
        )
        features = f"{len(encoder.feature_names):,} features"
        self.err.print(Text(f"  {features}; rows: {held}", style="dim"), soft_wrap=True)
        for note in encoder.notes[:8]:
            self.err.print(Text(f"  {screen.harmless(note)}", style="dim"), soft_wrap=True)
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
        self.rows = plan.rows
        self.passed.clear()
        self._put_up(name.replace("mlp", "network"), epochs)

    def _put_up(self, name: str, total: int | None) -> Any:
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
        self.task = self.bar.add_task(name, total=total, words="compiling ...")
        self.bar.start()
        return self.bar

    def measured(self, costs: Costs, plan: BatchPlan, crew: Crew) -> None:
        """Say whether several processes are worth their while."""
        if self.quiet or crew.size == 1:
            return
        from rich.text import Text

        from fallline.scale.estimate import Estimate

        each = costs.communicating / self.sync_every
        found = Estimate(
            workers=crew.size,
            compute_seconds=costs.computing,
            communicate_seconds=each,
            read_seconds=0.0,
            step_seconds=costs.computing + each,
            steps=plan.steps,
            alone_seconds=costs.computing * crew.size,
        )
        style = "dim" if found.pays else "yellow"
        self.err.print(Text(f"  {found.sentence}", style=style), soft_wrap=True)

    def progress(self, progress: Progress) -> bool:
        """Move the bar."""
        if self.guard is not None:
            self.guard.grace = GRACE
        if self.trying:
            self.trying = False
            self.phase("train")
        if self.bar is None:
            return False
        words = self._words(progress)
        self.bar.update(self.task, completed=progress.epoch, words=words)
        now = time.monotonic()
        if not self.err.is_terminal and now - self.told > LOGGED:
            # A log gets a line now and then in place of the bar.
            self.told = now
            self.err.print(f"  {words}", soft_wrap=True, highlight=False, markup=False)
        return False

    def _words(self, p: Progress) -> str:
        """How far training is, as far as it fits beside a bar; what matters least goes first."""
        rate, seconds = self._pace(p)
        left = f"{seconds:.0f} s" if seconds < 120 else screen.duration(seconds)
        words = [
            f"epoch {p.epoch:.0f}/{p.epochs:.0f}  loss {screen.number(p.loss)}",
            f"validation {screen.number(p.validation_loss)}",
            f"{screen.number(rate, 3)} rows/s",
            f"at most {left} left",
            f"{len(p.workers)} workers",
            straggler(p.workers),
        ]
        shown = [True, p.validation_loss == p.validation_loss, True, True, bool(p.workers)]
        shown.append(bool(words[-1]))
        room = self.err.width - len("  reading   ") - NARROW
        for least in (4, 2, 1):
            if len("  ".join(itertools.compress(words, shown))) > room:
                shown[least] = False
        return "  ".join(itertools.compress(words, shown))

    def _pace(self, p: Progress) -> tuple[float, float]:
        """Rows a second and seconds left, by the later half of the training so far.

        Of a table that is streamed, one call has its rows at hand and the next one waits for them.
        """
        self.passed.append((p.seconds, p.epoch))
        half = (self.passed[0][0] + p.seconds) / 2
        while len(self.passed) > 2 and self.passed[1][0] <= half:
            self.passed.popleft()
        since, before = self.passed[0]
        if p.epoch <= before or p.seconds <= since:
            return p.rows_per_second, p.seconds_left
        rate = (p.epoch - before) / (p.seconds - since)
        return rate * self.rows, (p.epochs - p.epoch) / rate

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
