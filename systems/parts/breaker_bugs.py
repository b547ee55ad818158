"""Circuit breakers that are known to be wrong, each in one way: what drills and tests of systems with breakers must notice."""

from __future__ import annotations

from systems.parts.breaker import Breaker, Permit
from systems.parts.breaker_window import Window


class NeverOpens(Breaker):
    """Lets everything through, whatever becomes of it."""

    def _judge(self, now_s: float) -> None:
        self._window = Window(1.0, 1)


class NeverCloses(Breaker):
    """Good probes do not close it."""

    def _may_close(self) -> bool:
        return False


class OpensAtOnce(Breaker):
    """Closed, it opens at the first failure: it knows no least number of calls, and no rate."""

    def done(self, permit: Permit, *, failed: bool, duration_s: float | None, slow_s: float) -> None:
        super().done(permit, failed=failed, duration_s=duration_s, slow_s=slow_s)
        with self._lock:
            if failed and self._state == "closed":
                self._change("open", self._now_s, "a call failed")


class UnboundedProbes(Breaker):
    """Half-open, it lets everything through."""

    def _probe_free(self) -> bool:
        return True


class CountsLateResults(Breaker):
    """Results of calls that began before the last change of state count in this one."""

    def _counts(self, permit: Permit) -> bool:
        return True


class SeesNoFailures(Breaker):
    """To it, a failed call went well, if only it was quick."""

    def done(self, permit: Permit, *, failed: bool, duration_s: float | None, slow_s: float) -> None:
        super().done(permit, failed=False, duration_s=duration_s, slow_s=slow_s)


class SeesNoSlowness(Breaker):
    """To it, no call is slow."""

    def done(self, permit: Permit, *, failed: bool, duration_s: float | None, slow_s: float) -> None:
        super().done(permit, failed=failed, duration_s=0.0, slow_s=slow_s)
