r"""How long a step and an epoch take on several workers, reckoned before anything is started.

A step on $p$ workers is the slower of two things that go on at once, reading and the rest:

$$t = \max\left(\frac{r}{p},\ \frac{c}{p} + \frac{a(p)}{H}\right)$$

with $c$ the seconds one worker computes on the whole batch, $r$ the seconds one worker reads it, $a$ the
seconds of one all-reduce and $H$ the steps between two of them. All-reduces are those of `Link.all_reduce`.
The arithmetic knows nothing of stragglers, of cores that workers share, of summing the numbers that arrive:
what it promises is the most that can be had.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

from fallline.errors import FalllineError

Algorithm = Literal["ring", "halving"]

GAIN = 1.1
"""Workers that are less than so many times as fast as one are not worth starting."""


@dataclasses.dataclass(frozen=True)
class Link:
    """What connects two workers.

    Attributes:
        latency: seconds until the first byte of a message arrives.
        bandwidth: bytes a second after that, as measured; not the line's nominal rate.
    """

    latency: float
    bandwidth: float

    def all_reduce(self, size: float, workers: int, algorithm: Algorithm = "ring") -> float:
        r"""Seconds until each worker has the sum of all workers' vectors of ``size`` bytes.

        ``"ring"``, in $2(p-1)$ messages of $n/p$ bytes one after the other, as gloo does:

        $$2(p-1)\,\alpha + \frac{2(p-1)}{p} \frac{n}{\beta}$$

        ``"halving"``, a recursive halving and a recursive doubling, sends the same bytes in fewer messages:

        $$2 \lceil \log_2 p \rceil\,\alpha + \frac{2(p-1)}{p} \frac{n}{\beta}$$

        References:
            Ring: Patarasu & Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations",
            J. Parallel Distrib. Comput. 69 (2009), which also shows that no algorithm sends fewer bytes.
            Halving and doubling: Thakur, Rabenseifner & Gropp, "Optimization of collective communication
            operations in MPICH", Int. J. High Perform. Comput. Appl. 19 (2005), where $p$ is a power of two.

        >>> 1e3 * LOOPBACK.all_reduce(1e6, workers=2)  # measured: 1.1 ms
        1.16...
        """
        if workers == 1:
            return 0.0
        messages = workers - 1 if algorithm == "ring" else math.ceil(math.log2(workers))
        share = (workers - 1) / workers
        return 2 * messages * self.latency + 2 * share * size / self.bandwidth

    @staticmethod
    def measured(short: float, long: float, size: float, workers: int) -> Link:
        """The link under two all-reduces, one of a few bytes and one of ``size`` bytes.

        Args:
            short: seconds of an all-reduce of a few bytes.
            long: seconds of one of ``size`` bytes.
            size: its bytes.
            workers: how many took part, at least two.
        """
        if workers < 2:
            raise FalllineError("A link is measured between workers: at least two must take part.")
        sent = 2 * (workers - 1) / workers * size
        # On a noisy machine the long one may come out shorter; it then costs next to nothing.
        return Link(short / (2 * (workers - 1)), sent / max(long - short, 1e-9))


LOOPBACK = Link(latency=60e-6, bandwidth=0.96e9)
"""gloo between two processes of one machine: 8 bytes took 0.12 ms, 1 MB 1.1 ms, 10 MB 10.5 ms."""

TEN_GIGABIT = Link(latency=50e-6, bandwidth=0.625e9)
"""Assumed of a network of 10 Gbit/s: half of its nominal rate, and 50 microseconds a message."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What `estimate` found.

    Attributes:
        workers: how many.
        compute_seconds: seconds a step that each worker computes.
        communicate_seconds: seconds a step that it waits for the others' sums, on average over steps.
        read_seconds: seconds in which it reads a step's rows meanwhile.
        step_seconds: seconds of a step.
        steps: steps an epoch.
        alone_seconds: seconds of the same step on one worker.
    """

    workers: int
    compute_seconds: float
    communicate_seconds: float
    read_seconds: float
    step_seconds: float
    steps: int
    alone_seconds: float

    @property
    def epoch_seconds(self) -> float:
        """Seconds of an epoch."""
        return self.steps * self.step_seconds

    @property
    def speedup(self) -> float:
        """How many times as fast as one worker."""
        return self.alone_seconds / self.step_seconds

    @property
    def efficiency(self) -> float:
        """The speed-up for each worker: 1 where none waits."""
        return self.speedup / self.workers

    @property
    def limit(self) -> Literal["computing", "communicating", "reading"]:
        """What most of a step goes to."""
        if self.read_seconds > self.compute_seconds + self.communicate_seconds:
            return "reading"
        computing = self.compute_seconds >= self.communicate_seconds
        return "computing" if computing else "communicating"

    @property
    def pays(self) -> bool:
        """Is it worth while to start more than one worker?"""
        return self.workers == 1 or self.speedup >= GAIN

    @property
    def sentence(self) -> str:
        """All this in a sentence or two, to be read before the start.

        >>> estimate(1.6e-3, 2e6, 2, LOOPBACK, rows=10**6, batch_size=512).sentence
        'A step computes for 0.8 ms and communicates for 2.2 ms: 2 workers would take 1.9 times as long as
        one. Train this model on one worker.'
        """
        if self.workers == 1:
            return f"A step computes for {_time(self.compute_seconds)}."
        parts = (
            f"A step computes for {_time(self.compute_seconds)} and communicates for "
            f"{_time(self.communicate_seconds)}"
        )
        if self.limit == "reading":
            parts += f" while {_time(self.read_seconds)} go by in reading"
        if self.pays:
            return f"{parts}: {self.workers:,} workers are {_short(self.speedup)} times as fast as one."
        if self.speedup > 1 / GAIN:
            return (
                f"{parts}: {self.workers:,} workers take about as long as one. "
                "Train this model on one worker."
            )
        return (
            f"{parts}: {self.workers:,} workers would take {_short(1 / self.speedup)} times as long as one. "
            "Train this model on one worker."
        )


def estimate(
    compute_seconds: float,
    size: float,
    workers: int,
    link: Link,
    *,
    rows: int,
    batch_size: int,
    sync_every: int = 1,
    algorithm: Algorithm = "ring",
    rows_per_second: float = math.inf,
) -> Estimate:
    """How long a step and an epoch take on several workers.

    Args:
        compute_seconds: seconds in which one worker computes a step on the whole batch.
        size: bytes that are summed over the workers: 4 for each parameter in single precision.
        workers: how many share a batch.
        link: what connects them: `LOOPBACK`, `TEN_GIGABIT` or `Link.measured`.
        rows: rows of an epoch.
        batch_size: rows of a step, over all workers.
        sync_every: steps between two all-reduces.
        algorithm: see `Link.all_reduce`.
        rows_per_second: rows that a worker reads a second, by a thread of its own.

    >>> made = estimate(8 * 0.0482, 4e6, 8, TEN_GIGABIT, rows=10**8, batch_size=8 * 8192)
    >>> round(made.epoch_seconds), round(made.speedup, 1)
    (92, 6.4)
    """
    if workers < 1 or batch_size < 1 or sync_every < 1:
        raise FalllineError(
            f"An estimate needs at least 1 worker, 1 row a step and 1 step between sums, and was given "
            f"{workers}, {batch_size} and {sync_every}."
        )
    computing = compute_seconds / workers
    communicating = link.all_reduce(size, workers, algorithm) / sync_every
    reading = batch_size / workers / rows_per_second
    return Estimate(
        workers=workers,
        compute_seconds=computing,
        communicate_seconds=communicating,
        read_seconds=reading,
        step_seconds=max(computing + communicating, reading),
        steps=math.ceil(rows / batch_size),
        alone_seconds=max(compute_seconds, batch_size / rows_per_second),
    )


def steps_needed(batch_size: float, critical: float) -> float:
    r"""Steps to a given loss, as multiples of the fewest that the largest batches need: $1 + B_c / B$.

    Far below the critical batch size $B_c$ a batch twice as large halves the steps; far above, it saves none.

    Args:
        batch_size: rows of a step.
        critical: $B_c$, for which the gradient noise scale of `fallline diagnose` stands.

    Reference: McCandlish, Kaplan & Amodei, "An empirical model of large-batch training", arXiv:1812.06162
    (2018), equation 2.12 divided by the fewest steps.

    >>> steps_needed(1000, critical=1000)
    2.0
    """
    return 1 + critical / batch_size


def _time(seconds: float) -> str:
    """Seconds as one reads them.

    >>> [_time(t) for t in (2.3e-5, 0.0008, 0.0482, 0.163, 12.3)]
    ['23 µs', '0.8 ms', '48 ms', '160 ms', '12 s']
    """
    for unit, factor, least in (("s", 1.0, 1.0), ("ms", 1e3, 1e-4), ("µs", 1e6, 0.0)):
        if seconds >= least:
            return f"{_short(seconds * factor)} {unit}"
    return "0 µs"


def _short(number: float) -> str:
    """Two digits, and no powers of ten.

    >>> [_short(n) for n in (1.0, 1.87, 46.2, 302.4, 12345)]
    ['1', '1.9', '46', '300', '12,000']
    """
    return f"{float(f'{number:.2g}'):,g}"
