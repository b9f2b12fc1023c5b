"""The folder of a run.

```
run.json             what was asked for, on which data; at the end, the result and every file's digest
encoder.json         how the table's columns became numbers
model.json           the model's description, its loss, what it predicts
model.safetensors    the parameters to predict with
history.parquet      a row a step
epochs.parquet       a row an epoch
checkpoints/NAME-STEP/   where training stood, each a folder of its own, whole or absent
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
    import numpy as np
    import polars as pl

    from fallline.descent.history import History
    from fallline.descent.run import Snapshot

FORMAT, VERSION = "fallline-run", 1
_CHECKPOINT = re.compile(r"^(?P<name>.+)-(?P<step>\d{12})$")
_KEPT = 2


class RunFolder:
    """A run's folder, new or found."""

    def __init__(self, path: str | Path) -> None:
        """Name the folder; nothing is read or written yet."""
        self.path = Path(path).expanduser()
        self._made = False

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
        return facts

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
        for name, content in contents.items():
            files.write(self.path / name, content)
        digests = {name: files.digest(content) for name, content in contents.items()}
        facts = {**self.facts(), "status": "finished", "result": result, "files": digests}
        self._write_facts(facts)

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

        Args:
            name: which training (a run may train several models).
            snapshot: where it stands.
            facts: what else is needed to go on; JSON.
        """
        step = int(snapshot.arrays["step"])
        place = self.path / "checkpoints" / f"{name}-{step:012d}"
        if place.exists():
            # The end of a run may fall on a step already kept; what differs is only in the facts.
            shutil.rmtree(place)
        contents = {
            "carry.safetensors": files.to_safetensors(snapshot.arrays),
            "history.parquet": files.to_parquet(snapshot.history.frame()),
            "epochs.parquet": files.to_parquet(snapshot.history.epoch_frame()),
        }
        digests = {n: files.digest(content) for n, content in contents.items()}
        about = {**facts, "seconds": snapshot.seconds, "files": digests}
        files.write_folder(place, {**contents, "checkpoint.json": files.sealed(about)})
        for old in self.checkpoints(name)[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)

    def checkpoints(self, name: str) -> list[Path]:
        """The checkpoints of a training, oldest first."""
        folder = self.path / "checkpoints"
        if not folder.is_dir():
            return []
        matches = ((_CHECKPOINT.match(p.name), p) for p in folder.iterdir())
        found = [(int(m["step"]), p) for m, p in matches if m and m["name"] == name]
        return [p for _, p in sorted(found)]

    def load_checkpoint(self, name: str) -> tuple[Snapshot, dict[str, Any]] | None:
        """The newest checkpoint of a training that is whole, or None."""
        for place in reversed(self.checkpoints(name)):
            try:
                return _read_checkpoint(place)
            except FalllineError:
                # A damaged one falls back to the one before; with none, training starts anew and
                # ends at the same numbers.
                continue
        return None


def _read_checkpoint(place: Path) -> tuple[Snapshot, dict[str, Any]]:
    from fallline.descent.run import Snapshot

    facts = files.from_json(files.read(place / "checkpoint.json"), place)
    files.require_seal(facts, place)
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
