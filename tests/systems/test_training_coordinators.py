"""Coordinators of a training, one and several, with ranks that train nothing: who decides, and that only one does."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import cast

import pytest

from harness.node.disk import Disk
from systems.raft.core.core import NotLeading
from systems.raft.replica import Replica
from systems.raft.store import Answer, KeyValues
from systems.training import Training
from systems.training.ledger import Deposed, DiskLedger, RaftLedger
from tests.helpers.coordinated import World, world

pytestmark = pytest.mark.slow

RANKS = ("rank0", "rank1", "rank2")
THREE = Training(ranks=3, coordinators=3)


def in_a_loop(test: Callable[..., Coroutine[None, None, None]]) -> Callable[..., None]:
    """A test that is a coroutine."""

    @functools.wraps(test)
    def run(*arguments: object, **named: object) -> None:
        asyncio.run(test(*arguments, **named))

    return run


# -------------------------------------------------------------------------------------------------------------- ledger


class OneReplica:
    """A group's member that commits what it proposes at once, while it leads."""

    def __init__(self, values: KeyValues) -> None:
        self._values = values
        self.leads = True
        self.term = 3

    async def propose(self, data: str) -> Answer:
        if not self.leads:
            raise NotLeading(None)
        return self._values.apply(1, data)

    async def confirm(self) -> None:
        if not self.leads:
            raise NotLeading(None)


def test_a_ledger_on_a_disk_keeps_what_was_written(tmp_path: Path) -> None:
    assert asyncio.run(DiskLedger(Disk(tmp_path)).read("group")) is None
    asyncio.run(DiskLedger(Disk(tmp_path)).write("group", b"7"))
    assert asyncio.run(DiskLedger(Disk(tmp_path)).read("group")) == b"7"


@in_a_loop
async def test_a_ledger_in_a_log_is_of_one_term_alone() -> None:
    values = KeyValues()
    replica = OneReplica(values)
    first = RaftLedger(cast("Replica[Answer]", replica), values, 3)
    assert await first.read("generation") is None
    await first.write("generation", b"7")
    replica.term = 5  # it lost the leadership, and won it back
    for use in (first.read("generation"), first.write("generation", b"8"), first.confirm()):
        with pytest.raises(Deposed):
            await use
    second = RaftLedger(cast("Replica[Answer]", replica), values, 5)
    assert await second.read("generation") == b"7"
    replica.leads = False
    for use in (second.read("generation"), second.write("generation", b"8"), second.confirm()):
        with pytest.raises(Deposed):
            await use
    assert values.get("generation") == "7"


# --------------------------------------------------------------------------------------------------------- coordinators


async def trained(one: World) -> str:
    """Start everything; returns the coordinator that formed the first group."""
    one.start()
    first = await one.until_trained(*RANKS)
    [by] = {told.by for told in one.forms(first)}
    return by


@in_a_loop
async def test_the_only_coordinator_counts_on_after_a_restart_and_leaves_the_group_alone(tmp_path: Path) -> None:
    async with world(tmp_path, Training(ranks=3)) as one:
        assert await trained(one) == "coordinator"
        assert sorted(path.name for path in (tmp_path / "coordinator").iterdir() if path.suffix != ".jsonl") == [
            "generation",
            "group",
        ]
        await one.stop("coordinator")
        one.start("coordinator")
        await one.until_heard("coordinator", *RANKS)
        await one.until_knows("coordinator", 1)
        await one.stop("rank1")
        assert await one.until_trained("rank0", "rank2") == 2
        assert not one.events("coordinator", "alone")


@in_a_loop
async def test_a_new_leader_counts_on_and_leaves_the_group_alone(tmp_path: Path) -> None:
    async with world(tmp_path, THREE) as one:
        first = await trained(one)
        assert first == await one.until_led()
        await one.stop(first)
        second = await one.until_led()
        await one.until_knows(second, 1)
        await one.stop("rank1")
        assert await one.until_trained("rank0", "rank2") == 2
        assert {told.by for told in one.forms(2)} == {second} != {first}
        assert one.events(second, "took over")
        assert not one.events(second, "alone")  # it did not try a number that ranks refuse
        one.start(first, "rank1")
        assert await one.until_trained(*RANKS) == 3


@in_a_loop
async def test_a_group_that_the_leader_left_half_formed_is_replaced(tmp_path: Path) -> None:
    async with world(tmp_path, THREE) as one:
        first = await trained(one)
        one.ranks["rank2"].cut_from = set(one.coordinators)
        await one.until_trained("rank0", "rank1")
        for rank in ("rank0", "rank1"):
            one.ranks[rank].phase = "forming"  # and so they stay: the store is gone
        await one.stop(first)
        await one.until(lambda: bool(one.forms(3)))
        assert {told.rank for told in one.forms(3)} == {"rank0", "rank1"}


@in_a_loop
async def test_without_a_majority_nothing_is_decided(tmp_path: Path) -> None:
    async with world(tmp_path, THREE) as one:
        first = await trained(one)
        others = [name for name in one.coordinators if name != first]
        await one.stop(*others)
        told = len(one.told)
        await one.stop("rank1")
        await one.until_deposed(first)
        assert len(one.told) == told
        one.start(others[0])
        assert await one.until_trained("rank0", "rank2") == 2


@in_a_loop
async def test_a_leader_that_hears_fewer_ranks_than_another_hands_over_and_its_successor_leaves_the_group_alone(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, THREE) as one:
        first = await trained(one)
        for rank in one.ranks.values():
            rank.cut_from = {first}
        await one.until(lambda: any(one.events(name, "took over") for name in one.coordinators if name != first))
        second = await one.until_led()
        assert second != first
        await one.until_knows(second, 1)
        assert not one.forms(2)


@in_a_loop
async def test_a_leader_that_ranks_do_not_hear_hands_over(tmp_path: Path) -> None:
    async with world(tmp_path, THREE) as one:
        first = await trained(one)
        for rank in one.ranks.values():
            rank.deaf_to = {first}
        await one.stop("rank1")
        generation = await one.until_trained("rank0", "rank2")
        assert first not in {told.by for told in one.forms(generation)}


@in_a_loop
async def test_ranks_outside_wait_while_the_last_group_may_still_train(tmp_path: Path) -> None:
    async with world(tmp_path, THREE) as one:
        await trained(one)
        await one.stop("rank2")
        assert await one.until_trained("rank0", "rank1") == 2
        for name in ("rank0", "rank1"):
            one.ranks[name].cut_from = set(one.coordinators)
        one.start("rank2")
        await one.until(lambda: any(one.events(name, "alone") for name in one.coordinators))
        assert {told.rank for told in one.told if told.what.generation > 2} == {"rank2"}
        assert not one.forms(3)
        for name in ("rank0", "rank1"):
            one.ranks[name].cut_from = set()
        await one.until_trained(*RANKS)
