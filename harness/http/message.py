"""HTTP/1.1 requests and responses, and the errors of a request that gets no response.

The errors distinguish requests that certainly had no effect (`Unreachable`) from requests that may have had one (`Broken`,
`BadAnswer`, `TimedOut`).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeAlias, TypeVar, cast

import msgspec

T = TypeVar("T")
Headers = Sequence[tuple[str, str]]

Pieces: TypeAlias = tuple[bytes | memoryview, ...]
"""Bytes to write one after another, without copying them together first. The views are of bytes."""

JSON: Final[Headers] = (("content-type", "application/json"),)
"""The headers of a plain JSON response."""


_UNDECODABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding JSON raises. msgspec passes on Python's own errors for invalid UTF-8, and for too deep nesting."""


@cache
def _decoder(kind: Hashable) -> msgspec.json.Decoder[Any]:
    """The decoder of a type. Making one takes longer than decoding a message, so it is cached."""
    return msgspec.json.Decoder(cast(Any, kind))


class TransportError(Exception):
    """A request that got no complete response."""


class Unreachable(TransportError):
    """There was no connection: the request was certainly not sent."""


class Broken(TransportError):
    """The connection ended before the complete response had come: the request may have taken effect."""


class TimedOut(TransportError):
    """No response in time: the request may have taken effect, or may still do so."""


class BadBody(msgspec.ValidationError):
    """A request's body that is not what the handler expects."""


class BadAnswer(Broken, msgspec.ValidationError):
    """A response whose body is not what was asked for, such as one damaged on its way: the request may have taken effect."""


class Request(msgspec.Struct, frozen=True):
    """One request as a handler sees it: header names are in lower case, the path is decoded and without its query."""

    method: str
    path: str
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    body: bytes = b""

    def decode(self, kind: type[T]) -> T:
        """The JSON body as `kind`. Raises `BadBody` if it is not one; the server then answers 400 with the reason."""
        return decoded(self.body, kind)


def decoded(body: bytes, kind: type[T]) -> T:
    """The JSON body of a request as `kind`. Raises `BadBody` if it is not one."""
    try:
        value: T = _decoder(cast(Hashable, kind)).decode(body)
    except _UNDECODABLE as error:
        raise BadBody(str(error)) from error
    return value


class Response(msgspec.Struct, frozen=True):
    """One response."""

    status: int = 200
    body: bytes = b""
    headers: Headers = ()

    @classmethod
    def json(cls, value: object, status: int = 200) -> Response:
        return cls(status, msgspec.json.encode(value), JSON)

    def decode(self, kind: type[T]) -> T:
        """The JSON body as `kind`. Raises `BadAnswer` if it is not one."""
        try:
            decoded: T = _decoder(cast(Hashable, kind)).decode(self.body)
        except _UNDECODABLE as error:
            raise BadAnswer(f"the answer's body is not the one asked for: {error}") from error
        return decoded


INTERNAL_ERROR: Final = Response(500, b"internal error; see the node's log")
"""The response to a request whose handler raised; the log has the traceback."""
