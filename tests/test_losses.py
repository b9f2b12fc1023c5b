import functools
import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fallline import losses
from fallline.errors import FalllineError
from fallline.losses import (
    LOSSES,
    absolute_error,
    binary_cross_entropy,
    by_name,
    cross_entropy,
    epsilon_insensitive,
    half_squared_error,
    hinge,
    huber,
    log_cosh,
    modified_huber,
    perceptron,
    poisson,
    quantile,
    softmax_cross_entropy,
    squared_epsilon_insensitive,
    squared_error,
    squared_hinge,
)

N, K = 6, 3
REGRESSION = [name for name, loss in LOSSES.items() if loss.task == "regression"]
# One column a class; every other loss compares a prediction with a target of the same shape.
BY_CLASS = [n for n, loss in LOSSES.items() if loss.task == "classification" and not loss.binary]
ELEMENTWISE = [name for name in LOSSES if name not in BY_CLASS]
# Of a margin: one output for two classes, or one column a class.
BY_MARGIN = [name for name in ELEMENTWISE if LOSSES[name].binary and LOSSES[name].link is None]
ON_PROBABILITIES = ["cross_entropy"]
CAN_BE_NEGATIVE = ["poisson"]  # its constant log y! is left out

every_loss = pytest.mark.parametrize("name", LOSSES)
elementwise = pytest.mark.parametrize("name", ELEMENTWISE)
by_class = pytest.mark.parametrize("name", BY_CLASS)

# No residual at a kink (0, 1 for huber, 0.1 for epsilon) and no margin of -1, 0 or 1.
RAW = np.array([0.3, -0.7, 2.5, -3.2, 0.05, 1.4])
TARGETS = np.array([0.5, 0.6, -0.4, 1.1, 2.2, -1.7])
KINKS = np.array([0.0, 1.0, -1.0, 2.0, 0.0, 1.0])


def example(name, dtype=float):
    """Predictions and targets that suit a loss."""
    loss = LOSSES[name]
    if name in BY_CLASS:
        logits = np.stack([RAW, RAW[::-1] * 0.6, np.roll(RAW, 2) + 0.1], axis=1)
        if name in ON_PROBABILITIES:
            logits = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return jnp.asarray(logits, dtype), jnp.array([0, 1, 2, 2, 1, 0])
    if loss.binary:
        return jnp.asarray(RAW, dtype), jnp.asarray([0, 1, 1, 0, 0, 1], dtype)
    targets = TARGETS if loss.scale_free else np.array([0, 1, 4, 2, 7, 1])
    return jnp.asarray(RAW, dtype), jnp.asarray(targets, dtype)


def summed(name, targets):
    return lambda predictions: jnp.sum(LOSSES[name].function(predictions, targets))


# Compiling takes nearly all the time of these tests, and running next to none.
fast_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@functools.cache
def value_and_gradient(name):
    return fast_jit(jax.value_and_grad(lambda z, y: jnp.sum(LOSSES[name].function(z, y))))


def test_every_loss_of_the_module_has_a_name():
    functions = {
        name
        for name, value in vars(losses).items()
        if inspect.isfunction(value) and value.__module__ == losses.__name__
    }
    public = {name for name in functions if not name.startswith("_")} - {"by_name", "lookup"}
    assert public == set(LOSSES)


# What holds of all


@every_loss
def test_a_loss_gives_one_number_an_example(name):
    predictions, targets = example(name)
    values = LOSSES[name].function(predictions, targets)
    assert values.shape == (N,)
    # No example looks at another one.
    alone = LOSSES[name].function(predictions[2:3], targets[2:3])
    np.testing.assert_allclose(alone, values[2:3], rtol=1e-6)


