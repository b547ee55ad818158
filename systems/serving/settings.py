"""The settings of `Serving`'s balancer."""

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
    """A balancer's settings; None switches a part off. Drills judge the reference with the defaults."""

    strategy: Strategy = "two-choices"
    ejection_ms: float = 300.0
    """A replica's first ejection lasts this long, its second twice as long, its third four times …"""
    longest_ejection_ms: float = 5000.0
    """… and none is longer than this. A replica that stayed up for this long after its return starts again with the first."""
    max_ejected: float = 0.5
    """At most this share of the replicas is ejected at once, and at most this share is left out because of breakers (but one
    always may be, if another one is up)."""
    slow_start_ms: float = 500.0
    """A replica that returned gets a share that grows to a full one within this time."""
    retry_ratio: float | None = 0.2
    """How many retries each request adds to the budget …"""
    retries_per_s: float = 10.0
    """… and how many each second adds. A ratio of None: no limit."""
    overload_ms: float | None = 100.0
    """If even the fastest answer takes longer than this, fewer requests are let in, and the others are turned away. It should
    be above the usual latency, and below half of a try's timeout: otherwise admitted requests time out before their turn."""
    hedge_ms: float | None = None
    """A request without an answer after this long goes to a second replica as well, at the price of a retry. Set it near the
    usual p95: with much less, the budget is spent before it is needed."""
    gather_ms: float | None = 0.8
    """At a high rate, requests wait up to this long to go to a replica together, which takes a third less CPU time. At fewer
    than two requests in that time, 2,500 per second, none waits."""
    breaker: BreakerSettings | None = BreakerSettings(
        failure_rate=0.4, slow_rate=0.5, slow_s=0.05, window_s=1.0, least_calls=20, open_s=1.0, probes=4, probe_expires_s=1.0
    )
    """Each replica's circuit breaker, which leaves out a replica that often fails or answers late. A busy machine must not open
    it: that makes some calls take more than 50 ms, but not half of those in a second …"""
    slow_times: float = 5.0
    """… and it affects all replicas alike: a call is slow only if it also takes this many times what others usually take."""

    def most_left_out(self, replicas: int) -> int:
        """How many of `replicas` replicas may be ejected; also, how many may be left out by breakers."""
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
