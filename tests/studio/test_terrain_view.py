import contextlib
import itertools
import math
import time
import xml.etree.ElementTree as ET

import jax
import numpy as np
import pytest
from studio.fakes import Collected, ask, run_ticks

from fallline import FalllineError, minimize, terrains
from fallline.studio import wire
from fallline.studio.terrain import rates
from fallline.studio.terrain.basins import Basins
from fallline.studio.terrain.view import TerrainView
from fallline.studio.view import Given

HIMMELBLAU = terrains.by_name("himmelblau")
SGD, ADAM = {"optimizer": "sgd", "rate": 0.01}, {"optimizer": "adam", "rate": 0.1}


@pytest.fixture
def view():
    made = TerrainView(Collected(), Given())
    made.warms = False
    yield made
    made.close()


def start(view, **fields):
    given = {"surface": "himmelblau", "balls": 41, "seed": 3, "racers": [SGD, ADAM], **fields}
    return ask(view, "start", **given)


def places(frame, bounds=(-5.0, 5.0)):
    low, high = bounds
    return (frame.data.reshape(2, -1, 2) + 1) / 2 * (high - low) + low


def test_a_start_is_answered_with_surface_racers_and_the_first_frame(view):
    out = view.out
    assert start(view) == {"run": 1}
    kinds = [message["type"] for message in out.sent]
    assert kinds[:2] == ["surface", "racers"]
    about = out.sent[0]
    known = HIMMELBLAU
    assert about["name"] == "himmelblau"
    assert about["title"] == known.title
    assert about["bounds"] == [-5.0, 5.0, -5.0, 5.0]
    assert about["minima"][0] == {"x": 3.0, "y": 2.0, "value": 0.0}
    assert len(about["saddles"]) == 4
    ET.fromstring(about["mathml"])
    (heights,) = out.blocks
    assert (heights.kind, heights.flags, heights.n) == (wire.TERRAIN_HEIGHTS, 1, 257**2)
    z = heights.data.reshape(257, 257)
    np.testing.assert_allclose(z[10, 40], known(np.array([-5 + 400 / 256, -5 + 100 / 256])), 1e-5)
    assert (about["low"], about["high"]) == (z.min(), z.max())
    entered = out.last("racers")
    assert entered["each"] == 20
    sgd, adam = entered["racers"]
    assert (sgd["optimizer"], sgd["title"], sgd["rate"], sgd["honest"]) == (
        "sgd",
        "SGD",
        0.01,
        False,
    )
    assert adam["settings"]["beta1"] == {"value": 0.9, "low": 0.0, "high": 0.999, "log": False}
    ET.fromstring(adam["mathml"])
    early, frame = out.frames
    assert not len(early.scalars)
    np.testing.assert_array_equal(early.data, frame.data)
    assert (frame.kind, frame.step, frame.n, len(frame.data)) == (wire.TERRAIN_BALLS, 0, 40, 80)
    np.testing.assert_allclose(places(frame)[0], known.scatter(20, 3), atol=1e-5)
    np.testing.assert_array_equal(places(frame)[0], places(frame)[1])
    values = known(known.scatter(20, 3))
    np.testing.assert_allclose(frame.scalars[1:4], np.quantile(values, (0.25, 0.5, 0.75)), 1e-5)


def test_lock_step_takes_exactly_the_frames_asked_for_when_the_page_is_ready(view):
    out = view.out
    start(view)
    ask(view, "pace", steps=3, frames=60)
    ask(view, "advance", frames=5)
    out.ready = lambda: False
    view.tick()
    assert len(out.frames) == 2
    del out.ready
    assert run_ticks(view) == 5
    assert [frame.step for frame in out.frames] == [0, 0, 3, 6, 9, 12, 15]
    assert out.sent[-1] == {"type": "advanced", "step": 15}
    assert [frame.scalars[0] for frame in out.frames[1:]] == [0, 3, 6, 9, 12, 15]
    assert view.interval is None
    ask(view, "run", on=True)
    assert view.interval == pytest.approx(1 / 60)
    view.tick()
    assert out.frames[-1].step == 18
    ask(view, "run", on=False)
    assert view.interval is None
    view.tick()
    ask(view, "step", steps=10)
    assert out.frames[-1].step == 28


