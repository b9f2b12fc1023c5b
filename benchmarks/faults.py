"""Faults on purpose: what a run ends with, and whether it goes on to the very same bits.

python -m benchmarks.faults [--quick] [--only NAME] [--processes 2] [--out FILE.json]

Processes of `fallline fit` are killed, asked to end, frozen, and robbed of their disk, their table and
their checkpoints, at moments spread over the whole run; then they are resumed by the words they were
started with. A fault is passed if everything had ended within a bounded time, with the code and the
sentence that belong to it, and if the resumed run ended with the parameters, the history and the result of
the run that nothing happened to, bit by bit. The table is adult.csv where FALLLINE_DATA has it, a made one
otherwise. Small disks need root, and are left out without it.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from benchmarks.facts import facts
from benchmarks.faulting import disk, several, single
from benchmarks.faulting.place import Place
from benchmarks.real import Skipped, real_table
from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.faulting.place import Outcome


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One kind of fault.

    Attributes:
        name: unique; ``--only`` takes a part of it.
        run: makes the fault happen once, at a moment given by a number in [0, 1).
        times: how often it is tried; ``quick`` times with ``--quick``.
        processes: how many work together.
        quick: as said.
    """

    name: str
    run: Callable[[Place, random.Random, float], Outcome]
    times: int
    processes: int = 1
    quick: int = 1


_ONE = (
    Scenario("kill -9", single.at_random(signal.SIGKILL, {-9, 0}), 50, quick=3),
    Scenario("kill -9 in a checkpoint", single.while_writing("writing a checkpoint"), 6),
    Scenario("kill -9 in the result", single.while_writing("writing the result"), 4),
    Scenario("kill -9 three times", single.again_and_again, 3),
    # Before Python has started, a process ends by a signal as any other.
    Scenario("SIGTERM", single.at_random(signal.SIGTERM, {75, 0, -15}), 12, quick=2),
    Scenario("SIGINT", single.at_random(signal.SIGINT, {130, 0, -2}), 6),
    Scenario("frozen for 2 s", single.frozen, 4),
    Scenario("damaged checkpoint", single.damaged_checkpoint, 10),
    Scenario("damaged run.json", single.damaged_facts, 3),
    Scenario("damaged table", single.damaged_table, 2),
    Scenario("full disk", disk.full_disk, 4, quick=2),
    Scenario("read error", disk.unreadable_disk, 1),
)
_TWO = (
    *(
        Scenario(f"{what} process {rank}", several.strike(number, rank), times, 2)
        for what, number, times in (
            ("kill -9 of", signal.SIGKILL, 5),
            ("frozen", signal.SIGSTOP, 2),
            ("stuck in Python:", signal.SIGUSR1, 2),
        )
        for rank in (0, 1)
    ),
    Scenario("SIGTERM to two", several.asked_to_end, 4, 2),
    Scenario("late process", several.late, 1, 2),
    Scenario("absent process", several.never, 2, 2),
)
SCENARIOS = (*_ONE, *_TWO)


def table() -> tuple[Path, str]:
    """The table to train on and its target."""
    try:
        return real_table("adult.csv"), "income"
    except Skipped as missing:
        print(f"A made table stands in: {missing}.")
    chance = np.random.default_rng(0)
    x = chance.normal(size=(32_000, 12))
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] > 0
    path = Path(tempfile.mkdtemp(prefix="fallline-faults-")) / "made.csv"
    names = {f"x{i}": column for i, column in enumerate(x.T)}
    pl.DataFrame({**names, "y": np.where(y, "up", "down")}).write_csv(path)
    return path, "y"


