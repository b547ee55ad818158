"""The rule of a replica that waits for another one's lease to be over: each version of the configuration has one end.

A wait that ends too soon shows in a history only if the other one still reads by its lease. One that is put off again and again
shows only if the other one can renew nothing, and is still heard.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from systems.strong.lease import LEASE_S, Watch


class _Seen(NamedTuple):
    """What was seen at the last look."""

    watch: Watch
    looked_s: float
    version: int
    """0 if it knew of none."""
    ends_s: float


class WaitsForLeases:
    """Looks at each replica's wait. Times are by the replica's own clock."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def broken(self, name: str, watch: Watch, now_s: float) -> str | None:
        """A replica that has been started again knows of no version, and has another watch."""
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
