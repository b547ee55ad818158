"""Ways to divide keys: what all of them promise, as properties; what each one adds; what makes no sense."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import roots
from harness.model.errors import UsageError
from systems.parts.partitioning.bounded import BoundedLoads
from systems.parts.partitioning.consistent import ConsistentHashing
from systems.parts.partitioning.hashing import Hashes, Key, key_hash, key_hashes
from systems.parts.partitioning.jump import Jump
from systems.parts.partitioning.members import Member, Members
from systems.parts.partitioning.multi_probe import multi_probe
from systems.parts.partitioning.placement import HashPlacement
from systems.parts.partitioning.plan import Move, plan
from systems.parts.partitioning.ranges import KeyRange, Ranges, hot_ranges, split_point
from systems.parts.partitioning.rendezvous import Rendezvous
from systems.parts.partitioning.slots import HashSlots
from tests.helpers.effort import cases

Make = Callable[[Members], HashPlacement]

WAYS: dict[str, Make] = {
    "consistent hashing": lambda members: ConsistentHashing(members, virtual_nodes=20),
    "one probe": lambda members: ConsistentHashing(members, virtual_nodes=20, probes=1),
    "multi-probe": multi_probe,
    "rendezvous": Rendezvous,
    "slots": lambda members: HashSlots(members, slots=512),
}
"""Those for which it does not matter in which order nodes came."""
ALL_WAYS: dict[str, Make] = {**WAYS, "jump": lambda members: Jump(members.names)}

names = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), min_size=1, max_size=12, unique=True)
keys = st.lists(st.text(max_size=12) | st.binary(max_size=12) | st.integers(-(2**70), 2**70), min_size=1, max_size=40)

each_way = pytest.mark.parametrize("make", WAYS.values(), ids=WAYS.keys())
each_of_all = pytest.mark.parametrize("make", ALL_WAYS.values(), ids=ALL_WAYS.keys())

STRIDES: dict[str, list[Key]] = {
    "integers": list(range(4000)),
    "multiples of eight": list(range(0, 32_000, 8)),
    "one prefix": [f"user:profile:{number:08}" for number in range(4000)],
    "powers": [number << 32 for number in range(4000)],
    "zero bytes": [b"\0" * number for number in range(4000)],
}


@each_of_all
@given(names=names, keys=keys)
@settings(max_examples=cases(40))
def test_every_key_has_one_owner_and_as_many_distinct_ones_as_there_are_nodes(
    make: Make, names: list[str], keys: list[Key]
) -> None:
    placement = make(Members.named(*names))
    numbers = placement.owners_of(keys)
    for key, number in zip(keys, numbers, strict=True):
        owner = placement.owner(key)
        assert placement.members.names[number] == owner
        owners = placement.owners(key, len(names))
        assert owners[0] == owner
        assert sorted(owners) == sorted(names)


@each_way
@given(names=names, joins=names, keys=keys, leaves=st.integers(0, 12), seed=st.integers(0, 99))
@settings(max_examples=cases(40))
def test_only_keys_of_nodes_that_come_or_go_move(
    make: Make, names: list[str], joins: list[str], keys: list[Key], leaves: int, seed: int
) -> None:
    before = make(Members.named(*names))
    joining = [name for name in joins if name not in names]
    leaving = names[: min(leaves, len(names) + len(joining) - 1)]
    members = before.members.added(*map(Member, joining)).removed(*leaving)
    after = before.with_members(members)
    for key in keys:
        was, now = before.owner(key), after.owner(key)
        assert was == now or was in leaving or now in joining
    in_another_order = [*members.names]
    Random(seed).shuffle(in_another_order)
    again = make(Members.named(*in_another_order))
    assert [again.owner(key) for key in keys] == [after.owner(key) for key in keys]


@each_way
@given(names=names, keys=keys)
@settings(max_examples=cases(30))
def test_who_is_next_in_line_takes_over(make: Make, names: list[str], keys: list[Key]) -> None:
    placement = make(Members.named(*names))
    for key in keys:
        line = placement.owners(key, len(names))
        if len(line) > 1:
            assert placement.with_members(placement.members.removed(line[0])).owners(key, len(line) - 1) == line[1:]


@given(st.integers(0, 2**64 - 1), st.integers(1, 300))
def test_a_key_jumps_only_to_the_node_that_joined_last(hashed: int, buckets: int) -> None:
    small, large = Jump(tuple(map(str, range(buckets)))), Jump(tuple(map(str, range(buckets + 1))))
    was, now = small.members.names[small.number_of(hashed)], large.members.names[large.number_of(hashed)]
    assert now in (was, str(buckets))


@pytest.mark.parametrize("nodes", [3, 100], ids=["few points", "many points"])
@pytest.mark.parametrize("probes", [1, 3])
def test_one_key_and_many_are_looked_up_alike_also_beyond_the_last_point(nodes: int, probes: int) -> None:
    ring = ConsistentHashing(Members.named(*(f"n{number}" for number in range(nodes))), probes=probes)
    keys = np.arange(200_000)
    beyond = keys[key_hashes(keys) > ring._ring[0][-1]]
    assert len(beyond)
    some: list[Key] = [*beyond.tolist(), *range(500), *(f"key {number}" for number in range(500)), b"\0", -1, 2**64 - 1]
    assert [ring.members.names[number] for number in ring.owners_of(some)] == [ring.owner(key) for key in some]
    assert [ring.owners(key, 1)[0] for key in some[:200]] == [ring.owner(key) for key in some[:200]]


@each_of_all
@pytest.mark.parametrize("kind", STRIDES)
def test_alike_keys_spread_as_any_others(make: Make, kind: str) -> None:
    placement = make(Members.named(*(f"n{number}" for number in range(8))))
    assert plan(placement, placement).share == 0
    evenly = np.bincount(placement.owners_of([f"{number}/{number * number}" for number in range(4000)]), minlength=8)
    found = np.bincount(placement.owners_of(STRIDES[kind]), minlength=8)
    assert abs(found - evenly).max() < 8 * np.sqrt(4000 / 8)  # the same arcs, and what chance does


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_a_plan_can_have_very_few_samples(samples: int) -> None:
    placement = Rendezvous(Members.named("a"))
    moved = plan(placement, placement.with_members(Members.named("b")), samples=samples)
    assert moved.moves == (Move("a", "b", 1.0),)
    with pytest.raises(ValueError, match=r"plan\(samples=0\): must be at least 1"):
        plan(placement, placement, samples=0)


@each_of_all
def test_the_share_that_moves_is_near_the_ideal(make: Make) -> None:
    shares = []
    for run in range(20):
        before = make(Members.named(*(f"run{run}-n{number}" for number in range(9))))
        moved = plan(before, before.with_members(before.members.added(Member(f"run{run}-n9"))), samples=1 << 14)
        assert {move.target for move in moved.moves} == {f"run{run}-n9"}
        shares.append(moved.share)
    assert 0.08 < np.mean(shares) < 0.12


def test_consistent_hashing_as_shipped_is_balanced() -> None:
    keys = [f"user:{number}" for number in range(40_000)]
    worst = []
    for run in range(8):
        for size in (8, 9):
            ring = ConsistentHashing(Members.named(*(f"{run}-{number}" for number in range(size))))
            worst.append(np.bincount(ring.owners_of(keys)).max() * size / len(keys))
    assert np.mean(worst) < 1.10


@pytest.mark.parametrize("make", [ConsistentHashing, Rendezvous, HashSlots])
def test_weights_are_kept(make: Make) -> None:
    members = Members((Member("small"), Member("twice", 2), Member("half", 0.5)))
    counts = np.bincount(make(members).owners_of(list(range(30_000))), minlength=3) / 30_000
    shares = dict(zip(members.names, counts, strict=True))
    for name, expected in (("small", 1 / 3.5), ("twice", 2 / 3.5), ("half", 0.5 / 3.5)):
        assert shares[name] == pytest.approx(expected, rel=0.2)


@each_way
@given(key=st.text(max_size=8), zones=st.lists(st.sampled_from("abc"), min_size=3, max_size=12))
@settings(max_examples=cases(30))
def test_replicas_are_in_distinct_zones(make: Make, key: str, zones: list[str]) -> None:
    if make is multi_probe:
        zones = zones[:6]
    placement = make(Members(tuple(Member(f"n{number}", zone=zone) for number, zone in enumerate(zones))))
    zone_of = {member.name: member.zone for member in placement.members.all}
    count = len(placement.members.zones)
    assert len({zone_of[name] for name in placement.owners(key, count)}) == count
    with pytest.raises(UsageError, match=f"there are {count} zones|there are {len(zones)} members"):
        placement.owners(key, count + 1)


def test_points_that_fall_on_one_number_survive_the_removal_of_either(monkeypatch: pytest.MonkeyPatch) -> None:
    def crowded(numbers: Hashes, again: int | Hashes = 0) -> Hashes:
        return np.full_like(numbers, 7)

    monkeypatch.setattr("systems.parts.partitioning.consistent.all_mixed", crowded)
    ring = ConsistentHashing(Members.named("a", "b"), virtual_nodes=3)
    assert {ring.owner(key) for key in range(50)} == {"a"}
    assert ring.owners("x", 2) == ("a", "b")
    assert ring.with_members(ring.members.removed("a")).owner("x") == "b"
    without = ring.with_members(ring.members.removed("b"))
    assert without.owner("x") == "a"
    assert without.with_members(without.members.added(Member("B"))).owners("x", 2) == ("B", "a")


def test_a_ring_made_from_another_one_is_the_ring_made_anew() -> None:
    random, members = Random(3), Members.named(*(f"n{number}" for number in range(30)))
    ring = ConsistentHashing(members)
    for step in range(12):
        ring.owner("x")
        gone = random.sample(ring.members.names, random.randrange(4))
        came = [Member(f"new{step}-{number}", random.choice([1, 2])) for number in range(random.randrange(4))]
        ring = ring.with_members(ring.members.removed(*gone).added(*came))
        anew = ConsistentHashing(ring.members)
        assert (ring.owners_of(range(2000)) == anew.owners_of(range(2000))).all()


# ------------------------------------------------------------------------------------------------------------ hashing


def test_hashes_are_the_same_in_another_process() -> None:
    program = "from systems.parts.partitioning.hashing import key_hash; print(*map(key_hash, ('a', b'a', 7, -7, '7', '')))"
    done = subprocess.run(
        [sys.executable, "-c", program], env={**roots.environment(), "PYTHONHASHSEED": "4"}, capture_output=True, check=True
    )
    assert [int(text) for text in done.stdout.split()] == [key_hash(key) for key in ("a", b"a", 7, -7, "7", "")]
    assert key_hash("a") == key_hash(b"a") == 16629034431890738719  # XXH3 of one byte, as its authors define it
    assert len({key_hash(key) for key in ("7", 7, -7, "", 0)}) == 5


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_an_array_of_integers_hashes_as_each_integer(numbers: list[int]) -> None:
    assert key_hashes(np.array(numbers, np.int64)).tolist() == [key_hash(number) for number in numbers]


# ------------------------------------------------------------------------------------------------------- bounded loads


@given(st.lists(st.integers(0, 5), min_size=1, max_size=300), st.sampled_from([1.05, 1.25, 2.0]), st.integers(1, 9))
@settings(max_examples=cases(50))
def test_no_node_gets_more_than_its_bound_whatever_the_keys(keys: list[int], bound: float, nodes: int) -> None:
    loads = BoundedLoads(ConsistentHashing(Members.named(*map(str, range(nodes))), 20), bound=bound)
    for taken, key in enumerate(keys, start=1):
        loads.take(key)
        assert max(loads.loads.values()) <= np.ceil(bound * taken / nodes)
    assert sum(loads.loads.values()) == len(keys)


def test_a_key_goes_to_its_owner_while_that_has_room_and_back_there_later() -> None:
    ring = ConsistentHashing(Members.named("a", "b", "c"))
    loads = BoundedLoads(ring, bound=1.5)
    line = ring.owners("hot", 3)
    taken = [loads.take("hot") for _ in range(6)]
    assert taken[0] == line[0]
    assert {name: taken.count(name) for name in line} == {line[0]: 3, line[1]: 3, line[2]: 0}
    for name in taken:
        loads.give_back(name)
    assert loads.take("hot") == line[0]
    with pytest.raises(UsageError, match="has no key to give back"):
        loads.give_back(line[1])


# -------------------------------------------------------------------------------------------------------------- ranges


def test_ranges_hold_neighbours_together() -> None:
    ranges = Ranges.at(Members.named("a", "b", "c"), "g", "p")
    assert [ranges.owner(key) for key in ("", "f\U0010ffff", "g", "oz", "p", "zz")] == ["a", "a", "b", "b", "c", "c"]
    assert [one.low for one in ranges.between("h", "p")] == ["g"]
    assert [one.low for one in ranges.between("a", "p\0")] == ["", "g", "p"]
    assert [one.low for one in ranges.between("q")] == ["p"]
    assert ranges.owners("h", 2) == ("b", "c")


def test_a_hot_range_is_found_and_split_where_its_load_halves() -> None:
    ranges = Ranges.at(Members.named("a", "b", "c"), "g", "p")
    loads = {"alice": 1.0, "gina": 2.0, **{f"user{number:02}": 5.0 for number in range(10)}}
    [hot] = hot_ranges(ranges, loads)
    assert hot.owner == "c"
    at = split_point(hot, loads)
    assert at == "user05"
    split = ranges.split(at, "a")
    assert [split.owner(key) for key in ("user04", "user05")] == ["c", "a"]
    assert sum(loads[key] for key in loads if split.owner(key) == "c") == 25
    assert hot_ranges(split, loads, factor=2.5) == ()
    assert split.moved("user07", "c").merge("user05") == ranges
    assert split_point(hot, {"user00": 9.0}) is None


@given(
    st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=3), max_size=12, unique=True),
    st.lists(st.sampled_from("abcdef"), min_size=1, unique=True),
    st.lists(st.sampled_from("abcdef"), min_size=1, unique=True),
    st.lists(st.text(st.characters(codec="utf-8"), max_size=3)),
)
def test_a_change_of_members_moves_only_ranges_of_those_that_go_or_to_those_that_come(
    boundaries: list[str], before: list[str], after: list[str], keys: list[str]
) -> None:
    ranges = Ranges.at(Members.named(*before), *sorted(boundaries))
    changed = ranges.with_members(Members.named(*after))
    for key in keys:
        assert sum(key in one for one in changed.ranges) == 1
        was, now = ranges.owner(key), changed.owner(key)
        assert was == now or was not in after or now not in before
    if set(before) < set(after):
        held = [sum(one.owner == name for one in changed.ranges) for name in after if name not in before]
        assert max(held) <= -(-len(changed.ranges) // len(after)) + 1


# ----------------------------------------------------------------------------------------------------- what makes no sense


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Member(""), "Member without a name|member without a name"),
        (lambda: Member("a", 0), "must be a number above 0"),
        (lambda: Member("a", -1), "must be a number above 0"),
        (lambda: Member("a", float("nan")), "must be a number above 0"),
        (lambda: Members.named("a", "a"), "two members called 'a'"),
        (lambda: Members.named("a").added(Member("a")), "'a' is a member already"),
        (lambda: Members.named("a", "b").removed("c"), "no member 'c'. There are: a, b"),
        (lambda: Members((Member("a", zone="x"), Member("b"))), "'b' has no zone"),
        (lambda: ConsistentHashing(Members()).owner("x"), "no members"),
        (lambda: Rendezvous(Members()).owners_of(["x"]), "no members"),
        (lambda: Jump(()).owners("x", 1), "no members"),
        (lambda: ConsistentHashing(Members.named("a")).owners("x", 2), "there are 1 members"),
        (lambda: ConsistentHashing(Members.named("a")).owners("x", 0), "0 owners of a key"),
        (lambda: ConsistentHashing(Members.named("a"), virtual_nodes=0), "virtual_nodes=0"),
        (lambda: ConsistentHashing(Members.named("a"), probes=0), "probes=0"),
        (lambda: HashSlots(Members.named("a"), slots=100), "a power of two"),
        (lambda: Jump(("a", "b", "c")).removed("a"), "only the node that joined last, not 'a'. That is 'c'"),
        (lambda: Jump(("a", "a")), "two members called 'a'"),
        (lambda: multi_probe(Members((Member("a"), Member("b", 2)))), "cannot show weights"),
        (lambda: BoundedLoads(Rendezvous(Members.named("a")), bound=1), "must be above 1"),
        (lambda: BoundedLoads(Rendezvous(Members())), "no members"),
        (lambda: Ranges.at(Members()), "no members"),
        (lambda: Ranges.at(Members.named("a"), "b", "a"), "has to end after it begins"),
        (lambda: Ranges(Members.named("a"), ()), "without a range"),
        (lambda: _ranges(("", "c"), ("d", None)), "leave a gap"),
        (lambda: _ranges(("", "e"), ("d", None)), "overlap"),
        (lambda: _ranges(("a", None)), "the last one ends with None"),
        (lambda: Ranges(Members.named("a"), (KeyRange("", None, "b"),)), "no member 'b'"),
        (lambda: Ranges.at(Members.named("a"), "g").split("g"), "begins with 'g' already"),
        (lambda: Ranges.at(Members.named("a"), "g").merge("h"), "No two ranges meet at 'h'. They meet at: 'g'"),
        (lambda: Ranges.at(Members.named("a", "b"), "g").merge("g"), "belong to 'a' and 'b'. Move one first"),
    ],
)
def test_what_makes_no_sense_is_one_clear_error(make: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        make()
    assert "\n" not in str(refused.value)


def _ranges(*bounds: tuple[str, str | None]) -> Ranges:
    return Ranges(Members.named("a"), tuple(KeyRange(low, high, "a") for low, high in bounds))
