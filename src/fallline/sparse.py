"""Sparse tables: rows that store only what is not zero, multiplied without ever being written out."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jaxtyping import Array, Float

SMALL = 2**22
"""Numbers that a table may have in full, 16 MB in single precision, to be trained on as a dense one."""

_TRANSIENT = 2**18
"""Numbers that a product writes down at a time, about 1 MB, which stays in the processor's cache."""

_ROOM = 2**20
"""Numbers that a block has room for at most, however few it stores, 8 MB with their columns."""


@dataclasses.dataclass(frozen=True)
class _Facts:
    """What shapes the compiled program of a product.

    Attributes:
        columns: of the table.
        width: a row is worked off in pieces of so many stored numbers.
        pieces: pieces of the longest row, at most; if not 1, the program takes rows of any length.
    """

    columns: int
    width: int
    pieces: int


def rounded(count: int) -> int:
    """A count rounded up to a power of two or one and a half times one: at most half as much again.

    Examples:
        >>> [rounded(n) for n in (1, 3, 5, 9, 100, 150)]
        [1, 3, 6, 12, 128, 192]
    """
    power = 1 << max(count - 1, 0).bit_length()
    return 3 * power // 4 if power >= 4 and count <= 3 * power // 4 else power


@jax.tree_util.register_pytree_node_class
@dataclasses.dataclass(frozen=True, eq=False)
class SparseRows:
    """Rows of a sparse table, for the first layer of a model; made by `SparseRows.from_csr`.

    A pytree. Row i is ``values[starts[i] : starts[i] + lengths[i]]`` in the columns ``indices[...]``. Some of
    the rows are the same ``indices`` and ``values`` with other ``starts``: taking a batch copies no numbers.

    Attributes:
        starts: (rows,).
        lengths: (rows,); numbers stored of each row.
        indices: (stored,), filled up to a rounded length.
        values: (stored,), likewise.
        facts: static.
    """

    starts: Any
    lengths: Any
    indices: Any
    values: Any
    facts: _Facts

    @staticmethod
    def from_csr(matrix: Any, dtype: Any = None, width: int | None = None) -> SparseRows:
        """The rows of a `scipy.sparse` table, in NumPy's arrays; duplicate entries are added up.

        Args:
            matrix: of any sparse format.
            dtype: of the values; by default the matrix's, or the default one if it holds no floats or
                long ones.
            width: stored numbers that are multiplied at a time; by default what is fast for these rows.
                With one given, a row's product has the same bits whatever other rows there are.

        Raises:
            FalllineError: if it does not have rows and columns, holds no real numbers, or too many.
        """
        csr = canonical(matrix, dtype)
        lengths = np.diff(csr.indptr).astype(np.int32)
        longest, mean = int(lengths.max(initial=1)), csr.nnz / max(len(lengths), 1)
        # A row far longer than the others comes in pieces, so that they are not all as wide as it.
        if width is None:
            width = rounded(longest)
            if longest > 2 * mean:
                width = min(width, max(8, rounded(math.ceil(mean / 2))))
        filled = rounded(csr.nnz) - csr.nnz
        return SparseRows(
            starts=csr.indptr[:-1].astype(np.int32),
            lengths=lengths,
            indices=np.pad(csr.indices.astype(np.int32, copy=False), (0, filled)),
            values=np.pad(csr.data, (0, filled)),
            facts=_Facts(csr.shape[1], width, -(-rounded(longest) // width)),
        )

    def to_csr(self) -> Any:
        """The rows as a `scipy.sparse.csr_array`, on the host."""
        from scipy.sparse import csr_array

        starts, lengths = np.asarray(self.starts), np.asarray(self.lengths)
        ends = np.cumsum(lengths, dtype=np.int64)
        places = np.arange(lengths.sum()) + np.repeat(starts - (ends - lengths), lengths)
        parts = np.asarray(self.values)[places], np.asarray(self.indices)[places]
        return csr_array((*parts, np.concatenate([[0], ends])), shape=self.shape)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.starts.shape[0], self.facts.columns

    @property
    def ndim(self) -> int:
        """2: rows and columns."""
        return 2

    @property
    def dtype(self) -> Any:
        """The type of the values."""
        return self.values.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def take(self, rows: Array) -> SparseRows:
        """Some of the rows, in the order asked for, each as often as asked for."""
        starts, lengths = (
            jnp.asarray(part).at[rows].get(mode="promise_in_bounds")
            for part in (self.starts, self.lengths)
        )
        return dataclasses.replace(self, starts=starts, lengths=lengths)

    def padded(self, rows: int) -> SparseRows:
        """The same with copies of row 0 after the last, up to so many rows.

        Copies, since what is finite on the rows of a table need not be so on an empty one.
        """
        xp: Any = np if isinstance(self.starts, np.ndarray) else jnp
        starts, lengths = (
            xp.concatenate([part, xp.repeat(part[:1], rows - len(self))])
            for part in (self.starts, self.lengths)
        )
        return dataclasses.replace(self, starts=starts, lengths=lengths)

    def __matmul__(self, weights: Float[Array, "columns k"]) -> Float[Array, "n k"]:
        """The product with a matrix or a vector, to be differentiated with respect to it only.

        The rows are not written out: no more is held at a time than about a megabyte besides the
        result, or what one row takes.

        Raises:
            FalllineError: if it does not have a row for each column.
        """
        if jnp.ndim(weights) == 1:
            return (self @ jnp.asarray(weights)[:, None])[:, 0]
        if jnp.shape(weights)[:-1] != (self.facts.columns,):
            raise FalllineError(
                f"A sparse table of {self.facts.columns} columns is multiplied by a matrix of as many "
                f"rows; it was given one of shape {jnp.shape(weights)}."
            )
        table = (self.starts, self.lengths, self.indices, self.values)
        if 0 in (len(self), weights.shape[1]):
            return jnp.zeros((len(self), weights.shape[1]), jnp.result_type(self.dtype, weights))
        return _multiply(self.facts, *map(jnp.asarray, table), jnp.asarray(weights))

    def tree_flatten(self) -> tuple[tuple[Any, ...], _Facts]:
        """What changes, and what shapes the program."""
        return (self.starts, self.lengths, self.indices, self.values), self.facts

    @classmethod
    def tree_unflatten(cls, facts: _Facts, parts: Any) -> SparseRows:
        """`tree_flatten` undone."""
        return cls(*parts, facts=facts)


def is_rows(value: Any) -> bool:
    """For ``is_leaf`` of `jax.tree.map`: rows of a sparse table are not to be taken apart."""
    return isinstance(value, SparseRows)


def is_sparse(value: Any) -> bool:
    """Is it a table of `scipy.sparse`, found out without that being imported?"""
    return hasattr(value, "tocsr")


def canonical(matrix: Any, dtype: Any = None) -> Any:
    """A `scipy.sparse` table as CSR of floats without duplicate entries; see `SparseRows.from_csr`."""
    if not is_sparse(matrix) or matrix.ndim != 2:
        raise FalllineError("A sparse table must be a matrix or array of scipy.sparse, (n, d).")
    if matrix.dtype.kind not in "fiub":
        raise FalllineError(f"Training needs arrays of numbers; one of them holds {matrix.dtype}.")
    if matrix.nnz > 2**31 - 1 or matrix.shape[1] > 2**31 - 1:
        raise FalllineError("A sparse table holds at most 2,147,483,647 numbers and columns.")
    if dtype is None:
        short = matrix.dtype.kind == "f" and matrix.dtype.itemsize <= 4
        dtype = matrix.dtype if short else jnp.result_type(float)
    csr = matrix.tocsr()
    columns = csr.indices[: csr.nnz]
    if csr.nnz and not 0 <= columns.min() <= columns.max() < csr.shape[1]:
        raise FalllineError(
            f"A sparse table of {csr.shape[1]} columns holds a number in column "
            f"{columns[(columns < 0) | (columns >= csr.shape[1])][0]}, counted from 0."
        )
    if not csr.has_canonical_format or len(csr.data) > csr.nnz:
        # Adding up works in place: on a copy, the user's own must stay.
        csr = csr.copy() if csr is matrix else csr
        csr.sum_duplicates()
        csr.prune()
    # A number too large for single precision becomes infinite, and is told as such.
    with np.errstate(over="ignore"):
        return csr.astype(dtype, copy=False)


def in_blocks(csr: Any, size: int, width: int) -> Iterator[SparseRows]:
    """A table's rows, some at a time, in shapes that one or two programs serve whatever its size.

    A row's product has the same bits in whatever block it is. No more than a block is copied at a time.

    Args:
        csr: (n, d), from `canonical`.
        size: rows of a block; the last one is filled up with empty rows, which cost nothing.
        width: stored numbers of a row that are multiplied at a time.
    """
    count = csr.shape[0]
    # The last block, which may be smaller, shares the room that most others need.
    typical = csr.nnz * min(size, count) // max(count, 1)
    for begin in range(0, max(count, 1), size):
        ends = csr.indptr[begin : begin + size + 1].astype(np.int32)
        part = slice(int(ends[0]), int(ends[-1]))
        stored = part.stop - part.start
        filled = _room(max(stored, typical), size * width) - stored
        missing = size + 1 - len(ends)
        yield SparseRows(
            starts=np.pad(ends[:-1] - ends[0], (0, missing)),
            lengths=np.pad(np.diff(ends), (0, missing)),
            indices=np.pad(csr.indices[part].astype(np.int32, copy=False), (0, filled)),
            values=np.pad(csr.data[part], (0, filled)),
            facts=_Facts(csr.shape[1], width, 2),
        )


def _room(count: int, least: int) -> int:
    """Numbers to make room for: in steps of four, which share programs, until copying would tell."""
    room = least
    while room < count:
        room *= 4
    return room if room <= max(_ROOM, least) else rounded(count)


def small(matrix: Any) -> bool:
    """Is a sparse table as well trained on in full?

    It is where that takes little memory, or no more than what is stored: dense products are faster.
    """
    return math.prod(matrix.shape) <= max(SMALL, 2 * matrix.nnz)


def _over_pieces(
    facts: _Facts,
    table: Sequence[Array],
    add: Callable[[Array, Array, Array, Array], Array],
    total: Array,
) -> Array:
    """Go over the rows' pieces, some at a time.

    Args:
        facts: what shapes the program.
        table: starts, lengths, indices, values; see `SparseRows`.
        add: ``(total, row, indices, values) -> total`` for s pieces, which are of the rows ``row``,
            (s,), and hold ``indices`` and ``values``, (s, width); what fills up a piece is 0 and 0.
        total: to begin with, (..., k).
    """
    starts, lengths, indices, values = table
    rows, width = starts.shape[0], facts.width
    counts = -(-lengths // width)
    ends = jnp.cumsum(counts)
    single = facts.pieces == 1
    # About as many pieces as rows, so that the last round is not much emptier than the others.
    fits = max(1, _TRANSIENT // (width * total.shape[-1]))
    together = min(fits, rows * facts.pieces, max(rows, 8))

    def some(t: Any, total: Array) -> Array:
        slot = t * together + jnp.arange(together, dtype=jnp.int32)
        row = slot if single else jnp.searchsorted(ends, slot, side="right").astype(jnp.int32)
        live = row < rows
        row = jnp.minimum(row, rows - 1)
        first = 0 if single else (slot - ends[row] + counts[row]) * width
        place = jnp.expand_dims(first, -1) + jnp.arange(width, dtype=jnp.int32)
        inside = (place < lengths[row][:, None]) & live[:, None]
        at = jnp.minimum(starts[row][:, None] + place, values.size - 1)
        found, number = (
            jnp.where(inside, part.at[at].get(mode="promise_in_bounds"), 0)
            for part in (indices, values)
        )
        return add(total, row, found, number)

    if single and together == rows:
        return some(0, total)
    trips = -(-rows // together) if single else -(-ends[-1] // together)
    return lax.fori_loop(0, trips, some, total)


def _forward(facts: _Facts, *arrays: Array) -> tuple[Array, Any]:
    # The loop over pieces has as many rounds as the rows at hand need, which JAX does not
    # differentiate backwards: the derivative is written out.
    def add(total: Array, row: Array, found: Array, number: Array) -> Array:
        part = jnp.einsum("pj,pjk->pk", number, w.at[found].get(mode="promise_in_bounds"))
        return total.at[row].add(part, mode="promise_in_bounds")

    *table, w = arrays
    total = jnp.zeros((len(table[0]), w.shape[1]), jnp.result_type(table[-1], w))
    # An empty piece of the matrix carries its height and type to the way back.
    return _over_pieces(facts, table, add, total), (*table, w[:, :0])


def _backward(facts: _Facts, kept: Any, slopes: Array) -> tuple[Any, ...]:
    r"""$dW = X^\top dY$."""
    *table, w = kept

    def add(total: Array, row: Array, found: Array, number: Array) -> Array:
        part = number[:, :, None] * slopes.at[row].get(mode="promise_in_bounds")[:, None, :]
        return total.at[found].add(part.astype(w.dtype), mode="promise_in_bounds")

    total = jnp.zeros((w.shape[0], slopes.shape[1]), w.dtype)
    return None, None, None, None, _over_pieces(facts, table, add, total)


def _product(facts: _Facts, *arrays: Array) -> Array:
    return _forward(facts, *arrays)[0]


_multiply: Any = jax.custom_vjp(_product, nondiff_argnums=(0,))
_multiply.defvjp(_forward, _backward)
