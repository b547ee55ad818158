"""Configures a replicated redis-server before each start: which master it replicates.

When both servers are new, the second one replicates the first. Later a server replicates the one that says it is the master.
If none does, it keeps its role from its configuration file, where `CONFIG REWRITE` stores it.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness.model.system import Address
from harness.node.context import NodeSpec

_ANSWER_S: Final = 0.5


def setup(spec: NodeSpec) -> Sequence[str]:
    """Write the master to the configuration if it changes; returns no arguments, because none are needed."""
    file = Path("redis.conf")
    kept = file.read_text().splitlines() if file.exists() else []
    for name, (host, port) in sorted(spec.peers.items()):
        if name < spec.name if not spec.start else is_master((host, port)):
            kept = [*(line for line in kept if not line.startswith("replicaof")), f"replicaof {host} {port}"]
            break
    file.write_text("".join(f"{line}\n" for line in kept))
    return []


def is_master(address: Address) -> bool:
    """Whether a server says that it is the master; False if it does not answer."""
    try:
        with socket.create_connection(address, timeout=_ANSWER_S) as connection:
            connection.settimeout(_ANSWER_S)
            connection.sendall(b"ROLE\r\n")
            return b"\r\nmaster\r\n" in connection.recv(4096)
    except OSError:
        return False
