r"""The gradient check: is a gradient the slope of its function?

Two signals that rest on values of the function alone. Coordinate by coordinate, the gradient $a$ against
the central difference $n$, by the relative error $|a - n| / \max(|a|, |n|)$. And along random
directions $d$, which every coordinate takes part in, Taylor's remainder
$r(h) = |f(x + h d) - f(x) - h\, g^\top d|$, which falls like $h^2$ if $g$ is the gradient and like $h$
if it is not.

Reference: CS231n, "Neural networks part 3: learning and evaluation", Stanford University, for the thresholds;
Nocedal & Wright, "Numerical Optimization", 2nd ed., section 8.1, for the steps.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline.errors import FalllineError
from fallline.gradients.check_result import Coordinate, GradientCheck
from fallline.gradients.differences import measure
from fallline.gradients.point import DOUBLE, Function, Point, convert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from jaxtyping import PyTree

    Index = tuple[int, ...]

BARS = 4.0
"""A difference of fewer error bars than this is no difference."""
LINEAR = 1.5
"""A Taylor slope below this is nearer to 1 than to 2."""
SINGLE = 1e-11
"""Noise in the values above this share of them is more than double precision makes."""
_SHRINK = (8.0, 64.0, 512.0)


@dataclasses.dataclass(frozen=True)
class Limits:
    """Which relative errors mean what.

    Attributes:
        good: below it nothing is wrong.
        fine: below it nothing is wrong in a function with kinks, whose differences are rough.
        wrong: above it the gradient is wrong; from ``fine`` to here it is suspect.
    """

    good: float
    fine: float
    wrong: float


LIMITS = Limits(1e-7, 1e-4, 1e-2)
# A single-precision value has 1e-7 of noise, which a difference of step 5e-3 multiplies by 200.
SINGLE_LIMITS = Limits(1e-3, 1e-2, 1e-1)


def check_gradient(
    f: Callable[..., Any],
    x: PyTree,
    gradient: Callable[..., Any] | None = None,
    *,
    sample: int = 50,
    seed: int = 0,
    directions: int = 3,
) -> GradientCheck:
    r"""Compare a gradient with differences of its function, in float64.

    The verdict is *correct* where every relative error is below 1e-7, *wrong* where one is above 1e-2,
    *suspect* between; at a point with kinks errors up to 1e-4 are fine. An error that the differences
    cannot tell from 0 is none: coordinates where both are 0 pass. A coordinate that disagrees is
    measured again, with smaller steps and by Richardson's extrapolation, before it counts.

    A kink, such as ReLU's at 0, is where the slopes on both sides do not come closer as the step
    shrinks. A gradient between the two is a valid one there, so that kinks are told but not counted; if
    no other coordinate is left, the verdict is suspect: move the point.

    Where the remainder of the Taylor test says that an unchecked coordinate is wrong, it is searched by
    halving, and checked.

    Args:
        f: takes x and gives one number; the same one each time.
        x: a number, an array, or a tree of them.
        gradient: takes x and gives a tree like it; None is `jax.grad` of f.
        sample: check all the coordinates of a leaf with at most so many, else as many random ones.
        seed: decides which, and the directions.
        directions: how many the Taylor test takes.

    Returns:
        The verdict and what it rests on.

    Raises:
        FalllineError: if x or f's values are no finite numbers, f gives whole numbers or changes from
            call to call, JAX cannot differentiate f, or the gradient does not have x's shapes.

    Example:
        >>> import numpy as np
        >>> found = check_gradient(lambda x: np.sum(x**3), np.ones(4), lambda x: 2 * x**2)
        >>> found.verdict, found.worst.name
        ('wrong', 'x[0]')
    """
    for name, number, least in (("sample", sample, 1), ("directions", directions, 0)):
        if number < least:
            raise FalllineError(f"{name} must be {least} or more; it was given {number}.")
    point = Point(x)
    function = Function(f, point, scalar=True)
    if function.integer:
        raise FalllineError(
            "f gives a whole number, whose slope is 0 or none: check a function that gives a float."
        )
    again = float(function(point.leaves))
    if again != float(function.here):
        raise FalllineError(
            f"f gave {float(function.here):.9g} and then {again:.9g} at the same x: fix its randomness "
            "(a seed, no dropout) before the check."
        )
    analytic = _analytic(f, point, function, gradient)
    return _Check(function, analytic, sample, directions, np.random.default_rng(seed)).result()


def _analytic(
    f: Callable[..., Any], point: Point, function: Function, gradient: Any
) -> list[np.ndarray]:
    """The gradient to check, leaf by leaf."""
    if gradient is None:
        try:
            with jax.enable_x64(True):
                found = jax.grad(f)(convert(point, point.leaves, as_jax=True))
        except Exception as error:
            words = str(error).strip().split("\n")[0].rstrip(".")
            raise FalllineError(
                f"JAX cannot differentiate this function ({type(error).__name__}: {words}): write it "
                "with jax.numpy, or give the gradient to check."
            ) from error
    elif not callable(gradient):
        raise FalllineError(
            f"gradient must be a function of x; it was given {type(gradient).__name__}."
        )
    else:
        with jax.enable_x64(True), np.errstate(all="ignore"):
            found = gradient(convert(point, point.leaves, as_jax=function.as_jax))
    if jax.tree_util.treedef_is_leaf(point.structure):
        found = np.asarray(found)
    leaves, structure = jax.tree.flatten(found)
    if structure != point.structure:
        raise FalllineError(
            f"The gradient must be a tree like x, {point.structure}; it is {structure}."
        )
    arrays: list[np.ndarray] = []
    for name, leaf, like in zip(point.names, leaves, point.leaves, strict=True):
        array = np.asarray(leaf)
        if not jnp.issubdtype(array.dtype, jnp.number) or np.iscomplexobj(array):
            raise FalllineError(
                f"The gradient of {name} must hold real numbers, not {array.dtype}."
            )
        if array.shape != like.shape:
            hint = " (transposed?)" if array.shape == like.shape[::-1] else ""
            raise FalllineError(
                f"The gradient of {name} must have its shape, {like.shape}; it has "
                f"{array.shape}{hint}."
            )
        arrays.append(array.astype(np.float64))
    return arrays


class _Check:
    """One check: the function, the gradient, and what was found so far."""

    def __init__(
        self,
        function: Function,
        analytic: list[np.ndarray],
        sample: int,
        directions: int,
        random: np.random.Generator,
    ) -> None:
        self.function, self.point, self.analytic = function, function.point, analytic
        self.here = float(function.here)
        self.returned = function.spacing
        self.random, self.directions = random, directions
        function.spacing = max(function.spacing, self._noise())
        self.double = function.spacing < SINGLE
        self.limits = LIMITS if self.double else SINGLE_LIMITS
        finite = [np.abs(leaf[np.isfinite(leaf)]) for leaf in analytic]
        self.largest = max(float(leaf.max(initial=0.0)) for leaf in finite)
        self.places = [p for i in range(len(analytic)) for p in self._sampled(i, sample)]
        self.size = sum(leaf.size for leaf in analytic)

    def _noise(self) -> float:
        """The noise in f's values beyond their last digit, as a share of them; 0 if there is none.

        Fourth differences at close points, where a smooth function shows nothing but its noise (Hamming;
        Moré & Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33(3), 2011). All the points
        lie on one side, so that a kink at x itself does not look like noise, and the median passes over
        one beside it.
        """
        shares: list[float] = []
        for _ in range(2):
            direction = [self.random.choice([-1.0, 1.0], leaf.shape) for leaf in self.point.leaves]
            scaled = [
                d * np.maximum(1.0, np.abs(v))
                for d, v in zip(direction, self.point.leaves, strict=True)
            ]
            steps = DOUBLE ** (1 / 3) / 16 * np.arange(1, 12)
            values = [float(self.function(_moved(self.point.leaves, scaled, h))) for h in steps]
            size = float(np.max(np.abs(values)))
            noise = float(np.median(np.abs(np.diff(values, 4)))) / math.sqrt(70)
            shares.append(noise / size if math.isfinite(noise) and size else 0.0)
        share = min(shares)
        return min(share, 1e-2) if share > 16 * DOUBLE else 0.0

    def _sampled(self, leaf: int, sample: int) -> list[tuple[int, Index]]:
        """Which coordinates of a leaf to check: some, and those whose gradient is no number."""
        values = self.analytic[leaf]
        if values.size <= sample:
            chosen = np.arange(values.size)
        else:
            wrong = np.flatnonzero(~np.isfinite(values))[:sample]
            some = self.random.choice(values.size, sample, replace=False)
            chosen = np.unique(np.concatenate([some, wrong]))
        return [(leaf, _index(flat, values.shape)) for flat in chosen]

    def result(self) -> GradientCheck:
        """Check the coordinates, take the Taylor test, and judge."""
        found = [self._coordinate(*place) for place in self.places]
        sizes = [leaf.shape for leaf in self.analytic]
        directions = [
            [self.random.normal(size=shape) for shape in sizes] for _ in range(self.directions)
        ]
        slope = self._taylor(directions)
        hidden = False
        if slope is not None and slope < LINEAR and not _of(found, "wrong", "suspect", "kink"):
            missed = [p for p in self._search(directions[0]) if p not in self.places]
            found += [self._coordinate(*place) for place in missed]
            hidden = bool(missed)
        verdict, sentence = self._judge(found, slope, hidden=hidden)
        kinks = tuple(_of(found, "kink"))
        # Stable: of equal errors the first is told.
        told = sorted((c for c in found if c.verdict != "kink"), key=_gravity)
        return GradientCheck(
            verdict=verdict,
            worst=told[0] if told else None,
            coordinates=tuple(found),
            taylor_slope=slope,
            kinks=kinks,
            checked=len(found),
            size=self.size,
            precision=_precision(self.returned),
            evaluations=self.function.evaluations,
            sentence=sentence,
        )

    def _coordinate(self, leaf: int, index: Index) -> Coordinate:
        """One coordinate against the differences."""
        f, a = self.function, float(self.analytic[leaf][index])
        x = self.point.leaves[leaf][index]
        along = f.along(leaf, index)
        h = f.spacing ** (1 / 3) * max(1.0, abs(x))
        sides = _Sides(along, x, h, self.here, f.spacing)
        wide = _Sides(along, x, 2 * h, self.here, f.spacing)
        n, bar = sides.central, abs(sides.central - wide.central) / 3 + sides.noise
        # Twice the step makes twice the gap between the two slopes, unless there is a kink.
        rough = sides.gap > 1e-5 * sides.steepest + 64 * sides.noise and wide.gap < 1.5 * sides.gap
        verdict = ""
        if rough or not abs(a - n) <= self.limits.good * max(abs(a), abs(n)):
            n, bar, ends = _refine(along, x, sides, n, bar, self.function)
            if ends is not None:
                low, high = ends
                inside = low - BARS * bar <= a <= high + BARS * bar
                verdict = "kink" if inside else "wrong"
        gap, size = abs(a - n), max(abs(a), abs(n))
        if not math.isfinite(gap):
            verdict, error = "wrong" if math.isfinite(n) else "undecided", math.inf
        elif gap <= BARS * bar:
            floor = bar / self.limits.good
            floor = min(floor, self.largest) if self.largest > bar / 100 else floor
            error = gap / max(size, floor) if gap else 0.0
            # Rough differences hide an error, unless the coordinate is next to nothing in this gradient,
            # or the whole gradient is next to nothing, as at a minimum.
            hides = bar > self.limits.fine * max(self.largest, size)
            if gap > self.limits.fine * size and hides and self.largest > bar / 100:
                verdict = verdict or "undecided"
        else:
            error = gap / size
            if error > self.limits.wrong:
                verdict = verdict or "wrong"
            elif error > self.limits.good:
                verdict = verdict or "suspect"
        return Coordinate(
            self.point.names[leaf], index, a, float(n), float(bar), error, verdict or "correct"
        )

    def _taylor(self, directions: Sequence[Sequence[np.ndarray]]) -> float | None:
        """The power of h that Taylor's remainder falls with: the median over the directions."""
        slopes = [self._remainder(direction) for direction in directions]
        known = [slope for slope in slopes if slope is not None]
        return float(np.median(known)) if known else None

    def _remainder(self, direction: Sequence[np.ndarray]) -> float | None:
        """The slope of the logarithm of r(h) at the smallest four steps that are above round-off."""
        size = math.sqrt(sum(float(np.vdot(d, d)) for d in direction))
        scale = max(1.0, math.sqrt(sum(float(np.vdot(v, v)) for v in self.point.leaves)))
        slope = self._directional(direction)
        if not size or not math.isfinite(slope):
            return None
        steps: list[float] = []
        rests: list[float] = []
        for h in scale / size * np.logspace(-1, -6, 11):
            value = float(self.function(_moved(self.point.leaves, direction, h)))
            rest = abs(value - self.here - h * slope)
            noise = self.function.spacing * (
                abs(self.here) + abs(value) + abs(h * slope) + scale * abs(slope) / size
            )
            if math.isfinite(rest) and rest > 50 * noise:
                steps.append(math.log(h))
                rests.append(math.log(rest))
        if len(steps) < 3:
            return None
        return float(np.polyfit(steps[-4:], rests[-4:], 1)[0])

    def _directional(self, direction: Sequence[np.ndarray]) -> float:
        """The slope along a direction that the gradient says."""
        return sum(float(np.vdot(g, d)) for g, d in zip(self.analytic, direction, strict=True))

    def _search(self, direction: Sequence[np.ndarray]) -> list[tuple[int, Index]]:
        """A coordinate whose gradient is wrong, by halving; none if the slopes agree."""
        parts = [(leaf, np.arange(values.size)) for leaf, values in enumerate(self.analytic)]
        excess = [self._disagreement(direction, *part) for part in parts]
        leaf = int(np.argmax(excess))
        if not excess[leaf] > 0:
            return []
        within = parts[leaf][1]
        while len(within) > 1:
            halves = np.array_split(within, 2)
            worse = [self._disagreement(direction, leaf, half) for half in halves]
            if not max(worse) > 0:
                return []
            within = halves[int(np.argmax(worse))]
        return [(leaf, _index(within[0], self.analytic[leaf].shape))]

    def _disagreement(
        self, direction: Sequence[np.ndarray], leaf: int, within: np.ndarray
    ) -> float:
        """By how much gradient and differences disagree along part of a direction, beyond error bars."""
        if not len(within):
            return 0.0
        part = [np.zeros_like(d) for d in direction]
        part[leaf].flat[within] = direction[leaf].flat[within]
        length = math.sqrt(float(np.vdot(part[leaf], part[leaf])))
        part[leaf] /= length
        try:
            value, bar, _ = measure(
                lambda t: self.function(_moved(self.point.leaves, part, float(t))),
                0.0,
                self.function,
            )
        except FalllineError:
            return 0.0
        gap = abs(float(value) - self._directional(part)) - BARS * float(bar)
        return length * gap

    def _judge(
        self, found: list[Coordinate], slope: float | None, *, hidden: bool
    ) -> tuple[str, str]:
        """The verdict and its sentence."""
        limits = self.limits
        wrong, kinks = _of(found, "wrong"), _of(found, "kink")
        undecided, suspect = _of(found, "undecided"), _of(found, "suspect")
        if kinks:
            # The differences near kinks are rough themselves.
            suspect = [c for c in suspect if c.error > limits.fine]
        rest = [c for c in found if c.verdict != "kink"]
        after = "" if self.double else self._precision_words()
        if kinks == [] and slope is not None and slope < LINEAR and not (wrong or suspect):
            after = (
                f" The Taylor slope is {slope:.2f}: the function is not smooth beside x." + after
            )
        if kinks:
            after = (
                f" {len(kinks)} {_plural(kinks, 'is a kink', 'are kinks')} ({_named(kinks)}) and not "
                "counted: move the point to check there." + after
            )
        every = f"{len(found):,} {_plural(found, 'coordinate', 'coordinates')}"
        if wrong:
            w = min(wrong, key=_gravity)
            how = " (found by the Taylor test, outside the sample)" if hidden else ""
            return "wrong", (
                f"{len(wrong)} of {every} {_plural(wrong, 'is', 'are')} wrong, worst "
                f"{w.name}{how}: the gradient says {w.analytic:.6g}, the differences {w.numerical:.6g}."
                + self._factor(wrong)
                + after
            )
        if not rest:
            return "suspect", (
                f"Nothing can be decided: every coordinate checked lies on a kink ({_named(kinks)}); "
                "move the point a little and check again."
            )
        if suspect:
            w = min(suspect, key=_gravity)
            return "suspect", (
                f"{len(suspect)} of {every} {_plural(suspect, 'differs', 'differ')} "
                f"more than differences explain, worst {w.name} by {w.error:.1e} where "
                f"{limits.good:.0e} is good: look for a missing small term or for lower precision inside "
                "the function." + self._factor(suspect) + after
            )
        if undecided:
            w = max(undecided, key=lambda c: c.bar)
            return "suspect", (
                f"{len(undecided)} of {every} cannot be decided, such as {w.name}: "
                f"the function is too rough or too large to measure its slope closer than {w.bar:.1e}; "
                "compute it in float64, or subtract a constant." + after
            )
        worst = max(c.error for c in rest)
        count = f"{len(rest):,} {_plural(rest, 'coordinate', 'coordinates')}"
        if len(rest) == len(found) > 1:
            count = f"all {count}"
        seen = (
            f"the largest relative error is {worst:.1e}" if worst else "no difference can be seen"
        )
        return "correct", f"The gradient agrees with differences at {count}; {seen}." + after

    def _precision_words(self) -> str:
        cause = (
            f"The function returns {_precision(self.returned)}"
            if self.returned > DOUBLE
            else f"The function's values carry noise of {self.function.spacing:.0e}, as from float32 inside"
        )
        return (
            f" {cause}, so that an error below {self.limits.good:.0e} cannot be seen: let it compute "
            "in float64 to see more."
        )

    def _factor(self, wrong: list[Coordinate]) -> str:
        """One factor between gradient and differences is most of the diagnosis."""
        ratios = [c.analytic / c.numerical for c in wrong if c.numerical and math.isfinite(c.error)]
        if len(ratios) < len(wrong) or np.ptp(ratios) > 1e-3 * abs(ratios[0]) or not ratios[0]:
            return ""
        ratio = float(np.mean(ratios))
        if abs(ratio + 1) < 1e-3:
            return " The sign is wrong."
        every = " each" if len(ratios) > 1 else ""
        return f" It is {ratio:.4g} times the slope{every}."


