"""The fit view, driven as the page would, without a server."""

from __future__ import annotations

import contextlib
import csv
import io

import jax
import numpy as np
import pytest
from tests.studio.fakes import Collected, ask, run_ticks

import fallline
from fallline import expressions, models, optimizers
from fallline.baselines import normal_equation
from fallline.descent import loop
from fallline.errors import FalllineError
from fallline.studio.fit import looks
from fallline.studio.fit.points import MOST, painted, preset
from fallline.studio.fit.view import FitView
from fallline.studio.view import Given
from fallline.studio.wire import FIT_STATE, FIT_SURFACE

LINE = preset("line", 0)
# One network for all tests: it is compiled once.
NETWORK = {
    "model": "network",
    "hidden": [3],
    "optimizer": "adam",
    "loss": "huber",
    "l2": 0.01,
    "batch": 16,
    "seed": 5,
}
PARTS = ("curve", "params", "update", "gradient", "batch_gradient", "rows", "cloud", "along")


@pytest.fixture
def out():
    return Collected()


@pytest.fixture
def view(out):
    return FitView(out, Given())


def state(frame):
    """A frame taken apart as the page does it."""
    found = dict(
        zip(
            ("loss", "norm", "epoch", "batch", "batches", "rate", "blew_up", "parameters"),
            frame.data[:8].tolist(),
            strict=True,
        )
    )
    at = 8
    for part in PARTS:
        count = int(frame.data[at])
        found[part] = frame.data[at + 1 : at + 1 + count]
        at += 1 + count
    assert at == len(frame.data)
    return found


def xy(points=LINE):
    return np.array(points).reshape(-1, 2).T


