from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallline.descent import settings
from fallline.descent.settings import apply, groups, labelled, names_of, values
from fallline.errors import FalllineError
from fallline.optimizers import (
    EMA,
    OPTIMIZERS,
    SGD,
    Adam,
    ClipByGlobalNorm,
    Momentum,
    RMSprop,
    from_optax,
)
from fallline.schedules import CosineDecay, ExponentialDecay, Piecewise, WarmUp

# --- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (0.1, (0.1,)),
        (1, (1.0,)),
        ([0.1, 0.2, 0.1], (0.1, 0.2)),
        ((1, 2.5), (1.0, 2.5)),
        (range(1, 3), (1.0, 2.0)),
        (np.array([0.5, 0.25]), (0.5, 0.25)),
        ((v / 4 for v in (1, 2)), (0.25, 0.5)),
        ("0.01, 0.1", (0.01, 0.1)),
        ("3", (3.0,)),
        ("0.001:10:5", (0.001, 0.01, 0.1, 1.0, 10.0)),
    ],
)
def test_values_are_one_number_some_or_a_range_in_words(written, meant):
    assert values("learning_rate", written) == meant


@given(
    low=st.floats(1e-8, 1e3),
    factor=st.floats(1.5, 1e6),
    count=st.integers(min_value=2, max_value=60),
)
def test_a_range_is_even_in_the_logarithm_and_ends_where_it_says(low, factor, count):
    found = np.array(values("l2", f"{low!r}:{low * factor!r}:{count}"))
    assert len(found) == count
    np.testing.assert_allclose(found[[0, -1]], [low, low * factor], rtol=1e-9)
    steps = np.diff(np.log(found))
    np.testing.assert_allclose(steps, np.log(factor) / (count - 1), rtol=1e-6)


@pytest.mark.parametrize("nothing", [[], "", ",", np.zeros(0), "1e-4:1:0"])
def test_a_sweep_of_no_values_is_refused(nothing):
    with pytest.raises(FalllineError, match="at least one value of momentum"):
        values("momentum", nothing)


@pytest.mark.parametrize(
    "words",
    [
        *("1:1e-4:5", "a:b:c", "1e-4:1", "1e-4:1:2.5", "0:1:5", "-1:1:5", "1:1:5", "1:2:1"),
        *("1:inf:3", "nan:1:3", "1:2:3:4", "0.1;0.2", "abc", "1:2:1000000000"),
    ],
)
def test_a_range_that_is_none_is_refused_with_its_forms(words):
    with pytest.raises(FalllineError, match=rf"low:high:count.*it was given '{words}'\.$"):
        values("learning_rate", words)


@pytest.mark.parametrize(
    ("given_", "named"),
    [
        ([0.1, float("nan")], "nan"),
        (float("inf"), "inf"),
        ("0.1,nan", "nan"),
        (["0.1"], "'0.1'"),
        (True, "True"),
        ([None], "None"),
        ([CosineDecay(0.1, 10)], r"CosineDecay\("),
    ],
)
def test_a_value_that_is_no_finite_number_is_named(given_, named):
    with pytest.raises(
        FalllineError, match=f"values of beta1 must be finite numbers; one is {named}"
    ):
        values("beta1", given_)


# --- optimizers ----------------------------------------------------------------------------------


def test_optimizers_by_name_instance_and_mapping():
    assert labelled(None) == {"adam": Adam()}
    assert labelled("SGD, momentum") == {"sgd": SGD(), "momentum": Momentum()}
    assert labelled(Adam(0.5)) == {"adam": Adam(0.5)}
    assert labelled(["sgd", Adam(0.5)]) == {"sgd": SGD(), "adam": Adam(0.5)}
    both = {"slow": SGD(0.1), "fast": "sgd"}
    assert labelled(both) == {"slow": SGD(0.1), "fast": SGD()}


@pytest.mark.parametrize(
    ("given_", "sentence"),
    [
        ([], "at least one optimizer"),
        ("", "at least one optimizer"),
        ({}, "at least one optimizer"),
        ("sgd,adm", "no optimizer called 'adm': did you mean 'adam'?"),
        ([SGD(0.1), SGD(0.2)], "Two optimizers of the sweep are called 'sgd'; give a mapping"),
        ([5], "must be of fallline.optimizers, or their names; one is 5"),
        (5, "must be of fallline.optimizers, or their names; one is 5"),
    ],
)
def test_optimizers_that_are_none_are_refused(given_, sentence):
    with pytest.raises(FalllineError) as caught:
        labelled(given_)
    assert sentence in str(caught.value)


# --- settings ------------------------------------------------------------------------------------


