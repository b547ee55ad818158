"""A node's background work: it delivers what it kept for others, repairs itself, and drops tombstones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from typing import Final

import msgspec

from systems.parts.hints import Hint
from systems.parts.merkle import MerkleTree, Range
from systems.quorum.bugs import Rules
from systems.quorum.messages import Drop, Entry, Keep, Query, ReplicaRequest, Settled, Store, Version
from systems.quorum.operations import Ask
from systems.quorum.peer import Peer
from systems.quorum.placement import Placement
from systems.quorum.protocol import Versions, bare
from systems.quorum.replica import Release
from systems.quorum.storage import Storage

LOOK_EVERY_S: Final = 0.1
"""How often a node looks for work."""

_HANDED_OVER_AT_ONCE: Final = 128
_KEYS_AT_ONCE: Final = 64
_RANGES_AT_ONCE: Final = 64
_FOLDED_AT_ONCE: Final = 128
"""How many keys' digests are updated before requests get their turn."""


@dataclass(frozen=True, kw_only=True)
class Upkeep:
    """One node's background work. Its parts take turns, so that only one of them runs at a time."""

    name: str
    storage: Storage
    peers: Mapping[str, Peer]
    placement: Placement
    versions: Versions
    ask: Ask
    clock: Callable[[], float]
    rules: Rules
    hinted_handoff: bool
    repair_every_s: float | None
    tombstone_grace_s: float | None
    compared: dict[str, int] = field(init=False)
    """How often it has begun to compare itself with each peer."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "compared", dict.fromkeys(self.peers, 0))

    def missed(self, home: str, key: str, entry: Entry) -> None:
        """A replica did not confirm an entry: keep it for that replica."""
        if home != self.name and self.hinted_handoff and self.rules.misses_kept:
            self.storage.ask(Keep(key, entry, home), _ignore)

    async def run(self, digests: Digests) -> None:
        """Run forever."""
        tombstones = Tombstones(self)
        repairs = cycle(self.peers)
        repair_at_s = self.clock()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self.storage.damaged is not None:
                continue
            for name in self.peers:
                self._hand_over(name)
            await digests.fold(tombstones.seen)
            if self.peers and self.repair_every_s is not None and self.clock() >= repair_at_s:
                repair_at_s = self.clock() + self.repair_every_s
                await self._repair(next(repairs), digests)
            if self.tombstone_grace_s is not None:
                tombstones.drop_old(self.tombstone_grace_s)

    def _hand_over(self, name: str) -> None:
        """Send a peer what was kept for it; if it has not answered for a while, only one entry, to see whether it is back."""
        for hint in self.storage.replica.kept_for(name, 1 if self.peers[name].silent else _HANDED_OVER_AT_ONCE):
            entry = hint.what
            if not self.rules.kept_as_written:
                entry = Entry(self.versions.above(self.storage.replica.entry(hint.key).version.counter), entry.value)
            self.ask(name, Store(hint.key, entry), partial(self._handed_over, name, hint))
            if not self.rules.kept_until_taken:
                self.storage.ask(Release(hint.key, hint.what.version, name), _ignore)

    def _handed_over(self, name: str, hint: Hint[Entry], answer: Entry | None) -> None:
        if answer is not None:
            self.storage.ask(Release(hint.key, hint.what.version, name), _ignore)

    async def _repair(self, name: str, digests: Digests) -> None:
        """Copy from a peer the entries of shared keys that are newer than here.

        Nothing is pushed to the peer, which does the same itself.
        """
        if not self.rules.repairs_differences:
            return
        self.compared[name] += 1
        peer, tree = self.peers[name], digests.shared_with(name)
        prefixes, keys = [""], list[str]()
        while prefixes:
            ranges = await peer.ranges(self.name, prefixes[:_RANGES_AT_ONCE])
            if ranges is None:
                return
            del prefixes[:_RANGES_AT_ONCE]
            for theirs in ranges:
                further, differing = tree.compare(theirs)
                prefixes += further
                keys += differing
        while keys:
            found = await peer.entries_of(keys[:_KEYS_AT_ONCE])
            del keys[: len(found) or _KEYS_AT_ONCE]
            for held in found:
                if held.entry.version > self.storage.replica.entry(held.key).version:
                    self.storage.ask(Store(held.key, bare(held.entry)), _ignore)


class Digests:
    """Merkle trees of the versions that a node holds, one for each peer, over the keys that both are responsible for."""

    def __init__(self, name: str, storage: Storage, placement: Placement) -> None:
        self._name = name
        self._storage = storage
        self._placement = placement
        peers = [peer for peer in placement.names if peer != name]
        one = MerkleTree()
        whole = len(placement.homes("")) == len(placement.names)  # then all nodes share all keys
        self._trees = {peer: one if whole else MerkleTree() for peer in peers}

    def shared_with(self, peer: str) -> MerkleTree:
        """The tree of the keys shared with a peer. Raises `KeyError` if there is no such peer."""
        return self._trees[peer]

    def ranges(self, peer: str, prefixes: Sequence[str]) -> list[Range]:
        """The digests of ranges for a peer. Raises `KeyError` if there is no such peer."""
        tree = self._trees[peer]
        return [tree.range(prefix) for prefix in prefixes]

    def cover(self, key: str, entry: Entry) -> bool:
        """Whether the trees have a key's entry as it is."""
        homes, content = self._placement.homes(key), _content(entry)
        return self._name not in homes or all(tree.has(key, content) for peer, tree in self._trees.items() if peer in homes)

    async def fold(self, seen: Callable[[str, Entry], None]) -> None:
        """Update the trees, and call `seen` for each entry that has changed."""
        changed = self._storage.changed
        while changed:
            for _ in range(min(len(changed), _FOLDED_AT_ONCE)):
                key, _ = changed.popitem()
                self._update(key, self._storage.replica.entry(key), seen)
            await asyncio.sleep(0)

    def _update(self, key: str, entry: Entry, seen: Callable[[str, Entry], None]) -> None:
        homes = self._placement.homes(key)
        if self._name not in homes:
            return
        seen(key, entry)
        content = _content(entry)
        for tree in {id(tree): tree for peer, tree in self._trees.items() if peer in homes}.values():
            tree.update(key, content)


