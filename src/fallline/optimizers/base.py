"""What an optimizer is: ``init``, ``update``, and a few questions the engine asks it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Self, TypeVar

import jax
import jax.numpy as jnp

from fallline.errors import FalllineError, lookup, nearest
from fallline.schedules import Schedule, rate_at
from fallline.tree import as_floats, require

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jaxtyping import Array, Float, PyTree

    State = dict[str, Any]

OPTIMIZERS: dict[str, type[Optimizer]] = {}

Kind = TypeVar("Kind", bound="Optimizer")


class Optimizer:
    """The protocol of every optimizer, which is optax's.

    A subclass is a frozen dataclass whose numbers are pytree leaves (`fallline.tree`), with two
    methods that are pure functions of their arguments, so that they run under ``jit``, ``vmap`` and
    ``scan``. Subclasses defined in this package are found in ``OPTIMIZERS`` by their names.
    """

    learning_rate: Any

    def __post_init__(self) -> None:
        as_floats(self)
        if isinstance(self.learning_rate, str):
            raise FalllineError(
                f"The learning rate of {type(self).__name__} must be a number or a schedule; it was "
                f"given {self.learning_rate!r}."
            )
        require(self, "learning_rate", 0.0)
        for field in dataclasses.fields(self):  # pyright: ignore[reportArgumentType]
            if field.name in ("momentum", "beta1", "beta2", "beta"):
                require(self, field.name, 0.0, 1.0)
            elif field.name in ("epsilon", "weight_decay"):
                require(self, field.name, 0.0)

    def init(self, params: PyTree) -> State:
        """The state before the first step; ``state["step"]`` counts updates from 0."""
        return {"step": jnp.zeros((), jnp.int32)}

    def update(
        self, grads: PyTree, state: State, params: PyTree | None = None, **unused: Any
    ) -> tuple[PyTree, State]:
        """One step.

        Args:
            grads: the gradient, a tree shaped like the parameters.
            state: from ``init`` or the last ``update``.
            params: the parameters; needed only where the rule names them (weight decay).
            unused: keyword arguments that other optimizers of optax's protocol may want.

        Returns:
            ``(updates, state)``; the updates are to be *added* to the parameters.
        """
        raise NotImplementedError

    def rate(self, state: State) -> float | Float[Array, ""]:
        """The learning rate that the next update will use."""
        return rate_at(self.learning_rate, state["step"])

    def with_rate(self, learning_rate: Any) -> Self:
        """The same optimizer with another learning rate or schedule."""
        return dataclasses.replace(self, learning_rate=learning_rate)  # pyright: ignore

    def observe(self, value: Any) -> Self:
        """The optimizer after an epoch that ended with this loss (for rates cut on a plateau)."""
        if isinstance(self.learning_rate, Schedule):
            return self.with_rate(self.learning_rate.observe(value))
        return self

    def averaged(self, params: PyTree, state: State) -> PyTree:
        """The parameters to predict with: averaged over the run where the optimizer does so."""
        return params

    def as_optax(self) -> Any:
        """This optimizer as an ``optax.GradientTransformationExtraArgs``.

        Raises:
            FalllineError: if optax is not installed (``pip install 'fallline[optax]'``).
        """
        return import_optax().GradientTransformationExtraArgs(self.init, self.update)


def register(cls: type[Kind]) -> type[Kind]:
    """Enter an optimizer class into ``OPTIMIZERS`` under its name in lower case."""
    OPTIMIZERS[cls.__name__.lower()] = cls
    return cls


def import_optax() -> Any:
    """Import optax, or say how to get it."""
    try:
        import optax
    except ImportError:
        raise FalllineError(
            "This needs optax, which is not installed: run  pip install 'fallline[optax]'."
        ) from None
    return optax


def keep_type(compute: Callable[..., Array], grads: PyTree, *trees: PyTree) -> PyTree:
    """Map over leaves and give back the gradient's types: a float32 rate never widens bfloat16."""
    return jax.tree.map(lambda g, *rest: compute(g, *rest).astype(g.dtype), grads, *trees)


def by_name(name: str, **hyperparameters: Any) -> Optimizer:
    """Make an optimizer from its name and its hyper-parameters.

    Examples:
        >>> by_name("momentum", learning_rate=0.1, momentum=0.8)
        Momentum(learning_rate=0.1, momentum=0.8, average=False)

    Raises:
        FalllineError: if the name or a hyper-parameter is unknown; the nearest is named.
    """
    cls = lookup("optimizer", OPTIMIZERS, name.lower())
    known = hyperparameter_names(cls)
    for field in hyperparameters:
        if field not in known:
            raise FalllineError(f"{cls.__name__} has no {field!r}: {nearest(field, known)}")
    return cls(**hyperparameters)


def hyperparameter_names(cls: type[Optimizer]) -> list[str]:
    """The names of an optimizer's fields."""
    return [field.name for field in dataclasses.fields(cls)]  # pyright: ignore[reportArgumentType]


def describe(optimizer: Any) -> Mapping[str, Any]:
    """A JSON-able description of an optimizer: its class and its numbers, schedules and all."""
    fields: dict[str, Any] = {"class": type(optimizer).__name__}
    for field in dataclasses.fields(optimizer):
        value = getattr(optimizer, field.name)
        if dataclasses.is_dataclass(value):
            fields[field.name] = describe(value)
        elif isinstance(value, (bool, str, type(None))):
            fields[field.name] = value
        elif isinstance(value, (tuple, list)):
            fields[field.name] = [float(v) for v in value]  # pyright: ignore
        else:
            fields[field.name] = float(value) if jnp.ndim(value) == 0 else value
    return fields
