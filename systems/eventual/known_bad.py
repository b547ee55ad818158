"""The broken parts of the eventual store's known bugs. Each differs from the correct one by as little as makes it wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

import msgspec

from systems.eventual.coordinator import Coordinator
from systems.eventual.files import ENTRIES, Files, Found
from systems.eventual.graves import Graves
from systems.eventual.messages import Context, State
from systems.eventual.outbox import Outbox
from systems.eventual.peer import Peer
from systems.eventual.records import decode_changes
from systems.eventual.replica import Replica
from systems.eventual.replication import Replicator
from systems.eventual.resolution import KeepSiblings
from systems.eventual.storage import Change, Changed, Outcome, Storage, Write
from systems.parts.dotted_versions import Siblings, written
from systems.parts.hints import Hint
from systems.parts.hybrid_clock import HybridClock, Timestamp

# ------------------------------------------------------------------------------------------------------------ versions


class DeafClock(HybridClock):
    """A hybrid clock that does not advance on what it receives is a wall clock."""

    def observe(self, stamp: Timestamp) -> None:
        pass


class OneSiblingKept(KeepSiblings):
    """Of values that were written concurrently, one is kept."""

    def merged(self, held: State | None, other: State) -> State:
        both = msgspec.json.decode(super().merged(held, other), type=Siblings[str])
        return msgspec.json.encode(Siblings(both.context, both.versions[-1:]))


class UnseenReplaced(KeepSiblings):
    """A write replaces all that is held where it arrives, whatever its client had seen."""

    def written(self, held: State | None, value: str | None, seen: Context) -> State:
        siblings = Siblings[str]() if held is None else msgspec.json.decode(held, type=Siblings[str])
        values = () if value is None else (value,)
        return msgspec.json.encode(written(siblings, self._actor, siblings.context, *values))


# ------------------------------------------------------------------------------------------------------------- replica


class LastArrivalWins(Replica):
    """Replication without versions: what was sent last is what is held."""

    def arrived(self, held: State | None, state: State, *, fresh: bool) -> State | None:
        return state


class RepairOverwrites(Replica):
    """What comes by repair replaces what is held, also if that is newer."""

    def arrived(self, held: State | None, state: State, *, fresh: bool) -> State | None:
        return super().arrived(held if fresh else None, state, fresh=fresh)


class SkipsDeleted(Replica):
    """Repair brings values, and no tombstones."""

    def arrived(self, held: State | None, state: State, *, fresh: bool) -> State | None:
        return super().arrived(held, state, fresh=fresh) if fresh or self.resolution.values(state) else held


class TreeOfFirstStates(Replica):
    """A key's entry in the Merkle tree stays what it was at first."""

    def __init__(self, *parts: object, **more: object) -> None:
        super().__init__(*parts, **more)  # type: ignore[arg-type]
        self._indexed: set[str] = set()

    def index(self, key: str, state: State | None) -> None:
        if key not in self._indexed:
            super().index(key, state)
        self._indexed.add(key)


class ForgetsEarly(Graves):
    """Tombstones are kept for a time, whoever has yet to hear of them."""

    def forgettable(self, now_s: float) -> list[str]:
        return [key for key, grave in self._graves.items() if now_s - grave.since_s > self._grace_s]


# ------------------------------------------------------------------------------------------------ replication and repair


class DropsOnReconnect(Replicator):
    """What waits for a peer is dropped when the connection to it fails."""

    def failed(self, peer: Peer, hints: list[Hint[State]]) -> None:
        for hint in self._outbox.oldest(peer.name, 1_000_000):
            self._outbox.delivered(peer.name, hint, self._clock())


class ReplaysHints(Replicator):
    """A hint is replayed as a new write of the value that it was left for."""

    async def hand_over(self, peer: Peer, hints: list[Hint[State]]) -> bool:
        resolution = self._replica.resolution
        states = [
            (hint.key, resolution.written(None, next(iter(resolution.values(hint.what)), None), Context())) for hint in hints
        ]
        if not await peer.store(states, fresh=True):
            return False
        for hint in hints:
            self._outbox.delivered(peer.name, hint, self._clock())
        return True


class AcknowledgesWithoutRoom(Outbox):
    """A write is acknowledged also if no queue has room for it."""

    def has_room(self, key: str, beside: Collection[str] = ()) -> bool:
        return True


# --------------------------------------------------------------------------------------------------------- coordination


class SessionsHop(Coordinator):
    """Any replica answers any session."""

    def has_seen(self, state: State | None, seen: Context) -> bool:
        return True


class RepairsByWriting(Coordinator):
    """Read repair writes what another replica had, which may be old by now, as a new value."""

    async def repair(self, key: str) -> None:
        for answer in await asyncio.gather(*(peer.states([key]) for peer in self._peers)):
            for value in self._replica.resolution.values(answer[0]) if answer else ():
                await self._storage.change([Write(key, value, Context())])
                return


# ---------------------------------------------------------------------------------------------------------------- disk


class NoTombstones(Storage):
    """A deleted key is removed."""

    def _apply(self, change: Change, states: Changed) -> State | None:
        made = super()._apply(change, states)
        if isinstance(change, Write) and change.value is None:
            states[change.key] = None
        return made


class ShowsFailed(Storage):
    """A write that the disk did not take can be read all the same."""

    def settle(self, outcome: Outcome, news: Changed, own: Iterable[str]) -> None:
        self.install(news, own)


class InMemory(Storage):
    """What was written is acknowledged when it is in memory."""

    def _write(self, news: Changed, own: Iterable[str]) -> Outcome:
        return "done"


class NotSynced(Files):
    """What was written is acknowledged before it is synced."""

    def sync(self, name: str) -> None:
        pass


class ForgetsHints(Files):
    """What other replicas were yet to be told is not known after a restart."""

    def load(self, *, existed: bool) -> Found:
        found = super().load(existed=existed)
        return Found(held=found.held, waiting=(), damaged=found.damaged)


class SkipsDamaged(Files):
    """What cannot be read of a damaged log is skipped, and the node goes on as if nothing had been there."""

    def load(self, *, existed: bool) -> Found:
        found = super().load(existed=existed)
        if not found.damaged:
            return found
        readable = decode_changes(self._entries.readable())
        held = {key: state for key, state in readable.items() if state is not None}
        self._log(f"what cannot be read of {ENTRIES} is skipped")
        return Found(held=held, waiting=(), damaged=False)
