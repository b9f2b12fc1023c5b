"""What only shows between hosts: the link's speed, a training over it, a host that is lost.

python -m benchmarks.two_hosts [links|jax|ray ...] [--quick] [--out FOLDER]

- ``links``: seconds of an all-reduce by its bytes, over cables of several speeds;
- ``jax``: ``fallline fit --coordinator`` on both hosts, compared bit for bit with two processes on one;
- ``ray``: Ray's head on one host and a worker on the other, which is lost in the middle, twice: it comes
  back, or the run goes on with what is left; compared bit for bit with an undisturbed run.

The hosts are network namespaces of this machine (`benchmarks.hosts`), and share its processor: times of
computing say nothing about two machines. Root is needed; without it nothing is measured, which is said.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from benchmarks.facts import facts
from benchmarks.hosts import Host, lacking, limit, two_hosts

if TYPE_CHECKING:
    from collections.abc import Callable

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
    with tempfile.TemporaryDirectory(prefix="two-") as scratch:
        bench = Bench(Path(scratch), quick=asked.quick)
        if "jax" in asked.modes:
            found["jax"] = bench.jax()
            print(*found["jax"], sep="\n")
        if "ray" in asked.modes:
            found["ray"] = bench.ray()
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        (asked.out / "two_hosts.json").write_text(json.dumps(found, indent=2) + "\n")


class Bench:
    """Trainings over the two hosts, each compared with one that nothing happened to.

    Attributes:
        folder: where the table and the runs lie, which both hosts see.
    """

    def __init__(self, folder: Path, *, quick: bool) -> None:
        """Write the table."""
        import numpy as np
        import polars as pl

        self.folder = folder
        self.epochs = 12 if quick else 150
        random = np.random.default_rng(0)
        x = random.normal(size=(40_000, 8)).astype(np.float32)
        y = np.sin(3 * x[:, 0]) + x @ random.normal(size=8) + random.normal(0, 0.1, len(x))
        columns = {f"x{i}": x[:, i] for i in range(8)}
        frame = pl.DataFrame({**columns, "y": y})
        frame.write_parquet(folder / "made.parquet", row_group_size=2_500)

    def jax(self) -> list[dict[str, Any]]:
        """One process with two devices, two on one host, one on each host, over cables of two speeds."""
        rows = [self._alone()]
        with two_hosts() as hosts:
            cases = {
                "two processes on a host": ((hosts[0], hosts[0]), None),
                "a process on each host": (hosts, None),
                "a process on each host, 100 Mbit/s": (hosts, 100.0),
            }
            for i, (name, (places, megabits)) in enumerate(cases.items()):
                limit(hosts, megabits)
                began = time.perf_counter()
                workers = [
                    place.start([sys.executable, "-c", self._joined(f"jax-{i}", hosts[0], rank)])
                    for rank, place in enumerate(places)
                ]
                if any(worker.wait(timeout=600) for worker in workers):
                    raise SystemExit(f"{name}: a worker failed.")
                rows.append(self._row(name, f"jax-{i}", time.perf_counter() - began))
        return rows

    def _alone(self) -> dict[str, Any]:
        """What the others are compared with."""
        script = self._fit("alone", "fallline.fit({0}, devices=2, stream=True, {1})")
        began = time.perf_counter()
        if not (self.folder / "alone").exists():
            devices = {**os.environ, "JAX_NUM_CPU_DEVICES": "2"}
            subprocess.run([sys.executable, "-c", script], env=devices, check=True)
        return self._row("one process, two devices", "alone", time.perf_counter() - began)

    def _joined(self, out: str, first: Host, rank: int) -> str:
        where = f"coordinator='{first.address}:{PORT}', num_processes=2, process_id={rank}"
        return self._fit(out, f"fallline.scale.fit({{0}}, {where}, {{1}})")

    def _fit(self, out: str, call: str) -> str:
        """A script that trains into a folder."""
        data = f"{str(self.folder / 'made.parquet')!r}, 'y', out={str(self.folder / out)!r}"
        asked = {
            "model": "mlp",
            "hidden": (32,),
            "epochs": self.epochs,
            "learning_rate": 0.01,
            "batch_size": 256,
            "checkpoint_every": 0.5,
        }
        options = ", ".join(f"{name}={value!r}" for name, value in asked.items())
        options += ", patience=float('inf')"
        return f"import fallline, fallline.scale, fallline.scale.ray\n{call.format(data, options)}"

    def ray(self) -> list[dict[str, Any]]:
        """A host lost that comes back; one that does not; a worker's process killed; and undisturbed."""
        rows = [self._alone()]
        for name, workers, harm in (
            ("a host lost, back after 5 s", "2", _lose_and_return),
            ("a host lost for good", "(1, 2)", _lose),
            ("worker 0 killed", "2", _kill_worker),
            ("undisturbed", "2", None),
        ):
            rows.append(self._under_ray(name, workers, harm))
            print("ray", rows[-1], flush=True)
        return rows

    def _under_ray(
        self, name: str, workers: str, harm: Callable[[Cluster], None] | None
    ) -> dict[str, Any]:
        """A training on a cluster of both hosts, to which something happens after its first checkpoint."""
        out = name.replace(" ", "-").replace(",", "")
        script = self._fit(
            out, f"fallline.scale.ray.fit({{0}}, workers={workers}, address='auto', {{1}})"
        )
        with two_hosts() as hosts, Cluster(hosts, self.folder) as cluster:
            began = time.monotonic()
            driver = hosts[0].start([sys.executable, "-c", script], env=cluster.environment)
            kept = self.folder / out / "checkpoints"
            _wait_for(lambda: any(kept.glob("*/checkpoint.json")), 600, driver)
            found: dict[str, Any] = {"until the first checkpoint": time.monotonic() - began}
            if harm is not None:
                harmed = time.time()
                harm(cluster)
                _wait_for(lambda: _newest(kept) > harmed + 0.5, 600, driver)
                found["until the next checkpoint"] = time.time() - harmed
            if driver.wait(timeout=900):
                raise SystemExit(f"{name}: the training failed.")
            found["seconds"] = time.monotonic() - began
        return {**self._row(name, out, found.pop("seconds")), **found}

    def _row(self, name: str, out: str, seconds: float) -> dict[str, Any]:
        """A run beside the first one: equal bits, or the largest difference of a loss."""
        import numpy as np

        from fallline.jobs.result import load

        run = load(self.folder / out).run
        self._first = getattr(self, "_first", run)
        one, other = run.history.loss, self._first.history.loss
        same = one.shape == other.shape and np.array_equal(one, other)
        apart = float(np.max(np.abs(one / other - 1))) if one.shape == other.shape else None
        return {"run": name, "seconds": seconds, "steps": run.steps, "same": same, "apart": apart}


