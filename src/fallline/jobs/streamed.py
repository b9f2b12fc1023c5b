"""Fit a table that is read in pieces: larger than memory, or shared by several devices and machines."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline import losses
from fallline.data import shards as cutting
from fallline.data.encode import Encoder
from fallline.data.statistics import Statistics, learn_from, training_summary
from fallline.data.stream import Source, open_source
from fallline.descent import batches
from fallline.descent.crew import Crew, local_crew
from fallline.descent.descend import descend
from fallline.descent.history import EPOCH_FIELDS, STEP_FIELDS, History
from fallline.descent.problem import Problem, pose, with_rate
from fallline.descent.range_test import find_learning_rate
from fallline.descent.run import Snapshot
from fallline.descent.sharded import ShardedProblem, shape_for
from fallline.descent.signals import ASKED_TO_STOP
from fallline.errors import FalllineError
from fallline.jobs import fit as fitting
from fallline.jobs.other import Other
from fallline.jobs.result import TableRun
from fallline.jobs.supply import Aside, Pieces, SourceSupply
from fallline.jobs.totals import Totals
from fallline.memory import free_memory, memory_in_use
from fallline.store import files
from fallline.store.folder import RunFolder

if TYPE_CHECKING:
    import polars as pl

    from fallline.data.shards import Counts, Piece, Shard
    from fallline.descent.batches import BatchPlan
    from fallline.descent.range_test import RangeTest
    from fallline.descent.run import Run
    from fallline.descent.sharded import Costs
    from fallline.jobs.config import FitConfig
    from fallline.jobs.fit import Reporter

SAMPLE = 32_768
"""Training rows that the learning rate is found on, and the model is checked with."""

SAMPLE_BYTES = 16e6

LARGEST_BLOCK = 1 << 30
"""Bytes of a block, at most: beyond, more of them at a time change nothing."""

MOST_SHARDS = 4096
"""More than there will be devices, and what can be gone through one by one."""

MARGIN = 96 << 20
"""Bytes kept free for compiling and for what libraries hold back."""


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What the first pass over a table leaves behind.

    Attributes:
        encoder: how columns become numbers.
        shards: those of this process.
        counts: rows of the whole table by what they serve.
        longest: training rows of the longest shard.
        summary: what there is to know of the training rows' target; see `training_summary`.
        sample: encoded training rows from everywhere.
        sizes: bytes that reading the largest piece took.
    """

    encoder: Encoder
    shards: list[Shard]
    counts: Counts
    longest: int
    summary: dict[str, Any]
    sample: tuple[np.ndarray, np.ndarray]
    largest: int


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
        rows = {**dataclasses.asdict(ready.counts)}
        reporter.encoded(ready.encoder, rows)
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
        reporter.measuring()
        crew.beat(True)
        best = min(runs, key=lambda name: fitting.validation_loss(runs[name]))
        cut_short = next((r for r in runs.values() if r.stop.reason in ASKED_TO_STOP), None)
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
    if crew.leads and folder is not None:
        reporter.writing()
        crew.beat(True)
        if cut_short is not None:
            folder.mark("interrupted")
        else:
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
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    if target is None:
        return f"Name the column to predict with --target; {source.name} has {shown}."
    return f"There is no column {target!r} in {source.name}; it has {shown}."


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


