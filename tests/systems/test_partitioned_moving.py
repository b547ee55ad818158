"""How the map of a partitioned store changes: any sequence of joins, leaves, deaths, copies, splits and merges."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model.errors import UsageError
from systems.partitioned.moving import Seen, advanced, first_map, joined, left, merged, split
from systems.partitioned.partition_map import Method, Partition, PartitionMap, majority
from systems.partitioned.placing import coolest, hottest, rebalanced
from systems.partitioned.protocol import groups_of
from systems.parts.partitioning.members import Member
from tests.helpers.effort import cases

METHODS = get_args(Method)
NAMES = [f"n{number}" for number in range(1, 8)]


def made(
    method: Method = "consistent", members: int = 3, replicas: int = 1, partitions: int = 8, zones: int = 0
) -> PartitionMap:
    among = [Member(name, zone=f"z{number % zones}" if zones else "") for number, name in enumerate(NAMES[:members])]
    return first_map(method, among, replicas, partitions, ("c", "f", "m") if method == "range" else ())


def all_copied(now: PartitionMap) -> Seen:
    return Seen(copied={(one.low, one.move): frozenset(one.arriving) for one in now.moving})


def carried_out(now: PartitionMap, at_once: int = 4) -> list[PartitionMap]:
    """Every map from here to the one in which all is where it is meant to be."""
    maps = [now]
    while (after := advanced(maps[-1], all_copied(maps[-1]), at_once)) is not None:
        maps.append(after)
        assert len(maps) < 1000
    return maps


def check_whole(now: PartitionMap) -> None:
    """Every position has as many distinct owners as there are replicas, and partitions have no gap."""
    lows = [one.low for one in now.partitions]
    assert lows[0] == ""
    assert lows == sorted(set(lows))
    for one in now.partitions:
        assert len(set(one.owners)) == len(one.owners) == now.replicas
        assert set(one.placed) <= set(now.names)
        assert one.epoch <= now.epoch
        assert bool(one.target) == bool(one.move)


def check_follows(before: PartitionMap, after: PartitionMap) -> None:
    """Epochs rise, and the groups of a position's epochs that follow each other share one."""
    assert after.epoch == before.epoch + 1
    for one in (*before.partitions, *after.partitions):
        old, new = before.partition_at(one.low), after.partition_at(one.low)
        if old.epoch == new.epoch:
            assert (old.owners, old.target) == (new.owners, new.target)
        else:
            assert new.epoch == after.epoch
        assert {frozenset(group) for group in groups_of(old)} & {frozenset(group) for group in groups_of(new)}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("replicas", [1, 2, 3])
def test_a_join_and_a_leave_move_everything_to_where_it_is_meant_to_be(method: Method, replicas: int) -> None:
    maps = carried_out(joined(made(method, replicas=replicas), Member("n4")))
    assert maps[-1].settled
    assert any("n4" in one.owners for one in maps[-1].partitions)
    leaving = [maps[-1], *carried_out(left(maps[-1], "n4"))]
    assert leaving[-1].settled
    assert leaving[-1].holders == ("n1", "n2", "n3")
    for before, after in [*pairwise(maps), *pairwise(leaving)]:
        check_whole(after)
        check_follows(before, after)


@settings(max_examples=cases(60), deadline=None)
@given(seed=st.integers(0, 1 << 32), method=st.sampled_from(METHODS), replicas=st.sampled_from([1, 2, 3]))
def test_whatever_happens_in_whatever_order(seed: int, method: Method, replicas: int) -> None:
    random = Random(seed)
    maps = [made(method, members=4, replicas=replicas)]
    for _ in range(40):
        now = maps[-1]
        after: PartitionMap | None = None
        try:
            match random.randrange(6):
                case 0:
                    after = joined(now, Member(random.choice(NAMES)))
                case 1:
                    after = left(now, random.choice(NAMES))
                case 2:
                    after = split(now, random.choice("abdeghk0123456789"))
                case 3:
                    after = merged(now, random.choice(now.partitions).low)
                case _:
                    seen = Seen(
                        down=frozenset(name for name in NAMES if random.random() < 0.2),
                        failing=frozenset(name for name in NAMES if random.random() < 0.1),
                        epochs={name: random.randint(0, now.epoch) for name in NAMES},
                        copied={
                            (one.low, one.move): frozenset(name for name in one.target if random.random() < 0.7)
                            for one in now.moving
                        },
                        resting=frozenset(one.low for one in now.partitions if random.random() < 0.1),
                    )
                    after = advanced(now, seen, random.choice([1, 4]))
        except UsageError:
            continue  # who is there joins, who is not leaves, the last ones of them leave: refused
        if after is not None:
            check_whole(after)
            check_follows(now, after)
            maps.append(after)
    assert carried_out(maps[-1])[-1].settled


def moving() -> PartitionMap:
    after = advanced(joined(made(), Member("n4")), Seen(), 1)
    assert after is not None
    [one] = after.moving
    assert one.target == ("n4",)
    return after


