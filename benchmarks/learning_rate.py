"""How good is `learning_rate="auto"`? The range test's choice beside the best of a 13-point log grid.

python -m benchmarks.learning_rate [--optimizers adam,sgd] [--epochs 12] [--out FILE.json]

For each problem and optimizer, thirteen runs from 1e-4 to 1 with one budget; the best is the one with the
the lowest validation loss at any epoch. Beside it the rate that the range test chose, how many times too high
or low it is, and how much loss it costs to use it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from fallline import models, train
from fallline.data.readers import read_table
from fallline.jobs.config import FitConfig
from fallline.jobs.fit import Rows, cut, loss_for, target_of

GRID = np.logspace(-4, 0, 13)
PROBLEMS = {
    "california_housing": ("california_housing.csv", "median_house_value", "mlp"),
    "diamonds": ("diamonds.csv", "price", "mlp"),
    "adult": ("adult.csv", "income", "mlp"),
    "adult, linear": ("adult.csv", "income", "linear"),
    "mnist10k": ("mnist10k.npz", None, "mlp"),
    "digits": ("digits", None, "mlp"),
}


def rows_of(file: str, target: str | None) -> tuple[Rows, FitConfig]:
    """A table, cut and encoded as `fallline fit` does."""
    path = Path(os.environ.get("FALLLINE_DATA", ".")) / file
    source = str(path) if path.is_file() else file
    config = FitConfig(data=source, target=target)
    table = read_table(source)
    return cut(table, target_of(table, config), config), config


def compare(
    rows: Rows, config: FitConfig, kind: str, optimizer: str, epochs: int
) -> dict[str, float]:
    """The best rate of the grid, the chosen one, and the losses they reach."""
    loss, outputs = loss_for(config, rows.encoder)
    inputs = rows.training[0].shape[1]
    model = (
        models.Linear(inputs, outputs)
        if kind == "linear"
        else models.MLP(inputs, (128, 64), outputs)
    )
    # As many steps as a table in mini-batches gets, where one step sees all rows.
    epochs = epochs if len(rows.training[0]) >= 2000 else 40 * epochs

    def best_loss(rate: float | str) -> tuple[float, float]:
        run = train(
            model,
            loss,
            rows.training,
            validation=rows.validation,
            optimizer=optimizer,
            learning_rate=rate,
            epochs=epochs,
            patience=math.inf,
        )
        values = run.history.validation_loss
        return run.learning_rate, float(np.min(values, initial=np.inf, where=np.isfinite(values)))

    losses = np.array([best_loss(float(rate))[1] for rate in GRID])
    chosen, reached = best_loss("auto")
    best = int(np.argmin(losses))
    return {
        "best": float(GRID[best]),
        "chosen": chosen,
        "ratio": chosen / float(GRID[best]),
        "best_loss": float(losses[best]),
        "chosen_loss": reached,
    }


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--optimizers", default="adam,sgd,momentum,rmsprop")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    table = Table(box=None)
    for column in (
        "problem",
        "optimizer",
        "best of grid",
        "chosen",
        "ratio",
        "best loss",
        "loss with chosen",
    ):
        table.add_column(column)
    found: dict[str, dict[str, float]] = {}
    for name, (file, target, kind) in PROBLEMS.items():
        rows, config = rows_of(file, target)
        for optimizer in arguments.optimizers.split(","):
            r = compare(rows, config, kind, optimizer, arguments.epochs)
            found[f"{name}, {optimizer}"] = r
            table.add_row(
                name,
                optimizer,
                f"{r['best']:.2g}",
                f"{r['chosen']:.2g}",
                f"{r['ratio']:.2f}" + ("" if 1 / 3 <= r["ratio"] <= 3 else "  *"),
                f"{r['best_loss']:.4f}",
                f"{r['chosen_loss']:.4f} ({r['chosen_loss'] / r['best_loss'] - 1:+.0%})",
            )
    Console(width=120).print(table)
    within = sum(1 / 3 <= r["ratio"] <= 3 for r in found.values())
    print(f"within a factor of 3 of the best: {within} of {len(found)} (* marks the others)")
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