def _content(entry: Entry) -> bytes | None:
    """What a digest is computed of."""
    return None if entry.version == Version() else msgspec.json.encode(entry.version)


class Tombstones:
    """The tombstones that this node is responsible for dropping everywhere: it is the first home of their keys.

    A tombstone may be dropped when all homes hold it, so that no older entry can come back from one of them, and no node keeps
    an older entry for another one. A home may drop it later than the others, or the message may be lost: then reads or repairs
    give the tombstone to the others again, and it is dropped once more. A write in between chooses a version above it, since
    the counter of dropped keys is remembered (`Entry.floor`).

    This assumes that no older message or operation is still in flight after the grace period.
    """

    def __init__(self, upkeep: Upkeep) -> None:
        self._upkeep = upkeep
        self._since_s: dict[str, tuple[Version, float]] = {}

    def seen(self, key: str, entry: Entry) -> None:
        """An entry has changed."""
        upkeep = self._upkeep
        droppable = upkeep.tombstone_grace_s is not None and entry.value is None and entry.version != Version()
        if droppable and (upkeep.placement.first(key) == upkeep.name or not upkeep.rules.tombstones_wait):
            self._since_s[key] = (entry.version, upkeep.clock())
        else:
            self._since_s.pop(key, None)

    def drop_old(self, grace_s: float) -> None:
        """Try to drop each tombstone that is old enough; if it cannot be dropped yet, try again later."""
        now_s = self._upkeep.clock()
        for key, (version, since_s) in list(self._since_s.items()):
            if now_s - since_s >= grace_s:
                self._since_s[key] = (version, now_s)
                self._drop(key, version)

    def _drop(self, key: str, version: Version) -> None:
        homes, names, ask = self._upkeep.placement.homes(key), self._upkeep.placement.names, self._upkeep.ask
        if not self._upkeep.rules.tombstones_wait:
            ask(self._upkeep.name, Drop(key, version), _ignore)
            return
        questions: list[tuple[str, ReplicaRequest]] = [(home, Query(key)) for home in homes]
        questions += [(name, Settled(key, version)) for name in names]
        left = len(questions)

        def answered(answer: Entry | None) -> None:
            nonlocal left
            if answer is not None and answer.version == version:
                left -= 1
                if left == 0:
                    for home in homes:
                        ask(home, Drop(key, version), _ignore)

        for name, question in questions:
            ask(name, question, answered)


def _ignore(answer: Entry | None) -> None:
    """Ignore the answer: what failed is done again if necessary."""
