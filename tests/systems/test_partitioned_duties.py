"""What a coordinator owes by what it has heard: each duty is due after some rounds, and neither before nor without reason."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from systems.partitioned.duties import REST_S, ROUNDS, SILENT_S, Heard, NothingOverdue
from systems.partitioned.messages import Status
from systems.partitioned.moving import Seen, advanced, first_map, joined
from systems.partitioned.partition_map import PartitionMap
from systems.parts.partitioning.members import Member

NAMES = ("n1", "n2", "n3", "n4")
ROUND_S = 0.05


def settled(replicas: int = 1) -> PartitionMap:
    return first_map("consistent", [Member(name) for name in NAMES[:3]], replicas, 8, ())


def moving(replicas: int = 1) -> PartitionMap:
    after = advanced(joined(settled(replicas), Member("n4")), Seen(), 1)
    assert after is not None
    [one] = after.moving
    assert one.arriving == ("n4",)
    return after


def heard(now: PartitionMap, **changed: Status | None) -> dict[str, Status]:
    """Statuses of nodes that are all well, except for those given; None: it did not answer."""
    all_well: Mapping[str, Status | None] = {name: Status(now.epoch, start=1) for name in NAMES} | changed
    return {name: one for name, one in all_well.items() if one is not None}


class Coordinator:
    """Shows itself round after round."""

    def __init__(self) -> None:
        self.rule = NothingOverdue()
        self.rounds = 0
        self.now_s = 10.0

    def goes_on(self, now: PartitionMap, statuses: dict[str, Status], *, rounds: int = 1) -> str | None:
        """What is found if it knows just this for `rounds` rounds, and does nothing."""
        for _ in range(rounds):
            self.now_s += ROUND_S
            self.rounds += 1
            heard = Heard(now_s=self.now_s, rounds=self.rounds, statuses=statuses)
            shown: dict[str, dict[str, object]] = {"coordinator": {"map": now, "moves_at_once": 1, "heard": heard}}
            if (why := self.rule.broken(shown)) is not None:
                return why
        return None


LONG = 30
FAILS = Status(1, failing=True, start=1)


def test_a_coordinator_that_has_nothing_to_do_owes_nothing() -> None:
    assert Coordinator().goes_on(settled(), heard(settled()), rounds=LONG) is None
    assert Coordinator().goes_on(moving(), heard(moving()), rounds=LONG) is None  # it waits for the copy


@pytest.mark.parametrize("replicas", [1, 3])
def test_a_move_to_a_node_whose_disk_fails_must_be_given_up(replicas: int) -> None:
    now = moving(replicas)
    told = Coordinator().goes_on(now, heard(now, n4=FAILS), rounds=LONG)
    assert told is not None
    assert "still moves to n4, which has a disk that fails" in told


def test_a_move_to_a_node_that_does_not_answer_must_be_given_up() -> None:
    now, silent = moving(), heard(moving(), n4=None)
    coordinator, rounds = Coordinator(), round(SILENT_S / ROUND_S)
    assert coordinator.goes_on(now, silent, rounds=rounds) is None
    told = coordinator.goes_on(now, silent, rounds=LONG)
    assert told is not None
    assert "still moves to n4, which is down" in told
    coordinator = Coordinator()
    for _ in range(LONG):  # it answers now and then
        assert coordinator.goes_on(now, silent, rounds=rounds - 1) is None
        assert coordinator.goes_on(now, heard(now)) is None


def test_a_move_must_end_when_all_is_copied() -> None:
    now = moving()
    [one] = now.moving
    copied = Status(now.epoch, copied=[(one.low, one.move)], start=1)
    earlier = Status(now.epoch, copied=[(one.low, one.move - 1)], start=1)
    assert Coordinator().goes_on(now, heard(now, n4=earlier), rounds=LONG) is None
    told = Coordinator().goes_on(now, heard(now, n4=copied), rounds=LONG)
    assert told is not None
    assert "still moves, although n4 have all of it" in told


def test_a_move_must_begin_if_it_can() -> None:
    now = joined(settled(), Member("n4"))
    told = Coordinator().goes_on(now, heard(now), rounds=LONG)
    assert told is not None
    assert "although it could move" in told
    assert Coordinator().goes_on(now, heard(now, n4=FAILS), rounds=LONG) is None  # not to a disk that fails
    assert Coordinator().goes_on(now, heard(now, n4=None), rounds=round(SILENT_S / ROUND_S)) is None


def test_a_move_must_wait_for_others_and_for_a_majority_of_its_owners() -> None:
    assert Coordinator().goes_on(moving(), heard(moving()), rounds=LONG) is None  # one at a time, and more are to move
    now = joined(settled(3), Member("n4"))
    assert Coordinator().goes_on(now, heard(now, n1=FAILS), rounds=LONG) is not None
    assert Coordinator().goes_on(now, heard(now, n1=FAILS, n2=FAILS), rounds=LONG) is None


def test_another_owner_must_answer_for_one_that_is_down() -> None:
    now = settled(3)
    told = Coordinator().goes_on(now, heard(now, n1=None), rounds=LONG)
    assert told is not None
    assert "n1, which is down, still answers for the partition" in told
    alone = settled(1)
    assert Coordinator().goes_on(alone, heard(alone, n1=None), rounds=LONG) is None
    assert Coordinator().goes_on(now, heard(now, n1=None, n2=None, n3=None), rounds=LONG) is None


def test_another_owner_must_answer_for_one_that_cannot_take_the_map_over() -> None:
    now = msgspec.structs.replace(settled(3), epoch=2)
    now = msgspec.structs.replace(now, partitions=tuple(msgspec.structs.replace(one, epoch=2) for one in now.partitions))
    told = Coordinator().goes_on(now, heard(now, n1=FAILS), rounds=LONG)
    assert told is not None
    assert "n1, which has a disk that fails, still answers for the partition" in told
    knows = Status(2, failing=True, start=1)
    assert Coordinator().goes_on(now, heard(now, n1=knows), rounds=LONG) is None


def test_what_nobody_has_looked_at_for_a_while_is_not_overdue() -> None:
    now = moving()
    fails, coordinator = heard(now, n4=FAILS), Coordinator()
    for _ in range(LONG):
        assert coordinator.goes_on(now, fails, rounds=ROUNDS) is None
        coordinator.now_s += 1.0


def test_nothing_is_due_at_once_nor_while_the_coordinator_gets_nowhere() -> None:
    now = moving()
    fails, coordinator = heard(now, n4=FAILS), Coordinator()
    assert coordinator.goes_on(now, fails, rounds=max(ROUNDS, round(REST_S / ROUND_S))) is None
    coordinator.rounds = 0  # it has started again
    assert coordinator.goes_on(now, fails, rounds=ROUNDS) is None
    newer = msgspec.structs.replace(now, epoch=now.epoch + 1)
    assert coordinator.goes_on(newer, fails, rounds=ROUNDS) is None  # it has made another map
    for _ in range(LONG):  # its own disk refuses the next map, so no round ends
        coordinator.rounds = ROUNDS
        assert coordinator.goes_on(newer, fails) is None
