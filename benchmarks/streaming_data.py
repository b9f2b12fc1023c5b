"""A made table of 32 columns in the forms that are read in pieces: Parquet, .npy, CSV.

Rows are made a part at a time, each part by its own seed, so that a table of any size begins with the same
rows and never lies in memory. The target is partly linear: a linear model gets about two thirds of its
variance, a network of two layers most of the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COLUMNS = 32
GROUP = 131_072
"""Rows of a part, and at most of a row group."""

NAMES = [f"X_{k}" for k in range(COLUMNS)]
"""What Fallline calls the columns of X.npy, too."""

HELD = 65_536
"""Rows of the held-out table."""


def part(number: int, rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Some rows in single precision."""
    random = np.random.default_rng([seed, number])
    X = random.standard_normal((rows, COLUMNS), dtype=np.float32)
    weights = np.random.default_rng([seed]).standard_normal(COLUMNS).astype(np.float32)
    weights /= np.linalg.norm(weights)
    bent = np.sin(2 * X[:, 0]) + 0.7 * X[:, 1] * X[:, 2] + np.abs(X[:, 3]) - 0.8
    noise = random.standard_normal(rows, dtype=np.float32)
    y = 0.8 * (X @ weights) + 0.45 * bent + 0.2 * noise
    return X, y.astype(np.float32)


def parts(rows: int, seed: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All rows, part by part."""
    for number, start in enumerate(range(0, rows, GROUP)):
        yield part(number, min(GROUP, rows - start), seed)


def held_out() -> tuple[np.ndarray, np.ndarray]:
    """Rows that no table has."""
    return part(10**6, HELD)


def write_parquet(
    place: Path, pieces: Iterator[tuple[np.ndarray, np.ndarray]], group: int = GROUP
) -> None:
    """Write a table in row groups of so many rows at most."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(name, pa.float32()) for name in [*NAMES, "y"]])
    with parquet.ParquetWriter(place, schema, use_dictionary=False) as file:
        for X, y in pieces:
            columns = [np.ascontiguousarray(X[:, k]) for k in range(COLUMNS)]
            file.write_table(pa.table([*columns, y], schema=schema), row_group_size=group)


def write(folder: Path, rows: int, text_rows: int) -> None:
    """Write ``table.parquet``, ``npy/X.npy`` and ``y.npy``, ``table.csv`` and what is held out."""
    import polars as pl

    (folder / "npy").mkdir(parents=True)
    (folder / "held").mkdir()
    group = min(GROUP, -(-rows // 8))
    write_parquet(folder / "table.parquet", parts(rows), group)
    X = np.lib.format.open_memmap(folder / "npy" / "X.npy", "w+", np.float32, (rows, COLUMNS))
    y = np.lib.format.open_memmap(folder / "npy" / "y.npy", "w+", np.float32, (rows,))
    place = 0
    with (folder / "table.csv").open("wb") as text:
        for some, target in parts(rows):
            X[place : place + len(some)], y[place : place + len(some)] = some, target
            left = min(text_rows - place, len(some))
            if left > 0:
                columns = {name: some[:left, k] for k, name in enumerate(NAMES)}
                frame = pl.DataFrame({**columns, "y": target[:left]})
                frame.write_csv(text, include_header=place == 0, float_precision=5)
            place += len(some)
    held, truth = held_out()
    write_parquet(folder / "held.parquet", iter([(held, truth)]))
    np.save(folder / "held" / "X.npy", held)
    np.save(folder / "held" / "y.npy", truth)
