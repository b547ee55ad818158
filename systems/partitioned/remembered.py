"""What a node must still know after a crash, compared with what a start would find on its disk."""

from __future__ import annotations

from typing import Final

from harness.node.disk import Disk
from systems.partitioned.copying import as_far, move_of
from systems.partitioned.frames import encode_line, only_line
from systems.partitioned.known_map import read_map
from systems.partitioned.partition_map import PartitionMap
from systems.partitioned.storage import Storage

_STARTS: Final = "starts"


def next_start(disk: Disk) -> int:
    """The number of this start, which is on the disk when this returns. Raises `OSError`, and `Damaged`."""
    start = _starts(disk) + 1
    disk.replace(_STARTS, encode_line(b"%d" % start))
    return start


def forgotten(storage: Storage, known: PartitionMap | None, start: int, disk: Disk) -> str | None:
    """What a node that holds this would have forgotten if it started on this disk; None if nothing.

    The disk may have more: what was being written, and what the node has discarded. A node that has not read its own disk yet
    (`start` 0) has nothing to forget.
    """
    if start == 0:
        return None
    if (begun := _starts(disk)) < start:
        return f"start {start} would be followed by start {begun + 1}"
    found_map, found = read_map(disk), Storage(disk, lambda text: None)
    epochs = [0 if one is None else one.epoch for one in (found_map, known)]
    if epochs[0] < epochs[1]:
        return f"it would go back from epoch {epochs[1]} to {epochs[0]}"
    found.open()
    for held in storage.between("", None):
        entry, left = held.entry, found.entry(held.place)
        if left.version < entry.version or (left.version == entry.version and left != entry):
            return (
                f"of {held.place}, it would hold version {left.version.counter} of {left.version.writer} in place of version"
                f" {entry.version.counter} of {entry.version.writer}"
            )
    moving = {(one.low, one.move) for one in known.moving} if known else set()
    for note, text in storage.notes.items():
        if move_of(note) in moving and not as_far(found.notes.get(note), text):
            return f"of the copy {note}, it would have the note {found.notes.get(note)} in place of {text}"
    return None


def _starts(disk: Disk) -> int:
    data = disk.read(_STARTS)
    return 0 if data is None else int(only_line(data, "the number of starts"))
