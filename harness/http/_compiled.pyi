from collections.abc import Callable
from typing import TypeVar

from harness.http.plain import Plain

H = TypeVar("H")
M = TypeVar("M")

def take(
    data: bytes,
    at: int,
    plain: Plain[H],
    make: Callable[[H, bytes], M],
    messages: list[M],
    most: int,
    with_head: bool,
    /,
) -> int: ...
def count_right(
    data: bytes, at: int, plain: Plain[H], which: list[int], expected: list[tuple[bytes, ...]], /
) -> tuple[int, int]: ...
def framed(start: bytes, bodies: list[bytes], /) -> bytes: ...
