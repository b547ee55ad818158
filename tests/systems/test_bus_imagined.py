"""Imagined consumers of the bus: rules for the next partition that give each its turn, and rules that pass some over."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pytest

from systems.bus.imagined import ImaginedConsumers
from systems.bus.messages import Append, Command, Register, Settle, Take, Taken
from systems.bus.topics import Partition, Topics

Choice = Callable[[Sequence[Partition], str], Partition]

KEYS = "abcdefghijkl"


def chosen_by(choice: Choice) -> type[Topics]:
    """A bus with another rule for which partition comes next."""
    return type("Chosen", (Topics,), {"_next": lambda _, free, group: choice(free, group)})


class World:
    def __init__(self, kind: type[Topics] = Topics) -> None:
        self.topics = kind(4, ("billing", "shipping"))
        self.index = self.sequence = 0
        self.do(Register())

    def do(self, command: Command) -> object:
        self.index += 1
        return self.topics.apply(self.index, msgspec.json.encode(command).decode())

    def publish(self, keys: str = KEYS, times: int = 2) -> None:
        for key in keys * times:
            self.sequence += 1
            self.do(Append("orders", key, f"m{self.sequence}", 1, self.sequence))

    def take(self, group: str = "billing") -> Taken:
        taken = self.do(Take("orders", group, 1))
        assert isinstance(taken, Taken)
        return taken

    def passed_over(self) -> str | None:
        return ImaginedConsumers().broken(self.topics, self.index)


def test_each_partition_has_its_turn() -> None:
    world = World()
    world.publish()
    assert world.passed_over() is None
    for _ in range(9):
        world.do(Settle("orders", "billing", world.take().lease))
        assert world.passed_over() is None
    world.publish("a", 50)
    assert world.passed_over() is None


def test_what_is_leased_waits_until_the_lease_ends() -> None:
    world = World()
    world.publish()
    held = [world.take().lease for _ in range(3)]
    assert all(held)
    assert world.passed_over() is None
    assert world.take().lease
    assert world.take().busy
    assert world.passed_over() is None


def test_looking_changes_nothing() -> None:
    world = World()
    world.publish()
    world.take()
    before = world.topics.snapshot()
    assert world.passed_over() is None
    assert world.topics.snapshot() == before


def test_it_looks_now_and_then() -> None:
    world = World(chosen_by(lambda free, group: free[0]))
    world.publish()
    consumers = ImaginedConsumers()
    assert consumers.broken(world.topics, world.index) is not None
    assert consumers.broken(world.topics, world.index + 1) is None
    assert consumers.broken(world.topics, world.index + 100) is not None


@pytest.mark.parametrize(
    "choice",
    [
        lambda free, group: free[0],
        lambda free, group: max(free, key=lambda one: len(one.messages)),
        lambda free, group: max(free, key=lambda one: one.end - one.groups[group].settled),
        lambda free, group: max(free, key=lambda one: one.end),
    ],
    ids=["first", "most kept", "furthest behind", "most ever"],
)
def test_a_rule_that_passes_partitions_over(choice: Choice) -> None:
    world = World(chosen_by(choice))
    world.publish()
    assert "a single consumer of billing that settles each message would get none from partition" in (world.passed_over() or "")


def test_messages_that_nobody_settles_hold_no_others_up() -> None:
    world = World(chosen_by(lambda free, group: min(free, key=lambda one: one.groups[group].settled)))
    world.publish()
    assert "a single consumer of billing that settles none would get none from partition" in (world.passed_over() or "")


class CountsEndedAsSettled(Topics):
    def _end(self, topic: str, group: str, lease: int, *, settled: bool) -> bool:
        self._remember(lease)
        return super()._end(topic, group, lease, settled=settled)


class ForgetsWhatWasSettled(Topics):
    def _remember(self, lease: int) -> None:
        pass


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (CountsEndedAsSettled, "a consumer of billing would be told that its lease of orders held when that had been ended"),
        (ForgetsWhatWasSettled, "a consumer of billing that settles a lease of orders twice would not be told both times"),
    ],
)
def test_a_consumer_that_settles_late_or_twice_is_told_the_truth(kind: type[Topics], why: str) -> None:
    world = World(kind)
    world.publish("a", 20)
    assert why in (world.passed_over() or "")
