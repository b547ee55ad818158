"""The map that a node goes by. It never goes back to an earlier one, whatever happens to the node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from harness.node.disk import Disk
from systems.partitioned.bugs import Rules
from systems.partitioned.frames import Damaged, encode_line, lines
from systems.partitioned.partition_map import PartitionMap

FILE: Final = "map"


class KnownMap:
    """A map, and the file that it lies in."""

    def __init__(self, disk: Disk, log: Callable[[str], None], rules: Rules) -> None:
        self._disk = disk
        self._log = log
        self._rules = rules
        self.map: PartitionMap | None = None
        self.failing = False
        """Whether the disk did not take the last map that came."""

    @property
    def epoch(self) -> int:
        return self.map.epoch if self.map else 0

    def open(self) -> None:
        """Read it back. Raises `Damaged` if it is not what it was."""
        self.map = read_map(self._disk)

    def install(self, newer: PartitionMap) -> bool:
        """Go by this map from now on, and after a death as well; whether the disk took it."""
        if self._rules.maps_last:
            try:
                write_map(self._disk, newer)
            except OSError as error:
                self._log(f"the disk did not take the map of epoch {newer.epoch}: {error}")
                self.failing = True
                return False
        self.failing, self.map = False, newer
        return True


def read_map(disk: Disk) -> PartitionMap | None:
    """The map that lies on a disk. Raises `Damaged` if there is one that is not what it was."""
    data = disk.read(FILE)
    if data is None:
        return None
    records, rest_bytes = lines(data)
    if rest_bytes or len(records) != 1:
        raise Damaged("the map is damaged")
    return msgspec.json.decode(records[0], type=PartitionMap)


def write_map(disk: Disk, newer: PartitionMap) -> None:
    """Put it on the disk. Raises `OSError` if that did not take it."""
    disk.replace(FILE, encode_line(msgspec.json.encode(newer)))
