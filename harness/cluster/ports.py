"""Ports that cannot collide, and the proof that it is a certain process that listens on one."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
_LISTEN: Final = "0A"


@contextmanager
def reserved(count: int) -> Iterator[list[int]]:
    """Ports that no other process is given until this ends.

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
    """Whether this very process, or another of its process group, has a listening TCP socket on the port, as /proc tells."""
    try:
        inodes = _listening_inodes(pid, port)
        return bool(inodes) and any(map(inodes.intersection, map(_socket_inodes, _group(pid))))
    except (FileNotFoundError, ProcessLookupError):
        return False


def _listening_inodes(pid: int, port: int) -> set[str]:
    """Sockets that listen on the port in the network of a process; also those of IPv6, which may take IPv4's connections."""
    suffix = f":{port:04X}"
    tables = (Path(f"/proc/{pid}/net/{name}") for name in ("tcp", "tcp6"))
    rows = (line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:])
    return {row[9] for row in rows if row[3] == _LISTEN and row[1].endswith(suffix)}


def _group(pid: int) -> Iterator[int]:
    """A process, then the others of its group: a program may be started by a script, or leave the listening to a child."""
    yield pid
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(pid):
            with suppress(ProcessLookupError):
                if os.getpgid(int(entry.name)) == pid:
                    yield int(entry.name)


def _socket_inodes(pid: int) -> set[str]:
    found = set()
    with suppress(FileNotFoundError, ProcessLookupError, PermissionError):  # it ended meanwhile, or is somebody else's
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                name = str(descriptor.readlink())
                if name.startswith("socket:["):
                    found.add(name[len("socket:[") : -1])
    return found
