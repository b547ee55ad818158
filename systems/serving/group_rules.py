"""The rule of a balancer's groups of requests: one that no client waits for any more ends at once."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from typing import Final

_SURELY: Final = 8
"""A balancer that has done this many health checks since then was neither frozen nor kept from its work."""


class GroupRules:
    """Checks the groups of one balancer at each look."""

    def __init__(self) -> None:
        self._since: dict[Hashable, int] = {}
        """By group that no client waits for, how many health checks there had been when it was first seen."""

    def look(self, for_nobody: Collection[Hashable], checks: int) -> Iterator[str]:
        """What is wrong, if anything. No client waits for these groups; there were so many health checks until now."""
        self._since = {group: self._since.get(group, checks) for group in for_nobody}
        more = checks - min(self._since.values(), default=checks)
        if more >= _SURELY:
            yield f"a group of requests goes on, and since all its clients have gone there were {more} health checks"