def of(now: PartitionMap, then: PartitionMap) -> Partition:
    """The partition that moved then, as it is now."""
    return now.partition_at(then.moving[0].low)


def test_a_move_waits_until_its_copy_is_there() -> None:
    assert advanced(moving(), Seen(), 1) is None


def test_a_copy_of_an_earlier_move_counts_for_nothing() -> None:
    now = moving()
    assert advanced(now, Seen(copied={(now.moving[0].low, now.moving[0].move - 1): frozenset({"n4"})}), 1) is None


@pytest.mark.parametrize("what", ["down", "failing"])
def test_a_move_to_a_node_that_is_down_or_fails_is_rolled_back_and_not_begun_again(what: str) -> None:
    now = moving()
    gone = Seen(down=frozenset({"n4"})) if what == "down" else Seen(failing=frozenset({"n4"}))
    after = advanced(now, gone, 1)
    assert after is not None
    assert of(after, now).owners == now.moving[0].owners
    assert not after.moving
    assert advanced(after, gone, 1) is None
    again = advanced(after, Seen(), 1)
    assert again is not None
    assert again.moving[0].move > now.moving[0].move


def test_a_copy_on_a_disk_that_fails_by_now_makes_no_owner() -> None:
    now = moving()
    after = advanced(now, replace(all_copied(now), failing=frozenset({"n4"})), 1)
    assert after is not None
    assert of(after, now).owners == now.moving[0].owners


def test_no_more_partitions_move_at_a_time_than_is_asked() -> None:
    assert {len(now.moving) for now in carried_out(joined(made(partitions=64), Member("n4")), at_once=3)} <= {0, 1, 2, 3}


def test_an_owner_that_is_down_is_led_by_another_and_leads_again_when_it_is_back() -> None:
    now = made(replicas=2, partitions=1)
    first, second = now.partitions[0].owners
    led = advanced(now, Seen(down=frozenset({first})), 1)
    assert led is not None
    assert led.partitions[0].owners == (second, first)
    back = advanced(led, Seen(), 1)
    assert back is not None
    assert back.partitions[0].owners == (first, second)


def test_an_owner_whose_disk_fails_leads_only_epochs_that_it_knows() -> None:
    """It cannot take a newer one over, and others refuse what it asks under an older one."""
    now = made(members=4, replicas=3, partitions=1)
    first, second, _ = now.partitions[0].owners
    fails = Seen(failing=frozenset({first}), epochs={first: 1})
    assert advanced(now, fails, 1) is None
    begun = advanced(left(now, now.partitions[0].owners[2]), fails, 1)
    assert begun is not None
    assert begun.partitions[0].target
    assert begun.partitions[0].owners[0] == second
    done = advanced(begun, replace(all_copied(begun), failing=fails.failing, epochs=fails.epochs), 1)
    assert done is not None
    assert not done.partitions[0].target
    assert done.partitions[0].owners[0] != first
    assert advanced(done, fails, 1) is None
    back = advanced(done, Seen(), 1)
    assert back is not None
    assert back.partitions[0].owners[0] == first


def test_an_owner_whose_disk_fails_just_as_an_epoch_begins_is_led_by_another() -> None:
    now = made(replicas=3, partitions=1)
    first = now.partitions[0].owners[0]
    [led] = advanced(now, Seen(failing=frozenset({first}), epochs={first: 0}), 1).partitions  # type: ignore[union-attr]
    assert led.owners[0] != first
    nobody_better = Seen(failing=frozenset(NAMES), epochs=dict.fromkeys(NAMES, 0))
    assert advanced(now, nobody_better, 1) is None


def test_a_move_waits_for_a_majority_of_owners_whose_disks_take_it_over() -> None:
    first = made(members=4, replicas=3, partitions=1)
    now = left(first, first.partitions[0].owners[2])
    [one] = now.partitions
    assert not one.is_placed
    assert advanced(now, Seen(failing=frozenset(one.owners[:1]), epochs={}), 1) is not None
    two_fail = advanced(now, Seen(failing=frozenset(one.owners[:2]), epochs=dict.fromkeys(NAMES, 1)), 1)
    assert two_fail is None


def test_the_only_replica_stays_the_owner_when_it_is_down() -> None:
    now = made(replicas=1)
    assert advanced(now, Seen(down=frozenset(NAMES)), 1) is None


def test_copies_are_made_of_a_majority_only() -> None:
    """With the others down, what the one that is left holds may not be what was acknowledged."""
    now = joined(made(replicas=3), Member("n4"))
    assert advanced(now, Seen(), 1) is not None
    two_down = advanced(now, Seen(down=frozenset({"n1", "n2"})), 8)
    assert two_down is None or not two_down.moving


@pytest.mark.parametrize("replicas", [1, 2, 3, 4, 5])
def test_remaining_and_copied_owners_are_a_majority_that_holds_what_a_majority_held(replicas: int) -> None:
    """The counting of the argument in `moving`: k replaced, at least a majority less k stay and hold it, k copies hold it."""
    for replaced in range(replicas + 1):
        need = majority(range(replicas))  # type: ignore[arg-type]  # only how many they are counts
        assert max(0, need - replaced) + replaced >= need


