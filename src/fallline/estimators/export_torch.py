"""The weights of fitted estimators by the names that PyTorch gives them."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fallline.errors import FalllineError
from fallline.estimators.export import layers_now, types_of
from fallline.models.layers import Affine, BatchNorm


def torch_layout(estimator: Any, *, dtype: Any = None) -> dict[str, np.ndarray]:
    """The weights of a fitted estimator by the names that PyTorch's ``Sequential`` gives them.

    See `to_torch` for the layers.

    Args:
        estimator: a fitted estimator of this package.
        dtype: "float32" or "float64"; by default that which the estimator computes in.

    Returns:
        Arrays by name: ``"0.weight"`` (units, columns), ``"0.bias"`` (units,), ...

    Raises:
        NotFittedError: if the estimator is not fitted.
    """
    check_is_fitted(estimator, "_params")
    kind = types_of(estimator, dtype)[0]
    affines = iter(layers_now(estimator))
    found: dict[str, np.ndarray] = {}
    for i, (name, layer) in enumerate(estimator._network.layers.layers):
        if isinstance(layer, Affine):
            weights, bias = next(affines)
            found[f"{i}.weight"] = weights.T.astype(kind)
            found[f"{i}.bias"] = bias.astype(kind)
        elif isinstance(layer, BatchNorm):
            trained, counted = estimator._params[name], estimator._state[name]
            found[f"{i}.weight"] = np.asarray(trained["scale"], kind)
            found[f"{i}.bias"] = np.asarray(trained["shift"], kind)
            found[f"{i}.running_mean"] = np.asarray(counted["mean"], kind)
            found[f"{i}.running_var"] = np.asarray(counted["variance"], kind)
            found[f"{i}.num_batches_tracked"] = np.asarray(estimator.run_.steps, np.int64)
    return found


def to_torch(estimator: Any, *, dtype: Any = None) -> Any:
    """The weights of a fitted estimator as the state of a PyTorch network.

    They are for a ``torch.nn.Sequential`` of these layers, numbered from 0 in this order:

    - for each hidden layer of n units, ``Linear(before, n)``; with ``batch_norm=True`` then
      ``BatchNorm1d(n)`` (PyTorch's own epsilon and momentum are those used here); the activation; with
      ``dropout`` above 0 then ``Dropout(p)``;
    - at the end ``Linear(before, outputs)``. A linear model is this one layer.

    The activations are ``Identity``, ``Sigmoid``, ``Tanh``, ``ReLU``, ``LeakyReLU``, ``ELU``, ``GELU``
    and ``Softplus``, as PyTorch makes them without arguments. For a network of one hidden layer:

        net = torch.nn.Sequential(
            torch.nn.Linear(30, 100), torch.nn.ReLU(), torch.nn.Linear(100, 1)
        )
        net.load_state_dict(estimator.to_torch())
        net.eval()

    The first layer takes raw features (standardising is folded into it) and the last gives the raw
    outputs: numbers in the target's units (their logarithms for the loss 'poisson'), or logits, one
    for two classes, above 0 for the second, and one for each class or label otherwise.

    Args:
        estimator: a fitted estimator of this package.
        dtype: "float32" or "float64"; by default that which the estimator computes in. Where columns
            lie far from 0 for their spread, take "float64" and ``net.double()``: the network no longer
            centres them, and single precision keeps only seven digits.

    Returns:
        ``collections.OrderedDict`` of ``torch.Tensor`` by name, as ``load_state_dict`` takes it.

    Raises:
        FalllineError: if PyTorch is not installed.
        NotFittedError: if the estimator is not fitted.
    """
    arrays = torch_layout(estimator, dtype=dtype)
    try:
        import torch  # pyright: ignore[reportMissingImports] - never a dependency
    except ImportError:
        raise FalllineError(
            "This needs PyTorch, which is not installed: run  pip install torch."
        ) from None
    tensors: Any = torch
    return collections.OrderedDict(
        (name, tensors.from_numpy(np.array(array))) for name, array in arrays.items()
    )
