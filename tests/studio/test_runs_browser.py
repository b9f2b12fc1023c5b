"""The runs and compare views in a real browser: hostile names are text, choices are in the address."""

import pytest
from browser import Served, browsing, chromium, paged

import fallline

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="needs chromium: apt install chromium, or FALLLINE_CHROMIUM"
)

NAME = "<img src=x onerror=alert(1)>"
TARGET = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    rows = 60
    table = {
        '"><b>': [i % 7 for i in range(rows)],
        TARGET: ["</td><script>alert(2)" if i % 7 < 3 else "no" for i in range(rows)],
    }
    for name, rate in ((NAME, 0.1), ("plain", 0.3)):
        options = {"model": "linear", "epochs": 4, "learning_rate": rate}
        fallline.fit(table, TARGET, out=folder / name, **options)
    (folder / "broken").mkdir()
    (folder / "broken" / "run.json").write_text("{")
    return folder


@pytest.fixture(scope="module")
def seen(folder):
    studio = Served("--runs", str(folder))
    try:
        with browsing() as browser, paged(browser, studio) as page:
            page.dialogs = []
            page.page.on("dialog", lambda dialog: (page.dialogs.append(dialog), dialog.dismiss()))
            yield page
    finally:
        studio.stop()


def test_a_hostile_run_is_shown_as_text(seen):
    seen.open(view="runs", run=NAME)
    seen.until("window.fallline.views.runs.test.cards.length === 1")
    test = seen.test("view.test", "runs")
    assert test["title"] == NAME
    assert test["steps"] == 4
    assert test["runs"] == 3
    text = seen.page.inner_text("#panel-runs")
    assert NAME in text
    assert TARGET in text
    assert seen.page.locator("#panel-runs img, #panel-runs script").count() == 0
    assert not seen.dialogs
    assert not seen.foreign
    assert not seen.complaints


def test_runs_are_chosen_compared_and_kept_in_the_address(seen):
    seen.open(view="runs", run="plain")
    seen.until("window.fallline.views.runs.test.cards.length === 1")
    seen.page.locator("#panel-runs .items li", has_text=NAME).locator("input").check()
    seen.until("window.fallline.views.runs.test.cards.length === 2")
    seen.until("window.fallline.views.runs.test.differ.includes('learning_rate')")
    assert seen.test("view.state().runs", "runs") == ["plain", NAME]
    seen.page.locator("#panel-runs .foot button").click()
    seen.until("window.fallline.views.runs.test.chosen.length === 1")
    seen.page.locator("#panel-runs .items li", has_text="broken").locator("button").click()
    seen.until("window.fallline.views.runs.test.notice.includes('run.json is damaged')")
    seen.page.fill("#panel-runs .filter", "plain")
    seen.until("window.fallline.views.runs.test.shown === 1")
    assert not seen.complaints


def test_a_sweep_is_run_and_a_cell_is_looked_at(seen):
    settings = {"data": "diabetes", "model": "linear", "optimizers": ["sgd"], "count": 3, "seeds": 2,
                "second": "none", "budget": 5}  # fmt: skip
    seen.open(view="compare", go=True, **settings)
    seen.until("window.fallline.views.compare.test.cell", 120)
    test = seen.test("view.test", "compare")
    assert test["runs"] == 6
    assert test["picked"] == test["best"]
    assert test["cell"]["seeds"] == 2
    state = seen.test("view.state()", "compare")
    assert state["go"] is True
    assert {name: state[name] for name in ("model", "optimizers", "count", "seeds")} == {
        name: settings[name] for name in ("model", "optimizers", "count", "seeds")
    }
    seen.page.keyboard.press("ArrowLeft")
    seen.until(f"window.fallline.views.compare.test.picked[0] === {test['best'][0] - 1}")
    assert not seen.complaints
