"""Each fault, planted, gets its verdict; runs without one get no complaint."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits, make_moons

import fallline
from fallline import FalllineError, models, schedules
from fallline.diagnosis.doctor import diagnose
from fallline.diagnosis.rules import NAMES
from fallline.optimizers import SGD, Adam, ClipByGlobalNorm

CROSS = "softmax_cross_entropy"
NET = models.MLP(16, (24, 12), 4)
# Half the compilation, where the network does not matter.
SOFT = models.Linear(16, 4)
# Time is no object here: a slow machine must not change a verdict.
PATIENT = {"seconds": 120.0, "lang": "en"}


def digits():
    """Four digits in 16 coarse pixels, standardised: 640 rows."""
    x, y = load_digits(n_class=4, return_X_y=True)
    x = x.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(len(x), 16)[:640]
    return ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32), y[:640]


X, Y = digits()
SHUFFLED = np.random.default_rng(0).permutation(Y)
PLAIN = {"model": NET, "loss": CROSS, "data": (X, Y), "batch_size": 32, "epochs": 20}


def planted(optimizer, **changes):
    return fallline.train(**{**PLAIN, "optimizer": optimizer, **changes})


def names(run):
    return [f.name for f in diagnose(run, **PATIENT).findings]


def dead_start():
    params = NET.init(jax.random.PRNGKey(0))
    params["affine2"]["bias"] = params["affine2"]["bias"] - 1e3
    return params


LINE = models.Linear(16, 1)
TARGET = (X @ np.linspace(-1, 1, 16) + 0.1 * np.sin(np.arange(640))).astype(np.float32)
REGRESSION = {"model": LINE, "loss": "squared_error", "data": (X, TARGET / TARGET.std())}
LEAKING = np.column_stack([X[:, :15], Y]).astype(np.float32)
OTHERS = (X[:300], np.random.default_rng(1).integers(0, 4, 300))

FAULTS = {
    "learning-rate-too-high": lambda: planted(SGD(20.0)),
    "learning-rate-too-low": lambda: planted(SGD(1e-4)),
    "bad-initialisation": lambda: planted(SGD(0.1), params=jax.tree.map(jnp.zeros_like, dead_start())),
    "dead-units": lambda: planted(SGD(0.1), params=dead_start()),
    "shuffled-labels": lambda: planted(SGD(0.1), data=(X, SHUFFLED)),
    "constant-target": lambda: planted(SGD(0.1), data=(X, np.zeros(640, int))),
    "target-leak": lambda: planted(SGD(0.1), data=(LEAKING, Y)),
    "unscaled-inputs": lambda: planted(SGD(0.1), data=(X * np.logspace(0, 4, 16, dtype="f"), Y)),
    "unscaled-target": lambda: fallline.train(
        **{**REGRESSION, "data": (X, 1e3 * TARGET + 1e5)}, optimizer=SGD(1e-4), batch_size=32, epochs=20
    ),
    "stalled-below-epsilon": lambda: planted(Adam(0.003, epsilon=100.0), model=SOFT),
    "clipping-always-active": lambda: planted(ClipByGlobalNorm(SGD(0.1), 1e-3), model=SOFT),
    "decay-too-fast": lambda: planted(SGD(schedules.ExponentialDecay(0.1, 0.3, 20.0)), model=SOFT),
    "stopped-too-early": lambda: planted(
        SGD(0.02), model=SOFT, validation=0.25, patience=1, min_improvement=0.05, epochs=60
    ),
    "overfitting": lambda: planted(
        SGD(0.3), data=(X[:40], SHUFFLED[:40] * 0 + Y[:40] * (np.arange(40) % 3 > 0)),
        validation=(X[300:], Y[300:]), patience=np.inf, epochs=300,
    ),
    "noise-floor": lambda: fallline.train(
        **{**REGRESSION, "data": (X, np.random.default_rng(2).normal(TARGET / TARGET.std(), 0.5))},
        optimizer=SGD(0.15), batch_size=16, epochs=40,
    ),
    "batch-too-small": lambda: fallline.train(
        **{**REGRESSION, "data": (X, np.random.default_rng(2).normal(TARGET / TARGET.std(), 0.5))},
        optimizer=SGD(0.03), batch_size=1, epochs=10,
    ),
    "batch-wasteful": lambda: planted(
        SGD(1.0), model=SOFT, batch_size="full", epochs=15
    ),
    "underfitting": lambda: fallline.train(
        models.Linear(2, 1), "binary_cross_entropy", make_moons(640, noise=0.1, random_state=0),
        optimizer=SGD(1.0), batch_size=32, epochs=20,
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault):
    assert fault in names(FAULTS[fault]())


def test_deep_networks_of_sigmoids_lose_their_gradients():
    deep = models.MLP(16, (12,) * 6, 4, activation="sigmoid")
    assert "vanishing-gradients" in names(planted(SGD(0.1), model=deep, epochs=8))


def test_large_weights_make_gradients_explode():
    deep = models.MLP(16, (12,) * 6, 4, init="normal:2.0")
    assert "exploding-gradients" in names(planted(SGD(0.01), model=deep, epochs=8))


NOISE = np.random.default_rng(5).normal(size=(640, 3)).astype(np.float32)
# Bent, so that a line sees nothing of it, and with noise, so that a network sees little.
BENT = 0.8 * np.abs(NOISE[:, 0]) + NOISE[:, 2]


@pytest.mark.parametrize(
    ("key", "rate", "changes"),
    [
        ("unscaled-inputs.offset", 1e-4, {"data": (X + 30.0, REGRESSION["data"][1])}),
        ("underfitting.penalty", 0.01, {"l2": 3.0}),
        ("unknown", 0.01, {"model": models.Linear(2, 1), "data": (NOISE[:, :2], BENT)}),
    ],
)
def test_what_is_said_of_regressions(key, rate, changes):
    asked = {**REGRESSION, **changes}
    run = fallline.train(**asked, optimizer=SGD(rate), batch_size=32, epochs=20)
    assert diagnose(run, **PATIENT).findings[0].key == key


@pytest.mark.parametrize("rate", [0.1, 0.3, 1.0])
def test_healthy_runs_of_a_network_get_no_complaint(rate):
    assert diagnose(planted(SGD(rate)), **PATIENT).healthy


def test_a_healthy_regression_gets_no_complaint():
    run = fallline.train(**REGRESSION, optimizer=SGD(0.01), batch_size=32, epochs=20)
    assert diagnose(run, **PATIENT).healthy


# ---------------------------------------------------------------- functions of one's own


def saddle(p):
    return p["x"] ** 2 - p["y"] ** 2 + 0.1 * p["y"] ** 4


def shelf(p):
    return jnp.tanh(jnp.abs(p["x"] - 1.0)) + 0.1 * jnp.tanh(p["y"]) ** 2


def wells(p):
    return (p["x"] ** 2 - 4.0) ** 2 + 3.0 * p["x"] + p["y"] ** 2


def long_valley(p):
    return 0.5 * (p["x"] ** 2 + 1e-3 * p["y"] ** 2)


@jax.custom_vjp
def cube(x):
    return x**3


cube.defvjp(lambda x: (x**3, x), lambda x, g: (g * 2.0 * x**2,))


def wrong(p):
    return cube(p["x"]) ** 2 + p["y"] ** 2


def descend(f, x, y, optimizer, steps=200):
    start = {"x": jnp.asarray(x), "y": jnp.asarray(y)}
    return fallline.train(f, params=start, optimizer=optimizer, steps=steps)


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("saddle-point", lambda: descend(saddle, 1.0, 0.0, SGD(0.05))),
        ("plateau", lambda: descend(shelf, 9.0, 0.0, SGD(0.1))),
        ("local-minimum", lambda: descend(wells, 2.0, 0.5, SGD(0.02))),
        ("ravine", lambda: descend(long_valley, 1.0, 30.0, SGD(1.0))),
        ("wrong-gradient", lambda: descend(wrong, 1.0, 1.0, SGD(0.05))),
    ],
)
def test_places_and_gradients_of_functions(name, run):
    assert name in names(run())


def test_the_edge_of_stability_is_healthy():
    """From the steep end of a valley, the steps leap to where it is just flat enough for them."""
    run = descend(lambda p: (p["x"] * p["y"] - 1.0) ** 2, 3.0, 0.3, SGD(0.1))
    found = diagnose(run, **PATIENT)
    assert found.healthy
    assert "edge-of-stability" in [f.name for f in found.findings]


def test_a_minimum_is_a_minimum():
    found = diagnose(
        descend(lambda p: p["x"] ** 2 + 3 * p["y"] ** 2, 1.0, 1.0, SGD(0.1)), **PATIENT
    )
    assert found.healthy
    assert found.findings[0].name == "converged"


# ---------------------------------------------------------------- findings


def test_a_fix_is_applied_and_proven():
    run = planted(SGD(20.0))
    diagnosis = diagnose(run, prove=True, **PATIENT)
    finding = next(f for f in diagnosis.findings if f.name == "learning-rate-too-high")
    assert finding.proven is not None
    assert finding.proven.helped
    again = fallline.train(**finding.apply())
    np.testing.assert_array_equal(again.history.loss, finding.proven.history.loss)
    assert again.history.loss[-20:].mean() < 0.5 * run.history.loss[-20:].mean()


def test_every_complaint_has_two_pieces_of_evidence_and_its_words():
    for make in (FAULTS["learning-rate-too-low"], FAULTS["clipping-always-active"]):
        for finding in diagnose(make(), **PATIENT).findings:
            facts = finding.to_json()
            assert facts["name"] in NAMES
            assert len(facts["evidence"]) >= 2
            assert all(facts[key] for key in ("verdict", "rule", "source", "fix"))


def test_without_its_data_a_run_is_judged_by_its_history():
    run = planted(SGD(20.0))
    alone = dataclasses.replace(run, asked=None)
    found = diagnose(alone, **PATIENT)
    assert found.findings[0].name == "learning-rate-too-high"
    blown = dataclasses.replace(planted(SGD(1e8)), asked=None)
    finding = diagnose(blown, **PATIENT).findings[0]
    assert finding.name == "learning-rate-too-high"
    with pytest.raises(FalllineError, match="no longer knows what it was asked for"):
        finding.apply()
