"""What Ray runs in each worker's process, and what is to be made of a worker's failure."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.descent.crew import Crew

    Work = Callable[[Crew, dict[str, Any]], Any]


class Worker:
    """What Ray calls in each worker's process."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def __call__(self, told: dict[str, Any]) -> Any:
        """Join the others and do the work with them; what worker 0 returns is the result."""
        context = ray_module("train").get_context()
        rank, possible = context.get_world_rank(), context.get_world_size()
        here = told["host"] or ray_module("util").get_node_ip_address()
        require_alike(told["versions"], versions(), f"{socket.gethostname()} ({here})")
        address = f"{here}:{_free_port(here)}" if rank == 0 else None
        address = ray_module("train.collective").broadcast_from_rank_zero(address)
        size = largest(possible, told["shards"])
        if rank >= size:
            # One too many to share the shards evenly; it is needed when another is lost.
            return None
        _settle(told)
        # Only now, because these read the environment.
        from fallline.scale.join import join, leave
        from fallline.scale.launch import Place
        from fallline.scale.lost import together

        # Ray shows each process its own GPUs only, so that its number on the host does not matter.
        crew = join(Place(address, size, rank, None, "Ray"), bind=here)
        with together(rank):
            made = self.work(crew, json.loads(told["order"]))
        leave()
        return made


def ray_module(name: str = "") -> Any:
    """Ray itself, or a part of it, imported when it is first needed.

    Raises:
        FalllineError: if it is not installed.
    """
    try:
        return importlib.import_module(f"ray.{name}" if name else "ray")
    except ImportError:
        raise FalllineError(
            "This needs Ray, which is not installed: run  pip install 'fallline[ray]'  on every host."
        ) from None


def versions() -> dict[str, str]:
    """The versions that all workers, and the caller, must have alike."""
    from fallline.scale.launch import Place
    from fallline.scale.rollcall import card

    return card(Place("localhost:1", 1, 0), {}).versions


def require_alike(driver: dict[str, str], worker: dict[str, str], host: str) -> None:
    """Check that a worker has the caller's versions.

    Raises:
        FalllineError: naming the first package that differs.
    """
    for name, version in driver.items():
        if worker.get(name) != version:
            raise FalllineError(
                f"{host} has {name} {worker.get(name)}, and the caller has {version}: install the same "
                "versions on all hosts."
            )


def _settle(told: dict[str, Any]) -> None:
    """Give this process its share of the machine and the caller's folder, before anything computes."""
    cores = str(told["cpus"])
    # XLA's threads, polars' and those of linear algebra; what the user has set stays.
    for name in ("PJRT_NPROC", "POLARS_MAX_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, cores)
    if not told["gpus"]:
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
    # Names of files then mean what they mean to the caller; where the folder is missing, whole paths do.
    with contextlib.suppress(OSError):
        os.chdir(told["folder"])


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def give_up(told: str | None = None) -> Any:
    """Tells Ray's controller which failures are not worth starting again.

    Args:
        told: a folder in which each of the others is noted.
    """

    class GiveUp(ray_module("train").UserCallback):  # pyright: ignore[reportUntypedBaseClass]
        def after_exception(
            self, run_context: Any, worker_exceptions: dict[int, Exception]
        ) -> None:
            wrong = own_fault(worker_exceptions)
            if wrong is not None:
                raise wrong
            self.lost = getattr(self, "lost", 0) + 1
            if told is not None:
                with contextlib.suppress(OSError):
                    Path(told, f"lost-{self.lost}").touch()

    return GiveUp()


def own_fault(failures: dict[int, Exception]) -> BaseException | None:
    """The first error that would come again: a sentence for the user, or a bug; None if a worker was lost.

    Args:
        failures: errors by the number of the worker.
    """
    raised = [failures[rank] for rank in sorted(failures)]
    if any(_of_others(error) for error in raised):
        return None
    return raised[0] if raised else None


def _of_others(error: Exception) -> bool:
    """Does an error only tell that another worker, its process, a disk or the network failed?"""
    # JAX's and Ray's errors by name: they need not be imported for it.
    names = {cls.__name__ for cls in type(error).__mro__}
    return bool(names & {"JaxRuntimeError", "OSError", "LostError", "RayError", "RayTrainError"})


def largest(possible: int, shards: int) -> int:
    """The most workers of those possible that divide the number of shards.

    >>> [largest(n, shards=8) for n in (1, 3, 5, 9)]
    [1, 2, 4, 8]
    """
    return max(n for n in range(1, min(possible, shards) + 1) if shards % n == 0)
