"""Held-out scores with the layers' products in bfloat16, beside those in single precision.

python -m benchmarks.precision [--seeds 5] [--epochs N] [--out FILE.json]

`fallline.fit` with a network (128-64) on mnist10k and california_housing, from the folder that FALLLINE_DATA
names. A seed decides the split, the weights and the order of rows, and is the same for both precisions, whose
learning rate is the one that single precision found. The mean scores over the seeds must lie within 0.3 %;
the exit status says whether they do. The seconds are of training with what compiling it took.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import fallline
from benchmarks.facts import facts
from fallline.descent.precision import native
from fallline.store import files

ALLOWED = 0.003
WORDS = ("float32", "bfloat16")
TARGETS = {"mnist10k.npz": None, "california_housing.csv": "median_house_value"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="by default as many as fit takes")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    folder = os.environ.get("FALLLINE_DATA")
    if not folder:
        print("FALLLINE_DATA names no folder with real tables: nothing is measured.")
        return 0
    if not native():
        print("This processor has no instructions for bfloat16: the seconds say nothing of others.")
    found = [_set(name, Path(folder), asked.seeds, asked.epochs) for name in TARGETS]
    table = Table("set", "score", *WORDS, "difference", "of each seed", "allowed", "seconds")
    for entry in found:
        scores = [f"{entry[word]['score']:.4f}" for word in WORDS]
        seconds = " / ".join(f"{entry[word]['seconds']:.2f}" for word in WORDS)
        difference = f"{entry['difference']:+.2%}"
        each = f"{min(entry['differences']):+.2%} to {max(entry['differences']):+.2%}"
        named = (entry["set"], entry["metric"])
        table.add_row(*named, *scores, difference, each, f"{ALLOWED:.1%}", seconds)
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    if asked.out:
        files.write(asked.out, files.to_json({**facts(), "sets": found}))
    return int(any(abs(entry["difference"]) > ALLOWED for entry in found))


def _set(name: str, folder: Path, seeds: int, epochs: int | None) -> dict[str, Any]:
    runs: dict[str, list[Any]] = {word: [] for word in WORDS}
    for seed in range(seeds):
        rate: float | str = "auto"
        for word in WORDS:
            options = {"model": "mlp", "seed": seed, "learning_rate": rate, "epochs": epochs}
            fitted = fallline.fit(folder / name, TARGETS[name], precision=word, **options)
            assert fitted.run.precision == word
            rate = fitted.run.learning_rate
            runs[word].append(fitted.result)
    entry: dict[str, Any] = {"set": Path(name).stem, "metric": runs[WORDS[0]][0]["metric"]}
    for word in WORDS:
        scores = [result["value"] for result in runs[word]]
        seconds = [result["train_seconds"] for result in runs[word]]
        entry[word] = {
            "score": statistics.mean(scores),
            "scores": scores,
            "seconds": statistics.median(seconds),
        }
    both = zip(entry["bfloat16"]["scores"], entry["float32"]["scores"], strict=True)
    entry["differences"] = [low / single - 1 for low, single in both]
    entry["difference"] = entry["bfloat16"]["score"] / entry["float32"]["score"] - 1
    return entry


if __name__ == "__main__":
    sys.exit(main())
