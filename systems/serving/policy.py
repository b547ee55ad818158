"""What the balancer decides: which replica is next, which are up. Pure: no clock, no I/O; it is told what happened."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from systems.serving.messages import ReplicaStatus

FALL_CHECKS: Final = 3
"""This many failed health checks in a row take a replica down."""

FALL_REQUESTS: Final = 3
"""This many failed requests in a row take a replica down, unless it is the last one up."""

RISE_CHECKS: Final = 2
"""This many good health checks in a row bring a replica that is down up again."""


@dataclass
class Replica:
    """What the pool knows of one replica. The counts in a row begin again with the opposite outcome."""

    name: str
    up: bool = True
    failed_checks: int = 0
    good_checks: int = 0
    failed_requests: int = 0
    answered: int = 0
    failed: int = 0
    last_failure: str = ""


class Pool:
    """The replicas, in turn. All are taken to be up until they show otherwise.

    Failed requests alone never take the last replica down: a moment in which everything is slow must not leave nobody. Only
    health checks do.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._replicas = {name: Replica(name) for name in names}
        self._order = list(names)

    def choose(self, tried: Collection[str] = ()) -> str | None:
        """The replica whose turn it is among those that are up and not `tried`; None where there is none.

        Rather than nowhere, a retry goes to a replica that only failed requests took down, not health checks: after a moment
        in which everything was slow, several are down that are well, and the request has but to be sent once more.
        """
        untried = [self._replicas[name] for name in self._order if name not in tried]
        candidates = [replica for replica in untried if replica.up]
        if not candidates and tried:
            candidates = [replica for replica in untried if replica.failed_checks == 0]
        if not candidates:
            return None
        name = candidates[0].name
        self._order.remove(name)
        self._order.append(name)
        return name

    def is_up(self, name: str) -> bool:
        return self._replicas[name].up

    def answered(self, name: str) -> None:
        """A request to this replica was answered."""
        replica = self._replicas[name]
        replica.answered += 1
        replica.failed_requests = 0

    def failed(self, name: str, why: str) -> bool:
        """A request to this replica failed. True where that took it down."""
        replica = self._replicas[name]
        replica.failed += 1
        replica.failed_requests += 1
        replica.last_failure = why
        others_up = any(other.up for other in self._replicas.values() if other is not replica)
        return replica.failed_requests >= FALL_REQUESTS and others_up and self._take_down(replica)

    def check_passed(self, name: str) -> bool:
        """A health check of this replica was good. True where that brought it up."""
        replica = self._replicas[name]
        replica.failed_checks = 0
        if replica.up:
            return False
        replica.good_checks += 1
        if replica.good_checks < RISE_CHECKS:
            return False
        replica.up = True
        replica.failed_requests = 0
        return True

    def check_failed(self, name: str, why: str) -> bool:
        """A health check of this replica was not good. True where that took it down."""
        replica = self._replicas[name]
        replica.good_checks = 0
        replica.failed_checks += 1
        replica.last_failure = why
        return replica.failed_checks >= FALL_CHECKS and self._take_down(replica)

    def status(self) -> list[ReplicaStatus]:
        """Every replica, in the order they were named."""
        return [
            ReplicaStatus(
                name=replica.name,
                up=replica.up,
                answered=replica.answered,
                failed=replica.failed,
                last_failure=replica.last_failure,
            )
            for replica in self._replicas.values()
        ]

    def _take_down(self, replica: Replica) -> bool:
        was_up, replica.up = replica.up, False
        replica.good_checks = 0
        return was_up
