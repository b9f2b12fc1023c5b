"""What the tests share."""

import os

import jax
import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("fallline", deadline=None, derandomize=True, database=None)
settings.load_profile("fallline")


@pytest.fixture
def x64():
    """Double precision for one test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session", autouse=True)
def programs(tmp_path_factory):
    """Compiled programs are shared with the commands that tests start, and with nobody else."""
    before = os.environ.get("FALLLINE_CACHE")
    os.environ["FALLLINE_CACHE"] = str(tmp_path_factory.mktemp("programs"))
    yield
    if before is None:
        del os.environ["FALLLINE_CACHE"]
    else:
        os.environ["FALLLINE_CACHE"] = before


@pytest.fixture(scope="session")
def colours():
    """A small regression: 150 rows, two numbers, a category, y = 10 + 3a - 2b + 4 if red."""
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 150))
    colour = random.choice(["red", "green", "blue"], 150)
    y = 10 + 3 * a - 2 * b + 4 * (colour == "red") + random.normal(0, 0.1, 150)
    return {"a": a, "b": b, "colour": colour, "y": y}
