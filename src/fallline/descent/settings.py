"""The settings of a sweep: which values of which hyper-parameters, for which optimizers."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from fallline.descent.problem import with_rate
from fallline.errors import FalllineError, nearest
from fallline.optimizers import Optimizer
from fallline.optimizers import by_name as optimizer_by_name
from fallline.optimizers.transforms import FromOptax
from fallline.schedules import ExponentialDecay, Schedule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PENALTIES = ("l1", "l2")

MOST = 1_000_000
"""Settings that one sweep may have."""


@dataclasses.dataclass(frozen=True)
class Group:
    """One kind of optimizer with all its settings: what one compiled program serves.

    Attributes:
        label: the user's name for it.
        settings: what is varied, name -> value each.
        optimizers: the optimizer of each setting, one structure.
    """

    label: str
    settings: list[dict[str, float]]
    optimizers: list[Optimizer]

    def stacked(self) -> Any:
        """The optimizers as one, with a leading axis over settings in every number."""
        return jax.tree.map(lambda *numbers: np.array(numbers, np.float64), *self.optimizers)


def values(name: str, given: Any) -> tuple[float, ...]:
    """The values of a hyper-parameter: one number, some, or ``"low:high:count"``, evenly in the logarithm.

    Examples:
        >>> [round(v, 4) for v in values("learning_rate", "0.001:1:4")]
        [0.001, 0.01, 0.1, 1.0]

    Raises:
        FalllineError: if there are none, or they are not finite numbers.
    """
    if isinstance(given, str):
        return _spaced(name, given)
    listed: list[Any] = list(given) if np.iterable(given) else [given]
    if not listed:
        raise FalllineError(f"A sweep needs at least one value of {name}; it was given none.")
    found: list[float] = []
    for value in listed:
        number = math.nan
        if not isinstance(value, (bool, str)):
            with contextlib.suppress(TypeError, ValueError):
                number = float(value)
        if not math.isfinite(number):
            raise FalllineError(f"The values of {name} must be finite numbers; one is {value!r}.")
        found.append(number)
    return tuple(dict.fromkeys(found))


def _spaced(name: str, text: str) -> tuple[float, ...]:
    """``low:high:count``, or numbers with commas."""
    wrong = FalllineError(
        f"The values of {name} are written as numbers with commas, 0.01,0.1, or as low:high:count, "
        f"1e-4:1:13, with 0 < low < high; it was given {text!r}."
    )
    try:
        if ":" not in text:
            return values(name, [float(part) for part in text.split(",") if part.strip()])
        low, high, count = text.split(":")
        bounds, number = (float(low), float(high)), int(count)
    except ValueError:
        raise wrong from None
    if number < 1:
        raise FalllineError(f"A sweep needs at least one value of {name}; {text!r} has none.")
    if not (0 < bounds[0] < bounds[1] < math.inf) or number == 1 or number > MOST:
        raise wrong
    # Powers of ten stay themselves: 0.1, not 0.09999999999999999.
    return tuple(float(f"{v:.12g}") for v in np.geomspace(*bounds, number))


def labelled(optimizers: Any) -> dict[str, Optimizer]:
    """Optimizers by label, from names, instances, some of either, or a mapping."""
    if optimizers is None:
        optimizers = ["adam"]
    if isinstance(optimizers, str):
        optimizers = [part.strip() for part in optimizers.split(",") if part.strip()]
    if isinstance(optimizers, Optimizer) or not np.iterable(optimizers):
        optimizers = [optimizers]
    if isinstance(optimizers, dict):
        pairs: list[tuple[str, Any]] = [(str(k), v) for k, v in optimizers.items()]
    else:
        pairs = [(_label(entry), entry) for entry in optimizers]
    if not pairs:
        raise FalllineError("A sweep needs at least one optimizer; it was given none.")
    found: dict[str, Optimizer] = {}
    for label, entry in pairs:
        optimizer = optimizer_by_name(entry) if isinstance(entry, str) else entry
        if not isinstance(optimizer, Optimizer):
            raise FalllineError(
                "The optimizers of a sweep must be of fallline.optimizers, or their names; one is "
                f"{entry!r}."
            )
        if label in found:
            raise FalllineError(
                f"Two optimizers of the sweep are called {label!r}; give a mapping of names to "
                "optimizers to tell them apart."
            )
        found[label] = optimizer
    return found


def _label(entry: Any) -> str:
    return entry.lower() if isinstance(entry, str) else type(entry).__name__.lower()


def groups(
    optimizers: Mapping[str, Optimizer],
    varied: Mapping[str, Sequence[float]],
    steps_each: int,
) -> list[Group]:
    """Every combination of values for every optimizer, leaving out what an optimizer has not.

    Args:
        optimizers: by label.
        varied: name -> values.
        steps_each: steps an epoch, for ``decay``, which is a factor an epoch.

    Raises:
        FalllineError: if no optimizer has a name, or a value is out of its range.
    """
    known = {n for o in optimizers.values() for n in names_of(o)} | set(PENALTIES) | {"decay"}
    for name in varied:
        if name not in known:
            raise FalllineError(
                f"None of these optimizers has a hyper-parameter {name!r}: "
                f"{nearest(name, sorted(known))}"
            )
    made: list[Group] = []
    for label, optimizer in optimizers.items():
        own = {n: v for n, v in varied.items() if n in (*names_of(optimizer), *PENALTIES, "decay")}
        count = math.prod(len(v) for v in own.values())
        if count > MOST:
            raise FalllineError(
                f"The sweep has {count:,} settings of {label!r}; {MOST:,} are the most."
            )
        settings = [
            dict(zip(own, chosen, strict=True)) for chosen in itertools.product(*own.values())
        ]
        made.append(
            Group(label, settings, [apply(optimizer, each, steps_each) for each in settings])
        )
    return made


def names_of(optimizer: Any) -> list[str]:
    """The hyper-parameters of an optimizer that can be varied, its schedule's and an inner one's included."""
    # The numbers of a transformation of optax's sit inside it, out of reach.
    if isinstance(optimizer, FromOptax):
        return []
    found: list[str] = []
    for field in dataclasses.fields(optimizer):
        value = getattr(optimizer, field.name)
        if isinstance(value, (Optimizer, Schedule)):
            found += [n for n in names_of(value) if n != "initial"]
        if field.name == "learning_rate" or isinstance(value, float):
            found.append(field.name)
    return list(dict.fromkeys(found))


def apply(optimizer: Any, setting: Mapping[str, float], steps_each: int = 1) -> Any:
    """An optimizer at a setting."""
    for name, value in setting.items():
        if name == "learning_rate":
            optimizer = with_rate(optimizer, value)
        elif name not in (*PENALTIES, "decay"):
            optimizer = _replaced(optimizer, name, value)
    if "decay" in setting:
        rate = optimizer.learning_rate
        if callable(rate):
            raise FalllineError(
                f"{type(optimizer).__name__} has a schedule already; sweep its own numbers, not decay."
            )
        decay = ExponentialDecay(rate, setting["decay"], float(steps_each))
        optimizer = optimizer.with_rate(decay)
    return optimizer


def _replaced(optimizer: Any, name: str, value: float) -> Any:
    """An optimizer or a schedule with another value of a number, its own or one inside."""
    fields = {field.name: getattr(optimizer, field.name) for field in dataclasses.fields(optimizer)}
    if name in fields:
        return dataclasses.replace(optimizer, **{name: value})
    for field, inner in fields.items():
        if isinstance(inner, (Optimizer, Schedule)) and name in names_of(inner):
            return dataclasses.replace(optimizer, **{field: _replaced(inner, name, value)})
    raise AssertionError(name)
