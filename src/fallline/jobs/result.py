"""A fitted table: the trained model with everything needed to use it, in memory or from its folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline import losses, models
from fallline.data.encode import Encoder
from fallline.data.readers import read_table
from fallline.data.table import Table
from fallline.descent.batches import BatchPlan
from fallline.descent.range_test import RangeTest
from fallline.descent.run import Run, Snapshot
from fallline.descent.stopping import Stop
from fallline.errors import FalllineError
from fallline.faces import face
from fallline.jobs.config import FitConfig
from fallline.optimizers.base import describe
from fallline.store import files
from fallline.store.folder import RunFolder

if TYPE_CHECKING:
    import polars as pl


@dataclasses.dataclass
class TableRun:
    """What `fallline.fit` returns and `fallline.load` reads back.

    Attributes:
        run: the training, with its history and parameters.
        encoder: how columns become numbers and predictions become labels.
        config: what was asked for.
        result: what came of it, as ``--json`` prints it.
        folder: where it is kept, or None.
    """

    run: Run
    encoder: Encoder
    config: FitConfig
    result: dict[str, Any]
    folder: Path | None = None

    def read(self, data: Any) -> Table:
        """Read a table for prediction, by the training table's columns."""
        return read_table(data, like=self.encoder.columns, text=self.encoder.text_columns)

    def predict(self, data: Any) -> np.ndarray:
        """Predict for the rows of a table: numbers in the user's units, or labels.

        Args:
            data: a path, a bundled set's name, a frame, or a dict of columns.

        Returns:
            Array of shape (rows,).

        Raises:
            FalllineError: if the table lacks a column, or a column holds something else.
        """
        return self.encoder.decode(self.run.predict(self.encoder.features(self.read(data))))

    def probabilities(self, data: Any) -> np.ndarray:
        """Class probabilities for the rows of a table, (rows, classes), in the order of ``classes``.

        Raises:
            FalllineError: if the task is regression, or the loss gives no probabilities.
        """
        return self.run.probabilities(self.encoder.features(self.read(data)))

    def predictions(self, data: Any, *, probabilities: bool = False) -> pl.DataFrame:
        """The rows of a table with the predictions beside them.

        Args:
            data: as for `predict`, or a table from `read`.
            probabilities: add a column ``probability_CLASS`` for each class.

        Returns:
            The table with a column ``prediction`` (``prediction_1`` if that name is taken, and so on).
        """
        import polars as pl

        table = data if isinstance(data, Table) else self.read(data)
        x = self.encoder.features(table)
        columns = {"prediction": self.encoder.decode(self.run.predict(x))}
        if probabilities:
            p = self.run.probabilities(x)
            for i, label in enumerate(self.encoder.classes or ()):
                columns[f"probability_{label}"] = p[:, i]
        taken = set(table.frame.columns)
        added: list[pl.Series] = []
        for name, values in columns.items():
            free, i = name, 1
            while free in taken:
                free, i = f"{name}_{i}", i + 1
            taken.add(free)
            added.append(pl.Series(free, values))
        return table.frame.with_columns(added)

    def save(self, folder: RunFolder) -> None:
        """Write everything into the run's folder."""
        run = self.run
        if run.model is None or run.loss is None:
            raise FalllineError("Only a run of a model with a loss can be kept.")
        arrays = {f"params/{n}": a for n, a in _flat(run.params).items()}
        arrays |= {f"state/{n}": a for n, a in _flat(run.state).items()}
        about = {
            "model": run.model.describe(),
            "loss": run.loss.name,
            "optimizer": describe(run.optimizer),
            "learning_rate": run.learning_rate,
            "plan": dataclasses.asdict(run.plan),
            "stop": dataclasses.asdict(run.stop),
            "best_epoch": run.best_epoch,
            "seconds": run.seconds,
            "steps": run.steps,
            "precision": run.precision,
            "range_test": _tried(run.range_test),
        }
        folder.finish(self.result, self.encoder.to_json(), about, arrays, run.history)

    def plot(self, ax: Any = None, *, theme: Any = None) -> Any:
        """Draw the losses, and below them the learning rate and the norm of the gradients.

        Args:
            ax: axes of matplotlib to draw the losses on; a new figure if None.
            theme: "light", "dark", or None for the one in use.

        Returns:
            The axes of the losses; the figure is ``.figure``.

        Raises:
            FalllineError: if there is nothing to draw.
        """
        return face("overview", "run")(self, ax, theme=theme)

    def show(
        self,
        *,
        height: int = 460,
        theme: str | None = None,
        lang: str | None = None,
        diagnose: bool = False,
        data: Any = None,
    ) -> Any:
        """Show it in a notebook, as the last expression of a cell; see `fallline.show.notebook.show_run`.

        Args:
            height: in pixels.
            theme: "light", "dark", or None to follow the notebook.
            lang: "en" or "zh"; by the environment if None.
            diagnose: ask the doctor as well.
            data: the table, if it is no longer where it was or was given in memory.

        Returns:
            A widget; a picture where anywidget is not installed.
        """
        return face("notebook", "show_run")(
            self, height=height, theme=theme, lang=lang, diagnose=diagnose, data=data
        )

    def __repr__(self) -> str:
        r = self.result
        # Equal targets have no R2: NaN, and null in JSON.
        value = "-" if r["value"] is None else f"{r['value']:.4f}"
        return f"<TableRun: {r['model']}, {r['metric']} {value} ({r['measured_on']} rows)>"


