"""What is sent over HTTP/1.1: requests, responses, and what becomes of a request that gets no response.

The errors tell apart what certainly had no effect (`Unreachable`) from what may have had one (`Broken`, `TimedOut`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec

T = TypeVar("T")
Headers = Sequence[tuple[str, str]]

MAX_BODY_BYTES: Final = 64 * 1024 * 1024
"""A longer request or response ends its connection."""


class TooLong(Exception):
    """A head or body above its limit."""


class TransportError(Exception):
    """A request that brought no answer."""


class Unreachable(TransportError):
    """No connection came about: the request was surely not sent."""


class Broken(TransportError):
    """The connection ended before the whole answer had come: the request may have acted."""


class TimedOut(TransportError):
    """No answer in time: the request may have acted, or may act yet."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the server got it. Header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def decode(self, kind: type[T]) -> T:
        """The JSON body as `kind`; where it is not one, the server answers 400 with the reason."""
        return msgspec.json.decode(self.body, type=kind)


@dataclass(frozen=True, slots=True)
class Response:
    """One answer."""

    status: int = 200
    body: bytes = b""
    headers: Headers = ()

    @classmethod
    def json(cls, value: object, status: int = 200) -> Response:
        return cls(status, msgspec.json.encode(value), (("content-type", "application/json"),))

    def decode(self, kind: type[T]) -> T:
        """The JSON body as `kind`. Raises `msgspec.ValidationError` where it is not one."""
        return msgspec.json.decode(self.body, type=kind)
