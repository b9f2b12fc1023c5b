"""Linear regression: more rows, and more features, where the closed form's cost is the cube."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.signal import lfilter

import fallline
from benchmarks.growing import Axis, Curve, Work, peers
from fallline import baselines, models, optimizers, schedules

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCHS, BATCH, RATE = 3, 256, 0.01
ROWS = 20_000
ACCURACY = 0.01
MOST_EPOCHS = 128


@functools.lru_cache(maxsize=1)
def tall(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten independent columns, a linear target with noise."""
    random = np.random.default_rng(0)
    X = random.standard_normal((rows, 10), dtype=np.float32)
    y = X @ np.linspace(-1, 1, 10, dtype=np.float32)
    y += 0.5 * random.standard_normal(rows, dtype=np.float32)
    return X, y


def rows(quick: bool) -> Axis:
    """Time of some epochs over more and more rows."""

    def ours(count: int) -> Work:
        def run() -> None:
            fallline.train(
                models.Linear(10, 1),
                "squared_error",
                tall(count),
                optimizer=optimizers.SGD(RATE),
                batch_size=BATCH,
                epochs=EPOCHS,
            )

        return Work(run)

    def sgd() -> Curve:
        from sklearn.linear_model import SGDRegressor

        def make(count: int) -> Work:
            model = SGDRegressor(eta0=RATE, learning_rate="constant", max_iter=EPOCHS, tol=None)
            return Work(lambda: model.fit(*tall(count)))

        return Curve("scikit-learn SGDRegressor", make)

    def eager() -> Curve:
        from benchmarks.peers.eager import Eager

        def make(count: int) -> Work:
            X, y = tall(count)

            def run() -> None:
                net = Eager(X, y, rate=RATE, batch=BATCH, adam=False)
                for _ in range(EPOCHS):
                    net.epoch()

            return Work(run)

        return Curve("torch eager", make, threads=(1, 2), threads_from=100_000)

    def lstsq(count: int) -> Work:
        X, y = tall(count)
        return Work(lambda: np.linalg.lstsq(X, y, rcond=None))

    return Axis(
        name="rows",
        title="More rows",
        label="rows of 10 columns",
        share=2.0,
        unit="seconds",
        values=[1000, 10_000]
        if quick
        else [k * 10**e for e in range(3, 7) for k in (1, 3)] + [10**7],
        curves=[
            Curve("Fallline", ours, compiles=True),
            *peers(sgd, eager),
            Curve("NumPy lstsq", lstsq, threads=(1, 2), threads_from=1_000_000),
        ],
        note=f"Linear regression, {EPOCHS} epochs; batches of {BATCH} here and in torch, of one row in "
        "scikit-learn's SGDRegressor, which takes no others; lstsq is the closed form. The "
        "whole call counts.",
    )


@functools.lru_cache(maxsize=2)
def wide(columns: int, correlation: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Features, targets, and the least squares' loss, known without solving.

    Neighbouring columns are correlated by a first-order recursion along each row. What the noise has in
    common with a column is taken out of the column, so that the weights drawn are the best ones, and the
    least loss is the noise's own.
    """
    random = np.random.default_rng(0)
    X = random.standard_normal((ROWS, columns), dtype=np.float32)
    if correlation:
        fresh = np.float32(np.sqrt(1 - correlation**2))
        X[:, 0] /= fresh
        X = lfilter(np.array([fresh]), np.float32([1, -correlation]), X, axis=1)
    noise = random.standard_normal(ROWS, dtype=np.float32)
    noise -= noise.mean()
    X -= np.outer(noise, noise @ X / (noise @ noise))
    signal = X @ random.standard_normal(columns, dtype=np.float32)
    signal /= signal.std()
    noise *= 0.5 / noise.std()
    return X, signal + noise, float(np.mean(noise.astype(np.float64) ** 2))


def features(quick: bool) -> Axis:
    """Time to a training loss within a hundredth of the least possible."""
    enough: dict[float, int] = {}

    def descending(correlation: float) -> Callable[[int], Work]:
        def make(columns: int) -> Work:
            X, y, least = wide(columns, correlation)

            def train(epochs: int) -> Any:
                steps = epochs * -(-ROWS // 64)
                return fallline.train(
                    models.Linear(columns, 1),
                    "squared_error",
                    (X, y),
                    optimizer=optimizers.Adam(schedules.CosineDecay(0.003, steps=steps)),
                    batch_size=64,
                    epochs=epochs,
                )

            epochs = enough.get(correlation, 1)
            while True:
                found = train(epochs)
                excess = _loss(found.predict(X), y) / least - 1
                if excess <= ACCURACY:
                    break
                if epochs >= MOST_EPOCHS:
                    raise fallline.FalllineError(
                        f"{epochs} epochs leave the loss {excess:.1%} above the least."
                    )
                epochs = -(-3 * epochs // 2)
            enough[correlation] = max(epochs // 2, 1)
            facts = {"epochs": epochs, "excess": excess}
            return Work(lambda: train(epochs), warm=True, facts=facts)

        return make

    def closed(solve: Callable[[np.ndarray, np.ndarray], Any]) -> Callable[[int], Work]:
        def make(columns: int) -> Work:
            X, y, _ = wide(columns, 0.0)
            return Work(lambda: solve(X, y))

        return make

    def ridge() -> Curve:
        from sklearn.linear_model import Ridge

        def solve(X: np.ndarray, y: np.ndarray) -> Any:
            return Ridge(alpha=1e-3, solver="cholesky").fit(X, y)

        return Curve("scikit-learn Ridge", closed(solve), threads=(1, 2), threads_from=300)

    def by_numpy(X: np.ndarray, y: np.ndarray) -> Any:
        return np.linalg.lstsq(X, y, rcond=None)

    values = [10, 100] if quick else [10, 30, 100, 300, 1000, 3000, 10_000]
    return Axis(
        name="features",
        title="More features: descent against the closed form",
        label=f"features of {ROWS:,} rows",
        share=3.0,
        unit="seconds",
        values=values,
        curves=[
            Curve("Fallline", descending(0.0), compiles=True),
            Curve("Fallline, correlated", descending(0.9), compiles=True),
            *peers(ridge),
            Curve("NumPy lstsq", closed(by_numpy), threads=(1, 2), threads_from=300),
            Curve(
                "normal equation (SVD)",
                closed(baselines.normal_equation),
                threads=(1, 2),
                threads_from=300,
            ),
        ],
        note=f"Time until the training loss is within {ACCURACY:.0%} of the least possible: Adam "
        "from 0.003 along "
        "a cosine, batches of 64, the fewest epochs that do it, in steps of a half (finding "
        "them is not counted). "
        "'Correlated': neighbouring columns by 0.9, condition number about 360; the closed "
        "forms take the same "
        "time for both and are exact. Ridge by Cholesky; the last is fallline.baselines.normal_equation.",
        crossings={
            "Fallline": ["scikit-learn Ridge"],
            "Fallline, correlated": ["scikit-learn Ridge"],
        },
    )


def _loss(prediction: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean((prediction.astype(np.float64) - y) ** 2))
