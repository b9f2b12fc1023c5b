import math
import re
import xml.etree.ElementTree as ET

import jax.numpy as jnp
import numpy as np
import pytest

from fallline.optimizers import OPTIMIZERS
from fallline.studio.terrain import Racer
from fallline.studio.terrain.lines import Moment, equation, lines, lines_of
from fallline.studio.terrain.mathml import filled, number, number_in_tex

VARIANTS = {
    **{name: Racer.of(name, 0.03) for name in OPTIMIZERS},
    "sgd decaying": Racer.of("sgd", 0.03, decay=0.2),
    "adam decaying": Racer.of("adam", 0.03, decay=0.2),
    "adadelta decaying": Racer.of("adadelta", 0.5, decay=0.2),
    "lion decaying": Racer.of("lion", 0.03, decay=0.2),
    "momentum of averages": Racer.of("momentum", 0.03, {"average": True}),
    "nesterov of averages": Racer.of("nesterov", 0.03, {"average": True}),
    "rmsprop with momentum": Racer.of("rmsprop", 0.03, {"momentum": 0.9}),
    "rmsprop centered": Racer.of("rmsprop", 0.03, {"centered": True}),
}


def moment(racer, steps=4):
    """A step of the engine on a bowl, after some others."""
    optimizer = racer.made()
    place = [jnp.float32(1.3), jnp.float32(-0.7)]
    state = optimizer.init(place)
    for _ in range(steps):
        grads = [2.0 * place[0] + place[1], 5.0 * place[1]]
        updates, after = optimizer.update(grads, state, place)
        before, held, place = state, place, [p + u for p, u in zip(place, updates, strict=True)]
        state = after
    before, after = (s.get("inner", s) for s in (before, after))

    def arrays(tree):
        return {k: np.array(v) for k, v in tree.items() if k != "step"}

    return Moment(
        place=np.array(held),
        gradient=np.array(grads),
        before=arrays(before),
        after=arrays(after),
        update=np.array(updates),
        following=np.array(place),
        count=int(after["step"]),
    )


def as_python(tex):
    """The TeX of a line with numbers, as Python."""
    text = tex.replace(r"\left(", "(").replace(r"\right)", ")").replace(r"\cdot", "*")
    text = text.replace(r"\operatorname{sign}", "sign").replace(r"\max", "max")
    while r"\frac" in text or r"\sqrt" in text:
        # The innermost ones first: those that hold no braces.
        text = re.sub(r"\^\{([^{}]*)\}", r"**(\1)", text)
        text = re.sub(r"\\sqrt\{([^{}]*)\}", r"sqrt(\1)", text)
        text = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1)/(\2))", text)
    return re.sub(r"\^\{([^{}]*)\}", r"**(\1)", text).replace("^", "**")


@pytest.mark.parametrize("name", VARIANTS)
def test_the_numbers_of_each_line_are_the_engines(name):
    racer = VARIANTS[name]
    seen = moment(racer)
    known = {**seen.after, "next": seen.following}
    found = lines(racer, seen)
    assert [line["kind"] for line in found] == ["symbols", "numbers", "numbers"] * (len(found) // 3)
    assert found[-1]["name"] == ("mean" if racer.optimizer == "lion" else "next")
    for line in found:
        ET.fromstring(line["mathml"])
        if line["kind"] == "symbols":
            continue
        text, result = as_python(line["tex"]).split("=")
        names = {"sqrt": math.sqrt, "max": max, "sign": np.sign}
        shown, computed = eval(result), eval(text, names)
        # What is shown agrees to the digits shown with what it is computed from...
        size = max(abs(float(n)) for n in re.findall(r"\d+\.?\d*(?:e-?\d+)?", text))
        assert computed == pytest.approx(shown, rel=2e-3, abs=2e-3 * size)
        # ... and with what the engine has.
        if line["name"] in known:
            value = float(known[line["name"]]["xy".index(line["axis"])])
            assert shown == pytest.approx(value, rel=6e-4)
            assert number(value) in line["mathml"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_symbols_are_those_of_the_docstring(name):
    def bare(tex):
        return re.sub(r"\\[,;! ]|\\left|\\right|\s|\{|\}", "", tex)

    racer = Racer.of(name)
    mine = bare("".join(f"{line.left} = {line.right};" for line in lines_of(racer)))
    text = OPTIMIZERS[name].__doc__
    blocks = re.findall(r"\$\$(.*?)\$\$", text, re.DOTALL)
    equations = [part for block in blocks for part in re.split(r",?\s*\\qquad", block)]
    assert equations
    for equation_ in equations:
        assert bare(equation_).rstrip(",") in mine, equation_
    ET.fromstring(equation(racer))


def test_decay_and_settings_show_in_the_rule():
    assert r"\lambda" not in lines_of(Racer.of("sgd"))[-1].right
    assert r"\lambda" in lines_of(Racer.of("sgd", decay=0.1))[-1].right
    assert [line.name for line in lines_of(Racer.of("rmsprop"))] == ["square", "next"]
    assert equation(Racer.of("adam")) != equation(Racer.of("adam", decay=0.1))


def test_numbers():
    assert number_in_tex(1.23456) == "1.235"
    assert number_in_tex(-0.5) == "-0.5"
    assert number_in_tex(-0.5, brackets=True) == "(-0.5)"
    assert number_in_tex(1e-8) == r"1 \cdot 10^{-8}"
    assert number_in_tex(-2.5e12) == r"-2.5 \cdot 10^{12}"
    assert number_in_tex(math.nan) == r"\mathrm{NaN}"
    for value in (1.5, -1.5, 3e-9, -3e20, math.nan, math.inf, -math.inf):
        for brackets in (True, False):
            ET.fromstring(number(value, brackets=brackets))
    shown, tex = filled(r"\frac{@=a@}{@b@}", {"a": -1.0, "b": -2.0})
    assert tex == r"\frac{-1}{(-2)}"
    assert "7310" not in shown
    assert "".join(ET.fromstring(shown).itertext()) == "−1(−2)"
