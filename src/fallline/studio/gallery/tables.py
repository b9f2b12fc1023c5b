"""The tables that the patients were trained on: bundled ones, and points made here."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Rows:
    """Inputs and targets.

    Attributes:
        source: what they come from, as `fallline.fit` names it; None for points made here.
        x: the inputs, a row each.
        y: numbers or class indices.
        columns: the inputs' names.
        classes: the labels, or None for numbers.
        target: what is predicted.
    """

    source: str | None
    x: np.ndarray
    y: np.ndarray
    columns: tuple[str, ...]
    classes: tuple[str, ...] | None
    target: str

    @property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """As `fallline.train` takes them."""
        return self.x, self.y

    def standardized(self) -> Rows:
        """Each column with mean 0 and standard deviation 1, and so a target that is a number."""
        y = self.y if self.classes is not None else _standard(self.y)
        return dataclasses.replace(self, x=_standard(self.x), y=y)

    def first(self, count: int) -> Rows:
        """Some of them."""
        return dataclasses.replace(self, x=self.x[:count], y=self.y[:count])


def _standard(values: np.ndarray) -> np.ndarray:
    spread = values.std(axis=0)
    scaled = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return scaled.astype(np.float32)


@functools.cache
def bundled(name: str) -> Rows:
    """A bundled table, its rows in another order, always the same."""
    from fallline.data import datasets

    table = datasets.load(name)
    assert table.target is not None
    frame: Any = table.frame
    order = np.random.default_rng(0).permutation(len(frame))
    x = frame.drop(table.target).to_numpy().astype(np.float32)[order]
    y = frame[table.target].to_numpy()[order]
    columns = tuple(column for column in frame.columns if column != table.target)
    classes = None
    if name != "diabetes":
        labels, y = np.unique(y, return_inverse=True)
        classes = tuple(str(label) for label in labels)
        y = y.astype(np.int32)
    return Rows(name, x, y, columns, classes, table.target)


@functools.cache
def moons(count: int, noise: float, seed: int) -> Rows:
    """Two half moons that run into each other, standardised."""
    draw = np.random.default_rng(seed)
    turn, which = draw.uniform(0.0, np.pi, count), np.arange(count) % 2
    x = np.where(which, 1.0 - np.cos(turn), np.cos(turn))
    y = np.where(which, 0.5 - np.sin(turn), np.sin(turn))
    points = np.stack([x, y], axis=1) + draw.normal(0.0, noise, (count, 2))
    return Rows(None, _standard(points), which, ("x", "y"), ("A", "B"), "moon")


def with_visits(rows: Rows, seed: int) -> Rows:
    """The tumours with a column that nobody knew on the day of the diagnosis: visits in the year after it."""
    draw = np.random.default_rng(seed)
    ill = rows.y == (rows.classes or ()).index("malignant")
    visits = np.where(ill, draw.integers(14, 19, len(rows.y)), draw.integers(3, 8, len(rows.y)))
    x = np.column_stack([rows.x, _standard(visits.astype(np.float64))]).astype(np.float32)
    return dataclasses.replace(rows, x=x, columns=(*rows.columns, "visits in the year after"))
