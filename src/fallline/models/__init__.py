"""Models: frozen descriptions with ``init`` and ``apply`` over plain pytrees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fallline.errors import FalllineError, lookup
from fallline.models.base import Model
from fallline.models.init import INITIALISERS
from fallline.models.layers import ACTIVATIONS, Activation, Affine, BatchNorm, Dropout, Sequential
from fallline.models.linear import Linear
from fallline.models.mlp import MLP

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ACTIVATIONS",
    "INITIALISERS",
    "MLP",
    "MODELS",
    "Activation",
    "Affine",
    "BatchNorm",
    "Dropout",
    "Linear",
    "Model",
    "Sequential",
    "from_description",
]

MODELS: dict[str, type[Model]] = {"linear": Linear, "mlp": MLP}


def from_description(description: Mapping[str, Any]) -> Model:
    """Make the model that `Model.describe` described.

    Raises:
        FalllineError: if the description is not one.
    """
    fields = dict(description)
    cls = lookup("model", MODELS, str(fields.pop("class", "?")).lower())
    try:
        return cls(init=fields.pop("initialiser"), **fields)  # pyright: ignore[reportCallIssue]
    except (KeyError, TypeError) as error:
        raise FalllineError(f"This is not the description of a model: {error}.") from None
