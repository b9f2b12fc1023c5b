"""Fit a table that is read in pieces: larger than memory, or shared by several devices and machines."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fallline.data import shards as cutting
from fallline.data.stream import Source, open_source
from fallline.descent import batches
from fallline.descent.crew import Crew, local_crew
from fallline.descent.descend import descend
from fallline.descent.problem import Problem, pose, with_rate
from fallline.descent.range_test import find_learning_rate
from fallline.descent.run import Snapshot
from fallline.descent.sharded import ShardedProblem, shape_for
from fallline.descent.signals import ASKED_TO_STOP
from fallline.errors import FalllineError
from fallline.jobs import fit as fitting
from fallline.jobs import handing
from fallline.jobs.first_pass import Prepared, prepare
from fallline.jobs.other import Other
from fallline.jobs.result import TableRun
from fallline.jobs.room import block_rows
from fallline.jobs.supply import Aside, Pieces, SourceSupply
from fallline.jobs.totals import Totals
from fallline.store.folder import RunFolder

if TYPE_CHECKING:
    from fallline.descent.batches import BatchPlan
    from fallline.descent.range_test import RangeTest
    from fallline.descent.run import Run
    from fallline.descent.sharded import Costs
    from fallline.jobs.config import FitConfig
    from fallline.jobs.fit import Reporter

MOST_SHARDS = 4096
"""More than there will be devices, and what can be gone through one by one."""


def run_streamed(
    config: FitConfig,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    checkpoint_every: float = fitting.CHECKPOINT_SECONDS,
    reporter: Reporter | None = None,
    crew: Crew | None = None,
) -> TableRun:
    """Do what a config asks for, on a table read in pieces; see `fallline.jobs.fit.fit`.

    Every process of a crew calls it with the same arguments; process 0 writes the run and reports.

    Raises:
        FalllineError: in a sentence, for anything that cannot be done.
    """
    began = time.perf_counter()
    crew = crew or local_crew(config.devices)
    reporter = reporter if reporter is not None and crew.leads else fitting.Reporter()
    if config.data is None:
        raise FalllineError("Only a table in files can be streamed; name it by its path.")
    reporter.reading(config.data)
    # Opening looks through texts for their records, and at every file's end: say that it goes on.
    reporter.scanning(0, 0)
    source = shared_source(config.data, crew)
    target = config.target or source.target
    if not isinstance(target, str) or target not in source.schema:
        raise FalllineError(_no_target(source, target))
    number = shards_for(config, crew)
    other = Other(config.test) if isinstance(config.test, str) and crew.leads else None
    folder = RunFolder(out) if out is not None else None
    require_alike(source, crew)
    seen = source.fingerprint + (other.fingerprint if other else "")
    facts = {"config": config.to_json(), "fingerprint": seen, "streamed": True}
    if crew.leads and folder is not None:
        open_folder(folder, facts, reporter, resume=resume)
    crew.meet([0])
    aside = Aside(Path(out).expanduser() if out is not None else None)
    try:
        ready = prepare(source, target, config, number, crew, aside, reporter)
        if other is not None:
            other.require(ready.encoder)
        reporter.encoded(ready.encoder, dataclasses.asdict(ready.counts))
        prepared = time.perf_counter()
        names = ["linear", "mlp"] if config.model == "auto" else [config.model]
        job = _Job(config, source, ready, crew, aside, folder, resume, checkpoint_every, reporter)
        job.other = other
        runs: dict[str, Run] = {}
        for name in names:
            runs[name] = job.train(name)
            reporter.trained(name, runs[name])
            if runs[name].stop.reason in ASKED_TO_STOP:
                break
        spent = time.perf_counter() - prepared
        cut_short = next((r for r in runs.values() if r.stop.reason in ASKED_TO_STOP), None)
        if cut_short is not None and crew.leads and folder is not None:
            folder.mark("interrupted")
        reporter.measuring()
        crew.beat(True)
        best = min(runs, key=lambda name: fitting.validation_loss(runs[name]))
        train_seconds = sum(run.seconds for run in runs.values())
        result = job.summarise(runs, best, train_seconds)
    except FalllineError:
        # It lies in the run's folder, which only goes away if it is empty.
        aside.close()
        if crew.leads and folder is not None and not resume:
            folder.discard()
        raise
    finally:
        aside.close()
    fitted = TableRun(runs[best], ready.encoder, config, result, folder.path if folder else None)
    result["total_seconds"] = time.perf_counter() - began + max(train_seconds - spent, 0.0)
    result["run"] = str(folder.path) if folder else None
    if cut_short is not None:
        result["stop_reason"], result["sentence"] = cut_short.stop.reason, cut_short.stop.sentence
    if crew.leads and folder is not None and cut_short is None:
        reporter.writing()
        crew.beat(True)
        fitted.save(folder)
    # No process leaves before the run is written: those that launch them may end all with the first.
    crew.meet([0])
    return fitted


def open_folder(
    folder: RunFolder, facts: dict[str, Any], reporter: Reporter, *, resume: bool
) -> None:
    """Start the run's folder, or see that the run in it is the same."""
    if not resume:
        folder.create(facts)
        return
    if said := folder.mend():
        reporter.remark(said)
    if not folder.exists:
        raise FalllineError(f"There is no run to resume in {folder.path}.")
    if not folder.facts().get("streamed"):
        raise FalllineError(
            f"The run in {folder.path} has its table in memory: go on with it in one process, or start "
            "another with --out."
        )
    fitting.require_same(folder, facts)
    folder.sweep()
    folder.mark("running")


