"""The store through which gloo processes find each other: the coordinator keeps its entries, and serves them over HTTP."""

from __future__ import annotations

import http.client
import select
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final
from urllib.parse import quote

import msgspec
from torch._C._distributed_c10d import Store

from harness.http.message import BadAnswer, Response
from systems.training.messages import STORE, Got, Put
from torch_drills.addresses import Address

_LOOK_S: Final = 0.1
"""How often a waiting request looks whether to give up."""

_TRY_S: Final = (0.1, 0.4)
"""How long the first try waits for a connection, and then for an answer, so that what a cut link has lost is soon sent again.
Each try without an answer doubles it, up to the second number: over a slow link no answer comes sooner."""


class Rendezvous(Store):
    """A store with the methods that gloo uses: set, get and wait, which block the calling thread.

    They give up when `over` returns true. All raise `RuntimeError` if they fail.
    """

    def __init__(self, coordinator: Address, over: Callable[[], bool]) -> None:
        super().__init__()
        self._coordinator = coordinator
        self._over = over
        self._known: dict[str, bytes] = {}
        self._try_s = _TRY_S[0]

    def set(self, key: str, value: str | bytes) -> None:
        data = value.encode() if isinstance(value, str) else bytes(value)
        self._request("POST", STORE, msgspec.json.encode(Put(key=key, value=data)), bytes)

    def get(self, key: str) -> bytes:
        if key not in self._known:
            self._known[key] = self._request("GET", f"{STORE}?key={quote(key, safe='')}", b"", _value)
        return self._known[key]

    def wait(self, keys: list[str], timeout: timedelta | None = None) -> None:
        for key in keys:
            self.get(key)

    def _request(self, method: str, path: str, body: bytes, read: Callable[[bytes], bytes]) -> bytes:
        while not self._over():
            connection = http.client.HTTPConnection(*self._coordinator, timeout=self._try_s)
            try:
                connection.request(method, path, body)
                self._await(connection)
                response = connection.getresponse()
                if response.status == http.client.OK:
                    return read(response.read())
            except TimeoutError:
                self._try_s = min(2 * self._try_s, _TRY_S[1])
            except (OSError, BadAnswer, http.client.HTTPException):
                continue  # a coordinator that is not there yet, or a damaged answer
            finally:
                connection.close()
        raise RuntimeError(f"gave up {method} {path}: the group will not be formed")

    def _await(self, connection: http.client.HTTPConnection) -> None:
        """Wait until an answer begins. Raises `TimeoutError` if none does, or if it is over."""
        answer = select.poll()  # not `select`, which takes no descriptor above 1,023
        answer.register(connection.sock, select.POLLIN)
        until_s = time.monotonic() + self._try_s
        while not answer.poll(1e3 * min(_LOOK_S, max(0.0, until_s - time.monotonic()))):
            if self._over() or time.monotonic() >= until_s:
                raise TimeoutError


def _value(answer: bytes) -> bytes:
    """The value in an answer. Raises `BadAnswer` if it cannot be read."""
    return Response(body=answer).decode(Got).value