@every_loss
def test_the_gradient_is_the_central_difference(name, x64):
    predictions, targets = example(name)
    _, gradient = value_and_gradient(name)(predictions, targets)
    step = 1e-6
    flat = np.ravel(predictions)
    moved = np.tile(flat, (2 * flat.size, 1))
    moved[: flat.size] += step * np.eye(flat.size)
    moved[flat.size :] -= step * np.eye(flat.size)
    values = fast_jit(jax.vmap(summed(name, targets)))(moved.reshape(-1, *predictions.shape))
    difference = (values[: flat.size] - values[flat.size :]) / (2 * step)
    np.testing.assert_allclose(np.ravel(gradient), difference, rtol=1e-7, atol=1e-8)
    assert np.any(np.abs(gradient) > 0.1)


@every_loss
def test_huge_outputs_give_finite_losses_and_gradients(name):
    if name == "poisson":
        pytest.skip("the expected count is e^1e4, and so is the loss")
    predictions, targets = example(name, np.float32)
    signs = jnp.where(jnp.arange(predictions.size) % 3 == 0, -1.0, 1.0)
    huge = 1e4 * signs.reshape(predictions.shape)
    for outputs in (huge, -huge):
        values, gradient = value_and_gradient(name)(outputs, targets)
        assert np.isfinite(values)
        assert np.all(np.isfinite(gradient))


@every_loss
def test_gradients_at_kinks_and_ties_are_finite(name):
    _, targets = example(name, np.float32)
    points = [targets.astype(jnp.float32), jnp.asarray(KINKS, jnp.float32), jnp.zeros(N)]
    if name in BY_CLASS:
        points = [jnp.zeros((N, K)), jnp.ones((N, K)), jax.nn.one_hot(targets, K)]
    for point in points:
        values, gradient = value_and_gradient(name)(point, targets)
        assert np.isfinite(values)
        assert np.all(np.isfinite(gradient))


@every_loss
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_the_type_of_the_predictions_is_kept(name, dtype):
    predictions, targets = example(name, dtype)
    if name not in BY_CLASS:
        targets = targets.astype(jnp.float32)
    values = jax.eval_shape(LOSSES[name].function, predictions, targets)
    assert values.dtype == dtype
    assert jax.eval_shape(jax.grad(summed(name, targets)), predictions).dtype == dtype


@every_loss
def test_a_loss_runs_under_jit_vmap_and_grad(name):
    predictions, targets = example(name, np.float32)
    function = LOSSES[name].function
    plain = function(predictions, targets)

    @fast_jit
    def all_ways(predictions, targets):
        one = lambda p, t: function(p[None], t[None])[0]  # noqa: E731
        return (
            function(predictions, targets),
            jax.vmap(one)(predictions, targets),
            jax.vmap(jax.grad(one))(predictions, targets),
        )

    together, one_by_one, gradients = all_ways(predictions, targets)
    np.testing.assert_allclose(together, plain, rtol=1e-5)
    np.testing.assert_allclose(one_by_one, plain, rtol=1e-5)
    total, gradient = value_and_gradient(name)(predictions, targets)
    np.testing.assert_allclose(total, np.sum(plain), rtol=1e-5)
    np.testing.assert_allclose(gradients, gradient, rtol=1e-5, atol=1e-7)


@every_loss
def test_a_docstring_holds_the_equation(name):
    text = LOSSES[name].function.__doc__
    assert text.count("$") >= 2


@every_loss
def test_a_loss_knows_its_name_its_task_and_its_link(name):
    loss = LOSSES[name]
    assert loss.name == name
    assert loss.function.__name__ == name
    assert loss.task in ("regression", "classification")
    assert not (loss.binary and loss.task == "regression")
    if loss.link is not None:
        predictions, _ = example(name)
        means = loss.link(predictions)
        assert means.shape == predictions.shape
        if loss.task == "classification":
            assert np.all((np.asarray(means) >= 0) & (np.asarray(means) <= 1))
        if name in BY_CLASS:
            np.testing.assert_allclose(jnp.sum(means, axis=1), 1.0, rtol=1e-5)


