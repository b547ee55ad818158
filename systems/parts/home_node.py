"""A client's way of choosing among nodes that all answer: one of its own, and others while that one does not do well."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from harness.http.client import HttpClient
from harness.http.message import Headers, Response, TransportError, Unreachable
from harness.model.system import Address, CallFailed

T = TypeVar("T")

_TIMEOUT_S: Final = 60.0
"""Only an end to waiting if nothing else ends it: a load gives a call up long before."""


class HomeNode:
    """Asks one node, and from then on the next one when that did not answer, or not with 200.

    After some calls that went well elsewhere it tries its home again, so that the load spreads again after a fault.
    """

    def __init__(self, home: int, entries: Sequence[tuple[str, Address]], *, calls_away: int) -> None:
        """`calls_away` calls must go well elsewhere before home is tried again."""
        self._nodes = [(name, HttpClient(address)) for name, address in entries]
        self._home = self._at = home % len(entries)
        self._calls_away = calls_away
        self._well = 0

    async def request(self, method: str, path: str, body: bytes, headers: Headers = ()) -> tuple[str, Response]:
        """The answer, and of which node. Raises `CallFailed` if the request was surely not sent, else `TransportError`."""
        name, client = self._nodes[self._at]
        served = False
        try:
            response = await client.request(method, path, body, timeout_s=_TIMEOUT_S, headers=headers)
            served = response.status == 200
        except Unreachable as error:
            raise CallFailed(f"{name}: {error}") from error
        except TransportError as error:
            raise type(error)(f"{name}: {error}") from error
        finally:
            self._move(served)  # also if the call was given up from outside
        return name, response

    async def ask_around(self, once: Callable[[], Awaitable[T]]) -> T:
        """What has no effect, tried as often as there are nodes. Raises what the last try did."""
        for _ in self._nodes[1:]:
            with contextlib.suppress(CallFailed):
                return await once()
        return await once()

    def close(self) -> None:
        for _, client in self._nodes:
            client.close()

    def _move(self, served: bool) -> None:
        self._well = self._well + 1 if served else 0
        if not served:
            self._at = (self._at + 1) % len(self._nodes)
        elif self._well >= self._calls_away:
            self._at = self._home
