"""One process of `benchmarks.scaling`: trains alone or with others, and prints what it took as JSON.

python -m benchmarks.scaling_point ASKED

``ASKED`` is JSON: the fields of a `FitConfig` under "config", and "core" (run on that one alone), "rank",
"size" and "coordinator" (with others), "out" and "resume" (keep the run), "every" (seconds between
checkpoints), "cache" (the folder of compiled programs). What happens is told on stderr as it happens, in
lines of a time and a word.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any


def main() -> None:
    """Train, and print what it took."""
    asked: dict[str, Any] = json.loads(sys.argv[1])
    if asked.get("core") is not None:
        # Before XLA counts the cores.
        os.sched_setaffinity(0, {asked["core"]})
    if asked.get("cache"):
        os.environ["FALLLINE_CACHE"] = asked["cache"]
    from fallline.cli.timings import Timings
    from fallline.descent.cache import use_compilation_cache
    from fallline.jobs import streamed
    from fallline.jobs.config import FitConfig
    from fallline.jobs.fit import Reporter, run_fit
    from fallline.store.folder import RunFolder

    if asked.get("cache"):
        use_compilation_cache()
    config = FitConfig.from_json(asked["config"])
    _say("imported")
    crew = None
    if asked.get("size", 1) > 1:
        from fallline.scale.join import join
        from fallline.scale.launch import Place

        crew = join(Place(asked["coordinator"], asked["size"], asked["rank"]), bind="127.0.0.1")
        _say("joined")
    # A block of all rows: what is measured is the loop, and not the reading.
    streamed.block_rows = lambda *_: 1 << 22
    clock = Timings("before")
    marks: list[tuple[int, float]] = []
    compiled: list[float] = []
    written: list[float] = []

    class Told(Reporter):
        step = 0

        def encoded(self, encoder: Any, rows: dict[str, int]) -> None:
            _say("encoded")

        def training(self, name: str, plan: Any, epochs: int) -> None:
            marks.append((0, time.perf_counter()))

        def progress(self, progress: Any) -> None:
            if not compiled:
                _say(f"first steps, compile {clock.seconds()['compile']:.3f}")
                compiled.append(clock.seconds()["compile"])
            if int(progress.epoch + 1e-9) > marks[-1][0]:
                marks.append((int(progress.epoch + 1e-9), time.perf_counter()))

    save = RunFolder.save_checkpoint

    def timed(*arguments: Any, **more: Any) -> Any:
        began = time.perf_counter()
        done = save(*arguments, **more)
        written.append(time.perf_counter() - began)
        return done

    RunFolder.save_checkpoint = timed
    try:
        fitted = run_fit(
            config,
            out=asked.get("out"),
            resume=asked.get("resume", False),
            checkpoint_every=asked.get("every", 1e9),
            reporter=Told(),
            crew=crew,
        )
    except (RuntimeError, ValueError) as error:
        # One that lost the other must not wait for it at its end.
        _say(f"lost: {error}")
        os._exit(75)
    if crew is not None:
        from fallline.scale.join import leave

        leave()
        if not crew.leads:
            return
    later = marks[2:] or marks[1:]
    start = marks[1] if len(marks) > 2 else marks[0]
    epoch = (later[-1][1] - start[1]) / max(later[-1][0] - start[0], 1)
    rows = fitted.result["rows"]["training"]
    found = {"epoch": epoch, "rate": rows / epoch, "compile": compiled[0]}
    found |= {"value": fitted.result["value"], "written": written}
    print(json.dumps(found))


def _say(word: str) -> None:
    print(f"{time.time():.3f} {word}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
