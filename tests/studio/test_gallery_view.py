"""The gallery: every patient has what it is said to have, and nobody is told before a guess."""

from __future__ import annotations

import json
import time
from importlib.resources import files

import numpy as np
import pytest
from tests.studio.fakes import Collected, ask

from fallline.diagnosis.rules import NAMES
from fallline.errors import FalllineError
from fallline.studio.gallery.patients import PATIENTS, patient_of
from fallline.studio.gallery.told import inputs, symptoms, verdict
from fallline.studio.gallery.view import GalleryView
from fallline.studio.gallery.ward import Once, admitted, examined
from fallline.studio.view import Given

TEXTS = {
    code: json.loads(
        (files("fallline.page") / f"static/lang/{code}/gallery.json").read_text("utf-8")
    )
    for code in ("en", "zh")
}


@pytest.fixture
def out():
    return Collected()


@pytest.fixture
def view(out):
    return GalleryView(out, Given())


def until(view, condition):
    """Tick until something is so."""
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        assert view.interval is not None
        view.tick()
        time.sleep(0.005)


def kinds(out):
    return [message["type"] for message in out.sent]


# One in three runs by default; `landing` is a function, `oracle` the one whose fix makes the loss worse.
@pytest.mark.parametrize(
    "name", [patient.name for patient in sorted(PATIENTS, key=lambda p: p.cost)]
)
def test_a_patient_has_what_it_is_said_to_have_and_the_fix_helps(name):
    patient = patient_of(name)
    found = examined(patient)
    assert found.finding.complaint
    assert found.finding.name == patient.ill
    said = verdict(found, admitted(patient).run, "en")
    assert said["diagnosis"]["findings"][0]["name"] == patient.ill
    # Nobody is told to be wrong who guessed what the doctor says besides.
    assert not {one["name"] for one in said["diagnosis"]["findings"]} & set(patient.others)
    assert len(said["diagnosis"]["findings"][0]["evidence"]) >= 2
    cure = said["cure"]
    if patient.ill == "target-leak":
        # Without the column the loss is higher, and honest.
        assert cure["helped"] is None
        assert cure["after"] > 2 * cure["before"]
    else:
        assert cure["helped"]
        assert cure["after"] < (cure["before"] if cure["before"] is not None else np.inf)
    assert all(len(line["x"]) == len(line["y"]) > 1 for line in cure["curves"].values())


def test_there_are_ten_with_words_for_every_answer():
    assert len(PATIENTS) == len({p.name for p in PATIENTS}) == len({p.ill for p in PATIENTS}) == 10
    assert sorted(p.cost for p in PATIENTS) == list(range(10))
    for patient in PATIENTS:
        assert 4 <= len(patient.answers) <= 5
        assert set(patient.answers) <= set(NAMES)
        assert patient.ill not in patient.others
        for texts in TEXTS.values():
            for part in ("title", "story", "hint", "why"):
                assert texts[f"gallery.{part}.{patient.name}"]
            for other in patient.others:
                assert texts[f"gallery.wrong.{patient.name}.{other}"]
    told = {k for k in TEXTS["en"] if k.startswith("gallery.wrong.")}
    assert told == {f"gallery.wrong.{p.name}.{o}" for p in PATIENTS for o in p.others}


def test_a_patient_s_title_and_story_do_not_name_its_illness():
    from fallline.diagnosis import words

    for patient in PATIENTS:
        for code, texts in TEXTS.items():
            named = words.say(code, "titles", patient.ill).lower()
            for part in ("title", "story"):
                assert named not in texts[f"gallery.{part}.{patient.name}"].lower()


