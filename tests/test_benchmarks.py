"""The benchmark's own rules: what is no equal work gets no ratio, and nothing that fails is hidden."""

import json
import math
from types import SimpleNamespace

import pytest
from benchmarks import __main__ as command
from benchmarks import harness, report_markdown
from benchmarks.harness import Contender, Workload
from benchmarks.real import Skipped
from benchmarks.workloads import workloads

LIMITS = {"sgemm 1": 100.0, "L1 1": 100.0, "DRAM 1": 10.0, "how": {"memory": "made up"}}


@pytest.fixture
def clock(monkeypatch):
    """Time passes only where a contender says so."""
    now = [0.0]
    made = SimpleNamespace(
        perf_counter=lambda: now[0], process_time=lambda: now[0], sleep=lambda _: None
    )
    monkeypatch.setattr(harness, "time", made)
    # Where no time is taken nothing need be tidied up before; after other tests' programs it takes seconds.
    idle = SimpleNamespace(**{name: lambda: None for name in ("collect", "freeze", "unfreeze")})
    monkeypatch.setattr(harness, "gc", idle)

    def contender(name, seconds, quality, threads=(1,)):
        def run():
            now[0] += seconds
            return quality

        return Contender(name, run, threads)

    return contender


def _crash():
    raise ValueError("no such thing")


def _by_name(workload, rounds=3):
    return {lane["name"]: lane for lane in harness.measure(workload, rounds)["contenders"]}


def test_equal_work_gets_a_ratio_and_a_verdict(clock):
    peers = [clock("slow", 6.0, 1.005), clock("quick", 1.0, lambda: 0.995)]
    workload = Workload(
        "w", [clock("Fallline", 2.0, 1.0), *peers], {"slow": 3, "quick": 0.6}, updates=4
    )
    lanes = _by_name(workload)
    assert lanes["slow"]["ratio"] == 3.0
    assert lanes["slow"]["reached"] is True
    assert lanes["quick"]["ratio"] == 0.5
    assert lanes["quick"]["reached"] is False
    assert lanes["Fallline"]["step_seconds"] == 0.5


@pytest.mark.parametrize(
    ("quality", "higher", "state"),
    [
        (1.1, False, "worse"),
        (math.nan, False, "worse"),
        (0.8, False, "better"),
        (0.8, True, "worse"),
        (1.1, True, "better"),
    ],
)
def test_another_quality_gets_no_ratio(clock, quality, higher, state):
    contenders = [clock("Fallline", 1.0, 1.0), clock("peer", 9.0, quality)]
    lane = _by_name(Workload("w", contenders, {"peer": 3}, 1, higher_is_better=higher))["peer"]
    assert (lane["state"], lane["ratio"], lane["reached"]) == (state, None, None)


def test_no_ratio_to_a_run_of_ours_that_blew_up(clock):
    contenders = [clock("Fallline", 1.0, math.nan), clock("peer", 9.0, 1.0)]
    lanes = _by_name(Workload("w", contenders, {"peer": 3}, 1))
    assert (lanes["peer"]["state"], lanes["peer"]["ratio"]) == ("alone", None)


def test_the_best_number_of_threads_counts(clock, monkeypatch):
    chosen = []
    monkeypatch.setattr(
        harness, "threads", lambda n: chosen.append(n) or harness.contextlib.nullcontext()
    )
    ours, slow = clock("Fallline", 1.0, 1.0), clock("peer", 1.0, 1.0, threads=(1, 2))
    fast = slow.run

    def run():
        for _ in range(1 if chosen[-1] == 2 else 3):
            quality = fast()
        return quality

    slow.run = run
    lane = _by_name(Workload("w", [ours, slow], {}, 1))["peer"]
    assert (lane["threads"], lane["median"]) == (2, 1.0)


def test_failures_are_told_and_the_rest_goes_on(clock, capsys, tmp_path):
    def not_here():
        raise ImportError("No module named 'peerlib'")

    def skipped():
        raise Skipped("no such table")

    def fine():
        contenders = [clock("Fallline", 1.0, 1.0), clock("peer", 4.0, 1.0)]
        absent = [harness.peer("absent", not_here), Contender("crash", _crash)]
        return Workload("fine", contenders + absent, {"peer": 3, "absent": 2}, 1, 5e10, share=0.65)

    found = [("broken", _crash), ("without data", skipped), ("fine", fine)]
    code = command.main(["--out", str(tmp_path)], lambda _: found, lambda _: LIMITS)
    shown = capsys.readouterr().out
    assert code == 1
    for words in (
        "ValueError: no such thing",
        "no such table",
        "reached",
        "not there",
        "50% of sgemm 1",
    ):
        assert words in shown, words
    entry = json.loads((tmp_path / "targets.json").read_text())["workloads"]["fine"]
    assert entry["contenders"][1]["ratio"] == 4.0
    assert entry["versions"]["fallline"]
    written = report_markdown.markdown([entry])
    assert "| fine | Fallline | 1 s | 1 s |  |  |  | 50% of sgemm 1 (asked for: 65%) |" in written
    assert (
        "|  | peer | 4 s | 4 s | 4.00x (4.00 - 4.00) | 3x | reached | 12% of sgemm 1 |" in written
    )
    assert (tmp_path / "targets.svg").read_text().startswith("<?xml")
    assert command.main(["without"], lambda _: found, lambda _: LIMITS) == 0


def test_entries_merge(tmp_path):
    for entry in ({"name": "a", "v": 1}, {"name": "b", "v": 1}, {"name": "a", "v": 2}):
        command.save([entry], tmp_path)
    kept = json.loads((tmp_path / "targets.json").read_text())["workloads"]
    assert {name: entry["v"] for name, entry in kept.items()} == {"a": 2, "b": 1}


def test_every_workload_has_a_name_of_its_own():
    names = [name for name, _ in workloads(quick=True)]
    assert len(names) == len(set(names)) > 10
    assert not [name for name in names if name.isidentifier()], "a module cannot be imported"


def test_quick_mode_judges_no_target(clock, capsys):
    contenders = [clock("Fallline", 1.0, 1.0), clock("peer", 1.0, 1.0)]
    found = [("w", lambda: Workload("w", contenders, {"peer": 3}, 1))]
    assert command.main(["--quick"], lambda _: found, lambda _: LIMITS) == 0
    shown = capsys.readouterr().out
    assert "missed" not in shown
    assert shown.splitlines()[-1].startswith("1 workload in ")


def test_names_choose(capsys):
    found = [("linear, batch 1", _crash), ("network", _crash)]
    assert command.main(["--list", "LINEAR"], lambda _: found) == 0
    assert capsys.readouterr().out == "linear, batch 1\n"
    assert command.main(["nothing so named"], lambda _: found) == 2
