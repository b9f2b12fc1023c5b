"""Faults that strike one process."""

from __future__ import annotations

import shutil
import signal
import time
from typing import TYPE_CHECKING

from benchmarks.faulting.place import OFTEN, Job, Outcome

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.faulting.place import Place


def concluded(place: Place, out: str, *, codes: list[int], seconds: float, **more: str) -> Outcome:
    """Resume a run and compare its end with the undisturbed one."""
    job, spent = place.resumed(out)
    codes_after = [process.returncode for process in job.processes]
    trouble = place.differs(out)
    if any(codes_after):
        trouble = f"resumed, it ended with {codes_after}: {job.words()}"
    told = Outcome(identical=not trouble, codes=codes, seconds=seconds, recovery=spent, **more)
    told.trouble = told.trouble or trouble or job.troubled
    place.clear(out)
    return told


def struck(
    place: Place, number: int, at: float | Callable[[str], bool], expected: set[int]
) -> Outcome:
    """Send a signal to a run, at a part of its time or at a moment seen in its folder, and resume it."""
    out = place.next()
    job = Job(place, out, *OFTEN)
    if callable(at):
        place.until(job, lambda: at(out))
    elif not place.sleep(job, at):
        # The machine has become faster, and the run was over before.
        place.clear(out)
        return struck(place, number, at, expected)
    moment = place.phase(out)
    job.send(number)
    codes, seconds, trouble = job.wait()
    if not trouble and not set(codes) <= expected:
        trouble = f"ended with {codes}: {job.words()}"
    trouble = trouble or job.troubled
    sentence = "" if number == signal.SIGKILL else job.words()
    if codes == [0] or place.phase(out) == "finished":
        # It was over before, or went on to its end: nothing to resume.
        different = place.differs(out)
        place.clear(out)
        return Outcome(moment, codes, seconds, not different, "", 0.0, trouble or different)
    return concluded(
        place,
        out,
        codes=codes,
        seconds=seconds,
        moment=moment,
        sentence=sentence,
        trouble=trouble,
    )


def at_random(number: int, expected: set[int]) -> Callable[[Place, random.Random, float], Outcome]:
    """A signal at a random moment: a fifth each while starting and while compiling, the rest in training.

    By what its folder shows, not by the clock alone: a busy machine starts slowly.
    """

    def run(place: Place, chance: random.Random, part: float) -> Outcome:
        if part < 0.2:
            return struck(place, number, part * 2, expected)
        wait = chance.uniform(0, 0.25 * place.lasts if part < 0.4 else 0.2)
        step = -1 if part < 0.4 else int((part - 0.4) / 0.6 * place.steps)

        def moment(out: str) -> bool:
            if not (place.folder / out / "run.json").is_file() or place.step(out) < step:
                return False
            time.sleep(wait)
            return True

        return struck(place, number, moment, expected)

    return run


def while_writing(what: str) -> Callable[[Place, random.Random, float], Outcome]:
    """Kill -9 in the middle of writing."""

    def run(place: Place, chance: random.Random, part: float) -> Outcome:
        def moment(out: str) -> bool:
            past = place.step(out) >= part * 0.7 * place.steps or what != "writing a checkpoint"
            return past and place.phase(out) == what

        return struck(place, signal.SIGKILL, moment, {-9, 0})

    return run


def again_and_again(place: Place, chance: random.Random, part: float) -> Outcome:
    """Kill -9, and the resumed run killed too, three times."""
    out = place.next()
    job, times = Job(place, out, *OFTEN), 0
    for _ in range(3):
        time.sleep(chance.uniform(0.5, 1.0) * place.lasts)
        if not job.ended:
            times += 1
        job.send(signal.SIGKILL)
        codes, _, _ = job.wait()
        if codes == [0]:
            break
        words = ["--resume"] if list((place.folder / out).glob("*")) else []
        job = Job(place, out, *words, *OFTEN)
    codes, seconds, trouble = job.wait()
    trouble = trouble or place.differs(out)
    place.clear(out)
    return Outcome(f"{times} times", [-9] * times, 0.0, not trouble, "", seconds, trouble)


