"""Training on a Ray cluster: Ray starts the workers, and starts them again; JAX does all the rest.

Each worker that Ray starts joins the others through JAX's own runtime and trains as it would under any
other launcher. When one is lost, Ray ends the others and starts as many as the cluster then has, and they
go on from the run folder's newest checkpoint.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Generator

    from fallline.descent.crew import Crew
    from fallline.jobs.fit import Reporter
    from fallline.jobs.result import TableRun


def fit(
    data: str | Path,
    target: str | None = None,
    *,
    out: str | Path,
    workers: int | tuple[int, int] = 2,
    address: str | None = None,
    cpus_per_worker: int = 1,
    gpus_per_worker: int = 0,
    max_failures: int = 3,
    wait: float = 300,
    resume: bool = False,
    checkpoint_every: float | None = None,
    reporter: Reporter | None = None,
    **options: Any,
) -> TableRun:
    """Train on several workers that Ray starts, and starts again where one is lost.

    Every worker reads its part of the table, so all hosts must see ``data`` under the same name. Worker 0
    writes the run folder, and the caller reads it: ``out`` must be on storage that all hosts see.
    (A folder of the caller's machine alone will do while Ray puts worker 0 there.)

    Args:
        data: a path, a pattern, an address or the name of a bundled set; not a table in memory.
        target: the column to predict; may be left out where the source names it.
        out: the folder to keep the run in.
        workers: how many, or the fewest and the most: then as many as the cluster has when training
            starts or starts again, so long as they divide the number of shards.
        address: "auto" for the cluster that this machine belongs to, "HOST:PORT" for another, None to
            start Ray on this machine for this run.
        cpus_per_worker: cores that a worker takes.
        gpus_per_worker: GPUs that a worker takes; with none it computes on its cores.
        max_failures: how often training starts again before it is given up.
        wait: seconds to wait for a fixed number of workers before it is given up.
        resume: go on with the unfinished run in ``out``.
        checkpoint_every: seconds between two checkpoints.
        reporter: is told of the training, from a thread, twice a second at most; what it answers does not
            stop the workers, and of a model that was trained it is told epochs, seconds and how it ended.
        options: the fields of `fallline.jobs.config.FitConfig`.

    Returns:
        The run, read back from ``out``.

    Raises:
        FalllineError: in a sentence, for anything that cannot be done.
    """
    from fallline.jobs.config import FitConfig
    from fallline.jobs.fit import CHECKPOINT_SECONDS
    from fallline.jobs.result import load
    from fallline.scale import ray_launch
    from fallline.scale.ray_tell import Listener
    from fallline.scale.ray_worker import ray_module
    from fallline.store.folder import RunFolder

    if not isinstance(data, (str, Path)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise FalllineError(
            "Ray's workers read the table themselves: give its path, or write it to a file first."
        )
    config = FitConfig.from_json({"data": str(data), "target": target, **options})
    limits = sizes(workers, config.shards)
    ray_module("train")
    folder = RunFolder(Path(out).expanduser().absolute())
    if resume != folder.exists:
        # The workers go on with what they find there, so that it must be known to be this run's.
        if resume:
            raise FalllineError(f"There is no run to resume in {out}.")
        raise FalllineError(f"{out} is not empty; give another --out, or go on with --resume.")
    if resume and folder.facts().get("status") == "finished":
        raise FalllineError(f"The run in {out} is finished; there is nothing to resume.")
    hears = contextlib.nullcontext()
    with _marked(folder.path) as mark:
        if reporter is not None:
            hears = Listener(folder.path / mark, reporter, max_failures + 1)
        order = {
            "config": config.to_json(),
            "out": str(folder.path),
            "mark": mark,
            "every": CHECKPOINT_SECONDS if checkpoint_every is None else checkpoint_every,
        }
        with hears:
            ray_launch.launch(
                _train,
                order,
                limits=limits,
                shards=config.shards,
                address=address,
                cpus=cpus_per_worker,
                gpus=gpus_per_worker,
                max_failures=max_failures,
                wait=wait,
                told=str(folder.path / mark),
            )
    return load(folder.path)


def _train(crew: Crew, order: dict[str, Any]) -> None:
    """What each worker does once it has joined the others."""
    from fallline.jobs.config import FitConfig
    from fallline.jobs.fit import run_fit
    from fallline.scale.ray_tell import Teller
    from fallline.store.folder import RunFolder

    folder = RunFolder(order["out"])
    told = None
    if crew.leads:
        status = folder.facts().get("status") if folder.exists else None
        seen = (folder.path / order["mark"]).is_dir()
        told = json.dumps([seen, status]).encode()
    seen, status = json.loads(crew.broadcast(told))
    if not seen:
        raise FalllineError(
            f"Worker 0 runs on another host than the caller and does not see {folder.path}: put --out "
            "on storage that all hosts see."
        )
    if status == "finished":
        # It was lost after its work was done.
        return
    run_fit(
        FitConfig.from_json(order["config"]),
        out=folder.path,
        resume=status is not None,
        checkpoint_every=order["every"],
        reporter=Teller(folder.path / order["mark"]) if crew.leads else None,
        crew=crew,
    )


def sizes(workers: int | tuple[int, int], shards: int) -> tuple[int, int]:
    """The fewest and the most workers, both dividing the number of shards.

    >>> sizes(4, shards=8), sizes((3, 7), shards=24)
    ((4, 4), (3, 6))

    Raises:
        FalllineError: if there is no such number.
    """
    low, high = (workers, workers) if isinstance(workers, int) else workers
    if low < 1 or high < low:
        raise FalllineError(
            f"The workers must be a number, or the fewest and the most as in 4:8; not {low}:{high}."
        )
    fitting = [n for n in range(1, shards + 1) if shards % n == 0]
    within = [n for n in fitting if low <= n <= high]
    if not within:
        asked = str(low) if low == high else f"{low} to {high}"
        raise FalllineError(
            f"{asked} workers cannot share {shards} shards evenly: take one of "
            f"{', '.join(map(str, fitting))} workers, or other shards, such as --shards {low * 4}."
        )
    return within[0], within[-1]


@contextlib.contextmanager
def _marked(folder: Path) -> Generator[str]:
    """A hidden folder in a folder: a worker that sees it sees the same, and tells in it how it gets on."""
    from fallline.store import files

    mark = f".told-{secrets.token_hex(4)}"
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".told-*"):
            # By a caller that was killed.
            shutil.rmtree(left, ignore_errors=True)
        (folder / mark).mkdir()
    except OSError as error:
        raise files.unwritable(folder, error) from None
    try:
        yield mark
    finally:
        shutil.rmtree(folder / mark, ignore_errors=True)
        with contextlib.suppress(OSError):
            if made:
                # Unless something has been written into it.
                folder.rmdir()
