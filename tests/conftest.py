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

# Each of these takes over twenty seconds. They start first, so that no worker is left alone with one.
LONGEST = [
    "tests/test_docs.py",
    "tests/studio/",
    "tests/estimators/",
    "tests/diagnosis/",
    "tests/descent/test_sweep.py",
    "tests/jobs/test_fit.py",
    "tests/descent/test_minimize.py",
    "tests/descent/test_range_test_on_real_tables.py",
    "tests/descent/test_stationary.py",
    "tests/test_tutorial.py",
    "tests/descent/test_train.py",
    "tests/cli/",
    "tests/test_graph.py",
    "tests/test_losses.py",
    "tests/test_sparse.py",
    "tests/test_optimizers.py",
    "tests/jobs/test_compare.py",
    "tests/test_models.py",
    "tests/test_terrains.py",
    "tests/show/test_plots.py",
    "tests/test_check_gradient.py",
]

# Most of the time of these is XLA's, at making loops fast that then run for milliseconds. They ask what is
# done, said and drawn, and their programs are compiled quickly instead, in three quarters of the time; the
# engine below them and the commands above them are compiled as for users, and with ``--exhaustive`` all are.
QUICKLY = (
    "tests/diagnosis/",
    "tests/estimators/",
    "tests/jobs/",
    "tests/page/",
    "tests/show/",
    "tests/studio/test_bad_messages.py",
    "tests/studio/test_compare_view.py",
    "tests/studio/test_fit_view.py",
    "tests/studio/test_gallery_view.py",
    "tests/studio/test_network_view.py",
    "tests/studio/test_runs_view.py",
    "tests/studio/test_terrain_view.py",
)


# Of these cross products every so-manieth case runs, all of them with ``--exhaustive``: what they cross is
# tested elsewhere one by one, and together they take over a third of an hour on two cores. Where the cases
# are more of one kind (terrains, real tables, seeds, moments to be killed at), those that run stand for all.
SAMPLED = {
    "tests/diagnosis/test_rules.py::test_a_planted_fault_is_found": 6,
    "tests/diagnosis/test_rules.py::test_places_and_gradients": 2,
    "tests/test_optimizers.py::test_jit_scan_and_plain_calls_agree": 3,
    "tests/test_optimizers.py::test_every_number_can_be_a_batch": 3,
    "tests/test_terrains.py::test_a_listed_setting_reaches_a_minimum": 3,
    "tests/test_terrains.py::test_terrains_are_complete": 3,
    "tests/test_terrains.py::test_no_stationary_point_is_missing": 3,
    "tests/studio/test_terrain_lines.py::test_the_numbers_of_each_line": 3,
    "tests/test_losses.py::test_a_loss_gives_one_number_an_example": 3,
    "tests/test_losses.py::test_the_gradient_is_the_central_difference": 3,
    "tests/test_losses.py::test_huge_outputs_give_finite": 3,
    "tests/test_losses.py::test_a_loss_runs_under_jit": 3,
    "tests/test_models.py::test_every_activation_is_finite": 2,
    "tests/test_models.py::test_the_gradient_of_every_activation": 2,
    "tests/diagnosis/test_minimized.py::test_healthy_descents": 3,
    "tests/estimators/test_estimators.py::test_a_whole_weight_is_that_many_rows": 3,
    "tests/estimators/test_estimators.py::test_a_loss_with_a_size_of_its_own": 3,
    "tests/estimators/test_estimators.py::test_class_weights_are_weights_of_rows": 2,
    "tests/estimators/test_estimators.py::test_margin_losses_have_scores": 2,
    "tests/estimators/test_estimators.py::test_parts_go_on_where_the_last_one_ended": 3,
    "tests/estimators/test_estimators.py::test_the_same_seed_gives_the_same_bits": 2,
    "tests/estimators/test_estimators.py::test_single_precision_in_and_out": 3,
    "tests/cli/test_kill.py::test_interrupted_as_by_control_c": 4,
    "tests/cli/test_kill.py::test_kill_and_resume": 5,
    "tests/descent/test_line_search.py::test_armijo_s_condition_holds_at_every_step": 6,
    "tests/descent/test_line_search.py::test_polyak_s_step_never_leads_away": 3,
    "tests/descent/test_many_starts.py::test_basins_are_the_terrain_s_minima": 2,
    "tests/descent/test_many_starts.py::test_the_edges_of_blocks": 2,
    "tests/descent/test_minimize.py::test_a_ball_among_many_goes_the_way_it_goes_alone": 10,
    "tests/descent/test_minimize.py::test_functions_with_more_than_arithmetic": 3,
    "tests/descent/test_minimize.py::test_it_is_the_descent_that_training_does": 2,
    "tests/descent/test_minimize.py::test_the_default_reaches_a_minimum_from_the_classic_start": 5,
    "tests/descent/test_range_test_on_real_tables.py::test_the_chosen_rate": 6,
    "tests/descent/test_scipy_method.py::test_the_place_that_scipy_s_own_method_finds": 2,
    "tests/descent/test_stationary.py::test_hessians_too_large_to_write_down": 2,
    "tests/descent/test_stationary.py::test_more_parameters_than_data_make_a_minimum": 2,
    "tests/descent/test_stationary.py::test_points_of_every_kind": 9,
    "tests/descent/test_stationary.py::test_the_known_points_of_every_terrain": 7,
    "tests/descent/test_sweep.py::test_an_objective_of_the_users_own": 2,
    "tests/descent/test_sweep.py::test_chunks_of_any_size_give_the_same": 2,
    "tests/descent/test_sweep.py::test_every_optimizer_equals_train": 11,
    "tests/descent/test_sweep.py::test_one_program_for_an_optimizer_and_a_batch_size": 2,
    "tests/descent/test_sweep.py::test_side_by_side_equals_one_by_one": 3,
    "tests/descent/test_train.py::test_the_history_follows_the_schedule": 2,
    "tests/descent/test_train.py::test_the_rate_chosen_is_about_as_good": 2,
    "tests/jobs/test_fit.py::test_diabetes_is_within_reach_of_least_squares": 2,
    "tests/jobs/test_fit.py::test_losses_of_two_classes": 2,
    "tests/jobs/test_fit.py::test_real_tables": 4,
    "tests/show/test_plots.py::test_contours_of_every_terrain": 3,
    "tests/store/test_folder.py::test_round_trip_of_every_kind_of_part": 3,
    "tests/studio/test_gallery_view.py::test_a_patient_has_what_it_is_said_to_have": 10,
    "tests/studio/test_fit_view.py::test_the_line_takes_the_steps_of_train_bit_for_bit": 3,
    "tests/studio/test_browser.py::test_a_view_looks_as_it_did": 2,
    "tests/test_benchmarks.py::test_another_quality_gets_no_ratio": 3,
    "tests/test_check_gradient.py::test_correct_gradients": 4,
    "tests/test_check_gradient.py::test_planted_factors": 5,
    "tests/test_curvature.py::test_the_outermost_of_a_large_one_within_the_bound": 4,
    "tests/test_expressions.py::test_values_equal_numpy": 2,
    "tests/test_golden.py::test_the_path_is_the_recorded_one_at_normal": 2,
    "tests/test_graph.py::test_every_loss_on_a_small_network": 8,
    "tests/test_models.py::test_every_activation_keeps_the_type": 5,
    "tests/test_models.py::test_the_same_key_gives_the_same_start": 2,
    "tests/test_optimizers.py::test_other_values_whole_or_not_need": 3,
    "tests/test_optimizers.py::test_it_descends_a_parabola_and_rosenbrock_to_the_minimum": 7,
    "tests/test_sparse.py::test_products_and_gradients_are_those_of_the_dense_table": 3,
    "tests/test_stability.py::test_at_the_limit_the_linearised_step": 7,
    "tests/test_show_graph.py::test_no_text_over_another": 2,
    "tests/test_terrains.py::test_listed_points_are_stationary": 3,
    "tests/test_terrains.py::test_single_precision_is_enough": 5,
}

