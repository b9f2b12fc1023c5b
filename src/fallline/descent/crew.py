"""The crew: all processes that train one model together, and all devices that they have.

A single process is a crew of one, on a mesh of one device or more. Between two calls of the compiled loop
the processes meet: each tells some numbers, and all see the same table of them, so that all decide alike.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from jaxtyping import Float, PyTree

AXIS = "data"
"""The mesh's only axis: the devices, each with its share of every batch."""


@dataclasses.dataclass(frozen=True)
class Crew:
    """The processes and devices of a run.

    Attributes:
        rank: which process this is, from 0; process 0 writes the run and speaks for all.
        size: how many there are.
        local: how many devices each process has.
        beat: called whenever the process has come a step further, for whoever watches over it; with True
            where other work begins, of which the pace so far says nothing.
        waiting: is around every meeting, where the process waits for the others.
    """

    rank: int = 0
    size: int = 1
    local: int = 1
    beat: Callable[..., None] = lambda anew=False: None
    waiting: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext

    @property
    def devices(self) -> int:
        """Devices of all processes."""
        return self.size * self.local

    @property
    def leads(self) -> bool:
        """Is this the process that writes and speaks?"""
        return self.rank == 0

    @functools.cached_property
    def mesh(self) -> Mesh:
        """All devices in the order of their processes."""
        found = sorted(jax.devices(), key=lambda d: (d.process_index, d.id))
        chosen = [
            device
            for process in range(self.size)
            for device in [d for d in found if d.process_index == process][: self.local]
        ]
        return Mesh(np.array(chosen), (AXIS,))

    def replicate(self, tree: PyTree) -> PyTree:
        """The same numbers on every device; every process gives them alike."""
        place = NamedSharding(self.mesh, PartitionSpec())
        return jax.tree.map(lambda leaf: self._placed(place, np.asarray(leaf)), tree)

    def spread(self, mine: PyTree, axis: int = 0) -> PyTree:
        """Rows over the devices: each process gives those of its own, one device after the other."""
        spec = PartitionSpec(*[None] * axis, AXIS)
        place = NamedSharding(self.mesh, spec)
        return jax.tree.map(lambda leaf: self._placed(place, leaf), mine)

    def _placed(self, place: NamedSharding, array: np.ndarray) -> Any:
        if self.size == 1:
            return jax.device_put(array, place)
        return jax.make_array_from_process_local_data(place, array)

    def local_part(self, tree: PyTree) -> PyTree:
        """Replicated numbers as arrays of this process alone."""
        if self.size == 1 and self.local == 1:
            return tree
        return jax.tree.map(lambda leaf: jax.device_put(np.asarray(leaf)), tree)

    def meet(self, numbers: Sequence[float] | np.ndarray) -> Float[np.ndarray, "size n"]:
        """Tell some numbers and see everybody's; all processes must come with as many."""
        told = np.asarray(numbers, np.float64)
        if self.size == 1:
            return told[None]
        gathered = self._gathered(np.frombuffer(told.tobytes(), np.uint8))
        return np.frombuffer(gathered.tobytes(), np.float64).reshape(self.size, -1)

    def exchange(self, content: bytes) -> list[bytes]:
        """Tell some bytes and get everybody's, by rank."""
        if self.size == 1:
            return [content]
        lengths = self.meet([len(content)])[:, 0].astype(int)
        padded = np.zeros(-(-max(int(lengths.max()), 1) // 4) * 4, np.uint8)
        padded[: len(content)] = np.frombuffer(content, np.uint8)
        rows = self._gathered(padded)
        return [row[:length].tobytes() for row, length in zip(rows, lengths, strict=True)]

    def broadcast(self, content: bytes | None) -> bytes:
        """What process 0 has; the others give None."""
        return self.exchange(content or b"")[0]

    def _gathered(self, row: np.ndarray) -> np.ndarray:
        # Not by process_allgather, for which all processes must have as many devices.
        meeting = Mesh(self.mesh.devices[:: self.local], (AXIS,))
        place = NamedSharding(meeting, PartitionSpec(AXIS))
        # As whole numbers, whose bits nothing on the way changes.
        told = jax.make_array_from_process_local_data(place, row.view(np.int32)[None])
        with self.waiting():
            found = np.asarray(_everywhere(meeting)(told))
        return np.ascontiguousarray(found.reshape(self.size, -1)).view(np.uint8)


@functools.lru_cache(maxsize=8)
def _everywhere(mesh: Mesh) -> Callable[[Any], Any]:
    """Gives all of a spread array to everybody."""
    place = NamedSharding(mesh, PartitionSpec())
    return jax.jit(lambda array: array, out_shardings=place)


def local_crew(devices: int | None = None) -> Crew:
    """This process alone, on some of its devices; on all of them if None.

    Raises:
        FalllineError: if there are fewer.
    """
    here = len(jax.local_devices())
    if devices is not None and devices > here:
        hint = ""
        if jax.default_backend() == "cpu":
            hint = " A processor counts as one; JAX_NUM_CPU_DEVICES=2 in the environment makes two of it."
        raise FalllineError(
            f"There are {here} devices here, not {devices}: ask for fewer with --devices.{hint}"
        )
    return Crew(local=devices or here)
