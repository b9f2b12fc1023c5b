from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallline.data.split import split
from fallline.errors import FalllineError

shares = st.floats(0.001, 0.999)


@given(n=st.integers(2, 300), share=shares, seed=st.integers(0, 2**64))
def test_the_sides_make_up_all_rows(n, share, seed):
    kept, held = split(n, share, seed)
    assert len(kept)
    assert len(held)
    assert np.array_equal(np.sort(np.concatenate([kept, held])), np.arange(n))
    assert np.array_equal(kept, np.sort(kept))
    assert np.array_equal(held, np.sort(held))
    assert len(held) == min(max(round(n * share), 1), n - 1)


@given(labels=st.lists(st.sampled_from("abcd"), min_size=2, max_size=200), share=shares)
def test_a_stratified_split_keeps_the_proportions(labels, share):
    labels = np.array(labels)
    kept, held = split(labels, share, 3)
    assert len(kept)
    assert len(held)
    assert np.array_equal(np.sort(np.concatenate([kept, held])), np.arange(len(labels)))
    sizes = {label: int((labels == label).sum()) for label in set(labels.tolist())}
    if max(sizes.values()) == 1:
        return
    for label, size in sizes.items():
        out = int((labels[held] == label).sum())
        if size == 1:
            assert out == 0
        else:
            assert out <= size - 1
            assert abs(out - size * share) < 1 + len(sizes)


def test_proportions_of_unequal_classes():
    labels = np.repeat(["often", "seldom", "once"], [900, 99, 1])
    _, held = split(labels, 0.2, 0)
    names, counts = np.unique(labels[held], return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {"often": 180, "seldom": 20}


def test_the_same_rows_for_ever():
    # These come from Philox's raw stream, which NumPy promises not to change.
    assert split(10, 0.3, 0)[1].tolist() == [1, 2, 5]
    assert split(10, 0.3, 0)[1].tolist() == split(10, 0.3, 0)[1].tolist()


def test_seed_and_purpose_choose_the_stream():
    test = split(1000, 0.2, 7)[1]
    assert not np.array_equal(test, split(1000, 0.2, 8)[1])
    assert not np.array_equal(test, split(1000, 0.2, 7, purpose="validation")[1])
    assert np.array_equal(test, split(1000, 0.2, 7, purpose="test")[1])


def test_labels_without_strata():
    labels = np.repeat([0, 1], [50, 50])
    assert np.array_equal(split(labels, 0.3, 1, stratify=False)[1], split(100, 0.3, 1)[1])


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_a_share_out_of_range(share):
    with pytest.raises(FalllineError, match="between 0 and 1"):
        split(10, share, 0)


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_rows(n):
    with pytest.raises(FalllineError, match=f"at least two rows, and there is {n}"):
        split(n, 0.5, 0)
