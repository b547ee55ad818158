"""Connects to an upstream. Several addresses are tried one after another, without a long wait for any of them."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections import deque
from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

from faults.plane import address
from faults.plane.address import AddressError, Endpoint
from faults.plane.descriptors import SHORTAGES
from faults.plane.resolver import Resolver

_STAGGER_S: Final = 0.25
"""The next address is tried if the last one has not answered in this time (RFC 8305, section 5: connection attempt delay)."""

NO_DESCRIPTORS: Final = "no descriptors"
_REASONS: Final = {
    errno.ECONNREFUSED: "refused",
    errno.ETIMEDOUT: "timed out",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTUNREACH: "unreachable",
    **dict.fromkeys(SHORTAGES, NO_DESCRIPTORS),
}


class DialError(Exception):
    """The upstream could not be reached. `reason` is one of a few short texts, for counting; the message has the details."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


async def dial(upstream: str, resolver: Resolver, protocol: asyncio.Protocol) -> None:
    """Connect `protocol` to an upstream. Raises `DialError`."""
    loop = asyncio.get_running_loop()
    try:
        host, port = address.split(upstream)
        hosts = await resolver.hosts(host or address.DEFAULT_HOST)
    except AddressError as error:
        raise DialError("address", f"dial tcp: {error}") from error
    endpoints = [Endpoint(one, port) for one in _alternating(hosts)]
    if len(endpoints) > 1:
        sock = await _first_connected(endpoints)
        try:
            await loop.create_connection(lambda: protocol, sock=sock)
        except BaseException:
            sock.detach()  # uvloop has closed the descriptor; some versions leave the socket object to close it a second time
            raise
        return
    try:
        await loop.create_connection(lambda: protocol, *endpoints[0])
    except OSError as error:
        raise _failure(endpoints[0], error) from error


def _alternating(hosts: Sequence[str]) -> list[str]:
    """Interleave the preferred address family with the other one (RFC 8305, section 4)."""
    preferred = ":" in hosts[0]
    first = [host for host in hosts if (":" in host) is preferred]
    other = [host for host in hosts if (":" in host) is not preferred]
    return [host for pair in zip_longest(first, other) for host in pair if host is not None]


def _failure(endpoint: Endpoint, error: OSError) -> DialError:
    number = error.errno or 0
    return DialError(_REASONS.get(number, "other"), f"dial tcp {endpoint}: {os.strerror(number).lower()}")


async def _connected(endpoint: Endpoint) -> socket.socket:
    try:
        sock = socket.socket(endpoint.family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, endpoint)
        except BaseException:
            sock.close()
            raise
    except OSError as error:
        raise _failure(endpoint, error) from error
    return sock


async def _first_connected(endpoints: Sequence[Endpoint]) -> socket.socket:
    """Start attempts one after another and return the first that succeeds. The others are cancelled."""
    waiting, failures = deque(endpoints), list[DialError]()
    attempts: set[asyncio.Task[socket.socket]] = set()
    try:
        while waiting or attempts:
            if waiting:
                attempts.add(asyncio.ensure_future(_connected(waiting.popleft())))
            done, _ = await asyncio.wait(attempts, timeout=_STAGGER_S if waiting else None, return_when=asyncio.FIRST_COMPLETED)
            for attempt in done:
                attempts.discard(attempt)
                try:
                    return attempt.result()
                except DialError as failure:
                    failures.append(failure)
    finally:
        for attempt in attempts:
            attempt.add_done_callback(_close_what_came)
            attempt.cancel()
    raise failures[0]


def _close_what_came(attempt: asyncio.Task[socket.socket]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()
