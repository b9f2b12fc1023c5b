"""Checks of the rows: what is planted is found, and nothing is found in real tables."""

import dataclasses

import numpy as np
import pytest
from sklearn import datasets

from fallline.diagnosis.rows import check_rows

CLASSES = ("iris", "wine", "breast_cancer", "digits")
TABLES = (*CLASSES, "diabetes")


def _table(name):
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return x, y, name in CLASSES


@pytest.mark.parametrize("name", TABLES)
def test_real_tables_tell_of_their_target_and_leak_nothing(name):
    x, y, classes = _table(name)
    found = check_rows(x, y, classification=classes)
    assert found.leak_column is None
    assert found.neighbour_p < 1e-6
    assert found.linear_p < 1e-6
    assert found.neighbour_score > found.chance + 0.3
    assert found.contradictions == 0
    assert (found.rows, found.columns) == x.shape
    if classes:
        assert found.classes == len(np.unique(y))
        assert found.majority == pytest.approx(np.bincount(y).max() / len(y))
    else:
        assert (found.target_mean, found.target_std) == pytest.approx((y.mean(), y.std()))


@pytest.mark.parametrize("name", TABLES)
def test_a_planted_leak_is_found(name):
    x, y, classes = _table(name)
    generator = np.random.default_rng(0)
    noise = 1e-3 * np.std(y) * generator.normal(size=len(y))
    leaks = [y, 5 - 3.0 * y, y + noise]
    if classes:
        # Numbers of classes given anew, which are on no line with the old ones.
        leaks.append(np.array([3, 0, 7, 1, 9, 4, 8, 2, 6, 5])[y])
    for leak in leaks:
        place = int(generator.integers(0, x.shape[1]))
        found = check_rows(np.insert(x, place, leak, axis=1), y, classification=classes)
        assert found.leak_column == place
        assert found.leak_strength >= 0.999


@pytest.mark.parametrize("name", ["wine", "breast_cancer", "diabetes"])
def test_shuffled_targets_pass_for_what_they_are(name):
    x, y, classes = _table(name)
    generator = np.random.default_rng(0)
    found = [
        check_rows(x, generator.permutation(y), classification=classes, seed=i) for i in range(16)
    ]
    for field in ("neighbour_p", "linear_p"):
        p = np.array([getattr(one, field) for one in found])
        # Even over 0 to 1: 16 of them all above 0.001, with a mean around a half.
        assert p.min() > 1e-3
        assert 0.25 < p.mean() < 0.75
    assert abs(np.mean([one.neighbour_score - one.chance for one in found])) < 0.02


def test_a_relation_that_no_line_sees_is_seen_by_the_neighbours():
    x = np.random.default_rng(0).normal(size=(1000, 2))
    found = check_rows(x, (x[:, 0] * x[:, 1] > 0).astype(int), classification=True)
    assert found.neighbour_p < 1e-6
    assert found.linear_p > 1e-3


def test_easy_sets_are_no_leaks():
    generator = np.random.default_rng(0)
    for seed in range(5):
        x, y = datasets.make_blobs(300, 2, centers=2, random_state=seed)
        assert check_rows(x, y, classification=True).leak_column is None
    # Far apart in one column, and far enough in another.
    y = np.arange(300) % 2
    x = generator.normal(size=(300, 3)) + np.outer(y, [40, 10, 0])
    assert check_rows(x, y, classification=True).leak_column is None
    assert check_rows(x[:, [0, 2]], y, classification=True).leak_column == 0
    # A sum without noise of columns of which one is far wider than the others.
    x = generator.normal(size=(400, 6)) * [1, 1, 1, 1, 1, 1000]
    found = check_rows(x, x @ np.ones(6), classification=False)
    assert found.leak_column is None
    assert found.widest_column == 5
    line = generator.normal(size=(50, 1))
    assert check_rows(line, 3 * line[:, 0] + 1, classification=False).leak_column is None


def test_a_leak_that_only_one_class_has():
    """What was paid back, known for those who did not pay: no number of classes, no line."""
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(800, 5)), generator.integers(0, 2, 800)
    x[:, 3] = np.where(y == 1, generator.exponential(size=800), 0.0)
    assert check_rows(x, y, classification=True).leak_column == 3


