"""Training, epoch by epoch, with a look at held-out rows in between that is not counted: ours and peers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.estimators import rows_of
from benchmarks.harness import threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TRIED = 2048
"""Rows of the short epochs by which a number of threads is chosen."""


@dataclass(frozen=True)
class Task:
    """A table and a model, the same for everyone.

    Attributes:
        name: unique.
        table: the set's name.
        hidden: units of the hidden layers; none for a linear model.
        batch: rows a step.
        rate: Adam's learning rate.
        epochs: of the peers; ours may go on for twice as many, to reach what they reached.
    """

    name: str
    table: str
    hidden: tuple[int, ...]
    batch: int
    epochs: int
    rate: float = 0.001


TASKS = (
    Task("mnist10k", "mnist10k", (128,), 64, 15),
    Task("california_housing", "california_housing", (64, 64), 64, 30),
    Task("diamonds", "diamonds", (64, 64), 128, 20),
    Task("adult", "adult", (64, 64), 128, 6),
    Task("adult, logistic regression", "adult", (), 64, 10),
)


@dataclass
class Rows:
    """Training and held-out rows as every contender gets them; single precision.

    Attributes:
        X: features of the training rows.
        y: their targets, standardised, or class numbers.
        held: features of the held-out rows.
        truth: their targets.
        classes: how many; 0 for a regression.
    """

    X: np.ndarray
    y: np.ndarray
    held: np.ndarray
    truth: np.ndarray
    classes: int

    @staticmethod
    def of(table: str) -> Rows:
        """Read and encode a table."""
        X, y, held, truth = rows_of(table)
        X, held = (np.ascontiguousarray(a, np.float32) for a in (X, held))
        if np.asarray(y).dtype.kind in "fiu" and len(np.unique(y)) > 20:
            mean, spread = float(np.mean(y)), float(np.std(y))
            y, truth = (((a - mean) / spread).astype(np.float32) for a in (y, truth))
            return Rows(X, y, held, truth, 0)
        labels, y = np.unique(y, return_inverse=True)
        return Rows(X, y.astype(np.int32), held, np.searchsorted(labels, truth), len(labels))

    def measured(self, outputs: np.ndarray) -> tuple[float, float]:
        """Loss and score on the held-out rows: squared error and R², or cross-entropy and accuracy."""
        if not self.classes:
            error = float(np.mean((outputs.ravel() - self.truth) ** 2, dtype=np.float64))
            return error, 1 - error / float(np.var(self.truth, dtype=np.float64))
        z = outputs.astype(np.float64)
        z -= z.max(axis=1, keepdims=True)
        own = z[np.arange(len(z)), self.truth] - np.log(np.exp(z).sum(axis=1))
        return -float(own.mean()), float((z.argmax(axis=1) == self.truth).mean())


class Trace:
    """Seconds of training, and how good the model was then."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.points: list[dict[str, float]] = []

    def add(self, seconds: float, outputs: np.ndarray) -> None:
        """Note what was reached."""
        loss, score = self.rows.measured(outputs)
        self.points.append({"seconds": seconds, "loss": loss, "score": score})


def ours(task: Task, rows: Rows, seed: int) -> list[dict[str, float]]:
    """`fallline.train` with everything that it does from its call on."""
    import fallline
    from fallline import models, optimizers
    from fallline.descent.run import apply_in_blocks

    columns, outputs = rows.X.shape[1], rows.classes or 1
    model: Any = models.MLP(columns, task.hidden, outputs)
    if not task.hidden:
        model = models.Linear(columns, outputs)
    trace, looking = Trace(rows), 0.0

    def look(progress: Any) -> None:
        nonlocal looking
        now = time.perf_counter()
        if float(progress.epoch).is_integer():
            params, state = progress.predictor()
            found = apply_in_blocks(model, params, state, rows.held)
            trace.add(now - began - looking, found)
        looking += time.perf_counter() - now

    began = time.perf_counter()
    fallline.train(
        model,
        "softmax_cross_entropy" if rows.classes else "squared_error",
        (rows.X, rows.y),
        optimizer=optimizers.Adam(task.rate),
        batch_size=task.batch,
        epochs=2 * task.epochs,
        seed=seed,
        callback=look,
        every_epoch=True,
    )
    return trace.points


