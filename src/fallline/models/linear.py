"""The linear model: one affine layer."""

from __future__ import annotations

import dataclasses

from fallline.models.base import Model
from fallline.models.layers import Affine, Sequential


@dataclasses.dataclass(frozen=True, init=False)
class Linear(Model):
    r"""$Y = X W + b$: linear regression, or logistic and softmax regression by their losses.

    Attributes:
        inputs: features an example.
        outputs: numbers predicted for an example.
        initialiser: zeros by default; every loss here is convex in the weights, so any start will do.
        bias: add $b$; without it the plane goes through the origin.
    """

    initialiser: str
    bias: bool

    def __init__(
        self, inputs: int, outputs: int = 1, init: str = "zeros", bias: bool = True
    ) -> None:
        """Describe the model; ``init`` is an initialiser's name."""
        self._set(inputs=inputs, outputs=outputs, initialiser=init, bias=bias)

    @property
    def layers(self) -> Sequential:
        """The one layer."""
        return Sequential(
            (("affine1", Affine(self.inputs, self.outputs, self.initialiser, self.bias)),)
        )