def test_the_frame_shows_what_the_engine_computes(view):
    start(view)
    ask(view, "advance", frames=50)
    run_ticks(view)
    frame = view.out.frames[-1]
    result = minimize(HIMMELBLAU, starts=20, seed=3, optimizer="sgd", learning_rate=0.01, steps=100)
    np.testing.assert_allclose(places(frame)[0], result.x, atol=1e-5)
    assert frame.scalars[0] == 100
    assert frame.scalars[4] == 1.0
    assert frame.scalars[5] == 0.0


def test_changes_take_hold_while_it_runs(view):
    out = view.out
    start(view)
    ask(view, "step", steps=5)
    ask(view, "set", racer=0, rate=1.0)
    assert out.last("racers")["racers"][0]["rate"] == 1.0
    assert out.last("limits")["racers"][0]["explode"] > 0.5
    assert out.last("limits")["racers"][1]["explode"] == 0.0
    ask(view, "step", steps=30)
    frame = out.frames[-1]
    assert frame.scalars[5] == 1.0
    assert np.isnan(frame.data[: frame.n]).all()
    assert np.isfinite(frame.data[frame.n :]).all()
    ask(view, "set", racer=None, settings={"beta1": 0.5}, decay=0.125)
    told = out.last("racers")["racers"]
    assert [racer["decay"] for racer in told] == [0.125, 0.125]
    assert told[1]["settings"]["beta1"]["value"] == 0.5
    ask(view, "set", noise=0.5)
    assert out.last("racers")["noise"] == 0.5


def test_balls_are_dropped_live(view):
    out = view.out
    start(view)
    ask(view, "step", steps=5)
    ask(view, "drop", x=1.0, y=-2.0, count=1, radius=0.5)
    assert out.last("racers")["each"] == 21
    frame = out.frames[-1]
    assert (frame.step, frame.n) == (5, 42)
    np.testing.assert_allclose(places(frame)[:, -1], [[1.0, -2.0]] * 2, atol=1e-5)
    assert not len(frame.scalars)
    ask(view, "drop", x=1.0, y=-2.0, count=100, radius=0.5)
    scattered = places(out.frames[-1])[0, 21:]
    distance = np.linalg.norm(scattered - [1.0, -2.0], axis=1)
    assert 0.4 < distance.max() <= 0.5001
    np.testing.assert_array_equal(places(out.frames[-1])[1, 21:], scattered)


def test_scrubbing_shows_what_was_and_going_on_from_there_forks(view):
    out = view.out
    start(view)
    ask(view, "advance", frames=40)
    run_ticks(view)
    shown = {frame.step: frame.data for frame in out.frames}
    ask(view, "run", on=True)
    ask(view, "scrub", step=20)
    assert view.interval is None
    frame, trail = out.frames[-1], out.blocks[-1]
    assert (frame.step, len(frame.scalars)) == (20, 0)
    np.testing.assert_array_equal(frame.data, shown[20])
    assert (trail.kind, trail.step, trail.n) == (wire.TERRAIN_TRAILS, 20, 40)
    samples = trail.data.reshape(-1, 80)
    np.testing.assert_array_equal(samples, [shown[step] for step in range(0, 21, 2)])
    assert out.last("timeline") == {"type": "timeline", "first": 0, "last": 80, "forks": 0}
    ask(view, "set", racer=0, rate=0.001)
    assert out.last("forked") == {"type": "forked", "run": 1, "step": 20}
    ask(view, "step", steps=4)
    assert out.last("timeline") == {"type": "timeline", "first": 0, "last": 24, "forks": 1}
    assert out.frames[-1].scalars[0] == 24
    ask(view, "scrub", step=10_000)
    assert out.frames[-1].step == 24
    rows = ask(view, "csv")["text"].splitlines()
    assert [int(line.split(",")[0]) for line in rows[1::2]] == [*range(0, 21, 2), 24]


