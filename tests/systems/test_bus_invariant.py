"""Leases that a leader may end, and leases that it may not."""

from __future__ import annotations

import msgspec
import pytest

from systems.bus.invariant import BusSafety
from systems.bus.messages import Append, Command, Expire, Register, Settle, Take
from systems.bus.topics import Topics
from systems.raft.invariant import Shown
from tests.helpers.raft_group import Group

LEASE_MS = 100
LOOK_MS = 10
ELECTION_MS = 50
OVERDUE_MS = 8 * ELECTION_MS


class Bus:
    """A group of three that replicates a bus, looked at every few milliseconds."""

    def __init__(self) -> None:
        self.group = Group("n1", "n2", "n3")
        self.group.elect("n1")
        self._topics = {name: Topics(2, ("billing", "shipping")) for name in self.group.nodes}
        self._applied = dict.fromkeys(self.group.nodes, 0)
        self._invariant = BusSafety(LEASE_MS, ELECTION_MS)
        self.producer = self.do(Register())

    def do(self, command: Command, leader: str = "n1") -> int:
        """Carry out a command; returns its index."""
        entry = self.group.propose(leader, msgspec.json.encode(command).decode())
        return entry.index

    def publish(self, *messages: str) -> None:
        for number, message in enumerate(messages, start=1):
            self.do(Append("orders", message, message, self.producer, number))

    def look(self, *, after_ms: int = LOOK_MS) -> str | None:
        """What is wrong at any look until then."""
        for _ in range(after_ms // LOOK_MS):
            self.group.run(LOOK_MS)
            if (why := self._invariant.broken(self._shown())) is not None:
                return why
        return None

    def _shown(self) -> dict[str, Shown]:
        for name, node in self.group.nodes.items():
            log = node.core.state.log
            for index in range(self._applied[name] + 1, node.applied + 1):
                if data := log.entry(index).data:
                    self._topics[name].apply(index, data)
            self._applied[name] = node.applied
        return {name: shown._replace(machine=self._topics[name]) for name, shown in self.group.shown.items()}


def with_a_lease() -> tuple[Bus, int]:
    bus = Bus()
    bus.publish("a", "b", "c", "d")
    assert bus.look(after_ms=50) is None
    lease = bus.do(Take("orders", "billing", 1))
    assert bus.look(after_ms=50) is None
    return bus, lease


def test_a_lease_is_ended_after_its_time() -> None:
    bus, lease = with_a_lease()
    assert bus.look(after_ms=LEASE_MS) is None
    bus.do(Expire("orders", "billing", lease))
    assert bus.look(after_ms=50) is None


def test_a_lease_that_is_ended_too_soon() -> None:
    bus, lease = with_a_lease()
    bus.do(Expire("orders", "billing", lease))
    assert f"n1 ends lease {lease} of billing at most" in (bus.look() or "")


def test_another_lease_of_the_group_has_a_time_of_its_own() -> None:
    bus, first = with_a_lease()
    second = bus.do(Take("orders", "billing", 1))
    assert bus.look(after_ms=LEASE_MS - 30) is None
    bus.do(Expire("orders", "billing", first))
    assert bus.look() is None
    bus.do(Expire("orders", "billing", second))
    assert f"n1 ends lease {second} of billing" in (bus.look() or "")


def test_a_lease_that_is_never_ended() -> None:
    bus, lease = with_a_lease()
    assert bus.look(after_ms=LEASE_MS + OVERDUE_MS - 100) is None
    assert f"although lease {lease} is over" in (bus.look(after_ms=200) or "")


def test_a_leader_that_ends_one_lease_after_the_other() -> None:
    bus, first = with_a_lease()
    bus.do(Take("orders", "shipping", 1))
    assert bus.look(after_ms=LEASE_MS + OVERDUE_MS - 100) is None
    bus.do(Expire("orders", "billing", first))
    assert bus.look(after_ms=OVERDUE_MS - 100) is None
    bus.group.hand_over("n1", "n2")
    assert bus.look(after_ms=OVERDUE_MS + LEASE_MS - 50) is None  # a new leader gives it its time again
    assert "ended no lease" in (bus.look(after_ms=200) or "")


def test_consumers_settle_as_soon_as_they_like() -> None:
    bus, lease = with_a_lease()
    bus.do(Settle("orders", "billing", lease))
    assert bus.look(after_ms=50) is None


def test_a_new_leader_may_have_known_of_a_lease_before() -> None:
    bus, lease = with_a_lease()
    assert bus.look(after_ms=LEASE_MS) is None
    bus.group.hand_over("n1", "n2")
    assert bus.look(after_ms=50) is None
    assert bus.group.leader == "n2"
    bus.do(Expire("orders", "billing", lease), leader="n2")
    assert bus.look(after_ms=50) is None


def test_a_leader_that_would_pass_partitions_over(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = Bus()
    bus.publish(*"abcdefghijklmnopqrst")
    assert bus.look() is None
    monkeypatch.setattr(Topics, "_next", lambda _, free, group: free[0])
    bus.publish(*"abcdefghijklmnopqrst")
    assert "at n1, a single consumer of billing" in (bus.look() or "")


def test_the_safety_of_the_group_is_a_part_of_it() -> None:
    bus, _ = with_a_lease()
    shown = bus._shown()
    bus._topics["n2"].restore(Topics(2, ("billing", "shipping")).snapshot())
    assert "the state machines of n1 and n2 differ" in (bus._invariant.apart(shown) or "")
    assert bus._invariant.broken({**shown, "n3": shown["n1"]._replace(digest=0)}) is not None
