"""Reading a table: from a file, a bundled set, a frame or a dict of columns."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fallline.data import places
from fallline.data.arrays import from_arrays, looks_like_libsvm, read_libsvm, read_npz
from fallline.data.datasets import BUNDLED, load
from fallline.data.delimited import (
    damaged_gzip,
    find_bad_bytes,
    first_line,
    open_bytes,
    read_delimited,
    with_dates,
)
from fallline.data.table import Table, checked, listed
from fallline.errors import FalllineError, nearest

if TYPE_CHECKING:
    import polars as pl

__all__ = ["FORMATS", "Table", "read_table"]

FORMATS: dict[str, str] = {
    ".csv": "text with commas, semicolons or tabs",
    ".tsv": "text with tabs",
    ".parquet": "Parquet",
    ".jsonl": "JSON, an object a line",
    ".ndjson": "JSON, an object a line",
    ".json": "JSON, an object a line or one list of objects",
    ".npz": "a NumPy archive",
    ".npy": "a NumPy array",
    ".libsvm": "LIBSVM text",
    ".svm": "LIBSVM text",
    ".svmlight": "LIBSVM text",
}
"""The endings that are known, and what they stand for; text may also end in ``.gz``."""


def read_table(
    source: Any, *, like: Sequence[str] | None = None, text: Sequence[str] = ()
) -> Table:
    """Read a table.

    Args:
        source: A path, the name of a bundled set, a polars or pandas frame, or a dict of columns.
            A file wins over a bundled set of the same name. Many files make one table: a pattern
            such as ``data/*.parquet``, a folder, or a list of paths. A path may be a URL.
        like: Columns that a model expects. LIBSVM text does not write zeros, so that a file may
            not reach the last of them; they are then filled with 0.
        text: Columns of a text table to keep as texts, whatever they look like: a category such
            as ``007`` stays one in a file where it happens to come with numbers only.

    Returns:
        The table, with at least one row and one column.

    Raises:
        FalllineError: if there is no such table, or it is damaged; the sentence says where.
    """
    if isinstance(source, (str, Path)):
        path = Path(source).expanduser()
        if str(source) in BUNDLED and not path.is_file():
            return load(str(source))
        if places.is_url(source) or places.is_pattern(source) or _is_folder(path):
            return _read_many(source, like, text)
        return _read_file(path, str(source), like, text)
    if isinstance(source, (list, tuple)) and all(isinstance(one, (str, Path)) for one in source):  # pyright: ignore[reportUnknownVariableType]
        return _read_many(cast("Sequence[str | Path]", source), like, text)
    import polars as pl

    if isinstance(source, pl.LazyFrame):
        source = source.collect()
    if isinstance(source, pl.DataFrame):
        return checked(Table(source, "the data frame"))
    if isinstance(source, Mapping):
        return _from_columns(cast("Mapping[Any, Any]", source), "the dict")
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(source, pandas.DataFrame):
        return _from_pandas(source)
    raise FalllineError(
        f"A table cannot be read from {type(source).__name__!r}: give a path, the name of a "
        f"bundled set ({', '.join(BUNDLED)}), a polars or pandas data frame, or a dict of columns."
    )


def _read_file(path: Path, named: str, like: Sequence[str] | None, text: Sequence[str]) -> Table:
    try:
        if not path.is_file():
            raise _no_such_file(path, named)
    except (OSError, ValueError) as error:
        # A name that no file can have: too long, or with a zero byte.
        reason = getattr(error, "strerror", None) or str(error)
        raise FalllineError(f"There is no file {named:.200}: {reason}.") from None
    try:
        if not path.stat().st_size:
            raise FalllineError(f"{path.name} is empty: there is no table in it.")
        return _read_format(path, like, text)
    except PermissionError as error:
        raise FalllineError(f"You are not allowed to read {named}: ask for permission.") from error
    except OSError as error:
        # The disk, or the network it is behind, fails in the middle of the file.
        raise FalllineError(
            f"{named} cannot be read to its end: {error.strerror or error}. Copy it to a sound disk, or try "
            "again."
        ) from error


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        # A name that nothing can have; reading it says so.
        return False


def _read_many(
    source: str | Path | Sequence[str | Path], like: Sequence[str] | None, text: Sequence[str]
) -> Table:
    """Read files that make one table: all of one kind, with the same columns."""
    import polars as pl

    from fallline.data.stream import KINDS, open_source

    files = places.expand(source)
    endings = {Path(places.name_of(place)).suffix.lower() for place in files}
    if (len(files) > 1 and endings <= {*KINDS}) or endings == {".npy"}:
        chunks = open_source(source)
        parts = [chunks.read(i, text=text).frame for i in range(len(chunks.chunks))]
        return checked(Table(pl.concat(parts), chunks.name, chunks.target, chunks.blocks))
    tables = [_read_place(place, like, text) for place in files]
    first = tables[0]
    if len(tables) == 1:
        return first
    for place, table in zip(files, tables, strict=True):
        for name, dtype in first.frame.schema.items():
            found = table.frame.schema.get(name)
            if found != dtype and not (found and found.is_numeric() and dtype.is_numeric()):
                raise FalllineError(
                    f"Column {name!r} of {place} is {found or 'missing'}, and of type {dtype} in "
                    f"{files[0]}: all files of a table need the same columns."
                )
    frames = [table.frame.select(first.frame.columns) for table in tables]
    name = f"{source if isinstance(source, (str, Path)) else first.source} ({len(files):,} files)"
    return Table(pl.concat(frames, how="vertical_relaxed"), name, first.target, first.blocks)


def _read_place(place: str, like: Sequence[str] | None, text: Sequence[str]) -> Table:
    if not places.is_url(place):
        return _read_file(Path(place), place, like, text)
    try:
        return _read_format(places.readable(place), like, text)
    except (OSError, ImportError) as error:
        raise places.trouble(place, error) from error


def _read_format(path: Path, like: Sequence[str] | None, text: Sequence[str]) -> Table:
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    ending = plain.suffix.lower()
    if ending in (".csv", ".tsv"):
        separator = "\t" if ending == ".tsv" else None
        return checked(Table(read_delimited(path, separator, text), path.name))
    if ending in (".jsonl", ".ndjson", ".json"):
        return checked(Table(_read_json(path), path.name))
    if ending in (".libsvm", ".svm", ".svmlight"):
        if not places.on_disk(path):
            raise FalllineError(f"{path} is LIBSVM text, which is read from disks only: copy it.")
        return read_libsvm(path, like)
    if ending == ".parquet" and plain == path:
        return checked(Table(_read_parquet(path), path.name))
    if ending == ".npy" and plain == path:
        return _read_many(path, like, text)
    if ending == ".npz" and plain == path:
        return read_npz(path)
    if looks_like_libsvm(first_line(path) or b""):
        return read_libsvm(path, like)
    raise FalllineError(
        f"{path.name} is in no format that Fallline knows by its ending: it reads "
        f"{', '.join(FORMATS)} (text also with .gz), and LIBSVM text under any name."
    )


def _no_such_file(path: Path, named: str) -> FalllineError:
    folder = path.parent
    if not folder.is_dir():
        return FalllineError(f"There is no file {named}: the folder {folder} does not exist.")
    files = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    bundled = list(BUNDLED) if named == path.name else []
    offer = nearest(path.name, [*bundled, *files]) if files or bundled else ""
    if offer.startswith("did you mean"):
        return FalllineError(f"There is no file {named}: {offer}")
    sets = f", or name a bundled set ({', '.join(bundled)})" if bundled else ""
    return FalllineError(f"There is no file {named}: check the path{sets}.")


def _read_parquet(path: Path) -> pl.DataFrame:
    import polars as pl

    try:
        if places.on_disk(path):
            return pl.read_parquet(path, glob=False, hive_partitioning=False)
        with path.open("rb") as file:
            return pl.read_parquet(file)
    except pl.exceptions.DuplicateError as error:
        raise FalllineError(
            f"{path.name} has two columns of the same name ({_reason(error)}): give every column a "
            "name of its own."
        ) from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise FalllineError(
            f"{path.name} is cut short or damaged: it does not open as Parquet ({_reason(error)}). "
            "Write it again."
        ) from error


def _read_json(path: Path) -> pl.DataFrame:
    import polars as pl

    start = first_line(path)
    if start is None:
        raise FalllineError(f"{path.name} is empty: there is no table in it.")
    whole = start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    try:
        with open_bytes(path) as file:
            content = file.read().removeprefix(b"\xef\xbb\xbf")
        read = pl.read_json if whole else pl.read_ndjson
        frame = read(content, infer_schema_length=None)
    except EOFError as error:
        raise damaged_gzip(path) from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        if path.suffix == ".gz" and not isinstance(error, pl.exceptions.PolarsError):
            raise damaged_gzip(path) from error
        raise find_bad_bytes(path) or _bad_json(path, whole=whole, error=error) from error
    # JSON has no dates: it writes them as texts.
    return with_dates(frame, [c for c, dtype in frame.schema.items() if dtype == pl.String])


def _bad_json(path: Path, *, whole: bool, error: BaseException) -> FalllineError:
    with open_bytes(path) as file:
        lines = [file.read()] if whole else file
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line.decode("utf-8-sig"))
            except json.JSONDecodeError as trouble:
                place = trouble.lineno if whole else number
                return FalllineError(
                    f"Line {place} of {path.name} is not {'' if whole else 'one object of '}JSON: "
                    f"{trouble.msg} at character {trouble.colno}. Mend that line."
                )
            if not whole and not isinstance(value, dict):
                return FalllineError(
                    f"Line {number} of {path.name} is not a JSON object such as "
                    '{"age": 39, "city": "Oslo"}: a row is one object.'
                )
    return FalllineError(
        f"{path.name} does not make a table, an object a row with plain values: {_reason(error)}."
    )


def _reason(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _from_columns(source: Mapping[Any, Any], named: str) -> Table:
    """A table of named columns; an array of more than one dimension becomes a block."""
    import numpy as np
    import polars as pl

    wide: dict[str, np.ndarray[Any, np.dtype[Any]]] = {
        str(k): v for k, v in source.items() if isinstance(v, np.ndarray) and v.ndim > 1
    }
    columns: list[pl.Series] = []
    for key, values in source.items():
        if str(key) in wide:
            continue
        try:
            if not isinstance(values, (pl.Series, np.ndarray)):
                values = list(values)
            columns.append(pl.Series(str(key), cast("Any", values), strict=False))
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
            raise FalllineError(
                f"Column {str(key)!r} of {named} does not make a column of numbers, texts or dates "
                f"({_reason(error)}): give it values of one kind."
            ) from error
    heights = {column.name: len(column) for column in columns}
    heights |= {name: len(array) for name, array in wide.items()}
    first = next(iter(heights), "")
    for name, height in heights.items():
        if height != heights[first]:
            raise FalllineError(
                f"Column {name!r} of {named} has {height:,} rows where {first!r} has "
                f"{heights[first]:,}: every column needs one value a row."
            )
    frame, blocks = from_arrays(wide, named)
    try:
        whole = pl.DataFrame([*frame.get_columns(), *columns])
    except pl.exceptions.DuplicateError as error:
        raise FalllineError(
            f"There are two columns of the same name in {named}: give every column a name of its "
            "own."
        ) from error
    return checked(Table(whole, named, None, blocks))


def _from_pandas(source: Any) -> Table:
    import numpy as np
    import polars as pl

    named = "the data frame"
    names = [str(name) for name in source.columns]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise FalllineError(
            f"There is more than one column called {listed(twice)} in {named}: give every column a "
            "name of its own."
        )
    try:
        frame = pl.from_pandas(source)  # pyright: ignore[reportUnknownMemberType]
    except (ImportError, TypeError, ValueError):
        # Without pyarrow, texts and nullable numbers go over value by value; so do mixed columns.
        columns: dict[str, Any] = {}
        for place, name in enumerate(names):
            column = source.iloc[:, place]
            values: Any = column.to_numpy()
            if not isinstance(column.dtype, np.dtype) or values.dtype.kind not in "biufMm":
                gaps = column.isna()
                values = [None if gap else one for one, gap in zip(column, gaps, strict=True)]
            columns[name] = values
        return _from_columns(columns, named)
    return checked(Table(frame, named))
