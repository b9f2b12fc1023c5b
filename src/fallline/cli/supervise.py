"""A worker under a parent that says how it ended.

JAX's runtime ends a process by ``abort()`` where another worker is lost, from a thread of its own and with a
log of forty lines; so would memory that runs out, without a word. Neither can be caught inside the process.
So a worker of `fallline fit` is a child of the process that the launcher started, which waits, reads what
C++ has written, and turns it into one sentence and exit code 75. What Python writes goes where it would.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

from fallline.cli import screen
from fallline.cli.ending import EARLY
from fallline.scale.lost import KEPT, TRY_AGAIN, told_by

CHILD = "FALLLINE_WORKER"
"""In the child's environment: where C++ shall write, and the pipe whose end is the parent's."""

TWICE = 2.0
"""Seconds within which a signal counts once: many launchers send it to parent and child alike."""

_PASSED_ON = (signal.SIGTERM, signal.SIGINT)
_NOISE = re.compile(
    r"[IWEF]\d{4} |\[Gloo\]|\s+@ |\*\*\* |WARNING: All log|Additional GRPC|:UNKNOWN:|$"
)


def supervised() -> bool:
    """Is this process the child?"""
    return CHILD in os.environ


def supervise(process: int) -> int:
    """Run this command as a child, and give the exit code to end with.

    Args:
        process: which of the workers this is.
    """
    heard, told = os.pipe()
    with tempfile.TemporaryFile() as log:
        inherited = (log.fileno(), heard)
        child = subprocess.Popen(
            [sys.executable, "-m", "fallline", *sys.argv[1:]],
            env={**os.environ, CHILD: ",".join(map(str, inherited))},
            pass_fds=inherited,
        )
        os.close(heard)
        before = {number: signal.getsignal(number) for number in _PASSED_ON}
        for number in _PASSED_ON:
            signal.signal(number, lambda n, _: child.poll() is None and child.send_signal(n))
        try:
            code = child.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(told)
        log.seek(0)
        written = log.read().decode(errors="replace")
    sentence, code, lines = verdict(code, written, process)
    for line in lines:
        sys.stderr.write(line + "\n")
    if sentence:
        screen.complain(f"worker {process}: {sentence}" if process else sentence)
    return code


def verdict(code: int, written: str, process: int) -> tuple[str | None, int, list[str]]:
    """What to say of a child's end, what to end with, and which lines to hand on.

    Args:
        code: its exit code, or minus the signal that ended it.
        written: what C++ has written meanwhile.
        process: which of the workers it was.
    """
    lines = written.splitlines()
    if code >= 0:
        own = [line for line in lines if not _NOISE.match(line)] if code else []
        return None, code, own
    if code == -signal.SIGTERM:
        # Later on it listens for it.
        return EARLY, TRY_AGAIN, []
    if code == -signal.SIGKILL:
        return (
            f"This worker was killed; where memory is short, the system does that. {KEPT}",
            TRY_AGAIN,
            [],
        )
    fatal = [i for i, line in enumerate(lines) if re.match(r"F\d{4} ", line)]
    if code == -signal.SIGABRT and fatal and "distributed service" in lines[fatal[0]]:
        return told_by("\n".join(lines[fatal[0] : fatal[0] + 6]), process), TRY_AGAIN, []
    name = signal.Signals(-code).name
    return f"This worker was ended by {name}; what it wrote stands above.", 128 - code, lines[-40:]


def settle() -> None:
    """In the child: let C++ write elsewhere, and end when the parent does."""
    log, pipe = map(int, os.environ.pop(CHILD).split(","))
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        stream.flush()
        # Python's streams keep where they went, under another number.
        kept = os.fdopen(
            os.dup(number), "w", encoding=stream.encoding, errors=stream.errors, buffering=1
        )
        setattr(sys, name, kept)
        os.dup2(log, number)
    threading.Thread(target=_end_with_parent, args=(pipe,), name="parent", daemon=True).start()
    # Before there are other threads that could get them.
    signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
    threading.Thread(target=_hear_once, name="signals", daemon=True).start()


def _end_with_parent(pipe: int) -> None:
    os.read(pipe, 1)
    # Killed: nobody is left to say why, and the other workers shall not wait.
    os._exit(TRY_AGAIN)


def _hear_once() -> None:
    import _thread

    heard: dict[signal.Signals, float] = {}
    while True:
        number = signal.Signals(signal.sigwait(_PASSED_ON))
        now = time.monotonic()
        if now - heard.get(number, -TWICE) < TWICE:
            continue
        heard[number] = now
        handler: Any = signal.getsignal(number)
        if handler is signal.SIG_DFL:
            os._exit(128 + number)
        _thread.interrupt_main(number)
