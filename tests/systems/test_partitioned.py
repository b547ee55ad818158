"""The system `Partitioned`: its topology, what it refuses, and drills of it in simulation."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import msgspec
import pytest

from faults.join import Join
from faults.leave import Leave
from harness.checkers.moved_share import moved_share
from harness.model.codec import describe, restore
from harness.model.drill import Drill
from harness.model.errors import UsageError
from harness.model.fault import Window
from harness.model.load import Load
from harness.model.membership import HasMembership
from harness.model.system import System, links_of
from harness.run.catalog import find_drill
from harness.simulation.seed_run import Judged, run_seed
from harness.simulation.swarm import PLAIN, Conditions
from systems.partitioned import Partitioned
from systems.partitioned.moving import first_map
from systems.parts.partitioning.members import Member
from systems.quorum import Quorum
from tests.helpers.effort import left_to_ci
from workloads.entities import Entities
from workloads.registers import Registers


def test_every_node_reaches_every_other_and_the_coordinator_reaches_all() -> None:
    store = Partitioned(members=2, spares=1)
    assert isinstance(store, System)
    assert isinstance(store, HasMembership)
    assert [node.name for node in store.nodes()] == ["n1", "n2", "n3", "coordinator"]
    assert [node.name for node in store.nodes() if node.replica] == ["n1", "n2", "n3"]
    links = {link.name for link in links_of(store)}
    assert {"client>coordinator", "client>n3", "n1>n3", "n3>n1", "coordinator>n2"} <= links
    assert "n1>coordinator" not in links


def test_it_travels_to_another_process() -> None:
    store = Partitioned(members=3, method="range", boundaries=("c", "f"), zones=0, weights=(1.0, 2.0, 1.0, 1.0), bug="no-sync")
    assert restore(describe(store)) == store


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"members": 0}, "members=0"),
        ({"replicas": 4}, "4 owners of a key were asked for; there are 3 members"),
        ({"replicas": 3, "zones": 2}, "there are 2 zones"),
        ({"method": "rang"}, "no such method. Did you mean 'range'"),
        ({"boundaries": ("c",)}, "only ranges have boundaries"),
        ({"method": "range", "boundaries": ("f", "c")}, "each must be above the one before it"),
        ({"weights": (1.0,)}, "one for each of the 4 nodes, or none"),
        ({"weights": (1.0, 0.0, 1.0, 1.0)}, "must be a number above 0"),
        ({"weights": (1.0, -1.0, 1.0, 1.0)}, "must be a number above 0"),
        ({"method": "jump", "weights": (1.0, 2.0, 1.0, 1.0)}, "knows no weights"),
        ({"rate_mb_per_s": 0.0}, "a rate above 0"),
        ({"bound": 1.0}, "a bound above 1"),
        ({"bug": "both-serves"}, "Did you mean 'both-serve'"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(settings: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        Partitioned(**settings)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


def test_join_and_leave_are_for_systems_with_members() -> None:
    with pytest.raises(UsageError, match="Join needs a system with the capability HasMembership"):
        Drill(system=Quorum(), workload=Registers(), load=Load(rate=10, seconds=5), faults=[Join("n1").between(1, 2)])


@pytest.mark.parametrize("kind", [Join, Leave])
def test_the_coordinator_is_never_a_member(kind: type[Join | Leave]) -> None:
    with pytest.raises(UsageError, match=rf"{kind.__name__}\('n1 coordinator'\): coordinator is never .* Use n1, n2, n3, n4\."):
        Drill(
            system=Partitioned(),
            workload=Registers(),
            load=Load(rate=10, seconds=5),
            faults=[kind("n1 coordinator").between(1, 2)],
        )


SLOW = ("receiver_killed", "ranges_join", "two_joins", "hot_key", "leader_cut_off", "receiver_lost")


def simulated(drill: Drill, name: str = "partitioned/test", seed: int = 1) -> Judged:
    """The drill as it is, on simulated machines."""
    return run_seed(name, drill, seed, swarm=PLAIN)


def short(name: str) -> Drill:
    """A drill with half its load."""
    drill = find_drill(f"partitioned/{name}").drill
    return replace(drill, load=replace(drill.load, rate=drill.load.rate / 2))


@pytest.mark.parametrize(
    "name",
    [
        "joins",
        *map(left_to_ci, SLOW),
    ],
)
def test_a_drill_holds_in_simulation(name: str) -> None:
    judged = simulated(short(name))
    assert [(check.name, check.why) for check in judged.checks if check.valid is not True] == []
    assert judged.recorded.broken is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "bug"),
    [
        ("joins", "forgets-early"),
        *(
            (name, bug)
            for name, bug in (
                ("joins", "both-serve"),
                ("receiver_killed", "wrong-offset"),
                ("weights", "weights-ignored"),
                ("leader_cut_off", "timeout-failed"),
            )
        ),
    ],
)
def test_a_bug_does_not(name: str, bug: str) -> None:
    drill = find_drill(f"partitioned/{name}", (f"system.bug={bug}",)).drill
    assert any(simulated(drill, seed=seed).outcome.found for seed in (1, 2))


def joining(node: str, **settings: object) -> Drill:
    """A drill in which a node is to join that cannot, or can."""
    window: Window = Join(node).between(0.5, 1.5)
    return Drill(
        system=Partitioned(members=2, spares=1, partitions=8, **settings),  # type: ignore[arg-type]
        workload=Entities(entities=10, multi_gets=0.2),
        load=Load(rate=50, seconds=2),
        faults=[window],
    )


def test_a_join_that_is_refused_has_not_acted_and_says_why() -> None:
    [window] = simulated(joining("n1")).recorded.history.fault_windows
    assert window.acted is False
    assert "n1 was refused: 'n1' is a member already" in window.evidence


def test_a_join_tells_how_much_the_node_holds_in_the_end() -> None:
    [window] = simulated(joining("n3")).recorded.history.fault_windows
    assert window.acted is True
    assert "n3 joins; in the end n3 holds" in window.evidence


def test_moves_that_last_longer_than_the_run_are_not_stuck() -> None:
    drill = find_drill("partitioned/weights", ("system.moves_at_once=1", "load.rate=50")).drill
    drill = replace(drill, faults=joining("n3").faults, load=replace(drill.load, seconds=2))
    slow = {f"{source}>{target}": 100.0 for source in ("n1", "n2", "n3") for target in ("n1", "n2", "n3")}
    swarm = msgspec.structs.replace(PLAIN, conditions=Conditions(slow_ms=slow, sync_ms=(30.0, 60.0)))
    judged = run_seed("partitioned/weights", drill, 1, swarm=swarm)
    [settled] = [check for check in judged.checks if check.name == "all_settled"]
    assert settled.valid is True
    assert settled.why == "4 nodes had nothing pending and nothing out of service at the end"


def test_a_join_that_moves_nothing_is_told_as_a_change_of_members() -> None:
    drill = joining("n3")
    history = simulated(
        replace(drill, system=Partitioned(members=2, spares=1, partitions=4, method="consistent"))
    ).recorded.history
    verdict = moved_share(history)
    assert (verdict.valid, "moved 0.0% (ideal 33.3%)" in verdict.why) == (True, True), verdict.why


def test_the_last_replicas_cannot_leave() -> None:
    drill = replace(joining("n3", replicas=2), faults=[Leave("n1").between(0.5, 1.5)])
    [window] = simulated(drill).recorded.history.fault_windows
    assert window.acted is False
    assert "n1 was refused: 2 owners of a key were asked for; there are 1 members" in window.evidence


@pytest.mark.parametrize("name", ["link_cut", "three_ten_three", "weights"])
def test_with_the_settings_that_a_seed_draws_each_node_would_hold_partitions(name: str) -> None:
    store = find_drill(f"partitioned/{name}").drill.system
    assert isinstance(store, Partitioned)
    for seed in range(20):
        drawn = store.varied(Random(seed))
        whole = replace(drawn, members=drawn.members + drawn.spares, spares=0)
        config = next(node.config for node in whole.nodes() if node.name == "coordinator")
        members = msgspec.convert(config["members"], list[Member])
        first = first_map(drawn.method, members, drawn.replicas, drawn.partitions, drawn.boundaries)
        assert {owner for one in first.partitions for owner in one.owners} == {one.name for one in members}, drawn
