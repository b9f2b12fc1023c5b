"""One row of a sparse table a step: the numbers of the general step, at the cost of the row."""

import re

import jax
import numpy as np
import pytest
from scipy import sparse

from fallline import train, tuning
from fallline.descent import loop
from fallline.descent.problem import pose
from fallline.models import Linear
from fallline.optimizers import SGD
from fallline.schedules import InverseTimeDecay

ROWS, COLUMNS, STORED = 220, 20_000, 12
RANDOM = np.random.default_rng(0)
PLACES = (COLUMNS * RANDOM.random((ROWS, STORED)) ** 2).astype(int).ravel()
X = sparse.csr_array(
    (RANDOM.normal(size=ROWS * STORED), (np.repeat(np.arange(ROWS), STORED), PLACES)),
    shape=(ROWS, COLUMNS),
)
Y = (X @ RANDOM.normal(size=COLUMNS) > 0).astype(np.float32)
WEIGHTS = np.where(np.arange(ROWS) % 7 == 0, 0.0, RANDOM.uniform(0.5, 2, ROWS))


def both(monkeypatch, loss, data, rate, **options):
    bias = options.pop("bias", True)
    runs = []
    for on in (True, False):
        monkeypatch.setattr(tuning, "on", on)
        model = Linear(COLUMNS, 1, bias=bias)
        runs.append(
            train(model, loss, data, optimizer=SGD(rate), batch_size=1, epochs=2, **options)
        )
    return runs


@pytest.mark.parametrize(
    ("loss", "data", "rate", "options", "reason"),
    [
        (
            "binary_cross_entropy",
            (X, Y, WEIGHTS),
            InverseTimeDecay(0.3, 50.0),
            {"validation": 0.2},
            "epochs",
        ),
        ("half_squared_error", (X, Y), 1e6, {"bias": False}, "non-finite"),
    ],
)
def test_it_is_the_general_step(monkeypatch, loss, data, rate, options, reason):
    quick, general = both(monkeypatch, loss, data, rate, **options)
    assert quick.stop.reason == general.stop.reason == reason
    assert quick.steps == general.steps
    for field, values in general.history.steps.items():
        np.testing.assert_allclose(
            quick.history.steps[field], values, rtol=2e-4, atol=1e-6, err_msg=field
        )
    for field, values in general.history.epochs.items():
        np.testing.assert_allclose(quick.history.epochs[field], values, rtol=1e-5)
    for a, b in zip(jax.tree.leaves(quick.params), jax.tree.leaves(general.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6)


def test_no_step_copies_all_columns():
    problem, _ = pose(
        Linear(COLUMNS, 1),
        "binary_cross_entropy",
        (X, Y),
        optimizer=SGD(0.1),
        batch_size=1,
        epochs=2,
    )
    assert problem.shape.single
    numbers = (np.int32(0), np.int32(ROWS), np.int32(1), np.bool_(True))
    program = loop.advance.lower(
        problem.objective,
        problem.rules,
        problem.rows,
        None,
        problem.begin(problem.optimizer),
        problem.order(0, 1),
        *numbers,
        shape=problem.shape,
    ).compile()
    bodies = re.split(r"\n(?=%|ENTRY)", program.as_text())
    copies = rf"= f32\[{COLUMNS}[,\]].* copy\("
    assert not [body[:80] for body in bodies if "ENTRY" not in body and re.search(copies, body)]


@pytest.mark.parametrize(
    "options",
    [{"batch_size": 2}, {"l2": 0.1}, {"optimizer": "adam"}, {"record": "layers"}],
)
def test_everything_else_takes_the_general_step(options):
    asked = {"optimizer": SGD(0.1), "batch_size": 1, "epochs": 1, **options}
    problem, _ = pose(Linear(COLUMNS, 1), "binary_cross_entropy", (X, Y), **asked)
    assert not problem.shape.single