def test_a_ball_under_the_glass(view):
    out = view.out
    start(view)
    ask(view, "step", steps=10)
    ask(view, "inspect", racer=1, ball=7)
    ball = out.last("ball")
    frame = out.frames[-1]
    np.testing.assert_allclose(ball["place"], places(frame)[1, 7], atol=1e-5)
    known = HIMMELBLAU
    np.testing.assert_allclose(
        ball["gradient"], jax.grad(known)(np.array(ball["place"])), rtol=1e-4
    )
    hessian = jax.hessian(known)(np.array(ball["place"]))
    values, vectors = np.linalg.eigh(hessian)
    np.testing.assert_allclose(ball["hessian"]["values"], values, rtol=1e-3)
    for mine, other in zip(ball["hessian"]["vectors"], vectors.T, strict=True):
        assert abs(np.dot(mine, other)) == pytest.approx(1.0, abs=1e-4)
    assert set(ball["state"]) == {"mean", "square"}
    assert ball["verdict"] in ("safe", "edge", "explode", "none")
    assert (ball["rate"], ball["racer"], ball["ball"], ball["step"]) == (0.1, 1, 7, 10)
    expected = ball["next"]
    ask(view, "step", steps=1)
    again = out.last("ball")
    assert again["step"] == 11
    np.testing.assert_allclose(again["place"], expected, atol=1e-6)
    count = len(out.sent)
    ask(view, "inspect", off=True)
    ask(view, "step", steps=1)
    assert "ball" not in [message["type"] for message in out.sent[count:]]
    with pytest.raises(FalllineError, match="no ball 20"):
        ask(view, "inspect", racer=1, ball=20)


def test_the_table_of_basins(view):
    out = view.out
    ask(view, "basins", on=True)
    start(view)
    block = next(b for b in out.blocks if b.kind == wire.TERRAIN_BASINS)
    assert (block.n, set(block.data)) == (129**2, {0.0, 1.0, 2.0, 3.0})
    ask(view, "step", steps=300)
    table = out.last("basins")["minima"]
    assert (table[0]["x"], table[0]["value"]) == (3.0, 0.0)
    assert sum(m["all"] for m in table) == pytest.approx(1.0)
    minima = np.array([[m["x"], m["y"]] for m in table])
    ends = places(out.frames[-1])[0]
    nearest = np.linalg.norm(ends[:, None] - minima, axis=2).argmin(axis=1)
    np.testing.assert_allclose(
        [m["shares"][0] for m in table], np.bincount(nearest, minlength=4) / 20, atol=1e-6
    )
    # The map itself: a grid point's label is where plain descent from it ends.
    labels = block.data.reshape(129, 129)
    for (x, y), label in (((3.0, 2.0), 0), ((-2.8, 3.1), 1), ((-3.8, -3.3), 2), ((3.6, -1.8), 3)):
        assert labels[round((y + 5) / 10 * 128), round((x + 5) / 10 * 128)] == label
    count = len(out.sent)
    ask(view, "basins", on=False)
    ask(view, "step", steps=1)
    assert "basins" not in [message["type"] for message in out.sent[count:]]


def test_minima_of_a_formula_are_found():
    found = Basins(terrains.from_expression("(x^2 - 1)^2 + y^2", ((-2, 2), (-2, 2))))
    assert sorted((round(p.x, 3), round(p.y, 3) + 0.0) for p in found.minima) == [
        (-1.0, 0.0),
        (1.0, 0.0),
    ]
    assert np.mean(found.labels == 0) == pytest.approx(0.5, abs=0.02)
    none = Basins(terrains.from_expression("x + y"))
    assert none.minima == ()
    assert (none.labels == -1).all()


def test_a_formula_with_holes_is_drawn_and_balls_there_are_lost(view):
    out = view.out
    start(view, surface=None, formula="log(x) + 1/x + y^2", bounds=[-1.0, 3.0, -1.0, 1.0])
    about = out.last("surface")
    assert about["name"] is None
    assert about["formula"] == "log(x) + 1/x + y^2"
    assert math.isfinite(about["low"])
    assert math.isfinite(about["high"])
    heights = out.blocks[0].data.reshape(257, 257)
    assert np.isnan(heights[:, :60]).all()
    assert np.isfinite(heights[:, 70:]).all()
    lost = np.isnan(out.frames[-1].data.reshape(2, 20, 2)[0, :, 0])
    starts = terrains.from_expression("x", ((-1.0, 3.0), (-1.0, 1.0))).scatter(20, 3)
    np.testing.assert_array_equal(lost, starts[:, 0] <= 0)
    assert out.frames[-1].scalars[5] == pytest.approx(lost.mean())
    ask(view, "step", steps=50)
    again = np.isnan(out.frames[-1].data.reshape(2, 20, 2)[0, :, 0])
    np.testing.assert_array_equal(again & lost, lost)
    assert not again.all()
    text = ask(view, "script")["text"]
    assert "Race(" in text