def test_what_cannot_be_is_refused_in_a_line() -> None:
    now = made(replicas=3)
    with pytest.raises(UsageError, match="'n1' is a member already"):
        joined(now, Member("n1"))
    with pytest.raises(UsageError, match="There is no member 'n9' that could leave"):
        left(now, "n9")
    with pytest.raises(UsageError, match="3 owners of a key were asked for; there are 2 members"):
        left(now, "n1")
    with pytest.raises(UsageError, match="weight=0"):
        Member("n8", weight=0)
    with pytest.raises(UsageError, match="there are 2 zones"):
        made(replicas=3, members=4, zones=2)
    with pytest.raises(UsageError, match="each must be above the one before it"):
        first_map("range", [Member("n1")], 1, 1, ("m", "c"))
    with pytest.raises(UsageError, match="begins with 'c' already"):
        split(made("range"), "c")
    with pytest.raises(UsageError, match="No two partitions meet at 'd'"):
        merged(made("range"), "d")
    with pytest.raises(UsageError, match="moves at the moment"):
        split(moving(), moving().moving[0].low + "1")
    with pytest.raises(UsageError, match="knows no weights"):
        first_map("jump", [Member("n1"), Member("n2", weight=2)], 1, 4, ())


def test_a_split_range_can_be_merged_again() -> None:
    now = made("range")
    cut = split(now, "d")
    assert [one.low for one in cut.partitions] == ["", "c", "d", "f", "m"]
    assert cut.partition_at("cz").low == "c"
    assert cut.partition_at("d").low == "d"
    assert [one.low for one in merged(cut, "d").partitions] == [one.low for one in now.partitions]
    with pytest.raises(UsageError, match="Only neighbours with the same owners"):
        merged(now, "f")


# ------------------------------------------------------------------------------------------------------------------ load


@settings(max_examples=cases(60), deadline=None)
@given(seed=st.integers(0, 1 << 32), skew=st.floats(0.0, 1.5))
def test_nodes_end_within_the_bound_as_far_as_partitions_allow(seed: int, skew: float) -> None:
    random, now = Random(seed), made(members=4, partitions=32)
    loads = {one.low: random.random() / (number + 1) ** skew for number, one in enumerate(now.partitions)}
    for _ in range(40):
        after = rebalanced(now, loads)
        if after is None:
            break
        check_whole(after)
        now = carried_out(after)[-1]
    has = {name: sum(loads[one.low] for one in now.partitions if one.owners[0] == name) for name in now.names}
    mean = sum(loads.values()) / 4
    largest = max(loads.values())
    assert max(has.values()) <= max(1.25 * mean, mean + largest) / 0.9


def test_a_partition_that_is_too_much_alone_stays() -> None:
    now = made(members=3, partitions=12)
    assert rebalanced(now, {now.partitions[0].low: 100.0}) is None


def test_a_node_gives_away_what_brings_it_furthest_down() -> None:
    now = made(members=3, partitions=12)
    mine = [one.low for one in now.partitions if one.placed == now.partitions[0].placed]
    loads = {**dict.fromkeys((one.low for one in now.partitions), 0.0), mine[0]: 6.0, mine[1]: 4.0, mine[2]: 1.0}
    after = rebalanced(now, loads)
    assert after is not None
    has = sorted(sum(loads[one.low] for one in after.partitions if one.placed[0] == name) for name in after.names)
    assert has == [1.0, 4.0, 6.0]


def test_nothing_moves_without_need() -> None:
    now = made("range", members=2)
    assert rebalanced(now, dict.fromkeys((one.low for one in now.partitions), 1.0)) is None
    assert rebalanced(now, {}) is None


def test_zones_stay_distinct_when_load_moves_a_partition() -> None:
    now = made(members=6, replicas=2, zones=3, partitions=24)
    zones = {member.name: member.zone for member in now.members}
    busy = now.partitions[0].placed[0]
    loads = {one.low: 10.0 if one.placed[0] == busy else 1.0 for one in now.partitions}
    after = rebalanced(now, loads)
    assert after is not None
    assert all(len({zones[name] for name in one.placed}) == 2 for one in after.partitions)


def test_the_hottest_range_is_found_and_goes_to_the_coolest_node() -> None:
    now = made("range")
    loads = {"": 1.0, "c": 20.0, "f": 1.0, "m": 1.0}
    hot = hottest(now, loads, 1.25)
    assert hot is not None
    assert hot.low == "c"
    to = coolest(now, loads, hot.placed)
    assert to not in hot.placed
    assert hottest(now, {"": 0.5, "c": 1.0, "f": 1.0, "m": 0.5}, 1.25) is None
    assert hottest(made(), {"": 5.0}, 1.25) is None  # hashes have no ranges


def test_a_map_travels() -> None:
    now = moving()
    assert msgspec.json.decode(msgspec.json.encode(now), type=PartitionMap) == now
