"""What a user asks `fallline.fit` for, checked before any work is done."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fallline import losses, models, optimizers, schedules
from fallline.descent import stopping
from fallline.descent.precision import WORDS, require
from fallline.errors import FalllineError, lookup, nearest
from fallline.optimizers.base import hyperparameter_names

if TYPE_CHECKING:
    from collections.abc import Mapping

NETWORK_DECAY, NETWORK_AVERAGE = 0.1, 0.99
"""A network's weight decay and weight average; chosen, like the cuts on a plateau, on the tables of
benchmarks/README.md."""

MODELS = {"auto": None, "linear": models.Linear, "mlp": models.MLP}


@dataclasses.dataclass(frozen=True)
class FitConfig:
    """Everything that decides the result of a fit; it is stored with the run, and `--resume` reads it.

    Attributes:
        data: a path, or the name of a bundled set; None for a table given in memory.
        target: the column to predict; None where the source names it.
        task: "auto", "regression" or "classification".
        model: "auto" trains both and keeps the better on the validation rows; "linear" or "mlp".
        hidden: units of the network's hidden layers.
        activation: of the hidden layers.
        batch_norm: normalise the hidden layers.
        dropout: share of hidden units dropped in training.
        init: how the weights are drawn.
        loss: a loss by name; by default the task's: squared error or cross-entropy.
        optimizer: by name.
        learning_rate: a number, or "auto" for the range test.
        schedule: how the rate changes, in epochs: "exponential:0.95", "cosine", ...; "auto" cuts it
            to 0.3 of itself after 3 epochs, or 100 steps, without a better validation loss.
        batch_size: "auto", "full" or rows a step.
        epochs: passes over the training rows; None for 100, or enough for 2000 steps.
        validation: share of the rows held out to decide when to stop.
        test: share of the rows held out for the final measure, or another table's path.
        patience: epochs without a better validation loss before training stops; None for 10, or enough
            for 200 steps; inf for never.
        l1: penalty on absolute weights.
        l2: penalty on squared weights.
        weight_decay: decoupled decay of the weights; None for 0.1 in a network, 0 in a linear model.
        clip_norm: longest gradient; longer ones are shortened to it.
        average: predict with the exponentially weighted average of the weights over the steps, of which
            this share is kept at each; None for 0.99 in a network and none in a linear model; 0 for none.
        drop: columns to leave out.
        seed: decides the split, the initial weights and the order of rows.
        precision: "bfloat16" rounds what the layers multiply to it, as in `fallline.train`; None for single.
        hyperparameters: further numbers of the optimizer, by name.
        stream: read the table in pieces, as often as it is passed over; "auto" does so where it would take
            more than half of the free memory, or where several devices or machines share the work.
        memory: bytes that training may take at most where it streams; None for half of the free memory.
        shards: into how many parts the rows are cut where they are streamed. A batch takes as many rows
            from each, so that batches are the same for any number of devices that divides it.
        sync_every: steps between two exchanges of several devices; above 1 each descends alone in between,
            and the parameters are then averaged.
        devices: how many of this machine's devices share the work; None for one, or for all of them where
            several machines take part.
    """

    data: str | None = None
    target: str | None = None
    task: str = "auto"
    model: str = "auto"
    hidden: tuple[int, ...] = (128, 64)
    activation: str = "relu"
    batch_norm: bool = False
    dropout: float = 0.0
    init: str = "auto"
    loss: str | None = None
    optimizer: str = "adam"
    learning_rate: float | str = "auto"
    schedule: str = "auto"
    batch_size: int | str = "auto"
    epochs: int | None = None
    validation: float = 0.1
    test: float | str = 0.2
    patience: float | None = None
    l1: float = 0.0
    l2: float = 0.0
    weight_decay: float | None = None
    clip_norm: float | None = None
    average: float | None = None
    drop: tuple[str, ...] = ()
    seed: int = 0
    precision: str | None = None
    hyperparameters: Mapping[str, float] = dataclasses.field(default_factory=dict[str, float])
    stream: bool | str = "auto"
    memory: int | None = None
    shards: int = 8
    sync_every: int = 1
    devices: int | None = None

    def __post_init__(self) -> None:
        """Check every word and number that can be checked without the data.

        Raises:
            FalllineError: for the first that does not fit.
        """
        if self.task not in ("auto", "regression", "classification"):
            raise FalllineError(
                f"There is no task called {self.task!r}: choose auto, regression or classification."
            )
        lookup("model", MODELS, self.model)
        require(self.precision, WORDS[:2])
        if self.learning_rate != "auto":
            _number("The learning rate", self.learning_rate)
        stopping.positive("The number of epochs", self.epochs, whole=True)
        stopping.positive("The patience", self.patience)
        for name in ("l1", "l2", "weight_decay"):
            stopping.positive(f"--{name.replace('_', '-')}", getattr(self, name), zero=True)
        stopping.positive("--clip-norm", self.clip_norm)
        if self.average is not None and not 0 <= self.average < 1:
            raise FalllineError(
                f"The average must keep a share of at least 0 and below 1; it was given {self.average:g}."
            )
        for name in ("validation", "test"):
            share = getattr(self, name)
            if name == "test" and isinstance(share, str):
                continue
            if not isinstance(share, (int, float)) or not 0 <= share < 1:
                raise FalllineError(
                    f"The {name} share must be at least 0 and below 1; it was given {share!r}."
                )
        if not isinstance(self.seed, int):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise FalllineError(f"The seed must be a whole number; it was given {self.seed!r}.")
        if self.model == "auto" and not self.validation:
            raise FalllineError(
                "--model auto compares two models on validation rows: give a --validation share above "
                "0, or choose --model linear or --model mlp."
            )
        if not self.hidden and self.model != "linear":
            raise FalllineError("A network needs at least one hidden layer: --hidden 64, say.")
        if not isinstance(self.stream, bool) and self.stream != "auto":
            raise FalllineError(
                f"stream must be true, false or auto; it was given {self.stream!r}."
            )
        counts = {"bytes of --memory": self.memory, "shards": self.shards, "devices": self.devices}
        counts["steps between two exchanges"] = self.sync_every
        for name, count in counts.items():
            stopping.positive(f"The number of {name}", count, whole=True)
        # Build everything once on a small scale, so that a wrong word is told before reading.
        models.MLP(
            1, self.hidden or (1,), 1, self.activation, self.batch_norm, self.dropout, self.init
        )
        if self.loss is not None:
            losses.by_name(self.loss)
        self.make_optimizer("mlp", steps=1, epoch=1)

    def make_optimizer(self, model: str, steps: int, epoch: int) -> Any:
        """The optimizer with its schedule, decay and clipping.

        Args:
            model: "linear" or "mlp", which differ in the decay and the averaging they have by default.
            steps: updates of the whole run, for schedules that end with it.
            epoch: updates an epoch, the unit of schedules.
        """
        fields: dict[str, Any] = dict(self.hyperparameters)
        cls = lookup("optimizer", optimizers.OPTIMIZERS, self.optimizer.lower())
        decays = "weight_decay" in hyperparameter_names(cls)
        decay = self.weight_decay
        if decay is None:
            decay = NETWORK_DECAY if model == "mlp" else 0.0
        if decays:
            fields["weight_decay"] = decay
        if self.learning_rate != "auto":
            fields["learning_rate"] = self.learning_rate
        optimizer: Any = optimizers.by_name(self.optimizer, **fields)
        words = self.schedule
        if words == "auto":
            words = "constant"
            if self.validation:
                # With few steps an epoch, three epochs are too few to tell a plateau.
                words = f"plateau:0.3:{max(3, -(-100 // epoch))}"
        if words != "constant":
            schedule = parse_schedule(words, steps=steps, epoch=epoch)
            optimizer = optimizer.with_rate(schedule.with_initial(optimizer.learning_rate))
        if decay and not decays:
            optimizer = optimizers.WeightDecay(optimizer, decay)
        if self.clip_norm:
            optimizer = optimizers.ClipByGlobalNorm(optimizer, self.clip_norm)
        kept = self.average
        if kept is None:
            kept = NETWORK_AVERAGE if model == "mlp" else 0.0
        if kept:
            optimizer = optimizers.EMA(optimizer, kept)
        return optimizer

    def to_json(self) -> dict[str, Any]:
        """The config as JSON can hold it."""
        fields = dataclasses.asdict(self)
        lists = {"hidden": list(self.hidden), "drop": list(self.drop)}
        return {**fields, **lists, "patience": _infinite(self.patience)}

    @staticmethod
    def from_json(fields: dict[str, Any]) -> FitConfig:
        """The config that `to_json` wrote.

        Raises:
            FalllineError: if a field is unknown or its value makes no sense.
        """
        known = [field.name for field in dataclasses.fields(FitConfig)]
        for name in fields:
            if name not in known:
                raise FalllineError(f"A fit has no {name!r}: {nearest(name, known)}")
        values = dict(fields)
        if "hidden" in values:
            units = values["hidden"]
            several = isinstance(units, (list, tuple))
            words = ",".join(map(str, units)) if several else str(units)  # pyright: ignore
            values["hidden"] = parse_hidden(words) if words else ()
        if "drop" in values:
            names = values["drop"]
            values["drop"] = (names,) if isinstance(names, str) else tuple(names)
        if values.get("patience") == "never":
            values["patience"] = float("inf")
        return FitConfig(**values)

    def with_set(self, assignments: list[str]) -> FitConfig:
        """The config with ``field=value`` assignments: its own fields, or the optimizer's numbers.

        Raises:
            FalllineError: if a field is unknown (the nearest is named) or a value does not fit.
        """
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        cls = lookup("optimizer", optimizers.OPTIMIZERS, self.optimizer.lower())
        numbers = [n for n in hyperparameter_names(cls) if n not in own]
        changes: dict[str, Any] = {}
        extra = dict(self.hyperparameters)
        for assignment in assignments:
            name, equals, text = assignment.partition("=")
            name = name.strip().replace("-", "_")
            if not equals:
                raise FalllineError(f"--set needs field=value; it was given {assignment!r}.")
            if name in numbers:
                extra[name] = _number(f"--set {name}", text)
            elif name in own and name != "hyperparameters":
                changes[name] = _parsed(name, text, own[name])
            else:
                known = [*numbers, *(n for n in own if n != "hyperparameters")]
                raise FalllineError(f"--set knows no {name!r}: {nearest(name, known)}")
        return dataclasses.replace(self, **changes, hyperparameters=extra)


def _infinite(value: float | None) -> float | str | None:
    return "never" if value == float("inf") else value


def _number(name: str, text: Any) -> float:
    try:
        number = float(text)
    except (TypeError, ValueError):
        raise FalllineError(f"{name} must be a number; it was given {text!r}.") from None
    if not number >= 0 or number == float("inf"):
        raise FalllineError(f"{name} must be a finite number of 0 or more; it was given {text}.")
    return number


def _parsed(name: str, text: str, current: Any) -> Any:
    """A field's value from the text of ``--set``, in the kind that the field has."""
    text = text.strip()
    if name == "hidden":
        return parse_hidden(text)
    if name == "drop":
        return tuple(part.strip() for part in text.split(","))
    if isinstance(current, bool):
        if text.lower() not in ("true", "false", "yes", "no", "1", "0"):
            raise FalllineError(f"--set {name} must be true or false; it was given {text!r}.")
        return text.lower() in ("true", "yes", "1")
    if name in ("batch_size", "learning_rate", "test"):
        return parse_number_or_word(text)
    if name == "stream":
        return {"true": True, "yes": True, "false": False, "no": False}.get(text.lower(), text)
    if name in ("epochs", "seed", "memory", "shards", "sync_every", "devices"):
        number = _number(f"--set {name}", text)
        return int(number) if number == int(number) else number
    if name == "patience":
        return parse_patience(text)
    if isinstance(current, float) or name in ("clip_norm", "weight_decay", "average"):
        return _number(f"--set {name}", text)
    return text


