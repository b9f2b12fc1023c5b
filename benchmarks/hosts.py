"""Two hosts on one machine: network namespaces joined by a cable of a chosen speed.

Each has its own addresses, ports, loopback, name and file of hosts. They share the disk, the memory and the
processor. Root is needed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDRESSES = ("10.77.0.1", "10.77.0.2")


@dataclass
class Host:
    """One of the two.

    Attributes:
        name: of the namespace, and of the host.
        address: where the other one reaches it.
        started: the processes started there by `start`.
    """

    name: str
    address: str
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def command(self, words: list[str]) -> list[str]:
        """The command that runs a command there."""
        # A name of its own, which its file of hosts knows.
        own = ["unshare", "--uts", "sh", "-c", f'hostname {self.name}; exec "$@"', "sh"]
        return ["ip", "netns", "exec", self.name, *own, *words]

    def start(self, words: list[str], **more: Any) -> subprocess.Popen[str]:
        """Start a process there."""
        process = subprocess.Popen(self.command(words), text=True, **more)
        self.started.append(process)
        return process

    def processes(self) -> list[int]:
        """The numbers of all processes there."""
        return [
            int(number) for number in _run(["ip", "netns", "pids", self.name], check=False).split()
        ]

    def kill(self) -> None:
        """Kill all that runs there, as if the power went."""
        for _ in range(5):
            numbers = self.processes()
            if not numbers:
                break
            for number in numbers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
        for process in self.started:
            process.wait()
        self.started.clear()


def lacking() -> str:
    """Why there can be no two hosts here, or nothing."""
    if os.name != "posix" or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "network namespaces need root"
    missing = [name for name in ("ip", "tc", "unshare") if shutil.which(name) is None]
    if missing:
        return f"the program {missing[0]} is not installed"
    name = f"fallline-{os.getpid()}-try"
    try:
        _run(["ip", "netns", "add", name])
    except subprocess.CalledProcessError as error:
        return f"the kernel makes no network namespaces ({error.stderr.strip()})"
    finally:
        _run(["ip", "netns", "del", name], check=False)
    return ""


@contextlib.contextmanager
def two_hosts(delay: float = 0, *, debian: bool = False) -> Iterator[tuple[Host, Host]]:
    """Two hosts; gone at the end, whatever happens, with all that ran there.

    Args:
        delay: milliseconds that a packet takes to the other one; above 0 a process carries it
            (`benchmarks.wire`), because many kernels have no ``netem``.
        debian: let each host's name stand for 127.0.1.1 there, as Debian's installer writes it.
    """
    hosts = tuple(
        Host(f"fallline-{os.getpid()}-{i}", address) for i, address in enumerate(ADDRESSES)
    )
    # Names of interfaces have 15 characters at most.
    ends = [f"fl{os.getpid() % 10**7}e{i}" for i in range(2)]
    carrier: subprocess.Popen[str] | None = None
    try:
        for host in hosts:
            files = Path("/etc/netns") / host.name
            files.mkdir(parents=True)
            own = "127.0.1.1" if debian else host.address
            (files / "hosts").write_text(f"127.0.0.1 localhost\n{own} {host.name}\n")
            _run(["ip", "netns", "add", host.name])
            _run(["ip", "-n", host.name, "link", "set", "lo", "up"])
        if delay:
            carrier = _carrier(hosts, delay)
        else:
            _run(["ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1]])
        for host, end in zip(hosts, ends, strict=True):
            if not delay:
                _run(["ip", "link", "set", end, "netns", host.name])
                _run(["ip", "-n", host.name, "link", "set", end, "name", "wire"])
            if delay:
                # Fewer packets, since each costs the carrier some work.
                _run(["ip", "-n", host.name, "link", "set", "wire", "mtu", "9000"])
            _run(["ip", "-n", host.name, "addr", "add", f"{host.address}/24", "dev", "wire"])
            _run(["ip", "-n", host.name, "link", "set", "wire", "up"])
        yield hosts  # pyright: ignore
    finally:
        if carrier is not None:
            carrier.kill()
            carrier.wait()
        for host in hosts:
            host.kill()
            # The cable goes with its end.
            _run(["ip", "netns", "del", host.name], check=False)
            shutil.rmtree(Path("/etc/netns") / host.name, ignore_errors=True)
        _run(["ip", "link", "del", ends[0]], check=False)


def _carrier(hosts: tuple[Host, ...], delay: float) -> subprocess.Popen[str]:
    """The process that carries packets late, once both ends are there."""
    words = [sys.executable, "-m", "benchmarks.wire", *(host.name for host in hosts), str(delay)]
    carrier = subprocess.Popen(
        words, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True
    )
    assert carrier.stdout is not None
    if carrier.stdout.readline().strip() != "ready":
        raise SystemExit("The cable between the hosts could not be laid.")
    return carrier


def limit(hosts: tuple[Host, Host], megabits: float | None) -> None:
    """Let the cable carry so many megabits a second in each direction; None for as many as it can."""
    for host in hosts:
        tc = ["tc", "-n", host.name, "qdisc"]
        _run([*tc, "del", "dev", "wire", "root"], check=False)
        if megabits is not None:
            bucket = ["tbf", "rate", f"{megabits:g}mbit", "burst", "128kb", "latency", "50ms"]
            _run([*tc, "add", "dev", "wire", "root", *bucket])


def _run(words: list[str], *, check: bool = True) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=check)
    return done.stdout
