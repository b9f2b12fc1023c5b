"""Formulas as MathML: TeX converted once, its numbers put in as often as they change."""

from __future__ import annotations

import functools
import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DIGITS = 4
"""Significant digits of a number shown."""

# Numbers that no formula of ours holds stand for its numbers while it is converted.
_FIRST = 7_310_001
_MARK = re.compile(r"@(=?)(\w+)@")
_PLACE = re.compile(r"<mn>(73100\d\d)</mn>")


@functools.lru_cache(maxsize=512)
def mathml(tex: str) -> str:
    """TeX as MathML."""
    # Imported late: the first frame need not wait for it.
    from latex2mathml.converter import convert

    return convert(tex)


def filled(template: str, numbers: Mapping[str, float]) -> tuple[str, str]:
    """A template in TeX with numbers in the places of its marks.

    Args:
        template: ``@name@`` stands for a number, in brackets if it is negative; ``@=name@`` for one that
            needs none.
        numbers: by name.

    Returns:
        MathML, and the same in TeX.
    """
    marks = [(bool(plain), name) for plain, name in _MARK.findall(template)]
    count = iter(range(_FIRST, _FIRST + len(marks)))
    converted = mathml(_MARK.sub(lambda _: f"{{{next(count)}}}", template))

    def element(found: re.Match[str]) -> str:
        plain, name = marks[int(found[1]) - _FIRST]
        return number(numbers[name], brackets=not plain)

    tex = _MARK.sub(lambda m: number_in_tex(numbers[m[2]], brackets=not m[1]), template)
    return _PLACE.sub(element, converted), tex


def _parts(value: float) -> tuple[bool, str, int | None]:
    """Sign, digits and power of ten of a number as it is shown."""
    digits, _, power = f"{abs(value):.{DIGITS}g}".partition("e")
    return value < 0, digits, int(power) if power else None


def number(value: float, *, brackets: bool = False) -> str:
    """A number as MathML."""
    if not math.isfinite(value):
        return f"<mi>{'NaN' if math.isnan(value) else '∞' if value > 0 else '-∞'}</mi>"
    negative, digits, power = _parts(value)
    shown = f"<mn>{digits}</mn>"
    if power is not None:
        sign = "<mo>−</mo>" if power < 0 else ""
        shown += f"<mo>·</mo><msup><mn>10</mn><mrow>{sign}<mn>{abs(power)}</mn></mrow></msup>"
    if negative:
        shown = f"<mo>−</mo>{shown}"
    if (negative or power is not None) and brackets:
        shown = f'<mo stretchy="false">(</mo>{shown}<mo stretchy="false">)</mo>'
    return f"<mrow>{shown}</mrow>" if negative or power is not None else shown


def number_in_tex(value: float, *, brackets: bool = False) -> str:
    """A number as TeX."""
    if not math.isfinite(value):
        return r"\mathrm{NaN}" if math.isnan(value) else r"\infty" if value > 0 else r"-\infty"
    negative, digits, power = _parts(value)
    shown = ("-" if negative else "") + digits
    shown += "" if power is None else rf" \cdot 10^{{{power}}}"
    return f"({shown})" if brackets and (negative or power is not None) else shown
