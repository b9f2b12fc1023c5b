"""Small networks for the graph view: a model of the house, a tiny example, its loss."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline import losses
from fallline.errors import FalllineError
from fallline.models import MLP

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.studio.message import Message

ACTIVATIONS = ("relu", "sigmoid", "tanh", "leaky_relu", "elu", "gelu", "softplus")
MOST_INPUTS = 8
MOST_LAYERS = 12
MOST_UNITS = 16
MOST_CLASSES = 8
MOST_EXAMPLES = 16

_SYMBOLS = {"weights": "W", "bias": "b", "scale": "γ", "shift": "β"}


@dataclasses.dataclass(frozen=True)
class Network:
    """A classifier on a few examples, made of numbers of two decimals.

    Attributes:
        inputs: features an example.
        hidden: units of each hidden layer.
        classes: that it tells apart.
        examples: rows of the batch, whose classes go round.
        activation: of the hidden layers.
        batch_norm: normalize before each activation?
        seed: of parameters and examples.
    """

    inputs: int = 2
    hidden: tuple[int, ...] = (3,)
    classes: int = 2
    examples: int = 3
    activation: str = "relu"
    batch_norm: bool = False
    seed: int = 0

    @classmethod
    def asked(cls, message: Message) -> Network:
        """The network that a message describes.

        Raises:
            FalllineError: if a size is too large or does not fit.
        """
        hidden = message.numbers("hidden", MOST_LAYERS, 1, MOST_UNITS, [3])
        if any(units != int(units) for units in hidden):
            raise FalllineError("The units of each hidden layer must be a whole number.")
        found = cls(
            inputs=message.whole("inputs", 1, MOST_INPUTS, 2),
            hidden=tuple(int(units) for units in hidden),
            classes=message.whole("classes", 2, MOST_CLASSES, 2),
            examples=message.whole("examples", 1, MOST_EXAMPLES, 3),
            activation=message.choice("activation", ACTIVATIONS, "relu"),
            batch_norm=message.flag("batch_norm", False),
            seed=message.whole("seed", 0, 999_999, 0),
        )
        if found.batch_norm and found.examples < 2:
            raise FalllineError(
                "Batch normalization divides by the spread of the batch: take at least 2 examples."
            )
        return found

    @property
    def model(self) -> MLP:
        """The model."""
        return MLP(self.inputs, self.hidden, self.classes, self.activation, self.batch_norm)

    def function(self) -> Callable[..., Any]:
        """The mean loss, of parameters, examples and targets."""
        model = self.model

        def loss(params: Any, x: Any, t: Any) -> Any:
            z, _ = model.apply(params, model.init_state(), x, training=True)
            with jax.named_scope("softmax cross-entropy"):
                return jnp.mean(losses.softmax_cross_entropy(z, t))

        return loss

    def arguments(self) -> tuple[Any, Any, Any]:
        """Parameters, examples (examples, inputs), and targets (examples, classes) of 0 and 1."""
        params = self.model.init(jax.random.key(self.seed))
        x = np.random.default_rng(self.seed).normal(size=(self.examples, self.inputs))
        t = np.eye(self.classes)[np.arange(self.examples) % self.classes]
        return jax.tree.map(lambda p: np.round(p, 2), params), np.round(x, 1), t

    def names(self) -> dict[str, str]:
        """Short names of the parameters by their paths: W1, b1, γ1, β1."""
        found: dict[str, str] = {}
        shapes = jax.eval_shape(self.model.init, jax.random.key(0))
        for layer, parts in shapes.items():
            count = re.sub(r"\D", "", layer)
            found |= {f"params/{layer}/{part}": f"{_SYMBOLS[part]}{count}" for part in parts}
        return found

    def tex(self) -> str:
        """The layers' formula in TeX."""
        lines, before = [], "X"
        for i in range(1, len(self.hidden) + 1):
            inside = rf"{before} W_{{{i}}} + b_{{{i}}}"
            if self.batch_norm:
                inside = rf"\mathrm{{norm}}_{{{i}}}\left({inside}\right)"
            before = rf"\mathrm{{{self.activation.replace('_', ' ')}}}\left({inside}\right)"
            if len(self.hidden) > 1:
                lines.append(rf"h_{{{i}}} = {before}")
                before = f"h_{{{i}}}"
        last = len(self.hidden) + 1
        lines.append(rf"z = {before} W_{{{last}}} + b_{{{last}}}")
        if len(lines) > 3:
            lines = [lines[0], r"\ldots", lines[-1]]
        return r" ,\quad ".join(lines)

    def script(self) -> str:
        """The same as a Python program with fallline."""
        return f'''"""The computational graph of a small network, as Fallline's studio showed it."""

import jax
import jax.numpy as jnp
import numpy as np

import fallline
from fallline.losses import softmax_cross_entropy
from fallline.models import MLP

jax.config.update("jax_enable_x64", True)

model = MLP(
    {self.inputs},
    {self.hidden!r},
    {self.classes},
    activation={self.activation!r},
    batch_norm={self.batch_norm},
)
params = jax.tree.map(lambda p: np.round(p, 2), model.init(jax.random.key({self.seed})))
x = np.round(np.random.default_rng({self.seed}).normal(size=({self.examples}, {self.inputs})), 1)
t = np.eye({self.classes})[np.arange({self.examples}) % {self.classes}]


def loss(params, x, t):
    z, _ = model.apply(params, model.init_state(), x, training=True)
    with jax.named_scope("softmax cross-entropy"):
        return jnp.mean(softmax_cross_entropy(z, t))


graph = fallline.graph(loss, params, x, t, names={self.names()!r})
graph.check()
for step in graph.step():
    print(step.sentence)
print("loss", graph.value)
'''
