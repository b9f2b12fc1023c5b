"""How rows are cut into shards, and which are held out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallline.data import shards as cutting
from fallline.errors import FalllineError

shares = st.sampled_from([0.0, 0.1, 0.3, 0.5])


@given(
    chunks=st.lists(st.integers(1, 60), min_size=1, max_size=12),
    number=st.sampled_from([1, 2, 4, 8]),
    validation=shares,
    test=shares,
)
def test_every_row_has_one_place_and_shards_are_alike(chunks, number, validation, test):
    rows = sum(chunks)
    if rows < 3:
        return
    total = cutting.counts(rows, validation, test)
    assert total.rows == rows
    assert total.training >= 1
    found = cutting.shards(chunks, number, total)
    starts = np.cumsum([0, *chunks])
    seen = np.concatenate(
        [
            starts[piece.chunk] + np.arange(piece.start, piece.stop)
            for shard in found
            for piece in shard.pieces
        ]
    )
    np.testing.assert_array_equal(seen, np.arange(rows))
    for role in ("training", "validation", "test"):
        each = [getattr(shard.counts, role) for shard in found]
        assert sum(each) == getattr(total, role)
        assert max(each) - min(each) <= 1
    for shard in found:
        for piece in shard.pieces:
            roles = piece.roles(3)
            assert (piece.training, piece.validation, piece.test) == tuple(
                np.bincount(roles, minlength=3)
            )
        assert sum(piece.training for piece in shard.pieces) == shard.counts.training


def test_the_seed_decides_which_rows_are_held_out():
    shard = cutting.shards([500], 1, cutting.counts(500, 0.1, 0.2))[0]
    (piece,) = shard.pieces
    assert (piece.roles(1) == piece.roles(1)).all()
    assert (piece.roles(1) != piece.roles(2)).any()
    # Held-out rows come from everywhere in the piece.
    places = np.flatnonzero(piece.roles(1))
    assert places[0] < 25
    assert places[-1] > 475


def test_too_few_rows_to_hold_any_out():
    with pytest.raises(FalllineError, match="more than the 2 rows"):
        cutting.counts(2, 0.1, 0.2)
