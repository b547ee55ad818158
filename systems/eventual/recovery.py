"""What a node finds on its disk when it starts, and what it is from then on."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec

from harness.node.disk import Disk
from systems.eventual import identity
from systems.eventual.files import Files, Found
from systems.eventual.identity import Identity


def start(
    disk: Disk, files: Files, cluster: str, node: str, *, random: Random, log: Callable[[str], None]
) -> tuple[Found, Identity]:
    """What is held, and under which name writes are counted; both are on the disk when this returns.

    Raises `OtherNode`, or `OSError` if the disk does not take it.
    """
    whose = identity.find(disk, cluster, node)
    first = not disk.names()
    found = files.load(existed=not first)
    if found.damaged:
        whose = msgspec.structs.replace(identity.next_life(whose, cluster, node, random), learning=True)
        identity.keep(disk, whose)  # before the logs are whole again: that something is missing must not be forgotten
    elif whose is None:
        whose = Identity(cluster, node) if first else identity.next_life(None, cluster, node, random)
    if whose.life:
        log(f"it lost count of its writes once, and counts them as {whose.actor}")
    files.write_anew(found.held, found.waiting)
    identity.keep(disk, whose)
    return found, whose