def shared_source(data: str, crew: Crew) -> Source:
    """The source, looked at by process 0 and told to all."""
    told = None
    if crew.leads:
        told = json.dumps(open_source(data).to_json()).encode()
    return Source.from_json(json.loads(crew.broadcast(told)))


def require_alike(source: Source, crew: Crew) -> None:
    """Refuse to train where a process has other files than process 0 under the same names.

    Raises:
        FalllineError: in all processes.
    """
    every = crew.exchange(source.fingerprint.encode())
    for process, fingerprint in enumerate(every):
        if fingerprint != every[0]:
            raise FalllineError(
                f"Worker {process} finds other data in {source.name} than worker 0: give all workers the "
                "same files."
            )


def _no_target(source: Source, target: str | None) -> str:
    names = list(source.schema)
    if target is None:
        return fitting.unnamed(names, source.name)
    return f"There is no column {target!r} in {source.name}; it has {fitting.few(names)}."


def shards_for(config: FitConfig, crew: Crew) -> int:
    """How many shards the rows are cut into: as asked for, if a batch can be taken from all alike.

    Raises:
        FalllineError: if the devices cannot share them.
    """
    number = config.shards
    if number > MOST_SHARDS:
        raise FalllineError(
            f"The rows can be cut into {MOST_SHARDS:,} shards at most, not into {number:,}: each is read by "
            "itself."
        )
    if isinstance(config.batch_size, int):
        number = math.gcd(config.batch_size, number)
    if number % crew.devices:
        of = f"batches of {config.batch_size} rows in " if number != config.shards else ""
        raise FalllineError(
            f"{crew.devices} devices cannot share {of}{number} shards alike: choose a number of devices that "
            f"divides the shards, or --shards and --batch-size that {crew.devices} divides."
        )
    return number


