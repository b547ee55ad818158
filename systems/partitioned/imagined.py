"""Imagined moments: a map that comes while a node stores something, or discards what is on its way to its disk, and a disk that
does not take what a node copies.

A node that confirms what it stored although the map has changed meanwhile does harm only if others act by that map before the
confirmation counts. A disk refuses the copy of a segment, and takes what empties the old one, only if space becomes free just
in between, or if a sync fails only once. Runs hardly have either, so both are imagined.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, cast

import msgspec

from harness.node.crashpoints import MemoryFiles
from harness.node.disk import Disk
from systems.partitioned.messages import Entry, Held, Refusal, Store, Version
from systems.partitioned.partition_map import PartitionMap
from systems.partitioned.replica import Replica
from systems.partitioned.storage import Storage
from systems.parts.rules import InTurn

_EVERY: Final = 16
"""At one in so many looks, one node is looked at."""

_WRITTEN: Final = Entry(Version(1, "another", 1, 1), "new")


class DiscardsWhatIsOnItsWay:
    """A node that discards a partition keeps nothing of it, not even what is on its way to the disk, and all of the others.

    Something rarely is on its way just then: a write has to come in the same turn of the loop as the map. So it is imagined.
    """

    def __init__(self) -> None:
        self._in_turn = InTurn(_EVERY)

    def broken(self, shown: Mapping[str, Mapping[str, object]]) -> str | None:
        name = self._in_turn.pick(shown, _opened("storage"))
        now = None if name is None else cast(PartitionMap | None, shown[name]["map"])
        if name is None or now is None:
            return None
        bounds = [(one.low, high) for one, high in now.bounded()]
        low, high = bounds[self._in_turn.turn % len(bounds)]
        stays = high if high is not None else bounds[0][0]
        storage = cast(Storage, shown[name]["storage"])
        imagined = storage.imagined([Held(low, Entry()), *([Held(stays, Entry())] if stays != low else [])])
        imagined.forget(low, high)
        coming = {one.place for one in imagined.on_their_way}
        if low in coming or next(iter(imagined.between(low, high)), None) is not None:
            return f"{name} would keep {low!r} if it was on its way to the disk when its partition is discarded"
        if stays != low and stays not in coming:
            return f"{name} would lose {stays!r} if it was on its way to the disk when the partition from {low!r} is discarded"
        return None


class ConfirmsInItsEpoch:
    """A node that stores something for an operation does not confirm it under an epoch that has ended meanwhile.

    The operation would count a node that may not even hold it any more, and the owners by the new map do not know of it.
    """

    def __init__(self) -> None:
        self._in_turn = InTurn(_EVERY)

    def broken(self, shown: Mapping[str, Mapping[str, object]]) -> str | None:
        name = self._in_turn.pick(shown, _opened("replica"))
        now = None if name is None else cast(PartitionMap | None, shown[name]["map"])
        if name is None or now is None:
            return None
        one = now.partitions[self._in_turn.turn % len(now.partitions)]
        meanwhile = _MapComes(now)
        imagined = cast(Replica, shown[name]["replica"]).imagined(meanwhile, meanwhile)
        answering = imagined.answer(Store(one.low, _WRITTEN, one.epoch))
        try:
            answering.send(None)
        except StopIteration as done:
            if isinstance(done.value, Refusal):
                return None
        answering.close()
        return (
            f"{name} would confirm under epoch {one.epoch} what it stored in the partition from {one.low!r}, although that got"
            " another epoch meanwhile"
        )


class EmptiesOnlyWhatIsCopied:
    """A node whose disk does not take the copy of what a segment of its log still holds leaves that segment as it is."""

    def __init__(self) -> None:
        self._in_turn = InTurn(_EVERY)

    def broken(self, shown: Mapping[str, Mapping[str, object]]) -> str | None:
        name = self._in_turn.pick(shown, _opened("storage"))
        if name is None:
            return None
        storage = cast(Storage, shown[name]["storage"])
        refuses = ("append", "sync")[self._in_turn.turn % 2]
        files = _FailsOnce(dict.fromkeys(storage.needed_files, b"as it is"), refuses)
        storage.imagined_cleaning(Disk(files))
        for file in storage.needed_files:
            if files.read(file) != b"as it is":
                return (
                    f"{name} would empty {file} although its disk failed at the {refuses} of the copy of what that still holds"
                )
        return None


def _opened(what: str) -> Callable[[Mapping[str, object]], bool]:
    """Whether a node shows this, as a coordinator does not, and has read what it holds."""
    return lambda state: state.get(what) is not None and bool(state["opened"])


class _MapComes:
    """What a node holds and goes by, if its partitions get their next epochs whenever it has stored something."""

    def __init__(self, now: PartitionMap) -> None:
        self.map = now
        self._held: dict[str, Entry] = {}

    def entry(self, place: str) -> Entry:
        return self._held.get(place, Entry())

    async def put(self, held: Sequence[Held]) -> bool:
        self._held.update((one.place, one.entry) for one in held)
        epoch = self.map.epoch + 1
        partitions = tuple(msgspec.structs.replace(one, epoch=epoch) for one in self.map.partitions)
        self.map = msgspec.structs.replace(self.map, epoch=epoch, partitions=partitions)
        return True

    def between(self, low: str, high: str | None, after: str = "") -> Iterator[Held]:
        return iter(())


class _FailsOnce(MemoryFiles):
    """Files on a disk that fails at the first append, or at the first sync, and takes everything after that."""

    def __init__(self, files: Mapping[str, bytes], fails_at: str) -> None:
        super().__init__(files)
        self._fails_at: str | None = fails_at

    def append(self, name: str, data: bytes) -> None:
        self._fail("append", errno.ENOSPC, name)
        super().append(name, data)

    def sync(self, name: str) -> None:
        self._fail("sync", errno.EIO, name)
        super().sync(name)

    def _fail(self, at: str, number: int, name: str) -> None:
        if self._fails_at == at:
            self._fails_at = None
            raise OSError(number, os.strerror(number), name)
