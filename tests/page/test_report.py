"""The report: one file, readable without scripts, inert whatever a user's names are, drawn offline."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cards import HOSTILE, full

from fallline.errors import FalllineError
from fallline.page import captions
from fallline.page.hero import ended, shown
from fallline.page.markup import count, number, percent, seconds
from fallline.page.parts import EMPTY
from fallline.page.report import digest, in_a_script, report

sys.path.append(str(Path(__file__).parents[1] / "studio"))
from browser import FLAGS, chromium

LARGEST = 2_000_000
PANELS = {
    "summary", "findings", "losses", "rate", "norms", "range", "flow", "activations", "confusion",
    "residuals", "boundary", "surface-pca", "surface-random", "surface-hessian", "reproduce",
}  # fmt: skip


class Read(HTMLParser):
    """What a parser makes of a page: its elements, its text, its scripts."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.text, self.scripts, self.within = [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.within.append([tag, dict(attrs), ""])

    def handle_data(self, data):
        if self.within:
            self.within[-1][2] += data
        else:
            self.text.append(data)

    def handle_endtag(self, tag):
        if tag in ("script", "style") and self.within:
            self.scripts.append(tuple(self.within.pop()))


@pytest.fixture(scope="module")
def hostile():
    return report(full(HOSTILE), lang="en")


def test_the_policy_names_what_is_in_the_file_and_nothing_else(hostile):
    found = Read(hostile)
    policy = next(a["content"] for t, a in found.tags if t == "meta" and "http-equiv" in a)
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == ["'none'"]
    run = [
        text
        for tag, a, text in found.scripts
        if tag == "script" and a.get("type", "module") == "module"
    ]
    assert sorted(rules["script-src"]) == sorted([*map(digest, run), "blob:"])
    assert rules["style-src"] == [digest(t) for tag, _, t in found.scripts if tag == "style"]
    assert rules["font-src"] == ["data:"]
    assert "unsafe" not in policy
    assert not [a for _, a in found.tags if any(k == "style" or k.startswith("on") for k in a)]
    assert not [a for t, a in found.tags if t != "a" and (a.get("src") or a.get("href"))]
    assert len(hostile) < LARGEST


def test_hostile_names_are_text(hostile):
    found = Read(hostile)
    assert not [t for t, _ in found.tags if t == "img"]
    assert len([t for t, _ in found.tags if t == "script"]) == 4
    (card,) = [text for _, a, text in found.scripts if a.get("id") == "card"]
    assert json.loads(card) == full(HOSTILE)
    assert not re.search("[<>&\u2028\u2029]", card)
    assert f"{HOSTILE}-1" in "".join(found.text)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_without_scripts_it_tells_the_whole_story(lang):
    card = full("height")
    text = " ".join(" ".join(Read(report(card, lang=lang)).text).split())
    for said in (
        "height-1", "97.2 %", "1,234", "2 → relu 4 → 2", "Adam", "90.0 %",
        "The learning rate of 3 is too high for height.", "the loss of height rose to 2.5 (step 12)",
        "Set the learning rate to 0.1.", "fallline fit 'height' --lr 0.1", "LeCun et al. 1998",
        "fallline fit 'height.csv' --target 'height'", "0.10.0", "The table height has moved.",
        "∞", "Batches too small", {"en": "Withdrawn", "zh": "已撤回"}[lang],
    ):  # fmt: skip
        assert said in text, said
    assert "report." not in text.replace("report.html", "")
    assert "{" not in text


def test_a_card_of_which_little_is_known_is_a_report_too():
    text = " ".join(
        Read(
            report({**EMPTY, "title": "t", "status": "damaged", "remarks": ["Gone."]}, lang="en")
        ).text
    )
    assert "Damaged" in text
    assert "Gone." in text
    assert "None" not in text


def test_numbers_that_are_none_are_an_error_and_not_a_page():
    with pytest.raises(ValueError, match="not JSON compliant"):
        in_a_script({"loss": float("nan")})
    with pytest.raises(FalllineError, match="no theme 'darkk': .*dark"):
        report(full(), theme="darkk")
    with pytest.raises(FalllineError):
        report(full(), lang="fr")


def test_numbers_for_a_reader():
    assert [number(v) for v in (0.97251, -1234.5, 12_345_678, 2e-5, 0, None, 3e12)] == [
        "0.9725", "−1,234", "12,345,678", "2e−5", "0", "–", "3e12"]  # fmt: skip
    assert [percent(v) for v in (0, 1, 0.004, 0.995, 0.99999, 0.5, None)] == [
        "0\u202f%", "100\u202f%", "0.4\u202f%", "99.5\u202f%", "> 99.9\u202f%", "50\u202f%", "–"]  # fmt: skip
    assert [seconds(v) for v in (0.54, 75, 3700)] == ["0.54\u202fs", "1:15 min", "1:01:40"]
    assert count(1234.0) == "1,234"


