"""What a reader returns: a frame, and what its source knows about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl


@dataclass(frozen=True)
class Table:
    """A table of examples.

    Attributes:
        frame: A row an example, a column a feature or the target.
        source: What the user named, for sentences: ``"sales.csv"``, ``"digits"``.
        target: The target column that the source itself names, or None.
        blocks: Block name -> columns that came from one array and share one unit, such as the
            pixels of an image.
    """

    frame: pl.DataFrame
    source: str
    target: str | None = None
    blocks: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


def checked(table: Table) -> Table:
    """Return ``table`` itself.

    Raises:
        FalllineError: if it has no rows, or a column that is no plain column of values.
    """
    import polars as pl

    for name, dtype in table.frame.schema.items():
        plain = not dtype.is_nested() and dtype.base_type() not in (pl.Object, pl.Binary)
        if not plain:
            kind = {
                "List": "lists",
                "Array": "lists",
                "Struct": "structs",
                "Binary": "raw bytes",
            }.get(dtype.base_type().__name__, "Python objects")
            raise FalllineError(
                f"Column {name!r} of {table.source} holds {kind}; Fallline needs one value a cell: "
                "unpack it into columns of its own, or remove it from the table."
            )
    if not table.frame.width:
        raise FalllineError(f"There are no columns in {table.source}.")
    if not table.frame.height:
        raise FalllineError(
            f"There are no rows in {table.source}, only column names: there is nothing to learn "
            "from."
        )
    return table


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names for a sentence, the first few of many.

    >>> listed(["a", "b"])
    "'a', 'b'"
    >>> listed(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"
