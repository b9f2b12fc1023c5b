"""Fallline's optimizers as a method of ``scipy.optimize.minimize``."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.descent.minimize import minimize
from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.optimizers import Optimizer


def scipy_method(optimizer: Optimizer | str | None = None, **options: Any) -> Callable[..., Any]:
    """A method for ``scipy.optimize.minimize``.

    A function that JAX can trace runs compiled; any other is called from Python, its gradient scipy's
    ``jac=`` or by differences. All in double precision, which scipy's users expect.

    Args:
        optimizer: as in `fallline.minimize`.
        options: the other arguments of `fallline.minimize`: ``learning_rate``, ``steps``,
            ``line_search``, ...; scipy's ``options=`` are put over them.

    Returns:
        A function to give as ``method=``; the result is an ``OptimizeResult`` with the fields of
        `MinimizeResult` besides scipy's.

    Raises:
        FalllineError: by scipy's call, if it is given bounds or constraints, which descent does not keep.

    Examples:
        >>> import scipy.optimize
        >>> method = scipy_method("momentum", learning_rate=0.1)
        >>> found = scipy.optimize.minimize(lambda x: ((x - 1) ** 2).sum(), [3.0, -2.0], method=method)
        >>> found.x.round(6).tolist(), found.success
        ([1.0, 1.0], True)
    """

    def method(
        fun: Callable[..., Any],
        x0: Any,
        args: tuple[Any, ...] = (),
        *,
        jac: Any = None,
        hess: Any = None,
        hessp: Any = None,
        bounds: Any = None,
        constraints: Any = (),
        callback: Callable[..., Any] | None = None,
        tol: float | None = None,
        maxiter: int | None = None,
        disp: bool = False,
        **given: Any,
    ) -> Any:
        from scipy.optimize import OptimizeResult

        if bounds is not None or constraints:
            raise FalllineError(
                "Descent knows no bounds or constraints; add a penalty to the function, or take a method of "
                "scipy's such as 'L-BFGS-B'."
            )
        asked = {**options, **given}
        if tol is not None:
            asked.setdefault("tolerance", tol)
        if maxiter is not None:
            asked["steps"] = maxiter
        if callable(jac):
            asked.setdefault("gradient", jac)
        asked.setdefault("precision", "float64")
        with warnings.catch_warnings():
            # scipy's users know that their functions are plain Python.
            warnings.filterwarnings("ignore", message="JAX cannot trace")
            found = minimize(fun, np.asarray(x0, float), optimizer, args=args, **asked)
        fields = {
            f.name: getattr(found, f.name) for f in dataclasses.fields(found) if f.name != "asked"
        }
        result = OptimizeResult(fields)
        result.x = np.asarray(found.x, float)
        result.jac = np.asarray(found.jac, float)
        result.njev = found.nit
        if callback is not None:
            callback(result.x)
        if disp:
            print(found)  # noqa: T201 - what scipy's disp asks for
        return result

    return method
