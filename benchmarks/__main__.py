"""Every workload beside its peers, in one command; see `EXAMPLES`."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from benchmarks import report
from benchmarks.facts import facts
from benchmarks.harness import measure
from benchmarks.real import Skipped
from fallline.errors import FalllineError
from fallline.store import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.harness import Workload

EXAMPLES = """examples:
  python -m benchmarks --list                       what there is
  python -m benchmarks --quick                      a few of each kind, tiny, to see that they run
  python -m benchmarks "linear, batch 1" "mlp 784"   workloads whose names contain one of these
  python -m benchmarks --rounds 7 --out benchmarks/results   the numbers for the record, and the figure

FALLLINE_DATA names the folder with real tables; what needs them is left out without it. Peers come with
pip install 'fallline[bench]', and torch if it is there."""


def main(
    arguments: Sequence[str] | None = None,
    found: Callable[[bool], Iterable[tuple[str, Callable[[], Workload]]]] | None = None,
    limits: Callable[[bool], dict[str, Any]] | None = None,
) -> int:
    """Run what was asked for.

    Args:
        arguments: of the command line; the process's own by default.
        found: where workloads come from; `benchmarks.workloads.workloads` by default.
        limits: measures the machine; `benchmarks.limits.limits` by default.

    Returns:
        0, or 1 if a workload or a contender failed.
    """
    asked = _parser().parse_args(arguments)
    show = Console(width=None if sys.stdout.isatty() else 190)
    if found is None:
        from benchmarks.workloads import workloads as found
    parts = [part.lower() for part in asked.parts]
    chosen = [
        (name, make)
        for name, make in found(asked.quick)
        if not parts or any(part in name.lower() for part in parts)
    ]
    if asked.list:
        for name, _ in chosen:
            show.print(name, markup=False, highlight=False)
        return 0
    if not chosen:
        print("No workload has such a name; --list shows those there are.", file=sys.stderr)
        return 2
    if limits is None:
        from benchmarks.limits import limits
    rounds = asked.rounds or (1 if asked.quick else 5)
    began = time.perf_counter()
    try:
        if asked.out is not None:
            save([], asked.out)
        outcome = _run(chosen, rounds, asked.quick, limits, asked.out)
        if asked.out is not None and outcome.entries:
            from benchmarks import picture

            picture.save(asked.out)
    except FalllineError as error:
        print(error, file=sys.stderr)
        return 2
    _tell(outcome, show)
    seconds = f"{time.perf_counter() - began:.0f} s, {sum(os.times()[:4]):.0f} s of processor time"
    count = len(outcome.entries)
    show.print(f"{count} workload{'' if count == 1 else 's'} in {seconds}.", highlight=False)
    return 1 if outcome.failed else 0


def _tell(outcome: _Outcome, show: Console) -> None:
    show.print(report.facts_line(facts()), highlight=False, markup=False)
    if outcome.entries:
        show.print(report.limits_table(outcome.entries[0]["limits"]))
        show.print(report.targets_table(outcome.entries))
    for said, style, reasons in (
        ("left out", "yellow", outcome.left_out),
        ("failed", "bold red", outcome.failed),
    ):
        for name, why in reasons.items():
            show.print(f"[{style}]{said}[/] {escape(name)}: {escape(why)}", highlight=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure Fallline beside its peers: the same data, initial weights and updates.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="NAME-PART", help="only workloads named so")
    parser.add_argument("--quick", action="store_true", help="less work, for seeing that it runs")
    parser.add_argument("--rounds", type=_positive, metavar="N", help="5 by default, 1 if quick")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for targets.json and figures")
    parser.add_argument("--list", action="store_true", help="the workloads' names; fewer if quick")
    return parser


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number of rounds from 1 on, not {text!r}")
    return int(text)


@dataclasses.dataclass
class _Outcome:
    """What was measured, and what was not, with the reasons."""

    entries: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    failed: dict[str, str] = dataclasses.field(default_factory=dict)
    left_out: dict[str, str] = dataclasses.field(default_factory=dict)


def _run(
    chosen: list[tuple[str, Callable[[], Workload]]],
    rounds: int,
    quick: bool,
    limits: Callable[[bool], dict[str, Any]],
    folder: Path | None,
) -> _Outcome:
    """Measure one workload after the other; where one fails, the others go on."""
    outcome, progress = _Outcome(), Console(stderr=True)
    with progress.status("measuring the machine's limits") as status:
        machine = limits(quick)
        for number, (name, make) in enumerate(chosen, 1):
            place, began = f"{number}/{len(chosen)} {name}", time.perf_counter()

            def say(text: str, place: str = place) -> None:
                status.update(escape(f"{place}: {text}"))

            say("making data")
            try:
                workload = make()
                if quick:
                    workload.targets = {}  # with so little work they say nothing
                entry = measure(workload, rounds, say)
            except Skipped as reason:
                outcome.left_out[name] = str(reason)
            except Exception as error:
                outcome.failed[name] = f"{type(error).__name__}: {error}"
            else:
                entry |= {**facts(), "limits": machine, "quick": quick}
                outcome.entries.append(entry)
                for lane in entry["contenders"]:
                    if lane["state"] == "failed":
                        outcome.failed[f"{name}, {report.title(lane)}"] = lane["why"]
                if folder is not None:
                    save([entry], folder)
            took = report.duration(time.perf_counter() - began)
            progress.print(f"{place}: {took}", markup=False, highlight=False)
    return outcome


def save(entries: list[dict[str, Any]], folder: Path) -> None:
    """Write ``targets.json``; workloads that did not run this time keep their earlier entry.

    Args:
        entries: with their facts.
        folder: made if it is not there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.unwritable(folder, error) from None
    path = folder / "targets.json"
    kept = files.from_json(files.read(path), path)["workloads"] if path.exists() else {}
    kept |= {entry["name"]: entry for entry in entries}
    files.write(path, files.to_json({"workloads": kept}))


if __name__ == "__main__":
    sys.exit(main())