def assert_same(view, run):
    """The view has taken the very steps of a run of `train`."""
    mine = jax.tree.leaves(view.run.carry["params"])
    for a, b in zip(mine, jax.tree.leaves(run.params), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    history = view.history()
    np.testing.assert_array_equal(history[:, 2], run.history.loss)
    np.testing.assert_array_equal(history[:, 5], run.history.gradient_norm)


@pytest.mark.parametrize("batch", [0, 7, 10])
def test_the_line_takes_the_steps_of_train_bit_for_bit(view, batch):
    ask(
        view,
        "start",
        points=LINE,
        batch=batch,
        rate=0.03,
        optimizer="momentum",
        settings={"momentum": 0.8},
        seed=3,
    )
    ask(view, "pace", steps=13)
    ask(view, "advance", frames=9)
    run_ticks(view)
    x, y = xy()
    run = fallline.train(
        models.Linear(1),
        "squared_error",
        (x[:, None], y),
        optimizer=optimizers.Momentum(0.03, momentum=0.8),
        batch_size=batch or "full",
        steps=117,
        seed=3,
    )
    assert_same(view, run)


def test_a_network_with_penalty_takes_the_steps_of_train_bit_for_bit(view):
    ask(view, "start", points=LINE, rate=0.02, **NETWORK)
    ask(view, "step", steps=50)
    ask(view, "step", steps=1)
    x, y = xy()
    run = fallline.train(
        models.MLP(1, (3,), activation="tanh"),
        "huber",
        (x[:, None], y),
        optimizer=optimizers.Adam(0.02),
        batch_size=16,
        steps=51,
        l2=0.01,
        seed=5,
    )
    assert_same(view, run)


def test_epochs_batches_and_iterations_are_counted_exactly(view, out):
    ask(view, "start", points=LINE, batch=7, rate=0.03, optimizer="momentum")
    assert out.last("fit")["batches"] == {"size": 7, "steps": 6, "last": 5, "full": False}
    ask(view, "step", steps=17)
    seen = state(out.frames[-1])
    assert (seen["epoch"], seen["batch"], seen["batches"], out.frames[-1].step) == (3, 5, 6, 17)
    rows = view.history()
    assert rows[:, 0].tolist() == list(range(17))
    assert rows[:, 1].tolist() == [1] * 6 + [2] * 6 + [3] * 5
    assert np.flatnonzero(np.isfinite(rows[:, 3])).tolist() == [0, 6, 12]
    # The rows of the next step are those of the plan: the last, smaller batch.
    np.testing.assert_array_equal(seen["rows"], view.run.plan.order(2)[35:40])
    ask(view, "set", batch=0)
    ask(view, "step", steps=2)
    seen = state(out.frames[-1])
    assert (seen["epoch"], seen["batches"], out.frames[-1].step) == (5, 1, 19)


def test_the_frame_holds_what_the_engine_computes(view, out):
    ask(view, "start", points=LINE, batch=10, rate=0.05)
    ask(view, "step", steps=7)
    frame = out.frames[-1]
    seen = state(frame)
    x, y = xy()
    w, b = seen["params"].astype(float)
    grid = np.linspace(-3, 3, looks.CURVE)
    np.testing.assert_allclose(seen["curve"], w * grid + b, rtol=1e-5, atol=1e-5)
    residual = w * x + b - y
    assert seen["loss"] == pytest.approx(np.mean(residual**2), rel=1e-5)
    singles = np.stack([2 * residual * x, 2 * residual], axis=1)
    np.testing.assert_allclose(seen["cloud"].reshape(-1, 2), singles, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(seen["gradient"], singles.mean(axis=0), rtol=1e-3, atol=1e-5)
    rows = view.run.next_rows()
    np.testing.assert_allclose(seen["batch_gradient"], singles[rows].mean(axis=0), rtol=1e-3)
    np.testing.assert_allclose(seen["update"], -0.05 * seen["batch_gradient"], rtol=1e-5)
    ask(view, "step")
    np.testing.assert_allclose(
        state(out.frames[-1])["params"], seen["params"] + seen["update"], rtol=1e-6
    )


def test_the_surface_is_the_loss_over_slope_and_intercept(view, out):
    ask(view, "start", points=LINE, l2=0.1)
    block = out.blocks[-1]
    assert block.kind == FIT_SURFACE
    assert block.n == looks.GRID
    w0, w1, b0, b1 = block.data[:4]
    heights = block.data[4:].reshape(looks.GRID, looks.GRID)
    w, b = np.linspace(w0, w1, looks.GRID)[20], np.linspace(b0, b1, looks.GRID)[100]
    x, y = xy()
    assert heights[100, 20] == pytest.approx(np.mean((w * x + b - y) ** 2) + 0.05 * w * w, rel=1e-4)
    told = out.last("fit")
    best, bias = normal_equation(x[:, None], y, ridge=0.05)
    assert told["best"] == pytest.approx([float(best[0]), float(bias)])
    assert w0 < best[0] < w1
    assert b0 < 0 < b1
    assert told["floor"] <= heights.min() + 1e-6


def test_the_window_of_the_surface_follows_a_run_that_leaves_it(view, out):
    ask(view, "start", points=LINE, rate=0.41)
    before = out.blocks[-1].data[:4]
    for _ in range(30):
        ask(view, "step", steps=2)
    after = out.blocks[-1].data[:4]
    assert after[1] - after[0] > before[1] - before[0]
    assert len(out.blocks) < 8


def test_rates_and_points_change_without_compiling(view, out):
    ask(view, "start", points=LINE, rate=0.05)
    ask(view, "step")
    ask(view, "points", points=[*LINE, 1.0, 1.0])
    ask(view, "step")
    traced = loop.traces["advance"]
    params = np.concatenate([np.ravel(p) for p in jax.tree.leaves(view.run.carry["params"])])
    for k in range(12):
        ask(view, "points", points=[*LINE, *([0.5, -0.25] * (k + 2))])
        ask(view, "set", rate=0.01 + 0.001 * k)
    now = np.concatenate([np.ravel(p) for p in jax.tree.leaves(view.run.carry["params"])])
    np.testing.assert_array_equal(params, now)  # it goes on from where it was
    ask(view, "step", steps=3)
    assert loop.traces["advance"] == traced
    assert view.history()[-1, 4] == pytest.approx(0.021)
    assert out.last("fit")["edited"]
    # Rows of weight 0 count for nothing.
    x, y = xy([*LINE, *([0.5, -0.25] * 13)])
    w, b = state(out.frames[-1])["params"].astype(float)
    assert state(out.frames[-1])["loss"] == pytest.approx(np.mean((w * x + b - y) ** 2), rel=1e-5)
    # Batches of painted points are those of the plan, too.
    ask(view, "set", batch=9)
    ask(view, "step", steps=4)
    traced = loop.traces["advance"]
    ask(view, "points", points=LINE[:-6])
    ask(view, "step", steps=11)
    assert loop.traces["advance"] == traced


def test_painted_batches_descend_like_train_to_rounding(view):
    x, y = xy(LINE[:-4])
    ask(view, "start", points=LINE, rate=0.03)
    ask(view, "step")
    start = view.run.line()
    ask(view, "set", batch=9)
    ask(view, "points", points=LINE[:-4])
    ask(view, "step", steps=23)
    # A new epoch, the second, began with the new points and batches: 38 rows by 9.
    order = np.concatenate([view.run.plan.order(e)[:38] for e in range(1, 6)])
    w, b = start
    for k in range(23):
        epoch, i = divmod(k, 5)
        rows = order[38 * epoch + 9 * i : 38 * epoch + min(9 * i + 9, 38)]
        residual = w * x[rows] + b - y[rows]
        w, b = w - 0.03 * np.mean(2 * residual * x[rows]), b - 0.03 * np.mean(2 * residual)
    assert view.run.line() == pytest.approx((w, b), rel=1e-5)


def test_the_closed_form_rate_descends_and_lies_below_the_limit(view, out):
    for optimizer, batch in (("sgd", 0), ("momentum", 0), ("momentum", 1)):
        ask(view, "start", points=LINE, optimizer=optimizer, batch=batch)
        told = out.last("fit")
        assert 0 < told["rate"] < told["limit"]
        assert told["rate"] == told["honest"]
        ask(view, "step", steps=400)
        assert state(out.frames[-1])["loss"] < told["floor"] * (1.5 if batch else 1.001)


def test_beyond_the_limit_it_explodes_and_just_below_it_does_not(view, out):
    for optimizer, numbers in (
        ("sgd", {}),
        ("momentum", {"momentum": 0.6}),
        ("nesterov", {"momentum": 0.6}),
    ):
        ask(view, "start", points=LINE, optimizer=optimizer, settings=numbers, rate=0.1)
        limit = out.last("fit")["limit"]
        for factor, explodes in ((0.97, False), (1.03, True)):
            ask(
                view,
                "start",
                points=LINE,
                optimizer=optimizer,
                settings=numbers,
                rate=limit * factor,
            )
            first = state(out.frames[-1])["loss"]
            ask(view, "step", steps=1500)
            last = state(out.frames[-1])["loss"]
            assert (last > 1e3 * first) == explodes


def test_a_run_that_blows_up_says_so_and_keeps_the_last_finite_parameters(view, out):
    ask(view, "start", points=LINE, rate=50.0)
    ask(view, "run", on=True)
    run_ticks(view)
    assert "blew up at step" in out.last("stopped")["sentence"]
    assert view.interval is None or not view._running
    assert np.isfinite(state(out.frames[-1])["params"]).all()
    ask(view, "reset")
    ask(view, "set", rate=0.05)
    ask(view, "step", steps=5)
    assert state(out.frames[-1])["loss"] < 3


def test_an_own_rate_is_searched_where_no_closed_form_knows_it(view, out):
    ask(view, "start", points=LINE, **NETWORK)
    assert out.last("fit")["rate"] is None
    ask(view, "step", steps=2)
    found = out.last("rate")
    assert 1e-4 < found["rate"] < 1
    assert view.history()[-1, 4] == pytest.approx(found["rate"])


def test_the_network_shows_the_loss_along_its_next_step(view, out):
    ask(view, "start", points=LINE, rate=0.05, **NETWORK)
    seen = state(out.frames[-1])
    assert seen["parameters"] == len(out.last("fit")["parameters"]) == 10
    full, batch = seen["along"].reshape(2, -1)
    here = np.argmin(np.abs(looks.ALONG))
    there = np.argmin(np.abs(looks.ALONG - 1))
    assert full[here] == pytest.approx(seen["loss"], rel=1e-5)
    assert batch[there] < batch[here]
    ask(view, "step")
    assert state(out.frames[-1])["loss"] == pytest.approx(full[there], rel=1e-4)


def test_the_derivative_is_that_of_the_loss_and_its_differences_err_in_a_u(view, out):
    ask(view, "start", points=LINE, rate=0.05, **NETWORK)
    ask(view, "derivative", on=True, parameter=4)
    told = out.last("derivative")
    assert told["slope"] == pytest.approx(state(out.frames[-1])["gradient"][4], rel=1e-4)
    middle = len(told["values"]) // 2
    assert told["values"][middle] == pytest.approx(told["loss"], rel=1e-9)
    for name, low, high in (("forward", 1e-9, 1e-6), ("central", 1e-7, 1e-3)):
        errors = np.array(told[name], float)
        best = told["steps"][int(np.nanargmin(errors))]
        assert low < best < high
        assert errors[0] > 1e3 * np.nanmin(errors)
        assert errors[-1] > 1e3 * np.nanmin(errors)
    ask(view, "step")
    assert out.last("derivative")["step"] == 1
    with pytest.raises(FalllineError, match="whole number"):
        ask(view, "derivative", on=True, parameter=1.5)
    ask(view, "derivative", on=True, parameter=99)
    assert "10 parameters" in out.last("derivative")["trouble"]


def test_a_place_in_parameter_space_is_a_start(view, out):
    ask(view, "start", points=LINE, rate=0.05)
    ask(view, "step", steps=3)
    ask(view, "set", place=[1.5, -0.5])
    assert state(out.frames[-1])["params"].tolist() == [1.5, -0.5]
    assert out.frames[-1].step == 0
    assert_script(view, 6)


def assert_script(view, steps):
    ask(view, "step", steps=steps)
    text = ask(view, "script")["text"]
    space = {"__name__": "fit"}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(text, "script.py", "exec"), space)
    assert_same(view, space["run"])
    assert space["run"].steps == view.run.place().iteration


def test_the_script_repeats_the_run_bit_for_bit(view):
    ask(
        view,
        "start",
        points=preset("sine", 2),
        model="polynomial",
        degree=5,
        optimizer="nesterov",
        batch=8,
        l2=1e-3,
    )
    assert_script(view, 31)


def test_the_script_says_when_a_run_was_changed_on_its_way(view):
    ask(view, "start", points=LINE, rate=0.05)
    ask(view, "step")
    assert "changed while" not in ask(view, "script")["text"]
    ask(view, "set", rate=0.01)
    assert "changed while" in ask(view, "script")["text"]


def test_a_table_is_read_its_gaps_left_out_and_its_length_held(tmp_path, out):
    rows = (
        ["x,y,word"] + [f"{i},{2 * i + 1},a" for i in range(3_000)] + ["1,,b", ",2,c", "3,1e300,d"]
    )
    path = tmp_path / "points.csv"
    path.write_text("\n".join(rows))
    view = FitView(out, Given(path))
    assert ask(view, "tables")["tables"][0] == {"name": "given", "title": "points.csv", "about": ""}
    assert ask(view, "columns", name="given")["columns"] == ["x", "y"]
    adamw = {"optimizer": "adamw", "settings": {"weight_decay": 0.1}, "rate": 0.05, "batch": 64}
    ask(view, "start", table={"name": "given", "x": "x", "y": "y"}, **adamw)
    told = out.last("fit")
    assert (told["n"], told["rows"], told["missing"], told["standardised"]) == (
        MOST,
        3_003,
        3,
        True,
    )
    assert told["window"][1] > 2_999
    assert_script(view, 3)
    with pytest.raises(FalllineError, match="does not hold numbers; these do: x, y"):
        ask(view, "start", table={"name": "given", "x": "word", "y": "y"})
    with pytest.raises(FalllineError, match="no column 'z'"):
        ask(view, "start", table={"name": "given", "x": "x", "y": "z"})
    with pytest.raises(FalllineError, match="no table '/etc/passwd'"):
        ask(view, "start", table={"name": "/etc/passwd", "x": "x", "y": "y"})
    # The run of before has not been harmed.
    ask(view, "step")
    assert view.run.place().iteration == 4


def test_curves_of_a_table_are_in_its_own_units(tmp_path, out):
    x, y = xy()
    area, price = 120 + 30 * x, 360_000 + 90_000 * y
    path = tmp_path / "houses.csv"
    rows = zip(area, price, strict=True)
    path.write_text("\n".join(["area,price", *(f"{a:.17g},{p:.17g}" for a, p in rows)]))
    view = FitView(out, Given(path))
    ask(view, "start", table={"name": "given", "x": "area", "y": "price"})
    ask(view, "step", steps=60)
    w, b = normal_equation(area[:, None], price)
    grid = np.linspace(*out.last("fit")["window"][:2], looks.CURVE)
    np.testing.assert_allclose(state(out.frames[-1])["curve"], w[0] * grid + b, rtol=1e-3)
    np.testing.assert_allclose(out.last("fit")["best_curve"], w[0] * grid + b, rtol=1e-6)


@pytest.mark.parametrize("model", ["line", "polynomial"])
def test_odd_points_are_fitted_as_well_as_they_can_be(view, out, model):
    level = [0.1, 0.2, 0.3, 0.2]
    for points in ([1, 0, 1, 2], [1, 1, 1, 1], [0, 0, 1e5, -1e5], level):
        ask(view, "start", points=points, model=model, degree=3)
        ask(view, "step", steps=20)
        assert np.isfinite(view.history()[:, 2]).all()
        assert out.last("fit")["flat"] == (points[::2] == [1, 1])


def test_one_point_is_met(view, out):
    ask(view, "start", points=[0.5, 0.5])
    ask(view, "step", steps=40)
    assert state(out.frames[-1])["loss"] < 1e-6


def test_without_points_there_is_nothing_to_run_and_they_can_come_and_go(view, out):
    ask(view, "start", points=[])
    assert out.last("fit")["n"] == 0
    for kind in ("step", "script", "csv"):
        with pytest.raises(FalllineError, match="no points yet"):
            ask(view, kind)
    with pytest.raises(FalllineError, match="no points yet"):
        ask(view, "run", on=True)
    ask(view, "points", points=[0, 0, 1, 1])
    ask(view, "run", on=True)
    view.tick()
    ask(view, "points", points=[])
    assert view.interval is None
    assert out.last("fit")["n"] == 0


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"points": [1, 2, 3]}, "lacks its y"),
        ({"points": [1, "a"]}, "must be a number"),
        ({"points": [1, 1e9]}, "between"),
        ({"points": [0.0] * 4_002}, "more than"),
        ({"model": "tree"}, "'model' cannot be"),
        ({"degree": 99}, "'degree'"),
        ({"hidden": [0]}, "'hidden'"),
        ({"hidden": []}, "at least one hidden layer"),
        ({"loss": "hinge"}, "'loss'"),
        ({"optimizer": "sdg"}, "did you mean 'sgd'"),
        ({"settings": {"momentum": 0.9}}, "SGD has no number 'momentum'"),
        ({"optimizer": "momentum", "settings": {"momentum": 2}}, "momentum between 0 and 1"),
        ({"rate": -1}, "'rate'"),
        ({"rate": True}, "must be a number"),
        ({"place": [1]}, "two numbers"),
        ({"seed": 1.5}, "whole number"),
        ({"batch": -1}, "'batch'"),
    ],
)
def test_what_does_not_fit_is_a_sentence_and_the_run_goes_on(view, fields, words):
    ask(view, "start", points=LINE, rate=0.05)
    ask(view, "step")
    with pytest.raises(FalllineError, match=words):
        ask(view, "start", **{"points": LINE, **fields})
    ask(view, "step")
    assert view.run.place().iteration == 2


