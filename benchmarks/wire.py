"""A cable that is slow to arrive, for kernels without ``netem``: a process that carries packets late.

python -m benchmarks.wire NAMESPACE NAMESPACE MILLISECONDS

It makes an interface ``wire`` in each of two network namespaces, and hands every packet on so many
milliseconds after it came. "ready" is printed when both are there.
"""

from __future__ import annotations

import collections
import ctypes
import fcntl
import os
import select
import struct
import sys
import time

_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_LARGEST = 65536


def end_in(namespace: str) -> int:
    """One end of the cable, as a file from which packets are read."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}") as place:  # noqa: PTH123
        if libc.setns(place.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"the namespace {namespace} cannot be entered")
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH", b"wire", _IFF_TUN | _IFF_NO_PI))
    return end


def carry(ends: list[int], delay: float) -> None:
    """Carry packets for ever, each so many seconds late; their order stays."""
    waiting: collections.deque[tuple[float, int, bytes]] = collections.deque()
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, end, packet = waiting.popleft()
            try:
                os.write(end, packet)
            except OSError:
                # The other host is not up: its packets are lost, as on any cable.
                continue
        pause = max(waiting[0][0] - time.monotonic(), 0.0) if waiting else None
        readable, _, _ = select.select(ends, [], [], pause)
        for end in readable:
            for _ in range(64):
                try:
                    packet = os.read(end, _LARGEST)
                except BlockingIOError:
                    break
                waiting.append((time.monotonic() + delay, other[end], packet))


if __name__ == "__main__":
    made = [end_in(name) for name in sys.argv[1:3]]
    print("ready", flush=True)
    carry(made, float(sys.argv[3]) / 1e3)