def test_rates_are_searched_where_none_is_given(view):
    out = view.out
    start(view, racers=[{"optimizer": "sgd"}, ADAM])
    kinds = [message["type"] for message in out.sent]
    # The balls are seen before the rates are known.
    assert kinds[:5] == ["surface", "racers", "busy", "busy", "racers"]
    assert [m["what"] for m in out.sent if m["type"] == "busy"] == ["rates", None]
    sgd, adam = out.last("racers")["racers"]
    assert (sgd["honest"], adam["honest"]) == (True, False)
    assert sgd["rate"] in [float(f"{rate:.4g}") for rate in rates.TRIED]


def test_racers_come_and_go(view):
    out = view.out
    start(view)
    ask(view, "step", steps=5)
    ask(view, "set", racer=0, rate=0.02)
    ask(view, "racer", add={"optimizer": "sgd", "rate": 0.005})
    told = out.last("racers")
    assert (told["run"], told["each"]) == (2, 13)
    assert [racer["rate"] for racer in told["racers"]] == [0.02, 0.1, 0.005]
    assert (out.frames[-1].step, out.frames[-1].n, out.frames[-1].flags) == (0, 39, 2)
    ask(view, "racer", remove=1)
    assert [racer["optimizer"] for racer in out.last("racers")["racers"]] == ["sgd", "sgd"]
    rows = ask(view, "csv")["text"].splitlines()
    assert [line.split(",")[1] for line in rows[1:]] == ["sgd 1", "sgd 2"]
    ask(view, "racer", remove=0)
    with pytest.raises(FalllineError, match="at least one"):
        ask(view, "racer", remove=0)


def executed(text):
    names = {}
    exec(compile(text, "script.py", "exec"), names)
    return names["places"]


def test_the_script_of_a_run_reproduces_it(view, capsys):
    start(view)
    ask(view, "step", steps=100)
    script = ask(view, "script")
    assert script["name"] == "race.py"
    assert "fallline.minimize(" in script["text"]
    np.testing.assert_array_equal(executed(script["text"]), view._race.places())
    ask(view, "set", racer=0, rate=0.02)
    ask(view, "step", steps=10)
    ask(view, "drop", x=0.0, y=0.5, count=3, radius=0.5)
    ask(view, "set", settings={"beta1": 0.5}, decay=0.01)
    ask(view, "step", steps=25)
    text = ask(view, "script")["text"]
    assert "race.drop(x=0.0, y=0.5, count=3, radius=0.5)" in text
    np.testing.assert_array_equal(executed(text), view._race.places())
    # Back in time, it is the script up to there.
    ask(view, "scrub", step=105)
    np.testing.assert_array_equal(executed(ask(view, "script")["text"]), view._race.places())
    assert "median" in capsys.readouterr().out


def test_the_script_of_a_formula_with_planned_drops(view):
    start(
        view,
        surface=None,
        formula="x^2 + 3*y^2",
        bounds=[-1, 2, -1, 1],
        racers=[{"optimizer": "sgd", "rate": 0.05, "decay": 0.1}],
        balls=5,
        spread="point",
        at=[1.5, 0.5],
        drops=[[0.5, 0.5, 2, 0.25, 8]],
    )
    assert view._race.each == 5
    ask(view, "step", steps=20)
    assert view._race.each == 7
    np.testing.assert_array_equal(executed(ask(view, "script")["text"]), view._race.places())


def test_before_a_start_everything_asks_for_one(view):
    for kind, fields in (
        ("run", {"on": True}),
        ("step", {}),
        ("advance", {"frames": 1}),
        ("set", {"rate": 0.1}),
        ("drop", {"x": 0, "y": 0}),
        ("scrub", {"step": 0}),
        ("inspect", {"racer": 0, "ball": 0}),
        ("racer", {"remove": 0}),
        ("script", {}),
        ("csv", {}),
    ):
        with pytest.raises(FalllineError, match="No race has been started"):
            ask(view, kind, **fields)
    assert view.interval is None
    ask(view, "pace", steps=5)
    ask(view, "inspect", off=True)


