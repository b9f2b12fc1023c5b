"""What the page asks for, as a `FitConfig`; and in what two of them differ."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from fallline.errors import FalllineError, nearest
from fallline.jobs.config import FitConfig, parse_hidden
from fallline.models.layers import ACTIVATIONS
from fallline.optimizers import OPTIMIZERS
from fallline.optimizers.base import hyperparameter_names

if TYPE_CHECKING:
    from fallline.studio.message import Message

MOST_LAYERS, MOST_UNITS = 8, 2_048
"""Of a network; a page is no place for larger ones."""

MOST_EPOCHS = 100_000
LONGEST_NAME = 1_000
"""Characters of a column's name."""

FRESH = FitConfig(model="mlp", optimizer="adam")
"""What a page that says nothing asks for."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request of the page.

    Attributes:
        data: the table, by the page's name for it.
        features: two columns to learn from, and no other; None for all.
        config: the rest; its ``data`` and its left-out columns come with the table.
    """

    data: str
    features: tuple[str, str] | None
    config: FitConfig


def read(message: Message, data: str) -> Asked:
    """The request in a message; what it does not name is as in `FRESH`.

    Args:
        message: of the page.
        data: the table where it names none.

    Raises:
        FalllineError: for the first field that does not fit.
    """
    epochs = message.whole("epochs", 1, MOST_EPOCHS, None)
    patience = _number_or_word(message, "patience", 1, 1e9, ("never",), None)
    optimizer = message.choice("optimizer", OPTIMIZERS, FRESH.optimizer)
    config = FitConfig(
        target=message.text("target", LONGEST_NAME, None),
        task=message.choice("task", ("auto", "regression", "classification"), "auto"),
        model=message.choice("model", ("linear", "mlp"), FRESH.model),
        hidden=_hidden(message),
        activation=message.choice("activation", ACTIVATIONS, FRESH.activation),
        batch_norm=message.flag("batch_norm", FRESH.batch_norm),
        dropout=message.number("dropout", 0, 0.95, FRESH.dropout),
        init=message.text("init", 40, FRESH.init),
        loss=message.text("loss", 40, None),
        optimizer=optimizer,
        learning_rate=_number_or_word(message, "learning_rate", 0, 1e6, ("auto",), "auto"),
        schedule=message.text("schedule", 100, FRESH.schedule),
        batch_size=_batch_size(message),
        epochs=epochs,
        validation=message.number("validation", 0.01, 0.9, FRESH.validation),
        test=message.number("test", 0, 0.9, FRESH.test),
        patience=float("inf") if patience == "never" else patience,
        l1=message.number("l1", 0, 1e6, FRESH.l1),
        l2=message.number("l2", 0, 1e6, FRESH.l2),
        weight_decay=message.number("weight_decay", 0, 1e6, None),
        clip_norm=message.number("clip_norm", 1e-12, 1e12, None),
        average=message.number("average", 0, 0.999999, None),
        drop=tuple(_texts(message, "drop", 2_000) or ()),
        seed=message.whole("seed", 0, 2**31, FRESH.seed),
        hyperparameters=_hyperparameters(message, optimizer),
    )
    features = _texts(message, "features", 2)
    if features is not None and (len(features) != 2 or features[0] == features[1]):
        raise FalllineError("'features' must be two different columns.")
    return Asked(
        message.text("data", LONGEST_NAME, data),
        None if features is None else (features[0], features[1]),
        config,
    )


def _hidden(message: Message) -> tuple[int, ...]:
    if "hidden" not in message:
        return FRESH.hidden
    given = message.fields["hidden"]
    if isinstance(given, list):
        given = ",".join(f"{unit:g}" for unit in message.numbers("hidden", MOST_LAYERS, 1, 1e9))
    elif isinstance(given, str):
        message.text("hidden", 100)
    else:
        raise FalllineError("'hidden' must be a text such as 128, 64.")
    units = parse_hidden(given)
    if len(units) > MOST_LAYERS or max(units) > MOST_UNITS:
        raise FalllineError(
            f"A network may have up to {MOST_LAYERS} hidden layers here, of up to {MOST_UNITS:,} units each; "
            "train larger ones by fallline fit."
        )
    return units


def _number_or_word(
    message: Message, name: str, low: float, high: float, words: tuple[str, ...], default: Any
) -> Any:
    if isinstance(message.fields.get(name), str):
        return message.choice(name, words)
    return message.number(name, low, high, default)


def _batch_size(message: Message) -> int | str:
    if isinstance(message.fields.get("batch_size"), str):
        return message.choice("batch_size", ("auto", "full"))
    return message.whole("batch_size", 1, 10_000_000, FRESH.batch_size)


def _texts(message: Message, name: str, most: int) -> list[str] | None:
    given = message.fields.get(name)
    if given is None:
        return None
    fits = isinstance(given, list) and len(given) <= most  # pyright: ignore[reportUnknownArgumentType]
    if not fits or not all(isinstance(t, str) and len(t) <= LONGEST_NAME for t in given):  # pyright: ignore
        raise FalllineError(f"{name!r} must be a list of up to {most:,} texts.")
    return given  # pyright: ignore[reportUnknownVariableType]


def _hyperparameters(message: Message, optimizer: str) -> dict[str, float]:
    given = message.message("hyperparameters", None)
    if given is None:
        return {}
    known = [n for n in hyperparameter_names(OPTIMIZERS[optimizer]) if n != "learning_rate"]
    for name in given.fields:
        if name not in known:
            raise FalllineError(f"{optimizer} has no {name[:40]!r}: {nearest(name, known)}")
    return {name: given.number(name, 0, 1e6) for name in given.fields}


def fields_of(config: FitConfig) -> dict[str, Any]:
    """The fields of a config that differ from `FRESH`, as the page sends them."""
    return {name: after for name, (_, after) in _apart(FRESH, config).items()}


def differences(before: FitConfig, after: FitConfig) -> list[dict[str, Any]]:
    """In what a config differs from another: ``name`` of a field or of an optimizer's number, ``value``."""
    found: list[dict[str, Any]] = []
    for name, (old, new) in _apart(before, after).items():
        if name == "hyperparameters":
            numbers = {k: v for k, v in new.items() if old.get(k) != v}
            found += [{"name": key, "value": value} for key, value in numbers.items()]
        else:
            found.append({"name": name, "value": new})
    return found


def _apart(before: FitConfig, after: FitConfig) -> dict[str, tuple[Any, Any]]:
    """Field -> both values as JSON has them, where they are two."""
    old, new = before.to_json(), after.to_json()
    names = [name for name in new if name not in ("data", "precision")]
    return {name: (old[name], new[name]) for name in names if old[name] != new[name]}


def arguments_of(config: FitConfig) -> list[str]:
    """A config as arguments of ``fallline.fit``, those that differ from its defaults, as Python text."""
    new, usual = config.to_json(), FitConfig().to_json()
    shown = {n: v for n, v in new.items() if n not in ("data", "target") and v != usual[n]}
    return [f"{name}={python(value)}" for name, value in shown.items()]


def python(value: Any) -> str:
    """A value as Python has it, texts in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
