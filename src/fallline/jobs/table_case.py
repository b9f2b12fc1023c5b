"""A run of ``fallline fit`` as the doctor meets it: fixes are options of the command."""

from __future__ import annotations

import dataclasses
import math
import shlex
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.descent import batches
from fallline.diagnosis import changes as changing
from fallline.diagnosis.case import RunCase
from fallline.errors import FalllineError
from fallline.jobs.config import FitConfig
from fallline.jobs.fit import Rows, train_arguments
from fallline.optimizers import OPTIMIZERS
from fallline.optimizers.base import hyperparameter_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fallline.data.encode import Encoder
    from fallline.descent.run import Run
    from fallline.jobs.result import TableRun

PLAIN = ("batch_size", "epochs", "l1", "l2", "clip_norm", "init", "activation", "seed")
"""Changes that a `FitConfig` knows by the same name."""


class TableCase(RunCase):
    """A run of ``fallline fit``, whose fixes are options of the command.

    Args:
        fitted: the run.
        rows: the rows it was trained on, encoded; None if they are not at hand.
        measure: False to look at the history alone.
    """

    standardized = True

    def __init__(self, fitted: TableRun, rows: Rows | None = None, *, measure: bool = True) -> None:
        self.fitted, self.config = fitted, fitted.config
        self.name: str = fitted.result["model"]
        asked = fitted.run.asked
        if rows is None and asked is not None:
            rows = Rows(fitted.encoder, asked["data"], asked["validation"], None)
        self.rows_encoded = rows
        if asked is None and rows is not None:
            asked = train_arguments(self.name, rows, self.config)
        super().__init__(fitted.run, asked)
        if self.optimizer is None:
            plan = fitted.run.plan
            epochs = self.config.epochs or batches.default_epochs(plan)
            made = self.config.make_optimizer(self.name, epochs * plan.steps, plan.steps)
            rate = {"optimizer": made, "learning_rate": "auto"}
            self.optimizer = changing.optimizer_of(rate, fitted.run.learning_rate)
        if not measure:
            self.asked = {}

    def at(self, when: str) -> tuple[Any, Any] | None:
        """Parameters and untrained state; those that were kept if the end is not."""
        found = super().at(when)
        if found is None and when == "end" and self.asked:
            return self.run.params, self.run.state
        return found

    def column_name(self, column: int | None) -> str:
        """The name of an encoded column; of a category, the name of the table's column."""
        encoder = self.fitted.encoder
        names = encoder.feature_names
        if column is None or column >= len(names):
            return super().column_name(column)
        numbers = len(encoder.numbers.columns) + len(encoder.numbers.missing)
        return names[column] if column < numbers else column_of(encoder, column)

    def changed(self, changes: Mapping[str, Any], config: Any = None) -> Any:
        """The config, or arguments of `fallline.train` if such are given, with changes made in it."""
        if isinstance(config, dict):
            return super().changed(changes, config)
        if not (config is None or isinstance(config, FitConfig)):
            raise FalllineError(
                "config must be a FitConfig, or the arguments of fallline.train as a dict; it is "
                f"{type(config).__name__}."
            )
        return self._config(changes, config or self.config)

    def _config(self, changes: Mapping[str, Any], config: FitConfig) -> FitConfig:
        new: dict[str, Any] = {}
        if "drop" not in changes:
            # The fix is for the model that was diagnosed, at the rate that was found for it: with it and
            # without it, the runs differ in nothing else. Other columns want a model and a rate of their own.
            new["model"] = self.name if config.model == "auto" else config.model
            if config.learning_rate == "auto":
                new["learning_rate"] = float(self.run.learning_rate)
        optimizer, numbers = config.optimizer, dict(config.hyperparameters)
        for name, value in changes.items():
            if name in PLAIN:
                new[name] = 0.0 if value is None and name in ("l1", "l2") else value
            elif name == "patience":
                new[name] = math.inf if value is None else value
            elif name == "learning_rate":
                new[name] = value if value == "auto" else float(value)
            elif name == "schedule":
                new[name] = value if isinstance(value, str) else value[0]
            elif name == "hidden":
                new |= {"hidden": tuple(value), "model": "mlp"}
            elif name == "optimizer":
                optimizer = value
            elif name == "momentum":
                optimizer = optimizer if optimizer in ("momentum", "nesterov") else "momentum"
                numbers[name] = float(value)
            elif name == "epsilon":
                numbers[name] = float(value)
            elif name == "drop":
                new[name] = (*config.drop, column_of(self.fitted.encoder, value))
            elif not (name == "params" and value is None):
                raise FalllineError(
                    _NO_OPTION.get(name, f"'fallline fit' has no option for {name}.")
                )
        known = hyperparameter_names(OPTIMIZERS[optimizer.lower()])
        kept = {name: value for name, value in numbers.items() if name in known}
        return dataclasses.replace(config, optimizer=optimizer, hyperparameters=kept, **new)

    def command(self, changes: Mapping[str, Any]) -> str:
        """The ``fallline fit`` line that tries the changes; empty where none can."""
        if self.config.data is None:
            return ""
        try:
            return command_of(self._config(changes, self.config))
        except FalllineError:
            return ""

    def again(self, changes: Mapping[str, Any]) -> Run | None:
        """The run repeated with changes made, as the command would repeat it."""
        from fallline.descent.train import train

        rows = self.rows_encoded
        if rows is None or not self.asked:
            return None
        try:
            config = self._config(changes, self.config)
        except FalllineError:
            return train(**super().changed(changes, self.asked))
        if "drop" in changes:
            rows = _without(rows, config.drop[-1])
        name = config.model if config.model != "auto" else self.name
        return train(**train_arguments(name, rows, config))


_NO_OPTION = {
    "standardize": "'fallline fit' standardises inputs and target by itself already.",
    "params": "'fallline fit' always starts where the seed says: try another --seed.",
}


def column_of(encoder: Encoder, feature: int) -> str:
    """The table's column behind an encoded one."""
    return _sources(encoder)[feature]


def _sources(encoder: Encoder) -> list[str]:
    numbers = encoder.numbers
    texts = (category.column for category in encoder.categories for _ in category.names)
    return [*numbers.columns, *(column for column, _ in numbers.missing), *texts]


def _without(rows: Rows, column: str) -> Rows:
    """The encoded rows without a column of the table."""
    kept = np.array([source != column for source in _sources(rows.encoder)])

    def part(of: tuple[np.ndarray, np.ndarray] | None) -> Any:
        return None if of is None else (of[0][:, kept], of[1])

    parts = (part(rows.training), part(rows.validation), part(rows.test))
    return Rows(rows.encoder, *parts)


_OPTIONS = {"learning_rate": "--lr", "hyperparameters": "--set", "average": "--set"}
_FLAGS = ("batch_norm",)


def command_of(config: FitConfig) -> str:
    """The ``fallline fit`` line that asks for a config: the options that differ from the defaults."""
    line = ["fallline", "fit", str(config.data)]
    for field in dataclasses.fields(FitConfig):
        value = getattr(config, field.name)
        option = _OPTIONS.get(field.name, f"--{field.name.replace('_', '-')}")
        if field.name == "hyperparameters":
            for name, number in value.items():
                line += [option, f"{name}={_text(number)}"]
        elif field.name == "data" or value == field.default:
            continue
        elif field.name in _FLAGS:
            line.append(option)
        elif field.name == "average":
            line += [option, f"average={_text(value)}"]
        elif field.name == "drop":
            line += [word for column in value for word in (option, column)]
        else:
            line += [option, _text(value)]
    return shlex.join(line)


def _text(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, float):
        if math.isinf(value):
            return "never"
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)