class Cluster:
    """A Ray cluster of both hosts, with a core each."""

    def __init__(self, hosts: tuple[Host, Host], folder: Path) -> None:
        """Name the hosts: the first one is the head."""
        # A name of its own, and short: Ray's sockets lie below it, and their paths have 107 bytes at most.
        self.hosts, self.folder = hosts, Path(tempfile.mkdtemp(prefix="c", dir=folder))
        self.environment = {
            **os.environ,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_DISABLE_IMPORT_WARNING": "1",
            # Only those who know it may join: `ray start` asks for it where this is set on every host.
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            # This head, and not that of the newest cluster of this disk.
            "RAY_ADDRESS": f"{hosts[0].address}:6379",
        }

    def start(self, number: int) -> None:
        """Start Ray on a host."""
        host = self.hosts[number]
        first = ["--head", "--port=6379", "--include-dashboard=false", f"--temp-dir={self.folder}"]
        other = [f"--address={self.hosts[0].address}:6379"]
        ray = str(Path(sys.executable).with_name("ray"))
        common = ["--num-cpus=1", f"--object-store-memory={100 * 2**20}", "--disable-usage-stats"]
        words = [ray, "start", *(other if number else first), *common]
        words.append(f"--node-ip-address={host.address}")
        with (self.folder.parent / f"{host.name}.log").open("w+") as log:
            started = host.start(words, stdout=log, stderr=log, env=self.environment)
            if started.wait(timeout=120):
                log.seek(0)
                raise SystemExit(f"Ray does not start on {host.name}:\n{log.read()}")

    def __enter__(self) -> Cluster:
        self.start(0)
        self.start(1)
        return self

    def __exit__(self, *error: object) -> None:
        for host in self.hosts:
            host.kill()


def _kill_worker(cluster: Cluster) -> None:
    """Kill the training process of the first host."""
    for number in cluster.hosts[0].processes():
        if b"RayTrainWorker" in Path(f"/proc/{number}/cmdline").read_bytes():
            os.kill(number, signal.SIGKILL)


def _lose(cluster: Cluster) -> None:
    cluster.hosts[1].kill()


def _lose_and_return(cluster: Cluster) -> None:
    cluster.hosts[1].kill()
    time.sleep(5)
    cluster.start(1)


def _newest(folder: Path) -> float:
    return max((file.stat().st_mtime for file in folder.glob("*/checkpoint.json")), default=0.0)


def _wait_for(condition: Callable[[], bool], seconds: float, driver: subprocess.Popen[str]) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if driver.poll() is not None or time.monotonic() > end:
            raise SystemExit(
                "The training ended, or went on too long, before anything could happen to it."
            )
        time.sleep(0.1)


def links(*, quick: bool) -> list[dict[str, Any]]:
    """Seconds of an all-reduce by link and bytes; the median of some repetitions."""
    rows: list[dict[str, Any]] = []
    for name, (megabits, delay) in LINKS.items():
        with two_hosts(delay / 2) as hosts:
            limit(hosts, megabits)
            ping = _ping(hosts)
            rows.append(
                {"link": name, "ping_ms": ping, "seconds": _reduced(hosts, 1 if quick else 4)}
            )
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

    together = jax.jit(jax.shard_map(body, mesh=crew.mesh, in_specs=P("data"), out_specs=P("data")))
    found: dict[str, float] = {}
    for size in SIZES:
        mine = crew.spread(np.ones((1, size // 4), np.float32))
        together(mine).block_until_ready()
        times = [_timed(together, mine) for _ in range(3)]
        # Both must do as many.
        count = int(crew.meet([seconds / statistics.median(times)])[0, 0])
        times += [_timed(together, mine) for _ in range(min(max(count, 5), 500))]
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
