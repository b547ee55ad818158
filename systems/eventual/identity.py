"""Whose disk this is, and under which name its node counts its writes: a file of one line, with a checksum."""

from __future__ import annotations

from random import Random
from typing import Final

import msgspec

from harness.node.disk import Disk
from systems.parts.owner import Owner
from systems.parts.record_log import decode_line, encode_line

IDENTITY: Final = "identity"

_DRAWN_BITS: Final = 48
"""So many bits of a life's number are drawn if the last one is not known, below one that puts it above all counted ones."""


class Identity(msgspec.Struct, frozen=True):
    """A node on its disk. A life ends when what the node had counted in it is lost; a restart does not end it."""

    cluster: str
    node: str
    life: int = 0
    learning: bool = False
    """Whether it has yet to learn from the other replicas what it has lost."""

    @property
    def actor(self) -> str:
        """The node's name in versions: two writes under one name and number would be one version with two values."""
        return f"{self.node}.{self.life}" if self.life else self.node


def find(disk: Disk, cluster: str, node: str) -> Identity | None:
    """Who this disk belongs to; None if it does not say. Raises `OtherNode`."""
    data = disk.read(IDENTITY)
    text = None if data is None else decode_line(data)
    if text is None:
        return None
    found = msgspec.json.decode(text, type=Identity)
    Owner(cluster, node).check(Owner(found.cluster, found.node))
    return found


def next_life(found: Identity | None, cluster: str, node: str, random: Random) -> Identity:
    """Another life of a node that has lost what it had counted; if the last one is not known either, a number is drawn."""
    life = found.life + 1 if found is not None else 1 << _DRAWN_BITS | random.getrandbits(_DRAWN_BITS)
    return Identity(cluster, node, life)


def keep(disk: Disk, identity: Identity) -> None:
    """Write it down, before anything is counted. Raises `OSError`."""
    disk.replace(IDENTITY, encode_line(msgspec.json.encode(identity)))
