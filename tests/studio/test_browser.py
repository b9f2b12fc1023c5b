"""The studio in a real browser: every view opens, runs, looks as it did, and shows the engine's numbers.

``FALLLINE_GOLDEN=write`` writes the pictures that are compared.
"""

from __future__ import annotations

import io
import os
import re
import time
from pathlib import Path

import numpy as np
import pytest
from browser import Served, browsing, chromium, paged

import fallline

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="needs chromium: apt install chromium, or FALLLINE_CHROMIUM"
)

GOLDEN = Path(__file__).parent / "golden"
VIEWS = {
    "terrain": (
        {"surface": "himmelblau", "balls": 400, "seed": 3, "advance": 20,
         "racers": [{"o": "sgd", "r": 0.01}, {"o": "adam", "r": 0.2}]},
        "test.step === 20",
    ),
    "fit": ({"advance": 30}, "test.step === 30"),
    "graph": (
        {"source": "expression", "formula": "x^3*y + exp(x*y)", "values": {"x": 1.5, "y": 0.5},
         "position": 7},
        "test.position === 7 && test.checked && !test.busy",
    ),
}  # fmt: skip
SIZES = [(1280, 720), (1480, 900), (1024, 768), (820, 1180)]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    studio = Served("diabetes")
    yield studio
    studio.stop()


@pytest.fixture(scope="module")
def browser():
    with browsing() as found:
        yield found


@pytest.fixture
def seen(browser, served):
    with paged(browser, served) as page:
        yield page


@pytest.fixture(scope="module", params=VIEWS)
def standing(request, browser, served):
    """A view opened once, for the tests that do no more than look at it."""
    with paged(browser, served) as page:
        opened(page, request.param, theme="dark")
        yield request.param, page


@pytest.fixture(scope="class")
def playing(browser, served):
    """A race opened once, for the tests that go on from wherever it is."""
    with paged(browser, served) as page:
        opened(page, "terrain")
        yield page


@pytest.fixture(scope="class")
def fitting(browser, served):
    """A fit opened once, for the tests that go on from wherever it is."""
    with paged(browser, served) as page:
        opened(page, "fit")
        yield page


def opened(seen, view, **state):
    """Open a view by its link and wait until it stands as the link says."""
    given, condition = VIEWS[view]
    seen.open(view=view, **{**given, **state})
    seen.until(
        f"(() => {{ const {{ test }} = window.fallline.views.{view}; return {condition}; }})()"
    )
    time.sleep(0.3)


