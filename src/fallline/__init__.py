"""Training by gradient descent: compiled, recorded at every step, explained in words."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fallline import tuning

if TYPE_CHECKING:
    from fallline import (
        averages,
        baselines,
        estimators,
        expressions,
        gradients,
        losses,
        models,
        optimizers,
        scale,
        schedules,
        terrains,
    )
    from fallline.descent.history import History
    from fallline.descent.minimize import minimize
    from fallline.descent.minimize_result import MinimizeResult
    from fallline.descent.run import Run
    from fallline.descent.scipy_method import scipy_method
    from fallline.descent.sweep import sweep
    from fallline.descent.sweep_result import SweepResult
    from fallline.descent.train import train
    from fallline.diagnosis.finding import Diagnosis, Finding
    from fallline.diagnosis.watch import watch
    from fallline.errors import FalllineError
    from fallline.gradients.check import check_gradient
    from fallline.gradients.graph import graph
    from fallline.jobs.diagnose import diagnose
    from fallline.jobs.fit import fit
    from fallline.jobs.result import TableRun, load
    from fallline.page.keep import report

# Before JAX computes for the first time.
tuning.apply()

__version__ = "0.1.0"

__all__ = [
    "Diagnosis",
    "FalllineError",
    "Finding",
    "History",
    "MinimizeResult",
    "Run",
    "SweepResult",
    "TableRun",
    "__version__",
    "averages",
    "baselines",
    "check_gradient",
    "diagnose",
    "estimators",
    "expressions",
    "fit",
    "gradients",
    "graph",
    "load",
    "losses",
    "minimize",
    "models",
    "optimizers",
    "report",
    "scale",
    "schedules",
    "scipy_method",
    "sweep",
    "terrains",
    "train",
    "watch",
]

# A name is imported when it is first used, so that `import fallline` and the first screen of the
# command line load nothing heavy.
_HOMES = {
    "Diagnosis": "fallline.diagnosis.finding",
    "FalllineError": "fallline.errors",
    "Finding": "fallline.diagnosis.finding",
    "History": "fallline.descent.history",
    "MinimizeResult": "fallline.descent.minimize_result",
    "Run": "fallline.descent.run",
    "SweepResult": "fallline.descent.sweep_result",
    "TableRun": "fallline.jobs.result",
    "check_gradient": "fallline.gradients.check",
    "diagnose": "fallline.jobs.diagnose",
    "fit": "fallline.jobs.fit",
    "graph": "fallline.gradients.graph",
    "load": "fallline.jobs.result",
    "minimize": "fallline.descent.minimize",
    "report": "fallline.page.keep",
    "scipy_method": "fallline.descent.scipy_method",
    "sweep": "fallline.descent.sweep",
    "train": "fallline.descent.train",
    "watch": "fallline.diagnosis.watch",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in __all__:
        return importlib.import_module(f"fallline.{name}")
    raise AttributeError(f"module 'fallline' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
