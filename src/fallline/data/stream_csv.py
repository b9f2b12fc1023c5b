"""Text tables in chunks: ranges of bytes that end where a record ends.

A first pass finds these ranges and the types that fit all rows. The rules are those of
`fallline.data.delimited`, which reads a text table as a whole: both give equal tables.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fallline.data import delimited, places
from fallline.data.chunks import MOST_ROWS, Chunk, Contents
from fallline.data.stream_parquet import require_same_columns
from fallline.data.text_types import Kinds, plain_numbers, read_as
from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import polars as pl

    from fallline.data.stream import Source

CHUNK = 4 << 20
"""Bytes of a chunk, about."""

_LONGEST_RECORD = 256 << 20
_BLANK = b" \t\r\n"


def open_parts(files: Sequence[str], name: str, progress: Callable[[float], None]) -> Contents:
    """Read every file once, for the places of its records and the types of its columns.

    Args:
        files: Paths and URLs.
        name: What sentences call the table.
        progress: Called with the share that is read.

    Raises:
        FalllineError: if a file is no such table; the sentence says where.
    """
    chunks: list[Chunk] = []
    layouts: list[dict[str, Any]] = []
    kinds = Kinds()
    total, done = sum(places.size(place) for place in files), 0
    for number, place in enumerate(files):
        layout = _layout(place)
        if layouts:
            require_same_columns(layouts[0]["names"], layout["names"], files[0], place)
        layouts.append(layout)
        kinds.begin(layout["names"], commas=layout["separator"] == ";")
        for start, content in _pieces(place, layout):
            frame = _checked(place, layout, content, kinds)
            progress((done + start) / max(total, 1))
            if frame.height:
                chunks.append(Chunk(number, frame.height, (start, start + len(content))))
        done += places.size(place)
    schema = {c: kinds.dtype(c) for c in layouts[0]["names"]}
    firsts = {c: kinds.first[c] for c, dtype in schema.items() if dtype.is_temporal()}
    return Contents(tuple(chunks), schema, details={"layouts": layouts, "firsts": firsts})


def read_part(source: Source, chunk: Chunk, names: list[str], text: Sequence[str]) -> pl.DataFrame:
    """Read the records of a range of bytes.

    Raises:
        FalllineError: if they are not what they were when the file was opened.
    """
    import polars as pl

    assert not isinstance(chunk.part, int)
    place, layout = source.files[chunk.file], source.details["layouts"][chunk.file]
    start, stop = chunk.part
    try:
        with places.open_input(place) as file:
            file.seek(start)
            content = file.read(stop - start)
    except OSError as error:
        raise places.trouble(place, error) from error
    if len(content) != stop - start:
        raise FalllineError(
            f"{place} ends at byte {start + len(content):,}, before the end of a record: it is cut "
            "short. Copy it again."
        )
    schema = {c: pl.String() if c in text else source.schema[c] for c in names}
    numbers = {c: dtype for c, dtype in schema.items() if dtype.is_numeric()}
    firsts: dict[str, str] = source.details["firsts"]
    commas = layout["separator"] == ";"
    frame = plain_numbers(_parsed, layout, content, numbers)
    if frame is None:
        frame, numbers = _text(place, layout, content), {}
    if frame.height != chunk.rows:
        frame = _without_blanks(place, layout, content, frame)
    columns = [
        frame[c] if c in numbers else read_as(frame[c], dtype, firsts.get(c), commas=commas)
        for c, dtype in schema.items()
    ]
    gone = next((c for c, column in zip(schema, columns, strict=True) if column is None), None)
    if gone is not None:
        raise FalllineError(
            f"{place} has changed since it was opened: column {gone!r} holds values that are no "
            f"{schema[gone]} between bytes {start:,} and {stop:,}. Begin again with files that stay "
            "as they are."
        )
    return pl.DataFrame([column for column in columns if column is not None])


def _layout(place: str) -> dict[str, Any]:
    """How a file is written: its separator, its column names, where its rows begin."""
    path = places.readable(place)
    header = delimited.first_line(path)
    if header is None:
        raise FalllineError(f"{path.name} is empty: it needs a line of column names, then rows.")
    try:
        header.decode()
    except UnicodeDecodeError as error:
        raise delimited.find_bad_bytes(path) or error from error
    ending = "\r" if b"\r" in header and b"\n" not in header else "\n"
    begin, header = _record_of_names(place, ending.encode())
    mark = delimited.separator_of(header)
    separator = "\t" if path.suffix.lower() == ".tsv" else mark
    piece = cast("Path", places.Piece(header, path.name))
    names = delimited.column_names(piece, separator, ending)
    return {"separator": separator, "ending": ending, "names": names, "begin": begin + len(header)}


def _record_of_names(place: str, ending: bytes) -> tuple[int, bytes]:
    """Where the first record begins that is not blank, and its bytes."""
    with places.open_input(place) as file:
        content = file.read(1 << 16)
        while True:
            skipped = len(content) - len(content.lstrip(b"\xef\xbb\xbf" + _BLANK))
            line = max(content.rfind(ending, 0, skipped) + 1, 0)
            stop = _last_boundary(content[line:], ending, first=True)
            if stop:
                return line, content[line : line + stop]
            more = file.read(max(len(content), 1 << 16))
            if not more or len(content) > _LONGEST_RECORD:
                return line, content[line:]
            content += more


def _pieces(place: str, layout: dict[str, Any]) -> Iterator[tuple[int, bytes]]:
    """The file's bytes after the column names, cut where records end; and where each begins."""
    ending = layout["ending"].encode()
    start, rest, most = int(layout["begin"]), b"", CHUNK
    with places.open_input(place) as file:
        file.seek(start)
        while True:
            try:
                more = file.read(max(most - len(rest), most // 2))
            except OSError as error:
                raise places.trouble(place, error) from error
            content = rest + more
            if not more:
                if content:
                    yield start, content
                return
            cut = _last_boundary(content, ending)
            if cut:
                # Records of few bytes would make more rows than a chunk should have.
                rows = content.count(ending, 0, cut)
                if rows > MOST_ROWS:
                    most = max(1 << 12, most * MOST_ROWS // rows)
                yield start, content[:cut]
                start += cut
            elif len(content) > _LONGEST_RECORD:
                raise FalllineError(
                    f"A record of {places.name_of(place)} is longer than {_LONGEST_RECORD >> 20} MB, "
                    f"from byte {start + 1:,} on: is a double quote unclosed there?"
                )
            else:
                most = 2 * len(content)
            rest = content[cut:]


def _last_boundary(content: bytes, ending: bytes, *, first: bool = False) -> int:
    """Where the last record ends (or the first one), 0 if none does.

    A line's end within quotes ends no record. Beside a blank line nothing is cut, so that blank
    lines look the same to whoever reads the pieces.
    """
    data = np.frombuffer(content, np.uint8)
    ends = np.flatnonzero(data == ending[0])
    if b'"' in content and len(ends):
        # Quotes come in pairs, also those that stand for one within a field.
        quotes = np.flatnonzero(data == ord('"'))
        ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
    if first:
        return int(ends[0]) + 1 if len(ends) else 0
    for end in ends[::-1]:
        after = content[end + 1 : end + 2]
        before = content[max(end - 2, 0) : end].rstrip(b"\r")
        if after and after not in _BLANK and before and before[-1:] not in _BLANK:
            return int(end) + 1
    return 0


def _parsed(layout: dict[str, Any], content: bytes, dtypes: dict[str, Any]) -> pl.DataFrame:
    """Records as columns of the given types, all others as texts."""
    import polars as pl

    names: list[str] = layout["names"]
    separator, ending = layout["separator"], layout["ending"]
    # Names of our own, so that no quote or repeated name stands in the way.
    header = separator.join(f"c{place}" for place in range(len(names))) + ending
    frame = pl.read_csv(
        header.encode() + content,
        separator=separator,
        eol_char=ending,
        schema={f"c{i}": dtypes.get(c, pl.String()) for i, c in enumerate(names)},
        null_values=list(delimited.MISSING),
    )
    frame.columns = names
    return frame


def _text(place: str, layout: dict[str, Any], content: bytes) -> pl.DataFrame:
    import polars as pl

    try:
        return _parsed(layout, content, {})
    except pl.exceptions.PolarsError as error:
        raise delimited.explained(places.readable(place), layout["separator"], error) from error


def _without_blanks(
    place: str, layout: dict[str, Any], content: bytes, frame: pl.DataFrame
) -> pl.DataFrame:
    header = (layout["separator"] * (len(layout["names"]) - 1) + layout["ending"]).encode()
    piece = cast("Path", places.Piece(b"x" + header + content, places.name_of(place)))
    try:
        return delimited.without_blank_lines(frame, piece, layout["separator"])
    except FalllineError as error:
        # It counted the lines of this piece; the whole file has the number to tell.
        raise delimited.explained(places.readable(place), layout["separator"], error) from error


def _checked(place: str, layout: dict[str, Any], content: bytes, kinds: Kinds) -> pl.DataFrame:
    """The rows of a piece, once what their columns may be is noted."""
    frame = plain_numbers(_parsed, layout, content, kinds.numbers())
    if frame is None:
        frame = _text(place, layout, content)
    frame = _without_blanks(place, layout, content, frame)
    kinds.note(frame)
    return frame
