"""The quick way for messages of the usual kind: their heads were seen before, and tell how long the body is.

Nearly all messages of a busy connection are of that kind, and to take each apart is most of what it costs. Here a message is
one look into a table; what is of another kind, or not whole, is left to the parser. `_compiled.c` does the same, compiled, and
is used if it could be built.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

H = TypeVar("H")
M = TypeVar("M")

LONGEST_HEAD_BYTES: Final = 2048
"""Longer heads are not of the usual kind."""

Plain: TypeAlias = dict[bytes, tuple[H, int, int]]
"""By its bytes: a head after which the connection goes on, how long its body is, and a response's status (a request: 0)."""


def take_in_python(
    data: bytes, at: int, plain: Plain[H], make: Callable[[H, bytes], M], messages: list[M], most: int, with_head: bool
) -> int:
    """Append the next whole plain messages, `most` at most, each made of its head and its body, or of its head and all its
    bytes. Returns where the first one begins that is left."""
    while most > 0:
        body = data.find(b"\r\n\r\n", at, at + LONGEST_HEAD_BYTES) + 4
        known = plain.get(data[at:body]) if body > 3 else None
        if known is None or body + known[1] > len(data):
            break
        head, body_bytes, _ = known
        messages.append(make(head, data[at if with_head else body : body + body_bytes]))
        at = body + body_bytes
        most -= 1
    return at


def count_right_in_python(
    data: bytes, at: int, plain: Plain[H], which: list[int], expected: list[tuple[bytes, ...]]
) -> tuple[int, int]:
    """How many of the next responses are plain, whole, 2xx, and begin as expected; and where the first one begins that is not.

    The n-th response answers the exchange `which[n]`, and its body is to begin with one of `expected[which[n]]`; with anything,
    if that is empty.
    """
    for count, asked in enumerate(which):
        body = data.find(b"\r\n\r\n", at, at + LONGEST_HEAD_BYTES) + 4
        known = plain.get(data[at:body]) if body > 3 else None
        if known is None or body + known[1] > len(data) or not 200 <= known[2] <= 299:
            return count, at
        end = body + known[1]
        if expected[asked] and not data.startswith(expected[asked], body, end):
            return count, at
        at = end
    return len(which), at


def framed_in_python(start: bytes, bodies: list[bytes]) -> bytes:
    """Messages that differ in their body only, one after another. `start` is their head up to the value of Content-Length."""
    return b"".join([b"%b%d\r\n\r\n%b" % (start, len(body), body) for body in bodies])


if TYPE_CHECKING:
    take, count_right, framed = take_in_python, count_right_in_python, framed_in_python
else:
    try:
        from harness.http._compiled import count_right, framed, take
    except ImportError:  # there was no compiler where the harness was installed
        take, count_right, framed = take_in_python, count_right_in_python, framed_in_python