def test_every_combination_and_only_what_an_optimizer_has():
    made = groups(
        labelled("sgd,momentum"), {"learning_rate": (0.1, 0.2), "momentum": (0.5, 0.9)}, 1
    )
    assert [group.label for group in made] == ["sgd", "momentum"]
    assert made[0].settings == [{"learning_rate": 0.1}, {"learning_rate": 0.2}]
    assert made[1].settings == [
        {"learning_rate": a, "momentum": b} for a in (0.1, 0.2) for b in (0.5, 0.9)
    ]
    assert made[1].optimizers[2] == Momentum(0.2, 0.5)
    assert made[1].stacked().momentum.tolist() == [0.5, 0.9, 0.5, 0.9]


def test_without_values_there_is_one_setting():
    (made,) = groups({"mine": Adam(0.3)}, {}, 1)
    assert made.settings == [{}]
    assert made.optimizers == [Adam(0.3)]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_number_of_every_optimizer_can_be_varied(name):
    optimizer = OPTIMIZERS[name]()
    assert "learning_rate" in names_of(optimizer)
    for field in names_of(optimizer):
        changed = apply(optimizer, {field: 0.125})
        assert getattr(changed, field) == 0.125
        assert jax.tree.structure(changed) == jax.tree.structure(optimizer)


def test_numbers_of_schedules_and_of_wrapped_optimizers_can_be_varied():
    inner = WarmUp(CosineDecay(0.1, 100), 5)
    optimizer = EMA(ClipByGlobalNorm(Momentum(inner), 1.0), 0.9)
    assert set(names_of(optimizer)) == {
        "learning_rate",
        "steps",
        "final",
        "momentum",
        "limit",
        "beta",
    }
    setting = {"learning_rate": 0.4, "final": 0.25, "momentum": 0.3, "limit": 7.0, "beta": 0.5}
    changed = apply(optimizer, setting)
    expected = EMA(
        ClipByGlobalNorm(Momentum(WarmUp(CosineDecay(0.4, 100, 0.25), 5), 0.3), 7.0), 0.5
    )
    assert changed == expected


def test_of_two_with_one_name_the_outer_is_meant():
    changed = apply(EMA(RMSprop(0.1, beta=0.9), 0.99), {"beta": 0.5})
    assert changed == EMA(RMSprop(0.1, beta=0.9), 0.5)


def test_lists_of_a_schedule_are_not_numbers_to_vary():
    names = names_of(SGD(Piecewise(0.1, (5.0, 10.0), (0.5, 0.1))))
    assert "boundaries" not in names
    assert "learning_rate" in names


def test_decay_is_a_factor_an_epoch():
    changed = apply(SGD(0.1), {"learning_rate": 0.4, "decay": 0.5}, 10)
    assert isinstance(changed.learning_rate, ExponentialDecay)
    assert changed.learning_rate(10) == pytest.approx(0.2)
    assert changed.learning_rate(20) == pytest.approx(0.1)


def test_decay_of_a_schedule_is_refused():
    with pytest.raises(FalllineError, match="SGD has a schedule already; sweep its own numbers"):
        apply(SGD(CosineDecay(0.1, 10)), {"decay": 0.5})


def test_the_rate_of_a_transformation_of_optax_cannot_be_varied():
    optax = pytest.importorskip("optax")
    mine = {"mine": from_optax(optax.sgd(0.1))}
    with pytest.raises(FalllineError, match="None of these optimizers has .* 'learning_rate'"):
        groups(mine, {"learning_rate": (0.1, 0.2)}, 1)
    (made,) = groups(mine, {}, 1)
    assert made.settings == [{}]


@pytest.mark.parametrize(
    ("varied", "sentence"),
    [
        (
            {"momentun": (0.9,)},
            "None of these optimizers has a hyper-parameter 'momentun': did you mean",
        ),
        ({"learning_rate": (-1.0,)}, "learning_rate at least 0; it was given -1"),
        ({"momentum": (1.5,)}, "momentum between 0 and 1; it was given 1.5"),
        ({"average": (1.0,)}, "None of these optimizers has a hyper-parameter 'average'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(varied, sentence):
    with pytest.raises(FalllineError) as caught:
        groups(labelled("momentum,sgd"), varied, 1)
    assert sentence in str(caught.value)


def test_too_many_settings_are_refused(monkeypatch):
    monkeypatch.setattr(settings, "MOST", 5)
    with pytest.raises(FalllineError, match="6 settings of 'sgd'; 5 are the most"):
        groups(labelled("sgd"), {"learning_rate": (0.1, 0.2), "l2": (0.0, 1.0, 2.0)}, 1)
