"""The graph against what is independent of it: differences, `jax.grad`, and a nudge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from fallline.errors import FalllineError
from fallline.gradients import gradient, partial_derivative
from fallline.gradients.graph.export import plain
from fallline.gradients.graph.whole import deviation
from fallline.studio.graph.answer import array

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.gradients.graph import Graph, Node
    from fallline.studio.graph.subject import Subject

MOST_MEASURED = 48
"""Up to so many numbers in all, every one is measured by differences; else a few of each array."""
_SAMPLE = 4


class Reference:
    """A function compiled, to be asked at many points.

    Attributes:
        value: of one tree, all its arguments.
        slope: `jax.grad` of it.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.value = jax.jit(lambda given: function(*given.values()))
        self.slope = jax.jit(jax.grad(lambda given: function(*given.values())))


def _tree(subject: Subject) -> dict[str, Any]:
    """The arguments under names in their order; as a plain tuple, numbers would be taken for an array."""
    return {f"{i:02}": value for i, value in enumerate(subject.args)}


def against(subject: Subject, graph: Graph, reference: Reference) -> dict[str, Any]:
    """The derivative by each argument: the chain rule's, measured by differences, and `jax.grad`'s."""
    tree = _tree(subject)
    with jax.enable_x64(True):
        wanted = jax.tree.leaves(reference.slope(tree))
        nodes = graph.nodes[: len(wanted)]
        size = sum(node.value.size for node in nodes)
        measured: list[list[tuple[tuple[int, ...], float, float]] | str]
        try:
            if size <= MOST_MEASURED:
                found = gradient(reference.value, tree)
                measured = [
                    [
                        (i, float(np.asarray(v)[i]), float(np.asarray(e)[i]))
                        for i in np.ndindex(np.shape(v))
                    ]
                    for v, e in zip(
                        jax.tree.leaves(found.value), jax.tree.leaves(found.error), strict=True
                    )
                ]
            else:
                paths = [
                    jax.tree_util.keystr(path, simple=True, separator="/")
                    for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0]
                ]
                measured = [
                    _sampled(reference, tree, path, node)
                    for path, node in zip(paths, nodes, strict=True)
                ]
        except FalllineError as error:
            measured = [str(error)] * len(nodes)
    rows: list[dict[str, Any]] = []
    for node, grad, numbers in zip(nodes, wanted, measured, strict=True):
        chain = node.derivative
        assert chain is not None
        row: dict[str, Any] = {
            "node": node.id,
            "label": node.label,
            "chain": array(chain),
            "grad": plain(deviation(chain, np.asarray(grad))),
            "size": chain.size,
        }
        if isinstance(numbers, str):
            row["failed"] = numbers
        else:
            apart = [abs(v - float(chain[i])) for i, v, _ in numbers]
            row |= {
                "measured": len(numbers),
                "numeric": array(np.asarray([v for _, v, _ in numbers]).reshape(chain.shape))
                if len(numbers) == chain.size
                else None,
                "apart": plain(max(apart, default=0.0)),
                "error": plain(max((e for *_, e in numbers), default=0.0)),
            }
        rows.append(row)
    return {"rows": rows, "deviation": plain(graph.deviation), "all": size <= MOST_MEASURED}


def _sampled(
    reference: Reference, args: Any, path: str, node: Node
) -> list[tuple[tuple[int, ...], float, float]]:
    """The elements whose derivatives are largest, measured."""
    assert node.derivative is not None
    order = np.argsort(-np.abs(node.derivative).reshape(-1))[:_SAMPLE]
    found: list[tuple[tuple[int, ...], float, float]] = []
    for flat in order:
        index = tuple(int(i) for i in np.unravel_index(int(flat), node.value.shape))
        estimate = partial_derivative(reference.value, args, (path, index))
        found.append((index, float(estimate.value), float(estimate.error)))
    return found


def nudged(graph: Graph, node: Node, element: int, h: float) -> dict[str, Any]:
    """What becomes of the output if one number of a node is moved by h.

    Raises:
        FalllineError: if the node cannot be moved.
    """
    if node.derivative is None:
        raise FalllineError(f"{node.label} holds no real numbers that could be nudged.")
    if not 0 <= element < node.value.size:
        raise FalllineError(f"{node.label} has {node.value.size} elements, counted from 0.")
    index = np.unravel_index(element, node.value.shape)
    moved = np.array(node.value)
    moved[index] += h
    with jax.enable_x64(True):
        after = float(graph.evaluate({node.id: moved}))
    slope = float(node.derivative[index])
    return {
        "node": node.id,
        "element": element,
        "index": [int(i) for i in index],
        "h": h,
        "from": plain(float(node.value[index])),
        "to": plain(float(moved[index])),
        "before": plain(graph.value),
        "after": plain(after),
        "change": plain(after - graph.value),
        "derivative": plain(slope),
        "predicted": plain(slope * h),
    }
