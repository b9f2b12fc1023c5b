"""The multi-layer perceptron: affine layers with activations between them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from fallline.models.base import Model
from fallline.models.layers import Activation, Affine, BatchNorm, Dropout, Layer, Sequential

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Array


@dataclasses.dataclass(frozen=True, init=False)
class MLP(Model):
    r"""Hidden layers $h_l = f(h_{l-1} W_l + b_l)$, then an affine output layer.

    Each hidden layer is affine, then batch normalisation if asked for, then the activation, then
    dropout if asked for.

    Attributes:
        inputs: features an example.
        hidden: units of each hidden layer.
        outputs: numbers predicted for an example.
        activation: a name in `fallline.models.layers.ACTIVATIONS`, or a function of your own, which
            works on every element alike and cannot be kept on disk.
        batch_norm: normalise each hidden layer's input to its activation.
        dropout: the share of hidden units dropped in training, in [0, 1).
        initialiser: an initialiser's name, or "auto" for the one that suits the activation.
    """

    hidden: tuple[int, ...]
    activation: str | Callable[[Array], Array]
    batch_norm: bool
    dropout: float
    initialiser: str

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int] | int = (128, 64),
        outputs: int = 1,
        activation: str | Callable[[Array], Array] = "relu",
        batch_norm: bool = False,
        dropout: float = 0.0,
        init: str = "auto",
    ) -> None:
        """Describe the network; ``hidden=64`` is one layer, ``init`` an initialiser's name."""
        hidden = (hidden,) if isinstance(hidden, int) else tuple(hidden)
        self._set(
            inputs=inputs,
            outputs=outputs,
            hidden=hidden,
            activation=activation,
            batch_norm=batch_norm,
            dropout=dropout,
            initialiser=init,
        )

    @property
    def layers(self) -> Sequential:
        """The layers in order, named affine1, norm1, relu1, dropout1, affine2, ..."""
        called = self.activation
        if callable(called):
            called = getattr(called, "__name__", "activation").strip("<>")
        layers: list[tuple[str, Layer]] = []
        width = self.inputs
        before = self.initialiser
        if before == "auto":
            before = "glorot" if self.activation in ("sigmoid", "tanh", "identity") else "he"
        for i, units in enumerate(self.hidden, 1):
            layers.append((f"affine{i}", Affine(width, units, before)))
            if self.batch_norm:
                layers.append((f"norm{i}", BatchNorm(units)))
            layers.append((f"{called}{i}", Activation(self.activation)))
            if self.dropout:
                layers.append((f"dropout{i}", Dropout(self.dropout)))
            width = units
        last = "glorot" if self.initialiser == "auto" else self.initialiser
        layers.append((f"affine{len(self.hidden) + 1}", Affine(width, self.outputs, last)))
        return Sequential(tuple(layers))