def prepare(
    source: Source,
    target: str,
    config: FitConfig,
    number: int,
    crew: Crew,
    aside: Aside,
    reporter: Reporter,
) -> Prepared:
    """The first pass: learn the encoding, set held-out rows aside, take a sample."""
    test = config.test if isinstance(config.test, float) else 0.0
    counts = cutting.counts(source.rows, config.validation, test)
    every = cutting.shards([chunk.rows for chunk in source.chunks], number, counts)
    each = number // crew.size
    mine = every[crew.rank * each : (crew.rank + 1) * each]
    pieces = Pieces(source, config.seed)
    pieces.columns = [name for name in source.schema if name not in config.drop]
    looked = _Look(pieces, target, config, source, aside, SAMPLE // number)
    total = sum(shard.counts.rows for shard in mine)
    done = 0
    for shard in mine:
        for piece in shard.pieces:
            looked.at(shard, piece)
            done += piece.rows
            crew.beat()
            reporter.scanning(done, total)
    reporter.encoding()
    learned = _merged(looked.statistics, source, crew)
    loss = losses.by_name(config.loss) if config.loss else None
    task = loss.task if config.task == "auto" and loss is not None else config.task
    encoder = learn_from(learned, task=task, standardize_target=loss is None or loss.scale_free)
    if loss is not None and loss.task != encoder.task:
        raise FalllineError(
            f"The loss {config.loss!r} is for {loss.task}, and the task is {encoder.task}."
        )
    looked.encode(encoder, crew)
    return Prepared(
        encoder,
        mine,
        counts,
        max(shard.counts.training for shard in every),
        training_summary(learned, encoder),
        _joined(looked.sample(encoder), len(encoder.feature_names), crew),
        looked.largest,
    )


class _Look:
    """Looks at every piece once."""

    def __init__(
        self,
        pieces: Pieces,
        target: str,
        config: FitConfig,
        source: Source,
        aside: Aside,
        sample: int,
    ) -> None:
        self.pieces, self.target, self.config, self.source = pieces, target, config, source
        self.aside, self.sampled = aside, sample
        self.statistics: dict[int, Statistics] = {}
        self.largest = 0
        self._frames: list[pl.DataFrame] = []
        self._raw: list[tuple[int, Path, np.ndarray]] = []

    def at(self, shard: Shard, piece: Piece) -> None:
        """Learn from a piece, and keep what is held out of it."""
        table = self.pieces.read(piece)
        frame = table.frame
        if self.config.loss == "poisson":
            self._require_counts(frame)
        roles = piece.roles(self.config.seed)
        training = roles == cutting.TRAINING
        if shard.number not in self.statistics:
            self.statistics[shard.number] = Statistics(self.source, self.target, self.config.drop)
        learned = self.statistics[shard.number]
        learned.add(table, None if training.all() else training, piece.chunk, piece.start)
        self.largest = max(self.largest, int(frame.estimated_size()))
        if not training.all():
            path = self.aside.path / f"raw-{len(self._raw)}.arrow"
            self.aside.write_raw(frame.filter(~training), path)
            self._raw.append((shard.number, path, roles[~training]))
        quota = self._quota(shard, piece)
        if quota:
            found = np.flatnonzero(training)
            chosen = found[np.arange(quota) * len(found) // quota]
            self._frames.append(frame[chosen])

    def _require_counts(self, frame: pl.DataFrame) -> None:
        values = frame[self.target]
        if values.dtype.is_numeric() and (values < 0).any():
            raise FalllineError(fitting.below_zero(self.target))

    def _quota(self, shard: Shard, piece: Piece) -> int:
        total = shard.counts.rows
        wish = min(self.sampled, total)
        due = wish * (piece.begin + piece.rows) // total - wish * piece.begin // total
        return min(due, piece.training)

    def encode(self, encoder: Encoder, crew: Crew) -> None:
        """Encode what was held out, file by file."""
        import polars as pl

        for shard, path, roles in self._raw:
            frame = pl.read_ipc(path)
            x, y = encoder.features(frame), encoder.targets(frame)
            for role in (cutting.VALIDATION, cutting.TEST):
                if (roles == role).any():
                    self.aside.add(shard, role, x[roles == role], y[roles == role])
            path.unlink()
            crew.beat()

    def sample(self, encoder: Encoder) -> tuple[np.ndarray, np.ndarray]:
        """The sample, encoded."""
        import polars as pl

        if not self._frames:
            width = len(encoder.feature_names)
            kind = np.float32 if encoder.classes is None else np.int32
            return np.zeros((0, width), np.float32), np.zeros(0, kind)
        frame = pl.concat(self._frames)
        most = max(1, int(SAMPLE_BYTES / (4 * max(len(encoder.feature_names), 1))))
        if frame.height > most:
            frame = frame[np.arange(most) * frame.height // most]
        return encoder.features(frame), encoder.targets(frame)


def _merged(mine: dict[int, Statistics], source: Source, crew: Crew) -> Statistics:
    """What all shards taught, put together in their order, whoever looked at them."""
    if crew.size == 1:
        learned = [mine[number] for number in sorted(mine)]
    else:
        told = json.dumps({number: part.to_json() for number, part in mine.items()}).encode()
        parts: dict[int, Any] = {}
        for content in crew.exchange(told):
            parts |= {int(number): value for number, value in json.loads(content).items()}
        learned = [Statistics.from_json(parts[number], source) for number in sorted(parts)]
    for other in learned[1:]:
        learned[0].merge(other)
    return learned[0]


def _joined(
    sample: tuple[np.ndarray, np.ndarray], width: int, crew: Crew
) -> tuple[np.ndarray, np.ndarray]:
    """The samples of all processes, in the order of their shards."""
    x, y = sample
    rows = [np.frombuffer(part, x.dtype) for part in crew.exchange(x.tobytes())]
    targets = [np.frombuffer(part, y.dtype) for part in crew.exchange(y.tobytes())]
    return np.concatenate(rows).reshape(-1, width), np.concatenate(targets)


def block_rows(config: FitConfig, width: int, largest: int, begun: int, every: int) -> int:
    """How many rows a block may have, all shards together.

    Three blocks may be there at once: the one in use, the next one, and its copy on the device.

    Args:
        config: says how much memory may be used.
        width: encoded columns.
        largest: bytes of the largest piece, as it is read.
        begun: rows of pieces that have been encoded and are waiting, one for each shard.
        every: rows that there are. A block that cannot have them all has a power of two: each time a
            little more or less memory is free, and the same seed is to give the same batches.

    Raises:
        FalllineError: if the memory allowed is too little for any.
    """
    _give_back()
    used = memory_in_use()
    row = 4 * (width + 3)
    limit = config.memory if config.memory is not None else used + free_memory() // 2
    taken = used + MARGIN + 3 * largest + begun * row
    rows = int(min((limit - taken) / 3.2, LARGEST_BLOCK) / row)
    if rows < 4096:
        need = taken + int(3.2 * 16384 * row)
        fewer = ", or take fewer --shards" if config.shards > 1 else ""
        raise FalllineError(
            f"Streaming this table takes at least {math.ceil(need / 1e6):,} MB of memory, of which "
            f"{used / 1e6:,.0f} MB are in use already: allow more with --memory, cut the table into "
            f"smaller row groups{fewer}."
        )
    return rows if rows >= every else 1 << (rows.bit_length() - 1)


def _give_back() -> None:
    """Hand back the memory that libraries hold for later: it would count as in use."""
    import ctypes

    import pyarrow

    pyarrow.default_memory_pool().release_unused()
    # No such function but in glibc; no such name for the program itself on Windows.
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


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
            longest = [max(p.rows for p in shard.pieces) for shard in ready.shards if shard.pieces]
            # One piece of each shard, and what encoding takes for a moment.
            begun = sum(longest) + max(longest, default=0)
            every = ready.longest * number
            stored = block_rows(self.config, width, ready.largest, begun, every) // number
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
            patience = max(10, math.ceil(200 / plan.steps))
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
        run = descend(
            sharded,
            self.reporter.progress if crew.leads else None,
            self._keeper(name, model.describe(), loss.name, plan) if crew.leads else None,
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
            told = b"" if found is None else _packed(*found)
        content = self.crew.broadcast(told)
        return _unpacked(content) if content else (None, None)

    def _keeper(self, name: str, model: Any, loss: str, plan: BatchPlan) -> Any:
        encoder = self.ready.encoder
        classes = None if encoder.classes is None else [str(label) for label in encoder.classes]
        about = {
            "plan": dataclasses.asdict(plan),
            "model": model,
            "loss": loss,
            "rows": dataclasses.asdict(self.ready.counts),
            "features": len(encoder.feature_names),
            "target": encoder.target,
            "task": encoder.task,
            "classes": classes,
        }
        if self.folder is None:
            return None
        return fitting.keeper(self.folder, name, about, self.reporter)

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


def _packed(snapshot: Snapshot, facts: dict[str, Any]) -> bytes:
    """A checkpoint as bytes for the other processes; numbers by name, no code."""
    arrays = {f"carry/{name}": array for name, array in snapshot.arrays.items()}
    history = snapshot.history
    arrays |= {f"steps/{name}": np.asarray(values) for name, values in history.steps.items()}
    arrays |= {f"epochs/{name}": np.asarray(values) for name, values in history.epochs.items()}
    arrays["facts/seconds"] = np.asarray(snapshot.seconds)
    arrays["facts/learning_rate"] = np.asarray(float(facts["learning_rate"]))
    return files.to_safetensors(arrays)


def _unpacked(content: bytes) -> tuple[Snapshot, float]:
    arrays = files.from_safetensors(content, Path("checkpoint"))
    parts: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        head, _, rest = name.partition("/")
        parts.setdefault(head, {})[rest] = array
    steps = {name: parts["steps"][name] for name in STEP_FIELDS}
    epochs = {name: parts["epochs"][name] for name in EPOCH_FIELDS}
    facts = parts["facts"]
    snapshot = Snapshot(parts["carry"], History(steps, epochs, {}, []), float(facts["seconds"]))
    return snapshot, float(facts["learning_rate"])
