from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from fallline import terrains
from fallline.errors import FalllineError
from fallline.jobs.race import moment, race, terrain_named


def test_the_terrains_are_listed(run):
    done = run("terrain", "--list", "--json")
    assert done.code == 0, done.err
    listed = [json.loads(line) for line in done.out.splitlines()]
    assert [row["name"] for row in listed] == list(terrains.TERRAINS)
    assert len(listed[-1]["minima"]) == len(list(terrains.TERRAINS.values())[-1].minima)


def test_a_race_as_json_and_as_a_picture(run, tmp_path):
    out = tmp_path / "race.png"
    done = run(
        "terrain", "himmelblau", "--optimizers", "sgd,adam", "--learning-rates", "adam=0.1",
        "--balls", "20", "--steps", "60", "--json", "--out", str(out),
    )  # fmt: skip
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert [row["optimizer"] for row in told["optimizers"]] == ["sgd", "adam"]
    assert told["optimizers"][1]["learning_rate"] == 0.1
    assert sum(b["share"] for b in told["optimizers"][0]["basins"]) <= 1 + 1e-9
    with Image.open(out) as picture:
        assert picture.width == 1280


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["himelblau"], "did you mean 'himmelblau'"),
        (["x + z"], "nothing called 'z', at column 5"),
        (["x", "--bounds=1,0,0,1"], "four numbers, x0,x1,y0,y1, each pair rising"),
        (["x", "--bounds=1,2"], "four numbers"),
        (["sphere", "--theme", "pink"], "light or dark"),
        (["sphere", "--out", "race.bmp"], "written as one of"),
        (["sphere", "--out", "nowhere/race.png"], "no folder nowhere"),
        (["sphere", "--learning-rates", "sgd"], "pairs like sgd=0.01,adam=0.1"),
        (["sphere", "--learning-rates", "sdg=1"], "did you mean 'sgd'"),
        (["sphere", "--optimizers", "adm"], "did you mean 'adam'"),
        (["sphere", "--balls", "0"], "number of starts must be a whole number above 0"),
        ([], "fallline terrain --list"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value) or "none",
)
def test_mistakes_are_sentences(run, words, sentence):
    done = run("terrain", *words)
    assert done.code == 2
    assert sentence in done.err.replace("\n", " ")
    assert "Traceback" not in done.err


def test_each_optimizer_races_at_its_own_best_rate():
    terrain = terrains.by_name("ill_conditioned")
    racers = race(terrain, "sgd,momentum", balls=12, steps=100)
    assert [racer.label for racer in racers] == ["sgd", "momentum"]
    for racer in racers:
        assert not racer.given
        # Ten times as much or as little is worse.
        for factor in (0.1, 10):
            rates = {racer.label: racer.learning_rate * factor}
            (other,) = race(terrain, racer.label, balls=12, steps=100, learning_rates=rates)
            assert not other.median < racer.median


def test_the_moment_of_a_picture():
    racers = race(
        terrains.by_name("sphere"), "sgd", balls=5, steps=80, learning_rates={"sgd": 0.05}
    )
    step, count = moment(racers)
    medians = np.median(racers[0].result.history.loss, axis=1)
    reached = medians[0] - 0.9 * (medians[0] - racers[0].median)
    assert medians[count - 1] <= reached
    assert step < 80
    assert moment(racers, at=10)[0] == 10
    assert moment(racers, at=10_000)[0] == 80
    assert moment(racers, at=0) == (0, 1)


def test_where_every_rate_diverges_it_is_said():
    steep = terrains.from_expression("-1000000 * exp(x^2 + y^2)")
    with pytest.raises(FalllineError, match="Every rate from 1e-4 to 1 makes sgd diverge"):
        race(steep, "sgd", balls=4, steps=50)


def test_a_name_is_a_terrain_and_anything_else_a_formula():
    assert terrain_named("Six-Hump Camel").name == "six_hump_camel"
    assert terrain_named("x^2 + y^2", ((-1, 1), (-2, 2))).bounds == ((-1, 1), (-2, 2))
    assert terrain_named("sphere", ((-1, 1), (-2, 2))).bounds == ((-1, 1), (-2, 2))
    with pytest.raises(FalllineError, match="did you mean 'sphere'"):
        terrain_named("spere")
