"""The mechanism of `fallline.tuning`: what is compiled, never how long it takes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fallline
from fallline import tree, tuning
from fallline.descent import loop, minimize_loop
from fallline.descent.problem import pose

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(40, 3)).astype(np.float32)
DATA = ROWS, (ROWS @ np.array([1, -2, 3])).astype(np.float32)


def compiled(model, loss, batch_size):
    problem, _ = pose(model, loss, DATA, optimizer="sgd", batch_size=batch_size, epochs=2)
    carry = problem.begin(problem.optimizer)
    numbers = (np.int32(0), np.int32(problem.plan.steps), np.int32(1), np.bool_(True))
    return loop.advance.lower(
        problem.objective,
        problem.rules,
        problem.rows,
        problem.validation,
        carry,
        problem.order(0, 1),
        *numbers,
        shape=problem.shape,
    ).compile()


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="it is a setting of processors")
@pytest.mark.parametrize("batch_size", [1, 8])
def test_a_linear_models_loop_is_one_function_without_a_word_to_python(batch_size):
    program = compiled(fallline.models.Linear(3), "half_squared_error", batch_size).as_text()
    assert "small_call" in program
    for talk in ("callback", "infeed", "outfeed", "host_compute"):
        assert talk not in program


def test_one_program_serves_all_learning_rates():
    def train(rate):
        return fallline.train(
            fallline.models.Linear(3),
            "half_squared_error",
            DATA,
            optimizer=fallline.optimizers.SGD(rate),
            batch_size=8,
            epochs=2,
        )

    train(0.01)
    traced = loop.traces["advance"]
    ends = [train(rate).history.loss[-1] for rate in (0.02, 0.03, 0.04)]
    assert loop.traces["advance"] == traced
    assert len(set(ends)) == 3


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "",
            "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1000000000000000",
        ),
        (
            "   ",
            "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1000000000000000",
        ),
        (
            "--xla_cpu_max_isa=AVX2",
            "--xla_cpu_max_isa=AVX2 "
            "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1000000000000000",
        ),
        # The user's own limit stays.
        (
            "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=7",
            "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=7",
        ),
    ],
)
def test_flags_are_added_to_the_users_own(monkeypatch, before, after):
    monkeypatch.setattr(tuning, "_started", lambda: False)
    monkeypatch.setenv("XLA_FLAGS", before)
    assert tuning.apply()
    assert tuning.os.environ["XLA_FLAGS"] == after


@pytest.mark.parametrize(("on", "started"), [(False, False), (True, True)])
def test_switched_off_or_too_late_it_touches_nothing(monkeypatch, on, started):
    monkeypatch.setattr(tuning, "on", on)
    monkeypatch.setattr(tuning, "_started", lambda: started)
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_max_isa=AVX2")
    assert not tuning.apply()
    assert tuning.os.environ["XLA_FLAGS"] == "--xla_cpu_max_isa=AVX2"


def test_it_knows_that_jax_has_started():
    jnp.zeros(1)
    assert tuning._started()


@pytest.mark.parametrize("size", [1, 31, 32, 33, 784, 1024, 1025])
def test_sums_by_lanes_are_sums(size):
    x, y = RANDOM.normal(size=(2, size)).astype(np.float32)
    exact = float(x.astype(float) @ y.astype(float))
    assert float(tree.inner(x, y)) == pytest.approx(exact, abs=1e-4)
    np.testing.assert_allclose(jax.grad(tree.inner)(x, y), y, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(tree.inner, 1)(x, y), x, rtol=1e-6)
    by_lanes = "slice" in str(jax.make_jaxpr(tree.inner)(x, y))
    assert by_lanes == (32 <= size < 1024 + 32)


def test_small_leaves_are_packed_into_one():
    sizes = (3, 5, tuning.TOGETHER, tuning.TOGETHER + 1)
    params = {str(n): jnp.full((n, 1), 1.0 + n) for n in sizes}
    packed = tree.packed(params)
    assert [leaf.shape for leaf in packed] == [(sum(sizes[:3]),), (sizes[3],)]
    assert float(tree.norm(packed)) == pytest.approx(float(tree.norm(params)))


def test_balls_stop_where_careful_steps_stop(monkeypatch):
    """Unrecorded steps are made without asking, and made anew where the function was not finite."""
    starts = jnp.array([[0.5, 0.4], [3.0, 2.0], [1e-3, 0.9]])

    def f(p):
        return jnp.log(p[0]) ** 2 + p[1] ** 2

    def run():
        minimize_loop.advance.clear_cache()
        return fallline.minimize(
            f, starts=starts, optimizer=fallline.optimizers.SGD(0.3), steps=60, records=5
        )

    fast = run()
    monkeypatch.setattr(tuning, "on", False)
    careful = run()
    minimize_loop.advance.clear_cache()
    np.testing.assert_allclose(fast.x, careful.x, rtol=1e-5, atol=1e-6)
    # Ended at rest, as planned, and where the function is not a number.
    assert len(set(careful.status.tolist())) > 1
    np.testing.assert_array_equal(fast.nit, careful.nit)
    np.testing.assert_array_equal(fast.status, careful.status)
