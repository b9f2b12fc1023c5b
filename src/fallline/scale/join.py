"""Meeting the other workers, and parting from them.

Training and communication are those of JAX's own runtime: process 0 runs its coordinator, to which all send
signs of life, and gloo (on a GPU: NCCL) adds up the gradients between them. What was tried with JAX 0.10:

* A process that is killed closes its connections: the others get an exception within 0.2 s.
* One that is stopped, or whose machine is, says nothing: after ``heartbeat`` seconds the coordinator tells
  the others (without the coordinator it took them up to twice as long), and JAX ends each by ``abort()``,
  from a thread of its own, with a log of forty lines. So does the end of process 0 itself. It cannot be
  caught; `fallline.cli.supervise` runs a worker under a parent that says it in a sentence.
* One that is alive and stuck keeps the others waiting for ever: the watchdog's part.
* ``jax_enable_recoverability`` does away with the abort, and with the news: the others then wait for ever.
"""

from __future__ import annotations

import contextlib
import math
import os
from typing import TYPE_CHECKING, Any

from fallline.errors import FalllineError
from fallline.scale import rollcall
from fallline.scale.launch import parse_address
from fallline.scale.watchdog import LEAST, START, Watchdog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fallline.descent.crew import Crew
    from fallline.scale.launch import Place

HEARTBEAT = 10.0
"""Seconds without a sign of life after which a worker counts as lost."""

TIMEOUT = 300.0
"""Seconds to wait for all workers at the start."""

STUCK = "FALLLINE_STUCK"
"""In the environment: seconds without a step that are always granted, if not `watchdog.LEAST`."""

_dog: Watchdog | None = None


def join(
    place: Place,
    *,
    bind: str | None = None,
    heartbeat: float = HEARTBEAT,
    timeout: float = TIMEOUT,
    asked: Mapping[str, Any] | None = None,
    devices: int | None = None,
) -> Crew:
    """Meet the other workers; before anything touches a device.

    Args:
        place: this worker's.
        bind: the address of this machine that process 0 listens on; None for the coordinator's own, never
            all of them.
        heartbeat: seconds without a sign of life after which a worker counts as lost.
        timeout: seconds to wait for all workers.
        asked: what this worker was asked for; all must have been asked for the same.
        devices: how many of each machine's devices take part; None for all.

    Returns:
        The crew, whose ``beat`` keeps a watchdog quiet: a worker that has not come a step further for long
        ends, with exit code 75.

    Raises:
        FalllineError: if the workers do not fit together, or the address cannot be used.
        LostError: if one has not come in time.
    """
    global _dog
    import jax

    from fallline.descent.crew import Crew

    if jax.distributed.is_initialized():
        raise FalllineError("This process has joined other workers already.")
    least = _least()
    for name, seconds in (("heartbeat", heartbeat), ("timeout", timeout)):
        if not isinstance(seconds, (int, float)) or math.isnan(seconds):  # pyright: ignore
            raise FalllineError(f"The {name} is a number of seconds; it was given {seconds!r}.")
    # Beyond a day JAX's own numbers run over.
    heartbeat, timeout = min(heartbeat, 86400.0), min(timeout, 1e6)
    if not isinstance(bind, (str, type(None))):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise FalllineError(f"bind is an address of this machine; it was given {bind!r}.")
    if heartbeat < 1:
        raise FalllineError(f"Signs of life need a second at least: --heartbeat {heartbeat:g}.")
    mine = rollcall.card(place, asked or {})
    rollcall.call(place, mine, bind=bind, timeout=timeout)
    port = parse_address(place.coordinator)[1]
    listen = place.coordinator if bind is None else f"{f'[{bind}]' if ':' in bind else bind}:{port}"
    # On processors; GPUs have NCCL.
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(
            place.coordinator,
            place.processes,
            place.process,
            local_device_ids=_own_gpu(place),
            cluster_detection_method="deactivate",
            coordinator_bind_address=listen,
            # All are there, so it takes milliseconds.
            initialization_timeout=60,
            heartbeat_timeout_seconds=round(heartbeat),
            shutdown_timeout_seconds=60,
        )
    except RuntimeError as error:
        if "must be called before" not in str(error):
            raise
        raise FalllineError(
            "This process has computed with JAX already, so it cannot join other workers any more: join "
            "them first."
        ) from None
    counts = [0] * place.processes
    for device in jax.devices():
        counts[device.process_index] += 1
    fewest = min(counts)
    if devices is not None and devices > fewest:
        raise FalllineError(
            f"Worker {counts.index(fewest)} has {fewest} devices, not {devices}: ask for fewer with "
            "--devices."
        )
    _dog = Watchdog(least=least, start=START / LEAST * least).start()
    return Crew(place.process, place.processes, devices or fewest, _dog.beat, _dog.waiting)


def leave() -> None:
    """Part from the other workers, who do so too."""
    global _dog
    import jax

    if _dog is not None:
        _dog.stop()
        _dog = None
    if jax.distributed.is_initialized():
        jax.distributed.shutdown()


def _least() -> float:
    text = os.environ.get(STUCK, str(LEAST))
    with contextlib.suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
    raise FalllineError(f"{STUCK} is a number of seconds; it is {text!r}.")


def _own_gpu(place: Place) -> list[int] | None:
    """One GPU each where a machine runs several workers, as JAX does it by itself under a launcher.

    Where the launcher shows a process only its own GPU, that one is number 0.
    """
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if place.local is None or (seen is not None and "," not in seen):
        return None
    return [place.local]