def test_an_unknown_message_and_an_unknown_preset_are_sentences(view):
    with pytest.raises(FalllineError, match="knows no message 'fly'"):
        ask(view, "fly")
    with pytest.raises(FalllineError, match="did you mean 'sine'"):
        ask(view, "preset", name="sin")


def test_presets_lie_inside_the_window_on_a_raster():
    for name in ("line", "quadratic", "sine", "outlier", "clusters"):
        points = painted(preset(name, 1))
        assert points.window == (-3, 3, -3, 3)
        assert len(points) >= 20
        assert preset(name, 1) == np.round(preset(name, 1), 2).tolist()


def test_the_history_as_csv(view):
    ask(view, "start", points=LINE, rate=0.05, batch=10)
    ask(view, "step", steps=6)
    rows = list(csv.DictReader(io.StringIO(ask(view, "csv")["text"])))
    assert [row["step"] for row in rows] == ["0", "1", "2", "3", "4", "5"]
    assert [bool(row["full_loss"]) for row in rows] == [True, False, False, False, True, False]
    assert float(rows[3]["batch_loss"]) == pytest.approx(view.history()[3, 2], rel=1e-8)


def test_lock_step_takes_exactly_so_many_frames(view, out):
    ask(view, "start", points=LINE, rate=0.05)
    ask(view, "pace", steps=3, frames=60)
    before = len(out.frames)
    ask(view, "advance", frames=5)
    run_ticks(view, 5)
    assert out.last("advanced")["step"] == 15
    frames = out.frames[before:]
    assert [frame.step for frame in frames] == [3, 6, 9, 12, 15]
    assert all(frame.kind == FIT_STATE and len(frame.scalars) == 24 for frame in frames)


