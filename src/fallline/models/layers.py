r"""Layers: frozen descriptions with ``init`` and ``apply`` over plain pytrees.

``init(key) -> params``; ``init_state() -> state``, what is carried along but not trained;
``apply(params, state, x, ...) -> (y, state)``. A layer holds no arrays, so it can be a static
argument of a compiled function.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from fallline.averages import average
from fallline.errors import FalllineError, lookup
from fallline.models.init import by_name as initialiser_by_name
from fallline.models.products import BFLOAT16, product
from fallline.sparse import is_rows
from fallline.tree import inner
from fallline.tuning import LANES

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array, Bool, Float, Key

    Params = dict[str, Any]
    State = dict[str, Any]


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda x: x,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "leaky_relu": functools.partial(jax.nn.leaky_relu, negative_slope=0.01),
    "elu": jax.nn.elu,
    "gelu": functools.partial(jax.nn.gelu, approximate=False),
    "softplus": jax.nn.softplus,
}
"""Activations by name, each element by element; leaky ReLU has slope 0.01, GELU is the exact one."""


@dataclasses.dataclass(frozen=True)
class Layer:
    """What every layer has in common."""

    @property
    def draws(self) -> int:
        """How many random numbers the parameters at the start are made of."""
        return 0

    def place(self, draws: Float[Array, " draws"]) -> Params:
        """The parameters at the start, made of standard normal numbers; empty if there are none."""
        return {}

    def init(self, key: Key[Array, ""]) -> Params:
        """The parameters at the start."""
        return self.place(jax.random.normal(key, (self.draws,)))

    def init_state(self) -> State:
        """What the layer carries along untrained; empty for most."""
        return {}

    def apply(
        self,
        params: Params,
        state: State,
        x: Float[Array, "n *features"],
        *,
        key: Key[Array, ""] | None = None,
        training: bool = False,
        mask: Bool[Array, " n"] | None = None,
    ) -> tuple[Array, State]:
        """The layer's output and its new state.

        Args:
            params: from ``init``.
            state: from ``init_state`` or the last ``apply``.
            x: a batch, one example a row.
            key: randomness, where a layer needs it in training.
            training: learn from the batch (statistics, dropout) or only predict.
            mask: which rows are examples; the others only fill up a last, smaller batch.
        """
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Affine(Layer):
    r"""A fully connected layer, $Y = X W + b$.

    Backward: $dX = dY\,W^\top$, $dW = X^\top dY$, $db = \sum_i dY_i$.

    Attributes:
        inputs: features an example; inputs of higher rank are flattened from axis 1 on.
        outputs: units.
        initialiser: the name of the weights' initialiser; the bias starts at 0.
        bias: add $b$.
        precision: of the products: "bfloat16" rounds their factors to it, see `fallline.models.products`;
            else they are as wide as the factors.
    """

    inputs: int
    outputs: int
    initialiser: str = "he"
    bias: bool = True
    precision: str = "float32"

    def __post_init__(self) -> None:
        for field in ("inputs", "outputs"):
            count = getattr(self, field)
            if not isinstance(count, int) or count < 1:
                raise FalllineError(
                    f"A layer needs a whole number of {field}, at least one; it was given {count!r}."
                )
        initialiser_by_name(self.initialiser)

    @property
    def draws(self) -> int:
        """One for each weight."""
        return self.inputs * self.outputs

    def place(self, draws: Float[Array, " draws"]) -> Params:
        """``{"weights": (inputs, outputs), "bias": (outputs,)}``."""
        std = initialiser_by_name(self.initialiser)(self.inputs, self.outputs)
        weights = std * draws.reshape(self.inputs, self.outputs)
        bias = {"bias": jnp.zeros(self.outputs)} if self.bias else {}
        return {"weights": weights, **bias}

    def apply(
        self,
        params: Params,
        state: State,
        x: Float[Array, "n *features"],
        *,
        key: Key[Array, ""] | None = None,
        training: bool = False,
        mask: Bool[Array, " n"] | None = None,
    ) -> tuple[Array, State]:
        """$X W + b$, shape (n, outputs)."""
        flat = x if is_rows(x) else x.reshape(x.shape[0], math.prod(x.shape[1:]))
        if flat.shape[1] != self.inputs:
            raise FalllineError(
                f"This layer takes {self.inputs} inputs an example; it was given {flat.shape[1]}."
            )
        if self.precision == BFLOAT16:
            y = product(flat, params["weights"])
        elif training and self._one_long_row(flat):
            y = inner(flat[0], params["weights"][:, 0]).reshape(1, 1)
        else:
            y = flat @ params["weights"]
        return y + params["bias"] if self.bias else y, state

    def _one_long_row(self, x: Any) -> bool:
        return not is_rows(x) and x.shape[0] == self.outputs == 1 and self.inputs >= LANES


@dataclasses.dataclass(frozen=True)
class Activation(Layer):
    """A function applied to each element: a name in ``ACTIVATIONS``, or a function of your own."""

    name: str | Callable[[Array], Array] = "relu"

    def __post_init__(self) -> None:
        _ = self.function

    @property
    def function(self) -> Callable[[Array], Array]:
        """The function itself.

        Raises:
            FalllineError: if there is none of that name.
        """
        return self.name if callable(self.name) else lookup("activation", ACTIVATIONS, self.name)

    def apply(
        self,
        params: Params,
        state: State,
        x: Float[Array, "n *features"],
        *,
        key: Key[Array, ""] | None = None,
        training: bool = False,
        mask: Bool[Array, " n"] | None = None,
    ) -> tuple[Array, State]:
        """The function of every element."""
        y = self.function(x)
        if jnp.shape(y) != jnp.shape(x):
            raise FalllineError(
                f"An activation must keep the shape of its input, {jnp.shape(x)}; this one gave "
                f"{jnp.shape(y)}."
            )
        return y, state


@dataclasses.dataclass(frozen=True)
class BatchNorm(Layer):
    r"""Batch normalisation, $y = \gamma\,(x - \mu_B) / \sqrt{\sigma_B^2 + \epsilon} + \beta$.

    In training $\mu_B$ and $\sigma_B^2$ are those of the batch (rows that only pad it left out) and
    enter running averages; to predict, the running averages take their place.

    Attributes:
        features: columns.
        momentum: the share of the running averages that is kept at each step.
        epsilon: inside the root.

    Reference: Ioffe & Szegedy, "Batch normalization", ICML 2015.
    """

    features: int
    momentum: float = 0.9
    epsilon: float = 1e-5

    def place(self, draws: Float[Array, " draws"]) -> Params:
        """``{"scale": ones, "shift": zeros}``, shape (features,)."""
        return {"scale": jnp.ones(self.features), "shift": jnp.zeros(self.features)}

    def init_state(self) -> State:
        """Running mean 0 and variance 1."""
        return {"mean": jnp.zeros(self.features), "variance": jnp.ones(self.features)}

    def apply(
        self,
        params: Params,
        state: State,
        x: Float[Array, "n *features"],
        *,
        key: Key[Array, ""] | None = None,
        training: bool = False,
        mask: Bool[Array, " n"] | None = None,
    ) -> tuple[Array, State]:
        """The normalised batch."""
        mean, variance = state["mean"], state["variance"]
        if training:
            weight = jnp.ones(x.shape[0], x.dtype) if mask is None else mask.astype(x.dtype)
            count = jnp.maximum(jnp.sum(weight), 1.0)
            mean = weight @ x / count
            variance = weight @ jnp.square(x - mean) / count
            # The running variance estimates the population's, hence n - 1.
            batch = {"mean": mean, "variance": variance * count / jnp.maximum(count - 1.0, 1.0)}
            state = average(state, jax.lax.stop_gradient(batch), self.momentum)
        normalised = (x - mean) * jax.lax.rsqrt(variance + self.epsilon)
        return normalised * params["scale"] + params["shift"], state


@dataclasses.dataclass(frozen=True)
class Dropout(Layer):
    """In training, each element is zeroed with probability ``rate`` and the rest scaled up to match.

    Reference: Srivastava et al., "Dropout", JMLR 15 (2014).
    """

    rate: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise FalllineError(
                f"Dropout needs a rate of at least 0 and below 1; it was given {self.rate:g}."
            )

    def apply(
        self,
        params: Params,
        state: State,
        x: Float[Array, "n *features"],
        *,
        key: Key[Array, ""] | None = None,
        training: bool = False,
        mask: Bool[Array, " n"] | None = None,
    ) -> tuple[Array, State]:
        """The thinned batch in training, the batch itself in prediction."""
        if not training or self.rate == 0:
            return x, state
        if key is None:
            raise FalllineError("Dropout needs a random key in training: pass key=.")
        kept = jax.random.bernoulli(key, 1 - self.rate, x.shape)
        return jnp.where(kept, x / (1 - self.rate), 0).astype(x.dtype), state


@dataclasses.dataclass(frozen=True)
class Sequential(Layer):
    """Layers one after the other, each under its name.

    Attributes:
        layers: pairs of name and layer; the names are the keys of parameters and state.
    """

    layers: tuple[tuple[str, Layer], ...] = ()

    def in_precision(self, precision: str) -> Sequential:
        """The same layers, the affine ones with their products in a precision."""
        return Sequential(
            tuple(
                (name, dataclasses.replace(layer, precision=precision))
                if isinstance(layer, Affine)
                else (name, layer)
                for name, layer in self.layers
            )
        )

    @property
    def draws(self) -> int:
        """As many as all layers together: drawn at once, since each draw costs 0.2 s to compile."""
        return sum(layer.draws for _, layer in self.layers)

    def place(self, draws: Float[Array, " draws"]) -> Params:
        """The parameters of every layer that has any, by name."""
        params: Params = {}
        used = 0
        for name, layer in self.layers:
            own = layer.place(draws[used : used + layer.draws])
            used += layer.draws
            if own:
                params[name] = own
        return params

    def init_state(self) -> State:
        """The state of every layer that has any, by name."""
        states = {name: layer.init_state() for name, layer in self.layers}
        return {name: s for name, s in states.items() if s}

    def apply(
        self,
        params: Params,
        state: State,
        x: Float[Array, "n *features"],
        *,
        key: Key[Array, ""] | None = None,
        training: bool = False,
        mask: Bool[Array, " n"] | None = None,
    ) -> tuple[Array, State]:
        """The output of the last layer and the new states."""
        new: State = {}
        for i, (name, layer) in enumerate(self.layers):
            own = None if key is None else jax.random.fold_in(key, i)
            # The name groups the operations of a layer in the computational graph.
            with jax.named_scope(name):
                x, changed = layer.apply(
                    params.get(name, {}),
                    state.get(name, {}),
                    x,
                    key=own,
                    training=training,
                    mask=mask,
                )
            if changed:
                new[name] = changed
        return x, new
