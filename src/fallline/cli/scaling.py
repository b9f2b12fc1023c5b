"""The options of ``fallline fit`` for large tables, several devices and several machines."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fallline.cli import screen
from fallline.cli.ending import EARLY, GRACE, Terminated, terminable
from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Generator

    from fallline.descent.crew import Crew
    from fallline.jobs.config import FitConfig
    from fallline.jobs.fit import Reporter
    from fallline.jobs.result import TableRun
    from fallline.scale.launch import Place

SCALE = "Scale"


def _option(*names: str, **settings: Any) -> Any:
    return typer.Option(*names, rich_help_panel=SCALE, **settings)


Stream = Annotated[
    bool | None,
    _option(
        "--stream/--no-stream",
        help="Read the table in pieces, as often as it is passed over.",
        show_default="where it would take over half the free memory",
    ),
]
Memory = Annotated[
    str | None,
    _option(
        help="What training may take where it streams: 500MB, 1.5GiB.",
        show_default="half the free memory",
    ),
]
Devices = Annotated[
    int | None,
    _option(
        help="How many of this machine's devices share the work.",
        show_default="1, or all with several machines",
    ),
]
Shards = Annotated[
    int,
    _option(help="Parts the rows are cut into; a multiple of the number of devices or workers."),
]
SyncEvery = Annotated[
    int,
    _option(help="Steps between two exchanges of devices; above 1 the parameters are averaged."),
]
Distributed = Annotated[
    str,
    _option(
        help="auto finds the other processes by what Slurm, Open MPI, Kubernetes or torchrun have set."
    ),
]
Coordinator = Annotated[
    str | None,
    _option(help="HOST:PORT of process 0, as the others reach it.", show_default=False),
]
NumProcesses = Annotated[int | None, _option(help="How many there are.", show_default=False)]
ProcessId = Annotated[
    int | None, _option(help="Which of them this is, from 0.", show_default=False)
]
Heartbeat = Annotated[
    float,
    _option(help="Seconds without a sign of life after which a process counts as lost."),
]
Engine = Annotated[
    str | None,
    _option(help="ray lets Ray start the processes.", show_default=False),
]
Address = Annotated[
    str | None,
    _option(
        help="With ray: the cluster, auto or HOST:PORT.", show_default="Ray on this machine alone"
    ),
]
Workers = Annotated[
    str | None,
    _option(help="With ray: how many, or the fewest and the most: 4, 4:8.", show_default="2"),
]


@dataclass(frozen=True)
class Asked:
    """What the options say of other processes."""

    distributed: str = "none"
    coordinator: str | None = None
    num_processes: int | None = None
    process_id: int | None = None
    heartbeat: float = 10.0
    engine: str | None = None
    address: str | None = None
    workers: str | None = None

    def place(self) -> Place | None:
        """This process's place among others, or None if it trains alone, or Ray shall find them.

        Raises:
            FalllineError: if the options, or a launcher's variables, contradict each other.
        """
        if self.distributed not in ("auto", "none"):
            raise FalllineError(f"--distributed is auto or none, not {self.distributed!r}.")
        if self.engine is None and (self.address or self.workers):
            raise FalllineError("--address and --workers are Ray's: add --engine ray.")
        if self.engine not in (None, "ray"):
            raise FalllineError(f"The one other engine is ray: --engine ray, not {self.engine!r}.")
        given = [self.coordinator, self.num_processes, self.process_id]
        alone = self.distributed == "none" and not any(value is not None for value in given)
        if self.engine == "ray":
            if not alone:
                raise FalllineError(
                    "Ray numbers its workers by itself: leave out --distributed, --coordinator, "
                    "--num-processes and --process-id."
                )
            return None
        if alone:
            return None
        from fallline.scale.launch import find

        found = find(
            os.environ if self.distributed == "auto" else {},
            coordinator=self.coordinator,
            processes=self.num_processes,
            process=self.process_id,
        )
        if found is None:
            raise FalllineError(
                "--distributed auto found no variables of Slurm, Open MPI, MPICH, torchrun or Kubernetes. "
                "Start the command by one of them, or give --coordinator, --num-processes and --process-id."
            )
        return found


def parse_size(text: str | None) -> int | None:
    """Bytes of ``"500MB"``, ``"1.5GiB"`` or ``"2g"``.

    >>> parse_size("500MB"), parse_size("1.5GiB"), parse_size("2g")
    (500000000, 1610612736, 2000000000)

    Raises:
        FalllineError: if it is none of that form.
    """
    if text is None:
        return None
    form = re.fullmatch(r"(\d{1,18}(?:\.\d*)?|\.\d+)\s*([kmgt]?)(i?)(b?)", text.strip().lower())
    if form is None or (form[3] and not form[2]):
        raise FalllineError(
            f"--memory is a size such as 500MB, 1.5GiB or 2g; it was given {text!r}."
        )
    power = " kmgt".index(form[2] or " ")
    size = int(float(form[1]) * (1024 if form[3] else 1000) ** power)
    if size < 1:
        raise FalllineError(f"--memory {text} leaves nothing to train in.")
    return size


def parse_workers(text: str | None) -> int | tuple[int, int]:
    """``"4"`` workers, or from 4 to 8 of ``"4:8"``.

    Raises:
        FalllineError: if it is neither.
    """
    form = re.fullmatch(r"(\d{1,9})(?::(\d{1,9}))?", (text or "2").strip())
    if form is None or not 0 < int(form[1]) <= int(form[2] or form[1]):
        raise FalllineError(f"--workers is a number or a range, 4 or 4:8; it was given {text!r}.")
    return int(form[1]) if form[2] is None else (int(form[1]), int(form[2]))


@contextlib.contextmanager
def taking_part(
    asked: Asked, place: Place | None, config: FitConfig
) -> Generator[Crew | None, None, None]:
    """Train with the other processes inside of this; without a place, alone.

    With a place the process ends here, whatever happens: a worker that leaves in any other way would wait
    for the others, who wait for it.
    """
    if place is None:
        yield None
        return
    from fallline.scale.join import join, leave
    from fallline.scale.lost import TRY_AGAIN, LostError, together

    code = 0
    try:
        # Until the training's own guard takes over.
        terminable(lambda: EARLY).__enter__()
        crew = join(
            place,
            heartbeat=asked.heartbeat,
            asked=config.to_json(),
            devices=config.devices,
        )
        with together(place.process):
            yield crew
        leave()
    except FalllineError as error:
        screen.complain(f"worker {place.process}: {error}" if place.process else str(error))
        code = TRY_AGAIN if isinstance(error, LostError) else 2
    except Terminated:
        screen.complain(f"worker {place.process}: {EARLY}" if place.process else EARLY)
        code = TRY_AGAIN
    except typer.Exit as error:
        code = error.exit_code
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def as_the_first(crew: Crew, out: Path, resume: bool) -> tuple[Path, bool]:
    """Where the run is kept and whether it goes on, as process 0 sees it: it may be the only one to see."""
    told = crew.broadcast(json.dumps([str(out), resume]).encode())
    first, goes_on = json.loads(told)
    return Path(first), goes_on


def trained(
    asked: Asked,
    config: FitConfig,
    crew: Crew | None,
    *,
    out: Path,
    resume: bool,
    checkpoint_every: float,
    reporter: Reporter,
) -> TableRun:
    """Do what a config asks for: here, with a crew, or through Ray.

    Raises:
        FalllineError: in a sentence, for anything that cannot be done.
    """
    if asked.engine is None:
        from fallline.jobs.fit import run_fit
        from fallline.scale.join import leave

        made = run_fit(
            config,
            out=out,
            resume=resume,
            checkpoint_every=checkpoint_every,
            reporter=reporter,
            crew=crew,
        )
        if crew is not None:
            # All is computed and written; nobody waits for what is still to be said.
            leave()
        return made
    from fallline.scale import ray

    guard = getattr(reporter, "guard", None)
    if guard is not None:
        guard.least = GRACE
    if not getattr(reporter, "quiet", True):
        screen.remark("Ray starts the workers ...")
    options = config.to_json()
    data, target = options.pop("data"), options.pop("target")
    # Ray prints what it has to say of a lost worker, where --json promises one object.
    with contextlib.redirect_stdout(sys.stderr):
        return ray.fit(
            data,
            target,
            out=out,
            workers=parse_workers(asked.workers),
            address=asked.address,
            resume=resume,
            checkpoint_every=checkpoint_every,
            reporter=reporter,
            **options,
        )
