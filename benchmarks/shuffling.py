"""How good the shuffle of a streamed table is: held-out loss by epoch, beside a full shuffle in memory.

python -m benchmarks.shuffling [--rows 2e5] [--seeds 3] [--quick] [--out FOLDER] [--draw]
python -m benchmarks.shuffling --markdown [--out FOLDER]

The same made rows lie in files in three orders (shuffled, sorted by the target, sorted by a column) with
large row groups (an eighth of the rows) and small ones (2048 rows). A linear model by plain descent and a
network of 32-64-64-1 by Adam are trained for five epochs, batches of 512, with blocks of 1, 5, 20 and 100 %
of the rows, cut into 8 shards; blocks of 5 % also with 1 and 64. All are measured after each epoch on the
same other rows.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import panels, streaming_data
from benchmarks.facts import facts
from fallline.store import files

if TYPE_CHECKING:
    from collections.abc import Iterator

EPOCHS, BATCH, SMALL = 5, 512, 2048
ORDERS = {"shuffled": "shuffled", "target": "sorted by the target", "feature": "sorted by a column"}
GROUPS = ("large", "small")
CASES = ((0.01, 8), (0.05, 8), (0.2, 8), (1.0, 8), (0.05, 1), (0.05, 64))
"""Share of the rows in a block, and the number of shards."""

RULES: dict[str, dict[str, Any]] = {
    "linear": {"optimizer": "sgd", "learning_rate": 0.05},
    "mlp": {"optimizer": "adam", "learning_rate": 0.001, "hidden": (64, 64)},
}
NAMES = {"linear": "linear", "mlp": "network"}


def write(folder: Path, rows: int) -> None:
    """The files, one for each order and size of row groups."""
    X, y = (np.concatenate(arrays) for arrays in zip(*streaming_data.parts(rows), strict=True))
    orders = {"shuffled": np.arange(rows), "target": np.argsort(y), "feature": np.argsort(X[:, 0])}
    for name, order in orders.items():
        for group in GROUPS:
            size = rows // 8 if group == "large" else SMALL

            def pieces(order: np.ndarray = order) -> Iterator[tuple[np.ndarray, np.ndarray]]:
                yield X[order], y[order]

            streaming_data.write_parquet(folder / f"{name}-{group}.parquet", pieces(), size)


class Measured:
    """Runs of a fit with a chosen size of blocks, measured after every epoch."""

    def __init__(self, folder: Path, rows: int) -> None:
        """Keep the held-out rows."""
        import polars as pl

        X, self._truth = streaming_data.held_out()
        self._frame = pl.DataFrame({name: X[:, k] for k, name in enumerate(streaming_data.NAMES)})
        self._folder, self._rows = folder, rows

    def losses(self, file: str, model: str, seed: int, block: float, shards: int) -> list[float]:
        """Mean squared errors, epoch by epoch; ``block`` 0 is in memory."""
        from fallline import models
        from fallline.descent import descend
        from fallline.descent.run import apply_in_blocks
        from fallline.jobs import streamed
        from fallline.jobs.config import FitConfig
        from fallline.jobs.fit import Reporter, run_fit

        config = FitConfig(
            data=str(self._folder / f"{file}.parquet"),
            target="y",
            test=0.0,
            validation=0.0,
            model=model,
            schedule="constant",
            batch_size=BATCH,
            epochs=EPOCHS,
            weight_decay=0.0,
            average=0.0,
            seed=seed,
            stream=block > 0,
            shards=shards,
            **RULES[model],
        )
        columns = streaming_data.COLUMNS
        net = models.Linear(columns, 1) if model == "linear" else models.MLP(columns, (64, 64), 1)
        found: list[float] = []
        frame, truth = self._frame, self._truth

        class Look(Reporter):
            def encoded(self, encoder: Any, rows: dict[str, int]) -> None:
                self.encoder, self.x = encoder, encoder.features(frame)

            def progress(self, progress: Any) -> None:
                if int(progress.epoch + 1e-9) > len(found):
                    params, state = progress.predictor()
                    raw = np.asarray(apply_in_blocks(net, params, state, self.x)).ravel()
                    found.append(float(np.mean((self.encoder.decode(raw) - truth) ** 2)))

        rows = int(block * self._rows)
        # Short calls of the loop, so that none goes over the end of an epoch.
        kept = streamed.block_rows, descend.CALL_SECONDS
        streamed.block_rows, descend.CALL_SECONDS = (lambda *_: max(rows, BATCH)), 0.003
        try:
            run_fit(config, reporter=Look())
        finally:
            streamed.block_rows, descend.CALL_SECONDS = kept
        return found


def measure(rows: int, seeds: int, *, quick: bool) -> dict[str, Any]:
    """Every case."""
    curves: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="shuffling-") as scratch:
        write(Path(scratch), rows)
        bench = Measured(Path(scratch), rows)

        def add(model: str, order: str, group: str, block: float, shards: int) -> None:
            file = f"{order}-{group}"
            found = [bench.losses(file, model, seed, block, shards) for seed in range(seeds)]
            about = {"model": model, "order": order, "group": group}
            curves.append({**about, "block": block, "shards": shards, "losses": found})
            said = f"{np.mean([run[-1] for run in found]):.5f}"
            print(f"{model}, {file}, blocks of {block:.0%}, {shards}: {said}", file=sys.stderr)

        for model in list(RULES)[:1] if quick else RULES:
            add(model, "shuffled", "large", 0.0, 1)
            for order in ORDERS:
                for group in GROUPS[1:] if quick else GROUPS:
                    for block, shards in CASES[1:5:3] if quick else CASES:
                        add(model, order, group, block, shards)
    return {**facts(), "rows": rows, "epochs": EPOCHS, "quick": quick, "curves": curves}


def excess(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Each case with how far its last and its worst epoch lie above the full shuffle, in percent."""
    full: dict[str, Any] = {}
    found: list[dict[str, Any]] = []
    for curve in result["curves"]:
        losses = np.array(curve["losses"])
        if curve["block"] == 0:
            full[curve["model"]] = losses.mean(axis=0)
        base = full[curve["model"]]
        above = 100 * (losses / base - 1)
        found.append(
            {
                **curve,
                "last": float(losses[:, -1].mean()),
                "above": float(above[:, -1].mean()),
                "spread": statistics.pstdev(above[:, -1].tolist()),
                "worst": float(above.mean(axis=0).max()),
            }
        )
    return found