def test_nothing_of_the_verdict_is_told_before_a_guess(view, out):
    wall = ask(view, "wall")
    assert [p["name"] for p in wall["patients"]] == [p.name for p in PATIENTS]
    assert wall["titles"]["saddle-point"] == {"en": "Saddle point", "zh": "鞍点"}
    ask(view, "open", case="landing")
    until(view, lambda: view.interval is None)
    assert "patient" in kinds(out)
    assert "verdict" not in kinds(out)
    told = json.dumps([*out.sent, ask(view, "wall")["patients"][8]])
    assert "ill" not in json.loads(told)[-1]
    assert "diagnosis" not in told
    assert ask(view, "guess", case="landing", answer="converged") == {
        "case": "landing", "right": False, "ill": "saddle-point",
    }  # fmt: skip
    assert ask(view, "guess", case="landing", answer="saddle-point")["right"]
    for lang, word in (("en", "saddle point"), ("zh", "鞍点")):
        ask(view, "verdict", case="landing", lang=lang)
        found = out.last("verdict")
        assert found["lang"] == lang
        assert word in found["diagnosis"]["headline"]
    # What is kept is told in the first language again.
    ask(view, "verdict", case="landing", lang="en")
    assert "saddle point" in out.last("verdict")["diagnosis"]["headline"]
    along_x, along_y = (line["y"] for line in found["around"]["lines"])
    middle = len(along_x) // 2
    assert along_x[0] > along_x[middle] < along_x[-1]
    assert along_y[0] < along_y[middle] > along_y[-1]


def test_all_are_trained_the_cheapest_first_and_the_opened_one_before(view, out, monkeypatch):
    from fallline.studio.gallery import view as module

    made = []

    def stage(kind):
        def make(patient):
            made.append((kind, patient.name))
            return {"case": patient.name}

        return Once(make)

    monkeypatch.setattr(module, "STAGES", {kind: stage(kind) for kind in module.STAGES})
    monkeypatch.setattr(module, "admitted", module.STAGES["train"])
    monkeypatch.setattr(module, "thumb", lambda found: [0.0])
    ask(view, "train")
    view.tick()
    ask(view, "open", case="whisper")
    until(view, lambda: view.interval is None)
    first = ("train", sorted(PATIENTS, key=lambda p: p.cost)[0].name)
    assert made[:4] == [first, ("train", "whisper"), ("look", "whisper"), ("examine", "whisper")]
    assert [name for kind, name in made if kind == "train"].count("whisper") == 1
    assert {name for kind, name in made if kind == "train"} == {p.name for p in PATIENTS}
    assert kinds(out).count("trained") == 10


def test_what_fails_is_told_and_the_others_go_on(view, out, monkeypatch):
    from fallline.studio.gallery import view as module

    def fail(patient):
        raise FalllineError("There is no wine.")

    monkeypatch.setattr(module, "STAGES", {"train": Once(fail), "look": Once(fail)})
    ask(view, "open", case="plunge")
    until(view, lambda: view.interval is None)
    assert out.last("failed") == {
        "type": "failed",
        "case": "plunge",
        "sentence": "There is no wine.",
    }
    assert kinds(out).count("failed") == 1


@pytest.mark.parametrize(
    ("kind", "fields", "sentence"),
    [
        ("open", {"case": "nobody"}, "There is no patient called 'nobody'"),
        ("open", {}, "lacks 'case'"),
        ("guess", {"case": "snail", "answer": "dead-units"}, "cannot be 'dead-units'"),
        ("verdict", {"case": "snail", "lang": "fr"}, "cannot be 'fr'"),
        ("cure", {}, "knows no message 'cure'"),
    ],
)
def test_a_message_that_does_not_fit_is_a_sentence(view, kind, fields, sentence):
    with pytest.raises(FalllineError, match=sentence):
        ask(view, kind, **fields)


def test_the_symptoms_are_those_of_the_run():
    patient = patient_of("shiver")
    run, shown = admitted(patient).run, symptoms(patient)
    np.testing.assert_allclose(shown["curves"]["loss"], run.history.loss, rtol=1e-6)
    assert shown["rows"] == 442
    assert shown["trained"]["steps"] == run.steps
    assert shown["instruments"]["layers"][0]["ratio"] is not None


def test_the_inputs_are_measured_column_by_column():
    rows = patient_of("oracle").rows()
    found = {column["name"]: column for column in inputs(rows)["columns"]}
    leak = found["visits in the year after"]
    correlation = np.corrcoef(rows.x[:, -1], rows.y)[0, 1]
    assert leak["agreement"] == pytest.approx(abs(correlation), rel=1e-5)
    assert leak["agreement"] == max(column["agreement"] for column in found.values())
    wide = {c["name"]: c for c in inputs(patient_of("plunge").rows())["columns"]}
    spreads = patient_of("plunge").rows().x.std(axis=0)
    assert wide["proline"]["spread"] == pytest.approx(spreads.max(), rel=1e-5)
    assert min(c["spread"] for c in wide.values()) == pytest.approx(spreads.min(), rel=1e-5)
