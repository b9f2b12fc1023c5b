"""One step of the chain rule, and one node, in formulas with their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.gradients.graph import words
from fallline.studio.graph import tex
from fallline.studio.graph.answer import array, name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fallline.gradients.graph import Graph, Node, Step

MOST_ELEMENTS = 256
_PLAIN = ("a", "b", "c")


def of_step(graph: Graph, steps: Sequence[Step], index: int) -> dict[str, Any]:
    """A step: the rule, the rule at this place, the product, the sum over the paths so far.

    Args:
        graph: from `fallline.graph`.
        steps: all of them.
        index: which.
    """
    step = steps[index]
    node = graph.nodes[step.node]
    found: dict[str, Any] = {
        "index": index,
        "back": step.direction == "backward",
        "node": step.node,
        "input": step.input,
        "operation": name_of(node),
        "sentence": step.sentence,
    }
    return found | (
        _forward(graph, node) if step.direction == "forward" else _backward(graph, steps, index)
    )


def _forward(graph: Graph, node: Node) -> dict[str, Any]:
    inputs = [graph.nodes[i] for i in node.inputs]
    here = f"{_symbol(node)} = {_value(node, [_symbol(i) for i in inputs])}"
    small = _numbers(inputs)
    if small is not None:
        for part in (_value(node, small), _number(node.value)):
            if part is not None and not here.endswith(f" = {part}"):
                here += f" = {part}"
    return {
        "formulas": {"here": tex.mathml(here)},
        "numbers": {
            "inputs": [
                {"node": i.id, "label": _label(i), "value": _array(i.value)} for i in inputs
            ],
            "result": _array(node.value),
        },
    }


def _backward(graph: Graph, steps: Sequence[Step], index: int) -> dict[str, Any]:
    step = steps[index]
    node, source = graph.nodes[step.node], graph.nodes[step.input or 0]
    output = _symbol(graph.output)
    # Which of the operation's inputs it is: the same value may go in twice.
    places = [k for k, i in enumerate(node.inputs) if i == source.id]
    before = [s for s in steps[:index] if s.direction == "backward" and s.input == source.id]
    place = places[sum(s.node == node.id for s in before)]
    wanted = tex.partial(output, _symbol(source))
    formulas: dict[str, str | None] = dict.fromkeys(("rule", "here", "chain", "sum"))
    if node.kind == "output":
        formulas["chain"] = f"{wanted} = {_number(step.result) or ''}"
    else:
        inputs = [graph.nodes[i] for i in node.inputs]
        formulas["rule"] = _rule(node, place)
        through = tex.partial(output, _symbol(node))
        local = tex.partial(_symbol(node), _symbol(source))
        form = tex.FORMS.get(node.called)
        back = form is not None and not form.product
        written = tex.slope_of(
            node.called, place, [_symbol(i) for i in inputs], node.facts, through, _symbol(node)
        )
        if back and written is not None:
            formulas["chain"] = f"{wanted} = {written}"
        else:
            elementwise = step.local is not None and step.local.form == "elementwise"
            sign = r"\odot" if elementwise else r"\cdot"
            formulas["chain"] = f"{wanted} = {through} {sign} {local}"
            if written is not None:
                formulas["here"] = _here(f"{local} = {written}", node, place, inputs, step)
    if before and (total := _number(step.total)) is not None:
        parts = [_number(s.result) or "" for s in [*before, step]]
        added = " + ".join([parts[0], *map(tex.bracketed, parts[1:])])
        formulas["sum"] = f"{wanted} = {added} = {total}"
    elif before:
        formulas["sum"] = f"{wanted} = " + " + ".join(
            rf"\left({wanted}\right)_{{{_symbol(graph.nodes[s.node])}}}" for s in [*before, step]
        )
    local = step.local
    shown = local.value if local is not None and _is_product(step) else None
    return {
        "formulas": {key: text and tex.mathml(text) for key, text in formulas.items()},
        "numbers": {
            "upstream": _array(step.upstream) if node.kind != "output" else None,
            "local": _array(shown),
            "form": local.form if local is not None else "none",
            "result": _array(step.result),
            "total": _array(step.total),
            "paths": [
                {"node": s.node, "label": graph.nodes[s.node].label, "value": _array(s.result)}
                for s in [*before, step]
            ],
            # How many paths there are to be summed, those to come included.
            "count": sum(s.direction == "backward" and s.input == source.id for s in steps),
        },
    }


def _is_product(step: Step) -> bool:
    """Is what comes back upstream times local? Not where JAX counts an infinity times 0 as 0."""
    local = step.local
    if local is None or local.form != "number" or local.value is None or step.upstream is None:
        return True
    with np.errstate(all="ignore"):
        return bool(np.array_equal(step.upstream * local.value, step.result, equal_nan=True))


def _rule(node: Node, place: int) -> str | None:
    """The rule of calculus in general, of a and b."""
    form = tex.FORMS.get(node.called)
    if form is None:
        return None
    letters = _PLAIN[: len(node.inputs)]
    if form.product:
        slope = tex.slope_of(node.called, place, letters, node.facts)
        value = tex.value_of(node.called, letters, node.facts)
        # Brackets around a single call would only be in the way.
        value = value if value.endswith(r"\right)") else rf"\left({value}\right)"
        return slope and rf"\frac{{\partial}}{{\partial {letters[place]}}} {value} = {slope}"
    slope = tex.slope_of(node.called, place, letters, node.facts, r"\bar{y}", "y")
    value = tex.value_of(node.called, letters, node.facts)
    return slope and rf"y = {value} ,\quad \bar{{{letters[place]}}} = {slope}"


def _here(text: str, node: Node, place: int, inputs: list[Node], step: Step) -> str:
    """The rule with this place's symbols, then its numbers, if they are single ones."""
    small = _numbers(inputs)
    local = step.local
    if small is None or local is None or local.form != "number":
        return text
    filled = tex.slope_of(node.called, place, small, node.facts, "", "")
    for part in (filled, _number(local.value)):
        if part and not text.endswith(f"= {part}"):
            text += f" = {part}"
    return text


