import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fallline.diagnosis import optax_rules
from fallline.diagnosis.case import RunCase
from fallline.diagnosis.watch import watch
from fallline.diagnosis.watched import LoopCase
from fallline.errors import FalllineError
from fallline.optimizers import SGD, Adam, Nesterov, WeightDecay, from_optax

ROWS = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32) * [1.0, 2.0, 0.5]
TARGET = ROWS @ np.array([1.0, -1.0, 2.0]) + 0.5
DATA = (jnp.asarray(ROWS, jnp.float32), jnp.asarray(TARGET, jnp.float32))
START = {"bias": jnp.zeros(()), "weights": jnp.zeros(3)}


def objective(params, batch):
    x, y = batch
    return jnp.mean((x @ params["weights"] + params["bias"] - y) ** 2)


gradient = jax.jit(jax.value_and_grad(objective))


def descend(recorder, rate, steps=40, **told):
    params = START
    for _ in range(steps):
        loss, grads = gradient(params, DATA)
        updates = jax.tree.map(lambda g: -rate * g, grads)
        recorder.log(params, grads, updates, loss, learning_rate=rate, **told)
        params = jax.tree.map(jnp.add, params, updates)
    return recorder


def test_the_history_is_that_of_the_steps():
    h = descend(watch(batch_size=64, rows=64), 0.05).history
    assert h.leaf_names == ["bias", "weights"]
    np.testing.assert_allclose(h.update_norm, 0.05 * h.gradient_norm, rtol=1e-5)
    np.testing.assert_allclose(h.layer_update_norm, 0.05 * h.layer_gradient_norm, rtol=1e-5)
    whole = np.sqrt((h.layer_parameter_norm**2).sum(axis=1))
    np.testing.assert_allclose(h.parameter_norm, whole, rtol=1e-6)
    first, second = (
        np.concatenate([[g["bias"]], g["weights"]])
        for g in (gradient(START, DATA)[1], gradient(_moved(0.05), DATA)[1])
    )
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    assert math.isnan(h.gradient_cosine[0])
    np.testing.assert_allclose(h.gradient_cosine[1], cosine, rtol=1e-5)
    np.testing.assert_allclose(h.training_loss, h.loss)
    assert (h.learning_rate == 0.05).all()


def _moved(rate):
    return jax.tree.map(lambda p, g: p - rate * g, START, gradient(START, DATA)[1])


def test_in_scan_it_records_the_same():
    logged = descend(watch(), 0.05).history
    recorder = watch(learning_rate=0.05)

    def step(carry, _):
        params, previous = carry
        loss, grads = jax.value_and_grad(objective)(params, DATA)
        updates = jax.tree.map(lambda g: -0.05 * g, grads)
        record = recorder.measure(params, grads, updates, loss, previous)
        return (jax.tree.map(jnp.add, params, updates), grads), record

    zeros = jax.tree.map(jnp.zeros_like, START)
    recorder.extend(jax.lax.scan(step, (START, zeros), length=40)[1])
    for name, values in {**logged.steps, **logged.layers}.items():
        np.testing.assert_allclose(getattr(recorder.history, name), values, rtol=1e-4, err_msg=name)


def test_inside_a_compiled_function_it_says_what_to_do():
    recorder = watch()

    @jax.jit
    def step(params):
        loss, grads = jax.value_and_grad(objective)(params, DATA)
        recorder.log(params, grads, grads, loss)
        return loss

    with pytest.raises(FalllineError, match=r"recorder\.extend"):
        step(START)
    with pytest.raises(FalllineError, match="Nothing was recorded"):
        recorder.diagnose()


def test_epochs_and_steps_that_are_not_measured():
    recorder = watch(every=2)
    descend(recorder, 0.05, steps=4, validation_loss=None)
    recorder.epoch(validation_loss=jnp.array(2.0), validation_score=0.5)
    descend(recorder, 0.05, steps=2)
    recorder.epoch(training_loss=1.0)
    h = recorder.history
    assert np.isnan(h.gradient_norm).tolist() == [False, True] * 3
    assert np.isfinite(h.loss).all()
    np.testing.assert_allclose(h.training_loss, [h.loss[:4].mean(), 1.0])
    assert h.validation_loss[0] == 2.0
    assert h.validation_score[0] == 0.5
    with pytest.raises(FalllineError, match="without a step"):
        recorder.epoch()


