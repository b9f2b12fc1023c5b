"""The peers on a device: what one step of torch does, and three ways to have many steps done.

`eager` dispatches every step from Python, `compiled` has the gradient's program made by `torch.compile`, and
`graphed` records some whole steps, optimizer included, as one CUDA graph and plays that. Everything is made
on the device beforehand; a run begins with the initial weights copied in place, and ends when the weights
are back in NumPy, which waits for the device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.peers.networks import B1, B2, EPSILON

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.peers.networks import Task

    Arrays = list[np.ndarray]


class Work:
    """Parameters on a device, and what happens in a step.

    Args:
        start: initial values of the parameters.
        inputs: what each step gets, (steps, ...).
        rate: Adam's; a tensor, so that a recorded step can be played at another one.
        device: "cuda", or "cpu" to see that it runs.
    """

    def __init__(self, start: Arrays, inputs: Any, rate: float, device: str) -> None:
        self.device = torch.device(device)
        self.start = [torch.tensor(a, device=device) for a in start]
        self.inputs = torch.tensor(inputs, device=device)
        self.parameters = [a.clone().requires_grad_() for a in self.start]
        self.rate = torch.tensor(rate, dtype=torch.float32, device=device)
        self.optimizer = torch.optim.Adam(
            self.parameters,
            lr=self.rate,
            betas=(B1, B2),
            eps=EPSILON,
            fused=True,
            capturable=device == "cuda",
        )

    def reset(self) -> None:
        """Back to the beginning, in place."""
        with torch.no_grad():
            for parameter, first in zip(self.parameters, self.start, strict=True):
                parameter.copy_(first)
            for kept in self.optimizer.state.values():
                for value in kept.values():
                    value.zero_()

    def step(self, given: Any) -> None:
        """One update."""
        self.gradient(given)
        self.optimizer.step()

    def gradient(self, given: Any) -> None:
        """Set the parameters' gradients."""
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(given).backward()

    def loss(self, given: Any) -> Any:
        """What descends."""
        raise NotImplementedError

    def ends(self) -> Arrays:
        """The parameters as they are."""
        return [p.detach().cpu().numpy().copy() for p in self.parameters]


class Network(Work):
    """A task's layers; one step is one batch, its rows gathered on the device."""

    def __init__(self, task: Task, device: str, *, bfloat16: bool = False) -> None:
        rows = np.concatenate([o.reshape(-1, task.batch) for o in task.orders])
        start = [np.ascontiguousarray(a.T) for a in task.start]
        super().__init__(start, rows, task.rate, device)
        self.x = torch.tensor(task.x, device=device)
        self.y = torch.tensor(task.y, dtype=torch.long, device=device)
        self.bfloat16 = bfloat16

    def loss(self, given: Any) -> Any:
        """The mean over a batch; of all rates together, for networks side by side."""
        x, y = self.x.index_select(0, given), self.y.index_select(0, given)
        # Weights are rounded at each step, which a cache inside of a recorded graph would leave out.
        with torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.bfloat16, cache_enabled=False
        ):
            for i in range(0, len(self.parameters), 2):
                x = torch.nn.functional.linear(x, *self.parameters[i : i + 2])
                x = torch.relu(x) if i + 2 < len(self.parameters) else x
            return torch.nn.functional.cross_entropy(x, y)

    def ends(self) -> Arrays:
        """The other way round, as the start was given."""
        return [a.T for a in super().ends()]


class Networks(Work):
    """A task at many rates, side by side: products of stacked weights."""

    def __init__(self, task: Task, rates: np.ndarray, device: str) -> None:
        rows = np.concatenate([o.reshape(-1, task.batch) for o in task.orders])
        stacked = [np.repeat(np.atleast_2d(a)[None], len(rates), 0) for a in task.start]
        # The rates are put in front of what the optimizer has done, whose own is then 1.
        super().__init__(stacked, rows, 1.0, device)
        self.x = torch.tensor(task.x, device=device)
        self.y = torch.tensor(task.y, dtype=torch.long, device=device)
        self.each = torch.tensor(rates, dtype=torch.float32, device=device)[:, None, None]
        self.before = [torch.empty_like(p) for p in self.parameters]

    def loss(self, given: Any) -> Any:
        """The mean over a batch; of all rates together, for networks side by side."""
        x, y = self.x.index_select(0, given), self.y.index_select(0, given)
        z = x.expand(len(self.each), *x.shape)
        for i in range(0, len(self.parameters), 2):
            z = torch.baddbmm(self.parameters[i + 1], z, self.parameters[i])
            z = torch.relu(z) if i + 2 < len(self.parameters) else z
        wanted = y.repeat(len(self.each))
        total = torch.nn.functional.cross_entropy(z.flatten(0, 1), wanted, reduction="sum")
        return total / len(given)

    def step(self, given: Any) -> None:
        """One update, every run by its own rate."""
        self.gradient(given)
        torch._foreach_copy_(self.before, [p.detach() for p in self.parameters])
        self.optimizer.step()
        with torch.no_grad():
            for parameter, before in zip(self.parameters, self.before, strict=True):
                parameter.copy_(before + self.each * (parameter - before))

    def each_end(self) -> list[Arrays]:
        """The weights of every run."""
        arrays = self.ends()
        return [
            [a[k] if i % 2 == 0 else a[k, 0] for i, a in enumerate(arrays)]
            for k in range(len(self.each))
        ]


class Balls(Work):
    """Himmelblau's function from many places, its gradient by hand."""

    def __init__(self, starts: np.ndarray, steps: int, rate: float, device: str) -> None:
        super().__init__([np.ascontiguousarray(starts.T)], np.zeros(steps), rate, device)

    def gradient(self, given: Any) -> None:
        """Set it, without autograd."""
        p = self.parameters[0]
        p.grad = self.slope(p.detach())

    def slope(self, p: Any) -> Any:
        """The gradient at places, (2, n)."""
        x, y = p[0], p[1]
        a, b = x * x + y - 11, x + y * y - 7
        return torch.stack([2 * (2 * x * a + b), 2 * (a + 2 * y * b)])

    def ends(self) -> Arrays:
        """The other way round, as the start was given."""
        return [a.T for a in super().ends()]


def eager(work: Work) -> Callable[[], Arrays]:
    """Every step dispatched from Python."""

    def run() -> Arrays:
        work.reset()
        for given in work.inputs:
            work.step(given)
        return work.ends()

    return run


def compiled(work: Work, **options: Any) -> Callable[[], Arrays]:
    """Forward and backward made by `torch.compile`, the optimizer fused as it is.

    Args:
        work: its ``loss`` or ``slope`` is replaced by the compiled one.
        options: of `torch.compile`.
    """
    name = "slope" if isinstance(work, Balls) else "loss"
    setattr(work, name, torch.compile(getattr(work, name), dynamic=False, **options))
    return eager(work)


def graphed(work: Work, most: int = 16) -> Callable[[], Arrays]:
    """Some whole steps recorded as one CUDA graph.

    Args:
        work: on "cuda".
        most: steps of a graph, at most.
    """
    count = len(work.inputs)
    together = max(k for k in range(1, min(most, count) + 1) if count % k == 0)
    given = work.inputs[:together].clone()
    # Memory and the optimizer's state are made before recording, on a stream of their own.
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work.step(given[0])
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for k in range(together):
            work.step(given[k])

    def run() -> Arrays:
        work.reset()
        for part in work.inputs.split(together):
            given.copy_(part)
            graph.replay()
        return work.ends()

    return run
