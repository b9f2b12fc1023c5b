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


# Of these cross products every so-manieth case runs, all of them with ``--exhaustive``: what they cross is
# tested elsewhere one by one, and together they take a third of an hour on two cores.
SAMPLED = {
    "tests/cli/test_kill.py::test_kill_and_resume": 2,
    "tests/descent/test_line_search.py::test_armijo_s_condition_holds_at_every_step": 3,
    "tests/descent/test_minimize.py::test_a_ball_among_many_goes_the_way_it_goes_alone": 3,
    "tests/descent/test_minimize.py::test_functions_with_more_than_arithmetic": 2,
    "tests/descent/test_minimize.py::test_the_default_reaches_a_minimum_from_the_classic_start": 3,
    "tests/descent/test_many_starts.py::test_the_edges_of_blocks": 2,
    "tests/descent/test_range_test_on_real_tables.py::test_the_chosen_rate": 2,
    "tests/descent/test_stationary.py::test_points_of_every_kind": 3,
    "tests/descent/test_stationary.py::test_the_known_points_of_every_terrain": 3,
    "tests/descent/test_sweep.py::test_chunks_of_any_size_give_the_same": 2,
    "tests/descent/test_sweep.py::test_every_optimizer_equals_train": 3,
    "tests/descent/test_sweep.py::test_side_by_side_equals_one_by_one": 3,
    "tests/jobs/test_fit.py::test_real_tables": 2,
    "tests/store/test_folder.py::test_round_trip_of_every_kind_of_part": 3,
    "tests/test_check_gradient.py::test_correct_gradients": 2,
    "tests/test_check_gradient.py::test_planted_factors": 3,
    "tests/test_curvature.py::test_the_outermost_of_a_large_one_within_the_bound": 2,
    "tests/test_graph.py::test_every_loss_on_a_small_network": 3,
    "tests/test_optimizers.py::test_it_descends_a_parabola_and_rosenbrock_to_the_minimum": 3,
    "tests/test_stability.py::test_at_the_limit_the_linearised_step": 3,
    "tests/test_terrains.py::test_single_precision_is_enough": 3,
}

# Each of these takes ten seconds to a minute, and what it does is also done by tests that are shorter.
LEFT_OUT = (
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/explanation/gallery.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/compare-optimizers.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/follow-the-chain-rule.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/minimize-a-function.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/optax.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/own-loss.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/predict.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/race-on-a-terrain.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/resume.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/scripts-and-pipes.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/train-on-your-table.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/tutorials/descent-by-hand.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/tutorials/first-model.md]",
    "tests/test_tutorial.py::test_it_learns_mnist",
)


def pytest_addoption(parser):
    parser.addoption(
        "--exhaustive",
        action="store_true",
        help="run all cases of the largest cross products, and the longest pages of the documentation",
    )


def pytest_report_header(config):
    if not config.getoption("exhaustive"):
        return "the largest cross products are sampled; --exhaustive runs all"
    return None


def pytest_collection_modifyitems(config, items):
    def place(item) -> int:
        places = (i for i, path in enumerate(LONGEST) if item.nodeid.startswith(path))
        return next(places, len(LONGEST))

    # Whoever names a test gets it.
    named = any("::" in argument for argument in config.invocation_params.args)
    if not config.getoption("exhaustive") and not named:
        left = [item for item in items if item.nodeid in LEFT_OUT]
        for name, every in SAMPLED.items():
            cases = [item for item in items if item.nodeid.startswith(name)]
            left += [item for i, item in enumerate(cases) if i % every]
        config.hook.pytest_deselected(items=left)
        gone = set(left)
        items[:] = [item for item in items if item not in gone]
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
