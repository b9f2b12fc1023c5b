"""One process of `benchmarks.streaming`: trains on a table in pieces, and prints what it took as JSON.

python -m benchmarks.streaming_point CONTENDER FOLDER ASKED

``ASKED`` is JSON: model, batch, epochs, columns, and what is the contender's own. Libraries are imported
inside the functions: a process has only what its contender needs.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.memory_point import peak
from benchmarks.peers import streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.peers.streams import Mark, Work


def fallline(data: str, held: str, **more: Any) -> Callable[[Path, dict[str, Any]], Work]:
    """Fallline on one form of the table."""

    def contender(folder: Path, asked: dict[str, Any]) -> Work:
        import jax
        import polars
        from pyarrow import parquet

        from fallline.cli.timings import Timings
        from fallline.jobs import streamed
        from fallline.jobs.config import FitConfig
        from fallline.jobs.fit import Reporter, run_fit

        del jax, polars, streamed, parquet
        linear = asked["model"] == "linear"
        config = FitConfig(
            data=str(folder / data),
            target="y",
            test=str(folder / held),
            validation=0.0,
            model=asked["model"],
            hidden=streams.HIDDEN,
            init="glorot",
            optimizer="sgd" if linear else "adam",
            learning_rate=streams.SGD_RATE[asked["batch"]] if linear else streams.ADAM_RATE,
            schedule="constant",
            batch_size=asked["batch"],
            epochs=asked["epochs"],
            weight_decay=0.0,
            average=0.0,
            **more,
        )

        def work(mark: Mark) -> float:
            clock = Timings("before")

            class Told(Reporter):
                done = 0

                def training(self, name: str, plan: Any, epochs: int) -> None:
                    mark(0)

                def progress(self, progress: Any) -> None:
                    if int(progress.epoch + 1e-9) > self.done:
                        if not self.done:
                            asked["compile"] = clock.seconds()["compile"]
                        self.done = int(progress.epoch + 1e-9)
                        mark(self.done)

            fitted = run_fit(config, reporter=Told())
            asked["blocks"] = fitted.result.get("streamed", {}).get("blocks")
            return fitted.result["value"]

        return work

    return contender


CONTENDERS: dict[str, Callable[[Path, dict[str, Any]], Work]] = {
    "Fallline, in memory": fallline("table.parquet", "held.parquet", stream=False),
    "Fallline, Parquet": fallline("table.parquet", "held.parquet", stream=True, memory=10**9),
    "Fallline, .npy": fallline("npy", "held", stream=True, memory=10**9),
    "Fallline, CSV": fallline("table.csv", "held.parquet", stream=True, memory=10**9),
    "scikit-learn, SGDRegressor.partial_fit": streams.sklearn_linear,
    "scikit-learn, MLPRegressor.partial_fit": streams.sklearn_mlp,
    "torch, DataLoader of row groups": streams.torch_streamed,
    "torch, DataLoader in memory": streams.torch_memory,
    "Dask-ML, Incremental(SGDRegressor)": streams.dask_linear,
}


def main() -> None:
    """Do the work and print what it took."""
    name, folder, told = sys.argv[1:]
    asked = json.loads(told)
    warnings.simplefilter("ignore")
    work = CONTENDERS[name](Path(folder), asked)
    before = peak()
    marks: list[tuple[float, float]] = []
    began = time.perf_counter()
    quality = work(lambda epochs: marks.append((epochs, time.perf_counter())))
    others = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    after = peak() + (others if asked.get("workers") else 0)
    (_, ready), (first, first_at), (last, last_at) = marks[0], marks[1], marks[-1]
    # Where one call went through all epochs, the first one counts, too.
    later = (last_at - first_at) / (last - first) if last > first else (last_at - ready) / last
    found = {
        "first_pass": ready - began,
        "compile": asked.get("compile", 0.0),
        "first_epoch": (first_at - ready) / first,
        "epoch": later,
        "r2": quality,
        "imports": before,
        "peak": after,
        "blocks": asked.get("blocks"),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
