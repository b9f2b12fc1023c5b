"""What is measured on the data, on the network, and on the curvature and noise of the loss."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import jax
import numpy as np

from fallline import sparse
from fallline.diagnosis import flow, noise
from fallline.diagnosis import rows as checks
from fallline.diagnosis.case import RunCase
from fallline.diagnosis.chance import constant_loss
from fallline.diagnosis.recorded import Recorded
from fallline.errors import FalllineError

if TYPE_CHECKING:
    from fallline.diagnosis.curvature import Sharpness
    from fallline.diagnosis.flow import LayerActivity
    from fallline.diagnosis.noise import Noise
    from fallline.diagnosis.rows import RowFacts


class Measured(Recorded):
    """The numbers of a case that are measured where it ended, and where it began."""

    @property
    def run(self) -> RunCase | None:
        """The case, if it can be run again."""
        case = self.case
        if not self.measure or not isinstance(case, RunCase) or case.problem is None:
            return None
        return case

    @functools.cached_property
    def parameters(self) -> int:
        """How many numbers are trained; 0 if it is not known."""
        case = self.run
        if case is None or case.start is None:
            return self.case.parameters or 0
        return sum(int(np.size(leaf)) for leaf in jax.tree.leaves(case.start["params"]))

    @functools.cached_property
    def by_heart(self) -> bool:
        """Has a network more parameters than training rows, and no validation rows to tell by?"""
        unwatched = self.hidden > 0 and not len(self.validation)
        return unwatched and self.parameters > (self.case.rows or 0)

    @functools.cached_property
    def rows(self) -> RowFacts | None:
        """What the rows say by themselves."""
        case = self.run
        if case is None or case.problem is None or self.own_objective:
            return None
        data, count = case.problem.data, case.problem.plan.rows
        if sparse.is_rows(data.x):
            return None
        x, y = np.asarray(data.x)[:count], np.asarray(data.y)[:count]
        return checks.check_rows(
            x.reshape(count, -1), y, classification=case.task == "classification"
        )

    @functools.cached_property
    def scales(self) -> tuple[float, float, float, float] | None:
        """Ratio of the spreads, the widest, the typical one, and the largest mean over spread.

        Columns that hardly ever differ from one value are left out: their spread says nothing of their scale.
        """
        case = self.run
        if self.rows is None or case is None or case.problem is None:
            return None
        x = np.asarray(case.problem.data.x)[: case.problem.plan.rows]
        x = x[:: -(-len(x) // 20_000)]
        x = x.reshape(len(x), -1)
        mean, spread = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
        kept = spread > 0.05 * np.quantile(spread, 0.1, method="higher")
        kept &= spread > 1e-9 * np.abs(mean)
        if not kept.any():
            return None
        mean, spread = mean[kept], spread[kept]
        low = float(np.quantile(spread, 0.1, method="lower"))
        offset = float((np.abs(mean) / spread).max())
        return float(spread.max()) / low, float(spread.max()), float(np.median(spread)), offset

    @functools.cached_property
    def chance(self) -> float:
        """The loss of the best constant prediction; NaN where it is not known."""
        case = self.run
        if case is None or case.problem is None or case.model is None:
            return math.nan
        y = case.problem.data.y
        outputs = case.model.outputs
        return constant_loss(case.problem.objective, np.asarray(y), outputs, case.task)

    @functools.cached_property
    def reference(self) -> float:
        """The loss from which a fall counts: the first one, or the constant's if that is lower."""
        if math.isfinite(self.chance) and (self.case.batch_size or 0) < 64:
            # One batch's loss says little.
            return self.chance
        known = [v for v in (self.first, self.chance) if math.isfinite(v)]
        return min(known) if known else math.nan

    @functools.cached_property
    def activity(self) -> list[LayerActivity]:
        """What the layers give at the end; empty where it is not known."""
        return (self.case.activity("end") if self.measure else None) or []

    @functools.cached_property
    def early_activity(self) -> list[LayerActivity]:
        """The same before the first step."""
        return (self.case.activity("start") if self.measure else None) or []

    @functools.cached_property
    def early_gradients(self) -> dict[str, float]:
        """The gradient's norm by leaf before the first step; empty where it is not known."""
        return self._gradients("start")

    @functools.cached_property
    def late_gradients(self) -> dict[str, float]:
        """The same at the end."""
        return self._gradients("end")

    def _gradients(self, when: str) -> dict[str, float]:
        case = self.run
        found = None if case is None or case.model is None else case.at(when)
        if case is None or found is None or case.problem is None:
            return self._recorded_gradients(when)
        return flow.gradient_norms(case.problem.objective, *found, case.sample)

    @functools.cached_property
    def start_loss(self) -> float:
        """The objective on many rows before the first step; the first step's loss if it cannot be had."""
        case = self.run
        found = None if case is None else case.at("start")
        return self.first if case is None or found is None else case.loss_at(*found)

    @functools.cached_property
    def early_weights(self) -> dict[str, float]:
        """The standard deviation of each layer's weights before the first step, as a multiple of He's."""
        case = self.run
        found = None if case is None or case.model is None else case.at("start")
        if found is None:
            return {}
        sizes: dict[str, float] = {}
        for layer, leaves in found[0].items():
            weights = leaves.get("weights")
            if weights is not None:
                he = math.sqrt(2.0 / weights.shape[0])
                sizes[layer] = float(np.sqrt(np.mean(np.square(np.asarray(weights))))) / he
        return sizes

    @functools.cached_property
    def identical(self) -> float:
        """The largest share of units of a hidden layer that start as copies of another."""
        case = self.run
        found = None if case is None or not self.hidden else case.at("start")
        return math.nan if found is None else flow.identical_columns(found[0])

    @functools.cached_property
    def slope_left(self) -> float:
        """The gradient's norm at the end, over many rows where the batches only sample it."""
        case = self.run
        at = None if case is None or self.case.steps_per_epoch == 1 else case.at("end")
        return self.last_gradient if case is None or at is None else case.gradient_norm_at(*at)

    @functools.cached_property
    def sharpness(self) -> Sharpness | None:
        """The curvature at the end, as the optimizer meets it."""
        if not self.measure or self.clock.left < 0:
            return None
        try:
            return self.case.sharpness()
        except FalllineError:
            return None

    @functools.cached_property
    def curvature(self) -> Sharpness | None:
        """The curvature at the end by the Hessian alone, whatever the optimizer divides by."""
        s = self.sharpness
        if s is None or not s.preconditioned or self.run is None:
            return s
        try:
            return self.run.sharpness(plain=True)
        except (FalllineError, TypeError):
            return None

    @property
    def margin(self) -> float:
        """The learning rate over the largest stable one at the end; NaN where it is not known.

        The highest rate of the run: a schedule's last one says nothing of it.
        """
        s = self.sharpness
        if s is None or not s.limit > 0:
            return math.nan
        return self.rate / s.limit

    @functools.cached_property
    def noise(self) -> Noise | None:
        """The gradient's noise at the end."""
        return self._noise("end")

    @functools.cached_property
    def early_noise(self) -> Noise | None:
        """The gradient's noise before the first step."""
        return self._noise("start")

    def _noise(self, when: str) -> Noise | None:
        case = self.run
        found = None if case is None else case.at(when)
        if case is None or found is None or case.problem is None or (case.rows or 0) < 64:
            return None
        batch = max(4, min(64, (case.rows or 0) // 16))
        try:
            return noise.gradient_noise(
                case.problem.objective, *found, case.problem.rows, batch=batch, batches=16
            )
        except FalllineError:
            return None
