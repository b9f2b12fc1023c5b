from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fallline import FalllineError
from fallline.gradients import examples
from fallline.gradients.graph import graph, layout
from fallline.show.graph import draw, save


def of(name):
    f, args, names = examples.EXAMPLES[name]()
    return graph(f, *args, names=names)


def drawn(g, **more):
    figure = Figure()
    ax = draw(g, figure.add_axes((0, 0, 1, 1)), **more)
    FigureCanvasAgg(figure).draw()
    return ax


def boxes_of_text(ax):
    renderer = ax.figure.canvas.get_renderer()
    return [(text.get_text(), text.get_window_extent(renderer)) for text in ax.texts]


@pytest.mark.parametrize(
    ("name", "grouped"), [*((name, False) for name in examples.EXAMPLES), ("two_layers", True)]
)
def test_no_text_over_another(name, grouped):
    ax = drawn(of(name), grouped=grouped)
    boxes = boxes_of_text(ax)
    assert len(boxes) > 10
    for i, (one, a) in enumerate(boxes):
        for other, b in boxes[:i]:
            apart = a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 + 1 or b.y1 <= a.y0 + 1
            assert apart, (one, other)
    frame = ax.get_window_extent()
    for text, box in boxes:
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1, text  # noqa: PT018
        assert frame.y0 <= box.y0 and box.y1 <= frame.y1, text  # noqa: PT018


def test_what_the_price_shows():
    texts = [text.get_text() for text in drawn(of("price")).texts]
    labels = "apple count tax × × price".split()
    numbers = "100 2.2 2 110 200 1.1 1.1 200 220 1".split()
    legend = ["value, forward", "derivative of price, backward"]
    assert sorted(texts) == sorted([*labels, *numbers, *legend])
    light, dark = (drawn(of("price"), theme=theme) for theme in ("light", "dark"))
    assert light.get_facecolor() != dark.get_facecolor()
    assert mpl.colors.to_hex(dark.get_facecolor()) == "#0b0e14"


def test_a_sum_stands_in_its_box():
    g = graph(lambda x: x * x + jnp.sin(x), 2.0)
    texts = [text.get_text() for text in drawn(g).texts]
    assert "Σ 3.584" in texts
    assert float(g.gradients[0]) == pytest.approx(4 + np.cos(2), abs=1e-6)


def test_constants_get_no_derivative():
    texts = [text.get_text() for text in drawn(graph(lambda x: x * 7, 2.0)).texts]
    # The constant, the value it gives, and once the derivative of x.
    assert texts.count("7") == 3
    assert texts.count("2") == 1


def test_names_are_not_mathematics():
    names = {"x": "$\\frac{$_a^", "output": "y" * 80}
    texts = [text.get_text() for text in drawn(graph(lambda x: x * 2, 1.0, names=names)).texts]
    assert "$\\frac{$_a^" in texts
    assert any(text.startswith("…y") and len(text) == 32 for text in texts)
    odd = graph(lambda x: x * 2, 1.0, names={"x": "a\nb\x07"})
    assert "a b " in [text.get_text() for text in drawn(odd).texts]


def test_odd_graphs_can_be_drawn():
    for g in (
        graph(lambda x: x, 1.0),
        graph(lambda x: 3.0, 1.0),
        graph(lambda x: jnp.log(x), -1.0),
        graph(lambda x, i, unused: x[i], np.arange(5.0), np.int32(2), np.ones(9)),
        graph(lambda: 2.0),
    ):
        assert drawn(g).texts


def test_given_axes_keep_their_size():
    figure = Figure(figsize=(6, 4))
    left, right = figure.subplots(1, 2)
    assert draw(of("price"), left) is left
    figure.canvas.draw()
    assert tuple(figure.get_size_inches()) == (6, 4)
    assert not right.texts
    assert max(text.get_fontsize() for text in left.texts) < 8


def test_a_new_figure_is_as_large_as_the_graph():
    import matplotlib.pyplot as plt

    with mpl.rc_context({"backend": "agg"}):
        small, large = draw(of("price")), draw(of("neuron"))
    try:
        assert large.figure.get_size_inches()[0] > 2 * small.figure.get_size_inches()[0]
    finally:
        plt.close("all")


