"""Imagined consumers: would a group with a single consumer get messages from all its partitions now?

Partitions share the consumers of a group, and a wrong rule for which partition comes next may pass over some of them for as
long as others have more messages. That shows only with fewer consumers than partitions, while messages keep arriving at the
other partitions; as soon as they stop, everything is delivered. So now and then a copy of the bus gets this load.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Final

import msgspec

from systems.bus.messages import Command, Expire, Settle, Take
from systems.bus.topics import Partition, Topics

_EVERY: Final = 16
"""The bus is checked once in this many entries."""

_LEASES: Final = 2
"""Within this many leases per partition of the topic, each partition that has messages must have been leased."""


class ImaginedConsumers:
    """Imagines one consumer for each group in turn. It settles all messages, or none; for each that it takes, one arrives."""

    def __init__(self) -> None:
        self._looked_at = 0

    def broken(self, topics: Topics, applied: int) -> str | None:
        """The partition that this bus, which has applied the entries up to an index, would pass over; None if there is none."""
        if abs(applied - self._looked_at) < _EVERY:
            return None
        self._looked_at = applied
        for topic, partitions in topics.partitions.items():
            for group in partitions[0].groups:
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


def _passed_over(topics: Topics, applied: int, topic: str, group: str, *, settles: bool) -> int | None:
    imagined = copy(topics)
    imagined.restore(topics.snapshot())
    index, partitions = applied, imagined.partitions[topic]
    due = _due(partitions, group)

    def do(command: Command) -> int:
        nonlocal index
        index += 1
        imagined.apply(index, msgspec.json.encode(command).decode())
        return index

    for _ in range(_LEASES * len(partitions)):
        lease = do(Take(topic, group, 1))
        number = next((number for number, one in enumerate(partitions) if one.groups[group].lease == lease), None)
        if number is None:
            break
        due.discard(number)
        if not due:
            return None
        partitions[number].messages.append("")
        do(Settle(topic, group, lease) if settles else Expire(topic, group, lease))
    return min(due)
