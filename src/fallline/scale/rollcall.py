"""The roll call: before JAX's runtime starts, each worker reports to process 0, in one line of JSON.

JAX's own start ends in a crash of the process if the port is taken, if a worker never comes, or if nobody
listens: there is nothing to catch. The roll call takes place on the same port just before, in plain sockets,
so whatever is wrong becomes a sentence that all workers get. Nothing but JSON is read, and no more than
`LINE` bytes of it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import platform
import socket
import time
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any, cast

from fallline.errors import FalllineError
from fallline.scale.launch import parse_address
from fallline.scale.lost import LostError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from fallline.scale.launch import Place

LINE = 1 << 20
_ALIKE = ("fallline", "jax", "jaxlib", "numpy", "polars")
_PATIENCE = 5.0
"""Seconds for a line that has been begun."""


@dataclass(frozen=True)
class Card:
    """What a worker says of itself."""

    process: int
    processes: int
    machine: str
    means: str
    versions: dict[str, str] = field(default_factory=dict[str, str])
    asked: dict[str, str] = field(default_factory=dict[str, str])


def card(place: Place, asked: Mapping[str, Any]) -> Card:
    """This process's."""
    machine = socket.gethostname()
    try:
        means = socket.gethostbyname(machine)
    except OSError:
        means = ""
    versions = {"Python": platform.python_version(), **{n: metadata.version(n) for n in _ALIKE}}
    told = {name: json.dumps(value, sort_keys=True) for name, value in asked.items()}
    return Card(place.process, place.processes, machine, means, versions, told)


def call(place: Place, mine: Card, *, bind: str | None, timeout: float) -> None:
    """Wait until all workers are there.

    Args:
        place: this worker's.
        mine: what it says of itself.
        bind: the address that process 0 listens on; None for the coordinator's own.
        timeout: seconds to wait.

    Raises:
        FalllineError: if the workers do not fit together, or the address cannot be used.
        LostError: if one has not come in time.
    """
    host, port = parse_address(place.coordinator)
    if place.process:
        _report(host, port, mine, timeout)
    else:
        _gather(bind or host, port, mine, timeout)


