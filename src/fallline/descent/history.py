"""The history of a run: arrays over steps and over epochs, the one record that everything reads."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.descent.loop import EPOCH_FIELDS, LAYER_FIELDS, STEP_FIELDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl


@dataclasses.dataclass
class History:
    """What happened at every step and at the end of every epoch.

    Every array of ``steps`` has one entry a step, in order: ``loss`` (the objective on the step's batch,
    before the update), ``learning_rate``, ``gradient_norm``, ``update_norm``, ``parameter_norm`` (before
    the update, too) and ``gradient_cosine`` (between this step's gradient and the last one's; NaN at
    the first).
    ``epochs`` holds ``training_loss`` (mean over the epoch's rows, as they were met),
    ``validation_loss`` and ``validation_score`` (NaN without validation rows). With
    ``record="layers"``, ``layers`` holds three norms of every leaf, each of shape (steps, leaves).

    A run that blew up has one more step here than it took: the one that was not finite.

    Attributes:
        steps: name -> (steps,).
        epochs: name -> (epochs,).
        layers: name -> (steps, leaves); empty unless asked for.
        leaf_names: what the columns of ``layers`` belong to.
    """

    steps: dict[str, np.ndarray]
    epochs: dict[str, np.ndarray]
    layers: dict[str, np.ndarray] = dataclasses.field(default_factory=dict[str, np.ndarray])
    leaf_names: list[str] = dataclasses.field(default_factory=list[str])

    def __getattr__(self, name: str) -> np.ndarray:
        for part in ("steps", "epochs", "layers"):
            columns = self.__dict__.get(part, {})
            if name in columns:
                return columns[name]
        raise AttributeError(name)

    def __len__(self) -> int:
        return len(self.steps["loss"])

    def frame(self) -> pl.DataFrame:
        """The steps as a table, a row a step, with the norms of leaves where they were recorded."""
        import polars as pl

        columns: dict[str, Any] = {"step": np.arange(len(self)), **self.steps}
        for field, values in self.layers.items():
            for name, column in zip(self.leaf_names, values.T, strict=True):
                columns[f"{field}:{name}"] = column
        return pl.DataFrame(columns)

    def epoch_frame(self) -> pl.DataFrame:
        """The epochs as a table, a row an epoch, counted from 1."""
        import polars as pl

        return pl.DataFrame({"epoch": np.arange(1, len(self.training_loss) + 1), **self.epochs})


@dataclasses.dataclass
class Recorder:
    """Collects what the loop returns, call by call, and joins it when asked."""

    leaf_names: Sequence[str] = ()
    steps: list[np.ndarray] = dataclasses.field(default_factory=list[np.ndarray])
    epochs: list[np.ndarray] = dataclasses.field(default_factory=list[np.ndarray])
    layers: list[np.ndarray] = dataclasses.field(default_factory=list[np.ndarray])

    @staticmethod
    def resumed(history: History) -> Recorder:
        """A recorder that goes on after a history."""
        recorder = Recorder(history.leaf_names)
        recorder.steps.append(np.stack([history.steps[f] for f in STEP_FIELDS], axis=1))
        recorder.epochs.append(np.stack([history.epochs[f] for f in EPOCH_FIELDS], axis=1))
        if history.layers:
            recorder.layers.append(np.stack([history.layers[f] for f in LAYER_FIELDS], axis=1))
        return recorder

    def add(self, steps: Any, epochs: Any, layers: Any, *, taken: int, closed: int) -> None:
        """Keep the filled rows of one call's histories."""
        self.steps.append(np.asarray(steps)[:taken].copy())
        self.epochs.append(np.asarray(epochs)[:closed].copy())
        if layers is not None:
            self.layers.append(np.asarray(layers)[:taken].copy())

    def history(self) -> History:
        """All that was collected so far."""
        steps = np.concatenate(self.steps or [np.zeros((0, len(STEP_FIELDS)))])
        epochs = np.concatenate(self.epochs or [np.zeros((0, len(EPOCH_FIELDS)))])
        self.steps, self.epochs = [steps], [epochs]
        layers: dict[str, np.ndarray] = {}
        if self.layers:
            self.layers = [np.concatenate(self.layers)]
            layers = {f: self.layers[0][:, i] for i, f in enumerate(LAYER_FIELDS)}
        return History(
            {f: steps[:, i] for i, f in enumerate(STEP_FIELDS)},
            {f: epochs[:, i] for i, f in enumerate(EPOCH_FIELDS)},
            layers,
            list(self.leaf_names) if layers else [],
        )
