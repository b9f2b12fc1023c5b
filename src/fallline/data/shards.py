"""How a table's rows are cut into shards, and which of them are held out, without reading one.

A shard is a run of consecutive rows. What belongs to it follows from the numbers of rows alone, so every
process finds the same, whatever part of the files it reads.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Int

TRAINING, VALIDATION, TEST = 0, 1, 2


@dataclass(frozen=True)
class Counts:
    """How many rows serve what."""

    training: int
    validation: int
    test: int

    @property
    def rows(self) -> int:
        """All of them."""
        return self.training + self.validation + self.test


@dataclass(frozen=True)
class Piece:
    """The part of a chunk that belongs to a shard.

    Attributes:
        chunk: which chunk of the source.
        start: its first row, counted within the chunk.
        stop: the row after its last.
        begin: its first row, counted within the shard.
        training: how many of its rows are trained on.
        validation: how many decide when to stop.
        test: how many are only measured on.
    """

    chunk: int
    start: int
    stop: int
    begin: int
    training: int
    validation: int
    test: int

    @property
    def rows(self) -> int:
        """All its rows."""
        return self.stop - self.start

    def roles(self, seed: int) -> Int[np.ndarray, " rows"]:
        """What each row serves: `TRAINING`, `VALIDATION` or `TEST`; the seed decides which does."""
        roles = np.full(self.rows, TRAINING, np.int8)
        held = self.validation + self.test
        if held:
            words = f"fallline shards {seed} {self.chunk} {self.start}"
            digest = hashlib.blake2b(words.encode(), digest_size=16).digest()
            stream = np.random.Philox(key=int.from_bytes(digest, "little"))
            order = np.argsort(stream.random_raw(self.rows), kind="stable")
            roles[order[: self.test]] = TEST
            roles[order[self.test : held]] = VALIDATION
        return roles


@dataclass(frozen=True)
class Shard:
    """Consecutive rows of a table.

    Attributes:
        number: which shard.
        first: its first row in the whole table.
        counts: what its rows serve.
        pieces: the parts of chunks that it consists of.
    """

    number: int
    first: int
    counts: Counts
    pieces: tuple[Piece, ...]


def counts(rows: int, validation: float, test: float) -> Counts:
    """How many rows of a table are trained on and held out, for shares like those of `split`.

    Raises:
        FalllineError: if there are too few rows to hold any out.
    """
    if rows < 1 + bool(validation) + bool(test):
        there = "1 row that there is" if rows == 1 else f"{rows} rows that there are"
        raise FalllineError(f"Holding rows out takes more than the {there}.")
    tested = min(max(round(rows * test), 1), rows - 1) if test else 0
    left = rows - tested
    validated = min(max(round(left * validation), 1), left - 1) if validation else 0
    return Counts(left - validated, validated, tested)


def shards(chunk_rows: Sequence[int], number: int, total: Counts) -> list[Shard]:
    """Cut a table into shards that differ by a row or two, in each role by one at most.

    Args:
        chunk_rows: rows of each chunk.
        number: how many shards.
        total: what the rows serve.
    """
    ends = list(accumulate(chunk_rows))
    found: list[Shard] = []
    first, chunk = 0, 0
    for s in range(number):
        mine = Counts(
            *(_share(n, s, number) for n in (total.training, total.validation, total.test))
        )
        last = first + mine.rows
        pieces: list[Piece] = []
        place = first
        while place < last:
            while ends[chunk] <= place:
                chunk += 1
            base = ends[chunk] - chunk_rows[chunk]
            stop = min(last, ends[chunk])
            pieces.append(_piece(chunk, place - base, stop - base, place - first, mine))
            place = stop
        found.append(Shard(s, first, mine, tuple(pieces)))
        first = last
    return found


def _share(total: int, part: int, parts: int) -> int:
    """What one of several parts gets, so that all differ by one at most."""
    return total * (part + 1) // parts - total * part // parts


def _piece(chunk: int, start: int, stop: int, begin: int, shard: Counts) -> Piece:
    """A piece with its share of the held-out rows: what was due up to its end, less what was before."""
    held = shard.validation + shard.test

    def due(place: int) -> tuple[int, int]:
        out = held * place // shard.rows
        tested = shard.test * out // held if held else 0
        return out - tested, tested

    before, after = due(begin), due(begin + stop - start)
    validation, test = after[0] - before[0], after[1] - before[1]
    return Piece(chunk, start, stop, begin, stop - start - validation - test, validation, test)


def piece_order(shard: Shard, seed: int, epoch: int) -> Int[np.ndarray, " pieces"]:
    """In which order an epoch visits the pieces of a shard."""
    return _draw(seed, "pieces", shard.number, epoch).permutation(len(shard.pieces))


def row_order(shard: int, seed: int, epoch: int, block: int, rows: int) -> Int[np.ndarray, " rows"]:
    """In which order a block's rows of a shard are seen."""
    return _draw(seed, "rows", shard, epoch, block).permutation(np.arange(rows, dtype=np.int32))


def _draw(seed: int, *words: Any) -> np.random.Generator:
    digest = hashlib.blake2b(f"fallline order {seed} {words}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
