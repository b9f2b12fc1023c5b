"""``run.show()``, ``terrain.show()``, ``run.plot()``: the widget, its picture, and the page it stands in."""

import base64
import dataclasses
import gzip
import io
import json
import pickle
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

import fallline
from fallline import FalllineError, terrains
from fallline.models import Linear
from fallline.show import overview, squeeze, widget

# The browser of the studio's tests, and the cards of the report's.
sys.path += [str(Path(__file__).parents[1] / room) for room in ("studio", "page")]
from browser import browsing, chromium

HIMMELBLAU = terrains.by_name("himmelblau")
HOSTILE = "</style><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"

# A front end as anywidget describes it: the module, a model that is asked by name, an element.
HOST = """async (given) => {
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const state = { ...given.state, surface: bytes(given.surface), paths: bytes(given.paths) };
  const el = document.createElement('div');
  document.body.replaceChildren(el);
  const source = URL.createObjectURL(new Blob([state._esm], { type: 'text/javascript' }));
  const { default: kind } = await import(source);
  window.leave = await kind.render({ model: { get: (name) => state[name] }, el });
  window.host = el.querySelector('.fallline-host');
  return host.fallline.root.textContent;
}"""


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    yield
    assert not plt.get_fignums()


@pytest.fixture(scope="module")
def run():
    random = np.random.default_rng(0)
    X = random.normal(size=(120, 2)).astype(np.float32)
    return fallline.train(Linear(2), "squared_error", (X, X @ [1, 2]), epochs=5, learning_rate=0.1)


@pytest.fixture(scope="module")
def descent():
    return fallline.minimize(HIMMELBLAU, (1.0, 1.0), "sgd", learning_rate=0.01, steps=40, path=True)


@pytest.fixture(scope="module")
def race():
    """A terrain with a name that is no good, and a race on it."""
    terrain = dataclasses.replace(HIMMELBLAU, title=HOSTILE, axes=(HOSTILE, "y"))
    return terrain.show(["sgd"], balls=20, steps=30, learning_rates={"sgd": 0.01}, lang="en")


@pytest.fixture(scope="module")
def page():
    if chromium() is None:
        pytest.skip("needs chromium: apt install chromium, or FALLLINE_CHROMIUM")
    with browsing() as browser:
        page = browser.new_context(viewport={"width": 900, "height": 640}).new_page()
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda asked: page.complaints.append(asked.url))
        page.set_content("<html lang=fr><body></body></html>")
        yield page


def hosted(page, shown):
    """Show a widget in a page; the texts that stand in it."""
    state = {k: v for k, v in shown.get_state().items() if isinstance(v, (str, int, dict))}
    packed = {k: base64.b64encode(getattr(shown, k)).decode() for k in ("surface", "paths")}
    page.complaints.clear()
    return page.evaluate(HOST, {"state": state, **packed})


def seen(page):
    """What the widget says that it shows, and what became of the page."""
    assert not [c for c in page.complaints if not c.startswith(("blob:", "data:"))]
    assert page.evaluate("[document.documentElement.lang, window.hacked ?? 0].join()") == "fr,0"
    return page.evaluate("JSON.parse(JSON.stringify(host.fallline.tenant.test))")


def test_a_widget_carries_a_picture_for_those_who_cannot_run_it(run, race):
    for shown, kind in ((run.show(), "image/png"), (race, "image/jpeg")):
        bundle, about = shown._repr_mimebundle_()
        assert set(bundle) == {"application/vnd.jupyter.widget-view+json", "text/plain", kind}
        picture = Image.open(io.BytesIO(base64.b64decode(bundle[kind])))
        assert picture.width >= 1.4 * about[kind]["width"]
        assert len(bundle[kind]) < 250_000


def test_without_anywidget_there_is_the_picture(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    widget._kind.cache_clear()
    try:
        shown = run.show()
    finally:
        widget._kind.cache_clear()
    assert "pip install 'fallline[notebook]'" in repr(shown)
    assert set(shown._repr_mimebundle_()[0]) == {"text/plain", "image/png"}


def test_a_widget_is_small(run, race):
    sizes = [
        len(json.dumps({**s.data, **{n: getattr(s, n) for n in ("_esm", "modules", "sheet")}}))
        for s in (run.show(), race)
    ]
    assert sizes[0] < 250_000
    assert sizes[1] + 4 / 3 * len(race.paths + race.surface) < 400_000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"height": 50}, "from 200 to 2,000"),
        ({"height": "400px"}, "whole number of pixels"),
        ({"theme": "drak"}, "dark"),
        ({"lang": "tlh"}, "does not speak"),
    ],
)
def test_what_there_is_not_is_refused(run, options, words):
    with pytest.raises(FalllineError, match=words):
        run.show(**options)


def test_too_many_balls_are_refused_before_they_roll():
    with pytest.raises(FalllineError, match="at most 5,000 balls"):
        HIMMELBLAU.show(balls=2000)


