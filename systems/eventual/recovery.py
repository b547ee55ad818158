"""How a node starts: what it finds on its disk, and under which identity it goes on."""

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
    """What the node holds, and the identity under which it counts writes; both are on the disk when this returns.

    Raises `OtherNode` if the disk is another node's, `OSError` if the disk fails.
    """
    whose = identity.find(disk, cluster, node)
    found = files.load(existed=bool(disk.names()))
    if found.damaged:
        whose = msgspec.structs.replace(identity.next_life(whose, cluster, node, random), learning=True)
        identity.keep(disk, whose)  # before the logs are whole again: a restart must not forget that something is missing
    elif whose is None:
        # An empty disk may have taken the place of one that was lost. There is no way to tell.
        whose = identity.next_life(None, cluster, node, random)
    log(f"counts its writes as {whose.actor}")
    files.write_anew(found.held, found.waiting)
    identity.keep(disk, whose)
    return found, whose
