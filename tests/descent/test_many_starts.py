from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fallline import minimize, terrains, tuning
from fallline.descent.basins import group
from fallline.optimizers import SGD, Adam


@pytest.mark.parametrize("count", [1, 4095, 4097, 16385])
def test_the_edges_of_blocks(count):
    """Whatever the block a ball is in, x_n = 0.8^n x_0."""
    starts = np.linspace(-1, 1, 2 * count).reshape(count, 2)
    result = minimize(
        quadratic, starts=starts, optimizer=SGD(0.1), steps=70, records=7, path=True, tolerance=0
    )
    assert result.x.shape == (count, 2)
    np.testing.assert_allclose(result.x, 0.8**70 * starts, rtol=1e-4)
    assert result.history.loss.shape == (7, count)
    assert result.path.shape == (8, count, 2)
    for i, step in enumerate(result.recorded):
        np.testing.assert_allclose(result.path[i], 0.8**step * starts, rtol=1e-4)
    np.testing.assert_allclose(result.history.loss[0], (starts**2).sum(axis=1), rtol=1e-5)
    assert (result.nit == 70).all()
    assert result.nfev.shape == result.fun.shape == result.kind.shape == (count,)


def quadratic(x):
    return jnp.sum(x**2)


def test_blocks_that_stop_at_different_times():
    """The first block is at rest at once, the second one goes on."""
    starts = np.concatenate([np.zeros((5000, 1)), np.ones((5000, 1))])
    result = minimize(quadratic, starts=starts, optimizer=SGD(0.01), steps=2000, path=True)
    assert (result.nit[:5000] == 0).all()
    assert len(np.unique(result.nit[5000:])) == 1
    assert np.isnan(result.history.loss[1:, :5000]).all()
    np.testing.assert_array_equal(result.path[:, :5000], 0)
    assert (result.kind == "minimum").all()
    assert len(result.basins) == 1


def test_more_blocks_compile_nothing_more(monkeypatch, caplog):
    compiled = []
    for count in (48, 160):
        monkeypatch.setattr(tuning, "BALLS", 16)
        caplog.clear()
        with jax.log_compiles():
            minimize(quadratic, starts=np.ones((count, 3)), optimizer=SGD(0.1), steps=3)
        compiled.append(sum("Finished XLA compilation" in line for line in caplog.messages))
    assert 0 < compiled[1] <= compiled[0]


VALLEYS = {
    # name: (rate, number of minima, how many of them are as deep as the deepest)
    "himmelblau": (0.05, 4, 4),
    "six_hump_camel": (0.02, 6, 2),
    "styblinski_tang": (0.05, 4, 1),
    "rastrigin": (0.01, 121, 1),
}


@pytest.mark.parametrize("name", VALLEYS)
def test_basins_are_the_terrain_s_minima(name):
    terrain = terrains.by_name(name)
    rate, number, deepest = VALLEYS[name]
    result = minimize(terrain, starts=3000, optimizer=Adam(rate), steps=1500)
    found = [b for b in result.basins if b.kind == "minimum"]
    known = {(m.x, m.y): m.value for m in terrain.minima}
    inside = [b for b in found if any(np.hypot(*(b.x - k)) < 1e-2 for k in known)]
    assert len(inside) == number
    for basin in inside:
        nearest = min(known, key=lambda k: np.hypot(*(basin.x - k)))
        np.testing.assert_allclose(basin.x, nearest, atol=5e-3)
        assert basin.fun == pytest.approx(known[nearest], abs=1e-4)
    assert sum(b.level == 0 for b in found) == deepest
    assert [b.level for b in found] == sorted(b.level for b in found)
    assert sum(b.share for b in result.basins) <= 1 + 1e-9
    assert sum(b.count for b in result.basins) == np.sum(result.labels >= 0)
    for i, basin in enumerate(result.basins):
        assert np.sum(result.labels == i) == basin.count
        assert basin.share == basin.count / 3000
    assert result.fun[result.best] == result.fun.min()
    assert f"{number} minima found" in result.message


def test_the_order_of_the_balls_does_not_matter():
    terrain = terrains.by_name("himmelblau")
    starts = terrain.scatter(800)
    order = np.random.default_rng(0).permutation(800)
    one = minimize(terrain, starts=starts, optimizer=Adam(0.05))
    other = minimize(terrain, starts=starts[order], optimizer=Adam(0.05))
    np.testing.assert_array_equal(one.labels[order], other.labels)
    assert [b.count for b in one.basins] == [b.count for b in other.basins]
    for a, b in zip(one.basins, other.basins, strict=True):
        np.testing.assert_allclose(a.x, b.x, atol=1e-6)


