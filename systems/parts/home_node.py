"""How a client chooses among nodes that can all answer: its home node, and others while that one fails."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from harness.http.client import HttpClient
from harness.http.message import Headers, Response, TransportError, Unreachable
from harness.model.system import Address, CallFailed

T = TypeVar("T")

_TIMEOUT_S: Final = 60.0
"""A last resort: a load's own timeout is much shorter."""


class HomeNode:
    """Asks one node, and moves on to the next one if that did not answer with 200.

    After some successful calls elsewhere it returns to its home node, so that the load is spread again after a fault.
    """

    def __init__(self, home: int, entries: Sequence[tuple[str, Address]], *, calls_away: int) -> None:
        """`calls_away` consecutive calls must succeed before the home node is tried again."""
        self._nodes = [(name, HttpClient(address)) for name, address in entries]
        self._home = self._at = home % len(entries)
        self._calls_away = calls_away
        self._well = 0

    async def request(self, method: str, path: str, body: bytes, headers: Headers = ()) -> tuple[str, Response]:
        """The node and its response. Raises `CallFailed` if the request was certainly not sent, else `TransportError`."""
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
            self._move(served)  # also if the call was cancelled
        return name, response

    async def ask_around(self, once: Callable[[], Awaitable[T]]) -> T:
        """Try a call without side effects once per node, until it does not raise `CallFailed`. Raises the last one's error."""
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
