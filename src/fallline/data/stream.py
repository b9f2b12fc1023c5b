"""Tables that are read in chunks: larger than memory, on a disk or behind a URL."""

from __future__ import annotations

import bisect
import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fallline.data import places
from fallline.data.chunks import Chunk, type_from_text, type_to_text
from fallline.data.table import Table, checked
from fallline.errors import FalllineError, nearest

if TYPE_CHECKING:
    import polars as pl

__all__ = ["KINDS", "Chunk", "Source", "kind_of", "open_source"]

KINDS = {".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".npy": "npy"}
"""The endings of files that can be read in chunks, and how."""

_FORMAT = "fallline source"
_LOOKED_INTO = 64
_LOOK = 1 << 16


@dataclass(frozen=True)
class Source:
    """A table in chunks. Plain data: whoever has it and can reach the files can read it.

    Attributes:
        name: What sentences call it: ``"sales.csv"``, ``"data/*.parquet (12 files)"``.
        kind: ``"parquet"``, ``"csv"`` or ``"npy"``.
        files: Paths and URLs.
        chunks: In file order, none of them empty.
        schema: Column name -> type, the same in every chunk.
        target: The target column that the source itself names, or None.
        blocks: Block name -> columns that came from one array and share one unit.
        sizes: The size of each file in bytes.
        details: What the format needs, as plain JSON.
    """

    name: str
    kind: str
    files: tuple[str, ...]
    chunks: tuple[Chunk, ...]
    schema: dict[str, pl.DataType]
    target: str | None = None
    blocks: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    sizes: tuple[int, ...] = ()
    details: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self._starts[-1]

    @cached_property
    def fingerprint(self) -> str:
        """Tells the same data from other data: sizes, and a digest of parts of the files.

        Of each file its beginning, its end (of Parquet, the whole footer) and some places between
        are read; of more than 64 files, these parts of 64.
        """
        digest = hashlib.sha256(repr((self.kind, self.sizes, self.rows)).encode())
        count = len(self.files)
        looked = min(count, _LOOKED_INTO)
        for number in (i * count // looked for i in range(looked)):
            _take_in(digest, self.files[number], self.sizes[number], self.kind)
        return digest.hexdigest()

    def read(
        self, chunk: int, columns: Sequence[str] | None = None, *, text: Sequence[str] = ()
    ) -> Table:
        """Read a chunk; any number of threads may do so at once.

        Args:
            chunk: Its number.
            columns: The columns to read, in this order; None reads all.
            text: Columns of a text table to keep as texts, whatever they look like.

        Returns:
            The chunk's rows in file order, of the same types in every chunk.

        Raises:
            FalllineError: if the file cannot be read, is damaged, or is not what it was when it
                was opened; the sentence names the file and the place.
        """
        one = self.chunks[chunk]
        place = self.files[one.file]
        names = list(self.schema) if columns is None else list(columns)
        missing = next((name for name in names if name not in self.schema), None)
        if missing is not None:
            raise FalllineError(
                f"There is no column {missing!r} in {self.name}: {nearest(missing, self.schema)}"
            )
        found = places.size(place)
        if found != self.sizes[one.file]:
            raise FalllineError(
                f"{place} has changed since it was opened: it had {self.sizes[one.file]:,} bytes and "
                f"has {found:,} now. Begin again with files that stay as they are."
            )
        written = places.written(place)
        if self._written.setdefault(place, written) != written:
            raise FalllineError(
                f"{place} has been written to since it was first read: rows of two versions would be "
                "mixed. Begin again with files that stay as they are."
            )
        frame = _reader(self.kind).read_part(self, one, names, text)
        if frame.height != one.rows:
            raise FalllineError(
                f"{place} has changed since it was opened: {self._named(chunk)} had {one.rows:,} "
                f"rows and has {frame.height:,} now. Begin again with files that stay as they are."
            )
        return Table(frame, self._named(chunk), self.target, self.blocks)

    def first_row(self, chunk: int) -> int:
        """The number of a chunk's first row in the whole table, counted from 0."""
        return self._starts[chunk]

    def row_name(self, chunk: int, row: int) -> str:
        """A chunk's row for a sentence, such as ``"row 17 of part-3.parquet"``; counted from 1."""
        one = self.chunks[chunk]
        within = self._starts[chunk] - self._starts[self._first_chunks[one.file]] + row
        return f"row {within + 1:,} of {places.name_of(self.files[one.file])}"

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON; :meth:`from_json` gives back an equal source."""
        return {
            "format": _FORMAT,
            "name": self.name,
            "kind": self.kind,
            "files": list(self.files),
            "chunks": [
                [c.file, c.rows, c.part if isinstance(c.part, int) else list(c.part)]
                for c in self.chunks
            ],
            "schema": {name: type_to_text(dtype) for name, dtype in self.schema.items()},
            "target": self.target,
            "blocks": {name: list(columns) for name, columns in self.blocks.items()},
            "sizes": list(self.sizes),
            "details": self.details,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Source:
        """Rebuild a source from what :meth:`to_json` gave.

        Raises:
            FalllineError: if ``content`` is something else.
        """
        try:
            if content["format"] != _FORMAT:
                raise ValueError(f"format {content['format']!r}")
            return cls(
                content["name"],
                content["kind"],
                tuple(content["files"]),
                tuple(
                    Chunk(file, rows, part if isinstance(part, int) else (part[0], part[1]))
                    for file, rows, part in content["chunks"]
                ),
                {name: type_from_text(text) for name, text in content["schema"].items()},
                content["target"],
                {name: tuple(columns) for name, columns in content["blocks"].items()},
                tuple(content["sizes"]),
                dict(content["details"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FalllineError(
                f"This is no list of a table's chunks ({type(error).__name__}: {error}): open the "
                "table again."
            ) from error

    def _named(self, chunk: int) -> str:
        """What sentences call the rows of a chunk, so that a row counted in it can be found."""
        one = self.chunks[chunk]
        within = self._starts[chunk] - self._starts[self._first_chunks[one.file]]
        name = places.name_of(self.files[one.file])
        return f"{name} after its row {within:,}" if within else name

    @cached_property
    def _written(self) -> dict[str, int]:
        """When each file had last been written to, as this process first saw it."""
        return {}

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *itertools.accumulate(chunk.rows for chunk in self.chunks)]

    @cached_property
    def _first_chunks(self) -> dict[int, int]:
        """File -> its first chunk."""
        files = [chunk.file for chunk in self.chunks]
        return {file: bisect.bisect_left(files, file) for file in set(files)}


def kind_of(data: Any) -> str | None:
    """How a table could be read in chunks, by its files' endings; None if it cannot."""
    try:
        files = places.expand(data)
    except (FalllineError, TypeError):
        return None
    kinds = {KINDS.get(Path(places.name_of(place)).suffix.lower()) for place in files}
    return kinds.pop() if len(kinds) == 1 else None


def open_source(
    data: str | Path | Sequence[str | Path],
    *,
    like: Sequence[str] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Source:
    """Find the chunks of a table. Of Parquet and .npy only footers and headers are read.

    A text table is read once from front to back, for its records and its types are in no footer.

    Args:
        data: A path, a pattern, a folder, a URL, or a list of these.
        like: Columns that a model expects; they must be there.
        progress: Called now and then with the share of a text that is read.

    Returns:
        The source.

    Raises:
        FalllineError: if there is no such table, or it cannot be read in chunks.
    """
    import polars as pl

    files = places.expand(data)
    name = _name(data, files)
    kind = _kind(files)
    sizes = tuple(places.size(place) for place in files)
    empty = next((place for place, size in zip(files, sizes, strict=True) if not size), None)
    if empty is not None:
        raise FalllineError(f"{places.name_of(empty)} is empty: there is no table in it.")
    found = _reader(kind).open_parts(files, name, progress or (lambda share: None))
    if not found.chunks:
        # The sentence is that of a table in memory.
        checked(Table(pl.DataFrame(schema=found.schema), name))
    checked(Table(pl.DataFrame({c: [None] for c in found.schema}, schema=found.schema), name))
    lacking = next((column for column in like or () if column not in found.schema), None)
    if lacking is not None:
        raise FalllineError(
            f"Column {lacking!r} is missing from {name}, and the model was trained with it: "
            f"{nearest(lacking, found.schema)}"
        )
    return Source(
        name,
        kind,
        tuple(files),
        found.chunks,
        found.schema,
        found.target,
        found.blocks,
        sizes,
        found.details,
    )


def _name(data: Any, files: Sequence[str]) -> str:
    if len(files) == 1:
        return places.name_of(files[0])
    told = str(data) if isinstance(data, (str, Path)) else places.name_of(files[0]) + ", ..."
    return f"{told} ({len(files):,} files)"


def _kind(files: Sequence[str]) -> str:
    kinds = {}
    for place in files:
        ending = Path(places.name_of(place)).suffix.lower()
        if ending == ".gz":
            raise FalllineError(
                f"{places.name_of(place)} is compressed as a whole, so it cannot be read in chunks: "
                "write the table as Parquet, which is compressed inside."
            )
        if ending not in KINDS:
            raise FalllineError(
                f"{places.name_of(place)} cannot be read in chunks: only {', '.join(KINDS)} can. "
                "Write the table as Parquet."
            )
        kinds[KINDS[ending]] = place
    if len(kinds) > 1:
        some = " and ".join(places.name_of(place) for place in kinds.values())
        raise FalllineError(f"{some} are of more than one kind: give files of one kind.")
    return next(iter(kinds))


def _reader(kind: str) -> Any:
    """The module that knows a kind: ``open_parts`` and ``read_part``."""
    import importlib

    return importlib.import_module(f"fallline.data.stream_{kind}")


def _take_in(digest: Any, place: str, size: int, kind: str) -> None:
    with places.open_input(place) as file:
        end = _LOOK
        if kind == "parquet" and size > 8:
            file.seek(size - 8)
            end = max(end, int.from_bytes(file.read(4), "little") + 8)
        for begin, length in [
            (0, _LOOK),
            *((size * part // 8, _LOOK // 8) for part in range(1, 8) if size > 4 * _LOOK),
            (max(size - end, 0), end),
        ]:
            file.seek(begin)
            digest.update(file.read(length))