def _tried(found: RangeTest | None) -> dict[str, Any] | None:
    """A range test as JSON can hold it; a try that blew up is null."""
    if found is None:
        return None
    return {
        "learning_rate": found.learning_rate,
        "rates": found.rates.tolist(),
        "losses": found.losses.tolist(),
        "trials": [[rate, loss] for rate, loss in found.trials.items()],
    }


def _range_test(told: dict[str, Any] | None) -> RangeTest | None:
    """The range test that `_tried` told of."""
    if told is None:
        return None
    trials = {rate: np.inf if loss is None else loss for rate, loss in told["trials"]}
    losses = np.array([np.nan if loss is None else loss for loss in told["losses"]])
    return RangeTest(told["learning_rate"], np.array(told["rates"]), losses, trials)


def _flat(tree: Any) -> dict[str, np.ndarray]:
    from fallline.tree import to_arrays

    return to_arrays(tree)


def _nested(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, Any]:
    """``{"params/affine1/bias": ...}`` -> ``{"affine1": {"bias": ...}}``."""
    tree: dict[str, Any] = {}
    for name, array in arrays.items():
        head, *path = name.split("/")
        if head != prefix:
            continue
        place = tree
        for part in path[:-1]:
            place = place.setdefault(part, {})
        place[path[-1]] = array
    return tree


def writer_for(path: Path) -> str:
    """The polars method that writes a file's format, by its ending.

    Raises:
        FalllineError: if the format is unknown, or the folder is not there.
    """
    writers = {
        ".csv": "write_csv",
        ".tsv": "write_csv",
        ".parquet": "write_parquet",
        ".jsonl": "write_ndjson",
        ".ndjson": "write_ndjson",
    }
    if path.suffix.lower() not in writers:
        raise FalllineError(
            f"Predictions cannot be written as {path.suffix or path.name!r}: name a file that ends in "
            f"{', '.join(writers)}."
        )
    if not path.parent.is_dir():
        raise FalllineError(f"There is no folder {path.parent} to write {path.name} into.")
    return writers[path.suffix.lower()]


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write a table in the format of the path's ending, whole or not at all.

    Raises:
        FalllineError: if it cannot be written.
    """
    import io

    buffer = io.BytesIO()
    more = {"separator": "\t"} if path.suffix.lower() == ".tsv" else {}
    getattr(frame, writer_for(path))(buffer, **more)
    files.write(path, buffer.getvalue())


def load(path: str | Path) -> TableRun:
    """Read a finished run from its folder.

    Raises:
        FalllineError: if there is no run, or an unfinished, damaged or foreign one.
    """
    folder = RunFolder(path)
    facts = folder.facts()
    config = FitConfig.from_json(facts["config"])
    encoder = Encoder.from_json(
        files.from_json(folder.read("encoder.json", facts), folder.path / "encoder.json")
    )
    place = folder.path / "model.json"
    about = files.from_json(folder.read("model.json", facts), place)
    arrays = files.from_safetensors(
        folder.read("model.safetensors", facts), folder.path / "model.safetensors"
    )
    history = folder.history(facts)
    try:
        run = Run(
            params=_nested(arrays, "params"),
            state=_nested(arrays, "state"),
            history=history,
            stop=Stop(**about["stop"]),
            plan=BatchPlan(**about["plan"]),
            optimizer=about["optimizer"],
            learning_rate=about["learning_rate"],
            final=Snapshot({"step": np.asarray(about["steps"])}, history, about["seconds"]),
            best_epoch=about["best_epoch"],
            seconds=about["seconds"],
            model=models.from_description(about["model"]),
            loss=losses.by_name(about["loss"]),
            precision=about.get("precision", "float32"),
            range_test=_range_test(about.get("range_test")),
        )
    except (KeyError, TypeError) as error:
        raise files.damaged(place, f"it lacks {error}") from None
    if not _fits(run):
        weights = folder.path / "model.safetensors"
        raise files.damaged(weights, "its arrays are not those of the model in model.json")
    return TableRun(run, encoder, config, facts["result"], folder.path)


def _fits(run: Run) -> bool:
    """Are the parameters of the kinds and shapes that the model has?"""
    import jax

    assert run.model is not None
    expected = jax.eval_shape(run.model.init, jax.random.key(0))
    found = jax.tree.map(lambda leaf: leaf.shape, run.params)
    real = all(np.issubdtype(leaf.dtype, np.floating) for leaf in jax.tree.leaves(run.params))
    return real and found == jax.tree.map(lambda leaf: leaf.shape, expected)
