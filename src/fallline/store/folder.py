"""The folder of a run.

```
run.json             what was asked for, on which data; at the end, the result and every file's digest
encoder.json         how the table's columns became numbers
model.json           the model's description, its loss, what it predicts
model.safetensors    the parameters to predict with
history.parquet      a row a step
epochs.parquet       a row an epoch
checkpoints/NAME-STEP/   where training stood, each a folder of its own, whole or absent; the last three
```

``run.json`` is written first and, with the digests of all others, last: a folder whose ``run.json`` says
"finished" is complete, any other can be resumed. There is no pickle anywhere.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fallline.errors import FalllineError
from fallline.store import files

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import polars as pl

    from fallline.descent.history import History
    from fallline.descent.run import Snapshot

FORMAT, VERSION = "fallline-run", 1
_CHECKPOINT = re.compile(r"^(?P<name>.+)-(?P<step>\d{12})(?:\.(?P<again>\d+))?$")
_KEPT = 3
_NOT_ASKED = ("format", "version", "fallline", "digest", "status", "result", "files")


class RunFolder:
    """A run's folder, new or found."""

    def __init__(self, path: str | Path) -> None:
        """Name the folder; nothing is read or written yet."""
        self.path = Path(path).expanduser()
        self._made = False
        self._asked: dict[str, Any] = {}

    @property
    def exists(self) -> bool:
        """Is there a run in this folder?"""
        return (self.path / "run.json").is_file()

    def create(self, facts: dict[str, Any]) -> None:
        """Start a run: make the folder and write what was asked for.

        Raises:
            FalllineError: if the folder holds something already, or cannot be written.
        """
        self._made = not self.path.exists()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            taken = any(not entry.name.startswith(".") for entry in self.path.iterdir())
        except OSError as error:
            raise files.unwritable(self.path, error) from None
        if taken:
            raise FalllineError(
                f"{self.path} is not empty; give another --out, or go on with --resume."
            )
        created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._write_facts({**facts, "status": "running", "created": created})

    def _write_facts(self, facts: dict[str, Any]) -> None:
        from fallline import __version__

        head = {"format": FORMAT, "version": VERSION, "fallline": __version__}
        rest = {name: value for name, value in facts.items() if name not in (*head, "digest")}
        files.write(self.path / "run.json", files.sealed({**head, **rest}))
        self._asked = _asked(rest)

    def facts(self) -> dict[str, Any]:
        """What ``run.json`` says.

        Raises:
            FalllineError: if there is no run here, or a damaged one, or one of a later version.
        """
        path = self.path / "run.json"
        if not path.is_file():
            what = "is no folder" if not self.path.is_dir() else "holds no run (no run.json)"
            raise FalllineError(f"{self.path} {what}; 'fallline runs' lists the runs here.")
        facts = files.from_json(files.read(path), path)
        if facts.get("format") != FORMAT:
            raise FalllineError(
                f"{path} was not written by Fallline; there is no run in this folder."
            )
        if not isinstance(facts.get("version"), int) or facts["version"] > VERSION:
            raise FalllineError(
                f"{path} was written by a later Fallline ({facts.get('fallline')}); upgrade to read it."
            )
        files.require_seal(facts, path)
        self._asked = _asked(facts)
        return facts

    def mend(self) -> str:
        """Before a run goes on: write a damaged ``run.json`` anew, from what the checkpoints know of it.

        Returns:
            The sentence that says so, or "" if there was nothing to mend.

        Raises:
            FalllineError: if it is damaged and no checkpoint knows.
        """
        path = self.path / "run.json"
        places = sorted(self.path.glob("checkpoints/*-*"), reverse=True)
        if not path.exists() and not places:
            return ""
        try:
            if path.exists():
                self.facts()
                return ""
            fact = f"{path} is missing"
        except files.DamagedError as error:
            if not places:
                raise
            fact = error.fact
        for place in places:
            with contextlib.suppress(FalllineError):
                asked = _about(place).get("run")
                if asked:
                    self._write_facts({**asked, "status": "interrupted"})
                    return f"{fact}; it was written anew from what {place.name} knows of it."
        raise FalllineError(f"{fact}, and no checkpoint is whole; start another run with --out.")

    def discard(self) -> None:
        """Take away a run that `create` began and that came to nothing; one with checkpoints stays."""
        if any(self.path.glob("checkpoints/*")):
            return
        with contextlib.suppress(OSError):
            (self.path / "run.json").unlink()
            if self._made:
                self.path.rmdir()

    def sweep(self) -> None:
        """Remove what a killed process left half written."""
        for folder in (self.path, self.path / "checkpoints"):
            for left in folder.glob(".*.tmp"):
                if left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
                else:
                    left.unlink(missing_ok=True)

    def note(self, more: dict[str, Any]) -> None:
        """Add to what ``run.json`` says of a run under way."""
        self._write_facts({**self.facts(), **more})

    def mark(self, status: str) -> None:
        """Note how the run stands: "running" or "interrupted"."""
        facts = self.facts()
        self._write_facts({**facts, "status": status})

    def finish(
        self,
        result: dict[str, Any],
        encoder: dict[str, Any],
        model: dict[str, Any],
        arrays: dict[str, np.ndarray],
        history: History,
    ) -> None:
        """Write all that a finished run consists of; ``run.json`` last, with the digests."""
        contents = {
            "encoder.json": files.to_json(encoder),
            "model.json": files.to_json(model),
            "model.safetensors": files.to_safetensors(arrays),
            "history.parquet": files.to_parquet(history.frame()),
            "epochs.parquet": files.to_parquet(history.epoch_frame()),
        }
        digests = {name: files.digest(content) for name, content in contents.items()}
        try:
            for name, content in contents.items():
                files.write(self.path / name, content)
            facts = {**self.facts(), "status": "finished", "result": result, "files": digests}
            self._write_facts(facts)
        except files.UnwritableError as error:
            raise FalllineError(
                f"{error.fact}. Make room; the run then goes on with  fallline fit --resume --out "
                f"{self.path}"
            ) from None

    def read(self, name: str, facts: dict[str, Any]) -> bytes:
        """One file of a finished run, its digest checked.

        Raises:
            FalllineError: if the run is not finished, or the file is missing or damaged.
        """
        if facts.get("status") != "finished":
            raise FalllineError(
                f"The run in {self.path} is not finished; go on with  fallline fit --resume --out "
                f"{self.path}"
            )
        path = self.path / name
        content = files.read(path)
        if files.digest(content) != facts.get("files", {}).get(name):
            raise files.damaged(path, "its content is not what was written")
        return content

    def history(self, facts: dict[str, Any]) -> History:
        """The history of a finished run."""
        steps = files.from_parquet(self.read("history.parquet", facts), self.path)
        epochs = files.from_parquet(self.read("epochs.parquet", facts), self.path)
        return history_from(steps, epochs)

    def save_checkpoint(self, name: str, snapshot: Snapshot, facts: dict[str, Any]) -> None:
        """Keep where training stands, and of older checkpoints of the name only the newest.

        At no moment is there no whole one: an old one goes when the new one is there.

        Args:
            name: which training (a run may train several models).
            snapshot: where it stands.
            facts: what else is needed to go on; JSON.

        Raises:
            FalllineError: if it cannot be written; the older ones are still there.
        """
        step = int(snapshot.arrays["step"])
        contents = {
            "carry.safetensors": files.to_safetensors(snapshot.arrays),
            "history.parquet": files.to_parquet(snapshot.history.frame()),
            "epochs.parquet": files.to_parquet(snapshot.history.epoch_frame()),
        }
        digests = {n: files.digest(content) for n, content in contents.items()}
        known = {"run": self._asked} if self._asked else {}
        about = {**facts, **known, "seconds": snapshot.seconds, "files": digests}
        place = self.path / "checkpoints" / f"{name}-{step:012d}"
        older = self.checkpoints(name)
        same = [old for old in older if _place(old)[1] == step]
        if same and _holds(same[-1], digests):
            # The end of a run may fall on a step already kept; what differs is only in the facts.
            place = same[-1]
            files.write(place / "checkpoint.json", files.sealed(about))
        else:
            if same:
                place = place.with_name(f"{place.name}.{_place(same[-1])[2] + 1}")
            files.write_folder(place, {**contents, "checkpoint.json": files.sealed(about)})
        # Later ones are of no use either: training went back before them, because they are damaged.
        outdated = [old for old in older if _place(old)[1] >= step and old != place]
        before = [old for old in older if _place(old)[1] < step]
        for old in [*before[: -(_KEPT - 1)], *outdated]:
            files.remove_folder(old)

    def checkpoints(self, name: str) -> list[Path]:
        """The checkpoints of a training, oldest first."""
        folder = self.path / "checkpoints"
        if not folder.is_dir():
            return []
        matching = (p for p in folder.iterdir() if _CHECKPOINT.match(p.name))
        return sorted((p for p in matching if _place(p)[0] == name), key=_place)

    def load_checkpoint(
        self, name: str, tell: Callable[[str], object] | None = None
    ) -> tuple[Snapshot, dict[str, Any]] | None:
        """The newest checkpoint of a training that is whole, or None.

        A damaged one falls back to the one before; with none, training starts anew and ends at the same
        numbers.

        Args:
            name: which training.
            tell: is given a sentence where some had to be passed over: which, why, and from where
                training goes on instead.
        """
        passed: list[str] = []
        found = None
        for place in reversed(self.checkpoints(name)):
            try:
                found = _read_checkpoint(place)
                break
            except files.DamagedError as error:
                passed.append(error.fact)
        if passed and tell is not None:
            instead = "no whole one is left, and training starts anew"
            if found is not None:
                instead = f"training goes on from step {int(found[0].arrays['step']):,} instead"
            tell(f"{', '.join(passed)}; {instead}.")
        return found


