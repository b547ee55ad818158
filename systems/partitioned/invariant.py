"""The invariants of all nodes together: each epoch has one map, and the owners have what was acknowledged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast
from weakref import WeakKeyDictionary

from systems.partitioned.messages import Entry, Version
from systems.partitioned.partition_map import Partition, PartitionMap, majority
from systems.partitioned.protocol import Operation
from systems.partitioned.storage import Storage


class OneOwnerWhoHasIt:
    """Invariants of what the nodes and the coordinator show.

    - No epoch stands for two maps.
    - No node goes back to an earlier map, not even after a crash.
    - Every partition has as many distinct owners as there are replicas, and is placed only with members, in different zones.
    - No more partitions move at once than the settings allow.
    - A majority of the owners in the coordinator's map has what was acknowledged, or read. A node that is down is assumed to
      have it: if it is not on the node's disk, another check finds out.
    - A node that restarts has a new start number, and still has what it had of its own partitions.
    - A node that becomes an owner at the end of a move has what was acknowledged before the move began.
    - A version stands for one value, and a write gets only one version, however often its phase starts again.
    """

    def __init__(self) -> None:
        self._maps: dict[tuple[int, str], tuple[str, ...]] = {}
        self._looked_at: dict[str, PartitionMap] = {}
        self._newest: PartitionMap | None = None
        """The newest map that any node has shown. It is in force even if no running node knows it: the coordinator has it."""
        self._acknowledged: dict[str, Entry] = {}
        self._before: dict[str, tuple[Partition, dict[str, Entry]]] = {}
        """By first position, each moving partition, and what was acknowledged when its move was first seen."""
        self._stores: dict[str, tuple[Storage, PartitionMap]] = {}
        """By node, what it held at the last look, and its map then."""
        self._starts: dict[str, int] = {}
        """By node, the number of its latest start."""
        self._chosen: WeakKeyDictionary[Operation, Version] = WeakKeyDictionary()

    def broken(self, states: Mapping[str, object]) -> str | None:
        shown = {name: cast(Mapping[str, object], state) for name, state in states.items()}
        for name, state in shown.items():
            found = cast(PartitionMap | None, state["map"])
            before = self._looked_at.get(name)
            if before is not None and state["opened"] and (found is None or found.epoch < before.epoch):
                return f"{name} went back from epoch {before.epoch} to {found.epoch if found else 'none'}"
            if found is None:
                continue
            if self._newest is None or found.epoch > self._newest.epoch:
                self._newest = found
            if len(found.moving) > (most := cast(int, state.get("moves_at_once", len(found.partitions)))):
                return f"{len(found.moving)} partitions move at once in the map of {name}, and {most} may"
            if (why := self._two_maps(name, found)) is not None:
                return why
        for name, state in shown.items():
            given, writes = cast(int, state.get("versions", 0)), cast(int, state.get("writes", 0))
            if given > writes:
                return f"{name} gave {given} versions to {writes} writes"
            for operation in cast(Iterable[Operation], state.get("running", ())):
                if (chosen := operation.chosen) is None:
                    continue
                if (first := self._chosen.setdefault(operation, chosen.version)) != chosen.version:
                    return f"{name} stores {operation.place} for one operation with {_told(first)} and {_told(chosen.version)}"
            for place, entry in cast(Mapping[str, Entry], state.get("acknowledged", {})).items():
                known = self._acknowledged.get(place)
                if known is None or known.version < entry.version:
                    self._acknowledged[place] = entry
                elif known.version == entry.version and known.value != entry.value:
                    return f"{place} was acknowledged with two values of {_told(entry.version)}"
            if (why := self._lost_at_start(name, state)) is not None:
                return why
        if self._newest is None:
            return None
        return self._arrived_without(self._newest, shown) or self._ownerless(self._newest, shown)

    def _two_maps(self, name: str, found: PartitionMap) -> str | None:
        """Why an epoch stands for two maps, or a map is not one at all."""
        if self._looked_at.get(name) is found:
            return None
        self._looked_at[name] = found
        for one in found.partitions:
            owners = self._maps.setdefault((one.epoch, one.low), (*one.owners, "then", *one.target))
            if owners != (*one.owners, "then", *one.target):
                return f"with the map of {name} the partition from {one.low!r} has two lists of owners in epoch {one.epoch}"
            if len(set(one.owners)) != found.replicas or len(set(one.placed)) != found.replicas:
                return f"the partition from {one.low!r} has owners {one.owners} in epoch {one.epoch}, not {found.replicas}"
            zones = {member.zone for member in found.members if member.zone and member.name in one.placed}
            if found.members[0].zone and len(zones) < found.replicas:
                return f"the partition from {one.low!r} is placed with {one.placed}, which are not all in different zones"
            if not set(one.placed) <= set(found.names):
                return f"the partition from {one.low!r} is placed with {one.placed}, not all of which are members"
        return None

    def _lost_at_start(self, name: str, state: Mapping[str, object]) -> str | None:
        """What a node that has started again no longer has."""
        now, held = cast(PartitionMap | None, state["map"]), cast(Storage | None, state.get("storage"))
        if now is None or held is None or not state["opened"]:
            return None
        (before, known), self._stores[name] = self._stores.get(name, (held, now)), (held, now)
        earlier, start = self._starts.get(name, 0), cast(int, state["start"])
        self._starts[name] = start
        if before is held:
            return None
        if start <= earlier:
            return f"{name} started again as its start {start}, after its start {earlier}"
        for one, high in now.bounded():
            if name in one.owners or name in one.target:
                for had in before.between(one.low, high):
                    # Of a move that was given up meanwhile, it has discarded what it had copied; a later one copies all again.
                    same = name in one.owners or known.partition_at(had.place).move == one.move
                    if same and held.entry(had.place).version < had.entry.version:
                        return f"{name} started again without {had.place}, of which it had {_told(had.entry.version)}"
        return None

    def _arrived_without(self, newest: PartitionMap, shown: Mapping[str, Mapping[str, object]]) -> str | None:
        """A node that has become an owner without having copied everything."""
        for one in newest.partitions:
            moving, entries = self._before.get(one.low, (one, {}))
            if one.target:
                if moving.move != one.move or one.low not in self._before:
                    mine = {place: entry for place, entry in self._acknowledged.items() if newest.partition_at(place) is one}
                    self._before[one.low] = (one, mine)
                continue
            self._before.pop(one.low, None)
            if not moving.target or one.owners != moving.target:
                continue
            for name in moving.arriving:
                storage = cast(Storage | None, shown[name].get("storage")) if name in shown else None
                if storage is None or not storage.opened:
                    continue
                for place, entry in entries.items():
                    if newest.partition_at(place) is one and storage.entry(place).version < entry.version:
                        return f"{name} became an owner of the partition from {one.low!r} without {place}"
        return None

    def _ownerless(self, newest: PartitionMap, shown: Mapping[str, Mapping[str, object]]) -> str | None:
        """An acknowledged write that a majority of the owners does not have."""
        for place, entry in self._acknowledged.items():
            partition: Partition = newest.partition_at(place)
            having = 0
            for name in partition.owners:
                storage = cast(Storage | None, shown[name].get("storage")) if name in shown else None
                if storage is None or not storage.opened:
                    having += 1
                    continue
                held = storage.entry(place)
                if held.version == entry.version and held.value != entry.value:
                    return f"{name} has another value of {place} than was acknowledged with {_told(entry.version)}"
                having += held.version >= entry.version
            if having < majority(partition.owners):
                return (
                    f"{place} was acknowledged with {_told(entry.version)}; of its owners"
                    f" {', '.join(partition.owners)} in epoch {partition.epoch} only {having} have it"
                )
        return None


def _told(version: Version) -> str:
    return f"version {version.counter} of {version.writer}"
