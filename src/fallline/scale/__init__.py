"""Several processes and machines: one training.

Every process calls `fit` with the same arguments, each on its machine or several on one. The result is that
of a single process, whatever their number. `fallline.scale.ray` starts the processes by itself.
"""

from __future__ import annotations

import atexit
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fallline.errors import FalllineError

if TYPE_CHECKING:
    from fallline.jobs.result import TableRun


def fit(
    data: Any,
    target: str | None = None,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    distributed: str | None = "auto",
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    bind: str | None = None,
    heartbeat: float = 10.0,
    timeout: float = 300.0,
    checkpoint_every: float | None = None,
    **options: Any,
) -> TableRun:
    """Train on several processes, each of which calls this with the same arguments.

    It must be called before anything is computed with JAX. Process 0 writes the run folder; where one is
    lost all end, and a call with ``resume=True`` goes on.

    Args:
        data: a path, a pattern or a URL; every process reads its part of it.
        target: the column to predict; may be left out where the source names it.
        out: the folder to keep the run in, written by process 0.
        resume: go on with the unfinished run in ``out``.
        distributed: "auto" finds the process's place in what Slurm, Open MPI, Kubernetes or torchrun have
            left in the environment, and trains alone if there is nothing; None looks for nothing.
        coordinator: "host:port" where process 0 listens, if no launcher tells.
        num_processes: how many processes there are, if no launcher tells.
        process_id: this process's number from 0, if no launcher tells.
        bind: the address that process 0 listens on, if not the coordinator's.
        heartbeat: seconds without a sign of life after which a process counts as lost.
        timeout: seconds to wait for all processes at the start.
        checkpoint_every: seconds between two checkpoints.
        options: the fields of `fallline.jobs.config.FitConfig`.

    Returns:
        The run, in every process.

    Raises:
        FalllineError: in a sentence, for anything that cannot be done.
        fallline.scale.lost.LostError: where a process is lost, and another try may succeed; Python then
            ends with exit code 75.
    """
    from fallline.jobs.config import FitConfig
    from fallline.jobs.fit import CHECKPOINT_SECONDS, run_fit
    from fallline.scale.join import join, leave
    from fallline.scale.launch import find
    from fallline.scale.lost import TRY_AGAIN, LostError, together

    if distributed not in ("auto", None):
        raise FalllineError(f"distributed is 'auto' or None; it was given {distributed!r}.")
    if not isinstance(data, (str, Path)):
        raise FalllineError(
            "Several processes read the table themselves: give its path, or write it to a file first."
        )
    config = FitConfig.from_json({"data": str(data), "target": target, **options})
    every = CHECKPOINT_SECONDS if checkpoint_every is None else checkpoint_every
    place = find(
        os.environ if distributed else {},
        coordinator=coordinator,
        processes=num_processes,
        process=process_id,
    )
    if place is None:
        return run_fit(config, out=out, resume=resume, checkpoint_every=every)
    crew = join(
        place,
        bind=bind,
        heartbeat=heartbeat,
        timeout=timeout,
        asked={**config.to_json(), "resume": resume, "out": None if out is None else str(out)},
        devices=config.devices,
    )
    try:
        with together(place.process):
            made = run_fit(config, out=out, resume=resume, checkpoint_every=every, crew=crew)
    except BaseException as error:
        # When Python ends, JAX would wait a minute for the others, who wait for this one, and then abort.
        atexit.register(_end, TRY_AGAIN if isinstance(error, LostError) else 1)
        raise
    leave()
    return made


def _end(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
