"""What the tests share."""

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
