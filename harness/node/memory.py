"""Bit flips in a node's memory: the slots of its control page in which the harness asks for them, from both sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

from harness.model.flips import NUMBER_BITS, Flipped, Flips, Seen
from harness.node import name_match

_SLOTS: Final = 4
_ARMED, _LEFT, _PASSED, _HIT, _SEED, _BITS, _BIT, _STEADY, _LAST_AT, _LAST_BEFORE, _LAST_AFTER, _MATCH = range(12)
_SLOT_WORDS: Final = _MATCH + name_match.WORDS
_ANY: Final = -1
_SEED_BITS: Final = 62
WORDS: Final = 1 + _SLOTS * _SLOT_WORDS
"""The first word counts the slots in use, so that a node need not check the others while it is 0."""


class Memory:
    """The slots: `WORDS` 64-bit words from `at` on. The harness fills a slot and sets `_ARMED` last."""

    def __init__(self, words: memoryview[int], at: int) -> None:
        self._words = words
        self._at = at

    # -------------------------------------------------------------------------------------------------------- harness

    def arm(self, flips: Flips) -> int | None:
        """Flip bits from now on. Returns the slot, None if all are in use."""
        words = self._words
        slot = next((slot for slot in self._slots() if not words[slot + _ARMED]), None)
        if slot is None:
            return None
        words[slot + _LEFT] = _ANY if flips.times is None else flips.times
        words[slot + _PASSED] = words[slot + _HIT] = 0
        words[slot + _SEED] = flips.seed % (1 << _SEED_BITS)
        words[slot + _BITS] = flips.bits
        words[slot + _BIT] = _ANY if flips.bit is None else flips.bit
        words[slot + _STEADY] = flips.steady
        name_match.put(words, slot + _MATCH, flips.match)
        words[slot + _ARMED] = 1
        words[self._at] += 1
        return slot

    def seen(self, slot: int) -> Seen:
        """The flips of a slot so far."""
        words = self._words
        hit = words[slot + _HIT]
        last = Flipped(words[slot + _LAST_AT], words[slot + _LAST_BEFORE], words[slot + _LAST_AFTER]) if hit else None
        return Seen(words[slot + _PASSED], hit, last)

    def disarm(self, slot: int) -> None:
        """Stop flipping for this slot. Flipped bits stay flipped."""
        self._words[slot + _ARMED] = 0
        self._words[self._at] -= 1

    # ----------------------------------------------------------------------------------------------------------- node

    @property
    def armed(self) -> bool:
        """Whether any slot is in use."""
        return self._words[self._at] > 0

    def passes(self, name: str, contents: Sequence[memoryview]) -> list[Flipped]:
        """Flip bits of a value that the node has just computed or keeps, if a slot asks for it. Returns the flips.

        `contents` are writable buffers that together hold the value; offsets count through all of them.
        """
        flipped: list[Flipped] = []
        words = self._words
        for slot in self._slots() if self.armed else ():
            if words[slot + _ARMED] and name_match.matches(words, slot + _MATCH, name):
                words[slot + _PASSED] += 1
                if words[slot + _LEFT] and (places := list(self._places(slot, contents))):
                    flipped += [_flip(contents, at, mask) for at, mask in places]
                    words[slot + _LAST_AT], words[slot + _LAST_BEFORE], words[slot + _LAST_AFTER] = flipped[-1]
                    words[slot + _HIT] += 1
                    words[slot + _LEFT] -= words[slot + _LEFT] > 0
        return flipped

    def _places(self, slot: int, contents: Sequence[memoryview]) -> Iterator[tuple[int, int]]:
        """The bits to flip this time: a byte's offset in all the contents, and a mask."""
        words = self._words
        numbers = sum(map(len, contents)) * 8 // NUMBER_BITS
        number = 0 if words[slot + _STEADY] else words[slot + _HIT]
        random, bit = Random(f"{words[slot + _SEED]}/{number}"), words[slot + _BIT]
        each = NUMBER_BITS if bit == _ANY else 1
        for place in random.sample(range(numbers * each), min(words[slot + _BITS], numbers * each)):
            at = place if bit == _ANY else place * NUMBER_BITS + bit
            yield at // 8, 1 << at % 8

    def _slots(self) -> range:
        return range(self._at + 1, self._at + WORDS, _SLOT_WORDS)


def _flip(contents: Sequence[memoryview], at: int, mask: int) -> Flipped:
    offset = at
    for content in contents:
        if offset < len(content):
            before = content[offset]
            content[offset] = before ^ mask
            return Flipped(at, before, before ^ mask)
        offset -= len(content)
    raise AssertionError(f"byte {at} is past the end")
