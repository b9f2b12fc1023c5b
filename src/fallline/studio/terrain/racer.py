"""One entrant of a race: an optimizer with its numbers, all of which may change while it runs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Self

from fallline.errors import FalllineError, lookup, nearest
from fallline.optimizers import OPTIMIZERS, WeightDecay
from fallline.studio.catalogue import RANGES, settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fallline.optimizers import Optimizer

OWN_DECAY = "weight_decay"
"""The field of optimizers that have a decay of their own; the others are wrapped."""

RATE = (0.0, 1e6)
DECAY = (0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Racer:
    """An optimizer by name, with its numbers.

    Attributes:
        optimizer: its name.
        rate: the learning rate.
        settings: its other hyper-parameters but the decay, all of them, in the order of its fields.
        decay: decoupled weight decay.
    """

    optimizer: str
    rate: float
    settings: tuple[tuple[str, float | bool], ...]
    decay: float

    @staticmethod
    def of(
        optimizer: str,
        rate: float | None = None,
        settings: Mapping[str, float | bool] | None = None,
        decay: float | None = None,
    ) -> Racer:
        """A racer with the defaults of its optimizer where nothing is given.

        Raises:
            FalllineError: if there is no such optimizer or setting, or a number is out of range.
        """
        cls: Any = lookup("optimizer", OPTIMIZERS, optimizer)
        defaults = {name: about["value"] for name, about in settings_of(cls).items()}
        own = defaults.pop(OWN_DECAY, None)
        made = Racer(
            optimizer,
            float(cls().learning_rate if rate is None else rate),
            tuple(defaults.items()),
            float((own or 0.0) if decay is None else decay),
        )
        made = made.changed(settings=settings)
        made.made()
        return made

    @property
    def title(self) -> str:
        """The optimizer's name as it is written."""
        return OPTIMIZERS[self.optimizer].__name__

    @property
    def wrapped(self) -> bool:
        """Is the decay added beside the optimizer, which has none of its own?"""
        return OWN_DECAY not in settings_of(OPTIMIZERS[self.optimizer])

    def has(self, setting: str) -> bool:
        """Is there a setting of this name?"""
        return setting in dict(self.settings) or (setting == OWN_DECAY and not self.wrapped)

    def changed(
        self,
        rate: float | None = None,
        settings: Mapping[str, float | bool] | None = None,
        decay: float | None = None,
    ) -> Self:
        """The racer with other numbers.

        Raises:
            FalllineError: if it has no such setting, or a number is out of range.
        """
        known: dict[str, float | bool] = dict(self.settings)
        for name, value in (settings or {}).items():
            if name == OWN_DECAY and not self.wrapped:
                decay = value if decay is None else decay
                continue
            if name not in known:
                raise FalllineError(f"{self.title} has no {name!r}: {nearest(name, list(known))}")
            if isinstance(known[name], bool) != isinstance(value, bool):
                wanted = "true or false" if isinstance(known[name], bool) else "a number"
                raise FalllineError(f"{self.title} needs {wanted} as {name}; it was given {value}.")
            if not isinstance(value, bool):
                value = _within(f"{self.title}'s {name}", value, RANGES[name])
            known[name] = value
        return dataclasses.replace(
            self,
            rate=_within(
                f"{self.title}'s learning rate", self.rate if rate is None else rate, RATE
            ),
            settings=tuple(known.items()),
            decay=_within(f"{self.title}'s decay", self.decay if decay is None else decay, DECAY),
        )

    def made(self) -> Optimizer:
        """The optimizer itself."""
        fields = {**dict(self.settings), "learning_rate": self.rate}
        if not self.wrapped:
            fields[OWN_DECAY] = self.decay
        optimizer = OPTIMIZERS[self.optimizer](**fields)
        return WeightDecay(optimizer, self.decay) if self.wrapped else optimizer

    def about(self) -> dict[str, dict[str, Any]]:
        """Each setting's value, range and kind, for the page."""
        found = settings_of(OPTIMIZERS[self.optimizer])
        return {name: {**found[name], "value": value} for name, value in self.settings}


def _within(what: str, value: float, bounds: tuple[float, float]) -> float:
    low, high = bounds
    if not low <= value <= high:
        raise FalllineError(
            f"{what} must lie between {low:g} and {high:g}; it was given {value:g}."
        )
    return float(value)