def test_a_rate_too_high_is_named_and_one_that_is_not_is_left_alone():
    optax = pytest.importorskip("optax", reason="watching optax needs optax")
    runs = {}
    for rate in (2.0, 0.05):
        recorder = watch(objective, DATA, optax.sgd(rate), batch_size=64)
        runs[rate] = descend(recorder, rate, steps=300)
    blown = runs[2.0].history
    assert len(blown) < 300
    assert np.isfinite(blown.loss[:-1]).all()
    case = runs[0.05].case()
    assert isinstance(case, RunCase)
    largest = np.linalg.eigvalsh(np.asarray(jax.hessian(_flat)(jnp.zeros(4))))[-1]
    np.testing.assert_allclose(case.sharpness().limit, 2 / largest, rtol=1e-4)
    assert "learning-rate-too-high" in [f.name for f in runs[2.0].diagnose(seconds=60.0).findings]
    assert runs[0.05].diagnose(seconds=60.0).healthy


def _flat(vector):
    return objective({"bias": vector[0], "weights": vector[1:]}, DATA)


def test_optax_s_optimizers_are_understood_and_others_are_not_guessed():
    optax = pytest.importorskip("optax", reason="watching optax needs optax")
    known = optax.chain(optax.clip_by_global_norm(2.0), optax.adamw(0.01, b2=0.95))
    state = known.update(START, known.init(START), START)[1]
    ours, remembered = optax_rules.translated(known, state)
    assert ours.limit == 2.0
    assert (ours.optimizer.beta2, ours.optimizer.weight_decay) == (0.95, 1e-4)
    assert remembered["inner"]["step"] == 1
    assert optax_rules.translated(optax.sgd(0.1, momentum=0.8, nesterov=True))[0] == Nesterov(
        0.1, 0.8
    )
    assert optax_rules.translated(from_optax(optax.adam(0.3)))[0] == Adam(0.3)
    assert optax_rules.translated(optax.adafactor(0.1)) == (None, None)
    schedule = optax_rules.rate_of(optax.sgd(optax.linear_schedule(1.0, 0.0, 10)))
    assert schedule(5) == 0.5


def test_decay_before_the_rule_is_translated_only_where_that_is_exact():
    optax = pytest.importorskip("optax", reason="watching optax needs optax")
    decay, clip, sgd = optax.add_decayed_weights(0.5), optax.clip(0.1), optax.sgd(0.1)
    assert optax_rules.translated(optax.chain(decay, sgd))[0] == WeightDecay(SGD(0.1), 0.5)
    theirs = optax.chain(clip, decay, sgd)
    ours = optax_rules.translated(theirs)[0]
    params, grads = {"w": jnp.array([1.0, -2.0])}, {"w": jnp.array([3.0, 0.05])}
    expected = theirs.update(grads, theirs.init(params), params)[0]
    found = ours.update(grads, ours.init(params), params)[0]
    np.testing.assert_allclose(found["w"], expected["w"], rtol=1e-6)
    momentum = optax.sgd(0.1, momentum=0.9)
    for rest in ((momentum,), (optax.adam(0.1),), (clip, sgd)):
        assert optax_rules.translated(optax.chain(decay, *rest)) == (None, None)
    assert optax_rules.translated(optax.chain(sgd, decay)) == (None, None)


def test_a_schedule_of_optax_is_not_tried_again_as_its_first_rate():
    optax = pytest.importorskip("optax", reason="watching optax needs optax")
    schedule = optax.linear_schedule(0.05, 0.0, 4)
    recorder = watch(objective, DATA, optax.sgd(schedule), batch_size=64)
    params = START
    for step in range(4):
        loss, grads = gradient(params, DATA)
        rate = schedule(step)
        updates = jax.tree.map(lambda g, rate=rate: -rate * g, grads)
        recorder.log(params, grads, updates, loss)
        params = jax.tree.map(jnp.add, params, updates)
    np.testing.assert_allclose(recorder.history.learning_rate, [0.05, 0.0375, 0.025, 0.0125])
    assert isinstance(recorder.case(), LoopCase)
