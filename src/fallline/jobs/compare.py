"""Compare: optimizers on one table or one function, each at its own best setting, all with one budget."""

from __future__ import annotations

import dataclasses
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline import expressions, models, terrains
from fallline.data.datasets import BUNDLED
from fallline.data.readers import read_table
from fallline.descent import batches, stopping
from fallline.descent.history import History
from fallline.descent.run import Run, Snapshot
from fallline.descent.stopping import Stop
from fallline.descent.sweep import sweep
from fallline.errors import FalllineError, lookup, nearest
from fallline.jobs import measure
from fallline.jobs.comparison import Comparison, entry_of, soonest, verdict
from fallline.jobs.config import FitConfig, path_of
from fallline.jobs.fit import cut, model_for, target_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline import losses
    from fallline.data.encode import Encoder
    from fallline.descent.sweep_result import SweepResult
    from fallline.jobs.fit import Rows
    from fallline.terrains import Terrain

MODELS = {"linear": "linear", "network": "mlp", "mlp": "mlp", "auto": "mlp"}

EPOCHS, STEPS, FUNCTION_STEPS = 10, 200, 300
"""The budget unless the user says: so many epochs, or enough for so many steps; steps of a function."""

VARIED = ("learning_rate", "momentum", "beta1", "beta2", "decay", "l2", "weight_decay")


@dataclasses.dataclass(frozen=True)
class CompareConfig:
    """What a user asks `compare` for.

    Attributes:
        data: a table's path, the name of a bundled set or of a terrain, or a formula in x and y.
        target: of a table, as in `FitConfig`; so are ``task``, ``hidden``, ``loss``, ``validation``,
            ``test``, ``drop`` and ``seed``.
        task: see there.
        model: "network" or "linear".
        hidden: see there.
        loss: see there.
        optimizers: names with commas.
        varied: hyper-parameters by name, as `fallline.sweep` takes them.
        batch_sizes: "auto", "full" or rows a step, some of them.
        seeds: how many runs of each setting.
        epochs: the budget of each run; None for 10, or enough for 200 steps.
        steps: the budget in steps instead; of a function 300.
        starts: of a function, how many balls.
        validation: see there; the validation rows decide.
        test: see there; never seen by the race, measured once for the best of each optimizer.
        drop: see there.
        seed: decides the split of a table.
    """

    data: str
    target: str | None = None
    task: str = "auto"
    model: str = "network"
    hidden: tuple[int, ...] = (128, 64)
    loss: str | None = None
    optimizers: str = "sgd,momentum,adam"
    varied: dict[str, str] = dataclasses.field(
        default_factory=lambda: {"learning_rate": "1e-4:1:13"}
    )
    batch_sizes: tuple[int | str, ...] = ("auto",)
    seeds: int = 3
    epochs: int | None = None
    steps: int | None = None
    starts: int | None = None
    validation: float = 0.1
    test: float | str = 0.2
    drop: tuple[str, ...] = ()
    seed: int = 0


class Reporter:
    """What a comparison tells while it works; each method may be overridden, none needs to be."""

    def table(self, encoder: Encoder, rows: dict[str, int]) -> None:
        """The table has become numbers; ``rows`` counts training, validation and test rows."""

    def function(self, terrain: Terrain, starts: int) -> None:
        """It is a function."""

    def note(self, sentence: str) -> None:
        """Something the user should know."""

    def starting(self, budget: str) -> None:
        """The race is about to begin."""

    def progress(self, done: float, total: int) -> bool | None:
        """So many of all runs are done; True ends the race."""


def compare(config: CompareConfig, reporter: Reporter | None = None) -> Comparison:
    """Do what a config asks for.

    Raises:
        FalllineError: in a sentence, for anything that cannot be done.
    """
    began = time.perf_counter()
    reporter = reporter or Reporter()
    terrain, notes = kind_of(config)
    for note in notes:
        reporter.note(note)
    race = _on_table(config, reporter) if terrain is None else _on(terrain, config, reporter)
    result, facts, budget, score = race
    if terrain is None:
        rows, level = result.best_per().to_dicts(), None
    else:
        rows, level = soonest(result)
    entries = [entry_of(result, row, score(row), level) for row in rows]
    winner, sentence = verdict(entries, level)
    seconds = time.perf_counter() - began
    return Comparison(
        config, result, rows, entries, winner, sentence, budget, facts, notes, seconds
    )


def kind_of(config: CompareConfig) -> tuple[Terrain | None, list[str]]:
    """The function to descend, or None for a table; and what should be said about the choice.

    A file wins over a bundled set, and both over a terrain of that name.

    Raises:
        FalllineError: if it is none of them, or a table's option is given for a function.
    """
    text, notes = config.data, list[str]()
    name = text.strip().lower().replace("-", "_").replace(" ", "_")
    if path_of(text) is not None or text in BUNDLED:
        if name in terrains.TERRAINS:
            notes.append(
                f"{text!r} is a file here, so it is read as a table; to race on the terrain, run this in "
                "another folder."
            )
        return None, notes
    if name in terrains.TERRAINS:
        terrain = terrains.TERRAINS[name]
    elif _is_formula(text):
        terrain = terrains.from_expression(text)
    elif Path(text).suffix or "/" in text:
        return None, notes
    else:
        known = [*BUNDLED, *terrains.TERRAINS]
        raise FalllineError(
            f"There is no table, bundled set or terrain called {text!r}: {nearest(text, known)}"
        )
    for option in ("target", "epochs", "loss"):
        if getattr(config, option) is not None:
            raise FalllineError(
                f"{text!r} is a function, which has no --{option}; that belongs to a table."
            )
    if config.batch_sizes != ("auto",):
        raise FalllineError(
            f"{text!r} is a function, which has no --batch-sizes; that belongs to a table."
        )
    return terrain, notes


