"""What a model is: layers in a row, with the questions the rest of the house asks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.models.layers import Dropout, Sequential

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, Key, PyTree


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's, which JSON can hold."""
    if isinstance(value, tuple):
        return tuple(_plain(v) for v in value)  # pyright: ignore[reportUnknownVariableType]
    return value.item() if isinstance(value, np.generic) else value


@dataclasses.dataclass(frozen=True)
class Model:
    """A frozen description; ``init`` and ``apply`` work on plain pytrees.

    Attributes:
        inputs: features an example.
        outputs: numbers predicted for an example.
    """

    inputs: int
    outputs: int

    def _set(self, **fields: Any) -> None:
        """Fill the frozen fields, and build the layers once so that bad ones are told at once."""
        for name, value in fields.items():
            object.__setattr__(self, name, _plain(value))
        _ = self.layers

    @property
    def layers(self) -> Sequential:
        """The layers in order."""
        raise NotImplementedError

    def init(self, key: Key[Array, ""]) -> PyTree:
        """The parameters at the start."""
        return self.layers.init(key)

    def init_state(self) -> PyTree:
        """What is carried along untrained (the statistics of batch normalisation)."""
        return self.layers.init_state()

    def apply(
        self,
        params: PyTree,
        state: PyTree,
        x: Float[Array, "n *features"],
        *,
        key: Key[Array, ""] | None = None,
        training: bool = False,
        mask: Bool[Array, " n"] | None = None,
    ) -> tuple[Float[Array, "n outputs"], PyTree]:
        """The raw outputs (logits, for a classifier) and the new state."""
        return self.layers.apply(params, state, x, key=key, training=training, mask=mask)

    def __call__(
        self, params: PyTree, x: Float[Array, "n *features"], state: PyTree | None = None
    ) -> Float[Array, "n outputs"]:
        """The raw outputs, in prediction."""
        return self.apply(params, self.init_state() if state is None else state, x)[0]

    @property
    def random(self) -> bool:
        """Does training draw random numbers inside the model (dropout)?"""
        return any(isinstance(layer, Dropout) for _, layer in self.layers.layers)

    def describe(self) -> dict[str, Any]:
        """The model as JSON can hold it; `fallline.models.from_description` reads it."""
        return {"class": type(self).__name__, **dataclasses.asdict(self)}