HEADS = ("model", "file", "row groups", "blocks", "shards", "last loss", "above a full shuffle")
HEADS += ("over seeds", "worst epoch")


def cells(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """The table's rows."""
    return [
        (
            NAMES[row["model"]],
            "" if row["block"] == 0 else ORDERS[row["order"]],
            "" if row["block"] == 0 else row["group"],
            f"{row['block']:.0%}" if row["block"] else "in memory",
            str(row["shards"]) if row["block"] else "",
            f"{row['last']:.5f}",
            f"{row['above']:+.1f} %" if row["block"] else "",
            f"± {row['spread']:.1f}",
            f"{row['worst']:+.1f} %" if row["block"] else "",
        )
        for row in excess(result)
    ]


def markdown(result: dict[str, Any]) -> str:
    """The table for a page."""
    lines = [HEADS, ("---",) * len(HEADS), *cells(result)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    seeds = len(result["curves"][0]["losses"])
    said = f"{result['rows']:,} rows, {result['epochs']} epochs, {seeds} seeds."
    return f"{panels.source([result])}\n\n{said}\n\n{table}"


def main() -> None:
    """Measure, print, keep, draw."""
    from benchmarks import shuffling_picture

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=float, default=2e5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="few cases, tiny: does it run?")
    parser.add_argument("--draw", action="store_true", help="only draw FOLDER/shuffling.json")
    parser.add_argument("--markdown", action="store_true", help="only print FOLDER/shuffling.json")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for the JSON and the pictures")
    asked = parser.parse_args()
    folder = asked.out or Path("benchmarks/results")
    place = folder / "shuffling.json"
    if asked.markdown or asked.draw:
        result = files.from_json(files.read(place), place)
        if asked.draw:
            shuffling_picture.draw(result, folder)
        else:
            print(markdown(result))
        return
    rows, seeds = (40_000, 1) if asked.quick else (int(asked.rows), asked.seeds)
    result = measure(rows, seeds, quick=asked.quick)
    table = Table(*HEADS)
    for row in cells(result):
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 150).print(table)
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        files.write(place, files.to_json(result))
        shuffling_picture.draw(result, folder)


if __name__ == "__main__":
    main()
