"""Where the seconds of a command go: a clock for its phases, with compilation apart."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fallline.cli import BEGAN, screen

if TYPE_CHECKING:
    from rich.table import Table


class Timings:
    """The phases of a process in turn, from the first line of Fallline on."""

    def __init__(self, first: str) -> None:
        """Start with the phase that has been running since Fallline was first imported."""
        from jax import monitoring

        self._began = [(first, BEGAN)]
        self._compiling: list[tuple[float, float]] = []
        monitoring.register_event_time_span_listener(self._heard)

    def _heard(self, event: str, start_time: float, end_time: float, **about: Any) -> None:
        if event.startswith("/jax/core/compile/"):
            self._compiling.append((start_time, end_time))

    def begin(self, phase: str) -> None:
        """The phase before ends, and this one begins."""
        self._began.append((phase, time.time()))

    def seconds(self) -> dict[str, float]:
        """Phase -> seconds, compilation taken out of each and given at ``"compile"``.

        Compiling is tracing, lowering and XLA, or reading the program that an earlier process kept.
        """
        spans: list[tuple[float, float]] = []
        for begin, end in sorted(self._compiling):
            # Functions traced inside of others report for themselves, too.
            begin = max(begin, spans[-1][1]) if spans else begin
            if begin < end:
                spans.append((begin, end))
        ends = [began for _, began in self._began[1:]] + [time.time()]
        found = {"compile": 0.0}
        for (phase, begin), end in zip(self._began, ends, strict=True):
            inside = sum(max(min(end, e) - max(begin, b), 0.0) for b, e in spans)
            found[phase] = found.get(phase, 0.0) + end - begin - inside
            found["compile"] += inside
        return found

    def table(self) -> Table:
        """The seconds and their shares, for the terminal."""
        from rich.table import Table

        found = self.seconds()
        total = sum(found.values())
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
        table.add_column(style="dim")
        table.add_column(justify="right")
        table.add_column(justify="right", style="dim")
        for phase, seconds in [*found.items(), ("in all", total)]:
            table.add_row(phase, screen.duration(seconds), f"{seconds / total:.0%}")
        return table
