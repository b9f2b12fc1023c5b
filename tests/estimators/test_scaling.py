"""Means and spreads of columns, and what they cost."""

import tracemalloc

import numpy as np
import pytest

from fallline.estimators.scaling import Scaling


@pytest.mark.parametrize("size", [1.0, 1e200, 1e-200])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("weighted", [False, True])
def test_scaling_is_of_all_rows(size, order, weighted):
    random = np.random.default_rng(0)
    x = np.asarray(size * random.normal(3, 2, (20_001, 5)), order=order)
    weights = random.uniform(0, 2, len(x)) if weighted else None
    found = Scaling.learn(x, weights)
    mean = np.average(x / size, axis=0, weights=weights)
    spread = np.sqrt(np.average((x / size - mean) ** 2, axis=0, weights=weights))
    np.testing.assert_allclose(found.mean / size, mean, rtol=1e-12)
    np.testing.assert_allclose(found.scale / size, spread, rtol=1e-12)
    np.testing.assert_array_equal(found.apply(x), (x - found.mean) / found.scale)


def test_a_constant_column_of_many_rows_has_no_spread():
    x = np.full((100_000, 1), 3.3)
    assert Scaling.learn(x, None).scale[0] == pytest.approx(3.3)


def test_scaling_takes_little_memory():
    x = np.random.default_rng(0).standard_normal((100_000, 20), np.float32)
    tracemalloc.start()
    try:
        found = Scaling.learn(x, None)
        learning = tracemalloc.get_traced_memory()[1]
        y = found.apply(x, np.float32)
        applying = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert learning < 0.3 * x.nbytes
    assert applying < 1.3 * x.nbytes
    assert y.dtype == np.float32
