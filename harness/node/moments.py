"""Moments at which a node stops itself: the slots of its control page in which the harness asks for them, from both sides."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Final

from harness.model.moment import Event, Moment
from harness.node import name_match

_SLOTS: Final = 4
_EVENT, _LEFT, _SEEN, _MATCH = range(4)
_SLOT_WORDS: Final = _MATCH + name_match.WORDS
_OF_THE_HARNESS: Final = "/-/"
"""The prefix of the harness's own requests, which are not part of the node's work."""
WORDS: Final = 1 + _SLOTS * _SLOT_WORDS
"""The first word counts the slots in use, so that a node need not check the others while it is 0."""


def stop_self() -> None:
    """Stop this very process until it gets SIGCONT."""
    os.kill(os.getpid(), signal.SIGSTOP)


class Moments:
    """The slots: `WORDS` 64-bit words from `at` on.

    The harness fills a slot and writes its event last. The node counts `_LEFT` down and stops itself when it reaches 0.
    """

    def __init__(self, words: memoryview[int], at: int, stop: Callable[[], None]) -> None:
        self._words = words
        self._at = at
        self._stop = stop

    # -------------------------------------------------------------------------------------------------------- harness

    def arm(self, moment: Moment) -> int | None:
        """Make the node stop itself once, at this moment. Returns the slot, None if all are in use."""
        words = self._words
        slot = next((slot for slot in self._slots() if not words[slot + _EVENT]), None)
        if slot is None:
            return None
        words[slot + _LEFT], words[slot + _SEEN] = moment.nth, 0
        name_match.put(words, slot + _MATCH, moment.match)
        words[slot + _EVENT] = moment.number
        words[self._at] += 1
        return slot

    def reached(self, slot: int) -> bool:
        """Whether the node has stopped itself for this slot, or is about to."""
        return self._words[slot + _LEFT] <= 0

    def seen(self, slot: int) -> int:
        """How often the node has done what the slot waits for."""
        return self._words[slot + _SEEN]

    def disarm(self, slot: int) -> None:
        """Free the slot. A node that has stopped itself stays stopped."""
        self._words[slot + _EVENT] = 0
        self._words[self._at] -= 1

    # ----------------------------------------------------------------------------------------------------------- node

    @property
    def armed(self) -> bool:
        """Whether any slot is in use."""
        return self._words[self._at] > 0

    def passes(self, event: Event, what: str) -> None:
        """Note that the node does this now, and stop it if a slot asks for that."""
        words = self._words
        if not words[self._at] or what.startswith(_OF_THE_HARNESS):
            return
        for slot in self._slots():
            if words[slot + _EVENT] == event and name_match.matches(words, slot + _MATCH, what):
                words[slot + _SEEN] += 1
                words[slot + _LEFT] -= 1
                # Not if the harness has freed the slot meanwhile: it may have seen it before it was reached, and wake nobody.
                if words[slot + _LEFT] == 0 and words[slot + _EVENT] == event:
                    self._stop()

    def _slots(self) -> range:
        return range(self._at + 1, self._at + WORDS, _SLOT_WORDS)
