"""`harness nightly` as a user runs it: what it records, however it ends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from results.record.nights.database import BROKE_OFF, HistoryDatabase
from results.record.nights.rows import CALIBRATION
from results.trends.recorded import nights_of
from tests.helpers.engine import harness, harness_running, node_process, nothing_left, until, write_drill

SHORT = """
drill = Drill(system=Echo(replicas=2), workload=Numbers(), load=Load(rate=50, seconds=0.6), slos=["availability >= 5%"])
"""

WRONG = """
from systems.quorum import Quorum
from workloads.registers import Registers
from faults.partition import Partition
from harness.checkers.linearizable import linearizable
drill = Drill(
    system=Quorum(bug="read-one"),
    workload=Registers(keys=2),
    load=Load(rate=100, seconds=2.5, clients=6),
    faults=[Partition("one").between(0.5, 2)],
    checks=[linearizable],
)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_drill(tmp_path, "echo/first", SHORT)
    write_drill(tmp_path, "echo/second", SHORT)
    write_drill(tmp_path, "echo/long", SHORT.replace("seconds=0.6", "seconds=30"))
    return tmp_path


def history(folder: Path) -> HistoryDatabase:
    return HistoryDatabase.open(folder / "runs" / "history.sqlite")


@pytest.mark.slow
def test_a_night_runs_forwards_and_backwards_and_is_recorded(folder: Path) -> None:
    (folder / "drills" / "echo" / "long.py").unlink()
    done = harness(folder, "nightly", "echo", "--repeats", "2", "--seed", "7")
    database = history(folder)
    (night,) = database.nights()
    assert re.search(rf"Night {night.name} is in runs/history.sqlite: 4 runs, of which \d count when", done.stdout), done.stderr
    assert done.returncode == 4, done.stdout  # one night has nothing to be compared with
    assert "1 night is too few to compare figures." in done.stdout
    assert "4 runs" in done.stdout
    assert night.name in (folder / "runs" / "nightly.html").read_text()
    assert (night.state, night.suite, night.repeats, night.planned, night.seed) == ("complete", "echo", 2, 4, 7)
    assert {"CPU", "Python", "numpy", "fault plane"} <= set(night.facts)
    assert "rich" in night.environment
    runs = database.runs()
    assert [(run.place, run.drill, run.repeat, run.seed) for run in runs] == [
        (0, "echo/first", 1, 7),
        (1, "echo/second", 1, 7),
        (2, "echo/second", 2, 8),
        (3, "echo/first", 2, 8),
    ]
    for run in runs:
        figures = database.figures_of(run.id)
        assert {"p50", "p99", "p99.9", "max", "rate", "availability", "cpu", "memory", "starts"} == set(figures)
        assert figures["starts"] == 2
        assert figures["memory"] > 1
        latencies = database.histogram(run.id)
        assert latencies is not None
        assert latencies.count <= 40
        assert (Path(run.run_folder) / "report.html").is_file()
        assert {check.name for check in database.checks(run.id)} >= {"calls_done", "generator_kept_up"}
        assert run.baseline != run.definition
    assert len({run.baseline for run in runs}) == 1  # the two drills are the same but for their names

    write_drill(folder, "echo/first", SHORT.replace("rate=50", "rate=60"))
    harness(folder, "nightly", "echo/first", "--repeats", "1")
    edited = {run.drill: run.baseline for run in history(folder).runs(night=history(folder).nights()[1].name)}
    assert edited["echo/first"] != runs[0].baseline


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_night_that_is_ended_broke_off_and_keeps_its_runs(folder: Path, how: signal.Signals) -> None:
    with harness_running(folder, "nightly", "echo", "--repeats", "1") as nightly:
        until(lambda: (folder / "runs" / "echo" / "long").is_dir() and node_process(folder, "n1"))
        nightly.send_signal(how)
        nightly.communicate(timeout=60)
    assert nightly.returncode == (130 if how == signal.SIGINT else -how)
    until(lambda: nothing_left(folder))
    (night,) = nights_of(history(folder))
    why = "interrupted" if how == signal.SIGINT else BROKE_OFF
    assert (night.state, night.why) == ("broke off", why)
    assert [(run.drill, run.state) for run in history(folder).runs()] == [("echo/first", "ended"), ("echo/long", "broke off")]


