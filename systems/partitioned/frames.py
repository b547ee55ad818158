"""Records in a file that a crash may have torn: each carries a checksum."""

from __future__ import annotations

from systems.parts.record_log import Damaged, decode_line, encode_line

__all__ = ["Damaged", "encode_line", "lines"]


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
