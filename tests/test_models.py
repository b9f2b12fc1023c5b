import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fallline.errors import FalllineError
from fallline.losses import softmax_cross_entropy
from fallline.models import (
    ACTIVATIONS,
    INITIALISERS,
    MLP,
    MODELS,
    Activation,
    Affine,
    BatchNorm,
    Dropout,
    Linear,
    Sequential,
    from_description,
)
from fallline.models.init import by_name

N, D, K = 5, 3, 2
every_activation = pytest.mark.parametrize("name", ACTIVATIONS)
EVERY_MODEL = [
    Linear(4),
    Linear(4, 3, init="normal:0.3"),
    MLP(4),
    MLP(4, (6,), 2, activation="tanh", batch_norm=True, dropout=0.25, init="lecun"),
]
every_model = pytest.mark.parametrize("model", EVERY_MODEL, ids=str)


def pulled_back(layer, params, x, dy, **options):
    """What a layer sends back, (d params, d x), when dy arrives at its output."""

    def output(params, x):
        return layer.apply(params, layer.init_state(), x, **options)[0]

    return jax.vjp(output, params, x)[1](dy)


def around(rng):
    """Inputs of which none is near the kink at 0, and gradients from above, in double precision."""
    x = rng.uniform(0.1, 2.0, (N, D)) * rng.choice([-1.0, 1.0], (N, D))
    return jnp.asarray(x), jnp.asarray(rng.normal(size=(N, D)))


# Layers against formulas


@pytest.mark.parametrize(
    ("name", "forward", "slope"),
    [
        ("identity", lambda x: x, lambda x, y: np.ones_like(x)),
        ("relu", lambda x: np.maximum(x, 0), lambda x, y: (x > 0).astype(float)),
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x)), lambda x, y: y * (1 - y)),
        ("tanh", np.tanh, lambda x, y: 1 - y**2),
        ("softplus", lambda x: np.log1p(np.exp(x)), lambda x, y: 1 / (1 + np.exp(-x))),
        (
            "leaky_relu",
            lambda x: np.where(x > 0, x, 0.01 * x),
            lambda x, y: np.where(x > 0, 1, 0.01),
        ),
        ("elu", lambda x: np.where(x > 0, x, np.expm1(x)), lambda x, y: np.where(x > 0, 1, y + 1)),
    ],
)
def test_an_activation_and_its_gradient_follow_the_formula(x64, rng, name, forward, slope):
    x, dy = around(rng)
    y, _ = Activation(name).apply({}, {}, x)
    _, dx = pulled_back(Activation(name), {}, x, dy)
    np.testing.assert_allclose(y, forward(np.asarray(x)), rtol=1e-12)
    np.testing.assert_allclose(dx, dy * slope(np.asarray(x), np.asarray(y)), rtol=1e-12)


def test_relu_lets_no_gradient_through_at_zero():
    assert jax.grad(ACTIVATIONS["relu"])(0.0) == 0.0


@every_activation
def test_the_gradient_of_every_activation_agrees_with_central_differences(x64, rng, name):
    x, _ = around(rng)
    f, h = ACTIVATIONS[name], 1e-6
    slope = jax.vmap(jax.grad(f))(x.ravel())
    np.testing.assert_allclose(slope, ((f(x + h) - f(x - h)) / (2 * h)).ravel(), atol=1e-8)


@every_activation
def test_every_activation_is_finite_with_its_gradient_far_out(name):
    far = jnp.array([-1e4, -100.0, 0.0, 100.0, 1e4])
    assert jnp.isfinite(ACTIVATIONS[name](far)).all()
    assert jnp.isfinite(jax.vmap(jax.grad(ACTIVATIONS[name]))(far)).all()


