"""The parameter server under simulation, with a tiny model."""

from __future__ import annotations

import pytest

from drills.training._checks import CHECKS, MASTER_CHECKS
from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.load import Load
from harness.simulation.seed_run import Judged, run_seed
from harness.simulation.swarm import PLAIN, Swarm
from systems.parameter_server import ParameterServer
from tests.helpers.effort import left_to_ci
from workloads.steps import Steps


def drill_of(mode: str = "synchronous", bug: str | None = None) -> Drill:
    """A short drill in which the master is killed between two checkpoints."""
    rounds = mode == "synchronous"
    return Drill(
        system=ParameterServer(workers=2, mode=mode, model="dense(8)", checkpoint_every=4, step_ms=100, bug=bug),
        workload=Steps(),
        load=Load(rate=10, clients=40, seconds=3.5, timeout_ms=3000),
        faults=[Kill("master").between(1.0, 1.4)],
        checks=MASTER_CHECKS if rounds else CHECKS,
    )


def judged(drill: Drill, seed: int = 1, swarm: Swarm | None = PLAIN) -> Judged:
    return run_seed("short", drill, seed, swarm=swarm)


@pytest.mark.parametrize("mode", ["synchronous", left_to_ci("asynchronous")])
def test_a_standby_takes_over_and_the_training_is_judged_against_its_control(mode: str) -> None:
    found = judged(drill_of(mode))
    assert found.outcome.verdict == "pass", found.outcome.why
    history = found.recorded.history
    assert set(history.steps["node"]) == {"control", "master", "standby", "worker1", "worker2"}
    assert {"saved", "resumed"} <= set(history.events["kind"])


@pytest.mark.slow
def test_the_same_seed_is_the_same_training() -> None:
    drill = drill_of()
    swarm = next(swarm for seed in range(1, 99) if not (swarm := Swarm.of(drill, seed)).plain and swarm.disturbances)
    one, again = (judged(drill, 3, swarm) for _ in range(2))
    assert one.outcome.digest == again.outcome.digest
    assert one.recorded.history.steps.equals(again.recorded.history.steps)


def test_a_known_bug_is_found() -> None:
    assert "same_parameters" in judged(drill_of(bug="no-optimizer-state")).outcome.found
