"""What is measured of a step in PyTorch: inner products, one a parameter, left on their device.

They are inner products, not norms, because those run as one call of the linear algebra library each, and
without threads where they are short: half the time of ``torch._foreach_norm`` on a small network.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.descent.loop import STEP_FIELDS
from fallline.torch.library import torch

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclasses.dataclass
class Step:
    """Inner products of a step, a list a kind, each with one number a parameter that has a gradient.

    Attributes:
        active: which parameters have one.
        gradient: of the gradient with itself.
        parameter: of the parameters before the step.
        update: of the update.
        previous: of the gradient before.
        product: of both gradients.
        rates: by which ``update`` is still to be multiplied, or None.
    """

    active: list[int]
    gradient: list[Any]
    parameter: list[Any] = dataclasses.field(default_factory=list[Any])
    update: list[Any] = dataclasses.field(default_factory=list[Any])
    previous: list[Any] = dataclasses.field(default_factory=list[Any])
    product: list[Any] = dataclasses.field(default_factory=list[Any])
    rates: list[float] | None = None

    @property
    def all(self) -> tuple[list[Any], ...]:
        """In the order in which `table` takes them."""
        return self.gradient, self.update, self.parameter, self.previous, self.product


class Measure:
    """Measures steps of an optimizer.

    The last gradient is kept by reference where the loop lets go of it (``set_to_none=True``, the default of
    PyTorch); once it is found overwritten, it is copied from then on.

    An update is the parameters' difference, which needs a copy of them. With PyTorch's own SGD it is the rate
    times its velocity, or the gradient, which are at hand.

    Args:
        optimizer: whose steps.
        parameters: its parameters, in order.
    """

    def __init__(self, optimizer: Any, parameters: Sequence[Any]) -> None:
        self._optimizer = optimizer
        self._parameters = parameters
        self._groups = [group for group in optimizer.param_groups for _ in group["params"]]
        self._ours = type(optimizer) is torch().optim.SGD
        self._at_hand = False
        self._dot = torch().dot
        self._before: list[Any] = []
        self._kept: list[Any] = []
        self._kept_active: list[int] = []
        self._versions: list[int] = []
        self._squares: list[Any] = []
        self._copy = False

    def begin(self, *, whole: bool, keep: bool) -> Step:
        """The gradient is there, the update is not.

        Args:
            whole: measure all, not the gradient's norm alone.
            keep: is this gradient wanted at the next step?
        """
        dot = self._dot
        found = [p.grad for p in self._parameters]
        active = [i for i, g in enumerate(found) if g is not None]
        grads = [_flat(found[i]) for i in active]
        step = Step(active, [dot(g, g) for g in grads])
        if whole:
            weights = [_flat(self._parameters[i]) for i in active]
            step.parameter = [dot(x, x) for x in weights]
            self._at_hand = self._ours and all(map(_simple, self._optimizer.param_groups))
            if not self._at_hand:
                if [x.shape for x in self._before] != [x.shape for x in weights]:
                    self._before = [torch().empty_like(x) for x in weights]
                torch()._foreach_copy_(self._before, weights)
            if self._kept and active == self._kept_active:
                self._align(step, grads)
        self._kept = []
        if keep:
            self._kept_active, self._squares = active, step.gradient
            self._kept = [g.clone() for g in grads] if self._copy else grads
            self._versions = [g._version for g in self._kept]
        return step

    def _align(self, step: Step, grads: list[Any]) -> None:
        """Inner products with the gradient before, if it is still what it was."""
        if [g._version for g in self._kept] == self._versions:
            step.previous = self._squares
            step.product = [self._dot(g, k) for g, k in zip(grads, self._kept, strict=True)]
        else:
            self._copy = True

    def end(self, step: Step) -> None:
        """The update is done."""
        if self._at_hand:
            step.rates = [float(self._groups[i]["lr"]) for i in step.active]
            if self._groups[0]["momentum"]:
                state = self._optimizer.state
                moves = [_flat(state[self._parameters[i]]["momentum_buffer"]) for i in step.active]
                step.update = [self._dot(x, x) for x in moves]
            else:
                step.update = step.gradient
            return
        weights = [_flat(self._parameters[i]) for i in step.active]
        torch()._foreach_sub_(self._before, weights)
        step.update = [self._dot(x, x) for x in self._before]

    def forget(self) -> None:
        """Let go of all memory."""
        self._before, self._kept = [], []


def _simple(group: dict[str, Any]) -> bool:
    """Is the step of this group of SGD its rate times something at hand?"""
    rate, momentum = group["lr"], group["momentum"]
    if not isinstance(rate, float) or group.get("differentiable"):
        return False
    return not group["nesterov"] if momentum else not group["weight_decay"]


def table(steps: Sequence[Step], count: int) -> tuple[np.ndarray, np.ndarray]:
    """The norms of steps, (steps, 6) by `STEP_FIELDS`, and of their parameters, (steps, 3, count).

    NaN for what was not measured.
    """
    squares = np.full((len(steps), 5, count), np.nan)
    whole = np.full((len(steps), 5), np.nan)
    found = numbers([x for step in steps for kind in step.all for x in kind])
    first = begin = 0
    # Nearly all steps are alike, and alike ones are taken apart together.
    for (active, kinds, rated), alike in itertools.groupby(steps, _layout):
        block = list(alike)
        shape = (len(block), len(kinds), len(active))
        values = found[begin : begin + math.prod(shape)].reshape(shape)
        begin += values.size
        if rated and 1 in kinds:
            values[:, 1] *= np.square(np.array([step.rates for step in block]))
        places = slice(first, first + len(block))
        first = places.stop
        squares[(places, *np.ix_(kinds, active))] = values
        whole[places][:, kinds] = values.sum(axis=2)
    rows = np.full((len(steps), len(STEP_FIELDS)), np.nan)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        rows[:, 2:5] = np.sqrt(whole[:, :3])
        rows[:, 5] = whole[:, 4] / (np.sqrt(whole[:, 0]) * np.sqrt(whole[:, 3]))
        return rows, np.sqrt(squares[:, :3])


def _layout(step: Step) -> tuple[list[int], list[int], bool]:
    """Which parameters a step has numbers of, which kinds, and whether its updates lack their rates."""
    # Without a gradient before there is none of the last two kinds; an update is there unless a step failed.
    kinds = [i for i, kind in enumerate(step.all) if kind]
    return step.active, kinds, step.rates is not None


def numbers(tensors: Sequence[Any]) -> np.ndarray:
    """Some tensors of one number each, fetched together."""
    if not tensors:
        return np.zeros(0)
    try:
        whole = torch().stack(tensors)
    except RuntimeError:
        # Of several kinds, or on several devices.
        return np.array([float(x) for x in tensors])
    return whole.double().cpu().numpy()


def _flat(x: Any) -> Any:
    """A tensor as one vector of real numbers, the same memory where that is possible."""
    t = torch()
    x = x.detach()
    if x.dtype is t.float32 and x.layout is t.strided:
        return x.reshape(-1)
    if x.is_sparse:
        x = x.to_dense()
    if x.is_complex():
        x = t.view_as_real(x)
    return x.reshape(-1) if x.dtype is t.float64 else x.reshape(-1).float()
