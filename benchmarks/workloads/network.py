"""Networks by Adam: small ones, where a step's overhead rules, and large ones, where matrix products do."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

import fallline
from benchmarks.harness import Contender, Workload, fastest, peer
from benchmarks.peers import networks
from benchmarks.real import Skipped, real_table
from fallline import models, optimizers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ARITHMETIC = (
    "share of the limit: six operations a weight and row (forward, and for the gradients to weights and to "
    "inputs), four in the first layer, to whose inputs there is none; nothing else is counted, such as Adam"
)
SMALL, MEDIUM, LARGE = "MLP 20-64-64-3", "MLP 784-128-10", "MLP 784-1024-1024-10"


QUICK_ROWS = 1600
"""Of the small network in quick mode, wherever it is trained: programs are compiled once a shape."""


def workloads(quick: bool) -> Iterator[tuple[str, Callable[[], Workload]]]:
    """From a few thousand weights to nearly two million; the largest in bfloat16, too.

    If quick, the smallest and the one in bfloat16.
    """
    cases = ((SMALL, 32, _small), (MEDIUM, 64, _medium), (LARGE, 256, _large))
    for kind, size, make in cases[:1] if quick else cases:
        name = f"{kind}, batch {size}"
        yield name, functools.partial(make, name, quick)
    if "precision" in inspect.signature(fallline.train).parameters:
        name = f"{LARGE}, batch 256, bfloat16"
        yield name, functools.partial(_bfloat16, name, quick)


def classes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Twenty columns, three classes, not linearly separable."""
    random = np.random.default_rng(0)
    x = random.normal(size=(count, 20)).astype(np.float32)
    score = x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + 0.3 * random.normal(size=count)
    return x, np.digitize(score, [-0.5, 0.5]).astype(np.int32)


def digits(count: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Rows of mnist10k, or made ones like them, and which of both."""
    try:
        arrays = np.load(real_table("mnist10k.npz"))
    except Skipped as reason:
        said = f"made rows of ten patterns, since {reason}"
    else:
        x = arrays["images"].reshape(len(arrays["images"]), -1)[:count] / np.float32(255)
        return x.astype(np.float32), arrays["labels"][:count].astype(np.int32), "mnist10k"
    random = np.random.default_rng(0)
    y = random.integers(0, 10, count).astype(np.int32)
    ink = random.random((10, 784)) < 0.2
    x = np.where(ink[y] != (random.random((count, 784)) < 0.15), random.random((count, 784)), 0)
    return x.astype(np.float32), y, said


def ours(task: networks.Task, label: str = "", **options: Any) -> Contender:
    """The whole of `fallline.train`, its history recorded."""
    sizes = task.sizes
    model, start = models.MLP(sizes[0], task.hidden, sizes[-1]), task.params

    def run() -> list[np.ndarray]:
        found = fallline.train(
            model,
            "softmax_cross_entropy",
            (task.x, task.y),
            params=start,
            optimizer=optimizers.Adam(task.rate),
            batch_size=task.batch,
            epochs=task.epochs,
            **options,
        )
        return [np.asarray(found.params[layer][kind]) for layer in start for kind in start[layer]]

    return contender("Fallline", task, run, label=label)


def contender(
    name: str,
    task: networks.Task,
    train: Callable[[], list[np.ndarray]],
    threads: tuple[int, ...] = (1,),
    label: str = "",
) -> Contender:
    """Whoever trains the task; the quality is the loss over all rows at the end."""

    def run() -> Any:
        weights = train()
        return lambda: task.loss(weights)

    return Contender(name, run, threads, label)


def torch_compiled(
    task: networks.Task, threads: tuple[int, ...], label: str = "", **options: Any
) -> Contender:
    """A whole step compiled by torch, with its wrapper in Python or in C++, whichever is faster."""
    variants = {
        f"{label} Python wrapper": None,
        f"{label} C++ wrapper": {"cpp_wrapper": True},
    }
    return fastest(
        *(
            contender(
                "torch compiled",
                task,
                networks.torch_compiled(task, options=given, **options),
                threads,
                text.strip(),
            )
            for text, given in variants.items()
        )
    )


def _workload(
    name: str,
    task: networks.Task,
    targets: dict[str, float],
    quick: bool,
    *,
    threads: tuple[int, ...],
    tolerance: float,
    ceiling: str,
    data: str = "made rows",
    share: float = 0.0,
) -> Workload:
    contenders = [
        ours(task),
        peer(
            "torch eager",
            lambda: contender("torch eager", task, networks.torch_eager(task), threads),
        ),
        peer(
            "scikit-learn MLPClassifier",
            lambda: contender("scikit-learn MLPClassifier", task, networks.sklearn(task), threads),
        ),
        peer("Keras", lambda: contender("Keras", task, networks.keras(task), label="on JAX")),
    ]
    note = f"{data}; the same initial weights; torch in our order of rows, the others in their own"
    note += f"; {ARITHMETIC}"
    if quick:
        note += "; torch.compile left out, which compiles for half a minute"
    else:
        contenders.insert(2, peer("torch compiled", lambda: torch_compiled(task, threads)))
    return Workload(
        name,
        contenders,
        targets,
        task.updates,
        task.flops,
        tolerance=tolerance,
        note=note,
        ceiling=ceiling,
        share=share,
    )


def _small(name: str, quick: bool) -> Workload:
    count, epochs = (QUICK_ROWS, 2) if quick else (8000, 20)
    task = networks.Task(*classes(count), (64, 64), 32, epochs)
    targets = {"torch eager": 16.0, "scikit-learn MLPClassifier": 11.0, "Keras": 8.0}
    return _workload(name, task, targets, quick, threads=(1, 2), tolerance=0.03, ceiling="sgemm 1")


def _medium(name: str, quick: bool) -> Workload:
    x, y, data = digits(1024 if quick else 9984)
    task = networks.Task(x, y, (128,), 64, 1 if quick else 6, 3e-4)
    targets = {"torch eager": 3.0, "scikit-learn MLPClassifier": 3.5}
    more: Any = {"ceiling": "sgemm 1", "data": data, "share": 0.65}
    return _workload(name, task, targets, quick, threads=(1, 2), tolerance=0.03, **more)


def _large_task(quick: bool) -> tuple[networks.Task, str]:
    x, y, data = digits(1024 if quick else 9984)
    return networks.Task(x, y, (1024, 1024), 256, 1 if quick else 2, 1e-4), data


def _large(name: str, quick: bool) -> Workload:
    task, data = _large_task(quick)
    targets = {"torch eager": 1.0, "scikit-learn MLPClassifier": 2.0}
    more: Any = {"ceiling": "sgemm 2", "data": data, "share": 0.85}
    return _workload(name, task, targets, quick, threads=(2, 1), tolerance=0.03, **more)


def _bfloat16(name: str, quick: bool) -> Workload:
    task, data = _large_task(quick)
    contenders = [
        ours(task, "bfloat16", precision="bfloat16"),
        peer(
            "torch eager",
            lambda: contender(
                "torch eager", task, networks.torch_eager(task, bfloat16=True), (2, 1), "bfloat16"
            ),
        ),
    ]
    if not quick:
        made = functools.partial(torch_compiled, task, (2, 1), "bfloat16,", bfloat16=True)
        contenders.append(peer("torch compiled", made))
    return Workload(
        name,
        contenders,
        {"torch eager": 1.0},
        task.updates,
        task.flops,
        tolerance=0.03,
        note=f"{data}; products in bfloat16 (torch: autocast), weights and Adam in single precision; "
        f"{ARITHMETIC}; the limit is that in single precision",
        ceiling="sgemm 2",
    )
