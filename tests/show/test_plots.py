"""Every figure draws what its numbers say, in both themes, and leaves matplotlib as it was."""

import dataclasses
import itertools
import shutil
import stat
import warnings

import jax.numpy as jnp
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import pytest
from matplotlib.collections import CircleCollection, PathCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Line3DCollection, Poly3DCollection
from PIL import Image

import fallline
from fallline import FalllineError, optimizers, schedules, terrains
from fallline.descent.history import History
from fallline.gradients import error_against_h
from fallline.models import Linear
from fallline.show import marks, oklab, plots, relief, solid, style

THEMES = ("light", "dark")
MAIN = ("sgd", "momentum", "rmsprop", "adam")


@pytest.fixture(autouse=True)
def as_it_was():
    """No figure is left open, and no setting of matplotlib is changed."""
    before = dict(mpl.rcParams)
    yield
    plt.close("all")
    assert dict(mpl.rcParams) == before


@pytest.fixture(scope="module")
def run():
    random = np.random.default_rng(0)
    X = random.normal(size=(200, 3)).astype(np.float32)
    y = X @ np.array([1, -2, 0.5], np.float32) + random.normal(0, 0.5, 200).astype(np.float32)
    return fallline.train(
        Linear(3),
        "squared_error",
        (X, y),
        optimizer="sgd",
        learning_rate="auto",
        validation=0.2,
        batch_size=32,
        epochs=6,
        record="layers",
    )


@pytest.fixture(scope="module")
def bowl():
    return terrains.by_name("sphere")


@pytest.fixture(scope="module")
def himmelblau():
    return terrains.by_name("himmelblau")


@pytest.fixture
def ways(himmelblau):
    """Two optimizers' balls on their way from their starts to the four minima."""
    starts = himmelblau.scatter(30).astype(float)
    valleys = np.array([p[:2] for p in himmelblau.minima])
    nearest = valleys[np.linalg.norm(starts[:, None] - valleys, axis=2).argmin(axis=1)]
    share = np.linspace(0, 1, 11)[:, None, None]
    straight = (1 - share) * starts + share * nearest
    return {"SGD": straight[:9], "Adam": straight}


def history_of(losses, validation=(), layers=None):
    losses = np.asarray(losses, float)
    other = ("learning_rate", "gradient_norm", "update_norm", "parameter_norm", "gradient_cosine")
    epochs = np.full(len(validation), np.nan)
    return History(
        {"loss": losses, **{name: np.ones(len(losses)) for name in other}},
        {
            "training_loss": epochs,
            "validation_loss": np.asarray(validation, float),
            "validation_score": epochs,
        },
        {} if layers is None else {"layer_gradient_norm": np.asarray(layers, float)},
        [] if layers is None else [f"leaf{i}" for i in range(np.shape(layers)[1])],
    )


def lines(ax, name):
    return [line for line in ax.lines if str(line.get_label()).startswith(name)]


def everything(run, terrain, ways):
    """Every figure with an example of what it draws."""
    grid = np.outer([1, 10, np.nan], [3, 2, 1, 5.0])
    starts = np.array(ways["Adam"][0])
    return {
        "loss_curve": (plots.loss_curve, (run,)),
        "schedule": (plots.schedule, ({"a": 0.1, "b": schedules.CosineDecay(0.1, 50)}, 50)),
        "contours": (plots.contours, (terrain,)),
        "path": (plots.path, (ways["SGD"],)),
        "paths_on_contours": (plots.paths_on_contours, (terrain, ways)),
        "surface": (plots.surface, (terrain,)),
        "tangent_line": (plots.tangent_line, (lambda t: t**2, 1.0)),
        "error_against_h": (plots.error_against_h, (error_against_h(jnp.sin, 1.0),)),
        "range_test": (plots.range_test, (run,)),
        "heat_map": (plots.heat_map, (grid,)),
        "spread": (plots.spread, ({"SGD": np.ones((6, 9)), "Adam": np.ones((2, 9))},)),
        "gradient_norms": (plots.gradient_norms, (run,)),
        "race": (plots.race, (terrain, ways)),
        "basins": (plots.basins, (terrain, starts, np.arange(30) % 4)),
    }


def test_every_figure_in_every_theme(run, himmelblau, ways):
    """On new axes, or on those it is given; complete within the figure; named alike everywhere."""
    every = everything(run, himmelblau, ways)
    public = {
        name
        for name, value in vars(plots).items()
        if callable(value) and getattr(value, "__module__", "").startswith("fallline.show")
    }
    assert public - set(every) <= {
        "animate",
        "history_of",
        "_validation",
        "_seeds",
        "_fit",
        "_beside",
    }
    for (name, (draw, given)), theme in itertools.product(every.items(), THEMES):
        if theme == "light":
            # Whose axes they are is no matter of the theme.
            kind = "3d" if name == "surface" else None
            ax = plt.figure().add_subplot(projection=kind)
            assert draw(*given, ax=ax, theme=theme) is ax, name
            plt.close("all")
        new = draw(*given, theme=theme)
        assert plt.fignum_exists(new.figure.number)
        assert to_rgb(new.figure.get_facecolor()) == to_rgb(style.THEMES[theme].background), name
        new.figure.canvas.draw()
        inside = new.get_tightbbox(new.figure.canvas.get_renderer())
        whole = new.figure.bbox
        assert inside.x0 >= -2, name
        assert inside.x1 <= whole.x1 + 2, name
        if name not in ("surface",):
            assert inside.y0 >= -2, name
            assert inside.y1 <= whole.y1 + 2, name
        plt.close("all")


