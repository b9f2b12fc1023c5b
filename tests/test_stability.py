import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fallline import FalllineError
from fallline.optimizers import (
    EMA,
    OPTIMIZERS,
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    AMSGrad,
    ClipByGlobalNorm,
    Lion,
    Momentum,
    NAdam,
    Nesterov,
    RMSprop,
    WeightDecay,
    from_optax,
    stability_limit,
    verdict,
)

# Turned, so that no preconditioner is along its axes; its largest eigenvalue is 5.
HESSIAN = np.array([[4.0, 2.0], [2.0, 1.0]])

LINEAR = {
    "sgd": SGD(),
    "momentum": Momentum(momentum=0.8),
    "momentum of averages": Momentum(momentum=0.8, average=True),
    "nesterov": Nesterov(momentum=0.8),
    "nesterov of averages": Nesterov(momentum=0.8, average=True),
    "averaged path": EMA(SGD()),
}
ADAPTIVE = {
    "adagrad": AdaGrad(),
    "rmsprop": RMSprop(),
    "rmsprop with momentum": RMSprop(momentum=0.7),
    "rmsprop centered": RMSprop(centered=True),
    "adadelta": AdaDelta(),
    "adam": Adam(),
    "amsgrad": AMSGrad(),
    "nadam": NAdam(),
    "adamw": AdamW(weight_decay=0.0),
    "adamw decaying": AdamW(weight_decay=0.7),
}
ALL = {**LINEAR, **ADAPTIVE}


def state_after(optimizer, steps):
    """A state with averages as they may be after some steps, and the one step before it."""
    state = optimizer.init(jnp.zeros(2))
    while "inner" in state:
        state = state["inner"]
    after = {"step": jnp.array(steps)}
    for name in state:
        if name != "step":
            after[name] = (
                jnp.array([0.3, 2.0]) if name in ("mean", "velocity") else jnp.array([0.5, 7.0])
            )
    # The averages that the linearised step multiplies by their share, at a gradient of 0.
    share = {"square": getattr(optimizer, "beta2", getattr(optimizer, "beta", 1.0))}
    if isinstance(optimizer, AMSGrad):
        after["largest"] = jnp.array([0.9, 7.5])
    if isinstance(optimizer, RMSprop) and optimizer.centered:
        after["mean"] = jnp.zeros(2)
    before = {name: part / share.get(name, 1.0) for name, part in after.items() if name != "step"}
    return {**before, "step": jnp.array(steps - 1)}, after


def spectral_radius(optimizer, before, rate):
    """Of the engine's own update, linearised in parameters and velocity at the bottom of the bowl."""
    optimizer = optimizer.with_rate(rate)
    moving = [name for name in before if name in ("mean", "velocity")]

    def step(numbers):
        x, rest = numbers[:2], numbers[2:]
        parts = dict(zip(moving, rest.reshape(-1, 2), strict=True))
        state = {**before, **parts}
        if isinstance(optimizer, WeightDecay):
            state = {"inner": state}
        updates, new = optimizer.update(jnp.asarray(HESSIAN) @ x, state, x)
        new = new.get("inner", new)
        return jnp.concatenate([x + updates, *(new[name] for name in moving)])

    matrix = jax.jacobian(step)(jnp.zeros(2 + 2 * len(moving)))
    return np.abs(np.linalg.eigvals(np.asarray(matrix))).max()


@pytest.mark.parametrize("steps", [1, 7, 5000])
@pytest.mark.parametrize("name", ADAPTIVE)
def test_at_the_limit_the_linearised_step_of_the_engine_stops_shrinking(x64, name, steps):
    optimizer = ADAPTIVE[name]
    before, after = state_after(optimizer, steps)
    limit = float(stability_limit(optimizer, after, HESSIAN))
    assert spectral_radius(optimizer, before, limit) == pytest.approx(1.0, abs=1e-6)
    assert spectral_radius(optimizer, before, 1.01 * limit) > 1.0 + 1e-6
    assert spectral_radius(optimizer, before, 0.99 * limit) <= 1.0 + 1e-9


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov of averages", "adam", "nadam"])
def test_decay_beside_the_gradient_is_taken_into_account(x64, name):
    inner = ALL[name]
    optimizer = WeightDecay(inner, 0.3)
    before, after = state_after(inner, 9)
    limit = float(stability_limit(optimizer, {"inner": after}, HESSIAN))
    assert limit < float(stability_limit(inner, after, HESSIAN))
    assert spectral_radius(optimizer, before, limit) == pytest.approx(1.0, abs=1e-6)
    assert spectral_radius(optimizer, before, 1.01 * limit) > 1.0 + 1e-6


