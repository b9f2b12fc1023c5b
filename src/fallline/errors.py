"""Errors a user can cause, each a sentence: what is wrong, where, what to do."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Value = TypeVar("Value")


class FalllineError(Exception):
    """Something the user can mend; its text is a sentence that says how.

    The command line prints the sentence and exits with code 2; any other exception is a bug
    in Fallline and shows its traceback.
    """


def nearest(name: str, names: Iterable[str]) -> str:
    """The part of a sentence that offers what may have been meant.

    >>> nearest("adm", ["adam", "sgd"])
    "did you mean 'adam'?"
    >>> nearest("xyz", ["adam", "sgd"])
    'choose one of adam, sgd.'
    """
    names = list(names)
    lowered = {candidate.lower(): candidate for candidate in reversed(names)}
    close = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.6)
    if close:
        return f"did you mean {lowered[close[0]]!r}?"
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return f"choose one of {shown}."


def lookup(kind: str, registry: Mapping[str, Value], name: str) -> Value:
    """Return ``registry[name]``.

    Raises:
        FalllineError: if there is no such name; the sentence names the nearest one.
    """
    if name in registry:
        return registry[name]
    raise FalllineError(f"There is no {kind} called {name!r}: {nearest(name, registry)}")
