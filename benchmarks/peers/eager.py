"""Networks and linear models in torch, eager, written the way that is fastest on a processor.

Rows are shuffled once an epoch and then taken as slices; Adam and SGD are the fused ones. A step at a time
is dispatched from Python, as torch users do.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    import numpy as np


class Eager:
    """A model in training.

    Args:
        X: features, (n, columns), single precision.
        y: class numbers, or targets of a regression, (n,).
        hidden: units of each hidden layer; none for a linear model.
        classes: how many; 0 for a regression.
        rate: the learning rate.
        batch: rows a step.
        adam: Adam, else plain SGD.
        seed: of the initial weights and the orders.
    """

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray,
        *,
        hidden: tuple[int, ...] = (),
        classes: int = 0,
        rate: float = 0.001,
        batch: int = 128,
        adam: bool = True,
        seed: int = 0,
    ) -> None:
        torch.manual_seed(seed)
        self.X = torch.from_numpy(X)
        self.classes, self.batch = classes, batch
        self.y = torch.from_numpy(y).long() if classes else torch.from_numpy(y).float()[:, None]
        sizes = [X.shape[1], *hidden, classes or 1]
        layers: list[Any] = []
        for a, b in itertools.pairwise(sizes):
            layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
        self.net = torch.nn.Sequential(*layers[:-1]) if hidden else layers[0]
        kind = torch.optim.Adam if adam else torch.optim.SGD
        self.optimizer = kind(self.net.parameters(), lr=rate, fused=True)
        self.criterion = torch.nn.CrossEntropyLoss() if classes else torch.nn.MSELoss()

    def steps(self, count: int) -> None:
        """Some updates from the top of the table."""
        done = 0
        while done < count:
            for x, y in zip(self.X.split(self.batch), self.y.split(self.batch), strict=True):
                self._step(x, y)
                done += 1
                if done == count:
                    return

    def epoch(self) -> None:
        """One pass in a new order."""
        order = torch.randperm(len(self.X))
        X, y = self.X[order], self.y[order]
        for a, b in zip(X.split(self.batch), y.split(self.batch), strict=True):
            self._step(a, b)

    def epoch_loss(self) -> float:
        """One pass in a new order; the mean loss as the rows were met."""
        order = torch.randperm(len(self.X))
        X, y = self.X[order], self.y[order]
        total = torch.zeros(())
        for a, b in zip(X.split(self.batch), y.split(self.batch), strict=True):
            total += self._step(a, b).detach() * len(a)
        return total.item() / len(X)

    def outputs(self, X: np.ndarray) -> np.ndarray:
        """Raw outputs, (n, outputs)."""
        with torch.no_grad():
            return self.net(torch.from_numpy(X)).numpy()

    def _step(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.criterion(self.net(x), y)
        loss.backward()
        self.optimizer.step()
        return loss