@elementwise
def test_the_link_is_where_the_expected_loss_is_lowest(name, x64):
    link = LOSSES[name].link
    if link is None or name in ("absolute_error", "quantile", "epsilon_insensitive"):
        pytest.skip("its best constant is no mean")
    target = 0.3
    z = jnp.linspace(-4, 4, 80_001)
    if LOSSES[name].binary or not LOSSES[name].scale_free:
        best = z[jnp.argmin(LOSSES[name].function(z, jnp.full(z.shape, target)))]
        np.testing.assert_allclose(link(best), target, atol=1e-4)
    else:
        np.testing.assert_allclose(link(z), z)


# Shapes


@elementwise
def test_a_column_and_a_vector_never_become_a_table(name):
    predictions, targets = example(name)
    function = LOSSES[name].function
    plain = function(predictions, targets)
    for p, t in [
        (predictions[:, None], targets),
        (predictions, targets[:, None]),
        (predictions[:, None], targets[:, None]),
    ]:
        values = function(p, t)
        assert values.shape == (N,)
        np.testing.assert_allclose(values, plain, rtol=1e-6)


@elementwise
@pytest.mark.parametrize(
    ("prediction", "target"),
    [((N,), (N - 1,)), ((N,), (1,)), ((N, 1), (1, N)), ((N,), ()), ((N,), (N, 2))],
)
def test_shapes_that_do_not_fit_are_named_in_a_sentence(name, prediction, target):
    with pytest.raises(FalllineError) as caught:
        LOSSES[name].function(jnp.ones(prediction), jnp.ones(target))
    sentence = str(caught.value)
    assert str(prediction) in sentence or str((N,)) in sentence
    assert str(target) in sentence
    assert sentence.endswith("one target for each prediction.")


@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if n not in BY_MARGIN])
def test_the_loss_of_several_outputs_is_their_mean(name):
    predictions, targets = example(name)
    table = LOSSES[name].function(predictions.reshape(3, 2), targets.reshape(3, 2))
    single = LOSSES[name].function(predictions, targets)
    np.testing.assert_allclose(table, single.reshape(3, 2).mean(axis=1), rtol=1e-6)


@by_class
@pytest.mark.parametrize("target", [(N - 1,), (N, K + 1), (N - 1, K), (), (1, N)])
def test_targets_that_fit_no_class_table_are_named_in_a_sentence(name, target):
    with pytest.raises(FalllineError) as caught:
        LOSSES[name].function(jnp.full((N, K), 1 / K), jnp.zeros(target))
    assert str((N, K)) in str(caught.value)
    assert str(target) in str(caught.value)


@by_class
@pytest.mark.parametrize("shape", [(N,), (), (N, K, 2)])
def test_predictions_without_a_column_a_class_are_named_in_a_sentence(name, shape):
    with pytest.raises(FalllineError, match="one column a class"):
        LOSSES[name].function(jnp.ones(shape), jnp.zeros(N, int))


@elementwise
def test_whole_number_predictions_do_not_cut_the_targets(name):
    whole, fractions = jnp.array([1, 2, -3]), jnp.array([0.5, 0.25, 0.75])
    values = LOSSES[name].function(whole, fractions)
    np.testing.assert_allclose(values, LOSSES[name].function(whole * 1.0, fractions))
    assert jnp.issubdtype(values.dtype, jnp.floating)


@by_class
def test_whole_number_scores_do_not_cut_the_rows_of_probabilities(name):
    whole, rows = jnp.array([[1, 0, 0], [0, 1, 0]]), jnp.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]])
    values = LOSSES[name].function(whole, rows)
    np.testing.assert_allclose(values, LOSSES[name].function(whole * 1.0, rows))


# Closed forms


