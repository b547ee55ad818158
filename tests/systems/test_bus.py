"""The bus as a state machine: deduplication, delivery and its order, and the contents of a snapshot."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.http.message import BadBody, Request, Response, TransportError
from harness.model.errors import UsageError
from harness.model.system import Answer, Call, CallFailed
from systems.bus import BUGS, Bus
from systems.bus.client import BusClient
from systems.bus.messages import (
    LEASES_PATH,
    PRODUCERS_PATH,
    Append,
    Appended,
    Command,
    Expire,
    Forgotten,
    Outcome,
    Poll,
    Publish,
    Register,
    Registered,
    Settle,
    Settled,
    Take,
    Taken,
)
from systems.bus.topics import Topics
from systems.raft.finding import LeaderFinder
from tests.helpers.effort import cases
from workloads.publications import Publications

GROUPS = ("billing", "shipping")


@pytest.mark.parametrize("most", [0, -1])
def test_a_consumer_must_ask_for_a_message_at_least(most: int) -> None:
    """A lease of none would keep the others away from the partition, and one of fewer would make settled messages due again."""
    with pytest.raises(BadBody, match=">= 1"):  # of which the server makes a 400
        Request("POST", "/topics/orders/billing", body=b'{"most": %d}' % most).decode(Poll)


@dataclass
class World:
    """A bus with one producer."""

    topics: Topics = field(default_factory=lambda: Topics(2, GROUPS))
    index: int = 0
    sequence: int = 0

    def __post_init__(self) -> None:
        registered = self.do(Register())
        assert isinstance(registered, Registered)
        self.producer = registered.producer

    def do(self, command: Command) -> Outcome:
        self.index += 1
        return self.topics.apply(self.index, msgspec.json.encode(command).decode())

    def publish(self, message: str, key: str = "k", *, again: bool = False) -> Outcome:
        self.sequence += not again
        return self.do(Append("orders", key, message, self.producer, self.sequence))

    def take(self, group: str = "billing", most: int = 1) -> Taken:
        taken = self.do(Take("orders", group, most))
        assert isinstance(taken, Taken)
        return taken

    def settle(self, lease: int, group: str = "billing") -> bool:
        settled = self.do(Settle("orders", group, lease))
        assert isinstance(settled, Settled)
        return settled.held

    def received(self, group: str = "billing") -> list[str]:
        """All there is for a group, one after another."""
        found = []
        while (taken := self.take(group)).messages:
            found += taken.messages
            assert self.settle(taken.lease, group)
        return found


def test_every_group_receives_every_message_in_its_order() -> None:
    world = World()
    for number in range(5):
        world.publish(f"m{number}")
    assert world.received("billing") == [f"m{number}" for number in range(5)]
    assert world.received("shipping") == [f"m{number}" for number in range(5)]
    assert world.topics.unsettled() == 0


def test_a_message_that_is_sent_again_is_taken_once() -> None:
    world = World()
    first = world.publish("m")
    assert isinstance(first, Appended)
    assert world.publish("m", again=True) == first
    assert world.received() == ["m"]


def test_a_producer_that_is_not_known_is_told_so() -> None:
    world = World()
    assert world.do(Append("orders", "k", "m", producer=99, sequence=1)) == Forgotten()
    world.publish("m1")
    world.publish("m2")
    assert world.do(Append("orders", "k", "m1", world.producer, 1)) == Forgotten()


def test_what_is_leased_no_other_consumer_gets_until_it_expires() -> None:
    world = World()
    world.publish("m")
    taken = world.take()
    assert taken.messages == ["m"]
    assert world.take() == Taken(0, [], busy=True)
    assert list(world.topics.leases()) == [Expire("orders", "billing", taken.lease)]
    world.do(Expire("orders", "billing", taken.lease))
    again = world.take()
    assert again.messages == ["m"]
    assert not world.settle(taken.lease), "too late: it is another's now"
    assert world.settle(again.lease)
    assert world.settle(again.lease), "asking again gives the same answer"
    assert world.take() == Taken(0, [])


def test_a_consumer_is_told_that_it_settled_however_late_it_asks_again() -> None:
    world = World()
    for number in range(3):
        world.publish(f"m{number}")
    first = world.take()
    assert world.settle(first.lease)
    assert world.received() == ["m1", "m2"]
    assert world.settle(first.lease)


def test_a_group_that_is_behind_does_not_hold_the_other_up_and_loses_nothing() -> None:
    world = World()
    world.publish("m")
    assert world.received("billing") == ["m"]
    assert world.topics.unsettled() == 1
    assert world.received("shipping") == ["m"]
    assert world.topics.unsettled() == 0


@pytest.mark.parametrize("end", [Settle, Expire])
def test_no_partition_waits_for_another_that_always_has_more(end: type[Settle] | type[Expire]) -> None:
    world = World()
    busy, quiet = "busy", next(key for key in map(str, range(9)) if _partition(world, key) != _partition(world, "busy"))
    world.received()
    world.publish("waits", quiet)
    for number in range(9):
        world.publish(f"m{number}", busy)
    taken = []
    for number in range(4):
        lease = world.take()
        taken += lease.messages
        world.do(end("orders", "billing", lease.lease))
        world.publish(f"more{number}", busy)
    assert "waits" in taken[:2]


def _partition(world: World, key: str) -> int:
    appended = world.publish("where", key)
    assert isinstance(appended, Appended)
    return appended.partition


def test_of_an_unknown_group_there_is_nothing() -> None:
    world = World()
    world.publish("m")
    assert world.take("nobody") == Taken(0, [])
    assert not world.settle(1, "nobody")


@settings(max_examples=cases(60), deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("publish"), st.sampled_from("abc")),
            st.tuples(st.sampled_from(["take", "settle", "expire", "snapshot"]), st.sampled_from(GROUPS)),
        ),
        max_size=60,
    )
)
def test_whatever_happens_each_group_settles_every_message_once_and_in_the_order_of_its_key(
    steps: list[tuple[str, str]],
) -> None:
    world, published = World(), list[tuple[str, str]]()
    held: dict[str, Taken] = {}
    settled: dict[str, list[str]] = {group: [] for group in GROUPS}
    for what, who in steps:
        match what:
            case "publish":
                message = f"m{len(published)}"
                published.append((who, message))
                world.publish(message, who)
            case "take":
                taken = world.take(who, most=2)
                if taken.messages:
                    held[who] = taken
            case "settle" if who in held:
                taken = held.pop(who)
                if world.settle(taken.lease, who):
                    settled[who] += taken.messages
            case "expire":
                for lease in list(world.topics.leases()):
                    if lease.group == who:
                        world.do(lease)
            case "snapshot":
                other = Topics(2, GROUPS)
                other.restore(world.topics.snapshot())
                world.topics = other
    for lease in list(world.topics.leases()):
        world.do(lease)
    for group in GROUPS:
        settled[group] += world.received(group)
        for key in "abc":
            own = [message for of, message in published if of == key]
            assert [message for message in settled[group] if message in own] == own


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"groups": ()}, r"Bus\(groups=\[\]\): at least one group"),
        ({"groups": ("a", "a")}, "each of its own name"),
        ({"partitions": 0}, r"Bus\(partitions=0\)"),
        ({"lease_ms": 0}, r"Bus\(lease_ms=0\)"),
        ({"publish_ms": 0}, r"Bus\(publish_ms=0\)"),
        ({"election_ms": 10}, "three heartbeats"),
        ({"bug": "scatered"}, "Did you mean 'scattered'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Bus(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("settings", [{"groups": ()}, {"keys": 0}, {"publishes": 1.0}, {"final_receives": 0}])
def test_a_workload_that_makes_no_sense_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Publications(**settings)  # type: ignore[arg-type]


def received(monkeypatch: pytest.MonkeyPatch, taken: Taken, *, answers_after_s: float) -> Answer:
    """What a consumer receives that tries for 10 ms."""
    monkeypatch.setattr("systems.bus.client.TAKE_S", 0.01)

    async def ask(finder: LeaderFinder, method: str, path: str, body: bytes = b"") -> tuple[str, Response]:
        if path == LEASES_PATH:
            return "n1", Response.json(Settled(held=True))
        await asyncio.sleep(answers_after_s)
        return "n1", Response.json(taken)

    monkeypatch.setattr(LeaderFinder, "ask", ask)

    async def receive() -> Answer:
        client = BusClient(0, [("n1", ("127.0.0.1", 1))])
        try:
            return await client.invoke(Call("receive", "orders/billing"))
        finally:
            await client.close()

    return asyncio.run(receive())


def test_a_consumer_does_not_give_up_a_request_that_may_have_leased_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    assert received(monkeypatch, Taken(1, ["m"]), answers_after_s=0.05) == Answer("m", "n1")


def test_a_consumer_gives_up_after_a_while_if_other_consumers_have_all_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CallFailed, match="nothing was leased"):
        received(monkeypatch, Taken(0, [], busy=True), answers_after_s=0)


def test_a_producer_that_gives_a_message_up_does_not_use_its_number_again(monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[int] = []

    async def ask(finder: LeaderFinder, method: str, path: str, body: bytes = b"") -> tuple[str, Response]:
        if path == PRODUCERS_PATH:
            return "n1", Response.json(Registered(7))
        published.append(msgspec.json.decode(body, type=Publish).sequence)
        if len(published) == 1:
            await asyncio.Event().wait()
        return "n1", Response.json(Appended(0, 0))

    monkeypatch.setattr(LeaderFinder, "ask", ask)

    async def publish_two() -> Answer:
        client = BusClient(0, [("n1", ("127.0.0.1", 1))], publish_s=0.01)
        with pytest.raises(TransportError, match="not acknowledged within"):
            await client.invoke(Call("publish", "orders/k", "1"))
        answer = await client.invoke(Call("publish", "orders/k", "2"))
        await client.close()
        return answer

    assert asyncio.run(publish_two()) == Answer(None, "n1")
    assert published == [1, 2]


def test_every_bug_breaks_another_rule() -> None:
    assert len({bug.variant for bug in BUGS.values()}) == len(BUGS)
