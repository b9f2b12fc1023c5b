"""What the page asks to be compared, as a `CompareConfig`; every mistake is a sentence."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from fallline.data.datasets import BUNDLED
from fallline.errors import FalllineError, nearest
from fallline.jobs.compare import CompareConfig
from fallline.studio.view import GIVEN

if TYPE_CHECKING:
    from pathlib import Path

    from fallline.studio.message import Message

SECONDS: dict[str, tuple[str, ...]] = {
    "none": (),
    "batch_size": ("batch_size",),
    "momentum": ("momentum", "beta1"),
    "weight_decay": ("weight_decay",),
    "l2": ("l2",),
}
"""The second axis -> the numbers it varies; of momentum and beta1 each optimizer has but one."""

MOST_RUNS = 6_000
MOST_SEEDS, MOST_RATES, MOST_UNITS = 50, 60, 4_096


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is to be compared.

    Attributes:
        config: for `fallline.jobs.compare`.
        second: the second axis, of `SECONDS`.
    """

    config: CompareConfig
    second: str


def table_of(name: str, given: Path | None) -> str:
    """What `read_table` is to be given; files other than the user's own are not opened.

    Raises:
        FalllineError: if there is no such table here.
    """
    if given is not None and name in (GIVEN, str(given)):
        return str(given)
    if name not in BUNDLED:
        raise FalllineError(f"There is no table {name[:100]!r} here: {nearest(name, BUNDLED)}")
    return name


def read(message: Message, given: Path | None) -> Asked:
    """Read a message of the page.

    Raises:
        FalllineError: for the first thing that cannot be done.
    """
    from fallline.descent.settings import PENALTIES
    from fallline.optimizers import OPTIMIZERS
    from fallline.optimizers.base import hyperparameter_names

    optimizers = _texts(message, "optimizers", len(OPTIMIZERS))
    if not optimizers:
        raise FalllineError("Choose at least one optimizer to compare.")
    for name in optimizers:
        if name not in OPTIMIZERS:
            raise FalllineError(f"There is no optimizer {name!r}: {nearest(name, OPTIMIZERS)}")
    low, high = message.number("low", 1e-12, 1e6, 1e-4), message.number("high", 1e-12, 1e6, 1.0)
    count = message.whole("count", 1, MOST_RATES, 13)
    if low >= high and count > 1:
        raise FalllineError(
            f"The learning rates go from the lower to the higher; they were given from {low:g} to {high:g}."
        )
    varied = {"learning_rate": f"{low!r}:{high!r}:{count}" if count > 1 else repr(low)}
    second = message.choice("second", SECONDS, "none")
    sizes: tuple[int | str, ...] = ("auto",)
    tried = 1
    if second != "none":
        values = list(dict.fromkeys(_values(second, message.text("values", 200))))
        tried = len(values)
        if second == "batch_size":
            sizes = tuple(values)
        else:
            written = ",".join(map(str, values))
            # Where no optimizer has it, the seeds are the second axis.
            known = {n for name in optimizers for n in hyperparameter_names(OPTIMIZERS[name])}
            names = [n for n in SECONDS[second] if n in known or n in PENALTIES]
            varied |= dict.fromkeys(names, written)
    seeds = message.whole("seeds", 1, MOST_SEEDS, 3)
    runs = len(optimizers) * count * tried * seeds
    if runs > MOST_RUNS:
        raise FalllineError(
            f"That would be {runs:,} runs, more than {MOST_RUNS:,}: take fewer learning rates, values, "
            "optimizers or seeds."
        )
    unit = message.choice("unit", ("auto", "epochs", "steps"), "auto")
    budget = {} if unit == "auto" else {unit: message.whole("budget", 1, 1_000_000)}
    config = CompareConfig(
        data=table_of(message.text("data"), given),
        target=message.text("target", 400, None),
        model=message.choice("model", ("linear", "network"), "network"),
        hidden=tuple(int(units) for units in message.numbers("hidden", 10, 1, MOST_UNITS, [64])),
        optimizers=",".join(optimizers),
        varied=varied,
        batch_sizes=sizes,
        seeds=seeds,
        **budget,
    )
    if config.model == "network" and not config.hidden:
        raise FalllineError("A network needs at least one hidden layer.")
    return Asked(config, second)


def _texts(message: Message, name: str, most: int) -> list[str]:
    given: Any = message.fields.get(name)
    if not isinstance(given, list) or not all(isinstance(part, str) for part in given):  # pyright: ignore[reportUnknownVariableType]
        raise FalllineError(f"{name!r} must be a list of texts.")
    if len(given) > most:  # pyright: ignore[reportUnknownArgumentType]
        raise FalllineError(f"{name!r} has more than {most} entries.")
    return list(dict.fromkeys(given))  # pyright: ignore[reportUnknownArgumentType]


def _values(second: str, text: str) -> list[Any]:
    """The values of the second axis: numbers with commas, or low:high:count."""
    from fallline.descent.settings import values

    name = second.replace("_", " ")
    if second == "batch_size":
        parts = [part.strip() for part in text.split(",") if part.strip()]
        wrong = [
            part for part in parts if part != "full" and not re.fullmatch(r"[1-9]\d{0,8}", part)
        ]
        if wrong or not parts:
            raise FalllineError(
                f"Batch sizes are whole numbers with commas, or full, as in 32,128,full; not {text!r}."
            )
        return [part if part == "full" else int(part) for part in parts]
    found = list(values(second, text))
    if len(found) > MOST_RATES:
        raise FalllineError(f"The {name} has more than {MOST_RATES} values.")
    least, most = (0.0, 1.0) if second == "momentum" else (0.0, 1e6)
    for value in found:
        if not least <= value <= most or (second == "momentum" and value == 1.0):
            edge = "from 0 to below 1" if second == "momentum" else "0 or more"
            raise FalllineError(f"The values of the {name} must be {edge}; one is {value:g}.")
    return found
