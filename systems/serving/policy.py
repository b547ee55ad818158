"""The balancer's decisions: which replica is next, and which are up. Pure: events and their times are passed in; no I/O."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from random import Random
from typing import ClassVar, Final

from systems.parts.breaker import Breaker, Permit
from systems.serving.breakers import Breakers
from systems.serving.ejection import Ejection
from systems.serving.messages import ReplicaStatus
from systems.serving.replica_choice import chosen
from systems.serving.settings import Settings

FALL_CHECKS: Final = 3
"""This many consecutive failed health checks take a replica down."""

RISE_CHECKS: Final = 2
"""This many consecutive passed health checks bring a replica up again."""

LEAST_SHARE: Final = 0.05
"""A replica that has just returned starts with this fraction of a full share."""


class Replica:
    """What the pool knows about one replica. A check resets the count of consecutive opposite outcomes."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.up = True
        self.returned_s = -math.inf
        self.failed_checks = 0
        self.good_checks = 0
        self.ejection = Ejection(settings)
        self.ejections = 0
        self.outstanding = 0
        self.turn = 0
        self.answered = 0
        self.failed = 0
        self.last_failure = ""


class Pool:
    """The replicas. All are assumed to be up until they prove otherwise.

    Failed requests alone never take the last replica down, nor more than a share of all: a moment in which everything is slow
    must leave some up. Only health checks can. Whatever took a replica down, passed health checks bring it up again; an ejected
    one not before its ejection is over.

    A replica that is up but whose breaker is open is not chosen while there is another one.
    """

    BREAKER: ClassVar[type[Breaker]] = Breaker

    def __init__(self, names: Sequence[str], settings: Settings = Settings(), random: Random | None = None) -> None:  # noqa: B008
        self._settings = settings
        self._breakers = Breakers(names, settings, self.BREAKER)
        self._random = random or Random(0)
        self._replicas = {name: Replica(name, settings) for name in names}
        for turn, replica in enumerate(self._replicas.values()):
            replica.turn = turn
        self._turn = len(self._replicas)
        self._slow_start_s = settings.slow_start_ms / 1e3
        self._most_ejected = settings.most_left_out(len(self._replicas))
        self._warm_s = -math.inf
        self._ready: list[Replica] = []
        """The replicas that may be chosen: those that are up."""
        self._changed()

    def choose(self, tried: Collection[str] = (), now_s: float = 0.0) -> str | None:
        """The next replica by the strategy, among those that are up and not `tried`; None if there is none.

        If none is left for a retry, it may go to a replica that only failed requests took down, not health checks: after a
        moment in which everything was slow, several healthy replicas are down, and the request only has to be sent again.
        """
        candidates = self._ready
        if tried:
            candidates = [replica for replica in candidates if replica.name not in tried]
            if not candidates:
                candidates = [
                    replica for replica in self._replicas.values() if replica.name not in tried and replica.failed_checks == 0
                ]
        if not candidates:
            return None
        candidates = self._breakers.usable(candidates, now_s)
        if now_s < self._warm_s:
            candidates = [one for one in candidates if self._random.random() < self._share(one, now_s)] or candidates
        replica = chosen(self._settings.strategy, candidates, self._random)
        replica.turn = self._turn
        self._turn += 1
        return replica.name

    def is_up(self, name: str) -> bool:
        return self._replicas[name].up

    @property
    def replicas(self) -> list[Replica]:
        """What is known of each, in the order they were named."""
        return list(self._replicas.values())

    def breaker(self, name: str, now_s: float) -> Breaker | None:
        """This replica's breaker, to look at; None if breakers are switched off."""
        return self._breakers.of(name, now_s)

    @property
    def slow_s(self) -> float:
        """To a breaker, no call that takes less is slow."""
        return self._breakers.least_slow_s

    def outstanding(self) -> int:
        """How many requests were sent and have no answer yet, over all replicas."""
        return sum(replica.outstanding for replica in self._replicas.values())

    def sent(self, name: str, now_s: float, requests: int = 1) -> Permit | None:
        """Requests were sent to this replica; each is outstanding until it is answered, failed or abandoned.

        Requests sent together are one call to its breaker. Pass the returned permit to the method that reports how the call
        ended; if some were answered and others failed, it failed.
        """
        self._replicas[name].outstanding += requests
        return self._breakers.begun(name, now_s)

    def answered(self, name: str, now_s: float, requests: int = 1, permit: Permit | None = None) -> None:
        """Requests to this replica were answered."""
        if permit is not None:
            self._breakers.ended(name, permit, now_s, failed=False)
        replica = self._replicas[name]
        replica.outstanding = max(0, replica.outstanding - requests)
        replica.answered += requests
        replica.ejection.answered()

    def abandoned(self, name: str, requests: int = 1, permit: Permit | None = None) -> None:
        """No client waits for these requests any more. That says nothing about the replica."""
        if permit is not None:
            permit.dropped()
        replica = self._replicas[name]
        replica.outstanding = max(0, replica.outstanding - requests)

    def failed(self, name: str, why: str, now_s: float, requests: int = 1, permit: Permit | None = None) -> bool:
        """Requests to this replica failed; True if that took it down."""
        if permit is not None:
            self._breakers.ended(name, permit, now_s, failed=True)
        replica = self._replicas[name]
        replica.outstanding = max(0, replica.outstanding - requests)
        replica.failed += requests
        replica.last_failure = why
        if not (replica.ejection.failed(requests) and replica.up and self.may_eject(name, now_s)):
            return False
        replica.ejection.eject(now_s, replica.returned_s)
        replica.ejections += 1
        return self._take_down(replica)

    def may_eject(self, name: str, now_s: float) -> bool:
        """Whether enough others are left if this replica is ejected.

        One whose ejection is over is left out until checks bring it up, and so it counts, unless its checks fail as well.
        """
        others = [other for other in self._replicas.values() if other.name != name]
        left_out = sum(not other.up and (other.failed_checks == 0 or not other.ejection.over(now_s)) for other in others)
        return left_out < self._most_ejected and any(other.up for other in others)

    def check_passed(self, name: str, now_s: float) -> bool:
        """A health check of this replica passed; True if that brought it up."""
        replica = self._replicas[name]
        replica.failed_checks = 0
        if replica.up:
            return False
        replica.good_checks += 1
        if replica.good_checks < RISE_CHECKS or not replica.ejection.over(now_s):
            return False
        replica.up = True
        replica.returned_s = now_s
        replica.ejection.end()
        self._warm_s = now_s + self._slow_start_s
        self._changed()
        return True

    def check_failed(self, name: str, why: str, now_s: float) -> bool:
        """A health check of this replica failed; True if that took it down."""
        replica = self._replicas[name]
        replica.good_checks = 0
        replica.failed_checks += 1
        replica.last_failure = why
        return replica.failed_checks >= FALL_CHECKS and self._take_down(replica)

    def status(self, now_s: float) -> list[ReplicaStatus]:
        """The status of every replica, in the order in which they were named."""
        return [
            ReplicaStatus(
                name=replica.name,
                up=replica.up,
                share=self._share(replica, now_s) if replica.up else 0.0,
                outstanding=replica.outstanding,
                answered=replica.answered,
                failed=replica.failed,
                ejections=replica.ejections,
                breaker=self._breakers.state(replica.name, now_s),
                last_failure=replica.last_failure,
            )
            for replica in self._replicas.values()
        ]

    def unsettled(self) -> dict[str, int]:
        """Counts that are 0 when no request is in flight and every replica is healthy.

        Breakers are not included: one closes only if requests still arrive.
        """
        return {
            "requests outstanding at replicas": self.outstanding(),
            "replicas not in service": sum(not replica.up for replica in self._replicas.values()),
        }

    def _share(self, replica: Replica, now_s: float) -> float:
        warm_for_s = now_s - replica.returned_s
        if self._slow_start_s == 0 or warm_for_s >= self._slow_start_s:
            return 1.0
        return max(LEAST_SHARE, warm_for_s / self._slow_start_s)

    def _take_down(self, replica: Replica) -> bool:
        was_up, replica.up = replica.up, False
        replica.good_checks = 0
        self._breakers.went_down(replica.name)
        self._changed()
        return was_up

    def _changed(self) -> None:
        self._ready = [replica for replica in self._replicas.values() if replica.up]
