"""What several workers would bring, reckoned: against measured figures, and at its edges."""

import math
import runpy
from pathlib import Path

import pytest

from fallline.errors import FalllineError
from fallline.scale.estimate import (
    LOOPBACK,
    TEN_GIGABIT,
    Link,
    estimate,
    steps_needed,
)

# A network of a million parameters on hosts of 170,000 rows a second, each with 8192 rows a step.
ROWS, SHARE, ALONE = 10**8, 8192, 8192 / 170_000


def grown(workers, **options):
    """More workers, each with as many rows a step as before."""
    given = {"rows": ROWS, "batch_size": workers * SHARE, **options}
    return estimate(workers * ALONE, 4e6, workers, TEN_GIGABIT, **given)


@pytest.mark.parametrize(("size", "seconds"), [(8, 0.12e-3), (1e6, 1.1e-3), (1e7, 10.5e-3)])
def test_an_all_reduce_takes_about_as_long_as_measured(size, seconds):
    assert LOOPBACK.all_reduce(size, workers=2) == pytest.approx(seconds, rel=0.06)


def test_a_link_is_found_from_two_all_reduces():
    link = Link(latency=1e-4, bandwidth=1e9)
    found = Link.measured(link.all_reduce(0, 5), link.all_reduce(3e6, 5), 3e6, 5)
    assert found.latency == pytest.approx(link.latency)
    assert found.bandwidth == pytest.approx(link.bandwidth)
    # The long one came out shorter: nothing negative, nothing infinite.
    assert 0 < Link.measured(2e-4, 1e-4, 3e6, 2).bandwidth < math.inf
    with pytest.raises(FalllineError, match="at least two"):
        Link.measured(1e-4, 2e-4, 1e6, 1)


def test_both_ways_of_adding_up_send_the_same_bytes():
    for workers in (2, 8, 64, 1024):
        link = Link(latency=0.0, bandwidth=1e9)
        ring, halving = (link.all_reduce(4e6, workers, a) for a in ("ring", "halving"))
        assert ring == halving == pytest.approx(2 * (workers - 1) / workers * 4e-3)
    slow = Link(latency=1.0, bandwidth=math.inf)
    assert slow.all_reduce(4e6, 1024) == 2 * 1023
    assert slow.all_reduce(4e6, 1024, "halving") == 2 * 10
    assert slow.all_reduce(4e6, 1) == 0


def test_epochs_of_a_million_parameters_on_more_and_more_hosts():
    found = [grown(workers) for workers in (1, 8, 64, 1024)]
    assert [round(made.epoch_seconds) for made in found] == [588, 92, 13, 2]
    assert found[-1].steps == 12
    assert found[-1].step_seconds == pytest.approx(0.163, abs=1e-3)
    assert [made.limit for made in found] == 3 * ["computing"] + ["communicating"]
    assert found[0].speedup == found[0].efficiency == 1
    # The same speed-up as of epochs, and less of each host.
    assert found[1].speedup == pytest.approx(588 / 92, rel=0.01)
    assert found[1].efficiency > found[2].efficiency > found[3].efficiency


def test_sums_every_few_steps_cost_a_share_of_a_sum():
    each, tenth = grown(64), grown(64, sync_every=10)
    assert tenth.communicate_seconds == pytest.approx(each.communicate_seconds / 10)
    assert tenth.step_seconds < each.step_seconds


def test_reading_goes_on_meanwhile_and_may_be_the_limit():
    assert grown(8, rows_per_second=1e6).step_seconds == grown(8).step_seconds
    slow = grown(8, rows_per_second=50_000)
    assert slow.limit == "reading"
    assert slow.step_seconds == pytest.approx(SHARE / 50_000)
    # Readers are as many as workers, so that nothing is lost by more of them.
    assert slow.efficiency == pytest.approx(1)
    assert "while 160 ms go by in reading" in slow.sentence


@pytest.mark.parametrize(
    ("compute", "told"),
    [
        (
            1e-4,
            "A step computes for 50 µs and communicates for 0.33 ms: 2 workers would take 3.8 times as "
            "long as one. Train this model on one worker.",
        ),
        (
            0.7e-3,
            "A step computes for 0.35 ms and communicates for 0.33 ms: 2 workers take about as long as "
            "one. Train this model on one worker.",
        ),
        (
            48e-3,
            "A step computes for 24 ms and communicates for 0.33 ms: 2 workers are 2 times as fast as one.",
        ),
    ],
)
def test_the_sentence_says_whether_it_pays(compute, told):
    made = estimate(compute, 2e5, 2, LOOPBACK, rows=10**6, batch_size=512)
    assert made.sentence == told
    assert made.pays is ("Train" not in told)


def test_one_worker_waits_for_nobody():
    made = estimate(0.002, 4e6, 1, LOOPBACK, rows=1000, batch_size=64)
    assert made.sentence == "A step computes for 2 ms."
    assert made.epoch_seconds == pytest.approx(16 * 0.002)
    assert made.pays


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"batch_size": 0}, {"sync_every": 0}])
def test_no_workers_and_no_rows_are_refused_in_a_sentence(wrong):
    given = {"workers": 2, "rows": 10, "batch_size": 2, **wrong}
    with pytest.raises(FalllineError, match="at least 1 worker"):
        estimate(1e-3, 8, given.pop("workers"), LOOPBACK, **given)


def test_beyond_the_critical_batch_size_steps_are_hardly_saved():
    few, many = steps_needed(100, critical=10_000), steps_needed(200, critical=10_000)
    assert few / many == pytest.approx(2, rel=0.02)
    assert steps_needed(10**6, critical=10_000) == pytest.approx(1, rel=0.02)


def test_the_page_s_tables_are_those_of_the_program():
    docs = Path(__file__).parents[2] / "docs"
    made = runpy.run_path(str(docs / "pictures" / "make_scaling.py"))
    page = (docs / "explanation" / "scaling.md").read_text(encoding="utf-8")
    assert made["written"](page) == page
    assert all(table in page for table in made["tables"]().values())
