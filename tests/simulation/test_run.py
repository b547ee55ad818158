"""Simulated runs of real drills: their faults act, their checkers judge, and a run is a function of its seed."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import pytest

from faults.kill import Kill
from faults.pause import Pause
from faults.slow_cpu import SlowCpu
from harness.model.drill import Drill
from harness.model.load import Load
from harness.model.system import Address, Answer, Call, Client, Node
from harness.run import catalog
from harness.run.judging import ALWAYS, check
from harness.run.schedule import plan
from harness.simulation.record import Recorded, SimulatedRun
from harness.simulation.seed_run import run_seed
from harness.simulation.swarm import PLAIN
from tests.helpers.echo import Echo, Numbers
from tests.helpers.effort import left_to_ci

DIGEST = """
from harness.run import catalog
from harness.run.schedule import plan
from harness.simulation.record import SimulatedRun
drill = catalog.find_drill("quorum/all_killed", ["load.seconds=3.5"]).drill
run = SimulatedRun(drill, plan(drill, 7), 7)
run.carry_out()
print(run.world.digest, run.world.steps)
"""


def simulated(name: str, seed: int = 1, *settings: str) -> tuple[Recorded, dict[str, bool | None]]:
    drill = catalog.find_drill(name, settings).drill
    recorded = SimulatedRun(drill, plan(drill, seed), seed).carry_out()
    return recorded, {found.name: found.valid for found in check(recorded.history, (*drill.checks, *ALWAYS))}


MORE = (
    "quorum/isolated", "quorum/flapping", "disk/sync_fails", "clock/skewed", "links/stalls", "processes/slow_cpu",
    "processes/crash_loop", "machines/blackholed", "machines/thin_cable",
)  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["disk/power_lost", "featured/slow_features", "machines/one_way", *map(left_to_ci, MORE)],
)
def test_a_drill_runs_unchanged_and_its_faults_act(name: str) -> None:
    _, found = simulated(name, seed=2)
    assert set(found.values()) == {True}, found


@pytest.mark.parametrize(
    ("name", "bug"),
    [
        left_to_ci("quorum/partitioned", "read-one"),
        ("disk/power_lost", "no-sync"),
        left_to_ci("quorum/all_killed", "forgetful"),
    ],
)
def test_a_known_bug_is_found_out_by_its_drill(name: str, bug: str) -> None:
    _, found = simulated(name, 1, f"system.bug={bug}")
    assert found["linearizable"] is False


@pytest.mark.slow
def test_the_same_seed_gives_the_same_run_whatever_the_process_and_another_one_another() -> None:
    def digest(hash_seed: str) -> str:
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    assert digest("1") == digest("2")
    drill = catalog.find_drill("quorum/all_killed", ["load.seconds=3.5"]).drill
    other = SimulatedRun(drill, plan(drill, 8), 8)
    other.carry_out()
    assert f"{other.world.digest} " not in digest("1")


@dataclass(frozen=True, kw_only=True)
class Misled:
    """Numbers to be said again, of which something else is expected."""

    def calls(self, random: Random) -> Iterator[Call]:
        for call in Numbers().calls(random):
            yield replace(call, expected='["something else"]')


def test_answers_are_compared_with_what_the_workload_expects_if_the_drill_has_no_checks() -> None:
    drill = Drill(system=Echo(replicas=1), workload=Misled(), load=Load(rate=100, seconds=0.5), checks=[])
    outcome = run_seed("test/misled", drill, 1).outcome
    assert (outcome.verdict, outcome.found) == ("fail", ("answers_expected",))


def test_a_seed_whose_drill_was_stopped_by_its_guard_is_unknown() -> None:
    load = Load(rate=100, seconds=6, timeout_ms=200)
    faults = [Pause("n1").between(1, 4)]
    drill = Drill(system=Echo(), workload=Numbers(), load=load, faults=faults, checks=[], guard="availability < 90% for 1s")
    outcome = run_seed("test/guarded", drill, 1, swarm=PLAIN).outcome
    assert outcome.verdict == "unknown"
    assert outcome.why.startswith("guard_held: the drill was stopped after ")


def test_a_process_that_was_slowed_is_judged_by_its_own_work_although_it_was_killed_meanwhile() -> None:
    faults = [SlowCpu("n1", share=0.5).between(2, 2.6), Kill("n1").between(2.3, 2.4)]
    drill = Drill(system=Echo(), workload=Numbers(), load=Load(rate=100, seconds=3), faults=faults, checks=[])
    judged = run_seed("test/slowed", drill, 1, swarm=PLAIN)
    assert [window.acted for window in judged.recorded.history.fault_windows] == [True, True]
    assert judged.outcome.verdict == "pass", judged.outcome.why


@dataclass(frozen=True, kw_only=True)
class Namesake(Echo):
    """Its node has a name that might be thought to be the harness's own."""

    def nodes(self) -> Sequence[Node]:
        return [replace(node, name="harness") for node in super().nodes()]


def test_a_node_may_be_called_harness() -> None:
    drill = Drill(system=Namesake(), workload=Numbers(), load=Load(rate=100, seconds=0.5), checks=[])
    assert run_seed("test/namesake", drill, 1).outcome.verdict == "pass"


def test_times_are_simulated_and_not_this_machines() -> None:
    recorded, _ = simulated("quorum/healthy", 1, "load.rate=4", "load.seconds=60")
    assert 59 < recorded.history.load["due_ns"].max() / 1e9 < 60


@dataclass(frozen=True, kw_only=True)
class Silent(Echo):
    """A system whose clients never get an answer."""

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return SilentClient()


class SilentClient:
    async def invoke(self, call: Call) -> Answer:
        never: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        return await never

    async def close(self) -> None: ...


def test_a_run_whose_calls_hang_is_not_taken_for_stuck() -> None:
    load = Load(rate=4, seconds=1, arrivals="constant", timeout_ms=150_000)
    drill = Drill(system=Silent(replicas=1), workload=Numbers(), load=load, checks=[])
    recorded = SimulatedRun(drill, plan(drill, 1), 1).carry_out()
    assert set(recorded.history.ops["error"]) == {"no answer within 150000 ms"}


def test_a_run_that_is_over_leaves_nothing_in_memory() -> None:
    """Some requests are still under way when it ends."""
    drill = catalog.find_drill("quorum/isolated", ["load.seconds=7.5", "load.rate=20"]).drill
    run = SimulatedRun(drill, plan(drill, 1), 1)
    run.carry_out()
    world = weakref.ref(run.world)
    del run
    for _ in range(2):  # what coroutines do as they are collected is over after the first time
        gc.collect()
    assert world() is None
