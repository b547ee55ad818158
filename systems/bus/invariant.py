"""The invariants of the bus: its group is safe, leases last as long as they should, and each partition gets its turn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final, cast

import msgspec

from systems.bus.imagined import ImaginedConsumers
from systems.bus.messages import Command, Expire
from systems.bus.topics import Topics
from systems.raft.core.core import Core
from systems.raft.invariant import RaftSafety, Shown

_OVERDUE_ELECTIONS: Final = 8
"""A leader goes on to the next lease within 2.5 election timeouts, and there may be several such waits before it ends one."""


class BusSafety:
    """Raft's invariants; no leader ends a lease before it has known it for the lease's whole time, or leads for long after that
    without ending any; and no partition would be passed over for long (see `imagined`).

    A lease that ends too soon shows in a history only if its consumer is late, and then only as a failed call. One that never
    ends shows only if nobody settles it and the node that should end it goes on leading.
    """

    def __init__(self, lease_ms: int, election_ms: int = 400) -> None:
        self._group = RaftSafety()
        self._lease_ms = lease_ms
        self._election_ms = election_ms
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
            watch = self._watches.setdefault(name, _Leases(self._lease_ms, self._election_ms))
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

    def __init__(self, lease_ms: int, election_ms: int) -> None:
        self._lease_ms = lease_ms
        self._election_ms = election_ms
        self._looked_ms = -math.inf
        self._looked_index = 0
        self._not_before_ms: dict[int, float] = {}
        """By lease, the time of the last look before the one that first saw it."""
        self._by_ms: dict[int, float] = {}
        """By lease that is held, `_awake_ms` at the look that first saw it while this node led in this term."""
        self._awake_ms = 0.0
        """For how long it has run: the time between two looks counts for an election timeout at most, since it may have stood
        still and not have got to its leases yet."""
        self._core: Core | None = None
        self._term = 0
        self._acted_ms = 0.0
        """`_awake_ms` when it last began to end a lease."""

    def look(self, core: Core, topics: Topics) -> Iterator[str]:
        """What is wrong by now, if anything."""
        now_ms, log = core.state.now_ms, core.state.log
        self._awake_ms += min(max(now_ms - self._looked_ms, 0), self._election_ms)
        held = list(topics.leases())
        for one in held:
            self._not_before_ms.setdefault(one.lease, self._looked_ms)
        if core.leading is None or core is not self._core or core.term != self._term:
            self._core, self._term, self._by_ms = core, core.term, {}
        self._by_ms = {one.lease: self._by_ms.get(one.lease, self._awake_ms) for one in held}
        if core.leading is not None:
            for index in range(max(self._looked_index, log.base_index) + 1, log.last_index + 1):
                entry = log.entry(index)
                if entry.term != core.term or not entry.data:
                    continue  # another leader decided that
                command = _DECODE(entry.data)
                if isinstance(command, Expire):
                    self._acted_ms = self._awake_ms
                    lasted_ms = now_ms - self._not_before_ms.get(command.lease, -math.inf)
                    if lasted_ms < self._lease_ms - 1:  # these are whole milliseconds
                        yield (
                            f"ends lease {command.lease} of {command.group} at most {lasted_ms:g} ms after it knew of it, and"
                            f" {self._lease_ms} ms are due"
                        )
            for lease, by_ms in self._by_ms.items():
                late_ms = self._awake_ms - max(by_ms + self._lease_ms, self._acted_ms)
                if late_ms > _OVERDUE_ELECTIONS * self._election_ms:
                    yield f"has led and ended no lease for {late_ms:g} ms, although lease {lease} is over"
        self._looked_ms, self._looked_index = now_ms, log.last_index


_DECODE = msgspec.json.Decoder(Command).decode
