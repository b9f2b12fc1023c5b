"""What a user sees of a fit while it runs: functions of their own, progress, scikit-learn's callbacks."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fallline.descent.run import Progress


@dataclasses.dataclass
class Told:
    """What the engine is given to call.

    Attributes:
        callback: see `fallline.train`.
        every_epoch: see `fallline.train`.
    """

    callback: Callable[[Progress], Any] | None
    every_epoch: bool = False


class Watched:
    """An estimator whose fits can be watched."""

    callback: Any
    verbose: Any
    _stopped_by_callback = False


@contextlib.contextmanager
def shown(estimator: Any, epochs: int, part: bool) -> Iterator[Told]:
    """Show a fit while it runs.

    Args:
        estimator: the estimator that is being fitted.
        epochs: epochs at most.
        part: is it a call of ``partial_fit``?
    """
    estimator._stopped_by_callback = False

    def callback(progress: Progress) -> bool:
        stop = estimator.callback is not None and bool(estimator.callback(progress))
        estimator._stopped_by_callback |= stop
        return stop

    yield Told(callback)
