"""The tables that patients are trained on: bundled, real and made, standardised, of few shapes."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from benchmarks.real import real_table

DEV = ("digits", "diabetes", "moons", "friedman", "california", "blobs", "linear-a")
TEST = (
    "breast_cancer",
    "wine",
    "mnist",
    "adult",
    "titanic",
    "diamonds",
    "spirals",
    "circles",
    "xor",
    "linear-b",
)
ANYWHERE = ("iris",)
"""Its split goes by the seed."""

REAL = ("california", "mnist", "adult", "titanic", "diamonds")
"""Those that need the folder that ``FALLLINE_DATA`` names."""

TASKS = {
    "diabetes": "regression",
    "friedman": "regression",
    "california": "regression",
    "diamonds": "regression",
    "linear-a": "regression",
    "linear-b": "regression",
    "digits": "classes",
    "mnist": "classes",
    "blobs": "classes",
    "wine": "classes",
    "iris": "classes",
}
"""What is not here has two classes and one output."""


def raw(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Columns and target in their own units, a fixed choice of rows.

    Raises:
        Skipped: for a real table, if it is not there.
    """
    return _raw(name)


@functools.cache
def _raw(name: str) -> tuple[np.ndarray, np.ndarray]:
    maker = _MAKERS.get(name)
    x, y = maker() if maker else _bundled(name)
    draw = np.random.default_rng(7)
    rows = draw.permutation(len(x))[: _ROWS[name]]
    return x[rows].astype(np.float64), y[rows]


@functools.cache
def standard(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Columns of mean 0 and deviation 1, and so the target of a regression; class indices from 0."""
    x, y = raw(name)
    spread = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    if TASKS.get(name) == "regression":
        return x.astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32)
    return x.astype(np.float32), y.astype(np.int32)


def outputs(name: str) -> int:
    """Numbers that a model of this table predicts a row."""
    if TASKS.get(name) != "classes":
        return 1
    return int(standard(name)[1].max()) + 1


def loss(name: str) -> str:
    """The loss for this table."""
    kinds = {"regression": "squared_error", "classes": "softmax_cross_entropy"}
    return kinds.get(TASKS.get(name, ""), "binary_cross_entropy")


def split(name: str, seed: int) -> str:
    """Which half a table and seed belong to: "dev" or "test"."""
    if name in ANYWHERE:
        return "dev" if seed < 100 else "test"
    return "dev" if name in DEV else "test"


def _bundled(name: str) -> tuple[np.ndarray, np.ndarray]:
    from sklearn import datasets

    return getattr(datasets, f"load_{name}")(return_X_y=True)


def _moons() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import make_moons

    return make_moons(1000, noise=0.15, random_state=1)


def _circles() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import make_circles

    return make_circles(1000, noise=0.08, factor=0.5, random_state=2)


def _spirals() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(3)
    turn = np.sqrt(draw.uniform(0.1, 1.0, 1000)) * 2.2 * np.pi
    arm = np.arange(1000) % 2
    angle = turn + np.pi * arm
    x = np.stack([turn * np.cos(angle), turn * np.sin(angle)], axis=1) / 3
    return x + draw.normal(0, 0.08, x.shape), arm


def _xor() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(4)
    x = draw.uniform(-1, 1, (1000, 2))
    return x, (x[:, 0] * x[:, 1] > 0).astype(np.int32)


def _friedman() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import make_friedman1

    return make_friedman1(1000, n_features=10, noise=1.0, random_state=5)


def _blobs() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import make_blobs

    return make_blobs(1000, n_features=10, centers=4, cluster_std=6.0, random_state=6)


def _linear(seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(1000, 10))
    return x, x @ draw.normal(size=10) + draw.normal(0, 1.0, 1000)


def _frame(name: str) -> Any:
    import polars as pl

    return pl.read_csv(real_table(name), infer_schema_length=None, null_values=["", "?"])


def _california() -> tuple[np.ndarray, np.ndarray]:
    frame = _frame("california_housing.csv").drop("ocean_proximity").drop_nulls()
    y = frame["median_house_value"].to_numpy()
    return frame.drop("median_house_value").to_numpy(), y


def _diamonds() -> tuple[np.ndarray, np.ndarray]:
    frame = _frame("diamonds.csv")
    ordered = {
        "cut": ["Fair", "Good", "Very Good", "Premium", "Ideal"],
        "color": list("JIHGFED"),
        "clarity": ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"],
    }
    for column, levels in ordered.items():
        places = {level: float(i) for i, level in enumerate(levels)}
        frame = frame.with_columns(frame[column].replace_strict(places))
    return frame.drop("price").to_numpy(), frame["price"].to_numpy()


def _adult() -> tuple[np.ndarray, np.ndarray]:
    import polars as pl

    frame = _frame("adult.csv").drop_nulls()
    y = frame["income"].str.contains(">").cast(pl.Int32).to_numpy()
    numeric = frame.select("age", "education_num", "capital_gain", "capital_loss", "hours-per-week")
    kinds = frame.select("marital_status", "sex", "workclass").to_dummies()
    common = [column for column in kinds.columns if kinds[column].mean() > 0.02]
    return np.concatenate([numeric.to_numpy(), kinds.select(common).to_numpy()], axis=1), y


def _titanic() -> tuple[np.ndarray, np.ndarray]:
    frame = _frame("titanic.csv").drop_nulls(["embarked"])
    age = frame["age"].fill_null(float(frame["age"].median()))
    columns = [
        *(frame["pclass"] == k for k in (1, 2)),
        frame["sex"] == "female",
        age,
        frame["sibsp"],
        frame["parch"],
        np.log1p(frame["fare"].to_numpy()),
        *(frame["embarked"] == k for k in "SC"),
    ]
    return np.stack([np.asarray(c, float) for c in columns], axis=1), frame["survived"].to_numpy()


def _mnist() -> tuple[np.ndarray, np.ndarray]:
    held = np.load(real_table("mnist10k.npz"))
    pooled = held["images"].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    return pooled.reshape(-1, 196), held["labels"]


_MAKERS = {
    "moons": _moons,
    "circles": _circles,
    "spirals": _spirals,
    "xor": _xor,
    "friedman": _friedman,
    "blobs": _blobs,
    "linear-a": lambda: _linear(8),
    "linear-b": lambda: _linear(9),
    "california": _california,
    "diamonds": _diamonds,
    "adult": _adult,
    "titanic": _titanic,
    "mnist": _mnist,
}

_ROWS = dict.fromkeys((*DEV, *TEST), 1000) | {
    "digits": 1200,
    "diabetes": 400,
    "iris": 150,
    "wine": 170,
    "breast_cancer": 500,
    "titanic": 800,
    "california": 2000,
    "diamonds": 2000,
    "adult": 2000,
    "mnist": 1500,
}
