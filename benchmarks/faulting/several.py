"""Faults that strike one of several processes: all must end, soon, and go on together."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from benchmarks.faulting.place import OFTEN, Job, Outcome
from benchmarks.faulting.single import concluded

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from benchmarks.faulting.place import Place

TRY_AGAIN = 75


def strike(number: int, rank: int) -> Callable[[Place, random.Random, float], Outcome]:
    """A signal to one of the processes at a random moment; the others have to end by themselves.

    SIGKILL: it is gone. SIGSTOP: it is frozen, as is its part of the network. SIGUSR1: it is stuck in Python,
    while its other threads go on and say that all is well.
    """

    def run(place: Place, chance: random.Random, part: float) -> Outcome:
        out = place.next()
        job = Job(place, out, *OFTEN)
        place.sleep(job, part)
        moment = place.phase(out)
        job.send(number, rank)
        # A stuck process has a watchdog of its own, and a killed one may have a parent that says so.
        left_out = rank if number == signal.SIGSTOP else None
        # Where few steps are known yet, the watchdog grants ten minutes; who is lost before all have met is
        # waited for as if it were late, five minutes.
        limit = 700.0 if number == signal.SIGUSR1 else 330.0
        codes, seconds, trouble = job.wait(but=left_out, limit=limit)
        other = next(i for i in range(place.count) if i != rank)
        sentence = job.words(other)
        if not trouble and not set(codes) <= {TRY_AGAIN, 0, -number}:
            trouble = f"ended with {codes}: {sentence}"
        trouble = trouble or job.troubled
        if set(codes) == {0} and place.phase(out) == "finished":
            different = place.differs(out)
            place.clear(out)
            return Outcome(moment, codes, seconds, not different, "", 0.0, trouble or different)
        return concluded(
            place,
            out,
            codes=codes,
            seconds=seconds,
            moment=moment,
            sentence=sentence,
            trouble=trouble,
        )

    return run


def asked_to_end(place: Place, chance: random.Random, part: float) -> Outcome:
    """SIGTERM to all, as a scheduler sends it, or to one of them alone."""
    out = place.next()
    job = Job(place, out, *OFTEN)
    place.sleep(job, part)
    moment = place.phase(out)
    alone = chance.choice([None, 0, 1])
    job.send(signal.SIGTERM, alone)
    codes, seconds, trouble = job.wait()
    # Before Python has started, a process ends by SIGTERM as any other.
    if not trouble and not set(codes) <= {TRY_AGAIN, 0, -signal.SIGTERM, 128 + signal.SIGTERM}:
        trouble = f"ended with {codes}: {job.words(1)}"
    trouble = trouble or job.troubled
    if set(codes) == {0}:
        different = place.differs(out)
        place.clear(out)
        return Outcome(moment, codes, seconds, not different, "", 0.0, trouble or different)
    told = "all" if alone is None else f"process {alone}"
    return concluded(
        place,
        out,
        codes=codes,
        seconds=seconds,
        moment=f"{moment} ({told})",
        sentence=job.words(0),
        trouble=trouble,
    )


def late(place: Place, chance: random.Random, part: float) -> Outcome:
    """One process starts some seconds after the other, which waits for it."""
    out = place.next()
    job = Job(place, out, *OFTEN, start=False)
    job.add()
    time.sleep(5 + 10 * part)
    job.add()
    codes, seconds, trouble = job.wait()
    if not trouble and any(codes):
        trouble = f"ended with {codes}: {job.words(1)}"
    trouble = trouble or job.troubled or place.differs(out)
    place.clear(out)
    return Outcome("starting", codes, seconds, not trouble, "", 0.0, trouble)


def never(place: Place, chance: random.Random, part: float) -> Outcome:
    """One process never starts: the coordinator's, or the other one; the one there is gives up."""
    out = place.next()
    job = Job(place, out, *OFTEN)
    absent = int(part < 0.5)
    job.processes[absent].kill()
    codes, seconds, trouble = job.wait(but=absent, limit=400)
    sentence = job.words(1 - absent)
    if not trouble and set(codes) != {TRY_AGAIN}:
        trouble = f"ended with {codes}: {sentence}"
    return concluded(
        place,
        out,
        codes=codes,
        seconds=seconds,
        moment=f"process {absent} absent",
        sentence=sentence,
        trouble=trouble or job.troubled,
    )
