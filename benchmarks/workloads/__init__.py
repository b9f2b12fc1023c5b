"""Every workload of the benchmark: each module here has ``workloads(quick)``."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.harness import Workload


def workloads(quick: bool) -> Iterator[tuple[str, Callable[[], Workload]]]:
    """Names and makers, of all modules; a module that cannot be imported fails when it is made.

    Args:
        quick: smaller work, by the same code.
    """
    for module in sorted(found.name for found in pkgutil.iter_modules(__path__)):
        try:
            yield from importlib.import_module(f"{__name__}.{module}").workloads(quick)
        except Exception as error:

            def broken(reason: Exception = error) -> Workload:
                raise reason

            yield module, broken
