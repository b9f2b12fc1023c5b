"""A gang of workers under Ray: started together, ended together, started again from what they kept.

Ray Train starts one process a worker and watches over them. It is told nothing of the training: no results
go through it (`ray.train.report` would cost a second each), no tables, no checkpoints. `JaxTrainer` is not
used, because without an accelerator it leaves out `jax.distributed`, and the workers train apart.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fallline.errors import FalllineError
from fallline.scale.ray_worker import Worker, give_up, own_fault, ray_module, versions

if TYPE_CHECKING:
    from collections.abc import Generator

    from fallline.scale.ray_worker import Work

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "1",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
}
"""Ray's settings, unless the user has others: nothing is sent to its makers, and a lost worker is noticed
within a second."""

STORE = 100 * 2**20
"""Bytes of Ray's object store where it is started here; nothing of training goes through it."""

PLACES = 10.0
"""Seconds in which Ray must find places for the workers, before the hosts are counted anew: a lost host is
counted for a while."""

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
    told: str | None = None,
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
        told: a folder to note in that a worker was lost; see `fallline.scale.ray_tell`.

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
        train = ray_module("train")
        low, high = limits
        needs = {"CPU": cpus, **({"GPU": gpus} if gpus else {})}
        config = {
            "order": json.dumps(order),
            "shards": shards,
            # On one machine the workers need no address that others reach.
            "host": "127.0.0.1" if address is None else None,
            "versions": versions(),
            "folder": str(Path.cwd()),
            "cpus": cpus,
            "gpus": gpus,
        }
        trainer = ray_module("train.v2.api.data_parallel_trainer").DataParallelTrainer(
            Worker(work),
            train_loop_config=config,
            scaling_config=train.ScalingConfig(
                num_workers=low if low == high else (low, high),
                use_gpu=bool(gpus),
                resources_per_worker=needs,
                # As many as there are when it starts; a run that gets on is not ended for more.
                elastic_resize_monitor_interval_s=float("inf"),
            ),
            run_config=train.RunConfig(
                name="fallline",
                storage_path=place,
                failure_config=train.FailureConfig(
                    max_failures=max_failures,
                    controller_failure_limit=max(1, round(wait / PLACES)),
                ),
                callbacks=[give_up(told)],
            ),
        )
        with _handlers(), _Watch(low, needs, wait) as watch:
            try:
                return trainer.fit().return_value
            except train.TrainingFailedError as error:
                raise _told(error, max_failures) from None
            except SystemExit:
                # So Ray ends after Ctrl-C, which the watch presses as well.
                if watch.gave_up:
                    raise FalllineError(watch.gave_up) from None
                raise KeyboardInterrupt from None


def _told(error: Any, max_failures: int) -> BaseException:
    """What the caller gets for an error of Ray's."""
    cause = error
    while type(cause).__name__ == "ControllerError":
        cause = cause.controller_failure
    if isinstance(cause, FalllineError):
        return cause
    failures: dict[int, Exception] = getattr(cause, "worker_failures", {})
    text = str(cause)
    if "No module named 'fallline'" in text:
        return FalllineError(
            "Fallline is not installed on all hosts of the cluster: install it there."
        )
    wrong = own_fault(failures)
    if isinstance(wrong, FalllineError):
        return wrong
    if wrong is not None or not failures:
        return error
    last = [line.strip() for line in text.splitlines() if line.strip()]
    return FalllineError(
        f"Training was started again {max_failures} times, and each time a worker was lost; the last time: "
        f"{last[-1]}\nGo on with --resume."
    )


class _Watch(threading.Thread):
    """Looks whether the cluster has enough for the fewest workers, and gives up after a while."""

    def __init__(self, low: int, needs: dict[str, int], wait: float) -> None:
        super().__init__(name="fallline-watch", daemon=True)
        self.low, self.needs, self.wait = low, needs, wait
        self.gave_up = ""
        # Only there does Ray listen to a signal, by which it can be stopped.
        self._stops = threading.current_thread() is threading.main_thread()
        self._over = threading.Event()

    def run(self) -> None:
        lacking: float | None = None
        while not self._over.wait(2):
            count = possible(self.needs)
            if count is None or count >= self.low:
                lacking = None
                continue
            told = (
                f"The cluster has room for {count} of the {self.low} workers that are needed, with "
                f"{_words(self.needs)} each"
            )
            if lacking is None:
                lacking = time.monotonic()
                _log.warning("%s: waiting for %g seconds.", told, self.wait)
            elif self._stops and time.monotonic() - lacking > self.wait:
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
    ray = ray_module()
    try:
        hosts = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    except Exception:
        return None
    return sum(int(min(host.get(n, 0) // k for n, k in needs.items() if k)) for host in hosts)


def _words(needs: dict[str, int]) -> str:
    return " and ".join(f"{count} {name}" for name, count in needs.items())


@contextlib.contextmanager
def _handlers() -> Generator[None]:
    """Give Ctrl-C back to whom it was before: Ray keeps it.

    Ray's waiting is left only by Ctrl-C or an exit, so SIGTERM becomes one, and whoever listens for it hears
    of it afterwards.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, listens = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    heard: list[int] = []

    def leave(number: int, frame: Any) -> None:
        heard.append(number)
        raise SystemExit(128 + number)

    if callable(listens):
        signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if callable(listens):
            signal.signal(signal.SIGTERM, listens)
            if heard:
                listens(heard[0], None)


@contextlib.contextmanager
def _environment() -> Generator[None]:
    """Ray's settings for as long as it works for us."""
    wanted = {**QUIET, "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": str(PLACES)}
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _cluster(address: str | None, cores: int) -> Generator[None]:
    """A connection to Ray; one that the caller has stays as it is."""
    ray = ray_module()
    if ray.is_initialized():
        yield
        return
    listens = signal.getsignal(signal.SIGTERM)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is None:
            ray.init(
                num_cpus=cores,
                object_store_memory=STORE,
                include_dashboard=False,
                **quiet,
            )
        else:
            ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise FalllineError(
            f"Ray cannot be reached at {address or 'this machine'}: {reason}"
        ) from None
    if callable(listens) and threading.current_thread() is threading.main_thread():
        # Ray has put itself in the place of whoever listened, and takes it for a crash.
        signal.signal(signal.SIGTERM, listens)
    try:
        yield
    finally:
        ray.shutdown()