def _gather(host: str, port: int, mine: Card, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    there: dict[int, tuple[socket.socket, Card]] = {}
    with _listening(host, port) as listener, contextlib.ExitStack() as open_ones:
        while len(there) < mine.processes - 1:
            for process in [p for p, (line, _) in there.items() if _gone(line)]:
                # It ended while it waited, and may come again.
                del there[process]
            left = deadline - time.monotonic()
            if left <= 0:
                _end(there, _absent(mine, there, timeout), lost=True)
            listener.settimeout(min(left, 1.0))
            try:
                line, (peer, *_) = listener.accept()
            except TimeoutError:
                continue
            open_ones.enter_context(line)
            found = _read(line)
            if found is None:
                continue
            theirs = _card_of(found)
            if theirs is None:
                continue
            apart = peer != line.getsockname()[0] and not peer.startswith("127.")
            wrong = _misfit(mine, theirs, apart=apart)
            wrong = wrong and _plain(wrong)
            if wrong is None and theirs.process in there:
                _say(line, {"wrong": _twice(theirs.process), "lost": False})
            elif wrong is not None:
                there[theirs.process] = (line, theirs)
                _end(there, wrong, lost=False)
            else:
                there[theirs.process] = (line, theirs)
        for line, _ in there.values():
            _say(line, {"go": True})
        for line, _ in there.values():
            # Those who hear it hang up first, so that the port is free at once.
            line.settimeout(1.0)
            with contextlib.suppress(OSError):
                line.recv(1)


def _card_of(found: dict[str, Any]) -> Card | None:
    """What a worker says of itself; None where it was something else that called."""
    try:
        theirs = Card(**found)
    except TypeError:
        return None
    expected = {"process": int, "processes": int, "machine": str, "means": str}
    expected |= {"versions": dict, "asked": dict}
    fits = all(type(getattr(theirs, name)) is kind for name, kind in expected.items())
    return theirs if fits else None


def _plain(sentence: str) -> str:
    """A sentence with words from elsewhere, without what would steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in sentence[:1000])


def _end(there: Mapping[int, tuple[socket.socket, Card]], wrong: str, *, lost: bool) -> None:
    for line, _ in there.values():
        _say(line, {"wrong": wrong, "lost": lost})
    raise (LostError if lost else FalllineError)(wrong)


def _report(host: str, port: int, mine: Card, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    address, why = f"{host}:{port}", ""
    while (left := deadline - time.monotonic()) > 0:
        try:
            with socket.create_connection((host, port), timeout=min(left, _PATIENCE)) as line:
                _say(line, asdict(mine))
                line.settimeout(max(deadline - time.monotonic(), 0.1) + _PATIENCE)
                answer = _read(line)
        except socket.gaierror:
            why = f"the name {host} is not known here"
        except TimeoutError:
            why = f"{address} does not answer; a firewall may be between"
        except OSError as error:
            refused = error.errno == errno.ECONNREFUSED
            why = f"nothing listens at {address}" if refused else str(error.strerror or error)
        else:
            if answer and answer.get("go"):
                return
            if answer and "wrong" in answer:
                kind = LostError if answer.get("lost") else FalllineError
                raise kind(_plain(str(answer["wrong"])))
            # Of the training before, perhaps, which is just ending.
            why = f"what listens at {address} is no training that waits for workers"
        time.sleep(min(0.2, max(deadline - time.monotonic(), 0)))
    raise LostError(
        f"Worker {mine.process} has not reached worker 0 within {timeout:g} s: {why}. Check --coordinator, "
        "and that worker 0 has been started."
    )


@contextlib.contextmanager
def _listening(host: str, port: int) -> Generator[socket.socket, None, None]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        # After a run that has just ended its connections linger, which does no harm.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(128)
        except (socket.gaierror, UnicodeError):
            raise FalllineError(
                f"The name {host} is not known here, on the machine of worker 0."
            ) from None
        except OSError as error:
            raise _cannot_listen(host, port, error) from None
        yield listener


def _cannot_listen(host: str, port: int, error: OSError) -> FalllineError:
    if error.errno == errno.EADDRINUSE:
        # By the run before, it may be, which a restart overtakes.
        return LostError(
            f"Port {port} of {host} is taken by another program: choose another in --coordinator."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return FalllineError(
            f"Worker 0 runs on {socket.gethostname()}, which does not have the address {host}: the "
            "coordinator is the machine of worker 0."
        )
    if error.errno == errno.EACCES:
        return FalllineError(f"Port {port} may not be listened on: choose one from 1024 up.")
    return FalllineError(f"Worker 0 cannot listen on {host}:{port}: {error.strerror or error}.")


def _misfit(mine: Card, theirs: Card, *, apart: bool) -> str | None:
    """Why a worker cannot take part, if it cannot."""
    who = f"Worker {theirs.process} ({theirs.machine})"
    if theirs.processes != mine.processes:
        told = f"one of {theirs.processes} processes, worker 0 as one of {mine.processes}"
        return f"{who} was started as {told}."
    if not 0 < theirs.process < mine.processes:
        return _twice(theirs.process)
    for name, version in mine.versions.items():
        if theirs.versions.get(name) != version:
            return (
                f"{who} has {name} {theirs.versions.get(name)}, worker 0 has {version}: install the same "
                "versions on all machines."
            )
    names = [n for n in mine.asked if theirs.asked.get(n) != mine.asked[n]]
    if names:
        name = names[0]
        return (
            f"{who} was asked for another training than worker 0: {name} is {theirs.asked.get(name)} there "
            f"and {mine.asked[name]} here. Give all workers the same options."
        )
    for one in (mine, theirs):
        if apart and one.means.startswith("127."):
            return (
                f"On {one.machine} (worker {one.process}) the machine's own name means {one.means}, which "
                "other machines cannot call: give it its real address in /etc/hosts."
            )
    return None


def _twice(process: int) -> str:
    return f"There is a worker {process} already: each needs a --process-id of its own."


def _absent(mine: Card, there: Mapping[int, Any], timeout: float) -> str:
    absent = [p for p in range(1, mine.processes) if p not in there]
    named = ", ".join(map(str, absent[:8])) + (f" and {len(absent) - 8} more" * (len(absent) > 8))
    one = len(absent) == 1
    return (
        f"{'Worker' if one else 'Workers'} {named} of {mine.processes} {'has' if one else 'have'} not come "
        f"within {timeout:g} s."
    )


def _gone(line: socket.socket) -> bool:
    """Has the other side hung up?"""
    line.setblocking(False)
    try:
        return line.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        line.setblocking(True)


def _say(line: socket.socket, what: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):
        line.sendall(json.dumps(what).encode() + b"\n")


def _read(line: socket.socket) -> dict[str, Any] | None:
    """A line of JSON, or None if it is none, or none comes in time, however slowly it is told."""
    deadline = time.monotonic() + (line.gettimeout() or _PATIENCE)
    content = b""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        while not content.endswith(b"\n") and len(content) < LINE:
            line.settimeout(max(deadline - time.monotonic(), 0.001))
            part = line.recv(65536)
            if not part:
                return None
            content += part
        found = json.loads(content)
        return cast("dict[str, Any]", found) if isinstance(found, dict) else None
    return None
