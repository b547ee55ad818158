"""Copies for imagined steps, of which each look at a group makes dozens."""

from __future__ import annotations

from random import Random
from typing import Final, TypeVar

T = TypeVar("T")


def twin(thing: T) -> T:
    """A shallow copy of an object with plain attributes, made faster than by `copy.copy`, which first asks how to make one."""
    other = object.__new__(type(thing))
    other.__dict__.update(thing.__dict__)
    return other


class _Fixed(Random):
    """Draws the least number each time, so that one stream serves every copy and none depends on another."""

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        return 0 if stop is None else start


IMAGINED: Final = _Fixed(0)
"""The random stream of a copy. All it decides is when the copy would begin an election, and no copy lives that long."""