def parse_hidden(text: str) -> tuple[int, ...]:
    """``"128,64"`` -> (128, 64).

    Raises:
        FalllineError: if it is no list of whole numbers from 1 up.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise FalllineError(
            f"Hidden layers are given as units separated by commas, as in 128,64; not as {text!r}."
        )
    return tuple(int(part) for part in parts)


def parse_number_or_word(text: str) -> Any:
    """A whole number, a number, or the text itself."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def parse_patience(text: str) -> float | None:
    """Epochs, "auto" (None) or "never" (infinity).

    Raises:
        FalllineError: for anything else.
    """
    if text == "auto":
        return None
    return float("inf") if text == "never" else _number("The patience", text)


_FORMS = {
    "constant": "constant",
    "exponential": "exponential:FACTOR[:EPOCHS], multiplied by the factor every so many epochs",
    "inverse": "inverse[:RATE[:EPOCHS]]",
    "step": "step:FACTOR:EPOCHS, cut by the factor every so many epochs",
    "piecewise": "piecewise:EPOCH=FACTOR,EPOCH=FACTOR,...",
    "polynomial": "polynomial[:POWER[:FINAL]]",
    "cosine": "cosine[:FINAL], down to that share of the initial rate",
    "plateau": "plateau[:FACTOR[:EPOCHS]]",
    "warmup": "warmup:EPOCHS[+ANOTHER SCHEDULE]",
}


