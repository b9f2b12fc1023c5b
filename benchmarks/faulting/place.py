"""Where the faults happen: a table, the run that nothing happened to, and the processes of one run."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from fallline.errors import FalllineError
from fallline.store.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable

FIT = [
    "--model",
    "mlp",
    "--hidden",
    "16,8",
    "--dropout",
    "0.1",
    "--batch-size",
    "64",
    "--patience",
    "never",
    "--json",
]
OFTEN = ["--checkpoint-every", "0.2"]
TIMES = ("train_seconds", "total_seconds", "rows_per_second", "run", "workers")
LIMIT = 120.0
"""Seconds after which processes count as hanging, and are killed."""

COMMAND = [sys.executable, "-m", "fallline", "fit"]
_SITE = """# Every process of a run begins with this.
import signal, time
# As a shell gives it to a command in the foreground, wherever this runs.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Stuck in Python, while other threads go on.
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(3600))
"""


@dataclasses.dataclass
class Outcome:
    """What one fault led to.

    Attributes:
        moment: what was being done when it struck.
        codes: the exit code of each process that the fault left to end by itself.
        seconds: from the fault until the last of them had ended.
        identical: did the run end, resumed where it had to be, with the bits of the undisturbed one?
        sentence: the last words of the process that the fault struck, or that had to end because of it.
        recovery: seconds that the resumed run took; 0 if it did not have to be resumed.
        trouble: what was not as it should be; empty if all was.
    """

    moment: str
    codes: list[int]
    seconds: float
    identical: bool
    sentence: str = ""
    recovery: float = 0.0
    trouble: str = ""


class Job:
    """The processes of one run, started together (or one by one)."""

    def __init__(self, place: Place, out: str, *more: str, start: bool = True) -> None:
        """Start them, each with its words in a file of its own."""
        self.place, self.out, self.more = place, out, more
        self.port = _free_port()
        self.processes: list[subprocess.Popen[bytes]] = []
        self.logs: list[Path] = []
        self.began = time.monotonic()
        while start and len(self.processes) < place.count:
            self.add()

    def add(self) -> None:
        """Start the next process."""
        place, rank = self.place, len(self.processes)
        words = [*COMMAND, place.table, *place.words, *self.more, "--out", self.out]
        if place.count > 1:
            coordinator = ["--coordinator", f"127.0.0.1:{self.port}"]
            of = ["--num-processes", str(place.count), "--process-id", str(rank)]
            words += [*coordinator, *of]
        log = place.folder / f"{self.out.replace('/', '-')}.{rank}.log"
        with log.open("ab") as file:
            self.logs.append(log)
            started = subprocess.Popen(
                words, cwd=place.folder, env=place.environment, stdout=file, stderr=file
            )
        self.processes.append(started)

    @property
    def ended(self) -> bool:
        """Has every process ended?"""
        return all(process.poll() is not None for process in self.processes)

    def send(self, number: int, rank: int | None = None) -> None:
        """Send a signal to one process, or to all; where it watches over a child, to that one."""
        for i, process in enumerate(self.processes):
            if rank in (None, i) and process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(_worker(process.pid), number)

    def wait(self, *, but: int | None = None, limit: float = LIMIT) -> tuple[list[int], float, str]:
        """Wait for all processes, or all but one; what is not ended in time is killed.

        Returns:
            Their exit codes, the seconds that took, and what was wrong.
        """
        began, trouble = time.monotonic(), ""
        waited = [p for i, p in enumerate(self.processes) if i != but]
        for process in waited:
            try:
                process.wait(max(0.0, began + limit - time.monotonic()))
            except subprocess.TimeoutExpired:
                trouble = f"a process had not ended after {limit:.0f} s"
                break
        seconds = time.monotonic() - began
        self.kill()
        return [p.returncode for p in waited], seconds, trouble

    def kill(self) -> None:
        """End every process that is left."""
        for process in self.processes:
            if process.poll() is None:
                # A frozen child would not notice that its parent has gone.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(_worker(process.pid), signal.SIGKILL)
                process.kill()
                process.wait()

    def words(self, rank: int = 0) -> str:
        """The last line that a process wrote, such as the sentence it ended with."""
        lines = [line for line in self._lines(rank) if line]
        return lines[-1] if lines else ""

    def _lines(self, rank: int) -> list[str]:
        text = self.logs[rank].read_text(errors="replace")
        return [line.strip().replace(f"{self.place.folder}/", "") for line in text.splitlines()]

    def said(self, part: str) -> str:
        """The line with some words in it, of any process, or ""."""
        lines = (line for rank in range(len(self.logs)) for line in self._lines(rank))
        return next((line for line in lines if part in line), "")

    @property
    def troubled(self) -> str:
        """What no process should ever say."""
        for log in self.logs:
            if "Traceback" in log.read_text(errors="replace"):
                return "a traceback"
        return ""


@dataclasses.dataclass
class Place:
    """A folder with a table, the words of a run on it, and in ``whole`` the run undisturbed."""

    folder: Path
    table: str
    words: list[str]
    count: int = 1
    lasts: float = 0.0
    made: int = 0

    @staticmethod
    def make(folder: Path, table: Path, target: str, count: int, *more: str) -> Place:
        """Copy the table and train the undisturbed run, twice: the first time compiles."""
        (folder / "site").mkdir(parents=True)
        (folder / "site" / "sitecustomize.py").write_text(_SITE)
        shutil.copy(table, folder / table.name)
        (folder / table.name).chmod(0o644)
        # Together, two processes on one machine take longer over a small network than one alone.
        asked = ["--target", target, *FIT, "--epochs", "24" if count == 1 else "6", *more]
        place = Place(folder, table.name, asked, count)
        for name in ("compiling", "whole"):
            began = time.monotonic()
            job = Job(place, name, *OFTEN)
            codes, _, trouble = job.wait(limit=600)
            place.lasts = time.monotonic() - began
            if trouble or any(codes):
                said = trouble or f"ended with {codes}: {job.words()}"
                raise FalllineError(f"Undisturbed, a run cannot be made here: {said}.")
        return place

    @property
    def environment(self) -> dict[str, str]:
        """What every process gets."""
        path = os.pathsep.join(filter(None, [str(self.folder / "site"), os.getenv("PYTHONPATH")]))
        return {**os.environ, "PYTHONPATH": path}

    def next(self) -> str:
        """A new name for a run's folder."""
        self.made += 1
        return f"run-{self.made}"

    def phase(self, out: str) -> str:
        """What a run is doing, by its folder."""
        path = self.folder / out
        run = path / "run.json"
        if not run.is_file():
            return "starting, reading"
        if '"finished"' in run.read_text():
            return "finished"
        checkpoints = list(path.glob("checkpoints/*"))
        if any(place.name.startswith(".") for place in checkpoints):
            return "writing a checkpoint"
        if (path / "encoder.json").exists() or list(path.glob(".encoder.json*")):
            return "writing the result"
        return "training" if checkpoints else "encoding, compiling"

    @property
    def steps(self) -> int:
        """How many steps the undisturbed run took."""
        return int(RunFolder(self.folder / "whole").facts()["result"]["steps"])

    def step(self, out: str) -> int:
        """The newest checkpoint's step, or -1."""
        found = RunFolder(self.folder / out).checkpoints("mlp")
        return int(found[-1].name.rpartition("-")[2].partition(".")[0]) if found else -1

    def until(self, job: Job, moment: Callable[[], Any], limit: float = LIMIT) -> bool:
        """Wait for a moment of a run under way; False if it ended before."""
        end = time.monotonic() + limit
        while not moment():
            if job.ended or time.monotonic() > end:
                return False
            time.sleep(0.001)
        return True

    def sleep(self, job: Job, part: float) -> bool:
        """Wait for a part of a run's time; if it ended before, note how long it took, and say False."""
        end = job.began + part * self.lasts
        while time.monotonic() < end:
            if job.ended:
                self.lasts = time.monotonic() - job.began
                return False
            time.sleep(0.002)
        return True

    def resumed(self, out: str, *more: str) -> tuple[Job, float]:
        """Go on with a run by the very words it was started with, and wait for its end."""
        # Killed before it had written anything, it is started once more.
        words = ["--resume"] if list((self.folder / out).glob("*")) else []
        job = Job(self, out, *words, *OFTEN, *more)
        _, seconds, _ = job.wait()
        return job, seconds

    def differs(self, out: str, whole: str = "whole") -> str:
        """In what a finished run differs from the undisturbed one; "" if in nothing but the times."""
        run, other = self.folder / out, self.folder / whole
        try:
            facts = [RunFolder(path).facts() for path in (run, other)]
        except FalllineError as error:
            return str(error)
        if facts[0].get("status") != "finished":
            return "not finished"
        if (run / "model.safetensors").read_bytes() != (other / "model.safetensors").read_bytes():
            return "other parameters"
        for name in ("history.parquet", "epochs.parquet"):
            if not pl.read_parquet(run / name).equals(pl.read_parquet(other / name)):
                return f"another {name}"
        results = [{k: v for k, v in f["result"].items() if k not in TIMES} for f in facts]
        if results[0] != results[1]:
            return "another result"
        return "half-written files are left" if list(run.rglob(".*")) else ""

    def clear(self, out: str) -> None:
        """Remove a run that has been looked at."""
        shutil.rmtree(self.folder / out, ignore_errors=True)
        for log in self.folder.glob(f"{out}.*.log"):
            log.unlink()


def _worker(process: int) -> int:
    """The process that works: a child of this one, where there is one."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return process
    return int(children[0]) if children else process


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
