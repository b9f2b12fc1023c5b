"""What the page can offer: terrains, optimizers with their hyper-parameters, tables."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from fallline.studio.view import GIVEN

if TYPE_CHECKING:
    from fallline.studio.view import Given

RANGES: dict[str, tuple[float, float]] = {
    "learning_rate": (1e-5, 10.0),
    "momentum": (0.0, 0.999),
    "beta1": (0.0, 0.999),
    "beta2": (0.0, 0.9999),
    "beta": (0.0, 0.9999),
    "epsilon": (1e-12, 0.1),
    "weight_decay": (0.0, 0.2),
}
"""Hyper-parameter -> least and greatest value that a slider goes to."""

LOGARITHMIC = ("learning_rate", "epsilon")

ORDER = (
    "sgd",
    "momentum",
    "nesterov",
    "adagrad",
    "rmsprop",
    "adadelta",
    "adam",
    "amsgrad",
    "adamw",
    "nadam",
    "lion",
)
"""The optimizers as they are taught; any other comes after them."""


def settings_of(kind: type[Any]) -> dict[str, dict[str, Any]]:
    """The hyper-parameters of an optimizer's class, but its learning rate, with their ranges.

    Returns:
        Name -> ``value`` (the default), ``low``, ``high``, ``log``, or ``static`` for a choice
        that shapes the compiled program.
    """
    found: dict[str, dict[str, Any]] = {}
    for field in dataclasses.fields(kind):
        if field.name == "learning_rate":
            continue
        if field.metadata.get("static"):
            found[field.name] = {"value": field.default, "static": True}
        else:
            low, high = RANGES[field.name]
            found[field.name] = {
                # None leaves the rule's term out, which is what 0 does to it.
                "value": 0.0 if field.default is None else field.default,
                "low": low,
                "high": high,
                "log": field.name in LOGARITHMIC,
            }
    return found


def catalogue(given: Given) -> dict[str, Any]:
    """The first message's fields: made when the first page has opened, as it imports JAX."""
    from fallline import __version__
    from fallline.data.datasets import BUNDLED
    from fallline.optimizers import OPTIMIZERS
    from fallline.terrains import TERRAINS

    tables = [{"name": name, "title": name} for name in BUNDLED]
    if given.table is not None and given.table.name not in BUNDLED:
        tables.insert(0, {"name": GIVEN, "title": given.table.name})
    return {
        "version": __version__,
        "terrains": [
            {"name": t.name, "title": t.title, "about": t.about, "bounds": t.bounds}
            for t in TERRAINS.values()
        ],
        "optimizers": [
            {"name": name, "title": kind.__name__, "settings": settings_of(kind)}
            for name, kind in sorted(
                OPTIMIZERS.items(), key=lambda entry: (*ORDER, entry[0]).index(entry[0])
            )
        ],
        "tables": tables,
        "table": None if given.table is None else GIVEN,
    }
