"""How much memory a table would take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fallline.data import places
from fallline.errors import FalllineError

_SAMPLE = 1 << 18
_FOOTERS = 16


def weight(data: Any) -> int | None:
    """How many bytes a table would take in memory, estimated from file sizes, footers and a sample.

    Args:
        data: What `fallline.data.readers.read_table` takes.

    Returns:
        The estimate; None where it is not known without reading: frames, bundled sets, formats
        that cannot be read in chunks, files that are not there.
    """
    from fallline.data.datasets import BUNDLED
    from fallline.data.stream import kind_of

    if not isinstance(data, (str, Path, list, tuple)):
        return None
    if str(data) in BUNDLED and not Path(str(data)).is_file():
        return None
    kind = kind_of(data)  # pyright: ignore[reportUnknownArgumentType]
    if kind is None:
        return None
    try:
        files = places.expand(data)  # pyright: ignore[reportUnknownArgumentType]
        sizes = [places.size(place) for place in files]
        return round(sum(sizes) * _growth(kind, files, sizes))
    except (FalllineError, OSError, ValueError):
        # Reading will say what is wrong.
        return None


def _growth(kind: str, files: list[str], sizes: list[int]) -> float:
    """Bytes in memory for a byte in the files."""
    if kind == "npy":
        return 1.0
    looked = min(len(files), _FOOTERS if kind == "parquet" else 1)
    chosen = [i * len(files) // looked for i in range(looked)]
    if kind == "parquet":
        from fallline.data.stream_parquet import bytes_in_memory

        taken = sum(bytes_in_memory(files[i]) for i in chosen)
        return taken / max(sum(sizes[i] for i in chosen), 1)
    from fallline.data.delimited import read_delimited

    place = files[chosen[0]]
    with places.open_input(place) as file:
        sample = file.read(_SAMPLE)
    whole = sample[: sample.rfind(b"\n") + 1] if len(sample) == _SAMPLE else sample
    ending = Path(places.name_of(place)).suffix.lower()
    piece: Any = places.Piece(whole, places.name_of(place))
    frame = read_delimited(piece, "\t" if ending == ".tsv" else None)
    return frame.estimated_size() / max(len(whole), 1)
