"""The fast path for messages of the usual kind: their heads were seen before and give the body's length.

Nearly all messages of a busy connection are of that kind, and parsing each would be most of their cost. Here a message takes
one table lookup; other and incomplete messages are left to the parser. `_compiled.c` is the same in C, and is used if it could
be built.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

H = TypeVar("H")
M = TypeVar("M")

LONGEST_HEAD_BYTES: Final = 2048
"""Longer heads do not take the fast path."""

Plain: TypeAlias = dict[bytes, tuple[H, int, int]]
"""By its bytes: a head that keeps the connection alive, its body's length, and the response's status (0 for a request)."""


def take_in_python(
    data: bytes, at: int, plain: Plain[H], make: Callable[[H, bytes], M], messages: list[M], most: int, with_head: bool
) -> int:
    """Append the next complete plain messages, at most `most`, each made of its head and its body (`with_head`: its head and
    all its bytes). Returns where the first remaining message begins."""
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
    """How many of the next responses are plain, complete, 2xx, and begin as expected; and where the first other one begins.

    The n-th response answers the exchange `which[n]`. Its body must begin with one of `expected[which[n]]`; with anything, if
    that is empty.
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
    """Messages that differ only in their body, one after another. `start` is their head up to the value of Content-Length."""
    return b"".join([b"%b%d\r\n\r\n%b" % (start, len(body), body) for body in bodies])


if TYPE_CHECKING:
    take, count_right, framed = take_in_python, count_right_in_python, framed_in_python
else:
    try:
        from harness.http._compiled import count_right, framed, take
    except ImportError:  # there was no compiler when the harness was installed
        take, count_right, framed = take_in_python, count_right_in_python, framed_in_python
