"""The gallery in a real browser: guess by the keyboard, hear the doctor, keep the score."""

from __future__ import annotations

import pytest
from browser import Served, browsing, chromium, paged

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="needs chromium: apt install chromium, or FALLLINE_CHROMIUM"
)


def test_a_guess_a_verdict_and_the_score():
    served = Served()
    try:
        with browsing() as browser, paged(browser, served) as seen:
            seen.open(view="gallery", case="landing", seed=5)
            gallery = "window.fallline.views.gallery"
            seen.until(f"{gallery}.test.symptoms")
            assert seen.test("view.test.verdict", "gallery") is None
            assert not seen.page.locator(".of-findings").is_visible()
            seen.page.keyboard.press("h")
            assert seen.page.locator(".pointed.of-gradient").count() == 1
            answers = seen.test("view.test.answers", "gallery")
            seen.page.keyboard.press(str(1 + answers.index("converged")))
            seen.until(f"{gallery}.test.verdict")
            assert seen.test("view.test.verdict", "gallery") == ["saddle-point"]
            assert "lowest" in seen.page.locator(".outcome").inner_text()
            assert "smallest curvature" in seen.page.locator(".of-findings").inner_text()
            assert seen.page.locator(".answer.is-right").inner_text().endswith("Saddle point")
            assert "case=landing" in seen.until("location.hash.includes('answer') && location.hash")
            # In the other language the doctor is asked again.
            seen.page.keyboard.press("L")
            seen.until(f"{gallery}.test.lang === 'zh'")
            assert "鞍点" in seen.page.locator(".of-findings").inner_text()
            seen.page.keyboard.press("Escape")
            assert seen.page.locator(".card.wrong").count() == 1
            assert seen.test("[view.test.right, view.test.answered]", "gallery") == [0, 1]
            # The browser keeps the score, and a link shows the same.
            seen.open(view="gallery")
            seen.until(f"{gallery}.test.patients.length === 10")
            assert seen.test("view.test.answered", "gallery") == 1
            assert not seen.complaints
            assert not seen.foreign
    finally:
        served.stop()
