"""What a table is cut into, and what opening one finds out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import polars as pl

MOST_ROWS = 1 << 18
"""Rows of a chunk, where the format leaves the choice."""

MOST_BYTES = 64 << 20
"""Bytes of the values of a chunk, where the format leaves the choice."""


@dataclass(frozen=True)
class Chunk:
    """Rows that are read together.

    Attributes:
        file: Which of the source's files.
        rows: How many.
        part: A row group of Parquet, a range of bytes of a text, or a slice of an array.
    """

    file: int
    rows: int
    part: int | tuple[int, int]


@dataclass(frozen=True)
class Contents:
    """What opening files finds: their chunks, and what reading a chunk needs to know.

    Attributes:
        chunks: In file order, none of them empty.
        schema: Column name -> type.
        target: The target column that the source itself names.
        blocks: Block name -> its columns.
        details: Whatever the format needs, as plain JSON.
    """

    chunks: tuple[Chunk, ...]
    schema: dict[str, pl.DataType]
    target: str | None = None
    blocks: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    details: dict[str, Any] = field(default_factory=dict[str, Any])


def type_to_text(dtype: pl.DataType) -> str:
    """A column's type as text, from which `type_from_text` makes it again.

    >>> import polars as pl
    >>> type_to_text(pl.Datetime("us"))
    'Datetime["us", null]'
    """
    import polars as pl

    given: list[Any] | None = None
    if isinstance(dtype, pl.Datetime):
        given = [dtype.time_unit, dtype.time_zone]
    elif isinstance(dtype, pl.Duration):
        given = [dtype.time_unit]
    elif isinstance(dtype, pl.Decimal):
        given = [dtype.precision, dtype.scale]
    elif isinstance(dtype, pl.Enum):
        given = [dtype.categories.to_list()]
    return dtype.base_type().__name__ + ("" if given is None else json.dumps(given))


def type_from_text(text: str) -> pl.DataType:
    """The type that `type_to_text` told of."""
    import polars as pl

    name, bracket, rest = text.partition("[")
    kind: Any = getattr(pl, name)
    return cast("pl.DataType", kind(*json.loads(bracket + rest)) if bracket else kind())
