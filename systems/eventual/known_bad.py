"""The broken parts of the eventual store's known bugs. Each differs from the correct part by as little as possible."""

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
    """A hybrid clock that does not advance when it receives a later timestamp: a wall clock."""

    def observe(self, stamp: Timestamp) -> None:
        pass


class OneSiblingKept(KeepSiblings):
    """Keeps only one of several concurrent values."""

    def merged(self, held: State | None, other: State) -> State:
        both = msgspec.json.decode(super().merged(held, other), type=Siblings[str])
        return msgspec.json.encode(Siblings(both.context, both.versions[-1:]))


class UnseenReplaced(KeepSiblings):
    """A write replaces everything that the node holds, whatever its client has seen."""

    def written(self, held: State | None, value: str | None, seen: Context) -> State:
        siblings = Siblings[str]() if held is None else msgspec.json.decode(held, type=Siblings[str])
        values = () if value is None else (value,)
        return msgspec.json.encode(written(siblings, self._actor, siblings.context, *values, above=self._forgotten))


class CountsAnew(KeepSiblings):
    """Forgets with a tombstone how many writes it had counted, so that later ones have counts that were there before."""

    def counted(self, state: State) -> int:
        return 0


# ------------------------------------------------------------------------------------------------------------- replica


class LastArrivalWins(Replica):
    """Replication without versions: a replica keeps whatever arrives last."""

    def arrived(self, held: State | None, state: State, *, fresh: bool) -> State | None:
        return state


class RepairOverwrites(Replica):
    """Repair replaces what the replica holds, even if that is newer."""

    def arrived(self, held: State | None, state: State, *, fresh: bool) -> State | None:
        return super().arrived(held if fresh else None, state, fresh=fresh)


class SkipsDeleted(Replica):
    """Repair brings values, and no tombstones."""

    def arrived(self, held: State | None, state: State, *, fresh: bool) -> State | None:
        return super().arrived(held, state, fresh=fresh) if fresh or self.resolution.values(state) else held


class TreeOfFirstStates(Replica):
    """A key's entry in the Merkle tree never changes."""

    def __init__(self, *parts: object, **more: object) -> None:
        super().__init__(*parts, **more)  # type: ignore[arg-type]
        self._indexed: set[str] = set()

    def index(self, key: str, state: State | None) -> None:
        if key not in self._indexed:
            super().index(key, state)
        self._indexed.add(key)


class ForgetsEarly(Graves):
    """Drops tombstones after a time, even if some replicas have not had them."""

    def forgettable(self, now_s: float) -> list[str]:
        return [key for key, grave in self._graves.items() if now_s - grave.since_s > self._grace_s]


# ------------------------------------------------------------------------------------------------ replication and repair


class DropsOnReconnect(Replicator):
    """Drops all hints for a peer when the connection to it fails."""

    def failed(self, peer: Peer, hints: list[Hint[State]]) -> None:
        for hint in self._outbox.oldest(peer.name, 1_000_000):
            self._outbox.delivered(peer.name, hint, self._clock())


class ReplaysHints(Replicator):
    """Replays a hint as a new write of its value."""

    async def hand_over(self, peer: Peer, hints: list[Hint[State]]) -> bool:
        resolution = self._replica.resolution
        states = {
            hint.key: resolution.written(None, next(iter(resolution.values(hint.what)), None), Context()) for hint in hints
        }
        if await peer.store(list(states), states.get, fresh=True) is None:
            return False
        for hint in hints:
            self._outbox.delivered(peer.name, hint, self._clock())
        return True


class AcknowledgesWithoutRoom(Outbox):
    """Accepts a write even if no queue has room for it."""

    def has_room(self, key: str, beside: Collection[str] = ()) -> bool:
        return True


# --------------------------------------------------------------------------------------------------------- coordination


class SessionsHop(Coordinator):
    """Any replica answers any session."""

    def has_seen(self, state: State | None, seen: Context) -> bool:
        return True


class RepairsByWriting(Coordinator):
    """Read repair writes what another replica held, which may be old by now, as a new value."""

    async def repair(self, key: str) -> None:
        for answer in await asyncio.gather(*(peer.states([key]) for peer in self._peers)):
            for value in self._replica.resolution.values(answer[0]) if answer else ():
                await self._storage.change([Write(key, value, Context())])
                return


# ---------------------------------------------------------------------------------------------------------------- disk


class NoTombstones(Storage):
    """A delete removes the key."""

    def _apply(self, change: Change, states: Changed) -> State | None:
        made = super()._apply(change, states)
        if isinstance(change, Write) and change.value is None:
            states[change.key] = None
        return made


class ShowsFailed(Storage):
    """Shows a write that the disk refused."""

    def settle(self, outcome: Outcome, news: Changed, own: Iterable[str]) -> None:
        self.install(news, own)


class InMemory(Storage):
    """Acknowledges a write when it is in memory."""

    def _write(self, news: Changed, own: Iterable[str]) -> Outcome:
        return "done"


class NotSynced(Files):
    """Acknowledges a write before it is synced."""

    def sync(self, name: str) -> None:
        pass


class ForgetsHints(Files):
    """Forgets all hints at a restart."""

    def load(self, *, existed: bool) -> Found:
        found = super().load(existed=existed)
        return Found(held=found.held, waiting=(), damaged=found.damaged)


class SkipsDamaged(Files):
    """Skips the damaged part of a log, and goes on as if nothing had been there."""

    def load(self, *, existed: bool) -> Found:
        found = super().load(existed=existed)
        if not found.damaged:
            return found
        readable = decode_changes(self._entries.readable())
        held = {key: state for key, state in readable.items() if state is not None}
        self._log(f"skipped the damaged part of {ENTRIES}")
        return Found(held=held, waiting=(), damaged=False)
