"""What is asked for: model, loss, optimizer, batches; read from the page's messages."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

from fallline.errors import FalllineError, nearest
from fallline.models import MLP, Linear
from fallline.models.layers import ACTIVATIONS
from fallline.optimizers import OPTIMIZERS, Optimizer, by_name
from fallline.studio.catalogue import settings_of

if TYPE_CHECKING:
    from fallline.models import Model
    from fallline.studio.message import Message

MODELS = ("line", "polynomial", "network")
LOSSES = ("squared_error", "half_squared_error", "absolute_error", "huber")
MOST_UNITS, MOST_LAYERS = 64, 4


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything but the points.

    Attributes:
        model: one of `MODELS`.
        degree: of the polynomial.
        hidden: units of the network's layers.
        activation: of the network.
        loss: a name in `LOSSES`.
        optimizer: a name in `fallline.optimizers.OPTIMIZERS`.
        numbers: hyper-parameters of the optimizer by name, other than its rate.
        rate: the learning rate; None for one that suits, found when the run starts.
        batch: rows a step; 0 for all.
        l2: penalty on squared weights.
        seed: of the initial parameters and of the orders.
        standardise: input and target; None for what suits: tables are, painted points are not.
        place: (w, b) to start the line from; None for its initialiser's.
    """

    model: str = "line"
    degree: int = 3
    hidden: tuple[int, ...] = (8, 8)
    activation: str = "tanh"
    loss: str = "squared_error"
    optimizer: str = "sgd"
    numbers: dict[str, float] = dataclasses.field(default_factory=dict[str, float])
    rate: float | None = None
    batch: int = 0
    l2: float = 0.0
    seed: int = 0
    standardise: bool | None = None
    place: tuple[float, float] | None = None

    @property
    def two(self) -> bool:
        """Has the model two parameters, so that its loss is a surface?"""
        return self.model == "line"

    @property
    def squared(self) -> bool:
        """Is the loss a parabola along every parameter of a model that is linear in them?"""
        return self.model != "network" and self.loss in ("squared_error", "half_squared_error")

    def made_optimizer(self, rate: float | None = None) -> Optimizer:
        """The optimizer, at a rate or at its own default."""
        chosen = {} if rate is None else {"learning_rate": rate}
        return by_name(self.optimizer, **self.numbers, **chosen)

    def made_model(self) -> Model:
        """The model."""
        if self.model == "network":
            return MLP(1, self.hidden, activation=self.activation)
        return Linear(self.degree if self.model == "polynomial" else 1)

    def same_parameters(self, other: Settings) -> bool:
        """Do parameters of one mean the same to the other, so that a run can go on with them?"""

        def facts(settings: Settings) -> tuple[Any, ...]:
            own: Any = ()
            if settings.model == "polynomial":
                own = settings.degree
            elif settings.model == "network":
                own = settings.hidden, settings.activation
            return settings.model, own, settings.seed, settings.standardise, settings.place

        return facts(self) == facts(other)

    def same_program(self, other: Settings) -> bool:
        """Do they differ in numbers of the optimizer at most?"""
        return dataclasses.replace(self, rate=None, numbers={}) == dataclasses.replace(
            other, rate=None, numbers={}
        ) and set(self.numbers) == set(other.numbers)


def read(message: Message, base: Settings) -> Settings:
    """The settings of a message; what it does not name stays as in ``base``.

    Raises:
        FalllineError: for what does not fit.
    """
    given = message.fields
    model = message.choice("model", MODELS, base.model)
    hidden = base.hidden
    if "hidden" in message:
        units = message.numbers("hidden", MOST_LAYERS, 1, MOST_UNITS)
        if any(count != int(count) for count in units):
            raise FalllineError("The units of each hidden layer must be a whole number.")
        hidden = tuple(int(count) for count in units)
        if not hidden:
            raise FalllineError(
                "A network needs at least one hidden layer; for none choose the line."
            )
    optimizer = message.choice("optimizer", OPTIMIZERS, base.optimizer)
    numbers = dict(base.numbers) if optimizer == base.optimizer else {}
    if "settings" in message:
        numbers |= _numbers(message.message("settings"), OPTIMIZERS[optimizer])
    rate = message.number("rate", 0.0, 1e6, None) if "rate" in given else base.rate
    standardise = base.standardise
    if "standardise" in given:
        standardise = message.flag("standardise", None)
    place = base.place
    if "place" in given:
        pair = message.numbers("place", 2, -1e6, 1e6, None)
        if pair is not None and len(pair) != 2:
            raise FalllineError("A place in parameter space is two numbers, w and b.")
        place = None if pair is None else (pair[0], pair[1])
    if model != "line":
        place = None
    settings = Settings(
        model=model,
        degree=message.whole("degree", 2, 9, base.degree),
        hidden=hidden,
        activation=message.choice("activation", ACTIVATIONS, base.activation),
        loss=message.choice("loss", LOSSES, base.loss),
        optimizer=optimizer,
        numbers=numbers,
        rate=rate,
        batch=message.whole("batch", 0, 1_000_000, base.batch),
        l2=message.number("l2", 0.0, 1e6, base.l2),
        seed=message.whole("seed", 0, 2**32 - 1, base.seed),
        standardise=standardise,
        place=place,
    )
    # What the optimizer has to say about its numbers, it says now.
    settings.made_optimizer()
    return settings


def _numbers(inner: Message, kind: type[Optimizer]) -> dict[str, float]:
    """Hyper-parameters of an optimizer, but its rate; a term that is left out by default stays so at 0."""
    defaults = {field.name: field.default for field in dataclasses.fields(cast("Any", kind))}
    known = {name for name, facts in settings_of(kind).items() if not facts.get("static")}
    found: dict[str, float] = {}
    for name in inner.fields:
        if name not in known:
            raise FalllineError(f"{kind.__name__} has no number {name!r}: {nearest(name, known)}")
        value = inner.number(name, 0.0, 1e6)
        if value or defaults[name] is not None:
            found[name] = value
    return found
