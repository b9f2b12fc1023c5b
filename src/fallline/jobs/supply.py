"""Blocks of encoded rows from a source: read by pieces, held-out rows set aside on disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.data.shards import TEST, TRAINING, VALIDATION, piece_order, row_order
from fallline.data.table import Table
from fallline.descent.objective import Batch
from fallline.descent.sharded import Block
from fallline.store import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from fallline.data.encode import Encoder
    from fallline.data.shards import Piece, Shard
    from fallline.data.stream import Source

    Arrays = tuple[np.ndarray, np.ndarray]

PART = 8192
"""Rows that are encoded, or looked at, together."""


class Pieces:
    """Reads the pieces of some shards.

    Attributes:
        source: where from.
        seed: decides which rows are held out.
        columns: what is read; None for all.
        text: columns that are kept as texts.
        count: pieces read so far.
    """

    def __init__(self, source: Source, seed: int) -> None:
        self.source = source
        self.seed = seed
        self.columns: Sequence[str] | None = None
        self.text: Sequence[str] = ()
        self.count = 0

    def read(self, piece: Piece) -> Table:
        """All rows of a piece."""
        table = self.source.read(piece.chunk, self.columns, text=self.text)
        self.count += 1
        if piece.rows == table.frame.height:
            return table
        frame = table.frame.slice(piece.start, piece.rows)
        return Table(frame, table.source, table.target, table.blocks)

    def serving(self, piece: Piece, role: int) -> Table:
        """The rows of a piece that serve one purpose."""
        table = self.read(piece)
        if not piece.validation + piece.test:
            return table
        frame = table.frame.filter(piece.roles(self.seed) == role)
        return Table(frame, table.source, table.target, table.blocks)


def encoded(table: Table, encoder: Encoder, start: int, rows: int) -> Arrays:
    """Some rows of a table as numbers; encoding many at a time would take a multiple of what they do."""
    frame = table.frame.slice(start, rows)
    some = Table(frame, table.source, table.target, table.blocks)
    return encoder.features(some), encoder.targets(some)


class Aside:
    """Rows set aside in files of plain numbers, a file a shard and purpose, mapped when they are read."""

    def __init__(self, folder: Path | None) -> None:
        """Make a place for them, hidden in ``folder``, else among the system's temporary files."""
        if folder is not None and not folder.is_dir():
            # On a machine that does not see the run's folder.
            folder = None
        try:
            self.path = Path(tempfile.mkdtemp(".tmp", ".held-", folder))
        except OSError as error:
            raise files.unwritable(folder or Path(tempfile.gettempdir()), error) from None
        self._kinds: dict[str, tuple[int, Any]] = {}
        self._signed = time.monotonic()

    def sign_of_life(self) -> None:
        """Let the run's folder show, twice a minute, that somebody is at work."""
        if time.monotonic() - self._signed > 30:
            self._signed = time.monotonic()
            with contextlib.suppress(OSError):
                os.utime(self.path.parent / "run.json")

    def write_raw(self, frame: pl.DataFrame, path: Path) -> None:
        """Keep rows as they were read, until it is known how to encode them."""
        try:
            frame.write_ipc(path)
        except OSError as error:
            raise files.unwritable(path, error) from None

    def add(self, shard: int, role: int, x: np.ndarray, y: np.ndarray) -> None:
        """Append rows.

        Raises:
            FalllineError: if the disk is full.
        """
        self._kinds = {"x": (x.shape[1], x.dtype), "y": (1, y.dtype)}
        for name, array in (("x", x), ("y", y)):
            path = self.path / f"{shard}-{role}-{name}"
            try:
                with path.open("ab") as file:
                    file.write(np.ascontiguousarray(array).data)
            except OSError as error:
                raise files.unwritable(path, error) from None

    def rows(self, shard: int, role: int) -> Arrays | None:
        """What was set aside, mapped; None where nothing was."""
        if not (self.path / f"{shard}-{role}-x").exists():
            return None
        found = [
            np.memmap(self.path / f"{shard}-{role}-{name}", kind, "r").reshape(-1, width)
            for name, (width, kind) in self._kinds.items()
        ]
        return found[0], found[1][:, 0]

    def parts(self, shards: Sequence[Shard], role: int) -> Iterator[tuple[int, Arrays]]:
        """The rows of some shards, some thousands at a time."""
        for shard in shards:
            rows = self.rows(shard.number, role)
            for start in range(0, 0 if rows is None else len(rows[0]), PART):
                assert rows is not None
                stop = start + PART
                yield shard.number, (np.array(rows[0][start:stop]), np.array(rows[1][start:stop]))

    def close(self) -> None:
        """Take the files away."""
        for _ in range(50):
            shutil.rmtree(self.path, ignore_errors=True)
            if not self.path.exists():
                break
            # After Ctrl-C polars may still be writing one, in a thread of its own.
            time.sleep(0.02)


