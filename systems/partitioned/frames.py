"""Records in a file that a crash may have torn: each carries a checksum."""

from __future__ import annotations

from systems.parts.record_log import Damaged, decode_line, encode_line

__all__ = ["Damaged", "encode_line", "lines", "only_line"]


def lines(file: bytes) -> tuple[list[bytes], int]:
    """The texts of a file of lines with checksums, and the number of bytes at its end that a crash left as a torn line.

    Raises `Damaged` if a line is not whole that no crash can have torn: each is written after the one before it is synced.
    """
    found: list[bytes] = []
    at = 0
    while at < len(file):
        end = file.find(b"\n", at) + 1
        text = decode_line(file[at:end]) if end else None
        if text is None:
            if not _torn(file[at:]):
                raise Damaged(f"line {len(found) + 1} is damaged")
            break
        found.append(text)
        at = end
    return found, len(file) - at


def only_line(file: bytes, what: str) -> bytes:
    """The text of a file that holds one line, and was replaced as a whole. Raises `Damaged` if it is not what was written."""
    text = decode_line(file)
    if text is None:
        raise Damaged(f"{what} is damaged")
    return text


def _torn(rest: bytes) -> bool:
    """Whether the rest of a file, which does not begin with a whole line, can be a line that a crash tore.

    Its bytes are missing, or zero, from some point on: its end is not there, and more than that is missing.
    """
    written = rest.rstrip(b"\0")
    return b"\n" not in written and decode_line(written[:-1] + b"\n") is None
