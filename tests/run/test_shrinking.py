"""Shrinking a failing run: what counts as the same failure, how flaky ones are handled, and the command itself."""

from __future__ import annotations

import json
import math
import shlex
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from faults.pause import Pause
from harness.model.drill import Drill
from harness.model.errors import FaultError, UsageError
from harness.model.invocation import Invocation
from harness.model.load import Load
from harness.run import catalog
from harness.run.runner import CompletedRun, run
from harness.run.schedule import PlannedWindow, plan
from harness.run.shrinking import MINIMAL, SHORTEST_S, Failed, OutOfTime, Shrinking, halves, write
from harness.run.spec import RunSpec, run_spec_of
from results.analysis.judge import SLOResult
from results.record.result import CheckResult, Result
from results.record.store import save
from tests.helpers.echo import Echo, Numbers
from tests.helpers.engine import harness, harness_running, nothing_left, run_drill, until, write_drill

WINDOWS = 6


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> CompletedRun:
    """A run; each test changes its outcome as needed."""
    quick = Drill(system=Echo(), workload=Numbers(), load=Load(rate=50, seconds=0.5))
    return run_drill(quick, tmp_path_factory.mktemp("runs"))


@pytest.fixture
def order() -> RunSpec:
    drill = Drill(
        system=Echo(replicas=3),
        workload=Numbers(),
        load=Load(rate=50, seconds=20),
        faults=[Pause("one").between(at_s, at_s + 1) for at_s in range(1, 2 * WINDOWS, 2)],
    )
    return RunSpec(name="x", title="", drill=drill, seed=1, windows=tuple(plan(drill, 1)))


def ended(result: Result, *wrong: str, unknown: str = "", missed: str = "") -> Result:
    """A result in which these checks and SLOs did not hold."""
    checks = [CheckResult(name=name, valid=False, why="") for name in wrong]
    checks += [CheckResult(name=unknown, valid=None, why="")] if unknown else []
    slos = [SLOResult(text=missed, value=None, ok=False, why="")] if missed else []
    verdict = "fail" if wrong else "unknown" if unknown else "slo" if missed else "pass"
    changes = {"checks": tuple(checks), "slos": tuple(slos), "verdict": verdict}
    return Result(**{name: changes.get(name, getattr(result, name)) for name in result.__struct_fields__})


def search(order: RunSpec, once: Callable[[RunSpec], Result], *, repeats: int = 1, limit_s: float = math.inf) -> Shrinking:
    failed = Failed(
        order=order, invocation=Invocation(drill="x", seed=1), how=frozenset({"linearizable", "nothing_lost"}), verdict="fail"
    )
    return Shrinking(failed, repeats=repeats, limit_s=limit_s, once=once)


def labels(windows: tuple[PlannedWindow, ...] | None) -> list[str]:
    assert windows is not None
    return [planned.label for planned in windows]


def length_s(planned: PlannedWindow) -> float:
    return planned.window.to_s - planned.window.from_s


# ------------------------------------------------------------------------------------------------------------ the search


def test_fewest_and_shortest_windows_are_found(order: RunSpec, finished: CompletedRun) -> None:
    def once(asked: RunSpec) -> Result:
        enough = {one.label for one in asked.windows or () if length_s(one) >= 0.4}
        return ended(finished.result, "linearizable") if {"w1", "w4"} <= enough else finished.result

    shrinking = search(order, once)
    steps = list(shrinking.steps())
    assert labels(shrinking.best) == ["w1", "w4"]
    assert [length_s(planned) for planned in shrinking.best or ()] == [0.5, 0.5]
    assert (shrinking.best_failed, shrinking.best_runs) == (1, 1)
    assert steps[0] == order.windows
    assert steps[-1] == shrinking.best
    assert {planned.targets for planned in shrinking.best or ()} <= {planned.targets for planned in order.windows or ()}


@pytest.mark.parametrize(
    "other",
    [
        lambda result: ended(result, "replicas_return"),
        lambda result: ended(result, unknown="linearizable"),
        lambda result: ended(result, missed="linearizable"),
        lambda result: result,
    ],
)
def test_another_failure_is_not_the_same(order: RunSpec, finished: CompletedRun, other: Callable[[Result], Result]) -> None:
    """Without w2 the run fails in another way."""

    def once(asked: RunSpec) -> Result:
        same = "w2" in labels(asked.windows)
        return ended(finished.result, "nothing_lost", "replicas_return") if same else other(finished.result)

    shrinking = search(order, once)
    list(shrinking.steps())
    assert labels(shrinking.best) == ["w2"]


def test_a_run_that_breaks_off_did_not_fail_in_the_same_way(order: RunSpec, finished: CompletedRun) -> None:
    def once(asked: RunSpec) -> Result:
        if "w0" not in labels(asked.windows):
            raise FaultError("the fault plane ended")
        return ended(finished.result, "linearizable")

    shrinking = search(order, once)
    list(shrinking.steps())
    assert labels(shrinking.best) == ["w0"]