class Cursor:
    """Goes through the training rows of a shard in the order of an epoch."""

    def __init__(
        self, pieces: Pieces, encoder: Encoder, shard: Shard, order: Sequence[int], skip: int
    ) -> None:
        """Begin after so many rows; whole pieces before them are not read."""
        self._pieces, self._encoder = pieces, encoder
        self._left = [shard.pieces[i] for i in order if shard.pieces[i].training]
        while self._left and skip >= self._left[0].training:
            skip -= self._left.pop(0).training
        # As it was read: encoded, a piece with many categories is many times as large.
        self._begun: Table | None = None
        self._done = skip

    def take(self, x: np.ndarray, y: np.ndarray) -> int:
        """Fill arrays with the next rows; returns how many there were."""
        place = 0
        while place < len(x):
            if self._begun is None:
                if not self._left:
                    break
                self._begun = self._pieces.serving(self._left.pop(0), TRAINING)
            rows = min(len(x) - place, self._begun.frame.height - self._done, PART)
            some = encoded(self._begun, self._encoder, self._done, rows)
            x[place : place + rows], y[place : place + rows] = some
            place += rows
            self._done += rows
            if self._done == self._begun.frame.height:
                self._begun, self._done = None, 0
        return place


class SourceSupply:
    """Blocks of a source's rows; see `fallline.descent.sharded.Supply`.

    Attributes:
        steps: steps of a block.
        blocks: blocks of an epoch.
        rows: rows of a block on each device.
    """

    def __init__(
        self,
        pieces: Pieces,
        encoder: Encoder,
        shards: Sequence[Shard],
        aside: Aside,
        *,
        devices: int,
        batch: int | None,
        block: int,
        longest: int,
        seed: int,
    ) -> None:
        """Lay out what this process supplies.

        Args:
            pieces: reads.
            encoder: turns what was read into numbers.
            shards: those of this process.
            aside: where the held-out rows are.
            devices: how many devices this process has; each gets as many of its shards.
            batch: rows that a step takes from each shard; None for all.
            block: rows that a block takes from each shard, at most.
            longest: training rows of the longest shard of all.
            seed: decides the orders.
        """
        self._pieces, self._encoder, self._shards, self._aside = pieces, encoder, shards, aside
        self._seed, self._devices = seed, devices
        self.blocks = -(-longest // block)
        self._each = longest if self.blocks == 1 else block
        if batch is None:
            self.steps = 1
        else:
            self.steps = -(-self._each // batch)
            self._each = self.steps * batch
        self._batch = batch
        self.rows = self._each * len(shards) // devices
        self._cursors: dict[int, Cursor] = {}
        self._at = (-1, -1)
        self._lock = threading.Lock()

    @property
    def read(self) -> int:
        """Pieces read so far."""
        return self._pieces.count

    def block(self, epoch: int, number: int) -> Block:
        """A block of an epoch; the one after the last that was asked for takes no reading twice."""
        # The thread of a feed that was left may still be at its last block.
        with self._lock:
            return self._block(epoch, number)

    def _block(self, epoch: int, number: int) -> Block:
        if self._at != (epoch, number):
            self._cursors = {s.number: self._cursor(s, epoch, number) for s in self._shards}
        count = len(self._shards) * self._each
        x = np.zeros((count, len(self._encoder.feature_names)), np.float32)
        y = np.zeros(count, np.float32 if self._encoder.classes is None else np.int32)
        weights = np.zeros(count, np.float32)
        for i, shard in enumerate(self._shards):
            start, stop = i * self._each, (i + 1) * self._each
            found = self._cursors[shard.number].take(x[start:stop], y[start:stop])
            weights[start : start + found] = 1
        self._at = (epoch, number + 1)
        return Block(Batch(x, y, weights), self.order(epoch, number))

    def _cursor(self, shard: Shard, epoch: int, number: int) -> Cursor:
        order = range(len(shard.pieces))
        if self.blocks > 1:
            order = piece_order(shard, self._seed, epoch)
        return Cursor(self._pieces, self._encoder, shard, list(order), number * self._each)

    def order(self, epoch: int, number: int) -> np.ndarray | None:
        """The order of a block's rows, device by device, step by step, shard by shard."""
        if self._batch is None:
            return None
        parts: list[np.ndarray] = []
        for i, shard in enumerate(self._shards):
            left = shard.counts.training - number * self._each
            there = min(max(left, 0), self._each)
            order = row_order(shard.number, self._seed, epoch, number, there)
            # The rows that fill up come last, in the last block's last steps.
            order = np.concatenate([order, np.arange(there, self._each, dtype=np.int32)])
            on_device = i % (len(self._shards) // self._devices)
            parts.append((order + on_device * self._each).reshape(self.steps, self._batch))
        each = len(self._shards) // self._devices
        by_device = [
            np.concatenate(parts[d * each : (d + 1) * each], axis=1) for d in range(self._devices)
        ]
        return np.concatenate([order.ravel() for order in by_device]).astype(np.int32)

    def held_out(self) -> Iterator[tuple[int, Batch]]:
        """The validation rows by shard, in parts of `PART` rows."""
        for number, (x, y) in self._aside.parts(self._shards, VALIDATION):
            missing = PART - len(x)
            weights = np.pad(np.ones(len(x), np.float32), (0, missing))
            x, y = np.pad(x, ((0, missing), (0, 0))), np.pad(y, (0, missing))
            yield number, Batch(x, y, weights)

    def trained(self) -> Iterator[tuple[int, Arrays]]:
        """The training rows by shard, piece by piece."""
        for shard in self._shards:
            for piece in shard.pieces:
                if piece.training:
                    table = self._pieces.serving(piece, TRAINING)
                    for start in range(0, piece.training, PART):
                        yield shard.number, encoded(table, self._encoder, start, PART)

    def tested(self) -> Iterator[tuple[int, Arrays]]:
        """The test rows by shard, some thousands at a time."""
        return self._aside.parts(self._shards, TEST)
