"""The sockets and other descriptors of processes, as the kernel sees them.

Source: proc(5) and Documentation/networking/proc_net_tcp.rst of the Linux kernel, for `/proc/PID/fd` and `/proc/PID/net/tcp`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

_SOCKET: Final = "socket:["
CLOSE_WAIT: Final = "08"
LISTEN: Final = "0A"
"""States of a `TcpSocket`: the other side has closed the connection and this one has not; it accepts connections."""


@dataclass(frozen=True, kw_only=True)
class Sockets:
    """What a process and all processes below it hold."""

    descriptors: int
    sockets: int
    """Of any kind; one that several of the processes share counts once."""
    abandoned: int
    """Connections that the program accepted and that the other side has closed, but the program has not (CLOSE_WAIT)."""


def sockets_of(pid: int) -> Sockets | None:
    """What a program holds now; None if it is gone or may not be looked at."""
    try:
        below = psutil.Process(pid).children(recursive=True)
        held = list(descriptors_of(pid))
        table = list(tcp_sockets(pid))
    except (OSError, psutil.Error):
        return None
    for process in below:
        with contextlib.suppress(OSError):  # it ended meanwhile
            held += descriptors_of(process.pid)
    inodes = socket_inodes(held)
    listening = {row.port for row in table if row.state == LISTEN and row.inode in inodes}
    return Sockets(
        descriptors=len(held),
        sockets=len(inodes),
        abandoned=sum(row.state == CLOSE_WAIT and row.inode in inodes and row.port in listening for row in table),
    )


def descriptors_of(pid: int) -> Iterator[str]:
    """What each open descriptor of one process refers to. Raises `OSError` if it is gone or may not be looked at."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            yield str(descriptor.readlink())


def is_socket(target: str) -> bool:
    return target.startswith(_SOCKET)


def socket_inodes(targets: Iterable[str]) -> set[str]:
    """The inodes of the sockets among what descriptors refer to."""
    return {target.removeprefix(_SOCKET).rstrip("]") for target in targets if is_socket(target)}


@dataclass(frozen=True)
class TcpSocket:
    """A row of the kernel's table."""

    port: int
    """Its own port."""
    state: str
    inode: str


def tcp_sockets(pid: int) -> Iterator[TcpSocket]:
    """The TCP sockets of a process's network namespace, IPv6 included; none if the process is gone."""
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
            for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
                _number, local, _remote, state, _queues, _timer, _retransmits, _user, _timeout, inode, *_ = line.split()
                yield TcpSocket(int(local.rpartition(":")[2], 16), state, inode)
