from collections.abc import Callable
from typing import TypeVar

P = TypeVar("P")

def usual(body: bytes, /) -> bytes | None: ...
def predictions(rows: list[bytes], weights: bytes | memoryview, make: Callable[[int, float], P], /) -> list[P]: ...