def _asked(facts: dict[str, Any]) -> dict[str, Any]:
    """Of what ``run.json`` says, that which a run needs to go on; checkpoints keep it too."""
    return {name: value for name, value in facts.items() if name not in _NOT_ASKED}


def _place(path: Path) -> tuple[str, int, int]:
    """Of which training a checkpoint is, at which step, and how often one of this step was written before."""
    match = _CHECKPOINT.match(path.name)
    assert match is not None
    return match["name"], int(match["step"]), int(match["again"] or 0)


def _holds(place: Path, digests: dict[str, str]) -> bool:
    """Does a checkpoint hold just these files, undamaged?"""
    try:
        return all(files.digest(files.read(place / n)) == d for n, d in digests.items())
    except FalllineError:
        return False


def _about(place: Path) -> dict[str, Any]:
    """What a checkpoint's ``checkpoint.json`` says."""
    facts = files.from_json(files.read(place / "checkpoint.json"), place / "checkpoint.json")
    files.require_seal(facts, place / "checkpoint.json")
    return facts


def _read_checkpoint(place: Path) -> tuple[Snapshot, dict[str, Any]]:
    from fallline.descent.run import Snapshot

    facts = _about(place)
    contents: dict[str, bytes] = {}
    for name, expected in facts["files"].items():
        contents[name] = files.read(place / name)
        if files.digest(contents[name]) != expected:
            raise files.damaged(place / name, "its content is not what was written")
    history = history_from(
        files.from_parquet(contents["history.parquet"], place),
        files.from_parquet(contents["epochs.parquet"], place),
    )
    arrays = files.from_safetensors(contents["carry.safetensors"], place)
    return Snapshot(arrays, history, float(facts["seconds"])), facts


