from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fallline.diagnosis.curvature import condition, sharpness, spectral_density, trace
from fallline.optimizers import EMA, SGD, Adam, Lion, Momentum, Nesterov, from_optax

SIZE = 80
ROTATION = np.linalg.qr(np.random.default_rng(0).normal(size=(SIZE, SIZE)))[0]
# More than 64 dimensions, so that it is Lanczos that finds the eigenvalues.
BOWL = np.concatenate([np.linspace(1, 3, SIZE - 1), [5.0]])
BETA = 0.8


def value(p, matrix):
    x = jnp.concatenate([p["a"], p["b"].ravel()])
    return 0.5 * x @ matrix @ x


def along_axes(p, curvatures):
    return 0.5 * jnp.sum(curvatures * p**2)


def with_spectrum(spectrum):
    return jnp.asarray(ROTATION @ np.diag(spectrum) @ ROTATION.T, jnp.float32)


def tree(numbers):
    numbers = jnp.asarray(numbers, jnp.float32)
    return {"a": numbers[:50], "b": numbers[50:].reshape(5, 6)}


START = tree(np.random.default_rng(1).normal(size=SIZE))
DIVISOR = np.random.default_rng(2).uniform(0.5, 2, SIZE)
STEEP = functools.partial(sharpness, f=value, params=START, products=30)


def state_of(optimizer):
    state = optimizer.init(START)
    if isinstance(optimizer, Adam):
        # After so many steps, and with averages that hardly change, P stands still.
        state = {**state, "step": jnp.array(10**8), "square": tree(DIVISOR**2)}
    return state


@jax.jit
def path(optimizer, state, matrix):
    def step(carry, _):
        params, state = carry
        grads = jax.grad(value)(params, matrix)
        updates, state = optimizer.update(grads, state, params)
        return (jax.tree.map(jnp.add, params, updates), state), value(params, matrix)

    start = jax.tree.map(lambda p: 1e-6 * p, START)
    values = jax.lax.scan(step, (start, state), None, 300)[1]
    return values / values[0]


@pytest.mark.parametrize(
    ("optimizer", "multiple"),
    [
        (SGD(), 2),
        (Momentum(momentum=BETA), 2 * (1 + BETA)),
        (Nesterov(momentum=BETA), 2 * (1 + BETA) / (1 + 2 * BETA)),
        (Adam(beta1=BETA, beta2=0.999999), (2 + 2 * BETA) / (1 - BETA)),
    ],
    ids=["sgd", "momentum", "nesterov", "adam"],
)
def test_the_limit_parts_runs_that_converge_from_those_that_diverge(optimizer, multiple):
    matrix, state = with_spectrum(BOWL), state_of(optimizer)
    found = STEEP(optimizer, state, args=(matrix,))
    root = np.sqrt(DIVISOR if isinstance(optimizer, Adam) else np.ones(SIZE))
    exact = np.linalg.eigvalsh(np.asarray(matrix, float) / np.outer(root, root))
    assert found.preconditioned == isinstance(optimizer, Adam)
    assert found.largest == pytest.approx(exact[-1], rel=1e-3)
    assert found.smallest == pytest.approx(exact[0], rel=0.02)
    for number, error in ((found.largest, found.error), (found.smallest, found.smallest_error)):
        assert np.abs(exact - number).min() <= error + 1e-5 * exact[-1]
    assert found.limit == pytest.approx(multiple / exact[-1], rel=2e-3)
    assert path(optimizer.with_rate(0.97 * found.limit), state, matrix)[-1] < 1e-3
    # In between: gradients that have grown shrink Adam's steps in the end.
    assert path(optimizer.with_rate(1.03 * found.limit), state, matrix).max() > 1e3


def test_the_direction_is_one_of_the_parameters():
    """Also with a preconditioner: along it the function falls away as much as the eigenvalue says."""
    matrix, optimizer = with_spectrum(np.concatenate([[-4.0], BOWL[1:]])), Adam()
    state = state_of(optimizer)
    for d, chosen in ((np.ones(SIZE), SGD()), (DIVISOR, optimizer)):
        found = STEEP(chosen, state, args=(matrix,))
        v = np.concatenate([np.asarray(part, float).ravel() for part in found.direction.values()])
        assert np.linalg.norm(v) == pytest.approx(1, rel=1e-5)
        assert found.smallest < -1
        along = v @ np.asarray(matrix, float) @ v / (v @ (d * v))
        assert along == pytest.approx(found.smallest, rel=1e-3)


