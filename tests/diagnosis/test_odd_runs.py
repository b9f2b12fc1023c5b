"""Odd runs and wrong input: a sensible diagnosis or a sentence, never a false accusation."""

from __future__ import annotations

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fallline
from fallline import FalllineError, models
from fallline.diagnosis import words
from fallline.optimizers import SGD


def only(run, **options):
    """The single finding; what is written as JSON is strictly valid."""
    found = fallline.diagnose(run, lang="en", **options)
    json.dumps(found.to_json(), allow_nan=False)
    assert len(found.findings) == 1
    return found.findings[0]


def descent(f, rate, steps=30, start=None):
    start = jnp.ones(2) if start is None else start
    return fallline.train(f, params=start, optimizer=SGD(rate), steps=steps)


ODD = {
    "no finite loss": (lambda: descent(lambda p: jnp.sum(p) * jnp.nan, 0.1), "unknown.not-finite"),
    "one step": (lambda: descent(lambda p: jnp.sum(p**2), 1.2, steps=1), "unknown.short"),
    "no bottom": (lambda: descent(lambda p: -jnp.sum(p**2), 0.1), "unknown.endless"),
    "blew up downwards": (lambda: descent(lambda p: -jnp.sum(p**2), 9.0), "unknown.endless"),
    "half precision": (
        lambda: descent(lambda p: jnp.sum(p**2), 0.2, start=jnp.ones(2, jnp.bfloat16)),
        "converged",
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_an_odd_run_is_called_what_it_is(case):
    make, key = ODD[case]
    assert only(make()).key == key


@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_a_run_in_double_precision_is_diagnosed_in_it(kind):
    with jax.enable_x64(True):
        run = descent(lambda p: jnp.sum(p**2), 3.0, start=jnp.ones(2, kind))
    assert only(run).name == "learning-rate-too-high"


def test_a_start_in_the_minimum_has_converged():
    result = fallline.minimize(lambda p: jnp.sum((p - 1) ** 2), jnp.ones(2))
    assert only(result).name == "converged"


def test_a_run_that_goes_on_from_what_was_learned_is_not_accused():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(128, 3)).astype(np.float32)
    y = (x @ np.array([1, -1, 2]) + 0.3 * rng.normal(size=128)).astype(np.float32)
    asked = {"batch_size": "full", "optimizer": SGD(0.1), "steps": 100}
    train = functools.partial(fallline.train, models.Linear(3, 1), "squared_error", (x, y), **asked)
    first = train()
    finding = only(train(params=first.params))
    assert not finding.complaint
    assert finding.name != "unknown"


def test_a_history_that_does_not_fall_is_not_called_healthy():
    recorder = fallline.watch()
    for _ in range(20):
        recorder.log(jnp.ones(2), jnp.ones(2), jnp.zeros(2), 3.0)
    assert only(recorder).name == "unknown"


@pytest.mark.parametrize("config", [5, "x", ["a"]])
def test_a_fix_is_not_made_in_what_is_no_configuration(config):
    high = only(descent(lambda p: jnp.sum(p**2), 3.0))
    with pytest.raises(FalllineError, match="as a dict"):
        high.apply(config=config)


def one(x=1.0):
    return {"w": jnp.full(2, x)}


LOGGED = {
    "trees": (lambda r: r.log(one(), jnp.ones(3), one(), 1.0), "same arrays"),
    "nothing": (lambda r: r.log(one(), None, one(), 1.0), "gradient has 0"),
    "loss": (lambda r: r.log(one(), one(), one(), "low"), "loss must be a number"),
    "vector": (lambda r: r.log(one(), one(), one(), jnp.ones(3)), "shape \\(3,\\)"),
    "records": (lambda r: r.extend({"loss": jnp.ones(3)}), "recorder.measure"),
}


@pytest.mark.parametrize("case", LOGGED)
def test_what_cannot_be_recorded_is_refused_in_a_sentence(case):
    act, sentence = LOGGED[case]
    with pytest.raises(FalllineError, match=sentence):
        act(fallline.watch())


WATCHED = {
    "every": ({"every": "a"}, "whole number"),
    "batch size": ({"batch_size": "full"}, "whole number"),
    "rate": ({"learning_rate": "x"}, "must be a number"),
    "objective": ({"objective": 3}, "function of the parameters"),
    "rows": ({"data": (np.ones(3), np.ones(4))}, "as many in each"),
}


@pytest.mark.parametrize("case", WATCHED)
def test_what_cannot_be_watched_is_refused_in_a_sentence(case):
    options, sentence = WATCHED[case]
    with pytest.raises(FalllineError, match=sentence):
        fallline.watch(**options)


def test_an_objective_that_cannot_be_called_is_told_at_the_first_step():
    recorder = fallline.watch(lambda p: float(jnp.sum(p["w"])))
    with pytest.raises(FalllineError, match="cannot be differentiated"):
        recorder.log(one(), one(), one(), 1.0)


def test_leaves_that_are_no_numbers_and_schedules_in_python_are_taken():
    recorder = fallline.watch(learning_rate=lambda step: 0.1 if step < 2 else 0.01)
    for value in (3.0, 2.0, 1.0):
        tree = {**one(), "activation": jnp.tanh, "count": 3}
        recorder.log(tree, tree, tree, value)
    np.testing.assert_allclose(recorder.history.learning_rate, [0.1, 0.1, 0.01])


def test_the_environment_asks_in_vain_for_letters_that_cannot_be_printed(monkeypatch):
    class Ascii:
        encoding = "ascii"

    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    monkeypatch.setattr("sys.stdout", Ascii())
    assert words.language() == "en"
    assert words.language("zh") == "zh"