# Each of these takes three seconds to a minute, and what it does is also done by tests that are shorter:
# the commands and functions of a page (what only the page's own run tells is whether its words and numbers
# are still right), reading LIBSVM and a table of one's own to test on.
LEFT_OUT = (
    # The other estimators are made of the same parts: each part is checked once, and what is asked of
    # regressors alone by a test of its own.
    "tests/estimators/test_contract.py::test_scikit_learn_s_checks[LinearRegressor]",
    "tests/estimators/test_contract.py::test_scikit_learn_s_checks[MLPClassifier]",
    "tests/estimators/test_contract.py::test_scikit_learn_s_checks_of_regressors_alone",
    "tests/estimators/test_contract.py::test_scikit_learn_s_checks[MLPRegressor]",
    "tests/test_docs.py::test_what_a_page_shows_runs[README.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/diagnose-a-run.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/export.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/scikit-learn.md]",
    "tests/jobs/test_fit.py::test_real_libsvm_with_its_own_test_set",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/explanation/gallery.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/explanation/reproducibility.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/check-a-gradient.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/compare-optimizers.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/follow-the-chain-rule.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/keep-a-report.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/least-squares.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/minimize-a-function.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/optax.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/own-loss.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/predict.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/race-on-a-terrain.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/reproduce.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/resume.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/scripts-and-pipes.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/train-on-your-table.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/use-a-notebook.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/how-to/weights-penalties-schedules.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/index.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/tutorials/descent-by-hand.md]",
    "tests/test_docs.py::test_what_a_page_shows_runs[docs/tutorials/first-model.md]",
    # What they do in several processes, with several tabs, or once more over all modules and forms.
    "tests/cli/test_cli.py::test_ten_thousand_columns",
    "tests/cli/test_cli.py::test_no_color_means_none",
    "tests/cli/test_compare_command.py::test_other_hyper_parameters_have_columns",
    "tests/cli/test_kill.py::test_killed_again_and_again",
    "tests/cli/test_kill.py::test_the_run_is_worth_killing",
    "tests/descent/test_sweep.py::test_a_network_with_dropout_and_batch_norm",
    "tests/estimators/test_estimators.py::test_a_grid_search_in_two_processes",
    "tests/show/test_plots.py::test_every_figure_in_every_theme",
    "tests/cli/test_compare_command.py::test_ctrl_c_keeps_what_is_finished",
    "tests/estimators/test_watching.py::test_ctrl_c_keeps_what_was_learned",
    "tests/jobs/test_memory_limit.py::test_what_is_killed_in_memory_streams[--memory=800MB-0]",
    "tests/jobs/test_memory_limit.py::test_what_is_killed_in_memory_streams[--no-stream--9]",
    "tests/scale/test_lost.py::test_a_signal_to_one_ends_both_in_good_order",
    "tests/scale/test_lost.py::test_the_other_one_ends_with_a_sentence[0-19-said3-20]",
    "tests/scale/test_lost.py::test_the_other_one_ends_with_a_sentence[0-9-said1-10]",
    "tests/scale/test_lost.py::test_the_other_one_ends_with_a_sentence[1-19-said2-20]",
    "tests/scale/test_lost.py::test_the_other_one_ends_with_a_sentence[1-9-said0-10]",
    "tests/scale/test_ray.py::test_a_killed_worker_is_started_again_and_nothing_is_lost",
    "tests/scale/test_two_hosts.py::test_workers_on_two_hosts_meet_or_say_what_is_in_the_way[False]",
    "tests/scale/test_two_hosts.py::test_workers_on_two_hosts_meet_or_say_what_is_in_the_way[True]",
    "tests/studio/test_browser.py::TestConnections::test_a_fifth_tab_is_told_so",
    "tests/studio/test_browser.py::TestConnections::test_a_stopped_studio_says_how_to_go_on",
    "tests/studio/test_browser.py::TestFit::test_a_click_paints_a_point",
    "tests/studio/test_browser.py::TestFit::test_from_a_line_to_its_loss_as_a_terrain",
    "tests/studio/test_browser.py::TestGraph::test_steps_go_forward_and_back",
    "tests/studio/test_browser.py::TestPage::test_language_and_theme_turn_without_a_reload",
    "tests/studio/test_browser.py::TestPage::test_nonsense_in_a_link_does_no_harm",
    "tests/studio/test_browser.py::TestPage::test_reduced_motion_is_kept",
    "tests/studio/test_browser.py::TestTerrain::test_a_formula_that_cannot_be_read_is_a_sentence_where_it_was_typed",
    "tests/studio/test_browser.py::TestTerrain::test_a_rate_is_changed_without_a_new_start",
    "tests/studio/test_browser.py::TestTerrain::test_an_earlier_step_comes_back_and_a_fork_goes_on_from_it",
    "tests/studio/test_gallery_browser.py::test_a_guess_a_verdict_and_the_score",
    "tests/test_sparse.py::test_a_network_on_all_rows_goes_the_way_of_the_dense_table",
    "tests/studio/test_browser.py::TestLinkedViews::test_from_a_ball_to_its_graph_and_back",
    "tests/studio/test_terrain_race.py::test_programs_of_many_functions_are_given_up",
    "tests/studio/test_terrain_race.py::test_steps_may_be_taken_in_any_groups",
    "tests/studio/test_terrain_view.py::test_minima_of_a_formula_are_found",
    "tests/test_graph.py::test_half_precision_and_complex_numbers_between",
    "tests/test_public.py::test_every_module_imports_alone",
    "tests/test_tutorial.py::test_it_learns_mnist",
    "tests/test_tutorial.py::test_the_script_runs_and_prints_what_the_page_shows",
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
    def place(item) -> tuple[bool, int]:
        # What is compiled quickly comes first, so that the way of compiling changes once.
        places = (i for i, path in enumerate(LONGEST) if item.nodeid.startswith(path))
        return not item.nodeid.startswith(QUICKLY), next(places, len(LONGEST))

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


@pytest.fixture(scope="module", autouse=True)
def compiled_quickly(request):
    """For the modules named in ``QUICKLY``; no program of one way of compiling is used in the other."""
    wanted = request.node.nodeid.startswith(QUICKLY) and not request.config.getoption("exhaustive")
    if wanted != jax.config.read("jax_disable_most_optimizations"):
        jax.clear_caches()
        jax.config.update("jax_disable_most_optimizations", wanted)


@pytest.fixture(autouse=True)
def no_cache_left_on():
    """A command run in this process keeps its programs on disk; the tests after it do not.

    They would gain nothing: hardly two tests compile the same program, and what they compile twice they
    have in memory (of the 77 programs of half of test_sweep.py one was found on disk).
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
