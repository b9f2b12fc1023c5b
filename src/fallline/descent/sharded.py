"""Training on rows that come in blocks, over all devices of a crew: the same loop under a sharded mesh.

A block holds some thousand rows of each shard, enough for many steps. It is laid out by device; the order
in which its rows are seen comes with it, so the loop only follows indices, as it does in memory.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from fallline.descent import loop, stopping
from fallline.descent.crew import AXIS, Crew
from fallline.descent.loop import EPOCH_FIELDS, Shape
from fallline.descent.objective import Batch
from fallline.descent.problem import Problem
from fallline.descent.run import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fallline.descent.batches import BatchPlan
    from fallline.descent.feed import Called, Carry, Feed

_REASONS = ("", "time", "interrupted", "terminated")
"""Why Python ends a run, the strongest last."""

_PROBE_SECONDS = 10.0
_PROBE_STEPS = 8
_BEAT_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class Block:
    """Some rows of every shard of this process, laid out device by device.

    Attributes:
        rows: (devices * rows a device, ...); the rows that fill up have weight 0.
        order: row numbers within each device's part, (devices * steps * size,); None where a step sees all.
    """

    rows: Batch
    order: np.ndarray | None


@dataclasses.dataclass(frozen=True)
class Costs:
    """What a step of several processes costs, measured before they begin.

    Attributes:
        computing: seconds that the slowest computes, with its share of a batch.
        communicating: seconds that adding up the gradients of all takes.
        size: bytes that each tells.
    """

    computing: float
    communicating: float
    size: int


class Supply(Protocol):
    """Where blocks come from.

    Attributes:
        steps: steps of a block; the last of an epoch has fewer.
        blocks: blocks of an epoch. A single one is kept, and only its order changes.
        rows: rows of a block on each device.
    """

    steps: int
    blocks: int
    rows: int

    @property
    def read(self) -> int:
        """How many pieces have been read so far: it grows while reading goes on."""
        ...

    def block(self, epoch: int, number: int) -> Block:
        """A block of an epoch."""
        ...

    def order(self, epoch: int, number: int) -> np.ndarray | None:
        """The order of its rows alone."""
        ...

    def held_out(self) -> Iterator[tuple[int, Batch]]:
        """The validation rows of this process by shard, in parts of one size."""
        ...


@dataclasses.dataclass
class ShardedProblem(Problem):
    """A problem whose rows come in blocks; see `Problem` for what it does not say itself."""

    supply: Supply = dataclasses.field(kw_only=True)
    crew: Crew = dataclasses.field(kw_only=True)
    shards: int = dataclasses.field(kw_only=True)
    holds_out: bool = dataclasses.field(kw_only=True)
    tell: Callable[[Costs], Any] | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self.call_seconds = 0.0 if self.crew.size == 1 else 0.5
        self.shared = self.crew.size > 1
        self.waited = 0.0
        self._probed = (0.0, 0.0)
        self._met: list[Worker] = []
        self._last = time.perf_counter()

    @property
    def validated(self) -> bool:
        """Are there rows to validate on?"""
        return self.holds_out

    def feed(self) -> Feed:
        """What gives the loop its blocks."""
        return BlockFeed(self)  # pyright: ignore[reportReturnType]

    def begin(self, optimizer: Any) -> Any:
        """The carry before the first step, alike on every device."""
        return self.placed(super().begin(optimizer))

    def placed(self, carry: Carry) -> Carry:
        """The carry on every device; otherwise the loop would be compiled once more for where it lay."""
        return self.crew.replicate(carry)

    def agreed(self, reason: str, pace: float) -> tuple[str, float]:
        """The strongest reason that any process has to stop, and the longest time that a step took."""
        self.crew.beat()
        if self.crew.size == 1:
            return reason, pace
        now = time.perf_counter()
        reading = self.waited / max(now - self._last, 1e-9)
        self._last, self.waited = now, 0.0
        table = self.crew.meet([_REASONS.index(reason), pace, self._probed[1], reading])
        self._met = [Worker(r, float(row[2]), float(row[3])) for r, row in enumerate(table)]
        return _REASONS[int(table[:, 0].max())], float(table[:, 1].max())

    def workers(self) -> list[Worker]:
        """The processes as they stood when they last met."""
        return self._met

    def finished(self, carry: Carry) -> Carry:
        """The carry on this process's own device."""
        return self.crew.local_part(carry)

    @functools.cached_property
    def advance_all(self) -> Any:
        """The compiled loop over the mesh."""
        return _over_mesh(self.crew.mesh, self.shape)

    def probe(self, rows: Batch, order: np.ndarray | None) -> float:
        """Rows a second that this process computes alone, by a few steps that lead nowhere."""
        now = time.perf_counter()
        if now - self._probed[0] < _PROBE_SECONDS and self._probed[1]:
            return self._probed[1]
        steps = min(_PROBE_STEPS, self.shape.steps)
        each = self.supply.rows
        alone = jax.tree.map(lambda leaf: leaf[:each], rows)
        if order is not None:
            order = order[None, : self.shape.steps * self.shape.size]
        shape = dataclasses.replace(self.shape, axis=None, sync_every=1)
        call = functools.partial(loop.advance, self.objective, self.rules, alone, None, shape=shape)
        places = np.int32(0), np.int32(steps), np.int32(1), np.bool_(False)
        spent = []
        for _ in range(2 if not self._probed[1] else 1):
            carry = Problem.begin(self, self.optimizer)
            jax.block_until_ready(carry)
            began = time.perf_counter()
            jax.block_until_ready(call(carry, order, *places))
            spent.append(time.perf_counter() - began)
        speed = steps * self.shape.size * self.crew.local / max(spent[-1], 1e-9)
        self._probed = (time.perf_counter(), speed)
        return speed

    def measure(self, carry: Carry) -> Costs:
        """What a step costs; all processes come here together."""
        count = sum(leaf.size for leaf in jax.tree.leaves(carry["params"])) + 2
        exchange = _exchange(self.crew.mesh)
        numbers = self.crew.replicate(np.zeros(count, np.asarray(carry["epoch_loss"]).dtype))
        spent: list[float] = []
        for _ in range(6):
            began = time.perf_counter()
            jax.block_until_ready(exchange(numbers))
            spent.append(time.perf_counter() - began)
        mine = self.shape.size * self.crew.local / max(self._probed[1], 1e-9)
        told = self.crew.meet([mine, float(np.median(spent[1:]))]).max(axis=0)
        return Costs(float(told[0]), float(told[1]), count * numbers.dtype.itemsize)

    def evaluate(self, carry: Carry) -> tuple[float, float]:
        """Loss and score on all held-out rows.

        The sums are taken by shard, so that they do not depend on who holds which.
        """
        predictor = self.crew.local_part({"params": loop.averaged(carry), "state": carry["state"]})
        sums = np.zeros((self.shards, 3))
        beaten = time.perf_counter()
        for shard, rows in self.supply.held_out():
            # Not for each part: they say nothing of how long a call of the loop takes.
            if time.perf_counter() - beaten > _BEAT_SECONDS:
                self.crew.beat()
                beaten = time.perf_counter()
            found = _evaluated(self.objective, predictor["params"], predictor["state"], rows)
            sums[shard] += [float(number) for number in found]
        # Every shard is some one process's; the others told zeros.
        total = self.crew.meet(sums.ravel()).sum(axis=0).reshape(sums.shape).sum(axis=0)
        return total[0] / total[2], total[1] / total[2]

    def close(self, carry: Carry) -> tuple[Carry, Any]:
        """The end of an epoch: validate, and let schedules and rules look."""
        validated = None
        if self.holds_out:
            kind = np.asarray(carry["epoch_loss"]).dtype
            validated = self.crew.replicate(
                tuple(np.asarray(number, kind) for number in self.evaluate(carry))
            )
        return _close(
            self.objective, self.crew.replicate(self.rules), carry, validated, self.shape.watched
        )


