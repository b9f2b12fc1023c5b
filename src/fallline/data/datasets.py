"""The tables that come along with scikit-learn, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fallline.data.table import Table
from fallline.errors import lookup


@dataclass(frozen=True)
class Bundled:
    """One bundled table.

    Attributes:
        loader: The function of ``sklearn.datasets`` that returns it.
        about: What it holds, for lists.
        target: The target column.
        names: Whether the classes have names, which then are the labels.
        block: The prefix of columns that share one unit, or None.
    """

    loader: str
    about: str
    target: str = "target"
    names: bool = False
    block: str | None = None


BUNDLED: dict[str, Bundled] = {
    "breast_cancer": Bundled("load_breast_cancer", "569 tumours, malignant or benign", names=True),
    "diabetes": Bundled("load_diabetes", "442 patients, the disease a year later"),
    "digits": Bundled("load_digits", "1,797 written digits of 8 x 8 pixels", block="pixel"),
    "iris": Bundled("load_iris", "150 flowers of three species", names=True),
    "wine": Bundled("load_wine", "178 wines from three growers", names=True),
}
"""The bundled tables by name."""


def load(name: str) -> Table:
    """Load a bundled table.

    Raises:
        FalllineError: if there is no table of that name.
    """
    bundled = lookup("bundled data set", BUNDLED, name)
    import polars as pl
    import sklearn.datasets  # pyright: ignore[reportMissingTypeStubs]

    bunch: Any = getattr(sklearn.datasets, bundled.loader)()
    columns = tuple(str(column) for column in bunch.feature_names)
    frame = pl.from_numpy(np.asfortranarray(bunch.data), schema=columns, orient="row")
    target = bunch.target
    if bundled.names:
        target = np.asarray([str(label) for label in bunch.target_names])[target]
    blocks = {}
    if bundled.block is not None:
        blocks = {bundled.block: tuple(c for c in columns if c.startswith(bundled.block))}
    return Table(
        frame.with_columns(pl.Series(bundled.target, target)), name, bundled.target, blocks
    )
