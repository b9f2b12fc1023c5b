"""The steps of a run, kept for the export."""

from __future__ import annotations

import numpy as np

from fallline.studio.fit.descent import FIELDS

MOST_ROWS = 200_000
"""Rows kept; of more, every other one of the older half is given up."""

_MOST_PARTS = 4_096


class History:
    """Rows of `FIELDS`, one a step."""

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []

    def add(self, rows: np.ndarray) -> None:
        """Keep rows, shape (n, 8)."""
        self._parts.append(rows)
        if len(self._parts) > _MOST_PARTS:
            whole = self.rows()
            while len(whole) > MOST_ROWS:
                half = len(whole) // 2
                whole = np.concatenate([whole[:half:2], whole[half:]])
            self._parts = [whole]

    def rows(self) -> np.ndarray:
        """All rows, shape (steps, 8)."""
        return np.concatenate(self._parts) if self._parts else np.zeros((0, len(FIELDS)))

    def csv(self) -> str:
        """As text, a line a step; what is not known of a step is left empty."""
        lines = [",".join(FIELDS)]
        for row in self.rows().tolist():
            cells = [f"{int(v)}" for v in row[:2]] + ["" if v != v else f"{v:.9g}" for v in row[2:]]
            lines.append(",".join(cells))
        return "\n".join(lines) + "\n"
