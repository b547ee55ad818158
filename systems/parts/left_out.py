"""The rule of work that concerns each of several others in turn: none is left out for long.

What is never done with one of them is made up for by others for as long as they live and reach it, so a history seldom shows
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_TURNS: Final = 2
"""Within so many turns, each gets at least one."""


class LeftOut:
    """Watches how often nodes have begun something with each of their peers. A node that begins anew shows another mapping."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._seen: dict[str, tuple[Mapping[str, int], dict[str, tuple[int, int]]]] = {}
        """By node: what it shows; and by peer, how often it had begun with that, and with all, at the last time with that."""

    def look(self, begun: Mapping[str, Mapping[str, int]]) -> str | None:
        """Which peer of a node was left out; `begun`, by node and peer, how often it has begun it."""
        for name, counts in begun.items():
            seen, last = self._seen.get(name, (None, {}))
            if seen is not counts:
                self._seen[name] = (counts, last := {})
            total = sum(counts.values())
            for peer, count in counts.items():
                before, total_then = last.setdefault(peer, (count, total))
                if count != before:
                    last[peer] = (count, total)
                elif total - total_then > _TURNS * len(counts):
                    return f"{name} has {self._what} {total - total_then} times since it last did so with {peer}"
        return None