def test_a_rare_class_is_not_given_away_by_a_constant():
    x = np.random.default_rng(0).normal(size=(4000, 3))
    x[:, 1] = np.arange(4000) % 2
    y = (np.arange(4000) % 2000 == 0).astype(int)
    assert check_rows(x, y, classification=True).leak_column is None


def test_scales_and_condition_of_known_columns():
    # Orthogonal columns of 1 and -1, as wide and as far as they are made.
    signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]] * 25, float)
    x = np.concatenate([signs * [1000.0, 0.1], np.full((100, 1), 7.0)], axis=1)
    found = check_rows(x, signs[:, 0], classification=False)
    assert found.scale_ratio == pytest.approx(1e4)
    assert (found.largest_std, found.smallest_std) == pytest.approx((1000, 0.1))
    assert found.widest_column == 0
    assert found.constant == (2,)
    assert found.condition == pytest.approx(1e8)
    assert found.condition_standardized == pytest.approx(1)
    # Of ones and a column with mean m and variance 1: trace 2 + m², determinant 1.
    mean = 20.0
    found = check_rows(signs[:, :1] + mean, signs[:, 0], classification=False)
    assert found.largest_mean_to_std == pytest.approx(mean)
    half = (2 + mean**2) / 2
    root = np.sqrt(half**2 - 1)
    assert found.condition == pytest.approx((half + root) / (half - root))
    # Correlation r: 1 + r over 1 - r.
    z = np.random.default_rng(0).normal(size=(500, 2))
    x = np.stack([z[:, 0], z[:, 0] + 0.1 * z[:, 1]], axis=1)
    r = np.corrcoef(x.T)[0, 1]
    found = check_rows(1e6 * x, z[:, 1], classification=False)
    assert found.condition_standardized == pytest.approx((1 + r) / (1 - r))


def test_dependent_columns_are_no_conditioning():
    x = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    twice = np.concatenate([x, 2 * x[:, :1] + 1], axis=1)
    found = check_rows(twice, x[:, 1], classification=False)
    assert found.condition_standardized < 3
    assert found.condition < 100


@pytest.mark.parametrize("classification", [True, False])
def test_a_constant_target(classification):
    x = np.random.default_rng(0).normal(size=(50, 2))
    found = check_rows(x, np.full(50, 3), classification=classification)
    assert found.target_constant
    assert found.leak_column is None
    assert np.isnan(found.linear_p)


def test_repeated_and_contradicting_rows():
    x = np.arange(20.0).reshape(10, 2)
    x = np.concatenate([x, x[:3], x[:1]])
    y = np.arange(14) % 2
    y[10:] = y[0], y[1], 1 - y[2], y[0]
    found = check_rows(x, y, classification=True)
    assert found.duplicates == pytest.approx(4 / 14)
    assert found.contradictions == pytest.approx(2 / 14)


def test_rows_that_do_not_count_are_left_out():
    x, y, _ = _table("iris")
    broken, weights = x.copy(), np.ones(150)
    broken[5], weights[7] = np.nan, 0.0
    found = check_rows(broken, y, classification=True, weights=weights)
    rest = np.delete(np.arange(150), [5, 7])
    assert (found.rows, found.left_out) == (148, 1)
    whole = check_rows(x[rest], y[rest], classification=True)
    assert dataclasses.replace(found, left_out=0) == whole
    assert found.largest_std == pytest.approx(x[rest].std(axis=0).max())


def test_images_and_outputs_of_several_kinds():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 255, (300, 6, 6)).astype(np.uint8)
    y = (images[:, 2, 2] > 120).astype(int)
    found = check_rows(images, np.eye(2)[y], classification=True)
    assert (found.columns, found.classes) == (36, 2)
    assert found.linear_p < 1e-6
    targets = np.stack([images[:, 1, 1], images[:, 2, 2]], axis=1) + generator.normal(size=(300, 2))
    found = check_rows(images, targets, classification=False)
    assert found.linear_score > 0.99
    named = check_rows(images, np.array(["no", "yes"])[y], classification=True)
    assert named.classes == 2
    empty = check_rows(np.zeros((0, 3)), np.zeros(0), classification=False)
    assert empty.rows == 0
