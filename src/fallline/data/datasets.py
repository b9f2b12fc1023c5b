"""The tables that come along with scikit-learn, by name."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from fallline.data.table import Table
from fallline.errors import lookup


@dataclass(frozen=True)
class Bundled:
    """One bundled table.

    Attributes:
        file: The file of scikit-learn's that holds it.
        about: What it holds, for lists.
        columns: The features' names.
        target: The target column.
        names: Whether the classes have names, which then are the labels.
        block: The prefix of columns that share one unit, or None.
    """

    file: str
    about: str
    columns: tuple[str, ...]
    target: str = "target"
    names: bool = False
    block: str | None = None


_OF_A_NUCLEUS = (
    *("radius", "texture", "perimeter", "area", "smoothness"),
    *("compactness", "concavity", "concave points", "symmetry", "fractal dimension"),
)

BUNDLED: dict[str, Bundled] = {
    "breast_cancer": Bundled(
        "breast_cancer.csv",
        "569 tumours, malignant or benign",
        tuple(w.format(n) for w in ("mean {}", "{} error", "worst {}") for n in _OF_A_NUCLEUS),
        names=True,
    ),
    "diabetes": Bundled(
        "diabetes_data_raw.csv.gz",
        "442 patients, the disease a year later",
        ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"),
    ),
    "digits": Bundled(
        "digits.csv.gz",
        "1,797 written digits of 8 x 8 pixels",
        tuple(f"pixel_{row}_{column}" for row in range(8) for column in range(8)),
        block="pixel",
    ),
    "iris": Bundled(
        "iris.csv",
        "150 flowers of three species",
        ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"),
        names=True,
    ),
    "wine": Bundled(
        "wine_data.csv",
        "178 wines from three growers",
        (
            *("alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols"),
            *("flavanoids", "nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue"),
            *("od280/od315_of_diluted_wines", "proline"),
        ),
        names=True,
    ),
}
"""The bundled tables by name."""


def load(name: str) -> Table:
    """Load a bundled table.

    Raises:
        FalllineError: if there is no table of that name.
    """
    bundled = lookup("bundled data set", BUNDLED, name)
    import polars as pl

    try:
        data, target = from_file(bundled)
    except (OSError, ValueError):
        data, target = from_loader(name, bundled)
    columns = bundled.columns
    frame = pl.from_numpy(np.asfortranarray(data), schema=columns, orient="row")
    blocks = {bundled.block: columns} if bundled.block is not None else {}
    return Table(
        frame.with_columns(pl.Series(bundled.target, target)), name, bundled.target, blocks
    )


def from_file(bundled: Bundled) -> tuple[np.ndarray, np.ndarray]:
    """Features and target from scikit-learn's file, without the second that importing it takes.

    Raises:
        OSError: if it is not there.
        ValueError: if it holds something else.
    """
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise FileNotFoundError("scikit-learn")
    place = Path(package.origin).with_name("datasets") / "data"
    if bundled.file == "diabetes_data_raw.csv.gz":
        data = np.loadtxt(place / bundled.file)
        data -= data.mean(axis=0)
        # As scikit-learn's loader has it: the squares of a column sum to 1.
        return data / np.linalg.norm(data, axis=0), np.loadtxt(place / "diabetes_target.csv.gz")
    whole = np.loadtxt(place / bundled.file, delimiter=",", skiprows=int(bundled.names))
    if whole.shape[1] != len(bundled.columns) + 1:
        raise ValueError(f"{bundled.file} has {whole.shape[1]} columns")
    data, target = whole[:, :-1], whole[:, -1].astype(int)
    if bundled.names:
        with (place / bundled.file).open() as lines:
            # Its first line counts rows and columns and names the classes.
            target = np.asarray(lines.readline().strip().split(",")[2:])[target]
    return data, target


def from_loader(name: str, bundled: Bundled) -> tuple[np.ndarray, np.ndarray]:
    """Features and target from scikit-learn itself, should its files lie elsewhere one day."""
    import sklearn.datasets  # pyright: ignore[reportMissingTypeStubs]

    bunch: Any = getattr(sklearn.datasets, f"load_{name}")()
    target = bunch.target
    if bundled.names:
        target = np.asarray([str(label) for label in bunch.target_names])[target]
    return bunch.data, target