def test_any_of_the_repeats_may_fail_and_how_often_is_counted(order: RunSpec, finished: CompletedRun) -> None:
    tries: dict[tuple[PlannedWindow, ...], int] = {}

    def every_third(asked: RunSpec) -> Result:
        windows = asked.windows or ()
        tries[windows] = tries.get(windows, 0) + 1
        shows = "w3" in labels(windows) and tries[windows] % 3 == 0
        return ended(finished.result, "linearizable") if shows else finished.result

    shrinking = search(order, every_third, repeats=5)
    list(shrinking.steps())
    assert labels(shrinking.best) == ["w3"]
    assert (shrinking.best_failed, shrinking.best_runs) == (1, 5)
    assert shrinking.runs == sum(tries.values())
    assert max(tries.values()) == 5

    too_seldom = search(order, lambda asked: finished.result, repeats=2)
    assert list(too_seldom.steps()) == []
    assert (too_seldom.best, too_seldom.runs) == (None, 2)


def test_no_fault_at_all_may_be_enough(order: RunSpec, finished: CompletedRun) -> None:
    shrinking = search(order, lambda asked: ended(finished.result, "linearizable"))
    list(shrinking.steps())
    assert shrinking.best == ()


@pytest.mark.parametrize("end", [OutOfTime, KeyboardInterrupt, OSError])
def test_the_best_is_kept_however_it_ends(order: RunSpec, finished: CompletedRun, end: type[BaseException]) -> None:
    asked_for: list[int] = []

    def once(asked: RunSpec) -> Result:
        asked_for.append(len(asked.windows or ()))
        if asked_for[-1] == 1:
            raise end
        return ended(finished.result, "linearizable") if "w1" in labels(asked.windows) else finished.result

    shrinking = search(order, once)
    with pytest.raises(end):
        list(shrinking.steps())
    assert labels(shrinking.best) == ["w0", "w1", "w2"]


def test_no_run_begins_when_the_time_is_over(order: RunSpec, finished: CompletedRun) -> None:
    shrinking = search(order, lambda asked: ended(finished.result, "linearizable"), limit_s=-1)
    with pytest.raises(OutOfTime):
        list(shrinking.steps())
    assert (shrinking.runs, shrinking.best) == (0, None)


def test_halves_lie_within_the_window_and_are_never_too_short(order: RunSpec) -> None:
    [whole, *_] = order.windows or ()
    todo, seen = [whole], 0
    while todo:
        one = todo.pop()
        for half in halves(one):
            seen += 1
            assert one.window.from_s <= half.window.from_s < half.window.to_s <= one.window.to_s
            assert half.window.to_s - half.window.from_s >= SHORTEST_S - 0.001
            assert (half.label, half.targets, half.window.fault) == (one.label, one.targets, one.window.fault)
            todo.append(half)
    assert seen == 3 + 9
    short = replace(whole, window=replace(whole.window, from_s=1, to_s=1.39))
    assert list(halves(short)) == []


# ---------------------------------------------------------------------------------------------------------- the command


@pytest.fixture
def slow_drill(tmp_path: Path) -> Iterator[Path]:
    """A folder with a drill that misses its SLO when, and only when, n2 is paused long enough; the run's folder in it."""
    write_drill(
        tmp_path,
        "slow",
        """
drill = Drill(
    system=Echo(replicas=2), workload=Numbers(), load=Load(rate=60, seconds=4, timeout_ms=5000),
    faults=[
        Latency("n1", delay_ms=20).between(0.1, 0.5),
        Pause("n2").between(0.8, 3.8),
        Latency("n1", delay_ms=20).between(2, 3),
    ],
    slos=["max < 1s"],
)
""",
    )
    done = harness(tmp_path, "drill", "slow", "--seed", "5", "--set", "load.rate=50")
    assert done.returncode == 3, done.stdout + done.stderr
    [run] = (tmp_path / "runs" / "slow").iterdir()
    yield run
    assert nothing_left(tmp_path)


@pytest.mark.nightly
def test_a_missed_slo_is_shrunk_to_the_window_that_misses_it(tmp_path: Path, slow_drill: Path) -> None:
    done = harness(tmp_path, "shrink", str(slow_drill), "--repeats", "1")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.startswith("slow, seed 5: looking for the least that causes max < 1s\n")
    assert "\n1 of 3 windows is enough: failed in 1 of 1 runs of it" in done.stdout
    [window] = json.loads((slow_drill / MINIMAL).read_text())["windows"]
    assert (window["label"], window["nodes"]) == ("w1", ["n2"])
    assert 1 <= window["to_s"] - window["from_s"] <= 1.5
    line = done.stdout.strip().splitlines()[-1].removeprefix("Again   ")
    assert line == f"harness drill slow --seed 5 --set load.rate=50 --schedule {slow_drill / MINIMAL}"
    again = harness(tmp_path, *shlex.split(line)[1:])
    assert again.returncode == 3
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["slow"]  # the search keeps no runs
    assert len(list((tmp_path / "runs" / "slow").iterdir())) == 2