@every_activation
@pytest.mark.parametrize("kind", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_every_activation_keeps_the_type(name, kind):
    assert ACTIVATIONS[name](jnp.ones(2, kind)).dtype == kind


def test_affine_sends_back_what_the_chain_rule_says(x64, rng):
    x, w, b = rng.normal(size=(N, D)), rng.normal(size=(D, K)), rng.normal(size=K)
    dy = rng.normal(size=(N, K))
    params = {"weights": jnp.asarray(w), "bias": jnp.asarray(b)}
    y, state = Affine(D, K).apply(params, {}, jnp.asarray(x))
    grads, dx = pulled_back(Affine(D, K), params, jnp.asarray(x), jnp.asarray(dy))
    assert state == {}
    np.testing.assert_allclose(y, x @ w + b, rtol=1e-12)
    np.testing.assert_allclose(dx, dy @ w.T, rtol=1e-12)
    np.testing.assert_allclose(grads["weights"], x.T @ dy, rtol=1e-12)
    np.testing.assert_allclose(grads["bias"], dy.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("shape", [(N, 12), (N, 3, 4), (N, 2, 3, 2), (0, 12), (0, 3, 4)])
def test_affine_flattens_inputs_of_any_rank_from_axis_1(x64, rng, shape):
    x, layer = rng.normal(size=shape), Affine(12, K)
    params = layer.init(jax.random.key(0))
    y, _ = layer.apply(params, {}, jnp.asarray(x))
    rows = [x[i].ravel() @ np.asarray(params["weights"]) for i in range(len(x))]
    np.testing.assert_allclose(y, np.array(rows).reshape(-1, K), rtol=1e-12)


def test_affine_takes_a_column_of_numbers_as_one_input():
    y, _ = Affine(1, 1).apply({"weights": jnp.array([[2.0]]), "bias": jnp.ones(1)}, {}, jnp.ones(3))
    np.testing.assert_array_equal(y, np.full((3, 1), 3.0))


@pytest.mark.parametrize("indices", [True, False])
def test_softmax_with_cross_entropy_sends_back_the_difference_over_n(x64, rng, indices):
    z, classes = rng.normal(size=(N, 4)), rng.integers(0, 4, N)
    t = np.eye(4)[classes]
    target = jnp.asarray(classes if indices else t)
    y = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    grad = jax.grad(lambda z: jnp.mean(softmax_cross_entropy(z, target)))(jnp.asarray(z))
    np.testing.assert_allclose(grad, (y - t) / N, rtol=1e-10, atol=1e-15)


# Batch normalisation


def norm_params(rng):
    scale, shift = rng.uniform(0.5, 2.0, D), rng.normal(size=D)
    return scale, shift, {"scale": jnp.asarray(scale), "shift": jnp.asarray(shift)}


def test_batch_norm_normalises_by_the_batch_and_sends_back_the_full_gradient(x64, rng):
    layer = BatchNorm(D, epsilon=1e-3)
    x, dy = rng.normal(2.0, 3.0, (N, D)), rng.normal(size=(N, D))
    scale, shift, params = norm_params(rng)
    root = np.sqrt(x.var(axis=0) + 1e-3)
    hat = (x - x.mean(axis=0)) / root
    y, _ = layer.apply(params, layer.init_state(), jnp.asarray(x), training=True)
    grads, dx = pulled_back(layer, params, jnp.asarray(x), jnp.asarray(dy), training=True)
    np.testing.assert_allclose(y, scale * hat + shift, rtol=1e-10)
    np.testing.assert_allclose(grads["shift"], dy.sum(axis=0), rtol=1e-10)
    np.testing.assert_allclose(grads["scale"], (dy * hat).sum(axis=0), rtol=1e-10)
    expected = scale / (N * root) * (N * dy - dy.sum(axis=0) - hat * (dy * hat).sum(axis=0))
    np.testing.assert_allclose(dx, expected, rtol=1e-9, atol=1e-14)


def test_batch_norm_keeps_running_averages_with_the_variance_of_the_population(x64, rng):
    layer = BatchNorm(D, momentum=0.8)
    state, mean, variance = layer.init_state(), np.zeros(D), np.ones(D)
    for _ in range(3):
        x = rng.normal(1.0, 2.0, (N, D))
        params = layer.init(jax.random.key(0))
        _, state = layer.apply(params, state, jnp.asarray(x), training=True)
        mean = 0.8 * mean + 0.2 * x.mean(axis=0)
        variance = 0.8 * variance + 0.2 * x.var(axis=0, ddof=1)
    np.testing.assert_allclose(state["mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(state["variance"], variance, rtol=1e-12)


def test_batch_norm_predicts_by_the_running_values_and_leaves_them_alone(x64, rng):
    layer = BatchNorm(D)
    scale, shift, params = norm_params(rng)
    mean, variance, x = rng.normal(size=D), rng.uniform(1.0, 2.0, D), rng.normal(size=(N, D))
    state = {"mean": jnp.asarray(mean), "variance": jnp.asarray(variance)}
    y, after = layer.apply(params, state, jnp.asarray(x))
    expected = scale * (x - mean) / np.sqrt(variance + 1e-5) + shift
    np.testing.assert_allclose(y, expected, rtol=1e-10)
    assert after is state


def test_batch_norm_leaves_padded_rows_out(x64, rng):
    layer = BatchNorm(D)
    _, _, params = norm_params(rng)
    x, mask = jnp.asarray(rng.normal(size=(N, D))), jnp.arange(N) < 3
    padded = x.at[3:].set(1e6)
    y, state = layer.apply(params, layer.init_state(), padded, training=True, mask=mask)
    alone, only = layer.apply(params, layer.init_state(), x[:3], training=True)
    np.testing.assert_allclose(y[:3], alone, rtol=1e-12)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), state, only)


def test_batch_norm_of_a_single_row_is_its_shift_and_no_division_by_zero():
    layer, shift = BatchNorm(D), jnp.array([1.0, 2.0, 3.0])
    params = {"scale": jnp.ones(D), "shift": shift}
    y, state = layer.apply(params, layer.init_state(), jnp.ones((1, D)), training=True)
    np.testing.assert_array_equal(y[0], shift)
    np.testing.assert_allclose(state["variance"], 0.9, rtol=1e-6)


# Dropout


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_expectation(rate):
    x = jnp.full((200, 100), 3.0)
    y, _ = Dropout(rate).apply({}, {}, x, key=jax.random.key(1), training=True)
    np.testing.assert_allclose(jnp.unique(y), [0.0, 3.0 / (1 - rate)], rtol=1e-6)
    five_sigma = 5 * np.sqrt(rate * (1 - rate) / x.size)
    assert abs(float(jnp.mean(y == 0)) - rate) < five_sigma
    assert abs(float(jnp.mean(y)) - 3.0) < 3.0 * five_sigma / (1 - rate)


def test_dropout_sends_the_gradient_back_through_the_elements_that_were_kept():
    x, key = jnp.ones((20, 10)), jax.random.key(2)
    y, _ = Dropout(0.5).apply({}, {}, x, key=key, training=True)
    _, dx = pulled_back(Dropout(0.5), {}, x, jnp.ones_like(x), key=key, training=True)
    np.testing.assert_array_equal(dx, np.where(y == 0, 0.0, 2.0))


def test_dropout_is_off_in_prediction_and_at_rate_0():
    x = jnp.ones((3, 2))
    assert Dropout(0.5).apply({}, {}, x)[0] is x
    assert Dropout(0.0).apply({}, {}, x, training=True)[0] is x


def test_dropout_draws_differently_by_key_and_equally_by_the_same():
    x, layer = jnp.ones((20, 20)), Dropout(0.5)
    a, b, c = (layer.apply({}, {}, x, key=jax.random.key(i), training=True)[0] for i in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_two_dropout_layers_of_a_network_draw_differently():
    layers = Sequential((("one", Dropout(0.5)), ("two", Dropout(0.5))))
    y, _ = layers.apply({}, {}, jnp.ones((100, 100)), key=jax.random.key(0), training=True)
    assert abs(float(jnp.mean(y == 0)) - 0.75) < 0.03


@pytest.mark.parametrize("kind", [jnp.bfloat16, jnp.float32])
def test_dropout_keeps_the_type(kind):
    x = jnp.ones((4, 4), kind)
    assert Dropout(0.3).apply({}, {}, x, key=jax.random.key(0), training=True)[0].dtype == kind


# Initialisers


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("zeros", 0.0),
        ("normal", 0.01**2),
        ("normal:0.5", 0.25),
        ("glorot", 2 / (300 + 200)),
        ("he", 2 / 300),
        ("lecun", 1 / 300),
    ],
)
def test_weights_are_scattered_by_the_initialisers_variance_and_biases_start_at_0(name, variance):
    params = Affine(300, 200, name).init(jax.random.key(3))
    weights = np.asarray(params["weights"], np.float64)
    # The variance of n normal numbers is known to about sqrt(2 / n) of itself.
    assert weights.var() == pytest.approx(variance, rel=5 * np.sqrt(2 / weights.size))
    assert abs(weights.mean()) <= 5 * np.sqrt(variance / weights.size)
    np.testing.assert_array_equal(params["bias"], 0.0)


def test_every_initialiser_has_its_variance_tested_above():
    assert set(INITIALISERS) == {"zeros", "normal", "glorot", "he", "lecun"}


@every_activation
def test_auto_chooses_the_initialiser_that_suits_the_activation(name):
    model = MLP(4, (5, 6), 2, activation=name)
    chosen = [x.initialiser for _, x in model.layers.layers if isinstance(x, Affine)]
    hidden = "glorot" if name in ("sigmoid", "tanh", "identity") else "he"
    assert chosen == [hidden, hidden, "glorot"]


def test_a_named_initialiser_is_used_for_every_layer():
    layers = MLP(4, (5,), 2, init="lecun").layers.layers
    assert [x.initialiser for _, x in layers if isinstance(x, Affine)] == ["lecun", "lecun"]


def test_no_two_layers_start_from_the_same_draws():
    params = MLP(5, (5, 5), 5).init(jax.random.key(0))
    flat = np.concatenate([np.asarray(p["weights"]).ravel() for p in params.values()])
    assert len(np.unique(flat)) == 75


# Models


def test_a_network_is_its_layers_in_order(x64, rng):
    model = MLP(D, (4,), K, activation="tanh")
    params = model.init(jax.random.key(0))
    x = rng.normal(size=(N, D))
    one, two = (jax.tree.map(np.asarray, params[f"affine{i}"]) for i in (1, 2))
    hidden = np.tanh(x @ one["weights"] + one["bias"])
    expected = hidden @ two["weights"] + two["bias"]
    np.testing.assert_allclose(model(params, jnp.asarray(x)), expected, rtol=1e-12)


def test_the_parts_of_a_hidden_layer_come_in_the_known_order():
    model = MLP(3, (4, 5), 2, activation="relu", batch_norm=True, dropout=0.5)
    assert [name for name, _ in model.layers.layers] == [
        *("affine1", "norm1", "relu1", "dropout1"),
        *("affine2", "norm2", "relu2", "dropout2"),
        "affine3",
    ]
    assert list(model.init_state()) == ["norm1", "norm2"]
    assert model.random
    assert not MLP(3).random


def test_one_hidden_layer_may_be_given_as_a_number():
    assert MLP(3, 8) == MLP(3, (8,))


def test_the_default_linear_model_predicts_0():
    model = Linear(D, K)
    np.testing.assert_array_equal(model(model.init(jax.random.key(0)), jnp.ones((N, D))), 0.0)


@every_model
def test_the_same_key_gives_the_same_start(model):
    one, same, other = (model.init(jax.random.key(i)) for i in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, one, same)
    differ = jax.tree.map(lambda a, b: bool((a != b).any()), one, other)
    assert any(jax.tree.leaves(differ)) or model == Linear(4)


@every_model
def test_a_description_goes_through_json_and_back(model):
    again = from_description(json.loads(json.dumps(model.describe())))
    assert again == model
    assert hash(again) == hash(model)
    assert type(again) is type(model)


def test_a_size_counted_by_numpy_can_be_described_too():
    model = MLP(np.int64(4), (np.int32(3),), np.int64(2), dropout=np.float64(0.5))
    assert from_description(json.loads(json.dumps(model.describe()))) == model


def test_every_model_is_described_above():
    assert {type(model) for model in EVERY_MODEL} == set(MODELS.values())


def test_models_that_differ_in_any_field_are_not_equal():
    assert len(set(EVERY_MODEL)) == len(EVERY_MODEL)
    for model in EVERY_MODEL:
        assert Linear(4, 2) != model
    assert MLP(4, (6, 5)) != MLP(4, (5, 6))


def test_a_model_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Linear(4).inputs = 5


# Sentences


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: MLP(3, activation="rleu"), "no activation called 'rleu': did you mean 'relu'"),
        (lambda: MLP(3, init="glorott"), "no initialiser called 'glorott': did you mean 'glorot'"),
        (lambda: Linear(3, init="x"), "no initialiser called 'x': choose one of zeros, normal,"),
        (lambda: MLP(3, init="he:0.1"), "'he:0.1' is not understood: only normal takes a number"),
        (lambda: MLP(3, init="normal:wide"), "'normal:wide' is not understood"),
        (lambda: by_name("normal:-1"), "'normal:-1' is not understood"),
        (lambda: by_name("normal:inf"), "'normal:inf' is not understood"),
        (lambda: Linear(0), "whole number of inputs, at least one; it was given 0"),
        (lambda: Linear(3, -1), "whole number of outputs, at least one; it was given -1"),
        (lambda: MLP(3, (4, 0)), "whole number of outputs, at least one; it was given 0"),
        (lambda: MLP(3, (2.5,)), "whole number of outputs, at least one; it was given 2.5"),
        (lambda: MLP(3, dropout=1.0), "a rate of at least 0 and below 1; it was given 1"),
        (lambda: MLP(3, dropout=-0.1), "a rate of at least 0 and below 1; it was given -0.1"),
        (
            lambda: Linear(3)(Linear(3).init(jax.random.key(0)), jnp.ones((2, 4))),
            "takes 3 inputs an example; it was given 4",
        ),
        (
            lambda: Dropout(0.5).apply({}, {}, jnp.ones((2, 2)), training=True),
            "needs a random key in training: pass key=",
        ),
        (lambda: from_description({"class": "mpl"}), "no model called 'mpl': did you mean 'mlp'"),
        (lambda: from_description({}), "There is no model called"),
        (lambda: from_description({"class": "Linear", "inputs": 3}), "not the description of a"),
        (
            lambda: from_description({**Linear(3).describe(), "depth": 3}),
            "not the description of a model: .*depth",
        ),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(make, sentence):
    with pytest.raises(FalllineError, match=sentence):
        make()
