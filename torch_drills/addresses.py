"""The bytes with which a gloo process announces its listen address. Pure.

    8 bytes   length of the host's name
    …         the host's name
    8 bytes   length of the rest of the address
    …         a sockaddr_storage, which begins with an IPv4 address and port, and more

All integers are little-endian except those of the sockaddr. The layout is gloo's (`gloo/transport/tcp/address.cc`,
`gloo/rendezvous/context.cc`) and undocumented, so anything that does not match is left alone.
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
    """Whether a store's value under a key is a gloo process's listen address."""
    return bool(_KEY.search(key)) and _sockaddr_at(value) is not None


def address(value: bytes) -> Address:
    """The listen address in `value`. Raises `ValueError` if there is none."""
    _, port, host = _SOCKADDR.unpack_from(value, _found(value))
    return socket.inet_ntoa(host), int.from_bytes(port, "big")


def moved(value: bytes, to: Address) -> bytes:
    """`value` with the address replaced. Raises `ValueError` if it has none."""
    at = _found(value)
    changed = _SOCKADDR.pack(socket.AF_INET, to[1].to_bytes(2, "big"), socket.inet_aton(to[0]))
    return value[:at] + changed + value[at + _SOCKADDR.size :]


def dials(own: str, other: str) -> bool:
    """Whether the process on `own` dials the one on `other`; otherwise it waits to be dialled."""
    return socket.inet_aton(own) > socket.inet_aton(other)


def _found(value: bytes) -> int:
    at = _sockaddr_at(value)
    if at is None:
        raise ValueError(f"{len(value)} bytes that are not an IPv4 listen address of gloo: {value[:32].hex()}…")
    return at


def _sockaddr_at(value: bytes) -> int | None:
    """The offset of the sockaddr; None if this is not gloo's layout."""
    if len(value) < _LENGTH.size:
        return None
    (name,) = _LENGTH.unpack_from(value)
    at = _LENGTH.size + name + _LENGTH.size
    if not 0 < name <= _LONGEST_NAME or len(value) < at + _SOCKADDR.size:
        return None
    (rest,) = _LENGTH.unpack_from(value, at - _LENGTH.size)
    family = int.from_bytes(value[at : at + 2], "little")
    return at if rest >= _SOCKADDR.size and at + rest <= len(value) and family == socket.AF_INET else None
