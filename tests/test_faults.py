"""What the suite of faults says of a fault that was not survived."""

import json

import pytest
from benchmarks import faults
from benchmarks.faulting.place import Outcome, Place
from benchmarks.real import Skipped


@pytest.fixture
def made(monkeypatch, tmp_path):
    """Two faults, the first survived at one of two moments, and one that cannot be made here."""

    def struck(place, chance, part):
        survived = part > 0.5
        trouble = "" if survived else "other parameters"
        return Outcome("training", [-9, 75], 1 + part, survived, "Go on.", 2.0, trouble)

    def impossible(place, chance, part):
        raise Skipped("it needs root")

    place = Place(tmp_path, "t.csv", [], lasts=1.0)
    monkeypatch.setattr(Place, "make", lambda *words: place)
    chosen = (faults.Scenario("struck", struck, 2), faults.Scenario("no disk", impossible, 1))
    monkeypatch.setattr(faults, "SCENARIOS", chosen)
    monkeypatch.setattr(faults, "table", lambda: (tmp_path / "t.csv", "y"))
    return tmp_path / "faults.json"


def test_what_is_not_survived_is_told(made, capsys):
    assert faults.main(["--out", str(made)]) == 1
    said = capsys.readouterr().out
    assert "struck: 1 of 2 as they should be\n  training: other parameters" in said
    assert "no disk is left out: it needs root." in said
    assert "| struck | 2 | 1/2 | 1." in said
    (row,) = json.loads(made.read_text())["rows"]
    assert (row["tried"], row["passed"], row["identical"]) == (2, 1, 1)
    assert row["codes"] == {"-9": 2, "75": 2}
    assert faults.main(["--list"]) == 0
    assert capsys.readouterr().out == "struck\nno disk\n"
