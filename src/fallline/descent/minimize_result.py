"""The result of `fallline.minimize`: what was reached, in scipy's words and in a sentence."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from fallline.descent import minimize_loop as loop
from fallline.descent import stopping
from fallline.descent.basins import group
from fallline.descent.history import History
from fallline.descent.loop import STEP_FIELDS
from fallline.descent.minimize_jobs import CompiledJob
from fallline.descent.stationary import Evidence, standing
from fallline.faces import face

if TYPE_CHECKING:
    from jaxtyping import PyTree

    from fallline.descent.basins import Basin
    from fallline.descent.minimize_jobs import Ended, Job
    from fallline.descent.stationary import Standing

FAR = 100.0
"""A descent that ends so many times as far from 0 as it began may have run off."""

AT_REST, RAN_OUT, BLEW_UP, ENDED_EARLY, NO_STEP, NOT_A_MINIMUM = range(6)


@dataclasses.dataclass
class MinimizeResult:
    """What came of `minimize`, in scipy's words.

    With ``starts`` every entry has a leading axis over them, (n, ...), and ``basins`` says which valleys
    they reached; without, the entries are as in ``scipy.optimize.OptimizeResult``.

    Attributes:
        x: where it ended, a tree like x0.
        fun: the function's value there.
        jac: its gradient there, a tree like x.
        nit: steps taken.
        nfev: evaluations of the function, those with a gradient included.
        success: did it come to rest in a minimum?
        status: 0 at rest in a minimum, or as near to its bottom as rounding lets it; 1 steps used up; 2 left
            the finite numbers; 3 interrupted or out of time; 4 the line search found no step down; 5 at rest,
            but at a saddle, at a maximum or on a plateau.
        message: a sentence that says where and how it stopped.
        kind: "minimum", "saddle", "maximum", "plateau", "moving" or "diverged"; see
            `fallline.descent.stationary`.
        distance: to the stationary point of the local quadratic, NaN where the Hessian is not known.
        eigenvalues: of the Hessian at x, ascending, (..., d); Lanczos' outermost ones in large
            dimensions; None where it is not known.
        history: every step, as in training; of many balls, ``history.loss`` and its like have shape
            (records, n) and hold every so-manieth step; NaN once a ball has stopped.
        recorded: the steps in the history, counted from 0.
        path: the positions at those steps and at the end, (records + 1, d) or (records + 1, n, d), if
            asked for.
        basins: with starts, where the balls came to rest, lowest first.
        labels: with starts, the basin of each ball, -1 for none.
        best: with starts, the ball with the lowest value.
        optimizer: with the learning rate that was used.
        tried: learning rate -> value reached, where the rate was "auto".
        notes: what the user should know besides.
        seconds: all time spent, compilation included.
        asked: the arguments of the call, by which ``fallline.minimize(**result.asked)`` repeats it and
            `fallline.diagnose` tries changes; left behind when a result is pickled. None where they are not
            known.
    """

    x: PyTree
    fun: Any
    jac: PyTree
    nit: Any
    nfev: Any
    success: Any
    status: Any
    message: str
    kind: Any
    distance: Any
    eigenvalues: Any
    history: History
    recorded: np.ndarray
    path: np.ndarray | None
    basins: list[Basin]
    labels: np.ndarray | None
    best: int | None
    optimizer: Any = None
    tried: dict[float, float] = dataclasses.field(default_factory=dict[float, float])
    notes: list[str] = dataclasses.field(default_factory=list[str])
    seconds: float = 0.0
    asked: dict[str, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "asked": None}

    def plot(self, ax: Any = None, *, theme: Any = None) -> Any:
        """Draw the values it met; on a terrain, if the path was kept, the path over it as well.

        Args:
            ax: axes of matplotlib to draw the values on; a new figure if None.
            theme: "light", "dark", or None for the one in use.

        Returns:
            The axes of the values; the figure is ``.figure``.

        Raises:
            FalllineError: if there is nothing to draw.
        """
        return face("overview", "result")(self, ax, theme=theme)

    def show(
        self,
        *,
        height: int = 520,
        theme: str | None = None,
        lang: str | None = None,
        diagnose: bool = False,
    ) -> Any:
        """Show it in a notebook, as the last expression of a cell: on a terrain the balls roll.

        Args:
            height: in pixels.
            theme: "light", "dark", or None to follow the notebook.
            lang: "en" or "zh"; by the environment if None.
            diagnose: ask the doctor; its curves are shown then, on a terrain as well.

        Returns:
            A widget; a picture where anywidget is not installed.
        """
        return face("notebook", "show_result")(
            self, height=height, theme=theme, lang=lang, diagnose=diagnose
        )

    def __str__(self) -> str:
        lines = [self.message, *self.notes, *map(str, self.basins[:12])]
        if len(self.basins) > 12:
            lines.append(f"and {len(self.basins) - 12} more places")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<MinimizeResult: {self.message}>"


def measure(job: Job, ended: Ended, reason: str) -> MinimizeResult:
    """Measure where the balls stopped, and put it into scipy's words."""
    x, many = ended.x, job.balls is not None
    stand, seen, values = _stand(job, ended)
    scale = 1.0 + np.linalg.norm(x, axis=1)
    # Rounding may keep a gradient above the tolerance: a minimum is then as good as it gets.
    nearest = np.isin(ended.codes, (stopping.GRADIENT, loop.NO_STEP))
    nearest |= stand.distance <= 8 * seen.rounding * scale
    nearest &= ended.codes != stopping.BLEW_UP
    rest = (stand.kinds == "minimum") & nearest
    status = np.full(len(x), ENDED_EARLY if reason else RAN_OUT)
    status[ended.codes == loop.NO_STEP] = NO_STEP
    status[ended.codes == stopping.GRADIENT] = NOT_A_MINIMUM
    status[rest] = AT_REST
    status[ended.codes == stopping.BLEW_UP] = BLEW_UP
    found, labels, best = [], None, None
    if many:
        spread = float(np.linalg.norm(job.places.std(axis=0))) or 1.0
        near = np.where(np.isfinite(stand.nearest), stand.nearest, x)
        # Every start is finite, but not every end.
        height = float(np.max(ended.records[0, :, 0]) - np.nanmin(values, initial=np.inf))
        found, labels = group(near, values, stand.kinds, spread, height, job.restore)
        best = int(np.nanargmin(np.where(np.isfinite(values), values, np.inf)))
    fields = {name: ended.records[..., i] for i, name in enumerate(STEP_FIELDS)}
    history = History({k: v if many else v[:, 0] for k, v in fields.items()}, {})

    if many:
        message = _of_many(stand.kinds, ended, found, reason)
    else:
        message = _of_one(stand, seen, ended, bool(rest[0]), job, reason)

    def entry(array: np.ndarray) -> Any:
        return array if many else array[0].item()

    return MinimizeResult(
        x=job.restore(x if many else x[0]),
        fun=entry(values),
        jac=job.restore(seen.gradient if many else seen.gradient[0]),
        nit=entry(ended.taken),
        nfev=entry(ended.evaluations),
        success=entry(status == AT_REST),
        status=entry(status),
        message=message,
        kind=entry(stand.kinds),
        distance=entry(stand.distance),
        eigenvalues=seen.values if many or seen.values is None else seen.values[0],
        history=history,
        recorded=ended.recorded,
        path=ended.path if many or ended.path is None else ended.path[:, 0],
        basins=found,
        labels=labels,
        best=best,
    )


