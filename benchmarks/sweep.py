"""A small network at 64 learning rates from 4 seeds: swept, one by one here, and one by one in torch.

python -m benchmarks.sweep [--rates 64] [--seeds 4] [--epochs 10] [--torch-runs 16] [--out FILE.json]

20-64-64-3, batches of 32, 2,000 rows, Adam, single precision. "One by one" is `fallline.train` in a Python
loop, its program compiled once; torch trains some of the runs (eager, its own fused Adam, one thread or
two, whichever is faster) and is scaled up to all. Before a time counts, the sweep's losses must equal those
of the single runs, and torch's at its rates must be as good. The first sweep of a process compiles; both
are given.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import fallline
from fallline import models, optimizers

BATCH = 32


def rows(count: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Three classes, not linearly separable."""
    random = np.random.default_rng(0)
    x = random.normal(size=(count, 20)).astype(np.float32)
    score = x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + 0.3 * random.normal(size=count)
    return x, np.digitize(score, [-0.5, 0.5]).astype(np.int32)


def with_torch(
    x: np.ndarray, y: np.ndarray, rates: np.ndarray, epochs: int, threads: int
) -> tuple[float, list[float]]:
    """Seconds, and each run's mean loss over its last epoch."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    features, targets = torch.tensor(x), torch.tensor(y, dtype=torch.long)
    began, losses = time.perf_counter(), []
    for rate in rates:
        net = torch.nn.Sequential(
            torch.nn.Linear(20, 64),
            torch.nn.ReLU(),
            torch.nn.Linear(64, 64),
            torch.nn.ReLU(),
            torch.nn.Linear(64, 3),
        )
        optimizer = torch.optim.Adam(net.parameters(), lr=float(rate), fused=True)
        criterion = torch.nn.CrossEntropyLoss()
        for epoch in range(epochs):
            order, total = torch.randperm(len(x)), 0.0
            for begin in range(0, len(x), BATCH):
                chosen = order[begin : begin + BATCH]
                optimizer.zero_grad()
                loss = criterion(net(features[chosen]), targets[chosen])
                loss.backward()
                optimizer.step()
                if epoch == epochs - 1:
                    total += loss.item() * len(chosen)
        losses.append(total / len(x))
    return time.perf_counter() - began, losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rates", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--torch-runs", type=int, default=16)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    x, y = rows()
    rates = np.geomspace(1e-4, 0.03, asked.rates)
    model = models.MLP(20, (64, 64), 3)
    count = asked.rates * asked.seeds

    def swept() -> fallline.SweepResult:
        return fallline.sweep(
            model,
            "softmax_cross_entropy",
            (x, y),
            learning_rate=rates,
            seeds=asked.seeds,
            batch_sizes=BATCH,
            epochs=asked.epochs,
        )

    def single(rate: float, seed: int) -> float:
        run = fallline.train(
            model,
            "softmax_cross_entropy",
            (x, y),
            optimizer=optimizers.Adam(rate),
            batch_size=BATCH,
            epochs=asked.epochs,
            seed=seed,
        )
        return float(run.history.training_loss[-1])

    seconds: dict[str, float] = {}
    began = time.perf_counter()
    result = swept()
    seconds["sweep, compiling"] = time.perf_counter() - began
    single(float(rates[0]), 0)
    best = []
    for _ in range(2):
        began = time.perf_counter()
        result = swept()
        best.append(time.perf_counter() - began)
    seconds["sweep"] = min(best)
    began = time.perf_counter()
    losses = {
        (r, s): single(float(rates[r]), s) for s in range(asked.seeds) for r in range(asked.rates)
    }
    seconds["one by one, here"] = time.perf_counter() - began
    made = result.parts[0].values["training_loss"]
    worst = max(abs(made[s, r] / value - 1) for (r, s), value in losses.items())
    if worst > 1e-3:
        raise SystemExit(f"The sweep's losses differ from the single runs' by {worst:.2%}.")
    updates = count * asked.epochs * -(-len(x) // BATCH)
    try:
        chosen = np.linspace(0, asked.rates - 1, asked.torch_runs).astype(int)
        taken = {t: with_torch(x, y, rates[chosen], asked.epochs, t) for t in (1, 2)}
        threads = min(taken, key=lambda t: taken[t][0])
        seconds[f"one by one, torch ({threads} threads, scaled)"] = (
            taken[threads][0] * count / len(chosen)
        )
        ours = np.median([losses[int(r), 0] for r in chosen])
        print(
            f"median loss at torch's rates: here {ours:.4f}, torch {np.median(taken[threads][1]):.4f}"
        )
    except ImportError:
        print("torch is not installed; it is left out")
    table = Table(
        f"{count} runs, {updates:,} steps", "seconds", "microseconds a step", "ratio to the sweep"
    )
    for name, value in seconds.items():
        table.add_row(
            name, f"{value:.2f}", f"{value / updates * 1e6:.1f}", f"{value / seconds['sweep']:.2f}"
        )
    Console().print(table)
    print(f"largest relative difference of a run's loss, swept and single: {worst:.1e}")
    if asked.out:
        facts = {"runs": count, "steps": updates, "cores": os.cpu_count(), "seconds": seconds}
        asked.out.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
