"""What a wrong answer looked like, for people to recognise."""

from __future__ import annotations

from typing import Final

from harness.http.responses import ReceivedResponse

EXAMPLE_LETTERS: Final = 200
_TELLING: Final = ("location", "www-authenticate")
"""Headers that explain a redirect or a 401 better than the body does."""
_TLS_RECORDS: Final = (b"\x15\x03", b"\x16\x03")
"""How an alert and a handshake begin (RFC 8446, 5.1)."""


def example_of(response: ReceivedResponse) -> str:
    """The beginning of a response's body, after the headers that explain its status."""
    telling = [f"{name}: {value}" for name, value in response.head.headers if name in _TELLING]
    return " ".join([*telling, beginning(response.body)]).strip()[:EXAMPLE_LETTERS]


def beginning(content: bytes) -> str:
    """The beginning of what was received, as one line of text."""
    return " ".join(content[: 4 * EXAMPLE_LETTERS].decode("utf-8", "replace").split())[:EXAMPLE_LETTERS]


def is_tls(content: bytes) -> bool:
    """Whether what was received begins with a TLS record, as from a server that expected TLS."""
    return content.startswith(_TLS_RECORDS)
