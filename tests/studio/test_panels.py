"""Panels and maps of a run in a real browser, fed by hand: odd names, holes, one row, huge numbers, keys."""

from __future__ import annotations

import pytest
from browser import Served, browsing, chromium, paged
from fed import (
    CARD,
    FINDING,
    HEAT,
    MAP_DATA,
    MAPS,
    MAPS_MADE,
    PANEL_DATA,
    PANELS,
    PANELS_MADE,
    STEPS,
    SURFACE,
)

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="needs chromium: apt install chromium, or FALLLINE_CHROMIUM"
)


@pytest.fixture(scope="module")
def page():
    """A page with one panel and one map of each kind, in no view."""
    studio = Served("diabetes")
    try:
        with browsing() as browser, paged(browser, studio) as seen:
            seen.open(view="fit")
            assert seen.page.evaluate(PANELS_MADE, PANELS)
            assert seen.page.evaluate(MAPS_MADE, MAPS)
            yield seen
            assert not seen.complaints
            assert not seen.foreign
    finally:
        studio.stop()


# --- panels --------------------------------------------------------------------------------------


def shown(page, name, data):
    """What a panel says of its data, to a test and to a reader."""
    page.page.evaluate(f"(data) => window.panels[{name!r}].set(data)", data)
    if data is not None:
        page.until(f"window.panels[{name!r}].test.drawn !== false")
    return page.page.evaluate(
        f"[window.panels[{name!r}].test, window.panels[{name!r}].element.textContent]"
    )


@pytest.mark.parametrize("name", PANELS)
def test_names_like_markup_are_text_and_nothing_is_a_sentence(page, name):
    _, text = shown(page, name, PANEL_DATA[name])
    assert ("<script>" in text) is (name not in ("rates", "losses"))
    found = page.page.evaluate(
        f"""(() => {{
          const {{ element }} = window.panels[{name!r}];
          const scripts = document.querySelectorAll('.fallline-panel script').length;
          return {{ hurt: window.hurt ?? 0, scripts, wide: element.scrollWidth - element.clientWidth }};
        }})()"""
    )
    assert (found["hurt"], found["scripts"]) == (0, 0)
    assert found["wide"] <= 1
    _, empty = shown(page, name, None)
    assert len(empty.strip().splitlines()) == 1
    assert len(empty) > 10


def test_lines_keep_their_zoom_and_take_a_logarithmic_axis_by_themselves(page):
    test, _ = shown(page, "lines", PANEL_DATA["lines"])
    assert test["log"]
    page.page.evaluate("window.panels.lines.setZoom([20, 40])")
    flat = {
        **PANEL_DATA["lines"],
        "lines": [{"name": "a", "x": STEPS, "y": [1 + s / 100 for s in STEPS]}],
    }
    test, _ = shown(page, "lines", flat)
    assert not test["log"]
    assert test["zoom"] == [20, 40]
    assert 1.1 < test["y"][0] < 1.2
    assert 1.4 < test["y"][1] < 1.5
    one = {**flat, "lines": [{"name": "a", "x": [3], "y": [2.5]}]}
    assert shown(page, "lines", one)[0]["lines"] == [{"name": "a", "points": 1}]


def test_losses_read_out_the_step_and_mark_the_best_epoch(page):
    test, _ = shown(page, "losses", PANEL_DATA["losses"])
    assert [line["points"] for line in test["lines"]] == [89, 100, 3]
    assert test["best"] == {"step": 50, "loss": 0.25, "epoch": 2}
    assert test["place"] == "step 100 · epoch 4"
    assert test["legend"][2] == "validation0.3000"


def test_flow_says_in_words_what_lies_outside_the_usual_range(page):
    test, _ = shown(page, "flow", PANEL_DATA["flow"])
    assert test["rows"] == [["2.0e−3", "0.050", "high"], ["–", "1.5e−3", ""]]


def test_findings_and_results_are_said_with_their_direction(page):
    test, text = shown(page, "findings", PANEL_DATA["findings"])
    assert test["names"] == ["dead-units"]
    assert test["withdrawn"] == ["plateau"]
    assert "diverged" in text
    assert "1.00e−30" in text
    _, text = shown(page, "summary", CARD)
    assert "Lower is better" in text
    assert "14,861 training" in text


def test_figures_end_before_a_comma_and_losses_below_zero_have_no_bars(page):
    proof = {"helped": True, "quantity": "training_loss", "before": 1e-10, "after": -2.5}
    finding = {**FINDING, "verdict": "From 1,234, to −0.5, with v2.3.1.", "proven": proof}
    shown(page, "findings", {**PANEL_DATA["findings"], "findings": [finding], "withdrawn": []})
    told = page.page.evaluate(
        """(() => {
          const of = (query) => [...window.panels.findings.element.querySelectorAll(query)];
          return [of('h3 .figure').map((one) => one.textContent), of('.proof-bar').length];
        })()"""
    )
    assert told == [["1,234", "−0.5"], 0]


def test_a_result_s_numbers_are_as_the_reader_knows_them(page):
    baselines = [{"name": "majority", "value": 0.1003}]
    result = {"metric": "accuracy", "value": 0.98886, "baseline": 0.2, "others": []}
    _, text = shown(page, "summary", {**CARD, "result": result, "baselines": baselines})
    assert "98.9\u202f%" in text
    assert "10.0\u202f%" in text
    assert "20" not in text.partition("Higher")[0]


# --- maps ----------------------------------------------------------------------------------------


def mapped(page, name, data):
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


@pytest.mark.parametrize("name", MAPS)
def test_names_on_a_map_are_text_and_nothing_is_a_sentence(page, name):
    found = mapped(page, name, MAP_DATA[name])
    assert found["painted"]
    assert not found["markup"]
    assert "maps." not in found["said"]
    assert "NaN" not in found["said"]
    assert "undefined" not in found["said"]
    empty = mapped(page, name, None)
    assert empty["said"].startswith("No ")


def test_a_slice_prints_the_share_of_the_path_and_counts_its_holes(page):
    found = mapped(page, "surface", [SURFACE])
    assert found["explained"] == "This plane explains 94 % of the path"
    assert found["holes"]
    assert found["contours"] > 3
    hardly = mapped(page, "surface", [{**SURFACE, "kind": "random", "explained": [0.002, 0.001]}])
    assert hardly["kind"] == "random"
    assert hardly["explained"].startswith("0.3 %: the path is hardly")


def test_the_cells_of_a_sweep_are_coloured_by_rank_and_picked_by_keys(page):
    found = mapped(page, "heat", HEAT)
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
    found = mapped(page, "bundle", MAP_DATA["bundle"])
    assert found["log"]
    assert found["y"][1] < 10
    page.page.evaluate("window.maps.bundle.canvas.focus()")
    page.page.keyboard.press("ArrowUp")
    page.page.keyboard.press("ArrowUp")
    assert page.page.evaluate("window.maps.bundle.test.hovered") == 1


def test_recall_and_precision_are_in_the_table_too(page):
    mapped(page, "confusion", {"classes": ["a", "b"], "counts": [[9, 1], [4, 6]]})
    cells = page.page.evaluate(
        "[...window.maps.confusion.table.querySelectorAll('tbody tr')].map((r) => r.textContent)"
    )
    assert cells == ["a9190 %", "b4660 %", "precision69 %86 %75 %"]
    assert page.page.evaluate("window.maps.confusion.test.right") == 15
