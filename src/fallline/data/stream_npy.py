""".npy arrays in chunks: slices of their rows.

The slices are read, not mapped: a file that is cut short gives an error then, where touching the
missing page of a mapped one would end the process.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.data import places
from fallline.data.arrays import TARGETS, from_arrays
from fallline.data.chunks import MOST_BYTES, MOST_ROWS, Chunk, Contents
from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from fallline.data.stream import Source

    Array = np.ndarray[Any, np.dtype[Any]]

TABLE = "x"
"""What the columns of an array without a target beside it are called: x_0, x_1, ..."""

_TURNED = 1024


def open_parts(files: Sequence[str], name: str, progress: Callable[[float], None]) -> Contents:
    """Read the headers.

    One file is a table of columns ``x_0``, ``x_1``, ... So are several of one width, one below the
    other. Where one of them is called ``y`` (or ``target``, ``label``, ``labels``), they are arrays
    with the same rows, side by side, each named by its file, as in an ``.npz`` archive.

    Args:
        files: Paths and URLs.
        name: What sentences call the table.
        progress: Called with the share that is looked through.

    Raises:
        FalllineError: if an array makes no table, or they do not fit together.
    """
    headers = [_header(place) for place in files]
    stems = [Path(places.name_of(place)).stem for place in files]
    target = next((stem for stem in TARGETS if stem in stems), None) if len(files) > 1 else None
    groups = [list(range(len(files)))] if target else [[i] for i in range(len(files))]
    for header, place in zip(headers, files, strict=True):
        width, first = header["shape"][1:], headers[0]["shape"][1:]
        if not target and (not width or width != first or header["dtype"] != headers[0]["dtype"]):
            raise FalllineError(_misfit(place, header, files[0], headers[0]))
        if target and header["shape"][:1] != headers[0]["shape"][:1]:
            raise FalllineError(
                f"{place} has {_rows(header):,} rows where {files[0]} has {_rows(headers[0]):,}: "
                "every array needs one entry a row."
            )
    names = stems if target else [TABLE] * len(files)
    for stem, header in zip(names, headers, strict=True):
        if stem == target and header["shape"][1:] == [1]:
            header["shape"] = header["shape"][:1]
    chunks: list[Chunk] = []
    for group in groups:
        rows = _rows(headers[group[0]])
        each = sum(_row_bytes(headers[i]) for i in group)
        most = max(1, min(MOST_ROWS, MOST_BYTES // max(each, 1)))
        chunks += [
            Chunk(group[0], min(most, rows - start), (start, min(start + most, rows)))
            for start in range(0, rows, most)
        ]
    details = {"headers": headers, "names": names, "together": target is not None}
    frame, blocks = from_arrays(_sample(files, groups[0], details), name)
    schema = dict(frame.schema)
    for block in list(blocks):
        if not _is_block(files, chunks, details, block, progress):
            del blocks[block]
    if target and target not in schema:
        target = None
    return Contents(tuple(chunks), schema, target, blocks, details)


def read_part(source: Source, chunk: Chunk, names: list[str], text: Sequence[str]) -> pl.DataFrame:
    """Read a slice.

    Raises:
        FalllineError: if a file is cut short or has changed.
    """
    import polars as pl

    assert not isinstance(chunk.part, int)
    details = source.details
    group = range(len(source.files)) if details["together"] else [chunk.file]
    parts: list[pl.DataFrame] = []
    for i in group:
        array = _slice(source.files[i], details["headers"][i], *chunk.part)
        if array.ndim == 2 and array.dtype.kind in "biuf" and array.dtype != np.float16:
            columns = enumerate(_columns(array))
            name = details["names"][i]
            parts.append(pl.DataFrame([pl.Series(f"{name}_{n}", column) for n, column in columns]))
        else:
            parts.append(from_arrays({details["names"][i]: array}, source.name)[0])
    return pl.concat(parts, how="horizontal").select(names)


def _columns(array: Array) -> Array:
    """The columns, each in one piece: some rows at a time, so that they stay in the cache."""
    if array.flags.f_contiguous:
        return array.T
    turned = np.empty(array.shape[::-1], array.dtype)
    for begin in range(0, len(array), _TURNED):
        turned[:, begin : begin + _TURNED] = array[begin : begin + _TURNED].T
    return turned


def _misfit(place: str, header: dict[str, Any], first: str, other: dict[str, Any]) -> str:
    if not header["shape"][1:]:
        return (
            f"{place} holds one value a row: a table needs an array of two dimensions (features, "
            "with a column for the target), or X.npy and y.npy in one folder."
        )
    return (
        f"{place} holds rows of shape {tuple(header['shape'][1:])} and type {header['dtype']}, {first} "
        f"of shape {tuple(other['shape'][1:])} and type {other['dtype']}: the files of a table need "
        "rows of one shape and type."
    )


def _header(place: str) -> dict[str, Any]:
    from numpy.lib import format as npy

    try:
        with places.open_input(place) as file:
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, fortran, dtype = read(file)
            offset = file.tell()
    except (OSError, ValueError, EOFError) as error:
        raise FalllineError(
            f"{places.name_of(place)} is cut short or damaged: it does not open as a NumPy array "
            f"({places.reason(error)}). Save it again with numpy.save."
        ) from error
    if dtype.kind not in "biufUM":
        raise FalllineError(
            f"{places.name_of(place)} holds values of type {dtype}, which are no numbers, texts or "
            "dates: convert it."
        )
    if any(length < 0 for length in shape):
        raise FalllineError(
            f"{places.name_of(place)} is damaged: its header tells of a shape {shape}. Save it again with "
            "numpy.save."
        )
    if not shape:
        raise FalllineError(
            f"{places.name_of(place)} holds a single value, not one value a row: it makes no table."
        )
    expected, found = offset + dtype.itemsize * math.prod(shape), places.size(place)
    if found < expected:
        raise FalllineError(
            f"{place} is cut short: its header promises {expected:,} bytes and it has {found:,}. "
            "Copy it again."
        )
    return {"shape": list(shape), "fortran": fortran, "dtype": dtype.str, "offset": offset}


def _rows(header: dict[str, Any]) -> int:
    return int(header["shape"][0])


def _row_bytes(header: dict[str, Any]) -> int:
    return np.dtype(header["dtype"]).itemsize * math.prod(header["shape"][1:])


def _slice(place: str, header: dict[str, Any], start: int, stop: int) -> Array:
    """Some rows of an array, two dimensions at the most."""
    dtype, shape = np.dtype(header["dtype"]), header["shape"]
    width, offset = math.prod(shape[1:]), int(header["offset"])
    with places.open_input(place) as file:
        if not header["fortran"] or len(shape) == 1:
            flat = _read(
                file, place, dtype, offset + start * width * dtype.itemsize, (stop - start) * width
            )
            array = flat.reshape(stop - start, *shape[1:])
        else:
            array = np.empty((stop - start, width), dtype, order="F")
            for column in range(width):
                begin = offset + (column * shape[0] + start) * dtype.itemsize
                array[:, column] = _read(file, place, dtype, begin, stop - start)
            # Its values lie by the last place first.
            array = array.reshape(stop - start, *shape[1:], order="F")
    return array.reshape(stop - start, width) if len(shape) > 2 else array


def _read(file: Any, place: str, dtype: np.dtype[Any], offset: int, count: int) -> Array:
    array = np.empty(count, dtype)
    try:
        file.seek(offset)
        found = file.readinto(array.view(np.uint8))
    except OSError as error:
        raise places.trouble(place, error) from error
    if found != array.nbytes:
        raise FalllineError(
            f"{place} ends at byte {offset + found:,}, in the middle of the array: it is cut short. "
            "Copy it again."
        )
    return array


def _sample(files: Sequence[str], group: list[int], details: dict[str, Any]) -> dict[str, Array]:
    """The first rows, from which types are told."""
    arrays: dict[str, Array] = {}
    for i in group:
        header = details["headers"][i]
        array = _slice(files[i], header, 0, min(_rows(header), 2))
        # More dimensions than two make a block, whatever is in them.
        arrays[details["names"][i]] = array.reshape(len(array), *header["shape"][1:])
    return arrays


def _is_block(
    files: Sequence[str],
    chunks: list[Chunk],
    details: dict[str, Any],
    block: str,
    progress: Callable[[float], None],
) -> bool:
    """Whether what looks like a block is one: its numbers all lie within [-1, 1]."""
    for i, (name, header) in enumerate(zip(details["names"], details["headers"], strict=True)):
        if name != block:
            continue
        if len(header["shape"]) > 2 or np.dtype(header["dtype"]) == np.uint8:
            return True
        for number, chunk in enumerate(chunks):
            if not details["together"] and chunk.file != i:
                continue
            assert not isinstance(chunk.part, int)
            part = _slice(files[i], header, *chunk.part)
            progress(number / len(chunks))
            if not bool(np.all(np.abs(part) <= 1)):
                return False
    return True