def descend(optimizer, steps=400):
    def step(carry, _):
        x, state = carry
        updates, state = optimizer.update(jnp.asarray(HESSIAN) @ x, state, x)
        return (x + updates, state), None

    start = jnp.array([1.0, 0.5])
    (x, _), _ = jax.lax.scan(step, (start, optimizer.init(start)), None, steps)
    return float(jnp.linalg.norm(x))


@pytest.mark.parametrize("name", LINEAR)
def test_just_below_the_limit_descent_converges_and_just_above_it_diverges(x64, name):
    optimizer = LINEAR[name]
    limit = float(stability_limit(optimizer, optimizer.init(jnp.zeros(2)), HESSIAN))
    assert descend(optimizer.with_rate(0.97 * limit)) < 0.1
    assert descend(optimizer.with_rate(1.03 * limit)) > 10.0


def test_known_limits():
    state = SGD().init(jnp.zeros(2))
    hessian = jnp.diag(jnp.array([1.0, 4.0]))
    assert float(stability_limit(SGD(), state, hessian)) == pytest.approx(0.5)
    assert float(stability_limit(Momentum(momentum=0.9), state, hessian)) == pytest.approx(3.8 / 4)
    nesterov = stability_limit(Nesterov(momentum=0.9), state, hessian)
    assert float(nesterov) == pytest.approx(3.8 / 2.8 / 4)
    adam = {"step": jnp.array(100_000), "mean": jnp.zeros(2), "square": jnp.array([1.0, 4.0])}
    # 38 over the largest preconditioned curvature, 4 / 2.
    assert float(stability_limit(Adam(), adam, hessian)) == pytest.approx(38 / 2, rel=1e-4)
    assert float(stability_limit(ClipByGlobalNorm(SGD()), {"inner": state}, hessian)) == 0.5


def test_more_dimensions_and_trees():
    hessian = jnp.diag(jnp.array([1.0, 3.0, 2.0]))
    state = {"step": jnp.array(1), "sum": {"a": jnp.array([1.0, 9.0]), "b": jnp.array([0.25])}}
    # The preconditioner is 1, 3, 0.5: curvatures 1, 1 and 4.
    assert float(stability_limit(AdaGrad(), state, hessian)) == pytest.approx(0.5)


def test_without_upward_curvature_there_is_no_limit():
    hill = -jnp.eye(2)
    for name, optimizer in ALL.items():
        if name != "adamw decaying":
            _, after = state_after(optimizer, 3)
            after = {"inner": after} if isinstance(optimizer, EMA) else after
            assert stability_limit(optimizer, after, hill) == jnp.inf, name
    lion = Lion().init(jnp.zeros(2))
    assert stability_limit(Lion(), lion, jnp.eye(2)) == jnp.inf
    assert float(stability_limit(Lion(weight_decay=0.1), lion, jnp.eye(2))) == pytest.approx(20.0)


def test_a_saddle_has_the_limit_of_its_steepest_upward_direction():
    state = SGD().init(jnp.zeros(2))
    assert stability_limit(SGD(), state, jnp.diag(jnp.array([-9.0, 1.0]))) == 2.0


def test_a_hessian_that_is_not_finite_has_no_limit_that_is_known():
    state = SGD().init(jnp.zeros(2))
    assert np.isnan(stability_limit(SGD(), state, jnp.full((2, 2), jnp.nan)))


def test_every_optimizer_has_an_answer_and_optax_a_sentence():
    for cls in OPTIMIZERS.values():
        optimizer = cls()
        grads, params = jnp.ones(2), jnp.ones(2)
        after = optimizer.update(grads, optimizer.init(params), params)[1]
        assert float(stability_limit(optimizer, after, jnp.asarray(HESSIAN))) > 0
    import optax

    optimizer = from_optax(optax.sgd(0.1))
    with pytest.raises(FalllineError, match="not known"):
        stability_limit(optimizer, optimizer.init(jnp.ones(2)), jnp.eye(2))


def test_it_runs_over_many_balls_at_once():
    squares = jnp.array([[1.0, 1.0], [4.0, 1.0], [9.0, 9.0]])
    hessians = jnp.broadcast_to(jnp.diag(jnp.array([1.0, 0.1])), (3, 2, 2))
    found = jax.vmap(lambda s, h: stability_limit(RMSprop(), {"square": s}, h))(squares, hessians)
    np.testing.assert_allclose(found, [2.0, 4.0, 6.0], rtol=1e-6)


def test_verdicts():
    assert [verdict(rate, 1.0) for rate in (0.5, 0.95, 1.0, 1.01)] == [
        "safe",
        "edge",
        "edge",
        "explode",
    ]
    assert verdict(1.0, float("inf")) == verdict(1.0, float("nan")) == "none"
