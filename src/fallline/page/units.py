"""From a model's numbers to the user's: labels, predictions in the target's unit, columns in theirs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fallline.data.encode import Encoder


@dataclasses.dataclass(frozen=True)
class Units:
    """What the numbers of a model mean to the user.

    Attributes:
        encoder: how a table became numbers, or None for numbers that are the user's already.
        names: of the features, where there is no encoder.
        labels: of the classes, where there is no encoder.
        goal: what is predicted, where there is no encoder.
    """

    encoder: Encoder | None = None
    names: Sequence[str] | None = None
    labels: Sequence[Any] | None = None
    goal: str | None = None

    @property
    def target(self) -> str:
        """The name of what is predicted."""
        return self.goal or "y" if self.encoder is None else self.encoder.target

    def classes(self, count: int) -> list[str]:
        """The labels of so many classes."""
        labels = self.labels if self.encoder is None else self.encoder.classes
        known = [str(label) for label in labels or ()][:count]
        return known + [str(i) for i in range(len(known), count)]

    def decoded(self, values: Any) -> np.ndarray:
        """Numbers of a regression in the user's unit, float64."""
        values = np.asarray(values, np.float64)
        return values if self.encoder is None else np.asarray(self.encoder.decode(values))

    def feature(self, index: int) -> tuple[str, float, float]:
        """The name of a feature, its mean and its scale: the user's number is mean + scale * the model's."""
        if self.encoder is None:
            names = list(self.names or ())
            return (names[index] if index < len(names) else f"x{index + 1}"), 0.0, 1.0
        numbers, name = self.encoder.numbers, self.encoder.feature_names[index]
        if index < len(numbers.columns):
            return name, float(numbers.mean[index]), float(numbers.scale[index])
        return name, 0.0, 1.0