def test_a_live_change_of_the_optimizer_goes_on_from_the_parameters(view, out):
    ask(view, "start", points=LINE, rate=0.05)
    ask(view, "step", steps=4)
    params = state(out.frames[-1])["params"]
    ask(view, "set", optimizer="adam", rate=0.02)
    assert out.last("fit")["optimizer"] == "Adam"
    np.testing.assert_array_equal(state(out.frames[-1])["params"], params)
    ask(view, "step")
    # Adam's first step is its rate along every parameter, whatever the gradient.
    moved = np.abs(state(out.frames[-1])["params"] - params)
    np.testing.assert_allclose(moved, 0.02, rtol=1e-3)
    assert out.frames[-1].step == 5
    ask(view, "set", seed=4)
    assert out.frames[-1].step == 0


@pytest.mark.parametrize("loss", ["squared_error", "half_squared_error"])
def test_the_loss_of_a_line_as_a_formula_for_the_terrain(view, out, loss):
    ask(view, "start", points=LINE, loss=loss, l2=0.2, standardise=True)
    link = ask(view, "terrain")
    formula = expressions.parse(link["formula"])
    block = out.blocks[-1]
    assert link["bounds"] == pytest.approx(block.data[:4].tolist(), rel=1e-4)
    edges = link["bounds"]
    w, b = np.meshgrid(np.linspace(*edges[:2], looks.GRID), np.linspace(*edges[2:], looks.GRID))
    heights = block.data[4:].reshape(looks.GRID, looks.GRID)
    np.testing.assert_allclose(np.asarray(formula(w, b)), heights, rtol=1e-3)
    ask(view, "start", points=LINE, loss="huber")
    with pytest.raises(FalllineError, match="squared loss"):
        ask(view, "terrain")


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_the_loss_of_one_point_as_an_expression_for_the_graph(view, out, loss):
    ask(view, "start", points=LINE, loss=loss, rate=0.05)
    ask(view, "step", steps=3)
    link = ask(view, "graph", point=5)
    found = float(
        expressions.parse(link["formula"], list(link["values"]))(*link["values"].values())
    )
    w, b = state(out.frames[-1])["params"]
    x, y = xy()
    residual = w * x[5] + b - y[5]
    assert found == pytest.approx(
        residual**2 if loss == "squared_error" else abs(residual), rel=1e-3
    )
    with pytest.raises(FalllineError, match="no number 4000"):
        ask(view, "graph", point=4000)
