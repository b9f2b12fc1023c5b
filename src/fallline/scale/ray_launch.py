"""A gang of workers under Ray: started together, ended together, started again from what they kept.

Ray Train starts one process a worker and watches over them. It is told nothing of the training: no results
go through it (`ray.train.report` would cost a second each), no tables, no checkpoints. `JaxTrainer` is not
used, because without an accelerator it leaves out `jax.distributed`, and the workers train apart.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import logging
import os
import platform
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fallline.descent.crew import Crew

    Work = Callable[[Crew, dict[str, Any]], Any]

ALIKE = ("fallline", "jax", "jaxlib", "numpy", "polars")
"""Packages that all workers must have in the same version."""

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "1",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""Ray's settings, unless the user has others: nothing is sent to its makers, and a lost worker is noticed
within a second."""

STORE = 100 * 2**20
"""Bytes of Ray's object store where it is started here; nothing of training goes through it."""

START = 60.0
"""Seconds for the workers' processes to start; on a loaded machine each takes several."""

_log = logging.getLogger("fallline")


def launch(
    work: Work,
    order: dict[str, Any],
    *,
    limits: tuple[int, int],
    shards: int,
    address: str | None = None,
    cpus: int = 1,
    gpus: int = 0,
    max_failures: int = 3,
    wait: float = 300,
) -> Any:
    """Let workers do some work together, from the start again whenever one of them is lost.

    Args:
        work: a module's function, called by each worker with its crew and the order. It goes on with what
            an earlier call has left, if there was one.
        order: anything that JSON can hold.
        limits: the fewest and the most workers.
        shards: what the number of workers must divide.
        address: of the cluster; None starts Ray here.
        cpus: cores a worker.
        gpus: GPUs a worker.
        max_failures: how often the work is started again.
        wait: seconds to wait for the workers' resources.

    Returns:
        What worker 0 returned.

    Raises:
        FalllineError: that a worker raised, or if there are not enough workers, or too many failures.
    """
    with (
        _environment(),
        _cluster(address, limits[1] * cpus),
        tempfile.TemporaryDirectory() as place,
    ):
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
        from ray.train.v2.api.exceptions import TrainingFailedError

        low, high = limits
        needs = {"CPU": cpus, **({"GPU": gpus} if gpus else {})}
        told = {
            "order": json.dumps(order),
            "shards": shards,
            "versions": versions(),
            "folder": str(Path.cwd()),
            "cpus": cpus,
            "gpus": gpus,
        }
        trainer = DataParallelTrainer(
            _Worker(work),
            train_loop_config=told,
            scaling_config=ScalingConfig(
                num_workers=low if low == high else (low, high),
                use_gpu=bool(gpus),
                resources_per_worker=needs,
                # As many as there are when it starts; a run that gets on is not ended for more.
                elastic_resize_monitor_interval_s=float("inf"),
            ),
            run_config=RunConfig(
                name="fallline",
                storage_path=place,
                failure_config=FailureConfig(
                    max_failures=max_failures,
                    controller_failure_limit=max(1, round(wait / START)),
                ),
                callbacks=[_give_up()],
            ),
        )
        with _Watch(low, needs, wait) as watch:
            try:
                return trainer.fit().return_value
            except TrainingFailedError as error:
                raise _sentence(error, max_failures) from None
            except BaseException:
                if watch.gave_up:
                    raise FalllineError(watch.gave_up) from None
                raise


class _Worker:
    """What Ray calls in each worker's process."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def __call__(self, told: dict[str, Any]) -> Any:
        import ray.train
        import ray.util
        from ray.train.collective import broadcast_from_rank_zero

        context = ray.train.get_context()
        rank, possible = context.get_world_rank(), context.get_world_size()
        here = ray.util.get_node_ip_address()
        require_alike(told["versions"], versions(), f"{socket.gethostname()} ({here})")
        address = f"{here}:{_free_port(here)}" if rank == 0 else None
        address = broadcast_from_rank_zero(address)
        from fallline.scale.ray import largest

        size = largest(possible, told["shards"])
        if rank >= size:
            # One too many to share the shards evenly; it is needed when another is lost.
            return None
        _settle(told, here)
        # Only now, because these read the environment.
        from fallline.scale.join import join, leave
        from fallline.scale.launch import Place

        place = Place(address, size, rank, context.get_local_rank(), "Ray")
        crew = join(place, bind=here)
        made = self.work(crew, json.loads(told["order"]))
        leave()
        return made


def versions() -> dict[str, str]:
    """Python's version and those of the packages that must be alike."""
    found = {name: importlib.metadata.version(name) for name in ALIKE}
    return {"Python": platform.python_version(), **found}


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


