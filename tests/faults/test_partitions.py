"""Partitions, by which nodes reach each other: every pair, through the fault plane, before, during and after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faults.bridge import Bridge
from faults.majority_ring import MajorityRing, apart_in_ring
from faults.partition import Isolate, Partition
from harness.cluster.cluster import Cluster
from harness.http.client import HttpClient
from harness.model.drill import Drill
from harness.model.errors import UsageError
from harness.model.fault import Fault
from harness.model.load import Load
from harness.model.seeds import stream
from harness.run.schedule import plan
from systems.serving import Serving
from tests.helpers.echo import Echo, Numbers
from tests.helpers.effort import left_to_ci

DEADLINE_S = 60.0
"""Far above what anything here takes, so that a busy machine does not decide."""

PATIENCE_S = 0.5
"""How long a node waits for an answer that should not come, once all that should have come."""

Pair = tuple[str, str]


def drill(replicas: int, fault: Fault) -> Drill:
    return Drill(
        system=Echo(replicas=replicas), workload=Numbers(), load=Load(rate=10, seconds=9), faults=[fault.between(1, 2)]
    )


async def reached(cluster: Cluster, expected: set[Pair]) -> set[Pair]:
    """Every pair (one, other) of which one gets an answer of the other.

    Those that should are asked first, so that a busy machine does not decide how long to wait for the others.
    """

    async def ask(one: str, other: str, within_s: float) -> bool:
        client = HttpClient(cluster.address(one))
        try:
            return (await client.request("GET", f"/peer/{other}?within_s={within_s}", timeout_s=DEADLINE_S)).status == 200
        finally:
            client.close()

    found: set[Pair] = set()
    for pairs, within_s in ((expected, DEADLINE_S / 4), (complete(len(cluster.nodes)) - expected, PATIENCE_S)):
        answered = await asyncio.gather(*(ask(*pair, within_s) for pair in pairs))
        found |= {pair for pair, answer in zip(pairs, answered, strict=True) if answer}
    return found


def both_ways(pairs: str) -> set[Pair]:
    """The pairs of "12 23", in both directions."""
    names = [(f"n{pair[0]}", f"n{pair[1]}") for pair in pairs.split()]
    return {*names, *((other, one) for one, other in names)}


def complete(replicas: int) -> set[Pair]:
    return set(permutations((f"n{number}" for number in range(1, replicas + 1)), 2))


def drawn(seed: int, component: str, names: str) -> list[str]:
    """The nodes of "1 2 3" in the order that a run with this seed draws."""
    order = [f"n{number}" for number in names.split()]
    stream(seed, component).shuffle(order)
    return order


def bridged(seed: int, bridge: str, others: str) -> set[Pair]:
    """Which nodes reach each other over a bridge between two halves, in the drawn order."""
    order = drawn(seed, f"Bridge/{bridge}", others)
    middle = len(order) // 2
    sides = [*permutations(order[:middle], 2), *permutations(order[middle:], 2)]
    return {*sides, *((bridge, other) for other in order), *((other, bridge) for other in order)}


def ringed(seed: int, names: str) -> set[Pair]:
    """Which nodes reach each other if each reaches its two neighbours in a ring, in the drawn order."""
    ring = drawn(seed, "MajorityRing", names)
    neighbours = list(zip(ring, [*ring[1:], ring[0]], strict=True))
    return {*neighbours, *((other, one) for one, other in neighbours)}


async def during(
    fault: Fault, replicas: int, folder: Path, reaching: Callable[[set[str]], set[Pair]], seed: int = 1
) -> set[str]:
    """Check that while a fault holds exactly those pairs reach each other that `reaching` gives for the nodes it hit, else all.

    Returns the nodes that it hit.
    """
    asked = drill(replicas, fault)
    [planned] = plan(asked, seed)
    assert planned.targets
    async with asyncio.timeout(DEADLINE_S), Cluster.opened(asked.system, folder, seed=seed, plane="embedded") as cluster:
        hit = set(planned.targets.nodes)
        assert await reached(cluster, complete(replicas)) == complete(replicas)
        injected = await fault.inject(cluster, planned.targets)
        assert await reached(cluster, reaching(hit)) == reaching(hit)
        healed = await fault.heal(cluster, planned.targets, injected)
        assert healed.acted, healed.text
        assert await reached(cluster, complete(replicas)) == complete(replicas)
    return hit


@pytest.mark.parametrize(
    ("fault", "replicas", "reaching"),
    [
        left_to_ci(Bridge("n3"), 5, bridged(1, "n3", "1 2 4 5")),
        (Bridge("n1"), 4, bridged(1, "n1", "2 3 4")),
        left_to_ci(Bridge("n2"), 3, both_ways("21 23")),
        left_to_ci(MajorityRing(), 5, ringed(1, "1 2 3 4 5")),
        (MajorityRing(), 4, ringed(1, "1 2 3 4")),
        left_to_ci(Isolate("n1"), 3, both_ways("23")),
        left_to_ci(Partition("n1"), 3, both_ways("23")),
        left_to_ci(Partition("n1>n2"), 3, complete(3) - {("n1", "n2")}),
    ],
    ids=repr,
)
def test_who_reaches_whom(fault: Fault, replicas: int, reaching: set[Pair], tmp_path: Path) -> None:
    asyncio.run(during(fault, replicas, tmp_path, lambda _: reaching))


@pytest.mark.slow
def test_who_is_where_is_another_with_another_seed(tmp_path: Path) -> None:
    assert len({frozenset(ringed(seed, "1 2 3 4 5")) for seed in range(10)}) > 5
    seed = next(seed for seed in range(2, 10) if ringed(seed, "1 2 3 4 5") != ringed(1, "1 2 3 4 5"))
    asyncio.run(during(MajorityRing(), 5, tmp_path, lambda _: ringed(seed, "1 2 3 4 5"), seed))


@pytest.mark.slow
@pytest.mark.parametrize(("selector", "sizes"), [("half", (2, 2)), ("minority", (1, 3)), ("majority", (3, 1))])
def test_sides_of_a_partition(selector: str, sizes: tuple[int, int], tmp_path: Path) -> None:
    inside = asyncio.run(
        during(
            Partition(selector),
            4,
            tmp_path,
            lambda hit: {(one, other) for one, other in complete(4) if (one in hit) == (other in hit)},
        )
    )
    assert (len(inside), 4 - len(inside)) == sizes


@pytest.mark.parametrize("direction", ["out", left_to_ci("in")])
def test_one_way_cuts_stop_requests_one_way_and_answers_the_other(direction: Literal["out", "in"], tmp_path: Path) -> None:
    """Neither side gets answers from the other; the side that still hears requests shows which way is cut."""
    fault = Partition("n1", direction=direction)
    asked = drill(2, fault)
    [planned] = plan(asked, 1)
    targets = planned.targets
    assert targets

    async def scene() -> tuple[int, int]:
        async with asyncio.timeout(DEADLINE_S), Cluster.opened(asked.system, tmp_path, seed=1, plane="embedded") as cluster:
            injected = await fault.inject(cluster, targets)
            assert await reached(cluster, set()) == set()
            heard = await _heard(cluster, "n1"), await _heard(cluster, "n2")
            await fault.heal(cluster, targets, injected)
            return heard

    assert asyncio.run(scene()) == ((1, 0) if direction == "out" else (0, 1))


async def _heard(cluster: Cluster, name: str) -> int:
    """How often a node was asked by its peers."""
    client = HttpClient(cluster.address(name))
    try:
        return int((await client.request("GET", "/count", timeout_s=DEADLINE_S)).body)
    finally:
        client.close()


# -------------------------------------------------------------------------------------------------------------- shapes


def seen_by(node: str, ring: Sequence[str]) -> frozenset[str]:
    apart = set(apart_in_ring(ring))
    return frozenset(other for other in ring if frozenset((node, other)) not in apart)


@settings(deadline=None)  # the machine may be busy
@given(st.integers(4, 40))
def test_each_sees_a_majority_and_no_two_the_same(replicas: int) -> None:
    ring = [f"n{number}" for number in range(replicas)]
    views = [seen_by(node, ring) for node in ring]
    assert len(set(views)) == replicas
    majority = replicas // 2 + 1
    assert {len(view) for view in views} == {majority + (majority % 2 == 0)}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Bridge("majority"), "the bridge is one node"),
        (lambda: Bridge("n1>n2"), "the bridge is one node"),
        (lambda: drill(2, Bridge("one")), "It needs at least 3"),
        (lambda: MajorityRing("one"), "the ring consists of all replicas"),
        (lambda: drill(3, MajorityRing()), "It needs at least 4; or use Bridge"),
        (lambda: Bridge("one").check(Serving(replicas=3)), "the replicas of Serving have no links between them"),
        (lambda: MajorityRing().check(Serving(replicas=4)), "the replicas of Serving have no links between them"),
        (lambda: drill(1, Partition("half")), "half of 1 replicas is none"),
    ],
)
def test_what_has_no_such_partition_is_refused(make: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()  # type: ignore[operator]