def grouped(places, values, kinds=None, spread=1.0, height=1.0):
    places = np.asarray(places, float)
    kinds = np.array(kinds or ["minimum"] * len(places))
    return group(places, np.asarray(values, float), kinds, spread, height, lambda place: place)


def test_grouping_by_hand():
    found, labels = grouped([[0.0], [1.0], [0.001], [1.001], [5.0]], [2.0, 1.0, 2.0, 1.0, 9.0])
    assert [b.fun for b in found] == [1, 2, 9]
    assert [b.count for b in found] == [2, 2, 1]
    assert [b.level for b in found] == [0, 1, 2]
    np.testing.assert_array_equal(labels, [1, 0, 1, 0, 2])


def test_each_ball_is_of_the_lowest_founder_within_reach():
    random = np.random.default_rng(0)
    cells = random.integers(-3, 4, (600, 2))
    places = cells + random.normal(0, 0.02, (600, 2))
    values = (cells**2).sum(axis=1) + random.random(600)
    kinds = np.where(random.random(600) < 0.2, "saddle", "minimum")
    found, labels = grouped(places, values, list(kinds), spread=2.0)
    free = np.ones(600, bool)
    for _ in found:
        lowest = int(np.argmin(np.where(free, values, np.inf)))
        here = free & (np.linalg.norm(places - places[lowest], axis=1) <= 0.04)
        here &= kinds == kinds[lowest]
        np.testing.assert_array_equal(here, labels == labels[lowest])
        free &= ~here
    assert not free.any()


def test_places_as_deep_but_for_rounding_share_a_level():
    found, _ = grouped([[0.0], [1.0], [2.0], [2.0]], [1.0, 1.0 + 1e-9, 1.0 - 1e-9, 1.0 - 1e-9])
    assert [b.level for b in found] == [0, 0, 0]
    # The one most balls reached comes first.
    assert found[0].count == 2


def test_equal_depths_are_judged_by_the_height_of_the_landscape():
    values = [0.0, 2e-12, 1e-12]
    found, _ = grouped([[0.0], [1.0], [2.0]], values, height=100.0)
    assert [b.level for b in found] == [0, 0, 0]
    found, _ = grouped([[0.0], [1.0], [2.0]], values, height=1e-12)
    assert [b.level for b in found] == [0, 1, 2]


def test_what_moves_belongs_to_no_basin():
    found, labels = grouped([[0.0], [0.0]], [1.0, 1.0], ["minimum", "moving"])
    assert [b.share for b in found] == [0.5]
    np.testing.assert_array_equal(labels, [0, -1])
    found, labels = grouped([[0.0]], [np.nan], ["diverged"])
    assert found == []
    np.testing.assert_array_equal(labels, [-1])


def test_a_saddle_beside_a_minimum_is_another_place():
    found, _ = grouped([[0.0], [0.001]], [1.0, 1.0], ["minimum", "saddle"])
    assert sorted(b.kind for b in found) == ["minimum", "saddle"]


def test_a_plateau_is_one_place():
    result = minimize(
        lambda x: jnp.tanh(x) ** 2,
        starts=np.array([0.1, 20.0, 30.0, -25.0]),
        optimizer="sgd",
        learning_rate=0.1,
    )
    kinds = {b.kind: b.count for b in result.basins}
    assert kinds == {"minimum": 1, "plateau": 3}
    assert result.message == (
        f"4 starts, {result.nit.max()} steps at most: 25.0% in a minimum, 75.0% on a plateau. "
        f"One minimum found, of {result.basins[0].fun:.6g}."
    )


def test_the_message_rounds_no_ball_away():
    starts = np.ones((3000, 1))
    starts[7] = 40.0
    result = minimize(
        lambda x: jnp.sum(jnp.where(jnp.abs(x) < 30, x**2, x**4)), starts=starts, optimizer=SGD(0.1)
    )
    assert "over 99.9% in a minimum, under 0.1% out of the finite numbers" in result.message
    assert result.kind[7] == "diverged"
    assert result.best != 7


def test_one_start_reads_as_one():
    result = minimize(quadratic, starts=np.zeros((1, 2)), optimizer=SGD(0.1))
    assert result.message.startswith("1 start, 0 steps: 100.0% in a minimum.")
    assert str(result).count("\n") == 1
    assert "100.0%  minimum of 0 at (0, 0)" in str(result)


def test_many_basins_are_not_all_printed():
    result = minimize(terrains.by_name("rastrigin"), starts=500, optimizer=Adam(0.01))
    assert len(result.basins) > 50
    assert str(result).splitlines()[-1] == f"and {len(result.basins) - 12} more places"
