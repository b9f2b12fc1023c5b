"""A checkpoint handed from one process to the others: numbers by name, no code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fallline.descent.history import EPOCH_FIELDS, STEP_FIELDS, History
from fallline.descent.run import Snapshot
from fallline.store import files


def packed(snapshot: Snapshot, facts: dict[str, Any]) -> bytes:
    """A checkpoint as bytes for the other processes."""
    arrays = {f"carry/{name}": array for name, array in snapshot.arrays.items()}
    history = snapshot.history
    arrays |= {f"steps/{name}": np.asarray(values) for name, values in history.steps.items()}
    arrays |= {f"epochs/{name}": np.asarray(values) for name, values in history.epochs.items()}
    arrays["facts/seconds"] = np.asarray(snapshot.seconds)
    arrays["facts/learning_rate"] = np.asarray(float(facts["learning_rate"]))
    return files.to_safetensors(arrays)


def unpacked(content: bytes) -> tuple[Snapshot, float]:
    """What `packed` made: where training stood, and the learning rate."""
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
