"""Drop-in scikit-learn estimators: the one engine behind ``fit``, ``predict`` and ``score``."""

import os

from fallline.estimators.linear import LinearClassifier, LinearRegressor
from fallline.estimators.network import MLPClassifier, MLPRegressor
from fallline.estimators.translate import from_sklearn

__all__ = [
    "LinearClassifier",
    "LinearRegressor",
    "MLPClassifier",
    "MLPRegressor",
    "from_sklearn",
]

# JAX starts as many threads as there are cores. In the worker processes of joblib (n_jobs=2 in a grid
# search) that would be too many: they are told their share by OMP_NUM_THREADS, which JAX does not read.
# It reads NPROC, when it computes for the first time.
if os.environ.get("OMP_NUM_THREADS", "").isdigit():
    os.environ.setdefault("NPROC", os.environ["OMP_NUM_THREADS"])
