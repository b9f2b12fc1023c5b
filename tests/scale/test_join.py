from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading

import pytest

from fallline.cli.supervise import verdict
from fallline.errors import FalllineError
from fallline.scale import rollcall
from fallline.scale.launch import Place
from fallline.scale.lost import LostError, together


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def roll(port, processes, process, timeout=5.0, **asked):
    place = Place(f"127.0.0.1:{port}", processes, process)
    rollcall.call(place, rollcall.card(place, asked), bind=None, timeout=timeout)


def roll_of(*calls):
    """What each of some workers, all in threads of this process, is told."""
    said = [None] * len(calls)

    def one(i, arguments):
        try:
            roll(*arguments[:3], **arguments[3])
        except FalllineError as error:
            said[i] = error

    threads = [threading.Thread(target=one, args=(i, a)) for i, a in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return said


def test_all_workers_are_there():
    port = free_port()
    assert roll_of((port, 3, 1, {}), (port, 3, 2, {}), (port, 3, 0, {})) == [None] * 3
    # The port is free at once.
    with socket.socket() as again:
        again.bind(("127.0.0.1", port))


def test_what_does_not_fit_is_told_to_all():
    port = free_port()
    said = roll_of((port, 2, 0, {"seed": 1}), (port, 2, 1, {"seed": 2}))
    assert "asked for another training than worker 0: seed is 2 there and 1 here" in str(said[0])
    assert str(said[1]) == str(said[0])
    assert not isinstance(said[0], LostError)
    port = free_port()
    said = roll_of((port, 2, 0, {}), (port, 3, 1, {}))
    assert "one of 3 processes, worker 0 as one of 2" in str(said[1])


def test_a_worker_that_never_comes():
    port = free_port()
    said = roll_of((port, 3, 0, {"timeout": 0.5}), (port, 3, 1, {"timeout": 5.0}))
    assert [str(one) for one in said] == ["Worker 2 of 3 has not come within 0.5 s."] * 2
    assert all(isinstance(one, LostError) for one in said)


def answer_nonsense(server):
    with contextlib.suppress(OSError):
        while True:
            with server.accept()[0] as line:
                line.sendall(b"HTTP/1.1 400\r\n")


def test_nobody_or_somebody_else_listens():
    with pytest.raises(LostError, match=r"within 0.3 s: nothing listens at 127"):
        roll(free_port(), 2, 1, timeout=0.3)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        answer = threading.Thread(target=answer_nonsense, args=(other,))
        answer.start()
        with pytest.raises(LostError, match="is no training that waits for workers"):
            roll(port, 2, 1, timeout=0.3)
        with pytest.raises(LostError, match="is taken by another program"):
            roll(port, 2, 0)
        other.shutdown(socket.SHUT_RDWR)
        answer.join(5)
    place = Place("192.0.2.1:4321", 2, 0)
    with pytest.raises(FalllineError, match=r"does not have the address 192\.0\.2\.1"):
        rollcall.call(place, rollcall.card(place, {}), bind=None, timeout=1)


def test_nonsense_on_the_port_does_no_harm():
    port = free_port()
    told = []
    caller = threading.Thread(target=lambda: told.append(roll_of((port, 2, 0, {}))))
    caller.start()
    for content in (b"\x16\x03\x01 hello", b"[1]\n", b'{"process": 1}\n', b""):
        for _ in range(50):
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1) as line:
                    line.sendall(content)
                break
            except ConnectionRefusedError:
                threading.Event().wait(0.05)
    roll(port, 2, 1)
    caller.join(10)
    assert told == [[None]]


def test_a_lost_worker_is_a_sentence():
    with pytest.raises(LostError, match=r"Another worker is gone .* --resume goes on"), together(0):
        raise ValueError("UNKNOWN: Gloo all-reduce failed: Connection reset by peer")
    with pytest.raises(ValueError, match="shapes differ"), together(0):
        raise ValueError("shapes differ")
    fatal = "E1122 04:59 x\nF1122 04:59 client.h:80] because the JAX distributed service detected: "
    for words, process, said in (
        ("stopped sending heartbeats:\n    @ 0x1\n", 0, "gave no sign of life"),
        ("UNAVAILABLE: Failed to send RPC\n", 1, "Worker 0, whom all others report to"),
    ):
        sentence, code, lines = verdict(-6, fatal + words, process)
        assert said in sentence
        assert (code, lines) == (75, [])
    assert verdict(-9, "", 1)[1] == 75
    # A crash is not made to look harmless.
    assert verdict(-11, "what it wrote", 0)[1:] == (139, ["what it wrote"])
    assert verdict(2, "I1122 noise\n[Gloo] noise\nsaid\n", 0) == (None, 2, ["said"])


WORKER = """
import json, sys
from fallline.scale.join import join, leave
from fallline.scale.launch import Place
port, process = map(int, sys.argv[1:])
crew = join(Place(f"127.0.0.1:{port}", 2, process), asked={"seed": 0})
met = crew.meet([process, 0.5]).tolist()
leave()
print(json.dumps([crew.rank, crew.size, crew.local, met]), file=sys.stderr)
"""


def test_two_processes_meet():
    port = free_port()
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(port), str(i)], stderr=subprocess.PIPE)
        for i in range(2)
    ]
    said = [worker.communicate(timeout=60)[1].decode() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    for process in range(2):
        found = json.loads(said[process].splitlines()[-1])
        assert found == [process, 2, 1, [[0.0, 0.5], [1.0, 0.5]]]
