"""What grows, and who pays: one axis a quantity, one curve a contender; timed by `benchmarks.growth`."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass
class Work:
    """One point of a curve, ready to run.

    Attributes:
        run: does the work once; where only a part of it is to be timed, returns its seconds, a float.
        units: how many of what the axis counts one run does: its seconds are divided by it.
        warm: has it run already while it was made?
        facts: kept in the results beside the point, such as the epochs that were needed.
    """

    run: Callable[[], Any]
    units: float = 1.0
    warm: bool = False
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Curve:
    """One contender.

    Attributes:
        name: such as "scikit-learn Ridge".
        make: from the axis' value to the work; data are made outside the time that counts.
        threads: counts to try where the library can be told; the fastest counts.
        threads_from: the value from which more than the first count is worth a try: of small work, a second
            thread makes a step slower, and on a busy machine a hundred times slower.
        compiles: a first run takes longer than later ones by seconds, so it is never the one that counts.
    """

    name: str
    make: Callable[[int], Work]
    threads: tuple[int, ...] = (1,)
    threads_from: int = 0
    compiles: bool = False


@dataclass
class Axis:
    """One quantity that grows.

    Attributes:
        name: for the command line.
        title: over the panel.
        label: of the horizontal axis.
        unit: of the vertical axis.
        values: from cheap to dear.
        curves: ours first.
        share: of the seconds for a curve, more than 1 where large points matter.
        note: what is done at each point, on equal terms or not.
        crossings: name of one of our curves -> peers whose crossing with it is worth a mark.
    """

    name: str
    title: str
    label: str
    unit: str
    values: Sequence[int]
    curves: list[Curve]
    note: str
    crossings: dict[str, list[str]] = field(default_factory=dict)
    share: float = 1.0


def paced(model: Any, loss: str, data: Any, **options: Any) -> float:
    """Seconds an update of `fallline.train` once it runs, from its callback: no set-up, no compilation."""
    import fallline

    seen: list[tuple[int, float]] = []

    def note(progress: Any) -> None:
        seen.append((progress.step, time.perf_counter()))

    fallline.train(model, loss, data, callback=note, **options)
    (first, began), (last, ended) = seen[0], seen[-1]
    return (ended - began) / (last - first)


def peers(*makers: Callable[[], Curve]) -> list[Curve]:
    """The curves of libraries that are installed; says on stderr which are not."""
    import sys

    found: list[Curve] = []
    for make in makers:
        try:
            found.append(make())
        except ImportError as error:
            print(f"left out: {error}", file=sys.stderr)
    return found
