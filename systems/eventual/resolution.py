"""The two ways to resolve concurrent writes of a key. Pure: a state and what happens to it give another state."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from systems.eventual.messages import Context, State
from systems.parts.dotted_versions import Siblings, synced, written
from systems.parts.hybrid_clock import HybridClock, Timestamp
from systems.parts.version_vectors import covers


class Resolution(Protocol):
    """The meaning of a key's state. None is the state of a key that was never written."""

    def check(self, seen: Context) -> None:
        """Raises `TooFarAhead` if the context that a client or node sent is not credible."""

    def heard(self, state: State) -> None:
        """Take note of a state that was merged, or read back from disk."""

    def written(self, held: State | None, value: str | None, seen: Context) -> State:
        """The state after a write by a client that has seen this context; None deletes."""

    def merged(self, held: State | None, other: State) -> State:
        """The state of a replica after it has learned another one's. Commutative, associative, idempotent."""

    def values(self, state: State | None) -> list[str]:
        """The values of a key; none if it was deleted."""

    def context(self, state: State | None) -> Context:
        """The context of a client that has seen this state."""

    def covers(self, state: State | None, seen: Context) -> bool:
        """Whether a state includes everything that a client has seen."""

    def counted(self, state: State) -> int:
        """How many writes of this node a state includes, if it counts them."""

    def forgets(self, counted: int) -> None:
        """Give later writes higher counts than this: a tombstone that included this many writes is being dropped."""

    def versions(self, state: State) -> list[tuple[str, str | None]]:
        """Each write in a state: a name of its own, and its value."""

    def imagined(self) -> Resolution:
        """One for writes that are only imagined, at a moment at which wall clocks stand still. They do not change this one."""


class Latest(msgspec.Struct, frozen=True, array_like=True):
    """The last writer's value. A delete is a write of null."""

    stamp: Timestamp
    value: str | None


_NEVER: Final = Latest(Timestamp(), None)


class LastWriterWins:
    """The write with the highest timestamp replaces all others, even those that its client had not seen.

    Timestamps come from hybrid logical clocks: a client that sends them along never loses a write to an earlier one that it
    had seen, even if clocks are wrong. Of two clients that know nothing of each other, one may lose an acknowledged write:
    the one that wrote with the slower clock, even if it wrote later.
    """

    def __init__(self, clock: HybridClock) -> None:
        self._clock = clock

    def check(self, seen: Context) -> None:
        self._clock.check(seen.stamp)

    def heard(self, state: State) -> None:
        self._clock.observe(_latest(state).stamp)

    def written(self, held: State | None, value: str | None, seen: Context) -> State:
        self._clock.observe(seen.stamp)
        return self.merged(held, msgspec.json.encode(Latest(self._clock.now(), value)))

    def merged(self, held: State | None, other: State) -> State:
        return other if held is None else max(held, other, key=_rank)

    def values(self, state: State | None) -> list[str]:
        value = _latest(state).value
        return [] if value is None else [value]

    def context(self, state: State | None) -> Context:
        return Context(stamp=_latest(state).stamp)

    def covers(self, state: State | None, seen: Context) -> bool:
        return _latest(state).stamp >= seen.stamp

    def counted(self, state: State) -> int:
        return 0

    def forgets(self, counted: int) -> None:
        pass

    def versions(self, state: State) -> list[tuple[str, str | None]]:
        latest = _latest(state)
        return [(f"{latest.stamp.time_us}+{latest.stamp.count} of {latest.stamp.node}", latest.value)]

    def imagined(self) -> Resolution:
        return type(self)(self._clock.standing_still())


class KeepSiblings:
    """A write replaces what its client had seen; concurrent values stay side by side. No clock takes part."""

    def __init__(self, actor: str, counted: int = 0) -> None:
        """`actor` is this node's name in version vectors, a new one after each loss of its count; `counted`: see `forgets`."""
        self._actor = actor
        self._forgotten = counted

    def check(self, seen: Context) -> None:
        pass

    def heard(self, state: State) -> None:
        pass

    def written(self, held: State | None, value: str | None, seen: Context) -> State:
        values = () if value is None else (value,)
        return msgspec.json.encode(written(_siblings(held), self._actor, seen.dots, *values, above=self._forgotten))

    def merged(self, held: State | None, other: State) -> State:
        return other if held is None else msgspec.json.encode(synced(_siblings(held), _siblings(other)))

    def values(self, state: State | None) -> list[str]:
        return _siblings(state).values

    def context(self, state: State | None) -> Context:
        return Context(dots=_siblings(state).context)

    def covers(self, state: State | None, seen: Context) -> bool:
        return covers(_siblings(state).context, seen.dots)

    def counted(self, state: State) -> int:
        return _siblings(state).context.get(self._actor, 0)

    def forgets(self, counted: int) -> None:
        self._forgotten = max(self._forgotten, counted)

    def versions(self, state: State) -> list[tuple[str, str | None]]:
        return [(f"{version.dot.count} of {version.dot.node}", version.value) for version in _siblings(state).versions]

    def imagined(self) -> Resolution:
        return self  # a write does not change it


def _latest(state: State | None) -> Latest:
    return _NEVER if state is None else msgspec.json.decode(state, type=Latest)


def _rank(state: State) -> tuple[Timestamp, State]:
    return _latest(state).stamp, state


def _siblings(state: State | None) -> Siblings[str]:
    return Siblings() if state is None else msgspec.json.decode(state, type=Siblings[str])
