"""Encode requests and responses. Only this module writes heads.

Code that writes many equal heads prepares their start once, and `plain.framed` adds the length and the body.
"""

from __future__ import annotations

import http
from functools import cache
from typing import Final

from harness.http.framing import LONG_BODY_BYTES
from harness.http.message import JSON, Headers, Pieces, Response

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_FRAMING: Final = frozenset({"connection", "content-length", "transfer-encoding"})
"""Headers that belong to one connection. They are left out, so that a node can forward another node's response as it is."""

_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus}
_NO_LENGTH: Final = frozenset({http.HTTPStatus.NO_CONTENT, http.HTTPStatus.NOT_MODIFIED})
"""Responses that have no body (RFC 9110, section 8.6)."""


def encode_response(response: Response, *, keep_alive: bool = True, with_body: bool = True, version: str = "1.1") -> bytes:
    """Encode a response. Without its body, the head still announces the body's length, as HEAD requires."""
    headers = response.headers
    start = _plain_start(response.status) if headers is JSON else _response_start(response.status, headers)
    if version != "1.1":
        start = start.replace(b"HTTP/1.1", b"HTTP/%b" % version.encode(), 1)
    if not keep_alive:
        start += b"connection: close\r\n"
    if response.status in _NO_LENGTH:
        return start + b"\r\n"
    body = response.body
    return b"%scontent-length: %d\r\n\r\n%s" % (start, len(body), body if with_body else b"")


def encode_request(method: str, target: str, *, host: str, headers: Headers = (), body: bytes | None = None) -> bytes:
    """Encode a request. `target` is its path and query as sent. A body, even an empty one, gets a Content-Length."""
    start = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n"
    head = (start + "".join([f"{name}: {value}\r\n" for name, value in headers]) if headers else start).encode("latin-1")
    return head + b"\r\n" if body is None else b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body)


def response_parts(response: Response, *, keep_alive: bool, with_body: bool) -> Pieces:
    """An encoded response as one or two pieces to write one after another: a long body is not copied behind its head."""
    if not with_body or len(response.body) < LONG_BODY_BYTES or response.status in _NO_LENGTH:
        return (encode_response(response, keep_alive=keep_alive, with_body=with_body),)
    return encode_response(response, keep_alive=keep_alive, with_body=False), response.body


def request_parts(method: str, target: str, *, host: str, headers: Headers, body: bytes | Pieces) -> Pieces:
    """An encoded request as pieces to write one after another: a long body is not copied behind its head."""
    if isinstance(body, bytes):
        if len(body) < LONG_BODY_BYTES:
            return (encode_request(method, target, host=host, headers=headers, body=body),)
        body = (body,)
    body_bytes = sum(len(piece) for piece in body)
    return b"%b%d\r\n\r\n" % (request_start(method, target, host=host, headers=headers), body_bytes), *body


def response_start(status: int, headers: Headers = ()) -> bytes:
    """The start of responses that differ only in their body, for `framed`."""
    return _response_start(status, headers) + b"content-length: "


def request_start(method: str, target: str, *, host: str, headers: Headers = ()) -> bytes:
    """The start of requests that differ only in their body, for `framed`."""
    lines = [f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n", *(f"{name}: {value}\r\n" for name, value in headers)]
    return "".join(lines).encode("latin-1") + b"Content-Length: "


def closing(encoded: bytes) -> bytes:
    """An encoded response with a header added that closes the connection after it."""
    return encoded.replace(b"\r\n", b"\r\nconnection: close\r\n", 1)


def without_body(encoded: bytes) -> bytes:
    """An encoded response as the answer to HEAD."""
    return encoded[: encoded.index(b"\r\n\r\n") + 4]


@cache
def _plain_start(status: int) -> bytes:
    return _response_start(status, JSON)


def _response_start(status: int, headers: Headers) -> bytes:
    start = _STATUS_LINES.get(status) or b"HTTP/1.1 %d -\r\n" % status
    lines = [f"{name}: {value}\r\n" for name, value in headers if name.lower() not in _FRAMING]
    return start + "".join(lines).encode("latin-1")