def _stand(job: Job, ended: Ended) -> tuple[Standing, Evidence, np.ndarray]:
    values, slopes = job.values(ended.x), job.slopes(ended.x)
    spectrum, vectors = job.spectra(ended.x)
    records = ended.records
    last = records[-max(1, len(records) // 10) :]
    with warnings.catch_warnings():
        # A ball that stopped early has no records at the end: NaN, which is no evidence.
        warnings.simplefilter("ignore", RuntimeWarning)
        fallen = records[0, :, 0] - values
        stalled = np.abs(last[0, :, 0] - values) <= 1e-3 * np.abs(fallen)
        greatest = np.fmax.reduce(records[:, :, 2], axis=0, initial=0.0)
        greatest = np.maximum(greatest, np.linalg.norm(slopes, axis=1))
        # A line search turns back, too, without overshooting anything.
        hovering = (np.nanmean(last[:, :, 5], axis=0) < -0.3) & (job.search is None)
    double = jnp.result_type(float) == jnp.float64
    seen = Evidence(
        x=ended.x.astype(np.float64),
        gradient=slopes.astype(np.float64),
        tolerance=job.tolerance,
        values=spectrum,
        vectors=vectors,
        precision=1e-8 if double and isinstance(job, CompiledJob) else 1e-4,
        rounding=float(np.finfo(np.float64 if double else np.float32).eps),
        greatest=greatest,
        stalled=stalled,
        hovering=hovering,
        stuck=ended.codes == loop.NO_STEP,
        probe=lambda places: _tried(job.values, places, len(places)),
        slopes=lambda places: _tried(job.slopes, places, places.shape),
    )
    stand = standing(seen)
    stand.kinds[ended.codes == stopping.BLEW_UP] = "diverged"
    return stand, seen, values


def _tried(call: Any, places: np.ndarray, shape: Any) -> np.ndarray:
    """What a function gives at places that no descent has been to; NaN where it fails."""
    try:
        return call(places)
    except Exception:
        # The run is done; a plain function's complaint about a place of ours is no news.
        return np.full(shape, np.nan)


def _of_one(
    stand: Standing, seen: Evidence, ended: Ended, rest: bool, job: Job, reason: str
) -> str:
    """Where and how a single descent stopped, for a reader."""
    kind, code, taken = str(stand.kinds[0]), int(ended.codes[0]), int(ended.taken[0])
    size = float(np.linalg.norm(seen.gradient[0]))
    steps = f"{taken:,} step" + ("" if taken == 1 else "s")
    if code == stopping.BLEW_UP:
        if np.isfinite(size):
            return (
                f"Left the finite numbers after {steps}; x is the last place with a finite value. Try a "
                "smaller learning rate."
            )
        return (
            f"Stopped after {steps}, at a place with a value but without a finite gradient; descent cannot "
            "go on from there."
        )
    at_rest = code in (stopping.GRADIENT, loop.NO_STEP)
    begun = {"interrupted": "Interrupted", "time": "Out of time"}.get(reason)
    begun = "At rest" if at_rest else begun or "All steps used up"
    slope = f"the gradient's norm is {size:.3g}"
    if kind == "minimum":
        if stand.probed[0] and size > seen.tolerance:
            return f"{begun} in a minimum after {steps}: {slope}, as at a kink, but it is higher all around."
        near = "" if at_rest else f", {stand.distance[0]:.1g} from its bottom,"
        near = ", as near its bottom as rounding lets it," if rest and not at_rest else near
        text = f"{begun} in a minimum{near} after {steps}: {slope}, {_curvature(seen, stand)}."
        if seen.hovering[0] and not rest:
            text += " The steps cross the bottom back and forth; a smaller or falling learning rate settles."
        return text
    if kind in ("saddle", "maximum"):
        return (
            f"{begun} at a {kind} after {steps}: {slope}, {_curvature(seen, stand)}. "
            "It goes down from here; start beside it, or add a little noise."
        )
    if kind == "plateau":
        flat = f"{slope}, {_curvature(seen, stand)}"
        return f"{begun} on a plateau after {steps}: {flat}. It may be lower elsewhere."
    if code == loop.NO_STEP and job.noise:
        return (
            f"The line search found no step down after {steps}: {slope}. The noise hides the way; a line "
            "search needs noise=0."
        )
    if code == loop.NO_STEP:
        return (
            f"The line search found no step down after {steps}, though {slope}. Either rounding hides the "
            "fall, and precision='float64' helps, or the gradient is not the function's, which "
            "fallline.check_gradient tells."
        )
    if code == stopping.GRADIENT:
        return (
            f"The noisy gradient fell below the tolerance after {steps}, but the true one did not: {slope}. "
            "Take a lower tolerance."
        )
    text = f"{begun} after {steps}, still moving: {slope}; the largest on the way was {seen.greatest[0]:.3g}."
    far = float(np.linalg.norm(seen.x[0]))
    if far > FAR * (1.0 + np.linalg.norm(job.places[0])):
        return f"{text} It has run off to |x| = {far:.3g}; is the function bounded below?"
    if seen.hovering[0]:
        return f"{text} The steps turn back and forth; a smaller or falling learning rate settles."
    if job.noise:
        return f"{text} The noise keeps it moving; a falling learning rate settles."
    return f"{text} Give it more steps or another learning rate."


def _curvature(seen: Evidence, stand: Standing) -> str:
    if seen.values is None:
        if stand.probed[0]:
            return "the curvature is not known, but the function was tried around the point"
        return "the curvature is not known"
    values = seen.values[0]
    least, most = float(values[0]), float(values[-1])
    if not np.abs(values).max() > 0 or stand.flat[0] == len(values):
        return "there is no curvature"
    if f"{least:.3g}" == f"{most:.3g}":
        return f"the curvature is {least:.3g}" + (" in all directions" if len(values) > 1 else "")
    if stand.kinds[0] == "minimum" and stand.flat[0]:
        many = f"{stand.flat[0]} directions" if stand.flat[0] > 1 else "one direction"
        # Lanczos' values are fewer than the directions.
        many = many if seen.vectors is not None else "some directions"
        return f"the curvature is at most {most:.3g}, and none in {many}"
    return f"the curvature lies between {least:.3g} and {most:.3g}"


def _percent(share: float) -> str:
    """A share such that only none reads as 0% and only all as 100%."""
    if 0 < share < 0.001:
        return "under 0.1%"
    if 0.999 < share < 1:
        return "over 99.9%"
    return f"{share:.1%}"


def _of_many(kinds: np.ndarray, ended: Ended, found: list[Basin], reason: str) -> str:
    """Where the balls of many starts are, for a reader."""
    count, most = len(kinds), int(ended.taken.max())
    text = f"{count:,} start" + ("" if count == 1 else "s")
    text += f", {most:,} step" + ("" if most == 1 else "s") + ("" if count == 1 else " at most")
    text += {"interrupted": ", interrupted", "time": ", out of time"}.get(reason, "") + ": "
    names = {
        "minimum": "in a minimum",
        "saddle": "at a saddle",
        "maximum": "at a maximum",
        "plateau": "on a plateau",
        "moving": "still moving",
        "diverged": "out of the finite numbers",
    }
    shares = [(name, float((kinds == kind).mean())) for kind, name in names.items()]
    text += ", ".join(f"{_percent(share)} {name}" for name, share in shares if share)
    minima = [b for b in found if b.kind == "minimum"]
    if minima:
        deepest = [b for b in minima if b.level == minima[0].level]
        value, share = min(b.fun for b in deepest), sum(b.share for b in deepest)
        if len(minima) == 1:
            text += f". One minimum found, of {value:.6g}"
        elif len(deepest) == len(minima):
            text += f". {len(minima):,} minima found, equally deep: {value:.6g}"
        else:
            which = "the deepest" if len(deepest) == 1 else f"the {len(deepest)} deepest"
            text += f". {len(minima):,} minima found, {which} of {value:.6g}, reached by {_percent(share)}"
    return text + "."
