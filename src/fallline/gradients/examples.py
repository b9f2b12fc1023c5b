"""Small functions whose derivatives every learner has once followed by hand.

Each gives a function, its arguments and names for them: ``graph(f, *args, names=names)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array, Float


class Example(NamedTuple):
    """A function, where to evaluate it, and what to call its arguments.

    Attributes:
        function: gives one number.
        args: its arguments.
        names: by argument.
    """

    function: Callable[..., Float[Array, ""]]
    args: tuple[Any, ...]
    names: dict[str, str]


def price() -> Example:
    """Two apples at 100 and a tax of 10 %: 220, with derivatives 2.2, 110 and 200.

    Reference: Saitoh, "Deep Learning from Scratch" (2016), chapter 5.
    """

    def price(apple: Any, count: Any, tax: Any) -> Any:
        return apple * count * tax

    return Example(price, (100.0, 2.0, 1.1), {})


def two_fruits() -> Example:
    """Two apples at 100, three oranges at 150 and a tax of 10 %: 715.

    Reference: Saitoh, "Deep Learning from Scratch" (2016), chapter 5.
    """

    def price(apple: Any, apples: Any, orange: Any, oranges: Any, tax: Any) -> Any:
        return (apple * apples + orange * oranges) * tax

    return Example(price, (100.0, 2.0, 150.0, 3.0, 1.1), {})


def neuron() -> Example:
    r"""A sigmoid neuron of two inputs, $1 / (1 + e^{-(w_0 x_0 + w_1 x_1 + w_2)})$: 0.73.

    Reference: Karpathy, notes to Stanford's CS231n, "Backpropagation, intuitions".
    """

    def neuron(w0: Any, x0: Any, w1: Any, x1: Any, w2: Any) -> Any:
        return 1 / (1 + jnp.exp(-(w0 * x0 + w1 * x1 + w2)))

    return Example(neuron, (2.0, -1.0, -3.0, -2.0, -3.0), {})


def softmax_cross_entropy() -> Example:
    r"""Softmax and cross-entropy of three classes: the derivative of the logits is $p - t$.

    Written out, without the shift that keeps large logits from overflowing.

    Reference: Saitoh, "Deep Learning from Scratch" (2016), appendix A.
    """

    def loss(z: Any, t: Any) -> Any:
        raised = jnp.exp(z)
        return -jnp.sum(t * jnp.log(raised / jnp.sum(raised)))

    return Example(loss, (np.array([0.3, 2.9, 4.0]), np.array([0.0, 0.0, 1.0])), {})


def two_layers() -> Example:
    """A network of 2 inputs, 3 hidden units and 2 classes on two examples, with its loss."""

    def loss(params: Any, x: Any, t: Any) -> Any:
        with jax.named_scope("affine1"):
            hidden = x @ params["affine1"]["weights"] + params["affine1"]["bias"]
        with jax.named_scope("relu1"):
            hidden = jax.nn.relu(hidden)
        with jax.named_scope("affine2"):
            logits = hidden @ params["affine2"]["weights"] + params["affine2"]["bias"]
        with jax.named_scope("softmax cross-entropy"):
            return -jnp.mean(jnp.sum(t * jax.nn.log_softmax(logits), axis=-1))

    random = np.random.default_rng(0)
    params = {
        f"affine{layer}": {
            "weights": random.normal(size=(inputs, outputs)).round(1),
            "bias": random.normal(size=outputs).round(1),
        }
        for layer, inputs, outputs in ((1, 2, 3), (2, 3, 2))
    }
    x = np.array([[1.0, 2.0], [-1.0, 0.5]])
    names = {f"params/{layer}": layer for layer in params}
    return Example(loss, (params, x, np.eye(2)), names)


EXAMPLES: dict[str, Callable[[], Example]] = {
    "price": price,
    "two_fruits": two_fruits,
    "neuron": neuron,
    "softmax_cross_entropy": softmax_cross_entropy,
    "two_layers": two_layers,
}