@pytest.mark.parametrize(
    ("function", "prediction", "target", "value"),
    [
        (squared_error, 3.0, 1.0, 4.0),
        (half_squared_error, 3.0, 1.0, 2.0),
        (absolute_error, 1.0, 3.5, 2.5),
        (huber, 1.5, 1.0, 0.125),
        (huber, 1.0, 4.0, 2.5),
        (log_cosh, 1.5, 1.0, math.log(math.cosh(0.5))),
        (log_cosh, 1.0, 4.0, math.log(math.cosh(3.0))),
        (quantile, 1.0, 3.0, 1.0),
        (poisson, 0.5, 3.0, math.exp(0.5) - 1.5),
        (binary_cross_entropy, 0.0, 1.0, math.log(2)),
        (binary_cross_entropy, 2.0, 1.0, math.log1p(math.exp(-2))),
        (binary_cross_entropy, 2.0, 0.0, 2 + math.log1p(math.exp(-2))),
        (binary_cross_entropy, 2.0, 0.25, math.log1p(math.exp(-2)) + 1.5),
        (hinge, 0.3, 1.0, 0.7),
        (hinge, 0.3, 0.0, 1.3),
        (hinge, 0.3, -1.0, 1.3),
        (hinge, 1.3, 1.0, 0.0),
        (squared_hinge, 0.3, 1.0, 0.49),
        (squared_hinge, 2.5, 0.0, 12.25),
        (squared_hinge, 1.3, 1.0, 0.0),
        (modified_huber, 0.3, 1.0, 0.49),
        (modified_huber, 2.5, 0.0, 10.0),
        (modified_huber, -1.0, 1.0, 4.0),
        (modified_huber, 1.3, 1.0, 0.0),
        (perceptron, 0.3, 1.0, 0.0),
        (perceptron, 0.3, -1.0, 0.3),
        (epsilon_insensitive, 1.05, 1.0, 0.0),
        (epsilon_insensitive, 1.0, 3.0, 1.9),
        (squared_epsilon_insensitive, 1.05, 1.0, 0.0),
        (squared_epsilon_insensitive, 1.0, 3.0, 3.61),
    ],
)
def test_a_value_is_that_of_the_formula(function, prediction, target, value, x64):
    [computed] = function(jnp.array([prediction]), jnp.array([target]))
    np.testing.assert_allclose(computed, value, rtol=1e-13)


def test_huber_and_quantile_take_their_parameter(x64):
    one = jnp.ones(1)
    np.testing.assert_allclose(huber(5 * one, one, delta=2.0), 2.0 * (4 - 1))
    np.testing.assert_allclose(huber(2 * one, one, delta=2.0), 0.5)
    np.testing.assert_allclose(quantile(one, 3 * one, q=0.9), 1.8)
    np.testing.assert_allclose(quantile(3 * one, one, q=0.9), 0.2, rtol=1e-14)


def test_an_epsilon_of_zero_is_the_plain_loss(x64):
    z, y = example("absolute_error")
    np.testing.assert_array_equal(epsilon_insensitive(z, y, epsilon=0.0), absolute_error(z, y))
    np.testing.assert_array_equal(squared_epsilon_insensitive(z, y, 0.0), squared_error(z, y))


SCORES = jnp.array([[2.0, 0.5, -1.0], [2.0, 1.5, -1.0], [0.0, 0.0, 3.0], [1.0, 2.0, 0.0]])
OWN = jnp.array([0, 0, 1, 0])  # margins 1.5, 0.5, -3 and -1


@pytest.mark.parametrize(
    ("function", "values"),
    [
        (hinge, [0.0, 0.5, 4.0, 2.0]),
        (squared_hinge, [0.0, 0.25, 16.0, 4.0]),
        (modified_huber, [0.0, 0.25, 12.0, 4.0]),
        (perceptron, [0.0, 0.0, 3.0, 1.0]),
    ],
)
def test_the_margin_of_several_classes_is_the_lead_over_the_best_rival(function, values):
    assert function.__name__ in BY_MARGIN
    np.testing.assert_allclose(function(SCORES, OWN), values)
    np.testing.assert_allclose(function(SCORES, OWN[:, None]), values)
    # Two columns are two classes by their difference.
    two = function(SCORES[:, :2], OWN)
    np.testing.assert_allclose(two, function(SCORES[:, 1] - SCORES[:, 0], OWN))
    with pytest.raises(FalllineError, match="class indices"):
        function(SCORES, jnp.ones(SCORES.shape))


