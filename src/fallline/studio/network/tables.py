"""The tables that a page can train on: the user's own, the bundled ones, and some that are made up."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Any

from fallline.data.datasets import BUNDLED
from fallline.data.kinds import sort_of
from fallline.data.readers import read_table
from fallline.data.target import infer_task
from fallline.errors import FalllineError, nearest
from fallline.jobs import fit
from fallline.studio.network.made import MADE, table
from fallline.studio.view import GIVEN

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from fallline.data.table import Table
    from fallline.jobs.config import FitConfig
    from fallline.studio.network.asked import Asked

MOST_COLUMNS = 500
"""Columns that are listed for a page; a table may have more."""

_LIKELY = ("target", "label", "outcome")
_MOST_CLASSES = 100


def listing(given: Path | None) -> list[dict[str, str]]:
    """The tables to choose from: ``name``, ``title``, ``kind``; the user's own with its ``path``."""
    own: list[dict[str, str]] = []
    if given is not None and given.name not in BUNDLED:
        own = [{**_entry(GIVEN, given.name, "given"), "path": str(given)}]
    made = [_entry(name, name, "made") for name in MADE]
    return [*own, *made, *(_entry(name, name, "bundled") for name in BUNDLED)]


def _entry(name: str, title: str, kind: str) -> dict[str, str]:
    return {"name": name, "title": title, "kind": kind}


def first(given: Path | None) -> str:
    """The table that is shown where nobody asked for one."""
    if given is None:
        return next(iter(MADE))
    return given.name if given.name in BUNDLED else GIVEN


def source_of(name: str, given: Path | None) -> str | None:
    """What ``fallline fit`` is to be given for a table's name in the page; None for a made-up one.

    Raises:
        FalllineError: if there is no such table; files other than the user's own are not opened.
    """
    if given is not None and name in (GIVEN, str(given)):
        return str(given)
    if name in MADE:
        return None
    if name in BUNDLED:
        return name
    known = [*([] if given is None else [GIVEN]), *MADE, *BUNDLED]
    raise FalllineError(f"There is no table {name!r:.80} here: {nearest(name, known)}")


@dataclasses.dataclass(frozen=True)
class Cut:
    """A table, cut and encoded, and the config that is complete now that the table is known."""

    config: FitConfig
    table: Table
    rows: fit.Rows


class Tables:
    """The tables of one page, each read once; the newest few ways of cutting them are kept.

    Args:
        given: the user's own table.
    """

    def __init__(self, given: Path | None) -> None:
        self.given = given
        self._lock = threading.Lock()
        self._tables: dict[str, Table] = {}
        self._rows: dict[Any, fit.Rows] = {}

    def read(self, name: str) -> Table:
        """The table of a name of the page; may take its time."""
        with self._lock:
            if name not in self._tables:
                source = source_of(name, self.given)
                self._tables[name] = table(name) if source is None else read_table(source)
            return self._tables[name]

    def cut(self, asked: Asked) -> Cut:
        """What is asked for, cut and encoded; see `fallline.jobs.fit.cut`."""
        found = self.read(asked.data)
        config = dataclasses.replace(asked.config, data=source_of(asked.data, self.given))
        if config.target is None:
            config = dataclasses.replace(config, target=target_of(found))
        target = fit.target_of(found, config)
        if asked.features is not None:
            config = dataclasses.replace(config, drop=_others(found, asked.features, target))
        config = dataclasses.replace(config, target=target)
        key = (asked.data, target, config.task, config.loss, config.drop)
        key = (*key, config.seed, config.validation, config.test)
        with self._lock:
            if key not in self._rows:
                while len(self._rows) > 2:
                    del self._rows[next(iter(self._rows))]
                self._rows[key] = fit.cut(found, target, config)
            return Cut(config, found, self._rows[key])


def _others(found: Table, features: tuple[str, str], target: str) -> tuple[str, ...]:
    """All columns but two, and the target."""
    schema = found.frame.schema
    for name in features:
        if name not in schema:
            raise FalllineError(f"{found.source} has no column {name!r}: {nearest(name, schema)}")
        if sort_of(schema[name]) != "numbers":
            raise FalllineError(
                f"Column {name!r} of {found.source} does not hold numbers: a decision boundary is drawn "
                "over two columns of numbers."
            )
        if name == target:
            raise FalllineError(f"Column {name!r} is what is to be predicted: choose another one.")
    return tuple(name for name in schema if name not in (*features, target))


def facts(found: Table) -> dict[str, Any]:
    """What a page needs to know of a table: ``rows``, ``columns`` with their kinds, a likely ``target``.

    ``features`` are two columns to begin with where the table has no other.
    """
    frame = found.frame
    shown = list(frame.schema.items())[:MOST_COLUMNS]
    target = target_of(found)
    columns = [{"name": name, "kind": sort_of(dtype)} for name, dtype in shown]
    inputs = [c["name"] for c in columns if c["name"] != target]
    two = len(inputs) == 2 and all(sort_of(frame.schema[name]) == "numbers" for name in inputs)
    return {
        "source": found.source,
        "rows": frame.height,
        "columns": columns,
        "more": max(0, frame.width - MOST_COLUMNS),
        "target": target,
        "features": inputs if two else None,
        "task": _task(frame, target),
    }


def _task(frame: pl.DataFrame, target: str | None) -> str | None:
    try:
        return None if target is None else infer_task(frame[target])[0]
    except FalllineError:
        return None


def target_of(found: Table) -> str | None:
    """What is predicted where nobody says: what the source names, else what is likely."""
    columns = found.frame.columns
    return found.target if found.target in columns else likely_target(found.frame)


def likely_target(frame: pl.DataFrame) -> str | None:
    """The column to begin with: one that is called so, else the last one that can be learned."""
    named = [name for name in frame.columns if name.lower() in _LIKELY]
    for name in [*named, *reversed(frame.columns[-MOST_COLUMNS:])]:
        if _learnable(frame[name]):
            return name
    return None


def _learnable(column: pl.Series) -> bool:
    sort = sort_of(column.dtype)
    if column.null_count() or sort not in ("numbers", "texts"):
        return False
    distinct = column.n_unique()
    return distinct > 1 and (sort == "numbers" or distinct <= _MOST_CLASSES)
