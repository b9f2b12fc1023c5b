"""Predictions for a table of any size: a large one is read, predicted and written in pieces."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from fallline.data.stream import Source, open_source
from fallline.data.table import Table
from fallline.data.weight import weight
from fallline.jobs.result import TableRun, write_table, writer_for
from fallline.store import files

if TYPE_CHECKING:
    import polars as pl

STREAMED = 64 << 20
"""Bytes in memory above which a table is predicted in pieces."""

_BLOCK = 8192
_ENCODED = 32 << 20

Progress = Callable[[str, float], None]


@dataclass
class Predicted:
    """What was predicted.

    Attributes:
        rows: How many rows.
        unseen: Column -> how many rows hold a text that training never saw, and the first of them.
    """

    rows: int = 0
    unseen: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])

    def note(self, fitted: TableRun, table: Table) -> None:
        """Count the rows of a table, and its texts that training never saw."""
        self.rows += table.frame.height
        for column, (count, example) in fitted.encoder.unseen(table).items():
            before, first = self.unseen.get(column, (0, example))
            self.unseen[column] = (before + count, first)


def predict_into(
    fitted: TableRun,
    data: Any,
    out: Path | None,
    *,
    probabilities: bool = False,
    echo: Callable[[str], None] = print,
    progress: Progress | None = None,
    streamed: int = STREAMED,
) -> Predicted:
    """Write the rows of a table with the predictions beside them.

    Args:
        fitted: the run.
        data: a path, a pattern, a bundled set's name, or what else `fallline.read_table` takes.
        out: a file whose ending names the format; None writes CSV with ``echo``. The file is there
            once it is whole; until then it has a hidden name beside it.
        probabilities: add a column of probabilities for each class.
        echo: writes a piece of CSV.
        progress: called with what is done (``"reading"``, ``"predicting"``) and how much of it.
        streamed: a table of more bytes than this, where it can be read in chunks, is not read as a
            whole: it is predicted in constant memory.

    Returns:
        What was predicted.

    Raises:
        FalllineError: if the table cannot be read or does not fit, or the file cannot be written.
    """
    if out is not None:
        writer_for(out)
    done = Predicted()
    taken = weight(data)
    if taken is None or taken <= streamed:
        table = fitted.read(data)
        frame = fitted.predictions(table, probabilities=probabilities)
        done.note(fitted, table)
        if out is None:
            echo(frame.write_csv())
        else:
            write_table(frame, out)
        return done
    tell = progress or (lambda what, share: None)
    source = open_source(data, progress=lambda share: tell("reading", share))
    with _Output(out, echo) as output:
        for table in _pieces(fitted, source):
            output.write(fitted.predictions(table, probabilities=probabilities))
            done.note(fitted, table)
            tell("predicting", done.rows / source.rows)
    return done


def _pieces(fitted: TableRun, source: Source) -> Iterator[Table]:
    """The table's rows in pieces that begin at multiples of the rows that the model takes at once.

    So each row is in the same place of the same block as it is when all rows come together, and
    its prediction the same to the last bit. The last piece is never shorter than one before.
    """
    import polars as pl

    width = max(len(fitted.encoder.feature_names), 1)
    step = _BLOCK * max(1, min(16, _ENCODED // (4 * width * _BLOCK)))
    waiting: list[pl.DataFrame] = []
    rows, first = 0, 0

    def named() -> str:
        return f"{source.name} after its row {first:,}" if first else source.name

    for frame in _chunks(source, fitted.encoder.text_columns):
        waiting.append(frame)
        rows += frame.height
        if rows < 2 * step:
            continue
        frame = pl.concat(waiting)
        while frame.height >= 2 * step:
            yield Table(frame.head(step), named(), source.target, source.blocks)
            frame, first = frame.tail(-step), first + step
        waiting, rows = [frame], frame.height
    yield Table(pl.concat(waiting), named(), source.target, source.blocks)


def _chunks(source: Source, text: list[str]) -> Iterator[pl.DataFrame]:
    """The chunks in file order, each read while the one before is worked on."""
    with ThreadPoolExecutor(1, "fallline-reader") as pool:
        coming = pool.submit(source.read, 0, text=text)
        for following in range(1, len(source.chunks) + 1):
            frame = coming.result().frame
            if following < len(source.chunks):
                coming = pool.submit(source.read, following, text=text)
            yield frame


class _Output:
    """A file that grows piece by piece, and has its name once it is whole."""

    def __init__(self, path: Path | None, echo: Callable[[str], None]) -> None:
        self._path, self._echo = path, echo
        self._pieces = 0
        self._file: BinaryIO | None = None
        self._parquet: Any = None

    def __enter__(self) -> _Output:
        if self._path is not None:
            name = f".{self._path.name}.{secrets.token_hex(4)}.tmp"
            self._temporary = self._path.with_name(name)
            try:
                self._file = self._temporary.open("wb")
            except OSError as error:
                raise files.unwritable(self._path, error) from None
        return self

    def write(self, frame: pl.DataFrame) -> None:
        """Write some rows."""
        first, self._pieces = not self._pieces, self._pieces + 1
        if self._file is None or self._path is None:
            self._echo(frame.write_csv(include_header=first))
            return
        try:
            match self._path.suffix.lower():
                case ".parquet":
                    self._write_parquet(frame)
                case ".csv":
                    self._file.write(frame.write_csv(include_header=first).encode())
                case ".tsv":
                    text = frame.write_csv(include_header=first, separator="\t")
                    self._file.write(text.encode())
                case _:
                    self._file.write(frame.write_ndjson().encode())
        except OSError as error:
            raise files.unwritable(self._path, error) from None

    def _write_parquet(self, frame: pl.DataFrame) -> None:
        import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]

        table = frame.to_arrow()
        if self._parquet is None:
            # Numbers seldom repeat: a dictionary of them takes long to make, and more room.
            named: Any = [name for name, dtype in frame.schema.items() if not dtype.is_float()]
            self._parquet = pq.ParquetWriter(
                self._file, table.schema, compression="zstd", use_dictionary=named or False
            )
        self._parquet.write_table(table)

    def __exit__(self, kind: type[BaseException] | None, *more: object) -> None:
        if self._file is None or self._path is None:
            return
        try:
            if kind is None:
                if self._parquet is not None:
                    self._parquet.close()
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
                self._temporary.replace(self._path)
                files.sync_folder(self._path.parent)
        except OSError as error:
            raise files.unwritable(self._path, error) from None
        finally:
            if self._parquet is not None:
                # It writes its footer whenever it is closed, also into a full disk.
                with contextlib.suppress(Exception):
                    self._parquet.close()
            with contextlib.suppress(OSError):
                self._file.close()
            with contextlib.suppress(OSError):
                self._temporary.unlink()
