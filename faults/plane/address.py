"""Addresses in Toxiproxy's form (`host:port`). Errors are worded as in Go's `net` package."""

from __future__ import annotations

import functools
import socket
from typing import NamedTuple

DEFAULT_HOST = "127.0.0.1"
"""Used if an address has no host. Toxiproxy would listen on every interface."""


class AddressError(Exception):
    """An unusable address. The message is Go's."""


class Endpoint(NamedTuple):
    """A numeric host and a port."""

    host: str
    port: int

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@functools.lru_cache(maxsize=1024)
def split(text: str) -> tuple[str, int]:
    """Split `host:port`. The host may be a name or empty; an empty text is an empty host and port 0. Raises `AddressError`."""
    if not text:
        return "", 0
    host, port_text = _split_host_port(text)
    return host, _port(port_text)


def _split_host_port(text: str) -> tuple[str, str]:
    def fault(reason: str) -> AddressError:
        return AddressError(f"address {text}: {reason}")

    colon = text.rfind(":")
    if colon < 0:
        raise fault("missing port in address")
    host, rest_from, tail_from = text[:colon], 0, 0
    if text[0] == "[":
        end = text.find("]")
        if end < 0:
            raise fault("missing ']' in address")
        if end + 1 != colon:
            raise fault("too many colons in address" if text[end + 1 : end + 2] == ":" else "missing port in address")
        host, rest_from, tail_from = text[1:end], 1, end + 1
    elif ":" in host:
        raise fault("too many colons in address")
    if "[" in text[rest_from:]:
        raise fault("unexpected '[' in address")
    if "]" in text[tail_from:]:
        raise fault("unexpected ']' in address")
    return host, text[colon + 1 :]


def _port(text: str) -> int:
    if not text:
        return 0
    digits = text[1:] if text[0] in "+-" else text
    if digits.isascii() and digits.isdigit():
        significant = digits.lstrip("0")
        value = int(significant[:6] or "0")  # six digits are too many already, and int() refuses thousands
        if value > 65535 or (value and text[0] == "-"):
            raise AddressError(f"address {text}: invalid port")
        return value
    try:
        return socket.getservbyname(text, "tcp")
    except (OSError, ValueError) as error:
        raise AddressError(f"lookup tcp/{text}: unknown port") from error