@pytest.mark.nightly
def test_interrupted_it_says_the_best_so_far(tmp_path: Path, slow_drill: Path) -> None:
    with harness_running(tmp_path, "shrink", str(slow_drill), "--repeats", "1") as shrinking:
        until(lambda: (slow_drill / MINIMAL).exists())
        shrinking.send_signal(signal.SIGINT)
        said, errors = shrinking.communicate(timeout=60)
    assert (shrinking.returncode, errors) == (130, "")
    assert "Interrupted; more may be left out." in said
    assert "windows are enough: failed in 1 of 1 runs of it" in said
    assert f"--schedule {slow_drill / MINIMAL}" in said


def test_a_run_that_did_not_fail_is_refused(tmp_path: Path, finished: CompletedRun) -> None:
    with pytest.raises(UsageError, match="kept every promise: there is no failure to shrink"):
        Failed.of(finished.run_dir)
    with pytest.raises(UsageError, match="is not a run's folder"):
        Failed.of(tmp_path)
    save(tmp_path, ended(finished.result, "linearizable"), finished.history)
    with pytest.raises(UsageError, match="was not run from a drill file, so it cannot be run again"):
        Failed.of(tmp_path)


def test_a_run_of_the_previous_version_is_refused_with_the_line_that_repeats_it() -> None:
    with pytest.raises(UsageError, match=r"an earlier version.* shrink that run: harness drill stale --seed 3$"):
        Failed.of(Path(__file__).parent.parent / "data" / "run-version-1")


@pytest.mark.slow
def test_what_was_asked_for_is_read_back_and_not_parsed_from_a_line(tmp_path: Path) -> None:
    """The file's name holds what a shell would split, the setting what it would expand."""
    write_drill(
        tmp_path,
        "a b;$c",
        """
drill = Drill(
    system=Echo(), workload=Numbers(), load=Load(rate=50, seconds=0.5), faults=[Pause("n1").between(0.1, 0.2)],
    slos=["max < 0.001ms"],
)
""",
    )
    file = tmp_path / "drills" / "a b;$c.py"
    named = catalog.find_drill(str(file), ["load.rate=60"])
    done = run(run_spec_of(named, 5, ["load.rate=60"], "embedded"), runs=tmp_path / "runs")
    failed = Failed.of(done.run_dir)
    assert failed.invocation == Invocation(drill=str(file), seed=5, settings=("load.rate=60",))
    assert (failed.order.drill.load.rate, labels(failed.order.windows)) == (60, ["w0"])
    line = write(failed.order.windows or (), failed, tmp_path / "less.json")
    assert shlex.split(line)[2:] == [
        str(file),
        "--seed",
        "5",
        "--set",
        "load.rate=60",
        "--schedule",
        str(tmp_path / "less.json"),
    ]


@pytest.mark.parametrize("option", [("--repeats", "0"), ("--repeats", "x"), ("--minutes", "0"), ("--minutes", "nan")])
def test_numbers_that_make_no_sense_are_refused(tmp_path: Path, option: tuple[str, str]) -> None:
    done = harness(tmp_path, "shrink", "nowhere", *option)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"argument {option[0]}: '{option[1]}' is not a" in done.stderr


@pytest.mark.nightly
def test_a_known_bug_is_shrunk_to_a_window_that_shows_it(tmp_path: Path) -> None:
    """A replica that is cut off from the others, and not from its clients, answers reads by itself: that shows the bug."""
    write_drill(
        tmp_path,
        "stale",
        """
from harness.checkers.linearizable import linearizable
from systems.quorum import Quorum
from workloads.registers import Registers
drill = Drill(
    system=Quorum(bug="read-one"), workload=Registers(keys=3), load=Load(rate=120, clients=12, seconds=5),
    faults=[Pause("n3").between(0.3, 0.7), Partition("n1").between(1, 3), Latency("n2", delay_ms=20).between(3.5, 4.5)],
    checks=[linearizable], caught_by=linearizable,
)
""",
    )
    done = harness(tmp_path, "drill", "stale", "--seed", "1")
    assert done.returncode == 1, done.stdout + done.stderr
    [run] = (tmp_path / "runs" / "stale").iterdir()
    shrunk = harness(tmp_path, "shrink", str(run), "--repeats", "2", "--minutes", "1.5")
    assert shrunk.returncode == 0, shrunk.stdout + shrunk.stderr
    assert "looking for the least that causes linearizable" in shrunk.stdout
    windows = json.loads((run / MINIMAL).read_text())["windows"]
    assert len(windows) <= 1  # a pause shows it as well, and a busy machine may show it without any fault
