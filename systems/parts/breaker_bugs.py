"""Circuit breakers with one known bug each, which drills and tests of systems with breakers must catch."""

from __future__ import annotations

from systems.parts.breaker import Breaker, Permit
from systems.parts.breaker_window import Window


class NeverOpens(Breaker):
    """Lets every call through, whatever the outcomes."""

    def _judge(self, now_s: float) -> None:
        self._window = Window(1.0, 1)


class NeverCloses(Breaker):
    """Successful probes do not close it."""

    def _may_close(self) -> bool:
        return False


class OpensAtOnce(Breaker):
    """Opens at the first failure: it ignores the least number of calls and the failure rate."""

    def done(self, permit: Permit, *, failed: bool, duration_s: float | None, slow_s: float) -> None:
        super().done(permit, failed=failed, duration_s=duration_s, slow_s=slow_s)
        with self._lock:
            if failed and self._state == "closed":
                self._change("open", self._now_s, "a call failed")


class UnboundedProbes(Breaker):
    """Lets every call through when half-open."""

    def _probe_free(self) -> bool:
        return True


class CountsLateResults(Breaker):
    """Counts results of calls that began before the last change of state."""

    def _counts(self, permit: Permit) -> bool:
        return True


class SeesNoFailures(Breaker):
    """Counts a failed call as a success, unless it was slow."""

    def done(self, permit: Permit, *, failed: bool, duration_s: float | None, slow_s: float) -> None:
        super().done(permit, failed=False, duration_s=duration_s, slow_s=slow_s)


class SeesNoSlowness(Breaker):
    """Counts no call as slow."""

    def done(self, permit: Permit, *, failed: bool, duration_s: float | None, slow_s: float) -> None:
        super().done(permit, failed=failed, duration_s=0.0, slow_s=slow_s)


class BlamesForCancels(Breaker):
    """To it, a call that its caller gave up has failed."""

    def dropped(self, permit: Permit) -> None:
        self.done(permit, failed=True, duration_s=None, slow_s=0.0)