def history_from(steps: pl.DataFrame, epochs: pl.DataFrame) -> History:
    """A history from its two tables."""
    import numpy as np

    # The engine brings JAX along, which a list of runs can do without.
    from fallline.descent.history import History
    from fallline.descent.loop import EPOCH_FIELDS, LAYER_FIELDS, STEP_FIELDS

    leaves = [
        column.partition(":")[2] for column in steps.columns if column.startswith(LAYER_FIELDS[0])
    ]
    layers = {
        field: np.stack([steps[f"{field}:{leaf}"].to_numpy() for leaf in leaves], axis=1)
        for field in LAYER_FIELDS
        if leaves
    }
    return History(
        {field: steps[field].to_numpy() for field in STEP_FIELDS},
        {field: epochs[field].to_numpy() for field in EPOCH_FIELDS},
        layers,
        leaves,
    )


def runs_in(folder: str | Path) -> list[tuple[Path, dict[str, Any] | None]]:
    """The runs below a folder with what their ``run.json`` says (None where it is damaged)."""
    found: list[tuple[Path, dict[str, Any] | None]] = []
    for path in sorted(Path(folder).glob("*/run.json")):
        try:
            found.append((path.parent, RunFolder(path.parent).facts()))
        except FalllineError:
            found.append((path.parent, None))
    return found