def _settle(told: dict[str, Any], here: str) -> None:
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


def _give_up() -> Any:
    """Tells Ray's controller what is not worth starting again: whatever the user must mend."""
    from ray.train import UserCallback

    class GiveUp(UserCallback):
        def after_exception(
            self, run_context: Any, worker_exceptions: dict[int, Exception]
        ) -> None:
            wrong = _mendable(worker_exceptions)
            if wrong is not None:
                raise wrong

    return GiveUp()


def _mendable(failures: dict[int, Exception]) -> FalllineError | None:
    """The first sentence among workers' errors, if none of them was lost."""
    found = [getattr(failures[rank], "_base_exc", failures[rank]) for rank in sorted(failures)]
    if all(isinstance(error, FalllineError) for error in found):
        return next(iter(found), None)  # pyright: ignore
    return None


def _sentence(error: Any, max_failures: int) -> BaseException:
    """What to tell the user of an error of Ray's."""
    cause = getattr(error, "controller_failure", None)
    while cause is not None and not isinstance(cause, FalllineError):
        cause = getattr(cause, "controller_failure", None) or cause.__cause__
    if cause is not None:
        return cause
    failures: dict[int, Exception] = getattr(error, "worker_failures", {})
    wrong = _mendable(failures)
    if wrong is not None:
        return wrong
    text = str(error)
    if "No module named 'fallline'" in text:
        return FalllineError(
            "Fallline is not installed on all hosts of the cluster: install it there."
        )
    last = [line for line in text.splitlines() if line.strip()]
    return FalllineError(
        f"Workers were lost more than {max_failures} times, the last with: {last[-1].strip()}\n"
        "Go on with --resume."
    )


class _Watch(threading.Thread):
    """Looks whether the cluster has enough for the fewest workers, and gives up after a while."""

    def __init__(self, low: int, needs: dict[str, int], wait: float) -> None:
        super().__init__(name="fallline-watch", daemon=True)
        self.low, self.needs, self.wait = low, needs, wait
        self.gave_up = ""
        self._over = threading.Event()

    def run(self) -> None:
        lacking: float | None = None
        while not self._over.wait(2):
            count = possible(self.needs)
            if count is None or count >= self.low:
                lacking = None
                continue
            told = (
                f"The cluster has room for {count} workers with {_words(self.needs)} each, and {self.low} "
                "are needed"
            )
            if lacking is None:
                lacking = time.monotonic()
                _log.warning("%s: waiting for %g seconds.", told, self.wait)
            elif time.monotonic() - lacking > self.wait:
                self.gave_up = f"{told}; gave up after {self.wait:g} seconds. Go on with --resume."
                os.kill(os.getpid(), signal.SIGINT)
                return

    def __enter__(self) -> _Watch:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()


def possible(needs: dict[str, int]) -> int | None:
    """How many workers the cluster's hosts have room for, or None if it cannot be asked."""
    import ray

    try:
        hosts = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    except Exception:
        return None
    return sum(int(min(host.get(n, 0) // k for n, k in needs.items() if k)) for host in hosts)


def _words(needs: dict[str, int]) -> str:
    return " and ".join(f"{count} {name}" for name, count in needs.items())


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Ray's settings for as long as it works for us."""
    wanted = {**QUIET, "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": str(START)}
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _cluster(address: str | None, cores: int) -> Iterator[None]:
    """A connection to Ray; one that the caller has stays as it is."""
    import ray

    if ray.is_initialized():
        yield
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is None:
            ray.init(
                num_cpus=cores,
                object_store_memory=STORE,
                include_dashboard=False,
                # Nobody else's machine can reach it.
                _node_ip_address="127.0.0.1",
                **quiet,
            )
        else:
            ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise FalllineError(
            f"Ray cannot be reached at {address or 'this machine'}: {reason}"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()
