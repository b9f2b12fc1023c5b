"""Tables that come as arrays: NumPy archives, dicts of arrays, LIBSVM text."""

from __future__ import annotations

import math
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fallline.data.table import Table, checked, listed
from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import polars as pl

    Array = np.ndarray[Any, np.dtype[Any]]

TARGETS = ("y", "target", "label", "labels")
"""Names that an array of targets goes by."""

DENSE_LIMIT = 4e9
"""Bytes that a sparse file may take once its zeros are written out."""

_LIBSVM_LINE = re.compile(rb"^[-+]?[\d.][^\s:]*(?:\s+\d+:\S+)+\s*(?:#.*)?$")
_LIBSVM_COLUMN = re.compile(r"f\d+")


def read_npz(path: Path) -> Table:
    """Read a NumPy archive: an array a column, or a block of columns if it has more dimensions."""
    arrays: dict[str, Array] = {}
    name = None
    try:
        # NumPy leaves a damaged file open that it opened itself.
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise FalllineError(
                    f"{path.name} holds a single array without a name: save the features and the "
                    "target as one archive with numpy.savez."
                )
            for name in archive.files:
                arrays[name] = archive[name]
    except ValueError as error:
        if name is None or "pickle" not in str(error):
            raise _damaged_npz(path) from error
        raise FalllineError(
            f"Array {name!r} of {path.name} holds Python objects, which Fallline does not "
            "unpickle: save it as numbers or as texts of a fixed width."
        ) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError, AttributeError) as error:
        raise _damaged_npz(path) from error
    for found in TARGETS:
        if found in arrays and arrays[found].ndim == 2 and arrays[found].shape[1] == 1:
            arrays[found] = arrays[found][:, 0]
    frame, blocks = from_arrays(arrays, path.name)
    target = next((found for found in TARGETS if found in frame.columns), None)
    return checked(Table(frame, path.name, target, blocks))


def from_arrays(
    arrays: Mapping[str, Array], source: str
) -> tuple[pl.DataFrame, dict[str, tuple[str, ...]]]:
    """Turn named arrays with the same number of rows into a frame and its blocks.

    An array of more than one dimension gives the columns ``name_0``, ``name_1``, ... They form a
    block, in one unit, unless the array is a plain table: two dimensions, and values that are
    neither bytes nor all within [-1, 1].
    """
    import polars as pl

    parts: list[pl.DataFrame] = []
    blocks: dict[str, tuple[str, ...]] = {}
    rows: dict[str, int] = {}
    for name, array in arrays.items():
        if array.dtype.kind not in "biufUM":
            raise FalllineError(
                f"Array {name!r} of {source} holds values of type {array.dtype}, which are no "
                "numbers, texts or dates: convert it, or leave it out of the file."
            )
        if not array.ndim:
            raise FalllineError(
                f"Array {name!r} of {source} is a single value, not one value a row: leave it out."
            )
        rows[name] = len(array)
        first = next(iter(rows))
        if len(array) != rows[first]:
            raise FalllineError(
                f"Array {name!r} of {source} has {len(array):,} rows where {first!r} has "
                f"{rows[first]:,}: every array needs one entry a row."
            )
        if array.dtype == np.float16:
            array = array.astype(np.float32)
        if array.ndim == 1:
            parts.append(pl.DataFrame([pl.Series(name, _plain(array))]))
            continue
        flat = np.asfortranarray(array.reshape(len(array), math.prod(array.shape[1:])))
        columns = tuple(f"{name}_{place}" for place in range(flat.shape[1]))
        if flat.dtype.kind in "UM":
            parts.append(
                pl.DataFrame([pl.Series(c, _plain(flat[:, i])) for i, c in enumerate(columns)])
            )
            continue
        parts.append(pl.from_numpy(flat, schema=columns, orient="row"))
        if array.ndim > 2 or array.dtype == np.uint8 or _one_scale(flat):
            blocks[name] = columns
    try:
        return pl.concat(parts, how="horizontal") if parts else pl.DataFrame(), blocks
    except pl.exceptions.DuplicateError as error:
        raise FalllineError(
            f"Two arrays of {source} would give columns of the same name: rename one of "
            f"{listed(list(arrays))}."
        ) from error


def _one_scale(flat: Array) -> bool:
    """Whether all numbers lie within [-1, 1]: pixels, embeddings, never mind where from."""
    return flat.dtype.kind == "f" and bool(np.all(np.abs(flat) <= 1))


def _plain(array: Array) -> Any:
    # polars knows calendar units from nanoseconds up to days only.
    if array.dtype.kind == "M":
        return array.astype("datetime64[us]")
    return np.ascontiguousarray(array)


def _damaged_npz(path: Path) -> FalllineError:
    return FalllineError(
        f"{path.name} is cut short or damaged: it does not open as a NumPy archive. Save it again "
        "with numpy.savez."
    )


def looks_like_libsvm(line: bytes) -> bool:
    """Whether a line reads ``label index:value index:value ...``."""
    return _LIBSVM_LINE.match(line.strip()) is not None


def read_libsvm(path: Path, like: Sequence[str] | None = None) -> Table:
    """Read LIBSVM text into columns ``f1``, ``f2``, ... as the file numbers them, and ``label``.

    Args:
        path: The file; sparse, one example a line.
        like: Columns that a model expects; those that the file does not reach are filled with 0,
            for a value that is not written is 0.
    """
    import polars as pl
    import sklearn.datasets  # pyright: ignore[reportMissingTypeStubs]

    read: Any = getattr(sklearn.datasets, "load_svmlight_file")  # noqa: B009 - it has no types
    try:
        sparse, labels = cast("tuple[Any, Array]", read(str(path), zero_based=True))
    except (ValueError, OverflowError, EOFError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FalllineError(
            f"{path.name} cannot be read as LIBSVM text, 'label index:value index:value ...' a "
            f"line: {reason}."
        ) from error
    # Most files count from 1, and leave column 0 without an entry.
    start = 0 if np.any(sparse.indices == 0) else 1
    width = max(sparse.shape[1] - start, len(like or ()))
    size = 8.0 * sparse.shape[0] * width
    if size > DENSE_LIMIT:
        raise FalllineError(
            f"{path.name} is sparse: with its zeros written out, {sparse.shape[0]:,} rows of "
            f"{width:,} columns need {size / 1e9:,.1f} GB, and Fallline stops at "
            f"{DENSE_LIMIT / 1e9:.0f} GB. Use fewer rows or columns."
        )
    names = [f"f{place}" for place in range(start, sparse.shape[1])]
    known = set(names)
    more = [c for c in like or () if c not in known and _LIBSVM_COLUMN.fullmatch(c)]
    whole = bool(np.all(labels == np.round(labels)))
    frame = pl.DataFrame([pl.Series("label", labels.astype(np.int64) if whole else labels)])
    if names:
        dense = sparse[:, start:].toarray(order="F")
        frame = pl.from_numpy(dense, schema=names, orient="row").with_columns(frame)
    # The label stays last: it is no feature.
    frame = frame.select(
        pl.exclude("label"), *(pl.lit(0.0).alias(name) for name in more), pl.col("label")
    )
    return checked(Table(frame, path.name, "label"))
