"""Ports that cannot collide, and the proof that it is a certain process that listens on one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
_LISTEN: Final = "0A"


@contextmanager
def reserved(count: int) -> Iterator[list[int]]:
    """Ports that nobody else is given until this ends.

    Each is held by a socket that is bound and does not listen: the kernel hands the port to no one else, while a node that
    sets SO_REUSEADDR (as servers do) can listen on it, and connections to a dead node are refused as they should be.
    """
    with ExitStack() as stack:
        ports = []
        for _ in range(count):
            holder = stack.enter_context(socket.socket())
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind((HOST, 0))
            ports.append(holder.getsockname()[1])
        yield ports


def listens(pid: int, port: int) -> bool:
    """Whether this very process has a listening TCP socket (IPv4) on the port, as /proc tells."""
    try:
        inodes = _listening_inodes(Path(f"/proc/{pid}/net/tcp").read_text(), port)
        return bool(inodes) and any(_socket_inode(descriptor) in inodes for descriptor in Path(f"/proc/{pid}/fd").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return False


def _listening_inodes(table: str, port: int) -> set[str]:
    suffix = f":{port:04X}"
    rows = (line.split() for line in table.splitlines()[1:])
    return {row[9] for row in rows if row[3] == _LISTEN and row[1].endswith(suffix)}


def _socket_inode(descriptor: Path) -> str:
    try:
        name = str(descriptor.readlink())
    except FileNotFoundError:
        return ""
    return name[len("socket:[") : -1] if name.startswith("socket:[") else ""
