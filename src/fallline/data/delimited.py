"""Text tables: CSV and its relatives, read by polars.

polars parses; the standard library's csv module is used only to find the line to complain about.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import re
import zlib
from collections import Counter
from typing import TYPE_CHECKING, BinaryIO, cast

from fallline.data.places import on_disk
from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import polars as pl

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?")
"""What a missing value may look like in a text table."""

_LONGEST_HEADER = 1 << 24

_TOGETHER = 1 << 20
"""Fields of a text table that are read as numbers together."""


def read_delimited(path: Path, separator: str | None, text: Sequence[str] = ()) -> pl.DataFrame:
    """Read a text table.

    Args:
        path: The file; plain, or compressed when it ends in ``.gz``.
        separator: What stands between two fields; None finds it from the header line.
        text: Columns to keep as texts, whatever they look like.

    Raises:
        FalllineError: if the file is no such table; the sentence says where.
    """
    import polars as pl

    header = first_line(path)
    if header is None:
        raise FalllineError(f"{path.name} is empty: it needs a line of column names, then rows.")
    try:
        header.decode()
    except UnicodeDecodeError as error:
        # polars puts a question mark in place of the bytes, and reads on.
        raise find_bad_bytes(path) or error from error
    if separator is None:
        separator = separator_of(header)
    # A file that ends its lines the way Macs did before 2001 has no other line ending at all.
    ending = "\r" if b"\r" in header and b"\n" not in header else "\n"
    try:
        frame = _parse(path, separator, ending)
    except (pl.exceptions.PolarsError, OSError, EOFError, zlib.error) as error:
        raise explained(path, separator, error) from error
    frame = without_blank_lines(frame, path, separator)
    columns = _named(frame, path, separator, ending).get_columns()
    del frame
    return _typed(columns, text, commas=separator == ";")


def first_line(path: Path) -> bytes | None:
    """The first line of a file that holds more than spaces, or None.

    Raises:
        FalllineError: if a compressed file is damaged.
    """
    try:
        with open_bytes(path) as file:
            while line := file.readline(_LONGEST_HEADER):
                if line.strip(b"\xef\xbb\xbf \t\r\n"):
                    return line
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise damaged_gzip(path) from error
    return None


def open_bytes(path: Path) -> BinaryIO:
    """Open a plain or gzip-compressed file for reading."""
    if path.suffix != ".gz":
        return path.open("rb")
    return cast("BinaryIO", gzip.open(path if on_disk(path) else path.open("rb")))


def damaged_gzip(path: Path) -> FalllineError:
    """The sentence for a ``.gz`` that does not unpack."""
    return FalllineError(
        f"{path.name} is cut short or damaged: it does not unpack as gzip. Copy it again."
    )


def find_bad_bytes(path: Path) -> FalllineError | None:
    """The sentence for the first bytes that are not UTF-8, if there are any."""
    offset = 0
    with open_bytes(path) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                utf16 = number == 1 and line.startswith((b"\xff\xfe", b"\xfe\xff"))
                return FalllineError(
                    f"{path.name} is not UTF-8 text: line {number} holds the byte "
                    f"0x{line[error.start]:02X} (byte {offset + error.start + 1} of the file)"
                    f"{', the mark of UTF-16' if utf16 else ''}. Save it again as UTF-8."
                )
            offset += len(line)
    return None


def column_names(path: Path, separator: str, ending: str) -> list[str]:
    """The names in the first line of a text table, trimmed, the nameless named by their place.

    Raises:
        FalllineError: if a name comes twice.
    """
    return _named(_parse(path, separator, ending), path, separator, ending).columns


def separator_of(header: bytes) -> str:
    """Comma, semicolon or tab: the one that gives the most column names."""
    line = header.decode("utf-8-sig").split("\r")[0]
    width = {mark: len(next(csv.reader([line], delimiter=mark))) for mark in ",;\t"}
    return max(width, key=lambda mark: width[mark])


def _parse(path: Path, separator: str, ending: str, *, header: bool = True) -> pl.DataFrame:
    """Every field as text: types are told afterwards, from all rows and without their spaces."""
    import polars as pl

    # Not every version of polars notices that a compressed file is cut short; gzip does.
    source = path
    # What stands for a path (a URL, a piece of a file) polars cannot open.
    if path.suffix == ".gz" or not on_disk(path):
        with open_bytes(path) as file:
            source = file.read()
    return pl.read_csv(
        source,
        separator=separator,
        eol_char=ending,
        has_header=header,
        n_rows=None if header else 1,
        null_values=MISSING,
        infer_schema=False,
        glob=False,
    )


def without_blank_lines(frame: pl.DataFrame, path: Path, separator: str) -> pl.DataFrame:
    """Drop blank lines, and refuse lines with too few fields.

    polars fills both up with missing values. Either leaves the last column empty, so only a file
    with gaps there is looked at again.
    """
    import polars as pl

    if frame.width < 2 or not frame[:, -1].null_count():
        return frame
    blank: list[int] = []
    row = -1  # the header
    try:
        for line, record in _records(path, separator):
            empty = not record or (len(record) == 1 and not record[0].strip())
            if row < 0 and empty:
                continue
            if empty:
                blank.append(row)
            elif len(record) != frame.width:
                raise _unequal(path, line, len(record), frame.width)
            row += 1
    except csv.Error:
        return frame
    if row != frame.height or not blank:
        return frame
    return frame.filter(~pl.int_range(pl.len()).is_in(blank))


def _named(frame: pl.DataFrame, path: Path, separator: str, ending: str) -> pl.DataFrame:
    """Trim column names, name the nameless, and refuse a name that comes twice."""
    names = [name.strip() for name in frame.columns]
    if any(re.search(r"_duplicated_\d+$", name) for name in names):
        # polars renames the second of two equal names; ask it for the names as they are written.
        written = _parse(path, separator, ending, header=False).row(0)
        names = [str(name or "").strip() for name in written]
    twice = [name for name, count in Counter(names).items() if name and count > 1]
    if twice:
        numbers = all(re.fullmatch(r"[-+.\deE]*", name) for name in names)
        advice = (
            "Its first line holds numbers only: add a line of column names above it."
            if numbers
            else "Give every column a name of its own."
        )
        places = [str(place) for place, name in enumerate(names, 1) if name == twice[0]]
        shown = ", ".join(places[:5]) + (" and more" if len(places) > 5 else "")
        more = f" (and so do {len(twice) - 1:,} others)" if len(twice) > 1 else ""
        raise FalllineError(
            f"{path.name} has more than one column called {twice[0]!r}{more}, at places "
            f"{shown}. {advice}"
        )
    frame.columns = [name or f"column_{place}" for place, name in enumerate(names, 1)]
    return frame


def _typed(columns: list[pl.Series], text: Sequence[str], *, commas: bool) -> pl.DataFrame:
    """Drop the spaces around values, and turn texts that all read as numbers into numbers.

    The same for truth values, dates and times. ``commas`` lets a comma mark decimals. The list is emptied,
    some columns at a time, so that not all texts stay beside what they read as.
    """
    import polars as pl

    at_once = max(pl.thread_pool_size(), _TOGETHER // max(len(columns[0]), 1))
    done: list[pl.Series] = []
    while columns:
        some = pl.DataFrame(columns[:at_once])
        del columns[:at_once]
        done += _some_typed(some, text, commas=commas).get_columns()
    return pl.DataFrame(done)


def _some_typed(frame: pl.DataFrame, text: Sequence[str], *, commas: bool) -> pl.DataFrame:
    import polars as pl

    frame = frame.with_columns(pl.all().str.strip_chars())
    frame = frame.with_columns(pl.when(~pl.all().is_in(MISSING)).then(pl.all()))
    gaps = dict(zip(frame.columns, frame.null_count().row(0), strict=True))
    kept = set(text)
    rest = [name for name, gap in gaps.items() if gap < frame.height and name not in kept]
    truth = pl.all().str.to_lowercase()
    for reading in (
        pl.all().cast(pl.Int64, strict=False),
        pl.all().cast(pl.Float64, strict=False),
        pl.when(truth == "true").then(True).when(truth == "false").then(False),
        pl.all().str.replace(",", ".", literal=True).cast(pl.Float64, strict=False),
    )[: None if commas else 3]:
        read = frame.select(rest).select(reading.name.keep())
        whole = [
            name
            for name, gap in zip(rest, read.null_count().row(0), strict=True)
            if gap == gaps[name]
        ]
        frame = frame.with_columns(read.select(whole))
        done = set(whole)
        rest = [name for name in rest if name not in done]
        if not rest:
            break
    return with_dates(frame, rest)


def with_dates(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Turn those of some text columns that hold dates or times in one format into such."""
    import polars as pl

    day = r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"
    for name in columns:
        column = frame[name]
        for pattern, read in (
            (day + "$", column.str.to_date),
            (day + r"[T ]\d{1,2}:", column.str.to_datetime),
            (r"^\d{1,2}:\d{2}(:\d{2}|$)", column.str.to_time),
        ):
            if column.count() and column.str.contains(pattern).all():
                with contextlib.suppress(pl.exceptions.PolarsError):
                    frame = frame.with_columns(read())
                break
    return frame


