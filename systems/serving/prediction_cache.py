"""A replica's memory of what it answered: the same request again needs no decoding and no pass through the model.

A cache belongs to one model. To replace the model is to go on with an empty cache and drop the old one, rather than emptying
it: an answer that the old model gave, and that has yet to be encoded, is kept where no request looks any more.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from systems.serving.messages import CacheStatus

LONGEST_BODY_BYTES: Final = 4096
"""Longer requests are not kept: an image takes a few hundred bytes, and JSON can be blown up with blanks."""


class PredictionCache:
    """Whole answers by the bytes of the request's body. At most `entries`; the one not used for longest goes first (LRU)."""

    def __init__(self, entries: int, *, hits: int = 0, misses: int = 0) -> None:
        self._entries = entries
        self._answers: OrderedDict[bytes, bytes] = OrderedDict()
        self._hits = hits
        self._misses = misses

    def get(self, body: bytes) -> bytes | None:
        """The answer that was kept for these bytes; None if there is none."""
        answer = self._answers.get(body)
        if answer is None:
            self._misses += 1
            return None
        self._answers.move_to_end(body)
        self._hits += 1
        return answer

    def keep(self, body: bytes, answer: bytes) -> None:
        """Give this answer from now on."""
        if len(body) > LONGEST_BODY_BYTES:
            return
        self._answers[body] = answer
        self._answers.move_to_end(body)
        if len(self._answers) > self._entries:
            self._answers.popitem(last=False)

    def successor(self) -> PredictionCache:
        """An empty cache for the next model, which goes on counting."""
        return PredictionCache(self._entries, hits=self._hits, misses=self._misses)

    def status(self) -> CacheStatus:
        """How it has done so far."""
        return CacheStatus(entries=len(self._answers), hits=self._hits, misses=self._misses)
