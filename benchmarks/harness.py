"""Side by side: the same work by several contenders, in interleaved rounds, with qualities compared.

A time counts only if the work was as good: a contender whose quality is worse than ours by more than the
workload's tolerance gets no ratio, and where one is better than ours by more than that, it is our time that
does not count.
"""

from __future__ import annotations

import contextlib
import gc
import math
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Contender:
    """One way to do the work.

    Attributes:
        name: such as "scikit-learn SGDRegressor".
        run: does the whole work once, from the same initial weights, and returns its quality, or a function
            that finds it, which is not counted; set-up such as making tensors is outside.
        threads: counts to try where the library can be told; the fastest counts.
        label: shown beside the name, such as "bfloat16".
    """

    name: str
    run: Callable[[], float | Callable[[], float]]
    threads: tuple[int, ...] = (1,)
    label: str = ""


@dataclass
class Workload:
    """The same work for several contenders.

    Attributes:
        name: unique.
        contenders: ours first.
        targets: contender's name -> ratio asked for, its seconds by ours.
        updates: steps done in one run, for the time of a step.
        flops: arithmetic of one run; 0 if not stated.
        bytes: memory moved in one run; 0 if not stated.
        tolerance: relative difference of quality from ours beyond which a time does not count.
        higher_is_better: quality is a score, not a loss.
        note: what was equal, and what could not be.
        ceiling: the measured limit that flops are compared with, "sgemm 1" or "sgemm 2" (threads).
        memory: the measured limit that bytes are compared with, such as "L2 1" or "DRAM 1" (threads).
        share: of the ceiling that is asked for; 0 if none is.
    """

    name: str
    contenders: list[Contender]
    targets: dict[str, float]
    updates: int
    flops: float = 0.0
    bytes: float = 0.0
    tolerance: float = 0.01
    higher_is_better: bool = False
    note: str = ""
    ceiling: str = "sgemm 1"
    memory: str = "DRAM 1"
    share: float = 0.0


@dataclass
class _Lane:
    """What one contender's runs gave."""

    contender: Contender
    threads: int = 1
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    qualities: list[float] = field(default_factory=list)
    state: str = ""
    why: str = ""


def peer(name: str, make: Callable[[], Contender]) -> Contender:
    """A contender that may not be installed: then one that says so when it is run.

    Args:
        name: as in the workload's targets.
        make: imports the library and returns the contender.
    """
    try:
        return make()
    except ImportError as error:
        reason = error

        def run() -> float:
            raise reason

        return Contender(name, run)


def fastest(*variants: Contender) -> Contender:
    """Of several settings of one peer, the one that is fastest here.

    Args:
        variants: contenders of one name, told apart by their labels.
    """
    lanes = [_Lane(variant, variant.threads[0]) for variant in variants]
    _timed(lanes[0])
    return variants[_quickest(lanes)]


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Tell torch, numba and BLAS how many threads to use; XLA's own are fixed when its process starts."""
    torch, numba = sys.modules.get("torch"), sys.modules.get("numba")
    if torch is not None:
        torch.set_num_threads(count)
    if numba is not None:
        numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        yield
    else:
        with threadpool_limits(count):
            yield