def _records(
    path: Path, separator: str, *, strict: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """The records of a text table, each with the number of the line that it starts on."""
    with io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", newline="") as lines:
        records = csv.reader(lines, delimiter=separator, strict=strict)
        line = 1
        try:
            for record in records:
                yield line, record
                line = records.line_num + 1
        except csv.Error as error:
            raise csv.Error(f"line {line}: {error}") from error


def _unequal(path: Path, line: int, found: int, expected: int) -> FalllineError:
    fields = "1 field" if found == 1 else f"{found:,} fields"
    return FalllineError(
        f"Line {line} of {path.name} has {fields} where the line of column names has {expected:,}: "
        "mend that line (a field that holds the separator must stand in double quotes)."
    )


def explained(path: Path, separator: str, error: Exception) -> FalllineError:
    """Turn a failure of polars into a sentence that says where."""
    try:
        if bad := find_bad_bytes(path):
            return bad
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return damaged_gzip(path)
    width = 0
    try:
        for line, record in _records(path, separator, strict=True):
            if not record:
                continue
            if width and len(record) != width:
                return _unequal(path, line, len(record), width)
            width = width or len(record)
    except csv.Error as trouble:
        return FalllineError(
            f"{path.name} has a stray or unclosed double quote ({trouble}): close it, or write a "
            "quote inside a field twice."
        )
    reason = str(error).splitlines()[0]
    return FalllineError(
        f"{path.name} cannot be read as a table separated by {separator!r}: {reason}"
    )
