"""One table through scikit-learn: read, encode, train, score on the held-out 20 %, print the score.

python -m benchmarks.peers.sklearn_table SET MODEL [RATE], with the same held-out rows as Fallline; the rate
is that of a network.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np

from fallline.data.split import split

TARGETS = {"california_housing": "median_house_value", "diamonds": "price", "adult": "income"}


def data(name: str):
    """Raw features, target, and which columns are numbers and which categories."""
    folder = Path(os.environ.get("FALLLINE_DATA", "."))
    if name in TARGETS:
        import polars as pl

        frame = pl.read_csv(folder / f"{name}.csv", infer_schema_length=None)
        y = frame[TARGETS[name]].to_numpy()
        frame = frame.drop(TARGETS[name])
        numbers = [c for c in frame.columns if frame[c].dtype.is_numeric()]
        return frame, y, numbers, [c for c in frame.columns if c not in numbers]
    if name == "mnist10k":
        arrays = np.load(folder / "mnist10k.npz")
        return (
            arrays["images"].reshape(len(arrays["images"]), -1) / 255.0,
            arrays["labels"],
            None,
            None,
        )
    from sklearn.datasets import load_diabetes, load_digits

    X, y = {"digits": load_digits, "diabetes": load_diabetes}[name](return_X_y=True)
    return (X / 16.0 if name == "digits" else X), y, None, None


def model(name: str, kind: str, regression: bool, rate: float = 0.001):
    """The estimator: scikit-learn's at settings that reach the score soonest."""
    if kind == "linear":
        if regression:
            from sklearn.linear_model import LinearRegression

            return LinearRegression()
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(max_iter=1000)
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    early = kind.endswith("-early")
    hidden = {"mnist10k": (128,), "digits": (100,)}.get(name, (64, 64))
    cls = MLPRegressor if regression else MLPClassifier
    return cls(
        hidden_layer_sizes=hidden,
        early_stopping=early,
        learning_rate_init=rate,
        random_state=0,
        max_iter=200,
    )


def main(name: str, kind: str, rate: str = "0.001") -> None:
    """Train and print one JSON object."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.pipeline import make_pipeline

    warnings.simplefilter("ignore", ConvergenceWarning)
    if name == "a9a":
        from sklearn.datasets import load_svmlight_file

        folder = Path(os.environ.get("FALLLINE_DATA", "."))
        X, y = load_svmlight_file(str(folder / "a9a"), n_features=123)
        X_test, y_test = load_svmlight_file(str(folder / "a9a.t"), n_features=123)
        fitted = model(name, kind, False).fit(X, y)
        print(json.dumps({"value": float(fitted.score(X_test, y_test))}))
        return
    X, y, numbers, categories = data(name)
    regression = name in ("california_housing", "diamonds", "diabetes")
    training, test = split(len(y) if regression else y, 0.2, 0, purpose="test")
    estimator = model(name, kind, regression, float(rate))
    if numbers is not None:
        from sklearn.compose import make_column_transformer
        from sklearn.impute import SimpleImputer
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        estimator = make_pipeline(
            make_column_transformer(
                (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
                (OneHotEncoder(handle_unknown="ignore"), categories),
                sparse_threshold=0.0,
            ),
            estimator,
        )
    elif name == "diabetes":
        from sklearn.preprocessing import StandardScaler

        estimator = make_pipeline(StandardScaler(), estimator)
    if regression and kind != "linear":
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.preprocessing import StandardScaler

        estimator = TransformedTargetRegressor(estimator, transformer=StandardScaler())
    fitted = estimator.fit(X[training], y[training])
    print(json.dumps({"value": float(fitted.score(X[test], y[test]))}))


if __name__ == "__main__":
    main(*sys.argv[1:])
