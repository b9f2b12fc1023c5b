"""The progress of a fit on the terminal, in a notebook, or in a file."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from fallline.descent.run import Progress, Run

_COLOUR = "#ffb454"
_OFTEN, _SELDOM = 0.1, 60.0
"""Seconds between two moves of a bar; and at most between two lines of a file."""

_one_bar = threading.Lock()
_shown_on: Console | None = None
"""Where a bar stands: of several fits in threads one has it, and others' lines are put above it."""


class Display:
    """What ``verbose`` shows of one fit, on stderr.

    1 is a bar, or where there is no terminal a line now and then, at intervals that double; and a line
    at the end. 2 is a line for every epoch. A call of ``partial_fit`` has one line, from 2 on. In the
    workers of a search, which share one terminal, only the lines at the end are shown.

    Attributes:
        running: is there anything to show before the end?
        every_epoch: must it be told of every epoch?
    """

    def __init__(self, name: str, epochs: int, verbose: int, *, part: bool) -> None:
        self._name, self._epochs, self._part = name, epochs, part
        self._final = verbose >= (2 if part else 1)
        self.every_epoch = verbose >= 2 and not part
        self.running = verbose >= 1 and not part and (self.every_epoch or not _in_worker())
        self._bar: Any = None
        self._moved, self._next_line = 0.0, 1.0
        if self._final:
            self._console = _console()

    def raise_bar(self) -> None:
        """Put up the bar, where one is wanted and can be."""
        global _shown_on
        if not self.running or self.every_epoch or not _can_draw(self._console):
            return
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        if not _one_bar.acquire(blocking=False):
            return
        # In 80 columns the numbers come first.
        wide = self._console.width >= 110
        bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24 if wide else 10, complete_style=_COLOUR, finished_style="green"),
            TextColumn("{task.fields[words]}", markup=False, table_column=Column(no_wrap=True)),
            console=self._console,
            transient=True,
            auto_refresh=False,
        )
        self._bar, _shown_on = bar, self._console
        self._task = bar.add_task(
            self._name if wide else "", total=self._epochs, words="compiling ..."
        )
        bar.start()

    def show(self, progress: Progress, *, closed: bool) -> None:
        """Show how far the fit has come; ``closed`` at the end of an epoch."""
        if not self.running:
            return
        if self.every_epoch:
            if closed:
                self._print(self._words(progress))
        elif self._bar is not None:
            if progress.seconds - self._moved >= _OFTEN:
                self._moved = progress.seconds
                words = self._words(progress).replace(", ", "  ").replace("n loss", "n")
                self._bar.update(self._task, completed=progress.epoch, words=words, refresh=True)
        elif progress.seconds >= self._next_line and not _can_draw(self._console):
            self._next_line = progress.seconds + min(progress.seconds, _SELDOM)
            self._print(self._words(progress))

    def ended(self, run: Run, factor: float, calls: int) -> None:
        """Take the bar down and leave a line.

        Args:
            run: the run.
            factor: brings its losses to the units of the data.
            calls: epochs before this call of ``partial_fit``.
        """
        self.close()
        if not self._final:
            return
        losses = run.history.training_loss, run.history.validation_loss
        found = [float(v[-1]) * factor if len(v) else float("nan") for v in losses]
        if self._part:
            self._print(f"epoch {calls + 1}, {_losses(*found)}{run.seconds:.2f} s")
        else:
            epochs = f"{run.epochs:.4g} epochs" if run.epochs != 1 else "1 epoch"
            spent = f"{epochs} in {run.seconds:.2f} s"
            self._print(f"{_losses(*found)}{spent}. {run.stop.sentence}")

    def close(self) -> None:
        """Take the bar down, whatever happened."""
        global _shown_on
        if self._bar is not None:
            self._bar.stop()
            self._bar, _shown_on = None, None
            _one_bar.release()

    def _words(self, progress: Progress) -> str:
        losses = _losses(progress.loss, progress.validation_loss)
        rate = float(f"{progress.rows_per_second:.3g}")
        return f"epoch {progress.epoch:.0f}/{self._epochs}, {losses}{rate:,.0f} rows/s"

    def _print(self, words: str) -> None:
        # In one piece, so that lines of several fits do not mix.
        console = _shown_on or self._console
        console.print(f"{self._name}: {words}", markup=False, soft_wrap=True)


def _losses(training: float, validation: float) -> str:
    """Losses for a reader; those that there are not are left out."""
    text = f"loss {training:.4g}, " if training == training else ""
    return text + (f"validation loss {validation:.4g}, " if validation == validation else "")


def _console() -> Console:
    """A console on stderr, which respects NO_COLOR."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal and not console.is_jupyter and "COLUMNS" not in os.environ:
        # A file or a pipe has no edge to break lines at.
        console.width = 1000
    return console


def _can_draw(console: Console) -> bool:
    """Can what was drawn be drawn over, as a bar needs it?"""
    if console.is_jupyter:
        return importlib.util.find_spec("ipywidgets") is not None
    return console.is_terminal and not console.is_dumb_terminal


def _in_worker() -> bool:
    """Is this a process that another one started to share its work?"""
    process = multiprocessing.current_process()
    return process.name != "MainProcess" or multiprocessing.parent_process() is not None
