"""Messages from the page, read field by field; what does not fit is a sentence, never a crash."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fallline.errors import FalllineError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NEEDED: Any = object()


class Message:
    """A JSON object whose fields are asked for by kind and range.

    Attributes:
        fields: as parsed.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.fields = fields

    def __contains__(self, name: str) -> bool:
        return self.fields.get(name) is not None

    def _value(self, name: str, default: Any) -> Any:
        value = self.fields.get(name)
        if value is not None:
            return value
        if default is _NEEDED:
            raise FalllineError(f"The message lacks {name!r}.")
        return default

    def number(
        self, name: str, low: float = -1e30, high: float = 1e30, default: Any = _NEEDED
    ) -> Any:
        """A finite number in a range; ``default`` where there is none."""
        value = self._value(name, default)
        return value if value is default else _number(name, value, low, high)

    def whole(self, name: str, low: int, high: int, default: Any = _NEEDED) -> Any:
        """A whole number in a range; ``default`` where there is none."""
        value = self._value(name, default)
        if value is default:
            return value
        number = _number(name, value, low, high)
        if number != int(number):
            raise FalllineError(f"{name!r} must be a whole number; it was given {value!r}.")
        return int(number)

    def flag(self, name: str, default: Any = _NEEDED) -> Any:
        """True or false."""
        value = self._value(name, default)
        if value is not default and not isinstance(value, bool):
            raise FalllineError(f"{name!r} must be true or false; it was given {value!r:.40}.")
        return value

    def text(self, name: str, longest: int = 400, default: Any = _NEEDED) -> Any:
        """A text, no longer than so many characters."""
        value = self._value(name, default)
        if value is default:
            return value
        if not isinstance(value, str):
            raise FalllineError(f"{name!r} must be a text; it was given {value!r:.40}.")
        if len(value) > longest:
            raise FalllineError(f"{name!r} has {len(value):,} characters, more than {longest}.")
        return value

    def choice(self, name: str, options: Iterable[str], default: Any = _NEEDED) -> Any:
        """One of some texts."""
        known = list(options)
        value = self.text(name, 100, default)
        if value is not default and value not in known:
            raise FalllineError(f"{name!r} cannot be {value!r}: {nearest(value, known)}")
        return value

    def numbers(
        self,
        name: str,
        most: int,
        low: float = -1e30,
        high: float = 1e30,
        default: Any = _NEEDED,
    ) -> Any:
        """A list of finite numbers, no longer than so many."""
        value = self._value(name, default)
        if value is default:
            return value
        return [_number(name, part, low, high) for part in _items(name, value, most)]

    def messages(self, name: str, most: int, default: Any = _NEEDED) -> Any:
        """A list of objects, each to be read like this one."""
        value = self._value(name, default)
        if value is default:
            return value
        return [_object(name, part) for part in _items(name, value, most)]

    def message(self, name: str, default: Any = _NEEDED) -> Any:
        """An object, to be read like this one."""
        value = self._value(name, default)
        return value if value is default else _object(name, value)


def _items(name: str, value: Any, most: int) -> list[Any]:
    if not isinstance(value, list):
        raise FalllineError(f"{name!r} must be a list; it was given {value!r:.40}.")
    found: list[Any] = value
    if len(found) > most:
        raise FalllineError(f"{name!r} has {len(found):,} entries, more than {most:,}.")
    return found


def _object(name: str, value: Any) -> Message:
    if not isinstance(value, dict):
        raise FalllineError(f"{name!r} must be an object; it was given {value!r:.40}.")
    fields: dict[str, Any] = value
    return Message(fields)


def _number(name: str, value: Any, low: float, high: float) -> float:
    # True is 1 for Python, but nobody who sends it means a number.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise FalllineError(f"{name!r} must be a number; it was given {value!r:.40}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise FalllineError(f"{name!r} must be a finite number; it was given {value!r}.")
    if not low <= value <= high:
        raise FalllineError(
            f"{name!r} must lie between {low:g} and {high:g}; it was given {float(value):g}."
            if abs(value) < 1e300
            else f"{name!r} must lie between {low:g} and {high:g}."
        )
    return float(value)
