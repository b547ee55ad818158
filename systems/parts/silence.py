"""When a node counts another one as silent, and asks it less: only after several requests in a row without an answer.

A node that wrongly counts others as silent, for good in the end, still asks them a little. So while little is asked, nothing
shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

SILENT_AFTER: Final = 4
"""So many consecutive unanswered requests make a node count as silent, until it answers."""


class Heard(NamedTuple):
    """What has come from a node."""

    answers: int
    silences: int
    """How many requests got no answer."""
    silent: bool
    """Whether it counts as silent."""


class SparesOnlyTheSilent:
    """Checks whom nodes count as silent. If an answer has come since the last look, only what was not answered since then can
    be in a row."""

    def __init__(self) -> None:
        self._heard: dict[tuple[str, str], tuple[int, Heard]] = {}
        """By node and the one that it asks, the number of its start, and what it had heard at the last look."""

    def look(self, name: str, start: int, peers: Mapping[str, Heard]) -> str | None:
        """What is wrong with what this node, in this start, has heard of others; None if nothing is."""
        found = None
        for other, now in peers.items():
            start_then, before = self._heard.get((name, other), (start, now))
            self._heard[name, other] = start, now
            unanswered = now.silences - before.silences
            if start == start_then and now.silent and now.answers > before.answers and unanswered < SILENT_AFTER:
                found = found or f"{name} counts {other} as silent, and only {unanswered} requests were unanswered lately"
        return found
