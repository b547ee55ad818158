"""The bus as a state machine: topics with partitions, and how far each group has come in each of them. No I/O, no time.

A message goes to the partition that its key hashes to, so messages of one key keep their order. Consumers of a group share its
partitions: no other consumer gets what one has leased, and the rest of the partition waits, until the lease is settled or
expires. If it expires, its messages are delivered again, so each message is delivered at least once. A message that every group
has settled is forgotten.

Of the partitions that have messages for a group, the one that was leased longest ago comes first. So each has its turn, even if
another gets messages faster than the group settles them, or has one that no consumer can settle.

A producer numbers its messages, so that one that it sends again is added only once (like Kafka's idempotent producer, KIP-98).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, assert_never

import msgspec
import xxhash

from systems.bus.bugs import CORRECT, Rules
from systems.bus.messages import (
    Append,
    Appended,
    Command,
    Expire,
    Forgotten,
    Outcome,
    Register,
    Registered,
    Settle,
    Settled,
    Take,
    Taken,
)
from systems.parts.sessions import Latest, Sessions

MAX_PRODUCERS: Final = 4096

MAX_SETTLED: Final = 16_384
"""This many settled leases are remembered, the latest ones, so that a consumer that asks again gets the same answer."""


class Place(msgspec.Struct):
    """How far a group has come in a partition."""

    settled: int = 0
    """The offset of the first message that is not settled."""
    lease: int | None = None
    """The lease that holds the messages up to `leased`."""
    leased: int = 0
    last_lease: int = 0
    """The latest lease of this partition, held or ended. Leases are numbered in the order in which they are given."""


class Partition(msgspec.Struct):
    """Messages in order, the first of them at offset `first`; and how far each group has come."""

    groups: dict[str, Place]
    first: int = 0
    messages: list[str] = []

    @property
    def end(self) -> int:
        return self.first + len(self.messages)


class _Kept(msgspec.Struct):
    topics: dict[str, list[Partition]]
    producers: list[tuple[int, Latest[Appended]]]
    settled: list[int]


class Topics:
    """See the module. Every topic has the same number of partitions, and the same groups."""

    def __init__(self, partitions: int, groups: Sequence[str], rules: Rules = CORRECT) -> None:
        self._partitions = partitions
        self._groups = tuple(groups)
        self._rules = rules
        self._topics: dict[str, list[Partition]] = {}
        self._producers: Sessions[Appended] = Sessions(MAX_PRODUCERS)
        self._settled: dict[int, None] = {}
        """Settled leases, the latest one last."""

    def check(self, data: str) -> None:
        """Raise `ValueError` if this is not a command."""
        _DECODE(data)

    def apply(self, index: int, data: str) -> Outcome:
        """Carry out the command of the entry at an index. Raises `ValueError`, with no effect, if it is not a command."""
        match _DECODE(data):
            case Register():
                self._producers.begin(index, Appended(0, 0))
                return Registered(index)
            case Append() as append:
                return self._append(append)
            case Take(topic, group, most):
                return self._take(index, topic, group, most)
            case Settle(topic, group, lease):
                return Settled(self._end(topic, group, lease, settled=True))
            case Expire(topic, group, lease):
                return Settled(self._end(topic, group, lease, settled=False))
            case unreachable:
                assert_never(unreachable)

    def leases(self) -> Iterator[Expire]:
        """For each lease that is held, the command that ends it."""
        for topic, partitions in self._topics.items():
            for group in self._groups:
                held = {partition.groups[group].lease for partition in partitions} - {None}
                yield from (Expire(topic, group, lease) for lease in sorted(lease for lease in held if lease is not None))

    @property
    def partitions(self) -> Mapping[str, Sequence[Partition]]:
        """By topic."""
        return self._topics

    @property
    def sessions(self) -> int:
        """How many producers it knows."""
        return len(self._producers)

    def unsettled(self) -> int:
        """How many messages have not been settled by every group."""
        return sum(partition.end - partition.first for partitions in self._topics.values() for partition in partitions)

    def snapshot(self) -> str:
        topics = self._topics
        if not self._rules.places_in_snapshot:
            fresh = {group: Place() for group in self._groups}
            topics = {name: [Partition(fresh, one.first, one.messages) for one in parts] for name, parts in topics.items()}
        return msgspec.json.encode(_Kept(topics, self._producers.kept(), list(self._settled))).decode()

    def restore(self, data: str) -> None:
        kept = msgspec.json.decode(data, type=_Kept)
        self._topics, self._producers = kept.topics, Sessions(MAX_PRODUCERS, kept.producers)
        self._settled = dict.fromkeys(kept.settled)

    # ------------------------------------------------------------------------------------------------------------ commands

    def _append(self, append: Append) -> Outcome:
        done = self._producers.once(
            append.producer, append.sequence, lambda: self._taken(append), recognized=self._rules.retries_recognized
        )
        return Forgotten() if done is None else done.answer

    def _taken(self, append: Append) -> Appended:
        number = self._partition_of(append)
        partition = self._of(append.topic)[number]
        partition.messages.append(append.message)
        return Appended(number, partition.end - 1)

    def _take(self, lease: int, topic: str, group: str, most: int) -> Outcome:
        if group not in self._groups:
            return Taken(0, [])
        waiting = [one for one in self._of(topic) if one.groups[group].settled < one.end]
        free = [one for one in waiting if one.groups[group].lease is None or not self._rules.leases_exclude]
        if not free:
            return Taken(0, [], busy=bool(waiting))
        partition = self._next(free, group)
        place = partition.groups[group]
        begin = max(place.settled, partition.first)
        place.lease = place.last_lease = lease
        place.leased = min(begin + most, partition.end)
        messages = partition.messages[begin - partition.first : place.leased - partition.first]
        if not self._rules.settled_when_dealt_with:
            self._settle(partition, place)
        return Taken(lease, messages)

    def _next(self, free: Sequence[Partition], group: str) -> Partition:
        """The one that was leased longest ago."""
        return min(free, key=lambda one: one.groups[group].last_lease)

    def _end(self, topic: str, group: str, lease: int, *, settled: bool) -> bool:
        """End a lease; returns whether it was held, or settled before."""
        places = [
            (partition, partition.groups[group]) for partition in self._topics.get(topic, ()) if group in partition.groups
        ]
        for partition, place in places:
            mine = place.lease == lease or (settled and place.lease is not None and not self._rules.late_settling_refused)
            if mine:
                place.lease = None
                if settled:
                    self._settle(partition, place)
                    self._remember(lease)
                return True
        return lease in self._settled

    def _remember(self, lease: int) -> None:
        self._settled[lease] = None
        if len(self._settled) > MAX_SETTLED:
            del self._settled[next(iter(self._settled))]

    def _settle(self, partition: Partition, place: Place) -> None:
        place.settled = place.leased if self._rules.leases_settled_whole else min(place.leased, place.settled + 1)
        reached = [one.settled for one in partition.groups.values()]
        done = (min(reached) if self._rules.kept_for_every_group else max(reached)) - partition.first
        if done > 0:
            partition.first += done
            del partition.messages[:done]

    def _of(self, topic: str) -> list[Partition]:
        if topic not in self._topics:
            places = [{group: Place() for group in self._groups} for _ in range(self._partitions)]
            self._topics[topic] = [Partition(groups, 0, []) for groups in places]
        return self._topics[topic]

    def _partition_of(self, append: Append) -> int:
        text = append.key if self._rules.partitioned_by_key else append.message
        return xxhash.xxh3_64_intdigest(text.encode()) % self._partitions


_DECODE: Final = msgspec.json.Decoder(Command).decode
