"""Networks: wider layers, and larger batches."""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np

import fallline
from benchmarks.growing import Axis, Curve, Work, paced, peers
from fallline import models, optimizers

WIDE_BATCH = 128
FLOPS = 6e10
ROWS = 8192
HIDDEN = (64, 64)
TARGET = 0.45
MOST_EPOCHS = 400
RATES = (0.001, 0.003, 0.01, 0.03)


@functools.cache
def images() -> tuple[np.ndarray, np.ndarray]:
    """Rows of the shape of small images, ten classes; nothing to learn, only to compute."""
    random = np.random.default_rng(0)
    X = random.standard_normal((4096, 784), dtype=np.float32)
    return X, random.integers(0, 10, 4096).astype(np.int32)


def updates(width: int, most: int) -> int:
    """Updates to time: about the same arithmetic for every width, within bounds."""
    flops = 6 * WIDE_BATCH * (784 * width + width * width)
    return int(np.clip(FLOPS / flops, 8, most)) + 8


def width(quick: bool) -> Axis:
    """Time of an update of wider and wider layers."""
    most = 256 if quick else 4096

    def ours(units: int) -> Work:
        model = models.MLP(784, (units, units), 10)
        options = {
            "optimizer": optimizers.Adam(0.001),
            "batch_size": WIDE_BATCH,
            "steps": updates(units, most),
            "epochs": 10_000,
        }
        return Work(lambda: paced(model, "softmax_cross_entropy", images(), **options))

    def eager() -> Curve:
        from benchmarks.peers.eager import Eager

        def make(units: int) -> Work:
            net = Eager(*images(), hidden=(units, units), classes=10, batch=WIDE_BATCH)
            count = updates(units, most)
            return Work(lambda: net.steps(count), units=count)

        return Curve("torch eager", make, threads=(1, 2), threads_from=128)

    return Axis(
        name="width",
        title="Wider layers",
        label="units in each of two hidden layers",
        unit="seconds an update",
        values=[16, 64] if quick else [16, 32, 64, 128, 256, 512, 1024, 2048, 4096],
        curves=[Curve("Fallline", ours, compiles=True), *peers(eager)],
        note=f"An update of a network of 784-w-w-10 with Adam, batches of {WIDE_BATCH}, once it "
        "runs: set-up, "
        "initial weights and compilation are not counted on either side.",
    )


@functools.cache
def classes() -> tuple[np.ndarray, np.ndarray]:
    """Three classes in twenty columns, not linearly separable."""
    random = np.random.default_rng(0)
    X = random.standard_normal((ROWS, 20), dtype=np.float32)
    score = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + 0.3 * random.standard_normal(ROWS)
    return X, np.digitize(score, [-0.5, 0.5]).astype(np.int32)


def batches(quick: bool) -> list[int]:
    """From all rows to one, which takes the longest."""
    return [256] if quick else [ROWS, 1024, 256, 64, 16, 4, 1]


MODEL = models.MLP(20, HIDDEN, 3)
LOSS = "softmax_cross_entropy"


def batch(quick: bool) -> Axis:
    """Time of an epoch in batches of more and more rows."""

    def ours(size: int) -> Work:
        epochs = 1 if size < 16 else 4 if size < 256 else 40
        options = {
            "optimizer": optimizers.Adam(0.001),
            "batch_size": size,
            # The first call, of at most an epoch, is where compiling and the callback's clock begin.
            "epochs": epochs + 1,
        }
        each = -(-ROWS // size)
        return Work(lambda: paced(MODEL, LOSS, classes(), **options) * each)

    def eager() -> Curve:
        from benchmarks.peers.eager import Eager

        def make(size: int) -> Work:
            net = Eager(*classes(), hidden=HIDDEN, classes=3, batch=size)
            return Work(net.epoch)

        return Curve("torch eager", make, threads=(1, 2), threads_from=1024)

    def sklearn() -> Curve:
        from sklearn.neural_network import MLPClassifier

        def make(size: int) -> Work:
            X, y = classes()
            net = MLPClassifier(hidden_layer_sizes=HIDDEN, batch_size=size, random_state=0)
            net.partial_fit(X[:size], y[:size], classes=np.arange(3))
            return Work(lambda: net.partial_fit(X, y))

        return Curve("scikit-learn MLP", make, threads=(1, 2), threads_from=1024)

    return Axis(
        name="batch",
        title="Larger batches: an epoch",
        label=f"rows a batch, of {ROWS:,}",
        share=3.0,
        unit="seconds an epoch",
        values=batches(quick),
        curves=[Curve("Fallline", ours, compiles=True), *peers(eager, sklearn)],
        note=f"A network of 20-64-64-3 with Adam on {ROWS:,} rows, once it runs.",
    )


def target(quick: bool) -> Axis:
    """Time to a training loss, in batches of more and more rows."""
    tried = RATES[1:2] if quick else RATES

    def descend(size: int, rate: float) -> tuple[float, int, float]:
        """Seconds, epochs, and the loss that was reached."""
        began = time.perf_counter()

        def reached(progress: Any) -> bool:
            return progress.loss <= TARGET or time.perf_counter() - began > 4

        run = fallline.train(
            MODEL,
            LOSS,
            classes(),
            optimizer=optimizers.Adam(rate),
            batch_size=size,
            epochs=MOST_EPOCHS,
            callback=reached,
            every_epoch=True,
        )
        taken = time.perf_counter() - began
        losses = run.history.training_loss
        return taken, len(losses), float(losses[-1]) if len(losses) else np.inf

    def best_rate(size: int, attempt: Any) -> tuple[float, int]:
        """The rate that gets there in the fewest epochs."""
        found: list[tuple[int, float]] = []
        for rate in tried if size > 1 else tried[:2]:
            _, epochs, loss = attempt(size, rate)
            if loss <= TARGET:
                found.append((epochs, rate))
            elif found:
                break
        if not found:
            raise fallline.FalllineError(
                f"the loss {TARGET} was not reached at any of the rates {tried}."
            )
        epochs, rate = min(found)
        return rate, epochs

    def ours(size: int) -> Work:
        rate, epochs = best_rate(size, descend)
        return Work(
            lambda: descend(size, rate), warm=True, facts={"learning_rate": rate, "epochs": epochs}
        )

    def eager() -> Curve:
        from benchmarks.peers.eager import Eager

        def attempt(size: int, rate: float) -> tuple[float, int, float]:
            net = Eager(*classes(), hidden=HIDDEN, classes=3, batch=size, rate=rate)
            began, epochs, loss = time.perf_counter(), 0, np.inf
            while loss > TARGET and epochs < MOST_EPOCHS and time.perf_counter() - began < 4:
                loss, epochs = net.epoch_loss(), epochs + 1
            return time.perf_counter() - began, epochs, loss

        def make(size: int) -> Work:
            rate, epochs = best_rate(size, attempt)
            return Work(
                lambda: attempt(size, rate),
                warm=True,
                facts={"learning_rate": rate, "epochs": epochs},
            )

        return Curve("torch eager", make, threads=(1, 2), threads_from=1024)

    return Axis(
        name="target",
        title=f"Larger batches: to a loss of {TARGET}",
        label=f"rows a batch, of {ROWS:,}",
        share=3.0,
        unit="seconds to the loss",
        values=batches(quick),
        curves=[Curve("Fallline", ours, compiles=True), *peers(eager)],
        note=f"The same network, until an epoch's mean training loss is {TARGET} or less; at "
        "each size of batch, and "
        f"for each library, at the one of the rates {tried} that needs the fewest epochs "
        "(finding it is not counted).",
    )
