"""The coordinators of a training under simulation, with ranks that obey and train nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from faults.clock_jump import ClockJump
from faults.hand_over import HandOver
from faults.kill import Kill
from faults.partition import Partition
from faults.pause import Pause
from harness.model.drill import Drill
from harness.model.fault import Window
from harness.model.load import Load
from harness.simulation.seed_run import INVARIANT, Judged, run_seed
from harness.simulation.swarm import PLAIN, Swarm
from systems.training.records import Happened, read
from tests.helpers.effort import left_to_ci
from tests.helpers.stand_in_training import StandInTraining
from workloads.steps import Steps

LAST_GROUP_CUT_OFF: Sequence[Window] = (
    HandOver("coordinator1").between(0.2, 0.7),
    Kill("rank2").between(0.8, 1.8),
    Partition("coordinator1 rank0 rank1").between(1.6, 3),
)
"""A rank is outside the last group and hears most coordinators; the others of that group go on without them."""

LEADER_PAUSED: Sequence[Window] = (
    Kill("rank0").between(0.4, 0.6),
    Pause("leader").between(1.1, 2.2),
    Kill("rank1").between(1.2, 2.0),
)


def drill_of(
    faults: Sequence[Window] = LEADER_PAUSED,
    *,
    coordinators: int = 3,
    bug: str | None = None,
    slos: Sequence[str] = (),
    seconds: float = 3.2,
    wrong: str | None = None,
) -> Drill:
    return Drill(
        system=StandInTraining(coordinators=coordinators, bug=bug, wrong=wrong),
        workload=Steps(),
        load=Load(rate=10, clients=40, seconds=seconds, timeout_ms=4000),
        faults=faults,
        checks=(),
        slos=slos,
    )


def judged(drill: Drill, seed: int = 1, swarm: Swarm | None = PLAIN) -> Judged:
    return run_seed("short", drill, seed, swarm=swarm)


def kinds(found: Judged) -> list[str]:
    """The kinds of all events that the coordinators have recorded."""
    journals = found.recorded.cluster.journals()
    records = [record for node in found.drill.system.nodes() for record in read(journals[node.name])]
    return [record.kind for record in records if isinstance(record, Happened)]


@pytest.mark.slow
@pytest.mark.parametrize("faults", [LEADER_PAUSED, LAST_GROUP_CUT_OFF])
def test_several_coordinators_form_one_group_after_another(faults: Sequence[Window]) -> None:
    found = judged(drill_of(faults))
    assert found.outcome.verdict == "pass", found.outcome.why
    assert kinds(found).count("formed") > 3


def test_one_coordinator_forms_one_group_after_another() -> None:
    found = judged(drill_of((Kill("coordinator").between(1, 1.3), Kill("rank1").between(1.8, 2.2)), coordinators=1))
    assert found.outcome.verdict == "pass", found.outcome.why
    assert kinds(found).count("formed") > 2


@pytest.mark.parametrize(
    ("seed", "coordinators"),
    [(2, 1), left_to_ci(4, 1), (5, 3), left_to_ci(6, 3)],
)
def test_whatever_a_seed_adds_the_promises_hold(seed: int, coordinators: int) -> None:
    found = judged(drill_of((), coordinators=coordinators), seed, swarm=None)
    assert not found.swarm.plain
    assert found.outcome.verdict == "pass", found.outcome.why


@pytest.mark.slow
def test_a_rank_that_computes_wrongly_is_left_out_for_good() -> None:
    found = judged(drill_of((Kill("leader").between(1.3, 1.8),), wrong="rank1"))
    assert found.outcome.verdict == "pass", found.outcome.why
    assert "named" in kinds(found)


@pytest.mark.slow
@pytest.mark.parametrize(("coordinators", "wrong"), [(1, None), (3, None), (1, "rank1"), (3, "rank1")])
def test_the_promises_hold_over_many_seeds(coordinators: int, wrong: str | None) -> None:
    drill = drill_of((), coordinators=coordinators, seconds=5, wrong=wrong)
    for seed in range(101, 121):
        outcome = judged(drill, seed, swarm=None).outcome
        assert not outcome.found, f"seed {seed}: {outcome.why}"


def test_the_same_seed_is_the_same_run() -> None:
    drill = drill_of(())
    swarm = next(swarm for seed in range(1, 99) if not (swarm := Swarm.of(drill, seed)).plain and swarm.disturbances)
    one, again = (judged(drill, 3, swarm).outcome.digest for _ in range(2))
    assert one == again


@pytest.mark.slow
def test_a_group_formed_while_the_last_one_trains_is_found() -> None:
    outcome = judged(drill_of(LAST_GROUP_CUT_OFF, bug="forgets-group")).outcome
    assert INVARIANT in outcome.found
    assert "nobody has left" in outcome.why


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bug", "faults", "why"),
    [
        ("decides-without-quorum", LEADER_PAUSED, "do not have on disk"),
        ("deposed-decides", LEADER_PAUSED, "do not have on disk"),
        ("forgets-generation", LEADER_PAUSED, "went back from generation"),
    ],
)
def test_other_known_bugs_of_councils_are_found(bug: str, faults: Sequence[Window], why: str) -> None:
    outcome = judged(drill_of(faults, bug=bug)).outcome
    assert INVARIANT in outcome.found
    assert why in outcome.why


@pytest.mark.slow
@pytest.mark.parametrize("bug", [None, "no-timeout", "wall-clock"])
def test_a_coordinator_that_does_not_notice_silence_is_late(bug: str | None) -> None:
    jump = ClockJump("coordinator", by_ms=-600_000, every_ms=20_000, must_be_read=False)
    faults = (Pause("rank1").between(0.8, 3), jump.between(0.9, 3))
    outcome = judged(drill_of(faults, coordinators=1, bug=bug, slos=["max < 1.5s"])).outcome
    assert outcome.verdict == ("pass" if bug is None else "slo"), outcome.why
