"""Records in a file that a crash may have torn, and messages that a link may have changed: each carries a checksum."""

from __future__ import annotations

from typing import Final

import xxhash

from systems.parts.record_log import Damaged, decode_line, encode_line

__all__ = ["Damaged", "encode_line", "lines", "sealed", "unsealed"]

_SEAL_BYTES: Final = 16


def lines(file: bytes) -> tuple[list[bytes], int]:
    """The texts of a file of lines with checksums, and the number of bytes at its end that a crash left as a torn line.

    Raises `Damaged` if anything follows a line that is not whole: each line is written after the one before it is synced.
    """
    found: list[bytes] = []
    at = 0
    while at < len(file):
        end = file.find(b"\n", at) + 1
        text = decode_line(file[at:end]) if end else None
        if text is None:
            if end and file[end:].strip(b"\0"):
                raise Damaged(f"line {len(found) + 1} is damaged")
            break
        found.append(text)
        at = end
    return found, len(file) - at


def sealed(body: bytes) -> bytes:
    """A message behind its checksum."""
    return b"%016x" % xxhash.xxh3_64_intdigest(body) + body


def unsealed(message: bytes, *, checked: bool = True) -> bytes:
    """The message without its checksum. Raises `Damaged` if it is not what was sent."""
    body = message[_SEAL_BYTES:]
    if checked and message[:_SEAL_BYTES] != b"%016x" % xxhash.xxh3_64_intdigest(body):
        raise Damaged("its checksum does not match")
    return body
