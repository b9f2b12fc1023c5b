"""How to do a run again: the command, or the lines of Python, and the versions it was made with."""

from __future__ import annotations

import dataclasses
import functools
import platform
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fallline.descent.run import Run
    from fallline.jobs.config import FitConfig

_PLAIN = (bool, int, float, str, type(None))


def reproduce(
    command: str | None, python: str | None, seed: int | None, fallline: str | None = None
) -> dict[str, Any]:
    """The card's ``reproduce``.

    Args:
        command: the ``fallline fit`` line, or None.
        python: the lines of Python, or None.
        seed: the run's.
        fallline: the version that wrote the run, if it was read from a folder; it does not say with which
            versions of the other libraries.
    """
    here = dict(versions())
    if fallline is not None:
        here = {**dict.fromkeys(here), "fallline": fallline}
    return {"command": command or None, "python": python or None, "seed": seed, "versions": here}


@functools.cache
def versions() -> dict[str, str | None]:
    """The versions of what computes here; not to be changed."""

    def of(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    names = ("fallline", "jax", "numpy")
    return {**{name: of(name) for name in names}, "python": platform.python_version()}


def of_config(config: FitConfig) -> tuple[str | None, str]:
    """The command and the Python of a run of a table; no command for a table given in memory."""
    from fallline.jobs.table_case import command_of

    command = None if config.data is None else command_of(config)
    words = ["table" if config.data is None else repr(config.data)]
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        usual = {} if field.name == "hyperparameters" else field.default
        if field.name != "data" and value != usual:
            shown = dict(value) if field.name == "hyperparameters" else value
            words.append(f"{field.name}={_literal(shown)}")
    lines = [f"run = fallline.fit({', '.join(words)})"]
    if config.data is None:
        lines.insert(0, "# table: the one given in memory, which is not kept with the run")
    return command, "\n".join(["import fallline", "", *lines])


def of_run(run: Run) -> str | None:
    """The Python that does a run of `fallline.train` again; None where it cannot be written down."""
    from fallline.models import MLP, Linear
    from fallline.optimizers import Optimizer

    if not run.asked or not isinstance(run.model, (Linear, MLP)):
        return None
    model = type(run.model).__name__
    imports = ["import fallline", f"from fallline.models import {model}"]
    loss = run.asked.get("loss")
    if not isinstance(loss, str) or callable(getattr(run.model, "activation", None)):
        return None
    given = "X, y, weights" if len(run.asked["data"]) == 3 else "X, y"
    words = [_model(run.model), repr(loss), f"({given})"]
    for name, value in run.asked.items():
        if name in ("model", "loss", "data") or value == _usual(name) or value is None:
            continue
        if isinstance(value, _PLAIN):
            words.append(f"{name}={_literal(value)}")
        elif name == "validation":
            words.append("validation=(X_validation, y_validation)")
        elif isinstance(value, Optimizer) and (written := _optimizer(value)):
            words.append(f"{name}={written[0]}")
            imports += written[1]
        else:
            return None
    call = ",\n    ".join(words)
    said = f"# {given}: the rows the run was given"
    return "\n".join([*imports, "", said, f"run = fallline.train(\n    {call},\n)"])


def _usual(name: str) -> Any:
    """What `fallline.train` takes where nothing is said."""
    import inspect

    from fallline.descent.train import train

    default = inspect.signature(train).parameters[name].default
    return None if default is inspect.Parameter.empty else default


def _model(model: Any) -> str:
    from fallline.models import MLP

    if not isinstance(model, MLP):
        more = "" if model.initialiser == "zeros" else f", init={model.initialiser!r}"
        more += "" if model.bias else ", bias=False"
        return f"Linear({model.inputs}, {model.outputs}{more})"
    named = {"activation": (model.activation, "relu"), "batch_norm": (model.batch_norm, False)}
    named |= {"dropout": (model.dropout, 0.0), "init": (model.initialiser, "auto")}
    more = "".join(f", {n}={value!r}" for n, (value, usual) in named.items() if value != usual)
    return f"MLP({model.inputs}, {tuple(model.hidden)!r}, {model.outputs}{more})"


def _optimizer(optimizer: Any) -> tuple[str, list[str]] | None:
    """How an optimizer is written, and what has to be imported for it; None if it cannot be."""
    from fallline.optimizers import Optimizer
    from fallline.schedules import Schedule

    room = {True: "fallline.optimizers", False: "fallline.schedules"}
    name = type(optimizer).__name__
    imports = [f"from {room[isinstance(optimizer, Optimizer)]} import {name}"]
    if not type(optimizer).__module__.startswith("fallline."):
        return None
    words: list[str] = []
    for field in dataclasses.fields(optimizer):
        value = getattr(optimizer, field.name)
        if isinstance(value, (Optimizer, Schedule)):
            inside = _optimizer(value)
            if inside is None:
                return None
            words.append(f"{field.name}={inside[0]}")
            imports += inside[1]
        elif isinstance(value, tuple) or not isinstance(value, _PLAIN):
            return None
        elif value != field.default:
            words.append(f"{field.name}={_literal(value)}")
    return f"{name}({', '.join(words)})", imports


def _literal(value: Any) -> str:
    """A plain value as Python has it, also where it is a number of NumPy's, or infinite."""
    value = value.item() if isinstance(value, np.generic) else value
    return f'float("{value}")' if isinstance(value, float) and not isfinite(value) else repr(value)