@pytest.mark.parametrize("name", BY_MARGIN)
def test_zero_and_minus_one_are_the_same_class(name):
    scores = jnp.asarray(RAW)
    signs = jnp.array([1, -1, 1, -1, -1, 1])
    function = LOSSES[name].function
    np.testing.assert_array_equal(function(scores, signs), function(scores, (signs + 1) // 2))


@pytest.mark.parametrize("name", BY_MARGIN)
def test_weights_that_start_at_zero_leave_it(name):
    """Equal scores are a mistake to every loss of a margin; the class's own score goes up."""
    single = jax.grad(summed(name, jnp.array([0, 1])))(jnp.zeros(2))
    assert single[1] <= -1.0
    assert single[0] >= 1.0
    table = jax.grad(summed(name, jnp.array([0, 2])))(jnp.zeros((2, K)))
    expected = single[0] * np.array([[-1, 0.5, 0.5], [0.5, 0.5, -1]])
    np.testing.assert_allclose(table, expected)


def test_a_score_that_is_no_number_is_no_loss_of_zero():
    for name in [*BY_MARGIN, "epsilon_insensitive", "squared_epsilon_insensitive"]:
        assert np.isnan(LOSSES[name].function(jnp.array([jnp.nan]), jnp.ones(1)))


def test_modified_huber_is_lowest_at_twice_the_probability_less_one(x64):
    z = jnp.linspace(-2, 2, 4_001)
    ones, zeros = (modified_huber(z, jnp.full(z.shape, y)) for y in (1, 0))
    for p in (0.05, 0.5, 0.8):
        best = z[jnp.argmin(p * ones + (1 - p) * zeros)]
        np.testing.assert_allclose(best, 2 * p - 1, atol=1e-9)


@pytest.mark.parametrize("name", BY_MARGIN)
@pytest.mark.parametrize("share", [(0.4, 0.35, 0.25), (0.5, 0.3, 0.2)])
def test_no_class_above_a_half_leaves_equal_scores_the_best(name, share, rng):
    """Why columns of scores give no probabilities: all of these shares have the same best scores."""
    scores = jnp.asarray(np.concatenate([np.zeros((1, 3)), rng.normal(0, 1, (200, 3))]))
    function = LOSSES[name].function
    expected = sum(s * function(scores, jnp.full(201, k)) for k, s in enumerate(share))
    assert float(jnp.min(expected)) >= float(expected[0]) - 1e-6


@by_class
def test_class_indices_may_be_a_column_or_floats_and_equal_one_hot_rows(name):
    predictions, indices = example(name, np.float32)
    plain = LOSSES[name].function(predictions, indices)
    rows = jax.nn.one_hot(indices, K)
    for targets in (rows, indices[:, None], indices.astype(jnp.float32)):
        values = LOSSES[name].function(predictions, targets)
        np.testing.assert_allclose(values, plain, rtol=1e-6, atol=1e-7)


def test_soft_rows_weigh_the_classes(x64):
    logits, _ = example("softmax_cross_entropy")
    rows = jax.nn.softmax(logits[::-1])
    picked = [softmax_cross_entropy(logits, jnp.full(N, k)) for k in range(K)]
    expected = jnp.sum(rows * jnp.stack(picked, axis=1), axis=1)
    np.testing.assert_allclose(softmax_cross_entropy(logits, rows), expected, rtol=1e-13)


def test_cross_entropy_of_the_softmax_is_softmax_cross_entropy(x64):
    logits, indices = example("softmax_cross_entropy")
    for targets in (indices, jax.nn.softmax(logits[::-1])):
        np.testing.assert_allclose(
            cross_entropy(jax.nn.softmax(logits), targets),
            softmax_cross_entropy(logits, targets),
            rtol=1e-13,
        )


def test_binary_cross_entropy_is_the_softmax_of_two_classes_one_at_zero(x64):
    z, y = example("binary_cross_entropy")
    logits = jnp.stack([jnp.zeros(N), z], axis=1)
    np.testing.assert_allclose(
        binary_cross_entropy(z, y), softmax_cross_entropy(logits, y), rtol=1e-13
    )


def test_a_sure_and_right_answer_keeps_the_digits_of_its_small_loss():
    z = jnp.array([10.0, 30.0, 80.0])
    expected = np.log1p(np.exp(-np.asarray(z, np.float64)))
    np.testing.assert_allclose(binary_cross_entropy(z, jnp.ones(3)), expected, rtol=1e-6)
    np.testing.assert_allclose(binary_cross_entropy(-z, jnp.zeros(3)), expected, rtol=1e-6)


def test_the_curvature_at_a_logit_of_zero_is_a_quarter():
    second = jax.grad(jax.grad(lambda z: binary_cross_entropy(z[None], jnp.ones(1))[0]))
    np.testing.assert_allclose(second(0.0), 0.25)


def test_the_clip_keeps_the_logarithm_away_from_zero():
    sure = jnp.array([[1.0, 0.0]])
    np.testing.assert_allclose(cross_entropy(sure, jnp.array([1])), -math.log(1e-7), rtol=1e-6)
    np.testing.assert_allclose(cross_entropy(sure, jnp.array([1]), clip=0.01), -math.log(0.01))
    np.testing.assert_allclose(cross_entropy(sure, jnp.array([0])), 0.0)
    assert np.all(np.isfinite(jax.grad(lambda p: cross_entropy(p, jnp.array([1]))[0])(sure)))


def test_the_best_constant_of_the_quantile_loss_is_the_quantile(rng):
    targets = jnp.asarray(rng.exponential(size=101), jnp.float32)
    guesses = jnp.sort(targets)
    total = jax.vmap(lambda z: jnp.sum(quantile(jnp.full(101, z), targets, q=0.9)))(guesses)
    assert int(jnp.argmin(total)) == 90


# By name


@every_loss
def test_a_loss_is_found_by_its_name(name):
    assert by_name(name) is LOSSES[name]


def test_a_parameter_may_follow_the_name():
    residual = jnp.array([4.0]), jnp.array([1.0])
    for name, expected in [
        ("huber:2", 4.0),
        ("quantile:0.25", 2.25),
        ("epsilon_insensitive:0.5", 2.5),
        ("epsilon_insensitive:0", 3.0),
        ("squared_epsilon_insensitive:1", 4.0),
    ]:
        loss = by_name(name)
        assert loss.name == name
        assert loss.task == "regression"
        np.testing.assert_allclose(loss.function(*residual), expected)
    clipped = by_name("cross_entropy:0.1").function(jnp.array([[1.0, 0.0]]), jnp.array([1]))
    np.testing.assert_allclose(clipped, -math.log(0.1), rtol=1e-6)


def test_the_same_name_is_the_same_object_and_is_traced_once():
    traced = []

    @functools.partial(jax.jit, static_argnums=0)
    def objective(function, z):
        traced.append(function)
        return jnp.sum(function(z, jnp.zeros(N)))

    for name in ["huber:3", "huber:4", "huber:3", "quantile:0.3", "huber:4", "quantile:0.3"]:
        assert by_name(name) is by_name(name)
        jax.eval_shape(functools.partial(objective, by_name(name).function), jnp.zeros(N))
    assert len(traced) == 3
    assert by_name("huber:3") is not by_name("huber:4")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("squared_eror", "squared_error"),
        ("hubert", "huber"),
        ("xyz", "choose one of"),
        ("hinge:2", "takes no parameter"),
        ("huber:wide", "must be a number"),
        ("huber:0", "above 0"),
        ("huber:nan", "above 0"),
        ("quantile:1", "between 0 and 1"),
        ("quantile:-0.5", "between 0 and 1"),
        ("quantile:nan", "between 0 and 1"),
        ("cross_entropy:2", "between 0 and 1"),
        ("perceptron:1", "takes no parameter"),
        ("epsilon_insensitive:-0.1", "at least 0"),
        ("epsilon_insensitive:inf", "finite"),
        ("squared_epsilon_insensitive:nan", "at least 0"),
    ],
)
def test_a_wrong_name_or_parameter_is_answered_with_a_sentence(name, words):
    with pytest.raises(FalllineError) as caught:
        by_name(name)
    assert words in str(caught.value)
    assert str(caught.value)[-1] in ".?"


