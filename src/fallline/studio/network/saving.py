"""What can be kept of a run: its folder, its numbers, and a script that repeats it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fallline.data.readers import read_table
from fallline.errors import FalllineError
from fallline.jobs.fit import fingerprint_of
from fallline.store.folder import RunFolder
from fallline.studio.network import made
from fallline.studio.network.asked import arguments_of
from fallline.studio.network.asked import python as written

if TYPE_CHECKING:
    from fallline.studio.network.lineup import Entry

MOST_ROWS = 200_000
"""Rows of a history that go through a page; of a longer one every so manieth."""

_ENDINGS = r"\.(gz|csv|tsv|parquet|jsonl|ndjson|json|npz|libsvm)$"


def save(entry: Entry, runs: Path) -> str:
    """Write a run into the folder of runs, so that it is one of them; its name there.

    Raises:
        FalllineError: if it cannot be kept, or the folder cannot be written.
    """
    fitted, cut = entry.fitted, entry.training.cut
    assert cut is not None
    folder = _free(runs, cut.table.source)
    # What a folder is told apart by is read anew: the very table that the run was trained on.
    table = cut.table if fitted.config.data is None else read_table(fitted.config.data)
    facts = {
        "config": fitted.config.to_json(),
        "fingerprint": fingerprint_of(fitted.config, table),
    }
    folder.create(facts)
    fitted.result["run"] = str(folder.path)
    fitted.save(folder)
    name = fitted.result["model"]
    if "params/affine1/weights" in fitted.run.final.arrays or len(fitted.run.final.arrays) > 1:
        folder.save_checkpoint(name, fitted.run.final, {"learning_rate": fitted.run.learning_rate})
    return folder.path.name


def _free(runs: Path, source: str) -> RunFolder:
    """The next free ``NAME-N`` in the folder of runs."""
    name = Path(source).name
    while (shorter := re.sub(_ENDINGS, "", name, flags=re.IGNORECASE)) != name:
        name = shorter
    name = re.sub(r"[^\w.-]+", "-", name).strip("-.")[:80] or "run"
    number = 1
    while (runs / f"{name}-{number}").exists():
        number += 1
    return RunFolder(runs / f"{name}-{number}")


def csv(entry: Entry) -> str:
    """The history, a row a step; what is known of an epoch stands in the row of its last step.

    Raises:
        FalllineError: if there is none yet.
    """
    import polars as pl

    run = entry.run
    if run is None:
        raise FalllineError("This run has not made a step yet: let it train first.")
    frame = run.history.frame()
    epochs = run.history.epoch_frame()
    last = np.minimum(np.arange(1, len(epochs) + 1) * run.plan.steps, len(frame)) - 1
    ends = epochs.with_columns(pl.Series("step", last).cast(frame["step"].dtype))
    frame = frame.join(ends, on="step", how="left").with_columns(pl.col("step") + 1)
    every = -(-len(frame) // MOST_ROWS)
    return frame.gather_every(every).write_csv()


def script(entry: Entry) -> str:
    """A Python script that repeats the run.

    Raises:
        FalllineError: if the run has not got so far that it is known what it is.
    """
    cut = entry.training.cut
    if cut is None:
        raise FalllineError("The table has not been read yet: let the run begin first.")
    config = cut.config
    data, helper = written(config.data), ""
    if config.data is None:
        name = cut.table.source
        helper = f"\n\n{_source(name)}\n\ntable = {made.MADE[name].__name__}()\n"
        data = "table"
    arguments = "".join(f"    {argument},\n" for argument in arguments_of(config))
    imports = "import numpy as np\nimport polars as pl\n\n" if helper else ""
    call = f"fallline.fit(\n    {data},\n    {written(config.target)},\n{arguments})"
    if entry.made is None:
        body = f"run = {call}\nprint(run)\nprint(run.run)\n"
        return f'"""A run of fallline studio, repeated."""\n\n{imports}import fallline\n{helper}\n{body}'
    return (
        f'"""A fork in fallline studio, repeated: its fix is none that fallline fit has an option for."""\n\n'
        f"{imports}import fallline\nfrom fallline.diagnosis import changes\n{helper}\n"
        f"parent = {call}\n"
        f"fixed = changes.changed(parent.run.asked, {entry.made!r}, parent.run.learning_rate)\n"
        "run = fallline.train(**fixed)\nprint(run)\n"
    )


def _source(name: str) -> str:
    """The function that makes a table, without its docstring's walls."""
    return inspect.getsource(made.MADE[name]).rstrip()
