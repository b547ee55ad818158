"""The text by which a gloo process tells the others where it listens. Pure.

    8 bytes   length of the host's name
    …         the host's name
    8 bytes   length of what follows of the address
    …         a sockaddr_storage, in which an IPv4 address and port lie at the beginning, and more

All integers are little-endian but those of the sockaddr. The layout is gloo's own (`gloo/transport/tcp/address.cc`,
`gloo/rendezvous/context.cc`) and not documented, so whatever does not look like it is left alone.
"""

from __future__ import annotations

import re
import socket
import struct
from typing import Final

Address = tuple[str, int]

_LENGTH: Final = struct.Struct("<q")
_SOCKADDR: Final = struct.Struct("<H2s4s")
"""Family, then port and address in network order."""

_KEY: Final = re.compile(r"(?:^|/)\d+/\d+$")
_LONGEST_NAME: Final = 255


def is_address(key: str, value: bytes) -> bool:
    """Whether what a store holds under a key is where a gloo process listens."""
    return bool(_KEY.search(key)) and _sockaddr_at(value) is not None


def address(value: bytes) -> Address:
    """Where the process listens. Raises `ValueError` if `value` does not tell."""
    _, port, host = _SOCKADDR.unpack_from(value, _found(value))
    return socket.inet_ntoa(host), int.from_bytes(port, "big")


def moved(value: bytes, to: Address) -> bytes:
    """The same with another address in it. Raises `ValueError` if there is none to change."""
    at = _found(value)
    changed = _SOCKADDR.pack(socket.AF_INET, to[1].to_bytes(2, "big"), socket.inet_aton(to[0]))
    return value[:at] + changed + value[at + _SOCKADDR.size :]


def dials(own: str, other: str) -> bool:
    """Whether a process on one host dials the one on the other, or waits to be dialled."""
    return socket.inet_aton(own) > socket.inet_aton(other)


def _found(value: bytes) -> int:
    at = _sockaddr_at(value)
    if at is None:
        raise ValueError(f"{len(value)} bytes that do not tell where a gloo process listens by IPv4: {value[:32].hex()}…")
    return at


def _sockaddr_at(value: bytes) -> int | None:
    """Where the sockaddr begins; None if this is not gloo's."""
    if len(value) < _LENGTH.size:
        return None
    (name,) = _LENGTH.unpack_from(value)
    at = _LENGTH.size + name + _LENGTH.size
    if not 0 < name <= _LONGEST_NAME or len(value) < at + _SOCKADDR.size:
        return None
    (rest,) = _LENGTH.unpack_from(value, at - _LENGTH.size)
    family = int.from_bytes(value[at : at + 2], "little")
    return at if rest >= _SOCKADDR.size and at + rest <= len(value) and family == socket.AF_INET else None
