"""Train every patient, let the doctor look, and keep what it said, a line of JSON a patient.

python -m benchmarks.doctor [--split test] [--only FAULT] [--prove] [--jobs 2] [--out FOLDER]

Patients who are in the file already are skipped, so an interrupted round goes on where it stopped.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import itertools
import json
import multiprocessing
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.doctor import cases, tables
from benchmarks.doctor.seeing import all_of, see_group
from benchmarks.real import Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.doctor.patient import Patient


def chosen(split: str, only: str, limit: int | None) -> list[Patient]:
    """Those that were asked for, in groups of one shape."""
    found = [
        patient
        for patient in cases.corpus()
        if split in ("all", patient.split) and (not only or (patient.fault or "healthy") == only)
    ]
    return found[:limit]


def said(line: dict[str, Any]) -> str:
    """A line of progress: right or wrong, and what was said."""
    if "skipped" in line or "error" in line:
        return line.get("skipped") or line["error"].strip().splitlines()[-1]
    complaints = [f["name"] for f in line["findings"] if f["complaint"]]
    right = (line["fault"] in complaints) if line["fault"] else not complaints
    wrong = [c for c in complaints if c != line["fault"] and c not in line["also"]]
    mark = "ok" if right and not wrong else "FALSE" if wrong else "MISSED"
    names = ", ".join(f["name"] for f in line["findings"])
    return f"{mark}: {names} ({line['diagnosis_seconds']:.1f} s)"


def main() -> None:
    """Read the command line and see everyone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--split", choices=("dev", "test", "all"), default="all")
    parser.add_argument("--only", default="", metavar="FAULT", help="a finding's name, or healthy")
    parser.add_argument("--prove", action="store_true", help="try the fixes, too")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--limit", type=int, help="patients at most")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), metavar="FOLDER")
    parser.add_argument("--fresh", type=int, default=0, help="added to every seed")
    parser.add_argument("--list", action="store_true", help="only print the names")
    asked = parser.parse_args()
    patients = chosen(asked.split, asked.only, asked.limit)
    if asked.fresh:
        patients = [cases.reseeded(patient, asked.fresh) for patient in patients]
    if asked.list:
        print(*(patient.name for patient in patients), sep="\n")
        return
    try:
        import fallline.diagnosis.doctor  # noqa: F401
    except ImportError as error:
        parser.error(f"there is no doctor here yet: {error}")
    place = asked.out / "doctor.jsonl"
    asked.out.mkdir(parents=True, exist_ok=True)
    lines = place.read_text().splitlines() if place.exists() else []
    done = {json.loads(line)["name"] for line in lines}
    left = [patient for patient in patients if patient.name not in done]
    grouped = [[p.name for p in g] for _, g in itertools.groupby(left, lambda p: p.group)]
    print(f"{len(patients)} patients, {len(left)} left, tables: {_absent()}", file=sys.stderr)
    count = 0
    with place.open("a") as file:
        for line in _seen(grouped, asked.jobs, prove=asked.prove):
            count += 1
            if "skipped" not in line:
                file.write(json.dumps(line) + "\n")
                file.flush()
            print(f"{count}/{len(left)} {line['name']} {said(line)}", file=sys.stderr, flush=True)


def _seen(grouped: list[list[str]], jobs: int, *, prove: bool) -> Iterator[dict[str, Any]]:
    if jobs == 1:
        from fallline.descent.cache import use_compilation_cache

        use_compilation_cache()
        for names in grouped:
            yield from see_group(names, prove=prove)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, context) as pool:
        waiting = [pool.submit(all_of, names, prove) for names in grouped]
        for future in concurrent.futures.as_completed(waiting):
            yield from future.result()


def _absent() -> str:
    absent: list[str] = []
    for name in tables.REAL:
        try:
            tables.raw(name)
        except Skipped:
            absent.append(name)
    return f"without {', '.join(absent)}" if absent else "all there"


if __name__ == "__main__":
    main()
