"""The maps of a run in a real browser, fed by hand: names like markup, holes, one row, huge numbers, keys."""

from __future__ import annotations

import pytest
from browser import Served, browsing, chromium, paged

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="needs chromium: apt install chromium, or FALLLINE_CHROMIUM"
)

EVIL = "<img src=x onerror=alert(1)>" + 8 * " a very long name"
KINDS = {
    "confusion": "Confusion",
    "residuals": "Residuals",
    "boundary": "Boundary",
    "surface": "Surface",
    "heat": "HeatMap",
    "bundle": "Bundle",
    "strips": "Strips",
}
MADE = """async (kinds) => {
  const { t, language } = await import('fallline/language');
  const services = { t, language, theme: () => 'dark', reduced: () => true, pixelRatio: 1 };
  window.maps = {};
  window.picked = [];
  const onpick = (...found) => window.picked.push(found);
  const root = document.createElement('div');
  root.style.cssText = 'position: fixed; inset: 0; z-index: 99; overflow: auto; background: #111';
  document.body.append(root);
  for (const [module, name] of Object.entries(kinds)) {
    const element = document.createElement('div');
    element.style.cssText = 'width: 460px; height: 340px';
    root.append(element);
    const Kind = (await import(`fallline/maps/${module}`))[name];
    window.maps[module] = new Kind(element, services, { onpick });
  }
  return true;
}"""
SURFACE = {
    "kind": "pca",
    "x": [-1.0, 0.0, 1.0],
    "y": [-1.0, 0.0, 1.0],
    "values": [[None, 5.0, 9.0], [4.0, 1.0, 4.0], [9.0, 5.0, 1e30]],
    "path": {"x": [0.9, None, 0.0], "y": [0.8, None, 0.0], "step": [1, 2, 3]},
    "explained": [0.7, 0.24],
    "eigenvalues": None,
    "start": 9.0,
    "end": 1.0,
    "rows": 10,
}
HEAT = {
    "x": [1e-3, 1e-2, 0.1],
    "y": [8, 16],
    "values": [[3.0, 1.0, None], [2.5, 2.0, None]],
    "diverged": [[False, False, True], [False, False, False]],
    "names": [EVIL, EVIL, EVIL],
    "best": [1, 0],
}
DATA = {
    "confusion": {"classes": [EVIL, "b"], "counts": [[9, 1], [0, 0]]},
    "residuals": {
        "actual": [1e30, None],
        "predicted": [-1e30, 2],
        "low": 0,
        "high": 0,
        "counts": [2],
        "name": EVIL,
    },
    "boundary": {
        "x": {"name": EVIL, "low": 0, "high": 1e-30},
        "y": {"name": EVIL, "low": 0, "high": 0},
        "n": 2,
        "values": [0, 1, 2, None],
        "certainty": [1, 0.4, 0.9, None],
        "kind": "classes",
        "classes": [EVIL, "b", "c"],
        "low": 0,
        "high": 2,
        "points": {"x": [0, None], "y": [0, 0], "target": [0, 2]},
    },
    "surface": [SURFACE],
    "heat": HEAT,
    "bundle": {
        "curves": [
            {"name": EVIL, "value": 1e-3, "x": [0, 1], "y": [1e30, None], "diverged": True},
            {"name": "b", "value": 1, "x": [0, 1, 2], "y": [4, 2, 1], "diverged": False},
        ],
        "valueName": EVIL,
        "log": True,
    },
    "strips": {
        "rows": [
            {"name": EVIL, "values": [1e-30, None], "median": 1e-30, "low": None, "high": 1e30},
            {"name": "adam", "values": [3], "median": 3, "low": 3, "high": 3, "note": EVIL},
        ],
        "measure": EVIL,
        "log": True,
    },
}


@pytest.fixture(scope="module")
def page():
    """A page with one map of each kind, in no view."""
    studio = Served("diabetes")
    try:
        with browsing() as browser, paged(browser, studio) as seen:
            seen.open(view="fit")
            assert seen.page.evaluate(MADE, KINDS)
            yield seen
            assert not seen.complaints
            assert not seen.foreign
    finally:
        studio.stop()


def shown(page, name, data):
    """What a map says of its data, to a test and to those who listen."""
    return page.page.evaluate(
        """([name, data]) => {
          const map = window.maps[name];
          map.set(data);
          map.resize();
          map.draw();
          const said = map.canvas.hidden ? map.nothing.textContent : map.canvas.getAttribute('aria-label');
          const probe = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
          probe.drawImage(map.canvas, 0, 0, 40, 40);
          const painted = probe.getImageData(0, 0, 40, 40).data.some((byte) => byte > 0);
          return { ...map.test, said, painted, markup: Boolean(map.root.querySelector('img')) };
        }""",
        [name, data],
    )


@pytest.mark.parametrize("name", KINDS)
def test_names_like_markup_are_text_and_nothing_is_a_sentence(page, name):
    found = shown(page, name, DATA[name])
    assert found["painted"]
    assert not found["markup"]
    assert "maps." not in found["said"]
    assert "NaN" not in found["said"]
    assert "undefined" not in found["said"]
    empty = shown(page, name, None)
    assert empty["said"].startswith("No ")


def test_a_slice_prints_the_share_of_the_path_and_counts_its_holes(page):
    found = shown(page, "surface", [SURFACE])
    assert found["explained"] == "This plane explains 94 % of the path"
    assert found["holes"]
    assert found["contours"] > 3
    hardly = shown(page, "surface", [{**SURFACE, "kind": "random", "explained": [0.002, 0.001]}])
    assert hardly["kind"] == "random"
    assert hardly["explained"].startswith("0.3 %: the path is hardly")


def test_the_cells_of_a_sweep_are_coloured_by_rank_and_picked_by_keys(page):
    found = shown(page, "heat", HEAT)
    # Values in order of size: 1, 2, 2.5, 3, evenly apart on the ramp.
    assert found["colours"] == [[1, 0, None], [pytest.approx(2 / 3), pytest.approx(1 / 3), None]]
    page.page.evaluate("window.maps.heat.canvas.focus()")
    for key in ("ArrowUp", "ArrowUp", "ArrowRight", "ArrowDown", "Enter"):
        page.page.keyboard.press(key)
    # It begins at the best cell, goes up to the second row, to the right, and down again.
    assert page.page.evaluate("window.maps.heat.test.cell") == [2, 0]
    assert page.page.evaluate("window.picked") == [[2, 0]]
    assert page.page.evaluate("window.maps.heat.test.live").startswith("diverged")


def test_a_bundle_keeps_diverged_curves_out_of_its_axis(page):
    found = shown(page, "bundle", DATA["bundle"])
    assert found["log"]
    assert found["y"][1] < 10
    page.page.evaluate("window.maps.bundle.canvas.focus()")
    page.page.keyboard.press("ArrowUp")
    page.page.keyboard.press("ArrowUp")
    assert page.page.evaluate("window.maps.bundle.test.hovered") == 1


def test_recall_and_precision_are_in_the_table_too(page):
    shown(page, "confusion", {"classes": ["a", "b"], "counts": [[9, 1], [4, 6]]})
    cells = page.page.evaluate(
        "[...window.maps.confusion.table.querySelectorAll('tbody tr')].map((r) => r.textContent)"
    )
    assert cells == ["a9190 %", "b4660 %", "precision69 %86 %75 %"]
    assert page.page.evaluate("window.maps.confusion.test.right") == 15
