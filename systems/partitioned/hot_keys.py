"""Which keys a node is asked for most: the coordinator cuts a hot range where both halves have the same load."""

from __future__ import annotations

from collections import Counter
from typing import Final

KEYS: Final = 4096
"""Of more keys than this, the rarer half is forgotten."""


class HotKeys:
    """How often a node was asked for each key."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def count(self, key: str) -> None:
        self._counts[key] += 1
        if len(self._counts) > KEYS:
            self._counts = Counter(dict(self._counts.most_common(KEYS // 2)))

    def between(self, low: str, high: str | None) -> dict[str, int]:
        """The counts of the keys from `low` to before `high`."""
        return {key: n for key, n in self._counts.items() if low <= key and (high is None or key < high)}