# Properties

numbers = arrays(np.float64, N, elements=st.floats(-50, 50))
tables = arrays(np.float64, (N, K), elements=st.floats(-50, 50))
few = settings(max_examples=25)


@pytest.mark.parametrize("name", [n for n in LOSSES if n not in CAN_BE_NEGATIVE])
@few
@given(data=st.data())
def test_a_loss_is_never_negative(name, data):
    _, targets = example(name)
    outputs = data.draw(tables if name in BY_CLASS else numbers)
    if name in REGRESSION:
        targets = data.draw(numbers)
    with jax.enable_x64(True):
        if name in ON_PROBABILITIES:
            outputs = jax.nn.softmax(outputs)
        values = LOSSES[name].function(jnp.asarray(outputs), targets)
    # log_cosh subtracts log 2 and may end one rounding below 0.
    assert np.all(np.asarray(values) >= -1e-13)


@pytest.mark.parametrize("name", [n for n in REGRESSION if LOSSES[n].scale_free])
@few
@given(point=numbers)
def test_no_residual_no_loss_and_the_sign_of_a_shift_of_both_does_not_matter(name, point):
    with jax.enable_x64(True):
        function = LOSSES[name].function
        z = jnp.asarray(point)
        np.testing.assert_allclose(function(z, z), 0.0, atol=1e-13)
        np.testing.assert_allclose(function(z + 3.0, z), function(3.0 + 0 * z, 0 * z), atol=1e-9)