def test_saving(tmp_path):
    g = of("two_layers")
    for ending in ("svg", "png", "dot", "json"):
        path = tmp_path / f"g.{ending}"
        assert save(g, path, theme="dark", grouped=ending == "dot") == path
        again = save(g, tmp_path / f"again.{ending}", theme="dark", grouped=ending == "dot")
        assert path.read_bytes() == again.read_bytes()
    assert ET.parse(tmp_path / "g.svg").getroot().tag.endswith("svg")
    assert (tmp_path / "g.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "g.dot").read_text(encoding="utf-8") == g.grouped().to_dot("dark")
    assert json.loads((tmp_path / "g.json").read_text(encoding="utf-8")) == json.loads(
        json.dumps(g.to_json())
    )
    assert len(list(tmp_path.iterdir())) == 8
    with pytest.raises(FalllineError, match=r"saved as \.svg, \.png, \.dot or \.json; 'g\.pdf'"):
        save(g, tmp_path / "g.pdf")
    with pytest.raises(FalllineError, match="cannot be written"):
        save(g, tmp_path / "nowhere" / "g.svg")


def test_what_cannot_be_drawn():
    with pytest.raises(FalllineError, match="no theme called 'lihgt': did you mean 'light'"):
        drawn(of("price"), theme="lihgt")
    with pytest.raises(FalllineError, match="no layers to group"):
        drawn(of("price"), grouped=True)

    def f(x):
        for _ in range(210):
            x = x * 1.01
        return x

    with pytest.raises(FalllineError, match="picture of 422 nodes could not be read"):
        drawn(graph(f, 1.0))


# --- the layout by itself -------------------------------------------------------------------------


@st.composite
def dags(draw_):
    count = draw_(st.integers(1, 14))
    sizes = {i: (draw_(st.floats(10, 90)), draw_(st.floats(10, 60))) for i in range(count)}
    links = [
        layout.Link(source, target, (draw_(st.floats(5, 60)), draw_(st.floats(5, 30))))
        for target in range(1, count)
        for source in draw_(st.lists(st.integers(0, target - 1), max_size=3))
    ]
    return sizes, links


@settings(max_examples=60)
@given(dags())
def test_nothing_overlaps_and_all_goes_right(dag):
    sizes, links = dag
    placed = layout.arrange(sizes, links)
    boxes = [(*placed.centres[i], *sizes[i]) for i in sizes]
    boxes += [(*r.label, *link.label) for r, link in zip(placed.routes, links, strict=True)]
    for i, (x, y, w, h) in enumerate(boxes):
        assert x - w / 2 >= -1e-6 and x + w / 2 <= placed.width + 1e-6  # noqa: PT018
        assert y - h / 2 >= -1e-6 and y + h / 2 <= placed.height + 1e-6  # noqa: PT018
        for u, v, p, q in boxes[:i]:
            assert abs(x - u) >= (w + p) / 2 - 1e-6 or abs(y - v) >= (h + q) / 2 - 1e-6
    for route, link in zip(placed.routes, links, strict=True):
        ends = [x for left, right, _ in route.stretches for x in (left, right)]
        assert ends == sorted(ends)
        x, y = placed.centres[link.source]
        assert route.stretches[0][0] == pytest.approx(x + sizes[link.source][0] / 2)
        assert route.stretches[0][2] == pytest.approx(y)
        x, y = placed.centres[link.target]
        assert route.stretches[-1][0] == pytest.approx(x - sizes[link.target][0] / 2)
        assert abs(route.stretches[-1][2] - y) <= sizes[link.target][1] / 2


def test_a_chain_is_a_straight_line():
    sizes = dict.fromkeys(range(6), (20.0, 20.0))
    links = [layout.Link(i, i + 1, (10.0, 10.0)) for i in range(5)]
    placed = layout.arrange(sizes, links)
    assert {round(y, 9) for _, y in placed.centres.values()} == {10}
    assert all(y == pytest.approx(10) for r in placed.routes for _, _, y in r.stretches)


def test_a_tree_has_no_crossing():
    """Lines that enter in the order of what they come from do not cross."""
    sizes = dict.fromkeys(range(7), (20.0, 20.0))
    pairs = [(0, 4), (2, 4), (1, 5), (3, 5), (4, 6), (5, 6)]
    placed = layout.arrange(sizes, [layout.Link(a, b, (10.0, 10.0)) for a, b in pairs])
    heights = {i: y for i, (_, y) in placed.centres.items()}
    upper = heights[4] > heights[5]
    ones, others = (heights[0], heights[2]), (heights[1], heights[3])
    assert (min(ones) > max(others)) if upper else (max(ones) < min(others))
