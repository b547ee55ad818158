"""What is sent over HTTP/1.1: requests, responses, and what becomes of a request that gets no response.

The errors tell apart what certainly had no effect (`Unreachable`) from what may have had one (`Broken`, `TimedOut`).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeVar, cast

import msgspec

T = TypeVar("T")
Headers = Sequence[tuple[str, str]]

JSON: Final[Headers] = (("content-type", "application/json"),)
"""The headers of a response that is JSON and says no more."""


@cache
def _decoder(kind: Hashable) -> msgspec.json.Decoder[Any]:
    """The decoder of a type: to make one takes longer than to decode a message."""
    return msgspec.json.Decoder(cast(Any, kind))


class TransportError(Exception):
    """A request that got no whole response."""


class Unreachable(TransportError):
    """There was no connection: the request was certainly not sent."""


class Broken(TransportError):
    """The connection ended before the whole response had come: the request may have had its effect."""


class TimedOut(TransportError):
    """No response in time: the request may have had its effect, or may have it yet."""


class Request(msgspec.Struct, frozen=True):
    """One request as a handler sees it: header names are in lower case, the path is decoded and without its query."""

    method: str
    path: str
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    body: bytes = b""

    def decode(self, kind: type[T]) -> T:
        """The JSON body as `kind`. If it is not one, the server answers 400 with the reason."""
        decoded: T = _decoder(cast(Hashable, kind)).decode(self.body)
        return decoded


class Response(msgspec.Struct, frozen=True):
    """One response."""

    status: int = 200
    body: bytes = b""
    headers: Headers = ()

    @classmethod
    def json(cls, value: object, status: int = 200) -> Response:
        return cls(status, msgspec.json.encode(value), JSON)

    def decode(self, kind: type[T]) -> T:
        """The JSON body as `kind`. Raises `msgspec.ValidationError` if it is not one."""
        decoded: T = _decoder(cast(Hashable, kind)).decode(self.body)
        return decoded
