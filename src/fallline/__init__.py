"""Training by gradient descent: compiled, recorded at every step, explained in words."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fallline import averages, baselines, losses, models, optimizers, schedules
    from fallline.descent.history import History
    from fallline.descent.run import Run
    from fallline.descent.train import train
    from fallline.errors import FalllineError
    from fallline.jobs.fit import fit
    from fallline.jobs.result import TableRun, load

__version__ = "0.1.0"

__all__ = [
    "FalllineError",
    "History",
    "Run",
    "TableRun",
    "__version__",
    "averages",
    "baselines",
    "fit",
    "load",
    "losses",
    "models",
    "optimizers",
    "schedules",
    "train",
]

# A name is imported when it is first used, so that `import fallline` and the first screen of the
# command line load nothing heavy.
_HOMES = {
    "FalllineError": "fallline.errors",
    "History": "fallline.descent.history",
    "Run": "fallline.descent.run",
    "TableRun": "fallline.jobs.result",
    "fit": "fallline.jobs.fit",
    "load": "fallline.jobs.result",
    "train": "fallline.descent.train",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in __all__:
        return importlib.import_module(f"fallline.{name}")
    raise AttributeError(f"module 'fallline' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
