"""What the activations of a PyTorch model give, looked at now and then by forward hooks."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.diagnosis import flow
from fallline.torch.library import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.diagnosis.flow import LayerActivity

EVERY = 10
"""Steps from one look to the next."""

WINDOW = 16
"""Looks that are remembered, the newest."""

ROWS = 64
"""Rows of each look, at most."""


class Activations:
    """Forward hooks on the activation modules of a model.

    Args:
        model: a ``torch.nn.Module``.
        looking: is this a step to look at?
    """

    def __init__(self, model: Any, looking: Callable[[], bool]) -> None:
        nn = torch().nn
        kinds = {nn.ReLU: "relu", nn.Sigmoid: "sigmoid", nn.Tanh: "tanh"}
        self._looking = looking
        self._seen: dict[str, collections.deque[tuple[Any, Any]]] = {}
        self._first: dict[str, tuple[Any, Any]] = {}
        self._kinds: dict[str, str] = {}
        self.handles: list[Any] = []
        for name, module in model.named_modules():
            kind = kinds.get(type(module))
            if kind is not None:
                self._kinds[name] = kind
                self.handles.append(module.register_forward_hook(self._hook(name, kind)))

    def _hook(self, name: str, kind: str) -> Callable[..., None]:
        def look(module: Any, inputs: Any, output: Any) -> None:
            if not (self._looking() and module.training and output.requires_grad):
                return
            # With inplace=True the input of a ReLU is gone; it is not needed.
            given = output if kind == "relu" else inputs[0]
            pair = (_rows(given), _rows(output))
            self._first.setdefault(name, pair)
            seen = self._seen.setdefault(name, collections.deque(maxlen=WINDOW))
            seen.append(pair)

        return look

    def measured(self, at: str) -> list[LayerActivity] | None:
        """What was seen at the "start" (one look) or the "end" (the newest looks together).

        Where a convolution gives several places, every place of every channel is a row.
        """
        found: list[LayerActivity] = []
        for name, seen in self._seen.items():
            looks = [self._first[name]] if at == "start" else list(seen)
            before, after = (
                np.concatenate([look[i].float().cpu().numpy() for look in looks]) for i in (0, 1)
            )
            found.append(flow.measured(name, self._kinds[name], before, after))
        return found or None


def _rows(values: Any) -> Any:
    """Some of the rows, a copy: units last, which is the channels where there are places."""
    values = values.detach()[:ROWS]
    if values.ndim > 3:
        values = values.movedim(1, -1)
    if values.ndim == 1:
        values = values[:, None]
    values = values.reshape(-1, values.shape[-1])
    return values[:: -(-len(values) // ROWS)].clone()
