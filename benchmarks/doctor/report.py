"""Recall and precision per verdict, false alarms, what the fixes do, and every failure by its name.

python -m benchmarks.doctor.report FOLDER [--split test]

Reads ``doctor.jsonl``, prints Markdown, writes ``doctor.json`` and draws ``doctor.svg`` and its kin.
"""

from __future__ import annotations

import argparse
import collections
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.doctor import picture
from benchmarks.facts import facts
from fallline.store import files

TARGETS = {"recall": 0.95, "precision": 0.95, "false_alarms": 0.02, "proven": 0.95}

HEADS = (
    "verdict",
    "planted",
    "found",
    "recall",
    "true besides",
    "false",
    "precision",
    "fixes that help",
)
"""Besides: said of a run with another fault, of which it is true as well; see ``also``."""


def complaints(line: dict[str, Any]) -> list[str]:
    """The names of what was complained of, the gravest first."""
    return [f["name"] for f in line.get("findings", ()) if f["complaint"]]


def unfounded(line: dict[str, Any]) -> list[str]:
    """Complaints that are neither the planted fault nor otherwise true of the run."""
    return [c for c in complaints(line) if c != line["fault"] and c not in line["also"]]


def summary(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """All that is reported of some patients.

    Returns:
        ``verdicts`` (a row each), the totals, the ``confusion`` of the planted with the first complaint,
        and ``failures``.
    """
    faults = sorted({line["fault"] for line in lines if line["fault"]})
    said = {name for line in lines for name in complaints(line)}
    rows = [_row(name, lines) for name in sorted({*faults, *said})]
    healthy = [line for line in lines if not line["fault"]]
    alarms = [line for line in healthy if unfounded(line)]
    planted = [line for line in lines if line["fault"]]
    found = sum(line["fault"] in complaints(line) for line in planted)
    right = found + sum(row["true_besides"] for row in rows)
    wrong = sum(row["false"] for row in rows)
    tried = [row["tried"] for row in rows]
    helped = [row["helped"] for row in rows]
    confusion: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for line in lines:
        first = (complaints(line) or ["healthy"])[0]
        confusion[line["fault"] or "healthy"][first] += 1
    seconds = [line["diagnosis_seconds"] for line in lines if "diagnosis_seconds" in line]
    return {
        "runs": len(lines),
        "healthy": len(healthy),
        "verdicts": rows,
        "recall": _share(found, len(planted)),
        "mean_recall": _mean([row["recall"] for row in rows]),
        "headline": _share(sum(complaints(x)[:1] == [x["fault"]] for x in planted), len(planted)),
        "precision": _share(right, right + wrong),
        "mean_precision": _mean([row["precision"] for row in rows]),
        "false_alarms": _share(len(alarms), len(healthy)),
        "proven": _share(sum(helped), sum(tried)),
        "tried": sum(tried),
        "errors": sum("error" in line for line in lines),
        "seconds": {
            "median": float(np.median(seconds)) if seconds else None,
            "most": max(seconds, default=None),
        },
        "confusion": {name: dict(count) for name, count in confusion.items()},
        "failures": [_failure(line) for line in lines if _failed(line)],
    }


def _row(name: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    planted = [line for line in lines if line["fault"] == name]
    found = sum(name in complaints(line) for line in planted)
    besides = sum(name in complaints(x) and name in x["also"] for x in lines if x["fault"] != name)
    false = sum(name in unfounded(line) for line in lines)
    proofs = [
        f["proven"]
        for line in lines
        for f in line.get("findings", ())
        if f["name"] == name and f["complaint"] and f.get("proven") and line["fault"] == name
    ]
    withdrawn = sum(name in line.get("withdrawn", ()) for line in planted)
    helped = sum(bool(proof["helped"]) for proof in proofs)
    return {
        "name": name,
        "planted": len(planted),
        "found": found,
        "recall": _share(found, len(planted)),
        "true_besides": besides,
        "false": false,
        "precision": _share(found + besides, found + besides + false),
        "tried": len(proofs) + withdrawn,
        "helped": helped,
    }


def _failed(line: dict[str, Any]) -> bool:
    missed = line["fault"] is not None and line["fault"] not in complaints(line)
    return "error" in line or missed or bool(unfounded(line))


def _failure(line: dict[str, Any]) -> dict[str, Any]:
    error = line.get("error", "").strip().splitlines()
    return {
        "name": line["name"],
        "planted": line["fault"],
        "said": [f["name"] for f in line.get("findings", ())],
        "unfounded": unfounded(line),
        "error": error[-1] if error else None,
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def markdown(result: dict[str, Any]) -> str:
    """The totals against their targets, the table of verdicts, and the failures."""
    lines = [
        f"{result['runs']} runs, {result['healthy']} of them healthy; {result['split']}.",
        "",
        "| | reached | target |",
        "|---|---|---|",
        f"| recall | {_percent(result['recall'])} | ≥ 95 % |",
        f"| precision | {_percent(result['precision'])} | ≥ 95 % |",
        f"| healthy runs with a complaint | {_percent(result['false_alarms'])} | ≤ 2 % |",
        f"| fixes tried that help | {_percent(result['proven'])} | ≥ 95 % |",
        f"| the planted fault named first | {_percent(result['headline'])} | |",
        "",
        "| " + " | ".join(HEADS) + " |",
        "|---" * len(HEADS) + "|",
    ]
    for row in result["verdicts"]:
        proof = f"{row['helped']} of {row['tried']}" if row["tried"] else ""
        cells = (row["name"], row["planted"], row["found"], _percent(row["recall"]))
        cells += (row["true_besides"], row["false"])
        lines.append(
            "| " + " | ".join(map(str, (*cells, _percent(row["precision"]), proof))) + " |"
        )
    lines += ["", f"Failures, {len(result['failures'])} of {result['runs']} runs:", ""]
    for failure in result["failures"]:
        said = failure["error"] or ", ".join(failure["said"]) or "nothing"
        lines.append(f"- `{failure['name']}`: {said}")
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def read(place: Path, split: str) -> list[dict[str, Any]]:
    """The lines of a half, or of both."""
    found = [json.loads(line) for line in place.read_text().splitlines()]
    return [line for line in found if split in ("all", line["split"])]


def main() -> None:
    """Read, print, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where doctor.jsonl is")
    parser.add_argument("--split", choices=("dev", "test", "all"), default="test")
    parser.add_argument("--no-picture", action="store_true", help="only print and write")
    asked = parser.parse_args()
    place = asked.folder / "doctor.jsonl"
    if not place.exists():
        parser.error(f"{place} is not there: run python -m benchmarks.doctor first.")
    lines = read(place, asked.split)
    if not lines:
        parser.error(f"{place} holds no {asked.split} patients yet.")
    result = {"split": asked.split, **facts(), **summary(lines)}
    files.write(asked.folder / "doctor.json", files.to_json(result))
    print(markdown(result))
    if not asked.no_picture:
        picture.draw(result, asked.folder)


if __name__ == "__main__":
    main()
