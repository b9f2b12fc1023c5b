"""A table of its own to measure a streamed run on: looked at before training, read after it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fallline.data.readers import read_table
from fallline.data.stream import kind_of, open_source
from fallline.data.table import Table
from fallline.errors import FalllineError, nearest

if TYPE_CHECKING:
    import numpy as np

    from fallline.data.encode import Encoder
    from fallline.data.stream import Source


class Other:
    """A table in chunks, or as a whole if it is of a kind that has none.

    Attributes:
        fingerprint: Tells the same data from other data, as far as the table is in chunks.
    """

    def __init__(self, path: str) -> None:
        """Open it.

        Raises:
            FalllineError: if there is none, or it is damaged.
        """
        self._table: Table | Source
        self.fingerprint = ""
        if kind_of(path) is None:
            self._table = read_table(path)
        else:
            self._table = open_source(path)
            self.fingerprint = self._table.fingerprint

    def require(self, encoder: Encoder) -> None:
        """Refuse a table without the columns that a model needs.

        Raises:
            FalllineError: naming the first.
        """
        if isinstance(self._table, Table):
            columns, name = self._table.frame.columns, self._table.source
        else:
            columns, name = list(self._table.schema), self._table.name
        for column in [*encoder.columns, encoder.target]:
            if column not in columns:
                raise FalllineError(
                    f"Column {column!r} is missing from {name}, and the model was trained with it: "
                    f"{nearest(column, columns)}"
                )

    def parts(self, encoder: Encoder) -> Iterator[tuple[int, tuple[np.ndarray, np.ndarray]]]:
        """Its rows, encoded chunk by chunk."""
        if isinstance(self._table, Table):
            tables: Iterator[Table] = iter([self._table])
        else:
            source, text = self._table, encoder.text_columns
            tables = (source.read(chunk, text=text) for chunk in range(len(source.chunks)))
        for table in tables:
            yield 0, (encoder.features(table), encoder.targets(table))
