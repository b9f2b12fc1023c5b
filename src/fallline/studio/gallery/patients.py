"""The ten patients: how each was set up, what ails it, what else one might think, and where to look.

Nothing that a run does is written here: each is trained when it is asked for, and examined by the doctor.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from fallline.errors import lookup
from fallline.studio.gallery.tables import Rows, bundled, moons, with_visits

if TYPE_CHECKING:
    from collections.abc import Callable

CROSS = "softmax_cross_entropy"


@dataclasses.dataclass(frozen=True)
class Patient:
    """One sick run.

    Attributes:
        name: in the address and among the words; it does not give the illness away.
        ill: the finding that the doctor comes to first.
        others: findings that one might think of instead; their words say what would differ.
        hint: the instrument that tells: "loss", "rate", "gradient", "flow", "activations" or "inputs".
        make: the arguments of `fallline.train`, from the rows.
        rows: makes the rows; None for a function.
        cost: its place in the order in which all are trained, the cheapest first.
        link: the view that can show the like, and its state; None where none can.
    """

    name: str
    ill: str
    others: tuple[str, ...]
    hint: str
    make: Callable[[Rows | None], dict[str, Any]]
    rows: Callable[[], Rows] | None = None
    cost: int = 0
    link: tuple[str, dict[str, Any]] | None = None

    @property
    def answers(self) -> list[str]:
        """All that can be answered, in an order that says nothing."""
        return sorted((self.ill, *self.others))


def _digits() -> Rows:
    return bundled("digits").first(1000).standardized()


def _classifier(rows: Rows | None, hidden: tuple[int, ...], optimizer: Any, **more: Any) -> Any:
    """A network on the digits: 15 epochs of 20 steps."""
    from fallline import models

    assert rows is not None
    model = models.MLP(64, hidden, 10, more.pop("activation", "relu"))
    asked = {"model": model, "loss": CROSS, "data": rows.data, "optimizer": optimizer}
    return {**asked, "batch_size": 50, "epochs": 15, **more}


def _snail(rows: Rows | None) -> dict[str, Any]:
    from fallline.optimizers import SGD

    return _classifier(rows, (32,), SGD(0.002))


def _leaper(rows: Rows | None) -> dict[str, Any]:
    from fallline.optimizers import SGD

    return _classifier(rows, (32,), SGD(70.0), activation="tanh", seed=2)


def _tired(rows: Rows | None) -> dict[str, Any]:
    from fallline.optimizers import SGD
    from fallline.schedules import ExponentialDecay

    return _classifier(rows, (32,), SGD(ExponentialDecay(0.1, 0.3, 20.0)))


def _whisper(rows: Rows | None) -> dict[str, Any]:
    from fallline.optimizers import SGD

    return _classifier(rows, (24,) * 7, SGD(0.1), activation="sigmoid")


def _flatline(rows: Rows | None) -> dict[str, Any]:
    import jax

    from fallline import models
    from fallline.optimizers import SGD

    start: Any = models.MLP(64, (32, 16), 10).init(jax.random.PRNGKey(0))
    # What a start copied from elsewhere may look like: no unit of the second layer ever comes above 0.
    start["affine2"]["bias"] = start["affine2"]["bias"] - 20.0
    return _classifier(rows, (32, 16), SGD(0.1), params=start)


def _shiver(rows: Rows | None) -> dict[str, Any]:
    from fallline import models
    from fallline.optimizers import SGD

    assert rows is not None
    asked = {"model": models.Linear(10, 1), "loss": "squared_error", "data": rows.data}
    return {**asked, "optimizer": SGD(0.15), "batch_size": 16, "epochs": 10}


def _pupil(rows: Rows | None) -> dict[str, Any]:
    from fallline import models
    from fallline.optimizers import Adam

    assert rows is not None
    return {
        "model": models.MLP(2, (48, 48), 1),
        "loss": "binary_cross_entropy",
        "data": rows.data,
        "validation": 0.5,
        "optimizer": Adam(0.006),
        "batch_size": 40,
        "epochs": 200,
        "seed": 1,
        "patience": math.inf,
    }


def _plunge(rows: Rows | None) -> dict[str, Any]:
    from fallline import models
    from fallline.optimizers import SGD

    assert rows is not None
    asked = {"model": models.MLP(13, (16,), 3), "loss": CROSS, "data": rows.data}
    return {**asked, "optimizer": SGD(0.05), "batch_size": 20, "epochs": 40}


def _landing(rows: Rows | None) -> dict[str, Any]:
    import jax.numpy as jnp

    from fallline.optimizers import SGD

    def function(p: Any) -> Any:
        return p["x"] ** 2 - p["y"] ** 2 + 0.1 * p["y"] ** 4

    start = {"x": jnp.asarray(1.8), "y": jnp.asarray(0.0)}
    return {"model": function, "params": start, "optimizer": SGD(0.05), "steps": 120}


def _oracle(rows: Rows | None) -> dict[str, Any]:
    from fallline import models
    from fallline.optimizers import SGD

    assert rows is not None
    return {
        "model": models.Linear(31, 1),
        "loss": "binary_cross_entropy",
        "data": rows.data,
        "validation": 0.3,
        "optimizer": SGD(0.1),
        "batch_size": 20,
        "epochs": 30,
        "patience": math.inf,
    }


_FITTED = {
    "model": "mlp",
    "optimizer": "sgd",
    "schedule": "constant",
    "seed": 0,
    # What `fallline.fit` does for the health of its runs is left out.
    "weight_decay": 0,
    "average": 0,
}
_ON_DIGITS = {**_FITTED, "data": "digits", "hidden": [32], "batch_size": 50, "epochs": 15}
_ON_DIABETES = {**_FITTED, "model": "linear", "data": "diabetes", "batch_size": 16, "epochs": 10}

PATIENTS = (
    Patient(
        name="snail",
        ill="learning-rate-too-low",
        others=("vanishing-gradients", "noise-floor", "decay-too-fast", "plateau"),
        hint="loss",
        make=_snail,
        rows=_digits,
        cost=3,
        link=("network", {**_ON_DIGITS, "learning_rate": 0.002}),
    ),
    Patient(
        name="leaper",
        ill="learning-rate-too-high",
        others=("plateau", "exploding-gradients", "shuffled-labels", "overfitting"),
        hint="loss",
        make=_leaper,
        rows=_digits,
        cost=5,
        link=("network", {**_ON_DIGITS, "learning_rate": 70.0, "activation": "tanh"}),
    ),
    Patient(
        name="pupil",
        ill="overfitting",
        others=("underfitting", "learning-rate-too-high", "target-leak", "healthy"),
        hint="loss",
        make=_pupil,
        rows=lambda: moons(160, 0.35, 4),
        cost=8,
    ),
    Patient(
        name="tired",
        ill="decay-too-fast",
        others=("plateau", "underfitting", "noise-floor", "vanishing-gradients"),
        hint="rate",
        make=_tired,
        rows=_digits,
        cost=4,
        link=("network", {**_ON_DIGITS, "learning_rate": 0.1, "schedule": "exponential:0.3"}),
    ),
    Patient(
        name="shiver",
        ill="noise-floor",
        others=("learning-rate-too-low", "exploding-gradients", "decay-too-fast", "converged"),
        hint="loss",
        make=_shiver,
        rows=lambda: bundled("diabetes").standardized(),
        cost=1,
        link=("network", {**_ON_DIABETES, "learning_rate": 0.15}),
    ),
    Patient(
        name="plunge",
        ill="unscaled-inputs",
        others=("dead-units", "learning-rate-too-low", "shuffled-labels", "vanishing-gradients"),
        hint="inputs",
        make=_plunge,
        rows=lambda: bundled("wine"),
        cost=6,
    ),
    Patient(
        name="flatline",
        ill="dead-units",
        others=("vanishing-gradients", "learning-rate-too-low", "saddle-point", "shuffled-labels"),
        hint="activations",
        make=_flatline,
        rows=_digits,
        cost=7,
    ),
    Patient(
        name="whisper",
        ill="vanishing-gradients",
        others=("dead-units", "learning-rate-too-low", "shuffled-labels", "unscaled-inputs"),
        hint="flow",
        make=_whisper,
        rows=_digits,
        cost=9,
        link=(
            "network",
            {**_ON_DIGITS, "hidden": [24] * 7, "activation": "sigmoid", "learning_rate": 0.1},
        ),
    ),
    Patient(
        name="landing",
        ill="saddle-point",
        others=("converged", "local-minimum", "learning-rate-too-low", "decay-too-fast"),
        hint="gradient",
        make=_landing,
        cost=0,
        link=(
            "terrain",
            {
                "formula": "x^2 - y^2 + 0.1*y^4",
                "bounds": [-3.0, 3.0, -3.0, 3.0],
                "balls": 40,
                "racers": [{"o": "sgd", "r": 0.05}],
            },
        ),
    ),
    Patient(
        name="oracle",
        ill="target-leak",
        others=("healthy", "overfitting", "constant-target", "unscaled-inputs"),
        hint="inputs",
        make=_oracle,
        rows=lambda: with_visits(bundled("breast_cancer").standardized(), 2),
        cost=2,
    ),
)
"""All of them, in the order of the wall: the easier ones first."""

_BY_NAME = {patient.name: patient for patient in PATIENTS}


def patient_of(name: str) -> Patient:
    """A patient by name.

    Raises:
        FalllineError: if there is none of that name.
    """
    return lookup("patient", _BY_NAME, name)
