"""Imagined consumers: would a group with a single consumer get messages from all its partitions now, and would one that
settles late, or twice, be told the truth?

Partitions share the consumers of a group, and a wrong rule for which partition comes next may pass over some of them for as
long as others have more messages. That shows only with fewer consumers than partitions, while messages keep arriving at the
other partitions; as soon as they stop, everything is delivered. And few consumers settle right after their lease was ended, or
again because an answer was lost. So now and then a copy of the bus gets this load.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Final

import msgspec

from systems.bus.messages import Command, Expire, Outcome, Settle, Settled, Take
from systems.bus.topics import Partition, Topics

_EVERY: Final = 16
"""The bus is checked once in this many entries."""

_LEASES: Final = 2
"""Within this many leases per partition of the topic, each partition that has messages must have been leased."""


class ImaginedConsumers:
    """Imagines one consumer for each group in turn. It settles all messages, or none; for each that it takes, one arrives. And
    it settles a lease that has been ended, or one that it has settled before."""

    def __init__(self) -> None:
        self._looked_at = 0

    def broken(self, topics: Topics, applied: int) -> str | None:
        """What this bus, which has applied the entries up to an index, would do wrong; None if nothing is found."""
        if abs(applied - self._looked_at) < _EVERY:
            return None
        self._looked_at = applied
        for topic, partitions in topics.partitions.items():
            for group in partitions[0].groups:
                if not _due(partitions, group):
                    continue
                if (why := _told_wrongly(topics, applied, topic, group)) is not None:
                    return why
                if len(_due(partitions, group)) < 2:
                    continue
                for settles in (True, False):
                    if (passed_over := _passed_over(topics, applied, topic, group, settles=settles)) is not None:
                        how = "settles each message" if settles else "settles none"
                        return (
                            f"a single consumer of {group} that {how} would get none from partition {passed_over} of {topic} in"
                            f" {_LEASES * len(partitions)} leases, although some wait there"
                        )
        return None


def _due(partitions: Sequence[Partition], group: str) -> set[int]:
    """The partitions that have messages for a group, and that no consumer has leased."""
    places = [(one, one.groups[group]) for one in partitions]
    return {number for number, (one, place) in enumerate(places) if place.lease is None and place.settled < one.end}


class _Imagined:
    """A copy of a bus, to do something with: nothing happens to that one."""

    def __init__(self, topics: Topics, applied: int) -> None:
        self.topics = copy(topics)
        self.topics.restore(topics.snapshot())
        self.index = applied
        """That of the last entry, which is the number of the lease if the entry gave one."""

    def do(self, command: Command) -> Outcome:
        self.index += 1
        return self.topics.apply(self.index, msgspec.json.encode(command).decode())


def _told_wrongly(topics: Topics, applied: int, topic: str, group: str) -> str | None:
    """Whether a consumer that settles a lease would be told wrongly whether that held. Some message is due."""
    imagined = _Imagined(topics, applied)

    def leased() -> int:
        imagined.do(Take(topic, group, 1))
        return imagined.index

    lease = leased()
    imagined.do(Expire(topic, group, lease))
    if imagined.do(Settle(topic, group, lease)) != Settled(False):
        return f"a consumer of {group} would be told that its lease of {topic} held when that had been ended"
    settle = Settle(topic, group, leased())
    if [imagined.do(settle), imagined.do(settle)] != [Settled(True)] * 2:
        return f"a consumer of {group} that settles a lease of {topic} twice would not be told both times that it held"
    return None


def _passed_over(topics: Topics, applied: int, topic: str, group: str, *, settles: bool) -> int | None:
    imagined = _Imagined(topics, applied)
    partitions, do = imagined.topics.partitions[topic], imagined.do
    due = _due(partitions, group)
    for _ in range(_LEASES * len(partitions)):
        do(Take(topic, group, 1))
        lease = imagined.index
        number = next((number for number, one in enumerate(partitions) if one.groups[group].lease == lease), None)
        if number is None:
            break
        due.discard(number)
        if not due:
            return None
        partitions[number].messages.append("")
        do(Settle(topic, group, lease) if settles else Expire(topic, group, lease))
    return min(due)