def parse_schedule(text: str, *, steps: int, epoch: int) -> schedules.Schedule:
    """A schedule from the command line's words, whose unit is the epoch.

    Args:
        text: ``"exponential:0.95"``, ``"step:0.5:10"``, ``"cosine"``, ``"warmup:2+cosine"``, ...
        steps: updates of the whole run.
        epoch: updates an epoch.

    Raises:
        FalllineError: if the name is unknown or the numbers do not fit it.
    """
    head, _, rest = text.partition("+")
    name, *words = head.split(":")
    lookup("schedule", _FORMS, name)
    wrong = FalllineError(f"The schedule {text!r} is not understood; its form is  {_FORMS[name]}.")
    if rest and name != "warmup":
        raise wrong
    try:
        if name == "piecewise":
            pairs = [pair.split("=") for pair in ":".join(words).split(",")]
            boundaries = tuple(float(at) * epoch for at, _ in pairs)
            return schedules.Piecewise(1.0, boundaries, tuple(float(f) for _, f in pairs))
        numbers = [float(word) for word in words]
        if any(not 0 <= number < float("inf") for number in numbers):
            raise wrong
        match name, numbers:
            case "constant", []:
                return schedules.Constant(1.0)
            case "exponential", [factor]:
                return schedules.ExponentialDecay(1.0, factor, epoch)
            case "exponential", [factor, every]:
                return schedules.ExponentialDecay(1.0, factor, every * epoch)
            case "inverse", [] | [_] | [_, _]:
                rate, every = (*numbers, 1.0, 1.0)[:2] if numbers else (1.0, 1.0)
                return schedules.InverseTimeDecay(1.0, rate, every * epoch)
            case "step", [factor, every]:
                return schedules.StepDecay(1.0, factor, every * epoch)
            case "polynomial", [] | [_] | [_, _]:
                power, final = numbers + [1.0, 0.0][len(numbers) :]
                return schedules.PolynomialDecay(1.0, steps, final, power)
            case "cosine", [] | [_]:
                return schedules.CosineDecay(1.0, steps, *numbers)
            case "plateau", [] | [_] | [_, _]:
                return schedules.ReduceOnPlateau(1.0, *numbers)
            case "warmup", [epochs]:
                rise = epochs * epoch
                left = max(steps - int(rise), 1)
                then = parse_schedule(rest or "constant", steps=left, epoch=epoch)
                return schedules.WarmUp(then, rise)
            case _:
                raise wrong
    except ValueError:
        raise wrong from None


def path_of(data: str | None) -> Path | None:
    """The file a config names, if it names one that is there."""
    if data is None:
        return None
    path = Path(data).expanduser()
    return path if path.is_file() else None
