"""A worker's connections: opened, free for the next call or not, given up after a timeout, reopened."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections import deque
from collections.abc import Iterator
from typing import Final

from harness.http.responses import ResponseParser
from harness.model.system import Address
from workloads.load.engine.schedule import Times
from workloads.load.engine.tally import UNKNOWN, Tally

_RETRY_NS: Final = 50_000_000
"""The pause after an attempt to connect that failed."""
_now = time.monotonic_ns


class Connection:
    """A socket with its calls in progress, oldest first."""

    __slots__ = ("open", "parser", "runs", "since_ns", "socket", "unsent", "used", "which")

    def __init__(self, opened: socket.socket) -> None:
        self.socket = opened
        self.open = False
        self.used = False
        """Whether a call was ever sent over it."""
        self.since_ns = _now()
        self.which: list[int] = []
        """Which exchange each call uses."""
        self.runs: deque[tuple[Times, int]] = deque()
        """The calls that were sent together: when each was due, and when they were sent."""
        self.parser = ResponseParser()
        self.unsent = b""

    def take(self, count: int) -> Iterator[tuple[Times, int]]:
        """Remove the `count` oldest calls, which are over; yields their runs, of the last one perhaps only a part."""
        runs = self.runs
        while count:
            dues, sent_ns = runs.popleft()
            if len(dues) > count:
                runs.appendleft((dues[count:], sent_ns))
                dues = dues[:count]
            count -= len(dues)
            yield dues, sent_ns


class Connections:
    """`count` connections to one server, kept open. `free` ones have room for a call, the next to be used first."""

    def __init__(self, epoll: select.epoll, tally: Tally, address: Address, count: int, depth: int, timeout_ns: int) -> None:
        self._epoll, self._tally, self._address = epoll, tally, address
        self._depth, self._timeout_ns = depth, timeout_ns
        self.free: deque[Connection] = deque()
        self.free_ns = 0
        """Since when there has always been a free one."""
        self.refused = ""
        """Why the last attempt to connect failed."""
        self._by_fd: dict[int, Connection] = {}
        self._retries: deque[int] = deque()
        """When each failed attempt failed."""
        for _ in range(count):
            self._connect()

    def get(self, fd: int) -> Connection | None:
        return self._by_fd.get(fd)

    @property
    def connecting(self) -> bool:
        return any(not connection.open for connection in self._by_fd.values())

    @property
    def unreachable(self) -> bool:
        """Whether there is no connection and none being opened."""
        return not self._by_fd

    @property
    def under_way(self) -> bool:
        return any(connection.which for connection in self._by_fd.values())

    def connected(self, connection: Connection) -> None:
        """The kernel has finished an attempt to connect."""
        if code := connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._give_up(connection, os.strerror(code))
            return
        connection.open = True
        self._epoll.modify(connection.socket, select.EPOLLIN)
        self.give(connection)

    def give(self, connection: Connection) -> None:
        """A connection that was not free has room again."""
        if not self.free:
            self.free_ns = _now()
        self.free.append(connection)

    def sent(self, connection: Connection) -> None:
        """The first free connection has been used: it goes last, or is no longer free."""
        connection.used = True
        if self.free and self.free[0] is connection:
            if connection.unsent or len(connection.which) >= self._depth:
                self.free.popleft()
            else:
                self.free.rotate(-1)

    def unsent(self, connection: Connection, rest: bytes) -> None:
        """The kernel has no room for the rest of what should be sent."""
        connection.unsent = rest
        self._epoll.modify(connection.socket, select.EPOLLIN | select.EPOLLOUT)

    def send_rest(self, connection: Connection) -> None:
        try:
            count = connection.socket.send(connection.unsent)
        except BlockingIOError:
            return
        except OSError as error:
            self.lose(connection, f"connection lost: {error.strerror}")
            return
        connection.unsent = connection.unsent[count:]
        if not connection.unsent:
            self._epoll.modify(connection.socket, select.EPOLLIN)
            if len(connection.which) < self._depth:
                self.give(connection)

    def lose(self, connection: Connection, why: str, others_why: str = "", example: str = "") -> None:
        """Give its calls up as unknown, those after the first for another reason if there is one, and reconnect.

        If the server closed it unused, a pause comes first: one that takes no more connections would get them without end.
        """
        now = _now()
        first = min(1, len(connection.which))
        for count, text in ((first, why), (len(connection.which) - first, others_why or why)):
            for dues, sent_ns in connection.take(count):
                self._tally.ended(UNKNOWN, dues, sent_ns, now, text, example)
        if not connection.used and now - connection.since_ns < _RETRY_NS:
            self._give_up(connection, "the server closes connections at once")
        else:
            self._drop(connection)
            self._connect()

    def sweep(self, now: int) -> None:
        """Give up what has not come in time, and retry what could not be opened."""
        while self._retries and now - self._retries[0] > _RETRY_NS:
            self._retries.popleft()
            self._connect()
        for connection in list(self._by_fd.values()):
            if not connection.open:
                if now - connection.since_ns > self._timeout_ns:
                    self._give_up(connection, "no answer in time")
            elif connection.runs and now - connection.runs[0][1] > self._timeout_ns:
                self.lose(
                    connection,
                    "no answer in time",
                    "given up with its connection, because an earlier call on it had no answer in time",
                )

    def _connect(self) -> None:
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        connection = Connection(socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = connection.socket.connect_ex(self._address)
        self._by_fd[connection.socket.fileno()] = connection
        self._epoll.register(connection.socket, select.EPOLLIN | select.EPOLLOUT)
        if code not in (0, errno.EINPROGRESS):
            self._give_up(connection, os.strerror(code))

    def _give_up(self, connection: Connection, why: str) -> None:
        self.refused = f"cannot connect: {why}"
        self._drop(connection)
        self._retries.append(_now())

    def _drop(self, connection: Connection) -> None:
        del self._by_fd[connection.socket.fileno()]
        connection.socket.close()
        if connection in self.free:
            self.free.remove(connection)
