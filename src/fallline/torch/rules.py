"""Which optimizer of this house one of PyTorch's is, and what it remembers by the names used here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.optimizers import (
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    AMSGrad,
    Momentum,
    NAdam,
    Nesterov,
    Optimizer,
    RMSprop,
)
from fallline.torch.library import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

_STATE = {
    "momentum_buffer": "velocity",
    "exp_avg": "mean",
    "exp_avg_sq": "square",
    "max_exp_avg_sq": "largest",
    "square_avg": "square",
    "grad_avg": "mean",
    "acc_delta": "moved",
    "sum": "sum",
}
"""PyTorch's names and ours. Where one of them stands for something else, `state_of` says so."""


def translated(optimizer: Any) -> Optimizer | None:
    """The optimizer of this house that takes the same steps, at the first group's numbers.

    Weight decay inside the gradient is left out: it belongs to the objective, see `penalties`. None for a
    class that is not known (also one derived from PyTorch's), for ``maximize``, and for choices that exist
    only there.
    """
    group = optimizer.param_groups[0]
    optim = torch().optim
    kind = type(optimizer)
    if kind not in _known() or group.get("maximize") or group.get("differentiable"):
        return None
    rate = float(group.get("initial_lr", group.get("lr", 0.0)))
    beta1, beta2 = (float(beta) for beta in group.get("betas", (0.0, 0.0)))
    epsilon = float(group.get("eps", 0.0))
    decay = float(group.get("weight_decay", 0.0))
    if kind is optim.SGD:
        return _descent(rate, group)
    if kind is optim.AdamW or (kind is optim.Adam and group.get("decoupled_weight_decay")):
        return None if group["amsgrad"] else AdamW(rate, beta1, beta2, epsilon, decay)
    if kind is optim.Adam:
        return (AMSGrad if group["amsgrad"] else Adam)(rate, beta1, beta2, epsilon)
    if kind is optim.NAdam and not group.get("decoupled_weight_decay"):
        return NAdam(rate, beta1, beta2, epsilon)
    if kind is optim.RMSprop:
        momentum = float(group["momentum"]) or None
        return RMSprop(rate, float(group["alpha"]), epsilon, momentum, bool(group["centered"]))
    if kind is optim.Adagrad and not group["lr_decay"]:
        return AdaGrad(rate, epsilon)
    if kind is optim.Adadelta:
        return AdaDelta(rate, float(group["rho"]), epsilon)
    return None


def penalties(optimizer: Any, parameters: Sequence[Any]) -> list[float]:
    r"""The weight decay $\lambda$ inside each parameter's gradient: the optimizer sees $g + \lambda \theta$.

    It descends the loss and $\frac{\lambda}{2} \lVert \theta \rVert^2$ together. 0 where the decay is
    decoupled, and for a class that is not known.
    """
    found: dict[int, float] = {}
    if type(optimizer) in _known() and type(optimizer) is not torch().optim.AdamW:
        for group in optimizer.param_groups:
            if not group.get("decoupled_weight_decay"):
                decay = float(group.get("weight_decay", 0.0))
                found |= {id(p): decay for p in group["params"]}
    return [found.get(id(p), 0.0) for p in parameters]


def _known() -> tuple[type, ...]:
    """The classes whose settings are read; others may call by the same name what is no number."""
    o = torch().optim
    return o.SGD, o.AdamW, o.Adam, o.NAdam, o.RMSprop, o.Adagrad, o.Adadelta


def _descent(rate: float, group: dict[str, Any]) -> Optimizer | None:
    momentum, damping = float(group["momentum"]), float(group["dampening"])
    if not momentum:
        return SGD(rate)
    if group["nesterov"]:
        return Nesterov(rate, momentum)
    if damping not in (0.0, momentum):
        return None
    return Momentum(rate, momentum, average=damping == momentum)


def state_of(ours: Optimizer, theirs: Any, parameters: Sequence[Any]) -> dict[str, Any] | None:
    """What PyTorch's optimizer remembers of some parameters, as `fallline.optimizers` would hold it.

    A list an entry, one array in single precision a parameter. None before its first step, and for complex
    parameters.
    """
    if any(p.is_complex() for p in parameters):
        return None
    each = [theirs.state.get(p, {}) for p in parameters]
    found: dict[str, Any] = {"step": 0}
    steps = [float(state["step"]) for state in each if "step" in state]
    if steps:
        found["step"] = int(max(steps))
    for its, our in _name_pairs(ours):
        if all(state.get(its) is not None for state in each):
            found[our] = [state[its].detach().float().cpu().numpy() for state in each]
    wanted = set(ours.init([np.zeros(1, np.float32)]))
    return found if wanted <= set(found) else None


def _name_pairs(ours: Optimizer) -> list[tuple[str, str]]:
    known = dict(_STATE)
    if isinstance(ours, RMSprop):
        # Here the buffer is a velocity like SGD's.
        known.pop("exp_avg")
    return list(known.items())
