"""The panels of a run in a real browser, fed by hand: names like markup, holes, one row, huge numbers."""

from __future__ import annotations

import math

import pytest
from browser import Served, browsing, chromium, paged

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="needs chromium: apt install chromium, or FALLLINE_CHROMIUM"
)

EVIL = "<script>window.hurt = 1</script>" + 8 * " a very long name"
KINDS = {
    "lines": "Lines",
    "losses": "Losses",
    "rates": "RangeTest",
    "flow": "Flow",
    "activations": "Activations",
    "findings": "Findings",
    "summary": "Summary",
    "reproduce": "Reproduce",
}
MADE = """async (kinds) => {
  const { t, language } = await import('fallline/language');
  const { panel } = await import('fallline/panels/frame');
  const services = { t, language, theme: () => 'dark', reduced: () => true, pixelRatio: 1 };
  window.panels = {};
  for (const [module, name] of Object.entries(kinds)) {
    const Kind = (await import(`fallline/panels/${module}`))[name];
    const box = panel(services, 'panels.model');
    box.body.style.cssText = 'width: 460px; height: 260px';
    document.body.append(box.element);
    window.panels[module] = new Kind(box.body, services);
  }
  return true;
}"""

FINDING = {
    "name": "dead-units",
    "title": EVIL,
    "complaint": True,
    "verdict": EVIL,
    "rule": EVIL,
    "source": EVIL,
    "fix": EVIL,
    "evidence": [
        {
            "quantity": "x",
            "value": 1.5,
            "against": None,
            "step": 3,
            "sentence": f"{EVIL} 1e-30 against 1e+30",
        }
    ],
    "changes": {"learning_rate": 0.1},
    "command": f"fallline fit '{EVIL}'",
    "proven": {"helped": True, "quantity": "training_loss", "before": None, "after": 1e-30},
}
CARD = {
    "title": EVIL,
    "status": "interrupted",
    "stop": {"reason": "steps", "sentence": EVIL},
    "best_epoch": 2,
    "trained": {
        "data": EVIL,
        "target": EVIL,
        "task": "regression",
        "rows": {"training": 14861},
        "features": 1,
        "columns": [{"name": EVIL, "kind": "numbers"}],
        "model": EVIL,
        "parameters": 10241,
        "loss": EVIL,
        "optimizer": {"name": EVIL, "settings": {EVIL: 1e-30}},
        "learning_rate": 1e-30,
    },
    "result": {
        "metric": "rmse",
        "value": 1.5,
        "baseline": None,
        "measured_on": "test",
        "others": [{"name": EVIL, "value": 1e30}],
    },
    "baselines": [{"name": EVIL, "value": 1e30}, {"name": "mean", "value": None}],
}
STEPS = list(range(1, 101))
DATA = {
    "lines": {
        "lines": [{"name": EVIL, "x": STEPS, "y": [10.0 ** (s - 50) for s in STEPS]}],
        "xKey": "panels.step",
        "yKey": "panels.loss",
        "marks": [{"x": 50, "name": EVIL, "y": 1.0}],
    },
    "losses": {
        "runs": [
            {
                "name": EVIL,
                "curves": {
                    "step": STEPS,
                    "loss": [None if s % 9 == 0 else math.exp(-s / 20) for s in STEPS],
                    "smooth": [math.exp(-s / 20) for s in STEPS],
                },
                "epochs": {"step": [25, 50, 75, 100], "validation_loss": [0.5, 0.25, None, 0.3]},
            }
        ]
    },
    "rates": {
        "learning_rates": [1e-6, 1e-3, 1.0],
        "losses": [1.0, 0.5, None],
        "chosen": 1e-3,
        "smooth": None,
    },
    "flow": {
        "layers": [
            {"name": EVIL, "shape": [64, 32], "gradient": 2e-3, "ratio": 0.05},
            {"name": "last", "gradient": None, "ratio": 1.5e-3},
        ]
    },
    "activations": [
        {
            "name": EVIL,
            "kind": "relu",
            "low": -1e30,
            "high": 1e30,
            "counts": 32 * [3],
            "mean": None,
            "std": None,
            "dead": 0.12,
            "saturated": None,
            "units": 64,
        }
    ],
    "findings": {
        "healthy": False,
        "headline": EVIL,
        "findings": [FINDING],
        "withdrawn": [{**FINDING, "name": "plateau"}],
        "measured": True,
        "seconds": 1.2,
    },
    "summary": CARD,
    "reproduce": {
        "command": EVIL,
        "python": EVIL,
        "seed": 0,
        "versions": {"jax": EVIL, "numpy": None},
    },
}


@pytest.fixture(scope="module")
def page():
    """A page with one panel of each kind, in no view."""
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
    """What a panel says of its data, to a test and to a reader."""
    page.page.evaluate(f"(data) => window.panels[{name!r}].set(data)", data)
    if data is not None:
        page.until(f"window.panels[{name!r}].test.drawn !== false")
    return page.page.evaluate(
        f"[window.panels[{name!r}].test, window.panels[{name!r}].element.textContent]"
    )


@pytest.mark.parametrize("name", KINDS)
def test_names_like_markup_are_text_and_nothing_is_a_sentence(page, name):
    _, text = shown(page, name, DATA[name])
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
    test, _ = shown(page, "lines", DATA["lines"])
    assert test["log"]
    page.page.evaluate("window.panels.lines.setZoom([20, 40])")
    flat = {
        **DATA["lines"],
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
    test, _ = shown(page, "losses", DATA["losses"])
    assert [line["points"] for line in test["lines"]] == [89, 100, 3]
    assert test["best"] == {"step": 50, "loss": 0.25, "epoch": 2}
    assert test["place"] == "step 100 · epoch 4"
    assert test["legend"][2] == "validation0.3000"


def test_flow_says_in_words_what_lies_outside_the_usual_range(page):
    test, _ = shown(page, "flow", DATA["flow"])
    assert test["rows"] == [["2.0e−3", "0.050", "high"], ["–", "1.5e−3", ""]]


def test_findings_and_results_are_said_with_their_direction(page):
    test, text = shown(page, "findings", DATA["findings"])
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
    shown(page, "findings", {**DATA["findings"], "findings": [finding], "withdrawn": []})
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
