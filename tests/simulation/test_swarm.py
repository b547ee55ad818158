"""What seeds add: always the same for a seed, only what a system withstands, and enough to find what drills miss."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from faults.flip_bits import FlipBits
from harness.model.drill import Drill
from harness.model.errors import UsageError
from harness.model.load import Load
from harness.run import catalog
from harness.simulation import shrinking
from harness.simulation.disturbance import Disturbance
from harness.simulation.keeping import keep, read_swarm
from harness.simulation.record import SimulatedRun
from harness.simulation.seed_run import Judged, run_seed
from harness.simulation.shrinking import shrink
from harness.simulation.swarm import PLAIN, Conditions, Swarm
from systems.parts.record_log import RecordLog
from tests.helpers.effort import cases, left_to_ci
from tests.helpers.wayward import Wayward
from workloads.registers import Registers


def test_a_seed_draws_the_same_each_time_and_survives_a_file() -> None:
    drill = catalog.find_drill("quorum/isolated").drill
    for seed in range(1, 30):
        drawn = Swarm.of(drill, seed)
        assert drawn == Swarm.of(drill, seed)
        assert msgspec.json.decode(msgspec.json.encode(drawn), type=Swarm) == drawn
    assert len({str(Swarm.of(drill, seed)) for seed in range(1, 30)}) > 20


@pytest.mark.parametrize("content", [b'{"plain": 1}', b'{"plain": true, "seconds": "\xe9"}'])
def test_a_file_that_is_no_swarm_is_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "swarm.json"
    file.write_bytes(content)
    with pytest.raises(UsageError, match="is not what a seed added, as this version knows it"):
        read_swarm(file)


def test_disks_fail_only_in_systems_that_are_to_withstand_it_and_on_one_node_of_a_run() -> None:
    damage = {"fail syncs", "fill disk", "flip bit"}
    quorum, featured = (catalog.find_drill(name).drill for name in ("quorum/isolated", "featured/slow_features"))
    seen = set[str]()
    for seed in range(1, 200):
        hit = {one.node for one in Swarm.of(quorum, seed).disturbances if one.kind in damage}
        seen |= {one.kind for one in Swarm.of(quorum, seed).disturbances}
        assert len(hit) <= 1
        assert not {one.kind for one in Swarm.of(featured, seed).disturbances} & {*damage, "power off", "skew clock"}
    assert damage < seen


@pytest.mark.parametrize(
    ("name", "most"), [("raft/bits_flipped", 99), ("eventual/partitioned", 1), ("eventual/bits_flipped", 1)]
)
def test_bits_are_flipped_again_only_if_the_system_is_to_withstand_that(name: str, most: int) -> None:
    drill = catalog.find_drill(name).drill
    swarms = [Swarm.of(drill, seed) for seed in range(1, 100)]
    flips = [
        sum(one.kind == "flip bit" for one in swarm.disturbances)
        + sum(isinstance(fault, FlipBits) for item in swarm.drill(drill, 1).faults for fault in item.faults)
        for swarm in swarms
    ]
    assert 1 <= max(flips) <= most
    assert max(flips) > 2 or most == 1


def test_in_some_seeds_a_node_stops_for_a_moment_again_and_again() -> None:
    drill = catalog.find_drill("partitioned/joins").drill
    stuttering = set[str]()
    for seed in range(1, 60):
        drawn = Swarm.of(drill, seed)
        stops = [one for one in drawn.disturbances if one.kind == "pause" and one.for_s <= 0.04]
        if len(stops) < 10:
            continue
        assert not drawn.plain
        assert len({one.node for one in stops}) <= 2  # another one may be paused for a moment by chance
        often = max({one.node for one in stops}, key=lambda name: sum(one.node == name for one in stops))
        times = [(one.at_s, one.at_s + one.for_s) for one in stops if one.node == often]
        assert all(end_s <= begin_s for (_, end_s), (begin_s, _) in itertools.pairwise(times))  # it runs in between
        stuttering.add(often)
    assert len(stuttering) > 3


def told_us(conditions: Conditions) -> list[int]:
    """The wall clock of a node, in microseconds, as it answers twenty calls within ten milliseconds."""
    drill = Drill(system=Wayward(does="tell the time"), workload=Registers(keys=1), load=Load(rate=2000, seconds=0.01))
    events = SimulatedRun(drill, [], 1, swarm=Swarm(plain=True, conditions=conditions)).carry_out().history.events
    return [round(float(detail) * 1e6) for detail in events[events["kind"] == "told"]["detail"]]


def test_a_coarse_wall_clock_shows_the_same_time_for_a_while() -> None:
    fine, coarse = told_us(Conditions()), told_us(Conditions(clock_step_us=15_625.0))
    assert len(fine) == len(coarse) >= 20
    assert len(set(fine)) >= 20
    assert {time_us % 15_625 for time_us in coarse} == {0}


@pytest.mark.parametrize(("name", "coarse"), [("quorum/isolated", True), ("eventual/healthy", False)])
def test_wall_clocks_are_coarse_only_if_they_may_be_wrong(name: str, coarse: bool) -> None:
    drill = catalog.find_drill(name).drill
    assert any(Swarm.of(drill, seed).conditions.clock_step_us > 1 for seed in range(1, 30)) is coarse


@pytest.mark.parametrize(
    "name",
    ["quorum/isolated", "featured/slow_features", "serving/slow_replica", "serving/overload", "training/master_killed"],
)
def test_settings_are_drawn_within_what_the_system_takes(name: str) -> None:
    drill = catalog.find_drill(name).drill
    systems = [Swarm(plain=False, varied=True).drill(drill, seed).system for seed in range(1, 30)]
    assert len({str(system) for system in systems}) > 4
    assert all(type(system) is type(drill.system) for system in systems)
    assert {node.name for node in drill.system.nodes()} <= {node.name for system in systems for node in system.nodes()}


@pytest.mark.parametrize(("name", "left"), [("partitioned/joins", 1), ("partitioned/source_killed", 1), ("quorum/isolated", 0)])
def test_a_seed_without_the_drills_own_faults_still_changes_the_members(name: str, left: int) -> None:
    drill = catalog.find_drill(name).drill
    assert len(drill.faults) > left or name == "partitioned/joins"
    drawn = Swarm(plain=False, windows=False).drill(drill, 1)
    assert len(drawn.faults) == left
    assert all(fault.changes_members for item in drawn.faults for fault in item.faults)


@pytest.mark.parametrize(
    "name",
    [
        "featured/slow_features",
        *map(left_to_ci, ("quorum/isolated", "serving/overload")),
    ],
)
def test_the_correct_system_holds_whatever_is_added(name: str) -> None:
    drill = catalog.find_drill(name).drill
    for seed in range(1, 1 + cases(3)):
        outcome = run_seed(name, drill, seed).outcome
        assert outcome.verdict == "pass", (seed, outcome.why)


@pytest.mark.slow
def test_a_seed_that_takes_away_what_a_check_needs_is_not_unknown_for_that() -> None:
    name = "raft/flapping"
    drill = catalog.find_drill(name).drill
    calm = replace(drill, faults=[], load=replace(drill.load, rate=20, seconds=3))
    outcome = run_seed(name, calm, 1, swarm=Swarm(plain=False, windows=False)).outcome
    assert (outcome.verdict, outcome.why) == ("pass", "")
    assert "leader_completeness: no leader came" in run_seed(name, calm, 1, swarm=PLAIN).outcome.why


@pytest.mark.slow
def test_a_node_may_end_that_cannot_start_because_its_disk_is_nearly_full() -> None:
    drill = catalog.find_drill("raft/not_compacted").drill
    killed = tuple(Disturbance(kind="kill", at_s=1.5, for_s=0.05, node=name) for name in ("n1", "n2", "n3"))
    outcome = run_seed("raft/not_compacted", drill, 1, swarm=Swarm(plain=False, disturbances=killed)).outcome
    assert (outcome.verdict, outcome.why) == ("pass", "")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "seed"), [("raft/not_compacted", 16), ("quorum/not_compacted", 1)])
def test_a_node_is_found_that_goes_on_after_a_compaction_that_its_disk_refused(
    name: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_all = RecordLog.replace

    def goes_on(log: RecordLog, data: bytes) -> None:
        generation, started = log._generation, log.size_bytes > 0
        try:
            replace_all(log, data)
        except OSError:
            if not started:
                raise
            log._generation = generation

    drill = catalog.find_drill(name).drill
    assert run_seed(name, drill, seed).outcome.verdict == "pass"
    monkeypatch.setattr(RecordLog, "replace", goes_on)
    assert "remembers_after_crash" in run_seed(name, drill, seed).outcome.found


@pytest.mark.slow
def test_an_invariant_finds_what_no_read_has_shown() -> None:
    drill = catalog.find_drill("quorum/isolated", ["system.bug=shared-version"]).drill
    found = (run_seed("quorum/isolated", drill, seed).outcome.found for seed in range(1, 21))
    assert any("invariant" in one and "linearizable" not in one for one in found)


@pytest.mark.slow
def test_a_failing_seed_is_made_smaller_and_still_fails() -> None:
    name = "quorum/isolated"
    drill = catalog.find_drill(name, ["system.bug=no-sync"]).drill
    each = ((seed, run_seed(name, drill, seed)) for seed in range(1, 21))
    seed, drawn = next((seed, one) for seed, one in each if "linearizable" in one.outcome.found)
    smaller = shrink(name, drill, seed, drawn.swarm, drawn.outcome.found, limit_s=30.0).swarm
    assert len(smaller.disturbances) < len(drawn.swarm.disturbances)
    assert set(run_seed(name, drill, seed, swarm=smaller).outcome.found) & set(drawn.outcome.found)


def test_replicas_that_hold_different_values_in_the_end_fail_a_seed_even_if_reads_do_not_prove_it() -> None:
    name = "quorum/repaired"
    drill = catalog.find_drill(name, ["system.bug=no-repair"]).drill
    assert any("agrees_when_healed" in run_seed(name, drill, seed).outcome.found for seed in range(1, 7))


@pytest.mark.slow
def test_a_core_must_answer_while_a_primary_that_it_does_not_reach_lives_on() -> None:
    name = "strong/healthy"

    def is_found(bug: str | None) -> bool:
        drill = catalog.find_drill(name, ["load.seconds=1", *([f"system.bug={bug}"] if bug else [])]).drill
        return any("answers_when_healed" in run_seed(name, drill, seed).outcome.found for seed in range(1, 5))

    assert is_found("never-gives-way")
    assert not is_found(None)


def test_what_a_drill_expects_to_fail_does_not_hide_what_else_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of a seed of a known weakness that shows something else, too, that is shrunk and told."""
    name = "eventual/clock_skewed"
    named = catalog.find_drill(name, ["load.rate=5"])
    judged = run_seed(name, named.drill, 1, swarm=PLAIN)
    needed = Disturbance(kind="kill", node="n1", at_s=0.5, for_s=0.1)

    def run(*_: object, swarm: Swarm) -> Judged:
        found = ("nothing_lost", "invariant") if needed in swarm.disturbances else ("nothing_lost",)
        return replace(judged, outcome=msgspec.structs.replace(judged.outcome, found=found, verdict="fail"))

    monkeypatch.setattr(shrinking, "run_seed", run)
    both = Swarm(plain=False, disturbances=(needed, msgspec.structs.replace(needed, at_s=0.7)))
    smaller = shrink(name, named.drill, 1, both, ("nothing_lost", "invariant"), limit_s=30.0).swarm
    assert [one.at_s for one in smaller.disturbances] == [0.5]
    _, result = keep(named, run(swarm=both), tmp_path, ["harness"], as_drawn=True)
    assert (result.verdict, result.expected) == ("fail", "pass")
    _, result = keep(named, run(swarm=PLAIN), tmp_path, ["harness"], as_drawn=True)
    assert (result.verdict, result.expected) == ("fail", "fail")
