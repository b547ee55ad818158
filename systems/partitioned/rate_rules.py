"""The limit on the rate at which a node copies partitions, which leaves the network and the disks to clients.

A history shows that it was exceeded only if that slowed clients down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast


@dataclass(frozen=True, kw_only=True)
class Pulling:
    """What a node has received, since its start, from the owners of partitions that move to it."""

    now_s: float
    pulled_bytes: int
    largest_bytes: int
    """The size of the largest part."""
    bytes_per_s: float
    """The highest allowed rate."""


@dataclass
class _Seen:
    start: int
    now_s: float
    pulled_bytes: int = 0
    ahead_bytes: float = 0.0
    """A lower bound on how far it is ahead of a steady copy at the highest rate."""


class CopiesKeepToTheirRate:
    """No node is ahead of a steady copy at the highest rate by more than two parts for each partition that may move at once:
    one part that has just arrived, and one that was already asked for."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._at_once = 0

    def broken(self, shown: Mapping[str, Mapping[str, object]]) -> str | None:
        for name, state in shown.items():
            self._at_once = cast(int, state.get("moves_at_once", self._at_once))
            if "pulling" in state and (why := self._wrong(name, cast(int, state["start"]), cast(Pulling, state["pulling"]))):
                return why
        return None

    def _wrong(self, name: str, start: int, now: Pulling) -> str | None:
        seen = self._seen.get(name)
        if seen is None or seen.start != start:
            seen = self._seen[name] = _Seen(start, now.now_s)
        steady_bytes = (now.now_s - seen.now_s) * now.bytes_per_s
        # A lower bound: when between two looks it pulled them is not known.
        seen.ahead_bytes = max(0.0, seen.ahead_bytes - steady_bytes + now.pulled_bytes - seen.pulled_bytes)
        seen.now_s, seen.pulled_bytes = now.now_s, now.pulled_bytes
        most_bytes = 2 * self._at_once * now.largest_bytes
        if self._at_once and seen.ahead_bytes > most_bytes:
            return (
                f"{name} is {seen.ahead_bytes:,.0f} bytes ahead of a copy at its highest rate, and {most_bytes:,} are the most"
            )
        return None
