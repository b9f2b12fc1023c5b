"""Summaries of bounded size that stand for all rows: a sample of them, and counts of texts.

Both can be merged. A sample is the same whatever the order of rows and of merges; counts are, until
there are more distinct texts than are counted, and depend on the order of merges from then on.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fallline.data.kinds import Texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    Array = np.ndarray[Any, np.dtype[Any]]

MOST_TEXTS = 100_000
"""Distinct texts of a column that are counted."""

MOST_BYTES = 64 << 20
"""Bytes that the counted texts of a column may take."""

HASHES = 4096
"""Hashes that tell how many distinct texts there are once they are not all counted."""


def row_keys(rows: Array) -> Array:
    """A random number for every row number, always the same: ``splitmix64``.

    The function maps the integers of 64 bits one to one, so no two rows have the same key. Source:
    Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    x = rows.astype(np.uint64) + np.uint64(1)
    with np.errstate(over="ignore"):
        x *= np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class RowSample:
    """A random sample of rows: those with the smallest keys ("bottom-k").

    All rows are kept until there are more than ``most``, so that a median is exact. From then on it
    is the median of a random sample. The share of all values below it then is 1/2 with a standard
    error of at most ``1 / (2 * sqrt(most + 2))``: for the median of k uniform numbers has the
    variance 1 / (4 (k + 2)), k odd. Source: David, Nagaraja, "Order Statistics", 3rd ed., 2003,
    section 3.1.

    Attributes:
        most: How many rows are kept.
    """

    def __init__(self, width: int, most: int) -> None:
        self.most = most
        self._keys = np.zeros(0, np.uint64)
        self._values = np.zeros((0, width))
        self._new: list[tuple[Array, Array]] = []
        self._waiting = 0

    def offer(self, keys: Array, values: Array, there: Array | None = None) -> None:
        """Take in rows, one of ``values`` for each of ``keys``; only those ``there``, if given."""
        full = len(self._keys) == self.most
        near = np.flatnonzero(keys < self._keys[-1]) if full else np.arange(len(keys))
        if there is not None:
            near = near[there[near]]
        if len(near) > self.most:
            near = near[np.argpartition(keys[near], self.most - 1)[: self.most]]
        if len(near):
            self._new.append((keys[near], values[near]))
            self._waiting += len(near)
            if self._waiting >= (self.most if full else self.most - len(self._keys)):
                self.settled()

    def settled(self) -> tuple[Array, Array]:
        """Keys and rows of the sample, in the order of the keys."""
        if self._new:
            keys = np.concatenate([self._keys, *(new for new, _ in self._new)])
            values = np.concatenate([self._values, *(new for _, new in self._new)])
            order = np.argsort(keys)[: self.most]
            self._keys, self._values = keys[order], values[order]
            self._new, self._waiting = [], 0
        return self._keys, self._values

    def column(self, place: int) -> RowSample:
        """A sample of one column only."""
        keys, values = self.settled()
        one = RowSample(1, self.most)
        one._keys, one._values = keys.copy(), values[:, place : place + 1].copy()
        return one

    def merge(self, other: RowSample) -> None:
        """Take in the rows of another sample."""
        self.offer(*other.settled())

    def medians(self) -> Array:
        """The median of each column; 0 where there is no row."""
        _, values = self.settled()
        return np.median(values, axis=0) if len(values) else np.zeros(values.shape[1])

    def to_json(self) -> dict[str, Any]:
        """Keys and rows, exactly."""
        keys, values = self.settled()
        return {"most": self.most, "keys": packed(keys), "values": packed(values)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RowSample:
        """Rebuild what :meth:`to_json` gave."""
        values = unpacked(content["values"])
        sample = cls(values.shape[1], content["most"])
        sample._keys, sample._values = unpacked(content["keys"]), values
        return sample


class TextTally:
    """Counts of texts, exact while there are not too many distinct ones.

    From then on only the frequent ones are kept: with each that is dropped, the counts of all others
    become smaller. A count is at most ``short`` too low, and ``short`` at most the number of rows
    over the number of texts kept, plus one. Source: Agarwal and others, "Mergeable summaries", ACM
    TODS 38 (2013), section 2 (of the algorithm of Misra and Gries).

    How many distinct texts there are is then estimated by the smallest hashes of all texts: with k
    of them, the k-th at the share u of their range, there are about (k - 1) / u. The relative
    standard error is about ``1 / sqrt(k - 2)``, 1.6%. Source: Beyer and others, "On synopses for
    distinct-value estimation under multiset operations", SIGMOD 2007.

    Attributes:
        rows: All rows.
        gaps: Those without a text.
        short: By how many rows a count may be too low.
    """

    def __init__(self) -> None:
        import polars as pl

        self.rows = self.gaps = self.short = 0
        self._hashes: Array | None = None
        self._counted = pl.DataFrame(schema={"text": pl.String, "rows": pl.Int64})

    def add(self, counted: pl.DataFrame) -> None:
        """Take in counts: ``text``, which may be missing, and ``rows``."""
        import polars as pl

        counted = counted.filter(pl.col("rows") > 0).cast({"rows": pl.Int64})
        gaps = counted.filter(pl.col("text").is_null())
        self.gaps += sum(gaps["rows"].to_list())
        self.rows += int(counted["rows"].sum())
        self._take_in(counted.filter(pl.col("text").is_not_null()))

    def merge(self, other: TextTally) -> None:
        """Take in what another one counted."""
        self.rows += other.rows
        self.gaps += other.gaps
        self.short += other.short
        hashes = other._hashes
        if hashes is not None:
            self._hashes = _smallest(self._hashed(), hashes)
        self._take_in(other._counted)

    def texts(self) -> Texts:
        """What is known of the texts."""
        counted = self._counted
        if self._hashes is None or not self.short:
            return Texts(counted, self.rows, self.gaps, counted.height)
        k = len(self._hashes)
        share = (float(self._hashes[-1]) + 1) / 2.0**64
        distinct = k if k < HASHES else round((k - 1) / share)
        return Texts(counted, self.rows, self.gaps, max(distinct, counted.height), self.short)

    def to_json(self) -> dict[str, Any]:
        """All of it, as plain JSON."""
        counted = self._counted.sort("text")
        return {
            "rows": self.rows,
            "gaps": self.gaps,
            "short": self.short,
            "texts": counted["text"].to_list(),
            "counts": counted["rows"].to_list(),
            "hashes": None if self._hashes is None else packed(self._hashes),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TextTally:
        """Rebuild what :meth:`to_json` gave."""
        import polars as pl

        tally = cls()
        tally.rows, tally.gaps, tally.short = (content[k] for k in ("rows", "gaps", "short"))
        schema = {"text": pl.String, "rows": pl.Int64}
        columns = {"text": content["texts"], "rows": content["counts"]}
        tally._counted = pl.DataFrame(columns, schema=schema)
        tally._hashes = None if content["hashes"] is None else unpacked(content["hashes"])
        return tally

    def _take_in(self, counted: pl.DataFrame) -> None:
        import polars as pl

        if self._hashes is not None:
            self._hashes = _smallest(self._hashes, _hashed(counted["text"]))
        both = pl.concat([self._counted, counted])
        self._counted = both.group_by("text").agg(pl.col("rows").sum())
        size = self._counted["text"].estimated_size()
        if self._counted.height > MOST_TEXTS or size > MOST_BYTES:
            self._prune()

    def _prune(self) -> None:
        """Drop the rarest texts, and take from all others as many rows as the last dropped had."""
        import polars as pl

        if self._hashes is None:
            self._hashes = self._hashed()
        counts = self._counted["rows"].to_numpy()
        sizes = self._counted["text"].str.len_bytes().to_numpy().astype(np.int64)
        order = np.argsort(-counts)
        kept = min(MOST_TEXTS, int(np.searchsorted(sizes[order].cumsum(), MOST_BYTES, "right")))
        if kept < len(counts):
            # Texts with as many rows share their fate, so that their order does not matter.
            taken = int(counts[order[kept]])
            self.short += taken
            left = self._counted.with_columns(pl.col("rows") - taken)
            self._counted = left.filter(pl.col("rows") > 0)

    def _hashed(self) -> Array:
        """The smallest hashes of all texts so far."""
        if self._hashes is not None:
            return self._hashes
        return _smallest(_hashed(self._counted["text"]))


def packed(values: Array) -> dict[str, Any]:
    """An array as plain JSON, exactly and shortly: its bytes in base 64, little end first."""
    kind = values.dtype
    short = values.astype(np.float32) if kind == np.float64 and _fits(values) else values
    short = short.astype(short.dtype.newbyteorder("<"), copy=False)
    text = base64.b64encode(short.tobytes()).decode("ascii")
    return {"type": kind.str, "stored": short.dtype.str, "shape": list(values.shape), "bytes": text}


def unpacked(content: Mapping[str, Any]) -> Array:
    """The array of which :func:`packed` made plain JSON."""
    values = np.frombuffer(base64.b64decode(content["bytes"]), np.dtype(content["stored"]))
    return cast("Array", values.reshape(content["shape"]).astype(content["type"]))


def _fits(values: Array) -> bool:
    """Whether numbers of 32 bits hold the same."""
    with np.errstate(over="ignore"):
        return np.array_equal(values, values.astype(np.float32), equal_nan=True)


def _hashed(texts: pl.Series) -> Array:
    # Only the texts of one run are compared, and all its processes hash alike.
    return row_keys(texts.hash(seed=0).to_numpy())


def _smallest(*hashes: Array) -> Array:
    """The smallest of some arrays; no hash comes twice in any of them."""
    every = np.concatenate(hashes)
    most = len(hashes) * HASHES
    if len(every) > most:
        every = np.partition(every, most - 1)[:most]
    return np.unique(every)[:HASHES]
