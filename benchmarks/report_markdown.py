"""The tables of ``targets.json`` as Markdown.

python -m benchmarks.report_markdown FOLDER
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import panels, report
from fallline.errors import FalllineError
from fallline.store import files

if TYPE_CHECKING:
    from collections.abc import Iterable

HEADS = (
    "workload",
    "contender",
    "median",
    "a step",
    "times longer",
    "target",
    "",
    "share of the limit",
)


def markdown(entries: list[dict[str, Any]]) -> str:
    """When and where, the limits, and every workload beside its peers.

    Args:
        entries: of ``targets.json``.
    """
    limits = entries[-1]["limits"]
    said = ", ".join(
        f"{name} {value:.3g} {'GFLOP/s' if name.startswith('sgemm') else 'GB/s'}"
        for name, value in limits.items()
        if name != "how"
    )
    rows = [_row(entry, lane) for entry in entries for lane in entry["contenders"]]
    where = panels.source(entries).replace("\n", "  \n")
    return "\n".join(
        [
            where,
            "",
            f"Limits by threads: {said}.",
            "",
            _line(HEADS),
            "|---" * len(HEADS) + "|",
            *rows,
        ]
    )


def _row(entry: dict[str, Any], lane: dict[str, Any]) -> str:
    ratio, target, said = lane.get("ratio"), lane.get("target"), report.verdict(lane)
    spread = (
        ""
        if ratio is None
        else f"{ratio:.2f}x ({lane['ratio_low']:.2f} - {lane['ratio_high']:.2f})"
    )
    return _line(
        (
            entry["name"] if lane["state"] == "ours" else "",
            report.title(lane),
            report.duration(lane.get("median")),
            report.duration(lane.get("step_seconds")),
            spread,
            "" if target is None else f"{target:g}x",
            f"**{said}**" if said.startswith("missed") else said,
            report.share(entry, lane),
        )
    )


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where targets.json is")
    path = parser.parse_args().folder / "targets.json"
    try:
        entries = list(files.from_json(files.read(path), path)["workloads"].values())
    except FalllineError as error:
        parser.error(str(error))
    if not entries:
        parser.error(f"{path} holds no workloads yet.")
    print(markdown(entries))


if __name__ == "__main__":
    main()