def row(scenario: Scenario, outcomes: list[Outcome]) -> dict[str, Any]:
    """What came of one kind of fault."""
    codes = collections.Counter(code for outcome in outcomes for code in outcome.codes)
    sentences = collections.Counter(o.sentence for o in outcomes if o.sentence)
    return {
        "fault": scenario.name,
        "processes": scenario.processes,
        "tried": len(outcomes),
        "identical": sum(outcome.identical for outcome in outcomes),
        "passed": sum(not outcome.trouble for outcome in outcomes),
        "ended_within": max((o.seconds for o in outcomes), default=0.0),
        "recovery": float(np.median([o.recovery for o in outcomes if o.recovery] or [0.0])),
        "codes": {str(code): count for code, count in sorted(codes.items())},
        "moments": dict(collections.Counter(outcome.moment for outcome in outcomes)),
        "sentence": sentences.most_common(1)[0][0] if sentences else "",
        "sentences": sorted(sentences),
        "troubles": [f"{o.moment}: {o.trouble}" for o in outcomes if o.trouble],
    }


def markdown(rows: list[dict[str, Any]]) -> str:
    """The rows as a table."""
    head = "fault | tried | bit-identical | ended within | codes | moments | sentence"
    lines = [f"| {head} |", "|" + " --- |" * (head.count("|") + 1)]
    for r in rows:
        codes = ", ".join(f"{code} ({count})" for code, count in r["codes"].items())
        moments = ", ".join(f"{moment} {count}" for moment, count in r["moments"].items())
        cells = [
            r["fault"],
            r["tried"],
            f"{r['identical']}/{r['tried']}",
            f"{r['ended_within']:.1f} s",
            codes,
            moments,
            r["sentence"] or "-",
        ]
        lines.append("| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |")
    return "\n".join(lines)


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="each fault once or twice")
    parser.add_argument("--only", action="append", default=[], help="a part of a fault's name")
    parser.add_argument(
        "--processes", type=int, default=1, help="2 tries those of two processes instead"
    )
    parser.add_argument("--stream", action="store_true", help="one process streams its table too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a file for the numbers")
    parser.add_argument("--list", action="store_true", help="name the faults")
    return parser.parse_args(arguments)


def keep(path: Path | None, place: Place, rows: list[dict[str, Any]], seed: int) -> None:
    """Write the rows beside those of other numbers of processes."""
    if path is None:
        return
    told = json.loads(path.read_text()) if path.exists() else {"rows": []}
    names = {r["fault"] for r in rows}
    others = [r for r in told["rows"] if r["fault"] not in names]
    order = [s.name for s in SCENARIOS]
    kept = sorted([*others, *rows], key=lambda r: order.index(r["fault"]))
    about = {**facts(), "run_seconds": place.lasts, "seed": seed}
    path.write_text(json.dumps({"facts": about, "rows": kept}, indent=1, ensure_ascii=False) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the faults happen; 1 if anything was not as it should be."""
    asked = _asked(arguments)
    chosen = [
        s
        for s in SCENARIOS
        if s.processes == asked.processes
        and (not asked.only or any(part.lower() in s.name.lower() for part in asked.only))
    ]
    if asked.list:
        print("\n".join(scenario.name for scenario in chosen))
        return 0
    rows: list[dict[str, Any]] = []
    stream = ["--stream"] if asked.stream or asked.processes > 1 else []
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="fallline-faults-") as folder:
        place = Place.make(Path(folder) / "place", *table(), asked.processes, *stream)
        print(f"Undisturbed, a run takes {place.lasts:.1f} s.", flush=True)
        for scenario in chosen:
            times = scenario.quick if asked.quick else scenario.times
            chance = random.Random(f"{asked.seed} {scenario.name}")
            outcomes: list[Outcome] = []
            try:
                for i in range(times):
                    # One moment in each of as many equal parts of the run.
                    part = (i + chance.random()) / times
                    outcomes.append(scenario.run(place, chance, part))
            except Skipped as reason:
                print(f"{scenario.name} is left out: {reason}.", flush=True)
                continue
            rows.append(row(scenario, outcomes))
            keep(asked.out, place, rows, asked.seed)
            said = f"{scenario.name}: {rows[-1]['passed']} of {times} as they should be"
            print(said, *rows[-1]["troubles"], sep="\n  ", flush=True)
    print(f"\n{markdown(rows)}\n\nIn all {time.perf_counter() - began:.0f} s.")
    return int(any(r["passed"] < r["tried"] for r in rows))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FalllineError as error:
        sys.exit(str(error))