def test_the_theme_in_use():
    assert style.theme_of(None).name == "light"
    with style.use("dark") as theme:
        assert theme is style.THEMES["dark"]
        ax = plots.schedule(0.1, 5)
        with style.use("light"):
            assert style.theme_of(None).name == "light"
        assert style.theme_of(None).name == "dark"
    assert to_rgb(ax.figure.get_facecolor()) == to_rgb("#0b0e14")
    style.use("dark")
    assert style.theme_of(None).name == "dark"
    style.use("light")
    with pytest.raises(FalllineError, match="There is no theme called 'drak': did you mean 'dark'"):
        style.use("drak")
    assert style.theme_of(None).name == "light"


def luminance(colour):
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(a, b):
    """WCAG 2.2's ratio."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


# Machado, Oliveira & Fernandes (2009), severity 1, for linear light.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def seen(colour, blindness):
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(BLINDNESS[blindness]) @ linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("theme", THEMES)
def test_colours_can_be_told_apart(theme):
    theme = style.THEMES[theme]
    assert (
        set(theme.optimizers)
        == set(optimizers.OPTIMIZERS)
        == set(style.LINES)
        == set(style.MARKERS)
    )
    assert len(set(theme.optimizers.values())) == len(theme.optimizers)
    assert len(set(map(str, style.LINES.values()))) == len(set(style.MARKERS.values())) == 11
    for blindness in BLINDNESS:
        lab = oklab.to_oklab([seen(theme.optimizers[name], blindness) for name in MAIN])
        for a, b in itertools.combinations(lab, 2):
            # A difference of 0.02 is just noticeable.
            assert np.linalg.norm(a - b) > 0.04, blindness
    lab = oklab.to_oklab(theme.optimizers.values())
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(lab, 2)) > 0.05
    for colour in (*theme.optimizers.values(), *theme.series, *theme.depth, theme.accent):
        assert contrast(colour, theme.panel) >= 3, colour
    for text in (theme.text, theme.muted):
        for behind in (theme.background, theme.panel):
            assert contrast(text, behind) >= 4.5


def test_colours_by_name():
    dark = style.THEMES["dark"].optimizers
    assert (dark["sgd"], dark["momentum"]) == ("#ff5d5d", "#ffc53d")
    assert (dark["rmsprop"], dark["adam"]) == ("#43c7ff", "#c78bff")
    assert style.colour_of("Adam, rate 0.01", theme="dark") == dark["adam"]
    assert style.colour_of("adamw", theme="dark") == dark["adamw"]
    assert style.colour_of("mine", 1, "dark") == style.THEMES["dark"].series[1]
    many = style.colours_of(["Adam", "adam 2", *map(str, range(9))], "light")
    assert len(set(many)) == 11


def test_the_ramp_is_even_and_passes_through_its_colours():
    shades = oklab.terrain_map()(np.arange(256))[:, :3]
    np.testing.assert_allclose(shades[0], to_rgb(oklab.RAMP[0]), atol=1e-6)
    np.testing.assert_allclose(shades[-1], to_rgb(oklab.RAMP[-1]), atol=1e-6)
    lightness = oklab.to_oklab(shades)[:, 0]
    assert (np.diff(lightness) > 0).all()
    # OKLab of the sRGB primary red, from Ottosson's page.
    np.testing.assert_allclose(oklab.to_oklab(["#ff0000"])[0], [0.628, 0.2249, 0.1258], atol=2e-4)
    np.testing.assert_allclose(oklab.from_oklab(oklab.to_oklab(shades)), shades, atol=1e-6)


def test_numbers_in_words():
    assert [marks.number(v) for v in (0, 1500, 0.05, -3, 123456, 1e-4, -2.5e-9)] == [
        "0",
        "1500",
        "0.05",
        "−3",
        "1.23×10⁵",
        "10⁻⁴",
        "−2.5×10⁻⁹",
    ]
    assert [marks.number(v) for v in (np.inf, -np.inf, np.nan)] == ["∞", "−∞", "–"]


def test_labels_at_line_ends_do_not_overlap():
    places = marks._apart([0.0, 0.01, 0.5, 0.99, 1.0, 1.0], 0.1)
    ordered = np.sort(places)
    assert (np.diff(ordered) >= 0.1 - 1e-9).all()
    assert ordered[0] >= 0
    assert ordered[-1] <= 1 + 1e-9
    assert places[2] == pytest.approx(0.5)
    assert places[0] < places[1]
    assert marks._apart([0.2, 0.9], 0.1) == [0.2, 0.9]
    assert marks._apart([], 0.1) == []


# Curves over steps


@pytest.mark.parametrize("theme", THEMES)
def test_loss_curve(run, theme):
    ax = plots.loss_curve(run, smoothing=0.9, theme=theme)
    losses = run.history.loss.astype(float)
    weights = 0.9 ** np.arange(len(losses))[::-1]
    average = [
        losses[: t + 1] @ weights[-t - 1 :] / weights[-t - 1 :].sum() for t in range(len(losses))
    ]
    (line,) = lines(ax, "training, average of 10 steps")
    np.testing.assert_allclose(line.get_ydata(), average, rtol=1e-6)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), losses)
    (validation,) = lines(ax, "validation")
    # 160 training rows in batches of 32 make 5 steps an epoch.
    np.testing.assert_array_equal(validation.get_xdata(), 5 * np.arange(1, 7))
    np.testing.assert_allclose(validation.get_ydata(), run.history.validation_loss)
    (best,) = lines(ax, "best epoch")
    assert best.get_xdata() == [5 * run.best_epoch]
    assert best.get_label() == f"best epoch: {run.best_epoch}"
    assert not lines(plots.loss_curve(run, validation=False), "validation")


def test_loss_curve_of_a_history_and_of_numbers():
    ax = plots.loss_curve(history_of(np.linspace(2, 1, 12), [1.5, 1.1, 1.3]), smoothing=0)
    (validation,) = lines(ax, "validation")
    np.testing.assert_array_equal(validation.get_xdata(), [4, 8, 12])
    assert lines(ax, "best epoch")[0].get_label() == "best epoch: 2"
    assert ax.get_yscale() == "linear"
    ax = plots.loss_curve(history_of(np.ones(10), [1.0, 2.0]), steps_per_epoch=4)
    np.testing.assert_array_equal(lines(ax, "validation")[0].get_xdata(), [4, 8])
    ax = plots.loss_curve(np.geomspace(1, 1e-4, 50), smoothing=0)
    assert ax.get_yscale() == "log"
    np.testing.assert_allclose(ax.lines[0].get_ydata(), np.geomspace(1, 1e-4, 50))
    assert plots.loss_curve(np.geomspace(1, 1e-4, 50) - 0.5).get_yscale() == "linear"


@pytest.mark.parametrize(
    "losses",
    [
        [1.0],
        [0.0, 0.0],
        [np.nan],
        [np.nan, 2.0, np.nan],
        [1, np.inf],
        [-np.inf, 1, 2],
        [1e38, 1e-38],
    ],
)
def test_loss_curves_of_odd_numbers(losses):
    ax = plots.loss_curve(losses)
    ax.figure.canvas.draw()
    notes = [t.get_text() for t in ax.texts]
    broken = np.flatnonzero(~np.isfinite(losses))
    assert notes == ([f"diverged at step {broken[0] + 1}"] if len(broken) else [])


def test_a_spike_does_not_flatten_the_rest():
    losses = np.r_[-1.0, np.ones(999), 1000.0]
    assert plots.loss_curve(losses).get_ylim()[1] < 10


def test_schedule():
    named = {
        "cosine": schedules.CosineDecay(0.1, 100),
        "constant": 0.05,
        "Adam": optimizers.Adam(learning_rate=schedules.StepDecay(0.08, 0.5, 30)),
    }
    ax = plots.schedule(named, 100)
    at = np.arange(100)
    wanted = [0.05 * (1 + np.cos(np.pi * at / 100)), 0.05 + 0 * at, 0.08 * 0.5 ** (at // 30)]
    for line, rates in zip(ax.lines, wanted, strict=True):
        np.testing.assert_allclose(line.get_ydata(), rates, rtol=1e-5, atol=1e-8)
    assert {t.get_text() for t in ax.texts} == set(named)
    assert not plots.schedule(0.1, 1).texts
    for bad, match in ((({}, 3), "no schedules"), ((0.1, 0), "at least 1 step")):
        with pytest.raises(FalllineError, match=match):
            plots.schedule(*bad)


def test_range_test(run):
    test = run.range_test
    ax = plots.range_test(run)
    np.testing.assert_allclose(lines(ax, "rising")[0].get_xdata(), test.rates)
    np.testing.assert_allclose(lines(ax, "rising")[0].get_ydata(), test.losses)
    assert ax.get_xscale() == "log"
    assert f"taken: {marks.number(run.learning_rate)}" in [t.get_text() for t in ax.texts]
    tried = np.array(sorted(test.trials))
    good = np.isfinite([test.trials[r] for r in tried])
    np.testing.assert_allclose(lines(ax, "a run of its own")[0].get_xdata(), tried[good])
    broken = dataclasses.replace(test, trials={0.1: 1.0, 1.0: np.inf})
    ax = plots.range_test(broken)
    np.testing.assert_array_equal(lines(ax, "blew up")[0].get_xdata(), [1.0])
    hopeless = dataclasses.replace(test, trials={0.1: np.inf})
    plots.range_test(hopeless).figure.canvas.draw()
    for none in (dataclasses.replace(run, range_test=None), [1, 2]):
        with pytest.raises(FalllineError, match='learning_rate="auto"'):
            plots.range_test(none)


def test_spread(rng):
    seeds = rng.normal(size=(40, 7)) ** 2 + 1
    ax = plots.spread({"many": seeds, "few": seeds[:3]})
    np.testing.assert_allclose(lines(ax, "many")[0].get_ydata(), np.median(seeds, axis=0))
    bands = [c for c in ax.collections if isinstance(c, PolyCollection)]
    corners = bands[0].get_paths()[0].vertices
    for step in range(7):
        here = corners[corners[:, 0] == step, 1]
        np.testing.assert_allclose(
            [here.min(), here.max()], np.quantile(seeds[:, step], [0.25, 0.75])
        )
    # Two medians, and the three single seeds of the one that has few.
    assert len(ax.lines) == 5
    assert [t.get_text() for t in ax.texts] == ["many", "few"]


def test_spread_of_seeds_that_stop_and_blow_up():
    ax = plots.spread({"a": [[1, 1, 1, 1], [2, 2], [9, np.nan]], "b": history_of([3, 2, 1, 1])})
    a = lines(ax, "a")[0].get_ydata()
    # At step 2 one seed is left beside the one that blew up, which counts as worse.
    np.testing.assert_array_equal(a[:2], [2, 2])
    assert np.isnan(a[2])
    np.testing.assert_array_equal(lines(ax, "b")[0].get_ydata(), [3, 2, 1, 1])
    ax.figure.canvas.draw()
    for bad, match in (
        ({}, "no curves"),
        ({"a": []}, "no seeds|is empty"),
        ({"a": [[]]}, "is empty"),
    ):
        with pytest.raises(FalllineError, match=match):
            plots.spread(bad)


def test_gradient_norms(run):
    ax = plots.gradient_norms(run, smoothing=0)
    norms = run.history.layers["layer_gradient_norm"]
    assert [line.get_label() for line in ax.lines] == run.history.leaf_names
    for line, column in zip(ax.lines, norms.T, strict=True):
        np.testing.assert_allclose(line.get_ydata(), column)
    assert ax.get_yscale() == "log"
    ax = plots.gradient_norms(np.abs(np.random.default_rng(0).normal(size=(9, 30))))
    assert len(ax.lines) == 30
    assert ax.texts[0].get_text() == "layer 1"
    assert ax.texts[-1].get_text() == "layer 30"
    plots.gradient_norms([[0.0, np.nan], [np.inf, np.nan]]).figure.canvas.draw()
    with pytest.raises(FalllineError, match='record="layers"'):
        plots.gradient_norms(history_of([1, 2]))
    with pytest.raises(FalllineError, match="2 layers, but 1 name"):
        plots.gradient_norms(np.ones((3, 2)), names=["one"])


# Slopes


def test_tangent_line():
    ax = plots.tangent_line(lambda t: t**2, 1.5, secants=(1.0, 0.5))
    (line,) = lines(ax, "tangent: slope 3")
    t = line.get_xdata()
    np.testing.assert_allclose(line.get_ydata(), 2.25 + 3 * (t - 1.5), atol=1e-6)
    np.testing.assert_allclose(lines(ax, "f")[0].get_ydata(), t**2)
    # The slope of the secant of x^2 is 2x + h.
    assert lines(ax, "secant, h = 1: slope 4")
    assert lines(ax, "secant, h = 0.5: slope 3.5")
    ax = plots.tangent_line(np.sqrt, 0.25, reach=1.0)
    ax.figure.canvas.draw()
    assert np.isnan(lines(ax, "f")[0].get_ydata()[0])
    for given, match in (({"secants": [0]}, "other than 0"), ({"reach": -1}, "above 0")):
        with pytest.raises(FalllineError, match=match):
            plots.tangent_line(np.sin, 0.0, **given)


def test_error_against_h():
    curve = error_against_h(jnp.exp, 0.5)
    ax = plots.error_against_h(curve)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    for name, errors in curve.errors.items():
        drawn = lines(ax, name)[0].get_ydata()
        known = errors > 0
        np.testing.assert_allclose(drawn[known], errors[known])
        assert np.isnan(drawn[~known]).all()
    marked = {float(line.get_xdata()[0]) for line in ax.lines if len(line.get_xdata()) == 1}
    assert marked == {*curve.rule.values(), *curve.best.values()}
    assert {"h⁻¹", "h¹", "h²"} <= {t.get_text() for t in ax.texts}
    none = dataclasses.replace(curve, errors={"forward": np.zeros(61)})
    with pytest.raises(FalllineError, match="no error above 0"):
        plots.error_against_h(none)


# Sweeps


def frame(values, rates=(0.01, 0.1, 1.0), momenta=(0.0, 0.9)):
    pairs = [(r, m) for m in momenta for r in rates]
    return pl.DataFrame(
        {
            "learning_rate": [r for r, _ in pairs],
            "momentum": [m for _, m in pairs],
            "loss": np.ravel(values).astype(float),
        }
    )


def rectangles(ax, label):
    return [p for p in ax.patches if str(p.get_label()).startswith(label)]


def test_heat_map():
    values = np.array([[3.0, 0.2, np.inf], [1.0, np.nan, 40.0]])
    ax = plots.heat_map(frame(values).sample(fraction=1.0, shuffle=True, seed=1))
    (best,) = rectangles(ax, "best: 0.2 at learning_rate 0.1, momentum 0")
    assert best.get_xy() == (0.5, -0.5)
    hatched = {p.get_xy() for p in ax.patches if p.get_hatch()}
    assert hatched == {(1.5, -0.5), (0.5, 0.5)}
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0.01", "0.1", "1"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("learning_rate", "momentum")
    drawn = ax.collections[0].get_array()
    known = np.isfinite(values)
    np.testing.assert_allclose(drawn[known], np.log10(values[known]))
    assert drawn.mask[~known].all()
    swapped = plots.heat_map(frame(values), "momentum", "learning_rate", value="loss")
    assert rectangles(swapped, "best")[0].get_xy() == (-0.5, 0.5)


def test_heat_map_of_arrays_and_of_a_sweep():
    ax = plots.heat_map([[1.0, 2.0], [3.0, 1.5]], x=[1e-4, 1e-3], y=["a", "b"], value="error")
    np.testing.assert_array_equal(ax.collections[0].get_array(), [[1, 2], [3, 1.5]])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]
    result = fallline.sweep(
        terrains.by_name("sphere"),
        optimizers="momentum",
        starts=4,
        steps=20,
        learning_rate=[0.01, 0.1, 3.0],
        momentum=[0.0, 0.5],
        seeds=1,
    )
    table = result.heat_map("learning_rate", "momentum")
    ax = plots.heat_map(table)
    i, j = np.unravel_index(np.nanargmin(table.values), table.values.shape)
    assert rectangles(ax, "best")[0].get_xy() == (j - 0.5, i - 0.5)
    assert sum(bool(p.get_hatch()) for p in ax.patches) == table.diverged.sum() > 0


def test_heat_map_of_nothing_but_divergence():
    ax = plots.heat_map(np.full((2, 2), np.nan))
    ax.figure.canvas.draw()
    assert len([p for p in ax.patches if p.get_hatch()]) == 4
    assert not rectangles(ax, "best")
    blank = plots.heat_map(frame(np.ones(6))[:5])
    assert blank.collections[0].get_array().mask.sum() == 1
    assert not [p for p in blank.patches if p.get_hatch()]


@pytest.mark.parametrize(
    ("given", "options", "match"),
    [
        (np.ones(3), {}, "must have 2 dimensions"),
        (np.ones((0, 3)), {}, "is empty"),
        (
            np.ones((2, 3)),
            {"x": [1, 2]},
            r"needs values of shape \(len\(y\), len\(x\)\) = \(2, 2\)",
        ),
        (frame(np.ones(6)), {"x": "rate"}, "no column called 'rate'"),
        (frame(np.ones(6))[:0], {}, "a row or more"),
        (pl.concat([frame(np.ones(6))] * 2), {}, "several rows of one learning_rate and momentum"),
        (np.array([[1.0, -1.0]]), {"log": True}, "log=False"),
    ],
)
def test_bad_heat_maps(given, options, match):
    with pytest.raises(FalllineError, match=match):
        plots.heat_map(given, **options)


# Terrains


@pytest.mark.parametrize("name", terrains.TERRAINS)
def test_contours_of_every_terrain(name):
    terrain = terrains.by_name(name)
    ax = plots.contours(terrain)
    (drawn,) = [c for c in ax.get_children() if isinstance(c, ContourSet)]
    land = relief.land_of(terrain)
    assert len(drawn.levels) == 20
    assert drawn.levels.min() > land.heights.min()
    assert drawn.levels.max() < land.heights.max()
    strong = drawn.get_linewidths() == max(drawn.get_linewidths())
    assert list(np.flatnonzero(strong)) == [4, 9, 14, 19]
    for kind, label in (("minima", "minim"), ("saddles", "saddle"), ("maxima", "maxim")):
        known = getattr(terrain, kind)
        found = [line for line in ax.lines if str(line.get_label()).startswith(label)]
        if known:
            np.testing.assert_allclose(np.array(found[0].get_xydata()), [p[:2] for p in known])
        else:
            assert not found
    assert ax.axis() == pytest.approx([*terrain.bounds[0], *terrain.bounds[1]], rel=1e-6)


def test_the_scale_opens_up_the_valleys(rng):
    flat = relief.lift_of(rng.uniform(0, 1, (40, 40)) ** 0.5)
    assert np.isinf(flat.scale)
    assert flat(flat.low + 0.25 * (flat.high - flat.low)) == pytest.approx(0.25)
    z = np.exp(rng.uniform(0, 6, (60, 60)))
    lift = relief.lift_of(z)
    assert lift(np.quantile(z, 0.05)) == pytest.approx(0.1, abs=1e-6)
    assert (lift(z.min()), lift(z.max())) == (0, 1)
    assert (np.diff(lift(np.sort(z.ravel()))) >= 0).all()
    np.testing.assert_allclose(lift.value(lift(z)), z, rtol=1e-6)
    for one in (flat, lift):
        ticks = one.ticks()
        assert 3 <= len(ticks) <= 8
        assert (np.diff(one(ticks)) > 0.1).all()


def test_heights_between_the_grid(bowl):
    land = relief.land_of(
        (np.linspace(0, 1, 3), np.linspace(0, 2, 5), np.arange(15.0).reshape(5, 3))
    )
    # Linear in x and y, so that the straight lines between are exact: z = 2x + 6y.
    points = np.array([[0.3, 0.7], [1.0, 2.0], [0.0, 0.0]])
    np.testing.assert_allclose(land.at(points, land.z), 2 * points[:, 0] + 6 * points[:, 1])
    assert np.isnan(land.at([[1.1, 0], [np.nan, 0], [0, -np.inf]])).all()


def test_light_falls_where_it_should():
    x = np.linspace(-1, 1, 129)
    X, Y = np.meshgrid(x, x)
    sky, sun = relief.light(1 - np.exp(-8 * (X**2 + Y**2)))
    assert sky[64, 64] < 0.8 < sky[5, 5]
    assert (sky > 0).all()
    assert (sky <= 1).all()
    sky, sun = relief.light(np.exp(-30 * (X**2 + Y**2)))
    # The sun stands in the upper left.
    assert sun[75, 50] > sun[50, 75]
    assert sun.min() < 0.1


def test_terrains_with_holes_and_of_one_height():
    x = np.linspace(0, 1, 20)
    z = np.full((20, 20), 3.0)
    plots.contours((x, x, z)).figure.canvas.draw()
    z = x[:, None] + x
    z[:3], z[5, 5] = np.nan, np.inf
    for draw in (plots.contours, plots.surface):
        draw((x, x, z)).figure.canvas.draw()


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ("himmelblau", "A landscape is a terrain"),
        (3, "A landscape is a terrain"),
        ((np.arange(3), np.arange(3), np.ones((2, 3))), "shape .len.y., len.x.."),
        ((np.arange(3)[::-1], np.arange(3), np.ones((3, 3))), "rising x and y"),
        ((np.arange(3), np.arange(3), np.full((3, 3), np.nan)), "no finite height"),
        (([], [], []), "is empty"),
    ],
)
def test_bad_landscapes(given, match):
    with pytest.raises(FalllineError, match=match):
        plots.contours(given)


def test_paths_on_contours(himmelblau, ways):
    one = {name: way[:, 0] for name, way in ways.items()}
    ax = plots.paths_on_contours(himmelblau, one)
    from matplotlib.collections import LineCollection

    drawn = [c for c in ax.collections if type(c) is LineCollection]
    # Each path twice: its rim and itself.
    for i, way in enumerate(one.values()):
        for layer in (drawn[2 * i], drawn[2 * i + 1]):
            np.testing.assert_allclose(layer.get_segments()[0], way)
        rim, line = drawn[2 * i].get_linewidth()[0], drawn[2 * i + 1].get_linewidth()[0]
        assert rim > line
    names = [t.get_text() for t in ax.get_legend().get_texts()]
    assert names[:2] == ["SGD", "Adam"]
    assert ax.get_xlim() == himmelblau.bounds[0]
    with pytest.raises(FalllineError, match="no paths"):
        plots.paths_on_contours(himmelblau, {})


def test_paths_that_leave_the_numbers(himmelblau):
    away = np.array([[0, 0], [1, 1], [np.inf, 1], [np.nan, np.nan]])
    never = np.full((4, 2), np.nan)
    for draw in (plots.paths_on_contours, plots.race):
        ax = draw(himmelblau, {"SGD": away, "Adam": never, "Lion": np.stack([away, never], axis=1)})
        ax.figure.canvas.draw()
    plots.surface(himmelblau, paths={"SGD": away, "Adam": never}).figure.canvas.draw()
    for bad, match in (
        (np.ones((3, 3)), r"shape \(records, 2\)"),
        ([], "is empty"),
        ("ab", "numbers"),
    ):
        with pytest.raises(FalllineError, match=match):
            plots.path(bad)


def test_results_of_minimize(himmelblau):
    options = {"starts": 12, "steps": 60, "learning_rate": 0.01}
    found = fallline.minimize(himmelblau, optimizer="sgd", path=True, **options)
    ax = plots.race(himmelblau, {"SGD": found})
    texts = key_texts(ax)
    assert "0.01" in texts
    assert marks.number(float(np.median(found.fun))) in texts
    ax = plots.basins(himmelblau, found)
    shares = [t.get_text() for t in ax.get_legend().get_texts()]
    assert sum(float(s.split("%")[0]) for s in shares) == pytest.approx(100, abs=3)
    pathless = fallline.minimize(himmelblau, optimizer="sgd", **options)
    with pytest.raises(FalllineError, match="path=True"):
        plots.race(himmelblau, {"SGD": pathless})


def test_basins(himmelblau, rng):
    starts = rng.uniform(-5, 5, (500, 2))
    labels = np.where(starts[:, 0] > 0, 0, 1)
    labels[starts[:, 1] > 4] = -1
    ax = plots.basins(himmelblau, starts, labels)
    texts = [t.get_text() for t in ax.get_legend().get_texts()]
    where = [f"({marks.number(p.x)}, {marks.number(p.y)})" for p in himmelblau.minima]
    assert texts[0] == f"{np.mean(labels == 0):.0%} to {where[0]}"
    assert texts[1] == f"{np.mean(labels == 1):.0%} to {where[1]}"
    assert texts[2] == f"{np.mean(labels == -1):.0%} to none"
    picture = ax.images[0].get_array()
    right, left = picture[60:180, 180:].mean(axis=(0, 1)), picture[60:180, :80].mean(axis=(0, 1))
    # The first place is blue, the second yellow.
    assert right[2] > right[0]
    assert left[0] > left[2]
    few = plots.basins(himmelblau, starts[:20], labels[:20])
    dots = [c for c in few.collections if isinstance(c, PathCollection)]
    np.testing.assert_allclose(dots[0].get_offsets(), starts[:20])
    for bad in ((starts, labels[:3]), (starts[:, :1], labels), (starts, None)):
        with pytest.raises(FalllineError, match="one label for each|is empty"):
            plots.basins(himmelblau, *bad)


# Blocks


@pytest.mark.parametrize("theme", THEMES)
def test_surface(himmelblau, ways, theme):
    ax = plots.surface(
        himmelblau, paths={"SGD": ways["SGD"][:, :3]}, balls={"Adam": ways["Adam"][0]}, theme=theme
    )
    ax.figure.canvas.draw()
    bodies = [c for c in ax.collections if isinstance(c, Poly3DCollection)]
    assert len(bodies) == 1
    # The surface, and two sides in layers.
    assert len(bodies[0].get_facecolor()) == solid.CELLS**2 + 2 * solid.STRATA * solid.CELLS
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["SGD", "Adam"]
    assert any(isinstance(c, Line3DCollection) for c in ax.collections)


def test_what_a_hill_hides():
    x = np.linspace(-1, 1, 101)
    X, Y = np.meshgrid(x, x)
    hill = np.exp(-30 * X**2 - 4 * Y**2)
    scene = solid.block((x, x, hill), azimuth=0.0, elevation=20.0, theme=style.THEMES["light"])
    spots = scene.place(np.array([[0.5, 0.0], [-0.25, 0.0], [-0.25, 0.95], [0.0, 0.0], [3, 3]]))
    # The eye is far out on the x axis: the ridge at x = 0 hides what is behind it.
    assert scene.seen(spots).tolist() == [True, False, True, True, False]
    from mpl_toolkits.mplot3d import proj3d

    theirs = proj3d.proj_transform(*spots[0], scene.ax.get_proj())[:2]
    np.testing.assert_allclose(scene.flat(spots[0]), theirs)


def test_bad_surfaces(bowl):
    with pytest.raises(FalllineError, match='projection="3d"'):
        plots.surface(bowl, plt.figure().add_subplot())
    with pytest.raises(FalllineError, match="from 5 to 90"):
        plots.surface(bowl, elevation=-3)
    with pytest.raises(FalllineError, match=r"shape \(balls, 2\)"):
        plots.surface(bowl, balls={"SGD": np.ones((3, 3))})


# Races


def key_texts(ax):
    from matplotlib.offsetbox import AnchoredOffsetbox, TextArea

    (box,) = [c for c in ax.get_children() if type(c) is AnchoredOffsetbox]
    return [child.get_text() for child in box.findobj(TextArea)]


@pytest.mark.parametrize("solid_", [False, True])
def test_race(himmelblau, ways, solid_):
    ax = plots.race(himmelblau, ways, solid=solid_, rates={"SGD": 0.02})
    holder = ax.figure if solid_ else ax
    dots = [c for c in holder.get_children() if isinstance(c, CircleCollection)]
    assert len(dots) == 2
    if not solid_:
        for dot, way in zip(dots, ways.values(), strict=True):
            np.testing.assert_allclose(dot.get_offsets(), way[-1])
    assert to_rgb(dots[0].get_facecolor()[0]) == to_rgb("#ff5d5d")
    texts = key_texts(ax)
    for name, way in ways.items():
        assert name in texts
        assert marks.number(float(np.median(himmelblau(way[-1])))) in texts
    assert "0.02" in texts
    assert "–" in texts
    ax.figure.canvas.draw()


def test_trails_fade_with_age(himmelblau, ways):
    ax = plots.race(himmelblau, {"Adam": ways["Adam"]})
    (trail,) = [c for c in ax.collections if type(c) is PathCollection and len(c.get_paths()) > 1]
    alpha = trail.get_edgecolor()[:, 3]
    assert (np.diff(alpha) >= 0).all()
    assert alpha[-1] > 2 * alpha[0]
    np.testing.assert_allclose(trail.get_paths()[0].vertices[:2], ways["Adam"][:2, 0])


def test_bad_races(himmelblau, ways, tmp_path, monkeypatch):
    with pytest.raises(FalllineError, match="at least one optimizer"):
        plots.race(himmelblau, {})
    with pytest.raises(FalllineError, match="a rate for 'adam', but no path: did you mean 'Adam'"):
        plots.race(himmelblau, ways, rates={"adam": 1})
    for out in ("race.avi", "race", "race.jpg"):
        with pytest.raises(FalllineError, match=r"one of .gif, .mp4, .png, .svg, .pdf"):
            plots.animate(himmelblau, ways, tmp_path / out)
    for options in ({"seconds": 0}, {"seconds": np.nan}, {"fps": 0}, {"fps": 90}):
        with pytest.raises(FalllineError, match="up to 120 seconds at 1 to 50 frames"):
            plots.animate(himmelblau, ways, tmp_path / "race.gif", **options)
    with pytest.raises(FalllineError, match="cannot be written"):
        plots.animate(himmelblau, ways, tmp_path / "no" / "race.png")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FalllineError, match=r"An MP4 needs ffmpeg.*\.gif instead"):
        plots.animate(himmelblau, ways, tmp_path / "race.mp4")
    assert not list(tmp_path.iterdir())
    assert not plt.get_fignums()


@pytest.mark.parametrize("solid_", [False, True])
def test_a_gif_has_its_frames(himmelblau, ways, tmp_path, solid_):
    # Nothing moves after the first record, and yet no frame is dropped.
    still = {name: np.repeat(way[-1:], 5, axis=0) for name, way in ways.items()}
    out = plots.animate(
        himmelblau, still, tmp_path / "race.gif", seconds=0.6, fps=20, width=320, solid=solid_
    )
    with Image.open(out) as film:
        assert film.n_frames == 12
        assert film.width == 320
        times = []
        for frame in range(12):
            film.seek(frame)
            film.load()
            times.append(film.info["duration"])
        assert times == [50] * 12
    assert [p.name for p in tmp_path.iterdir()] == ["race.gif"]
    assert not plt.get_fignums()


def test_a_gif_shows_the_balls_move(bowl, tmp_path):
    way = np.stack([np.linspace(-0.8, 0.8, 21), np.zeros(21)], axis=1) * bowl.bounds[0][1]
    out = plots.animate(bowl, {"SGD": way}, tmp_path / "race.gif", seconds=0.5, fps=10, width=400)
    middles = []
    with Image.open(out) as film:
        for frame in range(film.n_frames):
            film.seek(frame)
            pixels = np.asarray(film.convert("RGB")).astype(int)
            red = (pixels[..., 0] > 225) & (pixels[..., 1] < 120) & (pixels[..., 2] < 120)
            # The trail is behind the ball, which is thus the rightmost red; the key is further right.
            columns = np.flatnonzero(red[:, :255].any(axis=0))
            middles.append(columns.max())
    assert (np.diff(middles) > 20).all()


def test_thousands_of_balls(himmelblau, tmp_path, rng):
    path = rng.uniform(-5, 5, (6, 5000, 2))
    out = plots.animate(
        himmelblau, {"Adam": path}, tmp_path / "race.gif", seconds=0.3, fps=10, width=320
    )
    with Image.open(out) as film:
        assert film.n_frames == 3


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_picture_of_a_race(himmelblau, ways, tmp_path, ending):
    out = plots.animate(himmelblau, ways, tmp_path / f"race.{ending}", width=400)
    head = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    assert out.read_bytes().startswith(head)
    if ending == "png":
        with Image.open(out) as picture:
            assert picture.width == 400
    assert not plt.get_fignums()


def fake_ffmpeg(folder, script):
    program = folder / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def test_an_mp4_is_piped_frame_by_frame(bowl, tmp_path, monkeypatch):
    """What reaches the encoder: raw frames of even sides; the file appears only when it is done."""
    tools = tmp_path / "bin"
    tools.mkdir()
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    fake_ffmpeg(
        tools, 'for last; do :; done\necho "$@" > ' + f"{tmp_path}/said" + '\ncat > "$last"'
    )
    way = {"SGD": np.linspace(0, 1, 8).reshape(4, 2)}
    out = plots.animate(bowl, way, tmp_path / "race.mp4", seconds=0.4, fps=10, width=301)
    said = (tmp_path / "said").read_text().split()
    width, height = map(int, said[said.index("-s") + 1].split("x"))
    assert (width, height % 2) == (300, 0)
    assert out.stat().st_size == 4 * 3 * width * height
    fake_ffmpeg(tools, "echo 'Unknown encoder' >&2; exit 1")
    with pytest.raises(FalllineError, match=r"could not write .*Unknown encoder.*\.gif instead"):
        plots.animate(bowl, way, tmp_path / "other.mp4", seconds=0.4, fps=10)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bin", "race.mp4", "said"]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg")
def test_a_real_mp4(bowl, tmp_path):
    way = {"SGD": np.linspace(0, 1, 8).reshape(4, 2)}
    out = plots.animate(bowl, way, tmp_path / "race.mp4", seconds=0.4, fps=10)
    assert b"ftyp" in out.read_bytes()[:16]


def test_figures_of_ones_own(himmelblau, run):
    """Several figures share one, which pyplot need not know."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.loss_curve(run, left)
        plots.contours(himmelblau, right)
        figure.savefig("/dev/null", format="png")
    assert not plt.get_fignums()