STARTS = [
    ({"surface": "himmelblow"}, "did you mean 'himmelblau'"),
    ({"surface": None}, "needs a surface"),
    ({"formula": "x^2 +"}, "at its end"),
    ({"formula": "sinn(x)"}, "did you mean 'sin'"),
    ({"formula": "log(-1-x^2)"}, "no finite height"),
    ({"bounds": [1, 0, 0, 1]}, "low before"),
    ({"bounds": [0, 1]}, "four numbers"),
    ({"balls": 20_001}, "between 1 and 20000"),
    ({"balls": 0}, "between"),
    ({"balls": 20_000, "drops": [[0, 0, 100, 1, 5]]}, "room for 20,000"),
    ({"seed": -1}, "between"),
    ({"racers": []}, "at least one optimizer"),
    ({"racers": [SGD] * 13}, "more than 12"),
    ({"racers": [{"optimizer": "adm"}]}, "did you mean 'adam'"),
    ({"racers": [{"optimizer": "adam", "settings": {"beta3": 1}}]}, "beta"),
    ({"racers": [{"optimizer": "adam", "settings": {"beta1": 1.0}}]}, "must lie between"),
    ({"racers": [{"optimizer": "momentum", "settings": {"average": 0.5}}]}, "true or false"),
    ({"racers": [{"optimizer": "sgd", "rate": "fast"}]}, "must be a number"),
    ({"racers": [{"optimizer": "sgd", "rate": -1}]}, "between"),
    ({"racers": [{"optimizer": "sgd", "decay": 2}]}, "between"),
    ({"noise": -0.1}, "between"),
    ({"spread": "circle"}, "choose one of"),
    ({"spread": "point", "at": [1]}, "two numbers"),
    ({"drops": [[1, 2]]}, "five numbers"),
    ({"drops": {"x": 1}}, "list"),
]


@pytest.mark.parametrize(("fields", "words"), STARTS)
def test_a_start_that_does_not_fit_is_a_sentence_and_the_run_goes_on(view, fields, words):
    start(view)
    count = len(view.out.sent)
    with pytest.raises(FalllineError, match=words):
        start(view, **fields)
    assert len(view.out.sent) == count
    ask(view, "step", steps=1)
    assert view.out.frames[-1].flags == 1


def test_no_message_does_harm(view):
    start(view)
    values = [None, True, -1, 0, 1, 0.5, 1e300, 2**40, "x", "", [], [1, 2], {}, {"a": 1}]
    fields = {
        "set": ("racer", "rate", "settings", "decay", "noise"),
        "pace": ("steps", "frames"),
        "run": ("on",),
        "step": ("steps",),
        "drop": ("x", "y", "count", "radius"),
        "scrub": ("step",),
        "inspect": ("racer", "ball", "off"),
        "racer": ("add", "remove"),
        "basins": ("on",),
    }
    good = {
        "drop": {"x": 0.0, "y": 0.0},
        "inspect": {"racer": 0, "ball": 0},
        "set": {"racer": 0, "rate": 0.01},
    }
    for kind, names in fields.items():
        for name, value in itertools.product(names, values):
            if (kind, value) == ("racer", 0) or (kind, name, value) == ("basins", "on", True):
                continue
            with contextlib.suppress(FalllineError):
                ask(view, kind, **{**good.get(kind, {}), name: value})
    with pytest.raises(FalllineError, match="knows no message 'jump'"):
        ask(view, "jump")
    ask(view, "run", on=False)
    ask(view, "step", steps=1)


@pytest.mark.parametrize("bounds", [[-1e15, 1e15, -1e15, 1e15], [0, 1e-30, 0, 1e-30]])
def test_windows_out_of_all_proportion(view, bounds):
    start(view, bounds=bounds)
    ask(view, "step", steps=3)
    ask(view, "inspect", racer=0, ball=0)
    ask(view, "scrub", step=1)
    assert view.out.frames[-1].n == 40


def test_a_tick_of_twenty_thousand_balls_is_short(view):
    start(view, balls=20_000)
    ask(view, "run", on=True)
    took = []
    for _ in range(40):
        began = time.perf_counter()
        view.tick()
        took.append(time.perf_counter() - began)
    # Other work on the machine only lengthens a tick: the shortest tells. It is about 3 ms.
    assert min(took) < 0.03
