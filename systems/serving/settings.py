"""How a balancer decides: the settings of `Serving`."""

from __future__ import annotations

import math
from typing import Final, Literal, get_args

import msgspec

from harness.model.errors import UsageError
from systems.parts.breaker import Settings as BreakerSettings

Strategy = Literal["round-robin", "least-outstanding", "two-choices"]
STRATEGIES: Final[tuple[Strategy, ...]] = get_args(Strategy)
_AT_LEAST_ZERO: Final = (
    "ejection_ms", "longest_ejection_ms", "slow_start_ms", "retries_per_s", "overload_ms", "hedge_ms", "gather_ms",
    "slow_times",
)  # fmt: skip


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A balancer's settings; None switches a part off. The defaults are what the reference is judged by."""

    strategy: Strategy = "two-choices"
    ejection_ms: float = 300.0
    """A replica's first ejection lasts this long, its second twice as long, its third four times …"""
    longest_ejection_ms: float = 5000.0
    """… and none longer than this. One that stayed for this long after its return begins anew."""
    max_ejected: float = 0.5
    """At most this share of the replicas is ejected at once, and at most this share is left out because of breakers (but one
    may always be, if another one is up)."""
    slow_start_ms: float = 500.0
    """A replica that returned gets a share that grows to a full one within this time."""
    retry_ratio: float | None = 0.2
    """So many retries a request are allowed …"""
    retries_per_s: float = 10.0
    """… and so many a second besides. A ratio of None: as many as are wanted."""
    overload_ms: float | None = 100.0
    """When even the quickest answer takes longer than this, less is let in, and the rest is turned away. Above what an answer
    takes in quiet times, and below half of a try's timeout: later, what is let in is given up before its turn comes."""
    hedge_ms: float | None = None
    """What has no answer after this long is asked of a second replica as well, at the price of a retry. Set it near the p95 of
    quiet times: much less, and the budget is spent before it is needed."""
    gather_ms: float | None = 0.5
    """At a high rate, requests wait for each other for up to so long, to go to a replica together: it takes a third less of the
    processor. At less than two requests in that time, 4,000 a second, none waits."""
    breaker: BreakerSettings | None = BreakerSettings(
        failure_rate=0.4, slow_rate=0.5, slow_s=0.05, window_s=1.0, least_calls=20, open_s=1.0, probes=4, probe_expires_s=1.0
    )
    """Each replica's circuit breaker: when one that answers only now and then, or late, is left out. A busy machine must not do
    that: it makes some calls take more than 50 ms, but not half of a second's …"""
    slow_times: float = 5.0
    """… and all replicas' alike: a call is slow only if it also takes this many times what the other replicas usually take."""

    def most_left_out(self, replicas: int) -> int:
        """How many of so many replicas may be ejected, and how many left out by breakers."""
        return max(1, int(self.max_ejected * replicas))

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise UsageError(f"Settings(strategy={self.strategy!r}): there are {', '.join(STRATEGIES)}.")
        for name in ("max_ejected", "retry_ratio"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise UsageError(f"Settings({name}={value!r}): must be a share from 0 to 1.")
        for name in _AT_LEAST_ZERO:
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise UsageError(f"Settings({name}={value!r}): must be a number, at least 0.")
