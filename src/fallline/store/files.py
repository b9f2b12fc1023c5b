"""Files that are either whole or not there: a temporary name, flushed to disk, then renamed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import polars as pl


class UnwritableError(FalllineError):
    """A place that cannot be written to; ``fact`` says which and why, without what to do."""

    def __init__(self, fact: str) -> None:
        """Make the sentence from the fact."""
        super().__init__(f"{fact}. Give another place with --out, or make room.")
        self.fact = fact


class DamagedError(FalllineError):
    """A file that is not what it should be; ``fact`` says which and why, without what follows."""

    def __init__(self, fact: str, end: str = "; the run cannot be read from it.") -> None:
        """Make the sentence from the fact."""
        super().__init__(f"{fact}{end}")
        self.fact = fact


def write(path: Path, content: bytes) -> None:
    """Write a file at once or not at all.

    Raises:
        FalllineError: if the place cannot be written to, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> UnwritableError:
    """The sentence for a place that cannot be written to."""
    return UnwritableError(f"{path} cannot be written: {error.strerror or error}")


def sync_folder(path: Path) -> None:
    """Flush a folder's list of names, so that a rename outlives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder of files at once or not at all; the name must not be taken.

    Raises:
        FalllineError: if the place cannot be written to, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.mkdir(parents=True)
        for name, content in files.items():
            with (temporary / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        sync_folder(temporary)
        temporary.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise unwritable(path, error) from None


def remove_folder(path: Path) -> None:
    """Remove a folder so that no half of it is ever seen under its name; what is left is swept away."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with contextlib.suppress(OSError):
        path.rename(temporary)
        shutil.rmtree(temporary, ignore_errors=True)


def to_json(value: Any) -> bytes:
    """JSON, indented, with every float exact; NaN and infinities as null."""
    return (json.dumps(_plain(value), indent=2, ensure_ascii=False) + "\n").encode()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}  # pyright: ignore
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]  # pyright: ignore
    if hasattr(value, "item"):
        # A number of NumPy's, which need not be imported to read a run's facts.
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def from_json(content: bytes, path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        FalllineError: if it is damaged or no object.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise damaged(path, str(error)) from None
    if not isinstance(value, dict):
        raise damaged(path, "it holds no JSON object")
    return value  # pyright: ignore[reportUnknownVariableType]


def sealed(facts: Mapping[str, Any]) -> bytes:
    """JSON with a digest of itself, so that a single changed letter is noticed."""
    return to_json({**facts, "digest": digest(to_json(dict(facts)))})


def require_seal(facts: dict[str, Any], path: Path) -> None:
    """Check what `sealed` wrote, once read back.

    Raises:
        FalllineError: if it has changed since.
    """
    rest = {name: value for name, value in facts.items() if name != "digest"}
    try:
        changed = facts.get("digest") != digest(to_json(rest))
    except (ValueError, RecursionError):
        # Nobody wrote this here: letters that no file can hold, lists without end.
        changed = True
    if changed:
        raise damaged(path, "its content is not what was written")


def damaged(path: Path, why: str) -> DamagedError:
    """The sentence for a file that is not what it should be."""
    return DamagedError(f"{path} is damaged ({why})")


def to_safetensors(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays by name, in the safetensors format."""
    import numpy as np
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(a).reshape(a.shape) for name, a in arrays.items()})


def from_safetensors(content: bytes, path: Path) -> dict[str, np.ndarray]:
    """Read arrays by name.

    Raises:
        FalllineError: if the file is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(content)
    except (SafetensorError, ValueError) as error:
        raise damaged(path, str(error)) from None


def to_parquet(frame: pl.DataFrame) -> bytes:
    """A table in the Parquet format."""
    import io

    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def from_parquet(content: bytes, path: Path) -> pl.DataFrame:
    """Read a table.

    Raises:
        FalllineError: if the file is damaged.
    """
    import io

    import polars as pl

    try:
        return pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise damaged(path, str(error).splitlines()[0]) from None


def digest(content: bytes) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def read(path: Path) -> bytes:
    """A file's content.

    Raises:
        FalllineError: if it is missing or unreadable.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DamagedError(f"{path} cannot be read: {error.strerror or error}", ".") from None
