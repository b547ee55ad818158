"""The invariant of a partitioned store: what it finds in maps and in what nodes hold."""

from __future__ import annotations

from dataclasses import dataclass, field

from systems.partitioned.invariant import OneOwnerWhoHasIt
from systems.partitioned.messages import Entry, Held, Version
from systems.partitioned.moving import Seen, advanced, first_map, joined
from systems.partitioned.partition_map import PartitionMap
from systems.partitioned.watch import Watch
from systems.parts.partitioning.members import Member

NEW = Entry(Version(1, "n1", 1, 1), "new")


@dataclass
class Holding:
    """What a node holds, as a `Storage` shows it."""

    entries: dict[str, Entry] = field(default_factory=dict)
    opened: bool = True

    def between(self, low: str, high: str | None) -> list[Held]:
        return [Held(place, entry) for place, entry in self.entries.items() if low <= place and (high is None or place < high)]

    def entry(self, place: str) -> Entry:
        return self.entries.get(place, Entry())


def node(now: PartitionMap, held: Holding, acknowledged: dict[str, Entry] | None = None, start: int = 1) -> dict[str, object]:
    return {"map": now, "opened": held.opened, "storage": held, "acknowledged": acknowledged or {}, "start": start}


def test_more_partitions_must_not_move_at_once_than_may() -> None:
    first = first_map("consistent", [Member("n1"), Member("n2")], 1, 32, ())
    now = advanced(joined(first, Member("n3")), Seen(), 3)
    assert now is not None
    assert OneOwnerWhoHasIt().broken({"coordinator": {"map": now, "opened": True, "moves_at_once": 3}}) is None
    told = OneOwnerWhoHasIt().broken({"coordinator": {"map": now, "opened": True, "moves_at_once": 2}})
    assert told == "3 partitions move at once in the map of coordinator, and 2 may"


def test_a_majority_must_have_what_was_read() -> None:
    now = first_map("consistent", [Member("n1"), Member("n2"), Member("n3")], 3, 1, ())
    place = now.position("k")
    having, without = Holding({place: NEW}), Holding()
    of_two = {"n1": node(now, having, {place: NEW}), "n2": node(now, having, {}), "n3": node(now, without, {})}
    assert OneOwnerWhoHasIt().broken(of_two) is None
    of_one = {**of_two, "n2": node(now, without, {})}
    told = OneOwnerWhoHasIt().broken(of_one)
    assert told is not None
    assert "only 1 have it" in told


def test_a_node_must_start_again_with_what_it_had_and_a_new_number() -> None:
    now = first_map("range", [Member("n1"), Member("n2")], 1, 2, ("k",))
    (mine,), (other,) = ([place for place in "ak" if now.partition_at(place).owners == (name,)] for name in ("n1", "n2"))
    looks = OneOwnerWhoHasIt()
    assert looks.broken({"n1": node(now, Holding({mine: NEW, other: NEW}))}) is None
    assert looks.broken({"n1": node(now, Holding(opened=False), start=0)}) is None
    assert looks.broken({"n1": node(now, kept := Holding({mine: NEW}), start=2)}) is None
    assert looks.broken({"n1": node(now, kept, start=2)}) is None
    told = looks.broken({"n1": node(now, Holding(), start=3)})
    assert told == f"n1 started again without {mine}, of which it had version 1 of n1"
    told = looks.broken({"n1": node(now, Holding(), start=3)})
    assert told == "n1 started again as its start 3, after its start 3"


def test_what_was_copied_for_a_move_that_was_given_up_may_be_gone_in_the_next_one() -> None:
    first = first_map("range", [Member("n1")], 1, 2, ("k",))
    moving = advanced(joined(first, Member("n2")), Seen(), 2)
    assert moving is not None
    [to] = moving.moving
    copied = {to.low or "a": NEW}
    given_up = advanced(moving, Seen(down=frozenset({"n2"})), 2)
    assert given_up is not None
    again = advanced(given_up, Seen(), 2)
    assert again is not None
    assert [one.low for one in again.moving] == [to.low]

    def starts_empty(now: PartitionMap) -> str | None:
        looks = OneOwnerWhoHasIt()
        assert looks.broken({"n2": node(moving, Holding(copied))}) is None
        return looks.broken({"n2": node(now, Holding(), start=2)})

    assert starts_empty(again) is None
    assert starts_empty(moving) == f"n2 started again without {next(iter(copied))}, of which it had version 1 of n1"


def test_a_node_must_discard_what_moves_away_from_it() -> None:
    now = first_map("range", [Member("n1"), Member("n2")], 1, 2, ("k",))
    (mine,), (other,) = ([place for place in "ak" if now.partition_at(place).owners == (name,)] for name in ("n1", "n2"))
    assert Watch().broken({"n1": node(now, Holding({mine: NEW}))}) is None
    told = Watch().broken({"n1": node(now, Holding({mine: NEW, other: NEW}))})
    assert told == f"n1 goes by epoch 1 and still holds {other}, which is with n2"
    assert Watch().broken({"n1": node(now, Holding({other: NEW}, opened=False), start=0)}) is None


def test_in_the_end_all_nodes_use_the_same_map() -> None:
    first = first_map("consistent", [Member("n1"), Member("n2")], 1, 2, ())
    newer = joined(first, Member("n3"))
    assert Watch().apart({"n1": node(newer, Holding()), "n2": node(newer, Holding())}) is None
    told = Watch().apart({"n1": node(newer, Holding()), "n2": node(first, Holding())})
    assert told == "n2 uses the map of epoch 1, not 2"
    told = Watch().apart({"n1": node(newer, Holding()), "n2": {**node(newer, Holding()), "map": None}})
    assert told == "n2 uses the map of epoch 0, not 2"


def test_a_node_refuses_what_it_is_about_to_lose_only_while_it_waits_for_its_last_operations() -> None:
    watch, shown = Watch(), node(first_map("consistent", [Member("n1"), Member("n2")], 1, 4, ()), Holding())
    for leaving in ((False, 0), (True, 1), (False, 1), (True, 2), (False, 0)):
        assert watch.broken({"n1": {**shown, "leaving": leaving}}) is None
    told = watch.broken({"n1": {**shown, "leaving": (True, 0)}})
    assert told == "n1 refuses what it is about to lose, and waits for nothing any more"
