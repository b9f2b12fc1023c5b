"""Two hosts: network namespaces, for which root is needed. Without it all this is skipped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

hosts = pytest.importorskip("benchmarks.hosts")

pytestmark = pytest.mark.skipif(bool(hosts.lacking()), reason=hosts.lacking() or "never")

JOIN = """
import sys
from fallline.errors import FalllineError
from fallline.scale.join import join, leave
from fallline.scale.launch import Place
try:
    crew = join(Place("10.77.0.1:7077", 2, int(sys.argv[1])), timeout=120)
    print(crew.meet([crew.rank + 1.0]).tolist())
    leave()
except FalllineError as error:
    print(error)
"""


def namespaces() -> str:
    return subprocess.run(
        ["ip", "netns", "list"], capture_output=True, text=True, check=True
    ).stdout


def test_hosts_reach_each_other_and_are_gone_at_the_end():
    with pytest.raises(ZeroDivisionError), hosts.two_hosts() as (one, other):
        assert one.name in namespaces()
        ask = [sys.executable, "-c", f"import socket; socket.create_server(('{one.address}', 0))"]
        assert one.start(ask).wait(timeout=30) == 0
        # The address is the other host's: nobody can listen there but it.
        assert other.start(ask, stderr=subprocess.DEVNULL).wait(timeout=30) != 0
        sleeper = other.start(["sleep", "1000"])
        raise ZeroDivisionError
    assert sleeper.poll() is not None
    assert one.name not in namespaces()
    assert not Path("/etc/netns", one.name).exists()


@pytest.mark.parametrize("debian", [False, True])
def test_workers_on_two_hosts_meet_or_say_what_is_in_the_way(debian):
    assert "JAX_COORDINATOR_ADDRESS" not in os.environ
    assert socket.gethostname() not in ("10.77.0.1", "10.77.0.2")
    with hosts.two_hosts(debian=debian) as both:
        started = [
            host.start([sys.executable, "-c", JOIN, str(i)], stdout=subprocess.PIPE)
            for i, host in enumerate(both)
        ]
        told = [process.communicate(timeout=120)[0] for process in started]
    if debian:
        assert all("127.0.1.1" in words for words in told)
    else:
        assert all(words.strip().endswith("[[1.0], [2.0]]") for words in told)