def frozen(place: Place, chance: random.Random, part: float) -> Outcome:
    """Stopped for two seconds, as a laptop that sleeps, then let go on."""
    out = place.next()
    job = Job(place, out, *OFTEN)
    time.sleep(part * place.lasts)
    moment = place.phase(out)
    job.send(signal.SIGSTOP)
    time.sleep(2)
    job.send(signal.SIGCONT)
    codes, seconds, trouble = job.wait()
    trouble = trouble or place.differs(out) or job.troubled
    place.clear(out)
    return Outcome(moment, codes, seconds, not trouble, "", 0.0, trouble)


def _half(place: Place) -> str:
    """A run killed with at least two checkpoints."""
    out = place.next()
    job = Job(place, out, *OFTEN)
    place.until(job, lambda: len(list((place.folder / out / "checkpoints").glob("mlp-*"))) > 2)
    job.kill()
    return out


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def _damage(kind: str, path: Path) -> None:
    if kind == "a flipped bit":
        _flip(path / "carry.safetensors")
    elif kind == "a truncated file":
        (path / "history.parquet").write_bytes((path / "history.parquet").read_bytes()[:-40])
    elif kind == "a missing file":
        (path / "epochs.parquet").unlink()
    elif kind == "damaged facts":
        _flip(path / "checkpoint.json")
    else:
        shutil.rmtree(path)
        path.mkdir()


DAMAGES = (
    "a flipped bit",
    "a truncated file",
    "a missing file",
    "damaged facts",
    "an empty folder",
)


def damaged_checkpoint(place: Place, chance: random.Random, part: float) -> Outcome:
    """The newest checkpoint, or every one, is not what was written."""
    out = _half(place)
    kind = DAMAGES[int(part * len(DAMAGES))]
    found = sorted((place.folder / out / "checkpoints").glob("mlp-*"))
    every = part > 0.9
    for path in found if every else found[-1:]:
        _damage(kind, path)
    job, spent = place.resumed(out)
    sentence = job.said("training starts anew" if every else "training goes on from step")
    trouble = place.differs(out) or job.troubled or ("" if sentence else "it says nothing of it")
    codes = [process.returncode for process in job.processes]
    place.clear(out)
    moment = f"{kind}, {'in all' if every else 'in the newest'}"
    return Outcome(moment, codes, 0.0, not trouble, sentence, spent, trouble)


def damaged_facts(place: Place, chance: random.Random, part: float) -> Outcome:
    """``run.json`` is damaged, or missing, beside whole checkpoints."""
    out = _half(place)
    path = place.folder / out / "run.json"
    kind = ("flipped", "truncated", "missing")[int(part * 3)]
    if kind == "flipped":
        _flip(path)
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[:50])
    else:
        path.unlink()
    job, spent = place.resumed(out)
    sentence = job.said("was written anew")
    trouble = place.differs(out) or job.troubled or ("" if sentence else "it says nothing of it")
    codes = [process.returncode for process in job.processes]
    place.clear(out)
    return Outcome(f"run.json {kind}", codes, 0.0, not trouble, sentence, spent, trouble)


def damaged_table(place: Place, chance: random.Random, part: float) -> Outcome:
    """The table is cut off in the middle, or has a broken line there; mended, the run begins."""
    out = place.next()
    path = place.folder / place.table
    whole, kind = path.read_bytes(), "cut off" if part < 0.5 else "a broken line"
    half = whole.index(b"\n", len(whole) // 2)
    broken = whole[: half - 9] if part < 0.5 else whole[:half] + b'\n39,"' + whole[half:]
    began = time.monotonic()
    try:
        path.write_bytes(broken)
        job = Job(place, out, *OFTEN)
        codes, _, trouble = job.wait()
        seconds = time.monotonic() - began
        sentence = job.words()
        trouble = trouble or job.troubled or ("" if codes == [2] else f"ended with {codes}")
    finally:
        path.write_bytes(whole)
    return concluded(
        place,
        out,
        codes=codes,
        seconds=seconds,
        moment=kind,
        sentence=sentence,
        trouble=trouble,
    )
