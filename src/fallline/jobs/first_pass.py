"""The first pass over a table that is streamed: how to encode it, what is held out, a sample."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline import losses
from fallline.data import shards as cutting
from fallline.data.statistics import Statistics, learn_from, training_summary
from fallline.errors import FalllineError
from fallline.jobs import fit as fitting
from fallline.jobs.supply import PART, Aside, Pieces

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from fallline.data.encode import Encoder
    from fallline.data.shards import Counts, Piece, Shard
    from fallline.data.stream import Source
    from fallline.descent.crew import Crew
    from fallline.jobs.config import FitConfig
    from fallline.jobs.fit import Reporter

SAMPLE = 32_768
"""Training rows that the learning rate is found on, and the model is checked with."""

SAMPLE_BYTES = 16e6


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
        largest: bytes that reading the largest piece took, of all processes'.
    """

    encoder: Encoder
    shards: list[Shard]
    counts: Counts
    longest: int
    summary: dict[str, Any]
    sample: tuple[np.ndarray, np.ndarray]
    largest: int


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
            aside.sign_of_life()
            reporter.scanning(done, total)
    reporter.encoding()
    learned = _merged(looked.statistics, source, crew)
    loss = losses.by_name(config.loss) if config.loss else None
    task = loss.task if config.task == "auto" and loss is not None else config.task
    encoder = learn_from(learned, task=task, standardize_target=loss is None or loss.scale_free)
    fitting.require_task(config, encoder)
    looked.encode(encoder, crew)
    return Prepared(
        encoder,
        mine,
        counts,
        max(shard.counts.training for shard in every),
        training_summary(learned, encoder),
        _joined(looked.sample(encoder), len(encoder.feature_names), crew),
        int(crew.meet([looked.largest])[:, 0].max()),
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
            for role in (cutting.VALIDATION, cutting.TEST):
                some = frame.filter(roles == role)
                for part in some.iter_slices(PART):
                    self.aside.add(shard, role, encoder.features(part), encoder.targets(part))
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
