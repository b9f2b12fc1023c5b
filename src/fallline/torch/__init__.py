"""Watching an ordinary PyTorch loop: the same history, and so the same doctor.

::

    watch = fallline.torch.watch(model, optimizer)
    for x, y in batches:
        optimizer.zero_grad()
        watch.loss(criterion(model(x), y)).backward()
        optimizer.step()
    print(watch.diagnose())
    watch.close()

PyTorch is imported when something is watched, not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fallline.torch.library import torch as _torch

if TYPE_CHECKING:
    from fallline.torch.watching import Watch

__all__ = ["watch"]


def watch(
    model: Any, optimizer: Any, *, layers: bool = True, activations: bool = True, every: int = 8
) -> Watch:
    """Record the history of a PyTorch loop by hooks, without changing a bit of it.

    The optimizer's hooks see every step. The only thing that they cannot see is the loss: hand it through
    ``watch.loss``, which gives it back as it is. Where ``optimizer.step`` is given a closure (LBFGS), even
    that is not needed.

    A step costs a walk through the gradient, and every eighth some more through it, the one before, the
    parameters and the update. Memory is needed for one more gradient, and unless PyTorch's own SGD takes the
    steps, for a copy of the parameters. Numbers are fetched from the device some hundred steps at a time.

    Args:
        model: a ``torch.nn.Module``.
        optimizer: a ``torch.optim.Optimizer`` over its parameters, or some of them. With several groups, the
            learning rate recorded is the first group's.
        layers: record the norms of every parameter, too.
        activations: look at what ``ReLU``, ``Sigmoid`` and ``Tanh`` modules give, at every tenth step on a
            few rows. Functions (``torch.relu``) are not seen.
        every: measure updates, parameters and the angle between gradients every so many steps only, as they
            cost the most; in between they are NaN. Loss, rate and gradient norm are recorded at each step.

    Raises:
        FalllineError: if PyTorch is not installed, or the two are not what they should be.
    """
    _torch()
    from fallline.torch.watching import Watch

    return Watch(model, optimizer, layers=layers, activations=activations, every=every)