class _Sides:
    """The slopes on both sides of a point at one step."""

    def __init__(
        self, along: Callable[[Any], Any], x: float, h: float, here: float, spacing: float
    ) -> None:
        up, down = x + h, x - h
        f_up, f_down = float(along(up)), float(along(down))
        self.h = h
        self.forward = (f_up - here) / (up - x)
        self.backward = (here - f_down) / (x - down)
        self.central = (f_up - f_down) / (up - down)
        self.gap = abs(self.forward - self.backward)
        self.steepest = max(abs(self.forward), abs(self.backward))
        self.noise = spacing * max(abs(f_up), abs(f_down), abs(here)) / h


def _refine(
    along: Callable[[Any], Any], x: float, first: _Sides, n: float, bar: float, function: Function
) -> tuple[float, float, tuple[float, float] | None]:
    """Measure again with smaller steps and by extrapolation; tell the two slopes of a kink.

    Where a kink lies beside the point and not on it, a step smaller than its distance does not see it.
    """
    here = float(function.here)
    steps = [first.h / shrink for shrink in _SHRINK]
    steps = [h for h in steps if x + h != x != x - h]
    finer = [_Sides(along, x, h, here, function.spacing) for h in steps]
    if len(finer) > 1:
        last = finer[1]
        stays = last.gap > first.gap / 4 and last.gap > 16 * last.noise
        if stays and first.gap > max(64 * first.noise, 1e-5 * first.steepest):
            ends = sorted((last.forward, last.backward))
            return last.central, last.noise, (ends[0], ends[1])
    before = first
    for sides in finer:
        spread = abs(sides.central - before.central) + 2 * sides.noise
        if spread < bar or not math.isfinite(bar):
            n, bar = sides.central, spread
        before = sides
    try:
        value, error, _ = measure(along, x, function, method="richardson")
    except FalllineError:
        return n, bar, None
    if float(error) < bar or not math.isfinite(bar):
        n, bar = float(value), float(error)
    return n, bar, None


def _moved(
    leaves: Sequence[np.ndarray], direction: Sequence[np.ndarray], h: float
) -> list[np.ndarray]:
    return [leaf + h * d for leaf, d in zip(leaves, direction, strict=True)]


def _index(flat: Any, shape: tuple[int, ...]) -> Index:
    return tuple(int(i) for i in np.unravel_index(int(flat), shape)) if shape else ()


def _of(found: Iterable[Coordinate], *verdicts: str) -> list[Coordinate]:
    return [c for c in found if c.verdict in verdicts]


def _gravity(c: Coordinate) -> tuple[int, float]:
    """Sorts the worst first."""
    return ["wrong", "suspect", "undecided", "correct"].index(c.verdict), -c.error


def _named(found: Sequence[Coordinate]) -> str:
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return ", ".join(c.name for c in found[:3]) + more


def _plural(found: Sequence[Any], one: str, many: str) -> str:
    return one if len(found) == 1 else many


def _precision(spacing: float) -> str:
    known = {float(jnp.finfo(t).eps): t for t in ("float64", "float32", "float16", "bfloat16")}
    return known.get(spacing, "low precision")
