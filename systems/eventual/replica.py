"""A replica in memory: states by key, the Merkle tree over them, and tombstones. Pure: see `storage` for its disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from systems.eventual.graves import Graves
from systems.eventual.messages import State
from systems.eventual.resolution import Resolution
from systems.parts.merkle import MerkleTree


class Replica:
    """The state of each key, as it is on this replica's disk: what it shows must survive a crash."""

    def __init__(self, resolution: Resolution, graves: Graves) -> None:
        self.resolution = resolution
        self.graves = graves
        self.tree = MerkleTree()
        self._states: dict[str, State] = {}

    def state(self, key: str) -> State | None:
        return self._states.get(key)

    def states(self) -> list[tuple[str, State]]:
        return list(self._states.items())

    @property
    def by_key(self) -> Mapping[str, State]:
        """The state of each key, read-only."""
        return self._states

    def arrived(self, held: State | None, state: State, *, fresh: bool) -> State | None:
        """The state of a key after merging one that another replica sent. See `Store.fresh`."""
        if held is None and not fresh and not self.resolution.values(state):
            return None
        return self.resolution.merged(held, state)

    def put(self, key: str, state: State | None, now_s: float) -> None:
        """A key's state is now on the disk, or removed from it. O(log n)."""
        if state is None:
            self._states.pop(key, None)
        else:
            self._states[key] = state
            self.resolution.heard(state)
        if state is None or self.resolution.values(state):
            self.graves.opened(key)
        else:
            self.graves.dug(key, state, now_s)
        self.index(key, state)

    def index(self, key: str, state: State | None) -> None:
        """Keep the tree up to date."""
        self.tree.update(key, state)

    def differing(self, keys: Iterable[str], others: Iterable[State | None]) -> list[tuple[str, State]]:
        """The states of these keys that this replica holds and another one, which holds `others`, lacks."""
        found = []
        for key, other in zip(keys, others, strict=True):
            held = self.state(key)
            if held is not None and (other is None or self.resolution.merged(other, held) != other):
                found.append((key, held))
        return found
