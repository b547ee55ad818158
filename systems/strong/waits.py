"""The rules of leases: a replica's wait for a version of the configuration has one fixed end, and nobody takes over earlier.

A wait that ends too soon, or a lease that is held for too long, shows in a history only if the primary still reads by its lease
when another replica has taken over. A wait that is extended again and again shows only if the primary can renew nothing but is
still heard. Nor do lease and wait say what a replica makes of them, so each is asked what it would do now.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from systems.strong.kept import LatestConfiguration
from systems.strong.lease import LEASE_S, Watch
from systems.strong.shown import Shown


class _Seen(NamedTuple):
    """What was seen at the last look."""

    watch: Watch
    looked_s: float
    version: int
    """The latest version that it knew; 0 if none."""
    ends_s: float


class WaitsForLeases:
    """Checks each replica's wait at each look. Times are by the replica's own clock."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def broken(self, name: str, watch: Watch, now_s: float) -> str | None:
        """What is wrong with a replica's wait; None if nothing is. A restarted replica has a new watch and knows no version."""
        version = 0 if watch.configuration is None else watch.configuration.version
        now = _Seen(watch, now_s, version, watch.ends_s)
        before = self._seen.get(name)
        if before is None or before.watch is not watch:
            before = _Seen(watch, -math.inf, 0, 0.0)
        self._seen[name] = now
        if version < before.version:
            return f"{name} went back from version {before.version} of the configuration to {version}"
        if version and version == before.version and now.ends_s != before.ends_s:
            later_ms = 1000 * (now.ends_s - before.ends_s)
            return f"{name} waits {later_ms:+.0f} ms longer for the lease of version {version}, which it knew already"
        if version > before.version and now.ends_s < before.looked_s + LEASE_S:
            sooner_ms = 1000 * (before.looked_s + LEASE_S - now.ends_s)
            return f"{name} waits at least {sooner_ms:.0f} ms too little for the lease of version {version}"
        return None


class LeasesOfWhatIsKept:
    """A primary holds no lease for longer than a replica would wait that has known of the latest version from its first moment.

    There need not be such a replica: it is imagined that one has asked the keepers just then. A primary that does not know
    whether they have carried out its request, and finds out later, must not count its lease from when it found out.
    """

    def __init__(self) -> None:
        self._known = LatestConfiguration()
        self._version = 0
        self._since_s: dict[str, float] = {}
        """By replica, its time when the latest version was first seen."""

    def broken(self, shown_by: Mapping[str, Shown], keepers: Mapping[str, object]) -> str | None:
        latest = self._known.look(shown_by, keepers)
        if latest is not None and latest.version > self._version:
            self._version = latest.version
            self._since_s = {name: shown.now_s for name, shown in shown_by.items()}
        for name, shown in shown_by.items():
            since_s = self._since_s.get(name)
            if since_s is not None and shown.lease is not None and shown.epoch and shown.lease.holds(since_s + LEASE_S):
                return (
                    f"{name}, the primary of epoch {shown.epoch}, holds its lease for longer than another replica may have to"
                    f" wait that has known of version {self._version} from its beginning"
                )
        return None


def reads_without_lease(name: str, shown: Shown) -> str | None:
    """Whether a primary would answer a read now although its lease is over."""
    if shown.lease is None or shown.lease.holds(shown.now_s) or not shown.reads(shown.now_s):
        return None
    return f"{name}, the primary of epoch {shown.epoch}, would answer reads after its lease is over"


def overtaken(shown_by: Mapping[str, Shown]) -> str | None:
    """A replica that has taken over, or could now, from a primary that still holds its lease; None if there is none.

    One that could must know a version at least as late as the primary's, or the keepers would refuse. A process that blocks is
    ahead of the others by its own clock, so the earlier of the two clocks counts.
    """
    for name, primary in shown_by.items():
        if primary.lease is None or not primary.epoch or not _version(primary):
            continue
        for other, waiting in shown_by.items():
            at_s = min(primary.now_s, waiting.now_s)
            if other == name or (does := _takes_over(waiting, primary, at_s)) is None:
                continue
            if primary.lease.holds(at_s):
                return f"{other} {does} from {name}, the primary of epoch {primary.epoch}, which still holds its lease"
    return None


def _takes_over(other: Shown, primary: Shown, at_s: float) -> str | None:
    """Whether a replica has taken over from a primary, or could at this time, in words."""
    if other.epoch > primary.epoch:
        return "has taken over"
    if other.watch is None or _version(other) < _version(primary):
        return None
    return "could take over" if other.watch.over(at_s) or other.claims(at_s) else None


def _version(shown: Shown) -> int:
    known = None if shown.watch is None else shown.watch.configuration
    return 0 if known is None else known.version
