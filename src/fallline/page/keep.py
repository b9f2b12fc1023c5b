"""Keep a run as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fallline.errors import FalllineError
from fallline.store import files

NAME = "report.html"
"""The report's name in a run's folder."""


def report(
    run: Any,
    path: str | Path | None = None,
    *,
    data: Any = None,
    prove: bool = False,
    surface: bool = True,
    lang: str | None = None,
    theme: str = "auto",
) -> Path:
    """Write a run as one HTML file to keep or to send: what was trained on what, and what came of it.

    The file opens from disk and offline, in both languages and themes, and asks no server for anything.

    Examples:
        >>> run = fallline.fit("digits", out="runs/digits-1")  # doctest: +SKIP
        >>> fallline.report(run)  # doctest: +SKIP
        PosixPath('runs/digits-1/report.html')

    Args:
        run: what `fallline.train`, `fallline.fit`, `fallline.load` or `fallline.minimize` returned, a fitted
            estimator of `fallline.estimators`, or the folder of a run, also one that is not finished.
        path: where to write; ``report.html`` in the run's folder if None.
        data: the table of a run of `fallline.fit`, if it is no longer where it was, or was given in memory.
        prove: let the doctor try each fix, and withdraw what does not help; takes as long as it takes to
            train again.
        surface: False to leave out the slices of the loss surface.
        lang: "en" or "zh", to begin with; by the environment if None.
        theme: "auto" (as the reader's system), "dark" or "light", to begin with.

    Returns:
        The file.

    Raises:
        FalllineError: if this is no run, if it has no folder and ``path`` is None, or if the place cannot be
            written to.
    """
    where = place_for(run, path)
    return write(
        where, carded(run, data=data, prove=prove, surface=surface, lang=lang), lang, theme
    )


def carded(
    run: Any,
    *,
    data: Any = None,
    prove: bool = False,
    surface: bool = True,
    lang: str | None = None,
) -> dict[str, Any]:
    """The card of a report: everything measured. Arguments as for `report`."""
    from fallline.descent.cache import use_compilation_cache
    from fallline.page.card import examined

    use_compilation_cache()
    return examined(run, data=data, prove=prove, surface=surface, lang=lang)


def write(where: Path, card: dict[str, Any], lang: str | None = None, theme: str = "auto") -> Path:
    """Write the report of a card, at once or not at all."""
    from fallline.page.report import report as html

    files.write(where, html(card, lang=lang, theme=theme).encode())
    return where


def place_for(run: Any, path: str | Path | None) -> Path:
    """Where a report goes.

    Raises:
        FalllineError: if nothing says where, or it is no place for an HTML file.
    """
    if path is not None:
        where = Path(path).expanduser()
        try:
            if where.is_dir():
                where = where / NAME
        except (OSError, ValueError) as error:
            # A name that no folder can have: too long, or with a NUL in it.
            reason = getattr(error, "strerror", None) or str(error)
            raise FalllineError(f"{str(where)[:100]} is no name for a file: {reason}.") from None
        if where.suffix.lower() not in (".html", ".htm"):
            raise FalllineError(
                f"A report is HTML: give a name that ends in .html, not {where.name!r}."
            )
        if not where.parent.is_dir():
            raise FalllineError(f"There is no folder {where.parent} to write {where.name} into.")
        return where
    folder = (
        run if isinstance(run, (str, Path)) else getattr(getattr(run, "run_", run), "folder", None)
    )
    if folder is None:
        raise FalllineError(
            "This run is kept in no folder, so say where its report goes: fallline.report(run, "
            "'report.html')."
        )
    return Path(folder).expanduser() / NAME
