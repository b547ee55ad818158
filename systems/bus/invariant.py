"""The invariants of the bus: its group is safe, leases last as long as they should, and each partition gets its turn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import cast

import msgspec

from systems.bus.imagined import ImaginedConsumers
from systems.bus.messages import Command, Expire
from systems.bus.topics import Topics
from systems.raft.core.core import Core
from systems.raft.invariant import RaftSafety, Shown


class BusSafety:
    """Raft's invariants; no leader ends a lease before it has known it for the lease's whole time; and no partition would be
    passed over for long (see `imagined`).

    A lease that ends too soon shows in a history only if its consumer is late, and then only as a failed call.
    """

    def __init__(self, lease_ms: int) -> None:
        self._group = RaftSafety()
        self._lease_ms = lease_ms
        self._watches: dict[str, _Leases] = {}
        self._consumers = ImaginedConsumers()

    def broken(self, states: Mapping[str, object]) -> str | None:
        if (why := self._group.broken(states)) is not None:
            return why
        for name, state in states.items():
            if state is None:
                continue
            shown = cast(Shown, state)
            topics = cast(Topics, shown.machine)
            watch = self._watches.setdefault(name, _Leases(self._lease_ms))
            if (why := next(watch.look(shown.core, topics), None)) is not None:
                return f"{name} {why}"
            if shown.core.leading is not None and (why := self._consumers.broken(topics, shown.applied)) is not None:
                return f"at {name}, {why}"
        return None

    def apart(self, states: Mapping[str, object]) -> str | None:
        """What the members of the group, and so their copies of the bus, do not agree about yet."""
        return self._group.apart(states)


class _Leases:
    """The leases that one node has known, by its own clock."""

    def __init__(self, lease_ms: int) -> None:
        self._lease_ms = lease_ms
        self._looked_ms = -math.inf
        self._looked_index = 0
        self._not_before_ms: dict[int, float] = {}
        """By lease, the time of the last look before the one that first saw it."""

    def look(self, core: Core, topics: Topics) -> Iterator[str]:
        """What is wrong by now, if anything."""
        for held in topics.leases():
            self._not_before_ms.setdefault(held.lease, self._looked_ms)
        now_ms, log = core.state.now_ms, core.state.log
        if core.leading is not None:
            for index in range(max(self._looked_index, log.base_index) + 1, log.last_index + 1):
                entry = log.entry(index)
                if entry.term != core.term or not entry.data:
                    continue  # another leader decided that
                command = _DECODE(entry.data)
                if isinstance(command, Expire):
                    lasted_ms = now_ms - self._not_before_ms.get(command.lease, -math.inf)
                    if lasted_ms < self._lease_ms - 1:  # these are whole milliseconds
                        yield (
                            f"ends lease {command.lease} of {command.group} at most {lasted_ms:g} ms after it knew of it, and"
                            f" {self._lease_ms} ms are due"
                        )
        self._looked_ms, self._looked_index = now_ms, log.last_index


_DECODE = msgspec.json.Decoder(Command).decode
