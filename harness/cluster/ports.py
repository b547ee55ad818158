"""Reserve ports so that they cannot collide, and verify that a given process listens on a port."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.cluster.sockets import LISTEN, descriptors_of, socket_inodes, tcp_sockets
from harness.model.errors import UsageError
from harness.model.system import CLIENT, Address, Link, Node

HOST: Final = "127.0.0.1"
_TRIES: Final = 100


@contextmanager
def reserved(count: int) -> Iterator[list[int]]:
    """Ports that no other process gets until this ends.

    Each is held by a socket that is bound but does not listen: the kernel gives the port to no other process, yet a node that
    sets SO_REUSEADDR (as servers do) can listen on it, and connections to a dead node are refused, as they should be.
    """
    with ExitStack() as stack:
        yield [_held(stack, (HOST, 0)) for _ in range(count)]


def check_free(port: int, option: str) -> None:
    """Raise `UsageError` if nothing can listen on this port, which `option` asked for."""
    with ExitStack() as stack:
        try:
            _held(stack, (HOST, port))
        except OSError as error:
            raise UsageError(
                f"{option} {port}: cannot listen on {HOST}:{port}: {error.strerror}. Choose another port."
            ) from error


def _held(stack: ExitStack, address: Address) -> int:
    """Bind a socket for as long as the stack lasts and return its port. Raises `OSError` if the address is in use."""
    holder = stack.enter_context(socket.socket())
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(address)
    return int(holder.getsockname()[1])


@contextmanager
def _reserved_on(hosts: Sequence[str]) -> Iterator[int]:
    """A port that no other process gets on any of these loopback addresses. Raises `OSError` if there is none."""
    for left in reversed(range(_TRIES)):
        with ExitStack() as stack:
            port = _held(stack, (hosts[0], 0))
            try:
                for host in hosts[1:]:
                    _held(stack, (host, port))
            except OSError:
                if not left:
                    raise
                continue
            yield port
            return


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The ports of a run's nodes, and the ports of links that cannot be chosen freely."""

    own: Mapping[str, int]
    """The port of every node, and of the load generator (`CLIENT`)."""
    internal: Mapping[str, int]
    """The port for other nodes, of each node that has one. Links from other nodes use the same port, each on its source's own
    address."""
    _sources: Mapping[str, str]

    @classmethod
    @contextmanager
    def reserved(cls, nodes: Sequence[Node]) -> Iterator[Ports]:
        names = [*(node.name for node in nodes), CLIENT]
        internal = [node.name for node in nodes if node.internal]
        sources = {node.name: f"127.0.1.{number}" for number, node in enumerate(nodes, start=1) if internal}
        with ExitStack() as stack:
            yield cls(
                own=dict(zip(names, stack.enter_context(reserved(len(names))), strict=True)),
                internal={name: stack.enter_context(_reserved_on([HOST, *sources.values()])) for name in internal},
                _sources=sources,
            )

    def upstream(self, link: Link) -> int:
        """The port of a link's target to which the link leads."""
        return self.own[link.target] if link.source == CLIENT else self.internal.get(link.target, self.own[link.target])

    def listen(self, link: Link) -> Address:
        """The address on which a link's proxy must listen; port 0 if any port will do."""
        if link.source == CLIENT or link.target not in self.internal:
            return HOST, 0
        return self._sources[link.source], self.internal[link.target]


def listens(pid: int, port: int) -> bool:
    """Whether this very process, or another of its process group, has a listening TCP socket on the port, by /proc."""
    try:
        # IPv6 included, because such a socket may accept IPv4 connections.
        inodes = {one.inode for one in tcp_sockets(pid) if one.state == LISTEN and one.port == port}
        return bool(inodes) and any(map(inodes.intersection, map(_socket_inodes, _group(pid))))
    except (FileNotFoundError, ProcessLookupError):
        return False


def _group(pid: int) -> Iterator[int]:
    """A process, then the others of its group: a script may start the program, or a child of the program may listen."""
    yield pid
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(pid):
            with suppress(ProcessLookupError):
                if os.getpgid(int(entry.name)) == pid:
                    yield int(entry.name)


def _socket_inodes(pid: int) -> set[str]:
    with suppress(FileNotFoundError, ProcessLookupError, PermissionError):  # it has ended, or belongs to another user
        return socket_inodes(descriptors_of(pid))
    return set()
