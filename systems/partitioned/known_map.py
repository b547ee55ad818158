"""The map that a node uses. The node never goes back to an earlier one, even after a crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from harness.node.disk import Disk
from systems.partitioned.bugs import Rules
from systems.partitioned.frames import encode_line, only_line
from systems.partitioned.partition_map import PartitionMap

FILE: Final = "map"


class KnownMap:
    """A map and its file."""

    def __init__(self, disk: Disk, log: Callable[[str], None], rules: Rules) -> None:
        self._disk = disk
        self._log = log
        self._rules = rules
        self.map: PartitionMap | None = None
        self.failing = False
        """Whether the disk refused the last map that arrived."""

    @property
    def epoch(self) -> int:
        return self.map.epoch if self.map else 0

    def open(self) -> None:
        """Read the map from the disk. Raises `Damaged` if it is not what was written."""
        self.map = read_map(self._disk)

    def install(self, newer: PartitionMap) -> bool:
        """Use this map from now on, also after a crash; whether the disk stored it."""
        if self._rules.maps_last:
            try:
                write_map(self._disk, newer)
            except OSError as error:
                self._log(f"the disk refused the map of epoch {newer.epoch}: {error}")
                self.failing = True
                return False
        self.failing, self.map = False, newer
        return True


def read_map(disk: Disk) -> PartitionMap | None:
    """The map on a disk; None if there is none. Raises `Damaged` if it is not what was written."""
    data = disk.read(FILE)
    return None if data is None else msgspec.json.decode(only_line(data, "the map"), type=PartitionMap)


def write_map(disk: Disk, newer: PartitionMap) -> None:
    """Store a map on the disk. Raises `OSError` if the disk fails."""
    disk.replace(FILE, encode_line(msgspec.json.encode(newer)))
