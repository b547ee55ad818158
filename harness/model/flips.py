"""Bits that flip in what a node computes or keeps in memory, as the harness asks for them and as they come about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

NUMBER_BITS: Final = 32
"""Of a number, as models have them."""


@dataclass(frozen=True, kw_only=True)
class Flips:
    """What is to be flipped: bits of whatever a node says that it has computed, or keeps, under a name."""

    match: str
    """How the name begins: "gradient", "parameters"."""
    seed: int
    """Of the places. The same seed gives the same places again."""
    bits: int = 1
    """So many, each time."""
    bit: int | None = None
    """Which bit of a 32-bit number, 31 being the sign and 30 the highest of the exponent; None: any."""
    times: int | None = None
    """How often at most; None: each time, for as long as the fault holds."""


class Flipped(NamedTuple):
    """One byte of which a bit was flipped."""

    offset: int
    before: int
    after: int

    def __str__(self) -> str:
        return f"byte {self.offset}: {self.before:#04x} became {self.after:#04x}"


class Seen(NamedTuple):
    """What came of `Flips` so far."""

    passed: int
    """How often the node has told of something that matches."""
    hit: int
    """How often bits of it were flipped."""
    last: Flipped | None