def measure(
    workload: Workload, rounds: int = 5, say: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Run a workload.

    Args:
        workload: whose contenders are warmed up first, so that compiling is not counted.
        rounds: each contender runs once a round, one after another, another one first each time.
        say: called with what is being done.

    Returns:
        An entry for ``targets.json``: plain numbers, texts, lists and dictionaries.
    """
    gc.unfreeze()
    _tidy()
    lanes = [_Lane(contender) for contender in workload.contenders]
    for lane in lanes:
        say(f"{lane.contender.name}: warming up")
        _guarded(lane, lambda lane=lane: _prepare(lane))
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        _tidy()
        first = number % len(lanes)
        for lane in lanes[first:] + lanes[:first]:
            if not lane.state:
                _guarded(lane, lambda lane=lane: _count(lane))
    return {
        "name": workload.name,
        "rounds": rounds,
        "updates": workload.updates,
        "flops": workload.flops,
        "bytes": workload.bytes,
        "tolerance": workload.tolerance,
        "higher_is_better": workload.higher_is_better,
        "note": workload.note,
        "ceiling": workload.ceiling,
        "memory": workload.memory,
        "share": workload.share,
        "contenders": _judged(workload, lanes),
    }


def _tidy() -> None:
    """Collect garbage now, so that it need not be in the middle of a run."""
    gc.collect()
    gc.freeze()  # what stays is not looked through again, which takes a seventh of a second each time


def _guarded(lane: _Lane, work: Callable[[], None]) -> None:
    try:
        work()
    except ImportError as error:
        lane.state, lane.why = "missing", str(error)
    except Exception as error:
        text = str(error).strip().splitlines()
        lane.state = "failed"
        lane.why = f"{type(error).__name__}: {text[0] if text else 'no reason given'}"


def _prepare(lane: _Lane) -> None:
    """Warm up, and find the best number of threads."""
    counts = lane.contender.threads
    lane.threads = counts[0]
    _timed(lane)
    if len(counts) > 1:
        lane.threads = counts[_quickest([_Lane(lane.contender, count) for count in counts])]


def _quickest(lanes: list[_Lane]) -> int:
    """The place of the fastest; those that are close to it run again before it is said."""
    took = [_timed(lane)[0] for lane in lanes]
    close = 1.3 * min(took)
    if sum(seconds <= close for seconds in took) > 1:
        for k, lane in enumerate(lanes):
            if took[k] <= close:
                took[k] = min(took[k], _timed(lane)[0])
    return took.index(min(took))


def _count(lane: _Lane) -> None:
    seconds, cpu, quality = _timed(lane)
    lane.seconds.append(seconds)
    lane.cpu_seconds.append(cpu)
    lane.qualities.append(quality)


def _timed(lane: _Lane) -> tuple[float, float, float]:
    """Seconds, processor seconds and quality of one run."""
    with threads(lane.threads):
        # Threads of the library that ran before spin for a while (GNU OpenMP: up to 0.2 s or more).
        time.sleep(0.5)
        cpu, began = time.process_time(), time.perf_counter()
        quality = lane.contender.run()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        return seconds, cpu, float(quality() if callable(quality) else quality)


def _judged(workload: Workload, lanes: list[_Lane]) -> list[dict[str, Any]]:
    """Every contender's numbers, with a ratio where its work was as good as ours."""
    ours = lanes[0]
    own = statistics.median(ours.qualities) if not ours.state else math.nan
    found = [_plain(lane, workload) for lane in lanes]
    if not ours.state:
        ours.state = found[0]["state"] = "ours"
    for lane, entry in zip(lanes[1:], found[1:], strict=True):
        if lane.state:
            continue
        state = compared(entry["quality"], own, workload.tolerance, workload.higher_is_better)
        entry["state"] = state if ours.state == "ours" else "alone"
        if entry["state"] != "equal":
            continue
        ratios = [theirs / mine for theirs, mine in zip(lane.seconds, ours.seconds, strict=True)]
        entry["ratio"] = statistics.median(ratios)
        entry["ratio_low"], entry["ratio_high"] = min(ratios), max(ratios)
        if entry["target"] is not None:
            entry["reached"] = entry["ratio"] >= entry["target"]
    known = {lane.contender.name for lane in lanes}
    for name, target in workload.targets.items():
        if name not in known:
            found.append(
                {"name": name, "state": "missing", "why": "it did not run", "target": target}
            )
    return found


def compared(quality: float, ours: float, tolerance: float, higher_is_better: bool) -> str:
    """Is a quality "equal" to ours, "worse", "better", or is ours no number ("alone")?"""
    if not math.isfinite(ours):
        return "alone"
    if not math.isfinite(quality):
        return "worse"
    difference = (quality - ours) / max(abs(ours), 1e-12)
    if abs(difference) <= tolerance:
        return "equal"
    return "better" if (difference > 0) == higher_is_better else "worse"


def _plain(lane: _Lane, workload: Workload) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": lane.contender.name,
        "label": lane.contender.label,
        "state": lane.state,
        "why": lane.why,
        "target": workload.targets.get(lane.contender.name),
        "ratio": None,
        "reached": None,
    }
    if lane.state:
        return entry
    median = statistics.median(lane.seconds)
    return entry | {
        "quality": statistics.median(lane.qualities),
        "threads": lane.threads,
        "seconds": lane.seconds,
        "cpu_seconds": lane.cpu_seconds,
        "median": median,
        "low": min(lane.seconds),
        "high": max(lane.seconds),
        "step_seconds": median / max(workload.updates, 1),
    }
