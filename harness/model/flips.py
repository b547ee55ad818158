"""Bit flips in what a node computes or keeps in memory: the request, and what was flipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

NUMBER_BITS: Final = 32
"""The size of a model's numbers."""


@dataclass(frozen=True, kw_only=True)
class Flips:
    """What to flip: bits of the values that a node reports under a name."""

    match: str
    """A prefix of the name: "gradient", "parameters"."""
    seed: int
    """Determines the places: the same seed gives the same places."""
    bits: int = 1
    """How many bits to flip each time."""
    bit: int | None = None
    """Which bit of a 32-bit number, 31 being the sign and 30 the highest of the exponent; None: any."""
    times: int | None = None
    """How often at most; None: each time, for as long as the fault holds."""
    steady: bool = False
    """Flip the same bits each time."""


class Flipped(NamedTuple):
    """One byte in which a bit was flipped."""

    offset: int
    before: int
    after: int

    def __str__(self) -> str:
        return f"byte {self.offset}: {self.before:#04x} became {self.after:#04x}"


class Seen(NamedTuple):
    """The effect of `Flips` so far."""

    passed: int
    """How often the node has reported a value whose name matches."""
    hit: int
    """How often its bits were flipped."""
    last: Flipped | None