@pytest.mark.parametrize("name", REGRESSION)
@few
@given(a=numbers, b=numbers, share=st.floats(0, 1))
def test_a_regression_loss_is_convex_in_the_prediction(name, a, b, share):
    _, targets = example(name)
    with jax.enable_x64(True):
        function = LOSSES[name].function
        between = function(jnp.asarray(share * a + (1 - share) * b), targets)
        chord = share * function(jnp.asarray(a), targets)
        chord += (1 - share) * function(jnp.asarray(b), targets)
    assert np.all(np.asarray(between) <= np.asarray(chord) * (1 + 1e-9) + 1e-9)


@few
@given(logits=tables, shift=st.floats(-1e3, 1e3))
def test_a_shift_of_all_the_logits_changes_nothing(logits, shift):
    targets = jnp.array([0, 1, 2, 2, 1, 0])
    with jax.enable_x64(True):
        np.testing.assert_allclose(
            softmax_cross_entropy(jnp.asarray(logits + shift), targets),
            softmax_cross_entropy(jnp.asarray(logits), targets),
            atol=1e-10,
        )


@few
@given(logits=tables)
def test_the_softmax_gradient_is_probabilities_minus_targets(logits):
    targets = jnp.array([0, 1, 2, 2, 1, 0])
    with jax.enable_x64(True):
        gradient = jax.grad(summed("softmax_cross_entropy", targets))(jnp.asarray(logits))
        expected = jax.nn.softmax(jnp.asarray(logits)) - jax.nn.one_hot(targets, K)
        np.testing.assert_allclose(gradient, expected, atol=1e-12)


@few
@given(z=numbers, y=arrays(np.float64, N, elements=st.floats(0, 1)))
def test_swapping_the_two_classes_flips_the_logit(z, y):
    with jax.enable_x64(True):
        np.testing.assert_allclose(
            binary_cross_entropy(jnp.asarray(z), jnp.asarray(y)),
            binary_cross_entropy(jnp.asarray(-z), jnp.asarray(1 - y)),
            rtol=1e-12,
            atol=1e-14,
        )