class Network:
    """scikit-learn's network, an epoch a call."""

    def __init__(self, task: Task, rows: Rows, seed: int, count: int | None = None) -> None:
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        kind: Any = MLPClassifier if rows.classes else MLPRegressor
        self.net = kind(
            hidden_layer_sizes=task.hidden,
            batch_size=task.batch,
            learning_rate_init=task.rate,
            random_state=seed,
        )
        self.X, self.y = rows.X[:count], rows.y[:count]
        self.more = {"classes": np.arange(rows.classes)} if rows.classes else {}

    def epoch(self) -> None:
        """One pass."""
        self.net.partial_fit(self.X, self.y, **self.more)
        self.more = {}

    def outputs(self, X: np.ndarray) -> np.ndarray:
        """Predictions, or logarithms of probabilities."""
        if hasattr(self.net, "predict_proba"):
            return np.log(np.maximum(self.net.predict_proba(X), 1e-30))
        return self.net.predict(X)


class Descent(Network):
    """scikit-learn's SGDClassifier, an epoch a call, at its own schedule of rates."""

    def __init__(self, task: Task, rows: Rows, seed: int, count: int | None = None) -> None:
        from sklearn.linear_model import SGDClassifier

        self.net = SGDClassifier(loss="log_loss", random_state=seed)
        self.X, self.y = rows.X[:count], rows.y[:count]
        self.more = {"classes": np.arange(rows.classes)}


def torch_network(task: Task, rows: Rows, seed: int, count: int | None = None) -> Any:
    """torch's, eager."""
    from benchmarks.peers.eager import Eager

    return Eager(
        rows.X[:count],
        rows.y[:count],
        hidden=task.hidden,
        classes=rows.classes,
        rate=task.rate,
        batch=task.batch,
        seed=seed,
    )


def by_epoch(make: Any, task: Task, rows: Rows, seed: int) -> list[dict[str, float]]:
    """A peer's trace, at the better number of threads; making it is not counted."""
    trace, spent = Trace(rows), 0.0
    with threads(best_threads(make, task, rows)):
        peer = make(task, rows, seed)
        for _ in range(task.epochs):
            began = time.perf_counter()
            peer.epoch()
            spent += time.perf_counter() - began
            trace.add(spent, peer.outputs(rows.held))
    return trace.points


_best: dict[tuple[Any, str], int] = {}


def best_threads(make: Any, task: Task, rows: Rows) -> int:
    """One thread or two, by a short epoch of each."""
    if (make, task.name) not in _best:
        took: dict[int, float] = {}
        for count in (1, 2):
            with threads(count):
                peer = make(task, rows, 0, TRIED)
                peer.epoch()
                began = time.perf_counter()
                peer.epoch()
                took[count] = time.perf_counter() - began
        _best[make, task.name] = min(took, key=took.__getitem__)
    return _best[make, task.name]


def logistic(task: Task, rows: Rows, seed: int) -> list[dict[str, float]]:
    """scikit-learn's LogisticRegression: each point is a whole fit of so many iterations of L-BFGS."""
    from sklearn.linear_model import LogisticRegression

    trace = Trace(rows)
    for iterations in (1, 2, 4, 8, 16, 32, 64, 128):
        model = LogisticRegression(max_iter=iterations)
        began = time.perf_counter()
        model.fit(rows.X, rows.y)
        taken = time.perf_counter() - began
        trace.add(taken, np.log(np.maximum(model.predict_proba(rows.held), 1e-30)))
        if model.n_iter_[0] < iterations:
            break
    return trace.points


def peers(task: Task) -> Iterator[tuple[str, Callable[[Rows, int], list[dict[str, float]]]]]:
    """Name and trace of each peer that is installed."""
    import importlib.util

    def of(make: Any) -> Callable[[Rows, int], list[dict[str, float]]]:
        return lambda rows, seed: by_epoch(make, task, rows, seed)

    if task.hidden:
        yield "scikit-learn MLP", of(Network)
    else:
        yield "scikit-learn SGDClassifier", of(Descent)
        yield (
            "scikit-learn LogisticRegression",
            lambda rows, seed: logistic(task, rows, seed),
        )
    if importlib.util.find_spec("torch"):
        yield "torch eager", of(torch_network)