def test_a_drill_that_does_not_start_is_an_unknown_run_of_a_complete_night(folder: Path) -> None:
    write_drill(folder, "echo/long", SHORT.replace("replicas=2", "replicas=2, misbehave='not start'"))
    done = harness(folder, "nightly", "echo/long", "--repeats", "1")
    assert done.returncode == 4
    (night,) = nights_of(history(folder))
    assert night.state == "complete"
    assert [(run.drill, run.verdict) for run in night.runs] == [("echo/long", "unknown")]
    assert "did not start" in night.runs[0].why
    assert night.runs[0].why in done.stdout
    assert (folder / "runs" / "nightly.html").is_file()


def test_a_history_of_a_newer_version_is_refused_before_anything_runs(folder: Path) -> None:
    HistoryDatabase.open(folder / "runs" / "history.sqlite", create=True)
    with history(folder).connections.writing() as connection:
        connection.exec_driver_sql("UPDATE harness_version SET version = 99")
    done = harness(folder, "nightly", "echo")
    assert done.returncode == 2
    assert re.fullmatch(
        r"error: The history runs/history.sqlite is of version 99; this harness knows up to version \d+. Update the harness.\n",
        done.stderr,
    )
    assert not (folder / "runs" / "echo").exists()


@pytest.mark.slow
def test_new_seeds_are_simulated_and_a_failing_one_is_a_finding_of_the_night(tmp_path: Path) -> None:
    write_drill(tmp_path, "mixed/right", SHORT)
    write_drill(tmp_path, "mixed/wrong", WRONG)
    done = harness(tmp_path, "nightly", "mixed", "--repeats", "1", "--simulate-minutes", "0.4")
    assert done.returncode == 1, done.stdout
    (night,) = history(tmp_path).nights()
    assert (night.state, night.planned) == ("complete", 4)
    right, wrong = history(tmp_path).runs()[2:]
    assert (right.drill, right.verdict, right.not_counted) == ("mixed/right (simulated)", "pass", "it was simulated")
    # A seed may draw a load of no calls, which is unknown.
    assert re.search(r"mixed/right \(simulated\): (of )?[\d,]+ seeds? ([\d,]+ )?held", done.stdout), done.stdout
    assert (wrong.drill, wrong.verdict) == ("mixed/wrong (simulated)", "fail")
    # The seeds are new each time: the drill's check may see the bug first, or an invariant of the store.
    assert wrong.why.startswith(("linearizable: ", "invariant: "))
    assert re.fullmatch(r"harness simulate mixed/wrong --seed \d+", wrong.rerun)
    assert (Path(wrong.run_folder) / "messages.html").is_file()
    assert wrong.drill in (tmp_path / "runs" / "nightly.html").read_text()


ORDERED = """
from harness.model.verdict import Verdict

def as_ordered(history):
    return Verdict(valid=" ".join({"a", "b", "c", "d", "e", "f", "g", "h"}) != "%s", why="of the order of a set")

drill = Drill(system=Echo(replicas=2), workload=Numbers(), load=Load(rate=20, seconds=0.5), checks=[as_ordered])
"""


@pytest.mark.slow
def test_a_seed_that_fails_only_with_the_hash_seed_of_simulations_is_a_finding_too(tmp_path: Path) -> None:
    show = [sys.executable, "-c", 'print(" ".join({"a", "b", "c", "d", "e", "f", "g", "h"}))']
    order = subprocess.run(show, env={"PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=True).stdout.strip()
    write_drill(tmp_path, "mixed/ordered", ORDERED % order)
    asked = ("nightly", "mixed", "--repeats", "1", "--simulate-minutes", "0.1")
    done = harness(tmp_path, *asked, PYTHONHASHSEED="7")
    assert done.returncode == 1, done.stdout
    real, simulated = history(tmp_path).runs()
    assert (real.verdict, simulated.verdict) == ("pass", "fail")
    assert "(with another hash seed, " in simulated.why


@pytest.mark.slow
def test_calibration_runs_nights_that_are_not_judged_and_says_what_they_showed(folder: Path) -> None:
    (folder / "drills" / "echo" / "long.py").unlink()
    (folder / "drills" / "echo" / "second.py").unlink()
    done = harness(folder, "nightly", "echo", "--calibrate", "--nights", "8", "--repeats", "1")
    nights = history(folder).nights()
    assert [(night.source, night.state) for night in nights] == [(CALIBRATION, "complete")] * 8
    assert nights_of(history(folder)) == []
    counted = sum(run.counted for run in history(folder).runs())
    assert done.returncode == (0 if counted == 8 else 4), done.stdout  # others on the machine may have held a run up
    assert ("in a row with the same code" in done.stdout) == (counted == 8)
    assert not (folder / "runs" / "nightly.html").exists()
