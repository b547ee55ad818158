"""Who may be primary, and until when: leases by versions of the configuration. No I/O here, and no clock: times are passed in.

The keepers know nothing of time; they only replace one version of the configuration by another. A primary renews its lease
with the next version, and holds it for `LEASE_S` from when it *sent* that. Another replica that has known of a version for
`LEASE_S` by its own clock replaces it by one in which it is the primary itself. That succeeds only if there is no later
version, so the lease of the last one that was sent is over, whatever the keepers' clocks show. The leases of Kubernetes' leader
election and of Amazon's lock client for DynamoDB work in the same way; leases come from C. Gray and D. Cheriton: "Leases: An
Efficient Fault-Tolerant Mechanism for Distributed File Cache Consistency", SOSP 1989.

This needs clocks that run at nearly the same speed for as long as a lease: one may be faster than another by at most `DRIFT`.
Only reads depend on that. A write is safe whatever clocks do, because the replicas refuse earlier epochs.
"""

from __future__ import annotations

from typing import Final

from systems.strong.messages import Configuration

LEASE_S: Final = 0.6
RENEW_S: Final = 0.15
DRIFT: Final = 0.05


class Lease:
    """The lease that a primary holds itself."""

    def __init__(self) -> None:
        self._until_s = float("-inf")

    def renewed(self, sent_s: float) -> None:
        """Take note that the keepers accepted a version that was sent at that time."""
        self._until_s = max(self._until_s, sent_s + LEASE_S * (1 - DRIFT))

    def holds(self, now_s: float) -> bool:
        return now_s < self._until_s


class Watch:
    """What a replica knows about the leases of others."""

    def __init__(self) -> None:
        self.configuration: Configuration | None = None
        """The latest version that it has heard of."""
        self._since_s = 0.0

    def heard(self, configuration: Configuration, now_s: float) -> None:
        """Take note that this version was in force at that time, or before."""
        if self.configuration is None or configuration.version > self.configuration.version:
            self.configuration, self._since_s = configuration, now_s

    @property
    def ends_s(self) -> float:
        """When the lease of the latest known version is over, if there is one."""
        return self._since_s + LEASE_S

    def over(self, now_s: float, patience_s: float = 0.0) -> bool:
        """Whether the lease of the latest known version has been over for at least this long."""
        return self.configuration is not None and now_s >= self.ends_s + patience_s
