"""Who may be primary, and until when: leases by versions of the configuration. No I/O here, and no clock: times are handed in.

The keepers know no time; they only put one version of the configuration in place of another. A primary renews its lease by
the next version, and holds it for `LEASE_S` from when it *sent* that. Another replica that has known of a version for
`LEASE_S` by its own clock puts itself in its place. That succeeds only if there is no later version, so the lease of
the last one that was sent is over, whatever the keepers' clocks show. The same idea is behind the leases of Kubernetes' leader
election and of Amazon's lock client for DynamoDB; leases are C. Gray's and D. Cheriton's: "Leases: An Efficient Fault-Tolerant
Mechanism for Distributed File Cache Consistency", SOSP 1989.

It takes clocks that run at nearly the same speed for as long as a lease: by `DRIFT` at most one may be faster than another.
Only reads depend on that. A write is safe whatever clocks do, because the replicas refuse earlier epochs.
"""

from __future__ import annotations

from typing import Final

from systems.strong.messages import Configuration

LEASE_S: Final = 0.6
RENEW_S: Final = 0.15
DRIFT: Final = 0.05


class Lease:
    """A primary's own."""

    def __init__(self) -> None:
        self._until_s = float("-inf")

    def renewed(self, sent_s: float) -> None:
        """The keepers took a version that was sent then."""
        self._until_s = max(self._until_s, sent_s + LEASE_S * (1 - DRIFT))

    def holds(self, now_s: float) -> bool:
        return now_s < self._until_s


class Watch:
    """What a replica knows of others' leases."""

    def __init__(self) -> None:
        self.configuration: Configuration | None = None
        """The latest one that it has heard of."""
        self._since_s = 0.0

    def heard(self, configuration: Configuration, now_s: float) -> None:
        """This version was in force at that time, or before."""
        if self.configuration is None or configuration.version > self.configuration.version:
            self.configuration, self._since_s = configuration, now_s

    def over(self, now_s: float, patience_s: float = 0.0) -> bool:
        """Whether the lease of the latest version that is known is over, for so long at least."""
        return self.configuration is not None and now_s >= self._since_s + LEASE_S + patience_s
