"""The rule of replicas that have lost something: nothing that was sent before the loss tells them that they have it all again.

Such a message may be long on its way, but a new process hardly ever gets one that was sent to the process before it. So it is
imagined.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from systems.strong.log import NOTHING
from systems.strong.messages import Append, Configuration
from systems.strong.replica import Replica
from systems.strong.shown import Shown


class _Life(NamedTuple):
    replica: Replica
    lost_after: int
    """The latest version of the configuration that was known when the life before this one was last seen; 0 if none."""
    known: int
    """The latest version that was known when this life was last seen."""


class LearnsAfterTheLoss:
    """Remembers the latest version of the configuration that any replica has heard of, and as of the end of each life."""

    def __init__(self) -> None:
        self._known = 0
        self._lives: dict[str, _Life] = {}

    def broken(self, shown_by: Mapping[str, Shown]) -> str | None:
        for shown in shown_by.values():
            if shown.watch is not None and shown.watch.configuration is not None:
                self._known = max(self._known, shown.watch.configuration.version)
        found = None
        for name, shown in shown_by.items():
            replica, before = shown.replica, self._lives.get(name)
            same = before is not None and before.replica is replica
            lost_after = 0 if before is None else before.lost_after if same else before.known
            self._lives[name] = _Life(replica, lost_after, self._known)
            if found is None and not replica.ready and shown.informed and lost_after and _learns(replica, lost_after):
                found = f"{name} has lost something, and would learn from a message of version {lost_after}, sent before that"
        return found


def _learns(replica: Replica, version: int) -> bool:
    """Whether a message of this version of the configuration, which says that nothing is missing, would be believed."""
    configuration = Configuration(version, replica.epoch, "", ())
    late = Append(configuration=configuration, previous=NOTHING, entries=[], committed=0, established=True)
    return replica.teaches(late, 0)
