"""A guard stops a drill whose limit is exceeded: everything is healed, the load ends, and the run is unknown because of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from faults.kill import Kill
from faults.pause import Pause
from harness.checkers.guard_held import STOPPED, guard_held
from harness.model.drill import Drill
from harness.model.errors import UsageError
from harness.model.fault import Window
from harness.model.history import History
from harness.model.load import Load
from tests.helpers.echo import Echo, Numbers
from tests.helpers.engine import harness, nothing_left, run_drill, write_drill


def drill(*faults: Window, guard: str | None, seconds: float) -> Drill:
    load = Load(rate=50, seconds=seconds, timeout_ms=300)
    return Drill(system=Echo(replicas=2), workload=Numbers(), load=load, faults=faults, guard=guard)


def test_a_drill_is_stopped_and_all_is_healed(tmp_path: Path) -> None:
    harmful, later = Pause("all").between(0.5, 50), Kill("n1").between(40, 45)
    done = run_drill(drill(harmful, later, guard="availability < 50% for 1s", seconds=55), tmp_path)
    history, result = done.history, done.result
    assert history.ops["due_ns"].max() < 30e9
    assert set(history.ops["phase"]) == {"load"}  # nothing more is asked of a system that is in trouble
    pause, kill = history.windows.to_dict("records")
    assert pause["acted"]
    assert pause["healed_ns"] < 30e9
    assert pd.isna(kill["injected_ns"])
    assert re.fullmatch(r"the run ended after [\d.]+ s, before this began", kill["evidence"])
    [stop] = history.events[history.events["kind"] == STOPPED].to_dict("records")
    assert re.fullmatch(r"availability was [\d.]+% over the last 1 s \(guard: availability < 50% for 1s\)", str(stop["detail"]))
    assert result.verdict == "unknown"
    check = next(check for check in result.checks if check.name == "guard_held")
    assert check.valid is None
    assert re.match(r"the drill was stopped after [\d.]+ s: availability was ", check.why)
    assert result.duration_s < 45
    assert nothing_left(tmp_path)


@pytest.mark.slow
def test_calls_under_way_at_the_stop_are_in_the_history(tmp_path: Path) -> None:
    """Whatever was sent may have had its effect: it is unknown, not forgotten."""
    done = run_drill(drill(Pause("all").between(0.5, 50), guard="availability < 50% for 1s", seconds=55), tmp_path)
    [stop] = done.history.events[done.history.events["kind"] == STOPPED]["at_ns"]
    ops = done.history.ops
    assert ((ops["sent_ns"] < stop) & (ops["done_ns"] > stop)).any()
    assert (ops["sent_ns"] < stop + 1e9).all()


@pytest.mark.slow
def test_a_limit_that_is_not_passed_stops_nothing(tmp_path: Path) -> None:
    done = run_drill(drill(guard="availability < 10% for 1s", seconds=2), tmp_path)
    assert next(check for check in done.result.checks if check.name == "guard_held").valid
    assert done.history.ops["due_ns"].max() > 1.5e9


@pytest.mark.slow
def test_a_drill_without_a_guard_says_nothing_of_one(tmp_path: Path) -> None:
    done = run_drill(drill(guard=None, seconds=0.5), tmp_path)
    assert "guard_held" not in [check.name for check in done.result.checks]


@pytest.mark.slow
def test_a_guard_by_setting_and_a_bad_one(tmp_path: Path) -> None:
    write_drill(
        tmp_path,
        "guarded",
        "drill = Drill(system=Echo(), workload=Numbers(), load=Load(rate=50, seconds=30, timeout_ms=200),\n"
        "              faults=[Pause('n1').between(0.5, 29)])\n",
    )
    done = harness(tmp_path, "drill", "guarded", "--set", "guard=availability < 50% for 1s", "--json", "out.json")
    assert done.returncode == 4, done.stdout + done.stderr
    [result] = json.loads((tmp_path / "out.json").read_text())["results"]
    assert next(check["name"] for check in result["checks"] if check["valid"] is None) == "guard_held"
    assert result["rerun"].endswith("--set 'guard=availability < 50% for 1s'")
    bad = harness(tmp_path, "drill", "guarded", "--set", "guard=availability > 50% for 1s")
    assert bad.returncode == 2
    assert "The guard 'availability > 50% for 1s' does not parse: expected < or <=" in bad.stderr
    with pytest.raises(UsageError, match="The guard 'p99' does not parse"):
        drill(guard="p99", seconds=1)


def test_the_check_by_itself() -> None:
    quiet = History.of([], events=[{"at_ns": 1, "node": "n1", "kind": "started", "detail": ""}])
    assert guard_held(quiet).valid is True
    stopped = History.of([], events=[{"at_ns": 2_500_000_000, "node": "", "kind": STOPPED, "detail": "it was bad"}])
    verdict = guard_held(stopped)
    assert (verdict.valid, verdict.why) == (None, "the drill was stopped after 2.50 s: it was bad")