def of_node(graph: Graph, node: Node) -> dict[str, Any]:
    """A node with all its numbers, what made it, and who uses it."""
    users = [(e.target, e.derivative) for e in graph.edges if e.source == node.id]
    inputs = [graph.nodes[i] for i in node.inputs]
    formula = None
    if node.kind == "operation":
        formula = tex.mathml(f"{_symbol(node)} = {_value(node, [_symbol(i) for i in inputs])}")
    return {
        "node": node.id,
        "kind": node.kind,
        "label": node.label,
        "operation": name_of(node) if node.kind == "operation" else "",
        "layer": node.layer,
        "dtype": node.value.dtype.name,
        "formula": formula,
        "value": _array(node.value),
        "derivative": _array(node.derivative),
        "inputs": [{"node": i.id, "label": _label(i)} for i in inputs],
        "users": [
            {"node": i, "label": graph.nodes[i].label, "derivative": _array(derivative)}
            for i, derivative in users
        ],
    }


def _value(node: Node, inputs: list[str]) -> str:
    return tex.value_of(node.called, inputs, node.facts)


def _symbol(node: Node) -> str:
    """A node in TeX: a constant by its number, anything else by its name."""
    if node.kind == "constant":
        text = _number(node.value)
        return text if text is not None else r"\mathbf{1}" if np.all(node.value == 1) else "c"
    return tex.symbol(node.label)


def _label(node: Node) -> str:
    return words.summary(node.value) if node.kind == "constant" else node.label


def _number(value: np.ndarray | None) -> str | None:
    return tex.number(value[()]) if value is not None and value.ndim == 0 else None


def _numbers(nodes: list[Node]) -> list[str] | None:
    """The values of nodes that are all single numbers."""
    found = [_number(node.value) for node in nodes]
    return [text for text in found if text is not None] if None not in found else None


def _array(value: np.ndarray | None) -> dict[str, Any] | None:
    return array(value, MOST_ELEMENTS, 12)
