"""What coordinators make of accusations, and what of it outlasts them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from harness.node.disk import Disk
from systems.training.distrust import Distrust
from systems.training.ledger import DiskLedger
from systems.training.membership import Group
from systems.training.messages import NO_STATE, Accused

GROUP = Group(generation=4, members=("rank0", "rank1", "rank2"), incarnations={"rank0": 1, "rank1": 1, "rank2": 1})


def said(by: str, *names: str, since: int | None = 10, generation: int = 4) -> Accused:
    return Accused(generation=generation, by=by, names=names, why="computed wrongly", since=since)


def read_from(folder: Path) -> Distrust:
    return asyncio.run(Distrust.read(DiskLedger(Disk(folder)), GROUP.members))


def test_a_rank_is_left_out_when_all_others_say_so_and_stays_out(tmp_path: Path) -> None:
    distrust = read_from(tmp_path)
    assert distrust.accused(said("rank1", "rank1"), GROUP) is None
    assert distrust.accused(said("rank0", "rank1", since=12), GROUP) is None
    assert distrust.without(GROUP.members) == ["rank0", "rank1", "rank2"]
    found = distrust.accused(said("rank2", "rank1", since=9), GROUP)
    assert found is not None
    assert (found.names, found.by, found.since) == (("rank1",), ("rank0", "rank2"), 9)
    asyncio.run(distrust.keep(found, 4))
    for after in (distrust, read_from(tmp_path)):  # also when the coordinator was started again
        assert after.without(GROUP.members) == ["rank0", "rank2"]
        assert after.limits(GROUP.members) == {"rank0": 9, "rank1": NO_STATE, "rank2": 9}
        assert after.void(4, 10)
        assert not after.void(4, 9)
        assert not after.void(5, 10)
        assert after.finding == found
        assert after.to_withdraw == 9  # until it is done, however often the coordinator is started
    asyncio.run(distrust.withdrawn())
    assert read_from(tmp_path).to_withdraw is None
    for after in (distrust, read_from(tmp_path)):  # late, or said again: it has been dealt with
        assert after.accused(said("rank0", "rank1"), GROUP) is None
        assert after.accused(said("rank2", "rank1"), GROUP) is None


def test_one_that_is_accused_by_the_wrong_one_alone_is_not_left_out(tmp_path: Path) -> None:
    distrust = read_from(tmp_path)
    assert distrust.accused(said("rank1", "rank0"), GROUP) is None
    assert distrust.accused(said("rank2", "rank1"), GROUP) is None
    assert distrust.accused(said("rank0", "rank1", generation=3), GROUP) is None
    assert distrust.accused(said("rank0", "rank1"), None) is None
    assert distrust.without(GROUP.members) == ["rank0", "rank1", "rank2"]


def test_memory_that_changes_once_costs_the_state_and_twice_the_place(tmp_path: Path) -> None:
    distrust = read_from(tmp_path)
    for generation in (4, 5):
        group = Group(generation=generation, members=GROUP.members, incarnations=GROUP.incarnations)
        found = [distrust.accused(said(by, "rank1", since=None, generation=generation), group) for by in ("rank0", "rank2")]
        assert found[1] is not None
        asyncio.run(distrust.keep(found[1], generation))
        assert distrust.limits(GROUP.members) == {"rank1": NO_STATE}
        assert distrust.without(["rank1"]) == (["rank1"] if generation == 4 else [])
        assert distrust.pending(group)
        assert distrust.concerns(group)
        group = Group(generation=generation + 1, members=GROUP.members, incarnations=GROUP.incarnations)
        assert not distrust.concerns(group)
        asyncio.run(distrust.settled(group))
        assert distrust.finding is None
        assert not distrust.pending(group)
        assert distrust.limits(GROUP.members) == {}