class BlockFeed:
    """Gives the loop block after block, the next one made by a thread meanwhile."""

    def __init__(self, problem: ShardedProblem) -> None:
        self._problem = problem
        self._coming: tuple[tuple[int, int], Future[Block]] | None = None
        self._place = (-1, -1)
        self._rows: Any = None
        self._order: Any = None
        self._measured = False

    def __enter__(self) -> BlockFeed:
        self._thread = ThreadPoolExecutor(1, "blocks")
        return self

    def __exit__(self, *error: object) -> None:
        self._rows = self._order = None
        # Whoever is asked to end shall not wait for a slow disk.
        self._thread.shutdown(wait=False, cancel_futures=True)

    def call(self, carry: Carry, step: int, wish: int) -> Called:
        """Some steps of the loop, within one block."""
        problem, supply = self._problem, self._problem.supply
        epoch, inside = divmod(step, problem.plan.steps)
        number, first = divmod(inside, supply.steps)
        self._take(epoch, number)
        if problem.tell is not None and not self._measured:
            problem.tell(problem.measure(carry))
        self._measured = True
        left = problem.plan.steps - number * supply.steps
        # Where devices meet does not depend on how the work is cut into calls, as each call's end does.
        every = problem.shape.sync_every
        wish = -(-(first + wish) // every) * every - first
        end = min(first + wish, supply.steps, left, first + problem.steps - step)
        carry, rows, _, layers = problem.advance_all(
            problem.objective,
            problem.rules,
            self._rows,
            carry,
            self._order,
            np.int32(first),
            np.int32(end),
        )
        closings: Any = np.zeros((0, len(EPOCH_FIELDS)))
        closes = end == left or end - first == problem.steps - step
        if closes and int(carry["stop"]) == stopping.RUNNING:
            carry, closing = problem.close(carry)
            closings = np.asarray(closing)[None]
        return carry, rows, closings, layers

    def _take(self, epoch: int, number: int) -> None:
        """Make a block the present one, and begin with the one after it."""
        problem, supply, crew = self._problem, self._problem.supply, self._problem.crew
        if self._place == (epoch, number):
            return
        if self._rows is not None and supply.blocks == 1:
            self._order = self._spread_order(supply.order(epoch, number))
            self._place = (epoch, number)
            return
        began = time.perf_counter()
        if self._coming is not None and self._coming[0] == (epoch, number):
            block = self._waited(self._coming[1])
        else:
            block = supply.block(epoch, number)
        problem.waited += time.perf_counter() - began
        self._rows = self._order = None
        self._rows = crew.spread(block.rows)
        self._order = self._spread_order(block.order)
        self._place = (epoch, number)
        if crew.size > 1:
            problem.probe(block.rows, block.order)
        following = (epoch, number + 1) if number + 1 < supply.blocks else (epoch + 1, 0)
        last = following[0] * problem.plan.steps + following[1] * supply.steps >= problem.steps
        if supply.blocks > 1 and not last:
            self._coming = following, self._thread.submit(supply.block, *following)

    def _waited(self, coming: Future[Block]) -> Block:
        """The block, once it is there; whoever watches over this process hears that reading goes on."""
        read = -1
        while True:
            try:
                return coming.result(timeout=5)
            except TimeoutError:
                # Unless it is the reading itself that gave up.
                if coming.done():
                    raise
                if self._problem.supply.read != read:
                    self._problem.crew.beat()
                read = self._problem.supply.read

    def _spread_order(self, order: np.ndarray | None) -> Any:
        return None if order is None else self._problem.crew.spread(order[None], axis=1)


def shape_for(plan: BatchPlan, crew: Crew, supply: Supply, *, sync_every: int = 1) -> Shape:
    """What the loop is compiled for: one device's share of every batch, the steps of one block."""
    size = supply.rows if plan.full else -(-plan.size // crew.devices)
    return Shape(
        size=size,
        steps=supply.steps,
        last=size,
        full=plan.full,
        capacity=1,
        padded=True,
        axis=AXIS,
        sync_every=sync_every,
    )


@functools.lru_cache(maxsize=8)
def _over_mesh(mesh: Any, shape: Shape) -> Any:
    """`loop.go_on` on every device of a mesh, each with its own rows and order."""
    everywhere, here = PartitionSpec(), PartitionSpec(AXIS)

    def advance(
        objective: Any, rules: Any, rows: Any, carry: Any, order: Any, first: Any, end: Any
    ) -> Any:
        one = jnp.ones((), jnp.int32)
        return loop.go_on(
            objective, rules, rows, None, carry, order, first, end, one, one < 1, shape=shape
        )

    orders = everywhere if shape.full else PartitionSpec(None, AXIS)
    mapped = jax.shard_map(
        advance,
        mesh=mesh,
        in_specs=(everywhere, everywhere, here, everywhere, orders, everywhere, everywhere),
        out_specs=everywhere,
        check_vma=False,
    )
    return jax.jit(mapped, donate_argnums=(3,))


@functools.lru_cache(maxsize=8)
def _exchange(mesh: Any) -> Any:
    """Adding up a vector over all devices, as a step does with its gradients."""
    everywhere = PartitionSpec()
    added = jax.shard_map(
        lambda v: jax.lax.psum(v, AXIS),
        mesh=mesh,
        in_specs=everywhere,
        out_specs=everywhere,
        check_vma=False,
    )
    return jax.jit(added)


@jax.jit
def _evaluated(objective: Any, params: Any, state: Any, rows: Batch) -> Any:
    """Sums over a part of the held-out rows: of losses, of scores, of weights."""
    value, score = objective.evaluate(params, state, rows)
    total = jnp.sum(rows.weights)
    return value * total, score * total, total


@functools.partial(jax.jit, static_argnums=(4,), donate_argnums=(2,))
def _close(objective: Any, rules: Any, carry: Any, validated: Any, watched: bool) -> Any:
    return loop.close_epoch(objective, rules, None, carry, watched=watched, validated=validated)
