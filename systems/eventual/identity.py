"""The node that owns a disk, and the name under which it counts its writes: a file of one line, with a checksum."""

from __future__ import annotations

from random import Random
from typing import Final

import msgspec

from harness.node.disk import Disk
from systems.parts.owner import Owner
from systems.parts.record_log import decode_line, encode_line

IDENTITY: Final = "identity"

_DRAWN_BITS: Final = 48
"""If the last life's number is unknown, this many bits are drawn, below a bit that puts the number above all counted ones."""


class Identity(msgspec.Struct, frozen=True):
    """A node on its disk. A life begins with an empty disk, or when the node has lost its count of writes."""

    cluster: str
    node: str
    life: int = 0
    learning: bool = False
    """Whether it still has to learn from the other replicas what it lost."""
    forgotten: int = 0
    """The highest count of its own writes in a tombstone that it has dropped: see `systems.parts.dotted_versions`."""

    @property
    def actor(self) -> str:
        """The node's name in versions: two writes under one name and number would be one version with two values."""
        return f"{self.node}.{self.life}" if self.life else self.node


def find(disk: Disk, cluster: str, node: str) -> Identity | None:
    """The owner of this disk; None if the disk does not name one. Raises `OtherNode` if it is another node."""
    data = disk.read(IDENTITY)
    text = None if data is None else decode_line(data)
    if text is None:
        return None
    found = msgspec.json.decode(text, type=Identity)
    Owner(cluster, node).check(Owner(found.cluster, found.node))
    return found


def next_life(found: Identity | None, cluster: str, node: str, random: Random) -> Identity:
    """The next life of a node that has lost its count, or is new; its number is drawn if the last one is unknown."""
    life = found.life + 1 if found is not None else 1 << _DRAWN_BITS | random.getrandbits(_DRAWN_BITS)
    return Identity(cluster, node, life)


def keep(disk: Disk, identity: Identity) -> None:
    """Store the identity; call this before anything is counted. Raises `OSError`."""
    disk.replace(IDENTITY, encode_line(msgspec.json.encode(identity)))