@dataclasses.dataclass
class _Job:
    """What training needs, whichever model."""

    config: FitConfig
    source: Source
    ready: Prepared
    crew: Crew
    aside: Aside
    folder: RunFolder | None
    resume: bool
    checkpoint_every: float
    reporter: Reporter
    supply: SourceSupply | None = None
    other: Other | None = None

    @property
    def plan(self) -> BatchPlan:
        """Which rows each step sees."""
        width = len(self.ready.encoder.feature_names)
        config = self.config
        plan = batches.plan(
            self.ready.counts.training, config.batch_size, columns=width, seed=config.seed
        )
        if config.batch_size == "auto" and not plan.full:
            # As many rows from each shard.
            size = -(-plan.size // config.shards) * config.shards
            plan = dataclasses.replace(plan, size=min(size, plan.rows))
        return plan

    def make_supply(self, plan: BatchPlan) -> SourceSupply:
        """Blocks for a plan, as large as memory allows, or as they were when the run began."""
        ready, crew = self.ready, self.crew
        number = len(ready.shards) * crew.size
        batch = None if plan.full else plan.size // number
        stored = 0
        if crew.leads and self.folder is not None:
            stored = self.folder.facts().get("block", 0)
        stored = int(crew.meet([stored])[0, 0])
        if not stored:
            width = len(ready.encoder.feature_names)
            every = ready.longest * number
            stored = block_rows(self.config, width, ready.largest, number, every) // number
            # A process with less memory decides for all.
            stored = -int(crew.meet([-stored])[:, 0].max())
        block = max(stored // (batch or 1), 1) * (batch or 1)
        if self.folder is not None and crew.leads:
            self.folder.note({"block": block})
        if batch is None and block < ready.longest:
            raise FalllineError(
                f"Steps over all {plan.rows:,} rows need them in memory at once: choose a --batch-size."
            )
        pieces = Pieces(self.source, self.config.seed)
        wanted = dict.fromkeys([*ready.encoder.columns, ready.encoder.target])
        pieces.columns = list(wanted)
        return SourceSupply(
            pieces,
            ready.encoder,
            ready.shards,
            self.aside,
            devices=crew.local,
            batch=batch,
            block=block,
            longest=ready.longest,
            seed=self.config.seed,
        )

    def train(self, name: str) -> Run:
        """Train one model, "linear" or "mlp", from its last checkpoint where there is one."""
        config, ready, crew = self.config, self.ready, self.crew
        crew.beat(True)
        plan = self.plan
        if self.supply is None:
            self.supply = self.make_supply(plan)
        epochs = config.epochs or batches.default_epochs(plan)
        sample = fitting.Rows(ready.encoder, ready.sample, None, None)
        model, loss = fitting.model_for(name, sample, config)
        optimizer = config.make_optimizer(name, epochs * plan.steps, plan.steps)
        holds_out = ready.counts.validation > 0
        patience = config.patience
        if patience is None and holds_out:
            patience = batches.default_patience(plan)
        asked: dict[str, Any] = {
            "optimizer": optimizer,
            "batch_size": plan.size,
            "l1": config.l1,
            "l2": config.l2,
            "seed": config.seed,
            "precision": config.precision,
        }
        problem, found_loss = pose(
            model, loss, ready.sample, epochs=epochs, patience=patience, **asked
        )
        self.reporter.training(name, plan, epochs)
        if crew.devices > 1 and name == "mlp" and (config.batch_norm or config.dropout):
            self.reporter.remark(
                "Batch normalisation and dropout work on each device's share of a batch: with another number "
                "of devices the result differs."
            )
        if crew.devices > 1 and config.sync_every > 1:
            self.reporter.remark(
                f"Devices meet only every {config.sync_every} steps: the result depends on their number, and "
                "may be worse than with --sync-every 1."
            )
        snapshot, rate = self._checkpoint(name)
        tried: RangeTest | None = None
        if rate is None and config.learning_rate == "auto":
            tried = self._try_rates(model, loss, asked)
            rate = crew.meet([tried.learning_rate if tried else 0.0])[0, 0]
        if rate is not None:
            problem.optimizer = with_rate(problem.optimizer, float(rate))
        kept = {f.name: getattr(problem, f.name) for f in dataclasses.fields(Problem)}
        kept |= {
            "plan": plan,
            "steps": epochs * plan.steps,
            "epochs": float(epochs),
            "shape": shape_for(plan, crew, self.supply, sync_every=config.sync_every),
        }
        sharded = ShardedProblem(
            **kept,
            supply=self.supply,
            crew=crew,
            shards=len(ready.shards) * crew.size,
            holds_out=holds_out,
            tell=self._tell if crew.size > 1 else None,
        )
        keep = None
        if crew.leads and self.folder is not None:
            counts = dataclasses.asdict(ready.counts)
            about = fitting.about_training(model, loss, plan, ready.encoder, counts)
            keep = fitting.keeper(self.folder, name, about, self.reporter)
        run = descend(
            sharded,
            self.reporter.progress if crew.leads else None,
            keep,
            self.checkpoint_every,
            snapshot,
        )
        run.model, run.loss, run.range_test = model, found_loss, tried
        run.precision = problem.precision
        return run

    def _tell(self, costs: Costs) -> None:
        self.reporter.measured(costs, self.plan, self.crew)

    def _try_rates(self, model: Any, loss: Any, asked: dict[str, Any]) -> RangeTest | None:
        """The range test on the sample, by process 0 alone."""
        if not self.crew.leads:
            return None
        share = 0.2 if self.ready.counts.validation else 0.0
        problem, _ = pose(model, loss, self.ready.sample, validation=share, **asked)
        return find_learning_rate(problem)

    def _checkpoint(self, name: str) -> tuple[Snapshot | None, float | None]:
        """Where process 0 finds that training stood, told to all."""
        if not self.resume or self.folder is None:
            return None, None
        told = None
        if self.crew.leads:
            found = self.folder.load_checkpoint(name, self.reporter.remark)
            told = b"" if found is None else handing.packed(*found)
        content = self.crew.broadcast(told)
        return handing.unpacked(content) if content else (None, None)

    def summarise(self, runs: dict[str, Run], best: str, seconds: float) -> dict[str, Any]:
        """The result of a fit, measured on the held-out rows part by part."""
        assert self.supply is not None
        config, ready, crew = self.config, self.ready, self.crew
        run, encoder, counts = runs[best], ready.encoder, ready.counts
        numbers, measured_on = Totals(encoder, ready.summary), "training"
        parts: Any = self.supply.trained()
        if isinstance(config.test, str):
            measured_on, parts = "test", []
            if self.other is not None:
                parts = self.other.parts(encoder)
        elif counts.test:
            measured_on, parts = "test", self.supply.tested()
        elif counts.validation:
            measured_on = "validation"
            parts = self.aside.parts(ready.shards, cutting.VALIDATION)
        if any(r.stop.reason == "terminated" for r in runs.values()):
            # There is little time left, and nobody will read the result.
            parts = itertools.islice(parts, 1)
        measured = 0
        for shard, (x, y) in parts:
            numbers.add(shard, y, run.predict(x))
            measured += len(y)
            crew.beat()
        rows = dataclasses.asdict(counts)
        if isinstance(config.test, str):
            rows["test"] = measured
        return {
            **fitting.head_of(encoder),
            **numbers.told(crew),
            "measured_on": measured_on,
            **fitting.facts_of(runs, best, seconds),
            "rows": rows,
            "features": len(encoder.feature_names),
            "notes": encoder.notes,
            "streamed": {
                "rows_a_block": self.supply.rows * crew.devices,
                "blocks": self.supply.blocks,
                "shards": len(ready.shards) * crew.size,
                "devices": crew.devices,
                "processes": crew.size,
                "sync_every": config.sync_every,
            },
            "run": None,
        }
