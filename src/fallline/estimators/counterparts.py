"""What scikit-learn's estimators mean and has no name here: one class against the rest, two schedules."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from fallline import losses
from fallline.schedules import ReduceOnPlateau, Schedule
from fallline.tree import hyperparameters, require, static

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from fallline.losses import Loss
    from fallline.schedules import Number, Step


@dataclasses.dataclass(frozen=True)
class OneVsRest:
    """A loss of one output, for each class against the rest, summed over the classes.

    The names are kept and not the functions, so that copies are equal and share a compiled program.

    Attributes:
        name: a loss in `fallline.losses`; one for numbers is given the targets -1 and 1.
    """

    name: str

    def __call__(self, prediction: Array, target: Array) -> Float[Array, " n"]:
        """The loss of each row, (n,).

        Args:
            prediction: scores, (n,) or (n, 1) for two classes, else (n, classes).
            target: 0 and 1 for two classes, else the index of the class; (n,).
        """
        z = prediction.reshape(prediction.shape[0], -1)
        own = target.reshape(-1, 1)
        if z.shape[1] > 1:
            own = jax.nn.one_hot(target.reshape(-1), z.shape[1], dtype=z.dtype)
        loss = losses.by_name(self.name)
        signed = 2.0 * own - 1.0 if loss.task == "regression" else own
        values = loss.function(z.reshape(-1), signed.reshape(-1))
        return jnp.sum(values.reshape(z.shape), axis=1)


@dataclasses.dataclass(frozen=True)
class Shares:
    """Probabilities of classes that were told from the rest one by one: each one's, brought to sum 1.

    Attributes:
        clipped: a score's probability is (z + 1) / 2 within 0 and 1 instead of the logistic function.
    """

    clipped: bool = False

    def __call__(self, raw: Float[Array, "n k"]) -> Float[Array, "n k"]:
        """The probabilities; where no class has any, all have the same."""
        p = (jnp.clip(raw, -1.0, 1.0) + 1.0) / 2.0 if self.clipped else jax.nn.sigmoid(raw)
        if raw.shape[1] == 1:
            return p
        total = jnp.sum(p, axis=1, keepdims=True)
        return jnp.where(total > 0, p / jnp.where(total > 0, total, 1.0), 1.0 / raw.shape[1])


def one_vs_rest(name: str) -> Loss:
    """A loss that tells each class from the rest on its own, as scikit-learn's ``SGDClassifier`` does.

    For two classes it is the plain loss.

    Args:
        name: a loss of `fallline.losses` of one output: ``"hinge"``, ``"log_loss"``, ``"huber:0.1"``, ...

    Raises:
        FalllineError: if there is no such loss.
    """
    own = "binary_cross_entropy" if name == "log_loss" else name
    losses.by_name(own)
    link = {"binary_cross_entropy": Shares(), "modified_huber": Shares(clipped=True)}.get(own)
    return losses.Loss(
        f"one_vs_rest_{name}", OneVsRest(own), "classification", binary=True, link=link
    )


@hyperparameters
class InverseScaling(Schedule):
    r"""Falling like a power of the age: $\eta_t = \eta_0 / (1 + k\, t / T)^p$.

    Attributes:
        initial: $\eta_0$.
        power: $p$.
        rate: $k$.
        every: $T$, in steps.
        staircase: use $\lfloor t / T \rfloor$.
    """

    initial: Any = 0.01
    power: Any = 0.25
    rate: Any = 1.0
    every: Any = 1.0
    staircase: bool = static(default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "rate", 0.0)
        require(self, "every", 1e-9)

    def __call__(self, step: Step) -> Number:
        """The rate of a step."""
        age = step / self.every
        age = jnp.floor(age) if self.staircase else age
        return self.initial / (1.0 + self.rate * age) ** self.power


@hyperparameters
class Adaptive(ReduceOnPlateau):
    """`ReduceOnPlateau` that takes for an improvement what falls by more than ``tol`` below the best.

    Attributes:
        tol: in the units of the loss, not a share of it.
    """

    tol: Any = 1e-4

    def observe(self, value: Number) -> Adaptive:
        """The schedule after an epoch with this loss."""
        waited = jnp.where(value > self.best - self.tol, self.waited + 1.0, 0.0)
        cut = waited > self.patience
        return dataclasses.replace(
            self,
            scale=jnp.where(cut, self.scale * self.factor, self.scale),
            best=jnp.minimum(self.best, value),
            waited=jnp.where(cut, 0.0, waited),
        )
