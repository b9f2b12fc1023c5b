"""Parquet in chunks: its row groups, read by pyarrow."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fallline.data import places
from fallline.data.chunks import Chunk, Contents
from fallline.data.table import listed
from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from fallline.data.stream import Source


def open_parts(files: Sequence[str], name: str, progress: Callable[[float], None]) -> Contents:
    """Read the footers.

    Args:
        files: Paths and URLs.
        name: What sentences call the table.
        progress: Not called: footers are short.

    Raises:
        FalllineError: if one is no Parquet, or its columns are not those of the first.
    """
    chunks: list[Chunk] = []
    schema: dict[str, pl.DataType] = {}
    for number, place in enumerate(files):
        footer = _footer(place)
        found = _schema(footer, place)
        schema = _joined(schema, found, files[0], place) if number else found
        heights = (footer.row_group(group).num_rows for group in range(footer.num_row_groups))
        chunks += [Chunk(number, rows, group) for group, rows in enumerate(heights) if rows]
    return Contents(tuple(chunks), schema)


def read_part(source: Source, chunk: Chunk, names: list[str], text: Sequence[str]) -> pl.DataFrame:
    """Read a row group.

    Raises:
        FalllineError: if it is damaged or cut short.
    """
    import polars as pl
    import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
    import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]

    place = source.files[chunk.file]
    assert isinstance(chunk.part, int)
    footer = _footer(place)
    try:
        with places.open_input(place) as opened:
            # pyarrow reads a file on a disk without Python's lock.
            file: Any = opened if places.is_url(place) else pa.OSFile(place)
            with pq.ParquetFile(
                file,
                metadata=footer,
                pre_buffer=places.is_url(place),
                page_checksum_verification=True,
            ) as parquet:
                table = parquet.read_row_group(chunk.part, columns=names, use_threads=False)
        # A nested name such as "a.b" is also found by "a".
        frame = pl.from_arrow(table.select(names))
    except FalllineError:
        raise
    except (OSError, pa.ArrowException, pl.exceptions.PolarsError, KeyError) as error:
        if isinstance(error, OSError) and error.errno:
            raise places.trouble(place, error) from error
        raise FalllineError(
            f"{place} is damaged or cut short: row group {chunk.part + 1} of {footer.num_row_groups} "
            f"cannot be read ({places.reason(error)}). Write the file again."
        ) from error
    assert isinstance(frame, pl.DataFrame)
    changed = {c: source.schema[c] for c in names if frame.schema[c] != source.schema[c]}
    return frame.cast(changed) if changed else frame  # pyright: ignore[reportArgumentType]


def bytes_in_memory(place: str) -> int:
    """What a file's table takes in memory, by its footer."""
    footer = _footer(place)
    fixed = {
        "BOOLEAN": 0.125,
        "INT32": 4.0,
        "INT64": 8.0,
        "INT96": 8.0,
        "FLOAT": 4.0,
        "DOUBLE": 8.0,
    }
    taken = 0.0
    for group in range(footer.num_row_groups):
        rows = footer.row_group(group)
        for number in range(rows.num_columns):
            column = rows.column(number)
            # A text takes a view of 16 bytes beside its letters.
            each = fixed.get(column.physical_type)
            texts = 16 * rows.num_rows + column.total_uncompressed_size
            taken += texts if each is None else each * rows.num_rows
    return round(taken)


def _footer(place: str) -> Any:
    """A file's metadata, kept for the next chunk."""
    return _metadata(place, places.size(place), places.written(place))


@lru_cache(maxsize=256)
def _metadata(place: str, size: int, written: int) -> Any:
    import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
    import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]

    try:
        with places.open_input(place) as file:
            return pq.read_metadata(file)
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno:
            raise places.trouble(place, error) from error
        raise FalllineError(
            f"{places.name_of(place)} is cut short or damaged: it does not open as Parquet "
            f"({places.reason(error)}). Write it again."
        ) from error


def _schema(footer: Any, place: str) -> dict[str, pl.DataType]:
    import polars as pl

    arrow = footer.schema.to_arrow_schema()
    names: list[str] = arrow.names
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise FalllineError(
            f"{places.name_of(place)} has two columns of the same name ({listed(twice)}): give every "
            "column a name of its own."
        )
    frame = pl.from_arrow(arrow.empty_table())
    assert isinstance(frame, pl.DataFrame)
    return dict(frame.schema)


def _joined(
    schema: dict[str, pl.DataType], found: dict[str, pl.DataType], first: str, place: str
) -> dict[str, pl.DataType]:
    """The schema of both; numbers of several widths take the wider one."""
    require_same_columns(list(schema), list(found), first, place)
    joined: dict[str, pl.DataType] = {}
    for name, dtype in schema.items():
        other = found[name]
        wider = dtype if dtype == other else _wider(dtype, other)
        if wider is None:
            raise FalllineError(
                f"Column {name!r} is of type {other} in {place} and of type {dtype} in {first}: "
                "write all files with the same types."
            )
        joined[name] = wider
    return joined


def _wider(one: pl.DataType, other: pl.DataType) -> pl.DataType | None:
    import polars as pl

    for a, b in ((one, other), (other, one)):
        if a == pl.Null:
            return b
    if not (one.is_numeric() and other.is_numeric()) or one.is_decimal() or other.is_decimal():
        return None
    both = [pl.DataFrame(schema={"": dtype}) for dtype in (one, other)]
    return pl.concat(both, how="vertical_relaxed").schema[""]


def require_same_columns(columns: list[str], found: list[str], first: str, place: str) -> None:
    """Refuse a file whose columns are not those of the first; their order does not matter.

    Raises:
        FalllineError: naming the file and the column.
    """
    known, own = set(columns), set(found)
    lacking = next((name for name in columns if name not in own), None)
    more = next((name for name in found if name not in known), None)
    if lacking is not None:
        raise FalllineError(
            f"Column {lacking!r} is missing from {place}, and {first} has it: all files of a table "
            "need the same columns."
        )
    if more is not None:
        raise FalllineError(
            f"Column {more!r} of {place} is missing from {first}: all files of a table need the same "
            "columns."
        )
