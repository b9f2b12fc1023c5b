"""What a gradient check found: coordinate by coordinate, and as a whole."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Index = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Coordinate:
    """One coordinate of a gradient, checked.

    Attributes:
        leaf: the name of the array it is in.
        index: its place in it.
        analytic: what the gradient says.
        numerical: what the differences say.
        bar: how far the differences may be from the truth.
        error: the relative error; where analytic and numerical differ by less than the differences can
            tell, relative to what they can tell.
        verdict: "correct", "suspect", "wrong"; "kink" where the function has no slope but one on each
            side, and the gradient lies between; "undecided" where the differences are too rough.
    """

    leaf: str
    index: tuple[int, ...]
    analytic: float
    numerical: float
    bar: float
    error: float
    verdict: str

    @property
    def name(self) -> str:
        """``weights[0, 1]``."""
        inner = ", ".join(map(str, self.index))
        return f"{self.leaf}[{inner}]" if inner else self.leaf


@dataclasses.dataclass(frozen=True)
class GradientCheck:
    """What a gradient check found.

    Attributes:
        verdict: "correct", "suspect" or "wrong".
        worst: the coordinate of the largest error; None if every coordinate checked is a kink.
        coordinates: all that were checked, leaf by leaf.
        taylor_slope: the power of h that Taylor's remainder falls with: about 2 if the gradient is
            right, about 1 if it is not; None where the function is as good as linear.
        kinks: the coordinates with a slope on each side, not counted as errors.
        checked: how many coordinates were checked.
        size: how many there are.
        precision: of the function's values: "float64", "float32", ...
        evaluations: how often the function was called.
        sentence: all this in words.
    """

    verdict: str
    worst: Coordinate | None
    coordinates: tuple[Coordinate, ...]
    taylor_slope: float | None
    kinks: tuple[Coordinate, ...]
    checked: int
    size: int
    precision: str
    evaluations: int
    sentence: str

    @property
    def ok(self) -> bool:
        """Is the verdict "correct"?"""
        return self.verdict == "correct"

    def __str__(self) -> str:
        lines = [f"gradient: {self.verdict}", f"  {self.sentence}"]
        if self.worst is not None:
            w = self.worst
            lines.append(
                f"  worst: {w.name}, analytic {w.analytic:.6g}, numerical {w.numerical:.6g}, "
                f"relative error {w.error:.3g}"
            )
        lines.append(f"  {taylor_words(self.taylor_slope)}")
        lines.append(f"  checked: {self.checked:,} of {self.size:,} coordinates")
        return "\n".join(lines)


def taylor_words(slope: float | None) -> str:
    """The Taylor slope for a reader."""
    if slope is None:
        return "Taylor slope: none, the function is linear as far as can be measured"
    return f"Taylor slope: {slope:.2f} (2 = correct, 1 = wrong)"
