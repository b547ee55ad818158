"""The rule of what clients were told: so many replicas hold it that whoever reads next finds it.

A read that answers too early shows in a history only if the next one asks the other replicas, before what the first one has
seen reaches them.
"""

from __future__ import annotations

from collections.abc import Mapping

from systems.quorum.finished import Told
from systems.quorum.placement import Placement
from systems.quorum.shown import Shown


class ToldIsFound:
    """What a node has answered with, or something newer, is on at least one replica of each read quorum.

    This applies to stores whose quorums meet, and to replicas that keep what they hold through a restart. A replica that is
    down, or has lost its log, is assumed to have it: other rules find out if it has not.
    """

    def __init__(self, placement: Placement, *, read: int, tombstones_dropped: bool) -> None:
        """`read`: the size of a read quorum; the largest, if requests differ."""
        self._placement = placement
        self._read = read
        self._tombstones_dropped = tombstones_dropped
        self._answers: dict[str, int] = {}
        """By node, how many answers it had given at the last look."""

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        found = None
        for name, state in shown.items():
            before, self._answers[name] = self._answers.get(name, 0), state.answers
            new = state.answers - before
            if new < 0:  # it has started again
                new = state.answers
            for told in list(state.told)[-new:] if new else ():
                found = found or self._missed(name, told, shown)
        return found

    def _missed(self, name: str, told: Told, shown: Mapping[str, Shown]) -> str | None:
        homes = self._placement.homes(told.key)
        lacking = [home for home in homes if home in shown and self._lacks(shown[home], told)]
        if len(lacking) < self._read:
            return None
        version = told.version
        return (
            f"{name} answered with version {version.counter} of {version.writer} of key {told.key}; {', '.join(lacking)} have"
            f" nothing as new, and a read of {self._read} replicas may ask just those"
        )

    def _lacks(self, replica: Shown, told: Told) -> bool:
        if replica.entries is None:
            return False
        held = replica.entries.get(told.key)
        if held is not None:
            return held.version < told.version
        return told.version.counter > (replica.floor if self._tombstones_dropped else 0)