def test_the_standings_are_those_of_the_balls(race):
    steps, standings = race.data["steps"], np.array(race.data["standings"], float)
    assert steps[0] == 0
    assert steps[-1] == 30
    assert standings.shape == (len(steps), 1, 3)
    assert standings[-1, 0, 0] < standings[0, 0, 0] / 10
    assert 0 <= standings[0, 0, 1] < standings[-1, 0, 1] <= 1
    assert (standings[:, 0, 2] == 0).all()


def test_places_come_back_and_a_ball_that_is_lost_has_none():
    ways = np.array([[[0.0, 0.0], [1.0, 1.0]], [[0.5, -2.5], [np.nan, np.inf]]])
    low, high = np.frombuffer(gzip.decompress(squeeze.places(HIMMELBLAU, ways)), np.uint8).reshape(
        2, -1
    )
    folded = low.astype(np.uint16) | (high.astype(np.uint16) << 8)
    steps = (folded >> 1) ^ (0 - (folded & 1)).astype(np.uint16)
    rows = np.cumsum(steps.reshape(4, 2), axis=1, dtype=np.uint16)
    assert (rows[2:, 1] == 65535).all()
    least, most = np.array(HIMMELBLAU.bounds).T
    found = rows[:2].T / squeeze.MOST * 2 * squeeze.REACH - squeeze.REACH
    np.testing.assert_allclose(
        found * ((most - least) / 2) + (least + most) / 2, ways[:, 0], atol=1e-3
    )


def test_a_run_plots_its_losses_rate_and_gradients(run):
    ax = run.plot(theme="dark")
    assert [a.get_ylabel() for a in ax.figure.axes] == ["loss", "learning rate", "gradient norm"]
    plt.close(ax.figure)
    alone = plt.figure().add_subplot()
    assert run.plot(alone) is alone
    assert len(alone.figure.axes) == 1
    plt.close(alone.figure)


def test_a_descent_plots_its_values_and_its_path(descent):
    ax = descent.plot()
    assert len(ax.figure.axes) == 2
    np.testing.assert_allclose(ax.lines[0].get_ydata(), descent.history.loss)
    assert ax.figure.axes[1].get_title(loc="left") == "Himmelblau's function"
    alone = dataclasses.replace(descent, path=None).plot(theme="dark")
    assert len(alone.figure.axes) == 1
    plt.close("all")


def test_balls_that_stop_stay_and_those_that_are_lost_are_worst():
    nan = np.nan
    values = np.array([[4.0, 1.0, nan, nan], [4.0, 9.0, nan, nan]])
    held = overview._held(values, np.array([False, True]))
    assert held.tolist() == [[4.0, 1.0, 1.0, 1.0], [4.0, 9.0, np.inf, np.inf]]


def test_a_terrain_plots_itself():
    ax = HIMMELBLAU.plot(theme="dark")
    assert (ax.name, ax.get_title(loc="left")) == ("rectilinear", "Himmelblau's function")
    plt.close(ax.figure)


def test_a_descent_on_a_terrain_rolls_even_if_it_kept_no_path(descent):
    shown = dataclasses.replace(descent, path=None).show()
    assert shown.entry == "fallline/notebook/terrain"
    assert shown.data["racers"] == [
        {"title": "SGD", "optimizer": "sgd", "rate": pytest.approx(0.01)}
    ]
    assert shown.data["steps"][-1] == descent.nit


def test_a_run_is_pickled_as_before(run):
    again = pickle.loads(pickle.dumps(run))
    assert again.asked is None
    # The rows are gone; the curves are not.
    assert again.show().data["card"]["instruments"] is None


def test_the_terrain_in_a_page(page, race):
    text = hosted(page, race)
    assert HOSTILE in text
    page.evaluate("host.fallline.tenant.scrub(30)")
    shown = seen(page)
    assert (shown["step"], shown["n"], shown["playing"]) == (30, 20, False)
    assert shown["medians"] == [pytest.approx(race.data["standings"][-1][0][0])]
    z = HIMMELBLAU.grid(257)[2]
    assert shown["range"] == pytest.approx([z.min(), z.max()], rel=1e-3)
    places = np.array(shown["positions"]).reshape(-1, 2) * 5
    found = np.array([(m.x, m.y) for m in HIMMELBLAU.minima])
    away = np.linalg.norm(places[:, None] - found, axis=2).min(axis=1)
    assert np.median(away) < 0.05
    page.evaluate("leave()")
    assert page.evaluate("document.querySelector('.fallline-host')") is None


def test_a_run_in_a_page(page, run):
    from cards import HOSTILE as WORSE
    from cards import full

    shown = run.show(lang="zh", theme="dark")
    shown.data = {"card": full(WORSE)}
    hosted(page, shown)
    for tab in seen(page)["tabs"]:
        page.evaluate(f"host.fallline.tenant.choose('{tab}')")
    drawn = seen(page)
    assert {"losses", "flow", "confusion", "findings", "summary"} <= set(drawn["panels"])
    root = "host.fallline.root"
    assert page.evaluate(f"{root}.querySelectorAll('script, img').length") == 0
    assert page.evaluate(f"{root}.dataset.theme + {root}.lang") == "darkzh-Hans"
    assert "损失" in page.evaluate(f"{root}.textContent")
    page.evaluate("leave()")
