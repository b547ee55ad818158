"""The invariants of all nodes together: each epoch has one map, and the owners have what was acknowledged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from systems.partitioned.messages import Entry
from systems.partitioned.partition_map import Partition, PartitionMap, majority
from systems.partitioned.storage import Storage


class OneOwnerWhoHasIt:
    """Invariants of what the nodes and the coordinator show.

    - No epoch stands for two maps.
    - No node goes back to an earlier map, not even after a crash.
    - Every partition has as many distinct owners as there are replicas, and is placed only with members, in different zones.
    - A majority of the owners in the coordinator's map has what was acknowledged. A node that is down is assumed to have it:
      it is on its disk, or another check finds out.
    """

    def __init__(self) -> None:
        self._maps: dict[tuple[int, str], tuple[str, ...]] = {}
        self._looked_at: dict[str, PartitionMap] = {}
        self._acknowledged: dict[str, Entry] = {}

    def broken(self, states: Mapping[str, object]) -> str | None:
        shown = {name: cast(Mapping[str, object], state) for name, state in states.items()}
        newest: PartitionMap | None = None
        for name, state in shown.items():
            found = cast(PartitionMap | None, state["map"])
            before = self._looked_at.get(name)
            if before is not None and state["opened"] and (found is None or found.epoch < before.epoch):
                return f"{name} went back from epoch {before.epoch} to {found.epoch if found else 'none'}"
            if found is None:
                continue
            if newest is None or found.epoch > newest.epoch:
                newest = found
            if (why := self._two_maps(name, found)) is not None:
                return why
        for state in shown.values():
            for place, entry in cast(Mapping[str, Entry], state.get("acknowledged", {})).items():
                known = self._acknowledged.get(place)
                if known is None or known.version < entry.version:
                    self._acknowledged[place] = entry
        return None if newest is None else self._ownerless(newest, shown)

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

    def _ownerless(self, newest: PartitionMap, shown: Mapping[str, Mapping[str, object]]) -> str | None:
        """An acknowledged write that a majority of the owners does not have."""
        for place, entry in self._acknowledged.items():
            partition: Partition = newest.partition_at(place)
            having = 0
            for name in partition.owners:
                storage = cast(Storage | None, shown[name].get("storage")) if name in shown else None
                having += storage is None or not storage.opened or storage.entry(place).version >= entry.version
            if having < majority(partition.owners):
                return (
                    f"{place} was acknowledged with version {entry.version.counter} of {entry.version.writer}; of its owners"
                    f" {', '.join(partition.owners)} in epoch {partition.epoch} only {having} have it"
                )
        return None
