from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fallline import FalllineError
from fallline.gradients.curvature import EXACT_BELOW, eigenvalues, hessian_vector_product


def with_spectrum(spectrum, seed=0):
    """A quadratic with these eigenvalues, its matrix and a point."""
    n = len(spectrum)
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(n, n)))
    matrix = rotation @ np.diag(spectrum) @ rotation.T
    return (lambda x, m: 0.5 * x @ m @ x), 0.5 * (matrix + matrix.T), rng.normal(size=n), rotation


def test_a_product_is_that_with_the_hessian():
    def f(p):
        return jnp.sum(jnp.sin(p["a"])) * p["b"] ** 2

    x = {"a": jnp.array([0.3, 1.0]), "b": jnp.array(2.0)}
    v = {"a": jnp.array([1.0, -1.0]), "b": jnp.array(0.5)}
    found = hessian_vector_product(f, x, v)
    a, b = np.array([0.3, 1.0]), 2.0
    # By hand: d2f/da2 = -sin(a) b^2, d2f/dadb = 2 b cos(a), d2f/db2 = 2 sum sin(a).
    np.testing.assert_allclose(
        found["a"], -np.sin(a) * b**2 * [1, -1] + 2 * b * np.cos(a) * 0.5, rtol=1e-5
    )
    by_b = 2 * b * (np.cos(a) @ [1, -1]) + 2 * np.sin(a).sum() * 0.5
    np.testing.assert_allclose(found["b"], by_b, rtol=1e-5)


def test_all_of_a_small_hessian(x64):
    spectrum = np.array([-2.0, 0.0, 1.0, 5.0])
    f, matrix, x, rotation = with_spectrum(spectrum)
    found = eigenvalues(f, x, args=(matrix,))
    assert found.exact
    np.testing.assert_allclose(found.values, spectrum, atol=1e-12)
    assert (found.smallest, found.largest) == (found.values[0], found.values[-1])
    assert abs(found.direction @ rotation[:, 0]) == pytest.approx(1)
    assert np.max(np.abs(found.values - spectrum)) <= found.error[0] * 10


@pytest.mark.parametrize(
    "spectrum",
    [
        np.linspace(1, 10, 200),
        np.concatenate([[-3.0], np.linspace(0, 1, 150), [8.0]]),
        np.concatenate([np.zeros(100), np.geomspace(1e-3, 100, 30)]),
        -np.geomspace(0.1, 7, 90),
    ],
    ids=["definite", "indefinite", "singular", "negative"],
)
@pytest.mark.parametrize("wide", [True, False])
def test_the_outermost_of_a_large_one_within_the_bound(spectrum, wide):
    with jax.enable_x64(wide):
        f, matrix, x, _ = with_spectrum(spectrum)
        kind = jnp.result_type(float)
        found = eigenvalues(f, jnp.asarray(x, kind), args=(jnp.asarray(matrix, kind),), products=60)
        rounding = 1e-12 if wide else 2e-5
    assert not found.exact
    assert len(found.values) == found.products <= 60
    scale = np.abs(spectrum).max()
    for value, error in zip((found.smallest, found.largest), found.error, strict=True):
        assert np.abs(spectrum - value).min() <= error + rounding * scale
    assert found.smallest == pytest.approx(spectrum.min(), abs=0.02 * scale)
    assert found.largest == pytest.approx(spectrum.max(), abs=0.02 * scale)
    # Ritz values lie within the spectrum.
    assert found.smallest >= spectrum.min() - rounding * scale
    assert found.largest <= spectrum.max() + rounding * scale


def test_the_direction_of_least_curvature():
    spectrum = np.concatenate([[-3.0], np.linspace(0, 1, 99)])
    f, matrix, x, rotation = with_spectrum(spectrum)
    found = eigenvalues(f, jnp.asarray(x, jnp.float32), args=(jnp.asarray(matrix, jnp.float32),))
    assert np.linalg.norm(found.direction) == pytest.approx(1, rel=1e-5)
    assert abs(np.asarray(found.direction) @ rotation[:, 0]) == pytest.approx(1, abs=1e-3)


def test_a_space_that_is_spent_early():
    """Three different eigenvalues need three products, whatever the dimension."""
    spectrum = np.repeat([-1.0, 2.0, 5.0], 30)
    f, matrix, x, _ = with_spectrum(spectrum)
    with jax.enable_x64(True):
        found = eigenvalues(f, jnp.asarray(x), args=(jnp.asarray(matrix),))
    assert found.products == 3
    np.testing.assert_allclose(found.values, [-1, 2, 5], atol=1e-9)
    assert (found.error < 1e-9).all()


def test_a_tree_and_the_edge_of_the_exact():
    for size in (EXACT_BELOW - 2, EXACT_BELOW - 1):
        curvature = np.linspace(1, 3, size)

        def f(p, c=curvature):
            return 0.5 * jnp.sum(c * p["a"] ** 2) + 2 * p["b"] ** 2

        found = eigenvalues(f, {"a": jnp.zeros(size), "b": jnp.zeros(())})
        assert found.exact == (size + 1 < EXACT_BELOW)
        assert found.largest == pytest.approx(4, rel=1e-4)
        assert found.smallest == pytest.approx(1, abs=0.01)
        assert found.direction["a"].shape == (size,)


def test_a_network_s_hessian_against_the_whole_of_it():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 6)), rng.normal(size=50)

    def f(w):
        hidden = jnp.tanh(X @ w[:60].reshape(6, 10))
        return jnp.mean((hidden @ w[60:70] - y) ** 2)

    with jax.enable_x64(True):
        w = jnp.asarray(rng.normal(size=70))
        whole = np.linalg.eigvalsh(jax.jit(jax.hessian(f))(w))
        found = eigenvalues(f, w, products=70)
    assert not found.exact
    assert found.smallest == pytest.approx(whole[0], abs=1e-8)
    assert found.largest == pytest.approx(whole[-1], abs=1e-8)


@pytest.mark.parametrize("size", [2, 100])
def test_no_hessian(size):
    with pytest.raises(FalllineError, match="The Hessian is not finite"):
        eigenvalues(lambda x: jnp.sum(jnp.abs(x) ** 1.5), jnp.zeros(size))


def test_a_flat_function_has_a_spectrum_of_zeros():
    found = eigenvalues(lambda x: jnp.sum(x), jnp.zeros(100))
    assert found.smallest == found.largest == 0
    assert found.products == 1