def test_results_and_endings_are_said_as_the_reader_knows_them():
    assert [shown("r2", v) for v in (0.75931, -0.00073, -124.5)] == ["0.7593", "−0.0007", "−124.5"]
    assert [shown("accuracy", v) for v in (1, 0.98886, 0.9996)] == [
        "100\u202f%", "98.9\u202f%", "99.96\u202f%"
    ]  # fmt: skip
    stop = {"reason": "patience", "sentence": "Stopped after 24 of 100 epochs."}
    trained = {"batch_size": 64, "epochs": 24.0, "steps": 5592}
    assert "24 轮后停止" in str(ended({"stop": stop, "trained": trained}, "zh"))


def test_captions_follow_the_numbers():
    card = full()
    assert captions.losses(card)[0][0] == "report.caption.fell"
    assert captions.losses(card)[1] == ("report.caption.best", {"epoch": "4", "value": "0.31"})
    curves = card["curves"]
    blown = {**curves, "loss": [2.0, 90.0, None], "step": [1, 2, 3], "smooth": [2.0, 40.0, None]}
    (key, values), *_ = captions.losses({**card, "curves": blown, "epochs": {}})
    assert (key, values["step"], values["highest"]) == ("report.caption.blewUp", "3", "90")
    rising = {**curves, "smooth": [2.0] * 59 + [3.0]}
    assert captions.losses({**card, "curves": rising})[0][0] == "report.caption.rose"
    assert captions.learning_rate(card) == [("report.caption.rateSame", {"rate": "0.01"})]
    said = dict(captions.confusion(card))
    assert said["report.caption.confused"] == {"true": "height", "predicted": "other", "times": "5"}
    assert said["report.caption.confusion"]["share"] == "96\u202f%"
    assert dict(captions.activations(card))["report.caption.dead"]["share"] == "25\u202f%"
    assert captions.path(card, card["surfaces"][1])[0][0] == "maps.surface.about.pca"


@pytest.mark.skipif(chromium() is None, reason="needs chromium: apt install chromium")
def test_it_is_drawn_from_disk_and_asks_for_nothing(tmp_path, hostile):
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    path = tmp_path / "report.html"
    path.write_text(hostile, encoding="utf-8")
    complaints, asked = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            page = browser.new_page(viewport={"width": 1300, "height": 900}, color_scheme="dark")
            page.on("console", lambda m: complaints.append(f"{m.type}: {m.text}"))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
            page.on("request", lambda request: asked.append(request.url))
            page.goto(path.as_uri())
            until(page, "document.documentElement.dataset.ready === 'true'")
            assert page.evaluate("document.documentElement.dataset.theme") == "dark"
            assert set(page.evaluate("Object.keys(window.fallline.panels)")) == PANELS
            for name in PANELS:
                box = page.locator(f".canvas-{name}")
                assert box.bounding_box()["height"] > 40, name
                assert not box.locator(".empty, .maps-empty:not([hidden])").count(), name
            assert page.title().startswith(HOSTILE[:9])
            assert not page.evaluate("document.querySelectorAll('img').length")
            page.click("[data-do=language]")
            until(page, "document.documentElement.lang === 'zh-Hans'")
            assert "训练过程" in page.inner_text("#training h2")
            page.click("[data-do=theme]")
            assert page.evaluate("document.documentElement.dataset.theme") == "light"
            serious = [
                (v["id"], [n["html"][:200] for n in v["nodes"]])
                for v in Axe().run(page).response["violations"]
                if v["impact"] in ("serious", "critical")
            ]
            assert not serious
            # On paper the sheet is light, of one width, and everything is unfolded; then as before.
            page.click("[data-do=theme]")
            assert len(page.pdf(format="A4", print_background=True)) > 10_000
            assert page.evaluate("document.documentElement.dataset.theme") == "dark"
            assert not page.evaluate("document.documentElement.hasAttribute('data-paper')")
        finally:
            browser.close()
    assert not complaints
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
    assert [url for url in asked if url.startswith("file:")] == [path.as_uri()]


def until(page, script, limit=30):
    end = time.monotonic() + limit
    while True:
        with contextlib.suppress(Exception):
            if page.evaluate(script):
                return
        assert time.monotonic() < end, script
        time.sleep(0.05)