def test_optimizers_without_a_limit_or_without_a_known_one():
    import optax

    matrix = with_spectrum(BOWL)
    lion = STEEP(Lion(), Lion().init(START), args=(matrix,))
    assert (lion.limit, lion.preconditioned) == (math.inf, False)
    unknown = from_optax(optax.sgd(0.1))
    found = STEEP(unknown, unknown.init(START), args=(matrix,))
    assert math.isnan(found.limit)
    assert found.largest == pytest.approx(5, rel=1e-3)
    averaged = EMA(SGD())
    assert STEEP(averaged, averaged.init(START), args=(matrix,)).limit == pytest.approx(
        0.4, rel=1e-3
    )
    assert STEEP(SGD(), SGD().init(START), args=(matrix * jnp.nan,)) is None


def test_the_trace():
    matrix = with_spectrum(np.linspace(-2, 6, SIZE))
    found = trace(value, START, (matrix,))
    assert 0 < found.error < 20
    assert abs(found.value - 2 * SIZE) < 3 * found.error
    # Random signs see a diagonal exactly.
    plain = trace(value, START, (jnp.diag(jnp.arange(1.0, SIZE + 1)),))
    assert plain.value == pytest.approx(SIZE * (SIZE + 1) / 2, rel=1e-5)
    assert plain.error < 1e-3


def test_the_density_of_a_known_spectrum():
    spectrum = np.concatenate([np.linspace(-0.5, 0.5, 60), np.linspace(3, 4, 20)])
    found = spectral_density(value, START, (with_spectrum(spectrum),), probes=8)
    assert found.weights.sum() == pytest.approx(1)
    assert np.trapezoid(found.density, found.grid) == pytest.approx(1)
    assert found.weights @ found.values == pytest.approx(spectrum.mean(), abs=0.2)
    high = found.grid > 1.7
    assert np.trapezoid(found.density[high], found.grid[high]) == pytest.approx(0.25, abs=0.06)
    gap = (found.grid > 0.8) & (found.grid < 2.7)
    assert found.density[gap].max() < 1e-3
    # The moments of one probe's quadrature are those of its vector: here of all, whatever the probe.
    same = spectral_density(value, START, (2.5 * jnp.eye(SIZE),), probes=1)
    np.testing.assert_allclose(same.values, 2.5, rtol=1e-5)
    assert np.trapezoid(same.density, same.grid) == pytest.approx(1)


def test_the_condition_among_what_can_be_told_from_zero():
    found = condition(along_axes, jnp.zeros(4), (jnp.array([-1.0, 0.0, 0.01, 1.0]),))
    assert found.complete
    assert found.ratio == pytest.approx(100, rel=1e-4)
    assert found.descent == pytest.approx(99 / 101)
    assert found.momentum == pytest.approx(9 / 11)
    divided = condition(
        along_axes,
        jnp.zeros(4),
        (jnp.array([1.0, 2.0, 4.0, 8.0]),),
        divisor=jnp.array([1.0, 2, 4, 4]),
    )
    assert divided.ratio == pytest.approx(2, rel=1e-4)
    none = condition(along_axes, jnp.zeros(4), (-jnp.ones(4),))
    assert math.isnan(none.smallest)
    assert math.isnan(none.ratio)

    flat = np.concatenate([np.zeros(40), np.linspace(0.5, 3, 39), [5.0]])
    large = condition(value, START, (with_spectrum(flat),), products=30)
    # A bound from below, and near: zeros that rounding moved are not counted.
    assert not large.complete
    assert 7 < large.ratio < 10.2
    few = condition(value, START, (with_spectrum(np.repeat([1.0, 4.0], 40)),), products=30)
    assert few.complete
    assert few.ratio == pytest.approx(4, rel=1e-3)


def test_the_paces_are_those_of_the_best_rates():
    low, high = 1.0, 25.0
    found = condition(along_axes, jnp.zeros(4), (jnp.array([low, 9.0, 16.0, high]),))
    curvature = np.array([low, high])
    plain = np.abs(1 - 2 / (low + high) * curvature).max()
    assert found.descent == pytest.approx(plain, rel=1e-5)
    # Polyak's rates: the roots of z^2 - (1 + m - r c) z + m all have the size sqrt(m).
    m = ((math.sqrt(high) - math.sqrt(low)) / (math.sqrt(high) + math.sqrt(low))) ** 2
    r = (2 / (math.sqrt(high) + math.sqrt(low))) ** 2
    sizes = [np.abs(np.roots([1, -(1 + m - r * c), m])).max() for c in curvature]
    assert found.momentum == pytest.approx(max(sizes), rel=1e-4)
