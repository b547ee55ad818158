"""What `harness load` sends, and where to: a URL, resolved once and checked, and requests as bytes."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from harness.http.writing import encode_request
from harness.model.errors import UsageError
from harness.model.system import Address

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""The characters of methods and header names (RFC 9110, 5.6.2)."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed URL. `address` is numeric, so that the address that was checked is the one connected to."""

    address: Address
    host: str
    """For the Host header."""
    path: str


def target_of(url: str, *, allow_remote: bool) -> Target:
    """Resolve a URL. Raises `UsageError` if it is not a URL, or leads to another machine without permission."""
    try:
        parts = urlsplit(url)
        port = 80 if parts.port is None else parts.port
    except ValueError as error:
        raise UsageError(f"{url!r} is not a URL: {error}.") from error
    if parts.scheme != "http" or not parts.hostname or parts.username is not None:
        raise UsageError(f"{url!r}: expected http://HOST[:PORT]/PATH; TLS and passwords in URLs are not supported.")
    if port == 0:
        raise UsageError(f"{url!r}: no server listens on port 0.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not all("!" <= char <= "~" for char in path + parts.netloc):
        raise UsageError(f"{url!r}: may contain only visible ASCII characters; write others as %XX.")
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(f"Cannot find {parts.hostname!r}: {error.strerror}.") from error
    except UnicodeError as error:  # a label of the name is empty or longer than 63 characters
        raise UsageError(f"Cannot find {parts.hostname!r}: it is not a host name.") from error
    addresses = [(str(one[4][0]), port) for one in found]
    local = [one for one in addresses if ipaddress.ip_address(one[0].partition("%")[0]).is_loopback]
    if not local and not allow_remote:
        raise UsageError(
            f"{url!r} leads to {addresses[0][0]}, which is not this machine. Add --allow-remote if you may load it."
        )
    return Target(address=(local or addresses)[0], host=parts.netloc, path=path)


def request_bytes(target: Target, method: str, headers: Sequence[str], body: bytes | None) -> bytes:
    """One HTTP/1.1 request. `headers` are "Name: value", and one name may come several times; a Host among them replaces the
    target's, the last one if there are several. A body that is a JSON object or array is sent as JSON unless there is a
    Content-Type among them."""
    if not _TOKEN.fullmatch(method):
        raise UsageError(f"--method {method!r}: expected a word such as GET or POST.")
    given: list[tuple[str, str]] = []
    for header in headers:
        name, colon, value = header.partition(":")
        if not colon or not _TOKEN.fullmatch(name) or not all(char == "\t" or char.isprintable() for char in value):
            raise UsageError(f"--header {header!r}: expected 'Name: value' in one line.")
        given.append((name, value.strip()))
    names = {name.lower() for name, _ in given}
    if names & {"content-length", "transfer-encoding", "connection"}:
        raise UsageError("--header: Content-Length, Transfer-Encoding and Connection are set automatically. Leave them out.")
    host = next((value for name, value in reversed(given) if name.lower() == "host"), target.host)
    others = [(name, _utf8(value)) for name, value in given if name.lower() != "host"]
    if body and "content-type" not in names and _is_json(body):
        others.append(("Content-Type", "application/json"))
    return encode_request(method, target.path, host=_utf8(host), headers=others, body=body)


def encoded(text: str, option: str) -> bytes:
    """A text of the command line as bytes. Raises `UsageError` if it is not UTF-8: then it could not be recorded either."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{option} {text!r} is not text in UTF-8. Give other bytes in a file: --body-file.") from error


def _utf8(text: str) -> str:
    """The text's UTF-8 bytes as Latin-1 characters, as which header values are encoded."""
    return text.encode("utf-8").decode("latin-1")


def _is_json(body: bytes) -> bool:
    """Whether a body is a JSON object or array; a number or a word may be anything, and so may what is too deep to read."""
    try:
        return isinstance(msgspec.json.decode(body), dict | list)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def bodies_of(text: str | None, body_file: Path | None, bodies: Path | None) -> list[bytes | None]:
    """The bodies to send in turn: a text, a file, each line of a file, or none."""
    if sum(one is not None for one in (text, body_file, bodies)) > 1:
        raise UsageError("--body, --body-file and --bodies exclude each other. Give one of them.")
    if text is not None:
        return [encoded(text, "--body")]
    if body_file is not None:
        return [_content(body_file)]
    return [None] if bodies is None else [*_lines(bodies)]


def expected_of(text: str | None, file: Path | None, bodies: int) -> list[tuple[bytes, ...]]:
    """How the right answers to so many bodies begin: all with a text, each with its line of a file, or with anything."""
    if file is None:
        return [() if text is None else (encoded(text, "--expect"),)] * bodies
    if text is not None:
        raise UsageError("--expect and --expects exclude each other. Give one of them.")
    lines = _lines(file)
    if len(lines) != bodies:
        raise UsageError(
            f"--expects {file}: lines {len(lines):,}, bodies {bodies:,}. Give --bodies and --expects the same number of lines."
        )
    return [(line,) for line in lines]


def _lines(file: Path) -> list[bytes]:
    """A file's lines that are not empty, at least one."""
    lines = [line for line in _content(file).splitlines() if line]
    if not lines:
        raise UsageError(f"{file} has no line that is not empty.")
    return lines


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"Cannot read {file}: {error.strerror}.") from error
