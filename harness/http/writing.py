"""Responses as bytes."""

from __future__ import annotations

import http
from typing import Final

from harness.http.message import Response

_FRAMING: Final = frozenset({"connection", "content-length", "transfer-encoding"})
"""Headers that belong to a connection, not to an answer, so that a node can pass another's answer on as it is."""

_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus}


def encode_response(response: Response, *, keep_alive: bool = True, with_body: bool = True) -> bytes:
    """An answer as it goes on the wire."""
    parts = [_STATUS_LINES.get(response.status) or f"HTTP/1.1 {response.status} -\r\n".encode()]
    parts.extend(f"{name}: {value}\r\n".encode("latin-1") for name, value in response.headers if name.lower() not in _FRAMING)
    if not keep_alive:
        parts.append(b"connection: close\r\n")
    parts.append(b"content-length: %d\r\n\r\n" % len(response.body))
    if with_body:
        parts.append(response.body)
    return b"".join(parts)
