"""The network view in a real browser: it trains, shows the engine's numbers, and takes names as they are."""

from __future__ import annotations

import csv

import pytest
from browser import Served, browsing, chromium, paged

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="needs chromium: apt install chromium, or FALLLINE_CHROMIUM"
)

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    path = folder / "<b>table.csv"
    rows = [[HOSTILE, "<img src=x onerror=alert(2)>", "label"]]
    rows += [[i % 7, i % 5, HOSTILE if i % 2 else '"><svg onload=alert(3)>'] for i in range(120)]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    served = Served(str(path), "--runs", str(folder / "runs"))
    try:
        with browsing() as browser, paged(browser, served) as page:
            yield page
    finally:
        served.stop()


def test_a_link_trains_and_shows_names_as_they_are(seen):
    seen.open(view="network", hidden="8", learning_rate=0.02, epochs=20, advance=20)
    network = "window.fallline.views.network"
    seen.until(f"{network}.test.advanced === 20 && {network}.test.seen > 0")
    test = seen.test("view.test", "network")
    assert (test["epoch"], test["runs"][0]["phase"]) == (20, "ended")
    assert {"losses", "boundary", "confusion", "findings", "flow"} <= set(test["panels"])
    assert 0 < test["loss"] < 5
    assert seen.page.evaluate("document.querySelectorAll('#views script, #views img').length") == 0
    assert HOSTILE in seen.page.inner_text(".view-network .left")
    assert not seen.complaints
    assert not seen.foreign


def test_the_keyboard_resets_and_the_address_keeps_the_settings(seen):
    seen.page.keyboard.press("r")
    network = "window.fallline.views.network"
    seen.until(f"{network}.test.runs.length === 0")
    state = seen.page.evaluate(f"{network}.state()")
    assert (state["hidden"], state["learning_rate"], state["epochs"]) == ("8", 0.02, 20)
