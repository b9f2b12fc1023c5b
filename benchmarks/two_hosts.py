"""What only shows between hosts: the link's speed, a training over it, a host that is lost.

python -m benchmarks.two_hosts [links|jax|ray ...] [--quick] [--out FOLDER]

- ``links``: seconds of an all-reduce by its bytes, over cables of several speeds;
- ``jax``: ``fallline fit --coordinator`` on both hosts, compared bit for bit with two processes on one;
- ``ray``: Ray's head on one host and a worker on the other, which is lost in the middle, twice: it comes back,
  or the run goes on with what is left; compared bit for bit with an undisturbed run.

The hosts are network namespaces of this machine (`benchmarks.hosts`), and share its processor: times of
computing say nothing about two machines. Root is needed; without it nothing is measured, which is said.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.facts import facts
from benchmarks.hosts import Host, lacking, limit, two_hosts

LINKS: dict[str, tuple[float | None, float]] = {
    "a cable in memory": (None, 0),
    "1 Gbit/s": (1000, 0),
    "1 Gbit/s, 1 ms": (1000, 1),
    "100 Mbit/s": (100, 0),
    "100 Mbit/s, 1 ms": (100, 1),
}
"""Megabits a second, and milliseconds there and back."""

SIZES = (8, 100_000, 1_000_000, 10_000_000)
"""Bytes that are summed over the hosts."""

PORT = 7077


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modes", nargs="*", default=["links", "jax", "ray"])
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--out", type=Path, help="write two_hosts.json into this folder")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        _reduce(int(asked.worker[0]), asked.worker[1], float(asked.worker[2]))
        return
    reason = lacking()
    if reason:
        print(f"Skipped: {reason}.")
        return
    found: dict[str, Any] = {"facts": facts()}
    if "links" in asked.modes:
        found["links"] = links(quick=asked.quick)
        _show(found["links"])
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        (asked.out / "two_hosts.json").write_text(json.dumps(found, indent=2) + "\n")


def links(*, quick: bool) -> list[dict[str, Any]]:
    """Seconds of an all-reduce by link and bytes; the median of some repetitions."""
    rows: list[dict[str, Any]] = []
    for name, (megabits, delay) in LINKS.items():
        with two_hosts(delay / 2) as hosts:
            limit(hosts, megabits)
            ping = _ping(hosts)
            rows.append({"link": name, "ping_ms": ping, "seconds": _reduced(hosts, 1 if quick else 4)})
    return rows


def _reduced(hosts: tuple[Host, Host], seconds: float) -> dict[str, float]:
    """What the two workers measured in about so many seconds a size."""
    words = [sys.executable, "-m", "benchmarks.two_hosts", "--worker"]
    address = f"{hosts[0].address}:{PORT}"
    place = Path(__file__).parents[1]
    workers = [
        host.start(
            [*words, str(i), address, str(seconds)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=place,
        )
        for i, host in enumerate(hosts)
    ]
    told = [worker.communicate(timeout=300) for worker in workers]
    if any(worker.returncode for worker in workers):
        raise SystemExit("\n".join(errors for _, errors in told))
    return json.loads(told[0][0].splitlines()[-1])


def _ping(hosts: tuple[Host, Host]) -> float | None:
    """Milliseconds there and back, the median of ten."""
    script = (
        "import socket, statistics, time\n"
        f"c = socket.create_connection(('{hosts[1].address}', {PORT + 1}))\n"
        "c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\n"
        "t = []\n"
        "for _ in range(11):\n"
        "    b = time.perf_counter(); c.sendall(b'x'); c.recv(1); t.append(time.perf_counter() - b)\n"
        "print(1e3 * statistics.median(t))"
    )
    echo = (
        "import socket\n"
        f"s = socket.create_server(('{hosts[1].address}', {PORT + 1}))\n"
        "print('ready', flush=True)\n"
        "c, _ = s.accept()\n"
        "c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\n"
        "while b := c.recv(1): c.sendall(b)"
    )
    other = hosts[1].start([sys.executable, "-c", echo], stdout=subprocess.PIPE)
    assert other.stdout is not None
    other.stdout.readline()
    one = hosts[0].start([sys.executable, "-c", script], stdout=subprocess.PIPE)
    shown, _ = one.communicate(timeout=60)
    other.communicate(timeout=60)
    return float(shown)


def _reduce(process: int, address: str, seconds: float) -> None:
    """One of two workers that sum vectors over both, and tells the median seconds by bytes."""
    import statistics

    import numpy as np

    from fallline.scale.join import join, leave
    from fallline.scale.launch import Place

    bind = address.partition(":")[0] if process == 0 else None
    crew = join(Place(address, 2, process), bind=bind)
    import jax
    from jax.sharding import PartitionSpec as P

    def body(x: Any) -> Any:
        return jax.lax.psum(x, "data")

    together = jax.jit(
        jax.shard_map(body, mesh=crew.mesh, in_specs=P("data"), out_specs=P("data"))
    )
    found: dict[str, float] = {}
    for size in SIZES:
        mine = crew.spread(np.ones((1, size // 4), np.float32))
        together(mine).block_until_ready()
        began, times = time.perf_counter(), []
        for _ in range(3):
            times.append(_timed(together, mine))
        # Both must do as many.
        count = int(crew.meet([seconds / statistics.median(times)])[0, 0])
        for _ in range(min(max(count, 5), 500)):
            times.append(_timed(together, mine))
        del began
        found[str(size)] = statistics.median(times)
    leave()
    print(json.dumps(found))


def _timed(function: Any, argument: Any) -> float:
    began = time.perf_counter()
    function(argument).block_until_ready()
    return time.perf_counter() - began


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table("link", "there and back", *(f"{size:,} B" for size in SIZES))
    for row in rows:
        times = [f"{1e3 * row['seconds'][str(size)]:.3g} ms" for size in SIZES]
        table.add_row(row["link"], f"{row['ping_ms']:.2g} ms", *times)
    Console().print(table)


if __name__ == "__main__":
    main()
