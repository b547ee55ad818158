"""A pool of reusable connections to one address, and an account of the connections that an event loop holds open.

A user of a connection always gives it back, whatever became of the exchange, and the pool keeps it or closes it. So a
connection is in use, idle or closed; any other socket has leaked. `Account` has the counts that show this.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary, WeakSet

import msgspec

from harness.http.message import Unreachable
from harness.model.system import Address


class Connection(ABC, asyncio.Protocol):
    """One connection to a server, as a pool sees it."""

    @property
    @abstractmethod
    def reusable(self) -> bool:
        """Whether it is open and has no request in flight."""

    @abstractmethod
    def close(self) -> None:
        """Close it at once, even if data is still to be sent."""


C = TypeVar("C", bound=Connection)


class ConnectionPool(Generic[C]):
    """Connections to an address, as many as are in use at once. Idle ones are kept for reuse."""

    def __init__(self, kind: type[C], address: Address) -> None:
        self._kind = kind
        self._address = address
        self._idle: list[C] = []
        self._account: Account | None = None
        self._closed = False

    async def take(self) -> C:
        """An idle connection, else a new one. Raises `Unreachable` if none can be made."""
        return self.take_idle() or await self.connect()

    def take_idle(self) -> C | None:
        """An idle connection; None if there is none."""
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                self._accounted().taken(self._address)
                return connection
            connection.close()
        return None

    async def connect(self) -> C:
        """A new connection. Raises `Unreachable` if none can be made."""
        account = self._accounted()
        account.taken(self._address)  # while it is being opened it is in use
        try:
            return await self._connect()
        except BaseException:
            account.given_back(self._address)
            raise

    def give_back(self, connection: C) -> None:
        """Return a connection whose exchange is over or was given up."""
        assert self._account is not None  # noqa: S101 - set by `take`
        self._account.given_back(self._address)
        if connection.reusable and not self._closed:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close the idle connections, and those in use when they are given back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    @property
    def address(self) -> Address:
        return self._address

    @property
    def idle(self) -> int:
        """How many connections wait for reuse, without those that the server has closed."""
        return sum(connection.reusable for connection in self._idle)

    def _accounted(self) -> Account:
        if self._account is None:  # not in the constructor, because there may be no loop yet
            self._account = account()
            self._account.pools.add(self)
        return self._account

    async def _connect(self) -> C:
        host, port = self._address
        try:
            _, connection = await asyncio.get_running_loop().create_connection(self._kind, host, port)
        except OSError as error:
            raise Unreachable(f"no connection to {host}:{port}: {error.strerror or error}") from error
        if self._account is not None:
            self._account.opened += 1
        return connection


class OpenConnections(msgspec.Struct, frozen=True, kw_only=True):
    """The connections that an event loop knows of."""

    accepted: int
    """Incoming connections that are open."""
    in_use: int
    """Outgoing connections with an exchange in flight, or being opened for one."""
    idle: int
    """Outgoing connections that wait for reuse …"""
    surplus: int
    """… and how many of these, by address, exceed the most that were ever in use at once, so that nothing can need them."""
    opened: int
    """Outgoing connections opened since the start."""


class Account:
    """The connections that an event loop's servers and pools hold open."""

    def __init__(self) -> None:
        self.accepted = 0
        self.opened = 0
        self.unanswered = 0
        """How many requests were left without an answer by their handler."""
        self.pools: WeakSet[ConnectionPool[Any]] = WeakSet()  # a garbage-collected pool no longer counts
        self._in_use: Counter[Address] = Counter()
        self._most: Counter[Address] = Counter()

    def taken(self, address: Address) -> None:
        self._in_use[address] += 1
        if self._in_use[address] > self._most[address]:
            self._most[address] = self._in_use[address]

    def given_back(self, address: Address) -> None:
        self._in_use[address] -= 1

    def seen(self) -> OpenConnections:
        idle: Counter[Address] = Counter()
        for pool in self.pools:
            idle[pool.address] += pool.idle
        return OpenConnections(
            accepted=self.accepted,
            in_use=self._in_use.total(),
            idle=idle.total(),
            surplus=(idle - self._most).total(),
            opened=self.opened,
        )


_accounts: WeakKeyDictionary[asyncio.AbstractEventLoop, Account] = WeakKeyDictionary()


def account() -> Account:
    """The account of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _accounts.get(loop)
    if found is None:
        found = _accounts[loop] = Account()
    return found
