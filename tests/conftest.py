"""What the tests share."""

import gc
import os

import jax
import numpy as np
import pytest
from hypothesis import settings
from jax.experimental.compilation_cache import compilation_cache

settings.register_profile("fallline", deadline=None, derandomize=True, database=None)
settings.load_profile("fallline")

# Each of these takes over half a minute. They start first, so that no worker is left alone with one.
LONGEST = [
    "tests/test_docs.py",
    "tests/studio/",
    "tests/descent/test_sweep.py",
    "tests/jobs/test_fit.py",
    "tests/descent/test_minimize.py",
    "tests/descent/test_range_test_on_real_tables.py",
    "tests/descent/test_stationary.py",
    "tests/test_tutorial.py",
    "tests/descent/test_train.py",
    "tests/cli/",
    "tests/test_graph.py",
    "tests/jobs/test_compare.py",
]


def pytest_collection_modifyitems(items):
    def place(item) -> int:
        places = (i for i, path in enumerate(LONGEST) if item.nodeid.startswith(path))
        return next(places, len(LONGEST))

    items.sort(key=place)


def pytest_collection_finish():
    """Less work for the garbage collector, which takes longer the more a worker has compiled.

    What is imported by now stays until the end, and what tests leave behind may lie a while.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2000, 20, 20)


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
    """Compiled programs are shared by all commands that the tests start, and with nobody else."""
    base = tmp_path_factory.getbasetemp()
    # With pytest-xdist each worker has a folder of its own, inside the session's.
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "programs"
    before = os.environ.get("FALLLINE_CACHE")
    os.environ["FALLLINE_CACHE"] = str(folder)
    yield
    if before is None:
        del os.environ["FALLLINE_CACHE"]
    else:
        os.environ["FALLLINE_CACHE"] = before


@pytest.fixture(autouse=True)
def no_cache_left_on():
    """A command run in this process keeps its programs on disk; the tests after it must not.

    At each write JAX looks through the whole folder: 35 ms for 1,500 programs, and a worker makes more.
    """
    yield
    if jax.config.jax_compilation_cache_dir is not None:
        jax.config.update("jax_compilation_cache_dir", None)
        compilation_cache.reset_cache()


@pytest.fixture(scope="session")
def colours():
    """A small regression: 150 rows, two numbers, a category, y = 10 + 3a - 2b + 4 if red."""
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 150))
    colour = random.choice(["red", "green", "blue"], 150)
    y = 10 + 3 * a - 2 * b + 4 * (colour == "red") + random.normal(0, 0.1, 150)
    return {"a": a, "b": b, "colour": colour, "y": y}
