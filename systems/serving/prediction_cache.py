"""A replica's cache of its answers: a repeated request needs no decoding and no pass through the model.

A cache belongs to one model. When the model is replaced, the old cache is dropped for a new one, rather than emptied: an answer
of the old model that is still to be encoded is then kept in a cache that no request reads any more.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from systems.serving.messages import CacheStatus

LONGEST_BODY_BYTES: Final = 4096
"""Longer requests are not cached: an image takes a few hundred bytes, but JSON can be inflated with blanks."""


class PredictionCache:
    """Encoded answers by the bytes of the request's body. At most `entries`; the least recently used is evicted first."""

    def __init__(self, entries: int, *, hits: int = 0, misses: int = 0) -> None:
        self._entries = entries
        self._answers: OrderedDict[bytes, bytes] = OrderedDict()
        self._hits = hits
        self._misses = misses

    def get(self, body: bytes) -> bytes | None:
        """The cached answer for these bytes; None if there is none."""
        answer = self._answers.get(body)
        if answer is None:
            self._misses += 1
            return None
        self._answers.move_to_end(body)
        self._hits += 1
        return answer

    def keep(self, body: bytes, answer: bytes) -> None:
        """Cache this answer."""
        if len(body) > LONGEST_BODY_BYTES:
            return
        self._answers[body] = answer
        self._answers.move_to_end(body)
        if len(self._answers) > self._entries:
            self._answers.popitem(last=False)

    def successor(self) -> PredictionCache:
        """An empty cache for the next model, which continues the counts."""
        return PredictionCache(self._entries, hits=self._hits, misses=self._misses)

    def status(self) -> CacheStatus:
        """Its entries, hits and misses so far."""
        return CacheStatus(entries=len(self._answers), hits=self._hits, misses=self._misses)
