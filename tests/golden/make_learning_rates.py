"""Record which learning rates of a grid are best on real tables; needs FALLLINE_DATA.

FALLLINE_DATA=... python tests/golden/make_learning_rates.py

Thirteen rates from 1e-4 to 1 on each problem. ``learning_rates.json`` keeps the lowest validation loss and
the lowest and highest rate within 2 % of it, to which ``test_range_test_on_real_tables.py`` holds the test.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np

from fallline import models, train
from fallline.data.readers import read_table
from fallline.jobs.config import FitConfig
from fallline.jobs.fit import cut, loss_for, target_of

RECORD = Path(__file__).with_name("learning_rates.json")
PROBLEMS = [
    ("california_housing.csv", "median_house_value", "sgd"),
    ("california_housing.csv", "median_house_value", "adam"),
    ("diamonds.csv", "price", "adam"),
    ("adult.csv", "income", "adam"),
    ("mnist10k.npz", None, "adam"),
    ("digits", None, "adam"),
]


class Problem:
    """A table, split, with a network and a loss.

    Args:
        file: of the folder, or the bundled digits.
        target: its column.
        optimizer: by name.
        folder: with the real tables.
    """

    def __init__(self, file: str, target: str | None, optimizer: str, folder: str) -> None:
        path = file if file == "digits" else str(Path(folder) / file)
        config = FitConfig(data=path, target=target)
        table = read_table(path)
        self.rows = cut(table, target_of(table, config), config)
        self.loss, outputs = loss_for(config, self.rows.encoder)
        self.model = models.MLP(self.rows.training[0].shape[1], (128, 64), outputs)
        self.optimizer = optimizer
        # As many steps as mini-batches make of a larger table, where one step sees all rows.
        self.epochs = 400 if file == "digits" else 10

    def descend(self, rate: float | str) -> tuple[float, float]:
        """The rate used, and the lowest validation loss it reached."""
        run = train(
            self.model,
            self.loss,
            self.rows.training,
            validation=self.rows.validation,
            optimizer=self.optimizer,
            learning_rate=rate,
            epochs=self.epochs,
            patience=math.inf,
        )
        values = run.history.validation_loss
        return run.learning_rate, float(np.min(values, initial=np.inf, where=np.isfinite(values)))


def main() -> None:
    record: dict[str, dict[str, float]] = {}
    for file, target, optimizer in PROBLEMS:
        problem = Problem(file, target, optimizer, os.environ["FALLLINE_DATA"])
        grid = np.logspace(-4, 0, 13)
        losses = np.array([problem.descend(float(rate))[1] for rate in grid])
        # Where the curve is flat the best rate is a matter of luck: within 2 % others are as good.
        good = grid[losses <= 1.02 * losses.min()]
        record[f"{file} {optimizer}"] = {
            "lowest_loss": float(losses.min()),
            "from_rate": float(good.min()),
            "to_rate": float(good.max()),
        }
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