def picture(seen):
    from PIL import Image

    image = Image.open(io.BytesIO(seen.page.screenshot())).convert("RGB")
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_view_looks_as_it_did_and_nothing_is_wrong_with_it(standing, theme):
    view, seen = standing
    seen.page.evaluate(f"window.fallline.setTheme('{theme}')")
    time.sleep(0.3)
    found = picture(seen)
    accessible(seen)
    assert not seen.complaints
    assert not seen.foreign
    path = GOLDEN / f"{view}_{theme}.webp"
    if os.environ.get("FALLLINE_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        found.save(path, "WEBP", lossless=True, method=6)
    from PIL import Image

    wanted = np.asarray(Image.open(path).convert("RGB"), np.int16)
    apart = np.abs(np.asarray(found, np.int16) - wanted).max(axis=2)
    # Fonts are the page's own; what may differ a little is how a renderer rounds edges.
    assert (apart > 40).mean() < 0.02
    assert apart.mean() < 3
    if theme == "light":
        exports_give_what_they_say(seen, view)


def exports_give_what_they_say(seen, view):
    exports = f"window.fallline.views.{view}.exports()"
    size = seen.page.evaluate(f"{exports}.png().then((blob) => [blob.type, blob.size])")
    assert size[0] == "image/png"
    assert size[1] > 5000
    rows = seen.page.evaluate(f"{exports}.csv()").strip().splitlines()
    assert len({row.count(",") for row in rows if '"' not in row}) == 1
    script = seen.page.evaluate(f"{exports}.python()")
    compile(script, "script.py", "exec")
    assert "import fallline" in script or "from fallline" in script
    with seen.page.expect_download() as download:
        seen.page.evaluate("window.fallline.export('csv')")
    assert download.value.suggested_filename == f"fallline-{view}.csv"


def accessible(seen):
    """No serious finding of axe-core's."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(seen.page)
    serious = [
        (v["id"], [n["target"] for n in v["nodes"]][:3])
        for v in found.response["violations"]
        if v["impact"] in ("serious", "critical")
    ]
    assert not serious


def test_the_numbers_are_those_of_the_engine_without_a_page(standing):
    view, seen = standing
    check = {
        "terrain": numbers_of_the_terrain,
        "fit": numbers_of_the_fit,
        "graph": numbers_of_the_graph,
    }
    check[view](seen)


def numbers_of_the_terrain(seen):
    terrain = fallline.terrains.by_name("himmelblau")
    starts = terrain.scatter(200, seed=3)
    (x0, x1), (y0, y1) = terrain.bounds
    low, high = np.array([x0, y0]), np.array([x1, y1])
    shown = np.array(seen.test("view.test.positions()")).reshape(2, 200, 2)
    medians = seen.test("view.test.medians()")
    optimizers = [fallline.optimizers.SGD(0.01), fallline.optimizers.Adam(0.2)]
    for k, optimizer in enumerate(optimizers):
        result = fallline.minimize(
            terrain, starts=starts, optimizer=optimizer, steps=20, tolerance=0
        )
        expected = (result.x - low) / (high - low) * 2 - 1
        assert np.abs(shown[k] - expected).max() < 2e-3
        assert medians[k] == pytest.approx(np.median(result.fun), rel=1e-3, abs=1e-6)
    # And what is written is what was computed.
    cells = seen.page.locator(".view-terrain table td").all_inner_texts()
    assert any(text.strip() for text in cells)


def numbers_of_the_fit(seen):
    slope, intercept = seen.test("view.test.parameters", "fit")
    loss = seen.test("view.test.loss", "fit")
    script = seen.page.evaluate("window.fallline.views.fit.exports().python()")
    names: dict[str, object] = {}
    exec(script, names)
    run = next(v for v in names.values() if type(v).__name__ == "Run")
    numbers = [float(np.ravel(leaf)[0]) for leaf in _leaves(run.params)]
    assert sorted(numbers) == pytest.approx(sorted([slope, intercept]), rel=1e-5)
    assert run.steps == 30
    assert np.isfinite(loss)


def numbers_of_the_graph(seen):
    found = seen.test("view.test.gradients", "graph")
    x, y = 1.5, 0.5
    e = np.exp(x * y)
    assert found["x"][0] == pytest.approx(3 * x * x * y + y * e, rel=1e-5)
    assert found["y"][0] == pytest.approx(x**3 + x * e, rel=1e-5)
    assert seen.test("view.test.value", "graph") == pytest.approx(x**3 * y + e, rel=1e-5)


def test_it_fits_the_window_in_both_languages(standing):
    _, seen = standing
    languages = ["en", "zh-Hans"]
    for width, height in SIZES:
        seen.page.set_viewport_size({"width": width, "height": height})
        for language in languages:
            if seen.page.evaluate("document.documentElement.lang") != language:
                seen.page.evaluate("window.fallline.speakNext()")
            seen.until(f"document.documentElement.lang === '{language}'")
            time.sleep(0.2)
            wide = seen.page.evaluate(
                "[document.documentElement.scrollWidth - innerWidth,"
                " document.documentElement.scrollHeight - innerHeight,"
                " ...[...document.querySelectorAll('.view:not([hidden]) .scroll')]"
                ".map((e) => e.scrollWidth - e.clientWidth)]"
            )
            assert max(wide) <= 1, (width, height, language, wide)
        # The next size begins with the language that is on.
        languages.reverse()
    seen.page.set_viewport_size({"width": 1280, "height": 720})
    assert not seen.complaints


def _leaves(tree):
    import jax

    return jax.tree.leaves(tree)


class TestTerrain:
    def test_an_earlier_step_comes_back_and_a_fork_goes_on_from_it(self, playing):
        late = playing.test("view.test.positions()")
        playing.page.evaluate("window.fallline.views.terrain.engine.scrub(5)")
        playing.until("window.fallline.views.terrain.test.step === 5")
        early = playing.test("view.test.positions()")
        assert early != late
        playing.page.evaluate("window.fallline.views.terrain.engine.scrub(20)")
        playing.until("window.fallline.views.terrain.test.step === 20")
        assert playing.test("view.test.positions()") == late

    def test_a_rate_is_changed_without_a_new_start(self, playing):
        step = playing.test("view.test.step")
        run, before = playing.test("view.test.run"), playing.test("view.test.positions()")
        slider = playing.page.locator(".view-terrain .racer input[type=range]").first
        slider.focus()
        playing.page.keyboard.press("ArrowLeft")
        playing.page.locator("body").click(position={"x": 700, "y": 20})
        playing.page.keyboard.press(".")
        playing.until(f"window.fallline.views.terrain.test.step === {step} + 1")
        assert playing.test("view.test.run") == run
        moved = np.abs(np.array(playing.test("view.test.positions()")) - np.array(before))
        assert 0 < moved.max() < 0.5

    def test_a_click_drops_a_ball_of_each_optimizer(self, playing):
        box = playing.page.locator(".view-terrain canvas").first.bounding_box()
        playing.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.62)
        playing.until("window.fallline.views.terrain.test.n === 402")
        # The link has it, too.
        playing.until("location.hash.includes('drops')")

    def test_keys_run_pause_step_and_reset_it(self, playing):
        page, step = playing.page, playing.test("view.test.step")
        page.locator("body").click(position={"x": 700, "y": 20})
        page.keyboard.press("Space")
        playing.until(f"window.fallline.views.terrain.test.step > {step} + 5")
        page.keyboard.press("Space")
        playing.until("!window.fallline.views.terrain.status().running")
        time.sleep(0.5)
        step = playing.test("view.test.step")
        page.keyboard.press(".")
        playing.until(f"window.fallline.views.terrain.test.step === {step} + 1")
        page.keyboard.press("r")
        playing.until("window.fallline.views.terrain.test.step === 0")
        assert not playing.complaints

    def test_a_hidden_view_is_not_computed(self, playing):
        before = playing.test("view.test.step")
        playing.page.evaluate("window.fallline.views.terrain.engine.run(true)")
        playing.until(f"window.fallline.views.terrain.test.step > {before} + 2")
        playing.page.locator("#tab-graph").click()
        playing.until("Boolean(window.fallline.views.graph)")
        time.sleep(0.7)
        step = playing.test("view.test.step")
        time.sleep(0.7)
        assert playing.test("view.test.step") == step

    def test_a_formula_that_cannot_be_read_is_a_sentence_where_it_was_typed(self, seen):
        opened(seen, "terrain", surface=None, formula="x^2 + 3*y^2", bounds=[-2, 2, -2, 2])
        area = seen.page.locator(".view-terrain textarea")
        area.fill("x^2 + cso(y)")
        area.press("Tab")
        seen.until(
            "document.querySelector('.view-terrain').textContent.includes(\"did you mean 'cos'\")"
        )
        assert seen.test("view.test.n") == 400  # the old one is still there


class TestFit:
    def test_a_click_paints_a_point(self, fitting):
        before = fitting.test("view.test.points", "fit")
        box = fitting.page.locator(".view-fit .stage").bounding_box()
        fitting.page.mouse.click(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.3)
        fitting.until(f"window.fallline.views.fit.test.points === {before + 1}")
        assert not fitting.complaints

    def test_from_a_line_to_its_loss_as_a_terrain(self, fitting):
        fitting.page.get_by_text("Open this loss as a terrain").click()
        fitting.until(
            "window.fallline.current === 'terrain' && window.fallline.views.terrain.test.n > 0"
        )
        assert not fitting.complaints


class TestGraph:
    def test_steps_go_forward_and_back(self, seen):
        opened(seen, "graph")
        seen.page.locator("body").click(position={"x": 700, "y": 20})
        seen.page.keyboard.press("ArrowRight")
        seen.until("window.fallline.views.graph.test.position === 8")
        seen.page.keyboard.press("Home")
        seen.until("window.fallline.views.graph.test.position === 0")


class TestLinkedViews:
    def test_from_a_ball_to_its_graph_and_back(self, seen):
        opened(seen, "terrain", surface=None, formula="x^2 + 3*y^2", bounds=[-2, 2, -2, 2])
        seen.page.evaluate("window.fallline.views.terrain.attention.next(1)")
        seen.until("Boolean(window.fallline.views.terrain.test.ball())")
        seen.page.evaluate("window.fallline.views.terrain.attention.toGraph()")
        seen.until(
            "window.fallline.views.graph?.test?.nodes > 3 && !window.fallline.views.graph.test.busy"
        )
        x, y = seen.page.evaluate("window.fallline.views.terrain.test.ball().place")
        assert seen.test("view.test.value", "graph") == pytest.approx(
            x * x + 3 * y * y, rel=1e-3, abs=1e-6
        )
        seen.page.evaluate(
            "window.fallline.show('terrain', {formula: 'x^2 + 3*y^2', bounds: [-1, 1, -1, 1]})"
        )
        seen.until("window.fallline.views.terrain.test.step === 0")
        assert not seen.complaints


class TestPage:
    def test_a_link_reproduces_the_view(self, seen):
        opened(seen, "terrain", theme="light", lang="zh", noise=0.5)
        seen.page.evaluate("window.fallline.write()")
        link = seen.page.evaluate("location.hash")
        places = seen.test("view.test.positions()")
        state = dict(part.split("=", 1) for part in link[1:].split("&"))
        assert state["theme"] == "light"
        assert state["lang"] == "zh"
        seen.page.goto("about:blank")
        seen.page.goto(f"{seen.origin}/{link}&advance=20")
        seen.until("window.fallline?.views?.terrain?.test?.step === 20")
        assert seen.test("view.test.positions()") == places

    def test_nonsense_in_a_link_does_no_harm(self, seen):
        seen.open(
            view="terrain",
            surface="nothing",
            balls="many",
            racers={"a": 1},
            seed=-5,
            bounds=[1],
            camera=7,
        )
        # What can be put right is; what cannot is said.
        seen.until("document.body.textContent.includes(\"no terrain called 'nothing'\")")
        seen.page.locator(".view-terrain select").first.select_option("himmelblau")
        seen.until("window.fallline.views.terrain.test.n > 0")
        assert not [text for text in seen.complaints if text.startswith("error:")]

    def test_language_and_theme_turn_without_a_reload(self, seen):
        opened(seen, "graph", theme="dark")
        seen.page.locator("body").click(position={"x": 700, "y": 20})
        seen.page.keyboard.press("L")
        seen.until("document.documentElement.lang === 'zh-Hans'")
        seen.until("document.querySelector('#tab-graph').textContent === '计算图'")
        seen.page.keyboard.press("T")
        seen.until("document.documentElement.dataset.theme === 'light'")
        texts = seen.page.locator("[data-t]").all_inner_texts()
        assert not [
            text for text in texts if re.match(r"(app|control|terrain|fit|graph)\.\w", text)
        ]
        seen.page.keyboard.press("L")
        seen.page.keyboard.press("?")
        assert seen.page.locator("dialog kbd").count() > 5

    def test_reduced_motion_is_kept(self, browser, served):
        with paged(browser, served, reduced_motion="reduce") as page:
            opened(page, "terrain")
            moving = page.page.evaluate("document.getAnimations().length")
            assert moving == 0
            assert not page.complaints


class TestConnections:
    def test_a_fifth_tab_is_told_so(self, browser, served):
        with paged(browser, served) as seen:
            context = seen.page.context
            pages = [seen.page, *(context.new_page() for _ in range(4))]
            for page in pages:
                page.goto(f"{served.origin}/#view=graph&lang=en")
                end = time.monotonic() + 20
                while time.monotonic() < end:
                    if page.evaluate(
                        "Boolean(window.fallline?.online || document.querySelector('.veil'))"
                    ):
                        break
                    time.sleep(0.1)
            assert "Too many tabs" in pages[-1].locator(".veil").inner_text()
            assert not pages[0].locator(".veil").count()
            pages[0].close()
            time.sleep(0.5)
            pages[-1].locator(".veil button").click()
            end = time.monotonic() + 20
            while not pages[-1].evaluate("Boolean(window.fallline?.online)"):
                assert time.monotonic() < end
                time.sleep(0.1)

    def test_a_stopped_studio_says_how_to_go_on(self, browser):
        studio = Served()
        with paged(browser, studio) as seen:
            seen.open(view="graph")
            studio.stop()
            seen.until("Boolean(document.querySelector('.veil'))")
            assert "fallline studio" in seen.page.locator(".veil").inner_text()
            assert studio.process.returncode in (0, -15)


def test_the_texts_of_the_wire_agree_with_the_page():
    """Kinds of frames are numbered in two languages."""
    from fallline.studio import wire

    source = (Path(fallline.__file__).parent / "page/static/js/wire.js").read_text("utf-8")
    named = dict(re.findall(r"^  (\w+): (\d+),$", source, re.MULTILINE))
    ours = {k: v for k, v in vars(wire).items() if k.isupper() and type(v) is int}
    assert {re.sub(r"([A-Z])", r"_\1", k).upper(): int(v) for k, v in named.items()} == ours
