"""Drop-in scikit-learn estimators: the one engine behind ``fit``, ``predict`` and ``score``."""

from fallline.estimators.linear import LinearClassifier, LinearRegressor
from fallline.estimators.network import MLPClassifier, MLPRegressor

__all__ = [
    "LinearClassifier",
    "LinearRegressor",
    "MLPClassifier",
    "MLPRegressor",
]