def _is_formula(text: str) -> bool:
    """Is it meant as a formula? One with a mistake in it is, a file's name is not."""
    try:
        expressions.parse(text)
    except FalllineError:
        if any(sign in text for sign in "^*+()"):
            raise
        return False
    return True


Made = tuple["SweepResult", dict[str, Any], str, "Callable[[dict[str, Any]], float | None]"]


def _on(terrain: Terrain, config: CompareConfig, reporter: Reporter) -> Made:
    steps = config.steps or FUNCTION_STEPS
    starts = 100 if config.starts is None else config.starts
    reporter.function(terrain, starts)
    budget = f"{steps:,} steps"
    reporter.starting(budget)
    result = sweep(
        terrain,
        optimizers=config.optimizers,
        seeds=config.seeds,
        steps=steps if config.steps is None else config.steps,
        starts=starts,
        callback=reporter.progress,
        **_varied(config),
    )
    facts = {"kind": "function", "starts": starts, "steps": steps}
    return result, facts, budget, lambda row: None


def _varied(config: CompareConfig) -> dict[str, Any]:
    for name in config.varied:
        lookup("hyper-parameter", dict.fromkeys(VARIED), name)
    return dict(config.varied)


def _on_table(config: CompareConfig, reporter: Reporter) -> Made:
    if config.starts is not None:
        raise FalllineError(
            f"{config.data!r} is a table, which has no --starts; that belongs to a function."
        )
    stopping.positive("The number of epochs", config.epochs, whole=True)
    stopping.positive("The number of steps", config.steps, whole=True)
    lookup("model", MODELS, config.model)
    fit = FitConfig(
        data=config.data,
        target=config.target,
        task=config.task,
        model=MODELS[config.model],
        hidden=config.hidden,
        loss=config.loss,
        validation=config.validation,
        test=config.test,
        drop=config.drop,
        seed=config.seed,
    )
    table = read_table(config.data)
    rows = cut(table, target_of(table, fit), fit)
    reporter.table(rows.encoder, rows.counts)
    x, _ = rows.training
    model, loss = model_for(fit.model, rows, fit)
    plans = [batches.plan(len(x), size, columns=x.shape[1]) for size in config.batch_sizes]
    epochs = config.epochs
    if epochs is None and config.steps is None:
        epochs = min(max(EPOCHS, -(-STEPS // plan.steps)) for plan in plans)
    budget = _budget(epochs, config.steps, plans)
    reporter.starting(budget)
    result = sweep(
        model,
        loss,
        rows.training,
        optimizers=config.optimizers,
        seeds=config.seeds,
        batch_sizes=config.batch_sizes,
        epochs=epochs,
        steps=config.steps,
        validation=rows.validation or 0.0,
        callback=reporter.progress,
        **_varied(config),
    )
    encoder = rows.encoder
    facts = {
        "kind": "table",
        "task": encoder.task,
        "target": encoder.target,
        "model": fit.model,
        "loss": loss.name,
        "rows": rows.counts,
        "features": x.shape[1],
        "epochs": epochs,
        "steps": config.steps,
        "batch_sizes": [plan.size for plan in plans],
        "metric": "r2" if encoder.task == "regression" else "accuracy",
        "measured_on": "test" if rows.test else None,
        "baseline": _baseline(rows),
    }

    def score(row: dict[str, Any]) -> float | None:
        return _score(result, row, model, loss, rows)

    return result, facts, budget, score


def _budget(epochs: int | None, steps: int | None, plans: list[batches.BatchPlan]) -> str:
    total = min(steps or math.inf, (epochs or math.inf) * plans[0].steps)
    if len(plans) > 1:
        return f"{epochs:,} epochs" if epochs is not None else f"{steps:,} steps"
    done = total / plans[0].steps
    passes = f"{done:,.4g} epoch{'' if done == 1 else 's'}"
    return f"{passes}, {total:,.0f} step{'' if total == 1 else 's'}"


def _baseline(rows: Rows) -> float | None:
    """What a prediction that has learned nothing scores on the test rows."""
    return None if rows.test is None else _measured(rows, None)["baseline"]


def _measured(rows: Rows, predicted: np.ndarray | None) -> dict[str, float]:
    assert rows.test is not None
    encoder, y = rows.encoder, rows.test[1]
    predicted = y if predicted is None else predicted
    if encoder.task == "regression":
        mean = float(encoder.decode(np.mean(rows.training[1], keepdims=True))[0])
        return measure.regression(encoder.decode(y), encoder.decode(predicted), mean)
    return measure.classification(y, predicted, int(np.bincount(rows.training[1]).argmax()))


def _score(
    result: SweepResult, row: dict[str, Any], model: models.Model, loss: losses.Loss, rows: Rows
) -> float | None:
    """The median over seeds of what a setting scores on the test rows."""
    if rows.test is None or not math.isfinite(row["median"]):
        return None
    part = next(part for part in result.parts if part.batch_size == row["batch_size"])
    plan = batches.BatchPlan(len(rows.training[0]), int(row["batch_size"]))
    found: list[float] = []
    history = History({}, {})
    for seed in result.seeds_of(row):
        run = Run(
            params=result.params(row, seed),
            state=result.state(row, seed),
            history=history,
            stop=Stop("epochs", ""),
            plan=plan,
            optimizer=result.optimizer(row),
            learning_rate=math.nan,
            final=Snapshot({"step": np.asarray(part.steps)}, history),
            best_epoch=0,
            seconds=0.0,
            model=model,
            loss=loss,
        )
        found.append(_measured(rows, run.predict(rows.test[0]))["value"])
    return float(np.median(found))
