"""What watching costs: loops of PyTorch and of JAX with optax, with and without a watch, round about.

python -m benchmarks.watching [NAME ...] [--rounds 12] [--steps 512] [--threads N] [--out FILE.json]

An ordinary network (784-256-128-10, ReLU, batches of 64 rows) is trained by loops as people write them. A
round is some hundred steps of the one loop, then as many of the other, in an order that changes from round to
round; the ratio of a round is that of its two times, so that a busy machine slows both, and the median of the
ratios counts. Fetching what was recorded is in the time, and with JAX also what it costs to hand out the
gradient and the update, which a loop that is not watched keeps to itself; "inside" measures in the compiled
step instead. With one thread, PyTorch's time is its own, which other processes do not lengthen. "All"
has the activations in it, looked at in every tenth step. Loops whose library is missing are left out. The
target is 15 % for the history of PyTorch's loops.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import os
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.facts import facts

if TYPE_CHECKING:
    from collections.abc import Callable

    Loop = Callable[[int], None]

SIZES = (784, 256, 128, 10)
ROWS, BATCH = 4096, 64
TARGET = 1.15


def data() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(ROWS, SIZES[0])).astype(np.float32)
    return x, draw.integers(0, SIZES[-1], ROWS)


def torch_loop(rule: str, watched: dict[str, Any] | None) -> Loop:
    import torch

    import fallline.torch

    torch.manual_seed(0)
    x, y = map(torch.as_tensor, data())
    layers: list[Any] = []
    for before, after in itertools.pairwise(SIZES):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    criterion = torch.nn.CrossEntropyLoss()
    optimizer = {
        "sgd": lambda p: torch.optim.SGD(p, 0.01, momentum=0.9),
        "adam": lambda p: torch.optim.Adam(p, 1e-4),
    }[rule](model.parameters())
    watch = None if watched is None else fallline.torch.watch(model, optimizer, **watched)

    def loop(steps: int) -> None:
        for i in range(steps):
            begin = i * BATCH % ROWS
            optimizer.zero_grad()
            loss = criterion(model(x[begin : begin + BATCH]), y[begin : begin + BATCH])
            if watch is not None:
                loss = watch.loss(loss)
            loss.backward()
            optimizer.step()
        if watch is not None:
            _ = watch.history

    return loop


def jax_loop(rule: str, watched: dict[str, Any] | None) -> Loop:
    import jax
    import jax.numpy as jnp
    import optax

    from fallline.diagnosis.watch import watch

    x, y = map(jnp.asarray, data())
    optimizer = {"sgd": optax.sgd(0.01, momentum=0.9), "adam": optax.adam(1e-4)}[rule]
    draw = np.random.default_rng(1)
    now = [
        {
            "w": jnp.asarray(draw.normal(size=(a, b)) * (2 / a) ** 0.5, jnp.float32),
            "b": jnp.zeros(b),
        }
        for a, b in itertools.pairwise(SIZES)
    ]
    state = optimizer.init(now)
    recorder = None
    inside = bool(watched) and watched.pop("inside", False)
    before = jax.tree.map(jnp.zeros_like, now) if inside else None
    if watched is not None:
        recorder = watch(None, (x, y), optimizer, batch_size=BATCH, **watched)

    def objective(params: Any, x: Any, y: Any) -> Any:
        for layer in params[:-1]:
            x = jax.nn.relu(x @ layer["w"] + layer["b"])
        logits = x @ params[-1]["w"] + params[-1]["b"]
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    @jax.jit
    def step(params: Any, state: Any, before: Any, x: Any, y: Any) -> Any:
        loss, grads = jax.value_and_grad(objective)(params, x, y)
        updates, state = optimizer.update(grads, state, params)
        told: Any = None
        if recorder is not None:
            told = (grads, updates)
            if inside:
                told = recorder.measure(params, *told, loss, before), grads
        return optax.apply_updates(params, updates), state, loss, told

    batches = [(x[i : i + BATCH], y[i : i + BATCH]) for i in range(0, ROWS, BATCH)]

    def loop(steps: int) -> None:
        nonlocal now, state, before
        for i in range(steps):
            params = now
            now, state, loss, told = step(params, state, before, *batches[i % len(batches)])
            if recorder is not None and inside:
                record, before = told
                recorder.extend(record)
            elif recorder is not None:
                recorder.log(params, *told, loss)
        jax.block_until_ready(now)
        if recorder is not None:
            _ = recorder.history

    return loop


LOOPS: dict[str, tuple[str, Callable[..., Loop], str, dict[str, Any]]] = {
    "torch, sgd, history": ("torch", torch_loop, "sgd", {"activations": False}),
    "torch, sgd, all": ("torch", torch_loop, "sgd", {}),
    "torch, adam, history": ("torch", torch_loop, "adam", {"activations": False}),
    "torch, adam, all": ("torch", torch_loop, "adam", {}),
    "jax, sgd": ("optax", jax_loop, "sgd", {}),
    "jax, sgd, inside": ("optax", jax_loop, "sgd", {"inside": True}),
    "jax, sgd, every fourth": ("optax", jax_loop, "sgd", {"every": 4}),
    "jax, adam": ("optax", jax_loop, "adam", {}),
    "jax, adam, inside": ("optax", jax_loop, "adam", {"inside": True}),
}


def measured(name: str, rounds: int, steps: int) -> dict[str, Any] | None:
    """Milliseconds a step without and with, and the ratios of the rounds; None without the library."""
    library, make, rule, options = LOOPS[name]
    if importlib.util.find_spec(library) is None:
        return None
    loops = [make(rule, None), make(rule, dict(options))]
    for loop in loops:
        loop(steps)
    times: list[list[float]] = [[], []]
    alone = library == "torch" and os.environ.get("OMP_NUM_THREADS") == "1"
    clock = time.thread_time if alone else time.perf_counter
    for i in range(rounds):
        for which in (0, 1) if i % 2 else (1, 0):
            begin = clock()
            loops[which](steps)
            times[which].append((clock() - begin) / steps * 1e3)
    ratios = sorted(b / a for a, b in zip(*times, strict=True))
    return {
        "name": name,
        "plain_ms": statistics.median(times[0]),
        "watched_ms": statistics.median(times[1]),
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "target": TARGET,
    }


def main() -> None:
    """Measure and print, and keep if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="loops whose names contain one of these")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--steps", type=int, default=512, help="steps of each loop a round")
    parser.add_argument(
        "--threads", type=int, help="PyTorch's threads; by default as many as it likes"
    )
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    if asked.threads:
        os.environ["OMP_NUM_THREADS"] = str(asked.threads)
    chosen = [n for n in LOOPS if not asked.names or any(part in n for part in asked.names)]
    console, table = Console(), Table("loop", "plain, ms", "watched, ms", "ratio", "of the rounds")
    found: list[dict[str, Any]] = []
    for name in chosen:
        lane = measured(name, asked.rounds, asked.steps)
        if lane is None:
            console.print(f"{name}: left out, {LOOPS[name][0]} is not installed.")
            continue
        found.append(lane)
        spread = f"{lane['ratios'][0]:.2f} to {lane['ratios'][-1]:.2f}"
        numbers = f"{lane['plain_ms']:.3f}", f"{lane['watched_ms']:.3f}", f"{lane['ratio']:.3f}"
        table.add_row(name, *numbers, spread)
    console.print(table)
    if asked.out:
        kept = {"facts": facts(), "threads": asked.threads, "loops": found}
        asked.out.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
