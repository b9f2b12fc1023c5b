"""How good predictions are, added up part by part; see `fallline.jobs.measure` for the same in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fallline.data.encode import Encoder
    from fallline.descent.crew import Crew


class Totals:
    """Sums over the rows that a run is measured on, kept by shard so that their order does not matter."""

    def __init__(self, encoder: Encoder, summary: dict[str, Any]) -> None:
        """Begin with nothing.

        Args:
            encoder: turns predictions back.
            summary: the training rows' target: its mean, or how often each class came.
        """
        self._encoder = encoder
        self._sums: dict[int, np.ndarray] = {}
        if encoder.classes is None:
            self._guess = float(summary["mean"])
        else:
            often = [summary["counts"].get(label, 0) for label in encoder.classes]
            self._guess = int(np.argmax(often))

    def add(self, shard: int, truth: np.ndarray, prediction: np.ndarray) -> None:
        """Take in some rows, encoded as they are."""
        if self._encoder.classes is None:
            truth = self._encoder.decode(truth)
            off = truth - self._encoder.decode(prediction)
            apart = truth - self._guess
            found = [len(truth), off @ off, np.abs(off).sum(), apart @ apart, apart.sum()]
        else:
            found = [len(truth), (truth == prediction).sum(), (truth == self._guess).sum(), 0, 0]
        self._sums[shard] = self._sums.get(shard, np.zeros(5)) + np.asarray(found, np.float64)

    def told(self, crew: Crew) -> dict[str, float]:
        """The measures over all processes' rows."""
        last = int(crew.meet([max(self._sums, default=0)]).max())
        table = np.zeros((last + 1, 5))
        for shard, sums in self._sums.items():
            table[shard] = sums
        every = crew.meet(table.ravel()).sum(axis=0).reshape(table.shape)
        rows, a, b, c, d = (float(number) for number in every.sum(axis=0))
        if self._encoder.classes is not None:
            return {"value": a / rows, "baseline": b / rows}
        # The spread around the rows' own mean, from that around the training mean.
        spread = c - d * d / rows
        r2 = 1 - a / spread if spread > 0 else float("nan")
        baseline = 1 - c / spread if spread > 0 else float("nan")
        return {
            "value": r2,
            "baseline": baseline,
            "rmse": (a / rows) ** 0.5,
            "baseline_rmse": (c / rows) ** 0.5,
            "mae": b / rows,
        }
